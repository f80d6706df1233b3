"""Chapter 02: 23 criteria against every screened child, and what each contested reading would change."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import percent
from helpers.study import eligibility as rules
from helpers.study.eligibility import CRITERIA, ELIGIBLE, PENDING, SCREEN_FAILURE
from helpers.study.parameters import Parameters
from helpers.study.scenario import Study
from helpers.study.tables import to_arrays

_SHORT = {
    "I1": "Age 3 to 12 years", "I2": "Diagnosis", "I3": "Proteinuria or haematuria", "I4": "GFR above 60",
    "I5": "No recent infection", "I6": "Infection tests negative", "I7": "No allergic state", "I8": "Consent",
    "E1": "Age outside 3 to 12", "E2": "Haematuria only, normal GFR", "E3": "CKD IV or V", "E4": "Other renal disease",
    "E5": "Severe or several allergies", "E6": "Stem cell allergy", "E7": "Organ dysfunction, tumour",
    "E8": "Urinary malformation", "E9": "Autoimmunity with drugs", "E10": "Uncontrolled infection",
    "E11": "HBV, HCV, HIV, syphilis", "E12": "Surgery, trauma, blood loss", "E13": "Other study",
    "E14": "Cell product", "E15": "Investigator's judgement",
}  # fmt: skip


@dataclass(frozen=True)
class Decision:
    """Screened children in their order, the columns the rules read, and what each criterion says of each."""

    ids: NDArray
    columns: dict[str, NDArray]
    values: NDArray
    status: NDArray

    def count(self, status: int) -> int:
        return int((self.status == status).sum())


def decide(study: Study) -> Decision:
    """Read `screening`, apply the 23 criteria, write `adie`."""
    frame = study.read("screening")
    columns = to_arrays("screening", frame)
    values = rules.evaluate(columns, study.parameters)
    ids = frame["usubjid"].to_numpy(object)
    study.write("adie", rules.adie(ids, values))
    return Decision(ids, columns, values, rules.status(values))


def counts(d: Decision) -> dict[str, Result]:
    """Named numbers of the flow."""
    n = len(d.ids)
    return {
        "screened": Result("eligibility.n_screened", n),
        "eligible": Result("eligibility.n_eligible", d.count(ELIGIBLE)),
        "failures": Result("eligibility.n_screen_failure", d.count(SCREEN_FAILURE)),
        "pending": Result("eligibility.n_pending", d.count(PENDING)),
        "share": Result("eligibility.share_eligible", 100 * d.count(ELIGIBLE) / n if n else None, "%", 1),
    }


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
    )


def flow(d: Decision) -> Exhibit:
    """CONSORT flow of screening; raises where the boxes don't add up."""
    failed, unknown = d.status == SCREEN_FAILURE, d.status == PENDING
    boxes = {
        "screened": ("Screened", len(d.ids), []),
        "screen_failure": ("Screen failures", int(failed.sum()), _reasons(d, failed, -1)),
        "pending": ("Pending: a fact is missing", int(unknown.sum()), _reasons(d, unknown, 0)),
        "eligible": ("Eligible", d.count(ELIGIBLE), []),
    }
    frame = pd.DataFrame(
        [{"box": name, "label": label, "children": n} for name, (label, n, _) in boxes.items()]
        + [
            {"box": f"{name}: reason", "label": text, "children": n}
            for name, (_, _, reasons) in boxes.items()
            for text, n in reasons
        ]
    )
    told = "; ".join(f"{label} {n}" for label, n, _ in boxes.values())
    reasons = boxes["screen_failure"][2]
    worst = reasons[0][0] if reasons else "none"
    return Exhibit(
        "consort-screening",
        "From screened to eligible (CONSORT)",
        frame,
        population="all screened children",
        n=len(d.ids),
        method="23 criteria, three-valued",
        conventions=(
            "a child may have several reasons",
            "I1 and E1, and I6 and E11, are the same facts asked twice: named once",
        ),
        caption="A child with a failed criterion is a screen failure; one without, but with an unknown, is pending: "
        "never enrolled and never counted as a failure.",
        alt=f"Flow chart: {told}. Commonest reason for failure: {worst}.",
        figure=figures.consort(boxes),
    )


