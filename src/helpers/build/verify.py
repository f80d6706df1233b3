"""Verify: rebuild everything from the committed state and compare with the published results.

    python -m helpers.build.verify            compare; the last line says yes or no, or why it could not be told
    python -m helpers.build.verify --renew    show what changed in the working copy, then renew

`reports/expected/<scenario>/` holds the published results: every named result, and the data of every
exhibit. Counts and text must be equal, other numbers agree to 1e-6 relative, because the last bits of exp,
log and linear algebra differ between processors. The committed tables of `data/synthetic/` and the results
stored in the committed notebooks are held to the same, and a part of each result in `data/reference/stored/`,
drawn by a seed, is computed again. What differs is told by chapter and along the data flow (`account`), with what
changed in the sources since publication (`since`), on the terminal and as the page `reports/verify.html`.
"""

import argparse
import contextlib
import fcntl
import io
import json
import math
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from helpers import ROOT, Problem
from helpers.build import since
from helpers.build.account import MOST, Account, Difference, account, opened
from helpers.build.driver import INCOMPLETE, MACHINE, explained, say
from helpers.build.environment import settings
from helpers.build.publishing import (
    CACHE,
    EXPECTED,
    STAGING,
    VERIFIED,
    VERIFY_PAGE,
    beside,
    carry,
    contents,
    interruptible,
    place,
    recover,
    refuse_links,
    shown,
    swap,
    tidy,
)
from helpers.build.reviewer import TOLERANCE
from helpers.chapters.contents import CHAPTERS
from helpers.study.files import write
from helpers.study.freshness import below

PICTURE = ("07-time-to-remission", "ttr-confirmed")
"""The exhibit (chapter, key) whose picture stands in the README."""


def close(expected: object, found: object) -> bool:
    """Equal; numbers that are not both whole agree to TOLERANCE relative (absolute below 1e-9)."""
    if isinstance(expected, bool) or isinstance(found, bool) or isinstance(expected, str):
        return expected == found
    if not isinstance(expected, int | float) or not isinstance(found, int | float):
        return expected == found
    if float(expected).is_integer() and float(found).is_integer():
        return expected == found
    return math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=1e-9)


def compare_results(name: str, expected: dict, found: dict) -> list[Difference]:
    """Named results of two `results.json`, chapter by chapter, of the scenario `name`."""
    out = []
    for chapter in sorted(set(expected) | set(found)):
        old, new = expected.get(chapter, {}), found.get(chapter, {})
        for key in sorted(set(old) | set(new)):
            where = f"{name} {chapter} {key}"
            if key not in new or key not in old:
                pair = where, _or_none(old, key), _or_none(new, key)
            elif not close(old[key]["value"], new[key]["value"]):
                pair = where, str(old[key]["value"]), str(new[key]["value"])
            else:
                # how it is shown belongs to a result
                other = [part for part in ("unit", "digits") if old[key].get(part) != new[key].get(part)]
                if not other:
                    continue
                pair = f"{where} {other[0]}", str(old[key].get(other[0])), str(new[key].get(other[0]))
            out.append(Difference(*pair, name, chapter, "result", key))
    return out


def _or_none(results: dict, key: str) -> str:
    return str(results[key]["value"]) if key in results else "no such result"


