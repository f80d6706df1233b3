"""Opens the files of a mapping, and none that is closed; says of each what came in, what was left, and why."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from helpers.intake import sources, values
from helpers.intake.convert import Converter
from helpers.intake.log import Log
from helpers.intake.mapping import Mapped, Part, Source, columns

RECEIVED = ("file", "sheet", "table", "rows", "sha256", "used", "ignored", "opened")
NOT_OPENED = "no: it may tell the arm, and the trial is blinded"
ABSENT = "no: it is not there"
NEEDED = ("screening", "infusions", "labs", "randomisation")
"""Tables without which there is nothing to analyse; of the others nothing may have happened yet."""

CLOSED_COLUMN = "closed while blinded"
NO_LINE = "no line in the mapping: not opened"

DERIVED = {
    "infusions": ("planned_date", "given", "date", "product", "cells", "reason"),
    "visits": ("visit", "visit_no", "planned_date", "attended", "reason"),
    "labs": ("unit", "qualifier", "test", "value", "visit_no", "date"),
    "events": ("event_no",),
    "disposition": ("date",),
    "randomisation": ("sequence", "block", "randomisation_date"),
}
"""Columns that an export may lack although the codebook asks for them: they are counted from others."""


def shut(part: Part, mapped: Mapped) -> bool:
    """Whether a whole part stays closed."""
    if mapped.unblinded:
        return False
    named = set(mapped.revealing)
    place = f"{part.file}#{part.sheet}"
    return bool(named & {part.table, part.file, place})


def closes(part: Part, mapped: Mapped) -> Callable[[str], bool]:
    """Whether a column of a part stays closed, by its header."""
    if mapped.unblinded:
        return lambda header: False
    named = set(mapped.revealing)
    spelt = {_plain(name) for name in named}
    hidden = {
        _plain(source.header)
        for name, source in part.columns.items()
        if f"{part.table}.{name}" in named or _plain(source.header) in spelt
    }
    read = {_plain(source.header) for source in [*part.columns.values(), *part.wide.values()]} - hidden
    # what nobody asked for stays shut as well: its name may be an abbreviation
    return lambda header: _plain(header) not in read


def _plain(header: str) -> str:
    return values.plain(header).lower()


def opened(folder: Path, mapped: Mapped, log: Log) -> tuple[list[Converter], pd.DataFrame]:
    """A converter for each part that may be opened, and the table of what was received.

    Every part that can't be opened is a fatal fault of the log.
    """
    made: list[Converter] = []
    rows = []
    for part in mapped.parts:
        sheet = part.sheet or ""
        if shut(part, mapped):
            rows.append((part.file, sheet, part.table, 0, "", "", "", NOT_OPENED))
            continue
        if not part.stated and part.table not in NEEDED and not os.path.lexists(folder / part.file):
            rows.append((part.file, sheet, part.table, 0, "", "", "", ABSENT))
            continue
        closed = closes(part, mapped)
        try:
            path = sources.place(folder, part.file)
            found = sources.read(
                path,
                closed,
                sheet=part.sheet,
                header=part.header,
                encoding=part.encoding,
                delimiter=part.delimiter,
                first=part.first,
            )
        except sources.Unreadable as error:
            where = f"{part.file}, sheet {sheet}" if sheet and sheet not in str(error) else part.table
            log.fatal.append(f"{where}: {error}")
            rows.append((part.file, sheet, part.table, 0, "", "", "", f"no: {error}"))
            continue
        part = _as_written(part, [*found.frame, *found.closed, *found.twice])
        faults = _columns(part, found, mapped, closed)
        if faults:
            log.fatal += faults
        converter = Converter(part, found, log, blinded=not mapped.unblinded)
        made.append(converter)
        used = _used(part, found.frame)
        ignored = [name for name in found.frame if name not in used]
        asked = {_plain(source.header) for source in [*part.columns.values(), *part.wide.values()]}
        told = [
            *ignored,
            *(f"{name} ({CLOSED_COLUMN if _plain(name) in asked else NO_LINE})" for name in found.closed),
        ]
        sealed = _digest(path, found, used, mapped)
        rows.append(
            (part.file, sheet, part.table, len(found.frame), sealed, ", ".join(used), ", ".join(told), "yes")
        )
    frame = pd.DataFrame(rows, columns=list(RECEIVED))
    return made, frame


def _as_written(part: Part, have: list[str]) -> Part:
    """The part with headers as the file writes them, where they differ by capitals, width or spaces alone."""
    names: dict[str, list[str]] = {}
    for header in have:
        names.setdefault(values.plain(header).lower(), []).append(header)
    exact = set(have)

    def found(source: Source) -> Source:
        alike = names.get(values.plain(source.header).lower(), [])
        return replace(source, header=alike[0]) if source.header not in exact and len(alike) == 1 else source

    return replace(
        part,
        columns={name: found(source) for name, source in part.columns.items()},
        wide={name: found(source) for name, source in part.wide.items()},
    )


def _used(part: Part, frame: pd.DataFrame) -> list[str]:
    wanted = {source.header for source in [*part.columns.values(), *part.wide.values()]}
    return [name for name in frame if name in wanted]


def _digest(path: Path, found: sources.Opened, used: list[str], mapped: Mapped) -> str:
    """SHA-256 of the file; while blinded of the cells that were read alone, since a file's digest tells of its rest."""
    if mapped.unblinded:
        return sources.digest(path)
    cells = hashlib.sha256("\x1f".join(used).encode())
    for name in used:
        cells.update("\x1e".join("" if v is None else v for v in found.frame[name]).encode())
        cells.update(b"\x1d")
    return cells.hexdigest()


def _columns(part: Part, found: sources.Opened, mapped: Mapped, closed: Callable[[str], bool]) -> list[str]:
    """What is wrong with a part's columns and rows, in words."""
    where = part.file + (f", sheet {part.sheet}" if part.sheet else "")
    faults = []
    if found.odd:
        some = ", ".join(str(n) for n in found.odd[:3])
        more = f" and {len(found.odd) - 3} more" if len(found.odd) > 3 else ""
        faults.append(
            f"{where}: row {some}{more} has another number of values than the row of names; allowed: as many"
        )
    wanted = {
        source.header: name for name, source in [*part.columns.items(), *part.wide.items()] if source.header
    }
    for header in found.twice:
        if header in wanted:
            faults.append(f"{where} has the column {header!r} twice, allowed: once")
    have = [*found.frame.columns, *found.closed, *found.twice]
    if part.stated:
        for header, name in wanted.items():
            if header == "?" and not closed(header):
                faults.append(
                    f"{where}: the mapping leaves open which column is {name}; columns: {', '.join(have[:40])}"
                )
            elif header not in have and not closed(header):
                faults.append(f"{where} has no column {header!r} ({name}); columns: {', '.join(have[:40])}")
        given = {*part.columns, *(("test", "value", "unit") if part.wide else ())}
    else:
        given = {name for name in part.columns if name in have}
    for name, column in columns(part.table).items():
        spared = column.empty or name in DERIVED.get(part.table, ())
        if name not in given and not spared and not _hidden(part, name, mapped):
            hint = "" if len(have) > 1 else f"; it has one column, {have[0][:80]!r}: state its delimiter"
            faults.append(f"{where} has nothing for {name} ({column.allowed}){hint}")
    return faults


def _hidden(part: Part, name: str, mapped: Mapped) -> bool:
    return not mapped.unblinded and f"{part.table}.{name}" in mapped.revealing
