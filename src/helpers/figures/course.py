"""Figures of values over the visits: by arm with group estimates, and one small panel a child.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state, nothing estimated.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    INK,
    MUTED,
    RULE,
    SMALL,
    WIDTH,
    Figure,
    arm_handle,
    drawing,
    frame_of,
    legend_above,
    nothing,
    nothing_figure,
    rows_under,
    short_names,
    spread,
    text_width,
    tick_text,
    value_axis,
    with_unit,
    wrap,
)
from helpers.study.shown import plain, rounded


def visit_place(months):
    """Where a month is drawn: square root, so that weeks 2 to 8 don't fall on each other; sign kept."""
    months = np.asarray(months, float)
    return np.sign(months) * np.sqrt(np.abs(months))


def _errors(summary):
    """Distances from the estimate to its limits, as matplotlib wants them; a missing limit is no bar."""
    low, high = summary["estimate"] - summary["lower"], summary["upper"] - summary["estimate"]
    return np.nan_to_num(np.array([low, high], float), nan=0.0, posinf=0.0, neginf=0.0).clip(0)


def _group(ax, part, arm, dodge=0.0):
    part = part[np.isfinite(part["estimate"])]
    look = ARM_STYLE[arm]
    ax.plot(visit_place(part["month"]) + dodge, part["estimate"], color="white", linewidth=4.2, zorder=4.5)
    ax.errorbar(
        visit_place(part["month"]) + dodge,
        part["estimate"],
        _errors(part),
        linewidth=2.2,
        capsize=2.5,
        elinewidth=1.5,
        markersize=5.5,
        markeredgecolor=INK,
        markeredgewidth=0.5,
        zorder=5,
        **look,
    )


