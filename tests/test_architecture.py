"""The house as planned, read from the source: who imports whom, where numbers come from, what notebooks pass on."""

import ast
import csv
import json
import re
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.study.parameters import GROUPS, Parameters
from helpers.study.protocol import EXCLUSION, INCLUSION, TRIAL

SOURCE = ROOT / "src" / "helpers"
WINGS = {
    "study": {"study"},
    "trial": {"study", "trial"},
    "analysis": {"study", "analysis"},
    "design": {"study", "trial", "analysis", "design"},
    "report": {"study", "trial", "analysis", "design", "report"},
}
"""Wing: wings it may import."""
ABOUT_THE_TRIAL = {"__init__", "derive", "adam"}
"""Rooms of `analysis` that know this trial; all others are estimators and know nothing of it."""


def imported(path: Path) -> set[str]:
    """Modules of `helpers` that a file imports anywhere in its text, dotted, without the leading name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("helpers.") for name in found if name.startswith("helpers.")}


MODULES = sorted(SOURCE.rglob("*.py"))


def test_there_are_no_wings_but_those_planned():
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders <= set(WINGS)
    assert {"study", "trial", "analysis", "report"} <= folders


@pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(SOURCE)) for p in MODULES])
def test_no_import_goes_upward_or_sideways(path):
    parts = path.relative_to(SOURCE).parts
    allowed = WINGS[parts[0]] if len(parts) > 1 else set()
    wings = {name.split(".")[0] for name in imported(path) if name.split(".")[0] in WINGS}
    assert wings <= allowed, f"{path.name} imports from {sorted(wings - allowed)}"


def test_the_check_sees_imports_inside_functions_and_by_either_form(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("import helpers.trial.conduct\ndef f():\n    from helpers.report import pages\n")
    assert imported(sample) == {"trial.conduct", "report.pages"}


def test_derivation_does_not_know_tables_and_estimators_do_not_know_the_trial():
    assert imported(SOURCE / "analysis" / "derive.py") <= {"study.parameters.Parameters"}
    estimators = [p for p in (SOURCE / "analysis").glob("*.py") if p.stem not in ABOUT_THE_TRIAL]
    assert {"survival", "proportions", "mixed"} <= {p.stem for p in estimators}
    known = {p.stem for p in estimators}
    for path in estimators:
        rest = {m for m in imported(path) if m.split(".")[0] != "analysis" or m.split(".")[1] not in known}
        assert rest <= {"Problem"}, path.name


def test_the_registered_protocol_holds_nothing_of_ours():
    assert imported(SOURCE / "study" / "protocol.py") == {"ROOT"}


with (ROOT / "data" / "reference" / "targets.csv").open(encoding="utf-8") as file:
    TARGETS = {row["id"]: row for row in csv.DictReader(file)}


def source_of(name: str) -> str:
    return Parameters.model_fields[name].json_schema_extra["source"]


@pytest.mark.parametrize("name", list(Parameters.model_fields))
def test_every_parameter_has_reason_unit_group_and_a_source_that_exists(name):
    """A row id of targets.csv, the word assumption, or a reference: a registered bullet, or a work with its year."""
    extra = Parameters.model_fields[name].json_schema_extra
    source = extra["source"]
    if source != "assumption" and source not in TARGETS:
        bullets = re.fullmatch(rf"{TRIAL}, (inclusion|exclusion)s? (\d+)(?: and (\d+))?", source)
        if bullets:
            texts = INCLUSION if bullets[1] == "inclusion" else EXCLUSION
            assert all(1 <= int(n) <= len(texts) for n in bullets.groups()[1:] if n)
        else:
            assert re.search(r"\b(19|20)\d\d\b", source), (
                f"neither a row, nor a bullet, nor a dated work: {source}"
            )
            for file in re.findall(r"\S+\.csv", source):
                assert (ROOT / "data" / "reference" / file).is_file()
    assert extra["group"] in GROUPS
    assert extra["reason"].endswith(".")
    assert isinstance(extra["unit"], str)


@pytest.mark.parametrize(
    "name",
    [
        "n_randomised", "cells_per_kg", "remission_threshold", "remission_fall", "haematuria_limit",
        "protein24_limit", "proteinuria_upcr", "share_x_linked", "share_recessive", "share_dominant",
        "share_digenic", "male_share", "upcr_median_3_5", "upcr_median_6_8", "upcr_median_9_12",
        "gfr_slope_severe", "upcr_noise", "dropout",
    ],
)  # fmt: skip
def test_a_number_taken_over_is_the_number_of_its_source(name):
    row = TARGETS[source_of(name)]
    value = float(row["value"]) / (100 if row["unit"].startswith("%") else 1)
    assert Parameters.model_fields[name].default == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "bullet"),
    [
        ("infection_days", "within 1 week"),
        ("recent_months", "within 3 months"),
        ("cell_product_months", "within 12 months"),
        ("blood_loss_limit", "exceeding 200ml"),
    ],
)
def test_a_number_of_the_registration_is_the_registered_number(name, bullet):
    number = int(re.search(r"(?:inclusion|exclusion)s? (\d+)", source_of(name))[1])
    texts = INCLUSION if "inclusion" in source_of(name) else EXCLUSION
    assert bullet in texts[number - 1]
    stated = int(re.search(r"\d+", bullet)[0]) * (7 if "week" in bullet else 1)
    assert Parameters.model_fields[name].default == stated


def test_every_row_id_quoted_in_the_source_exists():
    quoted = set()
    for path in MODULES:
        quoted |= set(re.findall(r"\b(?:TR|EQ|DF|NH|CV|MS|DO|RG|ST)\d\d[a-z]?\b", path.read_text("utf-8")))
    assert len(quoted) > 30
    families = {re.sub(r"[a-z]$", "", row) for row in TARGETS}
    assert {q for q in quoted if q not in TARGETS and q not in families} == set()


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.skipif(not NOTEBOOKS, reason="no notebooks yet")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.stem for p in NOTEBOOKS])
def test_a_chapters_parameters_are_fields_of_the_schema_and_are_passed_on(path):
    cells = [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    assert "parameters" in cells[0]["metadata"].get("tags", [])
    tree = ast.parse("".join(cells[0]["source"]))
    given = {}
    for node in tree.body:
        assert isinstance(node, ast.Assign), ast.unparse(node)
        given[node.targets[0].id] = ast.literal_eval(node.value)
    assert given.pop("scenario") == "base"
    assert 1 <= len(given) <= 7
    assert set(given) <= set(Parameters.model_fields)
    assert set(given.values()) == {None}
    calls = [
        node
        for cell in cells
        for node in ast.walk(ast.parse("".join(cell["source"])))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load"
    ]
    assert len(calls) == 1
    assert [ast.unparse(argument) for argument in calls[0].args] == ["scenario"]
    passed = {keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords}
    assert passed == {name: name for name in given}


ANALYSING = ("analysis_data", "longitudinal", "remission", "time_to_remission")
"""Rooms of `report.story` that stand for the chapters of analysis, 04 to 07."""


def names_truth(tree: ast.AST) -> list[str]:
    """Names, attributes and texts that could open the truth; docstrings and prose that mention it don't."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            word = node.attr if isinstance(node, ast.Attribute) else node.id
            found += [word] if "truth" in word.lower() else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += re.findall(r"\btruth\b(?=/|$)", node.value) if " " not in node.value else []
    return found


