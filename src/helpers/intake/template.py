"""An Excel workbook to enter a trial's tables in: a sheet a raw table, drop-downs, units, and the codebook.

    python -m helpers.intake.template       writes reports/template.xlsx and reports/template-redcap.csv

Row 1 holds the names, row 2 the units and allowed values in words, row 3 an example; entries begin in row 4. The intake
reads a filled template by `template_mapping`, without a mapping of its own.
"""

import csv
import io
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import xlsxwriter

from helpers import ROOT, Problem
from helpers.intake.listing import CREATED, neutral
from helpers.intake.mapping import RAW, columns
from helpers.study import files
from helpers.study.codebook import TABLES, Column
from helpers.study.protocol import TRIAL
from helpers.study.shown import plain

FILE = "template.xlsx"
FIRST_ENTRY = 4
"""Row of the first entry: names, meanings and an example stand above it."""

ROWS = 20_000
"""Rows that the drop-downs reach."""

LONGEST_LIST = 255
"""Characters of a drop-down that Excel keeps in the cell's own rule."""

EXAMPLES = {
    "usubjid": "AS-0001", "visit": "Week 2", "visit_no": 2, "infusion": 1, "term": "sore throat", "test": "upcr",
    "unit": "mg/mg", "value": 0.36, "reason": None, "sequence": 1, "block": 1, "event_no": 1, "cells": 43_200_000,
    "height": 120.5, "weight": 25.0, "creatinine": 45.0, "cystatin_c": 0.8, "bun": 5.0, "upcr": 1.2,
    "protein_24h": 30.0, "rbc": 120.0, "rbc_dysmorphic": 90.0, "food_allergies": 0, "drug_allergies": 0,
    "dose_ratio": 1.5,
}  # fmt: skip
DAYS = {"birth_date": "2016-05-20", "consent_date": "2025-01-05", "ras_since": "2024-03-01"}


