"""Chapter 00: what is registered, how we read its gaps, every parameter, analysis sets, estimands."""

import pandas as pd

from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import plain, rounded
from helpers.design import assumed_effect
from helpers.study import estimands, protocol
from helpers.study.codebook import TABLES
from helpers.study.literature import assumed
from helpers.study.parameters import GROUPS, Parameters

_NOBODY = {"population": "no children: the plan itself", "n": 0}


def registration() -> Exhibit:
    """What the record states, and where."""
    frame = pd.DataFrame(protocol.REGISTERED, columns=["item", "registered", "where"])
    return Exhibit(
        "registration",
        f"What {protocol.TRIAL} registers",
        frame,
        **_NOBODY,
        columns={"item": "Item", "registered": "Registered", "where": "Part of the record"},
        caption="Summarised from the record; rules are quoted word for word where they are used.",
    )


def outcomes() -> Exhibit:
    """Registered outcomes, word for word."""
    frame = pd.DataFrame(protocol.OUTCOMES, columns=["role", "outcome", "text"])
    return Exhibit(
        "outcomes",
        "Registered outcome measures, word for word",
        frame,
        **_NOBODY,
        columns={"role": "Role", "outcome": "Measure", "text": "Registered text"},
    )


def visits(p: Parameters) -> Exhibit:
    """The eleven visits with target days and windows."""
    frame = pd.DataFrame(
        {
            "visit": [v.name for v in protocol.VISITS],
            "day": [v.day for v in protocol.VISITS],
            "window": [f"±{p.visit_window(v.day)}" for v in protocol.VISITS],
            "month": [v.month for v in protocol.VISITS],
        }
    )
    return Exhibit(
        "visits",
        "Follow-up visits after the last infusion",
        frame,
        **_NOBODY,
        columns={
            "visit": "Visit (registered)",
            "day": "Target day",
            "window": "Window",
            "month": "Analysis time",
        },
        units={"day": "days", "window": "days", "month": "months"},
        conventions=(
            "time zero is the planned day of the last infusion",
            f"a month is {protocol.DAYS_PER_MONTH} days",
        ),
        caption="The visits are registered; the windows are ours.",
        folded=True,
    )


def register(frame: pd.DataFrame, group: str | None = None) -> Exhibit:
    """A group of the register of parameters (`Study.register`); without one, what differs from its default."""
    chosen = frame["group"] == GROUPS[group] if group else frame["value"] != frame["default"]
    frame = frame[chosen].reset_index(drop=True)
    title = GROUPS[group] if group else "Parameters that this study sets otherwise than by default"
    return Exhibit(
        f"register-{group or 'changed'}",
        f"{title}: {len(frame)} parameters" if group else title,
        frame,
        **_NOBODY,
        columns={
            "parameter": "Parameter",
            "value": "Value",
            "default": "Default",
            "unit": "Unit",
            "allowed": "Allowed",
            "reason": "What it is, and why",
            "source": "Source",
        },
        caption="Sources are row ids of targets.csv or targets-2.csv, a reference, or the word assumption.",
        results=[] if group else [Result("plan.parameters_changed", len(frame))],
        folded=group is not None,
    )


_REACHED = {
    "N208": "atrasentan against placebo in adults with IgA nephropathy",
    "N209": "sparsentan against irbesartan in children",
    "N211": "SGLT2 inhibitors",
}
"""What other treatments reached, by row."""
_THAN = {"more": "more than", "about": "about that of", "less": "less than"}


def effect(frame: pd.DataFrame) -> Finding:
    """The assumed effect beside what is published, as `design.assumed_effect.table` has it, and how bold it is."""
    data = frame.copy()
    data["label"] = [
        "Assumed here: hUC-MSC against placebo, typical responder, at full effect"
        if r.row == assumed_effect.ASSUMED
        else f"{r.what}; {r.population}"
        for r in frame.itertuples()
    ]
    data["text"] = [_change(r) if pd.notna(r.change) else r.states for r in frame.itertuples()]
    data["beside"] = [_THAN[r.than].removesuffix(" of") if r.than else "" for r in frame.itertuples()]
    by = frame.set_index("row")
    assumed = float(by.loc[assumed_effect.ASSUMED, "change"])
    said: dict[str, Result | str] = {
        "assumed": Result("plan.upcr_change_assumed", assumed, "%", 0),
        "words": _boldness(by, assumed),
        "cells": "Of {what}, {population} saw {states} (N212)".format(**by.loc["N212"]),
        "second": f"{by.loc['N213', 'population']} (N213)",
    }
    for row in assumed_effect.COMPARED:
        said[row] = Result(f"plan.upcr_change_{row.lower()}", float(by.loc[row, "change"]), "%", 1)
    table = Exhibit(
        "assumed-effect",
        "The assumed effect on UPCR, and what is published",
        data,
        population="no children: the plan itself, and rows of targets-2.csv",
        n=0,
        method="change of UPCR against control; helpers.design.assumed_effect",
        columns={
            "label": "Treatment and population",
            "text": "Change of UPCR, or what is stated",
            "beside": "Assumed fall",
            "row": "Row",
            "source": "Source",
        },
        conventions=(f"about: within {plain(assumed_effect.ABOUT)} percentage points",),
        caption=f"{said['words']} The numbers are those of the rows; a change against another drug is not one against "
        "nothing.",
        results=[value for value in said.values() if isinstance(value, Result)],
    )
    return Finding((table,), said)


