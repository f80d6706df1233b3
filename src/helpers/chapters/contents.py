"""The table of chapters: what each notebook is about, and which files it reads and writes.

This table is the whole graph of the build. Only the standard library is imported here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """A notebook with the files of the scenario's data folder that it reads and writes.

    A name ending in `/` stands for every file below that folder. Whoever reads a file runs after the
    chapter that writes it. `scenario.json` is none of these files: a chapter depends on the parameters that it
    reads, and the build records which.
    """

    stem: str
    title: str
    about: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


RAW = (
    "screening.csv",
    "adie.csv",
    "randomisation.csv",
    "infusions.csv",
    "visits.csv",
    "labs.csv",
    "events.csv",
    "treatments.csv",
    "disposition.csv",
)
ANALYSIS = ("adsl.csv", "adlb.csv", "adtte.csv")

CHAPTERS = (
    Chapter("00-plan", "Plan", "What the trial registered, how we read it, and every assumption we add."),
    Chapter(
        "01-screening",
        "Screening",
        "The children who come to the clinic, before anyone is selected.",
        writes=("screening.csv", "truth/screening.csv"),
    ),
    Chapter(
        "02-eligibility",
        "Eligibility",
        "All 23 criteria against all screened children: who enters, and why the others do not.",
        reads=("screening.csv",),
        writes=("adie.csv",),
    ),
    Chapter(
        "03-follow-up",
        "Follow-up",
        "Randomisation, infusions, visits, laboratory values, adverse events and drop-out.",
        reads=("screening.csv", "adie.csv"),
        writes=(*RAW[2:], "truth/children.csv", "truth/missing.csv"),
    ),
    Chapter(
        "04-analysis-data",
        "Analysis data",
        "The analysis tables, the children at baseline, what they received, and adverse events.",
        reads=RAW,
        writes=(*ANALYSIS, "adae.csv"),
    ),
    Chapter(
        "05-longitudinal",
        "Longitudinal",
        "Protein, red cells and kidney function by arm over the visits.",
        reads=ANALYSIS,
    ),
    Chapter(
        "06-remission",
        "Remission",
        "The primary endpoint first and alone, then the secondary ones.",
        reads=(*ANALYSIS, "adae.csv"),
    ),
    Chapter(
        "07-time-to-remission",
        "Time to remission",
        "When remission comes, by arm.",
        reads=ANALYSIS,
    ),
    Chapter(
        "09-validation",
        "Validation",
        "How we know these numbers are right: beside R, beside published examples, against known truth.",
    ),
)
