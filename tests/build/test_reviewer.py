"""The guide for reviewers: all of it from where the project keeps it, whole also where a report has little."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers import ROOT
from helpers.analysis import adam
from helpers.build import pages, reviewer
from helpers.build.heads import Head
from helpers.chapters import adam_variables, contents, define
from helpers.chapters import reviewer as words
from helpers.chapters.contents import CHAPTERS
from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS, ESTIMANDS

HOSTILE = '</script><b>=cmd|"x" `rm`'
PARTS = (
    "Introduction", "Protocol and estimands", "Considerations for all analysis tables", "Analysis tables",
    "Checks of the data", "Where each number comes from", "Known differences between programs",
    "Programs, and how to run them again", "Files",
)  # fmt: skip


@pytest.fixture
def report(tmp_path) -> Path:
    """A staged report of one exhibit, and the CSV behind the exhibits that the guide quotes."""
    differ = f"topic,r,sas,python,here,shown\nTies,Efron,Breslow,Efron,none,{HOSTILE}\n"
    for stem, key, text in (
        ("09-validation", "validation-conventions", differ),
        ("04-analysis-data", "checks", "check,table,exceptions\nagree,adsl,0\n"),
    ):  # fmt: skip
        path = tmp_path / "exhibits" / stem / f"{key}.csv"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path


def sections(report: Path, records: dict | None = None, chapters=CHAPTERS, data=None) -> list[dict]:
    tables = ROOT / "data/synthetic/base"
    data = (
        [(f"../../{name}.csv", tables / f"{name}.csv") for name in ("adsl", "adlb", "adtte", "adae")]
        if data is None
        else data
    )
    written = sorted(report.rglob("*.csv"))
    return reviewer.sections("base", HOSTILE, chapters, records or {}, ROOT, report, written, data)


def texts(node) -> list[str]:
    if isinstance(node, str):
        return [node]
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ()
    return [text for one in inner for text in texts(one)]


def record(**more) -> dict:
    exhibit = {"key": "t", "title": HOSTILE, "population": "all", "conventions": [HOSTILE], "kind": "table"}
    stated = {
        "cell": 1,
        "exhibit": exhibit,
        "results": ["a.b"],
        "functions": [["helpers.x.y", "src/x.py", 3, 9]],
    }
    return {"exhibits": {"t": {"label": "Table 6.1", "title": HOSTILE}}, "stated": [stated], **more}


def test_the_guide_has_the_parts_of_such_a_guide_in_their_order(report):
    assert tuple(one["heading"] for one in sections(report)) == PARTS
    assert len({one["id"] for one in sections(report)}) == len(PARTS)


def test_it_says_what_plan_codebook_sources_and_makefile_say(report):
    said = set(texts(sections(report)))
    for one in ESTIMANDS:
        assert {one.name, one.variable, one.summary} <= said
    assert {definition for _, _, definition, _ in ANALYSIS_SETS} <= said
    for name in ("adsl", "adlb", "adtte", "adae"):
        assert {column.name for column in TABLES[name].columns} <= said
    assert {"40", "ADLB"} <= said
    assert "helpers.analysis.adam" in said
    assert adam.__doc__.partition("\n")[0] in said
    words = dict(reviewer.words(ROOT))
    assert {"verify", "package", "trace"} <= set(words)
    assert set(words.values()) <= said
    assert any(str(reviewer.TOLERANCE) in one for one in said)
    assert {"Efron", "agree"} <= said


def test_each_exhibit_is_linked_with_its_functions_and_each_file_with_its_digest(report):
    (numbers,) = [one for one in sections(report, {"06-remission": record()}) if "number" in one["id"]]
    said = texts(numbers)
    assert "06-remission.html#exhibit-t" in said
    assert "helpers.x.y (src/x.py:3)" in said
    assert said.count("Table 6.1") == 2, "as an exhibit and at its convention"
    (conventions,) = [one for one in numbers["parts"] if isinstance(one, dict) and "Convention" in texts(one)]
    ((what, where),) = conventions["rows"]
    assert texts(what) == [HOSTILE]
    assert "Table 6.1" in texts(where)
    (files,) = [one for one in sections(report) if one["heading"] == "Files"]
    (table,) = [part for part in files["parts"] if isinstance(part, dict)]
    assert len(table["rows"]) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, (digest,) in table["rows"])


def test_the_readme_states_the_run_times_of_the_file():
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    rows = reviewer.times(ROOT)
    told = re.findall(r"\b(\d+:\d\d)\b", readme.partition("Measured alone")[2].partition("Conda users")[0])
    assert told == [words.minutes(int(row["seconds"])) for row in rows]
    assert "about two minutes" not in readme


def test_run_times_are_those_of_the_file_and_missing_without_it(tmp_path, report):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / reviewer.TIMES).write_text("command,what,seconds,machine\nmake <x>,all of it,125,3 cores\n")
    for root, there in ((tmp_path, True), (tmp_path / "benchmarks", False)):
        made = reviewer.sections("base", "x", CHAPTERS, {}, root, report, [], [])
        said = texts(made)
        assert ({"make <x>", "all of it", "2:05"} <= set(said)) == there
        assert any("measured once on 3 cores by" in one for one in said) == there
        assert ("make <x>" in said) == there
        assert (root / reviewer.TIMES in reviewer.read_from(root)) == there
    # the committed ones are of the commands that the script measures
    rows = reviewer.times(ROOT)
    assert len({row["machine"] for row in rows}) == 1
    assert all(row["command"].startswith("make ") and float(row["seconds"]) >= 0 for row in rows)


def test_the_guide_says_what_tables_are_made_from_and_what_stands_in_all_of_them():
    assert words.core() == ["STUDYID", "USUBJID", "TRT01P", "TRT01PN"]
    made = {name: define.made_from(name) for name in adam_variables.DATASETS}
    assert made["adlb"] == ["screening", "labs", "events", "ADSL"]
    assert made["adtte"] == ["ADSL", "ADLB"]
    raw = ["screening", "randomisation", "infusions", "labs", "events", "treatments", "disposition"]
    assert made["adsl"] == raw


def test_a_report_of_little_has_a_guide(tmp_path):
    one = SimpleNamespace(stem="a", title="A", about="x", makes="")
    made = reviewer.sections("base", "x", [one], {}, tmp_path, tmp_path, [], [])
    assert tuple(part["heading"] for part in made) == PARTS
    assert "This report has no analysis tables." in texts(made)
    assert reviewer.tables("base", "x", tmp_path) == {}


def test_the_page_escapes_what_others_wrote_and_its_folds_are_closed(report):
    page = pages.reviewer_page(
        "base", sections(report, {"06-remission": record()}), CHAPTERS, "0" * 64
    ).decode()
    assert "<b>=cmd" not in page
    assert "&lt;/script&gt;&lt;b&gt;" in page
    assert "<details open" not in page
    assert "<code>make verify</code>" in page
    for heading in PARTS:
        assert heading in page
    assert 'aria-current="page">For the reviewer' in page


def test_of_own_data_it_leads_to_that_reports_pages_and_says_what_became_of_contradictions(report):
    head = Head("Data of x.", "40 children.", "", words="dummy arms", tail="-dummy-arms", own=True)
    chapters, records = contents.own(), {"06-remission": record()}
    for path in list(report.rglob("*.csv")):
        path.rename(path.with_name(f"{path.stem}{head.tail}.csv"))
    data = [("../../adsl.csv", ROOT / "data/synthetic/base/adsl.csv")]
    made = reviewer.sections("own-x", "x", chapters, records, ROOT, report, [], data, head)
    assert any("is a query to the site" in one for one in texts(made))
    said = texts(made)
    assert {"results-dummy-arms.ars.json", "adam/adsl-dummy-arms.xpt", "adam/adsl-dummy-arms.json"} <= set(
        said
    )
    assert {"Efron", "agree"} <= set(said), "exhibits of a blinded report have its names"
    page = pages.reviewer_page("own-x", made, chapters, "0" * 64, head).decode()
    leads = set(re.findall(r'href="([^"#]+\.html)', page))
    assert "06-remission-dummy-arms.html" in leads
    assert "reviewer-dummy-arms.html" in leads
    assert {one for one in leads if not one.endswith("-dummy-arms.html")} == set()
    assert "Data of x." in page
    assert "All scenarios" not in page


def test_the_first_line_of_a_module_is_read_without_running_it(tmp_path):
    path = tmp_path / "a.py"
    for text, wanted in (
        ('"""One.\n\nTwo."""\n', "One."), ('# c\n"""One."""', "One."), ("x = 1", ""), ('x = """no"""', ""),
    ):  # fmt: skip
        path.write_text(text)
        assert reviewer.first_line(path) == wanted
    assert len(reviewer.described(ROOT)) > 100
    assert reviewer.benchmarks(tmp_path) == reviewer.words(tmp_path) == []


def test_the_exhibits_that_the_guide_leads_to_are_published():
    chapters = {chapter.stem for chapter in CHAPTERS}
    for chapter, key in (words.DIFFERENCES, words.AGREEMENT, words.CHECKS):
        assert chapter in chapters
        assert (ROOT / "reports/expected/base/exhibits" / chapter / f"{key}.csv").is_file()


def test_tables_are_counted_by_rows_and_children(tmp_path):
    for name, text in (
        ("adlb.csv", "USUBJID,AVAL\n01,1\n01,2\n02,3\n"),
        ("codes.csv", "code\na\nb\n"),
        ("adlb.xpt", "not a CSV"),
    ):
        (tmp_path / name).write_text(text)
    data = [(path.name, path) for path in sorted(tmp_path.iterdir())]
    assert dict(reviewer.counted(data)) == {"adlb": (3, 2), "codes": (2, 0)}
