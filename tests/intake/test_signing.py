"""The signed plan: one file that tells what was planned, never replaced, and what has changed since."""

import json
import shutil

import pytest

from helpers import ROOT, Problem
from helpers.intake import signing
from helpers.study import scenario
from helpers.study.freshness import Sources
from helpers.study.recording import plain

MEMO: dict[str, list] = {}
"""What `Sources` found of a file, by its content: read once for all tests."""


def read(root) -> Sources:
    """A project's sources as they are now."""
    sources = Sources(MEMO, root)
    sources.used = MEMO
    return sources


STEMS = ["04-analysis-data", "06-remission", "09-validation"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The sources of the project, and its plan, signed."""
    root = tmp_path_factory.mktemp("signed") / "project"
    for part in ("src", "notebooks"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", root / "requirements.lock")
    signing.sign(read(root), "base", {}, STEMS, "Dr <b>Li</b>", "2026-11-28")
    return root


def in_force(**changes):
    return plain(scenario.load("base", **changes).parameters)


def test_the_file_holds_readings_estimands_code_and_lock_and_is_sealed(whole):
    content = json.loads((whole / "plan.lock.json").read_text("utf-8"))["content"]
    assert content["parameters"] == in_force()
    assert (content["signed_by"], content["date"]) == ("Dr <b>Li</b>", "2026-11-28")
    assert len(content["estimands"]) == len(signing.estimands.ESTIMANDS)
    assert "src/helpers/analysis/adam.py" in content["modules"]
    assert "notebooks/06-remission.ipynb" in content["modules"]
    rooms = {path.split("/")[2] for path in content["modules"] if path.startswith("src/")}
    assert rooms == {"study", "estimators", "analysis", "intake"}
    assert len(content["lock_sha256"]) == 64


def test_the_same_plan_is_in_force(whole):
    found = signing.compared(read(whole), in_force(), STEMS)
    assert (found["signed"], found["changes"]) == (True, [])
    assert found["words"] == "The plan in force is the plan signed by Dr <b>Li</b> on 2026-11-28."
    late = signing.compared(read(whole), in_force(), STEMS, "2026-11-01")["words"]
    assert late.endswith("It was signed after the arms were known (2026-11-01).")


def test_one_reading_changed_after_signing_is_told(whole):
    found = signing.compared(read(whole), in_force(remission_fall=0.3), STEMS)
    assert found["changes"] == ["remission_fall: signed 0.5, in force 0.3"]
    assert found["touching"] == [("remission_fall: signed 0.5, in force 0.3", "remission_fall", None)]
    assert "1 parameter and 0 modules" in found["words"]
    assert found["provenance"]["differs"] == found["changes"]


def test_a_module_changed_after_signing_touches_the_chapters_that_run_it(whole):
    module = whole / "src/helpers/analysis/remission.py"
    before = module.read_text("utf-8")
    try:
        module.write_text(before + "\n# a comment decides nothing\n", "utf-8")
        assert signing.compared(read(whole), in_force(), STEMS)["changes"] == []
        module.write_text(before + "\nMORE = 1\n", "utf-8")
        found = signing.compared(read(whole), in_force(), STEMS)
    finally:
        module.write_text(before, "utf-8")
    [(line, path, stems)] = found["touching"]
    assert (line, path) == (f"{path} changed", "src/helpers/analysis/remission.py")
    assert "06-remission" in stems
    assert "09-validation" not in stems


def test_a_changed_lock_or_notebook_is_told_and_an_edited_signature_is_none(whole):
    lock, notebook, plan = (
        whole / name for name in ("requirements.lock", "notebooks/06-remission.ipynb", "plan.lock.json")
    )
    kept = {path: path.read_bytes() for path in (lock, notebook, plan)}
    try:
        lock.write_text("numpy==1\n")
        notebook.write_bytes(kept[notebook].replace(b"# Remission:", b"# Remissions:", 1))
        found = signing.compared(read(whole), in_force(), STEMS)
        assert found["changes"] == ["notebooks/06-remission.ipynb changed", "requirements.lock changed"]
        plan.write_bytes(kept[plan].replace(b'"remission_fall": 0.5', b'"remission_fall": 0.3'))
        found = signing.compared(read(whole), in_force(), STEMS)
        assert not found["signed"]
        assert "not as it was signed" in found["words"]
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def test_a_signed_plan_is_never_replaced(whole):
    before = (whole / "plan.lock.json").read_bytes()
    _, fresh = signing.sign(read(whole), "base", {}, STEMS, "Dr <b>Li</b>", "2026-11-28")
    assert not fresh
    with pytest.raises(Problem, match="never replaced"):
        signing.sign(read(whole), "base", {"alpha": 0.01}, STEMS, "Dr <b>Li</b>", "2026-11-28")
    assert (whole / "plan.lock.json").read_bytes() == before


def test_who_signs_and_when_must_be_told(tmp_path):
    with pytest.raises(Problem, match=r"SIGNED_BY='  '.*DATE='28\.11\.2026'"):
        signing.sign(Sources(root=tmp_path), "base", {}, STEMS, "  ", "28.11.2026")
    assert list(tmp_path.iterdir()) == []


def test_without_a_signature_it_is_said(tmp_path):
    found = signing.compared(Sources(root=tmp_path), in_force(), STEMS)
    assert not found["signed"]
    assert found["words"].startswith("No plan was signed")
