"""Headless Chromium for tests of pages: what a page asked for, and how wide it is looked at."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def chromium() -> Iterator:
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


def sized(browser, path: Path, width: int, fragment: str = "") -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get("about:blank")
    browser.get(path.as_uri() + fragment)
