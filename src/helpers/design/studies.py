"""Studies of many trials over a grid of assumptions, that may take a second or a night.

    python -m helpers.design.studies NAME       what `make study STUDY=NAME` does before its page

`studies/NAME.yaml` says what is asked (`study_files`). A world is one combination of values of the grid; it is
computed in blocks of trials (`pieces`), each saved whole under its key, so that an interrupted study goes on where it
was, and one that is asked for more trials adds them to those that stand. Where a Monte Carlo standard error is wanted,
a world gets blocks until every power asked of it is that well known; the decision reads that world's blocks in their
order and nothing else, so that neither workers nor interruptions move it. The end is a tidy table,
`studies/results/NAME.csv`, with what it was made from beside it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TextIO

import joblib
import pandas as pd
from tqdm import tqdm

from helpers import ROOT, Problem
from helpers.design import operating, pieces, study_files
from helpers.design.pieces import Pieces, Row, Task
from helpers.design.study_files import Question, Study, World, shown
from helpers.study.files import read_json, write
from helpers.trial.conduct import CHUNK

RESULTS = study_files.FOLDER / "results"
PIECES = ROOT / ".cache" / "studies"
Z = 1.959963984540054
SECONDS_TO_CONNECT = 10
SECONDS_BETWEEN_LINES = 30
"""Where there is no terminal for a bar."""

Execute = Callable[[Sequence[Task]], Iterator[dict[str, Any]]]
"""Tasks in, their pieces out, in any order."""

# ------------------------------------------------------------------ who computes


def on_this_machine(workers: int) -> Execute:
    """So many processes of this machine, through joblib."""

    def execute(tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
        with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
            run = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
            try:
                yield from run(joblib.delayed(_with_parent)(os.getpid(), task) for task in tasks)
            except BrokenProcessPool as error:
                raise Problem(
                    f"a worker was ended from outside, for want of memory perhaps ({type(error).__name__}); what is "
                    "finished stands, and the same command, with fewer WORKERS, goes on from there"
                ) from None

    return execute


def _with_parent(parent: int, task: Task) -> dict[str, Any]:
    """A piece, in a process that ends when the one that asked was killed."""
    pieces.end_with(parent)
    return pieces.work(task)


@contextlib.contextmanager
def on_cluster(address: str) -> Iterator[Execute]:
    """The workers of a Dask cluster that is there. Raises Problem where there is none, or of other code."""
    try:
        import distributed
    except ImportError:
        raise Problem(
            "SCHEDULER: the package `distributed` is not installed; allowed: nothing (this machine's cores), or "
            "install the extra `cluster` of pyproject.toml"
        ) from None
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise Problem(
            f"SCHEDULER: no scheduler answers at {address!r} ({type(error).__name__}); allowed: the address of a Dask "
            "scheduler that runs, such as tcp://10.0.0.1:8786, or nothing; nothing was computed"
        ) from None
    with client:
        try:
            theirs = client.run(pieces.code)
        except Exception as error:  # whatever importing in a foreign process may raise
            raise Problem(
                f"SCHEDULER: a worker at {address} can't run this project ({type(error).__name__}: {error}); start the "
                "workers with this project's .venv/bin/python"
            ) from None
        if other := sorted(worker for worker, code in theirs.items() if code != pieces.code()):
            raise Problem(f"SCHEDULER: workers with other code of this project: {', '.join(other[:5])}")
        if not theirs:
            print(f"The cluster at {address} has no worker yet; waiting for the first", file=sys.stderr)

        def execute(tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
            # a worker that dies takes its pieces with it: the scheduler gives them to another
            futures = client.map(pieces.work, tasks, pure=False, retries=3)
            for future in distributed.as_completed(futures):
                yield future.result()
                future.release()

        yield execute


# ------------------------------------------------------------------ how far it is


class Progress:
    """A bar with rate and time left on a terminal; elsewhere a line now and then. Always on stderr."""

    def __init__(self, trials: int, stream: TextIO | None = None):
        self.stream = sys.stderr if stream is None else stream
        self.trials, self.done, self.began, self.told = trials, 0, time.monotonic(), time.monotonic()
        self.bar = (
            tqdm(
                total=trials,
                unit=" trials",
                unit_scale=True,
                file=self.stream,
                smoothing=0.1,
                dynamic_ncols=True,
            )
            if self.stream.isatty()
            else None
        )

    def more(self, trials: int) -> None:
        """So many trials more are wanted than was known."""
        self.trials += trials
        if self.bar is not None:
            self.bar.total = self.trials
            self.bar.refresh()

    def add(self, trials: int) -> None:
        """So many trials are done."""
        self.done += trials
        if self.bar is not None:
            self.bar.update(trials)
            return
        now = time.monotonic()
        if now - self.told >= SECONDS_BETWEEN_LINES or self.done == self.trials:
            self.told, rate = now, self.done / max(now - self.began, 1e-9)
            left = duration((self.trials - self.done) / rate)
            print(
                f"{self.done:,} of {self.trials:,} trials, {rate:,.0f} a second, {left} left",
                file=self.stream,
                flush=True,
            )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def duration(seconds: float) -> str:
    """A duration in words, roughly."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


