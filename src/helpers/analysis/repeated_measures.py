"""Models of a measure over the visits: MMRM, ANCOVA at month 12, and slopes, as tidy frames.

`arrays` turns the frame of `course.tidy` into what the models take; `mmrm` and `random_slope` fit them; the other
functions put what was asked of a fit into a frame. Supportive: estimates and 95 % intervals, no p-value. On a ratio
scale the models work on the logarithm, and what is returned is back on the measure's scale as ratios. What can't be
estimated is NaN. Sources and rules of the fits: `estimators.mixed`.

Example, with the frame `upcr = course.tidy(adsl, adlb, measure, p)`:

    data = arrays(upcr, measure)
    fit = mmrm(data)
    contrasts(fit, data).plot(x="month", y=["estimate", "lower", "upper"])
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam
from helpers.analysis.course import VISIT_NAMES, Estimate, Measure
from helpers.estimators import mixed
from helpers.estimators.imputation import Pooled
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, DAYS_PER_YEAR, LAST, VISITS

AVERAGE = "average"
"""The row of all visits together, each weighted by the time it stands for."""
MOST_APART = 3
"""Children by which the arms may differ after equal allocation in blocks of at most six."""
WIDEST = 1e6
"""An interval whose ends are this far apart (factor of a ratio, else difference) says nothing: it is left out."""


@dataclass(frozen=True)
class RepeatedMeasures:
    """One measure as the models take it, on their scale: the logarithm where `ratio`.

    change (children, visits): from baseline, NaN = no value or no baseline; baseline (children,); arm (children,):
    0 = placebo, 1 = hUC-MSC. Children in ADSL's order, the eleven visits after baseline. covariates (children, 1):
    RAS inhibition at baseline where the plan's strata are made of it and the children differ in it, else None.
    """

    change: NDArray
    baseline: NDArray
    arm: NDArray
    ratio: bool
    covariates: NDArray | None = None

    def seen(self, visit: int | None = None) -> NDArray:
        """Whether a child (children,) has a baseline and a value at a visit (0, 1, ...), None = at any."""
        there = ~np.isnan(self.change)
        return there.any(axis=1) if visit is None else there[:, visit]

    def by_arm(self, who: NDArray) -> list[int]:
        """How many of `who` (children,) are on placebo and on hUC-MSC."""
        return [int((who & (self.arm == arm)).sum()) for arm in range(len(ARMS))]


def arrays(values: pd.DataFrame, measure: Measure) -> RepeatedMeasures:
    """The frame of `course.tidy`, or the children of it that a reader chooses, as arrays.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_arrays = repeated_measures.arrays(upcr, measures['upcr'])
    """
    children = values.drop_duplicates("child")
    wide = values.pivot(index="child", columns="visit", values="value")
    wide = wide.reindex(index=children["child"], columns=list(VISIT_NAMES)).to_numpy(float)
    scaled = np.log(wide) if measure.ratio else wide
    arm = (children["arm"] == ARMS[1]).to_numpy(int)
    strata = children["ras"].to_numpy(float)[:, None] if "ras" in children else None
    covariates = strata if strata is not None and np.ptp(strata) > 0 else None
    return RepeatedMeasures(scaled[:, 1:] - scaled[:, :1], scaled[:, 0], arm, measure.ratio, covariates)


def mmrm(data: RepeatedMeasures) -> mixed.MixedFit:
    """The plan's mixed model: baseline x visit, arm x visit, unstructured or the fallback of `mixed.mmrm`.

    Where the list has strata, RAS inhibition as well, one coefficient for all visits.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_mmrm = repeated_measures.mmrm(upcr_arrays)
    """
    return mixed.mmrm(data.change, data.baseline, data.arm, adam.DAYS, data.covariates)


def means(fit: mixed.MixedFit, data: RepeatedMeasures) -> pd.DataFrame:
    """Adjusted mean change from baseline by visit and arm, at the mean baseline of those analysed.

    fit: from `mmrm`. A row is a visit and arm, and last the time average (visit = `AVERAGE`, month NaN): visit,
    month, arm, n (children with a baseline and a value at the visit, for the average at any), estimate, lower, upper
    (geometric mean of value / baseline on a ratio scale; t, linear Kenward-Roger), note.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_means = repeated_measures.means(upcr_mmrm, upcr_arrays)
    """
    rows = []
    for k, visit, month, weights in _visit_weights():
        control = {f"intercept[{v + 1}]": w for v, w in enumerate(weights)}
        active = control | {f"arm[{v + 1}]": w for v, w in enumerate(weights)}
        counted = data.by_arm(data.seen(k))
        for arm, n, columns in zip(ARMS, counted, (control, active), strict=True):
            rows.append((visit, month, arm, n, *back_transformed(fit.contrast(columns), data.ratio)))
    return pd.DataFrame(rows, columns=["visit", "month", "arm", "n", "estimate", "lower", "upper", "note"])


def contrasts(fit: mixed.MixedFit, data: RepeatedMeasures) -> pd.DataFrame:
    """hUC-MSC against placebo by visit, and last on time average (visit = `AVERAGE`, month NaN), adjusted.

    fit: from `mmrm`. A row is a visit: visit, month, estimate (hUC-MSC / placebo on a ratio scale, else hUC-MSC -
    placebo), lower, upper, df (linear Kenward-Roger, observed information), note.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_mmrm_contrasts = repeated_measures.contrasts(upcr_mmrm, upcr_arrays)
    """
    rows = []
    for _, visit, month, weights in _visit_weights():
        found = fit.arm_contrast(weights)
        estimate, lower, upper, note = back_transformed(found, data.ratio)
        rows.append((visit, month, estimate, lower, upper, found.df, note))
    return pd.DataFrame(rows, columns=["visit", "month", "estimate", "lower", "upper", "df", "note"])


def month12(data: RepeatedMeasures, fit: mixed.MixedFit, unadjusted: pd.DataFrame) -> pd.DataFrame:
    """hUC-MSC against placebo at month 12 by four methods.

    fit: from `mmrm`; unadjusted: from `course.contrasts`. A row is a method: method (mmrm; ancova: change = baseline
    + arm by least squares; ancova_hc2: the same with a variance that may differ between children, before
    ancova where allocation was unequal; welch), n_placebo, n_msc (for mmrm with a value at any visit, else at month
    12), estimate, lower, upper (as in `contrasts`), df (NaN for welch), note, message (what the estimator left out or
    could not do).

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_month12 = repeated_measures.month12(upcr_arrays, upcr_mmrm, upcr_contrasts)
    """
    last = len(VISITS) - 1
    at_last = (data.change[:, last], data.baseline, data.arm)
    adjusted = {
        "mmrm": (fit.arm_contrast(np.eye(len(VISITS))[last]), data.seen()),
        "ancova": (mixed.ancova(*at_last, covariates=data.covariates), data.seen(last)),
        "ancova_hc2": (
            mixed.ancova(*at_last, variance="hc2", covariates=data.covariates),
            data.seen(last),
        ),
    }
    # Where one arm is larger than a cut block can leave it, unequal spreads would bias the ordinary variance.
    n0, n1 = data.by_arm(np.ones(len(data.arm), bool))
    order = ["mmrm", "ancova", "ancova_hc2"]
    if abs(n0 - n1) > MOST_APART:
        order[1:] = order[:0:-1]
    rows = []
    for method in order:
        found, who = adjusted[method]
        estimate, lower, upper, note = back_transformed(found, data.ratio)
        rows.append((method, *data.by_arm(who), estimate, lower, upper, found.df, note, found.message))
    plain = unadjusted.set_index("visit").loc[LAST]
    limits = (plain["estimate"], plain["lower"], plain["upper"])
    rows.append(("welch", *data.by_arm(data.seen(last)), *limits, np.nan, plain["note"], ""))
    counts = [f"n_{key}" for key in ARM_KEY.values()]
    names = ["method", *counts, "estimate", "lower", "upper", "df", "note", "message"]
    return pd.DataFrame(rows, columns=names)


def random_slope(data: RepeatedMeasures, p: Parameters) -> mixed.MixedFit:
    """Value on time in years with a random intercept and slope a child; baseline is an observation, not a covariate.

    Baseline stands at the first infusion, `infusion_gap` days before time zero. Children without one are left out.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> egfr_random_slope = repeated_measures.random_slope(egfr_arrays, study.parameters)
    """
    days = np.array([-float(p.infusion_gap), *adam.DAYS])
    return mixed.random_slope(_levels(data), days / DAYS_PER_YEAR, data.arm)


def slopes(fit: mixed.MixedFit, data: RepeatedMeasures) -> pd.DataFrame:
    """Mean slope by arm and their difference, in the measure's unit a year (factors a year on a ratio scale).

    fit: from `random_slope`. Rows: the arms and "difference" (hUC-MSC - placebo). Columns: what, n (children with a
    baseline, missing for the difference), estimate, lower, upper (t, Satterthwaite), df, note.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> egfr_slopes = repeated_measures.slopes(egfr_random_slope, egfr_arrays)
    """
    asked = {
        ARMS[0]: {"time": 1},
        ARMS[1]: {"time": 1, "time x arm": 1},
        "difference": {"time x arm": 1},
    }
    counts = [*data.by_arm(~np.isnan(data.baseline)), pd.NA]
    rows = []
    for (what, columns), n in zip(asked.items(), counts, strict=True):
        found = fit.contrast(columns, se="asymptotic")
        estimate, lower, upper, note = back_transformed(found, data.ratio)
        rows.append((what, n, estimate, lower, upper, found.df, note))
    out = pd.DataFrame(rows, columns=["what", "n", "estimate", "lower", "upper", "df", "note"])
    return out.astype({"n": "Int64"})


def back_transformed(found: mixed.Contrast | Pooled, ratio: bool) -> Estimate:
    """(estimate, lower, upper, note) of a contrast, out of the logarithm where `ratio`.

    No limits, and the reason in `note`, where the interval is infinite or wider than `WIDEST`; all NaN where nothing
    is estimated (the reason is the contrast's `message`).
    """
    if not np.isfinite(found.estimate):
        return np.nan, np.nan, np.nan, ""
    with np.errstate(over="ignore"):
        estimate, lower, upper = (
            float(np.exp(v)) if ratio else float(v) for v in (found.estimate, found.lower, found.upper)
        )
    if np.isnan(lower):
        return estimate, np.nan, np.nan, found.message
    if not np.isfinite([estimate, lower, upper]).all():
        return estimate, np.nan, np.nan, "next to no degrees of freedom"
    if (upper > WIDEST * lower) if ratio else (upper - lower > WIDEST):
        return estimate, np.nan, np.nan, "too wide to mean anything"
    return estimate, lower, upper, ""


def _levels(data: RepeatedMeasures) -> NDArray:
    """Values (children, baseline and visits), on the model's scale."""
    return np.column_stack([data.baseline, data.change + data.baseline[:, None]])


def _visit_weights() -> Iterator[tuple[int | None, str, float, NDArray]]:
    """(position, name, month, weights over the visits) of each visit and, last, of their average."""
    for k, visit in enumerate(VISITS):
        yield k, visit.name, visit.month, np.eye(len(VISITS))[k]
    yield None, AVERAGE, np.nan, mixed.time_weights(adam.DAYS)
