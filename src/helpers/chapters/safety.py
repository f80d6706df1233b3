"""Chapter 10: what the trial can exclude; adverse events by term, severity, time, child-year; laboratory; lists.

Frames of `analysis.safety` and `analysis.laboratory_safety` in, exhibits and what may be said of them out. Estimates
and intervals only: many comparisons, none of them a test.
"""

from collections.abc import Mapping

import pandas as pd

from helpers import figures
from helpers.analysis import laboratory_safety, safety
from helpers.chapters import by_arm
from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import NOT_ESTIMABLE, capital, counted, limit_text, percent, plain, rounded
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS

POPULATION = "safety set, by treatment received"
POINTS = "percentage points"
FROM_FIRST = "events that began on or after the first infusion"
ONCE = "a child with several events counts once"
CONVENTIONS = (FROM_FIRST, ONCE, by_arm.ORDER)
SHARE = "Clopper-Pearson"
"""The interval of every share of children here."""
SHARES = f"{SHARE} exact 95 % interval for a share of children, two-sided"
DIFFERENCES = f"{safety.DIFFERENCE} 95 % interval for the difference hUC-MSC - placebo; no p-values"
UNJUDGED = "not judged by the site counts as serious, as related"
LANES = 80
"""Lanes an arm in the picture of events at most."""
DRAWN = 30
"""Terms in the picture of terms at most."""
GROUPS = {
    "any": "Any",
    "related": "Judged possibly caused by an infusion",
    "serious": "Serious",
    "serious_related": "Serious and possibly caused",
    "grave": "Severe or worse",
    "fatal": "Fatal",
    "within_24h": "Within 24 h of an infusion",
    "ongoing": "Ongoing at the last contact",
    "fever": "Fever",
    "infection": "Infection",
    "other": "Other",
}
KINDS = {"fever": "Fever", "infection": "Infection", "other": "Other"}


def excludes(
    found: pd.DataFrame, least: pd.DataFrame, counts: pd.DataFrame, received: bool = True
) -> Finding:
    """What no event in n children excludes, how many would tell the arms apart, and what that means for this trial.

    found: from `safety.no_event_excludes`; least: from `safety.least_difference`; counts: from
    `safety.adverse_events`; received: whether a table of events came at all: counts of none are else no finding.
    """
    chances = {f"unseen_{plain(rate)}": rate for rate in safety.RATES}
    frame = found.assign(
        group=found["group"].map({"any infusion": "Any infusion", "both infusions": "Both infusions"})
    )
    for name in ("upper_one_sided", "upper", *chances):
        frame[f"{name}_text"] = [
            f"{rounded(100 * value, 1)} %" if value == value else "no child" for value in frame[name]
        ]
    row = found[found["group"] == "any infusion"].set_index("arm").loc["hUC-MSC"]
    said: dict[str, Result | str] = {
        "treated": Result("safety.n_treated_msc", int(row["N"])),
        "upper": Result("safety.zero_upper", 100 * row["upper"], "%", 1),
        "upper_one_sided": Result("safety.zero_upper_one_sided", 100 * row["upper_one_sided"], "%", 1),
        "rare": Result("safety.unseen_1", 100 * row["unseen_0.01"], "%", 0),
        "occasional": Result("safety.unseen_5", 100 * row["unseen_0.05"], "%", 0),
    }
    said["happened"] = _happened(counts) if received else ""
    said["least"] = Result("safety.least_n", least["msc_n"].iloc[0] if len(least) else None)
    said["apart"] = _apart(found, least)
    said["seen"] = (
        _seen(counts, said["upper_one_sided"], said["upper"])
        if received
        else "**No table of adverse events was received: which events the children had is not known, and nothing is "
        "excluded.**"
    )
    table = Exhibit(
        "excludes",
        "What it excludes that no child of an arm had an event",
        frame,
        population="safety set, by treatment received; of it, who had both infusions",
        n=by_arm.sizes(found[found["group"] == "any infusion"]),
        method="exact: the largest rate under which none of n still has a chance of 5 % (one-sided), of 2.5 % "
        "(two-sided); chance that none of n has an event of a given true rate, (1 - rate)^n",
        columns={
            "group": "Children with",
            "arm": "Arm",
            "N": "n",
            "upper_one_sided_text": "Rate not excluded by none in n: up to (one-sided 95 %)",
            "upper_text": "the same, upper limit of the two-sided 95 % interval",
            **{
                f"{name}_text": f"Chance to see none at a true rate of {plain(100 * rate)} %"
                for name, rate in chances.items()
            },
        },
        conventions=(by_arm.ORDER,),
        results=_results(said),
    )
    return Finding((table,), said)


