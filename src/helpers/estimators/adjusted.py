"""Difference of two proportions with something held fixed: over strata, or adjusted for what was known before.

`outcome` and `arm` are (children,) in any order, of all who are analysed; a difference is active - control. Neither
gives a p-value: both stand beside a test that is made without them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from helpers.estimators import arguments, proportions


@dataclass(frozen=True)
class Difference:
    """A difference of proportions, active - control.

    Attributes
    ----------
    estimate, lower, upper : float
        NaN with words in `message`.
    control, active : float
        The proportions that it lies between, standardised to all children analysed.
    n_control, n_active : int
        Children analysed.
    message : str
        What was left out or could not be estimated, in words.

    Examples
    --------
    >>> Difference(message="no child in one of the arms").estimate
    nan
    """

    estimate: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    control: float = np.nan
    active: float = np.nan
    n_control: int = 0
    n_active: int = 0
    message: str = ""


def mantel_haenszel(
    outcome: ArrayLike, arm: ArrayLike, stratum: ArrayLike, active: object = 1, level: float = 0.95
) -> Difference:
    """Difference of proportions over strata with Mantel and Haenszel's weights, and its score interval.

    Parameters
    ----------
    outcome : array_like of bool, shape (children,)
        Whether the child had the event; none missing.
    arm, stratum : array_like, shape (children,)
        Labels; two arms, one of them `active`.
    active : object
        The label of the active arm.
    level : float
        Confidence level.

    Returns
    -------
    Difference
        NaN with words where no stratum has both arms; strata with one arm carry no weight and are told.

    Raises
    ------
    ValueError
        Lengths that differ, outcomes that are missing or no yes or no, more than two arms, a level outside 0 to 1.

    Notes
    -----
    Weights n0 n1 / (n0 + n1). The limits are the common differences at which the weighted sum of the strata's
    departures, over its standard deviation with Miettinen and Nurminen's restricted estimates in each stratum, equals
    the normal quantile. With one stratum it is `proportions.miettinen_nurminen`.

    References
    ----------
    Greenland & Robins (1985), Biometrics 41:55-68; Miettinen & Nurminen (1985), Stat Med 4:213-226, section on
    stratified data.

    Examples
    --------
    >>> found = mantel_haenszel([0, 1, 0, 1, 1, 0, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1], list("aaaabbbb"))
    >>> round(found.estimate, 2), round(found.lower, 2), round(found.upper, 2)
    (0.25, -0.45, 0.76)
    """
    arguments.check_level(level)
    event, there = _asked(outcome, arm, active)
    labels = np.asarray(stratum)
    if labels.shape != event.shape:
        raise ValueError(f"outcome and stratum must be of one length, got {event.shape} and {labels.shape}")
    which = np.unique(labels.astype(str), return_inverse=True)[1]
    n0, n1, x0, x1 = (
        np.bincount(which[rows], minlength=which.max(initial=-1) + 1)
        for rows in (~there, there, ~there & event, there & event)
    )
    both = (n0 > 0) & (n1 > 0)
    message = "" if both.all() else f"{int((~both).sum())} strata with one arm only carry no weight"
    counts = {"n_control": int((~there).sum()), "n_active": int(there.sum())}
    if not both.any():
        return Difference(message="no stratum with both arms: nothing to compare", **counts)
    n0, n1, x0, x1 = n0[both], n1[both], x0[both], x1[both]
    weights = n0 * n1 / (n0 + n1)
    weights = weights / weights.sum()
    control, treated = float(weights @ (x0 / n0)), float(weights @ (x1 / n1))
    z, estimate = arguments.z(level), treated - control

    def score(difference: float) -> float:
        d = np.full(len(n0), difference)
        away = float(weights @ (x1 / n1 - x0 / n0)) - difference
        variance = float(weights**2 @ proportions.score_variance(x0, n0, x1, n1, d))
        return away / np.sqrt(variance) if variance > 0 else np.copysign(np.inf, away) if away else 0.0

    limits = []
    for sign in (1.0, -1.0):
        inside, outside = estimate, -sign
        for _ in range(60):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if sign * score(middle) <= z else (inside, middle)
        limits.append((inside + outside) / 2)
    lower, upper = limits
    return Difference(
        estimate, lower, upper, control, treated, counts["n_control"], counts["n_active"], message
    )


def standardised(
    outcome: ArrayLike, arm: ArrayLike, covariates: ArrayLike, active: object = 1, level: float = 0.95
) -> Difference:
    """Covariate-adjusted difference of proportions: logistic regression by Firth, intercept corrected, standardised.

    Parameters
    ----------
    outcome : array_like of bool, shape (children,)
        Whether the child had the event; none missing.
    arm : array_like, shape (children,)
        Labels, two of them, one is `active`.
    covariates : array_like, shape (children, k)
        Known before treatment, any unit; True and False count as 1 and 0. Children with a NaN are left out and
        counted.
    active : object
        The label of the active arm.
    level : float
        Confidence level.

    Returns
    -------
    Difference
        Mean predicted probability of all children in the active arm less that in the control arm; NaN with words
        where an arm is empty or everybody, or nobody, had the event.

    Raises
    ------
    ValueError
        Lengths that differ, outcomes missing or no yes or no, more than two arms, infinite covariates, a level outside
        0 to 1.

    Notes
    -----
    Firth's penalty keeps the coefficients finite where an arm or a covariate separates the outcomes; FLIC then moves
    the intercept until the predictions add up to the events seen. The interval is t with the jackknife's standard
    error (each child left out in turn, everything fitted anew) on children - coefficients degrees of freedom, cut at
    -1 and 1. At 20 v 20 it covers its 95 % and leans towards no difference by a twentieth of it, the price of the
    penalty: see `helpers.design.known_truth`.

    References
    ----------
    Firth (1993), Biometrika 80:27-38; Puhr, Heinze, Nold, Lusa & Geroldinger (2017), Stat Med 36:2302-2317 (FLIC);
    FDA (2023), Adjusting for Covariates in Randomized Clinical Trials for Drugs and Biological Products
    (standardisation); Efron & Stein (1981), Ann Stat 9:586-596 (jackknife).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm, base = np.repeat([False, True], 20), rng.normal(size=40)
    >>> event = rng.random(40) < 1 / (1 + np.exp(1.5 + base - 1.5 * arm))
    >>> found = standardised(event, arm, base[:, None])
    >>> bool(found.lower < found.estimate < found.upper), found.n_active
    (True, 20)
    """
    arguments.check_level(level)
    event, there = _asked(outcome, arm, active)
    columns = np.asarray(covariates, float)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or len(columns) != len(event):
        raise ValueError(f"covariates must have {len(event)} rows, got shape {np.shape(covariates)}")
    if np.isinf(columns).any():
        raise ValueError("covariates must not be infinite")
    known = ~np.isnan(columns).any(axis=1)
    message = "" if known.all() else f"{int((~known).sum())} without covariates left out"
    event, there = event[known], there[known]
    counts = {"n_control": int((~there).sum()), "n_active": int(there.sum())}
    if not 0 < there.sum() < len(there):
        return Difference(
            message=arguments.join(message, "no child in one of the arms: nothing to compare"), **counts
        )
    if event.all() or not event.any():
        words = "every child" if event.all() else "no child"
        return Difference(
            message=arguments.join(message, f"{words} had the event: nothing to adjust"), **counts
        )
    others, _, _ = arguments.standardized(columns[known])
    varies = others.any(axis=0)
    x = np.column_stack([np.ones(len(event)), there, others[:, varies]])
    # The arm comes first: what is a combination of it and of the others is left out.
    kept = _independent(x)
    if not kept.all() or not varies.all():
        message = arguments.join(
            message, "a covariate that the others determine, or that is constant, left out"
        )
    x = x[:, kept]
    n = len(event)
    present = np.vstack([np.ones(n), 1 - np.eye(n)])
    both = _standard(x, event.astype(float), present)
    control, treated = both[0]
    found = both[:, 1] - both[:, 0]
    pseudo = found[1:]
    error = float(np.sqrt((n - 1) / n * ((pseudo - pseudo.mean()) ** 2).sum()))
    half = float(stats.t.isf((1 - level) / 2, max(1, n - x.shape[1]))) * error
    estimate = float(found[0])
    lower, upper = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Difference(estimate, lower, upper, float(control), float(treated), message=message, **counts)


def _asked(outcome: ArrayLike, arm: ArrayLike, active: object) -> tuple[NDArray, NDArray]:
    event = arguments.binary("outcome", outcome).astype(bool)
    there = arguments.labelled(arm, active)
    if event.ndim != 1 or event.shape != there.shape:
        raise ValueError(f"outcome and arm must be of one length, got {event.shape} and {there.shape}")
    return event, there


def _independent(x: NDArray) -> NDArray:
    """Which columns no earlier ones determine."""
    kept = np.zeros(x.shape[1], bool)
    for k in range(x.shape[1]):
        kept[k] = np.linalg.matrix_rank(x[:, [*np.flatnonzero(kept), k]]) > kept.sum()
    return kept


def _standard(x: NDArray, y: NDArray, present: NDArray) -> NDArray:
    """Mean predictions (fits, 2) with everybody in the control and in the active arm, among those `present`.

    x (children, columns), of which the second is the arm; y (children,); present (fits, children) of 0 and 1.
    """
    slopes = _firth(x, y, present)
    slopes[:, 0] = 0.0
    linear = slopes @ x.T
    # FLIC: the intercept at which the predictions add up to the events. Newton's steps, held inside a bracket.
    events = present @ y
    low, high = -linear.max(axis=1) - 40.0, -linear.min(axis=1) + 40.0
    intercept = (low + high) / 2
    for _ in range(80):
        p = special.expit(intercept[:, None] + linear) * present
        gap = events - p.sum(axis=1)
        if np.abs(gap).max() < 1e-11:
            break
        low, high = np.where(gap > 0, intercept, low), np.where(gap > 0, high, intercept)
        slope = (p * (1 - p) * present).sum(axis=1)
        step = intercept + np.divide(gap, slope, out=np.full_like(gap, np.inf), where=slope > 1e-300)
        intercept = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    without = intercept[:, None] + linear - slopes[:, 1:2] * x[:, 1]
    people = present.sum(axis=1)
    means = [
        (special.expit(without + slopes[:, 1:2] * there) * present).sum(axis=1) / people
        for there in (0.0, 1.0)
    ]
    return np.stack(means, axis=1)


def _firth(x: NDArray, y: NDArray, present: NDArray) -> NDArray:
    """Coefficients (fits, columns) of logistic regression with Jeffreys' penalty, each fit on those `present`.

    The penalised likelihood can have two maxima, symmetric about a saddle, where a covariate tells but two children
    apart: all fits but the first start from the first, that of everybody, and find the one beside it.
    """
    if len(present) > 1:
        whole = _firth(x, y, present[:1])
        return np.vstack([whole, _climb(x, y, present[1:], np.repeat(whole, len(present) - 1, axis=0))])
    return _climb(x, y, present, np.zeros((1, x.shape[1])))


def _climb(x: NDArray, y: NDArray, present: NDArray, beta: NDArray) -> NDArray:
    """Maxima of the penalised likelihoods from the starts `beta` (fits, columns), by Fisher scoring."""

    def state(beta: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Penalised log-likelihood, score and information."""
        linear = beta @ x.T
        p = special.expit(linear)
        weight = p * (1 - p) * present
        information = np.einsum("ni,fn,nj->fij", x, weight, x)
        # Without the one child that tells two columns apart, the direction between them stays at 0.
        values, vectors = np.linalg.eigh(information)
        good = values > 1e-10 * values[:, -1:]
        safe = np.where(good, values, 1.0)
        inverse = (vectors * (good / safe)[:, None, :]) @ vectors.transpose(0, 2, 1)
        leverage = weight * np.einsum("ni,fij,nj->fn", x, inverse, x)
        score = (present * (y - p) + leverage * (0.5 - p)) @ x
        likelihood = (present * (y * linear - np.logaddexp(0.0, linear))).sum(axis=1)
        return likelihood + np.log(safe).sum(axis=1) / 2, score, inverse

    height, score, inverse = state(beta)
    for _ in range(100):
        step = (inverse @ score[..., None])[..., 0]
        largest = np.abs(step).max(axis=1, keepdims=True)
        step = step * np.minimum(1.0, 3.0 / np.maximum(largest, 1e-300))
        if largest.max() < 1e-9:
            break
        for _ in range(20):
            tried, *rest = state(beta + step)
            worse = ~(tried >= height - 1e-10)
            if not worse.any():
                break
            step[worse] /= 2
        beta = beta + step
        height, (score, inverse) = tried, rest
    return beta
