"""What stands beside a report's pages for reviewers: the analysis tables in their formats, and a guide.

What they say is worded in the chapters' room (`contents.ADAM`, `contents.GUIDE`); here is what the build knows:
files and their digests, modules, words of make, benchmarks, by how much machines may differ.
"""

import ast
import csv
import importlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.build.heads import SYNTHETIC, Head
from helpers.build.origins import syntax
from helpers.build.publishing import checksum
from helpers.chapters.contents import ADAM, GUIDE

FOLDER = "adam"
"""Where the analysis tables of a report stand, below its pages."""
TOLERANCE = 1e-6
"""By how much a number of another machine may differ, relative: what `verify` allows."""


TIMES = "benchmarks/run_times.csv"
"""What `benchmarks/run_times.py` writes."""

SAID = re.compile(r'''(?:#.*\n|\s)*"""(.*?)(?:"""|\n)''')
"""A module's docstring up to the end of its first line; to parse a hundred files takes a second."""


def named(address: str) -> Callable:
    """The function behind module:name."""
    module, _, function = address.partition(":")
    return getattr(importlib.import_module(module), function)


def modules() -> list[str]:
    """The modules whose code decides what is made here."""
    return [ADAM.partition(":")[0], GUIDE.partition(":")[0], "helpers.build.reviewer"]


def tables(name: str, about: str, folder: Path, head: Head = SYNTHETIC) -> dict[str, bytes]:
    """The reviewers' files of a folder of tables, by their places in the report. Raises Problem."""
    made = named(ADAM)(name, about, folder, f"../reviewer{head.tail}.html")
    return {f"{FOLDER}/{part}": body for part, body in made.items()}


def sections(
    name: str,
    about: str,
    chapters: Sequence[Any],
    records: Mapping[str, Mapping[str, Any]],
    root: Path,
    report: Path,
    pages: Sequence[Path],
    data: Sequence[tuple[str, Path]],
    head: Head = SYNTHETIC,
) -> list[dict[str, Any]]:
    """The guide's sections, each with an `id` for links.

    root: of the project; report: the folder where the report's files are staged, pages: these files; data: its tables,
    address and path; head: what the pages say of their data.
    """

    def exhibit(stem: str, key: str) -> list[dict[str, str]]:
        path = report / "exhibits" / stem / f"{key}.csv"
        return list(csv.DictReader(io.StringIO(path.read_text("utf-8")))) if path.is_file() else []

    own = [(path.relative_to(report).as_posix(), path) for path in pages]
    facts = {
        "name": name,
        "about": about,
        "own": head.own,
        "tail": head.tail,
        "chapters": chapters,
        "records": records,
        "exhibit": exhibit,
        "rows": dict(counted(data)),
        "places": {path.stem: address for address, path in data if path.suffix == ".csv"},
        "modules": described(root),
        "words": words(root),
        "benchmarks": benchmarks(root),
        "times": times(root),
        "files": [
            (address, address.removeprefix("../../"), checksum(path)) for address, path in [*own, *data]
        ],
        "tolerance": str(TOLERANCE),
    }
    made = named(GUIDE)(facts)
    return [{**one, "id": re.sub(r"[^a-z0-9]+", "-", one["heading"].lower()).strip("-")} for one in made]


def counted(data: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, tuple[int, int]]]:
    """(Table, (its rows, its children)) of tables with a column of children."""
    for _, path in data:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
            children = {row.get("USUBJID") for row in rows}
            yield path.stem, (len(rows), len(children - {None}))


def read_from(root: Path) -> list[Path]:
    """The files that the guide quotes."""
    found = [
        root / "Makefile",
        *(root / "benchmarks").glob("bench_*.py"),
        root / TIMES,
        *(root / "src/helpers").rglob("*.py"),
    ]
    return sorted(path for path in found if path.is_file())


def described(root: Path) -> list[tuple[str, str]]:
    """(Dotted name, first line of its docstring) of the project's modules, by name."""
    found = []
    for path in sorted((root / "src" / "helpers").rglob("*.py")):
        said = first_line(path)
        if said:
            found.append((".".join(path.relative_to(root / "src").with_suffix("").parts), said))
    return found


def first_line(path: Path) -> str:
    """The first line of the docstring that a file begins with; nothing where it begins with none."""
    found = SAID.match(path.read_text("utf-8"))
    return found[1].strip() if found else ""


def words(root: Path) -> list[tuple[str, str]]:
    """(Word, what it does) of the Makefile; none where there is none."""
    path = root / "Makefile"
    text = path.read_text("utf-8") if path.is_file() else ""
    return re.findall(r"^([a-z-]+):.*## (.*)$", text, re.M)


def times(root: Path) -> list[dict[str, str]]:
    """Rows of the measured run times: command, what, seconds, machine; none where there is no such file."""
    path = root / TIMES
    text = path.read_text("utf-8") if path.is_file() else ""
    return list(csv.DictReader(io.StringIO(text)))


def benchmarks(root: Path) -> list[tuple[str, str]]:
    """(File, what its docstring says) of the benchmarks."""
    found = []
    for path in sorted((root / "benchmarks").glob("bench_*.py")):
        found.append(
            (
                path.relative_to(root).as_posix(),
                " ".join((ast.get_docstring(syntax(path.read_text("utf-8"))) or "").split()),
            )
        )
    return found