def _reasons(d: Decision, among: NDArray, value: int) -> list[tuple[str, int]]:
    rows = []
    for criterion, values in zip(CRITERIA, d.values, strict=True):
        if criterion.id in ("E1", "E11"):
            continue
        n = int((values[among] == value).sum())
        if n:
            label = (
                f"{criterion.id}/E1"
                if criterion.id == "I1"
                else f"{criterion.id}/E11"
                if criterion.id == "I6"
                else criterion.id
            )
            rows.append((f"{label} {_SHORT[criterion.id]}", n))
    return sorted(rows, key=lambda row: -row[1])


def attrition_table(d: Decision) -> Exhibit:
    """Each criterion alone and in protocol order, as a table."""
    frame = rules.attrition(d.values)
    frame.insert(1, "short", [_SHORT[i] for i in frame["criterion"]])
    return Exhibit(
        "attrition-table",
        "Attrition: each criterion alone, and in protocol order",
        frame,
        population="all screened children",
        n=len(d.ids),
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
    )


def attrition_figure(d: Decision) -> Exhibit:
    """The same as a picture."""
    frame = rules.attrition(d.values)
    good = np.cumprod(d.values > 0, axis=0).astype(bool)
    data = pd.DataFrame(
        {
            "id": frame["criterion"],
            "text": [_SHORT[i] for i in frame["criterion"]],
            "failed": frame["failed_alone"],
            "unknown": frame["unknown_alone"],
            "remaining": good.sum(axis=1),
        }
    )
    worst = data.sort_values("failed", ascending=False, kind="stable").head(3)
    return Exhibit(
        "attrition",
        "Which criteria cost most children",
        data,
        population="all screened children",
        n=len(d.ids),
        conventions=(
            "left: each criterion alone",
            "right: children met by every criterion so far, in protocol order",
        ),
        alt="Bars of children failing each criterion alone; most by "
        + ", ".join(f"{r.id} ({r.text}) {r.failed}" for r in worst.itertuples())
        + f"; {int(data['remaining'].iloc[-1])} children remain after all.",
        figure=figures.attrition(data),
    )


def failures(d: Decision) -> Exhibit:
    """Reasons of every child that is not eligible."""
    rows = []
    for k in np.flatnonzero(d.status != ELIGIBLE):
        rows.append(
            {
                "child": d.ids[k],
                "status": rules.STATUS[int(d.status[k])],
                "failed": ", ".join(c.id for c, v in zip(CRITERIA, d.values[:, k], strict=True) if v < 0)
                or "none",
                "unknown": ", ".join(c.id for c, v in zip(CRITERIA, d.values[:, k], strict=True) if v == 0)
                or "none",
            }
        )
    frame = pd.DataFrame(rows, columns=["child", "status", "failed", "unknown"])
    return Exhibit(
        "failures",
        "Every child not eligible, and why",
        frame,
        population="screened children who are not eligible",
        n=len(frame),
        columns={
            "child": "Child",
            "status": "Status",
            "failed": "Criteria failed",
            "unknown": "Criteria unknown",
        },
    )


def contested(d: Decision, p: Parameters) -> Exhibit:
    """How many children each contested reading would change."""
    frame = rules.contested(d.columns, p)
    frame["share"] = [percent(int(n), len(d.ids)) for n in frame["changed"]]
    most = frame[frame["changed"] == frame["changed"].max()]
    named = "; ".join(most["reading"])
    return Exhibit(
        "contested",
        "What each contested reading would change",
        frame,
        population="all screened children",
        n=len(d.ids),
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
        results=[
            Result("eligibility.most_contested", named),
            Result("eligibility.most_contested_changed", int(frame["changed"].max())),
        ],
    )
