"""A proposal of the mapping, from the names of columns and the look of their cells; what may tell the arm stays shut.

    python -m helpers.intake.propose FOLDER         prints it; intakes/<name>.yaml is written where there is none

What is guessed says so. A unit that no name states, and a format in which day and month could be exchanged, are not
guessed: the proposal shows the evidence and leaves a "?" that the intake refuses until it is answered.
"""

import csv
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import ROOT, Problem
from helpers.intake import blinding, headers, mapping, sources, stanza, units, values
from helpers.intake.delivery import slug
from helpers.intake.opening import DERIVED
from helpers.intake.stanza import quoted
from helpers.study import files
from helpers.study.checks.single import VISIT_NAMES
from helpers.study.codebook import Column
from helpers.study.shown import plain
from helpers.study.wording import counted

FORMS = ("yyyy-mm-dd", "yyyy/mm/dd", "yyyymmdd", "yyyy年mm月dd日", "dd/mm/yyyy", "mm/dd/yyyy", "dd-mm-yyyy",
         "mm-dd-yyyy", "dd.mm.yyyy", "mm.dd.yyyy", "dd-mon-yyyy", "ddmonyyyy", "dd mon yyyy")  # fmt: skip

WORDS = {
    "male": ("m", "male", "boy", "男"), "female": ("f", "female", "girl", "女"),
    "yes": ("y", "yes", "true", "是", "有"), "no": ("n", "no", "false", "否", "无"),
    "positive": ("pos", "positive", "阳性", "+"), "negative": ("neg", "negative", "阴性", "-"),
    "mild": ("mild", "轻度"), "moderate": ("moderate", "中度"), "severe": ("severe", "重度"),
}  # fmt: skip
"""How values are written that mean one thing wherever they stand."""

REVEALING = (*blinding.REVEALING, "randomisation.arm")
CLOSED = "randomisation"
WANTED = (("infusions", "date"), ("visits", "date"), ("labs", "date"), ("disposition", "date"))
"""Columns worth asking for although an export may lack them."""

MISSING = (
    "NA",
    "N/A",
    "NK",
    "UNK",
    "UNKNOWN",
    "ND",
    "NOT DONE",
    ".",
    "未查",
    "未知",
    "不详",
    "未做",
    "ongoing",
    "持续",
)


@dataclass(frozen=True)
class Sheet:
    """A file or sheet: place, how it is read, and the names of its columns; no cell of it has been looked at."""

    file: str
    sheet: str | None
    header: int
    encoding: str
    delimiter: str
    names: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.file}, sheet {self.sheet}" if self.sheet else self.file


def propose(folder: Path, unblinded: bool = False) -> tuple[str, list[str]]:
    """The proposed mapping of a folder as text, and what can't be guessed, a line each. The folder is only read.

    unblinded: whether what tells the arm may be opened. Raises Problem where there is no folder, and where nothing in
    it is like any of our tables.
    """
    if not folder.is_dir():
        raise Problem(f"{folder} is no folder; allowed: the folder that holds the export")
    seen, shut, faults = _look(folder, unblinded)
    chosen: dict[str, list[tuple[float, Sheet]]] = {}
    unused = []
    for one in seen:
        table, score = headers.table_of(f"{one.file} {one.sheet or ''}", list(one.names))
        if table is None:
            unused.append(one)
        else:
            chosen.setdefault(table, []).append((score, one))
    if not chosen and not shut:
        raise Problem("\n".join([
            f"{folder} holds no table of ours; allowed: a folder with files of the kinds "
            f"{', '.join(sources.KINDS)}, whose rows name a child", *(f"not read: {fault}" for fault in faults),
            *(f"like none of our tables: {one.where}: {', '.join(one.names)[:200]}" for one in unused),
        ]))  # fmt: skip
    kept = [one.file for some in chosen.values() for _, one in some] + [one.file for one in shut]
    lines = [
        f"description: Export {folder.resolve().name}".replace("#", " "),
        *stanza.origin(folder, sorted(set(kept))),
        "# Proposed by make intake. Lines marked 'guessed' are to be looked at; a ? is to be answered.",
    ]
    asks: list[str] = []
    lines += [
        "# extracted: 2027-01-31    # the day of the export: what lies after it is in the future",
        "# unblinded: 2027-01-31    # only once the trial is: until then arms are dummy arms",
        "tables:",
    ]
    for table in mapping.RAW:
        some = sorted(chosen.get(table, []), key=lambda pair: -pair[0])
        if not some:
            if table == CLOSED and not unblinded:
                lines += stanza.of_list([(one.file, one.sheet) for one in shut])
            else:
                lines.append(f"  # {table}: found nothing like it")
            continue
        if table != "labs":
            unused += [one for _, one in some[1:]]
            some = some[:1]
        lines.append(f"  {table}:")
        for _, one in some:
            body = _table(table, one, folder, asks, unblinded)
            first = "    - " if table == "labs" else "    "
            rest = "      " if table == "labs" else "    "
            lines += [(first if k == 0 else rest) + line for k, line in enumerate(body)]
    for one in unused:
        lines.append(f"# not used: {one.where}: {', '.join(one.names)[:200]}")
    lines += [f"# left shut, since its name may tell the arm: {one.where}" for one in shut]
    lines += [f"# not readable: {fault}" for fault in faults]
    return "\n".join(lines) + "\n", asks


