"""What real data have, each planted once in a small clean export: the query that names it, and the named rule."""

import numpy as np
import pandas as pd
import pytest
import small_export

from helpers import Problem
from helpers.analysis import adam
from helpers.intake import delivery, partial, rules, values
from helpers.intake.log import NOTE, RULES, Log
from helpers.study.parameters import Parameters
from helpers.study.shown import plain

P = Parameters()
DAY = pd.Timedelta(1, "D")
A, B, C, D, E = small_export.RANDOMISED


def row(frame, **where):
    rows = np.ones(len(frame), bool)
    for name, key in where.items():
        rows &= (frame[name] == key).to_numpy()
    assert rows.sum() == 1, where
    return frame.index[rows][0]


def target(tables, child, visit):
    frame = tables["visits"]
    return frame.loc[row(frame, usubjid=child, visit_no=visit), "planned_date"]


def plant(tables):
    """One of each kind, in children and visits of their own."""
    labs, visits, events = tables["labs"], tables["visits"], tables["events"]
    one = labs.loc[row(labs, usubjid=A, visit_no=3, test="upcr")].to_dict()
    more = [
        one,  # the same row again
        labs.loc[row(labs, usubjid=A, visit_no=4, test="upcr")].to_dict()
        | {"date": target(tables, A, 4) + 40 * DAY, "value": 9.9},  # farther off than the first
    ]
    # the sample of a planned visit is gone, and an unscheduled one lies within its window; another lies in none
    tables["labs"] = labs = labs.drop(index=row(labs, usubjid=B, visit_no=8, test="upcr"))
    inside, outside = target(tables, B, 8) + 7 * DAY, target(tables, B, 8) + 8 * DAY
    base = labs.loc[row(labs, usubjid=B, visit_no=9, test="upcr")].to_dict()
    more += [base | {"visit_no": 99.0, "date": inside, "value": 0.77}]
    more += [base | {"visit_no": 99.0, "date": outside, "value": 0.88}]
    tables["labs"] = pd.concat([labs, pd.DataFrame(more)], ignore_index=True)
    # a child who is still followed, a visit that nobody sent, an infusion that nobody sent
    tables["disposition"] = tables["disposition"][tables["disposition"]["usubjid"] != C].reset_index(
        drop=True
    )
    tables["visits"] = visits.drop(index=row(visits, usubjid=C, visit_no=5)).reset_index(drop=True)
    gone = tables["labs"]
    tables["labs"] = gone[~((gone["usubjid"] == C) & (gone["visit_no"] == 5))].reset_index(drop=True)
    infusions = tables["infusions"]
    tables["infusions"] = infusions.drop(index=row(infusions, usubjid=D, infusion=1)).reset_index(drop=True)
    # a number of an event that stands twice
    mine = events.index[events["usubjid"] == A][:2]
    events.loc[mine, "event_no"] = 1.0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small_export.read(tmp_path_factory.mktemp("planted"), plant)


def asked(made, code, child):
    return made.queries[(made.queries["code"] == code) & (made.queries["usubjid"] == child)]


def value(made, child, visit, test="upcr"):
    labs = made.tables["labs"]
    return labs.loc[row(labs, usubjid=child, visit_no=visit, test=test), "value"]


def test_a_row_sent_twice_counts_once(made):
    assert len(asked(made, "labs.same-row", A)) == 1
    assert asked(made, "labs.same-row", A)["severity"].iloc[0] == NOTE


def test_of_two_samples_of_a_visit_the_nearer_one_is_used(made):
    found = asked(made, "labs.twice", A)
    assert found["rule"].tolist() == ["nearest sample"]
    assert value(made, A, 4) != 9.9
    assert found["found"].tolist() == ["9.9 mg/mg for upcr"]


def test_an_unscheduled_sample_fills_the_visit_whose_window_holds_it_and_no_other(made):
    found = asked(made, "labs.unscheduled", B)
    assert sorted(found["rule"]) == ["unscheduled is kept aside", "window"]
    assert value(made, B, 8) == 0.77
    labs = made.tables["labs"]
    assert not ((labs["value"] == 0.88) & (labs["test"] == "upcr")).any()


def test_a_child_without_an_end_is_still_followed(made):
    end = made.tables["disposition"]
    here = end.loc[row(end, usubjid=C)]
    assert (here["status"], here["reason"]) == ("ongoing", None)
    assert here["date"] == made.tables["visits"].loc[made.tables["visits"]["usubjid"] == C, "date"].max()
    assert any(RULES["still followed"] in note for note in made.notes)


def test_rows_that_nobody_sent_are_made_and_asked_for(made):
    assert len(asked(made, "visits.complete", C)) == 1
    visits = made.tables["visits"]
    here = visits.loc[row(visits, usubjid=C, visit_no=5)]
    assert here["attended"] == "no"
    assert here["planned_date"] == target(small_export.tables_of(), C, 5)
    assert len(asked(made, "infusions.complete", D)) == 1
    infusions = made.tables["infusions"]
    second = infusions.loc[row(infusions, usubjid=D, infusion=2), "planned_date"]
    assert (
        infusions.loc[row(infusions, usubjid=D, infusion=1), "planned_date"] == second - P.infusion_gap * DAY
    )


