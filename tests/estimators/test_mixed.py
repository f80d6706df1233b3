"""Mixed models against R (data/reference/r), statsmodels, published data, brute force and known answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators import mixed, reml

R = Path(__file__).parents[2] / "data" / "reference" / "r"
ADJUSTMENTS = {
    "Satterthwaite": "asymptotic",
    "Kenward-Roger": "kenward-roger",
    "Kenward-Roger-Linear": "kenward-roger-linear",
}
DAYS = np.array([14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365.0])


@pytest.fixture(scope="module")
def r_values():
    return pd.read_csv(R / "r_values.csv", float_precision="round_trip").set_index("key")["value"]


@pytest.fixture(scope="module")
def trial():
    long = pd.read_csv(R / "long.csv", float_precision="round_trip")
    wide = {c: long.pivot(index="id", columns="visitn", values=c).to_numpy() for c in ("upcr", "chg", "egfr")}
    first = long.groupby("id").first()
    change = np.where(np.isnan(wide["upcr"]), np.nan, wide["chg"])
    month = long.groupby("visitn")["month"].first().to_numpy()
    return {
        "change": change,
        "egfr": wide["egfr"],
        "baseline": first["lbase"].to_numpy(),
        "arm": first["arm"].to_numpy(),
        "month": month,
    }


@pytest.fixture(scope="module")
def mmrm_fits(trial):
    def fit(visits):
        return mixed.mmrm(
            trial["change"][:, visits], trial["baseline"], trial["arm"], trial["month"][visits] * 30.4375
        )

    return {"mmrm4": fit([5, 8, 9, 11]), "mmrm11": fit(list(range(1, 12)))}


@pytest.fixture(scope="module")
def dental():
    # Potthoff & Roy (1964), Biometrika 51:313-326: distance (mm) at 8, 10, 12 and 14 years.
    teeth = pd.read_csv(R.parent / "published" / "dental.csv")
    return (
        teeth.drop(columns="sex").to_numpy(float),
        np.array([8.0, 10, 12, 14]),
        (teeth["sex"] == "M").to_numpy(int),
    )


def simulated(seed, n=16, visits=4, missing=0.1):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(n, visits)) + rng.normal(size=(n, 1))
    y[rng.random(y.shape) < missing] = np.nan
    return y, rng.normal(size=n), np.arange(n) % 2


def numbers(contrast):
    return np.array([contrast.estimate, contrast.se, contrast.df, contrast.t, contrast.p])


@pytest.mark.parametrize("tag", ["mmrm4", "mmrm11"])
@pytest.mark.parametrize("method", ADJUSTMENTS)
@pytest.mark.parametrize("what", ["final", "avg"])
def test_mmrm_equals_r(mmrm_fits, r_values, tag, method, what):
    fit = mmrm_fits[tag]
    k = sum(name.startswith("arm[") for name in fit.names)
    weights = np.eye(k)[-1] if what == "final" else np.full(k, 1 / k)
    ours = numbers(fit.arm_contrast(weights, se=ADJUSTMENTS[method]))
    theirs = r_values[[f"{tag}.{method}.{what}.{i}" for i in range(1, 6)]].to_numpy()
    assert fit.structure == reml.UNSTRUCTURED
    # mmrm11: R reached the maximum too. mmrm4: R stopped 2.6e-7 below it (next test), which costs 4 digits of the
    # variance and so of p.
    tolerance = [1e-8] * 5 if tag == "mmrm11" else [1e-5, 1e-4, 2e-4, 1e-4, 1e-3]
    np.testing.assert_array_less(np.abs(ours / theirs - 1), tolerance)


@pytest.mark.parametrize("tag", ["mmrm4", "mmrm11"])
def test_mmrm_likelihood_is_no_lower_than_either_r_package(mmrm_fits, r_values, tag):
    reml = mmrm_fits[tag].reml
    highest = max(r_values[f"{tag}.Satterthwaite.reml"], r_values[f"{tag}.gls.reml"])
    assert reml >= highest - 1e-10
    assert reml == pytest.approx(highest, rel=1e-8)


def test_complete_data_mmrm_is_multivariate_regression():
    """Balanced data: REML is the residual covariance of separate regressions, and each visit's contrast is its
    own least squares t-test with n - 3 degrees of freedom."""
    y, baseline, arm = simulated(1, n=20, missing=0)
    fit = mixed.mmrm(y, baseline, arm, DAYS[:4])
    x = np.column_stack([np.ones(20), baseline, arm])
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(fit.covariance, residuals.T @ residuals / 17, rtol=1e-7)
    for v in range(4):
        ours, alone = fit.arm_contrast(np.eye(4)[v]), mixed.ancova(y[:, v], baseline, arm)
        np.testing.assert_allclose(numbers(ours), numbers(alone), rtol=1e-6)


def test_restricted_likelihood_by_its_definition(mmrm_fits, trial):
    """Likelihood of error contrasts, written out child by child without the engine."""
    fit = mmrm_fits["mmrm4"]
    y = trial["change"][:, [5, 8, 9, 11]]
    x, _ = mixed.visit_design(y, trial["baseline"], trial["arm"])
    s, cross, moment, log_s, n = fit.covariance, 0, 0, 0, 0
    kept = [(~np.isnan(y[i]), x[i], y[i]) for i in range(len(y)) if (~np.isnan(y[i])).any()]
    for m, xi, yi in kept:
        inverse = np.linalg.inv(s[np.ix_(m, m)])
        cross = cross + xi[m].T @ inverse @ xi[m]
        moment = moment + xi[m].T @ inverse @ yi[m]
        log_s += np.linalg.slogdet(s[np.ix_(m, m)])[1]
        n += m.sum()
    beta = np.linalg.solve(cross, moment)
    quadratic = sum(
        (yi[m] - xi[m] @ beta) @ np.linalg.inv(s[np.ix_(m, m)]) @ (yi[m] - xi[m] @ beta) for m, xi, yi in kept
    )
    reml = -0.5 * ((n - len(beta)) * np.log(2 * np.pi) + log_s + np.linalg.slogdet(cross)[1] + quadratic)
    assert fit.reml == pytest.approx(reml, rel=1e-12)
    np.testing.assert_allclose(fit.coefficients, beta, rtol=1e-8)


@pytest.mark.parametrize("name", ["unstructured", "exponential", "slope"])
def test_score_and_information_equal_numeric_derivatives(name):
    visits = 3 if name == "unstructured" else 5
    y, _, _ = simulated(4, n=12, visits=visits, missing=0.15)
    mask = ~np.isnan(y)
    mask[~mask.any(axis=1), 0] = True
    x = np.where(mask[..., None], np.stack([np.ones(y.shape), np.arange(visits) + 0 * y], axis=2), 0)
    data = reml.Data(np.where(mask, np.nan_to_num(y), 0), x, mask)
    model, theta = {
        "unstructured": (reml.Unstructured(3), np.array([0.1, 0.2, -0.1, 0.3, 0.2, 0.4])),
        "exponential": (reml.Exponential(DAYS[2:7]), np.array([0.7, 0.6, 0.5, np.log(20)])),
        "slope": (reml.RandomSlope(DAYS[:5] / 30), np.array([0.8, 0.1, 0.3, -0.2])),
    }[name]
    score, expected, observed, _ = data.slopes(model, theta)
    h, eye = 1e-4, np.eye(len(theta))

    def height(at):
        return data.solve(model.value(at))["likelihood"]

    numeric = [(height(theta + h * e) - height(theta - h * e)) / (2 * h) for e in eye]
    np.testing.assert_allclose(score, numeric, atol=1e-5)
    second = -np.array(
        [(data.slopes(model, theta + h * e)[0] - data.slopes(model, theta - h * e)[0]) / (2 * h) for e in eye]
    )
    if model.saturated:
        # The term with S's second derivatives is left out there on purpose: it vanishes at the maximum.
        weights = np.zeros((len(theta), len(theta)))
        for j in range(len(theta)):
            for k in range(len(theta)):
                weights[:] = 0
                weights[j, k] = weights[k, j] = 0.5 if j != k else 1
                curved = model.second_sum(theta, weights)
                observed[j, k] += 0.5 * (curved * data.slopes(model, theta)[3]["gradient"]).sum()
    np.testing.assert_allclose(observed, second, atol=1e-5)
    assert np.linalg.eigvalsh(expected)[0] > 0


def test_random_slope_equals_lmer(trial, r_values):
    fit = mixed.random_slope(trial["egfr"], trial["month"] / 12, trial["arm"])
    assert fit.reml == pytest.approx(r_values["lmer.reml"], rel=1e-10)
    assert list(fit.parameters.values()) == pytest.approx(
        r_values[[f"lmer.vc.{k}" for k in range(1, 5)]].tolist(), rel=1e-5
    )
    for k, name in enumerate(fit.names, 1):
        ours = fit.contrast({name: 1}, se="asymptotic")
        assert ours.estimate == pytest.approx(r_values[f"lmer.coef.{k}"], rel=1e-6)
        assert ours.se == pytest.approx(r_values[f"lmer.se.{k}"], rel=1e-6)
        assert ours.df == pytest.approx(r_values[f"lmer.satt.df.{k}"], rel=1e-5)
        assert ours.p == pytest.approx(r_values[f"lmer.satt.p.{k}"], rel=2e-5)
        pbkrtest = fit.contrast({name: 1}, se="kenward-roger-linear", information="expected")
        assert pbkrtest.se == pytest.approx(r_values[f"lmer.kr.se.{k}"], rel=1e-6)
        assert pbkrtest.df == pytest.approx(r_values[f"lmer.kr.df.{k}"], rel=1e-6)


def test_dental_data_unstructured_published(dental):
    """Unstructured REML fit with a mean per sex and age: balanced, so the pooled within-sex covariance.

    Jennrich & Schluchter (1986), and SAS PROC MIXED's documentation, fit the same data.
    """
    y, ages, arm = dental
    fit = mixed.mmrm(y, None, arm, ages)
    within = sum((len(g) - 1) * np.cov(g.T) for g in (y[arm == 0], y[arm == 1])) / 25
    np.testing.assert_allclose(fit.covariance, within, rtol=1e-7)
    last = fit.arm_contrast([0, 0, 0, 1])
    t = stats.ttest_ind(y[arm == 1, 3], y[arm == 0, 3])
    assert [last.t, last.df, last.p] == pytest.approx([t.statistic, 25, t.pvalue], rel=1e-6)


def test_dental_random_slope_published(dental):
    """Pinheiro & Bates (2000), Mixed-Effects Models in S and S-PLUS, section 4.2: slopes of girls and boys, and SDs of
    the fit with age centred at 11. Balanced data: the slope difference is the t-test of the children's own slopes."""
    y, ages, arm = dental
    fit = mixed.random_slope(y, ages - 11, arm)
    girls, difference = fit.contrast({"time": 1}), fit.contrast({"time x arm": 1})
    assert girls.estimate == pytest.approx(0.4795, abs=5e-5)
    assert girls.estimate + difference.estimate == pytest.approx(0.7844, abs=5e-5)
    slopes = np.polyfit(ages, y.T, 1)[0]
    t = stats.ttest_ind(slopes[arm == 1], slopes[arm == 0])
    assert [difference.t, difference.df] == pytest.approx([t.statistic, 25], rel=1e-5)
    assert np.sqrt(fit.parameters["var residual"]) == pytest.approx(1.3100, abs=5e-5)
    assert np.sqrt(fit.parameters["var intercept"]) == pytest.approx(1.8303, abs=5e-5)
    assert np.sqrt(fit.parameters["var slope"]) == pytest.approx(0.1803, abs=1e-4)


