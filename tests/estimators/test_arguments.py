"""What estimators are given: arms as numbers or labels, numbers that are numbers, rows in any order."""

import numpy as np
import pandas as pd
import pytest

from helpers.estimators import arguments, discrete_time, imputation, mixed, survival, tipping

RNG = np.random.default_rng(8)
N = 12
ARM = np.repeat([0, 1], N // 2)
LABELS = np.array(["Placebo", "hUC-MSC"], object)[ARM]
TIME = RNG.integers(1, 9, N).astype(float)
EVENT = RNG.integers(0, 2, N)
Y = RNG.normal(size=(N, 3))
GAPS = np.where(RNG.random(Y.shape) < 0.1, np.nan, Y)
BASE = RNG.normal(size=N)
FOREIGN = pd.Index(np.arange(500, 500 + N)[::-1])
"""An index that is not 0, 1, 2, ...: rows belong together by their place."""

OF_ARMS = {
    "logrank": lambda arm: survival.logrank(TIME, EVENT, arm).p,
    "rmst_difference": lambda arm: survival.rmst_difference(TIME, EVENT, arm, 5.0).estimate,
    "cumulative_difference": lambda arm: survival.cumulative_difference(TIME, EVENT, arm, 5.0).estimate,
    "person_period": lambda arm: discrete_time.person_period(TIME, EVENT, arm, np.arange(1.0, 9.0))[
        "arm"
    ].sum(),
    "discrete_hazard_ratio": lambda arm: discrete_time.discrete_hazard_ratio(EVENT, arm).ratio,
    "ancova": lambda arm: mixed.ancova(Y[:, 0], BASE, arm).p,
    "random_slope": lambda arm: mixed.random_slope(Y, [0, 1, 2], arm).coefficients[3],
    "mmrm": lambda arm: mixed.mmrm(Y, BASE, arm, [1, 2, 3]).coefficients[-1],
    "impute": lambda arm: imputation.impute(
        GAPS, BASE, arm, [1, 2, 3], 2, np.random.default_rng(1)
    ).values.sum(),
    "arms": lambda arm: tipping.arms(EVENT, arm)[1].x,
}


@pytest.mark.parametrize("name", OF_ARMS)
def test_labels_are_the_arms_that_they_name(name):
    wanted = OF_ARMS[name](ARM)
    for arm in (
        LABELS,
        pd.Series(LABELS, index=FOREIGN),
        pd.Series(ARM, index=FOREIGN),
        list(LABELS),
        np.char.upper(LABELS.astype(str)),
        pd.Categorical(LABELS, ["Placebo", "hUC-MSC"]),
        pd.Series(np.array(["B", "A"])[ARM], dtype=pd.CategoricalDtype(["B", "A"])),
        ARM.astype(bool),
        ARM.astype(float),
        ARM.astype(object),
    ):
        assert OF_ARMS[name](arm) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        (["A", "B"] * 6, "got 'A', 'B'; a pandas Categorical says"),
        (["placebo", "control"] * 6, "or two labels of which one"),
        (["placebo", None] * 6, "got None, 'placebo'"),
        (["placebo", "low", "high"] * 4, "got 'high', 'low', 'placebo'"),
        ([0, 1, 2] * 4, "arm must be 0 or 1"),
        ([0, np.nan] * 6, "arm must be 0 or 1"),
        (pd.Categorical(["A", "B", None] * 4), "two categories and no gap"),
        (pd.Categorical(["A"] * 12), "two categories"),
        (["0", "1"] * 6, "got '0', '1'"),
    ],
)
@pytest.mark.parametrize("name", OF_ARMS)
def test_what_does_not_say_the_arm_is_refused_in_words(name, arm, said):
    with pytest.raises(ValueError, match="arm must") as caught:
        OF_ARMS[name](arm)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "act",
    [
        lambda text: survival.kaplan_meier(text, EVENT),
        lambda text: survival.rmst(text, EVENT, 5.0),
        lambda text: survival.logrank(text, EVENT, ARM),
        lambda text: mixed.ancova(text, BASE, ARM),
        lambda text: mixed.ancova(BASE, text, ARM),
        lambda text: mixed.random_slope(text[:, None], [0], ARM),
    ],
)
def test_text_is_no_number_even_where_it_reads_as_one(act):
    for text in (TIME.astype(str), TIME.astype(str).astype(object)):
        with pytest.raises(ValueError, match="must be numbers, got '"):
            act(text)


