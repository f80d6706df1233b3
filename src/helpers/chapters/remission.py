"""Chapter 06: the primary endpoint first and alone, then month 12, every visit, ever, and the other measures.

Whoever is evaluable and was not seen in remission counts as no remission; who might have been is counted and
listed. The primary endpoint has the only p-value.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import adam, derive
from helpers.chapters.exhibits import Exhibit, Result
from helpers.chapters.words import NOT_ESTIMABLE, children_text, percent, pvalue_text, rounded
from helpers.estimators import proportions
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, LAST, VISITS

MEASURES = {
    "UPCR": "Protein: UPCR (primary measure)",
    "P24": "Protein: 24-hour protein",
    "DIP": "Protein: dipstick",
    "HEM": "Haematuria: urine red cells",
    "GFR": "Renal function: rise of eGFR",
}
KINDS = {
    "C": ("confirmed", "Confirmed"),
    "S": ("sustained", "Sustained to the last visit"),
    "F": ("ever", "Ever, at any visit"),
    "M12": ("month12", f"At {LAST.lower()}"),
}
POINTS = "percentage points"
ROWS = 80
"""Children an arm in the picture of states at most."""
INTERVALS = "Wilson's 95 % interval in an arm, Miettinen-Nurminen 95 % interval for the difference"
_CONVENTIONS = (
    "arm order placebo, hUC-MSC",
    "difference hUC-MSC - placebo",
    "not seen in remission = no remission",
    "percentages half away from zero",
)


class Count(NamedTuple):
    """Children with the event, all of them, and how many had any assessment."""

    n: int
    N: int
    seen: int


class Shown(NamedTuple):
    exhibit: Exhibit
    said: dict[str, Result | str]


class Pictured(NamedTuple):
    table: Exhibit
    figure: Exhibit
    said: dict[str, Result | str]


def primary(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Shown:
    """Confirmed UPCR remission by arm: n/N, Wilson; difference with its interval; Boschloo's two-sided p."""
    counts = events(adtte, "UPCRC")
    (x0, n0, _), (x1, n1, _) = counts
    row = compared("Confirmed UPCR remission", *counts)
    pvalue = np.nan if row["note"] else proportions.boschloo(x0, n0, x1, n1)
    row |= {"p": pvalue, "p_text": pvalue_text(pvalue)}
    opened = undetermined(adsl, adlb, adtte, p).data
    said = {}
    for arm, (x, n, _) in zip(ARMS, counts, strict=True):
        name = ARM_KEY[arm]
        share = row[f"{name}_share"]
        said[name] = Result(f"remission.primary.{name}.share", row[name], "%", 1, text=share)
        said[f"{name}_n"] = Result(f"remission.primary.{name}.n", x)
        said[f"{name}_evaluable"] = Result(f"remission.primary.{name}.N", n)
        open_ = int((opened["arm"] == arm).sum())
        said[f"{name}_undetermined"] = Result(f"remission.primary.{name}.undetermined", open_)
    said |= _difference_results("remission.primary", row)
    said["p"] = Result("remission.primary.p", pvalue, digits=3, text=pvalue_text(pvalue))
    said["verdict"] = _verdict(row, pvalue, counts, p.alpha)
    exhibit = Exhibit(
        "remission-primary",
        "Primary endpoint: confirmed remission of proteinuria by UPCR, week 2 to month 12",
        pd.DataFrame([row]),
        columns={
            "label": "Endpoint",
            "placebo_text": "Placebo n/N, % (95 % interval)",
            "msc_text": "hUC-MSC n/N, % (95 % interval)",
            "difference_text": "Difference (95 % interval)",
            "p_text": "p (Boschloo)",
        },
        units={"difference_text": POINTS},
        population="evaluable for proteinuria (UPCRFL: all randomised, baseline UPCR at least "
        f"{p.remission_threshold:g} mg/mg)",
        n=f"{n0} v {n1} children",
        method="Boschloo's unconditional exact test, two-sided (twice the smaller side), level "
        f"{p.alpha:g}; {INTERVALS}; source ADTTE (UPCRC)",
        conventions=_CONVENTIONS,
        caption=definition(p),
        results=[r for r in said.values() if isinstance(r, Result)],
    )
    return Shown(exhibit, said)


