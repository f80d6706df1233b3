"""Chapter 05, continued: the mixed model for repeated measures, ANCOVA beside it, and the slope of eGFR.

Frames and fits of `analysis.repeated_measures` in, exhibits and words out. Supportive: no p-value is shown. Ratio
scales are analysed on the logarithm and shown as ratios.
"""

import numpy as np
import pandas as pd

from helpers.analysis import sequence
from helpers.analysis.course import Measure
from helpers.analysis.repeated_measures import AVERAGE
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.longitudinal import (
    ARM_ORDER,
    TARGET_TIME,
    arms_text,
    by_visit,
    change_figure,
    change_words,
    estimate_texts,
    no_change,
    number_of_children,
    quantified,
    results_of,
    sentences,
    source_of,
    with_limits,
)
from helpers.chapters.words import NOT_ESTIMABLE, capital, estimate_text, fit_text, rounded
from helpers.estimators import reml
from helpers.estimators.mixed import MixedFit
from helpers.study.protocol import ARM_KEY, DAYS_PER_YEAR, LAST, VISITS

AVERAGED = f"{VISITS[0].name} to {LAST.lower()}, average weighted by time"
KENWARD_ROGER = "95 % t-intervals, Kenward-Roger linear (observed information, Satterthwaite's df)"
METHODS = {
    "mmrm": "Mixed model",
    "ancova": "ANCOVA, baseline as covariate",
    "ancova_hc2": "The same, HC2 with Bell and McCaffrey's df",
    "welch": "Welch, not adjusted",
}


def mmrm(
    values: pd.DataFrame, fit: MixedFit, means: pd.DataFrame, contrasts: pd.DataFrame, measure: Measure
) -> Finding:
    """Figure of the adjusted means, and their table with hUC-MSC against placebo at each visit and on average.

    values: from `course.tidy`; fit, means, contrasts: from `repeated_measures`. Ratios also stand as percent change.
    """
    words = change_words(measure)
    table = by_visit(means, contrasts, words.digits, measure.unchanged)
    table["df_text"] = _df_texts(contrasts)
    columns = words.headings("{arm}, adjusted (95 % interval)") | {"df_text": "df"}
    units = words.units()
    if measure.ratio:
        as_percent = 100 * (contrasts[["estimate", "lower", "upper"]] - 1)
        table["percent_text"] = estimate_texts(as_percent.assign(note=contrasts["note"]), 0, 0)
        columns["percent_text"], units["percent_text"] = "The same as percent (95 % interval)", "%"
    fallback = fit.converged and fit.structure != reml.UNSTRUCTURED
    said = {
        "fit": fit_text(fit),
        "structure": fit.structure or "none",
        "fallback": "yes" if fallback else "no",
    }
    at = table.set_index("visit")
    for name, visit in (("month12", LAST), ("average", AVERAGE)):
        row, key = at.loc[visit], f"longitudinal.{measure.key}.mmrm.{name}"
        found = (row["between"], row["between_lower"], row["between_upper"])
        said |= with_limits(
            name, key, found, row["between_text"], words.unit, words.digits, measure.unchanged
        )
        said[f"{name}_df"] = Result(f"{key}_df", row["df"], "", 1, row["df_text"])
        if measure.ratio:
            change = 100 * (row["between"] - 1)
            said[f"{name}_percent"] = Result(f"{key}_percent", change, "%", 0, row["percent_text"])
    common = {
        "population": "all randomised with a baseline and a value after it",
        "n": number_of_children(values.dropna(subset="change")),
        "method": f"mixed model for repeated measures by REML: change of {words.scale} = visit + baseline x visit + "
        f"arm x visit{_strata(values)} + error, errors of a child correlated "
        f"({fit.structure or 'no structure could be fitted'}), of children independent; {KENWARD_ROGER}; "
        f"missing at random; supportive, no p-values; source {source_of(measure)}",
        "conventions": [
            ARM_ORDER,
            "adjusted means at the mean baseline",
            TARGET_TIME,
            "average by the trapezoidal rule in days",
        ],
        "caption": sentences(quantified(values, measure), said["fit"]),
    }
    quantity, drawn = words.quantity, means[means["visit"] != AVERAGE]
    figure = Exhibit(
        f"{measure.key}-mmrm-means",
        f"Adjusted {quantity.lower()} of {measure.label} by arm",
        drawn,
        alt=f"Adjusted {quantity.lower()} of {measure.label} by arm over the visits. At {LAST}: "
        f"{arms_text(at.loc[LAST])}. {words.between}: {said['month12']}.",
        figure=change_figure(drawn, measure, [no_change(measure)], "adjusted "),
        **common,
        folded=measure.key != "upcr",
    )
    listed = Exhibit(
        f"{measure.key}-mmrm",
        f"{quantity} of {measure.label} by the mixed model (supportive)",
        table.replace({"visit": {AVERAGE: AVERAGED}}),
        columns=columns,
        units=units,
        results=results_of(said),
        **common,
        folded=True,
    )
    return Finding((figure, listed), said)


