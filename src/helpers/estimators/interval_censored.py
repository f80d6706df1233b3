"""Interval-censored time to an event: the nonparametric maximum likelihood estimate and its bootstrap band.

`left` and `right` are (children,), in any one unit: the event lies in the half-open interval (left, right],
and `right` is infinite for a child without the event at its last assessment, `left`. Rows with NaN are left
out and counted in the message. What cannot be estimated is NaN, and `message` (for tables
`.attrs["message"]`) says why. Shapes that differ, or a `left` that is negative or not below `right`, raise
one ValueError.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.estimators import arguments


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
        message = arguments.join(message, f"EM stopped with {excess[0]:.1g} per child to go")
    mass = np.where(mass[0] > 1e-8, mass[0], 0.0)
    mass /= mass.sum()
    likelihood = float(counts @ np.log(_members(edges, patterns) @ mass))
    held = mass > 0
    table = pd.DataFrame({"left": edges[:-1][held], "right": edges[1:][held], "probability": mass[held]})
    table["survival"] = np.maximum(0.0, 1 - table["probability"].cumsum())
    table.loc[table.index[-1], "survival"] = 0.0
    if not np.isfinite(right).any():
        message = arguments.join(message, "no events: survival is 1 throughout follow-up")
    return NPMLE(table, likelihood, message)


def npmle_bootstrap(
    left, right, grid, n_boot: int, rng: np.random.Generator, level: float = 0.95
) -> pd.DataFrame:
    """NPMLE survival on `grid` with a pointwise percentile band from `n_boot` resamples of the children.

    Returns time, estimate, lower, upper, a row per grid point (meant for visit times, where survival is
    determined). All resamples are one batched EM. Raises ValueError as `npmle`, and for n_boot below 1.
    Source: Efron (1979); for the NPMLE at a few fixed visit times, where it is a multinomial likelihood.
    """
    arguments.positive("n_boot", n_boot)
    arguments.check_level(level)
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
            message = arguments.join(
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
