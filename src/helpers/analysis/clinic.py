"""Who was screened: counts and distributions of the table `screening`, and of a larger draw from the clinic."""

import numpy as np
import pandas as pd

from helpers.study import eligibility, kidney
from helpers.study.codebook import DIPSTICK, TABLES
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_MONTH
from helpers.study.tables import to_arrays

_SEXES = {"boys": "male", "girls": "female"}
_GROUPS = ("X-linked, boys", "X-linked, girls", "recessive", "dominant", "digenic")
_POSITIVE_DIPSTICK = DIPSTICK[DIPSTICK.index("1+") :]
ANSWERS = {
    "variant": None,
    "biopsy": None,
    "ras_inhibitor": "yes",
    "infection": "yes",
    "hbsag": "positive",
    "hcv": "positive",
    "hiv": "positive",
    "syphilis": "positive",
    "anti_hbs": "positive",
    "allergic_state": "yes",
    "consent": "yes",
    "other_renal": "yes",
    "severe_allergy": "yes",
    "stem_cell_allergy": "yes",
    "heart": "yes",
    "liver": "yes",
    "lung": "yes",
    "other_organ": "yes",
    "tumour": "yes",
    "malformation": "yes",
    "autoimmune": "yes",
    "immunosuppressant": "yes",
    "infection_uncontrolled": "yes",
    "surgery": "yes",
    "trauma": "yes",
    "blood_loss": "yes",
    "other_study": "yes",
    "cell_product": "yes",
    "unsuitable": "yes",
}
"""Questions of the criteria with the answer that is counted; None: every answer is."""
MEASURED = ("upcr", "protein_24h", "rbc", "creatinine", "cystatin_c", "bun", "birth_date", "dipstick")
"""Columns that a criterion reads and that may be missing."""
ALLERGIES = ("food_allergies", "drug_allergies")


def cohort(screening: pd.DataFrame) -> pd.DataFrame:
    """The screened cohort in one row.

    Columns: children, boys, x_linked (children), upcr_median (mg/mg, of those measured; NaN without any),
    first, last (days of consent).

    >>> cohort(pd.DataFrame({"sex": ["male", "female"], "genotype": ["X-linked", "dominant"],
    ...     "upcr": [1.0, 2.0], "consent_date": pd.to_datetime(["2026-01-02", "2026-01-05"])}))
       children  boys  x_linked  upcr_median      first       last
    0         2     1         1          1.5 2026-01-02 2026-01-05

    Examples
    --------
    As notebook 01-screening calls it:

    >>> cohort = clinic.cohort(screening)
    """
    return pd.DataFrame(
        {
            "children": [len(screening)],
            "boys": [int((screening["sex"] == "male").sum())],
            "x_linked": [int((screening["genotype"] == "X-linked").sum())],
            "upcr_median": [float(screening["upcr"].median())],
            "first": [screening["consent_date"].min()],
            "last": [screening["consent_date"].max()],
        }
    )


def genotype_by_sex(screening: pd.DataFrame) -> pd.DataFrame:
    """Children of each genotype, boys and girls apart, a row for each pair.

    Columns: group (boys, girls), category (genotype), n (children), total (children of that sex).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> forms = clinic.genotype_by_sex(screening)
    """
    genotypes = next(c.values for c in TABLES["screening"].columns if c.name == "genotype")
    rows = []
    for group, sex in _SEXES.items():
        chosen = screening.loc[screening["sex"] == sex, "genotype"]
        rows += [(group, form, int((chosen == form).sum()), len(chosen)) for form in genotypes]
    return pd.DataFrame(rows, columns=["group", "category", "n", "total"])