def _change(row) -> str:
    """A percent change with its interval, where there is one."""
    text = f"{rounded(row.change, 1)} %"
    return text if pd.isna(row.low) else f"{text} ({rounded(row.low, 1)} to {rounded(row.high, 1)})"


def _boldness(by: pd.DataFrame, assumed: float) -> str:
    """Whether the assumed fall is optimistic, in a sentence that names what it is beside."""
    if assumed >= 0:
        return "No fall is assumed: nothing to be optimistic about."
    others = [
        f"{_THAN[by.loc[row, 'than']]} {name} ({_change(by.loc[row])}, {row})"
        for row, name in _REACHED.items()
    ]
    bold = all(by.loc[row, "than"] == "more" for row in assumed_effect.ON_TOP)
    verdict = "is optimistic" if bold else "is no more than other treatments have reached"
    return f"A fall of {rounded(-assumed)} % {verdict}: {others[0]}, {others[1]}, {others[2]}."


def extent(frame: pd.DataFrame, p: Parameters) -> dict[str, Result]:
    """How many parameters the register (`Study.register`) holds, and how many rest on an assumption alone.

    A row of the published numbers may itself be one: where nothing was found, it says so.
    """
    alone = frame["source"].map(lambda one: one == "assumption" or assumed(one))
    return {
        "parameters": Result("plan.parameters", len(frame)),
        "assumptions": Result("plan.assumptions", int(alone.sum())),
        "readings": Result("plan.readings", int((frame["group"] == GROUPS["reading"]).sum())),
        "children": Result("plan.n_randomised", p.n_randomised),
        "tables": Result("plan.tables", len(TABLES)),
    }


def analysis_sets() -> Exhibit:
    """Who is analysed for what."""
    frame = pd.DataFrame(estimands.ANALYSIS_SETS, columns=["set", "flag", "definition", "use"])
    return Exhibit(
        "analysis-sets",
        "Analysis sets",
        frame,
        **_NOBODY,
        columns={"set": "Set", "flag": "Flag in ADSL", "definition": "Definition", "use": "Used for"},
    )


def intercurrent_events() -> Exhibit:
    """What may happen after randomisation, and what is done about it."""
    names = ["event", "strategy", "other", "meaning"]
    frame = pd.DataFrame(estimands.INTERCURRENT_EVENTS, columns=names)
    return Exhibit(
        "intercurrent-events",
        "Intercurrent events and their strategies (ICH E9(R1))",
        frame,
        **_NOBODY,
        columns={
            "event": "Event",
            "strategy": "Strategy",
            "other": "Supplementary estimand",
            "meaning": "What it means here",
        },
        caption=estimands.MISSING_DATA,
        folded=True,
    )


def estimand(number: int) -> Exhibit:
    """One estimand, attribute by attribute."""
    it = estimands.ESTIMANDS[number]
    events = "; ".join(
        f"{event}: {it.strategy(event, strategy)}" for event, strategy, *_ in estimands.INTERCURRENT_EVENTS
    )
    rows = (
        ("Population", it.population),
        ("Treatment", it.treatment),
        ("Variable", it.variable),
        ("Intercurrent events", events),
        ("Summary", it.summary),
        ("Missing data", it.missing),
        ("Sensitivity analyses", it.sensitivity),
        ("Supplementary analyses", it.supplementary),
    )
    return Exhibit(
        f"estimand-{number + 1}",
        f"Estimand {number + 1} ({it.role}): {it.name}",
        pd.DataFrame(rows, columns=["attribute", "choice"]),
        population=it.population,
        n="as randomised",
        columns={"attribute": "Attribute", "choice": "Choice"},
        folded=number > 0,
    )


def remission_rule(p: Parameters) -> dict[str, Result | str]:
    """The numbers of the remission rule in force, for the chapter's text."""
    return {
        "threshold": Result("plan.remission_threshold", p.remission_threshold, "mg/mg", 2),
        "fall": Result("plan.remission_fall", 100 * p.remission_fall, "%", 0),
        "days": Result("plan.confirm_days", p.confirm_days, "days"),
        "alpha": Result("plan.alpha", 100 * p.alpha, "%", 0),
        "definition": p.remission_definition,
    }
