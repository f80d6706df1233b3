"""The results in the Analysis Results Standard: every one once, every id resolves, nothing that exhibits don't say."""

import doctest
import json
from collections import Counter
from types import SimpleNamespace

import pytest

from helpers import ROOT
from helpers.build import origins
from helpers.build.verify import stored_results
from helpers.chapters import standard
from helpers.chapters.contents import CHAPTERS
from helpers.study.estimands import ESTIMANDS

SCHEMA = ROOT.parent / "shared" / "schemas" / "ars_ldm.schema.json"


@pytest.fixture(scope="module")
def records() -> dict:
    """What the build records of the committed notebooks."""
    found = {}
    for chapter in CHAPTERS:
        path = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        stated = origins.stated(json.loads(path.read_text("utf-8")))
        found[chapter.stem] = {"results": stored_results(path), "stated": stated}
    return found


@pytest.fixture(scope="module")
def event(records) -> dict:
    made = standard.reporting_event("base", "Assumed: as planned.", CHAPTERS, records)
    return json.loads(json.dumps(made, allow_nan=False))


def walk(node):
    """Every object below a JSON value."""
    if isinstance(node, dict):
        yield node
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(one)


def test_every_result_is_there_once_as_stored_and_as_shown(records, event):
    wanted = Counter(
        ("null" if one["value"] is None else str(one["value"]), one["shown"])
        for record in records.values()
        for one in record["results"].values()
    )
    found = Counter(
        (one.get("rawValue", "null"), one["formattedValue"])
        for a in event["analyses"]
        for one in a["results"]
    )
    assert sum(wanted.values()) > 500
    assert found == Counter({("true" if v == "True" else "false" if v == "False" else v, s): n
                             for (v, s), n in wanted.items()})  # fmt: skip


def test_an_operation_says_one_value_of_one_group(event):
    for analysis in event["analyses"]:
        told = [(one["operationId"], json.dumps(one.get("resultGroups"))) for one in analysis["results"]]
        assert len(told) == len(set(told)), analysis["id"]
        grouped = any("resultGroups" in one for one in analysis["results"])
        assert grouped == ("orderedGroupings" in analysis)


def test_ids_are_unique_and_every_reference_leads_to_one(event):
    ids = Counter(one["id"] for one in walk(event) if "id" in one)
    assert [key for key, count in ids.items() if count > 1] == []
    names = (
        "methodId", "operationId", "analysisSetId", "dataSubsetId", "groupingId", "groupId", "analysisId",
        "outputId", "sponsorTermId",
    )  # fmt: skip
    used = Counter(name for one in walk(event) for name in names if name in one)
    assert set(used) == set(names)
    for one in walk(event):
        for name in names:
            assert one.get(name, event["id"]) in ids
    operations = {m["id"]: {o["id"] for o in m["operations"]} for m in event["methods"]}
    for analysis in event["analyses"]:
        assert {one["operationId"] for one in analysis["results"]} <= operations[analysis["methodId"]]
    listed = {one["analysisId"] for one in walk(event["mainListOfContents"]) if "analysisId" in one}
    assert listed == {one["id"] for one in event["analyses"]}


def test_ids_come_from_keys_alone(records, event):
    moved = json.loads(json.dumps(records))
    for record in moved.values():
        for one in record["results"].values():
            one |= {"value": -1, "shown": "otherwise"}
    again = standard.reporting_event("base", "Otherwise.", CHAPTERS, moved)
    assert [one["id"] for one in walk(again) if "id" in one] == [
        one["id"] for one in walk(event) if "id" in one
    ]


def test_words_are_those_of_exhibits_and_estimands(records, event):
    exhibits = [one["exhibit"] for record in records.values() for one in record["stated"] if one["exhibit"]]
    assert [one["name"] for one in event["outputs"]] == [one["title"] for one in exhibits]
    methods = {one["method"] for one in exhibits} | {one["title"] for one in exhibits}
    for method in event["methods"]:
        assert method["name"] in methods or method["name"].startswith("Stated in a sentence of the chapter ")
    populations = {one["population"] for one in exhibits}
    for one in event["analysisSets"]:
        assert "condition" in one or one["name"] in populations
    (primary,) = [
        a for a in event["analyses"] if a["id"] == "Analysis.06-remission.remission-primary.remission.primary"
    ]
    assert primary["purpose"] == {"controlledTerm": "PRIMARY OUTCOME MEASURE"}
    assert (primary["dataset"], primary["dataSubsetId"]) == ("ADTTE", "Subset.ADTTE.UPCRC")
    assert primary["analysisSetId"] == "Set.RANDFL"
    assert "helpers.analysis.remission.primary" in primary["programmingCode"]["code"].splitlines()


def test_each_tie_to_an_estimand_has_both_ends(event):
    names, topics = {one.name for one in ESTIMANDS}, {a["id"] for a in event["analyses"]}
    for beginning, name in standard.BEHIND.items():
        assert name is None or name in names
        assert any(f".{beginning}" in topic for topic in topics), beginning
    known = {one["purpose"].get("controlledTerm") for one in event["analyses"]}
    assert {"PRIMARY OUTCOME MEASURE", "SECONDARY OUTCOME MEASURE"} <= known


def test_what_an_exhibit_does_not_say_stays_out():
    chapter = SimpleNamespace(stem="a", title="A")
    result = {"key": "b.msc.x", "value": None, "unit": "", "shown": '</script>"\u202e'}
    exhibit = {"key": "t", "kind": "table", "title": "<T>", "method": "", "population": ""}
    stated = [{"cell": 1, "exhibit": exhibit, "results": ["b.msc.x"], "functions": []}]
    records = {"a": {"results": {"b.msc.x": result}, "stated": stated}}
    made = standard.reporting_event("base", "x", [chapter], records)
    (analysis,) = json.loads(json.dumps(made))["analyses"]
    assert not {"dataset", "variable", "dataSubsetId", "analysisSetId"} & set(analysis)
    (told,) = analysis["results"]
    assert "rawValue" not in told
    assert told["formattedValue"] == '</script>"\u202e'
    assert told["resultGroups"] == [{"groupingId": "Grouping.TRT01P", "groupId": "Grouping.TRT01P.msc"}]
    # an edition of nothing is one as well
    assert standard.reporting_event("base", "x", [chapter], {})["analyses"] == []


def test_the_published_schema_holds(event):
    if not SCHEMA.is_file():
        pytest.skip(
            "the published schema is not beside this copy: its structure is held by the tests above alone"
        )
    from jsonschema import Draft7Validator

    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert [f"{e.json_path}: {e.message[:200]}" for e in Draft7Validator(schema).iter_errors(event)] == []
    event = json.loads(json.dumps(event))
    del event["analyses"][0]["methodId"]
    assert list(Draft7Validator(schema).iter_errors(event))


def test_the_examples_of_the_docstrings_run():
    assert doctest.testmod(standard).failed == 0
