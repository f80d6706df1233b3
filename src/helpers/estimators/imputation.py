"""Multiple imputation of repeated measures, missing at random or jumping to the reference, and Rubin's rules.

Data are arrays as in `helpers.estimators.mixed`: `y` (children, visits), NaN = not measured; `arm` (children,)
is 0 for control, the reference, and 1 for active. The imputation model is that of the MMRM: multivariate
normal, intercept, baseline and arm at each visit, and **one unstructured covariance for both arms** (20
children an arm don't determine two of 11 visits; Carpenter, Roger & Kenward take one per arm, R's rbmi one
for both by default). Every imputation has its own draw of means and covariance from their posterior.

What can't be imputed stays NaN, and `message` says which and why; a model that can't be fitted gives no
imputations, with words. Shapes that differ, infinite values, an arm that is not 0 or 1 raise one ValueError.

Sources: Carpenter, Roger & Kenward (2013), J Biopharm Stat 23:1352-1371 (reference-based imputation);
Schafer (1997), Analysis of Incomplete Multivariate Data, chapter 5 (data augmentation); Barnard & Rubin
(1999), Biometrika 86:948-955.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import arguments, mixed, reml

METHODS = ("mar", "jump to reference")

# Steps of data augmentation before a draw is used. Each imputation is a chain of its own, with the prior at
# the REML fit; where 8 in 10 values were missing, 0.8 ** 50 of the start would be left.
_STEPS = 50


@dataclass(frozen=True)
class Assumption:
    """What is assumed of values that nobody saw.

    Attributes
    ----------
    method : {"mar", "jump to reference"}
        "mar" (missing at random): as the values seen say. "jump to reference": after the last value seen of a
        child in the active arm, as in the control arm.
    delta : float or pair of float
        Added to what is imputed after the last value seen: a number for the active arm, or (control, active);
        in the unit of the measure, for a binary answer in log odds.

    Raises
    ------
    ValueError
        Another method, or a delta that is not finite.

    References
    ----------
    Carpenter, Roger & Kenward (2013), J Biopharm Stat 23:1352-1371.

    Examples
    --------
    >>> Assumption("jump to reference", delta=0.5).shift
    (0.0, 0.5)
    """

    method: str = "mar"
    delta: float | Sequence[float] = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; it must be one of {', '.join(METHODS)}")
        shift = np.asarray(self.delta, float)
        if shift.shape not in ((), (2,)) or not np.isfinite(shift).all():
            raise ValueError(
                f"delta must be one finite number or a pair (control, active), got {self.delta!r}"
            )

    @property
    def shift(self) -> tuple[float, float]:
        """delta of (control, active)."""
        shift = np.asarray(self.delta, float)
        return (0.0, float(shift)) if shift.ndim == 0 else (float(shift[0]), float(shift[1]))


MAR = Assumption()


class Analysed(Protocol):
    """What `pool` takes from the analysis of one completed data set: `mixed.Contrast` is one.

    Attributes
    ----------
    estimate, se : float
        In the unit of the analysis.
    df : float
        Degrees of freedom without missing data.
    message : str
        Why there is none, in words.

    Examples
    --------
    >>> analysed: Analysed = mixed.Contrast(estimate=1.0, se=0.5, df=20)
    """

    @property
    def estimate(self) -> float: ...
    @property
    def se(self) -> float: ...
    @property
    def df(self) -> float: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True)
class Imputation:
    """Completed data.

    Attributes
    ----------
    values : numpy.ndarray, shape (imputations, children, visits)
        The values seen as given, the others drawn; NaN where nothing could be imputed.
    message : str
        What was not imputed and why.

    Examples
    --------
    >>> Imputation(np.zeros((2, 3, 1))).values.shape
    (2, 3, 1)
    """

    values: NDArray
    message: str = ""


@dataclass(frozen=True)
class Pooled:
    """One estimate from many completed data sets.

    Attributes
    ----------
    estimate, lower, upper, se, df, p : float
        With its interval, and the two-sided p against 0; NaN with words in `message`.
    within, between : float
        Rubin's variances, in the squared unit of the estimate.
    fmi : float
        Fraction of missing information.
    monte_carlo : float
        Standard error of the estimate that more imputations would remove.
    n_imputations : int
        How many data sets were pooled.
    message : str
        What could not be estimated, and why.

    Examples
    --------
    >>> rubin([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]).between
    1.0
    """

    estimate: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    se: float = np.nan
    df: float = np.nan
    p: float = np.nan
    within: float = np.nan
    between: float = np.nan
    fmi: float = np.nan
    monte_carlo: float = np.nan
    n_imputations: int = 0
    message: str = ""


def check_number(n_imputations: int) -> None:
    """Refuse a number of imputations that is none.

    Parameters
    ----------
    n_imputations : int
        Whole, above 0.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        Otherwise.

    Notes
    -----
    Shared with `tipping.impute_binary`.

    Examples
    --------
    >>> check_number(20)
    """
    if int(n_imputations) != n_imputations or n_imputations < 1:
        raise ValueError(f"n_imputations must be a whole number above 0, got {n_imputations!r}")


def impute(
    y: ArrayLike,
    baseline: ArrayLike | None,
    arm: ArrayLike,
    days: ArrayLike,
    n_imputations: int,
    rng: np.random.Generator,
    assumption: Assumption = MAR,
) -> Imputation:
    """Completed copies of `y`, as many as `n_imputations`.

    Parameters
    ----------
    y : array_like, shape (children, visits)
        Any unit; NaN = not measured.
    baseline : array_like, shape (children,), or None
        In the unit of y.
    arm : array_like, shape (children,)
        0 control, the reference; 1 active.
    days : array_like, shape (visits,)
        Increasing.
    n_imputations : int
        How many completed data sets.
    rng : numpy.random.Generator
        The same state gives the same draws for every assumption, so that their differences are free of Monte
        Carlo noise where the assumptions agree.
    assumption : Assumption
        "mar" draws what is missing given what was seen of the child, its baseline and its own arm's means.
        "jump to reference" does so too for gaps (before a child's last value seen); after the last value of a
        child in the active arm the means are the control arm's, and the child's own residuals carry over
        through the covariance. `delta` is added to what is imputed after the last value seen.

    Returns
    -------
    Imputation
        Not imputed, and told in the message: children without a baseline, and visits at which the values seen
        don't determine the model's coefficients (an arm without values).

    Raises
    ------
    ValueError
        Shapes that differ, an arm that is not 0 or 1, days or n_imputations that can't be.

    Notes
    -----
    Posterior: flat for the means; for the covariance an inverse Wishart with visits + 2 degrees of freedom and
    mean at the REML estimate of `mixed.mmrm` (whatever structure its rule takes), the default of R's rbmi. With
    Jeffreys' prior instead, 40 children and 11 visits would give a posterior mean half as large again.

    References
    ----------
    Carpenter, Roger & Kenward (2013), J Biopharm Stat 23:1352-1371 (J2R); Schafer (1997), Analysis of
    Incomplete Multivariate Data, chapter 5 (data augmentation).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = np.array([[1.0, 1.2], [0.5, 0.9], [0.1, 0.3], [0.8, 0.7], [0.2, np.nan], [0.6, 0.1]] * 3)
    >>> made = impute(y, None, [0, 0, 0, 1, 1, 1] * 3, [28, 56], 50, rng)
    >>> made.values.shape, bool(np.isnan(made.values).any())
    ((50, 18, 2), False)
    """
    check_number(n_imputations)
    y, arm = arguments.response(y, arm)
    shift = np.array(assumption.shift)
    fit = mixed.mmrm(y, baseline, arm, days)
    level = np.zeros(len(arm)) if baseline is None else np.asarray(baseline, float)
    children = ~np.isnan(level)
    seen = ~np.isnan(y) & children[:, None]
    notes = [] if children.all() else [f"{int((~children).sum())} children without baseline not imputed"]
    if not (np.isnan(y) & children[:, None]).any():
        return Imputation(
            np.repeat(y[None], n_imputations, axis=0), arguments.join(*notes, "nothing to impute")
        )
    level = np.where(children, level - (level[children].mean() if children.any() else 0.0), 0.0)
    x = np.column_stack([np.ones(len(arm)), arm, level])
    kept, _ = reml.independent(x[children])
    if not kept[1]:
        return _nothing(y, notes, "no child with data in one of the arms: nothing imputed")
    x = x[:, kept]
    visits = np.array([np.linalg.matrix_rank(x[rows]) == x.shape[1] for rows in seen.T])
    for lost in np.flatnonzero(~visits):
        notes.append(f"visit {lost + 1} not imputed: its values don't determine baseline and arm")
    if not visits.all():
        fit = (
            mixed.mmrm(y[:, visits], baseline, arm, np.asarray(days, float)[visits]) if visits.any() else fit
        )
    if not fit.converged or not visits.any():
        return _nothing(y, notes, f"no imputation model: {fit.message}")
    if fit.structure != reml.UNSTRUCTURED:
        notes.append(f"prior of the covariance centred at: {fit.structure}")

    part = np.where(seen, y, np.nan)[:, visits]
    informs = seen[:, visits].any(axis=1)
    means, precision = _posterior(part[informs], x[informs], fit.covariance, int(n_imputations), rng)
    own = x @ means
    last = np.where(seen.any(axis=1), seen.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    after = (np.arange(seen.shape[1]) > last[:, None])[:, visits]
    if assumption.method == "jump to reference":
        reference = x.copy()
        reference[:, 1] = 0.0
        own = np.where(after, reference @ means, own)
    drawn = _fill(part[children], own[:, children], precision, rng)
    drawn += np.where(after & np.isnan(part), shift[arm.astype(int)][:, None], 0.0)[children]
    values = np.repeat(y[None], n_imputations, axis=0)
    values[np.ix_(np.arange(len(values)), children, visits)] = drawn
    return Imputation(values, arguments.join(*notes))


def rubin(
    estimates: ArrayLike, variances: ArrayLike, df_complete: float = np.inf, level: float = 0.95
) -> Pooled:
    """Rubin's rules for one quantity, t interval with Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    estimates, variances : array_like, shape (imputations,)
        From each completed data set, in the unit of the estimate and its square.
    df_complete : float
        Degrees of freedom that the analysis would have without missing data.
    level : float
        Confidence level.

    Returns
    -------
    Pooled
        Estimates that are not finite give no pooled one, and the message counts them.

    Raises
    ------
    ValueError
        Shapes that differ, a negative variance, degrees of freedom that are not positive.

    Notes
    -----
    Total variance is within + (1 + 1/m) between; df = 1 / (1/df_m + 1/df_observed), and fmi as in R's
    mice::pool.scalar.

    References
    ----------
    Barnard & Rubin (1999), Biometrika 86:948-955.

    Examples
    --------
    >>> found = rubin([1.0, 1.5, 2.0], [0.20, 0.25, 0.30], df_complete=30)
    >>> [round(x, 2) for x in (found.estimate, found.se, found.df)]
    [1.5, 0.76, 4.06]
    """
    arguments.check_level(level)
    estimates, variances = np.asarray(estimates, float), np.asarray(variances, float)
    if estimates.ndim != 1 or estimates.shape != variances.shape:
        raise ValueError(
            f"estimates and variances must be of one length, got {estimates.shape} and {variances.shape}"
        )
    if not df_complete > 0:
        raise ValueError(f"df_complete must be positive, got {df_complete!r}")
    if (variances < 0).any():
        raise ValueError("variances must not be negative")
    m = len(estimates)
    lacking = int((~(np.isfinite(estimates) & np.isfinite(variances))).sum())
    if lacking:
        return Pooled(n_imputations=m, message=f"{lacking} of {m} imputations gave no estimate")
    if m < 2:
        return Pooled(n_imputations=m, message=f"{m} imputations: Rubin's rules need two or more")
    estimate, within, between = estimates.mean(), variances.mean(), estimates.var(ddof=1)
    # Rounding alone must not look like uncertainty between imputations that are the same.
    between = 0.0 if np.ptp(estimates) <= 1e-12 * np.abs(estimates).max() else between
    added = (1 + 1 / m) * between
    total = within + added
    if not total > 0:
        return Pooled(float(estimate), n_imputations=m, message="no variance: no interval")
    pooled = Pooled(
        float(estimate),
        within=float(within),
        between=float(between),
        monte_carlo=float(np.sqrt(between / m)),
        n_imputations=m,
    )
    if within == 0:
        return replace(pooled, message="no variance within the imputations: no interval")
    share = added / total
    df_old = (m - 1) / share**2 if share > 1e-100 else np.inf
    damped = (df_complete + 1) / (df_complete + 3) if np.isfinite(df_complete) else 1.0
    df_seen = damped * df_complete * (1 - share)
    df = np.inf if np.isinf(df_old) and np.isinf(df_seen) else 1 / (1 / df_old + 1 / df_seen)
    se = float(np.sqrt(total))
    half = float(stats.t.isf((1 - level) / 2, df)) * se
    p = float(2 * stats.t.sf(abs(estimate) / se, df))
    ratio = added / within
    fmi = float((ratio + 2 / (df + 3)) / (ratio + 1))
    lower, upper = pooled.estimate - half, pooled.estimate + half
    return replace(pooled, lower=lower, upper=upper, se=se, df=float(df), p=p, fmi=fmi)


def rubin_proportions(
    shares0: ArrayLike, n0: int, shares1: ArrayLike, n1: int, level: float = 0.95
) -> Pooled:
    """Difference of two proportions from many completed data sets, pooled where it covers in small arms.

    Parameters
    ----------
    shares0, shares1 : array_like, shape (imputations,)
        Proportion with the event in each completed data set, of the control and the active arm.
    n0, n1 : int
        Children of each arm, above 0.
    level : float
        Confidence level.

    Returns
    -------
    Pooled
        p1 - p0 with its interval; no standard error and no p, as the interval is not symmetric. `within` and
        `between` are Rubin's, with Wald's variance within.

    Raises
    ------
    ValueError
        Lengths that differ, shares outside 0 to 1, arms without children, a level outside 0 to 1.

    Notes
    -----
    Each arm's limits are those of Lott and Reiter: Wilson's score equation with the variance that Rubin's rules add;
    the two arms are combined as Newcombe combines Wilson's (square-and-add). Without missing data that is
    `proportions.newcombe`. Rubin's rules on Wald's variance cover .92 to .94 at 18 children an arm, and give no
    interval at all where no completed child has the event.

    References
    ----------
    Lott & Reiter (2020), Am Stat 74:109-115; Newcombe (1998), Stat Med 17:873-890, method 10.

    Examples
    --------
    >>> found = rubin_proportions([0.1, 0.2, 0.1], 20, [0.5, 0.5, 0.6], 20)
    >>> [round(x, 2) for x in (found.estimate, found.lower, found.upper)]
    [0.4, -0.01, 0.65]
    >>> none = rubin_proportions([0.0, 0.0], 18, [0.0, 0.0], 18)
    >>> [round(x, 2) for x in (none.estimate, none.lower, none.upper)]
    [0.0, -0.18, 0.18]
    """
    arguments.check_level(level)
    shares0, shares1 = np.asarray(shares0, float), np.asarray(shares1, float)
    if shares0.ndim != 1 or shares0.shape != shares1.shape:
        raise ValueError(f"shares must be of one length, got {shares0.shape} and {shares1.shape}")
    if not all(((s >= 0) & (s <= 1)).all() for s in (shares0, shares1)):
        raise ValueError("shares must lie between 0 and 1")
    if min(n0, n1) < 1:
        raise ValueError(f"each arm needs children, got {n0} and {n1}")
    m = len(shares0)
    if m < 2:
        return Pooled(n_imputations=m, message=f"{m} imputations: Rubin's rules need two or more")
    (p0, low0, high0), (p1, low1, high1) = (
        _wilson_pooled(shares, n, level) for shares, n in ((shares0, n0), (shares1, n1))
    )
    within = (shares0 * (1 - shares0) / n0 + shares1 * (1 - shares1) / n1).mean()
    between = (shares1 - shares0).var(ddof=1)
    return Pooled(
        p1 - p0,
        float(max(-1.0, p1 - p0 - np.hypot(p1 - low1, high0 - p0))),
        float(min(1.0, p1 - p0 + np.hypot(high1 - p1, p0 - low0))),
        within=float(within),
        between=float(between),
        monte_carlo=float(np.sqrt(between / m)),
        n_imputations=m,
    )


def _wilson_pooled(shares: NDArray, n: int, level: float) -> tuple[float, float, float]:
    """Mean, lower and upper limit of one proportion over imputations (Lott and Reiter)."""
    m, mean = len(shares), float(shares.mean())
    within = float((shares * (1 - shares)).mean()) / n
    added = (1 + 1 / m) * float(shares.var(ddof=1))
    ratio = added / within if within > 0 else 0.0
    df = (m - 1) * (1 + 1 / ratio) ** 2 if ratio > 1e-12 else np.inf
    wide = float(stats.t.isf((1 - level) / 2, df)) ** 2 / n * (1 + ratio)
    centre, half = mean + wide / 2, np.sqrt(wide * mean * (1 - mean) + wide**2 / 4)
    return mean, (centre - half) / (1 + wide), (centre + half) / (1 + wide)


def pool(imputation: Imputation, analyse: Callable[[NDArray], Analysed], level: float = 0.95) -> Pooled:
    """Analyse each completed data set and pool by `rubin`.

    Parameters
    ----------
    imputation : Imputation
        From `impute`.
    analyse : callable
        Takes one completed `y` (children, visits) and returns anything with `estimate`, `se`, `df` and
        `message`, as `mixed.ancova` and the contrasts of `mixed.mmrm` do.
    level : float
        Confidence level.

    Returns
    -------
    Pooled
        The complete-data degrees of freedom are the smallest `df` among the analyses.

    Raises
    ------
    ValueError
        As `rubin`, and what `analyse` raises.

    References
    ----------
    Barnard & Rubin (1999), Biometrika 86:948-955.

    Examples
    --------
    >>> y = np.array([[1.0], [2.0], [3.0], [3.0], [4.0], [6.0]])
    >>> made = Imputation(np.stack([y, y + np.arange(6)[:, None] / 50]))
    >>> base, arm = [1.0, 2.0, 2.5, 1.2, 2.2, 2.9], [0, 0, 0, 1, 1, 1]
    >>> round(pool(made, lambda values: mixed.ancova(values[:, -1], base, arm)).estimate, 1)
    2.0
    """
    results = [analyse(values) for values in imputation.values]
    if not results:
        return Pooled(message=imputation.message)
    dfs = [result.df for result in results if np.isfinite(result.df)]
    pooled = rubin(
        [result.estimate for result in results],
        [result.se**2 for result in results],
        min(dfs, default=np.inf),
        level,
    )
    why = next((r.message for r in results if not np.isfinite(r.se)), "")
    message = arguments.join(imputation.message, pooled.message, why)
    return replace(pooled, message=message)


def _nothing(y: NDArray, notes: list[str], why: str) -> Imputation:
    return Imputation(np.empty((0, *y.shape)), arguments.join(*notes, why))


def _posterior(
    y: NDArray, x: NDArray, prior: NDArray, n_chains: int, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """One posterior draw a chain, all chains at once: means' coefficients (chains, columns, visits) and
    precision (chains, visits, visits)."""
    n, visits = y.shape
    cross = np.linalg.inv(x.T @ x)
    root, hat = np.linalg.cholesky(cross), cross @ x.T
    df = n - x.shape[1] + visits + 2
    start = np.stack(
        [x @ np.linalg.lstsq(x[~np.isnan(v)], v[~np.isnan(v)], rcond=None)[0] for v in y.T], axis=1
    )
    values = np.repeat(np.where(np.isnan(y), start, y)[None], n_chains, axis=0)
    lower = np.tril_indices(visits, -1)
    diagonal = np.arange(visits)
    for _ in range(_STEPS):
        fitted = hat @ values
        residuals = values - x @ fitted
        scale = np.linalg.cholesky(residuals.transpose(0, 2, 1) @ residuals + prior)
        # Bartlett's decomposition of a standard Wishart matrix.
        bartlett = np.zeros((n_chains, visits, visits))
        bartlett[:, diagonal, diagonal] = np.sqrt(rng.chisquare(df - diagonal, (n_chains, visits)))
        bartlett[:, lower[0], lower[1]] = rng.standard_normal((n_chains, len(lower[0])))
        half = np.linalg.inv(scale).transpose(0, 2, 1) @ bartlett
        spread = scale @ np.linalg.inv(bartlett).transpose(0, 2, 1)
        noise = rng.standard_normal((n_chains, x.shape[1], visits))
        means = fitted + root @ noise @ spread.transpose(0, 2, 1)
        precision = half @ half.transpose(0, 2, 1)
        values = _fill(y, x @ means, precision, rng)
    return means, precision


def _fill(y: NDArray, means: NDArray, precision: NDArray, rng: np.random.Generator) -> NDArray:
    """Draws of what is missing in `y` given what was seen, for each chain; the seen values as they are."""
    missing = np.isnan(y)
    values = np.repeat(np.where(missing, 0.0, y)[None], len(means), axis=0)
    rows = missing.any(axis=1)
    gap, centre = missing[rows], means[:, rows]
    patterns, which = np.unique(gap, axis=0, return_inverse=True)
    among = patterns[:, :, None] & patterns[:, None, :]
    # The conditional precision of the missing values is that block of the precision; elsewhere the identity.
    factor = np.linalg.cholesky(np.where(among, precision[:, None], np.eye(y.shape[1])))
    pull = np.where(gap, 0.0, values[:, rows] - centre) @ precision
    # Solved visit by visit for all chains and children, which lie last in memory for it: inverting many small
    # matrices takes several times as long.
    factor = np.ascontiguousarray(np.moveaxis(factor, (0, 1), (2, 3)))[..., which]
    drawn = np.moveaxis(np.where(gap, -pull, 0.0), -1, 0).copy()
    for v in range(len(drawn)):
        drawn[v] = (drawn[v] - (factor[v, :v] * drawn[:v]).sum(axis=0)) / factor[v, v]
    noise = rng.standard_normal(pull.shape)
    drawn += np.moveaxis(np.where(gap, noise, 0.0), -1, 0)
    for v in range(len(drawn) - 1, -1, -1):
        drawn[v] = (drawn[v] - (factor[v + 1 :, v] * drawn[v + 1 :]).sum(axis=0)) / factor[v, v]
    drawn = np.moveaxis(drawn, 0, -1)
    values[:, rows] = np.where(gap, centre + drawn, values[:, rows])
    return values
