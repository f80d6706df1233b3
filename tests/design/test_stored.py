"""Kept results: found by content, never stale, never half-written, and standing for the code as it is."""

import json

import pytest

from helpers.design import calibration, kept, selection
from helpers.study import kidney
from helpers.study.parameters import Parameters
from helpers.study.scenario import load, scenarios


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "COMMITTED", tmp_path / "committed")
    monkeypatch.setattr(kept, "CACHE", tmp_path / "cache")
    return tmp_path


def test_an_answer_is_computed_once(places):
    calls = []

    def compute():
        calls.append(1)
        return {"x": (1, 2.5)}

    assert kept.recall("thing", "k1", compute) == {"x": [1, 2.5]}
    assert kept.recall("thing", "k1", compute) == {"x": [1, 2.5]}
    assert len(calls) == 1
    kept.recall("thing", "k2", compute)
    assert len(calls) == 2
    assert sorted(p.name for p in (places / "cache").iterdir()) == ["thing-k1.json", "thing-k2.json"]


def test_the_committed_answer_comes_first_and_leaves_the_cache_alone(places):
    kept.commit("thing", {"b": lambda: 2, "a": lambda: 1})
    assert json.loads((places / "committed" / "thing.json").read_text()) == {"a": 1, "b": 2}
    for path in (places / "cache").iterdir():
        path.unlink()
    assert kept.recall("thing", "a", lambda: pytest.fail("computed again")) == 1
    assert not list((places / "cache").iterdir())


@pytest.mark.parametrize("spoilt", ["", "{", "[1]", '{"other": 1}'])
def test_a_spoilt_file_is_computed_anew(places, spoilt):
    (places / "cache").mkdir()
    (places / "cache" / "thing-k.json").write_text(spoilt)
    assert kept.recall("thing", "k", lambda: 7) == 7
    assert json.loads((places / "cache" / "thing-k.json").read_text()) == {"k": 7}


def test_the_key_follows_code_and_values_and_not_comments(tmp_path):
    class Module:
        __file__ = str(tmp_path / "m.py")

    def key(text, **values):
        (tmp_path / "m.py").write_text(text)
        return kept.key([Module], values)

    first = key('"""Words."""\ndef f(x):\n    """More."""\n    return x + 1\n', a=1)
    assert key('"""Other."""\n# why\ndef f(x):\n    return (x + 1)\n', a=1) == first
    assert key("def f(x):\n    return x + 2\n", a=1) != first
    assert key('"""Words."""\ndef f(x):\n    """More."""\n    return x + 1\n', a=2) != first


def test_the_key_reads_what_a_file_holds(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("1")
    first = kept.key([kidney], {}, [file])
    file.write_text("2")
    assert kept.key([kidney], {}, [file]) != first


@pytest.mark.parametrize("room", [calibration, selection])
def test_the_committed_answers_stand_for_the_code_and_scenarios_as_they_are(room):
    """If this fails: `python -m helpers.design.kept`, and commit what it writes."""
    committed = json.loads((kept.COMMITTED / f"{room.NAME}.json").read_text("utf-8"))
    assert set(committed) == {room.content_key(load(name).parameters) for name in scenarios()}


def test_parameters_that_decide_nothing_share_an_answer():
    assert calibration.content_key(Parameters(upcr_effect=0.2)) == calibration.content_key(Parameters())
    assert calibration.content_key(Parameters(seed=1)) == calibration.content_key(Parameters())
    assert calibration.content_key(Parameters(gfr_mean=100.0)) != calibration.content_key(Parameters())
    assert selection.content_key(Parameters(remission_fall=0.3)) != selection.content_key(Parameters())
