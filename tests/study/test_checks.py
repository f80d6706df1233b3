"""The register of checks: every entry fires alone on its own fault, not at its boundary, and clean tables are clean."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import Problem
from helpers.analysis import adam
from helpers.study import checks, eligibility, tables
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.scenario import load
from helpers.trial import conduct, record

RAW = tuple(adam.Raw.__dataclass_fields__)
DAY = pd.Timedelta(1, "D")


def simulated(p: Parameters) -> dict[str, pd.DataFrame]:
    """Raw tables and criteria of one trial, in this process."""
    enrolled, columns, values = conduct.screen(p)
    screening = record.screening(columns)
    raw, _ = record.trial(p, enrolled, screening)
    adie = eligibility.adie(screening["usubjid"].to_numpy(object), values)
    return {"screening": screening, **raw, "adie": adie}


def with_analysis(made: dict[str, pd.DataFrame], p: Parameters) -> dict[str, pd.DataFrame]:
    derived = adam.Adam(adam.Raw(**{name: made[name] for name in RAW}), p)
    return {**made, **{name: getattr(derived, name)() for name in ("adsl", "adlb", "adtte", "adae")}}


@pytest.fixture(scope="module")
def base():
    """All tables of the base scenario as they are read from its folder."""
    study = load("base")
    return {name: study.read(name) for name in TABLES}


class Spoilt:
    """The base tables, and edits by the row in the file, whose header is row 1; a table is copied when asked for."""

    def __init__(self, base: dict[str, pd.DataFrame]) -> None:
        self.clean, self.tables = base, dict(base)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if self.tables[name] is self.clean[name]:
            self.tables[name] = self.clean[name].copy()
        return self.tables[name]

    def row(self, name: str, **where) -> int:
        """Index of the first row with these values."""
        frame = self[name]
        chosen = np.logical_and.reduce([frame[column] == value for column, value in where.items()])
        return int(frame.index[chosen][0])

    def set(self, name: str, at: int, **values) -> None:
        for column, value in values.items():
            self[name].loc[at, column] = value

    def drop(self, name: str, rows) -> None:
        self.tables[name] = self[name].drop(index=rows).reset_index(drop=True)

    def move(self, child: str, visit: int, day: pd.Timestamp) -> None:
        """Put a visit and its samples on another day."""
        for name in ("visits", "labs"):
            mine = (self[name]["usubjid"] == child) & (self[name]["visit_no"] == visit)
            self[name].loc[mine, "date"] = day

    def found(self) -> pd.DataFrame:
        """Of all entries; one that reads no touched table says what it says of clean ones, and is not asked again."""
        touched = {name for name, frame in self.tables.items() if frame is not self.clean[name]}
        return checks.findings(
            self.tables, [check for check in checks.REGISTER if touched & set(check.tables)]
        )


@pytest.fixture
def spoilt(base) -> Spoilt:
    return Spoilt(base)


CHILD = "AS-0001"
"""Attended all visits of the base scenario, had both infusions, completed."""


def day(text: str) -> pd.Timestamp:
    return pd.Timestamp(text)


def stranger(name: str):
    """One more row, of a child that no other table knows."""

    def change(s: Spoilt) -> None:
        rows = s[name] if name != "visits" else s[name].query("attended == 'no'")
        s.tables[name] = pd.concat([s[name], rows.iloc[[-1]].assign(usubjid="AS-9999")], ignore_index=True)

    return change


def value(name: str):
    """A fault of the codebook in a column of each table that no other check reads."""
    column, wrong = {
        "screening": ("genotype", "unknown"),
        "adie": ("IECAT", "BOTH"),
        "randomisation": ("block", 0.0),
        "infusions": ("cells", -1.0),
        "visits": ("reason", "ill"),
        "labs": ("qualifier", "~"),
        "events": ("serious", "maybe"),
        "treatments": ("change", "forgotten"),
        "disposition": ("reason", "bored"),
        "adsl": ("AGE", 19.5),
        "adlb": ("LOQFL", "N"),
        "adtte": ("AVALU", "DAYS"),
        "adae": ("AESER", "?"),
    }[name]

    def change(s: Spoilt) -> None:
        at = s.row("disposition", status="left") if name == "disposition" else 1
        at = s.row("infusions", product="Placebo") if name == "infusions" else at
        at = s.row("visits", reason="missed") if name == "visits" else at
        s.set(name, at, **{column: wrong})

    return change


def twice(name: str):
    """The last row of a table once more."""

    def change(s: Spoilt) -> None:
        s.tables[name] = pd.concat([s[name], s[name].iloc[[-1]]], ignore_index=True)

    return change


def sampled(s: Spoilt) -> None:
    labs = s["labs"]
    s.drop("labs", labs.index[(labs["usubjid"] == CHILD) & (labs["visit_no"] == 4)])


def contact(name: str):
    def change(s: Spoilt) -> None:
        last = s["disposition"].set_index("usubjid")["date"]
        if name == "infusions":
            s.set(name, s.row(name, usubjid=CHILD, infusion=2), date=last[CHILD] + DAY)
        elif name == "visits":
            s.move(CHILD, 12, last[CHILD] + DAY)
        elif name == "events":
            at = s.row(name, usubjid=CHILD)
            s.set(name, at, start_date=last[CHILD] + DAY, end_date=pd.NaT)
            s.set("adae", s.row("adae", USUBJID=CHILD), ASTDT=last[CHILD] + DAY)
        else:
            at = s[name].index[0]
            s.set(name, at, date=last[s[name].loc[at, "usubjid"]] + DAY)

    return change


def edit(table: str, where: dict, **values):
    """A change of one row, found by its values; a function of the row gives a value that depends on it."""

    def change(s: Spoilt) -> None:
        at = s.row(table, **where)
        row = s[table].loc[at]
        s.set(table, at, **{column: v(row) if callable(v) else v for column, v in values.items()})

    return change


def missing(table: str, **where):
    def change(s: Spoilt) -> None:
        s.drop(table, [s.row(table, **where)])

    return change


def late_contact(s: Spoilt) -> None:
    last = s["visits"].query("usubjid == @CHILD")["planned_date"].max()
    s.set("disposition", s.row("disposition", usubjid=CHILD), date=last + 184 * DAY)


def before_screening(s: Spoilt) -> None:
    s.move(CHILD, 2, s["screening"]["consent_date"][0] - DAY)


def between_visits(s: Spoilt) -> None:
    """Week 4 six days after the target day of week 2, eight before its own, and after week 2 was seen."""
    week2 = s["visits"].loc[s.row("visits", usubjid=CHILD, visit_no=2)]
    s.move(CHILD, 3, week2["planned_date"] + 6 * DAY)


def screening_elsewhere(s: Spoilt) -> None:
    s.move(CHILD, 0, s["screening"]["consent_date"][0] + DAY)


def out_of_order(s: Spoilt) -> None:
    """First infusion the day after the second, still within all that other tables say."""
    second = s["infusions"].loc[s.row("infusions", usubjid=CHILD, infusion=2), "date"]
    s.set("infusions", s.row("infusions", usubjid=CHILD, infusion=1), date=second + DAY)


def late_baseline(s: Spoilt) -> None:
    """The second baseline sample taken on the day after the first infusion."""
    first = s["infusions"].loc[s.row("infusions", usubjid=CHILD, infusion=1), "date"]
    s.set("visits", s.row("visits", usubjid=CHILD, visit_no=1), date=first + DAY)
    labs = s["labs"]
    labs.loc[(labs["usubjid"] == CHILD) & (labs["visit_no"] == 1), "date"] = first + DAY


def not_attended(s: Spoilt) -> None:
    s.set("visits", s.row("visits", usubjid=CHILD, visit_no=5), attended="no", date=pd.NaT, reason="missed")


def who_left(s: Spoilt) -> None:
    missed = (
        s["visits"]
        .query("reason == 'missed'")
        .merge(s["disposition"].query("status == 'completed'")["usubjid"])
    )
    first = missed.iloc[0]
    s.set(
        "visits",
        s.row("visits", usubjid=first["usubjid"], visit_no=first["visit_no"]),
        reason="left the trial",
    )


def gone_before_randomisation(s: Spoilt) -> None:
    """Nothing but consent and randomisation is known of a child whose last contact was the day before."""
    visits, infusions = s["visits"], s["infusions"]
    later = (visits["usubjid"] == CHILD) & (visits["visit_no"] > 0)
    visits.loc[later, ["date", "attended", "reason"]] = [pd.NaT, "no", "left the trial"]
    infusions.loc[infusions["usubjid"] == CHILD, ["date", "given", "product", "cells"]] = [
        pd.NaT,
        "no",
        None,
        np.nan,
    ]
    for name, kept in (("labs", lambda t: t["visit_no"] == 0), ("events", lambda t: t["event_no"] == 0)):
        s.drop(name, s[name].index[(s[name]["usubjid"] == CHILD) & ~kept(s[name])])
    randomised = s["randomisation"].set_index("usubjid")["randomisation_date"][CHILD]
    at = s.row("disposition", usubjid=CHILD)
    s.set("disposition", at, date=randomised - DAY, status="left", reason="moved away")


FAULTS = {
    **{f"{name}.values": value(name) for name in TABLES},
    **{f"{name}.key": twice(name) for name in TABLES},
    **{f"{name}.child": stranger(name) for name in RAW if name not in ("screening", "randomisation")},
    **{f"{name}.contact": contact(name) for name in ("infusions", "visits", "events", "treatments")},
    "labs.unit": edit("labs", {"test": "bun"}, unit="mg/L"),
    "labs.limits": edit("labs", {"test": "bun", "visit_no": 2}, value=101.0),
    "labs.dysmorphic": edit("labs", {"test": "rbc_dysmorphic", "visit_no": 2}, value=9e5),
    "screening.consent": edit("screening", {"ras_inhibitor": "yes"}, ras_since=lambda r: r["consent_date"] + DAY),
    "screening.birth": edit("screening", {"ras_inhibitor": "yes"}, ras_since=lambda r: r["birth_date"] - DAY),
    "screening.age": edit("screening", {"usubjid": CHILD}, birth_date=day("1990-09-08")),
    "screening.answers": edit("screening", {"surgery": "no"}, surgery_date=lambda r: r["consent_date"] - DAY),
    "screening.dysmorphic": edit("screening", {"usubjid": "AS-0003"}, rbc_dysmorphic=39.0),
    "randomisation.sequence": edit("randomisation", {"sequence": 2}, sequence=1.0),
    "infusions.given": edit("infusions", {"given": "yes", "infusion": 2}, cells=np.nan),
    "infusions.cells": edit("infusions", {"product": "Placebo"}, cells=1e7),
    "infusions.order": out_of_order,
    "visits.name": edit("visits", {"visit_no": 3}, visit="Week 2"),
    "visits.attended": edit("visits", {"visit_no": 3, "attended": "yes"}, reason="missed"),
    "visits.order": before_screening,
    "visits.nearest": between_visits,
    "events.order": edit("events", {"usubjid": CHILD}, end_date=lambda r: r["start_date"] - DAY),
    "events.serious": edit("events", {"serious": "no"}, severity="life-threatening"),
    "disposition.reason": edit("disposition", {"status": "left"}, reason=None),
    "randomisation.child": missing("screening", usubjid=CHILD),
    "randomisation.consent": edit("randomisation", {"usubjid": CHILD}, randomisation_date=day("2025-01-04")),
    "adie.complete": missing("adie", USUBJID="AS-0002", AVALC="MET"),
    "infusions.complete": missing("infusions", given="no", infusion=1),
    "infusions.randomised": edit("infusions", {"usubjid": CHILD, "infusion": 1}, date=day("2025-01-11")),
    "infusions.product": edit("infusions", {"product": "Placebo"}, product="hUC-MSC", cells=1e7),
    "visits.complete": missing("visits", reason="missed"),
    "visits.target": edit("visits", {"usubjid": CHILD, "visit_no": 12}, planned_date=day("2026-02-03")),
    "visits.consent": screening_elsewhere,
    "visits.baseline": late_baseline,
    "visits.sampled": sampled,
    "visits.measured": missing("labs", usubjid=CHILD, visit_no=12, test="weight"),
    "visits.left": who_left,
    "labs.attended": not_attended,
    "labs.day": edit("labs", {"usubjid": CHILD, "visit_no": 2, "test": "upcr"}, date=day("2025-02-17")),
    "labs.filtration": edit("labs", {"usubjid": CHILD, "visit_no": 2, "test": "creatinine"}, value=5.0),
    "screening.labs": edit("screening", {"usubjid": CHILD}, bun=5.9),
    "events.days": edit("events", {"usubjid": CHILD}, start_date=day("1925-03-27")),
    "events.infusion": edit("events", {"usubjid": CHILD}, within_24h="yes"),
    "events.end": edit("events", {"usubjid": CHILD, "event_no": 4}, end_date=day("2027-03-01")),
    "events.fatal": edit("events", {"usubjid": CHILD}, severity="fatal", serious="yes"),
    "treatments.randomised": edit("treatments", {"usubjid": "AS-0024"}, date=day("2024-12-21")),
    "disposition.complete": missing("disposition", usubjid=CHILD),
    "disposition.randomised": gone_before_randomisation,
    "disposition.late": late_contact,
    "adlb.base": edit("adlb", {"AVISITN": 0, "PARAMCD": "PROTCRT"}, BASE=1.0),
    "adlb.change": edit("adlb", {"AVISITN": 1, "PARAMCD": "PROTCRT"}, CHG=1.0),
    "adtte.complete": missing("adtte", PARAMCD="UPCRC"),
    "adtte.evaluable": edit("adtte", {"ANL01FL": "N"}, ANL01FL="Y"),
    "adtte.interval": edit("adtte", {"CNSR": 0}, RMONTH=np.nan),
    "adsl.eligible": edit("adie", {"USUBJID": CHILD}, AVALC="UNKNOWN"),
    "adsl.safety": edit("adsl", {"NINFUS": 2}, SAFFL="N", PPROTFL="N"),
    "adsl.protocol": edit("adsl", {"PPROTFL": "Y"}, NINFUS=0.0, SAFFL="N"),
    "adae.emergent": edit("adae", {"TRTEMFL": "Y"}, TRTEMFL="N"),
    "adae.ongoing": edit("adae", {"TRTEMFL": "Y"}, AEENRTPT="ONGOING"),
}  # fmt: skip


def test_every_entry_has_a_fault_here():
    assert set(FAULTS) == set(checks.BY_CODE)
    assert len(checks.BY_CODE) == len(checks.REGISTER)


def test_clean_tables_give_nothing(base):
    assert checks.findings(base, checks.REGISTER).empty
    checks.refuse(checks.findings(base, checks.REGISTER))


@pytest.mark.parametrize("code", list(FAULTS))
def test_each_entry_fires_alone_and_is_told_with_its_place(spoilt, code):
    FAULTS[code](spoilt)
    found = spoilt.found()
    assert set(found["code"]) == {code}
    check = checks.BY_CODE[code]
    assert set(found["table"]) <= set(check.tables)
    assert (found[["column", "found", "expected"]] != "").all(axis=None)
    for row in found[found["row"].notna()].itertuples():
        frame = spoilt[row.table]
        child = frame["usubjid" if "usubjid" in frame else "USUBJID"]
        assert row.usubjid == child.iloc[row.row - 2]
        assert row.column in frame
    assert check.simulated == checks.FATAL
    with pytest.raises(Problem) as caught:
        checks.refuse(found)
    first = found.iloc[0]
    place = (
        f"{first['table']}.csv"
        if pd.isna(first["row"])
        else f"{first['table']}.csv row {first['row']}, column "
    )
    assert str(caught.value).startswith(place)
    assert f"found {first['found']}, allowed: {first['expected']}" in str(caught.value)
    assert "\n" not in str(caught.value)
    if check.own == checks.FATAL:
        with pytest.raises(Problem):
            checks.refuse(found, own=True)
    else:
        checks.refuse(found, own=True)


def both_infusions_on(gap: int):
    def change(s: Spoilt) -> None:
        at = s.row("infusions", usubjid=CHILD, infusion=1)
        second = s["infusions"].loc[s.row("infusions", usubjid=CHILD, infusion=2), "date"]
        s.set("infusions", at, date=second - gap * DAY)

    return change


def week4_off(days: int):
    def change(s: Spoilt) -> None:
        planned = s["visits"].loc[s.row("visits", usubjid=CHILD, visit_no=3), "planned_date"]
        s.move(CHILD, 3, planned + days * DAY)

    return change


def last_contact(days: int):
    def change(s: Spoilt) -> None:
        last = s["visits"].query("usubjid == @CHILD")["planned_date"].max()
        s.set("disposition", s.row("disposition", usubjid=CHILD), date=last + days * DAY)

    return change


def event_on(before_contact: int, length: int | None = 0, after_consent: int | None = None):
    """The child's first event, counted back from the last contact or on from the consent; length None: ongoing."""

    def change(s: Spoilt) -> None:
        start = s["disposition"]["date"][0] - before_contact * DAY
        if after_consent is not None:
            start = s["screening"]["consent_date"][0] + after_consent * DAY
        s.set("events", 0, start_date=start, end_date=pd.NaT if length is None else start + length * DAY)

    return change