def test_random_slope_near_statsmodels(trial):
    long = pd.DataFrame(
        {
            "y": trial["egfr"].ravel(),
            "t": np.tile(trial["month"] / 12, 40),
            "arm": np.repeat(trial["arm"], 12),
            "id": np.repeat(np.arange(40), 12),
        }
    ).dropna()
    theirs = smf.mixedlm("y ~ t * arm", long, groups="id", re_formula="~t").fit(method="lbfgs")
    fit = mixed.random_slope(trial["egfr"], trial["month"] / 12, trial["arm"])
    np.testing.assert_allclose(
        fit.coefficients, theirs.fe_params[["Intercept", "t", "arm", "t:arm"]], rtol=1e-3
    )
    assert fit.reml >= theirs.llf - 1e-6


def test_ancova_equals_r(trial, r_values):
    ours = mixed.ancova(trial["change"][:, 11], trial["baseline"], trial["arm"])
    expected = r_values[[f"ancova12.{k}" for k in range(1, 5)]].tolist()
    assert [ours.estimate, ours.se, ours.t, ours.p] == pytest.approx(expected, rel=1e-10)
    assert "left out" in ours.message


def test_time_weights_are_the_time_average():
    weights = mixed.time_weights(DAYS)
    assert weights.sum() == pytest.approx(1)
    assert weights @ DAYS == pytest.approx((14 + 365) / 2)
    assert weights[:4].sum() < 0.2 < 4 / 11
    assert mixed.time_weights([5]).tolist() == [1]


