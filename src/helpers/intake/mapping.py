"""The mapping file: which file, sheet and column of an export holds what, in which unit, coding and format.

Without one, tables stand as in the codebook: `screening.csv ... disposition.csv`, UTF-8, days as 2025-01-31. The file
is YAML of the plain kind that scenarios are (`study.settings`); every fault in it is told at once, with nearest names.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from helpers import Problem
from helpers.intake import blinding, sources, units, values
from helpers.study import settings
from helpers.study.codebook import TABLES, UNITS, Column

RAW = (
    "screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition",
)  # fmt: skip
"""The raw tables that a site sends; ADIE is derived from them."""

TOP = ("description", "made_from", "extracted", "unblinded", "revealing", "same_child", "tables", "encoding",
       "delimiter", "decimal", "date", "missing", "below", "above")  # fmt: skip
PART = ("file", "sheet", "header", "first", "columns", "wide", "unscheduled", "encoding", "delimiter", "decimal",
        "date", "missing", "below", "above")  # fmt: skip
COLUMN = ("source", "constant", "values", "unit", "units", "date", "missing", "below", "above", "decimal")

MISSING = (
    "",
    "NA",
    "N/A",
    "NK",
    "UNK",
    "UNKNOWN",
    "ND",
    "Not done",
    ".",
    "-",
    "--",
    "/",
    "无",
    "未查",
    "未知",
    "不详",
)
"""Texts that mean missing, unless the mapping says which do."""

DEEPEST = 7


@dataclass(frozen=True)
class Source:
    """Where a column comes from and how its texts are read. unit: of all, or by test (`units`)."""

    column: str
    header: str = ""
    constant: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    date: str = "yyyy-mm-dd"
    decimal: str = "."
    missing: tuple[str, ...] = MISSING
    below: Mapping[str, float | None] = field(default_factory=dict)
    above: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One file or sheet that holds rows of a table.

    wide: laboratory tests that have a column each; header, first: rows of the names and of the first entry, from 1.
    """

    table: str
    file: str
    sheet: str | None = None
    header: int = 1
    encoding: str = "utf-8"
    delimiter: str = ","
    columns: Mapping[str, Source] = field(default_factory=dict)
    wide: Mapping[str, Source] = field(default_factory=dict)
    unscheduled: tuple[str, ...] = ()
    first: int = 0
    stated: bool = True


@dataclass(frozen=True)
class Mapped:
    """A whole mapping. extracted: day of the export; same_child: {number of a later screening: the first number}."""

    parts: tuple[Part, ...]
    extracted: date | None = None
    unblinded: date | None = None
    revealing: tuple[str, ...] = blinding.REVEALING
    same_child: Mapping[str, str] = field(default_factory=dict)


def columns(table: str) -> dict[str, Column]:
    return {column.name: column for column in TABLES[table].columns}


def plain_part(table: str) -> Part:
    """A table as in the codebook, in a file of its name."""
    found = {
        name: Source(
            name,
            name,
            unit=units.canonical(name) if column.unit and name in units.FACTORS else "",
            missing=("",),
        )
        for name, column in columns(table).items()
    }
    return Part(table, f"{table}.csv", columns=found, stated=False)


def read(path: Path | None, folder: Path) -> Mapped:
    """The mapping of a folder; None = the codebook's names. Raises Problem with every fault of the file."""
    if path is None:
        return Mapped(tuple(plain_part(table) for table in RAW))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Problem(
            f"{path} can't be read; allowed: a text file (UTF-8), as `make intake` proposes it"
        ) from None
    if not re.search(r"^description\s*:", text, re.M):
        text += "\ndescription: a mapping\n"
    return _Reader(path.name).mapped(settings.settings(text, path.name, DEEPEST), folder)


