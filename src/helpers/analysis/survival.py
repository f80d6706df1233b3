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

from dataclasses import dataclass, field

import lifelines
import numpy as np
import pandas as pd
from lifelines.statistics import logrank_test
from scipy import optimize, stats


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


@dataclass(frozen=True)
class NPMLE:
    """Interval-censored estimate. `table` has left, right, probability and survival (after `right`), a
    Turnbull interval (left, right] a row; `right` is infinite for the mass beyond follow-up."""

    table: pd.DataFrame
    log_likelihood: float
    message: str = ""

    def survival(self, times) -> np.ndarray:
        """Survival at `times`; inside an interval, where it is undetermined, the mass counts at its right
        end."""
        times = np.asarray(times, float)
        if self.table.empty:
            return np.full(times.shape, np.nan)
        gone = self.table["right"].to_numpy() <= times[..., None]
        return 1.0 - (gone * self.table["probability"].to_numpy()).sum(axis=-1)


def kaplan_meier(time, event, level: float = 0.95) -> pd.DataFrame:
    """Kaplan-Meier estimate by lifelines, a row per distinct time (events and censorings).

    Columns: time, n_risk (just before), n_event, n_censor, survival, lower, upper (pointwise, log-log).
    """
    time, event, message = _follow_up(time, event, level)
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
        message = _join(message, "median not reached during follow-up")
    elif len(table) and np.isnan(values[2]):
        message = _join(message, "upper limit of the median not reached during follow-up")
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
    time, event, message = _follow_up(time, event)
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
    time, event, arm, message = _two_arms(time, event, arm)
    why = _not_comparable(event, arm)
    if why:
        return LogRank(message=_join(message, why))
    test = logrank_test(time[arm == 0], time[arm == 1], event[arm == 0], event[arm == 1])
    n_risk, n_event = zip(*(_grouped(time, event, np.unique(time), arm == a) for a in (0, 1)), strict=True)
    total_risk, total_event = n_risk[0] + n_risk[1], n_event[0] + n_event[1]
    expected = tuple(float((total_event * n / total_risk).sum()) for n in n_risk)
    observed = tuple(float(d.sum()) for d in n_event)
    if not np.isfinite(test.p_value):
        return LogRank(
            observed=observed, expected=expected, message=_join(message, "never two arms at risk together")
        )
    return LogRank(float(test.test_statistic), float(test.p_value), observed, expected, message)


def rmst(time, event, tau: float, level: float = 0.95) -> Estimate:
    """Restricted mean time to the event up to `tau`: area under Kaplan-Meier, in the unit of `time`.

    SE by the Greenwood-type formula, sum over event times of (area from t to tau)^2 d / (n (n - d)), without
    small sample factor, as R's survRM2 (lifelines' variance is that of min(T, tau), not the estimator's).
    Not estimable where follow-up ends before tau with the last child censored. Source: Royston & Parmar
    (2013), BMC Med Res Methodol 13:152. Raises ValueError also for tau not positive.
    """
    time, event, message = _follow_up(time, event, level)
    _positive("tau", tau)
    if len(time) == 0:
        return Estimate(message=message)
    at = np.unique(time)
    n_risk, n_event = _grouped(time, event, at)
    survival, _ = kaplan_meier_counts(n_risk, n_event)
    if at[-1] < tau and survival[-1] > 0:
        return Estimate(
            message=_join(message, f"follow-up ends at {at[-1]:g}, before {tau:g}: not estimable")
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
            float(areas.sum()), message=_join(message, "no variation before tau: no standard error")
        )
    half = _z(level) * se
    mean = float(areas.sum())
    return Estimate(mean, mean - half, mean + half, se, message=message)


def rmst_difference(time, event, arm, tau: float, level: float = 0.95) -> Estimate:
    """Difference in restricted mean time up to `tau`, with normal interval and p (as survRM2)."""
    time, event, arm, message = _two_arms(time, event, arm, level)
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
    time, event, arm, message = _two_arms(time, event, arm, level)
    _positive("at", at)
    arms = []
    for a in (0, 1):
        t, e = time[arm == a], event[arm == a]
        if len(t) == 0:
            arms.append(Estimate(message="no child with a time"))
            continue
        at_times = np.unique(t)
        survival, variance = kaplan_meier_counts(*_grouped(t, e, at_times))
        if at > at_times[-1] and survival[-1] > 0:
            arms.append(Estimate(message=f"follow-up ends at {at_times[-1]:g}, before {at:g}: not estimable"))
            continue
        k = int(np.searchsorted(at_times, at, side="right")) - 1
        s, se = (survival[k], np.sqrt(variance[k])) if k >= 0 else (1.0, 0.0)
        low, high = np.nan, np.nan
        if 0 < s < 1:
            spread = _z(level) * se / (s * abs(np.log(s)))
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
        message = _join(message, f"{name} arm: {a.message}" if a.message else "")
    difference, se = float(arms[1].estimate - arms[0].estimate), float(np.hypot(*ses))
    if not np.isfinite(se):
        return Estimate(difference, message=message)
    half = _z(level) * se
    p = float(2 * stats.norm.sf(abs(difference / se)))
    return Estimate(difference, difference - half, difference + half, se, p, message)


