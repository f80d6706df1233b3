"""What the key of a result and the notes of its exhibit say in the terms of the Analysis Results Standard."""

import re
from collections.abc import Sequence

from helpers.chapters.analysed import Analysed, Condition
from helpers.chapters.words import capital
from helpers.study.codebook import TABLES
from helpers.study.protocol import ARM_KEY

ALONE = "value"
"""The operation of a key that ends with the arm."""
OPERATIONS = {
    "n": "Children with the event",
    "N": "Children in the analysis set",
    "p": "p-value",
    "df": "Degrees of freedom",
    "between": "hUC-MSC against placebo",
    "difference": "Difference hUC-MSC - placebo",
}
"""Operations whose names are no words yet."""
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


def operation_label(operation: str) -> str:
    """The name of an operation in words.

    >>> operation_label("difference_lower"), operation_label("p"), operation_label("n_left")
    ('Difference hUC-MSC - placebo, lower limit', 'p-value', 'N left')
    """
    if operation in OPERATIONS:
        return OPERATIONS[operation]
    whole, _, end = operation.rpartition("_")
    if end in ENDS:
        return f"{operation_label(whole)}, {ENDS[end]}" if whole else capital(ENDS[end])
    return capital(operation.replace("_", " "))


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
