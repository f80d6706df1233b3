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

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import statsmodels.api as sm
from scipy import stats

SE_METHODS = ("asymptotic", "kenward-roger", "kenward-roger-linear")
UNSTRUCTURED = "unstructured"
RANDOM_SLOPE = "random intercept and slope"


@dataclass(frozen=True)
class Contrast:
    """A linear combination of coefficients: t = estimate / se on df degrees of freedom; NaN with words in
    `message`."""

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
    """A fitted model. `names`, `coefficients` and contrasts run over the columns of the design (aliased ones
    NaN); `covariance` (visits, visits) is S, NaN at visits without data; `reml` is the restricted
    log-likelihood; `parameters` names the variance parameters."""

    names: list
    structure: str
    message: str = ""
    converged: bool = False
    coefficients: np.ndarray = field(default_factory=lambda: np.array([]))
    covariance: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    parameters: dict = field(default_factory=dict)
    reml: float = np.nan
    n_children: int = 0
    n_values: int = 0
    iterations: int = 0
    _inner: dict = field(default_factory=dict, repr=False)

    def contrast(
        self, weights, level: float = 0.95, se: str = "asymptotic", information: str = "observed"
    ) -> Contrast:
        """Estimate of `weights` @ coefficients with Satterthwaite degrees of freedom.

        `weights` (columns,) as an array, or a dict from column name to weight. `se`: "asymptotic",
        "kenward-roger" (for the unstructured model with the second-derivative term in log-Cholesky
        parameters: R's mmrm "Kenward-Roger"; other structures without it) or "kenward-roger-linear" (without
        it). `information` about the variance parameters is "observed" (R's mmrm, lmerTest) or "expected"
        (pbkrtest, whose KR for random effects is "kenward-roger-linear" here). For one contrast the
        Kenward-Roger degrees of freedom are Satterthwaite's with that information. Raises ValueError for
        unknown names, methods or lengths.
        """
        if se not in SE_METHODS:
            raise ValueError(f"se is {se!r}; it must be one of {', '.join(SE_METHODS)}")
        if information not in ("observed", "expected"):
            raise ValueError(f"information is {information!r}; it must be 'observed' or 'expected'")
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, got {level!r}")
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
            second = se == "kenward-roger" and self.structure == UNSTRUCTURED
            variance = w @ self._adjusted(second, inverse) @ w
            if not variance > 0:
                return Contrast(estimate, df=df, message="the Kenward-Roger variance is not positive")
        error = float(np.sqrt(variance))
        t = estimate / error
        half = float(stats.t.isf((1 - level) / 2, df)) * error
        p = float(2 * stats.t.sf(abs(t), df))
        return Contrast(estimate, error, df, t, p, estimate - half, estimate + half, self.message)

    def arm_contrast(self, visit_weights, **options) -> Contrast:
        """Active minus control, weighted over visits (visits,); one visit is a unit vector. MMRM only."""
        visit_weights = np.asarray(visit_weights, float)
        columns = [name for name in self.names if name.startswith("arm[")]
        if visit_weights.shape != (len(columns),):
            raise ValueError(
                f"{len(columns)} visits need {len(columns)} weights, got shape {visit_weights.shape}"
            )
        return self.contrast(dict(zip(columns, visit_weights, strict=True)), **options)

    def _weights(self, weights):
        if isinstance(weights, dict):
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

    def _inverse(self, information):
        if information not in self._inner["inverse"]:
            self._inner["inverse"][information] = _safe_inverse(self._inner[information])
        return self._inner["inverse"][information]

    def _adjusted(self, with_second, inverse):
        """Kenward & Roger's adjusted covariance of the coefficients (their equation for Phi_A)."""
        # In the basis where the coefficients' covariance is the identity: (.) -> half (.) half'.
        inner, n = self._inner, self._inner["inverse_s"].shape[1]
        half = inner["half"]
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