def npmle(left, right, tolerance: float = 1e-10) -> NPMLE:
    """Nonparametric maximum likelihood for events known to lie in the half-open interval (left, right].

    `right` is infinite for children without the event at their last assessment (`left`). Turnbull's
    self-consistency (EM) on the innermost intervals; stops when no interval's directional derivative is above
    `tolerance` per child (Gentleman & Geyer's condition, so the maximum is global). Rows with NaN are left
    out. Raises ValueError for left not below right, or negative. Sources: Turnbull (1976), JRSS B
    38:290-295; Gentleman & Geyer (1994), Biometrika 81:618-623.
    """
    left, right, message = _intervals(left, right)
    if len(left) == 0:
        empty = pd.DataFrame(
            {c: pd.Series(dtype=float) for c in ("left", "right", "probability", "survival")}
        )
        return NPMLE(empty, np.nan, message)
    edges, patterns, counts = _patterns(left, right)
    mass, excess = _self_consistent(edges, patterns, counts[None, :].astype(float), tolerance, 20_000)
    if excess[0] > tolerance:
        message = _join(message, f"EM stopped with {excess[0]:.1g} per child to go")
    mass = np.where(mass[0] > 1e-8, mass[0], 0.0)
    mass /= mass.sum()
    likelihood = float(counts @ np.log(_members(edges, patterns) @ mass))
    held = mass > 0
    table = pd.DataFrame({"left": edges[:-1][held], "right": edges[1:][held], "probability": mass[held]})
    table["survival"] = np.maximum(0.0, 1 - table["probability"].cumsum())
    table.loc[table.index[-1], "survival"] = 0.0
    if not np.isfinite(right).any():
        message = _join(message, "no events: survival is 1 throughout follow-up")
    return NPMLE(table, likelihood, message)


def npmle_bootstrap(
    left, right, grid, n_boot: int, rng: np.random.Generator, level: float = 0.95
) -> pd.DataFrame:
    """NPMLE survival on `grid` with a pointwise percentile band from `n_boot` resamples of the children.

    Returns time, estimate, lower, upper, a row per grid point (meant for visit times, where survival is
    determined). All resamples are one batched EM. Raises ValueError as `npmle`, and for n_boot below 1.
    Source: Efron (1979); for the NPMLE at a few fixed visit times, where it is a multinomial likelihood.
    """
    _positive("n_boot", n_boot)
    _check_level(level)
    grid = np.asarray(grid, float)
    fit = npmle(left, right)
    message = fit.message
    left, right, _ = _intervals(left, right)
    lower = upper = np.full(grid.shape, np.nan)
    if len(left):
        edges, patterns, counts = _patterns(left, right)
        drawn = rng.multinomial(len(left), counts / len(left), size=int(n_boot)).astype(float)
        mass, excess = _self_consistent(edges, patterns, drawn, 1e-5, 2_000)
        if (excess > 1e-5).any():
            message = _join(
                message, f"EM stopped early in {int((excess > 1e-5).sum())} of {n_boot} resamples"
            )
        curves = 1.0 - mass @ (edges[1:, None] <= grid[None, :])
        lower, upper = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
    table = pd.DataFrame({"time": grid, "estimate": fit.survival(grid), "lower": lower, "upper": upper})
    table.attrs["message"] = message
    return table


def _patterns(left, right):
    edges = np.unique(np.concatenate([left, right]))
    patterns, counts = np.unique(np.stack([left, right], axis=1), axis=0, return_counts=True)
    return edges, patterns, counts


def _members(edges, patterns):
    return ((patterns[:, :1] <= edges[None, :-1]) & (edges[None, 1:] <= patterns[:, 1:])).astype(float)


