"""One file's text cells as the codebook's columns: words, days, numbers in its units, each with its original."""

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.intake import units, values
from helpers.intake.blinding import HIDDEN
from helpers.intake.log import NOTE, Log
from helpers.intake.mapping import Part, Source
from helpers.intake.sources import Opened
from helpers.study.checks.single import VISIT_NAMES
from helpers.study.codebook import DIPSTICK, LAB_LIMITS, TABLES, UNITS, Column
from helpers.study.shown import plain
from helpers.study.wording import counted

MOSTLY = 0.5
"""Share of a column's cells: where more of them can't be read or be true, the mapping is wrong and not the cells."""

GRADES = {
    **{name: float(k) for k, name in enumerate(DIPSTICK)},
    **{str(k): float(k) for k in range(len(DIPSTICK))},
    "neg": 0.0, "-": 0.0, "阴性": 0.0, "+-": 1.0, "±": 1.0, "微量": 1.0, "+": 2.0, "++": 3.0, "+++": 4.0, "++++": 5.0,
}  # fmt: skip
"""How dipsticks are written, as grades 0 to 5."""

ENDS = {
    "withdrawal by subject": "family's wish", "withdrawal by parent/guardian": "family's wish",
    "withdrawal of consent": "family's wish", "lost to follow-up": "lost to follow-up",
    "adverse event": "adverse event", "death": "death",
}  # fmt: skip
"""Reasons for the end of a trial in CDISC's terms (codelist NCOMPLT), as the codebook's."""

FINISHED = ("completed", "complete", "screen failure", "ongoing", "still followed", "in follow-up")
"""CDISC's terms that are no reason for leaving."""


