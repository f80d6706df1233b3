"""The guide for reviewers, in the order of CDISC's and PHUSE's Analysis Data Reviewer's Guide, as plain data.

Every sentence about the plan, the tables, the exhibits and the programs is taken from where the project keeps it; here
are only the headings and what ties them together. The build turns the sections into the page `reviewer.html`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.analysis import adam
from helpers.chapters import adam_terms, adam_variables, define, usdm_terms
from helpers.chapters.acronyms import ACRONYMS
from helpers.chapters.words import capital
from helpers.study.codebook import TABLES, Column
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS, INTERCURRENT_EVENTS, MISSING_DATA
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, TRIAL, VISITS

Section = dict[str, Any]
"""`heading` and `parts`; a part is a text, or a table with caption, heads, rows, and whether it is folded."""

STANDARDS = (
    ("Analysis tables", "CDISC ADaM: ADSL, BDS (ADLB, ADTTE), OCCDS (ADAE)", "adam/*.json, adam/*.xpt, CSV"),
    ("Exchange", "Dataset-JSON 1.1 and SAS transport 5, the same values in both", "adam/"),
    ("Metadata", "Define-XML 2.1", "adam/define.xml"),
    (
        "Controlled terms of the tables",
        f"CDISC SDTM terminology {adam_terms.VERSION}: {', '.join(adam_terms.names())}",
        "adam/define.xml",
    ),
    ("Results", "CDISC Analysis Results Standard v1", "results{tail}.ars.json"),
    ("Plan", "CDISC Unified Study Definitions Model v4", "protocol.usdm.json"),
    (
        "Controlled terms of the plan",
        f"CDISC DDF and SDTM terminology {usdm_terms.VERSION}",
        "protocol.usdm.json",
    ),
)
CHECKED = (
    "define.xml and Dataset-JSON are held against the published schema and read back by odmlib, the transport files by "
    "pyreadstat, and all three against the CSV tables, in the project's tests; results.ars.json and protocol.usdm.json "
    "against the published schemas where these are at hand. No conformance engine (CDISC CORE, Pinnacle 21) was run."
)
DIFFERENCES = ("09-validation", "validation-conventions")
AGREEMENT = ("09-validation", "validation-agreement")
CHECKS = ("04-analysis-data", "checks")
"""Exhibits (chapter, key) that the guide shows or leads to."""
PROGRAMS = {"topic": "Topic", "r": "R", "sas": "SAS", "python": "Python", "here": "Here", "shown": "Seen in"}


def guide(facts: Mapping[str, Any]) -> list[Section]:
    """The sections of the guide.

    Parameters
    ----------
    facts : what the build knows.
        name, about : the report's name and what it assumes.
        own, tail : whether the data were received and not simulated; what the names of its pages end with.
        chapters, records : as for `standard.reporting_event`, records with `exhibits` (key -> label, title).
        exhibit : function (chapter, key) -> rows of the data behind an exhibit, dicts of texts; maybe none.
        rows : table -> (its rows, its children).
        places : table -> address of its CSV file.
        modules : (dotted name, what it says of itself) of all modules, in order.
        words : (make's word, what it does).
        benchmarks : (file, what it measures).
        times : command, what, seconds and machine of commands that were measured once; maybe none.
        files : (address, path, SHA-256) of what belongs to the report.
        tolerance : by how much numbers of another machine may differ, relative.
    """
    return [
        _introduction(facts),
        _protocol(),
        _considerations(),
        _tables(facts),
        _checks(facts),
        _numbers(facts),
        _programs(facts),
        _again(facts),
        _files(facts),
    ]


def _introduction(facts: Mapping[str, Any]) -> Section:
    standards = [(what, name, where.format(tail=facts["tail"])) for what, name, where in STANDARDS]
    return {
        "heading": "Introduction",
        "parts": [
            f"{facts['about']} This guide is generated with the report from the same objects as its pages; it follows "
            "the order of the Analysis Data Reviewer's Guide.",
            _table("Standards in use", ("What", "Standard", "Where"), standards),
            _table("Acronyms", ("Short", "Long"), ACRONYMS, folded=True),
            "Where the tables depart from the standards: lists of codes without a published list are the project's "
            "own (define.xml marks them as non-standard), and severity is in the plan's five words; no licensed "
            "dictionary codes events; the time of creation that formats ask for is fixed, so "
            "that the same input gives the same bytes; a text of more than 200 bytes goes on in further variables of "
            "its transport file.",
        ],
    }


def core() -> list[str]:
    """The variables of ADSL that every table has."""
    names = [[column.name for column in TABLES[name].columns] for name in adam_variables.DATASETS]
    return [name for name in names[0] if all(name in other for other in names)]


def _column(dataset: str, name: str) -> Column:
    return next(column for column in TABLES[dataset].columns if column.name == name)


def _protocol() -> Section:
    rows = [(one.name, one.role, one.variable, one.summary) for one in ESTIMANDS]
    return {
        "heading": "Protocol and estimands",
        "parts": [
            f"Trial {TRIAL}: {' against '.join(reversed(ARMS))}. Readings of the registration, and every assumption: "
            "chapter Plan.",
            _table("Estimands", ("Estimand", "Role", "Variable", "Summary"), rows, folded=True),
        ],
    }


def _considerations() -> Section:
    windows = Parameters()
    visits = [
        (str(one.number), one.name, str(one.day), f"± {windows.visit_window(one.day)}") for one in VISITS
    ]
    events = [(event, strategy, what) for event, strategy, _, what in INTERCURRENT_EVENTS]
    return {
        "heading": "Considerations for all analysis tables",
        "parts": [
            " ".join((adam.__doc__ or "").partition("\n\n")[2].split()),
            "TRT01P is the arm as randomised, TRT01A the treatment received; TRT01PN and TRT01AN count from 0. "
            f"Core variables, in every table: {', '.join(core())}.",
            f"Visits: {define.origin('adlb', _column('adlb', 'AVISIT'))[1]}",
            "Imputation: no value of a table is imputed. What is a mean of samples has its DTYPE: "
            f"{define.origin('adlb', _column('adlb', 'DTYPE'))[1]}",
            _table("Analysis sets", ("Set", "Flag in ADSL", "Who", "Used for"), ANALYSIS_SETS),
            _table(
                "Visits, by default of the plan",
                ("Number", "Visit", "Target day", "Window (days)"),
                visits,
                folded=True,
            ),
            _table("Intercurrent events", ("Event", "Strategy", "What that means"), events, folded=True),
            MISSING_DATA,
        ],
    }


def _tables(facts: Mapping[str, Any]) -> Section:
    there = [name for name in adam_variables.DATASETS if name in facts["rows"]]
    if not there:
        return {"heading": "Analysis tables", "parts": ["This report has no analysis tables."]}
    parts: list[Any] = [
        "Made from the raw tables by "
        + ", ".join(f"{one.makes} (chapter {one.title})" for one in facts["chapters"] if one.makes)
        + ". Every variable with its derivation in words:",
        [_link("adam/define.xml", "adam/define.xml")],
        _table(
            "The tables",
            ("Table", "One row is", "Key", "Made from", "Rows", "Children", "Files"),
            [
                (
                    name.upper(),
                    adam_variables.structure(name),
                    ", ".join(TABLES[name].key),
                    ", ".join(define.made_from(name)),
                    *map(str, facts["rows"][name]),
                    [
                        _link(f"{name}.csv", facts["places"][name]),
                        *(
                            _link(f"{name}.{kind}", f"adam/{name}{facts['tail']}.{kind}")
                            for kind in ("xpt", "json")
                        ),
                    ],
                )
                for name in there
            ],
        ),
    ]
    for name in there:
        rows = [
            (
                one.name,
                adam_variables.label(one),
                capital(one.meaning),
                one.allowed,
                *define.origin(name, one),
            )
            for one in TABLES[name].columns
        ]
        heads = (
            "Variable",
            "Label",
            "Meaning",
            "Allowed",
            "Origin",
            "Copied from, assigned as, or derived by",
        )
        parts.append(_table(f"Variables of {adam_variables.name_of(name)}", heads, rows, folded=True))
    return {"heading": "Analysis tables", "parts": parts}


def _checks(facts: Mapping[str, Any]) -> Section:
    found = facts["exhibit"](*CHECKS)
    parts: list[Any] = [
        "What can't be read was refused. What contradicts the codebook, itself or another table is a query to the "
        "site: What arrived lists them, each with the rule by which the analysis went on, and each exhibit "
        "names the rules that touched it."
        if facts["own"]
        else "Tables that contradict the codebook, themselves or each other are refused.",
        CHECKED,
    ]
    if found:
        rows = [tuple(row.values()) for row in found]
        parts += [
            _table("Consistency of the tables", [capital(name) for name in found[0]], rows, folded=True),
            [_cited(facts, *CHECKS)],
        ]
    return {"heading": "Checks of the data", "parts": parts}


def _numbers(facts: Mapping[str, Any]) -> Section:
    parts: list[Any] = [
        "Each exhibit, with the function that computes it and the one that words it. Each page says the same below its "
        "exhibits, and `make trace RESULT=key` follows a number back to its tables and parameters."
    ]
    conventions: dict[str, list[Any]] = {}
    for chapter in facts["chapters"]:
        record = facts["records"].get(chapter.stem, {})
        rows = []
        for one in record.get("stated", ()):
            exhibit = one["exhibit"]
            if exhibit is None or exhibit["key"] not in record.get("exhibits", {}):
                continue
            link = _cited(facts, chapter.stem, exhibit["key"])
            lines = [f"{name} ({file}:{first})" for name, file, first, _ in one["functions"][-2:]]
            results = len(one["results"])
            tables = [name.upper() if name.startswith("ad") else name for name in one.get("tables", ())]
            told = (exhibit["title"], exhibit.get("population", ""), ", ".join(tables), lines, str(results))
            rows.append(([link], *told))
            for words in exhibit.get("conventions", ()):
                conventions.setdefault(words, []).append(link)
        if rows:
            heads = ("Exhibit", "What it shows", "Population", "Tables", "Functions", "Named results")
            parts.append(_table(f"{chapter.title}: {len(rows)} exhibits", heads, rows, folded=True))
    if conventions:
        rows = [(words, links) for words, links in conventions.items()]
        parts.append(_table("Conventions of the exhibits", ("Convention", "Where"), rows, folded=True))
    return {"heading": "Where each number comes from", "parts": parts}


def _programs(facts: Mapping[str, Any]) -> Section:
    parts: list[Any] = []
    for place in (DIFFERENCES, AGREEMENT):
        found = facts["exhibit"](*place)
        if found and place == DIFFERENCES:
            heads = [PROGRAMS.get(name, capital(name)) for name in found[0]]
            rows = [tuple(row.values()) for row in found]
            parts.append(_table("Where programs that are all right differ", heads, rows, folded=True))
        if found:
            parts.append([_cited(facts, *place)])
    if not parts:
        parts = ["This report has no chapter that compares programs."]
    return {"heading": "Known differences between programs", "parts": parts}


def _again(facts: Mapping[str, Any]) -> Section:
    counted = ", ".join(
        dict.fromkeys(name.split(".")[1] for name, _ in facts["modules"] if name.count(".") > 1)
    )
    parts: list[Any] = [
        f"The package has the rooms {counted}; docs/architecture.md follows one child's value through them.",
        _table(
            "Package map: modules and what each says of itself",
            ("Module", "What"),
            facts["modules"],
            folded=True,
        ),
        "Needs Python 3.11 or newer, make and a package index; requirements.lock holds every version with its hashes.",
        _table("Commands", ("make", "What it does"), facts["words"], folded=True),
        "On another machine or processor the last bits of numbers may differ: counts and texts are equal, other "
        f"numbers agree to {facts['tolerance']} relative, and `make verify` holds every published result to that. "
        "Pictures differ by the fonts that are installed.",
    ]
    if facts["times"]:
        machine = facts["times"][0]["machine"]
        rows = [(row["command"], row["what"], minutes(int(row["seconds"]))) for row in facts["times"]]
        parts += [
            f"Run times, measured once on {machine} by `benchmarks/run_times.py`, each alone and one after the other "
            "in a fresh clone: the first one makes the environment, from a package index nearby, and the others have "
            "it. A busy machine or a distant index takes longer; no result depends on them. .cache/build.json holds "
            "those of the last build.",
            _table("Run times", ("Command", "What", "Time (min:s)"), rows),
        ]
    if facts["benchmarks"]:
        parts += [
            "`make bench` measures the speed that the project claims, as ratios within one run.",
            _table("Run times: what is measured", ("Benchmark", "What"), facts["benchmarks"], folded=True),
        ]
    return {"heading": "Programs, and how to run them again", "parts": parts}


def minutes(seconds: int) -> str:
    """Minutes and seconds.

    >>> minutes(0), minutes(61), minutes(404)
    ('0:00', '1:01', '6:44')
    """
    return f"{seconds // 60}:{str(seconds % 60).zfill(2)}"


def _files(facts: Mapping[str, Any]) -> Section:
    rows = [([_link(path, address)], value) for address, path, value in facts["files"]]
    return {
        "heading": "Files",
        "parts": [
            "What made them is in provenance.json; a package has SHA256SUMS over all of its files.",
            _table(f"{len(rows)} files with their SHA-256", ("File", "SHA-256"), rows, folded=True),
        ],
    }


def _table(
    caption: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], folded: bool = False
) -> dict[str, Any]:
    """A cell is a text, or a list of texts and links, one below the other."""
    whole = [[cell if isinstance(cell, list) else [cell] for cell in row] for row in rows]
    return {"caption": caption, "heads": list(heads), "rows": whole, "folded": folded}


def _link(text: str, address: str) -> dict[str, str]:
    return {"text": text, "href": address}


def _cited(facts: Mapping[str, Any], stem: str, key: str) -> dict[str, str]:
    label = facts["records"].get(stem, {}).get("exhibits", {}).get(key, {}).get("label", key)
    return _link(label, f"{stem}{facts['tail']}.html#exhibit-{key}")
