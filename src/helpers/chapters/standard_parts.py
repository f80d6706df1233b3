"""The parts of the Analysis Results Standard that an analysis refers to: sets, subsets, groupings, terms, documents.

Each is a plain dict, ready for JSON, with an id made of what it says. A set or a subset always has its condition: whom
no condition on the tables describes is no analysis set, and stands in an analysis' description.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.chapters.analysed import (
    DESCRIPTION,
    EXPLORATORY,
    MAIN,
    PLANNED,
    RECEIVED,
    REPEATED,
    SAFETY,
    SENSITIVITY,
    SUPPLEMENTARY,
    Analysed,
    Condition,
    allowed,
)
from helpers.chapters.words import capital
from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS
from helpers.study.protocol import ARM_KEY, TRIAL

Part = dict[str, Any]

PURPOSES = {"primary": "PRIMARY OUTCOME MEASURE", "secondary": "SECONDARY OUTCOME MEASURE"}
"""The first word of an estimand's role -> term of the standard for its main analysis."""
OWN_PURPOSES = {
    "Purpose.supportive": "SUPPORTIVE ANALYSIS",
    "Purpose.sensitivity": "SENSITIVITY ANALYSIS",
    "Purpose.supplementary": "SUPPLEMENTARY ANALYSIS",
    "Purpose.repeated": "ANALYSIS SHOWN AGAIN",
    "Purpose.safety": "SAFETY OUTCOME MEASURE",
    "Purpose.description": "DESCRIPTION OF CHILDREN, DATA AND CONDUCT",
    "Purpose.plan": "STATEMENT OF THE PLAN",
    "Purpose.model": "CALIBRATION OF THE SIMULATION",
    "Purpose.design": "OPERATING CHARACTERISTICS OF THE DESIGN",
    "Purpose.validation": "VALIDATION OF METHODS AND PROGRAMS",
}
"""Our terms, where the standard has none."""
OWN_REASONS = {"Reason.planning": "MADE TO PLAN AND CHECK THE TRIAL"}
"""The reason of what answers no question of the trial."""
CSV, PNG, HTML = "FileType.csv", "FileType.png", "FileType.html"
OWN_FILES = {CSV: "csv", PNG: "png", HTML: "html"}

SOURCES = {
    "Source.analysis": "Computed from an analysis data set",
    "Source.collected": "Computed from a table as collected, before any analysis data set",
    "Source.several": "Computed across all analysis data sets alike",
    "Source.plan": "Stated of the plan; computed from no data set",
    "Source.model": "Computed from the simulation's own model, beside published numbers; from no data set of the trial",
    "Source.design": "Computed from simulated trials, or exactly under their assumptions; from no data set of the "
    "trial",
    "Source.validation": "Computed from reference data, or from data whose truth is known; from no data set of the "
    "trial",
}
"""What an analysis was computed from: categories."""
BY_CHAPTER = {
    "00-plan": "plan",
    "08-operating": "design",
    "09-validation": "validation",
    "11-explore": "design",
}
"""Chapters without children of the trial: the last word of their source, and of their purpose."""
WITHOUT_CHILDREN = tuple(f"Source.{one}" for one in ("plan", "model", "design", "validation"))
"""Sources without a data set of the trial, and so without arms of children."""
MODELLED = ("01-screening", "03-follow-up")
"""Chapters that show the simulation's model beside their children."""

ORDERS = {"LT": "below", "LE": "at most", "GT": "above", "GE": "at least"}
"""Comparators of numbers in words."""

SCREENED = {
    "id": "Set.screened",
    "name": "All screened",
    "label": "Everyone screened: of whom the criteria were evaluated.",
    "condition": {"dataset": "ADIE", "variable": "USUBJID", "comparator": "NE", "value": [""]},
}
"""Children before selection: ADSL has the randomised alone."""


def condition(one: Condition) -> Part:
    """A condition on records."""
    several = len(one.values) > 1
    comparator = ("NOTIN" if several else "NE") if one.differs else "IN" if several else "EQ"
    return {
        "dataset": one.dataset,
        "variable": one.variable,
        "comparator": one.order or comparator,
        "value": list(one.values),
    }


