"""The list of queries as data managers know it, with what came in: as CSV and as an Excel workbook.

Both are the same bytes whenever they are written. Texts of others stand as text: in Excel by the kind of the cell, in
CSV by an apostrophe before what a spreadsheet would take for a formula.
"""

import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import xlsxwriter

from helpers.intake.delivery import Delivery
from helpers.intake.log import RULES

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First signs that make a cell a formula in some spreadsheet."""

CREATED = datetime(2026, 1, 1)
"""Date that workbooks carry, so that the same content is the same file."""

WIDTHS = {
    "code": 22, "severity": 9, "usubjid": 14, "visit_no": 8, "table": 14, "row": 7, "column": 16, "found": 34,
    "expected": 46, "why": 50, "rule": 28, "file": 24, "sheet": 12, "rows": 8, "sha256": 20, "used": 40, "ignored": 40,
    "opened": 30, "original": 22, "original_unit": 14, "value": 16, "unit": 24,
}  # fmt: skip


def neutral(text: Any) -> Any:
    """A text that no spreadsheet takes for a formula; anything but text as it is.

    >>> neutral("=1+1"), neutral("-3"), neutral("upcr"), neutral(5)
    ("'=1+1", "'-3", 'upcr', 5)
    """
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA) else text


def to_csv(delivery: Delivery) -> str:
    """The queries as CSV, a line each, with the file in which each row stands."""
    frame = with_file(delivery)
    frame = frame.assign(**{name: pd.to_numeric(frame[name]).astype("Int64") for name in ("row", "visit_no")})
    names = {column: neutral(column) for column in frame}
    return frame.map(neutral).rename(columns=names).to_csv(index=False, lineterminator="\n")


def with_file(delivery: Delivery) -> pd.DataFrame:
    """Queries with a first column `file`: that of the row; of what stands in no row those of the table, by "; "."""
    places: dict[str, str] = {}
    here_ = delivery.received[~delivery.received["table"].isin(delivery.absent)]
    for file, sheet, table in here_[["file", "sheet", "table"]].itertuples(index=False):
        here = _place(file, sheet)
        places[table] = f"{places[table]}; {here}" if table in places else here
    frame = delivery.queries.copy()
    own = frame.pop("file")
    frame.insert(0, "file", own.where(own.notna(), frame["table"].map(places)).fillna("").astype(object))
    return frame


def _place(file: str, sheet: str) -> str:
    return f"{file}, sheet {sheet}" if sheet else file


def to_xlsx(delivery: Delivery) -> bytes:
    """The queries as a workbook: sheets queries, received, converted, rules; the bytes are always the same."""
    return workbook(
        {
            "queries": with_file(delivery),
            "received": delivery.received,
            "converted": delivery.originals,
            "rules": pd.DataFrame(
                [*RULES.items(), *(("applied", note) for note in delivery.notes)], columns=["rule", "why"]
            ),
        }
    )


def workbook(sheets: dict[str, pd.DataFrame]) -> bytes:
    """Frames as a workbook, a sheet each, with filters and a fixed first row; every text is written as text."""
    out = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": CREATED, "title": "Queries", "author": ""})
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        for name, frame in sheets.items():
            sheet = book.add_worksheet(name)
            for k, column in enumerate(frame.columns):
                sheet.write_string(0, k, str(column), head)
                sheet.set_column(k, k, WIDTHS.get(str(column), 16))
                _write(sheet, k, frame[column])
            sheet.freeze_panes(1, 0)
            if len(frame):
                sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
    return out.getvalue()


def _write(sheet: Any, k: int, values: Iterable[Any]) -> None:
    for row, value in enumerate(values, 1):
        if pd.isna(value):
            continue
        if isinstance(value, str):
            sheet.write_string(row, k, neutral(value)[:32000])
        elif isinstance(value, (bool, pd.Timestamp)):
            sheet.write_string(row, k, str(value))
        else:
            sheet.write_number(row, k, float(value))
