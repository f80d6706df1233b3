"""What a finished study of many trials shows: its table, the surface of power, the trade-offs, the children needed.

Frames only. Where a study varies more than can be seen at once, the others stand at the planned value: that of the
scenario where it is among those asked, the nearest otherwise.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.design import characteristics, pieces, studies
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.design.study_files import shown
from helpers.study.files import read_json

WANTED = 0.8
"""Power for which children are counted."""


@dataclass(frozen=True)
class Results:
    """A study's table with what it was made from. axes: parameters that vary; planned: their values, and `n`."""

    name: str
    description: str
    scenario: str
    frame: pd.DataFrame
    axes: tuple[str, ...]
    planned: dict[str, Any]
    alpha: float
    current: bool

    @property
    def analyses(self) -> list[str]:
        """Analyses asked at every size of the first question, the primary and the usual rival first."""
        first = self.frame[self.frame["question"] == self.frame["question"].iloc[0]]
        there = list(dict.fromkeys(first["analysis"]))
        return sorted(
            there, key=lambda name: (name != PRIMARY, name != characteristics.NUMERIC, there.index(name))
        )

    @property
    def trials(self) -> str:
        """Trials of a world and question: a number, or from the least to the most."""
        low, high = int(self.frame["trials"].min()), int(self.frame["trials"].max())
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def read(name: str) -> Results:
    """The results of a study; raises Problem where there are none, or their table was changed."""
    final, about = studies.places(name)
    made = read_json(about)
    if not final.is_file() or made.get("study") != name:
        raise Problem(f"{shown(final)} is not there; run `make study STUDY={name}`")
    if made.get("sha256") != studies.checksum(final):
        raise Problem(f"{shown(final)} was changed since it was written; run `make study STUDY={name}`")
    frame = pd.read_csv(final, float_precision="round_trip")
    parameters = made["version"]["parameters"]
    planned = {
        axis: _nearest(made["planned"][axis], list(frame[axis].unique()))
        for axis, values in parameters.items()
        if len(values) > 1
    }
    planned["n"] = _nearest(made["planned"]["n_randomised"], sorted(frame["n"].unique().tolist()))
    return Results(
        name, made["description"], made["version"]["scenario"], frame, tuple(a for a in planned if a != "n"), planned,
        made["planned"]["alpha"], made["code"] == pieces.code(),
    )  # fmt: skip


def _nearest(value: Any, there: list[Any]) -> Any:
    if value in there:
        return value
    numbers = [one for one in there if isinstance(one, int | float)]
    return min(numbers, key=lambda one: abs(one - value)) if numbers else there[0]


def at_planned(results: Results, *free: str) -> pd.DataFrame:
    """The rows in which everything but `free` ("n", or axes) stands at its planned value."""
    frame = results.frame
    for name, value in results.planned.items():
        if name not in free:
            frame = frame[frame[name] == value]
    return frame


def surface(results: Results) -> pd.DataFrame:
    """Power over the first axis and the size, in panels by the second axis: a row a cell and analysis.

    analysis, panel (value of the second axis, empty where there is none), row (of the first), column (children), power,
    mcse (%).
    """
    rows, panels = results.axes[:1], results.axes[1:2]
    frame = at_planned(results, "n", *rows, *panels)
    frame = frame[frame["analysis"].isin(results.analyses)]
    out = frame[["analysis", "power", "mcse"]].copy()
    out["row"] = frame[rows[0]] if rows else ""
    out["panel"] = frame[panels[0]] if panels else ""
    out["column"] = frame["n"]
    return out[["analysis", "panel", "row", "column", "power", "mcse"]].reset_index(drop=True)


def trade_offs(results: Results) -> pd.DataFrame:
    """What each thing that varies does to power, the others as planned: a row a factor, value and analysis.

    factor (an axis or "n"), value, planned (whether it is that of the plan), analysis, power, power_lower, power_upper,
    mcse (%).
    """
    parts = []
    for factor in ("n", *results.axes):
        frame = at_planned(results, factor)
        frame = frame[frame["analysis"].isin(results.analyses)].sort_values(factor, kind="stable")
        part = frame[["analysis", "power", "power_lower", "power_upper", "mcse"]].copy()
        part.insert(0, "factor", factor)
        part.insert(1, "value", frame[factor])
        part.insert(2, "planned", frame[factor] == results.planned[factor])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def spans(results: Results) -> pd.DataFrame:
    """By factor and analysis the least and largest power over its values, the others as planned; the widest first.

    factor, analysis, worst, worst_power, best, best_power, gain (points), gain_mcse (as of independent trials).
    """
    rows = []
    for (factor, analysis), part in trade_offs(results).groupby(["factor", "analysis"], sort=False):
        low, high = part.loc[part["power"].idxmin()], part.loc[part["power"].idxmax()]
        rows.append(
            {
                "factor": factor, "analysis": analysis, "worst": low["value"], "worst_power": low["power"],
                "best": high["value"], "best_power": high["power"], "gain": high["power"] - low["power"],
                "gain_mcse": float(np.hypot(high["mcse"], low["mcse"])),
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values("gain", ascending=False, kind="stable", ignore_index=True)


def children_needed(results: Results) -> pd.DataFrame:
    """Children for a power of `WANTED` by world and analysis, where at least three sizes were asked.

    The axes, analysis, needed, lower, upper (with Wilson's limits of power at each size in its place); NaN = more than
    the largest that is told.
    """
    rows = []
    frame = results.frame[results.frame["analysis"].isin(results.analyses)]
    for key, part in frame.groupby([*results.axes, "analysis"], sort=False):
        part = part.sort_values("n")
        if len(part) < 3:
            continue
        sizes = part["n"].tolist()
        found = {
            name: characteristics.needed(part[column].to_numpy()[None] / 100, sizes, WANTED)
            for name, column in (("needed", "power"), ("lower", "power_upper"), ("upper", "power_lower"))
        }
        key = key if isinstance(key, tuple) else (key,)
        rows.append(dict(zip([*results.axes, "analysis"], key, strict=True)) | found)
    return pd.DataFrame(rows, columns=[*results.axes, "analysis", "needed", "lower", "upper"])


def false_claims(results: Results) -> pd.DataFrame:
    """In worlds where the cells do nothing for UPCR: by analysis the world and size with most claims for them.

    analysis, planned (% significant in favour as planned), planned_mcse, worst (%), worst_mcse, and the axes and n of
    that world; empty where no world is without effect.
    """
    frame = results.frame
    if "upcr_effect" not in results.axes or not (frame["upcr_effect"] == 1).any():
        return pd.DataFrame(
            columns=["analysis", "planned", "planned_mcse", "worst", "worst_mcse", "n", *results.axes]
        )
    none = frame[frame["upcr_effect"] == 1]
    here = none
    for name, value in results.planned.items():
        if name != "upcr_effect":
            here = here[here[name] == value]
    rows = []
    for analysis in results.analyses:
        plan = here[here["analysis"] == analysis].iloc[0]
        part = none[none["analysis"] == analysis]
        worst = part.loc[part["power"].idxmax()]
        rows.append(
            {
                "analysis": analysis, "planned": plan["power"], "planned_mcse": plan["mcse"], "worst": worst["power"],
                "worst_mcse": worst["mcse"], "n": int(worst["n"]), **{axis: worst[axis] for axis in results.axes},
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def label(analysis: str) -> str:
    """How an analysis is called."""
    return ANALYSES[analysis].label if analysis in ANALYSES else analysis
