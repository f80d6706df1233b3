"""Multiple imputation against closed forms, the MMRM, known truth, published rules for pooling, and properties."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators import imputation, mixed, proportions, tipping
from helpers.estimators.imputation import Assumption

R = Path(__file__).parents[2] / "data" / "reference" / "r"
DAYS = np.array([14.0, 56, 183, 365])


def drop_out(seed, n=40, visits=4, effect=-1.0, chance=0.3):
    """Two arms, correlated visits, baseline; from the second visit on, a child may leave, more often when its
    last value is high (missing at random)."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    baseline = rng.normal(size=n)
    y = 0.6 * baseline[:, None] + rng.normal(size=(n, 1)) + 0.6 * rng.normal(size=(n, visits))
    y += effect * np.arange(1, visits + 1) / visits * arm[:, None]
    for v in range(1, visits):
        leaves = rng.random(n) < 2 * chance / (1 + np.exp(-2 * y[:, v - 1]))
        y[leaves | np.isnan(y[:, v - 1]), v] = np.nan
    return y, baseline, arm


def at_last_visit(baseline, arm):
    return lambda y: mixed.ancova(y[:, -1], baseline, arm)


def test_one_visit_draws_from_the_closed_form_posterior_predictive():
    """One visit: a value given the posterior is t on n - q + 3 degrees of freedom about the least squares line; prior
    and data have mean s^2, so that its variance is s^2 (1 + leverage)."""
    rng = np.random.default_rng(1)
    n, arm, baseline = 24, np.arange(24) % 2, rng.normal(size=24)
    y = (1 + 2 * baseline - arm + rng.normal(size=n))[:, None]
    y[[3, 10]] = np.nan
    drawn = imputation.impute(y, baseline, arm, [7], 20_000, np.random.default_rng(2)).values[:, :, 0]
    seen = ~np.isnan(y[:, 0])
    x = np.column_stack([np.ones(n), arm, baseline])
    beta, rss = np.linalg.lstsq(x[seen], y[seen, 0], rcond=None)[:2]
    s2 = rss[0] / (seen.sum() - 3)
    for child in (3, 10):
        leverage = x[child] @ np.linalg.inv(x[seen].T @ x[seen]) @ x[child]
        scale = np.sqrt((rss[0] + s2) / (seen.sum() - 3 + 3) * (1 + leverage))
        centred = (drawn[:, child] - x[child] @ beta) / scale
        assert drawn[:, child].var() == pytest.approx(s2 * (1 + leverage), rel=0.05)
        assert stats.kstest(centred, stats.t(seen.sum() - 3 + 3).cdf).pvalue > 0.001


def test_mar_agrees_with_the_mmrm_on_the_r_data():
    """Two ways to the same assumption: R's mmrm (data/reference/r) and imputation of the same model."""
    long = pd.read_csv(R / "long.csv", float_precision="round_trip")
    wide = {c: long.pivot(index="id", columns="visitn", values=c).to_numpy() for c in ("upcr", "chg")}
    first = long.groupby("id").first()
    month = long.groupby("visitn")["month"].first().to_numpy()
    r = pd.read_csv(R / "r_values.csv", float_precision="round_trip").set_index("key")["value"]
    visits = [5, 8, 9, 11]
    y = np.where(np.isnan(wide["upcr"]), np.nan, wide["chg"])[:, visits]
    baseline, arm = first["lbase"].to_numpy(), first["arm"].to_numpy()
    completed = imputation.impute(y, baseline, arm, month[visits] * 30.4375, 500, np.random.default_rng(3))
    pooled = imputation.pool(completed, at_last_visit(baseline, arm))
    assert pooled.message == ""
    estimate, se = r["mmrm4.Satterthwaite.final.1"], r["mmrm4.Satterthwaite.final.2"]
    assert abs(pooled.estimate - estimate) < 4 * pooled.monte_carlo
    assert pooled.se == pytest.approx(se, rel=0.05)


def test_mar_recovers_the_truth_where_observed_cases_do_not():
    y, baseline, arm = drop_out(5, n=4000, effect=-1.0)
    completed = imputation.impute(y, baseline, arm, DAYS, 30, np.random.default_rng(4))
    pooled = imputation.pool(completed, at_last_visit(baseline, arm))
    assert abs(pooled.estimate + 1) < 3 * pooled.se
    # In the control arm alone: the true mean is 0 and those who stay are lower.
    control = imputation.rubin(
        completed.values[:, arm == 0, -1].mean(axis=1), completed.values[:, arm == 0, -1].var(axis=1) / 2000
    )
    assert abs(control.estimate) < 3.5 * control.se
    assert np.nanmean(y[arm == 0, -1]) < -0.25


