"""Verify: rebuild everything from the committed state and compare with the published results.

    python -m helpers.build.verify            compare; the last line says yes or no, or why it could not be told
    python -m helpers.build.verify --renew    show what changed in the working copy, then renew

`reports/expected/<scenario>/` holds the published results: every named result, and the data of every
exhibit. Counts and text must be equal, other numbers agree to 1e-6 relative, because the last bits of exp,
log and linear algebra differ between processors. The committed tables of `data/synthetic/` and the results
stored in the committed notebooks are held to the same, and a part of each result in `data/reference/stored/`,
drawn by a seed, is computed again.
"""

import argparse
import contextlib
import fcntl
import io
import json
import math
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helpers import ROOT, Problem
from helpers.build.driver import MACHINE, explained
from helpers.build.edition import CACHE
from helpers.build.environment import settings
from helpers.chapters.contents import CHAPTERS
from helpers.study.freshness import below

EXPECTED = ROOT / "reports" / "expected"
TOLERANCE = 1e-6
PICTURE = ("07-time-to-remission", "ttr-confirmed")
"""The exhibit (chapter, key) whose picture stands in the README."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not as published."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        try:
            gap = f"{float(self.found) - float(self.expected):+.6g}"
        except ValueError:
            gap = "differs"
        return f"  {self.where}: expected {self.expected}, found {self.found} ({gap})"


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
    """Named results of two `results.json`, chapter by chapter."""
    out = []
    for chapter in sorted(set(expected) | set(found)):
        old, new = expected.get(chapter, {}), found.get(chapter, {})
        for key in sorted(set(old) | set(new)):
            where = f"{name} {chapter} {key}"
            if key not in new or key not in old:
                out.append(Difference(where, _or_none(old, key), _or_none(new, key)))
            elif not close(old[key]["value"], new[key]["value"]):
                out.append(Difference(where, str(old[key]["value"]), str(new[key]["value"])))
            elif old[key].get("unit") != new[key].get("unit"):
                out.append(Difference(f"{where} unit", str(old[key].get("unit")), str(new[key].get("unit"))))
    return out


def _or_none(results: dict, key: str) -> str:
    return str(results[key]["value"]) if key in results else "no such result"


def compare_tables(where: str, expected: str, found: str) -> list[Difference]:
    """Two CSV texts, cell by cell; the first ten differences."""
    if expected == found:
        return []
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


def compare_folders(where: str, expected: Path, found: Path, suffix: str = ".csv") -> list[Difference]:
    """Every table below two folders, by relative path."""
    old = {p.relative_to(expected).as_posix(): p for p in below(expected) if p.suffix == suffix}
    new = {p.relative_to(found).as_posix(): p for p in below(found) if p.suffix == suffix}
    out = []
    for name in sorted(set(old) | set(new)):
        if name not in new or name not in old:
            there, not_there = ("a table", "no such table")
            pair = (there, not_there) if name in old else (not_there, there)
            out.append(Difference(f"{where}/{name}", *pair))
        else:
            out += compare_tables(f"{where}/{name}", *(p.read_text("utf-8") for p in (old[name], new[name])))
    return out


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
    if git and subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True).returncode == 0:
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
    command = [sys.executable, "-m", "helpers.build.driver", "--all"]
    code = subprocess.run(command, cwd=project, env=environment(project)).returncode
    if code == MACHINE:
        raise Problem("no kernel came up on this machine, see above; free it of other work and try again")
    if code:
        raise Problem(f"the build ended with exit code {code}, see above")


def compare(project: Path) -> list[Difference]:
    """A built project folder against its own published results, committed tables and stored notebooks."""
    out = []
    names = sorted(p.stem for p in (project / "scenarios").glob("*.yaml"))
    for name in names:
        expected, found = project / "reports" / "expected" / name, project / "reports" / name
        if not (expected / "results.json").is_file():
            out.append(Difference(f"{name}", "published results", "none in reports/expected"))
            continue
        old, new = (json.loads((f / "results.json").read_text("utf-8")) for f in (expected, found))
        out += compare_results(name, old, new)
        out += compare_folders(f"{name} exhibits", expected / "exhibits", found / "exhibits")
    for folder in sorted((project / "reports" / "expected").glob("*/results.json")):
        if folder.parent.name not in names:
            out.append(Difference(folder.parent.name, "a scenario", "no such file in scenarios/"))
    results = json.loads((project / "reports" / "base" / "results.json").read_text("utf-8"))
    for chapter in CHAPTERS:
        stored = stored_results(project / "notebooks" / f"{chapter.stem}.ipynb")
        out += compare_results(
            "notebooks", {chapter.stem: stored}, {chapter.stem: results.get(chapter.stem, {})}
        )
    return out


def compare_stored(project: Path) -> list[Difference]:
    """A part of each stored result of a project folder, computed again. Raises Problem where that fails."""
    command = [sys.executable, "-m", "helpers.design.renewal", "--sample"]
    done = subprocess.run(command, cwd=project, env=environment(project), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Problem(f"the stored results could not be computed (exit code {done.returncode}), see above")
    return [Difference(*map(str, json.loads(line))) for line in done.stdout.splitlines()]


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
                shutil.rmtree(lock.parent)
        folder = Path(tempfile.mkdtemp(dir=place))
        held = open(folder / "lock", "w")  # noqa: SIM115 until the folder is gone
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def verify() -> list[Difference]:
    """Everything that is not as published. Raises Problem where that could not be found out."""
    with workplace() as folder:
        project = folder / "project"
        print(f"rebuilding {committed(project)}", flush=True)
        data = folder / "committed-data"
        if (project / "data" / "synthetic").is_dir():
            shutil.copytree(project / "data" / "synthetic", data)
        build(project)
        differences = compare(project) + compare_stored(project)
        for name in sorted(p.name for p in data.glob("*") if p.is_dir()):
            differences += compare_folders(
                f"data/synthetic/{name}", data / name, project / "data" / "synthetic" / name
            )
    return differences


def conclude(differences: list[Difference]) -> int:
    for difference in differences[:50]:
        print(difference)
    if len(differences) > 50:
        print(f"  ... and {len(differences) - 50} more")
    print(f"same results as published: {'no' if differences else 'yes'}", flush=True)
    return 1 if differences else 0


def renew() -> int:
    """Build this working copy, show what differs from the published results, and publish it instead."""
    build(ROOT)
    differences = [d for d in compare(ROOT) if not d.where.startswith("notebooks ")]
    for difference in differences[:200]:
        print(difference)
    names = sorted(p.stem for p in (ROOT / "scenarios").glob("*.yaml"))
    for name in names:
        source, fresh = ROOT / "reports" / name, EXPECTED / f".{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        shutil.copyfile(source / "results.json", fresh / "results.json")
        for path in below(source / "exhibits"):
            if path.suffix == ".csv":
                final = fresh / path.relative_to(source)
                final.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, final)
        shutil.rmtree(EXPECTED / name, ignore_errors=True)
        os.replace(fresh, EXPECTED / name)
    for folder in EXPECTED.glob("*/"):
        if folder.name not in names:
            shutil.rmtree(folder)
    chapter, key = PICTURE
    shutil.copyfile(
        ROOT / "reports" / "base" / "exhibits" / chapter / f"{key}.png", EXPECTED / "remission.png"
    )
    print(f"{len(differences)} differences; published results renewed for {', '.join(names)}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 and `yes`; 1 and `no`; 3 where it could not be checked or renewed, and why; 130 stopped."""
    parser = argparse.ArgumentParser(prog="python -m helpers.build.verify")
    parser.add_argument("--renew", action="store_true", help="publish the results of this working copy")
    renewing = parser.parse_args(arguments).renew
    try:
        return renew() if renewing else conclude(verify())
    except KeyboardInterrupt:
        why, code = "stopped", 130
    except Problem as reason:
        why, code = str(reason), 3
    except OSError as error:
        why, code = explained(error), 3
    except subprocess.CalledProcessError as error:
        why, code = f"{error.cmd[0]} ended with exit code {error.returncode}", 3
    print(f"could not be {'renewed' if renewing else 'checked'}: {why}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
