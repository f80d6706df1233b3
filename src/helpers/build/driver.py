"""Build the report: run the chapters that something changed for, make their pages, publish them.

    python -m helpers.build.driver [--scenario NAME] [--set "a=1 b=2"] [--all] [--notebooks] [--limit SECONDS]
                                   [--data FOLDER [--mapping FILE]]

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
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from helpers import ROOT, Problem
from helpers.build.edition import Edition, keep_failed, overall_index
from helpers.build.environment import variables
from helpers.build.kernels import CellFailed, NoKernel, end_kernels, without_drawings
from helpers.build.origins import PARSER
from helpers.build.publishing import (
    CACHE,
    FAILED,
    INTERRUPTED,
    OWN_TABLES,
    REPORTS,
    STAGING,
    TABLES,
    interruptible,
    recover,
    refuse_links,
    shown,
)
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import seal, unseal, write
from helpers.study.freshness import Sources
from helpers.study.wording import spaced, unknown_scenario

STARTED = time.perf_counter()
WORKERS = 2
STOPPED = "stopped; what is published is whole, and finished chapters need not run again"
MACHINE = 3
"""Exit code where the machine, not the project, is at fault."""
NAME = re.compile(r"([a-z0-9][a-z0-9-]*)(\+[0-9a-f]+)?")
LIMIT = 7200
"""Seconds that a cell may run for unless told otherwise: many times what the longest takes on a loaded machine."""

SIGN_OF_LIFE = 60
"""Seconds of silence after which the build says what it is waiting for."""

WIDEST, LONGEST = 300, 12
"""Characters of a line, and lines, of an error that the terminal is shown."""


class SharedSources(Sources):
    """Sources that the threads of a build parse one at a time: see `origins.PARSER`."""

    def _remember(self, label: str, work: Callable[[], list]) -> list:
        with PARSER:
            return super()._remember(label, work)


def say(text: str, stream=None) -> None:
    """Print a line. A reader that has gone away, or an output that is closed, stops no build."""
    try:
        print(text, file=stream or sys.stdout, flush=True)
    except (OSError, ValueError):
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), (stream or sys.stdout).fileno())


def end_with_parent() -> None:
    """End this process when the one that started it is gone, killed or not."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        end_kernels()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
        raise Problem(f"{unknown_scenario(name, scenarios())} {rule}")
    if match[2] and not (TABLES / name / "overrides.json").is_file():
        raise Problem(f"data/synthetic/{name}/ does not exist; scenarios: {', '.join(scenarios())}")
    changes = settings(arguments)
    if not changes:
        return [name]
    from helpers.study import scenario

    return [scenario.derive_folder(name, changes)]


def settings(arguments) -> dict:
    """The parameters that SET changes. Raises Problem for a change that can't be."""
    if not arguments.set.strip():
        return {}
    from helpers.study import scenario
    from helpers.study.settings import given

    changes: dict = {}
    try:
        parts = shlex.split(arguments.set)
    except ValueError as error:
        raise Problem(f"SET={scenario.text(arguments.set)!r}: {error}") from None
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key or not value:
            raise Problem(
                f"SET={scenario.text(arguments.set)!r}: {scenario.text(part)!r} is not of the form name=value"
                + (
                    spaced(arguments.set)
                    or " (a value with a space in it stands in quotes: gfr_method='U25 mean')"
                )
            )
        if key in changes:
            raise Problem(f"SET={scenario.text(arguments.set)!r}: {scenario.text(key)} is given twice")
        changes[key] = given(value)
    if "scenario" in changes:
        raise Problem("SET changes parameters; the scenario is chosen by SCENARIO=name")
    return changes


def own_data(arguments) -> list[str]:
    """The name of the report on a folder of own data, which is read into the stage. Raises Problem."""
    from helpers.build.own_edition import receive

    name = arguments.scenario
    if name not in scenarios():
        raise Problem(f"the readings: {unknown_scenario(name, scenarios())}")
    folder = Path(arguments.data).expanduser()
    if not folder.is_dir():
        raise Problem(f"DATA={arguments.data}: there is no such folder")
    mapping = Path(arguments.mapping).expanduser() if arguments.mapping else None
    if mapping is not None and not mapping.is_file():
        raise Problem(f"MAPPING={arguments.mapping}: there is no such file")
    return [receive(folder, mapping, name, settings(arguments))]


