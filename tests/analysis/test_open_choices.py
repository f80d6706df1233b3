"""Each open choice made otherwise, on ten children counted by hand."""

from ten_children import counts, tables

from helpers.analysis import open_choices, remission
from helpers.study.parameters import Parameters
from helpers.study.scenario import load

P = Parameters()
BY_HAND = {
    ("plan", None): ((1, 4), (2, 5)),  # P2; M1, M4
    ("remission_definition", "threshold alone"): ((0, 4), (0, 5)),  # nobody twice below 0.2 mg/mg
    ("remission_definition", "KDIGO"): ((1, 4), (1, 5)),  # M1 falls to 3.2 mg/mg
    ("remission_fall", 0.3): ((2, 4), (2, 5)),  # P1 too
    ("remission_fall", 0.4): ((1, 4), (2, 5)),
    ("remission_fall", 0.6): ((1, 4), (2, 5)),  # 0.4 of baseline meets it
    ("remission_threshold", 0.3): ((1, 4), (2, 5)),
    ("confirm_days", 0): ((1, 4), (3, 5)),  # M5: weeks 2 and 4
    ("confirm_days", 56): ((1, 4), (2, 5)),
    ("first", None): ((1, 4), (4, 5)),  # M3 and M5 too
    ("sustained", None): ((1, 4), (2, 5)),
    ("month12", None): ((1, 4), (3, 5)),  # P2; M1, M3, M4
    ("P24", None): ((2, 4), (1, 5)),
    ("DIP", None): ((0, 3), (1, 5)),
}


def test_choices_by_hand():
    adsl, adlb, adtte, _ = tables()
    found = open_choices.one_at_a_time(adsl, adlb, adtte, P)
    by = counts(
        found.assign(value=found["value"].astype(object).where(found["value"].notna(), None)),
        "choice",
        "value",
    )
    assert by == BY_HAND
    assert list(by) == list(BY_HAND)


def test_a_lower_threshold_makes_more_children_evaluable():
    adsl, adlb, adtte, _ = tables()
    found = open_choices.one_at_a_time(adsl, adlb, adtte, P.model_copy(update={"remission_threshold": 0.1}))
    rows = found.set_index("choice")
    assert (rows.loc["plan", "placebo_n"], rows.loc["plan", "placebo_N"]) == (2, 5)  # P4, baseline 0.1
    assert rows.loc["remission_threshold", "placebo_N"] == 4


def test_the_plans_own_value_is_no_alternative():
    adsl, adlb, adtte, _ = tables()
    plan = P.model_copy(update={"remission_fall": 0.3, "confirm_days": 56})
    found = open_choices.one_at_a_time(adsl, adlb, adtte, plan)
    pairs = list(zip(found["choice"], found["value"], strict=True))
    assert ("remission_fall", 0.3) not in pairs
    assert ("confirm_days", 56) not in pairs
    assert len(pairs) == len(BY_HAND) - 2


def test_the_plan_is_the_primary_analysis():
    study = load("base")
    adsl, adlb, adtte = (study.read(name) for name in ("adsl", "adlb", "adtte"))
    plan = open_choices.one_at_a_time(adsl, adlb, adtte, P).iloc[0]
    primary = remission.primary(adsl, adlb, adtte, P).iloc[0]
    for column in ("placebo_n", "placebo_N", "placebo_seen", "msc_n", "msc_N", "msc_seen", "lower", "upper"):
        assert plan[column] == primary[column]
