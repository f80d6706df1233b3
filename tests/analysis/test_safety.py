"""Adverse events by treatment received, against hand-made children, SciPy and the rule of three."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.analysis import safety
from helpers.estimators import proportions
from helpers.study.codebook import SEVERITY
from helpers.study.protocol import ARMS

FIRST = pd.Timestamp("2025-03-01")


def on(day: float | None) -> pd.Timestamp:
    """A day counted from the first infusion of every child."""
    return pd.NaT if day is None else FIRST + pd.Timedelta(day, "D")


def adsl() -> pd.DataFrame:
    """Allocated, received, infusions, day of the second infusion (14 or none) and of the last contact."""
    rows = [
        ("p1", "Placebo", "Placebo", 2, 379, "COMPLETED", None),
        ("p2", "Placebo", "Placebo", 1, 99, "DISCONTINUED", "adverse event"),
        ("mixed up", "Placebo", "hUC-MSC", 2, 379, "COMPLETED", None),
        ("m1", "hUC-MSC", "hUC-MSC", 2, 379, "COMPLETED", None),
        ("m2", "hUC-MSC", "hUC-MSC", 2, 199, "DISCONTINUED", "moved away"),
        ("untreated", "hUC-MSC", None, 0, 300, "COMPLETED", None),
    ]
    frame = pd.DataFrame(rows, columns=["USUBJID", "TRT01P", "TRT01A", "NINFUS", "end", "EOSSTT", "DCSREAS"])
    frame["SAFFL"] = np.where(frame["NINFUS"] > 0, "Y", "N")
    frame["NINFUS"] = frame["NINFUS"].astype(float)
    frame["TRTSDT"] = [on(0) if n else pd.NaT for n in frame["NINFUS"]]
    frame["TRTEDT"] = [on({0: None, 1: 0, 2: 14}[int(n)]) for n in frame["NINFUS"]]
    frame["EOSDT"] = [on(day) for day in frame.pop("end")]
    return frame


def adae() -> pd.DataFrame:
    """child, term, kind, first day, length (None = ongoing), severity, serious, related, within 24 h, emergent."""
    rows = [
        ("p1", "Cold", "infection", 20, 5, "mild", "N", "N", "N", "Y"),
        ("p1", "cold ", "infection", 120, 5, "moderate", "N", "N", "N", "Y"),
        ("p1", "rash", "other", -3, 2, "severe", "Y", "N", "N", "N"),  # before the first infusion
        ("mixed up", "fever", "fever", 14, 1, "mild", "N", "Y", "Y", "Y"),
        ("m1", "fever", "fever", 0, 1, "severe", "Y", "Y", "Y", "Y"),
        ("m1", "cough", "other", 379, None, None, "N", None, "N", "Y"),  # judged by nobody: counts as related
        ("m2", "Cold", "other", 13, 3, "moderate", None, "N", "N", "Y"),  # seriousness not answered: serious
        ("untreated", "cold", "infection", 9, 5, "severe", "Y", "N", "N", "N"),
        ("untreated", "cold", "infection", 9, 5, "mild", "Y", "N", "N", "Y"),  # a flag that can't be
    ]
    columns = [
        "USUBJID",
        "AETERM",
        "AEDECOD",
        "day",
        "ADURN",
        "AESEV",
        "AESER",
        "AEREL",
        "AE24HFL",
        "TRTEMFL",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    frame["ADURN"] = frame["ADURN"].astype(float)
    frame["ASTDT"] = [on(day) for day in frame.pop("day")]
    return frame


@pytest.fixture
def events() -> pd.DataFrame:
    return safety.emergent(adsl(), adae())


def of(found: pd.DataFrame, item: str, *columns: str) -> list[tuple]:
    """These columns of an item, placebo first."""
    rows = found[found["item"] == item].set_index("arm").loc[list(ARMS), list(columns)]
    return [tuple(row) for row in rows.itertuples(index=False)]


def test_one_row_a_treatment_emergent_event_of_the_safety_set(events):
    assert events["child"].tolist() == ["p1", "p1", "mixed up", "m1", "m1", "m2"]
    assert events["arm"].tolist() == ["Placebo"] * 2 + ["hUC-MSC"] * 4
    assert events["term"].tolist() == ["cold", "cold", "fever", "fever", "cough", "cold"]
    assert events["day"].tolist() == [20, 120, 14, 0, 379, 13]
    assert events["since"].tolist() == [6, 106, 0, 0, 365, 13]
    assert events["infusion"].tolist() == [2, 2, 2, 1, 2, 1]
    assert events["ongoing"].tolist() == [False] * 4 + [True, False]
    assert events["severity"].tolist() == ["mild", "moderate", "mild", "severe", "not recorded", "moderate"]
    assert events["serious"].tolist() == [False, False, False, True, False, True]
    assert events["related"].tolist() == [False, False, True, True, True, False]


@pytest.mark.parametrize(
    ("item", "placebo", "msc"),
    [
        ("any", (1, 2, 2), (3, 3, 4)),
        ("related", (0, 2, 0), (2, 3, 3)),
        ("serious", (0, 2, 0), (2, 3, 2)),
        ("serious_related", (0, 2, 0), (1, 3, 1)),
        ("grave", (0, 2, 0), (1, 3, 1)),
        ("fatal", (0, 2, 0), (0, 3, 0)),
        ("within_24h", (0, 2, 0), (2, 3, 2)),
        ("ongoing", (0, 2, 0), (1, 3, 1)),
        ("fever", (0, 2, 0), (2, 3, 2)),
        ("infection", (1, 2, 2), (0, 3, 0)),
        ("other", (0, 2, 0), (2, 3, 2)),
    ],
)
def test_children_and_events_by_hand(events, item, placebo, msc):
    """A child counts once, under what it received; events before the first infusion don't count."""
    found = safety.adverse_events(adsl(), events)
    assert of(found, item, "n", "N", "events") == [placebo, msc]


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_intervals_are_scipys(events, level):
    for row in safety.adverse_events(adsl(), events, level).itertuples():
        exact = stats.binomtest(row.n, row.N).proportion_ci(level, "exact")
        assert (row.lower, row.upper) == pytest.approx(tuple(exact))
    default = safety.adverse_events(adsl(), events)
    pd.testing.assert_frame_equal(default, safety.adverse_events(adsl(), events, 0.95))