def test_jump_to_reference_leaves_the_effect_of_those_who_stay():
    """Drop-out unrelated to anything: under jump to reference the effect at the end is (1 - share) x effect."""
    rng = np.random.default_rng(6)
    y, baseline, arm = drop_out(7, n=4000, effect=-2.0, chance=0.0)
    gone = rng.random(4000) < 0.4
    y[gone, 2:] = np.nan
    share = gone[arm == 1].mean()
    estimates = {}
    for method in imputation.METHODS:
        completed = imputation.impute(
            y, baseline, arm, DAYS, 20, np.random.default_rng(8), Assumption(method)
        )
        estimates[method] = imputation.pool(completed, at_last_visit(baseline, arm))
    mar, jump = (estimates[m] for m in imputation.METHODS)
    assert abs(mar.estimate + 2) < 3 * mar.se
    assert abs(jump.estimate + 2 * (1 - share)) < 3 * jump.se
    assert jump.estimate > mar.estimate + 0.5


def test_jump_and_delta_change_only_what_is_unseen_after_drop_out_in_the_active_arm():
    y, baseline, arm = drop_out(9)
    y[1, 0], y[1, 2:] = np.nan, [0.3, 0.1]

    def completed(**assumed):
        rng = np.random.default_rng(1)
        return imputation.impute(y, baseline, arm, DAYS, 5, rng, Assumption(**assumed)).values

    mar = completed()
    last = np.array([np.flatnonzero(~np.isnan(row)).max() for row in y])
    after = (np.arange(4) > last[:, None]) & (arm == 1)[:, None]
    assert after.any()
    assert np.isnan(y[1, 0])
    for other in (completed(method="jump to reference"), completed(delta=0.7)):
        np.testing.assert_array_equal(other[:, ~after], mar[:, ~after])
        assert (other[:, after] != mar[:, after]).all()
    np.testing.assert_allclose((completed(delta=0.7) - mar)[:, after], 0.7)
    both = completed(delta=(0.2, 0.7)) - mar
    beyond = (np.arange(4) > last[:, None]) & (arm == 0)[:, None]
    np.testing.assert_allclose(both[:, beyond], 0.2)
    assert not np.isnan(mar).any()
    np.testing.assert_array_equal(
        mar[:, ~np.isnan(y)], np.broadcast_to(y[~np.isnan(y)], (5, (~np.isnan(y)).sum()))
    )


def test_jump_to_reference_of_a_child_by_hand():
    """Active child last seen at visit 1: mean at visit 2 = reference mean + regression on its own residual about the
    active mean (Carpenter, Roger & Kenward 2013, section 4.3; one covariance)."""
    y, _, arm = drop_out(10, n=800, visits=2, chance=0.0)
    y[1, 1] = np.nan
    y[1, 0] = 2.5
    drawn = imputation.impute(
        y, None, arm, DAYS[:2], 2000, np.random.default_rng(11), Assumption("jump to reference")
    ).values
    means = [np.nanmean(y[(arm == a) & (np.arange(800) != 1)], axis=0) for a in (0, 1)]
    rest = np.delete(y - np.where(arm == 1, *[np.array(m)[:, None] for m in means[::-1]]).T, 1, axis=0)
    s = np.cov(rest.T)
    expected = means[0][1] + s[1, 0] / s[0, 0] * (2.5 - means[1][0])
    spread = np.sqrt(s[1, 1] - s[1, 0] ** 2 / s[0, 0])
    assert drawn[:, 1, 1].mean() == pytest.approx(expected, abs=0.08)
    assert drawn[:, 1, 1].std() == pytest.approx(spread, rel=0.06)


