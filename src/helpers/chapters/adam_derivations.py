"""How each variable of an analysis table comes about: copied, assigned, or derived by a rule in words.

Marked names are those of the tables (`table.column`, raw ones in lower case) and of the plan's parameters
(`remission_threshold`), whose values stand in the chapter Plan; a test holds that there are such, and that a copy is
one. The words tell what `analysis.adam` does, in the terms that a reviewer reads `define.xml` with. Equations stand
here as text as well, which a test evaluates against the functions of `study.kidney`.
"""

from helpers.analysis.adam import ILLNESSES, RATIO_SCALE, URINE
from helpers.study import kidney
from helpers.study.codebook import ARMS
from helpers.study.protocol import DAYS_PER_MONTH, DAYS_PER_YEAR, TRIAL

COPIES = {
    "adsl": {
        "SUBJID": "ADSL.USUBJID",
        "ARM": "ADSL.TRT01P",
        "HEIGHTBL": "screening.height",
        "WEIGHTBL": "screening.weight",
        "RANDDT": "randomisation.randomisation_date",
        "DCSREAS": "disposition.reason",
    },
    "adtte": {
        "STARTDT": "ADSL.TZERODT",
    },
    "adae": {
        "AETERM": "events.term",
        "AEDECOD": "events.event",
        "AESEV": "events.severity",
    },
}
"""Variables that are a column of another table as it is, where the codebook's words do not say so already."""

ASSIGNED = {
    "adsl": {
        "STUDYID": f"The number of the registration, {TRIAL}.",
        "SITEID": "NOT REPORTED, because no raw table holds the site.",
        "RACE": "NOT REPORTED, because no raw table holds it.",
        "AGEU": "The unit in which `ADSL.AGE` is computed.",
        "RANDFL": "Y for every row: the table holds the children on the randomisation list, and nobody else.",
    },
    "adlb": {
        "PARAMCD": "One of the project's codes for each raw test and each equation of eGFR.",
        "PARAM": "The words and the unit that belong to `ADLB.PARAMCD`, one to one.",
        "ANL01FL": "Y for every row: a child has one record of a parameter and analysis visit.",
    },
    "adtte": {
        "PARAMCD": "One of the project's codes for each endpoint (UPCR, P24, DIP, HEM, GFR), ended by F first, "
        "C confirmed, S sustained, A confirmed by actual days.",
        "PARAM": "The words that belong to `ADTTE.PARAMCD`, one to one.",
        "AVALU": "The unit in which `ADTTE.AVAL` is computed.",
    },
}
"""Variables whose value is no child's."""

