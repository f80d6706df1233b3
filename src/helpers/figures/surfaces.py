"""Figures of a study over a grid: power as a surface, and what each factor does to it.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state, nothing estimated.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D

from helpers.figures.house_style import (  # fmt: skip
    INK,
    RULE,
    SMALL,
    WIDTH,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
)
from helpers.figures.operating import PERCENT, STYLES
from helpers.study.shown import plain, rounded

WANTED = 80
"""Power whose cells are framed."""


def _text(value):
    return plain(value) if isinstance(value, int | float | np.number) else str(value)


@drawing
def surface(cells, *, rows, columns, panels):
    """Power (%) as a grid of coloured cells with the number in each, a panel a value; those from 80 % are framed.

    cells: frame panel, row, column, power, one a cell. rows, columns, panels: what these are, for axes and titles.
    """
    cells = frame_of(cells, ["panel", "row", "column", "power"]).dropna(subset=["power"])
    if cells.empty:
        return nothing_figure("nothing was asked")
    names, across, down = (list(dict.fromkeys(cells[key])) for key in ("panel", "column", "row"))
    across = sorted(across)
    wide = min(len(names), 2)
    high = -(-len(names) // wide)
    fig = Figure(figsize=(WIDTH, high * (0.36 * len(down) + 0.95) + 0.3), layout="constrained")
    axes = fig.subplots(high, wide, squeeze=False, sharex=True, sharey=True).ravel()
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax in axes[max(len(names) - wide, 0) : len(names)]:
        # also above a place that stays empty
        ax.tick_params(labelbottom=True)
    for ax, name in zip(axes, names, strict=False):
        part = cells[cells["panel"] == name]
        grid = part.pivot(index="row", columns="column", values="power").reindex(index=down, columns=across)
        ax.imshow(grid, cmap=mpl.colormaps["cividis"], vmin=0, vmax=100, aspect="auto")
        for (i, j), value in np.ndenumerate(grid.to_numpy()):
            if not np.isfinite(value):
                continue
            colour = "white" if value < 55 else "black"
            ax.text(j, i, rounded(value), ha="center", va="center", size=SMALL, color=colour)
            if value >= WANTED:
                frame = mpl.patches.Rectangle(
                    (j - 0.46, i - 0.44), 0.92, 0.88, fill=False, edgecolor=INK, linewidth=1.4
                )
                ax.add_patch(frame)
        ax.set_xticks(range(len(across)), [_text(one) for one in across])
        ax.set_yticks(range(len(down)), [_text(one) for one in down])
        ax.tick_params(length=0)
        if panels:
            ax.set_title(f"{panels} {_text(name)}", size=9.5)
    fig.supxlabel(columns, size=9.8)
    fig.supylabel(rows, size=9.8)
    return fig


@drawing
def trade_offs(points, *, words):
    """Power (%) over the values of each factor, a panel a factor, the others as planned; the plan's value is marked.

    points: frame factor, value, planned, series, power, power_lower, power_upper, in the order of the values.
    words: factor -> what its axis says.
    """
    points = frame_of(points, ["factor", "value", "planned", "series", "power", "power_lower", "power_upper"])
    points = points.dropna(subset=["power"])
    if points.empty:
        return nothing_figure("nothing was asked")
    factors, series = list(dict.fromkeys(points["factor"])), list(dict.fromkeys(points["series"]))
    wide = min(len(factors), 3)
    high = -(-len(factors) // wide)
    fig = Figure(figsize=(WIDTH, 2.7 * high + 0.6), layout="constrained")
    axes = fig.subplots(high, wide, squeeze=False, sharey=True).ravel()
    for ax in axes[len(factors) :]:
        ax.set_axis_off()
    for ax, factor in zip(axes, factors, strict=False):
        here = points[points["factor"] == factor]
        values = list(dict.fromkeys(here["value"]))
        for name, (colour, line, mark) in zip(series, STYLES * 4, strict=False):
            part = here[here["series"] == name]
            at = [values.index(value) for value in part["value"]]
            errors = np.array(
                [part["power"] - part["power_lower"], part["power_upper"] - part["power"]]
            ).clip(0)
            ax.errorbar(
                at,
                part["power"],
                errors,
                color=colour,
                linestyle=line,
                marker=mark,
                markersize=4.5,
                capsize=2,
            )
        for at, value in enumerate(values):
            if here[here["value"] == value]["planned"].any():
                ax.axvline(at, color=INK, linewidth=1, linestyle=(0, (1, 1.5)), zorder=0)
        ax.axhline(WANTED, color=RULE, linewidth=0.8, zorder=0)
        ax.set_xticks(range(len(values)), [_text(value) for value in values])
        ax.set(xlabel=words.get(factor, factor), ylim=(0, 102), xlim=(-0.4, len(values) - 0.6))
        ax.set_yticks(sorted({*PERCENT, WANTED}))
    for ax in axes[::wide]:
        ax.set_ylabel("significant in favour (%)")
    handles = [
        Line2D([], [], color=colour, linestyle=line, marker=mark, markersize=5, label=name)
        for name, (colour, line, mark) in zip(series, STYLES * 4, strict=False)
    ]
    legend_above(fig, handles, 2)
    return fig