def test_exponential_fallback_recovers_what_it_was_given():
    rng = np.random.default_rng(11)
    gap = np.abs(DAYS[:, None] - DAYS)
    s = 0.5**2 + 0.6**2 * np.exp(-gap / 60) + 0.3**2 * np.eye(11)
    y = rng.normal(size=(300, 11)) @ np.linalg.cholesky(s).T
    y[:150, 10] = y[150:, 0] = np.nan  # first and last visit are never attended by the same child
    arm = np.arange(300) % 2
    y[arm == 1] += 0.4
    fit = mixed.mmrm(y, None, arm, DAYS)
    assert fit.structure == "child effect + exponential correlation in days + nugget"
    assert "never attended by the same child" in fit.message
    assert list(fit.parameters.values()) == pytest.approx([0.5, 0.6, 0.3, 60], rel=0.3)
    c = fit.arm_contrast(mixed.time_weights(DAYS))
    assert c.lower < 0.4 < c.upper
    assert 250 < c.df < 320


def test_component_estimated_as_zero_leaves_the_named_structure():
    rng = np.random.default_rng(5)
    y = rng.normal(size=(8, 11))
    fit = mixed.mmrm(y, None, np.arange(8) % 2, DAYS)
    assert fit.converged
    assert "8 children are too few for 11 visits" in fit.message
    assert fit.structure in {
        " + ".join(reml.Exponential.words[t] for t in terms) for terms in ("beu", *reml.Exponential.reduced)
    }


