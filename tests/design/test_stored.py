"""Stored results: found by what they were made from, never stale, never half-written, true of the code as it is."""

import json
from types import SimpleNamespace

import pytest

from helpers.design import calibration, known_truth, renewal, selection, stored
from helpers.study import recording
from helpers.study.kidney import growth
from helpers.study.parameters import Parameters
from helpers.study.recording import Reading, recorded
from helpers.study.scenario import load, scenarios

calls: list[float] = []


def compute(p):
    calls.append(p.dropout)
    if p.dropout > 0.5:
        return {"x": (p.dropout, p.alpha)}
    return {"x": (p.dropout, 2.5)}


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "COMMITTED", tmp_path / "committed")
    monkeypatch.setattr(stored, "CACHE", tmp_path / "cache")
    calls.clear()
    return tmp_path


def test_an_answer_is_computed_once_for_the_parameters_that_it_read(places):
    assert stored.recall(compute, Parameters()) == {"x": [0.1, 2.5]}
    assert stored.recall(compute, Parameters(seed=1, alpha=0.01)) == {"x": [0.1, 2.5]}
    assert calls == [0.1]
    assert stored.recall(compute, Parameters(dropout=0.6)) == {"x": [0.6, 0.05]}
    assert stored.recall(compute, Parameters(dropout=0.6, alpha=0.01)) == {"x": [0.6, 0.01]}
    assert stored.recall(compute, Parameters(dropout=0.6)) == {"x": [0.6, 0.05]}
    assert calls == [0.1, 0.6, 0.6]
    assert len(list((places / "cache").iterdir())) == 3


def test_whoever_uses_an_answer_has_read_what_it_read(places):
    read = Reading()
    for _ in range(2):
        stored.recall(compute, recorded(Parameters(dropout=0.6), read))
        assert read.parameters == {"dropout", "alpha"}
        read.parameters.clear()
    assert calls == [0.6]


def test_the_committed_answer_comes_first_and_leaves_the_cache_alone(places):
    entry = stored.make(compute, Parameters())
    (places / "committed").mkdir()
    (places / "committed" / "test_stored.json").write_text(stored.text([entry, entry]))
    assert len(stored.entries(places / "committed" / "test_stored.json")) == 1
    assert stored.recall(compute, Parameters()) == {"x": [0.1, 2.5]}
    assert calls == [0.1]
    assert not (places / "cache").exists()


def test_an_answer_of_other_code_is_never_given_and_still_to_be_had_as_such(places, monkeypatch):
    stored.recall(compute, Parameters())
    monkeypatch.setattr(stored, "code", lambda *_: "another")
    assert stored.find(compute, Parameters()) is None
    (places / "committed").mkdir()
    (places / "committed" / "test_stored.json").write_text(
        stored.text([{"code": "old", "files": {}, "parameters": {}, "answer": 5}])
    )
    assert stored.latest(compute, Parameters()) == (5, False)


def reads_growth(p):
    return float(growth("height", 5.0, True, 0.0)) * p.alpha


def test_a_file_is_seen_although_the_process_remembers_it(places, monkeypatch):
    growth("height", 5.0, True, 0.0)
    monkeypatch.setattr(reads_growth, "__module__", "helpers.study.kidney")
    entry = stored.make(reads_growth, Parameters())
    assert set(entry["files"]) == {"data/reference/growth_lms.csv"}
    with recording.reading() as read:
        monkeypatch.setattr(stored, "entries", lambda path: [entry] if "kidney" in path.name else [])
        assert stored.find(reads_growth, Parameters()) is entry
    assert "data/reference/growth_lms.csv" in read.files
    entry["files"]["data/reference/growth_lms.csv"] = "other bytes"
    assert stored.find(reads_growth, Parameters()) is None


