"""Time to an event in periods: person-period tables, discrete-time hazard ratio, and kernels on counts.

The kernels (`grouped_counts`, `kaplan_meier_counts`, `logrank_counts`) work along the last axis, so that any
number of trials is one call. `event` is 1 for an event and 0 for censored, `arm` is 0 for control and 1 for
active, and ratios are active over control. What cannot be estimated is NaN with words in `message`. Shapes
that differ, or values that cannot be, raise one ValueError that names them.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from helpers.estimators import arguments


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio, active over control, with interval and p; log ratio and its SE; all coefficients."""

    ratio: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    p: float = np.nan
    log_ratio: float = np.nan
    se: float = np.nan
    coefficients: np.ndarray = field(default_factory=lambda: np.array([]))
    message: str = ""


def person_period(time, event, arm, grid, attended=None) -> pd.DataFrame:
    """A row per child and visit at risk: child (row number), arm, period (index in `grid`), time, y (1 =
    event there).

    `time` must lie on `grid` (K,). `attended`, (children, K) booleans, leaves out visits that were missed:
    the row after a gap then stands for a longer interval than its hazard says, which is why the model is a
    description.
    """
    grid = np.asarray(grid, float)
    time, event, arm, _ = arguments.two_arms(time, event, arm, keep_missing=True)
    at_risk = time[:, None] >= grid[None, :]
    if not np.isin(time[~np.isnan(time)], np.append(grid, 0.0)).all():
        raise ValueError("time must lie on the grid of visits (or be 0: never at risk)")
    if attended is not None:
        attended = np.asarray(attended, bool)
        if attended.shape != at_risk.shape:
            raise ValueError(f"attended has shape {attended.shape}, expected {at_risk.shape}")
        at_risk &= attended
    child, period = np.nonzero(at_risk)
    y = ((grid[period] == time[child]) & (event[child] == 1)).astype(int)
    return pd.DataFrame({"child": child, "arm": arm[child], "period": period, "time": grid[period], "y": y})


def discrete_hazard_ratio(
    y, arm, baseline=None, firth: bool = True, level: float = 0.95, interval: str = "profile"
) -> HazardRatio:
    """Hazard ratio of grouped times: complementary log-log regression on a person-period table.

    `y` (0/1) and `arm` (0/1) have a row per child and visit at risk; `baseline` (rows, k) holds the columns
    of the baseline hazard beside the intercept (log time, or visit indicators but one); a child's rows are
    independent given survival so far. `firth` adds Jeffreys' penalty, half the log determinant of the
    expected information, so that the ratio stays finite when an arm has no events; without it the fit equals
    a GLM. `interval` is "profile" (penalised likelihood ratio, p likewise) or "wald". Raises ValueError for
    shapes, values, or another interval. Sources: Prentice & Gloeckler (1978), Biometrics 34:57-67; Firth
    (1993), Biometrika 80:27-38; Heinze & Schemper (2001), Biometrics 57:114-119.
    """
    if interval not in ("profile", "wald"):
        raise ValueError(f"interval is {interval!r}; it must be 'profile' or 'wald'")
    arguments.check_level(level)
    y, arm = arguments.binary("y", y), arguments.binary("arm", arm)
    extra = np.empty((len(y), 0)) if baseline is None else np.asarray(baseline, float)
    extra = extra[:, None] if extra.ndim == 1 else extra
    if arm.shape != y.shape or len(extra) != len(y):
        raise ValueError(f"y, arm and baseline have {len(y)}, {len(arm)} and {len(extra)} rows")
    if not np.isfinite(extra).all():
        raise ValueError("baseline must be finite numbers")
    x = np.column_stack([arm, np.ones(len(y)), extra])
    if len(y) == 0 or np.linalg.matrix_rank(x) < x.shape[1]:
        return HazardRatio(message="arm and baseline can't be told apart in these rows: no hazard ratio")
    if y.min() == y.max():
        return HazardRatio(message="no events" if y[0] == 0 else "an event in every row: no hazard ratio")
    beta, top, information, found = _cloglog(x, y, firth)
    if not found or abs(beta[0]) > 12:
        return HazardRatio(message="no finite estimate (an arm without events): use firth=True")
    message = (
        ""
        if np.abs(x @ beta).max() < 15
        else "a period without events: its own hazard has no finite estimate"
    )
    se = float(np.sqrt(np.linalg.inv(information)[0, 0]))
    if interval == "wald":
        low, high = beta[0] - arguments.z(level) * se, beta[0] + arguments.z(level) * se
        p = 2 * stats.norm.sf(abs(beta[0] / se))
    else:
        allowed = stats.chi2.ppf(level, 1)

        def drop(value):
            return 2 * (top - _cloglog(x, y, firth, fixed=value, start=beta)[1])

        limits = []
        for sign in (-1, 1):
            reach = next((r for r in (2, 4, 8, 16, 32) if drop(beta[0] + sign * r * se) > allowed), None)
            if reach is None:
                limits.append(sign * np.inf)
                message = arguments.join(message, "profile interval is open at one end")
                continue
            ends = (beta[0], beta[0] + sign * reach * se)
            limits.append(optimize.brentq(lambda value: drop(value) - allowed, *ends, xtol=1e-10))
        low, high = limits
        p = stats.chi2.sf(max(drop(0.0), 0.0), 1)
    ratio, low, high = (float(np.exp(v)) for v in (beta[0], low, high))
    return HazardRatio(ratio, low, high, float(p), float(beta[0]), se, beta, message)


