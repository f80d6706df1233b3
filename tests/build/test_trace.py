"""From a number back to its code: what the cells' text says, and what is printed of a built report."""

import json
import re
import subprocess
import sys
import threading
from html import escape

import pytest

from helpers import ROOT, Problem
from helpers.build import origins, trace


def cell(source: str, count: int, **metadata) -> dict:
    outputs = [{"output_type": "display_data", "data": {}, "metadata": metadata}] if metadata else []
    return {"cell_type": "code", "source": source, "execution_count": count, "outputs": outputs}


def exhibit(key: str, *results: str) -> dict:
    return {"key": key, "kind": "table", "title": key, "results": [{"key": one} for one in results]}


IMPORTS = """from helpers.analysis import remission, course
from helpers.chapters import remission as chapter
from helpers.chapters.exhibits import say, show
from helpers import figures
import helpers.study.shown
import pandas as pd"""


def functions(*cells: dict) -> list[list[str]]:
    found = origins.stated({"cells": list(cells)})
    return [[one[0].removeprefix("helpers.") for one in entry["functions"]] for entry in found]


def test_a_cell_leads_to_the_functions_that_set_what_it_uses_and_to_no_others():
    shown = cell("said = show(chapter.primary(primary, p))", 4, exhibit=exhibit("e", "a.b"))
    found = functions(
        cell(IMPORTS, 1),
        cell("primary = remission.primary(adsl, adlb, adtte, p)\nother = course.tidy(adsl)", 2),
        cell("primary = primary[['x']]\npd.concat([other])", 3),
        shown,
        cell("say('{a}', **said)", 5, results=[{"key": "a.b"}]),
    )
    assert found == [["analysis.remission.primary", "chapters.remission.primary"]] * 2


def test_what_is_set_again_forgets_and_what_is_changed_remembers():
    first = "frame = remission.primary(a)\nframe = course.tidy(b)"
    assert functions(cell(IMPORTS, 1), cell(first, 2), cell("show(frame)", 3, exhibit=exhibit("e"))) == [
        ["analysis.course.tidy"]
    ]
    changed = "frame = remission.primary(a)\nframe.loc[:, 'x'] = course.tidy(b)"
    assert functions(cell(IMPORTS, 1), cell(changed, 2), cell("show(frame)", 3, exhibit=exhibit("e"))) == [
        ["analysis.remission.primary", "analysis.course.tidy"]
    ]


def test_lines_are_those_of_the_file_and_names_are_followed_through_packages():
    found = origins.Modules().function("helpers.chapters.remission.primary")
    lines = (ROOT / found.file).read_text("utf-8").splitlines()
    assert lines[found.first - 1].startswith("def primary(")
    assert not lines[found.last].strip()
    # handed on by the package's own imports
    handed = re.findall(
        r"^from helpers\.figures\.(\w+) import (\w+)",
        (ROOT / "src/helpers/figures/__init__.py").read_text(),
        re.M,
    )
    for module, name in handed[:3]:
        one = origins.Modules().function(f"helpers.figures.{name}")
        assert one is None or one.file == f"src/helpers/figures/{module}.py"
    # a method leads to its class; what is no function, no module, or not ours, to nothing
    assert origins.Modules().function("helpers.chapters.exhibits.Exhibit.csv").name.endswith(".Exhibit")
    for name in ("helpers.chapters.exhibits.DPI", "helpers.no_such.thing", "pandas.concat", "helpers"):
        assert origins.Modules().function(name) is None


def test_a_cell_that_is_no_python_leads_nowhere_and_harms_nothing():
    found = functions(cell(IMPORTS, 1), cell("%matplotlib inline\nshow(1)", 2, exhibit=exhibit("e")))
    assert found == [[]]


def test_every_exhibit_of_the_notebooks_has_a_function_that_is_there():
    modules, seen = origins.Modules(), 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for one in origins.stated(json.loads(path.read_text("utf-8")), modules):
            assert one["functions"], (path.stem, one["cell"])
            assert not {name for name, *_ in one["functions"]} & origins.PLUMBING
            seen += 1
    assert seen > 100


