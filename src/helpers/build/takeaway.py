"""What a package has besides the published report: pictures for print, a workbook, a PDF, and pages that link them.

The pictures and the shown formats come from the chapters, which run once more with `chapters.kept` writing them beside;
what a chapter gave is kept with its record until the chapter changes. A chapter that now shows other data than when it
was built is refused.
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.build import printed
from helpers.build.driver import WORKERS, Workshop
from helpers.build.edition import Edition
from helpers.build.kernels import CellFailed, NoKernel, execute
from helpers.build.publishing import checksum
from helpers.build.workbook import workbook
from helpers.chapters.contents import KEPT, Chapter
from helpers.study.files import read_json, seal, unseal, write
from helpers.study.freshness import digest

WORKBOOK, PDF = "exhibits.xlsx", "report.pdf"
NO_PDF = "no PDF of the report: no Chromium (or Chrome) is installed here"
VARIABLE, PRINTED = "ALPORT_KEPT", "-300dpi.png"
"""The variable that names the folder, and the end of a printed picture's name: `chapters.kept` says the same."""


def chapters_kept(edition: Edition, chapters: list[Chapter]) -> dict[str, Path]:
    """Chapter -> folder with what its exhibits left for a package; those that changed run again. Raises Problem."""
    code = edition.sources.code([KEPT])
    folders, waiting = {}, []
    for chapter in chapters:
        folder = edition.stage / "kept" / chapter.stem
        folders[chapter.stem] = folder
        record = unseal(edition.notebook(chapter).with_suffix(".json"))
        key = digest(code, record["key"], record["notebook"])
        known = unseal(folder / "kept.json")
        there = {path.name: checksum(path) for path in folder.glob("*") if path.name != "kept.json"}
        if known != {"key": key, "files": there}:
            waiting.append((chapter, folder, key))
    if not waiting:
        return folders
    workshop, faults = Workshop(), []
    workshop.prepare()
    env = dict(os.environ)

    def work() -> None:
        while waiting:
            chapter, folder, key = waiting.pop(0)
            try:
                again(edition, chapter, folder, env)
                files = {path.name: checksum(path) for path in folder.glob("*")}
                write(folder / "kept.json", seal({"key": key, "files": files}))
            except (CellFailed, NoKernel, Problem, OSError) as error:
                faults.append(f"{chapter.stem}: {error}")

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    workshop.close()
    if faults:
        raise Problem(f"pictures for print could not be drawn: {'; '.join(sorted(faults))}")
    return folders


def again(edition: Edition, chapter: Chapter, folder: Path, env: Mapping[str, str]) -> None:
    """Run a chapter once more on a copy of its tables, for what its exhibits leave in a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    place = folder.with_name(f"{chapter.stem}.run")
    shutil.rmtree(place, ignore_errors=True)
    try:
        shutil.copytree(edition.data, place / "data" / edition.name)
        folder.mkdir(parents=True)
        changed = {**env, "ALPORT_DATA": str(place / "data"), VARIABLE: str(folder)}
        source = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        parameters = {} if edition.name == "base" else {"scenario": edition.name}
        execute(source, place / "run.ipynb", parameters, changed)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for path in folder.glob("*.json"):
        built = edition.report / "exhibits" / chapter.stem / f"{path.stem}{edition.head.tail}.csv"
        if not built.is_file() or built.read_text("utf-8") != read_json(path)["csv"]:
            raise Problem(f"its exhibit {path.stem} is not as it was built; `make report` again")


def made(edition: Edition) -> tuple[dict[str, bytes], list[str]]:
    """What a package adds to a report, by place in the report's folder, and what it lacks, in words. Raises Problem."""
    records = {one.stem: unseal(edition.report / "keys" / f"{one.stem}.json") for one in edition.chapters}
    folders, tail = chapters_kept(edition, list(edition.chapters)), edition.head.tail
    files: dict[str, bytes] = {}
    sheets: list[dict[str, Any]] = []
    for chapter in edition.chapters:
        shown = records[chapter.stem]["exhibits"]
        for key, told in shown.items():
            folder = folders[chapter.stem]
            for end in (".svg", PRINTED):
                if (folder / f"{key}{end}").is_file():
                    content = (folder / f"{key}{end}").read_bytes()
                    files[f"exhibits/{chapter.stem}/{key}{tail}{end}"] = content
            sheet = read_json(folder / f"{key}.json") or as_csv(edition, chapter, key, told)
            page = f"{chapter.stem}{tail}.html#exhibit-{key}"
            sheets.append({**sheet, "label": told["label"], "chapter": chapter.title, "page": page})
    files[WORKBOOK] = workbook(
        f"{edition.head.title(f'Exhibits of {edition.name}')}. {edition.described()}", sheets
    )
    lacks = []
    content, why = as_pdf(edition)
    if content is None:
        lacks.append(why)
    else:
        files[PDF] = content
    names = [name for record in records.values() for name in record["files"] if name.endswith(".html")]
    for name in dict.fromkeys([*names, *unseal(edition.report / "keys" / "index.json")["files"]]):
        if not name.endswith(".html"):
            continue
        text = (edition.report / name).read_text("utf-8")
        ran = Path(name).stem.removesuffix(tail) if name in names else ""
        linked_page = linked(text, files, ran)
        if linked_page != text:
            files[name] = linked_page.encode()
    files["provenance.json"] = told_anew((edition.report / "provenance.json").read_bytes(), files)
    return files, lacks


