"""The simulated clinic and course beside the published ones, as frames: single quantities and distributions."""

import numpy as np
import pandas as pd

from helpers.design import calibration, populations, published
from helpers.design.published import CLINIC, COURSE, Quantity
from helpers.study.parameters import Parameters

CURVES = {
    CLINIC: {"upcr": "NH13", "egfr boys": "NH22", "egfr x-linked": "NH23"},
    COURSE: {row: row for row in ("NH24", "NH25", "NH26", "NH27")},
}
"""Simulated curves of each part, with the row of published numbers that holds the same distribution."""
NAMED = 6
"""Changed parameters that are named where a value lies outside, before "and others"."""


def verdict(q: Quantity, value: float | None) -> str:
    """inside or outside the published range, or beyond what the reason for being outside allows.

    "not estimable" where no simulated child fits the population.
    """
    if value is None:
        return "not estimable"
    if q.low <= value <= q.high:
        return "inside"
    return "beyond" if q.reason and not q.reason.low <= value <= q.reason.high else "outside"


def quantities(p: Parameters, part: str) -> pd.DataFrame:
    """Published quantities of a part (CLINIC or COURSE) beside the simulated ones, a row a quantity.

    Columns, all numbers in `unit`: quantity, unit, among (whom), published, low, high (the range that counts
    as inside), range (how it came about), simulated, mc_low, mc_high (95 % Monte Carlo interval), verdict, why
    (said unless inside; empty where nothing is known), bound_low, bound_high (how far out the reason lets the value
    be), bound (how that came about; NaN and empty where none is given), row (of targets.csv or targets-2.csv),
    source. NaN: not estimable.

    Examples
    --------
    As notebook 01-screening calls it:

    >>> quantities = beside_published.quantities(study.parameters, CLINIC)
    """
    found = calibration.calibrate(p)["values"]
    changed = _changed(p)
    rows = []
    for q in published.quantities():
        if q.part != part:
            continue
        value, low, high = found[q.key]
        said = verdict(q, value)
        # a study that goes beyond the bound of a reason has its changes as the only one
        reason = q.reason if said == "outside" or (said == "beyond" and not changed) else None
        target = published.targets()[q.row]
        rows.append(
            {
                "quantity": q.what,
                "unit": q.unit,
                "among": q.among,
                "published": q.value,
                "low": q.low,
                "high": q.high,
                "range": q.how,
                "simulated": value,
                "mc_low": low,
                "mc_high": high,
                "verdict": said,
                "why": reason.why if reason else (changed if said != "inside" else ""),
                "bound_low": q.reason.low if q.reason else np.nan,
                "bound_high": q.reason.high if q.reason else np.nan,
                "bound": q.reason.how if q.reason else "",
                "row": q.row,
                "source": f"{target['source']} ({target['year']})" if target["year"] else target["source"],
            }
        )
    return pd.DataFrame(rows).astype(dict.fromkeys(("simulated", "mc_low", "mc_high"), float))


def _changed(p: Parameters) -> str:
    """Which parameters behind the simulated values differ from their default, as a sentence; else empty."""
    names = calibration.changed(p)
    if not names:
        return ""
    return f"This study changes {', '.join(names[:NAMED])}{' and others' if len(names) > NAMED else ''}."


def curves(p: Parameters, part: str) -> pd.DataFrame:
    """Cumulative distributions of a part: simulated percentiles, then published points.

    Columns: curve (key of CURVES), kind (simulated or published), percentile, value (in the unit of the
    row of targets.csv; NaN: no child fits), source (that row; empty for simulated), low and high (95 %
    sampling range of a published quartile or median; NaN where none is held against the simulation).

    Examples
    --------
    As notebook 01-screening calls it:

    >>> curves = beside_published.curves(study.parameters, CLINIC)
    """
    simulated = calibration.calibrate(p)["curves"]
    ranges = {q.key: (q.low, q.high) for q in published.quantities()}
    rows = [
        (name, "simulated", float(percentile), value, "", np.nan, np.nan)
        for name in CURVES[part]
        for percentile, value in zip(populations.PERCENTILES, simulated[name], strict=True)
    ]
    for name, row in CURVES[part].items():
        for at, percentile, value in _points(row):
            rows.append(
                (name, "published", percentile, value, row, *ranges.get(f"{row} {at}", (np.nan, np.nan)))
            )
    columns = ["curve", "kind", "percentile", "value", "source", "low", "high"]
    return pd.DataFrame(rows, columns=columns).astype({"value": float})


def _points(row: str) -> list[tuple[str, float, float]]:
    """(name, percentile, value) of a published median and quartiles, or of mean and mean -+ SD of a normal."""
    value, low, high = published.middle(row)
    outer = (25.0, 75.0) if "IQR" in published.targets()[row]["statistic"] else (15.87, 84.13)
    return [("quartile 1", outer[0], low), ("median", 50.0, value), ("quartile 3", outer[1], high)]


def medians(found: pd.DataFrame) -> pd.DataFrame:
    """The middle of each curve that `curves` returns: curve, simulated (interpolated), published, source.

    Examples
    --------
    As notebook 01-screening calls it:

    >>> beside_published.medians(curves)
    """
    rows = []
    for name, part in found.groupby("curve", sort=False):
        ours, theirs = part[part["kind"] == "simulated"], part[part["kind"] == "published"]
        middle = theirs[theirs["percentile"] == 50].iloc[0]
        simulated = float(np.interp(50, ours["percentile"], ours["value"]))
        rows.append((name, simulated, middle["value"], middle["source"]))
    return pd.DataFrame(rows, columns=["curve", "simulated", "published", "source"])
