"""Laboratory safety: what moved for the worse after the infusions, by treatment received, in the safety set.

From ADLB's visits after the last infusion was due, each child against its own baseline. Among eleven visits some value
moves far by the noise of the measurement alone, in either arm: so each signal is counted at any visit and, apart, where
two attended visits in a row show it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam, derive, summaries
from helpers.analysis.safety import received
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS

LEAST_GFR = 60.0
"""mL/min/1.73m2: the registration enrols above it (inclusion 4)."""
CYSTATIN_LIMIT = 1.08
"""mg/L: upper reference limit of cystatin C at 1 to 18 years (EQ17)."""
NEPHROTIC = 2.0
"""mg/mg: UPCR of the nephrotic range in children (DF06)."""

Rule = tuple[str, Callable[[NDArray, NDArray], NDArray], Callable[[NDArray], NDArray]]
"""A signal: key of its measure; state of later values (children, visits) and baseline; who can show it, by baseline."""

TIMINGS = ("any", "twice")
"""At any visit; at two attended visits in a row."""


@dataclass(frozen=True)
class Measure:
    """A measure of the laboratory: PARAMCD in ADLB, label, unit; worse: +1 where a rise is bad, -1 where a fall is."""

    paramcd: str
    label: str
    unit: str
    worse: int


def measures(p: Parameters) -> dict[str, Measure]:
    """The measures that tell of harm to the kidney, and proteinuria and haematuria, by key."""
    return {
        "egfr": Measure(adam.gfr_paramcd(p), "eGFR", "mL/min/1.73m2", -1),
        "creatinine": Measure("CREAT", "creatinine", "umol/L", 1),
        "cystatin_c": Measure("CYSTATC", "cystatin C", "mg/L", 1),
        "bun": Measure("BUN", "urea nitrogen", "mmol/L", 1),
        "upcr": Measure("PROTCRT", "UPCR", "mg/mg", 1),
        "rbc": Measure("RBCURINE", "urine red cells", "/uL", 1),
    }


def worst(adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Baseline and worst later value of each treated child and measure that has both.

    One row a child and measure: child, arm (received), measure (its key), base, worst, visit (where the worst was
    first seen), change (worst against baseline, %; NaN where the baseline is zero).

    Examples
    --------
    As notebook 10-safety calls it:

    >>> worst = laboratory_safety.worst(adsl, adlb, study.parameters)
    """
    arm, parts = received(adsl), []
    treated = adsl[adsl["USUBJID"].isin(arm.index)]
    names = np.array([visit.name for visit in VISITS], object)
    for key, measure in measures(p).items():
        base, later = _values(adlb, treated, measure.paramcd)
        known = np.isfinite(base) & np.isfinite(later).any(axis=1)
        # against the better end: NaN never is the worst
        place = np.where(np.isfinite(later), measure.worse * later, -np.inf).argmax(axis=1)
        value = later[np.arange(len(later)), place]
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(base > 0, 100 * (value / base - 1), np.nan)
        part = {"child": arm.index, "arm": arm.to_numpy(object), "measure": key, "base": base, "worst": value}
        parts.append(pd.DataFrame({**part, "visit": names[place], "change": change})[known])
    return pd.concat(parts, ignore_index=True)


def worst_changes(adsl: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Quartiles of the children's worst changes (%) by measure and arm: `item arm n N low q1 median q3 high`.

    found: from `worst`.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> changes = laboratory_safety.worst_changes(adsl, worst)
    """
    arm = received(adsl)
    parts = [
        summaries.quartiles(key, rows.set_index("child")["change"], arm)
        for key, rows in found.groupby("measure", sort=False)
    ]
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else summaries.quartiles("none", pd.Series(dtype=float), arm)
    )


def signals(adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Children with a laboratory signal: `item timing arm n N`.

    Items: egfr_fall (eGFR at least `egfr_improvement` below baseline: what counts as improvement, the other way);
    egfr_low (at or below 60, baseline above); cystatin_high (above the reference limit, baseline not); upcr_doubled (up
    by as much as `remission_fall` is down: twice the baseline for a fall by half); upcr_nephrotic (at or above 2 mg/mg,
    baseline below). timing: any, twice. N: treated children with a baseline on the good side and a later value.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> signals = laboratory_safety.signals(adsl, adlb, study.parameters)
    """
    rise = 1 / (1 - p.remission_fall) - 1
    rules: dict[str, Rule] = {
        "egfr_fall": ("egfr", lambda v, b: derive.fallen(v, b, p.egfr_improvement), np.isfinite),
        "egfr_low": ("egfr", *_crossed(lambda v: derive.at_most(v, LEAST_GFR))),
        "cystatin_high": ("cystatin_c", *_crossed(lambda v: _above(v, CYSTATIN_LIMIT))),
        "upcr_doubled": ("upcr", lambda v, b: derive.risen(v, b, rise), lambda b: b > 0),
        "upcr_nephrotic": ("upcr", *_crossed(lambda v: derive.reached(v, NEPHROTIC))),
    }
    arm = received(adsl)
    treated = adsl[adsl["USUBJID"].isin(arm.index)]
    by_name, rows = arm.to_numpy(object), []
    for item, (key, rule, fit) in rules.items():
        base, later = _values(adlb, treated, measures(p)[key].paramcd)
        state = rule(later, base)
        inside = fit(base) & (state >= 0).any(axis=1)
        shown = {"any": (state > 0).any(axis=1), "twice": derive.confirmed(state, adam.DAYS, 0).any(axis=1)}
        for timing in TIMINGS:
            for name in ARMS:
                mine = inside & (by_name == name)
                rows.append((item, timing, name, int((shown[timing] & mine).sum()), int(mine.sum())))
    return pd.DataFrame(rows, columns=["item", "timing", "arm", "n", "N"])


def _crossed(beyond: Callable[[NDArray], NDArray]) -> tuple[Callable[[NDArray, NDArray], NDArray], Callable]:
    """State of a value beyond a limit, and who can cross it: a child whose baseline is not beyond."""
    return lambda value, base: beyond(value), lambda base: beyond(base) == 0


def _values(adlb: pd.DataFrame, treated: pd.DataFrame, paramcd: str) -> tuple[NDArray, NDArray]:
    """Baseline (children,) and later values (children, 11) of a parameter."""
    wide = adam.visit_array(adlb, treated, paramcd).astype(float)
    return wide[:, 0], wide[:, 1:]


def _above(value: NDArray, limit: float) -> NDArray:
    """State: +1 above the limit, 0 at or below, -1 unknown."""
    state = derive.at_most(value, limit)
    return np.where(state < 0, state, 1 - state).astype(np.int8)
