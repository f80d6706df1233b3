"""Nothing that the chapters of analysis run can reach the simulator or what it alone knows.

Found in two ways, neither from a list of modules: in the source of all that their notebooks import, and in what
they open and load while they run.
"""

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.study.freshness import Sources, notebook_source

STEMS = [
    path.stem
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path.stem[:2] in ("04", "05", "06", "07", "10")
]
"""The chapters of analysis; the first and the last are quick."""
FORBIDDEN = ("trial", "design")
SEED = 10
MEMO: dict[str, list] = {}
"""What `Sources` found of a file, by its content, so that copies cost nothing."""


def names_truth(tree: ast.AST) -> list[str]:
    """Names, attributes and texts that could open the truth; docstrings and prose that mention it don't.

    `write_truth` may write it.
    """
    writers = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "write_truth"]
    writing = {id(node) for writer in writers for node in ast.walk(writer)}
    found = []
    for node in ast.walk(tree):
        if id(node) in writing:
            continue
        if isinstance(node, ast.Attribute | ast.Name):
            word = node.attr if isinstance(node, ast.Attribute) else node.id
            found += [word] if "truth" in word.lower() else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            found += re.findall(r"\btruth\b(?=/|$)", text) if " " not in text else []
            found += re.findall(rf"\bhelpers\.(?:{'|'.join(FORBIDDEN)})\b", text) if " " not in text else []
    return found


@cache
def words_of_truth(source: str) -> list[str]:
    return names_truth(ast.parse(source))


def reached(root: Path) -> list[str]:
    """Files of `helpers` that the notebooks of analysis import, and the whole rooms `analysis` and `estimators`."""
    sources = Sources(MEMO, root)
    names = {name for stem in STEMS for name in sources.notebook(root / "notebooks" / f"{stem}.ipynb")[1]}
    rooms = {
        path.relative_to(root).as_posix()
        for room in ("analysis", "estimators")
        for path in (root / "src" / "helpers" / room).rglob("*.py")
    }
    files = sources.closure(names)
    MEMO.update(sources.used)
    return sorted({*files, *rooms})


def ways_to_the_truth(root: Path) -> list[str]:
    """Each way that the source leaves to the simulator or the truth, with its file; empty where there is none."""
    found = []
    for file in reached(root):
        if Path(file).parts[2] in FORBIDDEN:
            found.append(f"{file} is imported")
        else:
            source = (root / file).read_text("utf-8")
            found += [f"{file} names {word}" for word in words_of_truth(source)]
    for stem in STEMS:
        _, code = notebook_source((root / "notebooks" / f"{stem}.ipynb").read_bytes())
        found += [f"{stem} names {word}" for word in words_of_truth(code)]
    return found


