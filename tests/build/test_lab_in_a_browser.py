"""JupyterLab itself in a real browser: a changed parameter changes a number, a moved slider a picture."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from conftest import Whole
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.slow
SHARE = "remission.primary.msc.share"
PATIENCE = 300
"""Seconds that a loaded machine may take for JupyterLab to come up, or for a notebook to run."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab on a clone of the project, by the project's own command."""
    project = Whole(tmp_path_factory.mktemp("lab") / "p")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    cache = project.folder / ".cache"
    folders = {f"JUPYTER_{part}_DIR": str(cache / part) for part in ("CONFIG", "DATA", "RUNTIME")}
    values = {
        **os.environ,
        **folders,
        "PYTHONPATH": str(project.folder / "src"),
        "IPYTHONDIR": str(cache / "ipython"),
    }
    options = [
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
    ]
    options += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--LabApp.check_for_updates_class="
                "jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "helpers.build.lab", *options], cwd=project.folder, env=values,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).read()
                break
            except OSError:
                assert process.poll() is None, "JupyterLab did not come up"
                assert time.monotonic() < until, "JupyterLab did not answer"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{{}}?token={token}&reset"
    finally:
        process.terminate()
        process.wait(60)


def until(browser, script: str, *arguments):
    wait = WebDriverWait(browser, PATIENCE, ignored_exceptions=(Exception,))
    return wait.until(lambda driver: driver.execute_script(script, *arguments))


def opened(browser, lab: str, name: str) -> None:
    metrics = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(lab.format(name))
    ready = """const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
        return panel && panel.context && panel.context.path.endsWith(arguments[0]) && panel.context.isReady
          && panel.sessionContext.isReady && panel.content.model.cells.length > 5"""
    until(browser, ready, name)


def run_all(browser) -> None:
    """Run All Cells, as the menu does, and wait until the last code cell has its number and nothing runs."""
    browser.execute_script(
        """window.ran = ''; window.jupyterapp.commands.execute('notebook:run-all-cells')
        .then(() => { window.ran = 'yes'; }, (error) => { window.ran = String(error); })"""
    )
    assert until(browser, "return window.ran") == "yes"


OUTPUTS = """return JSON.stringify([...window.jupyterapp.shell.currentWidget.content.model.cells]
    .filter((cell) => cell.type === 'code').flatMap((cell) => cell.sharedModel.getOutputs()))"""


def results(browser) -> dict[str, str]:
    """The named results that the notebook on the screen states, as they are shown; no cell of it failed."""
    outputs = json.loads(browser.execute_script(OUTPUTS))
    assert [one for one in outputs if one["output_type"] == "error"] == []
    told = [one.get("metadata", {}) for one in outputs]
    every = [r for one in told for r in (*one.get("results", ()), *one.get("exhibit", {}).get("results", ()))]
    return {one["key"]: one["shown"] for one in every}


def test_a_parameter_changed_in_06_changes_its_numbers(lab, browser):
    opened(browser, lab, "06-remission.ipynb")
    before = results(browser)[SHARE]
    browser.execute_script(
        """const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells];
        const first = cells.find((cell) => cell.type === 'code').sharedModel;
        first.setSource(first.getSource().replace(/^remission_fall = None/m, 'remission_fall = 0.3'))"""
    )
    run_all(browser)
    after = results(browser)[SHARE]
    children = [int(text.partition("/")[0]) for text in (before, after)]
    assert children[1] > children[0], "a fall of 30 % is reached by more children than one of 50 %"


def test_a_slider_moved_in_11_changes_the_picture(lab, browser):
    opened(browser, lab, "11-explore.ipynb")
    run_all(browser)
    picture = "const shown = document.querySelector(\".widget-html-content img[alt^='Example trial']\");"
    # cells out of view are drawn when they are scrolled to
    place = """const notebook = window.jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = [...notebook.model.cells].findIndex((c) =>
          c.sharedModel.getSource().includes('sliders.Sliders'));
        notebook.scrollToItem(notebook.activeCellIndex);"""
    until(browser, f"{place} {picture} return Boolean(shown)")
    before = browser.execute_script(f"{picture} return shown.src")
    handle = browser.find_element("css selector", ".widget-slider .noUi-handle")
    handle.send_keys(Keys.ARROW_LEFT)
    until(browser, f"{picture} return shown && shown.src !== arguments[0]", before)
    words = browser.execute_script("return document.querySelector('p[aria-live=polite]').textContent")
    assert "UPCR x 0.6:" in words
