"""Counts of the follow-up from raw tables, against two children an arm whose story is written by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import adam, follow_up
from helpers.study import eligibility
from helpers.study.eligibility import IDS
from helpers.study.protocol import VISITS

ZERO = pd.Timestamp("2025-03-15")


def day(number):
    return pd.NaT if number is None else ZERO + pd.Timedelta(number, "D")


def table(columns, rows):
    return pd.DataFrame(rows, columns=columns.split())


def visits():
    """Everyone attends on the planned day but: p2 misses week 4, m2 has left before month 3."""
    rows = [(child, 0, "Screening", day(-28), day(-28), "yes", None) for child in ("p1", "m1", "m2", "p2")]
    for child in ("p1", "m1", "m2", "p2"):
        for visit in VISITS:
            reason = None
            if child == "p2" and visit.name == "Week 4":
                reason = "missed"
            if child == "m2" and visit.day > 80:
                reason = "left the trial"
            when = None if reason else visit.day
            attended = "no" if reason else "yes"
            rows.append((child, visit.number, visit.name, day(visit.day), day(when), attended, reason))
    return table("usubjid visit_no visit planned_date date attended reason", rows)


@pytest.fixture(scope="module")
def raw():
    return adam.Raw(
        screening=table(
            "usubjid consent_date ras_inhibitor",
            [("s0", day(-60), "yes"), ("p1", day(-28), "yes"), ("m1", day(-28), "no"), ("m2", day(-20), "no"),
             ("p2", day(-15), "yes"), ("s1", day(40), "yes")],
        ),
        randomisation=table(
            "usubjid randomisation_date sequence block arm",
            [("p1", day(-21), 1, 1, "Placebo"), ("m1", day(-20), 2, 1, "hUC-MSC"), ("m2", day(-13), 3, 1, "hUC-MSC"),
             ("p2", day(-8), 4, 2, "Placebo")],
        ),
        infusions=table(
            "usubjid infusion planned_date date given reason",
            [("p1", 1, day(-14), day(-14), "yes", None), ("p1", 2, day(0), day(0), "yes", None),
             ("m1", 1, day(-18), day(-14), "yes", "postponed: recent infection"),
             ("m1", 2, day(0), day(0), "yes", None),
             ("m2", 1, day(-14), None, "no", "not given: family's wish"), ("m2", 2, day(0), day(0), "yes", None),
             ("p2", 1, day(-14), day(-14), "yes", None),
             ("p2", 2, day(0), None, "no", "postponed: recent infection; not given: family's wish")],
        ),
        visits=visits(),
        labs=table(
            "usubjid visit_no test",
            [("p1", 2, "upcr"), ("p1", 2, "rbc"), ("m1", 2, "upcr"), ("m1", 3, "rbc"),
             ("m2", 2, "upcr"), ("m2", 0, "upcr")],
        ),
        events=table(
            "usubjid event start_date serious within_24h",
            [("m1", "fever", day(0), "no", "yes"), ("m1", "fever", day(1), "no", "yes"),
             ("m1", "infection", day(61), "yes", "no"), ("p2", "other", day(-27), "no", "no")],
        ),
        treatments=table(
            "usubjid date treatment change",
            [("p1", day(30), "RAS inhibitor", "started"), ("p1", day(60), "RAS inhibitor", "raised"),
             ("m1", day(90), "rescue", "started"), ("m2", day(20), "RAS inhibitor", "stopped")],
        ),
        disposition=table(
            "usubjid status reason date",
            [("m2", "left", "moved away", day(80)), ("p1", "completed", None, day(366)),
             ("m1", "completed", None, day(365)), ("p2", "completed", None, day(365))],
        ),
    )  # fmt: skip


def cell(frame, item, arm, *columns):
    (row,) = frame[(frame["item"] == item) & (frame["arm"] == arm)].to_dict("records")
    return [row[column] for column in columns]


def test_blocks(raw):
    found = follow_up.blocks(raw)
    assert found.to_dict("records") == [
        {"block": 1, "children": 3, "Placebo": 1, "hUC-MSC": 2, "order": ("Placebo", "hUC-MSC", "hUC-MSC")},
        {"block": 2, "children": 1, "Placebo": 1, "hUC-MSC": 0, "order": ("Placebo",)},
    ]


def test_totals_count_planned_visits_after_treatment_and_planned_infusions(raw):
    found = follow_up.totals(raw)
    assert cell(found, "randomised", "Placebo", "n", "N") == [2, 2]
    assert cell(found, "left", "Placebo", "n", "N") == [0, 2]
    assert cell(found, "left", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "attended", "Placebo", "n", "N") == [21, 22]
    assert cell(found, "attended", "hUC-MSC", "n", "N") == [15, 22]
    assert cell(found, "given", "Placebo", "n", "N") == [3, 4]
    assert cell(found, "given", "hUC-MSC", "n", "N") == [3, 4]


def test_recruitment_is_cumulative_by_day(raw):
    met = {name: 1 for name in IDS}
    verdicts = {"s0": met | {"I8": -1}, "p1": met, "m1": met, "m2": met, "p2": met, "s1": met | {"I2": 0}}
    values = np.array([[v[name] for v in verdicts.values()] for name in IDS], np.int8)
    found = follow_up.recruitment(raw, eligibility.adie(np.array(list(verdicts), object), values))
    assert found["date"].tolist() == [day(n) for n in (-60, -28, -21, -20, -15, -13, -8, 40)]
    assert found["screened"].tolist() == [1, 3, 3, 4, 5, 5, 5, 6]
    assert found["eligible"].tolist() == [0, 2, 2, 3, 4, 4, 4, 4]
    assert found["randomised"].tolist() == [0, 0, 1, 2, 2, 3, 4, 4]
    assert found["months"].iloc[[0, 6]].tolist() == pytest.approx([0, 52 / 30.4375])


def test_lanes_run_from_randomisation_to_last_contact(raw):
    found = follow_up.lanes(raw).set_index("child")
    assert list(found.index) == ["p1", "m1", "m2", "p2"]
    assert found["start"].tolist() == pytest.approx([-n / 30.4375 for n in (21, 20, 13, 8)])
    assert found["end"].tolist() == pytest.approx([n / 30.4375 for n in (366, 365, 80, 365)])
    assert found["reason"].tolist() == [None, None, "moved away", None]
    assert found["arm"].tolist() == ["Placebo", "hUC-MSC", "hUC-MSC", "Placebo"]


def test_marks_are_what_happened_when_it_happened(raw):
    found = follow_up.marks(raw)
    mine = found[found["child"] == "m1"]
    others = mine[mine["kind"] != "visit"]
    told = [
        (kind, round(month * 30.4375)) for kind, month in zip(others["kind"], others["month"], strict=True)
    ]
    assert told == [
        ("infusion", -14),
        ("infusion", 0),
        ("fever", 0),
        ("fever", 1),
        ("serious adverse event", 61),
        ("rescue", 90),
    ]
    assert found["kind"].value_counts().to_dict() == {
        "visit": 36, "infusion": 6, "fever": 2, "RAS change": 3, "missed": 1, "adverse event": 1,
        "serious adverse event": 1, "rescue": 1, "drop-out": 1,
    }  # fmt: skip
    (missed,) = found.loc[found["kind"] == "missed", "month"]
    assert missed == pytest.approx(28 / 30.4375)
    (gone,) = found.loc[found["kind"] == "drop-out", "month"]
    assert gone == pytest.approx(80 / 30.4375)


@pytest.mark.parametrize(
    ("item", "placebo", "msc"),
    [("both_infusions", 1, 1), ("one_infusion", 1, 1), ("postponed", 0, 1), ("ras_at_consent", 2, 0),
     ("ras_changed", 1, 0), ("ras_stopped", 0, 1), ("rescue", 0, 1)],
)  # fmt: skip
def test_treatment(raw, item, placebo, msc):
    """Only the first infusion counts as postponed; two changes of a child are one child."""
    found = follow_up.treatment(raw)
    assert cell(found, item, "Placebo", "n", "N") == [placebo, 2]
    assert cell(found, item, "hUC-MSC", "n", "N") == [msc, 2]


def test_attendance(raw):
    found = follow_up.attendance(raw)
    columns = ("N", "attended", "missed", "left", "upcr")
    assert cell(found, "Week 2", "Placebo", *columns) == [2, 2, 0, 0, 1]
    assert cell(found, "Week 2", "hUC-MSC", *columns) == [2, 2, 0, 0, 2]
    assert cell(found, "Week 4", "Placebo", *columns) == [2, 1, 1, 0, 0]
    assert cell(found, "Week 4", "hUC-MSC", *columns) == [2, 2, 0, 0, 0]
    assert cell(found, "Month 12", "hUC-MSC", *columns) == [2, 1, 0, 1, 0]
    assert found["item"].drop_duplicates().tolist() == [visit.name for visit in VISITS]


def test_disposition(raw):
    found = follow_up.disposition(raw)
    assert cell(found, "completed", "Placebo", "n", "N") == [2, 2]
    assert cell(found, "completed", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "left", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "moved away", "hUC-MSC", "n", "N") == [1, 2]


@pytest.mark.parametrize(
    ("item", "placebo", "msc"),
    [("any", (1, 1), (1, 3)), ("infection", (0, 0), (1, 1)), ("fever", (0, 0), (1, 2)), ("other", (1, 1), (0, 0)),
     ("serious", (0, 0), (1, 1)), ("within_24h", (0, 0), (1, 2))],
)  # fmt: skip
def test_adverse_events_as_recorded(raw, item, placebo, msc):
    """Here events count from consent on, by the arm allocated."""
    found = follow_up.adverse_events(raw)
    assert tuple(cell(found, item, "Placebo", "n", "events")) == placebo
    assert tuple(cell(found, item, "hUC-MSC", "n", "events")) == msc
