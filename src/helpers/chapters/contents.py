"""The table of chapters: what each notebook is about, and which files it reads and writes.

This table is the whole graph of the build. Only the standard library is imported here.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Chapter:
    """A notebook with the files of the scenario's data folder that it reads and writes.

    A name ending in `/` stands for every file below that folder. Whoever reads a file runs after the
    chapter that writes it. `scenario.json` is none of these files: a chapter depends on the parameters that it
    reads, and the build records which. `makes` is the function, module:name, by which the notebook makes its tables
    of a study: whoever wants tables alone calls it without the notebook.
    """

    stem: str
    title: str
    about: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    makes: str = ""


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
        makes="helpers.trial.run:screen",
    ),
    Chapter(
        "02-eligibility",
        "Eligibility",
        "All 23 criteria against all screened children: who enters, and why the others do not.",
        reads=("screening.csv",),
        writes=("adie.csv",),
        makes="helpers.analysis.flow:screened",
    ),
    Chapter(
        "03-follow-up",
        "Follow-up",
        "Randomisation, infusions, visits, laboratory values, adverse events and drop-out.",
        reads=("screening.csv", "adie.csv"),
        writes=(*RAW[2:], "truth/children.csv", "truth/missing.csv"),
        makes="helpers.trial.run:follow_up",
    ),
    Chapter(
        "04-analysis-data",
        "Analysis data",
        "The analysis tables, the children at baseline, and what they received.",
        reads=RAW,
        writes=(*ANALYSIS, "adae.csv"),
        makes="helpers.intake.derived:analysis_tables",
    ),
    # before efficacy, as the registration has it; the numbers of the files stay
    Chapter(
        "10-safety",
        "Safety",
        "Adverse events and laboratory safety, and what so few children can't exclude.",
        reads=("adsl.csv", "adlb.csv", "adae.csv"),
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
        reads=(*ANALYSIS, "adae.csv", "randomisation.csv"),
    ),
    Chapter(
        "07-time-to-remission",
        "Time to remission",
        "When remission comes, by arm.",
        reads=ANALYSIS,
    ),
    Chapter(
        "08-operating",
        "What this design can show",
        "Thousands of such trials: how often the effect is found, what would help, and the children needed.",
    ),
    Chapter(
        "09-validation",
        "Validation",
        "How we know these numbers are right: beside R, beside published examples, against known truth.",
    ),
    Chapter(
        "11-explore",
        "Explore",
        "The bench: move an assumption and see what many trials would show; two settings side by side.",
    ),
)

STANDARD = "helpers.chapters.standard:reporting_event"
"""The function, module:name, that words all named results in the standard of the field, for `results.ars.json`."""

PROGRAMMED_TWICE = "helpers.chapters.programmed_twice"
"""The module that writes the main results as R scripts and sets R's answers beside ours, for `make check-in-r`."""

ADAM = "helpers.chapters.adam_files:files"
"""The function, module:name, that writes the analysis tables of a folder as reviewers load them."""

EXPLORER = "helpers.chapters.explorer:body"
"""The function, module:name, that writes what `explore.html` holds."""
EXPLORED = ("studies/results/planning.csv", "studies/results/planning.json")
"""The study that it explores."""

GUIDE = "helpers.chapters.reviewer:guide"
"""The function, module:name, that words the guide for reviewers."""

KEPT = "helpers.chapters.kept"
"""The module by which exhibits leave what a package wants of them."""

REFERENCES = "helpers.chapters.references:listed"
"""The function, module:name, that lists the published numbers which chapters cite by their rows."""

PLAN = "helpers.chapters.protocol_usdm:protocol"
"""The function, module:name, that words the plan under a study's parameters, for `protocol.usdm.json`."""

RECEIVED = (
    "own.json", "queries.csv", "received.csv", "originals.csv", "query-list.csv", "query-list.xlsx"
)  # fmt: skip
"""What the intake writes beside the raw tables of own data."""
GIVEN = tuple(name for name in RAW if name != "adie.csv")
"""The raw tables that a trial's own folder holds; the criteria are evaluated here, on them."""

ARRIVED = Chapter(
    "12-arrived",
    "What arrived",
    "The tables as they were received: counts, completeness, windows, and what to ask the site.",
    reads=(*GIVEN, *RECEIVED),
)
SIMULATED = ("01-screening", "03-follow-up", "11-explore")
"""Chapters of simulated children alone: in a report on own data "What arrived" stands in place of the first two."""

INTAKE = "helpers.intake.editions:receive"
"""The function, module:name, that reads a folder of own data into the stage of a build."""
STUDY = "helpers.intake.studies:from_folder"
"""The function, module:name, that gives the study of own data in a folder."""
SIGNED = "helpers.intake.signing:compared"
"""The function, module:name, that holds a plan in force against the signed one."""
SIGN = "helpers.intake.signing:sign"
"""The function, module:name, that signs the plan in force."""


def own(chapters: tuple[Chapter, ...] = CHAPTERS) -> tuple[Chapter, ...]:
    """The chapters of a report on own data: none that simulates; 08 has observed values beside its assumptions."""
    kept = [one for one in chapters if one.stem not in SIMULATED]
    made = {
        "04-analysis-data": {"reads": (*RAW, *RECEIVED)},
        "08-operating": {"reads": ANALYSIS},
    }
    kept = [replace(one, **made.get(one.stem, {})) for one in kept]
    return (*kept[:1], ARRIVED, *kept[1:])