def _happened(counts: pd.DataFrame) -> str:
    """What happened to the treated, in a sentence with a space behind it. counts: from `safety.adverse_events`."""
    at = {
        item: " and ".join(f"{r.n}/{r.N} on {r.arm}" for r in rows.itertuples())
        for item, rows in counts.groupby("item", sort=False)
    }
    return (
        f"An adverse event befell {at['any']}, judged possibly caused by an infusion in {at['related']}, and serious "
        f"as well in {at['serious_related']}. "
    )


def exposure(found: pd.DataFrame) -> Finding:
    """Infusions received, time at risk, who left, who died. found: from `safety.exposure`."""
    labels: dict = {
        "infusions_2": "Both infusions",
        "infusions_1": "One infusion",
        "months": ("Months from the first infusion to the last contact, median (range)", by_arm.spread(1)),
        "years": ("Child-years at risk", lambda row: rounded(row["years"], 1)),
        "left": "Left before month 12",
        **by_arm.still_followed(found),
        "left_event": "Left because of an adverse event",
        "died": "Died",
    }
    at, said = found.set_index(["item", "arm"]), {}
    for arm, key in ARM_KEY.items():
        said[f"{key}_years"] = Result(f"safety.years.{key}", at.loc[("years", arm), "years"], digits=1)
        for item in ("infusions_2", "left_event", "died"):
            said[f"{key}_{item}"] = Result(f"safety.{item}.{key}", int(at.loc[(item, arm), "n"]))
        said[f"{key}_treated"] = Result(f"safety.n_treated.{key}", int(at.loc[("years", arm), "N"]))
    table = Exhibit(
        "exposure",
        "Exposure and how the trial ended, by treatment received",
        by_arm.table(found, labels),
        population=POPULATION,
        n=by_arm.sizes(found),
        method="time at risk from the first infusion to the last contact, both days counted; source ADSL, ADAE",
        columns=by_arm.headings("item", "", "{arm}"),
        conventions=("n/N (%) unless stated", by_arm.ORDER),
        results=_results(said),
    )
    return Finding((table,), said)


def adverse_events(counts: pd.DataFrame) -> Finding:
    """Children with each group of events, events, and the difference. counts: from `safety.adverse_events`."""
    said = _said(counts, "safety")
    table = _compared("events", "Adverse events by treatment received", counts, GROUPS, "Adverse event", said)
    return Finding((table,), said)


def by_term(counts: pd.DataFrame) -> Finding:
    """Each term in a table and a picture. counts: from `safety.by_term`, with kind."""
    compared = safety.differences(counts)
    zero = (compared["lower"] <= 0) & (compared["upper"] >= 0)
    said: dict[str, Result | str] = {
        "terms": Result("safety.terms", len(compared)),
        "outside": Result("safety.terms_outside_zero", int((~zero & compared["difference"].notna()).sum())),
    }
    labels = {term: capital(term) for term in counts["item"]}
    title = "Adverse events by term and treatment received"
    table = _compared("terms", title, counts, labels, "Adverse event", said, caption=_no_event(counts))
    shown = (
        compared.assign(most=compared[["placebo_n", "msc_n"]].sum(axis=1))
        .nlargest(DRAWN, "most")
        .sort_index()
    )
    drawn = shown.assign(label=shown["item"].map(capital), group=shown["kind"].map(KINDS))
    for arm, key in ARM_KEY.items():
        drawn[arm] = (100 * shown[f"{key}_n"] / shown[f"{key}_N"]).where(shown[f"{key}_N"] > 0)
    told = [f"{row['item']} {row['placebo_n']} v {row['msc_n']}" for row in shown.to_dict("records")]
    figure = Exhibit(
        "terms-figure",
        f"{title}: shares and differences",
        drawn[["group", "label", *ARMS, "difference", "lower", "upper"]],
        population=POPULATION,
        n=by_arm.sizes(counts) if len(counts) else "no event",
        method=DIFFERENCES,
        conventions=CONVENTIONS,
        caption=f"The {DRAWN} terms with most children are drawn." if len(compared) > DRAWN else "",
        alt=f"Children with each of {len(drawn)} terms, placebo v hUC-MSC: {', '.join(told)}."
        if told
        else "No child had an adverse event.",
        figure=figures.events_by_arm(drawn, label=f"difference hUC-MSC − placebo ({POINTS}), 95 % interval"),
        folded=True,
    )
    return Finding((table, figure), said)


