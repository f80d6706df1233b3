"""What a study of many trials asks, from `studies/<name>.yaml`: read, checked as a whole, refused with all its faults.

description: how power falls with noise
scenario: base
parameters:                 # every combination of their values is a world
  upcr_effect: [1, 0.65]
  upcr_noise: [0.35, 0.5]
questions:
  by size:
    analyses: [confirmed, ancova average]
    sizes: [20, 40, 80]     # children randomised
    trials: 2000            # or mcse: 1, the Monte Carlo standard error wanted, in percentage points of power
"""

import difflib
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.design.operating import ANALYSES
from helpers.study.parameters import Parameters
from helpers.study.scenario import NAME, read_scenario, scenarios, suggestion, text, validate
from helpers.study.settings import settings
from helpers.trial.conduct import CHUNK

FOLDER = ROOT / "studies"
KEYS = ("description", "scenario", "parameters", "questions")
QUESTION = ("analyses", "sizes", "trials", "mcse", "only")
MOST_WORLDS = 5_000
MOST_TRIALS = 200_000_000
"""Of all worlds and questions together: weeks on one machine, a night on a large cluster."""
MOST_PER_WORLD = 5_000_000
LEAST_ERROR, LARGEST_ERROR = 0.02, 20.0
"""Percentage points of power."""


@dataclass(frozen=True)
class Question:
    """What is asked of every world: `trials`, or as many as it takes for an error of `mcse` percentage points."""

    name: str
    analyses: tuple[str, ...]
    sizes: tuple[int, ...]
    trials: int | None
    mcse: float | None
    only: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def asks(self, world: "World") -> bool:
        """Whether it is asked of a world."""
        return all(world.values[name] in values for name, values in self.only.items())

    @property
    def blocks(self) -> int:
        """Blocks of trials to begin with; trials are made in whole blocks."""
        return math.ceil((self.trials or 1) / CHUNK)

    @property
    def most_blocks(self) -> int:
        """Blocks beyond which the error wanted is reached whatever the power."""
        if self.mcse is None:
            return self.blocks
        return math.ceil(0.25 / (self.mcse / 100) ** 2 / CHUNK)


@dataclass(frozen=True)
class World:
    """One combination of values: as written, and all parameters with them."""

    values: dict[str, Any]
    p: Parameters


@dataclass(frozen=True)
class Study:
    """A study as asked."""

    name: str
    description: str
    scenario: str
    parameters: dict[str, tuple[Any, ...]]
    questions: tuple[Question, ...]
    worlds: tuple[World, ...]
    planned: Parameters

    def with_trials(self, trials: int) -> "Study":
        """The same with more or fewer trials in every question that does not ask for an error."""
        asked = [replace(q, trials=trials) if q.mcse is None else q for q in self.questions]
        found = replace(self, questions=tuple(asked))
        faults = (
            [f"TRIALS: found {trials}, allowed: 1 to {MOST_PER_WORLD}"]
            if not 1 <= trials <= MOST_PER_WORLD
            else []
        )
        faults += list(_too_large(len(self.worlds), found.questions))
        if faults:
            raise Problem("; ".join(faults))
        return found

    @property
    def version(self) -> dict[str, Any]:
        """What makes two studies of one name the same but for the number of trials."""
        return {
            "scenario": self.scenario,
            "parameters": {name: list(values) for name, values in self.parameters.items()},
            "questions": {
                q.name: {"analyses": list(q.analyses), "sizes": list(q.sizes)}
                | ({"only": {name: list(values) for name, values in q.only.items()}} if q.only else {})
                for q in self.questions
            },
        }


