"""What a trial's own data say of assumptions that a design rests on: noise, drop-out, the course of the controls."""

import numpy as np
import pandas as pd

from helpers.estimators import proportions, survival
from helpers.study.protocol import ARMS, VISITS


def noise(adlb: pd.DataFrame) -> dict[str, float]:
    """SD of log UPCR from visit to visit within a child, from the differences of neighbouring visits, pooled.

    Returns `sd` (log units: root of half the mean squared difference; NaN without a pair), `pairs`, `children`.
    Whatever a treatment does slowly adds little to it; what changes from one visit to the next is noise and wander.
    """
    rows = adlb[(adlb["PARAMCD"] == "PROTCRT") & (adlb["ANL01FL"] == "Y") & (adlb["AVAL"] > 0)]
    order = {visit.name: k for k, visit in enumerate(VISITS)}
    rows = rows.assign(place=rows["AVISIT"].map(order), log=np.log(rows["AVAL"].astype(float)))
    rows = (
        rows.dropna(subset=["place"]).drop_duplicates(["USUBJID", "place"]).sort_values(["USUBJID", "place"])
    )
    by_child = rows.groupby("USUBJID")
    step = by_child["log"].diff().where(by_child["place"].diff() == 1).dropna()
    children = rows.loc[step.index, "USUBJID"].nunique()
    sd = float(np.sqrt((step**2).mean() / 2)) if len(step) else np.nan
    return {"sd": sd, "pairs": float(len(step)), "children": float(children)}


def left(adsl: pd.DataFrame) -> dict[str, float]:
    """Children who left before month 12, and the share that leaves: of who is still followed nobody knows yet.

    Returns `n` (left), `N`, `followed` (still), `share`, `low`, `high` (95 %). With nobody still followed the share is
    n/N with its exact interval (Clopper-Pearson); else one minus the Kaplan-Meier estimate of staying from
    randomisation on, with its log-log interval, which has none before the first child left. Whoever left before
    that day, as after a slip in a date, left on it.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-01"] * 4)
    >>> ends = days + pd.to_timedelta([30, 60, 90, 400], "D")
    >>> status = ["ONGOING", "DISCONTINUED", "ONGOING", "COMPLETED"]
    >>> adsl = pd.DataFrame({"RANDDT": days, "EOSDT": ends, "EOSSTT": status})
    >>> [round(left(adsl)[name], 3) for name in ("n", "N", "followed", "share")]
    [1, 4, 2, 0.333]
    """
    gone = adsl["EOSSTT"] == "DISCONTINUED"
    n, total, followed = int(gone.sum()), len(adsl), int((adsl["EOSSTT"] == "ONGOING").sum())
    if followed:
        days = (adsl["EOSDT"] - adsl["RANDDT"]).dt.days.clip(lower=0)
        last = survival.kaplan_meier(days, gone.astype(int)).iloc[-1]
        share, low, high = (1 - float(last[name]) for name in ("survival", "upper", "lower"))
    else:
        low, high = proportions.clopper_pearson(n, total) if total else (np.nan, np.nan)
        share = n / total if total else np.nan
    return {"n": n, "N": total, "followed": followed, "share": share, "low": float(low), "high": float(high)}


def course(adsl: pd.DataFrame, adlb: pd.DataFrame, pooled: bool) -> pd.DataFrame:
    """UPCR over its baseline by visit, geometric: of the controls, or pooled over all arms while those are unknown.

    One row a visit: `visit`, `n`, `ratio` (geometric mean), `low`, `high` (mean plus and minus one SD of the log);
    NaN without a value, limits with fewer than two.
    """
    mine = adsl["USUBJID"] if pooled else adsl.loc[adsl["TRT01P"] == ARMS[0], "USUBJID"]
    rows = adlb[
        (adlb["PARAMCD"] == "PROTCRT")
        & (adlb["ANL01FL"] == "Y")
        & adlb["USUBJID"].isin(mine)
        & (adlb["AVAL"] > 0)
        & (adlb["BASE"] > 0)
    ]
    change = np.log(rows["AVAL"].astype(float) / rows["BASE"].astype(float))
    found = []
    for visit in VISITS:
        here = change[rows["AVISIT"] == visit.name]
        mean = float(here.mean()) if len(here) else np.nan
        sd = float(here.std(ddof=1)) if len(here) > 1 else np.nan
        ratio, low, high = (float(value) for value in np.exp([mean, mean - sd, mean + sd]))
        found.append({"visit": visit.name, "n": len(here), "ratio": ratio, "low": low, "high": high})
    return pd.DataFrame(found)