def test_events_are_numbered_anew_where_a_number_stands_twice(made):
    assert len(asked(made, "events.number", A)) == 1
    events = made.tables["events"]
    mine = events[events["usubjid"] == A]
    assert mine["event_no"].tolist() == list(range(1, len(mine) + 1))


def test_what_came_out_derives_to_adam(made):
    derived = adam.Adam(adam.Raw(**made.tables), P, own=True)
    assert len(derived.adsl()) == len(small_export.RANDOMISED)
    assert not derived.findings["code"].isin(["infusions.complete", "disposition.complete"]).any()


def test_every_rule_that_a_query_names_is_in_words(made):
    assert set(made.queries["rule"]) <= set(RULES)


CELLS = {
    "labs": [
        (f"{A},5,", ",upcr,", "abc", "labs.unreadable"),
        (f"{A},6,", ",creatinine,", "0.4", "labs.limits"),
        (f"{A},7,", ",upcr,", "<0.05", "labs.quantification"),
        (f"{A},8,", ",upcr,", ">30", "labs.quantification"),
    ],
}


def cells(text):
    """Values of single laboratory cells replaced as a site would write them."""
    lines = text.splitlines()
    for start, test, new, _ in CELLS["labs"]:
        k = next(k for k, line in enumerate(lines) if line.startswith(start) and test in line)
        parts = lines[k].split(",")
        parts[4] = new
        lines[k] = ",".join(parts)
    return "\n".join(lines) + "\n"


def ends(text):
    lines = text.splitlines()
    for k, line in enumerate(lines):
        parts = line.split(",")
        if parts[0] == A:
            lines[k] = f"{A},left,LOST TO FOLLOW-UP,{parts[3]}"
        if parts[0] == B:
            lines[k] = f"{B},left,PHYSICIAN DECISION,{parts[3]}"
        if parts[0] == C:
            lines[k] = f"{C},COMPLETED,,{parts[3][:7]}"
    return "\n".join(lines) + "\n"


def partial_days(text):
    """The first event of a child known to the year, its second to a day of no other moment's month."""
    lines = text.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith(f"{B},1,"))
    parts = lines[first].split(",")
    parts[4] = "2025"
    lines[first] = ",".join(parts)
    late = next(k for k, line in enumerate(lines) if line.startswith(f"{A},2,"))
    parts = lines[late].split(",")
    parts[4] = "2025-09"
    lines[late] = ",".join(parts)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def as_sites_write(tmp_path_factory):
    return small_export.read(
        tmp_path_factory.mktemp("cells"), None, {"labs": cells, "disposition": ends, "events": partial_days}
    )


def test_cells_that_say_nothing_or_less_than_a_number(as_sites_write):
    for *_, code in CELLS["labs"]:
        assert len(asked(as_sites_write, code, A)) >= 1, code
    labs = as_sites_write.tables["labs"]
    for visit, test in ((5, "upcr"), (6, "creatinine")):
        assert not ((labs["usubjid"] == A) & (labs["visit_no"] == visit) & (labs["test"] == test)).any()
    low, high = (labs.loc[row(labs, usubjid=A, visit_no=k, test="upcr")] for k in (7, 8))
    assert (low["value"], low["qualifier"]) == (0.05, "<")
    assert (high["value"], high["qualifier"]) == (30.0, ">")
    limits = asked(as_sites_write, "labs.limits", A).iloc[0]
    assert "as if in mg/dl" in limits["expected"]


def test_reasons_in_cdiscs_terms_and_partial_contacts(as_sites_write):
    end = as_sites_write.tables["disposition"].set_index("usubjid")
    assert end.loc[A, "reason"] == "lost to follow-up"
    assert end.loc[B, "reason"] is None
    assert len(asked(as_sites_write, "disposition.term", B)) == 1
    kept = as_sites_write.originals
    assert "PHYSICIAN DECISION" in set(kept["original"])
    assert end.loc[C, "status"] == "completed"
    clean = small_export.tables_of()["disposition"].set_index("usubjid").loc[C, "date"]
    assert end.loc[C, "date"].to_period("M") == clean.to_period("M")
    assert len(asked(as_sites_write, "disposition.partial", C)) == 1


def test_a_partial_day_of_an_event_is_taken_only_where_nothing_depends_on_it(as_sites_write):
    events = as_sites_write.tables["events"]
    # within 2025 lie consent and infusions: nothing is assumed
    first = asked(as_sites_write, "events.partial", B)
    assert first["rule"].tolist() == ["partial day is unknown"]
    # and the cell is asked for once
    assert asked(as_sites_write, "events.lacking", B).empty
    clean = small_export.tables_of()["events"]
    assert (events["usubjid"] == B).sum() == (clean["usubjid"] == B).sum() - 1
    taken = asked(as_sites_write, "events.partial", A)
    assert taken["rule"].tolist() == ["partial event"]
    assert (events.loc[events["usubjid"] == A, "start_date"] == pd.Timestamp("2025-09-01")).any()


@pytest.mark.parametrize(
    ("last", "same"), [("2025-02-05", False), ("2025-02-04", True), ("2025-01-31", True)]
)
def test_a_moment_on_the_last_possible_day_decides(last, same):
    days = pd.DataFrame({"first": [pd.Timestamp("2025-01-05")], "last": [pd.Timestamp(last)]})
    moments = pd.DataFrame({"usubjid": ["A", "B"], "day": pd.to_datetime(["2025-02-05", "2025-01-20"])})
    assert partial.between(pd.Series(["A"]), days, moments).tolist() == [not same]


