"""Chapter 01: the clinic before selection, beside what is published about such clinics."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from helpers import figures
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import counted, percent, plain
from helpers.design import published
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters

_METHOD = "simulated by helpers.trial.simulate.clinic, before any criterion"
_MEASURES = {
    "age": "Age (years)",
    "height": "Height (cm)",
    "weight": "Weight (kg)",
    "creatinine": "Creatinine (umol/L)",
    "cystatin_c": "Cystatin C (mg/L)",
    "bun": "Urea nitrogen (mmol/L)",
    "egfr": "eGFR, bedside Schwartz (mL/min/1.73m2)",
    "upcr": "UPCR (mg/mg)",
    "protein_24h": "24-hour protein (mg/m2/h)",
    "rbc": "Urine red cells (/uL)",
    "ras_months": "Months on RAS inhibition",
}
_ORGANS = ("organ_dysfunction", "missing_answer")
_TESTS = ("virology_positive", "virology_missing")
_BEHIND = {
    "variant": ("variant_uncertain", "variant_none", "variant_untested", "variant_likely"),
    "biopsy": ("biopsy_done", "biopsy_diagnostic"),
    "ras_inhibitor": ("ras_prevalence", "ras_prevalence_mild", "missing_answer"),
    "infection": ("infection_recent", "missing_answer"),
    "hbsag": _TESTS,
    "hcv": _TESTS,
    "hiv": _TESTS,
    "syphilis": _TESTS,
    "anti_hbs": ("anti_hbs_positive", "virology_missing"),
    "allergic_state": ("allergic_state", "missing_answer"),
    "consent": ("consent_given", "missing_answer"),
    "other_renal": ("other_renal", "missing_answer"),
    "severe_allergy": ("severe_allergy", "missing_answer"),
    "stem_cell_allergy": ("stem_cell_allergy", "missing_answer"),
    "heart": _ORGANS,
    "liver": _ORGANS,
    "lung": _ORGANS,
    "other_organ": _ORGANS,
    "tumour": _ORGANS,
    "malformation": ("malformation", "imaging_missing"),
    "autoimmune": ("autoimmune", "missing_answer"),
    "immunosuppressant": ("immunosuppressant", "missing_answer"),
    "infection_uncontrolled": ("infection_uncontrolled", "missing_answer"),
    "surgery": ("surgery_recent", "missing_answer"),
    "trauma": ("trauma_recent", "missing_answer"),
    "blood_loss": ("blood_loss_recent", "missing_answer"),
    "other_study": ("other_study", "missing_answer"),
    "cell_product": ("cell_product", "missing_answer"),
    "unsuitable": ("investigator_unsuitable", "missing_answer"),
    "upcr": ("sample_missing",),
    "protein_24h": ("collection_missing",),
    "rbc": ("sample_missing",),
    "creatinine": ("sample_missing",),
    "cystatin_c": ("sample_missing",),
    "bun": ("sample_missing",),
    "birth_date": ("missing_answer",),
    "dipstick": ("missing_answer",),
    "food_allergies": ("allergies_mean", "missing_answer"),
    "drug_allergies": ("allergies_mean", "missing_answer"),
}
"""Parameters behind each column of `screening` that a criterion reads."""


def cohort(frame: pd.DataFrame) -> dict[str, Result | str]:
    """What is said of the screened cohort, as `analysis.clinic.cohort` gives it."""
    (row,) = frame.itertuples()
    return {
        "screened": Result("screening.n_screened", row.children),
        "boys": Result("screening.boys", row.boys, text=percent(row.boys, row.children)),
        "x_linked": Result("screening.x_linked", row.x_linked, text=percent(row.x_linked, row.children)),
        "upcr": Result("screening.upcr_median", row.upcr_median, "mg/mg", 2),
        "first": f"{row.first:%d %B %Y}",
        "last": f"{row.last:%d %B %Y}",
    }


def genotype_by_sex(frame: pd.DataFrame) -> Exhibit:
    """Forms of the disease by sex, as `analysis.clinic.genotype_by_sex` gives them."""
    linked = frame[frame["category"] == "X-linked"]
    told = "; ".join(f"{r.group} {percent(r.n, r.total)}" for r in linked.itertuples())
    data = frame[["group", "category", "n"]]
    return Exhibit(
        "genotype-by-sex",
        "Form of Alport syndrome by sex",
        data,
        population="all screened children",
        n=int(linked["total"].sum()),
        method=_METHOD,
        conventions=("percentages are of boys and of girls",),
        caption="In a clinic of families most children have the X-linked form (published: NH01 to NH05).",
        alt=f"Stacked bars by sex. X-linked disease: {told}.",
        figure=figures.stacked_shares(data),
    )


def age(clinic: pd.DataFrame, summary: pd.DataFrame) -> Exhibit:
    """Age of the clinic beside published clinics.

    Here and below, clinic: children drawn by `design.clinic.draw`; summary: their `analysis.clinic.distribution`.
    """
    mean, sd = published.AGE_AT_RAS_START
    return _distribution(
        Drawn(
            "age",
            "Age in the clinic, before selection",
            label="Age",
            unit="years",
            marks=_marks(
                ("Zhang 2016, mean ± SD", (mean, mean - sd, mean + sd), "NH14a"),
                ("Tongji, age at diagnosis, mean ± SD", published.middle("NH06"), "NH06"),
            ),
        ),
        clinic["age"],
        summary,
    )


def height(clinic: pd.DataFrame, summary: pd.DataFrame) -> Exhibit:
    """Height as a share of WHO's median for age and sex, in children of 3 to 12 years."""
    return _distribution(
        Drawn(
            "height",
            "Height against WHO's median for age and sex, 3 to 12 years",
            label="Height",
            unit="% of WHO median",
            marks=_marks(
                *(
                    (
                        f"Chinese {who}, 2005 survey, medians at 3 to 12 years",
                        published.chinese_heights(sex),
                        "growth_lms.csv",
                    )
                    for who, sex in (("boys", "M"), ("girls", "F"))
                )
            ),
        ),
        clinic["height_share"],
        summary,
    )