def test_the_folded_line_escapes_and_says_nothing_where_there_is_nothing():
    one = {"functions": [["a<b", "x&y.py", 1, 2]], "results": ['k."<']}
    shown = origins.folded(one, {"<t>.csv": "0123456789abcdef"})
    for text in ("a<b", "x&y.py", 'k."<', "<t>.csv"):
        assert escape(text) in shown
        assert text not in shown
    assert "0123456789ab" in shown
    assert origins.folded({"functions": [], "results": []}, {}) == ""


KEYS = ["remission.primary.msc.share", "remission.primary.msc.n", "remission.primary.p", "b.n"]


def test_a_key_or_a_beginning_up_to_a_dot_is_found():
    assert trace.wanted("remission.primary.msc", KEYS) == KEYS[:2]
    assert trace.wanted(" b.n,remission.primary.p ", KEYS) == KEYS[2:]
    assert trace.wanted("remission.", KEYS) == KEYS[:3]


def test_all_misspellings_are_told_at_once_with_the_nearest():
    with pytest.raises(Problem) as told:
        trace.wanted("remision.primary.msc b.n zzz remission.pri", KEYS)
    first, second, third = str(told.value).splitlines()
    assert first.startswith("no result is called 'remision.primary.msc'; the nearest: remission.primary.msc")
    assert second == "no result is called 'zzz'"
    assert "'remission.pri'" in third
    with pytest.raises(Problem, match="RESULT="):
        trace.wanted(" ,", KEYS)


# ------------------------------------------------------------------ on a built report


def run(project, *arguments: str) -> subprocess.CompletedProcess:
    _, values = project.command()
    command = [sys.executable, "-m", "helpers.build.trace", *arguments]
    return subprocess.run(
        command, env=values, cwd=project.folder, capture_output=True, text=True, timeout=300
    )


def test_the_chain_of_a_number(built_once):
    done = run(built_once, "b.mean")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "scenario base",
        "b.mean = 0.3333333333333333 mg/mg, shown as 0.33 mg/mg",
        "  chapter     b-visits, Visits: reports/base/b-visits.html#exhibit-means",
    ]
    assert lines[3].endswith("table means: Means by <visit>")
    function, *_ = [line for line in lines if "chapters.exhibits.Exhibit " in line]
    name, file, first, last = re.fullmatch(r"  function    (\S+)  (\S+):(\d+)-(\d+)", function).groups()
    assert name == "helpers.chapters.exhibits.Exhibit"
    text = (built_once.folder / file).read_text().splitlines()[int(first) - 1 : int(last)]
    assert "class Exhibit:" in text
    (table,) = [line for line in lines if "  table  " in line]
    assert re.search(r"data/synthetic/base/clinic.csv  sha256 [0-9a-f]{64}, made by a-clinic$", table)


def test_the_chain_of_an_exhibit_by_its_label_or_its_name(built_once):
    page = (built_once.folder / "reports/base/b-visits.html").read_text()
    (label,) = set(re.findall(r"Table \d+(?:\.\d+)?", page.partition("Means by")[0][-400:])) or {"means"}
    told = [
        run(built_once, text).stdout
        for text in (label, label.upper(), "means", "exhibit-means", "b-visits.means")
    ]
    assert len(set(told)) == 1
    lines = told[0].splitlines()
    assert lines[:2] == ["scenario base", f"{label} (means): Means by <visit>"]
    assert any(line.startswith("  function    helpers.chapters.exhibits.Exhibit  src/") for line in lines)
    assert any(
        re.search(r"  data        .*exhibits/b-visits/means.csv  sha256 [0-9a-f]{64}$", one) for one in lines
    )
    assert any(
        re.search(r"  table       .*clinic.csv  sha256 [0-9a-f]{64}, made by a-clinic$", one) for one in lines
    )
    assert lines[lines.index("  results     1") + 1 :] == [
        "    b.mean = 0.3333333333333333 mg/mg, shown as 0.33 mg/mg"
    ]
    # beside a result, and all faults at once
    assert run(built_once, f"{label}, b.n").stdout.splitlines()[-1] != lines[-1]
    wrong = run(built_once, "Figure 99.1 b.men")
    assert wrong.returncode == 2
    first, second = wrong.stderr.splitlines()
    assert "no exhibit is called 'Figure 99.1'" in first
    assert "the nearest: b.mean" in second