def by_severity(found: pd.DataFrame) -> Finding:
    """Children by the worst severity of their events, of all and of related ones. found: from `safety.by_severity`."""
    labels = {"all": "Any event", "related": "Possibly caused by an infusion"}
    rows = found.assign(item=found["group"] + found["item"])
    names = dict.fromkeys(zip(found["group"], found["item"], strict=True))
    words = {f"{group}{item}": "no event" if item == "none" else item for group, item in names}
    at, said = found.set_index(["group", "item", "arm"])["n"], {}
    for arm, key in ARM_KEY.items():
        worse = int(at.loc["all"].unstack("arm").loc[list(safety.GRAVE), arm].sum())
        said[f"{key}_grave"] = Result(f"safety.worst_grave.{key}", worse)
    cells = {
        "children": by_arm.share,
        "events": lambda row: "" if row["item"].endswith("none") else row["events"],
    }
    heads = {"children": "{arm}: children, worst event", "events": "{arm}: events of this severity"}
    data = by_arm.table(rows, words, cells, head="severity")
    data.insert(0, "group", [labels[group] for group, _ in names])
    table = Exhibit(
        "severity",
        "Adverse events by severity and relatedness",
        data,
        population=POPULATION,
        n=by_arm.sizes(found),
        method="severity and relatedness as the site judged them; source ADAE (AESEV, AEREL)",
        columns={"group": "Events"} | by_arm.headings("severity", "Severity", heads),
        conventions=(FROM_FIRST, "a child counts once, at its worst event", UNJUDGED, by_arm.ORDER),
        results=_results(said),
        folded=True,
    )
    return Finding((table,), said)


def timeline(lanes: pd.DataFrame, events: pd.DataFrame) -> Exhibit:
    """Every treated child's events on its lane. lanes, events: from `safety.lanes`, `safety.emergent`."""
    shown = lanes.groupby("arm", sort=False).head(LANES)
    mine = events[events["child"].isin(shown["child"])]
    columns = ["child", "day", "length", "severity", "serious", "near"]
    counts = [f"{arm} {int((events['arm'] == arm).sum())}" for arm in ARMS]
    return Exhibit(
        "timeline",
        "Adverse events of each child from the first infusion on",
        mine[["child", "arm", "term", "day", "length", "ongoing", "severity", "serious", "related", "near"]],
        population=POPULATION,
        n=_sizes(lanes),
        conventions=("day 0 is the first infusion", "order of randomisation within an arm", by_arm.ORDER),
        caption=f"The first {LANES} children of an arm are drawn." if len(shown) < len(lanes) else "",
        alt=f"One lane for each of {counted(len(shown), 'treated child', 'treated children')}; adverse "
        f"events: {', '.join(counts)}; "
        f"{int(events['serious'].sum())} serious, {int(events['ongoing'].sum())} ongoing at the last contact.",
        figure=figures.event_lanes(shown, mine[columns]),
        folded=True,
    )