def test_interval_and_type_one_error_at_twenty_an_arm():
    """Known truth: no difference; 200 trials of 2 x 20 at four visits with a tenth of the values missing."""
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        y = rng.normal(size=(40, 4)) + rng.normal(size=(40, 1))
        y[rng.random(y.shape) < 0.1] = np.nan
        fit = mixed.mmrm(y, None, np.arange(40) % 2, DAYS[:4])
        inside += fit.arm_contrast([0, 0, 0, 1]).p > 0.05
    assert 0.90 < inside / 200 < 0.99


UGLY = {
    "all missing": lambda y, b, a: (y * np.nan, b, a),
    "one child in an arm": lambda y, b, a: (y, b, np.eye(len(a), dtype=int)[0]),
    "one arm": lambda y, b, a: (y, b, 0 * a),
    "nothing in the active arm at the end": lambda y, b, a: (
        np.where((a[:, None] == 1) & (np.arange(4) == 3), np.nan, y),
        b,
        a,
    ),
    "a visit without data": lambda y, b, a: (np.where(np.arange(4) == 2, np.nan, y), b, a),
    "first visit only": lambda y, b, a: (np.where(np.arange(4) > 0, np.nan, y), b, a),
    "constant": lambda y, b, a: (0 * np.nan_to_num(y) + 3, b, a),
    "one value a child": lambda y, b, a: (np.repeat(y[:, :1], 4, axis=1), b, a),
    "two children": lambda y, b, a: (y[:2], b[:2], a[:2]),
    "one child": lambda y, b, a: (y[:1], b[:1], a[:1]),
    "no children": lambda y, b, a: (y[:0], b[:0], a[:0]),
    "one baseline": lambda y, b, a: (y, 0 * b + 2, a),
    "missing baselines": lambda y, b, a: (y, np.where(a == 1, np.nan, b), a),
    "huge numbers": lambda y, b, a: (y * 1e9, b, a),
    "tiny numbers": lambda y, b, a: (y * 1e-9, b, a),
}