class _Unstructured:
    """S = L L', L = diag(exp(a)) (unit lower triangle): any positive definite S, as R's mmrm parameterises
    it."""

    saturated, name = True, UNSTRUCTURED

    def __init__(self, n_visits):
        self.n = n_visits
        self.rows, self.columns = np.tril_indices(n_visits, -1)

    def lacks(self, mask, n_columns):
        if not (mask[:, :, None] & mask[:, None, :]).any(axis=0).all():
            return "two visits were never attended by the same child"
        if len(mask) - n_columns / self.n < self.n:
            return f"{len(mask)} children are too few for {self.n} visits"
        return ""

    def start(self, residuals):
        seen = ~np.isnan(residuals)
        filled = np.where(seen, residuals, 0.0)
        pairs = np.maximum((seen[:, :, None] & seen[:, None, :]).sum(axis=0), 1)
        s = filled.T @ filled / pairs
        values, vectors = np.linalg.eigh(s)
        floor = max(1e-2 * np.trace(s) / self.n, np.finfo(float).tiny)
        factor = np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T)
        scale = np.diag(factor)
        return [np.concatenate([np.log(scale), (factor / scale[:, None])[self.rows, self.columns]])]

    def _factor(self, theta):
        unit = np.eye(self.n)
        unit[self.rows, self.columns] = theta[self.n :]
        return np.exp(theta[: self.n])[:, None] * unit

    def value(self, theta):
        factor = self._factor(theta)
        return factor @ factor.T

    def _factor_first(self, theta):
        factor = self._factor(theta)
        d = np.zeros((len(theta), self.n, self.n))
        d[np.arange(self.n), np.arange(self.n)] = factor
        d[np.arange(self.n, len(theta)), self.rows, self.columns] = np.exp(theta[self.rows])
        return d

    def first(self, theta):
        half = self._factor_first(theta) @ self._factor(theta).T
        return half + half.transpose(0, 2, 1)

    def second_sum(self, theta, weights):
        """Sum over j, k of weights[j, k] d2S / dtheta_j dtheta_k."""
        d = self._factor_first(theta)
        pairs = np.einsum("jsc,jtc->st", d, np.tensordot(weights, d, axes=1))
        again = np.zeros((self.n, self.n))
        for r in range(self.n):
            # L has a second derivative only in a_r with itself and with the l_rc of its row.
            row = self.n + np.flatnonzero(self.rows == r)
            again += weights[r, r] * d[r] + 2 * np.tensordot(weights[r, row], d[row], axes=1)
        half = pairs + again @ self._factor(theta).T
        return half + half.T

    def parameters(self, theta):
        return {}

    def trouble(self, theta, scale):
        s = self.value(theta)
        sd = np.sqrt(np.diag(s))
        smallest = np.linalg.eigvalsh(s / np.outer(sd, sd))[0]
        return "the estimated correlation matrix is singular" if smallest < 1e-6 else ""

    def boundary(self, theta, scale):
        return ""


