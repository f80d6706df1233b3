"""Adverse events by treatment received, against hand-made children, SciPy and the rule of three."""

import pandas as pd
import pytest
from scipy import stats

from helpers.analysis import safety

ADSL = pd.DataFrame(
    [
        ("p1", "Placebo", "Placebo", "Y"),
        ("p2", "Placebo", "Placebo", "Y"),
        ("mixed up", "Placebo", "hUC-MSC", "Y"),
        ("m1", "hUC-MSC", "hUC-MSC", "Y"),
        ("m2", "hUC-MSC", "hUC-MSC", "Y"),
        ("untreated", "hUC-MSC", "hUC-MSC", "N"),  # outside the set, whatever else its row says
    ],
    columns=["USUBJID", "TRT01P", "TRT01A", "SAFFL"],
)
ADAE = pd.DataFrame(
    [
        ("p1", "infection", "N", "N", "Y"),
        ("p1", "infection", "N", "N", "Y"),
        ("p1", "other", "Y", "N", "N"),  # before the first infusion
        ("mixed up", "fever", "N", "Y", "Y"),
        ("m1", "fever", "Y", "Y", "Y"),
        ("m1", "other", "N", "N", "Y"),
        ("untreated", "infection", "Y", "N", "N"),
        ("untreated", "infection", "Y", "N", "Y"),  # a flag that can't be: nobody outside the set counts
    ],
    columns=["USUBJID", "AEDECOD", "AESER", "AE24HFL", "TRTEMFL"],
)


@pytest.mark.parametrize(
    ("item", "placebo", "msc"),
    [
        ("any", (1, 2, 2), (2, 3, 3)),
        ("serious", (0, 2, 0), (1, 3, 1)),
        ("within_24h", (0, 2, 0), (2, 3, 2)),
        ("fever", (0, 2, 0), (2, 3, 2)),
        ("infection", (1, 2, 2), (0, 3, 0)),
        ("other", (0, 2, 0), (1, 3, 1)),
    ],
)
def test_children_and_events_by_hand(item, placebo, msc):
    """A child counts once, under what it received; events before the first infusion don't count."""
    found = safety.adverse_events(ADSL, ADAE)
    found = found[found["item"] == item].set_index("arm")
    assert tuple(found.loc["Placebo", ["n", "N", "events"]]) == placebo
    assert tuple(found.loc["hUC-MSC", ["n", "N", "events"]]) == msc


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_intervals_are_scipys(level):
    for row in safety.adverse_events(ADSL, ADAE, level).itertuples():
        exact = stats.binomtest(row.n, row.N).proportion_ci(level, "exact")
        assert (row.lower, row.upper) == pytest.approx(tuple(exact))
    default = safety.adverse_events(ADSL, ADAE)
    pd.testing.assert_frame_equal(default, safety.adverse_events(ADSL, ADAE, 0.95))


def test_nobody_treated_gives_no_interval():
    nobody = ADSL.assign(SAFFL="N", TRT01A=None)
    found = safety.adverse_events(nobody, ADAE)
    assert (found[["n", "N", "events"]] == 0).all(axis=None)
    assert found[["lower", "upper"]].isna().all(axis=None)
    assert safety.no_event_excludes(nobody)[["upper", "upper_one_sided"]].isna().all(axis=None)


def test_no_event_at_all():
    found = safety.adverse_events(ADSL, ADAE.iloc[:0])
    assert (found["events"] == 0).all()
    assert found.loc[found["arm"] == "hUC-MSC", "N"].tolist() == [3] * 6


def test_what_no_event_excludes_is_the_exact_rule_of_three():
    """0 of n: the upper bound solves (1 - u)^n = tail."""
    found = safety.no_event_excludes(ADSL).set_index("arm")
    for arm, n in (("Placebo", 2), ("hUC-MSC", 3)):
        assert found.loc[arm, "N"] == n
        assert (1 - found.loc[arm, "upper"]) ** n == pytest.approx(0.025)
        assert (1 - found.loc[arm, "upper_one_sided"]) ** n == pytest.approx(0.05)
    other = safety.no_event_excludes(ADSL, 0.9).set_index("arm")
    assert (1 - other.loc["hUC-MSC", "upper_one_sided"]) ** 3 == pytest.approx(0.1)
