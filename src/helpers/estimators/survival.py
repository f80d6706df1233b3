"""Time to an event, right- or interval-censored, for one arm, for two, and for many trials at once.

`time` is in any one unit, not negative, 0 = start; `event` is 1 for an event and 0 for censored (the
opposite of ADTTE's CNSR); `arm` is 0 for control and 1 for active; all are one-dimensional, a child a row.
Differences are active minus control. Children without a time (NaN) are left out and counted in the message.
What cannot be estimated is NaN, and `message` (for tables `.attrs["message"]`) says why; an empty message
means nothing to report. Shapes that differ, a negative time, an event or arm that is not 0 or 1 raise one
ValueError that names it.

"At risk" at t means just before t. Kaplan-Meier intervals are on the log-log scale (Kalbfleisch & Prentice),
and undefined (NaN) where the curve is exactly 1 or 0, as in R's survfit.
"""

from dataclasses import dataclass

import lifelines
import numpy as np
import pandas as pd
from lifelines.statistics import logrank_test
from scipy import stats

from helpers.estimators import arguments, discrete_time


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval; NaN with words in `message` where it does not exist."""

    estimate: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    se: float = np.nan
    p: float = np.nan
    message: str = ""


@dataclass(frozen=True)
class LogRank:
    """Log-rank test: chi-squared on one degree of freedom, p; events seen and expected in (control,
    active)."""

    statistic: float = np.nan
    p: float = np.nan
    observed: tuple = (np.nan, np.nan)
    expected: tuple = (np.nan, np.nan)
    message: str = ""


def kaplan_meier(time, event, level: float = 0.95) -> pd.DataFrame:
    """Kaplan-Meier estimate by lifelines, a row per distinct time (events and censorings).

    Columns: time, n_risk (just before), n_event, n_censor, survival, lower, upper (pointwise, log-log).
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


