"""The pages of a whole report in a real browser: nothing for axe to find, no sideways scrolling, none too long."""

from importlib.resources import files

import pytest
from chromium import sized

LONGEST = 9000
"""Pixels of a page at desktop width, its folds closed."""

FOUND = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then(
  (told) => done(told.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)}`))),
  (error) => done([String(error)]));
"""
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
SIZE = "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


@pytest.fixture(scope="module")
def report(whole_project):
    """The folder of a built report."""
    return whole_project.folder / "reports"


def pages(report) -> list:
    return sorted([report / "index.html", *(report / "base").glob("*.html")])


def test_axe_finds_nothing_with_folds_closed_and_open(browser, report):
    axe = (files("axe_core_python") / "axe.min.js").read_text("utf-8")
    browser.set_script_timeout(600)
    found = {}
    assert len(pages(report)) > 12
    for page in pages(report):
        sized(browser, page, 1280)
        browser.execute_script(axe)
        for state in ("closed", "open"):
            if state == "open":
                browser.execute_script(UNFOLD)
            found[page.name, state] = browser.execute_async_script(FOUND)
    assert {where: what for where, what in found.items() if what} == {}


def test_axe_would_find_something(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<!doctype html><html><head><title>x</title></head><body><img src="x.png"></body></html>')
    sized(browser, page, 1280)
    browser.execute_script((files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    assert any(one.startswith("image-alt") for one in browser.execute_async_script(FOUND))


def test_no_page_scrolls_sideways_and_none_is_too_long(browser, report):
    wide, long = {}, {}
    for page in pages(report):
        for width in (1280, 768, 390):
            sized(browser, page, width)
            across, down = browser.execute_script(SIZE)
            if across > width:
                wide[page.name, width] = across
            if width == 1280 and down > LONGEST:
                long[page.name] = down
            browser.execute_script(UNFOLD)
            across, _ = browser.execute_script(SIZE)
            if across > width:
                wide[page.name, width, "open"] = across
    assert (wide, long) == ({}, {})
