"""What a reader meets who changes a number in a notebook's first cell and runs all, in a fresh clone."""

import ast
import importlib
import inspect
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Whole

from helpers import ROOT, Problem
from helpers.build import making
from helpers.chapters.contents import CHAPTERS
from helpers.study import cells, scenario
from helpers.study.parameters import Parameters

STEMS = [chapter.stem for chapter in CHAPTERS]
SEED = 14
ROOMS = ("helpers.analysis", "helpers.design", "helpers.trial")
CELL = 'scenario = "base"\nremission_fall = None\n'


def first_cell(stem: str) -> list[str]:
    """The parameters that a chapter's first cell names."""
    notebook = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return sorted(cells.assigned(["".join(code[0]["source"])]))


def others(stem: str, count: int) -> list[str]:
    """Parameters that a chapter's first cell does not name, drawn by seed."""
    rest = sorted(set(Parameters.model_fields) - set(first_cell(stem)))
    return random.Random(f"{SEED} {stem}").sample(rest, count)


class Clone(Whole):
    """A copy of the project as a clone has it: nothing was built, and the tests that run chapters beside it."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        (folder / "tests" / "trial").mkdir(parents=True)
        for name in ("explored.py", "in_process.py", "changes.py", "trial/test_every_parameter.py"):
            shutil.copy(ROOT / "tests" / name, folder / "tests" / name)

    def python(self, *arguments: str) -> subprocess.CompletedProcess:
        values = {name: value for name, value in os.environ.items() if name != "ALPORT_DATA"}
        values |= {"PYTHONPATH": f"{self.folder / 'src'}{os.pathsep}{self.folder / 'tests'}"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={"OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg", **values},
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )

    def explored(self, stem: str, *asked: str) -> list[dict]:
        """What `explored.py` says of each change."""
        done = self.python("tests/explored.py", stem, *asked)
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    def tables(self, name: str) -> dict[str, bytes]:
        folder = self.folder / "data" / "synthetic" / name
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    return Clone(tmp_path_factory.mktemp("clone") / "a clone")


def wrong(found: list[dict]) -> list[tuple[str, str]]:
    return [(one["changed"], one["wrong"]) for one in found if one["wrong"]]


@pytest.mark.parametrize(
    ("stem", "asked"),
    [
        ("06-remission", ["remission_fall=0.3"]),
        pytest.param("04-analysis-data", ["n_randomised", "scenario=modest-effect"], marks=pytest.mark.slow),
    ],
    ids=lambda one: one if isinstance(one, str) else "+".join(one),
)
def test_a_chapter_runs_with_a_change_in_a_fresh_clone(clone, stem, asked):
    """Nothing else was run: no build, no other notebook; the scenario's own tables stay as they are."""
    before = clone.tables("base")
    found = clone.explored(stem, *asked)
    assert [one["changed"] for one in found] == asked
    assert wrong(found) == []
    assert clone.tables("base") == before


@pytest.mark.slow
@pytest.mark.parametrize("stem", STEMS)
def test_every_chapter_runs_with_each_parameter_of_its_first_cell_and_with_others(clone, stem):
    # few children, and a remission that nobody reaches: frames without a row
    ends = ["scenario=responders", "remission_fall=0.95", "n_randomised=4"]
    found = clone.explored(stem, *first_cell(stem), *others(stem, 3), *ends)
    assert len(found) == len(first_cell(stem)) + 3 + len(ends)
    assert wrong(found) == []


@pytest.mark.slow
def test_only_what_a_change_touches_is_made_anew(clone):
    """A definition of remission touches no simulated child; another rate of drop-out leaves the clinic alone."""
    ask = "from helpers.study.scenario import load\nstudy = load('base', {})\nlen(study.read('adsl'))\nprint(study)"
    names = []
    for change in ("seed=5", "seed=5, remission_fall=0.25", "seed=5, dropout=0.25"):
        done = clone.python("-c", ask.format(change))
        assert done.returncode == 0, done.stderr
        names.append(done.stdout.split()[1].rstrip(":"))
    plain, fall, dropout = (clone.tables(name) for name in names)
    raw = {name for one in CHAPTERS[1:4] for name in one.writes}
    assert {name for name in raw if fall[name] != plain[name]} == set()
    assert fall["adlb.csv"] != plain["adlb.csv"]
    assert dropout["screening.csv"] == plain["screening.csv"]
    assert dropout["disposition.csv"] != plain["disposition.csv"]
    stage = clone.folder / ".cache" / "making"
    known = [json.loads((stage / name / "03-follow-up.json").read_text())["content"] for name in names]
    assert known[0] == known[1]
    assert "dropout" in known[0]["made_from"]["parameters"]
    assert "remission_fall" not in known[0]["made_from"]["parameters"]


