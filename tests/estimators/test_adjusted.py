"""Stratified and adjusted differences against brute force, statsmodels, closed forms, a known truth, and properties."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from helpers.estimators import adjusted, proportions


def children(tables):
    """Outcome, arm and stratum of strata given as (x0, n0, x1, n1)."""
    rows = [
        (event, arm, s)
        for s, (x0, n0, x1, n1) in enumerate(tables)
        for arm, x, n in ((0, x0, n0), (1, x1, n1))
        for event in [True] * x + [False] * (n - x)
    ]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


# ------------------------------------------------------------------ strata


def test_one_stratum_is_miettinen_and_nurminen_s():
    found = adjusted.mantel_haenszel(*children([(6, 20, 13, 19)]))
    assert found.estimate == pytest.approx(13 / 19 - 6 / 20)
    assert (found.lower, found.upper) == pytest.approx(
        proportions.miettinen_nurminen(6, 20, 13, 19), abs=1e-9
    )


def test_strata_by_hand_and_limits_by_brute_force():
    tables = [(2, 14, 6, 15), (1, 6, 3, 5)]
    found = adjusted.mantel_haenszel(*children(tables))
    weights = np.array([14 * 15 / 29, 6 * 5 / 11])
    weights /= weights.sum()
    assert found.estimate == pytest.approx(weights @ [6 / 15 - 2 / 14, 3 / 5 - 1 / 6])
    assert (found.n_control, found.n_active) == (20, 20)

    def z(d):
        variance = []
        for x0, n0, x1, n1 in tables:

            def loss(p0, x0=x0, n0=n0, x1=x1, n1=n1):
                p1 = p0 + d
                return -stats.binom.logpmf(x0, n0, p0) - stats.binom.logpmf(x1, n1, p1)

            p0 = optimize.minimize_scalar(
                loss,
                bounds=(max(0, -d) + 1e-12, min(1, 1 - d) - 1e-12),
                method="bounded",
                options={"xatol": 1e-12},
            ).x
            n = n0 + n1
            variance.append((p0 * (1 - p0) / n0 + (p0 + d) * (1 - p0 - d) / n1) * n / (n - 1))
        return (found.estimate - d) / np.sqrt(weights**2 @ variance)

    limit = stats.norm.ppf(0.975)
    assert found.lower == pytest.approx(
        optimize.brentq(lambda d: z(d) - limit, -0.9, found.estimate), abs=1e-6
    )
    assert found.upper == pytest.approx(
        optimize.brentq(lambda d: z(d) + limit, found.estimate, 0.9), abs=1e-6
    )


def test_a_stratum_with_one_arm_carries_no_weight():
    both = [(2, 10, 5, 9), (1, 5, 0, 0)]
    found = adjusted.mantel_haenszel(*children(both))
    assert found.estimate == adjusted.mantel_haenszel(*children(both[:1])).estimate
    assert found.message == "1 strata with one arm only carry no weight"
    assert "no stratum with both arms" in adjusted.mantel_haenszel([1, 0], [0, 1], [1, 2]).message
    none = adjusted.mantel_haenszel(*children([(0, 12, 0, 12), (0, 6, 0, 6)]))
    assert none.lower == pytest.approx(-none.upper)
    assert 0.1 < none.upper < 0.3


# ------------------------------------------------------------------ Firth, intercept corrected, standardised


def drawn(seed, n=40, intercept=-0.6, effect=1.3):
    rng = np.random.default_rng(seed)
    arm, base, ras = np.arange(n) % 2, rng.normal(size=n), rng.random(n) < 0.85
    chance = special.expit(intercept - 0.8 * base - 0.9 * ras + effect * arm)
    return rng.random(n) < chance, arm, np.column_stack([base, ras])


def by_hand(event, arm, covariates):
    """Firth by a general optimiser, the intercept by root finding."""
    x, y = np.column_stack([np.ones(len(arm)), arm, covariates]).astype(float), event.astype(float)

    def loss(b):
        p = special.expit(x @ b)
        likelihood = (y * (x @ b) - np.logaddexp(0, x @ b)).sum()
        return -likelihood - np.linalg.slogdet(x.T @ (x * (p * (1 - p))[:, None]))[1] / 2

    b = optimize.minimize(loss, np.zeros(x.shape[1]), method="BFGS", options={"gtol": 1e-8}).x
    linear = x[:, 1:] @ b[1:]
    intercept = optimize.brentq(lambda a: special.expit(a + linear).sum() - y.sum(), -30, 30)
    p0, p1 = (special.expit(intercept + linear + b[1] * (a - arm)).mean() for a in (0, 1))
    return p0, p1


@pytest.mark.parametrize("seed", [1, 2])
def test_standardised_by_a_general_optimiser(seed):
    event, arm, covariates = drawn(seed)
    found = adjusted.standardised(event, arm, covariates)
    p0, p1 = by_hand(event, arm, covariates)
    assert (found.control, found.active, found.estimate) == pytest.approx((p0, p1, p1 - p0), abs=1e-6)
    # the jackknife's standard error, each child left out in turn
    left = []
    for k in range(len(arm)):
        stays = np.arange(len(arm)) != k
        one = by_hand(event[stays], arm[stays], covariates[stays])
        left.append(one[1] - one[0])
    error = np.sqrt((len(arm) - 1) * np.var(left))
    assert found.upper - found.estimate == pytest.approx(stats.t.ppf(0.975, 36) * error, rel=1e-4)


def test_many_children_are_plain_logistic_regression_standardised():
    event, arm, covariates = drawn(3, n=600)
    x = sm.add_constant(np.column_stack([arm, covariates]).astype(float))
    fit = sm.Logit(event.astype(float), x).fit(disp=0)
    shares = [fit.predict(np.column_stack([x[:, 0], np.full(600, a), x[:, 2:]])).mean() for a in (0, 1)]
    found = adjusted.standardised(event, arm, covariates)
    assert (found.control, found.active) == pytest.approx(shares, abs=2e-3)


def test_separation_is_no_obstacle():
    """No event without RAS inhibition, and none on placebo: a plain logistic model has no finite coefficients."""
    arm, ras = np.repeat([0, 1], 20), np.tile([1, 1, 1, 1, 0], 8)
    event = (arm == 1) & (ras == 1) & (np.arange(40) % 3 == 0)
    found = adjusted.standardised(event, arm, ras)
    assert 0 < found.lower < found.estimate < found.upper < 1
    # events are not those of the model's own penalty: predictions add up to what was seen
    assert 0 <= found.control < 0.05
    assert found.active == pytest.approx(event[arm == 1].mean(), abs=0.03)


def test_without_effect_of_the_covariates_it_is_near_the_plain_difference():
    event, arm, _ = drawn(4, n=400)
    noise = np.random.default_rng(1).normal(size=400)
    found = adjusted.standardised(event, arm, noise)
    assert found.estimate == pytest.approx(event[arm == 1].mean() - event[arm == 0].mean(), abs=0.01)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_units_order_and_labels_change_nothing(seed, scale, shift):
    event, arm, covariates = drawn(seed)
    covariates = covariates[:, : 1 + seed % 2]
    if not 0 < event.sum() < len(event):
        return
    first = adjusted.standardised(event, arm, covariates)
    order = np.random.default_rng(seed).permutation(len(arm))
    words = np.where(arm == 1, "hUC-MSC", "Placebo")[order]
    again = adjusted.standardised(event[order], words, covariates[order] * scale + shift, active="hUC-MSC")
    assert (again.estimate, again.lower, again.upper) == pytest.approx(
        (first.estimate, first.lower, first.upper), abs=1e-6
    )
    other = adjusted.standardised(event, arm, covariates, active=0)
    assert (other.estimate, other.lower) == pytest.approx((-first.estimate, -first.upper), abs=1e-6)
    assert first.lower <= first.estimate <= first.upper


def test_answers_in_words():
    event, arm, covariates = drawn(5)
    assert "no child had the event" in adjusted.standardised(event & False, arm, covariates).message
    assert "every child had the event" in adjusted.standardised(event | True, arm, covariates).message
    assert "no child in one of the arms" in adjusted.standardised(event, arm * 0, covariates).message
    gone = covariates.astype(float)
    gone[:3, 0] = np.nan
    found = adjusted.standardised(event, arm, gone)
    assert found.message == "3 without covariates left out"
    assert found.n_control + found.n_active == 37
    twice = np.column_stack([covariates, covariates[:, 0], np.ones(40)])
    again = adjusted.standardised(event, arm, twice)
    assert "left out" in again.message
    assert again.estimate == pytest.approx(adjusted.standardised(event, arm, covariates).estimate)
    for call, words in (
        (lambda: adjusted.standardised([0, 1, 2], [0, 1, 1], [1, 2, 3]), "outcome must be 0 or 1"),
        (lambda: adjusted.standardised([0, 1], [0, 1], [1, 2, 3]), "2 rows"),
        (lambda: adjusted.standardised([0, 1], [0, 1], [1, np.inf]), "infinite"),
        (lambda: adjusted.mantel_haenszel([0, 1], [0, 1], [1]), "one length"),
        (lambda: adjusted.mantel_haenszel([0, 1], [0, 1], [1, 1], level=95), "level"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
