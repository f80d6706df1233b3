"""Each query that intake adds, on both sides of its boundary: hand-made changes of a small clean export."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from small_export import tables_of

from helpers.intake import course, queries
from helpers.study import checks
from helpers.study.codebook import UNITS
from helpers.study.parameters import Parameters

P = Parameters()
DAY = pd.Timedelta(1, "D")
CHILD = "AS-0006"


def put(table, column, value, **where):
    """A change: a cell, or cells, of a table; value may be a function of what stands there."""

    def change(tables):
        frame = tables[table]
        rows = np.ones(len(frame), bool)
        for name, key in where.items():
            rows &= (frame[name] == key).to_numpy()
        assert rows.any(), where
        old = frame.loc[rows, column]
        frame.loc[rows, column] = value(old) if callable(value) else value

    return change


def again(tables):
    """A second number for a child: same birth, sex, form of disease."""
    frame = tables["screening"]
    row = frame[frame["usubjid"] == "AS-0002"].assign(usubjid="AS-0900")
    tables["screening"] = pd.concat([frame, row], ignore_index=True)


def named(text):
    return put("screening", "usubjid", text, usubjid=CHILD)


def another_birth(tables):
    again(tables)
    tables["screening"].loc[tables["screening"]["usubjid"] == "AS-0900", "birth_date"] += DAY


def visit(number, days):
    return put("visits", "date", lambda old: old + days * DAY, usubjid=CHILD, visit_no=number)


def at_target(number, days):
    def change(tables):
        frame = tables["visits"]
        rows = (frame["usubjid"] == CHILD) & (frame["visit_no"] == number)
        frame.loc[rows, "date"] = frame.loc[rows, "planned_date"] + days * DAY

    return change


def times(test, factor, number=6):
    def change(tables):
        frame = tables["labs"]
        mine = (frame["usubjid"] == CHILD) & (frame["test"] == test)
        frame.loc[mine & (frame["visit_no"] == number), "value"] = frame.loc[mine, "value"].median() * factor

    return change


def steady(test, factor, number=6):
    """UPCR and 24-hour protein the same at all visits of the child, but for one value."""

    def change(tables):
        frame = tables["labs"]
        mine = frame["usubjid"] == CHILD
        for one, value in (("upcr", 1.0), ("protein_24h", 40.0)):
            rows = mine & (frame["test"] == one)
            assert rows.sum() > course.LEAST
            # a course as wide as real ones: no single value is far from it
            wide = frame.loc[rows, "visit_no"].map({3: 4.0, 7: 4.0, 5: 0.25, 9: 0.25}).fillna(1.0)
            frame.loc[rows, "value"] = value * wide
            frame.loc[rows & (frame["visit_no"] == number), "value"] *= factor if one == test else 1.0

    return change


def falling(slips, of_before=0.8):
    """UPCR of a child falls from visit to visit, without a second measure beside it; slips: visit, factor."""

    def change(tables):
        frame = tables["labs"]
        mine = frame["usubjid"] == CHILD
        for number in sorted(set(frame.loc[mine, "visit_no"])):
            here = mine & (frame["visit_no"] == number) & (frame["test"] == "upcr")
            frame.loc[here, "value"] = 8.0 * of_before**number * slips.get(number, 1.0)
        tables["labs"] = frame[~(mine & (frame["test"] == "protein_24h"))].reset_index(drop=True)

    return change


def scaled(test, factor):
    return put("labs", "value", lambda old: old * factor, test=test)


def exchanged(table, column, to, **where):
    """Day and month of a cell exchanged, after the day was set so that it can be."""
    stamp = pd.Timestamp(to)
    return put(table, column, pd.Timestamp(stamp.year, stamp.day, stamp.month), **where)


def consent(days):
    def change(tables):
        at = tables["screening"].set_index("usubjid").loc[CHILD, "consent_date"]
        frame = tables["visits"]
        frame.loc[(frame["usubjid"] == CHILD) & (frame["visit_no"] == 0), "date"] = at + days * DAY

    return change


def sample(days):
    def change(tables):
        at = tables["screening"].set_index("usubjid").loc[CHILD, "consent_date"]
        frame = tables["labs"]
        frame.loc[(frame["usubjid"] == CHILD) & (frame["visit_no"] == 0), "date"] = at + days * DAY

    return change


def blocks(arms, numbers):
    def change(tables):
        tables["randomisation"]["arm"] = [{"P": "Placebo", "M": "hUC-MSC"}[a] for a in arms]
        tables["randomisation"]["block"] = [float(n) for n in numbers]

    return change


def heights(less):
    def change(tables):
        frame = tables["labs"]
        mine = (frame["usubjid"] == CHILD) & (frame["test"] == "height")
        frame.loc[mine, "value"] = 120.0
        frame.loc[mine & (frame["visit_no"] == 6), "value"] = 120.0 - less

    return change


def ended(days):
    def change(tables):
        visits, end = tables["visits"], tables["disposition"]
        last = visits[(visits["usubjid"] == CHILD) & (visits["visit_no"] == 12)]["planned_date"].iloc[0]
        end.loc[end["usubjid"] == CHILD, ["status", "date"]] = ["completed", last - days * DAY]

    return change


def no_urine(*kept, number=6):
    """A visit of the child, or all of everybody's, without the tests of urine but these."""

    def change(tables):
        frame = tables["labs"]
        mine = (
            (frame["usubjid"] == CHILD) & (frame["visit_no"] == number) if number else frame["value"].notna()
        )
        gone = mine & frame["test"].isin([test for test in queries.URINE if test not in kept])
        tables["labs"] = frame[~gone].reset_index(drop=True)

    return change


