"""Two settings side by side: what differs in the assumptions, what many trials of each show, and their courses.

The pins of the bench, the page and `make compare` call the one `compare` here, which lays `operating.run` of both
beside each other by `operating.compare`. `read` makes a study of what a person writes: `base upcr_effect=0.8`.

>>> found = compare(read("base"), read("base dropout=0.3"), trials=20)
>>> found.assumptions[["parameter", "a", "b"]].values.tolist()
[['dropout', 0.1, 0.3]]
"""

import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from helpers import Problem
from helpers.design import exploring, operating
from helpers.design.exploring import Bench, Move
from helpers.study import scenario, settings
from helpers.study.parameters import GROUPS, Parameters, about
from helpers.study.wording import spaced, unknown_scenario

LETTERS = ("A", "B")
LIMITS = ["lower_a", "upper_a", "lower_b", "upper_b"]
NONE = 1.0
"""The effect of cells that do nothing."""
SURE = 1.96
"""Standard errors from which a difference is told as one."""


def read(text: str) -> scenario.Study:
    """The study that a person means by a scenario's name and changes: `base upcr_effect=0.8 dropout=0.2`.

    Raises Problem with all that is wrong: no such scenario, a part that is no change, a name given twice, a parameter
    that is not there (with the nearest one) or out of its range.
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise Problem(f"{_told(text)}: {error}") from None
    if not parts:
        raise Problem("a setting is a scenario's name, then changes: base upcr_effect=0.8; found nothing")
    name, *rest = parts
    wrong, changes = [], {}
    if name not in scenario.scenarios():
        wrong.append(unknown_scenario(name, scenario.scenarios()))
    if spaced(text):
        wrong.append(f"a change is written name=value{spaced(text)}")
        rest = []
    for part in rest:
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            wrong.append(f"{scenario.text(part)!r} is not of the form name=value")
        elif key in changes:
            wrong.append(f"{scenario.text(key)} is given twice")
        changes[key] = settings.given(value)
    if wrong:
        raise Problem(f"{_told(text)}: {'; '.join(wrong)}")
    try:
        return scenario.load(name, **changes)
    except Problem as problem:
        raise Problem(f"{_told(text)}: {problem}") from None


def _told(text: str) -> str:
    return f"setting {scenario.text(text)!r}"


@dataclass(frozen=True)
class Comparison:
    """Two settings and what lies between them; each frame is tidy.

    a, b: the moves. assumptions: a row a parameter that differs: parameter, group, unit, a, b. results: a row a
    question, the largest difference against its error first: question (power or false claims), analysis, power_a,
    power_b with their 95 % Monte Carlo limits (lower_a, upper_a, lower_b, upper_b), difference (points, b - a), se (as
    of independent trials: an upper bound), sure (whether the difference is over `SURE` standard errors). remission: a
    row an arm: arm, share_a, share_b (%) with their limits, difference, se. curves: `Move.curves` of both with
    `setting` ("A" or "B") before.
    """

    a: Move
    b: Move
    assumptions: pd.DataFrame
    results: pd.DataFrame
    remission: pd.DataFrame
    curves: pd.DataFrame


def compare(
    a: "Move | operating.HasParameters | Parameters",
    b: "Move | operating.HasParameters | Parameters",
    trials: int = exploring.TRIALS,
) -> Comparison:
    """Two settings side by side, on the same random numbers.

    Parameters
    ----------
    a, b : Move, Study or Parameters
        Moves of a bench, as pinned; or studies, which are then asked.
    trials : int
        Of studies that are still to be asked.

    Returns
    -------
    Comparison

    Raises
    ------
    Problem
        As `operating.run`.

    Examples
    --------
    As notebook 11-explore calls it:

    >>> pair = side_by_side.compare(move, other)
    """
    one, two = (here if isinstance(here, Move) else Bench(here, trials).move() for here in (a, b))
    power = _limited(_of_one_world(one.power), _of_one_world(two.power))
    idle = [
        operating.run(move.p, len(move.trials.arm), analyses=[operating.PRIMARY], effects=[NONE])
        for move in (one, two)
    ]
    claims = _limited(*(_of_one_world(frame) for frame in idle))
    results = pd.concat(
        [power.assign(question="power"), claims.assign(question="false claims")], ignore_index=True
    )[["question", "analysis", "power_a", "power_b", *LIMITS, "difference", "se"]]
    curves = [move.curves.assign(setting=letter) for letter, move in zip(LETTERS, (one, two), strict=True)]
    return Comparison(
        one, two, assumptions(one.p, two.p), clearest_first(results), _remission(one, two),
        pd.concat(curves, ignore_index=True)[["setting", *curves[0].columns[:-1]]],
    )  # fmt: skip


def _of_one_world(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of one effect and size, paired by their analysis alone with those of another."""
    return frame.assign(effect=0.0, n=0)


def _limited(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """`operating.compare` of two answers, with the Monte Carlo limits of each."""
    ends = [
        one.set_index("analysis")[["power_lower", "power_upper"]].set_axis(LIMITS[2 * k : 2 * k + 2], axis=1)
        for k, one in enumerate((a, b))
    ]
    return operating.compare(a, b).join(ends[0], on="analysis").join(ends[1], on="analysis")


def assumptions(a: Parameters, b: Parameters) -> pd.DataFrame:
    """Parameters that differ, in the order of the register: parameter, group, unit, a, b (as JSON holds them)."""
    rows = [
        {
            "parameter": name,
            "group": GROUPS[about(name)["group"]],
            "unit": about(name)["unit"],
            "a": mine,
            "b": theirs,
        }
        for name, (mine, theirs) in exploring.differing(a, b).items()
    ]
    frame = pd.DataFrame(rows, columns=["parameter", "group", "unit", "a", "b"])
    return frame.astype({"a": object, "b": object})


def clearest_first(results: pd.DataFrame) -> pd.DataFrame:
    """Rows with columns difference and se, the clearest differences first, and whether chance leaves each: `sure`.

    Examples
    --------
    >>> frame = pd.DataFrame({"what": ["little", "much"], "difference": [1.0, -9.0], "se": [1.0, 1.0]})
    >>> clearest_first(frame)[["what", "sure"]].values.tolist()
    [['much', True], ['little', False]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        size = (results["difference"].abs() / results["se"]).where(results["difference"] != 0, 0.0)
    out = results.assign(sure=size > SURE, _size=size)
    out = out.sort_values(["_size"], ascending=False, kind="stable", ignore_index=True)
    return out.drop(columns="_size")


def _remission(a: Move, b: Move) -> pd.DataFrame:
    """Confirmed remission by arm over all trials, with the difference and its Monte Carlo error."""
    both = a.by_arm.merge(b.by_arm, on="arm", suffixes=("_a", "_b"))
    out: dict[str, Any] = {name: both[name] for name in ("arm", "share_a", "share_b")}
    out |= {f"{end}_{s}": both[f"share_{end}_{s}"] for s in "ab" for end in ("lower", "upper")}
    parts = [both[f"share_{s}"] * (100 - both[f"share_{s}"]) / both[f"children_{s}"] for s in "ab"]
    return pd.DataFrame(out).assign(
        difference=both["share_b"] - both["share_a"], se=np.sqrt(parts[0] + parts[1])
    )
