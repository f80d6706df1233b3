"""One scenario's report in the making: what stands, what must be made again, and how it is published.

Everything is staged in `.cache/build/<scenario>/` and goes to `reports/<scenario>/` and
`data/synthetic/<scenario>/` only when it is complete. A record is written after what it records, so that a
build which is stopped at any moment is taken up where it stood.
"""

import functools
import hashlib
import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.build import explorer, origins, reviewer
from helpers.build.heads import SYNTHETIC
from helpers.build.kernels import DRAWN, execute, readdress
from helpers.build.publishing import (
    FAILED,
    OVERVIEWS,
    REPORTS,
    STAGING,
    TABLES,
    Folder,
    checked_in_r,
    checksum,
    place,
    refuse_links,
    shown,
    tidy,
    unused,
)
from helpers.chapters.contents import CHAPTERS, PLAN, REFERENCES, STANDARD, Chapter
from helpers.study.files import read_json, seal, unseal, write
from helpers.study.freshness import ALL, Sources, below, digest

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

    beside = OWN
    """What the build writes beside a study's tables."""
    head = SYNTHETIC

    def __init__(self, name: str, sources: Sources):
        self.name, self.sources = name, sources
        self.stage = STAGING / name
        self.report = self.stage / "report"
        self.data = self.stage / "data" / name
        self.settings = self.set_by()
        self.dress = digest(name, sources.tree(self.settings))
        self.resolved: dict = {}
        code = sources.code(["helpers.build.pages", "helpers.build.driver", REFERENCES.partition(":")[0]])
        listed = sorted((ROOT / "data" / "reference").glob("targets*.csv"))
        self.page_code = digest(code, sources.tree([*below(ROOT / "src/helpers/build/templates"), *listed]))
        self.done: set[str] = set()
        self.running: set[str] = set()
        self.cleared: set[str] = set()
        self.failed = self.ran = False
        self.put_back: list[Path] = []
        self.kept: dict[Path, Path] = {}
        self.seconds: dict[str, float] = {}
        self.cells: dict[str, int] = {}
        """The cell that each running chapter has reached."""

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        """The chapters of this report, in the order of telling."""
        return CHAPTERS

    @property
    def published(self) -> Path:
        """Where this study's tables go."""
        return TABLES / self.name

    @property
    def index(self) -> str:
        """The file's name of the report's first page."""
        return f"index{self.head.tail}.html"

    def set_by(self) -> list[Path]:
        """The files that say which parameters are in force; those of a changed study come to its stage."""
        found = [ROOT / "scenarios" / f"{self.name.partition('+')[0]}.yaml"]
        if "+" in self.name:
            found.append(TABLES / self.name / "overrides.json")
            staged = self.data / "overrides.json"
            if found[1].is_file() and not staged.is_file():
                write(staged, found[1].read_bytes())
        return found

    def study(self, **changes: Any) -> Any:
        """The study of this report, with changes over it. Raises Problem."""
        from helpers.study import scenario

        return scenario.load(self.name, **changes)

    def about(self) -> str:
        """What this report is about, in a sentence."""
        return about(self.name)

    def notes(self, chapter: Chapter) -> str:
        """What stands below each exhibit of a chapter besides its own notes, as HTML."""
        return ""

    def beside_primary(self) -> str:
        """What stands beside the primary result on the first page, as HTML."""
        return ""

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
        for maker in self.chapters:
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
        known = unseal(self.stage / "resolved.json")
        if known.get("key") != key:
            known = {"key": key, "resolved": self.study().resolved()}
            write(self.stage / "resolved.json", seal(known))
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
            record = unseal(STAGING / name / "chapters" / f"{chapter.stem}.json")
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
        made_from = unseal(self.notebook(chapter).with_suffix(".json")).get("made_from", {})
        inputs = json.dumps(made_from.get("inputs"), sort_keys=True)
        dress = (self.head.key(), self.notes(chapter)) if self.head is not SYNTHETIC else ()
        return digest(self.page_code, self.name, inputs, self.notebook(chapter).read_bytes(), *dress)

    def rendered(self, chapter: Chapter) -> bool:
        record = unseal(self.report / "keys" / f"{chapter.stem}.json")
        if not record or record["key"] != self.page_key(chapter):
            return False
        if record["sources"] != self.sources.files(record["sources"]):
            # the page names lines of these files
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

    def run(self, chapter: Chapter, env: dict[str, str], limit: int | None = None) -> None:
        """Execute a chapter, each cell for `limit` seconds at most; its record is written last.

        Raises CellFailed, NoKernel or Problem.
        """
        from helpers.study.recording import read_log

        self.clear(chapter)
        draft, log = self.draft(chapter), self.notebook(chapter).with_suffix(".reads")
        source = ROOT / "notebooks" / f"{chapter.stem}.ipynb"
        parameters = {} if self.name == "base" else {"scenario": self.name}
        env = env | {"ALPORT_DATA": str(self.stage / "data"), DRAWN: "1"}

        def at(count: int) -> None:
            self.cells[chapter.stem] = count

        seconds = execute(source, draft, parameters, env, log, limit, at)
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
            named = [*chapter.reads, *chapter.writes, *self.beside]
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
        write(final.with_suffix(".json"), seal(record))

    def take_over(self, chapter: Chapter, standing: tuple[str, dict]) -> None:
        """Make a chapter from another study's run of it, or from our own: what it shows of the study is ours.

        Raises Problem where the other run is gone meanwhile.
        """

        def as_shown(changes: dict[str, Any]) -> dict[str, str]:
            return self.study(**changes)._repr_mimebundle_()[0]

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
        write(self.notebook(chapter), readdress(notebook, source, parameters, as_shown))
        self.keep(chapter, record["made_from"], record["seconds"])

    def render(self, chapter: Chapter) -> None:
        """Make a chapter's page and the files beside it; the record is written last."""
        from helpers.build import pages

        record = self.report / "keys" / f"{chapter.stem}.json"
        record.unlink(missing_ok=True)
        shutil.rmtree(self.report / "exhibits" / chapter.stem, ignore_errors=True)
        key = self.page_key(chapter)
        content = json.loads(self.notebook(chapter).read_bytes())
        key_shown = unseal(self.notebook(chapter).with_suffix(".json"))["key"]
        stated = origins.stated(content, origins.Modules(ROOT))
        read = {path.relative_to(self.data).as_posix(): checksum(path) for path in self.files(chapter.reads)}
        below = self.notes(chapter)
        lines = {one["exhibit"]["key"]: below + origins.folded(one, read) for one in stated if one["exhibit"]}
        rows = {row["id"] for row in references()}
        files, results, exhibits = pages.chapter_page(
            content, chapter, self.chapters, self.name, key_shown, lines, rows, self.head
        )
        for name, body in files.items():
            write(self.report / name, body)
        made = {
            "key": key,
            "files": {name: digest(body) for name, body in files.items()},
            "results": results,
            "exhibits": exhibits,
            "stated": stated,
            "sources": self.sources.files({file for one in stated for _, file, _, _ in one["functions"]}),
        }
        write(record, seal(made))

    def finish(self) -> None:
        """Make what stands on all chapters together: results.json and the scenario's index page."""
        records = {one.stem: unseal(self.report / "keys" / f"{one.stem}.json") for one in self.chapters}
        whole = [unseal(self.notebook(one).with_suffix(".json"))["key"] for one in self.chapters]
        module, _, function = STANDARD.partition(":")
        code = digest(
            self.page_code, self.sources.code([module, PLAN.partition(":")[0], *reviewer.modules()])
        )
        code = digest(code, self.sources.tree(reviewer.read_from(ROOT)))
        explored = [f"{Path(explorer.NAME).stem}{self.head.tail}.html"] if explorer.read_from() else []
        code = digest(code, explorer.made_from(self.sources))
        twice = checked_in_r(self.name, digest(*whole))
        told = json.dumps(records, sort_keys=True)
        dress = (self.head.key(),) if self.head is not SYNTHETIC else ()
        beside = self.beside_primary()
        dress += (beside,) if beside else ()
        key = digest(code, self.sources.tree(self.settings), *whole, told, twice, *dress)
        index_record = self.report / "keys" / "index.json"
        known = unseal(index_record)
        own = list(known.get("files", {}))
        there = [self.report / name for name in own if (self.report / name).is_file()]
        if known != {"key": key, "files": digests(self.report, there)}:
            from helpers.build import pages

            adam = reviewer.tables(self.name, self.described(), self.data, self.head.tail)
            own = [*self.overviews(), *adam, *explored]
            for name, body in adam.items():
                write(self.report / name, body)
            results = {stem: record["results"] for stem, record in records.items()}
            write(self.report / self.head.file("results.json"), pages.results_file(results, self.head))
            standard = getattr(importlib.import_module(module), function)
            event = standard(
                self.name,
                self.about(),
                self.chapters,
                records,
                parameters=self.resolved["parameters"],
                changed=self.changed_chapters(),
                tail=self.head.tail,
                **self.nature(),
            )
            told = json.dumps(event, indent=1, ensure_ascii=False) + "\n"
            write(self.report / self.head.file("results.ars.json"), told)
            plan = reviewer.named(PLAN)(self.name, self.resolved["parameters"])
            write(self.report / "protocol.usdm.json", json.dumps(plan, indent=1, ensure_ascii=False) + "\n")
            shown_of = self.name, self.about(), self.chapters, digest(*whole), records
            for name in explored:
                body = explorer.body(self.sources)
                page = pages.explorer_page(self.name, body, self.chapters, digest(*whole), self.head)
                write(self.report / name, page)
            index = pages.scenario_index(*shown_of, list(adam), twice, "".join(explored), self.head, beside)
            write(self.report / self.index, index)
            listed = pages.references(self.name, references(), self.chapters, self.head)
            write(self.report / f"references{self.head.tail}.html", listed)
            guide = pages.reviewer_page(
                self.name, self.guide(records, adam), self.chapters, digest(*whole), self.head
            )
            write(self.report / f"reviewer{self.head.tail}.html", guide)
            self.write_beside(records)
            write(self.report / "provenance.json", self.provenance(digest(*whole), records, adam))
            made = {"key": key, "files": digests(self.report, [self.report / name for name in own])}
            write(index_record, seal(made))
        self.publish([name for record in records.values() for name in record["files"]] + own)

    def nature(self) -> dict[str, str]:
        """What the data and the arms are, for the results in the standard of the field; nothing of simulated ones."""
        return {}

    def changed_chapters(self) -> list[str]:
        """Stems of chapters whose plan changed after the arms were known; a simulated trial has none."""
        return []

    def described(self) -> str:
        """What a file that leaves the pages says of itself."""
        return f"All data are synthetic. {self.about()}"

    def guide(self, records: dict[str, dict], adam: Iterable[str]) -> list[dict]:
        """The sections of the guide for reviewers, over what is staged."""
        pages_ = [name for record in records.values() for name in record["files"]]
        results = (self.head.file(name) for name in ("results.json", "results.ars.json"))
        there = [self.report / name for name in (*pages_, *adam, *results, "protocol.usdm.json")]
        where = f"../../{shown(self.published)}"
        data = [(f"{where}/{part}", path) for part, path in sorted(self.tables().items())]
        return reviewer.sections(
            self.name,
            self.described(),
            self.chapters,
            records,
            ROOT,
            self.report,
            sorted(there),
            data,
            self.head,
        )

    def overviews(self) -> tuple[str, ...]:
        """The files of the report that stand on all chapters together."""
        return OVERVIEWS

    def write_beside(self, records: dict[str, dict]) -> None:
        """Write what the comparison of scenarios needs."""
        write(self.report / "comparison.json", json.dumps(self.compared(records)).encode())

    def came_from(self) -> dict[str, Any]:
        """What `provenance.json` says besides, of where the data came from."""
        return {}

    def compared(self, records: dict[str, dict]) -> dict:
        """What the comparison of scenarios needs of this one."""
        chapters = {
            stem: {part: record[part] for part in ("results", "exhibits")} for stem, record in records.items()
        }
        return {"about": self.about(), "records": chapters, "parameters": self.resolved["parameters"]}

    def provenance(self, key: str, records: dict[str, dict], adam: Iterable[str]) -> bytes:
        """`provenance.json`: what made this report, and the SHA-256 of every table and page of it.

        The commit is that of the build; it stands here only, so that a commit which changes no result makes
        no page stale.
        """
        import platform
        from importlib.metadata import version

        commit, changes = repository()
        tables = self.files(tuple(name for one in self.chapters for name in one.writes))
        content = {
            "trial": "NCT06731192",
            "scenario": self.name,
            **self.came_from(),
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
                for name in [*(name for record in records.values() for name in record["files"]), *adam]
            },
        }
        return (json.dumps(content, indent=1) + "\n").encode()

    def publish(self, names: list[str]) -> None:
        """Put staged tables and pages in their places, a folder at once."""
        target = self.tables()
        changed, kept = Folder(self.published, self.name).publish(target)
        self.kept |= kept
        self.put_back = [] if self.ran else [path for path in changed if path not in kept]
        report = {name: self.report / name for name in names}
        self.kept |= Folder(REPORTS / self.name, self.name).publish(report)[1]
        clear_failed(self.name)

    def tables(self) -> dict[str, Path]:
        """The staged files of this study's folder of tables, by relative path."""
        found = self.files(tuple(name for one in self.chapters for name in one.writes))
        found += self.files(self.beside)
        return {path.relative_to(self.data).as_posix(): path for path in found}

    def check_places(self) -> None:
        """Raise Problem, before anything runs, where publishing would follow a link or replace what is not ours."""
        refuse_links(self.stage, self.data)
        names = [name for one in self.chapters for name in one.writes if not name.endswith("/")]
        Folder(self.published, self.name).check([*names, *self.beside])
        pages = [f"{one.stem}{self.head.tail}.html" for one in self.chapters]
        Folder(REPORTS / self.name, self.name).check(pages)


