"""The same estimators for many trials at once, by closed forms: arrays (trials, children) in, (trials,) out.

A study of a design asks thousands of trials the same question. Each function here gives, trial by trial, what its
namesake in `mixed`, `survival` gives for one: tests hold them together. Where one of those gives no answer, so does
this: NaN.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import arguments


@dataclass(frozen=True)
class Answers:
    """One estimator's answers to many trials, NaN where it has none.

    Attributes
    ----------
    estimate : numpy.ndarray, shape (trials,)
        Active against control, on the estimator's scale.
    lower, upper : numpy.ndarray, shape (trials,)
        Its interval.
    p : numpy.ndarray, shape (trials,)
        Two-sided.

    Examples
    --------
    >>> one = Answers(np.array([0.4]), np.array([0.1]), np.array([0.7]), np.array([0.01]))
    >>> one.where(np.array([False])).p.tolist()
    [nan]
    """

    estimate: NDArray
    lower: NDArray
    upper: NDArray
    p: NDArray

    def where(self, known: NDArray) -> "Answers":
        """The same, without an answer where not `known`."""
        return Answers(*(np.where(known, getattr(self, f.name), np.nan) for f in fields(self)))


def ancova(
    y: ArrayLike,
    baseline: ArrayLike,
    arm: ArrayLike,
    level: float = 0.95,
    covariates: ArrayLike | None = None,
) -> Answers:
    """Active minus control, adjusted for baseline, by ordinary least squares: `mixed.ancova` of each trial.

    Parameters
    ----------
    y, baseline : array_like, shape (trials, children)
        One unit; children with a NaN are left out.
    arm : array_like of 0 and 1, shape (trials, children)
        0 control, 1 active.
    level : float
        Confidence level.
    covariates : array_like, shape (trials, children, k), optional
        Further columns, known of every child; one in which all children of a trial are alike is left out there.

    Returns
    -------
    Answers
        In the unit of y; NaN where children with both values are fewer than the coefficients and one, or differ in
        the arm, the baseline or a covariate not at all.

    Raises
    ------
    ValueError
        Shapes that differ, or a level outside 0 to 1.

    References
    ----------
    Frisch & Waugh (1933), Econometrica 1:387-401: the arm's coefficient from what baseline leaves of outcome and arm.

    Examples
    --------
    >>> found = ancova([[1, 2, 3, 3, 4, 6]], [[1, 2, 2.5, 1.2, 2.2, 2.9]], [[0, 0, 0, 1, 1, 1]])
    >>> round(float(found.estimate[0]), 2)
    1.93
    """
    outcome, before, active = np.asarray(y, float), np.asarray(baseline, float), np.asarray(arm, float)
    _alike(y=outcome, baseline=before, arm=active)
    arguments.check_level(level)
    others = np.empty((*outcome.shape, 0)) if covariates is None else np.asarray(covariates, float)
    if others.ndim != 3 or others.shape[:2] != outcome.shape:
        raise ValueError(f"covariates {others.shape}: expected {outcome.shape} and a number of columns")
    known = ~np.isnan(outcome) & ~np.isnan(before)
    n = known.sum(axis=1)

    def centred(values: NDArray) -> NDArray:
        there = np.where(known, values, 0.0)
        return np.where(known, values - (there.sum(axis=1) / np.maximum(n, 1))[:, None], 0.0)

    def product(a: NDArray, b: NDArray) -> NDArray:
        return np.asarray(np.einsum("tc,tc->t", a, b))

    used = np.ptp(others, axis=1) > 0 if others.shape[1] else np.zeros((len(n), others.shape[2]), bool)
    df = n - 3 - used.sum(axis=1)
    rest = [centred(values) for values in (before, *np.moveaxis(others, -1, 0), active, outcome)]
    some = df >= 1
    with np.errstate(divide="ignore", invalid="ignore"):
        # what each column leaves of those behind it
        for k in range(1 + others.shape[2]):
            column, asked = rest[k], True if k == 0 else used[:, k - 1]
            size = product(column, column)
            # what centring leaves of a constant is rounding
            some &= ~np.asarray(asked) | (size > (1e-20 if k == 0 else 1e-12))
            share = np.where(asked, 1.0, 0.0) / np.where(size > 0, size, 1.0)
            for later in range(k + 1, len(rest)):
                rest[later] = rest[later] - (share * product(column, rest[later]))[:, None] * column
        z, v = rest[-2:]
        zz = product(z, z)
        estimate = product(z, v) / zz
        left = v - estimate[:, None] * z
        se = np.sqrt(product(left, left) / df / zz)
        p = 2 * stats.t.sf(np.abs(estimate / se), df)
    half = stats.t.isf((1 - level) / 2, np.maximum(df, 1)) * se
    some &= (zz > 1e-12) & (se > 1e-10)
    return Answers(estimate, estimate - half, estimate + half, p).where(some)


@dataclass(frozen=True)
class Grouped:
    """Events and children at risk at common times.

    Attributes
    ----------
    times : numpy.ndarray, shape (times,)
        Ascending.
    events, at_risk : numpy.ndarray of int, shape (trials, 2, times)
        Control and active arm.

    Examples
    --------
    >>> Grouped(np.array([14.0]), np.array([[[1], [2]]]), np.array([[[9], [9]]])).events.sum(axis=1).tolist()
    [[3]]
    """

    times: NDArray
    events: NDArray
    at_risk: NDArray


def grouped(index: ArrayLike, event: ArrayLike, arm: ArrayLike, times: ArrayLike) -> Grouped:
    """Counts of events and of children at risk from each child's last time on a common grid.

    Parameters
    ----------
    index : array_like of int, shape (trials, children)
        Place in `times` of the event, or of the last time at risk; -1 = never at risk.
    event : array_like of bool, shape (trials, children)
    arm : array_like of 0 and 1, shape (trials, children)
    times : array_like, shape (times,)
        Ascending, above 0.

    Returns
    -------
    Grouped

    Raises
    ------
    ValueError
        Shapes that differ.

    Notes
    -----
    A child is at risk at all times up to and including its last.

    Examples
    --------
    >>> found = grouped([[0, 1, 1, -1]], [[True, False, True, False]], [[0, 0, 1, 1]], [14, 28])
    >>> found.events.tolist(), found.at_risk.tolist()
    ([[[1, 0], [0, 1]]], [[[2, 1], [1, 1]]])
    """
    last, happened, active = np.asarray(index, int), np.asarray(event, bool), np.asarray(arm, int)
    _alike(index=last, event=happened, arm=active)
    grid = np.asarray(times, float)
    trials, count = last.shape[0], len(grid)

    def counts(chosen: NDArray) -> NDArray:
        place = ((np.arange(trials)[:, None] * 2 + active) * count + last)[chosen]
        return np.bincount(place, minlength=trials * 2 * count).reshape(trials, 2, count)

    ends = counts(last >= 0)
    return Grouped(grid, counts((last >= 0) & happened), ends[..., ::-1].cumsum(axis=-1)[..., ::-1])


def logrank(data: Grouped) -> Answers:
    """Log-rank test of two arms, `survival.logrank` of each trial; the estimate is (observed - expected) / variance.

    Parameters
    ----------
    data : Grouped

    Returns
    -------
    Answers
        Estimate: one-step log hazard ratio (Peto), positive where the active arm has the events earlier, without
        interval; NaN where nothing can be compared.

    Raises
    ------
    ValueError
        Never for what `grouped` makes.

    References
    ----------
    Mantel (1966), Cancer Chemotherapy Reports 50:163-170.

    Examples
    --------
    >>> found = logrank(grouped([[0, 1, 1, 0, 0, 0]], [[0, 1, 0, 1, 1, 1]], [[0, 0, 0, 1, 1, 1]], [14, 28]))
    >>> round(float(found.p[0]), 4)
    0.0253
    """
    d, n = data.events.sum(axis=1), data.at_risk.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = data.at_risk[:, 1] / n
        expected = np.nansum(d * share, axis=1)
        variance = np.nansum(np.where(n > 1, d * share * (1 - share) * (n - d) / (n - 1), 0.0), axis=1)
        excess = data.events[:, 1].sum(axis=1) - expected
        estimate = excess / variance
        p = stats.chi2.sf(excess**2 / variance, 1)
    nothing = np.full(len(p), np.nan)
    return Answers(estimate, nothing, nothing, p).where(variance > 0)


def cumulative_difference(data: Grouped, level: float = 0.95) -> Answers:
    """Difference of the arms in cumulative incidence at the last time: `survival.cumulative_difference` of each trial.

    Parameters
    ----------
    data : Grouped
    level : float
        Confidence level.

    Returns
    -------
    Answers
        Active minus control; Greenwood's variances added. NaN where an arm is not followed to the last time, or all or
        none of it had the event (no standard error).

    Raises
    ------
    ValueError
        Never for what `grouped` makes.

    References
    ----------
    Kaplan & Meier (1958), JASA 53:457-481.

    Examples
    --------
    >>> data = grouped([[0, 1, 1, 0, 1, 1]], [[1, 0, 0, 1, 1, 0]], [[0, 0, 0, 1, 1, 1]], [14, 28])
    >>> round(float(cumulative_difference(data).estimate[0]), 4)
    0.3333
    """
    s, spread = _kaplan_meier(data)
    last = s[..., -1]
    with np.errstate(invalid="ignore"):
        variance = last**2 * spread.sum(axis=-1)
    followed = (data.at_risk[..., -1] > 0) | (last == 0)
    some = (followed & (last > 0) & (last < 1)).all(axis=1)
    return _normal(last[:, 0] - last[:, 1], np.sqrt(variance.sum(axis=1)), level).where(some)


def rmst_difference(data: Grouped, level: float = 0.95) -> Answers:
    """Difference in restricted mean time to the event up to the last time: `survival.rmst_difference` of each trial.

    Parameters
    ----------
    data : Grouped
    level : float
        Confidence level.

    Returns
    -------
    Answers
        Active minus control, in the unit of the times.

    Raises
    ------
    ValueError
        Never for what `grouped` makes.

    References
    ----------
    Royston & Parmar (2013), BMC Med Res Methodol 13:152.

    Examples
    --------
    >>> data = grouped([[0, 1, 1, 0, 0, 1]], [[1, 0, 0, 1, 1, 0]], [[0, 0, 0, 1, 1, 1]], [14, 28])
    >>> round(float(rmst_difference(data).estimate[0]), 4)
    -4.6667
    """
    s, spread = _kaplan_meier(data)
    gaps = np.diff(np.concatenate([[0.0], data.times]))
    areas = np.concatenate([np.ones((*s.shape[:-1], 1)), s[..., :-1]], axis=-1) * gaps
    # the area from each time to the last one
    ahead = areas[..., ::-1].cumsum(axis=-1)[..., ::-1]
    ahead = np.concatenate([ahead[..., 1:], np.zeros((*s.shape[:-1], 1))], axis=-1)
    se = np.sqrt((ahead**2 * np.nan_to_num(spread)).sum(axis=-1))
    mean = areas.sum(axis=-1)
    followed = (data.at_risk[..., -1] > 0) | (s[..., -1] == 0)
    some = (followed & (se > 0)).all(axis=1)
    return _normal(mean[:, 1] - mean[:, 0], np.hypot(se[:, 0], se[:, 1]), level).where(some)


def _kaplan_meier(data: Grouped) -> tuple[NDArray, NDArray]:
    """Survival after each time and Greenwood's d / (n (n - d)), (trials, 2, times); 0 where nobody is at risk."""
    d, n = data.events.astype(float), data.at_risk.astype(float)
    s = np.cumprod(1 - np.divide(d, n, out=np.zeros(d.shape), where=n > 0), axis=-1)
    return s, np.divide(d, n * (n - d), out=np.zeros(d.shape), where=n > d)


def _normal(estimate: NDArray, se: NDArray, level: float) -> Answers:
    half = arguments.z(level) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.norm.sf(np.abs(estimate / se))
    return Answers(estimate, estimate - half, estimate + half, p)


def _alike(**arrays: NDArray) -> None:
    shapes = {name: values.shape for name, values in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"arrays must be of one shape (trials, children), got {told}")
