"""Build the report: run the chapters that something changed for, make their pages, publish them.

    python -m helpers.build.driver [--scenario NAME] [--set "a=1 b=2"] [--all] [--notebooks]

The chapters run in a pool of two kernels, each as soon as its inputs are there; `edition` stages and
publishes what they make. Only the standard library is imported until there is something to do.
"""

import argparse
import errno
import fcntl
import json
import os
import queue
import re
import shlex
import sys
import threading
import time
from pathlib import Path

from helpers import ROOT, Problem
from helpers.build.edition import CACHE, FAILED, REPORTS, STAGING, TABLES, Edition, overall_index
from helpers.build.environment import variables
from helpers.build.kernels import CellFailed, NoKernel, end_kernels
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import read_json, write
from helpers.study.freshness import Sources

STARTED = time.perf_counter()
WORKERS = 2
STOPPED = "stopped; what is published is whole, and finished chapters need not run again"
MACHINE = 3
"""Exit code where the machine, not the project, is at fault."""
NAME = re.compile(r"([a-z0-9][a-z0-9-]*)(\+[0-9a-f]+)?")


def say(text: str) -> None:
    print(text, flush=True)


# ------------------------------------------------------------------ what was asked for


def scenarios() -> list[str]:
    names = sorted(p.stem for p in (ROOT / "scenarios").glob("*.yaml") if NAME.fullmatch(p.stem))
    return sorted(names, key=lambda name: name != "base")


def asked(arguments) -> list[str]:
    """The names of the scenarios to build. Raises Problem for a name or a change that can't be."""
    if arguments.all:
        return scenarios()
    name = arguments.scenario
    match = NAME.fullmatch(name)
    if not match or match[1] not in scenarios():
        rule = "(a name has lower-case letters, digits and hyphens)"
        raise Problem(f"unknown scenario {name!r}; there are: {', '.join(scenarios())} {rule}")
    if match[2] and not (TABLES / name / "overrides.json").is_file():
        raise Problem(f"data/synthetic/{name}/ does not exist; scenarios: {', '.join(scenarios())}")
    if not arguments.set.strip():
        return [name]
    changes = {}
    try:
        parts = shlex.split(arguments.set)
    except ValueError as error:
        raise Problem(f"SET={arguments.set!r}: {error}") from None
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise Problem(
                f"SET={arguments.set!r}: {part!r} is not of the form name=value "
                "(a value with a space in it stands in quotes: gfr_method='U25 mean')"
            )
        if key in changes:
            raise Problem(f"SET={arguments.set!r}: {key} is given twice")
        changes[key] = typed(value)
    from helpers.study import scenario

    if "scenario" in changes:
        raise Problem("SET changes parameters; the scenario is chosen by SCENARIO=name")
    return [scenario.derive_folder(name, changes)]


def complete_notebooks() -> None:
    """Raise Problem where a notebook of the table of chapters is missing."""
    for chapter in CHAPTERS:
        if not (ROOT / "notebooks" / f"{chapter.stem}.ipynb").is_file():
            raise Problem(
                f"notebooks/{chapter.stem}.ipynb is missing: the report has no chapter {chapter.title!r}"
            )


