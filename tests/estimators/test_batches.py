"""Many trials at once give what each gives alone."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.estimators import batches, mixed, survival

TIMES = np.array([14.0, 28, 42, 56, 91])


def drawn(seed, trials=30, children=24):
    rng = np.random.default_rng(seed)
    arm = rng.permuted(np.repeat([[0, 1]], trials, axis=0).repeat(children // 2, axis=1), axis=1)
    index = rng.integers(-1, len(TIMES), (trials, children))
    event = (rng.random((trials, children)) < rng.choice([0.0, 0.2, 0.6, 1.0], trials)[:, None]) & (
        index >= 0
    )
    return arm, index, event


def one_by_one(ask, count):
    rows = [ask(t) for t in range(count)]
    return [np.array([getattr(r, name) for r in rows], float) for name in ("estimate", "lower", "upper", "p")]


def alike(found, wanted, names=("estimate", "lower", "upper", "p")):
    """Equal to 1e-9 where there is an answer, and none in the same trials."""
    for name, want in zip(("estimate", "lower", "upper", "p"), wanted, strict=True):
        if name in names:
            answered = np.isfinite(wanted[3])
            got = getattr(found, name)
            assert np.array_equal(np.isfinite(found.p), answered), name
            assert got[answered] == pytest.approx(want[answered], rel=1e-9, abs=1e-9), name


def test_examples():
    assert doctest.testmod(batches).failed == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_ancova_is_that_of_each_trial(seed):
    rng = np.random.default_rng(seed)
    arm, _, _ = drawn(seed)
    x = rng.normal(size=arm.shape)
    y = 0.5 * x + 0.3 * arm + rng.normal(size=arm.shape)
    y[rng.random(arm.shape) < 0.2] = np.nan
    x[rng.random(arm.shape) < 0.1] = np.nan
    y[0, 3:] = np.nan
    y[1, arm[1] == 1] = np.nan
    x[2] = 0.7
    found = batches.ancova(y, x, arm)
    alike(found, one_by_one(lambda t: mixed.ancova(y[t], x[t], arm[t]), len(y)))
    assert np.isnan(found.estimate[:3]).all()
    other = batches.ancova(7 + 100 * y, -3 + 1e-3 * x, arm)
    assert other.p[3:] == pytest.approx(found.p[3:], rel=1e-7), "units of outcome and baseline don't matter"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_times_are_those_of_each_trial(seed):
    arm, index, event = drawn(seed)
    data = batches.grouped(index, event, arm, TIMES)
    time = np.where(index >= 0, TIMES[index], 0.0)
    tau = TIMES[-1]

    def ask(function, *more):
        return lambda t: function(time[t], event[t].astype(int), arm[t], *more)

    found = batches.logrank(data)
    wanted = np.array([survival.logrank(time[t], event[t].astype(int), arm[t]).p for t in range(len(arm))])
    assert np.array_equal(np.isfinite(found.p), np.isfinite(wanted))
    assert found.p == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True)
    alike(batches.cumulative_difference(data), one_by_one(ask(survival.cumulative_difference, tau), len(arm)))
    alike(batches.rmst_difference(data), one_by_one(ask(survival.rmst_difference, tau), len(arm)))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_ancova_with_a_covariate_is_that_of_each_trial(seed):
    rng = np.random.default_rng(seed)
    arm, _, _ = drawn(seed)
    x, c = rng.normal(size=arm.shape), (rng.random(arm.shape) < 0.6).astype(float)
    y = 0.5 * x + 0.3 * arm - 0.4 * c + rng.normal(size=arm.shape)
    y[rng.random(arm.shape) < 0.2] = np.nan
    # alike in all children; alike in those with a value; the arm itself; four children for four coefficients
    c[0], c[1, ~np.isnan(y[1])], c[2], y[3, 4:] = 1.0, 0.0, arm[2], np.nan
    c[1, 0], y[1, 0] = 1.0, np.nan

    def one(t):
        return mixed.ancova(y[t], x[t], arm[t], covariates=c[t][:, None] if np.ptp(c[t]) else None)

    found = batches.ancova(y, x, arm, covariates=c[..., None])
    alike(found, one_by_one(one, len(y)))
    with pytest.raises(ValueError, match="number of columns"):
        batches.ancova(y, x, arm, covariates=c)


def test_logrank_gives_no_answer_where_its_variance_is_zero():
    # events only when the other arm is gone, and a time at which everybody left has the event
    for time, event, arm in (([1, 2, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1]), ([2, 2, 2], [1, 1, 1], [0, 1, 1])):
        found = survival.logrank(time, event, arm)
        assert np.isnan([found.p, found.statistic]).all()
        assert "both arms at risk" in found.message
        index = np.searchsorted(TIMES, np.array(time) * 14.0)[None]
        assert np.isnan(batches.logrank(batches.grouped(index, [event], [arm], TIMES)).p).all()


def test_arms_exchanged_change_the_sign():
    arm, index, event = drawn(5)
    here, there = (batches.grouped(index, event, a, TIMES) for a in (arm, 1 - arm))
    for ask in (batches.logrank, batches.cumulative_difference, batches.rmst_difference):
        a, b = ask(here), ask(there)
        assert a.estimate == pytest.approx(-b.estimate, nan_ok=True)
        assert a.p == pytest.approx(b.p, nan_ok=True)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"y \(2, 3\), baseline \(2, 4\), arm \(2, 3\)"):
        batches.ancova(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="one shape"):
        batches.grouped([0, 1], [True, False], [0, 1], TIMES)
