"""What our numbers are held against: the files of `data/reference/r` and `data/reference/published`.

Time to event goes in as ADTTE through `adam.events`, as in the trial's own chapters, so that a censoring flag read
the wrong way, or arms swapped, shows here too.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers import ROOT
from helpers.analysis import adam

CLOSED, ITERATIVE = 6, 4
"""Significant digits asked of a closed form, and of an iterative fit."""


@dataclass(frozen=True)
class Pair:
    """One number twice: reference and ours at full precision, how far they must agree, and why less than usual.

    required: significant digits that must agree; decimals: of a published number, as printed, else None.
    """

    method: str
    data: str
    quantity: str
    key: str
    source: str
    reference: float
    ours: float
    required: int
    reason: str = ""
    decimals: int | None = None


def table(folder: str, name: str, **options: Any) -> pd.DataFrame:
    """A file of the reference data, at full precision; `options` are `pandas.read_csv`'s."""
    path = ROOT / "data" / "reference" / folder / f"{name}.csv"
    return pd.read_csv(path, float_precision="round_trip", **options)


def adtte_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The analysis table ADTTE, parameter EVENT, of rows with arm, time, event and, where known, left and right."""
    nothing = pd.Series(np.nan, rows.index)
    right = rows.get("right", nothing).astype(float)
    return pd.DataFrame(
        {
            "USUBJID": [f"R{k:03d}" for k in range(len(rows))],
            "TRT01PN": rows["arm"].to_numpy(int),
            "PARAMCD": "EVENT",
            "ANL01FL": "Y",
            "AVAL": rows["time"].to_numpy(float),
            "CNSR": 1 - rows["event"].to_numpy(int),
            "LMONTH": rows.get("left", nothing).to_numpy(float),
            "RMONTH": right.where(np.isfinite(right)).to_numpy(float),
        }
    )


def children() -> pd.DataFrame:
    """R's made-up times to an event, as `adam.events` gives the trial's own."""
    return adam.events(adtte_of(table("r", "tte")), "EVENT")


def trial_arrays() -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """R's made-up trial: change of log-UPCR and eGFR (children, visits), baseline, arm (children), months (visits)."""
    long = table("r", "long")
    wide = {c: long.pivot(index="id", columns="visitn", values=c).to_numpy() for c in ("upcr", "chg", "egfr")}
    first = long.groupby("id").first()
    change = np.where(np.isnan(wide["upcr"]), np.nan, wide["chg"])
    month = long.groupby("visitn")["month"].first().to_numpy()
    return change, wide["egfr"], first["lbase"].to_numpy(), first["arm"].to_numpy(), month
