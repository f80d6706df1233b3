"""Tables: read, check against the codebook, write; and their coding as arrays.

A table that does not fit its codebook, or contradicts itself, is refused with the file, row, column, what was
found and what is allowed; the register of `checks` says what is asked. Files are written beside and renamed,
so nothing half-written has its final name.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.study import checks, files
from helpers.study.codebook import TABLES

FIRST = "screening"
"""The first table of a study: whoever writes it says which parameters made it."""

OF_KIND = {
    "text": pd.api.types.is_object_dtype,
    "date": pd.api.types.is_datetime64_any_dtype,
    "number": pd.api.types.is_float_dtype,
    "whole": pd.api.types.is_numeric_dtype,
}
"""Whether a column's type is that of a kind of the codebook."""

EXPECTED = {"date": "a date such as 2025-01-31", "number": "a number", "whole": "a number"}
"""What the text of a cell must read as."""

EVERY = "*"
"""Stands for all columns of a row."""


def read(name: str, path: Path, own: bool = False) -> pd.DataFrame:
    """Read and check a table; dates as datetime64, empty text as None.

    own: of a real trial, of which the checks refuse less. Raises one Problem that tells every fault.
    """
    frame, faults, _ = load(name, path)
    if faults or frame is None:
        raise Problem("; ".join(faults))
    return check(name, frame, own)


def read_all(folder: Path, names: Iterable[str], own: bool = False) -> dict[str, pd.DataFrame]:
    """Read and check several tables of a folder, alone and against each other.

    own: tables of a real trial, of which the checks refuse less. Raises one Problem that tells, a line each, every
    fault of every table: file, row, column, what was found, what is allowed.
    """
    frames: dict[str, pd.DataFrame] = {}
    faults: list[str] = []
    spoilt: set[tuple[str, int, str]] = set()
    for name in names:
        frame, here, cells = load(name, folder / f"{name}.csv")
        faults += here
        spoilt |= {(name, row, column) for row, column in cells}
        if frame is not None:
            frames[name] = frame
    entries = [entry for name in frames for entry in checks.alone(name)] + checks.between(frames)
    found = checks.findings(frames, entries)
    # a cell that could not be read was told of as such
    known = [
        (table, row, column) in spoilt or (table, row, EVERY) in spoilt
        for table, row, column in zip(found["table"], found["row"], found["column"], strict=True)
    ]
    faults += checks.told(found[~np.array(known, bool)], own)
    if faults:
        raise Problem("\n".join(dict.fromkeys(faults)))
    return frames


def load(name: str, path: Path) -> tuple[pd.DataFrame | None, list[str], set[tuple[int, str]]]:
    """A table's text in the codebook's kinds: (frame, faults in words, cells (row, column) that are no value).

    What can't be read stands as missing; no frame where there is no table or a column of it is missing.
    """
    if not path.is_file():
        return None, [f"{path} does not exist"], set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file, strict=True) if row]
    except UnicodeDecodeError:
        return None, [f"{path} is not a text file (UTF-8)"], set()
    except csv.Error as error:
        return None, [f"{path} is not a readable CSV table: {error}"], set()
    header, *rows = lines or [[]]
    # a file cut off, or a comma too many: pandas would fill or shift such a row without a word
    odd = [number for number, row in enumerate(rows, 2) if len(row) != len(header)]
    told = [
        f"{path.name} row {n}: found {len(rows[n - 2])} values, allowed: {len(header)}, one a column"
        for n in odd
    ]
    rows = [(row + [""] * len(header))[: len(header)] for row in rows]
    raw = pd.DataFrame(rows, columns=header, dtype=object)
    faults = [*_counted(told), *_columns(name, raw, path.name)]
    if any(column not in raw or (raw.columns == column).sum() > 1 for column in _names(name)):
        return None, faults, set()
    frame, cells = _typed(name, raw)
    cells = {cell for cell in cells if cell[0] not in odd}
    for column in TABLES[name].columns:
        here = sorted(row for row, name_ in cells if name_ == column.name)
        words = [
            f"{path.name} row {row}, column {column.name}: found {raw[column.name].iloc[row - 2]!r}, "
            f"allowed: {EXPECTED[column.kind]}"
            for row in here
        ]
        faults += _counted(words)
    return frame, faults, cells | {(row, EVERY) for row in odd}


def _counted(faults: list[str]) -> list[str]:
    """The first faults of a kind, and how many more there are."""
    if len(faults) <= checks.LISTED:
        return faults
    rest = len(faults) - checks.LISTED
    return [*faults[: checks.LISTED - 1], f"{faults[checks.LISTED - 1]} (and {rest} more of this kind)"]


