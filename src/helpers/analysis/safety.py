"""Adverse events from the first infusion on, by treatment received, in the safety set.

The safety set holds whoever had any infusion. A child who got another product than allocated counts under
what it got (`TRT01A`). An event whose seriousness or relatedness nobody judged counts as serious, as related: what is
not known is not good news. `emergent` turns ADSL and ADAE into one row an event; other functions take that frame, or
any part of its rows that a reader chooses, beside ADSL, which holds who was treated and for how long. Frames are long,
one row an item and arm, as in `summaries`; `differences` sets the arms beside each other.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import summaries
from helpers.estimators import event_rates, proportions
from helpers.estimators.proportions import clopper_pearson
from helpers.study.codebook import SEVERITY
from helpers.study.protocol import ARM_KEY, ARMS, DAYS_PER_YEAR, months

difference_interval, DIFFERENCE = proportions.boschloo_interval, "Boschloo's exact"
"""The interval of every difference here, and its name: the one line to exchange."""

UNKNOWN = "not recorded"
"""The severity of an event that nobody judged."""

GRAVE = ("severe", "life-threatening", "fatal")
KINDS = ("fever", "infection", "other")
WINDOWS = (0, 2, 8, 29, 92, 184)
"""First days of the windows of `by_time`, counted from the latest infusion, whose day is 0."""

RATES = (0.01, 0.05, 0.1, 0.2)
"""True rates whose chance to stay unseen `no_event_excludes` gives: from rare to what nobody would overlook."""


def received(adsl: pd.DataFrame) -> pd.Series:
    """Treatment received, by child of the safety set."""
    return adsl[adsl["SAFFL"] == "Y"].set_index("USUBJID")["TRT01A"]


def emergent(adsl: pd.DataFrame, adae: pd.DataFrame) -> pd.DataFrame:
    """Treatment-emergent events of the safety set, one row an event, in ADAE's order.

    Columns: child; arm (received); term (as reported, in lower case); kind; date; day (since the first infusion, whose
    day is 0); since (days since the latest infusion given by then); infusion (1 or 2, that infusion); length (days,
    NaN = ongoing); ongoing, serious, related, near (began within 24 h of an infusion): bool; severity, or "not
    recorded".

    Examples
    --------
    >>> day = pd.Timestamp("2025-03-01")
    >>> adsl = pd.DataFrame({"USUBJID": ["a"], "SAFFL": "Y", "TRT01A": "hUC-MSC", "NINFUS": 2.0, "TRTSDT": day,
    ...                      "TRTEDT": day + pd.Timedelta(14, "D"), "EOSDT": day + pd.Timedelta(379, "D")})
    >>> adae = pd.DataFrame({"USUBJID": ["a"], "AETERM": "Cold ", "AEDECOD": "infection", "AESEV": "mild",
    ...                      "ASTDT": day + pd.Timedelta(20, "D"), "ADURN": np.nan, "AESER": "N", "AEREL": None,
    ...                      "AE24HFL": "N", "TRTEMFL": "Y"})
    >>> emergent(adsl, adae)[["term", "day", "since", "infusion", "ongoing", "related"]].values.tolist()
    [['cold', 20, 6, 2, True, True]]
    """
    arm = received(adsl)
    rows = adae[(adae["TRTEMFL"] == "Y") & adae["USUBJID"].isin(arm.index)]
    child = adsl.set_index("USUBJID").loc[rows["USUBJID"]]
    start = rows["ASTDT"].to_numpy("datetime64[D]")
    first, last = (child[name].to_numpy("datetime64[D]") for name in ("TRTSDT", "TRTEDT"))
    second = (child["NINFUS"].to_numpy() == 2) & (start >= last)
    one_day = np.timedelta64(1, "D")
    return pd.DataFrame(
        {
            "child": rows["USUBJID"].to_numpy(object),
            "arm": child["TRT01A"].to_numpy(object),
            "term": rows["AETERM"].str.strip().str.lower().to_numpy(object),
            "kind": rows["AEDECOD"].to_numpy(object),
            "date": rows["ASTDT"].to_numpy(),
            "day": ((start - first) / one_day).astype(int),
            "since": ((start - np.where(second, last, first)) / one_day).astype(int),
            "infusion": np.where(second, 2, 1),
            "length": rows["ADURN"].to_numpy(float),
            "ongoing": rows["ADURN"].isna().to_numpy(bool),
            "severity": rows["AESEV"].fillna(UNKNOWN).to_numpy(object),
            "serious": (rows["AESER"] != "N").to_numpy(bool),
            "related": (rows["AEREL"] != "N").to_numpy(bool),
            "near": (rows["AE24HFL"] == "Y").to_numpy(bool),
        }
    )


def exposure(adsl: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Who was exposed and for how long, by treatment received: `item arm n N`, some with quartiles or years.

    Items: infusions_2, infusions_1 (children with so many); months, from the first infusion to the last contact, with
    quartiles; years, the child-years of the arm in `years`; left (before month 12), ongoing (still followed, where
    there are any), left_event (for an adverse event), died (a fatal event).

    Examples
    --------
    As notebook 10-safety calls it:

    >>> exposure = safety.exposure(adsl, events)
    """
    arm, child = received(adsl), adsl.set_index("USUBJID")
    days = _days(adsl)
    followed = child.index[child["EOSSTT"] == "ONGOING"]
    parts = [summaries.children(f"infusions_{n}", child.index[child["NINFUS"] == n], arm) for n in (2, 1)]
    parts += [summaries.quartiles("months", pd.Series(months(days), index=arm.index), arm)]
    years = summaries.children("years", arm.index, arm)
    parts += [
        years.assign(years=[days[(arm == name).to_numpy()].sum() / DAYS_PER_YEAR for name in years["arm"]])
    ]
    parts += [
        summaries.children("left", child.index[child["EOSSTT"] == "DISCONTINUED"], arm),
        *[summaries.children("ongoing", followed, arm)] * bool(len(followed)),
        summaries.children("left_event", child.index[child["DCSREAS"] == "adverse event"], arm),
        summaries.children("died", events.loc[events["severity"] == "fatal", "child"], arm),
    ]
    return pd.concat(parts, ignore_index=True)


