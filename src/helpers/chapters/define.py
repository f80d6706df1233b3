"""`define.xml` 2.1 of the analysis tables: variables, codes, derivations in words, value-level metadata.

Everything is said once, elsewhere: what a column means in `study.codebook`, how it comes about in
`chapters.adam_derivations`, which children a flag marks and which estimand an endpoint answers in `study.estimands`,
where a laboratory parameter comes from in `analysis.adam`, the equation behind an eGFR in `study.kidney`. Codes are of
a published terminology where `chapters.adam_terms` has them, and the project's own elsewhere.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product
from typing import get_args
from xml.etree import ElementTree

import pandas as pd

from helpers.analysis import adam
from helpers.chapters import adam_terms
from helpers.chapters.adam_derivations import (
    ASSIGNED,
    COPIES,
    DERIVED,
    OF_EGFR,
    STATES,
    TEST,
    TIMES,
    equation,
)
from helpers.chapters.adam_variables import (
    DATASETS,
    DATE_FORMAT,
    PAIRS,
    Variable,
    name_of,
    structure,
    variable,
    variables,
)
from helpers.study import kidney
from helpers.study.codebook import TABLES, Column
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS
from helpers.study.parameters import Parameters
from helpers.study.protocol import TRIAL

GUIDE = "../reviewer{tail}.html"
"""Where the guide for reviewers stands, from define.xml; the tail of a blinded report's names in it."""
TERMS = "STD.CT.SDTM"
"""The published terminology among the standards."""
NCI = "nci:ExtCodeID"
"""The context of a code of the NCI's thesaurus."""
CREATED = "1980-01-01T00:00:00"
"""The time of creation that formats ask for: the files do not depend on the day."""

ODM, DEF = "http://www.cdisc.org/ns/odm/v1.3", "http://www.cdisc.org/ns/def/v2.1"
XLINK = "http://www.w3.org/1999/xlink"
XML = "http://www.w3.org/XML/1998/namespace"

CLASSES = {
    "adsl": ("SUBJECT LEVEL ANALYSIS DATASET", ""),
    "adlb": ("BASIC DATA STRUCTURE", ""),
    "adtte": ("BASIC DATA STRUCTURE", "TIME-TO-EVENT"),
    "adae": ("OCCURRENCE DATA STRUCTURE", "ADVERSE EVENT"),
}
"""Class and subclass of ADaM."""
TYPES = {"text": "text", "date": "integer", "whole": "integer", "number": "float"}
BY_VALUE = {"adlb": ("AVAL", "AVALCAT1"), "adtte": ("AVAL",)}
"""Tables with variables that are described parameter by parameter."""
READINGS = ("gfr_method", "haematuria_cells")
"""Parameters of the plan that decide which parameter of a table an endpoint is judged on."""
PROGRAM = "helpers.analysis.adam.Adam.adlb"
"""The function that makes ADLB."""
ANSWERS = {
    "UPCRC": "Time to confirmed remission of proteinuria",
    "HEMC": "Remission of haematuria",
    "GFRC": "Renal function improvement",
}
"""PARAMCD of ADTTE -> the estimand that it was made for."""


def study_oid(scenario: str) -> str:
    return f"ST.{TRIAL}.{scenario}"


def metadata_oid(scenario: str) -> str:
    return f"MDV.{TRIAL}.{scenario}"


def item_oid(dataset: str, name: str) -> str:
    return f"IT.{dataset.upper()}.{name}"


