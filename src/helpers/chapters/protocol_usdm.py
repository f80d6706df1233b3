"""The plan in the Unified Study Definitions Model (USDM v4): `protocol.usdm.json`, from protocol, estimands, criteria.

Nothing is typed here that they don't hold, but for what the model calls things. Registered text stands as registered;
what is ours (computable readings, windows, populations) is marked as an extension or named as the plan's. Controlled
terms are CDISC's published ones (`usdm_terms`); where there is none, the Code says so. Ids are made from the plan's own
names and numbers, so that they stay when texts and values move.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.chapters.acronyms import ACRONYMS
from helpers.chapters.usdm_terms import alias, code
from helpers.study.eligibility import CRITERIA
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS, INTERCURRENT_EVENTS, MISSING_DATA, Estimand
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, OUTCOMES, REGISTERED, TRIAL, VISITS, registered_text

USDM = "4.0.0"
SETS = {
    "Remission of proteinuria": "RANDFL",
    "Remission of proteinuria at month 12": "RANDFL",
    "Time to confirmed remission of proteinuria": "UPCRFL",
    "Time-weighted mean of UPCR": "RANDFL",
    "Course of UPCR": "RANDFL",
    "Remission of haematuria": "HEMFL",
    "Renal function improvement": "GFRFL",
}
"""Estimand -> flag of the analysis set that its population is drawn from; its own analysis population says the rest."""
SAME = "As the primary"
"""The population of an estimand that is another one's: that of the first."""
TITLES = ("Official", "Public")
"""Titles of the study: the registration gives one, which stands for both."""
NOT_GIVEN = "not given in the registration"
WHOLE = "RANDFL"
"""The analysis set of which the others are parts."""
OUTCOME_OF = {"Remission of haematuria": 1, "Renal function improvement": 2}
"""Estimand -> number of the registered outcome that it answers; proteinuria, 0, where nothing stands."""
LEVELS = {"primary": "Primary Endpoint", "secondary": "Secondary Endpoint"}
OBJECTIVES = {"primary": "Trial Primary Objective", "secondary": "Trial Secondary Objective"}
EPOCHS = (
    ("screening", "Screening Epoch"),
    ("treatment", "Treatment Epoch"),
    ("follow-up", "Follow-Up Epoch"),
)
AGES = (3, 12)
"""Of the registration's first criterion, in years."""
TYPES = {"placebo": "Placebo Control Arm", "msc": "Investigational Arm"}


def protocol(scenario: str, parameters: Mapping[str, Any]) -> dict:
    """The plan of a scenario as a USDM Wrapper, ready for JSON.

    scenario: its name, the version of the plan; parameters: those in force, by name, as JSON
    knows them.
    """
    p = Parameters.model_validate_json(json.dumps(dict(parameters)))
    return {
        "study": {
            "id": None,
            "name": TRIAL,
            "label": registered_text().splitlines()[0],
            "description": _after("Brief Summary"),
            "versions": [_version(scenario, p)],
            "documentedBy": [],
            "instanceType": "Study",
        },
        "usdmVersion": USDM,
        "systemName": "helpers.chapters.protocol_usdm",
    }


def _after(heading: str) -> str:
    """The registered line below a heading."""
    lines = registered_text().splitlines()
    return lines[lines.index(f"- {heading}") + 1].strip().removeprefix("- ")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _said(place: str, name: str, text: str) -> dict:
    """Something of ours that the model has no place for."""
    return {
        "id": f"{place}.{_slug(name)}",
        "url": f"urn:{TRIAL}:{_slug(name)}",
        "valueString": text,
        "instanceType": "ExtensionAttribute",
    }


def _chained(items: Sequence[dict]) -> list[dict]:
    """The items, each with the ids of the one before and the one after."""
    ids = [None, *(one["id"] for one in items), None]
    return [
        {**one, "previousId": before, "nextId": after}
        for one, before, after in zip(items, ids, ids[2:], strict=False)
    ]


