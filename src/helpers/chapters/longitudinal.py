"""Chapter 05: protein, red cells and kidney function by arm over the visits.

Frames of `analysis.course` in, exhibits and words out; `mixed_models` tells of the models with the same words.
Estimates and intervals only; no test. What can't be estimated is said in words, in the table's cell and in the `said`
of the chapter's text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from helpers import figures
from helpers.analysis.course import Measure, completeness, visits_without_a_value
from helpers.chapters.exhibits import Exhibit, Finding, Result, limit
from helpers.chapters.words import capital, children_text, counted, estimate_text, percent, plain, rounded
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS

PANELS = 80
"""Panels of one picture at most."""
ARM_ORDER = "arm order placebo, hUC-MSC"
TARGET_TIME = "visits at their target time"


def course(values: pd.DataFrame, levels: pd.DataFrame, measure: Measure, p: Parameters) -> Finding:
    """Each child and the group estimates at baseline and the eleven visits: `course.tidy` and `course.levels`."""
    digits = 2 if measure.key == "upcr" else 1
    planned, seen = (int(completeness(values)[name]) for name in ("planned", "seen"))
    key = f"longitudinal.{measure.key}"
    said = {
        "seen": Result(f"{key}.values", seen),
        "planned": Result(f"{key}.planned", planned),
        "share": Result(f"{key}.share", 100 * seen / planned if planned else None, "%", 1),
        "quantified": quantified(values, measure),
        "empty": _empty_visits(levels, measure),
    }
    for row in levels[levels["visit"] == "Baseline"].itertuples():
        text = estimate_text(row.estimate, row.lower, row.upper, row.note, digits)
        name = ARM_KEY[row.arm]
        said[name] = Result(f"{key}.baseline.{name}", row.estimate, measure.unit, digits, text)
    ends = []
    for arm in ARMS:
        part = levels[(levels["arm"] == arm) & levels["estimate"].notna()]
        told = [
            f"{rounded(part.iloc[k]['estimate'], digits)} at {part.iloc[k]['visit']}"
            for k in (0, -1)
            if len(part)
        ]
        ends.append(f"{arm}: {', '.join(told) or 'no value'}")
    kind = "Geometric mean" if measure.ratio else "Mean"
    exhibit = Exhibit(
        f"{measure.key}-course",
        f"{capital(measure.label)} by arm over the visits",
        levels,
        population="all randomised, available values at each visit",
        n=number_of_children(values),
        method=f"{kind.lower()} with 95 % t-interval{' on the logarithm' if measure.ratio else ''}; "
        f"source {source_of(measure)}",
        conventions=[ARM_ORDER, TARGET_TIME, "square-root spacing of time"],
        caption=sentences(
            said["quantified"],
            said["empty"],
            "A line breaks at a missed visit; a cross marks the last value of a child who was not followed to the end.",
        ),
        alt=f"{kind} of {measure.label} ({measure.unit}) by arm. {'; '.join(ends)}.",
        figure=figures.by_arm_over_time(
            values,
            levels,
            label=capital(measure.label),
            unit=measure.unit,
            log=measure.ratio,
            thresholds=_thresholds(measure, p),
        ),
        results=results_of(said),
        folded=measure.key != "upcr",
    )
    return Finding((exhibit,), said)


def change(
    values: pd.DataFrame, changes: pd.DataFrame, contrasts: pd.DataFrame, measure: Measure, p: Parameters
) -> Finding:
    """Figure of the changes from baseline, and their table with the difference between the arms.

    values, changes, contrasts: from `course.tidy`, `course.changes`, `course.contrasts`. Group estimates of values
    that all lie below quantification stand in the table and are not drawn.
    """
    words = change_words(measure)
    table = by_visit(changes, contrasts, words.digits, measure.unchanged)
    last = table.iloc[-1]
    what = "ratio" if measure.ratio else "change"
    said = {}
    for name in (*ARM_KEY.values(), "between"):
        key = f"longitudinal.{measure.key}.{what}_month12.{name}"
        found = (last[name], last[f"{name}_lower"], last[f"{name}_upper"])
        null = measure.unchanged if name == "between" else None
        said |= with_limits(name, key, found, last[f"{name}_text"], words.unit, words.digits, null)
        if name != "between":
            said[f"n_{name}"] = Result(f"{key}_n", int(last[f"n_{name}"]))
    results = results_of(said)
    note = quantified(values, measure)
    mean = "geometric mean of value / baseline" if measure.ratio else "mean of value - baseline"
    common = {
        "population": "all randomised with a baseline and a value at the visit",
        "n": number_of_children(values.dropna(subset="change")),
        "method": f"{mean} with 95 % t-interval, {words.between} with Welch's 95 % interval"
        f"{', both on the logarithm' if measure.ratio else ''}; not adjusted, no p-values; source {source_of(measure)}",
        "conventions": [ARM_ORDER, TARGET_TIME, "rounded half away from zero"],
    }
    hidden = (changes["n"] > 0) & (changes["below_quantification"] == changes["n"])
    shown = changes.drop(columns="below_quantification")
    lines = [no_change(measure)]
    if measure.key == "upcr":
        lines.append((1 - p.remission_fall, f"{plain(100 * p.remission_fall)} % below baseline"))
    figure = Exhibit(
        f"{measure.key}-change",
        f"{words.quantity} of {measure.label} by arm",
        shown,
        alt=f"{words.quantity} of {measure.label}, {mean} by arm over the visits. At {LAST}: {arms_text(last)}.",
        figure=change_figure(shown.assign(estimate=shown["estimate"].mask(hidden)), measure, lines),
        caption=sentences(
            note,
            f"{hidden.sum()} group estimates with all values below quantification are not drawn."
            if hidden.any()
            else "",
        ),
        **common,
        # of UPCR the adjusted course leads, and this one describes
        folded=measure.key == "upcr",
    )
    listed = Exhibit(
        f"{measure.key}-change-table",
        f"{words.quantity} of {measure.label} by visit and arm",
        table,
        columns=words.headings("{arm} (95 % interval)"),
        units=words.units(),
        results=results,
        caption=note,
        **common,
        folded=True,
    )
    return Finding((figure, listed), said | {"visit": LAST, "quantified": note})


def children(
    values: pd.DataFrame, last: pd.DataFrame, improved: pd.DataFrame, measure: Measure, p: Parameters
) -> Finding:
    """One panel a child, the best change first: `course.tidy`, `course.last_values` and `course.improved`.

    At most `PANELS` panels: then as many from either end.
    """
    order = list(last["child"])
    drawn = order if len(order) <= PANELS else order[: PANELS // 2] + order[-PANELS // 2 :]
    level = _thresholds(measure, p)[0][0]
    key, said = f"longitudinal.{measure.key}", {}
    for row in improved.itertuples():
        name, text = ARM_KEY[row.arm], percent(row.improved, row.n)
        said[name] = Result(f"{key}.better_at_last.{name}", row.improved, text=text)
    told = "; ".join(f"{arm} {said[name]}" for arm, name in ARM_KEY.items())
    results = results_of(said)
    without = int((improved["children"] - improved["n"]).sum())
    exhibit = Exhibit(
        f"{measure.key}-children",
        f"{capital(measure.label)}, one panel a child",
        last,
        population="all randomised",
        n=number_of_children(values),
        method=f"change from baseline to the child's last value; source {source_of(measure)}",
        conventions=["arms by colour, line and mark", "best change first"],
        caption=sentences(
            quantified(values, measure),
            f"Dotted: {plain(level)} {measure.unit}.",
            f"{without} without a value after baseline, or without a baseline, come last." if without else "",
            f"Of {len(order)} children the {PANELS // 2} first and the {PANELS // 2} last are drawn."
            if len(drawn) < len(order)
            else "",
        ),
        alt=f"Small panels of {measure.label}. "
        f"Last value {'below' if measure.better < 0 else 'above'} baseline: {told}.",
        figure=figures.small_multiples(
            values, order=drawn, label=capital(measure.label), unit=measure.unit, log=measure.ratio, threshold=level
        ),
        results=results, folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said | {"without": Result(f"{key}.without_change", without)})


@dataclass(frozen=True)
class ChangeWords:
    """How a change of a measure is told: the quantity, what stands between the arms, the scale, unit and decimals."""

    quantity: str
    between: str
    scale: str
    unit: str
    digits: int

    def headings(self, arm_heading: str) -> dict[str, str]:
        """Headings of a table of `by_visit`; `arm_heading` has a place for {arm}."""
        out = {"visit": "Visit"}
        for arm, key in ARM_KEY.items():
            out |= {f"n_{key}": f"n {arm}", f"{key}_text": arm_heading.format(arm=arm)}
        return out | {"between_text": f"{self.between} (95 % interval)"}

    def units(self) -> dict[str, str]:
        """Units of the text columns of a table of `by_visit`."""
        return {f"{name}_text": self.unit for name in (*ARM_KEY.values(), "between") if self.unit}


def change_words(measure: Measure) -> ChangeWords:
    """The words of a measure's change."""
    if measure.ratio:
        return ChangeWords("Ratio to baseline", "hUC-MSC / placebo", f"log({measure.label})", "", 2)
    return ChangeWords("Change from baseline", "hUC-MSC - placebo", measure.label, measure.unit, 1)


