"""The closed register of parameters: every gap that the registration leaves, and every assumption.

One row a parameter: default, unit, range or choices, group, reason, source. The source is a row id of
`targets.csv` or `targets-2.csv` in `data/reference/`, a reference, or the word "assumption". Nothing else in the project holds a
tunable number; a scenario file names the few that it changes (`scenario.load`).
"""

import math
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from helpers.study.protocol import DAYS_PER_YEAR

GROUPS = {
    "trial": "The trial as designed",
    "reading": "How we read the registration's gaps",
    "clinic": "The clinic before selection",
    "facts": "Facts that the criteria ask for",
    "measurement": "Measurement",
    "course": "Course on stable treatment",
    "effect": "The assumed effect of hUC-MSC",
    "conduct": "Conduct: visits, samples, events, drop-out",
}


def P(
    default: Any, unit: str, low: Any, high: Any, group: str, reason: str, source: str = "assumption"
) -> Any:
    limits: dict[str, Any] = {} if low is None else {"ge": low, "le": high}
    return Field(
        default,
        **limits,
        json_schema_extra={"unit": unit, "group": group, "reason": reason, "source": source},
    )


def choice(default: str | bool, group: str, reason: str, source: str = "assumption") -> Any:
    return P(default, "", None, None, group, reason, source)


def share(default: float, group: str, reason: str, source: str = "assumption") -> Any:
    return P(default, "proportion", 0.0, 1.0, group, reason, source)


def prevalence(default: float, what: str, source: str = "assumption") -> Any:
    return P(default, "proportion", 0.0, 1.0, "facts", f"Share of clinic children with {what}.", source)


