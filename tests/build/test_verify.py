"""Verification: what counts as the same, and that every kind of difference is found and named."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Whole
from hypothesis import given
from hypothesis import strategies as st

from helpers import Problem
from helpers.build import account, publishing, since, verify
from helpers.chapters.contents import CHAPTERS, Chapter


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
def project(tmp_path_factory):
    """The whole project, with a base report that says what is published, to be spoilt in copies."""
    folder = Whole(tmp_path_factory.mktemp("verify") / "p").folder
    shutil.copytree(folder / "reports" / "expected" / "base", folder / "reports" / "base")
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


def test_no_and_yes_are_the_last_line_and_the_exit_code(apart, capsys):
    assert verify.conclude(account.Account(())) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "same results as published: yes"
    assert verify.conclude(account.Account((), elsewhere=(verify.Difference("base x", "1", "2"),))) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "of no chapter, 1 difference:"
    assert lines[1].startswith("  base x: expected 1, found 2")
    assert lines[-1] == "same results as published: no"


# ------------------------------------------------------------------ sorted, and explained


@pytest.fixture
def small(miniature, monkeypatch):
    """A built miniature project whose results are published and committed to a git of its own."""
    folder = miniature.folder
    published(folder)
    for path in (folder / ".cache/build/base/chapters").glob("?-*[a-z].ipynb"):
        shutil.copy(path, folder / "notebooks")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    (folder / ".gitignore").write_text(".cache\nreports/*\n!reports/expected\n__pycache__\n")
    git(folder, "init", "-q")
    commit(folder, "Published results renewed")
    monkeypatch.setattr(verify, "CHAPTERS", SMALL)
    return folder


SMALL = (
    Chapter("a-clinic", "Clinic", "Who comes.", writes=("clinic.json", "clinic.csv")),
    Chapter("b-visits", "Visits", "Who is seen.", reads=("clinic.csv",), writes=("visits.csv", "truth/")),
    Chapter("c-words", "Words", "What is meant."),
)


def git(folder, *words):
    names = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True)


def commit(folder, subject):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", subject)


def account_of(folder, differences=None):
    found = verify.compare(folder) if differences is None else differences
    names = verify.scenario_names(folder)
    return since.explain(folder, folder, account.account(folder, names, SMALL, found), SMALL)


def plant(folder, *changes):
    """Change published results and data of exhibits: (file below expected/base, text, other text)."""
    for name, text, other in changes:
        path = folder / "reports/expected/base" / name
        before = path.read_text()
        assert text in before
        path.write_text(before.replace(text, other, 1))


def test_where_all_agrees_each_chapter_says_of_how_many(small):
    whole = account_of(small)
    assert whole.verdict == "yes"
    assert whole.first == ""
    lines = whole.lines()
    assert lines[0] == "chapter by chapter, over 1 scenario:"
    assert lines[2] == "  b-visits  2 of 2 named results and 2 of 2 exhibits agree"
    assert lines[3] == "  c-words   0 of 0 named results and 0 of 0 exhibits agree"
    assert lines[4].endswith("Published results renewed")


def test_the_first_exhibit_is_that_of_the_data_flow_not_of_the_alphabet(small):
    """The cells show `means`, then `course`; planted in both."""
    plant(
        small,
        ("exhibits/b-visits/course.csv", "week 4", "week 5"),
        ("exhibits/b-visits/means.csv", "week 2", "week 3"),
    )
    whole = account_of(small)
    assert whole.first.splitlines()[0] == (
        "first exhibit that differs along the data flow: base b-visits means (table, Means by <visit>)"
    )
    assert "expected week 3, found week 2" in whole.first
    assert str(whole.rows[1]) == "2 of 2 named results and 0 of 2 exhibits agree; differs in base"
    assert "b-visits, 2 differences:" in whole.lines()


def test_an_exhibit_differs_where_a_result_that_it_states_does_and_a_sentence_is_told_as_such(small):
    plant(small, ("results.json", '"value": 7', '"value": 8'))
    alone = account_of(small)
    assert alone.first.startswith("no exhibit differs; the first result that does")
    assert "b.n: expected 8, found 7" in alone.first
    plant(small, ("results.json", '"value": 0.333', '"value": 0.433'))
    stated = account_of(small)
    assert "first exhibit that differs along the data flow: base b-visits means" in stated.first
    assert "b.mean: expected 0.4333" in stated.first
    assert str(stated.rows[1]).startswith("0 of 2 named results and 2 of 2 exhibits agree")


def test_an_exhibit_that_is_gone_is_named(small):
    path = small / "reports/expected/base/exhibits/c-words/old.csv"
    path.parent.mkdir()
    path.write_text("a\n1\n")
    whole = account_of(small)
    assert "base c-words old" in whole.first
    assert str(whole.rows[2]).startswith("0 of 0 named results and 0 of 1 exhibit agree")


def test_a_committed_table_is_of_the_chapter_that_writes_it(small, tmp_path):
    data = tmp_path / "committed"
    shutil.copytree(small / "data/synthetic/base", data)
    (data / "visits.csv").write_text("CHILD\nANN\nEVA\n")
    (data / "truth/known.csv").write_text("known\n2\n")
    made = small / "data/synthetic/base"
    found = verify.compare_folders("data/synthetic/base", data, made, belongs=verify.table_of("base"))
    assert {(one.chapter, one.kind, one.key) for one in found} == {
        ("b-visits", "table", "visits.csv"),
        ("b-visits", "table", "truth/known.csv"),
    }
    assert "base truth/known.csv, made by b-visits" in account_of(small, found).first


@pytest.mark.slow
def test_what_changed_in_the_sources_since_publication_is_told_by_chapter(small):
    names = small / "src/helpers/study/names.py"
    commit(small, "Nothing")
    names.write_text('"""Names."""\nCHILDREN = ["ann", "ben"]  # as before\n')
    commit(small, "Words alone")
    plant(small, ("exhibits/b-visits/means.csv", "week 2", "week 3"))
    # only comments: nothing that the chapter runs from
    assert account_of(small).since == {"b-visits": []}
    names.write_text('CHILDREN = ["ann", "ben", "eva"]\n')
    git(small, "add", "src")
    git(small, "commit", "-q", "-m", "One child: more")
    whole = account_of(small)
    (line,) = whole.since["b-visits"]
    assert line.startswith("by way of a-clinic: src/helpers/study/names.py  (")
    assert "One child: more" in line
    assert "Words alone" in line
    notebook = small / "notebooks/b-visits.ipynb"
    text = notebook.read_text()
    notebook.write_text(text.replace('"execution_count": 2', '"execution_count": 7'))
    git(small, "commit", "-q", "-m", "Executed", "notebooks")
    assert len(account_of(small).since["b-visits"]) == 1
    notebook.write_text(text.replace("We saw", "We have seen"))
    git(small, "commit", "-q", "-m", "Other words", "notebooks")
    assert account_of(small).since["b-visits"][0].startswith("notebooks/b-visits.ipynb  (")


def test_where_git_cannot_tell_it_says_so(small, tmp_path, monkeypatch):
    plant(small, ("exhibits/b-visits/means.csv", "week 2", "week 3"))
    shallow = tmp_path / "shallow"
    commit(small, "Spoilt")
    git(small, "clone", "-q", "--depth=1", f"file://{small}", str(shallow))
    with pytest.raises(Problem, match="shallow"):
        since.History.of(shallow)
    shutil.rmtree(small / ".git")
    whole = account_of(small)
    assert whole.publication.endswith("can't be told: this is no git checkout")
    assert whole.since == {}
    monkeypatch.setattr(since.shutil, "which", lambda name: None)
    assert "there is no git" in account_of(small).publication


@pytest.fixture
def apart(moved):
    """A project folder for the page."""
    return moved(publishing, verify)


def test_the_page_says_the_same_and_is_never_put_over_another(apart, capsys):
    bad = verify.Difference("base x <b>", "1", "2", "base", "a-clinic", "exhibit", "x")
    row = account.Row(SMALL[0], 3, 3, 2, 1, (bad,), ("base",))
    whole = account.Account(
        (row,), "first exhibit that differs: x <i>", (), ("base",), {"a-clinic": ["src/<u>"]}
    )
    page = apart / "reports/verify.html"
    page.write_text("mine")
    assert verify.conclude(whole) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "same results as published: no"
    assert (page.parent / "verify.kept.html").read_text() == "mine"
    text = page.read_text()
    for part in (
        "3 of 3",
        "1 of 2",
        "base x &lt;b&gt;: expected 1",
        "x &lt;i&gt;",
        "src/&lt;u&gt;",
        "No: something",
    ):
        assert part in text, part
    assert "<b>:" not in text
    again = page.read_bytes()
    assert verify.conclude(whole) == 1
    assert page.read_bytes() == again
    assert sorted(path.name for path in page.parent.iterdir()) == ["verify.html", "verify.kept.html"]
    assert verify.conclude(account.Account(())) == 0
    assert "Yes: everything" in page.read_text()


def test_a_page_that_would_lead_out_is_none_and_the_verdict_stands(apart, tmp_path_factory, capsys):
    outside = tmp_path_factory.mktemp("outside")
    (apart / "reports").rmdir()
    (apart / "reports").symlink_to(outside)
    assert verify.conclude(account.Account(())) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "same results as published: yes"
    assert "is a link" in lines[-2]
    assert list(outside.iterdir()) == []


def test_how_many_digits_are_shown_belongs_to_a_result():
    one, other = results(1.25), results(1.25)
    for chapter in other.values():
        for record in chapter.values():
            record["digits"] = 3
    (digits,) = verify.compare_results("base", one, other)
    assert digits.where.endswith(" digits")
    assert digits.found == "3"