def egfr(creatinine: float):
    where = {"usubjid": CHILD, "visit_no": 2, "test": "creatinine"}
    return edit("labs", where, value=creatinine)


def screened(column: str, **change):
    return edit("screening", {"usubjid": CHILD}, **{column: lambda r: r[change["of"]] + change["days"] * DAY})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (both_infusions_on(1), None),
        (both_infusions_on(0), "infusions.order"),
        # target days 14, 28 and 42: half way is nobody's fault, a day further is
        (week4_off(7), None),
        (week4_off(8), "visits.nearest"),
        (last_contact(183), None),
        (last_contact(184), "disposition.late"),
        (event_on(0), None),
        (event_on(-1, length=None), "events.contact"),
        (event_on(0, length=1), "events.end"),
        (event_on(0, length=None), None),  # ongoing
        (event_on(0, length=0, after_consent=0), None),
        (event_on(0, length=0, after_consent=-1), "events.days"),
        (event_on(0, length=1, after_consent=-1), None),
        (event_on(0, length=-1, after_consent=20), "events.order"),
        # AS-0001 is 152.7 cm tall at screening; 0.413 x 152.7 x 88.4 / 1000 = 5.575
        (egfr(5.7), None),
        (egfr(5.4), "labs.filtration"),
        (edit("labs", {"usubjid": CHILD, "visit_no": 2, "test": "cystatin_c"}, value=0.1), None),
        (screened("ras_since", of="consent_date", days=0), None),
        (screened("ras_since", of="consent_date", days=1), "screening.consent"),
        (screened("ras_since", of="birth_date", days=0), None),
        (screened("ras_since", of="birth_date", days=-1), "screening.birth"),
        (screened("birth_date", of="consent_date", days=-6939), None),
        (screened("birth_date", of="consent_date", days=-6940), "screening.age"),
        (edit("screening", {"usubjid": "AS-0003"}, rbc_dysmorphic=38.9), None),
        (edit("randomisation", {"usubjid": CHILD}, randomisation_date=day("2025-01-05")), None),
        (edit("infusions", {"usubjid": CHILD, "infusion": 1}, date=day("2025-01-12")), None),
        (edit("screening", {"surgery": "yes"}, surgery_date=lambda r: r["consent_date"]), None),
        (edit("screening", {"usubjid": CHILD}, birth_date=pd.NaT), None),
        (edit("screening", {"usubjid": CHILD}, rbc=np.nan), "screening.labs"),
    ],
)
def test_each_boundary_from_both_sides(spoilt, change, code):
    change(spoilt)
    raw = {name: spoilt[name] for name in RAW}
    entries = [check for check in checks.REGISTER if set(check.tables) <= set(RAW)]
    assert set(checks.findings(raw, entries)["code"]) == ({code} if code else set())


