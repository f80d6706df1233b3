"""All named results in the CDISC Analysis Results Standard v1, from what exhibits and estimands say of themselves.

An exhibit is an Output; what it computes by arm, and what it computes across them, are its AnalysisMethods: one for
each set of statistics, so that each operation of a method has a result in each of its analyses. Named results whose
keys differ in the arm or in the last word are one Analysis: `remission.primary.msc.share` is the operation `share` of
the analysis `remission.primary`, of the group `msc`; numbers of simulated trials, which are of no child, have the arm
in the operation. Ids are made from keys alone, so that they stay when values move. Which data set, records, children
and estimand an analysis is about stands in `chapters.analysed`; for a result that it does not know, in the notes of
its exhibit and in the cells that lead there.
"""

import json
import platform
import re
from collections.abc import Iterable, Mapping
from typing import Any

from helpers.chapters import analysed
from helpers.chapters import standard_parts as parts_of
from helpers.chapters.analysed import PLANNED, Analysed
from helpers.chapters.standard_keys import ALONE, STATISTICS, operation_label, parts, unregistered
from helpers.chapters.standard_parts import CSV, HTML, OWN_FILES, OWN_PURPOSES, OWN_REASONS, PNG, Part, slug
from helpers.chapters.words import capital
from helpers.study.parameters import Parameters
from helpers.study.protocol import TRIAL

KEYS = "Keys of its results in results.json, in their order"
"""What leads from an analysis to the named results and back."""
ACROSS = "across"
"""What ends the id of an analysis, and of its method, whose results are of no arm where others are."""
FRACTIONS = (
    ("share", "n", "N"),
    ("share", "values", "planned"),
    ("share_eligible", "n_eligible", "n_screened"),
)
"""Operations, each with those that are its numerator and denominator."""


def reporting_event(
    scenario: str,
    about: str,
    chapters: Iterable[Any],
    records: Mapping[str, Mapping[str, Any]],
    nature: str = "All data are synthetic.",
    parameters: Mapping[str, Any] | None = None,
    changed: Iterable[str] = (),
    tail: str = "",
    arms: str = "",
) -> dict[str, Any]:
    """A scenario's report as a ReportingEvent, ready for JSON.

    Parameters
    ----------
    scenario : the scenario's name
    about : what it assumes, in a sentence
    chapters : in their order, each with `stem` and `title`
    records : of each chapter `results` (key -> value, unit, digits, shown), `stated` (`build.origins.stated`), and
        `exhibits` (key -> label, title), where there are any
    nature : what the data are, in a sentence
    parameters : those in force, by name, as JSON; the plan's own where there are none
    changed : stems of chapters whose plan changed after it was signed and the arms were known
    tail : what the names of the report's files end with, before the dot
    arms : what the arms are where they are not the trial's, such as "dummy arms"
    """
    plan = Parameters.model_validate_json(json.dumps(dict(parameters or {})))
    event, chapters = _Event(analysed.register(plan), frozenset(changed), tail, arms), list(chapters)
    contents, listed = [], []
    for order, chapter in enumerate(chapters, 1):
        items = event.chapter(chapter, records.get(chapter.stem, {}))
        contents.append(_item(chapter.title, 1, order, sublist={"listItems": items}))
        listed += [{"name": one["name"], "outputId": one["outputId"]} for one in items if "outputId" in one]
    event.separate()
    return {
        "id": f"{TRIAL}.{scenario}",
        "name": f"{TRIAL}, scenario {scenario}",
        "description": f"{nature} {about}",
        "mainListOfContents": {
            "name": "Chapters, outputs, analyses",
            "contentsList": {"listItems": contents},
        },
        "otherListsOfContents": [
            {
                "name": "Outputs",
                "contentsList": {
                    "listItems": [{**one, "level": 1, "order": k} for k, one in enumerate(listed, 1)]
                },
            }
        ],
        "analysisSets": _ordered(event.sets),
        "dataSubsets": _ordered(event.subsets),
        "analysisGroupings": list(event.groupings.values()),
        "methods": list(event.methods.values()),
        "analyses": event.whole(),
        "outputs": event.outputs,
        "analysisOutputCategorizations": [parts_of.categories()],
        "referenceDocuments": parts_of.documents(chapters, tail),
        "terminologyExtensions": [
            parts_of.terms("AnalysisPurposeEnum", OWN_PURPOSES),
            parts_of.terms("AnalysisReasonEnum", OWN_REASONS),
            parts_of.terms("OutputFileTypeEnum", OWN_FILES),
        ],
    }