@pytest.mark.parametrize(
    ("column", "text", "taken"),
    [
        ("birth_date", "2018-03", "2018-03-15"),
        ("birth_date", "2018", None),
        (
            "birth_date",
            "2021-12",
            None,
        ),  # three years old within the month of consent: a criterion hangs on it
        ("surgery_date", "2023-05", "2023-05-01"),
        ("surgery_date", "2024-10", None),  # three months before consent lie within it
        ("ras_since", "2023-05", None),  # months of treatment are counted from it
    ],
)
def test_a_partial_day_of_screening_is_taken_where_no_criterion_hangs_on_it(column, text, taken):
    frame = small_export.tables_of()["screening"].head(1).copy()
    frame["consent_date"] = pd.Timestamp("2025-01-15")
    frame["birth_date"], frame["surgery"], frame["ras_inhibitor"] = pd.Timestamp("2018-03-09"), "yes", "yes"
    if column == "birth_date" and text == "2021-12":
        frame["consent_date"] = pd.Timestamp("2024-12-15")
    frame[column] = pd.NaT
    frame["_row"] = 2.0
    found = values.days(pd.Series([text], index=[2]))
    log = Log()
    out = partial.screening(frame, {column: found}, P, log)
    assert (None if pd.isna(out[column].iloc[0]) else f"{out[column].iloc[0]:%Y-%m-%d}") == taken
    assert len(log.all_queries()) == 1


def test_all_that_is_fatal_is_told_at_once(tmp_path):
    def change(tables):
        tables["labs"].loc[0, "usubjid"] = "NOBODY"
        tables["labs"].loc[5, "unit"] = "cups"
        tables["events"].loc[0, "usubjid"] = None
        tables["visits"] = tables["visits"].drop(columns="usubjid")
        tables["screening"].loc[0, "sex"] = None

    place = small_export.write(
        tmp_path, change, {"treatments": lambda text: text + "one,cell,too,many,in,this,row\n"}
    )
    (place / "disposition.csv").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(Problem) as caught:
        delivery.read(place)
    told = str(caught.value)
    for words in (
        "'NOBODY'", "'cups'", "no child in row 2", "nothing for usubjid", "sex is empty", "treatments.csv: row",
        "disposition.csv is not written in utf-8",
    ):  # fmt: skip
        assert words in told, words


def test_a_column_that_is_mostly_unreadable_is_a_fault_of_the_mapping(tmp_path):
    def slashes(text):
        head, *lines = text.splitlines()
        out = []
        for line in lines:
            parts = line.split(",")
            parts[2] = "/".join(reversed(parts[2].split("-")))
            out.append(",".join(parts))
        return "\n".join([head, *out]) + "\n"

    place = small_export.write(tmp_path, None, {"labs": slashes})
    with pytest.raises(Problem, match="cells can't be read as date"):
        delivery.read(place)


def test_a_repeated_key_keeps_the_row_of_the_latest_day():
    frame = pd.DataFrame(
        {
            "usubjid": ["A", "A", "B"], "status": "left", "reason": None,
            "date": pd.to_datetime(["2025-02-01", "2025-01-01", "2025-01-01"]), "_row": [2.0, 3, 4],
        }
    )  # fmt: skip
    log = Log()
    out = rules.once("disposition", frame, log, "date")
    assert out["date"].dt.month.tolist() == [2, 1]
    assert log.all_queries()["row"].tolist() == [3]


def test_a_running_trial_without_list_visits_or_ends_comes_in_and_derives(tmp_path):
    """Blinded, samples without a number of their visit, nobody at the end of the trial yet."""
    cut = pd.Timestamp("2025-09-01")

    def change(tables):
        for name, column in (("labs", "date"), ("events", "start_date"), ("treatments", "date")):
            tables[name] = tables[name][tables[name][column] <= cut].reset_index(drop=True)
        entered = tables["randomisation"]
        known = entered.loc[entered["randomisation_date"] <= cut, "usubjid"]
        for name in ("infusions", "labs", "events", "treatments"):
            tables[name] = tables[name][tables[name]["usubjid"].isin(known)].reset_index(drop=True)
        tables["labs"] = tables["labs"].drop(columns="visit_no")

    place = small_export.write(tmp_path, change)
    for name in ("randomisation", "visits", "disposition"):
        (place / f"{name}.csv").unlink()
    file = tmp_path / "site.yaml"
    file.write_text("extracted: 2025-09-01\n")
    made = delivery.read(place, file)
    clean = small_export.tables_of()
    known = made.tables["randomisation"]["usubjid"]
    labs = clean["labs"][(clean["labs"]["date"] <= cut) & clean["labs"]["usubjid"].isin(known)]
    pd.testing.assert_frame_equal(made.tables["labs"], labs.reset_index(drop=True))
    assert (made.tables["disposition"]["status"] == "ongoing").all()
    assert any("Nothing was sent of visits, disposition" in note for note in made.notes)
    derived = adam.Adam(adam.Raw(**made.tables), P, own=True)
    assert len(derived.adtte())
    assert derived.adsl()["TRT01A"].isna().all()


