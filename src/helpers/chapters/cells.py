"""Which cell of a table shows which named result, found by the values behind the cells.

A table's frame holds numbers at full precision beside the texts that are shown (`placebo` beside `placebo_text`), and
an exhibit names its results. A result belongs to a cell where its value stands in a column that its key names, in as
many rows as there are such results; or where the results with one ending are, row by row, a whole column. What is in
doubt has no key: a wrong one would be worse than none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

TEXTS = ("_text", "_share", "_detail")
"""Endings of the columns that show a number, or several of them, as text."""


def named_cells(
    data: pd.DataFrame, shown: Sequence[str], results: Mapping[str, Any]
) -> list[tuple[int, int, str]]:
    """(Row, position among the shown columns, key) of each cell that shows a named result.

    data: the exhibit's frame, values plain; shown: its columns as shown, in order; results: value by key. A cell has
    one key at most, a result one cell.
    """
    columns = {name: list(data[name]) for name in map(str, data.columns)} if len(data) else {}
    found: dict[tuple[int, int], str] = {}
    placed: set[str] = set()

    def put(row: int, column: str, key: str) -> None:
        seen = visible(column, shown)
        if seen is not None and key not in placed and (row, seen) not in found:
            found[row, seen] = key
            placed.add(key)

    for keys in _by_ending(results).values():
        for column in _of_key(columns, keys[0]):
            values = columns[column]
            if 1 < len(values) == len(keys) and all(map(_same, values, (results[key] for key in keys))):
                for row, key in enumerate(keys):
                    put(row, column, key)
                break
    # by column and rows in which the value stands: as many results as rows take them in their order
    waiting: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for key, value in results.items():
        if value is None or key in placed:
            continue
        # the column with most of its words in the key knows best: placebo_n before n
        for column in sorted(_of_key(columns, key), key=lambda name: -len(_words(name))):
            if rows := tuple(row for row, one in enumerate(columns[column]) if _same(one, value)):
                waiting.setdefault((column, rows), []).append(key)
                break
    for (column, rows), keys in waiting.items():
        if len(rows) == len(keys):
            for row, key in zip(rows, keys, strict=True):
                put(row, column, key)
    for key, value in results.items():
        # a number with more than three decimals is nobody else's
        if key in placed or not isinstance(value, float) or float(value * 1000).is_integer():
            continue
        places = [
            (r, c) for c, values in columns.items() for r, one in enumerate(values) if _same(one, value)
        ]
        if len({(row, visible(column, shown)) for row, column in places}) == 1:
            put(*places[0], key)
    return [(row, position, key) for (row, position), key in sorted(found.items())]


def visible(column: str, shown: Sequence[str]) -> int | None:
    """Position of the shown column that tells the number of `column`: itself, or its text; None where none does."""
    names = list(shown)
    for name in (column, *(column + ending for ending in TEXTS), *(["text"] if column == "estimate" else [])):
        if name in names:
            return names.index(name)
    return None


def _by_ending(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Keys by their last part, in their order."""
    found: dict[str, list[str]] = {}
    for key in results:
        found.setdefault(key.rpartition(".")[2], []).append(key)
    return found


def _of_key(columns: Mapping[str, Any], key: str) -> list[str]:
    """The columns all of whose words stand in a key."""
    words = _words(key)
    return [name for name in columns if _words(name) and _words(name) <= words]


def _words(name: str) -> set[str]:
    return set(re.split(r"[._]", name))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool) or isinstance(one, str) or isinstance(other, str):
        return False
    missing = one is None or one != one, other is None or other != other
    return all(missing) if any(missing) else bool(one == other)
