"""Verification: what counts as the same, and that every kind of difference is found and named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import Problem
from helpers.build import verify
from helpers.chapters.contents import CHAPTERS


def results(value, unit="%"):
    return {"06-remission": {"remission.primary.p": {"value": value, "unit": unit}}}


def test_counts_are_exact_and_other_numbers_agree_to_a_millionth():
    assert verify.close(12, 12)
    assert not verify.close(12, 13)
    assert not verify.close(10_000_000, 10_000_001)
    assert verify.close(0.123456789, 0.1234567891)
    assert not verify.close(0.123456, 0.123457)
    assert not verify.close(0.5, None)
    assert verify.close(None, None)
    assert not verify.close("yes", "no")


@given(st.floats(1e-6, 1e6), st.floats(-5e-7, 5e-7))
def test_last_digits_do_not_matter(value, shift):
    moved = value * (1 + shift)
    assert verify.close(value, moved) or float(value).is_integer() or moved.is_integer()
    assert not verify.close(value, value * 1.001 + 0.123)


def test_each_difference_of_a_result_is_named():
    (changed,) = verify.compare_results("base", results(0.067), results(0.049))
    assert str(changed) == "  base 06-remission remission.primary.p: expected 0.067, found 0.049 (-0.018)"
    (gone,) = verify.compare_results("base", results(0.067), {"06-remission": {}})
    assert "found no such result" in str(gone)
    (new,) = verify.compare_results("base", {}, results(0.067))
    assert "expected no such result" in str(new)
    (unit,) = verify.compare_results("base", results(1.0), results(1.0, "mg/mg"))
    assert "unit" in str(unit)
    assert verify.compare_results("base", results(0.067), results(0.067 * (1 + 1e-8))) == []


def test_each_difference_of_a_table_names_row_and_column():
    old = "child,value\na,1.5\nb,2\n"
    assert verify.compare_tables("t", old, "child,value\na,1.5000000001\nb,2\n") == []
    (cell,) = verify.compare_tables("t", old, "child,value\na,1.5\nb,3\n")
    assert str(cell) == "  t row 3, column value: expected 2, found 3 (+1)"
    (rows,) = verify.compare_tables("t", old, "child,value\na,1.5\n")
    assert "rows" in str(rows)
    (columns,) = verify.compare_tables("t", old, "child,amount\na,1.5\nb,2\n")
    assert "columns" in str(columns)


def published(project):
    """Publish what the project's base report says, for the base scenario alone."""
    folder = project / "reports" / "expected"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "base").mkdir(parents=True)
    source = project / "reports" / "base"
    shutil.copy(source / "results.json", folder / "base")
    shutil.copytree(source / "exhibits", folder / "base" / "exhibits", ignore=shutil.ignore_patterns("*.png"))
    for path in (project / "scenarios").glob("*.yaml"):
        if path.stem != "base":
            path.unlink()


@pytest.fixture(scope="module")
def project(whole_project, tmp_path_factory):
    """The whole project with its built base report, its results published, to be spoilt in copies."""
    folder = tmp_path_factory.mktemp("verify") / "p"
    shutil.copytree(whole_project.folder, folder, ignore=shutil.ignore_patterns(".*"))
    published(folder)
    return folder


def test_what_was_just_published_is_the_same(project):
    assert verify.compare(project) == []


def test_a_changed_result_table_or_notebook_is_found(project, tmp_path):
    spoilt = tmp_path / "p"
    shutil.copytree(project, spoilt)
    expected = spoilt / "reports" / "expected" / "base"
    known = json.loads((expected / "results.json").read_text())
    known["06-remission"]["remission.primary.p"]["value"] += 1e-3
    (expected / "results.json").write_text(json.dumps(known))
    table = expected / "exhibits" / "04-analysis-data" / "sets.csv"
    table.write_text(table.read_text().replace("20/20", "19/20", 1))
    (expected / "exhibits" / "06-remission" / "remission-sets.csv").unlink()
    notebook = spoilt / "notebooks" / f"{CHAPTERS[2].stem}.ipynb"
    text = notebook.read_text()
    assert '"key": "eligibility.n_eligible"' in text
    content = json.loads(text)
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            for record in output["metadata"].get("results", []):
                if record["key"] == "eligibility.n_eligible":
                    record["value"] += 1
    notebook.write_text(json.dumps(content))
    found = [str(one) for one in verify.compare(spoilt)]
    assert len(found) == 4
    for part in ("remission.primary.p", "sets.csv row", "remission-sets.csv", "notebooks 02-eligibility"):
        assert any(part in one for one in found), part


LEFT = """
import sys, os, signal
from pathlib import Path
from helpers import Problem
from helpers.build import verify
verify.CACHE = Path(sys.argv[1])
with verify.workplace() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_folders_of_killed_verifications_go_and_those_of_running_ones_stay(tmp_path, monkeypatch):
    command = [sys.executable, "-c", LEFT, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    killed, running = (Path(one.stdout.readline().strip()) for one in both)
    both[0].kill()
    both[0].wait()
    assert killed.is_dir()
    monkeypatch.setattr(verify, "CACHE", tmp_path)
    with verify.workplace() as ours:
        assert sorted(path for path in (tmp_path / "verify").iterdir() if path.is_dir()) == sorted(
            [ours, running]
        )
    assert not ours.exists()
    both[1].communicate("")
    assert not running.exists()


def test_a_stored_result_that_differs_is_a_difference(monkeypatch):
    line = json.dumps(["stored x", 1.0, 1.5])
    ended = subprocess.CompletedProcess([], 0, f"{line}\n")
    monkeypatch.setattr(verify.subprocess, "run", lambda *_, **__: ended)
    (found,) = verify.compare_stored(Path("."))
    assert str(found) == "  stored x: expected 1.0, found 1.5 (+0.5)"
    ended.returncode = 1
    with pytest.raises(Problem):
        verify.compare_stored(Path("."))


def test_no_and_yes_are_the_last_line_and_the_exit_code(capsys):
    assert verify.conclude([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "same results as published: yes"
    assert verify.conclude([verify.Difference("base x", "1", "2")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  base x: expected 1, found 2")
    assert lines[-1] == "same results as published: no"
