"""Files as text cells: CSV, Excel, SAS transport, Dataset-JSON, by well-kept readers; nothing in them is run.

A file is refused where it is too large, leads out of its folder by a link, or unpacks to far more than it is. Columns
that are closed are dropped as the rows come in: no value of them is kept, compared or counted.
"""

import csv
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat

LARGEST = 500_000_000
"""Bytes of a text file; 300,000 laboratory rows are about 15,000,000."""

LARGEST_WORKBOOK = 100_000_000
LARGEST_UNPACKED = 1_500_000_000
HIGHEST_RATIO = 300
"""Bytes of a workbook, of its parts unpacked, and how much larger than itself a part may be."""

MOST_COLUMNS = 2000

ENCODINGS = ("utf-8", "utf-8-sig", "gb18030")
KINDS = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xpt", ".json")


class Unreadable(Exception):
    """A file that can't be read; its text says why and what is allowed."""


@dataclass(frozen=True)
class Opened:
    """Cells of a table as text, None = empty, columns by their header; the index holds the rows of the file.

    closed: headers that were not read; twice: headers that stand twice; sha256: of the whole file.
    """

    frame: pd.DataFrame
    closed: tuple[str, ...]
    twice: tuple[str, ...]
    odd: tuple[int, ...]


def place(folder: Path, name: str) -> Path:
    """The file of this name in a folder. Raises Unreadable where it is absent or leads out of the folder."""
    path = folder / name
    inside = Path(os.path.realpath(folder))
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(inside):
        raise Unreadable(f"{name} leads out of the folder; allowed: a file in it, no link to elsewhere")
    if not path.is_file():
        raise Unreadable(f"{name} does not exist")
    if path.suffix.lower() not in KINDS:
        raise Unreadable(f"{name} is no kind of file that is read; allowed: {', '.join(KINDS)}")
    size = path.stat().st_size
    limit = LARGEST_WORKBOOK if path.suffix.lower().startswith(".xls") else LARGEST
    if size > limit:
        raise Unreadable(f"{name} has {size:,} bytes, allowed: up to {limit:,}")
    return path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(
    path: Path,
    closed: Callable[[str], bool],
    *,
    sheet: str | None = None,
    header: int = 1,
    encoding: str = "utf-8-sig",
    delimiter: str = ",",
    limit: int | None = None,
    first: int = 0,
) -> Opened:
    """The cells of a table; closed(header) says which columns stay shut; header: row of the names, from 1;
    limit: read so many rows at most; first: row of the first entry.

    Raises Unreadable.
    """
    kind = path.suffix.lower()
    if kind in (".xlsx", ".xlsm"):
        rows: Iterable[list[Any]] = _workbook(path, sheet)
    elif kind == ".xpt":
        return _transport(path, closed, limit)
    elif kind == ".json":
        rows = _dataset_json(path)
    else:
        rows = _text(path, encoding, delimiter)
    return _table(iter(rows), closed, header, path.name, kind not in (".xlsx", ".xlsm"), limit, first)


def sheets(path: Path) -> list[str]:
    """Names of a workbook's sheets, without opening any of them."""
    _guard(path)
    book = _load(path)
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def _table(
    rows: Any,
    closed: Callable[[str], bool],
    header: int,
    name: str,
    even: bool = True,
    limit: int | None = None,
    first: int = 0,
) -> Opened:
    """Rows as a frame; even: each row has as many cells as there are names, as it need not in a workbook."""
    names: list[str] = []
    for number, row in enumerate(rows, 1):
        if number == header:
            names = [_word(cell) or "" for cell in row]
            break
    while names and not names[-1]:
        names.pop()
    if not any(names):
        raise Unreadable(f"{name} has no names of columns in row {header}")
    if len(names) > MOST_COLUMNS:
        raise Unreadable(f"{name} has {len(names)} columns, allowed: up to {MOST_COLUMNS}")
    shut = [k for k, n in enumerate(names) if n and closed(n)]
    kept = [k for k, n in enumerate(names) if n and k not in set(shut)]
    width, seen = len(names), dict[str, str]()
    cells: list[list[str | None]] = [[] for _ in kept]
    numbers: list[int] = []
    odd: list[int] = []
    for number, row in enumerate(rows, header + 1):
        if limit is not None and len(numbers) >= limit:
            break
        if number < first or not any(cell not in (None, "") for cell in row):
            continue
        if (
            even
            and len(row) != width
            and (len(row) < width or any(cell not in (None, "") for cell in row[width:]))
        ):
            odd.append(number)
        numbers.append(number)
        for column, k in zip(cells, kept, strict=True):
            value = row[k] if k < len(row) else None
            if value.__class__ is not str:
                value = _word(value)
            # one text is kept once, however often it stands there
            column.append(seen.setdefault(value, value) if value else None)
    headers = [names[k] for k in kept]
    twice = tuple(dict.fromkeys(n for n in headers if headers.count(n) > 1))
    frame = pd.DataFrame(
        {n: pd.Series(c, dtype=object) for n, c in zip(headers, cells, strict=True) if n not in twice}
    )
    frame.index = pd.Index(numbers, dtype="int64")
    return Opened(frame, tuple(names[k] for k in shut), twice, tuple(odd))


