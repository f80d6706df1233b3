"""Write the committed stored results anew, or compute a part of each again and compare.

    python -m helpers.design.renewal [NAME ...]     calibration and selection, or those named (others: minutes), by the
                                                    number of WORKERS; what is finished stands if it is stopped
    python -m helpers.design.renewal --sample       JSON lines: what a part of each, drawn by seed, gives otherwise

The seed of a sample is the digest of the code, so that every change of it looks at other parts.
"""

import argparse
import json
import math
import os
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import joblib
from tqdm import tqdm

from helpers import Problem
from helpers.design import calibration, characteristics, known_truth, selection, stored
from helpers.design.pieces import end_with
from helpers.design.study_files import workers as number_of_workers
from helpers.study import recording
from helpers.study.files import write
from helpers.study.parameters import Parameters
from helpers.study.scenario import load, scenarios

STUDIES: dict[str, ModuleType] = {
    stored.name_of(study.compute): study for study in (calibration, selection, known_truth, characteristics)
}
"""Each has `compute(p)`, and computes one of its `PARTS` by `part(p, name)`."""
QUICK = ("calibration", "selection")
DRAWN = {"calibration": 2, "selection": 1, "known_truth": 1, "characteristics": 1}
"""Parts of each that a sample computes."""
LONGEST = (
    "survival 20", "mixed 20", "survival 400", "mixed 400", "precision", "effects", "sizes", "alternatives", "exact",
    "fairness", "hurts", "others",
)  # fmt: skip
"""Parts that take long: `make test-slow` computes them."""
TOLERANCE = 1e-4
"""Stored values have six digits, of which the last may differ between processors."""


def renew(name: str, workers: int = 1) -> int:
    """Write a study's committed answers for every scenario, computed by so many processes; returns their number.

    Answers that stand are taken over, and each is kept as soon as it is there: who is stopped goes on from there.
    """
    study = STUDIES[name]
    parameters = [recording.unrecorded(load(scenario).parameters) for scenario in scenarios()]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=workers, batch_size=1, return_as="generator")
        made = run(joblib.delayed(_entry)(os.getpid(), study.compute, p) for p in parameters)
        found = list(tqdm(made, total=len(parameters), desc=name, unit=" scenarios", disable=None))
    write(stored.COMMITTED / f"{name}.json", stored.text(found))
    return len({json.dumps(one["parameters"]) for one in found})


def _entry(parent: int, compute: stored.Compute, p: Parameters) -> stored.Entry:
    end_with(parent)
    return stored.entry(compute, p)


def differences(where: str, expected: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    """(where, expected, found) of each value of `found` that `expected` holds otherwise, or not at all."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key, value in found.items():
            yield from differences(f"{where} {key}", expected.get(key, "nothing"), value)
    elif isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            yield where, f"{len(expected)} values", f"{len(found)} values"
        for number, (one, other) in enumerate(zip(expected, found, strict=False), start=1):
            yield from differences(f"{where} {number}", one, other)
    elif isinstance(found, float) and isinstance(expected, float):
        if not math.isclose(expected, found, rel_tol=TOLERANCE, abs_tol=1e-9):
            yield where, expected, found
    elif found != expected:
        yield where, expected, found


def like(rows: Any, found: Any) -> Any:
    """Of stored rows those that a part of them answers, by size and method; anything else as it is."""
    if isinstance(found, list) and isinstance(rows, list) and found and "method" in found[0]:
        wanted = {(row["n"], row["method"]) for row in found}
        return [row for row in rows if (row["n"], row["method"]) in wanted]
    return rows


def sample() -> Iterator[tuple[str, Any, Any]]:
    """Compute a part of each committed answer again: what differs, and what no longer belongs to the code."""
    for name, study in STUDIES.items():
        draw = random.Random(stored.code(study.compute))
        scenario = draw.choice(scenarios())
        p = load(scenario).parameters
        answer, here = stored.latest(study.compute, p)
        if not here:
            yield f"stored {name} of {scenario}", "of this code", "of other code"
            continue
        parts = [part for part in study.PARTS if part not in LONGEST]
        for part in draw.sample(parts, DRAWN[name]):
            found = json.loads(json.dumps(study.part(p, part)))
            expected = {key: like(answer[key], value) for key, value in found.items()}
            yield from differences(f"stored {name} of {scenario}, {part}:", expected, found)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m helpers.design.renewal")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STUDIES))
    parser.add_argument("--sample", action="store_true", help="compare a part, and write nothing")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in STUDIES]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(STUDIES)}")
    if options.sample:
        for one in sample():
            print(json.dumps(one), flush=True)
        return 0
    workers = number_of_workers(os.environ.get("WORKERS", ""), joblib.cpu_count())
    for name in options.names or QUICK:
        print(f"{name}: {renew(name, workers)} answers stored")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(str(problem))
