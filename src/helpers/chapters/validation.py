"""Chapter 09: how we know that the numbers are right.

Every comparison is computed when the chapter runs, in `design`; here they are put in words. Nothing is typed in but
the references, which lie in `data/reference` with their sources.
"""

import re

import numpy as np
import pandas as pd

from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import NOT_ESTIMABLE, capital, joined, plain, rounded, until
from helpers.design import known_truth as truth
from helpers.design.references import CLOSED, ITERATIVE
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS

FAILS = "FAILS"
_NOBODY = {"population": "reference data, none of this trial's children", "n": "as each row says"}
_DIGITS = "ours is rounded to the digits that must agree; how many more do agree depends on the processor"
_REQUIRED = (
    f"required: {CLOSED} significant digits of a closed form, {ITERATIVE} of an iterative "
    "fit, all printed digits of a printed number, or fewer for the reason given; source data/reference"
)


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


def number(value: float, digits: int = 9) -> str:
    """Up to so many significant digits; "not reached" for a missing one."""
    return "not reached" if not np.isfinite(value) else plain(value, digits)


def agreement(every: pd.DataFrame, kinds: pd.DataFrame, methods: pd.DataFrame) -> Finding:
    """Reference and ours: a row for each kind of reference, then one per method and source.

    How many digits two right answers share is a property of the processor, so none is shown: a row says how many digits
    must agree, and whether they do. every, kinds, methods: frames of `comparisons.every`, `.by_kind` and `.by_method`.
    """
    failed = every[~every["passes"]]
    verdict = (
        "every one agrees as far as it must."
        if failed.empty
        else f"{len(failed)} {'fails' if len(failed) == 1 else 'fail'}: {', '.join(failed['method'].unique())}."
    )
    said = {
        "compared": Result("validation.compared", len(every)),
        "failed": Result("validation.failed", len(failed)),
        "methods": Result("validation.methods", every["method"].nunique()),
        "printed": Result("validation.printed", int(every["source"].str.endswith("(printed)").sum())),
        "verdict": verdict,
    }
    summary = Exhibit(
        "validation-kinds",
        "What our numbers are held against",
        kinds,
        method=_REQUIRED,
        columns={
            "kind": "Reference",
            "methods": "Methods",
            "compared": "Numbers",
            "required": "Fewest digits that must agree",
            "failed": "Numbers that fail",
        },
        results=[value for value in said.values() if isinstance(value, Result)],
        **_NOBODY,
    )
    table = Verdicts(
        "validation-agreement",
        "Our numbers beside R's and the published ones",
        _worded(methods)[
            ["method", "data", "source", "compared", "quantities", "example", "reference", "ours", "required",
             "passes", "verdict", "reason"]
        ],
        columns={
            "method": "Method",
            "source": "Reference",
            "compared": "Numbers",
            "verdict": "Verdict",
            "required": "Digits that must agree",
            "reason": "Why fewer digits",
        },
        method=_REQUIRED,
        conventions=[
            _DIGITS,
            "the data hold an example: a number that fails, or else one of which least is asked",
            "printed: seen in a public text; computed: by R on the published data, or from a closed form",
        ],
        caption=capital(verdict),
        missing="",
        folded=True,
        **_NOBODY,
    )  # fmt: skip
    return Finding((summary, table), said)


def complete(every: pd.DataFrame) -> Exhibit:
    """Every number compared. every: frame of `comparisons.every`."""
    return Verdicts(
        "validation-every",
        "Every number compared",
        _worded(every)[
            ["method", "data", "quantity", "key", "source", "reference", "ours", "required", "passes", "reason",
             "origin", "verdict"]
        ],
        method=_REQUIRED,
        conventions=[_DIGITS],
        columns={
            "method": "Method",
            "data": "Data set",
            "quantity": "Quantity",
            "reference": "Reference",
            "ours": "Ours",
            "required": "Digits that must agree",
            "verdict": "Verdict",
        },
        folded=True,
        **_NOBODY,
    )  # fmt: skip