@pytest.mark.parametrize("spoilt", ["", "{", "[1]", '{"entries": 1}', '{"entries": [{"code": 1}, 3]}'])
def test_a_spoilt_file_is_computed_anew(places, spoilt):
    stored.recall(compute, Parameters())
    (path,) = (places / "cache").iterdir()
    path.write_text(spoilt)
    assert stored.recall(compute, Parameters()) == {"x": [0.1, 2.5]}
    assert stored.entries(path)[0]["answer"] == {"x": [0.1, 2.5]}
    assert calls == [0.1, 0.1]


@pytest.mark.parametrize("room", [calibration, selection, known_truth])
def test_the_committed_answers_stand_for_the_code_and_scenarios_as_they_are(room):
    """If this fails: `python -m helpers.design.renewal`, with `known_truth` where it is that; commit what it writes."""
    committed = stored.entries(stored.COMMITTED / f"{stored.name_of(room.compute)}.json")
    used = [stored.latest(room.compute, load(name).parameters) for name in scenarios()]
    assert all(stands for _, stands in used)
    assert {json.dumps(answer) for answer, _ in used} == {json.dumps(one["answer"]) for one in committed}


def test_parameters_that_decide_nothing_share_an_answer():
    base = stored.find(calibration.compute, Parameters())
    for other in (Parameters(upcr_effect=0.2), Parameters(seed=1), Parameters(remission_fall=0.3)):
        assert stored.find(calibration.compute, other) == base
        assert stored.find(selection.compute, other) is not None
    assert stored.find(calibration.compute, Parameters(gfr_mean=100.0)) is None
    assert stored.find(selection.compute, Parameters(upcr_noise=0.5)) is None


def test_the_parts_make_the_whole():
    p = Parameters()
    assert set(calibration.PARTS) == {*calibration.populations.DRAWS, "trial"}
    found = json.loads(json.dumps(calibration.part(p, "clinic")["values"]))
    assert found.items() <= calibration.calibrate(p)["values"].items()


def test_a_spoilt_value_is_found_and_named():
    assert list(renewal.differences("x", {"a": [1.0, None]}, {"a": [1.0 + 1e-6, None]})) == []
    assert list(renewal.differences("x", {"a": [1.0, 2]}, {"a": [1.01, 3]})) == [
        ("x a 1", 1.0, 1.01),
        ("x a 2", 2, 3),
    ]
    assert list(renewal.differences("x", {}, {"b": 1})) == [("x b", "nothing", 1)]
    assert list(renewal.differences("x", [1], [1, 2])) == [("x", "1 values", "2 values")]


def test_a_sample_computes_a_part_that_is_not_long_and_compares_it(places, monkeypatch):
    small, large = {"n": 20, "method": "m", "bias": 0.5}, {"n": 400, "method": "m", "bias": 0.1}
    whole = {"a": {"deep": 1.0}, "b": [large], "c": "long"}
    asked = []

    def part(p, name):
        asked.append(name)
        return {name: whole[name]}

    study = SimpleNamespace(compute=compute, PARTS=("a", "b", "c"), part=part)
    monkeypatch.setattr(renewal, "STUDIES", {"toy": study})
    monkeypatch.setattr(renewal, "LONGEST", ("c",))
    monkeypatch.setattr(renewal, "DRAWN", {"toy": 2})
    held = json.loads(json.dumps(whole | {"b": [small, large]}))
    monkeypatch.setattr(stored, "latest", lambda compute, p: (held, True))
    assert list(renewal.sample()) == []
    assert sorted(asked) == ["a", "b"]
    held["b"][1]["bias"] = 0.2
    ((where, expected, found),) = renewal.sample()
    assert (where.partition("b: ")[2], expected, found) == ("b 1 bias", 0.2, 0.1)
    assert where.startswith("stored toy of ")
    monkeypatch.setattr(stored, "latest", lambda compute, p: (None, False))
    ((where, *_),) = renewal.sample()
    assert where.startswith("stored toy of ")


def test_the_last_of_six_digits_may_differ_and_no_more():
    near, far = 1.00009, 1.00012
    assert list(renewal.differences("x", {"a": 1.0}, {"a": near})) == []
    assert list(renewal.differences("x", {"a": 1.0}, {"a": far})) == [("x a", 1.0, far)]