def measures(screening: pd.DataFrame) -> pd.DataFrame:
    """Measures at screening by sex, a row a measure.

    Columns: measure, then for boys and girls <sex>_total (children), <sex>_n (of them measured), <sex>_q1,
    <sex>_median, <sex>_q3 (linear interpolation; NaN where nobody was measured).
    Measures and units: age (years), height (cm), weight (kg), creatinine (umol/L), cystatin_c (mg/L), bun
    (mmol/L), egfr (bedside Schwartz, mL/min/1.73m2), upcr (mg/mg), protein_24h (mg/m2/h), rbc (/uL),
    ras_months (months on RAS inhibition, of those who are).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> measures = clinic.measures(screening)
    """
    c = to_arrays("screening", screening)
    on_ras = (c["consent_date"] - c["ras_since"]) / np.timedelta64(1, "D")
    found = {
        "age": eligibility.age_years(c["birth_date"], c["consent_date"]),
        **{name: c[name] for name in ("height", "weight", "creatinine", "cystatin_c", "bun")},
        "egfr": kidney.schwartz(c["height"], c["creatinine"]),
        **{name: c[name] for name in ("upcr", "protein_24h", "rbc")},
        "ras_months": on_ras / DAYS_PER_MONTH,
    }
    rows = []
    for name, values in found.items():
        row: dict[str, str | float] = {"measure": name}
        for group, sex in _SEXES.items():
            chosen = values[(screening["sex"] == sex).to_numpy()]
            row[f"{group}_total"] = chosen.size
            chosen = chosen[~np.isnan(chosen)]
            quartiles = np.percentile(chosen, (25, 50, 75)) if chosen.size else np.full(3, np.nan)
            row[f"{group}_n"] = chosen.size
            row |= {
                f"{group}_{at}": float(q) for at, q in zip(("q1", "median", "q3"), quartiles, strict=True)
            }
        rows.append(row)
    return pd.DataFrame(rows)


def facts(screening: pd.DataFrame) -> pd.DataFrame:
    """Answers to what the criteria ask, a row for each column of `screening` and answer that is counted.

    Columns: question (a column of `screening`), answer ("measured" for MEASURED, "two or more" for
    ALLERGIES; None where a question of which all answers are counted has none), n (children with it), total
    (children screened), missing (children without any answer).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> facts = clinic.facts(screening)
    """
    rows: list[tuple[str, str | None, int]] = []
    for question, answer in ANSWERS.items():
        column = screening[question]
        if answer:
            rows.append((question, answer, int((column == answer).sum())))
        else:
            rows += [(question, *pair) for pair in column.value_counts().items()] or [(question, None, 0)]
    rows += [(question, "measured", int(screening[question].notna().sum())) for question in MEASURED]
    rows += [(question, "two or more", int((screening[question] >= 2).sum())) for question in ALLERGIES]
    frame = pd.DataFrame(rows, columns=["question", "answer", "n"])
    frame["total"] = len(screening)
    frame["missing"] = [int(screening[question].isna().sum()) for question in frame["question"]]
    return frame


def protein_agreement(screening: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """How UPCR, dipstick and 24-hour protein agree on proteinuria, in children with UPCR and dipstick.

    A row for each pair of upcr (True: proteinuria_upcr or more) and dipstick (True: 1+ and above). Columns:
    upcr, dipstick, children, collected (of them with 24-hour protein), day (of those protein24_limit or more).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> agreement = clinic.protein_agreement(screening, study.parameters)
    """
    seen = screening.dropna(subset=["upcr", "dipstick"])
    upcr = seen["upcr"] >= p.proteinuria_upcr
    dipstick = seen["dipstick"].isin(_POSITIVE_DIPSTICK)
    rows = []
    for u in (True, False):
        for d in (True, False):
            collected = seen.loc[(upcr == u) & (dipstick == d), "protein_24h"]
            day = int((collected >= p.protein24_limit).sum())
            rows.append((u, d, len(collected), int(collected.notna().sum()), day))
    return pd.DataFrame(rows, columns=["upcr", "dipstick", "children", "collected", "day"])


def distribution(clinic: pd.DataFrame, measure: str, by: str | None = None) -> pd.DataFrame:
    """Distribution of a measure in a table with a row a child: a row a group, in the order of the forms.

    Columns: group (of column `by`; "all" without), children (measured), quartile_1, median, quartile_3 (linear
    interpolation), mean, sd (n - 1), all in the measure's unit.

    >>> distribution(pd.DataFrame({"age": [3.0, 4.0, 5.0, None]}), "age")
      group  children  quartile_1  median  quartile_3  mean   sd
    0   all         3         3.5     4.0         4.5   4.0  1.0

    Examples
    --------
    As notebook 01-screening calls it:

    >>> age = clinic.distribution(drawn, 'age')
    """
    seen = clinic.dropna(subset=[measure])
    values = seen[measure].groupby(seen[by].to_numpy() if by else np.full(len(seen), "all", object))
    frame = pd.DataFrame(
        {
            "children": values.size(),
            "quartile_1": values.quantile(0.25),
            "median": values.median(),
            "quartile_3": values.quantile(0.75),
            "mean": values.mean(),
            "sd": values.std(),
        }
    )
    place = {group: k for k, group in enumerate(_GROUPS)}
    order = sorted(frame.index, key=lambda group: (place.get(group, len(place)), group))
    return frame.loc[order].rename_axis("group").reset_index()
