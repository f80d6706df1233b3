"""What stored simulations against a known truth say of an interval, for the chapters that show the interval."""

import pandas as pd

from helpers.chapters.words import rounded
from helpers.design import known_truth

WHERE = 'chapter Validation, "Against a truth that is known"'
"""Where all of it is told."""


def stored() -> pd.DataFrame:
    """What is stored of the estimators as they are, as `known_truth.latest` has it; no row where it is of others.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> truth = held.stored()
    """
    results, current = known_truth.latest()
    return results if current else results.iloc[:0]


def coverage(truth: pd.DataFrame | None, method: str) -> str:
    """In how many trials of the smallest size the interval of a method held the truth; empty where nothing tells.

    truth: from `stored`; method: how its name there begins.
    """
    if truth is None:
        return ""
    rows = truth[(truth["n"] == known_truth.SIZES[0]) & truth["method"].str.startswith(method)]
    rows = rows[rows["coverage"].notna()]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    limits = f"{rounded(row['coverage_lower'], 1)} to {rounded(row['coverage_upper'], 1)}"
    return f"{rounded(row['coverage'], 1)} % (Monte Carlo interval {limits})"
