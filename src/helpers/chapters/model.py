"""Chapters 01 and 03: the generative model as a table, held against published numbers; what selection does."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import rounded
from helpers.design import calibration, selection
from helpers.figures.house_style import (
    BLUE,
    CATEGORY_STYLE,
    INK,
    LINE_STYLES,
    ORANGE,
    VERMILLION,
    WIDTH,
    drawing,
    legend_above,
    nothing,
    wrap,
)
from helpers.study.parameters import Parameters
from helpers.study.scenario import Study
from helpers.trial import components

PERCENTILES = tuple(range(1, 100, 2))
"""Percentiles that the kept curves hold."""
_DRAWN = "200,000 children or more for each population"


def model(p: Parameters, *parts: str) -> Exhibit:
    """The components of the generative model, from the code, with the parameters in force."""
    frame = components.table(p, *parts)
    return Exhibit(
        "model",
        "The model behind the children: " + ", ".join(parts),
        frame,
        population="the simulated children",
        n=f"{len(frame)} components",
        method="helpers.trial.components, printed with the values in force",
        columns={
            "component": "Component",
            "distribution": "Distribution",
            "parameters": "Parameters",
            "source": "Source",
        },
        conventions=("sources are rows of targets.csv, references, or the word assumption",),
        caption="Who disagrees with a number changes that one parameter in a scenario, and sees what follows.",
    )


def against_published(study: Study, chapter: int) -> Exhibit:
    """Published quantities beside the simulated ones: range, Monte Carlo interval, inside or outside and why."""
    p = study.parameters
    found = calibration.calibrate(p)["values"]
    changed = calibration.changed(p)
    rows = []
    for q in calibration.quantities():
        if q.chapter != chapter:
            continue
        value, low, high = found[q.key]
        verdict = calibration.verdict(q, value)
        why = q.why if verdict == "outside" else ""
        if verdict != "inside" and changed and not why:
            why = f"This study changes {', '.join(changed[:6])}{' and others' if len(changed) > 6 else ''}."
        source = calibration.targets()[q.row]
        rows.append(
            {
                "quantity": q.what,
                "unit": q.unit,
                "among": q.among,
                "published": q.value,
                "low": q.low,
                "high": q.high,
                "range": q.how,
                "simulated": value,
                "mc_low": low,
                "mc_high": high,
                "verdict": verdict,
                "why": why,
                "row": q.row,
                "source": f"{source['source']} ({source['year']})" if source["year"] else source["source"],
            }
        )
    frame = pd.DataFrame(rows)
    frame["shown"] = [
        f"{_three(r.published)} ({_three(r.low)} to {_three(r.high)}; {r.range})" for r in frame.itertuples()
    ]
    frame["ours"] = [
        "–" if pd.isna(r.simulated) else f"{_three(r.simulated)} ({_three(r.mc_low)} to {_three(r.mc_high)})"
        for r in frame.itertuples()
    ]
    frame["result"] = [f"{v}. {w}" if w else v for v, w in zip(frame["verdict"], frame["why"], strict=True)]
    inside = int((frame["verdict"] == "inside").sum())
    stem = "screening" if chapter == 1 else "follow_up"
    return Exhibit(
        "calibration",
        "Published quantities and the simulated ones",
        frame,
        population="as each published population was defined: age, sex, form, selection, treatment",
        n=_DRAWN,
        method="helpers.design.populations; the interval is Student's t over batches",
        columns={
            "quantity": "Quantity",
            "unit": "Unit",
            "among": "Among",
            "shown": "Published (range)",
            "ours": "Simulated (95 % Monte Carlo interval)",
            "result": "Simulated value against the range",
            "row": "Row of targets.csv",
        },
        conventions=(
            "a range that the paper does not state is what chance leaves at the paper's own number of children",
        ),
        caption=f"{inside} of {len(frame)} simulated values lie inside the published range. The parameters that "
        "were set to reach one of these numbers say so in the register of the plan.",
        results=[
            Result(f"{stem}.calibration_inside", inside),
            Result(f"{stem}.calibration_quantities", len(frame)),
        ],
    )


def _three(value: float) -> str:
    """Three significant digits, or as many as the whole part has."""
    value = float(value)
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return rounded(value, max(0, min(2, 3 - whole)))


UPCR_PANELS = (("upcr", "UPCR of boys at the first visit, untreated (mg/mg)", True, ("NH13",)),)
CLINIC_PANELS = (
    *UPCR_PANELS,
    ("egfr boys", "eGFR of boys in care (mL/min/1.73m2)", False, ("NH22",)),
    ("egfr x-linked", "eGFR in X-linked disease (mL/min/1.73m2)", False, ("NH23",)),
)
COURSE_PANELS = (
    ("NH24", "eGFR slope, boys (mL/min/1.73m2 a year)", False, ("NH24",)),
    ("NH25", "eGFR slope, girls", False, ("NH25",)),
    ("NH26", "eGFR slope, proteinuric", False, ("NH26",)),
    ("NH27", "eGFR slope, not proteinuric", False, ("NH27",)),
)


def _marks(row: str) -> list[tuple[float, float]]:
    """(value, percentile) of a published median and quartiles, or of mean and mean -+ SD."""
    low, value, high = (calibration.number(row, column) for column in ("low", "value", "high"))
    outer = (25.0, 75.0) if "IQR" in calibration.targets()[row]["statistic"] else (15.87, 84.13)
    return [(low, outer[0]), (value, 50.0), (high, outer[1])]


def pictures(study: Study, chapter: int) -> Exhibit:
    """Simulated cumulative distributions with published medians and quartiles (or mean and SD) on them."""
    panels = CLINIC_PANELS if chapter == 1 else COURSE_PANELS
    curves = calibration.calibrate(study.parameters)["curves"]
    rows = [
        {"panel": label, "kind": "simulated", "percentile": float(q), "value": value, "source": ""}
        for name, label, _, _ in panels
        for q, value in zip(PERCENTILES, curves[name], strict=True)
    ]
    rows += [
        {"panel": label, "kind": "published", "percentile": q, "value": value, "source": row}
        for _, label, _, sources in panels
        for row in sources
        for value, q in _marks(row)
    ]
    frame = pd.DataFrame(rows)
    frame["value"] = frame["value"].astype(float)
    told = []
    for name, label, _, sources in panels:
        if curves[name][24] is None:
            continue
        at = np.interp(50, PERCENTILES, curves[name])
        told.append(
            f"{label}: simulated median {at:.3g}, published {calibration.number(sources[0]):.3g} ({sources[0]})"
        )
    return Exhibit(
        "calibration-pictures",
        "Simulated distributions with the published medians and quartiles on them",
        frame,
        population="as each published population was defined",
        n=_DRAWN,
        method="cumulative distributions; helpers.design.populations",
        conventions=(
            "diamonds are published medians and quartiles, or mean and mean -+ SD put at 50, 16 and 84 %",
            "bars are what chance leaves at the paper's number of children",
        ),
        alt="Cumulative curves. " + "; ".join(told) + ".",
        figure=_cumulative(frame, panels),
    )


@drawing
def _cumulative(frame: pd.DataFrame, panels) -> Figure:
    ranges = {q.key: (q.low, q.high) for q in calibration.quantities()}
    columns = min(3, len(panels)) if len(panels) != 4 else 2
    lines = -(-len(panels) // columns)
    fig = Figure(figsize=(WIDTH, 0.7 + 2.9 * lines), layout="constrained")
    axes = np.atleast_1d(fig.subplots(lines, columns)).ravel()
    for ax, (_, label, log, sources) in zip(axes, panels, strict=True):
        part = frame[frame["panel"] == label]
        line, dots = part[part["kind"] == "simulated"].dropna(), part[part["kind"] == "published"]
        if line.empty:
            nothing(ax, "no simulated child fits this population")
            continue
        ax.plot(line["value"], line["percentile"], color=BLUE, linewidth=2)
        for row in sources:
            names = ("quartile 1", "median", "quartile 3")
            for name, dot in zip(names, dots[dots["source"] == row].itertuples(), strict=True):
                if f"{row} {name}" in ranges:
                    ax.hlines(dot.percentile, *ranges[f"{row} {name}"], color=INK, linewidth=1.6)
        ax.plot(dots["value"], dots["percentile"], "D", color=VERMILLION, markeredgecolor=INK, markersize=6.5)
        if log:
            ax.set_xscale("log")
            ax.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
            ax.minorticks_off()
        ax.set(ylim=(0, 100), yticks=range(0, 101, 25))
        ax.set_title(wrap(label, WIDTH / columns - 0.9, 9.4), fontsize=9.4)
    for ax in axes[::columns]:
        ax.set_ylabel("children (%)")
    handles = [
        Line2D([], [], color=BLUE, linewidth=2, label="simulated"),
        Line2D([], [], color=INK, marker="D", markerfacecolor=VERMILLION, linewidth=1.6, label="published"),
    ]
    legend_above(fig, handles, 2)
    return fig


_BASELINE_WORDS = {
    "eligibility": "eligibility sample",
    "separate": "separate sample",
    "mean of both": "mean of both",
}


def selected_baseline(study: Study) -> Exhibit:
    """How far UPCR falls in stable placebo children only because they were selected on it."""
    found = selection.shown(study.parameters)["selection"]
    rows = []
    for threshold in selection.THRESHOLDS:
        for name in selection.BASELINES:
            row = {
                "threshold": threshold,
                "baseline": _BASELINE_WORDS[name],
                "children": int(found[f"{threshold:g} n"][0]),
            }
            for when in selection.AT:
                values = [
                    np.nan if v is None else 100 * np.expm1(v) for v in found[f"{threshold:g} {name} {when}"]
                ]
                row[when], row[f"{when}_low"], row[f"{when}_high"] = values
            halved = found[f"{threshold:g} {name} halved"][0]
            row["halved"] = np.nan if halved is None else 100 * halved
            rows.append(row)
    frame = pd.DataFrame(rows)
    return Exhibit(
        "selected-baseline",
        "Fall of UPCR in stable children, from selection alone",
        frame,
        population="stable children of 3 to 12 years on their usual treatment, none of them treated in a trial",
        n=f"{selection.BATCHES * selection.CLINIC} drawn; those enter whose screening UPCR reaches the threshold",
        method="geometric mean change of the reported UPCR; helpers.design.selection",
        columns={
            "threshold": "Entry UPCR at or above (mg/mg)",
            "baseline": "Baseline",
            "children": "Children",
            **{when: f"Change at {when} (%)" for when in selection.AT},
            "halved": "At half or less at month 12 (%)",
        },
        digits={"threshold": 1, "halved": 1} | dict.fromkeys(selection.AT, 1),
        conventions=("no drift, no effect, no change of treatment, no illness: every change is an artefact",),
        caption="Selection on a high value brings children in on a day of high protein; afterwards they return. "
        "A separate baseline sample is free of that but for the slow deviation; the mean of two halves it and "
        "is steadier.",
    )


def stable_remission(study: Study) -> Exhibit:
    """Probability that a child whose disease does not change is counted as remitted, by noise and definition."""
    frame = pd.DataFrame(selection.shown(study.parameters)["stable"])
    frame.insert(0, "child", [_child(row) for row in frame.itertuples()])
    counts = ("any visit", "confirmed at the next visit", "confirmed", "month 12")
    plan = Parameters()  # `selection` reads remission as the plan does, whatever this study changes
    return Exhibit(
        "stable-remission",
        "A stable child's probability of a “remission”, by noise and definition (%)",
        frame,
        population="children whose true UPCR does not change",
        n=f"{selection.STABLE} drawn for each row",
        method="helpers.analysis.derive on baseline and eleven visits, all attended",
        columns={
            "child": "Noise and true UPCR",
            "definition": "Definition of remission",
            "any visit": "At any visit",
            "confirmed at the next visit": "Confirmed at the next visit",
            "confirmed": f"Confirmed after {plan.confirm_days} days or more",
            "month 12": "At month 12",
        },
        digits=dict.fromkeys(counts, 1),
        conventions=(
            f"fall: {100 * plan.remission_fall:.0f} % below baseline",
            "one baseline sample with the same noise, not selected",
            "evaluable where that baseline reaches the threshold",
        ),
        caption="Confirmation removes most of it where noise is independent, less where deviations last for weeks.",
    )


def _child(row) -> str:
    if row.noise == "independent":
        return f"independent, log-SD {row.sd:.1f}; 1 mg/mg"
    return f"as assumed, with slow deviation; {row.level:g} mg/mg"


def artefacts(study: Study) -> Exhibit:
    """The two tables as one picture: selection on the left, remission by noise on the right."""
    shown = selection.shown(study.parameters)
    rows = []
    for name in selection.BASELINES:
        for threshold in selection.THRESHOLDS:
            value = shown["selection"][f"{threshold:g} {name} month 12"][0]
            value = np.nan if value is None else 100 * float(np.expm1(value))
            rows.append({"panel": "selection", "line": _BASELINE_WORDS[name], "x": threshold, "value": value})
    for how in ("any visit", "confirmed", "month 12"):
        rows += [
            {"panel": "remission", "line": how, "x": row["sd"], "value": row[how]}
            for row in shown["stable"]
            if row["noise"] == "independent" and row["definition"] == "fall"
        ]
    frame = pd.DataFrame(rows)
    frame["value"] = frame["value"].astype(float)
    near = frame[(frame["panel"] == "remission") & (frame["x"] == 0.4)].set_index("line")["value"]
    worst = frame[frame["panel"] == "selection"].dropna().sort_values("value").head(1)
    fall = "".join(
        f"The largest fall from selection is {-r.value:.1f} % ({r.line}, threshold {r.x:g}). "
        for r in worst.itertuples()
    )
    return Exhibit(
        "artefacts",
        "What selection and noise do to children whose disease does not change",
        frame,
        population="stable children",
        n=f"{selection.BATCHES * selection.CLINIC} drawn (left), {selection.STABLE} for each noise (right)",
        method="as in the two tables",
        conventions=("remission here is the fall from baseline that the plan defines",),
        alt=f"{fall}At independent noise of log-SD 0.4 a stable child remits at any visit with "
        f"{near['any visit']:.0f} %, confirmed with {near['confirmed']:.0f} %, at month 12 "
        f"with {near['month 12']:.0f} %.",
        figure=_artefacts(frame),
    )


@drawing
def _artefacts(frame: pd.DataFrame) -> Figure:
    fig = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    left, right = fig.subplots(1, 2)
    for ax, panel in ((left, "selection"), (right, "remission")):
        part = frame[frame["panel"] == panel].dropna()
        if part.empty:
            nothing(ax, "no child is selected under these parameters")
            continue
        for k, (name, line) in enumerate(part.groupby("line", sort=False)):
            color = (BLUE, ORANGE, CATEGORY_STYLE[2][0])[k]
            ax.plot(
                line["x"],
                line["value"],
                marker="osD"[k],
                color=color,
                linestyle=LINE_STYLES[k],
                linewidth=2,
                label=name,
            )
        ax.legend(loc="best")
    left.axhline(0, color=INK, linewidth=0.8)
    left.set_xscale("log")
    left.set_xticks(selection.THRESHOLDS, [f"{t:g}" for t in selection.THRESHOLDS])
    left.minorticks_off()
    left.set(xlabel="entry UPCR at or above (mg/mg)", ylabel="change of UPCR at month 12 (%)")
    right.set(
        xlabel="visit noise (SD of log UPCR)",
        ylabel="stable children counted as remitted (%)",
        ylim=(0, None),
    )
    return fig