class _Exponential:
    """S = b^2 + e^2 exp(-|d_s - d_t| / r) + u^2 1(s = t), or some of its terms.

    theta holds the SDs (free of sign) of the terms in `terms`, then log r if "e" is one of them; "E" stands
    for e with r fixed at 20 times the longest gap, which is nearly linear in time.
    """

    saturated = False
    words: ClassVar = {
        "b": "child effect",
        "e": "exponential correlation in days",
        "E": "exponential correlation in days (range at its upper bound)",
        "u": "nugget",
    }
    # Every way in which terms of the whole model can vanish and leave a proper covariance.
    reduced = ("be", "bu", "eu", "e", "u", "Eu", "bEu")

    def __init__(self, days, terms="beu"):
        self.gap = np.abs(days[:, None] - days[None, :])
        self.longest = max(self.gap.max(), 1.0)
        self.shortest = self.gap[self.gap > 0].min(initial=self.longest)
        self.terms = terms
        self.name = " + ".join(self.words[term] for term in terms)

    def lacks(self, mask, n_columns):
        return ""

    def start(self, residuals):
        sds = [np.sqrt(max(np.nanvar(residuals), np.finfo(float).tiny) / len(self.terms))] * len(self.terms)
        if "e" not in self.terms:
            return [np.array(sds)]
        return [np.array([*sds, np.log(share * self.longest)]) for share in (0.05, 0.2, 0.6)]

    def _range(self, theta):
        return np.exp(np.clip(theta[-1], -50, 50)) if "e" in self.terms else 20 * self.longest

    def _parts(self, theta):
        fade = np.exp(-self.gap / self._range(theta))
        shapes = {"b": np.ones_like(fade), "e": fade, "E": fade, "u": np.eye(len(fade))}
        return [shapes[term] for term in self.terms]

    def value(self, theta):
        return sum(sd**2 * part for sd, part in zip(theta, self._parts(theta), strict=False))

    def first(self, theta):
        out = [2 * sd * part for sd, part in zip(theta, self._parts(theta), strict=False)]
        if "e" in self.terms:
            x, k = self.gap / self._range(theta), self.terms.index("e")
            out.append(theta[k] ** 2 * np.exp(-x) * x)
        return np.stack(out)

    def second(self, theta):
        out = np.zeros((len(theta), len(theta), *self.gap.shape))
        for k, part in enumerate(self._parts(theta)):
            out[k, k] = 2 * part
        if "e" in self.terms:
            x, k = self.gap / self._range(theta), self.terms.index("e")
            out[k, -1] = out[-1, k] = 2 * theta[k] * np.exp(-x) * x
            out[-1, -1] = theta[k] ** 2 * np.exp(-x) * (x**2 - x)
        return out

    def parameters(self, theta):
        names = {"b": "SD child", "e": "SD exponential", "E": "SD exponential", "u": "SD nugget"}
        sds = {names[term]: float(abs(sd)) for term, sd in zip(self.terms, theta, strict=False)}
        return {**sds, "range (days)": float(self._range(theta))} if "e" in self.terms.lower() else sds

    def trouble(self, theta, scale):
        zero = [
            self.words[term] for term, sd in zip(self.terms, theta, strict=False) if abs(sd) < 1e-3 * scale
        ]
        if zero:
            return f"{' and '.join(zero)} estimated as zero"
        if "e" in self.terms and not self.shortest / 20 < self._range(theta) < 20 * self.longest:
            return "the range of the exponential correlation is not identified"
        return ""

    def boundary(self, theta, scale):
        return ""


class _RandomSlope:
    """S = Z G Z' + s^2 I, Z = (1, time), G = F F': theta = (f11, f21, f22, log s)."""

    saturated, name = False, RANDOM_SLOPE

    def __init__(self, times):
        self.z = np.column_stack([np.ones_like(times), times])
        units = np.zeros((3, 2, 2))
        units[0, 0, 0] = units[1, 1, 0] = units[2, 1, 1] = 1
        self.units = units

    def lacks(self, mask, n_columns):
        return "" if (mask.sum(axis=1) > 1).any() else "no child has two visits: no slope"

    def start(self, residuals):
        variance = max(np.nanvar(residuals), np.finfo(float).tiny)
        spread = np.std(self.z[:, 1])
        sd = np.sqrt(variance)
        return [np.array([0.7 * sd, 0.0, 0.3 * sd / spread, np.log(0.5 * sd)])]

    def _factor(self, theta):
        return np.tensordot(theta[:3], self.units, axes=1)

    def value(self, theta):
        half = self.z @ self._factor(theta)
        return half @ half.T + np.exp(2 * theta[3]) * np.eye(len(self.z))

    def first(self, theta):
        half = self.z @ (self.units @ self._factor(theta).T) @ self.z.T
        noise = 2 * np.exp(2 * theta[3]) * np.eye(len(self.z))
        return np.concatenate([half + half.transpose(0, 2, 1), noise[None]])

    def second(self, theta):
        out = np.zeros((4, 4, len(self.z), len(self.z)))
        half = self.z @ np.einsum("jsc,ktc->jkst", self.units, self.units) @ self.z.T
        out[:3, :3] = half + half.transpose(0, 1, 3, 2)
        out[3, 3] = 4 * np.exp(2 * theta[3]) * np.eye(len(self.z))
        return out

    def parameters(self, theta):
        g = self._factor(theta) @ self._factor(theta).T
        named = {
            "var intercept": g[0, 0],
            "var slope": g[1, 1],
            "cov": g[0, 1],
            "var residual": np.exp(2 * theta[3]),
        }
        return {name: float(value) for name, value in named.items()}

    def trouble(self, theta, scale):
        return ""

    def boundary(self, theta, scale):
        g = self._factor(theta) @ self._factor(theta).T
        units = np.array([1.0, np.abs(self.z[:, 1]).max()])
        smallest = np.linalg.eigvalsh(g * np.outer(units, units))[0]
        if smallest > 1e-6 * scale**2:
            return ""
        return "boundary: singular fit, the random intercept and slope are estimated as fully correlated or one as zero"


