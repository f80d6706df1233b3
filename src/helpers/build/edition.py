"""One scenario's report in the making: what stands, what must be made again, and how it is published.

Everything is staged in `.cache/build/<scenario>/` and goes to `reports/<scenario>/` and
`data/synthetic/<scenario>/` only when it is complete. A record is written after what it records, so that a
build which is stopped at any moment is taken up where it stood.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.build.kernels import execute, readdress
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import read_json, write
from helpers.study.freshness import ALL, Sources, below, digest

CACHE = ROOT / ".cache"
STAGING = CACHE / "build"
REPORTS = ROOT / "reports"
TABLES = ROOT / "data" / "synthetic"
FAILED = REPORTS / "failed"
OWN = ("scenario.json", "overrides.json")
"""What the build writes beside a study's tables: with which parameters they are made."""


def digests(folder: Path, files: list[Path]) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in files}


def written(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The files behind names of the chapter table that are there; a name ending in / is a folder."""
    found = []
    for name in names:
        path = folder / name
        found += below(path) if name.endswith("/") else [path] if path.is_file() else []
    return found


class Edition:
    """One scenario's report in the making: what stands of it, and what must be made again."""

    def __init__(self, name: str, sources: Sources):
        self.name, self.sources = name, sources
        self.stage = STAGING / name
        self.report = self.stage / "report"
        self.data = self.stage / "data" / name
        self.settings = [ROOT / "scenarios" / f"{name.partition('+')[0]}.yaml"]
        if "+" in name:
            self.settings.append(TABLES / name / "overrides.json")
            staged = self.data / "overrides.json"
            if self.settings[1].is_file() and not staged.is_file():
                write(staged, self.settings[1].read_bytes())
        self.dress = digest(name, sources.tree(self.settings))
        self.resolved: dict = {}
        code = sources.code(["helpers.build.pages", "helpers.build.driver"])
        self.page_code = digest(code, sources.tree(below(ROOT / "src/helpers/build/templates")))
        self.done: set[str] = set()
        self.running: set[str] = set()
        self.cleared: set[str] = set()
        self.failed = self.ran = False
        self.put_back: list[Path] = []
        self.seconds: dict[str, float] = {}

    def notebook(self, chapter: Chapter) -> Path:
        return self.stage / "chapters" / f"{chapter.stem}.ipynb"

    def draft(self, chapter: Chapter) -> Path:
        return self.stage / "chapters" / f"{chapter.stem}.draft.ipynb"

    def files(self, names: tuple[str, ...]) -> list[Path]:
        """The staged files behind names of the chapter table."""
        return written(self.data, names)

    def readable(self, chapter: Chapter) -> bool:
        """Whether all that a chapter reads is there.

        A chapter that is still running has cleared its files away and writes each whole: what is there again
        is final, and its readers need not wait for its figures.
        """
        for maker in CHAPTERS:
            wanted = set(maker.writes) & set(chapter.reads)
            if wanted and maker.stem not in self.done:
                if maker.stem not in self.running or maker.stem not in self.cleared:
                    return False
                if any(name.endswith("/") or not self.files((name,)) for name in wanted):
                    return False
        return True

    def resolve(self) -> None:
        """Find out which parameters are in force, and say so in `scenario.json`. Raises Problem."""
        key = digest(self.sources.code(["helpers.study.scenario"]), self.dress)
        known = read_json(self.stage / "resolved.json")
        if known.get("key") != key:
            from helpers.study import scenario

            known = {"key": key, "resolved": scenario.load(self.name).resolved()}
            write(self.stage / "resolved.json", json.dumps(known))
        self.resolved = known["resolved"]
        text = (json.dumps(self.resolved, indent=1) + "\n").encode()
        path = self.data / "scenario.json"
        if not path.is_file() or path.read_bytes() != text:
            write(path, text)

    def made_from(self, chapter: Chapter, files: Iterable[str], parameters: Iterable[str]) -> dict[str, Any]:
        """What decides a chapter's result, as it is now, for one that opened `files` and read `parameters`."""
        values = {**self.resolved["parameters"], ALL: self.dress}
        return {
            "code": self.sources.chapter(chapter.stem),
            "inputs": digests(self.data, self.files(chapter.reads)),
            "files": self.sources.files(files),
            "parameters": {name: values.get(name) for name in sorted(parameters)},
        }

    def standing(self, chapter: Chapter) -> tuple[str, dict] | None:
        """(Study, record) of a run of the chapter that is as good as a new one; None where it must run.

        First our own, then that of the scenario which this study changes, then that of base.
        """
        for name in dict.fromkeys((self.name, self.name.partition("+")[0], "base")):
            record = read_json(STAGING / name / "chapters" / f"{chapter.stem}.json")
            made = record.get("made_from")
            if made is None or made != self.made_from(chapter, made["files"], made["parameters"]):
                continue
            notebook, data = (
                STAGING / name / "chapters" / f"{chapter.stem}.ipynb",
                STAGING / name / "data" / name,
            )
            if not notebook.is_file() or digest(notebook.read_bytes()) != record["notebook"]:
                continue
            if digests(data, written(data, chapter.writes)) == record["writes"]:
                return name, record
        return None

    def executed(self, chapter: Chapter, standing: tuple[str, dict] | None) -> bool:
        """Whether the chapter stands here as our own, and shows this study's parameters."""
        if standing is None or standing[0] != self.name or standing[1]["dress"] != self.dress:
            return False
        self.seconds[chapter.stem] = standing[1]["seconds"]
        return True

    def page_key(self, chapter: Chapter) -> str:
        return digest(self.page_code, self.name, self.notebook(chapter).read_bytes())

    def rendered(self, chapter: Chapter) -> bool:
        record = read_json(self.report / "keys" / f"{chapter.stem}.json")
        if not record or record["key"] != self.page_key(chapter):
            return False
        there = [self.report / name for name in record["files"] if (self.report / name).is_file()]
        return digests(self.report, there) == record["files"]

    def clear(self, chapter: Chapter) -> None:
        """Take away what a chapter made before it is made again; its record goes first."""
        self.notebook(chapter).with_suffix(".json").unlink(missing_ok=True)
        for path in self.files(chapter.writes):
            path.unlink()
        self.cleared.add(chapter.stem)
        self.notebook(chapter).parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)

    def run(self, chapter: Chapter, env: dict[str, str]) -> None:
        """Execute a chapter; its record is written last. Raises CellFailed, NoKernel or Problem."""
        from helpers.study.recording import read_log

        self.clear(chapter)
        draft, log = self.draft(chapter), self.notebook(chapter).with_suffix(".reads")
        source = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        parameters = {} if self.name == "base" else {"scenario": self.name}
        seconds = execute(source, draft, parameters, env | {"ALPORT_DATA": str(self.stage / "data")}, log)
        absent = [name for name in chapter.writes if not self.files((name,))]
        if absent:
            raise Problem(f"{chapter.stem} did not write {', '.join(absent)}")
        read = read_log(log)
        self.check_tables(chapter, read.tables)
        names = read.parameters | ({ALL} if self.sources.tells_scenario(chapter.stem) else set())
        os.replace(draft, self.notebook(chapter))
        self.keep(chapter, self.made_from(chapter, read.files, names), seconds)

    def check_tables(self, chapter: Chapter, opened: Iterable[str]) -> None:
        """Raise Problem where a chapter opened a table that the table of chapters does not name."""
        for name in sorted(opened):
            study, _, table = name.partition("/")
            named = [*chapter.reads, *chapter.writes, *OWN]
            folders = tuple(one for one in named if one.endswith("/"))
            if study != self.name or not (table in named or table.startswith(folders)):
                raise Problem(
                    f"{chapter.stem} read {name}, which is not among what it reads by the table of chapters"
                )

    def keep(self, chapter: Chapter, made_from: dict[str, Any], seconds: float) -> None:
        """Write the record of a chapter that is made."""
        final = self.notebook(chapter)
        self.seconds[chapter.stem] = seconds
        record = {
            "key": digest(json.dumps(made_from, sort_keys=True)),
            "made_from": made_from,
            "dress": self.dress,
            "notebook": digest(final.read_bytes()),
            "writes": digests(self.data, self.files(chapter.writes)),
            "seconds": seconds,
        }
        write(final.with_suffix(".json"), json.dumps(record).encode())

    def take_over(self, chapter: Chapter, standing: tuple[str, dict]) -> None:
        """Make a chapter from another study's run of it, or from our own: what it shows of the study is ours.

        Raises Problem where the other run is gone meanwhile.
        """
        from helpers.study import scenario

        def shown(changes: dict[str, Any]) -> dict[str, str]:
            return scenario.load(self.name, **changes)._repr_mimebundle_()[0]

        name, record = standing
        notebook = (STAGING / name / "chapters" / f"{chapter.stem}.ipynb").read_bytes()
        data = STAGING / name / "data" / name
        tables = {path.relative_to(data): path.read_bytes() for path in written(data, chapter.writes)}
        if digest(notebook) != record["notebook"] or record["writes"] != {
            path.as_posix(): digest(content) for path, content in tables.items()
        }:
            raise Problem(f"{name} is being built by another process; run the same command again")
        self.clear(chapter)
        for path, content in tables.items():
            write(self.data / path, content)
        source = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        parameters = {} if self.name == "base" else {"scenario": self.name}
        write(self.notebook(chapter), readdress(notebook, source, parameters, shown))
        self.keep(chapter, record["made_from"], record["seconds"])

    def render(self, chapter: Chapter) -> None:
        """Make a chapter's page and the files beside it; the record is written last."""
        from helpers.build import pages

        record = self.report / "keys" / f"{chapter.stem}.json"
        record.unlink(missing_ok=True)
        shutil.rmtree(self.report / "exhibits" / chapter.stem, ignore_errors=True)
        key = self.page_key(chapter)
        content = json.loads(self.notebook(chapter).read_bytes())
        shown = read_json(self.notebook(chapter).with_suffix(".json"))["key"]
        files, results, exhibits = pages.chapter_page(content, chapter, CHAPTERS, self.name, shown)
        for name, body in files.items():
            write(self.report / name, body)
        made = {
            "key": key,
            "files": {name: digest(body) for name, body in files.items()},
            "results": results,
            "exhibits": exhibits,
        }
        write(record, json.dumps(made).encode())

    def finish(self) -> None:
        """Make what stands on all chapters together: results.json and the scenario's index page."""
        records = {one.stem: read_json(self.report / "keys" / f"{one.stem}.json") for one in CHAPTERS}
        whole = [read_json(self.notebook(one).with_suffix(".json"))["key"] for one in CHAPTERS]
        key = digest(
            self.page_code, self.sources.tree(self.settings), *whole, json.dumps(records, sort_keys=True)
        )
        index_record = self.report / "keys" / "index.json"
        own = ("results.json", "index.html", "comparison.json", "provenance.json")
        there = [self.report / name for name in own if (self.report / name).is_file()]
        if read_json(index_record) != {"key": key, "files": digests(self.report, there)}:
            from helpers.build import pages

            results = {stem: record["results"] for stem, record in records.items()}
            write(self.report / "results.json", pages.results_file(results))
            index = pages.scenario_index(self.name, about(self.name), CHAPTERS, digest(*whole), records)
            write(self.report / "index.html", index)
            write(self.report / "comparison.json", json.dumps(self.compared(records)).encode())
            write(self.report / "provenance.json", self.provenance(digest(*whole), records))
            made = {"key": key, "files": digests(self.report, [self.report / name for name in own])}
            write(index_record, json.dumps(made).encode())
        self.publish([name for record in records.values() for name in record["files"]] + list(own))

    def compared(self, records: dict[str, dict]) -> dict:
        """What the comparison of scenarios needs of this one."""
        chapters = {
            stem: {part: record[part] for part in ("results", "exhibits")} for stem, record in records.items()
        }
        return {"about": about(self.name), "records": chapters, "parameters": self.resolved["parameters"]}

    def provenance(self, key: str, records: dict[str, dict]) -> bytes:
        """`provenance.json`: what made this report, and the SHA-256 of every table and page of it.

        The commit is that of the build; it stands here only, so that a commit which changes no result makes
        no page stale.
        """
        import platform
        from importlib.metadata import version

        commit, changes = repository()
        tables = self.files(tuple(name for one in CHAPTERS for name in one.writes))
        content = {
            "trial": "NCT06731192",
            "scenario": self.name,
            "content_key": key,
            "git_commit": commit,
            "uncommitted_changes": changes,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {
                name: version(name) for name in ("numpy", "scipy", "pandas", "statsmodels", "lifelines")
            },
            "lock_sha256": hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest(),
            "tables_sha256": {
                path.relative_to(self.data).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
                for path in tables
            },
            "pages_sha256": {
                name: hashlib.sha256((self.report / name).read_bytes()).hexdigest()
                for record in records.values()
                for name in record["files"]
            },
        }
        return (json.dumps(content, indent=1) + "\n").encode()

    def publish(self, names: list[str]) -> None:
        """Put staged pages and tables in their places: all copied beside first, then renamed one by one."""
        tables = self.files(tuple(name for one in CHAPTERS for name in one.writes))
        tables += self.files(OWN)
        target = {TABLES / self.name / path.relative_to(self.data): path for path in tables}
        target |= {REPORTS / self.name / name: self.report / name for name in names}
        new = {final: staged for final, staged in target.items() if not same(final, staged)}
        place(new)
        self.put_back = [] if self.ran else [final for final in new if final.is_relative_to(TABLES)]
        list_of_ours = self.stage / "published.json"
        names = sorted(final.relative_to(ROOT).as_posix() for final in target)
        old = read_json(list_of_ours).get("files", [])
        if old != names:
            write(list_of_ours, json.dumps({"files": names}).encode())
        stale = {ROOT / name for name in old} | set(below(REPORTS / self.name))
        for path in sorted(stale - set(target)):
            path.unlink(missing_ok=True)
            tidy(path.parent)
        for chapter in CHAPTERS:
            clear_failed(self.name, chapter)


