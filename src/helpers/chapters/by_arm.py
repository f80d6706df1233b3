"""Tables of "label and one column an arm" from long frames: the words, never the counting.

`analysis.summaries` and its neighbours give one row an item and arm (`item arm n N ...`). A cell is a
function from that row, a dict, to what the table says.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from helpers.chapters.words import percent, rounded
from helpers.study.protocol import ARMS

Cell = Callable[[dict], object]

ORDER = f"arm order {', '.join(ARMS)}"
"""The convention under every table with a column an arm."""


def share(row: dict) -> str:
    """n of N with its percentage."""
    return percent(row["n"], row["N"])


def quartiles(digits: int) -> Cell:
    """Median (quartiles) and how many were measured."""

    def cell(row: dict) -> str:
        if not row["n"]:
            return "none measured"
        middle, low, high = (rounded(row[name], digits) for name in ("median", "q1", "q3"))
        return f"{middle} ({low} to {high}); n {row['n']}"

    return cell


def spread(digits: int, nobody: Callable[[str], str] = lambda arm: "no child") -> Cell:
    """Median (range); `nobody` says of an arm why it has no value."""

    def cell(row: dict) -> str:
        if not row["n"]:
            return nobody(row["arm"])
        middle, low, high = (rounded(row[name], digits) for name in ("median", "low", "high"))
        return f"{middle} ({low} to {high})"

    return cell


def still_followed(frame: pd.DataFrame) -> dict[str, str]:
    """The label of children who are still followed, of whom there are none once a trial has ended."""
    return {"ongoing": "Still followed"} if "ongoing" in set(frame["item"]) else {}


def table(
    frame: pd.DataFrame,
    rows: Mapping[str, tuple[str, Cell]] | Mapping[str, str],
    cells: Mapping[str, Cell] | Cell = share,
    head: str = "item",
) -> pd.DataFrame:
    """One row an item, one column an arm: or one for each of several named cells, `<arm>_<name>`.

    Parameters
    ----------
    frame : one row an item and arm, columns `item`, `arm` and those that the cells read
    rows : item -> its label, or (label, its own cell); in the order of the table
    cells : the cell of items that have none of their own; several under their names
    head : name of the column of labels

    Raises
    ------
    ValueError if an item of the frame has no label, or a label no item.
    """
    if set(rows) ^ set(frame["item"]):
        raise ValueError(f"items and labels differ: {sorted(set(rows) ^ set(frame['item']))}")
    found = {(row["item"], row["arm"]): row for row in frame.to_dict("records")}
    named = cells if isinstance(cells, Mapping) else {"": cells}
    out = []
    for item, label in rows.items():
        label, own = label if isinstance(label, tuple) else (label, None)
        told = [(own or cell)(found[item, arm]) for arm in ARMS for cell in named.values()]
        out.append([label, *told])
    return pd.DataFrame(out, columns=[head, *_columns(named)])


def headings(head: str, label: str = "", cells: Mapping[str, str] | str = "{arm}, n/N (%)") -> dict[str, str]:
    """Column -> heading of such a table; `{arm}` stands for the arm, several cells under their names."""
    named = cells if isinstance(cells, Mapping) else {"": cells}
    told = [heading.format(arm=arm) for arm in ARMS for heading in named.values()]
    return dict(zip([head, *_columns(named)], [label, *told], strict=True))


def _columns(named: Mapping[str, object]) -> list[str]:
    return [f"{arm}_{name}" if name else arm for arm in ARMS for name in named]


def sizes(frame: pd.DataFrame, column: str = "N") -> str:
    """Children in the arms, "20 v 20", from any item of a long frame."""
    return " v ".join(str(int(frame.loc[frame["arm"] == arm, column].iloc[0])) for arm in ARMS)
