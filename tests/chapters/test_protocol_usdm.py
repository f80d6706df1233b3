"""The plan in the USDM: everything of the plan once, ids that resolve, terms that are published or marked."""

import doctest
import json

import pytest

from helpers import ROOT
from helpers.chapters import protocol_usdm, usdm_terms
from helpers.study.eligibility import CRITERIA
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS, INTERCURRENT_EVENTS
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS, registered_text

SCHEMA = ROOT.parent / "shared" / "schemas" / "usdm-4-0.schema.json"


@pytest.fixture(scope="module")
def plan() -> dict:
    made = protocol_usdm.protocol("base", Parameters().model_dump(mode="json"))
    return json.loads(json.dumps(made, allow_nan=False))


@pytest.fixture(scope="module")
def version(plan) -> dict:
    return plan["study"]["versions"][0]


@pytest.fixture(scope="module")
def design(version) -> dict:
    return version["studyDesigns"][0]


def walk(node):
    """Every object below a JSON value."""
    if isinstance(node, dict):
        yield node
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(one)


def test_it_is_what_the_schema_says(plan):
    if not SCHEMA.is_file():
        pytest.skip("no ../shared/schemas here: the structure is checked by the other tests alone")
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text("utf-8"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(plan)] == []
    spoilt = json.loads(json.dumps(plan))
    del spoilt["study"]["versions"][0]["studyDesigns"][0]["arms"][0]["type"]
    assert list(Draft202012Validator(schema).iter_errors(spoilt))


def test_every_id_stands_once_and_every_reference_leads_to_one(plan):
    ids = [one["id"] for one in walk(plan) if one.get("id")]
    assert len(ids) == len(set(ids)) > 300
    asked = set()
    for one in walk(plan):
        for name, value in one.items():
            if name.endswith("Id") and value is not None:
                asked.add(value)
            if name.endswith("Ids"):
                asked |= set(value)
    assert asked
    assert asked <= set(ids)


def test_ids_stay_when_values_move(plan):
    other = Parameters(n_randomised=80, window_to_week_8=1, infusion_gap=21).model_dump(mode="json")
    moved = protocol_usdm.protocol("other", other)
    assert [one.get("id") for one in walk(moved)] == [one.get("id") for one in walk(plan)]
    assert moved != plan


def test_arms_visits_windows_and_times_are_the_plans(design):
    p = Parameters()
    assert [arm["name"] for arm in design["arms"]] == list(ARMS)
    assert len(design["studyCells"]) == len(ARMS) * len(design["epochs"]) == 6
    (timeline,) = design["scheduleTimelines"]
    timings = {one["name"]: one for one in timeline["timings"]}
    for visit in VISITS:
        window = p.visit_window(visit.day)
        found = timings[visit.name]
        assert (found["value"], found["type"]["code"]) == (f"P{visit.day}D", "C201356")
        assert found["windowLower"] == found["windowUpper"] == f"P{window}D"
        assert found["relativeToScheduledInstanceId"].endswith("infusion-2")
    assert timings["Last infusion"]["type"]["decode"] == "Fixed Reference Timing Type"
    assert timings["First infusion"]["value"] == f"P{p.infusion_gap}D"
    assert timings["First infusion"]["type"]["code"] == "C201357"
    # one chain from the entry to the exit
    follows = {one["id"]: one for one in timeline["instances"]}
    at, seen = timeline["entryId"], []
    while at is not None:
        seen.append(at)
        at = follows[at].get("defaultConditionId")
    assert len(seen) == len(follows) == 4 + len(VISITS)
    assert follows[seen[-1]]["timelineExitId"] == timeline["exits"][0]["id"]
    assert [one["name"] for one in design["encounters"]][4:] == [v.name for v in VISITS]
    assert design["encounters"][0]["previousId"] is None
    assert design["encounters"][0]["nextId"] == design["encounters"][1]["id"]


def test_the_criteria_are_registered_word_for_word_with_our_reading_beside_them(version, design):
    texts = {one["id"]: one["text"] for one in version["eligibilityCriterionItems"]}
    registered = registered_text()
    assert len(design["eligibilityCriteria"]) == 23
    for found, ours in zip(design["eligibilityCriteria"], CRITERIA, strict=True):
        text = texts[found["criterionItemId"]]
        assert text == ours.registered
        assert text in registered
        said = {one["url"].rpartition(":")[2]: one["valueString"] for one in found["extensionAttributes"]}
        assert said["computable-reading"] == ours.reading
        assert found["category"]["code"] == {"I": "C25532", "E": "C25370"}[ours.id[0]]
    assert design["population"]["criterionIds"] == [one["id"] for one in design["eligibilityCriteria"]]
    assert design["population"]["plannedEnrollmentNumber"]["value"] == Parameters().n_randomised


