"""From a number back to what it was made from: where it is stated, functions, tables, parameters.

    python -m helpers.build.trace "remission.primary.msc.share" [--scenario NAME] [--set "a=1 b=2"]

Asks the records of a report that is built; nothing runs. A name is a result's key, or the beginning of several up to a
dot, or an exhibit as pages and files name it ("Table 6.1", remission-primary); several are separated by spaces or
commas. Only the standard library is imported.
"""

import argparse
import difflib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from helpers import ROOT, Problem
from helpers.build import origins
from helpers.build.driver import asked, explained, say
from helpers.build.publishing import (
    OWN_TABLES,
    REPORTS,
    STAGING,
    TABLES,
    checksum,
    interruptible,
    is_own,
    shown,
)
from helpers.chapters import contents
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import unseal
from helpers.study.freshness import ALL, Sources, digest

GONE = "gone since"
MOST = 12
"""Values that are printed of one place; the rest is counted."""


@dataclass(frozen=True)
class Told:
    """What the records of a built report say of one chapter."""

    chapter: Chapter
    results: dict[str, dict]
    stated: list[dict]
    sources: dict[str, str]
    made_from: dict[str, Any]
    exhibits: dict[str, dict]


def report(name: str) -> list[Told]:
    """The records of a scenario's report, chapter by chapter. Raises Problem where it is not built."""
    found, absent = [], []
    for chapter in contents.own() if is_own(name) else CHAPTERS:
        page = unseal(STAGING / name / "report" / "keys" / f"{chapter.stem}.json")
        run = unseal(STAGING / name / "chapters" / f"{chapter.stem}.json")
        if not page or not run:
            absent.append(chapter.stem)
            continue
        parts = (page[name] for name in ("results", "stated", "sources"))
        found.append(Told(chapter, *parts, run["made_from"], page.get("exhibits", {})))
    if absent:
        raise Problem(
            f"the report of {name} is not built ({', '.join(absent)}): `make report` with the same SCENARIO and SET "
            "builds it"
        )
    return found


LABELLED = re.compile(r"\b(table|figure)[\s_]*(\d+(?:\.\d+)?)(?!\.?\d)", re.I)


def shown_as(text: str, whole: Sequence[Told]) -> tuple[list[tuple[Told, str]], str, list[str]]:
    """(Exhibits that a text asks for, each with its chapter; the rest of the text; labels that no exhibit has)."""
    by_name: dict[str, list[tuple[Told, str]]] = {}
    for told in whole:
        for key, one in told.exhibits.items():
            for name in (one.get("label", "").lower(), key, f"exhibit-{key}", f"{told.chapter.stem}.{key}"):
                by_name.setdefault(name, []).append((told, key))
    labels = [f"{kind.lower()} {number}" for kind, number in LABELLED.findall(text)]
    rest = LABELLED.sub(" ", text)
    words = [word for word in re.split(r"[\s,]+", rest) if word]
    faults = [
        f"no exhibit is called {label.capitalize()!r}"
        + near(label, [name for name in by_name if LABELLED.fullmatch(name)], str.capitalize)
        for label in labels
        if label not in by_name
    ]
    asked = [*labels, *words]
    found = [one for name in dict.fromkeys(asked) for one in by_name.get(name, ())]
    return found, " ".join(word for word in words if word not in by_name), list(dict.fromkeys(faults))


def near(name: str, names: Iterable[str], worded: Callable[[str], str] = str) -> str:
    """The nearest names, for the end of a message."""
    found = difflib.get_close_matches(name, sorted(names), 3, 0.6)
    return f"; the nearest: {', '.join(map(worded, found))}" if found else ""


def wanted(text: str, keys: Iterable[str]) -> list[str]:
    """The keys that a text asks for, in the order of `keys`.

    Raises Problem, all faults at once, with the nearest names for one that is none.
    """
    keys = list(keys)
    beginnings = {".".join(key.split(".")[:k]) for key in keys for k in range(1, key.count(".") + 2)}
    names = [name for name in re.split(r"[\s,]+", text) if name]
    if not names:
        raise Problem(f"RESULT= names a result, such as RESULT={keys[0] if keys else 'remission.primary.p'}")
    faults = []
    for name in dict.fromkeys(names):
        if name.rstrip(".") not in beginnings:
            faults.append(f"no result is called {name[:100]!r}{near(name, beginnings)}")
    if faults:
        raise Problem("\n".join(faults))
    asked_for = [name.rstrip(".") for name in names]
    return [key for key in keys if any(key == name or key.startswith(f"{name}.") for name in asked_for)]


def value_line(key: str, result: dict) -> str:
    """A result as stored and as shown."""
    unit = f" {result['unit']}" if result["unit"] else ""
    return f"{key} = {json.dumps(result['value'], ensure_ascii=False)}{unit}, shown as {result['shown']}"


def tail_of(name: str) -> str:
    """What the names of a report's files end with."""
    return "-dummy-arms" if is_own(name) and "-dummy-arms" in name else ""


def stating(told: Told, keys: Sequence[str]) -> list[dict]:
    """Where a chapter states some results: entries of `build.origins.stated`."""
    return [one for one in told.stated if set(one["results"]) & set(keys)]