@pytest.fixture(scope="module")
def texts():
    """Text of the cells of the base scenario's raw files."""
    return {
        name: pd.read_csv(load("base").folder / f"{name}.csv", dtype=str, keep_default_na=False)
        for name in RAW
    }


@pytest.fixture
def refusal(tmp_path, base, texts):
    """What reading the raw tables and deriving ADSL say of the base scenario's files after a change of their text."""

    def told(change) -> str:
        return _refusal(tmp_path, base, texts, change)

    return told


def _refusal(folder: Path, base: dict, texts: dict, change) -> str:
    raw = {name: frame.copy() for name, frame in texts.items()}
    change(raw)
    # files as they were need not be read again
    touched = [name for name, frame in raw.items() if not frame.equals(texts[name])]
    assert touched
    for name in touched:
        raw[name].to_csv(folder / f"{name}.csv", index=False)

    def derive() -> pd.DataFrame:
        changed = {name: tables.read(name, folder / f"{name}.csv") for name in touched}
        read = {name: base[name].copy() for name in RAW} | changed
        return adam.Adam(adam.Raw(**read), Parameters()).adsl()

    with pytest.raises(Problem) as caught:
        derive()
    return str(caught.value)


def test_protein_and_urea_in_other_units_contradict_the_laboratory(refusal):
    """UPCR in mg/mmol for mg/mg (113 times as much) and urea in mg/dL for mmol/L."""
    had = []

    def in_screening(raw):
        had[:] = raw["screening"].loc[0, ["upcr", "bun"]].tolist()
        raw["screening"].loc[0, ["upcr", "bun"]] = ["43", "16"]

    message = refusal(in_screening)
    assert (
        "screening.csv row 2, column upcr: found 43, allowed: as in labs.csv at visit 0, " + had[0] in message
    )
    assert (
        "screening.csv row 2, column bun: found 16, allowed: as in labs.csv at visit 0, " + had[1] in message
    )

    def in_labs(raw):
        labs = raw["labs"]
        mine = (labs["usubjid"] == CHILD) & (labs["test"] == "upcr")
        labs.loc[mine, "value"] = [f"{float(v) * 113:g}" for v in labs.loc[mine, "value"]]

    assert f"screening.csv row 2, column upcr: found {had[0]}, allowed: as in labs.csv" in refusal(in_labs)


