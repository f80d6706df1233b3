"""What absent values can do to the result: every assignment, observed cases, multiple imputation, a reference.

Frames and arrays of the analysis in, tidy frames out. Multiple imputation fills the logarithm of UPCR at the visits and
derives remission again from what was filled in. Estimates and intervals only: no p-value beside the primary's.

Example:

    primary = remission.primary(adsl, adlb, adtte, p)
    tipping_point(primary, p)["difference"].agg(["min", "max"])
"""

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from helpers.analysis import adam, derive, rates
from helpers.analysis.repeated_measures import RepeatedMeasures, back_transformed
from helpers.estimators import imputation, mixed, tipping
from helpers.estimators.imputation import Imputation
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, VISITS

IMPUTATIONS = 60
"""Completed data sets; what more would change is the Monte Carlo error in the table."""
DELTAS = (1.25, 1.5)
"""UPCR after a child on hUC-MSC left, as a multiple of what is imputed under missing at random."""
REMISSION, COURSE = "remission", "upcr"
"""Outcomes: confirmed remission, and UPCR at the last visit."""


def tipping_point(primary: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """The primary result under every assignment of the undetermined children of both arms to remission or not.

    primary: from `remission.primary`. A row an assignment: responders0 and responders1 (of the undetermined children
    on placebo and on hUC-MSC), x0, n0, x1, n1, difference, lower, upper (shares), decided (whether p of the primary
    test is at or below `p.alpha`). The first row is the primary analysis. No row where an arm has no child.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> tipping = missing_data.tipping_point(primary, study.parameters)
    """
    row = primary.iloc[0]
    control, active = (
        tipping.Arm(*(int(row[f"{key}_{column}"]) for column in ("n", "N", "undetermined")))
        for key in ARM_KEY.values()
    )
    found = tipping.tipping_point(control, active, p.alpha).table
    columns = ["responders0", "responders1", "x0", "n0", "x1", "n1", "difference", "lower", "upper"]
    return found[columns].assign(decided=found["p"] <= p.alpha)


def imputed(upcr: RepeatedMeasures, p: Parameters) -> dict[tuple[str, float], Imputation]:
    """Completed data sets of change of log UPCR, by handling and delta (1 = none).

    Handlings: mar, jump_to_reference, and delta with each of `DELTAS`. All start from one state of the generator, so
    that their differences hold no Monte Carlo noise where they agree. Source: `imputation.impute`.
    """
    asked: dict[tuple[str, float], str] = {
        ("mar", 1.0): "mar",
        ("jump_to_reference", 1.0): "jump to reference",
    }
    asked |= {("delta", delta): "mar" for delta in DELTAS}
    stream = np.random.SeedSequence(p.seed, spawn_key=(zlib.crc32(b"imputation of log UPCR"),))
    return {
        (handling, delta): imputation.impute(
            upcr.change, upcr.baseline, upcr.arm, adam.DAYS, IMPUTATIONS, np.random.default_rng(stream),
            imputation.Assumption(method, float(np.log(delta))),
        )
        for (handling, delta), method in asked.items()
    }  # fmt: skip


def handlings(
    primary: pd.DataFrame, adsl: pd.DataFrame, upcr: RepeatedMeasures, fit: mixed.MixedFit, p: Parameters
) -> pd.DataFrame:
    """Every handling of missing data beside the main analysis, for confirmed remission and for UPCR at month 12.

    primary: from `remission.primary`; upcr: from `repeated_measures.arrays`, children of ADSL in its order; fit: from
    `repeated_measures.mmrm`. A row an outcome and handling:

    outcome : REMISSION (difference in percentage points) or COURSE (ratio hUC-MSC / placebo)
    handling : main, observed (cases), tipping_placebo and tipping_msc (all undetermined of that arm remit, none of the
        other), and those of `imputed`; of COURSE main is the mixed model, the others are ANCOVA at month 12
    delta : factor on what was imputed after leaving hUC-MSC, 1 = none
    {arm}_n, {arm}_N : children in remission, missing where imputed; children analysed
    estimate, lower, upper : exact as in `rates.compared` for counts, Lott and Reiter's limits combined by
        square-and-add for imputed remission, t for models
    monte_carlo : standard error that more imputations would remove, on the scale that was pooled
    note, message : what is missing of the estimate; what the imputation model left out or changed

    Examples
    --------
    As notebook 06-remission calls it:

    >>> handlings = missing_data.handlings(primary, adsl, upcr, fit, study.parameters)
    """
    completed = imputed(upcr, p)
    rows = [{"outcome": REMISSION, "delta": 1.0, "message": ""} | row for row in _counted(primary)]
    of_course = {"outcome": COURSE, "delta": 1.0, "message": ""}
    last = fit.arm_contrast(np.eye(len(VISITS))[-1])
    rows_of_course = [
        of_course | {"handling": "main"} | _contrast(last, upcr, None),
        of_course | {"handling": "observed"} | _contrast(_ancova(upcr, upcr.change), upcr, -1),
    ]
    for (handling, delta), filled in completed.items():
        about = {"handling": handling, "delta": delta, "message": filled.message}
        rows.append({"outcome": REMISSION} | about | _remission(filled, adsl, upcr, p))
        pooled = imputation.pool(filled, lambda change: _ancova(upcr, change))
        rows_of_course.append({"outcome": COURSE} | about | _contrast(pooled, upcr, None))
    counts = [f"{key}_{column}" for key in ARM_KEY.values() for column in ("n", "N")]
    columns = [
        "outcome",
        "handling",
        "delta",
        *counts,
        "estimate",
        "lower",
        "upper",
        "monte_carlo",
        "note",
        "message",
    ]
    frame = pd.DataFrame(rows + rows_of_course, columns=columns)
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _counted(primary: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of confirmed remission that need no model."""
    row, keys = primary.iloc[0], ARM_KEY.values()
    control, active = (
        rates.Responders(*(int(row[f"{key}_{c}"]) for c in ("n", "N", "seen"))) for key in keys
    )
    open0, open1 = (int(row[f"{key}_undetermined"]) for key in keys)
    ways = {
        "main": (control, active),
        "observed": (replace(control, n=control.n - open0), replace(active, n=active.n - open1)),
        "tipping_placebo": (replace(control, x=control.x + open0), active),
        "tipping_msc": (control, replace(active, x=active.x + open1)),
    }
    compared = {handling: rates.compared(arms) for handling, arms in ways.items()}
    return [
        {"handling": handling, **one, "estimate": one["difference"]} for handling, one in compared.items()
    ]


def _ancova(upcr: RepeatedMeasures, change: np.ndarray) -> mixed.Contrast:
    return mixed.ancova(change[:, -1], upcr.baseline, upcr.arm, covariates=upcr.covariates)


def _contrast(
    found: mixed.Contrast | imputation.Pooled, upcr: RepeatedMeasures, visit: int | None
) -> dict[str, Any]:
    """Estimate of a contrast of log UPCR as a ratio; children counted at a visit, None = at any."""
    estimate, lower, upper, note = back_transformed(found, ratio=True)
    n0, n1 = upcr.by_arm(upcr.seen(visit))
    return {
        "placebo_N": n0, "msc_N": n1, "estimate": estimate, "lower": lower, "upper": upper,
        "monte_carlo": getattr(found, "monte_carlo", np.nan),
        "note": note if np.isfinite(estimate) else found.message,
    }  # fmt: skip


def _remission(
    filled: Imputation, adsl: pd.DataFrame, upcr: RepeatedMeasures, p: Parameters
) -> dict[str, Any]:
    """Difference of confirmed remission, derived from each completed data set and pooled, in all randomised.

    Who is not evaluable, a missing baseline included, has no remission in any of them.
    """
    n0, n1 = upcr.by_arm(np.ones(len(adsl), bool))
    row = {"placebo_N": n0, "msc_N": n1}
    can_remit = upcr.by_arm((adsl["UPCRFL"] == "Y").to_numpy() & ~np.isnan(upcr.baseline))
    if not len(filled.values) or not min(can_remit):
        return row | {"note": filled.message if min(can_remit) else "an arm without an evaluable child"}
    base = np.exp(upcr.baseline)
    # A value seen at a limit must not miss it by the rounding of exp and log.
    values = np.round(np.exp(filled.values) * base[:, None], 10)
    hit = derive.upcr_endpoint(values, base, adam.DAYS, p, adam.days_to(adsl, "NOREMDT")).confirmed >= 0
    share0, share1 = (hit[:, upcr.arm == arm].mean(axis=1) for arm in (0, 1))
    found = imputation.rubin_proportions(share0, n0, share1, n1)
    return row | {
        "estimate": 100 * found.estimate, "lower": 100 * found.lower, "upper": 100 * found.upper,
        "monte_carlo": 100 * found.monte_carlo, "note": found.message,
    }  # fmt: skip
