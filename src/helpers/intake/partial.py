"""Partial days ("2025-03", "UN/03/2025"): taken for a day by a named rule only where nothing depends on it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.intake.log import Log
from helpers.intake.values import Days
from helpers.study import eligibility, tables
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.protocol import BASELINE, VISITS

WHY = "A day that is known in part leaves open what happened before what"
COMPUTED = ("ras_since",)
"""Days of screening from which a length of time is computed."""

ONE_MONTH = pd.Timedelta(31, "D")


def possible(frame: pd.DataFrame, found: Days) -> pd.DataFrame:
    """First and last possible day of the frame's rows where the day is known in part: columns first, last."""
    rows = frame["_row"].astype("Int64")
    both = pd.DataFrame({"first": rows.map(found.first), "last": rows.map(found.last)}, index=frame.index)
    return both[both["first"].notna() & (both["first"] < both["last"])]


def screening(frame: pd.DataFrame, partial: Mapping[str, Days], p: Parameters, log: Log) -> pd.DataFrame:
    """Table `screening` with partial days decided: criteria are asked with the first and the last possible day."""
    out = frame.copy()
    names = [c.name for c in TABLES["screening"].columns]
    for column, found in partial.items():
        days = possible(out, found)
        if column == "consent_date" or not len(days):
            continue
        here = out.loc[days.index].assign(**{c: out.loc[days.index, c] for c in names})
        answers = []
        for side in ("first", "last"):
            arrays = tables.to_arrays("screening", here.assign(**{column: days[side]}))
            answers.append(eligibility.evaluate(arrays, p))
        same = (answers[0] == answers[1]).all(axis=0) & (column not in COMPUTED)
        rule, taken = "partial day, same criteria", days["first"]
        if column == "birth_date":
            rule, taken = "partial birth", days["first"] + pd.Timedelta(14, "D")
            same &= (days["last"] - days["first"] < ONE_MONTH).to_numpy()
        _decide("screening", out, column, days, same, taken, rule, log)
    return out


def consent(frame: pd.DataFrame, partial: Mapping[str, Days], log: Log) -> pd.DataFrame:
    """Table `screening` with partial days of consent that no visit of screening tells: the first possible ones."""
    if "consent_date" not in partial:
        return frame
    out = frame.copy()
    days = possible(out, partial["consent_date"])
    days = days[out.loc[days.index, "consent_date"].isna()]
    if len(days):
        every = np.ones(len(days), bool)
        _decide("screening", out, "consent_date", days, every, days["first"], "partial consent", log)
    return out


def _decide(
    table: str,
    out: pd.DataFrame,
    column: str,
    days: pd.DataFrame,
    same: np.ndarray,
    taken: pd.Series,
    rule: str,
    log: Log,
) -> None:
    """Write the days that are taken into `out`, keep what was sent, and ask for all."""
    sent = [f"{a:%Y-%m-%d} to {b:%Y-%m-%d}" for a, b in zip(days["first"], days["last"], strict=True)]
    rows = out.loc[days.index]
    for where, name in ((same, rule), (~same, "partial day is unknown")):
        told = [text for text, one in zip(sent, where, strict=True) if one]
        log.ask(f"{table}.partial", table, rows[where], column, "a whole day", WHY, name, told)
    out.loc[days.index[same], column] = taken[same]
    shown = taken.dt.strftime("%Y-%m-%d").where(pd.Series(same, index=taken.index), None)
    unit = np.where(same, f"yyyy-mm-dd, imputed: {rule}", "unknown")
    log.keep(table, rows["_row"], column, sent, "partial day", shown, list(unit))


def infusions(frame: pd.DataFrame, partial: Mapping[str, Days], log: Log) -> pd.DataFrame:
    """Given infusions without a whole day stand on their planned day, where it may be that."""
    out = frame.copy()
    days = possible(out, partial["date"]) if "date" in partial else pd.DataFrame(columns=["first", "last"])
    lacking = out["date"].isna() & (out["given"] == "yes") & out["planned_date"].notna()
    low, high = (days[side].reindex(out.index) for side in ("first", "last"))
    plan = out["planned_date"]
    fits = lacking & (low.isna() | ((plan >= low) & (plan <= high)))
    elsewhere = lacking & ~fits
    out.loc[fits, "date"], out.loc[elsewhere, "date"] = plan[fits], low[elsewhere]
    told = [
        "nothing" if pd.isna(a) else f"{a:%Y-%m-%d} to {b:%Y-%m-%d}"
        for a, b in zip(low[lacking], high[lacking], strict=True)
    ]
    log.ask("infusions.day", "infusions", out[lacking], "date", "the day on which it was given",
            "Whether a child was treated, and since when, hangs on it", "day of an infusion", told)  # fmt: skip
    log.keep("infusions", out.loc[lacking, "_row"], "date", [None] * int(lacking.sum()), "",
             out.loc[lacking, "date"].dt.strftime("%Y-%m-%d"), "yyyy-mm-dd, imputed: day of an infusion")  # fmt: skip
    return out