def _look(folder: Path, unblinded: bool) -> tuple[list[Sheet], list[Sheet], list[str]]:
    """Every file and sheet that may be opened; those left shut; those that can't be read."""
    seen, shut, faults = [], [], []
    for name in sorted(os.listdir(folder)):
        if Path(name).suffix.lower() not in sources.KINDS or name.startswith((".", "~$")):
            continue
        if not unblinded and blinding.tells(Path(name).stem):
            shut.append(Sheet(name, None, 1, "utf-8", ",", ()))
            continue
        try:
            path = sources.place(folder, name)
            if path.suffix.lower() in (".xlsx", ".xlsm"):
                for sheet in sources.sheets(path):
                    if not unblinded and blinding.tells(sheet):
                        shut.append(Sheet(name, sheet, 1, "utf-8", ",", ()))
                    else:
                        seen.append(_sheet(path, sheet))
            else:
                seen.append(_sheet(path, None))
        except sources.Unreadable as error:
            faults.append(str(error))
    return [one for one in seen if one is not None], shut, faults


def _sheet(path: Path, sheet: str | None) -> Sheet | None:
    """The names of the columns of a file or sheet; None where it has none."""
    encoding, delimiter = ("utf-8", ",")
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        encoding, delimiter = _written(path)
    for header in range(1, 8):
        try:
            found = sources.read(
                path, lambda _: True, sheet=sheet, header=header, encoding=encoding, delimiter=delimiter, limit=1
            )  # fmt: skip
        except sources.Unreadable:
            if header == 7:
                raise
            continue
        if len(found.closed) >= 3:
            return Sheet(path.name, sheet, header, encoding, delimiter, found.closed)
    return None


def _opened(one: Sheet, folder: Path, wanted: Sequence[str]) -> pd.DataFrame:
    """The cells of the columns that a proposal must look at, and of no other."""
    keep = set(wanted)
    return sources.read(
        sources.place(folder, one.file), lambda header: header not in keep, sheet=one.sheet, header=one.header,
        encoding=one.encoding, delimiter=one.delimiter,
    ).frame  # fmt: skip


def _written(path: Path) -> tuple[str, str]:
    """Encoding and delimiter of a text file."""
    content = path.read_bytes()
    encoding = "gb18030"
    for codec in ("utf-8", "gb18030"):
        try:
            text = content.decode(codec)
            encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else codec
            break
        except UnicodeDecodeError:
            continue
    else:
        raise sources.Unreadable(f"{path.name} is written neither in UTF-8 nor in GB18030")
    line = next(iter(text.lstrip("\ufeff").splitlines()), "")
    counts = {
        sign: sum(1 for _ in next(csv.reader([line], delimiter=sign), [])) for sign in (",", ";", "\t", "|")
    }
    return encoding, max(counts, key=lambda sign: counts[sign])