def watched(root: Path, data: Path, stems: list[str] = STEMS) -> dict[str, list[str]]:
    """What chapters of a project open below `truth/` and which modules they load, on a copy of its base tables."""
    shutil.copytree(root / "data" / "synthetic" / "base", data / "base")
    (data / "base" / "truth").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-B", str(root / "tests" / "opened.py"), *stems],
        env={
            **os.environ,
            "PYTHONPATH": str(root / "src"),
            "ALPORT_DATA": str(data),
            "OPENBLAS_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def simulators(found: dict[str, list[str]]) -> set[str]:
    """The modules of rooms that no analysis may enter, among those that were loaded."""
    return {name for name in found["modules"] if {*name.split(".")[1:2]} & set(FORBIDDEN)}


@pytest.fixture
def copy(tmp_path) -> Path:
    """The sources, notebooks and what a run of a chapter reads, to be spoilt."""
    root = tmp_path / "copy"
    for folder in ("src", "notebooks", "scenarios", "data/reference", "data/synthetic/base"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tests").mkdir()
    for name in ("in_process.py", "opened.py"):
        shutil.copy(ROOT / "tests" / name, root / "tests" / name)
    return root


def drawn(root: Path, count: int, seed: int, stems: list[str] = STEMS) -> list[Path]:
    """Modules that chapters of analysis use, drawn by seed."""
    sources = Sources(MEMO, root)
    names = [name for stem in stems for name in sources.notebook(root / "notebooks" / f"{stem}.ipynb")[1]]
    used = [root / file for file in sources.closure(names) if not file.endswith("__init__.py")]
    return random.Random(seed).sample(used, count)


def test_there_are_the_chapters_of_analysis_and_they_reach_all_rooms_that_they_may():
    assert len(STEMS) == 5
    assert {Path(file).parts[2] for file in reached(ROOT)} >= {
        "study",
        "estimators",
        "analysis",
        "figures",
        "chapters",
    }
    assert len(reached(ROOT)) > 40


def test_no_source_that_an_analysis_runs_leads_to_the_truth():
    assert ways_to_the_truth(ROOT) == []


@pytest.mark.slow
def test_nothing_of_the_truth_is_opened_nor_the_simulator_loaded_while_analyses_run(tmp_path):
    """The quick ones of them are watched below each time, and in each kernel of a build (`Edition.check_tables`)."""
    found = watched(ROOT, tmp_path / "data")
    assert found["truth"] == []
    assert not simulators(found)
    assert "helpers.analysis.adam" in found["modules"]


PLANTS = (
    "def peek(study):\n    return (study.folder / 'truth' / 'children.csv').read_text()\n",
    "def peek(folder):\n    return open(f'{folder}/truth/children.csv')\n",
    "def peek(study):\n    return study.read_truth('children')\n",
    "def peek():\n    from helpers.trial import record\n    return record\n",
    "import helpers.trial.simulate\n",
    "from helpers.design import known_truth as known\n",
    "import importlib\nsimulate = importlib.import_module('helpers.trial.simulate')\n",
)


def test_a_way_to_the_truth_planted_in_any_module_is_seen_in_its_source(copy):
    for seed, plant in enumerate(PLANTS):
        for path in drawn(copy, 3, SEED + seed):
            before = path.read_text("utf-8")
            path.write_text(f"{before}\n\n{plant}", "utf-8")
            assert ways_to_the_truth(copy), (path, plant)
            path.write_text(before, "utf-8")
    assert ways_to_the_truth(copy) == []


def test_a_way_planted_in_a_notebook_is_seen(copy):
    for stem in STEMS:
        path = copy / "notebooks" / f"{stem}.ipynb"
        before = path.read_text("utf-8")
        notebook = json.loads(before)
        cell = [c for c in notebook["cells"] if c["cell_type"] == "code"][-1]
        cell["source"] = [*cell["source"], "\nopen(study.folder / 'truth' / 'children.csv')"]
        path.write_text(json.dumps(notebook), "utf-8")
        assert ways_to_the_truth(copy) == [f"{stem} names truth"]
        path.write_text(before, "utf-8")


def test_a_hidden_way_is_seen_while_it_runs(copy, tmp_path):
    """What no reading of the source finds: a path and a module's name put together, in modules drawn by seed.

    The quick chapters run; of the others all modules are loaded.
    """
    quick = [STEMS[0], STEMS[-1]]
    *readers, importer = drawn(copy, 9, SEED)
    for path in readers:
        hidden = f"with __import__('contextlib').suppress(OSError):\n    open('tr' + 'uth/{path.stem}.csv')\n"
        path.write_text(f"{path.read_text('utf-8')}\n\n{hidden}", "utf-8")
    hidden = "__import__('helpers.' + 'trial.components')\n"
    importer.write_text(f"{importer.read_text('utf-8')}\n\n{hidden}", "utf-8")
    assert ways_to_the_truth(copy) == []
    modules = [file.removeprefix("src/").removesuffix(".py").replace("/", ".") for file in reached(copy)]
    found = watched(copy, tmp_path / "data", [*quick, *(name.removesuffix(".__init__") for name in modules)])
    # and nothing that was not planted
    assert set(found["truth"]) == {f"truth/{path.stem}.csv" for path in readers}
    assert simulators(found) == {"helpers.trial", "helpers.trial.components"}


def test_the_reading_of_sources_sees_ways_and_no_prose():
    assert names_truth(ast.parse("study.read_truth()")) == ["read_truth"]
    assert names_truth(ast.parse("open(folder / 'truth' / name)")) == ["truth"]
    assert names_truth(ast.parse("open('truth/children.csv')")) == ["truth"]
    assert names_truth(ast.parse("'told against the truth of the simulation'")) == []
    assert names_truth(ast.parse("def write_truth(folder):\n    return folder / 'truth'")) == []
    assert names_truth(ast.parse("study.write_truth()")) == ["write_truth"]


def test_no_chapter_is_declared_to_read_the_truth():
    from helpers.chapters.contents import CHAPTERS

    for chapter in CHAPTERS:
        assert not [name for name in chapter.reads if "truth" in name], chapter.stem