def place_lines(name: str, told: Told, stated: Sequence[dict]) -> list[str]:
    """Where a chapter states something, and the functions that its cells lead through."""
    first = next((f"#exhibit-{one['exhibit']['key']}" for one in stated if one["exhibit"]), "")
    page = f"{shown(REPORTS / name)}/{told.chapter.stem}{tail_of(name)}.html{first}"
    lines = [f"  chapter     {told.chapter.stem}, {told.chapter.title}: {page}"]
    functions: dict[tuple, None] = {}
    for one in stated:
        exhibit = one["exhibit"]
        words = f"{exhibit['kind']} {exhibit['key']}: {exhibit['title']}" if exhibit else "a sentence"
        label = told.exhibits.get(exhibit["key"], {}).get("label", "") if exhibit else ""
        words = f"{label}, {words}" if label else words
        lines.append(f"  stated in   cell [{one['cell']}], {words}")
        functions |= dict.fromkeys(map(tuple, one["functions"]))
    sources = Sources()
    now = sources.files(told.sources)
    for function, file, first, last in functions:
        moved = "" if now[file] == told.sources[file] else "  (changed since the report was built)"
        lines.append(f"  function    {function}  {file}:{first}-{last}{moved}")
    return lines


def table_lines(name: str, told: Told, whole: Sequence[Told], stated: Sequence[dict] = ()) -> list[str]:
    """The tables that led to what a chapter states, with SHA-256, and back from each to the chapter that made it.

    All that the chapter read where its cells do not tell which.
    """
    inputs = told.made_from["inputs"]
    mine = dict(item for one in stated for item in origins.led_here(one, inputs).items()) or inputs
    lines, waiting, seen = [], list(mine.items()), set()
    while waiting:
        table, was = waiting.pop(0)
        if table in seen:
            continue
        seen.add(table)
        path = (OWN_TABLES if is_own(name) else TABLES) / name / table
        here = f"sha256 {checksum(path)}" if path.is_file() else GONE
        if path.is_file() and digest(path.read_bytes()) != was:
            here += "  (changed since the chapter read it)"
        maker = next((one for one in whole if table in one.chapter.writes), None)
        by = "" if maker is None else f", made by {maker.chapter.stem}"
        if maker and maker.chapter.makes:
            by += f" ({maker.chapter.makes.replace(':', '.')})"
        lines.append(f"  table       {shown(path)}  {here}{by}")
        waiting += [] if maker is None else maker.made_from["inputs"].items()
    return lines


def read_lines(told: Told) -> list[str]:
    """The parameters that a chapter read, with their values, and the reference files that it opened."""
    values = {name: value for name, value in told.made_from["parameters"].items() if name != ALL}
    everything = " (and the scenario as a whole)" if ALL in told.made_from["parameters"] else ""
    listed = ", ".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    lines = [f"  parameters  {len(values)} read{everything}: {listed or 'none by name'}"]
    for file, was in told.made_from["files"].items():
        path = ROOT / file
        moved = "" if Sources().digest(path) == was else "  (changed since the chapter read it)"
        here = f"sha256 {checksum(path)}" if path.is_file() else "a folder" if path.is_dir() else GONE
        lines.append(f"  file        {file}  {here}{moved}")
    return lines


def exhibit_lines(name: str, told: Told, key: str, whole: Sequence[Told]) -> list[str]:
    """An exhibit: what it is, where it stands, its data, what led to it, and the results that it carries."""
    stated = [one for one in told.stated if (one["exhibit"] or {}).get("key") == key]
    exhibit = stated[0]["exhibit"] if stated else {}
    label = told.exhibits[key].get("label", key)
    lines = [f"{label} ({key}): {told.exhibits[key].get('title', '')}"]
    lines += [f"  {word:<11} {exhibit[word]}" for word in ("population", "n", "method") if exhibit.get(word)]
    lines += place_lines(name, told, stated)
    path = REPORTS / name / "exhibits" / told.chapter.stem / f"{key}{tail_of(name)}.csv"
    if path.is_file():
        lines.append(f"  data        {shown(path)}  sha256 {checksum(path)}")
    lines += table_lines(name, told, whole, stated) + read_lines(told)
    carried = [one for entry in stated for one in entry["results"] if one in told.results]
    lines.append(f"  results     {len(carried) or 'none'}")
    return lines + [f"    {value_line(one, told.results[one])}" for one in carried]


def chain(name: str, text: str) -> list[str]:
    """The lines that are printed for the results and exhibits that a text asks for. Raises Problem."""
    whole = report(name)
    exhibits, rest, faults = shown_as(text, whole)
    keys: set[str] = set()
    if rest or not (exhibits or faults):
        try:
            keys = set(wanted(rest, dict.fromkeys(key for told in whole for key in told.results)))
        except Problem as problem:
            faults.append(str(problem))
    if faults:
        raise Problem("\n".join(faults))
    lines = [f"scenario {name}"]
    for told, key in exhibits:
        lines += exhibit_lines(name, told, key, whole)
    for told in whole:
        here = [key for key in told.results if key in keys]
        if not here:
            continue
        lines += [value_line(key, told.results[key]) for key in here[:MOST]]
        lines += [f"... and {len(here) - MOST} more"] * (len(here) > MOST)
        stated = stating(told, here)
        lines += place_lines(name, told, stated) + table_lines(name, told, whole, stated) + read_lines(told)
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 2 for a name that is none, or a report that is not built."""
    interruptible()
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.trace", description="Follow a number back."
    )
    parser.add_argument("result", help="a result's key or the beginning of several, or an exhibit: Table 6.1")
    parser.add_argument("--scenario", default="base", help="a file in scenarios/, without .yaml")
    parser.add_argument("--set", default="", help='parameters that were changed: "upcr_effect=0.8"')
    options = parser.parse_args(arguments)
    options.all = False
    try:
        name = options.scenario if is_own(options.scenario) else asked(options)[0]
        for line in chain(name, options.result):
            say(line)
    except Problem as problem:
        say(str(problem), sys.stderr)
        return 2
    except OSError as error:
        say(explained(error), sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
