"""The one register of checks on tables: what raw and analysis tables must say for the analysis to go on.

`tables` asks what one table answers alone whenever it is read or written; `analysis.adam` asks what the raw
tables say of each other, and chapter 04 what the analysis tables say of them.

>>> import pandas as pd
>>> ended = pd.DataFrame({"usubjid": ["A"], "status": ["left"], "reason": [None], "date": pd.to_datetime(["2025-03-01"])})
>>> found = findings({"disposition": ended}, alone("disposition"))
>>> found[["code", "row", "column", "found", "expected"]].values.tolist()
[['disposition.reason', 2, 'reason', 'nothing', 'why the child left']]
"""

from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from helpers import Problem
from helpers.study.checks.analysis import ANALYSIS
from helpers.study.checks.between import BETWEEN
from helpers.study.checks.findings import COLUMNS, FATAL, QUERY, Check
from helpers.study.checks.single import SINGLE

REGISTER = (*SINGLE, *BETWEEN, *ANALYSIS)
BY_CODE = {check.code: check for check in REGISTER}

__all__ = [
    "ANALYSIS",
    "BY_CODE",
    "FATAL",
    "QUERY",
    "REGISTER",
    "Check",
    "alone",
    "between",
    "exceptions",
    "findings",
    "refuse",
    "told",
]

LISTED = 3
"""Rows that a message lists of one check and column; the others are counted."""


def alone(name: str) -> list[Check]:
    """The entries that one table answers alone."""
    return [check for check in REGISTER if check.tables == (name,)]


def between(names: Collection[str], done: Collection[str] = ()) -> list[Check]:
    """The entries that need several of these tables, but for those that `done` alone would answer."""
    return [
        check
        for check in REGISTER
        if len(check.tables) > 1 and set(check.tables) <= set(names) and not set(check.tables) <= set(done)
    ]


def findings(tables: Mapping[str, pd.DataFrame], entries: Iterable[Check]) -> pd.DataFrame:
    """All that the entries find: one row a fault.

    Columns: code (of the entry), table, row (as in the file, whose header is row 1; none for a row that is
    missing), column, found, expected (texts), usubjid.
    """
    tables = {name: frame.reset_index(drop=True) for name, frame in tables.items()}
    parts = []
    for check in entries:
        found = check.find(*(tables[name] for name in check.tables))
        if len(found):
            parts.append(found.assign(code=check.code))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["code", *COLUMNS])
    return frame[["code", *COLUMNS]].astype({"row": "Int64"})


def exceptions(tables: Mapping[str, pd.DataFrame], entries: Iterable[Check] = ANALYSIS) -> pd.DataFrame:
    """How often each entry finds a fault: check (its sentence), table (all it needs), exceptions (a count)."""
    entries = list(entries)
    counts = findings(tables, entries)["code"].value_counts()
    return pd.DataFrame(
        {
            "check": [check.sentence for check in entries],
            "table": [", ".join(check.tables).upper() for check in entries],
            "exceptions": [int(counts.get(check.code, 0)) for check in entries],
        }
    )


def told(found: pd.DataFrame, own: bool = False) -> list[str]:
    """Every fatal finding in words, the first of each kind by row; own: in tables of a real trial."""
    worth = found["code"].map(
        {code: check.own if own else check.simulated for code, check in BY_CODE.items()}
    )
    lines = []
    for _, group in found[worth == FATAL].groupby(["code", "table", "column"], sort=False):
        for table, row, column, what, allowed in (
            group[list(COLUMNS[:5])].head(LISTED).itertuples(index=False)
        ):
            place = f"{table}.csv" if pd.isna(row) else f"{table}.csv row {row}, column {column}"
            lines.append(f"{place}: found {what}, allowed: {allowed}")
        if len(group) > LISTED:
            lines[-1] += f" (and {len(group) - LISTED} more of this kind)"
    return lines


def refuse(found: pd.DataFrame, own: bool = False) -> None:
    """Raise one Problem that tells every fatal finding; own: in tables of a real trial, else in simulated ones."""
    lines = told(found, own)
    if lines:
        raise Problem("; ".join(lines))
