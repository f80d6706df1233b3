"""The course of a laboratory measure: levels and changes by arm and visit, and each child's last value.

`tidy` turns ADSL and ADLB into one row a child and visit; every other function takes that frame, or any part of its
rows that a reader chooses (girls only, say). Estimates and 95 % intervals, no tests. Measures on a ratio scale (UPCR,
red cells) are averaged on the logarithm and given as geometric means and ratios, eGFR as it is. What can't be
estimated is NaN with the reason in `note`. All randomised children, as randomised, with the values there are: nothing
is filled in.

Sources: t-interval of a mean; Welch (1947), Biometrika 34:28-35, for the difference of two.

Example, two children an arm:

>>> import pandas as pd
>>> from helpers.study.parameters import Parameters
>>> p = Parameters()
>>> adsl = pd.DataFrame({"USUBJID": list("abcd"), "TRT01P": ["Placebo", "Placebo", "hUC-MSC", "hUC-MSC"]})
>>> adlb = pd.DataFrame({"USUBJID": list("abcd") * 2, "AVISIT": ["Baseline"] * 4 + ["Month 12"] * 4})
>>> adlb = adlb.assign(AVAL=[1.0, 1, 1, 1, 1, 4, 0.5, 0.5], PARAMCD="PROTCRT", ANL01FL="Y", LOQFL="")
>>> upcr = measures(p)["upcr"]
>>> values = tidy(adsl, adlb, upcr, p)
>>> changes(values, upcr).query("visit == 'Month 12'")[["arm", "n", "estimate", "note"]].values.tolist()
[['Placebo', 2, 2.0, ''], ['hUC-MSC', 2, 0.5, 'all values alike']]
>>> float(contrasts(values, upcr).set_index("visit").loc["Month 12", "estimate"])
0.25
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from helpers.analysis import adam
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS, months

VISIT_NAMES = ("Baseline", *(v.name for v in VISITS))
ALIKE = 1e-12
"""A range below which values are one value: rounding, no spread to estimate."""

Estimate = tuple[float, float, float, str]
"""(estimate, lower, upper, note): NaN where not estimable, and then the reason."""


@dataclass(frozen=True)
class Measure:
    """A laboratory measure: `key` of its results, PARAMCD in ADLB, label and unit.

    `ratio`: averaged on the logarithm, changes are value / baseline; else changes are value - baseline.
    `better`: the sign of a change that a clinician welcomes.
    """

    key: str
    paramcd: str
    label: str
    unit: str
    ratio: bool
    better: int

    @property
    def unchanged(self) -> float:
        """The change of a child who stayed where it was: 1 on a ratio scale, else 0."""
        return 1.0 if self.ratio else 0.0


def measures(p: Parameters) -> dict[str, Measure]:
    """UPCR, urine red cells and eGFR, under the readings in force: keys upcr, rbc, egfr.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> measures = course.measures(study.parameters)
    """
    cells = adam.endpoint_paramcd("HEM", p)
    label = "dysmorphic urine red cells" if cells == "RBCDYS" else "urine red cells"
    return {
        "upcr": Measure("upcr", "PROTCRT", "UPCR", "mg/mg", ratio=True, better=-1),
        "rbc": Measure("rbc", cells, label, "/uL", ratio=True, better=-1),
        "egfr": Measure("egfr", adam.gfr_paramcd(p), "eGFR", "mL/min/1.73m2", ratio=False, better=1),
    }


def tidy(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> pd.DataFrame:
    """One row a child of ADSL and visit (baseline and the eleven), whether there is a value or not.

    Returns
    -------
    Children in ADSL's order, each with its visits in theirs:

    child, visit : USUBJID and AVISIT
    value : in the measure's unit, NaN = no value; one below quantification counts at the limit
    below : whether the laboratory told the value as below its limit of quantification
    zero : whether the value was recorded as zero and the scale is a ratio, which knows none: it then counts as half
        the smallest positive value of the measure, and as no value where there is no positive one
    month : target time of the visit, months from the planned last infusion
    arm : as randomised (TRT01P)
    base : the child's baseline, NaN = none
    base_bound : whether the baseline is below quantification or zero: the change is then no measured one either
    change : value / base on a ratio scale, else value - base; NaN at baseline
    ras : whether the child was on RAS inhibition at baseline; only where the plan's strata are made of it

    Raises ValueError where ADLB holds two rows of a child, measure and visit for analysis (ANL01FL).

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr = course.tidy(adsl, adlb, measures['upcr'], study.parameters)
    """
    rows = adlb[(adlb["PARAMCD"] == measure.paramcd) & (adlb["ANL01FL"] == "Y")]
    rows = rows[rows["USUBJID"].isin(adsl["USUBJID"])]
    everyone = pd.MultiIndex.from_product([adsl["USUBJID"], VISIT_NAMES], names=["child", "visit"])
    wide = rows.set_index(["USUBJID", "AVISIT"])[["AVAL", "LOQFL"]].reindex(everyone)
    value = wide["AVAL"].astype(float)
    below = (wide["LOQFL"] == "Y") & value.notna()
    zero = (value == 0) & measure.ratio
    # no positive value: the minimum, and with it the stand-in, is NaN
    value = value.mask(zero, value[value > 0].min() / 2)
    out = value.rename("value").reset_index().assign(below=below.to_numpy(bool), zero=zero.to_numpy(bool))
    out["month"] = out["visit"].map({"Baseline": months(-p.infusion_gap)} | {v.name: v.month for v in VISITS})
    out["arm"] = out["child"].map(adsl.set_index("USUBJID")["TRT01P"])
    before = out["visit"] == "Baseline"
    baseline = out[before].set_index("child")
    out["base"] = out["child"].map(baseline["value"])
    out["base_bound"] = out["child"].map(baseline["below"] | baseline["zero"]).astype(bool)
    if p.strata != "none":
        out["ras"] = out["child"].map(adsl.set_index("USUBJID")["RASFL"] == "Y").astype(bool)
    moved = out["value"] / out["base"] if measure.ratio else out["value"] - out["base"]
    return out.assign(change=moved.mask(before))


def completeness(values: pd.DataFrame) -> pd.Series:
    """How much of a measure there is, and how much of it was measured as a number.

    values: from `tidy`. Counts of child-visits: planned (after baseline), seen (of those, with a value), known (with a
    value, baseline included), recorded (known, or recorded as zero), below (below quantification), zero (recorded as
    zero); and zero_as, the value at which a zero counts (NaN = none, or no positive value to count it by).
    """
    after, zero = values["visit"] != "Baseline", values["zero"]
    known = values["value"].notna()
    return pd.Series(
        {
            "planned": after.sum(),
            "seen": (after & known).sum(),
            "known": known.sum(),
            "recorded": (known | zero).sum(),
            "below": values["below"].sum(),
            "zero": zero.sum(),
            "zero_as": values.loc[zero, "value"].min(),
        },
        dtype=object,
    )


def visits_without_a_value(levels: pd.DataFrame) -> list[str]:
    """Visits after baseline at which no child has a value; `levels`: from the function of that name."""
    counts = levels.groupby("visit")["n"].sum()
    return [visit for visit in VISIT_NAMES[1:] if not counts.get(visit, 0)]


def levels(values: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Mean of the values by arm and visit, baseline included; geometric on a ratio scale.

    values: from `tidy`. A row is an arm and visit, arm by arm: visit, month, arm, n (children with a value),
    below_quantification (of those, recorded as below quantification or zero), estimate, lower, upper (95 % t-interval,
    in the measure's unit), note.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_levels = course.levels(upcr, measures['upcr'])
    """
    found = _by_visit_and_arm(values, "value", measure)
    return pd.concat([found[found["arm"] == arm] for arm in ARMS], ignore_index=True)