def _thresholds(measure: Measure, p: Parameters) -> list[tuple[float, str]]:
    """(value, words) of the lines drawn in a measure's course, the one of its endpoint first."""
    return {
        "upcr": [(p.remission_threshold, f"{plain(p.remission_threshold)}: complete remission below")],
        "rbc": [(p.haematuria_limit, f"{plain(p.haematuria_limit)}: upper limit of normal")],
        "egfr": [
            (p.egfr_evaluable, f"{plain(p.egfr_evaluable)}: improvement is judged from below"),
            (60.0, "60: enrolled above"),
        ],
    }[measure.key]


def quantified(values: pd.DataFrame, measure: Measure) -> str:
    """What became of values below quantification and of zeros, in words."""
    count = completeness(values)
    words = []
    if count["below"]:
        words.append(
            f"Below quantification, and counted at the limit: {count['below']} of "
            f"{counted(count['recorded'], 'value', 'values')}."
        )
    if count["zero"] and pd.notna(count["zero_as"]):
        words.append(
            f"{counted(count['zero'], 'value of zero counts', 'values of zero count')} as "
            f"{plain(count['zero_as'])}, half "
            "the smallest positive value."
        )
    elif count["zero"]:
        one = count["zero"] == 1
        what, them = ("The one value is", "it") if one else (f"All {count['zero']} values are", "them")
        words.append(f"{what} zero: a ratio scale can't show {them}, nothing is estimated.")
    if words:
        return " ".join(words)
    if not count["known"]:
        return f"No value of {measure.label} at any visit."
    clean = "No value lies below quantification." if measure.key == "upcr" else "No value is zero."
    return clean if measure.ratio else ""


