"""Random intercept and slope where each child has times of its own: the likelihood that `mixed.random_slope` asks.

With y_i = Z_i (A_i b + u_i) + e_i and Z_i = (1, time), all that a child says of intercept and slope stands in its
two least-squares coordinates; what is left of its values speaks of the residual variance alone. So a child costs
two numbers, whatever its times.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.estimators import reml


class OwnSlope(reml.RandomSlope):
    """Random intercept and slope; `value` is theta itself, since no two children share a covariance.

    Parameters
    ----------
    times : numpy.ndarray, shape (values,)
        Of all measurements.

    References
    ----------
    Laird & Ware (1982), Biometrics 38:963-974.

    Examples
    --------
    >>> OwnSlope(np.array([0.0, 1.0, 0.5])).parameters(np.zeros(4))["var residual"]
    1.0
    """

    def value(self, theta: NDArray) -> NDArray:
        return theta


class OwnData:
    """The restricted likelihood of children with times of their own; as `reml.Data` for `reml.maximise`.

    Parameters
    ----------
    y : numpy.ndarray, shape (children, places)
        Zero where not measured.
    x : numpy.ndarray, shape (children, places, columns)
        Independent columns, each child's a combination of 1 and its times; zero where not measured.
    mask : numpy.ndarray of bool, shape (children, places)
        What was measured.
    times : numpy.ndarray, shape (children, places)
        Of the measurements.

    References
    ----------
    Harville (1977), JASA 72:320-338 (REML); Laird & Ware (1982), Biometrics 38:963-974.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]])
    >>> data = OwnData(y, np.ones((3, 2, 1)), np.ones((3, 2), bool), np.array([[0, 1], [0, 2], [1, 3.0]]))
    >>> data.solve(np.array([0.0, 0.0, 0.0, 0.0]))["beta"].round(6).tolist()
    [2.5]
    """

    def __init__(self, y: NDArray, x: NDArray, mask: NDArray, times: NDArray) -> None:
        z = np.stack([np.ones_like(times), times], axis=2) * mask[..., None]
        z = np.where(mask[..., None], z, 0.0)
        left, size, _ = np.linalg.svd(z, full_matrices=False)
        if left.shape[2] < 2:
            left = np.concatenate([left, np.zeros_like(left)], axis=2)
            size = np.concatenate([size, np.zeros_like(size)], axis=1)
        self.seen = (size > 1e-10 * size.max(axis=1, initial=0.0, keepdims=True)).astype(float)
        basis = (left * self.seen[:, None, :]).transpose(0, 2, 1)
        self.y, self.x, self.z = (basis @ y[..., None])[..., 0], basis @ x, basis @ z
        rest = y - (basis.transpose(0, 2, 1) @ self.y[..., None])[..., 0]
        self.rest = float((rest**2).sum())
        self.free = int(mask.sum() - self.seen.sum())
        self.n_values, self.n_columns = int(mask.sum()), x.shape[2]

    def _s(self, theta: NDArray) -> NDArray:
        factor = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        half = self.z @ factor
        noise = np.where(self.seen > 0, np.exp(2 * theta[3]), 1.0)
        return half @ half.transpose(0, 2, 1) + noise[:, :, None] * np.eye(2)

    def solve(self, theta: NDArray) -> dict[str, Any]:
        """Generalised least squares at theta; raises LinAlgError where a covariance is not positive definite."""
        s = self._s(theta)
        factor = np.linalg.cholesky(s)
        inverse = np.linalg.inv(s) * self.seen[:, :, None] * self.seen[:, None, :]
        weighted = inverse @ self.x
        cross = np.linalg.cholesky(np.einsum("ikp,ikq->pq", self.x, weighted))
        half = np.linalg.inv(cross).T
        vcov = half @ half.T
        beta = vcov @ np.einsum("ikp,ik->p", weighted, self.y)
        residual = self.y - self.x @ beta
        pull = (inverse @ residual[..., None])[..., 0]
        likelihood = -0.5 * (
            (self.n_values - self.n_columns) * np.log(2 * np.pi)
            + 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum()
            + 2 * self.free * theta[3]
            + self.rest * np.exp(-2 * theta[3])
            + 2 * np.log(np.diag(cross)).sum()
            + (residual * pull).sum()
        )
        state = {"beta": beta, "vcov": vcov, "half": half, "inverse_s": inverse, "weighted": weighted}
        return {**state, "pull": pull, "likelihood": float(likelihood)}

    def slopes(self, model: OwnSlope, theta: NDArray) -> tuple[NDArray, NDArray, NDArray, dict[str, Any]]:
        """Score, expected and observed information about theta, and the state that contrasts need."""
        state = self.solve(theta)
        a, pull, v = state["inverse_s"], state["pull"], state["vcov"]
        inner, noise = reml.RandomSlope(np.array([0.0, 1.0])), np.exp(2 * theta[3])
        # derivatives of G, as those of the covariance at times 0 and 1 less its noise
        f = np.array([[theta[0], 0.0], [theta[1], theta[2]]])
        first_g = inner.units @ f.T
        first_g = first_g + first_g.transpose(0, 2, 1)
        second_g = np.einsum("jsc,ktc->jkst", inner.units, inner.units)
        second_g = second_g + second_g.transpose(0, 1, 3, 2)
        eye = self.seen[:, :, None] * np.eye(2)
        first = np.concatenate(
            [np.einsum("isa,jab,itb->jist", self.z, first_g, self.z), 2 * noise * eye[None]]
        )
        second = np.zeros((4, 4, *eye.shape))
        second[:3, :3] = np.einsum("isa,jkab,itb->jkist", self.z, second_g, self.z)
        second[3, 3] = 4 * noise * eye

        ax = state["weighted"]
        moved = np.einsum("jist,itp->jisp", first, ax)  # dS A X
        m = np.einsum("isp,jisq->jpq", ax, moved)
        q = np.einsum("jisp,ist,kitq->jkpq", moved, a, moved)
        pulled = np.einsum("jist,it->jis", first, pull)  # dS P y
        lean = np.einsum("isp,jis->jp", ax, pulled)
        da = np.einsum("jist,itu->jisu", first, a)  # dS A
        gradient = a - np.einsum("isp,pq,itq->ist", ax, v, ax) - pull[:, :, None] * pull[:, None, :]
        score = -0.5 * np.einsum("jist,ist->j", first, gradient)
        trace = (
            np.einsum("jisu,kius->jk", da, da)
            - 2 * np.einsum("pq,jkpq->jk", v, q)
            + np.einsum("jpq,kqp->jk", v @ m, v @ m)
        )
        quadratic = np.einsum("jis,ist,kit->jk", pulled, a, pulled) - lean @ v @ lean.T
        expected = 0.5 * (trace + trace.T) / 2
        observed = (
            (quadratic + quadratic.T) / 2 - expected + 0.5 * np.einsum("jkist,ist->jk", second, gradient)
        )
        rest = self.rest / noise
        score[3] += rest - self.free
        expected[3, 3] += 2 * self.free
        observed[3, 3] += 2 * rest
        half = state["half"]
        within = half.T @ m @ half
        state |= {
            # as `MixedFit.contrast` wants them: the change of each coefficient's variance with theta
            "jacobian": np.eye(4),
            "spread": within.reshape(4, -1),
            "within": within,
            "square": half.T @ ((q + q.transpose(1, 0, 3, 2)) / 2) @ half,
        }
        return score, expected, observed, state