def mmrm(y, baseline, arm, days, covariates=None) -> MixedFit:
    """MMRM: intercept, baseline and arm at each visit, unstructured covariance over visits, REML.

    `y` (children, visits), `baseline` (children,) or None, `arm` (children,), `days` (visits,) increasing,
    `covariates` (children, k), one coefficient each. Columns are intercept[v], baseline[v], arm[v] with v =
    1, 2, ...; baseline is centred at its mean over the children analysed, so that intercept[v] is the
    control mean at the average baseline.

    Rule for the covariance, fixed beforehand: unstructured if every two visits were both attended by at
    least one child, there are at least as many children as visits after taking off the coefficients of one
    visit, the fit converged within 100 steps to a maximum, and the estimated correlation matrix has no
    eigenvalue below 1e-6; otherwise child effect + exponential correlation in days + nugget, less those of
    the three that are estimated as zero (of the models that remain, the one with the highest restricted
    likelihood). `structure` names what was used, `message` why.
    """
    y, arm = _response(y, arm)
    days = np.asarray(days, float)
    if days.shape != (y.shape[1],) or not (np.isfinite(days).all() and (np.diff(days) > 0).all()):
        raise ValueError(f"days must be {y.shape[1]} increasing numbers")
    x, names = visit_design(y, baseline, arm, covariates)
    fit = _fit(y, x, names, lambda visits: _Unstructured(int(visits.sum())))
    if fit.converged or not fit.structure:
        return fit
    why = f"unstructured covariance not used: {fit._inner['why']}"
    whole = _fit(y, x, names, lambda visits: _Exponential(days[visits]))
    if not whole.converged:
        tries = [
            _fit(y, x, names, lambda visits, t=t: _Exponential(days[visits], t)) for t in _Exponential.reduced
        ]
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


def visit_design(y, baseline, arm, covariates=None):
    """Design (children, visits, columns) of `mmrm` and its column names."""
    n, visits = np.shape(y)
    arm = np.asarray(arm, float)
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
        covariates = np.asarray(covariates, float).reshape(n, -1)
        blocks.append(np.broadcast_to(covariates[:, None, :], (n, visits, covariates.shape[1])))
        names += [f"covariate[{k + 1}]" for k in range(covariates.shape[1])]
    return np.concatenate(blocks, axis=2), names


def random_slope(y, times, arm) -> MixedFit:
    """Random intercept and slope by REML: columns intercept, time, arm, time x arm; the last is the slope
    difference.

    `y` (children, visits), `times` (visits,) in the unit of the slope (years for mL/min/1.73 m2 a year),
    `arm` (children,). Equal to R's lmer(y ~ time * arm + (time | child)) with lmerTest's degrees of freedom.
    """
    y, arm = _response(y, arm)
    times = np.asarray(times, float)
    if times.shape != (y.shape[1],) or not np.isfinite(times).all():
        raise ValueError(f"times must be {y.shape[1]} finite numbers")
    one, time = np.ones(y.shape), np.broadcast_to(times, y.shape)
    group = np.broadcast_to(arm[:, None], y.shape)
    x = np.stack([one, time, group, time * group], axis=2)
    return _fit(y, x, ["intercept", "time", "arm", "time x arm"], lambda visits: _RandomSlope(times[visits]))