_NUMBERED = ", ".join(f"{k} where it is {arm}" for k, arm in enumerate(ARMS))
_EVALUABLE = "Y where the child's baseline of the parameter that the endpoint is judged on is "
_WELL = (
    "Where `baseline_samples` is mean of both, a urine sample whose `labs.date` lies within an "
    f"{' or '.join(ILLNESSES)} of the child (`events.event`, from `events.start_date` to "
    "`events.end_date`, both days counted and without an end all later ones) is left out, unless there is no other"
)
"""What a baseline of urine is not made of."""
_AT_BASELINE = (
    "Baseline of {} from `labs.value`, by the rule of the record that `ADLB.ABLFL` marks and equal to its `ADLB.AVAL`; "
    f"empty where there is none. {_WELL}."
)
_FIRST = "The earliest `treatments.date` of the child where "
DERIVED = {
    "adsl": {
        "TRT01PN": f"`ADSL.TRT01P` as a number: {_NUMBERED}.",
        "TRT01A": "hUC-MSC once any infusion of the child held it (`infusions.product`), otherwise Placebo; empty "
        "where no infusion was given.",
        "TRT01AN": f"`ADSL.TRT01A` as a number: {_NUMBERED}; empty where it is empty.",
        "AGE": f"(`screening.consent_date` - `screening.birth_date`) / {DAYS_PER_YEAR}, in years with decimals and not "
        "rounded; empty where the birth date is.",
        "SEX": "M where `screening.sex` is male, F where it is female.",
        "RASFL": "Y where `screening.ras_inhibitor` is yes, N where it is no or not answered.",
        "RASMON": f"(`screening.consent_date` - `screening.ras_since`) / {DAYS_PER_MONTH}, in months; empty for a "
        "child without such treatment or with an unknown start.",
        "UPCRBL": _AT_BASELINE.format("PROTCRT"),
        "RBCBL": _AT_BASELINE.format("RBCURINE"),
        "EGFRBL": "Baseline of the parameter that `gfr_method` names, the `ADLB.AVAL` where `ADLB.ABLFL` is Y: "
        "the mean of the eGFR of the samples that count, each of `labs.value` of one visit; empty where there is none.",
        "TRTSDT": "The earlier of the child's two `infusions.date`; empty where none was given.",
        "TRTEDT": "The later of the child's two `infusions.date`, the only one where one was given; empty where "
        "none was.",
        "TZERODT": "`infusions.planned_date` of the child's second infusion, whether it was given or not: day 0 of "
        "all analysis times.",
        "NINFUS": "The number of the child's `infusions.date` that are not empty.",
        "SAFFL": "Y where `ADSL.NINFUS` is 1 or more, N otherwise.",
        "PPROTFL": "Y where `ADSL.NINFUS` is 2 and `ADSL.RESCDT` is empty, N otherwise.",
        "UPCRFL": f"{_EVALUABLE}at least `remission_threshold` (PROTCRT), N otherwise or where there is none.",
        "HEMFL": f"{_EVALUABLE}above `haematuria_limit` (the cells by `haematuria_cells`), N otherwise or where "
        "there is none.",
        "GFRFL": f"{_EVALUABLE}below `egfr_evaluable` (the equation by `gfr_method`), N otherwise or where there "
        "is none.",
        "RESCDT": f"{_FIRST}`treatments.treatment` is rescue.",
        "RASCHDT": f"{_FIRST}`treatments.treatment` is RAS inhibitor and `treatments.change` is started or raised, "
        "a rise only where `treatments.dose_ratio` is above `ras_raise_from` or not recorded.",
        "RASSTDT": f"{_FIRST}`treatments.treatment` is RAS inhibitor and `treatments.change` is stopped or lowered.",
        "NOREMDT": "The earlier of `ADSL.RESCDT` and, where `disposition.reason` is death, kidney replacement or "
        "consent withdrawn for harm, `disposition.date`.",
        "EOSSTT": "`disposition.status` in the words of ADaM: completed is COMPLETED, left DISCONTINUED, ongoing "
        "ONGOING.",
    },
    "adlb": {
        "AVISIT": "Baseline for the record that `ADLB.ABLFL` marks; otherwise the registered name of the visit that "
        "`labs.visit_no` counts. Nothing is moved by the actual day.",
        "AVISITN": "0 for Baseline; otherwise `labs.visit_no` - 1, which counts the eleven follow-up visits.",
        "ADT": "`labs.date` of the sample; of an eGFR that of its blood; at baseline of the last sample in it.",
        "ADY": "`ADLB.ADT` - `ADSL.TZERODT` in days: day 0 is time zero, negative before it.",
        "MONTH": f"Target day of the visit / {DAYS_PER_MONTH}, whatever the actual day; at baseline the planned day of "
        f"the first infusion, -`infusion_gap` / {DAYS_PER_MONTH}.",
        "AVAL": "By parameter, see the value-level metadata.",
        "BASE": "`ADLB.AVAL` of the same child and parameter where `ADLB.ABLFL` is Y, on every record of them.",
        "CHG": "`ADLB.AVAL` - `ADLB.BASE` on records after baseline; empty at baseline or without one.",
        "PCHG": "100 (`ADLB.AVAL` - `ADLB.BASE`) / `ADLB.BASE` on records after baseline; empty at baseline, and "
        "where the baseline is missing or zero.",
        "ABLFL": "Y for the record made of the samples of `labs.visit_no` 0 and 1, taken by the day of the first "
        "infusion, or of randomisation where both are used; which of them count says `baseline_samples`. "
        f"{_WELL}; urine are {', '.join(URINE)}.",
        "DTYPE": "AVERAGE where both samples made the baseline: their geometric mean for "
        f"{', '.join(RATIO_SCALE)}, else their arithmetic one; empty for a single sample and after baseline. {_WELL}: "
        "the baseline is then of the other sample alone.",
        "AVALCAT1": "The state of `ADLB.AVAL` against `ADLB.BASE` by the rule of the endpoint that is judged on the "
        "parameter, see the value-level metadata; none from `ADSL.NOREMDT` on; empty at baseline, for parameters of no "
        "endpoint, and on every record of a child that is not evaluable for the endpoint at baseline.",
        "LOQFL": "Y where `labs.qualifier` is < (of an eGFR: where it says so of the result), H where it is >; of "
        "two baseline samples by either, empty where they point both ways.",
    },
    "adtte": {
        "ADT": "`ADLB.ADT` of the visit that `ADTTE.AVAL` dates, its target day where it was missed; "
        "`ADTTE.STARTDT` where that is no visit.",
        "AVAL": "By parameter, see the value-level metadata.",
        "CNSR": "0 where the event was seen; otherwise 1, or 2 for a child that is not evaluable at baseline.",
        "EVNTDESC": "By `ADTTE.CNSR`: the first visit of the event; the last visit at which it could still be "
        "seen, or time zero where there is none; or that the child is not evaluable.",
        "ANL01FL": "Y where the child is evaluable for the endpoint at baseline (for UPCR as `ADSL.UPCRFL`), "
        "N otherwise.",
        "LMONTH": "Target month of the last visit with a known state before the event, or without one of the last at "
        "which it could still be seen; the day of the first infusion where there is none.",
        "RMONTH": "Target month of the visit at which the event was first seen; empty where it was not.",
        "ACTMONTH": f"(`ADTTE.ADT` - `ADTTE.STARTDT`) / {DAYS_PER_MONTH}, by the actual day.",
        "EOSMONTH": "`ADTTE.AVAL` for an event; else months from `ADTTE.STARTDT` to `ADSL.EOSDT`, at most month 12 "
        "and at least `ADTTE.AVAL`.",
        "CNFMONTH": "Target month of the visit that confirms the event; without one, of the last visit with a known "
        "state, or 0.",
        "HORIZON": "Target month of the last visit from which the event can be seen by the end: month 12 for a "
        "first one, earlier by `confirm_days` for a confirmed one (by actual days, by the window of that visit as "
        "well) and by `sustained_visits` for a sustained one.",
    },
    "adae": {
        "ASTDY": "`ADAE.ASTDT` - `ADSL.TZERODT` in days: day 0 is time zero, negative before it.",
        "ADURN": "`ADAE.AENDT` - `ADAE.ASTDT` + 1, in days; empty where the event has no last day.",
        "AEENRTPT": "ONGOING where `ADAE.AENDT` is empty; empty otherwise.",
        "AESER": "Y where `events.serious` is yes, N where it is no; empty where it is not answered.",
        "AEREL": "Y where `events.related` is yes, N where it is no; empty where it is not answered.",
        "AE24HFL": "Y where `events.within_24h` is yes, N where it is no or not answered.",
        "TRTEMFL": "Y where `ADAE.ASTDT` is the day of `ADSL.TRTSDT` or later, N otherwise or where no infusion was "
        "given.",
    },
}
"""Variables that are computed, with the rule."""

