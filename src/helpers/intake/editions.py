"""A folder of own data as the files that a report is built from: raw tables, queries, and the record `own.json`.

The build calls `receive` by its name in the table of chapters, and puts what it gives into its stage. While the arms
are blinded nothing goes there that could tell them, and no free text.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from helpers import ROOT, Problem
from helpers.intake import blinding, delivery, listing, stanza, studies
from helpers.intake.log import RULES
from helpers.study import scenario, tables
from helpers.study.scenario import Study

AS_TREATED = {
    "rule": "As treated: unknown while blinded; a treated child counts under its dummy arm.",
    "tables": ["infusions"],
}
"""What stands below every exhibit that rests on who received what, for as long as nobody knows."""
ORDER = ["severity", "usubjid", "visit_no", "table", "row", "column", "code", "found"]


def receive(
    folder: Path, mapping: Path | None, readings: str, changes: dict[str, Any]
) -> tuple[str, dict[str, bytes]]:
    """Read and check a folder of own data; nothing is written.

    folder: only read; mapping: a file that says how; None = `intakes/<name>.yaml` where there is one; readings: a
    scenario's name; changes: parameters that differ from it. Returns the name of the report and its files, by name.
    Raises one Problem with all fatal faults, and one for a parameter that can't be.
    """
    _, values = scenario.read_scenario(readings)
    theirs = scenario.validate(values, f"scenarios/{readings}.yaml")
    mine = scenario.validate({**values, **scenario.given(changes)}, "parameters") if changes else theirs
    kept = ROOT / "intakes" / f"{delivery.slug(folder.resolve().name)}.yaml"
    aside: tuple[str, ...] = ()
    if mapping is None and kept.is_file() and not kept.is_symlink():
        mapping = kept
        other = stanza.of_another(kept, folder)
        if other and stanza.as_in_codebook(folder):
            mapping, aside = (
                None,
                (f"{other}; the folder stands as in the codebook and is read without one.",),
            )
        elif other:
            raise Problem(
                f"{other}; state MAPPING=another.yaml, or remove it and run {stanza.command(folder)}"
            )
    got = delivery.read(folder, mapping, mine)
    got = replace(got, notes=(*got.notes, *aside))
    overrides = {k: v for k, v in studies.plain(mine).items() if v != studies.plain(theirs)[k]}
    told = None
    if mapping is not None:
        told = {"file": mapping.name, "sha256": hashlib.sha256(mapping.read_bytes()).hexdigest()}
    return files_of(got, folder.resolve().name or got.name, readings, overrides, told)


def files_of(
    got: delivery.Delivery,
    folder: str,
    readings: str,
    overrides: dict[str, Any],
    mapping: dict[str, str] | None = None,
) -> tuple[str, dict[str, bytes]]:
    """The name of the report on a delivery, and the files that its chapters read."""
    blinded = got.unblinded is None
    frames = dict(got.tables)
    if blinded:
        frames = {table: blinding.hide(table, frame) for table, frame in frames.items()}
    queries = sorted_queries(listing.with_file(got), blinded)
    name = f"own-{got.name}{'-dummy-arms' if blinded else ''}"
    if overrides:
        name += f"+{hashlib.sha256(json.dumps(overrides, sort_keys=True).encode()).hexdigest()[:8]}"
    record = {
        "edition": name,
        "folder": folder,
        "scenario": readings,
        "overrides": overrides,
        "children": int(frames["screening"]["usubjid"].nunique()),
        "randomised": int(frames["randomisation"]["usubjid"].nunique()),
        "blinded": blinded,
        "unblinded": None if blinded else str(got.unblinded),
        "mapping": mapping,
        "queries": {key: int(n) for key, n in queries["severity"].value_counts().sort_index().items()},
        "absent": {table: RULES[f"no {table}"] for table in got.absent},
        "notes": list(got.notes),
        "rules": rules(queries, got.notes, sorted(frames)) + ([AS_TREATED] if blinded else []),
        "received": json.loads(got.received.to_json(orient="records", force_ascii=False)),
    }
    record["notice"] = studies.notice(record)
    texts = {f"{table}.csv": tables.to_csv(frame) for table, frame in frames.items()}
    texts |= {
        "queries.csv": queries.to_csv(index=False, lineterminator="\n"),
        "received.csv": got.received.to_csv(index=False, lineterminator="\n"),
        "originals.csv": got.originals.to_csv(index=False, lineterminator="\n"),
        studies.RECORD: json.dumps(record, indent=1, ensure_ascii=False) + "\n",
    }
    made = {key: text.encode() for key, text in texts.items()}
    # for the site: as data managers know such lists, safe to open in a spreadsheet
    made["query-list.csv"] = ("\ufeff" + listing.to_csv(got)).encode()
    made["query-list.xlsx"] = listing.to_xlsx(got)
    return name, made


def sorted_queries(queries: pd.DataFrame, blinded: bool) -> pd.DataFrame:
    """The list of queries in one order; while blinded without what was found in a column of free text."""
    frame = queries[list(delivery.QUERIES)].sort_values(
        ORDER, kind="stable", na_position="last", key=_as_text
    )
    frame = frame.reset_index(drop=True)
    if blinded:
        places = zip(frame["table"], frame["column"], strict=True)
        free = [place in blinding.FREE_TEXT for place in places]
        frame["found"] = frame["found"].mask(pd.Series(free, index=frame.index, dtype=bool), blinding.HIDDEN)
    return frame


def _as_text(column: pd.Series) -> pd.Series:
    """A column as something that sorts: numbers as they are, all else as text."""
    numbers = pd.to_numeric(column, errors="coerce")
    if column.name in ("row", "visit_no"):
        return numbers.astype(float)
    return column.astype("string").fillna("")


def rules(queries: pd.DataFrame, notes: Sequence[str], every: Sequence[str]) -> list[dict[str, Any]]:
    """Each rule that handled something, in words, and the tables that it touched, as the queries tell.

    A rule of which no query tells may have touched any table, and so may a note that is none.
    """
    touched: dict[str, set[str]] = {}
    for table, rule in queries[["table", "rule"]].dropna().drop_duplicates().itertuples(index=False):
        touched.setdefault(str(rule), set()).add(str(table))
    found = []
    for note in notes:
        names = [name for name in touched if name in RULES and note.startswith(RULES[name])]
        tables_ = set().union(*(touched.pop(name) for name in names)) if names else set(every)
        found.append({"rule": note, "tables": sorted(tables_)})
    for name, where in touched.items():
        found.append({"rule": RULES.get(name, name), "tables": sorted(where)})
    return found


def read_queries(folder: Path) -> pd.DataFrame:
    """The list of queries of a received folder, as `files_of` wrote it."""
    frame = pd.read_csv(folder / "queries.csv", dtype=object, keep_default_na=False, na_values=[""])
    return frame.assign(**{name: pd.to_numeric(frame[name]).astype("Int64") for name in ("row", "visit_no")})


def received(study: Study) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, dict[str, Any]]:
    """The raw tables of own data by name, the list of queries, and the record of what was received.

    Raises Problem for a simulated study, of which nothing was received.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> tables, queries, record = editions.received(study)
    """
    own = _own(study)
    found = {name: own.read(name) for name in delivery.RAW}
    return found, read_queries(own.folder), own.record


def files(study: Study) -> pd.DataFrame:
    """The files of a folder of own data as received: columns of `delivery.RECEIVED`."""
    return pd.read_csv(_own(study).folder / "received.csv", dtype=object, keep_default_na=False)


def _own(study: Study) -> studies.OwnStudy:
    if not isinstance(study, studies.OwnStudy):
        raise Problem(
            "nothing was received of a simulated study: `make report DATA=folder` makes a report on own data, whose "
            "name this chapter's first cell then takes"
        )
    return study
