"""Children of a binary endpoint whose answer is not known: non-response, observed cases, every assignment, MI.

Each arm is an `Arm`: how many children, how many of them known to respond, and of how many it isn't known. 0 is
the control arm and 1 the active one; differences are p1 - p0. Counts that can't be raise one ValueError; what
can't be estimated is NaN with words in `message`.

Source of the picture: Yan, Lee & Li (2009), J Biopharm Stat 19:1085-1098 (tipping-point analysis); of the
imputation: Rubin (1987), Multiple Imputation for Nonresponse in Surveys, section 4.2 (posterior draws).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from helpers.estimators import arguments, imputation, proportions
from helpers.estimators.imputation import Assumption

TESTS = {"boschloo": proportions.boschloo, "fisher": proportions.fisher, "barnard": proportions.barnard}


@dataclass(frozen=True)
class Arm:
    """Children of one arm by what is known of their response.

    Attributes
    ----------
    x : int
        Children known to respond.
    n : int
        All children of the arm.
    undetermined : int
        Children of whom it isn't known; x + undetermined <= n.

    Raises
    ------
    ValueError
        A count that is not whole, negative, or more children than n.

    Notes
    -----
    Non-responder imputation is x / n, observed cases are x / (n - undetermined).

    Examples
    --------
    >>> arm = Arm(x=5, n=20, undetermined=3)
    >>> arm.x / arm.n
    0.25
    """

    x: int
    n: int
    undetermined: int = 0

    def __post_init__(self) -> None:
        for name in ("x", "n", "undetermined"):
            value: Any = getattr(self, name)
            whole = np.ndim(value) == 0 and np.isfinite(value) and value == int(value)
            if not whole or value < 0:
                raise ValueError(f"{name} must be a whole number, not negative, got {value!r}")
        if self.x + self.undetermined > self.n:
            raise ValueError(f"x + undetermined is {self.x + self.undetermined}, more than n = {self.n}")

    @property
    def determined(self) -> int:
        """Children whose answer is known."""
        return self.n - self.undetermined


@dataclass(frozen=True)
class Tipping:
    """Every assignment of the undetermined children.

    Attributes
    ----------
    table : pandas.DataFrame
        A row an assignment, see `tipping_point`.
    p, difference, lower, upper : numpy.ndarray
        Shape (undetermined of control + 1, undetermined of active + 1), indexed by how many of them respond.
    alpha : float
        The level that p is compared with.
    n_significant : int
        How many p are at or below `alpha`.
    message : str
        What there is to say, in words.

    Examples
    --------
    >>> found = tipping_point(Arm(3, 20, 1), Arm(12, 20, 2))
    >>> found.p.shape, found.n_significant
    ((2, 3), 6)
    """

    table: pd.DataFrame
    p: NDArray
    difference: NDArray
    lower: NDArray
    upper: NDArray
    alpha: float = 0.05
    n_significant: int = 0
    message: str = ""


def arms(response: ArrayLike, arm: ArrayLike) -> tuple[Arm, Arm]:
    """The control and the active arm of children whose response is known or not.

    Parameters
    ----------
    response : array_like, shape (children,)
        1 responds, 0 does not, NaN undetermined.
    arm : array_like of int, shape (children,)
        0 control, 1 active.

    Returns
    -------
    tuple of Arm
        (control, active), as `tipping_point` and `impute_binary` take them.

    Raises
    ------
    ValueError
        Shapes that differ, or other values.

    Notes
    -----
    Counting only.

    Examples
    --------
    >>> arms([1, 0, float("nan"), 1], [0, 0, 1, 1])
    (Arm(x=1, n=2, undetermined=0), Arm(x=1, n=2, undetermined=1))
    """
    response, arm = np.asarray(response, float), arguments.arms(arm)
    if response.ndim != 1 or response.shape != arm.shape:
        raise ValueError(f"response and arm must be of one length, got {response.shape} and {arm.shape}")
    if not np.isin(response[~np.isnan(response)], (0, 1)).all():
        raise ValueError("response must be 1, 0 or NaN")
    control, active = (response[arm == a] for a in (0, 1))
    return _arm(control), _arm(active)


def _arm(response: NDArray) -> Arm:
    return Arm(int((response == 1).sum()), len(response), int(np.isnan(response).sum()))


def tipping_point(
    control: Arm, active: Arm, alpha: float = 0.05, level: float = 0.95, method: str = "boschloo"
) -> Tipping:
    """What every assignment of the undetermined children to response or not would give.

    Parameters
    ----------
    control, active : Arm
        The two arms.
    alpha : float
        Two-sided level that p is compared with.
    level : float
        Confidence level of the difference.
    method : {"boschloo", "fisher", "barnard"}
        The exact test, as in `proportions`.

    Returns
    -------
    Tipping
        `table` has responders0, responders1 (of the undetermined), x0, x1, n0, n1, difference, lower, upper
        (proportions) and p; rows in the order of responders0, then responders1, the first being non-responder
        imputation of everybody. An empty arm gives an empty table with words.

    Raises
    ------
    ValueError
        alpha, level or method that can't be.

    Notes
    -----
    The interval is the exact one that inverts Boschloo's test, for the other tests Miettinen and Nurminen's
    approximate one; the picture is that of Yan, Lee & Li (2009), J Biopharm Stat 19:1085-1098.

    Examples
    --------
    >>> found = tipping_point(Arm(3, 20, 2), Arm(10, 20, 3))
    >>> found.message
    'p is at or below 0.05 in 9 of 12 assignments'
    >>> found.table[["x0", "x1", "difference", "p"]].iloc[[0, -1]].round(3).to_numpy().tolist()
    [[3.0, 10.0, 0.35, 0.02], [5.0, 13.0, 0.4, 0.014]]
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    if method not in TESTS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(TESTS)}")
    arguments.check_level(level)
    columns = ["responders0", "responders1", "x0", "x1", "n0", "n1", "difference", "lower", "upper", "p"]
    if control.n == 0 or active.n == 0:
        nothing = np.empty((0, 0))
        return Tipping(
            pd.DataFrame({c: pd.Series(dtype=float) for c in columns}), nothing, nothing, nothing, nothing,
            alpha, message=f"no child in the {'control' if control.n == 0 else 'active'} arm: nothing to compare",
        )  # fmt: skip
    r0, r1 = np.meshgrid(
        np.arange(control.undetermined + 1), np.arange(active.undetermined + 1), indexing="ij"
    )
    x0, x1 = control.x + r0, active.x + r1
    p = TESTS[method](x0, control.n, x1, active.n)
    interval = proportions.boschloo_interval if method == "boschloo" else proportions.miettinen_nurminen
    lower, upper = interval(x0, control.n, x1, active.n, level)
    difference = x1 / active.n - x0 / control.n
    n0, n1 = np.full_like(r0, control.n), np.full_like(r0, active.n)
    fields = (r0, r1, x0, x1, n0, n1, difference, lower, upper, p)
    table = pd.DataFrame({name: values.ravel() for name, values in zip(columns, fields, strict=True)})
    below = int((p <= alpha).sum())
    if control.undetermined + active.undetermined == 0:
        message = "no undetermined children: one assignment"
    elif below in (0, p.size):
        message = f"p is {'above' if below == 0 else 'at or below'} {alpha:g} in all {p.size} assignments"
    else:
        message = f"p is at or below {alpha:g} in {below} of {p.size} assignments"
    return Tipping(table, p, difference, lower, upper, alpha, below, message)