def by_time(found: pd.DataFrame) -> Finding:
    """Events by days from the latest infusion. found: from `safety.by_time`."""
    said: dict[str, Result | str] = {}
    first = found[found["item"] == found["item"].iloc[0]].set_index("arm")
    for arm, key in ARM_KEY.items():
        n, N = int(first.loc[arm, "n"]), int(first.loc[arm, "N"])
        said[f"{key}_soon"] = Result(f"safety.soon.{key}", n, text=percent(n, N))
    cells = {
        "children": by_arm.share,
        "events": lambda row: row["events"],
        "years": lambda row: rounded(row["years"], 2),
        "rate": lambda row: rounded(row["rate"], 1),
    }
    heads = {
        "children": "{arm}: children of those there",
        "events": "{arm}: events",
        "years": "{arm}: child-years",
        "rate": "{arm}: events per child-year",
    }
    table = Exhibit(
        "time",
        "When adverse events began, in days from the latest infusion",
        by_arm.table(found, {item: f"Days {item}" for item in found["item"]}, cells, head="days"),
        population=POPULATION,
        n=by_arm.sizes(found[found["item"] == found["item"].iloc[0]]),
        method="the day of an infusion is day 0 and the second infusion starts the count anew; the time that children "
        "spent in each stretch of days is what its events are divided by; source ADSL, ADAE",
        columns=by_arm.headings("days", "Began on", heads),
        conventions=(FROM_FIRST, "children of those in the trial on a day of the stretch", by_arm.ORDER),
        results=_results(said),
        folded=True,
    )
    return Finding((table,), said)


def rates(found: pd.DataFrame) -> Finding:
    """Events per child-year and their ratio. found: from `safety.rates`."""
    frame, said = pd.DataFrame({"event": found["item"].map(GROUPS)}), {}
    for key in ARM_KEY.values():
        frame[f"{key}_all"] = [
            f"{count} ({rounded(rate, 2)})"
            for count, rate in zip(found[f"{key}_events"], found[f"{key}_all"], strict=True)
        ]
        first = found[[f"{key}_{what}" for what in ("n", "years", "rate", "lower", "upper")]]
        frame[f"{key}_first"] = [_rate(*row) for row in first.itertuples(index=False)]
        for item, rate in zip(found["item"], found[f"{key}_all"], strict=True):
            said[f"{key}_{item}"] = Result(f"safety.rate.{item}.{key}", rate, "per child-year", 2)
    frame["ratio"] = [_ratio(*row) for row in found[["ratio", "lower", "upper"]].itertuples(index=False)]
    for row in found.to_dict("records"):
        text = _ratio(row["ratio"], row["lower"], row["upper"])
        said[f"ratio_{row['item']}"] = Result(
            f"safety.rate_ratio.{row['item']}", row["ratio"], digits=2, text=text
        )
    columns = {"event": "Adverse event"}
    for arm, key in ARM_KEY.items():
        columns |= {f"{key}_all": f"{arm}: all events (per child-year)"}
        columns |= {
            f"{key}_first": f"{arm}: children with a first event / child-years to it, rate (95 % interval)"
        }
    numbers = found.drop(columns="item").add_prefix("number_")
    table = Exhibit(
        "rates",
        "Adverse events per child-year, by treatment received",
        pd.concat([frame, numbers], axis=1),
        population=POPULATION,
        n=f"{found['placebo_N'].iloc[0]} v {found['msc_N'].iloc[0]}",
        method="first events: Garwood's exact interval of a rate, exact interval of the ratio given the events of both "
        "arms; all events without an interval, because several events of one child are not independent",
        columns=columns | {"ratio": "Ratio of first events, hUC-MSC to placebo (95 % interval)"},
        conventions=(
            FROM_FIRST,
            "at risk from the first infusion to the first event or the last contact",
            by_arm.ORDER,
        ),
        results=_results(said),
        folded=True,
    )
    return Finding((table,), said)


