"""Between visits: where nobody missed a visit everything is a binomial share, whose bootstrap is known."""

import numpy as np
import pandas as pd
import pytest
from hand_made import MONTHS, adtte
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from helpers.analysis import adam, between_visits
from helpers.estimators import discrete_time, interval_censored, survival
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

FORTY = [(2, True)] * 8 + [(6, True)] * 8 + [(11, False)] * 24
TWENTY = [(1, True)] * 5 + [(11, True)] * 5 + [(11, False)] * 10


def test_without_a_gap_the_estimate_is_the_share_that_remitted():
    found = between_visits.interval_curve(adtte(FORTY, TWENTY), "UPCRC", seed=1, resamples=20)
    placebo, msc = (found[found["arm"] == arm] for arm in ARMS)
    assert placebo["estimate"].tolist() == pytest.approx([0] + [0.2] * 4 + [0.4] * 6)
    assert msc["estimate"].tolist() == pytest.approx([0.25] * 10 + [0.5])
    # Kaplan-Meier beside it says the same, and is read at the visit itself
    assert found["kaplan_meier"].tolist() == pytest.approx(found["estimate"].tolist())
    assert found["visit"].tolist() == [v.name for v in VISITS] * 2
    assert found["time"].tolist() == list(MONTHS[1:]) * 2
    assert placebo["n"].eq(40).all()
    assert msc["n"].eq(20).all()


def test_the_band_is_wilson_s_where_nobody_missed_a_visit():
    """The share in a resample of n children is binomial, so that the effective number is that of the children."""
    found = between_visits.interval_curve(adtte(FORTY, TWENTY), "UPCRC", seed=1, resamples=20_000)
    for arm, n, visit, share in (("Placebo", 40, 11, 0.4), ("Placebo", 40, 2, 0.2), ("hUC-MSC", 20, 11, 0.5)):
        row = found[(found["arm"] == arm) & (found["time"] == MONTHS[visit])].iloc[0]
        ends = proportion_confint(share * n, n, method="wilson")
        assert [row["lower"], row["upper"]] == pytest.approx(list(ends), abs=4e-3)


def test_where_no_resample_differs_the_band_is_that_of_the_children_seen():
    found = between_visits.interval_curve(adtte(FORTY, [(11, False)] * 5), "UPCRC", seed=1)
    assert found["resamples"].eq(between_visits.RESAMPLES).all()
    assert found["spread_se"].iloc[0] == pytest.approx(100 / np.sqrt(2 * 499))
    placebo, msc = (found[found["arm"] == arm] for arm in ARMS)
    within = placebo.iloc[1:]
    assert ((within["lower"] < within["estimate"]) & (within["estimate"] < within["upper"])).all()
    for rows, n in ((placebo.iloc[:1], 40), (msc, 5)):
        assert rows["lower"].to_numpy() == pytest.approx(0, abs=1e-12)
        assert rows["upper"].to_numpy() == pytest.approx(proportion_confint(0, n, method="wilson")[1])
    assert msc["note"].str.contains("no events").all()


def test_the_band_follows_the_seed_and_each_arm_has_its_own_stream():
    twins = adtte(TWENTY, TWENTY)
    one, again, other = (between_visits.interval_curve(twins, "UPCRC", seed=s) for s in (7, 7, 8))
    pd.testing.assert_frame_equal(one, again)
    assert not one["upper"].equals(other["upper"])
    placebo, msc = (one.loc[one["arm"] == arm, "upper"].to_numpy() for arm in ARMS)
    assert not np.allclose(placebo, msc)


def test_a_missed_visit_leaves_the_remission_in_the_longer_interval():
    """Two children: one seen at each visit, one who missed Weeks 4 to 8, found in remission at Month 3."""
    table = adtte([(5, True), (11, False)], [])
    table.loc[0, "LMONTH"] = MONTHS[1]
    found = between_visits.interval_curve(table, "UPCRC", seed=1, resamples=20)
    placebo = found[found["arm"] == "Placebo"]
    assert placebo["estimate"].tolist() == pytest.approx([0] * 4 + [0.5] * 7)
    left, right = table["LMONTH"], table["RMONTH"].fillna(np.inf)
    assert interval_censored.npmle(left, right).table["left"].tolist() == [MONTHS[1], MONTHS[11]]


