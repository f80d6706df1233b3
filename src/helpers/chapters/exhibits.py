"""What a chapter shows: tables and figures that stand alone, and numbers with a name.

An `Exhibit` is a table or a figure together with its data, population, n, method and conventions. A
`Result` is one number that a reader may quote. A `Finding` is exhibits together with what may be said of
them. They travel in the metadata of the notebook's outputs, so that a kernel writes no side files: the
build takes the CSV files, pictures and `results.json` from there.
"""

import base64
import inspect
import io
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from html import escape
from numbers import Integral, Real
from string import Formatter

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

from helpers.chapters import kept
from helpers.chapters.cells import named_cells
from helpers.chapters.words import NOT_ESTIMABLE, counted, limit_text, rounded

DPI = 130
"""Pixels per inch of a figure: crisp on a dense screen, and ten figures stay below a page's 3 MB."""

LONG = 90
"""Characters of a cell from which its column keeps a width that reads."""

PLURALS = ("days", "months", "visits", "points", "percentage points")
"""Units that a single one has without its last letter."""

_RESULT_KEY = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_+-]+)+")
_EXHIBIT_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*")
_LOOKS_NUMERIC = re.compile(
    rf"[<>≥≤]?\s?[-−+]?\d(?:[\d\s.,:;/%()<>≥≤+−–-]|\b(?:to|v|of|{NOT_ESTIMABLE})\b|e[-+]?\d)*"
)
"""Numbers, their intervals and shares; one word more, as in "8 to 12 years", makes it text."""