class Parameters(BaseModel):
    """Every parameter at its default; frozen, typed, closed. Raises pydantic's ValidationError."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    # fmt: off
    # --- the trial as designed -------------------------------------------------------------------
    seed: int = P(6731192, "", 0, 2**32 - 1, "trial", "Any whole number; the digits of the registration number. All randomness comes from it.")
    n_randomised: int = P(40, "children", 2, 2000, "trial", "Target recruitment of the registration.", "TR03")
    max_screened: int = P(20000, "children", 10, 1000000, "trial", "Screening ends with an explanation when so many children did not yield enough eligible ones.")
    recruitment_start: date = P(date(2025, 1, 1), "date", date(2000, 1, 1), date(2100, 1, 1), "trial", "Registered start of the trial.", "TR03")
    screened_per_month: float = P(5.0, "children/month", 0.1, 1000.0, "trial", "The pace of a national referral centre; the follow-up chapter says how long recruitment then takes.")
    block_sizes: tuple[int, ...] = P((4, 6), "children", None, None, "trial", "Permuted blocks of random size at 1:1; at 2:1 half as long again, so that a block holds its ratio. The registration gives no allocation method.")
    allocation: Literal["1:1", "2:1"] = choice("1:1", "trial", "Children on hUC-MSC to children on placebo.")
    strata: Literal["none", "RAS inhibition"] = choice("none", "trial", "Whether the list is made apart for children with and without RAS inhibition at baseline, the main confounder; the primary test stays as it is.")
    cells_per_kg: float = P(2e6, "cells/kg", 1e4, 1e8, "trial", "Dose of one infusion.", "TR01")
    infusion_gap: int = P(14, "days", 1, 90, "trial", "Days between the two infusions.", "TR01")
    days_to_randomisation: int = P(7, "days", 0, 90, "trial", "From consent and screening samples to randomisation: results must be back.")
    days_to_infusion: int = P(7, "days", 0, 60, "trial", "From randomisation to the planned first infusion: cells are prepared to order.")
    window_to_week_8: int = P(3, "days", 0, 6, "trial", "Half-width of the visit window up to week 8.")
    window_to_month_6: int = P(7, "days", 0, 14, "trial", "Half-width of the visit window from month 3 to month 6; a wider one would overlap the next.")
    window_after_month_6: int = P(14, "days", 0, 29, "trial", "Half-width of the visit window after month 6; a wider one would overlap the next.")
    alpha: float = P(0.05, "", 0.001, 0.5, "trial", "Two-sided level of the primary test; none is registered.")

    # --- readings of the registration ---------------------------------------------------------------
    criteria: Literal["registered", "diagnosis and consent"] = choice("registered", "reading", "registered: all 23 criteria decide; diagnosis and consent: as for a register, only I2 and I8 do, the others are not asked and count as met.")
    remission_definition: Literal["fall", "threshold alone", "KDIGO"] = choice("fall", "reading", "fall: at least the stated fall from baseline, complete where also below the threshold; threshold alone: below it; KDIGO: complete, or the stated fall and at most the KDIGO upper limit.", "DF03")
    remission_threshold: float = P(0.2, "mg/mg", 0.01, 5.0, "reading", "UPCR below which remission is complete; baselines below it are not evaluable, which the primary endpoint counts as no remission.", "DF01")
    remission_fall: float = P(0.5, "proportion", 0.05, 0.95, "reading", "Least fall of UPCR from baseline that counts as remission.", "DF03")
    kdigo_upper: float = P(2.0, "mg/mg", 0.2, 10.0, "reading", "Upper limit of partial remission where the KDIGO definition is chosen.", "DF02")
    ras_raise_from: float = P(1.25, "ratio", 1.0, 4.0, "reading", "RAS inhibition counts as raised where the dose per kg grew to more than so many times the dose before; a dose that follows growth does not, a second agent or another class does.")
    confirm_days: int = P(28, "days", 0, 366, "reading", "A remission counts as confirmed when it holds at every attended visit up to the first at least so many days later by target day; 0 = at the next attended visit. A child is at risk of one only where such a visit was attended.")
    sustained_visits: int = P(2, "visits", 1, 11, "reading", "Least number of attended visits to month 12, all in remission, for sustained remission.")
    haematuria_limit: float = P(8.3, "/uL", 1.0, 100.0, "reading", "Urine red cells at or below it are normal: upper reference limit of flow cytometry at 1 to 12 years.", "DF09")
    haematuria_cells: Literal["all", "dysmorphic"] = choice("all", "reading", "Which red cells 'urine abnormal red blood cell count' means.")
    protein24_limit: float = P(4.0, "mg/m2/h", 0.5, 40.0, "reading", "24-hour protein below it is normal.", "DF05")
    egfr_improvement: float = P(0.2, "proportion", 0.01, 1.0, "reading", "Least rise of eGFR that counts as improvement: beyond the reference change value of 19 %.", "CV07")
    egfr_evaluable: float = P(90.0, "mL/min/1.73m2", 60.0, 150.0, "reading", "Improvement can be judged only from a baseline eGFR below it; a rise from 105 may be hyperfiltration.")
    gfr_method: Literal["bedside Schwartz", "U25 creatinine", "U25 cystatin C", "U25 mean"] = choice("bedside Schwartz", "reading", "The equation behind 'glomerular filtration rate'.", "EQ01")
    ckd_rule: Literal["GFR above 60", "stage I to III"] = choice("GFR above 60", "reading", "The two halves of I4 contradict each other: the number rules, stage III (30 to 59) is not enrolled.", "TR04")
    proteinuria_by: Literal["either", "UPCR", "dipstick"] = choice("either", "reading", "What makes proteinuria positive: UPCR at the threshold or above, dipstick 1+ and above, or either.", "TR05")
    proteinuria_upcr: float = P(0.2, "mg/mg", 0.01, 5.0, "reading", "UPCR at which proteinuria is positive.", "DF01")
    combined_haematuria: Literal["with GFR below normal", "never enough"] = choice("with GFR below normal", "reading", "I3 and E2 read together: without proteinuria, haematuria is enough only where the GFR is below normal.")
    gfr_normal: float = P(90.0, "mL/min/1.73m2", 60.0, 150.0, "reading", "GFR from which it counts as normal in I3 and E2 (CKD stage I).", "KDIGO 2012 CKD stages")
    age_reading: Literal["completed years", "to the 12th birthday"] = choice("completed years", "reading", "'12 years old' lasts until the 13th birthday, or ends at the 12th.")
    heterozygous_counts: bool = choice(True, "reading", "Whether one heterozygous COL4A3/4 variant makes Alport syndrome: contested.")
    infection_days: int = P(7, "days", 0, 60, "reading", "'Within 1 week before treatment', counted to the day; day 7 itself counts as within.", "NCT06731192, inclusion 5")
    recent_months: int = P(3, "months", 0, 24, "reading", "Calendar months back from consent in E12 and E13.", "NCT06731192, exclusions 12 and 13")
    cell_product_months: int = P(12, "months", 0, 60, "reading", "Calendar months back from consent in E14.", "NCT06731192, exclusion 14")
    exactly_counts_as_within: bool = choice(True, "reading", "Whether an event exactly the stated months or days ago lies within them.")
    blood_loss_limit: float = P(200.0, "mL", 0.0, 2000.0, "reading", "Blood loss above it excludes, the limit itself does not.", "NCT06731192, exclusion 12")
    autoimmune_rule: Literal["and", "or"] = choice("and", "reading", "'Autoimmune diseases and regular use of immunosuppressants': both, or either.")
    baseline_samples: Literal["eligibility", "separate", "mean of both"] = choice("mean of both", "reading", "mean of both: two samples from before the arm is known, at screening and on the day of randomisation (geometric mean for urine ratios; one alone where the other is missing; of an ill child only where there is no other); eligibility: the screening sample alone, which brings regression to the mean; separate: a sample on the day of the first infusion, when physicians know the arm.")

    # --- the clinic before selection --------------------------------------------------------------
    share_x_linked: float = share(0.770, "clinic", "X-linked disease (COL4A5).", "NH01")
    share_recessive: float = share(0.119, "clinic", "Autosomal recessive disease (COL4A3/4).", "NH02")
    share_dominant: float = share(0.071, "clinic", "Autosomal dominant disease (heterozygous COL4A3/4).", "NH03")
    share_digenic: float = share(0.040, "clinic", "Digenic disease.", "NH04")
    male_share: float = share(0.594, "clinic", "Boys in the clinic; the autosomal and digenic forms have as many girls as boys.", "NH05")
    age_mean: float = P(8.3, "years", 0.0, 18.0, "clinic", "Mean of the normal distribution of age before truncation, so that the mean after it is the published 8.6.", "NH14a")
    age_sd: float = P(5.0, "years", 0.1, 20.0, "clinic", "Its standard deviation before truncation; after it 3.9 is left of the published 4.1.", "NH14a")
    age_min: float = P(1.0, "years", 0.0, 18.0, "clinic", "Youngest child that the clinic sees.")
    age_max: float = P(17.0, "years", 0.0, 18.0, "clinic", "Oldest child that the clinic sees.")
    height_shift: float = P(0.4, "SD", -3.0, 3.0, "clinic", "Chinese children are taller than WHO's medians.", "Li Hui 2009 medians against WHO 2007 in growth_lms.csv")
    height_weight_correlation: float = P(0.7, "", -0.99, 0.99, "clinic", "Correlation of height and weight z-scores.")
    upcr_median_3_5: float = P(0.4, "mg/mg", 0.01, 10.0, "clinic", "Untreated median UPCR of boys with X-linked and all children with recessive disease at 4 years, before the factor upcr_level.", "NH38a")
    upcr_median_6_8: float = P(1.0, "mg/mg", 0.01, 10.0, "clinic", "The same at 7 years.", "NH38b")
    upcr_median_9_12: float = P(1.8, "mg/mg", 0.01, 10.0, "clinic", "The same at 10.5 years.", "NH38c")
    upcr_level: float = P(1.4, "ratio", 0.1, 10.0, "clinic", "Factor on those medians: boys must come out at the published 1.6 mg/mg.", "NH13")
    upcr_log_sd: float = P(1.4, "log units", 0.0, 3.0, "clinic", "Spread of the true log UPCR between children of the same genotype, sex and age.", "NH13")
    upcr_ratio_girl: float = P(0.25, "ratio", 0.01, 2.0, "clinic", "UPCR of girls with X-linked disease against boys.", "NH38a")
    upcr_ratio_dominant: float = P(0.15, "ratio", 0.01, 2.0, "clinic", "UPCR in autosomal dominant disease.", "NH38a")
    upcr_ratio_digenic: float = P(0.5, "ratio", 0.01, 2.0, "clinic", "UPCR in digenic disease.")
    upcr_max: float = P(15.0, "mg/mg", 1.0, 50.0, "clinic", "Largest true UPCR.")
    gfr_mean: float = P(109.5, "mL/min/1.73m2", 60.0, 140.0, "clinic", "Mean true GFR in mild disease and in severe disease at the youngest age: boys in care (102, NH22) and all X-linked children (109) must both come out.", "NH23")
    gfr_sd: float = P(15.4, "mL/min/1.73m2", 0.0, 40.0, "clinic", "True spread: the published 17.4 less the measurement error of creatinine.", "NH23")
    gfr_age_slope: float = P(-0.8, "mL/min/1.73m2/year", -10.0, 5.0, "clinic", "Difference of mean GFR per year of age in severe disease (boys with X-linked, all with recessive disease).", "NH24")
    gfr_upcr_slope: float = P(-2.0, "mL/min/1.73m2 per log unit", -20.0, 5.0, "clinic", "Difference of mean GFR per log unit of true UPCR above gfr_upcr_from.", "NH26")
    gfr_age_from: float = P(4.0, "years", 0.0, 18.0, "clinic", "Age from which gfr_age_slope works; a younger child with severe disease still has gfr_mean.")
    gfr_upcr_from: float = P(1.0, "mg/mg", 0.01, 10.0, "clinic", "True UPCR from which gfr_upcr_slope works; a lower one goes with gfr_mean.")
    gfr_min: float = P(5.0, "mL/min/1.73m2", 5.0, 60.0, "clinic", "Least true GFR at any time: a normal distribution has no floor and creatinine divides by it; no child near it passes the criteria.")
    gfr_max: float = P(250.0, "mL/min/1.73m2", 150.0, 300.0, "clinic", "Largest true GFR at any time: creatinine and cystatin C go to 0 with 1/GFR, and no instrument reports that; no child of the published cohorts is near it.")
    rbc_median: float = P(150.0, "/uL", 1.0, 10000.0, "clinic", "Median of the true urine red cell count in boys with X-linked and all children with recessive disease.", "NH37")
    rbc_log_sd: float = P(0.7, "log units", 0.0, 3.0, "clinic", "True spread between children: the observed 1.0 that is assumed for want of a publication holds the visit noise rbc_noise, which is taken out here; boys with X-linked disease then nearly never lose their haematuria.", "NH37")
    rbc_ratio_girl: float = P(0.6, "ratio", 0.01, 2.0, "clinic", "Red cells of girls with X-linked disease against boys.")
    rbc_ratio_dominant: float = P(0.5, "ratio", 0.01, 2.0, "clinic", "Red cells in dominant disease.")
    no_haematuria_girl: float = share(0.05, "clinic", "Girls with X-linked disease who have no haematuria.", "NH07")
    rbc_normal_median: float = P(2.5, "/uL", 0.1, 10.0, "clinic", "Median red cells where there is no haematuria.", "DF10")
    dysmorphic_share: float = share(0.75, "clinic", "Share of the red cells that are dysmorphic: glomerular bleeding.")
    ras_prevalence: float = share(0.87, "clinic", "On RAS inhibition among children with an untreated UPCR of ras_prevalence_from and above.", "NH22")
    ras_prevalence_mild: float = share(0.40, "clinic", "On RAS inhibition among the other children; guidelines advise it, prevalence is not published (NH35).")
    ras_prevalence_from: float = P(0.2, "mg/mg", 0.01, 5.0, "clinic", "Untreated UPCR from which ras_prevalence applies rather than ras_prevalence_mild.", "DF01")
    ras_mean_years: float = P(2.0, "years", 0.05, 15.0, "clinic", "Mean time since the start of RAS inhibition, exponential.")
    ras_recent: float = share(0.05, "clinic", "Share of those on RAS inhibition who started within the last ras_recent_days.")
    ras_recent_days: int = P(90, "days", 1, 1000, "clinic", "How long ago such a start may lie; the others have been treated for longer.")
    ras_first_age: int = P(365, "days", 0, 3650, "clinic", "Age before which nobody was put on RAS inhibition; guidelines advise it from diagnosis on (NH35), which is rare in infancy.")
    ras_effect: float = P(0.65, "ratio", 0.1, 1.5, "clinic", "UPCR on full RAS inhibition against none, in the typical child.", "NH20a")
    ras_effect_sd: float = P(0.3, "log units", 0.0, 2.0, "clinic", "Spread of that log effect between children: two of seven did not respond (N214), yet losartan made changes of UPCR hardly more varied than placebo did (CV03), which leaves 0 to about 0.45.")
    ras_half_life: float = P(28.0, "days", 1.0, 365.0, "clinic", "Half-life of the onset of that effect; after 12 weeks it is nearly complete.", "NH20a")

    # --- facts that the criteria ask for -------------------------------------------------------------
    missing_answer: float = share(0.003, "facts", "Any one question of the case report form left unanswered.")
    variant_uncertain: float = prevalence(0.04, "only a variant of uncertain significance")
    variant_none: float = prevalence(0.02, "no variant found")
    variant_untested: float = prevalence(0.04, "no genetic test yet")
    variant_likely: float = prevalence(0.30, "a likely pathogenic rather than a pathogenic variant")
    biopsy_done: float = share(0.35, "facts", "Kidney biopsy done.")
    biopsy_diagnostic: float = share(0.85, "facts", "Biopsy diagnostic of Alport syndrome, where done.")
    recessive_homozygous: float = share(0.40, "facts", "Children with recessive disease whose two variants are equal (homozygous) rather than different.")
    infection_recent: float = prevalence(0.15, "an infection within infection_lookback")
    infection_lookback: int = P(28, "days", 1, 365, "facts", "Days before consent over which an infection is asked for; its day is uniform within them.")
    virology_positive: float = prevalence(0.002, "each one of HBsAg, HCV, HIV or syphilis test positive")
    virology_missing: float = share(0.01, "facts", "Each one of the four screening tests not done.")
    anti_hbs_positive: float = prevalence(0.80, "antibodies against HBsAg after vaccination, which pass")
    allergic_state: float = prevalence(0.03, "an allergic state")
    consent_given: float = share(0.85, "facts", "Families who sign.")
    other_renal: float = prevalence(0.02, "another renal disease")
    severe_allergy: float = prevalence(0.01, "a severe allergic reaction in the past")
    allergies_mean: float = P(0.08, "allergies", 0.0, 5.0, "facts", "Mean number of foods, and again of drugs, that a child is allergic to (Poisson).")
    stem_cell_allergy: float = prevalence(0.001, "an allergy to stem cells or ingredients")
    organ_dysfunction: float = prevalence(0.003, "each one of severe heart, liver, lung or other organ dysfunction, or a tumour")
    malformation: float = prevalence(0.015, "a malformation of the urinary system")
    imaging_missing: float = share(0.02, "facts", "Urinary tract not imaged.")
    autoimmune: float = prevalence(0.01, "an autoimmune disease")
    immunosuppressant: float = prevalence(0.04, "regular use of immunosuppressants")
    infection_uncontrolled: float = prevalence(0.003, "a serious infection not under control")
    surgery_recent: float = prevalence(0.02, "surgery within event_lookback")
    trauma_recent: float = prevalence(0.01, "acute trauma within event_lookback")
    blood_loss_recent: float = prevalence(0.01, "any noted blood loss within event_lookback")
    blood_loss_median: float = P(120.0, "mL", 1.0, 2000.0, "facts", "Median of a noted blood loss.")
    blood_loss_log_sd: float = P(0.6, "log units", 0.0, 2.0, "facts", "Its spread from child to child (log-normal).")
    blood_loss_max: float = P(3000.0, "mL", 100.0, 5000.0, "facts", "Largest noted blood loss.")
    event_lookback: int = P(183, "days", 1, 1000, "facts", "Days before consent over which surgery, trauma, blood loss and other studies are asked for: twice the registered 3 months, so that the criterion has something to let pass.")
    other_study: float = prevalence(0.03, "taking part in another study within event_lookback")
    cell_product: float = prevalence(0.005, "a cell product within cell_product_lookback")
    cell_product_lookback: int = P(730, "days", 1, 3650, "facts", "The same for cell products: twice the registered 12 months.")
    investigator_unsuitable: float = prevalence(0.02, "a reason for the investigator to judge them unsuitable")

    # --- measurement -----------------------------------------------------------------------------------
    upcr_noise: float = P(0.35, "log units", 0.0, 2.0, "measurement", "SD of independent visit noise of log UPCR at upcr_noise_at.", "CV06")
    upcr_noise_at: float = P(0.8, "mg/mg", 0.01, 10.0, "measurement", "UPCR at which upcr_noise is stated.")
    upcr_noise_power: float = P(-0.3, "", -1.0, 1.0, "measurement", "The noise changes with UPCR to this power: it is larger at low UPCR.", "CV01")
    upcr_noise_min: float = P(0.2, "log units", 0.0, 2.0, "measurement", "Least noise.", "CV02")
    upcr_noise_max: float = P(0.6, "log units", 0.0, 2.0, "measurement", "Largest noise.", "CV01")
    upcr_wander: float = P(0.25, "log units", 0.0, 2.0, "measurement", "SD of a slow deviation of log UPCR, autocorrelated in days.", "CV03")
    upcr_wander_half_life: float = P(42.0, "days", 0.1, 1000.0, "measurement", "Half-life of that autocorrelation.")
    upcr_limit: float = P(0.03, "mg/mg", 0.0, 0.19, "measurement", "Limit of quantification of UPCR.")
    upcr_reported_max: float = P(99.0, "mg/mg", 1.0, 100.0, "measurement", "Largest UPCR that the laboratory reports.")
    urine_creatinine_median: float = P(80.0, "mg/dL", 5.0, 400.0, "measurement", "Median urine creatinine; the dipstick reads concentration.")
    urine_creatinine_log_sd: float = P(0.5, "log units", 0.0, 2.0, "measurement", "Its spread from sample to sample.")
    collection_cv: float = P(0.20, "log units", 0.0, 1.0, "measurement", "Error of a 24-hour collection on top of biology.", "CV12")
    incomplete_collection: float = share(0.10, "measurement", "24-hour collections of which a part is lost.", "CV12")
    incomplete_factor: float = P(0.6, "ratio", 0.05, 1.0, "measurement", "What such a collection still holds.")
    rbc_noise: float = P(0.7, "log units", 0.0, 3.0, "measurement", "SD of visit noise of log red cells, far wider than counting error: the lower end of the assumed 0.7 to 0.9, as episodes of gross haematuria and illness come on top.", "CV13")
    gross_haematuria: float = share(0.02, "measurement", "Chance of an episode of gross haematuria at a visit of a child with haematuria.", "NH10")
    gross_factor: float = P(30.0, "ratio", 1.0, 1000.0, "measurement", "Rise of the red cells in such an episode.")
    rbc_reported_max: float = P(99999.0, "/uL", 1000.0, 1000000.0, "measurement", "Largest red cell count that the laboratory reports.")
    creatinine_cv: float = P(0.0687, "log units", 0.0, 0.2, "measurement", "Within-child and analytical variation of serum creatinine, 6.4 % and 2.5 %; three times that would be another assay, and gives an eGFR that no child has.", "CV07")
    cystatin_cv: float = P(0.0662, "log units", 0.0, 0.2, "measurement", "Within-child and analytical variation of cystatin C, 6.4 % and 1.7 %; limited as creatinine_cv.", "CV08")
    bun_median: float = P(4.8, "mmol/L", 1.0, 20.0, "measurement", "Median serum urea nitrogen at a GFR of bun_gfr.")
    bun_gfr: float = P(105.0, "mL/min/1.73m2", 30.0, 150.0, "measurement", "GFR at which bun_median is stated; urea rises with the square root of its ratio to the child's.")
    bun_cv: float = P(0.14, "log units", 0.0, 1.0, "measurement", "Its within-child variation.", "CV10")

    # --- course on stable treatment --------------------------------------------------------------------
    upcr_drift: float = P(0.05, "log units/year", -1.0, 1.0, "course", "Mean yearly drift of log UPCR.", "NH19")
    upcr_drift_sd: float = P(0.25, "log units/year", 0.0, 2.0, "course", "Its spread between children.")
    gfr_slope_severe: float = P(-2.5, "mL/min/1.73m2/year", -20.0, 5.0, "course", "Mean slope of GFR in boys with X-linked and all children with recessive disease.", "NH26")
    gfr_slope_severe_sd: float = P(3.9, "mL/min/1.73m2/year", 0.0, 20.0, "course", "Its true spread: published quartiles hold the error of eGFR, and those of boys (NH24) are half as wide as those of proteinuric children.", "NH26")
    gfr_slope_mild: float = P(0.0, "mL/min/1.73m2/year", -20.0, 5.0, "course", "Mean slope of GFR in the others.", "NH25")
    gfr_slope_mild_sd: float = P(0.8, "mL/min/1.73m2/year", 0.0, 20.0, "course", "Its true spread: most of the published spread of girls is the error of eGFR over four years.", "NH25")
    ras_change_placebo: float = P(0.10, "per year", 0.0, 5.0, "course", "Rate at which RAS inhibition is started or raised in the placebo arm.", "TR02")
    ras_change_msc: float = P(0.10, "per year", 0.0, 5.0, "course", "The same in the hUC-MSC arm; physicians are not blinded.", "TR02")
    ras_raise_effect: float = P(0.80, "ratio", 0.1, 1.5, "course", "UPCR after RAS inhibition is raised in a child who has it; ras_effect applies to a start.")
    ras_raise_dose: float = P(1.5, "ratio", 1.0, 4.0, "course", "Dose per kg after RAS inhibition is raised, over that before.")
    ras_stop_rate: float = P(0.02, "per year", 0.0, 5.0, "course", "Rate at which RAS inhibition is stopped in a child who has it; UPCR then rises back.")
    ras_gfr_dip: float = P(-3.0, "mL/min/1.73m2", -30.0, 0.0, "course", "Acute change of GFR when RAS inhibition is started or raised.")
    rescue_rate: float = P(0.02, "per year", 0.0, 5.0, "course", "Rate of rescue treatment (calcineurin inhibitor, steroid, SGLT2 inhibitor).")
    rescue_effect: float = P(0.6, "ratio", 0.1, 1.5, "course", "UPCR after rescue treatment.")

    # --- the assumed effect ---------------------------------------------------------------------------
    upcr_effect: float = P(0.65, "ratio", 0.05, 2.0, "effect", "UPCR on hUC-MSC against placebo at full effect. Of these cells in Alport syndrome no result is known to us; a second trial is registered, without a control group (N213).", "MS07")
    upcr_effect_sd: float = P(0.3, "log units", 0.0, 2.0, "effect", "Spread of the individual log effect among responders.")
    responder_share: float = share(1.0, "effect", "Share of treated children in whom there is an effect at all.")
    effect_half_life: float = P(21.0, "days", 0.5, 365.0, "effect", "Half-life of the onset, from the first infusion.")
    effect_waning: float = P(0.0, "per year", 0.0, 10.0, "effect", "Rate at which the effect fades after the last infusion; 0 = it stays.", "MS02a")
    rbc_effect: float = P(0.85, "ratio", 0.05, 2.0, "effect", "Red cells on hUC-MSC against placebo at full effect.")
    gfr_slope_effect: float = P(0.5, "mL/min/1.73m2/year", -10.0, 20.0, "effect", "Difference of the GFR slope, whatever becomes of UPCR.")
    gfr_slope_per_upcr_fall: float = P(0.0, "mL/min/1.73m2/year per log unit", 0.0, 20.0, "effect", "Further difference of the GFR slope in proportion to the child's own log fall of UPCR on hUC-MSC. 0 = none: N205 and N206, which differ tenfold, are associations between children, and no proof that what lowers UPCR slows the loss of GFR.", "N205")
    fever_msc: float = share(0.08, "effect", "Fever within 24 h of an infusion of hUC-MSC; 15 % of children over two infusions.", "MS05a")
    fever_placebo: float = share(0.025, "effect", "The same after saline; 5 % of children.", "MS05b")

    # --- conduct -----------------------------------------------------------------------------------------
    infusion_not_given: float = share(0.02, "conduct", "Each infusion not given though planned.", "DO05")
    visit_missed: float = share(0.05, "conduct", "Each visit missed by a child still in the trial.", "DO07")
    sample_missing: float = share(0.02, "conduct", "Each spot urine or blood sample missing at an attended visit.", "DO04")
    collection_missing: float = share(0.15, "conduct", "Each 24-hour collection missing at an attended visit.", "DO07")
    dropout: float = share(0.10, "conduct", "Drop-out within 12 months.", "DO07")
    dropout_early: float = share(0.01, "conduct", "Children who leave between randomisation and the first visit, on top.")
    dropout_observed: float = P(1.0, "hazard ratio", 0.1, 20.0, "conduct", "Hazard of drop-out per doubling of the last observed UPCR against baseline (missing at random).")
    dropout_unobserved: float = P(1.0, "hazard ratio", 0.1, 20.0, "conduct", "Hazard of drop-out per doubling of the true current UPCR against baseline (missing not at random).")
    infection_rate: float = P(1.5, "per year", 0.0, 20.0, "conduct", "Infections of a child.")
    infection_days_ill: float = P(10.0, "days", 1.0, 60.0, "conduct", "Days over which an infection or fever weighs on the urine; mean length of an infection as recorded.")
    infection_days_sd: float = P(5.0, "days", 0.0, 60.0, "conduct", "Spread of the recorded length of an infection, log-normal; how long it weighs on the urine does not vary.")
    fever_days: int = P(2, "days", 1, 30, "conduct", "Days that a fever after an infusion is noted for, its first one counted.")
    illness_upcr: float = P(1.5, "ratio", 1.0, 10.0, "conduct", "Rise of UPCR during infection or fever.", "MS05a")
    illness_rbc: float = P(3.0, "ratio", 1.0, 100.0, "conduct", "Rise of red cells during infection or fever.", "MS05a")
    serious_share: float = share(0.03, "conduct", "Share of infections that are serious; these are severe.")
    other_event_rate: float = P(0.8, "per year", 0.0, 20.0, "conduct", "Other adverse events of a child.")
    other_event_days: int = P(4, "days", 1, 60, "conduct", "Days that another adverse event lasts, its first one counted.")
    infusion_reaction: float = share(0.06, "conduct", "Reaction without fever within 24 h of an infusion, saline or cells: 1 of 16 adults at the one infusion of another trial, on placebo.", "MS03")
    event_moderate: float = share(0.25, "conduct", "Share of adverse events short of severe that are moderate; the others are mild.")
    event_severe: float = share(0.03, "conduct", "Share of adverse events that are severe; none is simulated as life-threatening or fatal.")
    related_within_24h: float = share(0.8, "conduct", "Share of events within 24 h of an infusion that the site holds for caused by it, in either arm.")
    related_later: float = share(0.05, "conduct", "The same of later events; none from before the first infusion is held for caused by it.")
    # fmt: on

    @model_validator(mode="after")
    def consistent(self) -> "Parameters":
        """Refuse parameters that contradict each other; each message names them."""
        shares = ["share_x_linked", "share_recessive", "share_dominant", "share_digenic"]
        total = sum(getattr(self, name) for name in shares)
        problems = []
        if abs(total - 1) > 1e-9:
            problems.append(f"{', '.join(shares)} add up to {total:.6g}; they must add up to 1")
        elif self.share_x_linked and not 0 <= self.male_share_x_linked <= 1:
            problems.append(
                f"male_share {self.male_share:g} can't be reached with share_x_linked {self.share_x_linked:g} "
                "while half the other children are boys"
            )
        for low, high in (
            ("age_min", "age_max"),
            ("upcr_noise_min", "upcr_noise_max"),
            ("upcr_limit", "remission_threshold"),
            ("remission_threshold", "kdigo_upper"),
            ("n_randomised", "max_screened"),
        ):
            if getattr(self, low) > getattr(self, high):
                problems.append(f"{low} {getattr(self, low):g} is above {high} {getattr(self, high):g}")
        if self.age_min == self.age_max:
            problems.append(f"age_min and age_max are both {self.age_min:g}; age_max must be larger")
        elif self.age_min < self.age_max and self._share_of_ages() < 1e-6:
            problems.append(
                f"age_mean {self.age_mean:g} and age_sd {self.age_sd:g} leave nobody between age_min "
                f"{self.age_min:g} and age_max {self.age_max:g}"
            )
        if not self.upcr_noise_min <= self.upcr_noise <= self.upcr_noise_max:
            problems.append(
                f"upcr_noise {self.upcr_noise:g} lies outside upcr_noise_min {self.upcr_noise_min:g} to "
                f"upcr_noise_max {self.upcr_noise_max:g}, which would cut it off without a word"
            )
        ill = self.infection_rate * (self.infection_days_ill + self.infection_days) / DAYS_PER_YEAR
        if ill > 3:
            problems.append(
                f"infection_rate {self.infection_rate:g}, infection_days_ill {self.infection_days_ill:g} and "
                f"infection_days {self.infection_days} leave hardly a day on which a child may be infused"
            )
        for names in (("variant_uncertain", "variant_none", "variant_untested"),):
            if sum(getattr(self, name) for name in names) > 1:
                problems.append(f"{', '.join(names)} add up to more than 1")
        if not self.block_sizes or any(size < 2 or size % 2 or size > 20 for size in self.block_sizes):
            problems.append(
                f"block_sizes is {list(self.block_sizes)}; allowed: even numbers from 2 to 20, at least one"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _share_of_ages(self) -> float:
        """Share of the normal distribution of age that lies between age_min and age_max."""
        low, high = ((x - self.age_mean) / self.age_sd / math.sqrt(2) for x in (self.age_min, self.age_max))
        tail = math.erfc(low) - math.erfc(high) if low > 0 else math.erfc(-high) - math.erfc(-low)
        return tail / 2

    @property
    def ratio(self) -> tuple[int, int]:
        """Children on placebo and on hUC-MSC in the shortest block."""
        return (1, 2) if self.allocation == "2:1" else (1, 1)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Block sizes in force: `block_sizes` as stated at 1:1, multiples of the ratio's sum."""
        return tuple(size // 2 * sum(self.ratio) for size in self.block_sizes)

    def visit_window(self, day: int) -> int:
        """Half-width in days of the window around a visit's target day."""
        if day <= 56:
            return self.window_to_week_8
        return self.window_to_month_6 if day <= 183 else self.window_after_month_6

    @property
    def male_share_x_linked(self) -> float:
        """Share of boys in X-linked disease that gives `male_share` over all forms."""
        return (self.male_share - 0.5 * (1 - self.share_x_linked)) / self.share_x_linked


def about(name: str) -> dict[str, str]:
    """Unit, group, reason and source of a parameter; raises KeyError for another name."""
    extra = Parameters.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return {key: str(value) for key, value in extra.items()}