EXPORT = date(2029, 1, 1)
PLANNED = "planned_date"

CASES = {
    "labs.future": (put("labs", "date", pd.Timestamp(EXPORT), usubjid=CHILD, visit_no=12),
                    put("labs", "date", pd.Timestamp(EXPORT) + DAY, usubjid=CHILD, visit_no=12)),
    "screening.future": (put("screening", "consent_date", pd.Timestamp(EXPORT), usubjid=CHILD),
                         put("screening", "consent_date", pd.Timestamp(EXPORT) + DAY, usubjid=CHILD)),
    "disposition.future": (put("disposition", "date", pd.Timestamp(EXPORT), usubjid=CHILD),
                           put("disposition", "date", pd.Timestamp(EXPORT) + DAY, usubjid=CHILD)),
    "visits.early": (consent(0), consent(-1)),
    "labs.early": (sample(0), sample(-1)),
    "visits.window": (at_target(4, 3), at_target(4, 4)),
    "visits.urine": (no_urine("dipstick"), no_urine()),
    "infusions.late": (put("infusions", "date", lambda old: old + 28 * DAY, usubjid=CHILD, infusion=2),
                       put("infusions", "date", lambda old: old + 29 * DAY, usubjid=CHILD, infusion=2)),
    "screening.repeat": (another_birth, again),
    "screening.formula": (named("AS=@+-6"), named("=cmd|' /C calc'!A0")),
    "screening.zygosity": (put("screening", "zygosity", "homozygous", usubjid=CHILD),
                           put("screening", "zygosity", "hemizygous", usubjid=CHILD)),
    "randomisation.criteria": (put("screening", "tumour", "no", usubjid=CHILD),
                               put("screening", "tumour", "yes", usubjid=CHILD)),
    "randomisation.unknown": (put("screening", "tumour", "no", usubjid=CHILD),
                              put("screening", "tumour", None, usubjid=CHILD)),
    "randomisation.block": (blocks("PMPMP", [1, 1, 1, 1, 2]), blocks("PPPMP", [1, 1, 1, 1, 2])),
    "disposition.completed": (ended(14), ended(15)),
    "labs.shrunk": (heights(3.0), heights(3.1)),
    "labs.course": (times("creatinine", 2.9), times("creatinine", 3.1)),
    "labs.together": (steady("upcr", 5.9), steady("upcr", 6.1)),
    "labs.around": (falling({6: 4.9}, 1.0), falling({6: 5.1}, 1.0)),
    "labs.one-unit": (scaled("protein_24h", 1.05 * 24), scaled("protein_24h", 24.0)),
    "labs.size": (scaled("creatinine", 1.0), scaled("creatinine", 88.4)),
    "screening.size": (put("screening", "upcr", lambda old: old), put("screening", "upcr", lambda old: old * 113)),
    "treatments.repeat": (put("treatments", "change", "started"), put("screening", "ras_inhibitor", "no")),
}  # fmt: skip