def complete_notebooks(chapters: tuple[Chapter, ...] | None = None) -> None:
    """Raise Problem where a notebook of the table of chapters is missing."""
    for chapter in CHAPTERS if chapters is None else chapters:
        if not (ROOT / "notebooks" / f"{chapter.stem}.ipynb").is_file():
            raise Problem(
                f"notebooks/{chapter.stem}.ipynb is missing: the report has no chapter {chapter.title!r}"
            )


# ------------------------------------------------------------------ running


class Workshop:
    """Two workers that execute and render chapters; everything heavy is imported when it opens."""

    def __init__(self, limit: int | None = LIMIT):
        self.limit = limit
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
                    edition.run(chapter, dict(os.environ), self.limit)
                elif not edition.executed(chapter, standing):
                    edition.take_over(chapter, standing)
                edition.render(chapter)
            except BaseException as raised:
                error = raised
            maker = standing[0] if standing else edition.name
            self.results.put((edition, chapter, maker, time.perf_counter() - began, error))

    def close(self) -> None:
        end_kernels()


def heights(chapters: tuple[Chapter, ...] | None = None) -> dict[str, int]:
    """How many chapters stand on each other above a chapter: the longest chain goes first."""
    found: dict[str, int] = {}
    chapters = CHAPTERS if chapters is None else chapters
    for chapter in reversed(chapters):
        readers = [one for one in chapters if set(one.reads) & set(chapter.writes)]
        found[chapter.stem] = 1 + max((found[one.stem] for one in readers), default=0)
    return found


def build(editions: list[Edition], workshop: Workshop) -> bool:
    """Bring all editions up to date, and publish each when its last chapter is done. True if all are."""
    height = {stem: high for edition in editions for stem, high in heights(edition.chapters).items()}
    heard = time.monotonic()
    while True:
        if INTERRUPTED.is_set():
            raise KeyboardInterrupt
        for edition in editions:
            advance(edition, editions, workshop, height)
        if not any(edition.running for edition in editions):
            return not any(edition.failed for edition in editions)
        try:
            edition, chapter, maker, seconds, error = workshop.results.get(timeout=0.1)
        except queue.Empty:
            if time.monotonic() - heard >= SIGN_OF_LIFE:
                heard = time.monotonic()
                say(waiting(editions))
            continue
        heard = time.monotonic()
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


def waiting(editions: list[Edition]) -> str:
    """What the build is doing, in a line: chapters that run and the cells that they have reached."""
    parts = [
        f"{one.name} {stem}" + (f" in cell [{one.cells[stem]}]" if stem in one.cells else "")
        for one in editions
        for stem in sorted(one.running)
    ]
    return f"still running after {time.perf_counter() - STARTED:.0f} s: {', '.join(parts)}"


def advance(edition: Edition, editions: list[Edition], workshop: Workshop, height: dict[str, int]) -> None:
    """Hand out the chapters whose inputs are there; finish the edition when all are done."""
    for chapter in sorted(edition.chapters, key=lambda one: -height[one.stem]):
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
    if len(edition.done) == len(edition.chapters) and not edition.failed and "published" not in edition.done:
        began = time.perf_counter()
        edition.finish()
        edition.done.add("published")
        for path in edition.put_back:
            say(f"{shown(path)} was not what the chapters write, and was put back")
        tell_kept(edition.kept)
        if edition.ran:
            say(f"{edition.name}  {'pages and tables':<22}{time.perf_counter() - began:6.1f} s")


