"""Chapter 09: how we know that the numbers are right.

Every comparison is computed when the chapter runs; nothing here is typed in but the references, which lie in
`data/reference` with their sources.
"""

import json
import re
import warnings
from typing import NamedTuple

import lifelines
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import NOT_ESTIMABLE, rounded
from helpers.design import comparisons, known_truth
from helpers.estimators import mixed, proportions, survival
from helpers.study.protocol import DAYS_PER_MONTH

FAILS = "FAILS"
_NOBODY = {"population": "reference data, none of this trial's children", "n": "as each row says"}
_DIGITS = "ours is rounded to the digits that must agree; how many more do agree depends on the processor"


class Verdicts(Exhibit):
    """A table whose rows that fail are red."""

    def table(self) -> str:
        rows = re.split(r"(?=<tr>)", super().table())
        return "".join(
            row.replace("<tr>", '<tr class="fails" style="background:#f6c9b8">', 1)
            if f">{FAILS}<" in row
            else row
            for row in rows
        )


class Checked(NamedTuple):
    table: Exhibit
    every: Exhibit
    said: dict[str, Result | str]


class Shown(NamedTuple):
    table: Exhibit
    said: dict[str, Result | str]


def number(value: float, digits: int = 9) -> str:
    """Up to so many significant digits; "not reached" for a missing one."""
    return "not reached" if not np.isfinite(value) else f"{value:.{digits}g}"


def agreement() -> Checked:
    """Reference and ours: a row per method and source, and every number compared.

    How many digits two right answers share is a property of the processor, so none is shown: a row says how
    many digits must agree, and whether they do. Ours is printed to the digits that must agree.
    """
    every = pd.DataFrame([*comparisons.against_r(), *comparisons.against_papers()])
    every["origin"] = [text.partition(":")[0] if text.startswith("R ") else text for text in every["source"]]
    places = every["required"].clip(2, comparisons.CLOSED).astype(int)
    every["shown"] = [number(value, n) for value, n in zip(every["ours"], places, strict=True)]
    rows = []
    for (method, data, origin), part in every.groupby(["method", "data", "origin"], sort=False):
        # the first number that fails, or else the first of those of which least is asked
        worst = part.loc[part["required"].where(part["passes"], -1.0).idxmin()]
        why = "; ".join(dict.fromkeys(reason for reason in part["reason"] if reason))
        rows.append(
            {
                "method": method,
                "data": data,
                "source": origin,
                "compared": len(part),
                "quantities": ", ".join(dict.fromkeys(part["quantity"])),
                "example": worst["key"],
                "reference": number(worst["reference"]),
                "ours": worst["shown"],
                "required": worst["required"],
                "passes": bool(part["passes"].all()),
                "verdict": "passes" if part["passes"].all() else FAILS,
                "reason": why,
            }
        )
    summary = pd.DataFrame(rows)
    failed, methods = int((~every["passes"]).sum()), every["method"].nunique()
    said = {
        "compared": Result("validation.compared", len(every)),
        "failed": Result("validation.failed", failed),
        "methods": Result("validation.methods", methods),
        "recalled": Result("validation.recalled", int(every["source"].str.endswith("(recalled)").sum())),
        "verdict": "Every number agrees as far as it must."
        if not failed
        else f"Not right: {', '.join(dict.fromkeys(every.loc[~every['passes'], 'method']))}.",
    }
    method = (
        f"required: {comparisons.CLOSED} significant digits of a closed form, {comparisons.ITERATIVE} of an iterative "
        "fit, all printed digits of a published number, or fewer for the reason given; source data/reference"
    )
    table = Verdicts(
        "validation-agreement",
        "Our numbers beside R's and the published ones",
        summary.assign(required=[f"{v:.0f}" for v in summary["required"]]),
        columns={
            "method": "Method",
            "source": "Reference",
            "compared": "Numbers",
            "verdict": "Verdict",
            "required": "Digits that must agree",
            "example": "For example",
            "reference": "Reference says",
            "ours": "Ours",
            "reason": "Why fewer digits",
        },
        method=method,
        conventions=[
            _DIGITS,
            "the example is a number that fails, or else one of which least is asked",
            "read: seen in a public text; recalled: from memory, confirmed only by being reproduced",
        ],
        caption=said["verdict"],
        results=[r for r in said.values() if isinstance(r, Result)],
        missing="",
        **_NOBODY,
    )
    listed = every.drop(columns="shown").assign(
        reference=every["reference"].map(number),
        ours=every["shown"],
        required=[f"{v:.0f}" for v in every["required"]],
        verdict=np.where(every["passes"], "passes", FAILS),
    )
    complete = Verdicts(
        "validation-every",
        "Every number compared",
        listed,
        method=method,
        conventions=[_DIGITS],
        **_NOBODY,
        columns={
            "method": "Method",
            "data": "Data set",
            "quantity": "Quantity",
            "key": "Key",
            "reference": "Reference",
            "ours": "Ours",
            "required": "Digits that must agree",
            "verdict": "Verdict",
            "source": "Source",
        },
    )
    return Checked(table, complete, said)