def impute_binary(
    control: Arm,
    active: Arm,
    n_imputations: int,
    rng: np.random.Generator,
    assumption: Assumption = imputation.MAR,
    level: float = 0.95,
) -> imputation.Pooled:
    """Difference of proportions by multiple imputation of the undetermined children, pooled for small arms.

    Parameters
    ----------
    control, active : Arm
        The two arms.
    n_imputations : int
        How many completed data sets.
    rng : numpy.random.Generator
        Where the draws come from.
    assumption : Assumption
        "mar": an arm's own probability; "jump to reference": the control arm's for both. `delta` is added on the
        log-odds scale for the undetermined children of the active arm, or of (control, active).
    level : float
        Confidence level.

    Returns
    -------
    Pooled
        The difference p1 - p0 (proportions); NaN with words where an arm has no determined child.

    Raises
    ------
    ValueError
        n_imputations or level that can't be.

    Notes
    -----
    Each imputation draws each arm's probability from its posterior given the determined children (Jeffreys'
    prior, Beta(1/2, 1/2)), then the undetermined ones from it: Rubin (1987), Multiple Imputation for
    Nonresponse in Surveys, section 4.2. They are pooled by `imputation.rubin_proportions`, on a scale that keeps its
    coverage in small arms and has an interval without events. It uses nothing but the arm; where repeated
    measures stand behind the answer, `imputation.impute` and deriving the answer from it use more.

    Examples
    --------
    >>> found = impute_binary(Arm(3, 20, 2), Arm(10, 20, 3), 500, np.random.default_rng(1))
    >>> round(found.estimate, 1)
    0.4
    """
    arguments.check_level(level)
    imputation.check_number(n_imputations)
    for arm, name in ((control, "control"), (active, "active")):
        if arm.determined == 0:
            return imputation.Pooled(message=f"no determined child in the {name} arm: nothing to impute from")
    drawn = [rng.beta(arm.x + 0.5, arm.determined - arm.x + 0.5, n_imputations) for arm in (control, active)]
    source = (drawn[0], drawn[0] if assumption.method == "jump to reference" else drawn[1])
    full0, full1 = (
        (arm.x + rng.binomial(arm.undetermined, _moved(p, delta))) / arm.n
        for arm, p, delta in zip((control, active), source, assumption.shift, strict=True)
    )
    return imputation.rubin_proportions(full0, control.n, full1, active.n, level)


def _moved(p: NDArray, delta: float) -> NDArray:
    """Probabilities with `delta` added to their log odds."""
    return p / (p + (1 - p) * np.exp(-np.clip(delta, -700, 700)))
