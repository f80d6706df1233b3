"""Which samples from before treatment make a baseline: the one rule that simulated trials and analysis both follow."""

import numpy as np
from numpy.typing import NDArray

from helpers.study.parameters import Parameters


def used(p: Parameters, known: NDArray, ill: NDArray) -> NDArray:
    """Which of the two samples, at screening and at the baseline visit, make the baseline: bool (..., 2).

    known, ill (..., 2): whether there is a value; whether it was taken within a fever or infection. By
    `baseline_samples`: "mean of both" = every sample from a child who was well, those of an ill child only where
    there is no other; "eligibility" = that of screening, "separate" = that of the baseline visit, and where it is
    missing the other one.
    """
    if p.baseline_samples == "mean of both":
        well = known & ~ill
        return np.where((well[..., 0] | well[..., 1])[..., None], well, known)
    first = p.baseline_samples == "eligibility"
    screening = known[..., 0] & (first | ~known[..., 1])
    later = known[..., 1] & (~known[..., 0] if first else True)
    return np.stack([screening, later], axis=-1)


def mean(values: NDArray, chosen: NDArray, ratio: bool) -> NDArray:
    """Mean of the chosen of two samples (..., 2), geometric where `ratio`; NaN where none is chosen."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.log(values) if ratio else values
        both = (scale[..., 0] + scale[..., 1]) / 2
        both = np.exp(both) if ratio else both
    one = np.where(chosen[..., 0], values[..., 0], values[..., 1])
    known = chosen[..., 0] | chosen[..., 1]
    return np.where(chosen[..., 0] & chosen[..., 1], both, np.where(known, one, np.nan))