def test_terms_by_hand(events):
    """Capitals and blanks make no other term; a term of two kinds is told apart; most children first."""
    found = safety.by_term(adsl(), events)
    assert list(dict.fromkeys(found["item"])) == ["fever", "cold (infection)", "cold (other)", "cough"]
    assert list(dict.fromkeys(found["kind"])) == ["fever", "infection", "other"]
    assert of(found, "cold (infection)", "n", "N", "events") == [(1, 2, 2), (0, 3, 0)]
    assert of(found, "fever", "n", "events") == [(0, 0), (2, 2)]
    assert found["events"].sum() == len(events)


def test_worst_severity_by_hand(events):
    found = safety.by_severity(adsl(), events)
    every = found[found["group"] == "all"]
    assert of(every, "none", "n", "events") == [(1, 0), (0, 0)]
    assert of(every, "mild", "n", "events") == [(0, 1), (1, 1)]
    assert of(every, "moderate", "n", "events") == [(1, 1), (1, 1)]
    assert of(every, "severe", "n", "events") == [(0, 0), (1, 1)]
    # m1 has a severe event as well: it counts there
    assert of(every, "not recorded", "n", "events") == [(0, 0), (0, 1)]
    related = found[found["group"] == "related"]
    assert of(related, "none", "n") == [(2,), (1,)]
    assert of(related, "severe", "n") == [(0,), (1,)]
    sums = found.groupby(["group", "arm"])[["n", "N"]].agg({"n": "sum", "N": "first"})
    assert (sums["n"] == sums["N"]).all()


def test_severities_rise_in_the_codebook_s_order():
    """Each word in turn, beside all milder ones: the worst is the last."""
    first = adae().query("USUBJID == 'm1'").iloc[[0]]
    for k, word in enumerate(SEVERITY):
        rows = pd.concat([first.assign(AESEV=word) for word in SEVERITY[: k + 1]], ignore_index=True)
        found = safety.by_severity(adsl(), safety.emergent(adsl(), rows))
        assert of(found[found["group"] == "all"], word, "n")[1] == (1,)