@pytest.mark.parametrize("name", UGLY)
def test_ugly_data_answers_in_words(name):
    y, baseline, arm = UGLY[name](*simulated(9))
    fits = [mixed.mmrm(y, baseline, arm, DAYS[:4]), mixed.random_slope(y, DAYS[:4] / 365, arm)]
    for fit in fits:
        for se in mixed.SE_METHODS:
            c = fit.contrast({fit.names[-1]: 1}, se=se)
            assert c.message or np.isfinite(numbers(c)).all(), (fit, c)
        assert fit.converged or fit.message
    for v in range(y.shape[1]):
        c = mixed.ancova(y[:, v], baseline, arm)
        assert c.message or np.isfinite(numbers(c)).all()


def test_what_is_lacking_is_named():
    y, baseline, arm = simulated(9)
    y[arm == 1, 3] = np.nan
    fit = mixed.mmrm(y, baseline, arm, DAYS[:4])
    assert "arm[4]" in fit.arm_contrast([0, 0, 0, 1]).message
    assert np.isnan(fit.arm_contrast([0, 0, 0, 1]).estimate)
    assert np.isfinite(fit.arm_contrast([1, 0, 0, 0]).estimate)
    baseline[0] = np.nan
    assert "1 children without baseline" in mixed.mmrm(y, baseline, arm, DAYS[:4]).message


