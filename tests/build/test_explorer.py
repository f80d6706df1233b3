"""`explore.html`: what its sliders show is the study's, on its grid and straight between, and it needs nothing else."""

import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from chromium import requests, sized

from helpers import ROOT
from helpers.build import explorer as made
from helpers.build import pages
from helpers.build.heads import Head
from helpers.chapters import contents, explorer
from helpers.design import planning_grid

STUDY = pd.read_csv(ROOT / "studies/results/planning.csv")
PLANNED = {"upcr_effect": 0.65, "upcr_noise": 0.35, "dropout": 0.1, "ras_change_placebo": 0.1}


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The page in a folder of its own, the libraries' script from the lock."""
    place = tmp_path_factory.mktemp("explorer") / "explore.html"
    place.write_bytes(pages.explorer_page("base", explorer.body(), (), "0123456789abcdef0123"))
    return place


def test_it_says_first_that_effects_are_assumptions_and_is_small(page):
    text = page.read_text("utf-8")
    words = re.sub(r"<[^>]+>", " ", re.split(r"<h1>.*?</h1>", text)[1])
    assert words.strip().startswith(
        "The effect of the cells on every axis below is an assumption that we chose"
    )
    assert page.stat().st_size < 3e6
    assert "does not vary the fall" in text
    ours = explorer.SCRIPT.read_text("utf-8").splitlines()
    assert len(ours) <= 60
    assert text.count("<script>") == 2, "the library's and ours"


def test_it_is_the_same_bytes_each_time(page):
    again = pages.explorer_page("base", explorer.body(), (), "0123456789abcdef0123")
    assert again == page.read_bytes()


def test_in_a_report_of_own_data_it_leads_to_that_reports_chapters():
    head = Head("Data of x.", "", "", words="dummy arms", tail="-dummy-arms", own=True)
    text = pages.explorer_page("own-x", explorer.body(), contents.own(), "0" * 20, head).decode()
    leads = set(re.findall(r'href="([^"#]+\.html)"', text))
    assert "08-operating-dummy-arms.html" in leads
    assert {one for one in leads if not one.endswith("-dummy-arms.html")} == set()


def test_where_the_study_was_not_computed_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(planning_grid, "there", lambda: False)
    assert "has not been computed here" in explorer.body()
    monkeypatch.setattr(made, "ROOT", tmp_path)
    assert made.read_from() == []


def power(analysis: str, n: int, **world: float) -> pd.Series:
    here = PLANNED | world
    rows = STUDY[(STUDY["analysis"] == analysis) & (STUDY["n"] == n)]
    for name, value in here.items():
        rows = rows[rows[name] == value]
    (row,) = rows.itertuples()
    return row


# ------------------------------------------------------------------ in a browser

SHOWN = """const view = window.explorerView;
return view.data(Object.keys(view.getState({data: () => true}).data).find((name) =>
  (view.data(name)[0] || {}).v_children !== undefined && view.data(name)[0].lower !== undefined
  && view.data(name)[0].v_effect === undefined));"""


def waited(browser, script: str, seconds: float = 30):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, seconds).until(lambda driver: driver.execute_script(script))


@pytest.fixture
def opened(browser, page):
    """The page from the disk with the network off."""
    browser.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    requests(browser)
    sized(browser, page, 1280)
    waited(browser, "return Boolean(window.explorerView)")
    yield browser
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline | {"offline": False})


def said(browser) -> str:
    return browser.execute_script("return document.getElementById('explorer-said').textContent")


def points(browser) -> dict[tuple[str, int], dict]:
    return {(row["label"], row["v_children"]): row for row in browser.execute_script(SHOWN)}


def test_on_the_grid_it_shows_what_was_simulated(opened):
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert [url for url in requests(opened) if url.startswith(("http", "ws", "//"))] == []
    assert said(opened) == "On a point of the grid: simulated."
    found = points(opened)
    for n in (20, 40, 120):
        row, told = power("confirmed", n), found["confirmed remission (primary)", n]
        for name, value in (("power", row.power), ("lower", row.power_lower), ("upper", row.power_upper)):
            assert told[name] == pytest.approx(value, abs=0.01)


def test_a_key_on_a_slider_moves_between_grid_points_and_into_the_link(opened, page):
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element("css selector", "#explorer-inputs input[type=range]")
    assert opened.execute_script("return arguments[0].closest('label').textContent", slider).startswith(
        "effect"
    )
    slider.send_keys(Keys.ARROW_RIGHT)
    waited(opened, "return window.explorerView.signal('effect') === 0.7")
    waited(opened, "return document.getElementById('explorer-said').textContent.startsWith('Between')")
    weights = {0.65: 2 / 3, 0.8: 1 / 3}
    for n in (30, 60):
        wanted = sum(w * power("ever", n, upcr_effect=e).power for e, w in weights.items())
        assert points(opened)["remission at any visit", n]["power"] == pytest.approx(wanted, abs=0.01)
    fragment = opened.execute_script("return location.hash")
    assert "effect=0.7" in fragment
    sized(opened, page, 1280, fragment.replace("dropout=0.1", "dropout=0.25"))
    waited(opened, "return Boolean(window.explorerView)")
    kept = opened.execute_script(
        "return ['effect', 'dropout'].map((name) => window.explorerView.signal(name))"
    )
    assert kept == [0.7, 0.25]
    sized(opened, page, 1280, "#effect=7&dropout=x&family=none")
    waited(opened, "return Boolean(window.explorerView)")
    assert opened.execute_script("return window.explorerView.signal('effect')") == 0.65


def test_it_fits_wide_and_narrow_and_its_inputs_are_labelled(browser, page):
    for width in (1280, 768, 390):
        sized(browser, page, width)
        waited(browser, "return Boolean(window.explorerView)")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        inside = (
            "const box = document.getElementById('explorer'); return box.scrollWidth <= box.clientWidth + 1"
        )
        assert browser.execute_script(inside), width
        assert browser.execute_script("return document.documentElement.scrollHeight") <= 9000
    labelled = "return [...document.querySelectorAll('#explorer-inputs :is(input, select)')].map(i => i.labels.length)"
    counts = browser.execute_script(labelled)
    assert len(counts) == 6
    assert min(counts) >= 1


def test_a_number_that_is_none_can_not_reach_the_page():
    with pytest.raises(ValueError, match="not JSON compliant"):
        explorer._data("explorer-grid", {"n": [float("nan")]})
    assert "<\\/" not in explorer._data("x", ["</script>"])
    assert explorer._data("x", ["</script>"]).count("</script>") == 1


def test_the_page_is_made_once_for_what_it_is_made_from(monkeypatch, tmp_path):
    asked, module = [], SimpleNamespace(page=lambda: asked.append(1) or f"body {len(asked)}")
    monkeypatch.setattr(made, "STAGING", tmp_path)
    monkeypatch.setattr(made, "EXPLORER", "somewhere:page")
    monkeypatch.setattr(made.importlib, "import_module", lambda name: module)
    key = ["one"]
    monkeypatch.setattr(made, "made_from", lambda sources: key[0])
    assert [made.body(None), made.body(None)] == ["body 1", "body 1"]
    key[0] = "another"
    assert made.body(None) == "body 2"
