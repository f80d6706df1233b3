"""A delivery of 2,000 children and 300,000 laboratory rows: read, checked, queried and derived to ADaM, on one core.

The claim: under a minute and under 1 GB. Forty synthetic children are repeated under new numbers, so that the tables
are as large as asked for and as consistent as those of the base scenario.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from helpers import DATA
from helpers.analysis import adam
from helpers.intake import delivery, listing
from helpers.study import tables
from helpers.study.parameters import Parameters

CHILDREN, LAB_ROWS = 2000, 300_000
RAW = ("screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition")


def export(folder: Path) -> None:
    """Write the repeated tables; further laboratory rows are second samples of the same visits."""
    base = {name: tables.read(name, DATA / "base" / f"{name}.csv") for name in RAW}
    ids = base["randomisation"]["usubjid"].tolist()
    base["screening"] = base["screening"][base["screening"]["usubjid"].isin(ids)]
    copies = CHILDREN // len(ids)
    for name, frame in base.items():
        parts = []
        for k in range(copies):
            part = frame.assign(usubjid=frame["usubjid"] + f"-{k:03d}")
            if name == "randomisation":
                part["sequence"] += k * len(ids)
                part["block"] += k * frame["block"].max()
                part["randomisation_date"] += pd.Timedelta(0, "D")
            parts.append(part)
        out = pd.concat(parts)
        if name == "labs":
            again = out.sample(LAB_ROWS - len(out), random_state=1) if len(out) < LAB_ROWS else out.head(0)
            again = again.assign(value=again["value"] * 1.01)
            out = pd.concat([out, again])
        (folder / f"{name}.csv").write_text(tables.to_csv(out), "utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "large"
        folder.mkdir()
        export(folder)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        p = Parameters()
        begun = time.perf_counter()
        found = delivery.read(folder, None, p)
        read = time.perf_counter()
        made = adam.Adam(adam.Raw(**found.tables), p, own=True)
        rows = [len(frame) for frame in (made.adsl(), made.adlb(), made.adtte(), made.adae())]
        derived = time.perf_counter()
        told = len(listing.to_csv(found))
        listed = time.perf_counter()
    unit = 1024 if sys.platform == "linux" else 1024**2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"{rows[0]} children, {LAB_ROWS} laboratory rows sent, {len(found.queries)} queries ({told} bytes)")
    print(
        f"read, checked, queried {read - begun:.1f} s; ADaM {derived - read:.1f} s; list {listed - derived:.1f} s"
    )
    print(
        f"in all {listed - begun:.1f} s, {60 / (listed - begun):.1f} times faster than the minute that is claimed"
    )
    print(f"peak memory {peak:.0f} MB (before it {before / unit:.0f} MB), claimed: under 1000 MB")


if __name__ == "__main__":
    main()