def test_an_infusion_given_on_an_unknown_day_counts_on_its_planned_one():
    days = pd.to_datetime(["2025-02-10", "2025-02-24", "2025-02-10"])
    frame = pd.DataFrame(
        {
            "usubjid": ["A", "A", "B"], "infusion": [1.0, 2, 1], "planned_date": days, "date": pd.NaT,
            "given": ["yes", "yes", "no"], "_row": [2.0, 3, 4],
        }
    )  # fmt: skip
    frame["date"] = pd.to_datetime(frame["date"])
    found = values.days(pd.Series(["2025-02", "2025-03", None], index=[2, 3, 4]))
    log = Log()
    out = partial.infusions(frame, {"date": found}, log)
    # the second was given in another month than planned
    assert out["date"].dt.strftime("%Y-%m-%d").fillna("").tolist() == ["2025-02-10", "2025-03-01", ""]
    assert log.all_queries()["code"].tolist() == ["infusions.day", "infusions.day"]


@pytest.mark.parametrize(
    ("zero", "decides"), [("2025-01-15", True), ("2025-01-16", True), ("2025-02-15", False)]
)
def test_a_partial_change_of_treatment_is_never_later_than_it_may_have_been(zero, decides):
    """The visit of week 2 is due 14 days after time zero."""
    frame = pd.DataFrame(
        {"usubjid": ["A"], "treatment": ["rescue"], "change": ["started"], "date": [pd.NaT], "_row": [2.0]}
    )
    frame["date"] = pd.to_datetime(frame["date"])
    log = Log()
    start = pd.Series([pd.Timestamp(zero)], index=["A"])
    entered = pd.Series([pd.Timestamp("2025-01-05")], index=["A"])
    out = partial.treatments(
        frame, {"date": values.days(pd.Series(["2025-01"], index=[2]))}, start, entered, log
    )
    assert out["date"].tolist() == [pd.Timestamp("2025-01-05")]
    assert ("a visit lies" in log.all_queries()["expected"].iloc[0]) == decides


def test_an_unscheduled_visit_stands_for_the_planned_one_that_was_missed():
    clean = small_export.tables_of()
    days = rules.Calendar(clean["screening"], clean["randomisation"], clean["infusions"], P)
    mine = clean["visits"][clean["visits"]["usubjid"] == A].assign(_row=lambda f: np.arange(len(f)) + 2.0)
    plan = mine.loc[mine["visit_no"] == 8, "planned_date"].iloc[0]
    missed = mine.assign(
        date=mine["date"].where(mine["visit_no"] != 8),
        attended=mine["attended"].where(mine["visit_no"] != 8, "no"),
    )
    for off, taken in ((7, True), (8, False)):
        extra = mine.tail(1).assign(
            visit_no=-1.0, date=plan + off * DAY, attended="yes", reason=None, _row=99.0
        )
        log = Log()
        out = rules.visits(pd.concat([missed, extra], ignore_index=True), days, log).set_index("visit_no")
        assert out.index.is_unique
        assert (out.loc[8.0, "attended"] == "yes") == taken
        assert log.all_queries()["code"].tolist() == ["visits.unscheduled"]


def test_a_visit_sent_twice_keeps_the_nearer_day():
    clean = small_export.tables_of()
    days = rules.Calendar(clean["screening"], clean["randomisation"], clean["infusions"], P)
    mine = clean["visits"][clean["visits"]["usubjid"] == A].assign(_row=lambda f: np.arange(len(f)) + 2.0)
    again = mine[mine["visit_no"] == 8].assign(_row=99.0)
    again["date"] = again["planned_date"] + 60 * DAY
    log = Log()
    out = rules.visits(pd.concat([again, mine], ignore_index=True), days, log)
    pd.testing.assert_series_equal(
        out.set_index("visit_no")["date"].sort_index(), mine.set_index("visit_no")["date"].sort_index()
    )
    assert log.all_queries()["row"].tolist() == [99]


def test_two_events_that_differ_in_what_is_hidden_are_two_and_one_sent_twice_is_one(tmp_path):
    """Counts may not change on the day of unblinding."""

    def change(tables):
        one = tables["events"][tables["events"]["usubjid"] == A].head(1).drop(columns="event_no")
        other = one.assign(term="otherwise")
        tables["events"] = pd.concat([one, other, one], ignore_index=True)

    place = small_export.write(tmp_path, change)
    for name, line in (("blinded", ""), ("open", "unblinded: 2030-01-01\n")):
        file = tmp_path / f"{name}.yaml"
        file.write_text(f"extracted: 2029-06-01\n{line}")
        made = delivery.read(place, file)
        assert len(made.tables["events"]) == 2, name
        assert (made.queries["code"] == "events.same-row").sum() == 1, name
        assert "_hidden" not in made.tables["events"]


