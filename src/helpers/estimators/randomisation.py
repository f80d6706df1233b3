"""A test that asks the allocation itself: how often would it, drawn again, have parted the outcomes as far?

Every child keeps its outcome and its block; only who of a block is in which arm is drawn again. Nothing is assumed of
the children. Two-sided p is twice the smaller side, at most 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from helpers.estimators import arguments

MOST = 100_000
"""Allocations that are listed one by one, and draws where there are more."""


@dataclass(frozen=True)
class RandomisationTest:
    """A randomisation test of active against control.

    Attributes
    ----------
    difference : float
        Mean outcome (share with the event) of the active arm less that of the control arm.
    p, p_greater, p_less : float
        Two-sided, and for a difference as large or larger, as small or smaller.
    allocations : float
        How many the blocks allow; infinite beyond what a float holds.
    draws : int
        How many were drawn, 0 where all of them were taken into account.
    message : str
        Why there is no answer, in words.

    Examples
    --------
    >>> randomisation_test([0, 1], [0, 1]).allocations
    2.0
    """

    difference: float = np.nan
    p: float = np.nan
    p_greater: float = np.nan
    p_less: float = np.nan
    allocations: float = np.nan
    draws: int = 0
    message: str = ""


def randomisation_test(
    outcome: ArrayLike,
    arm: ArrayLike,
    block: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    seed: int | np.random.SeedSequence = 0,
    active: object = 1,
    draws: int = MOST,
) -> RandomisationTest:
    """Difference of means or proportions against all allocations that the realised blocks allow.

    Parameters
    ----------
    outcome : array_like, shape (children,)
        True and False (or 1 and 0) for an event, else any number; of all randomised, in any order, none missing.
    arm : array_like, shape (children,)
        Labels; two of them, one is `active`.
    block, stratum : array_like, shape (children,), optional
        Labels of the block and the stratum in which the child was allocated; a block is its label within its stratum.
        None: one for all. A block that was not filled goes by the children that it has.
    seed : int or numpy.random.SeedSequence
        Of the draws, where there are any.
    active : object
        The label of the active arm.
    draws : int
        Where there are more allocations than this, and the outcome is not an event, as many are drawn.

    Returns
    -------
    RandomisationTest
        Exact for an event, whatever the number of allocations, and where they are few enough to be listed.

    Raises
    ------
    ValueError
        Lengths that differ, outcomes missing or no numbers, more than two arms, none of them `active`.

    Notes
    -----
    Each block keeps its number of children in the active arm, so that the difference rises with the sum of the outcomes
    there. For an event that sum is hypergeometric in each block, and the convolution of the blocks weighs every
    allocation. From draws each side is (1 + k) / (1 + draws), which holds its level. Sums that differ by rounding
    only are equal.

    References
    ----------
    Rosenberger & Lachin (2016), Randomization in Clinical Trials, 2nd ed., chapter 6; Phipson & Smyth (2010), Stat
    Appl Genet Mol Biol 9:39 (p-values from draws are never 0).

    Examples
    --------
    >>> found = randomisation_test([0, 0, 1, 1, 0, 1], list("PAAPPA"), [1, 1, 1, 1, 2, 2], active="A")
    >>> round(found.difference, 2), round(found.p, 2), found.allocations
    (0.33, 1.0, 12.0)
    """
    values, there, label = _asked(outcome, arm, block, stratum, active)
    if not 0 < there.sum() < len(there):
        return RandomisationTest(message="no child in one of the arms: nothing to compare")
    groups = [np.flatnonzero(label == k) for k in range(label.max() + 1)]
    chosen = [int(there[rows].sum()) for rows in groups]
    difference = float(values[there].mean() - values[~there].mean())
    allocations = _number(groups, chosen)
    seen, drawn = float(values[there].sum()), 0
    if np.isin(values, (0, 1)).all():
        chance = np.ones(1)
        for rows, n in zip(groups, chosen, strict=True):
            chance = np.convolve(chance, _hypergeometric(len(rows), int(values[rows].sum()), n))
        sums = np.arange(len(chance))
        greater, less = (float(chance[side].sum()) for side in (sums >= seen, sums <= seen))
    else:
        rounding = 1e-12 * float(np.abs(values).sum())
        if allocations <= draws:
            sums = np.array([sum(parts) for parts in product(*_listed(values, groups, chosen))])
            greater, less = (
                float(side.mean()) for side in (sums >= seen - rounding, sums <= seen + rounding)
            )
        else:
            sums = _drawn(values, there, label, np.random.default_rng(seed), draws)
            drawn = draws
            greater, less = (
                float((1 + side.sum()) / (1 + draws))
                for side in (sums >= seen - rounding, sums <= seen + rounding)
            )
    greater, less = min(1.0, greater), min(1.0, less)
    return RandomisationTest(difference, min(1.0, 2 * min(greater, less)), greater, less, allocations, drawn)


def _asked(
    outcome: ArrayLike, arm: ArrayLike, block: ArrayLike | None, stratum: ArrayLike | None, active: object
) -> tuple[NDArray, NDArray, NDArray]:
    """Outcomes as floats, who is in the active arm, and the number of each child's block."""
    values = np.asarray(outcome)
    if values.ndim != 1 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise ValueError("outcome must be one number or True and False a child, none of them missing")
    there = arguments.labelled(arm, active)
    parts = [np.zeros(len(values), int) if p is None else np.asarray(p) for p in (stratum, block)]
    if any(part.shape != values.shape for part in (there, *parts)):
        raise ValueError(
            f"outcome, arm, block and stratum must be of one length, got {values.shape}, {there.shape}, "
            f"{parts[1].shape} and {parts[0].shape}"
        )
    numbers = [np.unique(part.astype(str), return_inverse=True)[1] for part in parts]
    return values.astype(float), there, np.unique(np.stack(numbers), axis=1, return_inverse=True)[1].ravel()


def _number(groups: list[NDArray], chosen: list[int]) -> float:
    ways = math.prod(math.comb(len(rows), n) for rows, n in zip(groups, chosen, strict=True))
    try:
        return float(ways)
    except OverflowError:
        return math.inf


def _hypergeometric(children: int, events: int, chosen: int) -> NDArray:
    """Chance of 0 to `events` events among `chosen` of a block's children."""
    x = np.arange(events + 1)
    ways = special.comb(events, x) * special.comb(children - events, chosen - x)
    return ways / ways.sum()


def _listed(values: NDArray, groups: list[NDArray], chosen: list[int]) -> Iterator[list[float]]:
    """For each block the sum of the outcomes of every choice."""
    for rows, n in zip(groups, chosen, strict=True):
        yield [float(values[list(who)].sum()) for who in combinations(rows, n)]


def _drawn(values: NDArray, there: NDArray, label: NDArray, rng: np.random.Generator, draws: int) -> NDArray:
    """Sums of the outcomes of the active arm under `draws` allocations."""
    inside = np.lexsort((there, label))
    sums, step = [], max(1, 4_000_000 // len(values))
    for start in range(0, draws, step):
        # within a block a random order: its children in turn take the places of the arms
        keys = rng.random((min(step, draws - start), len(values))) + label
        sums.append(values[np.argsort(keys, axis=1)] @ there[inside])
    return np.concatenate(sums)