def _table(table: str, one: Sheet, folder: Path, asks: list[str], unblinded: bool) -> list[str]:
    lines = [f"file: {quoted(one.file)}"]
    if one.sheet is not None:
        lines.append(f"sheet: {quoted(one.sheet)}")
    if one.header > 1:
        lines.append(f"header: {one.header}")
    if one.encoding != "utf-8":
        lines.append(f"encoding: {one.encoding}")
    if one.delimiter != ",":
        lines.append(f"delimiter: {'tab' if one.delimiter == chr(9) else quoted(one.delimiter)}")
    found = headers.matched(table, list(one.names))
    shut = {
        column: name for column, name in found.items()
        if not unblinded and (f"{table}.{column}" in REVEALING or table == CLOSED)
    }  # fmt: skip
    tests: dict[str, str] = {}
    if table == "labs" and "value" not in found:
        for name in one.names:
            test = headers.test_of(name)
            if test and test not in tests:
                tests[test] = name
    open_ = {c: n for c, n in found.items() if c not in shut and n not in tests.values()}
    frame = _opened(one, folder, [*open_.values(), *tests.values()])
    comma = one.delimiter != "," and _comma(frame)
    if comma:
        lines.append('decimal: ","  # guessed from cells such as 1,5')
    missing = _missing(frame, table)
    if missing:
        lines.append(f"missing: [{', '.join(quoted(word) for word in missing)}]  # guessed")
    lines.append("columns:")
    allowed = mapping.columns(table)
    for column, name in open_.items():
        lines.append("  " + _column(table, allowed[column], name, frame, one.where, asks, missing, comma))
    for column, name in shut.items():
        lines.append(
            f"  {column}: {_shut(allowed[column], name, name == column and one.file == f'{table}.csv')}"
        )
    for column in stanza.CLOSED if table == "infusions" else ():
        if column not in found:
            lines.append(_no_dose(column, one, asks) if unblinded else stanza.of_dose(column, one.names))
    there = {*found, *tests, *(("test", "value") if tests else ())}
    rest = [n for n in one.names if n not in {*found.values(), *tests.values()}]
    lines += _not_found(table, there, one, asks)
    lines += _unlike(table, there, rest, one, asks)
    if table == "labs" and "value" in found and "unit" not in found and "test" in found:
        lines += _units_of(frame, found, one.where, asks, comma)
    if tests:
        lines.append("wide:")
        for test, name in tests.items():
            of_test = Column(test, "number", "", headers.UNITS[test])
            lines.append("  " + _column("labs", of_test, name, frame, one.where, asks, missing, comma))
    if rest:
        lines.append(f"# not opened, since it is like none of our columns: {_listed(rest)}")
    return lines


def _shut(column: Column, name: str, as_in_codebook: bool) -> str:
    """A line for a column that tells the arm: its name alone. Its unit is the name's, the codebook's, or asked for."""
    if column.name in units.FACTORS:
        stated = headers.unit_in(name)
        if stated and units.factor(column.name, stated) is not None:
            return f"{{source: {quoted(name)}, unit: {quoted(stated)}}}  # not opened while blinded"
        if as_in_codebook:
            return (
                f"{{source: {quoted(name)}, unit: {quoted(units.canonical(column.name))}}}  # guessed: the file is "
                "named as in the codebook; not opened while blinded"
            )
        return (
            f'{{source: {quoted(name)}, unit: "?"}}  # ignored while blinded; once unblinded make intake shows the '
            f"evidence: {' or '.join(units.known(column.name))}"
        )
    return f"{quoted(name)}  # not opened while blinded; state values: when unblinded"


