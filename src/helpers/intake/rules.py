"""From what a site sent to tables of one row a key: repeats, windows, rows that nobody sent, by named rules.

Frames have a column `_row`, the row of the file (NaN for rows made here), until `clean` hands them on.
"""

import re
import unicodedata
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.intake import values
from helpers.intake.log import NOTE, Log
from helpers.study.checks.findings import QUERY, word
from helpers.study.checks.single import VISIT_NAMES
from helpers.study.codebook import DIPSTICK, TABLES, UNITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import BASELINE, SCREENING, VISITS
from helpers.study.wording import counted

KEY = ["usubjid", "visit_no", "test"]
DAY = pd.Timedelta(1, "D")
FOLLOW_UP = {float(v.number): v.day for v in VISITS}
REPEATED = "One row a key: what stands twice is counted once"


def once(name: str, frame: pd.DataFrame, log: Log, latest: str | None = None) -> pd.DataFrame:
    """One row a key: of equal rows the first, of others that with the latest day in `latest`, else the first."""
    key = list(TABLES[name].key)
    here = [c for c in frame if not c.startswith("_")]
    again = frame.duplicated(here) & frame[key].notna().all(axis=1)
    log.ask(
        f"{name}.same-row",
        name,
        frame[again],
        key[-1],
        "each row once",
        REPEATED,
        "same row once",
        severity=NOTE,
    )
    rest = frame[~again]
    if latest:
        ordered = rest.sort_values(
            [latest, "_row"], ascending=[False, False], na_position="last", kind="stable"
        )
    else:
        ordered = rest.sort_values("_row", kind="stable", na_position="last")
    twice = ordered.duplicated(key) & ordered[key].notna().all(axis=1)
    rule = "last row" if latest else "first row"
    dropped = ordered[twice].sort_values("_row")
    log.ask(f"{name}.twice", name, dropped, key[-1], f"one row for each {', '.join(key)}", REPEATED, rule)
    return ordered[~twice].sort_index().reset_index(drop=True)


def same_children(frames: dict[str, pd.DataFrame], same: Mapping[str, str], log: Log) -> None:
    """Children screened again under a new number, in all tables under their first number."""
    if not same:
        return
    for name, frame in frames.items():
        new = frame["usubjid"].isin(list(same))
        log.keep(name, frame.loc[new, "_row"], "usubjid", frame.loc[new, "usubjid"], "",
                 frame.loc[new, "usubjid"].map(same), "")  # fmt: skip
        frame["usubjid"] = frame["usubjid"].replace(dict(same))
    if "screening" not in frames:
        return
    frame = frames["screening"]
    again = frame["usubjid"].isin(set(same.values()))
    ordered = frame[again].sort_values(
        ["consent_date", "_row"], ascending=False, kind="stable", na_position="last"
    )
    earlier = ordered[ordered.duplicated("usubjid")].sort_values("_row")
    log.ask("screening.same-child", "screening", earlier, "consent_date", "the last screening of the child",
            "The mapping says that two numbers are one child", "first number stands", severity=NOTE)  # fmt: skip
    frames["screening"] = frame.drop(index=earlier.index).reset_index(drop=True)


def strangers(frames: Mapping[str, pd.DataFrame], files: Mapping[str, str], log: Log) -> None:
    """Children whom nobody screened are fatal, all told at once."""
    known = set(frames["screening"]["usubjid"].dropna())
    spelt: dict[str, list[str]] = {}
    for child in sorted(known):
        spelt.setdefault(_loose(child), []).append(str(child))
    for name, frame in frames.items():
        rows = frame[~frame["usubjid"].isin(known) & frame["usubjid"].notna()]
        for child, some in rows.groupby("usubjid", sort=True):
            first = "" if some["_row"].isna().all() else f", first in row {int(some['_row'].min())}"
            # of several that are alike none is likelier, and of signs alone all are alike
            like = spelt.get(_loose(child), []) if _loose(child) else []
            hint = f"; perhaps {like[0][:60]!r}, spelt in one way in all tables" if len(like) == 1 else ""
            log.fatal.append(
                f"{_place(some, files[name])}: child {str(child)[:60]!r} "
                f"({counted(len(some), 'row', 'rows')}{first}) is not in "
                f"{_place(frames['screening'], files['screening'])}; allowed: a screened child{hint}"
            )


