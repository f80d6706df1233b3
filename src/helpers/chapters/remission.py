"""Chapter 06: the primary endpoint first and alone, then other sets, every visit, ever, and the other measures.

Frames of `analysis.remission` in, exhibits and what may be said of them out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from helpers import figures
from helpers.analysis import remission, sequence
from helpers.chapters.exhibits import Exhibit, Finding, Result, limit
from helpers.chapters.words import (
    NOT_ESTIMABLE,
    VALIDATED,
    children_text,
    counted,
    estimate_text,
    limit_text,
    percent,
    plain,
    pvalue_text,
    rounded,
)
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, LAST, VISITS

MEASURES = {
    "UPCR": "Protein: UPCR (primary measure)",
    "P24": "Protein: 24-hour protein",
    "DIP": "Protein: dipstick",
    "HEM": "Haematuria: urine red cells",
    "GFR": "Renal function: rise of eGFR",
}
KINDS = {
    "confirmed": "Confirmed",
    "sustained": "Sustained to the last visit attended",
    "ever": "Ever, at any visit",
    remission.AT_LAST: f"At {LAST.lower()}",
}
SETS = {
    "all_randomised": "All randomised (primary)",
    "evaluable": "With an evaluable baseline (supplementary)",
    "per_protocol": "Per protocol: both infusions, no rescue (supplementary)",
}
SEQUENCE = {
    sequence.CONFIRMED: "Confirmed remission by UPCR (primary)",
    sequence.WEIGHTED: "Time-weighted mean of log UPCR, week 2 to month 12, as a ratio",
    sequence.LAST: f"In remission by UPCR at {LAST.lower()}",
    sequence.HC2: "The same mean, HC2 standard error with Bell and McCaffrey's df",
    sequence.AFTER_RESCUE: "Log UPCR over the year, values after rescue as missing, as a ratio",
}
EXACT = "exact, Boschloo"
"""The kind of interval that inverts the primary test, in a row of a table that holds several kinds."""
KIND = {
    sequence.CONFIRMED: EXACT,
    sequence.WEIGHTED: "t",
    sequence.LAST: EXACT,
    sequence.HC2: "t, HC2",
    sequence.AFTER_RESCUE: "t, Kenward-Roger linear",
}
"""The same of each step."""
POINTS = "percentage points"
ROWS = 80
"""Children an arm in the picture of states at most."""
INTERVALS = "Wilson's 95 % interval in an arm, for the difference the exact 95 % interval that inverts Boschloo's test"
APPROXIMATE = "Miettinen-Nurminen, approximate (95 % interval)"
RANDOMISED = "all randomised; not evaluable (UPCRFL) = no remission"
CONVENTIONS = (
    "arm order placebo, hUC-MSC",
    "difference hUC-MSC - placebo",
    "not seen in remission = no remission",
    "percentages half away from zero",
)


PRICE = (
    "The exact interval ranks the tables at every difference as the test ranks them at none. So it never contradicts "
    "the test, and pays with width, most where few children or nearly all have the event: how often it holds a true "
    f"difference is told in {VALIDATED}."
)
"""What the exact interval costs."""


def primary(found: pd.DataFrame, p: Parameters) -> Finding:
    """The primary endpoint: n/N, Wilson; difference with the exact interval of the test; Boschloo's two-sided p; the
    approximate interval beside it.

    found: from `remission.primary`.
    """
    frame = worded(found.assign(label=found["set"].map(SETS)))
    frame[["approximate_lower", "approximate_upper"]] = found[["approximate_lower", "approximate_upper"]]
    frame["approximate_text"] = [
        NOT_ESTIMABLE
        if row.note
        else f"{limit_text(row.approximate_lower, 1, 0)} to {limit_text(row.approximate_upper, 1, 0)}"
        for row in frame.itertuples()
    ]
    tested = found["set"] == remission.SETS[0]
    frame["p"] = found["p"]
    frame["p_text"] = [
        pvalue_text(value, p.alpha) if one else "" for value, one in zip(found["p"], tested, strict=True)
    ]
    row, beside = frame.iloc[0], frame.iloc[1]
    said = {}
    for key in ARM_KEY.values():
        name = f"remission.primary.{key}"
        said[key] = Result(f"{name}.share", row[key], "%", 1, text=row[f"{key}_share"])
        said[f"{key}_n"] = Result(f"{name}.n", row[f"{key}_n"])
        said[f"{key}_children"] = Result(f"{name}.N", row[f"{key}_N"])
        share = beside[f"{key}_share"]
        said[f"evaluable_{key}"] = Result(
            f"remission.primary.evaluable.{key}", beside[key], "%", 1, text=share
        )
    said |= difference_results("remission.primary", row)
    said["evaluable_difference"] = difference_results("remission.primary.evaluable", beside)["difference"]
    said["p"] = Result("remission.primary.p", row["p"], digits=3, text=row["p_text"])
    said["verdict"] = _verdict(found.iloc[0], p.alpha)
    table = Exhibit(
        "remission-primary",
        "Primary endpoint: confirmed remission of proteinuria by UPCR, week 2 to month 12",
        frame,
        columns={
            "label": "Children",
            "placebo_text": "Placebo n/N, % (95 % interval)",
            "msc_text": "hUC-MSC n/N, % (95 % interval)",
            "difference_text": "Difference (exact 95 % interval)",
            "p_text": "p (Boschloo)",
            "approximate_text": APPROXIMATE,
        },
        units={"difference_text": POINTS, "approximate_text": POINTS},
        population="all randomised, as randomised; supplement: baseline UPCR at least "
        f"{plain(p.remission_threshold)} mg/mg (UPCRFL)",
        n=counted(f"{row['placebo_N']} v {row['msc_N']}", "child", "children"),
        method="Boschloo's unconditional exact test, two-sided (twice the smaller side), level "
        f"{plain(p.alpha)}; {INTERVALS}; source ADTTE (UPCRC)",
        conventions=(*CONVENTIONS, confirmation(p)),
        caption=f"{definition(p)} Not evaluable (baseline below {plain(p.remission_threshold)} mg/mg or missing) or "
        f"undetermined counts as no remission. The supplement has no p-value. {PRICE}",
        results=results_in(said),
    )
    return Finding((table,), said)


def confirmation(p: Parameters) -> str:
    """How long a confirmed remission holds, in a convention under every table that uses it."""
    first = (
        f"first one at least {counted(p.confirm_days, 'day', 'days')} later by target day"
        if p.confirm_days
        else "next one"
    )
    return f"confirmed: holds at every attended visit up to the {first}, which must exist"


def fixed_sequence(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """The tests that may be made, in their order, and what became of them. found: from `sequence.fixed_sequence`."""
    frame, said = found.copy(), {}
    frame["label"] = found["endpoint"].map(SEQUENCE)
    frame["step_text"] = [str(step) if step else "supplement" for step in found["step"]]
    frame["n"] = [f"{a} v {b}" for a, b in zip(found["placebo_N"], found["msc_N"], strict=True)]
    for k, row in enumerate(found.to_dict("records")):
        ratio = row["endpoint"] in (sequence.WEIGHTED, sequence.HC2, sequence.AFTER_RESCUE)
        text = estimate_text(
            row["estimate"], row["lower"], row["upper"], row["note"], *((2, 1) if ratio else (1, 0))
        )
        frame.loc[k, "text"] = text if ratio else f"{text} {POINTS}"
        frame.loc[k, "interval"] = KIND[row["endpoint"]] if np.isfinite(row["lower"]) else ""
        key = f"remission.sequence.{row['endpoint']}"
        said[row["endpoint"]] = Result(
            f"{key}.estimate",
            row["estimate"],
            "" if ratio else POINTS,
            2 if ratio else 1,
            frame.loc[k, "text"],
        )
        if row["step"]:
            text = pvalue_text(row["p"], p.alpha)
            said[f"{row['endpoint']}_p"] = Result(f"{key}.p", row["p"], digits=3, text=text)
            frame.loc[k, ["p_text", "may_text"]] = [text, "yes" if row["may_be_tested"] else "no"]
    frame[["p_text", "may_text"]] = frame[["p_text", "may_text"]].fillna("")
    stops = found.loc[found["step"] > 0].query("not succeeded")["step"]
    words = (
        f"Each of the three tests succeeded at the level of {plain(100 * p.alpha)} %."
        if stops.empty
        else f"The sequence ends at step {stops.iloc[0]}, which did not succeed"
        + (
            ": the steps after it may not be tested, and their p-values decide nothing."
            if stops.iloc[0] < 3
            else "."
        )
    )
    said["words"] = words
    table = Exhibit(
        "remission-sequence", "The fixed sequence of tests",
        frame[["step_text", "label", "n", "text", "interval", "p_text", "may_text", "step", "endpoint", "estimate",
               "lower", "upper", "p", "may_be_tested", "succeeded", "note"]],
        columns={"step_text": "Step", "label": "Endpoint", "n": "n placebo v hUC-MSC",
                 "text": "hUC-MSC against placebo (95 % interval)", "interval": "Interval", "p_text": "p",
                 "may_text": "May be tested"},
        population="remission: all randomised; log UPCR: all randomised with a baseline and a value behind month 6",
        n=f"{children_text(adsl)} randomised, analysed as each row says",
        method=f"each at {plain(100 * p.alpha)} %, only if the one before succeeded; remission: Boschloo's test, "
        "two-sided; log UPCR: ANCOVA of its time-weighted mean (trapezoid over the attended visits from week 2 to "
        f"month 12) on arm and log baseline{'' if p.strata == 'none' else ' and RAS inhibition'}, ratio hUC-MSC / "
        "placebo; supplements: the same with a variance that may differ between the arms, and the time average of the "
        "mixed model; source ADSL, ADLB (PROTCRT), ADTTE (UPCRC)",
        conventions=("arm order placebo, hUC-MSC",
                     "every other comparison is an estimate with its interval; no p-value but those of two supplements",
                     "UPCR as observed whatever the treatment; last row: values after rescue as missing at random",
                     confirmation(p)),
        caption=words, missing="", results=results_in(said),
    )  # fmt: skip
    return Finding((table,), said)


def definition(p: Parameters) -> str:
    """Remission and its confirmation in a sentence, under the readings in force."""
    fall, limit = f"{plain(100 * p.remission_fall)} %", f"{plain(p.remission_threshold)} mg/mg"
    fallen = f"UPCR at least {fall} below baseline"
    words = {
        "fall": f"{fallen} (complete where also below {limit}, else partial)",
        "threshold alone": f"UPCR below {limit}",
        "KDIGO": f"{fallen} and at most {plain(p.kdigo_upper)} mg/mg (complete where below {limit}, else partial)",
    }[p.remission_definition]
    return f"Remission: {words}. No remission after rescue treatment."


def undetermined(children: pd.DataFrame, primary: pd.DataFrame, p: Parameters) -> Finding:
    """The children for whom no remission is a decision and not an observation.

    children: from `remission.undetermined`; primary: from `remission.primary`, their denominators.
    """
    gone = "left: " + children["reason"].fillna("no reason")
    last = children["last"].fillna("none after baseline")
    frame = children[["arm", "child", "last", "missing", "remission"]].assign(
        last=last.where(children["evaluable"].astype(bool), last + "; no baseline UPCR"),
        end=gone.mask(children["status"] == "COMPLETED", "completed").mask(
            children["status"] == "ONGOING", "still followed"
        ),
    )
    row, said, shares = primary.iloc[0], {}, []
    for key in ARM_KEY.values():
        name = f"remission.primary.{key}"
        said[f"{key}_undetermined"] = Result(f"{name}.undetermined", row[f"{key}_undetermined"])
        said[f"{key}_children"] = Result(f"{name}.N", row[f"{key}_N"])
        shares.append(f"{row[f'{key}_undetermined']} of {row[f'{key}_N']}")
    table = Exhibit(
        "remission-undetermined",
        "Children whose primary endpoint is undetermined, counted as no remission",
        frame,
        columns={
            "arm": "Arm", "child": "Child", "last": "Last UPCR", "missing": "Visits without UPCR, of 11",
            "remission": "Visits in remission", "end": "End of trial",
        },
        population="all randomised, no confirmed remission seen",
        n=f"{' v '.join(shares)} randomised",
        method="undetermined = would be a confirmed remission if every visit without a value had shown "
        "remission; source ADSL, ADLB, ADTTE",
        conventions=["arm order placebo, hUC-MSC", "order of randomisation within an arm", confirmation(p)],
        caption="" if len(frame) else "There is no such child: the outcome of every child is known.",
        results=results_in(said), folded=True,
    )  # fmt: skip
    return Finding((table,), said)


def by_set(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """The primary endpoint in three analysis sets. found: from `remission.by_set`."""
    return table_and_forest(
        "remission-sets", "Confirmed remission of proteinuria by UPCR in three analysis sets", (confirmation(p),),
        found.assign(label=found["set"].map(SETS)), "remission." + found["set"], "Analysis set",
        population="as each row names", n=f"{len(adsl)} randomised",
        method=f"{INTERVALS}, no p-values; source ADSL, ADTTE (UPCRC)",
    )  # fmt: skip


def by_visit(found: pd.DataFrame, adsl: pd.DataFrame) -> Finding:
    """In remission by UPCR at each visit and at any. found: from `remission.by_visit`."""
    ever = found["visit"] == remission.EVER
    keys = "remission.visit." + found["visit"].str.lower().str.replace(" ", "")
    shown = table_and_forest(
        "remission-visits", "Remission of proteinuria by UPCR at each visit", (),
        found.assign(label=found["visit"].mask(ever, "At any visit (ever)")), keys.mask(ever, "remission.ever"),
        "Visit",
        details={"evaluable with a value / complete": ("seen", "complete")}, population=RANDOMISED,
        n=children_text(adsl),
        method=f"{INTERVALS}, no p-values; source ADLB (PROTCRT, AVALCAT1)",
    )  # fmt: skip
    nobody = found.loc[~ever & (found["placebo_seen"] + found["msc_seen"] == 0), "visit"]
    words = f"No child evaluable for remission has a UPCR at {', '.join(nobody)}." if len(nobody) else ""
    return Finding(shown.exhibits, {**shown.said, "empty": words})


def endpoints(found: pd.DataFrame, adsl: pd.DataFrame, p: Parameters) -> Finding:
    """Five measures in four ways: of protein in all randomised, the others in those evaluable for them.

    found: from `remission.endpoints`.
    """
    return table_and_forest(
        "remission-endpoints", "Remission and improvement by measure", (confirmation(p),),
        found.assign(label=found["kind"].map(KINDS), group=found["measure"].map(MEASURES)),
        "remission." + found["measure"].str.lower() + "." + found["kind"], "Reached",
        population="protein: all randomised, not evaluable = no remission; haematuria and renal function: evaluable "
        "for it at baseline, N in the table",
        n=f"{len(adsl)} randomised", method=f"{INTERVALS}, no p-values; source ADSL, ADLB, ADTTE",
    )  # fmt: skip


def each_child(states: pd.DataFrame, counts: pd.DataFrame, adsl: pd.DataFrame) -> Finding:
    """State of UPCR remission by child and visit, earliest and longest remission on top.

    states: from `remission.each_child`; counts: from `remission.state_counts`.
    """
    short = {v.name: v.short for v in VISITS}
    wide = states.assign(visit=states["visit"].map(short)).pivot(
        index="child", columns="visit", values="state"
    )
    wide = wide.reindex(index=adsl["USUBJID"], columns=list(short.values())).rename_axis("child")
    arms = dict(zip(adsl["USUBJID"], adsl["TRT01P"], strict=True))
    order = _earliest_first(wide, arms)
    said, by = {}, counts.set_index("state")["n"]
    for state, n in by.items():
        name = str(state).replace(" ", "_").replace("-", "_")
        text = percent(n, by["seen"]) if state == "in remission" else None
        said[name] = Result(f"remission.tiles.{name}", n, text=text)
    kinds = [f"{n} {state}" for state, n in by.items() if state in remission.STATES]
    cut = f" The first {ROWS} children of an arm are drawn." if len(order) < len(wide) else ""
    figure = Exhibit(
        "remission-tiles",
        "Remission of proteinuria by UPCR, child by child",
        wide.assign(arm=pd.Series(arms)).reset_index()[["child", "arm", *short.values()]],
        population="all randomised",
        n=children_text(adsl),
        method="state at each visit against the child's baseline, none after rescue; "
        "source ADSL, ADLB (PROTCRT, AVALCAT1)",
        conventions=["arm order placebo, hUC-MSC", "earliest remission on top", "W week, M month"],
        caption=f"A single tile in remission is not a confirmed remission.{cut}",
        alt=f"Tiles by child and visit: {', '.join(kinds)}.",
        figure=figures.tiles(wide, visits=list(short.values()), order=order, arm_of=arms),
        results=results_in(said),
    )
    return Finding((figure,), said)


def _earliest_first(wide: pd.DataFrame, arms: Mapping[str, str]) -> list[str]:
    """Children to draw from the top: evaluable, earliest remission, most visits in it; `ROWS` an arm."""
    hit = wide.isin(["complete", "partial"]).to_numpy()
    rank = pd.DataFrame(
        {
            "arm": wide.index.map(arms),
            "out": (wide == "not evaluable").any(axis=1).to_numpy(),
            "first": np.where(hit.any(axis=1), hit.argmax(axis=1), hit.shape[1]),
            "times": -hit.sum(axis=1),
        },
        index=wide.index,
    ).sort_values(["out", "first", "times"], kind="stable")
    return list(rank.groupby("arm", sort=False).head(ROWS).index)


def worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of `rates.compared` under their `label` with their numbers in words: what a table of rates shows."""
    out = pd.DataFrame({"label": frame["label"]})
    for key in ARM_KEY.values():
        columns = [f"{key}_n", f"{key}_N", key, f"{key}_lower", f"{key}_upper"]
        out[columns] = frame[columns]
        texts = [_share_texts(*row) for row in frame[[*columns, f"{key}_note"]].itertuples(index=False)]
        out[[f"{key}_text", f"{key}_share"]] = pd.DataFrame(texts, columns=["text", "share"], index=out.index)
    columns = ["difference", "lower", "upper", "note"]
    out[columns] = frame[columns]
    out["difference_text"] = [_difference_text(*row) for row in frame[columns].itertuples(index=False)]
    return out


