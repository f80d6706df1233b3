"""Strategies and subgroups of ten children counted by hand; visits of ill children on each side of each boundary."""

import numpy as np
import pandas as pd
import pytest
from ten_children import counts, date, tables

from helpers.analysis import remission, strategies
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.study.scenario import load

P = Parameters()


def test_strategies_by_hand():
    adsl, adlb, _, adae = tables()
    assert counts(strategies.estimands(adsl, adlb, adae, P), "strategy") == {
        "main": ((1, 5), (2, 5)),  # P2; M1, M4
        "ras": ((1, 5), (1, 5)),  # M4 remits after its change of RAS inhibition
        "rescue": ((1, 5), (3, 5)),  # M2 remits after rescue
        "infection": ((1, 5), (3, 5)),  # M5 without weeks 6 and 8 holds from week 2 to month 3
        "per_protocol": ((1, 5), (1, 3)),  # without M2 and M4
    }


def test_events_are_counted_by_child_and_arm():
    adsl, adlb, _, adae = tables()
    adsl.loc[adsl["USUBJID"] == "P3", "DCSREAS"] = "death"
    adsl.loc[adsl["USUBJID"] == "M5", ["NINFUS", "RASSTDT"]] = [1.0, date(30)]
    found = strategies.occurred(adsl, adlb, adae).set_index(["item", "arm"])
    assert found["n"].unstack("arm")[["Placebo", "hUC-MSC"]].to_dict("index") == {
        "infusion": {"Placebo": 0, "hUC-MSC": 1},
        "ras": {"Placebo": 0, "hUC-MSC": 1},
        "ras_stop": {"Placebo": 0, "hUC-MSC": 1},
        "rescue": {"Placebo": 0, "hUC-MSC": 1},
        "terminal": {"Placebo": 1, "hUC-MSC": 0},
        "infection": {"Placebo": 0, "hUC-MSC": 3},
    }
    assert (found["N"] == 5).all()


@pytest.mark.parametrize(
    ("day", "rescue", "strategy"), [(100, None, "rescue"), (100, 20, "main"), (20, 100, "rescue")]
)
def test_death_ends_remission_under_every_strategy_and_rescue_only_under_the_plan(day, rescue, strategy):
    """M1 in remission throughout: from day 20 on there is none to confirm after week 2; from day 100 on there was."""
    adsl, adlb, _, adae = tables()
    first = min(day, rescue or day)
    mine = adsl["USUBJID"] == "M1"
    adsl.loc[mine, ["NOREMDT", "RESCDT"]] = [date(first), date(rescue)]
    found = counts(strategies.estimands(adsl, adlb, adae, P), "strategy")
    confirmed = {"main": first > 42, "rescue": rescue == first or day > 42}[strategy]
    # M4 by the plan; under the strategy for rescue M2 too
    assert found[strategy][1][0] == 1 + (strategy == "rescue") + confirmed


def test_the_day_of_the_event_rules_out_remission_on_it():
    adsl, adlb, _, adae = tables()
    # M4 remits at month 6 (day 183) first: a change of RAS inhibition on the last visit's day leaves it confirmed
    for day, expected in ((365, 1), (366, 2)):
        changed = adsl.assign(RASCHDT=[date(day) if c == "M4" else pd.NaT for c in adsl["USUBJID"]])
        path = adlb.copy()
        late = (path["USUBJID"] == "M4") & (path["AVISITN"] < 10)
        path.loc[late & (path["AVISITN"] > 0), "AVAL"] = 0.9
        found = counts(strategies.estimands(changed, path, adae, P), "strategy")
        assert found["ras"][1] == (expected, 5)


def test_ill_visits_by_hand():
    adsl, adlb, _, adae = tables()
    found = strategies.ill_visits(adsl, adlb, adae)
    names = np.array([v.name for v in VISITS])
    ill = {child: list(names[row]) for child, row in zip(adsl["USUBJID"], found, strict=True) if row.any()}
    assert ill == {
        "M5": ["Week 6", "Week 8"],  # days 40 to 60; "other" is no illness
        "M1": ["Week 2"],  # a fever of one day, the visit's
        "M3": ["Month 10", "Month 12"],  # an infection without an end
    }


@pytest.mark.parametrize(
    ("start", "end", "ill"), [(28, 40, True), (29, 40, False), (1, 28, True), (1, 27, False)]
)
def test_first_and_last_day_of_an_illness_count(start, end, ill):
    adsl, adlb, _, adae = tables()
    event = adae.iloc[:1].assign(USUBJID="P1", ASTDT=date(start), AENDT=date(end))
    assert strategies.ill_visits(adsl, adlb, event)[0, 1] == ill


def test_an_illness_over_the_baseline_sample_makes_no_visit_ill():
    adsl, adlb, _, adae = tables()
    event = adae.iloc[:1].assign(USUBJID="P1", ASTDT=date(-20), AENDT=date(-1))  # sampled on day -14
    assert not strategies.ill_visits(adsl, adlb, event).any()