def test_an_infusion_to_come_is_not_asked_for(tmp_path):
    def change(tables):
        infusions = tables["infusions"]
        tables["infusions"] = infusions[(infusions["usubjid"] != A) | (infusions["infusion"] == 1)]

    clean = small_export.tables_of()["infusions"]
    first = clean.loc[row(clean, usubjid=A, infusion=1), "date"]
    place = small_export.write(tmp_path, change)
    for day, asked_for in ((first + DAY, 0), (first + 60 * DAY, 1)):
        file = tmp_path / "site.yaml"
        file.write_text(f"extracted: {day:%Y-%m-%d}\n")
        made = delivery.read(place, file)
        mine = made.queries[made.queries["usubjid"] == A]
        assert (mine["code"] == "infusions.complete").sum() == asked_for


def test_a_cell_asked_for_in_one_file_hides_none_of_another():
    """The same row of two files of the laboratory: one asked for, one not; and of files whose name nobody kept."""
    day = pd.Timestamp("2025-03-01")
    one = {"usubjid": A, "visit_no": 2.0, "test": "upcr", "unit": "mg/mg", "qualifier": None, "value": 1.0}
    rows = [
        one | {"date": pd.NaT, "_row": 7.0, "_file": "urine.csv"},
        one | {"date": pd.NaT, "_row": 7.0, "_file": "blood.csv"},
        one | {"date": pd.NaT, "_row": 8.0, "_file": "urine.csv"},
        one | {"date": day, "_row": 9.0, "_file": "urine.csv"},
    ]
    for columns, told in ((["_file"], [("blood.csv", 7), ("urine.csv", 8)]), ([], [(None, 8)])):
        frame = pd.DataFrame(rows)
        frame = frame if columns else frame.drop(columns="_file").drop(index=1)
        log = Log()
        log.ask(
            "labs.unreadable", "labs", frame.head(1), "date", "a day", "why", "unreadable is missing", "'x'"
        )
        assert log.asked("labs", "value") == log.asked("visits", "date") == set()
        out = rules.lacking("labs", frame, "labs", log)
        assert out["_row"].tolist() == [9.0]
        found = log.all_queries()
        found = found[found["code"] == "labs.lacking"]
        assert [*zip(found["file"], found["row"], strict=True)] == told
        assert log.touched["not analysed without"] == len(frame) - 1


def test_a_partial_consent_is_asked_for_and_stops_nothing(tmp_path):
    def change(tables):
        visits = tables["visits"]
        tables["visits"] = visits[(visits["usubjid"] != A) | (visits["visit_no"] > 0)]

    clean = small_export.tables_of()["screening"]
    day = clean.loc[row(clean, usubjid=A), "consent_date"]
    month = f"{day:%Y-%m}"
    place = small_export.write(
        tmp_path, change, {"screening": lambda text: text.replace(f"{day:%Y-%m-%d}", month, 1)}
    )
    made = delivery.read(place)
    screened = made.tables["screening"]
    assert screened.loc[row(screened, usubjid=A), "consent_date"] == pd.Timestamp(f"{month}-01")
    mine = made.queries[made.queries["usubjid"] == A]
    assert mine[mine["code"] == "screening.partial"]["rule"].tolist() == ["partial consent"]


def test_identifiers_and_numbers_of_visits_as_spreadsheets_leave_them(tmp_path):
    """Spaces about an identifier, visits with a point; one that lost its zeros is refused with the likely child."""

    def change(tables):
        tables["labs"]["usubjid"] = tables["labs"]["usubjid"] + " "
        tables["visits"]["visit_no"] = tables["visits"]["visit_no"].map(lambda number: f"{number:.1f}")

    made = small_export.read(tmp_path, change)
    clean = small_export.tables_of()
    assert len(made.tables["labs"]) == len(clean["labs"])
    assert made.queries["code"].tolist() == small_export.read(tmp_path / "clean").queries["code"].tolist()

    def other(tables):
        tables["labs"]["usubjid"] = tables["labs"]["usubjid"].str.replace("AS-00", "as-", regex=False)

    with pytest.raises(Problem, match=r"child 'as-06' .* perhaps 'AS-0006', spelt in one way in all tables"):
        small_export.read(tmp_path / "other", other)


@pytest.mark.parametrize(
    ("screened", "sent", "likely"),
    [
        (["北京-001", "上海-001"], "上海1", "上海-001"),  # letters of any script tell children apart
        (["北京-001"], "上海-001", None),
        (["Ж-7", "Д-7"], "д07", "Д-7"),
        (["A\N{COMBINING ACUTE ACCENT}-7"], "a7", None),
        (["AS-0006"], "ＡＳ－６", "AS-0006"),  # as a Chinese keyboard writes it
        (["AS-0006", "AS-06"], "as6", None),  # of two that are alike none is likelier
        (["AS-0006", "AS-06", "AS-7"], "as07", "AS-7"),
        (["--"], "##", None),
    ],
)
def test_an_unknown_child_is_named_with_the_one_that_is_alike(screened, sent, likely):
    log = Log()
    frames = {
        "screening": pd.DataFrame({"usubjid": screened, "_row": np.arange(len(screened)) + 2.0}),
        "labs": pd.DataFrame({"usubjid": [sent], "_row": [7.0]}),
    }
    rules.strangers(frames, {"screening": "screening.csv", "labs": "labs.csv"}, log)
    (told,) = log.fatal
    assert f"child {sent!r} (1 row, first in row 7)" in told
    if likely:
        assert f"perhaps {likely!r}, spelt in one way in all tables" in told
    else:
        assert "perhaps" not in told