def _version(scenario: str, p: Parameters) -> dict:
    sponsor = _after("Lead Sponsor")
    organisations = [
        {"id": "Organization.sponsor", "name": sponsor, "identifierScheme": "not registered",
         "identifier": "not registered", "type": code("Organization.sponsor.type", "C188724", "Healthcare Facility"),
         "instanceType": "Organization"},
        {"id": "Organization.registry", "name": "Trial registry", "identifierScheme": "registration number",
         "identifier": TRIAL, "type": code("Organization.registry.type", "C188724", "Study Registry"),
         "instanceType": "Organization"},
    ]  # fmt: skip
    role = {"id": "StudyRole.sponsor", "name": "Sponsor", "organizationIds": ["Organization.sponsor"],
            "appliesToIds": ["StudyVersion"],
            "code": code("StudyRole.sponsor.code", "C215480", "Clinical Study Sponsor"),
            "instanceType": "StudyRole"}  # fmt: skip
    design = next(words for item, words, _ in REGISTERED if item == "Design")
    blinded = {
        "id": "StudyRole.subject",
        "name": "Children of the study",
        "appliesToIds": ["StudyVersion"],
        "code": code("StudyRole.subject.code", "C215480", "Study Subject"),
        "masking": {
            "id": "StudyRole.subject.masking",
            "text": f"Registered: {design}. Who is blinded is not registered; single-blind is read as the children and "
            "their families, physicians not.",
            "isMasked": True,
            "instanceType": "Masking",
        },
        "instanceType": "StudyRole",
    }
    return {
        "id": "StudyVersion",
        "versionIdentifier": scenario,
        "rationale": _after("Brief Summary"),
        "studyIdentifiers": [
            {"id": f"StudyIdentifier.{scope}", "text": text, "scopeId": f"Organization.{scope}",
             "instanceType": "StudyIdentifier"}
            for scope, text in (("sponsor", NOT_GIVEN), ("registry", TRIAL))
        ],
        "titles": [
            {"id": f"StudyTitle.{kind.lower()}", "text": registered_text().splitlines()[0],
             "type": code(f"StudyTitle.{kind.lower()}.type", "C207419", f"{kind} Study Title"),
             "instanceType": "StudyTitle"}
            for kind in TITLES
        ],
        "organizations": organisations,
        "roles": [role, blinded],
        "abbreviations": [
            {"id": f"Abbreviation.{short}", "abbreviatedText": short, "expandedText": long,
             "instanceType": "Abbreviation"}
            for short, long in ACRONYMS
        ],
        "studyInterventions": _interventions(p),
        "eligibilityCriterionItems": [
            {"id": f"EligibilityCriterionItem.{one.id}", "name": one.id, "text": one.registered,
             "instanceType": "EligibilityCriterionItem"}
            for one in CRITERIA
        ],
        "studyDesigns": [_design(p)],
        "instanceType": "StudyVersion",
    }  # fmt: skip


def _interventions(p: Parameters) -> list[dict]:
    told = (
        ("msc", "hUC-MSC", "Protocol Agent", "Biological Agent"),
        ("placebo", "Normal saline", "Placebo", "Pharmacologic Substance"),
        (
            "conventional",
            "Conventional symptomatic supportive treatment",
            "Background Treatment",
            "not registered",
        ),
    )
    found = [
        {"id": f"StudyIntervention.{key}", "name": name, "codes": [],
         "role": code(f"StudyIntervention.{key}.role", "C207417", role),
         "type": code(f"StudyIntervention.{key}.type", "C99078", kind), "instanceType": "StudyIntervention"}
        for key, name, role, kind in told
    ]  # fmt: skip
    dose = f"two infusions of {p.cells_per_kg!r} cells per kg, {p.infusion_gap} days apart"
    found[0]["extensionAttributes"] = [_said("StudyIntervention.msc", "planned dose", dose)]
    return found


