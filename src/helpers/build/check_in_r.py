"""The main results once more, in R: write the scripts, run them where there is an R, and say what agrees.

    python -m helpers.build.check_in_r [--scenario NAME] [--set "a=1 b=2"] [--need-r]

`reports/<scenario>/r/` gets a script a chapter, which runs by itself on the published ADaM tables, and, where an
Rscript ran them, `agreement.csv` and a page with every number beside R's. What is compared with what, and how closely,
is the table of chapters' business; this module knows no trial.
"""

import argparse
import csv
import importlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.build.driver import asked, explained, lock, say
from helpers.build.edition import Edition
from helpers.build.own_edition import OwnEdition
from helpers.build.publishing import (
    IN_R,
    MADE_FROM,
    REPORTS,
    STAGING,
    TWICE,
    checksum,
    interruptible,
    is_own,
    place,
    recover,
    refuse_links,
    shown,
    tidy,
)
from helpers.chapters.contents import PROGRAMMED_TWICE
from helpers.study.files import read_json, seal, unseal, write
from helpers.study.freshness import Sources

LIMIT = 1800
"""Seconds that a script may run for."""
AT_ONCE = 2
OPTIONS = ("--no-save", "--no-restore", "--no-init-file", "--no-site-file")
"""Nothing that a user has set decides an answer; packages of the user's own library are found."""
NO_R = "there is no Rscript on this machine"
COLUMNS = ("chapter", "key", "ours", "r", "difference", "tolerance", "agrees", "allows for")


def edition_of(name: str) -> Edition:
    """The report, of a scenario or on own data, with its parameters. Raises Problem while its arms are dummy arms."""
    made = OwnEdition(name, Sources()) if is_own(name) else Edition(name, Sources())
    made.resolve()
    if made.head.tail:
        raise Problem(f"{name} has dummy arms while it is blinded: there is nothing to check in R yet")
    return made


def records(edition: Edition) -> dict[str, dict]:
    """What the pages of a built report say, by chapter. Raises Problem where the report is not built."""
    name = edition.name
    found = {
        one.stem: unseal(STAGING / name / "report" / "keys" / f"{one.stem}.json") for one in edition.chapters
    }
    absent = [stem for stem, record in found.items() if not record]
    if absent or not (REPORTS / name / "results.json").is_file():
        raise Problem(
            f"the report of {name} is not built ({', '.join(absent) or 'results.json is missing'}): `make report` "
            "with the same SCENARIO and SET builds it"
        )
    return found


def answered(rscript: str, script: Path, tables: Path) -> tuple[str, str]:
    """What a script prints, and why it failed (else empty)."""
    words = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [rscript, *OPTIONS, str(script), str(tables)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
            env={**os.environ, **words},
        )
    except subprocess.TimeoutExpired:
        return "", f"did not end within {LIMIT} seconds"
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-3:]
        return "", f"ended with exit code {done.returncode}: {' '.join(last) or 'no words'}"[:500]
    return done.stdout, ""


