"""Chapters 01 and 03: the generative model as a table, held against published numbers; what selection does."""

import numpy as np
import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import rounded
from helpers.design import selection
from helpers.design.published import CLINIC
from helpers.study.parameters import Parameters

_DRAWN = "200,000 children or more for each population"
_PANELS = {
    "upcr": "UPCR of boys at the first visit, untreated (mg/mg)",
    "egfr boys": "eGFR of boys in care (mL/min/1.73m2)",
    "egfr x-linked": "eGFR in X-linked disease (mL/min/1.73m2)",
    "NH24": "eGFR slope, boys (mL/min/1.73m2 a year)",
    "NH25": "eGFR slope, girls",
    "NH26": "eGFR slope, proteinuric",
    "NH27": "eGFR slope, not proteinuric",
}
"""Title of each curve's panel."""
_LOG = (_PANELS["upcr"],)
_BASELINES = {
    "eligibility": "eligibility sample",
    "separate": "separate sample",
    "mean of both": "mean of both",
}
_WAYS = {
    "any visit": "At any visit",
    "confirmed at the next visit": "Confirmed at the next visit",
    "confirmed": "Confirmed after {days} days or more",
    "month 12": "At month 12",
}
"""Ways to count a remission, as column headings."""


def components(frame: pd.DataFrame) -> Exhibit:
    """The components of the generative model, as `trial.components.table` prints them."""
    return Exhibit(
        "model",
        "The model behind the children: " + ", ".join(dict.fromkeys(frame["part"])),
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


def quantities(frame: pd.DataFrame, part: str) -> Exhibit:
    """Published quantities beside the simulated ones, as `design.beside_published.quantities` gives them."""
    data = frame.copy()
    data["shown"] = [
        f"{_three(r.published)} ({_three(r.low)} to {_three(r.high)}; {r.range})" for r in frame.itertuples()
    ]
    data["ours"] = [
        "–" if pd.isna(r.simulated) else f"{_three(r.simulated)} ({_three(r.mc_low)} to {_three(r.mc_high)})"
        for r in frame.itertuples()
    ]
    data["result"] = [f"{r.verdict}. {r.why}" if r.why else r.verdict for r in frame.itertuples()]
    inside = int((frame["verdict"] == "inside").sum())
    stem = "screening" if part == CLINIC else "follow_up"
    return Exhibit(
        "calibration",
        "Published quantities and the simulated ones",
        data,
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


def curves(frame: pd.DataFrame, medians: pd.DataFrame) -> Exhibit:
    """Simulated cumulative distributions with published medians and quartiles (or mean and SD) on them.

    frame, medians: as `design.beside_published.curves` and `medians` give them.
    """
    drawn = frame.assign(panel=frame["curve"].map(_PANELS))
    told = "; ".join(
        f"{_PANELS[r.curve]}: simulated median {r.simulated:.3g}, published {r.published:.3g} ({r.source})"
        for r in medians.dropna(subset=["simulated"]).itertuples()
    )
    return Exhibit(
        "calibration-pictures",
        "Simulated distributions with the published medians and quartiles on them",
        drawn[["panel", "kind", "percentile", "value", "source"]],
        population="as each published population was defined",
        n=_DRAWN,
        method="cumulative distributions; helpers.design.populations",
        conventions=(
            "diamonds are published medians and quartiles, or mean and mean -+ SD put at 50, 16 and 84 %",
            "bars are what chance leaves at the paper's number of children",
        ),
        alt=f"Cumulative curves. {told}.",
        figure=figures.beside_published(drawn, log=_LOG),
    )


def falls(frame: pd.DataFrame) -> Exhibit:
    """How far UPCR falls in stable children only because they were selected on it (`design.artefacts.falls`)."""
    return Exhibit(
        "selected-baseline",
        "Fall of UPCR in stable children, from selection alone",
        frame.assign(baseline=frame["baseline"].map(_BASELINES)),
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


def remissions(frame: pd.DataFrame) -> Exhibit:
    """How often a child whose disease does not change is counted as remitted (`design.artefacts.remissions`)."""
    plan = Parameters()  # `selection` reads remission as the plan does, whatever a study changes
    data = frame.copy()
    data.insert(0, "child", [_child(row) for row in frame.itertuples()])
    return Exhibit(
        "stable-remission",
        "A stable child's probability of a “remission”, by noise and definition (%)",
        data,
        population="children whose true UPCR does not change",
        n=f"{selection.STABLE} drawn for each row",
        method="helpers.analysis.derive on baseline and eleven visits, all attended",
        columns={
            "child": "Noise and true UPCR",
            "definition": "Definition of remission",
            **{way: heading.format(days=plan.confirm_days) for way, heading in _WAYS.items()},
        },
        digits=dict.fromkeys(_WAYS, 1),
        conventions=(
            f"fall: {rounded(100 * plan.remission_fall)} % below baseline",
            "one baseline sample with the same noise, not selected",
            "evaluable where that baseline reaches the threshold",
        ),
        caption="Confirmation removes most of it where noise is independent, less where deviations last for weeks.",
    )


def _child(row) -> str:
    if row.noise == "independent":
        return f"independent, log-SD {row.sd:.1f}; 1 mg/mg"
    return f"as assumed, with slow deviation; {row.level:g} mg/mg"


def artefacts(fallen: pd.DataFrame, remitted: pd.DataFrame) -> Exhibit:
    """The two tables as one picture: selection on the left, remission by noise on the right."""
    by_noise = remitted[(remitted["noise"] == "independent") & (remitted["definition"] == "fall")]
    ways = ("any visit", "confirmed", "month 12")
    data = pd.concat(
        [
            _line("selection", _BASELINES[name], part["threshold"], part["month 12"])
            for name, part in fallen.groupby("baseline", sort=False)
        ]
        + [_line("remission", way, by_noise["sd"], by_noise[way]) for way in ways],
        ignore_index=True,
    )
    near = by_noise[np.isclose(by_noise["sd"].astype(float), 0.4)].iloc[0]
    largest = data[data["panel"] == "selection"].dropna().sort_values("value").head(1)
    fall = "".join(
        f"The largest fall from selection is {rounded(-r.value, 1)} % ({r.line}, threshold {r.x:g}). "
        for r in largest.itertuples()
    )
    return Exhibit(
        "artefacts",
        "What selection and noise do to children whose disease does not change",
        data,
        population="stable children",
        n=f"{selection.BATCHES * selection.CLINIC} drawn (left), {selection.STABLE} for each noise (right)",
        method="as in the two tables",
        conventions=("remission here is the fall from baseline that the plan defines",),
        alt=f"{fall}At independent noise of log-SD 0.4 a stable child remits at any visit with "
        f"{rounded(near['any visit'])} %, confirmed with {rounded(near['confirmed'])} %, at month 12 "
        f"with {rounded(near['month 12'])} %.",
        figure=figures.selection_and_noise(data),
    )


def _line(panel: str, line: str, x: pd.Series, values: pd.Series) -> pd.DataFrame:
    """A line of the picture: panel, line, x, value."""
    return pd.DataFrame(
        {"panel": panel, "line": line, "x": x.to_numpy(float), "value": values.to_numpy(float)}
    )