def kenward_roger() -> Exhibit:
    """One contrast under each variant of its standard error and degrees of freedom, on R's made-up trial."""
    change, _, baseline, arm, month = comparisons.trial_arrays()
    visits = [5, 8, 9, 11]
    fit = mixed.mmrm(change[:, visits], baseline, arm, month[visits] * DAYS_PER_MONTH)
    last, rows = np.eye(len(visits))[-1], []
    names = {
        **{words: {"se": option} for option, words in comparisons.VARIANTS.values()},
        "Kenward-Roger linear with expected information, as pbkrtest takes it": {
            "se": "kenward-roger-linear",
            "information": "expected",
        },
    }
    for words, options in names.items():
        found = fit.arm_contrast(last, **options)
        rows.append(
            {"variant": words, "estimate": found.estimate, "se": found.se, "df": found.df, "p": found.p}
        )
    return Exhibit(
        "validation-kenward-roger",
        "Kenward-Roger has variants: one contrast under each",
        pd.DataFrame(rows),
        population="R's made-up trial (data/reference/r/long.csv)",
        n="20 v 20",
        method="change of log-UPCR at the last of four visits, MMRM by REML, unstructured",
        conventions=[
            "the trial's own chapters use the first row",
            "for one contrast Kenward-Roger's df are Satterthwaite's",
        ],
        columns={"variant": "Variant", "estimate": "Estimate", "se": "SE", "df": "df", "p": "p"},
        digits={"estimate": 5, "se": 5, "df": 3, "p": 5},
    )


