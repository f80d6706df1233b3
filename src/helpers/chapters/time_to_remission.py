"""Chapter 07: when remission comes, by arm.

Kaplan-Meier and the log-rank test by lifelines (through `analysis.survival`). The log-rank test of confirmed
UPCR remission is supportive; everything else is estimates with intervals.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import NOT_ESTIMABLE, capital, percent, pvalue_text, rounded
from helpers.estimators import survival
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS

GRID = (0.0, *(v.month for v in VISITS))
"""Times of the at-risk table: time zero and the visits' target times, in months."""

ENDPOINTS = {
    "UPCRF": ("first", "first remission of proteinuria (UPCR)"),
    "UPCRC": ("confirmed", "confirmed remission of proteinuria (UPCR)"),
    "UPCRS": ("sustained", "sustained remission of proteinuria (UPCR)"),
    "HEMF": ("haematuria_first", "first remission of haematuria"),
    "HEMC": ("haematuria_confirmed", "confirmed remission of haematuria"),
    "HEMS": ("haematuria_sustained", "sustained remission of haematuria"),
}
"""PARAMCD: (key of its results, in words)."""

CLOCKS = {
    "AVAL": ("", "visits at their target time, censored at the last assessment"),
    "ACTMONTH": ("actual_", "actual days, censored at the last assessment"),
    "EOSMONTH": ("end_", "visits at their target time, censored at the end of observation"),
}
"""Column of ADTTE: (prefix of result keys, in words)."""


class Curve(NamedTuple):
    figure: Exhibit
    table: Exhibit
    said: dict[str, Result | str]


class Tested(NamedTuple):
    table: Exhibit
    said: dict[str, Result | str]


def curve(adtte: pd.DataFrame, code: str, time: str = "AVAL") -> Curve:
    """Cumulative remission by arm (1 - Kaplan-Meier) with its band, and the at-risk table as data.

    code: a key of `ENDPOINTS`; time: a key of `CLOCKS`.
    """
    rows, early = followed(adtte, code, time)
    prefix, clock = CLOCKS[time]
    key, words = ENDPOINTS[code]
    steps, risk = [], []
    latest = rows["time"].max() if len(rows) else 0.0
    grid = list(GRID) if latest <= GRID[-1] else [*GRID, float(np.ceil(latest))]
    for k, arm in enumerate(ARMS):
        part = rows[rows["arm"] == k]
        km = survival.kaplan_meier(part["time"], part["event"])
        step = pd.DataFrame({"arm": arm, "time": km["time"], "estimate": 1 - km["survival"]})
        step["lower"], step["upper"] = 1 - km["upper"], 1 - km["lower"]
        steps.append(step.join(km[["n_risk", "n_event", "n_censor"]]))
        if len(part):
            counts = survival.at_risk_table(part["time"], part["event"], grid)
            risk.append(counts.assign(arm=arm))
    columns = ["arm", "time", "n_risk", "n_event", "n_censor"]
    risk = pd.concat(risk)[columns] if risk else pd.DataFrame(columns=columns)
    risk = risk.rename(columns={"n_risk": "at_risk", "n_event": "events", "n_censor": "censored"})
    steps = pd.concat([s for s in steps if len(s)] or steps[:1], ignore_index=True)
    counts = [rows[rows["arm"] == k] for k in (0, 1)]
    said = {}
    for arm, part in zip(ARMS, counts, strict=True):
        n = int(part["event"].sum())
        said[ARM_KEY[arm]] = Result(f"ttr.{prefix}{key}.events.{ARM_KEY[arm]}", n, text=percent(n, len(part)))
    said["words"] = " ".join(_remarks(counts, words))
    evaluable = "haematuria (HEMFL)" if code.startswith("HEM") else "proteinuria (UPCRFL)"
    note = f" {early} times before time zero count as 0." if early else ""
    common = {
        "population": f"all randomised evaluable for {evaluable}",
        "n": " v ".join(str(len(part)) for part in counts) + " children",
    }
    method = f"Kaplan-Meier (lifelines), 95 % band log-log, pointwise; {clock}; source ADTTE ({code}, {time})"
    shares = "; ".join(f"{arm} {said[ARM_KEY[arm]]}" for arm in ARMS)
    figure = Exhibit(
        f"ttr-{prefix.replace('_', '-')}{key.replace('_', '-')}",
        f"Time to {words}" + ("" if time == "AVAL" else f": {clock.split(',')[-1 if prefix == 'end_' else 0].strip()}"),
        steps,
        method=method,
        conventions=[
            "arm order placebo, hUC-MSC", "at risk means just before t", "no band where the curve is 0 or 100 %",
            "a confirmed or sustained remission is dated at its first visit",
        ],
        caption=f"{said['words']}{note} Remission found at a visit came at some time since the visit before.".strip(),
        alt=f"Cumulative {words} by arm. Remitted: {shares}. {said['words']}".strip(),
        figure=figures.cumulative_remission(steps, risk, grid=GRID[1:], label=f"Cumulative {words}"),
        results=[r for r in said.values() if isinstance(r, Result)],
        **common,
    )  # fmt: skip
    return Curve(figure, _risk_exhibit(figure, risk, grid, method, common), said)