def names() -> list[str]:
    """The studies that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if NAME.fullmatch(path.stem))


def read(name: str) -> Study:
    """A study by its name; raises Problem with all that is wrong with it."""
    path = FOLDER / f"{name}.yaml"
    if not NAME.fullmatch(name) or name not in names():
        raise Problem(
            f"STUDY: found {text(name)!r}, allowed: {', '.join(names()) or 'nothing, as studies/ has no file'}"
            f"{_nearest(name, names())} (a study is a file studies/<name>.yaml; a name has lower-case letters, digits "
            "and hyphens)"
        )
    where = f"studies/{name}.yaml"
    try:
        found = settings(path.read_text("utf-8"), where, deepest=4)
    except UnicodeDecodeError:
        raise Problem(f"{where} is not a text file (UTF-8)") from None
    return parsed(name, found, where)


def parsed(name: str, found: dict[str, Any], where: str) -> Study:
    """A study from the values of its file; raises Problem with all that is wrong with it."""
    faults = [f"{text(key)} is no key of a study{_nearest(key, KEYS)}" for key in found if key not in KEYS]
    scenario, base = found.get("scenario", "base"), {}
    try:
        base = read_scenario(scenario if isinstance(scenario, str) else text(scenario))[1]
        validate(base, f"scenarios/{scenario}.yaml")
    except Problem as problem:
        faults.append(f"scenario: {problem}{_nearest(scenario, scenarios())}")
        base = {}
    grid = _grid(found.get("parameters"), base, faults)
    questions = _questions(found.get("questions"), grid, faults)
    count = math.prod(len(values) for values in grid.values())
    faults += _too_large(count, questions)
    worlds: list[World] = []
    if not faults:
        worlds = list(_worlds(grid, base, faults))
    if faults:
        raise Problem(f"{where}: " + "; ".join(dict.fromkeys(faults)))
    return Study(
        name, found["description"], scenario, grid, tuple(questions), tuple(worlds), validate(base, where)
    )


def _nearest(word: Any, there: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word)[:100], list(there), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _grid(found: Any, base: dict[str, Any], faults: list[str]) -> dict[str, tuple[Any, ...]]:
    if not isinstance(found, dict) or not found:
        faults.append(
            "parameters: the grid is empty; allowed: `name: [value, ...]`, at least one parameter and value"
        )
        return {}
    grid: dict[str, tuple[Any, ...]] = {}
    for name, value in found.items():
        values = _listed(value)
        if name == "n_randomised":
            faults.append("n_randomised is asked by `sizes` of a question, on the same children")
        elif name not in Parameters.model_fields:
            faults.append(f"{text(name)} is no parameter{suggestion(str(name)[:100])}")
        elif not values:
            faults.append(f"{name}: the grid is empty; allowed: at least one value")
        elif any(isinstance(one, dict) for one in values):
            faults.append(f"{name}: found a mapping, allowed: a value or a list of values")
        else:
            for number, one in enumerate(values):
                if one in values[:number]:
                    faults.append(f"{name}: {text(one)} is there twice")
                faults += _outside(name, one, base)
            grid[name] = tuple(values)
    return grid


def _outside(name: str, value: Any, base: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a value whatever the other parameters are."""
    try:
        validate({**base, name: value}, "")
    except Problem as problem:
        for fault in str(problem).removeprefix(": ").split("; "):
            if fault.startswith(f"{name}: found"):
                yield fault


def _worlds(grid: dict[str, tuple[Any, ...]], base: dict[str, Any], faults: list[str]) -> Iterator[World]:
    for values in itertools.product(*grid.values()):
        here = dict(zip(grid, values, strict=True))
        try:
            yield World(here, validate({**base, **here}, ""))
        except Problem as problem:
            faults += [f"world {', '.join(f'{k} {text(v)}' for k, v in here.items())}{problem}"]
            if len(faults) > 4:
                return


