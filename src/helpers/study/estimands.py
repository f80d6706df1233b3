"""Analysis sets, intercurrent events and estimands (ICH E9(R1)), as data that the plan chapter prints."""

from dataclasses import dataclass

ANALYSIS_SETS = (
    (
        "All randomised",
        "RANDFL",
        "Every child randomised, as randomised.",
        "primary endpoint (not evaluable or undetermined = no remission) and efficacy",
    ),
    (
        "Evaluable for proteinuria",
        "UPCRFL",
        "All randomised with a baseline UPCR at the remission threshold or above: a fact from before randomisation.",
        "primary endpoint (supplementary), time to remission",
    ),
    (
        "Evaluable for haematuria",
        "HEMFL",
        "All randomised with baseline red cells above the laboratory's upper limit.",
        "haematuria remission",
    ),
    (
        "Evaluable for renal function",
        "GFRFL",
        "All randomised with a baseline eGFR below the stated limit.",
        "renal function improvement",
    ),
    ("Safety", "SAFFL", "Every child with any infusion, as treated.", "adverse events"),
    ("Per protocol", "PPROTFL", "Both infusions and no rescue treatment.", "supplementary"),
)
"""(name, flag in ADSL, definition, used for)."""

INTERCURRENT_EVENTS = (
    (
        "One or both infusions not given",
        "treatment policy",
        "per protocol set",
        "Outcomes count as observed.",
    ),
    (
        "RAS inhibition started or raised",
        "treatment policy",
        "composite: no remission after",
        "Dose per kg up by more than a quarter, a second agent or another class, not a dose that follows growth. Outcomes "
        "count as observed; the main confounder, since physicians are not blinded.",
    ),
    (
        "RAS inhibition stopped or lowered",
        "treatment policy",
        "none",
        "An event of its own. Outcomes count as observed.",
    ),
    (
        "Rescue treatment (calcineurin inhibitor, steroid, SGLT2 inhibitor, finerenone, endothelin antagonist or "
        "sparsentan, another cell product)",
        "composite; UPCR as a number: treatment policy",
        "treatment policy",
        "No remission after it. UPCR as a number counts as observed.",
    ),
    (
        "Death, kidney replacement, consent withdrawn for harm",
        "composite; UPCR as a number: while on treatment",
        "none",
        "No remission after it. UPCR as a number: the values before it count, and none is given for after it.",
    ),
    ("Infection or fever at a visit", "treatment policy", "visit excluded", "Outcomes count as observed."),
)
"""(event, strategy, strategy of the supplementary estimand, what that means)."""
RESCUE, TERMINAL = "Rescue treatment", "Death"
"""How the events begin whose strategy depends on the estimand."""

MISSING_DATA = (
    "Missed visits, missing collections and drop-out are not intercurrent events: the estimator handles them, "
    "and the sensitivity analyses vary that handling. A different strategy for an event is a supplementary estimand."
)


@dataclass(frozen=True)
class Estimand:
    """The attributes of ICH E9(R1), with what is analysed beside it.

    rescue, terminal: the strategies for rescue treatment and for death, kidney replacement or consent withdrawn for
    harm; the other intercurrent events have one strategy everywhere.
    """

    name: str
    role: str
    population: str
    treatment: str
    variable: str
    summary: str
    rescue: str
    terminal: str
    missing: str
    sensitivity: str
    supplementary: str

    def strategy(self, event: str, planned: str) -> str:
        """This estimand's strategy for an event of `INTERCURRENT_EVENTS`, whose own is `planned`."""
        own = {RESCUE: self.rescue, TERMINAL: self.terminal}
        return next((mine for start, mine in own.items() if event.startswith(start)), planned)


_TREATMENT = "hUC-MSC + conventional supportive treatment against saline + the same"

