"""Survival estimators against R (data/reference/r), lifelines, statsmodels, published data and properties."""

from pathlib import Path

import lifelines
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines.statistics import logrank_test
from scipy import optimize, stats

from helpers.analysis import survival

R = Path(__file__).parents[2] / "data" / "reference" / "r"

# Freireich et al. (1963), Blood 21:699-716, as in Cox (1972): weeks of remission, 6-MP and placebo; + is censored.
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_EVENT = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]


def read(name):
    return pd.read_csv(R / name, float_precision="round_trip")


@pytest.fixture(scope="module")
def r_values():
    return read("r_values.csv").set_index("key")["value"]


@pytest.fixture(scope="module")
def tte():
    return read("tte.csv")


def random_children(seed, n=40, ties=True):
    rng = np.random.default_rng(seed)
    time = rng.integers(1, 12, n).astype(float) if ties else rng.exponential(5, n)
    return time, rng.integers(0, 2, n), rng.permutation(np.arange(n) % 2)


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


@pytest.mark.parametrize("arm", [0, 1])
def test_npmle_equals_npsurv(tte, r_values, arm):
    child = tte[tte["arm"] == arm]
    ours = survival.npmle(child["left"], child["right"])
    theirs = read("r_npmle.csv").query("arm == @arm")
    assert ours.table["left"].tolist() == theirs["left"].tolist()
    assert ours.table["right"].tolist() == theirs["right"].tolist()
    np.testing.assert_allclose(ours.table["probability"], theirs["p"], atol=2e-9)
    assert ours.log_likelihood == pytest.approx(r_values[f"npmle.ll.arm{arm}"], rel=1e-12)
    assert ours.message == ""


def test_npmle_intervals_are_half_open():
    # (0, 2] and (2, 4] share only their end: closed intervals would collapse to a point mass at 2.
    fit = survival.npmle([0, 2], [2, 4])
    assert fit.table["probability"].tolist() == [0.5, 0.5]
    assert fit.survival([0, 1.9, 2, 4]).tolist() == [1, 1, 0.5, 0]


def test_npmle_recovers_visit_truth_where_lifelines_default_does_not():
    # TRAPS.md: visits 0, 4, 12, 24, 36, 48, exponential truth, S(24) = .449, S(48) = .202.
    rng = np.random.default_rng(7)
    visits = np.array([0, 4, 12, 24, 36, 48, np.inf])
    k = np.searchsorted(visits, rng.exponential(30, 20_000), side="left")
    fit = survival.npmle(visits[k - 1], visits[k])
    np.testing.assert_allclose(fit.survival([24, 48]), np.exp(-np.array([24, 48]) / 30), atol=0.012)


def test_npmle_maximises_the_likelihood_against_a_general_optimiser():
    rng = np.random.default_rng(3)
    grid = np.array([0, 1, 2, 3, 5, 8, np.inf])
    a, b = np.sort(np.array([rng.choice(7, 2, replace=False) for _ in range(25)]), axis=1).T
    left, right = grid[a], grid[b]
    members = ((left[:, None] <= grid[:-1]) & (grid[1:] <= right[:, None])).astype(float)

    def negative(z):
        p = np.exp(z - z.max())
        return -np.log(members @ (p / p.sum())).sum()

    best = min(
        optimize.minimize(negative, rng.normal(size=6), method="Nelder-Mead", options={"maxiter": 20000}).fun
        for _ in range(3)
    )
    ours = survival.npmle(left, right).log_likelihood
    assert ours >= -best - 1e-9
    assert ours == pytest.approx(-best, abs=1e-3)


def test_npmle_published_breast_cosmesis():
    # Finkelstein & Wolfe (1985), Biometrics 41:933-945, radiotherapy alone; NPMLE as in R's interval package vignette
    # (Fay & Shaw 2010, J Stat Softw 36(2)): mass on (4,5], (6,7], (7,8], (11,12], (24,25], (33,34], (38,40], (46,48].
    left = [45, 6, 0, 46, 46, 7, 17, 7, 37, 0, 4, 15, 11, 22, 46, 46, 25, 46, 26, 46, 27, 36, 46, 36, 37, 40, 17, 46,
            11, 38, 5, 37, 0, 18, 24, 36, 5, 19, 17, 24, 32, 33, 19, 37, 34, 36]  # fmt: skip
    ends = {1: 10, 2: 7, 5: 16, 7: 14, 8: 44, 9: 8, 10: 11, 12: 15, 16: 37, 18: 40, 20: 34, 21: 44, 23: 48, 26: 25,
            28: 18, 30: 12, 32: 5, 36: 11, 37: 35, 38: 25, 42: 26}  # fmt: skip
    right = [ends.get(k, np.inf) for k in range(46)]
    fit = survival.npmle(left, right)
    likely = fit.table[fit.table["probability"] > 1e-4]
    expected = {(4, 5): 0.0463, (6, 7): 0.0334, (7, 8): 0.0887, (11, 12): 0.0708, (24, 25): 0.0926}
    expected |= {(33, 34): 0.0818, (38, 40): 0.1209, (46, 48): 0.4656}
    assert list(zip(likely["left"], likely["right"], strict=True)) == list(expected)
    np.testing.assert_allclose(likely["probability"], list(expected.values()), atol=6e-5)


