"""Figures of who was screened, enrolled, treated and seen: counts and lanes, nothing estimated.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state.
"""

import numpy as np
import pandas as pd
from matplotlib.collections import PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    RULE,
    SKY,
    SMALL,
    VERMILLION,
    WIDTH,
    YELLOW,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing,
    nothing_figure,
    short_names,
    spread,
    text_width,
    whole_numbers,
    wrap,
)
from helpers.study.shown import grouped

# state -> face, hatch, symbol
TILE = {
    "complete": (BLUE, "", ""),
    "partial": (SKY, "////", ""),
    "none": (PALE, "", ""),
    "not attended": ("white", "", "x"),
    "after drop-out": ("white", "", ""),
    "not yet due": ("white", "", "_"),
    "not evaluable": ("white", "", "."),
}
TILE_NAMES = {
    "complete": "complete remission", "partial": "partial remission", "none": "no remission",
    "not attended": "not attended, or no sample", "after drop-out": "after drop-out",
    "not yet due": "not yet due", "not evaluable": "not evaluable",
}  # fmt: skip


@drawing
def tiles(states, *, visits, order, arm_of):
    """Remission state by child (rows) and visit (columns), arms side by side.

    states: frame with one row a child (index) and one column a visit, or tidy with columns child, visit,
    state; words complete, partial, none, not attended, after drop-out, not yet due, not evaluable; NaN is not
    attended; other words raise ValueError. visits: columns to draw, in order; order: children from the top; arm_of:
    child -> arm.
    """
    states = pd.DataFrame(states)
    visits, order = list(visits), list(order)
    if {"child", "visit", "state"} <= set(states.columns):
        states = states.drop_duplicates(["child", "visit"]).pivot(
            index="child", columns="visit", values="state"
        )
    table = states.reindex(index=order, columns=visits).astype(object)
    table = table.where(table.notna(), "not attended")
    other = sorted(set(map(str, table.to_numpy().ravel())) - set(TILE))
    if other:
        raise ValueError(f"unknown state {', '.join(other)}: the states are {', '.join(TILE)}")
    groups = {arm: [c for c in order if arm_of.get(c) == arm] for arm in ARMS}
    if not visits or not any(groups.values()):
        return nothing_figure("no child with a visit")
    names = short_names(order)
    rows = max(max(map(len, groups.values())), 4)
    fig = Figure(figsize=(WIDTH, 0.205 * rows + 1.9), layout="constrained")
    for ax, (arm, children) in zip(fig.subplots(1, 2), groups.items(), strict=True):
        ax.set_title(
            f"{arm} ({len(children)} {'child' if len(children) == 1 else 'children'})", weight="bold"
        )
        if not children:
            nothing(ax, "no child in this arm")
            continue
        drawn = table.loc[children].to_numpy()
        for state, (face, hatch, symbol) in TILE.items():
            places = np.argwhere(drawn == state)
            squares = [Rectangle((column - 0.47, row - 0.46), 0.94, 0.92) for row, column in places]
            look = {
                "facecolor": face,
                "hatch": hatch,
                "edgecolor": "white" if hatch else RULE,
                "linewidth": 0.5,
            }
            dots = ":" if state == "after drop-out" else "-"
            ax.add_collection(PatchCollection(squares, linestyle=dots, **look))
            if symbol:
                size = 4.5 if symbol == "x" else 3
                ax.plot(places[:, 1], places[:, 0], symbol, color=INK, markersize=size)
        ax.set(xlim=(-0.55, len(visits) - 0.45), ylim=(rows - 0.45, -0.55))
        ax.set_yticks(range(len(children)), [names[c] for c in children], size=SMALL)
        ax.set_xticks(range(len(visits)), [str(v) for v in visits], rotation=90)
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
    there = set(table.to_numpy().ravel())
    handles = []
    for state, (face, hatch, symbol) in TILE.items():
        if state not in there:
            continue
        if symbol:
            handles.append(Line2D([], [], color=INK, marker=symbol, linestyle="", label=TILE_NAMES[state]))
        else:
            handles.append(
                Patch(
                    facecolor=face,
                    hatch=hatch,
                    edgecolor="white" if hatch else MUTED,
                    linestyle=":" if state == "after drop-out" else "-",
                    label=TILE_NAMES[state],
                )
            )
    legend_above(fig, handles, 3)
    return fig