def found(code, *changes):
    tables = tables_of()
    for change in changes:
        change(tables)
    entry = next(e for e in queries.entries(P, EXPORT, blinded=False) if e.code == code)
    return checks.findings(tables, [entry])


@pytest.mark.parametrize("code", list(CASES))
def test_a_query_speaks_beyond_its_boundary_and_not_at_it(code):
    at, beyond = CASES[code]
    assert found(code, at).empty
    spoken = found(code, beyond)
    assert len(spoken)
    assert set(spoken["code"]) == {code}
    assert (spoken["expected"] != "").all()


SWAPPED = {
    "visits.swapped": ("visits", "date", {"usubjid": CHILD, "visit_no": 4.0}),
    "infusions.swapped": ("infusions", "date", {"usubjid": CHILD, "infusion": 1.0}),
    "events.swapped": ("events", "start_date", {"usubjid": CHILD, "event_no": 1.0}),
    "randomisation.swapped": ("randomisation", "randomisation_date", {"usubjid": CHILD}),
    "screening.swapped": ("screening", "ras_since", {"usubjid": CHILD}),
}


@pytest.mark.parametrize("code", list(SWAPPED))
def test_day_and_month_that_fit_better_exchanged_are_said_to(code):
    table, column, where = SWAPPED[code]
    tables = tables_of()
    screened = tables["screening"].set_index("usubjid").loc[CHILD]
    put("screening", "birth_date", pd.Timestamp("2015-01-01"), usubjid=CHILD)(tables)
    right = {
        "visits": "planned_date", "infusions": "planned_date", "events": None, "randomisation": None, "screening": None,
    }[table]  # fmt: skip
    frame = tables[table]
    rows = np.ones(len(frame), bool)
    for name, key in where.items():
        rows &= (frame[name] == key).to_numpy()
    # the true day is the third of November; exchanged it is the eleventh of March, long before or after
    true = pd.Timestamp(2025, 11, 3) if table != "screening" else pd.Timestamp(2024, 3, 11)
    if right:
        frame.loc[rows, right] = true
    elif table == "randomisation":
        tables["screening"].loc[tables["screening"]["usubjid"] == CHILD, "consent_date"] = true - 7 * DAY
    elif table == "events":
        tables["disposition"].loc[tables["disposition"]["usubjid"] == CHILD, "date"] = true + DAY
        frame.loc[rows, "end_date"] = pd.NaT
        true = pd.Timestamp(2025, 3, 11)
    else:
        tables["screening"].loc[tables["screening"]["usubjid"] == CHILD, "consent_date"] = pd.Timestamp(
            2024, 6, 1
        )
    entry = next(e for e in queries.entries(P, EXPORT, blinded=False) if e.code == code)
    frame.loc[rows, column] = true
    assert not (checks.findings(tables, [entry])["usubjid"] == CHILD).any()
    wrong = pd.Timestamp(true.year, true.day, true.month)
    if table == "events":
        wrong = pd.Timestamp(2025, 11, 3) + 8 * DAY  # the eleventh of November is its own exchange: no query
        frame.loc[rows, column] = wrong
        assert not (checks.findings(tables, [entry])["usubjid"] == CHILD).any()
        wrong = pd.Timestamp(2025, 12, 3)
    frame.loc[rows, column] = wrong
    spoken = checks.findings(tables, [entry])
    spoken = spoken[spoken["usubjid"] == CHILD]
    assert len(spoken) == 1
    assert "day and month exchanged" in spoken["expected"].iloc[0]
    assert pd.notna(screened["consent_date"])


