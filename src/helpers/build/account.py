"""The account of a verification: differences by chapter, how many results agree, and which exhibit differs first.

Differences come in the order of folders; a reader wants to know where along the data flow the first one arose, because
what follows may only follow from it. The order is that of the table of chapters, and within a chapter that of its
cells, read from the records of the report that was built for the comparison. Only the standard library is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from helpers.chapters.contents import Chapter
from helpers.study.files import read_json, unseal

MOST = 50
"""Differences of a chapter that are told; the rest is counted."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as published, and where it belongs.

    `kind` is "result", "exhibit" (its data), "table" (a committed one), "notebook" (a result stored in it), "stored"
    (an answer of many trials) or "" for what belongs to no chapter; `key` the result's, exhibit's or table's name.
    """

    where: str
    expected: str
    found: str
    scenario: str = ""
    chapter: str = ""
    kind: str = ""
    key: str = ""

    def __str__(self) -> str:
        try:
            gap = f"{float(self.found) - float(self.expected):+.6g}"
        except ValueError:
            gap = "differs"
        return f"  {self.where}: expected {self.expected}, found {self.found} ({gap})"


@dataclass(frozen=True)
class Row:
    """A chapter over all scenarios: what was compared, what agrees, and what does not."""

    chapter: Chapter
    results: int
    results_agree: int
    exhibits: int
    exhibits_agree: int
    differences: tuple[Difference, ...]
    scenarios: tuple[str, ...] = ()
    """Those in which something of this chapter differs."""

    def __str__(self) -> str:
        text = f"{_of(self.results_agree, self.results, 'named result')} and "
        text += f"{_of(self.exhibits_agree, self.exhibits, 'exhibit')} agree"
        return text + (f"; differs in {', '.join(self.scenarios)}" if self.scenarios else "")


@dataclass(frozen=True)
class Exhibited:
    """An exhibit as the records of a built report know it."""

    key: str
    title: str
    results: frozenset[str]


@dataclass(frozen=True)
class Account:
    """A verification in the order of the data flow."""

    rows: tuple[Row, ...]
    first: str = ""
    """The first exhibit, and the first table, that differ, in words."""
    elsewhere: tuple[Difference, ...] = ()
    """Differences that belong to no chapter."""
    scenarios: tuple[str, ...] = ()
    since: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Chapter -> what in its sources changed since publication, a line each."""
    publication: str = ""
    """Since when, or why that can't be told."""

    @property
    def verdict(self) -> str:
        """ "yes" where nothing differs, else "no"."""
        return "no" if self.elsewhere or any(row.differences for row in self.rows) else "yes"

    def lines(self) -> list[str]:
        """What the terminal is told, but for the verdict."""
        found = []
        if self.rows:
            found.append(f"chapter by chapter, over {_many(len(self.scenarios), 'scenario')}:")
            width = max(len(row.chapter.stem) for row in self.rows)
            found += [f"  {row.chapter.stem:<{width}}  {row}" for row in self.rows]
        for row in self.rows:
            if row.differences:
                found.append(f"{row.chapter.stem}, {_many(len(row.differences), 'difference')}:")
                found += told(row.differences)
        if self.elsewhere:
            found.append(f"of no chapter, {_many(len(self.elsewhere), 'difference')}:")
            found += told(self.elsewhere)
        if self.first:
            found.append(self.first)
        if self.publication:
            found.append(self.publication)
        for stem, lines in self.since.items():
            found.append(f"  {stem}:" if lines else f"  {stem}: nothing that it runs from")
            found += [f"    {line}" for line in lines]
        return found


def told(differences: Sequence[Difference]) -> list[str]:
    """A line a difference; beyond `MOST` a count."""
    rest = len(differences) - MOST
    return [*map(str, differences[:MOST])] + [f"  ... and {rest} more"] * (rest > 0)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _of(agree: int, compared: int, what: str) -> str:
    return f"{agree} of {_many(compared, what)}"


def in_order(project: Path, scenario: str, chapter: Chapter) -> list[Exhibited]:
    """The exhibits of a built chapter in the order of its cells; empty where there is no record of it."""
    record = unseal(project / ".cache" / "build" / scenario / "report" / "keys" / f"{chapter.stem}.json")
    found = []
    for one in record.get("stated", []):
        if one["exhibit"]:
            about = one["exhibit"]
            found.append(
                Exhibited(about["key"], f"{about['kind']}, {about['title']}", frozenset(one["results"]))
            )
    return found