# kind -> marker, face, edge, size, place in the lane (-: above the middle)
EVENT = {
    "visit": ("o", INK, INK, 3.2, 0.0),
    "missed": ("o", "white", INK, 4.2, 0.0),
    "infusion": ("v", BLUE, INK, 6.0, 0.1),
    "fever": ("^", VERMILLION, INK, 5.6, -0.3),
    "adverse event": ("D", YELLOW, INK, 4.6, -0.3),
    "serious adverse event": ("*", VERMILLION, INK, 8.5, -0.3),
    "RAS change": ("P", GREEN, INK, 5.8, 0.3),
    "rescue": ("s", PURPLE, INK, 4.8, 0.3),
    "drop-out": ("X", INK, INK, 6.2, 0.0),
}
EVENT_NAMES = {
    "visit": "visit attended",
    "missed": "visit missed",
    "RAS change": "RAS inhibition changed",
    "rescue": "rescue treatment",
    "drop-out": "drop-out, with its reason",
}
SPARE = ("p", "h", "<", ">", "d")


@drawing
def swimmer(children, events):
    """One lane a child, from randomisation to last contact, with what happened on the way.

    children: frame child, arm, start, end (months from the planned last infusion), optionally reason (of
    drop-out, printed at the lane's end; NaN = none); order of lanes = order of rows within the arm. events:
    frame child, month, kind; kinds with a mark of their own: visit, missed, infusion, fever, adverse event,
    serious adverse event, RAS change, rescue, drop-out; any other word gets a spare mark.
    """
    children = frame_of(children, ["child", "arm", "start", "end", "reason"]).dropna(subset=["arm"])
    events = frame_of(events, ["child", "month", "kind"]).dropna(subset=["month", "kind"])
    if children.empty:
        return nothing_figure("no child was randomised")
    lanes, ticks, cursor = {}, [], 0.0
    heads = []
    names = short_names(list(children["child"]))
    for arm in ARMS:
        part = children[children["arm"] == arm]
        heads.append((cursor, f"{arm} ({len(part)} {'child' if len(part) == 1 else 'children'})"))
        for k, child in enumerate(part["child"]):
            lanes[child] = cursor + 1 + k
            ticks.append((cursor + 1 + k, names[child]))
        cursor += len(part) + 1.3
    fig = Figure(figsize=(WIDTH, 0.2 * (cursor + 0.5) + 1.5), layout="constrained")
    ax = fig.add_subplot()
    children[["start", "end"]] = children[["start", "end"]].astype(float)
    ends = pd.concat([children["start"], children["end"], events["month"].astype(float)])
    ends = ends[np.isfinite(ends)]
    low, high = (ends.min(), max(ends.max(), ends.min() + 1)) if len(ends) else (0.0, 1.0)
    room = WIDTH - 0.25 - max(text_width(n, SMALL) for n in names.values())
    right = high + 0.15
    for arm, part in children.groupby("arm"):
        y = [lanes[child] for child in part["child"]]
        color = ARM_STYLE[arm]["color"]
        ax.barh(y, part["end"] - part["start"], left=part["start"], height=0.52, color=color, alpha=0.38)
    for row in children.itertuples():
        y = lanes[row.child]
        if pd.notna(row.reason) and np.isfinite(row.end):
            first, *rest = wrap(str(row.reason), 4.5, SMALL).split("\n")
            reason = first + " …" if rest else first
            ax.annotate(reason, (row.end, y), (7, 0), textcoords="offset points", va="center", size=SMALL)
            share = (0.16 + text_width(reason, SMALL)) / room
            right = max(right, (row.end - 1.02 * low * share) / (1 - share))
    for place, text in heads:
        ax.text(low, place, text, weight="bold", size=9.5, va="center")
    handles = []
    kinds = [k for k in EVENT if (events["kind"] == k).any()] + sorted(set(events["kind"]) - set(EVENT))
    for k, kind in enumerate(kinds):
        marker, face, edge, size, off = EVENT.get(kind, (SPARE[k % len(SPARE)], ORANGE, INK, 5.2, 0.3))
        part = events[(events["kind"] == kind) & events["child"].isin(list(lanes))]
        look = {"marker": marker, "markerfacecolor": face, "markeredgecolor": edge, "markersize": size}
        ax.plot(
            part["month"],
            [lanes[c] + off for c in part["child"]],
            linestyle="",
            markeredgewidth=0.7,
            zorder=4,
            **look,
        )
        handles.append(
            Line2D([], [], linestyle="", label=EVENT_NAMES.get(kind, kind), markeredgewidth=0.7, **look)
        )
    handles = [
        Patch(color=ARM_STYLE[a]["color"], alpha=0.38, label=f"{a}: in the study") for a in ARMS
    ] + handles
    ax.set(ylim=(cursor, -0.8), xlim=(low - 0.02 * (high - low), right))
    ax.set_yticks([t for t, _ in ticks], [n for _, n in ticks], size=SMALL)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xticks([t for t in range(int(np.floor(low)), int(np.ceil(high)) + 1) if low <= t <= high])
    ax.set_xlabel("months from the planned last infusion")
    legend_above(fig, handles, 4)
    return fig