def _design(p: Parameters) -> dict:
    registered = {item: text for item, text, _ in REGISTERED}
    timeline = _timeline(p)
    return {
        "id": "InterventionalStudyDesign",
        "name": "Parallel, randomised, single-blind",
        "description": registered["Design"],
        "rationale": registered["Aim"],
        "studyType": code("InterventionalStudyDesign.studyType", "C99077", "Interventional Study"),
        "model": code("InterventionalStudyDesign.model", "C99076", "Parallel Study"),
        "subTypes": [
            code("InterventionalStudyDesign.subType.1", "C66739", "Safety Study"),
            code("InterventionalStudyDesign.subType.2", "C66739", "Efficacy Study"),
        ],
        "intentTypes": [code("InterventionalStudyDesign.intentType", "C66736", "Treatment Study")],
        "characteristics": [
            code("InterventionalStudyDesign.characteristic", "C207416", "Randomized Controlled Clinical Trial")
        ],
        "blindingSchema": alias("InterventionalStudyDesign.blinding", "C66735", "Single Blind Study"),
        "arms": [_arm(arm) for arm in ARMS],
        "epochs": _epochs(),
        "elements": _elements(),
        "studyCells": [
            {"id": f"StudyCell.{key}.{epoch}", "armId": f"StudyArm.{key}", "epochId": f"StudyEpoch.{epoch}",
             "elementIds": [f"StudyElement.{_element(key, epoch)}"], "instanceType": "StudyCell"}
            for key in ARM_KEY.values() for epoch, _ in EPOCHS
        ],
        "studyInterventionIds": [f"StudyIntervention.{key}" for key in ("msc", "placebo", "conventional")],
        "indications": [
            {"id": "Indication", "name": _after("Conditions"), "codes": [], "isRareDisease": True,
             "extensionAttributes": [_said("Indication", "code", "none of the terminologies used here has one")],
             "instanceType": "Indication"}
        ],
        "encounters": timeline.pop("encounters"),
        "activities": _activities(),
        "scheduleTimelines": [timeline],
        "objectives": _objectives(),
        "estimands": [_estimand(one) for one in ESTIMANDS],
        "analysisPopulations": [
            {"id": f"AnalysisPopulation.{flag}", "name": flag, "label": name, "text": text,
             "description": f"used for: {use}",
             "subsetOfIds": ["StudyDesignPopulation" if flag == WHOLE else f"AnalysisPopulation.{WHOLE}"],
             "instanceType": "AnalysisPopulation"}
            for name, flag, text, use in ANALYSIS_SETS
        ] + [_population_of(one) for one in ESTIMANDS if one.population != SAME],
        "population": _population(p),
        "eligibilityCriteria": _criteria(),
        "extensionAttributes": [_said("InterventionalStudyDesign", "missing data", MISSING_DATA)],
        "instanceType": "InterventionalStudyDesign",
    }  # fmt: skip


def _arm(arm: str) -> dict:
    key = ARM_KEY[arm]
    return {"id": f"StudyArm.{key}", "name": arm, "type": code(f"StudyArm.{key}.type", "C174222", TYPES[key]),
            "dataOriginDescription": "collected in the trial, as planned",
            "dataOriginType": code(f"StudyArm.{key}.origin", "C188727", "Data Generated Within Study"),
            "populationIds": ["StudyDesignPopulation"], "instanceType": "StudyArm"}  # fmt: skip


def _epochs() -> list[dict]:
    return _chained(
        [{"id": f"StudyEpoch.{key}", "name": key, "type": code(f"StudyEpoch.{key}.type", "C99079", term),
          "instanceType": "StudyEpoch"} for key, term in EPOCHS]
    )  # fmt: skip


def _element(arm: str, epoch: str) -> str:
    """Arms differ in the treatment epoch alone."""
    return f"treatment-{arm}" if epoch == "treatment" else epoch


def _elements() -> list[dict]:
    names = dict.fromkeys(_element(key, epoch) for epoch, _ in EPOCHS for key in ARM_KEY.values())
    found = []
    for name in names:
        given = [f"StudyIntervention.{name.partition('-')[2]}"] if name.startswith("treatment") else []
        with_it = [*given, "StudyIntervention.conventional"] if name != "screening" else []
        found.append({"id": f"StudyElement.{name}", "name": name, "studyInterventionIds": with_it,
                      "instanceType": "StudyElement"})  # fmt: skip
    return found


def _activities() -> list[dict]:
    told = [("eligibility", "All criteria", ""), ("infusion", "Infusion of hUC-MSC or saline", "")]
    told += [(f"outcome-{k}", name, text) for k, (_, name, text) in enumerate(OUTCOMES, 1)]
    told += [("adverse-events", "Adverse events", "")]
    return _chained(
        [{"id": f"Activity.{key}", "name": name, **({"description": text} if text else {}), "instanceType": "Activity"}
         for key, name, text in told]
    )  # fmt: skip


