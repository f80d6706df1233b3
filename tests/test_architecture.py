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
ROOMS = {
    "study": {"study"},
    "trial": {"study", "trial"},
    "intake": {"study", "estimators", "analysis", "intake"},
    "estimators": {"estimators"},
    "analysis": {"study", "estimators", "analysis"},
    "design": {"study", "trial", "estimators", "analysis", "design"},
    "figures": {"study", "figures"},
    "chapters": {"study", "trial", "estimators", "analysis", "design", "figures", "chapters", "intake"},
    "build": {"study", "chapters", "build"},
}
"""Room: rooms it may import."""


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


def test_there_are_the_nine_rooms_and_no_others():
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(SOURCE)) for p in MODULES])
def test_no_import_goes_upward_or_sideways(path):
    parts = path.relative_to(SOURCE).parts
    allowed = ROOMS[parts[0]] if len(parts) > 1 else set()
    rooms = {name.split(".")[0] for name in imported(path) if name.split(".")[0] in ROOMS}
    assert rooms <= allowed, f"{path.name} imports from {sorted(rooms - allowed)}"


@pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(SOURCE)) for p in MODULES])
def test_a_room_is_entered_by_its_public_names(path):
    """No module takes a name that begins with _ out of another; one room's modules are no exception."""
    private = [name for name in imported(path) if any(part.startswith("_") for part in name.split("."))]
    assert private == []
    tree = ast.parse(path.read_text("utf-8"))
    taken = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in taken:
            assert not node.attr.startswith("_") or node.attr.startswith("__"), ast.unparse(node)


def test_no_imports_go_in_a_circle():
    names = {".".join(p.relative_to(SOURCE).with_suffix("").parts): p for p in MODULES}
    leads = {}
    for name, path in names.items():
        found = {m if m in names else m.rpartition(".")[0] for m in imported(path)}
        leads[name] = {m for m in found if m in names and m != name}
    while leads:
        free = {name for name, to in leads.items() if not to & set(leads)}
        assert free, f"a circle among {sorted(leads)}"
        leads = {name: to for name, to in leads.items() if name not in free}


GROUND = ("freshness", "files", "recording", "scenario", "settings", "wording")
"""Modules of `study` that know no trial."""


def test_the_build_knows_no_trial():
    """It enters the ground floor, and of the chapters their table alone."""
    for path in (SOURCE / "build").glob("*.py"):
        found = {".".join(name.split(".")[:2]) for name in imported(path)}
        ground = {f"study.{name}" for name in GROUND}
        rest = {n for n in found if not n.startswith("build") and n not in ground | {"chapters.contents"}}
        assert rest <= {"ROOT", "Problem", "DATA"}, path.name


def test_no_room_holds_over_forty_per_cent_of_the_lines():
    lines = {room: 0 for room in ROOMS}
    for path in MODULES:
        room = path.relative_to(SOURCE).parts[0]
        if room in lines:
            lines[room] += len(path.read_text("utf-8").splitlines())
    assert max(lines.values()) <= 0.4 * sum(lines.values()), lines


def test_the_check_sees_imports_inside_functions_and_by_either_form(tmp_path):
    sample = tmp_path / "sample.py"
    sample.write_text("import helpers.trial.conduct\ndef f():\n    from helpers.build import pages\n")
    assert imported(sample) == {"trial.conduct", "build.pages"}


def test_derivation_does_not_know_tables_and_estimators_do_not_know_the_trial():
    assert imported(SOURCE / "analysis" / "derive.py") <= {"study.parameters.Parameters", "analysis.loops"}
    assert imported(SOURCE / "analysis" / "loops.py") == set()
    estimators = sorted((SOURCE / "estimators").glob("*.py"))
    assert {"survival", "proportions", "mixed"} <= {p.stem for p in estimators}
    for path in estimators:
        rest = {m for m in imported(path) if m.split(".")[0] != "estimators"}
        assert rest <= {"Problem"}, path.name


def test_the_registered_protocol_holds_nothing_of_ours():
    assert imported(SOURCE / "study" / "protocol.py") == {"ROOT"}


def test_the_days_of_a_year_and_of_a_month_stand_in_one_place():
    """365.25 and 30.4375 as numbers; `study.protocol` names both."""
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in (365.25, 30.4375)
    }
    assert found == {"study/protocol.py"}


TARGETS: dict[str, dict[str, str]] = {}
for table in ("targets.csv", "targets-2.csv"):
    with (ROOT / "data" / "reference" / table).open(encoding="utf-8") as file:
        TARGETS |= {row["id"]: row for row in csv.DictReader(file)}


def source_of(name: str) -> str:
    return Parameters.model_fields[name].json_schema_extra["source"]


@pytest.mark.parametrize("name", list(Parameters.model_fields))
def test_every_parameter_has_reason_unit_group_and_a_source_that_exists(name):
    """A row id of the published numbers, the word assumption, or a reference: a registered bullet, or a dated work."""
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
        quoted |= set(
            re.findall(r"\b(?:(?:TR|EQ|DF|NH|CV|MS|DO|RG|ST)\d\d[a-z]?|N\d{3})\b", path.read_text("utf-8"))
        )
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
    # another study may be loaded beside it, of the same scenario
    assert calls
    assert {ast.unparse(call.args[0]) for call in calls} == {"scenario"}
    assert [ast.unparse(argument) for argument in calls[0].args] == ["scenario"]
    passed = {keyword.arg: ast.unparse(keyword.value) for keyword in calls[0].keywords}
    assert passed == {name: name for name in given}