def conventions() -> Exhibit:
    """Where R, SAS and Python differ for a reason, what it changes on a data set here, and what we use."""
    r = comparisons.table("r", "r_values").set_index("key")["value"]
    curves = comparisons.table("r", "r_km").query("arm == 1 and time < 1").groupby("conf").last()
    tte = comparisons.table("r", "tte").query("arm == 1")
    steps = survival.kaplan_meier(tte["time"], tte["event"])
    edges = np.append(np.append(0.0, steps["time"][steps["time"] < r["rmst.tau"]]), r["rmst.tau"])
    heights = np.append(1.0, steps["survival"][steps["time"] < r["rmst.tau"]])
    # lifelines' formula: twice the integral of t S(t), less the squared integral of S
    spread = np.sqrt((np.diff(edges**2) * heights).sum() - (np.diff(edges) * heights).sum() ** 2)
    ours = survival.rmst(tte["time"], tte["event"], r["rmst.tau"]).se
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = confint_proportions_2indep(56, 70, 48, 80, method="score", compare="diff", correction=True)
        barnard = stats.barnard_exact([[13, 6], [7, 14]]).pvalue
    two, one = proportions.miettinen_nurminen(48, 80, 56, 70), proportions.barnard(6, 20, 13, 20)
    plateau = lifelines.KaplanMeierFitter().fit([1, 2, 3, 4], [1, 1, 1, 1]).median_survival_time_
    men = comparisons.table("published", "lung_men")
    beyond = survival.rmst(men["days"], men["event"], 1100)
    rows = [
        (
            "Kaplan-Meier interval",
            "log",
            "log-log",
            "log-log (lifelines)",
            "log-log",
            f"{_range(curves.loc['log'])} by log, {_range(curves.loc['log-log'])} by log-log",
        ),
        (
            "Median of a curve that lies on one half",
            "midpoint of the plateau",
            "midpoint",
            f"lifelines: {number(plateau)} for times 1, 2, 3, 4",
            "midpoint",
            f"{number(survival.median([1, 2, 3, 4], [1, 1, 1, 1]).estimate)} for times 1, 2, 3, 4",
        ),
        (
            "Variance of the restricted mean",
            "Greenwood (survRM2)",
            "Greenwood",
            f"lifelines: SD of min(T, tau), {number(spread)}",
            "Greenwood",
            f"SE {number(ours)}; R {number(r['rmst.se.arm1'])}",
        ),
        (
            "Restricted mean beyond follow-up",
            "survfit carries the curve on, flat",
            "cut at the last event",
            "carried on, flat",
            NOT_ESTIMABLE,
            beyond.message or number(beyond.estimate),
        ),
        (
            "Ties in a Cox model",
            "Efron",
            "Breslow",
            "Efron (lifelines)",
            "no Cox model; discrete-time cloglog",
            f"log ratio {number(r['cox.efron.coef'])} Efron, {number(r['cox.breslow.coef'])} Breslow, "
            f"{number(r['cox.exact.coef'])} exact",
        ),
        (
            "Intervals of interval-censored data",
            "(left, right] (survival, npsurv)",
            "(left, right]",
            "closed [left, right] (lifelines)",
            "(left, right]",
            "a remission found at a visit was not there at the visit before",
        ),
        (
            "Miettinen-Nurminen interval",
            "as in the paper",
            "as in the paper",
            f"statsmodels: {_pair(score)}",
            "as in the paper",
            f"{_pair(two)} for 56/70 v 48/80",
        ),
        (
            "Supremum of an unconditional test",
            "grid",
            "grid",
            f"scipy's Barnard: {number(barnard)}",
            "grid, refined at the peaks",
            f"{number(one)} for 13/20 v 6/20",
        ),
        (
            "Two sides of Boschloo's test",
            "orders by Fisher's two-sided p",
            "not offered",
            "twice the smaller side (scipy)",
            "twice the smaller side",
            f"{number(proportions.boschloo(6, 20, 14, 20))} for 14/20 v 6/20, alike in all for equal arms",
        ),
        (
            "Kenward-Roger",
            "mmrm: observed information; pbkrtest: expected",
            "expected (DDFM=KR)",
            "none",
            "named wherever it is used",
            "see the table of variants",
        ),
        (
            "Degrees of freedom of random slopes",
            f"lmerTest {number(r['lmer.satt.df.4'])}, nlme {number(r['lme.df.4'])}",
            "DDFM names one",
            "none: z (statsmodels)",
            "Satterthwaite",
            "slope difference of the made-up trial",
        ),
        (
            "Censoring of a wanted event",
            "admiral proposes the end of observation",
            "as told",
            "as told",
            "last assessment; the other as sensitivity",
            "the end of observation asserts what nobody saw",
        ),
        (
            "Event indicator",
            "1 = event",
            "CNSR as told",
            "1 = event",
            "ADaM's CNSR, 0 = event, turned in one place",
            "adam.events",
        ),
    ]
    names = ["topic", "r", "sas", "python", "here", "shown"]
    return Exhibit(
        "validation-conventions",
        "Where R, SAS and Python differ, and the convention used here",
        pd.DataFrame(rows, columns=names),
        method="numbers computed here, R's from data/reference/r; what SAS does is "
        "stated from its documentation and was not run",
        conventions=["defaults of each program"],
        **_NOBODY,
        columns={
            "topic": "Topic",
            "r": "R",
            "sas": "SAS",
            "python": "Python's usual library",
            "here": "Here",
            "shown": "What it changes",
        },
    )


