"""Time to an event, right- or interval-censored, for one arm, for two, and for many trials at once.

`time` is in any one unit, not negative, 0 = start; `event` is 1 for an event and 0 for censored (the
opposite of ADTTE's CNSR); `arm` is 0 for control and 1 for active; all are one-dimensional, a child a row.
Differences are active minus control. Children without a time (NaN) are left out and counted in the message.
What cannot be estimated is NaN, and `message` (for tables `.attrs["message"]`) says why; an empty message
means nothing to report. Shapes that differ, a negative time, an event or arm that is not 0 or 1 raise one
ValueError that names it. Times that differ only by rounding are one (`arguments.tied`).

"At risk" at t means just before t. Kaplan-Meier intervals are on the log-log scale (Kalbfleisch & Prentice),
and undefined (NaN) where the curve is exactly 1 or 0, as in R's survfit.
"""

from dataclasses import dataclass

import lifelines
import numpy as np
import pandas as pd
from lifelines.statistics import logrank_test
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import arguments, discrete_time


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval.

    Attributes
    ----------
    estimate, lower, upper, se : float
        In the unit of the time, or a proportion; NaN where it does not exist.
    p : float
        Two-sided, against no difference; NaN for one arm.
    message : str
        Why something does not exist, in words.

    Examples
    --------
    >>> Estimate(message="no child with a time").estimate
    nan
    """

    estimate: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    se: float = np.nan
    p: float = np.nan
    message: str = ""


@dataclass(frozen=True)
class LogRank:
    """A log-rank test.

    Attributes
    ----------
    statistic : float
        Chi-squared on one degree of freedom.
    p : float
        Its upper tail.
    observed, expected : tuple of float
        Events seen, and expected if the arms were alike: (control, active).
    message : str
        Why there is no test, in words.

    Examples
    --------
    >>> LogRank(message="no events: nothing to compare").p
    nan
    """

    statistic: float = np.nan
    p: float = np.nan
    observed: tuple[float, float] = (np.nan, np.nan)
    expected: tuple[float, float] = (np.nan, np.nan)
    message: str = ""


def kaplan_meier(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Kaplan-Meier estimate by lifelines, a row per distinct time (events and censorings).

    Parameters
    ----------
    time : array_like, shape (children,)
        Any unit; NaN = unknown.
    event : array_like of 0 and 1, shape (children,)
        1 event, 0 censored.
    level : float
        Confidence level of the pointwise band.

    Returns
    -------
    pandas.DataFrame
        time, n_risk (just before), n_event, n_censor, survival, lower, upper (proportions);
        `.attrs["message"]`.

    Raises
    ------
    ValueError
        Lengths, times, events or level that can't be.

    Notes
    -----
    The band is on the log-log scale (Kalbfleisch & Prentice), NaN where the curve is exactly 1 or 0, as in R's
    survfit.

    References
    ----------
    Kaplan & Meier (1958), JASA 53:457-481; Kalbfleisch & Prentice (2002), The Statistical Analysis of Failure
    Time Data, section 1.4.

    Examples
    --------
    >>> time, event = [4, 4, 12, 24, 48, 48], [1, 1, 1, 0, 1, 0]
    >>> kaplan_meier(time, event)[["time", "n_risk", "survival"]].round(3).to_numpy().tolist()
    [[4.0, 6.0, 0.667], [12.0, 4.0, 0.5], [24.0, 3.0, 0.5], [48.0, 2.0, 0.25]]
    """
    time, event, message = arguments.follow_up(time, event, level)
    columns = ["time", "n_risk", "n_event", "n_censor", "survival", "lower", "upper"]
    if len(time) == 0:
        table = pd.DataFrame({c: pd.Series(dtype=float) for c in columns})
    else:
        fit = lifelines.KaplanMeierFitter(alpha=1 - level).fit(time, event)
        at = np.unique(time)
        counts = fit.event_table.loc[at]
        survival = fit.survival_function_.loc[at].iloc[:, 0].to_numpy()
        band = fit.confidence_interval_.loc[at].to_numpy()
        band = np.where(((survival > 0) & (survival < 1))[:, None], band, np.nan)
        # lifelines counts an event at time 0 as at risk only after its own entry row.
        n_risk = (time[None, :] >= at[:, None]).sum(axis=1)
        table = pd.DataFrame(
            {
                "time": at,
                "n_risk": n_risk,
                "n_event": counts["observed"].to_numpy(int),
                "n_censor": counts["censored"].to_numpy(int),
                "survival": survival,
                "lower": band[:, 0],
                "upper": band[:, 1],
            }
        )
    table.attrs["message"] = message
    return table