def report_failure(edition: Edition, chapter: Chapter, error: BaseException) -> None:
    """Keep the failed notebook and say what happened: chapter, cell, the error's last lines."""
    where = f"{edition.name}  {chapter.stem} failed"
    if not isinstance(error, CellFailed):
        text = explained(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        if edition.head.own and not isinstance(error, Problem | NoKernel | OSError):
            # what a library says of a value may be a child's
            text = type(error).__name__
        say(f"{where}: {error if isinstance(error, Problem | NoKernel) else text}")
        if isinstance(error, ImportError) or "No module named" in text:
            say(INCOMPLETE)
        return
    if edition.head.own:
        report_own_failure(edition, chapter, error)
        return
    draft = edition.draft(chapter)
    failed = FAILED / edition.name / f"{chapter.stem}.ipynb"
    say(f"{where} in cell [{error.count}]")
    if error.name == "Problem":
        say(cut(error.message))
    else:
        from nbconvert.filters.ansi import strip_ansi

        lines = [line for line in strip_ansi(error.trace).splitlines() if line.strip()]
        last = f"{error.name}: {error.message}".strip().splitlines()
        told = lines[-6:] if lines[-len(last) :] == last else [*lines[-6:], *last]
        if len(told) > LONGEST:
            told = [*told[: LONGEST // 2], f"... {len(told) - LONGEST} lines ...", *told[-LONGEST // 2 :]]
        say("\n".join(f"    {cut(line)}" for line in told))
        if error.name == "ModuleNotFoundError":
            say(INCOMPLETE)
    try:
        from helpers.build import pages

        content = draft.read_bytes()
        page = pages.failed_page(json.loads(content), chapter, edition.name)
        keep_failed({failed: content, failed.with_suffix(".html"): page})
        say(f"the notebook as far as it came: {shown(failed)}")
    except OSError as why:
        say(f"the failed notebook could not be saved: {explained(why)}")
    except Problem as why:
        say(f"the failed notebook could not be saved: {why}")


def report_own_failure(edition: Edition, chapter: Chapter, error: CellFailed) -> None:
    """Say what happened in a chapter on own data, and keep its notebook without any output: outputs hold children.

    A message of ours names a child's id and the value in question, and is told whole; one of a library may quote any
    value, so that of it the kind of error and the lines of code are told.
    """
    from nbconvert.filters.ansi import strip_ansi

    from helpers.build import pages

    say(f"{edition.name}  {chapter.stem} failed in cell [{error.count}]")
    lines = [error.message] if error.name == "Problem" else code_lines(strip_ansi(error.trace), error.name)
    for line in lines:
        say(cut(line))
    draft = edition.draft(chapter)
    notebook = json.loads(draft.read_bytes()) if draft.is_file() else {"cells": []}
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": [tag for tag in cell["metadata"].get("tags", ()) if tag != "finding"]}
        if cell["cell_type"] == "code":
            told = cell.get("execution_count") == error.count
            output = {"output_type": "error", "ename": error.name, "evalue": "", "traceback": lines}
            cell["outputs"] = [output] if told else []
    draft.unlink(missing_ok=True)
    failed = FAILED / edition.name / f"{chapter.stem}{edition.head.tail}.ipynb"
    try:
        page = pages.failed_page(notebook, chapter, edition.name, edition.head)
        keep_failed({failed: json.dumps(notebook, indent=1).encode(), failed.with_suffix(".html"): page})
        say(f"the notebook without its outputs: {shown(failed)}")
    except (OSError, Problem) as why:
        say(f"the failed notebook could not be saved: {explained(why) if isinstance(why, OSError) else why}")


def code_lines(trace: str, name: str) -> list[str]:
    """Of a traceback the kind of error and the places in code, without any text that may quote a value."""
    found = re.findall(r"(?:File|Cell) ([^\s,]+)(?:, line |:)(\d+)", trace)
    known = [f"{Path(file).name} line {number}" for file, number in found]
    return [f"{name} (its message may quote a child's values and is not told)", *known[-6:]]


INCOMPLETE = (
    "if a package of requirements.lock is missing from .venv: `rm .venv/.ready`, then the same command, "
    "makes the environment anew"
)


def cut(line: str) -> str:
    """A line that fits a terminal."""
    return line if len(line) <= WIDEST else f"{line[:WIDEST]}... ({len(line)} characters)"


def tell_kept(kept: dict[Path, Path]) -> None:
    """Say where files went that somebody changed where the build writes."""
    for path, now in kept.items():
        say(f"{shown(path)} was not what the build had written; yours is kept as {shown(now)}")


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
    CACHE.mkdir(parents=True, exist_ok=True)
    handle = open(CACHE / "build.lock", "w")  # noqa: SIM115 held until the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another build is running in this folder: waiting for it to end")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def stop(workshop: Workshop, text: str, code: int) -> None:
    """Say one line and end at once, kernels included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say(text, sys.stderr)
    workshop.close()
    os._exit(code)


def seconds(text: str) -> int:
    """The argument of --limit."""
    if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of seconds from 1 to 9999999")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 where a chapter failed or a file could not be written; 2 for bad input; 3 where no kernel
    came up; 130 stopped."""
    workshop = Workshop()
    try:
        interruptible()
        parser = argparse.ArgumentParser(
            prog="python -m helpers.build.driver", description="Build the report."
        )
        parser.add_argument("--scenario", default="base", help="a file in scenarios/, without .yaml")
        parser.add_argument(
            "--set", default="", help='parameters to change: "upcr_effect=0.8 n_randomised=60"'
        )
        parser.add_argument("--data", default="", help="a folder of own tables, which is only read")
        parser.add_argument(
            "--mapping", default="", help="a file that says how the own tables are to be read"
        )
        parser.add_argument("--all", action="store_true", help="build every scenario")
        parser.add_argument(
            "--notebooks", action="store_true", help="then put the executed notebooks in notebooks/"
        )
        parser.add_argument(
            "--limit", type=seconds, default=LIMIT, help=f"seconds that a cell may run for ({LIMIT})"
        )
        parser.add_argument("--with-parent", action="store_true", help="end when the caller is gone")
        options = parser.parse_args(arguments)
        if options.notebooks and (options.all or options.set or options.scenario != "base"):
            parser.error("--notebooks keeps the outputs of the base scenario only")
        if options.data and (options.all or options.notebooks):
            parser.error("--data is the report on one folder")
        if options.mapping and not options.data:
            parser.error("--mapping says how the tables of --data are to be read")
        if options.with_parent:
            end_with_parent()
        workshop.limit = options.limit
        return run(options, workshop)
    except Problem as problem:
        stop(workshop, str(problem), 1)
    except OSError as error:
        stop(workshop, f"build stopped: {explained(error)}", 1)
    except ImportError as error:
        stop(workshop, f"build stopped: {error}; {INCOMPLETE}", 1)
    except KeyboardInterrupt:
        stop(workshop, STOPPED, 130)
    return 1


def run(options: argparse.Namespace, workshop: Workshop) -> int:
    """Build what is asked for; the exit code. Raises Problem, OSError or ImportError."""
    held = lock()
    try:
        names = [] if options.data else asked(options)
        places = (REPORTS, OWN_TABLES, STAGING) if options.data else (REPORTS, TABLES, STAGING)
        for folder in places:
            refuse_links(folder)
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(errno.EACCES, "permission denied", str(folder))
        recover()
        memory = STAGING / "sources.json"
        sources = SharedSources(unseal(memory))
        if options.data:
            from helpers.build.own_edition import OwnEdition

            names = own_data(options)
        editions = [(OwnEdition if options.data else Edition)(name, sources) for name in names]
        for edition in editions:
            edition.resolve()
            edition.check_places()
    except Problem as problem:
        stop(workshop, str(problem), 2)
    complete_notebooks(editions[0].chapters)
    complete = build(editions, workshop)
    tell_kept(overall_index(sources))
    if options.notebooks and complete:
        put_notebooks(editions[0])
    if sources.used != sources.memo:
        write(memory, seal(sources.used))
    ran = any(edition.ran for edition in editions)
    if ran:
        record_times(editions)
    workshop.close()
    held.close()
    if not complete:
        mend = "free this machine of other work" if workshop.at_fault else "mend the chapter"
        say(f"the report was not changed; {mend} and run the same command again", sys.stderr)
        return MACHINE if workshop.at_fault else 1
    page = REPORTS / "index.html"
    if len(names) == 1 and names != ["base"]:
        page = REPORTS / names[0] / editions[0].index
    say(f"report: {page}" if ran else f"nothing has changed; report: {page}")
    return 0


def put_notebooks(edition: Edition) -> None:
    """Replace the notebooks by their executed selves."""
    for chapter in CHAPTERS:
        final = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        content = without_drawings(edition.notebook(chapter).read_bytes())
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
