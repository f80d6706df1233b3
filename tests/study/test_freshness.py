"""What makes a result stale: any edit of code behind it, and nothing that is no code."""

import ast
import json
import random
import shutil

import pytest

from helpers import ROOT
from helpers.study import freshness
from helpers.study.freshness import Sources, digest, meaning

CALIBRATION = "helpers.design.calibration"


@pytest.fixture
def copy(tmp_path):
    """A copy of the project's source, to be edited."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def key(root, module=CALIBRATION) -> str:
    return Sources(root=root).code([module])


REAL_EDITS = {
    "fewer batches": ("design/calibration.py", "BATCHES = 20", "BATCHES = 2"),
    "a lost square root": ("design/calibration.py", "x.std(ddof=1) / np.sqrt(len(x))", "x.std(ddof=1) / len(x)"),
    "Month 8 on another day": ("study/protocol.py", "244", "240"),
    "a wrong code of a closed list": ("study/codebook.py", '("Y", "N")', '("Y", "M")'),
    "two labels swapped": ("design/populations.py", '"NH15b": (25, 50), "NH16b"', '"NH16b": (25, 50), "NH15b"'),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL_EDITS)
def test_real_edits_that_left_the_calibrations_key_unchanged(copy, name):
    path, old, new = REAL_EDITS[name]
    before, file = key(copy), copy / "src" / "helpers" / path
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    assert key(copy) != before


def edited(tree: ast.Module, draw: random.Random) -> str | None:
    """Change one thing in one function of a module, in place; what it was, None where it has no function."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    if not functions:
        return None
    function = draw.choice(functions)
    told = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
    kinds = (ast.Constant, ast.Compare, ast.BinOp, ast.Name, ast.Attribute)
    found = [node for node in ast.walk(function) if isinstance(node, kinds) and id(node) not in told]
    node = draw.choice(found) if found else function
    was = ast.unparse(node)
    if isinstance(node, ast.Constant):
        node.value = f"{node.value}?" if isinstance(node.value, str) else 7 if node.value != 7 else 8
    elif isinstance(node, ast.Compare):
        node.ops[0] = ast.Lt() if not isinstance(node.ops[0], ast.Lt) else ast.LtE()
    elif isinstance(node, ast.BinOp):
        node.op = ast.Add() if not isinstance(node.op, ast.Add) else ast.Sub()
    elif isinstance(node, ast.Name):
        node.id += "_"
    elif isinstance(node, ast.Attribute):
        node.attr += "_"
    else:
        node.name += "_"
    return f"{function.name}: {was}"


@pytest.mark.parametrize(
    "module",
    [
        CALIBRATION,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ("helpers.design.known_truth", "helpers.chapters.validation")
        ),
    ],
)
def test_a_random_edit_of_any_function_changes_the_key(copy, module):
    draw, tried = random.Random(module), 0
    sources = Sources(root=copy)
    files, memo, before = list(sources.closure([module])), sources.used, key(copy, module)
    while tried < 40:
        path = copy / draw.choice(files)
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        what = edited(tree, draw)
        if what is None:
            continue
        path.write_text(ast.unparse(tree), "utf-8")
        assert Sources(memo, copy).code([module]) != before, f"{path.name} {what}"
        path.write_text(text, "utf-8")
        tried += 1
    assert key(copy, module) == before


def test_comments_docstrings_and_layout_change_no_key(copy):
    before = key(copy)
    for path in (copy / "src").rglob("*.py"):
        path.write_text(
            "# first\n" + ast.unparse(ast.parse(path.read_text("utf-8"))) + "\n\n'last'\n", "utf-8"
        )
    assert key(copy) == before
    assert meaning('"""Words."""\ndef f(x):\n    """More."""\n    return x + 1') == meaning(
        "def f(x): return (x+1)"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("x = None", "x = 0"), ("x = 1", "x = 1.0"), ("x = 1", "x = True"), ("x = '1'", "x = 1"), ("x = b'1'", "x = '1'"),
     ("f(*a)", "f(a)"), ("x = {**a}", "x = {a: a}"), ("del x", "x"), ("return_ = 1", "x = 1"), ("f'{x!r}'", "f'{x}'"),
     ("x = -1", "x = 1"), ("def f(a, /): pass", "def f(a): pass"), ("from a import b", "from a import c")],
)  # fmt: skip
def test_what_differs_in_meaning_differs(one, other):
    assert meaning(one) != meaning(other)


def test_a_module_that_appears_or_goes_changes_the_key(copy):
    before = key(copy)
    (copy / "src/helpers/design/populations.py").rename(copy / "src/helpers/design/elsewhere.py")
    assert key(copy) != before


def test_imports_are_followed_inside_functions_and_from_broken_files(copy):
    (copy / "src/helpers/design/late.py").write_text(
        "def f():\n    from helpers.trial import conduct\n    conduct\n"
    )
    assert "src/helpers/trial/conduct.py" in Sources(root=copy).closure(["helpers.design.late"])
    (copy / "src/helpers/design/late.py").write_text("def f(:\n")
    assert Sources(root=copy).closure(["helpers.design.late"])["src/helpers/design/late.py"] == digest(
        "def f(:\n"
    )


def notebook(path, code: str) -> bool:
    cells = [{"cell_type": "code", "id": "a", "metadata": {}, "source": code, "outputs": []}]
    path.write_text(json.dumps({"cells": cells}))
    return Sources(root=path.parent).notebook(path)[2]


def test_a_chapter_that_tells_its_scenario_belongs_to_it(tmp_path):
    path = tmp_path / "n.ipynb"
    assert not notebook(path, 'scenario = "base"\nstudy = load(scenario, seed=seed)\n')
    assert notebook(path, "study = load(scenario)\nprint(scenario)\n")
    assert notebook(path, "print(f'{scenario}')")
    assert notebook(path, "this is no Python")


def test_absent_files_and_folders_have_a_digest(tmp_path):
    (tmp_path / "a").mkdir()
    first = Sources(root=tmp_path).files(["a", "b.csv"])
    assert first["b.csv"] == "absent"
    (tmp_path / "a" / "c.csv").write_text("1")
    assert Sources(root=tmp_path).files(["a"])["a"] != first["a"]
    assert freshness.below(tmp_path / "none") == []