def egfr(clinic: pd.DataFrame, summary: pd.DataFrame) -> Exhibit:
    """eGFR by bedside Schwartz in X-linked disease beside two published cohorts of it."""
    return _distribution(
        Drawn(
            "egfr",
            "eGFR (bedside Schwartz) in X-linked disease",
            label="eGFR",
            unit="mL/min/1.73m2",
            marks=_marks(
                ("84 boys, mean ± SD", published.middle("NH22"), "NH22"),
                ("69 children, mean ± SD", published.middle("NH23"), "NH23"),
            ),
        ),
        clinic["egfr"],
        summary,
        clinic["group"],
    )


def upcr(clinic: pd.DataFrame, summary: pd.DataFrame) -> Exhibit:
    """UPCR by form and sex beside the published first visit of boys."""
    return _distribution(
        Drawn(
            "upcr",
            "Urine protein/creatinine ratio by form and sex",
            log=True,
            label="UPCR",
            unit="mg/mg",
            marks=_marks(("130 boys, X-linked, first visit, quartiles", published.middle("NH13"), "NH13")),
            caption="The published boys were mostly untreated at their first visit; of ours most take a RAS inhibitor.",
        ),
        clinic["upcr"],
        summary,
        clinic["group"],
    )


def red_cells(clinic: pd.DataFrame, summary: pd.DataFrame) -> Exhibit:
    """Urine red cells by form and sex beside the limit of health."""
    return _distribution(
        Drawn(
            "red-cells",
            "Urine red cells by form and sex",
            log=True,
            label="Urine red cells",
            unit="/uL",
            marks=_marks(("upper limit in healthy children", published.middle("DF09"), "DF09")),
            caption="No published distribution of red cell counts in Alport syndrome was found (NH37): an assumption.",
        ),
        clinic["rbc"],
        summary,
        clinic["group"],
    )


def _marks(*published_ranges: tuple[str, tuple[float, float, float], str]) -> list[dict]:
    """Published marks of a picture, from (label, (value, low, high), source)."""
    return [
        {"label": label, "value": value, "low": low, "high": high, "source_id": source}
        for label, (value, low, high), source in published_ranges
    ]


@dataclass(frozen=True)
class Drawn:
    """How a distribution is shown: key and title of its exhibit, the quantity, its unit and its published marks."""

    key: str
    title: str
    label: str
    unit: str
    marks: list[Mapping]
    log: bool = False
    caption: str = ""


def _distribution(
    drawn: Drawn, values: pd.Series, summary: pd.DataFrame, by: pd.Series | None = None
) -> Exhibit:
    """A distribution with its published marks; the data are the summary and the marks below it."""
    marks = drawn.marks
    beside = pd.DataFrame(
        {
            "group": [f"published: {m['label']} ({m['source_id']})" for m in marks],
            "median": [m["value"] for m in marks],
            "quartile_1": [m["low"] for m in marks],
            "quartile_3": [m["high"] for m in marks],
        }
    )
    words = "; ".join(
        f"{r.group}: median {plain(r.median, 3)}, quartiles {plain(r.quartile_1, 3)} and {plain(r.quartile_3, 3)}"
        for r in summary.itertuples()
    )
    told = "; ".join(
        f"{m['label']} {plain(m['value'])} ({plain(m['low'], 4)} to {plain(m['high'], 4)})" for m in marks
    )
    return Exhibit(
        drawn.key,
        drawn.title,
        pd.concat([summary, beside], ignore_index=True),
        population="the simulated clinic before selection",
        n=f"{counted(summary['children'].sum(), 'child', 'children')} drawn",
        method=_METHOD,
        conventions=("published marks carry their row of targets.csv",),
        caption=drawn.caption,
        alt=f"Distribution of {drawn.label} ({drawn.unit}). Simulated: {words}. Published: {told}.",
        figure=figures.distribution(
            values, by=by, log=drawn.log, published=marks, label=drawn.label, unit=drawn.unit
        ),
    )


