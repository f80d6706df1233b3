"""Survival estimators against R (data/reference/r), lifelines, statsmodels, published data and properties."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.estimators import survival

R = Path(__file__).parents[2] / "data" / "reference" / "r"

PUBLISHED = R.parent / "published"

# Freireich et al. (1963), Blood 21:699-716, as in Cox (1972): weeks of remission, 6-MP and placebo.
WEEKS = pd.read_csv(PUBLISHED / "leukaemia.csv")
SIX_MP, SIX_MP_EVENT = (WEEKS.loc[WEEKS["treatment"] == "6-MP", c].tolist() for c in ("weeks", "event"))
PLACEBO = WEEKS.loc[WEEKS["treatment"] == "placebo", "weeks"].tolist()


def read(name):
    return pd.read_csv(R / name, float_precision="round_trip")


@pytest.fixture(scope="module")
def r_values():
    return read("r_values.csv").set_index("key")["value"]


@pytest.fixture(scope="module")
def tte():
    return read("tte.csv")


@pytest.mark.parametrize("arm", [0, 1])
def test_kaplan_meier_and_median_equal_r(tte, r_values, arm):
    child = tte[tte["arm"] == arm]
    ours = survival.kaplan_meier(child["time"], child["event"])
    theirs = read("r_km.csv").query("arm == @arm and conf == 'log-log'")
    for column, name in (("time", "time"), ("n_risk", "n"), ("n_event", "d"), ("survival", "surv")):
        np.testing.assert_allclose(ours[column], theirs[name], rtol=1e-12)
    for column in ("lower", "upper"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-10)
    median = survival.median(child["time"], child["event"])
    expected = [r_values[f"km.median.log-log.arm{arm}.{k}"] for k in (1, 2, 3)]
    np.testing.assert_allclose([median.estimate, median.lower, median.upper], expected, rtol=1e-12)
    assert bool(median.message) == bool(np.isnan(expected).any())


def test_published_leukaemia_data():
    # Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure Time Data: medians 23 and 8.
    assert survival.median(SIX_MP, SIX_MP_EVENT).estimate == 23
    assert survival.median(PLACEBO, np.ones(21)).estimate == 8
    table = survival.kaplan_meier(SIX_MP, SIX_MP_EVENT).set_index("time")
    assert table.loc[[6, 7, 10, 13, 16, 22, 23], "survival"].round(4).tolist() == [
        0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482,
    ]  # fmt: skip
    test = survival.logrank(SIX_MP + PLACEBO, SIX_MP_EVENT + [1] * 21, [0] * 21 + [1] * 21)
    assert test.statistic == pytest.approx(16.79, abs=0.005)
    assert test.expected == pytest.approx((19.25, 10.75), abs=0.005)


def test_plateau_at_one_half_is_its_midpoint():
    assert survival.median([1, 2, 3, 4], [1, 1, 1, 1]).estimate == 2.5
    # R's quantile.survfit: a plateau that lasts to the end of follow-up gives (2 + 7) / 2.
    assert survival.median([1, 2, 3, 7], [1, 1, 0, 0]).estimate == 4.5


def test_at_risk_means_just_before():
    table = survival.at_risk_table([1, 2, 2, 3, 5], [1, 1, 0, 0, 1], [0, 2, 3, 6])
    assert table["n_risk"].tolist() == [5, 4, 2, 0]
    assert table["n_event"].tolist() == [0, 2, 2, 3]
    assert table["n_censor"].tolist() == [0, 1, 2, 2]


def test_logrank_equals_r(tte, r_values):
    ours = survival.logrank(tte["time"], tte["event"], tte["arm"])
    assert ours.statistic == pytest.approx(r_values["logrank.chisq"], rel=1e-10)
    assert ours.p == pytest.approx(r_values["logrank.p"], rel=1e-10)
    assert ours.observed == (r_values["logrank.O.1"], r_values["logrank.O.2"])
    assert ours.expected == pytest.approx((r_values["logrank.E.1"], r_values["logrank.E.2"]), rel=1e-10)


def test_rmst_equals_survrm2(tte, r_values):
    tau = r_values["rmst.tau"]
    for arm in (0, 1):
        child = tte[tte["arm"] == arm]
        ours = survival.rmst(child["time"], child["event"], tau)
        assert ours.estimate == pytest.approx(r_values[f"rmst.arm{arm}"], rel=1e-12)
        assert ours.se == pytest.approx(r_values[f"rmst.se.arm{arm}"], rel=1e-12)
    d = survival.rmst_difference(tte["time"], tte["event"], tte["arm"], tau)
    expected = [r_values[f"rmst.diff.{k}"] for k in (1, 2, 3, 4)]
    assert [d.estimate, d.lower, d.upper, d.p] == pytest.approx(expected, rel=1e-10)


def test_rmst_without_censoring_is_the_mean_of_the_restricted_times():
    time = np.array([1.0, 2, 4, 7, 9])
    ours = survival.rmst(time, np.ones(5), 8)
    restricted = np.minimum(time, 8)
    assert ours.estimate == pytest.approx(restricted.mean())
    assert ours.se == pytest.approx(restricted.std() / np.sqrt(5))


def test_cumulative_difference_is_greenwood_of_both_arms(tte):
    km = read("r_km.csv").query("conf == 'log-log' and time <= 11.9").groupby("arm").last()
    ours = survival.cumulative_difference(tte["time"], tte["event"], tte["arm"], 11.9)
    assert ours.estimate == pytest.approx(km["surv"][0] - km["surv"][1], rel=1e-12)
    assert ours.se == pytest.approx(np.hypot(km["se"][0], km["se"][1]), rel=1e-10)
    mover = survival.cumulative_difference(tte["time"], tte["event"], tte["arm"], 11.9, method="log-log")
    s, low, high = km["surv"], km["lower"], km["upper"]
    # MOVER on cumulative incidence 1 - S with R's log-log limits.
    assert mover.lower == pytest.approx(s[0] - s[1] - np.hypot(high[1] - s[1], s[0] - low[0]), rel=1e-10)
    assert mover.upper == pytest.approx(s[0] - s[1] + np.hypot(s[1] - low[1], high[0] - s[0]), rel=1e-10)


UGLY = {
    "no events": ([1, 2, 3, 4], [0, 0, 0, 0], [0, 0, 1, 1]),
    "one child in an arm": ([1, 2, 3, 4], [1, 1, 0, 1], [0, 0, 0, 1]),
    "nobody in an arm": ([1, 2, 3, 4], [1, 1, 0, 1], [0, 0, 0, 0]),
    "all missing": ([np.nan] * 4, [0, 1, 0, 1], [0, 0, 1, 1]),
    "no children": ([], [], []),
    "all events at the first visit": ([1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1]),
    "all at time zero": ([0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]),
}


@pytest.mark.parametrize("name", UGLY)
def test_ugly_data_answers_in_words(name):
    time, event, arm = (np.array(v) for v in UGLY[name])
    event, arm = event.astype(int), arm.astype(int)
    results = [
        survival.median(time, event),
        survival.rmst(time, event, 3),
        survival.rmst_difference(time, event, arm, 3),
        survival.cumulative_difference(time, event, arm, 2),
        survival.cumulative_difference(time, event, arm, 2, method="log-log"),
        survival.logrank(time, event, arm),
    ]
    for result in results:
        first = result.statistic if isinstance(result, survival.LogRank) else result.estimate
        interval_missing = not isinstance(result, survival.LogRank) and np.isnan(result.upper)
        if np.isnan(first) or interval_missing:
            assert result.message, (name, result)
    assert survival.kaplan_meier(time, event).attrs["message"] == (
        "" if np.isfinite(time).any() else "no child with a time"
    )
    assert len(survival.at_risk_table(time, event, [0, 1, 2])) == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: survival.kaplan_meier([1, 2], [0, 2]), "event must be 0 or 1"),
        (lambda: survival.kaplan_meier([1, -2], [0, 1]), "time must be finite and not negative"),
        (lambda: survival.kaplan_meier([1, 2], [1]), "one length"),
        (lambda: survival.logrank([1, 2], [1, 1], [1, 2]), "arm must be 0 or 1"),
        (lambda: survival.rmst([1, 2], [1, 1], -1), "tau must be positive"),
        (lambda: survival.cumulative_difference([1], [1], [1], 1, method="x"), "method"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def children(least=4):
    child = st.tuples(st.integers(1, 9), st.integers(0, 1), st.integers(0, 1))
    return st.lists(child, min_size=least, max_size=20).map(lambda rows: np.array(rows).T)


@settings(max_examples=25, deadline=None)
@given(children(), st.randoms(use_true_random=False))
def test_arm_order_row_order_scale_and_children_censored_at_zero(rows, shuffler):
    time, event, arm = rows[0].astype(float), rows[1], rows[2]
    order = list(range(len(time)))
    shuffler.shuffle(order)
    zero = tuple(np.append(values, extra) for values, extra in ((time, 0.0), (event, 0), (arm, 1)))

    def numbers(t, e, a, scale=1.0):
        d = survival.rmst_difference(t, e, a, 3 * scale)
        c = survival.cumulative_difference(t, e, a, 3 * scale)
        m = survival.median(t, e)
        test = survival.logrank(t, e, a)
        return np.array(
            [d.estimate / scale, d.se / scale, c.estimate, c.se, test.statistic, m.estimate / scale]
        )

    base = numbers(time, event, arm)
    np.testing.assert_allclose(numbers(time[order], event[order], arm[order]), base, atol=1e-9)
    np.testing.assert_allclose(numbers(time * 7, event, arm, 7.0), base, atol=1e-9)
    mirrored = numbers(time, event, 1 - arm)
    np.testing.assert_allclose(mirrored * [-1, 1, -1, 1, 1, 1], base, atol=1e-9)
    assume((arm == 1).any())
    np.testing.assert_allclose(numbers(*zero), base, atol=1e-9)


# therneau/survival#273: 0.3 and 0.1 + 0.2, 0.7 and 0.1 * 7 are one time each on paper; R's survfit merges them.
ROUNDED = np.array([0.3, 0.1 + 0.2, 0.3, 0.7, 0.1 * 7, 1.0])
EXACT = np.array([0.3, 0.3, 0.3, 0.7, 0.7, 1.0])


@pytest.mark.parametrize("unit", [1.0, 365.25, 1e-3])
def test_times_that_differ_by_rounding_are_ties(unit):
    table = survival.kaplan_meier(ROUNDED * unit, [1] * 6)
    np.testing.assert_allclose(table["time"], np.array([0.3, 0.7, 1.0]) * unit, rtol=1e-12)
    assert table["n_risk"].tolist() == [6, 3, 1]
    assert table["n_event"].tolist() == [3, 2, 1]
    np.testing.assert_allclose(table["survival"], [1 / 2, 1 / 6, 0], atol=1e-12)
    counted = survival.at_risk_table(np.array([0.1 + 0.2, 0.3, 0.5]) * unit, [1, 1, 1], [0.3 * unit])
    assert counted[["n_risk", "n_event"]].to_numpy().tolist() == [[3, 2]]


def test_rounding_changes_no_estimator_of_time():
    event, arm = [1, 1, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1]
    for tie, other in ((EXACT, ROUNDED), (ROUNDED, EXACT)):
        assert survival.logrank(tie, event, arm) == survival.logrank(other, event, arm)
        # field by field: two estimates with a NaN in them are not equal as a whole from Python 3.13 on
        np.testing.assert_equal(asdict(survival.median(tie, event)), asdict(survival.median(other, event)))
    for at in (0.3, 0.1 + 0.2, 0.7, 0.1 * 7):
        exact = survival.cumulative_difference(EXACT, event, arm, round(at, 6))
        rounded = survival.cumulative_difference(ROUNDED, event, arm, at)
        assert rounded.estimate == pytest.approx(exact.estimate, abs=1e-12, nan_ok=True)
        assert rounded.se == pytest.approx(exact.se, abs=1e-12, nan_ok=True)
        exact = survival.rmst_difference(EXACT, event, arm, round(at, 6))
        rounded = survival.rmst_difference(ROUNDED, event, arm, at)
        assert rounded.estimate == pytest.approx(exact.estimate, abs=1e-12, nan_ok=True)
        assert rounded.se == pytest.approx(exact.se, abs=1e-12, nan_ok=True)
        assert rounded.message == exact.message
    # one event of two by 0.3 in each arm: SE sqrt(2 x .5 x .5 / 2) is .5, and .354 each
    pair = survival.cumulative_difference([0.1 + 0.2, 0.5, 0.3, 0.6], [1] * 4, [0, 0, 1, 1], 0.3)
    assert (pair.estimate, pair.se) == pytest.approx((0.0, 0.5))


def test_measured_gaps_are_no_ties():
    # one minute in ten years
    table = survival.kaplan_meier([1.0, 1.0 + 1 / 1440, 3652.0], [1, 1, 1])
    assert len(table) == 3
