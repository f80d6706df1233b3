"""What a delivery's pages and list must tell: tables that did not come, whose report it is, where a row stands."""

import json

import pandas as pd
import pytest
import small_export

from helpers.build import own_edition
from helpers.build.edition import Edition
from helpers.chapters import arrived, contents
from helpers.intake import delivery, editions, listing
from helpers.intake.log import NOT_RECEIVED, RULES
from helpers.study import tables

A, B, C, D, E = small_export.RANDOMISED


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A delivery without the four tables that it can do without."""
    folder = tmp_path_factory.mktemp("bare")
    place = small_export.write(folder)
    for name in NOT_RECEIVED:
        (place / f"{name}.csv").unlink()
    file = folder / "site.yaml"
    file.write_text("unblinded: 2030-01-01\nextracted: 2029-12-31\n", "utf-8")
    return delivery.read(place, file)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """No event, a sample twice in two units, a row twice, a reason that nobody knows and one that is lacking."""

    def change(made):
        made["events"] = made["events"].head(0)
        labs, end = made["labs"], made["disposition"]
        rows = labs[(labs["usubjid"] == A) & (labs["visit_no"] == 4) & labs["test"].isin(["upcr", "height"])]
        made["labs"] = pd.concat([labs, rows], ignore_index=True)
        end.loc[end["usubjid"].isin([A, B]), "status"] = "left"
        end.loc[end["usubjid"] == A, "reason"] = "搬家"
        end.loc[end["usubjid"] == B, "reason"] = None

    def other_unit(text):
        head, *rows = text.splitlines()
        names = head.split(",")
        cells = [row.split(",") for row in rows]
        last = next(row for row in reversed(cells) if row[names.index("test")] == "upcr")
        last[names.index("value")], last[names.index("unit")] = "<7.50", "mg/mmol"
        return "\n".join([head, *map(",".join, cells)]) + "\n"

    return small_export.read(tmp_path_factory.mktemp("planted"), change, text={"labs": other_unit})


def test_a_table_that_was_not_received_is_one_query_and_a_rule(bare):
    asked = bare.queries[bare.queries["code"] == "delivery.absent"]
    assert sorted(asked["table"]) == sorted(NOT_RECEIVED)
    assert set(asked["severity"]) == {"query"}
    assert asked["usubjid"].isna().all()
    assert bare.absent == tuple(NOT_RECEIVED)
    assert {RULES[f"no {name}"] for name in NOT_RECEIVED} <= set(bare.notes)
    assert "nothing is known of adverse events" in RULES["no events"]
    # the table is asked for, and not each of its rows
    assert set(bare.queries.loc[bare.queries["table"] == "visits", "code"]) == {"delivery.absent"}
    assert (bare.tables["visits"]["attended"] == "yes").any()


def test_what_did_not_come_stands_in_the_record_beside_its_tables_alone(bare):
    _, files = editions.files_of(bare, "Site", "base", {})
    record = json.loads(files["own.json"])
    assert record["absent"] == {name: RULES[f"no {name}"] for name in NOT_RECEIVED}
    by = {one["rule"]: one["tables"] for one in record["rules"]}
    assert all(by[RULES[f"no {name}"]] == [name] for name in NOT_RECEIVED)
    shown = arrived.queries(editions.sorted_queries(listing.with_file(bare), blinded=False))
    rows = shown.data[shown.data["code"] == "delivery.absent"]
    assert len(rows) == len(NOT_RECEIVED)
    assert set(rows["usubjid"]) | set(rows["column"]) | set(rows["file"]) == {""}
    assert ">nan<" not in shown.table()


def test_each_page_and_exhibit_says_what_was_not_received(monkeypatch):
    rule = "Nothing is known of <events>."
    made = object.__new__(own_edition.OwnEdition)
    made.record = {
        "notice": "Data of X.", "blinded": False, "unblinded": "2030-01-01", "randomised": 5,
        "absent": {"events": rule}, "rules": [{"rule": rule, "tables": ["events"]}],
    }  # fmt: skip
    made.sources, made.resolved = None, {"parameters": {}}
    told = {"words": "", "changes": [], "signed": False, "touching": []}
    monkeypatch.setattr(Edition, "resolve", lambda self: None)
    monkeypatch.setattr(own_edition, "named", {contents.SIGNED: lambda *_: told}.__getitem__)
    made.resolve()
    assert made.head.lead == "Data of X. Not received: events."
    assert made.head.printed == made.head.lead
    safety, screening = (
        next(one for one in made.chapters if stem in one.stem) for stem in ("safety", "arrived")
    )
    html = made.notes(safety)
    assert html.count("Nothing is known of &lt;events&gt;.") == 1
    assert "<details" not in html
    monkeypatch.setattr(own_edition.OwnEdition, "touched", lambda self, chapter: {"labs"})
    assert made.notes(screening) == "", "nothing beside tables that it does not touch"


def test_an_empty_table_was_received(planted):
    assert planted.tables["events"].empty
    assert planted.absent == ()
    assert "delivery.absent" not in set(planted.queries["code"])


def test_names_of_folders_that_lost_signs_stay_apart():
    plain = {"Site 2": "site-2", "base": "base", "my_Site--3": "my-site-3"}
    assert {name: delivery.slug(name) for name in plain} == plain
    lossy = ["北京 2", "上海 2", "北京", "上海", "2", "Site (2)", "Site [2]", "é", "è", "\u212a"]
    made = [delivery.slug(name) for name in lossy]
    assert len(set(made)) == len(lossy)
    assert all(one.isascii() and one == one.lower().strip("-") for one in made)
    assert delivery.slug("e\u0301") == delivery.slug("\u00e9"), "the same name, composed or not"


def test_each_query_names_the_file_of_its_row(tmp_path):
    """Two files of one table: a row number alone would stand for two rows."""
    place = small_export.write(tmp_path)
    whole = tables.read("labs", place / "labs.csv")
    first = whole["usubjid"].isin([A, B])
    parts = {"one.csv": whole[first], "two.csv": whole[~first]}
    for name, frame in parts.items():
        twice = pd.concat([frame, frame.tail(1)])
        (place / name).write_text(tables.to_csv(twice), "utf-8")
    (place / "labs.csv").unlink()

    names = ", ".join(f"{c.name}: {c.name}" for c in tables.TABLES["labs"].columns)
    lines = ["unblinded: 2030-01-01", "extracted: 2029-12-31", "tables:", "  labs:"]
    lines += [f"    - {{file: {name}, columns: {{{names}}}}}" for name in parts]
    file = tmp_path / "site.yaml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    made = delivery.read(place, file)
    asked = listing.with_file(made)
    asked = asked[asked["code"] == "labs.same-row"]
    assert dict(zip(asked["file"], asked["row"], strict=True)) == {
        name: len(frame) + 2 for name, frame in parts.items()
    }
    assert "two.csv" in listing.to_csv(made)


def test_a_repeated_sample_is_shown_with_its_measure_as_it_was_sent(planted):
    asked = planted.queries.set_index("code")["found"]
    assert asked["labs.twice"] == "<7.50 mg/mmol for upcr"
    assert asked["labs.same-row"].endswith(" cm for height")


def test_a_reason_that_is_not_known_is_asked_once(planted):
    asked = planted.queries[planted.queries["column"] == "reason"]
    assert asked.loc[asked["usubjid"] == A, "code"].tolist() == ["disposition.term"]
    assert asked.loc[asked["usubjid"] == B, "code"].tolist() == ["disposition.reason"]
