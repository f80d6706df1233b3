"""Chapter 06, continued: what absent values, other strategies, subgroups, measures and open choices do to the result.

Frames of `analysis.missing_data`, `strategies`, `open_choices` and `remission` in, exhibits and what may be said of
them out. Estimates and intervals only: p-values stand in the fixed sequence of tests alone.
"""

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import missing_data, open_choices
from helpers.chapters import by_arm
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.remission import (
    EXACT,
    INTERVALS,
    POINTS,
    RANDOMISED,
    confirmation,
    results_in,
    table_and_forest,
)
from helpers.chapters.words import (
    capital,
    children_text,
    counted,
    estimate_text,
    fit_text,
    percent,
    plain,
    rounded,
)
from helpers.estimators.mixed import MixedFit
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, LAST

OUTCOMES = {
    missing_data.REMISSION: "Confirmed remission, difference in percentage points",
    missing_data.COURSE: f"UPCR at {LAST.lower()}, ratio hUC-MSC / placebo",
}
HANDLINGS = {
    (missing_data.REMISSION, "main"): "Main: undetermined = no remission",
    (missing_data.REMISSION, "observed"): "Observed cases: undetermined left out",
    (missing_data.REMISSION, "tipping_placebo"): "Tipping: undetermined remit on placebo only",
    (missing_data.REMISSION, "tipping_msc"): "Tipping: undetermined remit on hUC-MSC only",
    (missing_data.COURSE, "main"): "Main: mixed model, missing at random",
    (missing_data.COURSE, "observed"): "Observed cases: ANCOVA at month 12",
}
IMPUTED = {
    "mar": "missing at random",
    "jump_to_reference": "jump to reference",
    "delta": "at random, UPCR x {delta} on hUC-MSC after leaving",
}
STRATEGIES = {
    "main": "Main: rescue, death and the like composite, others treatment policy",
    "ras": "Supplementary: no remission after RAS inhibition started or raised",
    "rescue": "Supplementary: after rescue outcomes as observed",
    "infection": "Supplementary: visits with infection or fever left out",
    "per_protocol": "Supplementary: both infusions and no rescue (per protocol)",
}
EVENTS = {
    "infusion": "One or both infusions not given",
    "ras": "RAS inhibition started or raised",
    "ras_stop": "RAS inhibition stopped or lowered",
    "rescue": "Rescue treatment",
    "terminal": "Death, kidney replacement, consent withdrawn for harm",
    "infection": "Infection or fever at a visit with a UPCR",
}
SUBGROUPS = {"SEX": "Sex", "GENOTYPE": "Genotype", "RASFL": "RAS inhibition at baseline"}
VALUES = {("SEX", "M"): "Boys", ("SEX", "F"): "Girls", ("RASFL", "Y"): "Yes", ("RASFL", "N"): "No"}
SHORT = {"UPCR": "UPCR", "P24": "24-hour protein", "DIP": "dipstick"}
CHOICES = {
    (open_choices.PLAN, None): "The plan: confirmed remission by UPCR",
    ("remission_definition", "threshold alone"): "Definition: UPCR below the threshold alone (DF01)",
    ("remission_definition", "KDIGO"): "Definition: KDIGO, the fall, and at most the upper limit (DF03)",
    ("remission_fall", 0.4): "Least fall 40 %",
    ("remission_fall", 0.6): "Least fall 60 %",
    ("remission_threshold", 0.3): "Threshold 0.3 mg/mg",
    ("confirm_days", 0): "Confirmed at the next attended visit",
    ("confirm_days", 56): "Confirmed after 56 days",
    (open_choices.OTHERS, "FIONA"): "FIONA: fall of 30 % (N216)",
    (open_choices.OTHERS, "DUPLEX"): "DUPLEX: below 0.3 mg/mg (N216, DF04)",
    (open_choices.OTHERS, "PARASOL"): "PARASOL: at most 0.7 mg/mg (N216, RG07)",
    (open_choices.OTHERS, "FPRE"): "FPRE: at most 1.5 mg/mg, fall of over 40 % (N216, DF04)",
    (open_choices.ACTUAL, None): "Confirmed, its days counted by actual days",
    ("first", None): "Ever in remission, unconfirmed",
    ("sustained", None): "Sustained to the last visit attended",
    (open_choices.AT_LAST, None): f"In remission at {LAST.lower()}",
    ("P24", None): "Measure: 24-hour protein, confirmed",
    ("DIP", None): "Measure: dipstick, confirmed",
}