def first_exhibit(
    project: Path, names: Sequence[str], chapters: Sequence[Chapter], differences: Sequence[Difference]
) -> str:
    """The first exhibit along the data flow whose data or named results differ, in words; "" where all agree.

    Chapters go before scenarios, so that a fault in an early chapter is named before what it led to. Where an earlier
    table differs it is named too, and where results alone differ, which no exhibit states, the first of them.
    """
    parts = []
    table = next(
        (one for stem in (c.stem for c in chapters) for one in differences
         if one.kind == "table" and one.chapter == stem), None,
    )  # fmt: skip
    if table is not None:
        parts.append(
            f"first table that differs along the data flow: {table.scenario} {table.key}, made by {table.chapter}"
        )
    exhibit = _first(project, names, chapters, differences)
    if exhibit is not None:
        told, one = exhibit
        parts.append(f"first exhibit that differs along the data flow: {told}")
        parts.append(str(one))
    elif alone := next((one for c in chapters for one in differences
                        if one.chapter == c.stem and one.kind in ("result", "notebook")), None):  # fmt: skip
        parts.append(f"no exhibit differs; the first result that does, along the data flow:\n{alone}")
    return "\n".join(parts)


def _first(
    project: Path, names: Sequence[str], chapters: Sequence[Chapter], differences: Sequence[Difference]
) -> tuple[str, Difference] | None:
    """The first exhibit in words, and its first difference."""
    for chapter in chapters:
        for name in names:
            here = [one for one in differences if one.chapter == chapter.stem and one.scenario == name]
            data = {one.key: one for one in reversed(here) if one.kind == "exhibit"}
            results = {one.key: one for one in reversed(here) if one.kind == "result"}
            known = in_order(project, name, chapter)
            for exhibit in known:
                stated = next((results[key] for key in results if key in exhibit.results), None)
                if one := data.get(exhibit.key) or stated:
                    return f"{name} {chapter.stem} {exhibit.key} ({exhibit.title})", one
            # one that is no longer shown has no place among the cells
            for key, one in sorted(data.items()):
                if key not in {exhibit.key for exhibit in known}:
                    return f"{name} {chapter.stem} {key}", one
    return None


def counted(project: Path, names: Sequence[str], chapter: Chapter, differences: Sequence[Difference]) -> Row:
    """A chapter's row: over the named results and exhibits that are published or were found."""
    results, exhibits = set(), set()
    for name in names:
        for folder in (project / "reports" / "expected" / name, project / "reports" / name):
            results |= {(name, key) for key in read_json(folder / "results.json").get(chapter.stem, {})}
            there = (folder / "exhibits" / chapter.stem).glob("*.csv")
            exhibits |= {(name, path.stem) for path in there}
    here = tuple(one for one in differences if one.chapter == chapter.stem)
    other = {
        kind: {(one.scenario, one.key) for one in here if one.kind == kind} for kind in ("result", "exhibit")
    }
    return Row(
        chapter,
        len(results), len(results - other["result"]),
        len(exhibits), len(exhibits - other["exhibit"]),
        here, tuple(name for name in names if any(one.scenario == name for one in here)),
    )  # fmt: skip


def account(
    project: Path, names: Sequence[str], chapters: Sequence[Chapter], differences: Sequence[Difference]
) -> Account:
    """The account of a built project folder's differences from its published results."""
    known = {chapter.stem for chapter in chapters}
    names = sorted(names, key=lambda name: (name != "base", name))
    rows = tuple(counted(project, names, chapter, differences) for chapter in chapters)
    return Account(
        rows,
        first_exhibit(project, names, chapters, differences),
        tuple(one for one in differences if one.chapter not in known),
        tuple(names),
    )


def opened(project: Path, names: Sequence[str], chapter: Chapter) -> set[str]:
    """The files that a chapter opened in any of these scenarios, relative to the project."""
    found: set[str] = set()
    for name in names:
        record = unseal(project / ".cache" / "build" / name / "chapters" / f"{chapter.stem}.json")
        found |= set(record.get("made_from", {}).get("files", {}))
    return found