def _cloglog(x, y, firth, fixed=None, start=None):
    """Maximise the (penalised) likelihood, with the first coefficient free or fixed.

    Returns coefficients, log-likelihood with penalty, expected information of all of them, and whether it
    converged.
    """
    free = slice(1, None) if fixed is not None else slice(None)
    beta = np.zeros(x.shape[1]) if start is None else start.copy()
    if start is None:
        beta[1] = np.log(-np.log1p(-y.mean()))
    if fixed is not None:
        beta[0] = fixed

    def parts(b):
        eta = np.clip(x @ b, -30, 3.5)
        rate = np.exp(eta)
        chance = -np.expm1(-rate)
        odds = rate / np.expm1(rate)
        weight = rate * odds
        information = (x * weight[:, None]).T @ x
        value = np.where(y == 1, np.log(chance), -rate).sum()
        score = np.where(y == 1, odds, -rate)
        if firth:
            value += 0.5 * np.linalg.slogdet(information)[1]
            hat = weight * np.einsum("ij,jk,ik->i", x, np.linalg.pinv(information), x)
            # d log(weight) / d eta, for weight = rate^2 / (exp(rate) - 1)
            score = score + 0.5 * hat * (2 - rate / chance)
        return value, x.T @ score, information

    value, score, information = parts(beta)
    stalled = 0
    for _ in range(200):
        step = np.linalg.lstsq(information[free, free], score[free], rcond=None)[0]
        step *= min(1.0, 5.0 / max(np.abs(step).max(initial=0.0), 1e-300))
        for _ in range(30):
            trial = beta.copy()
            trial[free] += step
            tried = parts(trial)
            if tried[0] >= value - 1e-12:
                break
            step = step / 2
        # Far out on a profile the steps stay above rounding although the likelihood no longer climbs.
        stalled = stalled + 1 if tried[0] - value < 1e-13 * abs(value) else 0
        beta, (value, score, information) = trial, tried
        if np.abs(step).max(initial=0.0) < 1e-11 or stalled == 12:
            break
    return beta, value, information, np.abs(score[free]).max(initial=0.0) < 1e-6


def grouped_counts(last, event, n_periods: int):
    """Children at risk and events in each period, for any number of trials: two arrays (..., n_periods).

    `last` (..., children): index of the period in which the child had the event or was censored; -1 = never
    at risk. `event` (..., children): 0/1. At risk in period k means `last >= k`. Raises ValueError for
    shapes or values.
    """
    last, event = np.asarray(last), arguments.binary("event", event)
    if last.shape != event.shape:
        raise ValueError(f"last and event have shapes {last.shape} and {event.shape}")
    if last.dtype.kind not in "iu" or (last < -1).any() or (last >= n_periods).any():
        raise ValueError(f"last must be whole numbers from -1 to {n_periods - 1}")
    period = np.arange(n_periods)
    n_risk = (last[..., None] >= period).sum(axis=-2)
    n_event = ((last[..., None] == period) & (event[..., None] == 1)).sum(axis=-2)
    return n_risk, n_event


def kaplan_meier_counts(n_risk, n_event):
    """Kaplan-Meier along the last axis from counts: survival after each period, and Greenwood's variance.

    Where nobody is at risk the curve stays flat. At survival 0 the variance is 0.
    """
    n, d = np.asarray(n_risk, float), np.asarray(n_event, float)
    if n.shape != d.shape or (d > n).any() or (d < 0).any():
        raise ValueError("n_risk and n_event must have one shape, with 0 <= n_event <= n_risk")
    survival = np.cumprod(1 - np.divide(d, n, out=np.zeros_like(d), where=n > 0), axis=-1)
    spread = np.divide(d, n * (n - d), out=np.zeros_like(d), where=n > d)
    return survival, survival**2 * np.cumsum(spread, axis=-1)


def logrank_counts(n_risk0, n_event0, n_risk1, n_event1):
    """Log-rank chi-squared and p along the last axis from counts of two arms; NaN where its variance is 0."""
    n0, d0, n1, d1 = (np.asarray(a, float) for a in (n_risk0, n_event0, n_risk1, n_event1))
    n, d = n0 + n1, d0 + d1
    expected = np.divide(d * n1, n, out=np.zeros_like(n), where=n > 0)
    variance = np.divide(d * n0 * n1 * (n - d), n**2 * (n - 1), out=np.zeros_like(n), where=n > 1).sum(
        axis=-1
    )
    excess = (d1 - expected).sum(axis=-1)
    statistic = np.divide(excess**2, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return statistic, stats.chi2.sf(statistic, 1)