def _thresholds(ax, thresholds, *, named):
    low, high = sorted(ax.get_ylim())
    log = ax.get_yscale() == "log"
    inside = [(v, n) for v, n in thresholds if low <= v <= high]
    for value, _ in inside:
        ax.axhline(value, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=1.5)
    if not (named and inside):
        return
    to_axes = np.log10 if log else np.asarray
    share = (to_axes([v for v, _ in inside]) - to_axes(low)) / (to_axes(high) - to_axes(low))
    names = [wrap(n, 1.15, SMALL) for _, n in inside]
    tallest = max(n.count("\n") for n in names) + 1
    for y, name in zip(spread(share, 0.06 * tallest), names, strict=True):
        ax.annotate(
            name,
            (1, y),
            (5, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="left",
            va="center",
            size=SMALL,
            color=INK,
        )


def _visit_axis(ax, months, names):
    """Visits as tick labels: numbers, with the word that neighbours share once beneath them (weeks are crowded).

    One axis for every panel of a course, so that the same visit carries the same name in each.
    """
    place = visit_place(months)
    parts = [n.rsplit(" ", 1) if n.rsplit(" ", 1)[-1].isdigit() and " " in n else [n, ""] for n in names]
    ax.set_xticks(place, [number for _, number in parts])
    first = 0
    for k in range(1, len(parts) + 1):
        if k == len(parts) or parts[k][0] != parts[first][0]:
            # a word at the edge must not reach into the next panel: the layout would depend on what it decides
            edge = first == 0 and k == 1
            ax.annotate(
                parts[first][0],
                ((place[first] + place[k - 1]) / 2, 0),
                (-4 if edge else 0, -19),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="left" if edge else "center",
                va="top",
                size=9,
            )
            first = k
    name = "visit, placed by months since the planned last infusion (square-root spacing)"
    ax.set_xlabel(wrap(name, (WIDTH - 2.2) * len(ax.get_subplotspec().colspan) / 2, 9.8), labelpad=17)


@drawing
def by_arm_over_time(
    lines,
    summary,
    *,
    label,
    unit,
    log=False,
    ratio=False,
    thresholds=(),
):
    """The course of one measure: above each child by arm, below both group estimates and the n of each
    visit.

    lines: frame child, arm, month (target time of the visit, months from the planned last
    infusion), value (in `unit`; NaN or no row = no value); None leaves the upper panels out. summary: frame
    arm, month, visit (printed under the axis), estimate, lower, upper (95 %), n.
    thresholds: (value, label), drawn where they are in view. `log`: log axis with plain numbers; `ratio`:
    log axis with 1/2, 1, 2. Time has square-root spacing. A line breaks at a missed visit (hollow mark
    below); a cross is a child's last value where later visits exist.
    """
    only_groups = lines is None
    lines = frame_of(lines, ["child", "arm", "month", "value"])
    summary = frame_of(summary, ["arm", "month", "estimate", "lower", "upper", "n"])
    summary = summary.sort_values("month", kind="stable")
    lines, summary = lines.dropna(subset=["arm", "month"]), summary.dropna(subset=["arm", "month"])
    log = log or ratio
    kept = np.isfinite(lines["value"].astype(float)) & ((lines["value"] > 0) | (not log))
    seen = np.isfinite(lines["value"].astype(float))
    limits = summary[["estimate", "lower", "upper"]].astype(float)
    summary[limits.columns] = limits.where(np.isfinite(limits) & ((limits > 0) | (not log)))
    if not kept.any() and summary["estimate"].isna().all():
        return nothing_figure(
            f"no value of {label} at any visit" + (" above zero" if log and seen.any() else "")
        )
    months = np.array(sorted({*lines["month"], *summary["month"]}), float)
    place = visit_place(months)
    wide = max(place[-1] - place[0], 0.5)
    edges = (place[0] - 0.04 * wide, place[-1] + 0.04 * wide)
    labels = dict(zip(summary["month"], summary["visit"], strict=True)) if "visit" in summary else {}
    visits = [str(labels.get(m, plain(m))) for m in months]

    heights = [2.9] if only_groups else [3.0, 2.7]
    fig = Figure(figsize=(WIDTH, sum(heights) + 2.2), layout="constrained")
    grid = fig.add_gridspec(len(heights), 2, height_ratios=heights)
    below = fig.add_subplot(grid[-1, :])
    name = wrap(with_unit(label, unit), 2.7, 9.8)
    levels = [v for v, _ in thresholds if np.isfinite(v) and (v > 0 or not log)]

    def span(values):
        values = np.concatenate([np.ravel(np.asarray(values, float)), levels, [1.0] if ratio else []])
        values = values[np.isfinite(values)]
        return values.min(), values.max()

    if not only_groups:
        panels = [fig.add_subplot(grid[0, k]) for k in range(2)]
        tables = {}
        for arm in ARMS:
            part = lines[lines["arm"] == arm]
            table = part.pivot_table(
                index="child", columns="month", values="value", aggfunc="first", dropna=False
            )
            tables[arm] = table.reindex(columns=months).astype(float)
        missed, most = {}, 0
        for arm, table in tables.items():
            there = np.isfinite(table.to_numpy())
            later = there[:, ::-1].cumsum(axis=1)[:, ::-1] > 0
            missed[arm] = (~there & later).sum(axis=0)
            most = max(most, missed[arm].max(initial=0))
        strip = min(0.22, 0.045 + 0.028 * most) if most else 0.0
        low, high = span([*lines.loc[kept, "value"], *summary[["lower", "upper"]].to_numpy().ravel()])
        for ax, (arm, table) in zip(panels, tables.items(), strict=True):
            children = int(np.isfinite(table.to_numpy()).any(axis=1).sum())
            ax.set_title(f"{arm} ({children} {'child' if children == 1 else 'children'})", weight="bold")
            if not children:
                nothing(ax, "no child with a value in this arm")
                continue
            values = table.to_numpy()
            drawn = np.where(values > 0, values, np.nan) if log else values
            ax.plot(
                place,
                drawn.T,
                "-",
                color=ARM_STYLE[arm]["color"],
                alpha=0.5,
                linewidth=0.9,
                marker=".",
                markersize=2.5,
            )
            last = [(np.flatnonzero(np.isfinite(row)), row) for row in drawn]
            ends = [(place[k[-1]], row[k[-1]]) for k, row in last if k.size and k[-1] < len(months) - 1]
            if ends:
                ax.plot(
                    *zip(*ends, strict=True), "x", color=INK, markersize=5.5, markeredgewidth=1.4, zorder=6
                )
            _group(ax, summary[summary["arm"] == arm], arm)
            floor = value_axis(ax.yaxis, low, high, log=log, ratio=ratio, below=strip)
            if strip:
                ax.axhline(floor, color=RULE, linewidth=0.7)
            for x, count in zip(place, missed[arm], strict=True):
                up = strip * (np.arange(count) + 0.7) / (most + 0.4)
                ax.plot(
                    np.full(count, x),
                    up,
                    "o",
                    markersize=3.2,
                    markerfacecolor="none",
                    markeredgecolor=INK,
                    markeredgewidth=0.8,
                    transform=blended_transform_factory(ax.transData, ax.transAxes),
                )
            ax.set_xlim(edges)
            _visit_axis(ax, months, visits)
            _thresholds(ax, thresholds, named=ax is panels[-1])
        panels[0].set_ylabel(name)
        if np.isfinite(tables[ARMS[0]].to_numpy()).any():
            panels[1].tick_params(labelleft=False)

    if summary["estimate"].isna().all():
        nothing(below, "no group estimate at any visit")
    else:
        dodge = 0.008 * wide
        for arm, way in zip(ARMS, (-1, 1), strict=True):
            _group(below, summary[summary["arm"] == arm], arm, way * dodge)
        value_axis(below.yaxis, *span(summary[["estimate", "lower", "upper"]]), log=log, ratio=ratio)
        below.set(xlim=edges, ylabel=name)
        _thresholds(below, thresholds, named=True)
    _visit_axis(below, months, visits)
    hidden = int((seen & ~kept).sum())
    if hidden:
        note = f"{hidden} values at or below zero can't be drawn on a log axis"
        below.annotate(note, (0, 0), (0, -84), xycoords="axes fraction", textcoords="offset points", va="top")
    count = {(r.arm, r.month): rounded(r.n) for r in summary.itertuples() if pd.notna(r.n)}
    rows = [(f"n {arm}", [count.get((arm, m), "–") for m in months], False) for arm in ARMS]
    rows_under(below, place, rows, start=52)

    handles = [arm_handle(arm, f"{arm}: group estimate, 95 % interval") for arm in ARMS]
    if not only_groups:
        handles += [
            Line2D([], [], color=MUTED, linewidth=0.9, marker=".", markersize=3, label="one child"),
            Line2D(
                [],
                [],
                color=INK,
                marker="o",
                linestyle="",
                markersize=3.6,
                markerfacecolor="none",
                label="child without a value at a visit",
            ),
            Line2D(
                [],
                [],
                color=INK,
                marker="x",
                linestyle="",
                label="last value of a child not followed to the end",
            ),
        ]
    legend_above(fig, handles, 2)
    return fig


@drawing
def small_multiples(lines, *, order, label, unit, log=False, threshold=None):
    """One panel a child, in the given order, on shared axes; arms by colour, line and mark.

    lines: frame child, arm, month (from the planned last infusion), value (in `unit`; NaN = no value, the
    line breaks). order: children, first one top left. threshold: a value drawn in every panel, or None.
    """
    lines = frame_of(lines, ["child", "arm", "month", "value"]).dropna(subset=["month"])
    lines = lines.sort_values("month", kind="stable")
    lines["value"] = lines["value"].astype(float).where(lambda v: np.isfinite(v) & ((v > 0) | (not log)))
    order = list(order)
    shown = lines[lines["child"].isin(order)].dropna(subset=["value"])
    if shown.empty:
        return nothing_figure(f"no child with a value of {label}")
    columns = min(8, max(len(order), 3))
    rows = -(-len(order) // columns)
    tall = 1.1 * rows + 0.95
    fig = Figure(figsize=(WIDTH, tall))
    axes = fig.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    extra = [] if threshold is None else [threshold]
    value_axis(
        axes[0].yaxis, min([shown["value"].min(), *extra]), max([shown["value"].max(), *extra]), log=log
    )
    ticks = axes[0].get_yticks()
    kept = ticks[:: max(1, -(-len(ticks) // 4))]
    axes[0].set_yticks(kept, [tick_text(t) for t in kept])
    # A layout engine takes more than a second for 40 panels.
    name = wrap(with_unit(label, unit), max(1.1 * rows, 1.6), 9.8)
    left = (
        0.35
        + 0.17 * (name.count("\n") + 1)
        + max(text_width(t.get_text()) for t in axes[0].get_yticklabels())
    )
    fig.subplots_adjust(
        left / WIDTH, 0.52 / tall, 1 - 0.12 / WIDTH, 1 - 0.52 / tall, wspace=0.12, hspace=0.24
    )
    low, high = shown["month"].min(), max(shown["month"].max(), shown["month"].min() + 1)
    axes[0].set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes[0].set_xticks(
        [t for t in (0, 3, 6, 9, 12) if low <= t <= high + 0.05] if high < 11.9 else [0, 6, 12]
    )
    names = short_names(order)
    parts = dict(list(lines.groupby("child", sort=False)))
    for k, ax in enumerate(axes):
        if k >= len(order):
            ax.set_visible(False)
            continue
        ax.set_title(names[order[k]], size=SMALL, pad=2)
        ax.tick_params(length=2, labelbottom=k + columns >= len(order), labelleft=k % columns == 0)
        if threshold is not None:
            ax.axhline(threshold, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)))
        part = parts.get(order[k])
        if part is None or part["value"].isna().all():
            ax.text(0.5, 0.55, "no value", transform=ax.transAxes, ha="center", size=SMALL, color=MUTED)
            continue
        arm = part["arm"].iloc[0]
        look = ARM_STYLE.get(arm, {"color": MUTED, "linestyle": "-", "marker": "o"})
        ax.plot(part["month"], part["value"], linewidth=1.3, markersize=2.4, **look)
    handles = [arm_handle(arm, linewidth=1.6, markersize=4) for arm in ARMS if (lines["arm"] == arm).any()]
    if threshold is not None:
        handles.append(
            Line2D(
                [], [], color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)), label=f"{plain(threshold)} {unit}"
            )
        )
    fig.legend(handles=handles, loc="upper center", ncols=3, handlelength=2.6, bbox_to_anchor=(0.5, 1))
    fig.supxlabel("months since the planned last infusion", size=9.8, y=0.06 / tall, va="bottom")
    fig.supylabel(name, size=9.8, x=0.07 / WIDTH, ha="left")
    return fig