def known() -> Shown:
    """Coverage, bias and type I error against known truth, as kept; and whether it belongs to these sources."""
    if not known_truth.KEPT.is_file():
        kept = {"key": "", "rows": []}
    else:
        kept = json.loads(known_truth.KEPT.read_text("utf-8"))
    here = kept["key"] == known_truth.key()
    frame = pd.DataFrame(kept["rows"], columns=list(kept["rows"][0]) if kept["rows"] else ["method", "n"])
    if kept["rows"]:
        shown = [_known_words(row) for row in kept["rows"]]
        frame = frame.assign(**{name: [words[name] for words in shown] for name in shown[0]})
    heads = {
        "n": "Children an arm",
        "method": "Method",
        "truth_text": "Truth",
        "bias_text": "Bias (Monte Carlo SE)",
        "coverage_text": "Coverage of 95 % (Monte Carlo interval)",
        "type1_text": "Type I error at 5 % (Monte Carlo interval)",
        "trials_text": "Trials",
        "verdict": "Within Monte Carlo error",
    }
    large = [row for row in kept["rows"] if row["n"] == 400]
    off = [row["method"] for row in large if _off(row)]
    words = (
        "It was computed with the estimators as they are now."
        if here
        else "It is stored for another version of the estimators: `make test-slow` says whether it still holds, and "
        "`python -m helpers.design.known_truth` computes it again."
    )
    verdict = (
        f"At 400 children an arm, outside Monte Carlo error: {', '.join(off)}."
        if off
        else (
            "At 400 children an arm, within Monte Carlo error, every estimate is unbiased and every interval "
            "covers its 95 %."
            if large
            else "Nothing is stored."
        )
    )
    said = {"kept": words, "verdict": verdict, "off": Result("validation.known_truth.off", len(off))}
    exhibit = Exhibit(
        "validation-known-truth",
        "Coverage, bias and type I error where the truth is known",
        frame,
        columns={k: v for k, v in heads.items() if k in frame},
        units={"coverage_text": "%", "type1_text": "%"} if kept["rows"] else {},
        population="simulated trials whose truth is known; nothing to do with this trial's effect",
        n="20 and 400 an arm",
        method="estimators of this project on data drawn from models with known parameters "
        "(helpers.design.known_truth); "
        "exact tests at 20 an arm: sum over all tables, no simulation",
        conventions=[
            "Monte Carlo interval: Wilson 95 %",
            "judged at 400 an arm only, at 99.7 %; at 20 reported as it is",
        ],
        caption=f"{words} {verdict}",
        results=[said["off"]],
        missing="",
    )
    return Shown(exhibit, said)


def _off(row) -> bool:
    """Whether bias, coverage or type I error lies outside three Monte Carlo standard errors."""
    biased = row["bias"] is not None and abs(row["bias"]) > 3 * row["bias_se"]
    out = []
    for name, target in (("coverage", 95.0), ("type1", 5.0)):
        if row[name] is not None and row["trials"]:
            out.append(abs(row[name] - target) > 300 * np.sqrt(0.05 * 0.95 / row["trials"]))
    return bool(biased or any(out))


def _known_words(row) -> dict:
    def share(name):
        if row[name] is None:
            return ""
        if row[f"{name}_lower"] is None:
            return f"{rounded(row[name], 2)} (exact)"
        return f"{rounded(row[name], 1)} ({rounded(row[f'{name}_lower'], 1)} to {rounded(row[f'{name}_upper'], 1)})"

    bias = "" if row["bias"] is None else f"{rounded(row['bias'], 4)} ({rounded(row['bias_se'], 4)})"
    failed = f", {row['failed']} without estimate" if row["failed"] else ""
    return {
        "truth_text": "" if row["truth"] is None else rounded(row["truth"], 3),
        "bias_text": bias,
        "coverage_text": share("coverage"),
        "type1_text": share("type1"),
        "trials_text": f"{row['trials']}{failed}" if row["trials"] else "all tables",
        "verdict": "" if row["n"] != 400 else "no" if _off(row) else "yes",
    }


def _range(row) -> str:
    return f"{rounded(row['lower'], 3)} to {rounded(row['upper'], 3)}"


def _pair(limits) -> str:
    return " to ".join(rounded(float(v), 4) for v in limits)
