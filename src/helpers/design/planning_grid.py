"""The committed study `planning` as the explorer in the page takes it: power over a grid of worlds, and its grid.

>>> found = read()
>>> sorted(found.grid)
['dropout', 'n', 'ras_change_placebo', 'upcr_effect', 'upcr_noise']
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from helpers.design import studies, study_results
from helpers.design.operating import ANALYSES

STUDY = "planning"
FAMILIES: dict[str, tuple[str, ...]] = {
    "definitions of remission (UPCR)": ("confirmed", "ever", "sustained", "month 12"),
    "the primary endpoint, counted or as numbers": (
        "confirmed",
        "ancova average",
        "ancova month 12",
        "log-rank",
    ),
    "the primary endpoint by test": ("confirmed", "confirmed, Fisher", "confirmed, Barnard"),
    "other measures": ("confirmed", "24-hour protein", "dipstick", "red cells average"),
}
"""Analyses that are looked at together: endpoints and definitions."""


@dataclass(frozen=True)
class Grid:
    """Power in every world of the study.

    frame: a row a world, size and analysis: the axes, n, analysis, label, power, lower, upper (%, Wilson's 95 %: the
    Monte Carlo error). grid: axis -> its values, ascending. planned: axis -> the plan's value. trials, alpha, current
    (whether the study was computed by this code).
    """

    frame: pd.DataFrame
    grid: dict[str, list[float]]
    planned: dict[str, Any]
    trials: str
    alpha: float
    current: bool


def there() -> bool:
    """Whether the study has been computed."""
    return studies.places(STUDY)[0].is_file()


def read() -> Grid:
    """The study, of the analyses that were asked at every size; raises Problem as `study_results.read`."""
    results = study_results.read(STUDY)
    shown = {name for family in FAMILIES.values() for name in family}
    frame = results.frame[results.frame["analysis"].isin(shown & set(results.analyses))]
    axes = [*results.axes, "n"]
    frame = frame[[*axes, "analysis", "power", "power_lower", "power_upper"]]
    frame = frame.rename(columns={"power_lower": "lower", "power_upper": "upper"}).reset_index(drop=True)
    frame["label"] = [label(name) for name in frame["analysis"]]
    asked = results.frame[results.frame["analysis"].isin(shown)]["trials"]
    return Grid(
        frame, {axis: sorted(map(float, frame[axis].unique())) for axis in axes}, results.planned,
        f"{int(asked.min()):,}", results.alpha, results.current,
    )  # fmt: skip


def label(analysis: str) -> str:
    """How an analysis is called, short: shares are tested by Boschloo's test unless another is named."""
    return ANALYSES[analysis].label.replace(", Boschloo's test", "")
