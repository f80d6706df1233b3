"""Children with an event among those of an analysis set, by arm, and the difference: rows of every table of rates.

Percentages with Wilson's interval in an arm, their difference hUC-MSC - placebo in percentage points with the exact
interval that inverts Boschloo's test and, approximate, that of Miettinen and Nurminen beside it, all at 95 %. Whoever
was not seen with the event counts as without it.
"""

from collections.abc import Iterable, Mapping, Sequence
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
            return "no child"
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


def from_adtte(adtte: pd.DataFrame, paramcd: str, everyone: bool = False) -> Arms:
    """Responders of both arms among the children to be analysed (ANL01FL) for a time-to-event parameter.

    Assessed is who was seen after time zero (CNFMONTH), or has the event. everyone: among all randomised, of whom those
    not evaluable are without the event and not assessed.
    """
    rows = adam.events(adtte.assign(ANL01FL="Y"), paramcd, "CNFMONTH")
    evaluable = rows["USUBJID"].isin(adam.events(adtte, paramcd)["USUBJID"])
    event = (rows["event"] == 1) & evaluable
    seen = evaluable & (event | (rows["time"] > 0))
    return among(np.array(ARMS)[rows["arm"]], evaluable | everyone, event, seen)


def compared(arms: Arms) -> dict[str, Any]:
    """Both arms and their difference as a row.

    For each arm (placebo, msc): {arm}_n with the event, {arm}_N children, {arm}_seen assessed, {arm} percentage,
    {arm}_lower, {arm}_upper, {arm}_note why there is none; then difference, lower, upper (exact) in percentage points,
    approximate_lower, approximate_upper (Miettinen-Nurminen), and note, why there is none. NaN is what an arm without
    children, or with none assessed, leaves open.
    """
    return _rows([arms])[0]


def _rows(pairs: Sequence[Arms]) -> list[dict[str, Any]]:
    """`compared` of each, their intervals in one call."""
    counts = np.array([[(one.x, one.n if not one.note else 0) for one in arms] for arms in pairs])
    control, active = counts.reshape(-1, 2, 2).transpose(1, 2, 0)
    # An arm without a rate has no child here: its intervals are NaN.
    found = [
        bound
        for interval in (proportions.boschloo_interval, proportions.miettinen_nurminen)
        for bound in interval(
            np.minimum(control[0], control[1]), control[1], np.minimum(active[0], active[1]), active[1]
        )
    ]
    return [_row(arms, *limits) for arms, *limits in zip(pairs, *found, strict=True)]


def _row(arms: Arms, lower: float, upper: float, about_lower: float, about_upper: float) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key, one in zip(ARM_KEY.values(), arms, strict=True):
        share, (low, high) = np.nan, (np.nan, np.nan)
        if not one.note:
            share, (low, high) = 100 * one.x / one.n, proportions.wilson(one.x, one.n)
        row |= {f"{key}_n": one.x, f"{key}_N": one.n, f"{key}_seen": one.seen}
        row |= {key: share, f"{key}_lower": 100 * low, f"{key}_upper": 100 * high, f"{key}_note": one.note}
    note = " and ".join(f"{one.note} in {arm}" for arm, one in zip(ARMS, arms, strict=True) if one.note)
    row |= {"difference": row["msc"] - row["placebo"], "lower": 100 * lower, "upper": 100 * upper}
    row |= {"approximate_lower": 100 * about_lower, "approximate_upper": 100 * about_upper}
    return row | {"note": note}


def table(rows: Iterable[tuple[Mapping[str, Any], Arms]]) -> pd.DataFrame:
    """A frame of `compared`, each row led by what it is about: pairs (leading columns, both arms)."""
    listed = list(rows)
    found = _rows([arms for _, arms in listed])
    return pd.DataFrame([{**about, **row} for (about, _), row in zip(listed, found, strict=True)])
