"""Chapter 07: when remission comes, by arm.

The log-rank test of confirmed UPCR remission is supportive and the only test; everything else is estimates with
intervals. Frames come from `analysis.time_to_remission` and `analysis.between_visits`.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis.time_to_remission import GRID
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.remission import confirmation
from helpers.chapters.words import (
    NOT_ESTIMABLE,
    VALIDATED,
    capital,
    counted,
    limit_text,
    percent,
    pvalue_text,
    rounded,
    until,
    visit_of,
)
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS

ARM_ORDER = "arm order placebo, hUC-MSC"


ENDPOINTS = {
    "UPCRF": ("first", "first remission of proteinuria (UPCR)"),
    "UPCRC": ("confirmed", "confirmed remission of proteinuria (UPCR)"),
    "UPCRA": ("confirmed", "confirmed remission of proteinuria (UPCR)"),
    "UPCRS": ("sustained", "sustained remission of proteinuria (UPCR)"),
    "HEMF": ("haematuria_first", "first remission of haematuria"),
    "HEMC": ("haematuria_confirmed", "confirmed remission of haematuria"),
    "HEMS": ("haematuria_sustained", "sustained remission of haematuria"),
}
"""PARAMCD: (in result keys, in words)."""

AS_PLANNED = "visits at their target time, censored at the last visit at risk"
CLOCKS = {
    "AVAL": ("", AS_PLANNED, ""),
    "ACTMONTH": (
        "actual_",
        "time and confirmation by actual days, censored at the last visit at risk",
        ": actual days",
    ),
    "EOSMONTH": (
        "end_",
        "visits at their target time, censored at the end of observation",
        ": censored at the end of observation",
    ),
    "CNFMONTH": (
        "confirming_",
        "visits at their target time, dated at the visit that confirms, censored at the last assessment",
        ": dated at the confirming visit",
    ),
}
"""Column of ADTTE: (before result keys, in words, behind a title)."""

PLANNED = ("AVAL", "ACTMONTH")
"""Clocks of the plan's risk set; the others censor later, as `CLOCKS` says of them."""

CONTRASTS = {
    "month12_difference": ("Difference in cumulative remission {until}", "percentage points", 1),
    "rmst_difference": ("Difference in mean time without remission up to {end}", "months", 2),
    "hazard_ratio": ("Discrete-time hazard ratio (description only)", "", 2),
}
"""Quantity: (in words, unit, digits shown)."""


def risk_set(paramcds: Iterable[str], p: Parameters, clocks: Iterable[str] = ("AVAL",)) -> list[str]:
    """Conventions of who is at risk of these endpoints under these clocks, and of how long a remission must hold."""
    kinds, asked = {paramcd[-1] for paramcd in paramcds}, set(clocks)
    planned = bool(asked & set(PLANNED))
    but = "" if asked <= set(PLANNED) else ", where the row does not say otherwise"
    out = []
    if kinds & set("CA"):
        out.append(confirmation(p))
        if planned:
            out.append(
                f"at risk of it{but}: at a visit after which it could still be confirmed; then censored at the last "
                "such"
            )
    if "A" in kinds:
        out.append("by actual days: the days between visits as they took place")
    if "S" in kinds:
        follow = f"; at risk of it where so many follow{but}" if planned else ""
        out.append(f"sustained: at every attended visit to the last, at least {p.sustained_visits}{follow}")
    return out