def estimates(adtte: pd.DataFrame, codes=tuple(ENDPOINTS), clocks=("AVAL",)) -> Tested:
    """Remitted, median time and cumulative remission at month 12 for endpoints and time scales, by arm."""
    data, said = [], {}
    for code in codes:
        for clock in clocks:
            rows, _ = followed(adtte, code, clock)
            prefix, how = CLOCKS[clock]
            key, words = ENDPOINTS[code]
            short = f"{prefix}{key}"
            for k, arm in enumerate(ARMS):
                part, name = rows[rows["arm"] == k], ARM_KEY[arm]
                median, text = _median(part)
                (share, low, high), share_text = _cumulative(part, GRID[-1])
                n = int(part["event"].sum())
                data.append(
                    {
                        "endpoint": capital(words), "clock": capital(how), "arm": arm, "n": n, "N": len(part),
                        "median": median.estimate, "median_lower": median.lower, "median_upper": median.upper,
                        "month12": share, "month12_lower": low, "month12_upper": high,
                        "count_text": percent(n, len(part)), "median_text": text, "month12_text": share_text,
                    }
                )  # fmt: skip
                said[f"{short}_{name}"] = Result(
                    f"ttr.{short}.median.{name}", median.estimate, "months", 1, text
                )
                said[f"{short}_month12_{name}"] = Result(
                    f"ttr.{short}.month12.{name}", share, "%", 1, share_text
                )
    columns = {"endpoint": "Time to"} | ({"clock": "Time scale and censoring"} if len(clocks) > 1 else {})
    columns |= {"arm": "Arm", "count_text": "Remitted n/N", "median_text": "Median (95 % interval)"}
    columns["month12_text"] = f"Remitted by {LAST.lower()} (95 % interval)"
    exhibit = Exhibit(
        "ttr-estimates" if len(clocks) == 1 else "ttr-sensitivity",
        "Time to remission: medians and cumulative remission"
        + ("" if len(clocks) == 1 else " under three ways to count time and to censor"),
        pd.DataFrame(data),
        columns=columns,
        units={"median_text": "months", "month12_text": "%"},
        population="all randomised evaluable for the endpoint, N in the table",
        n=f"{adtte['USUBJID'].nunique()} randomised",
        method="Kaplan-Meier (lifelines); limits of a median where the log-log band crosses one half; "
        "no p-values; source ADTTE",
        conventions=[
            "arm order placebo, hUC-MSC", "a plateau's median is its midpoint",
            "not reached: half of the arm is not estimated to remit in follow-up",
            "Kaplan-Meier lets children who left remit like those who stayed",
        ],
        results=list(said.values()),
    )  # fmt: skip
    return Tested(exhibit, said)


def logrank(adtte: pd.DataFrame) -> Tested:
    """Log-rank test of time to confirmed UPCR remission: supportive, the only test of this chapter."""
    rows, _ = followed(adtte, "UPCRC", "AVAL")
    test = survival.logrank(rows["time"], rows["event"], rows["arm"])
    text = pvalue_text(test.p) + ("" if np.isfinite(test.p) else f" ({test.message})")
    said = {
        "p": Result("ttr.confirmed.logrank.p", test.p, digits=3, text=text),
        "statistic": Result("ttr.confirmed.logrank.statistic", test.statistic, digits=2),
    }
    data = pd.DataFrame(
        {
            "arm": ARMS,
            "children": [int((rows["arm"] == k).sum()) for k in (0, 1)],
            "observed": [int(rows.loc[rows["arm"] == k, "event"].sum()) for k in (0, 1)],
            "expected": list(test.expected),
            "statistic": [test.statistic, np.nan],
            "p": [test.p, np.nan],
        }
    )
    shown = data.assign(
        expected_text=[rounded(v, 2) for v in test.expected],
        statistic_text=[rounded(test.statistic, 2), ""],
        p_text=[text, ""],
    )
    exhibit = Exhibit(
        "ttr-logrank",
        "Log-rank test of time to confirmed remission of proteinuria (supportive)",
        shown,
        columns={
            "arm": "Arm", "children": "Children", "observed": "Remissions seen",
            "expected_text": "Expected if the arms were alike", "statistic_text": "Chi-squared, 1 df",
            "p_text": "p (supportive)",
        },
        population="all randomised evaluable for proteinuria (UPCRFL)",
        n=" v ".join(str(n) for n in data["children"]) + " children",
        method=f"log-rank test, unstratified, two-sided (lifelines); {CLOCKS['AVAL'][1]}; source ADTTE (UPCRC)",
        conventions=["arm order placebo, hUC-MSC", "supportive: decides nothing"],
        caption="" if np.isfinite(test.p) else f"Not estimable: {test.message}.",
        results=list(said.values()),
    )  # fmt: skip
    return Tested(exhibit, said)