def test_an_event_that_ends_before_it_starts(refusal):
    def change(raw):
        raw["events"].loc[0, ["start_date", "end_date"]] = ["2025-03-27", "2025-03-01"]

    message = refusal(change)
    assert message.startswith("events.csv row 2, column end_date: found 2025-03-01, allowed: ")
    assert "2025-03-27" in message


@pytest.mark.parametrize("wrong", ["2052-02-18", "1925-02-18"])
def test_a_sample_decades_off(refusal, wrong):
    def change(raw):
        labs = raw["labs"]
        mine = (labs["usubjid"] == CHILD) & (labs["visit_no"] == "2") & (labs["test"] == "upcr")
        assert labs.loc[mine, "date"].tolist() == ["2025-02-18"]
        labs.loc[mine, "date"] = wrong

    message = refusal(change)
    assert f"column date: found {wrong}, allowed: the day of the visit, 2025-02-18 in visits.csv" in message


def cut(name: str, rows: int):
    def change(raw):
        raw[name] = raw[name].iloc[:-rows]

    return change


@pytest.mark.parametrize("name", ["screening", "randomisation", "infusions", "visits", "labs", "disposition"])
@pytest.mark.parametrize("rows", [1, 7, 19])
def test_a_file_cut_off_at_the_end_of_a_row(refusal, name, rows):
    """What is gone is claimed by another table: samples by their visits, children by their randomisation."""
    refusal(cut(name, rows))