def curve(
    steps: pd.DataFrame, at_risk: pd.DataFrame, paramcd: str, p: Parameters, clock: str = "AVAL"
) -> Finding:
    """Cumulative remission by arm with its band, then the table at risk.

    steps, at_risk: frames of `time_to_remission.curve` and `.at_risk` of this endpoint and clock.
    """
    (key, words), (prefix, told, title) = ENDPOINTS[paramcd], CLOCKS[clock]
    said, followed = {}, _followed(at_risk)
    for arm, name in ARM_KEY.items():
        remitted = int(at_risk.loc[at_risk["arm"] == arm, "events"].max()) if followed[arm] else 0
        text = percent(remitted, followed[arm])
        said[name] = Result(f"ttr.{prefix}{key}.events.{name}", remitted, text=text)
    said["words"] = " ".join(_remarks(steps, followed, words))
    said["end"] = _end(steps)
    early = int(steps["n_early"].sum())
    before = (
        f" {counted(early, 'time before time zero counts', 'times before time zero count')} as 0."
        if early
        else ""
    )
    method = f"{told}; source ADTTE ({paramcd}, {clock})"
    shares = "; ".join(f"{arm} {said[name]}" for arm, name in ARM_KEY.items())
    figure = Exhibit(
        f"ttr-{prefix}{key}".replace("_", "-"),
        f"Time to {words}{title}",
        steps.drop(columns="n_early"),
        method=f"Kaplan-Meier (lifelines), 95 % band log-log, pointwise; {method}",
        conventions=[
            ARM_ORDER, "at risk means just before t", "no band where the curve is 0 or 100 %",
            "a confirmed remission is dated at the visit that confirms it" if clock == "CNFMONTH"
            else "a confirmed or sustained remission is dated at its first visit",
            *risk_set([paramcd], p, [clock]),
        ],
        caption=f"{said['words']}{before} Remission found at a visit came at some time since the visit before.".strip(),
        alt=f"Cumulative {words} by arm. Remitted: {shares}. {said['words']}".strip(),
        figure=_drawn(steps, at_risk, words),
        results=[said[name] for name in ARM_KEY.values()],
        **_whose(at_risk, paramcd), folded=bool(prefix) or key.startswith("haem"),
    )  # fmt: skip
    table = _risk_table(
        at_risk,
        f"{figure.key}-risk",
        figure.title,
        f"Kaplan-Meier (lifelines); {method}",
        paramcd,
        risk_set([paramcd], p, [clock]),
    )
    return Finding((figure, table), said)


def intervals(
    found: pd.DataFrame, steps: pd.DataFrame, at_risk: pd.DataFrame, paramcd: str, p: Parameters
) -> Finding:
    """The interval-censored estimate drawn over the Kaplan-Meier curve, then both at the visits.

    found: frame of `between_visits.interval_curve`; steps, at_risk: as in `curve`.
    """
    key, words = ENDPOINTS[paramcd]
    wide = found[found["arm"] == ARMS[0]][["visit", "time"]].rename(columns={"time": "month"})
    heads, said, notes = {"visit": "Visit", "month": "Month"}, {}, []
    for arm, name in ARM_KEY.items():
        part = found[found["arm"] == arm]
        texts = [_share_text(row) for row in part.itertuples()]
        wide[f"{name}_npmle"] = texts
        wide[f"{name}_km"] = 100 * part["kaplan_meier"].to_numpy()
        heads[f"{name}_npmle"] = f"{arm}, interval-censored (95 % band)"
        heads[f"{name}_km"] = f"{arm}, Kaplan-Meier"
        last = part.iloc[-1]
        said[name] = Result(f"ttr.{key}.npmle.month12.{name}", 100 * last["estimate"], "%", 1, texts[-1])
        notes += [f"{arm}: {last['note']}."] if last["note"] else []
    said["notes"] = " ".join(notes)
    said["until"] = until(paramcd, found["time"].iloc[-1])
    common = {
        "caption": said["notes"],
        "method": "nonparametric maximum likelihood of (last attended visit without, visit with] (Turnbull); band: "
        f"pointwise, Wilson's with the effective number of children that {found['resamples'].iloc[0]} bootstrap "
        f"resamples an arm give (Monte Carlo SE of their SD {rounded(found['spread_se'].iloc[0], 1)} %); beside "
        "Kaplan-Meier; no p-values; "
        f"source ADTTE ({paramcd}, LMONTH, RMONTH)",
        "conventions": [
            ARM_ORDER, "intervals open at the left, closed at the right",
            "shown at the visits, where it is determined", *risk_set([paramcd], p),
        ],
        **_whose(at_risk, paramcd),
    }  # fmt: skip
    shares = "; ".join(f"{arm} {said[name]} %" for arm, name in ARM_KEY.items())
    figure = Exhibit(
        f"ttr-{key}-intervals".replace("_", "-"),
        f"Time to {words}: interval-censored beside Kaplan-Meier",
        found[["arm", "time", "visit", "n", "estimate", "lower", "upper"]],
        alt=f"Cumulative {words}, interval-censored estimates at the visits over the Kaplan-Meier steps. "
        f"{capital(said['until'])}: {shares}.",
        figure=_drawn(steps, at_risk, words, points=found),
        results=[said[name] for name in ARM_KEY.values()],
        **common,
    )
    table = Exhibit(
        f"{figure.key}-table",
        f"Cumulative {words} at the visits by both estimates",
        wide,
        columns=heads,
        digits={column: 1 for column in heads if column.endswith(("month", "km"))},
        units={column: "%" for column in heads if column.endswith(("npmle", "km"))},
        missing=NOT_ESTIMABLE,
        **common,
        folded=True,
    )
    return Finding((figure, table), said)