def define(scenario: str, about: str, frames: Mapping[str, pd.DataFrame], tail: str = "") -> bytes:
    """The define.xml of some analysis tables (name -> table), those of one scenario.

    tail: what the names of the tables' files and of the reviewer's guide end with.
    """
    root = _element("ODM", FileType="Snapshot", FileOID=f"DEF.{TRIAL}.{scenario}", ODMVersion="1.3.2")
    root.set("CreationDateTime", CREATED)
    root.set(f"{{{DEF}}}Context", "Other")
    study = _add(root, "Study", OID=study_oid(scenario))
    names = _add(study, "GlobalVariables")
    _add(names, "StudyName", f"{TRIAL}, scenario {scenario}")
    _add(names, "StudyDescription", about)
    _add(names, "ProtocolName", TRIAL)
    version = _add(study, "MetaDataVersion", OID=metadata_oid(scenario), Name=f"Analysis data of {TRIAL}")
    version.set(f"{{{DEF}}}DefineVersion", "2.1.0")
    standards = _add(version, "def:Standards")
    _add(standards, "def:Standard", OID="STD.ADAMIG", Name="ADaMIG", Type="IG", Version="1.3", Status="Final")
    _add(
        standards, "def:Standard", OID=TERMS, Name="CDISC/NCI", Type="CT", PublishingSet="SDTM",
        Version=adam_terms.VERSION, Status="Final",
    )  # fmt: skip
    beside = _add(version, "def:SupplementalDoc")
    _add(beside, "def:DocumentRef", leafID="LF.ADRG")
    parts = _Parts()
    for name, frame in frames.items():
        parts.dataset(name, frame, f"{name}{tail}.xpt")
    version.extend(parts.ordered())
    _leaf(version, "LF.ADRG", GUIDE.format(tail=tail), "Analysis Data Reviewer's Guide")
    ElementTree.indent(root, " ")
    for prefix, address in (("", ODM), ("def", DEF), ("xlink", XLINK)):
        ElementTree.register_namespace(prefix, address)
    return ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"