def test_windows_from_the_latest_infusion_by_hand(events):
    found = safety.by_time(adsl(), events)
    day = 1 / 365.25
    assert of(found, "0 to 1", "N", "n", "events") == [(2, 0, 0), (3, 2, 2)]
    # two days after each infusion: p1 has two infusions, p2 one; the others two each
    assert [years for (years,) in of(found, "0 to 1", "years")] == pytest.approx([6 * day, 12 * day])
    assert of(found, "2 to 7", "n", "events") == [(1, 1), (0, 0)]
    assert of(found, "8 to 28", "n", "events") == [(0, 0), (1, 1)]
    # p1: days 8 to 13 and 8 to 28; p2, one infusion and seen to day 99: 8 to 28
    assert of(found, "8 to 28", "years")[0][0] == pytest.approx((6 + 21 + 21) * day)
    # p2 is there until day 99: eight days of this window, 92 to 99
    assert of(found, "92 to 183", "N", "years", "events")[0] == (2, pytest.approx((92 + 8) * day), 1)
    assert of(found, "184 and later", "N", "n")[1] == (3, 1)
    # m2: seen to day 199, which is day 185 from its second infusion
    assert of(found, "184 and later", "years")[1][0] == pytest.approx((182 + 182 + 2) * day)
    total = found.groupby("arm")["years"].sum()
    assert total["Placebo"] == pytest.approx((380 + 100) * day)
    assert total["hUC-MSC"] == pytest.approx((380 + 380 + 200) * day)
    assert found["events"].sum() == len(events)
    assert of(found, "2 to 7", "rate")[0][0] == pytest.approx(1 / (12 + 6) * 365.25)


def test_rates_by_hand(events):
    found = safety.rates(adsl(), events).set_index("item")
    row = found.loc["infection"]
    # p1's first infection is on day 20, a day at risk; p2 has none in 100 days
    assert (row["placebo_n"], row["placebo_events"], row["msc_n"]) == (1, 2, 0)
    assert row["placebo_years"] * 365.25 == pytest.approx(21 + 100)
    assert row["placebo_all"] == pytest.approx(2 / 480 * 365.25)
    assert row["placebo_rate"] == pytest.approx(1 / 121 * 365.25)
    assert stats.poisson.cdf(1, row["placebo_upper"] * 121 / 365.25) == pytest.approx(0.025)
    assert (row["ratio"], row["lower"]) == (0, 0)
    fever = found.loc["fever"]
    assert fever["msc_years"] * 365.25 == pytest.approx(15 + 1 + 200)
    assert (fever["ratio"], fever["upper"]) == (np.inf, np.inf)
    assert found.loc["any", "placebo_N"] == 2


def test_exposure_by_hand(events):
    found = safety.exposure(adsl(), events)
    assert of(found, "infusions_2", "n", "N") == [(1, 2), (3, 3)]
    assert of(found, "infusions_1", "n", "N") == [(1, 2), (0, 3)]
    assert [years * 365.25 for (years,) in of(found, "years", "years")] == pytest.approx([480, 960])
    assert of(found, "months", "low", "high")[0] == pytest.approx((100 / 30.4375, 380 / 30.4375))
    assert of(found, "left", "n") == [(1,), (1,)]
    assert of(found, "left_event", "n") == [(1,), (0,)]
    assert of(found, "died", "n") == [(0,), (0,)]
    died = adae().assign(AESEV=lambda rows: rows["AESEV"].mask(rows["USUBJID"] == "m2", "fatal"))
    assert of(safety.exposure(adsl(), safety.emergent(adsl(), died)), "died", "n") == [(0,), (1,)]


def test_differences_set_the_arms_beside_each_other(events):
    found = safety.differences(safety.adverse_events(adsl(), events)).set_index("item")
    row = found.loc["infection"]
    assert (row["placebo_n"], row["placebo_N"], row["msc_n"], row["msc_N"]) == (1, 2, 0, 3)
    assert row["difference"] == pytest.approx(-50)
    expected = safety.difference_interval(1, 2, 0, 3)
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(100 * bound for bound in expected))
    assert list(found.index) == list(dict.fromkeys(safety.adverse_events(adsl(), events)["item"]))


def test_the_interval_of_differences_is_one_of_the_estimators_and_named():
    assert getattr(proportions, safety.difference_interval.__name__) is safety.difference_interval
    assert safety.DIFFERENCE[0].isupper()


