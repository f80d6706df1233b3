"""What is registered, and nothing of ours: text, arms, visits, outcomes (NCT06731192).

The text is read from `data/reference/NCT06731192.txt`, word for word; the criteria of `study.eligibility`
quote it and a test finds every quotation there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from helpers import ROOT

TRIAL = "NCT06731192"
ARMS = ("Placebo", "hUC-MSC")
ARM_KEY = {"Placebo": "placebo", "hUC-MSC": "msc"}
"""Arms as named results and columns write them."""
DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12
"""30.4375. The only places of both numbers."""


def months(days: ArrayLike) -> Any:
    """Days as months of analysis time, to eight decimals, so that tables and computed grids are equal.

    A scalar gives a scalar, an array an array of its shape.
    """
    return np.round(np.asarray(days) / DAYS_PER_MONTH, 8)[()]


def registered_text() -> str:
    return (ROOT / "data" / "reference" / f"{TRIAL}.txt").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Visit:
    """A follow-up visit: number in the tables, registered name, target day after the last infusion."""

    number: int
    name: str
    day: int

    @property
    def month(self) -> float:
        return months(self.day)

    @property
    def short(self) -> str:
        unit, count = self.name.split()
        return f"{unit[0]}{count}"


SCREENING, BASELINE = 0, 1
"""Numbers of the two visits before treatment."""

VISITS = tuple(
    Visit(number, name, day)
    for number, (name, day) in enumerate(
        [
            ("Week 2", 14),
            ("Week 4", 28),
            ("Week 6", 42),
            ("Week 8", 56),
            ("Month 3", 91),
            ("Month 4", 122),
            ("Month 5", 152),
            ("Month 6", 183),
            ("Month 8", 244),
            ("Month 10", 304),
            ("Month 12", 365),
        ],
        start=2,
    )
)

LAST = VISITS[-1].name
"""The visit at which the trial ends."""

INCLUSION = (
    "3 years old ≤Age ≤ 12 years old;",
    "Meet the diagnostic criteria of Alport syndrome;",
    "Positive proteinuria or combined hematuria;",
    "Chronic kidney disease (CKD) stage: I-III stage children, that is, glomerular filtration rate greater than "
    "60 ml/min.1.73m2;",
    "No history of infectious diseases within 1 week before treatment;",
    "Negative infectious disease screening;",
    "No allergic state and related clinical manifestations;",
    "Signed informed consent (children or their families).",
)

EXCLUSION = (
    "Age <3 years or >12 years old;",
    "Alport syndrome patients with only microscopic hematuria and normal glomerular filtration rate;",
    "Patients with significantly reduced renal function, chronic kidney disease stage IV or V, Alport syndrome;",
    "Patients with other renal diseases;",
    "Have a history of severe allergic reactions or be allergic to 2 or more foods or drugs;",
    "Known allergy to stem cells or stem cell-derived products or ingredients in stem cell preparations;",
    "Have severe heart, liver, lung and other organ dysfunction or have tumors;",
    "Those with developmental malformations of the urinary system;",
    "Those with autoimmune diseases and regular use of immunosuppressants;",
    "Those with serious infectious diseases that are not under control;",
    "Those with a history of infectious diseases such as HBV, HCV, HIV, syphilis;",
    "History of surgery or acute trauma or blood loss exceeding 200ml within 3 months;",
    "Participated in other clinical studies within 3 months;",
    "Have received any cell product or derivative product treatment within 12 months;",
    "Other circumstances that the researcher deems inappropriate for inclusion.",
)

OUTCOMES = (
    ("primary", "Urine protein remission rate", "Urinalysis, 24-hour urine protein quantification, and urine protein/creatinine ratio were tested to evaluate the remission of urine protein after treatment."),
    ("secondary", "Hematuria remission rate", "The urine abnormal red blood cell count of the children was tested to evaluate the remission of hematuria after treatment."),
    ("secondary", "Renal function improvement rate", "measure the serum creatinine, blood urea nitrogen, serum cystatin C, glomerular filtration rate and other indicators of the children to evaluate the improvement of renal function after treatment."),
)  # fmt: skip

REGISTERED = (
    ("Design", "randomised, single-blind, placebo-controlled, parallel; 40 children; not yet recruiting", "Study & Design; Target Recruitment"),
    ("Arms", "hUC-MSC with conventional symptomatic supportive treatment; normal saline as a placebo control with the same", "Arm && Interventions"),
    ("Aim", "safety and efficacy", "Brief Summary"),
    ("Visits", "2, 4, 6, 8 weeks and 3, 4, 5, 6, 8, 10, 12 months after the last hUC-MSC infusion", "Outcome Measures"),
    ("Not registered", "interim analysis, monitoring board, allocation ratio, sample-size justification, analysis method, definition of remission", "absent from the record"),
)  # fmt: skip
"""(item, what is registered, where in the record)."""