def median(time: ArrayLike, event: ArrayLike, level: float = 0.95) -> Estimate:
    """Median time to the event, with the interval where the log-log band crosses one half, as R's survfit.

    Parameters
    ----------
    time : array_like, shape (children,)
        Any unit; NaN = unknown.
    event : array_like of 0 and 1, shape (children,)
        1 event, 0 censored.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        In the unit of the time. Where the curve lies on exactly 0.5 over an interval the median is the
        interval's midpoint. Limits that the follow-up does not reach are NaN, and the message says so.

    Raises
    ------
    ValueError
        As `kaplan_meier`.

    References
    ----------
    Brookmeyer & Crowley (1982), Biometrics 38:29-41.

    Examples
    --------
    >>> time, event = [4, 4, 12, 24, 48, 48], [1, 1, 1, 0, 1, 0]
    >>> found = median(time, event)
    >>> found.estimate, found.lower
    (30.0, 4.0)
    >>> found.message
    'upper limit of the median not reached during follow-up'
    """
    table = kaplan_meier(time, event, level)
    message = table.attrs["message"]
    values = [
        _first_at_half(table["time"].to_numpy(), table[c].to_numpy()) for c in ("survival", "lower", "upper")
    ]
    if len(table) and np.isnan(values[0]):
        message = arguments.join(message, "median not reached during follow-up")
    elif len(table) and np.isnan(values[2]):
        message = arguments.join(message, "upper limit of the median not reached during follow-up")
    return Estimate(values[0], values[1], values[2], message=message)


def _first_at_half(time: NDArray, curve: NDArray) -> float:
    known = ~np.isnan(curve)
    below = known & (curve <= 0.5 + 1e-9)
    if not below.any():
        return np.nan
    first = int(np.argmax(below))
    if curve[first] < 0.5 - 1e-9:
        return float(time[first])
    under = known & (curve < 0.5 - 1e-9)
    return float((time[first] + (time[np.argmax(under)] if under.any() else time[-1])) / 2)


def at_risk_table(time: ArrayLike, event: ArrayLike, grid: ArrayLike) -> pd.DataFrame:
    """Numbers under a survival curve.

    Parameters
    ----------
    time : array_like, shape (children,)
        Any unit; NaN = unknown.
    event : array_like of 0 and 1, shape (children,)
        1 event, 0 censored.
    grid : array_like, shape (k,)
        Times at which to count, in the same unit.

    Returns
    -------
    pandas.DataFrame
        time, n_risk (just before), n_event and n_censor (cumulative, up to and at it); `.attrs["message"]`.

    Raises
    ------
    ValueError
        Lengths, times or events that can't be.

    Notes
    -----
    "At risk" means just before the time, as in R; lifelines' own table counts at the end of the period.

    Examples
    --------
    >>> time, event = [4, 4, 12, 24, 48, 48], [1, 1, 1, 0, 1, 0]
    >>> at_risk_table(time, event, [0, 12, 48]).to_numpy().tolist()
    [[0.0, 6.0, 0.0, 0.0], [12.0, 4.0, 3.0, 0.0], [48.0, 2.0, 4.0, 2.0]]
    """
    time, event, message = arguments.follow_up(time, event)
    time, at = arguments.tied(time, grid)
    reached = time[None, :] <= at[:, None]
    table = pd.DataFrame(
        {
            "time": np.asarray(grid, float),
            "n_risk": (time[None, :] >= at[:, None]).sum(axis=1),
            "n_event": (reached & (event == 1)).sum(axis=1),
            "n_censor": (reached & (event == 0)).sum(axis=1),
        }
    )
    table.attrs["message"] = message
    return table


