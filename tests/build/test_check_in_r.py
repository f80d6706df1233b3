"""The check in R: what is written and published, with and without an R, by a stand-in for Rscript."""

import csv
import json
import sys
from types import SimpleNamespace

import pytest

from helpers.build import check_in_r, edition, package, publishing
from helpers.build.heads import SYNTHETIC
from helpers.chapters.contents import CHAPTERS
from helpers.study.files import seal

STEMS = [one.stem for one in CHAPTERS]
RESULTS = {"04-analysis-data": {"analysis.n_randomised": {"value": 40, "unit": "", "shown": "40"}}}
ANSWER = 'print("analysis.n_randomised,{value}"); print("# R of a test")'


def of_base() -> SimpleNamespace:
    """What the check asks of an edition."""
    return SimpleNamespace(
        name="base", chapters=CHAPTERS, head=SYNTHETIC, index="index.html", resolved={"parameters": {}},
        published=publishing.TABLES / "base", finish=lambda: None,
    )  # fmt: skip


@pytest.fixture
def root(moved):
    """A project folder with a built report of one result."""
    root = moved(check_in_r, publishing, edition, package)
    keys = root / ".cache/build/base/report/keys"
    keys.mkdir(parents=True)
    for stem in STEMS:
        record = {"results": RESULTS.get(stem, {}), "stated": []}
        (keys / f"{stem}.json").write_text(seal(record))
    report = root / "reports/base"
    report.mkdir(parents=True)
    (report / "results.json").write_text(json.dumps(RESULTS))
    (report / "provenance.json").write_text(json.dumps({"scenario": "base", "content_key": "k1"}))
    return root


def rscript(tmp_path, text: str) -> str:
    """A program in the place of Rscript."""
    path = tmp_path / "Rscript"
    (tmp_path / "stand-in.py").write_text(text)
    # a shell in between: the first line of a script can't name a Python in a folder with a space
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/stand-in.py" "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_a_script_a_chapter_its_answers_as_a_table_and_a_page(root, tmp_path):
    code, lines = check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=40)))
    assert code == 0
    assert lines[-1] == "in R: 1 of 1 results agree"
    assert "04-analysis-data: R of a test" in lines
    folder = root / "reports/base/r"
    assert sorted(path.name for path in folder.iterdir()) == [
        "04-analysis-data.R",
        "agreement.csv",
        "index.html",
    ]
    assert 'folder <- "../../../data/synthetic/base"' in (folder / "04-analysis-data.R").read_text()
    (row,) = csv.DictReader((folder / "agreement.csv").open())
    assert row["key"] == "analysis.n_randomised"
    assert [row[name] for name in ("ours", "r", "difference", "agrees")] == ["40", "40.0", "0.0", "yes"]
    page = (folder / "index.html").read_text()
    for part in (
        "1 of 1 results agree",
        "<code>analysis.n_randomised</code>",
        "R of a test",
        "content key k1",
    ):
        assert part in page
    assert str(root) not in page
    assert publishing.checked_in_r("base", "k1") == "r/index.html"
    # of another state of the report it says nothing
    assert publishing.checked_in_r("base", "k2") == ""
    before = {path: path.read_bytes() for path in folder.iterdir()}
    check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=40)))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_package_takes_the_check_along(root, tmp_path):
    folder = root / "reports/base"
    record = publishing.Folder(folder, "base").record
    assert package.published(folder, "base") == ({}, [])
    check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=40)))
    assert package.published(folder, "base") == ({}, []), "there is no report"
    record.write_text(seal({"files": {"results.json": [publishing.checksum(folder / "results.json")]}}))
    files, faults = package.published(folder, "base")
    assert faults == []
    r = {"04-analysis-data.R", "agreement.csv", "index.html"}
    assert set(files) == {"reports/base/results.json", *(f"reports/base/r/{name}" for name in r)}
    (folder / "r/agreement.csv").write_text("other")
    assert package.published(folder, "base")[1] == ["reports/base/r/agreement.csv is not as it was built"]


def test_another_answer_a_script_that_fails_and_one_that_talks_are_told(root, tmp_path):
    code, lines = check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=39)))
    assert code == 1
    assert "  analysis.n_randomised: ours 40, R's 39.0, allowed 0.0" in lines
    assert lines[-1] == "in R: 0 of 1 results agree"
    code, lines = check_in_r.build(of_base(), rscript(tmp_path, "import sys; sys.exit('no <package> xyz')"))
    assert code == 1
    assert "ended with exit code 1: no <package> xyz" in lines[0]
    assert "no &lt;package&gt; xyz" in (root / "reports/base/r/index.html").read_text()
    code, lines = check_in_r.build(of_base(), rscript(tmp_path, "print('Loading')"))
    assert code == 1
    assert "'Loading' is no answer" in lines[0]


def test_without_an_r_the_scripts_are_there_and_an_old_page_goes(root, tmp_path):
    check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=40)))
    folder = root / "reports/base/r"
    (folder / "mine.txt").write_text("mine")
    assert check_in_r.build(of_base(), None) == (0, [])
    assert sorted(path.name for path in folder.iterdir()) == ["04-analysis-data.R", "mine.txt"]


def test_without_an_r_it_says_so_and_ends_with_3_only_where_one_is_needed(root, monkeypatch, capsys):
    monkeypatch.setattr(check_in_r.shutil, "which", lambda name: None)
    monkeypatch.setattr(check_in_r, "asked", lambda *_: ["base"])
    monkeypatch.setattr(check_in_r, "edition_of", lambda name: of_base())
    monkeypatch.setattr(check_in_r, "lock", lambda: open(root / "lock", "w"))  # noqa: SIM115
    assert check_in_r.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "not checked in R: there is no Rscript on this machine"
    assert check_in_r.main(["--need-r"]) == 3


def test_a_report_that_is_not_built_is_said(root):
    (root / ".cache/build/base/report/keys/06-remission.json").unlink()
    with pytest.raises(check_in_r.Problem, match="report of base is not built \\(06-remission\\)"):
        check_in_r.build(of_base(), None)


def test_somebodys_file_is_kept_no_link_is_followed_and_clean_takes_ours(root, tmp_path):
    folder = root / "reports/base/r"
    folder.mkdir()
    (folder / "04-analysis-data.R").write_text("mine")
    check_in_r.build(of_base(), rscript(tmp_path, ANSWER.format(value=40)))
    assert (folder / "04-analysis-data.kept.R").read_text() == "mine"
    stays = publishing.clean()
    assert folder / "04-analysis-data.kept.R" in stays
    assert [path.name for path in folder.iterdir()] == ["04-analysis-data.kept.R"]
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "04-analysis-data.kept.R").unlink()
    folder.rmdir()
    folder.symlink_to(outside)
    with pytest.raises(check_in_r.Problem):
        check_in_r.build(of_base(), None)
    assert list(outside.iterdir()) == []
