"""Figures of many trials: power against what a design may be, and the price of a definition.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state, nothing estimated.
"""

import numpy as np
from matplotlib.lines import Line2D

from helpers.figures.house_style import (  # fmt: skip
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RULE,
    SMALL,
    VERMILLION,
    WIDTH,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
    value_axis,
    wrap,
)
from helpers.study.shown import plain

STYLES = (
    (BLUE, "-", "o"),
    (VERMILLION, (0, (5, 1.5)), "s"),
    (GREEN, (0, (1, 1)), "^"),
    (PURPLE, (0, (5, 1.2, 1, 1.2)), "D"),
    (ORANGE, (0, (8, 2)), "v"),
    (INK, (0, (3, 1, 1, 1, 1, 1)), "P"),
)
"""Colour, line and mark of the series, in their order."""
PERCENT = (0, 20, 40, 60, 80, 100)


@drawing
def power(lines, *, label, here, ratio=False, wanted=(80, 90)):
    """Share of the trials significant in favour of the treatment against a property of the design.

    lines: frame series (its words, in the order of the legend), x, power, power_lower, power_upper (%; the band).
    label: of the x axis; here: the value of x that is planned, marked. `ratio`: x on a log axis, no effect (1) on the
    left. wanted: levels of power marked by a line. A column `style` (0, 1, ...) gives a series its colour and mark, so
    that it has them in several figures; else its place does.
    """
    lines = frame_of(lines, ["series", "x", "power", "power_lower", "power_upper"]).dropna(subset=["power"])
    if lines.empty:
        return nothing_figure("no trial was asked")
    fig = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    ax = fig.add_subplot()
    handles = []
    for place, (name, part) in enumerate(lines.groupby("series", sort=False)):
        part = part.sort_values("x")
        color, line, mark = STYLES[(int(part["style"].iloc[0]) if "style" in part else place) % len(STYLES)]
        ax.fill_between(
            part["x"], part["power_lower"], part["power_upper"], color=color, alpha=0.15, linewidth=0
        )
        ax.plot(
            part["x"], part["power"], color=color, linestyle=line, marker=mark, markersize=5, linewidth=1.8
        )
        handles.append(
            Line2D([], [], color=color, linestyle=line, marker=mark, markersize=5, linewidth=1.8, label=name)
        )
    if ratio:
        value_axis(ax.xaxis, lines["x"].min(), lines["x"].max(), log=True)
        ticks = sorted(set(lines["x"]))
        ax.set_xticks(ticks, [plain(t) for t in ticks])
        ax.invert_xaxis()
    else:
        ax.set_xticks(sorted(set(lines["x"])))
    for level in wanted:
        ax.axhline(level, color=RULE, linewidth=0.8, zorder=0)
    ax.axvline(here, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=0)
    ax.annotate(
        "this plan", (here, 1), (4, -3), xycoords=("data", "axes fraction"), textcoords="offset points",
        va="top", size=SMALL,
    )  # fmt: skip
    ax.set(ylim=(0, 102), xlabel=label, ylabel="trials significant in favour (%)")
    ax.set_yticks(sorted({*PERCENT, *wanted}))
    legend_above(fig, handles, 2)
    return fig


