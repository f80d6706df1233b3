"""Time to an event in periods: person-period tables, discrete-time hazard ratio, and kernels on counts.

The kernels (`grouped_counts`, `kaplan_meier_counts`, `logrank_counts`) work along the last axis, so that any
number of trials is one call. `event` is 1 for an event and 0 for censored, `arm` is 0 for control and 1 for
active, and ratios are active over control. What cannot be estimated is NaN with words in `message`. Shapes
that differ, or values that cannot be, raise one ValueError that names them.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

from helpers.estimators import arguments


@dataclass(frozen=True)
class HazardRatio:
    """Hazard ratio, active over control.

    Attributes
    ----------
    ratio, lower, upper : float
        With its interval; NaN with words in `message`.
    p : float
        Two-sided, against a ratio of 1.
    log_ratio, se : float
        Log ratio and its Wald standard error.
    coefficients : numpy.ndarray
        Arm, intercept, baseline columns, on the log hazard scale.
    message : str
        What there is to say, in words.

    Examples
    --------
    >>> HazardRatio(message="no events").ratio
    nan
    """

    ratio: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    p: float = np.nan
    log_ratio: float = np.nan
    se: float = np.nan
    coefficients: NDArray = field(default_factory=lambda: np.array([]))
    message: str = ""


def person_period(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    grid: ArrayLike,
    attended: ArrayLike | None = None,
) -> pd.DataFrame:
    """A row per child and visit at risk.

    Parameters
    ----------
    time, event : array_like, shape (children,)
        Time in any unit, on `grid` but for rounding (`arguments.tied`) or 0 (never at risk); 1 event,
        0 censored.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.
    grid : array_like, shape (k,)
        Times of the visits.
    attended : array_like of bool, shape (children, k), optional
        Leaves out visits that were missed.

    Returns
    -------
    pandas.DataFrame
        child (row number), arm, period (index in `grid`), time, y (1 = event there).

    Raises
    ------
    ValueError
        A time off the grid, shapes or values that can't be.

    Notes
    -----
    The row after a missed visit stands for a longer interval than its hazard says, which is why the model on
    these rows is a description.

    References
    ----------
    Prentice & Gloeckler (1978), Biometrics 34:57-67.

    Examples
    --------
    >>> person_period([12, 24], [1, 0], [0, 1], [12, 24]).to_numpy().tolist()
    [[0.0, 0.0, 0.0, 12.0, 1.0], [1.0, 1.0, 0.0, 12.0, 0.0], [1.0, 1.0, 1.0, 24.0, 0.0]]
    """
    visits = np.asarray(grid, float)
    time, event, arm, _ = arguments.two_arms(time, event, arm, keep_missing=True)
    time, grid = arguments.tied(time, visits)
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
    return pd.DataFrame({"child": child, "arm": arm[child], "period": period, "time": visits[period], "y": y})


def discrete_hazard_ratio(
    y: ArrayLike,
    arm: ArrayLike,
    baseline: ArrayLike | None = None,
    firth: bool = True,
    level: float = 0.95,
    interval: str = "profile",
) -> HazardRatio:
    """Hazard ratio of grouped times: complementary log-log regression on a person-period table.

    Parameters
    ----------
    y, arm : array_like of 0 and 1, shape (rows,)
        A row per child and visit at risk: event there, 0 control or 1 active.
    baseline : array_like, shape (rows, k), optional
        Columns of the baseline hazard beside the intercept (log time, or visit indicators but one), in any
        units: they are standardised inside, and `coefficients` are for the columns as given.
    firth : bool
        Add Jeffreys' penalty, half the log determinant of the expected information, so that the ratio stays
        finite when an arm has no events; without it the fit equals a GLM.
    level : float
        Confidence level.
    interval : {"profile", "wald"}
        Profile of the (penalised) likelihood, with p from its ratio; or Wald's.

    Returns
    -------
    HazardRatio
        NaN with words where arm and baseline can't be told apart or no row, or every row, has an event.

    Raises
    ------
    ValueError
        Shapes, values, level or another interval.

    Notes
    -----
    A child's rows are independent given survival so far.

    References
    ----------
    Prentice & Gloeckler (1978), Biometrics 34:57-67; Firth (1993), Biometrika 80:27-38; Heinze & Schemper
    (2001), Biometrics 57:114-119.

    Examples
    --------
    >>> rows = person_period([1, 1, 2, 2, 1, 2, 2, 2], [1, 1, 1, 0, 1, 0, 0, 0], [1] * 4 + [0] * 4, [1, 2])
    >>> found = discrete_hazard_ratio(rows["y"], rows["arm"], rows["period"])
    >>> round(found.ratio, 1), round(found.p, 1)
    (3.1, 0.2)
    """
    if interval not in ("profile", "wald"):
        raise ValueError(f"interval is {interval!r}; it must be 'profile' or 'wald'")
    arguments.check_level(level)
    event, arm = arguments.binary("y", y), arguments.arms(arm)
    extra = np.empty((len(event), 0)) if baseline is None else np.asarray(baseline, float)
    extra = extra[:, None] if extra.ndim == 1 else extra
    if arm.shape != event.shape or len(extra) != len(event):
        raise ValueError(f"y, arm and baseline have {len(event)}, {len(arm)} and {len(extra)} rows")
    if not np.isfinite(extra).all():
        raise ValueError("baseline must be finite numbers")
    extra, centre, scale = arguments.standardized(extra)
    x = np.column_stack([arm, np.ones(len(event)), extra])
    if len(event) == 0 or np.linalg.matrix_rank(x) < x.shape[1]:
        return HazardRatio(message="arm and baseline can't be told apart in these rows: no hazard ratio")
    if event.min() == event.max():
        return HazardRatio(message="no events" if event[0] == 0 else "an event in every row: no hazard ratio")
    beta, top, information, found = _cloglog(x, event, firth)
    if not firth and any(event[arm == a].min() == event[arm == a].max() for a in (0, 1)):
        return HazardRatio(message="no finite estimate (an arm without events): use firth=True")
    if not found or abs(beta[0]) > 12:
        return HazardRatio(message="the search for the estimate did not converge: no hazard ratio")
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

        def drop(value: float) -> float:
            return 2 * (top - _cloglog(x, event, firth, fixed=value, start=beta)[1])

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
    original = np.append(beta[:2], beta[2:] / scale)
    original[1] -= (beta[2:] * centre / scale).sum()
    return HazardRatio(ratio, low, high, float(p), float(beta[0]), se, original, message)


def _cloglog(
    x: NDArray, y: NDArray, firth: bool, fixed: float | None = None, start: NDArray | None = None
) -> tuple[NDArray, float, NDArray, bool]:
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

    def parts(b: NDArray) -> tuple[float, NDArray, NDArray]:
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
    return beta, value, information, bool(np.abs(score[free]).max(initial=0.0) < 1e-6)


def grouped_counts(last: ArrayLike, event: ArrayLike, n_periods: int) -> tuple[NDArray, NDArray]:
    """Children at risk and events in each period, for any number of trials.

    Parameters
    ----------
    last : array_like of int, shape (..., children)
        Index of the period in which the child had the event or was censored; -1 = never at risk.
    event : array_like of 0 and 1, shape (..., children)
        1 event, 0 censored.
    n_periods : int
        How many periods there are.

    Returns
    -------
    n_risk, n_event : numpy.ndarray of int, shape (..., n_periods)
        At risk in period k means `last >= k`.

    Raises
    ------
    ValueError
        Shapes or values that can't be.

    Notes
    -----
    Counting only; the kernels below take the counts.

    Examples
    --------
    >>> n_risk, n_event = grouped_counts([[0, 1, 1]], [[1, 1, 0]], 2)
    >>> n_risk.tolist(), n_event.tolist()
    ([[3, 2]], [[1, 1]])
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