class _Parts:
    """The parts of a MetaDataVersion while tables are added."""

    def __init__(self) -> None:
        self.lists: list[ElementTree.Element] = []
        self.wheres: list[ElementTree.Element] = []
        self.groups: list[ElementTree.Element] = []
        self.items: list[ElementTree.Element] = []
        self.codes: dict[str, ElementTree.Element] = {}
        self.methods: list[ElementTree.Element] = []
        self.comments: list[ElementTree.Element] = []

    def ordered(self) -> Iterable[ElementTree.Element]:
        """In the order that the standard wants."""
        before = [*self.lists, *self.wheres, *self.groups, *self.items]
        return [*before, *self.codes.values(), *self.methods, *self.comments]

    def dataset(self, name: str, frame: pd.DataFrame, file: str) -> None:
        known = [_listed(one, frame) for one in stored(name, frame)]
        group = _element(
            "ItemGroupDef",
            OID=f"IG.{name.upper()}",
            Name=name.upper(),
            Repeating="No" if TABLES[name].key == ("USUBJID",) else "Yes",
            IsReferenceData="No",
            SASDatasetName=name.upper(),
            Purpose="Analysis",
        )
        for key, value in (
            ("Structure", structure(name)),
            ("StandardOID", "STD.ADAMIG"),
            ("ArchiveLocationID", f"LF.{name.upper()}"),
        ):
            group.set(f"{{{DEF}}}{key}", _clean(value))
        _describe(group, name_of(name))
        for order, one in enumerate(known, 1):
            self.item(name, one, group, order, frame)
        kind, below = CLASSES[name]
        told = _add(group, "def:Class", Name=kind)
        if below:
            _add(told, "def:SubClass", Name=below)
        _leaf(group, f"LF.{name.upper()}", file)
        self.groups.append(group)

    def item(
        self, name: str, one: Variable, group: ElementTree.Element, order: int, frame: pd.DataFrame
    ) -> None:
        """A variable: its reference in the table, its definition, its codes, how it is derived."""
        oid = item_oid(name, one.name)
        from_where, words = origin(name, one.column)
        if from_where == "Derived" and not one.codes:
            words = f"{words} {_allowed(one)}"
        reference = _add(group, "ItemRef", ItemOID=oid, OrderNumber=str(order))
        reference.set("Mandatory", "No" if one.column.empty else "Yes")
        if one.key:
            reference.set("KeySequence", str(one.key))
        if from_where == "Derived":
            reference.set("MethodOID", self.method(oid, f"Derivation of {name.upper()}.{one.name}", words))
        item = self.definition(oid, one, one.label, from_where, "" if from_where == "Derived" else words)
        if one.codes:
            _insert_codes(item, self.code_list(name, one))
        if one.name in adam_terms.SPONSOR:
            comment = _element("def:CommentDef", OID=f"COM.{oid}")
            _describe(comment, adam_terms.SPONSOR[one.name])
            self.comments.append(comment)
            item.set(f"{{{DEF}}}CommentOID", f"COM.{oid}")
        if one.name in BY_VALUE.get(name, ()) and (values := self.by_value(name, one, frame)):
            _add(item, "def:ValueListRef", ValueListOID=values)
        self.items.append(item)

    def definition(
        self, oid: str, one: Variable, words: str, from_where: str, said: str
    ) -> ElementTree.Element:
        """An ItemDef; `said` stands at its origin."""
        kind = TYPES[one.column.kind]
        item = _element("ItemDef", OID=oid, Name=one.name, DataType=kind, SASFieldName=one.name)
        item.set("Length", str(8 if one.column.kind == "date" else one.length))
        if kind == "float":
            item.set("SignificantDigits", str(one.decimals))
        if one.column.kind == "date":
            item.set(f"{{{DEF}}}DisplayFormat", DATE_FORMAT)
        _describe(item, words)
        found = _add(item, "def:Origin", Type=from_where)
        if from_where != "Predecessor":
            found.set("Source", "Sponsor")
        if said:
            _describe(found, said)
        return item

    def method(self, oid: str, title: str, words: str) -> str:
        """A derivation in words; gives its id."""
        method = _element("MethodDef", OID=f"MT.{oid}", Name=title, Type="Computation")
        _describe(method, words)
        self.methods.append(method)
        return f"MT.{oid}"

    def code_list(self, name: str, one: Variable) -> str:
        """A list of codes, one for all tables that share it; gives its id."""
        known = adam_terms.published(one.name, one.codes)
        shared = f"CL.{known.short if known else one.name}"
        title = f"{known.name if known else one.label}, {name.upper()}"
        for oid, named in ((shared, ""), (f"{shared}.{name.upper()}", title)):
            mine = _codes(oid, one, named)
            made = self.codes.setdefault(oid, mine)
            if ElementTree.tostring(made) == ElementTree.tostring(mine):
                return oid
        return f"{shared}.{name.upper()}"

    def by_value(self, name: str, one: Variable, frame: pd.DataFrame) -> str:
        """What a variable is for each parameter; gives the id of the list, or none for a table without rows."""
        parameters = frame[["PARAMCD", "PARAM"]].drop_duplicates("PARAMCD")
        if one.name == "AVALCAT1":
            parameters = parameters.set_index("PARAMCD", drop=False).loc[judged(frame)]
        if parameters.empty:
            return ""
        oid = item_oid(name, one.name)
        values = _element("def:ValueListDef", OID=f"VL.{oid}")
        for order, (code, words) in enumerate(parameters.itertuples(index=False), 1):
            narrow = f"{oid}.{code}"
            mandatory = "No" if one.column.empty else "Yes"
            reference = _add(values, "ItemRef", ItemOID=narrow, OrderNumber=str(order), Mandatory=mandatory)
            rows = frame[frame["PARAMCD"] == code]
            narrowed = variable(name, one.column, rows)
            if one.name == "AVALCAT1":
                allowed, said = STATES[endpoint_of(str(code))]
                codes = {value: narrowed.codes[value] for value in allowed}
                narrowed = replace(narrowed, codes=codes, length=_bytes(rows[one.name]))
                said, made = _plain(said), PROGRAM
            else:
                said, made = parameter(name, str(code))
                said = f"{said} {_allowed(one)}"
            title = f"Derivation of {name.upper()}.{one.name} for {code}"
            reference.set("MethodOID", self.method(narrow, title, f"{said} Program: {made}."))
            _add(reference, "def:WhereClauseRef", WhereClauseOID=f"WC.{narrow}")
            where = _element("def:WhereClauseDef", OID=f"WC.{narrow}")
            check = _add(where, "RangeCheck", Comparator="EQ", SoftHard="Soft")
            check.set(f"{{{DEF}}}ItemOID", item_oid(name, "PARAMCD"))
            _add(check, "CheckValue", str(code))
            self.wheres.append(where)
            item = self.definition(narrow, narrowed, str(words), "Derived", "")
            if narrowed.codes:
                listed = f"CL.{one.name}.{code}"
                self.codes[listed] = _codes(listed, narrowed, f"{narrowed.label}, {code}")
                _insert_codes(item, listed)
            self.items.append(item)
        self.lists.append(values)
        return f"VL.{oid}"


