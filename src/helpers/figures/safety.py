"""Figures of safety: how many children had which event, when events came and how long they lasted, worst values.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state, nothing estimated.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    BLACK,
    INK,
    MUTED,
    ORANGE,
    PALE,
    SKY,
    SMALL,
    VERMILLION,
    WIDTH,
    YELLOW,
    Figure,
    arm_handle,
    drawing,
    either_end,
    frame_of,
    legend_above,
    nothing,
    nothing_figure,
    short_names,
    text_width,
    value_axis,
    with_unit,
    wrap,
)

# severity -> face, hatch: darker and fuller the worse
SEVERITY = {
    "mild": (YELLOW, ""),
    "moderate": (ORANGE, "////"),
    "severe": (VERMILLION, ""),
    "life-threatening": (INK, "xxxx"),
    "fatal": (BLACK, ""),
    "not recorded": ("white", "...."),
}


@drawing
def events_by_arm(frame, *, label):
    """Share of children with each event in either arm, beside the difference with its interval.

    frame: label, Placebo, hUC-MSC (percent of the children of the arm), difference, lower, upper (percentage points),
    optionally group (a heading over the rows that share it). label: name of the axis of differences. A row whose
    numbers are NaN is named and left empty.
    """
    frame = frame_of(frame, ["label", *ARMS, "difference", "lower", "upper"]).reset_index(drop=True)
    numbers = (
        frame[[*ARMS, "difference", "lower", "upper"]].apply(pd.to_numeric, errors="coerce").astype(float)
    )
    if frame.empty or numbers.isna().all(axis=None):
        return nothing_figure("no event of any child")
    grouped = "group" in frame
    y, heads, cursor, before = [], [], 0.0, None
    for k in range(len(frame)):
        if grouped and frame["group"][k] != before:
            before = frame["group"][k]
            heads.append((cursor + 0.5, str(before)))
            cursor += 1.0
        y.append(cursor + 0.5)
        cursor += 1.0
    y = np.array(y)
    names = [wrap(str(v), 2.2) for v in frame["label"]]
    fig = Figure(figsize=(WIDTH, 0.27 * cursor + 1.35), layout="constrained")
    left, right = fig.subplots(1, 2, sharey=True)
    for k, arm in enumerate(ARMS):
        look = ARM_STYLE[arm]
        left.plot(
            numbers[arm], y + (-0.13, 0.13)[k], linestyle="", marker=look["marker"], color=look["color"],
            markeredgecolor=INK, markeredgewidth=0.5, markersize=6.2, zorder=4,
        )  # fmt: skip
    for line in y:
        left.axhline(line, color=PALE, linewidth=1, zorder=1)
        right.axhline(line, color=PALE, linewidth=1, zorder=1)
    left.set_xlim(-3, max(100.0 if numbers[list(ARMS)].max(axis=None) > 60 else 60.0, 10.0) * 1.03)
    left.set_xlabel("children with the event (%)")
    right.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    known = np.isfinite(numbers["difference"])
    for k in np.flatnonzero(known):
        right.plot(
            [numbers["lower"][k], numbers["upper"][k]], [y[k], y[k]], color=INK, linewidth=1.6, zorder=3
        )
    right.plot(
        numbers["difference"][known],
        y[known],
        "D",
        color="white",
        markeredgecolor=INK,
        markersize=5.2,
        zorder=4,
    )
    ends = np.abs(numbers[["lower", "upper", "difference"]].to_numpy())
    reach = np.nanmax(ends) * 1.08 if np.isfinite(ends).any() else 10.0
    right.set_xlim(-max(reach, 5.0), max(reach, 5.0))
    right.set_xlabel(wrap(label, 3.7, 9.8), labelpad=18)
    either_end(right, [f"more on {arm}" for arm in ARMS])
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    left.set_ylim(cursor, 0)
    ticks = [(place, name, "normal") for place, name in zip(y, names, strict=True)]
    ticks = sorted([*ticks, *((place, head, "bold") for place, head in heads)])
    left.set_yticks([place for place, _, _ in ticks], [name for _, name, _ in ticks], size=9)
    for text, (_, _, weight) in zip(left.get_yticklabels(), ticks, strict=True):
        text.set_fontweight(weight)
    interval = Line2D(
        [], [], color=INK, marker="D", markerfacecolor="white", markersize=5.2, label="difference"
    )
    legend_above(fig, [*(arm_handle(arm, linestyle="") for arm in ARMS), interval], 3)
    return fig


@drawing
def event_lanes(children, events):
    """One lane a treated child, from the first infusion to the last contact, with its adverse events as bars.

    children: frame child, arm, second (day of the second infusion, NaN = not given), end (last contact); order of
    lanes = order of rows within the arm. events: frame child, day (first), length (days, NaN = ongoing: drawn to the
    end of the lane, with an arrow), severity, serious, near (bool: within 24 h of an infusion, marked on the lane).
    Days count from the first infusion.
    """
    children = frame_of(children, ["child", "arm", "second", "end"]).dropna(subset=["arm"])
    events = frame_of(events, ["child", "day", "length", "severity", "serious", "near"]).dropna(
        subset=["day"]
    )
    if children.empty:
        return nothing_figure("no child was treated")
    names = short_names(list(children["child"]))
    lanes, ticks, heads, cursor = {}, [], [], 0.0
    for arm in ARMS:
        part = children[children["arm"] == arm]
        heads.append((cursor, f"{arm} ({len(part)} {'child' if len(part) == 1 else 'children'})"))
        for k, child in enumerate(part["child"]):
            lanes[child] = cursor + 1 + k
            ticks.append((cursor + 1 + k, names[child]))
        cursor += len(part) + 1.3
    end = dict(zip(children["child"], children["end"].astype(float), strict=True))
    high = max([*(v for v in end.values() if np.isfinite(v)), 30.0])
    fig = Figure(figsize=(WIDTH, 0.2 * (cursor + 0.5) + 1.5), layout="constrained")
    ax = fig.add_subplot()
    for row in children.itertuples():
        color = ARM_STYLE[row.arm]["color"]
        ax.barh(lanes[row.child], end[row.child], height=0.16, color=color, alpha=0.45, zorder=2)
        given = [0.0, *([row.second] if np.isfinite(row.second) else [])]
        ax.plot(given, [lanes[row.child] + 0.3] * len(given), "^", color=INK, markersize=4.2, zorder=5)
    events = events[events["child"].isin(list(lanes))]
    ongoing = events["length"].isna()
    for severity, (face, hatch) in SEVERITY.items():
        mine = events[events["severity"] == severity]
        if mine.empty:
            continue
        until = (mine["day"] + mine["length"]).fillna(mine["child"].map(end) + 1).to_numpy(float)
        # a day in a year is a hair's breadth: no bar is narrower than can be seen
        width = np.maximum(until - mine["day"], high / 160)
        ax.barh(
            [lanes[c] for c in mine["child"]], width, left=mine["day"].astype(float), height=0.56, color=face,
            hatch=hatch, edgecolor=INK, linewidth=0.5, zorder=3,
        )  # fmt: skip

    def begun(rows):
        return rows["day"] + high / 320

    marks = (
        (ongoing, ">", INK, 5.0, lambda rows: rows["child"].map(end) + high / 90, "ongoing at the last contact"),
        (events["serious"].astype(bool), "*", BLACK, 8.5, begun, "serious"),
        (events["near"].astype(bool), "o", SKY, 3.6, begun, "within 24 h of an infusion"),
    )  # fmt: skip
    handles = [Patch(color=ARM_STYLE[a]["color"], alpha=0.45, label=f"{a}: in the study") for a in ARMS]
    handles += [Line2D([], [], color=INK, marker="^", linestyle="", markersize=4.2, label="infusion")]
    for severity, (face, hatch) in SEVERITY.items():
        if (events["severity"] == severity).any():
            handles.append(Patch(facecolor=face, hatch=hatch, edgecolor=INK, linewidth=0.5, label=severity))
    for chosen, marker, face, size, place, name in marks:
        rows = events[chosen]
        if len(rows):
            look = {"marker": marker, "markerfacecolor": face, "markeredgecolor": INK, "markeredgewidth": 0.6}
            look |= {"markersize": size, "linestyle": ""}
            ax.plot(place(rows).astype(float), [lanes[c] for c in rows["child"]], zorder=6, **look)
            handles.append(Line2D([], [], label=name, **look))
    for place, text in heads:
        ax.text(0, place, text, weight="bold", size=9.5, va="center")
    ax.set(ylim=(cursor, -0.8), xlim=(-0.015 * high, 1.03 * high), xlabel="days from the first infusion")
    ax.set_yticks([t for t, _ in ticks], [n for _, n in ticks], size=SMALL)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(9, integer=True, steps=[1, 2, 3, 5, 6, 10]))
    legend_above(fig, handles, 4)
    return fig


@drawing
def worst_values(frame, panels):
    """Each child's worst value against its baseline, a panel a measure; on the diagonal nothing got worse.

    frame: child, arm, measure, base, worst. panels: one mapping a panel: measure, label, unit, worse (+1 a rise, -1 a
    fall), log (bool), optionally limit (a number) and its name.
    """
    frame = frame_of(frame, ["child", "arm", "measure", "base", "worst"]).dropna(subset=["base", "worst"])
    panels = list(panels)
    if not panels:
        return nothing_figure("no measure was chosen")
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    fig = Figure(figsize=(WIDTH, 2.95 * rows + 0.6), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    for ax, panel in zip(axes, panels, strict=False):
        mine = frame[frame["measure"] == panel["measure"]]
        mine = mine[(mine["base"] > 0) & (mine["worst"] > 0)] if panel["log"] else mine
        ax.set_title(with_unit(panel["label"], panel["unit"]))
        if mine.empty:
            nothing(ax, "no child with a baseline and a later value")
            continue
        values = mine[["base", "worst"]].to_numpy(float)
        for axis in (ax.xaxis, ax.yaxis):
            value_axis(axis, values.min(), values.max(), log=panel["log"])
        # room for few numbers in a small panel
        ax.xaxis.set_major_locator(_fewer(ax.xaxis))
        low, high = ax.get_xlim()
        ax.plot([low, high], [low, high], color=MUTED, linewidth=1, zorder=2)
        under = "baseline"
        limit = panel.get("limit")
        if limit is not None and low < limit < high:
            ax.axhline(limit, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1.5)
            under = f"baseline (dotted: {panel['name']})"
        for arm in ARMS:
            part, look = mine[mine["arm"] == arm], ARM_STYLE[arm]
            ax.plot(
                part["base"], part["worst"], linestyle="", marker=look["marker"], color=look["color"], alpha=0.85,
                markeredgecolor=INK, markeredgewidth=0.4, markersize=5, zorder=3,
            )  # fmt: skip
        ax.set_xlabel(wrap(under, 2.4, 9.8))
        ax.set_ylabel("highest later" if panel["worse"] > 0 else "lowest later")
    handles = [arm_handle(arm, linestyle="") for arm in ARMS]
    legend_above(fig, [*handles, Line2D([], [], color=MUTED, label="as at baseline")], 3)
    return fig


def _fewer(axis):
    """Every second tick where more than five stand side by side."""
    places, names = axis.get_majorticklocs(), [t.get_text() for t in axis.get_ticklabels()]
    step = 2 if len(places) > 5 or sum(text_width(n) for n in names) > 2.1 else 1
    axis.set_major_formatter(FixedFormatter(names[::step]))
    return FixedLocator(places[::step])
