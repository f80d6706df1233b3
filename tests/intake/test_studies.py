"""The study of own data: found by its name, held against the checks of a real trial, changed in memory."""

import json
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from helpers import DATA, Problem
from helpers.intake import derived, editions, studies
from helpers.intake.delivery import RAW, Delivery
from helpers.study import recording, scenario, tables
from helpers.study.recording import plain


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    """The base scenario's raw tables, as a site might have sent them."""
    return {name: tables.read(name, DATA / "base" / f"{name}.csv", own=True) for name in RAW}


def delivered(frames: dict[str, pd.DataFrame], unblinded: date | None = None, **more) -> Delivery:
    queries = pd.DataFrame([more.get("query", {})], columns=[*editions.delivery.QUERIES]).dropna(how="all")
    received = pd.DataFrame(
        [("labs.csv", "", "labs", 1, "abc", "", "", "yes")], columns=editions.delivery.RECEIVED
    )
    return Delivery(
        "site-2",
        frames,
        queries,
        received,
        pd.DataFrame(columns=editions.delivery.ORIGINALS),
        unblinded,
        more.get("notes", ()),
    )


@pytest.fixture
def folder(tmp_path, frames, monkeypatch):
    """A received folder, unblinded, where `load` finds it."""
    monkeypatch.setattr(studies, "DATA", tmp_path)
    name, files = editions.files_of(delivered(frames, date(2027, 1, 15)), "Site <2>", "base", {})
    for key, content in files.items():
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / key).write_bytes(content)
    return tmp_path / name


def test_a_scenario_is_loaded_as_ever():
    mine, theirs = studies.load("base", dropout=0.2), scenario.load("base", dropout=0.2)
    assert (mine.name, plain(mine.parameters)) == (theirs.name, plain(theirs.parameters))
    assert type(mine) is scenario.Study
    with pytest.raises(Problem, match=r"unknown scenario 'waning-efect' \(did you mean waning-effect\?\)"):
        studies.load("waning-efect")
    with pytest.raises(Problem, match="unknown scenario 'own-nobody'"):
        studies.load("own-nobody")


def test_one_child_is_one_child():
    for n, told in ((1, "1 child"), (2, "2 children")):
        shown = studies.notice({"folder": "x", "children": n})
        assert shown == f"Data of x, {told}, received as listed in provenance."


def test_own_data_are_loaded_by_the_name_of_their_report(folder, frames):
    study = studies.load("own-site-2")
    assert studies.is_own(study)
    assert not study.blinded
    assert study.description == "Data of Site <2>, 161 children, received as listed in provenance."
    assert len(study.read("labs")) == len(frames["labs"])
    shown = study._repr_html_()
    assert "Data of Site &lt;2&gt;, 161 children" in shown
    assert repr(study) == "<Study own-site-2>", "to show a study reads none of its parameters"
    with recording.reading() as read:
        watched = replace(study, parameters=recording.recorded(study.parameters, read))
        watched._repr_mimebundle_()
        assert read.parameters == set()
    assert "<2>" not in shown
    assert study.resolved()["data"] == "Site <2>"
    with pytest.raises(Problem, match="no simulated truth"):
        study.write_truth("children", pd.DataFrame())


def test_what_is_missing_says_how_to_get_it_and_a_spoilt_record_is_refused(folder):
    with pytest.raises(Problem, match=r"adsl\.csv does not exist.*make report DATA=folder"):
        studies.load("own-site-2").read("adsl")
    (folder / "own.json").write_text("{")
    with pytest.raises(Problem, match=r"own-site-2/own\.json is not readable"):
        studies.load("own-site-2")


def test_a_changed_parameter_derives_in_memory_and_writes_nothing(folder):
    study = studies.load("own-site-2", remission_fall=0.3, alpha=None)
    assert study.changed
    assert study.overrides == {"remission_fall": 0.3}
    assert study.name.startswith("own-site-2+")
    before = sorted(path.name for path in folder.iterdir())
    strict = derived.every(studies.load("own-site-2"))["adtte"]
    loose = study.read("adtte")
    events = [(frame.loc[frame["PARAMCD"] == "UPCRF", "CNSR"] == 0).sum() for frame in (strict, loose)]
    assert events[0] < events[1]
    assert sorted(path.name for path in folder.iterdir()) == before
    with pytest.raises(Problem, match="remission_fall: found '2'"):
        studies.load("own-site-2", remission_fall=2)


