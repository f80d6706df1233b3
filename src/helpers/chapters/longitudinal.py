"""Chapter 05: protein, red cells and kidney function by arm over the visits.

Estimates and intervals only; no test. Ratio scales (UPCR, red cells) are analysed on the logarithm, eGFR as
it is. What can't be estimated is said in words, in the table's cell and in the `said` of the chapter's text.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from helpers import figures
from helpers.analysis import adam
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import NOT_ESTIMABLE, capital, children_text, estimate_text, percent, rounded
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS, months

VISIT_NAMES = ("Baseline", *(v.name for v in VISITS))
PANELS = 80
"""Panels of one picture at most."""
BELOW = "all values below quantification"
_TABLES = "ADSL and ADLB"


@dataclass(frozen=True)
class Measure:
    """A laboratory measure: result key, PARAMCD, words, unit, ratio scale or not, lines to draw, decimals.

    `better` is the sign of a change that a clinician welcomes.
    """

    key: str
    paramcd: str
    label: str
    unit: str
    ratio: bool
    thresholds: tuple[tuple[float, str], ...]
    digits: int
    better: int


class Course(NamedTuple):
    figure: Exhibit
    said: dict[str, Result | str]


class Change(NamedTuple):
    figure: Exhibit
    table: Exhibit
    said: dict[str, Result | str]


def measures(p: Parameters) -> dict[str, Measure]:
    """UPCR, urine red cells and eGFR, under the readings in force: keys upcr, rbc, egfr."""
    cells = adam.endpoint_paramcd("HEM", p)
    words = "dysmorphic urine red cells" if cells == "RBCDYS" else "urine red cells"
    limit, cells_limit, normal = p.remission_threshold, p.haematuria_limit, p.egfr_evaluable
    protein = ((limit, f"{limit:g}: complete remission below"),)
    red = ((cells_limit, f"{cells_limit:g}: upper limit of normal"),)
    kidney = ((normal, f"{normal:g}: improvement is judged from below"), (60.0, "60: enrolled above"))
    return {
        "upcr": Measure("upcr", "PROTCRT", "UPCR", "mg/mg", True, protein, 2, -1),
        "rbc": Measure("rbc", cells, words, "/uL", True, red, 1, -1),
        "egfr": Measure("egfr", adam.gfr_paramcd(p), "eGFR", "mL/min/1.73m2", False, kidney, 1, 1),
    }


def course(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Course:
    """Each child and the group estimate with its 95 % t-interval at baseline and the eleven visits.

    Ratio scales: geometric mean, interval on the logarithm; else the mean. All randomised, available values.
    """
    values, note = tidy(adsl, adlb, measure, p)
    rows = []
    for arm in ARMS:
        for visit, month in _months(p).items():
            here = values[(values["arm"] == arm) & (values["visit"] == visit)].dropna(subset="value")
            estimate, lower, upper, why = _mean(here["value"], measure.ratio, here["below"])
            rows.append((visit, month, arm, len(here), int(here["below"].sum()), estimate, lower, upper, why))
    names = ["visit", "month", "arm", "n", "below_quantification", "estimate", "lower", "upper", "note"]
    summary = pd.DataFrame(rows, columns=names)
    after = values[values["visit"] != "Baseline"]
    planned, seen = len(adsl) * len(VISITS), int(after["value"].notna().sum())
    kind = "Geometric mean" if measure.ratio else "Mean"
    figure = figures.by_arm_over_time(
        values.rename(columns={"visit": "AVISIT"}),
        summary,
        label=capital(measure.label),
        unit=measure.unit,
        log=measure.ratio,
        thresholds=measure.thresholds,
        visit_col="visit",
    )
    ends = []
    for arm in ARMS:
        part = summary[(summary["arm"] == arm) & summary["estimate"].notna()]
        if part.empty:
            ends.append(f"{arm}: no value")
        else:
            first, last = part.iloc[0], part.iloc[-1]
            start = f"{arm}: {rounded(first['estimate'], measure.digits)} at {first['visit']}"
            ends.append(f"{start}, {rounded(last['estimate'], measure.digits)} at {last['visit']}")
    key = f"longitudinal.{measure.key}"
    said = {
        "seen": Result(f"{key}.values", seen),
        "planned": Result(f"{key}.planned", planned),
        "share": Result(f"{key}.share", 100 * seen / planned if planned else None, "%", 1),
        "quantified": note,
        "empty": _empty_visits(after, measure),
    }
    for arm, row in summary[summary["visit"] == "Baseline"].set_index("arm").iterrows():
        text = estimate_text(row["estimate"], row["lower"], row["upper"], row["note"], measure.digits)
        name = ARM_KEY[arm]
        said[name] = Result(f"{key}.baseline.{name}", row["estimate"], measure.unit, measure.digits, text)
    caption = (
        f"{note} {said['empty']} A line breaks at a missed visit; a cross marks the last value of a child "
        "who was not followed to the end."
    )
    exhibit = Exhibit(
        f"{measure.key}-course",
        f"{capital(measure.label)} by arm over the visits",
        summary,
        population="all randomised, available values at each visit",
        n=children_text(adsl),
        method=f"{kind.lower()} with 95 % t-interval{' on the logarithm' if measure.ratio else ''}; "
        f"source {_TABLES} ({measure.paramcd})",
        conventions=[
            "arm order placebo, hUC-MSC",
            "visits at their target time",
            "square-root spacing of time",
        ],
        caption=" ".join(caption.split()),
        alt=f"{kind} of {measure.label} ({measure.unit}) by arm. {'; '.join(ends)}.",
        figure=figure,
        results=[r for r in said.values() if isinstance(r, Result)],
    )
    return Course(exhibit, said)


def change(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Change:
    """Change from baseline by visit and arm, and the difference between the arms (Welch's interval).

    Ratio scales: geometric mean of value / baseline, and hUC-MSC / placebo of those; else the mean of value -
    baseline, and hUC-MSC - placebo. Children with a baseline and a value at the visit. No p-values.
    """
    values, note = tidy(adsl, adlb, measure, p)
    values = values[values["visit"] != "Baseline"].dropna(subset=["value", "base"])
    ratio, digits = measure.ratio, 2 if measure.ratio else 1
    values = values.assign(
        change=values["value"] / values["base"] if ratio else values["value"] - values["base"]
    )
    rows, long = [], []
    for v in VISITS:
        row, parts = {"visit": v.name, "month": v.month}, []
        for arm in ARMS:
            here = values[(values["arm"] == arm) & (values["visit"] == v.name)]
            parts.append(here)
            found = _mean(here["change"], ratio, here["below"])
            long.append((v.name, v.month, arm, len(here), *found))
            name = ARM_KEY[arm]
            row |= {f"n_{name}": len(here)}
            row |= dict(zip((name, f"{name}_lower", f"{name}_upper"), found, strict=False))
            row[f"{name}_text"] = estimate_text(*found, digits)
        found = _welch(*parts, ratio)
        row |= dict(zip(("between", "between_lower", "between_upper"), found, strict=False))
        row["between_text"] = estimate_text(*found, digits)
        rows.append(row)
    table = pd.DataFrame(rows)
    names = ["visit", "month", "arm", "n", "estimate", "lower", "upper", "note"]
    summary = pd.DataFrame(long, columns=names)
    quantity = "Ratio to baseline" if ratio else "Change from baseline"
    mean = "geometric mean of value / baseline" if ratio else "mean of value - baseline"
    between = "hUC-MSC / placebo" if ratio else "hUC-MSC - placebo"
    method = (
        f"{mean} with 95 % t-interval, {between} with Welch's 95 % interval"
        f"{', both on the logarithm' if ratio else ''}; not adjusted, no p-values; source {_TABLES} ({measure.paramcd})"
    )
    common = {
        "population": "all randomised with a baseline and a value at the visit",
        "n": children_text(adsl, set(values["child"])),
        "method": method,
        "conventions": [
            "arm order placebo, hUC-MSC",
            "visits at their target time",
            "rounded half away from zero",
        ],
    }
    hidden = summary["note"].str.startswith(BELOW)
    drawn = summary.assign(estimate=summary["estimate"].mask(hidden))
    left_out = f" {hidden.sum()} group estimates with {BELOW} are not drawn." if hidden.any() else ""
    results = _last_results(table.iloc[-1], measure, digits)
    lines = (
        ((1.0, "1: no change"), (1 - p.remission_fall, f"{100 * p.remission_fall:g} % below baseline"))
        if ratio
        else ((0.0, "0: no change"),)
    )
    if measure.key == "rbc":
        lines = lines[:1]
    ends = "; ".join(f"{arm} {table.iloc[-1][f'{ARM_KEY[arm]}_text']}" for arm in ARMS)
    figure = Exhibit(
        f"{measure.key}-change",
        f"{quantity} of {measure.label} by arm",
        summary,
        alt=f"{quantity} of {measure.label}, {mean} by arm over the visits. At {LAST}: {ends}.",
        figure=figures.by_arm_over_time(
            None,
            drawn,
            label=f"{capital(measure.label)}, {quantity.lower()}",
            unit="" if ratio else measure.unit,
            ratio=ratio,
            thresholds=lines,
            visit_col="visit",
        ),
        caption=note + left_out,
        **common,
    )
    heading = {"visit": "Visit"}
    for arm in ARMS:
        name = ARM_KEY[arm]
        heading |= {f"n_{name}": f"n {arm}", f"{name}_text": f"{arm} (95 % interval)"}
    heading["between_text"] = f"{between} (95 % interval)"
    unit = {} if ratio else {f"{n}_text": measure.unit for n in (*ARM_KEY.values(), "between")}
    listed = Exhibit(
        f"{measure.key}-change-table",
        f"{quantity} of {measure.label} by visit and arm",
        table,
        columns=heading,
        units=unit,
        results=results.values(),
        caption=note,
        **common,
    )
    return Change(figure, listed, {**results, "visit": LAST, "quantified": note})


def children(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Course:
    """One panel a child, sorted by the change from baseline at the child's last value, best first.

    Children without a value after baseline, or without a baseline, come last. At most `PANELS` panels: then
    as many from either end.
    """
    values, note = tidy(adsl, adlb, measure, p)
    kept = values.dropna(subset="value")
    after = kept[kept["visit"] != "Baseline"].groupby("child").last()
    ends = pd.DataFrame({"child": adsl["USUBJID"], "arm": adsl["TRT01P"]}).set_index("child")
    ends = ends.join(after[["visit", "month", "value", "base"]])
    ends["change"] = ends["value"] / ends["base"] if measure.ratio else ends["value"] - ends["base"]
    ends = ends.sort_values("change", ascending=measure.better < 0, kind="stable", na_position="last")
    order = list(ends.index)
    shown = order if len(order) <= PANELS else order[: PANELS // 2] + order[-PANELS // 2 :]
    level = measure.thresholds[0][0]
    figure = figures.small_multiples(
        values, order=shown, label=capital(measure.label), unit=measure.unit, log=measure.ratio, threshold=level
    )  # fmt: skip
    key, neutral, words = f"longitudinal.{measure.key}", 1.0 if measure.ratio else 0.0, []
    results = []
    for arm in ARMS:
        moved = ends.loc[ends["arm"] == arm, "change"].dropna()
        better = int((measure.better * (moved - neutral) > 0).sum())
        text = percent(better, len(moved)) if len(moved) else f"0/0 ({NOT_ESTIMABLE})"
        results.append(Result(f"{key}.better_at_last.{ARM_KEY[arm]}", better, text=text))
        words.append(f"{arm} {text}")
    without = int(ends["change"].isna().sum())
    direction = "below" if measure.better < 0 else "above"
    lack = f" {without} without a value after baseline, or without a baseline, come last." if without else ""
    cut = (
        f" Of {len(order)} children the {PANELS // 2} first and the {PANELS // 2} last are drawn."
        if len(shown) < len(order)
        else ""
    )
    exhibit = Exhibit(
        f"{measure.key}-children",
        f"{capital(measure.label)}, one panel a child",
        ends.reset_index(),
        population="all randomised",
        n=children_text(adsl),
        method=f"change from baseline to the child's last value; source {_TABLES} ({measure.paramcd})",
        conventions=["arms by colour, line and mark", "best change first"],
        caption=f"{note} Dotted: {level:g} {measure.unit}.{lack}{cut}",
        alt=f"Small panels of {measure.label}. Last value {direction} baseline: {'; '.join(words)}.",
        figure=figure,
        results=results,
    )
    said = {ARM_KEY[arm]: r for arm, r in zip(ARMS, results, strict=True)}
    return Course(exhibit, said | {"without": Result(f"{key}.without_change", without)})


def tidy(adsl, adlb, measure, p):
    """Tidy child, arm, visit, month, value, base, below (quantification), every child at every visit; and a note.

    On a ratio scale a zero counts as half the smallest positive value of the measure.
    """
    rows = adlb[(adlb["PARAMCD"] == measure.paramcd) & (adlb["ANL01FL"] == "Y")]
    rows = rows[rows["USUBJID"].isin(adsl["USUBJID"])]
    everyone = pd.MultiIndex.from_product([adsl["USUBJID"], VISIT_NAMES], names=["child", "visit"])
    wide = rows.set_index(["USUBJID", "AVISIT"])[["AVAL", "LOQFL"]].reindex(everyone)
    value = wide["AVAL"].astype(float)
    below = (wide["LOQFL"] == "Y") & value.notna()
    words = []
    if below.any():
        words.append(
            f"{below.sum()} of {value.notna().sum()} values lie below quantification and count at the limit."
        )
    zero = value == 0
    if measure.ratio and zero.any():
        positive = value[value > 0]
        if positive.empty:
            words.append(
                f"All {zero.sum()} values are zero: a ratio scale can't show them, nothing is estimated."
            )
            value = value.where(~zero)
        else:
            half = positive.min() / 2
            words.append(f"{zero.sum()} values of zero count as {half:g}, half the smallest positive value.")
            value, below = value.mask(zero, half), below | zero
    if value.isna().all() and not words:
        words.append(f"No value of {measure.label} at any visit.")
    frame = value.rename("value").reset_index()
    frame["below"] = below.to_numpy(bool)
    frame["month"] = frame["visit"].map(_months(p))
    frame["arm"] = frame["child"].map(adsl.set_index("USUBJID")["TRT01P"])
    base = frame[frame["visit"] == "Baseline"].set_index("child")["value"]
    frame["base"] = frame["child"].map(base)
    clean = "No value lies below quantification." if measure.paramcd == "PROTCRT" else "No value is zero."
    return frame, " ".join(words) or (clean if measure.ratio else "")


def _months(p: Parameters) -> dict[str, float]:
    return {"Baseline": months(-p.infusion_gap)} | {v.name: v.month for v in VISITS}


def _mean(values, ratio, below):
    """(estimate, lower, upper, words for what is missing) of a mean, geometric on a ratio scale."""
    data = np.log(np.asarray(values, float)) if ratio else np.asarray(values, float)
    if not data.size:
        return np.nan, np.nan, np.nan, "no value"
    back = np.exp if ratio else float
    mean = float(back(data.mean()))
    if np.asarray(below).all():
        return mean, np.nan, np.nan, f"{BELOW}, an upper bound"
    if data.size == 1:
        return mean, np.nan, np.nan, "one child"
    if np.ptp(data) < 1e-12:
        return mean, np.nan, np.nan, "all values alike"
    lower, upper = stats.t.interval(0.95, data.size - 1, data.mean(), stats.sem(data))
    return mean, float(back(lower)), float(back(upper)), ""


def _welch(control, active, ratio):
    """(estimate, lower, upper, words): active minus control, or their ratio; interval of Welch's t."""
    for arm, part in zip(ARMS, (control, active), strict=True):
        if part.empty:
            return np.nan, np.nan, np.nan, f"no value in {arm}"
        if part["below"].all():
            return np.nan, np.nan, np.nan, f"all of {arm} below quantification"
    back = np.exp if ratio else float
    x, y = (np.log(part["change"]) if ratio else part["change"] for part in (control, active))
    estimate = float(back(y.mean() - x.mean()))
    if len(x) < 2 or len(y) < 2:
        few = ARMS[0] if len(x) < 2 else ARMS[1]
        return estimate, np.nan, np.nan, f"one child in {few}"
    if np.ptp(x) < 1e-12 and np.ptp(y) < 1e-12:
        return estimate, np.nan, np.nan, "all values alike"
    interval = stats.ttest_ind(y, x, equal_var=False).confidence_interval(0.95)
    return estimate, float(back(interval.low)), float(back(interval.high)), ""


def _last_results(row, measure, digits) -> dict[str, Result]:
    what = "ratio" if measure.ratio else "change"
    out = {}
    for name in (*ARM_KEY.values(), "between"):
        key = f"longitudinal.{measure.key}.{what}_month12.{name}"
        unit = "" if measure.ratio else measure.unit
        out[name] = Result(key, row[name], unit, digits, text=row[f"{name}_text"])
        for end in ("lower", "upper"):
            out[f"{name}_{end}"] = Result(f"{key}_{end}", row[f"{name}_{end}"], unit, digits)
        if name != "between":
            out[f"n_{name}"] = Result(f"{key}_n", int(row[f"n_{name}"]))
    return out


def _empty_visits(after, measure) -> str:
    counts = after.groupby("visit")["value"].count()
    empty = [v.name for v in VISITS if not counts.get(v.name, 0)]
    if len(empty) == len(VISITS):
        return f"There is no value of {measure.label} after baseline."
    return f"No child has a value at {', '.join(empty)}." if empty else ""