ESTIMANDS = (
    Estimand(
        "Remission of proteinuria",
        "primary",
        "Children as selected by the criteria, all randomised",
        _TREATMENT,
        "Confirmed remission by UPCR between week 2 and month 12 (yes or no)",
        "Difference of proportions; Boschloo test, two-sided as twice the smaller one-sided p-value, with the exact interval that inverts it",
        "composite: no remission after it",
        "composite: no remission after it",
        "Not evaluable (baseline below the threshold) or undetermined = no remission",
        "Observed cases; tipping point over the undetermined children; multiple imputation",
        "Children with an evaluable baseline; per protocol set; rescue and RAS inhibition by the other strategy",
    ),
    Estimand(
        "Remission of proteinuria at month 12",
        "secondary, third in the fixed sequence of tests",
        "As the primary",
        _TREATMENT,
        "In remission by UPCR at month 12 (yes or no)",
        "Difference of proportions with interval; Boschloo test, only if the two tests before it succeeded",
        "composite: no remission after it",
        "composite: no remission after it",
        "Not assessed at month 12 = no remission",
        "Observed cases",
        "Remission by dipstick and by 24-hour protein",
    ),
    Estimand(
        "Time to confirmed remission of proteinuria",
        "supportive",
        "Children as selected by the criteria with a baseline UPCR of at least the threshold: the others can't remit",
        _TREATMENT,
        "Months from the planned last infusion to the first visit of a confirmed remission",
        "Cumulative remission by arm (Kaplan-Meier, log-log band); log-rank test, supportive, p-value unadjusted",
        "composite: no remission after it",
        "composite: no remission after it",
        "At risk at a visit only if one late enough to confirm was attended; censored at the last such visit",
        "Censored at the end of observation; actual days; dated at the confirming visit; interval-censored estimate",
        "First and sustained remission",
    ),
    Estimand(
        "Time-weighted mean of UPCR",
        "secondary, second in the fixed sequence of tests",
        "All randomised with a baseline UPCR",
        _TREATMENT,
        "Time-weighted mean of log UPCR from week 2 to month 12 (trapezoid over the attended visits), baseline excluded",
        "Ratio hUC-MSC / placebo by ANCOVA adjusted for log baseline, tested only if the primary succeeded",
        "treatment policy: values count as observed",
        "while on treatment: the mean of the values before it, none being given for after it",
        "No value after month 6: no answer, also where death or its like is why, as if missing at random; visits missed in between are bridged by the trapezoid",
        "Mixed model for repeated measures, time average: what absent values, also those after death or its like, would have been (hypothetical), missing at random",
        "Values after rescue taken as missing at random",
    ),
    Estimand(
        "Course of UPCR",
        "supportive",
        "All randomised with a baseline UPCR",
        _TREATMENT,
        "Ratio of UPCR to baseline at the visits",
        "Geometric mean ratio by arm and visit with interval",
        "treatment policy: values count as observed",
        "while on treatment: the values before it count, none is given for after it",
        "Available values at each visit",
        "Mixed model for repeated measures: what absent values, also those after death or its like, would have been (hypothetical), missing at random",
        "Visits with infection or fever excluded",
    ),
    Estimand(
        "Remission of haematuria",
        "secondary",
        "Children with baseline urine red cells above the laboratory's limit",
        _TREATMENT,
        "Confirmed red cell count at or below the limit between week 2 and month 12 (yes or no)",
        "Difference of proportions with interval, no p-value",
        "composite: no remission after it",
        "composite: no remission after it",
        "Undetermined = no remission",
        "Observed cases",
        "Log red cells over the visits; haematuria is structural, remission is expected to be rare",
    ),
    Estimand(
        "Renal function improvement",
        "secondary",
        "Children with a baseline eGFR below the stated limit",
        _TREATMENT,
        "Confirmed rise of eGFR by at least the stated share between week 2 and month 12 (yes or no)",
        "Difference of proportions with interval, no p-value",
        "composite: no improvement after it",
        "composite: no improvement after it",
        "Undetermined = no improvement",
        "Observed cases; other eGFR equations",
        "Slope of eGFR in all randomised: the main renal estimate",
    ),
)  # fmt: skip