def test_singular_random_slope_is_reported():
    fit = mixed.random_slope(np.random.default_rng(0).normal(size=(40, 6)), DAYS[:6] / 365, np.arange(40) % 2)
    assert "boundary: singular fit" in fit.message
    assert "boundary" in fit.contrast({"time": 1}).message


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda y, b, a: mixed.mmrm(y[0], b, a, DAYS[:4]), "y must be"),
        (lambda y, b, a: mixed.mmrm(y, b, a + 1, DAYS[:4]), "arm must be 0 or 1"),
        (lambda y, b, a: mixed.mmrm(y, b, a, DAYS[3::-1]), "days must be 4 increasing"),
        (lambda y, b, a: mixed.mmrm(y, b[1:], a, DAYS[:4]), "baseline must be 16"),
        (lambda y, b, a: mixed.mmrm(y * np.inf, b, a, DAYS[:4]), "infinite"),
        (lambda y, b, a: mixed.random_slope(y, [1, 2], a), "times must be 4"),
        (lambda y, b, a: mixed.mmrm(y, b, a, DAYS[:4]).arm_contrast([1]), "4 weights"),
        (lambda y, b, a: mixed.mmrm(y, b, a, DAYS[:4]).contrast({"dose": 1}), "no column named dose"),
        (lambda y, b, a: mixed.mmrm(y, b, a, DAYS[:4]).contrast({"arm[1]": 1}, se="robust"), "se is"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call(*simulated(9))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_arm_order_row_order_and_units(seed, scale):
    y, baseline, arm = simulated(seed, n=20, visits=3)
    order = np.random.default_rng(seed).permutation(20)
    weights = mixed.time_weights(DAYS[:3])
    base = mixed.mmrm(y, baseline, arm, DAYS[:3]).arm_contrast(weights)
    shuffled = mixed.mmrm(y[order], baseline[order], arm[order], DAYS[:3]).arm_contrast(weights)
    np.testing.assert_allclose(numbers(shuffled), numbers(base), rtol=1e-5)
    swapped = mixed.mmrm(y, baseline, 1 - arm, DAYS[:3]).arm_contrast(weights)
    np.testing.assert_allclose(numbers(swapped), numbers(base) * [-1, 1, 1, -1, 1], rtol=1e-5)
    scaled = mixed.mmrm(y * scale, baseline, arm, DAYS[:3]).arm_contrast(weights)
    np.testing.assert_allclose(numbers(scaled), numbers(base) * [scale, scale, 1, 1, 1], rtol=1e-5)
    more = [np.concatenate([y, np.full((1, 3), np.nan)]), np.append(baseline, 9.0), np.append(arm, 1)]
    unseen = mixed.mmrm(*more, DAYS[:3]).arm_contrast(weights)
    np.testing.assert_allclose(numbers(unseen), numbers(base), rtol=1e-5)


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0), (1e9, 0), (1, 1e6), (-1e6, 1e12)])
def test_units_and_zero_of_baseline_and_covariates_change_nothing(scale, shift):
    rng = np.random.default_rng(1)
    arm, baseline, other = np.repeat([0, 1], 15), rng.normal(3, 1, 30), rng.normal(0, 1, (30, 2))
    y = 0.5 * baseline[:, None] - arm[:, None] + rng.normal(0, 0.5, (30, 3)) + rng.normal(0, 0.4, (30, 1))
    y[rng.random(y.shape) < 0.1] = np.nan
    moved, others = baseline * scale + shift, other * scale + shift
    first = mixed.ancova(y[:, 2], baseline, arm)
    np.testing.assert_allclose(numbers(mixed.ancova(y[:, 2], moved, arm)), numbers(first), rtol=1e-7)
    first = mixed.mmrm(y, baseline, arm, [28, 91, 365], other)
    again = mixed.mmrm(y, moved, arm, [28, 91, 365], others)
    assert again.message == first.message == ""
    for se in mixed.SE_METHODS:
        np.testing.assert_allclose(
            numbers(again.arm_contrast([0, 0, 1], se=se)),
            numbers(first.arm_contrast([0, 0, 1], se=se)),
            rtol=1e-6,
        )
    np.testing.assert_allclose(again.coefficients[-2:] * scale, first.coefficients[-2:], rtol=1e-6)


def test_hc2_without_a_covariate_is_welch_with_bell_and_mccaffrey_s_degrees_of_freedom():
    """Closed form of Imbens & Kolesar (2016), Rev Econ Stat 98:701-712, for two groups: the standard error is Welch's,
    df (n0 + n1)^2 (n0 - 1)(n1 - 1) / (n1^2 (n1 - 1) + n0^2 (n0 - 1))."""
    rng = np.random.default_rng(4)
    n0, n1 = 20, 12
    y, arm = np.append(rng.normal(size=n0), rng.normal(1, 2, n1)), np.repeat([0, 1], [n0, n1])
    x = np.column_stack([np.ones(len(y)), arm])
    ours = mixed._least_squares(x, y, np.array([0.0, 1.0]), 0.95, "hc2", "")
    assert ours.t == pytest.approx(stats.ttest_ind(y[arm == 1], y[arm == 0], equal_var=False).statistic)
    df = (n0 + n1) ** 2 * (n0 - 1) * (n1 - 1) / (n1**2 * (n1 - 1) + n0**2 * (n0 - 1))
    assert ours.df == pytest.approx(df)
    assert ours.p == pytest.approx(2 * stats.t.sf(abs(ours.t), df))


