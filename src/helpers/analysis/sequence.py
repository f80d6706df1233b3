"""The tests that may be made, in their fixed order: each at the full level, but only if the one before succeeded.

Confirmed remission (the primary), then the time-weighted mean of log UPCR, then remission at month 12. Everything else
is an estimate with its interval and no p-value. Tables of ADaM in, a tidy frame out. Values of UPCR count as observed,
whatever changed in a child's treatment; the supplement takes those after rescue as missing at random.

Example:

    fixed_sequence(primary, adsl, adlb, p)[["step", "endpoint", "p", "may_be_tested"]]

Source of the procedure: Maurer, Hothorn & Lehmacher (1995), in Biometrie in der chemisch-pharmazeutischen Industrie
6:3-18: a fixed sequence keeps the familywise error at the level of each test.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam, course, derive, rates
from helpers.analysis.remission import states
from helpers.analysis.repeated_measures import RepeatedMeasures, arrays, back_transformed
from helpers.estimators import mixed, proportions
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS

CONFIRMED, WEIGHTED, LAST = "confirmed", "weighted", "month12"
STEPS = (CONFIRMED, WEIGHTED, LAST)
"""In the order in which they are tested."""
HC2 = "weighted_hc2"
"""Supplement: the same model with a variance that may differ between the arms."""
HALF_YEAR = next(v.day for v in VISITS if v.name == "Month 6")
"""Target day of month 6, behind which a child must have a value."""
AFTER_RESCUE = "weighted_after_rescue"
"""Supplement: the mixed model's time average, with the values after rescue taken as missing at random."""


def weighted(adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Time-weighted mean of log UPCR of every randomised child (`derive.time_weighted`).

    A row a child in the order of ADSL: child, arm (name), baseline and value (log mg/mg; NaN = no answer), visits (with
    a UPCR), late (whether one of them is behind month 6).
    """
    upcr = _upcr(adsl, adlb, p)
    visits = upcr.change + upcr.baseline[:, None]
    seen = ~np.isnan(visits)
    return pd.DataFrame(
        {
            "child": adsl["USUBJID"].to_numpy(object),
            "arm": adsl["TRT01P"].to_numpy(object),
            "baseline": upcr.baseline,
            "value": derive.time_weighted(visits, adam.DAYS, HALF_YEAR),
            "visits": seen.sum(axis=1),
            "late": (seen & (adam.DAYS > HALF_YEAR)).any(axis=1),
        }
    )


def fixed_sequence(
    primary: pd.DataFrame, adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters
) -> pd.DataFrame:
    """Every step of the sequence, and its supplements.

    primary: from `remission.primary`. A row an endpoint: step (1, 2, 3; 0 for a supplement), endpoint (`STEPS`, `HC2`,
    `AFTER_RESCUE`), placebo_N and msc_N (children analysed), estimate, lower, upper (difference in percentage points;
    for log UPCR the ratio hUC-MSC / placebo), p (two-sided, NaN for a supplement), may_be_tested (all steps before
    succeeded), succeeded (may be tested, and p at or below `p.alpha`), note (why something is missing).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> tests = sequence.fixed_sequence(primary, adsl, adlb, study.parameters)
    """
    first = primary.iloc[0]
    rows = [_row(CONFIRMED, first, first["p"], first["note"])]

    frame = weighted(adsl, adlb, p)
    arm = (frame["arm"] == ARMS[1]).to_numpy(int)
    value, base = frame["value"].to_numpy(float), frame["baseline"].to_numpy(float)
    analysed = np.isfinite(value) & np.isfinite(base)
    upcr = _upcr(adsl, adlb, p)
    strata = upcr.covariates
    rows.append(_model(WEIGHTED, mixed.ancova(value, base, arm, covariates=strata), arm, analysed))

    beside = _model(HC2, mixed.ancova(value, base, arm, 0.95, "hc2", strata), arm, analysed)

    at_last = states(adsl, adlb, "PROTCRT")[:, -1]
    control, active = rates.among(adsl["TRT01P"], np.ones(len(adsl), bool), at_last > 0, at_last >= 0)
    found = rates.compared((control, active))
    test = np.nan if found["note"] else proportions.boschloo(control.x, control.n, active.x, active.n)
    rows.append(_row(LAST, found, test, found["note"]))

    before = adam.days_to(adsl, "RESCDT")[:, None] > adam.DAYS
    change = np.where(before, upcr.change, np.nan)
    fit = mixed.mmrm(change, upcr.baseline, arm, adam.DAYS, strata)
    seen = np.asarray(np.isfinite(change).any(axis=1))
    average = _model(AFTER_RESCUE, fit.arm_contrast(mixed.time_weights(adam.DAYS)), arm, seen)

    open_, out = True, []
    for step, row in enumerate(rows, start=1):
        tested = open_
        open_ = bool(open_ and row["p"] <= p.alpha)
        out.append({"step": step, **row, "may_be_tested": tested, "succeeded": open_})
    for row in (beside, average):
        out.append({"step": 0, **row, "p": np.nan, "may_be_tested": False, "succeeded": False})
    return pd.DataFrame(out)


def _upcr(adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters) -> RepeatedMeasures:
    """UPCR as the models of `repeated_measures` take it."""
    measure = course.measures(p)["upcr"]
    return arrays(course.tidy(adsl, adlb, measure, p), measure)


def _row(endpoint: str, found: pd.Series | dict, p: float, note: str) -> dict:
    limits = {"estimate": found["difference"], "lower": found["lower"], "upper": found["upper"]}
    counts = {"placebo_N": int(found["placebo_N"]), "msc_N": int(found["msc_N"])}
    return {"endpoint": endpoint, **counts, **limits, "p": p, "note": note}


def _model(endpoint: str, found: mixed.Contrast, arm: NDArray, analysed: Any) -> dict:
    estimate, lower, upper, note = back_transformed(found, ratio=True)
    counts = [int((analysed & (arm == k)).sum()) for k in (0, 1)]
    return {
        "endpoint": endpoint, "placebo_N": counts[0], "msc_N": counts[1], "estimate": estimate, "lower": lower,
        "upper": upper, "p": found.p, "note": note if np.isfinite(estimate) else found.message,
    }  # fmt: skip