TEST = "`labs.value` where `labs.test` is {}, in its one unit; at baseline of the samples that `ADLB.DTYPE` tells of."
"""How the values of a raw test come about, by parameter."""
TIMES = {
    "F": "Months to the target day of the first visit in the state, else of the last visit with a known state.",
    "C": "Months to the target day of the first visit of a state that holds at every attended visit up to the first at "
    "least `confirm_days` later; else of the last visit at which one could still be confirmed.",
    "S": "Months to the target day of the first visit of a state that holds at every attended visit to the last, at "
    "least `sustained_visits` of them; else of the last visit at which that could still be seen.",
    "A": "As confirmed, but `confirm_days` are counted between the actual days of the visits.",
}
"""How the times of an endpoint come about, by the last letter of its code."""
STATES = {
    "UPCR": (
        ("complete", "partial", "none"),
        "By `remission_definition`, `remission_threshold` and `remission_fall`: complete or partial remission; empty "
        "where `ADSL.UPCRFL` is N.",
    ),
    "P24": (
        ("remission", "none"),
        "Below `protein24_limit`, or below `ADLB.BASE` by at least its share `remission_fall`; empty for a baseline "
        "below that limit or none.",
    ),
    "DIP": (("remission", "none"), "Grade 1 or 0; empty for a baseline below grade 2 or none."),
    "HEM": (("remission", "none"), "At or below `haematuria_limit`; empty where `ADSL.HEMFL` is N."),
    "GFR": (
        ("improved", "none"),
        "Above `ADLB.BASE` by at least its share `egfr_improvement`; empty where `ADSL.GFRFL` is N.",
    ),
}
"""Endpoint -> (values that `ADLB.AVALCAT1` has for the parameter it is judged on, by which rule)."""

