"""The committed notebooks: executed, free of function bodies, and giving the same again under nbval."""

import ast
import json
import os
import subprocess
import sys

import in_process
import pytest
from conftest import Whole

from helpers import ROOT
from helpers.build import verify
from helpers.chapters.contents import ARRIVED, CHAPTERS

NOTEBOOKS = [ROOT / "notebooks" / f"{chapter.stem}.ipynb" for chapter in CHAPTERS]


def cells(path, kind="code"):
    found = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == kind]
    return [(k, "".join(cell["source"]), cell) for k, cell in enumerate(found, start=1)]


def test_the_folder_holds_the_chapters_and_nothing_else():
    own = f"{ARRIVED.stem}.ipynb"  # of reports on own data alone: no scenario runs it
    assert sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb")) == sorted(
        [own, *(p.name for p in NOTEBOOKS)]
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_code_cell_was_executed_and_shows_what_it_should(path):
    """nbval passes a cell without stored execution vacuously: here no cell may lack it."""
    for number, source, cell in cells(path):
        assert cell["execution_count"] == number, f"cell {number} was not executed in order"
        last = ast.parse(source).body[-1]
        if isinstance(last, ast.Expr):
            assert cell["outputs"], f"cell {number} shows nothing: {source[:60]}"
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", f"cell {number} warns: {output.get('text')}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_narrate_and_helpers_compute(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    tagged = [cell for _, _, cell in cells(path) if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for _, source, _ in cells(path):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.FunctionDef | ast.Lambda | ast.For | ast.ClassDef), source[:60]
    first = cells(path, "markdown")[0][1]
    assert first.startswith("# ")
    assert "Synthetic data" in first


def test_the_base_scenario_shows_what_is_published():
    """Every named result, the data of every exhibit, every table and sentence, by the chapters' own cells.

    Swapped sexes in a figure or a count from the wrong set are seen here. One process for all chapters, not a kernel
    for each: `make verify` and the slow tests have them run as a report has.
    """
    command = [sys.executable, "tests/in_process.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    told = [line for line in done.stdout.splitlines() if line]
    assert told == [f"{chapter.stem}: 0 differences" for chapter in CHAPTERS]


def test_the_committed_notebooks_hold_every_result_and_exhibit_that_is_published():
    expected = ROOT / "reports" / "expected" / "base"
    assert len(list((expected / "exhibits").rglob("*.csv"))) > 100
    known = json.loads((expected / "results.json").read_text("utf-8"))
    for path in NOTEBOOKS:
        tables, results = in_process.recorded(in_process.committed(path.stem))
        folder = expected / "exhibits" / path.stem
        assert set(tables) == {one.stem for one in folder.glob("*.csv")}, path.stem
        assert set(results) == set(known.get(path.stem, {})), path.stem


@pytest.mark.slow
def test_a_report_of_the_base_scenario_shows_what_is_published(whole_project):
    expected, found = ROOT / "reports" / "expected" / "base", whole_project.folder / "reports" / "base"
    old, new = (json.loads((place / "results.json").read_text("utf-8")) for place in (expected, found))
    differences = verify.compare_results("base", old, new)
    differences += verify.compare_folders("exhibits", expected / "exhibits", found / "exhibits")
    assert len(list((expected / "exhibits").rglob("*.csv"))) > 100
    assert [str(one) for one in differences] == []


def shown(path) -> list[list]:
    """What each code cell of a notebook shows, as nbval compares it: pictures aren't, metadata neither."""
    found = []
    for _, source, cell in cells(path):
        outputs = []
        for output in cell["outputs"]:
            data = {
                kind: "".join(text) for kind, text in output.get("data", {}).items() if kind != "image/png"
            }
            outputs.append((output["output_type"], "".join(output.get("text", "")), data))
        found.append([source, outputs])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_committed_notebooks_show_what_the_build_shows(whole_project, path):
    executed = shown(whole_project.folder / ".cache" / "build" / "base" / "chapters" / path.name)
    assert len(executed) > 1
    for (source, committed), (same_source, now) in zip(shown(path), executed, strict=True):
        assert source == same_source
        assert committed == now, source[:80]


NO_KERNEL = ("Address already in use", "Kernel died before replying", "Kernel didn't respond")
"""nbval's kernels talk over ports, which another program can take: the machine's fault, and no difference."""
QUICK = ("00-plan",)
"""By nbval each time; all others by the slow tests, since their cells' run in one process is compared above."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Whole:
    """The project as a clone has it: nothing was built."""
    return Whole(tmp_path_factory.mktemp("nbval") / "a project")


@pytest.mark.parametrize(
    "path",
    [p if p.stem in QUICK else pytest.param(p, marks=pytest.mark.slow) for p in NOTEBOOKS],
    ids=lambda p: p.stem,
)
def test_nbval_gives_the_same_outputs_again(copy, path):
    """In a copy of the project; pictures aren't compared, metadata neither."""
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONHASHSEED": "0"}
    environment |= {
        "PYTHONPATH": str(copy.folder / "src"),
        "IPYTHONDIR": str(copy.folder / ".ipython"),
    }
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:randomly", "-p", "no:cacheprovider", "-q"]
    command += ["--nbval-kernel-startup-timeout=600", "--rootdir", ".", "-c", os.devnull]
    for _ in range(3):
        done = subprocess.run(
            [*command, f"notebooks/{path.name}"],
            cwd=copy.folder, env=environment, capture_output=True, text=True, timeout=3600,
        )  # fmt: skip
        if not any(words in done.stdout for words in NO_KERNEL):
            break
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert f"{len(cells(path))} passed" in done.stdout
