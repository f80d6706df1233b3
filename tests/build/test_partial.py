"""A partial build gives what a build from nothing gives, for changes of single parameters of the real project."""

import ast
import json
import random
import re
import shutil

import ends
import pytest
from conftest import Whole, built_by_the_first

from helpers import ROOT
from helpers.chapters.contents import CHAPTERS
from helpers.design import characteristics
from helpers.study.parameters import Parameters


class FewTrials(Whole):
    """The whole project, whose chapter 08 asks few trials where no answer is stored: as no answer is."""

    def __init__(self, folder):
        super().__init__(folder)
        with (folder / "src/helpers/design/characteristics.py").open("a", encoding="utf-8") as source:
            few = ends.few_trials(characteristics.QUICK)
            source.write(f"\n\nQUICK, TRUTH['quick'] = {few}, {ends.FEW_FOR_A_TRUTH}\n")


@pytest.fixture(scope="session")
def few_trials(tmp_path_factory) -> Whole:
    return built_by_the_first(tmp_path_factory, "few", FewTrials)


def first_cells() -> list[str]:
    """The parameters that the chapters' first cells name."""
    found = set()
    for chapter in CHAPTERS:
        cells = json.loads((ROOT / "notebooks" / f"{chapter.stem}.ipynb").read_text("utf-8"))["cells"]
        first = next(cell for cell in cells if "parameters" in cell["metadata"].get("tags", ()))
        found |= {node.targets[0].id for node in ast.parse("".join(first["source"])).body}
    return sorted(found - {"scenario"})


def drawn() -> list[str]:
    """Fifteen others, by a seed."""
    return random.Random(20261125).sample(sorted(set(Parameters.model_fields) - set(first_cells())), 15)


def other_values(name: str) -> list:
    """Values that a parameter may take and does not have, those near it first."""
    field = Parameters.model_fields[name]
    value = field.default
    limits = {side: getattr(m, side) for m in field.metadata for side in ("ge", "le") if hasattr(m, side)}
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        kind = type(value)
        steps = [kind(value * 0.8), kind(value * 1.25), value + kind(1), value - kind(1), *limits.values()]
        return [one for one in steps if one != value and limits["ge"] <= one <= limits["le"]]
    if isinstance(value, str):
        return [one for one in field.annotation.__args__ if one != value]
    return ["2026-03-01"] if name == "recruitment_start" else [[4, 6]]


FORMS = ("share_x_linked", "share_recessive", "share_dominant", "share_digenic")


def change(name: str) -> str:
    """`name=value` with a value that contradicts no other parameter; a form's share with another's that gives way."""
    from helpers import Problem
    from helpers.study.scenario import load

    for value in other_values(name):
        changes = {name: value}
        if name in FORMS:
            other = FORMS[name == FORMS[0]]
            changes[other] = (
                1 - value - sum(getattr(Parameters(), one) for one in FORMS if one not in (name, other))
            )
        try:
            load("base", **changes)
        except Problem:
            continue
        return " ".join(f"{key}='{str(one).replace(', ', ',')}'" for key, one in changes.items())
    raise AssertionError(f"no other value of {name} is allowed")


def outcome(project, setting: str) -> tuple[dict[str, bytes], set[str], set[str]]:
    """All that a build of a changed study publishes and stages, the chapters that it ran and took over."""
    done = project.build("--set", setting)
    assert done.returncode == 0, done.stdout + done.stderr
    name = re.search(r"^(base\+[0-9a-f]+) ", done.stdout, re.M)[1]
    made = {path: content for path, content in project.published().items() if name in path}
    for path in (project.folder / ".cache/build" / name / "chapters").glob("*.ipynb"):
        made[f"executed {path.name}"] = path.read_bytes()
    ran = set(re.findall(r"^\S+  (\d\d-\S+) +\d", done.stdout, re.M))
    return made, ran, set(re.findall(r"^\S+  (\d\d-\S+) +as in base", done.stdout, re.M))


def copied(few_trials, folder, *left_out: str) -> Whole:
    """A copy of the project with what it has built."""
    made = type(few_trials).__new__(type(few_trials))
    made.folder = folder
    shutil.copytree(few_trials.folder, folder, ignore=shutil.ignore_patterns("__pycache__", *left_out))
    return made


def same(made: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert set(made) == set(expected)
    assert [path for path in made if made[path] != expected[path]] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "spared"),
    [
        ("remission_fall=0.3", {"01-screening", "02-eligibility", "03-follow-up", "09-validation"}),
        # 05 says where its test stands in the fixed sequence, which the level decides
        ("alpha=0.01", {"01-screening", "02-eligibility", "03-follow-up", "04-analysis-data", "10-safety"}),
        ("dropout=0.3", {"02-eligibility", "09-validation"}),
    ],
)
def test_a_changed_parameter_costs_what_it_touches(few_trials, tmp_path, setting, spared):
    made, ran, taken = outcome(copied(few_trials, tmp_path / "part"), setting)
    expected, all_of_them, none = outcome(copied(few_trials, tmp_path / "nothing", ".cache"), setting)
    assert none == set()
    assert all_of_them == {chapter.stem for chapter in CHAPTERS} == ran | taken
    same(made, expected)
    assert not ran & spared


@pytest.mark.slow
@pytest.mark.parametrize("name", [*first_cells(), *drawn()])
def test_a_partial_build_is_one_from_nothing(few_trials, tmp_path, name):
    """The chapters that a build took over give the same when they run, and leave those that it ran standing.

    A chapter that it ran itself is determined by its code, parameters and tables, and need not run twice: were one of
    its tables another, its key would be, and it would run with those that were taken over.
    """
    project = copied(few_trials, tmp_path / "part")
    setting = change(name)
    made, ran, taken = outcome(project, setting)
    # nothing is left to take over; the study keeps the chapters that it ran
    shutil.rmtree(project.folder / ".cache/build/base")
    (study,) = (project.folder / ".cache/build").glob("base+*")
    for stem in taken:
        (study / "chapters" / f"{stem}.json").unlink()
    expected, again, none = outcome(project, setting)
    assert none == set()
    assert again == taken
    assert ran | taken == {chapter.stem for chapter in CHAPTERS}
    same(made, expected)
