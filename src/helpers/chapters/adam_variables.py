"""What each variable of an analysis table is to a reviewer's tools: label, type, length, codes, origin.

All of it comes from the codebook and from the table itself; a label is typed here only where the codebook's meaning
does not make one: longer than SAS transport files hold, or said of the column before it.
"""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd

from helpers.chapters.words import capital
from helpers.study.codebook import ARMS, TABLES, Column

DATASETS = ("adsl", "adlb", "adtte", "adae")
"""The tables that go to reviewers, in their order."""
LABEL_BYTES, TEXT_BYTES, NAME_BYTES = 40, 200, 8
"""What a SAS transport file of version 5 holds at most."""
DATE_FORMAT = "DATE9."

LABELS = {
    "TRT01PN": "allocated treatment as a number",
    "TRT01AN": "treatment received as a number",
    "RASMON": "months since RAS inhibition began",
    "GFRFL": "evaluable for renal function",
    "RASCHDT": "first start or rise of RAS inhibition",
    "RASSTDT": "first stop or fall of RAS inhibition",
    "NOREMDT": "first day from which no remission counts",
    "PARAMCD": "parameter code",
    "PARAM": "parameter in words",
    "AVISITN": "analysis visit as a number",
    "AVAL": "analysis value",
    "ABLFL": "baseline record",
    "ANL01FL": "record that analyses use",
    "DTYPE": "how the value was derived",
    "AVALCAT1": "state against baseline",
    "LOQFL": "beyond the limit of quantification",
    "AVALU": "unit of AVAL",
    "CNSR": "event or censored",
    "LMONTH": "left end of the interval of the event",
    "RMONTH": "right end of the interval of the event",
    "EOSMONTH": "AVAL if censored at end of observation",
    "CNFMONTH": "AVAL if dated at the confirming visit",
    "HORIZON": "last month at which it may begin",
    "AETERM": "event in the site's words",
    "ADURN": "days that it lasted",
    "AEENRTPT": "ongoing at the last contact",
}
"""Labels of columns whose meaning begins with more, or with less, than a label."""

NUMBERED = {"TRT01PN": ARMS, "TRT01AN": ARMS}
"""Columns that count the values of a closed list from 0."""
PAIRS = {"PARAMCD": "PARAM", "AVISITN": "AVISIT"}
"""Columns whose codes another column of the same table says in words."""


@dataclass(frozen=True)
class Variable:
    """A variable of a table as it is: its column in the codebook, label, length, decimals, codes."""

    column: Column
    label: str
    length: int
    decimals: int
    codes: dict[str, str]
    """Code -> what it stands for, empty where a code says it; no codes for a free value."""
    key: int
    """Place in the table's key from 1; 0 = no part of it."""

    @property
    def name(self) -> str:
        return self.column.name


def name_of(dataset: str) -> str:
    """ "Subject-level analysis data (ADSL)" of a table's title."""
    return TABLES[dataset].title.partition(":")[0]


def structure(dataset: str) -> str:
    """What one row of a table is, of its title."""
    return capital(TABLES[dataset].title.partition(": ")[2])


def label(column: Column) -> str:
    """A column's label, at most `LABEL_BYTES` long.

    >>> label(next(one for one in TABLES["adsl"].columns if one.name == "ARM"))
    'Planned arm'
    """
    words = LABELS.get(column.name) or re.split(r"[;:]", column.meaning)[0].strip()
    return capital(words)


def variables(dataset: str, frame: pd.DataFrame) -> list[Variable]:
    """The variables of a table in the codebook's order; lengths and codes are those of `frame`."""
    return [variable(dataset, column, frame) for column in TABLES[dataset].columns]


def variable(dataset: str, column: Column, frame: pd.DataFrame) -> Variable:
    """One variable of a table, as its rows in `frame` are."""
    key = TABLES[dataset].key
    return Variable(
        column,
        label(column),
        _length(column, frame[column.name]),
        _decimals(column, frame[column.name]),
        _codes(column, frame),
        key.index(column.name) + 1 if column.name in key else 0,
    )


def cells(column: Column, values: pd.Series) -> list:
    """A column's values for JSON: text, whole numbers, floats, ISO days; None where there is none."""
    if column.kind == "date":
        return [None if pd.isna(one) else one.date().isoformat() for one in values]
    if column.kind == "text":
        return [None if pd.isna(one) else str(one) for one in values]
    kind = int if column.kind == "whole" else float
    return [None if pd.isna(one) else kind(one) for one in values]


def _length(column: Column, values: pd.Series) -> int:
    """Bytes of the longest text, digits of the longest number; 1 where there is none."""
    told = [str(one) for one in cells(column, values.drop_duplicates()) if one is not None]
    if column.kind == "number":
        parts = [Decimal(one).normalize().as_tuple() for one in told]
        exponents = [part.exponent for part in parts if isinstance(part.exponent, int)]
        # as many digits as a number has written out, that before the point among them
        digits = [max(len(p.digits) + max(e, 0), 1 - e) for p, e in zip(parts, exponents, strict=True)]
        return max(digits, default=1)
    told += list(column.values)
    return max((len(one.encode("utf-8", "replace")) for one in told), default=1) or 1


def _decimals(column: Column, values: pd.Series) -> int:
    """Decimals of the number that has most."""
    if column.kind != "number":
        return 0
    exact = (Decimal(repr(one)).normalize().as_tuple().exponent for one in values.dropna().unique().tolist())
    return max([0, *(-one for one in exact if isinstance(one, int))])


def _codes(column: Column, frame: pd.DataFrame) -> dict[str, str]:
    """The codes of a column: its closed list, numbers that its meaning explains, or pairs of the table."""
    if column.name in NUMBERED:
        return {str(k): word for k, word in enumerate(NUMBERED[column.name])}
    if column.name in PAIRS:
        said = frame[[column.name, PAIRS[column.name]]].dropna().drop_duplicates(column.name)
        codes = cells(column, said[column.name])
        pairs = dict(zip(map(str, codes), said[PAIRS[column.name]].astype(str), strict=True))
        return pairs if column.kind == "text" else dict(sorted(pairs.items(), key=lambda one: int(one[0])))
    if column.values:
        told = dict(part.split(": ", 1) for part in column.meaning.split("; ") if ": " in part)
        return {value: told.get(value, "") for value in column.values}
    if column.kind == "whole" and column.low is not None and column.high is not None:
        told = dict(re.findall(r"\b(\d+) ([a-z][^,;]*)", column.meaning))
        wanted = [str(k) for k in range(math.ceil(column.low), math.floor(column.high) + 1)]
        return told if list(told) == wanted else {}
    return {}