def _place(frame: pd.DataFrame, file: str) -> str:
    """Where rows stand, with the sheet where one is known."""
    there = frame["_file"].dropna() if "_file" in frame else frame.iloc[:0, 0]
    return str(there.iloc[0]) if len(there) else file


def _loose(child: str) -> str:
    """An identifier without capitals, signs and leading zeros: as spreadsheets leave it; letters of any script stay.

    >>> _loose("AS-0006") == _loose("as 06"), _loose("北京-01") == _loose("上海-01"), _loose("ＡＳ０６")
    (True, False, 'as6')
    """
    # full-width signs are those of the keyboard, and accents (category M) belong to their letters
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", str(child)).casefold())
    bare = "".join(sign for sign in text if unicodedata.category(sign)[0] in "LMN")
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", bare)


def only(name: str, frame: pd.DataFrame, ids: NDArray, log: Log) -> pd.DataFrame:
    """Rows of randomised children."""
    strange = ~frame["usubjid"].isin(ids)
    if name in ("infusions", "treatments"):
        log.ask(f"{name}.child", name, frame[strange], "usubjid", "a randomised child",
                "Who was not randomised was not treated in the trial", "not randomised")  # fmt: skip
    else:
        log.touch("not randomised", int(strange.sum()))
    return frame[~strange].reset_index(drop=True)


def infusions(
    frame: pd.DataFrame, randomised: pd.DataFrame, p: Parameters, export: pd.Timestamp, log: Log
) -> pd.DataFrame:
    """Both planned infusions of each child: rows that were not sent are made, planned days counted.

    export: of an infusion that is planned after it no row is asked for.
    """
    frame = frame.copy()
    said = frame["given"].isna()
    frame.loc[said & frame["date"].notna(), "given"] = "yes"
    wanted = pd.MultiIndex.from_product([randomised["usubjid"], (1.0, 2.0)], names=["usubjid", "infusion"])
    there = frame.set_index(["usubjid", "infusion"])
    out = there.reindex(wanted).reset_index()
    made = ~wanted.isin(there.index)
    plan = out["planned_date"].to_numpy("datetime64[ns]").reshape(-1, 2).copy()
    gap, day = (
        np.timedelta64(p.infusion_gap, "D"),
        randomised["randomisation_date"].to_numpy("datetime64[ns]"),
    )
    plan[:, 0] = np.where(np.isnat(plan[:, 0]), plan[:, 1] - gap, plan[:, 0])
    plan[:, 0] = np.where(np.isnat(plan[:, 0]), day + np.timedelta64(p.days_to_infusion, "D"), plan[:, 0])
    plan[:, 1] = np.where(np.isnat(plan[:, 1]), plan[:, 0] + gap, plan[:, 1])
    counted = out["planned_date"].isna()
    log.touch("planned days", int(counted.sum()))
    out["planned_date"] = plan.ravel()
    due = made & (out["planned_date"] <= export).to_numpy()
    log.ask("infusions.complete", "infusions", out[due], "infusion", "a row for each randomised child and infusion",
            "What was not sent can't be told from what was not given", "planned row", "no row")  # fmt: skip
    return out


class Calendar:
    """The days of each child from which its visits count; frames by codebook name."""

    def __init__(
        self, screened: pd.DataFrame, randomised: pd.DataFrame, infused: pd.DataFrame, p: Parameters
    ) -> None:
        self.p = p
        self.ids = randomised["usubjid"].to_numpy(object)
        second, first = (infused[infused["infusion"] == k].set_index("usubjid") for k in (2, 1))
        self.zero = second["planned_date"].reindex(self.ids)
        self.randomised = randomised.set_index("usubjid")["randomisation_date"].reindex(self.ids)
        self.consent = (
            screened.drop_duplicates("usubjid").set_index("usubjid")["consent_date"].reindex(self.ids)
        )
        given = first["date"].reindex(self.ids).fillna(second["date"].reindex(self.ids))
        self.treated = given.fillna(first["planned_date"].reindex(self.ids))

    def target(self, child: pd.Series, visit: pd.Series) -> pd.Series:
        """Target day of visits: consent, randomisation, and days after the planned last infusion."""
        days = visit.map(FOLLOW_UP)
        # pandas rounds memory that nobody wrote for a missing number of days, and may warn of it
        after = child.map(self.zero) + pd.to_timedelta(days.fillna(0), unit="D").where(days.notna())
        before = child.map(self.consent).where(visit == SCREENING, child.map(self.randomised))
        return before.where(visit <= BASELINE, after)

    def visit(self, child: pd.Series, day: pd.Series) -> NDArray:
        """Number of the planned visit to whose window a day belongs; NaN = none."""
        since = (day - child.map(self.zero)).dt.days.to_numpy(float)
        out = np.full(len(day), np.nan)
        for number, target in FOLLOW_UP.items():
            out = np.where(np.abs(since - target) <= self.p.visit_window(target), number, out)
        consent, treated = child.map(self.consent), child.map(self.treated)
        before = ((day > consent) & (day <= treated)).to_numpy()
        return np.where((day == consent).to_numpy(), float(SCREENING), np.where(before, float(BASELINE), out))