def laboratory(signals: pd.DataFrame, changes: pd.DataFrame, worst: pd.DataFrame, p: Parameters) -> Finding:
    """Laboratory signals, each child's worst change, and a picture of it.

    signals, changes, worst: from `laboratory_safety.signals`, `worst_changes`, `worst`.
    """
    fall, rise = f"{plain(100 * p.egfr_improvement)} %", plain(1 / (1 - p.remission_fall), 3)
    low, high = plain(laboratory_safety.LEAST_GFR), plain(laboratory_safety.CYSTATIN_LIMIT)
    names = {
        "egfr_fall": f"eGFR at least {fall} below baseline",
        "egfr_low": f"eGFR at or below {low} mL/min/1.73m2, baseline above",
        "cystatin_high": f"Cystatin C above {high} mg/L, baseline not",
        "upcr_doubled": f"UPCR at least {rise} times the baseline",
        "upcr_nephrotic": f"UPCR at or above {plain(laboratory_safety.NEPHROTIC)} mg/mg, baseline below",
    }
    timings = {"any": "at any visit", "twice": "at two attended visits in a row"}
    rows = signals.assign(item=signals["item"] + "_" + signals["timing"]).drop(columns="timing")
    labels = {
        f"{item}_{timing}": f"{name}: {timings[timing]}" for item, name in names.items() for timing in timings
    }
    said = _said(rows, "safety.lab")
    conventions = ("N: children with a baseline on the good side and a later value", by_arm.ORDER)
    table = _compared(
        "laboratory", "Laboratory signals after the infusions", rows, labels, "Signal", said, conventions=conventions,
        caption=f"A fall of eGFR by {fall} is what counts as improvement, the other way: beyond the reference change "
        "value of creatinine (CV07). Limits: registration, inclusion 4 (eGFR); EQ17 (cystatin C); DF06 (UPCR). Urea "
        "nitrogen and red cells have no published limit here and stand in the next table alone.",
        n=_sizes(worst.drop_duplicates("child")),
        source="source ADLB",
    )  # fmt: skip
    measures = laboratory_safety.measures(p)
    worse = {1: "highest", -1: "lowest"}
    cells: dict = {
        key: (f"{capital(m.label)}: {worse[m.worse]} later value against baseline, %", by_arm.quartiles(0))
        for key, m in measures.items()
        if key in set(changes["item"])
    }
    extremes = Exhibit(
        "laboratory-worst",
        "Each child's worst change of a laboratory value",
        by_arm.table(changes, cells, head="measure") if cells else pd.DataFrame(columns=["measure", *ARMS]),
        population=POPULATION,
        n=by_arm.sizes(changes),
        method="each child's own highest (eGFR: lowest) of up to 11 later values, as a change from its baseline; "
        "source ADLB",
        columns=by_arm.headings("measure", "Measure", "{arm}: median (quartiles)"),
        conventions=(
            "the worst of many noisy values is worse than baseline where nothing happens",
            by_arm.ORDER,
        ),
        folded=True,
    )
    limits = {
        "egfr": (laboratory_safety.LEAST_GFR, f"{low}, limit of entry"),
        "cystatin_c": (laboratory_safety.CYSTATIN_LIMIT, f"{high}, reference limit"),
        "upcr": (laboratory_safety.NEPHROTIC, f"{plain(laboratory_safety.NEPHROTIC)}, nephrotic range"),
    }
    panels = []
    for key, m in measures.items():
        limit, name = limits.get(key, (None, ""))
        log = key in ("upcr", "rbc")
        label = {"label": capital(m.label), "unit": m.unit, "worse": m.worse, "log": log}
        panels.append({"measure": key, **label, "limit": limit, "name": name})
    beyond = {
        key: int((rows["change"] * measures[key].worse > 0).sum()) for key, rows in worst.groupby("measure")
    }
    told = [
        f"{measures[key].label} {n} of {int((worst['measure'] == key).sum())}" for key, n in beyond.items()
    ]
    figure = Exhibit(
        "laboratory-figure",
        "Worst later value of each child against its baseline",
        worst,
        population=POPULATION,
        n=_sizes(worst.drop_duplicates("child")),
        method="highest of up to 11 later values, lowest for eGFR; source ADLB",
        conventions=("UPCR and red cells on logarithmic scales", by_arm.ORDER),
        alt=f"Scatter of the worst later value against baseline, children whose worst is worse than baseline: "
        f"{', '.join(told)}."
        if told
        else "No child has a baseline and a later value.",
        figure=figures.worst_values(worst, panels),
    )
    return Finding((table, extremes, figure), said)


def listing(rows: pd.DataFrame, events: pd.DataFrame) -> Finding:
    """The events to be read one by one. rows: from `safety.listing`; events: what it was chosen from."""
    said: dict[str, Result | str] = {
        "listed": Result("safety.listed", len(rows), text=f"{len(rows)} of {len(events)}"),
        "serious": Result("safety.listed_serious", int(rows["serious"].sum())),
    }
    table = Exhibit(
        "listing",
        "Listing: serious, severe or possibly caused events",
        _listed(rows),
        population=POPULATION,
        n=f"{len(rows)} of {counted(len(events), 'event', 'events')}",
        columns={
            "arm": "Arm", "child": "Child", "term": "Adverse event", "day": "Day from first infusion",
            "since": "Day from latest infusion", "lasted": "Days", "severity": "Severity", "serious": "Serious",
            "related": "Possibly caused", "near": "Within 24 h",
        },
        conventions=("the day of an infusion is day 0", UNJUDGED, by_arm.ORDER),
        caption="" if len(rows) else "There is no such event.",
        results=_results(said), folded=True,
    )  # fmt: skip
    return Finding((table,), said)