def estimates(found: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Finding:
    """Remitted, median time and the curve's end; a column tells the clock where there are several.

    found: frame of `time_to_remission.estimates`.
    """
    rows, said = [], {}
    for row in found.to_dict("records"):
        (key, words), arm = ENDPOINTS[row["paramcd"]], ARM_KEY[row["arm"]]
        prefix, told, _ = CLOCKS[row["clock"]]
        texts = {
            "count_text": percent(row["n"], row["N"]),
            "median_text": _median_text(row),
            "month12_text": _month12_text(row),
            "until": until(row["paramcd"], row["horizon"]),
        }
        rows.append({**row, "endpoint": capital(words), "clock": capital(told), **texts})
        said[f"{key}_until"] = texts["until"]
        short = f"{prefix}{key}"
        for end, name, value, unit in (
            ("", "median", row["median"], "months"),
            ("_month12", "month12", row["month12"], "%"),
        ):
            text = texts[f"{name}_text"]
            said[f"{short}{end}_{arm}"] = Result(f"ttr.{short}.{name}.{arm}", value, unit, 1, text)
    several = found["clock"].nunique() > 1
    columns = {"endpoint": "Time to"} | ({"clock": "Time scale and censoring"} if several else {})
    columns |= {"arm": "Arm", "count_text": "Remitted n/N", "median_text": "Median (95 % interval)"}
    columns |= {"until": "Remission counted", "month12_text": "Remitted by then (95 % interval)"}
    exhibit = Exhibit(
        "ttr-sensitivity" if several else "ttr-estimates",
        "Time to remission: medians and cumulative remission"
        + (" under other ways to date, to count time and to censor" if several else ""),
        pd.DataFrame(rows)[
            ["endpoint", "clock", "arm", "n", "N", "median", "median_lower", "median_upper",
             "month12", "month12_lower", "month12_upper", "count_text", "median_text", "until", "month12_text"]
        ],
        columns=columns,
        units={"median_text": "months", "month12_text": "%"},
        population="all randomised evaluable for the endpoint, N in the table",
        n=f"{adtte['USUBJID'].nunique()} randomised",
        method="Kaplan-Meier (lifelines); limits of a median where the log-log band crosses one half; "
        "no p-values; source ADTTE",
        conventions=[
            ARM_ORDER, "a plateau's median is its midpoint",
            "not reached: half of the arm is not estimated to remit in follow-up",
            "Kaplan-Meier lets children who left remit like those who stayed",
            *risk_set(found["paramcd"], p, found["clock"]),
        ],
        results=_results(said), folded=True,
    )  # fmt: skip
    return Finding((exhibit,), said)


def logrank(found: pd.DataFrame, p: Parameters) -> Finding:
    """The log-rank test of time to confirmed UPCR remission. found: frame of `time_to_remission.logrank`."""
    test = found.iloc[0]
    estimable = np.isfinite(test["p"])
    text = pvalue_text(test["p"]) + ("" if estimable else f" ({test['note']})")
    said = {
        "p": Result("ttr.confirmed.logrank.p", test["p"], digits=3, text=text),
        "statistic": Result("ttr.confirmed.logrank.statistic", test["statistic"], digits=2),
    }
    exhibit = Exhibit(
        "ttr-logrank",
        "Log-rank test of time to confirmed remission of proteinuria (supportive)",
        found.drop(columns="note").assign(
            expected_text=[rounded(v, 2) for v in found["expected"]],
            statistic_text=[rounded(test["statistic"], 2), ""],
            p_text=[text, ""],
        ),
        columns={
            "arm": "Arm", "children": "Children", "observed": "Remissions seen",
            "expected_text": "Expected if the arms were alike", "statistic_text": "Chi-squared, 1 df",
            "p_text": "p (supportive, unadjusted)",
        },
        population="all randomised evaluable for proteinuria (UPCRFL)",
        n=counted(" v ".join(str(n) for n in found["children"]), "child", "children"),
        method="log-rank test, unstratified, two-sided (lifelines); "
        f"{AS_PLANNED}; source ADTTE (UPCRC)",
        conventions=[
            ARM_ORDER, "supportive: decides nothing",
            "unadjusted: outside the fixed sequence of tests", *risk_set(["UPCRC"], p),
        ],
        caption="" if estimable else f"Not estimable: {test['note']}.",
        results=list(said.values()),
    )  # fmt: skip
    return Finding((exhibit,), said)


def contrasts(found: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Finding:
    """hUC-MSC against placebo in time: frame of `between_visits.contrasts`."""
    rows, said = [], {}
    for row in found.to_dict("records"):
        (key, words), (quantity, unit, digits) = ENDPOINTS[row["paramcd"]], CONTRASTS[row["quantity"]]
        row["note"] = _note(row["note"])
        end = until(row["paramcd"], row["horizon"])
        text, quantity = (
            _contrast_text(row, digits),
            quantity.format(end=visit_of(row["horizon"]), until=end),
        )
        counts = f"{row['placebo_N']} v {row['msc_N']}"
        rows.append({**row, "endpoint": words, "quantity": quantity, "n": counts, "unit": unit, "text": text})
        name = row["quantity"]
        said[f"{key}_{name}"] = Result(f"ttr.{key}.{name}", row["estimate"], unit, digits, text)
        said[f"{key}_until"], said[f"{key}_end"] = end, visit_of(row["horizon"])
    said["mean"] = " ".join(filter(None, [_alone(found), UNSURE]))
    exhibit = Exhibit(
        "ttr-contrasts",
        "Time to remission: hUC-MSC against placebo",
        pd.DataFrame(rows)[["endpoint", "quantity", "n", "estimate", "lower", "upper", "unit", "text", "note"]],
        columns={"endpoint": "Time to", "quantity": "Quantity", "n": "n placebo v hUC-MSC",
                 "text": "hUC-MSC against placebo (95 % interval)", "unit": "Unit", "note": "Note"},
        population="all randomised evaluable for the endpoint", n=f"{adtte['USUBJID'].nunique()} randomised",
        method="Kaplan-Meier with log-log limits of both arms combined by square-and-add (MOVER); restricted mean with "
        "Greenwood's variance, normal interval; hazard ratio: complementary log-log regression on arm and log month, "
        f"Firth's penalty, profile interval; {AS_PLANNED}; no p-values; source ADTTE",
        conventions=[ARM_ORDER, "difference hUC-MSC - placebo, ratio hUC-MSC / placebo",
                     "a mean time below zero difference is earlier remission on hUC-MSC",
                     "each goes up to the last visit at which its remission may begin and still be seen",
                     *risk_set(found["paramcd"], p)],
        caption=said["mean"], results=_results(said), missing="",
    )  # fmt: skip
    return Finding((exhibit,), said)


UNSURE = f"The mean's normal interval rests on large arms: how often it holds in small ones is told in {VALIDATED}."
"""What the interval of the restricted mean is worth."""


def _results(said: Mapping[str, Result | str]) -> list[Result]:
    """What of it is a result, and not words."""
    return [value for value in said.values() if isinstance(value, Result)]


def _alone(found: pd.DataFrame) -> str:
    """Whether the restricted mean of confirmed remission is the one contrast that leaves out no difference."""
    rows = found[found["paramcd"] == "UPCRC"]
    none = rows["quantity"].eq("hazard_ratio").astype(float)
    out = rows.loc[(rows["lower"] > none) | (rows["upper"] < none), "quantity"].tolist()
    if out != ["rmst_difference"]:
        return ""
    return "Of confirmed remission the restricted mean alone has an interval that leaves out no difference."


def _note(note: str) -> str:
    """A note of the estimators in the chapter's words, its times in months as they are shown everywhere."""
    note = note.replace("control arm", ARMS[0]).replace("active arm", ARMS[1])
    note = note.replace("no variation before tau", "no variation until then")
    return re.sub(r"\d+\.\d+", lambda found: f"{rounded(float(found[0]), 1)} months", note)


def _drawn(steps: pd.DataFrame, at_risk: pd.DataFrame, words: str, points: pd.DataFrame | None = None):
    """The chapter's one figure: steps over the table at risk, with their band, or with a second estimate's marks."""
    return figures.cumulative_remission(
        steps, at_risk, grid=GRID[1:], label=f"Cumulative {words}", band=points is None, points=points
    )


def _followed(at_risk: pd.DataFrame) -> dict[str, int]:
    """Arm: children followed from time zero."""
    start = at_risk[at_risk["time"] == 0].set_index("arm")["at_risk"]
    return {arm: int(start.get(arm, 0)) for arm in ARMS}


def _whose(at_risk: pd.DataFrame, paramcd: str) -> dict[str, str]:
    evaluable = "haematuria (HEMFL)" if paramcd.startswith("HEM") else "proteinuria (UPCRFL)"
    return {
        "population": f"all randomised evaluable for {evaluable}",
        "n": counted(" v ".join(map(str, _followed(at_risk).values())), "child", "children"),
    }


def _risk_table(
    at_risk: pd.DataFrame, key: str, title: str, method: str, paramcd: str, conventions: list[str]
) -> Exhibit:
    names = {0.0: "Time zero"} | {v.month: v.name for v in VISITS}
    grid = list(at_risk["time"].unique()) or list(GRID)
    wide = pd.DataFrame({"visit": [names.get(t, "End") for t in grid], "time": grid})
    columns = {"visit": "Visit", "time": "Month"}
    for arm, name in ARM_KEY.items():
        part = at_risk[at_risk["arm"] == arm].set_index("time").reindex(grid)
        for column, words in (
            ("at_risk", "at risk"),
            ("events", "remitted so far"),
            ("censored", "censored so far"),
        ):
            wide[f"{name}_{column}"] = part[column].to_numpy(float)
            columns[f"{name}_{column}"] = f"{arm} {words}"
    return Exhibit(
        key, f"{title}: children at risk", wide, columns=columns, digits={"time": 1}, method=method,
        conventions=[ARM_ORDER, "at risk means just before t", "counts so far include t", *conventions],
        missing="no child",
        caption="" if len(at_risk) else "No child can be followed: nobody is evaluable.",
        **_whose(at_risk, paramcd), folded=True,
    )  # fmt: skip


def _end(steps: pd.DataFrame) -> str:
    """Where the curves end, with their bands: "20.0 % (6.9 to 50.0) on Placebo and ..."."""
    last = steps.groupby("arm", sort=False).tail(1)
    return " and ".join(
        f"{rounded(100 * r.estimate, 1)} % ({rounded(100 * r.lower, 1)} to {rounded(100 * r.upper, 1)}) on {r.arm}"
        for r in last.itertuples()
    )


def _remarks(steps: pd.DataFrame, followed: dict[str, int], words: str) -> list[str]:
    """What makes a curve empty, flat or useless, in words."""
    out = []
    for arm, children in followed.items():
        part = steps[steps["arm"] == arm]
        if part.empty:
            out.append(f"{arm}: no evaluable child, no curve.")
        elif (part["time"] == 0).all() and not part["n_event"].any():
            out.append(f"{arm}: nobody at risk after time zero.")
        elif not part["n_event"].any():
            out.append(f"{arm}: no {words} was seen.")
        elif len(part) == 1 and not part["n_censor"].any():
            out.append(
                f"{arm}: every child remitted at {rounded(part['time'].iloc[0], 1)} months, no band exists."
            )
        if children == 1:
            out.append(f"{arm}: a single child.")
    return out


def _median_text(row: dict) -> str:
    if row["note"]:
        return f"{NOT_ESTIMABLE}: {row['note']}"
    lower, upper = row["median_lower"], row["median_upper"]
    if np.isnan(row["median"]):
        return f"not reached ({rounded(lower, 1)} to not reached)" if np.isfinite(lower) else "not reached"
    # Where everybody remitted follow-up can't be what a limit lacks.
    missing = NOT_ESTIMABLE if row["final"] == 100 else "not reached"
    ends = [rounded(v, 1) if np.isfinite(v) else missing for v in (lower, upper)]
    both = "interval not estimable" if ends == [NOT_ESTIMABLE] * 2 else " to ".join(ends)
    return f"{rounded(row['median'], 1)} ({both})"


def _month12_text(row: dict) -> str:
    if np.isfinite(row["month12"]):
        lower, upper = row["month12_lower"], row["month12_upper"]
        ends = (
            f"{rounded(lower, 1)} to {rounded(upper, 1)}" if np.isfinite(lower) else "interval not estimable"
        )
        return f"{rounded(row['month12'], 1)} ({ends})"
    if row["note"]:
        return f"{NOT_ESTIMABLE}: {row['note']}"
    if row["last"] > GRID[-1]:
        return f"{NOT_ESTIMABLE}: no time up to {LAST.lower()}"
    return f"{NOT_ESTIMABLE}: last child at risk at {rounded(row['last'], 1)} months"


def _share_text(row) -> str:
    if not np.isfinite(row.estimate):
        return NOT_ESTIMABLE
    ends = (
        f"{rounded(100 * row.lower, 1)} to {rounded(100 * row.upper, 1)}"
        if np.isfinite(row.lower)
        else "no band"
    )
    return f"{rounded(100 * row.estimate, 1)} ({ends})"


def _contrast_text(row: dict, digits: int) -> str:
    estimate, lower, upper = row["estimate"], row["lower"], row["upper"]
    if not np.isfinite(estimate):
        return f"{NOT_ESTIMABLE}: {row['note']}" if row["note"] else NOT_ESTIMABLE
    if np.isnan(lower) or np.isnan(upper):
        return f"{rounded(estimate, digits)} (no interval)"
    null = 1 if row["quantity"] == "hazard_ratio" else 0
    high = limit_text(upper, digits, null) if np.isfinite(upper) and upper < 1e6 else "no upper limit"
    return f"{rounded(estimate, digits)} ({limit_text(lower, digits, null)} to {high})"