def table_and_forest(
    key: str,
    title: str,
    conventions: Sequence[str],
    found: pd.DataFrame,
    names: Sequence[str],
    heading: str,
    details: Mapping[str, Sequence[str]] | None = None,
    **notes: str,
) -> Finding:
    """Rates by arm as a table, and their differences as a forest.

    conventions: beside `CONVENTIONS`; found: columns of `rates.compared`, with `label` (under `heading`) and perhaps
    `group` (a measure or variable); names: key of each row's results; details: heading -> columns "{arm}_<name>" to be
    shown under it; notes: population, n and method of the exhibits. Said of a row: its name without "remission.", dots
    as _, and the arm, "difference", "lower" or "upper".
    """
    frame, said = worded(found), {}
    columns = {"label": heading}
    if "group" in found:
        frame["group"] = found["group"]
        columns = {"group": "Measure"} | columns
    for arm, short in ARM_KEY.items():
        columns[f"{short}_text"] = f"{arm} n/N, % (95 % interval)"
        for detail, names_of in (details or {}).items():
            parts = [f"{short}_{name}" for name in names_of]
            frame[parts] = found[parts]
            frame[f"{short}_detail"] = [
                " / ".join(map(str, row)) for row in found[parts].itertuples(index=False)
            ]
            columns[f"{short}_detail"] = f"{arm} {detail}"
    columns["difference_text"] = "Difference (95 % interval)"
    for (_, row), name in zip(frame.iterrows(), names, strict=True):
        short = name.removeprefix("remission.").replace(".", "_")
        for arm in ARM_KEY.values():
            said[f"{short}_{arm}"] = Result(f"{name}.{arm}", row[arm], "%", 1, text=row[f"{arm}_share"])
        said |= {f"{short}_{k}": result for k, result in difference_results(name, row).items()}
    table = Exhibit(
        key, title, frame, columns=columns, units={"difference_text": POINTS}, results=results_in(said),
        conventions=(*CONVENTIONS, *conventions), **notes, folded=True,
    )  # fmt: skip
    spread = frame["difference"].dropna()
    zero = int(((frame["lower"] <= 0) & (frame["upper"] >= 0)).sum())
    alt = (
        f"Differences hUC-MSC - placebo of {counted(len(frame), 'row', 'rows')}, {rounded(spread.min(), 1)} to "
        f"{rounded(spread.max(), 1)} {POINTS}; {zero} of {len(spread)} intervals contain zero."
        if len(spread)
        else "No difference is estimable: an arm has no child to count."
    )
    axis = f"difference hUC-MSC − placebo ({POINTS}), 95 % interval"
    figure = Exhibit(
        f"{key}-forest", f"{title}: differences", frame, alt=alt,
        figure=figures.forest(_drawn(frame), label=axis, zero=0, favours=[f"favours {arm}" for arm in ARM_KEY]),
        conventions=(*CONVENTIONS, *conventions), **notes, folded=not key.startswith("open-"),
    )  # fmt: skip
    return Finding((table, figure), said)


