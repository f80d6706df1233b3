"""Chapter 01: the clinic before selection, beside what is published about such clinics."""

import csv

import numpy as np
import pandas as pd

from helpers import ROOT, figures
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import percent
from helpers.design.calibration import targets
from helpers.study import eligibility, kidney
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_MONTH
from helpers.study.scenario import Study
from helpers.study.tables import to_arrays
from helpers.trial import conduct, record, simulate

CLINIC = 20_000
"""Children drawn to show the clinic itself; the screened cohort is its first few."""

GROUPS = ("X-linked, boys", "X-linked, girls", "recessive", "dominant", "digenic")
_FORMS = ("X-linked", "recessive", "dominant", "digenic")
_METHOD = "simulated by helpers.trial.simulate.clinic, before any criterion"


def screen(study: Study) -> pd.DataFrame:
    """Screen until enough children are eligible; writes `screening` and its truth, returns the table."""
    enrolled, columns, _ = conduct.screen(study.parameters)
    frame = study.write("screening", record.screening(columns))
    study.write_truth("screening", record.screening_truth(enrolled))
    return frame


class Clinic:
    """A large draw from the clinic that the screened children come from, with its eGFR and groups."""

    def __init__(self, p: Parameters, n: int = CLINIC) -> None:
        parts = []
        for block in range(-(-n // simulate.BLOCK)):
            size = min(simulate.BLOCK, n - block * simulate.BLOCK)
            parts.append(simulate.clinic(p, size, simulate.Streams(p.seed, 0, block)))
        self.p, self.n = p, n
        self.recorded = {k: np.concatenate([r[k] for r, _ in parts]) for k in parts[0][0]}
        self.child = {k: np.concatenate([c[k] for _, c in parts]) for k in parts[0][1]}
        self.age, self.male = self.child["age"], self.child["male"]
        self.form = self.child["genotype"]
        self.group = np.where(self.form == 0, np.where(self.male, 0, 1), self.form + 1)
        self.egfr = kidney.schwartz(self.recorded["height"], self.recorded["creatinine"])
        self.proteinuria = self.recorded["upcr"] >= p.proteinuria_upcr

    def names(self) -> np.ndarray:
        return np.array(GROUPS, object)[self.group]


def cohort_counts(frame: pd.DataFrame) -> dict[str, Result]:
    """Named numbers of the screened cohort, for the chapter's text."""
    boys = int((frame["sex"] == "male").sum())
    return {
        "screened": Result("screening.n_screened", len(frame)),
        "boys": Result("screening.boys", boys, text=percent(boys, len(frame))),
        "x_linked": Result(
            "screening.x_linked",
            int((frame["genotype"] == "X-linked").sum()),
            text=percent(int((frame["genotype"] == "X-linked").sum()), len(frame)),
        ),
        "upcr": Result("screening.upcr_median", float(frame["upcr"].median()), "mg/mg", 2),
        "first": f"{frame['consent_date'].min():%d %B %Y}",
        "last": f"{frame['consent_date'].max():%d %B %Y}",
    }


def genotype_by_sex(frame: pd.DataFrame) -> Exhibit:
    """Forms of the disease by sex in the screened cohort."""
    rows = [
        {
            "group": "boys" if sex == "male" else "girls",
            "category": form,
            "n": int(((frame["sex"] == sex) & (frame["genotype"] == form)).sum()),
        }
        for sex in ("male", "female")
        for form in _FORMS
    ]
    data = pd.DataFrame(rows)
    totals = data.groupby("group", sort=False)["n"].sum()
    linked = data[data["category"] == "X-linked"].set_index("group")["n"]
    return Exhibit(
        "genotype-by-sex",
        "Form of Alport syndrome by sex",
        data,
        population="all screened children",
        n=len(frame),
        method=_METHOD,
        conventions=("percentages are of boys and of girls",),
        caption="In a clinic of families most children have the X-linked form (published: NH01 to NH05).",
        alt="Stacked bars by sex. X-linked disease: "
        + "; ".join(f"{sex} {percent(int(linked[sex]), int(totals[sex]))}" for sex in totals.index)
        + ".",
        figure=figures.stacked_shares(data),
    )


def age(clinic: Clinic) -> Exhibit:
    """Age of the clinic beside published clinics."""
    return _distribution(
        "age",
        "Age in the clinic, before selection",
        clinic,
        clinic.age,
        label="Age",
        unit="years",
        published=[
            _mark("Zhang 2016, mean ± SD", 8.6, 4.5, 12.7, "NH14a"),
            _published("Tongji, age at diagnosis, mean ± SD", "NH06"),
        ],
    )


def height(clinic: Clinic) -> Exhibit:
    """Height as a share of WHO's median for age and sex."""
    inside = (clinic.age >= 3) & (clinic.age < 13)
    median = kidney.growth("height", clinic.age, clinic.male, np.zeros(clinic.n))
    share = 100 * clinic.recorded["height"] / median
    return _distribution(
        "height",
        "Height against WHO's median for age and sex, 3 to 12 years",
        clinic,
        share[inside],
        label="Height",
        unit="% of WHO median",
        published=[
            _mark(f"Chinese {who}, 2005 survey, medians at 3 to 12 years", *_china(sex), "growth_lms.csv")
            for who, sex in (("boys", "M"), ("girls", "F"))
        ],
    )


def _china(sex: str) -> tuple[float, float, float]:
    """Mean, least and greatest of the Chinese over WHO's median height, in %, ages 3 to 12."""
    medians: dict[str, dict[int, float]] = {"WHO": {}, "China Li": {}}
    with (ROOT / "data" / "reference" / "growth_lms.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, found in medians.items():
                if row["reference"].startswith(name) and row["measure"] == "height" and row["sex"] == sex:
                    found[int(row["age_years"])] = float(row["M"])
    shares = [100 * medians["China Li"][a] / medians["WHO"][a] for a in range(3, 13)]
    return float(np.mean(shares)), min(shares), max(shares)


def egfr(clinic: Clinic) -> Exhibit:
    """eGFR by bedside Schwartz beside two published cohorts of X-linked disease."""
    linked = clinic.form == simulate.X_LINKED
    return _distribution(
        "egfr",
        "eGFR (bedside Schwartz) in X-linked disease",
        clinic,
        clinic.egfr[linked],
        by=clinic.names()[linked],
        label="eGFR",
        unit="mL/min/1.73m2",
        published=[
            _published("84 boys, mean ± SD", "NH22"),
            _published("69 children, mean ± SD", "NH23"),
        ],
    )


def upcr(clinic: Clinic) -> Exhibit:
    """UPCR by form and sex beside the published first visit of boys."""
    return _distribution(
        "upcr",
        "Urine protein/creatinine ratio by form and sex",
        clinic,
        clinic.recorded["upcr"],
        by=clinic.names(),
        log=True,
        label="UPCR",
        unit="mg/mg",
        published=[_published("130 boys, X-linked, first visit, quartiles", "NH13")],
        caption="The published boys were mostly untreated at their first visit; of ours most take a RAS inhibitor.",
    )


def red_cells(clinic: Clinic) -> Exhibit:
    """Urine red cells by form and sex beside the limit of health."""
    return _distribution(
        "red-cells",
        "Urine red cells by form and sex",
        clinic,
        clinic.recorded["rbc"],
        by=clinic.names(),
        log=True,
        label="Urine red cells",
        unit="/uL",
        published=[_published("upper limit in healthy children", "DF09")],
        caption="No published distribution of red cell counts in Alport syndrome was found (NH37): an assumption.",
    )


def _mark(label: str, value: float, low: float, high: float, source: str) -> dict:
    return {"label": label, "value": value, "low": low, "high": high, "source_id": source}


def _published(label: str, source: str) -> dict:
    row = targets()[source]
    return _mark(label, float(row["value"]), float(row["low"]), float(row["high"]), source)


def _distribution(
    key, title, clinic, values, *, label, unit, published, by=None, log=False, caption=""
) -> Exhibit:
    values = np.asarray(values, float)
    seen = ~np.isnan(values)
    values = values[seen]
    group = np.array(["all"] * len(values), object) if by is None else np.asarray(by, object)[seen]
    frame = pd.DataFrame({"group": group, "value": values})
    order = [g for g in GROUPS if g in set(group)] if by is not None else ["all"]
    summary = frame.groupby("group")["value"].quantile([0.25, 0.5, 0.75]).unstack().loc[order]
    summary.columns = ["quartile_1", "median", "quartile_3"]
    summary.insert(0, "children", frame.groupby("group").size())
    summary["mean"] = frame.groupby("group")["value"].mean()
    summary["sd"] = frame.groupby("group")["value"].std()
    summary = summary.reset_index()
    marks = pd.DataFrame(
        [
            {
                "group": f"published: {m['label']} ({m['source_id']})",
                "median": m["value"],
                "quartile_1": m["low"],
                "quartile_3": m["high"],
            }
            for m in published
        ]
    )
    words = "; ".join(
        f"{r.group}: median {r.median:.3g}, quartiles {r.quartile_1:.3g} and {r.quartile_3:.3g}"
        for r in summary.itertuples()
    )
    told = "; ".join(f"{m['label']} {m['value']:g} ({m['low']:.4g} to {m['high']:.4g})" for m in published)
    return Exhibit(
        key,
        title,
        pd.concat([summary, marks], ignore_index=True),
        population="the simulated clinic before selection",
        n=f"{len(values)} children drawn",
        method=_METHOD,
        conventions=("published marks carry their row of targets.csv",),
        caption=caption,
        alt=f"Distribution of {label} ({unit}). Simulated: {words}. Published: {told}.",
        figure=figures.distribution(
            values, by=None if by is None else group, log=log, published=published, label=label, unit=unit
        ),
    )


_FACTS = {
    "variant": ("variant_uncertain, variant_none, variant_untested, variant_likely", None),
    "biopsy": ("biopsy_done, biopsy_diagnostic", None),
    "ras_inhibitor": ("ras_prevalence, ras_prevalence_mild", "yes"),
    "infection": ("infection_recent", "yes"),
    "hbsag": ("virology_positive, virology_missing", "positive"),
    "hcv": ("virology_positive, virology_missing", "positive"),
    "hiv": ("virology_positive, virology_missing", "positive"),
    "syphilis": ("virology_positive, virology_missing", "positive"),
    "anti_hbs": ("anti_hbs_positive, virology_missing", "positive"),
    "allergic_state": ("allergic_state", "yes"),
    "consent": ("consent_given", "yes"),
    "other_renal": ("other_renal", "yes"),
    "severe_allergy": ("severe_allergy", "yes"),
    "stem_cell_allergy": ("stem_cell_allergy", "yes"),
    "heart": ("organ_dysfunction", "yes"),
    "liver": ("organ_dysfunction", "yes"),
    "lung": ("organ_dysfunction", "yes"),
    "other_organ": ("organ_dysfunction", "yes"),
    "tumour": ("organ_dysfunction", "yes"),
    "malformation": ("malformation, imaging_missing", "yes"),
    "autoimmune": ("autoimmune", "yes"),
    "immunosuppressant": ("immunosuppressant", "yes"),
    "infection_uncontrolled": ("infection_uncontrolled", "yes"),
    "surgery": ("surgery_recent", "yes"),
    "trauma": ("trauma_recent", "yes"),
    "blood_loss": ("blood_loss_recent", "yes"),
    "other_study": ("other_study", "yes"),
    "cell_product": ("cell_product", "yes"),
    "unsuitable": ("investigator_unsuitable", "yes"),
}


def facts(frame: pd.DataFrame, p: Parameters) -> Exhibit:
    """Every question that the criteria ask: answers, missing answers, and the parameters behind them."""
    meaning = {c.name: c.meaning.split(";")[0] for c in TABLES["screening"].columns}
    rows = []
    for name, (parameters, yes) in _FACTS.items():
        column = frame[name]
        values = [f"{n} {getattr(p, n):g}" for n in parameters.split(", ")]
        if yes and "virology" not in parameters and "imaging" not in parameters:
            values.append(f"missing_answer {p.missing_answer:g}")
        if yes:
            shown = percent(int((column == yes).sum()), len(frame))
        else:
            shown = "; ".join(f"{value} {count}" for value, count in column.value_counts().items())
        rows.append(
            {
                "question": meaning[name],
                "answer": shown,
                "missing": int(column.isna().sum()),
                "parameters": "; ".join(values),
            }
        )
    for name in ("upcr", "protein_24h", "rbc", "creatinine", "cystatin_c", "bun", "birth_date", "dipstick"):
        lost = {
            "protein_24h": "collection_missing",
            "birth_date": "missing_answer",
            "dipstick": "missing_answer",
        }
        parameter = lost.get(name, "sample_missing")
        rows.append(
            {
                "question": meaning[name],
                "answer": "measured" if name != "birth_date" else "recorded",
                "missing": int(frame[name].isna().sum()),
                "parameters": f"{parameter} {getattr(p, parameter):g}",
            }
        )
    for name in ("food_allergies", "drug_allergies"):
        rows.append(
            {
                "question": f"allergies, {meaning[name]}",
                "answer": f"two or more: {int((frame[name] >= 2).sum())}",
                "missing": int(frame[name].isna().sum()),
                "parameters": f"allergies_mean {p.allergies_mean:g}; missing_answer {p.missing_answer:g}",
            }
        )
    return Exhibit(
        "facts",
        "What the criteria ask, as recorded at screening",
        pd.DataFrame(rows),
        population="all screened children",
        n=len(frame),
        method=_METHOD,
        columns={
            "question": "Question",
            "answer": "Yes, n/N (%), or values",
            "missing": "Missing",
            "parameters": "Parameters behind it",
        },
        conventions=("a missing answer makes the criteria that need it unknown, never failed",),
    )


def measures(frame: pd.DataFrame) -> Exhibit:
    """Laboratory values of the screened cohort by sex."""
    rows = []
    arrays = to_arrays("screening", frame)
    table = {
        "Age (years)": eligibility.age_years(arrays["birth_date"], arrays["consent_date"]),
        "Height (cm)": arrays["height"],
        "Weight (kg)": arrays["weight"],
        "Creatinine (umol/L)": arrays["creatinine"],
        "Cystatin C (mg/L)": arrays["cystatin_c"],
        "Urea nitrogen (mmol/L)": arrays["bun"],
        "eGFR, bedside Schwartz (mL/min/1.73m2)": kidney.schwartz(arrays["height"], arrays["creatinine"]),
        "UPCR (mg/mg)": arrays["upcr"],
        "24-hour protein (mg/m2/h)": arrays["protein_24h"],
        "Urine red cells (/uL)": arrays["rbc"],
        "Months on RAS inhibition": (arrays["consent_date"] - arrays["ras_since"])
        / np.timedelta64(1, "D")
        / DAYS_PER_MONTH,
    }
    for what, values in table.items():
        row = {"measure": what}
        for sex, chosen in (("boys", arrays["sex"] > 0), ("girls", arrays["sex"] < 0)):
            got = values[chosen]
            got = got[~np.isnan(got)]
            row[f"{sex}_n"] = len(got)
            for q, name in ((25, "q1"), (50, "median"), (75, "q3")):
                row[f"{sex}_{name}"] = float(np.percentile(got, q)) if len(got) else np.nan
        rows.append(row)
    data = pd.DataFrame(rows)
    for sex in ("boys", "girls"):
        data[f"{sex}_shown"] = [
            f"{m:.3g} ({a:.3g} to {b:.3g})" if n else "none measured"
            for n, m, a, b in zip(
                data[f"{sex}_n"], data[f"{sex}_median"], data[f"{sex}_q1"], data[f"{sex}_q3"], strict=True
            )
        ]
    return Exhibit(
        "measures",
        "Screened children: measures by sex, median (quartiles)",
        data,
        population="all screened children",
        n=f"{int((frame['sex'] == 'male').sum())} boys, {int((frame['sex'] == 'female').sum())} girls",
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
    """How the three protein measures agree on 'positive proteinuria'."""
    seen = frame.dropna(subset=["upcr", "dipstick"])
    upcr = seen["upcr"] >= p.proteinuria_upcr
    dipstick = seen["dipstick"].isin(["1+", "2+", "3+", "4+"])
    day = seen["protein_24h"] >= p.protein24_limit
    rows = []
    for u in (True, False):
        for d in (True, False):
            chosen = (upcr == u) & (dipstick == d)
            collected = chosen & seen["protein_24h"].notna()
            rows.append(
                {
                    "upcr": f"{'at least' if u else 'below'} {p.proteinuria_upcr:g} mg/mg",
                    "dipstick": "1+ and above" if d else "negative or trace",
                    "children": int(chosen.sum()),
                    "day": percent(int((collected & day).sum()), int(collected.sum())),
                }
            )
    return Exhibit(
        "protein-agreement",
        "Three measures of protein in the same children",
        pd.DataFrame(rows),
        population="screened children with UPCR and dipstick",
        n=len(seen),
        method=_METHOD,
        columns={
            "upcr": "UPCR",
            "dipstick": "Dipstick",
            "children": "Children",
            "day": f"24-hour protein at least {p.protein24_limit:g} mg/m2/h",
        },
        caption="The dipstick reads concentration, so a dilute or concentrated morning urine misleads it.",
    )
