"""`make compare`: the page's name, what is refused before anything runs, and what is listed."""

import re
import subprocess
import sys

import pytest
from chromium import sized
from conftest import Whole

from helpers.build import compare, pages, publishing
from helpers.study.files import seal, write


def test_a_name_tells_what_is_compared_and_keeps_apart_what_looks_alike():
    name = compare.name_of("base", "base upcr_effect=0.8")
    assert name.startswith("base-v-base-upcr-effect-0_8-")
    assert name == compare.name_of("base", "base upcr_effect=0.8")
    assert len({compare.name_of("base", f"base gfr_method='{x * 70}'") for x in "ab"}) == 2
    assert all(c.isalnum() or c in "-_" for c in compare.name_of("../x", "<b>/"))


def test_what_is_missing_is_said_before_anything_runs(capsys):
    assert compare.main(["base", " "]) == 2
    assert "B is empty" in capsys.readouterr().err
    assert compare.main(["base"]) == 2
    assert 'make compare A=base B="base upcr_effect=0.8"' in capsys.readouterr().err


def test_all_comparisons_that_are_whole_are_listed_and_escaped(tmp_path):
    for name, b in (("one", "base <x>=1"), ("two", "base")):
        write(tmp_path / "report" / f"{name}.html", b"page")
        made = {"a": "base", "b": b, "files": [f"{name}.html"], "results": {}}
        write(tmp_path / f"{name}.json", seal(made))
    (tmp_path / "report" / "two.html").unlink()
    found = compare.staged(tmp_path)
    assert sorted(found) == ["index.html", "one.html", "results.json"]
    index = found["index.html"].read_text("utf-8")
    assert '<a href="one.html">base v base &lt;x&gt;=1</a>' in index
    assert "two.html" not in index
    assert pages.comparisons_index([]).count(b"<li>") == 0


def test_one_comparison_after_another_is_published(moved):
    """What the first left behind, the record of what was published among it, is no comparison."""
    moved(compare, publishing)
    final, stage = (
        publishing.Folder(compare.REPORTS / compare.TITLE, compare.TITLE),
        compare.STAGING / compare.TITLE,
    )
    for name in ("one", "two"):
        write(stage / "report" / f"{name}.html", b"page")
        made = {"a": "base", "b": name, "files": [f"{name}.html"], "results": {}}
        write(stage / f"{name}.json", seal(made))
        final.publish(compare.staged(stage))
    assert sorted(path.name for path in final.final.iterdir()) == [
        "index.html",
        "one.html",
        "results.json",
        "two.html",
    ]


@pytest.mark.slow
def test_lines_of_a_comparison_are_drawings_and_its_page_fits(tmp_path, browser):
    project = Whole(tmp_path / "p")
    _, values = project.command(WORKERS="1", OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, "-m", "helpers.build.compare", "base", "base n_randomised=20"]
    done = subprocess.run(
        command, env=values, cwd=project.folder, capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = project.folder / "reports" / "compare"
    (page,) = [one for one in folder.glob("*.html") if one.name != "index.html"]
    shown = re.findall(r'<img src="([^"]+)"', page.read_text("utf-8"))
    assert any(one.endswith(".svg") for one in shown)
    assert all((folder / one).is_file() for one in shown)
    for width in (390, 1280):
        sized(browser, page, width)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
