"""Make the tables that a study lacks, without running a notebook: the door by which `Study.read` asks for them.

    python -m helpers.build.making TABLE SCENARIO JSON      JSON: the parameters that differ from the scenario's

`Study.read` starts this as a process of its own: whoever analyses neither loads the simulator nor opens the truth
beside the tables, and nothing that is read here counts as read there. The table of chapters names, for each chapter
that writes tables, the function that its notebook calls for them (`makes`); the same functions run here, each only
where no run stands whose code, inputs, files and parameters were the same, of this study or another. So a changed
definition of remission is asked of the same simulated children. What is made goes to the study's folder by the
build's own way of publishing, as `make report` would put it there.
"""

import importlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers import DATA, ROOT, Problem
from helpers.build.publishing import CACHE, TABLES, Folder, interruptible, recover
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study.files import seal, unseal, write
from helpers.study.freshness import ALL, Sources, digest

STAGE = CACHE / "making"
"""Where tables are made, a folder a study, with the record of what each chapter's were made from."""
OWN = ("scenario.json", "overrides.json")


def needed(table: str) -> list[Chapter]:
    """The chapters whose tables lead to a table, in the order in which they are made."""
    wanted, found = {f"{table}.csv"}, []
    for chapter in reversed([one for one in CHAPTERS if one.makes]):
        if wanted & set(chapter.writes):
            found.append(chapter)
            wanted |= set(chapter.reads)
    # the table stands in the order of telling, which may be another than that of making
    found.reverse()
    return found


def record(name: str, chapter: Chapter) -> Path:
    return STAGE / name / f"{chapter.stem}.json"


def sums(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Digest of each file; one that is absent has none."""
    return {name: digest((folder / name).read_bytes()) for name in names if (folder / name).is_file()}


class Making:
    """The tables of one study in the making."""

    def __init__(self, scenario: str, overrides: dict[str, Any]) -> None:
        from helpers.study.recording import plain
        from helpers.study.scenario import load

        self.study = load(scenario, **overrides)
        self.name = self.study.folder.name
        self.folder = STAGE / "data" / self.name
        self.sources = Sources(unseal(STAGE / "sources.json"))
        self.values = {**plain(self.study.parameters), ALL: self.name}
        self.lock = self.sources.digest(ROOT / "requirements.lock")

    def made_from(self, chapter: Chapter, files: list[str], parameters: list[str]) -> dict[str, Any]:
        """What decides a chapter's tables, as it is now, for a run that opened `files` and read `parameters`."""
        module = chapter.makes.partition(":")[0]
        return {
            "code": digest(sys.version, self.lock, self.sources.code([module, "helpers.study.scenario"])),
            "inputs": sums(self.folder, chapter.reads),
            "files": self.sources.files(files),
            "parameters": {name: self.values.get(name) for name in sorted(parameters)},
        }

    def standing(self, chapter: Chapter) -> tuple[str, dict[str, Any]] | None:
        """(Study, record) of a run that is as good as a new one, our own first; None where it must run."""
        others = sorted(path.parent.name for path in STAGE.glob(f"*/{chapter.stem}.json"))
        for name in dict.fromkeys((self.name, *others)):
            known = unseal(record(name, chapter))
            made = known.get("made_from")
            if (
                made
                and made == self.made_from(chapter, made["files"], made["parameters"])
                and sums(STAGE / "data" / name, chapter.writes) == known["writes"]
            ):
                return name, known
        return None

    def make(self, chapter: Chapter) -> None:
        """Bring a chapter's tables up to date in our stage; their record is written last. Raises Problem."""
        standing = self.standing(chapter)
        if standing and standing[0] == self.name:
            return
        record(self.name, chapter).unlink(missing_ok=True)
        if standing:
            for name in standing[1]["writes"]:
                write(self.folder / name, (STAGE / "data" / standing[0] / name).read_bytes())
            write(record(self.name, chapter), seal(standing[1]))
            return
        from helpers.study import recording

        for name in chapter.writes:
            (self.folder / name).unlink(missing_ok=True)
        module, _, function = chapter.makes.partition(":")
        read = recording.Reading()
        watched = replace(self.study, parameters=recording.recorded(self.study.parameters, read))
        with recording.reading() as opened:
            getattr(importlib.import_module(module), function)(watched)
        made = self.made_from(chapter, sorted(opened.files), sorted(read.parameters))
        writes = sums(self.folder, chapter.writes)
        absent = set(chapter.writes) - set(writes)
        if absent:
            raise Problem(f"{chapter.makes} did not write {', '.join(sorted(absent))}")
        write(record(self.name, chapter), seal({"made_from": made, "writes": writes}))

    def run(self, table: str) -> None:
        """Make what leads to a table, and what was made before for this study, and publish it. Raises Problem."""
        Folder(TABLES / self.name, self.name).check(
            [*OWN, *(name for one in CHAPTERS for name in one.writes)]
        )
        settings = (json.dumps(self.study.resolved(), indent=1) + "\n").encode()
        write(self.folder / "scenario.json", settings)
        self.study.write_overrides()
        wanted = needed(table)
        if not wanted:
            raise Problem(f"no chapter makes the table {table}")
        done = [one for one in CHAPTERS if one in wanted or (one.makes and record(self.name, one).is_file())]
        for chapter in done:
            self.make(chapter)
        names = [*OWN, *(name for one in done for name in one.writes)]
        staged = {name: self.folder / name for name in names if (self.folder / name).is_file()}
        Folder(TABLES / self.name, self.name).publish(staged)
        if self.sources.used != self.sources.memo:
            write(STAGE / "sources.json", seal({**self.sources.memo, **self.sources.used}))


def main(arguments: list[str]) -> int:
    """Exit code 0; 2 with one message where a table can't be made."""
    from helpers.build.driver import explained, lock

    interruptible()
    table, scenario, overrides = arguments
    if Path(DATA) != STAGE / "data":
        # the study's own folder is where it is published; until then it writes in the stage
        os.environ["ALPORT_DATA"] = str(STAGE / "data")
        os.execv(sys.executable, [sys.executable, "-m", "helpers.build.making", *arguments])
    try:
        held = lock()
        recover()
        Making(scenario, json.loads(overrides)).run(table)
        held.close()
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as error:
        print(explained(error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