def events(
    frame: pd.DataFrame,
    partial: Mapping[str, Days],
    screened: pd.DataFrame,
    infused: pd.DataFrame,
    labs: pd.DataFrame,
    log: Log,
) -> pd.DataFrame:
    """Events with partial first days decided; partial last days are unknown."""
    out = frame.copy()
    if "end_date" in partial:
        days = possible(out, partial["end_date"])
        none = np.zeros(len(days), bool)
        _decide("events", out, "end_date", days, none, days["first"], "partial event", log)
    days = possible(out, partial["start_date"]) if "start_date" in partial else pd.DataFrame()
    if not len(days):
        return out
    moments = pd.concat(
        [
            screened[["usubjid", "consent_date"]].set_axis(["usubjid", "day"], axis=1),
            infused[["usubjid", "date"]].set_axis(["usubjid", "day"], axis=1),
            labs.loc[labs["visit_no"] <= BASELINE, ["usubjid", "date"]].set_axis(["usubjid", "day"], axis=1),
        ]
    ).drop_duplicates()
    same = ~between(out.loc[days.index, "usubjid"], days, moments)
    _decide("events", out, "start_date", days, same, days["first"], "partial event", log)
    return out


def between(child: pd.Series, days: pd.DataFrame, moments: pd.DataFrame) -> np.ndarray:
    """Whether any of a child's moments (usubjid, day) lies after the first and up to the last possible day."""
    both = days.assign(usubjid=child, at=np.arange(len(days))).merge(moments, on="usubjid")
    hit = both.loc[(both["day"] > both["first"]) & (both["day"] <= both["last"]), "at"]
    out = np.zeros(len(days), bool)
    out[hit.unique()] = True
    return out


def treatments(
    frame: pd.DataFrame,
    partial: Mapping[str, Days],
    zero: pd.Series,
    randomised: pd.Series,
    log: Log,
) -> pd.DataFrame:
    """Changes of treatment with a partial day on the first possible one; zero, randomised: days by child."""
    out = frame.copy()
    days = possible(out, partial["date"]) if "date" in partial else pd.DataFrame()
    if not len(days):
        return out
    child = out.loc[days.index, "usubjid"]
    entered = child.map(randomised)
    taken = days["first"].where(~((entered > days["first"]) & (entered <= days["last"])), entered)
    targets = pd.DataFrame(
        [(one, day + pd.Timedelta(v.day, "D")) for one, day in zero.items() for v in VISITS],
        columns=["usubjid", "day"],
    )
    decides = between(child, days, targets)
    sent = [f"{a:%Y-%m-%d} to {b:%Y-%m-%d}" for a, b in zip(days["first"], days["last"], strict=True)]
    expected = np.where(decides, "a whole day: a visit lies among the possible ones", "a whole day")
    log.ask(
        "treatments.partial", "treatments", out.loc[days.index], "date", expected, WHY, "partial change", sent
    )
    out.loc[days.index, "date"] = taken
    log.keep("treatments", out.loc[days.index, "_row"], "date", sent, "partial day", taken.dt.strftime("%Y-%m-%d"),
             "yyyy-mm-dd, imputed: partial change")  # fmt: skip
    return out


def disposition(
    frame: pd.DataFrame, partial: Mapping[str, Days], seen: pd.DataFrame, log: Log
) -> pd.DataFrame:
    """Partial last contacts; seen: usubjid, day of all that is known to have happened."""
    out = frame.copy()
    days = possible(out, partial["date"]) if "date" in partial else pd.DataFrame()
    if not len(days):
        return out
    both = days.assign(usubjid=out.loc[days.index, "usubjid"], at=days.index).merge(seen, on="usubjid")
    known = both[(both["day"] >= both["first"]) & (both["day"] <= both["last"])].groupby("at")["day"].max()
    taken = known.reindex(days.index).fillna(days["first"])
    _decide("disposition", out, "date", days, np.ones(len(days), bool), taken, "partial contact", log)
    return out
