"""The analysis tables as reviewers load them: Dataset-JSON 1.1 and SAS transport 5, with their `define.xml`.

Both say what the CSV tables say, value by value. A transport file holds text of 200 bytes: a longer one goes on in
variables of its own (AETERM, AETERM1), as such files have it. Nothing depends on the day: the standards ask for a time
of creation, which is `CREATED` everywhere.
"""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from helpers import Problem
from helpers.chapters.adam_variables import (
    DATASETS,
    DATE_FORMAT,
    LABEL_BYTES,
    NAME_BYTES,
    TEXT_BYTES,
    Variable,
    cells,
    name_of,
)
from helpers.chapters.define import CREATED, define, item_oid, metadata_oid, stored, study_oid
from helpers.study import tables
from helpers.study.codebook import TABLES

KINDS = {"text": "string", "date": "date", "whole": "integer", "number": "float"}
"""Kind of the codebook -> dataType of Dataset-JSON."""
SAS_EPOCH = pd.Timestamp("1960-01-01")
STAMP = rb"\d{2}[A-Z]{3}\d{2}:\d{2}:\d{2}:\d{2}"
"""The time of creation in a transport file's head."""
STAMPED = b"01JAN80:00:00:00"
RECORD = 80
"""Bytes of a record of a transport file."""


def files(scenario: str, about: str, folder: Path, tail: str = "") -> dict[str, bytes]:
    """The reviewers' files of a folder of tables, by name; none where it holds no analysis table.

    Parameters
    ----------
    scenario, about : its name and what it assumes, in a sentence
    folder : where `adsl.csv` and the others lie
    tail : what the names of the tables' files end with

    Raises
    ------
    Problem : where a table can't be read
    """
    return written(scenario, about, read(folder), tail)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The analysis tables that a folder holds, as published. Raises Problem where one can't be read."""
    there = [name for name in DATASETS if (folder / f"{name}.csv").is_file()]
    found, faults = {}, []
    for name in there:
        # written by a build that held them against all that contradicts them
        found[name], wrong, _ = tables.load(name, folder / f"{name}.csv")
        faults += wrong
    if faults:
        raise Problem("\n".join(faults))
    return {name: frame for name, frame in found.items() if frame is not None}


def written(
    scenario: str, about: str, frames: Mapping[str, pd.DataFrame], tail: str = ""
) -> dict[str, bytes]:
    """The files of some analysis tables, by name; no table, no file. tail: what the tables' names end with."""
    found = {}
    for name, frame in frames.items():
        known = stored(name, frame)
        found[f"{name}{tail}.json"] = dataset_json(scenario, name, frame, known)
        found[f"{name}{tail}.xpt"] = transport(name, frame, known)
    if frames:
        found["define.xml"] = define(scenario, about, frames, tail)
    return found


def dataset_json(scenario: str, name: str, frame: pd.DataFrame, found: list[Variable]) -> bytes:
    """A table with its variables as Dataset-JSON 1.1, a row of the table a line of the file."""
    columns = []
    for one in found:
        told = {
            "itemOID": item_oid(name, one.name),
            "name": one.name,
            "label": one.label,
            "dataType": KINDS[one.column.kind],
        }
        if one.column.kind == "text":
            told["length"] = one.length
        if one.column.kind == "date":
            told |= {"targetDataType": "integer", "displayFormat": DATE_FORMAT}
        columns.append(told | ({"keySequence": one.key} if one.key else {}))
    head = {
        "datasetJSONCreationDateTime": CREATED,
        "datasetJSONVersion": "1.1.0",
        "fileOID": f"{study_oid(scenario)}.{name.upper()}",
        "sourceSystem": {"name": "helpers.chapters.adam_files", "version": "1"},
        "studyOID": study_oid(scenario),
        "metaDataVersionOID": metadata_oid(scenario),
        "metaDataRef": "define.xml",
        "itemGroupOID": f"IG.{name.upper()}",
        "records": len(frame),
        "name": name.upper(),
        "label": name_of(name),
        "columns": columns,
    }
    by_column = [cells(one.column, frame[one.name]) for one in found]
    line = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    rows = ",\n".join(map(line, zip(*by_column, strict=True)))
    text = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    return _bytes(f'{text},\n "rows": [\n{rows}\n ]\n}}\n')


def transport(name: str, frame: pd.DataFrame, found: list[Variable]) -> bytes:
    """A table with its variables as SAS transport file, version 5: dates as days of SAS with their format."""
    import pyreadstat

    columns, labels, formats = {}, {}, {}
    taken = {column.name for column in TABLES[name].columns}
    for one in found:
        values = frame[one.name]
        if one.column.kind == "text":
            for part, pieces in split(one.name, [text or "" for text in cells(one.column, values)], taken):
                columns[part] = pd.Series(pieces, dtype=object)
                labels[part] = one.label if part == one.name else f"{one.label[: LABEL_BYTES - 10]}, goes on"
            continue
        if one.column.kind == "date":
            values = (values - SAS_EPOCH) / pd.Timedelta(days=1)
            formats[one.name] = DATE_FORMAT
        columns[one.name] = values.astype(float).reset_index(drop=True)
        labels[one.name] = one.label
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.xpt"
        pyreadstat.write_xport(
            pd.DataFrame(columns),
            path,
            file_label=name_of(name),
            column_labels=list(labels.values()),
            table_name=name.upper(),
            file_format_version=5,
            variable_format=formats,
        )
        content = path.read_bytes()
    # the head ends where the variables are described; a text of a child could look like a time
    head = content[: content.index(b"NAMESTR") // RECORD * RECORD]
    return re.sub(STAMP, STAMPED, head) + content[len(head) :]


def split(name: str, texts: list[str], taken: set[str]) -> list[tuple[str, list[str]]]:
    """Texts in pieces of `TEXT_BYTES`, under the variable's name and under further names that nobody has taken."""
    rest, found, number = texts, [], 0
    while True:
        cut = [_fitting(text) for text in rest]
        part = name if not number else f"{name[: NAME_BYTES - len(str(number))]}{number}"
        if number and part in taken:
            number += 1
            continue
        taken.add(part)
        found.append((part, cut))
        rest = [text[len(piece) :] for text, piece in zip(rest, cut, strict=True)]
        if not any(rest):
            return found
        number += 1


def _fitting(text: str) -> str:
    """The beginning of a text that fits: no letter is cut in two, no piece ends with a blank, which would be lost."""
    piece = text.encode("utf-8", "replace")[:TEXT_BYTES].decode("utf-8", "ignore")
    if len(piece) < len(text) and piece.rstrip(" "):
        piece = piece.rstrip(" ")
    return piece


def _bytes(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which no file can hold, as a question mark."""
    return text.encode("utf-8", "replace")
