"""The mixed models of `mixed` for many trials at once: arrays (trials, children, visits) in, (trials,) out.

Each function gives, trial by trial, what its namesake in `mixed` gives for one: the same model, covariance, rules and
standard errors; tests hold the two to 1e-6. Trials whose data ask for more than the plain fit (a visit without data, a
fit that does not reach a clear maximum) are passed to `mixed`, one by one, so that no rule stands here twice.

With X_i = x_i' (x) I over the visits (x_i: one, baseline, arm of a child) all that the likelihood needs stands in sums
over the children who attended the same visits. A step costs the inverses of the patterns and two small products.

Sources: Jennrich & Schluchter (1986), Biometrics 42:805-820 (patterns, scoring); Kenward & Roger (1997), Biometrics
53:983-997; Fai & Cornelius (1996), J Stat Comput Simul 54:363-378.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import arguments, mixed
from helpers.estimators import batched_slopes as slopes
from helpers.estimators.batches import Answers

TOGETHER = 64
"""Trials fitted together: their matrices stay near the processor."""


def mmrm(
    y: ArrayLike,
    baseline: ArrayLike,
    arm: ArrayLike,
    days: ArrayLike,
    weights: ArrayLike,
    level: float = 0.95,
    covariates: ArrayLike | None = None,
) -> list[Answers]:
    """Contrasts of the arms in an MMRM: `mixed.mmrm` and `MixedFit.arm_contrast` of each trial.

    Parameters
    ----------
    y : array_like, shape (trials, children, visits)
        NaN = not measured.
    baseline : array_like, shape (trials, children)
        Children without one are left out.
    arm : array_like of 0 and 1, shape (trials, children)
        0 control, 1 active.
    days : array_like, shape (visits,)
        Increasing.
    weights : array_like, shape (contrasts, visits)
        Of each contrast over the visits.
    level : float
        Confidence level.
    covariates : array_like, shape (trials, children, k), optional
        Further columns, known of every child; one in which all children of a trial are alike is left out there. With
        them each trial is fitted by itself.

    Returns
    -------
    list of Answers
        One a contrast: active minus control in the unit of y, t-interval with the linear Kenward-Roger standard error
        and observed information; NaN where `mixed` has none.

    Raises
    ------
    ValueError
        Shapes that differ, a level outside 0 to 1, and what `mixed.mmrm` refuses.

    Notes
    -----
    Newton's method in the elements of the covariance, with the information of complete data in the terms that the
    fixed effects bring; where steps no longer matter, the exact observed information. A fit is kept where it is
    positive definite and the correlations are as `mixed.mmrm` wants them.

    References
    ----------
    Jennrich & Schluchter (1986), Biometrics 42:805-820; Kenward & Roger (1997), Biometrics 53:983-997.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm, base = np.tile([0, 1], (2, 20)), rng.normal(size=(2, 40))
    >>> y = 0.5 * base[..., None] - arm[..., None] + rng.normal(0.0, 0.5, (2, 40, 3))
    >>> (last,) = mmrm(y, base, arm, [28, 91, 365], [[0, 0, 1]])
    >>> one = mixed.mmrm(y[1], base[1], arm[1], [28, 91, 365]).arm_contrast([0, 0, 1])
    >>> bool(abs(last.p[1] - one.p) < 1e-6)
    True
    """
    values, before, active = np.asarray(y, float), np.asarray(baseline, float), np.asarray(arm)
    wanted = np.atleast_2d(np.asarray(weights, float))
    _shapes(values, active, before)
    arguments.check_level(level)
    if wanted.shape[1] != values.shape[2]:
        raise ValueError(f"{values.shape[2]} visits need {values.shape[2]} weights, got shape {wanted.shape}")
    found = np.full((len(wanted), 4, len(values)), np.nan)
    others = None if covariates is None else np.asarray(covariates, float)
    told = np.zeros(len(values), bool)

    def ask(rows: NDArray) -> None:
        data, good = _patterns(values[rows], before[rows], active[rows])
        rows = rows[good]
        if not rows.size:
            return
        with np.errstate(all="ignore"):
            sigma, inverse, fitted = _climb(data)
            if not fitted.any():
                return
            sure = data.take(fitted)
            estimate, se, df, answered = _contrasts(sure, sigma[fitted], inverse[fitted], wanted)
        here = rows[fitted][answered]
        for k in range(len(wanted)):
            e, s, f = estimate[answered, k], se[answered, k], df[answered, k]
            half = stats.t.isf((1 - level) / 2, f) * s
            found[k][:, here] = e, e - half, e + half, 2 * stats.t.sf(np.abs(e / s), f)
        told[here] = True

    for start in range(0, len(values) if others is None else 0, TOGETHER):
        _in_halves(ask, np.arange(start, min(start + TOGETHER, len(values))))
    for t in np.flatnonzero(~told):
        differ = None if others is None else others[t][:, np.ptp(others[t], axis=0) > 0]
        # a trial whose children are all alike has nothing to adjust for
        further = differ if differ is not None and differ.shape[1] else None
        fit = mixed.mmrm(values[t], before[t], active[t], days, further)
        for k, w in enumerate(wanted):
            one = fit.arm_contrast(w, level)
            found[k, :, t] = one.estimate, one.lower, one.upper, one.p
    return [Answers(*each) for each in found]


def random_slope(y: ArrayLike, times: ArrayLike, arm: ArrayLike, level: float = 0.95) -> Answers:
    """Difference of mean slopes, active - control, in a model with random intercept and slope.

    `mixed.random_slope` of each trial, its contrast of time x arm with the model's own standard error and
    Satterthwaite's degrees of freedom.

    Parameters
    ----------
    y : array_like, shape (trials, children, visits)
        NaN = not measured.
    times : array_like, shape (visits,)
        In the unit of the slope.
    arm : array_like of 0 and 1, shape (trials, children)
        0 control, 1 active.
    level : float
        Confidence level.

    Returns
    -------
    Answers
        In the unit of y by that of times; NaN where `mixed` has none.

    Raises
    ------
    ValueError
        Shapes that differ, a level outside 0 to 1, and what `mixed.random_slope` refuses.

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963-974.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm, years = np.tile([0, 1], (2, 20)), np.array([0.0, 0.5, 1.0])
    >>> y = rng.normal(100.0, 10.0, (2, 40, 1)) + (2.0 * arm[..., None] - 3.0) * years + rng.normal(size=(2, 40, 3))
    >>> found = random_slope(y, years, arm)
    >>> bool((abs(found.estimate - 2.0) < 3.0).all())
    True
    """
    values, active = np.asarray(y, float), np.asarray(arm)
    _shapes(values, active)
    arguments.check_level(level)
    found = np.full((4, len(values)), np.nan)
    at = np.asarray(times, float)
    told = np.zeros(len(values), bool)

    def ask(rows: NDArray) -> None:
        with np.errstate(all="ignore"):
            data = slopes.coordinates(values[rows], at, active[rows])
            theta, clear = slopes.maximise(data, _slope_start(data, values[rows], at))
            inside = clear & _inside(theta, at)
            here = rows[inside]
            if here.size:
                estimate, se, df = slopes.difference(data.take(inside), theta[inside])
                half = stats.t.isf((1 - level) / 2, df) * se
                p = 2 * stats.t.sf(np.abs(estimate / se), df)
                found[:, here] = estimate, estimate - half, estimate + half, p
        told[here] = True

    _in_halves(ask, np.flatnonzero(_plain_slopes(values, at, active)))
    for t in np.flatnonzero(~told):
        fit = mixed.random_slope(values[t], at, active[t])
        one = fit.contrast({"time x arm": 1}, level, se="asymptotic")
        found[:, t] = one.estimate, one.lower, one.upper, one.p
    return Answers(*found)


def _in_halves(ask: Callable[[NDArray], None], rows: NDArray) -> None:
    """Ask a stack of trials; where a matrix of one stops the algebra of all, halve until that one is left out."""
    if not rows.size:
        return
    try:
        ask(rows)
    except np.linalg.LinAlgError:
        if rows.size > 1:
            _in_halves(ask, rows[: rows.size // 2])
            _in_halves(ask, rows[rows.size // 2 :])


def _plain_slopes(y: NDArray, times: NDArray, arm: NDArray) -> NDArray:
    """Trials that the plain fit suits: data at every visit, both arms with slopes, values that vary."""
    mask = ~np.isnan(y)
    plain = mask.any(axis=1).all(axis=1) & ~np.isinf(y).any(axis=(1, 2)) & np.isin(arm, (0, 1)).all(axis=1)
    for k in (0, 1):
        # four children of an arm with two visits or more
        plain &= ((mask.sum(axis=2) > 1) & (arm == k)).sum(axis=1) >= 4
    high, low = np.where(mask, y, -np.inf).max(axis=(1, 2)), np.where(mask, y, np.inf).min(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        plain &= high - low > 1e-6 * np.maximum(np.abs(high), np.abs(low))
    return np.asarray(plain & np.isfinite(times).all())


def _slope_start(data: slopes.Coordinates, y: NDArray, times: NDArray) -> NDArray:
    """Starts as those of `reml.RandomSlope`: from the residuals of least squares."""
    trials = len(y)
    flat = data.x.reshape(trials, -1, 4)
    beta = np.linalg.solve(
        flat.transpose(0, 2, 1) @ flat, flat.transpose(0, 2, 1) @ data.y.reshape(trials, -1, 1)
    )
    residual = data.y.reshape(trials, -1) - (flat @ beta)[..., 0]
    sd = np.sqrt(((residual**2).sum(axis=1) + data.rest) / np.maximum((~np.isnan(y)).sum(axis=(1, 2)), 1))
    return np.stack([0.7 * sd, np.zeros(trials), 0.3 * sd / np.std(times), np.log(0.5 * sd)], axis=1)


def _inside(theta: NDArray, times: NDArray) -> NDArray:
    """Fits clear of the boundary on which `mixed` speaks of a singular fit, by a hundred times its measure."""
    f = np.zeros((len(theta), 2, 2))
    f[:, 0, 0], f[:, 1, 0], f[:, 1, 1] = theta[:, 0], theta[:, 1], theta[:, 2]
    units = np.array([1.0, np.abs(times).max()])
    g = (f @ f.transpose(0, 2, 1)) * np.outer(units, units)
    least = np.linalg.eigvalsh(np.where(np.isfinite(g), g, 0.0))[:, 0]
    return least > 1e-4 * (np.trace(g, axis1=1, axis2=2) + np.exp(2 * theta[:, 3]))


def _shapes(y: NDArray, *others: NDArray) -> None:
    if y.ndim != 3 or any(other.shape != y.shape[:2] for other in others):
        told = ", ".join(str(other.shape) for other in (y, *others))
        raise ValueError(f"y must be (trials, children, visits), the others (trials, children), got {told}")


# ------------------------------------------------------------------ sums over children by pattern


@dataclass(frozen=True)
class _Patterns:
    """Sums over the children of each pattern of visits, y scaled to unit SD.

    y (trials, children, visits) and x (trials, children, 3), zero where not used; which (trials, children): place of
    each child's pattern; seen (trials, patterns, visits) of bool; n (trials, patterns); xx (trials, patterns, 9);
    yx (trials, patterns, visits, 3); yy (trials, patterns, visits, visits); scale (trials,); start (trials, visits,
    visits).
    """

    y: NDArray
    x: NDArray
    which: NDArray

    seen: NDArray
    n: NDArray
    xx: NDArray
    yx: NDArray
    yy: NDArray
    scale: NDArray
    start: NDArray

    def take(self, rows: NDArray) -> "_Patterns":
        return _Patterns(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def _patterns(y: NDArray, baseline: NDArray, arm: NDArray) -> tuple[_Patterns, NDArray]:
    """The sums of the trials that the plain fit suits, and which those are."""
    trials, children, visits = y.shape
    mask = ~np.isnan(y) & ~np.isnan(baseline)[..., None]
    used = mask.any(axis=2)
    n_used = np.maximum(used.sum(axis=1), 1)
    base = np.where(used, baseline, 0.0)
    base = np.where(used, base - (base.sum(axis=1) / n_used)[:, None], 0.0)
    spread = np.sqrt((base**2).sum(axis=1) / n_used)
    x = np.stack([np.ones(base.shape), base / np.where(spread > 0, spread, 1.0)[:, None], arm], axis=2)
    x = x * used[..., None]
    value = np.where(mask, y, 0.0)

    # ordinary least squares visit by visit, for the rules and the start
    there = mask.astype(float)
    outer = (x[..., :, None] * x[..., None, :]).reshape(trials, children, 9)
    gram = (there.transpose(0, 2, 1) @ outer).reshape(trials, visits, 3, 3)
    size = np.sqrt(np.einsum("tvaa->tva", gram))
    size = np.where(size > 0, size, 1.0)
    relative = np.linalg.det(gram / size[..., :, None] / size[..., None, :])
    full = (relative > 1e-6).all(axis=1)
    pairs = there.transpose(0, 2, 1) @ there
    good = full & (pairs > 0).all(axis=(1, 2)) & (used.sum(axis=1) - 3 >= visits)
    good &= (
        np.isin(arm, (0, 1)).all(axis=1)
        & np.isfinite(value).all(axis=(1, 2))
        & np.isfinite(x).all(axis=(1, 2))
    )
    good &= mask.sum(axis=(1, 2)) - 3 * visits >= 2
    mask, x, value, used = mask[good], x[good], value[good], used[good]
    outer, there, gram, pairs = outer[good], there[good], gram[good], pairs[good]
    right = value.transpose(0, 2, 1) @ x
    beta = np.linalg.solve(gram, right[..., None])[..., 0]
    residual = np.where(mask, value - x @ beta.transpose(0, 2, 1), 0.0)
    scale = np.sqrt((residual**2).sum(axis=(1, 2)) / np.maximum(mask.sum(axis=(1, 2)) - 3 * visits, 1))
    varied = scale > 1e-8 * np.abs(value).max(axis=(1, 2), initial=0.0)
    good[np.flatnonzero(good)[~varied]] = False
    mask, x, value, used = mask[varied], x[varied], value[varied], used[varied]
    outer, residual, pairs, scale = outer[varied], residual[varied], pairs[varied], scale[varied]
    residual, value = residual / scale[:, None, None], value / scale[:, None, None]
    moments = residual.transpose(0, 2, 1) @ residual / pairs
    roots, vectors = np.linalg.eigh(moments)
    floor = 0.02 * np.einsum("tvv->t", moments) / visits
    start = (vectors * np.maximum(roots, floor[:, None])[:, None, :]) @ vectors.transpose(0, 2, 1)

    code = np.where(used, mask @ (1 << np.arange(visits)), 0)
    order = np.argsort(code, axis=1)
    ranked = np.take_along_axis(code, order, axis=1)
    fresh = np.diff(ranked, axis=1, prepend=ranked[:, :1]) != 0
    which = np.empty_like(order)
    np.put_along_axis(which, order, fresh.cumsum(axis=1), axis=1)
    count = int(which.max(initial=0)) + 1
    hot = ((which[:, None, :] == np.arange(count)[:, None]) & used[:, None, :]).astype(float)
    n = hot.sum(axis=2)

    def summed(each: NDArray) -> NDArray:
        flat = each.reshape(*each.shape[:2], int(np.prod(each.shape[2:])))
        return (hot @ flat).reshape(*n.shape, *each.shape[2:])

    data = _Patterns(
        value,
        x,
        which,
        (hot @ mask) > 0,
        n,
        summed(outer),
        summed(value[..., :, None] * x[..., None, :]),
        summed(value[..., :, None] * value[..., None, :]),
        scale,
        start,
    )
    return data, good


# ------------------------------------------------------------------ the maximum


def _state(data: _Patterns, sigma: NDArray) -> dict[str, NDArray]:
    """Generalised least squares at sigma (trials, visits, visits) and the gradient of minus twice the likelihood."""
    from helpers.estimators import loops  # compiled code is loaded by whoever fits many trials

    trials, count, visits = data.seen.shape
    w = loops.inverses(sigma, data.seen, data.n)
    flat = w.reshape(trials, count, -1)
    cross = (data.xx.transpose(0, 2, 1) @ flat).reshape(trials, 3, 3, visits, visits)
    cross = cross.transpose(0, 1, 3, 2, 4).reshape(trials, 3 * visits, 3 * visits)
    v = np.linalg.inv(cross)
    right = (w @ data.yx).sum(axis=1).transpose(0, 2, 1).reshape(trials, -1)
    beta = (v @ right[..., None]).reshape(trials, 3, visits)
    blocks = v.reshape(trials, 3, visits, 3, visits).transpose(0, 1, 3, 2, 4).reshape(trials, 9, -1)
    fixed = (data.xx @ blocks).reshape(w.shape)
    fitted = beta[:, :, None, :, None] * beta[:, None, :, None, :]
    lean = data.yx @ beta[:, None]
    residual = data.yy - lean - lean.transpose(0, 1, 3, 2)
    residual += (data.xx @ fitted.reshape(trials, 9, -1)).reshape(w.shape)
    b = w @ fixed @ w
    q = w @ residual @ w
    nw = data.n[..., None, None] * w
    gradient = (nw - b - q).sum(axis=1)
    return {"w": w, "nw": nw, "b": b, "q": q, "gradient": gradient, "v": v, "beta": beta, "cross": cross}


NEAR, SURE, STEPS = 0.05, 1e-12, 30
"""Promised gain of a step below which the exact information serves, that below which one more step leaves rounding,
and steps after which a trial is left to `mixed`."""


def _climb(data: _Patterns) -> tuple[NDArray, NDArray, NDArray]:
    """The maximum: covariances (trials, visits, visits), inverse observed information, and where it is reached.

    The last is False where a trial is not led to a clear maximum with correlations far from singular.
    """
    sigma, (trials, _, visits) = data.start.copy(), data.seen.shape
    rows, columns, double = _places(visits)
    inverse = np.empty((trials, len(rows), len(rows)))
    last = np.full(trials, np.inf)
    exact, done = np.zeros(trials, bool), np.zeros(trials, bool)
    open_ = np.arange(trials)
    for _ in range(STEPS):
        here = data if open_.size == trials else data.take(open_)
        state = _state(here, sigma[open_])
        pull = -0.5 * double * state["gradient"][:, rows, columns]
        guess = (
            np.einsum("tj,tjk,tk->t", pull, inverse[open_], pull)
            if exact.any()
            else np.full(len(pull), np.inf)
        )
        # an inverse that is exact serves again as long as steps shrink fast, and once more, anew, for the last one
        kept = exact[open_] & (guess >= 0) & (guess < 0.2 * last[open_]) & (guess > SURE)
        final = exact[open_] & (guess >= 0) & (guess <= SURE)
        close = (last[open_] < NEAR) & ~kept
        fine, move = np.ones(open_.size, bool), np.zeros(pull.shape)
        if close.any():
            part = {name: values[close] for name, values in state.items()}
            at = open_[close]
            inverse[at], good = _inverted(_observed(here.take(close), part))
            exact[at] = good
            # not yet a maximum's neighbourhood: back to the other information
            close[close] = good
            final &= exact[open_]
        known = kept | close
        move[known] = (inverse[open_[known]] @ pull[known, :, None])[..., 0]
        if not known.all():
            part = {name: values[~known] for name, values in state.items()}
            move[~known], fine[~known] = _solved(part, pull[~known], last[open_][~known] < 2.0)
        gain = np.einsum("tj,tj->t", pull, move)
        last[open_] = gain
        change = np.zeros((open_.size, visits, visits))
        change[:, rows, columns] = change[:, columns, rows] = move
        lowest = np.linalg.eigvalsh(sigma[open_])[:, 0]
        for _ in range(20):
            away = ~(np.linalg.eigvalsh(sigma[open_] + change)[:, 0] > 0.01 * lowest)
            if not away.any():
                break
            change[away] /= 2
        sigma[open_] += change
        done[open_[final & fine & (gain < 10 * SURE)]] = True
        open_ = open_[fine & np.isfinite(gain) & (gain >= 0) & ~done[open_]]
        if not open_.size:
            break
    sd = np.sqrt(np.einsum("tvv->tv", sigma))
    correlation = sigma / sd[:, :, None] / sd[:, None, :]
    done &= np.isfinite(correlation).all(axis=(1, 2))
    smallest = np.linalg.eigvalsh(np.where(done[:, None, None], correlation, np.eye(visits)))[:, 0]
    return sigma, inverse, done & (smallest > 1e-5)


def _solved(state: dict[str, NDArray], pull: NDArray, near: NDArray) -> tuple[NDArray, NDArray]:
    """Steps (trials, parameters) by an information without the products over pairs of children, and which there are.

    It is what complete data would give: observed where `near`, expected otherwise and where that one does not climb.
    """
    w, nw, b, q = (state[name] for name in ("w", "nw", "b", "q"))
    expected = 0.5 * (nw - b)
    information = _paired(w, np.where(near[:, None, None, None], q - expected, expected))
    move, fine = _solve(information, pull)
    again = ~(fine & (np.einsum("tj,tj->t", pull, move) > 0))
    if again.any():
        move[again], fine[again] = _solve(_paired(w[again], expected[again]), pull[again])
    return move, fine


def _solve(information: NDArray, pull: NDArray) -> tuple[NDArray, NDArray]:
    try:
        return np.linalg.solve(information, pull[..., None])[..., 0], np.ones(len(pull), bool)
    except np.linalg.LinAlgError:
        return np.zeros(pull.shape), np.zeros(len(pull), bool)


@cache
def _places(visits: int) -> tuple[NDArray, NDArray, NDArray]:
    """Rows and columns of the upper triangle, and 2 off the diagonal (dS moves both elements)."""
    s, t = np.triu_indices(visits)
    return s, t, np.where(s == t, 1.0, 2.0)


def _paired(a: NDArray, other: NDArray) -> NDArray:
    """Sum over patterns of tr(A dS_j O dS_k), symmetric: (trials, parameters, parameters).

    a, other (trials, patterns, visits, visits), symmetric.
    """
    from helpers.estimators import loops

    trials, count, visits, _ = a.shape
    outer = a.reshape(trials, count, -1).transpose(0, 2, 1) @ other.reshape(trials, count, -1)
    return np.asarray(loops.paired(outer, *_places(visits)[:2]))


def _inverted(information: NDArray) -> tuple[NDArray, NDArray]:
    """Inverses of symmetric matrices (trials, k, k), and which are positive definite."""
    size = np.sqrt(np.maximum(np.abs(np.einsum("tjj->tj", information)), 1e-300))
    scaled = information / size[:, :, None] / size[:, None, :]
    fine = np.ones(len(scaled), bool)
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        factor = np.empty_like(scaled)
        for t, each in enumerate(scaled):
            try:
                factor[t] = np.linalg.cholesky(each)
            except np.linalg.LinAlgError:
                fine[t], factor[t] = False, np.eye(len(each))
    fine &= np.einsum("tjj->tj", factor).min(axis=1) > 1e-6
    inverse = np.linalg.inv(np.where(fine[:, None, None], scaled, np.eye(scaled.shape[1])))
    return inverse / size[:, :, None] / size[:, None, :], fine


# ------------------------------------------------------------------ what is asked of a fit


def _contrasts(
    data: _Patterns, sigma: NDArray, inverse: NDArray, weights: NDArray
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Estimate, standard error, degrees of freedom, (trials, contrasts), and which trials have them.

    inverse: of the observed information; linear Kenward-Roger; y's own unit.
    """
    trials, count, visits = data.seen.shape
    state = _state(data, sigma)
    w, v = state["w"], state["v"]
    fine = np.ones(trials, bool)
    rows, columns, double = _places(visits)
    out: dict[str, list[Any]] = {"estimate": [], "se": [], "df": []}
    for weight in weights:
        whole = np.concatenate([np.zeros(2 * visits), weight])
        variance = whole @ v @ whole
        g = (v @ whole).reshape(trials, 3, visits)
        outer = (g[:, :, None, :, None] * g[:, None, :, None, :]).reshape(trials, 9, -1)
        u = w @ (data.xx @ outer).reshape(w.shape) @ w
        slope = double * u.sum(axis=1)[:, rows, columns]
        uncertainty = np.einsum("tj,tjk,tk->t", slope, inverse, slope)
        q = (inverse * _paired(w, u)).sum(axis=(1, 2))
        # M_j g by parameter: sum of S_p (x) W_p dS_j W_p g
        pulled = data.xx.reshape(trials, count, 3, 3) @ (g[:, None] @ w)
        moved = w.reshape(trials, count, -1).transpose(0, 2, 1) @ pulled.reshape(trials, count, -1)
        moved = moved.reshape(trials, visits, visits, 3, visits)
        m = moved[:, :, rows, :, columns] + moved[:, :, columns, :, rows]
        # the two indices come first: (parameters, trials, visits, 3)
        m = m.transpose(1, 0, 3, 2).reshape(trials, len(rows), -1) * (double / 2)[:, None]
        product = (inverse * (m @ v @ m.transpose(0, 2, 1))).sum(axis=(1, 2))
        adjusted = variance + 2 * (q - product)
        out["estimate"].append(state["beta"][:, 2] @ weight * data.scale)
        out["se"].append(np.sqrt(adjusted) * data.scale)
        out["df"].append(2 * variance**2 / uncertainty)
        fine &= (variance > 0) & (adjusted > 0) & np.isfinite(adjusted) & (uncertainty > 0)
    estimate, se, df = (np.stack(out[name], axis=1) for name in ("estimate", "se", "df"))
    return estimate, se, df, fine


