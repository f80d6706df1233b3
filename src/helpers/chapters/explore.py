"""Chapter 11: the researcher's bench.

Moves of `design.exploring` in, exhibits and what may be said of them out: the same for the page, which shows the
scenario's own values, and for the sliders.
"""

import pandas as pd

from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.operating import MONTE_CARLO, POPULATION, SIDES, even_text, more_text, percent_text
from helpers.chapters.words import capital, grouped, plain, rounded
from helpers.design.exploring import STEP, Move
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.figures import explore as figures
from helpers.study.protocol import ARM_KEY, ARMS

REMISSION = {
    "Placebo": "Confirmed remission on placebo, without the cells (false remission)",
    "hUC-MSC": "Confirmed remission on hUC-MSC",
}


def _method(move: Move) -> str:
    return (
        f"{grouped(len(move.trials.arm))} trials through the simulator, derivations and tests of the chapters"
    )


def at_hand(move: Move) -> Finding:
    """What a move shows: remission by arm over its trials, and the power of each analysis."""
    rows = [
        {"what": REMISSION[r.arm], "value": r.share, "lower": r.share_lower, "upper": r.share_upper}
        for r in move.by_arm.itertuples()
    ] + [
        {
            "what": f"Power: {ANALYSES[r.analysis].label}", "value": r.power, "lower": r.power_lower,
            "upper": r.power_upper,
        }
        for r in move.power.itertuples()
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["text"] = [percent_text(r.value, r.lower, r.upper) for r in table.itertuples()]
    said: dict[str, Result | str] = {
        "trials": grouped(len(move.trials.arm)),
        "children": str(move.p.n_randomised),
        "effect": plain(move.p.upcr_effect),
    }
    for row, (key, name) in zip(table.itertuples(), ARM_KEY.items(), strict=False):
        assert row.what == REMISSION[key]
        said[name] = Result(f"explore.remission.{name}", row.value, "%", 1, row.text)
    primary = table.iloc[len(ARMS) + move.power["analysis"].tolist().index(PRIMARY)]
    said["even"] = even_text(move.planned, move.p)
    if said["even"]:
        said["even"] += " So the first of these trials is not the cohort that the other chapters tell of."
    said["more"] = more_text(len(move.trials.arm))
    said["power"] = Result("explore.power", primary["value"], "%", 1, primary["text"])
    exhibit = Exhibit(
        "at-hand",
        f"What {move.p.n_randomised} children would show",
        table,
        columns={"what": "Over many trials", "text": "Answer"},
        population=POPULATION,
        n=f"{move.p.n_randomised} children a trial",
        method=f"{_method(move)}; power: {SIDES}",
        conventions=[
            MONTE_CARLO,
            f"assumed effect: UPCR x {plain(move.p.upcr_effect)}",
            f"level {plain(move.p.alpha)}",
            "not evaluable or undetermined = no remission",
        ],
        results=[value for value in said.values() if isinstance(value, Result)],
    )
    return Finding((exhibit,), said)


def example(children: pd.DataFrame, course: pd.DataFrame, move: Move) -> Finding:
    """One of the trials: `Move.children` and `Move.example`."""
    last = course[course["month"] == course["month"].max()].set_index("arm")
    words = "; ".join(
        f"{arm}: {rounded(last.loc[arm, 'remitted'])} % in confirmed remission, UPCR x "
        f"{rounded(last.loc[arm, 'ratio'], 2)} at month 12"
        for arm in ARMS
    )
    exhibit = Exhibit(
        "example",
        "One example trial: UPCR over baseline, and confirmed remission so far",
        course,
        population="all randomised children of one simulated trial",
        n=", ".join(f"{arm} {last.loc[arm, 'children']}" for arm in ARMS),
        method="thin: children; bold: geometric means of the values there are; right: counted, of all randomised",
        conventions=["time of a visit: its target, from the planned last infusion"],
        caption="Another draw tells another story: that is what one trial of this size is.",
        alt=f"{words}.",
        figure=figures.example_trial(children, course),
    )
    said = {ARM_KEY[arm]: f"{rounded(last.loc[arm, 'remitted'])} %" for arm in ARMS}
    return Finding((exhibit,), said)


def spread(frame: pd.DataFrame, by_arm: pd.DataFrame, move: Move) -> Finding:
    """How remission spreads over the trials: `Move.spread` and `Move.by_arm`."""
    at = by_arm.set_index("arm")
    said: dict[str, Result | str] = {
        ARM_KEY[arm]: f"{rounded(at.loc[arm, 'trial_low'])} to {rounded(at.loc[arm, 'trial_high'])} %"
        for arm in ARMS
    }
    words = "; ".join(
        f"{arm}: mean {rounded(at.loc[arm, 'share'])} %, the middle 95 % of trials {said[ARM_KEY[arm]]}"
        for arm in ARMS
    )
    exhibit = Exhibit(
        "spread",
        "Confirmed remission by arm over many trials",
        frame,
        population=POPULATION,
        n=f"{move.p.n_randomised} children a trial",
        method=f"{_method(move)}; trials by their share in confirmed remission, in classes of {STEP} points",
        conventions=["mark on the axis: mean of all trials"],
        alt=f"Share of children in confirmed remission over the trials. {words}.",
        figure=figures.remission_of_trials(frame, by_arm),
    )  # fmt: skip
    return Finding((exhibit,), said)


def spoken(move: Move) -> str:
    """A move in a sentence, for whoever can't see its figure."""
    said = at_hand(move).said
    return capital(
        f"{said['children']} children, UPCR x {said['effect']}: the primary test finds the effect in "
        f"{said['power']} of {said['trials']} trials; {said['placebo']} of children on placebo count "
        f"as in confirmed remission, {said['msc']} on hUC-MSC.{said['even']}"
    )