@drawing
def trade_off(points):
    """Power against false remission, a point a definition: what a stricter reading gains and costs.

    points: frame name, number (printed in the point), false (x: % of children on placebo who remit), power (y: %),
    power_lower, power_upper. The names stand right of the axes.
    """
    points = frame_of(points, ["name", "number", "false", "power", "power_lower", "power_upper"])
    points = points.dropna(subset=["false", "power"])
    if points.empty:
        return nothing_figure("no definition was asked")
    fig = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    ax, words = fig.subplots(1, 2, width_ratios=[1.7, 1])
    errors = np.array([points["power"] - points["power_lower"], points["power_upper"] - points["power"]])
    ax.errorbar(
        points["false"],
        points["power"],
        errors.clip(0),
        linestyle="",
        color=MUTED,
        elinewidth=1,
        capsize=2,
        zorder=2,
    )
    ax.plot(
        points["false"], points["power"], "o", color="white", markeredgecolor=BLUE, markersize=13, zorder=3
    )
    for row in points.itertuples():
        ax.annotate(str(row.number), (row.false, row.power), ha="center", va="center", size=SMALL, zorder=4)
    ax.set_xlim(0, max(points["false"].max() * 1.08, 5))
    ax.set_ylim(0, min(max(points["power_upper"].max() * 1.1, 20), 102))
    ax.set(
        xlabel="children on placebo who count as in remission (%)", ylabel="trials significant in favour (%)"
    )
    words.set_axis_off()
    told = "\n".join(
        wrap(f"{row.number}  {row.name}", 3.0, SMALL, indent="     ")
        for row in points.itertuples(index=False)
    )
    words.annotate(told, (0, 1), va="top", ha="left", size=SMALL, linespacing=1.6)
    return fig


@drawing
def tornado(rows, *, planned, wanted="power (%)"):
    """Power with one assumption at a low and a high value, a row an assumption, a panel an analysis.

    rows: frame panel (its title), what (the assumption), low_text, high_text (its values), low, high (power, %) and
    their limits low_lower, low_upper, high_lower, high_upper. planned: panel -> power of the plan, marked by a line.
    The assumption that moves the first panel most stands at the top.
    """
    names = ["panel", "what", "low_text", "high_text", "low", "high"]
    names += [f"{end}_{limit}" for end in ("low", "high") for limit in ("lower", "upper")]
    rows = frame_of(rows, names).dropna(subset=["low", "high"])
    if rows.empty:
        return nothing_figure("no assumption was moved")
    panels = list(dict.fromkeys(rows["panel"]))
    first = rows[rows["panel"] == panels[0]].assign(span=lambda d: (d["high"] - d["low"]).abs())
    order = first.sort_values("span", kind="stable")["what"].tolist()
    place = {what: k for k, what in enumerate(order)}
    fig = Figure(figsize=(WIDTH, 0.6 + 0.46 * len(order) + 0.7), layout="constrained")
    axes = fig.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, panel in zip(axes, panels, strict=True):
        part = rows[(rows["panel"] == panel) & rows["what"].isin(place)]
        for end, color, shift, mark in (("low", BLUE, 0.14, "o"), ("high", VERMILLION, -0.14, "s")):
            y = part["what"].map(place) + shift
            ax.hlines(
                y, np.minimum(planned[panel], part[end]), np.maximum(planned[panel], part[end]), color=color
            )
            errors = np.array([part[end] - part[f"{end}_lower"], part[f"{end}_upper"] - part[end]]).clip(0)
            ax.errorbar(
                part[end], y, xerr=errors, linestyle="", marker=mark, color=color, markersize=5, elinewidth=0.8,
                capsize=2,
            )  # fmt: skip
            for row, level in zip(part.itertuples(), y, strict=True):
                left = getattr(row, end) <= planned[panel]
                ax.annotate(
                    getattr(row, f"{end}_text"), (getattr(row, f"{end}_lower" if left else f"{end}_upper"), level),
                    (-4 if left else 4, 0), textcoords="offset points", ha="right" if left else "left", va="center",
                    size=SMALL, color=color,
                )  # fmt: skip
        ax.axvline(planned[panel], color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=0)
        ax.set(xlim=(0, 100), xlabel=wanted, title=panel)
        ax.set_xticks(PERCENT)
    axes[0].set_yticks(range(len(order)), [wrap(what, 2.3, SMALL) for what in order], size=SMALL)
    axes[0].set_ylim(-0.6, len(order) - 0.4)
    handles = [
        Line2D([], [], color=BLUE, marker="o", label="low value"),
        Line2D([], [], color=VERMILLION, marker="s", label="high value"),
        Line2D([], [], color=INK, linewidth=1, linestyle=(0, (1, 1.5)), label="this plan"),
    ]
    legend_above(fig, handles, 3)
    return fig