def test_bootstrap_resamples_children_as_a_plain_loop_does(tte):
    child = tte[tte["arm"] == 1]
    grid = np.unique(tte["time"])
    band = survival.npmle_bootstrap(child["left"], child["right"], grid, 500, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    curves = []
    for _ in range(500):
        again = child.sample(len(child), replace=True, random_state=rng)
        curves.append(survival.npmle(again["left"], again["right"], 1e-6).survival(grid))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(band["lower"], low, atol=0.06)
    np.testing.assert_allclose(band["upper"], high, atol=0.06)
    assert (band["lower"] <= band["estimate"]).all()
    assert (band["estimate"] <= band["upper"]).all()
    again = survival.npmle_bootstrap(child["left"], child["right"], grid, 500, np.random.default_rng(1))
    pd.testing.assert_frame_equal(band, again)


def test_person_period_equals_r(tte):
    long = read("long.csv")
    seen = long[long["visitn"] > 0].pivot(index="id", columns="visitn", values="upcr").notna().to_numpy()
    grid = long[long["visitn"] > 0].groupby("visitn")["month"].first().to_numpy()
    ours = survival.person_period(tte["time"], tte["event"], tte["arm"], grid, attended=seen)
    theirs = read("person_period.csv")
    for mine, r in (("time", "month"), ("y", "y"), ("arm", "arm")):
        np.testing.assert_array_equal(ours[mine], theirs[r])
    np.testing.assert_array_equal(ours["child"] + 1, theirs["id"])


def test_discrete_hazard_without_penalty_equals_r_and_statsmodels(r_values):
    rows = read("person_period.csv")
    ours = survival.discrete_hazard_ratio(
        rows["y"], rows["arm"], np.log(rows["month"]), firth=False, interval="wald"
    )
    expected = [r_values[f"cloglog.coef.{k}"] for k in (2, 1, 3)]
    # R stops at a relative change of deviance of 1e-8: 7 digits of the coefficients, 5 of the standard error.
    assert ours.coefficients == pytest.approx(expected, rel=1e-7)
    assert ours.se == pytest.approx(r_values["cloglog.se.2"], rel=1e-5)
    x = sm.add_constant(np.column_stack([rows["arm"], np.log(rows["month"])]))
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    glm = sm.GLM(rows["y"], x, family=family).fit(tol=1e-14)
    assert [ours.log_ratio, ours.se] == pytest.approx([glm.params["x1"], glm.bse["x1"]], rel=1e-10)


def test_discrete_hazard_with_visit_indicators_equals_r(r_values):
    rows = read("person_period.csv")
    visits = (rows["visitn"].to_numpy()[:, None] == np.unique(rows["visitn"])[1:]).astype(float)
    ours = survival.discrete_hazard_ratio(rows["y"], rows["arm"], visits, firth=False, interval="wald")
    assert [ours.log_ratio, ours.se] == pytest.approx(
        [r_values["cloglog.sat.arm.1"], r_values["cloglog.sat.arm.2"]], rel=1e-6
    )
    assert "period without events" in ours.message


def test_firth_maximises_the_jeffreys_penalised_likelihood():
    """A general optimiser on the definition, and the profile limits on its level set."""
    rows = read("person_period.csv")
    y, z = rows["y"].to_numpy() * rows["arm"].to_numpy(), np.log(rows["month"])
    x = np.column_stack([rows["arm"], np.ones(len(rows)), z])

    def negative(beta):
        eta = np.clip(x @ beta, -50, 5)
        mu = -np.expm1(-np.exp(eta))
        weight = np.exp(2 * eta) * np.exp(-np.exp(eta)) / mu
        value = stats.bernoulli.logpmf(y, mu).sum() + 0.5 * np.linalg.slogdet((x.T * weight) @ x)[1]
        return -value

    best = optimize.minimize(
        negative, [1, -3, 0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    ours = survival.discrete_hazard_ratio(y, rows["arm"], z)
    assert ours.coefficients == pytest.approx(best.x, abs=1e-5)
    assert np.isfinite([ours.lower, ours.upper]).all()
    for limit in (ours.lower, ours.upper):
        held = optimize.minimize(
            lambda rest, limit=limit: negative([np.log(limit), *rest]), best.x[1:], method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-11},
        )  # fmt: skip
        assert 2 * (held.fun - best.fun) == pytest.approx(3.841459, abs=1e-4)
    bare = survival.discrete_hazard_ratio(y, rows["arm"], z, firth=False)
    assert np.isnan(bare.ratio)
    assert "no finite estimate" in bare.message


@pytest.mark.parametrize("seed", range(5))
def test_count_kernels_equal_lifelines(seed):
    time, event, arm = random_children(seed)
    last = time.astype(int) - 1
    risk, events = survival.grouped_counts(last[None], event[None], 11)
    curve, variance = survival.kaplan_meier_counts(risk, events)
    fit = lifelines.KaplanMeierFitter().fit(time, event)
    seen = np.arange(1, int(time.max()) + 1)
    np.testing.assert_allclose(curve[0, : len(seen)], fit.predict(seen), atol=1e-12)
    ours = survival.rmst(time, event, 5.0)
    greenwood = np.sqrt(variance[0, 4])
    assert ours.estimate == pytest.approx(1 + curve[0, :4].sum(), abs=1e-12)
    d, n = events[0, :5], risk[0, :5]
    assert greenwood == pytest.approx(curve[0, 4] * np.sqrt((d / (n * (n - d))).sum()), abs=1e-12)
    arms = [survival.grouped_counts(last[arm == a][None], event[arm == a][None], 11) for a in (0, 1)]
    statistic, p = survival.logrank_counts(*arms[0], *arms[1])
    test = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])
    assert statistic[0] == pytest.approx(test.test_statistic, abs=1e-12)
    assert p[0] == pytest.approx(test.p_value, abs=1e-12)