def test_an_exhibit_has_the_tables_that_led_to_it_and_the_statements():
    found = origins.stated(
        {
            "cells": [
                cell("from helpers.analysis import remission\nfrom helpers.chapters.exhibits import show", 1),
                cell('adsl, adlb = (study.read(one) for one in ("adsl", "adlb"))\nother = raw.labs', 2),
                cell("a = remission.by_set(adsl, 1)\nshow(a)", 3, exhibit=exhibit("e")),
                cell("show(other)", 4, exhibit=exhibit("f")),
                cell('show(study.read("adie"))', 5, exhibit=exhibit("g")),
            ]
        }
    )
    assert [one["tables"] for one in found] == [["adsl"], ["labs"], ["adie"]]
    first = found[0]["code"].splitlines()
    assert first[-2:] == ["a = remission.by_set(adsl, 1)", "show(a)"]
    assert not any("import" in line for line in first)
    assert found[0]["does"].startswith("The primary endpoint in three sets")
    assert origins.led_here(found[0], {"adsl.csv": "1", "adlb.csv": "2"}) == {"adsl.csv": "1"}
    assert origins.led_here({"tables": []}, {"adsl.csv": "1"}) == {"adsl.csv": "1"}


def test_a_sentence_is_named_as_one(built_once):
    lines = run(built_once, "b.n").stdout.splitlines()
    assert any(line.endswith("a sentence") for line in lines)


def test_nothing_is_traced_that_is_not_built_or_not_there(built_once):
    for arguments, words in (
        (("b.mean", "--scenario", "no-effect"), "the report of no-effect is not built"),
        (("b.men",), "the nearest: b.mean"),
        (("b.n", "--scenario", "none"), "unknown scenario 'none'"),
    ):
        done = run(built_once, *arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_what_changed_since_is_said_and_pages_follow_the_lines(miniature):
    path = miniature.folder / "src/helpers/chapters/exhibits.py"
    page = miniature.folder / "reports/base/b-visits.html"
    lines = re.search(r"chapters/exhibits.py, lines (\d+) to", page.read_text())[1]
    path.write_text("# a comment\n" + path.read_text())
    (miniature.folder / "data/synthetic/base/clinic.csv").write_text("child\nzoe\n")
    told = run(miniature, "b.mean").stdout
    assert "(changed since the report was built)" in told
    assert "(changed since the chapter read it)" in told
    # a comment runs no chapter, but moves the lines that the page names
    assert miniature.build().returncode == 0
    assert re.search(r"chapters/exhibits.py, lines (\d+) to", page.read_text())[1] == str(int(lines) + 1)
    assert "changed since" not in run(miniature, "b.mean").stdout


def test_only_one_thread_parses_at_a_time():
    done = threading.Event()

    def parse():
        origins.syntax("a = 1")
        done.set()

    with origins.PARSER:
        other = threading.Thread(target=parse)
        other.start()
        assert not done.wait(0.05), "it waits for whoever parses"
    other.join()
    assert done.is_set()


def test_an_import_sets_the_name_that_it_gives():
    (one,) = origins._statements(
        1, "import os.path as where, json\nfrom a import b as c, d".partition("\n")[0]
    )
    assert one.sets == {"where", "json"}
    (other,) = origins._statements(1, "from a import b as c, d")
    assert other.sets == {"c", "d"}
    (plain,) = origins._statements(1, "import os.path")
    assert plain.sets == {"os"}