def test_rubin_by_exact_arithmetic_on_a_published_example():
    """Inputs: SAS/STAT User's Guide, PROC MIANALYZE, example "Reading Means and Standard Errors" (means of Oxygen in
    five imputations, EDF = 30). Expected: the formulas of that chapter (Barnard & Rubin) in exact fractions."""
    means = ["47.0120", "47.2407", "47.4995", "47.1485", "47.0042"]
    errors = ["0.95984", "0.93540", "1.00766", "0.95439", "0.96528"]
    q, u = [Fraction(v) for v in means], [Fraction(v) ** 2 for v in errors]
    centre, within = sum(q) / 5, sum(u) / 5
    between = sum((v - centre) ** 2 for v in q) / 4
    r = Fraction(6, 5) * between / within
    df_m = 4 * (1 + 1 / r) ** 2
    gamma = r / (1 + r)
    df_seen = (1 - gamma) * 30 * Fraction(31, 33)
    df = 1 / (1 / df_m + 1 / df_seen)
    ours = imputation.rubin([float(v) for v in q], [float(v) for v in u], 30)
    total = within + Fraction(6, 5) * between
    expected = [float(v) for v in (centre, within, between, df)]
    assert [ours.estimate, ours.within, ours.between, ours.df] == pytest.approx(expected, rel=1e-12)
    assert ours.se == pytest.approx(float(total) ** 0.5, rel=1e-12)
    assert ours.fmi == pytest.approx(float((r + 2 / (df + 3)) / (1 + r)), rel=1e-12)
    assert ours.upper - ours.estimate == pytest.approx(stats.t.ppf(0.975, float(df)) * ours.se, rel=1e-12)


def test_rubin_published_degrees_of_freedom():
    # SAS/STAT User's Guide, PROC MI, "Combining Inferences": m = 5 and r = 10 % give 484 degrees of freedom.
    within, between = 1.0, 0.1 / 1.2
    estimates = np.array([-1, -1, 0, 1, 1]) * np.sqrt(between)
    ours = imputation.rubin(estimates, np.full(5, within))
    assert ours.df == pytest.approx(484, rel=1e-12)
    # With nothing missing: (df + 1) / (df + 3) df; R's mice::barnard.rubin gives 56.098 at 58.
    assert imputation.rubin([1, 1], [2, 2], 58).df == pytest.approx(56.098, abs=5e-4)
    assert imputation.rubin([1, 1], [2, 2]).df == np.inf


def test_pool_of_complete_data_is_the_analysis_itself():
    y, baseline, arm = drop_out(12, chance=0.0)
    completed = imputation.impute(y, baseline, arm, DAYS, 3, np.random.default_rng(1))
    assert completed.message == "nothing to impute"
    alone, pooled = at_last_visit(baseline, arm)(y), imputation.pool(completed, at_last_visit(baseline, arm))
    assert [pooled.estimate, pooled.se] == pytest.approx([alone.estimate, alone.se], rel=1e-12)
    assert pooled.between == 0
    assert pooled.df == pytest.approx(37 * 38 / 40)


@pytest.mark.slow
def test_coverage_at_twenty_an_arm():
    """Known truth, 120 trials of 2 x 20, missing at random: 95 % lies within 89 and 100 % of 120 trials."""
    inside = 0
    for seed in range(120):
        y, baseline, arm = drop_out(1000 + seed, effect=-1.0, chance=0.2)
        completed = imputation.impute(y, baseline, arm, DAYS, 20, np.random.default_rng(seed))
        pooled = imputation.pool(completed, at_last_visit(baseline, arm))
        inside += pooled.lower < -1 < pooled.upper
    assert 0.89 < inside / 120 <= 1