def before_treatment(rows: pd.DataFrame) -> Finding:
    """Events that no infusion can have caused, apart. rows: from `safety.before_treatment`."""
    said: dict[str, Result | str] = {"before": Result("safety.before_first_infusion", len(rows))}
    frame = rows.assign(
        date=rows["date"].dt.strftime("%Y-%m-%d"),
        treated=["before the first infusion" if yes else "no infusion given" for yes in rows["treated"]],
        lasted=["ongoing" if yes else "ended" for yes in rows["ongoing"]],
    )
    table = Exhibit(
        "before",
        "Events before the first infusion, or of children who had none",
        frame[["arm", "child", "term", "date", "lasted", "severity", "serious", "treated"]],
        population="all randomised, as randomised",
        n=f"{counted(len(rows), 'event', 'events')} of {counted(rows['child'].nunique(), 'child', 'children')}",
        columns={
            "arm": "Arm", "child": "Child", "term": "Adverse event", "date": "First day", "lasted": "At last contact",
            "severity": "Severity", "serious": "Serious", "treated": "Why apart",
        },
        conventions=("not treatment-emergent: counted nowhere else in this chapter", by_arm.ORDER),
        caption="" if len(rows) else "There is no such event.",
        results=_results(said), folded=True,
    )  # fmt: skip
    return Finding((table,), said)


def _compared(
    key: str, title: str, counts: pd.DataFrame, labels: Mapping[str, str], head: str, said: Mapping, caption: str = "",
    conventions: tuple[str, ...] = CONVENTIONS, n: str = "", source: str = "source ADSL, ADAE",
) -> Exhibit:  # fmt: skip
    """A table of `item arm n N`, perhaps with events and intervals: children of each arm and the difference."""
    compared = safety.differences(counts).set_index("item")
    listed = "lower" in counts
    cells: dict[str, by_arm.Cell] = {"children": by_arm.share}
    heads = {"children": "{arm}: children"}
    if listed:
        cells |= {"interval": _interval, "low": lambda row: row["lower"], "high": lambda row: row["upper"]}
        cells |= {"events": lambda row: row["events"]}
        heads |= {"interval": f"{{arm}}: two-sided 95 % interval, {SHARE}, %", "events": "{arm}: events"}
    if len(counts):
        data = by_arm.table(counts, labels, cells, head="event")
    else:
        data = pd.DataFrame(columns=["event", *(f"{arm}_{name}" for arm in ARMS for name in cells)])
    order = compared.loc[list(labels)]
    for column in ("difference", "lower", "upper"):
        data[column] = order[column].to_numpy()
    texts = order[["difference", "lower", "upper"]].itertuples(index=False)
    data["difference_text"] = [_difference(*row) for row in texts]
    columns = by_arm.headings("event", head, heads) | {
        "difference_text": f"Difference ({safety.DIFFERENCE} 95 % interval)"
    }
    return Exhibit(
        key,
        title,
        data,
        population=POPULATION,
        n=n or (by_arm.sizes(counts) if len(counts) else "no event"),
        method=f"{SHARES + '; ' if listed else ''}{DIFFERENCES}; {source}",
        columns=columns,
        units={"difference_text": POINTS},
        conventions=(*conventions, UNJUDGED) if listed else conventions,
        caption=caption,
        results=_results(said),
    )


