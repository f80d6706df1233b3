"""Closed forms of a design against published numbers, theory, brute force and simulation."""

import doctest
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from helpers.estimators import planning, proportions


def test_examples():
    assert doctest.testmod(planning).failed == 0


# ------------------------------------------------------------------ t and log-rank


@pytest.mark.parametrize(
    ("d", "n", "alpha"), [(0.2, 393, 0.05), (0.5, 64, 0.05), (0.8, 20, 0.01), (0.0, 8, 0.1)]
)
def test_t_power_is_that_of_statsmodels(d, n, alpha):
    found = planning.t_power(d, np.sqrt(2 / n), 2 * n - 2, alpha)
    assert found.above + found.below == pytest.approx(TTestIndPower().power(d, n, alpha))


def test_t_power_by_simulation():
    rng, n, count = np.random.default_rng(2), 12, 40_000
    a, b = rng.normal(0, 1, (count, n)), rng.normal(0.9, 1, (count, n))
    p = stats.ttest_ind(b, a, axis=1).pvalue
    found = planning.t_power(0.9, np.sqrt(2 / n), 2 * n - 2)
    above = ((p <= 0.05) & (b.mean(axis=1) > a.mean(axis=1))).mean()
    assert abs(above - found.above) < 4 * np.sqrt(found.above * (1 - found.above) / count)
    none = planning.t_power(0, 1, 20)
    assert none.above == pytest.approx(0.025)
    assert none.below == pytest.approx(0.025)
    with pytest.raises(ValueError, match="above 0"):
        planning.t_power(1, 0, 10)


def test_schoenfeld_turned_round():
    """Events for a power: (z.975 + z.power)^2 / (share (1 - share) theta^2)."""
    for ratio, power, share in ((1.5, 0.8, 0.5), (2.0, 0.9, 0.5), (3.0, 0.8, 1 / 3)):
        events = (stats.norm.ppf(0.975) + stats.norm.ppf(power)) ** 2 / (
            share * (1 - share) * np.log(ratio) ** 2
        )
        assert planning.logrank_power(np.log(ratio), events, share).above == pytest.approx(power)
        assert planning.logrank_power(-np.log(ratio), events, share).below == pytest.approx(power)
    with pytest.raises(ValueError, match="events"):
        planning.logrank_power(0.5, 0)


def test_adjusted_sd_is_what_regression_leaves():
    rng = np.random.default_rng(4)
    root = rng.normal(size=(4, 4))
    whole, weights = root @ root.T, np.array([0.2, 0.5, 0.3])
    x = rng.multivariate_normal(np.zeros(4), whole, 400_000)
    y = x[:, 1:] @ weights
    rest = y - np.polyval(np.polyfit(x[:, 0], y, 1), x[:, 0])
    # 400,000 children: the SD within a few in a thousand
    assert planning.adjusted_sd(whole, weights) == pytest.approx(rest.std(), rel=0.006)
    with pytest.raises(ValueError, match="weights"):
        planning.adjusted_sd(whole, [0.5, 0.5])


# ------------------------------------------------------------------ enumeration


def test_exact_power_by_hand():
    """1 v 1: no table is significant at 5 %; at 100 % every unequal one is."""
    assert planning.exact_power((0.2, 0.7), (1, 1)) == planning.Sides(0, 0)
    found = planning.exact_power((0.2, 0.7), (1, 1), 1.0)
    assert (found.above, found.below) == pytest.approx((0.8 * 0.7, 0.2 * 0.3))
    null = planning.exact_power((0.3, 0.3), (20, 20))
    assert null.above == pytest.approx(null.below)
    assert null.above + null.below <= 0.05


def test_conditional_power_by_loops():
    x, first, n = (0.2, 0.6), (3, 4), (7, 8)
    p = proportions.exact_tables(*n, "boschloo")
    found = planning.conditional_power(x, first, n)
    for a, b in product(range(first[0] + 1), range(first[1] + 1)):
        total = sum(
            stats.binom.pmf(k, n[0] - first[0], x[0]) * stats.binom.pmf(m, n[1] - first[1], x[1])
            for k in range(n[0] - first[0] + 1)
            for m in range(n[1] - first[1] + 1)
            if p[a + k, b + m] <= 0.05 and (b + m) / n[1] > (a + k) / n[0]
        )
        assert found[a, b] == pytest.approx(total)


def test_a_look_by_simulation():
    rng, x, first, n, count = np.random.default_rng(6), (0.15, 0.5), (10, 10), (20, 20), 40_000
    a, b = rng.random((count, 20)) < x[0], rng.random((count, 20)) < x[1]
    few, whole = proportions.exact_tables(*first, "boschloo"), proportions.exact_tables(*n, "boschloo")
    x0, x1, y0, y1 = a[:, :10].sum(1), b[:, :10].sum(1), a.sum(1), b.sum(1)
    early, late = (few[x0, x1] <= 0.05) & (x1 > x0), (whole[y0, y1] <= 0.05) & (y1 > y0)
    futile = planning.conditional_power(x, first, n)[x0, x1] < 0.2
    found = planning.look(x, first, n)
    for exact, share in (
        (found.early, early), (found.late, late), (found.either, early | late), (found.futile, futile),
        (found.lost, futile & late),
    ):  # fmt: skip
        assert abs(share.mean() - exact) < 4 * np.sqrt(max(exact * (1 - exact), 1e-4) / count)
    assert found.late == pytest.approx(planning.exact_power(x, n).above)
    for wrong in ((0, 10), (20, 10)):
        with pytest.raises(ValueError, match="fewer than all"):
            planning.look(x, wrong, n)


# ------------------------------------------------------------------ boundary and assurance


def test_a_boundary_by_simulation():
    found = planning.stopping_boundary(0.1, 20)
    for m, limit in enumerate(found.events, start=1):
        assert stats.binom.sf(limit - 1, m, 0.1) <= 0.05 < stats.binom.sf(limit - 2, m, 0.1)
    rng, count = np.random.default_rng(7), 40_000
    for rate in (0.1, 0.3):
        so_far = (rng.random((count, 20)) < rate).cumsum(axis=1)
        share = (so_far >= found.events).any(axis=1).mean()
        exact = found.chance(rate)
        assert abs(share - exact) < 4 * np.sqrt(exact * (1 - exact) / count)
    assert found.chance(0.0) == 0
    assert found.chance(1.0) == 1
    for rate, n, level in ((0, 20, 0.05), (0.1, 0, 0.05), (0.1, 20, 1)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            planning.stopping_boundary(rate, n, level)


def test_assurance_of_a_z_test_has_a_closed_form():
    """Normal prior, known SE: P(success) = Phi((-mean - z se) / sqrt(se^2 + sd^2)) for effects below 0."""
    se, mean, sd, z = 0.15, np.log(0.75), 0.25, stats.norm.isf(0.025)
    found = planning.assurance(lambda t: stats.norm.cdf(-t / se - z), 0.0, mean, sd)
    assert found.success == pytest.approx(stats.norm.cdf((-mean - z * se) / np.hypot(se, sd)))
    half = planning.assurance(lambda t: stats.norm.cdf(-t / se - z), 0.5, mean, sd)
    assert half.success == pytest.approx(0.5 * found.success + 0.5 * 0.025)
    assert half.largest == pytest.approx(found.largest / 2)
    with pytest.raises(ValueError, match="SD above 0"):
        planning.assurance(lambda t: t, 0.5, 0.0, 0.0)