def ancova(y, baseline, arm, level: float = 0.95) -> Contrast:
    """Active minus control at one visit, adjusted for baseline, by ordinary least squares (statsmodels).

    `y`, `baseline`, `arm`: (children,); children with a NaN are left out.
    """
    y, baseline = np.asarray(y, float), np.asarray(baseline, float)
    if y.ndim != 1 or baseline.shape != y.shape:
        raise ValueError(f"y and baseline must be of one length, got {y.shape} and {baseline.shape}")
    column, arm = _response(y[:, None], arm)
    if np.isinf(baseline).any():
        raise ValueError("baseline must not be infinite")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level!r}")
    known = ~np.isnan(column[:, 0]) & ~np.isnan(baseline)
    message = "" if known.all() else f"{int((~known).sum())} children without y or baseline left out"
    x = np.column_stack([np.ones(known.sum()), baseline[known], arm[known]])
    if len(x) < 4 or np.linalg.matrix_rank(x) < 3:
        return Contrast(message="too few children, or one arm or one baseline only: no adjusted difference")
    fit = sm.OLS(y[known], x).fit()
    if not fit.mse_resid > 0:
        return Contrast(float(fit.params[2]), message="no residual variance: no standard error")
    low, high = fit.conf_int(1 - level)[2]
    numbers = (fit.params[2], fit.bse[2], fit.df_resid, fit.tvalues[2], fit.pvalues[2], low, high)
    return Contrast(*map(float, numbers), message)


def time_weights(days) -> np.ndarray:
    """Weights (visits,) that make a sum over visits the time average from first to last (trapezoidal
    rule)."""
    days = np.asarray(days, float)
    if days.ndim != 1 or len(days) == 0 or not np.isfinite(days).all() or not (np.diff(days) > 0).all():
        raise ValueError("days must be increasing numbers")
    if len(days) == 1:
        return np.ones(1)
    gaps = np.diff(days)
    return (np.append(gaps, 0.0) + np.append(0.0, gaps)) / (2 * gaps.sum())


def _response(y, arm):
    y, arm = np.asarray(y, float), np.asarray(arm)
    if y.ndim != 2 or y.shape[1] == 0 or arm.shape != y.shape[:1]:
        raise ValueError(f"y must be (children, visits) and arm (children,), got {y.shape} and {arm.shape}")
    if np.isinf(y).any():
        raise ValueError("y must not be infinite")
    if arm.dtype.kind not in "biuf" or not np.isin(arm, (0, 1)).all():
        raise ValueError("arm must be 0 or 1")
    return y, arm.astype(float)


def _fit(y, x, names, build):
    """Fit by REML; `build(visits)` makes the covariance structure for the visits that have data."""
    usable = ~np.isnan(y) & ~np.isnan(x).any(axis=2)
    lost = int((~np.isnan(y)).any(axis=1).sum() - usable.any(axis=1).sum())
    notes = [f"{lost} children without baseline or covariates left out"] if lost else []
    rows, visits = usable.any(axis=1), usable.any(axis=0)
    if rows.any() and not visits.all():
        notes.append("no data at visit " + ", ".join(str(v + 1) for v in np.flatnonzero(~visits)))
    blank = MixedFit(names, "", coefficients=np.full(len(names), np.nan), n_children=int(rows.sum()))
    blank.covariance, blank.n_values = np.full((y.shape[1],) * 2, np.nan), int(usable.sum())

    def failed(why, height=-np.inf):
        blank.message, blank._inner = "; ".join([*notes, why]), {"why": why, "height": height}
        return blank

    if not rows.any():
        return failed("no measurement: nothing to fit")
    mask = usable[rows][:, visits]
    seen_x = np.where(mask[..., None], x[rows][:, visits], 0.0)
    seen_y = np.where(mask, y[rows][:, visits], 0.0)
    kept, alias = _independent(seen_x[mask])
    if mask.sum() - kept.sum() < 2:
        return failed(f"{int(mask.sum())} measurements for {int(kept.sum())} coefficients: too few to fit")
    data = _Data(seen_y, seen_x[..., kept], mask)
    residuals = seen_y - seen_x[..., kept] @ np.linalg.lstsq(data.x[mask], seen_y[mask], rcond=None)[0]
    scale = float(np.sqrt((residuals[mask] ** 2).sum() / (mask.sum() - kept.sum())))
    if scale <= 1e-9 * max(1e-300, float(np.abs(seen_y).max())):
        return failed("no variation left to model")
    model = build(visits)
    blank.structure = model.name
    if model.lacks(mask, int(kept.sum())):
        return failed(model.lacks(mask, int(kept.sum())))
    tries = [_maximise(model, data, start) for start in model.start(np.where(mask, residuals, np.nan))]
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
    fit.covariance[np.ix_(visits, visits)] = model.value(theta)
    fit.parameters = model.parameters(theta)
    _, expected, observed, state = data.slopes(model, theta)
    fit._inner = {**state, "kept": kept, "alias": alias, "model": model, "theta": theta, "inverse": {}}
    fit._inner.update(expected=expected, observed=observed)
    return fit