def test_a_name_that_is_no_parameter_is_refused_as_for_a_scenario(folder, monkeypatch):
    """The first cell's names come from the caller's globals, whichever `load` is called."""
    cell = 'scenario = "own-site-2"\nremission_fall = 0.3\nremision_fall = 0.2'
    space = {"In": ["", cell], "scenario": "own-site-2", "remission_fall": 0.3, "remision_fall": 0.2}
    space["load"] = studies.load
    with pytest.raises(Problem, match=r"remision_fall is no parameter \(did you mean remission_fall\?\)"):
        exec("study = load(scenario, remission_fall=remission_fall)", space)
    space["In"][1] = cell.replace("remision_fall", "alpha")
    del space["remision_fall"]
    space["alpha"] = 0.01
    exec("study = load(scenario, remission_fall=remission_fall)", space)
    assert space["study"].overrides == {"remission_fall": 0.3, "alpha": 0.01}, "added to the cell alone"


def test_tables_derived_of_own_data_are_those_of_the_simulation(folder):
    """Clean tables: nothing of the intake changes what the analysis says."""
    study = studies.load("own-site-2")
    screening = study.read("screening")
    study.write("adie", derived.flow.criteria_met(screening, study.parameters))
    made = derived.analysis_tables(study)
    for name, frame in zip(("adsl", "adlb", "adtte", "adae"), made, strict=True):
        assert tables.to_csv(frame) == (DATA / "base" / f"{name}.csv").read_text("utf-8"), name
        assert (folder / f"{name}.csv").read_bytes() == (DATA / "base" / f"{name}.csv").read_bytes()


def test_while_blinded_a_treated_child_counts_under_its_dummy_arm_and_the_file_does_not_say_so(
    tmp_path, frames
):
    hidden = frames["infusions"].assign(product=None, cells=float("nan"))
    name, files = editions.files_of(delivered({**frames, "infusions": hidden}), "Site", "base", {})
    assert name == "own-site-2-dummy-arms"
    for key, content in files.items():
        (tmp_path / key).write_bytes(content)
    study = studies.from_folder(tmp_path)
    assert study.blinded
    study.write("adie", derived.flow.criteria_met(study.read("screening"), study.parameters))
    adsl, *_ = derived.analysis_tables(study)
    treated = adsl["SAFFL"] == "Y"
    assert (adsl["TRT01A"] == adsl["TRT01P"])[treated].all()
    assert adsl["TRT01A"][~treated].isna().all()
    assert pd.read_csv(tmp_path / "adsl.csv")["TRT01A"].isna().all(), "what a child got is unknown"


def test_the_record_names_no_place_and_the_files_no_free_text(frames):
    _, files = editions.files_of(delivered(frames), "Site", "base", {})
    assert b"not shown while blinded" in files["events.csv"]
    assert not set(frames["events"]["term"]) & set(
        pd.read_csv(__import__("io").BytesIO(files["events.csv"]))["term"]
    )
    record = json.loads(files["own.json"])
    assert (record["children"], record["randomised"], record["blinded"]) == (161, 40, True)
    assert "unknown while blinded" in record["rules"][-1]["rule"]


def test_a_rule_touches_the_tables_of_its_queries_and_a_note_all(frames):
    asked = {"code": "labs.x", "severity": "query", "table": "labs", "rule": "limit stands", "usubjid": "a"}
    limit = editions.RULES["limit stands"]
    got = delivered(
        frames, date(2027, 1, 15), query=asked, notes=("No day is too late.", f"{limit} (1 time)")
    )
    _, files = editions.files_of(got, "Site", "base", {})
    rules = json.loads(files["own.json"])["rules"]
    assert [(one["rule"], len(one["tables"])) for one in rules] == [
        ("No day is too late.", 8),
        (f"{limit} (1 time)", 1),
    ]


def test_changed_readings_make_a_report_of_another_name(frames):
    name, _ = editions.files_of(delivered(frames), "Site", "base", {"alpha": 0.01})
    assert name.startswith("own-site-2-dummy-arms+")
    assert studies.NAME.fullmatch(name)


def test_a_table_that_did_not_come_is_told_from_an_empty_one():
    own = object.__new__(studies.OwnStudy)
    object.__setattr__(own, "record", {"absent": {"events": "Nothing is known."}})
    assert not studies.was_received(own, "events")
    assert studies.was_received(own, "labs")
    assert studies.was_received(studies.load("base"), "events")
