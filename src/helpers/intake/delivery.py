"""A delivery: all that a site sent, as clean raw tables, with what was asked, converted and left closed.

Fatal faults (no key, unreadable, unknown unit, unknown child) are told together in one message; all others become
queries, and the tables go on by named rules.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.intake import blinding, mapping, opening, partial, queries, rules, stanza
from helpers.intake.convert import MOSTLY, Converter
from helpers.intake.log import NOT_RECEIVED, NOTE, ORIGINALS, QUERIES, RULES, Log
from helpers.intake.opening import RECEIVED
from helpers.intake.values import Days
from helpers.study import checks
from helpers.study.checks.findings import FATAL
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.wording import counted

RAW = mapping.RAW

LISTED = 1000
"""Fatal faults that a message lists; the others are counted."""

__all__ = ["NOTE", "ORIGINALS", "QUERIES", "RAW", "RECEIVED", "RULES", "Delivery", "read", "slug"]


@dataclass(frozen=True)
class Delivery:
    """What came of a folder.

    name: slug of the folder's name; tables: clean raw tables by codebook name; queries, received, originals: frames
    with the columns `QUERIES`, `RECEIVED`, `ORIGINALS`; unblinded: the day that the mapping states, None = blinded, and
    then the arms are a dummy allocation and products empty; notes: named rules that touched something, in words;
    absent: tables that were not received.
    """

    name: str
    tables: dict[str, pd.DataFrame]
    queries: pd.DataFrame
    received: pd.DataFrame
    originals: pd.DataFrame
    unblinded: date | None
    notes: tuple[str, ...]
    absent: tuple[str, ...] = ()


def read(folder: Path, mapping: Path | None = None, parameters: Parameters | None = None) -> Delivery:
    """Read, clean, question and, until unblinded, blind what stands in a folder; it is only ever read.

    mapping: its file; None = the tables stand as in the codebook. Raises one Problem that tells every fatal fault.

    >>> from helpers import DATA
    >>> read(DATA / "base").unblinded is None
    True
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Problem(f"{folder} is no folder; allowed: the folder that holds the export")
    return _Intake(folder, mapping, parameters or Parameters()).delivery()


def slug(name: str) -> str:
    """A name of lower-case letters, digits and hyphens; one that lost other signs ends in six of its SHA-256.

    So two folders whose names differ in more than capitals, spaces, hyphens and underscores never share a report.

    >>> slug("Site 2_export"), slug("导出"), slug("北京 2") == slug("上海 2")
    ('site-2-export', 'delivery-764204', False)
    """
    # a name has the same report whichever way a file system composes its accents
    name = unicodedata.normalize("NFC", name)
    plain = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[^A-Za-z0-9]", "-", name).lower()).strip("-") or "delivery"
    if not re.search(r"[^A-Za-z0-9\s_-]", name):
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:6]}"