def test_no_event_makes_nobody_ill():
    adsl, adlb, _, adae = tables()
    assert not strategies.ill_visits(adsl, adlb, adae.iloc[:0]).any()


def test_subgroups_by_hand():
    adsl, _, adtte, _ = tables()
    found = strategies.subgroups(adsl, adtte)
    assert counts(found, "variable", "value") == {
        ("SEX", "M"): ((1, 3), (2, 3)),  # P2, P4, P5; M1, M2, M4
        ("SEX", "F"): ((0, 2), (0, 2)),  # P1, P3; M3, M5
        ("GENOTYPE", "X-linked"): ((1, 4), (2, 5)),
        ("GENOTYPE", "autosomal recessive"): ((0, 1), (0, 0)),
        ("RASFL", "Y"): ((1, 5), (2, 4)),
        ("RASFL", "N"): ((0, 0), (0, 1)),
    }
    assert list(found["variable"]) == ["SEX"] * 2 + ["GENOTYPE"] * 2 + ["RASFL"] * 2
    assert found.loc[3, "note"] == "no child in hUC-MSC"


@pytest.mark.parametrize(("children", "given"), [(strategies.FEW - 1, False), (strategies.FEW, True)])
def test_a_subgroup_of_few_children_is_counted_and_not_compared(children, given):
    adsl, _, adtte, _ = tables()
    by_arm = [adsl.loc[adsl["TRT01P"] == arm, "USUBJID"] for arm in ("Placebo", "hUC-MSC")]
    few = [*by_arm[0][: children - 2], *by_arm[1][:2]]
    adsl = adsl.assign(GENOTYPE=np.where(adsl["USUBJID"].isin(few), "digenic", "X-linked"))
    found = strategies.subgroups(adsl, adtte)
    row = found[found["value"] == "digenic"].iloc[0]
    assert (row["placebo_N"], row["msc_N"]) == (children - 2, 2)
    columns = ["difference", "lower", "upper", "approximate_lower", "approximate_upper"]
    assert row[columns].notna().tolist() == [given] * 5
    assert row["note"] == ("" if given else "fewer than 5 children")
    assert np.isfinite(row["placebo_upper"])


def test_a_subgroup_of_a_child_not_evaluable_has_no_remission_and_is_no_gap():
    """Not evaluable is no remission by the plan: 0 of 1, as in the whole arm; unless nobody of the arm was assessed."""
    adsl, _, adtte, _ = tables()
    one = adsl.loc[adsl["TRT01P"] == "Placebo", "USUBJID"].iloc[0]
    adsl = adsl.assign(GENOTYPE=np.where(adsl["USUBJID"] == one, "digenic", "X-linked"))
    out = adtte["USUBJID"] == one
    gone = adtte.assign(ANL01FL=adtte["ANL01FL"].mask(out, "N"), CNSR=adtte["CNSR"].mask(out, 2.0))
    row = strategies.subgroups(adsl, gone).set_index("value").loc["digenic"]
    assert (row["placebo_n"], row["placebo_N"], row["placebo_seen"]) == (0, 1, 0)
    assert row["placebo"] == 0
    assert row["placebo_note"] == ""
    placebo = adtte["TRT01P"] == "Placebo"
    nobody = adtte.assign(ANL01FL=adtte["ANL01FL"].mask(placebo, "N"), CNSR=adtte["CNSR"].mask(placebo, 2.0))
    row = strategies.subgroups(adsl, nobody).set_index("value").loc["digenic"]
    assert row["placebo_note"] == "no evaluable child assessed"


def test_forms_stand_in_the_codebooks_order_and_others_last():
    adsl, _, adtte, _ = tables()
    forms = ["digenic", "X-linked", "dominant", "recessive", "another"]
    adsl = adsl.assign(GENOTYPE=[forms[k % 5] for k in range(len(adsl))])
    found = strategies.subgroups(adsl, adtte)
    told = found.loc[found["variable"] == "GENOTYPE", "value"].tolist()
    assert told == ["X-linked", "recessive", "dominant", "digenic", "another"]


def test_the_plan_is_the_primary_analysis():
    study = load("base")
    adsl, adlb, adtte, adae = (study.read(name) for name in ("adsl", "adlb", "adtte", "adae"))
    main = strategies.estimands(adsl, adlb, adae, P).iloc[0]
    primary = remission.primary(adsl, adlb, adtte, P).iloc[0]
    for column in ("placebo_n", "placebo_N", "msc_n", "msc_N", "lower", "upper"):
        assert main[column] == primary[column]
    rows = strategies.subgroups(adsl, adtte)
    for _, part in rows.groupby("variable"):
        for column in ("placebo_n", "placebo_N", "msc_n", "msc_N"):
            assert part[column].sum() == primary[column]
