"""Grouped times against R (data/reference/r), lifelines, statsmodels, the likelihood's definition and by hand."""

from pathlib import Path

import lifelines
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from lifelines.statistics import logrank_test
from scipy import optimize, stats

from helpers.estimators import discrete_time, survival

R = Path(__file__).parents[2] / "data" / "reference" / "r"


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


def test_person_period_equals_r(tte):
    long = read("long.csv")
    seen = long[long["visitn"] > 0].pivot(index="id", columns="visitn", values="upcr").notna().to_numpy()
    grid = long[long["visitn"] > 0].groupby("visitn")["month"].first().to_numpy()
    ours = discrete_time.person_period(tte["time"], tte["event"], tte["arm"], grid, attended=seen)
    theirs = read("person_period.csv")
    for mine, r in (("time", "month"), ("y", "y"), ("arm", "arm")):
        np.testing.assert_array_equal(ours[mine], theirs[r])
    np.testing.assert_array_equal(ours["child"] + 1, theirs["id"])


def test_discrete_hazard_without_penalty_equals_r_and_statsmodels(r_values):
    rows = read("person_period.csv")
    ours = discrete_time.discrete_hazard_ratio(
        rows["y"], rows["arm"], np.log(rows["month"]), firth=False, interval="wald"
    )
    expected = [r_values[f"cloglog.coef.{k}"] for k in (2, 1, 3)]
    # R stops at a relative change of deviance of 1e-8: 7 digits of the coefficients, 5 of the standard error.
    assert ours.coefficients == pytest.approx(expected, rel=1e-7)
    assert ours.se == pytest.approx(r_values["cloglog.se.2"], rel=1e-5)
    x = sm.add_constant(np.column_stack([rows["arm"], np.log(rows["month"])]))
    family = sm.families.Binomial(link=sm.families.links.CLogLog())
    glm = sm.GLM(rows["y"], x, family=family).fit(tol=1e-14)
    # Both stop a search when the likelihood no longer climbs. Near its top the deviance is flat: an error of a
    # last bit in it (2e-16) moves the coefficients by its root, 1.5e-8.
    assert [ours.log_ratio, ours.se] == pytest.approx([glm.params["x1"], glm.bse["x1"]], rel=1e-7)


def test_discrete_hazard_with_visit_indicators_equals_r(r_values):
    rows = read("person_period.csv")
    visits = (rows["visitn"].to_numpy()[:, None] == np.unique(rows["visitn"])[1:]).astype(float)
    ours = discrete_time.discrete_hazard_ratio(rows["y"], rows["arm"], visits, firth=False, interval="wald")
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
    ours = discrete_time.discrete_hazard_ratio(y, rows["arm"], z)
    assert ours.coefficients == pytest.approx(best.x, abs=1e-5)
    assert np.isfinite([ours.lower, ours.upper]).all()
    for limit in (ours.lower, ours.upper):
        held = optimize.minimize(
            lambda rest, limit=limit: negative([np.log(limit), *rest]), best.x[1:], method="Nelder-Mead",
            options={"xatol": 1e-8, "fatol": 1e-11},
        )  # fmt: skip
        assert 2 * (held.fun - best.fun) == pytest.approx(3.841459, abs=1e-4)
    bare = discrete_time.discrete_hazard_ratio(y, rows["arm"], z, firth=False)
    assert np.isnan(bare.ratio)
    assert "no finite estimate" in bare.message


@pytest.mark.parametrize("seed", range(5))
def test_count_kernels_equal_lifelines(seed):
    time, event, arm = random_children(seed)
    last = time.astype(int) - 1
    risk, events = discrete_time.grouped_counts(last[None], event[None], 11)
    curve, variance = discrete_time.kaplan_meier_counts(risk, events)
    fit = lifelines.KaplanMeierFitter().fit(time, event)
    seen = np.arange(1, int(time.max()) + 1)
    np.testing.assert_allclose(curve[0, : len(seen)], fit.predict(seen), atol=1e-12)
    ours = survival.rmst(time, event, 5.0)
    greenwood = np.sqrt(variance[0, 4])
    assert ours.estimate == pytest.approx(1 + curve[0, :4].sum(), abs=1e-12)
    d, n = events[0, :5], risk[0, :5]
    assert greenwood == pytest.approx(curve[0, 4] * np.sqrt((d / (n * (n - d))).sum()), abs=1e-12)
    arms = [discrete_time.grouped_counts(last[arm == a][None], event[arm == a][None], 11) for a in (0, 1)]
    statistic, p = discrete_time.logrank_counts(*arms[0], *arms[1])
    test = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])
    assert statistic[0] == pytest.approx(test.test_statistic, abs=1e-12)
    assert p[0] == pytest.approx(test.p_value, abs=1e-12)