UGLY = {
    "all missing": lambda y, b, a: (y * np.nan, b, a),
    "one arm": lambda y, b, a: (y, b, 0 * a),
    "one child in an arm": lambda y, b, a: (y, b, np.eye(len(a), dtype=int)[0]),
    "nothing in the active arm at the end": lambda y, b, a: (
        np.where((a[:, None] == 1) & (np.arange(4) == 3), np.nan, y), b, a),
    "a visit without data": lambda y, b, a: (np.where(np.arange(4) == 2, np.nan, y), b, a),
    "constant": lambda y, b, a: (0 * y + 3, b, a),
    "two children": lambda y, b, a: (y[:2], b[:2], a[:2]),
    "no children": lambda y, b, a: (y[:0], b[:0], a[:0]),
    "six children": lambda y, b, a: (y[:6], b[:6], a[:6]),
    "one baseline": lambda y, b, a: (y, 0 * b + 2, a),
    "no baseline": lambda y, b, a: (y, b * np.nan, a),
    "missing baselines": lambda y, b, a: (y, np.where(np.arange(len(b)) < 3, np.nan, b), a),
    "a child never seen": lambda y, b, a: (np.where(np.arange(len(b))[:, None] == 0, np.nan, y), b, a),
    "two visits never together": lambda y, b, a: (
        np.where((np.arange(len(b))[:, None] // 2 % 2) == np.array([0, 2, 2, 1]), np.nan, y), b, a),
    "huge numbers": lambda y, b, a: (y * 1e9, b, a),
    "tiny numbers": lambda y, b, a: (y * 1e-9, b, a),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
@pytest.mark.parametrize("method", imputation.METHODS)
def test_ugly_data_answers_in_words(name, method):
    y, baseline, arm = UGLY[name](*drop_out(13))
    completed = imputation.impute(y, baseline, arm, DAYS, 4, np.random.default_rng(1), Assumption(method))
    if len(completed.values) == 0 or np.isnan(completed.values).any():
        assert completed.message
    if len(completed.values):
        seen = ~np.isnan(y)
        assert (completed.values[:, seen] == y[seen]).all()
    pooled = imputation.pool(completed, at_last_visit(baseline, arm))
    assert (
        pooled.message
        or np.isfinite([pooled.estimate, pooled.lower, pooled.upper, pooled.se, pooled.p]).all()
    )


def test_what_is_not_imputed_is_named():
    y, baseline, arm = drop_out(14)
    y[arm == 1, 3] = np.nan
    baseline[[0, 5]] = np.nan
    completed = imputation.impute(y, baseline, arm, DAYS, 2, np.random.default_rng(1))
    assert "2 children without baseline not imputed" in completed.message
    assert "visit 4 not imputed" in completed.message
    assert np.isnan(completed.values[:, arm == 1, 3]).all()
    assert not np.isnan(np.delete(completed.values, [0, 5], axis=1)[..., :3]).any()
    pooled = imputation.pool(completed, at_last_visit(baseline, arm))
    assert "2 of 2 imputations gave no estimate" in pooled.message


def test_rubin_answers_in_words():
    assert "need two or more" in imputation.rubin([1.0], [1.0]).message
    assert "1 of 2 imputations" in imputation.rubin([1.0, np.nan], [1.0, 1.0]).message
    assert "no variance" in imputation.rubin([1.0, 1.0], [0.0, 0.0]).message
    assert "no variance within" in imputation.rubin([1.0, 2.0], [0.0, 0.0], 20).message
    nothing = imputation.pool(imputation.Imputation(np.empty((0, 3, 2)), "why"), at_last_visit([], []))
    assert nothing.message == "why"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y, b, a, g: imputation.impute(y[0], b, a, DAYS, 2, g), "y must be"),
        (lambda y, b, a, g: imputation.impute(y, b, a + 1, DAYS, 2, g), "arm must be 0 or 1"),
        (lambda y, b, a, g: imputation.impute(y, b, a, DAYS[::-1], 2, g), "days must be 4 increasing"),
        (lambda y, b, a, g: imputation.impute(y, b[1:], a, DAYS, 2, g), "baseline must be 40"),
        (lambda y, b, a, g: imputation.impute(y, b, a, DAYS, 0, g), "n_imputations"),
        (lambda y, b, a, g: imputation.impute(y, b, a, DAYS, 2, g, Assumption("copy")), "method is 'copy'"),
        (
            lambda y, b, a, g: imputation.impute(y, b, a, DAYS, 2, g, Assumption(delta=[1, 2, 3])),
            "delta must be",
        ),
        (lambda y, b, a, g: imputation.rubin([1, 2], [1]), "one length"),
        (lambda y, b, a, g: imputation.rubin([1, 2], [1, -1]), "negative"),
        (lambda y, b, a, g: imputation.rubin([1, 2], [1, 1], 0), "df_complete"),
        (lambda y, b, a, g: imputation.rubin([1, 2], [1, 1], level=95), "level"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(*drop_out(9), np.random.default_rng(0))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50), st.sampled_from(imputation.METHODS))
def test_units_and_origin_make_no_difference(seed, scale, shift, method):
    y, baseline, arm = drop_out(seed, visits=3)
    base = imputation.impute(y, baseline, arm, DAYS[:3], 3, np.random.default_rng(seed), Assumption(method))
    same = imputation.impute(
        scale * y + shift, baseline, arm, DAYS[:3], 3, np.random.default_rng(seed), Assumption(method)
    )
    assert base.message == same.message
    np.testing.assert_allclose(same.values, scale * base.values + shift, rtol=1e-4, atol=1e-4 * scale)


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 5)), min_size=2, max_size=20),
    st.floats(1, 200),
    st.floats(0.1, 10),
    st.randoms(use_true_random=False),
)
def test_rubin_order_units_sign_and_bounds(pairs, df_complete, scale, shuffler):
    q, u = np.array(pairs).T
    ours = imputation.rubin(q, u, df_complete)
    shuffler.shuffle(pairs)
    again = imputation.rubin(*np.array(pairs).T, df_complete)
    scaled = imputation.rubin(-scale * q, scale**2 * u, df_complete)
    for name in ("se", "df", "p", "fmi", "between"):
        assert getattr(again, name) == pytest.approx(getattr(ours, name), rel=1e-6, abs=1e-9)
    assert [scaled.estimate, scaled.se] == pytest.approx([-scale * ours.estimate, scale * ours.se], abs=1e-9)
    assert [scaled.lower, scaled.upper] == pytest.approx([-scale * ours.upper, -scale * ours.lower], rel=1e-6)
    assert ours.df <= df_complete + 1e-9
    assert ours.within <= ours.se**2 * (1 + 1e-12)
    assert imputation.rubin(q, u).df >= ours.df