# ------------------------------------------------------------------ what is still to be done


def error(row: Row) -> float:
    """Monte Carlo standard error of power, percentage points, by Wilson's interval: a share of 0 has one too."""
    here = operating.measured([row]).iloc[0]
    return float(here["power_upper"] - here["power_lower"]) / (2 * Z)


def enough(question: Question, blocks: Sequence[list[Row]]) -> int | None:
    """How many of a world's first blocks answer a question; None where more are needed."""
    if question.mcse is None:
        return question.blocks if len(blocks) >= question.blocks else None
    for count in range(1, len(blocks) + 1):
        if max(error(row) for row in pieces.pooled(blocks[:count])) <= question.mcse:
            return count
    return None


def expected(question: Question, blocks: Sequence[list[Row]]) -> int:
    """About how many blocks a world needs in all, more than it has."""
    if question.mcse is None:
        return question.blocks
    if not blocks:
        return 1
    rows = pieces.pooled(blocks)
    need = max(row["trials"] * (error(row) / question.mcse) ** 2 for row in rows) / CHUNK
    # a block too few is mended by the next round, one too many is computed for nothing
    return max(len(blocks) + 1, int(0.97 * need))


def blocks_of(study: Study, world: World, question: Question, there: Pieces) -> list[list[Row]]:
    """The blocks of a world that stand, from the first on without a gap."""
    found: list[list[Row]] = []
    while (answer := there.find(_task(world, question, len(found)))) is not None:
        found.append(answer)
        if question.mcse is None and len(found) == question.blocks:
            break
    return found


def _task(world: World, question: Question, block: int) -> Task:
    return Task(world.p, question.analyses, question.sizes, block)


def missing(study: Study, there: Pieces) -> list[Task]:
    """The pieces that are to be computed next; more may be wanted when they are there."""
    tasks = []
    for question in study.questions:
        for world in filter(question.asks, study.worlds):
            stand = blocks_of(study, world, question, there)
            if enough(question, stand) is None:
                wanted = range(expected(question, stand))
                # a later block may stand although an earlier one does not
                tasks += [t for t in (_task(world, question, b) for b in wanted) if there.find(t) is None]
    # the first blocks of all worlds first: a study that is stopped has something of each
    return sorted(tasks, key=lambda task: task.block)


def compute(study: Study, there: Pieces, execute: Execute, workers: int, say: Callable[[str], None]) -> None:
    """Compute the pieces that are missing, and keep each as it comes."""
    tasks, first = missing(study, there), True
    if not tasks:
        return
    progress: Progress | None = None
    try:
        while tasks:
            if first:
                # two short rounds say how long the rest takes: the first also pays for what every worker makes once
                for _ in range(2):
                    began, now, tasks = time.monotonic(), tasks[:workers], tasks[workers:]
                    for entry in execute(now):
                        there.keep(entry)
                    took = time.monotonic() - began
                    if not tasks:
                        break
                rounds = len(tasks) / workers
                say(
                    f"{len(now)} pieces took {took:.1f} s: about {duration(took * rounds)} to go with {workers} workers"
                )
                first = False
            if progress is None:
                progress = Progress(CHUNK * len(tasks))
            for entry in execute(tasks):
                there.keep(entry)
                progress.add(CHUNK)
            tasks = missing(study, there)
            progress.more(CHUNK * len(tasks))
    finally:
        if progress is not None:
            progress.close()


# ------------------------------------------------------------------ the table


def table(study: Study, there: Pieces) -> pd.DataFrame:
    """The answers of a study whose pieces are there.

    A row a world, size and analysis: the values of the grid, then n, analysis, and the columns of `operating.run`, with
    mcse (Monte Carlo standard error of power, points) and mean_se (that of the mean estimate). Six digits.
    """
    frames = []
    for question in study.questions:
        for number, world in enumerate(study.worlds):
            if not question.asks(world):
                continue
            stand = blocks_of(study, world, question, there)
            rows = pieces.pooled(stand[: enough(question, stand)])
            frames.append(operating.measured(rows).assign(world=number, question=question.name))
    frame = pd.concat(frames, ignore_index=True)
    grid = pd.DataFrame([world.values for world in study.worlds])
    frame = grid.iloc[frame["world"]].reset_index(drop=True).join(frame)
    frame["mcse"] = (frame["power_upper"] - frame["power_lower"]) / (2 * Z)
    for name in operating.MOMENTS:
        frame[f"{name}_se"] = operating.error(frame, name)
    frame = frame[[*study.parameters, *COLUMNS]]
    numbers = frame.select_dtypes("float").columns
    return frame.assign(**{name: frame[name].map(_six) for name in numbers})


COLUMNS = (
    "question", "n", "analysis", "trials", "answered", "favour", "against", "power", "mcse", "power_lower",
    "power_upper", "mean", "mean_se", "sd", "width", "width_se", "significant", "significant_se",
)  # fmt: skip