def test_hc2_is_that_of_statsmodels_with_degrees_of_freedom_by_simulation():
    import statsmodels.api as sm

    y, baseline, arm = simulated(8, n=14, missing=0)
    arm = (np.arange(14) < 4).astype(int)
    third = np.arange(14) % 3
    x = np.column_stack([np.ones(14), arm, baseline, third])
    for method, name in (("ordinary", "bse"), ("hc2", "HC2_se")):
        ours = mixed.ancova(y[:, 0], baseline, arm, variance=method, covariates=third)
        fit = sm.OLS(y[:, 0], x).fit()
        assert (ours.estimate, ours.se) == pytest.approx((fit.params[1], getattr(fit, name)[1]))
        # mean and variance of the squared standard error under equal spreads: df = 2 mean^2 / variance
        hat = x @ np.linalg.pinv(x)
        share = np.linalg.pinv(x)[1] ** 2 / (1 - np.diag(hat))
        noise = np.random.default_rng(1).normal(size=(50_000, 14)) @ (np.eye(14) - hat)
        squares = noise**2 @ share if method == "hc2" else (noise**2).sum(axis=1)
        assert ours.df == pytest.approx(2 * squares.mean() ** 2 / squares.var(), rel=0.04)


@pytest.mark.parametrize("sds", [(1, 2), (2, 1)])
def test_hc2_holds_its_level_where_one_variance_does_not(sds):
    """No difference, 20 v 12; with twice the spread in the smaller arm the ordinary test is significant too often, with
    twice the spread in the larger one too seldom."""
    rng, trials = np.random.default_rng(5), 1000
    arm = np.repeat([0, 1], [20, 12])
    rejected = dict.fromkeys(mixed.VARIANCES, 0)
    for _ in range(trials):
        baseline = rng.normal(size=len(arm))
        y = 0.5 * baseline + np.array(sds)[arm] * rng.normal(size=len(arm))
        for method in rejected:
            rejected[method] += mixed.ancova(y, baseline, arm, variance=method).p <= 0.05
    assert 0.03 < rejected["hc2"] / trials < 0.07
    assert (rejected["ordinary"] / trials > 0.07) == (sds == (1, 2))
    assert (rejected["ordinary"] / trials < 0.035) == (sds == (2, 1))


def test_least_squares_without_residuals_gives_no_p_value():
    baseline, arm = np.array([1.0, 2, 4, 3, 5, 9]), np.array([0, 0, 0, 1, 1, 1])
    for y in (np.full(6, 0.1), 0.1 + 0.3 * baseline + 0.7 * arm):
        for method in mixed.VARIANCES:
            found = mixed.ancova(y, baseline, arm, variance=method)
            assert np.isnan([found.se, found.p]).all()
            assert "no residual variance" in found.message
    # the one child of the active arm has leverage 1
    alone = mixed.ancova([1, 2, 3, 5, 5, 9], baseline, [0, 0, 0, 0, 0, 1], variance="hc2")
    assert np.isnan(alone.se)
    assert "a child alone" in alone.message
    with pytest.raises(ValueError, match="variance is 'hc3'"):
        mixed.ancova(baseline, baseline, arm, variance="hc3")
    with pytest.raises(ValueError, match="6 rows"):
        mixed.ancova(baseline, baseline, arm, covariates=[1, 2])


def test_two_visits_a_child_are_enough_to_try_a_slope():
    mask = np.array([[True, True, False], [True, False, True]])
    shape = reml.RandomSlope(np.array([0.0, 0.5, 1.0]))
    assert shape.lacks(mask, 4) == ""
    assert shape.lacks(mask & [True, False, False], 4) == "no child has two visits: no slope"
