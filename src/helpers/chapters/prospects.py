"""Chapter 08, behind its finding: exact figures beside simulated ones, what hurts, looks, best of many, assurance.

Frames of `design.characteristics` and `design.prospects` in, exhibits and what may be said of them out.
"""

import numpy as np
import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.operating import MONTE_CARLO, POPULATION, SIDES, gain_text, percent_text
from helpers.chapters.words import capital, grouped, joined, plain, rounded
from helpers.design import prospects
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.design.prospects import NUMERIC
from helpers.study.parameters import Parameters

SHORT = {PRIMARY: "confirmed remission (primary)", NUMERIC: "log UPCR averaged"}

# ------------------------------------------------------------------ exact beside simulated

QUESTIONS = {
    f"power {PRIMARY}": ("Primary, claims for the cells", "all tables at the simulated shares", "unequal arms"),
    "se ancova average": (
        "Log UPCR averaged, SD of the estimates, nobody missing", "Frison and Pocock's variance",
        "children differ in their effect",
    ),
    "power ancova average, complete": (
        "Log UPCR averaged, claims for the cells, nobody missing", "noncentral t", "children differ in their effect",
    ),
    "power ancova average": (
        "Log UPCR averaged, claims for the cells", "noncentral t", "missed visits and drop-out, which it leaves out",
    ),
    "se ancova month 12": (
        "Log UPCR at month 12, SD of the estimates, nobody missing", "variance given baseline",
        "children differ in their effect",
    ),
    "power ancova month 12, complete": (
        "Log UPCR at month 12, claims for the cells, nobody missing", "noncentral t",
        "children differ in their effect",
    ),
    "power ancova month 12": (
        "Log UPCR at month 12, claims for the cells", "noncentral t", "missed visits and drop-out, which it leaves out",
    ),
    "power log-rank": (
        "Time to confirmed remission, claims for the cells", "Schoenfeld",
        "hazards that are not proportional: the effect builds up",
    ),
    "fever": ("At least one fever within 24 h of hUC-MSC", "binomial", "none is expected"),
    "false remission": (
        "A stable child in confirmed remission by the noise of its samples", "integral over the noise of baseline",
        "UPCR is reported to two decimals",
    ),
}  # fmt: skip
"""Question -> words, the exact method, and what it leaves out."""
CHANCE, KNOWN = 3.0, 2.0
"""Monte Carlo errors within which two figures agree; and where the closed form is known to leave something out."""
COMPLETE = {"fever", "false remission", f"power {PRIMARY}"}
"""Questions whose exact figure leaves nothing of weight out."""


