"""Chapter 03: randomisation, infusions, visits, samples, events, drop-out; the truth beside them."""

import pandas as pd

from helpers import figures
from helpers.chapters import by_arm
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import counted, percent, rounded
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS

RANDOMISED = "all randomised"


def randomisation(blocks: pd.DataFrame, p: Parameters) -> Exhibit:
    """The blocks as they came out."""
    letter = dict(zip(ARMS, "PM", strict=True))
    data = blocks.drop(columns="order")
    data["sequence"] = [" ".join(letter[arm] for arm in order) for order in blocks["order"]]
    return Exhibit(
        "randomisation",
        "Permuted blocks of random size",
        data,
        population=RANDOMISED,
        n=" v ".join(str(data[arm].sum()) for arm in ARMS),
        method=f"{p.allocation} hUC-MSC to placebo, block sizes drawn from {', '.join(map(str, p.blocks))}, "
        + ("no strata" if p.strata == "none" else "a list for each stratum of RAS inhibition at baseline"),
        columns={
            "block": "Block",
            "children": "Children",
            **{arm: arm for arm in ARMS},
            "sequence": "Order (P placebo, M hUC-MSC)",
        },
        conventions=("the last block may be cut short by the end of recruitment",),
        folded=True,
    )


def totals(counts: pd.DataFrame) -> dict[str, Result]:
    """What of the plan took place, for the chapter's text."""
    both = counts.groupby("item")[["n", "N"]].sum()
    arm = counts[counts["item"] == "randomised"].set_index("arm")["n"]

    def of_planned(key: str, item: str) -> Result:
        n, N = both.loc[item]
        return Result(f"follow_up.{key}", int(n), text=percent(n, N))

    return {
        "randomised": Result("follow_up.n_randomised", int(both.loc["randomised", "n"])),
        "placebo": Result("follow_up.n_placebo", int(arm["Placebo"])),
        "msc": Result("follow_up.n_msc", int(arm["hUC-MSC"])),
        "left": of_planned("n_left", "left"),
        "attended": of_planned("visits_attended", "attended"),
        "given": of_planned("infusions_given", "given"),
    }


def recruitment(days: pd.DataFrame) -> Exhibit:
    """Screened, eligible and randomised over calendar time."""
    data = days.drop(columns="months").rename(columns={"date": "month"})
    last = days.iloc[-1]
    months = float(days.loc[days["randomised"].idxmax(), "months"])
    return Exhibit(
        "recruitment",
        "Recruitment over time",
        data,
        population="all screened children",
        n=int(last["screened"]),
        alt=f"Cumulative curves: {counted(last['screened'], 'child', 'children')} screened and "
        f"{last['randomised']} randomised "
        f"within {counted(rounded(months), 'month', 'months')}.",
        figure=figures.recruitment(data),
        caption="One draw of the clock: how long recruitment takes on average is told in chapter What this design "
        "can show.",
        results=[Result("follow_up.recruitment_months", months, "months", 0)],
    )


def swimmer(lanes: pd.DataFrame, marks: pd.DataFrame) -> Exhibit:
    """One lane a child: visits, infusions, events, treatment changes, drop-out."""
    n = marks["kind"].value_counts()
    events = sum(n.get(kind, 0) for kind in ("fever", "adverse event", "serious adverse event"))
    return Exhibit(
        "swimmer",
        "Each child from randomisation to last contact",
        marks.merge(lanes, on="child"),
        population=RANDOMISED,
        n=len(lanes),
        conventions=(
            "month 0 is the planned day of the last infusion",
            "lanes sorted by length within the arm",
        ),
        alt=f"One lane for each of {counted(len(lanes), 'child', 'children')}; {n.get('drop-out', 0)} "
        "left before month 12, "
        f"{counted(n.get('missed', 0), 'visit was', 'visits were')} missed, "
        f"{counted(n.get('infusion', 0), 'infusion', 'infusions')} given, "
        f"{counted(events, 'adverse event', 'adverse events')} began.",
        figure=figures.swimmer(lanes.sort_values("end", kind="stable", ascending=False), marks),
    )


def _children(key: str, title: str, head: str, counts: pd.DataFrame, labels: dict[str, str]) -> Exhibit:
    """A table of children by arm."""
    return Exhibit(
        key,
        title,
        by_arm.table(counts, labels),
        population=RANDOMISED,
        n=by_arm.sizes(counts),
        columns=by_arm.headings("item", head),
        conventions=(by_arm.ORDER,),
    )