def tipping_point(found: pd.DataFrame, primary: pd.DataFrame, p: Parameters) -> Finding:
    """Every assignment of the undetermined children of both arms to remission or not, as a picture.

    found: from `missing_data.tipping_point`; primary: what it was made from.
    """
    row, total, yes = primary.iloc[0], len(found), int(found["decided"].sum())
    if not total:
        words = f"Nothing to assign: {row['note']}."
    elif total == 1:
        words = "No child is undetermined: there is one assignment only, the primary analysis."
    elif yes in (0, total):
        words = (
            f"The decision of the primary test is the same in all {total} assignments: it can't be tipped."
        )
    else:
        words = f"The primary test decides for a difference in {yes} of {total} assignments: absent values can tip it."
    said = {
        "words": words,
        "low": Result("remission.tipping.lowest", 100 * found["difference"].min(), POINTS, 1),
        "high": Result("remission.tipping.highest", 100 * found["difference"].max(), POINTS, 1),
    }
    sizes = f"{row['placebo_N']} v {row['msc_N']}"
    grid = found.assign(zero=(found["lower"] <= 0) & (found["upper"] >= 0))
    grid = grid.pivot(index="responders0", columns="responders1", values=["difference", "decided", "zero"])
    difference, decided, zero = (
        grid[column].to_numpy(kind) if total else np.empty((0, 0), kind)
        for column, kind in (("difference", float), ("decided", bool), ("zero", bool))
    )
    figure = Exhibit(
        "remission-tipping",
        "Tipping point: confirmed remission under every assignment of the undetermined children",
        found,
        population=RANDOMISED,
        n=f"{counted(sizes, 'child', 'children')}, undetermined {row['placebo_undetermined']} v "
        f"{row['msc_undetermined']}",
        method="each undetermined child counted as remission or not; number: difference hUC-MSC - placebo in "
        f"percentage points; colour: decision of the primary test (Boschloo, level {plain(p.alpha)}); source ADSL, "
        "ADLB, ADTTE (UPCRC)",
        conventions=(
            "arm order placebo, hUC-MSC",
            "difference hUC-MSC - placebo",
            "no p-values beside the primary's",
            confirmation(p),
        ),
        caption=words,
        alt=f"Grid of {counted(total, 'assignment', 'assignments')}. {words} Differences from {said['low']} to "
        f"{said['high']}.",
        figure=figures.tipping(100 * difference, decided, arms=ARMS, contains_zero=zero),
        results=results_in(said),
        folded=True,
    )
    return Finding((figure,), said)


