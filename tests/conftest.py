"""Fixtures that several tests share."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from chromium import chromium
from hypothesis import settings

from helpers import ROOT

# jsonschema would build a grammar of web addresses, for a second or two, that no test needs
sys.modules.setdefault("rfc3987_syntax", None)
# `make test` draws the same examples wherever it runs; `make test-search` looks for new ones
settings.register_profile("steady", derandomize=True, database=None)
settings.register_profile("search", database=None, print_blob=True)
settings.load_profile("steady")


STRICT = pytest.mark.filterwarnings(
    "error", "ignore:overflow encountered in multiply:RuntimeWarning:numpy._core.fromnumeric"
)
"""Every warning is an error, but for one of pandas (2.3): where a number of days is missing it rounds memory that
nobody wrote, and warns or not by what lay there. `build/environment.py` keeps the same one out of notebooks."""

LONGEST_FIRST = (
    "test_partial", "test_ends", "test_driver", "test_notebooks", "test_ugly", "test_pages", "test_package",
    "test_truth", "test_remission", "test_checks", "test_exploring",
)  # fmt: skip
"""Files whose tests take longest: a worker that begins one of them last keeps the others waiting."""


def pytest_collection_modifyitems(config, items):
    """The longest files first; SHARD=i/n keeps the i-th of n parts of the tests, drawn by their names."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
    shard = os.environ.get("SHARD", "")
    if not shard:
        return
    found = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise pytest.UsageError(f"SHARD={shard!r}: expected i/n, such as 3/8")
    number, parts = int(found[1]) - 1, int(found[2])
    mine = [item for item in items if zlib.crc32(item.nodeid.encode()) % parts == number]
    config.hook.pytest_deselected(items=[item for item in items if item not in mine])
    items[:] = mine


def pytest_sessionfinish(session, exitstatus):
    """A part without a test is no failure."""
    if os.environ.get("SHARD") and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def pytest_runtest_setup(item):
    """Cells that readers change draw with pyplot, which keeps figures for a process: each test begins without."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


MINIATURE_CHAPTERS = """CHAPTERS = (
    Chapter("a-clinic", "Clinic", "Who comes.", writes=("clinic.json", "clinic.csv")),
    Chapter("b-visits", "Visits", "Who is seen.", reads=("clinic.csv",), writes=("visits.csv", "truth/")),
    Chapter("c-words", "Words", "What is meant."),
)
"""
"""A small graph in place of the real one: b reads what a writes, c stands alone."""

FIRST = """
import json
from helpers import DATA
from helpers.study import names
folder = DATA / scenario
folder.mkdir(parents=True, exist_ok=True)
(folder / "clinic.json").write_text(json.dumps({"scenario": scenario}))
(folder / "clinic.csv").write_text("child\\n" + "\\n".join(names.CHILDREN) + "\\n")
"""
SECOND = """
from helpers import DATA
folder = DATA / scenario
(folder / "truth").mkdir(exist_ok=True)
rows = (folder / "clinic.csv").read_text()
(folder / "visits.csv").write_text(rows.upper())
(folder / "truth" / "known.csv").write_text("known\\n1\\n")
"""
SHOWN = """
import pandas as pd
from matplotlib.figure import Figure
from helpers.chapters.exhibits import Exhibit, Result, say
frame = pd.DataFrame({"visit": ["week 2", "week 4"], "mean": [1 / 3, 2.0], "n": [3, 4]})
say("We saw **{n}** children; $x^2$.", n=Result("b.n", 7))
"""
TABLE = """
Exhibit("means", "Means by <visit>", frame, population="all", n=7, units={"mean": "mg/mg"}, digits={"mean": 1},
        columns={name: name for name in frame} | {"visit": "Visit"}, results=[Result("b.mean", 1 / 3, "mg/mg", 2)])
