"""Chapter 04: raw tables to ADaM; flow to analysed, disposition, baseline, exposure."""

import pandas as pd

from helpers import figures
from helpers.analysis.baseline import FORMS, RECENT_RAS
from helpers.chapters import by_arm, consort
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import counted, percent, plain
from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS

RANDOMISED = "all randomised"


def tables(frames: dict[str, pd.DataFrame], sets: pd.DataFrame) -> Exhibit:
    """Size of each analysis table (name -> table) and what one row is.

    sets: of `baseline.sets`, for the number of children.
    """
    data = pd.DataFrame(
        [
            {
                "table": name.upper(),
                "title": TABLES[name].title,
                "rows": len(frame),
                "children": int(frame["USUBJID"].nunique()),
                "key": ", ".join(TABLES[name].key),
            }
            for name, frame in frames.items()
        ]
    )
    return Exhibit(
        "tables",
        "The analysis tables",
        data,
        population="all randomised (ADIE: all screened)",
        n=by_arm.sizes(sets),
        columns={
            "table": "Table",
            "title": "What one row is",
            "rows": "Rows",
            "children": "Children",
            "key": "Key",
        },
        folded=True,
    )


def checks(exceptions: pd.DataFrame, sets: pd.DataFrame) -> Exhibit:
    """Consistency of the tables, each line counted (`study.checks.exceptions`); every count must be 0.

    sets: of `baseline.sets`, for the number of children.
    """
    return Exhibit(
        "checks",
        "The tables agree with each other",
        exceptions,
        population=RANDOMISED,
        n=by_arm.sizes(sets),
        columns={"check": "Check", "table": "Table", "exceptions": "Exceptions"},
        results=[Result("analysis.exceptions", int(exceptions["exceptions"].sum()))],
        folded=True,
    )


def flow(counts: pd.DataFrame) -> Exhibit:
    """CONSORT flow from screening to analysed, from `flow.consort`; raises ValueError where boxes don't add up.

    The reasons of who was not eligible stand in chapter 02.
    """
    shown = counts[counts["arm"].notna() | counts["reason"].isna() | (counts["box"] == "eligible")]
    words = {
        "failed": "randomised though a criterion failed",
        "unknown": "randomised with a criterion unknown",
        "evaluable": "with an evaluable baseline UPCR",
        "not evaluable": "below the threshold or missing: no remission",
    }
    boxes = consort.boxes(shown, words)
    # the reasons of this box are `evaluable` and the rest
    evaluable = {arm: dict(boxes[f"analysed_{arm}"][2])[words["evaluable"]] for arm in ARMS}
    of_an_arm = tuple(f"_{arm}" for arm in ARMS)
    told = "; ".join(f"{label} {n}" for name, (label, n, _) in boxes.items() if not name.endswith(of_an_arm))
    arms = "; ".join(
        f"{arm}: allocated {boxes[f'allocated_{arm}'][1]}, analysed {boxes[f'analysed_{arm}'][1]}, "
        f"evaluable {evaluable[arm]}"
        for arm in ARMS
    )
    return Exhibit(
        "consort",
        "From screened to analysed (CONSORT)",
        consort.data(boxes, reasons=False),
        population="all screened children",
        n=boxes["screened"][1],
        conventions=("undetermined children count as no remission in the primary analysis", by_arm.ORDER),
        alt=f"Flow chart: {told}. {arms}.",
        figure=figures.consort(boxes),
        results=[Result(f"analysis.n_evaluable_{short}", evaluable[arm]) for arm, short in ARM_KEY.items()],
    )


def set_sizes(sets: pd.DataFrame) -> dict[str, Result]:
    """Sizes of the analysis sets, both arms together, for the chapter's text."""
    both = sets.groupby("item")[["n", "N"]].sum()
    names = {"safety": "SAFFL", "protocol": "PPROTFL", "evaluable": "UPCRFL"}
    said = {"randomised": Result("analysis.n_randomised", int(both.loc["RANDFL", "n"]))}
    for name, flag in names.items():
        n, N = both.loc[flag]
        said[name] = Result(f"analysis.n_{name}", int(n), text=percent(n, N))
    return said