def table(rows: Sequence[Any]) -> str:
    """The agreements as CSV text: numbers at full precision, empty where there is none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in rows:
        numbers = (one.ours, one.theirs, one.difference, one.tolerance)
        told = ["" if value is None else repr(value) for value in numbers]
        writer.writerow([one.chapter, one.key, *told, "yes" if one.agrees else "no", one.why])
    return buffer.getvalue()


def build(edition: Edition, rscript: str | None) -> tuple[int, list[str]]:
    """Write and run the scripts of a study; the exit code and the last lines. Raises Problem or OSError."""
    twice, name = importlib.import_module(PROGRAMMED_TWICE), edition.name
    refuse_links(REPORTS, STAGING, STAGING / name)
    recover()
    results = read_json(REPORTS / name / "results.json")
    key = read_json(REPORTS / name / "provenance.json").get("content_key", "")
    tables = edition.published
    where = os.path.relpath(tables, REPORTS / name / IN_R.parent)
    scripts = twice.scripts(name, Path(where).as_posix(), records(edition), edition.resolved["parameters"])
    files = {f"{one.stem}.R": one.text for one in scripts}
    stage = STAGING / name / "r"
    shutil.rmtree(stage, ignore_errors=True)
    for file, text in files.items():
        write(stage / file, text)
    if rscript is None:
        publish(name, files)
        return 0, []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outputs = list(pool.map(lambda one: answered(rscript, stage / f"{one.stem}.R", tables), scripts))
    answers, words, failed = {}, {}, {}
    for one, (text, why) in zip(scripts, outputs, strict=True):
        try:
            answers[one.stem], words[one.stem] = twice.parsed(text)
        except ValueError as fault:
            why = why or str(fault)
        if why:
            failed[one.stem] = why
    rows, alone = twice.agreements(answers, results)
    from helpers.build import pages

    files["agreement.csv"] = table(rows)
    parts = [
        (
            one,
            [row for row in rows if row.chapter == one.stem],
            words.get(one.stem, []),
            failed.get(one.stem, ""),
        )
        for one in scripts
    ]
    agree = sum(row.agrees for row in rows)
    page = pages.single(
        "Beside R, programmed twice", "in_r.html",
        footer=f"Scenario {name} · content key {key[:16]} · trial NCT06731192",
        parts=parts, rows=rows, agree=agree, alone=alone, named=sum(map(len, results.values())),
        title=f"Beside R, programmed twice · {name}", head=edition.head, home=edition.index,
    )  # fmt: skip
    publish(name, {**files, IN_R.name: page})
    write(STAGING / name / "r" / MADE_FROM, seal({"content_key": key}))
    lines = [f"{stem} failed in R: {why}" for stem, why in failed.items()]
    lines += [f"{stem}: {line}" for stem, told in words.items() for line in told]
    lines += [
        f"  {row.key}: ours {row.ours}, R's {row.theirs}, allowed {row.tolerance}"
        for row in rows
        if not row.agrees
    ]
    lines.append(f"page: {REPORTS / name / IN_R}")
    lines.append(f"in R: {agree} of {len(rows)} results agree")
    return (0 if agree == len(rows) and rows and not failed else 1), lines


def publish(name: str, files: dict[str, str | bytes]) -> None:
    """Put the scripts and the page in their places; what an earlier run wrote and this one does not goes."""
    stage, final, record = STAGING / name / "r", REPORTS / name / IN_R.parent, STAGING / name / TWICE
    for file, content in files.items():
        write(stage / file, content if isinstance(content, bytes) else content.encode())
    before = unseal(record).get("files", {})
    for path, now in place({final / file: stage / file for file in files}, record).items():
        say(f"{shown(path)} was not what the check had written; yours is kept as {shown(now)}")
    for old, sums in before.items():
        path = ROOT / old
        gone = path.parent == final and path.name not in files and path.is_file() and not path.is_symlink()
        if gone and checksum(path) in sums:
            path.unlink()
            tidy(path.parent)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, also without an R, which is said; 1 where R and we differ; 2 where there is no report; 3 without an
    R where one is needed; 130 stopped."""
    interruptible()
    parser = argparse.ArgumentParser(
        prog="python -m helpers.build.check_in_r", description="The main results once more, in R."
    )
    parser.add_argument(
        "--scenario", default="base", help="a file in scenarios/, without .yaml; own-<folder> on own data"
    )
    parser.add_argument("--set", default="", help='parameters that were changed: "upcr_effect=0.8"')
    parser.add_argument(
        "--need-r", action="store_true", help="end with exit code 3 where there is no Rscript"
    )
    options = parser.parse_args(arguments)
    options.all = False
    rscript = shutil.which("Rscript")
    try:
        name = options.scenario if is_own(options.scenario) else asked(options)[0]
        held = lock()
        edition = edition_of(name)
        code, lines = build(edition, rscript)
        # the report's overview says that the page is there
        edition.finish()
        held.close()
    except Problem as problem:
        say(str(problem), sys.stderr)
        return 2
    except OSError as error:
        say(f"check in R stopped: {explained(error)}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped; nothing was compared", sys.stderr)
        return 130
    for line in lines:
        say(line)
    if rscript is None:
        say(f"scripts: {REPORTS / name / IN_R.parent}; run them where there is an R")
        say(f"not checked in R: {NO_R}")
        return 3 if options.need_r else 0
    return code


if __name__ == "__main__":
    sys.exit(main())
