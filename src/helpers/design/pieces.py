"""The pieces of a study of many trials: one block of trials of one world, computed anywhere, kept whole by its key.

A block is one chunk of the simulator (`conduct.CHUNK` trials with random streams of their own), so that block k is the
same whoever computes it, when, and however many others there are. A piece is found by what it was made from: the code
behind it (by imports), the parameters and files that were read, and what was asked. Pieces of other code or of another
question stay where they are and are never taken.
"""

import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from helpers import Problem
from helpers.design import operating, stored
from helpers.study import recording
from helpers.study.files import seal, unseal, write
from helpers.study.freshness import Sources, digest
from helpers.study.parameters import Parameters
from helpers.trial import conduct

Row = dict[str, Any]
"""Of one size and analysis: n, analysis, and the counts and means of `operating.summary`."""


@dataclass(frozen=True)
class Task:
    """One block of trials of one world: what is sent to whoever computes it."""

    p: Parameters
    analyses: tuple[str, ...]
    sizes: tuple[int, ...]
    block: int

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked of the world, as JSON holds it."""
        return {
            "analyses": list(self.analyses),
            "sizes": list(self.sizes),
            "block": self.block,
            "trials": conduct.CHUNK,
        }


def rows(p: Parameters, task: Task) -> list[Row]:
    """The answers of a block of trials, summed up by size and analysis."""
    found = operating.answers(
        p,
        conduct.CHUNK,
        analyses=task.analyses,
        sizes=task.sizes,
        effects=[p.upcr_effect],
        first=task.block,
    )
    return [
        {"n": n, "analysis": name, **operating.summary(name, one, p.alpha)}
        for (_, n, name), one in found.items()
    ]


_turn = threading.Lock()
"""A worker of a cluster may have several threads, and what a piece read is noted for the whole process."""
_files: set[str] = set()
"""Files that this process has read for pieces: what a function remembers of a file isn't opened again."""
_first = [True]


def end_with(parent: int) -> None:
    """End this process soon after another one, its parent, is gone: a `kill -9` leaves nobody to tell it."""
    if os.getpid() == parent or _watched:
        return
    _watched.append(parent)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_watched: list[int] = []


def code() -> str:
    """Digest of the code that decides a piece, as it was when this process asked first: what it has loaded."""
    if not _code:
        _code.append(stored.code(cast(Any, rows)))
    return _code[0]


_code: list[str] = []


def work(task: Task) -> dict[str, Any]:
    """Compute a piece; what is returned says what it was made from (as `stored.Entry`)."""
    with _turn:
        sources = Sources()
        if _first[0]:
            # once in a process: exact tests remember tables that take seconds to make
            stored.forget(sources.closure([rows.__module__]))
            _first[0] = False
        with recording.reading() as read:
            answer = json.loads(
                json.dumps([_plain(row) for row in rows(recording.recorded(task.p, read), task)])
            )
        _files.update(read.files)
        values = recording.plain(task.p)
        names = values if recording.ALL in read.parameters else read.parameters
        return {
            "code": code(),
            "asked": task.asked,
            "files": sources.files(_files),
            "parameters": {name: values[name] for name in sorted(names)},
            "answer": answer,
        }


def _plain(row: Row) -> Row:
    """A row as JSON holds it: no number, as where no trial has an answer, is null."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


class Pieces:
    """The pieces in a folder: found by what they were made from, written whole or not at all."""

    def __init__(self, folder: Path, study: str):
        self.folder, self.study, self.code = folder, study, code()
        self._values: dict[int, str] = {}
        self._known: dict[str, dict[tuple[str, ...], dict[str, list[Row]]]] = {}
        self._refuse_another()
        self._sources = Sources()
        for path in sorted(folder.glob(f"{self.code}-*.json")):
            self._take(unseal(path))

    def _refuse_another(self) -> None:
        marker = self.folder / "study.json"
        if marker.exists() and unseal(marker).get("study") != self.study:
            raise Problem(
                f"{marker.parent} holds pieces of another study ({unseal(marker).get('study', 'not to be read')}); "
                "move it away: nothing was computed or replaced"
            )

    @staticmethod
    def _key(asked: dict[str, Any]) -> str:
        return json.dumps(asked, sort_keys=True)

    def _take(self, entry: dict[str, Any]) -> None:
        whole = {"code", "asked", "files", "parameters", "answer"} <= set(entry) and entry[
            "code"
        ] == self.code
        if whole and entry["files"] == self._sources.files(entry["files"]):
            by_names = self._known.setdefault(self._key(entry["asked"]), {})
            names = tuple(entry["parameters"])
            by_names.setdefault(names, {})[json.dumps(list(entry["parameters"].values()))] = entry["answer"]

    def find(self, task: Task) -> list[Row] | None:
        """The answer of a piece that stands for a task, if there is one."""
        values = recording.plain(task.p)
        for names, known in self._known.get(self._key(task.asked), {}).items():
            answer = known.get(json.dumps([values[name] for name in names]))
            if answer is not None:
                return answer
        return None

    def keep(self, entry: dict[str, Any]) -> None:
        """Save a piece under a name that is its key; raises Problem for one of other code."""
        if entry["code"] != self.code:
            raise Problem(
                "a worker computes with other code than this project's as it is now: start the workers of the cluster "
                "again from this folder; nothing of theirs was kept"
            )
        if not (self.folder / "study.json").exists():
            write(self.folder / "study.json", seal({"study": self.study}))
        asked = digest(self._key(entry["asked"]))[:12]
        made_from = digest(json.dumps(entry["parameters"]), json.dumps(entry["files"]))[:16]
        name = f"{self.code}-{asked}-{entry['asked']['block']:05d}-{made_from}.json"
        write(self.folder / name, seal(entry))
        self._take(entry)


def pooled(parts: Sequence[Iterable[Row]]) -> list[Row]:
    """The rows of several blocks of one world as those of all their trials together, in the order of the blocks.

    Counts add up; means are weighted with the trials behind them; standard deviations are those of all of them
    (Chan, Golub and LeVeque 1983).
    """
    by_question: dict[tuple[int, str], list[Row]] = {}
    for part in parts:
        for row in part:
            by_question.setdefault((row["n"], row["analysis"]), []).append(row)
    return [{"n": n, "analysis": name, **_pooled(some)} for (n, name), some in by_question.items()]


def _pooled(some: list[Row]) -> Row:
    def column(name: str) -> np.ndarray:
        return np.array([np.nan if row[name] is None else row[name] for row in some], float)

    def mean(name: str, weights: np.ndarray) -> float:
        use = weights > 0
        return float((column(name)[use] * weights[use]).sum() / weights[use].sum()) if use.any() else np.nan

    out: Row = {name: int(column(name).sum()) for name in COUNTS}
    for name, (sd, count) in operating.MOMENTS.items():
        n = column(count)
        centre, use = mean(name, n), n > 0
        # a block with one answer has no spread of its own
        within = np.where(n > 1, np.nan_to_num(column(sd)) ** 2 * (n - 1), 0.0)
        between = n * (np.nan_to_num(column(name)) - centre) ** 2
        total = float((within + between)[use].sum())
        out |= {name: centre, sd: float(np.sqrt(total / (n.sum() - 1))) if n.sum() > 1 else np.nan}
    return out


COUNTS = ("trials", "answered", "favour", "against")