def _self_consistent(edges, patterns, weights, tolerance, max_iterations):
    """EM for a batch: `weights` (batch, patterns) -> mass (batch, cells) on (edges[k], edges[k+1]], and what
    is left.

    Mass is allowed only on the last cell of each resample's own innermost intervals, which makes it unique
    there.
    """
    members = _members(edges, patterns)
    has_left = weights @ (patterns[:, :1] == edges[None, :-1]) > 0
    has_right = weights @ (patterns[:, 1:] == edges[None, 1:]) > 0
    allowed = np.zeros(has_left.shape, bool)
    open_left = np.zeros(len(weights), bool)
    for k in range(len(edges) - 1):
        open_left |= has_left[:, k]
        allowed[:, k] = open_left & has_right[:, k]
        open_left &= ~has_right[:, k]
    mass = allowed / allowed.sum(axis=1, keepdims=True)
    total = weights.sum(axis=1, keepdims=True)
    excess = np.full(len(weights), np.inf)
    active = np.arange(len(weights))
    for iteration in range(max_iterations):
        w, m = weights[active], mass[active]
        covered = m @ members.T
        gradient = (np.divide(w, covered, out=np.zeros_like(w), where=w > 0) @ members) / total[active]
        mass[active] = m * gradient
        if iteration % 10 == 9:
            excess[active] = np.where(allowed[active], gradient - 1, -1).max(axis=1)
            active = active[excess[active] > tolerance]
            if len(active) == 0:
                break
    return mass, excess


def person_period(time, event, arm, grid, attended=None) -> pd.DataFrame:
    """A row per child and visit at risk: child (row number), arm, period (index in `grid`), time, y (1 =
    event there).

    `time` must lie on `grid` (K,). `attended`, (children, K) booleans, leaves out visits that were missed:
    the row after a gap then stands for a longer interval than its hazard says, which is why the model is a
    description.
    """
    grid = np.asarray(grid, float)
    time, event, arm, _ = _two_arms(time, event, arm, keep_missing=True)
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
    _check_level(level)
    y, arm = _binary("y", y), _binary("arm", arm)
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
        low, high = beta[0] - _z(level) * se, beta[0] + _z(level) * se
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
                message = _join(message, "profile interval is open at one end")
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
        beta, (value, score, information) = trial, tried
        if np.abs(step).max(initial=0.0) < 1e-11:
            break
    return beta, value, information, np.abs(score[free]).max(initial=0.0) < 1e-6


def grouped_counts(last, event, n_periods: int):
    """Children at risk and events in each period, for any number of trials: two arrays (..., n_periods).

    `last` (..., children): index of the period in which the child had the event or was censored; -1 = never
    at risk. `event` (..., children): 0/1. At risk in period k means `last >= k`. Raises ValueError for
    shapes or values.
    """
    last, event = np.asarray(last), _binary("event", event)
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


def _grouped(time, event, at, chosen=True):
    n_risk = ((time[None, :] >= at[:, None]) & chosen).sum(axis=1)
    n_event = ((time[None, :] == at[:, None]) & (event == 1) & chosen).sum(axis=1)
    return n_risk, n_event


def _not_comparable(event, arm):
    for a, name in ((0, "control"), (1, "active")):
        if not (arm == a).any():
            return f"no child with a time in the {name} arm: nothing to compare"
    return "" if event.any() else "no events: nothing to compare"


def _follow_up(time, event, level=0.95):
    time, event, _, message = _two_arms(time, event, None, level)
    return time, event, message


def _two_arms(time, event, arm, level=0.95, keep_missing=False):
    _check_level(level)
    time = np.asarray(time, float)
    event = np.asarray(event)
    groups = np.zeros(time.shape, int) if arm is None else _binary("arm", arm)
    if time.ndim != 1 or event.shape != time.shape or groups.shape != time.shape:
        raise ValueError(
            f"time, event and arm must be of one length, got {time.shape}, {event.shape}, {groups.shape}"
        )
    missing = np.isnan(time)
    if (time[~missing] < 0).any() or np.isinf(time).any():
        raise ValueError("time must be finite and not negative")
    event = np.where(missing, 0, event) if event.dtype.kind in "biuf" else event
    event = _binary("event", event)
    message = ""
    if missing.all():
        message = "no child with a time"
    elif missing.any():
        message = f"{int(missing.sum())} without a time left out"
    keep = ~missing | keep_missing
    return time[keep], event[keep], groups[keep], message


def _intervals(left, right):
    left, right = np.asarray(left, float), np.asarray(right, float)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"left and right must be of one length, got {left.shape} and {right.shape}")
    known = ~(np.isnan(left) | np.isnan(right))
    message = "" if known.all() else f"{int((~known).sum())} without an interval left out"
    left, right = left[known], right[known]
    if (left < 0).any() or (left >= right).any():
        raise ValueError("intervals are (left, right]: 0 <= left < right")
    return left, right, message if len(left) else "no child with an interval"


def _binary(name, values):
    values = np.asarray(values)
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(f"{name} must be 0 or 1")
    return values.astype(int)


def _positive(name, value):
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive, got {value!r}")


def _check_level(level):
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")


def _z(level):
    return float(stats.norm.isf((1 - level) / 2))


def _join(*parts):
    return "; ".join(part for part in parts if part)
