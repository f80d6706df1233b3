"""Random intercept and slope for many trials at once: the likelihood of `slopes.OwnData` with trials in front.

All that a child says of intercept and slope stands in two coordinates of its values; the rest speaks of the residual
variance alone. `batched_mixed.random_slope` asks this module for the trials that it can fit.

Source: Laird & Ware (1982), Biometrics 38:963-974; Harville (1977), JASA 72:320-338 (REML).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 40
UNITS = np.zeros((3, 2, 2))
UNITS[0, 0, 0] = UNITS[1, 1, 0] = UNITS[2, 1, 1] = 1


@dataclass(frozen=True)
class Coordinates:
    """Children in two coordinates each.

    Attributes
    ----------
    y, z, x : numpy.ndarray, shape (trials, children, 2), (trials, children, 2, 2), (trials, children, 2, 4)
        Values, and the columns (1, time) and (intercept, time, arm, time x arm); zero where not seen.
    seen : numpy.ndarray, shape (trials, children, 2)
        Of 0 and 1.
    rest : numpy.ndarray, shape (trials,)
        Squares that are left of all values.
    free : numpy.ndarray, shape (trials,)
        How many values that is.

    Examples
    --------
    >>> found = coordinates(np.array([[[1.0, 2.0, 4.0]]]), np.array([0.0, 1.0, 2.0]), np.array([[0]]))
    >>> round(float(found.rest[0]), 4), int(found.free[0])
    (0.1667, 1)
    """

    y: NDArray
    z: NDArray
    x: NDArray
    seen: NDArray
    rest: NDArray
    free: NDArray

    def take(self, rows: NDArray) -> "Coordinates":
        """Those of some trials."""
        return Coordinates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def coordinates(y: NDArray, times: NDArray, arm: NDArray) -> Coordinates:
    """Coordinates of values (trials, children, visits) at common times, NaN = not measured.

    Parameters
    ----------
    y : numpy.ndarray, shape (trials, children, visits)
        NaN = not measured.
    times : numpy.ndarray, shape (visits,)
        In the unit of the slope.
    arm : numpy.ndarray of 0 and 1, shape (trials, children)
        0 control, 1 active.

    Returns
    -------
    Coordinates

    Raises
    ------
    ValueError
        Shapes that don't fit together.

    Notes
    -----
    The first coordinate is that of the mean, the second that of the time around its mean.

    Examples
    --------
    >>> coordinates(np.full((1, 2, 3), np.nan), np.arange(3.0), np.array([[0, 1]])).seen.sum()
    np.float64(0.0)
    """
    mask = ~np.isnan(y)
    value = np.where(mask, y, 0.0)
    n = mask.sum(axis=2)
    some = np.maximum(n, 1)
    away = np.where(mask, times - ((mask * times).sum(axis=2) / some)[..., None], 0.0)
    size = np.sqrt((away**2).sum(axis=2))
    two = size > 1e-10 * max(float(np.abs(times).max(initial=0.0)), 1e-300)
    basis = np.stack([mask / np.sqrt(some)[..., None], away / np.where(two, size, 1.0)[..., None]], axis=2)
    seen = np.stack([n > 0, two], axis=2).astype(float)
    basis = basis * seen[..., None]
    z = basis @ np.stack([np.ones_like(times), times], axis=1)
    own = (basis @ value[..., None])[..., 0]
    left = np.where(mask, value - (own[:, :, None, :] @ basis)[:, :, 0], 0.0)
    x = np.concatenate([z, z * arm[..., None, None]], axis=3)
    return Coordinates(own, z, x, seen, (left**2).sum(axis=(1, 2)), (n - seen.sum(axis=2)).sum(axis=1))


def _solve(data: Coordinates, theta: NDArray) -> dict[str, NDArray]:
    """Generalised least squares at theta (trials, 4) and the restricted likelihood but for a constant."""
    f = np.zeros((len(theta), 2, 2))
    f[:, 0, 0], f[:, 1, 0], f[:, 1, 1] = theta[:, 0], theta[:, 1], theta[:, 2]
    half = data.z @ f[:, None]
    noise = np.exp(2 * theta[:, 3])
    s = half @ half.transpose(0, 1, 3, 2)
    diagonal = np.where(data.seen > 0, noise[:, None, None], 1.0)
    a, b, d = s[..., 0, 0] + diagonal[..., 0], s[..., 0, 1], s[..., 1, 1] + diagonal[..., 1]
    determinant = a * d - b * b
    inverse = np.stack([d, -b, -b, a], axis=-1).reshape(s.shape) / determinant[..., None, None]
    inverse = inverse * data.seen[..., :, None] * data.seen[..., None, :]
    weighted = inverse @ data.x
    trials = len(theta)
    flat, wide = data.x.reshape(trials, -1, 4), weighted.reshape(trials, -1, 4)
    cross = flat.transpose(0, 2, 1) @ wide
    v = np.linalg.inv(cross)
    beta = (v @ (wide.transpose(0, 2, 1) @ data.y.reshape(trials, -1, 1)))[..., 0]
    residual = data.y - (data.x @ beta[:, None, :, None])[..., 0]
    pull = (inverse @ residual[..., None])[..., 0]
    likelihood = -0.5 * (
        np.log(determinant).sum(axis=1) + 2 * data.free * theta[:, 3] + data.rest / noise
        + np.linalg.slogdet(cross)[1] + (residual * pull).sum(axis=(1, 2))
    )  # fmt: skip
    return {"f": f, "noise": noise, "a": inverse, "ax": weighted, "v": v, "beta": beta, "pull": pull,
            "height": np.where(np.isfinite(likelihood), likelihood, -np.inf)}  # fmt: skip


def _slopes(
    data: Coordinates, theta: NDArray
) -> tuple[NDArray, NDArray, NDArray, NDArray, dict[str, NDArray]]:
    """Score, expected and observed information, the change of X'WX with theta (trials, 4, 4, 4), and the state."""
    state = _solve(data, theta)
    a, ax, v, pull, noise = (state[name] for name in ("a", "ax", "v", "pull", "noise"))
    first_g = UNITS @ state["f"].transpose(0, 2, 1)[:, None]
    first_g = first_g + first_g.transpose(0, 1, 3, 2)
    second_g = np.einsum("jsc,ktc->jkst", UNITS, UNITS)
    second_g = second_g + second_g.transpose(0, 1, 3, 2)
    eye = data.seen[..., :, None] * np.eye(2)
    zt = data.z.transpose(0, 1, 3, 2)
    first = [data.z @ first_g[:, j, None] @ zt for j in range(3)]
    first.append(2 * noise[:, None, None, None] * eye)
    gradient = a - ax @ v[:, None] @ ax.transpose(0, 1, 3, 2) - pull[..., :, None] * pull[..., None, :]
    trials = len(theta)
    wide = ax.reshape(trials, -1, 4)
    moved = [d @ ax for d in first]  # dS A X
    pulled = [(d @ pull[..., None])[..., 0] for d in first]  # dS P y
    da = [d @ a for d in first]  # dS A
    m = np.stack([wide.transpose(0, 2, 1) @ each.reshape(trials, -1, 4) for each in moved], axis=1)
    lean = np.stack(
        [(wide.transpose(0, 2, 1) @ each.reshape(trials, -1, 1))[..., 0] for each in pulled], axis=1
    )
    score = np.stack([-0.5 * (d * gradient).sum(axis=(1, 2, 3)) for d in first], axis=1)
    vm = v[:, None] @ m
    vlean = lean @ v
    trace, quadratic, bent = (np.empty((trials, 4, 4)) for _ in range(3))
    bent[:] = 0.0
    for j in range(4):
        amoved, apulled = (a @ moved[j]).reshape(trials, -1, 4), (a @ pulled[j][..., None])[..., 0]
        for k in range(4):
            q = amoved.transpose(0, 2, 1) @ moved[k].reshape(trials, -1, 4)
            trace[:, j, k] = (
                (da[j] * da[k].transpose(0, 1, 3, 2)).sum(axis=(1, 2, 3))
                - 2 * (v * q).sum(axis=(1, 2))
                + (vm[:, j] * vm[:, k].transpose(0, 2, 1)).sum(axis=(1, 2))
            )
            quadratic[:, j, k] = (apulled * pulled[k]).sum(axis=(1, 2)) - (vlean[:, j] * lean[:, k]).sum(
                axis=1
            )
            if j < 3 and k < 3:
                bent[:, j, k] = ((data.z @ second_g[j, k] @ zt) * gradient).sum(axis=(1, 2, 3))
    bent[:, 3, 3] = 4 * noise * (eye * gradient).sum(axis=(1, 2, 3))
    expected = 0.25 * (trace + trace.transpose(0, 2, 1))
    observed = (quadratic + quadratic.transpose(0, 2, 1)) / 2 - expected + 0.5 * bent
    rest = data.rest / noise
    score[:, 3] += rest - data.free
    expected[:, 3, 3] += 2 * data.free
    observed[:, 3, 3] += 2 * rest
    return score, expected, observed, m, state