def test_who_is_sent_as_still_followed_is_no_drop_out(tmp_path):
    """In the codebook's word and in an export's; visits after the last contact are nobody's drop-out."""

    def change(tables):
        end, visits = tables["disposition"], tables["visits"]
        for child, word in ((A, "ongoing"), (B, "Still followed")):
            end.loc[row(end, usubjid=child), ["status", "reason"]] = [word, None]
        later = (visits["usubjid"] == A) & (visits["visit_no"] > 8)
        last = visits.loc[row(visits, usubjid=A, visit_no=8), "date"]
        end.loc[row(end, usubjid=A), "date"] = last
        tables["visits"] = visits[~later].reset_index(drop=True)
        labs = tables["labs"]
        gone = (labs["usubjid"] == A) & (labs["visit_no"] > 8)
        tables["labs"] = labs[~gone].reset_index(drop=True)

    made = small_export.read(tmp_path, change)
    here = made.tables["disposition"].set_index("usubjid")
    assert here.loc[[A, B], "status"].tolist() == ["ongoing", "ongoing"]
    visits = made.tables["visits"]
    later = visits[(visits["usubjid"] == A) & (visits["visit_no"] > 8)]
    assert len(later)
    assert (later["attended"] == "no").all()
    assert later["reason"].isna().all()
    assert not (made.queries["code"] == "disposition.reason").any()


LEFT = "left the trial"


@pytest.mark.parametrize(
    ("sent", "course", "status"),
    [
        (None, {7: "yes", 8: LEFT, 9: LEFT}, "left"),
        (None, {7: "yes", 8: LEFT}, "left"),
        (None, {7: "yes", 8: "missed", 9: None}, "ongoing"),
        (None, {7: LEFT, 8: "yes"}, "ongoing"),  # it came back: one of both is wrong, and asked for
        (None, {7: LEFT, 8: "yes", 9: LEFT}, "left"),
        ((None, None), {7: "yes", 8: LEFT}, "left"),  # a row that holds neither
        ((None, "2025-08-02"), {7: "yes", 8: LEFT}, "left"),  # a day of last contact, and no status
        ((None, "2025-08-02"), {7: "yes", 8: "missed"}, "ongoing"),
        (("ongoing", "2025-08-02"), {7: "yes", 8: LEFT}, "ongoing"),  # what is said stands
        (("completed", "2025-08-02"), {7: "yes", 8: LEFT}, "completed"),
    ],
)
def test_who_has_no_end_and_left_by_its_visits_has_left(sent, course, status):
    clean = small_export.tables_of()
    days = rules.Calendar(clean["screening"], clean["randomisation"], clean["infusions"], P)
    visits = pd.DataFrame(
        {
            "usubjid": A, "visit_no": float(number), "attended": "yes" if what == "yes" else "no",
            "reason": None if what == "yes" else what,
        }
        for number, what in course.items()
    )  # fmt: skip
    last = pd.Timestamp("2025-07-01")
    seen = pd.DataFrame({"usubjid": [A, A], "day": [last, last - DAY]})
    frame = clean["disposition"].head(0).assign(_row=[])
    if sent:
        row_ = {"usubjid": A, "status": sent[0], "reason": None, "date": pd.Timestamp(sent[1]), "_row": 7.0}
        frame = pd.DataFrame([row_]).astype({"status": object, "date": "datetime64[ns]"})
    log = Log()
    out = rules.ends(frame, days, seen, visits, log).set_index("usubjid")
    assert out["status"].to_dict() == dict.fromkeys(days.ids, "ongoing") | {A: status}
    assert out.loc[A, "date"] == (pd.Timestamp(sent[1]) if sent and sent[1] else last)
    assert log.touched.get("still followed", 0) == (out["status"] == "ongoing").sum()
    assert log.touched.get("left by its visits", 0) == (status == "left")
    found = log.all_queries()
    assert found[["usubjid", "code", "column"]].values.tolist() == [
        *([[A, "disposition.day", "date"]] if sent == (None, None) else []),
        *([[A, "disposition.left", "status"]] if status == "left" else []),
    ]


def test_an_end_that_was_asked_for_or_a_table_that_is_absent_is_not_asked_for_again():
    clean = small_export.tables_of()
    days = rules.Calendar(clean["screening"], clean["randomisation"], clean["infusions"], P)
    visits = pd.DataFrame({"usubjid": [A, B], "visit_no": 8.0, "attended": "no", "reason": LEFT})
    seen = pd.DataFrame({"usubjid": [A, B], "day": pd.Timestamp("2025-07-01")})
    frame = clean["disposition"].head(2).assign(status=None, _row=[7.0, 8.0], _file="ends.csv")
    assert frame["usubjid"].tolist() == [A, B]
    log = Log()
    for file in ("ends.csv", "other.csv"):
        one = frame.head(1) if file == "ends.csv" else frame.tail(1).assign(_file=file)
        log.ask(
            "disposition.word", "disposition", one, "status", "a word", "w", "unknown word is missing", "'x'"
        )
    out = rules.ends(frame, days, seen, visits, log).set_index("usubjid")
    assert out.loc[[A, B], "status"].tolist() == ["left", "left"]
    assert log.touched["left by its visits"] == 2
    found = log.all_queries()
    assert found.loc[found["code"] == "disposition.left", ["usubjid", "row"]].values.tolist() == [[B, 8]]
    log = Log()
    out = rules.ends(frame.head(0), days, seen, visits, log, received=False).set_index("usubjid")
    assert out.loc[[A, B], "status"].tolist() == ["left", "left"]
    assert log.touched["left by its visits"] == 2
    assert log.all_queries().empty


