"""Exact tests and intervals against scipy, R (data/reference/r), statsmodels and published examples."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators import proportions

R = Path(__file__).parents[2] / "data" / "reference" / "r"


@pytest.fixture(scope="module")
def r_values():
    table = pd.read_csv(R / "r_values.csv", float_precision="round_trip")
    return table.set_index("key")["value"]


def two_by_two(x0, n0, x1, n1):
    return [[x1, x0], [n1 - x1, n0 - x0]]


@pytest.mark.parametrize(("n0", "n1"), [(6, 6), (5, 9), (12, 7), (1, 3)])
def test_boschloo_and_fisher_equal_scipy_on_every_table(n0, n1):
    for x0 in range(n0 + 1):
        for x1 in range(n1 + 1):
            table = two_by_two(x0, n0, x1, n1)
            assert proportions.fisher(x0, n0, x1, n1) == pytest.approx(
                stats.fisher_exact(table).pvalue, abs=1e-12
            )
            scipy_p = stats.boschloo_exact(table, n=64).pvalue
            assert proportions.boschloo(x0, n0, x1, n1) == pytest.approx(scipy_p, abs=1e-10)


@pytest.mark.parametrize("x1", [0, 7, 13, 20])
def test_boschloo_equals_scipy_at_the_trial_size(x1):
    table = two_by_two(6, 20, x1, 20)
    assert proportions.boschloo(6, 20, x1, 20) == pytest.approx(
        stats.boschloo_exact(table, n=64).pvalue, abs=1e-10
    )


def test_exact_tests_equal_r(r_values):
    seen = (6, 20, 14, 20)
    assert proportions.fisher(*seen) == pytest.approx(r_values["fisher.p"], rel=1e-10)
    assert proportions.boschloo(*seen) == pytest.approx(r_values["exact.boschloo.two.sided"], rel=1e-10)
    assert proportions.barnard(*seen) == pytest.approx(r_values["exact.z-pooled.two.sided"], rel=1e-10)


def test_barnard_finds_the_supremum_that_scipy_misses():
    # TRAPS.md: a dense grid gives 0.03848, scipy.stats.barnard_exact 0.0339.
    assert proportions.barnard(6, 20, 13, 20) == pytest.approx(0.03848, abs=5e-6)


@pytest.mark.parametrize("method", ["boschloo", "barnard"])
def test_refined_supremum_is_never_below_a_finer_grid(method):
    table = proportions.exact_tables(9, 6, method)
    x0, x1 = np.meshgrid(np.arange(10), np.arange(7), indexing="ij")
    grid = np.linspace(0, 1, 20_001)
    chance = stats.binom.pmf(x0[..., None], 9, grid) * stats.binom.pmf(x1[..., None], 6, grid)
    if method == "barnard":
        p = (x0 + x1) / 15
        sd = np.sqrt(p * (1 - p) * (1 / 9 + 1 / 6))
        z = np.divide(x1 / 6 - x0 / 9, sd, out=np.zeros(sd.shape), where=sd > 0)
        for a in range(10):
            for b in range(7):
                brute = chance[np.abs(z) >= abs(z[a, b]) - 1e-9].sum(axis=0).max()
                assert table[a, b] == pytest.approx(brute, rel=1e-6)
                assert table[a, b] >= brute - 1e-12
    else:
        one_sided = [stats.hypergeom.sf(x1 - 1, 15, x0 + x1, 6), stats.hypergeom.cdf(x1, 15, x0 + x1, 6)]
        for a in range(10):
            for b in range(7):
                sides = [chance[f <= f[a, b] * (1 + 1e-12)].sum(axis=0).max() for f in one_sided]
                assert table[a, b] == pytest.approx(min(1, 2 * min(sides)), rel=1e-6)


def test_exact_size_is_within_the_level():
    p = np.linspace(0.01, 0.99, 99)
    x = np.arange(21)
    for method in proportions.METHODS:
        rejected = proportions.exact_tables(20, 20, method) <= 0.05
        chance = stats.binom.pmf(x[:, None], 20, p)
        size = np.einsum("ap,ab,bp->p", chance, rejected.astype(float), chance)
        assert 0.01 < size.max() <= 0.05


def test_boschloo_is_never_less_powerful_than_fisher():
    assert np.all(proportions.exact_tables(20, 20) <= proportions.exact_tables(20, 20, "fisher") + 1e-12)


def test_many_trials_are_a_look_up():
    x0, x1 = np.array([[6, 0], [20, 3]]), np.array([[14, 0], [1, 9]])
    many = proportions.boschloo(x0, 20, x1, 20)
    assert many.shape == (2, 2)
    assert many[0, 0] == proportions.boschloo(6, 20, 14, 20) == proportions.exact_tables(20, 20)[6, 14]
    sizes = proportions.boschloo([6, 6], [20, 19], [14, 14], 20)
    assert list(sizes) == [proportions.boschloo(6, n, 14, 20) for n in (20, 19)]
    with pytest.raises(ValueError, match="read-only"):
        proportions.exact_tables(20, 20)[0, 0] = 0


def test_miettinen_nurminen_published_example():
    # Newcombe (1998), Stat Med 17:873-890, table II, method 6.
    lower, upper = proportions.miettinen_nurminen(48, 80, 56, 70)
    assert (round(lower, 4), round(upper, 4)) == (0.0528, 0.3382)


def test_newcombe_published_example():
    # Newcombe (1998), Stat Med 17:873-890, table II, method 10: 56/70 v 48/80 and 9/10 v 3/10.
    assert np.round(proportions.newcombe(48, 80, 56, 70), 4).tolist() == [0.0524, 0.3339]
    assert np.round(proportions.newcombe(3, 10, 9, 10), 4).tolist() == [0.1705, 0.8090]


def test_intervals_equal_r(r_values):
    ours = proportions.miettinen_nurminen(6, 20, 14, 20)
    assert ours == pytest.approx([r_values["mn.1"], r_values["mn.2"]], rel=1e-10)
    ours = proportions.newcombe(6, 20, 14, 20)
    assert ours == pytest.approx([r_values["newcombe.1"], r_values["newcombe.2"]], rel=1e-12)


def test_miettinen_nurminen_bounds_solve_the_score_equation_on_all_tables():
    """The restricted maximum likelihood by brute force over p0, not by the cubic."""
    grid = np.linspace(0, 1, 200_001)
    for x0, x1 in [(0, 3), (2, 9), (6, 6), (10, 1), (0, 0)]:
        for bound in proportions.miettinen_nurminen(x0, 10, x1, 12):
            p0 = grid[(grid + bound >= 0) & (grid + bound <= 1)]
            p1 = p0 + bound
            loglik = stats.binom.logpmf(x0, 10, p0) + stats.binom.logpmf(x1, 12, np.clip(p1, 0, 1))
            k = np.argmax(loglik)
            variance = (p1[k] * (1 - p1[k]) / 12 + p0[k] * (1 - p0[k]) / 10) * 22 / 21
            assert abs(x1 / 12 - x0 / 10 - bound) / np.sqrt(variance) == pytest.approx(1.959964, abs=2e-3)


def test_one_arm_intervals_published_and_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    # Newcombe (1998), Stat Med 17:857-872, table I: 15/148 and 0/20.
    assert np.round(proportions.wilson(15, 148), 4).tolist() == [0.0624, 0.1605]
    assert np.round(proportions.clopper_pearson(15, 148), 4).tolist() == [0.0578, 0.1617]
    assert np.round(proportions.clopper_pearson(0, 20), 4).tolist() == [0.0, 0.1684]
    x = np.arange(1, 20)
    for ours, theirs in ((proportions.wilson, "wilson"), (proportions.clopper_pearson, "beta")):
        np.testing.assert_allclose(ours(x, 20), proportion_confint(x, 20, method=theirs), rtol=1e-10)


def test_empty_arm_is_nan_and_one_child_is_not():
    for test in (proportions.boschloo, proportions.fisher, proportions.barnard):
        assert np.isnan(test(0, 0, 1, 5))
        # One child each: the tables 0/1 v 1/1 and 1/1 v 0/1 have probability 1/4 each at most.
        assert test(0, 1, 1, 1) == pytest.approx(1.0 if test is proportions.fisher else 0.5)
    for interval in (proportions.miettinen_nurminen, proportions.newcombe):
        assert np.isnan(interval(0, 0, 3, 5)).all()
        lower, upper = interval(0, 1, 1, 1)
        assert -1 <= lower < upper <= 1
    assert np.isnan(proportions.wilson(0, 0)).all()
    assert np.isnan(proportions.clopper_pearson([0, 1], [0, 4])[0]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: proportions.boschloo(-1, 20, 3, 20), "x0 must not be negative"),
        (lambda: proportions.fisher(1, 20, 21, 20), "x1 is larger than n1"),
        (lambda: proportions.wilson(1.5, 20), "x must be whole numbers"),
        (lambda: proportions.wilson(float("nan"), 20), "x must be whole numbers"),
        (lambda: proportions.clopper_pearson(1, 20, level=95), "level"),
        (lambda: proportions.newcombe([1, 2], 20, [1, 2, 3], 20), "different shapes"),
        (lambda: proportions.exact_tables(20, 20, "chisq"), "method"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def counts():
    return st.integers(1, 12).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@settings(deadline=None)
@given(counts(), counts())
def test_swapping_arms_mirrors(control, active):
    (x0, n0), (x1, n1) = control, active
    for test in (proportions.boschloo, proportions.fisher, proportions.barnard):
        assert test(x0, n0, x1, n1) == pytest.approx(test(x1, n1, x0, n0), rel=1e-9)
        assert test(x0, n0, x1, n1) == pytest.approx(test(n0 - x0, n0, n1 - x1, n1), rel=1e-9)
    for interval in (proportions.miettinen_nurminen, proportions.newcombe):
        lower, upper = interval(x0, n0, x1, n1)
        assert interval(x1, n1, x0, n0) == pytest.approx((-upper, -lower), abs=1e-12)
        assert -1 <= lower <= x1 / n1 - x0 / n0 <= upper <= 1


@given(counts(), st.floats(0.5, 0.99))
def test_one_arm_interval_holds_the_proportion_and_nests(count, level):
    x, n = count
    for interval in (proportions.wilson, proportions.clopper_pearson):
        lower, upper = interval(x, n, level)
        wide = interval(x, n, 0.999)
        assert 0 <= wide[0] <= lower <= x / n <= upper <= wide[1] <= 1
        assert interval(n - x, n, level) == pytest.approx((1 - upper, 1 - lower), abs=1e-12)


def test_kappa_equals_statsmodels_and_by_hand():
    """20 + 15 agree of 50: agreement 0.7, by chance 0.5, kappa 0.4 by hand."""
    from statsmodels.stats.inter_rater import cohens_kappa

    a, b = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    ours = proportions.agreement(a, b)
    assert ours.table.tolist() == [[15, 10], [5, 20]]
    assert (ours.n, ours.agreement, ours.kappa) == (50, 0.7, pytest.approx(0.4))
    theirs = cohens_kappa(ours.table)
    assert [ours.se, ours.kappa_lower, ours.kappa_upper] == pytest.approx(
        [theirs.std_kappa, theirs.kappa_low, theirs.kappa_upp], rel=1e-12
    )
    assert (ours.agreement_lower, ours.agreement_upper) == proportions.wilson(35, 50)


def test_agreement_of_ugly_answers_in_words():
    nobody = proportions.agreement([np.nan, 1], [1, np.nan])
    assert nobody.n == 0
    assert nobody.message == "2 without both answers left out; no child with both answers"
    one = proportions.agreement([1, 1, 1], [1, 1, 1])
    assert (one.agreement, one.message) == (1, "one answer only: kappa is not defined")
    perfect = proportions.agreement([1, 0, 1], [1, 0, 1])
    assert perfect.kappa == 1
    assert np.isnan(perfect.kappa_lower)
    assert "no interval for kappa" in perfect.message
    assert proportions.agreement([1, 1, 0, 0], [1, 0, 1, 0]).kappa == pytest.approx(0)
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        proportions.agreement([2], [1])
    with pytest.raises(ValueError, match="one length"):
        proportions.agreement([1, 0], [1])


@given(st.lists(st.tuples(st.sampled_from([0, 1, np.nan]), st.sampled_from([0, 1, np.nan])), max_size=30))
def test_agreement_is_symmetric_and_ignores_order_and_labels(pairs):
    a, b = np.array(pairs, float).reshape(-1, 2).T
    ours, turned = proportions.agreement(a, b), proportions.agreement(b[::-1], a[::-1])
    other = proportions.agreement(1 - a, 1 - b)
    names = ("agreement", "agreement_lower", "kappa", "kappa_lower", "kappa_upper", "se")
    for again in (turned, other):
        np.testing.assert_allclose(
            [getattr(again, n) for n in names], [getattr(ours, n) for n in names], atol=1e-9
        )
        assert again.message == ours.message
    assert ours.message or np.isfinite([getattr(ours, n) for n in names]).all()


@pytest.mark.parametrize("method", ["boschloo", "barnard"])
def test_large_arms_are_computed_as_small_ones_are(method, monkeypatch):
    sizes = (33, 47)
    every = proportions.exact_tables(*sizes, method).ravel()
    monkeypatch.setattr(proportions, "_KEPT_CELLS", 0)
    few = proportions._p_values(*sizes, method, np.arange(every.size))
    np.testing.assert_allclose(few, every, rtol=1e-7, atol=1e-9)


def test_a_thousand_children_an_arm_take_seconds():
    start = time.process_time()
    p = proportions.boschloo([300, 3, 0], 1000, [340, 12, 0], 1000)
    assert time.process_time() - start < 20
    # never above Fisher's (doubled one-sided), and close to the score test where events are many
    fisher = [2 * stats.hypergeom.sf(x1 - 1, 2000, x0 + x1, 1000) for x0, x1 in ((300, 340), (3, 12))]
    assert (p[:2] <= fisher).all()
    pooled = 0.04 / np.sqrt(0.32 * 0.68 * 2 / 1000)
    assert p[0] == pytest.approx(2 * stats.norm.sf(pooled), rel=0.05)
    assert p[2] == 1
    # independently: in each row of tables the region begins at the first x1 that is extreme enough, by bisection
    limit, x0 = stats.hypergeom.sf(11, 2000, 15, 1000) * (1 + 1e-11), np.arange(1001)
    low, high = np.full(1001, -1), np.full(1001, 1001)
    while (high - low > 1).any():
        middle = (low + high) // 2
        extreme = stats.hypergeom.sf(middle - 1, 2000, x0 + middle, 1000) <= limit
        low, high = np.where(extreme, low, middle), np.where(extreme, middle, high)
    rates = np.sin(np.linspace(0, np.pi / 2, 3001)[:, None]) ** 2
    chance = (stats.binom.pmf(x0, 1000, rates) * stats.binom.sf(high - 1, 1000, rates)).sum(axis=1)
    assert p[1] == pytest.approx(2 * chance.max(), rel=1e-4)


# ------------------------------------------------------------------ the interval of the test


def every_table(n0, n1):
    x0, x1 = np.meshgrid(np.arange(n0 + 1), np.arange(n1 + 1), indexing="ij")
    return x0, x1, *proportions.boschloo_interval(x0, n0, x1, n1)


@pytest.mark.parametrize(("n0", "n1"), [(18, 18), (20, 20), (17, 19)])
def test_interval_and_test_agree_on_every_table(n0, n1):
    x0, x1, lower, upper = every_table(n0, n1)
    p, seen = proportions.exact_tables(n0, n1), x1 / n1 - x0 / n0
    assert (((lower > 0) | (upper < 0)) == (p <= 0.05)).all()
    # the approximate one does not: that is why it is not the one printed
    low, high = proportions.miettinen_nurminen(x0, n0, x1, n1)
    assert (((low > 0) | (high < 0)) != (p <= 0.05)).sum() in (10, 8, 6)
    assert ((lower >= -1) & (lower <= seen) & (seen <= upper) & (upper <= 1)).all()
    # more events in the active arm, or fewer in the control arm, never move a limit down
    assert (np.diff(lower, axis=1) > -1e-7).all()
    assert (np.diff(upper, axis=1) > -1e-7).all()
    assert (np.diff(lower, axis=0) < 1e-7).all()
    assert (np.diff(upper, axis=0) < 1e-7).all()
    # events for no events turn the difference round
    np.testing.assert_allclose(lower, -upper[::-1, ::-1], atol=1e-7)


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_interval_and_test_agree_at_other_levels(level):
    x0, x1 = np.meshgrid(np.arange(10), np.arange(8), indexing="ij")
    lower, upper = proportions.boschloo_interval(x0, 9, x1, 7, level)
    assert (((lower > 0) | (upper < 0)) == (proportions.exact_tables(9, 7) <= 1 - level)).all()


@pytest.mark.parametrize(("n0", "n1"), [(6, 6), (5, 8)])
def test_limits_are_those_of_an_enumeration(n0, n1):
    """Order, region and supremum written out with scipy, a table at a time; the limit by bisection."""
    tables = [(a, b) for a in range(n0 + 1) for b in range(n1 + 1)]
    one_sided = {t: stats.hypergeom.sf(t[1] - 1, n0 + n1, sum(t), n1) for t in tables}
    mid = {t: one_sided[t] - stats.hypergeom.pmf(t[1], n0 + n1, sum(t), n1) / 2 for t in tables}
    tie = {t for t in tables if t[0] == n0 or t[1] == 0}
    place = {t: one_sided[t] for t in tables if t not in tie}
    while len(place) < len(tables):
        for a, b in tie - place.keys():
            before = [t for t in ((a - 1, b), (a, b + 1)) if t in tables]
            if all(t in place for t in before):
                place[a, b] = max([mid[a, b], *(place[t] for t in before)])
    rates = np.linspace(0, 1, 801)

    def most(region, d):
        inside = np.zeros((n0 + 1, n1 + 1))
        inside[tuple(np.transpose(region))] = 1
        p0 = max(0.0, -d) + rates * (1 - abs(d))
        p1 = np.clip(p0 + d, 0, 1)
        chance = [stats.binom.pmf(np.arange(n + 1)[:, None], n, p) for n, p in ((n0, p0), (n1, p1))]
        return (chance[0] * (inside @ chance[1])).sum(axis=0).max()

    for table in [(0, 0), (0, 3), (1, 4), (n0, n1), (3, 0), (2, 5), (n0, 1), (0, n1)]:
        as_far = [t for t in tables if place[t] < place[table] - 1e-10]
        # behind the tables of its place stands a tie, ordered by mid-p among ties
        for t in tables:
            level = abs(place[t] - place[table]) <= 1e-10
            behind = t in tie and (table not in tie or mid[t] > mid[table] + 1e-10)
            if level and not behind:
                as_far.append(t)
        low, high = -1.0, 1.0
        for _ in range(18):
            middle = (low + high) / 2
            low, high = (low, middle) if most(as_far, middle) > 0.025 else (middle, high)
        assert proportions.boschloo_interval(table[0], n0, table[1], n1)[0] == pytest.approx(
            high, abs=2e-5
        ), table


@pytest.mark.parametrize(("n0", "n1"), [(20, 20), (12, 9)])
def test_the_interval_covers_whatever_the_truth(n0, n1):
    """Exact coverage by summing over all tables: never below 95 %, each side never above 2.5 %."""
    _, _, lower, upper = every_table(n0, n1)
    truths = np.linspace(0, 1, 41)
    for p0 in truths:
        chance = stats.binom.pmf(np.arange(n0 + 1), n0, p0)[:, None, None]
        chance = chance * stats.binom.pmf(np.arange(n1 + 1)[:, None], n1, truths)
        for missed in (lower[..., None] > truths - p0 + 1e-7, upper[..., None] < truths - p0 - 1e-7):
            assert (chance * missed).sum(axis=(0, 1)).max() <= 0.025 + 1e-6


def test_without_events_or_with_nothing_else_the_ends_are_sensible():
    for n in (18, 20):
        for x in (0, n):
            lower, upper = proportions.boschloo_interval(x, n, x, n)
            assert lower == pytest.approx(-upper, abs=1e-9)
            assert 0.2 < upper < 0.3
    lower, upper = proportions.boschloo_interval(0, 20, 4, 20)
    assert (round(lower, 3), round(upper, 2)) == (-0.013, 0.54)
    assert proportions.boschloo_interval(0, 20, 20, 20)[1] == 1
    assert proportions.boschloo_interval(20, 20, 0, 20)[0] == -1
    lower, upper = proportions.boschloo_interval([6, 0], [18, 0], [12, 1], [18, 4])
    assert np.isnan(lower).tolist() == np.isnan(upper).tolist() == [False, True]


def test_ordering_by_mid_p_throughout_would_be_another_test():
    """R's FisherAdj orders so: at 18 v 18 four tables decide otherwise, 0/18 v 4/18 among them."""
    x0, x1 = np.arange(19)[:, None], np.arange(19)[None, :]
    mid = stats.hypergeom.sf(x1, 36, x0 + x1, 18) + stats.hypergeom.pmf(x1, 36, x0 + x1, 18) / 2
    p = np.linspace(0, 1, 1001)
    chance = stats.binom.pmf(np.arange(19)[:, None], 18, p)

    def most(table):
        return np.einsum("ap,ab,bp->p", chance, (mid <= mid[table] + 1e-9).astype(float), chance).max()

    assert (round(2 * most((0, 4)), 4), round(proportions.boschloo(0, 18, 4, 18), 4)) == (0.0478, 0.0653)
    other = [t for t in np.ndindex(19, 19) if t[1] > t[0] and 0.005 < mid[t] < 0.1]
    ours = proportions.exact_tables(18, 18)
    assert sum((2 * most(t) <= 0.05) != (ours[t] <= 0.05) for t in other) == 2  # and their mirror images


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_any_table_of_up_to_sixty_an_arm(n0, n1, share0, share1):
    x0, x1 = round(share0 * n0), round(share1 * n1)
    lower, upper = proportions.boschloo_interval(x0, n0, x1, n1)
    assert -1 <= lower <= x1 / n1 - x0 / n0 <= upper <= 1
    assert (lower <= 0 <= upper) == (proportions.boschloo(x0, n0, x1, n1) > 0.05)
    assert proportions.boschloo_interval(x1, n1, x0, n0) == pytest.approx((-upper, -lower), abs=1e-8)