def handlings(found: pd.DataFrame, fit: MixedFit, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """Every handling of missing data beside the main result: confirmed remission, and UPCR at month 12.

    found: from `missing_data.handlings`; fit: the mixed model that it was given.
    """
    main = found["outcome"] == missing_data.REMISSION
    # points of percent about 0, or a ratio about 1
    hows = [(1, 0) if one else (2, 1) for one in main]
    frame = pd.DataFrame(
        {
            "outcome": found["outcome"].map(OUTCOMES),
            "label": [_handling(row) for row in found.itertuples()],
            "n": [f"{_of(r.placebo_n, r.placebo_N)} v {_of(r.msc_n, r.msc_N)}" for r in found.itertuples()],
            **found[["estimate", "lower", "upper", "monte_carlo"]],
            "text": [
                estimate_text(r.estimate, r.lower, r.upper, r.note, *how)
                for r, how in zip(found.itertuples(), hows, strict=True)
            ],
            "interval": [_kind(row) for row in found.itertuples()],
        }
    )
    said = {}
    for k, row in frame.iterrows():
        key, unit = ("primary", POINTS) if main[k] else ("upcr", "")
        name = f"remission.missing.{key}_{k}"
        said[f"row{k}"] = Result(name, row["estimate"], unit, hows[k][0], row["text"])
    spread = found.loc[main, "estimate"].dropna()
    said["words"] = (
        f"Over all of them the difference of confirmed remission lies between {rounded(spread.min(), 1)} and "
        f"{rounded(spread.max(), 1)} {POINTS}."
        if len(spread)
        else "The difference of confirmed remission is not estimable."
    )
    notes = [m for m in found["message"].unique() if m not in ("", "nothing to impute")]
    table = Exhibit(
        "remission-missing", "Missing data: every handling beside the main result", frame,
        columns={"outcome": "Outcome", "label": "Handling of missing data", "n": "n placebo v hUC-MSC",
                 "text": "hUC-MSC against placebo (95 % interval)", "interval": "Interval",
                 "monte_carlo": "Monte Carlo SE"},
        digits={"monte_carlo": 3}, missing="",
        population="confirmed remission: all randomised; UPCR: all randomised with a baseline",
        n=children_text(adsl),
        method=f"{missing_data.IMPUTATIONS} imputations of log UPCR (multivariate normal, baseline x visit, arm x "
        "visit, one unstructured covariance), remission derived again; intervals: "
        "exact (inverting Boschloo's test) for counts, Lott and Reiter's Wilson limits combined by square-and-add for "
        "imputed remission, t by Rubin's rules for models; no p-values; source "
        "ADSL, ADLB (PROTCRT), ADTTE (UPCRC)",
        conventions=("arm order placebo, hUC-MSC",
                     "Monte Carlo SE: what more imputations would remove, on the model's scale",
                     "no remission after rescue in any row", confirmation(p)),
        caption=". ".join([*(capital(m) for m in notes), fit_text(fit)]),
        results=results_in(said), folded=True,
    )  # fmt: skip
    return Finding((table,), said)


def _handling(row) -> str:
    """A handling of missing data in words."""
    if row.handling not in IMPUTED:
        return HANDLINGS[row.outcome, row.handling]
    words = f"Multiple imputation, {IMPUTED[row.handling].format(delta=plain(row.delta))}"
    return words if row.outcome == missing_data.REMISSION else f"{words}, ANCOVA at month 12"


def _kind(row) -> str:
    """Which kind of interval a handling has; empty where it has none."""
    if not np.isfinite(row.lower):
        return ""
    imputed = row.handling in IMPUTED
    if row.outcome == missing_data.REMISSION:
        return "Lott-Reiter, square-and-add" if imputed else EXACT
    if imputed:
        return "t, Rubin's rules"
    return "t, Kenward-Roger linear" if row.handling == "main" else "t"


def _of(x, n) -> str:
    """x/n, or n where no x was counted."""
    return str(n) if pd.isna(x) else f"{x}/{n}"


def estimands(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """The primary endpoint under the other strategy of each intercurrent event. found: from `strategies.estimands`."""
    return table_and_forest(
        "remission-estimands", "Confirmed remission of proteinuria by UPCR: supplementary estimands",
        (confirmation(p),),
        found.assign(label=found["strategy"].map(STRATEGIES)), "remission.estimand." + found["strategy"], "Strategy",
        population=f"{RANDOMISED}; per protocol as named", n=f"{len(adsl)} randomised",
        method=f"{INTERVALS}, no p-values; source ADSL, ADLB (PROTCRT), ADAE",
    )  # fmt: skip


def events(found: pd.DataFrame) -> Exhibit:
    """How many children each intercurrent event happened to, by arm. found: from `strategies.occurred`."""
    return Exhibit(
        "remission-events", "Intercurrent events: children to whom each happened", by_arm.table(found, EVENTS),
        population="all randomised", n=by_arm.sizes(found), columns=by_arm.headings("item", "Event"),
        method="raised: the dose per kg by more than the plan's ratio, a second agent or another class; source ADSL, "
        "ADLB (PROTCRT), ADAE",
        conventions=("arm order placebo, hUC-MSC",), folded=True,
    )  # fmt: skip


def subgroup_key(variable: str, value: str) -> str:
    """The beginning of the result keys of a subgroup.

    >>> subgroup_key("GENOTYPE", "X-linked")
    'remission.subgroup.genotype_xlinked'
    """
    return f"remission.subgroup.{variable.lower()}_{''.join(filter(str.isalnum, value.lower()))}"


def subgroups(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """Confirmed UPCR remission by sex, genotype and RAS inhibition at baseline. found: from `strategies.subgroups`."""
    pairs = list(zip(found["variable"], found["value"], strict=True))
    shown = table_and_forest(
        "remission-subgroups", "Confirmed remission of proteinuria by UPCR in subgroups", (confirmation(p),),
        found.assign(label=[VALUES.get(pair, pair[1]) for pair in pairs], group=found["variable"].map(SUBGROUPS)),
        [subgroup_key(*pair) for pair in pairs],
        "Subgroup", population=RANDOMISED, n=f"{len(adsl)} randomised",
        method=f"{INTERVALS}, no p-values and no test of interaction; source ADSL, ADTTE (UPCRC)",
    )  # fmt: skip
    return Finding(shown.exhibits[::-1], shown.said)


def agreement(found: pd.DataFrame, p: Parameters) -> Finding:
    """Agreement of confirmed remission by UPCR, 24-hour protein and dipstick: picture and table.

    found: from `remission.agreement`.
    """
    names = found[["first_measure", "second_measure"]].replace(SHORT)
    frame = found.drop(columns=["first_measure", "second_measure"]).assign(
        pair=names["first_measure"] + " and " + names["second_measure"],
        first_name=names["first_measure"],
        second_name=names["second_measure"],
        agreement_text=[percent(row.both + row.neither, row.n) for row in found.itertuples()],
        kappa_text=[estimate_text(r.kappa, r.lower, r.upper, r.note, 2) for r in found.itertuples()],
    )
    frame["text"] = "kappa " + frame["kappa_text"]
    frame = frame[["pair", "n", "both", "first", "second", "neither", "first_name", "second_name", "agreement",
                   "kappa", "lower", "upper", "agreement_text", "kappa_text", "text", "note"]]  # fmt: skip
    said = {}
    for key, row in zip(
        found["first_measure"] + "_" + found["second_measure"], frame.itertuples(), strict=True
    ):
        key = key.lower()
        name = f"remission.agreement.{key}"
        said[f"{key}_agreement"] = Result(name, row.agreement, digits=2, text=row.agreement_text)
        said[f"{key}_kappa"] = Result(f"remission.kappa.{key}", row.kappa, digits=2, text=row.kappa_text)
    common = {
        "population": "all randomised evaluable for both measures of a pair, both arms together",
        "n": f"children: {', '.join(str(n) for n in frame['n'])}",
        "method": "confirmed remission by each measure; agreement, Cohen's kappa with the interval of Fleiss, Cohen "
        "and Everitt; no p-values; source ADTTE (UPCRC, P24C, DIPC)",
        "conventions": ("arms together", "kappa 1 is full agreement, 0 that of chance", confirmation(p)),
    }
    heads = {"pair": "Measures", "n": "Children", "both": "Remission by both", "first": "By the first alone",
             "second": "By the second alone", "neither": "By neither", "agreement_text": "Agree",
             "kappa_text": "Kappa (95 % interval)"}  # fmt: skip
    table = Exhibit(
        "remission-agreement", "Agreement of the three protein measures", frame, columns=heads,
        results=results_in(said), **common,
        folded=True,
    )  # fmt: skip
    words = "; ".join(f"{row.pair}: {row.agreement_text} agree" for row in frame.itertuples())
    figure = Exhibit(
        "remission-agreement-figure", "Confirmed remission by two measures at a time", frame,
        alt=f"Stacked bars. {words}.", figure=figures.agreement(frame, label="two protein measures"), **common,
        folded=True,
    )  # fmt: skip
    return Finding((figure, table), said)


def choices(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """Remission under the plan and with one choice made otherwise, differences first.

    found: from `open_choices.one_at_a_time`.
    """
    pairs = [
        (choice, None if pd.isna(v) else v) for choice, v in zip(found["choice"], found["value"], strict=True)
    ]
    keys = ["_".join(str(part) for part in pair if part is not None) for pair in pairs]
    shown = table_and_forest(
        "open-choices", "The primary comparison under the plan and with one choice made otherwise",
        (f"{confirmation(p)}, where a row does not say otherwise",),
        found.assign(label=[CHOICES[pair] for pair in pairs]),
        [f"remission.choice.{key.replace(' ', '_').replace('.', '_').lower()}" for key in keys], "Choice",
        details={"evaluable": ("evaluable",)},
        population="all randomised; not evaluable under the choice named in the row = no remission: evaluable is whose "
        "baseline is above the row's threshold, or where it has none above the plan's",
        n=f"{len(adsl)} randomised",
        method=f"{INTERVALS}, no p-values; definitions of others by the row of targets.csv or targets-2.csv that they "
        "come from; source ADSL, ADLB (PROTCRT), ADTTE (P24C, DIPC)",
    )  # fmt: skip
    return Finding(shown.exhibits[::-1], shown.said)
