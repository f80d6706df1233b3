"""Time to remission, continued: what visits hide, and how far the arms lie apart in time, from ADTTE.

A remission found at a visit began after the last attended visit without it: the interval-censored estimate uses
that and nothing more. Time is in months since the planned last infusion.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers.analysis import adam
from helpers.analysis.time_to_remission import GRID, at_times, curve, followed, horizon
from helpers.estimators import discrete_time, interval_censored, survival
from helpers.study.protocol import ARMS, VISITS

RESAMPLES = 500
"""Bootstrap resamples of each arm: the standard deviation that they give then has a Monte Carlo SE of 3.2 %."""


def interval_curve(adtte: pd.DataFrame, paramcd: str, seed: int, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Cumulative remission at the visits by the interval-censored NPMLE, beside Kaplan-Meier.

    Parameters
    ----------
    adtte : analysis table ADTTE
    paramcd : one of `time_to_remission.ENDPOINTS`
    seed : of the bootstrap; each endpoint and arm has its own stream of it
    resamples : number of bootstrap resamples of an arm's children

    Returns
    -------
    A row an arm and visit, up to the last at which the event may begin (`time_to_remission.horizon`):
    arm (name), time (months), visit (name), n (children with an interval), estimate, lower, upper (shares; Wilson's
    limits with the effective number of children that the resamples give), kaplan_meier (share, NaN without children),
    resamples, spread_se (Monte Carlo SE of the resamples' SD, percent of it), note (what the estimator reports, or why
    it has nothing, else empty). Intervals that can't be are no error: NaN, and the note says so.

    Source: Turnbull (1976), JRSS B 38:290-295.

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> found = interval_curve(load("base").read("adtte"), "UPCRC", seed=1, resamples=20)
    >>> bool((found["lower"].fillna(0) <= found["estimate"]).all())
    True
    """
    rows, curves = adam.events(adtte, paramcd), curve(adtte, paramcd)
    # The first interval opens at the first infusion, before time zero.
    shift = max(0.0, -float(rows["left"].min())) if len(rows) else 0.0
    spread_se = 100 / np.sqrt(2 * max(resamples - 1, 1))
    last = horizon(adtte, paramcd)
    grid = np.array([month for month in GRID[1:] if month <= max(last, GRID[1])])
    names, parts = [v.name for v in VISITS][: len(grid)], []
    for k, arm in enumerate(ARMS):
        part, steps = rows[rows["arm"] == k].dropna(subset="left"), curves[curves["arm"] == arm]
        # the stream's name is part of the published band
        stream = zlib.crc32(f"npmle {paramcd} {arm}".encode())
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
        found = pd.DataFrame({"arm": arm, "time": grid, "visit": names, "n": len(part)})
        try:
            fit = interval_censored.npmle_bootstrap(
                part["left"] + shift, part["right"] + shift, grid + shift, resamples, rng
            )
            # survival's upper limit is the lower one of its complement
            found["estimate"], found["lower"], found["upper"] = (
                1 - fit[column] for column in ("estimate", "upper", "lower")
            )
            note = fit.attrs["message"]
        except ValueError as problem:
            found[["estimate", "lower", "upper"]] = np.nan
            note = f"intervals can't be used: {problem}"
        found["kaplan_meier"] = at_times(steps, grid)["estimate"] if len(steps) else np.nan
        parts.append(found.assign(resamples=resamples, spread_se=spread_se, note=note))
    return pd.concat(parts, ignore_index=True)


def contrasts(adtte: pd.DataFrame, paramcds: Sequence[str] = ("UPCRC", "UPCRF", "UPCRS")) -> pd.DataFrame:
    """hUC-MSC against placebo in time, on visits at their target times.

    Returns
    -------
    A row an endpoint and quantity: paramcd, quantity, horizon (month up to which it goes: the last at
    which the event may begin and still be seen), placebo_N, msc_N (children), estimate, lower, upper (95 %), note (why
    one of them is missing, else empty). The quantities are

    - month12_difference: cumulative remission by the last visit, which is that at the horizon, hUC-MSC - placebo,
      percentage points; each arm's log-log limits combined by square-and-add (MOVER)
    - rmst_difference: mean time without remission up to the horizon, hUC-MSC - placebo, months; Greenwood's
      variance, normal interval
    - hazard_ratio: hUC-MSC / placebo; complementary log-log regression on arm and log month, Firth's penalty, profile
      interval (an open end is infinite)

    Sources: see `survival.cumulative_difference`, `survival.rmst_difference`, `discrete_time.discrete_hazard_ratio`.

    Examples
    --------
    >>> from helpers.study.scenario import load
    >>> contrasts(load("base").read("adtte"), ["UPCRC"])["quantity"].tolist()
    ['month12_difference', 'rmst_difference', 'hazard_ratio']
    """
    rows = []
    for paramcd in paramcds:
        children = followed(adtte, paramcd)
        time, event, arm = (children[column].to_numpy() for column in ("time", "event", "arm"))
        end = horizon(adtte, paramcd)
        share = mean = survival.Estimate(message="no visit from which it could be seen by the last one")
        if end > 0:
            share = survival.cumulative_difference(time, event, arm, end, method="log-log")
            mean = survival.rmst_difference(time, event, arm, end)
        ratio = _hazard_ratio(time, event, arm)
        for quantity, estimate, lower, upper, note in (
            (
                "month12_difference",
                *(100 * v for v in (share.estimate, share.lower, share.upper)),
                share.message,
            ),
            ("rmst_difference", mean.estimate, mean.lower, mean.upper, mean.message),
            ("hazard_ratio", ratio.ratio, ratio.lower, ratio.upper, ratio.message),
        ):
            rows.append(
                {
                    "paramcd": paramcd, "quantity": quantity, "horizon": end,
                    "placebo_N": int((arm == 0).sum()), "msc_N": int((arm == 1).sum()),
                    "estimate": estimate, "lower": lower, "upper": upper, "note": note,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _hazard_ratio(time: np.ndarray, event: np.ndarray, arm: np.ndarray) -> discrete_time.HazardRatio:
    if not np.isin(time, GRID).all():
        return discrete_time.HazardRatio(message="times that are no visit's: no discrete-time model")
    table = discrete_time.person_period(time, event, arm, np.array(GRID[1:]))
    return discrete_time.discrete_hazard_ratio(table["y"], table["arm"], np.log(table["time"]))
