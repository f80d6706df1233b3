"""Mixed models of many trials at once give what each trial gives alone, with whatever is missing."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.estimators import batched_mixed, mixed

DAYS = np.array([14.0, 56, 183, 365])
WEIGHTS = np.stack([np.eye(4)[-1], mixed.time_weights(DAYS)])
NAMES = ("estimate", "lower", "upper", "p")


def drawn(seed, trials=8, children=26, visits=4):
    """Trials with correlated values, of which some are lost and some children leave; the first ones are odd."""
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.tile([0, 1], (trials, children // 2)), axis=1)
    base = rng.normal(size=arm.shape)
    child = rng.normal(size=arm.shape)[..., None]
    y = 0.5 * base[..., None] + 0.4 * arm[..., None] + 0.7 * child + rng.normal(size=(*arm.shape, visits))
    y *= rng.choice([1e-3, 1.0, 1e3], trials)[:, None, None]
    y[rng.random(y.shape) < 0.1] = np.nan
    leaves = np.where(rng.random(arm.shape) < 0.2, rng.integers(0, visits, arm.shape), visits)
    y[np.arange(visits) >= leaves[..., None]] = np.nan
    base[rng.random(arm.shape) < 0.05] = np.nan
    y[0, :, 1] = np.nan  # a visit without data
    arm[1] = 0  # one arm
    y[2] = 7.0  # constant
    y[3, arm[3] == 1, -1] = np.nan  # an arm without the last visit
    y[4, 6:] = np.nan  # too few for an unstructured covariance
    return y, base, arm


def alike(found, wanted):
    got = np.stack([getattr(found, name) for name in NAMES])
    assert np.array_equal(np.isfinite(got), np.isfinite(wanted))
    assert got == pytest.approx(wanted, rel=1e-6, abs=1e-9, nan_ok=True)


def test_examples():
    assert doctest.testmod(batched_mixed).failed == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_mmrm_is_that_of_each_trial(seed):
    y, base, arm = drawn(seed)
    fits = [mixed.mmrm(*data, DAYS) for data in zip(y, base, arm, strict=True)]
    for found, weights in zip(batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS), WEIGHTS, strict=True):
        each = [fit.arm_contrast(weights) for fit in fits]
        alike(found, np.array([[getattr(one, name) for one in each] for name in NAMES]))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_random_slope_is_that_of_each_trial(seed):
    y, _, arm = drawn(seed)
    years = DAYS / 365
    each = [
        mixed.random_slope(values, years, group).contrast({"time x arm": 1}, se="asymptotic")
        for values, group in zip(y, arm, strict=True)
    ]
    alike(
        batched_mixed.random_slope(y, years, arm),
        np.array([[getattr(one, name) for one in each] for name in NAMES]),
    )


@pytest.mark.parametrize("broken", [0, 5, 7])
def test_a_matrix_that_stops_the_algebra_of_a_stack_costs_no_other_trial_its_answer(monkeypatch, broken):
    """NumPy raises for a whole stack: the trial is left to `mixed`, the others are what they were."""
    y, base, arm = drawn(3)
    years, mark = DAYS / 365, np.nanmax(np.abs(y[broken]))
    wanted = [*batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS), batched_mixed.random_slope(y, years, arm)]
    patterns, coordinates, seen = batched_mixed._patterns, batched_mixed.slopes.coordinates, []

    def raising(function):
        def act(values, *others):
            seen.append(len(values))
            if (np.nanmax(np.abs(values), axis=(1, 2)) == mark).any():
                raise np.linalg.LinAlgError("Matrix is not positive definite")
            return function(values, *others)

        return act

    monkeypatch.setattr(batched_mixed, "_patterns", raising(patterns))
    monkeypatch.setattr(batched_mixed.slopes, "coordinates", raising(coordinates))
    found = [*batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS), batched_mixed.random_slope(y, years, arm)]
    assert 1 in seen
    for one, other in zip(found, wanted, strict=True):
        alike(one, np.array([getattr(other, name) for name in NAMES]))


def test_most_trials_are_fitted_together(monkeypatch):
    """The plain fit is not left to `mixed`: only the odd trials are."""
    asked = []
    whole = mixed.mmrm
    monkeypatch.setattr(mixed, "mmrm", lambda *data: asked.append(1) or whole(*data))
    y, base, arm = drawn(3, trials=40)
    batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS)
    assert len(asked) < 10


def test_no_trial_and_none_that_can_be_fitted_together():
    y, base, arm = drawn(2)
    assert batched_mixed.mmrm(y[:0], base[:0], arm[:0], DAYS, WEIGHTS)[0].p.shape == (0,)
    assert np.isnan(batched_mixed.mmrm(y[1:2], base[1:2], arm[1:2], DAYS, WEIGHTS)[0].p).all()


def test_with_complete_data_the_contrast_is_that_of_ancova():
    """Known truth: nothing missing, one baseline a visit: estimate and degrees of freedom of least squares."""
    rng = np.random.default_rng(4)
    arm, base = np.tile([0, 1], (6, 13)), rng.normal(size=(6, 26))
    y = rng.normal(size=(6, 26, 1)) + rng.normal(size=(6, 26, 4))
    (last,) = batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS[:1])
    for t in range(6):
        one = mixed.ancova(y[t, :, -1], base[t], arm[t])
        assert last.estimate[t] == pytest.approx(one.estimate)
        assert (last.lower[t], last.p[t]) == pytest.approx((one.lower, one.p), rel=1e-5)


def test_order_of_trials_and_units_do_not_matter():
    y, base, arm = drawn(11)
    back, scaled = (
        batched_mixed.mmrm(*data, DAYS, WEIGHTS)[1]
        for data in ((y[::-1], base[::-1], arm[::-1]), (1e4 * y, base, arm))
    )
    found = batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS)[1]
    assert back.p[::-1] == pytest.approx(found.p, rel=1e-7, nan_ok=True)
    assert scaled.p == pytest.approx(found.p, rel=1e-6, nan_ok=True)


def test_what_can_not_be_asked_is_refused():
    y, base, arm = drawn(1)
    with pytest.raises(ValueError, match="trials, children, visits"):
        batched_mixed.mmrm(y[0], base, arm, DAYS, WEIGHTS)
    with pytest.raises(ValueError, match="4 visits need 4 weights"):
        batched_mixed.mmrm(y, base, arm, DAYS, WEIGHTS[:, :3])
    with pytest.raises(ValueError, match="level"):
        batched_mixed.random_slope(y, DAYS, arm, level=2)