def changes(values: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Mean of the children's changes from baseline by visit and arm; geometric mean of value / baseline for a ratio.

    values: from `tidy`. Columns as of `levels`, visit by visit, without baseline; n counts children with a baseline
    and a value at the visit, below_quantification those of them with either below quantification or zero.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_changes = course.changes(upcr, measures['upcr'])
    """
    return _by_visit_and_arm(values[values["visit"] != "Baseline"], "change", measure)


def contrasts(values: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """hUC-MSC against placebo in mean change from baseline, by visit, not adjusted.

    values: from `tidy`. A row is a visit after baseline: visit, month, estimate (ratio of the geometric means on a
    ratio scale, else difference of the means; hUC-MSC / placebo, hUC-MSC - placebo), lower, upper (95 %, Welch), note.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_contrasts = course.contrasts(upcr, measures['upcr'])
    """
    after = values[values["visit"] != "Baseline"].dropna(subset="change")
    rows = []
    for visit, month in _visits(values[values["visit"] != "Baseline"]):
        here = after[after["visit"] == visit]
        control, active = (here[here["arm"] == arm] for arm in ARMS)
        rows.append((visit, month, *_welch(control, active, measure.ratio)))
    return pd.DataFrame(rows, columns=["visit", "month", "estimate", "lower", "upper", "note"])


def last_values(values: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Each child at its last visit with a value after baseline, the most welcome change first.

    values: from `tidy`. A row is a child: child, arm, visit, month, value, base, change. Children without a value
    after baseline (all NaN) or without a baseline (change NaN) come last, in the order of `values`.

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_last = course.last_values(upcr, measures['upcr'])
    """
    seen = values[values["visit"] != "Baseline"].dropna(subset="value")
    last = seen.groupby("child").tail(1)[["child", "visit", "month", "value", "base", "change"]]
    out = values[["child", "arm"]].drop_duplicates().merge(last, on="child", how="left", validate="1:1")
    rising = measure.better < 0
    return out.sort_values("change", ascending=rising, kind="stable", na_position="last", ignore_index=True)


def improved(last: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """How many children stood on the welcome side of their own baseline at their last value, by arm.

    last: from `last_values`. A row is an arm: arm, children, n (those with a change), improved (of those).

    Examples
    --------
    As notebook 05-longitudinal calls it:

    >>> upcr_improved = course.improved(upcr_last, measures['upcr'])
    """
    rows = []
    for arm in ARMS:
        change = last.loc[last["arm"] == arm, "change"]
        welcome = measure.better * (change - measure.unchanged) > 0
        rows.append((arm, len(change), int(change.notna().sum()), int(welcome.sum())))
    return pd.DataFrame(rows, columns=["arm", "children", "n", "improved"])


def _visits(values: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """(visit, month) of each visit, in the order of the rows."""
    return values[["visit", "month"]].drop_duplicates().itertuples(index=False, name=None)


def _by_visit_and_arm(values: pd.DataFrame, column: str, measure: Measure) -> pd.DataFrame:
    rows = []
    for visit, month in _visits(values):
        for arm in ARMS:
            here = values[(values["visit"] == visit) & (values["arm"] == arm)].dropna(subset=column)
            bound = here["below"] | here["zero"]
            if column == "change":
                bound |= here["base_bound"]
            found = _mean(here[column], measure.ratio)
            if len(here) and bound.all():
                found = (found[0], np.nan, np.nan, _all_bounds(here, column))
            rows.append((visit, month, arm, len(here), int(bound.sum()), *found))
    names = ["visit", "month", "arm", "n", "below_quantification", "estimate", "lower", "upper", "note"]
    return pd.DataFrame(rows, columns=names)


def _all_bounds(here: pd.DataFrame, column: str) -> str:
    """Why a mean of which no value was measured has no interval, and on which side of the truth it lies."""
    if here["zero"].all():
        return "all values zero, counted at half the smallest positive value"
    if column == "change" and not (here["below"] | here["zero"]).all():
        return "every change has a value or a baseline below quantification"
    return "all values below quantification, an upper bound"


def _mean(values: ArrayLike, ratio: bool) -> Estimate:
    """A mean with its t-interval, geometric on a ratio scale."""
    data = np.log(np.asarray(values, float)) if ratio else np.asarray(values, float)
    if not data.size:
        return np.nan, np.nan, np.nan, "no value"
    back = np.exp if ratio else float
    mean = float(back(data.mean()))
    if data.size == 1:
        return mean, np.nan, np.nan, "one child"
    if np.ptp(data) < ALIKE:
        return mean, np.nan, np.nan, "all values alike"
    lower, upper = stats.t.interval(0.95, data.size - 1, data.mean(), stats.sem(data))
    return mean, float(back(lower)), float(back(upper)), ""


def _welch(control: pd.DataFrame, active: pd.DataFrame, ratio: bool) -> Estimate:
    """Mean change of active minus that of control, or their ratio, with Welch's interval."""
    for arm, part in zip(ARMS, (control, active), strict=True):
        if part.empty:
            return np.nan, np.nan, np.nan, f"no value in {arm}"
        if (part["below"] | part["zero"] | part["base_bound"]).all():
            return np.nan, np.nan, np.nan, f"all of {arm} below quantification"
    back = np.exp if ratio else float
    x, y = (np.log(part["change"]) if ratio else part["change"] for part in (control, active))
    difference = y.mean() - x.mean()
    estimate = float(back(difference))
    if len(x) < 2 or len(y) < 2:
        few = ARMS[0] if len(x) < 2 else ARMS[1]
        return estimate, np.nan, np.nan, f"one child in {few}"
    if np.ptp(x) < ALIKE and np.ptp(y) < ALIKE:
        return estimate, np.nan, np.nan, "all values alike"
    # by its formula: scipy's warns where one arm's values are alike
    spread, free = np.array([v.var(ddof=1) / len(v) for v in (x, y)]), np.array([len(x) - 1, len(y) - 1])
    df = spread.sum() ** 2 / (spread**2 / free).sum()
    half = stats.t.isf(0.025, df) * np.sqrt(spread.sum())
    return estimate, float(back(difference - half)), float(back(difference + half)), ""
