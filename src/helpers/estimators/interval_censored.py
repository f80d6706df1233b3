"""Interval-censored time to an event: the nonparametric maximum likelihood estimate and its bootstrap band.

`left` and `right` are (children,), in any one unit: the event lies in the half-open interval (left, right],
and `right` is infinite or empty (NaN) for a child without the event at its last assessment, `left`, as in
ADTTE and in R's `interval2`. Zero is no special time: follow-up may open before it. Rows without a `left` are
left out and counted in the message. What cannot be estimated is NaN, and `message` (for tables
`.attrs["message"]`) says why. Shapes that differ, or a `left` that is not finite or not below `right`, raise
one ValueError.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from helpers.estimators import arguments


@dataclass(frozen=True)
class NPMLE:
    """Interval-censored estimate of survival.

    Attributes
    ----------
    table : pandas.DataFrame
        left, right, probability and survival (after `right`), a Turnbull interval (left, right] a row; `right`
        is infinite for the mass beyond follow-up.
    log_likelihood : float
        At the estimate.
    message : str
        What there is to say, in words.

    Examples
    --------
    >>> fit = npmle([0, 0, 4, 12], [4, 4, 12, np.inf])
    >>> fit.table.round(2).to_numpy().tolist()
    [[0.0, 4.0, 0.5, 0.5], [4.0, 12.0, 0.25, 0.25], [12.0, inf, 0.25, 0.0]]
    """

    table: pd.DataFrame
    log_likelihood: float
    message: str = ""

    def survival(self, times: ArrayLike) -> NDArray:
        """Survival at `times`; inside an interval, where it is undetermined, the mass counts at its right end.

        Parameters
        ----------
        times : array_like
            In the unit of the intervals.

        Returns
        -------
        numpy.ndarray
            Proportions, the shape of `times`; NaN where nobody had an interval.
        """
        times, right = arguments.tied(times, self.table["right"].to_numpy(float))
        if self.table.empty:
            return np.full(times.shape, np.nan)
        gone = right <= times[..., None]
        return 1.0 - (gone * self.table["probability"].to_numpy()).sum(axis=-1)


def npmle(left: ArrayLike, right: ArrayLike, tolerance: float = 1e-10) -> NPMLE:
    """Nonparametric maximum likelihood for events known to lie in the half-open interval (left, right].

    Parameters
    ----------
    left, right : array_like, shape (children,)
        Any unit; `right` is infinite or NaN for children without the event at their last assessment, `left`,
        which may lie before time zero. Rows without a `left` are left out.
    tolerance : float
        Largest directional derivative per child at which the search stops.

    Returns
    -------
    NPMLE
        Empty, with words, where no child has an interval.

    Raises
    ------
    ValueError
        left not below right, or not finite; lengths that differ.

    Notes
    -----
    Turnbull's self-consistency (EM) on the innermost intervals and, where it has not ended after 2,000 steps, as
    with hundreds of distinct times, Wang's constrained Newton steps from there; Gentleman & Geyer's condition
    shows that the maximum is global. (lifelines' `fit_interval_censoring` takes intervals as closed, its issue 1310.)

    References
    ----------
    Turnbull (1976), JRSS B 38:290-295; Gentleman & Geyer (1994), Biometrika 81:618-623; Wang (2008), Comput Stat
    Data Anal 52:2388-2402.

    Examples
    --------
    >>> fit = npmle([0, 0, 4, 12], [4, 12, 12, np.inf])
    >>> [round(float(s), 3) for s in fit.survival([4, 12])]
    [0.625, 0.25]
    """
    left, right, message = _intervals(left, right)
    if len(left) == 0:
        empty = pd.DataFrame(
            {c: pd.Series(dtype=float) for c in ("left", "right", "probability", "survival")}
        )
        return NPMLE(empty, np.nan, message)
    edges, patterns, children = _patterns(left, right)
    batch, excess = _self_consistent(edges, patterns, children[None, :].astype(float), tolerance, 2_000)
    mass, left_over = batch[0], float(excess[0])
    if left_over > tolerance:
        mass, left_over = _newton(_members(edges, patterns), children, mass, tolerance)
    if left_over > tolerance:
        message = arguments.join(message, f"the search stopped with {left_over:.1g} per child to go")
    mass = np.where(mass > 1e-8, mass, 0.0)
    mass /= mass.sum()
    likelihood = float(children @ np.log(_members(edges, patterns) @ mass))
    held = mass > 0
    table = pd.DataFrame({"left": edges[:-1][held], "right": edges[1:][held], "probability": mass[held]})
    table["survival"] = np.maximum(0.0, 1 - table["probability"].cumsum())
    table.loc[table.index[-1], "survival"] = 0.0
    if not np.isfinite(right).any():
        message = arguments.join(message, "no events: survival is 1 throughout follow-up")
    return NPMLE(table, likelihood, message)


def npmle_bootstrap(
    left: ArrayLike,
    right: ArrayLike,
    grid: ArrayLike,
    n_boot: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> pd.DataFrame:
    """NPMLE survival on `grid` with a pointwise band, Wilson's with an effective number of children.

    Parameters
    ----------
    left, right : array_like, shape (children,)
        As in `npmle`.
    grid : array_like, shape (k,)
        Times, meant to be those of visits, where survival is determined.
    n_boot : int
        Resamples of the children, one batched EM: they give the variance.
    rng : numpy.random.Generator
        Where they come from.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        time, estimate, lower, upper (proportions), a row per grid point; `.attrs["message"]`.

    Raises
    ------
    ValueError
        As `npmle`, and for n_boot below 1 or a level outside 0 to 1.

    Notes
    -----
    The effective number is that of children, each seen at every visit, in whom a share would vary as the resampled
    estimates do, at most as many as there are; where no resample differs, those are counted whose interval says on
    which side of the time the event lies. In small arms the percentiles of the resamples cover far less than they
    name (see `helpers.design.known_truth`): where nobody has the event, they leave no width at all.

    References
    ----------
    Efron (1979), Ann Stat 7:1-26; Wilson (1927), JASA 22:209-212; Korn & Graubard (1998), Survey Methodology
    24:193-201 (effective number, with exact limits).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = npmle_bootstrap([0, 0, 4, 12] * 10, [4, 12, 12, np.inf] * 10, [4, 12], 500, rng)
    >>> table[["time", "estimate"]].round(3).to_numpy().tolist()
    [[4.0, 0.625], [12.0, 0.25]]
    >>> bool((table["lower"] < table["estimate"]).all() and (table["estimate"] < table["upper"]).all())
    True
    """
    arguments.positive("n_boot", n_boot)
    arguments.check_level(level)
    grid = np.asarray(grid, float)
    fit = npmle(left, right)
    message = fit.message
    left, right, _ = _intervals(left, right)
    estimate = fit.survival(grid)
    lower = upper = np.full(grid.shape, np.nan)
    if len(left):
        edges, patterns, children = _patterns(left, right)
        drawn = rng.multinomial(len(left), children / len(left), size=int(n_boot)).astype(float)
        mass, excess = _self_consistent(edges, patterns, drawn, 1e-5, 2_000)
        if (excess > 1e-5).any():
            message = arguments.join(
                message, f"EM stopped early in {int((excess > 1e-5).sum())} of {n_boot} resamples"
            )
        ends, visits = arguments.tied(edges[1:], grid)
        curves = 1.0 - mass @ (ends[:, None] <= visits[None, :])
        left, right, visits = arguments.tied(left, right, grid)
        tell = ((left[:, None] >= visits) | (right[:, None] <= visits)).sum(axis=0)
        variance = curves.var(axis=0, ddof=1) if n_boot > 1 else np.zeros(grid.shape)
        lower, upper = _wilson(estimate, variance, tell, len(left), arguments.z(level))
    table = pd.DataFrame({"time": grid, "estimate": estimate, "lower": lower, "upper": upper})
    table.attrs["message"] = message
    return table


def _wilson(
    share: NDArray, variance: NDArray, tell: NDArray, children: int, z: float
) -> tuple[NDArray, NDArray]:
    """Wilson's limits of shares with the number of children that explains their variance; NaN where nobody tells."""
    varies = variance > 1e-12
    share = np.where(np.abs(share - np.round(share)) < 1e-9, np.round(share), share)
    number = np.divide(share * (1 - share), variance, out=tell.astype(float), where=varies & (share % 1 > 0))
    number = np.minimum(number, children)
    known = number > 0
    size = np.where(known, number, 1.0)
    centre = share + z**2 / (2 * size)
    half = z * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    limits = (np.clip((centre + sign * half) / (1 + z**2 / size), 0.0, 1.0) for sign in (-1, 1))
    lower, upper = (np.where(known, limit, np.nan) for limit in limits)
    return np.minimum(lower, share), np.maximum(upper, share)


def _patterns(left: NDArray, right: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    edges = np.unique(np.concatenate([left, right]))
    patterns, children = np.unique(np.stack([left, right], axis=1), axis=0, return_counts=True)
    return edges, patterns, children


def _members(edges: NDArray, patterns: NDArray) -> NDArray:
    return ((patterns[:, :1] <= edges[None, :-1]) & (edges[None, 1:] <= patterns[:, 1:])).astype(float)


def _self_consistent(
    edges: NDArray, patterns: NDArray, weights: NDArray, tolerance: float, max_iterations: int
) -> tuple[NDArray, NDArray]:
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


def _newton(members: NDArray, children: NDArray, mass: NDArray, tolerance: float) -> tuple[NDArray, float]:
    """Mass at the maximum from a start, and the largest directional derivative per child that is left.

    Each step maximises the quadratic approximation of the log-likelihood over the simplex, which is a least
    squares problem without negative coefficients, and is halved until it climbs.
    """
    cells = np.flatnonzero(mass > 0)
    members, p = members[:, cells], mass[cells]
    share = children / children.sum()
    root = np.sqrt(share)[:, None]
    value = share @ np.log(members @ p)
    for _ in range(200):
        ratio = members / (members @ p)[:, None]
        gradient = share @ ratio
        if gradient.max() - 1 <= tolerance:
            break
        # On the simplex ratio @ q - 2 is (ratio - 2) @ q: homogeneous, so that the sum may be mended afterwards.
        system = np.vstack([root * (ratio - 2), np.ones(len(cells))])
        target = np.zeros(len(system))
        target[-1] = 1.0
        towards = optimize.nnls(system, target, maxiter=30 * len(cells))[0]
        step = towards / towards.sum() - p
        for _ in range(40):
            trial = p + step
            covered = members @ trial
            tried = share @ np.log(covered) if covered.min() > 0 else -np.inf
            # Beside the maximum a step gains less than rounding shows.
            if tried >= value - 1e-14 * abs(value):
                break
            step = step / 2
        else:
            break
        p, value = trial, tried
    found = np.zeros_like(mass)
    found[cells] = np.maximum(p, 0.0)
    gradient = share @ (members / (members @ found[cells])[:, None])
    return found, float(gradient.max() - 1)


def _intervals(left: ArrayLike, right: ArrayLike) -> tuple[NDArray, NDArray, str]:
    left, right = np.asarray(left, float), np.asarray(right, float)
    if left.ndim != 1 or left.shape != right.shape:
        raise ValueError(f"left and right must be of one length, got {left.shape} and {right.shape}")
    known = ~np.isnan(left)
    right = np.where(np.isnan(right), np.inf, right)
    message = "" if known.all() else f"{int((~known).sum())} without an interval left out"
    left, right = arguments.tied(left[known], right[known])
    if np.isinf(left).any() or (left >= right).any():
        raise ValueError("intervals are (left, right]: left is finite and left < right")
    return left, right, message if len(left) else "no child with an interval"
