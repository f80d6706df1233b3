"""A small clean export for tests of intake: five randomised children of the base scenario and four who were not."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from helpers import DATA
from helpers.intake import delivery
from helpers.study import tables

RAW = ("screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition")
RANDOMISED = ("AS-0006", "AS-0010", "AS-0017", "AS-0024", "AS-0072")
OTHERS = ("AS-0002", "AS-0003", "AS-0004", "AS-0005")

Change = Callable[[dict[str, pd.DataFrame]], None]


def clean() -> dict[str, pd.DataFrame]:
    """The tables; a change may be made in place."""
    made = {name: tables.read(name, DATA / "base" / f"{name}.csv") for name in RAW}
    for name, frame in made.items():
        ids = RANDOMISED + (OTHERS if name == "screening" else ())
        made[name] = frame[frame["usubjid"].isin(ids)].reset_index(drop=True)
    list_ = made["randomisation"]
    list_["sequence"], list_["block"] = range(1, len(list_) + 1), 1.0
    list_["arm"] = ["Placebo", "hUC-MSC", "Placebo", "hUC-MSC", "Placebo"]
    arm = list_.set_index("usubjid")["arm"]
    given = made["infusions"]["date"].notna()
    made["infusions"]["product"] = made["infusions"]["usubjid"].map(arm).where(given, None)
    made["infusions"]["cells"] = made["infusions"]["product"].map({"Placebo": 0.0, "hUC-MSC": 5e7})
    return made


_CLEAN: dict[str, pd.DataFrame] = {}


def tables_of() -> dict[str, pd.DataFrame]:
    if not _CLEAN:
        _CLEAN.update(clean())
    return {name: frame.copy() for name, frame in _CLEAN.items()}


def write(
    folder: Path, change: Change | None = None, text: dict[str, Callable[[str], str]] | None = None
) -> Path:
    """Write the tables as in the codebook, after a change of the frames, and of the files' text."""
    made = tables_of()
    if change:
        change(made)
    place = folder / "export"
    place.mkdir(parents=True, exist_ok=True)
    for name, frame in made.items():
        content = tables.to_csv(frame)
        (place / f"{name}.csv").write_text((text or {}).get(name, lambda t: t)(content), "utf-8")
    return place


def read(
    folder: Path,
    change: Change | None = None,
    text: dict[str, Callable[[str], str]] | None = None,
    mapping: str = "unblinded: 2030-01-01\nextracted: 2029-12-31\n",
) -> delivery.Delivery:
    """What intake makes of them; unblinded unless the mapping says otherwise."""
    place = write(folder, change, text)
    file = folder / "site.yaml"
    file.write_text(mapping, "utf-8")
    return delivery.read(place, file)