def _said(counts: pd.DataFrame, prefix: str) -> dict[str, Result | str]:
    """Children of each arm and the difference, by item, as results under `prefix`."""
    said: dict[str, Result | str] = {}
    for row in counts.to_dict("records"):
        key, n = ARM_KEY[row["arm"]], int(row["n"])
        text = percent(n, row["N"])
        said[f"{row['item']}_{key}"] = Result(f"{prefix}.{row['item']}.{key}", n, text=text)
    for row in safety.differences(counts).to_dict("records"):
        text = _difference(row["difference"], row["lower"], row["upper"])
        if row["difference"] == row["difference"]:
            text = text.replace(" (", f" {POINTS} (95 % interval ", 1)
        name = f"{prefix}.{row['item']}.difference"
        said[f"{row['item']}_difference"] = Result(name, row["difference"], POINTS, 1, text=text)
    return said


def _apart(found: pd.DataFrame, least: pd.DataFrame) -> str:
    """How many children must have an event before the arms are told apart, in a sentence."""
    if len(least):
        row = least.iloc[0]
        return (
            f"Before the interval of the difference leaves out zero, **{row['msc_n']} of {row['msc_N']}** treated "
            "with hUC-MSC must have an event that no child on placebo had."
        )
    if found.loc[found["group"] == "any infusion", "N"].min() == 0:
        return "There is no difference to estimate: in an arm no child was treated."
    return (
        "Even an event of every child on hUC-MSC that no child on placebo had would leave zero in the interval of the "
        "difference."
    )


def _seen(counts: pd.DataFrame, bound: Result | str, limit: Result | str) -> str:
    """What the serious events held for caused by an infusion of hUC-MSC exclude, in a sentence.

    bound, limit: where none has one, the one-sided bound, and the upper limit of the two-sided interval.
    """
    row = counts[(counts["item"] == "serious_related") & (counts["arm"] == "hUC-MSC")].iloc[0]
    if not row["N"]:
        return "No child was treated with hUC-MSC."
    if not row["n"]:
        return (
            f"Of {counted(row['N'], 'child', 'children')} on hUC-MSC none had a serious event held for "
            "possibly caused by an infusion: a "
            f"rate above {bound} is excluded at one-sided 95 %, and no lower one; two-sided, as in the table of "
            f"adverse events, a rate above {limit}."
        )
    return (
        f"{row['n']} of {counted(row['N'], 'child', 'children')} on hUC-MSC had a serious event held for "
        "possibly caused by an infusion: "
        f"its rate lies between {_interval(row)} % (exact two-sided 95 % interval)."
    )


def _interval(row: Mapping) -> str:
    if not row["N"]:
        return "no child treated"
    return f"{rounded(100 * row['lower'], 1)} to {rounded(100 * row['upper'], 1)}"


def _difference(difference: float, lower: float, upper: float) -> str:
    if difference != difference:
        return NOT_ESTIMABLE
    return f"{rounded(difference, 1)} ({limit_text(lower, 1, 0)} to {limit_text(upper, 1, 0)})"


def _rate(n: int, years: float, rate: float, lower: float, upper: float) -> str:
    if not years:
        return NOT_ESTIMABLE
    return f"{int(n)} / {rounded(years, 1)}, {rounded(rate, 2)} ({rounded(lower, 2)} to {rounded(upper, 2)})"


def _ratio(ratio: float, lower: float, upper: float) -> str:
    """The ratio with its interval; one-sided words where an arm has no event."""
    if lower != lower:
        return NOT_ESTIMABLE
    if upper == float("inf"):
        return f"no bound above (at least {limit_text(lower, 2, 1)})"
    return f"{rounded(ratio, 2)} ({limit_text(lower, 2, 1)} to {limit_text(upper, 2, 1)})"


def _no_event(counts: pd.DataFrame) -> str:
    return "" if len(counts) else "No child had an adverse event."


def _sizes(frame: pd.DataFrame) -> str:
    """Children in the arms, "20 v 20", of a frame with a row a child."""
    return " v ".join(str(int((frame["arm"] == arm).sum())) for arm in ARMS)


def _listed(rows: pd.DataFrame) -> pd.DataFrame:
    lasted = [
        "ongoing" if yes else rounded(days) for yes, days in zip(rows["ongoing"], rows["length"], strict=True)
    ]
    columns = ["arm", "child", "term", "day", "since", "lasted", "severity", "serious", "related", "near"]
    return rows.assign(lasted=lasted)[columns]


def _results(said: Mapping[str, Result | str]) -> list[Result]:
    """What of it is a result, and not words."""
    return [value for value in said.values() if isinstance(value, Result)]