def _listed(names):
    rest = len(names) - 6
    return ", ".join(names[:6]) + (f" and {rest} more" if rest > 0 else "")


def _independent(x):
    """Which columns to keep, first come first kept, and the aliased ones as combinations of those."""
    kept, basis = [], []
    for column in x.T:
        rest = column.copy()
        for _ in range(2):
            for b in basis:
                rest -= b * (b @ rest)
        size = np.linalg.norm(rest)
        kept.append(size > 1e-8 * max(np.linalg.norm(column), 1e-300))
        if kept[-1]:
            basis.append(rest / size)
    kept = np.array(kept)
    return kept, np.linalg.lstsq(x[:, kept], x[:, ~kept], rcond=None)[0]


class _Data:
    """The restricted likelihood and its derivatives in S; rows that a child lacks are zeros throughout."""

    def __init__(self, y, x, mask):
        self.y, self.x = y, x
        self.patterns, self.which = np.unique(mask, axis=0, return_inverse=True)
        self.times = np.bincount(self.which)
        self.n_values, self.n_columns, n = int(mask.sum()), x.shape[2], mask.shape[1]
        self.upper = np.triu_indices(n)
        # vec(S) = spread @ (upper triangle of S)
        self.duplicate = np.zeros((n, n, len(self.upper[0])))
        for k, (s, t) in enumerate(zip(*self.upper, strict=True)):
            self.duplicate[s, t, k] = self.duplicate[t, s, k] = 1
        self.duplicate = self.duplicate.reshape(n * n, -1)

    def solve(self, s):
        """Generalised least squares at S; raises LinAlgError where S is not positive definite."""
        seen = self.patterns[:, :, None] & self.patterns[:, None, :]
        factor = np.linalg.cholesky(np.where(seen, s, np.eye(len(s))))
        inverse = np.where(seen, np.linalg.inv(factor), 0.0)
        inverse = (inverse.transpose(0, 2, 1) @ inverse)[self.which]
        weighted = inverse @ self.x
        flat = weighted.reshape(-1, self.n_columns)
        cross = np.linalg.cholesky(self.x.reshape(-1, self.n_columns).T @ flat)
        half = np.linalg.inv(cross).T
        vcov = half @ half.T
        beta = vcov @ (flat.T @ self.y.ravel())
        residual = self.y - self.x @ beta
        pull = (inverse @ residual[..., None])[..., 0]
        log_s = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1) @ self.times
        log_x = 2 * np.log(np.diag(cross)).sum()
        free = self.n_values - self.n_columns
        likelihood = -0.5 * (free * np.log(2 * np.pi) + log_s + log_x + (residual * pull).sum())
        state = {"beta": beta, "vcov": vcov, "half": half, "inverse_s": inverse, "weighted": weighted}
        return {**state, "pull": pull, "likelihood": float(likelihood)}

    def slopes(self, model, theta):
        """Score, expected and observed information about theta, and the state that contrasts need."""
        state = self.solve(model.value(theta))
        a, pull = state["inverse_s"], state["pull"]
        size = a.shape[1]
        z = state["weighted"] @ state["half"]
        b = z @ z.transpose(0, 2, 1)
        outer = pull[:, :, None] * pull[:, None, :]
        gradient = (a - b - outer).sum(axis=0)
        flat = a.reshape(len(a), -1)

        def paired(other):
            # sum over children of a[s, t] other[u, v], as a form in vec(dS)[t, u] and vec(dS)[v, s]
            form = (flat.T @ other.reshape(len(a), -1)).reshape((size,) * 4).transpose(1, 2, 3, 0)
            form = self.duplicate.T @ form.reshape(size * size, -1) @ self.duplicate
            return (form + form.T) / 2

        columns = z.reshape(len(z), -1)
        spread = (columns.T @ columns).reshape(size, self.n_columns, size, self.n_columns)
        spread = self.duplicate.T @ spread.transpose(0, 2, 1, 3).reshape(size * size, -1)
        lean = (
            (columns.T @ pull).reshape(size, self.n_columns, size).transpose(0, 2, 1).reshape(size * size, -1)
        )
        lean = self.duplicate.T @ lean
        trace = paired(a - 2 * b) + spread @ spread.T
        quadratic = paired(outer) - lean @ lean.T

        first = model.first(theta)
        jacobian = first[:, self.upper[0], self.upper[1]].T
        score = -0.5 * np.tensordot(first, gradient, axes=2)
        expected = 0.5 * jacobian.T @ trace @ jacobian
        observed = jacobian.T @ (quadratic - 0.5 * trace) @ jacobian
        if not model.saturated:
            observed = observed + 0.5 * np.tensordot(model.second(theta), gradient, axes=2)
        state |= {"jacobian": jacobian, "spread": spread, "gradient": gradient}
        return score, expected, observed, state