class _Event:
    """The parts of a reporting event while chapters are added to it."""

    def __init__(self, known: Mapping[str, Analysed], changed: frozenset[str], tail: str, arms: str) -> None:
        self.known, self.changed, self.tail, self.arms = known, changed, tail, arms
        self.sets: dict[str, Part] = {}
        self.subsets: dict[str, Part] = {}
        self.groupings: dict[str, Part] = {}
        self.methods: dict[str, Part] = {}
        self.analyses: dict[str, Part] = {}
        self.outputs: list[Part] = []
        self.named: dict[str, list[str]] = {}
        self.first: dict[str, str] = {}
        self.again: dict[str, str] = {}
        self.shown: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def whole(self) -> list[Part]:
        """The analyses, each with the keys that `results.json` has for its results, and the one that it repeats."""
        made = []
        for key, one in self.analyses.items():
            end = f".{ACROSS}" if key.endswith(f".{ACROSS}") else ""
            first = self.first.get(f"{self.again.get(key, '')}{end}") or self.first.get(
                self.again.get(key, "")
            )
            words = f" The same analysis as {first}, shown again." if first else ""
            told = f"{one['description']}{words} {KEYS}: {', '.join(self.named[key])}."
            made.append({**one, "description": told})
        return made

    def separate(self) -> None:
        """Give each method the operations that its analyses have results of: one method a set of statistics."""
        sets: dict[str, dict[tuple[str, ...], list[str]]] = {}
        for key, one in self.analyses.items():
            names = tuple(dict.fromkeys(each["operationId"] for each in one["results"]))
            sets.setdefault(one["methodId"], {}).setdefault(tuple(sorted(names)), []).append(key)
        for whole, found in sets.items():
            made = self.methods.pop(whole)
            for number, (names, keys) in enumerate(found.items(), 1):
                key = whole if number == 1 else f"{whole}.{number}"
                mine = [one for one in made["operations"] if one["id"] in names]
                operations = [
                    self.operation(f"{key}.{one['name']}", order, one["name"], one["id"], keys)
                    for order, one in enumerate(mine, 1)
                ]
                self.methods[key] = {**made, "id": key, "operations": operations}
                _related(self.methods[key])
                for one in keys:
                    self.analyses[one]["methodId"] = key
                    for each in self.analyses[one]["results"]:
                        each["operationId"] = f"{key}.{each['operationId'].removeprefix(f'{whole}.')}"

    def operation(self, key: str, order: int, name: str, known: str, analyses: Iterable[str]) -> Part:
        """An operation of a method; what is not the same of all its results is not said."""
        shown = [one for analysis in analyses for one in self.shown[analysis, known]]
        labels, patterns = ({one[k] for one in shown} for k in (0, 1))
        label = labels.pop() if len(labels) == 1 else STATISTICS.get(name, capital(name.replace("_", " ")))
        pattern = patterns.pop() if len(patterns) == 1 else ""
        told = {"id": key, "name": name, "order": order, "label": label}
        return told | ({"resultPattern": pattern} if pattern else {})

    def chapter(self, chapter: Any, record: Mapping[str, Any]) -> list[Part]:
        """Add a chapter's exhibits and results; gives its entries in the list of contents."""
        results, stated = record.get("results", {}), record.get("stated", ())
        labels = {key: one.get("label", "") for key, one in record.get("exhibits", {}).items()}
        items: list[Part] = []
        told_by: dict[str, str] = {}
        # an exhibit says more of a result than the sentence that quotes it
        for one in sorted(stated, key=lambda one: one["exhibit"] is None):
            fresh = {key: results[key] for key in one["results"] if key in results and key not in told_by}
            exhibit = one["exhibit"]
            if exhibit is None and not fresh:
                continue
            place = f"{chapter.stem}.{exhibit['key']}" if exhibit else f"{chapter.stem}.sentences"
            name = exhibit["title"] if exhibit else f"Stated in a sentence of the chapter {chapter.title}"
            self.analyse(chapter.stem, place, name, one, fresh, told_by)
            # also of results that another exhibit, or sentence, told first
            found = dict.fromkeys(told_by[key] for key in one["results"] if key in told_by)
            listed = [
                _item(self.analyses[key]["name"], 3, k, analysisId=key) for k, key in enumerate(found, 1)
            ]
            below = {"sublist": {"listItems": listed}} if listed else {}
            entry = _item(name, 2, len(items) + 1, **below)
            if exhibit:
                label = labels.get(exhibit["key"], "")
                code = _code(chapter.stem, {**one, "functions": (), "code": ""})
                self.outputs.append(self.output(chapter.stem, place, exhibit, label, code))
                entry["outputId"] = self.outputs[-1]["id"]
            items.append(entry)
        return items

    def analyse(
        self,
        stem: str,
        place: str,
        name: str,
        one: Mapping[str, Any],
        results: Mapping[str, Part],
        told_by: dict[str, str],
    ) -> None:
        """Add the analyses of some results that one exhibit, or one sentence, states.

        one: an entry of `build.origins.stated`; told_by: result -> its analysis, to which these are added.
        """
        read = [(name_of, result, *self.read(stem, name_of, one)) for name_of, result in results.items()]
        # what no arm has stands apart from what each has, and compares them
        with_arms = {topic for _, _, topic, _, arm, _ in read if arm}
        for name_of, result, topic, operation, arm, of in read:
            end = f".{ACROSS}" if topic in with_arms and not arm else ""
            method = self.method(f"{place}{end}", name, one, operation)
            key = f"Analysis.{place}.{topic}{end}"
            self.first.setdefault(f"{topic}{end}", key)
            if of is not None and of.repeats:
                self.again[key] = of.repeats
            if key not in self.analyses:
                self.analyses[key] = {
                    "id": key,
                    "name": f"{name}: {topic}{', across the arms' if end else ''}",
                    **self.about(stem, one, of),
                    "methodId": method["id"],
                    "programmingCode": _code(stem, one),
                    "results": [],
                }
            analysis = self.analyses[key]
            label = (operation_label(operation, result), _pattern(result))
            self.shown.setdefault((key, f"{method['id']}.{operation}"), []).append(label)
            told = {"operationId": f"{method['id']}.{operation}", "formattedValue": str(result["shown"])}
            if result["value"] is not None:
                told["rawValue"] = _raw(result["value"])
            groups = [(of.arm if of else PLANNED, arm)] if arm else []
            groups += [(of.group[0], slug(of.group[1]))] if of and of.group[0] else []
            if groups if arm else of and of.compared and of.dataset.startswith("AD"):
                analysis["orderedGroupings"] = self.grouped(of, bool(arm))
            if groups:
                told["resultGroups"] = [
                    {"groupingId": f"Grouping.{variable}", "groupId": f"Grouping.{variable}.{group}"}
                    for variable, group in groups
                ]
            analysis["results"].append(told)
            self.named.setdefault(key, []).append(name_of)
            told_by[name_of] = key

    def read(self, stem: str, key: str, one: Mapping[str, Any]) -> tuple[str, str, str, Analysed | None]:
        """(Topic, operation, arm, what it was computed of) of a result's key."""
        topic, operation, arm = parts(key)
        beginning, of = analysed.found(self.known, f"{topic}.{operation}")
        if beginning == "":
            exhibit = one["exhibit"] or {}
            of = unregistered(exhibit.get("method", ""), one.get("tables", ()))
            origin = parts_of.source(stem, of, one.get("tables", ()), one["functions"])
            if arm and origin in parts_of.WITHOUT_CHILDREN:
                # no child is in an arm: the arm is what the number is of
                return topic, arm if operation == ALONE else f"{operation}_{arm}", "", of
            return topic, operation, arm, of
        if of is not None and of.group[0]:
            # the values of a variable are its groups
            topic = topic.removesuffix(beginning.rpartition(of.group[0].lower())[2])
        elif len(beginning) > len(topic):
            whole = beginning == f"{topic}.{operation}"
            topic, operation = beginning, of.statistic if whole and of and of.statistic else operation
        if operation == ALONE and of is not None:
            operation = of.statistic or operation
        return topic, operation, arm, of

    def grouped(self, of: Analysed | None, by_arm: bool) -> list[Part]:
        """By what an analysis is grouped: the arm, and the subgroup; whether there is a result for each."""
        variable = of.arm if of else PLANNED
        self.groupings.setdefault(variable, parts_of.arms(variable, self.arms))
        found = [{"order": 1, "groupingId": f"Grouping.{variable}", "resultsByGroup": by_arm}]
        if of and of.group[0]:
            self.groupings.setdefault(of.group[0], parts_of.subgroups(of.group[0]))
            found.append({"order": 2, "groupingId": f"Grouping.{of.group[0]}", "resultsByGroup": True})
        return found

    def method(self, place: str, name: str, one: Mapping[str, Any], operation: str) -> Part:
        """What an exhibit does, with an operation added where it is new."""
        exhibit = one["exhibit"] or {}
        described = exhibit.get("method") or one.get("does", "")
        made = self.methods.setdefault(
            f"Method.{place}",
            {
                "id": f"Method.{place}",
                "name": one.get("does") or described or name,
                **({"description": capital(described)} if described else {}),
                "operations": [],
            },
        )
        if operation not in {each["name"] for each in made["operations"]}:
            made["operations"].append({"id": f"{made['id']}.{operation}", "name": operation})
        return made

    def about(self, stem: str, one: Mapping[str, Any], of: Analysed | None) -> Part:
        """Why and of what an analysis is: reason, purpose, category, children, data set, records, in words as well."""
        exhibit = one["exhibit"] or {}
        origin = parts_of.source(stem, of, one.get("tables", ()), one["functions"])
        population = exhibit.get("population", "")
        out: Part = {
            "reason": parts_of.reason(of, origin, stem in self.changed),
            "purpose": parts_of.purpose(of, origin),
            "categoryIds": [origin],
        }
        document = parts_of.REGISTRATION if of and of.registered else parts_of.PLAN
        out["documentRefs"] = [{"referenceDocumentId": document}]
        words = [f"{parts_of.SOURCES[origin]}."]
        estimand = of.answers if of else None
        if estimand:
            words.append(f"Estimand: {estimand.name}, {estimand.role}; {estimand.variable}.")
        if of is not None and of.said:
            words.append(of.said)
        if population:
            words.append(f"Population: {population}.")
        out["description"] = " ".join(words)
        label = parts_of.analysis_set(of.flag, of.known, of.limit) if of else parts_of.named_set(population)
        if label and of is not None and of.known:
            # the set that it is a part of
            whole = parts_of.analysis_set(of.flag)
            self.sets.setdefault(whole["id"], whole)
        if label and origin in ("Source.analysis", "Source.collected", "Source.several"):
            self.sets.setdefault(label["id"], label)
            out["analysisSetId"] = label["id"]
        if of is not None:
            out |= {"dataset": of.dataset} | ({"variable": of.variable} if of.variable else {})
            records = parts_of.subset(of.where)
            if records:
                self.subsets.setdefault(records["id"], records)
                out["dataSubsetId"] = records["id"]
        return out

    def output(self, stem: str, place: str, exhibit: Mapping[str, Any], label: str, code: Part) -> Part:
        """An exhibit as an Output: its title, notes, files and code."""
        notes = [exhibit.get("caption")]
        notes += [
            f"{word}: {exhibit[name]}"
            for word, name in (("Population", "population"), ("n", "n"), ("Method", "method"))
            if exhibit.get(name)
        ]
        notes += [f"Conventions: {', '.join(exhibit['conventions'])}"] if exhibit.get("conventions") else []
        title = f"{label}. {exhibit['title']}" if label else exhibit["title"]
        shown = [
            {
                "sectionType": kind,
                "orderedSubSections": [
                    {"order": k, "subSection": {"id": f"Display.{place}.{kind}.{k}", "text": text}}
                    for k, text in enumerate(texts, 1)
                ],
            }
            for kind, texts in (("Title", [title]), ("Footnote", [note for note in notes if note]))
            if texts
        ]
        file = f"exhibits/{stem}/{exhibit['key']}{self.tail}"
        kinds = [(HTML, f"{stem}{self.tail}.html", f"#exhibit-{exhibit['key']}"), (CSV, f"{file}.csv", "")]
        kinds += [(PNG, f"{file}.png", "")] if exhibit.get("kind") == "figure" else []
        return {
            "id": f"Output.{place}",
            "name": exhibit["title"],
            **({"label": label} if label else {}),
            "programmingCode": code,
            "fileSpecifications": [
                {
                    "name": location.rpartition("/")[2],
                    "location": f"{location}{anchor}",
                    "fileType": {"sponsorTermId": kind},
                }
                for kind, location, anchor in kinds
            ],
            "displays": [
                {
                    "order": 1,
                    "display": {
                        "id": f"Display.{place}",
                        "name": exhibit["title"],
                        "displayTitle": title,
                        "displaySections": shown,
                    },
                }
            ],
        }


