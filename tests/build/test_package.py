"""The package: whole, checked, the same bytes for the same files, and nobody's other files in it."""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest
import yaml

from helpers import ROOT, Problem
from helpers.build import package, takeaway, verify, workbook

TOP = "base-package"
PACKAGE = "reports/base-package.zip"


@pytest.fixture(scope="session")
def packed_once(built_once, tmp_path_factory):
    """The built miniature project, packed once: what its chapters leave for a package stands in its cache."""
    copy = object.__new__(type(built_once))
    copy.folder = tmp_path_factory.mktemp("packed") / "a project"
    shutil.copytree(built_once.folder, copy.folder, symlinks=True)
    packed(copy)
    return copy


@pytest.fixture
def miniature(packed_once, tmp_path):
    """A copy of it without the package, to be spoilt."""
    copy = object.__new__(type(packed_once))
    copy.folder = tmp_path / "p"
    shutil.copytree(packed_once.folder, copy.folder, symlinks=True)
    (copy.folder / "reports/base-package.zip").unlink()
    (copy.folder / ".cache/build/packages.json").unlink()
    return copy


def run(project, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    _, values = project.command(**environment)
    command = [sys.executable, "-m", "helpers.build.package", *arguments]
    return subprocess.run(
        command, env=values, cwd=project.folder, capture_output=True, text=True, timeout=300
    )


def packed(project, name: str = "base") -> Path:
    done = run(project, "--scenario", name)
    assert done.returncode == 0, done.stderr
    final = project.folder / f"reports/{name}-package.zip"
    assert done.stdout.splitlines()[-1] == f"package: {final}"
    return final


def unpacked(path: Path, target: Path) -> Path:
    """Unpack as a reader does."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(target)
    (top,) = target.iterdir()
    return top


def git(project, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *who, *arguments], cwd=project.folder, check=True, capture_output=True)


def test_every_file_is_there_with_its_checksum_and_the_rest_of_the_entry_is_fixed(packed_once, tmp_path):
    top = unpacked(packed_once.folder / PACKAGE, tmp_path / "out")
    sums = dict(reversed(line.split("  ", 1)) for line in (top / "SHA256SUMS").read_text().splitlines())
    there = {p.relative_to(top).as_posix() for p in top.rglob("*") if p.is_file()}
    assert set(sums) == there - {"SHA256SUMS"}
    for name, value in sums.items():
        assert hashlib.sha256((top / name).read_bytes()).hexdigest() == value, name
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=top, check=True)
        (top / "reports/base/index.html").write_text("spoilt")
        spoilt = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=top, capture_output=True)
        assert spoilt.returncode
    published = {name for name in packed_once.published() if not name.endswith(".zip")}
    assert published - {"reports/comparison.html"} <= there
    for name in (
        "reports/base/results.json",
        "reports/base/results.ars.json",
        "reports/base/provenance.json",
        "reports/base/reviewer.html",
        "reports/base/exhibits.xlsx",
        "reports/base/exhibits/b-visits/course.png",
        "reports/base/exhibits/b-visits/course.svg",
        "reports/base/exhibits/b-visits/course-300dpi.png",
        "data/synthetic/base/truth/known.csv",
        "executed/b-visits.ipynb",
        "scenarios/base.yaml",
        "requirements.lock",
        "Makefile",
        "src/helpers/build/package.py",
    ):
        assert name in there
    told = json.loads((top / "reports/base/provenance.json").read_text())
    for name, value in told["pages_sha256"].items():
        assert hashlib.sha256((top / "reports/base" / name).read_bytes()).hexdigest() == value, name
    assert {"exhibits.xlsx", "exhibits/b-visits/course.svg", "b-visits.html"} <= set(told["pages_sha256"])
    ran = json.loads((top / "executed/b-visits.ipynb").read_text())
    assert any(cell.get("outputs") for cell in ran["cells"])
    with zipfile.ZipFile(packed_once.folder / PACKAGE) as archive:
        entries = archive.infolist()
    assert [one.filename for one in entries] == sorted(one.filename for one in entries)
    assert {one.date_time for one in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {one.external_attr >> 16 for one in entries} == {0o100644}
    assert {one.create_system for one in entries} == {3}


@pytest.mark.slow
def test_the_same_files_give_the_same_bytes(miniature, tmp_path):
    first = packed(miniature).read_bytes()
    for path in (miniature.folder / "src").rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    elsewhere = object.__new__(type(miniature))
    elsewhere.folder = tmp_path / "else where"
    spare = shutil.ignore_patterns("*.zip", "packages.json")
    shutil.copytree(miniature.folder, elsewhere.folder, ignore=spare)
    done = run(elsewhere, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    assert (elsewhere.folder / "reports/base-package.zip").read_bytes() == first
    (miniature.folder / "scenarios/base.yaml").write_text("description: otherwise\n")
    assert packed(miniature).read_bytes() != first


@pytest.mark.slow
def test_pictures_and_pdf_that_are_made_anew_elsewhere_are_the_same_bytes(miniature, tmp_path):
    first = packed(miniature).read_bytes()
    elsewhere = object.__new__(type(miniature))
    elsewhere.folder = tmp_path / "else where"
    spare = shutil.ignore_patterns("*.zip", "packages.json", "kept")
    shutil.copytree(miniature.folder, elsewhere.folder, ignore=spare)
    done = run(elsewhere, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(elsewhere.folder / "reports/base-package.zip") as archive:
        found = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert [one for one in archive.namelist() if archive.read(one) != found.get(one)] == []
    assert (elsewhere.folder / "reports/base-package.zip").read_bytes() == first


@pytest.mark.slow
def test_the_unpacked_package_is_a_project_that_builds_the_same_results(miniature, tmp_path, monkeypatch):
    unpacked(packed(miniature), tmp_path / "out")
    copy = object.__new__(type(miniature))
    copy.folder = tmp_path / "out" / TOP
    # as `make verify` would take it: what was built goes, what it is built from stays
    monkeypatch.setattr(verify, "ROOT", copy.folder)
    git(miniature, "init", str(tmp_path / "out"))
    assert "no git checkout" in verify.committed(tmp_path / "project")
    assert not (tmp_path / "project/reports/base").exists()
    copy.folder = tmp_path / "project"
    done = copy.build()
    assert done.returncode == 0, done.stderr
    for name in ("results.json", "results.ars.json", "b-visits.html"):
        one, other = (folder / "reports/base" / name for folder in (copy.folder, miniature.folder))
        assert one.read_bytes() == other.read_bytes(), name


@pytest.mark.slow
def test_nobody_s_other_files_travel_along(miniature, tmp_path):
    folder = miniature.folder
    for name in ("patients/real.csv", "notes.txt", "reports/base/mine.txt", "data/synthetic/mine/labs.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    with zipfile.ZipFile(packed(miniature)) as archive:
        assert not [one for one in archive.namelist() if archive.read(one) == b"private"]
    # with git, what it does not track stays behind and is told; the scenario's own file comes along
    git(miniature, "init")
    (folder / ".gitignore").write_text("/reports/*\n/data/\n.cache/\n__pycache__/\n")
    git(miniature, "add", "src", "notebooks", "requirements.lock", "pyproject.toml", "Makefile", ".gitignore")
    (folder / "src/helpers/private.py").write_text("private")
    done = run(miniature)
    assert done.returncode == 0, done.stderr
    assert "git does not track them" in done.stdout
    assert "notes.txt" in done.stdout
    with zipfile.ZipFile(folder / "reports/base-package.zip") as archive:
        names = archive.namelist()
        assert not [one for one in names if archive.read(one) == b"private"]
    assert f"{TOP}/scenarios/base.yaml" in names
    assert f"{TOP}/scenarios/no-effect.yaml" not in names
    assert f"{TOP}/src/helpers/build/package.py" in names


def test_what_is_not_as_it_was_built_is_refused_with_all_that_is_wrong(miniature):
    folder = miniature.folder
    (folder / "reports/base/a-clinic.html").write_text("edited")
    (folder / "data/synthetic/base/visits.csv").unlink()
    (folder / ".cache/build/base/chapters/c-words.ipynb").write_text("{}")
    (folder / "src/helpers/link.py").symlink_to("/etc/hostname")
    done = run(miniature)
    assert done.returncode == 2
    for words in (
        "reports/base/a-clinic.html is not as it was built",
        "data/synthetic/base/visits.csv is missing",
        "chapter c-words has not run",
        "src/helpers/link.py is a link",
        "make report SCENARIO=base",
    ):
        assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((folder / "reports").glob("*.zip"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "no-effect"), "reports/no-effect is not built"),
        (("--scenario", "../base"), "unknown scenario"),
        (("--set", "upcr_effect"), "not of the form name=value"),
    ],
)
def test_what_can_t_be_packed_is_told_in_a_sentence(built_once, arguments, words):
    done = run(built_once, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_somebody_s_zip_is_kept_and_ours_is_cleaned_away(miniature):
    final = packed(miniature)
    whole = final.read_bytes()
    final.write_bytes(b"mine")
    packed(miniature)
    assert final.read_bytes() == whole
    assert (final.parent / "base-package.kept.zip").read_bytes() == b"mine"
    _, values = miniature.command()
    clean = [sys.executable, "-m", "helpers.build.publishing"]
    subprocess.run(clean, env=values, cwd=miniature.folder, check=True)
    assert not final.exists()
    assert (final.parent / "base-package.kept.zip").read_bytes() == b"mine"


HOSTILE = '=cmd|"/C calc"!A0 </script><b>`rm`| ]]> \u202e"\',é'


@pytest.mark.slow
def test_a_hostile_child_and_description_harm_no_format(miniature, tmp_path):
    folder = miniature.folder
    (folder / "src/helpers/study/names.py").write_text(f"CHILDREN = [{HOSTILE!r}, 'ben']\n")
    (folder / "scenarios/base.yaml").write_text(f"description: {json.dumps(HOSTILE)}\n")
    write = (
        "import csv\nwith open(folder / 'clinic.csv', 'w') as f:\n"
        "    csv.writer(f).writerows([['child'], *([c] for c in names.CHILDREN)])"
    )
    notebook = folder / "notebooks/a-clinic.ipynb"
    content = json.loads(notebook.read_text())
    source = content["cells"][2]["source"]
    content["cells"][2]["source"] = source[: source.index('(folder / "clinic.csv")')] + write
    notebook.write_text(json.dumps(content))
    notebook = folder / "notebooks/b-visits.ipynb"
    text = notebook.read_text().replace("Means by <visit>", json.dumps(json.dumps(HOSTILE)[1:-1])[1:-1])
    notebook.write_text(
        text.replace('Result(\\"b.n\\", 7)', f'Result(\\"b.n\\", {json.dumps(repr(HOSTILE))[1:-1]})')
    )
    done = miniature.build()
    assert done.returncode == 0, done.stderr + done.stdout
    top = unpacked(packed(miniature), tmp_path / "out")
    rows = list(csv.reader(io.StringIO((top / "data/synthetic/base/clinic.csv").read_text())))
    assert rows[1] == [HOSTILE]
    results = json.loads((top / "reports/base/results.json").read_text())
    assert results["b-visits"]["b.n"]["value"] == HOSTILE
    event = json.loads((top / "reports/base/results.ars.json").read_text())
    assert HOSTILE in event["description"]
    (told,) = [
        one for a in event["analyses"] for one in a["results"] if a["id"] == "Analysis.b-visits.sentences.b"
    ]
    assert (told["rawValue"], told["formattedValue"]) == (HOSTILE, HOSTILE)
    assert HOSTILE in (top / "READ-ME-FIRST.md").read_text()
    for page in (top / "reports").rglob("*.html"):
        assert "<b>`rm`" not in page.read_text()


def test_what_the_standard_s_file_refers_to_is_in_the_package(packed_once, tmp_path):
    """Outputs, the notebooks that computed them, and the place of each on its page."""
    top = unpacked(packed(packed_once), tmp_path / "out")
    folder = top / "reports/base"
    event = json.loads((folder / "results.ars.json").read_text())
    files = [one for output in event["outputs"] for one in output["fileSpecifications"]]
    assert files
    for one in files:
        place, _, anchor = one["location"].partition("#")
        content = (folder / place).resolve().read_bytes()
        assert one["name"] == place.rpartition("/")[2]
        assert not anchor or f'id="{anchor}"'.encode() in content
    notebooks = [one for one in event["referenceDocuments"] if one["location"].endswith(".ipynb")]
    assert {one["location"] for one in notebooks} == {
        f"../../notebooks/{path.name}" for path in (top / "notebooks").glob("*.ipynb")
    }
    # the statements that computed a number stand where the file says
    for analysis in event["analyses"]:
        (page,) = analysis["programmingCode"]["documentRef"]["pageRefs"]
        assert re.fullmatch(r"cell \[\d+\]", page["pageNames"][0])


def test_all_that_git_tracks_belongs_to_the_project_where_there_is_no_git():
    known = package.tracked()
    if known is None:
        pytest.skip("this copy is no git checkout")
    inside = {name for name in known[0] if not name.startswith(("data/", "reports/"))}
    assert {name.partition("/")[0] for name in inside} <= set(package.PROJECT)
    assert inside - set(package.in_folders()) == {name for name in inside if not (ROOT / name).exists()}


def test_the_words_name_what_is_there_and_what_is_not():
    names = [
        "reports/base/exhibits/a/x.csv", "reports/base/exhibits/a/x.png", "reports/base/exhibits/a/y.csv",
        "reports/base/exhibits/a/x.svg", "reports/base/exhibits/a/x-300dpi.png", "reports/base/adam/adsl.xpt",
        "data/synthetic/base/adsl.csv", "data/synthetic/base/truth/t.csv", "data/synthetic/other/z.csv",
    ]  # fmt: skip
    made = package.edition("base")
    text = package.first_words(made, names, [takeaway.NO_PDF])
    assert "the data of 2 exhibits (CSV) and 1 pictures (PNG)" in text
    assert "1 of them as drawing (SVG), 1 for print" in text
    assert "| 1 tables, raw" in text
    assert "| 1 tables of what the simulation knows" in text
    assert "| 1 files: analysis tables as SAS transport" in text
    assert "no Chromium" in text.partition("## Not in this package")[2]
    assert "report.pdf" not in text
    assert "report.pdf" in package.first_words(made, [*names, "reports/base/report.pdf"])


def test_the_citation_holds_what_is_known_and_marks_what_only_the_owners_know():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    found = yaml.safe_load(text)
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "abstract"} <= set(
        found
    )
    (trial,) = found["references"]
    registered = (ROOT / "data/reference/NCT06731192.txt").read_text("utf-8")
    assert trial["title"].removesuffix(" (NCT06731192)") in registered
    assert all(one["name"] in registered for one in trial["authors"])
    for unknown in ("repository-code", "doi", "contact"):
        assert (unknown in found) != (f"# {unknown}: TO FILL IN" in text)


def test_each_page_links_what_belongs_to_it_and_every_link_leads_somewhere(packed_once, tmp_path):
    top = unpacked(packed_once.folder / PACKAGE, tmp_path / "out")
    pages = sorted((top / "reports/base").glob("*.html"))
    assert {page.name for page in pages} > {"index.html", "reviewer.html", "b-visits.html"}
    for page in pages:
        found = re.findall(r'(?:href|src)="(?!data:)([^"#:]+)[^"]*"', page.read_text("utf-8"))
        missing = {one for one in found if not (page.parent / one).exists()}
        # the comparison of scenarios is no part of one
        assert missing <= {"../comparison.html"}, page.name
        assert "exhibits.xlsx" in found, page.name
        if shutil.which("chromium"):
            assert "report.pdf" in found, page.name
    text = (top / "reports/base/b-visits.html").read_text("utf-8")
    for place in (
        "exhibits/b-visits/course.svg",
        "exhibits/b-visits/course-300dpi.png",
        "../../executed/b-visits.ipynb",
    ):
        assert f'href="{place}"' in text
    # as what the page shows, and as a file to take away
    assert text.count("course.svg") == 2
    assert "means.svg" not in text


def test_the_workbook_holds_numbers_as_numbers_under_the_format_of_the_page(packed_once, tmp_path):
    top = unpacked(packed_once.folder / PACKAGE, tmp_path / "out")
    book = openpyxl.load_workbook(top / "reports/base/exhibits.xlsx")
    assert book.sheetnames == ["Contents", "Table 1", "Figure 1"]
    assert book.properties.created == workbook.CREATED
    listed = book["Contents"]
    assert listed["B4"].value == "Means by <visit>"
    assert listed["A4"].hyperlink.location == "'Table 1'!A1"
    assert listed["F4"].hyperlink.target == "b-visits.html"
    table = book["Table 1"]
    assert [cell.value for cell in table[5]] == ["Visit", "mean (mg/mg)", "n"]
    assert [cell.value for cell in table[6]] == ["week 2", 1 / 3, 3]
    assert [cell.number_format for cell in table[6]][1:] == ["0.0", "0"]
    assert "Population: all; n = 7" in table["A3"].value


@pytest.mark.slow
def test_a_chapter_that_shows_other_data_now_is_refused(miniature):
    shutil.rmtree(miniature.folder / ".cache/build/base/kept")
    record = miniature.folder / ".cache/build/base/report/exhibits/b-visits/course.csv"
    record.write_text("visit,mean\n")
    done = run(miniature)
    assert done.returncode == 2
    assert "b-visits: its exhibit course is not as it was built" in done.stderr
    assert not list((miniature.folder / "reports").glob("*.zip"))


@pytest.mark.slow
def test_where_no_chromium_is_the_package_says_so(miniature, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh"):
        (folder / name).symlink_to(shutil.which(name))
    done = run(miniature, PATH=str(folder))
    assert done.returncode == 0, done.stderr
    assert takeaway.NO_PDF in done.stdout
    top = unpacked(miniature.folder / "reports/base-package.zip", tmp_path / "out")
    assert takeaway.NO_PDF in (top / "READ-ME-FIRST.md").read_text()
    assert not (top / "reports/base/report.pdf").exists()


def test_a_name_that_a_list_of_checksums_can_not_hold_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(package, "sources", lambda made: ({"a\nb.csv": tmp_path, "fine.csv": tmp_path}, []))
    monkeypatch.setattr(package, "published", lambda folder, name: ({f"{folder.name}.html": tmp_path}, []))
    monkeypatch.setattr(package, "executed", lambda made: ({}, []))
    made = SimpleNamespace(name="base", published=package.REPORTS / "tables", head=SimpleNamespace(own=False))
    with pytest.raises(
        Problem, match=r"no package: 'a\\nb.csv' can't stand in SHA256SUMS\. .make report SCENARIO=base"
    ):
        package.gather(made)