class _Intake:
    def __init__(self, folder: Path, file: Path | None, p: Parameters) -> None:
        self.folder, self.p, self.log = folder, p, Log()
        self.mapped = mapping.read(file, folder)
        self.blinded = not self.mapped.unblinded
        self.partial: dict[str, Mapping[str, Days]] = {}
        self.absent: list[str] = []
        self.files = {part.table: part.file for part in reversed(self.mapped.parts)}

    def delivery(self) -> Delivery:
        made, received = opening.opened(self.folder, self.mapped, self.log)
        came = set(received.loc[received["opened"] != opening.ABSENT, "table"])
        self.absent = [name for name in NOT_RECEIVED if name not in came]
        for name in self.absent:
            self.log.absent(name)
        frames = self._converted(made)
        self._fatal_between(frames)
        further = sorted({test for one in made for test in one.further})
        frames = self._clean(frames)
        asked = self._questions(frames)
        self._stop()
        if not self.blinded:
            self.log.touch("as allocated", queries.unknown_product(frames["infusions"]))
        notes = [RULES["dummy arms"], queries.waiting()] if self.blinded else []
        if further:
            notes.append(f"Tests that the plan does not know are not read: {', '.join(further)}.")
        if self.absent:
            names = ", ".join(self.absent)
            notes.append(f"Nothing was sent of {names}: these tables are empty, or made from the others.")
        notes += self._early(frames["randomisation"])
        if self.mapped.extracted is None:
            notes.append(
                "The mapping does not say when the export was made (extracted), so no day is too late."
            )
        return Delivery(
            slug(self.folder.resolve().name),
            {name: _bare(name, frames[name]) for name in RAW},
            asked,
            received,
            self.log.all_originals(),
            self.mapped.unblinded,
            (*notes, *self.log.notes()),
            tuple(self.absent),
        )

    def _early(self, randomisation: pd.DataFrame) -> list[str]:
        """What is said where the trial was unblinded before its last child was randomised."""
        if not self.mapped.unblinded:
            return []
        later = randomisation["randomisation_date"] > pd.Timestamp(self.mapped.unblinded)
        if not later.any():
            return []
        n, of_all = int(later.sum()), counted(len(later), "child", "children")
        return [
            f"The mapping says that the trial was unblinded on {self.mapped.unblinded}, but {n} of {of_all} "
            f"{'was' if n == 1 else 'were'} randomised after that day: arms were known when "
            f"{'it was' if n == 1 else 'they were'} chosen, or the date is wrong."
        ]

    def _stop(self) -> None:
        """Raise one Problem of all that is fatal so far."""
        faults = list(dict.fromkeys(self.log.fatal))
        if faults:
            more = [f"... and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
            raise Problem("\n".join([*faults[:LISTED], *more]))

    def _converted(self, made: list[Converter]) -> dict[str, pd.DataFrame]:
        parts: dict[str, list[pd.DataFrame]] = {}
        for converter in made:
            frame = converter.frame()
            if self.blinded:
                other = blinding.apart(converter.table, frame)
                frame = blinding.hide(converter.table, frame).assign(_hidden=other)
            parts.setdefault(converter.table, []).append(frame)
            self.partial[converter.table] = converter.partial
        return {
            name: pd.concat(some, ignore_index=True) if len(some) > 1 else some[0]
            for name, some in parts.items()
        }

    def _fatal_between(self, frames: dict[str, pd.DataFrame]) -> None:
        """All that is fatal between tables, as far as they could be read; then stop if anything is."""
        needed = [name for name in ("screening", "infusions", "labs") if name not in self.files]
        if not self.blinded and "randomisation" not in self.files:
            needed.append("randomisation")
        for name in needed:
            self.log.fatal.append(
                f"{self.folder.name} holds nothing for {name}; allowed: a file, or a mapping of one"
            )
        if not self.blinded and ("randomisation" in needed or self._left_open()):
            self.log.fatal.append(
                f"What was closed while blinded is open now: {stanza.command(self.folder)} proposes the lines for it"
            )
        rules.same_children(frames, self.mapped.same_child, self.log)
        if "screening" in frames:
            frames["screening"] = rules.once("screening", frames["screening"], self.log, "consent_date")
            visits = frames.get("visits")
            if visits is not None:
                first = (
                    visits[visits["visit_no"] == 0].drop_duplicates("usubjid").set_index("usubjid")["date"]
                )
                screened = frames["screening"]
                screened["consent_date"] = screened["consent_date"].fillna(screened["usubjid"].map(first))
            known = self.partial.get("screening", {})
            frames["screening"] = partial.consent(frames["screening"], known, self.log)
            rules.lacking("screening", frames["screening"], self.files["screening"], self.log)
            rules.strangers(frames, self.files, self.log)
        self._stop()
        for name in RAW:
            if name not in frames:
                frames[name] = _none(name)

    def _left_open(self) -> bool:
        """Whether the mapping still has a question mark for what was closed while blinded."""
        return any(
            source.header == "?" and (part.table == "randomisation" or name in stanza.CLOSED)
            for part in self.mapped.parts
            for name, source in part.columns.items()
        )

    def _clean(self, frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        p, log = self.p, self.log
        none: dict[str, Days] = {}
        out = dict(frames)
        known = {name: self.partial.get(name, none) for name in RAW}
        out["screening"] = partial.screening(frames["screening"], known["screening"], p, log)
        out["randomisation"] = self._randomised(out)
        ids = out["randomisation"]["usubjid"].to_numpy(object)
        for name in ("infusions", "visits", "labs", "events", "treatments", "disposition"):
            out[name] = rules.only(name, out[name], ids, log)
        given = rules.once("infusions", out["infusions"], log)
        last = [out[name]["date"].max() for name in ("visits", "labs", "infusions")]
        known_to = pd.Timestamp(self.mapped.extracted) if self.mapped.extracted else pd.Series(last).max()
        given = rules.infusions(given, out["randomisation"], p, known_to, log)
        out["infusions"] = partial.infusions(given, known["infusions"], log)
        days = rules.Calendar(out["screening"], out["randomisation"], out["infusions"], p)
        visits = rules.visits(out["visits"], days, log)
        samples = rules.labs(out["labs"], visits, days, log)
        samples = rules.screening_samples(samples, out["screening"], days, log)
        out["labs"] = rules.lacking("labs", samples, self.files["labs"], log)
        begun = partial.events(
            out["events"], known["events"], out["screening"], out["infusions"], out["labs"], log
        )
        out["events"] = rules.lacking("events", rules.events(begun, log), "", log)
        changed = partial.treatments(out["treatments"], known["treatments"], days.zero, days.randomised, log)
        out["treatments"] = rules.lacking("treatments", rules.once("treatments", changed, log), "", log)
        seen = rules.happened({**out, "visits": visits})
        ended = partial.disposition(out["disposition"], known["disposition"], seen, log)
        ended = rules.once("disposition", ended, log, "date")
        told = "disposition" not in self.absent
        out["disposition"] = rules.ends(ended, days, seen, visits, log, told)
        sent = "visits" not in self.absent
        export = pd.Timestamp(self.mapped.extracted) if self.mapped.extracted else seen["day"].max()
        out["visits"] = rules.all_visits(visits, out["labs"], days, out["disposition"], export, log, sent)
        return {name: _ordered(name, out[name], ids) for name in RAW}

    def _randomised(self, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """The list in use, or a dummy one of the same children while the trial is blinded."""
        sent = frames["randomisation"]
        visits, infusions, screened = frames["visits"], frames["infusions"], frames["screening"]
        if len(sent):
            sent = rules.once("randomisation", sent, self.log)
        if not len(sent) or self.blinded:
            ids = (
                sent["usubjid"].to_numpy(object)
                if len(sent)
                else blinding.randomised(infusions, visits, frames["labs"])
            )
            made = blinding.allocation(ids, infusions, visits, screened, self.p, sent)
            if not len(made):
                self.log.fatal.append(
                    "no child is known to be randomised: nobody has a planned infusion or a follow-up visit"
                )
                self._stop()
            if "_file" in sent:
                made["_file"] = made["usubjid"].map(sent.set_index("usubjid")["_file"])
            return made.assign(_row=made["usubjid"].map(sent.set_index("usubjid")["_row"]).astype(float))
        at = blinding.randomisation_days(sent["usubjid"], infusions, visits, screened, self.p)
        sent["randomisation_date"] = sent["randomisation_date"].fillna(at)
        order = sent.sort_values(["randomisation_date", "usubjid"], kind="stable").index
        if sent["sequence"].isna().any():
            sent["sequence"] = pd.Series(np.arange(1.0, len(sent) + 1), index=order)
        if sent["block"].isna().all():
            sent["block"] = 1.0
        rules.lacking("randomisation", sent, self.files["randomisation"], self.log)
        self._stop()
        return sent

    def _questions(self, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """All that the checks find in the clean tables, after what was asked on the way, by child and visit."""
        bare = {name: _bare(name, frames[name]) for name in RAW}
        entries = queries.entries(self.p, self.mapped.extracted, self.blinded)
        found = checks.findings(bare, entries)
        follows = queries.explained(found, bare, entries)
        if follows.any():
            for rule, seen in (
                ("likely day once", queries.likely(found["code"])),
                ("likely unit once", found["code"] == queries.ONE_UNIT),
            ):
                self.log.touch(rule, int((seen & ~follows).sum()))
        found = found[~follows]
        by_code = {entry.code: entry for entry in entries}
        # a cell that was asked for is not also asked for as an empty one
        asked = {
            cell
            for some in self.log.queries
            for cell in some[["table", "file", "row", "column"]].itertuples(index=False, name=None)
        }
        for code, rows in found.groupby("code", sort=False):
            entry = by_code[str(code)]
            where = rows["row"].to_numpy(float) - 2
            table = str(rows["table"].iloc[0])
            source = frames[table]
            at = np.where(np.isnan(where), 0, where).astype(int)
            known = ~np.isnan(where)
            sent = np.where(known, source["_row"].to_numpy(float)[at] if len(source) else np.nan, np.nan)
            visit = source["visit_no"].to_numpy(float)[at] if "visit_no" in source else np.nan
            given = int((source["given"] == "yes").sum()) if code in CODED else 0
            if given and len(rows) > max(MOSTLY * given, 2):
                self.log.fatal.append(
                    f"{self.files.get(table, table)}: in {len(rows)} of "
                    f"{counted(given, 'infusion', 'infusions')} given this does not hold: "
                    f"{entry.sentence}. Found {rows['found'].iloc[0]}, expected {rows['expected'].iloc[0]}; the words "
                    "for arms and products look exchanged in the mapping"
                )
                continue
            if entry.own == FATAL:
                first = rows.iloc[0]
                self.log.fatal.append(
                    f"{self.files.get(table, table)} row {int(sent[0]) if sent[0] == sent[0] else '-'}, column "
                    f"{first['column']}: found {first['found']}, allowed: {first['expected']}"
                )
                continue
            # of rows that were made here nothing can be asked, but of what a child lacks
            told = (~np.isnan(sent) | ~known) & (code not in MADE_HERE)
            file = np.full(len(rows), None, object)
            if "_file" in source and len(source):
                file = np.where(known, source["_file"].to_numpy(object)[at], None)
            cells = zip(rows["found"], file, sent, rows["column"], strict=True)
            told &= np.array(
                [what != "nothing" or (table, *cell) not in asked for what, *cell in cells], bool
            )
            self.log.queries.append(
                pd.DataFrame(
                    {
                        "code": code,
                        "severity": entry.own,
                        "usubjid": rows["usubjid"].to_numpy(object),
                        "visit_no": np.where(known, visit, np.nan),
                        "table": table,
                        "row": sent,
                        "column": rows["column"].to_numpy(object),
                        "found": rows["found"].to_numpy(object),
                        "expected": rows["expected"].to_numpy(object),
                        "why": entry.sentence,
                        "rule": "likely day once"
                        if queries.likely(rows["code"]).any()
                        else RULE_OF.get(str(code), "kept as sent"),
                        "file": file,
                    },
                    index=range(len(rows)),
                )[told]
            )
        return self.log.all_queries()


MADE_HERE = ("visits.complete", "infusions.complete", "disposition.complete", "visits.name")
"""Entries that the rules answer already, or of columns that are made here."""

CODED = ("infusions.product", "infusions.cells")
"""Entries that speak for most infusions where the mapping exchanges the words for arms or products."""

RULE_OF = {
    "screening.repeat": "both numbers stand",
    "infusions.as-treated": "as allocated",
    queries.ONE_UNIT: "likely unit once",
}


def _none(name: str) -> pd.DataFrame:
    """A table without a row."""
    kinds = {"date": "datetime64[ns]", "number": float, "whole": float}
    empty = {c.name: pd.Series([], dtype=kinds.get(c.kind, object)) for c in TABLES[name].columns}
    return pd.DataFrame({**empty, "_row": pd.Series([], dtype=float)})


def _ordered(name: str, frame: pd.DataFrame, ids: np.ndarray) -> pd.DataFrame:
    """Rows in one order, whatever order they came in: screening as sent, the others by child and key."""
    if name == "screening":
        return frame.reset_index(drop=True)
    if name == "randomisation":
        return frame.sort_values("sequence", kind="stable", ignore_index=True)
    place = {child: k for k, child in enumerate(sorted(ids))}
    tests = {test: k for k, test in enumerate(mapping.UNITS)}
    key = [c for c in TABLES[name].key if c != "usubjid"]
    keys = frame[key].assign(**({"test": frame["test"].map(tests)} if "test" in key else {}))
    keys.insert(0, "usubjid", frame["usubjid"].map(place))
    return frame.loc[keys.sort_values(["usubjid", *key], kind="stable").index].reset_index(drop=True)


def _bare(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The codebook's columns in its order and kinds."""
    out = {}
    for column in TABLES[name].columns:
        values = frame[column.name]
        if column.kind == "date":
            out[column.name] = values.astype("datetime64[ns]")
        elif column.kind in ("number", "whole"):
            out[column.name] = values.astype(float)
        else:
            out[column.name] = values.astype(object).where(values.notna(), None)
    return pd.DataFrame(out)