def _empty_visits(levels: pd.DataFrame, measure: Measure) -> str:
    """Visits after baseline at which no child has a value, in words."""
    empty = visits_without_a_value(levels)
    if len(empty) == len(VISITS):
        return f"There is no value of {measure.label} after baseline."
    return f"No child has a value at {', '.join(empty)}." if empty else ""


def by_visit(by_arm: pd.DataFrame, contrasts: pd.DataFrame, digits: int, null: float) -> pd.DataFrame:
    """Estimates by arm and contrasts as one row a visit, in the order of `contrasts`, each with its text.

    null: a contrast of arms that do not differ.
    """
    limits = ["estimate", "lower", "upper"]
    table = contrasts[["visit", "month"]].copy()
    for arm, key in ARM_KEY.items():
        part = by_arm[by_arm["arm"] == arm].set_index("visit").loc[contrasts["visit"]]
        table[f"n_{key}"] = part["n"].to_numpy()
        table[[key, f"{key}_lower", f"{key}_upper"]] = part[limits].to_numpy()
        table[f"{key}_text"] = estimate_texts(part, digits)
    table[["between", "between_lower", "between_upper"]] = contrasts[limits]
    if "df" in contrasts:
        table["df"] = contrasts["df"]
    return table.assign(between_text=estimate_texts(contrasts, digits, null))


def no_change(measure: Measure) -> tuple[float, str]:
    """The line of no change in a figure of changes."""
    return measure.unchanged, f"{plain(measure.unchanged)}: no change"


def change_figure(
    summary: pd.DataFrame, measure: Measure, lines: Sequence[tuple[float, str]], adjusted: str = ""
) -> Figure:
    """Group estimates of a change over the visits, without the children; `lines`: (value, words)."""
    words = change_words(measure)
    return figures.by_arm_over_time(
        None,
        summary,
        label=f"{capital(measure.label)}, {adjusted}{words.quantity.lower()}",
        unit=words.unit,
        ratio=measure.ratio,
        thresholds=lines,
    )


def with_limits(
    name: str,
    key: str,
    found: tuple[float, float, float],
    text: str,
    unit: str,
    digits: int,
    null: float | None = None,
) -> dict[str, Result]:
    """An estimate, told with its interval, and its limits as results of their own; `found`: all three.

    null: the estimate without an effect, of one that compares the arms.
    """
    estimate, lower, upper = found
    return {
        name: Result(key, estimate, unit, digits, text),
        f"{name}_lower": limit(f"{key}_lower", lower, unit, digits, null),
        f"{name}_upper": limit(f"{key}_upper", upper, unit, digits, null),
    }


def estimate_texts(frame: pd.DataFrame, digits: int, null: float | None = None) -> list[str]:
    """Each row's estimate with its interval in words; null as of `estimate_text`."""
    return [estimate_text(r.estimate, r.lower, r.upper, r.note, digits, null) for r in frame.itertuples()]


def arms_text(row: pd.Series) -> str:
    """Both arms of a row of `by_visit`, in words."""
    return "; ".join(f"{arm} {row[f'{key}_text']}" for arm, key in ARM_KEY.items())


def results_of(said: Mapping[str, Result | str]) -> list[Result]:
    """The results among what is said: an exhibit states them."""
    return [value for value in said.values() if isinstance(value, Result)]


def sentences(*parts: str) -> str:
    """The parts that say something, one after the other."""
    return " ".join(part for part in parts if part)


def number_of_children(values: pd.DataFrame) -> str:
    """How many children have a row in `values`, placebo v hUC-MSC."""
    return children_text(values.drop_duplicates("child").rename(columns={"arm": "TRT01P"}))


def source_of(measure: Measure) -> str:
    return f"ADSL and ADLB ({measure.paramcd})"