def typed(name: str, raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Text columns to the codebook's kinds; raises Problem for a column or value that does not fit."""
    faults = _columns(name, raw, where)
    if faults:
        raise Problem("; ".join(faults))
    frame, cells = _typed(name, raw)
    kinds = {column.name: column.kind for column in TABLES[name].columns}
    told = [
        f"{where} row {row}, column {column}: found {raw[column].iloc[row - 2]!r}, allowed: {EXPECTED[kinds[column]]}"
        for row, column in sorted(cells)
    ]
    if told:
        raise Problem("; ".join(_counted(told)))
    return frame


def _typed(name: str, raw: pd.DataFrame) -> tuple[pd.DataFrame, set[tuple[int, str]]]:
    frame, cells = {}, set()
    for column in TABLES[name].columns:
        values = raw[column.name].where(raw[column.name] != "", None)
        if column.kind == "date":
            parsed = pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
        elif column.kind in ("number", "whole"):
            parsed = pd.Series([_float(v) for v in values], index=values.index, dtype=float)
        else:
            frame[column.name] = values.astype(object)
            continue
        wrong = parsed.isna() & values.notna()
        cells |= {(int(row) + 2, column.name) for row in np.flatnonzero(wrong)}
        frame[column.name] = parsed
    return pd.DataFrame(frame), cells


def _names(name: str) -> list[str]:
    return [c.name for c in TABLES[name].columns]


def _columns(name: str, frame: pd.DataFrame, where: str) -> list[str]:
    """What is wrong with a table's columns, in one sentence or none."""
    wanted = _names(name)
    missing = [c for c in wanted if c not in frame.columns]
    extra = [c for c in frame.columns if c not in wanted]
    twice = [c for c in wanted if (frame.columns == c).sum() > 1]
    if not (missing or extra or twice):
        return []
    parts = [f"lacks the column {c}" for c in missing] + [f"has an unknown column {c}" for c in extra]
    parts += [f"has the column {c} twice" for c in twice]
    return [f"{where} {', '.join(parts)}; columns: {', '.join(wanted)}"]


def _float(value: str | None) -> float:
    try:
        # Python itself reads 1_0 as 10, and digits of any script
        plain = value is not None and value.isascii() and "_" not in value
        return float(value) if value is not None and plain else float("nan")
    except ValueError:
        return float("nan")


def check(name: str, frame: pd.DataFrame, own: bool = False) -> pd.DataFrame:
    """Hold a typed table against all that it answers alone; raises one Problem that tells every fault.

    own: a table of a real trial, of which the checks refuse less.
    """
    faults = _columns(name, frame, f"{name}.csv")
    if not faults:
        faults = [
            f"{name}.csv, column {column.name}: found a column of {frame[column.name].dtype}, "
            f"allowed: {column.allowed}"
            for column in TABLES[name].columns
            if not OF_KIND[column.kind](frame[column.name].dtype)
        ]
    if faults:
        raise Problem("; ".join(faults))
    checks.refuse(checks.findings({name: frame}, checks.alone(name)), own)
    return frame


def to_csv(frame: pd.DataFrame) -> str:
    """CSV text: dates as ISO days, whole numbers without a point, floats with 10 significant digits."""
    out = frame.copy()
    for column in out:
        if pd.api.types.is_datetime64_any_dtype(out[column]):
            out[column] = out[column].dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_float_dtype(out[column]):
            values = out[column].dropna()
            if len(values) and (values % 1 == 0).all():
                out[column] = out[column].astype("Int64")
    return out.to_csv(index=False, lineterminator="\n", float_format="%.10g")


def write(name: str, frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Check a table and write it under its final name only when it is whole; returns what was written."""
    frame = frame[[c.name for c in TABLES[name].columns if c.name in frame]].reset_index(drop=True)
    check(name, frame)
    write_text(path, to_csv(frame))
    return frame


def write_text(path: Path, content: str) -> None:
    """Write a text file of a study's folder; raises Problem where it can't be written."""
    try:
        files.write(path, content)
    except OSError as error:
        raise Problem(f"{path} can't be written: {error.strerror}") from None


def codebook(name: str) -> pd.DataFrame:
    """The codebook of one table as a frame: column, meaning, unit, allowed."""
    return pd.DataFrame(
        [
            {"column": c.name, "meaning": c.meaning, "unit": c.unit, "allowed": c.allowed}
            for c in TABLES[name].columns
        ]
    )


def to_arrays(name: str, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """A checked table as arrays, one a column, the form in which rules and simulation work.

    Columns with two allowed values become int8: +1 the first, -1 the second, 0 empty (three-valued logic);
    other closed lists int8 codes by position, -1 empty; dates datetime64[D]; numbers float, NaN empty.
    """
    arrays = {}
    for column in TABLES[name].columns:
        values = frame[column.name]
        if len(column.values) == 2:
            arrays[column.name] = (
                values.map({column.values[0]: 1, column.values[1]: -1}).fillna(0).to_numpy(np.int8)
            )
        elif column.values:
            arrays[column.name] = pd.Categorical(values, categories=column.values).codes.astype(np.int8)
        elif column.kind == "date":
            arrays[column.name] = values.to_numpy("datetime64[D]")
        else:
            arrays[column.name] = values.to_numpy(object if column.kind == "text" else float)
    return arrays


def to_frame(name: str, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """The table that `to_arrays` would turn into these arrays."""
    frame = {}
    for column in TABLES[name].columns:
        values = arrays[column.name]
        if len(column.values) == 2:
            frame[column.name] = np.array([column.values[1], None, column.values[0]], object)[values + 1]
        elif column.values:
            frame[column.name] = np.array([*column.values, None], object)[values]
        else:
            frame[column.name] = values.astype("datetime64[ns]") if column.kind == "date" else values
    return pd.DataFrame(frame)


def code(name: str, column: str, value: str) -> int:
    """The int8 code of a value of a closed list."""
    return next(c for c in TABLES[name].columns if c.name == column).values.index(value)