@pytest.mark.parametrize(
    "path",
    [*(SOURCE / "analysis").glob("*.py"), *(SOURCE / "report" / "story" / f"{n}.py" for n in ANALYSING)],
    ids=lambda p: p.stem,
)
def test_no_room_of_analysis_reads_the_truth(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert names_truth(tree) == []
    latent = {"trial.record", "trial.simulate", "trial.conduct", "design.populations"}
    used = {".".join(name.split(".")[:2]) for name in imported(path)}
    assert used & latent == set()


def test_no_chapter_of_analysis_reads_the_truth():
    from helpers.report.chapters import CHAPTERS

    for chapter in CHAPTERS:
        assert not [name for name in chapter.reads if "truth" in name], chapter.stem
    analysing = [path for path in NOTEBOOKS if path.stem[:2] in ("04", "05", "06", "07")]
    assert analysing
    for path in analysing:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert names_truth(ast.parse("".join(cell["source"]))) == []


def test_the_check_sees_the_ways_to_the_truth():
    assert names_truth(ast.parse("study.read_truth()")) == ["read_truth"]
    assert names_truth(ast.parse("open(folder / 'truth' / name)")) == ["truth"]
    assert names_truth(ast.parse("open('truth/children.csv')")) == ["truth"]
    assert names_truth(ast.parse("'told against the truth of the simulation'")) == []