def compare_tables(where: str, expected: str, found: str) -> list[Difference]:
    """Two CSV texts, cell by cell; the first ten differences."""
    if expected == found:
        return []
    import pandas as pd

    old, new = (pd.read_csv(io.StringIO(t), dtype=str, keep_default_na=False) for t in (expected, found))
    if list(old.columns) != list(new.columns):
        return [Difference(f"{where} columns", ", ".join(old.columns), ", ".join(new.columns))]
    if len(old) != len(new):
        return [Difference(f"{where} rows", str(len(old)), str(len(new)))]
    out = []
    for column in old.columns:
        for row in (old[column] != new[column]).to_numpy().nonzero()[0]:
            a, b = old[column].iloc[row], new[column].iloc[row]
            if not close(_number(a), _number(b)):
                out.append(Difference(f"{where} row {row + 2}, column {column}", a or "empty", b or "empty"))
    return out[:10]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def compare_folders(
    where: str,
    expected: Path,
    found: Path,
    suffix: str = ".csv",
    belongs: Callable[[str], tuple[str, str, str, str]] = lambda name: ("", "", "", ""),
) -> list[Difference]:
    """Every table below two folders, by relative path; `belongs` gives scenario, chapter, kind and key of one."""
    old = {p.relative_to(expected).as_posix(): p for p in below(expected) if p.suffix == suffix}
    new = {p.relative_to(found).as_posix(): p for p in below(found) if p.suffix == suffix}
    out = []
    for name in sorted(set(old) | set(new)):
        if name not in new or name not in old:
            there, not_there = ("a table", "no such table")
            pair = (there, not_there) if name in old else (not_there, there)
            here = [Difference(f"{where}/{name}", *pair)]
        else:
            here = compare_tables(f"{where}/{name}", *(p.read_text("utf-8") for p in (old[name], new[name])))
        scenario, chapter, kind, key = belongs(name)
        out += [replace(one, scenario=scenario, chapter=chapter, kind=kind, key=key) for one in here]
    return out


def exhibit_of(scenario: str) -> Callable[[str], tuple[str, str, str, str]]:
    """Where the data of a scenario's exhibit belongs, by its path: 06-remission/primary.csv."""

    def belongs(name: str) -> tuple[str, str, str, str]:
        chapter, _, file = name.partition("/")
        return scenario, chapter, "exhibit", file.removesuffix(".csv")

    return belongs


def table_of(scenario: str) -> Callable[[str], tuple[str, str, str, str]]:
    """Where a scenario's table belongs: to the chapter that writes it."""

    def belongs(name: str) -> tuple[str, str, str, str]:
        makers = [one.stem for one in CHAPTERS if any(name == w or name.startswith(f"{w.rstrip('/')}/")
                                                      for w in one.writes)]  # fmt: skip
        return scenario, makers[0] if makers else "", "table", name

    return belongs


def stored_results(notebook: Path) -> dict[str, dict]:
    """Named results stored in an executed notebook's outputs."""
    found = {}
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            metadata = output.get("metadata", {})
            for record in [*metadata.get("results", []), *metadata.get("exhibit", {}).get("results", [])]:
                found[record["key"]] = record
    return found