K = {
    "U25 creatinine": (
        ("M", 1, 12, "39 x 1.008^(age - 12)"),
        ("M", 12, 18, "39 x 1.045^(age - 12)"),
        ("M", 18, 25, "50.8"),
        ("F", 1, 12, "36.1 x 1.008^(age - 12)"),
        ("F", 12, 18, "36.1 x 1.023^(age - 12)"),
        ("F", 18, 25, "41.4"),
    ),
    "U25 cystatin C": (
        ("M", 1, 15, "87.2 x 1.011^(age - 15)"),
        ("M", 15, 18, "87.2 x 0.960^(age - 15)"),
        ("M", 18, 25, "77.1"),
        ("F", 1, 12, "79.9 x 1.004^(age - 12)"),
        ("F", 12, 18, "79.9 x 0.974^(age - 12)"),
        ("F", 18, 25, "68.3"),
    ),
}
"""Method of eGFR -> its factor k: ADSL.SEX, from which age, to below which one, and the factor."""
CREATININE = f"(creatinine / {kidney.UMOL_PER_MG_DL})"
"""Serum creatinine, of umol/L in mg/dL."""
FORMULAS = {
    "bedside Schwartz": f"{kidney.SCHWARTZ_K} x height / {CREATININE}",
    "U25 creatinine": f"k x (height / 100) / {CREATININE}",
    "U25 cystatin C": "k / cystatin_c",
}
"""Method of eGFR -> its equation, mL/min/1.73m2."""
OF_EGFR = (
    "height (cm), creatinine (umol/L) and cystatin_c (mg/L) are `labs.value` of these `labs.test` at the same "
    f"`labs.visit_no`; age is (`labs.date` of the blood - `screening.birth_date`) / {DAYS_PER_YEAR} in years, sex "
    "`screening.sex`. At baseline: the eGFR of each sample that counts, and their arithmetic mean."
)
"""What stands in the equations, and how a baseline comes about."""


def equation(method: str) -> str:
    """The equation of a method of eGFR in words, with its factor by age and sex.

    >>> equation("bedside Schwartz")
    '0.413 x height / (creatinine / 88.4)'
    >>> equation("U25 cystatin C")[:76]
    'k / cystatin_c with k for boys 87.2 x 1.011^(age - 15) below 15 years, 87.2 '
    """
    if method not in FORMULAS:
        both = [f"{equation(one)} [{name}]" for one, name in zip(K, ("first", "second"), strict=True)]
        return f"(first + second) / 2 of {' and '.join(both)}"
    if method not in K:
        return FORMULAS[method]
    told = []
    for sex, words in (("M", "boys"), ("F", "girls")):
        rows = [row for row in K[method] if row[0] == sex]
        ages = [
            f"below {rows[0][2]} years",
            f"from {rows[1][1]} to below {rows[1][2]}",
            f"from {rows[2][1]} on",
        ]
        told.append(
            f"for {words} {', '.join(f'{row[3]} {age}' for row, age in zip(rows, ages, strict=True))}"
        )
    return f"{FORMULAS[method]} with k {'; '.join(told)}"
