"""The report on own data: its tables are received and not simulated, and its pages say so.

The folder of the user is read by the intake alone, which the table of chapters names; what it gives is staged here,
like everything that a build makes, and published to `data/own/<name>/` and `reports/<name>/`. Neither stands in an
index or a comparison of the synthetic scenarios.
"""

import importlib
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.build.edition import Edition
from helpers.build.heads import BLINDED, Head
from helpers.build.publishing import OVERVIEWS, OWN_TABLES, STAGING
from helpers.chapters import contents
from helpers.chapters.contents import GIVEN, RECEIVED, Chapter
from helpers.study.files import read_json, unseal, write
from helpers.study.freshness import Sources

RECORD = RECEIVED[0]
PRIMARY = "06-remission"
"""The chapter whose result is the primary one."""
FEW = 3
"""Rules that are printed below an exhibit as they are; more are folded under their number."""


def named(place: str) -> Any:
    """The function behind a `module:name` of the table of chapters."""
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)


def receive(folder: Path, mapping: Path | None, scenario: str, changes: dict[str, Any]) -> str:
    """Read a folder of own data into the stage; gives the name of its report. Raises Problem with all fatal faults.

    The folder is only read. What was staged of an earlier delivery of this name, and is not the same, goes.
    """
    files: dict[str, bytes]
    name, files = named(contents.INTAKE)(folder, mapping, scenario, changes)
    if (ROOT / "scenarios" / f"{name.partition('+')[0]}.yaml").exists():
        raise Problem(
            f"scenarios/{name}.yaml has the name of the report on {folder.name}; rename the scenario"
        )
    data = STAGING / name / "data" / name
    if data.is_symlink():
        raise Problem(f"{data.relative_to(ROOT)} is a link; remove it")
    for table in (*GIVEN, *RECEIVED):
        path = data / table
        if table not in files:
            path.unlink(missing_ok=True)
        elif not path.is_file() or path.read_bytes() != files[table]:
            write(path, files[table])
    return name