def _timeline(p: Parameters) -> dict:
    """The one timeline, with the encounters of the design. Time zero is the last infusion, as registered."""
    outcomes = [f"Activity.outcome-{k}" for k in range(1, len(OUTCOMES) + 1)]
    seen = [*outcomes, "Activity.adverse-events"]
    # key, name, epoch, activities, days from the one that it is timed by, which one, half-width of the window
    rows: list[tuple[str, str, str, list[str], int, str, int | None]] = [
        ("screening", "Screening", "screening", ["Activity.eligibility", *outcomes], -p.days_to_randomisation,
         "randomisation", None),
        ("randomisation", "Randomisation", "screening", outcomes, -p.days_to_infusion, "infusion-1", None),
        ("infusion-1", "First infusion", "treatment", ["Activity.infusion", "Activity.adverse-events"],
         -p.infusion_gap, "infusion-2", None),
        ("infusion-2", "Last infusion", "treatment", ["Activity.infusion", "Activity.adverse-events"], 0, "infusion-2",
         None),
    ]  # fmt: skip
    rows += [
        (_slug(v.name), v.name, "follow-up", seen, v.day, "infusion-2", p.visit_window(v.day)) for v in VISITS
    ]
    encounters, instances, timings = [], [], []
    for (key, name, epoch, activities, days, to, window), following in zip(
        rows, [*rows[1:], None], strict=True
    ):
        encounters.append(
            {"id": f"Encounter.{key}", "name": name, "type": code(f"Encounter.{key}.type", "C188728", "Visit"),
             "scheduledAtId": f"Timing.{key}", "instanceType": "Encounter"}
        )  # fmt: skip
        leads = {"timelineExitId": "ScheduleTimelineExit"}
        if following is not None:
            leads = {"defaultConditionId": f"ScheduledActivityInstance.{following[0]}"}
        instances.append(
            {"id": f"ScheduledActivityInstance.{key}", "name": name, "epochId": f"StudyEpoch.{epoch}",
             "activityIds": activities, "encounterId": f"Encounter.{key}", **leads,
             "instanceType": "ScheduledActivityInstance"}
        )  # fmt: skip
        kind = "Fixed Reference" if not days and to == key else "Before" if days < 0 else "After"
        timing = {
            "id": f"Timing.{key}", "name": name, "value": f"P{abs(days)}D", "valueLabel": f"{abs(days)} days",
            "type": code(f"Timing.{key}.type", "C201264", f"{kind} Timing Type"),
            "relativeToFrom": code(f"Timing.{key}.relative", "C201265", "Start to Start"),
            "relativeFromScheduledInstanceId": f"ScheduledActivityInstance.{key}",
            "relativeToScheduledInstanceId": f"ScheduledActivityInstance.{to}", "instanceType": "Timing",
        }  # fmt: skip
        if window is not None:
            label = f"{window} days before to {window} days after, a choice of this plan"
            timing |= {"windowLower": f"P{window}D", "windowUpper": f"P{window}D", "windowLabel": label}
        timings.append(timing)
    return {
        "id": "ScheduleTimeline",
        "name": "Main timeline",
        "mainTimeline": True,
        "entryCondition": "Consent",
        "entryId": instances[0]["id"],
        "exits": [{"id": "ScheduleTimelineExit", "instanceType": "ScheduleTimelineExit"}],
        "timings": timings,
        "instances": instances,
        "instanceType": "ScheduleTimeline",
        "encounters": _chained(encounters),
    }


def _objectives() -> list[dict]:
    """The registered outcomes, each with the endpoints of the estimands that answer it."""
    found = []
    for k, (level, name, text) in enumerate(OUTCOMES):
        mine = [one for one in ESTIMANDS if OUTCOME_OF.get(one.name, 0) == k]
        place = f"Objective.{k + 1}"
        found.append(
            {"id": place, "name": name, "text": text, "level": code(f"{place}.level", "C188725", OBJECTIVES[level]),
             "endpoints": [_endpoint(one) for one in mine], "instanceType": "Objective"}
        )  # fmt: skip
    return [*found, _safety(f"Objective.{len(found) + 1}")]


def _safety(place: str) -> dict:
    """What the registration names as its aim and has no outcome for: no level of an objective is claimed for it."""
    aim, where = next((words, source) for item, words, source in REGISTERED if item == "Aim")
    endpoint = {
        "id": "Endpoint.safety",
        "name": "Adverse events and laboratory safety",
        "text": "Adverse events from the first infusion on by term, severity, seriousness and relatedness, and the "
        "worst laboratory values, by treatment received.",
        "purpose": "Safety",
        "description": "a reading of ours: described, with intervals, and not tested",
        "level": code("Endpoint.safety.level", "C188726", "not registered"),
        "instanceType": "Endpoint",
    }
    return {
        "id": place,
        "name": "Safety",
        "text": f'The registration gives "{aim}" as its aim ({where}) and registers no outcome for safety.',
        "level": code(f"{place}.level", "C188725", "not registered"),
        "endpoints": [endpoint],
        "instanceType": "Objective",
    }