def told(one: Condition) -> str:
    """The same in words.

    >>> told(Condition("ADLB", "PARAMCD", ("A", "B"))), told(Condition("ADSL", "UPCRBL", ("",), True))
    ('ADLB.PARAMCD is A or B', 'ADSL.UPCRBL is not missing')
    """
    words = " or ".join(value or "missing" for value in one.values)
    if one.order:
        return f"{one.dataset}.{one.variable} is {ORDERS[one.order]} {words}"
    return f"{one.dataset}.{one.variable} is {'not ' if one.differs else ''}{words}"


def analysis_set(flag: str, known: str = "", limit: Condition | None = None) -> Part:
    """The children with a flag in ADSL, of whom each has a variable of it, within a limit; no flag = all screened."""
    if not flag:
        return dict(SCREENED)
    name, _, definition, _ = next(one for one in ANALYSIS_SETS if one[1] == flag)
    mine = condition(Condition("ADSL", flag, ("Y",)))
    if not known:
        return {"id": f"Set.{flag}", "name": name, "label": definition, "condition": mine}
    meaning = next(column.meaning for column in TABLES["adsl"].columns if column.name == known)
    clauses = [
        {"level": 2, "order": 1, "subClauseId": f"Set.{flag}"},
        {"level": 2, "order": 2, "condition": condition(Condition("ADSL", known, ("",), True))},
    ]
    end, words = "", "known"
    if limit:
        clauses.append({"level": 2, "order": 3, "condition": condition(limit)})
        words = f"{ORDERS[limit.order]} {limit.values[0]}"
        end = f".{limit.order}-{limit.values[0]}"
    return {
        "id": f"Set.{flag}.{known}{end}",
        "name": f"{name}, with {meaning}{f' {words}' if limit else ''}",
        "label": f"{definition} Of these, children whose {known} is {words}.",
        "compoundExpression": {"logicalOperator": "AND", "whereClauses": clauses},
    }


def named_set(population: str) -> Part | None:
    """The analysis set of the plan that an exhibit's population is; None where it is none, or only a part of one.

    >>> named_set("safety set, by treatment received")["id"], named_set("all randomised with a baseline")
    ('Set.SAFFL', None)
    """
    for name, flag, _, _ in ANALYSIS_SETS:
        if re.match(rf"{re.escape(name)}( set)?\s*([,;(]|$)", population, re.IGNORECASE):
            return analysis_set(flag)
    return analysis_set("") if re.match(r"(all )?screened children$", population) else None


def subset(where: Sequence[Condition]) -> Part | None:
    """The records on which all of some conditions hold; None where there is no condition."""
    if not where:
        return None
    parts = []
    for one in where:
        values = "-".join(slug(value) if " " in value else value or "missing" for value in one.values)
        name = f"{one.dataset}.{'' if one.variable == 'PARAMCD' else f'{one.variable}.'}"
        parts.append(f"{name}{'not-' if one.differs else ''}{f'{one.order}-' if one.order else ''}{values}")
    made: Part = {"id": f"Subset.{'_'.join(parts)}", "name": " and ".join(map(told, where))}
    if len(where) == 1:
        return {**made, "condition": condition(where[0])}
    clauses = [{"level": 2, "order": k, "condition": condition(one)} for k, one in enumerate(where, 1)]
    return {**made, "compoundExpression": {"logicalOperator": "AND", "whereClauses": clauses}}


def arms(variable: str, otherwise: str = "") -> Part:
    """The arms as groups: as randomised, or as treated; otherwise: what they are where they are not the trial's.

    >>> arms("TRT01A")["name"], arms("TRT01P", "dummy arms")["name"]
    ('Treatment, as received', 'Dummy arms')
    """
    named = {PLANNED: "Arm, as randomised", RECEIVED: "Treatment, as received"}
    name = capital(otherwise) if otherwise else named[variable]
    return grouping(variable, name, {key: arm for arm, key in ARM_KEY.items()})


def subgroups(variable: str) -> Part:
    """The values of a variable of ADSL as groups."""
    column = next(column for column in TABLES["adsl"].columns if column.name == variable)
    values = allowed("adsl", variable)
    return grouping(variable, capital(column.meaning), {slug(value): value for value in values})