def exactly(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Simulated figures beside exact ones: `characteristics.beside_exactly`."""
    digits = {"%": 1, "log": 3}

    def told(value: float, unit: str) -> str:
        return f"{rounded(value, digits[unit])}{' %' if unit == '%' else ''}"

    def effect(value: float) -> str:
        return "–" if not np.isfinite(value) else "none" if value == 1 else f"x {plain(value)}"

    table = frame.assign(
        words=[QUESTIONS[q][0] for q in frame["question"]],
        effect_text=[effect(v) for v in frame["effect"]],
        simulated_text=[
            f"{told(r.simulated, r.unit)} ± {rounded(r.se, digits[r.unit] + 1)}" for r in frame.itertuples()
        ],
        exact_text=[told(r.exact, r.unit) for r in frame.itertuples()],
        by=[QUESTIONS[q][1] for q in frame["question"]],
        reason=[
            QUESTIONS[r.question][2]
            if abs(r.apart) > (CHANCE if r.question in COMPLETE else KNOWN)
            else "within chance"
            for r in frame.itertuples()
        ],
    )
    near = int((table["reason"] == "within chance").sum())
    said: dict[str, Result | str] = {
        "near": Result("operating.exact.within_chance", near),
        "of": Result("operating.exact.pairs", len(frame)),
    }
    exhibit = Exhibit(
        "beside-exact",
        "Simulated figures beside exact ones",
        table,
        columns={
            "words": "Figure", "effect_text": "Effect", "simulated_text": "Simulated (± MCSE)", "exact_text": "Exact",
            "by": "By", "apart": "Apart, MCSEs", "reason": "Why apart",
        },
        digits={"apart": 1},
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"{grouped(trials)} trials; exact figures by closed form, integral or enumeration, variances and true "
        "effects from very many children of whom everything is known",
        conventions=[
            "MCSE: Monte Carlo standard error",
            f"within chance: up to {plain(CHANCE)} MCSEs apart, {plain(KNOWN)} where the exact figure is known to "
            "leave something out",
            "primary: at each arm's simulated share; the figure among the claims without an effect has one share for "
            "both arms",
            "nobody missing: no missed visit, lost sample or drop-out, as the closed form assumes",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)


# ------------------------------------------------------------------ other measures

SLOPE = "eGFR slope"
CELLS = "red cells average"


def others(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Other measures, and mixed models: `characteristics.others`."""

    def detectable(row) -> str:
        unit = ANALYSES[row.analysis].unit
        if not np.isfinite(row.detectable):
            return "–"
        return (
            f"x {rounded(np.exp(-row.detectable), 2)}" if unit == "log ratio" else rounded(row.detectable, 1)
        )

    table = frame.assign(
        label=[capital(ANALYSES[name].label) for name in frame["analysis"]],
        text=[percent_text(r.power, r.power_lower, r.power_upper) for r in frame.itertuples()],
        false_text=[percent_text(r.false, r.false_lower, r.false_upper) for r in frame.itertuples()],
        detectable_text=[detectable(row) for row in frame.itertuples()],
        unit=[ANALYSES[name].unit if not ANALYSES[name].event else "–" for name in frame["analysis"]],
    )
    at = table.set_index("analysis")
    slope, cells = at.loc[SLOPE], at.loc[CELLS]
    said: dict[str, Result | str] = {
        "slope": Result("operating.others.slope_detectable", slope["detectable"], "mL/min/1.73m² a year", 1),
        "slope_power": Result("operating.others.slope_power", slope["power"], "%", 1, slope["text"]),
        "slope_assumed": plain(p.gfr_slope_effect),
        "cells": Result("operating.others.cells_detectable", float(np.exp(-cells["detectable"])), "", 2),
        "cells_power": Result("operating.others.cells_power", cells["power"], "%", 1, cells["text"]),
        "cells_assumed": plain(p.rbc_effect),
    }
    exhibit = Exhibit(
        "other-measures",
        "Other measures, and mixed models",
        table,
        columns={
            "label": "Analysis", "text": "Power", "false_text": "Claims without an effect on UPCR",
            "detectable_text": "Found with 80 %", "unit": "Scale",
        },
        population=POPULATION,
        n=f"{p.n_randomised} children a trial; {' to '.join(_ends(frame['answered']))} of the trials answer",
        method=f"{grouped(trials)} trials, {SIDES}; fitted as in chapters 05 and 06, many trials at once",
        conventions=[
            MONTE_CARLO,
            f"assumed effects: UPCR x {plain(p.upcr_effect)}, red cells x {plain(p.rbc_effect)}, slope of eGFR "
            f"+{plain(p.gfr_slope_effect)} mL/min/1.73m² a year",
            "found with 80 %: (z of the level + z of 80 %) times the SD of the estimates",
            "without an effect on UPCR those on red cells and eGFR stay: there a claim is no false one",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)


def _ends(counts: pd.Series) -> list[str]:
    low, high = int(counts.min()), int(counts.max())
    return [str(low)] if low == high else [str(low), str(high)]


# ------------------------------------------------------------------ what hurts, and how the effect is shaped


def hurts(frame: pd.DataFrame, brief: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """One assumption at a time moved: `characteristics.hurts`; brief: `characteristics.answer_in_brief`."""
    at = brief.set_index("question")["estimate"]
    planned = {SHORT[PRIMARY]: float(at["power"]), SHORT[NUMERIC]: float(at["power_numeric"])}
    wide = frame.pivot_table(
        index=["analysis", "what"],
        columns="end",
        values=["value", "power", "power_lower", "power_upper"],
        sort=False,
    )
    rows = []
    for (name, what), row in wide.iterrows():
        times = "x " if len(prospects.HURTS[what][0]) > 1 else ""
        one = {"panel": SHORT[name], "what": what}
        for end in ("low", "high"):
            one |= {f"{end}_text": f"{times}{plain(row['value', end])}", end: row["power", end]}
            one |= {f"{end}_{limit}": row[f"power_{limit}", end] for limit in ("lower", "upper")}
        rows.append(one)
    table = pd.DataFrame(rows)
    first = table[table["panel"] == SHORT[PRIMARY]]
    worst = first.loc[(first["high"] - first["low"]).abs().idxmax()]
    said: dict[str, Result | str] = {
        "worst": worst["what"],
        **{
            end: Result(
                f"operating.hurts.{end}",
                worst[end],
                "%",
                0,
                percent_text(*(worst[f"{end}{limit}"] for limit in ("", "_lower", "_upper"))),
            )
            for end in ("low", "high")
        },
        "low_text": worst["low_text"],
        "high_text": worst["high_text"],
    }
    exhibit = Exhibit(
        "what-hurts",
        "Power with one assumption at a time at a low and a high value",
        frame,
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"{grouped(trials)} trials a value, the same random numbers",
        conventions=[
            "bars: 95 % Monte Carlo intervals",
            f"assumed effect: UPCR x {plain(p.upcr_effect)}",
            "x: times the value of the plan",
        ],
        alt="Power of the primary by assumption. "
        + "; ".join(
            f"{r.what}: {rounded(r.low)} % at {r.low_text}, {rounded(r.high)} % at {r.high_text}"
            for r in first.itertuples()
        )
        + ".",
        figure=figures.tornado(table, planned=planned),
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )
    return Finding((exhibit,), said)


def fairness(frame: pd.DataFrame, gains: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Whether the comparison hangs on the effect's shape: `characteristics.fairness`, `simulation_error.worlds`."""
    rows = []
    for (shape, effect), part in frame.groupby(["shape", "effect"], sort=False):
        row: dict[str, object] = {"shape": capital(shape), "effect": effect}
        for one in part.itertuples():
            key = "primary" if one.analysis == PRIMARY else "numeric"
            row |= {key: one.power, f"{key}_text": percent_text(one.power, one.power_lower, one.power_upper)}
        rows.append(row)
    limits = [tuple(row) for row in gains[["gain", "gain_lower", "gain_upper"]].to_numpy()]
    table = pd.DataFrame(rows).assign(gain_text=[gain_text(*row, unit="") for row in limits])
    gain = gains["gain"]
    said: dict[str, Result | str] = {
        "wins": Result("operating.fairness.numeric_finds_more", int((gain > 0).sum())),
        "of": Result("operating.fairness.worlds", len(table)),
        "sure": Result("operating.fairness.beyond_error", int((gains["gain_lower"] > 0).sum())),
        **{
            name: Result(
                f"operating.fairness.{key}",
                float(gain[at]),
                "points",
                0,
                f"{gain_text(*limits[at], unit='')} points",
            )
            for name, key, at in (
                ("least", "least_gain", gain.idxmin()),
                ("most", "largest_gain", gain.idxmax()),
            )
        },
    }
    exhibit = Exhibit(
        "fairness",
        "The same mean effect, otherwise shaped",
        table,
        columns={
            "shape": "World", "effect": "Mean effect, UPCR x", "primary_text": "Power, confirmed remission (primary)",
            "numeric_text": "Power, log UPCR averaged", "gain_text": "Gain",
        },
        digits={"effect": 2},
        units={"gain_text": "points"},
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"{grouped(trials)} trials a world",
        conventions=[
            MONTE_CARLO,
            "equal mean log effect over the children, and over the follow-up where it wanes",
            f"noisier: {plain(prospects.NOISIER)} times the noise of each sample",
            "gain: 95 % limits as of independent trials (Newcombe); both analyses are of the same trials, so paired "
            "limits would be narrower",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)


# ------------------------------------------------------------------ the best of many, and a look on the way


def picked(frame: pd.DataFrame, trials: int, p: Parameters, words: dict[str, str]) -> Finding:
    """Claims of a reader who picks: `characteristics.picked`; words: `prospects.families`."""
    table = frame.assign(
        label=frame["family"].map(words),
        text=[percent_text(r.power, r.power_lower, r.power_upper) for r in frame.itertuples()],
    )
    at = table.set_index("family")
    said: dict[str, Result | str] = {
        key: Result(f"operating.picked.{key}", at.loc[key, "power"], "%", 1, at.loc[key, "text"])
        for key in ("primary", "all")
    }
    said["choices"] = Result("operating.picked.choices", int(at.loc["all", "choices"]))
    exhibit = Exhibit(
        "best-of-many",
        "Claims for cells that do nothing, by what a reader picks from",
        table,
        columns={
            "label": "What is looked at",
            "choices": "Tests",
            "text": "At least one claim for the cells",
        },
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"{grouped(trials)} trials without an effect of the cells, {SIDES}",
        conventions=[MONTE_CARLO, "no adjustment for the number of tests"],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )
    return Finding((exhibit,), said)


def look(frame: pd.DataFrame, calendar: dict, p: Parameters) -> Finding:
    """One unadjusted look at half of the children: `characteristics.looks`; calendar: the row of that name."""
    names = {"assumed": f"assumed effect (UPCR x {plain(p.upcr_effect)})", "none": "no effect of the cells"}
    table = frame.assign(label=frame["world"].map(names))
    at, trials = frame.set_index("world"), int(calendar["trials"])
    said: dict[str, Result | str] = {
        "half": Result("operating.look.children", int(calendar["with_month_12"])),
        "months": Result("operating.look.months", calendar["months"], "months", 0),
        "randomised": Result("operating.look.randomised", calendar["randomised"], "", 0),
        "planned": str(p.n_randomised),
        "left": "little is left to save"
        if calendar["randomised"] > 0.9 * p.n_randomised
        else "others could be spared",
        "recruited": Result("operating.look.recruited", 100 * calendar["recruited"] / trials, "%", 0),
        "futile": Result("operating.look.futile_none", at.loc["none", "futile"], "%", 0),
        "lost": Result("operating.look.lost", at.loc["assumed", "lost"], "points", 1),
        "once": Result("operating.look.once", at.loc["none", "late"], "%", 1),
        "twice": Result("operating.look.twice", at.loc["none", "either"], "%", 1),
    }
    exhibit = Exhibit(
        "interim-look",
        "One look at half of the children, not adjusted for",
        table,
        columns={
            "label": "World", "placebo": "Remission, placebo", "msc": "Remission, hUC-MSC",
            "early": "Claim at the look", "late": "Claim at the end", "either": "Claim at either",
            "futile": "Called futile", "lost": "Futile, yet a claim at the end",
        },
        units=dict.fromkeys(("placebo", "msc", "early", "late", "either", "futile", "lost"), "%"),
        digits=dict.fromkeys(("placebo", "msc", "early", "late", "either", "futile", "lost"), 1),
        population=POPULATION,
        n=f"{frame['at_look'].iloc[0]} children at the look, {p.n_randomised} at the end",
        method="Boschloo's test, all paths enumerated at the simulated shares",
        conventions=[
            f"futile: conditional power under the assumed effect below {rounded(100 * prospects.LEAST)} %",
            f"calendar: means of {grouped(trials)} simulated trials",
            f"level {plain(p.alpha)} at both times",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)


# ------------------------------------------------------------------ serious events, and assurance


def stopping(limits: pd.DataFrame, chances: pd.DataFrame, p: Parameters) -> Finding:
    """When serious events would stop the trial: `prospects.boundary`, `prospects.stopping`."""
    rate = 100 * prospects.tolerated(p)
    if limits.empty:
        words: dict[str, Result | str] = {
            "boundary": "Without a background rate of serious events there is no boundary to give."
        }
        return Finding((), words)
    table = limits.assign(text=[_within(r.up_to, r.of) for r in limits.itertuples()])
    told = "; ".join(
        f"{rounded(r.stops)} % if the true share is {rounded(r.rate, 1)} %" for r in chances.itertuples()
    )
    said: dict[str, Result | str] = {
        "boundary": f"A boundary for serious events, where {{rate}} of the children are tolerated: stop at "
        f"{_listed(limits)}. So the trial would be stopped in {told}.",
        "rate": Result("operating.stopping.tolerated", rate, "%", 1),
        "false": Result("operating.stopping.at_tolerated", float(chances["stops"].iloc[0]), "%", 1),
    }
    exhibit = Exhibit(
        "stopping-boundary",
        "Children on hUC-MSC with a serious event at which to stop",
        table,
        columns={"events": "Children with an event", "text": "Stop where they come"},
        population="children on hUC-MSC, one after the other",
        n=int(limits["of"].iloc[0]),
        method="exact binomial: so many or more have a chance of at most 5 % under the tolerated share; the chance "
        "over all children by recursion",
        conventions=[
            f"tolerated: {rounded(rate, 1)} % of children within the follow-up, the serious infections that the "
            "register assumes without the cells",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )
    return Finding((exhibit,), said)


def _within(up_to: int, of: int) -> str:
    if up_to >= of:
        return "at any time"
    return "in the first child" if up_to == 1 else f"within the first {up_to} children"


def _listed(limits: pd.DataFrame) -> str:
    parts = [f"{r.events} {_within(r.up_to, r.of)}" for r in limits.itertuples()]
    return joined(parts, "or")


def assured(frame: pd.DataFrame, trials: int, p: Parameters) -> Finding:
    """Chance of success over what may be believed beforehand: `simulation_error.assured`."""
    table = frame.assign(
        label=[
            f"{capital(r.prior)}: {rounded(r.none)} % no effect, else UPCR x {plain(r.median)} (log SD {plain(r.sd)})"
            for r in frame.itertuples()
        ],
        name=frame["analysis"].map(lambda name: capital(SHORT[name])),
        **{
            f"{name}_text": [
                percent_text(*found)
                for found in zip(frame[name], frame[f"{name}_lower"], frame[f"{name}_upper"], strict=True)
            ]
            for name in ("success", "true")
        },
    )
    even = frame[(frame["prior"] == "even") & (frame["analysis"] == PRIMARY)].iloc[0]
    said: dict[str, Result | str] = {
        "largest": Result("operating.assurance.largest", even["largest"], "%", 0)
    }
    for name in ("success", "true"):
        limits = (even[f"{name}_lower"], even[f"{name}_upper"])
        said[name] = Result(
            f"operating.assurance.{name}", even[name], "%", 0, percent_text(even[name], *limits)
        )
    exhibit = Exhibit(
        "assurance",
        "Chance of success before anything is known",
        table,
        columns={
            "label": "Prior", "name": "Analysis", "success_text": "Chance of a claim for the cells",
            "largest": "Prior chance that they work", "true_text": "Such a claim is true",
        },
        units={"largest": "%"},
        digits={"largest": 0},
        population=POPULATION,
        n=f"{p.n_randomised} children a trial",
        method=f"power of {grouped(trials)} trials an effect, its probit straight in the log ratio, averaged over the "
        "prior (Gauss-Hermite)",
        conventions=[
            "priors are opinions, chosen for contrast and not elicited",
            "a claim counts as true where the ratio of UPCR is below 1, by however little; false ones count as claims, "
            "too",
            "without an effect the primary's claims are those of enumeration where there is one",
            "in brackets: every simulated power at its lower, or its upper, 95 % Monte Carlo limit at once (wider than "
            "need be)",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)
