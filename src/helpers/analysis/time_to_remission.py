"""When remission comes, by arm: curves, numbers at risk, estimates and the log-rank test, from ADTTE.

Tables in, tidy frames out. Time is in months since the planned last infusion (time zero); the arms stand in the
order placebo, hUC-MSC; the children are those evaluable for the endpoint (ANL01FL). Kaplan-Meier and the log-rank
test are lifelines', called through `estimators.survival`. At risk means just before. A child is at risk of a confirmed
remission only at visits at which one could still be confirmed (`derive.confirmable`), and censored at the last.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam
from helpers.estimators import survival
from helpers.study.protocol import ARMS, VISITS

GRID = (0.0, *(v.month for v in VISITS))
"""Time zero and the target times of the visits, in months."""

ENDPOINTS = ("UPCRF", "UPCRC", "UPCRS", "HEMF", "HEMC", "HEMS")
"""PARAMCDs: first, confirmed and sustained remission of proteinuria (UPCR), then of haematuria."""

CLOCKS = ("AVAL", "ACTMONTH", "EOSMONTH", "CNFMONTH")
"""Columns of ADTTE that tell time: target times of visits; actual days; target times, censored at the end of
observation instead of at the last visit at risk; target times, dated at the confirming visit."""

OTHERWISE = (("UPCRC", "AVAL"), ("UPCRC", "CNFMONTH"), ("UPCRA", "ACTMONTH"), ("UPCRC", "EOSMONTH"))
"""Confirmed remission as planned, then dated, counted and censored otherwise: PARAMCD and clock."""


def followed(adtte: pd.DataFrame, paramcd: str, clock: str = "AVAL") -> pd.DataFrame:
    """The children whose time to one endpoint is analysed.

    Parameters
    ----------
    adtte : analysis table ADTTE
    paramcd : one of `ENDPOINTS`
    clock : one of `CLOCKS`

    Returns
    -------
    A row a child: the columns of `adam.events` (USUBJID, arm 0 or 1, time in months, event 0 or 1, left, right), and
    `early`, whether its time lay before time zero. Such a time counts as 0.

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> followed(load("base").read("adtte"), "UPCRC").groupby("arm")["early"].any().tolist()
    [False, False]
    """
    rows = adam.events(adtte, paramcd, clock)
    month = rows["time"].clip(lower=0).to_numpy(float)
    grid = np.array(GRID)
    # A CSV keeps ten digits: a time that is a visit's must not fall just behind the visit.
    nearest = grid[np.abs(month[:, None] - grid).argmin(axis=1)]
    return rows.assign(time=np.where(np.abs(month - nearest) < 1e-6, nearest, month), early=rows["time"] < 0)


def horizon(adtte: pd.DataFrame, paramcd: str) -> float:
    """Last month at which an event may begin and still be seen by the last visit; of that visit where no row tells."""
    rows = adtte.loc[adtte["PARAMCD"] == paramcd, "HORIZON"]
    found = float(rows.max()) if len(rows) else GRID[-1]
    return min(GRID, key=lambda month: abs(month - found)) if paramcd[-1] != "A" else found


def curve(adtte: pd.DataFrame, paramcd: str, clock: str = "AVAL") -> pd.DataFrame:
    """Cumulative remission by arm, 1 - Kaplan-Meier, with its pointwise 95 % log-log band.

    Parameters are those of `followed`.

    Returns
    -------
    A row an arm and distinct time, none for an arm without children: arm (name), time (months), estimate, lower,
    upper (shares; no band, NaN, where the curve is 0 or 1), n_risk (children just before), n_event, n_censor (at that
    time), n_early (of those at time zero: whose own time lay before it).

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> curve(load("base").read("adtte"), "UPCRC").groupby("arm")["n_risk"].max().to_dict()
    {'Placebo': 18, 'hUC-MSC': 18}
    """
    children, parts = followed(adtte, paramcd, clock), []
    for k, arm in enumerate(ARMS):
        part = children[children["arm"] == k]
        km = survival.kaplan_meier(part["time"], part["event"])
        steps = pd.DataFrame({"arm": arm, "time": km["time"], "estimate": 1 - km["survival"]})
        # survival's upper limit is the lower one of its complement
        steps["lower"], steps["upper"] = 1 - km["upper"], 1 - km["lower"]
        steps[["n_risk", "n_event", "n_censor"]] = km[["n_risk", "n_event", "n_censor"]]
        steps["n_early"] = np.where(km["time"] == 0, part["early"].sum(), 0)
        parts.append(steps)
    # pandas warns of empty frames in a concatenation
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def at_times(steps: pd.DataFrame, months: Sequence[float] | NDArray) -> pd.DataFrame:
    """One arm's curve read at some times.

    Parameters
    ----------
    steps : rows of `curve` of one arm, at least one
    months : (k,) times in months

    Returns
    -------
    A row a time: estimate, lower, upper (shares). Before the first step nobody has remitted, and there is no band.
    Behind the last step it stays flat: whether that is an estimate is the caller's question.
    """
    step = np.searchsorted(steps["time"].to_numpy(float), np.asarray(months, float), side="right") - 1
    columns = steps[["estimate", "lower", "upper"]].to_numpy(float)
    begun = (step >= 0)[:, None]
    return pd.DataFrame(
        np.where(begun, columns[step], [0.0, np.nan, np.nan]), columns=["estimate", "lower", "upper"]
    )


def at_risk(adtte: pd.DataFrame, paramcd: str, clock: str = "AVAL") -> pd.DataFrame:
    """Children at risk, remitted and censored by time zero and the visits, by arm.

    Parameters are those of `followed`.

    Returns
    -------
    A row an arm and time of `GRID`, none for an arm without children; a last row at the next whole month where somebody
    was seen behind the last visit: arm (name), time (months), at_risk (children just before), events, censored (so far,
    that time included).

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> found = at_risk(load("base").read("adtte"), "UPCRC")
    >>> bool((found["at_risk"] + found["events"] + found["censored"] >= 18).all())
    True
    """
    children, parts = followed(adtte, paramcd, clock), []
    latest = children["time"].max() if len(children) else 0.0
    grid = GRID if latest <= GRID[-1] else (*GRID, float(np.ceil(latest)))
    for k, arm in enumerate(ARMS):
        part = children[children["arm"] == k]
        if len(part):
            counts = survival.at_risk_table(part["time"], part["event"], grid)
            parts.append(counts.assign(arm=arm))
    columns = {"arm": "arm", "time": "time", "n_risk": "at_risk", "n_event": "events", "n_censor": "censored"}
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))
    return found[list(columns)].rename(columns=columns)


def estimates(
    adtte: pd.DataFrame, paramcds: Sequence[str] = ENDPOINTS, clocks: Sequence[str] = ("AVAL",)
) -> pd.DataFrame:
    """Children who remitted, median time and where the curve ends, by endpoint, time scale and arm.

    Parameters
    ----------
    adtte : analysis table ADTTE
    paramcds, clocks : some of `ENDPOINTS` and `CLOCKS`; each clock is asked of each endpoint

    Returns
    -------
    A row an endpoint, time scale and arm: paramcd, clock, arm (name), n (remitted), N (children), median with
    median_lower and median_upper (months; where the log-log band crosses one half; NaN = not reached), month12 with
    month12_lower and month12_upper (cumulative remission at the last visit, %, log-log), last (month in which the last
    child was seen), final (cumulative remission then, %), horizon (month behind which none can begin), note (why
    nothing can be estimated, else empty). `month12` counts what began by the horizon and was confirmed or held by the
    last visit. It is NaN where the last child was at risk before `horizon` without remission, or nobody was seen by
    then.

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> found = estimates(load("base").read("adtte"), ["UPCRC"])
    >>> found[["paramcd", "arm", "N"]].values.tolist()
    [['UPCRC', 'Placebo', 18], ['UPCRC', 'hUC-MSC', 18]]
    """
    rows = []
    for paramcd in paramcds:
        for clock in clocks:
            children, curves = followed(adtte, paramcd, clock), curve(adtte, paramcd, clock)
            for k, arm in enumerate(ARMS):
                part, steps = children[children["arm"] == k], curves[curves["arm"] == arm]
                median = survival.median(part["time"], part["event"])
                rows.append(
                    {
                        "paramcd": paramcd, "clock": clock, "arm": arm,
                        "n": int(part["event"].sum()), "N": len(part),
                        "median": median.estimate, "median_lower": median.lower, "median_upper": median.upper,
                        **_by_the_last_visit(steps, horizon(adtte, paramcd)),
                        "last": steps["time"].max(),
                        "final": 100 * steps["estimate"].max(),
                        "horizon": horizon(adtte, paramcd),
                        "note": _nothing_seen(steps),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def otherwise(adtte: pd.DataFrame) -> pd.DataFrame:
    """`estimates` of confirmed remission under each pair of `OTHERWISE`.

    Examples
    --------
    As notebook 07-time-to-remission calls it:

    >>> sensitivity = time_to_remission.otherwise(adtte)
    """
    return pd.concat([estimates(adtte, [code], [clock]) for code, clock in OTHERWISE], ignore_index=True)


def logrank(adtte: pd.DataFrame, paramcd: str = "UPCRC") -> pd.DataFrame:
    """Log-rank test of two arms, unstratified and two-sided, on visits at their target times.

    Returns
    -------
    A row an arm: arm (name), children, observed (remissions), expected (were the arms alike), and of the comparison, in
    the first row, statistic (chi-squared, 1 df) and p; note (why there is no test, else empty).

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> found = logrank(load("base").read("adtte"))
    >>> bool(abs(found["observed"].sum() - found["expected"].sum()) < 1e-9)
    True
    """
    rows = followed(adtte, paramcd)
    test = survival.logrank(rows["time"], rows["event"], rows["arm"])
    return pd.DataFrame(
        {
            "arm": ARMS,
            "children": [int((rows["arm"] == k).sum()) for k in (0, 1)],
            "observed": [int(rows.loc[rows["arm"] == k, "event"].sum()) for k in (0, 1)],
            "expected": test.expected,
            "statistic": [test.statistic, np.nan],
            "p": [test.p, np.nan],
            "note": test.message,
        }
    )


def _nothing_seen(steps: pd.DataFrame) -> str:
    if steps.empty:
        return "no evaluable child"
    if (steps["time"] == 0).all() and not steps["n_event"].any():
        return "nobody at risk after time zero"
    return ""


def _by_the_last_visit(steps: pd.DataFrame, horizon: float) -> dict[str, float]:
    """Cumulative remission (%) by the last visit with its interval; NaN where it isn't estimable.

    The curve must reach the month behind which nothing can begin.
    """
    names = ("month12", "month12_lower", "month12_upper")
    at, seen = GRID[-1], (steps["time"] <= GRID[-1]).any()
    open_end = seen and steps["time"].max() < horizon - 1e-9 and steps["estimate"].max() < 1
    if _nothing_seen(steps) or not seen or open_end:
        return dict.fromkeys(names, np.nan)
    return dict(zip(names, (100 * at_times(steps, [at])).iloc[0], strict=True))