def repository() -> tuple[str | None, list[str] | None]:
    """The commit that is checked out and the paths that differ from it; None outside git."""
    git = shutil.which("git")
    if git is None:
        return None, None
    asked = [[git, "rev-parse", "HEAD"], [git, "status", "--porcelain"]]
    commit, status = (subprocess.run(one, cwd=ROOT, capture_output=True, text=True) for one in asked)
    if commit.returncode or status.returncode:
        return None, None
    return commit.stdout.strip(), sorted(line[3:] for line in status.stdout.splitlines())


def same(one: Path, other: Path) -> bool:
    return one.is_file() and one.read_bytes() == other.read_bytes()


def place(files: dict[Path, Path]) -> None:
    """Copy staged files to their places; nothing is replaced before all have been copied."""
    beside = {}
    try:
        for final, staged in files.items():
            root = REPORTS if final.is_relative_to(REPORTS) else TABLES
            beside[final] = root / ".new" / final.relative_to(root)
            beside[final].parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(staged, beside[final])
        for final, copy in beside.items():
            final.parent.mkdir(parents=True, exist_ok=True)
            os.replace(copy, final)
    finally:
        for root in (REPORTS, TABLES):
            shutil.rmtree(root / ".new", ignore_errors=True)


def tidy(folder: Path) -> None:
    """Remove a folder and those above it, inside the project's built ones, as long as they are empty."""
    while folder not in (REPORTS, TABLES) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def clear_failed(name: str, chapter: Chapter) -> None:
    for suffix in (".ipynb", ".html"):
        (FAILED / name / f"{chapter.stem}{suffix}").unlink(missing_ok=True)
    tidy(FAILED / name)