def test_a_visit_without_urine_is_one_line_and_a_laboratory_without_any_is_one():
    assert set(UNITS) - set(queries.URINE) == {"creatinine", "cystatin_c", "bun", "height", "weight"}
    spoken = found("visits.urine", no_urine())
    assert spoken[["table", "usubjid", "column"]].values.tolist() == [["visits", CHILD, "attended"]]
    both = found("visits.urine", no_urine(), no_urine(number=7))
    assert len(both) == 2
    # every test of urine is urine
    held = tables_of()["labs"]
    held = held[(held["usubjid"] == CHILD) & (held["visit_no"] == 6)]["test"]
    for test in queries.URINE:
        assert found("visits.urine", no_urine(test)).empty == (test in set(held)), test
    # who attended none, or has no value at all, is another entry's
    assert found("visits.urine", no_urine(), put("visits", "attended", "no", usubjid=CHILD, visit_no=6)).empty
    none = put("labs", "visit_no", 7.0, usubjid=CHILD, visit_no=6)
    assert found("visits.urine", none).empty
    # a baseline visit needs urine where anybody has it there
    assert len(found("visits.urine", no_urine(number=1))) == 1

    def nobody(tables):
        labs = tables["labs"]
        gone = (labs["visit_no"] == 1) & labs["test"].isin(queries.URINE)
        tables["labs"] = labs[~gone].reset_index(drop=True)

    assert found("visits.urine", nobody).empty
    (line,) = found("visits.urine", no_urine(number=None)).to_dict("records")
    assert line["row"] is None
    assert line["usubjid"] is None
    assert line["found"].startswith("no urine of any of ")


@pytest.mark.parametrize(
    ("factor", "words"), [(2.8, "as if in mg/dl"), (1 / 2.8, "as if it were in mmol/l and had been")]
)
def test_a_column_of_urea_in_another_unit_or_converted_once_too_often_is_told(factor, words):
    (told,) = found("labs.size", scaled("bun", factor))["expected"]
    assert words in told


@pytest.mark.parametrize(
    ("test", "factor", "words"),
    [
        ("upcr", 113.0, "as if in mg/mmol"),
        ("upcr", 1000.0, "as if in mg/g"),
        ("creatinine", 1 / 88.4, "as if in mg/dl"),
        ("creatinine", 1 / 10, "10 times too small"),
        ("cystatin_c", 10.0, "10 times too large"),
        ("height", 0.01, "as if in m"),
        ("weight", 1000.0, "as if in g"),
        ("bun", 2.8, "as if in mg/dl"),
        ("bun", 1 / 2.8, "as if it were in mmol/l and had been taken for mg/dl"),
    ],
)
def test_a_value_far_from_the_childs_course_names_the_slip_that_fits(test, factor, words):
    spoken = found("labs.course", times(test, factor))
    assert len(spoken) == 1
    assert words in spoken["expected"].iloc[0]


@pytest.mark.parametrize(
    ("test", "factor", "words"),
    [
        (
            "upcr",
            10.0,
            "10 times less, as protein_24h of this visit has it beside the child's others; it is 10 times too",
        ),
        ("upcr", 0.1, "10 times more, as protein_24h"),
        (
            "protein_24h",
            24.0,
            "24 times less, as upcr of this visit has it beside the child's others; it is as if in mg/m2/",
        ),
        ("protein_24h", 0.125, "8 times more, as upcr"),
    ],
)
def test_of_two_measures_that_part_the_one_off_its_course_is_asked_for(test, factor, words):
    spoken = found("labs.together", steady(test, factor, 8))
    assert len(spoken) == 1
    assert spoken["found"].iloc[0].endswith(f"for {test}")
    assert spoken["expected"].iloc[0].startswith(words)
    assert found("labs.course", steady(test, factor, 8)).empty


def test_what_is_asked_of_the_course_is_not_asked_of_the_pair_again():
    assert len(found("labs.course", steady("upcr", 113.0))) == 1
    assert found("labs.together", steady("upcr", 113.0)).empty


def test_a_leap_and_back_is_asked_for_and_a_steep_course_is_not():
    for of_before in (0.8, 0.6, 0.4):
        assert found("labs.around", falling({}, of_before)).empty
    # two visits that leap together are a course
    assert found("labs.around", falling({5: 10.0, 6: 10.0})).empty
    # at either end the three visits on the one side are those around; what is far from the whole course is told there
    told = []
    for number in (2, 6, 11, 12):
        for factor in (10.0, 0.1):
            asked = [found(code, falling({number: factor})) for code in ("labs.around", "labs.course")]
            assert sum(map(len, asked)) == 1, (number, factor)
            told += asked[0]["expected"].tolist()
    assert len(told) >= 6
    assert all("the median of the visits around it" in one for one in told)
    assert any("10 times too large" in one for one in told)


def test_what_is_asked_of_the_course_or_the_pair_is_not_asked_of_the_visits_around():
    for change in (steady("upcr", 113.0), steady("upcr", 10.0, 8)):
        asked = pd.concat([found("labs.course", change), found("labs.together", change)])["row"]
        assert len(asked) == 1
        assert not set(asked) & set(found("labs.around", change)["row"])


