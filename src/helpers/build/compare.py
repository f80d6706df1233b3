"""Print the page of two settings side by side: `reports/compare/<name>.html`, what `make compare A=... B=...` does.

    python -m helpers.build.compare A B

The notebook `studies/compare.ipynb` is run with the two settings, as a chapter is with its scenario's name. All
comparisons stand in one folder under names made of what they compare, and an index lists them; a comparison that is
made again takes the place of the earlier one.
"""

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from helpers import ROOT, Problem
from helpers.build import alone, pages
from helpers.build.driver import lock, say, scenarios
from helpers.build.environment import variables
from helpers.build.kernels import DRAWN, execute
from helpers.build.publishing import REPORTS, STAGING, Folder, recover, refuse_links
from helpers.study.files import seal, unseal, write
from helpers.study.freshness import digest

SOURCE = ROOT / "studies" / "compare.ipynb"
TITLE = "compare"
LONGEST_NAME = 60
"""Characters of a page's name that tell what it compares."""


@dataclass(frozen=True)
class _Page:
    stem: str
    title: str
    about: str = ""


def name_of(a: str, b: str) -> str:
    """The name of a comparison's page: what it compares, then what keeps two of the same words apart."""
    words = re.sub(r"[^a-z0-9.]+", "-", f"{a} v {b}".lower()).strip("-")[:LONGEST_NAME].strip("-.")
    return f"{words.replace('.', '_')}-{digest(a, b)[:8]}"


def build(a: str, b: str) -> int:
    """Exit code. Raises Problem, CellFailed, NoKernel or OSError."""
    for letter, text in (("A", a), ("B", b)):
        if not text.strip():
            raise Problem(
                f"{letter} is empty; a setting is a scenario's name, then changes: "
                'make compare A=base B="base upcr_effect=0.8"'
            )
    if TITLE in scenarios():
        raise Problem(f"scenarios/{TITLE}.yaml has the name of the folder of comparisons: give it another")
    final, stage = Folder(REPORTS / TITLE, TITLE), STAGING / TITLE
    name = name_of(a, b)
    held = lock()
    refuse_links(REPORTS, STAGING, stage)
    recover()
    final.check(["index.html"])
    os.environ.update(variables())
    os.chdir(SOURCE.parent)
    stage.mkdir(parents=True, exist_ok=True)
    draft = stage / f"{name}.ipynb"
    execute(SOURCE, draft, {"a": a, "b": b}, dict(os.environ) | {DRAWN: "1"})
    page = _Page(name, f"{a} v {b}")
    key = digest(draft.read_bytes())
    files, results, _ = pages.chapter_page(
        json.loads(draft.read_bytes()), page, [page], TITLE, key, named=f"A: {a}; B: {b}"
    )
    for place, content in files.items():
        write(stage / "report" / place, content)
    made = {"key": key, "a": a, "b": b, "files": sorted(files), "results": results}
    write(stage / f"{name}.json", seal(made))
    kept = final.publish(staged(stage))[1]
    for path, now in kept.items():
        say(f"{path.relative_to(ROOT)} was not what the build had written; yours is kept as {now.name}")
    held.close()
    say(f"page: {REPORTS / TITLE / f'{name}.html'}")
    return 0


def staged(stage):
    """The files of all comparisons made so far, by their place in the folder, with the index of them."""
    found, listed, results = {}, [], {}
    for record in sorted(stage.glob("*.json")):
        known = unseal(record)
        # what was published of them has its record here, too
        if not {"a", "b", "files", "results"} <= set(known):
            continue
        files = {place: stage / "report" / place for place in known["files"]}
        if not files or not all(path.is_file() for path in files.values()):
            continue
        found |= files
        listed.append((record.stem, known["a"], known["b"]))
        results[record.stem] = known["results"]
    for place, content in (
        ("index.html", pages.comparisons_index(listed)),
        ("results.json", pages.results_file(results)),
    ):
        write(stage / "report" / place, content)
        found[place] = stage / "report" / place
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code, as `alone.told` has it."""
    given = sys.argv[1:] if arguments is None else [*arguments]
    if len(given) != 2:
        say('two settings are compared: make compare A=base B="base upcr_effect=0.8"', sys.stderr)
        return 2
    return alone.told(lambda: build(*given), "stopped; what is published is whole")


if __name__ == "__main__":
    sys.exit(main())