def visits(frame: pd.DataFrame, days: Calendar, log: Log) -> pd.DataFrame:
    """One row a child and planned visit that was sent: unscheduled ones by their window, repeats by nearness."""
    frame = frame.copy()
    frame.loc[frame["attended"].isna() & frame["date"].notna(), "attended"] = "yes"
    aside = ~(frame["visit_no"] >= 0)
    window = pd.Series(np.nan, index=frame.index)
    window[aside] = days.visit(frame.loc[aside, "usubjid"], frame.loc[aside, "date"])
    held = pd.MultiIndex.from_frame(frame.loc[~aside & (frame["attended"] == "yes"), ["usubjid", "visit_no"]])
    inside = pd.MultiIndex.from_arrays([frame["usubjid"], window])
    used = aside & window.notna() & ~inside.isin(held)
    for where, rule, severity in ((used, "window", NOTE), (aside & ~used, "unscheduled is kept aside", NOTE)):
        rows = frame[where].assign(visit_no=np.nan)
        log.ask("visits.unscheduled", "visits", rows, "date", "the day of a planned visit",
                "A visit outside the plan is no visit of the analysis", rule, severity=severity)  # fmt: skip
    frame.loc[used, "visit_no"], frame.loc[used, "planned_date"] = window[used], pd.NaT
    frame = frame[~aside | used]
    target = frame["planned_date"].fillna(days.target(frame["usubjid"], frame["visit_no"]))
    frame = frame.assign(
        _off=(frame["date"] - target).abs().dt.days.fillna(1e6),
        _no=(frame["attended"] != "yes"),
        _late=used[frame.index],
    )
    frame = nearest("visits", frame, ["usubjid", "visit_no"], "date", log)
    return frame.drop(columns=["_off", "_no", "_late"])


def _sent(rows: pd.DataFrame) -> list[str] | None:
    """Measure and cell of laboratory rows as the file has them, with the unit; None where that was not kept."""
    if "_sent" not in rows:
        return None
    return [f"{cell} for {test}" for cell, test in zip(rows["_sent"], rows["test"], strict=True)]


def nearest(name: str, frame: pd.DataFrame, key: list[str], asked: str, log: Log) -> pd.DataFrame:
    """One row a key: attended before not (`_no`), planned before unscheduled (`_late`), nearest, earliest, first."""
    here = [c for c in frame if not c.startswith("_")]
    again = frame.duplicated(here)
    log.ask(
        f"{name}.same-row",
        name,
        frame[again],
        asked,
        "each row once",
        REPEATED,
        "same row once",
        _sent(frame[again]),
        severity=NOTE,
    )
    rest = frame[~again]
    ordered = rest.sort_values(["_no", "_late", "_off", "date", "_row"], kind="stable")
    twice = ordered.duplicated(key)
    late = ordered["_late"]
    asked_of = ordered[twice & ~late & ~ordered["_no"]].sort_values("_row")
    used = asked_of[key].merge(ordered[~twice], on=key, how="left").set_axis(asked_of.index)
    # the same value twice leaves nothing open
    same = np.full(len(used), "value" in used)
    for column in ("value", "qualifier") if "value" in used else ():
        a, b = used[column], asked_of[column]
        same &= ((a == b) | (a.isna() & b.isna())).to_numpy()
    told = _sent(used) or [word(day) for day in used["date"]]
    expected = np.array(
        [
            f"one for each {', '.join(key)}; used is {what} of row {int(row)}, {word(day)}"
            for what, row, day in zip(told, used["_row"], used["date"], strict=True)
        ],
        object,
    )
    for where, severity in ((~same, QUERY), (same, NOTE)):
        log.ask(f"{name}.twice", name, asked_of[where], asked, list(expected[where]),
                "Two samples in one window can't both be the visit's", "nearest sample", _sent(asked_of[where]),
                severity=severity)  # fmt: skip
    # a planned row of no attendance gives way to a visit in its window without a question
    log.ask(f"{name}.unscheduled", name, ordered[twice & late].sort_values("_row"), asked,
            "a test that the planned visit lacks", "A sample outside the plan is no visit of the analysis",
            "unscheduled is kept aside", severity=NOTE)  # fmt: skip
    return ordered[~twice].sort_index().reset_index(drop=True)


