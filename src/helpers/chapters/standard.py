"""All named results in the CDISC Analysis Results Standard v1, from what exhibits and estimands say of themselves.

An exhibit is an Output, its method an AnalysisMethod, its population an AnalysisSet. Named results whose keys differ
in the arm or in the last word are one Analysis: `remission.primary.msc.share` is the operation `share` of the analysis
`remission.primary`, of the group `msc`. Ids are made from keys alone, so that they stay when values move. What an
exhibit does not say stays out: no data set where its method names none, no purpose where no estimand ranks it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS
from helpers.study.protocol import ARM_KEY, TRIAL

BEHIND = {
    "remission.primary": "Remission of proteinuria",
    "remission.primary.evaluable": None,
    "remission.sequence.confirmed": "Remission of proteinuria",
    "remission.sequence.weighted": "Time-weighted mean of UPCR",
    "remission.sequence.month12": "Remission of proteinuria at month 12",
    "remission.hem.confirmed": "Remission of haematuria",
    "remission.gfr.confirmed": "Renal function improvement",
    "ttr.confirmed": "Time to confirmed remission of proteinuria",
}
"""Beginnings of result keys, with the estimand that they answer; the longest beginning counts."""

PURPOSES = {"primary": "PRIMARY OUTCOME MEASURE", "secondary": "SECONDARY OUTCOME MEASURE"}
"""The first word of an estimand's role -> term of the standard."""
OWN_PURPOSES = {
    "Purpose.supportive": "SUPPORTIVE OF AN ESTIMAND",
    "Purpose.unranked": "NOT RANKED BY AN ESTIMAND",
}
CSV, PNG = "FileType.csv", "FileType.png"
ARM = "Grouping.TRT01P"
ALONE = "value"
"""The operation of a key that ends with the arm."""


def reporting_event(
    scenario: str,
    about: str,
    chapters: Iterable[Any],
    records: Mapping[str, Mapping[str, Any]],
    nature: str = "All data are synthetic.",
) -> dict[str, Any]:
    """A scenario's report as a ReportingEvent, ready for JSON.

    Parameters
    ----------
    scenario : the scenario's name
    about : what it assumes, in a sentence
    chapters : in their order, each with `stem` and `title`
    records : of each chapter `results` (key -> value, unit, shown) and `stated` (`build.origins.stated`)
    nature : what the data are, in a sentence
    """
    event = _Event()
    contents = []
    for order, chapter in enumerate(chapters, 1):
        record = records.get(chapter.stem, {})
        items = event.chapter(chapter, record.get("results", {}), record.get("stated", ()))
        contents.append({"name": chapter.title, "level": 1, "order": order, "sublist": {"listItems": items}})
    return {
        "id": f"{TRIAL}.{scenario}",
        "name": f"{TRIAL}, scenario {scenario}",
        "description": f"{nature} {about}",
        "mainListOfContents": {
            "name": "Chapters, outputs, analyses",
            "contentsList": {"listItems": contents},
        },
        "analysisSets": _ordered(event.sets),
        "dataSubsets": _ordered(event.subsets),
        "analysisGroupings": [_arms()],
        "methods": list(event.methods.values()),
        "analyses": list(event.analyses.values()),
        "outputs": event.outputs,
        "terminologyExtensions": [
            _terms("AnalysisPurposeEnum", OWN_PURPOSES),
            _terms("OutputFileTypeEnum", {CSV: "csv", PNG: "png"}),
        ],
    }