def test_estimands_have_their_events_and_strategies(design):
    assert [one["name"] for one in design["estimands"]] == [one.name for one in ESTIMANDS]
    endpoints = {one["id"]: one for objective in design["objectives"] for one in objective["endpoints"]}
    assert [one["purpose"] for one in endpoints.values()] == ["Efficacy"] * len(ESTIMANDS) + ["Safety"]
    populations = {one["id"]: one for one in design["analysisPopulations"]}
    for found, ours in zip(design["estimands"], ESTIMANDS, strict=True):
        assert endpoints[found["variableOfInterestId"]]["text"] == ours.variable
        assert [one["text"] for one in found["intercurrentEvents"]] == [
            event for event, *_ in INTERCURRENT_EVENTS
        ]
        strategies = [one["strategy"] for one in found["intercurrentEvents"]]
        planned = [strategy for _, strategy, *_ in INTERCURRENT_EVENTS]
        for k, (event, *_) in enumerate(INTERCURRENT_EVENTS):
            own = next(
                (
                    mine
                    for start, mine in (("Rescue", ours.rescue), ("Death", ours.terminal))
                    if event.startswith(start)
                ),
                planned[k],
            )
            assert strategies[k] == own.partition(":")[0], event
        beyond = {one["id"]: one["valueString"] for one in found["extensionAttributes"]}
        place = found["id"]
        # the model's population summary is the population-level summary of ICH E9(R1), no text on the population
        assert found["populationSummary"] == ours.summary
        wanted = ESTIMANDS[0].population if ours.population == protocol_usdm.SAME else ours.population
        assert populations[found["analysisPopulationId"]]["text"] == wanted
        assert beyond[f"{place}.missing-data"] == ours.missing
        assert all(name.startswith(f"{place}.") for name in beyond)
    flags = [flag for _, flag, *_ in ANALYSIS_SETS]
    assert [one["name"] for one in design["analysisPopulations"]][: len(flags)] == flags
    # a set is a part of another one, and in the end of the population
    whole = {one["id"]: one["subsetOfIds"] for one in design["analysisPopulations"]}
    for parts in whole.values():
        above = 0
        while parts != [design["population"]["id"]]:
            (parts,) = [whole[one] for one in parts]
            above += 1
        assert above <= 2
    for estimand in design["estimands"]:
        names = [one["name"] for one in estimand["intercurrentEvents"]]
        assert len(set(names)) == len(INTERCURRENT_EVENTS)
        assert not any(name[-1].isdigit() for name in names), "a name and no number"


def test_the_study_has_an_official_title_a_sponsors_identifier_both_sexes_and_who_is_blinded(version, design):
    titles = [one["type"]["decode"] for one in version["titles"]]
    assert titles.count("Official Study Title") == 1
    (role,) = [one for one in version["roles"] if one["code"]["decode"] == "Clinical Study Sponsor"]
    (sponsor,) = role["organizationIds"]
    (identifier,) = [one for one in version["studyIdentifiers"] if one["scopeId"] == sponsor]
    assert identifier["text"] == protocol_usdm.NOT_GIVEN
    assert [one["code"] for one in design["population"]["plannedSex"]] == ["C20197", "C16576"]
    assert design["blindingSchema"]["standardCode"]["decode"] == "Single Blind Study"
    (masked,) = [one for one in version["roles"] if one.get("masking")]
    assert masked["masking"]["isMasked"]


def test_a_term_is_published_or_marked_never_invented(plan):
    published = {(code, term) for _, code, term in usdm_terms.PUBLISHED}
    assert len({code for _, code, _ in usdm_terms.PUBLISHED}) == len(usdm_terms.PUBLISHED)
    codes = [one for one in walk(plan) if one.get("instanceType") == "Code"]
    marked = {one["decode"] for one in codes if one["code"] == usdm_terms.NONE}
    assert marked == {"supportive", "not registered"}
    for one in codes:
        if one["code"] != usdm_terms.NONE:
            assert (one["code"], one["decode"]) in published
            assert one["codeSystemVersion"] == usdm_terms.VERSION
    used = {one["code"] for one in codes} - {usdm_terms.NONE}
    assert used == {code for _, code, _ in usdm_terms.PUBLISHED}, "no term stands there unused"
    assert not doctest.testmod(usdm_terms).failed
