"""Pages: what they say, what they escape, and how they open in a browser without any network."""

import json
import re
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from helpers.build import pages
from helpers.chapters.contents import Chapter

CHAPTERS = (Chapter("00-one", "One & only", "First."), Chapter("01-two", "Two", "Second."))


def notebook(*cells) -> dict:
    """Markdown cells from text, code cells from (source, outputs)."""
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append({"cell_type": "markdown", "metadata": {}, "source": cell})
        else:
            made.append({"cell_type": "code", "metadata": {}, "source": cell[0], "outputs": cell[1]})
    return {"cells": made}


def page(*cells, chapter=CHAPTERS[0]) -> str:
    files, *_ = pages.chapter_page(notebook(*cells), chapter, CHAPTERS, "base", "0123456789abcdef0123")
    return files[f"{chapter.stem}.html"].decode()


def output(data: dict, **metadata) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def table(key: str, value: float = 1.0) -> dict:
    results = [{"key": "one.mean", "value": value, "unit": "", "digits": 1, "shown": f"{value:.1f}"}]
    record = {"key": key, "kind": "table", "title": key, "alt": "", "csv": "a\n1\n", "results": results}
    return output({"text/html": "<table><tr><td>1</td></tr></table>"}, exhibit=record)


@pytest.fixture(params=["miniature", "whole"])
def built(request):
    """A project with a built report: three tiny chapters, and the real ones."""
    return request.getfixturevalue({"miniature": "built_once", "whole": "whole_project"}[request.param])


class Addresses(HTMLParser):
    """Every href and src of a page, and every id."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)


def test_the_first_thing_said_is_that_the_data_are_synthetic():
    body = page("# Plan").split("<body>")[1]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).strip()
    assert words.startswith(
        "Synthetic data. Every child in this report is simulated, and the treatment effect is an"
    )
    assert "Scenario: base." in words[:300]


def test_everything_from_text_is_escaped():
    stream = {"output_type": "stream", "name": "stdout", "text": "<script>two()</script>"}
    plain = output({"text/plain": "<script>three()</script>"})
    text = page("# <script>one()</script>", ("'<script>four()</script>'", [stream, plain]))
    assert "<script" not in text
    assert "&lt;script&gt;two()" in text


def test_no_script_and_nothing_from_elsewhere():
    text = page("# Plan\n\n[a](https://example.org) [b](javascript:alert(1))")
    assert "<script" not in text
    assert 'href="javascript:' not in text
    assert not re.search(r"(src|@import|url\()\s*=?\s*[\"']?https?:", text)


def test_code_is_closed_and_cells_that_show_nothing_join_the_next():
    shows = output({"text/plain": "2"})
    text = page("# Plan", ("import os", []), ("1 + 1", [shows]), ("", []), ("last = 1", []))
    assert text.count('<details class="code"><summary>Show code</summary>') == 2
    assert "<details open" not in text.split("<main>")[1]


def test_formulas_become_mathml_wherever_they_stand():
    text = page(
        "# Plan\n\n## Slope $\\beta$\n\n$$\\frac{a}{b}$$\n\n\\begin{align}x&=1\\end{align}\n\nand $x^2$."
    )
    assert text.count("<math") >= 4
    assert "$" not in text.split("<main>")[1]
    assert 'display="block"' in text


def test_contents_link_to_headings_that_have_the_same_name():
    text = page("# Plan\n\n## Result\n\n## Result\n\n### Deep")
    found = Addresses(text)
    assert {"result", "result-2", "deep"} <= set(found.ids)
    assert [link for link in found.links if link.startswith("#")] == ["#result", "#result-2", "#deep"]
    assert len(found.ids) == len(set(found.ids))


def test_previous_next_and_where_we_are():
    first, last = page("# a"), page("# b", chapter=CHAPTERS[1])
    assert 'rel="next" href="01-two.html"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev" href="00-one.html">← One &amp; only' in last
    assert '<a href="01-two.html" aria-current="page">' in last


def test_links_written_for_notebooks_work_on_pages():
    text = page("# a\n\n[t](01-two.ipynb#deep) [d](../data/reference/targets.csv) [r](#x)")
    assert {"01-two.html#deep", "../../data/reference/targets.csv", "#x"} <= set(Addresses(text).links)


def test_exhibits_bring_files_and_results():
    files, results, exhibits = pages.chapter_page(
        notebook(("a", [table("t")])), CHAPTERS[0], CHAPTERS, "base", "k"
    )
    assert list(exhibits) == ["t"]
    assert files["exhibits/00-one/t.csv"] == b"a\n1\n"
    assert results["one.mean"]["value"] == 1.0
    assert "exhibits/00-one/t.csv" in Addresses(files["00-one.html"].decode()).links
    kept = json.loads(pages.results_file({"00-one": results}))
    assert kept == {"00-one": {"one.mean": {"value": 1.0, "unit": "", "digits": 1, "shown": "1.0"}}}


def test_two_exhibits_or_two_results_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two exhibits are called 't'"):
        page(("a", [table("t"), table("t")]))
    with pytest.raises(ValueError, match=r"two results are called 'one\.mean'"):
        page(("a", [table("t", 1.0), table("u", 2.0)]))


def test_every_address_of_the_built_pages_resolves(built):
    reports = built.folder / "reports"
    checked = 0
    for path in reports.rglob("*.html"):
        for link in Addresses(path.read_text()).links:
            place, fragment = urldefrag(unquote(link))
            if re.match(r"(https?|data):", place):
                continue
            target = (path.parent / place).resolve() if place else path
            assert target.is_file(), f"{path.name} -> {link}"
            if fragment and target.suffix == ".html":
                assert fragment in Addresses(target.read_text()).ids, f"{path.name} -> {link}"
            checked += 1
    assert checked > 20


# ------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium that logs its console and every request."""
    if not (Path("/usr/bin/chromium").exists() and Path("/usr/bin/chromedriver").exists()):
        pytest.skip("no Chromium: .ci/run installs it")
    from selenium import webdriver

    # Chromium's socket must have a short path, shorter than a clone's own temporary folder may be
    own = tempfile.mkdtemp(prefix="cr", dir="/tmp")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-quic", "disable-dev-shm-usage",
        f"user-data-dir={own}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(
        "/usr/bin/chromedriver", env={"TMPDIR": own, "HOME": own, "PATH": "/usr/bin"}
    )
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()
    shutil.rmtree(own, ignore_errors=True)


