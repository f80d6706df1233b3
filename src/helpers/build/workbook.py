"""One Excel workbook of a report's exhibits: a list with links, then a sheet an exhibit.

Numbers are numbers under the format in which the page shows them; a text is a text whatever it begins with. The
workbook says no day: the same exhibits give the same bytes.
"""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

CREATED = datetime(1980, 1, 1)
"""The date that a workbook must have."""
LIST = "Contents"
LONGEST = 32767
"""Characters of a text that a cell holds."""
CUT = " … (goes on in the CSV file)"
WIDTHS = 9, 60
"""Narrowest and widest column, in characters."""
HEAD_ROW = 4
LIVE = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula when somebody edits its cell."""

Sheet = Mapping[str, Any]
"""An exhibit as `chapters.kept.sheet` tells it, with `label`, `chapter` (title) and `page` (its address)."""


def workbook(title: str, sheets: Sequence[Sheet]) -> bytes:
    """The workbook of some exhibits, in their order."""
    import xlsxwriter

    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(
        buffer,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_numbers": False,
            "strings_to_urls": False,
        },
    )
    book.set_properties({"title": title[:255], "created": CREATED, "comments": "All exhibits of one report"})
    work = _Book(book)
    names = sheet_names([one["label"] for one in sheets])
    work.contents(title, sheets, names)
    for one, name in zip(sheets, names, strict=True):
        work.exhibit(one, name)
    book.close()
    return buffer.getvalue()


def sheet_names(labels: Sequence[str]) -> list[str]:
    """Names of sheets: letters that Excel allows, 31 at most, no two alike, none the list's own.

    >>> sheet_names(["Table 6.1", "table 6.1", "A/B:" + "x" * 40])
    ['Table 6.1', 'table 6.1 (2)', 'A B xxxxxxxxxxxxxxxxxxxxxxxxxxx']
    """
    taken, found = {LIST.lower(), "history"}, []
    for label in labels:
        plain = " ".join(re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", label).split()).strip("'") or "Exhibit"
        name, number = plain[:31], 1
        while name.lower() in taken:
            number += 1
            name = f"{plain[: 31 - len(f' ({number})')]} ({number})"
        taken.add(name.lower())
        found.append(name)
    return found


class _Book:
    """A workbook with the formats that its cells share."""

    def __init__(self, book: Any):
        self.book = book
        self.formats: dict[tuple, Any] = {}
        self.bold = self.format(bold=True)
        self.link = self.format(font_color="#00629B", underline=1)
        self.note = self.format(text_wrap=True, valign="top", font_color="#5F5F5F")

    def format(self, **properties: Any) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self.formats:
            self.formats[key] = self.book.add_format(properties)
        return self.formats[key]

    def text(self, sheet: Any, row: int, column: int, text: str, **properties: Any) -> None:
        """A text that stays one: marked as such where it begins as a formula does."""
        whole = text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT
        if whole.startswith(LIVE):
            properties["quote_prefix"] = True
        if whole:
            sheet.write_string(row, column, whole, self.format(**properties) if properties else None)

    def contents(self, title: str, sheets: Sequence[Sheet], names: Sequence[str]) -> None:
        sheet = self.book.add_worksheet(LIST)
        self.text(sheet, 0, 0, title, bold=True)
        heads = ("Exhibit", "Title", "Chapter", "Population", "n", "On the page")
        for column, head in enumerate(heads):
            self.text(sheet, 2, column, head, bold=True, bottom=1)
        for row, (one, name) in enumerate(zip(sheets, names, strict=True), 3):
            quoted = name.replace("'", "''")
            sheet.write_url(row, 0, f"internal:'{quoted}'!A1", self.link, one["label"])
            for column, part in enumerate(("title", "chapter", "population", "n"), 1):
                self.text(sheet, row, column, str(one[part]))
            sheet.write_url(row, 5, f"external:{one['page']}", self.link, one["page"])
        for column, width in enumerate((14, 80, 24, 36, 12, 44)):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(3, 0)

    def exhibit(self, one: Sheet, name: str) -> None:
        sheet = self.book.add_worksheet(name)
        self.text(sheet, 0, 0, f"{one['label']}  {one['title']}", bold=True)
        sheet.write_url(1, 0, f"internal:'{LIST}'!A1", self.link, LIST)
        self.text(sheet, 2, 0, notes(one), font_color="#5F5F5F")
        for column, told in enumerate(one["columns"]):
            look = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}
            self.text(
                sheet,
                HEAD_ROW,
                column,
                told["heading"],
                **look,
                **({} if told["shown"] else {"italic": True}),
            )
        widths = [len(told["heading"]) for told in one["columns"]]
        for row, cells in enumerate(one["rows"], HEAD_ROW + 1):
            for column, (value, shown) in enumerate(cells):
                if shown is None:
                    self.text(sheet, row, column, str(value))
                else:
                    sheet.write_number(row, column, value, self.format(num_format=shown))
                widths[column] = max(widths[column], len(str(value)) if shown is None else WIDTHS[0])
        for column, width in enumerate(widths):
            sheet.set_column(column, column, min(max(width + 1, WIDTHS[0]), WIDTHS[1]))
        sheet.freeze_panes(HEAD_ROW + 1, 1)


def notes(one: Sheet) -> str:
    """What lets an exhibit stand alone, in a line."""
    parts = [one["caption"], f"Population: {one['population']}", f"n = {one['n']}"]
    parts += [f"Method: {one['method']}"] * bool(one["method"])
    parts += [f"Conventions: {', '.join(one['conventions'])}"] * bool(one["conventions"])
    parts += ["In italics: data behind it that the page does not show"] * (
        not all(c["shown"] for c in one["columns"])
    )
    return "; ".join(part for part in parts if part)