def kenward_roger(variants: pd.DataFrame) -> Exhibit:
    """One contrast under each variant. variants: frame of `programs.kenward_roger`."""
    return Exhibit(
        "validation-kenward-roger",
        "Kenward-Roger has variants: one contrast under each",
        variants,
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


def conventions(differences: pd.DataFrame) -> Exhibit:
    """Where R, SAS and Python differ for a reason, what it changes on a data set, and what we use.

    differences: frame of `programs.differences`.
    """
    found = differences.set_index(["topic", "program", "quantity"])

    def value(topic, program, quantity):
        return number(found.loc[(topic, program, quantity), "value"])

    def limits(topic, program, digits):
        return " to ".join(
            rounded(found.loc[(topic, program, end), "value"], digits) for end in ("lower", "upper")
        )

    by_order = [rounded(found.loc[("exact interval", by, "p"), "value"], 4) for by in ("mid-p order", "here")]
    beyond = found.loc[("beyond follow-up", "here", "mean")]
    rows = [
        (
            "Kaplan-Meier interval",
            "log",
            "log-log",
            "log-log (lifelines)",
            "log-log",
            f"{limits('survival interval', 'log', 3)} by log, {limits('survival interval', 'log-log', 3)} by log-log",
        ),
        (
            "Median of a curve that lies on one half",
            "midpoint of the plateau",
            "midpoint",
            f"lifelines: {value('plateau', 'lifelines', 'median')} for times 1, 2, 3, 4",
            "midpoint",
            f"{value('plateau', 'here', 'median')} for times 1, 2, 3, 4",
        ),
        (
            "Variance of the restricted mean",
            "Greenwood (survRM2)",
            "Greenwood",
            f"lifelines: SD of min(T, tau), {value('restricted mean', 'lifelines', 'sd')}",
            "Greenwood",
            f"SE {value('restricted mean', 'here', 'se')}; R {value('restricted mean', 'R', 'se')}",
        ),
        (
            "Restricted mean beyond follow-up",
            "survfit carries the curve on, flat",
            "cut at the last event",
            "carried on, flat",
            NOT_ESTIMABLE,
            beyond["note"] or number(beyond["value"]),
        ),
        (
            "Ties in a Cox model",
            "Efron",
            "Breslow",
            "Efron (lifelines)",
            "no Cox model; discrete-time cloglog",
            f"log ratio {value('ties', 'R', 'efron')} Efron, {value('ties', 'R', 'breslow')} Breslow, "
            f"{value('ties', 'R', 'exact')} exact",
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
            f"statsmodels: {limits('Miettinen-Nurminen', 'statsmodels', 4)}",
            "as in the paper",
            f"{limits('Miettinen-Nurminen', 'here', 4)} for 56/70 v 48/80",
        ),
        (
            "Supremum of an unconditional test",
            "grid",
            "grid",
            f"scipy's Barnard: {value('Barnard', 'scipy', 'p')}",
            "grid, refined at the peaks",
            f"{value('Barnard', 'here', 'p')} for 13/20 v 6/20",
        ),
        (
            "Two sides of Boschloo's test",
            "orders by Fisher's two-sided p",
            "not offered",
            "twice the smaller side (scipy)",
            "twice the smaller side",
            f"{value('Boschloo', 'here', 'p')} for 14/20 v 6/20, alike in all for equal arms",
        ),
        (
            "Exact interval of a difference",
            "exact2x2's FisherAdj orders by Fisher's mid-p: another test",
            "not compared",
            "none",
            "inverts Boschloo's test: one order, that of the test, at every difference",
            f"p of 0/18 v 4/18: {by_order[0]} by mid-p, {by_order[1]} here; 6/18 v 12/18: "
            f"{limits('exact interval', 'here', 3)}, by the score {limits('exact interval', 'score', 3)}",
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
            f"lmerTest {value('slope df', 'lmerTest', 'df')}, nlme {value('slope df', 'nlme', 'df')}",
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


def known_truth(results: pd.DataFrame, current: bool) -> Finding:
    """Coverage, bias and type I error against known truth, as kept.

    results: frame of `known_truth.latest`; current: whether it belongs to the sources as they are.
    """
    results = results.assign(method=results["method"].str.replace(_STORED, _named(), regex=False))
    off = results.loc[(results["n"] == 400) & results["outside"], "method"]
    kept = (
        "It was computed with the estimators as they are now."
        if current
        else "It is stored for another version of the estimators: `make test-slow` says whether it still holds, and "
        "`python -m helpers.design.renewal known_truth` computes it again."
    )
    verdict = (
        " ".join(_excluded(results, n) for n in truth.SIZES if n in set(results["n"]))
        if len(results)
        else "Nothing is stored."
    )
    said = {"kept": kept, "verdict": verdict, "off": Result("validation.known_truth.off", len(off))}
    texts = [_known_words(row) for row in results.to_dict("records")]
    heads = {
        "truth_text": "Truth",
        "bias_text": "Bias (Monte Carlo SE)",
        "coverage_text": "Coverage of 95 % (Monte Carlo interval)",
        "type1_text": "Type I error at 5 % (Monte Carlo interval)",
        "trials_text": "Trials",
        "verdict": "Against what it promises",
    }
    exhibit = Exhibit(
        "validation-known-truth",
        "Coverage, bias and type I error where the truth is known",
        results.drop(columns=["outside", "cautious"]).assign(
            **{name: [text[name] for text in texts] for name in heads}
        ),
        columns={"n": "Children an arm", "method": "Method", **heads},
        units={"coverage_text": "%", "type1_text": "%"},
        population="simulated trials whose truth is known; nothing to do with this trial's effect",
        n="20 and 400 an arm",
        method="estimators of this project on data drawn from models with known parameters "
        "(helpers.design.known_truth); "
        "exact tests at 20 an arm: sum over all tables, no simulation",
        conventions=[
            "Monte Carlo interval: Wilson 95 %",
            "off: beyond three Monte Carlo standard errors; doubtful: its 95 % Monte Carlo interval leaves out the 95 "
            "or 5 % promised, as one in twenty does by chance; few trials show little: the interval says how much",
            "multiple imputation: 20 imputations a trial, fewer than the chapters take",
            "20 an arm: the trial's own 11 visits and missing values; 400: five visits",
        ],
        results=[said["off"]],
        missing="",
        folded=True,
    )
    return Finding((exhibit,), said)


_STORED = "Confirmed remission by month 12"
"""What the stored answer calls the end of the curve of confirmed remission."""


def _named() -> str:
    """The same by the name that chapter 07 gives it."""
    days = max(Parameters().confirm_days, 1)
    return f"Confirmed remission {until('UPCRC', max(v.month for v in VISITS if VISITS[-1].day - v.day >= days))}"


def _excluded(results: pd.DataFrame, n: int) -> str:
    """What simulation found off at one size, and what its Monte Carlo intervals exclude for all the rest."""
    rows = results[results["n"] == n]
    limits = truth.excluded(results, n)
    short = int((rows["outside"] & ~rows["cautious"]).sum())
    doubtful = sum(_doubtful(row) for row in rows[~rows["outside"]].to_dict("records"))
    clauses = {
        "bias": f"a bias above {rounded(limits['bias'], 2)} standard deviations of the estimate",
        "coverage": f"a coverage below {rounded(limits['coverage'], 1)} %",
        "type1": f"a type I error above {rounded(limits['type1'], 1)} %",
    }
    said = [words for name, words in clauses.items() if np.isfinite(limits[name])]
    rest = f" For all others the Monte Carlo intervals (95 %) exclude {joined(said)}, and nothing smaller."
    return (
        f"Rows of {n} children an arm: {len(rows)}; off, beyond three Monte Carlo standard errors from what they "
        f"promise: {short}; doubtful by their own 95 % Monte Carlo interval: {doubtful}; cautious: "
        f"{int(rows['cautious'].sum())}.{rest if said else ''}"
    )


def small_trials(results: pd.DataFrame) -> str:
    """What the known truth shows of trials of 20 an arm, in a sentence for the opening; nothing where none is kept.

    results: frame of `known_truth.latest`.
    """
    rows = results[results["n"] == min(truth.SIZES)]
    if rows.empty:
        return ""
    short = int((rows["outside"] & ~rows["cautious"]).sum())
    return (
        f"In simulated trials of {min(truth.SIZES)} children an arm, whose truth is known, {short} of "
        f"{len(rows)} estimates, intervals and tests are shown to fall short of what they promise."
    )


def _worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers of `comparisons` as text: ours to the digits that must agree, and the verdict in a word."""
    places = frame["required"].clip(2, CLOSED)
    return frame.assign(
        reference=[number(value) for value in frame["reference"]],
        ours=[number(value, digits) for value, digits in zip(frame["ours"], places, strict=True)],
        required=frame["required"].astype(str),
        verdict=np.where(frame["passes"], "passes", FAILS),
    )


def _doubtful(row: dict) -> bool:
    """Whether a printed Monte Carlo interval speaks against the method: coverage below 95 %, type I error above 5 %."""
    return bool(row["coverage_upper"] < 95 or row["type1_lower"] > 5)


def _known_words(row: dict) -> dict[str, str]:
    def share(name):
        if np.isnan(row[name]):
            return ""
        if np.isnan(row[f"{name}_lower"]):
            return f"{rounded(row[name], 2)} (exact)"
        return f"{rounded(row[name], 1)} ({rounded(row[f'{name}_lower'], 1)} to {rounded(row[f'{name}_upper'], 1)})"

    bias = "" if np.isnan(row["bias"]) else f"{rounded(row['bias'], 4)} ({rounded(row['bias_se'], 4)})"
    failed = f", {row['failed']} without estimate" if row["failed"] else ""
    within = "nothing shown"
    if row["outside"]:
        within = "cautious" if row["cautious"] else "off"
    elif _doubtful(row):
        within = "doubtful"
    if np.isnan(row["trials"]):
        within = ""
    return {
        "truth_text": "" if np.isnan(row["truth"]) else rounded(row["truth"], 3),
        "bias_text": bias,
        "coverage_text": share("coverage"),
        "type1_text": share("type1"),
        "trials_text": "all tables" if np.isnan(row["trials"]) else f"{rounded(row['trials'])}{failed}",
        "verdict": within,
    }