def facts(frame: pd.DataFrame, p: Parameters) -> Exhibit:
    """Every question that the criteria ask, as `analysis.clinic.facts` counts it, with the parameters behind."""
    meaning = {c.name: c.meaning.split(";")[0] for c in TABLES["screening"].columns}
    rows = []
    for question, answers in frame.groupby("question", sort=False):
        rows.append(
            {
                "question": ("allergies, " if question.endswith("_allergies") else "") + meaning[question],
                "answer": "; ".join(_answer(r) for r in answers.dropna(subset=["answer"]).itertuples()),
                "missing": answers["missing"].iloc[0],
                "parameters": "; ".join(f"{name} {plain(getattr(p, name))}" for name in _BEHIND[question]),
            }
        )
    return Exhibit(
        "facts",
        "What the criteria ask, as recorded at screening",
        pd.DataFrame(rows),
        population="all screened children",
        n=int(frame["total"].iloc[0]),
        method=_METHOD,
        columns={
            "question": "Question",
            "answer": "Yes, n/N (%), or values",
            "missing": "Missing",
            "parameters": "Parameters behind it",
        },
        conventions=("a missing answer makes the criteria that need it unknown, never failed",),
        folded=True,
    )


def _answer(row) -> str:
    """An answer with its count, as it stands in the table."""
    if row.answer == "measured":
        return "recorded" if row.question == "birth_date" else "measured"
    if row.answer in ("yes", "positive"):
        return percent(row.n, row.total)
    return f"{row.answer}: {row.n}" if row.answer == "two or more" else f"{row.answer} {row.n}"


def measures(frame: pd.DataFrame) -> Exhibit:
    """Measures at screening by sex, as `analysis.clinic.measures` gives them."""
    totals = {sex: frame[f"{sex}_total"].iloc[0] for sex in ("boys", "girls")}
    data = frame.drop(columns=[f"{sex}_total" for sex in totals])
    data["measure"] = data["measure"].map(_MEASURES)
    for sex in totals:
        data[f"{sex}_shown"] = [
            f"{plain(m, 3)} ({plain(a, 3)} to {plain(b, 3)})" if n else "none measured"
            for n, m, a, b in zip(
                data[f"{sex}_n"], data[f"{sex}_median"], data[f"{sex}_q1"], data[f"{sex}_q3"], strict=True
            )
        ]
    return Exhibit(
        "measures",
        "Screened children: measures by sex, median (quartiles)",
        data,
        population="all screened children",
        n=", ".join(f"{total} {sex}" for sex, total in totals.items()),
        method=_METHOD,
        columns={
            "measure": "Measure",
            "boys_n": "Boys, n",
            "boys_shown": "Boys",
            "girls_n": "Girls, n",
            "girls_shown": "Girls",
        },
        conventions=("n counts measured values", "values as the laboratory reports them"),
    )


def protein_agreement(frame: pd.DataFrame, p: Parameters) -> Exhibit:
    """How the three protein measures agree, as `analysis.clinic.protein_agreement` counts it."""
    limit = f"{plain(p.proteinuria_upcr)} mg/mg"
    data = pd.DataFrame(
        {
            "upcr": [f"at least {limit}" if positive else f"below {limit}" for positive in frame["upcr"]],
            "dipstick": [
                "1+ and above" if positive else "negative or trace" for positive in frame["dipstick"]
            ],
            "children": frame["children"],
            "day": [percent(r.day, r.collected) for r in frame.itertuples()],
        }
    )
    return Exhibit(
        "protein-agreement",
        "Three measures of protein in the same children",
        data,
        population="screened children with UPCR and dipstick",
        n=int(frame["children"].sum()),
        method=_METHOD,
        columns={
            "upcr": "UPCR",
            "dipstick": "Dipstick",
            "children": "Children",
            "day": f"24-hour protein at least {plain(p.protein24_limit)} mg/m2/h",
        },
        caption="The dipstick reads concentration, so a dilute or concentrated morning urine misleads it.",
        folded=True,
    )