def difference_results(name: str, row: Mapping) -> dict[str, Result]:
    """Difference and its limits of a row of `worded`, as results under `name`."""
    text = row["difference_text"]
    if not row["note"]:
        text = text.replace(" (", f" {POINTS} (95 % interval ", 1)
    return {
        "difference": Result(f"{name}.difference", row["difference"], POINTS, 1, text=text),
        "lower": limit(f"{name}.difference_lower", row["lower"], POINTS, 1, 0),
        "upper": limit(f"{name}.difference_upper", row["upper"], POINTS, 1, 0),
    }


def results_in(said: Mapping[str, Result | str]) -> list[Result]:
    """What of it is a result, and not words."""
    return [value for value in said.values() if isinstance(value, Result)]


def _share_texts(x, n, share, lower, upper, note) -> tuple[str, str]:
    """x/n with the percentage and its interval; without the interval."""
    if note:
        return f"{x}/{n}, {NOT_ESTIMABLE} ({note})", f"{x}/{n} ({note})"
    return f"{x}/{n}, {rounded(share, 1)} % ({rounded(lower, 1)} to {rounded(upper, 1)})", percent(x, n)


def _difference_text(difference, lower, upper, note) -> str:
    if note:
        return f"{NOT_ESTIMABLE}: {note}"
    return f"{rounded(difference, 1)} ({limit_text(lower, 1, 0)} to {limit_text(upper, 1, 0)})"


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """What the forest draws and prints of a table of rates."""
    out = frame[["group"] if "group" in frame else []].copy()
    out[["label", "estimate", "lower", "upper"]] = frame[["label", "difference", "lower", "upper"]]
    out["text"], out["note"] = frame["difference_text"].str.replace("-", "−"), frame["note"]
    for arm, key in ARM_KEY.items():
        out[f"{arm}\nn/N"] = [f"{x}/{n}" for x, n in zip(frame[f"{key}_n"], frame[f"{key}_N"], strict=True)]
    return out


def _verdict(row: pd.Series, alpha: float) -> str:
    """What test and interval say about zero, in words, and whether they agree."""
    if row["note"]:
        return f"The primary comparison is not estimable: {row['note']}."
    events, children = (sum(row[f"{key}_{column}"] for key in ARM_KEY.values()) for column in ("n", "N"))
    words = []
    if events == 0:
        words.append("No child of either arm had a confirmed remission, so the arms can't be told apart.")
    if events == children:
        words.append("Every child had a confirmed remission, so the arms can't be told apart.")
    if min(row["placebo_N"], row["msc_N"]) < 2:
        words.append("An arm with a single child carries next to no information.")
    test, interval = row["decided"], not row["lower"] <= 0 <= row["upper"]
    # One procedure: at one level they can't disagree.
    names = {True: "excludes", False: "does not exclude"}
    if test == interval:
        both = "both exclude" if test else "neither excludes"
        words.append(f"Test (level {plain(100 * alpha)} %) and 95 % interval agree: {both} zero difference.")
    else:
        words.append(
            f"The test (level {plain(100 * alpha)} %) {names[test]} zero difference, the 95 % interval "
            f"{names[interval]} it: they stand at different levels; the test decides."
        )
    return " ".join(words)
