"""Summaries by arm as long frames: one row an item and arm, numbers only.

Every function takes the arm of each child as a Series (index: children; values: arms of the protocol) and
gives both arms, in the protocol's order, also where an arm has no child. Frames of several items are made
by `pd.concat`; `chapters.by_arm` puts them in words.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from helpers.study.protocol import ARMS


def children(item: str, chosen: ArrayLike, arm: pd.Series) -> pd.DataFrame:
    """How many children of each arm are among the chosen.

    Parameters
    ----------
    item : name of the row
    chosen : identifiers of children; repeated ones count once, those without an arm not at all
    arm : arm by child

    Returns
    -------
    DataFrame `item arm n N`: N children in the arm, n of them chosen.

    Examples
    --------
    >>> arm = pd.Series({"a": "Placebo", "b": "hUC-MSC", "c": "hUC-MSC"})
    >>> children("left", ["c", "c"], arm)[["arm", "n", "N"]].values.tolist()
    [['Placebo', 0, 1], ['hUC-MSC', 1, 2]]
    """
    among = arm.index.isin(np.asarray(chosen, object))
    rows = [(item, name, int((among & (arm == name)).sum()), int((arm == name).sum())) for name in ARMS]
    return pd.DataFrame(rows, columns=["item", "arm", "n", "N"])


def quartiles(item: str, values: pd.Series, arm: pd.Series) -> pd.DataFrame:
    """Quartiles and range of a number in each arm.

    Parameters
    ----------
    item : name of the row
    values : number by child or, as for infusions, several a child; NaN is not measured
    arm : arm by child

    Returns
    -------
    DataFrame `item arm n N low q1 median q3 high`: n values measured in an arm of N children; quartiles
    by linear interpolation (type 7, the default of R and NumPy), NaN where nothing was measured.

    Examples
    --------
    >>> arm = pd.Series({"a": "Placebo", "b": "Placebo", "c": "hUC-MSC"})
    >>> quartiles("age", pd.Series({"a": 4.0, "b": 8.0}), arm).iloc[0, 2:].tolist()
    [2, 2, 4.0, 5.0, 6.0, 7.0, 8.0]
    """
    rows = []
    of = values.index.map(arm)
    for name in ARMS:
        measured = values[of == name].dropna()
        points = np.percentile(measured, [0, 25, 50, 75, 100]) if len(measured) else np.full(5, np.nan)
        rows.append((item, name, len(measured), int((arm == name).sum()), *points.tolist()))
    return pd.DataFrame(rows, columns=["item", "arm", "n", "N", "low", "q1", "median", "q3", "high"])


def events(child: pd.Series, kinds: Mapping[str, ArrayLike], arm: pd.Series) -> pd.DataFrame:
    """Children with an event of each kind, and the events themselves, by arm.

    Parameters
    ----------
    child : child of each event, one row an event
    kinds : name of the kind -> which events belong to it, a boolean for each event
    arm : arm by child; events of other children are left out

    Returns
    -------
    DataFrame `item arm n N events`: of N children n had at least one event; `events` counts each event.

    Examples
    --------
    >>> arm = pd.Series({"a": "Placebo", "b": "hUC-MSC"})
    >>> events(pd.Series(["b", "b"]), {"any": [True, True]}, arm)[["n", "N", "events"]].values.tolist()
    [[0, 1, 0], [1, 1, 2]]
    """
    of = child.map(arm)
    parts = []
    for item, chosen in kinds.items():
        chosen = np.asarray(chosen, bool)
        part = children(item, child[chosen], arm)
        parts.append(part.assign(events=[int((chosen & (of == name)).sum()) for name in part["arm"]]))
    return pd.concat(parts, ignore_index=True)


def disposition(child: pd.Series, status: pd.Series, reason: pd.Series, arm: pd.Series) -> pd.DataFrame:
    """How a trial ended for its children: completed, left, still followed, and each reason for leaving by alphabet.

    Parameters
    ----------
    child, status, reason : one row a child: identifier, how it ended ("completed", "left" or "ongoing"), why they left
        (None or NaN: they did not, or not recorded)
    arm : arm by child

    Returns
    -------
    DataFrame `item arm n N`, items "completed", "left", "ongoing" where there are any, then the reasons.
    """
    ends = ["completed", "left"] + ["ongoing"] * bool((status == "ongoing").any())
    parts = [children(end, child[status == end], arm) for end in ends]
    parts += [children(why, child[reason == why], arm) for why in sorted(reason.dropna().unique())]
    return pd.concat(parts, ignore_index=True)