"""
FIGURE = """
figure = Figure(figsize=(4, 2))
figure.subplots().plot(frame["mean"])
Exhibit("course", "The course", frame, population="all", n=7, figure=figure, alt="the means rise to 2")
"""


class Miniature:
    """A copy of the project in its own folder, with three tiny chapters, built by its own source."""

    def __init__(self, folder: Path):
        self.folder = folder
        shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "scenarios", folder / "scenarios")
        for name in ("requirements.lock", "pyproject.toml", "Makefile"):
            shutil.copy(ROOT / name, folder / name)
        # the plan quotes it
        registered = "data/reference/NCT06731192.txt"
        (folder / registered).parent.mkdir(parents=True)
        shutil.copy(ROOT / registered, folder / registered)
        (folder / "notebooks").mkdir()
        chapters = folder / "src/helpers/chapters/contents.py"
        text, found = re.subn(
            r"CHAPTERS = \(\n.*?\n\)\n", MINIATURE_CHAPTERS, chapters.read_text("utf-8"), flags=re.S
        )
        assert found == 1
        # no published numbers travel along
        text, found = re.subn(r'REFERENCES = ".*"', 'REFERENCES = ""', text)
        assert found == 1
        chapters.write_text(text, "utf-8")
        (folder / "src/helpers/study/names.py").write_text('CHILDREN = ["ann", "ben"]\n')
        self.notebook(
            "a-clinic", "# Clinic\n\nSee [visits](b-visits.ipynb).\n\n## Who", FIRST, "print('written')"
        )
        self.notebook("b-visits", "# Visits\n\n## All\n\n$$\\frac{a}{b}$$", SECOND, SHOWN, TABLE, FIGURE)
        self.notebook("c-words", "# Words\n\n## Meant\n\n<script>no()</script>", "import random; 1 + 1")

    def notebook(self, stem: str, words: str, *code: str) -> None:
        """Write a chapter: words, the parameters cell, code cells."""
        plain = {"metadata": {}, "outputs": [], "execution_count": None, "cell_type": "code"}
        cells = [{"cell_type": "markdown", "id": "words", "metadata": {}, "source": words}]
        cells.append(
            {**plain, "id": "given", "metadata": {"tags": ["parameters"]}, "source": 'scenario = "base"'}
        )
        cells += [{**plain, "id": f"code-{k}", "source": text.strip()} for k, text in enumerate(code)]
        spec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        content = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / "notebooks" / f"{stem}.ipynb").write_text(json.dumps(content))

    def command(self, *arguments: str, **environment: str):
        """Command line and environment of a build of this copy."""
        values = {**os.environ, "PYTHONPATH": str(self.folder / "src"), **environment}
        return [sys.executable, "-m", "helpers.build.driver", *arguments], values

    def build(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        command, values = self.command(*arguments, **environment)
        return subprocess.run(
            command, env=values, cwd=self.folder, capture_output=True, text=True, timeout=600, check=False
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        command, values = self.command(*arguments, **environment)
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command,
            env=values,
            cwd=self.folder,
            stdout=pipe,
            stderr=pipe,
            text=True,
            # whoever runs the tests in the background ignores Ctrl-C, and a child would inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def published(self) -> dict[str, bytes]:
        """All files that a reader may open, by their paths."""
        found = {}
        for root in ("reports", "data/synthetic"):
            for path in sorted((self.folder / root).rglob("*")):
                if path.is_file():
                    found[path.relative_to(self.folder).as_posix()] = path.read_bytes()
        return found


def built_by_the_first(tmp_path_factory, name: str, kind: type[Miniature]) -> Miniature:
    """A project with its base report, built by the worker that asks first; the others wait for it and read it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made, told = object.__new__(kind), shared / f"{name}.json"
    made.folder = shared / name / "a project"
    with open(shared / f"{name}.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not told.exists():
            done = kind(made.folder).build()
            told.write_text(json.dumps([done.returncode, done.stdout + done.stderr]))
    code, text = json.loads(told.read_text())
    assert code == 0, text
    return made


@pytest.fixture(scope="session")
def built_once(tmp_path_factory) -> Miniature:
    """A miniature project whose base report is built; tests copy it or only read it."""
    return built_by_the_first(tmp_path_factory, "mini", Miniature)


class Whole(Miniature):
    """A copy of the whole project, its own source and notebooks, without what was built here."""

    def __init__(self, folder: Path):
        self.folder = folder
        skip = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks")
        shutil.copytree(ROOT, folder, ignore=skip)
        for path in (folder / "reports").glob("*"):
            if path.name != "expected":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (folder / "data" / "synthetic").glob("*"):
            if path.name != "base":
                shutil.rmtree(path)


@pytest.fixture(scope="session")
def whole_project(tmp_path_factory) -> Whole:
    """The real project, copied, with its base report built; tests only read it."""
    return built_by_the_first(tmp_path_factory, "whole", Whole)


@pytest.fixture
def miniature(built_once, tmp_path) -> Miniature:
    """A copy of the built miniature project, to be spoilt."""
    shutil.copytree(built_once.folder, tmp_path / "p", symlinks=True)
    copy = object.__new__(Miniature)
    copy.folder = tmp_path / "p"
    return copy


def move(monkeypatch, root: Path, *modules) -> None:
    """Let modules take `root` for the project: each path of theirs that lies in the project lies there.

    All of a module's paths, found in it and listed nowhere: one that were forgotten would let a test read, or
    remove, what stands in the project itself.
    """
    # a temporary folder may stand in the project's own checkout
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    for module in modules:
        for name, path in vars(module).items():
            if name.isupper() and isinstance(path, Path) and path.is_relative_to(ROOT):
                monkeypatch.setattr(module, name, root / path.relative_to(ROOT))


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """`moved(module, ...)`: an empty project folder that these modules take for the project."""

    def to_the_side(*modules) -> Path:
        root = tmp_path / "project"
        move(monkeypatch, root, *modules)
        (root / "reports").mkdir(parents=True, exist_ok=True)
        return root

    return to_the_side


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium that logs its console and every request; skipped in words where there is none."""
    with chromium() as driver:
        yield driver