def median(time, event, level: float = 0.95) -> Estimate:
    """Median time to the event, with the interval where the log-log band crosses one half, as R's survfit.

    Where the curve lies on exactly 0.5 over an interval the median is the interval's midpoint. Limits that
    the follow-up does not reach are NaN, and the message says so. Source: Brookmeyer & Crowley (1982),
    Biometrics 38:29-41.
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


def _first_at_half(time, curve):
    known = ~np.isnan(curve)
    below = known & (curve <= 0.5 + 1e-9)
    if not below.any():
        return np.nan
    first = int(np.argmax(below))
    if curve[first] < 0.5 - 1e-9:
        return float(time[first])
    under = known & (curve < 0.5 - 1e-9)
    return float((time[first] + (time[np.argmax(under)] if under.any() else time[-1])) / 2)


def at_risk_table(time, event, grid) -> pd.DataFrame:
    """Counts at each time of `grid`: time, n_risk (just before), n_event and n_censor (cumulative, up to and
    at it)."""
    time, event, message = arguments.follow_up(time, event)
    grid = np.asarray(grid, float)
    reached = time[None, :] <= grid[:, None]
    table = pd.DataFrame(
        {
            "time": grid,
            "n_risk": (time[None, :] >= grid[:, None]).sum(axis=1),
            "n_event": (reached & (event == 1)).sum(axis=1),
            "n_censor": (reached & (event == 0)).sum(axis=1),
        }
    )
    table.attrs["message"] = message
    return table


def logrank(time, event, arm) -> LogRank:
    """Log-rank test of two arms, unstratified, by lifelines; observed and expected events beside it."""
    time, event, arm, message = arguments.two_arms(time, event, arm)
    why = _not_comparable(event, arm)
    if why:
        return LogRank(message=arguments.join(message, why))
    test = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])
    n_risk, n_event = zip(*(_grouped(time, event, np.unique(time), arm == a) for a in (0, 1)), strict=True)
    total_risk, total_event = n_risk[0] + n_risk[1], n_event[0] + n_event[1]
    expected = tuple(float((total_event * n / total_risk).sum()) for n in n_risk)
    observed = tuple(float(d.sum()) for d in n_event)
    if not np.isfinite(test.p_value):
        return LogRank(
            observed=observed,
            expected=expected,
            message=arguments.join(message, "never two arms at risk together"),
        )
    return LogRank(float(test.test_statistic), float(test.p_value), observed, expected, message)


def rmst(time, event, tau: float, level: float = 0.95) -> Estimate:
    """Restricted mean time to the event up to `tau`: area under Kaplan-Meier, in the unit of `time`.

    SE by the Greenwood-type formula, sum over event times of (area from t to tau)^2 d / (n (n - d)), without
    small sample factor, as R's survRM2 (lifelines' variance is that of min(T, tau), not the estimator's).
    Not estimable where follow-up ends before tau with the last child censored. Source: Royston & Parmar
    (2013), BMC Med Res Methodol 13:152. Raises ValueError also for tau not positive.
    """
    time, event, message = arguments.follow_up(time, event, level)
    arguments.positive("tau", tau)
    if len(time) == 0:
        return Estimate(message=message)
    at = np.unique(time)
    n_risk, n_event = _grouped(time, event, at)
    survival, _ = discrete_time.kaplan_meier_counts(n_risk, n_event)
    if at[-1] < tau and survival[-1] > 0:
        return Estimate(
            message=arguments.join(message, f"follow-up ends at {at[-1]:g}, before {tau:g}: not estimable")
        )
    within = at < tau
    edges = np.concatenate([[0.0], at[within], [float(tau)]])
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


def rmst_difference(time, event, arm, tau: float, level: float = 0.95) -> Estimate:
    """Difference in restricted mean time up to `tau`, with normal interval and p (as survRM2)."""
    time, event, arm, message = arguments.two_arms(time, event, arm, level)
    arms = [rmst(time[arm == a], event[arm == a], tau, level) for a in (0, 1)]
    return _difference(arms, [a.se for a in arms], message, level)


def cumulative_difference(
    time, event, arm, at: float, level: float = 0.95, method: str = "greenwood"
) -> Estimate:
    """Difference in cumulative incidence (1 - Kaplan-Meier) at one time.

    `method="greenwood"`: Greenwood's variances added, normal interval and p. `method="log-log"`: each arm's
    log-log interval combined by square-and-add (MOVER; Zou & Donner (2008), Stat Med 27:1693-1702), which
    respects -1 to 1, without p. The SE is Greenwood's in both. Raises ValueError for another method, or `at`
    not positive.
    """
    if method not in ("greenwood", "log-log"):
        raise ValueError(f"method is {method!r}; it must be 'greenwood' or 'log-log'")
    time, event, arm, message = arguments.two_arms(time, event, arm, level)
    arguments.positive("at", at)
    arms = []
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
    result = _difference(arms, [a.se for a in arms], message, level)
    if method == "greenwood" or np.isnan(result.se):
        return result
    a0, a1 = arms
    lower = result.estimate - np.hypot(a1.estimate - a1.lower, a0.upper - a0.estimate)
    upper = result.estimate + np.hypot(a1.upper - a1.estimate, a0.estimate - a0.lower)
    return Estimate(result.estimate, float(lower), float(upper), result.se, message=result.message)


def _difference(arms, ses, message, level):
    for name, a in zip(("control", "active"), arms, strict=True):
        message = arguments.join(message, f"{name} arm: {a.message}" if a.message else "")
    difference, se = float(arms[1].estimate - arms[0].estimate), float(np.hypot(*ses))
    if not np.isfinite(se):
        return Estimate(difference, message=message)
    half = arguments.z(level) * se
    p = float(2 * stats.norm.sf(abs(difference / se)))
    return Estimate(difference, difference - half, difference + half, se, p, message)


def _grouped(time, event, at, chosen=True):
    n_risk = ((time[None, :] >= at[:, None]) & chosen).sum(axis=1)
    n_event = ((time[None, :] == at[:, None]) & (event == 1) & chosen).sum(axis=1)
    return n_risk, n_event


def _not_comparable(event, arm):
    for a, name in ((0, "control"), (1, "active")):
        if not (arm == a).any():
            return f"no child with a time in the {name} arm: nothing to compare"
    return "" if event.any() else "no events: nothing to compare"
