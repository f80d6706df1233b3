"""Tables: read, check against the codebook, write; and their coding as arrays.

A table that does not fit its codebook is refused with the file, row, column, what was found and what is
allowed. Files are written beside and renamed, so nothing half-written has its final name.
"""

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.study import files
from helpers.study.codebook import LAB_LIMITS, TABLES, UNITS, Column

FIRST = "screening"
"""The first table of a study: whoever writes it says which parameters made it."""


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
    return check(name, typed(name, pd.DataFrame(rows, columns=header, dtype=object), path.name), path.name)


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


def check(name: str, frame: pd.DataFrame, where: str = "") -> pd.DataFrame:
    """Hold a typed table against the codebook (pandera); raises Problem with every fault's first row."""
    import pandera.pandas as pa

    table = TABLES[name]
    where = where or f"{name}.csv"
    _check_columns(name, frame, where)
    schema = pa.DataFrameSchema({column.name: _pandera_column(pa, column) for column in table.columns})
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        lines = []
        for (column, rule), group in cases.groupby(["column", "check"], sort=False, dropna=False):
            first = group.iloc[0]
            row = "" if pd.isna(first["index"]) else f" row {int(first['index']) + 2},"
            expected = next((_allowed(c) for c in table.columns if c.name == column), str(rule))
            case = first["failure_case"]
            found = "nothing" if pd.isna(case) else f"{case:g}" if isinstance(case, float) else repr(case)
            lines.append(f"{row} column {column}: found {found}, allowed: {expected}")
        raise Problem(f"{where}{';'.join(lines[:5])}") from None
    double = frame.duplicated(list(table.key))
    if double.any():
        at = int(double.idxmax())
        key = ", ".join(f"{k} = {frame.loc[at, k]}" for k in table.key)
        raise Problem(f"{where} row {at + 2}: {key} stands there twice; allowed: one row each")
    if name == "labs":
        _check_units(frame, where)
    if name == "screening":
        _check_before_consent(frame, where)
    return frame


def _check_before_consent(frame: pd.DataFrame, where: str) -> None:
    dates = [c.name for c in TABLES["screening"].columns if c.kind == "date" and c.name != "consent_date"]
    for column in dates:
        late = frame[column] > frame["consent_date"]
        if late.any():
            row = int(late.idxmax())
            found, day = (f"{frame.loc[row, c]:%Y-%m-%d}" for c in (column, "consent_date"))
            raise Problem(
                f"{where} row {row + 2}, column {column}: found {found}, allowed: up to the consent, {day}"
            )


def _pandera_column(pa: ModuleType, column: Column) -> Any:
    checks = []
    if column.values:
        checks.append(pa.Check.isin(column.values, name="values"))
    if column.low is not None:
        checks.append(pa.Check.ge(column.low, name="low"))
    if column.high is not None:
        checks.append(pa.Check.le(column.high, name="high"))
    if column.kind == "whole":
        checks.append(pa.Check(lambda s: s % 1 == 0, name="whole"))
    dtype = {"text": object, "date": "datetime64[ns]", "number": float, "whole": float}[column.kind]
    return pa.Column(dtype, checks, nullable=column.empty, coerce=column.kind == "whole")


def _allowed(column: Column) -> str:
    parts = []
    if column.values:
        parts.append(" or ".join(column.values))
    elif column.kind == "text":
        parts.append("text")
    else:
        parts.append({"date": "a date", "number": "a number", "whole": "a whole number"}[column.kind])
    if column.low is not None or column.high is not None:
        parts.append(f"from {column.low:g}" if column.low is not None else "")
        parts.append(f"to {column.high:g}" if column.high is not None else "")
    if column.unit:
        parts.append(column.unit)
    return " ".join(p for p in parts if p) + (", or empty" if column.empty else "")


def _check_units(frame: pd.DataFrame, where: str) -> None:
    wrong = frame["unit"] != frame["test"].map(UNITS)
    if wrong.any():
        row = int(wrong.idxmax())
        test = frame.loc[row, "test"]
        raise Problem(
            f"{where} row {row + 2}, column unit: found {frame.loc[row, 'unit']!r} for {test}, allowed: {UNITS[test]}"
        )
    low = frame["test"].map({k: v[0] for k, v in LAB_LIMITS.items()})
    high = frame["test"].map({k: v[1] for k, v in LAB_LIMITS.items()})
    wrong = (frame["value"] < low) | (frame["value"] > high)
    if wrong.any():
        row = int(wrong.idxmax())
        test = frame.loc[row, "test"]
        raise Problem(
            f"{where} row {row + 2}, column value: found {frame.loc[row, 'value']:g} {UNITS[test]} for {test}, "
            f"allowed: {LAB_LIMITS[test][0]:g} to {LAB_LIMITS[test][1]:g}"
        )


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
    check(name, frame, path.name)
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
            {"column": c.name, "meaning": c.meaning, "unit": c.unit, "allowed": _allowed(c)}
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