def _no_dose(column: str, one: Sheet, asks: list[str]) -> str:
    """A line for what an infusion held, where no column is named like it."""
    asks.append(f"{one.where}: which column is {column}? columns: {_listed(one.names)}; without it the "
                "analysis goes on by a named rule")  # fmt: skip
    return f'  # {column}: "?"  # ? {asks[-1]}'


def _missing(frame: pd.DataFrame, table: str) -> list[str]:
    words = {word.upper() for word in MISSING}
    known = {word.upper() for column in mapping.columns(table).values() for word in column.values}
    found = {text for name in frame for text in frame[name].dropna().unique()}
    return sorted(text for text in found if text.upper() in words - known)


def _not_found(table: str, found: set[str], one: Sheet, asks: list[str]) -> list[str]:
    """Lines for columns that the intake can't do without."""
    lines = []
    for name, column in mapping.columns(table).items():
        spared = column.empty or name in DERIVED.get(table, ())
        if name in found or (spared and (table, name) not in WANTED):
            continue
        asks.append(f"{one.where}: which column is {name} ({column.meaning}; {column.allowed})? columns: "
                    f"{_listed(one.names)}")  # fmt: skip
        lines.append(f'  {"# " if spared else ""}{name}: "?"  # ? {asks[-1]}')
    return lines


def _listed(names: Iterable[str]) -> str:
    """Names of columns, whole ones, as many as a line holds."""
    text, some = "", list(names)
    for place, name in enumerate(some):
        if len(text) + len(name) > 300:
            return f"{text} and {len(some) - place} more"
        text += f", {name}" if text else name
    return text


def _unlike(table: str, found: set[str], rest: list[str], one: Sheet, asks: list[str]) -> list[str]:
    """Lines for columns that may be left out, where the file has columns that are like none of ours."""
    lacks = [
        column
        for name, column in mapping.columns(table).items()
        if name not in found and column.empty and (table, name) not in WANTED
        and f"{table}.{name}" not in REVEALING and not (table == "labs" and name == "qualifier")
    ]  # fmt: skip
    if not lacks or not rest:
        return []
    more = "; a criterion that needs one is unknown for every child" if table == "screening" else ""
    asks.append(
        f"{one.where}: is one of these columns one of ours? not opened: {_listed(rest)}; without a line is "
        f"{_listed(c.name for c in lacks)}: unknown for every child{more}"
    )
    return [
        f"  # ? {asks[-1]}",
        *(f'  # {column.name}: "?"  # {column.meaning}; {column.allowed}' for column in lacks),
    ]


def _column(
    table: str, column: Column, name: str, frame: pd.DataFrame, where: str, asks: list[str], missing: list[str],
    comma: bool,
) -> str:  # fmt: skip
    texts = values.without_missing(frame[name], ["", *missing])
    exact = name == column.name
    note = "" if exact or headers.bare(name) == headers.bare(column.name) else "  # guessed"
    parts = [f"source: {quoted(name)}"]
    if column.kind == "date":
        form, ask = _form(texts, f"{where}, {name}")
        if form != "yyyy-mm-dd":
            parts.append(f'date: "{form}"')
        if ask:
            asks.append(ask)
            note = "  # ? " + ask
    elif column.name in ("visit_no",):
        coding = _visits(texts)
        if coding:
            parts.append("values: {" + ", ".join(f"{quoted(k)}: {v}" for k, v in coding.items()) + "}")
            note = "  # guessed"
        unknown = [t for t in texts.dropna().unique() if t not in coding and not re.fullmatch(r"\d+", t)
                   and values.plain(t).lower() not in {v.lower() for v in VISIT_NAMES.values()}]  # fmt: skip
        if unknown:
            few = ", ".join(map(repr, unknown[:6]))
            asks.append(f"{where}, {name}: which visits are {few}? those of no plan go into `unscheduled:`")
            note = "  # ? " + asks[-1]
    elif column.name == "test":
        tests = {t: headers.test_of(t) for t in texts.dropna().unique() if t not in headers.UNITS}
        named = {t: test for t, test in tests.items() if test}
        if named:
            parts.append("values: {" + ", ".join(f"{quoted(k)}: {v}" for k, v in named.items()) + "}")
            note = "  # guessed"
    elif column.values and column.name not in ("unit", "qualifier"):
        note = _coded(column, texts, parts, f"{where}, {name}", asks) or note
    elif column.name in units.FACTORS and column.name != "dipstick":
        stated = headers.unit_in(name)
        if not stated and exact and where.startswith(f"{table}.csv"):
            stated, note = units.canonical(column.name), "  # guessed: the file is named as in the codebook"
        if stated and units.factor(column.name, stated) is not None:
            parts.append(f"unit: {quoted(stated)}")
        else:
            asks.append(_unit_evidence(column.name, texts, f"{where}, {name}", comma))
            parts.append('unit: "?"')
            note = "  # ? " + asks[-1]
    if len(parts) == 1:
        return f"{column.name}: {quoted(name)}{note}"
    return f"{column.name}: {{{', '.join(parts)}}}{note}"