def test_samples_cut_off_anywhere_are_missed_by_their_visits(base):
    labs, entries = base["labs"], [checks.BY_CODE[code] for code in ("visits.sampled", "visits.measured")]
    for rows in np.random.default_rng(10).integers(len(labs), size=20):
        found = checks.findings({"visits": base["visits"], "labs": labs.iloc[:rows]}, entries)
        child = labs["usubjid"][rows]
        assert child in set(found["usubjid"])


def test_many_faults_are_told_by_their_first_rows_and_counted(spoilt):
    spoilt["labs"]["date"] += 400 * DAY
    found = checks.findings(spoilt.tables, [checks.BY_CODE["labs.day"], checks.BY_CODE["labs.attended"]])
    assert len(found) == len(spoilt["labs"])
    with pytest.raises(Problem) as caught:
        checks.refuse(found)
    assert str(caught.value).count("labs.csv row") == 3
    assert f"(and {len(found) - 3} more of this kind)" in str(caught.value)


def test_faults_of_several_tables_are_one_message(spoilt):
    for code in ("infusions.product", "events.infusion", "disposition.complete"):
        FAULTS[code](spoilt)
    raw = {name: spoilt[name] for name in RAW}
    with pytest.raises(Problem) as caught:
        adam.Adam(adam.Raw(**raw), Parameters())
    for part in (
        "infusions.csv row 2, column product",
        "events.csv row 2, column within_24h",
        "disposition.csv: found",
    ):
        assert part in str(caught.value)


