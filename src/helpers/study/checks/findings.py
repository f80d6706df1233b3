"""What a check is and what it finds: one row a fault, with table, row, column, found, expected and the child.

Functions of checks get tables whose index counts the rows from 0, so that a row's number in its file is the
index and 2 more: files count from 1, and the header is the first line.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

FATAL, QUERY = "fatal", "query"

COLUMNS = ("table", "row", "column", "found", "expected", "usubjid")
_NOTHING = pd.DataFrame(columns=COLUMNS)


@dataclass(frozen=True)
class Check:
    """One entry of the register.

    code: table and fact, never reused; tables: names of those it needs; sentence: what must hold; find: these
    tables, in this order, to a frame of findings (`COLUMNS`), empty where all is well; own and simulated: what
    a finding is worth in tables of a real trial and in simulated ones. A query is asked of the site and stops
    nothing; a simulation has nobody to ask, so there all are fatal.
    """

    code: str
    tables: tuple[str, ...]
    sentence: str
    find: Callable[..., pd.DataFrame]
    own: str = QUERY
    simulated: str = FATAL


def word(value: Any) -> str:
    """A cell as messages write it: days as in the files, text in quotation marks, "nothing" for an empty one."""
    if pd.isna(value):
        return "nothing"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return f"{value:.10g}" if isinstance(value, float) else repr(value)


def faults(
    table: str,
    rows: pd.DataFrame,
    column: str,
    expected: str | Iterable[str],
    found: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Findings from the faulty rows of a table; found: their cells of the column where not said otherwise.

    rows: a part of the table with its index; further columns don't matter. expected and found are texts, one
    for all rows or one each.
    """
    if rows.empty:
        # most checks find nothing, and a frame of texts costs a hundred times as much as this one
        return _NOTHING.copy()
    child = next((name for name in ("usubjid", "USUBJID") if name in rows), None)
    return pd.DataFrame(
        {
            "table": table,
            "row": rows.index.to_numpy() + 2,
            "column": column,
            "found": [word(value) for value in rows[column]] if found is None else _texts(found),
            "expected": _texts(expected),
            "usubjid": rows[child].to_numpy(object) if child else None,
        },
        index=range(len(rows)),
        columns=COLUMNS,
    )


def _texts(texts: str | Iterable[str]) -> str | list[str]:
    return texts if isinstance(texts, str) else list(texts)


def absent(table: str, frame: pd.DataFrame, wanted: pd.MultiIndex, expected: str) -> pd.DataFrame:
    """Findings for the rows that a table lacks: wanted holds their keys, its names are the table's columns."""
    gone = wanted.difference(pd.MultiIndex.from_frame(frame[list(wanted.names)]), sort=False)
    return pd.DataFrame(
        {
            "table": table,
            "row": None,
            "column": ", ".join(wanted.names),
            "found": ["no row for " + ", ".join(word(part) for part in key) for key in gone],
            "expected": expected,
            "usubjid": gone.get_level_values(0).to_numpy(object),
        },
        index=range(len(gone)),
        columns=COLUMNS,
    )


def beside(frame: pd.DataFrame, other: pd.DataFrame, on: list[str], *columns: str) -> pd.DataFrame:
    """A table with columns of another one beside it, "_there" after their names; missing where it has no row."""
    there = other.drop_duplicates(on)[[*on, *columns]].rename(columns={c: f"{c}_there" for c in columns})
    return frame.merge(there, on=on, how="left", validate="m:1").set_axis(frame.index)


def together(*parts: pd.DataFrame) -> pd.DataFrame:
    """All findings of a check in one frame."""
    some = [part for part in parts if len(part)]
    return pd.concat(some, ignore_index=True) if some else _NOTHING.copy()