def _units_of(
    frame: pd.DataFrame, found: dict[str, str], where: str, asks: list[str], comma: bool
) -> list[str]:
    """Lines for the units of long laboratory rows that have no column of units."""
    lines = ["  # value needs units, a line a test, as  value: {source: ..., units: {upcr: mg/mmol}}"]
    tests = frame[found["test"]].map(lambda t: headers.test_of(t) if isinstance(t, str) else None)
    for test in dict.fromkeys(tests.dropna()):
        if test != "dipstick":
            texts = frame.loc[tests == test, found["value"]]
            asks.append(_unit_evidence(test, texts, f"{where}, {test}", comma))
            lines.append("  # ? " + asks[-1])
    return lines


def _form(texts: pd.Series, where: str) -> tuple[str, str]:
    """The one format that reads a column's days; "?" and the evidence where two read all that one does."""
    some = texts.dropna()
    if not len(some):
        return "yyyy-mm-dd", ""
    read = {form: int((~values.days(some, form).bad).sum()) for form in FORMS}
    best = max(read.values())
    if best < len(some) / 2:
        return "?", f"{where}: in which format are days such as {some.iloc[0]!r}?"
    likely = [form for form in FORMS if read[form] == best]
    iso = "yyyy-mm-dd" in likely
    exchanged = [form for form in likely if form[:2] in ("dd", "mm") and "mon" not in form]
    if not iso and len({form[:2] for form in exchanged}) > 1:
        distinct = some.drop_duplicates()
        return "?", (
            f"{where}: day first or month first? {'The one day' if len(some) == 1 else f'All {len(some)} days'} "
            f"can be read both ways, such as "
            f"{', '.join(map(repr, distinct.head(3)))}; state date: {' or '.join(exchanged)}"
        )
    return likely[0], ""


def _coded(column: Column, texts: pd.Series, parts: list[str], where: str, asks: list[str]) -> str:
    coding, unknown = {}, []
    known = {word.lower() for word in column.values}
    for text in dict.fromkeys(texts.dropna()):
        if values.plain(text).lower() in known:
            continue
        word = next((w for w in column.values if values.plain(text).lower() in WORDS.get(w, ())), None)
        if column.name == "dipstick" or column.name in ("status", "reason"):
            continue
        if word:
            coding[text] = word
        else:
            unknown.append(text)
    if unknown:
        few = ", ".join(map(repr, unknown[:6]))
        asks.append(f"{where}: what do {few} mean? allowed: {', '.join(column.values)}; state values:")
        coding |= {text: "?" for text in unknown[:20]}
    if not coding:
        return ""
    parts.append("values: {" + ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in coding.items()) + "}")
    return f"  # ? {asks[-1]}" if unknown else "  # guessed"


def _visits(texts: pd.Series) -> dict[str, int]:
    """Numbers of visits that are written as V1, Visit 2 or 访视3, where no other number may be meant."""
    out = {}
    for text in texts.dropna().unique():
        found = re.fullmatch(r"(?:v|visit|访视)\s*0*(\d{1,2})", values.plain(text).lower())
        if found and int(found[1]) <= 12:
            out[text] = int(found[1])
    return out