def definition(p: Parameters) -> str:
    """Remission and its confirmation in a sentence, under the readings in force."""
    fall, limit = f"{100 * p.remission_fall:g} %", f"{p.remission_threshold:g} mg/mg"
    fallen = f"UPCR at least {fall} below baseline"
    remission = {
        "fall": f"{fallen} (complete where also below {limit}, else partial)",
        "threshold alone": f"UPCR below {limit}",
        "KDIGO": f"{fallen} and at most {p.kdigo_upper:g} mg/mg (complete where below {limit}, else partial)",
    }[p.remission_definition]
    return (
        f"Remission: {remission}. Confirmed: it holds at every attended visit up to the first one at least "
        f"{p.confirm_days} days later, which must exist. No remission after rescue treatment."
    )


def undetermined(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Exhibit:
    """Evaluable children without confirmed remission whom the visits not seen might have made confirmed.

    Found by filling each visit without a value, up to rescue treatment, with remission, and deriving again.
    """
    rows = adam.events(adtte, "UPCRC")
    without = rows.loc[rows["event"] == 0, "USUBJID"]
    state = _states(adlb, adsl, "PROTCRT")
    zero, rescue = adsl["TZERODT"].to_numpy("datetime64[D]"), adsl["RESCDT"].to_numpy("datetime64[D]")
    days = (rescue - zero) / np.timedelta64(1, "D")
    best = derive.after_rescue(
        np.where(state < 0, 1, state), adam.DAYS, np.where(np.isnan(days), np.inf, days)
    )
    possible = derive.confirmed(best, adam.DAYS, p.confirm_days).any(axis=1)
    last = derive.last_seen(state)
    names = np.array([v.name for v in VISITS], object)
    frame = pd.DataFrame(
        {
            "arm": adsl["TRT01P"],
            "child": adsl["USUBJID"],
            "last": np.where(last < 0, "none after baseline", names[np.maximum(last, 0)]),
            "missing": (state < 0).sum(axis=1),
            "remission": (state > 0).sum(axis=1),
            "end": np.where(adsl["EOSSTT"] == "COMPLETED", "completed", "left: " + adsl["DCSREAS"].fillna("no reason")),
        }
    )  # fmt: skip
    frame = frame[possible & adsl["USUBJID"].isin(without).to_numpy()]
    frame = frame.sort_values("arm", key=lambda s: s.map(ARMS.index), kind="stable", ignore_index=True)
    counts = [count.N for count in events(adtte, "UPCRC")]
    here = [int((frame["arm"] == arm).sum()) for arm in ARMS]
    return Exhibit(
        "remission-undetermined",
        "Children whose primary endpoint is undetermined, counted as no remission",
        frame,
        columns={
            "arm": "Arm", "child": "Child", "last": "Last UPCR", "missing": "Visits without UPCR, of 11",
            "remission": "Visits in remission", "end": "End of trial",
        },
        population="evaluable for proteinuria (UPCRFL), no confirmed remission seen",
        n=f"{here[0]} of {counts[0]} v {here[1]} of {counts[1]} evaluable children",
        method="undetermined = would be a confirmed remission if every visit without a value had shown "
        "remission; source ADSL, ADLB, ADTTE",
        conventions=["arm order placebo, hUC-MSC", "order of randomisation within an arm"],
        caption="" if len(frame) else "There is no such child: the outcome of every evaluable child is known.",
    )  # fmt: skip


def supplementary(adsl: pd.DataFrame, adtte: pd.DataFrame) -> Pictured:
    """The primary endpoint in all randomised (not evaluable = no remission) and per protocol; no p-values."""
    confirmed = adtte[adtte["PARAMCD"] == "UPCRC"].merge(adsl[["USUBJID", "PPROTFL"]], on="USUBJID")
    evaluable = confirmed["ANL01FL"] == "Y"
    sets = {
        "Evaluable (primary)": confirmed[evaluable],
        "All randomised, not evaluable = no remission": confirmed.assign(ANL01FL="Y"),
        "Per protocol: evaluable, both infusions, no rescue": confirmed[
            evaluable & (confirmed["PPROTFL"] == "Y")
        ],
    }
    data = [compared(label, *events(part, "UPCRC")) for label, part in sets.items()]
    keys = ("remission.evaluable", "remission.all_randomised", "remission.per_protocol")
    return table_and_forest(
        "remission-sets", "Confirmed remission of proteinuria by UPCR in three analysis sets", data, keys,
        population="as each row names", n=f"{len(adsl)} randomised",
        method=f"{INTERVALS}, no p-values; source ADSL, ADTTE (UPCRC)", heading="Analysis set",
    )  # fmt: skip


def by_visit(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame) -> Pictured:
    """In remission by UPCR at each visit and at any: evaluable children; without a value = no remission."""
    part = adsl[adsl["UPCRFL"] == "Y"].reset_index(drop=True)
    state = _states(adlb, part, "PROTCRT")
    complete = (_words(adlb, part, "PROTCRT") == "complete").to_numpy()
    arm = part["TRT01P"].to_numpy()
    data, keys = [], []
    for k, v in enumerate(VISITS):
        counts = _at_visit(state[:, k], arm)
        row = compared(v.name, *counts)
        data.append(row | _detail(counts, complete[:, [k]], arm))
        keys.append(f"remission.visit.{v.name.lower().replace(' ', '')}")
    counts = events(adtte, "UPCRF")
    ever = compared("At any visit (ever)", *counts) | _detail(counts, complete, arm)
    found = table_and_forest(
        "remission-visits", "Remission of proteinuria by UPCR at each visit", [*data, ever], [*keys, "remission.ever"],
        population="evaluable for proteinuria (UPCRFL)", n=children_text(part),
        method=f"{INTERVALS}, no p-values; source ADLB (PROTCRT, AVALCAT1)", heading="Visit",
        more={"detail": "with a value / complete"},
    )  # fmt: skip
    empty = [v.name for k, v in enumerate(VISITS) if not (state[:, k] >= 0).any()]
    words = f"No evaluable child has a UPCR at {', '.join(empty)}." if empty else ""
    return found._replace(said={**found.said, "empty": words})


def endpoints(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Pictured:
    """All endpoints: three protein measures, haematuria, renal function; confirmed, sustained, ever, month 12.

    Each among the children evaluable for it (ADTTE ANL01FL).
    """
    data, keys = [], []
    for name, words in MEASURES.items():
        part = adsl[adsl["USUBJID"].isin(adam.events(adtte, f"{name}C")["USUBJID"])]
        at_last = _states(adlb, part, adam.endpoint_paramcd(name, p))[:, -1]
        for kind, (key, how) in KINDS.items():
            last = kind == "M12"
            counts = _at_visit(at_last, part["TRT01P"].to_numpy()) if last else events(adtte, name + kind)
            data.append(compared(how, *counts) | {"group": words})
            keys.append(f"remission.{name.lower()}.{key}")
    return table_and_forest(
        "remission-endpoints", "Remission and improvement by measure", data, keys,
        population="for each measure all randomised evaluable for it at baseline, N in the table",
        n=f"{len(adsl)} randomised", method=f"{INTERVALS}, no p-values; source ADSL, ADLB, ADTTE", heading="Reached",
    )  # fmt: skip


def tiles(adsl: pd.DataFrame, adlb: pd.DataFrame) -> Shown:
    """State of UPCR remission by child and visit, earliest and longest remission on top."""
    words = _words(adlb, adsl, "PROTCRT").to_numpy()
    gone = adsl["EOSDT"].to_numpy("datetime64[D]")[:, None]
    due = adsl["TZERODT"].to_numpy("datetime64[D]")[:, None] + adam.DAYS.astype("timedelta64[D]")
    left = (adsl["EOSSTT"] == "DISCONTINUED").to_numpy()[:, None] & (due > gone)
    words = np.where(pd.isna(words), np.where(left, "after drop-out", "not attended"), words)
    words = np.where((adsl["UPCRFL"] != "Y").to_numpy()[:, None], "not evaluable", words)
    names = [v.short for v in VISITS]
    table = pd.DataFrame(words, index=pd.Index(adsl["USUBJID"], name="child"), columns=names)
    hit = np.isin(words, ["complete", "partial"])
    rank = pd.DataFrame(
        {"child": adsl["USUBJID"], "arm": adsl["TRT01P"], "evaluable": adsl["UPCRFL"] == "Y",
         "first": np.where(hit.any(axis=1), hit.argmax(axis=1), len(names)), "times": hit.sum(axis=1)}
    ).sort_values(["evaluable", "first", "times"], ascending=[False, True, False], kind="stable")  # fmt: skip
    rank = rank.groupby("arm", sort=False).head(ROWS)
    order = list(rank["child"])
    arms = dict(zip(adsl["USUBJID"], adsl["TRT01P"], strict=True))
    states = ("complete", "partial", "none", "not attended", "after drop-out")
    counts = {state: int((words == state).sum()) for state in states}
    kinds = [f"{n} {state}" for state, n in counts.items()]
    short = {state: state.replace(" ", "_").replace("-", "_") for state in counts}
    said = {short[state]: Result(f"remission.tiles.{short[state]}", n) for state, n in counts.items()}
    good, seen = hit.sum(), hit.sum() + counts["none"]
    said["seen"] = Result("remission.tiles.seen", seen)
    said["in_remission"] = Result("remission.tiles.in_remission", good, text=percent(good, seen))
    cut = f" The first {ROWS} children of an arm are drawn." if len(order) < len(adsl) else ""
    exhibit = Exhibit(
        "remission-tiles",
        "Remission of proteinuria by UPCR, child by child",
        table.assign(arm=pd.Series(arms)).reset_index()[["child", "arm", *names]],
        population="all randomised",
        n=children_text(adsl),
        method="state at each visit against the child's baseline, none after rescue; "
        "source ADSL, ADLB (PROTCRT, AVALCAT1)",
        conventions=["arm order placebo, hUC-MSC", "earliest remission on top", "W week, M month"],
        caption=f"A single tile in remission is not a confirmed remission.{cut}",
        alt=f"Tiles by child and visit: {', '.join(kinds)}.",
        figure=figures.tiles(table, visits=names, order=order, arm_of=arms),
        results=list(said.values()),
    )
    return Shown(exhibit, said)


def compared(label: str, control: Count, active: Count) -> dict:
    """A row of both arms: shares (%), Wilson and Miettinen-Nurminen bounds, and all of it in words.

    An arm without a child, or without a child that was assessed, has no share: the words say so.
    """
    row, lacking = {"label": label}, []
    for arm, (x, n, seen) in zip(ARMS, (control, active), strict=True):
        name = ARM_KEY[arm]
        row |= {f"{name}_n": x, f"{name}_N": n}
        row |= dict.fromkeys((name, f"{name}_lower", f"{name}_upper"), np.nan)
        if n and seen:
            low, high = (100 * v for v in proportions.wilson(x, n))
            row |= {name: 100 * x / n, f"{name}_lower": low, f"{name}_upper": high}
            shown = f"{rounded(row[name], 1)} % ({rounded(low, 1)} to {rounded(high, 1)})"
        else:
            why = "no evaluable child assessed" if n else "no evaluable child"
            lacking.append(f"{why} in {arm}")
            shown = f"{NOT_ESTIMABLE} ({why})"
        row[f"{name}_text"] = f"{x}/{n}, {shown}"
        row[f"{name}_share"] = percent(x, n) if n and seen else f"{x}/{n} ({why})"
    row |= {"difference": row["msc"] - row["placebo"], "lower": np.nan, "upper": np.nan}
    row["note"] = " and ".join(lacking)
    if lacking:
        row["difference_text"] = f"{NOT_ESTIMABLE}: {row['note']}"
        return row
    bounds = proportions.miettinen_nurminen(control.n, control.N, active.n, active.N)
    row["lower"], row["upper"] = (100 * v for v in bounds)
    ends = f"{rounded(row['lower'], 1)} to {rounded(row['upper'], 1)}"
    row["difference_text"] = f"{rounded(row['difference'], 1)} ({ends})"
    return row


def _verdict(row, pvalue, counts, alpha) -> str:
    """What test and interval say about zero, in words, and whether they agree."""
    (x0, n0, _), (x1, n1, _) = counts
    if row["note"]:
        return f"The primary comparison is not estimable: {row['note']}."
    words = []
    if x0 + x1 == 0:
        words.append("No child of either arm had a confirmed remission, so the arms can't be told apart.")
    if x0 + x1 == n0 + n1:
        words.append("Every evaluable child had a confirmed remission, so the arms can't be told apart.")
    if min(n0, n1) < 2:
        words.append("An arm with a single evaluable child carries next to no information.")
    test, interval = pvalue < alpha, not row["lower"] <= 0 <= row["upper"]
    # The test is the pre-specified decision; the interval inverts another statistic.
    names = {True: "excludes", False: "does not exclude"}
    if test == interval:
        both = "both exclude" if test else "neither excludes"
        words.append(f"Test (level {100 * alpha:g} %) and 95 % interval agree: {both} zero difference.")
    else:
        words.append(
            f"Test and interval disagree about zero: the test (level {100 * alpha:g} %) {names[test]} it, "
            f"the 95 % interval {names[interval]} it. They rest on different statistics; the test decides."
        )
    return " ".join(words)


def _words(adlb, adsl, paramcd):
    """ADLB's AVALCAT1 (children of ADSL, 11 visits); missing where there is no value."""
    return pd.DataFrame(adam.visit_array(adlb, adsl, paramcd, "AVALCAT1")[:, 1:], dtype=object)


def _states(adlb, adsl, paramcd):
    """State of remission (children of ADSL, 11 visits): 1, 0, -1 unknown, from ADLB's AVALCAT1."""
    words = _words(adlb, adsl, paramcd)
    good = words.isin(["complete", "partial", "remission", "improved"])
    return np.where(words.isna(), -1, good).astype(np.int8)


def events(adtte, code) -> list[Count]:
    """Of each arm: evaluable children with the event, evaluable children, those assessed after time zero."""
    rows = adam.events(adtte, code)
    rows = rows.assign(seen=(rows["time"] > 0) | (rows["event"] == 1))
    parts = [rows[rows["arm"] == k] for k in (0, 1)]
    return [Count(int(part["event"].sum()), len(part), int(part["seen"].sum())) for part in parts]


def _at_visit(state, arm) -> list[Count]:
    """Of each arm: children in remission, all of them, those with a value; state (children,) of one visit."""
    parts = [state[arm == a] for a in ARMS]
    return [Count(int((part > 0).sum()), len(part), int((part >= 0).sum())) for part in parts]


def _detail(counts, complete, arm) -> dict:
    """By arm: children with a value, and children in complete remission at any of the columns."""
    out = {}
    for a, count in zip(ARMS, counts, strict=True):
        name, full = ARM_KEY[a], int(complete[arm == a].any(axis=1).sum())
        out |= {
            f"{name}_seen": count.seen,
            f"{name}_complete": full,
            f"{name}_detail": f"{count.seen} / {full}",
        }
    return out


def _difference_results(key, row) -> dict[str, Result]:
    text = row["difference_text"]
    if not row["note"]:
        text = text.replace(" (", f" {POINTS} (95 % interval ", 1)
    return {
        "difference": Result(f"{key}.difference", row["difference"], POINTS, 1, text=text),
        "lower": Result(f"{key}.difference_lower", row["lower"], POINTS, 1),
        "upper": Result(f"{key}.difference_upper", row["upper"], POINTS, 1),
    }


def table_and_forest(key, title, data, keys, *, population, n, method, heading, more=None) -> Pictured:
    frame = pd.DataFrame(data)
    said = {}
    for row, name in zip(data, keys, strict=True):
        short = name.removeprefix("remission.").replace(".", "_")
        for arm in ARM_KEY.values():
            said[f"{short}_{arm}"] = Result(f"{name}.{arm}", row[arm], "%", 1, text=row[f"{arm}_share"])
        said |= {f"{short}_{k}": r for k, r in _difference_results(name, row).items()}
    columns = {"group": "Measure"} if "group" in frame else {}
    columns |= {"label": heading}
    for arm, name in ARM_KEY.items():
        columns[f"{name}_text"] = f"{arm} n/N, % (95 % interval)"
        columns |= {f"{name}_{k}": f"{arm} {words}" for k, words in (more or {}).items()}
    columns["difference_text"] = "Difference (95 % interval)"
    common = {"population": population, "n": n, "method": method, "conventions": _CONVENTIONS}
    unit, results = {"difference_text": POINTS}, list(said.values())
    table = Exhibit(key, title, frame, columns=columns, units=unit, results=results, **common)
    drawn = frame.rename(columns={"difference": "estimate", "difference_text": "text"})
    for arm, name in ARM_KEY.items():
        drawn[f"{arm}\nn/N"] = [f"{r[f'{name}_n']}/{r[f'{name}_N']}" for r in data]
    kept = ["label", "estimate", "lower", "upper", "text", "note", *(f"{a}\nn/N" for a in ARMS)]
    drawn = drawn[(["group"] if "group" in frame else []) + kept]
    drawn = drawn.assign(text=drawn["text"].str.replace("-", "−"))
    spread = frame["difference"].dropna()
    alt = (
        f"Differences hUC-MSC - placebo of {len(frame)} rows, {rounded(spread.min(), 1)} to "
        f"{rounded(spread.max(), 1)} {POINTS}; "
        f"{int(((frame['lower'] <= 0) & (frame['upper'] >= 0)).sum())} of {len(spread)} intervals contain zero."
        if len(spread)
        else "No difference is estimable: an arm has no evaluable child."
    )
    picture = Exhibit(
        f"{key}-forest", f"{title}: differences", frame, alt=alt,
        figure=figures.forest(drawn, label=f"difference hUC-MSC − placebo ({POINTS}), 95 % interval", zero=0), **common,
    )  # fmt: skip
    return Pictured(table, picture, said)