def repository() -> tuple[str | None, list[str] | None]:
    """The commit that is checked out and the paths that differ from it; None outside git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None, None
    asked = [[git, "rev-parse", "HEAD"], [git, "status", "--porcelain"]]
    commit, status = (subprocess.run(one, cwd=ROOT, capture_output=True, text=True) for one in asked)
    if commit.returncode or status.returncode:
        return None, None
    return commit.stdout.strip(), sorted(line[3:] for line in status.stdout.splitlines())


@functools.cache
def references() -> list[dict]:
    """The published numbers that chapters cite by their rows; none where the table of chapters names no list."""
    return reviewer.named(REFERENCES)() if REFERENCES else []


def clear_failed(name: str) -> None:
    """Remove the failed notebooks of a study, but for those that somebody has changed since."""
    record = STAGING / "failed.json"
    ours = unseal(record).get("files", {})
    for path in below(FAILED / name):
        if checksum(path) in ours.get(shown(path), []):
            path.unlink()
            tidy(path.parent)


def keep_failed(files: dict[Path, bytes]) -> None:
    """Write a failed notebook and its page where people find them, and note that they are ours."""
    record = STAGING / "failed.json"
    ours = unseal(record).get("files", {})
    refuse_links(*files)
    for path, content in files.items():
        if path.is_file() and checksum(path) not in ours.get(shown(path), []):
            os.replace(path, unused(path))
        write(path, content)
    wanted = {shown(path): [checksum(path)] for path in files}
    write(record, seal({"files": {**ours, **wanted}}))


def about(name: str) -> str:
    """What a scenario assumes, in a sentence: its file's description, and what a derived one changes."""
    from helpers.study.scenario import read_scenario

    scenario, plus, _ = name.partition("+")
    description, _ = read_scenario(scenario)
    if plus:
        changed = read_json(TABLES / name / "overrides.json").get("overrides", {})
        settings = ", ".join(f"{key} = {value}" for key, value in sorted(changed.items()))
        return f"Assumed: as scenario {scenario}, but {settings}."
    return f"Assumed: {description.strip().rstrip('.')}."