def test_a_test_in_two_units_is_asked_for_once_and_not_child_by_child():
    tables = tables_of()
    scaled("protein_24h", 24.0)(tables)
    entries = queries.entries(P, EXPORT, blinded=False)
    found = checks.findings(tables, entries)
    left = found[~queries.explained(found, tables, entries)]
    assert (found["code"] == "screening.labs").sum() > 3
    # what no child can have is missing in own tables before anything is asked
    left = left[left["code"] != "labs.limits"]
    assert left["code"].tolist() == ["labs.one-unit"]
    assert "24 times as large, as if in mg/m2/24h" in left["expected"].iloc[0]


@pytest.mark.parametrize("test", list(course.USUAL))
def test_a_whole_column_in_another_unit_is_asked_for(test):
    factor = {
        "upcr": 113.0, "protein_24h": 1000.0, "creatinine": 1 / 88.4, "cystatin_c": 0.1, "bun": 2.8 * 4,
        "height": 0.01, "weight": 1000.0,
    }[test]  # fmt: skip
    assert found("labs.size", scaled(test, 1.0)).empty
    assert len(found("labs.size", scaled(test, factor))) == 1


def test_what_needs_the_arm_waits_while_blinded():
    blinded = {e.code for e in queries.entries(P, None, blinded=True)}
    open_ = {e.code for e in queries.entries(P, None, blinded=False)}
    assert set(queries.ARM_NEEDED) & blinded == set()
    assert set(queries.ARM_NEEDED) <= open_
    tables = tables_of()
    tables["infusions"]["product"] = None
    entry = next(e for e in queries.entries(P, None, blinded=True) if e.code == "infusions.given")
    assert checks.findings(tables, [entry]).empty


def test_codes_are_unique_and_each_entry_says_what_must_hold():
    entries = queries.entries(P, EXPORT, blinded=False)
    codes = [e.code for e in entries]
    assert len(codes) == len(set(codes))
    assert all(e.sentence and e.own in ("query", "fatal") for e in entries)


@pytest.mark.parametrize("text", ["+1", "-1", "@x", "A\tB", "A\x07", "A\u202eB", "A\u200bB"])
def test_an_identifier_that_is_a_formula_or_hides_signs_is_asked_for(text):
    assert found("screening.formula", named(text))["found"].tolist() == [repr(text)]
    assert found("screening.formula", named("北京-1")).empty


def test_off_block_lists():
    assert (
        found("randomisation.block", blocks("PMMPP", [1, 1, 2, 2, 2])).shape[0] >= 1
    )  # a block of two, not the last
    assert found("randomisation.block", blocks("PMPMP", [1, 1, 1, 1, 1])).empty  # an open block of six
    assert len(found("randomisation.block", blocks("PPPPM", [1, 1, 1, 1, 1]))) == 1  # four of three
    assert len(found("randomisation.block", blocks("PMPMP", [2, 2, 2, 2, 1]))) == 1  # out of order


def exchange(tables, name, rows):
    frame = tables[name]
    frame.loc[rows, "date"] = [pd.Timestamp(d.year, d.day, d.month) for d in frame.loc[rows, "date"]]


def test_an_exchanged_day_is_asked_for_once_and_what_follows_from_it_is_not():
    tables = tables_of()
    visits = tables["visits"]
    fits = (visits["visit_no"] > 2) & (visits["date"].dt.day <= 12)
    rows = visits[fits & ((visits["date"].dt.day - visits["date"].dt.month).abs() > 2)]
    rows = rows.drop_duplicates("usubjid").index[:3]
    exchange(tables, "visits", rows)
    # and one thing that no exchange explains
    put("labs", "value", lambda old: 4 * old, usubjid=CHILD, visit_no=12, test="cystatin_c")(tables)
    entries = queries.entries(P, EXPORT, blinded=False)
    found = checks.findings(tables, entries)
    follow = queries.explained(found, tables, entries)
    assert len(rows) == 3
    assert follow.sum() > 20
    left = found[~follow]
    assert left["code"].value_counts()["visits.swapped"] == 3
    assert set(left["code"]) == {"visits.swapped", "labs.course"}
    assert set(found.loc[follow, "code"]) >= {"labs.day", "visits.window"}
    nothing = checks.findings(tables_of(), entries)
    assert not queries.explained(nothing, tables_of(), entries).any()