def test_intervals_that_cannot_be_are_said_and_children_without_any_too():
    wrong = adtte(FORTY, TWENTY)
    wrong.loc[0, "LMONTH"] = wrong.loc[0, "RMONTH"] + 1
    found = between_visits.interval_curve(wrong, "UPCRC", seed=1, resamples=20)
    placebo, msc = (found[found["arm"] == arm] for arm in ARMS)
    assert placebo[["estimate", "lower", "upper"]].isna().all(axis=None)
    assert placebo["note"].str.startswith("intervals can't be used").all()
    assert msc["estimate"].notna().all()
    none = between_visits.interval_curve(adtte([], TWENTY), "UPCRC", seed=1, resamples=20)
    placebo = none[none["arm"] == "Placebo"]
    assert placebo[["estimate", "kaplan_meier"]].isna().all(axis=None)
    assert placebo["n"].eq(0).all()


def contrast(table, quantity):
    found = between_visits.contrasts(table, ["UPCRC"])
    return found[found["quantity"] == quantity].iloc[0]


def test_difference_at_month_12_takes_month_12_in():
    row = contrast(adtte(FORTY, TWENTY), "month12_difference")
    assert (row["placebo_N"], row["msc_N"]) == (40, 20)
    assert row["estimate"] == pytest.approx(100 * (0.5 - 0.4))
    assert row["lower"] < row["estimate"] < row["upper"]


def test_restricted_mean_is_the_area_to_month_12():
    row = contrast(adtte(FORTY, TWENTY), "rmst_difference")
    placebo = (8 * MONTHS[2] + 8 * MONTHS[6] + 24 * MONTHS[11]) / 40
    msc = (5 * MONTHS[1] + 15 * MONTHS[11]) / 20
    assert row["estimate"] == pytest.approx(msc - placebo)
    # without censoring before the end Greenwood's variance is that of a mean, over n
    spread = [np.var([min(MONTHS[v], MONTHS[11]) for v, _ in arm]) / len(arm) for arm in (FORTY, TWENTY)]
    half = stats.norm.ppf(0.975) * np.sqrt(sum(spread))
    assert [row["lower"], row["upper"]] == pytest.approx([msc - placebo - half, msc - placebo + half])


def test_hazard_ratio_is_that_of_a_person_period_table_written_out():
    row = contrast(adtte(FORTY, TWENTY), "hazard_ratio")
    rows = [
        (int(remitted and k == visit), arm, np.log(MONTHS[k]))
        for arm, children in enumerate((FORTY, TWENTY))
        for visit, remitted in children
        for k in range(1, visit + 1)
    ]
    y, arm, log_month = map(np.array, zip(*rows, strict=True))
    expected = discrete_time.discrete_hazard_ratio(y, arm, log_month)
    assert [row["estimate"], row["lower"], row["upper"]] == pytest.approx(
        [expected.ratio, expected.lower, expected.upper], rel=1e-6
    )


def test_times_of_no_visit_have_no_discrete_time_model():
    table = adtte(FORTY, TWENTY)
    table.loc[0, "AVAL"] = 1.0
    assert contrast(table, "hazard_ratio")["note"] == "times that are no visit's: no discrete-time model"
    assert np.isnan(contrast(table, "hazard_ratio")["estimate"])
    assert np.isfinite(contrast(table, "rmst_difference")["estimate"])


def test_arms_swapped_turn_every_contrast():
    one, two = (
        between_visits.contrasts(table, ["UPCRC"]) for table in (adtte(FORTY, TWENTY), adtte(TWENTY, FORTY))
    )
    for a, b in zip(one.to_dict("records"), two.to_dict("records"), strict=True):
        turn = (lambda v: 1 / v) if a["quantity"] == "hazard_ratio" else (lambda v: -v)
        expected = [turn(a["estimate"]), turn(a["upper"]), turn(a["lower"])]
        assert [b["estimate"], b["lower"], b["upper"]] == pytest.approx(expected, rel=1e-4)


def test_contrasts_of_the_base_trial_are_the_estimators_own():
    table = load("base").read("adtte")
    rows = adam.events(table, "UPCRC")
    found = between_visits.contrasts(table).iloc[:2]
    time, event, arm = rows["time"], rows["event"], rows["arm"]
    share = survival.cumulative_difference(time, event, arm, MONTHS[10], method="log-log")
    mean = survival.rmst_difference(time, event, arm, MONTHS[10])
    assert found["estimate"].tolist() == pytest.approx([100 * share.estimate, mean.estimate], rel=1e-5)
    assert found["lower"].tolist() == pytest.approx([100 * share.lower, mean.lower], rel=1e-5)
    assert found["upper"].tolist() == pytest.approx([100 * share.upper, mean.upper], rel=1e-5)
