"""The published numbers that the register of parameters and the checks cite by their rows."""

import csv
from functools import cache

from helpers import ROOT

FILES = ("targets.csv", "targets-2.csv")
"""In data/reference; the second holds what was published since the first was made."""


@cache
def targets() -> dict[str, dict[str, str]]:
    """Rows of targets.csv and targets-2.csv in data/reference by id, every cell as text."""
    found: dict[str, dict[str, str]] = {}
    for name in FILES:
        with (ROOT / "data" / "reference" / name).open(encoding="utf-8") as file:
            found |= {row["id"]: row for row in csv.DictReader(file)}
    return found


def assumed(name: str) -> bool:
    """Whether a row is itself an assumption, because nothing was found; False for what is no row.

    >>> assumed("NH38a"), assumed("DF01")
    (True, False)
    """
    row = targets().get(name)
    return row is not None and (row["how"] == "ASSUMED" or row["note"].startswith("NOT FOUND"))
