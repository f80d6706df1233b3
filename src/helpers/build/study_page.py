"""Print the page of a finished study of many trials: `reports/study_<name>/index.html`.

    python -m helpers.build.study_page NAME

The notebook `studies/page.ipynb` is run with the study's name, as a chapter is with its scenario's, and printed by the
same functions; it is no part of any scenario's report.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from helpers import ROOT, Problem
from helpers.build import alone, pages
from helpers.build.driver import lock, say
from helpers.build.environment import variables
from helpers.build.kernels import DRAWN, execute
from helpers.build.publishing import REPORTS, STAGING, Folder, recover, refuse_links, shown
from helpers.study.files import write
from helpers.study.freshness import digest

SOURCE = ROOT / "studies" / "page.ipynb"


@dataclass(frozen=True)
class _Page:
    stem: str
    title: str
    about: str = ""


def build(name: str) -> int:
    """Exit code. Raises Problem or OSError."""
    table = ROOT / "studies" / "results" / f"{name}.csv"
    if not table.is_file():
        raise Problem(f"{shown(table)} is not there; run `make study STUDY={name}`")
    # no scenario's name holds this character
    title = f"study_{name}"
    final, stage = Folder(REPORTS / title, title), STAGING / title
    held = lock()
    refuse_links(REPORTS, STAGING, stage)
    recover()
    final.check(["index.html"])
    os.environ.update(variables())
    os.chdir(SOURCE.parent)
    draft = stage / "page.ipynb"
    stage.mkdir(parents=True, exist_ok=True)
    execute(SOURCE, draft, {"study": name}, dict(os.environ) | {DRAWN: "1"})
    page = _Page("index", f"Study {name}")
    key = digest(SOURCE.read_bytes(), table.read_bytes())
    files, results, _ = pages.chapter_page(json.loads(draft.read_bytes()), page, [page], title, key)
    files["results.json"] = pages.results_file({page.stem: results})
    staged = {place: stage / "report" / place for place in files}
    for place, content in files.items():
        write(staged[place], content)
    kept = final.publish(staged)[1]
    for path, now in kept.items():
        say(f"{shown(path)} was not what the build had written; yours is kept as {shown(now)}")
    held.close()
    say(f"page: {REPORTS / title / 'index.html'}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code, as `alone.told` has it."""
    name = (sys.argv[1:] if arguments is None else [*arguments])[0]
    return alone.told(lambda: build(name), "stopped; the study's results stand")


if __name__ == "__main__":
    sys.exit(main())