def about(name: str) -> str:
    """What a scenario assumes, in a sentence: its file's description, and what a derived one changes."""
    import yaml

    scenario, plus, _ = name.partition("+")
    found = yaml.safe_load((ROOT / "scenarios" / f"{scenario}.yaml").read_text("utf-8")) or {}
    if plus:
        changed = read_json(TABLES / name / "overrides.json").get("overrides", {})
        settings = ", ".join(f"{key} = {value}" for key, value in sorted(changed.items()))
        return f"Assumed: as scenario {scenario}, but {settings}."
    return f"Assumed: {str(found.get('description', '')).strip().rstrip('.')}."


def overall_index(sources: Sources) -> None:
    """`reports/index.html` and `comparison.html`, over all scenarios that have a report."""
    names = [path.parent.name for path in sorted(REPORTS.glob("*/index.html"))]
    names = [name for name in names if (ROOT / "scenarios" / f"{name.partition('+')[0]}.yaml").is_file()]
    names.sort(key=lambda name: (name != "base", name))
    comparisons = [REPORTS / name / "comparison.json" for name in names]
    templates = sources.tree(below(ROOT / "src/helpers/build/templates"))
    key = digest(
        sources.code(["helpers.build.pages"]),
        templates,
        *names,
        *(path.read_bytes() if path.is_file() else b"" for path in comparisons),
    )
    staged, record = STAGING / "pages", STAGING / "index.json"
    own = ("index.html", "comparison.html")
    if read_json(record) != {"key": key} or not all((staged / name).is_file() for name in own):
        from helpers.build import pages

        found = {
            name: read_json(path) for name, path in zip(names, comparisons, strict=True) if path.is_file()
        }
        write(staged / "index.html", pages.overall_index([(name, about(name)) for name in names]))
        write(staged / "comparison.html", pages.comparison(found))
        write(record, json.dumps({"key": key}).encode())
    place({REPORTS / name: staged / name for name in own if not same(REPORTS / name, staged / name)})
