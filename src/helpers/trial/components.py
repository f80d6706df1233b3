# ruff: noqa: E501
"""The generative model as a table: what is drawn, from which distribution, with which parameters.

Data next to the code that draws: one row a component, in the order in which a child comes about. Every
parameter of the groups in `GENERATIVE` stands in at least one component; a test holds it.
"""

from typing import NamedTuple

import pandas as pd

from helpers.study.parameters import Parameters, about
from helpers.study.shown import plain

CLINIC, MEASUREMENT, FOLLOW_UP = "clinic before selection", "measurement", "follow-up"
GENERATIVE = ("clinic", "facts", "measurement", "course", "effect", "conduct")
"""Groups of parameters that say how children and their data come about."""


class Component(NamedTuple):
    """One part of the model: where it acts, its name, the distribution in words, the parameters that set it."""

    part: str
    name: str
    distribution: str
    parameters: tuple[str, ...]


def _rows(part: str, rows: tuple[tuple[str, str, str], ...]) -> tuple[Component, ...]:
    return tuple(Component(part, name, how, tuple(names.split())) for name, how, names in rows)


COMPONENTS = (
    *_rows(
        CLINIC,
        (
            ("Genotype", "categorical", "share_x_linked share_recessive share_dominant share_digenic"),
            ("Sex given genotype", "Bernoulli; half in the autosomal and digenic forms, in the X-linked form what gives male_share over all", "male_share share_x_linked"),
            ("Age", "normal, truncated, in whole days", "age_mean age_sd age_min age_max"),
            ("Height and weight", "bivariate normal z-scores, turned into cm and kg by LMS of age and sex", "height_shift height_weight_correlation"),
            ("Untreated UPCR", "log-normal; log median linear in age between 4, 7 and 10.5 years, times a factor for sex and form; cut at upcr_max", "upcr_median_3_5 upcr_median_6_8 upcr_median_9_12 upcr_level upcr_log_sd upcr_ratio_girl upcr_ratio_dominant upcr_ratio_digenic upcr_max"),
            ("RAS inhibition", "Bernoulli given untreated UPCR of ras_prevalence_from and above, or below", "ras_prevalence ras_prevalence_mild ras_prevalence_from"),
            ("Time on RAS inhibition", "mixture: uniform over the last ras_recent_days, or so many days and exponential; never from before the age of ras_first_age", "ras_recent ras_recent_days ras_mean_years ras_first_age"),
            ("UPCR under RAS inhibition", "log-normal ratio that sets in exponentially; recent starters are still falling", "ras_effect ras_effect_sd ras_half_life"),
            ("True GFR", "normal; mean falls with age in severe disease and with log UPCR above gfr_upcr_from; from gfr_min to gfr_max", "gfr_mean gfr_sd gfr_age_slope gfr_age_from gfr_upcr_slope gfr_upcr_from gfr_min gfr_max"),
            ("True urine red cells", "log-normal; median by sex and form; a share of girls with X-linked disease has none beyond normal", "rbc_median rbc_log_sd rbc_ratio_girl rbc_ratio_dominant no_haematuria_girl rbc_normal_median"),
            ("Dysmorphic red cells", "fixed share of the red cells", "dysmorphic_share"),
            ("Unanswered questions", "Bernoulli for each question, date and dipstick", "missing_answer"),
            ("Genetic test", "categorical; zygosity follows from form and sex but for recessive disease, Bernoulli there", "variant_uncertain variant_none variant_untested variant_likely recessive_homozygous"),
            ("Biopsy", "Bernoulli, twice", "biopsy_done biopsy_diagnostic"),
            ("Recent infection", "Bernoulli; day uniform over infection_lookback", "infection_recent infection_lookback"),
            ("Screening tests", "Bernoulli, each test by itself", "virology_positive virology_missing anti_hbs_positive"),
            ("Allergies", "Poisson counts of foods and of drugs; Bernoulli for the rest", "allergies_mean allergic_state severe_allergy stem_cell_allergy"),
            ("Consent", "Bernoulli", "consent_given"),
            ("Other diseases", "Bernoulli, each by itself", "other_renal organ_dysfunction autoimmune immunosuppressant infection_uncontrolled malformation imaging_missing"),
            ("Surgery, trauma, blood loss", "Bernoulli; day uniform over event_lookback; amount log-normal, cut at blood_loss_max", "surgery_recent trauma_recent blood_loss_recent event_lookback blood_loss_median blood_loss_log_sd blood_loss_max"),
            ("Other study, cell product", "Bernoulli; day uniform over event_lookback and cell_product_lookback", "other_study event_lookback cell_product cell_product_lookback"),
            ("Unsuitable to the investigator", "Bernoulli", "investigator_unsuitable"),
        ),
    ),
    *_rows(
        MEASUREMENT,
        (
            ("UPCR, visit noise", "normal on the log scale; SD is upcr_noise (UPCR / upcr_noise_at)^upcr_noise_power within its limits, so larger at low UPCR", "upcr_noise upcr_noise_at upcr_noise_power upcr_noise_min upcr_noise_max"),
            ("UPCR, slow deviation", "stationary first-order autoregression in days on the log scale", "upcr_wander upcr_wander_half_life"),
            ("UPCR, quantification", "values below the limit are reported as below it, those above upcr_reported_max as that; 2 decimals", "upcr_limit upcr_reported_max"),
            ("Dipstick", "grade read from protein concentration: UPCR times urine creatinine, which is log-normal", "urine_creatinine_median urine_creatinine_log_sd"),
            ("24-hour protein", "UPCR times creatinine excretion by age and weight; log-normal error (the least UPCR noise and the collection's); a share of collections is incomplete", "upcr_noise_min collection_cv incomplete_collection incomplete_factor"),
            ("Urine red cells", "log-normal visit noise, far wider than counting error (overdispersed); episodes of gross haematuria, Bernoulli a visit; cut at rbc_reported_max", "rbc_noise gross_haematuria gross_factor rbc_reported_max"),
            ("Creatinine", "log-normal around the value that goes with GFR and height (bedside Schwartz)", "creatinine_cv"),
            ("Cystatin C", "log-normal around the value that goes with GFR, age and sex (CKiD U25)", "cystatin_cv"),
            ("Urea nitrogen", "log-normal around a median that rises with the square root of bun_gfr / GFR", "bun_median bun_gfr bun_cv"),
        ),
    ),
    *_rows(
        FOLLOW_UP,
        (
            ("UPCR, drift", "normal between children, log-linear in time", "upcr_drift upcr_drift_sd"),
            ("GFR, slope", "normal between children, by severe or mild disease", "gfr_slope_severe gfr_slope_severe_sd gfr_slope_mild gfr_slope_mild_sd"),
            ("RAS inhibition started or raised", "exponential time, at a rate by arm; UPCR falls as at a start, GFR at once", "ras_change_placebo ras_change_msc ras_raise_effect ras_raise_dose ras_effect ras_effect_sd ras_half_life ras_gfr_dip"),
            ("RAS inhibition stopped", "exponential time in a child who has it; UPCR rises back as it fell", "ras_stop_rate ras_effect ras_effect_sd ras_half_life"),
            ("Rescue treatment", "exponential time; UPCR falls with the onset of RAS inhibition", "rescue_rate rescue_effect ras_half_life"),
            ("Effect on UPCR", "log-normal ratio among responders, in proportion to the infusions given", "upcr_effect upcr_effect_sd responder_share"),
            ("Effect, time course", "exponential onset from the first infusion, exponential fading from the last", "effect_half_life effect_waning"),
            ("Effect on red cells", "fixed ratio with the same time course", "rbc_effect"),
            ("Effect on the GFR slope", "fixed difference, and one in proportion to the child's own log fall of UPCR", "gfr_slope_effect gfr_slope_per_upcr_fall"),
            ("Fever after infusion", "Bernoulli for each infusion, by arm", "fever_msc fever_placebo fever_days"),
            ("Infections", "Poisson process; recorded length log-normal, short enough for the first infusion to take place when it does; a share is serious; a recent one postpones the first infusion", "infection_rate infection_days_ill infection_days_sd serious_share"),
            ("Illness in the urine", "UPCR and red cells multiplied while an infection or fever lasts", "illness_upcr illness_rbc infection_days_ill"),
            ("Other adverse events", "Poisson process; reactions to an infusion are Bernoulli for each, alike in both arms", "other_event_rate other_event_days infusion_reaction"),
            ("Terms of adverse events", "plain words, each as likely as the others of its kind", "infection_rate other_event_rate"),
            ("Severity of adverse events", "categorical: mild, moderate, severe; a serious infection is severe", "event_moderate event_severe serious_share"),
            ("Relatedness of adverse events", "Bernoulli, as the site judges it, by time from an infusion", "related_within_24h related_later"),
            ("Infusions", "Bernoulli for each", "infusion_not_given"),
            ("Visits and samples", "Bernoulli: each visit missed, each spot sample and each 24-hour collection missing", "visit_missed sample_missing collection_missing"),
            ("Drop-out", "Bernoulli before the first visit; then a constant hazard, times the ratios per doubling of observed and of true UPCR since baseline", "dropout dropout_early dropout_observed dropout_unobserved"),
        ),
    ),
)  # fmt: skip


def table(p: Parameters, *parts: str) -> pd.DataFrame:
    """The components of these parts (all without any): part, component, distribution, parameters, source.

    `parameters` names each one with its value in force and unit, `source` each one's row of targets.csv,
    reference, or the word assumption.

    Examples
    --------
    As notebook 01-screening calls it:

    >>> parts = components.table(study.parameters, components.CLINIC, components.MEASUREMENT)
    """
    rows = []
    for component in COMPONENTS:
        if parts and component.part not in parts:
            continue
        said: list[str] = []
        sources: dict[str, list[str]] = {}
        for name in component.parameters:
            extra = about(name)
            unit = f" {extra['unit']}" if extra["unit"] else ""
            said.append(f"{name} = {plain(getattr(p, name))}{unit}")
            sources.setdefault(extra["source"], []).append(name)
        source = (
            next(iter(sources))
            if len(sources) == 1
            else "; ".join(f"{source}: {', '.join(names)}" for source, names in sources.items())
        )
        rows.append(
            {
                "part": component.part,
                "component": component.name,
                "distribution": component.distribution,
                "parameters": "; ".join(said),
                "source": source,
            }
        )
    return pd.DataFrame(rows)