def _plain(value):
    """A NumPy or pandas scalar as the Python value that JSON knows; not finite or missing as None."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    return value.item() if hasattr(value, "item") else str(value)


@dataclass(frozen=True)
class Result:
    """One number that a reader may quote, under a name that stays: `chapter.topic.name`.

    `value` is kept at full precision; `str()` is what is shown: integers as they are, other numbers with
    `digits` decimals and their unit, `text` instead of either where it is given. A value that is None or
    not finite reads "not estimable", or `text`. Raises ValueError for a key that is not dotted words.
    """

    key: str
    value: int | float | str | None
    unit: str = ""
    digits: int = 0
    text: str | None = None

    def __post_init__(self):
        if not _RESULT_KEY.fullmatch(self.key):
            raise ValueError(f"result key {self.key!r}: expected dotted words such as screening.n_screened")
        object.__setattr__(self, "value", _plain(self.value))

    def __str__(self) -> str:
        if self.text is not None:
            return self.text
        if self.value is None:
            return NOT_ESTIMABLE
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        shown = rounded(self.value, self.digits) if isinstance(self.value, float) else str(self.value)
        unit = self.unit.removesuffix("s") if shown == "1" and self.unit in PLURALS else self.unit
        return f"{shown} {unit}" if unit else shown

    def record(self) -> dict:
        """The result as `results.json` keeps it."""
        return {
            "key": self.key,
            "value": self.value,
            "unit": self.unit,
            "digits": self.digits,
            "shown": str(self),
        }


def limit(key: str, value: float, unit: str, digits: int, null: float | None) -> Result:
    """A limit of an interval as a result, with the digits that keep it on its side of no effect: `null`, if it has one.

    >>> str(limit("a.lower", -0.015, "points", 1, 0)), str(limit("a.lower", -0.015, "points", 1, None))
    ('-0.02 points', '0.0 points')
    """
    if null is not None and math.isfinite(value):
        digits = len(limit_text(value, digits, null).partition(".")[2])
    return Result(key, value, unit, digits)


def _cell(value, digits: int | None, missing: str) -> str:
    if isinstance(value, Result):
        return str(value)
    value = _plain(value)
    if value is None:
        return missing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return rounded(value, 2 if digits is None else digits)
    return rounded(value, digits) if isinstance(value, int) and digits else str(value)


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A table (no `figure`) or a figure, with the data behind it and the notes that let it stand alone.

    Parameters
    ----------
    key : lower-case name, unique in its chapter; names the files `<key>.csv` and `<key>.png`
    title : one line, the table's caption or the figure's heading
    data : DataFrame at full precision, index not used; it becomes the CSV file behind the exhibit
    population : analysis set or whoever the numbers are about
    n : how many, an integer or text such as "20 v 20"
    method, conventions, caption : printed under the exhibit, `conventions` joined by commas
    alt : what a figure shows, in words computed from the data; a figure without raises ValueError
    figure : matplotlib Figure; it is taken out of pyplot, so that nothing shows twice
    results : the `Result`s that this exhibit states
    columns : column -> heading of an HTML table; selects and orders. All columns where None
    digits : column -> decimals shown; 2 where not given, 0 for whole numbers
    units : column -> unit, shown in the heading
    missing : what an empty cell of the HTML table says
    folded : whether the page shows its title alone until it is opened: apparatus behind a finding
    """

    key: str
    title: str
    data: pd.DataFrame
    _: KW_ONLY
    population: str
    n: int | str
    method: str = ""
    conventions: Sequence[str] = ()
    caption: str = ""
    alt: str = ""
    figure: Figure | None = None
    results: Sequence[Result] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] | None = None
    digits: Mapping[str, int] = field(default_factory=dict)
    missing: str = "–"
    folded: bool = False

    def __post_init__(self):
        if not _EXHIBIT_KEY.fullmatch(self.key):
            raise ValueError(f"exhibit key {self.key!r}: expected lower-case letters, digits, - and _")
        if self.figure is not None:
            plt.close(self.figure)
            if not self.alt.strip():
                raise ValueError(f"exhibit {self.key!r}: a figure needs alternative text")
        columns = {name: str(name) for name in self.data.columns} if self.columns is None else self.columns
        conventions = (self.conventions,) if isinstance(self.conventions, str) else self.conventions
        plain = {
            "columns": dict(columns),
            "digits": dict(self.digits),
            "units": dict(self.units),
            "conventions": tuple(conventions),
            "results": tuple(self.results),
        }
        for what in ("columns", "digits", "units"):
            for name in plain[what]:
                if name not in self.data.columns:
                    raise ValueError(f"exhibit {self.key!r}: {what} names {name!r}, which its data lack")
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def csv(self) -> str:
        """The data as CSV text; floats by their shortest exact decimal text."""
        frame = self.data.map(lambda cell: cell.value if isinstance(cell, Result) else cell)
        return frame.to_csv(index=False, lineterminator="\n")

    def cells(self) -> list[tuple[int, int, str]]:
        """(Row, column as shown, key) of each cell of the table that shows a named result."""
        if self.figure is not None:
            return []
        plain = self.data.map(lambda cell: _plain(cell.value if isinstance(cell, Result) else cell))
        return named_cells(plain, list(self.columns), {one.key: one.value for one in self.results})

    def decimals(self, name: str) -> int | None:
        """Decimals with which a column's numbers are shown; None where each value decides."""
        digits, column = self.digits.get(name), self.data[name]
        if digits is None and pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
            return 0
        return digits

    def notes(self) -> str:
        """Caption and the notes, as HTML."""
        notes = [f"Population: {self.population}", f"n = {self.n}"]
        if self.method:
            notes.append(f"Method: {self.method}")
        if self.conventions:
            notes.append("Conventions: " + ", ".join(self.conventions))
        caption = f"<p>{escape(self.caption)}</p>" if self.caption else ""
        return f'<div class="notes">{caption}<p>{escape("; ".join(notes))}.</p></div>'

    def table(self) -> str:
        """The table as HTML, rounded: the first column heads its row, numbers stand right."""
        heads, texts, classes = [], [], []
        for position, (name, heading) in enumerate(self.columns.items()):
            column = self.data[name]
            digits = self.decimals(name)
            cells = [_cell(value, digits, self.missing) for value in column]
            numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            told = [
                cell
                for cell in cells
                if cell not in (self.missing, "") and not cell.startswith(NOT_ESTIMABLE)
            ]
            numeric = numeric or (position > 0 and told and all(map(_LOOKS_NUMERIC.fullmatch, told)))
            unit = self.units.get(name)
            shown = escape(heading) + (f' <span class="unit">({escape(unit)})</span>' if unit else "")
            kind = ' class="num" style="text-align:right"' if numeric else ' style="text-align:left"'
            if not numeric and any(len(cell) > LONG for cell in cells):
                kind = f' class="long"{kind}'
            heads.append(f'<th scope="col"{kind}>{shown}</th>')
            texts.append([escape(cell) for cell in cells])
            classes.append(kind)
        rows = []
        for row in zip(*texts, strict=True):
            first, *rest = (
                f"<{tag}{kind}>{cell}</{tag.split()[0]}>"
                for tag, kind, cell in zip(
                    ['th scope="row"'] + ["td"] * (len(row) - 1), classes, row, strict=True
                )
            )
            rows.append("<tr>" + first + "".join(rest) + "</tr>")
        return (
            f'<div class="scroll"><table class="exhibit"><caption><span>{escape(self.title)}</span></caption>\n'
            f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n"
            + "\n".join(rows)
            + "\n</tbody></table></div>"
        )

    def png(self) -> bytes:
        """The figure's picture: the same bytes each time on one machine."""
        buffer = io.BytesIO()
        # the least compression: a tenth more bytes, a tenth less time
        options = {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 1}}
        self.figure.savefig(buffer, format="png", dpi=DPI, **options)
        return buffer.getvalue()

    def record(self) -> dict:
        """All that the build needs to know: it travels as the output's metadata `exhibit`."""
        return {
            "key": self.key,
            "kind": "table" if self.figure is None else "figure",
            "title": self.title,
            "population": self.population,
            "n": str(self.n),
            "method": self.method,
            "conventions": list(self.conventions),
            "caption": self.caption,
            "alt": self.alt,
            "folded": self.folded,
            "csv": self.csv(),
            "results": [result.record() for result in self.results],
            "cells": [list(one) for one in self.cells()],
        }

    def _ipython_display_(self):
        kept.keep(self)
        if self.figure is None:
            html = self.table() + self.notes()
            bundle = {"text/html": html, "text/plain": f"Table: {self.title}"}
            display(bundle, raw=True, metadata={"exhibit": self.record()})
            return
        picture = self.png()
        width = (struct.unpack(">I", picture[16:20])[0] * 96 + DPI // 2) // DPI
        drawing = kept.drawing(self.figure, picture)
        display(
            {"image/png": base64.b64encode(picture).decode(), "text/plain": f"Figure: {self.title}"},
            raw=True,
            metadata={
                "exhibit": self.record() | ({"svg": drawing} if drawing else {}),
                "image/png": {"width": width, "alt": self.alt},
            },
        )
        notes = f"<p><strong>{escape(self.title)}</strong></p>{self.notes()}"
        display(
            {"text/html": notes, "text/plain": f"Notes: {self.title}"},
            raw=True,
            metadata={"exhibit_notes": self.key},
        )


@dataclass(frozen=True)
class Finding:
    """What a chapter shows of one frame, and what may be said of it.

    `exhibits` are shown in their order; `said` holds the results and words that a sentence is filled with.
    """

    exhibits: tuple[Exhibit, ...]
    said: Mapping[str, Result | str]

    def exhibit(self, key: str) -> Exhibit:
        """The exhibit of this key; raises KeyError."""
        return {one.key: one for one in self.exhibits}[key]


def show(shown: Exhibit | Finding) -> Mapping[str, Result | str]:
    """Show an exhibit, or all exhibits of a finding; returns what may be said of it, for `say`."""
    exhibits, said = (shown.exhibits, shown.said) if isinstance(shown, Finding) else ((shown,), {})
    for exhibit in exhibits:
        display(exhibit)
    return said


def say(template: str, **values: Result | str | int) -> None:
    """Show Markdown: `template` with its {names} filled in, results by their shown text.

    `{n:child was|children were}` is the count with what hangs on it: "1 child was", "20 children were". The `Result`s
    are recorded as the chapter's, with where they stand in the text. A bare float raises TypeError: it has no shown
    digits.
    """
    for name, value in values.items():
        if isinstance(value, Real) and not isinstance(value, Integral):
            raise TypeError(f"{name} = {value!r}: give a Result, which knows its digits and unit")
    text, filled = "", []
    for literal, name, form, turned in Formatter().parse(inspect.cleandoc(template)):
        text += literal
        if name is None:
            continue
        one, either, many = (form or "").partition("|")
        field = (
            "{" + name + (f"!{turned}" if turned else "") + (f":{form}" if form and not either else "") + "}"
        )
        told = field.format(**values)
        if isinstance(values.get(name), Result):
            filled.append([len(text), len(text) + len(told), values[name].key])
        text += counted(told, one, many) if either else told
    results = [value.record() for value in values.values() if isinstance(value, Result)]
    metadata = {"results": results, "filled": filled}
    display({"text/markdown": text, "text/plain": text}, raw=True, metadata=metadata)