def test_a_visit_a_little_off_its_window_is_late_whatever_its_exchanged_day_is():
    """16 days late, exchanged 11 days early, and the samples lie on the day itself: no slip of the pen."""
    tables = tables_of()
    for name in ("visits", "labs"):
        mine = (tables[name]["usubjid"] == CHILD) & (tables[name]["visit_no"] == 10)
        tables[name].loc[mine, "date"] = pd.Timestamp("2026-03-02")
        if name == "visits":
            tables[name].loc[mine, "planned_date"] = pd.Timestamp("2026-02-14")
            tables[name].loc[mine, "attended"] = "yes"
    entries = {entry.code: entry for entry in queries.entries(P, EXPORT, blinded=False)}
    assert checks.findings(tables, [entries["visits.swapped"]]).empty
    assert len(checks.findings(tables, [entries["visits.window"]])) == 1
    # where the samples lie on the exchanged day it is one, however near
    mine = (tables["labs"]["usubjid"] == CHILD) & (tables["labs"]["visit_no"] == 10)
    tables["labs"].loc[mine, "date"] = pd.Timestamp("2026-02-03")
    assert len(checks.findings(tables, [entries["visits.swapped"]])) == 1


@pytest.mark.parametrize(
    ("width", "off", "told"),
    [
        (0, 1, "within 0 days of the target day, {plan}; it is 1 day late"),
        (1, -2, "within 1 day of the target day, {plan}; it is 2 days early"),
    ],
)
def test_one_day_is_one_day(width, off, told):
    tables = tables_of()
    at_target(3, off)(tables)
    visits = tables["visits"]
    mine = visits[(visits["usubjid"] == CHILD) & (visits["visit_no"] == 3)]
    p = Parameters(window_to_week_8=width)
    entries = [e for e in queries.entries(p, EXPORT, blinded=False) if e.code == "visits.window"]
    found = checks.findings({**tables, "visits": mine}, entries)
    assert found["expected"].tolist() == [told.format(plan=f"{mine['planned_date'].iloc[0]:%Y-%m-%d}")]


def test_a_visit_that_all_its_samples_contradict_is_asked_for_once():
    """A year later by a slip of the pen: its samples, its order and its window are not asked for besides."""
    tables = tables_of()
    visits, labs = tables["visits"], tables["labs"]
    mine = (visits["usubjid"] == CHILD) & (visits["visit_no"] == 6)
    visits.loc[mine, "date"] = visits.loc[mine, "date"] + pd.DateOffset(years=1)
    entries = queries.entries(P, EXPORT, blinded=False)
    found = checks.findings(tables, entries)
    left = found[~queries.explained(found, tables, entries)]
    assert set(left["code"]) == {"visits.sampled-on"}
    assert len(left) == 1
    assert {"labs.day", "visits.window"} <= set(found["code"])
    # two samples are too few to know better than the visit
    here = (labs["usubjid"] == CHILD) & (labs["visit_no"] == 6)
    tables["labs"] = labs[~here | labs["test"].isin(["upcr", "height"])].reset_index(drop=True)
    again = checks.findings(tables, entries)
    assert "visits.sampled-on" not in set(again["code"])
    # one sample alone on another day is asked for itself
    tables = tables_of()
    here = tables["labs"].index[(tables["labs"]["usubjid"] == CHILD) & (tables["labs"]["visit_no"] == 6)]
    tables["labs"].loc[here[0], "date"] += 2 * DAY
    one = checks.findings(tables, entries)
    assert one["code"].tolist() == ["labs.day"]


def test_a_birth_after_the_consent_is_asked_for_once():
    tables = tables_of()
    at = tables["screening"].set_index("usubjid").loc[CHILD, "consent_date"]
    put("screening", "birth_date", at + 400 * DAY, usubjid=CHILD)(tables)
    entries = queries.entries(P, EXPORT, blinded=False)
    found = checks.findings(tables, entries)
    mine = found["usubjid"] == CHILD
    assert (found[mine]["table"] != "screening").sum() > 10
    left = found[~queries.explained(found, tables, entries)]
    left = left[left["usubjid"] == CHILD]
    assert set(left["table"]) == {"screening"}
    assert left["column"].tolist().count("birth_date") >= 1
    assert len(left) < 5