def labs(frame: pd.DataFrame, held: pd.DataFrame, days: Calendar, log: Log) -> pd.DataFrame:
    """One row a child, visit and test; held: table of visits. Days that were not sent are those of the visit."""
    frame = frame.reset_index(drop=True)
    when = held.drop_duplicates(["usubjid", "visit_no"]).set_index(["usubjid", "visit_no"])["date"]
    lacking = frame["date"].isna()
    if lacking.any():
        at = pd.MultiIndex.from_frame(frame.loc[lacking, ["usubjid", "visit_no"]])
        frame.loc[lacking, "date"] = when.reindex(at).to_numpy()
        got = lacking & frame["date"].notna()
        log.ask("labs.day-lacking", "labs", frame[got], "date", "the day of the sample",
                "Without a day a sample has no place in the child's course", "day of the visit", "nothing")  # fmt: skip
    aside = ~(frame["visit_no"] >= 0)
    window = pd.Series(np.nan, index=frame.index)
    window[aside] = days.visit(frame.loc[aside, "usubjid"], frame.loc[aside, "date"])
    out = aside & window.isna() & frame["date"].notna()
    log.ask("labs.unscheduled", "labs", frame[out].assign(visit_no=np.nan), "date", "the day of a planned visit",
            "A sample outside the plan is no visit of the analysis", "unscheduled is kept aside",
            severity=NOTE)  # fmt: skip
    frame.loc[aside, "visit_no"] = window[aside]
    frame = frame[~out]
    target = when.reindex(pd.MultiIndex.from_frame(frame[["usubjid", "visit_no"]])).to_numpy("datetime64[ns]")
    plan = days.target(frame["usubjid"], frame["visit_no"]).to_numpy("datetime64[ns]")
    off = np.abs(
        (frame["date"].to_numpy("datetime64[ns]") - np.where(np.isnat(plan), target, plan))
        / np.timedelta64(1, "D")
    )
    frame = frame.assign(
        _off=np.nan_to_num(off, nan=1e6), _no=frame["value"].isna(), _late=aside[frame.index]
    )
    frame = nearest("labs", frame, KEY, "value", log)
    if aside.all():
        # an export that numbers no visit has nothing to be asked about each
        log.touch("window", int(frame["_late"].sum()))
    else:
        log.ask("labs.unscheduled", "labs", frame[frame["_late"]], "date", "the day of a planned visit",
                "A sample outside the plan is no visit of the analysis", "window", severity=NOTE)  # fmt: skip
    return frame.drop(columns=["_off", "_no", "_late"])


def screening_samples(frame: pd.DataFrame, screened: pd.DataFrame, days: Calendar, log: Log) -> pd.DataFrame:
    """Laboratory rows with those of screening as visit 0, for children of whom the laboratory has none."""
    have = set(frame.loc[frame["visit_no"] == SCREENING, "usubjid"])
    chosen = screened[screened["usubjid"].isin(days.ids) & ~screened["usubjid"].isin(have)]
    grades = {name: float(k) for k, name in enumerate(DIPSTICK)}
    parts = []
    for test, unit in UNITS.items():
        value = chosen[test].map(grades).astype(float) if test == "dipstick" else chosen[test].astype(float)
        parts.append(
            pd.DataFrame(
                {
                    "usubjid": chosen["usubjid"], "visit_no": float(SCREENING), "date": chosen["consent_date"],
                    "test": test, "value": value, "unit": unit, "qualifier": None, "_row": np.nan,
                }
            )
        )  # fmt: skip
    new = pd.concat(parts).dropna(subset="value")
    log.touch("screening is visit 0", len(chosen) if len(new) else 0)
    return pd.concat([frame, new.astype({"qualifier": object})], ignore_index=True) if len(new) else frame