def planned(tests: pd.DataFrame) -> dict[str, str]:
    """The planned analysis of UPCR as a number, and its place in the fixed sequence, in words.

    tests: from `sequence.fixed_sequence`.
    """
    row = tests.set_index("endpoint").loc[sequence.WEIGHTED]
    step = f"step {row['step']} of the fixed sequence of tests"
    if row["may_be_tested"]:
        place = f"{step}, which {'succeeded' if row['succeeded'] else 'did not succeed'}"
    else:
        before = tests.loc[(tests["step"] > 0) & ~tests["succeeded"].astype(bool), "step"].min()
        place = f"{step}, not tested because step {before} did not succeed: an estimate and no finding"
    text = estimate_text(row["estimate"], row["lower"], row["upper"], row["note"], 2, 1)
    return {"weighted": text, "place": place}


def month12(values: pd.DataFrame, fit: MixedFit, by_method: pd.DataFrame, measure: Measure) -> Finding:
    """hUC-MSC against placebo at month 12 by four methods.

    values: from `course.tidy`; fit, by_method: from `repeated_measures.mmrm` and `repeated_measures.month12`.
    """
    words = change_words(measure)
    shown = by_method.set_index("method").assign(
        text=estimate_texts(by_method, words.digits, measure.unchanged), df_text=_df_texts(by_method)
    )
    shown["n"] = [f"{row.n_placebo} v {row.n_msc}" for row in by_method.itertuples()]
    shown.loc["welch", "df_text"] = ""
    ancova, key = shown.loc["ancova"], f"longitudinal.{measure.key}.ancova.month12"
    found = (ancova["estimate"], ancova["lower"], ancova["upper"])
    said = with_limits("ancova", key, found, ancova["text"], "", words.digits, measure.unchanged)
    table = shown.rename(index=METHODS).reset_index()
    table = table[["method", "n", "estimate", "lower", "upper", "df", "text", "df_text"]]
    left_out = ancova["message"]
    exhibit = Exhibit(
        f"{measure.key}-month12",
        f"{capital(measure.label)} at month 12: four methods (supportive)",
        table,
        columns={
            "method": "Method",
            "n": "n placebo v hUC-MSC",
            "text": f"{words.between} (95 % interval)",
            "df_text": "df",
        },
        population="all randomised with a baseline and a value after it: mixed model, at any visit; the other methods, "
        f"at {LAST.lower()}",
        n=number_of_children(values.dropna(subset="change")),
        method=f"change of {words.scale} from baseline; ANCOVA: "
        f"change = baseline + arm{_strata(values)} by least squares, 95 % t-intervals, HC2: the spread may differ "
        f"between children, first where allocation was unequal; mixed model: {KENWARD_ROGER}; no p-values; "
        f"source {source_of(measure)}",
        conventions=[
            ARM_ORDER,
            "the mixed model uses what was seen before drop-out, ANCOVA does not",
        ],
        caption=sentences(fit_text(fit), f"ANCOVA: {left_out}." if left_out else ""),
        results=results_of(said),
    )
    return Finding(
        (exhibit,), said | {"mixed": shown.loc["mmrm", "text"], "welch": shown.loc["welch", "text"]}
    )


def _strata(values: pd.DataFrame) -> str:
    """What the models take up beside baseline, where the list of allocation has strata."""
    return " + RAS inhibition" if "ras" in values else ""


def slopes(values: pd.DataFrame, fit: MixedFit, by_arm: pd.DataFrame, measure: Measure) -> Finding:
    """Slope a year by arm and the difference.

    values: from `course.tidy`; fit, by_arm: from `repeated_measures.random_slope` and `repeated_measures.slopes`.
    """
    unit = f"{measure.unit} a year"
    table = by_arm.drop(columns="note").assign(text=estimate_texts(by_arm, 2, 0), df_text=_df_texts(by_arm))
    table["n"] = table["n"].astype(object)  # whole numbers in the CSV, empty where missing
    said = {"fit": fit_text(fit)}
    for row in table.itertuples():
        name = ARM_KEY.get(row.what, row.what)
        key = f"longitudinal.{measure.key}.slope.{name}"
        told = with_limits(name, key, (row.estimate, row.lower, row.upper), row.text, unit, 2, 0)
        said |= told if row.what == "difference" else {name: told[name]}
        said[f"{name}_df"] = Result(f"{key}_df", row.df, "", 1, row.df_text)
    spread = ", ".join(f"{name} {rounded(value, 2)}" for name, value in fit.parameters.items())
    exhibit = Exhibit(
        f"{measure.key}-slopes",
        f"Slope of {measure.label} by arm: the main renal estimate (supportive)",
        table.replace({"what": {"difference": change_words(measure).between}}),
        columns={"what": "Arm", "n": "Children", "text": "Slope (95 % interval)", "df_text": "df"},
        units={"text": unit},
        population=f"all randomised with a value of {measure.label} at baseline, with what came after it",
        n=number_of_children(values.dropna(subset="base")),
        method=f"{measure.label} = intercept + time + arm + time x arm + child's own intercept and slope + error, by "
        "REML; 95 % t-intervals with Satterthwaite's df; missing at random; no p-values; source "
        f"{source_of(measure)}",
        conventions=[
            ARM_ORDER,
            f"a year is {DAYS_PER_YEAR} days",
            "baseline is an observation, not a covariate",
        ],
        caption=sentences(said["fit"], f"Variance components: {spread}." if spread else ""),
        results=results_of(said),
        missing="",
    )
    return Finding((exhibit,), said)


def _df_texts(frame: pd.DataFrame) -> list[str]:
    """Degrees of freedom of each row's estimate, in words."""
    return [rounded(r.df, 1) if np.isfinite(r.estimate) else NOT_ESTIMABLE for r in frame.itertuples()]