def test_who_left_by_its_visits_is_no_child_still_followed_in_the_report(tmp_path):
    """With no row of its own, its later visits not sent: none of them is asked for, and it counts as having left."""

    def change(tables):
        visits, labs = tables["visits"], tables["labs"]
        visits.loc[row(visits, usubjid=A, visit_no=9), ["attended", "date", "reason"]] = ["no", pd.NaT, LEFT]
        tables["visits"] = visits[(visits["usubjid"] != A) | (visits["visit_no"] <= 9)].reset_index(drop=True)
        tables["labs"] = labs[(labs["usubjid"] != A) | (labs["visit_no"] < 9)].reset_index(drop=True)
        for name in ("events", "treatments"):
            tables[name] = tables[name][tables[name]["usubjid"] != A].reset_index(drop=True)
        end = tables["disposition"]
        tables["disposition"] = end[end["usubjid"] != A].reset_index(drop=True)

    made = small_export.read(tmp_path, change)
    clean = small_export.tables_of()["visits"]
    last = clean.loc[row(clean, usubjid=A, visit_no=8), "date"]
    end = made.tables["disposition"].set_index("usubjid").loc[A]
    assert (end["status"], end["reason"], end["date"]) == ("left", None, last)
    mine = made.queries[made.queries["usubjid"] == A]
    told = mine.loc[mine["table"] == "disposition", ["code", "column", "found", "rule"]]
    assert told.values.tolist() == [["disposition.left", "status", "nothing", "left by its visits"]]
    assert not mine["code"].isin(["visits.complete", "visits.left"]).any()
    visits = made.tables["visits"]
    assert (visits.loc[(visits["usubjid"] == A) & (visits["visit_no"] > 8), "reason"] == LEFT).all()
    assert any(RULES["left by its visits"] in note for note in made.notes)
    adsl = adam.Adam(adam.Raw(**made.tables), P, own=True).adsl().set_index("USUBJID")
    assert adsl.loc[A, "EOSSTT"] == "DISCONTINUED"


def test_a_failed_screening_is_no_end_whichever_column_says_so(tmp_path):
    def no_reason(tables):
        end = tables["disposition"].drop(columns="reason")
        end["status"] = "Screen failure"
        end.loc[row(end, usubjid=A), "status"] = "left"
        tables["disposition"] = end

    made = small_export.read(tmp_path, no_reason)
    here = made.tables["disposition"].set_index("usubjid")
    assert here.loc[A, ["status", "reason"]].tolist() == ["left", None]
    # who is not at the end is still followed: all but one
    followed = here[here.index != A]
    assert (followed["status"] == "ongoing").all()
    assert followed["reason"].isna().all()
    seen = made.tables["visits"].groupby("usubjid")["date"].max()
    assert followed["date"].tolist() == seen[followed.index].tolist()


def test_ends_without_any_status_are_asked_for_by_name(tmp_path):
    def change(tables):
        tables["disposition"] = tables["disposition"].drop(columns="status")

    with pytest.raises(
        Problem, match=r"disposition\.csv has nothing for status \(completed or left or ongoing\)"
    ):
        small_export.read(tmp_path, change)


def test_a_visit_is_attended_where_it_has_a_day_and_nothing_denies_it(tmp_path):
    def change(tables):
        visits = tables["visits"]
        visits.loc[row(visits, usubjid=A, visit_no=4), "attended"] = None
        visits.loc[row(visits, usubjid=A, visit_no=5), ["attended", "date"]] = [None, pd.NaT]
        labs = tables["labs"]
        tables["labs"] = labs[~((labs["usubjid"] == A) & (labs["visit_no"] == 5))].reset_index(drop=True)

    visits = small_export.read(tmp_path, change).tables["visits"]
    assert visits.loc[row(visits, usubjid=A, visit_no=4), "attended"] == "yes"
    assert visits.loc[row(visits, usubjid=A, visit_no=5), "attended"] != "yes"


def test_an_event_that_ends_before_it_starts_has_no_known_end_and_stops_nothing(tmp_path):
    def change(tables):
        events = tables["events"]
        one, two = events.index[:2]
        events.loc[one, ["start_date", "end_date"]] = [pd.Timestamp("2025-06-03"), pd.Timestamp("2025-06-01")]
        events.loc[two, ["start_date", "end_date"]] = [pd.Timestamp("2025-06-03"), pd.Timestamp("2025-05-06")]

    made = small_export.read(tmp_path, change)
    asked_for = made.queries[made.queries["code"] == "events.order"]
    assert asked_for["expected"].tolist() == [
        "from the first day on, 2025-06-03",
        "from the first day on, 2025-06-03; perhaps 2025-06-05, day and month exchanged",
    ]
    assert (asked_for["rule"] == "last day unknown").all()
    assert asked_for["found"].tolist() == ["2025-06-01", "2025-05-06"]
    derived = adam.Adam(adam.Raw(**made.tables), P, own=True).adae()
    assert not (derived["ADURN"] < 1).any()
    assert len(derived) == len(made.tables["events"])