def adverse_events(adsl: pd.DataFrame, events: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Children with treatment-emergent adverse events, by treatment received.

    One row a group of events and treatment: `item` (any, related, serious, serious_related, grave: severe or worse,
    fatal, within_24h of an infusion, ongoing, then the `KINDS`), `arm` (received), `n` children with at least one event
    of `N` treated, `events`, and `lower upper`, the exact interval of Clopper and Pearson for the share, NaN where
    nobody was treated. Raises ValueError for a level outside (0, 1).

    Examples
    --------
    As notebook 10-safety calls it:

    >>> counts = safety.adverse_events(adsl, events)
    """
    groups = {
        "any": np.ones(len(events), bool),
        "related": events["related"],
        "serious": events["serious"],
        "serious_related": events["serious"] & events["related"],
        "grave": events["severity"].isin(GRAVE),
        "fatal": events["severity"] == "fatal",
        "within_24h": events["near"],
        "ongoing": events["ongoing"],
        **{kind: events["kind"] == kind for kind in KINDS},
    }
    return _with_intervals(summaries.events(events["child"], groups, received(adsl)), level)


def by_term(adsl: pd.DataFrame, events: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """The same for each term, with its `kind`: terms with most children first, kinds together.

    A term that the site used for events of several kinds is a row of each, the kind in brackets behind it.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> terms = safety.by_term(adsl, events)
    """
    counts = events.groupby(["kind", "term"])["child"].agg(["nunique", "size"]).reset_index()
    counts = counts.sort_values(["kind", "nunique", "size", "term"], ascending=[True, False, False, True])
    arm, parts = received(adsl), []
    for kind, term in zip(counts["kind"], counts["term"], strict=True):
        rows = events[(events["kind"] == kind) & (events["term"] == term)]
        name = term if (counts["term"] == term).sum() == 1 else f"{term} ({kind})"
        part = summaries.events(rows["child"], {name: np.ones(len(rows), bool)}, arm)
        parts.append(part.assign(kind=kind))
    found = pd.concat(parts, ignore_index=True) if parts else _nothing("item arm n N events kind")
    return _with_intervals(found, level)


def by_severity(adsl: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Each child at the worst severity of its events, by treatment received: `group item arm n N events`.

    group: all events, or the related ones; item: none (no event of the group), the words of the codebook, "not
    recorded" where no event of the child was judged. n adds up to N over the items of a group and arm; `events` counts
    the events of that severity.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> severity = safety.by_severity(adsl, events)
    """
    arm, words = received(adsl), [*SEVERITY, UNKNOWN]
    rank = events["severity"].map({word: k for k, word in enumerate((UNKNOWN, *SEVERITY))})
    parts = []
    for group, chosen in (("all", np.ones(len(events), bool)), ("related", events["related"])):
        mine = events[chosen]
        worst = rank[chosen].groupby(mine["child"]).max().reindex(arm.index, fill_value=-1)
        parts.append(summaries.children("none", arm.index[worst == -1], arm).assign(group=group, events=0))
        for word in words:
            place = (UNKNOWN, *SEVERITY).index(word)
            part = summaries.children(word, arm.index[worst == place], arm)
            of = mine.loc[mine["severity"] == word, "arm"]
            part["events"] = [int((of == name).sum()) for name in part["arm"]]
            parts.append(part.assign(group=group))
    return pd.concat(parts, ignore_index=True)


def by_time(adsl: pd.DataFrame, events: pd.DataFrame, windows: Sequence[int] = WINDOWS) -> pd.DataFrame:
    """When events began, counted from the latest infusion given; the second infusion starts the count anew.

    windows: first days of the windows, ascending from 0; the last one has no end. One row a window and arm: `item`
    (first and last day, "0 to 1", "184 and later"), `arm`, `N` children who were in the trial on a day of it, `years`
    they spent in it together, `n` with an event that began in it, `events`, and `rate`, events per child-year, NaN
    where nobody was there.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> by_time = safety.by_time(adsl, events)
    """
    arm, ends = received(adsl), [*windows[1:], np.inf]
    rows = []
    for low, high in zip(windows, ends, strict=True):
        item = f"{low} and later" if np.isinf(high) else f"{low} to {high - 1}"
        # days 0, 1, ... of each stretch between infusions and to the last contact
        before, after = (np.clip(length - low, 0, high - low) for length in _stretches(adsl))
        days = before + after
        began = events[(events["since"] >= low) & (events["since"] < high)]
        for name in ARMS:
            mine, there = began[began["arm"] == name], days[(arm == name).to_numpy()]
            years = float(there.sum()) / DAYS_PER_YEAR
            rate = len(mine) / years if years else np.nan
            rows.append((item, name, int((there > 0).sum()), years, mine["child"].nunique(), len(mine), rate))
    return pd.DataFrame(rows, columns=["item", "arm", "N", "years", "n", "events", "rate"])


def rates(adsl: pd.DataFrame, events: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Events per child-year from the first infusion to the last contact, and their ratio between the arms.

    One row a group of events (any, related, serious, then the `KINDS`) as `item`. For each arm (placebo, msc): {arm}_N
    children treated; {arm}_events and {arm}_all, all events per child-year, without an interval, because several events
    of one child are not independent; {arm}_n children with an event, {arm}_years until their first one or last contact,
    {arm}_rate first events per child-year with {arm}_lower, {arm}_upper (Garwood, exact). Then ratio, lower, upper of
    first events, hUC-MSC to placebo (exact, given the events of both arms). NaN: nobody at risk, or nothing to compare.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> rates = safety.rates(adsl, events)
    """
    arm, days = received(adsl), pd.Series(_days(adsl), index=received(adsl).index)
    groups = {
        "any": events,
        "related": events[events["related"]],
        "serious": events[events["serious"]],
        **{kind: events[events["kind"] == kind] for kind in KINDS},
    }
    rows = []
    for item, mine in groups.items():
        # the day of the event is a day at risk
        until = (mine.groupby("child")["day"].min() + 1).reindex(arm.index)
        row: dict[str, object] = {"item": item}
        for name, key in ARM_KEY.items():
            own = arm == name
            n, years = int(until[own].notna().sum()), until[own].fillna(days[own]).sum() / DAYS_PER_YEAR
            whole, count = days[own].sum() / DAYS_PER_YEAR, int((mine["arm"] == name).sum())
            lower, upper = event_rates.poisson_interval(n, years, level)
            row |= {f"{key}_N": int(own.sum()), f"{key}_events": count}
            row |= {f"{key}_all": count / whole if whole else np.nan, f"{key}_n": n}
            row |= {f"{key}_years": years, f"{key}_rate": n / years if years else np.nan}
            row |= {f"{key}_lower": lower, f"{key}_upper": upper}
        rows.append(row)
    out = pd.DataFrame(rows)
    first, time = (
        {key: out[f"{key}_{what}"].to_numpy() for key in ARM_KEY.values()} for what in ("n", "years")
    )
    lower, upper = event_rates.rate_ratio(first["placebo"], time["placebo"], first["msc"], time["msc"], level)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = out["msc_rate"].to_numpy(float) / out["placebo_rate"].to_numpy(float)
    return out.assign(ratio=ratio, lower=lower, upper=upper)


def differences(counts: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Arms beside each other: one row an item of `item arm n N`, in its order.

    Columns: what else tells the item (kind, ...), item, then {arm}_n, {arm}_N for placebo and msc, and difference,
    lower, upper (hUC-MSC - placebo, percentage points, interval by `difference_interval`), NaN where an arm is empty.
    """
    keys = [name for name in ("kind", "item", "timing") if name in counts]
    wide = pd.DataFrame(counts[keys].drop_duplicates().reset_index(drop=True))
    for name, key in ARM_KEY.items():
        mine = counts[counts["arm"] == name].reset_index(drop=True)
        wide[f"{key}_n"], wide[f"{key}_N"] = mine["n"].astype(int), mine["N"].astype(int)
    x0, n0, x1, n1 = (wide[f"{key}_{what}"].to_numpy(int) for key in ARM_KEY.values() for what in "nN")
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = x1 / n1 - x0 / n0
    lower, upper = (np.asarray(bound) for bound in difference_interval(x0, n0, x1, n1, level))
    return wide.assign(difference=100 * difference, lower=100 * lower, upper=100 * upper)


def no_event_excludes(adsl: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """What it would mean that no child of an arm had a given event: the largest rate it leaves possible.

    One row a group of the treated (`group`: any infusion, both infusions) and treatment received: `arm`, `N` treated,
    `upper` (of the two-sided exact interval at `level`) and `upper_one_sided` (the one-sided bound at `level`),
    proportions; then `unseen_<rate>`, for each of `RATES` the chance that none of N shows an event of that true rate.
    NaN where nobody was treated. Raises ValueError for a level outside (0.5, 1).

    Examples
    --------
    >>> adsl = pd.DataFrame({"USUBJID": ["a", "b"], "SAFFL": "Y", "TRT01A": ["Placebo", "hUC-MSC"], "NINFUS": 2.0})
    >>> no_event_excludes(adsl)[["N", "upper_one_sided", "unseen_0.1"]].round(2).values.tolist()
    [[1.0, 0.95, 0.9], [1.0, 0.95, 0.9], [1.0, 0.95, 0.9], [1.0, 0.95, 0.9]]
    """
    arm = received(adsl)
    both = arm[arm.index.isin(adsl.loc[adsl["NINFUS"] == 2, "USUBJID"])]
    parts = [
        summaries.children("treated", of.index, of).assign(group=group)
        for group, of in (("any infusion", arm), ("both infusions", both))
    ]
    treated = pd.concat(parts, ignore_index=True)
    out = pd.DataFrame(
        {
            "group": treated["group"],
            "arm": treated["arm"],
            "N": treated["N"],
            "upper": clopper_pearson(0, treated["N"], level)[1],
            "upper_one_sided": clopper_pearson(0, treated["N"], 2 * level - 1)[1],
        }
    )
    for rate in RATES:
        out[f"unseen_{rate:g}"] = ((1 - rate) ** treated["N"]).where(treated["N"] > 0)
    return out


def least_difference(adsl: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """How many children of the hUC-MSC arm would need an event that none on placebo had, for its interval to say so.

    One row as of `differences` (item "least"): the smallest msc_n whose interval lies above zero; no row where even all
    of the arm would not do, or an arm is empty.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> least = safety.least_difference(adsl)
    """
    arm = received(adsl)
    n0, n1 = (int((arm == name).sum()) for name in ARMS)
    if not (n0 and n1):
        return differences(_nothing("item arm n N"), level)
    x1 = np.arange(n1 + 1)
    lower = np.asarray(difference_interval(0, n0, x1, n1, level)[0])
    enough = np.flatnonzero(lower > 0)[:1]
    counts = [
        ("least", name, n, N) for k in enough for name, n, N in zip(ARMS, (0, k), (n0, n1), strict=True)
    ]
    return differences(pd.DataFrame(counts, columns=["item", "arm", "n", "N"]), level)


def listing(events: pd.DataFrame) -> pd.DataFrame:
    """The events that a reader wants to see one by one: serious, severe or worse, or related; by arm, child and day.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> listing = safety.listing(events)
    """
    chosen = events["serious"] | events["related"] | events["severity"].isin(GRAVE)
    order = events["arm"].map({name: k for k, name in enumerate(ARMS)})
    rows = events.assign(order=order)[chosen].sort_values(["order", "child", "day"], kind="stable")
    return rows.drop(columns="order").reset_index(drop=True)


def before_treatment(adsl: pd.DataFrame, adae: pd.DataFrame) -> pd.DataFrame:
    """Events of randomised children that are not treatment-emergent: from before the first infusion, or of a child
    who had none; one row an event, by allocated arm: child, arm, treated (bool), term, kind, date, ongoing, severity,
    serious.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> before = safety.before_treatment(adsl, adae)
    """
    rows = adae[adae["TRTEMFL"] != "Y"]
    child = adsl.set_index("USUBJID").loc[rows["USUBJID"]]
    out = pd.DataFrame(
        {
            "child": rows["USUBJID"].to_numpy(object),
            "arm": child["TRT01P"].to_numpy(object),
            "treated": (child["SAFFL"] == "Y").to_numpy(bool),
            "term": rows["AETERM"].str.strip().str.lower().to_numpy(object),
            "kind": rows["AEDECOD"].to_numpy(object),
            "date": rows["ASTDT"].to_numpy(),
            "ongoing": rows["ADURN"].isna().to_numpy(bool),
            "severity": rows["AESEV"].fillna(UNKNOWN).to_numpy(object),
            "serious": (rows["AESER"] != "N").to_numpy(bool),
        }
    )
    out["order"] = out["arm"].map({name: k for k, name in enumerate(ARMS)})
    return out.sort_values(["order", "child", "date"], kind="stable", ignore_index=True).drop(columns="order")


def lanes(adsl: pd.DataFrame) -> pd.DataFrame:
    """The treated children, one row each, in ADSL's order: child, arm (received), second (day of the second infusion
    counted from the first, NaN = not given), end (day of the last contact).

    Examples
    --------
    As notebook 10-safety calls it:

    >>> lanes = safety.lanes(adsl)
    """
    treated = adsl[adsl["SAFFL"] == "Y"]
    second = (treated["TRTEDT"] - treated["TRTSDT"]).dt.days.astype(float)
    return pd.DataFrame(
        {
            "child": treated["USUBJID"].to_numpy(object),
            "arm": treated["TRT01A"].to_numpy(object),
            "second": second.where(treated["NINFUS"] == 2).to_numpy(),
            "end": (treated["EOSDT"] - treated["TRTSDT"]).dt.days.to_numpy(float),
        }
    )


def _days(adsl: pd.DataFrame) -> NDArray:
    """Days in the trial from the first infusion to the last contact, both counted; by child of the safety set."""
    before, after = _stretches(adsl)
    return before + after


def _stretches(adsl: pd.DataFrame) -> tuple[NDArray, NDArray]:
    """Days from the first infusion to the day before the second, and from the second to the last contact.

    By child of the safety set; the first stretch of a child with one infusion lasts to the last contact.
    """
    frame = lanes(adsl)
    whole = np.maximum(frame["end"].to_numpy() + 1, 0.0)
    first = np.minimum(frame["second"].fillna(np.inf).to_numpy(), whole)
    return first, whole - first


def _with_intervals(counts: pd.DataFrame, level: float) -> pd.DataFrame:
    lower, upper = clopper_pearson(counts["n"].to_numpy(int), counts["N"].to_numpy(int), level)
    return counts.assign(lower=lower, upper=upper)


def _nothing(columns: str) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series(dtype=int if name in ("n", "N", "events") else object) for name in columns.split()}
    )