def sets(counts: pd.DataFrame) -> Exhibit:
    """Analysis sets by arm."""
    data = by_arm.table(counts, {flag: name for name, flag, *_ in ANALYSIS_SETS}, head="set")
    data.insert(1, "flag", [flag for _, flag, *_ in ANALYSIS_SETS])
    return Exhibit(
        "sets",
        "Analysis sets by arm",
        data,
        population=RANDOMISED,
        n=by_arm.sizes(counts),
        columns={"set": "Set", "flag": "Flag in ADSL"} | by_arm.headings("set", "Set"),
        conventions=(by_arm.ORDER,),
    )


def disposition(summary: pd.DataFrame) -> Exhibit:
    """Completed or left, with reasons, by arm; months of observation."""
    labels: dict = {item: f"{item} (reason for leaving)" for item in summary["item"]}
    labels |= {
        "completed": "Followed to month 12",
        "left": "Left before",
        **by_arm.still_followed(summary),
        "months_observed": ("Months observed, median (range)", by_arm.spread(1)),
    }
    return Exhibit(
        "disposition",
        "Disposition by arm",
        by_arm.table(summary, labels),
        population=RANDOMISED,
        n=by_arm.sizes(summary),
        columns=by_arm.headings("item", "Outcome", "{arm}"),
        conventions=(
            "n/N (%) unless stated",
            "months counted from the planned last infusion",
            by_arm.ORDER,
        ),
    )


def baseline(summary: pd.DataFrame) -> Exhibit:
    """Baseline by arm, without p-values: randomisation makes any difference chance."""
    q = by_arm.quartiles
    labels = {
        "AGE": ("Age, years", q(1)),
        "boys": "Boys",
        **{form: f"{form} form" for form in FORMS},
        "HEIGHTBL": ("Height, cm", q(1)),
        "WEIGHTBL": ("Weight, kg", q(1)),
        "RASFL": "On RAS inhibition",
        "RASMON": ("Months on RAS inhibition", q(0)),
        "ras_recent": f"RAS inhibition begun within {RECENT_RAS} months",
        "UPCRBL": ("UPCR, mg/mg", q(2)),
        "RBCBL": ("Urine red cells, /uL", q(0)),
        "EGFRBL": ("eGFR, mL/min/1.73m2", q(0)),
        "PROT24H": ("24-hour protein, mg/m2/h", q(1)),
        "CREAT": ("Creatinine, umol/L", q(0)),
        "CYSTATC": ("Cystatin C, mg/L", q(2)),
        "BUN": ("Urea nitrogen, mmol/L", q(1)),
    }
    size = summary.drop_duplicates("arm").set_index("arm")["N"]
    return Exhibit(
        "baseline",
        "Children at baseline, by arm",
        by_arm.table(summary, labels),
        population=RANDOMISED,
        n=by_arm.sizes(summary),
        columns={"item": "", **{arm: f"{arm} (N = {size[arm]})" for arm in ARMS}},
        conventions=(
            "n/N (%), or median (quartiles); n measured",
            "no p-values: a difference at baseline is chance by design",
            by_arm.ORDER,
        ),
    )


def exposure(summary: pd.DataFrame, p: Parameters) -> Exhibit:
    """Infusions received and cells given, by arm."""
    labels = {
        "infusions_2": "Two infusions",
        "infusions_1": "One infusion",
        "infusions_0": "No infusion",
        "cells_per_kg": (
            "Million cells per kg and infusion, median (range)",
            by_arm.spread(2, lambda arm: "none: saline" if arm == "Placebo" else "no infusion"),
        ),
        "days_between": ("Days between the infusions, median (range)", by_arm.spread(0)),
    }
    return Exhibit(
        "exposure",
        "Exposure by arm",
        by_arm.table(summary, labels),
        population=RANDOMISED,
        n=by_arm.sizes(summary),
        method=f"planned: two infusions {counted(p.infusion_gap, 'day', 'days')} apart, "
        f"{plain(p.cells_per_kg / 1e6)} million cells per kg each (TR01)",
        columns=by_arm.headings("item", "", "{arm}"),
        conventions=("weight of the screening visit; doses go by the weight on the day", by_arm.ORDER),
    )