def stored(name: str, frame: pd.DataFrame) -> list[Variable]:
    """The variables of a table; texts as long as those that it holds, which is what a transport file has room for.

    A closed list may allow longer ones.
    """
    found = variables(name, frame)
    return [
        replace(one, length=_bytes(frame[one.name])) if one.column.kind == "text" else one for one in found
    ]


def _bytes(values: pd.Series) -> int:
    """Bytes of the longest text; 1 where there is none."""
    told = (len(str(one).encode("utf-8", "replace")) for one in values.dropna().unique())
    return max(told, default=1) or 1


def _listed(one: Variable, frame: pd.DataFrame) -> Variable:
    """A variable; one that says codes in words has these words as its list, in the order of the codes."""
    code = next((code for code, words in PAIRS.items() if words == one.name), "")
    if not code or one.codes:
        return one
    known = frame[[code, one.name]].dropna().drop_duplicates(one.name)
    known = known.sort_values(code, kind="stable") if known[code].dtype != object else known
    return replace(one, codes=dict.fromkeys(known[one.name].astype(str), ""))


def judged(frame: pd.DataFrame) -> list[str]:
    """The parameters of ADLB that an endpoint is judged on in a table."""
    return list(dict.fromkeys(frame.loc[frame["AVALCAT1"].notna(), "PARAMCD"].astype(str)))


def endpoint_of(code: str) -> str:
    """The endpoint that is judged on a parameter of ADLB under one of the plan's readings.

    >>> [endpoint_of(code) for code in ("PROTCRT", "RBCDYS", "GFRU25AV", "BUN")]
    ['UPCR', 'HEM', 'GFR', '']
    """
    choices = {name: get_args(Parameters.model_fields[name].annotation) for name in READINGS}
    for values in product(*choices.values()):
        p = Parameters().model_copy(update=dict(zip(choices, values, strict=True)))
        for name in adam.ENDPOINTS:
            if adam.endpoint_paramcd(name, p) == code:
                return name
    return ""


def origin(dataset: str, column: Column) -> tuple[str, str]:
    """(Type of origin, in words): the column that a variable is a copy of, how it is assigned, or how it is derived."""
    known = COPIES.get(dataset, {}), ASSIGNED.get(dataset, {}), DERIVED[dataset]
    copied, assigned, derived = (words.get(column.name) for words in known)
    if copied:
        return "Predecessor", _where(copied)
    if dataset != "adsl" and column in TABLES["adsl"].columns:
        return "Predecessor", f"ADSL.{column.name}"
    if assigned:
        return "Assigned", _plain(assigned)
    if derived:
        return "Derived", " ".join(filter(None, (_plain(derived), _marked(column.name))))
    for raw in ("screening", "randomisation", "disposition", "events"):
        for one in TABLES[raw].columns:
            if (one.meaning, one.values) == (column.meaning, column.values):
                return "Predecessor", _where(f"{raw}.{one.name}")
    raise ValueError(f"{dataset}.{column.name}: neither copied, nor assigned, nor derived")


def made_from(dataset: str) -> list[str]:
    """The tables that a table is made from, by what the origins of its variables name: raw ones, then analysis ones.

    Of two analysis tables that name each other, the later one is made from the earlier one.

    >>> made_from("adae")
    ['events', 'ADSL']
    """
    values = [parameter(dataset, code)[0] for code in adam.PARAMS] if dataset == "adlb" else []
    words = " ".join([*values, *(origin(dataset, one)[1] for one in TABLES[dataset].columns)])
    named = re.findall(r"\b(\w+)\.[A-Za-z_]\w*", words)
    before = DATASETS[: DATASETS.index(dataset)]
    found = [name for name in TABLES if name in named or (name in before and name.upper() in named)]
    return [name.upper() if name.startswith("ad") else name for name in found]


