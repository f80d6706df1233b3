"""Each open choice made otherwise, on ten children counted by hand."""

from ten_children import counts, tables

from helpers.analysis import derive, open_choices, remission
from helpers.design import published
from helpers.study.parameters import Parameters
from helpers.study.scenario import load

P = Parameters()
BY_HAND = {
    ("plan", None): ((1, 5), (2, 5)),  # P2; M1, M4
    ("remission_definition", "threshold alone"): ((0, 5), (0, 5)),  # nobody twice below 0.2 mg/mg
    ("remission_definition", "KDIGO"): ((1, 5), (1, 5)),  # M1 falls to 3.2 mg/mg
    ("remission_fall", 0.4): ((1, 5), (2, 5)),
    ("remission_fall", 0.6): ((1, 5), (2, 5)),  # 0.4 of baseline meets it
    ("remission_threshold", 0.3): ((1, 5), (2, 5)),
    ("confirm_days", 0): ((1, 5), (3, 5)),  # M5: weeks 2 and 4
    ("confirm_days", 56): ((1, 5), (2, 5)),
    ("others", "FIONA"): ((2, 5), (2, 5)),  # P1 too
    ("others", "DUPLEX"): ((0, 5), (0, 5)),  # 0.1 and 0.4 of baselines of 1 and 8
    ("others", "PARASOL"): ((2, 5), (1, 5)),  # P1 at 0.65, P2; M4, not M1 at 3.2
    ("others", "FPRE"): ((0, 5), (0, 5)),  # of those above 1.5 mg/mg only M1, at 3.2
    ("actual_days", None): ((1, 5), (2, 5)),
    ("first", None): ((1, 5), (4, 5)),  # M3 and M5 too
    ("sustained", None): ((1, 5), (2, 5)),
    ("month12", None): ((1, 5), (3, 5)),  # P2; M1, M3, M4
    ("P24", None): ((2, 5), (1, 5)),
    ("DIP", None): ((0, 5), (1, 5)),
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
    assert (rows.loc["plan", "placebo_n"], rows.loc["plan", "placebo_evaluable"]) == (
        2,
        5,
    )  # P4, baseline 0.1
    assert rows.loc["remission_threshold", "placebo_evaluable"].tolist() == 4
    assert rows.loc["DIP", ["placebo_evaluable", "msc_evaluable"]].tolist() == [3, 5]
    assert (found[["placebo_N", "msc_N"]] == 5).all(axis=None)


def test_the_plans_own_value_is_no_alternative():
    adsl, adlb, adtte, _ = tables()
    plan = P.model_copy(update={"remission_fall": 0.4, "confirm_days": 56})
    found = open_choices.one_at_a_time(adsl, adlb, adtte, plan)
    pairs = list(zip(found["choice"], found["value"], strict=True))
    assert ("remission_fall", 0.4) not in pairs
    assert ("confirm_days", 56) not in pairs
    assert len(pairs) == len(BY_HAND) - 2


def test_a_threshold_counts_only_in_children_above_it_at_baseline():
    """Baselines 0.1 (P4), 8 (M1) and 1."""
    adsl, adlb, adtte, _ = tables()
    adsl.loc[adsl["USUBJID"] == "P1", "UPCRBL"] = 0.3
    adsl.loc[adsl["USUBJID"] == "P2", "UPCRBL"] = 0.7
    found = open_choices.one_at_a_time(adsl, adlb, adtte, P).set_index(["choice", "value"])
    able = found.loc["others", ["placebo_evaluable", "msc_evaluable"]]
    assert able.loc["FIONA"].tolist() == [4, 5]  # all but P4, as the plan
    assert able.loc["DUPLEX"].tolist() == [4, 5]  # 0.3 is not below 0.3
    assert able.loc["PARASOL"].tolist() == [2, 5]  # 0.7 is at most 0.7
    assert able.loc["FPRE"].tolist() == [0, 1]
    assert (found.loc["others", ["placebo_N", "msc_N"]] == 5).all(axis=None)


def test_the_definitions_are_those_of_the_rows():
    rule, rows = open_choices.DEFINITIONS, published.targets()
    names = [name.split()[0] for name in rows["N216"]["population"].split("; ")]
    assert list(rule) == names
    fall, below, limit, both = rows["N216"]["note"].split("; ")
    assert (fall, rule["FIONA"]) == ("fall of 30 % at day 180", derive.Rule(fall=0.3))
    assert (below, rule["DUPLEX"]) == ("UPCR < 0.3", derive.Rule(limit=0.3, strict=True))
    assert (limit, rule["PARASOL"]) == ("<= 0.7 g/g", derive.Rule(limit=published.number("RG07")))
    assert both == "<= 1.5 with more than 40 % fall"
    assert rule["FPRE"] == derive.Rule(
        limit=published.number("DF04a"), fall=published.number("DF04b") / 100, beyond=True
    )


def test_the_plan_is_the_primary_analysis():
    study = load("base")
    adsl, adlb, adtte = (study.read(name) for name in ("adsl", "adlb", "adtte"))
    plan = open_choices.one_at_a_time(adsl, adlb, adtte, P).iloc[0]
    primary = remission.primary(adsl, adlb, adtte, P).iloc[0]
    for column in ("placebo_n", "placebo_N", "placebo_seen", "msc_n", "msc_N", "msc_seen", "lower", "upper"):
        assert plan[column] == primary[column]
