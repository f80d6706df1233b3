"""Counts of received tables, on hand-made children."""

import math

import pandas as pd
import pytest

from helpers.analysis import arrived, observed
from helpers.study.codebook import UNITS
from helpers.study.parameters import Parameters

DAY = pd.Timestamp("2026-03-01")


def visits(*rows) -> pd.DataFrame:
    """(child, visit number, days after the planned last infusion or None where not attended)."""
    return pd.DataFrame(
        [
            {
                "usubjid": child,
                "visit_no": float(number),
                "attended": "no" if days is None else "yes",
                "date": pd.NaT if days is None else DAY + pd.Timedelta(days, "D"),
                "planned_date": DAY,
            }
            for child, number, days in rows
        ]
    )


INFUSIONS = pd.DataFrame({"usubjid": ["a", "b"], "infusion": [2.0, 2.0], "planned_date": [DAY, DAY]})


def test_a_visit_lies_in_its_window_or_early_or_late():
    p = Parameters()
    width = p.visit_window(14)
    sent = visits(("a", 2, 14 + width), ("b", 2, 14 + width + 1), ("a", 3, 28 - width - 1), ("b", 3, None))
    rows = arrived.windows(sent, INFUSIONS, p).set_index("visit")
    assert rows.loc["Week 2", ["attended", "inside", "early", "late"]].tolist() == [2, 1, 0, 1]
    assert rows.loc["Week 4", ["attended", "inside", "early", "late"]].tolist() == [1, 0, 1, 0]
    assert rows.loc["Week 2", ["median", "least", "most"]].tolist() == [width + 0.5, width, width + 1]
    assert math.isnan(rows.loc["Month 12", "median"])


def test_completeness_counts_children_once_and_takes_screening_from_its_own_table():
    screening = pd.DataFrame({"usubjid": ["a", "b", "c"], **{test: [1.0, None, 2.0] for test in UNITS}})
    labs = pd.DataFrame(
        {
            "usubjid": ["a", "a", "a", "b", "b"],
            "visit_no": [0.0, 2, 2, 2, 3],
            "test": ["upcr"] * 5,
            "value": [1.0, 1.0, 2.0, None, 3.0],
        }
    )
    nobody = pd.DataFrame({"usubjid": ["a", "b"], "status": "completed", "date": pd.Timestamp("2026-01-01")})
    seen = visits(("a", 2, 14), ("b", 2, None))
    rows = arrived.completeness(screening, seen, labs, nobody).set_index("visit")
    assert rows.loc["Screening", ["planned", "attended", "upcr", "weight"]].tolist() == [3, 3, 2, 2]
    assert rows.loc["Week 2", ["planned", "attended", "upcr", "weight"]].tolist() == [2, 1, 1, 0]
    assert rows.loc["Week 4", ["planned", "attended", "upcr"]].tolist() == [0, 0, 1]
    assert len(rows) == 13


def test_visits_after_the_last_contact_of_who_is_still_followed_are_not_due():
    day = pd.Timestamp("2026-01-01")
    screening = pd.DataFrame({"usubjid": ["a", "b"], **{test: [1.0, 1.0] for test in UNITS}})
    labs = pd.DataFrame({"usubjid": ["a"], "visit_no": [2.0], "test": ["upcr"], "value": [1.0]})
    plan = day + pd.to_timedelta([14, 28, 14, 28], "D")
    seen = pd.DataFrame(
        {
            "usubjid": list("aabb"),
            "visit_no": [2, 3, 2, 3],
            "planned_date": plan,
            "attended": ["yes", "no", "yes", "no"],
        }
    )
    ended = pd.DataFrame({"usubjid": ["a", "b"], "status": ["ongoing", "left"], "date": plan[:2]})
    ended["date"] = day + pd.Timedelta(15, "D")
    rows = arrived.completeness(screening, seen, labs, ended).set_index("visit")
    assert rows.loc["Week 2", ["planned", "attended", "upcr"]].tolist() == [2, 2, 1]
    assert rows.loc["Week 4", ["planned", "attended"]].tolist() == [1, 0]


def test_quartiles_stand_received_beside_simulated_and_none_without_a_value():
    one = pd.DataFrame({test: [1.0, 2.0, 3.0] for test in arrived.INTO})
    none = pd.DataFrame({test: [math.nan] for test in arrived.INTO})
    found = arrived.distributions(arrived.values(one, none)).set_index(["test", "source"])
    assert found.loc[("upcr", "received"), ["n", "least", "median", "most"]].tolist() == [3, 1, 2, 3]
    assert found.loc[("upcr", "simulated"), "n"] == 0
    assert math.isnan(found.loc[("upcr", "simulated"), "median"])


