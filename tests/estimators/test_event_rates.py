"""Rates of events against their definition: the probabilities at the bounds, coverage by enumeration, the binomial."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators.event_rates import poisson_interval, rate_ratio


@given(st.integers(0, 400), st.floats(0.01, 1e4), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_bounds_leave_half_of_the_rest_on_either_side(x, time, level):
    """Garwood's definition, by the cumulative Poisson probabilities: another function than the one in use."""
    lower, upper = poisson_interval(x, time, level)
    tail = (1 - level) / 2
    assert stats.poisson.cdf(x, upper * time) == pytest.approx(tail, rel=1e-6)
    assert lower <= x / time <= upper
    if x:
        assert stats.poisson.sf(x - 1, lower * time) == pytest.approx(tail, rel=1e-6)
    else:
        assert lower == 0
        assert upper == pytest.approx(-np.log(tail) / time)


def test_it_covers_at_every_rate():
    """Every count that has a probability, weighed by it."""
    x = np.arange(80)
    lower, upper = poisson_interval(x, 1.0)
    for rate in np.linspace(0.05, 30, 97):
        inside = (lower <= rate) & (rate <= upper)
        assert stats.poisson.pmf(x, rate)[inside].sum() >= 0.95 - 1e-9


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_ratio_s_bounds_are_where_the_binomial_says(x0, x1, time0, time1):
    lower, upper = rate_ratio(x0, time0, x1, time1)
    if x0 + x1 == 0:
        assert np.isnan(lower) or lower == 0
        return
    share = lambda r: r * time1 / (time0 + r * time1)  # noqa: E731
    if x1:
        assert stats.binom.sf(x1 - 1, x0 + x1, share(lower)) == pytest.approx(0.025, rel=1e-6)
    else:
        assert lower == 0
    if x0:
        assert stats.binom.cdf(x1, x0 + x1, share(upper)) == pytest.approx(0.025, rel=1e-6)
    else:
        assert np.isinf(upper)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 100), st.floats(0.1, 100))
def test_arms_exchanged_give_the_reciprocal(x0, x1, time0, time1):
    lower, upper = rate_ratio(x0, time0, x1, time1)
    assert (1 / upper, 1 / lower) == pytest.approx(rate_ratio(x1, time1, x0, time0))


def test_nothing_at_risk_and_no_events():
    assert np.isnan(poisson_interval(0, 0.0)).all()
    assert np.isnan(rate_ratio(0, 5.0, 0, 5.0)).all()
    assert np.isnan(rate_ratio(0, 0.0, 3, 5.0)).all()
    lower, upper = rate_ratio([0, 4], 20.0, [3, 0], [10.0, 10.0])
    assert (lower[1], upper[0]) == (0, np.inf)
    assert isinstance(poisson_interval(3, 2)[0], float)


@pytest.mark.parametrize(
    ("x", "time", "words"),
    [(-1, 1.0, "whole numbers"), (1.5, 1.0, "whole numbers"), (np.nan, 1.0, "whole numbers"), (1, -1.0, "time at risk"),
     (1, np.inf, "time at risk"), (1, 0.0, "without time at risk")],
)  # fmt: skip
def test_what_can_t_be_is_refused(x, time, words):
    with pytest.raises(ValueError, match=words):
        poisson_interval(x, time)
    with pytest.raises(ValueError, match=words):
        rate_ratio(x, time, 1, 1.0)


def test_a_level_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="level"):
        poisson_interval(1, 1.0, 95)
    with pytest.raises(ValueError, match="level"):
        rate_ratio(1, 1.0, 1, 1.0, 0)
