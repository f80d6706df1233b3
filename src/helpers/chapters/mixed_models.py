"""Chapter 05, continued: the mixed model for repeated measures, the slope of eGFR, and ANCOVA beside them.

Supportive: no p-value is shown. Ratio scales are analysed on the logarithm and shown as ratios. What a model
can't estimate is said in words.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.longitudinal import Measure, change, tidy
from helpers.chapters.words import NOT_ESTIMABLE, capital, children_text, estimate_text, rounded
from helpers.estimators import mixed, reml
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, DAYS_PER_YEAR, LAST, VISITS

AVERAGE = f"{VISITS[0].name} to {LAST.lower()}, average weighted by time"
WIDEST = 1e6
"""An interval of a ratio whose ends are this far apart says nothing, and is told so."""


class Arrays(NamedTuple):
    """Repeated measures as the models take them: change from baseline (children, visits), baseline and arm (children,),
    all on the model's scale (the logarithm for a ratio), children in ADSL's order; a note on what was done."""

    change: np.ndarray
    baseline: np.ndarray
    arm: np.ndarray
    note: str


class Modelled(NamedTuple):
    figure: Exhibit
    table: Exhibit
    fit: mixed.MixedFit
    said: dict[str, Result | str]


class Listed(NamedTuple):
    table: Exhibit
    said: dict[str, Result | str]


def arrays(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Arrays:
    """The measure of all randomised children at the eleven visits."""
    values, note = tidy(adsl, adlb, measure, p)
    wide = values.pivot(index="child", columns="visit", values="value")
    wide = wide.reindex(index=adsl["USUBJID"], columns=["Baseline", *(v.name for v in VISITS)]).to_numpy(
        float
    )
    scaled = np.log(wide) if measure.ratio else wide
    arm = (adsl["TRT01P"] == ARMS[1]).to_numpy(int)
    return Arrays(scaled[:, 1:] - scaled[:, :1], scaled[:, 0], arm, note)


def fitted(data: Arrays) -> mixed.MixedFit:
    """The MMRM of the plan: baseline x visit, arm x visit, unstructured or the fallback of `mixed.mmrm`."""
    return mixed.mmrm(data.change, data.baseline, data.arm, adam.DAYS)


def worded(fit: mixed.MixedFit) -> str:
    """Covariance structure in force, and all that the fit has to say about itself."""
    used = f"Covariance: {fit.structure}." if fit.converged else "The model could not be fitted."
    said = f" {capital(fit.message)}." if fit.message else ""
    return used + said


def mmrm(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Modelled:
    """Adjusted change from baseline by arm and visit, and hUC-MSC against placebo at each visit and on average.

    Ratio scales: ratios to baseline and their ratio, with the percent change; else differences.
    """
    data = arrays(adsl, adlb, measure, p)
    fit = fitted(data)
    digits = 2 if measure.ratio else 1
    weights = [(v.name, v.month, row) for v, row in zip(VISITS, np.eye(len(VISITS)), strict=True)]
    weights.append((AVERAGE, np.nan, mixed.time_weights(adam.DAYS)))
    known = ~np.isnan(data.baseline)
    rows, long = [], []
    for k, (name, month, weight) in enumerate(weights):
        row = {"visit": name, "month": month}
        control = {f"intercept[{v + 1}]": w for v, w in enumerate(weight)}
        active = control | {f"arm[{v + 1}]": w for v, w in enumerate(weight)}
        seen = ~np.isnan(data.change[:, k]) if k < len(VISITS) else ~np.isnan(data.change).all(axis=1)
        for a, (arm, column) in enumerate(zip(ARMS, (control, active), strict=True)):
            n, key = int((seen & known & (data.arm == a)).sum()), ARM_KEY[arm]
            found = shown(fit.contrast(column), measure.ratio)
            row |= {f"n_{key}": n, key: found[0], f"{key}_lower": found[1], f"{key}_upper": found[2]}
            row[f"{key}_text"] = estimate_text(*found, digits)
            if k < len(VISITS):
                long.append((name, month, arm, n, *found))
        contrast = fit.arm_contrast(weight)
        found = shown(contrast, measure.ratio)
        row |= {"between": found[0], "between_lower": found[1], "between_upper": found[2], "df": contrast.df}
        row["between_text"] = estimate_text(*found, digits)
        row["df_text"] = rounded(contrast.df, 1) if np.isfinite(contrast.estimate) else NOT_ESTIMABLE
        if measure.ratio:
            row["percent_text"] = estimate_text(*(100 * (v - 1) for v in found[:3]), found[3], 0)
        rows.append(row)
    table = pd.DataFrame(rows)
    summary = pd.DataFrame(long, columns=["visit", "month", "arm", "n", "estimate", "lower", "upper", "note"])
    quantity = "Ratio to baseline" if measure.ratio else "Change from baseline"
    between = "hUC-MSC / placebo" if measure.ratio else "hUC-MSC - placebo"
    scale = f"log({measure.label})" if measure.ratio else measure.label
    fallback = fit.converged and fit.structure != reml.UNSTRUCTURED
    common = {
        "population": "all randomised with a baseline and a value after it",
        "n": children_text(adsl, set(adsl["USUBJID"][known & ~np.isnan(data.change).all(axis=1)])),
        "method": f"mixed model for repeated measures by REML: change of {scale} = visit + baseline x visit + "
        f"arm x visit + "
        f"error, errors of a child correlated ({fit.structure or 'no structure could be fitted'}), of "
        "children independent; "
        f"95 % t-intervals with Satterthwaite's df; missing at random; supportive, no p-values; "
        f"source ADSL and ADLB ({measure.paramcd})",
        "conventions": [
            "arm order placebo, hUC-MSC", "adjusted means at the mean baseline", "visits at their target time",
            "average by the trapezoidal rule in days",
        ],
    }  # fmt: skip
    caption = " ".join(f"{data.note} {worded(fit)}".split())
    said = {"fit": worded(fit), "structure": fit.structure or "none", "fallback": "yes" if fallback else "no"}
    for key, row in (("month12", rows[len(VISITS) - 1]), ("average", rows[-1])):
        unit = "" if measure.ratio else measure.unit
        name = f"longitudinal.{measure.key}.mmrm.{key}"
        said[key] = Result(name, row["between"], unit, digits, row["between_text"])
        said[f"{key}_lower"] = Result(f"{name}_lower", row["between_lower"], unit, digits)
        said[f"{key}_upper"] = Result(f"{name}_upper", row["between_upper"], unit, digits)
        said[f"{key}_df"] = Result(f"{name}_df", row["df"], "", 1, row["df_text"])
        if measure.ratio:
            value = 100 * (row["between"] - 1)
            said[f"{key}_percent"] = Result(f"{name}_percent", value, "%", 0, row["percent_text"])
    heads = {"visit": "Visit"}
    for arm, key in ARM_KEY.items():
        heads |= {f"n_{key}": f"n {arm}", f"{key}_text": f"{arm}, adjusted (95 % interval)"}
    heads |= {"between_text": f"{between} (95 % interval)", "df_text": "df"}
    units = {} if measure.ratio else {f"{n}_text": measure.unit for n in (*ARM_KEY.values(), "between")}
    if measure.ratio:
        heads["percent_text"] = "The same as percent (95 % interval)"
        units["percent_text"] = "%"
    results = [r for r in said.values() if isinstance(r, Result)]
    listed = Exhibit(
        f"{measure.key}-mmrm", f"{quantity} of {measure.label} by the mixed model (supportive)", table, columns=heads,
        units=units, caption=caption, results=results, **common,
    )  # fmt: skip
    lines = ((1.0, "1: no change"),) if measure.ratio else ((0.0, "0: no change"),)
    ends = "; ".join(f"{arm} {rows[len(VISITS) - 1][f'{ARM_KEY[arm]}_text']}" for arm in ARMS)
    picture = Exhibit(
        f"{measure.key}-mmrm-means", f"Adjusted {quantity.lower()} of {measure.label} by arm", summary, caption=caption,
        alt=f"Adjusted {quantity.lower()} of {measure.label} by arm over the visits. At {LAST}: {ends}. "
        f"{between}: {said['month12']}.",
        figure=figures.by_arm_over_time(
            None, summary, label=f"{capital(measure.label)}, adjusted {quantity.lower()}",
            unit="" if measure.ratio else measure.unit, ratio=measure.ratio, thresholds=lines, visit_col="visit",
        ),
        **common,
    )  # fmt: skip
    return Modelled(picture, listed, fit, said)


def month12(
    adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters, fit: mixed.MixedFit
) -> Listed:
    """hUC-MSC against placebo at month 12 by three methods: mixed model, ANCOVA, and without adjustment.

    fit: the measure's mixed model, from `mmrm`.
    """
    data = arrays(adsl, adlb, measure, p)
    digits = 2 if measure.ratio else 1
    adjusted = mixed.ancova(data.change[:, -1], data.baseline, data.arm)
    last = fit.arm_contrast(np.eye(len(VISITS))[-1])
    # Whom the mixed model takes: a baseline, and a value at some visit.
    known = ~np.isnan(data.baseline)
    anywhere, at_last = known & ~np.isnan(data.change).all(axis=1), known & ~np.isnan(data.change[:, -1])
    unadjusted = change(adsl, adlb, measure, p).table.data.iloc[-1]
    rows = []
    for name, found, who in (
        ("Mixed model", last, anywhere),
        ("ANCOVA, baseline as covariate", adjusted, at_last),
    ):
        back = shown(found, measure.ratio)
        text = rounded(found.df, 1) if np.isfinite(back[0]) else NOT_ESTIMABLE
        rows.append((name, _by_arm(who, data.arm), *back[:3], found.df, estimate_text(*back, digits), text))
    plain = [unadjusted[c] for c in ("between", "between_lower", "between_upper")]
    rows.append(
        ("Welch, not adjusted", _by_arm(at_last, data.arm), *plain, np.nan, unadjusted["between_text"], "")
    )
    names = ["method", "n", "estimate", "lower", "upper", "df", "text", "df_text"]
    frame = pd.DataFrame(rows, columns=names)
    between = "hUC-MSC / placebo" if measure.ratio else "hUC-MSC - placebo"
    key = f"longitudinal.{measure.key}.ancova.month12"
    said = {
        "ancova": Result(key, rows[1][2], "", digits, rows[1][6]),
        "ancova_lower": Result(f"{key}_lower", rows[1][3], "", digits),
        "ancova_upper": Result(f"{key}_upper", rows[1][4], "", digits),
        "mixed": rows[0][6], "welch": rows[2][6],
    }  # fmt: skip
    scale = f"log({measure.label})" if measure.ratio else measure.label
    exhibit = Exhibit(
        f"{measure.key}-month12", f"{capital(measure.label)} at month 12: three methods (supportive)", frame,
        columns={"method": "Method", "n": "n placebo v hUC-MSC", "text": f"{between} (95 % interval)", "df_text": "df"},
        population="all randomised with a baseline and, for the mixed model a value at any visit, else at month 12",
        n=children_text(adsl, set(adsl["USUBJID"][anywhere])),
        method=f"change of {scale} from baseline; ANCOVA: change = baseline + arm by least squares; 95 % t-intervals; "
        "no p-values; source "
        f"ADSL and ADLB ({measure.paramcd})",
        conventions=[
            "arm order placebo, hUC-MSC", "the mixed model uses what was seen before drop-out, ANCOVA does not",
        ],
        caption=" ".join(f"{worded(fit)} {'ANCOVA: ' + adjusted.message + '.' if adjusted.message else ''}".split()),
        results=[r for r in said.values() if isinstance(r, Result)],
    )  # fmt: skip
    return Listed(exhibit, said)


def slopes(adsl: pd.DataFrame, adlb: pd.DataFrame, measure: Measure, p: Parameters) -> Listed:
    """Slope of eGFR a year by arm and the difference: random intercept and slope by REML, baseline included."""
    data = arrays(adsl, adlb, measure, p)
    values = np.column_stack([data.baseline, data.change + data.baseline[:, None]])
    days = np.array([-float(p.infusion_gap), *adam.DAYS])
    fit = mixed.random_slope(values, days / DAYS_PER_YEAR, data.arm)
    unit, rows = f"{measure.unit} a year", []
    contrasts = {
        ARMS[0]: {"time": 1},
        ARMS[1]: {"time": 1, "time x arm": 1},
        "hUC-MSC - placebo": {"time x arm": 1},
    }
    for k, (name, weight) in enumerate(contrasts.items()):
        found = fit.contrast(weight)
        back = shown(found, False)
        n = "" if k == 2 else int(((data.arm == k) & ~np.isnan(values).all(axis=1)).sum())
        text = rounded(found.df, 1) if np.isfinite(back[0]) else NOT_ESTIMABLE
        rows.append((name, n, *back[:3], found.df, estimate_text(*back, 2), text))
    frame = pd.DataFrame(rows, columns=["what", "n", "estimate", "lower", "upper", "df", "text", "df_text"])
    spread = ", ".join(f"{name} {rounded(value, 2)}" for name, value in fit.parameters.items())
    key = "longitudinal.egfr.slope"
    said = {"fit": worded(fit)}
    for name, row in zip((*ARM_KEY.values(), "difference"), rows, strict=True):
        said[name] = Result(f"{key}.{name}", row[2], unit, 2, row[6])
        said[f"{name}_df"] = Result(f"{key}.{name}_df", row[5], "", 1, row[7])
    said["difference_lower"] = Result(f"{key}.difference_lower", rows[2][3], unit, 2)
    said["difference_upper"] = Result(f"{key}.difference_upper", rows[2][4], unit, 2)
    exhibit = Exhibit(
        "egfr-slopes", "Slope of eGFR by arm: the main renal estimate (supportive)", frame,
        columns={"what": "Arm", "n": "Children", "text": "Slope (95 % interval)", "df_text": "df"},
        units={"text": unit}, population="all randomised with a value of eGFR at baseline and after it",
        n=children_text(adsl, set(adsl["USUBJID"][~np.isnan(values).all(axis=1)])),
        method=f"{measure.label} = intercept + time + arm + time x arm + child's own intercept and slope + error, "
        f"by REML; "
        f"95 % t-intervals with Satterthwaite's df; missing at random; no p-values; "
        f"source ADSL and ADLB ({measure.paramcd})",
        conventions=[
            "arm order placebo, hUC-MSC", f"a year is {DAYS_PER_YEAR} days",
            "baseline is an observation, not a covariate",
        ],
        caption=f"{worded(fit)}{f' Variance components: {spread}.' if spread else ''}",
        results=[r for r in said.values() if isinstance(r, Result)], missing="",
    )  # fmt: skip
    return Listed(exhibit, said)


def _by_arm(who, arm) -> str:
    return " v ".join(str(int((who & (arm == a)).sum())) for a in (0, 1))


def shown(found: mixed.Contrast, ratio: bool) -> tuple[float, float, float, str]:
    """Estimate, limits, and words for what is missing, back on the measure's scale."""
    if not np.isfinite(found.estimate):
        return np.nan, np.nan, np.nan, ""
    with np.errstate(over="ignore"):
        values = [float(np.exp(v)) if ratio else float(v) for v in (found.estimate, found.lower, found.upper)]
    if not np.isfinite(values).all():
        return values[0], np.nan, np.nan, "next to no degrees of freedom"
    if (ratio and values[2] > WIDEST * values[1]) or (not ratio and values[2] - values[1] > WIDEST):
        return values[0], np.nan, np.nan, "too wide to mean anything"
    return *values, ""