class _Reader:
    """Reads settings into a mapping and gathers all that is wrong with them."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.faults: list[str] = []
        self.unblinded = False

    def fault(self, place: str, words: str) -> None:
        self.faults.append(f"{self.where}, {place}: {words}")

    def unknown(self, place: str, found: Iterable[str], allowed: Iterable[str]) -> None:
        allowed = list(allowed)
        for name in found:
            if name not in allowed:
                close = difflib.get_close_matches(str(name), allowed, n=1)
                hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(allowed)}"
                self.fault(place, f"{str(name)[:60]!r} is not known; {hint}")

    def mapped(self, found: dict[str, Any], folder: Path) -> Mapped:
        self.unblinded = found.get("unblinded") is not None
        self.unknown("first level", found, TOP)
        given = found.get("tables") or {}
        if not isinstance(given, dict):
            self.fault("tables", "allowed: a table's name with its file and columns below it")
            given = {}
        self.unknown("tables", given, RAW)
        parts = []
        for table in RAW:
            if given.get(table) is None:
                # a mapping that names no tables says only when, and what stays closed
                if (folder / f"{table}.csv").exists() or not given:
                    parts.append(plain_part(table))
                continue
            some = given[table] if isinstance(given[table], list) else [given[table]]
            if len(some) > 1 and table != "labs":
                self.fault(table, "allowed: one file; only labs may come in several")
            parts += [self.part(table, one, found) for one in some]
        same = self.texts("same_child", found.get("same_child"))
        mapped = Mapped(
            tuple(parts),
            self.day("extracted", found.get("extracted")),
            self.day("unblinded", found.get("unblinded")),
            self.revealing(found.get("revealing")),
            same,
        )
        for new in same:
            if same[new] in same:
                self.fault(
                    "same_child", f"{new!r} leads to {same[new]!r}, which leads on; name the first number"
                )
        if self.faults:
            raise Problem("\n".join(self.faults))
        return mapped

    def revealing(self, found: Any) -> tuple[str, ...]:
        if found is None:
            return blinding.REVEALING
        if not isinstance(found, list):
            self.fault(
                "revealing", "allowed: a list of tables, table.column, files, file#sheet, or names of columns"
            )
            return blinding.REVEALING
        named = tuple(_text(name) for name in found)
        # whatever is stated, the arm and what was given stay closed
        return tuple(dict.fromkeys([*named, "randomisation.arm", *blinding.REVEALING[1:]]))

    def day(self, place: str, found: Any) -> date | None:
        if found is None:
            return None
        try:
            return date.fromisoformat(str(found))
        except ValueError:
            self.fault(place, f"found {str(found)[:60]!r}, allowed: a day such as 2027-01-31")
            return None

    def part(self, table: str, found: Any, defaults: Mapping[str, Any]) -> Part:
        if not isinstance(found, dict):
            self.fault(table, "allowed: file, columns and what else is said of it below the table's name")
            return plain_part(table)
        self.unknown(table, found, PART)
        base = self.how(table, found, self.how("first level", defaults, Source("")))
        encoding = str(found.get("encoding", defaults.get("encoding", "utf-8")))
        encoding = self.one_of(table, "encoding", encoding, sources.ENCODINGS)
        delimiter = str(found.get("delimiter", defaults.get("delimiter", ",")))
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if len(delimiter) != 1:
            self.fault(table, f"delimiter {delimiter[:20]!r}; allowed: one sign, or tab")
            delimiter = ","
        header = self.row(table, "header", found.get("header", 1))
        first = self.row(table, "first", found.get("first", header + 1))
        file = found.get("file")
        if not isinstance(file, str) or not file:
            self.fault(table, "names no file")
            file = f"{table}.csv"
        sheet = found.get("sheet")
        mine = columns(table)
        given = found.get("columns") or {}
        if not isinstance(given, dict):
            self.fault(
                table, "columns: allowed: a column of the codebook, and its name in the file, a line each"
            )
            given = {}
        self.unknown(f"{table}, columns", given, mine)
        made = {name: self.source(table, mine[name], given[name], base) for name in given if name in mine}
        wide = found.get("wide") or {}
        if wide and (table != "labs" or not isinstance(wide, dict)):
            self.fault(table, "wide: allowed in labs, a test and its column a line")
            wide = {}
        self.unknown(f"{table}, wide", wide, UNITS)
        tests = {
            name: self.source(table, Column(name, "number", "", UNITS[name]), wide[name], base)
            for name in wide if name in UNITS
        }  # fmt: skip
        if wide and {"test", "value", "unit"} & set(made):
            self.fault(table, "has wide and a column of tests as well; allowed: one of both")
        self.need_units(table, made, tests)
        aside = found.get("unscheduled") or ()
        aside = tuple(_text(word) for word in (aside if isinstance(aside, list) else [aside]))
        return Part(
            table,
            file,
            None if sheet is None else _text(sheet),
            header,
            encoding,
            delimiter,
            made,
            tests,
            aside,
            first,
        )

    def row(self, place: str, name: str, found: Any) -> int:
        if isinstance(found, int) and not isinstance(found, bool) and 1 <= found <= 1000:
            return found
        self.fault(place, f"{name} {str(found)[:20]!r}; allowed: the number of a row, from 1")
        return 1

    def need_units(self, table: str, made: Mapping[str, Source], tests: Mapping[str, Source]) -> None:
        """A unit is stated for every measure; nothing is taken for granted."""
        for name, source in {**(made if table != "labs" else {}), **tests}.items():
            if name in units.FACTORS and name != "dipstick" and source.constant is None and not source.unit:
                self.fault(f"{table}, {name}", f"states no unit; allowed: {', '.join(units.known(name))}")
        if table == "labs" and "value" in made and "unit" not in made and not made["value"].units:
            self.fault(
                "labs, value", "states no units; allowed: a column `unit`, or `units:` with a line a test"
            )

    def how(self, place: str, found: Mapping[str, Any], base: Source) -> Source:
        """What is said of the reading of texts, for a file, a table or a column."""
        form = str(found.get("date") or base.date)
        if values.pattern(form) is None:
            words = f"date {form[:30]!r}; allowed: yyyy, mm or mon, and dd, once each, such as {values.FORMATS[2]}"
            self.fault(place, words)
            form = base.date
        decimal = self.one_of(place, "decimal", str(found.get("decimal", base.decimal)), (".", ","))
        missing = found.get("missing")
        if missing is not None:
            missing = tuple(_text(word) for word in (missing if isinstance(missing, list) else [missing]))
        return Source(
            base.column, base.header, base.constant, base.values, base.unit, base.units, form, decimal,
            base.missing if missing is None else ("", *missing),
            self.limits(place, "below", found.get("below"), base.below),
            self.limits(place, "above", found.get("above"), base.above),
        )  # fmt: skip

    def limits(
        self, place: str, name: str, found: Any, base: Mapping[str, float | None]
    ) -> Mapping[str, float | None]:
        """Texts below or above quantification: a list of signs before a number, or texts with what they stand for."""
        if found is None:
            return base
        if isinstance(found, dict):
            numbers = {
                key: float(value)
                for key, value in found.items()
                if isinstance(value, (int, float)) and not isinstance(value, bool)
            }
            wrong = [key for key in found if key not in numbers]
            for key in wrong:
                self.fault(place, f"{name}, {key[:30]!r}: allowed: a text and the limit that it stands for")
            return {**base, **numbers}
        return {**base, **{_text(word): None for word in (found if isinstance(found, list) else [found])}}

    def source(self, table: str, column: Column, found: Any, base: Source) -> Source:
        place = f"{table}, {column.name}"
        if not isinstance(found, dict):
            if found is None or isinstance(found, list):
                self.fault(
                    place, "allowed: the column's name in the file, or source, values, unit ... below it"
                )
            found = {"source": found}
        self.unknown(place, found, COLUMN)
        how = self.how(place, found, base)
        coding = self.texts(f"{place}, values", found.get("values"))
        if column.values:
            for text, word in coding.items():
                if word not in column.values and word != "":
                    close = difflib.get_close_matches(word, column.values, n=1)
                    hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(column.values)}"
                    self.fault(place, f"{text!r} is coded as {word!r}; {hint}")
        unit = _text(found.get("unit") or "")
        if unit == "?" and not self.unblinded and f"{table}.{column.name}" in blinding.REVEALING:
            # of a column that stays shut nothing need be answered yet
            unit = units.canonical(column.name)
        if unit and column.name in units.FACTORS and units.factor(column.name, unit) is None:
            why = units.UNCONVERTED.get(column.name)
            self.fault(place, _no_unit(unit, column.name) + (f" ({why})" if why else ""))
        by_test = self.texts(f"{place}, units", found.get("units"))
        if by_test:
            self.unknown(f"{place}, units", by_test, UNITS)
            for test, name in by_test.items():
                if test in UNITS and units.factor(test, name) is None:
                    self.fault(place, _no_unit(name, test))
        header, constant = found.get("source"), found.get("constant")
        if (header is None) == (constant is None):
            self.fault(
                place, "allowed: either source (a column of the file) or constant (one value for all rows)"
            )
        return Source(
            column.name, _text(header) if header is not None else "", None if constant is None else _text(constant),
            coding, unit, by_test, how.date, how.decimal, how.missing, how.below, how.above,
        )  # fmt: skip

    def texts(self, place: str, found: Any) -> dict[str, str]:
        if found is None:
            return {}
        if not isinstance(found, dict) or any(isinstance(v, (dict, list)) for v in found.values()):
            self.fault(place, "allowed: a text and what it stands for, a line each")
            return {}
        return {str(key): "" if value is None else _text(value) for key, value in found.items()}

    def one_of(self, place: str, name: str, found: Any, allowed: tuple[str, ...]) -> str:
        text = str(found).lower()
        if text not in allowed:
            self.fault(place, f"{name} {text[:30]!r}; allowed: {', '.join(allowed)}")
            return allowed[0]
        return text


def _no_unit(unit: str, measure: str) -> str:
    allowed = f"allowed: {', '.join(units.known(measure))}"
    if unit == "?":
        return f"the unit of {measure} is still to be answered; {allowed} (make intake shows the evidence)"
    return f"unit {unit!r} is not known for {measure}; {allowed}"


def _text(value: Any) -> str:
    """A setting as text: YAML's yes and no are words here."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
