"""How much of the difference between the age slope of GFR across children and within them survivorship can explain.

A child loses GFR by `gfr_slope_severe` a year; between children of different ages `gfr_age_slope` lies. Both are
published, and they differ threefold: a clinic (or a cohort, or a trial) sees of the older children those who are still
there. Here everyone begins at `gfr_age_from` with the GFR of that age and keeps their own slope, and leaves when GFR
reaches a floor; what remains is seen at one time. In closed form, nothing is drawn but for the clinic as simulated.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from helpers.study.parameters import Parameters
from helpers.trial import simulate
from helpers.trial.simulate import Streams

FLOORS = (0.0, 15.0, 30.0, 60.0)
"""GFR in mL/min/1.73m2 at which a child is no longer seen: never, kidney failure, then up to the trial's limit."""
OLDEST = 13.0
"""Years of age up to which children are looked at: as in the trial; a slope that is kept for longer is hardly true."""
CHILDREN = 200_000
_STEPS = 200


def across(p: Parameters, floor: float) -> dict[str, float]:
    """What is seen at one time of children with severe disease who leave once their GFR is at `floor` or below.

    Returns slope (mL/min/1.73m2 per year of age, least squares over those who are still there, at the clinic's ages);
    remaining (% of the oldest who are); spread (SD of GFR of the oldest who are).
    """
    ages, weight = _ages(p)
    mean, spread, staying = _those_above(p, ages, floor)
    weight = weight * staying
    centre = np.average(ages, weights=weight)
    slope = float(np.sum(weight * (ages - centre) * mean) / np.sum(weight * (ages - centre) ** 2))
    return {"slope": slope, "remaining": 100 * float(staying[-1]), "spread": float(spread[-1])}


def _ages(p: Parameters) -> tuple[NDArray, NDArray]:
    """Ages from `gfr_age_from` to OLDEST, the last one included, and how often the clinic sees each."""
    youngest, oldest = max(p.gfr_age_from, p.age_min), min(OLDEST, p.age_max)
    ages = np.linspace(youngest, max(oldest, youngest + 1.0), _STEPS)
    return ages, stats.norm.pdf(ages, p.age_mean, p.age_sd) + 1e-12


def _those_above(p: Parameters, ages: NDArray, floor: float) -> tuple[NDArray, NDArray, NDArray]:
    """Mean and SD of GFR of those above the floor at each age, and their share of all."""
    years = ages - p.gfr_age_from
    mean = p.gfr_mean + p.gfr_slope_severe * years
    sd = np.maximum(np.hypot(p.gfr_sd, p.gfr_slope_severe_sd * years), 1e-9)
    if not floor:
        return mean, sd, np.ones_like(mean)
    z = (floor - mean) / sd
    staying = np.maximum(stats.norm.sf(z), 1e-12)
    ratio = stats.norm.pdf(z) / staying
    return mean + sd * ratio, sd * np.sqrt(np.maximum(1 + z * ratio - ratio**2, 0.0)), staying


def clinic(p: Parameters) -> float:
    """The slope across children of the simulated clinic: severe disease, the same ages (mL/min/1.73m2 per year).

    It is steeper than `gfr_age_slope` alone, as UPCR rises with age and GFR falls with UPCR. NaN where nobody fits.
    """
    child = simulate.children(p, CHILDREN, Streams(p.seed, 17))
    chosen = child["severe"] & (child["age"] >= p.gfr_age_from) & (child["age"] < OLDEST)
    age, gfr = child["age"][chosen], child["gfr"][chosen]
    age = age - age.mean() if age.size else age
    return float(age @ gfr / (age @ age)) if age.size > 1 else np.nan


def table(p: Parameters) -> pd.DataFrame:
    """Slopes within and across children, a row each.

    Columns: kind (within, a child's own; across, of those above a floor; clinic, as simulated), floor (GFR; NaN but
    for across), slope (mL/min/1.73m2 a year), explained (% of the gap between within and clinic that leaving
    at the floor closes; NaN but for across, and where there is no gap), remaining, spread (as in `across`).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> age_slopes = survivorship.table(study.parameters)
    """
    own, ours = p.gfr_slope_severe, clinic(p)
    rows = [{"kind": "within", "floor": np.nan, "slope": own, "remaining": np.nan, "spread": np.nan}]
    rows += [{"kind": "across", "floor": floor, **across(p, floor)} for floor in FLOORS]
    rows.append({"kind": "clinic", "floor": np.nan, "slope": ours, "remaining": np.nan, "spread": np.nan})
    found = pd.DataFrame(rows)
    gap = ours - own
    there = (found["kind"] == "across") & bool(np.isfinite(gap) and abs(gap) > 1e-9)
    # rounded, as with nobody leaving it is zero but for last bits
    closed = (100 * (found["slope"] - own) / gap).round(6) + 0.0
    return found.assign(explained=closed.where(there))