def logrank(time: ArrayLike, event: ArrayLike, arm: ArrayLike) -> LogRank:
    """Log-rank test of two arms, unstratified, by lifelines; observed and expected events beside it.

    Parameters
    ----------
    time, event : array_like, shape (children,)
        Any unit, NaN = unknown; 1 event, 0 censored.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.

    Returns
    -------
    LogRank
        NaN with words where an arm is empty, nobody has an event, or no event is seen while both arms are at risk and
        children are left over: the variance is zero.

    Raises
    ------
    ValueError
        Lengths, times, events or arms that can't be.

    References
    ----------
    Mantel (1966), Cancer Chemotherapy Reports 50:163-170.

    Examples
    --------
    >>> time = [4, 12, 12, 24, 48, 48, 12, 24, 24, 48, 48, 48]
    >>> event = [1, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0]
    >>> arm = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    >>> found = logrank(time, event, arm)
    >>> round(found.statistic, 2), round(found.p, 2)
    (1.55, 0.21)
    >>> found.observed, [round(x, 2) for x in found.expected]
    ((2.0, 4.0), [3.42, 2.58])
    """
    time, event, arm, message = arguments.two_arms(time, event, arm)
    why = _not_comparable(event, arm)
    if why:
        return LogRank(message=arguments.join(message, why))
    test = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])
    n_risk, n_event = zip(*(_grouped(time, event, np.unique(time), arm == a) for a in (0, 1)), strict=True)
    total_risk, total_event = n_risk[0] + n_risk[1], n_event[0] + n_event[1]
    under_null = [float((total_event * n / total_risk).sum()) for n in n_risk]
    expected = (under_null[0], under_null[1])
    observed = (float(n_event[0].sum()), float(n_event[1].sum()))
    # lifelines tells a variance of zero from one of a last bit only by chance
    both = (n_risk[0] > 0) & (n_risk[1] > 0) & (total_event > 0) & (total_event < total_risk)
    if not both.any():
        why = "at no event are both arms at risk, with children left over"
        return LogRank(observed=observed, expected=expected, message=arguments.join(message, why))
    return LogRank(float(test.test_statistic), float(test.p_value), observed, expected, message)


def rmst(time: ArrayLike, event: ArrayLike, tau: float, level: float = 0.95) -> Estimate:
    """Restricted mean time to the event up to `tau`: area under Kaplan-Meier.

    Parameters
    ----------
    time : array_like, shape (children,)
        Any unit; NaN = unknown.
    event : array_like of 0 and 1, shape (children,)
        1 event, 0 censored.
    tau : float
        Horizon, above 0.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        In the unit of the time. Not estimable where follow-up ends before tau with the last child censored.

    Raises
    ------
    ValueError
        As `kaplan_meier`, and tau not positive.

    Notes
    -----
    SE by the Greenwood-type formula, sum over event times of (area from t to tau)^2 d / (n (n - d)), without
    small sample factor, as R's survRM2 (lifelines' variance is that of min(T, tau), not the estimator's).

    References
    ----------
    Royston & Parmar (2013), BMC Med Res Methodol 13:152.

    Examples
    --------
    >>> time, event = [4, 4, 12, 24, 48, 48], [1, 1, 1, 0, 1, 0]
    >>> found = rmst(time, event, tau=48)
    >>> round(found.estimate, 2), round(found.se, 2)
    (27.33, 8.51)
    """
    time, event, message = arguments.follow_up(time, event, level)
    arguments.positive("tau", tau)
    if len(time) == 0:
        return Estimate(message=message)
    time, horizon = arguments.tied(time, tau)
    at, tau = np.unique(time), float(horizon)
    n_risk, n_event = _grouped(time, event, at)
    survival, _ = discrete_time.kaplan_meier_counts(n_risk, n_event)
    if at[-1] < tau and survival[-1] > 0:
        return Estimate(
            message=arguments.join(message, f"follow-up ends at {at[-1]:g}, before {tau:g}: not estimable")
        )
    within = at < tau
    edges = np.concatenate([[0.0], at[within], [tau]])
    areas = np.diff(edges) * np.concatenate([[1.0], survival[within]])
    ahead = areas[::-1].cumsum()[::-1][1:]
    n, d = n_risk[within], n_event[within]
    spread = np.divide(d, n * (n - d), out=np.zeros(len(n)), where=n > d)
    se = float(np.sqrt((ahead**2 * spread).sum()))
    if se == 0:
        return Estimate(
            float(areas.sum()), message=arguments.join(message, "no variation before tau: no standard error")
        )
    half = arguments.z(level) * se
    mean = float(areas.sum())
    return Estimate(mean, mean - half, mean + half, se, message=message)


def rmst_difference(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, tau: float, level: float = 0.95
) -> Estimate:
    """Difference in restricted mean time up to `tau`, with normal interval and p, as R's survRM2.

    Parameters
    ----------
    time, event : array_like, shape (children,)
        Any unit, NaN = unknown; 1 event, 0 censored.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.
    tau : float
        Horizon, above 0.
    level : float
        Confidence level.

    Returns
    -------
    Estimate
        Active minus control, in the unit of the time.

    Raises
    ------
    ValueError
        As `rmst`, and arms that can't be.

    References
    ----------
    Royston & Parmar (2013), BMC Med Res Methodol 13:152.

    Examples
    --------
    >>> time = [4, 12, 12, 24, 48, 48, 12, 24, 24, 48, 48, 48]
    >>> event = [1, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0]
    >>> arm = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    >>> found = rmst_difference(time, event, arm, tau=48)
    >>> round(found.estimate, 1), round(found.p, 2)
    (-14.5, 0.11)
    """
    time, event, arm, message = arguments.two_arms(time, event, arm, level)
    arguments.positive("tau", tau)
    time, horizon = arguments.tied(time, tau)
    arms = [rmst(time[arm == a], event[arm == a], float(horizon), level) for a in (0, 1)]
    return _difference(arms, message, level)