def _observed(data: _Patterns, state: dict[str, NDArray]) -> NDArray:
    """Observed information about the elements of the covariance near a maximum: (trials, parameters, ...)."""
    from helpers.estimators import loops

    w, nw, b, q = (state[name] for name in ("w", "nw", "b", "q"))
    trials, children, visits = data.y.shape
    rows, columns, double = _places(visits)
    half, columns_x = double / 2, 3 * visits
    information = _paired(w, q - 0.5 * (nw - 2 * b))
    own = np.take_along_axis(w, data.which[..., None, None], axis=1)
    factor = np.linalg.cholesky(state["v"])
    z = (data.x @ factor.reshape(trials, 3, -1)).reshape(trials, children, visits, columns_x)
    z = (own @ z).reshape(trials, children, -1)
    pull = data.y - data.x @ state["beta"]
    pull = (own @ pull[..., None])[..., 0]
    # trial by trial, into the same memory: the product over pairs of children of one trial fits in the cache
    product = np.empty((visits * columns_x, visits * columns_x))
    flat = np.empty((len(rows), columns_x * (columns_x + 1) // 2))
    for t in range(trials):
        np.matmul(z[t].T, z[t], out=product)
        loops.spread(product, rows, columns, flat)
        lean = (z[t].T @ pull[t]).reshape(visits, columns_x, visits).transpose(0, 2, 1)
        lean = (lean[rows, columns] + lean[columns, rows]) * half[:, None]
        information[t] -= 0.5 * (flat @ flat.T) + lean @ lean.T
    return information
