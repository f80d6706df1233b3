"""Tables: read, check against the codebook, write; and their coding as arrays.

A table that does not fit its codebook, or contradicts itself, is refused with the file, row, column, what was
found and what is allowed; the register of `checks` says what is asked. Files are written beside and renamed,
so nothing half-written has its final name.
"""

import csv
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


def read(name: str, path: Path) -> pd.DataFrame:
    """Read and check a table; dates as datetime64, empty text as None. Raises Problem."""
    if not path.is_file():
        raise Problem(f"{path} does not exist")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file, strict=True) if row]
    except UnicodeDecodeError:
        raise Problem(f"{path} is not a text file (UTF-8)") from None
    except csv.Error as error:
        raise Problem(f"{path} is not a readable CSV table: {error}") from None
    header, *rows = lines or [[]]
    for number, row in enumerate(rows, 2):
        # a file cut off, or a comma too many: pandas would fill or shift such a row without a word
        if len(row) != len(header):
            raise Problem(
                f"{path.name} row {number}: found {len(row)} values, allowed: {len(header)}, one a column"
            )
    return check(name, typed(name, pd.DataFrame(rows, columns=header, dtype=object), path.name))


def typed(name: str, raw: pd.DataFrame, where: str) -> pd.DataFrame:
    """Text columns to the codebook's kinds; raises Problem for a column or value that does not fit."""
    table = TABLES[name]
    _check_columns(name, raw, where)
    frame = {}
    for column in table.columns:
        values = raw[column.name].where(raw[column.name] != "", None)
        if column.kind == "date":
            parsed = pd.to_datetime(values, format="%Y-%m-%d", errors="coerce")
            expected = "a date such as 2025-01-31"
        elif column.kind in ("number", "whole"):
            parsed = pd.Series([_float(v) for v in values], index=values.index, dtype=float)
            expected = "a number"
        else:
            frame[column.name] = values.astype(object)
            continue
        wrong = parsed.isna() & values.notna()
        if wrong.any():
            raise _fault(where, raw, wrong, column.name, expected)
        frame[column.name] = parsed
    return pd.DataFrame(frame)


def _check_columns(name: str, frame: pd.DataFrame, where: str) -> None:
    wanted = [c.name for c in TABLES[name].columns]
    missing = [c for c in wanted if c not in frame.columns]
    extra = [c for c in frame.columns if c not in wanted]
    twice = [c for c in wanted if (frame.columns == c).sum() > 1]
    if missing or extra or twice:
        parts = [f"lacks the column {c}" for c in missing] + [f"has an unknown column {c}" for c in extra]
        parts += [f"has the column {c} twice" for c in twice]
        raise Problem(f"{where} {', '.join(parts)}; columns: {', '.join(wanted)}")


def _float(value: str | None) -> float:
    try:
        return float(value) if value is not None else float("nan")
    except ValueError:
        return float("nan")


def check(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Hold a typed table against all that it answers alone; raises one Problem that tells every fault."""
    _check_columns(name, frame, f"{name}.csv")
    for column in TABLES[name].columns:
        kind = frame[column.name].dtype
        if not OF_KIND[column.kind](kind):
            raise Problem(
                f"{name}.csv, column {column.name}: found a column of {kind}, allowed: {column.allowed}"
            )
    checks.refuse(checks.findings({name: frame}, checks.alone(name)))
    return frame


def _fault(where: str, raw: pd.DataFrame, wrong: pd.Series, column: str, expected: str) -> Problem:
    row = int(wrong.to_numpy().argmax())
    return Problem(
        f"{where} row {row + 2}, column {column}: found {raw[column].iloc[row]!r}, allowed: {expected}"
    )


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
