"""Chapters 01 and 03: the generative model as a table, held against published numbers; what selection does."""

import numpy as np
import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import plain, rounded
from helpers.design import published, selection, survivorship
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
    selection.TWO: "The same, baseline of two samples",
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
        conventions=("sources are rows of targets.csv or targets-2.csv, references, or the word assumption",),
        caption="Who disagrees with a number changes that one parameter in a scenario, and sees what follows.",
        folded=True,
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
    data["result"] = [_result(row) for row in frame.itertuples()]
    inside, beyond = (int((frame["verdict"] == said).sum()) for said in ("inside", "beyond"))
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
        },
        conventions=(
            "a range that the paper does not state is what chance leaves at the paper's own number of children",
            "the row of targets.csv or targets-2.csv stands in the data",
            "a value outside has a reason, and limits within which the reason holds; beyond: not even those are kept",
        ),
        caption=f"{inside} of {len(frame)} simulated values lie inside the published range, {beyond} beyond the limits "
        "of the reason given. The parameters that were set to reach one of these numbers say so in the register of "
        "the plan.",
        results=[
            Result(f"{stem}.calibration_inside", inside),
            Result(f"{stem}.calibration_quantities", len(frame)),
        ],
        folded=True,
    )


def _result(row) -> str:
    """Verdict of a row, its reason, and how far that reaches."""
    if row.verdict == "inside" or not row.bound:
        return f"{row.verdict}. {row.why}" if row.why else row.verdict
    limits = f"{_three(row.bound_low)} to {_three(row.bound_high)} ({row.bound})"
    words = f"stays within {limits}" if row.verdict == "outside" else f"beyond the limits {limits}"
    words = {"not estimable": "not estimable", "outside": f"outside, but {words}", "beyond": words}[
        row.verdict
    ]
    return f"{words}. {row.why}" if row.why else words


def _three(value: float) -> str:
    """Three significant digits, or as many as the whole part has."""
    value = float(value)
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return rounded(value, max(0, min(2, 3 - whole)))


def age_slopes(frame: pd.DataFrame) -> Finding:
    """The slope of GFR within a child and across children of different ages (`design.survivorship.table`)."""
    labels = {"within": "A child's own slope", "clinic": "Across children, in the simulated clinic"}
    data = frame.assign(
        label=[
            labels.get(r.kind)
            or (
                f"Across children, if they leave at a GFR of {plain(r.floor)}"
                if r.floor
                else "Across children, if nobody leaves"
            )
            for r in frame.itertuples()
        ]
    )
    unit, gfr = "mL/min/1.73m2/year", "mL/min/1.73m2"
    named = frame[frame["kind"] != "across"].set_index("kind")["slope"]
    said: dict[str, Result | str] = {
        kind: Result(f"screening.gfr_slope_{kind}", float(slope), unit, 1) for kind, slope in named.items()
    }
    for r in frame[frame["floor"] > 0].itertuples():
        at = f"at_{plain(r.floor)}"
        said[at] = Result(f"screening.gfr_slope_leaving_{at}", r.slope, unit, 1)
        said[f"{at}_explained"] = Result(f"screening.gfr_gap_explained_{at}", r.explained, "%", 0)
        said[f"{at}_spread"] = Result(f"screening.gfr_spread_leaving_{at}", r.spread, gfr, 0)
    last = frame[frame["kind"] == "across"].iloc[-1]
    sds = {row: published.middle(row)[2] - published.middle(row)[0] for row in ("NH22", "NH23")}
    said["published_spread"] = " and ".join(f"{rounded(sd, 1)} ({row})" for row, sd in sds.items())
    said["words"] = _survivorship(frame, last, max(sds.values()))
    table = Exhibit(
        "gfr-age-slopes",
        "Slope of GFR with age: within a child, and across children",
        data,
        population=f"children with severe disease, up to {plain(survivorship.OLDEST)} years",
        n=f"{survivorship.CHILDREN} drawn for the clinic, the rest in closed form",
        method="everyone begins with gfr_mean and gfr_sd at gfr_age_from, keeps their own slope, and is seen at the "
        "clinic's ages while GFR lies above the floor; least squares over those still there; "
        "helpers.design.survivorship",
        columns={
            "label": "Slope",
            "slope": "Value",
            "explained": "Of the gap between the first and the last row",
            "remaining": "Still there at the oldest age",
            "spread": "SD of GFR at the oldest age",
        },
        units={"slope": unit, "explained": "%", "remaining": "%", "spread": gfr},
        digits={"slope": 1, "explained": 0, "remaining": 0, "spread": 0},
        caption="Who loses GFR fastest is missing among the older children, so that these look better than any child's "
        f"own course. Published SD of eGFR: {said['published_spread']}.",
        results=[value for value in said.values() if isinstance(value, Result)],
        folded=True,
    )
    return Finding((table,), said)


