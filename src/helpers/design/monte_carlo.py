"""What many simulated trials say of a method whose truth is known: one row of numbers with their Monte Carlo errors."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from helpers.estimators import proportions

MEASURED = (
    "bias",
    "bias_se",
    "coverage",
    "coverage_lower",
    "coverage_upper",
    "type1",
    "type1_lower",
    "type1_upper",
)


def summary(
    method: str,
    truth: float | None,
    estimates: Iterable[float] | None = None,
    covered: Iterable[bool | None] | None = None,
    rejected: Iterable[bool | None] | None = None,
) -> dict[str, Any]:
    """A row of `run` without its size, from one value a trial.

    estimates: numbers, NaN where there is none; covered, rejected: booleans, None where there is none. What is missing
    is left out; estimates that are missing are counted as failed.
    """
    row = {"method": method, "truth": truth, "trials": 0, "failed": 0} | dict.fromkeys(MEASURED)
    if estimates is not None:
        found = np.array([*estimates], float)
        good = np.isfinite(found)
        row |= {
            "trials": len(good),
            "failed": int((~good).sum()),
            "bias": float(found[good].mean() - truth),
            "bias_se": float(found[good].std(ddof=1) / np.sqrt(good.sum())),
        }
    for name, hits in (("coverage", covered), ("type1", rejected)):
        if hits is not None:
            hits = np.array([h for h in hits if h is not None], float)
            row["trials"] = row["trials"] or len(hits)
            low, high = proportions.wilson(int(hits.sum()), len(hits))
            row |= {name: 100 * hits.mean(), f"{name}_lower": 100 * low, f"{name}_upper": 100 * high}
    return row