def test_grouped_counts_by_hand():
    risk, events = survival.grouped_counts(np.array([[0, 2, 2, -1]]), np.array([[1, 1, 0, 0]]), 3)
    assert risk.tolist() == [[3, 2, 2]]
    assert events.tolist() == [[1, 0, 1]]


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


def test_ugly_intervals_answer_in_words():
    nobody = survival.npmle([], [])
    assert nobody.message == "no child with an interval"
    assert np.isnan(nobody.survival([1.0])).all()
    none = survival.npmle([5, 8], [np.inf, np.inf])
    assert "no events" in none.message
    assert none.survival([3, 100]).tolist() == [1, 1]
    missing = survival.npmle([0, np.nan, 2], [1, 3, np.inf])
    assert "1 without an interval" in missing.message
    band = survival.npmle_bootstrap([np.nan], [np.nan], [1, 2], 10, np.random.default_rng(0))
    assert band["lower"].isna().all()
    assert band.attrs["message"]
    first = survival.npmle([0, 0, 0], [1, 1, 1])
    assert first.survival([1]).tolist() == [0]


def test_ugly_person_periods_answer_in_words():
    for y, arm in (([0, 0], [0, 1]), ([1, 1], [0, 1]), ([], []), ([0, 1], [1, 1])):
        result = survival.discrete_hazard_ratio(np.array(y, int), np.array(arm, int))
        assert np.isnan(result.ratio)
        assert result.message


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: survival.kaplan_meier([1, 2], [0, 2]), "event must be 0 or 1"),
        (lambda: survival.kaplan_meier([1, -2], [0, 1]), "time must be finite and not negative"),
        (lambda: survival.kaplan_meier([1, 2], [1]), "one length"),
        (lambda: survival.logrank([1, 2], [1, 1], [1, 2]), "arm must be 0 or 1"),
        (lambda: survival.rmst([1, 2], [1, 1], -1), "tau must be positive"),
        (lambda: survival.npmle([2], [2]), "left < right"),
        (lambda: survival.cumulative_difference([1], [1], [1], 1, method="x"), "method"),
        (lambda: survival.kaplan_meier_counts([3], [4]), "n_event <= n_risk"),
        (lambda: survival.grouped_counts(np.array([5]), np.array([1]), 3), "last must be"),
        (lambda: survival.person_period([1.5], [1], [0], [1, 2]), "grid"),
        (lambda: survival.discrete_hazard_ratio([0, 1], [0, 1, 1]), "rows"),
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


@settings(deadline=None)
@given(children(), st.randoms(use_true_random=False), st.floats(0.1, 50))
def test_npmle_order_scale_and_children_without_information(rows, shuffler, scale):
    left = rows[0] - 1.0
    right = np.where(rows[1] == 1, left + 1 + rows[2], np.inf)
    fit = survival.npmle(left, right)
    assert fit.table["probability"].sum() == pytest.approx(1)
    order = list(range(len(left)))
    shuffler.shuffle(order)
    same = survival.npmle(left[order], right[order])
    pd.testing.assert_frame_equal(fit.table, same.table)
    scaled = survival.npmle(left * scale, right * scale)
    np.testing.assert_allclose(scaled.table["probability"], fit.table["probability"], atol=1e-6)
    more = survival.npmle(np.append(left, 0), np.append(right, np.inf))
    assert more.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)
