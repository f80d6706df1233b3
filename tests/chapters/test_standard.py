"""The results in the Analysis Results Standard: every one once, every id resolves, nothing that exhibits don't say."""

import doctest
import json
import re
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest

from helpers import ROOT
from helpers.build import origins
from helpers.build.verify import stored_results
from helpers.chapters import analysed, standard, standard_keys, standard_parts
from helpers.chapters.contents import ANALYSIS, CHAPTERS
from helpers.study.codebook import TABLES
from helpers.study.estimands import ESTIMANDS
from helpers.study.parameters import Parameters

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


def test_each_result_leads_to_its_key(records, event):
    """From the standard's file to `results.json`, and with `make trace` on to the code."""
    values = {key: one for record in records.values() for key, one in record["results"].items()}
    seen = Counter()
    for analysis in event["analyses"]:
        keys = analysis["description"].partition(f"{standard.KEYS}: ")[2].rstrip(".").split(", ")
        for key, one in zip(keys, analysis["results"], strict=True):
            assert one["formattedValue"] == values[key]["shown"]
            seen[analysis["id"].split(".")[1], key] += 1
    assert sum(seen.values()) == sum(len(record["results"]) for record in records.values())


def test_an_operation_says_one_value_of_one_group(event):
    for analysis in event["analyses"]:
        told = [(one["operationId"], json.dumps(one.get("resultGroups"))) for one in analysis["results"]]
        assert len(told) == len(set(told)), analysis["id"]
        by_group = [
            one["groupingId"] for one in analysis.get("orderedGroupings", ()) if one["resultsByGroup"]
        ]
        for one in analysis["results"]:
            assert [group["groupingId"] for group in one.get("resultGroups", ())] == by_group, analysis["id"]