def requests(driver) -> list[str]:
    """Addresses that the page asked for since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def test_pages_open_from_disk_in_a_browser(built, browser):
    for path in sorted((built.folder / "reports").rglob("*.html")):
        for width in (360, 1280):
            metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            browser.get(path.as_uri())
            assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
            assert [url for url in requests(browser) if url.startswith(("http", "ws", "//"))] == []
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{path.name} scrolls sideways at {width} px"
            broken = (
                "return [...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
            )
            assert browser.execute_script(broken) == []
            banner = browser.execute_script(
                "return document.querySelector('.banner').getBoundingClientRect().bottom"
            )
            assert banner < 400, "the warning is on the first screen"


def test_a_wide_table_scrolls_in_its_own_frame(built_once, browser, tmp_path):
    cells = "".join(f"<td>column{k}</td>" for k in range(60))
    wide = output({"text/html": f"<table><tr>{cells}</tr></table>"})
    long = {"output_type": "stream", "name": "stdout", "text": "x" * 500}
    words = "# Plan\n\n" + "a" * 300 + "\n\n| " + " | ".join("abcdefgh" * 9) + " |\n|" + "--|" * 72 + "\n"
    place = tmp_path / "wide.html"
    place.write_text(page(words, ("x = '" + "y" * 400 + "'", [wide, long])))
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(place.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360


def test_the_real_pages_are_small_and_their_figures_speak(whole_project):
    for path in sorted((whole_project.folder / "reports").rglob("*.html")):
        text = path.read_text()
        linked = [path.parent / a for a in Addresses(text).links if a.endswith(".png")]
        assert path.stat().st_size + sum(p.stat().st_size for p in linked) < 3e6, path.name
        for image in re.findall(r"<img [^>]+>", text):
            assert len(re.search(r'alt="([^"]*)"', image)[1]) > 20, f"{path.name}: {image[:80]}"
        for table in re.findall(r"<table.*?</table>", text, flags=re.S):
            assert "<caption" in table, path.name
        assert not re.search(r"\$\$|<code>\\", text), f"{path.name}: a formula was not converted"


def test_every_exhibit_of_the_real_report_states_population_and_n(whole_project):
    seen = 0
    for path in sorted((whole_project.folder / "reports" / "base").glob("0*.html")):
        boxes = re.findall(r'<section class="exhibit-box".*?</section>', path.read_text(), flags=re.S)
        for box in boxes:
            assert "Population: " in box, path.name
            assert re.search(r"n = \S", box), path.name
            assert ".csv" in box
        seen += len(boxes)
    assert seen > 60


def test_overview_and_comparison_say_the_primary_result(whole_project):
    reports = whole_project.folder / "reports"
    results = json.loads((reports / "base" / "results.json").read_text())["06-remission"]
    for path in (reports / "base" / "index.html", reports / "comparison.html"):
        text = path.read_text()
        for key in ("remission.primary.placebo.share", "remission.primary.msc.share", "remission.primary.p"):
            assert results[key]["shown"] in text, f"{path.name}: {key}"
        assert "not reported" not in text
