"""Accessible: axe finds nothing on any page of a whole report, with its folds closed and open."""

from importlib.resources import files

import pytest
from chromium import sized

FOUND = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then(
  (told) => done(told.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)}`))),
  (error) => done([String(error)]));
"""
UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def axe() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text("utf-8")


FEW = ("reports/index.html", "base/06-remission.html", "base/explore.html", "base/index.html")
"""Pages of each kind."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("few", "folds", "width"),
    [(True, "closed", 1280), (False, "closed", 1280), (False, "open", 1280), (False, "open", 390)],
)
def test_it_finds_nothing(browser, whole_project, few, folds, width):
    browser.set_script_timeout(600)
    reports, found = whole_project.folder / "reports", {}
    pages = sorted([reports / "index.html", *(reports / "base").glob("*.html")])
    assert len(pages) > 12
    pages = [page for page in pages if not few or page.as_posix().endswith(FEW)]
    assert len(pages) >= len(FEW)
    for page in pages:
        sized(browser, page, width)
        if folds == "open":
            browser.execute_script(UNFOLD)
        browser.execute_script(axe())
        found[page.name] = browser.execute_async_script(FOUND)
    assert {where: what for where, what in found.items() if what} == {}


def test_it_would_find_something(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text('<!doctype html><html><head><title>x</title></head><body><img src="x.png"></body></html>')
    sized(browser, page, 1280)
    browser.execute_script(axe())
    assert any(one.startswith("image-alt") for one in browser.execute_async_script(FOUND))
