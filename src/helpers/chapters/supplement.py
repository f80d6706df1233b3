"""Chapter 06, continued: the primary comparison by the allocation itself, over strata and adjusted, as a supplement.

The frame of `analysis.supplement` in, an exhibit and what may be said of it out.
"""

import numpy as np
import pandas as pd

from helpers.chapters.exhibits import Exhibit, Finding, Result, limit
from helpers.chapters.remission import CONVENTIONS, POINTS, confirmation, results_in
from helpers.chapters.words import NOT_ESTIMABLE, capital, counted, limit_text, pvalue_text, rounded
from helpers.study.parameters import Parameters

METHODS = {
    "randomisation": "Randomisation test: allocated again within the realised blocks",
    "strata": "Mantel-Haenszel over RAS inhibition at baseline",
    "adjusted": "Adjusted for baseline log UPCR and RAS inhibition, standardised",
}


KIND = {"randomisation": "", "strata": "score", "adjusted": "t, jackknife"}
"""The kind of interval of each."""


def supplement(found: pd.DataFrame, p: Parameters) -> Finding:
    """The supplementary rows of the primary comparison. found: from `analysis.supplement.supplement`."""
    frame = found.assign(
        label=found["method"].map(METHODS),
        children=[f"{row.n_placebo} v {row.n_msc}" for row in found.itertuples()],
        text=[_difference(row) for row in found.itertuples()],
        interval=[KIND[row.method] if np.isfinite(row.lower) else "" for row in found.itertuples()],
        p_text=["" if np.isnan(value) else pvalue_text(value, p.alpha) for value in found["p"]],
    )
    said: dict[str, Result | str] = {}
    for row in frame.itertuples():
        name = f"remission.supplement.{row.method}"
        said[row.method] = Result(name, row.estimate, POINTS, 1, text=row.text)
        if np.isfinite(row.lower):
            said[f"{row.method}_lower"] = limit(f"{name}_lower", row.lower, POINTS, 1, 0)
            said[f"{row.method}_upper"] = limit(f"{name}_upper", row.upper, POINTS, 1, 0)
    test = frame[frame["method"] == "randomisation"].iloc[0]
    said["p"] = Result("remission.supplement.p", test["p"], digits=3, text=test["p_text"] or NOT_ESTIMABLE)
    notes = [f"{METHODS[row.method]}: {row.note}." for row in found.itertuples() if row.note]
    table = Exhibit(
        "remission-supplement",
        "The primary comparison in three other ways (supplementary)",
        frame,
        columns={
            "label": "Method",
            "children": "n placebo v hUC-MSC",
            "text": "Difference (95 % interval)",
            "interval": "Interval",
            "p_text": "p, unadjusted",
        },
        units={"text": POINTS},
        population="all randomised, as randomised; adjusted: with a baseline UPCR",
        n=counted(f"{test['n_placebo']} v {test['n_msc']}", "child", "children"),
        method="randomisation test: difference of proportions, every allocation that the realised blocks allow, "
        "two-sided as twice the smaller side; Mantel-Haenszel weights with the score interval; logistic regression by "
        "Firth with intercept correction, standardised, jackknife t-interval; no p-value but that of the randomisation "
        "test; source ADSL, ADTTE (UPCRC), randomisation",
        conventions=(*CONVENTIONS, confirmation(p)),
        caption=" ".join(capital(note) for note in notes),
        results=results_in(said),
        missing="",
        folded=True,
    )
    return Finding((table,), said)


def _difference(row) -> str:
    if not np.isfinite(row.estimate):
        return f"{NOT_ESTIMABLE}: {row.note}"
    text = rounded(row.estimate, 1)
    if not np.isfinite(row.lower):
        return text
    return f"{text} ({limit_text(row.lower, 1, 0)} to {limit_text(row.upper, 1, 0)})"
