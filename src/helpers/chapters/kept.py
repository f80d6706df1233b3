"""What a report and a package want of an exhibit besides its picture: drawings, print, the shown format of each cell.

A drawing (SVG) only where a report is built: a notebook stays as small as it is without. The rest only while a package
is made: the variable `FOLDER` then names a folder, and every exhibit that a kernel shows is written there.
"""

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd

from helpers.chapters.words import rounded
from helpers.study.files import write

FOLDER = "ALPORT_KEPT"
"""The variable of the environment that names the folder."""
DRAWN = "ALPORT_DRAWN"
"""The variable that is set where a report is built."""
PRINT_DPI = 300
LONGEST_FORMAT = 255
"""Characters of a number format that a spreadsheet takes."""
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?")
"""A text that is a number and nothing else, as parameters and references are shown: a spreadsheet takes the number."""
IDENTIFIERS = ("child", "usubjid", "USUBJID")
"""Columns whose texts are names, whatever they look like."""
PRINTED = f"-{PRINT_DPI}dpi.png"
"""How the name of a picture for print ends."""


def keep(exhibit: Any) -> None:
    """Write what a package wants of an exhibit, where a package is being made."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    told = json.dumps(sheet(exhibit), ensure_ascii=False, allow_nan=False)
    write(place / f"{exhibit.key}.json", told.encode("utf-8", "replace"))
    if exhibit.figure is not None:
        write(place / f"{exhibit.key}.svg", svg(exhibit.figure))
        write(place / f"{exhibit.key}{PRINTED}", png(exhibit.figure))


def drawing(figure: Any, picture: bytes) -> str:
    """A figure as drawing where a report is built and it has fewer bytes than its picture, as lines have; else ""."""
    if not os.environ.get(DRAWN):
        return ""
    drawn = svg(figure)
    return drawn.decode("utf-8") if len(drawn) < len(picture) else ""


def sheet(exhibit: Any) -> dict[str, Any]:
    """An exhibit for a spreadsheet: its record without CSV and results, its columns, its cells.

    The columns are those that its page shows, under their headings, then the rest of its data. A cell is [value,
    number format], the value a number, yes or no, a text or None, the format None for what is no number.
    """
    record = exhibit.record()
    shown = {**{name: str(name) for name in exhibit.data.columns}, **exhibit.columns}
    first = list(exhibit.columns)
    columns, cells = [], []
    for name in [*first, *(one for one in exhibit.data.columns if one not in exhibit.columns)]:
        unit = exhibit.units.get(name, "")
        heading = f"{shown[name]} ({unit})" if unit else shown[name]
        columns.append({"name": str(name), "heading": heading, "shown": name in exhibit.columns})
        digits = exhibit.decimals(name)
        if name in IDENTIFIERS:
            cells.append(
                [[exhibit.missing if pd.isna(one) else str(one), None] for one in exhibit.data[name]]
            )
            continue
        # of what no page shows, a number has no shown decimals: a spreadsheet shows it as it is
        free = digits is None and name not in exhibit.columns
        cells.append([_cell(value, digits, exhibit.missing, free) for value in exhibit.data[name]])
    notes = {name: record[name] for name in ("key", "kind", "title", "population", "n", "method", "caption")}
    rows = [list(row) for row in zip(*cells, strict=True)]
    return {
        **notes,
        "conventions": record["conventions"],
        "csv": record["csv"],
        "columns": columns,
        "rows": rows,
    }


def _cell(value: Any, digits: int | None, missing: str, free: bool = False) -> list[Any]:
    text = str(value) if hasattr(value, "record") else None
    plain = value.value if text is not None else value
    if not isinstance(plain, str | bool) and plain is not None:
        # JSON knows no scalar of NumPy, and nothing that is not finite
        plain = None if pd.isna(plain) else plain.item() if hasattr(plain, "item") else plain
    if isinstance(plain, float) and not abs(plain) < float("inf"):
        plain = None
    if plain is None:
        return [text if text is not None else missing, None]
    if isinstance(plain, bool):
        return [("yes" if plain else "no") if text is None else text, None]
    if isinstance(plain, str) and text is None and NUMBER.fullmatch(plain):
        whole, _, rest = plain.partition(".")
        return [float(plain) if rest else int(whole), _decimals(len(rest))]
    if not isinstance(plain, int | float):
        return [text if text is not None else str(plain), None]
    if text is not None:
        return [plain, shown_as(plain, text)]
    if isinstance(plain, int) and not digits:
        return [plain, "0"]
    if free:
        return [plain, "General"]
    return [plain, _decimals(2 if digits is None else digits)]


def shown_as(value: float, text: str) -> str:
    """The number format under which a spreadsheet shows a value as this text.

    >>> shown_as(0.125, "0.13 mg/mg"), shown_as(0.0003, "<0.001"), shown_as(-2, "-2")
    ('0.00" mg/mg"', '"<0.001";"<0.001";"<0.001"', '0')
    """
    number = re.match(r"-?[0-9]+(?:\.([0-9]+))?", text)
    if number:
        digits, rest = len(number[1] or ""), text[number.end() :]
        if number[0] == rounded(value, digits) and not re.match(r"[0-9.,/]", rest):
            return _decimals(digits) + _quoted(rest)
    # a text for negative numbers too, which would carry a sign before it
    whole = ";".join([_quoted(text)] * 3)
    return whole if len(whole) <= LONGEST_FORMAT else "General"


def _decimals(digits: int) -> str:
    return "0" + ("." + "0" * digits if digits else "")


def _quoted(text: str) -> str:
    """A text inside a number format; a quotation mark ends one, and stands by itself."""
    cut = text if len(text) <= 70 else f"{text[:69]}…"
    return "".join(f'"{part}"' if part != '"' else '\\"' for part in re.split(r'(")', cut) if part)


def svg(figure: Any) -> bytes:
    """A figure as drawing: the same bytes each time on one machine, its letters outlines."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "helpers", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def png(figure: Any) -> bytes:
    """A figure as picture for print."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=PRINT_DPI, metadata={"Software": None})
    return buffer.getvalue()