def test_a_sample_sent_twice_says_which_is_used_and_asks_only_where_they_differ(tmp_path):
    def change(tables):
        labs = tables["labs"]
        at = (
            row(labs, usubjid=A, visit_no=4, test="upcr"),
            row(labs, usubjid=A, visit_no=4, test="creatinine"),
        )
        again = labs.loc[list(at)].assign(date=lambda frame: frame["date"] + 3 * DAY)
        again["value"] = again["value"] + [5.0, 0.0]
        tables["labs"] = pd.concat([labs, again], ignore_index=True)

    made = small_export.read(tmp_path, change)
    twice = made.queries[made.queries["code"] == "labs.twice"].set_index("severity")
    clean = small_export.tables_of()["labs"]
    here = clean.loc[row(clean, usubjid=A, visit_no=4, test="upcr")]
    assert set(twice.index) == {"query", NOTE}
    assert "for upcr" in twice.loc["query", "found"]
    assert f"used is {plain(here['value'])} mg/mg for upcr of row" in twice.loc["query", "expected"]
    assert twice.loc["query", "expected"].endswith(str(here["date"].date()))
    assert "for creatinine" in twice.loc[NOTE, "found"]


def test_days_the_other_way_round_are_told_once_and_not_read(tmp_path):
    """Three of five changes can't be month and day as stated; the others could, and would be wrong without a word."""

    def slashes(text):
        head, *lines = text.strip().splitlines()
        place = head.split(",").index("date")
        out = [head]
        for line in lines:
            parts = line.split(",")
            year, month, day = parts[place].split("-")
            parts[place] = f"{month}/{day}/{year}"
            out.append(",".join(parts))
        return "\n".join(out) + "\n"

    place = small_export.write(tmp_path, None, {"treatments": slashes})
    file = tmp_path / "site.yaml"
    file.write_text(MAPPED.format(form="dd/mm/yyyy"), "utf-8")
    with pytest.raises(
        Problem, match=r"\d+ of \d+ cells can't be read as dd/mm/yyyy.* all can as mm/dd/yyyy"
    ):
        delivery.read(place, file)
    file.write_text(MAPPED.format(form="mm/dd/yyyy"), "utf-8")
    clean = small_export.tables_of()["treatments"]
    assert delivery.read(place, file).tables["treatments"]["date"].tolist() == clean["date"].tolist()


MAPPED = """unblinded: 2030-01-01
tables:
  treatments:
    file: treatments.csv
    columns:
      usubjid: usubjid
      treatment: treatment
      change: change
      agent: agent
      date: {{source: date, date: {form}}}
"""


def test_words_for_arms_and_products_that_are_exchanged_stop_the_report(tmp_path):
    """Of one child they are a question to the site, of most of them a fault of the mapping."""
    other = {"Placebo": "hUC-MSC", "hUC-MSC": "Placebo"}
    for name, table, column, code, sentence in (
        ("a", "randomisation", "arm", "infusions.product", "What was given is what the arm says"),
        ("b", "infusions", "product", "infusions.cells", "hUC-MSC has cells and placebo has none"),
    ):

        def all_of_them(tables, table=table, column=column):
            tables[table][column] = tables[table][column].map(other)

        def one(tables, table=table, column=column):
            first = tables[table].index[:1]
            tables[table].loc[first, column] = tables[table].loc[first, column].map(other)

        for folder in (tmp_path / name, tmp_path / f"{name} one"):
            folder.mkdir()
        with pytest.raises(Problem, match=rf"in \d+ of \d+ infusions given this does not hold: {sentence}"):
            small_export.read(tmp_path / name, all_of_them)
        assert code in set(small_export.read(tmp_path / f"{name} one", one).queries["code"])


def test_what_a_likely_day_answers_is_not_asked_and_the_rule_says_so(tmp_path):
    def change(tables):
        visits = tables["visits"]
        at = row(visits, usubjid=A, visit_no=6)
        visits.loc[at, "date"] = visits.loc[at, "date"] + pd.DateOffset(years=1)

    made = small_export.read(tmp_path, change)
    mine = made.queries[made.queries["usubjid"] == A]
    assert mine["code"].tolist() == ["visits.sampled-on"]
    assert mine["rule"].tolist() == ["likely day once"]
    assert f"{RULES['likely day once']} (1 time)" in made.notes


def test_unblinded_before_the_last_child_was_randomised_is_said(tmp_path):
    days = sorted(small_export.tables_of()["randomisation"]["randomisation_date"])
    told = []
    for name, day in (("last", days[-1]), ("before", days[-1] - pd.Timedelta(1, "D"))):
        (tmp_path / name).mkdir()
        made = small_export.read(
            tmp_path / name, mapping=f"unblinded: {day:%Y-%m-%d}\nextracted: 2029-12-31\n"
        )
        told.append([note for note in made.notes if "was unblinded on" in note])
    assert told[0] == []
    assert len(told[1]) == 1
    assert (
        f"1 of {len(days)} children was randomised after that day: arms were known when it was chosen"
        in told[1][0]
    )