@pytest.mark.slow
def test_tables_that_code_has_outlived_are_made_anew_and_edited_ones_are_kept(tmp_path):
    clone = Clone(tmp_path / "p")
    ask = (
        "from helpers.study.scenario import load\n"
        "print(load('base', cells_per_kg=1e6).read('infusions')['cells'].max())"
    )
    first = clone.python("-c", ask)
    assert first.returncode == 0, first.stderr
    (folder,) = (clone.folder / "data" / "synthetic").glob("base+*")
    path = folder / "infusions.csv"
    edited = path.read_text().replace("yes", "no", 1)
    path.write_text(edited)
    source = clone.folder / "src/helpers/trial/record.py"
    text = source.read_text()
    assert text.count('"infusions"') >= 1
    source.write_text(text + "\nCHANGED = True\n")
    second = clone.python("-c", ask)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout
    assert path.read_text() != edited
    assert (folder / "infusions.kept.csv").read_text() == edited


def test_own_tables_are_not_mixed_with_simulated_ones(tmp_path):
    clone = Clone(tmp_path / "p")
    shutil.copy(clone.folder / "scenarios/base.yaml", clone.folder / "scenarios/mine.yaml")
    mine = clone.folder / "data/synthetic/mine"
    mine.mkdir()
    (mine / "screening.csv").write_text("usubjid\nA1\n")
    done = clone.python("-c", "from helpers.study.scenario import load\nload('mine').read('adsl')")
    assert done.returncode
    assert "screening.csv that no build made" in done.stderr.splitlines()[-1]
    assert clone.tables("mine") == {"screening.csv": b"usubjid\nA1\n"}


def test_a_table_that_can_not_be_made_says_why(clone):
    ask = "from helpers.study.scenario import load\nload('base', max_screened=40).read('adsl')"
    done = clone.python("-c", ask)
    assert "the table adsl of base+" in done.stderr.splitlines()[-1]
    assert "max_screened" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_numbers_are_those_of_a_report(clone):
    """Chapter 06 as explored, and as `make report SET=` builds it: results and tables."""
    (explored,) = clone.explored("06-remission", "remission_fall=0.3")
    value = Parameters.model_fields["remission_fall"].default
    name = next(n for n in os.listdir(clone.folder / "data/synthetic") if "+" in n and changed_in(clone, n))
    before = clone.tables(name)
    setting = changed_in(clone, name)
    assert setting["remission_fall"] != value
    done = clone.build("--set", " ".join(f"{key}={one}" for key, one in setting.items()))
    assert done.returncode == 0, done.stdout + done.stderr
    after = clone.tables(name)
    assert {table: after[table] for table in before} == before
    results = json.loads((clone.folder / "reports" / name / "results.json").read_text())["06-remission"]
    told = {key: one["value"] for key, one in results.items()}
    assert len(told) > 50
    assert json.loads(json.dumps(explored["results"])) == told


def changed_in(clone: Clone, name: str) -> dict:
    """The overrides of a study if they are of remission_fall alone."""
    path = clone.folder / "data/synthetic" / name / "overrides.json"
    found = json.loads(path.read_text())["overrides"]
    return found if set(found) == {"remission_fall"} else {}


# ------------------------------------------------------------------ the first cell


def load_from(history: list[str], **names) -> scenario.Study:
    """`load` as the second cell of a chapter calls it after these cells."""
    space = {"In": ["", *history, "load"], "load": scenario.load, "scenario": "base", **names}
    return eval("load(scenario, remission_fall=remission_fall)", space)


@pytest.mark.parametrize(
    "written", ["remision_fall = 0.3", "remission_fal: float = 0.3", "Remission_fall = 0.3"]
)
def test_a_misspelt_name_in_the_first_cell_is_refused_with_the_nearest(written):
    with pytest.raises(Problem, match=r"is no parameter \(did you mean remission_fall\?\)"):
        load_from([CELL + written], remission_fall=None)
    with pytest.raises(Problem, match=r"did you mean remission_fall\?"):
        load_from([CELL, f'# Parameters\nscenario = "base"\n{written}'], remission_fall=None)


