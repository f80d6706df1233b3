"""The whole report as one PDF with an outline and page numbers, through Chromium where it is installed.

The pages are put one behind the other into one document, each link inside the report leading to its place in it, and
printed over Chromium's own pipe: no network, no port, no further package. Dates are taken out of what it writes.
"""

import base64
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""What Chromium and its kin are called."""
LIMIT = 300
"""Seconds after which Chromium is given up."""
STARTS = 3
"""A loaded machine loses one now and then."""
MARGIN = 0.7
"""Inches around a page: room for the page's number."""
HEAD = '<div style="font-size:7px;width:100%;padding:0 0.7in;color:#555">{words}</div>'
FOOT = (
    '<div style="font-size:7px;width:100%;padding:0 0.7in;color:#555;text-align:right">'
    '<span class="pageNumber"></span> of <span class="totalPages"></span></div>'
)


class NotPrinted(Exception):
    """Chromium is there and did not print; the text says what it did."""


def chromium() -> str | None:
    """The program that prints; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def whole(pages: Sequence[tuple[str, str]], title: str) -> str:
    """Pages (file name, HTML) as one document: a page's heading begins a new sheet, links lead inside the document."""
    from bs4 import BeautifulSoup

    names = {name: re.sub(r"[^a-z0-9-]", "", name.removesuffix(".html")) for name, _ in pages}
    bodies, style = [], ""
    for name, html in pages:
        soup = BeautifulSoup(html, "html.parser")
        style = style or "".join(soup.style.strings)
        main = soup.main
        for spare in main.select("nav, footer, details.code, details.origin, .files, .permalink, .here"):
            spare.decompose()
        for fold in main.select("details"):
            fold["open"] = ""
        for one in main.select("[id]"):
            one["id"] = f"{names[name]}-{one['id']}"
        for link in main.select("a[href]"):
            link["href"] = moved(link["href"], name, names)
            if not re.match(r"#|https?:", link["href"]):
                # a file beside the pages: the document would name its place on this machine
                link.unwrap()
        notice = soup.select_one("header.banner")
        said = str(notice) if notice and not bodies else ""
        bodies.append(f'{said}<section class="sheet" id="{names[name]}">{main.decode_contents()}</section>')
    own = (
        "section.sheet { break-before: page; } section.sheet:first-of-type { break-before: auto; } "
        "img { max-width: 100%; height: auto; }"
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}{own}</style></head><body>{''.join(bodies)}</body></html>"
    )


def moved(address: str, page: str, names: dict[str, str]) -> str:
    """An address of a page as seen from the one document; what is no page of it stays."""
    file, mark, fragment = address.partition("#")
    inside = names.get(file or page)
    if inside is None:
        return address
    return f"#{inside}-{fragment}" if mark and fragment else f"#{inside}"


def pdf(document: Path, head: str, program: str) -> bytes:
    """A document of this machine, printed. Raises NotPrinted where no browser of `STARTS` lived to the end."""
    why = None
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True, dir=short()) as folder:
            browser = _Browser(program, Path(folder))
            try:
                return undated(browser.print(document, head))
            except NotPrinted as error:
                why = error
            finally:
                browser.close()
    raise NotPrinted(str(why))


def short() -> str | None:
    """A folder for what is temporary: Chromium ends where the path of a socket in it comes to more than 107 letters."""
    return "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None


def undated(content: bytes) -> bytes:
    """A PDF without the time at which it was made, and with its elements counted anew, whatever page they were of.

    Its length stays, so that its table of places holds; the order of the elements' ids too.
    """
    found = sorted(set(re.findall(rb"\(node(\d{8})\)", content)))
    numbers = {name: b"%08d" % k for k, name in enumerate(found, 1)}
    content = re.sub(rb"\(node(\d{8})\)", lambda one: b"(node" + numbers[one[1]] + b")", content)
    return re.sub(
        rb"(/(?:CreationDate|ModDate) \(D:)(\d{14})([^)]*)\)",
        lambda one: one[1] + b"19800101000000" + re.sub(rb"[0-9]", b"0", one[3]) + b")",
        content,
    )


class _Browser:
    """Chromium, spoken to over two pipes."""

    def __init__(self, program: str, profile: Path):
        # it reads its orders from descriptor 3 and answers on 4
        asked, self.orders = os.pipe()
        self.answers, told = os.pipe()
        command = [
            program, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
            "--allow-file-access-from-files", f"--user-data-dir={profile}",
        ]  # fmt: skip
        self.held, self.number, self.left = b"", 0, time.monotonic() + LIMIT

        def placed() -> None:
            # by way of numbers that neither pipe has
            far = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (asked, told)]
            for one, number in zip(far, (3, 4), strict=True):
                os.dup2(one, number)

        self.process = subprocess.Popen(
            command,
            preexec_fn=placed,
            env={**os.environ, "TMPDIR": str(profile)},
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(asked)
        os.close(told)

    def print(self, document: Path, head: str) -> bytes:
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.ask("Page.enable")
        self.ask("Page.navigate", {"url": document.as_uri()})
        self.wait("Page.loadEventFired")
        options = {
            "printBackground": True,
            "preferCSSPageSize": False,
            "paperWidth": 8.27,
            "paperHeight": 11.69,
            **{f"margin{side}": MARGIN for side in ("Top", "Bottom", "Left", "Right")},
            "displayHeaderFooter": True,
            "headerTemplate": HEAD.format(words=escape(head)),
            "footerTemplate": FOOT,
            "generateTaggedPDF": True,
            "generateDocumentOutline": True,
        }
        return base64.b64decode(self.ask("Page.printToPDF", options)["data"])

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        self.number += 1
        order = {"id": self.number, "method": method, "params": params or {}}
        if hasattr(self, "session"):
            order["sessionId"] = self.session
        try:
            os.write(self.orders, json.dumps(order).encode() + b"\0")
        except OSError as error:
            raise NotPrinted(f"Chromium ended: {error.strerror}") from None
        while True:
            told = self.read()
            if told.get("id") == self.number:
                if "error" in told:
                    raise NotPrinted(f"Chromium on {method}: {told['error'].get('message', '')}")
                return told["result"]

    def wait(self, event: str) -> None:
        while self.read().get("method") != event:
            pass

    def read(self) -> dict[str, Any]:
        """The next thing that it says."""
        while b"\0" not in self.held:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, self.left - time.monotonic()))
            got = os.read(self.answers, 1 << 20) if ready else b""
            if not got:
                raise NotPrinted("Chromium ended" if ready else f"Chromium said nothing for {LIMIT} seconds")
            self.held += got
        told, _, self.held = self.held.partition(b"\0")
        return json.loads(told)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self.orders, b'{"id":0,"method":"Browser.close"}\0')
        os.close(self.orders)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.answers)
