"""Children with an event among those of an analysis set, by arm, and the difference: rows of every table of rates.

Percentages with Wilson's interval in an arm, their difference hUC-MSC - placebo in percentage points with the interval
of Miettinen and Nurminen, both at 95 %. Whoever was not seen with the event counts as without it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers.analysis import adam
from helpers.estimators import proportions
from helpers.study.protocol import ARM_KEY, ARMS


@dataclass(frozen=True)
class Responders:
    """Of one arm: `x` children with the event, `n` of the analysis set, of them `seen` assessed at all."""

    x: int
    n: int
    seen: int

    @property
    def note(self) -> str:
        """Why the arm has no rate; empty where it has one."""
        if not self.n:
            return "no evaluable child"
        return "" if self.seen else "no evaluable child assessed"


Arms = tuple[Responders, Responders]
"""Placebo and hUC-MSC."""


def among(arm: ArrayLike, inside: ArrayLike, event: ArrayLike, seen: ArrayLike) -> Arms:
    """Responders of both arms: arm (children,) by name; inside the set, event, seen (children,) bool."""
    arm, inside, event, seen = (np.asarray(values) for values in (arm, inside, event, seen))
    chosen = [(arm == name) & inside for name in ARMS]
    control, active = (
        Responders(int((event & c).sum()), int(c.sum()), int((seen & c).sum())) for c in chosen
    )
    return control, active


def from_adtte(adtte: pd.DataFrame, paramcd: str) -> Arms:
    """Responders of both arms among the children to be analysed (ANL01FL) for a time-to-event parameter.

    Assessed is who has the event, or was censored after time zero.
    """
    rows = adam.events(adtte, paramcd)
    event = rows["event"] == 1
    return among(np.array(ARMS)[rows["arm"]], np.ones(len(rows), bool), event, event | (rows["time"] > 0))


def compared(arms: Arms) -> dict[str, Any]:
    """Both arms and their difference as a row.

    For each arm (placebo, msc): {arm}_n with the event, {arm}_N children, {arm}_seen assessed, {arm} percentage,
    {arm}_lower, {arm}_upper, {arm}_note why there is none; then difference, lower, upper in percentage points, and
    note, why there is none. NaN is what an arm without children, or with none assessed, leaves open.
    """
    row: dict[str, Any] = {}
    for key, one in zip(ARM_KEY.values(), arms, strict=True):
        share, (lower, upper) = np.nan, (np.nan, np.nan)
        if not one.note:
            share, (lower, upper) = 100 * one.x / one.n, proportions.wilson(one.x, one.n)
        row |= {f"{key}_n": one.x, f"{key}_N": one.n, f"{key}_seen": one.seen}
        row |= {key: share, f"{key}_lower": 100 * lower, f"{key}_upper": 100 * upper, f"{key}_note": one.note}
    note = " and ".join(f"{one.note} in {arm}" for arm, one in zip(ARMS, arms, strict=True) if one.note)
    lower, upper = np.nan, np.nan
    if not note:
        control, active = arms
        lower, upper = proportions.miettinen_nurminen(control.x, control.n, active.x, active.n)
    row |= {"difference": row["msc"] - row["placebo"], "lower": 100 * lower, "upper": 100 * upper}
    return row | {"note": note}


def table(rows: Iterable[tuple[Mapping[str, Any], Arms]]) -> pd.DataFrame:
    """A frame of `compared`, each row led by what it is about: pairs (leading columns, both arms)."""
    return pd.DataFrame([{**about, **compared(arms)} for about, arms in rows])