def committed(target: Path) -> str:
    """Put the committed state of the project (or, outside git, its files) into a folder; says which."""
    git = shutil.which("git")
    # a copy that stands in somebody else's repository is none of its files
    checkout = git and (ROOT / ".git").exists()
    if checkout and subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True).returncode == 0:
        archive = subprocess.run([git, "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(target, filter="data")
        dirty = subprocess.run(
            [git, "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True
        ).stdout
        return "the committed state" + (", without the uncommitted changes of this folder" if dirty else "")
    skip = shutil.ignore_patterns(".venv", ".cache", "__pycache__", ".git", ".hypothesis")
    shutil.copytree(ROOT, target, ignore=skip, dirs_exist_ok=True)
    for folder in (target / "reports").glob("*"):
        if folder.name != "expected":
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    return "the files of this folder (it is no git checkout)"


def environment(project: Path) -> dict[str, str]:
    """The variables with which a copy of the project runs its own source."""
    values = {**settings(), "PYTHONPATH": str(project / "src")}
    values.pop("ALPORT_DATA", None)
    return values


def build(project: Path) -> None:
    """Build every scenario of a project folder with this Python; its progress goes to our output.

    Raises Problem where the build fails: there is nothing to compare then.
    """
    command = [sys.executable, "-m", "helpers.build.driver", "--all", "--with-parent"]
    code = subprocess.run(command, cwd=project, env=environment(project)).returncode
    if code == MACHINE:
        raise Problem("no kernel came up on this machine, see above; free it of other work and try again")
    if code:
        raise Problem(f"the build ended with exit code {code}, see above")


def compare(project: Path) -> list[Difference]:
    """A built project folder against its own published results, committed tables and stored notebooks."""
    out = []
    names = scenario_names(project)
    for name in names:
        expected, found = project / "reports" / "expected" / name, project / "reports" / name
        if not (expected / "results.json").is_file():
            out.append(Difference(f"{name}", "published results", "none in reports/expected", name))
            continue
        old, new = (json.loads((f / "results.json").read_text("utf-8")) for f in (expected, found))
        out += compare_results(name, old, new)
        exhibits = expected / "exhibits", found / "exhibits"
        out += compare_folders(f"{name} exhibits", *exhibits, belongs=exhibit_of(name))
    for folder in sorted((project / "reports" / "expected").glob("*/results.json")):
        if folder.parent.name not in names:
            gone = folder.parent.name
            out.append(Difference(gone, "a scenario", "no such file in scenarios/", gone))
    results = json.loads((project / "reports" / "base" / "results.json").read_text("utf-8"))
    for chapter in CHAPTERS:
        stored = stored_results(project / "notebooks" / f"{chapter.stem}.ipynb")
        told = compare_results(
            "notebooks", {chapter.stem: stored}, {chapter.stem: results.get(chapter.stem, {})}
        )
        out += [replace(one, scenario="base", kind="notebook") for one in told]
    return out


def compare_stored(project: Path) -> list[Difference]:
    """A part of each stored result of a project folder, computed again. Raises Problem where that fails."""
    command = [sys.executable, "-m", "helpers.design.renewal", "--sample"]
    done = subprocess.run(command, cwd=project, env=environment(project), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Problem(f"the stored results could not be computed (exit code {done.returncode}), see above")
    readers = {
        Path(file).stem: chapter.stem
        for chapter in reversed(CHAPTERS)
        for file in opened(project, scenario_names(project), chapter)
        if file.startswith("data/reference/stored/")
    }
    out = []
    for line in done.stdout.splitlines():
        one = Difference(*map(str, json.loads(line)))
        # "stored characteristics of no-effect, sizes: ..."
        name, _, rest = one.where.removeprefix("stored ").partition(" of ")
        scenario = rest.partition(",")[0]
        out.append(replace(one, scenario=scenario, chapter=readers.get(name, ""), kind="stored", key=name))
    return out


def scenario_names(project: Path) -> list[str]:
    """The scenarios of a project folder, by name."""
    return sorted(path.stem for path in (project / "scenarios").glob("*.yaml"))


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A new folder that goes away in the end, and with it those of verifications that were killed.

    Who works in a folder holds a lock on the file beside it, which the operating system frees with the
    process: a folder whose lock is free is nobody's.
    """
    place = CACHE / "verify"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "all.lock", "w") as gate:
        # one at a time, so that no folder is taken for left before its owner has locked it
        fcntl.flock(gate, fcntl.LOCK_EX)
        for lock in place.glob("*/lock"):
            with open(lock, "w") as held, contextlib.suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=place))
        held = open(folder / "lock", "w")  # noqa: SIM115 until the folder is gone
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def verify() -> Account:
    """Everything that is not as published, by chapter. Raises Problem where that could not be found out."""
    with workplace() as folder:
        project = folder / "project"
        say(f"rebuilding {committed(project)}")
        data = folder / "committed-data"
        if (project / "data" / "synthetic").is_dir():
            shutil.copytree(project / "data" / "synthetic", data)
        build(project)
        differences = compare(project) + compare_stored(project)
        for name in sorted(p.name for p in data.glob("*") if p.is_dir()):
            made = project / "data" / "synthetic" / name
            where = f"data/synthetic/{name}"
            differences += compare_folders(where, data / name, made, belongs=table_of(name))
        whole = account(project, scenario_names(project), CHAPTERS, differences)
        return since.explain(ROOT, project, whole, CHAPTERS)


def publish_page(whole: Account) -> None:
    """`reports/verify.html`: the account as a page. A page that somebody changed is kept under another name."""
    from helpers.build import pages

    staged = STAGING / "pages" / VERIFY_PAGE.name
    write(staged, pages.single("Same results as published?", "verify.html", whole=whole, most=MOST))
    for path, now in place({VERIFY_PAGE: staged}, STAGING / VERIFIED).items():
        say(f"{shown(path)} was not what the verification had written; yours is kept as {shown(now)}")
    say(f"page: {VERIFY_PAGE}")


def conclude(whole: Account) -> int:
    """Tell the account, as lines and as a page; the last line is the verdict. Exit code 0 or 1."""
    for line in whole.lines():
        say(line)
    try:
        publish_page(whole)
    except (OSError, Problem) as fault:
        # the verdict stands without its page
        say(f"no page: {explained(fault) if isinstance(fault, OSError) else fault}")
    say(f"same results as published: {whole.verdict}")
    return 0 if whole.verdict == "yes" else 1


def renew() -> int:
    """Build this working copy, show what differs from the published results, and publish it instead."""
    build(ROOT)
    differences = [d for d in compare(ROOT) if not d.where.startswith("notebooks ")]
    for line in account(ROOT, scenario_names(ROOT), CHAPTERS, differences).lines():
        say(line)
    refuse_links(EXPECTED)
    recover()
    names = scenario_names(ROOT)
    for name in names:
        refuse_links(EXPECTED / name)
        source, final = ROOT / "reports" / name, EXPECTED / name
        fresh, before = beside(final), contents(final)
        shutil.rmtree(fresh, ignore_errors=True)
        files = [source / "results.json", *(p for p in below(source / "exhibits") if p.suffix == ".csv")]
        for path in files:
            part = path.relative_to(source)
            write(fresh / part, _published_anew(final / part, path))
        for part, path in before.items():
            if not published(part):
                carry(path, fresh / part)
        swap(final, set(before))
    for folder in EXPECTED.glob("*/"):
        if folder.name not in names and (folder / "results.json").is_file() and not folder.is_symlink():
            for part, path in contents(folder).items():
                if published(part) and not path.is_symlink():
                    path.unlink()
                    tidy(path.parent)
    chapter, key = PICTURE
    picture = ROOT / "reports" / "base" / "exhibits" / chapter / f"{key}.png"
    write(EXPECTED / "remission.png", picture.read_bytes())
    say(f"{len(differences)} differences; published results renewed for {', '.join(names)}")
    return 0


def _published_anew(before: Path, now: Path) -> str:
    """What to publish: where the two agree as `compare` has it, what stands, so that another machine's last bits are
    no renewal; each named result for itself.
    """
    text = now.read_text("utf-8")
    if not before.is_file():
        return text
    old = before.read_text("utf-8")
    if now.suffix == ".csv":
        return text if compare_tables(now.name, old, text) else old
    from helpers.build import pages

    known, found = json.loads(old), json.loads(text)
    for chapter, results in found.items():
        stood = known.get(chapter, {})
        for key, new in results.items():
            was = stood.get(key, {})
            if was | {"value": 0} == new | {"value": 0} and close(was["value"], new["value"]):
                results[key] = was
    return old if found == known else pages.results_text(found)


def published(part: str) -> bool:
    """Whether a path in a scenario's folder of published results is one that we write."""
    return part == "results.json" or (part.startswith("exhibits/") and part.endswith(".csv"))


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 and `yes`; 1 and `no`; 3 where it could not be checked or renewed, and why; 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.verify")
    parser.add_argument("--renew", action="store_true", help="publish the results of this working copy")
    renewing = False
    try:
        interruptible()
        # whoever ends us ends what we started: an exception does, a plain death does not
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        renewing = parser.parse_args(arguments).renew
        return renew() if renewing else conclude(verify())
    except KeyboardInterrupt:
        why, code = "stopped", 130
    except Problem as reason:
        why, code = str(reason), 3
    except OSError as error:
        why, code = explained(error), 3
    except ImportError as error:
        why, code = f"{error}; {INCOMPLETE}", 3
    except subprocess.CalledProcessError as error:
        why, code = f"{error.cmd[0]} ended with exit code {error.returncode}", 3
    say(f"could not be {'renewed' if renewing else 'checked'}: {why}")
    return code


if __name__ == "__main__":
    sys.exit(main())