def filled(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """The template with the rows of these raw tables in it; tables that are not given are left empty.

    Written anew it is the same bytes.
    """
    out = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": CREATED, "title": f"Tables of {TRIAL}", "author": ""})
        looks = {
            "head": book.add_format({"bold": True, "bottom": 1}),
            "meaning": book.add_format(
                {"italic": True, "text_wrap": True, "valign": "top", "font_color": "#555555"}
            ),
            "example": book.add_format({"italic": True, "font_color": "#888888", "num_format": "@"}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        pages = {name: book.add_worksheet(name) for name in (*RAW, "codebook", "lists")}
        lists = pages["lists"]
        lists.hide()
        taken: dict[tuple[str, ...], str] = {}
        for name in RAW:
            sheet = pages[name]
            for k, column in enumerate(TABLES[name].columns):
                sheet.write_string(0, k, column.name, looks["head"])
                sheet.write_string(1, k, _meaning(column), looks["meaning"])
                _cell(sheet, 2, k, _example(name, column), column, looks, looks["example"])
                sheet.set_column(k, k, 18, looks["date"] if column.kind == "date" else None)
                _rule(sheet, lists, taken, k, column)
            sheet.set_row(1, 90)
            sheet.freeze_panes(FIRST_ENTRY - 1, 1)
            if name in tables:
                _fill(sheet, name, tables[name], looks)
        _codebook(pages["codebook"], looks)
    return out.getvalue()


def empty() -> bytes:
    """The template without rows."""
    return filled({})


def template_mapping(file: str = FILE) -> str:
    """The mapping that reads a filled template, as text."""
    lines = [f"description: Tables in {file}", "missing: []", "tables:"]
    for name in RAW:
        lines += [
            f"  {name}:",
            f"    file: {file}",
            f"    sheet: {name}",
            f"    first: {FIRST_ENTRY}",
            "    columns:",
        ]
        for column in TABLES[name].columns:
            unit = f", unit: {column.unit}" if _has_unit(name, column) else ""
            lines.append(f"      {column.name}: {{source: {column.name}{unit}}}")
    return "\n".join(lines) + "\n"


def redcap() -> str:
    """A REDCap data dictionary of the same columns, a form a table; several rows a child repeat a form."""
    head = (
        "Variable / Field Name", "Form Name", "Section Header", "Field Type", "Field Label",
        "Choices, Calculations, OR Slider Labels", "Field Note", "Text Validation Type OR Show Slider Number",
        "Text Validation Min", "Text Validation Max", "Identifier?", "Branching Logic (Show field only if...)",
        "Required Field?",
    )  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerow(["usubjid", RAW[0], "", "text", "child's identifier", "", "", "", "", "", "", "", "y"])
    for name in RAW:
        for column in TABLES[name].columns:
            if column.name == "usubjid":
                continue
            kind = "dropdown" if column.values else "text"
            choices = " | ".join(f"{k}, {word}" for k, word in enumerate(column.values, 1))
            check = {"date": "date_ymd", "number": "number", "whole": "integer"}.get(column.kind, "")
            low, high = ("" if v is None else plain(v) for v in (column.low, column.high))
            writer.writerow(
                [f"{name}_{column.name}", name, "", kind, neutral(column.meaning), choices, column.unit,
                 "" if column.values else check, low, high, "", "", "" if column.empty else "y"]
            )  # fmt: skip
    return out.getvalue()


def _has_unit(name: str, column: Column) -> bool:
    return bool(column.unit) and name != "labs" and column.unit != "as in unit"


def _meaning(column: Column) -> str:
    """What a column means and what it may hold, in words."""
    return (
        f"{column.meaning}: {column.allowed}"
        if len(column.values) <= 8
        else f"{column.meaning}: one of the list"
    )


def _example(name: str, column: Column) -> Any:
    if column.kind == "date":
        return DAYS.get(column.name, "2025-02-16")
    if name == "infusions" and column.name == "cells":
        return EXAMPLES["cells"]
    found = EXAMPLES.get(column.name)
    return found if found is not None or not column.values else column.values[0]


def _rule(sheet: Any, lists: Any, taken: dict[tuple[str, ...], str], k: int, column: Column) -> None:
    """The drop-down or limits of a column's cells."""
    if not column.values:
        rule = None
        if column.kind in ("number", "whole") and column.low is not None and column.high is not None:
            rule = {
                "validate": "decimal",
                "criteria": "between",
                "minimum": column.low,
                "maximum": column.high,
            }
        elif column.kind == "date":
            rule = {"validate": "date", "criteria": ">", "value": pd.Timestamp("1990-01-01").date()}
        if rule:
            sheet.data_validation(
                FIRST_ENTRY - 1, k, ROWS, k, {**rule, "error_type": "warning", "ignore_blank": True}
            )
        return
    source: Any = list(column.values)
    if len(",".join(column.values)) > LONGEST_LIST or any("," in word for word in column.values):
        if column.values not in taken:
            place = len(taken)
            for row, word in enumerate(column.values):
                lists.write_string(row, place, word)
            letter = chr(ord("A") + place)
            taken[column.values] = f"=lists!${letter}$1:${letter}${len(column.values)}"
        source = taken[column.values]
    sheet.data_validation(
        FIRST_ENTRY - 1, k, ROWS, k, {"validate": "list", "source": source, "ignore_blank": True}
    )


def _fill(sheet: Any, name: str, frame: pd.DataFrame, looks: Mapping[str, Any]) -> None:
    for k, column in enumerate(TABLES[name].columns):
        for row, value in enumerate(frame[column.name], FIRST_ENTRY - 1):
            _cell(sheet, row, k, value, column, looks)


def _cell(
    sheet: Any, row: int, k: int, value: Any, column: Column, looks: Mapping[str, Any], look: Any = None
) -> None:
    if value is None or pd.isna(value):
        return
    if column.kind == "date" and isinstance(value, pd.Timestamp):
        sheet.write_datetime(row, k, value.to_pydatetime(), look or looks["date"])
    elif isinstance(value, str):
        sheet.write_string(row, k, value, look)
    else:
        sheet.write_number(row, k, float(value), look)


def _codebook(sheet: Any, looks: Mapping[str, Any]) -> None:
    for k, title in enumerate(("table", "column", "meaning", "unit", "allowed", "may be empty")):
        sheet.write_string(0, k, title, looks["head"])
        sheet.set_column(k, k, (14, 22, 60, 12, 60, 12)[k])
    row = 1
    for name in RAW:
        for column in columns(name).values():
            for k, text in enumerate(
                (
                    name,
                    column.name,
                    column.meaning,
                    column.unit,
                    column.allowed,
                    "yes" if column.empty else "no",
                )
            ):
                sheet.write_string(row, k, text)
            row += 1
    sheet.freeze_panes(1, 0)


def main() -> int:
    reports = ROOT / "reports"
    if reports.is_symlink():
        print("template: reports is a link; put a folder in its place", file=sys.stderr)
        return 2
    made: dict[str, bytes | str] = {
        FILE: empty(),
        "template-redcap.csv": redcap(),
        "template.yaml": template_mapping(),
    }
    try:
        for name, content in made.items():
            files.write(reports / name, content)
            print(f"written: reports/{name}")
    except OSError as error:
        raise Problem(f"reports can't be written to: {error.strerror}") from None
    print("Fill in the workbook from row 4 on, and read it with MAPPING=reports/template.yaml.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
