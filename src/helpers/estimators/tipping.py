"""Children of a binary endpoint whose answer is not known: non-response, observed cases, every assignment, MI.

An `Arm` is what the functions take; 0 is the control arm and 1 the active one, and differences are p1 - p0.
Counts that can't be raise one ValueError; what can't be estimated is NaN with words in `message`.

Source of the picture: Yan, Lee & Li (2009), J Biopharm Stat 19:1085-1098 (tipping-point analysis); of the
imputation: Rubin (1987), Multiple Imputation for Nonresponse in Surveys, section 4.2 (posterior draws).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers.estimators import arguments, imputation, proportions


@dataclass(frozen=True)
class Arm:
    """One arm: `x` children known to respond, of `n`, and `undetermined` of whom it isn't known.

    Raises ValueError for what is no count, and where x + undetermined exceeds n.
    """

    x: int
    n: int
    undetermined: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not np.isscalar(value) or not np.isfinite(value) or value != int(value) or value < 0:
                raise ValueError(f"{name} must be a whole number, not negative, got {value!r}")
        if self.x + self.undetermined > self.n:
            raise ValueError(f"x + undetermined is {self.x + self.undetermined}, more than n, {self.n}")


@dataclass(frozen=True)
class Tipping:
    """Every assignment. `table`: a row each (see `tipping_point`); `p`, `difference`, `lower`, `upper`:
    arrays (undetermined0 + 1, undetermined1 + 1), indexed by the undetermined children who respond in each
    arm; `n_significant` of the `p` are at or below `alpha`."""

    table: pd.DataFrame
    p: np.ndarray
    difference: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    alpha: float = 0.05
    n_significant: int = 0
    message: str = ""


def arms(response: ArrayLike, arm: ArrayLike) -> tuple[Arm, Arm]:
    """The control and the active arm from `response` (children,): 1, 0 or NaN = undetermined.

    `arm` (children,) is 0 or 1. Non-responder imputation is x / n; observed cases are x / (n - undetermined).
    Raises ValueError for other values and for lengths that differ.
    """
    response, arm = np.asarray(response, float), arguments.binary("arm", arm)
    if response.ndim != 1 or response.shape != arm.shape:
        raise ValueError(f"response and arm must be of one length, got {response.shape} and {arm.shape}")
    if not np.isin(response[~np.isnan(response)], (0, 1)).all():
        raise ValueError("response must be 1, 0 or NaN")
    control, active = (
        Arm(int((of == 1).sum()), len(of), int(np.isnan(of).sum()))
        for of in (response[arm == 0], response[arm == 1])
    )
    return control, active


def tipping_point(
    control: Arm, active: Arm, alpha: float = 0.05, level: float = 0.95, method: str = "boschloo"
) -> Tipping:
    """What every assignment of the undetermined children to response or not would give.

    Test: `proportions.exact_tables` by `method` ("boschloo", "fisher", "barnard"); interval of the
    difference: Miettinen-Nurminen. Columns of `table`: responders0, responders1 (of the undetermined), x0,
    x1, n0, n1, difference, lower, upper, p; rows in the order of responders0, then responders1, the first
    being non-responder imputation of everybody. An empty arm gives an empty table with words.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    if method not in proportions.METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(proportions.METHODS)}")
    columns = ["responders0", "responders1", "x0", "x1", "n0", "n1", "difference", "lower", "upper", "p"]
    if control.n == 0 or active.n == 0:
        nothing = np.empty((0, 0))
        return Tipping(
            pd.DataFrame({c: pd.Series(dtype=float) for c in columns}), nothing, nothing, nothing, nothing, alpha,
            message=f"no child in the {'control' if control.n == 0 else 'active'} arm: nothing to compare",
        )  # fmt: skip
    r0, r1 = np.meshgrid(
        np.arange(control.undetermined + 1), np.arange(active.undetermined + 1), indexing="ij"
    )
    x0, x1 = control.x + r0, active.x + r1
    n0, n1 = np.full_like(r0, control.n), np.full_like(r1, active.n)
    test = {"boschloo": proportions.boschloo, "fisher": proportions.fisher, "barnard": proportions.barnard}
    p = test[method](x0, n0, x1, n1)
    lower, upper = proportions.miettinen_nurminen(x0, n0, x1, n1, level)
    difference = x1 / n1 - x0 / n0
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
    control: Arm, active: Arm, n_imputations: int, rng: np.random.Generator,
    method: str = "mar", delta: float = 0.0, level: float = 0.95,
) -> imputation.Pooled:  # fmt: skip
    """Difference of proportions by multiple imputation of the undetermined children, pooled by Rubin's rules.

    Each imputation draws each arm's probability from its posterior given the determined children (Jeffreys'
    prior, Beta(1/2, 1/2)), then the undetermined ones from it. `method`: "mar", an arm's own probability;
    "jump to reference", the control arm's for both. `delta` is added on the log-odds scale for the active
    arm's undetermined. The variance within is the unpooled one of a difference, and the degrees of freedom
    without missing data are taken as infinite. It uses nothing but the arm; where repeated measures stand
    behind the answer, `imputation.impute` and deriving the answer from it use more.
    """
    arguments.check_level(level)
    if method not in imputation.METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(imputation.METHODS)}")
    if int(n_imputations) != n_imputations or n_imputations < 1:
        raise ValueError(f"n_imputations must be a whole number above 0, got {n_imputations!r}")
    if not np.isfinite(delta):
        raise ValueError(f"delta must be finite, got {delta!r}")
    for one, name in ((control, "control"), (active, "active")):
        if one.n == one.undetermined:
            return imputation.Pooled(message=f"no determined child in the {name} arm: nothing to impute from")
    p0, p1 = (
        rng.beta(one.x + 0.5, one.n - one.undetermined - one.x + 0.5, n_imputations)
        for one in (control, active)
    )
    source = p0 if method == "jump to reference" else p1
    moved = source / (source + (1 - source) * np.exp(-np.clip(delta, -700, 700)))
    full0 = (control.x + rng.binomial(control.undetermined, p0)) / control.n
    full1 = (active.x + rng.binomial(active.undetermined, moved)) / active.n
    within = full0 * (1 - full0) / control.n + full1 * (1 - full1) / active.n
    return imputation.rubin(full1 - full0, within, level=level)
