"""What the key of a result and the notes of its exhibit say in the terms of the Analysis Results Standard."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.chapters.analysed import Analysed, Condition
from helpers.chapters.words import capital
from helpers.study.codebook import TABLES
from helpers.study.protocol import ARM_KEY

ARM_KEY_WORDS = {key: arm for arm, key in ARM_KEY.items()}
"""Key of an arm -> the arm."""
ALONE = "value"
"""The operation of a key that ends with the arm."""
OPERATIONS = {
    "n": "Number of children",
    "N": "Number of children in the analysis set",
    "p": "p-value",
    "df": "Degrees of freedom",
    "between": "hUC-MSC against placebo",
    "difference": "Difference hUC-MSC - placebo",
    "month12": "hUC-MSC against placebo at month 12",
    "average": "hUC-MSC against placebo, average of the visits",
    "values": "Number of values",
    "planned": "Number of planned values",
}
"""Operations whose names are no words yet."""
STATISTICS = {
    "count": "Number of children",
    "years": "Child-years of follow-up",
    "rate": "Events per child-year",
    "rate_ratio": "Ratio of first events per child-year, hUC-MSC / placebo (95 % interval)",
    "median": "Median time in months (95 % interval)",
    "cumulative": "Percentage with the event by month 12 (95 % interval)",
    "mean": "Mean, geometric on a ratio scale (95 % interval)",
    "mean_change": "Mean change, or geometric mean ratio, to baseline (95 % interval)",
    "slope": "Slope a year (95 % interval)",
    "agreement": "Share of children on whom both endpoints agree",
    "kappa": "Cohen's kappa (95 % interval)",
    "estimate": "Estimate (95 % interval)",
}
"""Operations that the register names for keys without one."""
RAW = {"%": "its percentage", int: "its count", float: "its proportion"}
"""Of a count with its total and its percentage, what the raw value is: by unit, else by type."""
WORDS = {
    "upcr": "UPCR",
    "egfr": "eGFR",
    "gfr": "GFR",
    "n": "number",
    "p24": "24-hour protein",
    "dip": "dipstick",
    "month12": "month 12",
    "rmst": "restricted mean time",
    **ARM_KEY_WORDS,
}
"""Parts of names of operations that are short for something."""
ENDS = {"lower": "lower limit", "upper": "upper limit", "df": "degrees of freedom", "percent": "as percent"}
"""What the last part of an operation's name says of the rest."""


def parts(key: str) -> tuple[str, str, str]:
    """(topic, operation, arm) of a result's key; no arm is an empty text.

    >>> parts("remission.primary.msc.share"), parts("remission.ever.placebo"), parts("b.n")
    (('remission.primary', 'share', 'msc'), ('remission.ever', 'value', 'placebo'), ('b', 'n', ''))
    >>> parts("a.ratio.msc_lower"), parts("a.n_msc")
    (('a.ratio', 'lower', 'msc'), ('a', 'n', 'msc'))
    """
    words = key.split(".")
    arm = next((word for word in words[1:] if word in ARM_KEY.values()), "")
    if arm:
        rest = [word for word in words if word != arm]
        if words[-1] == arm:
            return ".".join(rest), ALONE, arm
        return ".".join(rest[:-1]) or rest[0], rest[-1], arm
    topic, last = ".".join(words[:-1]) or words[0], words[-1]
    pieces = last.split("_")
    arm = next((one for one in (pieces[0], pieces[-1]) if one in ARM_KEY.values()), "")
    operation = "_".join(one for one in pieces if one != arm)
    return topic, operation or ALONE, arm


def operation_label(operation: str, result: Mapping[str, Any]) -> str:
    """The name of an operation in words; of one without a name of its own by how its result is told.

    >>> operation_label("difference_lower", {}), operation_label("p", {}), operation_label("month12_df", {})
    ('Difference hUC-MSC - placebo, lower limit', 'p-value', 'hUC-MSC against placebo at month 12, degrees of freedom')
    >>> operation_label("share", {"shown": "3/20 (15.0 %)", "unit": "%"})
    'Number, of all (percentage); the raw value is its percentage'
    >>> operation_label("value", {"shown": "7", "value": 7})
    'Number'
    """
    shown = str(result.get("shown", ""))
    if re.match(r"\d+/\d+ \(", shown):
        raw = RAW.get(result.get("unit"), RAW.get(type(result.get("value")), "one of them"))
        words = STATISTICS.get(operation, "Number, of all (percentage)")
        return f"{words}; the raw value is {raw}"
    if operation in OPERATIONS or operation in STATISTICS:
        return (OPERATIONS | STATISTICS)[operation]
    if operation == ALONE:
        if isinstance(result.get("value"), int):
            return "Number"
        return "Estimate (95 % interval)" if " to " in shown else "Estimate"
    whole, _, end = operation.rpartition("_")
    if end in ENDS:
        return f"{operation_label(whole, result)}, {ENDS[end]}" if whole else capital(ENDS[end])
    return capital(" ".join(WORDS.get(word, word) for word in operation.split("_")))


def unregistered(method: str, tables: Sequence[str]) -> Analysed | None:
    """What a result was computed of that the register does not know: from its exhibit's notes, else from its cells."""
    named = sources(method)
    analysis = [name.upper() for name in tables if name.startswith("ad") and name in TABLES]
    dataset = next((name for name, codes in named.items() if codes), next(iter(named), ""))
    if not dataset and 0 < len(analysis) <= 2:
        dataset = next((name for name in analysis if name != "ADSL"), "ADSL")
    if not dataset:
        return None
    codes = named.get(dataset, [])
    variables = [code for code in codes if code in columns(dataset)]
    parameters = tuple(code for code in codes if code not in columns(dataset))
    where = (
        (Condition(dataset, "PARAMCD", parameters),) if parameters and "PARAMCD" in columns(dataset) else ()
    )
    default = "AVAL" if "AVAL" in columns(dataset) else "USUBJID"
    return Analysed(dataset, variables[0] if variables else default, where, compared=False)


def sources(method: str) -> dict[str, list[str]]:
    """The analysis tables that an exhibit's method names after the word source, each with what stands in brackets.

    >>> sources("a mean; source ADSL and ADLB (PROTCRT, AVALCAT1)")
    {'ADSL': [], 'ADLB': ['PROTCRT', 'AVALCAT1']}
    """
    _, found, text = method.partition("source ")
    if not found:
        return {}
    named = re.findall(r"\b(AD[A-Z]{2,6})\b(?: \(([A-Z0-9, ]+)\))?", text)
    return {name: codes.split(", ") if codes else [] for name, codes in named if name.lower() in TABLES}


def columns(dataset: str) -> set[str]:
    return {column.name for column in TABLES[dataset.lower()].columns}