def _code(stem: str, one: Mapping[str, Any]) -> Part:
    """The statements that lead to an exhibit, below the functions that they call, and the notebook that runs them."""
    called = [f"# {name}  {file}:{first}-{last}" for name, file, first, last in one["functions"]]
    reference = {
        "referenceDocumentId": parts_of.notebook(stem),
        "pageRefs": [{"refType": "NamedDestination", "pageNames": [f"cell [{one['cell']}]"]}],
    }
    code = "\n".join([*called, one.get("code", "")]).strip("\n")
    major, minor, _ = platform.python_version_tuple()
    return {
        "context": f"Python {major}.{minor}",
        **({"code": code} if code else {}),
        "documentRef": reference,
    }


def _related(method: Part | None) -> None:
    """Say of a share which operations are its numerator and its denominator."""
    known = {one["name"]: one for one in (method or {}).get("operations", ())}
    for share, above, below in FRACTIONS:
        if {share, above, below} <= set(known):
            known[share]["referencedOperationRelationships"] = [
                {
                    "id": f"{known[share]['id']}.{role.lower()}",
                    "referencedOperationRole": {"controlledTerm": role},
                    "operationId": known[name]["id"],
                }
                for role, name in (("NUMERATOR", above), ("DENOMINATOR", below))
            ]


def _pattern(result: Mapping[str, Any]) -> str:
    """The format of a result that is shown as a number alone; nothing for one that is told in other words."""
    found = re.fullmatch(r"[-−]?\d+(?:\.(\d+))?( \D+)?", str(result["shown"]))
    unit = result.get("unit", "")
    if not found or (found[2] or "").strip() != unit:
        return ""
    return f"X{'.' + 'X' * len(found[1]) if found[1] else ''}{' ' + unit if unit else ''}"


def _raw(value: Any) -> str:
    """A value as text at full precision; yes and no as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _item(name: str, level: int, order: int, **more: Any) -> Part:
    return {"name": name, "level": level, "order": order, **more}


def _ordered(found: Mapping[str, Part]) -> list[Part]:
    return [{**one, "level": 1, "order": order} for order, one in enumerate(found.values(), 1)]