def as_csv(edition: Edition, chapter: Chapter, key: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A sheet of an exhibit that left none: its CSV data as text, its title."""
    path = edition.report / "exhibits" / chapter.stem / f"{key}{edition.head.tail}.csv"
    text = path.read_text("utf-8")
    head, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    return {
        "title": told["title"], "population": "", "n": "", "method": "", "caption": "", "conventions": [],
        "columns": [{"name": one, "heading": one, "shown": True} for one in head],
        "rows": [[[cell, None] for cell in row] for row in rows],
    }  # fmt: skip


def _pictures(edition: Edition) -> list[Path]:
    """Every picture of a report's pages."""
    return sorted(path for end in ("png", "svg") for path in edition.report.rglob(f"*.{end}"))


def as_pdf(edition: Edition) -> tuple[bytes | None, str]:
    """The report as PDF, or None and why there is none; what was printed of the same pages is taken again."""
    tail = edition.head.tail
    names = [edition.index, *(f"{one.stem}{tail}.html" for one in edition.chapters)]
    names += [f"{name}{tail}.html" for name in ("references", "reviewer")]
    names = [name for name in names if (edition.report / name).is_file()]
    pages = [(name, (edition.report / name).read_text("utf-8")) for name in names]
    program = printed.chromium()
    if program is None:
        return None, NO_PDF
    final, record = edition.stage / "kept" / PDF, edition.stage / "kept" / "pdf.json"
    title = edition.head.title(f"NCT06731192, {edition.name}")
    document = printed.whole(pages, title)
    key = digest(document, *(path.read_bytes() for path in _pictures(edition)))
    if not final.is_file() or unseal(record) != {"key": key, "pdf": checksum(final)}:
        # beside the pages, whose pictures it shows
        place = edition.report / "whole.html"
        write(place, document)
        try:
            content = printed.pdf(place, title, program)
        except printed.NotPrinted as error:
            return None, f"no PDF of the report: {error}"
        finally:
            place.unlink()
        write(final, content)
        write(record, seal({"key": key, "pdf": checksum(final)}))
    return final.read_bytes(), ""


def linked(page: str, files: Mapping[str, bytes], ran: str = "") -> str:
    """A page that links, beside the data of each exhibit, its pictures for print; at its end what is whole.

    ran: the chapter whose page it is.
    """

    def more(found: re.Match) -> str:
        place = found[1]
        links = [
            f'<a href="{place}{end}">{words}</a>'
            for end, words in ((".svg", "drawing (SVG)"), (PRINTED, "picture for print (PNG, 300 dpi)"))
            if f"{place}{end}" in files
        ]
        return " · ".join([found[0], *links])

    page = re.sub(r'<a href="(exhibits/[a-z0-9_./+-]+)\.csv">[^<]*</a>', more, page)
    whole = [f'<a href="{WORKBOOK}">All exhibits (Excel)</a>']
    whole += [f'<a href="{PDF}">The whole report (PDF)</a>'] if PDF in files else []
    if ran:
        whole.append(f'<a href="../../executed/{ran}.ipynb">This chapter as it ran (notebook)</a>')
    return page.replace("\n<footer>", f'\n<p class="files">{" · ".join(whole)}</p>\n<footer>', 1)


def told_anew(provenance: bytes, files: Mapping[str, bytes]) -> bytes:
    """The report's provenance with the digests of what the package adds and of pages that it changes."""
    told = json.loads(provenance)
    known = told["pages_sha256"]
    for name, content in files.items():
        if name in known or not name.endswith(".html"):
            known[name] = hashlib.sha256(content).hexdigest()
    return (json.dumps(told, indent=1) + "\n").encode()