def _maximise(model, data, theta):
    """Fisher scoring far from the maximum, Newton on the observed information near it; steps halved until
    they climb.

    Where the observed information is not yet positive definite, its mean with the expected one serves
    instead (the average information of Gilmour, Thompson & Cullis (1995), Biometrics 51:1440-1450).
    Returns theta, restricted log-likelihood, steps taken, and words if it did not converge.
    """

    def height(at):
        try:
            value = data.solve(model.value(at))["likelihood"]
        except np.linalg.LinAlgError:
            return -np.inf
        return value if np.isfinite(value) else -np.inf

    with np.errstate(all="ignore"):
        best = height(theta)
        if best == -np.inf:
            return theta, best, 0, "the covariance matrix is singular at the start"
        newton = False
        for iteration in range(1, 101):
            score, expected, observed, _ = data.slopes(model, theta)
            step, gain = _ascent(observed, score) if newton else (None, 0.0)
            if step is None and newton:
                step, gain = _ascent((observed + expected) / 2, score, ridge=1e-10)
            if step is None:
                step, gain = _ascent(expected, score, ridge=1e-10)
            if step is None:
                return theta, best, iteration, "these data do not determine the variances"
            newton = gain < 10.0
            tried = height(theta + step)
            if gain < 1e-12:
                # Quadratic convergence: after this step what is left is rounding.
                if np.linalg.eigvalsh(_scaled(observed)[0])[0] < -1e-6:
                    return theta, best, iteration, "the fit stopped where the likelihood has no maximum"
                return (
                    (theta + step, tried, iteration, "")
                    if tried > best - 1e-9
                    else (theta, best, iteration, "")
                )
            while tried - best > 0.55 * gain and (longer := height(theta + 2 * step)) > tried:
                step, tried, gain = 2 * step, longer, 2 * gain
            for _ in range(40):
                if tried >= best - 1e-11 * abs(best):
                    break
                step = step / 2
                tried = height(theta + step)
            else:
                return theta, best, iteration, "" if gain < 1e-8 else "no step improves the likelihood"
            theta, best = theta + step, tried
    return theta, best, 100, "no convergence in 100 steps"


def _scaled(information):
    size = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    return information / np.outer(size, size), size


def _ascent(information, score, ridge=0.0):
    """Step and its promised gain, in parameters scaled to unit information; None where there is no way up."""
    scaled, size = _scaled(information)
    try:
        factor = np.linalg.cholesky(scaled + ridge * np.eye(len(size)))
    except np.linalg.LinAlgError:
        return None, 0.0
    half = np.linalg.solve(factor, score / size)
    return np.linalg.solve(factor.T, half) / size, float(half @ half)


def _safe_inverse(information):
    """Inverse over the directions that the data inform; parameters on a boundary carry no information."""
    scaled, size = _scaled(information)
    values, vectors = np.linalg.eigh(scaled)
    good = values > 1e-9
    return (vectors[:, good] / values[good]) @ vectors[:, good].T / np.outer(size, size)