def grouping(variable: str, name: str, groups: Mapping[str, str]) -> Part:
    """A grouping by a variable of ADSL; groups: end of their ids -> value."""
    made = [
        {
            "id": f"Grouping.{variable}.{key}",
            "name": value,
            "level": 1,
            "order": order,
            "condition": condition(Condition("ADSL", variable, (value,))),
        }
        for order, (key, value) in enumerate(groups.items(), 1)
    ]
    return {
        "id": f"Grouping.{variable}",
        "name": name,
        "dataDriven": False,
        "groupingDataset": "ADSL",
        "groupingVariable": variable,
        "groups": made,
    }


def source(stem: str, of: Analysed | None, tables: Iterable[str], functions: Sequence[Sequence]) -> str:
    """The category of what an analysis was computed from."""
    known = [name for name in tables if name in TABLES]
    if of is not None:
        return "Source.analysis" if of.dataset.startswith("AD") else "Source.collected"
    if stem in MODELLED and any(one[0].split(".")[1] == "design" for one in functions):
        return "Source.model"
    if stem in BY_CHAPTER and not known:
        return f"Source.{BY_CHAPTER[stem]}"
    analysis = [name for name in known if name.startswith("ad")]
    if len(analysis) > 2:
        return "Source.several"
    return "Source.analysis" if analysis else "Source.collected"


def purpose(of: Analysed | None, origin: str) -> Part:
    """The term of the standard for what an analysis is for, or our own where it has none.

    >>> purpose(None, "Source.design")
    {'sponsorTermId': 'Purpose.design'}
    """
    if of is None or of.kind in (DESCRIPTION, SAFETY):
        own = of.kind if of else origin.partition(".")[2]
        return {
            "sponsorTermId": f"Purpose.{own}" if f"Purpose.{own}" in OWN_PURPOSES else "Purpose.description"
        }
    if of.kind == EXPLORATORY:
        return {"controlledTerm": "EXPLORATORY OUTCOME MEASURE"}
    if of.kind in (SENSITIVITY, SUPPLEMENTARY, REPEATED):
        return {"sponsorTermId": f"Purpose.{of.kind}"}
    role = re.split(r"\W", of.answers.role)[0] if of.answers and of.kind == MAIN else ""
    return {"controlledTerm": PURPOSES[role]} if role in PURPOSES else {"sponsorTermId": "Purpose.supportive"}


def reason(of: Analysed | None, origin: str, changed: bool = False) -> Part:
    """When an analysis was planned: changed = after the plan was signed, for a plan that then changed."""
    if changed:
        return {"controlledTerm": "DATA DRIVEN"}
    if origin in WITHOUT_CHILDREN:
        return {"sponsorTermId": "Reason.planning"}
    registered = of is not None and of.registered
    return {"controlledTerm": "SPECIFIED IN PROTOCOL" if registered else "SPECIFIED IN SAP"}


def terms(enumeration: str, found: Mapping[str, str]) -> Part:
    """Our terms of an extensible list."""
    words = [{"id": key, "submissionValue": value} for key, value in found.items()]
    return {"id": f"Terms.{enumeration}", "enumeration": enumeration, "sponsorTerms": words}


def categories() -> Part:
    """What analyses are computed from."""
    return {
        "id": "Categories.source",
        "label": "What an analysis was computed from",
        "categories": [{"id": key, "label": words} for key, words in SOURCES.items()],
    }


REGISTRATION, PLAN = "Document.registration", "Document.plan"


def documents(chapters: Iterable[Any], tail: str) -> list[Part]:
    """What analyses refer to: the registration, the plan, metadata, guide, and the notebooks that compute."""
    return [
        {
            "id": REGISTRATION,
            "name": f"Registration of {TRIAL}",
            "location": f"../../data/reference/{TRIAL}.txt",
        },
        {"id": PLAN, "name": "Analysis plan: chapter Plan", "location": f"00-plan{tail}.html"},
        {"id": "Document.usdm", "name": "The plan in the USDM", "location": "protocol.usdm.json"},
        {
            "id": "Document.define",
            "name": "Define-XML of the analysis data sets",
            "location": "adam/define.xml",
        },
        {"id": "Document.guide", "name": "Reviewer's guide", "location": f"reviewer{tail}.html"},
        *(
            {"id": notebook(one.stem), "name": f"Notebook of the chapter {one.title}", "location": place}
            for one in chapters
            for place in [f"../../notebooks/{one.stem}.ipynb"]
        ),
    ]


def notebook(stem: str) -> str:
    """The id of a chapter's notebook among the documents."""
    return f"Document.{stem}"


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