def test_numbers_of_any_type_are_doubles():
    for values in ([1, 2], np.float32([1, 2]), pd.array([1, 2], "Int64"), pd.Series([1, 2], index=[9, 3])):
        found = arguments.numbers("x", values)
        assert found.dtype == np.float64
        assert found.tolist() == [1.0, 2.0]
    assert np.isnan(arguments.numbers("x", pd.array([None], "Float64")))
    with pytest.raises(ValueError, match="x must be numbers"):
        arguments.numbers("x", pd.to_datetime(["2025-01-01"]))


# ------------------------------------------------------------------ small silent numbers


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("shift", [0.0, 7.3])
def test_ancova_of_a_constant_has_no_p(scale, shift):
    found = mixed.ancova(np.full(N, scale * (3.7 + shift)), BASE, ARM)
    assert found.estimate == 0.0
    assert np.isnan([found.se, found.p, found.t, found.lower, found.upper]).all()
    assert found.message == "y is the same for every child: no residual variance, no standard error and no p"


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_ancova_of_an_exact_fit_has_an_estimate_and_no_p(scale):
    found = mixed.ancova(scale * (100.1 + 0.3 * BASE + 0.7 * ARM), BASE, ARM)
    assert found.estimate == pytest.approx(0.7 * scale, rel=1e-6)
    assert np.isnan([found.se, found.p, found.t, found.lower, found.upper]).all()
    assert found.message.startswith("arm and baseline fit y exactly")


def test_ancova_of_nearly_an_exact_fit_has_its_small_p():
    y = 100.0 + 0.3 * BASE + 0.7 * ARM + 1e-5 * Y[:, 0]
    assert 0 < mixed.ancova(y, BASE, ARM).p < 1e-12


# ------------------------------------------------------------------ each child's own times


def slopes(times: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(3)
    own = rng.normal(size=(len(times), 2)) * [10.0, 2.0]
    arm = np.arange(len(times)) % 2
    return 100 + own[:, :1] + (own[:, 1:] - 3 + arm[:, None]) * times + 2 * rng.normal(size=times.shape)


@pytest.mark.parametrize("se", mixed.SE_METHODS)
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_own_times_that_are_the_visits_give_the_visits_fit(se, information):
    times = np.array([0.0, 0.5, 1.0, 1.7])
    y, arm = slopes(np.tile(times, (14, 1))), np.arange(14) % 2
    y[2, 1] = y[5, 2] = y[5, 3] = y[7, 1] = y[7, 2] = y[7, 3] = np.nan
    y[9] = np.nan
    one, other = (mixed.random_slope(y, t, arm) for t in (times, np.tile(times, (14, 1))))
    assert one.reml == pytest.approx(other.reml, abs=1e-8)
    assert one.parameters == pytest.approx(other.parameters, rel=1e-6)
    for name in one.names:
        a, b = (fit.contrast({name: 1}, se=se, information=information) for fit in (one, other))
        assert (a.estimate, a.se, a.df, a.p) == pytest.approx((b.estimate, b.se, b.df, b.p), rel=1e-6)


def test_own_times_equal_the_grid_of_all_times_in_any_order():
    rng = np.random.default_rng(5)
    times = np.array([0.0, 1.0, 2.0]) + rng.integers(-2, 3, (10, 3)) / 10
    y, arm = slopes(times), np.arange(10) % 2
    grid = np.unique(times)
    wide = np.full((10, grid.size), np.nan)
    wide[np.arange(10)[:, None], np.searchsorted(grid, times)] = y
    wanted = mixed.random_slope(wide, grid, arm).contrast({"time x arm": 1})
    order = rng.permuted(np.tile(np.arange(3), (10, 1)), axis=1)
    times, y = (np.take_along_axis(v, order, axis=1) for v in (times, y))
    children = rng.permutation(10)
    found = mixed.random_slope(y[children], times[children], arm[children]).contrast({"time x arm": 1})
    assert (found.estimate, found.se, found.df) == pytest.approx(
        (wanted.estimate, wanted.se, wanted.df), rel=1e-5
    )
    # a value without its time is left out
    times[0, 0] = np.nan
    known = y.copy()
    known[0, 0] = np.nan
    a, b = (mixed.random_slope(v, times, arm).contrast({"time x arm": 1}).p for v in (y, known))
    assert a == b


def test_own_times_that_can_tell_no_slope_say_so():
    times = np.tile([0.0, 1.0], (8, 1))
    assert (
        "no child has two visits"
        in mixed.random_slope(slopes(times)[:, :1], times[:, :1], [0, 1] * 4).message
    )
    assert "not identified by the data: arm" in mixed.random_slope(slopes(times), times, [0] * 8).message
    for wrong in (times[:5], times[0, :1], np.full(2, np.nan), np.full((8, 2), np.inf)):
        with pytest.raises(ValueError, match="times must be"):
            mixed.random_slope(slopes(times), wrong, [0, 1] * 4)