class _Event:
    """The parts of a reporting event while chapters are added to it."""

    def __init__(self) -> None:
        self.sets: dict[str, dict] = {}
        self.subsets: dict[str, dict] = {}
        self.methods: dict[str, dict] = {}
        self.analyses: dict[str, dict] = {}
        self.outputs: list[dict] = []

    def chapter(self, chapter: Any, results: Mapping[str, dict], stated: Sequence[dict]) -> list[dict]:
        """Add a chapter's exhibits and results; gives its entries in the list of contents."""
        items: list[dict] = []
        told: set[str] = set()
        # an exhibit says more of a result than the sentence that quotes it
        for one in sorted(stated, key=lambda one: one["exhibit"] is None):
            fresh = {key: results[key] for key in one["results"] if key in results and key not in told}
            told |= set(fresh)
            exhibit = one["exhibit"]
            if exhibit is None and not fresh:
                continue
            place = f"{chapter.stem}.{exhibit['key']}" if exhibit else f"{chapter.stem}.sentences"
            name = exhibit["title"] if exhibit else f"Stated in a sentence of the chapter {chapter.title}"
            found = self.analyse(place, name, exhibit or {}, fresh, one["functions"])
            listed = [
                _item(self.analyses[key]["name"], 3, k, analysisId=key) for k, key in enumerate(found, 1)
            ]
            entry = _item(name, 2, len(items) + 1, sublist={"listItems": listed})
            if exhibit:
                self.outputs.append(_output(chapter.stem, place, exhibit))
                entry["outputId"] = self.outputs[-1]["id"]
            items.append(entry)
        return items

    def analyse(
        self, place: str, name: str, exhibit: Mapping[str, Any], results: Mapping[str, dict], functions: list
    ) -> list[str]:
        """Add the analyses of some results that one exhibit, or one sentence, states; gives their ids."""
        found: dict[str, None] = {}
        for key, result in results.items():
            topic, operation, arm = parts(key)
            method = self.method(place, exhibit.get("method") or name, operation, result.get("unit", ""))
            analysis = self.analyses.setdefault(
                f"Analysis.{place}.{topic}",
                {
                    "id": f"Analysis.{place}.{topic}",
                    "name": f"{name}: {topic}",
                    "reason": {"controlledTerm": "SPECIFIED IN SAP"},
                    "purpose": purpose(topic),
                    "methodId": method["id"],
                    **self.about(exhibit),
                    "programmingCode": {"context": "Python", "code": "\n".join(one[0] for one in functions)},
                    "results": [],
                },
            )
            told = {"operationId": f"{method['id']}.{operation}", "formattedValue": str(result["shown"])}
            if result["value"] is not None:
                told["rawValue"] = _raw(result["value"])
            if arm:
                analysis["orderedGroupings"] = [{"order": 1, "groupingId": ARM, "resultsByGroup": True}]
                told["resultGroups"] = [{"groupingId": ARM, "groupId": f"{ARM}.{arm}"}]
            analysis["results"].append(told)
            found[analysis["id"]] = None
        return list(found)

    def method(self, place: str, text: str, operation: str, unit: str) -> dict:
        """An exhibit's method, with an operation added where it is new; its label is the unit of all its values."""
        made = self.methods.setdefault(
            f"Method.{place}", {"id": f"Method.{place}", "name": text, "operations": []}
        )
        known = {one["name"]: one for one in made["operations"]}
        if operation not in known:
            label = {"label": unit} if unit else {}
            made["operations"].append(
                {"id": f"{made['id']}.{operation}", "name": operation, "order": len(known) + 1, **label}
            )
        elif known[operation].get("label", "") != unit:
            known[operation].pop("label", None)
        return made

    def about(self, exhibit: Mapping[str, Any]) -> dict[str, str]:
        """Analysis set, data set, subset and variable of an exhibit, as far as its notes name them."""
        out = {}
        population = exhibit.get("population")
        if population:
            known = named_set(population)
            label = known or {"id": f"Set.{slug(population)}", "name": population}
            self.sets.setdefault(label["id"], label)
            out["analysisSetId"] = label["id"]
        named = sources(exhibit.get("method", ""))
        if len(named) == 1 or sum(bool(codes) for codes in named.values()) == 1:
            dataset = next((name for name, codes in named.items() if codes), next(iter(named)))
            out["dataset"] = dataset
            variables = [code for code in named[dataset] if code in columns(dataset)]
            if len(variables) == 1:
                out["variable"] = variables[0]
        conditions = [
            {
                "dataset": dataset,
                "variable": "PARAMCD",
                "comparator": "IN" if len(kept) > 1 else "EQ",
                "value": kept,
            }
            for dataset, codes in named.items()
            if (kept := [code for code in codes if code not in columns(dataset)])
            and "PARAMCD" in columns(dataset)
        ]
        if conditions:
            words = [f"{one['dataset']}.{'-'.join(one['value'])}" for one in conditions]
            subset: dict[str, Any] = {"id": "Subset." + "_".join(words), "name": " or ".join(words)}
            if len(conditions) == 1:
                subset["condition"] = conditions[0]
            else:
                clauses = [{"level": 2, "order": k, "condition": c} for k, c in enumerate(conditions, 1)]
                subset["compoundExpression"] = {"logicalOperator": "OR", "whereClauses": clauses}
            self.subsets.setdefault(subset["id"], subset)
            out["dataSubsetId"] = subset["id"]
        return out


def parts(key: str) -> tuple[str, str, str]:
    """(topic, operation, arm) of a result's key; no arm is an empty text.

    >>> parts("remission.primary.msc.share"), parts("remission.ever.placebo"), parts("b.n")
    (('remission.primary', 'share', 'msc'), ('remission.ever', 'value', 'placebo'), ('b', 'n', ''))
    """
    words = key.split(".")
    arm = next((word for word in words[1:] if word in ARM_KEY.values()), "")
    rest = [word for word in words if word != arm]
    if arm and words[-1] == arm:
        return ".".join(rest), ALONE, arm
    return ".".join(rest[:-1]) or rest[0], rest[-1], arm