def _six(value: float) -> float:
    return float(f"{value:.6g}")


def places(name: str) -> tuple[Path, Path]:
    """The table of a study, and what it was made from."""
    return RESULTS / f"{name}.csv", RESULTS / f"{name}.json"


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_results(study: Study) -> None:
    """Raise Problem where the results in place are another study's, another version's, or nobody's we know."""
    final, about = places(study.name)
    if not final.exists():
        return
    made = read_json(about)
    away = f"move {shown(final)} and {shown(about)} away or give the study another name; nothing was computed"
    if made.get("study") != study.name:
        theirs = made.get("study", "no study of this project")
        raise Problem(f"{shown(final)} holds the results of {theirs}, not of {study.name}: {away}")
    if made.get("sha256") != checksum(final):
        raise Problem(f"{shown(final)} was changed since it was written: {away}")
    here, theirs = study.version, made.get("version", {})
    if here != theirs:
        differ = ", ".join(key for key in here if here[key] != theirs.get(key))
        other = f"another version of studies/{study.name}.yaml ({differ} differ)"
        raise Problem(f"{shown(final)} holds the results of {other}: {away}")


def asked(study: Study) -> dict[str, Any]:
    """The number of trials, or the error wanted, by question."""
    return {q.name: {"trials": q.trials} if q.mcse is None else {"mcse": q.mcse} for q in study.questions}


def stands(study: Study) -> bool:
    """Whether the committed table answers this study with this code."""
    final, about = places(study.name)
    made = read_json(about)
    same = made.get("code") == pieces.code() and made.get("asked") == asked(study)
    return same and final.is_file() and made.get("sha256") == checksum(final)


def publish(study: Study, frame: pd.DataFrame) -> Path:
    """Write the table, and beside it what it was made from; a copy by its code stays with the pieces."""
    final, about = places(study.name)
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    code = pieces.code()
    write(PIECES / study.name / "tables" / f"{code}-{hashlib.sha256(content).hexdigest()[:16]}.csv", content)
    made = {
        "study": study.name,
        "description": study.description,
        "code": code,
        "version": study.version,
        "asked": asked(study),
        "planned": {"n_randomised": study.planned.n_randomised, "alpha": study.planned.alpha}
        | {name: getattr(study.planned, name) for name in study.parameters},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write(final, content)
    write(about, json.dumps(made, indent=1, default=str) + "\n")
    return final


# ------------------------------------------------------------------ the whole


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep two runs of one study apart; the operating system frees the lock when we end. Raises Problem."""
    folder = PIECES / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"the study {name} is being computed already in this folder") from None
        for path in folder.glob(".*.new"):
            # begun by a run that was killed
            path.unlink()
        yield


def run(
    study: Study, workers: int = 1, scheduler: str = "", say: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """The table of a study, computing what is missing of it. Raises Problem."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone(study.name))
        there = Pieces(PIECES / study.name, study.name)
        execute = stack.enter_context(on_cluster(scheduler)) if scheduler else on_this_machine(workers)
        say(_announcement(study, len(missing(study, there))))
        compute(study, there, execute, workers, say)
        return table(study, there)


def _announcement(study: Study, count: int) -> str:
    grid = ", ".join(f"{name} {len(values)}" for name, values in study.parameters.items())
    lines = [f"{study.name}: {len(study.worlds)} worlds ({grid})"]
    for q in study.questions:
        many = f"{q.blocks * CHUNK:,} trials"
        if q.mcse is not None:
            many = f"trials until the error of power is {q.mcse:g} points"
        asked = f"{len(q.analyses)} analyses at {len(q.sizes)} sizes"
        part = f", in {sum(map(q.asks, study.worlds))} of the worlds" if q.only else ""
        lines.append(f"  {q.name}: {asked}, {many} a world (in blocks of {CHUNK}){part}")
    lines.append(f"  {count * CHUNK:,} trials to simulate now, in {count} pieces; what is finished stands")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 130 after Ctrl-C. Raises Problem."""
    name = [*(sys.argv[1:] if arguments is None else arguments), ""][0]
    faults: list[str] = []

    def checked(make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Problem as problem:
            faults.append(str(problem))

    workers = checked(lambda: study_files.workers(os.environ.get("WORKERS", ""), joblib.cpu_count()))
    trials = checked(lambda: study_files.trials(os.environ.get("TRIALS", "")))
    study = checked(lambda: study_files.read(name))
    if study and trials:
        study = checked(lambda: study.with_trials(trials))
    if study:
        checked(lambda: check_results(study))
    if faults:
        raise Problem("\n".join(faults))
    if stands(study):
        print(f"{shown(places(name)[0])} stands: nothing to compute")
        return 0
    began = time.monotonic()
    frame = run(
        study, workers, os.environ.get("SCHEDULER", ""), lambda text: print(text, file=sys.stderr, flush=True)
    )
    final = publish(study, frame)
    print(f"{shown(final)}: {len(frame)} answers after {duration(time.monotonic() - began)}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit("stopped; what is finished stands, and the same command goes on from there")