def test_the_listing_and_what_stands_apart(events):
    listed = safety.listing(events)
    assert list(zip(listed["child"], listed["term"], strict=True)) == [
        ("m1", "fever"),
        ("m1", "cough"),
        ("m2", "cold"),
        ("mixed up", "fever"),
    ]
    apart = safety.before_treatment(adsl(), adae())
    assert list(zip(apart["child"], apart["term"], apart["treated"], apart["arm"], strict=True)) == [
        ("p1", "rash", True, "Placebo"),
        ("untreated", "cold", False, "hUC-MSC"),
    ]
    assert len(apart) + len(events) + 1 == len(adae())  # the impossible flag is in neither


def test_the_lanes():
    lanes = safety.lanes(adsl())
    assert lanes["child"].tolist() == ["p1", "p2", "mixed up", "m1", "m2"]
    assert lanes["second"].fillna(-1).tolist() == [14, -1, 14, 14, 14]
    assert lanes["end"].tolist() == [379, 99, 379, 379, 199]


def test_nobody_treated_gives_no_interval():
    nobody = adsl().assign(SAFFL="N", TRT01A=None, NINFUS=0.0)
    events = safety.emergent(nobody, adae())
    found = safety.adverse_events(nobody, events)
    assert (found[["n", "N", "events"]] == 0).all(axis=None)
    assert found[["lower", "upper"]].isna().all(axis=None)
    assert safety.differences(found)[["difference", "lower", "upper"]].isna().all(axis=None)
    assert safety.no_event_excludes(nobody)[["upper", "upper_one_sided", "unseen_0.05"]].isna().all(axis=None)
    assert safety.least_difference(nobody).empty
    assert (safety.by_time(nobody, events)["N"] == 0).all()
    assert safety.rates(nobody, events)[["placebo_rate", "msc_rate", "ratio", "lower"]].isna().all(axis=None)
    for frame in (safety.by_term(nobody, events), safety.listing(events), safety.lanes(nobody)):
        assert frame.empty


def test_no_event_at_all():
    events = safety.emergent(adsl(), adae().iloc[:0])
    found = safety.adverse_events(adsl(), events)
    assert (found["events"] == 0).all()
    assert set(found.loc[found["arm"] == "hUC-MSC", "N"]) == {3}
    assert safety.differences(safety.by_term(adsl(), events)).empty
    assert of(safety.by_severity(adsl(), events).query("group == 'all'"), "none", "n") == [(2,), (3,)]
    assert safety.rates(adsl(), events)[["ratio", "lower", "upper"]].isna().all(axis=None)


def test_what_no_event_excludes_is_the_exact_rule_of_three():
    """0 of n: the upper bound solves (1 - u)^n = tail."""
    found = safety.no_event_excludes(adsl()).set_index(["group", "arm"])
    for group, arm, n in (
        ("any infusion", "Placebo", 2),
        ("any infusion", "hUC-MSC", 3),
        ("both infusions", "Placebo", 1),
        ("both infusions", "hUC-MSC", 3),
    ):
        row = found.loc[(group, arm)]
        assert row["N"] == n
        assert (1 - row["upper"]) ** n == pytest.approx(0.025)
        assert (1 - row["upper_one_sided"]) ** n == pytest.approx(0.05)
        assert row["unseen_0.1"] == pytest.approx(stats.binom.pmf(0, n, 0.1))
    other = safety.no_event_excludes(adsl(), 0.9).set_index(["group", "arm"])
    assert (1 - other.loc[("any infusion", "hUC-MSC"), "upper_one_sided"]) ** 3 == pytest.approx(0.1)


def many(n0: int, n1: int) -> pd.DataFrame:
    arms = ["Placebo"] * n0 + ["hUC-MSC"] * n1
    return pd.DataFrame(
        {"USUBJID": range(n0 + n1), "SAFFL": "Y", "TRT01A": np.array(arms, object), "NINFUS": 2.0}
    )


@pytest.mark.parametrize(("n0", "n1"), [(20, 20), (18, 21), (7, 9)])
def test_the_least_difference_is_the_first_whose_interval_leaves_out_zero(n0, n1):
    (row,) = safety.least_difference(many(n0, n1)).to_dict("records")
    assert (row["placebo_n"], row["placebo_N"], row["msc_N"]) == (0, n0, n1)
    lowers = safety.difference_interval(0, n0, np.arange(n1 + 1), n1)[0]
    assert next(x for x, lower in enumerate(lowers) if lower > 0) == row["msc_n"]
    assert row["lower"] == pytest.approx(100 * lowers[row["msc_n"]])


def test_an_arm_of_one_child_can_show_nothing():
    assert safety.least_difference(many(1, 1)).empty
