"""Restricted likelihood of a linear model with correlated residuals: covariance structures, data, maximiser.

A structure gives the covariance S(theta) over the visits, its derivatives, starting values, and words for
what the data lack (`lacks`, before the fit), for a fit that is not to be used (`trouble`) and for one on a
boundary (`boundary`). `Data` holds the children by their pattern of missing visits; `maximise` climbs.
`helpers.estimators.mixed` builds the models.

Sources: Harville (1977), JASA 72:320-338 (REML); Jennrich & Schluchter (1986), Biometrics 42:805-820
(patterns, scoring).
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

UNSTRUCTURED = "unstructured"
RANDOM_SLOPE = "random intercept and slope"


class Structure(ABC):
    """A covariance over the visits, S(theta).

    Attributes
    ----------
    name : str
        As a fit names it.
    saturated : bool
        Whether S is any positive definite matrix, so that second derivatives drop out of the information.

    References
    ----------
    Jennrich & Schluchter (1986), Biometrics 42:805-820.

    Examples
    --------
    >>> structure: Structure = Unstructured(2)
    >>> structure.value(np.array([0.0, 0.0, 0.5])).tolist()
    [[1.0, 0.5], [0.5, 1.25]]
    """

    name: str
    saturated: bool = False

    def lacks(self, mask: NDArray, n_columns: int) -> str:
        """What the data lack for a fit, in words; mask (children, visits) is what was measured."""
        return ""

    @abstractmethod
    def start(self, residuals: NDArray) -> list[NDArray]:
        """Starting values from residuals (children, visits), NaN where not measured."""

    @abstractmethod
    def value(self, theta: NDArray) -> NDArray:
        """S, (visits, visits)."""

    @abstractmethod
    def first(self, theta: NDArray) -> NDArray:
        """First derivatives of S, (parameters, visits, visits)."""

    def second(self, theta: NDArray) -> NDArray:
        """Second derivatives of S, (parameters, parameters, visits, visits); a saturated one needs none."""
        raise NotImplementedError(f"{self.name} has no second derivatives")

    def parameters(self, theta: NDArray) -> dict[str, float]:
        """Variance parameters by name, in the unit of the residuals or its square."""
        return {}

    def trouble(self, theta: NDArray, scale: float) -> str:
        """Why a fit is not to be used, in words; scale is the residual SD."""
        return ""

    def boundary(self, theta: NDArray, scale: float) -> str:
        """How a fit lies on a boundary, in words."""
        return ""


class Unstructured(Structure):
    """S = L L', L = diag(exp(a)) (unit lower triangle): any positive definite S.

    Parameters
    ----------
    n_visits : int
        Visits with data.

    Notes
    -----
    theta holds a, then the lower triangle by rows, as R's mmrm parameterises it.

    Examples
    --------
    >>> Unstructured(3).start(np.eye(3))[0].shape
    (6,)
    """

    saturated, name = True, UNSTRUCTURED

    def __init__(self, n_visits: int) -> None:
        self.n = n_visits
        self.rows, self.columns = np.tril_indices(n_visits, -1)

    def lacks(self, mask: NDArray, n_columns: int) -> str:
        if not (mask[:, :, None] & mask[:, None, :]).any(axis=0).all():
            return "two visits were never attended by the same child"
        if len(mask) - n_columns / self.n < self.n:
            return f"{len(mask)} children are too few for {self.n} visits"
        return ""

    def start(self, residuals: NDArray) -> list[NDArray]:
        seen = ~np.isnan(residuals)
        filled = np.where(seen, residuals, 0.0)
        pairs = np.maximum((seen[:, :, None] & seen[:, None, :]).sum(axis=0), 1)
        s = filled.T @ filled / pairs
        values, vectors = np.linalg.eigh(s)
        floor = max(1e-2 * np.trace(s) / self.n, np.finfo(float).tiny)
        factor = np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T)
        scale = np.diag(factor)
        return [np.concatenate([np.log(scale), (factor / scale[:, None])[self.rows, self.columns]])]

    def _factor(self, theta: NDArray) -> NDArray:
        unit = np.eye(self.n)
        unit[self.rows, self.columns] = theta[self.n :]
        return np.exp(theta[: self.n])[:, None] * unit

    def value(self, theta: NDArray) -> NDArray:
        factor = self._factor(theta)
        return factor @ factor.T

    def _factor_first(self, theta: NDArray) -> NDArray:
        factor = self._factor(theta)
        d = np.zeros((len(theta), self.n, self.n))
        d[np.arange(self.n), np.arange(self.n)] = factor
        d[np.arange(self.n, len(theta)), self.rows, self.columns] = np.exp(theta[self.rows])
        return d

    def first(self, theta: NDArray) -> NDArray:
        half = self._factor_first(theta) @ self._factor(theta).T
        return half + half.transpose(0, 2, 1)

    def second_sum(self, theta: NDArray, weights: NDArray) -> NDArray:
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

    def trouble(self, theta: NDArray, scale: float) -> str:
        s = self.value(theta)
        sd = np.sqrt(np.diag(s))
        smallest = np.linalg.eigvalsh(s / np.outer(sd, sd))[0]
        return "the estimated correlation matrix is singular" if smallest < 1e-6 else ""


class Exponential(Structure):
    """S = b^2 + e^2 exp(-|d_s - d_t| / r) + u^2 1(s = t), or some of its terms.

    Parameters
    ----------
    days : numpy.ndarray, shape (visits,)
        Of the visits with data.
    terms : str
        Letters of b (child effect), e (exponential correlation), u (nugget); "E" stands for e with r fixed at 20
        times the longest gap, which is nearly linear in time.

    Notes
    -----
    theta holds the SDs (free of sign) of the terms, then log r if "e" is one of them.

    Examples
    --------
    >>> Exponential(np.array([0.0, 28.0]), "bu").value(np.array([2.0, 1.0])).tolist()
    [[5.0, 4.0], [4.0, 5.0]]
    """

    words: ClassVar = {
        "b": "child effect",
        "e": "exponential correlation in days",
        "E": "exponential correlation in days (range at its upper bound)",
        "u": "nugget",
    }
    whole = "beu"
    # Every way in which terms of the whole model can vanish and leave a proper covariance.
    reduced = ("be", "bu", "eu", "e", "u", "Eu", "bEu")

    def __init__(self, days: NDArray, terms: str = whole) -> None:
        self.gap = np.abs(days[:, None] - days[None, :])
        self.longest = max(self.gap.max(), 1.0)
        self.shortest = self.gap[self.gap > 0].min(initial=self.longest)
        self.terms = terms
        self.name = " + ".join(self.words[term] for term in terms)

    def start(self, residuals: NDArray) -> list[NDArray]:
        sds = [np.sqrt(max(np.nanvar(residuals), np.finfo(float).tiny) / len(self.terms))] * len(self.terms)
        if "e" not in self.terms:
            return [np.array(sds)]
        return [np.array([*sds, np.log(share * self.longest)]) for share in (0.05, 0.2, 0.6)]

    def _range(self, theta: NDArray) -> float:
        return float(np.exp(np.clip(theta[-1], -50, 50))) if "e" in self.terms else 20 * self.longest

    def _parts(self, theta: NDArray) -> list[NDArray]:
        fade = np.exp(-self.gap / self._range(theta))
        shapes = {"b": np.ones_like(fade), "e": fade, "E": fade, "u": np.eye(len(fade))}
        return [shapes[term] for term in self.terms]

    def value(self, theta: NDArray) -> NDArray:
        parts = [sd**2 * part for sd, part in zip(theta, self._parts(theta), strict=False)]
        return np.sum(parts, axis=0)

    def first(self, theta: NDArray) -> NDArray:
        out = [2 * sd * part for sd, part in zip(theta, self._parts(theta), strict=False)]
        if "e" in self.terms:
            x, k = self.gap / self._range(theta), self.terms.index("e")
            out.append(theta[k] ** 2 * np.exp(-x) * x)
        return np.stack(out)

    def second(self, theta: NDArray) -> NDArray:
        out = np.zeros((len(theta), len(theta), *self.gap.shape))
        for k, part in enumerate(self._parts(theta)):
            out[k, k] = 2 * part
        if "e" in self.terms:
            x, k = self.gap / self._range(theta), self.terms.index("e")
            out[k, -1] = out[-1, k] = 2 * theta[k] * np.exp(-x) * x
            out[-1, -1] = theta[k] ** 2 * np.exp(-x) * (x**2 - x)
        return out

    def parameters(self, theta: NDArray) -> dict[str, float]:
        names = {"b": "SD child", "e": "SD exponential", "E": "SD exponential", "u": "SD nugget"}
        sds = {names[term]: float(abs(sd)) for term, sd in zip(self.terms, theta, strict=False)}
        return {**sds, "range (days)": float(self._range(theta))} if "e" in self.terms.lower() else sds

    def trouble(self, theta: NDArray, scale: float) -> str:
        zero = [
            self.words[term] for term, sd in zip(self.terms, theta, strict=False) if abs(sd) < 1e-3 * scale
        ]
        if zero:
            return f"{' and '.join(zero)} estimated as zero"
        if "e" in self.terms and not self.shortest / 20 < self._range(theta) < 20 * self.longest:
            return "the range of the exponential correlation is not identified"
        return ""


class RandomSlope(Structure):
    """S = Z G Z' + s^2 I with Z = (1, time), G = F F'.

    Parameters
    ----------
    times : numpy.ndarray, shape (visits,)
        Of the visits with data.

    Notes
    -----
    theta = (f11, f21, f22, log s).

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963-974.

    Examples
    --------
    >>> RandomSlope(np.array([0.0, 1.0])).value(np.array([1.0, 0.0, 2.0, 0.0])).tolist()
    [[2.0, 1.0], [1.0, 6.0]]
    """

    name = RANDOM_SLOPE

    def __init__(self, times: NDArray) -> None:
        self.z = np.column_stack([np.ones_like(times), times])
        units = np.zeros((3, 2, 2))
        units[0, 0, 0] = units[1, 1, 0] = units[2, 1, 1] = 1
        self.units = units

    def lacks(self, mask: NDArray, n_columns: int) -> str:
        return "" if (mask.sum(axis=1) > 1).any() else "no child has two visits: no slope"

    def start(self, residuals: NDArray) -> list[NDArray]:
        variance = max(np.nanvar(residuals), np.finfo(float).tiny)
        spread = np.std(self.z[:, 1])
        sd = np.sqrt(variance)
        return [np.array([0.7 * sd, 0.0, 0.3 * sd / spread, np.log(0.5 * sd)])]

    def _factor(self, theta: NDArray) -> NDArray:
        return np.tensordot(theta[:3], self.units, axes=1)

    def value(self, theta: NDArray) -> NDArray:
        half = self.z @ self._factor(theta)
        return half @ half.T + np.exp(2 * theta[3]) * np.eye(len(self.z))

    def first(self, theta: NDArray) -> NDArray:
        half = self.z @ (self.units @ self._factor(theta).T) @ self.z.T
        noise = 2 * np.exp(2 * theta[3]) * np.eye(len(self.z))
        return np.concatenate([half + half.transpose(0, 2, 1), noise[None]])

    def second(self, theta: NDArray) -> NDArray:
        out = np.zeros((4, 4, len(self.z), len(self.z)))
        half = self.z @ np.einsum("jsc,ktc->jkst", self.units, self.units) @ self.z.T
        out[:3, :3] = half + half.transpose(0, 1, 3, 2)
        out[3, 3] = 4 * np.exp(2 * theta[3]) * np.eye(len(self.z))
        return out

    def parameters(self, theta: NDArray) -> dict[str, float]:
        g = self._factor(theta) @ self._factor(theta).T
        named = {
            "var intercept": g[0, 0],
            "var slope": g[1, 1],
            "cov": g[0, 1],
            "var residual": np.exp(2 * theta[3]),
        }
        return {name: float(value) for name, value in named.items()}

    def boundary(self, theta: NDArray, scale: float) -> str:
        g = self._factor(theta) @ self._factor(theta).T
        units = np.array([1.0, np.abs(self.z[:, 1]).max()])
        smallest = np.linalg.eigvalsh(g * np.outer(units, units))[0]
        if smallest > 1e-6 * scale**2:
            return ""
        return "boundary: singular fit, the random intercept and slope are estimated as fully correlated or one as zero"


def independent(x: NDArray) -> tuple[NDArray, NDArray]:
    """Which columns to keep, first come first kept, and the aliased ones as combinations of those.

    Parameters
    ----------
    x : numpy.ndarray, shape (rows, columns)
        A design.

    Returns
    -------
    kept : numpy.ndarray of bool, shape (columns,)
        Linearly independent ones.
    alias : numpy.ndarray, shape (kept, aliased)
        x[:, ~kept] = x[:, kept] @ alias.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the least squares of the aliased columns fail.

    Notes
    -----
    Gram and Schmidt's orthogonalisation, done twice against rounding.

    Examples
    --------
    >>> kept, alias = independent(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0]]))
    >>> kept.tolist(), np.abs(alias).round(6).tolist()
    ([True, False, True], [[2.0], [0.0]])
    """
    chosen: list[bool] = []
    basis: list[NDArray] = []
    for column in x.T:
        rest = column.copy()
        for _ in range(2):
            for b in basis:
                rest -= b * (b @ rest)
        size = float(np.linalg.norm(rest))
        chosen.append(size > 1e-8 * max(float(np.linalg.norm(column)), 1e-300))
        if chosen[-1]:
            basis.append(rest / size)
    kept = np.array(chosen)
    return kept, np.linalg.lstsq(x[:, kept], x[:, ~kept], rcond=None)[0]


class Data:
    """The restricted likelihood and its derivatives in S, for children by their pattern of missing visits.

    Parameters
    ----------
    y : numpy.ndarray, shape (children, visits)
        Zero where not measured.
    x : numpy.ndarray, shape (children, visits, columns)
        Independent columns; zero where not measured.
    mask : numpy.ndarray of bool, shape (children, visits)
        What was measured.

    References
    ----------
    Harville (1977), JASA 72:320-338; Jennrich & Schluchter (1986), Biometrics 42:805-820.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]])
    >>> data = Data(y, np.ones((3, 2, 1)), np.ones((3, 2), bool))
    >>> data.solve(np.eye(2))["beta"].round(6).tolist()
    [2.5]
    """

    def __init__(self, y: NDArray, x: NDArray, mask: NDArray) -> None:
        self.y, self.x = y, x
        self.patterns, self.which = np.unique(mask, axis=0, return_inverse=True)
        self.times = np.bincount(self.which)
        self.n_values, self.n_columns, n = int(mask.sum()), x.shape[2], mask.shape[1]
        self.upper = np.triu_indices(n)
        # vec(S) = duplicate @ (upper triangle of S)
        spread = np.zeros((n, n, len(self.upper[0])))
        for k, (s, t) in enumerate(zip(*self.upper, strict=True)):
            spread[s, t, k] = spread[t, s, k] = 1
        self.duplicate = spread.reshape(n * n, -1)

    def solve(self, s: NDArray) -> dict[str, Any]:
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

    def slopes(self, model: Structure, theta: NDArray) -> tuple[NDArray, NDArray, NDArray, dict[str, Any]]:
        """Score, expected and observed information about theta, and the state that contrasts need."""
        state = self.solve(model.value(theta))
        a, pull = state["inverse_s"], state["pull"]
        size = a.shape[1]
        z = state["weighted"] @ state["half"]
        b = z @ z.transpose(0, 2, 1)
        outer = pull[:, :, None] * pull[:, None, :]
        gradient = (a - b - outer).sum(axis=0)
        flat = a.reshape(len(a), -1)

        def paired(other: NDArray) -> NDArray:
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


def maximise(model: Structure, data: Data, theta: NDArray) -> tuple[NDArray, float, int, str]:
    """The maximum of the restricted likelihood from a start.

    Parameters
    ----------
    model : Structure
        The covariance.
    data : Data
        The children.
    theta : numpy.ndarray
        Where to start.

    Returns
    -------
    theta : numpy.ndarray
        At the maximum.
    likelihood : float
        Restricted log-likelihood there.
    steps : int
        Taken, at most 100.
    why : str
        Words if it did not converge.

    Raises
    ------
    ValueError
        A theta of another length than the model's.

    Notes
    -----
    Fisher scoring far from the maximum, Newton on the observed information near it; steps halved until they
    climb. Where the observed information is not yet positive definite, its mean with the expected one serves
    instead.

    References
    ----------
    Gilmour, Thompson & Cullis (1995), Biometrics 51:1440-1450 (average information).

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0], [2.0, 3.5]])
    >>> data = Data(y, np.broadcast_to(np.eye(2), (4, 2, 2)), np.ones((4, 2), bool))
    >>> model = Unstructured(2)
    >>> theta, _, _, why = maximise(model, data, np.zeros(3))
    >>> why, model.value(theta).round(3).tolist() == np.cov(y.T).round(3).tolist()
    ('', True)
    """

    def height(at: NDArray) -> float:
        try:
            value = data.solve(model.value(at))["likelihood"]
        except np.linalg.LinAlgError:
            return -np.inf
        return value if np.isfinite(value) else -np.inf

    with np.errstate(all="ignore"):
        best = height(theta)
        if best == -np.inf:
            return theta, best, 0, "the covariance matrix is singular at the start"
        newton, stalled = False, 0
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
            halved = 0
            while not tried >= best - 1e-11 * abs(best):
                if halved == 40:
                    return theta, best, iteration, "" if gain < 1e-8 else "no step improves the likelihood"
                step, halved = step / 2, halved + 1
                tried = height(theta + step)
            # Where a term vanishes the score does too: halved steps then creep without climbing.
            stalled = stalled + 1 if halved > 12 or tried - best < 1e-8 else 0
            theta, best = theta + step, tried
            if stalled == 5:
                return theta, best, iteration, "no step improves the likelihood"
    return theta, best, 100, "no convergence in 100 steps"


def _scaled(information: NDArray) -> tuple[NDArray, NDArray]:
    size = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    return information / np.outer(size, size), size


def _ascent(information: NDArray, score: NDArray, ridge: float = 0.0) -> tuple[NDArray | None, float]:
    """Step and its promised gain, in parameters scaled to unit information; None where there is no way up."""
    scaled, size = _scaled(information)
    try:
        factor = np.linalg.cholesky(scaled + ridge * np.eye(len(size)))
    except np.linalg.LinAlgError:
        return None, 0.0
    half = np.linalg.solve(factor, score / size)
    return np.linalg.solve(factor.T, half) / size, float(half @ half)


def safe_inverse(information: NDArray) -> NDArray:
    """Inverse over the directions that the data inform.

    Parameters
    ----------
    information : numpy.ndarray, shape (parameters, parameters)
        Symmetric.

    Returns
    -------
    numpy.ndarray, shape (parameters, parameters)
        0 in the other directions: parameters on a boundary carry no information.

    Raises
    ------
    numpy.linalg.LinAlgError
        Where the eigenvalues are not found.

    Notes
    -----
    In parameters scaled to unit information, eigenvalues up to 1e-9 count as none.

    Examples
    --------
    >>> np.abs(safe_inverse(np.diag([4.0, 0.0]))).round(6).tolist()
    [[0.25, 0.0], [0.0, 0.0]]
    """
    scaled, size = _scaled(information)
    values, vectors = np.linalg.eigh(scaled)
    good = values > 1e-9
    return (vectors[:, good] / values[good]) @ vectors[:, good].T / np.outer(size, size)