def without_proteinuria(frame: pd.DataFrame) -> dict[str, Result]:
    """What is said of the eGFR of boys without proteinuria, ours and published.

    frame: from `design.beside_published.quantities`.
    """
    row = frame[frame["row"] == "N202"].iloc[0]
    unit, name = "mL/min/1.73m2", "screening.egfr_without_proteinuria"
    return {
        "ours": Result(f"{name}.simulated", row["simulated"], unit, 0),
        "published": Result(f"{name}.published", row["published"], unit, 0),
        "low": Result(f"{name}.published_lower", row["low"], unit, 0),
        "high": Result(f"{name}.published_upper", row["high"], unit, 0),
        "former": Result(f"{name}.former_constant", row["bound_low"], unit, 0),
    }


def _survivorship(frame: pd.DataFrame, last: pd.Series, widest: float) -> str:
    """What survivorship explains, as a sentence; last: leaving at the highest floor; widest: largest published SD."""
    first = frame[frame["floor"] > 0].iloc[0]
    if pd.isna(first["explained"]):
        return "There is no gap to explain."
    if first["explained"] < 0:
        return "The slope across children is the steeper one, and survivorship can only make it flatter."
    little, all_of_it = first["explained"] < 50, last["explained"] > 90
    words = (
        f"Kidney failure alone (GFR {plain(first['floor'])}) explains {'a small part' if little else 'most'} of the gap"
        f"{'; ' if little == all_of_it else ', and '}leaving at a GFR of {plain(last['floor'])} would explain "
        f"{'all' if all_of_it else 'a part'} of it."
    )
    if last["spread"] > widest:
        words += (
            " But children whose slopes last for a childhood would differ more in GFR than any published cohort does: "
            "slopes are known over four years, and they do not go on for ever."
        )
    return words


def curves(frame: pd.DataFrame, medians: pd.DataFrame) -> Exhibit:
    """Simulated cumulative distributions with published medians and quartiles (or mean and SD) on them.

    frame, medians: as `design.beside_published.curves` and `medians` give them.
    """
    drawn = frame.assign(panel=frame["curve"].map(_PANELS))
    told = "; ".join(
        f"{_PANELS[r.curve]}: simulated median {plain(r.simulated, 3)}, published {plain(r.published, 3)} ({r.source})"
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
        conventions=(
            "no drift, no effect, no change of treatment, no illness: every change is an artefact",
            "separate: on the day of the first infusion; mean of both: screening and the day of randomisation",
        ),
        caption="Selection on a high value brings children in on a day of high protein; afterwards they return. "
        "A separate baseline sample is free of that but for the slow deviation; the mean of two halves it and "
        "is steadier.",
        folded=True,
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
            "one baseline sample with the same noise, not selected; where so named the geometric mean of two",
            "evaluable where that baseline reaches the threshold",
        ),
        caption="Confirmation removes most of it where noise is independent, less where deviations last for weeks; a "
        "second baseline sample removes much of what is left.",
        folded=True,
    )


def _child(row) -> str:
    if row.noise == "independent":
        return f"independent, log-SD {rounded(row.sd, 1)}; 1 mg/mg"
    return f"as assumed, with slow deviation; {plain(row.level)} mg/mg"


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
        f"The largest fall from selection is {rounded(-r.value, 1)} % ({r.line}, threshold {plain(r.x)}). "
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