def all_visits(
    frame: pd.DataFrame,
    samples: pd.DataFrame,
    days: Calendar,
    ended: pd.DataFrame,
    export: pd.Timestamp,
    log: Log,
    received: bool = True,
) -> pd.DataFrame:
    """Every planned visit of every randomised child; export: no visit planned after it can have been missed.

    received: whether there was a table of visits; where not, that is asked once and not of each visit.
    """
    numbers = {float(SCREENING), *FOLLOW_UP, *frame["visit_no"].dropna(), *samples["visit_no"].dropna()}
    wanted = pd.MultiIndex.from_product([days.ids, sorted(numbers)], names=["usubjid", "visit_no"])
    there = frame.set_index(["usubjid", "visit_no"])
    out = there.reindex(wanted).reset_index()
    sampled = (
        samples.groupby(["usubjid", "visit_no"])["date"].min().reindex(wanted).to_numpy("datetime64[ns]")
    )
    child, visit = out["usubjid"], out["visit_no"]
    plan = out["planned_date"].isna()
    out["planned_date"] = out["planned_date"].fillna(days.target(child, visit))
    log.touch("planned days", int((plan & out["_row"].notna()).sum()))
    made = ~wanted.isin(there.index)
    seen = made & ~np.isnat(sampled)
    out.loc[seen, "date"], out.loc[seen, "attended"] = sampled[seen], "yes"
    log.ask("visits.of-samples", "visits", out[seen & received], "date", "a row for each visit with samples",
            "What was sampled was attended", "sample makes the visit", "no row", NOTE)  # fmt: skip
    last = child.map(ended.drop_duplicates("usubjid").set_index("usubjid")["date"])
    left = child.map(ended.drop_duplicates("usubjid").set_index("usubjid")["status"]) == "left"
    gone = made & ~seen & (left & (last < out["planned_date"])).to_numpy()
    due = made & ~seen & ~gone & (out["planned_date"] <= export).to_numpy()
    # the baseline visit is one of the plan where anybody has it
    log.ask("visits.complete", "visits", out[due & received], "visit_no",
            "a row for each randomised child and planned visit",
            "A visit that was not sent can't be told from one that was missed", "planned row", "no row")  # fmt: skip
    out.loc[made & ~seen, "attended"] = "no"
    out.loc[gone, "reason"] = "left the trial"
    out["visit"] = visit.map({float(number): name for number, name in VISIT_NAMES.items()})
    return out