def _questions(found: Any, grid: dict[str, tuple[Any, ...]], faults: list[str]) -> list[Question]:
    if not isinstance(found, dict) or not found:
        faults.append(
            "questions: nothing is asked; allowed: `name:` with analyses, sizes, and trials or mcse below"
        )
        return []
    out = []
    for name, asked in found.items():
        place = f"questions, {text(name)}"
        if not isinstance(asked, dict):
            faults.append(f"{place}: allowed are {', '.join(QUESTION)}")
            continue
        unknown = [key for key in asked if key not in QUESTION]
        faults += [
            f"{place}: {text(key)} is no key of a question{_nearest(key, QUESTION)}" for key in unknown
        ]
        before = len(faults)
        analyses, sizes = _listed(asked.get("analyses")), _listed(asked.get("sizes"))
        trials, mcse = asked.get("trials"), asked.get("mcse")
        if not analyses:
            faults.append(f"{place}: no analyses; there are {', '.join(ANALYSES)}")
        for one in analyses:
            if not isinstance(one, str) or one not in ANALYSES:
                near = _nearest(one, ANALYSES) or f"; there are {', '.join(ANALYSES)}"
                faults.append(f"{place}: {text(one)} is no analysis{near}")
        if not sizes:
            faults.append(f"{place}: no sizes; allowed: even numbers of children from 4 to 2000")
        for one in sizes:
            if type(one) is not int or not 4 <= one <= 2000 or one % 2:
                faults.append(f"{place}: size {text(one)}: allowed: even numbers of children from 4 to 2000")
        for what, values in (("analyses", analyses), ("sizes", sizes)):
            if len({str(one) for one in values}) < len(values):
                faults.append(f"{place}: {what} has something twice")
        if (trials is None) == (mcse is None):
            faults.append(f"{place}: allowed: either trials or mcse")
        elif trials is not None and (type(trials) is not int or not 1 <= trials <= MOST_PER_WORLD):
            faults.append(
                f"{place}: trials: found {text(trials)}, allowed: a whole number from 1 to {MOST_PER_WORLD}"
            )
        elif mcse is not None and (
            type(mcse) not in (int, float) or not LEAST_ERROR <= mcse <= LARGEST_ERROR
        ):
            faults.append(
                f"{place}: mcse: found {text(mcse)}, allowed: a number from {text(LEAST_ERROR)} to "
                f"{text(LARGEST_ERROR)} (percentage points of power)"
            )
        only = asked.get("only", {})
        if not isinstance(only, dict):
            faults.append(f"{place}: only: allowed: `name: [value, ...]` of the grid")
            only = {}
        only = {str(key): tuple(_listed(values)) for key, values in only.items()}
        for key, values in only.items():
            if key not in grid:
                faults.append(f"{place}: only: {text(key)} is not in the grid{_nearest(key, grid)}")
            elif not values or [one for one in values if one not in grid[key]]:
                there = ", ".join(text(one) for one in grid[key])
                faults.append(f"{place}: only: {key}: found {text(list(values))}, allowed: of {there}")
        if len(faults) == before:
            wanted = None if mcse is None else float(mcse)
            out.append(Question(str(name), tuple(analyses), tuple(sizes), trials, wanted, only))
    twice = [
        f"{analysis!r} at {size}"
        for (analysis, size), count in _counted(
            (a, n) for q in out for a in q.analyses for n in q.sizes
        ).items()
        if count > 1
    ]
    if twice:
        faults.append(f"questions: asked twice: {', '.join(twice[:5])}")
    return out


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for pair in pairs:
        found[pair] = found.get(pair, 0) + 1
    return found


def _too_large(worlds: int, questions: Iterable[Question]) -> Iterator[str]:
    if worlds > MOST_WORLDS:
        yield f"parameters: a grid of {worlds} worlds is too large to be meant; allowed: up to {MOST_WORLDS}"
    trials = sum(worlds * q.most_blocks * CHUNK for q in questions)
    if trials > MOST_TRIALS:
        yield f"questions: {trials} trials in all are too many to be meant; allowed: up to {MOST_TRIALS}"


def workers(given: str, most: int) -> int:
    """The number after WORKERS=; all cores where nothing is given. Raises Problem."""
    if not given:
        return most
    if not re.fullmatch(r"[1-9][0-9]{0,3}", given):
        raise Problem(
            f"WORKERS: found {text(given)!r}, allowed: a whole number from 1 (nothing: all {most} cores)"
        )
    return int(given)


def trials(given: str) -> int | None:
    """The number after TRIALS=; None where nothing is given. Raises Problem."""
    if given and not re.fullmatch(r"[1-9][0-9]{0,9}", given):
        raise Problem(f"TRIALS: found {text(given)!r}, allowed: a whole number from 1 to {MOST_PER_WORLD}")
    return int(given) if given else None


def shown(path: Path) -> str:
    """A path of the project as a message names it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
