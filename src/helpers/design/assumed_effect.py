"""The assumed effect on UPCR beside what other treatments reached, and what such cells did elsewhere."""

import numpy as np
import pandas as pd

from helpers.design import published
from helpers.study.parameters import Parameters

ASSUMED = "assumed"
COMPARED = ("N208", "N209", "N211")
"""Changes of proteinuria against a control: adults with IgA nephropathy, children, SGLT2 inhibitors."""
ON_TOP = ("N209", "N211")
"""Of these, what was reached in children or on top of RAS inhibition, as hUC-MSC would have to."""
CELLS = ("N212", "N213")
"""Trials of such cells, which state no change of UPCR."""
ABOUT = 3.0
"""Percentage points within which two changes count as about the same."""


def table(p: Parameters) -> pd.DataFrame:
    """The assumed change of UPCR first, then the published ones, then the trials of such cells; a row each.

    Columns: row (ASSUMED, or of targets-2.csv), what and population (as the row has them), change, low, high (% of UPCR
    against control; NaN where none is stated), than (how the assumed fall is beside it: more, about, less; empty
    where there is no change), states (what the row states instead), source.

    Examples
    --------
    As notebook 00-plan calls it:

    >>> effect = assumed_effect.table(study.parameters)
    """
    assumed = 100 * (p.upcr_effect - 1)
    rows = [
        {
            "row": ASSUMED, "what": "", "population": "", "change": assumed, "low": np.nan, "high": np.nan, "than": "",
            "states": "", "source": "",
        }
    ]  # fmt: skip
    for row in (*COMPARED, *CELLS):
        target = published.targets()[row]
        change, low, high = (_percent(target, column) for column in ("value", "low", "high"))
        rows.append(
            {
                "row": row,
                "what": target["quantity"],
                "population": target["population"],
                "change": change,
                "low": low,
                "high": high,
                "than": beside(assumed, change) if row in COMPARED else "",
                "states": "" if row in COMPARED else _states(target),
                "source": f"{target['source']} ({target['year']})",
            }
        )
    return pd.DataFrame(rows)


def _percent(target: dict[str, str], column: str) -> float:
    """A ratio or a percent change as a percent change; NaN where the row states another thing, or nothing."""
    if not target[column] or target["unit"] not in ("%", "ratio"):
        return np.nan
    value = float(target[column])
    return 100 * (value - 1) if target["unit"] == "ratio" else value


def _states(target: dict[str, str]) -> str:
    """What a row says that has no change of UPCR: its note, else its value and of what."""
    return target["note"] or f"{target['value']} of {target['statistic']}"


def beside(assumed: float, other: float) -> str:
    """How an assumed change (%) is beside another: a fall that is more, about the same, or less."""
    if abs(assumed - other) <= ABOUT:
        return "about"
    return "more" if assumed < other else "less"