def parameter(dataset: str, code: str) -> tuple[str, str]:
    """(How a parameter's values come about, the function that makes them)."""
    if dataset == "adtte":
        estimand = next((one for one in ESTIMANDS if one.name == ANSWERS.get(code)), None)
        said = f"Estimand: {estimand.name}, {estimand.role}; {estimand.variable}." if estimand else ""
        return f"{_plain(TIMES.get(code[-1:], ''))} {said}".strip(), "helpers.analysis.adam.Adam.adtte"
    known = adam.PARAMS.get(code)
    if known is None:
        return "A parameter that the plan does not name.", PROGRAM
    source = known[1]
    if source in kidney.METHODS:
        words = f"eGFR by the method {source}, mL/min/1.73m2: {equation(source)}, where {OF_EGFR}"
        return _plain(words), "helpers.study.kidney.egfr"
    return _plain(TEST.format(source)), PROGRAM


def _where(place: str) -> str:
    """A column by table and name; a raw table is said to be one."""
    return place if place[:1].isupper() else f"{place} (raw table)"


def _plain(words: str) -> str:
    """Words without the marks of names."""
    return words.replace("`", "")


def _marked(variable: str) -> str:
    """The definition of the analysis set that a flag marks."""
    return next((definition for _, flag, definition, _ in ANALYSIS_SETS if flag == variable), "")


def _allowed(one: Variable) -> str:
    """What is allowed, where no list of codes says it."""
    return "" if one.codes else f"Allowed: {one.column.allowed}."


def _codes(oid: str, one: Variable, title: str = "") -> ElementTree.Element:
    known = adam_terms.published(one.name, one.codes)
    name = title or (known.name if known else one.label)
    made = _element("CodeList", OID=oid, Name=name, DataType=TYPES[one.column.kind])
    made.set(f"{{{DEF}}}{'StandardOID' if known else 'IsNonStandard'}", TERMS if known else "Yes")
    said = known is not None or all(one.codes.values())
    for order, (code, words) in enumerate(one.codes.items(), 1):
        kind = "CodeListItem" if said else "EnumeratedItem"
        item = _add(made, kind, CodedValue=code, OrderNumber=str(order))
        if said:
            _text(_add(item, "Decode"), known.terms[code][1] if known else words)
        elif words:
            _describe(item, words)
        if known:
            _add(item, "Alias", Context=NCI, Name=known.terms[code][0])
    if known:
        _add(made, "Alias", Context=NCI, Name=known.code)
    return made


def _insert_codes(item: ElementTree.Element, oid: str) -> None:
    """The reference to a list of codes stands before the origin."""
    reference = _element("CodeListRef", CodeListOID=oid)
    item.insert(1, reference)


def _leaf(parent: ElementTree.Element, identifier: str, file: str, title: str = "") -> None:
    leaf = _add(parent, "def:leaf", ID=identifier)
    leaf.set(f"{{{XLINK}}}href", file)
    _add(leaf, "def:title", title or file)


def _describe(parent: ElementTree.Element, words: str) -> None:
    _text(_add(parent, "Description"), words)


def _text(parent: ElementTree.Element, words: str) -> None:
    _add(parent, "TranslatedText", words).set(f"{{{XML}}}lang", "en")


def _element(tag: str, **attributes: str) -> ElementTree.Element:
    space, _, name = tag.rpartition(":")
    full = f"{{{DEF if space else ODM}}}{name}"
    return ElementTree.Element(full, {key: _clean(value) for key, value in attributes.items()})


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    made = _element(tag, **attributes)
    if text:
        made.text = _clean(text)
    parent.append(made)
    return made


def _clean(text: str) -> str:
    """Text without the characters that XML cannot hold, which stand as a question mark."""
    return re.sub(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)