class OwnEdition(Edition):
    """The report on own data in the making."""

    beside = ("scenario.json", *GIVEN, *RECEIVED)

    def __init__(self, name: str, sources: Sources):
        self.record = read_json(STAGING / name / "data" / name / RECORD)
        super().__init__(name, sources)
        self.differs: dict[str, Any] = {}

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        return contents.own()

    @property
    def published(self) -> Path:
        return OWN_TABLES / self.name

    def set_by(self) -> list[Path]:
        return [ROOT / "scenarios" / f"{self.record['scenario']}.yaml", self.data / RECORD]

    def study(self, **changes: Any) -> Any:
        return named(contents.STUDY)(self.data, **changes)

    def resolve(self) -> None:
        """Which parameters are in force, and how they and the code differ from the signed plan. Raises Problem."""
        super().resolve()
        stems = [one.stem for one in self.chapters]
        self.differs = named(contents.SIGNED)(
            self.sources, self.resolved["parameters"], stems, self.record["unblinded"]
        )
        words, tail = (BLINDED.words, BLINDED.tail) if self.record["blinded"] else ("", "")
        rest = f"{self.record['randomised']} of the children are randomised."
        if words:
            rest += (
                " Blinded: the arms are dummy arms, drawn from the seed and not the trial's allocation; what a child "
                "was treated with is unknown while blinded. No comparison of arms says anything of the treatment."
            )
        else:
            rest += f" Unblinded on {self.record['unblinded']}."
        absent = ", ".join(self.record.get("absent", ()))
        lead = f"{self.record['notice']}{f' Not received: {absent}.' if absent else ''}"
        printed = f"{lead} {words}".strip()
        self.head = Head(
            lead, rest, printed, words, tail,
            self.differs["words"], tuple(self.differs["changes"]), True,
        )  # fmt: skip

    def about(self) -> str:
        changed = ", ".join(f"{key} = {value}" for key, value in sorted(self.record["overrides"].items()))
        but = f", but {changed}" if changed else ""
        return (
            f"{self.record['notice']} Readings and assumptions: as scenario {self.record['scenario']}{but}."
        )

    def leading(self, chapter: Chapter) -> list[Chapter]:
        """A chapter and those whose tables lead to it."""
        found, wanted = [chapter], set(chapter.reads)
        for one in reversed(self.chapters):
            if one is not chapter and wanted & set(one.writes):
                found.append(one)
                wanted |= set(one.reads)
        return found

    def touched(self, chapter: Chapter) -> set[str]:
        """The raw tables that a chapter's exhibits rest on, without `.csv`."""
        read = {name for one in self.leading(chapter) for name in one.reads}
        return {name.removesuffix(".csv") for name in read & set(GIVEN)}

    def notes(self, chapter: Chapter) -> str:
        """The rules that the tables behind a chapter were handled by, and changes of the plan since unblinding."""
        tables = self.touched(chapter)
        absent = {table: rule for table, rule in self.record.get("absent", {}).items() if table in tables}
        rules = [one["rule"] for one in self.record["rules"] if tables & set(one["tables"])]
        return (
            lacking(absent)
            + handled(rule for rule in rules if rule not in absent.values())
            + post_hoc(self.changed(chapter))
        )

    def nature(self) -> dict[str, str]:
        absent = self.head.lead.removeprefix(self.record["notice"]).strip()
        return {"nature": f"{absent} {self.head.text}".strip(), "arms": self.head.words}

    def changed_chapters(self) -> list[str]:
        return [one.stem for one in self.chapters if self.changed(one)]

    def changed(self, chapter: Chapter) -> list[str]:
        """Changes since the signed plan that touch a chapter; none while blinded, when no result could lead to them."""
        if self.record["blinded"] or not self.differs.get("signed"):
            return []
        read: set[str] = set()
        for one in self.leading(chapter):
            made = unseal(self.notebook(one).with_suffix(".json")).get("made_from", {})
            read |= set(made.get("parameters", ()))
        stems = [one.stem for one in self.leading(chapter)]
        return [
            line
            for line, name, where in self.differs["touching"]
            if (name in read or "*" in read if where is None else set(where) & set(stems))
        ]

    def beside_primary(self) -> str:
        """The changes since the signed plan that touch the primary result; more than a few are counted."""
        lines = [line for one in self.chapters if one.stem == PRIMARY for line in self.changed(one)]
        more = len(lines) - FEW
        return post_hoc(lines if more <= 0 else [*lines[:FEW], f"and {more} more, below its exhibits"])

    def overviews(self) -> tuple[str, ...]:
        # the comparison of scenarios takes its part from a file that own data do not write
        names = [name for name in OVERVIEWS if name != "comparison.json"]
        beside = [f"{one}.{kind}" for one, kind in QUERIES]
        return tuple(name if name in WITHOUT_ARMS else self.head.file(name) for name in (*names, *beside))

    def write_beside(self, records: dict[str, dict]) -> None:
        """The list of queries as files, beside the pages."""
        for name, kind in QUERIES:
            content = (self.data / f"query-list.{kind}").read_bytes()
            write(self.report / f"{name}{self.head.tail}.{kind}", content)

    def described(self) -> str:
        """What a file that leaves the pages says of itself."""
        return f"{self.about()} Arms: {self.head.words or 'as allocated'}."

    def came_from(self) -> dict[str, Any]:
        parts = (
            "folder",
            "children",
            "randomised",
            "blinded",
            "unblinded",
            "mapping",
            "received",
            "notes",
            "rules",
        )
        told = {name: self.record[name] for name in parts}
        told["arms"] = "dummy arms, drawn from the seed" if self.record["blinded"] else "as allocated"
        return {"notice": self.head.lead, "own_data": told, "signed_plan": self.differs["provenance"]}


WITHOUT_ARMS = ("protocol.usdm.json", "provenance.json")
"""Files whose names say nothing of the arms: they hold the plan, and what made the report."""
QUERIES = (("queries", "csv"), ("queries", "xlsx"))
"""The files of the list of queries beside the pages: name and kind."""


def lacking(absent: Mapping[str, str]) -> str:
    """What is unknown since tables were not received, for below an exhibit; always open, and before the rules."""
    if not absent:
        return ""
    said = escape(" ".join(absent.values()))
    return f'<div class="handled"><p><strong>Not received: {escape(", ".join(absent))}.</strong> {said}</p></div>'


def handled(rules: Iterable[str]) -> str:
    """Rules by which own data were handled, for below an exhibit; more than a few are closed."""
    lines = list(dict.fromkeys(rule.rstrip(".") for rule in rules))
    if not lines:
        return ""
    title = "Rules by which these data were handled"
    if len(lines) <= FEW:
        return f'<div class="handled"><p>{title}: {escape("; ".join(lines))}.</p></div>'
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<details class="handled"><summary>{title} ({len(lines)})</summary><ul>{items}</ul></details>'


def post_hoc(changes: Iterable[str]) -> str:
    """Changes of the plan after unblinding, for below an exhibit that they touch."""
    lines = "; ".join(changes)
    words = "<strong><em>Post hoc</em></strong>, changed since the plan was signed"
    return f'<p class="post-hoc">{words}: {escape(lines)}.</p>' if lines else ""
