"""ADSL, ADLB and ADTTE of others (CSV, SAS transport, Dataset-JSON), checked by the codebook: a start at chapter 05.

Columns that the standard lets one compute from others are computed where they are absent, and said so; further columns
and parameters are listed and ignored. All faults are told in one message.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.analysis.adam import PARAMS
from helpers.intake import sources, values
from helpers.study import checks
from helpers.study.checks.findings import FATAL
from helpers.study.codebook import TABLES
from helpers.study.protocol import ARMS, TRIAL, VISITS

NAMES = ("adsl", "adlb", "adtte")
SUFFIXES = (".csv", ".xpt", ".json")
SAS_EPOCH = pd.Timestamp("1960-01-01")
"""Day 0 of SAS, from which a date without a format counts."""


@dataclass(frozen=True)
class AnalysisTables:
    """tables: adsl, adlb, adtte with the codebook's columns; queries: what their checks ask; notes: what was computed
    or left out, in words; received: file, table, rows, sha256, ignored."""

    tables: dict[str, pd.DataFrame]
    queries: pd.DataFrame
    notes: tuple[str, ...]
    received: pd.DataFrame


def read(folder: Path, arms: Mapping[str, str] | None = None, encoding: str = "utf-8") -> AnalysisTables:
    """The three analysis tables of a folder: adsl, adlb, adtte, ending in .csv, .xpt or .json.

    arms: {their name of an arm: "Placebo" or "hUC-MSC"}; without it TRT01P holds these two. Raises one Problem that
    tells every fault.

    >>> from helpers import DATA
    >>> found = read(DATA / "base")
    >>> len(found.tables["adsl"]), found.notes
    (40, ())
    """
    coding = {
        values.plain(text).lower(): arm for text, arm in {**{a: a for a in ARMS}, **(arms or {})}.items()
    }
    faults = [
        f"arms: {arm!r} is no arm; allowed: {', '.join(ARMS)}" for arm in coding.values() if arm not in ARMS
    ]
    raw: dict[str, pd.DataFrame] = {}
    received: list[tuple[str, str, int, str, str]] = []
    notes: list[str] = []
    for name in NAMES:
        try:
            path = sources.place(folder, _file(folder, name))
            opened = sources.read(path, lambda _: False, encoding=encoding)
        except sources.Unreadable as error:
            faults.append(f"{name}: {error}")
            continue
        faults += [f"{path.name} has the column {column} twice" for column in opened.twice]
        faults += [
            f"{path.name} row {row} has another number of values than the row of names" for row in opened.odd
        ]
        frame = opened.frame.rename(columns=str.upper)
        wanted = [c.name for c in TABLES[name].columns]
        ignored = [c for c in frame if c not in wanted]
        received.append((path.name, name, len(frame), sources.digest(path), ", ".join(ignored)))
        raw[name] = frame
    made = {name: _table(name, frame, raw, coding, faults, notes) for name, frame in raw.items()}
    if not faults:
        _lists(made, notes)
        found = checks.findings(made, [c for c in checks.REGISTER if c.tables and set(c.tables) <= set(made)])
        faults += checks.told(found, own=True)
    if faults:
        raise Problem("\n".join(dict.fromkeys(faults)))
    asked = found[found["code"].map({c.code: c.own for c in checks.REGISTER}) != FATAL].reset_index(drop=True)
    return AnalysisTables(
        made, asked, tuple(dict.fromkeys(notes)),
        pd.DataFrame(received, columns=["file", "table", "rows", "sha256", "ignored"]),
    )  # fmt: skip


def _file(folder: Path, name: str) -> str:
    """The file of a table, whatever its capitals. Raises Unreadable where there is none, or more than one."""
    try:
        some = [f for f in sorted(os.listdir(folder)) if f.lower() in {name + suffix for suffix in SUFFIXES}]
    except OSError:
        raise Problem(f"{folder} is no folder; allowed: one that holds {', '.join(NAMES)}") from None
    if len(some) != 1:
        there = f"several: {', '.join(some)}" if some else "none"
        raise sources.Unreadable(f"found {there}; allowed: one of {', '.join(name + s for s in SUFFIXES)}")
    return some[0]


def _table(
    name: str,
    frame: pd.DataFrame,
    raw: Mapping[str, pd.DataFrame],
    coding: Mapping[str, str],
    faults: list[str],
    notes: list[str],
) -> pd.DataFrame:
    """A table's texts in the codebook's kinds, absent columns computed."""
    columns = TABLES[name].columns
    out: dict[str, pd.Series] = {}
    for column in columns:
        if column.name not in frame:
            continue
        texts = values.without_missing(frame[column.name], ["", "."])
        if column.name in ("TRT01P", "TRT01A", "ARM"):
            known = texts.map(lambda t: coding.get(values.plain(t).lower()) if isinstance(t, str) else None)
            _unread(
                name, column.name, texts, (known.isna() & texts.notna()).to_numpy(), column.allowed, faults
            )
            out[column.name] = known.astype(object).where(known.notna(), None)
        elif column.kind == "date":
            out[column.name] = _days(name, column.name, texts, faults)
        elif column.kind in ("number", "whole"):
            found = values.numbers(texts)
            _unread(name, column.name, texts, found.bad, column.allowed, faults)
            out[column.name] = pd.Series(found.value, index=texts.index)
        else:
            out[column.name] = texts
    made = pd.DataFrame(out, index=frame.index)
    computed = [
        column.name
        for column in columns
        if column.name not in made and _compute(name, column.name, made, raw)
    ]
    if computed:
        notes.append(f"{name.upper()}: computed, since absent: {', '.join(computed)}.")
    lacking = [column for column in columns if column.name not in made]
    for column in lacking:
        if column.empty:
            made[column.name] = pd.NaT if column.kind == "date" else np.nan if column.kind != "text" else None
        else:
            faults.append(f"{name} has no column {column.name} ({column.meaning}; {column.allowed})")
    empty = [column.name for column in lacking if column.empty]
    if empty:
        notes.append(f"{name.upper()}: empty, since absent: {', '.join(empty)}.")
    for column in columns:
        if column.name in made and column.kind == "date":
            made[column.name] = made[column.name].astype("datetime64[ns]")
        elif column.name in made and column.kind == "text":
            made[column.name] = made[column.name].astype(object)
    have = [column.name for column in columns if column.name in made]
    return made[have].reset_index(drop=True)


def _unread(
    name: str, column: str, texts: pd.Series, bad: np.ndarray, allowed: str, faults: list[str]
) -> None:
    rows = np.flatnonzero(bad)
    for k in rows[: checks.LISTED]:
        faults.append(
            f"{name} row {texts.index[k]}, column {column}: found {texts.iloc[k][:60]!r}, allowed: {allowed}"
        )
    if len(rows) > checks.LISTED:
        faults[-1] += f" (and {len(rows) - checks.LISTED} more of this kind)"


def _days(name: str, column: str, texts: pd.Series, faults: list[str]) -> pd.Series:
    """Days as ISO text, as SAS writes them (05MAR2025), or as SAS counts them from 1960."""
    found = values.days(texts, "ddmonyyyy")
    numbers = values.numbers(texts.where(found.bad, None)).value
    counted = found.bad & ~np.isnan(numbers) & (np.abs(np.nan_to_num(numbers)) < 80000)
    first = found.first.where(found.first == found.last)
    first[counted] = SAS_EPOCH + pd.to_timedelta(numbers[counted], unit="D")
    partial = (found.first != found.last).to_numpy() & found.first.notna().to_numpy()
    _unread(name, column, texts, (found.bad & ~counted) | partial, "a day such as 2025-01-31", faults)
    return first


def _arm_number(made: pd.DataFrame) -> pd.Series:
    return made["TRT01P"].map({arm: float(k) for k, arm in enumerate(ARMS)})


def _change(made: pd.DataFrame) -> pd.Series:
    base = made["ABLFL"].notna() if "ABLFL" in made else pd.Series(False, index=made.index)
    return (made["AVAL"] - made["BASE"]).where(~base)


def _percent(made: pd.DataFrame) -> pd.Series:
    return (100 * made["CHG"] / made["BASE"]).where(made["BASE"] > 0)


def _last_without(made: pd.DataFrame) -> pd.Series:
    """Left end of the interval: the planned visit before the event; who was censored was last seen then."""
    months = np.array([0.0, *(v.month for v in VISITS)])
    at = np.searchsorted(months, made["AVAL"].to_numpy(float) - 1e-6)
    before = np.where(at > 0, months[np.maximum(at - 1, 0)], 0.0)
    return pd.Series(np.where(made["CNSR"] == 0, before, made["AVAL"]), index=made.index)


ABSENT: dict[str, dict[str, tuple[tuple[str, ...], Callable[[pd.DataFrame], object]]]] = {
    "adsl": {
        "STUDYID": ((), lambda made: TRIAL),
        "SUBJID": (("USUBJID",), lambda made: made["USUBJID"]),
        "SITEID": ((), lambda made: "NOT REPORTED"),
        "RACE": ((), lambda made: "NOT REPORTED"),
        "AGEU": ((), lambda made: "YEARS"),
        "ARM": (("TRT01P",), lambda made: made["TRT01P"]),
        "TRT01PN": (("TRT01P",), _arm_number),
        "RANDFL": ((), lambda made: "Y"),
    },
    "adlb": {
        "STUDYID": ((), lambda made: TRIAL),
        "TRT01PN": (("TRT01P",), _arm_number),
        "PARAM": (
            ("PARAMCD",),
            lambda made: made["PARAMCD"].map({code: words for code, (words, _) in PARAMS.items()}),
        ),
        "AVISIT": (
            ("AVISITN",),
            lambda made: made["AVISITN"].map(
                {0.0: "Baseline", **{k + 1.0: v.name for k, v in enumerate(VISITS)}}
            ),
        ),
        "CHG": (("AVAL", "BASE"), _change),
        "PCHG": (("CHG", "BASE"), _percent),
        "ANL01FL": ((), lambda made: "Y"),
    },
    "adtte": {
        "STUDYID": ((), lambda made: TRIAL),
        "TRT01PN": (("TRT01P",), _arm_number),
        "PARAM": (("PARAMCD",), lambda made: made["PARAMCD"]),
        "AVALU": ((), lambda made: "MONTHS"),
        "ANL01FL": (("CNSR",), lambda made: np.where(made["CNSR"] == 2, "N", "Y").astype(object)),
        "EVNTDESC": (
            ("CNSR",),
            lambda made: made["CNSR"].map({0.0: "event", 1.0: "censored", 2.0: "not evaluable"}),
        ),
        "LMONTH": (("AVAL", "CNSR"), _last_without),
        "RMONTH": (("AVAL", "CNSR"), lambda made: made["AVAL"].where(made["CNSR"] == 0)),
        "ACTMONTH": (("AVAL",), lambda made: made["AVAL"]),
        "EOSMONTH": (("AVAL",), lambda made: made["AVAL"]),
        "CNFMONTH": (("AVAL",), lambda made: made["AVAL"]),
        "HORIZON": ((), lambda made: VISITS[-1].month),
    },
}
"""Table: column: (columns that it needs, how it is computed from them)."""


def _compute(name: str, column: str, made: pd.DataFrame, raw: Mapping[str, pd.DataFrame]) -> bool:
    """Add an absent column where it can be computed; whether it could."""
    if (
        column == "TRT01P"
        and name != "adsl"
        and {"USUBJID", "TRT01P"} <= set(raw.get("adsl", pd.DataFrame()).columns)
    ):
        planned = raw["adsl"].drop_duplicates("USUBJID").set_index("USUBJID")["TRT01P"]
        made[column] = made["USUBJID"].map(planned) if "USUBJID" in made else None
        return "USUBJID" in made
    needs, how = ABSENT[name].get(column, (("absent",), lambda made: None))
    if not set(needs) <= set(made.columns):
        return False
    made[column] = how(made)
    return True


def _lists(made: dict[str, pd.DataFrame], notes: list[str]) -> None:
    """Leave out laboratory parameters that no chapter reads, and say which."""
    codes = made["adlb"]["PARAMCD"]
    further = sorted(set(codes.dropna()) - set(PARAMS))
    if further:
        notes.append(f"ADLB: parameters that no chapter reads are left out: {', '.join(further[:40])}.")
        made["adlb"] = made["adlb"][~codes.isin(further)].reset_index(drop=True)