def _endpoint(one: Estimand) -> dict:
    place, rank = f"Endpoint.{_slug(one.name)}", re.split(r"\W", one.role)[0]
    return {"id": place, "name": one.name, "text": one.variable, "purpose": "Efficacy", "description": one.role,
            "level": code(f"{place}.level", "C188726", LEVELS.get(rank, rank)), "instanceType": "Endpoint"}  # fmt: skip


def _population_of(one: Estimand) -> dict:
    """The population of an estimand, in its own words: of which analysis set it is a part."""
    return {
        "id": f"AnalysisPopulation.{_slug(one.name)}",
        "name": f"Population of the estimand {one.name}",
        "text": one.population,
        "subsetOfIds": [f"AnalysisPopulation.{SETS[one.name]}"],
        "instanceType": "AnalysisPopulation",
    }


def _estimand(one: Estimand) -> dict:
    key = _slug(one.name)
    place, events = f"Estimand.{key}", []
    for k, (event, strategy, _, words) in enumerate(INTERCURRENT_EVENTS, 1):
        mine = one.strategy(event, strategy)
        events.append(
            {"id": f"IntercurrentEvent.{key}.{k}", "name": event.partition(" (")[0], "text": event, "description": words
             if mine == strategy else mine, "strategy": mine.partition(":")[0], "instanceType": "IntercurrentEvent"}
        )  # fmt: skip
    beyond = {"missing data": one.missing, "sensitivity": one.sensitivity,
              "supplementary": one.supplementary, "role": one.role}  # fmt: skip
    population = ESTIMANDS[0] if one.population == SAME else one
    return {
        "id": place,
        "name": one.name,
        "populationSummary": one.summary,
        "analysisPopulationId": f"AnalysisPopulation.{_slug(population.name)}",
        "interventionIds": [f"StudyIntervention.{key}" for key in ("msc", "placebo", "conventional")],
        "variableOfInterestId": f"Endpoint.{key}",
        "intercurrentEvents": events,
        "extensionAttributes": [_said(place, name, text) for name, text in beyond.items() if text],
        "instanceType": "Estimand",
    }


def _population(p: Parameters) -> dict:
    place, ends = "StudyDesignPopulation", []
    for name, years in zip(("minimum", "maximum"), AGES, strict=True):
        unit = alias(f"{place}.{name}.unit", "C71620", "Year")
        ends.append({"id": f"{place}.{name}", "value": years, "unit": unit, "instanceType": "Quantity"})
    return {
        "id": place,
        "name": "Children as selected by the criteria",
        "includesHealthySubjects": False,
        "plannedEnrollmentNumber": {"id": f"{place}.number", "value": p.n_randomised, "instanceType": "Quantity"},
        "plannedSex": [code(f"{place}.sex.{term.lower()}", "C66732", term) for term in ("Male", "Female")],
        "plannedAge": {"id": f"{place}.age", "minValue": ends[0], "maxValue": ends[1], "isApproximate": False,
                       "instanceType": "Range"},
        "criterionIds": [f"EligibilityCriterion.{one.id}" for one in CRITERIA],
        "instanceType": "StudyDesignPopulation",
    }  # fmt: skip


def _criteria() -> list[dict]:
    found = []
    for one in CRITERIA:
        place = f"EligibilityCriterion.{one.id}"
        ours = {
            "computable reading": one.reading,
            "reads": ", ".join(one.reads),
            "unknown where": one.unknown,
        }
        found.append(
            {"id": place, "name": one.id, "identifier": one.id,
             "category": code(f"{place}.category", "C66797", f"{one.category.capitalize()} Criteria"),
             "criterionItemId": f"EligibilityCriterionItem.{one.id}",
             "extensionAttributes": [_said(place, name, text) for name, text in ours.items()],
             "instanceType": "EligibilityCriterion"}
        )  # fmt: skip
    return _chained(found)