def overall_index(sources: Sources) -> dict[Path, Path]:
    """`reports/index.html` and `comparison.html`, over all scenarios that have a report.

    Gives where somebody's changed ones went.
    """
    names = [path.parent.name for path in sorted(REPORTS.glob("*/index.html"))]
    names = [name for name in names if (ROOT / "scenarios" / f"{name.partition('+')[0]}.yaml").is_file()]
    parts = {"about", "records", "parameters"}
    names = [name for name in names if parts <= set(read_json(REPORTS / name / "comparison.json"))]
    names.sort(key=lambda name: (name != "base", name))
    if not names:
        return {}
    comparisons = [REPORTS / name / "comparison.json" for name in names]
    templates = sources.tree(below(ROOT / "src/helpers/build/templates"))
    key = digest(
        sources.code(["helpers.build.pages"]),
        templates,
        *names,
        *(path.read_bytes() for path in comparisons),
    )
    slides = explorer.NAME if (REPORTS / names[0] / explorer.NAME).is_file() else ""
    key = digest(key, slides)
    staged, record = STAGING / "pages", STAGING / "overall.json"
    own = ("index.html", "comparison.html")
    if unseal(record) != {"key": key} or not all((staged / name).is_file() for name in own):
        from helpers.build import pages

        found = {name: read_json(path) for name, path in zip(names, comparisons, strict=True)}
        listed = [(name, one["about"]) for name, one in found.items()]
        write(staged / "index.html", pages.overall_index(listed, found[names[0]]["records"], slides))
        write(staged / "comparison.html", pages.comparison(found))
        write(record, seal({"key": key}))
    return place({REPORTS / name: staged / name for name in own}, STAGING / "index.json")