def typed(text: str) -> int | float | bool | str | list:
    """A value from the command line: whole number, number, list of them, true or false, or text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.startswith("[") and text.endswith("]"):
        return [typed(part.strip()) for part in text[1:-1].split(",")]
    return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)


# ------------------------------------------------------------------ running


class Workshop:
    """Two workers that execute and render chapters; everything heavy is imported when it opens."""

    def __init__(self):
        self.open = self.ready = self.at_fault = False
        self.jobs, self.results = queue.Queue(), queue.Queue()

    def prepare(self) -> None:
        """Set the environment and import Papermill."""
        if self.ready:
            return
        self.ready = True
        os.environ.update(variables())
        # jsonschema would build a grammar of web addresses, for a second, that no notebook needs
        sys.modules["rfc3987_syntax"] = None
        # all that the workers use, before there are two: packages that import in circles show half-made modules
        import ipykernel.kernelspec  # noqa: F401
        import IPython  # noqa: F401
        import papermill  # noqa: F401

        import helpers.study.scenario  # noqa: F401

        # Papermill starts kernels in the current folder, which threads share
        os.chdir(ROOT / "notebooks")

    def do(self, *job) -> None:
        if not self.open:
            import helpers.build.pages  # noqa: F401 once, before two workers ask for it

            self.open = True
            for _ in range(WORKERS):
                threading.Thread(target=self.work, daemon=True).start()
        self.jobs.put(job)

    def work(self) -> None:
        while True:
            edition, chapter, standing = self.jobs.get()
            began, error = time.perf_counter(), None
            try:
                if standing is None:
                    edition.run(chapter, dict(os.environ))
                elif not edition.executed(chapter, standing):
                    edition.take_over(chapter, standing)
                edition.render(chapter)
            except BaseException as raised:
                error = raised
            maker = standing[0] if standing else edition.name
            self.results.put((edition, chapter, maker, time.perf_counter() - began, error))

    def close(self) -> None:
        end_kernels()


def heights() -> dict[str, int]:
    """How many chapters stand on each other above a chapter: the longest chain goes first."""
    found: dict[str, int] = {}
    for chapter in reversed(CHAPTERS):
        readers = [one for one in CHAPTERS if set(one.reads) & set(chapter.writes)]
        found[chapter.stem] = 1 + max((found[one.stem] for one in readers), default=0)
    return found


def build(editions: list[Edition], workshop: Workshop) -> bool:
    """Bring all editions up to date, and publish each when its last chapter is done. True if all are."""
    height = heights()
    while True:
        for edition in editions:
            advance(edition, editions, workshop, height)
        if not any(edition.running for edition in editions):
            return not any(edition.failed for edition in editions)
        try:
            edition, chapter, maker, seconds, error = workshop.results.get(timeout=0.1)
        except queue.Empty:
            continue
        edition.running.discard(chapter.stem)
        edition.ran = True
        workshop.at_fault |= isinstance(error, NoKernel)
        if error is None:
            edition.done.add(chapter.stem)
            say(
                f"{edition.name}  {chapter.stem:<22}"
                + (f"{seconds:6.1f} s" if maker == edition.name else f"  as in {maker}")
            )
        else:
            edition.failed = True
            report_failure(edition, chapter, error)


def advance(edition: Edition, editions: list[Edition], workshop: Workshop, height: dict[str, int]) -> None:
    """Hand out the chapters whose inputs are there; finish the edition when all are done."""
    for chapter in sorted(CHAPTERS, key=lambda one: -height[one.stem]):
        busy = sum(len(one.running) for one in editions)
        known = edition.done | edition.running
        if edition.failed or busy >= WORKERS or chapter.stem in known:
            continue
        if not edition.readable(chapter):
            continue
        standing = edition.standing(chapter)
        stands = edition.executed(chapter, standing)
        if stands and edition.rendered(chapter):
            edition.done.add(chapter.stem)
            advance(edition, editions, workshop, height)
            return
        if not stands:
            workshop.prepare()
        edition.running.add(chapter.stem)
        workshop.do(edition, chapter, standing)
    if len(edition.done) == len(CHAPTERS) and not edition.failed and "published" not in edition.done:
        began = time.perf_counter()
        edition.finish()
        edition.done.add("published")
        for path in edition.put_back:
            say(f"{path.relative_to(ROOT)} was not what the chapters write, and was put back")
        if edition.ran:
            say(f"{edition.name}  {'pages and tables':<22}{time.perf_counter() - began:6.1f} s")


def report_failure(edition: Edition, chapter: Chapter, error: BaseException) -> None:
    """Keep the failed notebook and say what happened: chapter, cell, the error's last lines."""
    where = f"{edition.name}  {chapter.stem} failed"
    if not isinstance(error, CellFailed):
        text = explained(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        say(f"{where}: {error if isinstance(error, Problem | NoKernel) else text}")
        return
    draft = edition.draft(chapter)
    failed = FAILED / edition.name / f"{chapter.stem}.ipynb"
    say(f"{where} in cell [{error.count}]")
    if error.name == "Problem":
        say(error.message)
    else:
        from nbconvert.filters.ansi import strip_ansi

        lines = [line for line in strip_ansi(error.trace).splitlines() if line.strip()]
        last = f"{error.name}: {error.message}".strip().splitlines()
        shown = lines[-6:] if lines[-len(last) :] == last else [*lines[-6:], *last]
        say("\n".join(f"    {line}" for line in shown))
    try:
        from helpers.build import pages

        content = draft.read_bytes()
        write(failed, content)
        write(failed.with_suffix(".html"), pages.failed_page(json.loads(content), chapter, edition.name))
        say(f"the notebook as far as it came: {failed.relative_to(ROOT)}")
    except OSError as why:
        say(f"the failed notebook could not be saved: {explained(why)}")


def explained(error: OSError) -> str:
    """An operating system's error in a sentence that names the place."""
    place = error.filename2 or error.filename
    shown = str(place or "")
    if place is not None and Path(shown).is_relative_to(ROOT):
        shown = str(Path(shown).relative_to(ROOT))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        folder = Path(shown) if Path(place or "").is_dir() else Path(shown).parent
        return f"can't write in the folder {folder}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full ({error.strerror}){': ' + shown if shown else ''}"
    return f"{error.strerror or error}{': ' + shown if shown else ''}"


def lock():
    """Keep two builds in one folder apart; the operating system frees the lock when we end."""
    CACHE.mkdir(exist_ok=True)
    handle = open(CACHE / "build.lock", "w")  # noqa: SIM115 held until the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another build is running in this folder: waiting for it to end")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def stop(workshop: Workshop, text: str, code: int) -> None:
    """Say one line and end at once, kernels included."""
    print(text, file=sys.stderr, flush=True)
    workshop.close()
    os._exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 where a chapter failed or a file could not be written; 2 for bad input; 3 where no kernel
    came up; 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.driver", description="Build the report.")
    parser.add_argument("--scenario", default="base", help="a file in scenarios/, without .yaml")
    parser.add_argument("--set", default="", help='parameters to change: "upcr_effect=0.8 n_randomised=60"')
    parser.add_argument("--all", action="store_true", help="build every scenario")
    parser.add_argument(
        "--notebooks", action="store_true", help="then put the executed notebooks in notebooks/"
    )
    options = parser.parse_args(arguments)
    if options.notebooks and (options.all or options.set or options.scenario != "base"):
        parser.error("--notebooks keeps the outputs of the base scenario only")
    workshop = Workshop()
    try:
        names = asked(options)
        held = lock()
        for folder in (REPORTS, TABLES, STAGING):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, "permission denied", str(folder))
        memory = CACHE / "build" / "sources.json"
        sources = Sources(read_json(memory))
        editions = [Edition(name, sources) for name in names]
        for edition in editions:
            edition.resolve()
    except Problem as problem:
        stop(workshop, str(problem), 2)
    except OSError as error:
        stop(workshop, f"build stopped: {explained(error)}", 1)
    except KeyboardInterrupt:
        stop(workshop, STOPPED, 130)
    try:
        complete_notebooks()
        complete = build(editions, workshop)
        overall_index(sources)
        if options.notebooks and complete:
            put_notebooks(editions[0])
        if sources.used != sources.memo:
            write(memory, json.dumps(sources.used).encode())
        ran = any(edition.ran for edition in editions)
        if ran:
            record_times(editions)
        workshop.close()
        held.close()
    except Problem as problem:
        stop(workshop, str(problem), 1)
    except OSError as error:
        stop(workshop, f"build stopped: {explained(error)}", 1)
    except KeyboardInterrupt:
        stop(workshop, STOPPED, 130)
    if not complete:
        mend = "free this machine of other work" if workshop.at_fault else "mend the chapter"
        print(f"the report was not changed; {mend} and run the same command again", file=sys.stderr)
        return MACHINE if workshop.at_fault else 1
    page = (
        REPORTS / "index.html" if len(names) > 1 or names == ["base"] else REPORTS / names[0] / "index.html"
    )
    say(f"report: {page}" if ran else f"nothing has changed; report: {page}")
    return 0


def put_notebooks(edition: Edition) -> None:
    """Replace the notebooks by their executed selves."""
    for chapter in CHAPTERS:
        content, final = edition.notebook(chapter).read_bytes(), ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        if final.read_bytes() != content:
            write(final, content)
            say(f"notebooks/{final.name} renewed")


def record_times(editions: list[Edition]) -> None:
    """`.cache/build.json`: wall time and the seconds inside cells, for the benchmark."""
    times = {edition.name: edition.seconds for edition in editions}
    wall = time.perf_counter() - STARTED
    write(CACHE / "build.json", json.dumps({"wall": wall, "cells": times}, indent=1).encode())


if __name__ == "__main__":
    sys.exit(main())