@drawing
def recruitment(frame):
    """Children screened, eligible and randomised over time, cumulative.

    frame: month (a date, or a number of months since the first screening), screened, eligible, randomised:
    cumulative children at that time.
    """
    frame = frame_of(frame, ["month", "screened", "eligible", "randomised"]).dropna(subset=["month"])
    columns = [c for c in ("screened", "eligible", "randomised") if frame[c].notna().any()]
    if not columns:
        return nothing_figure("no child was screened")
    number = pd.api.types.is_numeric_dtype(frame["month"])
    if not number:
        month = frame["month"]
        frame["month"] = (
            month.dt.to_timestamp() if isinstance(month.dtype, pd.PeriodDtype) else pd.to_datetime(month)
        )
    frame = frame.sort_values("month", kind="stable")
    fig = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    ax = fig.add_subplot()
    look = {
        "screened": {"color": MUTED, "linestyle": (0, (1, 1)), "linewidth": 2.2},
        "eligible": {"color": SKY, "linestyle": "-", "linewidth": 5},
        "randomised": {"color": BLUE, "linestyle": "-", "linewidth": 2.0},
    }
    first, last = frame["month"].iloc[0], frame["month"].iloc[-1]
    # The last step needs a stub to be seen.
    stub = (last - first) * 0.02 or (1.0 if number else pd.Timedelta(days=5))
    drawn = pd.concat([frame, frame.iloc[[-1]].assign(month=last + stub)], ignore_index=True)
    top = max(frame[c].max() for c in columns)
    ax.set_xlim(first - stub, last + stub)
    for column in columns:
        ax.step(drawn["month"], drawn[column], where="post", solid_capstyle="butt", **look[column])
    ax.set_ylim(0, max(top * 1.06, 1))
    upwards = columns[::-1]
    ends = [frame[c].dropna().iloc[-1] for c in upwards]
    for column, end, place in zip(upwards, ends, spread(ends, 0.065 * max(top, 1)), strict=True):
        share = max(place, 0.03 * top) / ax.get_ylim()[1]
        ax.annotate(
            f"{column}: {grouped(end)}",
            (1, share),
            (8, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            size=9.5,
            weight="bold" if column == "randomised" else "normal",
        )
    handles = [Line2D([], [], label=c, **look[c]) for c in columns]
    legend_above(fig, handles, 3)
    ax.yaxis.set_major_locator(MaxNLocator(7, integer=True))
    ax.yaxis.set_major_formatter(whole_numbers())
    ax.set(
        ylabel="children, cumulative",
        xlabel="months since the first screening" if number else "calendar month",
    )
    if number:
        ax.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    else:
        dates = pd.date_range(
            frame["month"].iloc[0].normalize().replace(day=1), frame["month"].iloc[-1], freq="MS"
        )
        step = next((s for s in (1, 2, 3, 6, 12, 24) if len(dates) / s <= 9), 60)
        kept = [d for d in dates[::step] if d >= frame["month"].iloc[0]] or [frame["month"].iloc[0]]
        ax.set_xticks(kept, [d.strftime("%Y-%m") for d in kept])
    return fig


@drawing
def attrition(frame):
    """Each criterion alone, and the children who remain when the criteria are applied in protocol order.

    frame: id (I1..I8, E1..E15), text (a few words), failed, unknown (children, this criterion alone),
    remaining (children neither failed nor unknown by this criterion or one before it); rows in protocol
    order.
    """
    frame = frame_of(frame, ["id", "text", "failed", "unknown", "remaining"]).reset_index(drop=True)
    counts = frame[["failed", "unknown", "remaining"]].apply(pd.to_numeric, errors="coerce").astype(float)
    if frame.empty or counts.isna().all(axis=None):
        return nothing_figure("no child was screened")
    names = [
        wrap(f"{r.id}  {r.text}", 2.9, indent="      ") if pd.notna(r.text) else str(r.id)
        for r in frame.itertuples()
    ]
    tall = np.array([0.11 + 0.16 * (n.count("\n") + 1) for n in names])
    y = np.cumsum(tall) - tall / 2
    fig = Figure(figsize=(WIDTH, tall.sum() + 1.3), layout="constrained")
    alone, left = fig.subplots(1, 2, sharey=True)
    failed, unknown = counts["failed"].fillna(0), counts["unknown"].fillna(0)
    alone.barh(y, failed, height=0.19, color=BLUE, edgecolor=INK, linewidth=0.5)
    alone.barh(
        y, unknown, left=failed, height=0.19, color="white", hatch="//////", edgecolor=MUTED, linewidth=0.5
    )
    most = max((failed + unknown).max(), 1)
    for place, a, b in zip(y, failed, unknown, strict=True):
        text = f"{grouped(a)} + {grouped(b)}" if b else grouped(a)
        alone.annotate(text, (a + b, place), (4, 0), textcoords="offset points", va="center", size=SMALL)
    alone.set_xlim(0, most + (text_width("0,000 + 0,000", SMALL) + 0.1) * most / 2.2)
    alone.set_yticks(y, names, size=SMALL, ha="left")
    alone.tick_params(
        axis="y", length=0, pad=4 + 72 * max(text_width(v, SMALL) for n in names for v in n.split("\n"))
    )
    alone.set_xlabel("children who fail, by this criterion alone\n(+ those for whom it is unknown)")
    remaining = counts["remaining"]
    left.barh(y, remaining.fillna(0), height=0.19, color=SKY, edgecolor=INK, linewidth=0.5)
    for place, n in zip(y, remaining, strict=True):
        text = "–" if np.isnan(n) else grouped(n)
        left.annotate(
            text, (np.nan_to_num(n), place), (4, 0), textcoords="offset points", va="center", size=SMALL
        )
    widest = max(remaining.max(), 1) if remaining.notna().any() else 1
    left.set_xlim(0, widest * 1.18)
    left.tick_params(axis="y", length=0)
    left.set_xlabel("children who remain, criteria\napplied in protocol order")
    left.set_ylim(tall.sum(), 0)
    for ax in (alone, left):
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.xaxis.set_major_formatter(whole_numbers())
    legend_above(
        fig,
        [
            Patch(facecolor=BLUE, edgecolor=INK, label="failed"),
            Patch(facecolor="white", hatch="//////", edgecolor=MUTED, label="unknown"),
            Patch(facecolor=SKY, edgecolor=INK, label="remaining"),
        ],
        3,
    )
    return fig