def treatment(counts: pd.DataFrame) -> Exhibit:
    """Infusions given, RAS inhibition and rescue during follow-up, by arm."""
    labels = {
        "both_infusions": "Both infusions",
        "one_infusion": "One infusion only",
        "postponed": "First infusion postponed: recent infection",
        "ras_at_consent": "On RAS inhibition at consent",
        "ras_changed": "RAS inhibition started or raised later",
        "ras_stopped": "RAS inhibition stopped or lowered later",
        "rescue": "Rescue treatment",
    }
    return _children("treatment", "Treatment given, by arm: children", "Event", counts, labels)


def attendance(counts: pd.DataFrame) -> Exhibit:
    """Visits attended, missed, or after leaving, by visit and arm; UPCR values measured."""
    cells = {
        "attended": lambda row: percent(row["attended"], row["N"]),
        "missed": lambda row: row["missed"],
        "left": lambda row: row["left"],
        "upcr": lambda row: row["upcr"],
    }
    heads = {
        "attended": "{arm}: attended",
        "missed": "{arm}: missed",
        "left": "{arm}: left before",
        "upcr": "{arm}: UPCR measured",
    }
    return Exhibit(
        "attendance",
        "Visits attended and UPCR measured, by visit and arm",
        by_arm.table(counts, {visit.name: visit.name for visit in VISITS}, cells, head="visit"),
        population=RANDOMISED,
        n=by_arm.sizes(counts),
        columns=by_arm.headings("visit", "Visit", heads),
        conventions=(by_arm.ORDER, "percentages of all randomised in the arm"),
    )


def disposition(counts: pd.DataFrame) -> Exhibit:
    """Completed, or left and why, by arm."""
    labels = {item: f"  {item}" for item in counts["item"]}
    labels |= {"completed": "Followed to month 12", "left": "Left before", **by_arm.still_followed(counts)}
    return _children("disposition", "How the trial ended for the children, by arm", "Outcome", counts, labels)


def adverse_events(counts: pd.DataFrame) -> Exhibit:
    """Adverse events recorded, by arm: children and events."""
    labels = {
        "any": "Any",
        "infection": "Infection",
        "fever": "Fever",
        "other": "Other",
        "serious": "Serious",
        "within_24h": "Within 24 h of an infusion",
    }
    cells = {"children": by_arm.share, "events": lambda row: row["events"]}
    heads = {"children": "{arm}: children", "events": "{arm}: events"}
    return Exhibit(
        "events",
        "Adverse events from consent on, by arm (an infection still present at consent included)",
        by_arm.table(counts, labels, cells, head="event"),
        population=RANDOMISED,
        n=by_arm.sizes(counts),
        columns=by_arm.headings("event", "Adverse event", heads),
        conventions=("as recorded; the safety analysis is in the chapter on safety",),
    )


def truth(effects: pd.DataFrame) -> Exhibit:
    """Declared effect beside what the simulated children truly have, free of measurement noise."""
    return Exhibit(
        "truth",
        "The truth behind the data: declared and individual effects on UPCR",
        effects,
        population=RANDOMISED,
        n=by_arm.sizes(effects, "children"),
        method="latent values of the simulation, not estimates",
        columns={
            "arm": "Arm",
            "children": "Children",
            "declared": "Declared ratio at full effect",
            "individual": "Median individual ratio",
            "change": "Median true UPCR, month 12 against baseline",
        },
        digits={"declared": 2, "individual": 2, "change": 2},
        caption="The effect is an assumption of the scenario; in a small arm the individual effects scatter around "
        "it, and a child with one infusion has half of its own. The last column also holds drift, changes of other "
        "treatment and the slow wander of UPCR; it holds no measurement noise. No analysis chapter reads this.",
    )


def missing(values: pd.DataFrame, counts: pd.DataFrame) -> Exhibit:
    """Why values of UPCR, red cells, creatinine and 24-hour protein are missing, by arm: values.

    counts: of `follow_up.totals`, for the number of children.
    """
    tests = {
        "upcr": "UPCR",
        "rbc": "Urine red cells",
        "creatinine": "Creatinine",
        "protein_24h": "24-hour protein",
    }
    parts = [
        part.assign(item=label + ": " + part["reason"])
        for label, part in ((label, values[values["test"] == test]) for test, label in tests.items())
    ]
    shown = pd.concat(parts)
    return Exhibit(
        "missing",
        "Why values are missing, by arm: values",
        by_arm.table(shown, {item: item for item in shown["item"]}),
        population=RANDOMISED,
        n=by_arm.sizes(counts),
        method="the simulation's own record, truth/missing.csv; a real trial knows only part of it",
        columns=by_arm.headings("item", "Value and reason"),
        conventions=("N counts planned visits, screening included", by_arm.ORDER),
        folded=True,
    )