def followed(adtte, code, time):
    """Children to analyse, and how many actual times lay before time zero (they count as 0)."""
    rows = adam.events(adtte, code, time)
    early = int((rows["time"] < 0).sum())
    month = rows["time"].clip(lower=0).to_numpy(float)
    grid = np.array(GRID)
    # A CSV keeps ten digits: a time that is a visit's must not fall just behind the visit.
    nearest = grid[np.abs(month[:, None] - grid).argmin(axis=1)]
    return rows.assign(time=np.where(np.abs(month - nearest) < 1e-6, nearest, month)), early


def _risk_exhibit(figure, risk, grid, method, common) -> Exhibit:
    names = {0.0: "Time zero"} | {v.month: v.name for v in VISITS}
    wide = pd.DataFrame({"visit": [names.get(t, "End") for t in grid], "time": grid})
    columns = {"visit": "Visit", "time": "Month"}
    for arm in ARMS:
        part = risk[risk["arm"] == arm].set_index("time").reindex(grid)
        for column, words in (
            ("at_risk", "at risk"),
            ("events", "remitted so far"),
            ("censored", "censored so far"),
        ):
            name = f"{ARM_KEY[arm]}_{column}"
            wide[name], columns[name] = part[column].to_numpy(float), f"{arm} {words}"
    return Exhibit(
        f"{figure.key}-risk", f"{figure.title}: children at risk", wide, columns=columns, digits={"time": 1},
        method=method.replace(", 95 % band log-log, pointwise", ""),
        conventions=["arm order placebo, hUC-MSC", "at risk means just before t", "counts so far include t"],
        caption="" if len(risk) else "No child can be followed: nobody is evaluable.", missing="no child", **common,
    )  # fmt: skip


def _remarks(counts, words) -> list[str]:
    """What makes a curve empty, flat or useless, in words."""
    out = []
    for arm, part in zip(ARMS, counts, strict=True):
        if part.empty:
            out.append(f"{arm}: no evaluable child, no curve.")
        elif (part["time"] == 0).all() and not part["event"].any():
            out.append(f"{arm}: no assessment after time zero.")
        elif not part["event"].any():
            out.append(f"{arm}: no {words} was seen.")
        elif part["event"].all() and part["time"].nunique() == 1:
            out.append(
                f"{arm}: every child remitted at {rounded(part['time'].iloc[0], 1)} months, no band exists."
            )
        if len(part) == 1:
            out.append(f"{arm}: a single child.")
    return out


def _median(part):
    """Median with its interval, and both in words."""
    found = survival.median(part["time"], part["event"])
    if part.empty:
        return found, f"{NOT_ESTIMABLE}: no evaluable child"
    if (part["time"] == 0).all() and not part["event"].any():
        return found, f"{NOT_ESTIMABLE}: no assessment after time zero"
    if np.isnan(found.estimate):
        lower = f" ({rounded(found.lower, 1)} to not reached)" if np.isfinite(found.lower) else ""
        return found, f"not reached{lower}"
    ended = survival.kaplan_meier(part["time"], part["event"])["survival"].iloc[-1] == 0
    ends = [
        rounded(v, 1) if np.isfinite(v) else NOT_ESTIMABLE if ended else "not reached"
        for v in (found.lower, found.upper)
    ]
    both = "interval not estimable" if ends == [NOT_ESTIMABLE] * 2 else " to ".join(ends)
    return found, f"{rounded(found.estimate, 1)} ({both})"


def _cumulative(part, at):
    """Cumulative remission (%) at one time with its log-log interval, and in words."""
    nothing = (np.nan,) * 3
    if part.empty:
        return nothing, f"{NOT_ESTIMABLE}: no evaluable child"
    if (part["time"] == 0).all() and not part["event"].any():
        return nothing, f"{NOT_ESTIMABLE}: no assessment after time zero"
    km = survival.kaplan_meier(part["time"], part["event"])
    last, survivors = km["time"].iloc[-1], km["survival"].iloc[-1]
    if last < at and survivors > 0:
        return nothing, f"{NOT_ESTIMABLE}: last child seen at {rounded(last, 1)} months"
    row = km[km["time"] <= at]
    if row.empty:
        return nothing, f"{NOT_ESTIMABLE}: no time up to month 12"
    share, low, high = (100 * (1 - row[c].iloc[-1]) for c in ("survival", "upper", "lower"))
    words = f"({rounded(low, 1)} to {rounded(high, 1)})" if np.isfinite(low) else "(interval not estimable)"
    return (share, low, high), f"{rounded(share, 1)} {words}"