def cumulative_difference(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    at: float,
    level: float = 0.95,
    method: str = "greenwood",
) -> Estimate:
    """Difference in cumulative incidence (1 - Kaplan-Meier) at one time.

    Parameters
    ----------
    time, event : array_like, shape (children,)
        Any unit, NaN = unknown; 1 event, 0 censored.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.
    at : float
        The time, above 0.
    level : float
        Confidence level.
    method : {"greenwood", "log-log"}
        "greenwood": Greenwood's variances added, normal interval and p. "log-log": each arm's log-log interval
        combined by square-and-add (MOVER), which respects -1 to 1, without p. The SE is Greenwood's in both.

    Returns
    -------
    Estimate
        Active minus control, a proportion.

    Raises
    ------
    ValueError
        Lengths, times, events, arms or level that can't be, another method, or `at` not positive.

    References
    ----------
    Zou & Donner (2008), Stat Med 27:1693-1702 (MOVER).

    Examples
    --------
    >>> time = [4, 12, 12, 24, 48, 48, 12, 24, 24, 48, 48, 48]
    >>> event = [1, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0]
    >>> arm = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    >>> found = cumulative_difference(time, event, arm, at=24, method="log-log")
    >>> [round(x, 2) for x in (found.estimate, found.lower, found.upper)]
    [0.3, -0.37, 0.72]
    """
    if method not in ("greenwood", "log-log"):
        raise ValueError(f"method is {method!r}; it must be 'greenwood' or 'log-log'")
    time, event, arm, message = arguments.two_arms(time, event, arm, level)
    arguments.positive("at", at)
    time, asked = arguments.tied(time, at)
    at, arms = float(asked), []
    for a in (0, 1):
        t, e = time[arm == a], event[arm == a]
        if len(t) == 0:
            arms.append(Estimate(message="no child with a time"))
            continue
        at_times = np.unique(t)
        survival, variance = discrete_time.kaplan_meier_counts(*_grouped(t, e, at_times))
        if at > at_times[-1] and survival[-1] > 0:
            arms.append(Estimate(message=f"follow-up ends at {at_times[-1]:g}, before {at:g}: not estimable"))
            continue
        k = int(np.searchsorted(at_times, at, side="right")) - 1
        s, se = (survival[k], np.sqrt(variance[k])) if k >= 0 else (1.0, 0.0)
        low, high = np.nan, np.nan
        if 0 < s < 1:
            spread = arguments.z(level) * se / (s * abs(np.log(s)))
            low, high = 1 - s ** np.exp(-spread), 1 - s ** np.exp(spread)
        why = "" if 0 < s < 1 else f"all or none had the event by {at:g}: no standard error"
        arms.append(Estimate(1 - s, low, high, se if 0 < s < 1 else np.nan, message=why))
    result = _difference(arms, message, level)
    if method == "greenwood" or np.isnan(result.se):
        return result
    a0, a1 = arms
    lower = result.estimate - np.hypot(a1.estimate - a1.lower, a0.upper - a0.estimate)
    upper = result.estimate + np.hypot(a1.upper - a1.estimate, a0.estimate - a0.lower)
    return Estimate(result.estimate, float(lower), float(upper), result.se, message=result.message)


def _difference(arms: list[Estimate], message: str, level: float) -> Estimate:
    for name, a in zip(("control", "active"), arms, strict=True):
        message = arguments.join(message, f"{name} arm: {a.message}" if a.message else "")
    difference, se = float(arms[1].estimate - arms[0].estimate), float(np.hypot(arms[0].se, arms[1].se))
    if not np.isfinite(se):
        return Estimate(difference, message=message)
    half = arguments.z(level) * se
    p = float(2 * stats.norm.sf(abs(difference / se)))
    return Estimate(difference, difference - half, difference + half, se, p, message)


def _grouped(
    time: NDArray, event: NDArray, at: NDArray, chosen: NDArray | bool = True
) -> tuple[NDArray, NDArray]:
    n_risk = ((time[None, :] >= at[:, None]) & chosen).sum(axis=1)
    n_event = ((time[None, :] == at[:, None]) & (event == 1) & chosen).sum(axis=1)
    return n_risk, n_event


def _not_comparable(event: NDArray, arm: NDArray) -> str:
    for a, name in ((0, "control"), (1, "active")):
        if not (arm == a).any():
            return f"no child with a time in the {name} arm: nothing to compare"
    return "" if event.any() else "no events: nothing to compare"