def _unit_evidence(test: str, texts: pd.Series, where: str, comma: bool) -> str:
    found = values.numbers(texts.dropna(), "," if comma else ".").value
    # what is zero is zero in every unit
    found = found[~np.isnan(found) & (found != 0)]
    if not len(found):
        return f"{where}: in which unit is {test}? allowed: {', '.join(units.known(test))}"
    low, middle, high = (float(np.quantile(found, q)) for q in (0, 0.5, 1))
    told = "; ".join(
        f"in {unit} the median would be {plain(middle * factor, 3)} {units.canonical(test)}"
        for unit, factor in list(units.FACTORS[test].items())[:5]
    )
    return (
        f"{where}: in which unit is {test}? {counted(len(found), 'value', 'values')} from {plain(low, 3)} to "
        f"{plain(high, 3)}, median {plain(middle, 3)}; {told}; state unit: {' or '.join(units.known(test))}"
    )


def _comma(frame: pd.DataFrame) -> bool:
    some = (
        pd.concat([frame[name].dropna().head(200) for name in frame]) if len(frame.columns) else pd.Series([])
    )
    return bool(some.map(lambda t: bool(re.fullmatch(r"-?\d+,\d+", t))).any())


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0]:
        print("usage: make intake DATA=folder", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).expanduser()
    try:
        path = ROOT / "intakes" / f"{slug(folder.resolve().name)}.yaml"
        stated = os.environ.get("MAPPING") or ""
        mine = Path(stated).expanduser() if stated else path
        old = mine.read_text("utf-8-sig") if mine.is_file() else ""
        unblinded = stanza.is_unblinded(old)
        text, asks = propose(folder, unblinded)
        other = "" if stated or not path.is_file() else stanza.of_another(path, folder)
        if other:
            raise Problem(f"{other}; rename or remove it, or state MAPPING=another.yaml")
        if path.parent.is_symlink():
            raise Problem("intakes is a link; put a folder in its place")
        if unblinded:
            asks = _unblind(folder, mine, old, text, asks)
        else:
            print(text)
            if path.exists() or path.is_symlink():
                print(f"intakes/{path.name} exists and stays as it is")
            else:
                files.write(path, text)
                print(f"written: intakes/{path.name}")
    except (OSError, UnicodeDecodeError) as error:
        print(f"intake: the mapping can't be read: {type(error).__name__}", file=sys.stderr)
        return 2
    except Problem as error:
        print(f"intake: {error}", file=sys.stderr)
        return 2
    if asks:
        print(f"\nTo be answered, {counted(len(asks), 'line', 'lines')} with a ?:")
        for ask in asks:
            print(f"- {ask}")
    return 0


def _unblind(folder: Path, mine: Path, old: str, text: str, asks: list[str]) -> list[str]:
    """Say, and write beside the mapping, what was closed until the day of unblinding; gives what is to be answered."""
    whole, lines = stanza.completed(old, text)
    if not lines:
        print(f"{mine.name} is unblinded and lacks nothing of what was closed; it stays as it is")
        return []
    print(f"{mine.name} is unblinded, and stays as it is. What was closed until then, to be put into it:\n")
    print("\n".join(lines))
    made = ROOT / "intakes" / f"{mine.stem}.unblinded.yaml"
    data = shlex.quote(str(folder))
    if not whole:
        print(f"\nPaste these lines below `tables:`, and run make report DATA={data}")
    elif made.exists() or made.is_symlink():
        print(f"\nintakes/{made.name} exists and stays as it is; remove it to have it written again")
    else:
        files.write(made, whole)
        print(f"\nwritten: intakes/{made.name}, {mine.name} with these lines. Look at them, answer each ?, and run "
              f"make report DATA={data} MAPPING=intakes/{made.name}")  # fmt: skip
    told = "\n".join(lines)
    return [ask for ask in asks if ask in told or ask.partition("; state values:")[0] in told]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