def purpose(topic: str) -> dict[str, str]:
    """The standard's term for the role of the estimand that a topic answers, or our own where it has none.

    >>> purpose("remission.primary"), purpose("safety.any")
    ({'controlledTerm': 'PRIMARY OUTCOME MEASURE'}, {'sponsorTermId': 'Purpose.unranked'})
    """
    beginnings = [one for one in BEHIND if topic == one or topic.startswith(f"{one}.")]
    name = BEHIND[max(beginnings, key=len)] if beginnings else None
    if name is None:
        return {"sponsorTermId": "Purpose.unranked"}
    role = next(one.role for one in ESTIMANDS if one.name == name)
    term = PURPOSES.get(re.split(r"\W", role)[0])
    return {"controlledTerm": term} if term else {"sponsorTermId": "Purpose.supportive"}


def sources(method: str) -> dict[str, list[str]]:
    """The analysis tables that an exhibit's method names after the word source, each with what stands in brackets.

    >>> sources("a mean; source ADSL and ADLB (PROTCRT, AVALCAT1)")
    {'ADSL': [], 'ADLB': ['PROTCRT', 'AVALCAT1']}
    """
    _, found, text = method.partition("source ")
    if not found:
        return {}
    named = re.findall(r"\b(AD[A-Z]{2,6})\b(?: \(([A-Z0-9, ]+)\))?", text)
    return {name: codes.split(", ") if codes else [] for name, codes in named if name.lower() in TABLES}


def columns(dataset: str) -> set[str]:
    return {column.name for column in TABLES[dataset.lower()].columns}


def named_set(population: str) -> dict[str, Any] | None:
    """The analysis set of the plan that a population is; None where it is none, or only a part of one.

    >>> named_set("safety set, by treatment received")["id"], named_set("all randomised with a baseline")
    ('Set.SAFFL', None)
    """
    for name, flag, definition, _ in ANALYSIS_SETS:
        if re.match(rf"{re.escape(name)}( set)?\s*([,;(]|$)", population, re.IGNORECASE):
            condition = {"dataset": "ADSL", "variable": flag, "comparator": "EQ", "value": ["Y"]}
            return {"id": f"Set.{flag}", "name": name, "label": definition, "condition": condition}
    return None


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _raw(value: Any) -> str:
    """A value as text at full precision; yes and no as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _item(name: str, level: int, order: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "level": level, "order": order, **more}


def _ordered(found: Mapping[str, dict]) -> list[dict]:
    return [{**one, "level": 1, "order": order} for order, one in enumerate(found.values(), 1)]


def _arms() -> dict[str, Any]:
    groups = [
        {
            "id": f"{ARM}.{key}",
            "name": arm,
            "level": 1,
            "order": order,
            "condition": {"dataset": "ADSL", "variable": "TRT01P", "comparator": "EQ", "value": [arm]},
        }
        for order, (arm, key) in enumerate(ARM_KEY.items(), 1)
    ]
    return {
        "id": ARM,
        "name": "Arm, as randomised",
        "dataDriven": False,
        "groupingDataset": "ADSL",
        "groupingVariable": "TRT01P",
        "groups": groups,
    }


def _terms(enumeration: str, terms: Mapping[str, str]) -> dict[str, Any]:
    words = [{"id": key, "submissionValue": value} for key, value in terms.items()]
    return {"id": f"Terms.{enumeration}", "enumeration": enumeration, "sponsorTerms": words}


def _output(stem: str, place: str, exhibit: Mapping[str, Any]) -> dict[str, Any]:
    """An exhibit as an Output: its title, notes and files."""
    notes = [exhibit.get("caption")]
    notes += [f"Population: {exhibit['population']}"] if exhibit.get("population") else []
    notes += [f"n = {exhibit['n']}"] if exhibit.get("n") else []
    notes += [f"Conventions: {', '.join(exhibit['conventions'])}"] if exhibit.get("conventions") else []
    sections = [("Title", [exhibit["title"]]), ("Footnote", [note for note in notes if note])]
    shown = [
        {
            "sectionType": kind,
            "orderedSubSections": [
                {"order": k, "subSection": {"id": f"Display.{place}.{kind}.{k}", "text": text}}
                for k, text in enumerate(texts, 1)
            ],
        }
        for kind, texts in sections
        if texts
    ]
    file = f"exhibits/{stem}/{exhibit['key']}"
    kinds = [(CSV, "csv"), *([(PNG, "png")] if exhibit.get("kind") == "figure" else [])]
    return {
        "id": f"Output.{place}",
        "name": exhibit["title"],
        "fileSpecifications": [
            {
                "name": f"{exhibit['key']}.{end}",
                "location": f"{file}.{end}",
                "fileType": {"sponsorTermId": kind},
            }
            for kind, end in kinds
        ],
        "displays": [
            {
                "order": 1,
                "display": {
                    "id": f"Display.{place}",
                    "name": exhibit["title"],
                    "displayTitle": exhibit["title"],
                    "displaySections": shown,
                },
            }
        ],
    }
