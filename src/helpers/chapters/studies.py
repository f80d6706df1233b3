"""The page of a study of many trials: frames of `design.study_results` in, exhibits and sentences out."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.operating import SIDES, children_needed_text, percent_text
from helpers.chapters.words import capital, grouped, plain, rounded
from helpers.design.characteristics import LARGEST
from helpers.design.study_results import WANTED, Results, label
from helpers.study.parameters import about

POPULATION = "simulated trials of all randomised children"
MOST_SERIES = 2
"""Analyses that are drawn: the primary and its usual rival; the table has all."""


def _factor(name: str) -> str:
    """A factor as an axis says it."""
    if name == "n":
        return "children randomised"
    unit = about(name)["unit"]
    return f"{name} ({unit})" if unit else name


def _value(value: Any) -> str:
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)


def planned_text(results: Results, *free: str) -> str:
    """The planned values of what does not vary, in words."""
    return ", ".join(f"{k} {_value(v)}" for k, v in results.planned.items() if k not in free)


def _common(results: Results, frame: pd.DataFrame, *free: str) -> dict[str, Any]:
    level = f"level {plain(results.alpha)}"
    fixed = planned_text(results, *free)
    return {
        "population": POPULATION,
        "n": f"{results.trials} trials a world",
        "method": f"trials through the simulator, derivations and tests of the chapters, {SIDES}",
        "conventions": [level, *([f"as planned: {fixed}"] if fixed else [])],
    }


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def surface(results: Results, frame: pd.DataFrame) -> Finding:
    """Power over the first axis and the size; a figure an analysis."""
    rows, panels = results.axes[:1], results.axes[1:2]
    exhibits = []
    largest = float(frame["mcse"].max())
    for analysis in results.analyses[:MOST_SERIES]:
        part = frame[frame["analysis"] == analysis]
        best = part.loc[part["power"].idxmax()]
        exhibits.append(
            Exhibit(
                f"surface-{_key(analysis)}",
                f"Chance to speak for the cells (%): {label(analysis)}",
                part,
                **_common(results, part, "n", *rows, *panels),
                caption=f"Framed: 80 % and more. Monte Carlo standard error at most {rounded(largest, 1)} points.",
                alt=f"Grid of power from {rounded(part['power'].min())} to {rounded(part['power'].max())} %; the "
                f"largest with {int(best['column'])} children at {' '.join(rows)} {_value(best['row'])}.",
                figure=figures.surface(
                    part,
                    rows=_factor(rows[0]) if rows else "",
                    columns=_factor("n"),
                    panels=panels[0] if panels else "",
                ),
            )
        )
    said = {"error": Result("study.largest_error", largest, "points", 1)}
    return Finding(tuple(exhibits), said)


def trade_offs(results: Results, frame: pd.DataFrame, spans: pd.DataFrame) -> Finding:
    """What each factor does to power, the others as planned; and which does most."""
    shown = frame[frame["analysis"].isin(results.analyses[:MOST_SERIES])]
    drawn_ = shown.assign(series=shown["analysis"].map(label))
    ranges = ", ".join(
        f"{row.factor} {rounded(row.worst_power)} to {rounded(row.best_power)} %"
        for row in spans[spans["analysis"] == results.analyses[0]].itertuples()
    )
    figure = Exhibit(
        "trade-offs",
        "What each thing does to the chance of finding the effect, the others as planned",
        frame,
        **_common(results, frame),
        caption="Bars: 95 % Monte Carlo limits (Wilson). Dotted: the value of the plan.",
        alt=f"{label(results.analyses[0])}: {ranges}.",
        figure=figures.trade_offs(drawn_, words={name: _factor(name) for name in ("n", *results.axes)}),
    )
    table = spans.assign(
        name=spans["factor"].map(_factor),
        how=spans["analysis"].map(label),
        least=[f"{rounded(r.worst_power, 1)} % at {_value(r.worst)}" for r in spans.itertuples()],
        most=[f"{rounded(r.best_power, 1)} % at {_value(r.best)}" for r in spans.itertuples()],
        span=[f"{rounded(r.gain, 1)} ± {rounded(r.gain_mcse, 1)}" for r in spans.itertuples()],
    )
    listed = Exhibit(
        "spans",
        "Least and largest chance over the values of each thing, the others as planned",
        table,
        folded=True,
        columns={
            "name": "Varied",
            "how": "Analysis",
            "least": "Least",
            "most": "Most",
            "span": "Points between",
        },
        **_common(results, spans),
        caption="Points between: ± Monte Carlo standard error, as of independent trials.",
    )
    mine = spans[spans["analysis"] == results.analyses[0]]
    mend = mine[mine["factor"] != "upcr_effect"]
    first = (mend if len(mend) else mine).iloc[0]
    planned = frame[frame["planned"] & (frame["analysis"] == results.analyses[0])].iloc[0]
    said: dict[str, Result | str] = {
        "analysis": label(results.analyses[0]),
        "planned": Result(
            "study.planned.power", planned["power"], "%", 1,
            percent_text(planned["power"], planned["power_lower"], planned["power_upper"]),
        ),
        "as_planned": planned_text(results),
        "factor": _factor(first["factor"]),
        "worst": _value(first["worst"]),
        "best": _value(first["best"]),
        "worst_power": Result("study.widest.least", first["worst_power"], "%", 1),
        "best_power": Result("study.widest.most", first["best_power"], "%", 1),
    }  # fmt: skip
    return Finding((figure, listed), said)


def needed(results: Results, frame: pd.DataFrame) -> Finding:
    """Children for a power of 80 %, a row a world in which there is an effect, a column an analysis."""
    frame = frame if "upcr_effect" not in results.axes else frame[frame["upcr_effect"] != 1]
    analyses = results.analyses[:MOST_SERIES]
    text = frame.assign(
        text=[children_needed_text(row.needed, row.lower, row.upper) for row in frame.itertuples()]
    )
    axes = list(results.axes)
    wide = text[text["analysis"].isin(analyses)]
    if wide.empty:
        wide = pd.DataFrame(columns=axes)
    elif axes:
        wide = wide.pivot(index=axes, columns="analysis", values="text").reset_index()
        for axis in axes:
            wide[axis] = wide[axis].map(_value)
    else:
        wide = wide[["analysis", "text"]]
    wide.columns.name = None
    names = {axis: _factor(axis) for axis in axes} | {a: label(a) for a in analyses if a in wide}
    exhibit = Exhibit(
        "children-needed",
        f"Children needed for {rounded(100 * WANTED)} %, by world",
        wide,
        folded=True,
        columns=names if axes else None,
        **{**_common(results, frame), "conventions": ["in brackets: with the limits of power at each size"]},
        caption="From a straight line of the probit of power in the root of the size; where even the smallest size "
        "asked reaches it, that size.",
    )
    mine = frame[frame["analysis"] == results.analyses[0]]
    within = int(mine["needed"].notna().sum())
    if mine.empty:
        return Finding(
            (exhibit,), {"sentence": "They are told where there is an effect and three sizes are asked."}
        )
    told = {
        "within": Result("study.worlds_within", within, "", 0),
        "worlds": Result("study.worlds_with_effect", len(mine), "", 0),
    }
    sentence = (
        f"{capital(label(results.analyses[0]))} reaches {rounded(100 * WANTED)} % within {LARGEST} children in "
        f"{told['within']} of {told['worlds']} worlds with an effect."
    )
    exhibit = replace(exhibit, results=tuple(told.values()))
    return Finding((exhibit,), {"sentence": sentence, **told})


def false_claims(results: Results, frame: pd.DataFrame) -> Finding:
    """Claims for cells that do nothing for UPCR, as planned and in the worst world."""
    worlds = [
        ", ".join(
            [f"n {row.n}", *(f"{a} {_value(getattr(row, a))}" for a in results.axes if a != "upcr_effect")]
        )
        for row in frame.itertuples()
    ]
    table = frame.assign(
        name=frame["analysis"].map(label),
        here=[f"{rounded(r.planned, 1)} ± {rounded(r.planned_mcse, 1)} %" for r in frame.itertuples()],
        there=[f"{rounded(r.worst, 1)} ± {rounded(r.worst_mcse, 1)} %" for r in frame.itertuples()],
        world=worlds,
    )
    exhibit = Exhibit(
        "false-claims",
        "Claims for cells that do nothing for UPCR",
        table,
        columns={
            "name": "Analysis",
            "here": "As planned",
            "there": "In the worst world",
            "world": "That world",
        },
        **{**_common(results, frame), "conventions": [f"two-sided level {plain(results.alpha)}", "± MCSE"]},
        caption="In favour of the cells: half of the level where the test holds it. The worst of many worlds is the "
        "largest of many estimates, a little above its true value.",
    )
    if frame.empty:
        return Finding((exhibit,), {"sentence": "No world of this study is without effect."})
    first = frame.iloc[0]
    said: dict[str, Result | str] = {
        "sentence": f"Where the cells do nothing for UPCR, {label(first['analysis'])} speaks for them in "
        f"{rounded(first['planned'], 1)} % of trials as planned, and in {rounded(first['worst'], 1)} % in the worst "
        "world.",
    }
    return Finding((exhibit,), said)


def intro(results: Results) -> dict[str, Result | str]:
    """What is said of a study first."""
    worlds = len(results.frame[list(results.axes)].drop_duplicates()) if results.axes else 1
    return {
        "name": results.name,
        "description": results.description.strip().rstrip("."),
        "scenario": results.scenario,
        "worlds": Result("study.worlds", worlds, "", 0),
        "answers": Result("study.answers", len(results.frame), "", 0, grouped(len(results.frame))),
        "trials": results.trials,
        "axes": "; ".join(
            f"{_factor(a)}: {', '.join(_value(v) for v in results.frame[a].unique())}" for a in results.axes
        ),
        "state": ""
        if results.current
        else f"**These are results of other code: `make study STUDY={results.name}` renews them.**",
    }