def events(frame: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Events numbered within the child: as sent, or anew by day where a number is absent or stands twice.

    A last day before the first one is unknown.
    """
    frame = frame.copy()
    backwards = frame["end_date"] < frame["start_date"]
    if backwards.any():
        rows = frame[backwards]
        other = values.swapped(rows["end_date"])
        hint = [
            f"; perhaps {word(day)}, day and month exchanged" if day >= start else ""
            for day, start in zip(other, rows["start_date"], strict=True)
        ]
        told = [
            f"from the first day on, {word(day)}{h}" for day, h in zip(rows["start_date"], hint, strict=True)
        ]
        log.ask("events.order", "events", rows, "end_date", told, "An event ends on or after its first day",
                "last day unknown")  # fmt: skip
        sent = rows["end_date"].dt.strftime("%Y-%m-%d")
        log.keep("events", rows["_row"], "end_date", sent, "", [None] * len(rows), "last day unknown")
        frame.loc[backwards, "end_date"] = pd.NaT
    here = [c for c in frame if (not c.startswith("_") or c == "_hidden") and c != "event_no"]
    numbered = frame["event_no"].notna()
    again = frame.duplicated([*here, "event_no"] if numbered.all() else here)
    log.ask("events.same-row", "events", frame[again], "start_date", "each row once", REPEATED, "same row once",
            severity=NOTE)  # fmt: skip
    frame = frame[~again].reset_index(drop=True)
    odd = frame["event_no"].isna() | frame.duplicated(["usubjid", "event_no"])
    children = set(frame.loc[odd, "usubjid"])
    anew = frame["usubjid"].isin(children)
    # a table without any number is no fault of a row
    if frame["event_no"].notna().any():
        log.ask("events.number", "events", frame[odd], "event_no", "each number once within the child",
                "An event is known by its number", "numbered by day", severity=NOTE)  # fmt: skip
    order = frame.sort_values(["usubjid", "start_date", "_row"], kind="stable")
    number = order.groupby("usubjid").cumcount() + 1.0
    frame["event_no"] = frame["event_no"].where(~anew, number)
    return frame


def ends(
    frame: pd.DataFrame,
    days: Calendar,
    seen: pd.DataFrame,
    visits: pd.DataFrame,
    log: Log,
    received: bool = True,
) -> pd.DataFrame:
    """An end for each randomised child; who has none and left by its visits has left, any other is still followed.

    seen: usubjid, day of what is known; visits: as sent; received: whether there was a table of ends; where not, that
    is asked once and not of each child.
    """
    known = seen[seen["usubjid"].isin(days.ids)].groupby("usubjid")["day"].max().reindex(days.ids)
    known = known.fillna(days.randomised).to_numpy("datetime64[ns]")
    out = frame.set_index("usubjid").reindex(days.ids).reset_index(names="usubjid")
    gone = out["status"].isna() & out["usubjid"].isin(_left(visits))
    asked = _asked("disposition", "status", out, log)
    log.ask("disposition.left", "disposition", out[gone & ~asked & received], "status",
            "left, with the reason and the last contact", "The visits say that the child left the trial",
            "left by its visits")  # fmt: skip
    log.touch("left by its visits", int((gone & (asked | (not received))).sum()))
    out["status"] = out["status"].mask(gone, "left").fillna("ongoing")
    open_ = out["status"] == "ongoing"
    log.touch("still followed", int(open_.sum()))
    lacking = out["date"].isna()
    out["date"] = out["date"].where(~lacking, known)
    log.ask("disposition.day", "disposition", out[lacking & ~open_ & out["_row"].notna()], "date", "the last contact",
            "Observation ends with the last contact", "partial contact", "nothing")  # fmt: skip
    return out


def _left(visits: pd.DataFrame) -> list[str]:
    """Children of whom a visit says that they left the trial, and who attended none after it."""
    says = visits[visits["reason"] == "left the trial"].groupby("usubjid")["visit_no"].max()
    there = visits[visits["attended"] == "yes"].groupby("usubjid")["visit_no"].max()
    return list(says.index[says >= there.reindex(says.index).fillna(-1)])


def _asked(name: str, column: str, frame: pd.DataFrame, log: Log) -> NDArray:
    """Whether the column's cell of each row of a table was asked for."""
    cells = log.asked(name, column)
    file = frame["_file"] if "_file" in frame else [None] * len(frame)
    return np.array([cell in cells for cell in zip(file, frame["_row"], strict=True)], bool)


def lacking(name: str, frame: pd.DataFrame, file: str, log: Log) -> pd.DataFrame:
    """Rows without a value that the codebook asks for are not analysed; in `screening` that is fatal."""
    drop = pd.Series(False, index=frame.index)
    for column in TABLES[name].columns:
        if column.empty or column.name not in frame:
            continue
        empty = frame[column.name].isna() & ~drop
        if not empty.any():
            continue
        if name in ("screening", "randomisation"):
            rows = [str(int(r)) for r in frame.loc[empty, "_row"].dropna()[:3]]
            log.fatal.append(
                f"{file}: {column.name} is empty for {counted(int(empty.sum()), 'child', 'children')}, "
                f"first in row {', '.join(rows)}; allowed: {column.allowed}"
            )
            continue
        # a cell that could not be read, or was a part of a day, is asked for as that
        asked = _asked(name, column.name, frame, log)
        log.ask(f"{name}.lacking", name, frame[empty & ~asked], column.name, column.allowed,
                "A row without it can't be placed", "not analysed without")  # fmt: skip
        log.touch("not analysed without", int((empty & asked).sum()))
        drop |= empty
    return frame[~drop].reset_index(drop=True)


def happened(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All days on which anything is known of a child: usubjid, day."""
    columns = {
        "visits": ("date",), "labs": ("date",), "infusions": ("date",), "events": ("start_date", "end_date"),
        "treatments": ("date",),
    }  # fmt: skip
    parts = [
        frames[name][["usubjid", column]].set_axis(["usubjid", "day"], axis=1)
        for name, some in columns.items()
        for column in some
        if name in frames
    ]
    return pd.concat(parts).dropna().drop_duplicates()
