"""Linear models for repeated measures by REML: MMRM, random slopes, and ANCOVA beside them.

Data are arrays on a common grid of visits: `y` (children, visits), NaN = not measured; `arm` (children,) is
0 for control and 1 for active, and every arm contrast is active minus control, in the unit of `y`. Model:
y_i = X_i b + e_i, var(e_i) = S(theta) over the visits that child i attended, independent between children.
Missing visits are ignored (valid when missing at random given what was seen). Fits never raise for what the
data lack: `message` says in words what was left out, did not converge or lies on a boundary, and a contrast
that cannot be estimated is NaN with its reason. Shapes that differ, infinite values or an arm that is not 0
or 1 raise one ValueError.

Sources: Harville (1977), JASA 72:320-338 (REML); Jennrich & Schluchter (1986), Biometrics 42:805-820
(patterns, scoring); Satterthwaite (1946) in the form of Fai & Cornelius (1996); Kenward & Roger (1997),
Biometrics 53:983-997.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import arguments, reml, slopes

SE_METHODS = ("kenward-roger-linear", "asymptotic", "kenward-roger")
VARIANCES = ("ordinary", "hc2")


@dataclass(frozen=True)
class Contrast:
    """A linear combination of coefficients: t = estimate / se on df degrees of freedom.

    Attributes
    ----------
    estimate, se, lower, upper : float
        In the unit of `y`.
    df, t, p : float
        Degrees of freedom, statistic, two-sided p.
    message : str
        Why something is NaN, in words.

    Examples
    --------
    >>> Contrast(message="no measurement: nothing to fit").se
    nan
    """

    estimate: float = np.nan
    se: float = np.nan
    df: float = np.nan
    t: float = np.nan
    p: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    message: str = ""


@dataclass
class MixedFit:
    """A fitted model.

    Attributes
    ----------
    names : list of str
        Columns of the design, over which coefficients and contrasts run.
    structure : str
        The covariance that was used.
    message : str
        What was left out, did not converge or lies on a boundary, in words.
    converged : bool
        Whether there is a fit; without one every contrast is NaN.
    coefficients : numpy.ndarray, shape (columns,)
        In the unit of `y` by that of the column; aliased ones NaN.
    covariance : numpy.ndarray, shape (visits, visits)
        S, in the squared unit of `y`; NaN at visits without data.
    parameters : dict
        Variance parameters by name.
    reml : float
        Restricted log-likelihood.
    n_children, n_values, iterations : int
        Children and measurements used, steps taken.

    Examples
    --------
    >>> y = [[1.0, 1.5, 2.2], [0.8, 1.0, 1.1], [1.2, 1.9, 2.3], [0.9, 0.7, 1.2]]
    >>> fit = random_slope(y, times=[0, 1, 2], arm=[0, 0, 1, 1])
    >>> fit.names
    ['intercept', 'time', 'arm', 'time x arm']
    """

    names: list[str]
    structure: str
    message: str = ""
    converged: bool = False
    coefficients: NDArray = field(default_factory=lambda: np.array([]))
    covariance: NDArray = field(default_factory=lambda: np.empty((0, 0)))
    parameters: dict[str, float] = field(default_factory=dict)
    reml: float = np.nan
    n_children: int = 0
    n_values: int = 0
    iterations: int = 0
    _inner: dict[str, Any] = field(default_factory=dict, repr=False)

    def contrast(
        self,
        weights: ArrayLike | Mapping[str, float],
        level: float = 0.95,
        se: str = "kenward-roger-linear",
        information: str = "observed",
    ) -> Contrast:
        """Estimate of `weights` @ coefficients, by default with the linear Kenward-Roger standard error.

        Parameters
        ----------
        weights : array_like, shape (columns,), or dict
            From column name to weight.
        level : float
            Confidence level.
        se : {"kenward-roger-linear", "asymptotic", "kenward-roger"}
            "kenward-roger-linear" adds what the estimated variances cost, without second derivatives (what SAS gives
            for an unstructured matrix, which is linear in its parameters); "asymptotic" is the model's own, the
            Satterthwaite method. "kenward-roger" adds for the unstructured model the second-derivative term in
            log-Cholesky parameters (R's mmrm "Kenward-Roger"; other structures without it): it is there to be
            compared with R and is **anticonservative** with many visits and few children (see
            `helpers.design.known_truth`).
        information : {"observed", "expected"}
            About the variance parameters: observed as R's mmrm and lmerTest, or expected as pbkrtest, whose KR
            for random effects is "kenward-roger-linear" here.

        Returns
        -------
        Contrast
            NaN with words where the fit or the data don't give it. For one contrast the Kenward-Roger degrees
            of freedom are Satterthwaite's with that information.

        Raises
        ------
        ValueError
            Unknown names or methods, a wrong length, a level outside 0 to 1.
        """
        if se not in SE_METHODS:
            raise ValueError(f"se is {se!r}; it must be one of {', '.join(SE_METHODS)}")
        if information not in ("observed", "expected"):
            raise ValueError(f"information is {information!r}; it must be 'observed' or 'expected'")
        arguments.check_level(level)
        weights = self._weights(weights)
        if not self.converged:
            return Contrast(message=self.message)
        kept, aliased = self._inner["kept"], ~self._inner["kept"]
        gap = weights[aliased] - weights[kept] @ self._inner["alias"]
        if np.abs(gap).max(initial=0.0) > 1e-6 * max(1.0, np.abs(weights).max()):
            lacking = [name for name, gone in zip(self.names, aliased, strict=True) if gone]
            return Contrast(message=f"not estimable: the data don't identify {_listed(lacking)}")
        w = weights[kept]
        estimate = float(w @ self.coefficients[kept])
        variance = w @ self._inner["vcov"] @ w
        if variance <= 0:
            return Contrast(estimate, message="a contrast of nothing: all weights are zero")
        rotated = self._inner["half"].T @ w
        slope = self._inner["jacobian"].T @ (self._inner["spread"] @ np.outer(rotated, rotated).ravel())
        inverse = self._inverse(information)
        uncertainty = slope @ inverse @ slope
        # No uncertainty about the variance (all of it on a boundary) means a known variance: the normal
        # limit.
        df = float(2 * variance**2 / uncertainty) if uncertainty > 0 else np.inf
        if se != "asymptotic":
            second = se == "kenward-roger" and self.structure == reml.UNSTRUCTURED
            variance = w @ self._adjusted(second, inverse) @ w
            if not variance > 0:
                return Contrast(estimate, df=df, message="the Kenward-Roger variance is not positive")
        error = float(np.sqrt(variance))
        t = estimate / error
        half = float(stats.t.isf((1 - level) / 2, df)) * error
        p = float(2 * stats.t.sf(abs(t), df))
        return Contrast(estimate, error, df, t, p, estimate - half, estimate + half, self.message)

    def arm_contrast(
        self,
        visit_weights: ArrayLike,
        level: float = 0.95,
        se: str = "kenward-roger-linear",
        information: str = "observed",
    ) -> Contrast:
        """Active minus control, weighted over visits. MMRM only.

        Parameters
        ----------
        visit_weights : array_like, shape (visits,)
            A unit vector for one visit, `time_weights` for the average over time.
        level, se, information
            As in `contrast`.

        Returns
        -------
        Contrast
            In the unit of `y`.

        Raises
        ------
        ValueError
            A wrong length, and as `contrast`.
        """
        visit_weights = np.asarray(visit_weights, float)
        columns = [name for name in self.names if name.startswith("arm[")]
        if visit_weights.shape != (len(columns),):
            raise ValueError(
                f"{len(columns)} visits need {len(columns)} weights, got shape {visit_weights.shape}"
            )
        return self.contrast(dict(zip(columns, visit_weights, strict=True)), level, se, information)

    def _weights(self, weights: ArrayLike | Mapping[str, float]) -> NDArray:
        if isinstance(weights, Mapping):
            unknown = [name for name in weights if name not in self.names]
            if unknown:
                raise ValueError(
                    f"no column named {', '.join(map(str, unknown))}; there are {', '.join(self.names)}"
                )
            return np.array([float(weights.get(name, 0.0)) for name in self.names])
        weights = np.asarray(weights, float)
        if weights.shape != (len(self.names),) or not np.isfinite(weights).all():
            raise ValueError(f"weights must be {len(self.names)} finite numbers, got shape {weights.shape}")
        return weights

    def _inverse(self, information: str) -> NDArray:
        if information not in self._inner["inverse"]:
            self._inner["inverse"][information] = reml.safe_inverse(self._inner[information])
        return self._inner["inverse"][information]

    def _adjusted(self, with_second: bool, inverse: NDArray) -> NDArray:
        """Kenward & Roger's adjusted covariance of the coefficients (their equation for Phi_A)."""
        # In the basis where the coefficients' covariance is the identity: (.) -> half (.) half'.
        inner, n = self._inner, self._inner["inverse_s"].shape[1]
        half = inner["half"]
        if "within" in inner:
            q = np.tensordot(inverse, inner["square"], axes=2)
            product = (np.tensordot(inverse, inner["within"], axes=1) @ inner["within"]).sum(axis=0)
            return half @ (np.eye(len(half)) + 2 * (q - product)) @ half.T
        z = inner["weighted"] @ half
        first = inner["model"].first(inner["theta"]).reshape(-1, n * n)
        # sum of W_jk dS_j A_i dS_k for each child
        square = (first.T @ inverse @ first).reshape(n, n, n, n)
        middle = np.tensordot(inner["inverse_s"], square, axes=((1, 2), (1, 2)))
        if with_second:
            middle = middle - inner["model"].second_sum(inner["theta"], inverse) / 4
        q = (z.transpose(0, 2, 1) @ middle @ z).sum(axis=0)
        p = (inner["jacobian"].T @ inner["spread"]).reshape(len(first), len(half), len(half))
        product = (np.tensordot(inverse, p, axes=1) @ p).sum(axis=0)
        return half @ (np.eye(len(half)) + 2 * (q - product)) @ half.T


def mmrm(
    y: ArrayLike,
    baseline: ArrayLike | None,
    arm: ArrayLike,
    days: ArrayLike,
    covariates: ArrayLike | None = None,
) -> MixedFit:
    """MMRM: intercept, baseline and arm at each visit, unstructured covariance over visits, REML.

    Parameters
    ----------
    y : array_like, shape (children, visits)
        Any unit; NaN = not measured.
    baseline : array_like, shape (children,), or None
        Centred at its mean over the children analysed, so that intercept[v] is the control mean at the average
        baseline.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.
    days : array_like, shape (visits,)
        Increasing.
    covariates : array_like, shape (children, k), optional
        One coefficient each; centred as the baseline is.

    Returns
    -------
    MixedFit
        Columns are intercept[v], baseline[v], arm[v] with v = 1, 2, ..., then covariate[k].

    Raises
    ------
    ValueError
        Shapes that differ, infinite values, an arm that is not 0 or 1, days that don't increase.

    Notes
    -----
    Rule for the covariance, fixed beforehand: unstructured if every two visits were both attended by at least
    one child, there are at least as many children as visits after taking off the coefficients of one visit, the
    fit converged within 100 steps to a maximum, and the estimated correlation matrix has no eigenvalue below
    1e-6; otherwise child effect + exponential correlation in days + nugget, less those of the three that are
    estimated as zero (of the models that remain, the one with the highest restricted likelihood). `structure`
    names what was used, `message` why.

    References
    ----------
    Harville (1977), JASA 72:320-338 (REML); Jennrich & Schluchter (1986), Biometrics 42:805-820; Kenward & Roger
    (1997), Biometrics 53:983-997.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm = np.repeat([0, 1], 20)
    >>> base = rng.normal(0.0, 1.0, 40)
    >>> y = 0.5 * base[:, None] - 1.0 * arm[:, None] + rng.normal(0.0, 0.5, (40, 3))
    >>> fit = mmrm(y, base, arm, [28, 91, 365])
    >>> fit.structure, fit.n_values
    ('unstructured', 120)
    >>> found = fit.arm_contrast([0, 0, 1])
    >>> round(found.estimate, 1), round(found.df)
    (-1.0, 37)
    """
    values, arm = arguments.response(y, arm)
    at = np.asarray(days, float)
    if at.shape != (values.shape[1],) or not (np.isfinite(at).all() and (np.diff(at) > 0).all()):
        raise ValueError(f"days must be {values.shape[1]} increasing numbers")
    x, names = visit_design(values, baseline, arm, covariates)
    fit = _fit(values, x, names, lambda visits: reml.Unstructured(int(visits.sum())))
    if fit.converged or not fit.structure:
        return fit
    why = f"unstructured covariance not used: {fit._inner['why']}"

    def exponential(terms: str) -> MixedFit:
        return _fit(values, x, names, lambda visits: reml.Exponential(at[visits], terms))

    whole = exponential(reml.Exponential.whole)
    if not whole.converged:
        tries = [exponential(terms) for terms in reml.Exponential.reduced]
        best = max(tries, key=lambda attempt: attempt.reml if attempt.converged else -np.inf)
        highest = max([whole, *tries], key=lambda attempt: attempt._inner.get("height", -np.inf))
        if best.converged and best.reml > highest._inner.get("height", -np.inf) - 0.5:
            why, whole = f"{why}; of the simpler model: {whole._inner['why']}", best
        else:
            # A model that runs away with a higher likelihood: a lesser one that happens to stop would
            # mislead.
            whole, why = highest, f"{why}; nor any simpler one"
    whole.message = f"{why}; {whole.message}" if whole.message else why
    return whole


def visit_design(
    y: ArrayLike, baseline: ArrayLike | None, arm: ArrayLike, covariates: ArrayLike | None = None
) -> tuple[NDArray, list[str]]:
    """Design of `mmrm` and its column names.

    Parameters
    ----------
    y, baseline, arm, covariates
        As in `mmrm`.

    Returns
    -------
    design : numpy.ndarray, shape (children, visits, columns)
        Baseline and covariates centred at their means over the children analysed.
    names : list of str
        Of the columns.

    Raises
    ------
    ValueError
        A baseline of another length, or infinite.

    Notes
    -----
    Each of intercept, baseline and arm has a column a visit, covariates one for all visits.

    Examples
    --------
    >>> design, names = visit_design([[1.0, 2.0], [3.0, 4.0]], None, [0, 1])
    >>> names
    ['intercept[1]', 'intercept[2]', 'arm[1]', 'arm[2]']
    >>> design[1].tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]
    """
    n, visits = np.shape(y)
    arm = arguments.arms(arm).astype(float)
    parts = {"intercept": np.ones(n)}
    if baseline is not None:
        baseline = np.asarray(baseline, float)
        if baseline.shape != (n,) or np.isinf(baseline).any():
            raise ValueError(f"baseline must be {n} numbers, got shape {baseline.shape}")
        used = ~np.isnan(baseline) & ~np.isnan(y).all(axis=1)
        parts["baseline"] = baseline - (baseline[used].mean() if used.any() else 0.0)
    parts["arm"] = arm
    blocks, names = [], []
    for name, values in parts.items():
        blocks.append(values[:, None, None] * np.eye(visits))
        names += [f"{name}[{v + 1}]" for v in range(visits)]
    if covariates is not None:
        others = np.asarray(covariates, float).reshape(n, -1)
        used = ~np.isnan(others).any(axis=1) & ~np.isnan(y).all(axis=1)
        if used.any():
            others = others - others[used].mean(axis=0)
        blocks.append(np.broadcast_to(others[:, None, :], (n, visits, others.shape[1])))
        names += [f"covariate[{k + 1}]" for k in range(others.shape[1])]
    return np.concatenate(blocks, axis=2), names


def random_slope(y: ArrayLike, times: ArrayLike, arm: ArrayLike) -> MixedFit:
    """Random intercept and slope by REML; the coefficient of time x arm is the slope difference.

    Parameters
    ----------
    y : array_like, shape (children, visits)
        Any unit; NaN = not measured.
    times : array_like, shape (visits,) or (children, visits)
        In the unit of the slope (years for mL/min/1.73 m2 a year): of the visits, or each child's own, in any order.
        A value without its time (NaN) is left out.
    arm : array_like, shape (children,)
        0 control, 1 active, or labels as in `arguments.arms`.

    Returns
    -------
    MixedFit
        Columns intercept, time, arm, time x arm. With own times no two children share a covariance: `covariance` is
        NaN, `parameters` has the variances.

    Raises
    ------
    ValueError
        Shapes that differ, infinite values, an arm that is not 0 or 1.

    Notes
    -----
    Equal to R's lmer(y ~ time * arm + (time | child)) with lmerTest's degrees of freedom.

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963-974.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm, years = np.repeat([0, 1], 20), np.array([0.0, 0.5, 1.0])
    >>> slope = rng.normal(-3.0, 1.0, 40) + 2.0 * arm
    >>> y = rng.normal(100.0, 10.0, (40, 1)) + slope[:, None] * years + rng.normal(0.0, 1.0, (40, 3))
    >>> found = random_slope(y, years, arm).contrast({"time x arm": 1})
    >>> bool(found.lower < 2.0 < found.upper)
    True
    """
    y, arm = arguments.response(y, arm)
    times = arguments.numbers("times", times)
    own = times if times.ndim == 2 else None
    if times.shape not in ((y.shape[1],), y.shape):
        raise ValueError(
            f"times must be {y.shape[1]} numbers, or those of each child, got shape {times.shape}"
        )
    if np.isinf(times).any() or (own is None and np.isnan(times).any()):
        raise ValueError("times must be finite numbers")
    one, time = np.ones(y.shape), np.broadcast_to(times, y.shape)
    group = np.broadcast_to(arm[:, None], y.shape)
    x = np.stack([one, time, group, time * group], axis=2)
    names = ["intercept", "time", "arm", "time x arm"]
    return _fit(y, x, names, lambda visits: reml.RandomSlope(times[visits]), own)


def ancova(
    y: ArrayLike,
    baseline: ArrayLike,
    arm: ArrayLike,
    level: float = 0.95,
    variance: str = "ordinary",
    covariates: ArrayLike | None = None,
) -> Contrast:
    """Active minus control at one visit, adjusted for baseline, by ordinary least squares.

    Parameters
    ----------
    y, baseline : array_like, shape (children,)
        One unit; children with a NaN are left out and counted in the message.
    arm : array_like of 0 and 1, shape (children,)
        0 control, 1 active.
    level : float
        Confidence level.
    variance : {"ordinary", "hc2"}
        "ordinary" takes one residual variance for all children. "hc2" lets each have its own, with the degrees of
        freedom of Bell and McCaffrey: where the arms differ in size *and* spread the ordinary one is wrong.
    covariates : array_like, shape (children, k), optional
        Further columns, known before treatment; any unit.

    Returns
    -------
    Contrast
        In the unit of y; NaN with words for too few children, one arm or one baseline only. Where y is constant,
        or arm and baseline fit it exactly but for rounding, there is an estimate and nothing else.

    Raises
    ------
    ValueError
        Shapes that differ, infinite values, an arm that is not 0 or 1, a level outside 0 to 1, another variance.

    Notes
    -----
    HC2 divides each squared residual by 1 - leverage: unbiased where the spreads are equal. Its degrees of freedom
    are those of the chi-square with the same mean and variance under equal spreads. Without a baseline it would be
    Welch's standard error. A child that alone determines a coefficient (leverage 1) leaves HC2 undefined.

    References
    ----------
    Vickers & Altman (2001), BMJ 323:1123-1124; Bell & McCaffrey (2002), Survey Methodology 28:169-181; Imbens &
    Kolesar (2016), Rev Econ Stat 98:701-712.

    Examples
    --------
    >>> y, base, arm = [1, 2, 3, 3, 4, 6], [1, 2, 2.5, 1.2, 2.2, 2.9], [0, 0, 0, 1, 1, 1]
    >>> found = ancova(y, base, arm)
    >>> round(found.estimate, 2), found.df
    (1.93, 3.0)
    >>> robust = ancova(y, base, arm, variance="hc2")
    >>> round(robust.estimate, 2), round(robust.df, 1)
    (1.93, 2.8)
    """
    y, baseline = arguments.numbers("y", y), arguments.numbers("baseline", baseline)
    if y.ndim != 1 or baseline.shape != y.shape:
        raise ValueError(f"y and baseline must be of one length, got {y.shape} and {baseline.shape}")
    if variance not in VARIANCES:
        raise ValueError(f"variance is {variance!r}; it must be one of {', '.join(VARIANCES)}")
    column, arm = arguments.response(y[:, None], arm)
    columns = baseline[:, None]
    if covariates is not None:
        others = np.asarray(covariates, float)
        if others.shape[:1] != y.shape:
            raise ValueError(f"covariates must have {len(y)} rows, got shape {others.shape}")
        columns = np.column_stack([columns, others.reshape(len(y), -1)])
    if np.isinf(columns).any():
        raise ValueError("baseline and covariates must not be infinite")
    arguments.check_level(level)
    known = ~np.isnan(column[:, 0]) & ~np.isnan(columns).any(axis=1)
    missing = "y or baseline" if covariates is None else "y, baseline or covariates"
    message = "" if known.all() else f"{int((~known).sum())} children without {missing} left out"
    # Neither unit nor zero of a column touches the difference.
    x = np.column_stack([np.ones(known.sum()), arm[known], arguments.standardized(columns[known])[0]])
    if len(x) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
        what = "one baseline only" if covariates is None else "columns that don't differ"
        return Contrast(message=f"too few children, or one arm or {what}: no adjusted difference")
    return _least_squares(x, column[known, 0], np.eye(x.shape[1])[1], level, variance, message)


def _least_squares(
    x: NDArray, y: NDArray, weights: NDArray, level: float, variance: str, message: str
) -> Contrast:
    """weights @ coefficients by least squares; `variance` as in `ancova`."""
    half = np.linalg.qr(x)
    pull = half.Q @ np.linalg.solve(half.R.T, weights)
    estimate = float(pull @ y)
    residual = y - half.Q @ (half.Q.T @ y)
    free = len(y) - x.shape[1]
    # Rounding alone is no residual.
    range_ = np.abs(y - y.mean()).max()
    rounding = 1e-9 * range_ + 1e-14 * np.abs(y).max()
    if np.abs(residual).max() <= rounding:
        same = range_ <= rounding
        why = "y is the same for every child" if same else "arm and baseline fit y exactly"
        words = f"{why}: no residual variance, no standard error and no p"
        return Contrast(0.0 if same else estimate, message=arguments.join(message, words))
    if variance == "ordinary":
        spread, df = float(pull @ pull) * float(residual @ residual) / free, float(free)
    else:
        apart = 1 - (half.Q**2).sum(axis=1)
        if apart.min() < 1e-10:
            return Contrast(
                estimate,
                message=arguments.join(
                    message, "a child alone determines a coefficient: no HC2 standard error"
                ),
            )
        share = pull**2 / apart
        spread = float(share @ residual**2)
        # With M = I - Q Q' and equal spreads, residual' diag(share) residual has the trace of M diag(share) M as its
        # mean and twice that of its square as its variance.
        outer = half.Q @ half.Q.T
        form = (np.eye(len(y)) - outer) * np.sqrt(np.outer(share, share))
        df = float(np.trace(form) ** 2 / (form**2).sum())
    error = float(np.sqrt(spread))
    t, wide = estimate / error, float(stats.t.isf((1 - level) / 2, df)) * error
    p = float(2 * stats.t.sf(abs(t), df))
    return Contrast(estimate, error, df, t, p, estimate - wide, estimate + wide, message)


def time_weights(days: ArrayLike) -> NDArray:
    """Weights that make a sum over visits the time average from first to last.

    Parameters
    ----------
    days : array_like, shape (visits,)
        Increasing.

    Returns
    -------
    numpy.ndarray, shape (visits,)
        They add up to 1.

    Raises
    ------
    ValueError
        Days that don't increase, or none.

    Notes
    -----
    The trapezoidal rule.

    Examples
    --------
    >>> time_weights([0, 10, 40]).tolist()
    [0.125, 0.5, 0.375]
    """
    days = np.asarray(days, float)
    if days.ndim != 1 or len(days) == 0 or not np.isfinite(days).all() or not (np.diff(days) > 0).all():
        raise ValueError("days must be increasing numbers")
    if len(days) == 1:
        return np.ones(1)
    gaps = np.diff(days)
    return (np.append(gaps, 0.0) + np.append(0.0, gaps)) / (2 * gaps.sum())


def _fit(
    y: NDArray,
    x: NDArray,
    names: list[str],
    build: Callable[[NDArray], reml.Structure],
    own: NDArray | None = None,
) -> MixedFit:
    """Fit by REML; `build(visits)` makes the covariance structure for the visits that have data.

    own (children, visits): each child's own times, for a random slope on them.
    """
    usable = ~np.isnan(y) & ~np.isnan(x).any(axis=2)
    lost = int((~np.isnan(y)).any(axis=1).sum() - usable.any(axis=1).sum())
    notes = [f"{lost} children without baseline or covariates left out"] if lost else []
    rows, visits = usable.any(axis=1), usable.any(axis=0)
    if rows.any() and not visits.all():
        notes.append("no data at visit " + ", ".join(str(v + 1) for v in np.flatnonzero(~visits)))
    blank = MixedFit(names, "", coefficients=np.full(len(names), np.nan), n_children=int(rows.sum()))
    blank.covariance, blank.n_values = np.full((y.shape[1],) * 2, np.nan), int(usable.sum())

    def failed(why: str, height: float = -np.inf) -> MixedFit:
        blank.message, blank._inner = "; ".join([*notes, why]), {"why": why, "height": height}
        return blank

    if not rows.any():
        return failed("no measurement: nothing to fit")
    mask = usable[rows][:, visits]
    seen_x = np.where(mask[..., None], x[rows][:, visits], 0.0)
    seen_y = np.where(mask, y[rows][:, visits], 0.0)
    kept, alias = reml.independent(seen_x[mask])
    if mask.sum() - kept.sum() < 2:
        return failed(f"{int(mask.sum())} measurements for {int(kept.sum())} coefficients: too few to fit")
    design = seen_x[..., kept]
    data: Any
    if own is None:
        data = reml.Data(seen_y, design, mask)
    else:
        own = np.where(mask, own[rows][:, visits], 0.0)
        data = slopes.OwnData(seen_y, design, mask, own)
    residuals = seen_y - design @ np.linalg.lstsq(design[mask], seen_y[mask], rcond=None)[0]
    scale = float(np.sqrt((residuals[mask] ** 2).sum() / (mask.sum() - kept.sum())))
    if scale <= 1e-9 * max(1e-300, float(np.abs(seen_y).max())):
        return failed("no variation left to model")
    model = build(visits) if own is None else slopes.OwnSlope(own[mask])
    blank.structure = model.name
    if model.lacks(mask, int(kept.sum())):
        return failed(model.lacks(mask, int(kept.sum())))
    tries = [reml.maximise(model, data, start) for start in model.start(np.where(mask, residuals, np.nan))]
    theta, likelihood, steps, why = max(tries, key=lambda attempt: (not attempt[3], attempt[1]))
    why = why or model.trouble(theta, scale)
    if why:
        return failed(why, likelihood)
    aliased = [name for name, keep in zip(names, kept, strict=True) if not keep]
    if aliased:
        notes.append("not identified by the data: " + _listed(aliased))
    if model.boundary(theta, scale):
        notes.append(model.boundary(theta, scale))
    fit = blank
    fit.converged, fit.message, fit.iterations, fit.reml = True, "; ".join(notes), steps, likelihood
    fit.coefficients[kept] = data.solve(model.value(theta))["beta"]
    if own is None:
        fit.covariance[np.ix_(visits, visits)] = model.value(theta)
    fit.parameters = model.parameters(theta)
    _, expected, observed, state = data.slopes(model, theta)
    fit._inner = {**state, "kept": kept, "alias": alias, "model": model, "theta": theta, "inverse": {}}
    fit._inner.update(expected=expected, observed=observed)
    return fit


def _listed(names: list[str]) -> str:
    rest = len(names) - 6
    return ", ".join(names[:6]) + (f" and {rest} more" if rest > 0 else "")
