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
from pathlib import Path

from helpers import ROOT
from helpers.build.kernels import execute
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import read_json, write
from helpers.study.freshness import Sources, below, digest

CACHE = ROOT / ".cache"
STAGING = CACHE / "build"
REPORTS = ROOT / "reports"
TABLES = ROOT / "data" / "synthetic"
FAILED = REPORTS / "failed"


class Trouble(Exception):
    """Something that the person at the keyboard can mend: its text is all that is shown."""

    def __init__(self, text: str, code: int = 1):
        super().__init__(text)
        self.code = code


def digests(folder: Path, files: list[Path]) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in files}


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
        code = sources.closure(["helpers.build.pages", "helpers.build.driver"])
        self.page_code = sources.tree([*code, *below(ROOT / "src/helpers/build/templates")])
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
        """The staged files behind names of the chapter table; a name ending in / is a folder."""
        found = []
        for name in names:
            path = self.data / name
            found += below(path) if name.endswith("/") else [path] if path.is_file() else []
        return found

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

    def key(self, chapter: Chapter) -> str:
        inputs = digests(self.data, self.files(chapter.reads))
        return self.sources.chapter(chapter.stem, self.settings, inputs)

    def executed(self, chapter: Chapter, key: str) -> bool:
        """Whether the chapter's notebook and tables are those of this key."""
        record = read_json(self.notebook(chapter).with_suffix(".json"))
        if record.get("key") != key or not self.notebook(chapter).is_file():
            return False
        self.seconds[chapter.stem] = record["seconds"]
        return record["notebook"] == digest(self.notebook(chapter).read_bytes()) and record[
            "writes"
        ] == digests(self.data, self.files(chapter.writes))

    def page_key(self, chapter: Chapter) -> str:
        return digest(self.page_code, self.name, self.notebook(chapter).read_bytes())

    def rendered(self, chapter: Chapter) -> bool:
        record = read_json(self.report / "keys" / f"{chapter.stem}.json")
        if not record or record["key"] != self.page_key(chapter):
            return False
        there = [self.report / name for name in record["files"] if (self.report / name).is_file()]
        return digests(self.report, there) == record["files"]

    def run(self, chapter: Chapter, key: str, env: dict[str, str]) -> None:
        """Execute a chapter; its record is written last. Raises CellFailed or NoKernel."""
        final = self.notebook(chapter)
        record, draft = final.with_suffix(".json"), self.draft(chapter)
        record.unlink(missing_ok=True)
        for path in self.files(chapter.writes):
            path.unlink()
        self.cleared.add(chapter.stem)
        final.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        source = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        parameters = {} if self.name == "base" else {"scenario": self.name}
        seconds = execute(source, draft, parameters, env | {"ALPORT_DATA": str(self.stage / "data")})
        absent = [name for name in chapter.writes if not self.files((name,))]
        if absent:
            raise Trouble(f"{chapter.stem} did not write {', '.join(absent)}")
        os.replace(draft, final)
        self.seconds[chapter.stem] = seconds
        made = {
            "key": key,
            "notebook": digest(final.read_bytes()),
            "writes": digests(self.data, self.files(chapter.writes)),
            "seconds": seconds,
        }
        write(record, json.dumps(made).encode())

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
        kept = self.report / "keys" / "index.json"
        own = ("results.json", "index.html", "comparison.json", "provenance.json")
        if read_json(kept) != {"key": key, "files": digests(self.report, [self.report / n for n in own
                               if (self.report / n).is_file()])}:  # fmt: skip
            from helpers.build import pages

            results = {stem: record["results"] for stem, record in records.items()}
            write(self.report / "results.json", pages.results_file(results))
            index = pages.scenario_index(self.name, about(self.name), CHAPTERS, digest(*whole), records)
            write(self.report / "index.html", index)
            write(self.report / "comparison.json", json.dumps(self.compared(records)).encode())
            write(self.report / "provenance.json", self.provenance(digest(*whole), records))
            made = {"key": key, "files": digests(self.report, [self.report / name for name in own])}
            write(kept, json.dumps(made).encode())
        self.publish([name for record in records.values() for name in record["files"]] + list(own))

    def compared(self, records: dict[str, dict]) -> dict:
        """What the comparison of scenarios needs of this one."""
        kept = {
            stem: {part: record[part] for part in ("results", "exhibits")} for stem, record in records.items()
        }
        parameters = read_json(self.data / "scenario.json").get("parameters", {})
        return {"about": about(self.name), "records": kept, "parameters": parameters}

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
        tables += self.files(("overrides.json",))
        target = {TABLES / self.name / path.relative_to(self.data): path for path in tables}
        target |= {REPORTS / self.name / name: self.report / name for name in names}
        new = {final: staged for final, staged in target.items() if not same(final, staged)}
        place(new)
        self.put_back = [] if self.ran else [final for final in new if final.is_relative_to(TABLES)]
        kept = self.stage / "published.json"
        names = sorted(final.relative_to(ROOT).as_posix() for final in target)
        old = read_json(kept).get("files", [])
        if old != names:
            write(kept, json.dumps({"files": names}).encode())
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
    kept_of = [REPORTS / name / "comparison.json" for name in names]
    code = sources.tree(
        [*sources.closure(["helpers.build.pages"]), *below(ROOT / "src/helpers/build/templates")]
    )
    key = digest(code, *names, *(path.read_bytes() if path.is_file() else b"" for path in kept_of))
    staged, kept = STAGING / "pages", STAGING / "index.json"
    own = ("index.html", "comparison.html")
    if read_json(kept) != {"key": key} or not all((staged / name).is_file() for name in own):
        from helpers.build import pages

        found = {name: read_json(path) for name, path in zip(names, kept_of, strict=True) if path.is_file()}
        write(staged / "index.html", pages.overall_index([(name, about(name)) for name in names]))
        write(staged / "comparison.html", pages.comparison(found))
        write(kept, json.dumps({"key": key}).encode())
    place({REPORTS / name: staged / name for name in own if not same(REPORTS / name, staged / name)})
