"""The CONSORT flow in words: counts of `analysis.flow.consort` to labelled boxes, for chapters 02 and 04."""

from collections.abc import Mapping

import pandas as pd

LABELS = {
    "screened": "Screened",
    "screen_failure": "Screen failures",
    "pending": "Pending: a fact is missing",
    "eligible": "Eligible",
    "not_needed": "Eligible, not randomised",
    "randomised": "Randomised",
    "allocated": "Allocated to {arm}",
    "treated": "Any infusion",
    "discontinued": "Left before month 12",
    "ongoing": "Still followed",
    "analysed": "Analysed for the primary endpoint",
}
"""Box: its label."""


Boxes = dict[str, tuple[str, int, list[tuple[str, int]]]]


def boxes(counts: pd.DataFrame, reasons: Mapping[str, str]) -> Boxes:
    """The counts as `figures.consort` takes them: box, with its arm -> (label, children, its reasons).

    reasons: reason -> its label; a reason without stands for itself.
    """
    made: Boxes = {}
    for row in counts.to_dict("records"):
        box = f"{row['box']}_{row['arm']}" if row["arm"] else row["box"]
        if row["reason"]:
            made[box][2].append((reasons.get(row["reason"], row["reason"]), row["children"]))
        else:
            made[box] = (LABELS[row["box"]].format(arm=row["arm"]), row["children"], [])
    return made


def data(made: Boxes, reasons: bool) -> pd.DataFrame:
    """The boxes as an exhibit's data: `box`, `label`, `children`; their reasons, where asked for, after them."""
    rows = [(name, label, n) for name, (label, n, _) in made.items()]
    if reasons:
        rows += [(f"{name}: reason", *reason) for name, (_, _, why) in made.items() for reason in why]
    return pd.DataFrame(rows, columns=["box", "label", "children"])