def kaplan_meier_counts(n_risk: ArrayLike, n_event: ArrayLike) -> tuple[NDArray, NDArray]:
    """Kaplan-Meier along the last axis from counts.

    Parameters
    ----------
    n_risk, n_event : array_like, shape (..., periods)
        Children at risk and events, 0 <= n_event <= n_risk.

    Returns
    -------
    survival : numpy.ndarray, shape (..., periods)
        After each period, a proportion; flat where nobody is at risk.
    variance : numpy.ndarray, shape (..., periods)
        Greenwood's; 0 where survival is 0.

    Raises
    ------
    ValueError
        Shapes that differ or counts that can't be.

    References
    ----------
    Kaplan & Meier (1958), JASA 53:457-481; Greenwood (1926).

    Examples
    --------
    >>> survival, variance = kaplan_meier_counts([4, 3], [1, 1])
    >>> survival.round(2).tolist(), variance.round(2).tolist()
    ([0.75, 0.5], [0.05, 0.06])
    """
    n, d = np.asarray(n_risk, float), np.asarray(n_event, float)
    if n.shape != d.shape or (d > n).any() or (d < 0).any():
        raise ValueError("n_risk and n_event must have one shape, with 0 <= n_event <= n_risk")
    survival = np.cumprod(1 - np.divide(d, n, out=np.zeros_like(d), where=n > 0), axis=-1)
    spread = np.divide(d, n * (n - d), out=np.zeros_like(d), where=n > d)
    return survival, survival**2 * np.cumsum(spread, axis=-1)


def logrank_counts(
    n_risk0: ArrayLike, n_event0: ArrayLike, n_risk1: ArrayLike, n_event1: ArrayLike
) -> tuple[NDArray, NDArray]:
    """Log-rank test along the last axis from counts of two arms.

    Parameters
    ----------
    n_risk0, n_event0, n_risk1, n_event1 : array_like, shape (..., periods)
        Children at risk and events, 0 control and 1 active.

    Returns
    -------
    statistic, p : numpy.ndarray, shape (...)
        Chi-squared on one degree of freedom and its upper tail; NaN where the variance is 0.

    Raises
    ------
    ValueError
        Shapes that don't broadcast.

    References
    ----------
    Mantel (1966), Cancer Chemotherapy Reports 50:163-170.

    Examples
    --------
    >>> statistic, p = logrank_counts([6, 4, 3], [0, 1, 1], [6, 5, 2], [1, 2, 1])
    >>> round(float(statistic), 2), round(float(p), 2)
    (0.92, 0.34)
    """
    n0, d0, n1, d1 = (np.asarray(a, float) for a in (n_risk0, n_event0, n_risk1, n_event1))
    n, d = n0 + n1, d0 + d1
    expected = np.divide(d * n1, n, out=np.zeros_like(n), where=n > 0)
    variance = np.divide(d * n0 * n1 * (n - d), n**2 * (n - 1), out=np.zeros_like(n), where=n > 1).sum(
        axis=-1
    )
    excess = (d1 - expected).sum(axis=-1)
    statistic = np.divide(excess**2, variance, out=np.full_like(variance, np.nan), where=variance > 0)
    return statistic, stats.chi2.sf(statistic, 1)