def test_queries_of_own_tables_stop_nothing_and_are_kept(spoilt):
    FAULTS["infusions.product"](spoilt)
    raw = adam.Raw(**{name: spoilt[name] for name in RAW})
    made = adam.Adam(raw, Parameters(), own=True)
    assert made.findings["code"].tolist() == ["infusions.product"]
    assert made.adsl().set_index("USUBJID").loc[CHILD, ["TRT01P", "TRT01A"]].tolist() == [
        "Placebo",
        "hUC-MSC",
    ]


def test_every_entry_is_asked_in_one_place():
    """Reading asks what a table answers alone, `Adam` what the raw tables say of each other, chapter 04 the rest."""
    asked = [check for name in TABLES for check in checks.alone(name)]
    asked += [*checks.between(RAW), *checks.between(TABLES, done=RAW)]
    assert sorted(check.code for check in asked) == sorted(checks.BY_CODE)


@pytest.mark.parametrize("scenario", ["high-dropout", "eligibility-baseline", "register"])
def test_simulated_tables_of_scenarios_are_clean(scenario):
    p = load(scenario).parameters
    found = checks.findings(with_analysis(simulated(p), p), checks.REGISTER)
    assert found.empty, checks.refuse(found)


CHANGES = [
    {"infusion_gap": 1, "days_to_randomisation": 0, "days_to_infusion": 0, "infection_rate": 12.0},
    {"age_max": 4.0, "age_sd": 1.0, "age_mean": 2.0, "cell_product": 0.5, "criteria": "diagnosis and consent"},
    {"window_to_week_8": 6, "window_to_month_6": 14, "window_after_month_6": 29, "dropout": 0.9},
    {"dropout_early": 0.5, "infusion_not_given": 0.5, "rescue_rate": 5.0, "other_event_rate": 20.0},
    {"sample_missing": 1.0, "collection_missing": 1.0, "criteria": "diagnosis and consent"},
    {"visit_missed": 1.0, "fever_msc": 1.0, "ras_change_placebo": 5.0, "baseline_samples": "separate"},
    {"dysmorphic_share": 1.0, "gross_haematuria": 1.0, "missing_answer": 0.2, "criteria": "diagnosis and consent"},
]  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: next(iter(changes)))
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_simulated_tables_do_not_contradict_each_other_at_the_ends_of_the_ranges(changes, seed):
    p = Parameters(seed=seed, n_randomised=30, **changes)
    found = checks.findings(with_analysis(simulated(p), p), checks.REGISTER)
    assert found.empty, checks.refuse(found)


def test_many_children_take_seconds(base):
    """75 times the base trial: 3,000 children, 312,000 laboratory rows; a loop over rows would take minutes."""
    many = {}
    for name, frame in base.items():
        child = "usubjid" if "usubjid" in frame else "USUBJID"
        copies = [frame.assign(**{child: frame[child] + f"-{k}"}) for k in range(75)]
        many[name] = pd.concat(copies, ignore_index=True)
    list_ = many["randomisation"].sort_values("randomisation_date", ignore_index=True)
    many["randomisation"] = list_.assign(sequence=np.arange(1.0, len(list_) + 1))
    assert len(many["labs"]) > 300_000
    start = time.process_time()
    assert checks.findings(many, checks.REGISTER).empty
    assert time.process_time() - start < 20
