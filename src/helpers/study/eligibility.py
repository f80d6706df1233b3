"""Eligibility: 23 criteria as rows of data, each with a three-valued rule on columns.

Three values are int8: +1 met (the child passes), 0 unknown, -1 not met (the child fails). With that coding
Kleene's logic is arithmetic: `and` is the minimum, `or` the maximum, `not` the sign. Rules take a dict of
columns in the coding of `tables.to_arrays("screening", ...)`, whether simulated or read from a site's file; `evaluate` adds the eGFR of the chosen equation as `gfr`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.study import kidney
from helpers.study.codebook import DIPSTICK
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR, EXCLUSION, INCLUSION
from helpers.study.tables import code

Columns = dict[str, NDArray]
Rule = Callable[[Columns, Parameters], NDArray]

SCREEN_FAILURE, PENDING, ELIGIBLE = -1, 0, 1
STATUS = {SCREEN_FAILURE: "screen failure", PENDING: "pending", ELIGIBLE: "eligible"}
AVALC = np.array(["NOT MET", "UNKNOWN", "MET"], object)


def both(*values: NDArray) -> NDArray:
    """Three-valued and: failed if one fails, else unknown if one is unknown."""
    return np.minimum.reduce(values)


def either(*values: NDArray) -> NDArray:
    """Three-valued or: met if one is met, else unknown if one is unknown."""
    return np.maximum.reduce(values)


def known(condition: NDArray, *needed: NDArray) -> NDArray:
    """+1 where the condition holds, -1 where not, 0 where one of the needed values is missing."""
    out = np.where(condition, 1, -1).astype(np.int8)
    for values in needed:
        out[np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)] = 0
    return out


def months_before(day: NDArray, months: int) -> NDArray:
    """The same day of the month so many calendar months earlier, or that month's last day.

    day: datetime64[D]; 31 May less 3 months is 28 (29) February.
    """
    month = day.astype("datetime64[M]")
    target = month - months
    last = (target + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.minimum(target.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)


def birthday(birth: NDArray, years: int) -> NDArray:
    """The day on which a child completes so many years; who is born on 29 February does so on 1 March."""
    month = birth.astype("datetime64[M]")
    return (month + 12 * years).astype("datetime64[D]") + (birth - month.astype("datetime64[D]"))


def age_years(birth: NDArray, day: NDArray) -> NDArray:
    """Age in years with decimals, for equations; completed years are decided by `birthday`."""
    return (day - birth) / np.timedelta64(1, "D") / DAYS_PER_YEAR


def within_months(c: Columns, p: Parameters, event: str, months: int) -> NDArray:
    """Whether an event lies within so many calendar months before consent; no date = unknown."""
    happened, when = c[event], c[f"{event}_date"]
    out = -np.ones(happened.shape, np.int8)
    out[happened == 0] = 0
    at = np.flatnonzero(happened > 0)
    start = months_before(c["consent_date"][at], months)
    recent = when[at] >= start if p.exactly_counts_as_within else when[at] > start
    out[at] = known(recent, when[at])
    return out


def measured_gfr(c: Columns, p: Parameters) -> NDArray:
    """eGFR of the screening sample, mL/min/1.73m2, by the method of the plan; unrounded; NaN = missing."""
    return kidney.egfr(
        p.gfr_method,
        height=c["height"],
        creatinine=c["creatinine"],
        cystatin_c=c.get("cystatin_c", np.nan),
        age=age_years(c["birth_date"], c["consent_date"]),
        male=c["sex"] > 0,
    )


def days_past_birthday(birth: NDArray, day: NDArray, years: int) -> NDArray:
    """Days from the birthday of so many years to `day`, exact within a week of it, within two days elsewhere.

    The calendar is slow, and far from the birthday only the sign counts. No birth date: any number.
    """
    past = (day - birth).astype(float) - DAYS_PER_YEAR * years
    near = np.flatnonzero(np.abs(past) < 7)
    past[near] = (day[near] - birthday(birth[near], years)).astype(float)
    return past


def age_in_range(c: Columns, p: Parameters) -> NDArray:
    day, birth = c["consent_date"], c["birth_date"]
    completed = p.age_reading == "completed years"
    last = days_past_birthday(birth, day, 13 if completed else 12)
    young_enough = last < 0 if completed else last <= 0
    return known((days_past_birthday(birth, day, 3) >= 0) & young_enough, birth)


def diagnosis(c: Columns, p: Parameters) -> NDArray:
    variant, zygosity, gene = c["variant"], c["zygosity"], c["gene"]
    v = {
        name: code("screening", "variant", name)
        for name in ("likely pathogenic", "uncertain significance", "none found")
    }
    z = {
        n: code("screening", "zygosity", n)
        for n in ("hemizygous", "heterozygous", "homozygous", "compound heterozygous")
    }
    col4a5 = code("screening", "gene", "COL4A5")
    col4a34 = code("screening", "gene", "COL4A3/4")
    male = c["sex"] > 0
    two = (zygosity == z["homozygous"]) | (zygosity == z["compound heterozygous"])
    one = (zygosity == z["heterozygous"]) & p.heterozygous_counts
    fits = np.where(
        gene == col4a5,
        (male & (zygosity == z["hemizygous"])) | (~male & ((zygosity == z["heterozygous"]) | two)),
        np.where(gene == col4a34, two | one, gene == code("screening", "gene", "two genes")),
    )
    genetic = np.where(fits, 1, -1)
    genetic = np.where((zygosity < 0) | (gene < 0), 0, genetic)
    genetic = np.where(
        variant <= v["likely pathogenic"], genetic, np.where(variant == v["none found"], -1, 0)
    )
    biopsy = np.where(c["biopsy"] == code("screening", "biopsy", "diagnostic"), 1, -1)
    return either(genetic, biopsy).astype(np.int8)


def proteinuria(c: Columns, p: Parameters) -> NDArray:
    upcr = known(c["upcr"] >= p.proteinuria_upcr, c["upcr"])
    grade = c["dipstick"]
    dipstick = np.where(grade < 0, 0, np.where(grade >= DIPSTICK.index("1+"), 1, -1)).astype(np.int8)
    return {"UPCR": upcr, "dipstick": dipstick, "either": either(upcr, dipstick)}[p.proteinuria_by]


def haematuria(c: Columns, p: Parameters) -> NDArray:
    cells = c["rbc" if p.haematuria_cells == "all" else "rbc_dysmorphic"]
    return known(cells > p.haematuria_limit, cells)


def gfr_normal(c: Columns, p: Parameters) -> NDArray:
    return known(c["gfr"] >= p.gfr_normal, c["gfr"])


def proteinuria_or_haematuria(c: Columns, p: Parameters) -> NDArray:
    if p.combined_haematuria == "never enough":
        return proteinuria(c, p)
    return either(proteinuria(c, p), both(haematuria(c, p), -gfr_normal(c, p)))


def gfr_above_floor(c: Columns, p: Parameters) -> NDArray:
    return known(c["gfr"] > 60 if p.ckd_rule == "GFR above 60" else c["gfr"] >= 30, c["gfr"])


def no_recent_infection(c: Columns, p: Parameters) -> NDArray:
    """Counted to the day before `c["consent_date"]`, at the recheck before the day of treatment."""
    days = (c["consent_date"] - c["infection_date"]) / np.timedelta64(1, "D")
    recent = known(days <= p.infection_days if p.exactly_counts_as_within else days < p.infection_days, days)
    return -both(c["infection"], np.where(c["infection"] > 0, recent, 1))


def virology_negative(c: Columns, p: Parameters) -> NDArray:
    return both(*(-c[test] for test in ("hbsag", "hcv", "hiv", "syphilis")))


def no_severe_allergy(c: Columns, p: Parameters) -> NDArray:
    food, drug = c["food_allergies"], c["drug_allergies"]
    counted = np.nan_to_num(food) + np.nan_to_num(drug)
    missing = np.isnan(food) | np.isnan(drug)
    several = np.where(counted >= 2, 1, np.where(missing, 0, -1)).astype(np.int8)
    return -either(c["severe_allergy"], several)


def not_only_haematuria(c: Columns, p: Parameters) -> NDArray:
    return -both(haematuria(c, p), -proteinuria(c, p), gfr_normal(c, p))


def not_stage_four(c: Columns, p: Parameters) -> NDArray:
    return known(c["gfr"] >= 30, c["gfr"])


def organs_sound(c: Columns, p: Parameters) -> NDArray:
    return -either(*(c[organ] for organ in ("heart", "liver", "lung", "other_organ", "tumour")))


def no_autoimmunity(c: Columns, p: Parameters) -> NDArray:
    combine = both if p.autoimmune_rule == "and" else either
    return -combine(c["autoimmune"], c["immunosuppressant"])


def no_recent_surgery(c: Columns, p: Parameters) -> NDArray:
    amount = known(c["blood_loss_ml"] > p.blood_loss_limit, c["blood_loss_ml"])
    bleeding = both(
        within_months(c, p, "blood_loss", p.recent_months), np.where(c["blood_loss"] > 0, amount, 1)
    )
    return -either(
        within_months(c, p, "surgery", p.recent_months),
        within_months(c, p, "trauma", p.recent_months),
        bleeding,
    )


def answer(name: str, sign: int) -> Rule:
    """The rule of a criterion that is recorded, never computed: sign +1 for a required yes, -1 for a required no."""
    return lambda c, p: (sign * c[name]).astype(np.int8)


@dataclass(frozen=True)
class Criterion:
    """One registered criterion: id, registered text word for word, our reading, columns, what is unknown, rule."""

    id: str
    registered: str
    reading: str
    reads: tuple[str, ...]
    unknown: str
    rule: Rule

    @property
    def category(self) -> str:
        return "INCLUSION" if self.id[0] == "I" else "EXCLUSION"


_AGE = ("birth_date", "consent_date")
_GFR = ("height", "creatinine", "cystatin_c", "sex", *_AGE)
_URINE = ("upcr", "dipstick", "rbc", "rbc_dysmorphic", *_GFR)
_VIRUS = ("hbsag", "hcv", "hiv", "syphilis")


def _criteria() -> tuple[Criterion, ...]:
    rows = (
        ("I1", "Completed years on the day of consent: from the 3rd birthday until the day before the 13th; a birthday on 29 February falls on 1 March.", _AGE, "date of birth missing", age_in_range),
        ("I2", "A pathogenic or likely pathogenic COL4A3/4/5 variant with fitting zygosity, or a diagnostic biopsy.", ("variant", "zygosity", "gene", "biopsy", "sex"), "only a variant of uncertain significance, no test, or zygosity missing, without a diagnostic biopsy", diagnosis),
        ("I3", "Proteinuria (UPCR at least 0.2 mg/mg or dipstick 1+), with or without haematuria; or haematuria with GFR below 90.", _URINE, "the values that decide are missing", proteinuria_or_haematuria),
        ("I4", "The number rules, unrounded: GFR above 60; stage III (30 to 59) is not enrolled.", _GFR, "creatinine, height or what the chosen equation needs is missing", gfr_above_floor),
        ("I5", "No infection that ended within 7 days before consent; checked again before the first infusion.", ("infection", "infection_date", "consent_date"), "question not answered, or an infection without its date", no_recent_infection),
        ("I6", "HBsAg, HCV, HIV and syphilis tests all negative; antibodies against HBsAg alone pass.", _VIRUS, "one test missing and none positive", virology_negative),
        ("I7", "As recorded by the investigator.", ("allergic_state",), "question not answered", answer("allergic_state", -1)),
        ("I8", "As recorded: signed.", ("consent",), "question not answered", answer("consent", 1)),
        ("E1", "The complement of I1: the same birthdays decide.", _AGE, "date of birth missing", age_in_range),
        ("E2", "Haematuria, no proteinuria, and GFR of 90 or above; read together with I3.", _URINE, "a missing value that could decide", not_only_haematuria),
        ("E3", "GFR below 30.", _GFR, "creatinine, height or what the chosen equation needs is missing", not_stage_four),
        ("E4", "As recorded.", ("other_renal",), "question not answered", answer("other_renal", -1)),
        ("E5", "A severe allergic reaction, or two or more foods and drugs together.", ("severe_allergy", "food_allergies", "drug_allergies"), "a count missing that could decide, and no severe reaction", no_severe_allergy),
        ("E6", "As recorded.", ("stem_cell_allergy",), "question not answered", answer("stem_cell_allergy", -1)),
        ("E7", "Any one organ, or a tumour, as recorded; one yes fails whatever else is missing.", ("heart", "liver", "lung", "other_organ", "tumour"), "one answer missing and none yes", organs_sound),
        ("E8", "As recorded from imaging.", ("malformation",), "imaging not done", answer("malformation", -1)),
        ("E9", "Literally: an autoimmune disease and regular immunosuppressants, both.", ("autoimmune", "immunosuppressant"), "one answer missing and the other yes", no_autoimmunity),
        ("E10", "As recorded.", ("infection_uncontrolled",), "question not answered", answer("infection_uncontrolled", -1)),
        ("E11", "The same four tests as I6: any positive one fails.", _VIRUS, "one test missing and none positive", virology_negative),
        ("E12", "Surgery, acute trauma, or blood loss above 200 mL, within 3 calendar months before consent; exactly 3 months ago counts as within.", ("surgery", "surgery_date", "trauma", "trauma_date", "blood_loss", "blood_loss_ml", "blood_loss_date", "consent_date"), "a question, date or amount missing that could decide", no_recent_surgery),
        ("E13", "Another study within 3 calendar months before consent; exactly 3 months ago counts as within.", ("other_study", "other_study_date", "consent_date"), "question or date missing", lambda c, p: -within_months(c, p, "other_study", p.recent_months)),
        ("E14", "A cell product within 12 calendar months before consent; exactly 12 months ago counts as within.", ("cell_product", "cell_product_date", "consent_date"), "question or date missing", lambda c, p: -within_months(c, p, "cell_product", p.cell_product_months)),
        ("E15", "As recorded by the investigator, never computed.", ("unsuitable",), "question not answered", answer("unsuitable", -1)),
    )  # fmt: skip
    texts = (*INCLUSION, *EXCLUSION)
    return tuple(
        Criterion(id, text, reading, reads, unknown, rule)
        for (id, reading, reads, unknown, rule), text in zip(rows, texts, strict=True)
    )


CRITERIA = _criteria()
IDS = tuple(criterion.id for criterion in CRITERIA)

CONTESTED = (
    ("gfr_method", "U25 creatinine", "eGFR by CKiD U25 from creatinine"),
    ("gfr_method", "U25 cystatin C", "eGFR by CKiD U25 from cystatin C"),
    ("gfr_method", "U25 mean", "eGFR by the mean of the two U25 equations"),
    ("ckd_rule", "stage I to III", "I4: the stages rule, GFR from 30 is admitted"),
    ("proteinuria_by", "UPCR", "I3: proteinuria by UPCR alone"),
    ("proteinuria_by", "dipstick", "I3: proteinuria by dipstick alone"),
    ("combined_haematuria", "never enough", "I3: haematuria with a low GFR is not enough"),
    ("haematuria_cells", "dysmorphic", "E2: only dysmorphic red cells count"),
    ("age_reading", "to the 12th birthday", "I1: '12 years' ends at the 12th birthday"),
    ("heterozygous_counts", False, "I2: one heterozygous COL4A3/4 variant is not Alport syndrome"),
    ("autoimmune_rule", "or", "E9: an autoimmune disease or immunosuppressants"),
    ("exactly_counts_as_within", False, "I5, E12 to E14: exactly the stated time ago is outside"),
)
"""Readings that people may contest: (parameter, the other value, in words)."""


def evaluate(columns: Columns, p: Parameters) -> NDArray:
    """All criteria for all children: int8 (23, children), +1 met, 0 unknown, -1 not met."""
    columns = {**columns, "gfr": measured_gfr(columns, p)}
    done: dict[Rule, NDArray] = {}
    for criterion in CRITERIA:
        if criterion.rule not in done:
            done[criterion.rule] = criterion.rule(columns, p)
    asked = ("I2", "I8") if p.criteria == "diagnosis and consent" else IDS
    met = np.ones_like(done[CRITERIA[0].rule])
    return np.stack([done[c.rule] if c.id in asked else met for c in CRITERIA])


def status(values: NDArray) -> NDArray:
    """-1 screen failure (a criterion failed), 0 pending (none failed, one unknown), +1 eligible, per child."""
    return values.min(axis=0)


def adie(usubjid: NDArray, values: NDArray) -> pd.DataFrame:
    """ADIE: one row a child and criterion, in the order screened and registered."""
    n = len(usubjid)
    return pd.DataFrame(
        {
            "USUBJID": np.repeat(usubjid, len(CRITERIA)),
            "IETESTCD": np.tile(np.array(IDS, object), n),
            "IETEST": np.tile(np.array([c.registered for c in CRITERIA], object), n),
            "IECAT": np.tile(np.array([c.category for c in CRITERIA], object), n),
            "AVALC": AVALC[values.T.ravel() + 1],
        }
    )


def from_adie(frame: pd.DataFrame) -> tuple[NDArray, NDArray]:
    """(children, values (23, children)) back from an ADIE table, in its order of children."""
    coded = frame["AVALC"].map({"MET": 1, "UNKNOWN": 0, "NOT MET": -1})
    wide = coded.groupby([frame["USUBJID"], frame["IETESTCD"]], sort=False).first().unstack()[list(IDS)]
    return wide.index.to_numpy(object), wide.to_numpy(np.int8).T
