"""Chapter 02: 23 criteria against every screened child, and what each contested reading would change."""

import pandas as pd

from helpers import figures
from helpers.analysis.flow import SAME_FACT
from helpers.chapters import consort
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import counted, percent
from helpers.study.eligibility import CRITERIA

SHORT = {
    "I1": "Age 3 to 12 years", "I2": "Diagnosis", "I3": "Proteinuria or haematuria", "I4": "GFR above 60",
    "I5": "No recent infection", "I6": "Infection tests negative", "I7": "No allergic state", "I8": "Consent",
    "E1": "Age outside 3 to 12", "E2": "Haematuria only, normal GFR", "E3": "CKD IV or V", "E4": "Other renal disease",
    "E5": "Severe or several allergies", "E6": "Stem cell allergy", "E7": "Organ dysfunction, tumour",
    "E8": "Urinary malformation", "E9": "Autoimmunity with drugs", "E10": "Uncontrolled infection",
    "E11": "HBV, HCV, HIV, syphilis", "E12": "Surgery, trauma, blood loss", "E13": "Other study",
    "E14": "Cell product", "E15": "Investigator's judgement",
}  # fmt: skip
"""Criterion: what it asks, in a few words."""

ALL_SCREENED = "all screened children"


def criteria() -> Exhibit:
    """The criteria as data: registered text, our reading, columns, what makes each unknown."""
    frame = pd.DataFrame(
        {
            "id": [c.id for c in CRITERIA],
            "registered": [c.registered for c in CRITERIA],
            "reading": [c.reading for c in CRITERIA],
            "reads": [", ".join(c.reads) for c in CRITERIA],
            "unknown": [c.unknown for c in CRITERIA],
        }
    )
    return Exhibit(
        "criteria",
        "The 23 criteria: registered text and how it is read",
        frame,
        population="no children: the rules themselves",
        n=0,
        columns={
            "id": "Id",
            "registered": "Registered, word for word",
            "reading": "Our reading by default",
            "reads": "Columns of screening.csv",
            "unknown": "Unknown when",
        },
        caption="Contested readings are parameters; the table at the end of this chapter says what each changes.",
        folded=True,
    )


def flow(counts: pd.DataFrame) -> Finding:
    """CONSORT flow of screening, from `flow.consort`; raises ValueError where the boxes don't add up."""
    twice = {inclusion: f"{inclusion}/{exclusion}" for exclusion, inclusion in SAME_FACT.items()}
    boxes = consort.boxes(counts, {name: f"{twice.get(name, name)} {text}" for name, text in SHORT.items()})
    n = {name: children for name, (_, children, _) in boxes.items()}
    told = "; ".join(f"{label} {children}" for label, children, _ in boxes.values())
    failed = boxes["screen_failure"][2]
    exhibit = Exhibit(
        "consort-screening",
        "From screened to eligible (CONSORT)",
        consort.data(boxes, reasons=True),
        population=ALL_SCREENED,
        n=n["screened"],
        method="23 criteria, three-valued",
        conventions=(
            "a child may have several reasons",
            "I1 and E1, and I6 and E11, are the same facts asked twice: named once",
        ),
        caption="A child with a failed criterion is a screen failure; one without, but with an unknown, is pending: "
        "never enrolled and never counted as a failure.",
        alt=f"Flow chart: {told}. Commonest reason for failure: {failed[0][0] if failed else 'none'}.",
        figure=figures.consort(boxes),
    )
    share = 100 * n["eligible"] / n["screened"] if n["screened"] else None
    said = {
        "screened": Result("eligibility.n_screened", n["screened"]),
        "eligible": Result("eligibility.n_eligible", n["eligible"]),
        "failures": Result("eligibility.n_screen_failure", n["screen_failure"]),
        "pending": Result("eligibility.n_pending", n["pending"]),
        "share": Result("eligibility.share_eligible", share, "%", 1),
    }
    return Finding((exhibit,), said)


def attrition_figure(attrition: pd.DataFrame) -> Exhibit:
    """Each criterion alone, and the children who met all so far, as a picture."""
    names = {"failed_alone": "failed", "unknown_alone": "unknown", "met_so_far": "remaining"}
    data = attrition[list(names)].rename(columns=names)
    data.insert(0, "id", attrition["criterion"])
    data.insert(1, "text", attrition["criterion"].map(SHORT))
    worst = data.sort_values("failed", ascending=False, kind="stable").head(3)
    return Exhibit(
        "attrition",
        "Which criteria cost most children",
        data,
        population=ALL_SCREENED,
        n=int(attrition["screened"].iloc[0]),
        conventions=(
            "left: each criterion alone",
            "right: children met by every criterion so far, in protocol order",
        ),
        alt="Bars of children failing each criterion alone; most by "
        + ", ".join(f"{r.id} ({r.text}) {r.failed}" for r in worst.itertuples())
        + f"; {counted(int(data['remaining'].iloc[-1]), 'child remains', 'children remain')} after all.",
        figure=figures.attrition(data),
    )


def attrition_table(attrition: pd.DataFrame) -> Exhibit:
    """Each criterion alone and in protocol order, as a table."""
    data = attrition.drop(columns=["screened", "met_so_far"])
    data.insert(1, "short", data["criterion"].map(SHORT))
    return Exhibit(
        "attrition-table",
        "Attrition: each criterion alone, and in protocol order",
        data,
        population=ALL_SCREENED,
        n=int(attrition["screened"].iloc[0]),
        columns={
            "criterion": "Id",
            "short": "Criterion",
            "failed_alone": "Fail it",
            "unknown_alone": "Unknown",
            "failed_first": "Fail it first, in this order",
            "not_failed_so_far": "Not failed so far",
        },
        conventions=(
            "protocol order: I1 to I8, then E1 to E15",
            "pending children are among those not failed",
        ),
        folded=True,
    )


def contested(readings: pd.DataFrame) -> Finding:
    """How many children each contested reading would change."""
    data = readings.drop(columns="screened")
    data["share"] = [percent(n, N) for n, N in zip(readings["changed"], readings["screened"], strict=True)]
    screened, most = int(readings["screened"].iloc[0]), readings["changed"].max()
    exhibit = Exhibit(
        "contested",
        "What each contested reading would change",
        data,
        population=ALL_SCREENED,
        n=screened,
        method="all 23 criteria applied again with this one reading changed",
        columns={
            "reading": "The other reading",
            "parameter": "Parameter",
            "share": "Children whose status changes",
            "newly_eligible": "Newly eligible",
            "no_longer_eligible": "No longer eligible",
            "eligible": "Eligible then",
        },
        caption="Screening stopped when enough children were eligible by the readings in force, so losses would "
        "mean more screening, not a smaller trial.",
    )
    named = "; ".join(readings.loc[readings["changed"] == most, "reading"])
    said = {
        "reading": Result("eligibility.most_contested", named),
        "changed": Result("eligibility.most_contested_changed", int(most)),
        "screened": Result("eligibility.n_screened", screened),
    }
    return Finding((exhibit,), said)


def not_eligible(status: pd.DataFrame) -> Exhibit:
    """Every child that is not eligible, with its reasons."""
    data = status[status["status"] != "eligible"].replace({"failed": {"": "none"}, "unknown": {"": "none"}})
    return Exhibit(
        "failures",
        "Every child not eligible, and why",
        data.reset_index(drop=True),
        population="screened children who are not eligible",
        n=len(data),
        columns={
            "child": "Child",
            "status": "Status",
            "failed": "Criteria failed",
            "unknown": "Criteria unknown",
        },
        folded=True,
    )