def _scaled(information: NDArray) -> tuple[NDArray, NDArray]:
    size = np.sqrt(np.maximum(np.abs(np.einsum("tjj->tj", information)), 1e-300))
    return information / size[:, :, None] / size[:, None, :], size


def _steps(information: NDArray, score: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Steps, promised gains, and the least eigenvalue of the scaled information."""
    scaled, size = _scaled(information)
    values, vectors = np.linalg.eigh(np.where(np.isfinite(scaled), scaled, 0.0))
    along = (vectors.transpose(0, 2, 1) @ (score / size)[..., None])[..., 0]
    safe = np.where(values > 1e-10, values, np.inf)
    step = (vectors @ (along / safe)[..., None])[..., 0] / size
    return step, (along**2 / safe).sum(axis=1), values[:, 0]


def maximise(data: Coordinates, theta: NDArray) -> tuple[NDArray, NDArray]:
    """Maxima of the restricted likelihoods, and in which trials a clear one was reached.

    Parameters
    ----------
    data : Coordinates
        The children.
    theta : numpy.ndarray, shape (trials, 4)
        Starts: f11, f21, f22, log of the residual SD, as in `reml.RandomSlope`.

    Returns
    -------
    theta : numpy.ndarray, shape (trials, 4)
        At the maximum.
    clear : numpy.ndarray of bool, shape (trials,)
        False on a boundary, or where no step climbs.

    Raises
    ------
    ValueError
        A theta that does not fit the data.

    Notes
    -----
    Fisher scoring, then Newton on the observed information, as `reml.maximise`; steps halved until they climb.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = rng.normal(size=(1, 20, 1)) + rng.normal(size=(1, 20, 1)) * np.arange(3.0) + rng.normal(size=(1, 20, 3))
    >>> data = coordinates(y, np.arange(3.0), np.arange(20)[None] % 2)
    >>> maximise(data, np.array([[0.7, 0.0, 0.5, 0.0]]))[1].tolist()
    [True]
    """
    theta, clear = theta.copy(), np.zeros(len(theta), bool)
    open_, newton = np.arange(len(theta)), np.zeros(len(theta), bool)
    for _ in range(STEPS):
        if not open_.size:
            break
        here = data.take(open_)
        score, expected, observed, _, state = _slopes(here, theta[open_])
        step, gain, _ = _steps(expected, score)
        sharp, gain_sharp, least = _steps(observed, score)
        use = newton[open_] & (least > 1e-8)
        step, gain = np.where(use[:, None], sharp, step), np.where(use, gain_sharp, gain)
        newton[open_] = gain < 10.0
        finished = use & (gain < 1e-13)
        halved = np.ones(open_.size)
        for _ in range(30):
            tried = _solve(here, theta[open_] + halved[:, None] * step)["height"]
            low = ~(tried >= state["height"] - 1e-10 * np.abs(state["height"])) & ~finished
            if not low.any():
                break
            halved = np.where(low, halved / 2, halved)
        theta[open_] += halved[:, None] * step
        clear[open_[finished & (least > 1e-6)]] = True
        open_ = open_[~finished & np.isfinite(gain) & (halved > 1e-8)]
    return theta, clear


def difference(data: Coordinates, theta: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Difference of the arms' slopes at the maximum: estimate, standard error, Satterthwaite's degrees of freedom.

    Parameters
    ----------
    data : Coordinates
        The children.
    theta : numpy.ndarray, shape (trials, 4)
        From `maximise`.

    Returns
    -------
    estimate, se, df : numpy.ndarray, shape (trials,)
        Model's own standard error, observed information.

    Raises
    ------
    ValueError
        A theta that does not fit the data.

    References
    ----------
    Fai & Cornelius (1996), J Stat Comput Simul 54:363-378.

    Examples
    --------
    >>> data = coordinates(np.array([[[0.0, 1, 2.1], [0, 2, 3.9]] * 2]), np.arange(3.0), np.array([[0, 1, 0, 1]]))
    >>> round(float(difference(data, np.array([[0.1, 0.0, 0.1, -1.0]]))[0][0]), 2)
    0.9
    """
    _, _, observed, m, state = _slopes(data, theta)
    v = state["v"]
    row = v[:, 3]
    slope = np.einsum("ta,tjab,tb->tj", row, m, row)
    scaled, size = _scaled(observed)
    inverse = np.linalg.inv(scaled) / size[:, :, None] / size[:, None, :]
    variance = v[:, 3, 3]
    uncertainty = np.einsum("tj,tjk,tk->t", slope, inverse, slope)
    return state["beta"][:, 3], np.sqrt(variance), 2 * variance**2 / uncertainty