# ------------------------------------------------------------------ two proportions


@pytest.mark.parametrize(
    ("x0", "n0", "x1", "n1"), [(3, 18, 9, 18), (0, 20, 4, 12), (0, 18, 0, 18), (18, 18, 18, 18)]
)
def test_proportions_without_missing_data_are_newcombe_s(x0, n0, x1, n1):
    found = imputation.rubin_proportions(np.full(5, x0 / n0), n0, np.full(5, x1 / n1), n1)
    assert (found.lower, found.upper) == pytest.approx(proportions.newcombe(x0, n0, x1, n1))
    assert (found.estimate, found.between) == (pytest.approx(x1 / n1 - x0 / n0), pytest.approx(0, abs=1e-30))


def test_no_event_in_either_arm_and_undetermined_children_give_a_sensible_interval():
    one = tipping.Arm(0, 18, 3)
    found = tipping.impute_binary(one, one, 500, np.random.default_rng(1))
    assert abs(found.estimate) < 0.01
    assert found.lower == pytest.approx(-found.upper, abs=0.03)
    # wider than with all 18 seen, and not by much
    seen = proportions.newcombe(0, 18, 0, 18)[1]
    assert seen < found.upper < 2 * seen


def test_imputed_proportions_cover_at_eighteen_an_arm():
    """A quarter undetermined at random; Rubin's rules on Wald's variance miss this by two points."""
    rng = np.random.default_rng(3)
    p0, p1, trials, inside, wald = 0.19, 0.45, 600, 0, 0
    for _ in range(trials):
        undetermined = np.minimum(rng.binomial(18, 0.25, 2), 17)
        arms = [
            tipping.Arm(int(rng.binomial(18 - u, p)), 18, int(u))
            for u, p in zip(undetermined, (p0, p1), strict=True)
        ]
        found = tipping.impute_binary(*arms, 30, rng)
        inside += found.lower <= p1 - p0 <= found.upper
        half = 1.96 * np.sqrt(found.within + found.between * 31 / 30)
        wald += abs(found.estimate - (p1 - p0)) <= half
    assert inside / trials > 0.93
    assert wald < inside


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: imputation.rubin_proportions([0.1], 5, [0.1, 0.2], 5), "one length"),
        (lambda: imputation.rubin_proportions([0.1, 1.2], 5, [0.1, 0.2], 5), "between 0 and 1"),
        (lambda: imputation.rubin_proportions([0.1, 0.2], 0, [0.1, 0.2], 5), "needs children"),
        (lambda: imputation.rubin_proportions([0.1, 0.2], 5, [0.1, 0.2], 5, 95), "level"),
    ],
)
def test_proportions_that_cannot_be_pooled_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
    assert "two or more" in imputation.rubin_proportions([0.1], 5, [0.2], 5).message