def test_grouped_counts_by_hand():
    risk, events = discrete_time.grouped_counts(np.array([[0, 2, 2, -1]]), np.array([[1, 1, 0, 0]]), 3)
    assert risk.tolist() == [[3, 2, 2]]
    assert events.tolist() == [[1, 0, 1]]


def test_ugly_person_periods_answer_in_words():
    for y, arm in (([0, 0], [0, 1]), ([1, 1], [0, 1]), ([], []), ([0, 1], [1, 1])):
        result = discrete_time.discrete_hazard_ratio(np.array(y, int), np.array(arm, int))
        assert np.isnan(result.ratio)
        assert result.message


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: discrete_time.kaplan_meier_counts([3], [4]), "n_event <= n_risk"),
        (lambda: discrete_time.grouped_counts(np.array([5]), np.array([1]), 3), "last must be"),
        (lambda: discrete_time.person_period([1.5], [1], [0], [1, 2]), "grid"),
        (lambda: discrete_time.discrete_hazard_ratio([0, 1], [0, 1, 1]), "rows"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_rounding_takes_no_time_off_the_grid():
    exact = discrete_time.person_period([0.3, 0.7, 0.3], [1, 0, 1], [0, 1, 1], [0.3, 0.7])
    rounded = discrete_time.person_period([0.1 + 0.2, 0.1 * 7, 0.3], [1, 0, 1], [0, 1, 1], [0.3, 0.7])
    pd.testing.assert_frame_equal(exact, rounded)
    with pytest.raises(ValueError, match="grid"):
        discrete_time.person_period([0.3001], [1], [0], [0.3, 0.7])


@pytest.mark.parametrize("firth", [True, False])
@pytest.mark.parametrize(("scale", "shift"), [(1440, 0), (1e-12, 0), (1, 2.4e9), (-1e6, 1e12)])
def test_units_and_zero_of_the_baseline_hazard_change_nothing(firth, scale, shift):
    # lifelines#412, #827: days, and the same days in minutes
    days = np.tile([14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365.0], 8)
    y, arm = (np.random.default_rng(3).random(88) < 0.12).astype(int), np.repeat([0, 1], 44)
    first = discrete_time.discrete_hazard_ratio(y, arm, days, firth)
    again = discrete_time.discrete_hazard_ratio(y, arm, days * scale + shift, firth)
    if firth:
        assert [round(v, 4) for v in (again.ratio, again.lower, again.upper, again.p)] == [
            0.5193, 0.1241, 1.8219, 0.3095,
        ]  # fmt: skip
    for name in ("ratio", "lower", "upper", "p", "se"):
        assert getattr(again, name) == pytest.approx(getattr(first, name), rel=1e-7)
    assert again.message == first.message == ""
    assert again.coefficients[2] * scale == pytest.approx(first.coefficients[2], rel=1e-6)


def test_coefficients_are_for_the_columns_as_given():
    days = np.tile([14.0, 91, 365], 12)
    y, arm = (np.random.default_rng(5).random(36) < 0.3).astype(int), np.repeat([0, 1], 18)
    found = discrete_time.discrete_hazard_ratio(y, arm, days, firth=False)
    design = np.column_stack([arm, np.ones(36), days])
    link = sm.families.links.CLogLog()
    theirs = sm.GLM(y, design, sm.families.Binomial(link)).fit()
    np.testing.assert_allclose(found.coefficients, theirs.params, rtol=1e-5)


def test_no_arm_is_blamed_that_has_events():
    y, arm = [0, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]
    assert "without events" in discrete_time.discrete_hazard_ratio(y, arm, firth=False).message
    constant = discrete_time.discrete_hazard_ratio([0, 1, 0, 1], [0, 0, 1, 1], [0.1 + 0.2] * 4)
    assert "can't be told apart" in constant.message


def test_an_estimate_that_runs_away_is_none_whichever_way_it_runs():
    """Baseline and arm together tell every event: each arm has some, and the arm's coefficient has no end."""
    z = np.tile(np.arange(8.0), 2)
    arm = np.repeat([0, 1], 8)
    event = (z > 2.5 + 2 * arm).astype(int)
    for here, sign in ((arm, -1), (1 - arm, 1)):
        found = discrete_time.discrete_hazard_ratio(event, here, z, firth=False)
        assert not np.isfinite(found.ratio), sign
        assert found.message
        shrunk = discrete_time.discrete_hazard_ratio(event, here, z)
        assert np.sign(shrunk.log_ratio) == sign
