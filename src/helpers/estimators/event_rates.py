"""Rates of events over time at risk: exact intervals for one arm and for the ratio of two.

`x` counts events, `time` is the time at risk of all children together, 0 is the control arm and 1 the active one.
Counts and times may be scalars or arrays that broadcast against each other. Without time at risk there is no rate:
NaN. The intervals hold for events that come independently at a constant rate (Poisson), as first events of children
nearly do; several events of one child rarely are independent.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators.arguments import Shaped, check_level
from helpers.estimators.proportions import clopper_pearson


def poisson_interval(x: ArrayLike, time: ArrayLike, level: float = 0.95) -> tuple[Shaped, Shaped]:
    """Exact interval for the rate of events in one arm.

    Parameters
    ----------
    x : int or array_like of int
        Events.
    time : float or array_like
        Time at risk, in any unit; the rate is per that unit.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Events per unit of time, of the broadcast shape; NaN where there is no time at risk.

    Raises
    ------
    ValueError
        Counts that are negative or not whole, times that are negative or not finite, events without time at risk, a
        level outside 0 to 1.

    Notes
    -----
    The bounds are the rates under which so many events or more, and so many or fewer, have the probability
    (1 - level) / 2. Without events the upper bound is -log((1 - level) / 2) / time.

    References
    ----------
    Garwood (1936), Biometrika 28:437-442.

    Examples
    --------
    >>> lower, upper = poisson_interval([0, 5], 20.0)
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.0, 0.081], [0.184, 0.583])
    """
    check_level(level)
    x, time = _at_risk(x, time)
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        lower = np.where(x == 0, 0.0, stats.chi2.ppf(tail, 2 * np.maximum(x, 1)) / 2) / time
        upper = stats.chi2.isf(tail, 2 * x + 2) / 2 / time
    return _shaped(time == 0, lower, upper)


def rate_ratio(
    x0: ArrayLike, time0: ArrayLike, x1: ArrayLike, time1: ArrayLike, level: float = 0.95
) -> tuple[Shaped, Shaped]:
    """Exact interval for the ratio of two rates, active to control, given the events of both arms together.

    Parameters
    ----------
    x0, x1 : int or array_like of int
        Events of the control and the active arm.
    time0, time1 : float or array_like
        Their times at risk, in one unit.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Ratios of the broadcast shape, upper infinite where the control arm has no event; NaN where an arm has no time
        at risk, or neither has an event.

    Raises
    ------
    ValueError
        As for `poisson_interval`.

    Notes
    -----
    Given their sum, the active arm's events are binomial with the share r time1 / (time0 + r time1) at a ratio r: the
    bounds are those of Clopper and Pearson for that share.

    References
    ----------
    Przyborowski & Wilenski (1940), Biometrika 31:313-323.

    Examples
    --------
    >>> [round(bound, 2) for bound in rate_ratio(4, 20.0, 9, 18.0)]
    [0.7, 11.11]
    """
    check_level(level)
    x0, time0 = _at_risk(x0, time0)
    x1, time1 = _at_risk(x1, time1)
    x0, time0, x1, time1 = np.broadcast_arrays(x0, time0, x1, time1)
    low, high = (np.asarray(bound) for bound in clopper_pearson(x1, x0 + x1, level))
    with np.errstate(invalid="ignore", divide="ignore"):
        lower, upper = (share / (1 - share) * time0 / time1 for share in (low, high))
    return _shaped((time0 == 0) | (time1 == 0), lower, upper)


def _at_risk(x: ArrayLike, time: ArrayLike) -> tuple[NDArray, NDArray]:
    """Events and times as arrays of one shape, or one ValueError for what can't be."""
    events, years = np.broadcast_arrays(np.asarray(x, float), np.asarray(time, float))
    if not np.all(np.isfinite(events) & (events >= 0) & (events == np.floor(events))):
        raise ValueError(f"events must be whole numbers from 0, got {x!r}")
    if not np.all(np.isfinite(years) & (years >= 0)):
        raise ValueError(f"time at risk must be a number from 0, got {time!r}")
    if np.any((events > 0) & (years == 0)):
        raise ValueError("events without time at risk")
    return events.astype(np.int64), years


def _shaped(empty: NDArray, lower: NDArray, upper: NDArray) -> tuple[Shaped, Shaped]:
    """Bounds, NaN where there is nothing to estimate, floats where all that went in were scalars."""
    lower, upper = np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)
    return (float(lower), float(upper)) if lower.ndim == 0 else (lower, upper)