def test_ids_are_unique_and_every_reference_leads_to_one(event):
    ids = Counter(one["id"] for one in walk(event) if "id" in one)
    assert [key for key, count in ids.items() if count > 1] == []
    names = (
        "methodId", "operationId", "analysisSetId", "dataSubsetId", "groupingId", "groupId", "analysisId",
        "outputId", "sponsorTermId", "subClauseId", "referenceDocumentId",
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


def test_an_exhibit_lists_the_analyses_of_all_results_that_it_states(records, event):
    """Also of those that another exhibit of the chapter told first; none is listed that has no result in it."""
    keys = {
        one["id"]: set(one["description"].partition(f"{standard.KEYS}: ")[2].rstrip(".").split(", "))
        for one in event["analyses"]
    }
    stated = {
        f"Output.{stem}.{one['exhibit']['key']}": set(one["results"])
        for stem, record in records.items()
        for one in record["stated"]
        if one["exhibit"]
    }
    compared = 0
    for chapter in event["mainListOfContents"]["contentsList"]["listItems"]:
        for item in chapter["sublist"]["listItems"]:
            if "outputId" in item:
                listed = [one["analysisId"] for one in item.get("sublist", {}).get("listItems", ())]
                told = set().union(*(keys[one] for one in listed))
                assert stated[item["outputId"]] <= told
                assert all(keys[one] & stated[item["outputId"]] for one in listed)
                compared += bool(listed)
    assert compared > 50


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
    stated = [one for record in records.values() for one in record["stated"]]
    exhibits = [one["exhibit"] for one in stated if one["exhibit"]]
    assert [one["name"] for one in event["outputs"]] == [one["title"] for one in exhibits]
    methods = {one["method"] for one in exhibits} | {one["title"] for one in exhibits}
    methods |= {one["does"] for one in stated}
    for method in event["methods"]:
        assert method["name"] in methods or method["name"].startswith("Stated in a sentence of the chapter ")
    (primary,) = [
        a for a in event["analyses"] if a["id"] == "Analysis.06-remission.remission-primary.remission.primary"
    ]
    assert primary["purpose"] == {"controlledTerm": "PRIMARY OUTCOME MEASURE"}
    assert primary["reason"] == {"controlledTerm": "SPECIFIED IN PROTOCOL"}
    assert (primary["dataset"], primary["variable"]) == ("ADTTE", "CNSR")
    assert (primary["analysisSetId"], primary["dataSubsetId"]) == (
        "Set.RANDFL",
        "Subset.ADTTE.UPCRC_ADTTE.CNSR.0",
    )
    code = primary["programmingCode"]["code"]
    assert "# helpers.analysis.remission.primary  src/helpers/analysis/remission.py:" in code
    assert "primary = remission.primary(adsl, adlb, adtte, study.parameters)" in code.splitlines()
    (share,) = [
        one
        for method in event["methods"]
        for one in method["operations"]
        if one["id"] == "Method.06-remission.remission-primary.share"
    ]
    roles = [
        (one["referencedOperationRole"]["controlledTerm"], one["operationId"].rpartition(".")[2])
        for one in share["referencedOperationRelationships"]
    ]
    assert roles == [("NUMERATOR", "n"), ("DENOMINATOR", "N")]
    linked = [one for one in walk(event["methods"]) if "referencedOperationRelationships" in one]
    assert len(linked) >= 5, "of the courses and of eligibility as well"


def test_every_analysis_names_its_data_or_says_why_there_are_none(event):
    """Else a reviewer's tool can't find the rows behind a number."""
    without = {"Source.plan", "Source.model", "Source.design", "Source.validation", "Source.several"}
    for analysis in event["analyses"]:
        (origin,) = analysis["categoryIds"]
        assert standard_parts.SOURCES[origin] in analysis["description"]
        if origin in without:
            assert "dataset" not in analysis
            continue
        table = TABLES[analysis["dataset"].lower()]
        assert analysis["variable"] in {column.name for column in table.columns}, analysis["id"]
        assert analysis["analysisSetId"], analysis["id"]
        assert (origin == "Source.analysis") == analysis["dataset"].startswith("AD")
        reading = {chapter.stem for chapter in CHAPTERS if {*chapter.reads, *chapter.writes} & set(ANALYSIS)}
        place = analysis["id"].removeprefix("Analysis.").partition(".")[0]
        if place in reading - {"03-follow-up"}:
            assert origin == "Source.analysis"
    named = Counter(analysis["categoryIds"][0] for analysis in event["analyses"])
    assert named["Source.several"] <= 1, "only the consistency of the tables is of all of them alike"


def test_a_set_and_a_subset_have_a_condition_on_variables_that_there_are(event):
    for one in [*event["analysisSets"], *event["dataSubsets"]]:
        assert ("condition" in one) != ("compoundExpression" in one), one["id"]
    for one in walk(event):
        if one.get("comparator") in ("LT", "LE", "GT", "GE"):
            assert float(*one["value"]) >= 0
        elif "comparator" in one:
            columns = {column.name: column for column in TABLES[one["dataset"].lower()].columns}
            column = columns[one["variable"]]
            allowed = {*column.values, ""} if column.values else set(one["value"])
            assert set(one["value"]) <= allowed, one
            assert (len(one["value"]) > 1) == (one["comparator"] in ("IN", "NOTIN"))
    # treatment received where a child counts as treated
    for analysis in event["analyses"]:
        arms = {one["groupingId"] for one in analysis.get("orderedGroupings", ())}
        if analysis.get("analysisSetId") == "Set.SAFFL" and arms:
            assert arms == {"Grouping.TRT01A"} or "04-analysis-data" in analysis["id"]


def kept(frame: pd.DataFrame, clause: dict, sets: dict) -> pd.Series:
    """Which rows of a table a clause of the standard keeps, read as the standard says."""
    if "subClauseId" in clause:
        return kept(frame, sets[clause["subClauseId"]], sets)
    if "compoundExpression" in clause:
        parts = [kept(frame, one, sets) for one in clause["compoundExpression"]["whereClauses"]]
        assert clause["compoundExpression"]["logicalOperator"] == "AND"
        return pd.concat(parts, axis=1).all(axis=1)
    one = clause["condition"]
    if one["comparator"] in ("LT", "LE", "GT", "GE"):
        compare = getattr(frame[one["variable"]], one["comparator"].lower())
        return compare(float(*one["value"]))
    inside = frame[one["variable"]].fillna("").astype(str).isin(one["value"])
    return ~inside if one["comparator"] in ("NE", "NOTIN") else inside


def test_who_follows_the_conditions_counts_what_was_counted(event):
    """The sets, subsets and groups, taken literally on the published tables, give the numbers of children."""
    tables = {
        name: pd.read_csv(ROOT / f"data/synthetic/base/{name}.csv") for name in ("adsl", "adtte", "adae")
    }
    sets, subsets = ({one["id"]: one for one in event[name]} for name in ("analysisSets", "dataSubsets"))
    groups = {one["id"]: one for grouping in event["analysisGroupings"] for one in grouping["groups"]}
    compared = 0
    for analysis in event["analyses"]:
        place = analysis["id"].split(".", 3)[2:]
        counts = {"remission-primary": ("n", "N"), "events": ("share",), "exposure": ("count",)}.get(
            place[0], ()
        )
        for result in analysis["results"]:
            operation = result["operationId"].rpartition(".")[2]
            if operation not in counts or analysis["id"].endswith("evaluable"):
                continue
            adsl = tables["adsl"]
            inside = adsl[kept(adsl, sets[analysis["analysisSetId"]], sets)]
            for group in result["resultGroups"]:
                inside = inside[kept(inside, groups[group["groupId"]], sets)]
            if operation != "N" and "dataSubsetId" in analysis:
                rows = tables[analysis["dataset"].lower()]
                rows = rows[kept(rows, subsets[analysis["dataSubsetId"]], sets)]
                inside = inside[inside["USUBJID"].isin(rows["USUBJID"])]
            assert result["rawValue"] == str(len(inside)), (analysis["id"], result)
            compared += 1
    assert compared >= 30


def test_every_count_with_its_total_is_what_set_and_subset_give(event):
    """n/N as shown: N from the set and the group alone, n from the subset's records where a state or event is one."""
    names = ("adsl", "adlb", "adtte", "adae")
    tables = {name: pd.read_csv(ROOT / f"data/synthetic/base/{name}.csv", low_memory=False) for name in names}
    adsl = tables["adsl"]
    sets, subsets = ({one["id"]: one for one in event[name]} for name in ("analysisSets", "dataSubsets"))
    groups = {one["id"]: one for grouping in event["analysisGroupings"] for one in grouping["groups"]}
    totals = counts = 0
    rows = tables["adlb"][tables["adlb"]["USUBJID"].isin(adsl.loc[adsl["UPCRFL"] == "Y", "USUBJID"])]
    tiles = [one for one in event["analyses"] if ".remission.tiles." in one["id"]]
    assert len(tiles) == 4
    for one in tiles:
        n = kept(rows, subsets[one["dataSubsetId"]], sets).sum()
        assert one["results"][0]["rawValue"] == str(n), one["id"]
    for analysis in event["analyses"]:
        if analysis.get("dataset", "").lower() not in names or "the total" in analysis["description"].lower():
            continue
        for result in analysis["results"]:
            shown = re.match(r"(\d+)/(\d+) \(", result["formattedValue"])
            if not shown:
                continue
            inside = adsl[kept(adsl, sets[analysis["analysisSetId"]], sets)]
            for group in result.get("resultGroups", ()):
                inside = inside[kept(inside, groups[group["groupId"]], sets)]
            assert len(inside) == int(shown[2]), analysis["id"]
            totals += 1
            # a value is judged, or a day counted, by a rule that the description tells
            if analysis["variable"] in ("AVAL", "CHG", "ASTDT"):
                continue
            rows = tables[analysis["dataset"].lower()]
            rows = rows[kept(rows, subsets[analysis["dataSubsetId"]], sets)]
            assert inside["USUBJID"].isin(rows["USUBJID"]).sum() == int(shown[1]), analysis["id"]
            counts += 1
    assert totals > 150
    assert counts > 100


def test_values_after_baseline_are_counted_without_the_baseline(event):
    adlb = pd.read_csv(ROOT / "data/synthetic/base/adlb.csv", low_memory=False)
    subsets = {one["id"]: one for one in event["dataSubsets"]}
    seen = 0
    for analysis in event["analyses"]:
        for result in analysis["results"]:
            if re.search(r"-course\.longitudinal\.\w+$", analysis["id"]) and result["operationId"].endswith(
                ".values"
            ):
                assert kept(adlb, subsets[analysis["dataSubsetId"]], {}).sum() == int(result["rawValue"])
                seen += 1
        of_model = ".mmrm" in analysis["id"] and analysis.get("dataset")
        if of_model:
            assert "ABLFL.not-Y" in analysis["dataSubsetId"]
            told = analysis["variable"] == "CHG" or "log (ADLB.AVAL / ADLB.BASE)" in analysis["description"]
            assert told, analysis["id"]
    assert seen == 3


def test_a_method_has_the_operations_of_its_analyses_and_they_are_statistics(event):
    methods = {one["id"]: {each["id"] for each in one["operations"]} for one in event["methods"]}
    used = {one["methodId"] for one in event["analyses"]}
    assert used == set(methods)
    for analysis in event["analyses"]:
        assert {one["operationId"] for one in analysis["results"]} == methods[analysis["methodId"]], analysis[
            "id"
        ]
    labels = [one["label"] for method in event["methods"] for one in method["operations"]]
    assert not [one for one in labels if one.startswith("Row ")]
    # of a count with its total, what the raw value is, stands there
    patterns = {one["id"]: one["label"] for method in event["methods"] for one in method["operations"]}
    for analysis in event["analyses"]:
        for one in analysis["results"]:
            if re.match(r"\d+/\d+ \(", one["formattedValue"]):
                assert "raw value" in patterns[one["operationId"]], one
    kinds = [
        ("agreement", "kappa"),
        ("median", "month12"),
        ("years", "n_treated"),
        ("rate.any", "rate_ratio.any"),
    ]
    for pair in kinds:
        found = [
            {r["operationId"].rpartition(".")[2] for r in one["results"]}
            for end in pair
            for one in event["analyses"]
            if re.search(rf"[._]{re.escape(end)}(\.\w+_\w+)?$", one["id"]) and one.get("dataset") != "ADLB"
        ]
        assert len(set(map(frozenset, found))) > 1, pair


def test_one_analysis_is_the_primary_one_and_what_is_shown_again_leads_to_the_first(event):
    ids = {one["id"] for one in event["analyses"]}
    primary = [
        one["id"].removesuffix(f".{standard.ACROSS}")
        for one in event["analyses"]
        if one["purpose"].get("controlledTerm") == "PRIMARY OUTCOME MEASURE"
    ]
    assert set(primary) == {"Analysis.06-remission.remission-primary.remission.primary"}
    again = [one for one in event["analyses"] if one["purpose"].get("sponsorTermId") == "Purpose.repeated"]
    assert len(again) >= 6
    for one in again:
        (first,) = re.findall(r"The same analysis as (\S+), shown again", one["description"])
        assert first in ids - {one["id"]}


def test_who_has_no_data_set_has_no_arms_of_children(event):
    for analysis in event["analyses"]:
        if analysis["categoryIds"][0] in standard_parts.WITHOUT_CHILDREN:
            assert "orderedGroupings" not in analysis
            assert not any(one.get("resultGroups") for one in analysis["results"])


def test_rows_of_missing_data_are_told_by_their_handling(event):
    rows = [one for one in event["analyses"] if ".remission.missing." in one["id"]]
    known = [key for key in analysed.register(Parameters()) if key.startswith("remission.missing.")]
    assert sorted(one["id"].partition("missing.")[2].partition("remission.")[2] for one in rows) == sorted(
        one.partition("remission.")[2] for one in known
    )
    told = {
        re.search(r"Handling of missing data: ([^.]+(\.\d+[^.]*)?)\.", one["description"])[1] for one in rows
    }
    assert len(told) >= 10
    for one in rows:
        if "multiple imputation" in one["description"]:
            assert one["dataset"] == "ADLB"


def test_purpose_and_reason_are_those_of_estimands_and_registration(event):
    known = analysed.register(Parameters())
    for analysis in event["analyses"]:
        topic = analysis["id"].split(".", 3)[3]
        _, of = analysed.found(known, topic.removesuffix(".across"))
        if of is None or of.kind != analysed.MAIN or of.answers is None:
            continue
        wanted = {"primary": "PRIMARY", "secondary": "SECONDARY"}.get(of.answers.role.split(",")[0])
        term = analysis["purpose"].get("controlledTerm")
        assert term == (wanted and f"{wanted} OUTCOME MEASURE"), analysis["id"]
        assert f"Estimand: {of.answers.name}, {of.answers.role}" in analysis["description"]
    purposes = Counter(next(iter(one["purpose"].values())) for one in event["analyses"])
    assert {"PRIMARY OUTCOME MEASURE", "SECONDARY OUTCOME MEASURE", "EXPLORATORY OUTCOME MEASURE"} <= set(
        purposes
    )
    assert set(standard_parts.OWN_PURPOSES) <= set(purposes), "a term that nobody uses is none"
    reasons = {json.dumps(one["reason"]) for one in event["analyses"]}
    assert len(reasons) == 3
    registered = [
        a for a in event["analyses"] if a["reason"].get("controlledTerm") == "SPECIFIED IN PROTOCOL"
    ]
    assert {a["documentRefs"][0]["referenceDocumentId"] for a in registered} == {"Document.registration"}


def test_arms_that_are_not_the_trials_are_not_said_to_be_randomised(records):
    made = standard.reporting_event("own-x", "x", CHAPTERS, records, arms="dummy arms")
    names = {one["id"]: one["name"] for one in made["analysisGroupings"]}
    assert names["Grouping.TRT01P"] == names["Grouping.TRT01A"] == "Dummy arms"
    assert "randomised" not in json.dumps(made["analysisGroupings"])


def test_what_changed_after_the_plan_was_signed_is_data_driven(records):
    made = standard.reporting_event("base", "x", CHAPTERS, records, changed=["06-remission"])
    for analysis in made["analyses"]:
        driven = analysis["reason"] == {"controlledTerm": "DATA DRIVEN"}
        assert driven == analysis["id"].startswith("Analysis.06-remission.")


def test_each_tie_of_a_result_has_both_ends(records):
    """A beginning that no result has is dead; a data set that the cells never read is wrong."""
    known, names = analysed.register(Parameters()), {one.name for one in ESTIMANDS}
    read: dict[str, set[str]] = {}
    for stem, record in records.items():
        # whose cells hold all tables of follow-up in one object
        for one in record["stated"] if stem != "03-follow-up" else ():
            for key in one["results"]:
                read.setdefault(key, set()).update(one["tables"])
    used, wrong = set(), []
    for key, tables in read.items():
        topic, operation, _ = standard_keys.parts(key)
        beginning, of = analysed.found(known, f"{topic}.{operation}")
        used.add(beginning)
        if of is not None and tables and of.dataset.lower() not in tables:
            wrong.append((key, of.dataset, tables))
    assert wrong == []
    for of in known.values():
        assert of.estimand in names or not of.estimand
        assert (of.estimand == "") <= (of.kind not in (analysed.MAIN, analysed.SENSITIVITY))
        assert of.variable in {column.name for column in TABLES[of.dataset.lower()].columns}
    # of forms of the syndrome, and of curves, not every study has results; of what arrived those of own data
    few = (
        "arrived.",
        "operating.observed.",
        "follow_up.",
        "remission.subgroup.",
        "ttr.",
        "safety.rate",
        "safety.lab.",
        "remission.upcr.month12",
    )
    dead = [one for one in known if one not in used and not one.startswith(few)]
    assert dead == []


def test_what_an_exhibit_does_not_say_stays_out():
    chapter = SimpleNamespace(stem="a", title="A")
    result = {"key": "b.msc.x", "value": None, "unit": "", "shown": '</script>"\u202e'}
    exhibit = {"key": "t", "kind": "table", "title": "<T>", "method": "", "population": ""}
    stated = [{"cell": 1, "exhibit": exhibit, "results": ["b.msc.x"], "functions": []}]
    records = {"a": {"results": {"b.msc.x": result}, "stated": stated}}
    made = standard.reporting_event("base", "x", [chapter], records)
    (analysis,) = json.loads(json.dumps(made))["analyses"]
    assert not {"dataset", "variable", "dataSubsetId", "analysisSetId"} & set(analysis)
    assert analysis["purpose"] == {"sponsorTermId": "Purpose.description"}
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
    for module in (standard, standard_keys, standard_parts, analysed):
        assert doctest.testmod(module).failed == 0