def test_queries_are_counted_by_kind_the_most_frequent_first():
    columns = ["code", "severity", "usubjid", "table", "why", "rule"]
    rows = [
        ("x", "query", "a", "labs", "w", "r"),
        ("y", "note", "a", "labs", "v", "s"),
        ("y", "note", "b", "labs", "v", "s"),
    ]
    found = arrived.by_query(pd.DataFrame(rows, columns=columns))
    assert found[["code", "n", "children"]].values.tolist() == [["y", 2, 2], ["x", 1, 1]]
    assert arrived.by_query(pd.DataFrame(columns=columns)).empty


def adlb(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["USUBJID", "AVISIT", "AVAL", "BASE"])
    return frame.assign(PARAMCD="PROTCRT", ANL01FL="Y")


def test_the_observed_noise_is_that_of_neighbouring_visits():
    rows = adlb(
        ("a", "Week 2", 1.0, 1.0),
        ("a", "Week 4", math.e, 1.0),
        ("a", "Week 8", 9.0, 1.0),
        ("b", "Week 2", 5.0, 1.0),
    )
    found = observed.noise(rows)
    assert (found["pairs"], found["children"]) == (1, 1), "week 4 and week 8 are no neighbours"
    assert found["sd"] == pytest.approx(math.sqrt(1 / 2))
    assert math.isnan(observed.noise(rows.head(1))["sd"])


def test_the_controls_alone_are_followed_unless_arms_are_unknown():
    adsl = pd.DataFrame(
        {"USUBJID": ["a", "b"], "TRT01P": ["Placebo", "hUC-MSC"], "EOSSTT": ["DISCONTINUED", "COMPLETED"]}
    )
    rows = adlb(("a", "Week 2", 2.0, 1.0), ("b", "Week 2", 0.5, 1.0))
    alone = observed.course(adsl, rows, pooled=False).set_index("visit")
    both = observed.course(adsl, rows, pooled=True).set_index("visit")
    assert (alone.at["Week 2", "n"], alone.at["Week 2", "ratio"]) == (1, pytest.approx(2.0))
    assert (both.at["Week 2", "n"], both.at["Week 2", "ratio"]) == (2, pytest.approx(1.0))
    assert math.isnan(alone.at["Week 2", "low"])
    assert math.isnan(both.at["Month 12", "ratio"])
    left = observed.left(adsl)
    assert left["followed"] == 0
    assert (left["n"], left["N"], left["share"]) == (1, 2, 0.5)
    assert (left["low"], left["high"]) == (pytest.approx(0.0126, abs=1e-4), pytest.approx(0.9874, abs=1e-4))


def test_who_is_still_followed_has_not_left_and_may_yet():
    """By hand: one of four left when three were followed, one of two when two were: 1 - 2/3 * 1/2."""
    start = pd.Timestamp("2025-01-01")
    adsl = pd.DataFrame({"RANDDT": start, "EOSDT": start + pd.to_timedelta([30, 60, 90, 100], "D")})
    status = ["ONGOING", "DISCONTINUED", "DISCONTINUED", "ONGOING"]
    found = observed.left(adsl.assign(EOSSTT=status))
    assert (found["n"], found["N"], found["followed"]) == (2, 4, 2)
    assert found["share"] == pytest.approx(1 - 2 / 3 * 1 / 2)
    assert found["low"] < found["share"] < found["high"]
    nobody = observed.left(adsl.assign(EOSSTT="ONGOING"))
    assert (nobody["n"], nobody["share"]) == (0, 0.0)
    assert math.isnan(nobody["low"])


@pytest.mark.parametrize("days", [-40, -1, 0])
def test_who_left_before_the_first_day_left_on_it(days):
    """By hand: one of four left on day 0, one of two when two were followed: 1 - 3/4 * 1/2."""
    start = pd.Timestamp("2025-01-01")
    adsl = pd.DataFrame({"RANDDT": start, "EOSDT": start + pd.to_timedelta([days, 60, 90, 100], "D")})
    status = ["DISCONTINUED", "ONGOING", "DISCONTINUED", "ONGOING"]
    found = observed.left(adsl.assign(EOSSTT=status))
    assert (found["n"], found["N"], found["followed"]) == (2, 4, 2)
    assert found["share"] == pytest.approx(1 - 3 / 4 * 1 / 2)
    # and who is followed counts as followed for no time
    early = observed.left(adsl.assign(EOSSTT=["ONGOING", "ONGOING", "DISCONTINUED", "ONGOING"]))
    assert early["share"] == pytest.approx(1 / 2)