def _word(value: Any) -> str | None:
    """A cell as text: days as ISO days, whole numbers without a point, yes and no."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"
    return str(value).strip() or None


def _text(path: Path, encoding: str, delimiter: str) -> Iterable[list[str]]:
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with path.open(encoding=codec, newline="") as file:
            yield from csv.reader(file, delimiter=delimiter, strict=True)
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{path.name} is not written in {encoding} (byte {error.start}); state its encoding: {', '.join(ENCODINGS)}"
        ) from None
    except csv.Error as error:
        raise Unreadable(f"{path.name} is not a readable CSV table: {error}") from None


def _guard(path: Path) -> None:
    """Raise Unreadable for a workbook that unpacks to far more than it is, or defines entities."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > LARGEST_UNPACKED or len(parts) > 5000:
                raise Unreadable(f"{path.name} unpacks to more than a workbook of a trial holds")
            for part in parts:
                if part.file_size > 10_000_000 and part.file_size > HIGHEST_RATIO * part.compress_size:
                    raise Unreadable(f"{path.name} unpacks to far more than it is, as a bomb does")
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as file:
                        if b"<!DOCTYPE" in file.read(2000).upper():
                            raise Unreadable(f"{path.name} defines entities, which no workbook needs")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        raise Unreadable(f"{path.name} is no readable workbook (.xlsx), or has a password") from None


def _load(path: Path) -> Any:
    try:
        return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # a spoilt workbook fails in many ways
        raise Unreadable(f"{path.name} is no readable workbook: {type(error).__name__}") from None


def _workbook(path: Path, sheet: str | None) -> Iterable[list[Any]]:
    _guard(path)
    book = _load(path)
    try:
        names = list(book.sheetnames)
        if sheet is None and len(names) > 1:
            raise Unreadable(f"{path.name} has several sheets; state one: {', '.join(names)}")
        if sheet is not None and sheet not in names:
            raise Unreadable(f"{path.name} has no sheet {sheet!r}; sheets: {', '.join(names)}")
        page = book[sheet or names[0]]
        reset = getattr(page, "reset_dimensions", None)
        if reset is None:
            raise Unreadable(f"{path.name}, sheet {page.title!r} is no sheet of cells")
        # what a file says of its own size is not believed
        reset()
        try:
            yield from ([*row] for row in page.iter_rows(values_only=True))
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"{path.name}, sheet {page.title!r} is spoilt: {type(error).__name__}") from None
    finally:
        book.close()


def _transport(path: Path, closed: Callable[[str], bool], limit: int | None) -> Opened:
    try:
        _, meta = pyreadstat.read_xport(str(path), metadataonly=True)
        shut = [name for name in meta.column_names if closed(name)]
        wanted = [name for name in meta.column_names if name not in shut]
        if not wanted:
            return Opened(pd.DataFrame(), tuple(shut), (), ())
        frame, _ = pyreadstat.read_xport(str(path), usecols=wanted)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"{path.name} is no readable SAS transport file: {type(error).__name__}") from None
    rows = [[*wanted], *frame.itertuples(index=False, name=None)]
    opened = _table(iter(rows), lambda _: False, 1, path.name)
    return Opened(opened.frame, tuple(shut), opened.twice, opened.odd)


def _dataset_json(path: Path) -> Iterable[list[Any]]:
    """Rows of a Dataset-JSON file, of version 1.1 (columns, rows) or 1.0 (items, itemData)."""
    try:
        found = json.loads(path.read_bytes())
        if "rows" not in found:
            groups = (found.get("clinicalData") or found.get("referenceData"))["itemGroupData"]
            if len(groups) != 1:
                raise Unreadable(f"{path.name} holds {len(groups)} tables, allowed: one")
            found = next(iter(groups.values()))
        columns = found.get("columns") or found["items"]
        rows = found["rows"] if "rows" in found else found["itemData"]
        names = [column["name"] for column in columns]
        if not all(isinstance(row, list) for row in rows):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(f"{path.name} is no readable Dataset-JSON (columns and rows)") from None
    yield names
    yield from rows