def test_a_name_misspelt_in_its_place_is_told_before_python_misses_it():
    """The second cell imports `load` before it asks for names."""
    with pytest.raises(Problem, match=r"remision_fall is no parameter \(did you mean remission_fall\?\)"):
        scenario.refuse_unknown({"In": ["", 'scenario = "base"\nremision_fall = 0.3']})
    scenario.refuse_unknown({"In": ["", CELL]})
    scenario.refuse_unknown({})
    space = 'import __main__\n__main__.In = ["", "scenario = 1\\nremision_fall = 0.3"]\n'
    done = subprocess.run(
        [sys.executable, "-c", space + "import helpers.study.scenario"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].endswith(
        "remision_fall is no parameter (did you mean remission_fall?)"
    )


def test_any_parameter_in_the_first_cell_counts_though_the_chapter_does_not_name_it():
    study = load_from([CELL + "dropout = 0.3"], remission_fall=None, dropout=0.3)
    assert study.overrides == {"dropout": 0.3}
    assert load_from([CELL, "# Parameters\ndropout = 0.3"], remission_fall=0.3, dropout=0.3).overrides == {
        "dropout": 0.3,
        "remission_fall": 0.3,
    }


def test_what_was_taken_out_of_the_first_cell_counts_no_more():
    study = load_from([CELL + "dropout = 0.3", "x = 1", CELL], remission_fall=None, dropout=0.3)
    assert study.overrides == {}


def test_another_study_loaded_further_down_is_asked_for_as_written():
    space = {
        "In": ["", CELL + "dropout = 0.3", "load"],
        "load": scenario.load,
        "dropout": 0.3,
        "remission_fall": None,
    }
    assert eval("load('base', upcr_effect=0.8)", space).overrides == {"upcr_effect": 0.8}
    assert eval("load('base')", space).overrides == {}
    assert scenario.load("base", remission_fall=0.3).overrides == {"remission_fall": 0.3}


def test_a_cell_that_is_no_python_is_passed_over():
    assert cells.assigned(["%matplotlib inline\nscenario = 1", CELL]) == {"remission_fall"}
    assert cells.assigned(["(", "x = 1"]) == set()


def test_a_problem_is_shown_without_a_traceback():
    assert Problem("no").__class__.__mro__[1] is ValueError
    assert Problem("file, row")._render_traceback_() == ["Problem: file, row"]


# ------------------------------------------------------------------ the table of chapters


def test_every_chapter_that_writes_names_the_function_that_its_notebook_calls():
    for chapter in CHAPTERS:
        assert bool(chapter.makes) == bool(chapter.writes), chapter.stem
        if chapter.makes:
            module, _, function = chapter.makes.partition(":")
            text = (ROOT / "notebooks" / f"{chapter.stem}.ipynb").read_text("utf-8")
            assert f"{module.rpartition('.')[2]}.{function}(study)" in text


def test_what_leads_to_a_table_is_found_in_the_table_of_chapters():
    assert [one.stem[:2] for one in making.needed("screening")] == ["01"]
    assert [one.stem[:2] for one in making.needed("labs")] == ["01", "02", "03"]
    assert [one.stem[:2] for one in making.needed("adtte")] == ["01", "02", "03", "04"]
    assert making.needed("elephants") == []


def test_a_build_makes_its_tables_by_its_chapters_alone(tmp_path):
    """`DATA` points at its stage: a table that is absent there is a mistake, and is said so."""
    done = subprocess.run(
        [sys.executable, "-c", "from helpers.study.scenario import load\nload('base').read('adsl')"],
        env={**os.environ, "ALPORT_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "adsl.csv does not exist" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stem", STEMS)
def test_every_chapter_ends_with_cells_to_change(stem):
    """Two or three short ones that say in their first line what to change, and are no exhibits."""
    notebook = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))
    last = [cell for cell in notebook["cells"] if "try-it" in cell["metadata"].get("tags", [])]
    assert 2 <= len(last) <= 3
    assert notebook["cells"][-len(last) :] == last
    for cell in last:
        first, *rest = "".join(cell["source"]).splitlines()
        assert first.startswith("# Change ")
        assert first.endswith(".")
        assert len(rest) <= 14
        assert all("exhibit" not in output.get("metadata", {}) for output in cell["outputs"])


# ------------------------------------------------------------------ `?`


def calls(stem: str) -> dict[tuple[str, str], list[str]]:
    """How a notebook calls functions of analysis, design and trial: (module, function) -> calls as Python has them."""
    notebook = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))
    trees = [ast.parse("".join(c["source"])) for c in notebook["cells"] if c["cell_type"] == "code"]
    modules, found = {}, {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and str(node.module) in ROOMS:
            modules |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and getattr(node.func.value, "id", "") in modules
        ):
            key = (modules[node.func.value.id], node.func.attr)
            found.setdefault(key, []).append(ast.unparse(node))
    return found


def test_every_function_that_a_notebook_calls_says_what_comes_back_and_how_it_is_called():
    """Its example is a call of a notebook, so that what `?` shows is what runs."""
    every = {stem: calls(stem) for stem in STEMS}
    asked = sorted({key for found in every.values() for key in found})
    assert len(asked) > 80
    for module, name in asked:
        told = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
        assert len(told.partition("Examples\n")[0]) > 40, (module, name)
        example = re.findall(r"^(?:>>>|\.\.\.) ?(.*)", told.partition("Examples\n")[2], re.M)
        assert example, f"{module}.{name} shows no example"
        stem = re.search(r"As notebook (\S+) calls it", told)
        if stem:
            shown = [n for n in ast.walk(ast.parse("\n".join(example))) if isinstance(n, ast.Call)]
            assert ast.unparse(shown[0]) in every[stem[1]][module, name], (module, name)


def test_a_parameter_is_told_in_the_same_words_in_every_first_cell():
    told = {}
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if "parameters" in cell["metadata"].get("tags", []):
                for line in "".join(cell["source"]).splitlines():
                    name, _, words = line.partition(" = None  # ")
                    if words:
                        told.setdefault(name, set()).add(words)
    assert {name: words for name, words in told.items() if len(words) > 1} == {}
    units = {name: Parameters.model_fields[name].json_schema_extra["unit"] for name in told}
    wrong = [n for n, unit in units.items() if unit and not next(iter(told[n])).startswith(unit)]
    assert len(told) > 30
    assert wrong == []