class Converter:
    """Turns an opened part into a frame with the codebook's columns and `_row`; asks and keeps in a log."""

    def __init__(self, part: Part, opened: Opened, log: Log, blinded: bool = False) -> None:
        self.part, self.log, self.cells, self.blinded = part, log, opened.frame, blinded
        self.table, self.where = part.table, part.file + (f", sheet {part.sheet}" if part.sheet else "")
        self.row = opened.frame.index.to_numpy()
        self.child = self._children()
        self.partial: dict[str, values.Days] = {}
        self.further: list[str] = []
        """Tests of the file that the codebook does not know."""

    def frame(self) -> pd.DataFrame:
        """All columns of the codebook; those that nothing holds are empty. Partial days are in `partial`."""
        out: dict[str, Any] = {"usubjid": self.child}
        for column in TABLES[self.table].columns:
            if column.name == "usubjid" or (
                self.table == "labs" and column.name in ("test", "value", "unit")
            ):
                continue
            source = self.part.columns.get(column.name)
            out[column.name] = self._column(column, source) if source else self._empty(column)
        if self.table == "visits" and "visit_no" not in self.part.columns and "visit" in self.part.columns:
            source = self.part.columns["visit"]
            out["visit_no"] = self._visits(source, self._texts(source))
        frame = pd.DataFrame(out, index=range(len(self.row)))
        frame["_row"], frame["_file"] = self.row.astype(float), self.where
        if self.table == "labs":
            frame = self._wide(frame) if self.part.wide else self._long(frame)
        if self.table == "disposition":
            frame = self._ends(frame)
        return frame

    def _children(self) -> pd.Series:
        source = self.part.columns.get("usubjid")
        texts = self._texts(source) if source else self._nothing()
        lacking = self.row[texts.isna().to_numpy()]
        if source and len(lacking):
            self.log.fatal.append(
                f"{self.where}, column {source.header}: no child in row {_few(lacking)}; allowed: an identifier"
            )
        return texts.map(lambda text: text.strip() if isinstance(text, str) else text).reset_index(drop=True)

    def _nothing(self) -> pd.Series:
        return pd.Series([None] * len(self.cells), index=self.cells.index, dtype=object)

    def _texts(self, source: Source) -> pd.Series:
        """The cells of a column with missing ones as None, or its constant."""
        if source.constant is not None:
            return pd.Series([source.constant] * len(self.cells), index=self.cells.index, dtype=object)
        if source.header not in self.cells:
            return self._nothing()
        # a word that the codebook or the coding knows is a value, whatever else it may mean
        column = next((c for c in TABLES[self.table].columns if c.name == source.column), None)
        words = {values.plain(text).lower() for text in (*source.values, *(column.values if column else ()))}
        missing = [word for word in source.missing if values.plain(word).lower() not in words]
        return values.without_missing(self.cells[source.header], missing)

    def _empty(self, column: Column) -> Any:
        if column.kind == "date":
            return np.full(len(self.cells), np.datetime64("NaT", "ns"))
        return np.full(len(self.cells), np.nan if column.kind in ("number", "whole") else None)

    def _rows(self, where: NDArray) -> pd.DataFrame:
        """Rows to ask about."""
        return pd.DataFrame(
            {
                "_row": self.row[where].astype(float),
                "usubjid": self.child.to_numpy(object)[where],
                "_file": self.where,
            }
        )

    def _unread(self, column: str, source: Source, texts: pd.Series, bad: NDArray, allowed: str) -> None:
        """Cells that can't be read: a query each, or one fatal fault where the column is mostly such."""
        if not bad.any():
            return
        some = int(texts.notna().sum())
        if bad.sum() > MOSTLY * some:
            self.log.fatal.append(
                f"{self.where}, column {source.header or column}: {int(bad.sum())} of {counted(some, 'cell', 'cells')} "
                f"can't be read as {column}, such as {_cut(texts[bad].iloc[0])!r} in row {_few(self.row[bad])}; "
                f"allowed: {allowed}"
            )
            return
        self._ask_cells(
            f"{self.table}.unreadable", column, texts, bad, allowed, "A cell that can't be read says nothing",
            "unreadable is missing",
        )  # fmt: skip

    def _ask_cells(self, code: str, column: str, texts: pd.Series, where: NDArray, expected: str, why: str, rule: str,
                   severity: str = "query") -> None:  # fmt: skip
        if not where.any():
            return
        self.log.ask(
            code, self.table, self._rows(where), column, expected, why, rule,
            [repr(_cut(text)) for text in texts[where]], severity,
        )  # fmt: skip

    def _column(self, column: Column, source: Source) -> Any:
        texts = self._texts(source)
        if source.constant is None and source.header not in self.cells:
            return self._empty(column)
        if column.kind == "date":
            return self._days(column, source, texts)
        if column.values:
            return self._words(column, source, texts)
        if column.kind == "text":
            return texts.to_numpy(object)
        return self._numbers(column, source, texts)

    def _days(self, column: Column, source: Source, texts: pd.Series) -> Any:
        found = values.days(texts, source.date)
        if found.bad.any() and self._other_order(column, source, texts, found.bad):
            found = values.days(texts.where(texts.isna()), source.date)
        self._unread(column.name, source, texts, found.bad, f"a day as {source.date}")
        known = (found.first == found.last).to_numpy()
        self.partial[column.name] = found
        iso = found.first.dt.strftime("%Y-%m-%d")
        changed = known & (iso != texts).to_numpy()
        self.log.keep(
            self.table,
            self.row[changed],
            column.name,
            texts[changed],
            source.date,
            iso[changed],
            "yyyy-mm-dd",
        )
        return found.first.where(known).to_numpy()

    def _other_order(self, column: Column, source: Source, texts: pd.Series, bad: NDArray) -> bool:
        """Whether some days can't be read, and all can with day and month the other way round: one fatal fault.

        Read as stated, the other cells would be wrong without a word.
        """
        other = re.sub("mm|dd", lambda part: "dd" if part[0] == "mm" else "mm", source.date)
        if "mm" not in source.date or values.days(texts, other).bad.any():
            return False
        some, first = int(texts.notna().sum()), _cut(texts[bad].iloc[0])
        self.log.fatal.append(
            f"{self.where}, column {source.header or column.name}: {int(bad.sum())} of "
            f"{counted(some, 'cell', 'cells')} can't be read as {source.date}, "
            f"such as {first!r} in row {_few(self.row[bad])}, and all can as "
            f"{other}; allowed: the format in which the column is written"
        )
        return True

    def _words(self, column: Column, source: Source, texts: pd.Series) -> Any:
        coding = dict(source.values)
        if column.name == "dipstick":
            coding = {**{text: DIPSTICK[int(grade)] for text, grade in GRADES.items()}, **coding}
        if self.table == "disposition" and column.name == "reason":
            return texts.to_numpy(object)
        if self.table == "disposition" and column.name == "status":
            coding = {
                "still followed": "ongoing",
                "in follow-up": "ongoing",
                "screen failure": "",
                "discontinued": "left",
                "withdrawn": "left",
                **coding,
            }
            if not source.values:
                left = [text for text in texts.dropna().unique() if values.plain(text).lower() in ENDS]
                coding |= {text: "left" for text in left}
        if self.table == "labs" and column.name == "qualifier":
            coding = {"<=": "<", ">=": ">", **coding}
        gone = [text for text, word in coding.items() if word == ""]
        found, bad = values.words(values.without_missing(texts, gone), column.values, coding)
        bad &= found.isna().to_numpy()
        self._unread_words(column, source, texts, bad)
        changed = found.notna().to_numpy() & (found != texts).to_numpy()
        self.log.keep(self.table, self.row[changed], column.name, texts[changed], "", found[changed], "")
        return found.to_numpy(object)

    def _unread_words(self, column: Column, source: Source, texts: pd.Series, bad: NDArray) -> None:
        if not bad.any():
            return
        some = int(texts.notna().sum())
        if bad.sum() > MOSTLY * some:
            words = ", ".join(repr(_cut(word)) for word in list(dict.fromkeys(texts[bad]))[:5])
            self.log.fatal.append(
                f"{self.where}, column {source.header}: {int(bad.sum())} of {counted(some, 'cell', 'cells')} "
                f"{'is' if bad.sum() == 1 else 'are'} no {column.name}, such as {words}; allowed: "
                f"{column.allowed}; or `values:` in the mapping"
            )
            return
        self._ask_cells(
            f"{self.table}.word", column.name, texts, bad, column.allowed,
            "A word that is not known says nothing", "unknown word is missing",
        )  # fmt: skip

    def _numbers(self, column: Column, source: Source, texts: pd.Series) -> Any:
        if source.values:
            coding = {values.plain(text).lower(): word for text, word in source.values.items()}
            texts = texts.map(lambda text: coding.get(values.plain(text).lower(), text) if text else text)
        if self.table in ("visits", "labs") and column.name == "visit_no":
            return self._visits(source, texts)
        found = values.numbers(texts, source.decimal, source.below, source.above)
        bad = found.bad | (~np.isnan(found.value) & np.isinf(found.value))
        if column.kind == "whole":
            bad |= ~np.isnan(found.value) & (found.value % 1 != 0)
        self._unread(column.name, source, texts, bad, column.allowed)
        value = self._converted(column.name, source.unit, texts, found, ~bad)
        return self._within(column, source, texts, value)

    def _converted(
        self, column: str, unit: str, texts: pd.Series, found: values.Numbers, good: NDArray
    ) -> NDArray:
        factor = (units.factor(column, unit) if unit else None) or 1.0
        value = np.where(good, units.convert(found.value, factor), np.nan)
        beyond = good & (found.sign != None)  # noqa: E711
        changed = good & ~np.isnan(value) & ((factor != 1) | beyond)
        home = units.canonical(column) if column in units.FACTORS else ""
        self.log.keep(
            self.table, self.row[changed], column, texts[changed], unit or home, value[changed], home
        )
        self._ask_cells(
            f"{self.table}.quantification", column, texts, beyond, "a value within the range of quantification",
            "A value beyond quantification is known to be smaller or larger only", "limit stands", NOTE,
        )  # fmt: skip
        return value

    def _within(self, column: Column, source: Source, texts: pd.Series, value: NDArray) -> NDArray:
        low = -np.inf if column.low is None else column.low
        high = np.inf if column.high is None else column.high
        out = (value < low) | (value > high)
        if not out.any():
            return value
        self._outside(column.name, source.header, texts, value, out, low, high)
        return np.where(out, np.nan, value)

    def _outside(self, name: str, header: str, texts: pd.Series, value: NDArray, out: NDArray, low: float, high: float,
                 visit: NDArray | None = None) -> None:  # fmt: skip
        home = units.canonical(name) if name in units.FACTORS else ""
        if out.sum() > MOSTLY * np.sum(~np.isnan(value)) and np.sum(out) > 2:
            middle = float(np.median(value[out]))
            self.log.fatal.append(
                f"{self.where}, column {header}: {counted(int(out.sum()), 'value', 'values')} of {name} "
                f"{'lies' if out.sum() == 1 else 'lie'} outside {plain(low)} to "
                f"{plain(high)} {home}, half of them {'above' if middle > high else 'below'} {plain(middle)}"
                f"{_guess(name, middle, low, high)}; state the unit in which they are"
            )
            return
        rows = self._rows(out)
        if visit is not None:
            rows["visit_no"] = visit[out]
        expected = [
            f"{plain(low)} to {plain(high)} {home}{_guess(name, v, low, high)}".strip() for v in value[out]
        ]
        self.log.ask(
            f"{self.table}.limits", self.table, rows, "value" if self.table == "labs" else name, expected,
            "A value that the measure can't take is misread, or in another unit", "outside limits is missing",
            [f"{_cut(text)} for {name}" for text in texts[out]],
        )  # fmt: skip

    def _visits(self, source: Source, texts: pd.Series) -> NDArray:
        """Numbers of visits by their names or numbers; -1 for an unscheduled one, NaN where nothing is said."""
        names = {values.plain(v).lower(): float(number) for number, v in VISIT_NAMES.items()}
        aside = {values.plain(word).lower() for word in self.part.unscheduled}
        codes, uniques = pd.factorize(texts)
        read = []
        for text in uniques:
            key = values.plain(str(text)).lower()
            number = names.get(key, float(key) if re.fullmatch(r"[0-9]+(\.0*)?", key) else np.nan)
            read.append(-1.0 if key in aside or not 0 <= number <= 12 else number)
        return np.array([*read, np.nan])[codes]

    def _ends(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Reasons for leaving, in the codebook's or CDISC's words; one that is neither is unknown, and asked for."""
        source = self.part.columns.get("reason")
        allowed = next(c.values for c in TABLES["disposition"].columns if c.name == "reason")
        texts = frame["reason"]
        coding = {**ENDS, **(dict(source.values) if source else {})}
        found, bad = values.words(texts, allowed, coding)
        done = texts.map(lambda t: isinstance(t, str) and values.plain(t).lower() in FINISHED).to_numpy(bool)
        bad &= ~done
        rows = frame[bad]
        self.log.ask(
            "disposition.term", "disposition", rows, "reason", f"one of: {', '.join(allowed)}",
            "A reason that the plan does not know can't be told apart", "unknown reason",
            HIDDEN if self.blinded else [repr(_cut(text)) for text in texts[bad]],
        )  # fmt: skip
        changed = (found.notna() & (found != texts)).to_numpy() | bad
        shown = texts.where(~bad, HIDDEN) if self.blinded else texts
        self.log.keep("disposition", frame["_row"][changed], "reason", shown[changed], "", found[changed], "")
        frame["reason"] = found
        failed = texts.map(
            lambda t: isinstance(t, str) and values.plain(t).lower() == "screen failure"
        ).to_numpy(bool)
        if "status" in self.part.columns:
            raw = self._texts(self.part.columns["status"]).reset_index(drop=True)
            failed |= raw.map(
                lambda t: isinstance(t, str) and values.plain(t).lower() == "screen failure"
            ).to_numpy(bool)
        return frame[~failed].reset_index(drop=True)

    def _long(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Laboratory rows, a test each: tests that the codebook does not know are left out and counted."""
        sources = self.part.columns
        tests = self._texts(sources["test"]) if "test" in sources else self._nothing()
        coding = dict(sources["test"].values) if "test" in sources else {}
        named, other = values.words(tests, tuple(UNITS), coding)
        frame["test"] = named.to_numpy(object)
        self.further = sorted({_cut(text) for text in tests[other].unique()})
        texts = self._texts(sources["value"]) if "value" in sources else self._nothing()
        keep = frame["test"].notna().to_numpy() & texts.notna().to_numpy()
        unit = self._units(sources, frame["test"], keep)
        frame["value"], frame["qualifier"], frame["_sent"] = self._measured(
            frame, texts, unit, keep, sources.get("value")
        )
        frame["unit"] = frame["test"].map(UNITS)
        return frame[keep & frame["value"].notna().to_numpy()].reset_index(drop=True)

    def _units(self, sources: Any, tests: pd.Series, keep: NDArray) -> NDArray:
        """Unit of each row, as sent; every unknown one is fatal."""
        by = dict(sources["value"].units) if "value" in sources else {}
        texts = self._texts(sources["unit"]) if "unit" in sources else self._nothing()
        coding = (
            {values.plain(k).lower(): v for k, v in sources["unit"].values.items()}
            if "unit" in sources
            else {}
        )
        sent = texts.map(lambda t: coding.get(values.plain(t).lower(), t) if isinstance(t, str) else t)
        out = sent.where(sent.notna().to_numpy(), tests.map(by).to_numpy(object)).to_numpy(object)
        out = np.where((tests == "dipstick").to_numpy() & pd.isna(out), "grade", out)
        pairs = pd.DataFrame({"test": tests.to_numpy(object), "unit": out, "row": self.row})[keep]
        for (test, unit), rows in pairs.groupby(["test", "unit"], dropna=False, sort=True):
            if isinstance(unit, str) and (units.factor(test, unit) is not None or test == "dipstick"):
                continue
            found = f"unit {_cut(unit)!r}" if isinstance(unit, str) else "no unit"
            why = (
                f" ({units.UNCONVERTED[test]})" if test in units.UNCONVERTED and isinstance(unit, str) else ""
            )
            self.log.fatal.append(
                f"{self.where}: {test} has {found} in {counted(len(rows), 'row', 'rows')}, first in row "
                f"{_few(rows['row'])}; allowed: {', '.join(units.known(test))}{why}"
            )
        return out

    def _measured(
        self, frame: pd.DataFrame, texts: pd.Series, unit: NDArray, keep: NDArray, source: Source | None
    ) -> tuple:
        if not len(frame):
            return np.zeros(0), np.zeros(0, object), np.zeros(0, object)
        source = source or Source("value")
        is_grade = (frame["test"] == "dipstick").to_numpy() & keep
        found = values.numbers(texts.where(~is_grade, None), source.decimal, source.below, source.above)
        value, sign = found.value.copy(), found.sign.copy()
        if is_grade.any():
            value[is_grade] = self._grades(texts[is_grade])
        sent = frame["qualifier"].to_numpy(object)
        sign = np.where(pd.isna(sign), sent, sign)
        sign = np.array([None if pd.isna(s) else s for s in sign], object)
        bad = keep & np.isnan(value)
        if bad.any():
            self._unread("value", source, texts.where(keep, None), bad, "a number")
        codes, pairs = pd.factorize(pd.MultiIndex.from_arrays([frame["test"].astype(object), unit]))
        by = np.array(
            [units.factor(t, u) if isinstance(t, str) and isinstance(u, str) else np.nan for t, u in pairs],
            float,
        )
        factor = np.where(is_grade, 1.0, by[codes] if len(by) else 1.0)
        out = units.convert(value, np.where(np.isnan(factor), 1.0, factor))
        good = keep & ~np.isnan(out)
        visit = frame["visit_no"].to_numpy(float)
        for test in UNITS:
            low, high = LAB_LIMITS[test]
            mine = good & (frame["test"] == test).to_numpy()
            wrong = mine & ((out < low) | (out > high))
            if wrong.any():
                self._outside(
                    test, source.header or test, texts, np.where(mine, out, np.nan), wrong, low, high, visit
                )
                out = np.where(wrong, np.nan, out)
        beyond = good & ~pd.isna(sign) & ~np.isnan(out)
        changed = good & ~np.isnan(out) & ((factor != 1) | (beyond & pd.isna(sent)) | is_grade)
        changed &= ~(is_grade & (texts == pd.Series(out, index=texts.index).map("{:g}".format)).to_numpy())
        home = frame["test"].map(UNITS).to_numpy(object)
        shown = np.where(pd.isna(unit), home, unit)
        self.log.keep(
            "labs", self.row[changed], "value", texts[changed], shown[changed], out[changed], home[changed]
        )
        rows = frame[beyond]
        self.log.ask(
            "labs.quantification", "labs", rows, "value", "a value within the range of quantification",
            "A value beyond quantification is known to be smaller or larger only", "limit stands",
            [f"{_cut(t)} for {test}" for t, test in zip(texts[beyond], rows["test"], strict=True)], NOTE,
        )  # fmt: skip
        # as it stands in the file, for what is asked of the row
        units_ = np.where(is_grade, "", shown)
        whole = [
            f"{'' if pd.isna(q) else q}{_cut(t)} {u}".strip() if k else None
            for q, t, u, k in zip(sent, texts, units_, keep, strict=True)
        ]
        return out, sign, np.array(whole, object)

    def _grades(self, texts: pd.Series) -> NDArray:
        coding = self.part.wide["dipstick"].values if "dipstick" in self.part.wide else {}
        coding = {values.plain(k).lower(): GRADES.get(v, np.nan) for k, v in coding.items()}
        coding = {**{values.plain(k).lower(): v for k, v in GRADES.items()}, **coding}
        return texts.map(lambda text: coding.get(values.plain(text).lower(), np.nan)).to_numpy(float)

    def _wide(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A row a sample with a column a test, as a row a test."""
        parts, rows, cells = [], self.row, self.cells
        for test, source in self.part.wide.items():
            if source.constant is None and source.header not in cells:
                continue
            here = frame.assign(test=test)
            texts = self._texts(source)
            keep = texts.notna().to_numpy()
            unit = np.full(len(here), source.unit or UNITS[test], object)
            here["value"], here["qualifier"], here["_sent"] = self._measured(here, texts, unit, keep, source)
            here["unit"] = UNITS[test]
            parts.append(here[keep & here["value"].notna().to_numpy()])
        self.row = rows
        if not parts:
            return frame.assign(test=None, value=np.nan, unit=None).head(0)
        return pd.concat(parts, ignore_index=True)


def _guess(name: str, value: float, low: float, high: float) -> str:
    """Which slip of unit or point would bring a value within its limits."""
    fits = [
        words
        for ratio, words in units.slips(name)
        if low <= value / ratio <= high and words.startswith("as if")
    ]
    return f" ({', or '.join(fits[:2])})" if fits else ""


def _cut(text: Any) -> str:
    words = str(text)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _few(rows: Any) -> str:
    some = (
        [str(int(row)) for row in rows[:3]]
        if isinstance(rows, np.ndarray)
        else [str(int(r)) for r in list(rows)[:3]]
    )
    return ", ".join(some) + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")
