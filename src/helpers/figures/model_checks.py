"""The simulation model beside what is published, and what selection and noise do to stable children."""

import numpy as np
from matplotlib.lines import Line2D

from helpers.figures.house_style import (  # fmt: skip
    BLUE,
    INK,
    LINE_STYLES,
    ORANGE,
    VERMILLION,
    WIDTH,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing,
    nothing_figure,
    wrap,
)
from helpers.study.shown import plain


@drawing
def beside_published(frame, *, log=()):
    """Simulated cumulative distributions with published points on them, a panel each.

    frame: panel (its title with unit, in their order), kind (simulated or published), percentile, value, low
    and high (range of a published value, may be missing). `log`: the panels with a log axis, drawn for
    values about 0.1 to 10.
    """
    frame = frame_of(frame, ["panel", "kind", "percentile", "value", "low", "high"])
    panels = list(dict.fromkeys(frame["panel"]))
    if not panels:
        return nothing_figure("no distribution is given")
    columns = 2 if len(panels) == 4 else min(3, len(panels))
    lines = -(-len(panels) // columns)
    fig = Figure(figsize=(WIDTH, 0.7 + 2.9 * lines), layout="constrained")
    axes = np.atleast_1d(fig.subplots(lines, columns)).ravel()
    for ax in axes[len(panels) :]:
        ax.set_visible(False)
    for ax, panel in zip(axes, panels, strict=False):
        part = frame[frame["panel"] == panel].dropna(subset=["value"])
        curve, points = part[part["kind"] == "simulated"], part[part["kind"] == "published"]
        if curve.empty:
            nothing(ax, "no simulated child fits this population")
            continue
        ax.plot(curve["value"], curve["percentile"], color=BLUE, linewidth=2)
        ranges = points.dropna(subset=["low", "high"])
        ax.hlines(ranges["percentile"], ranges["low"], ranges["high"], color=INK, linewidth=1.6)
        ax.plot(
            points["value"], points["percentile"], "D", color=VERMILLION, markeredgecolor=INK, markersize=6.5
        )
        if panel in log:
            ax.set_xscale("log")
            ax.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
            ax.minorticks_off()
        ax.set(ylim=(0, 100), yticks=range(0, 101, 25))
        ax.set_title(wrap(panel, WIDTH / columns - 0.9, 9.4), fontsize=9.4)
    for ax in axes[::columns]:
        ax.set_ylabel("children (%)")
    handles = [
        Line2D([], [], color=BLUE, linewidth=2, label="simulated"),
        Line2D([], [], color=INK, marker="D", markerfacecolor=VERMILLION, linewidth=1.6, label="published"),
    ]
    legend_above(fig, handles, 2)
    return fig


@drawing
def selection_and_noise(frame):
    """Change of UPCR by entry threshold on the left, remissions of stable children by noise on the right.

    frame: panel (selection or remission), line (its name), x (threshold in mg/mg, or SD of log UPCR), value
    (change or children, %). A line keeps its colour by its place.
    """
    frame = frame_of(frame, ["panel", "line", "x", "value"])
    fig = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    left, right = fig.subplots(1, 2)
    for ax, panel in ((left, "selection"), (right, "remission")):
        part = frame[frame["panel"] == panel].dropna(subset=["value"])
        if part.empty:
            nothing(ax, "no child is selected under these parameters")
            continue
        for k, (name, line) in enumerate(part.groupby("line", sort=False)):
            ax.plot(
                line["x"],
                line["value"],
                marker="osD"[k],
                color=(BLUE, ORANGE, VERMILLION)[k],
                linestyle=LINE_STYLES[k],
                linewidth=2,
                label=name,
            )
        ax.legend(loc="best")
        if panel == "selection":
            thresholds = sorted(set(part["x"]))
            ax.axhline(0, color=INK, linewidth=0.8)
            ax.set_xscale("log")
            ax.set_xticks(thresholds, [plain(t) for t in thresholds])
            ax.minorticks_off()
            ax.set(xlabel="entry UPCR at or above (mg/mg)", ylabel="change of UPCR at month 12 (%)")
        else:
            ax.set(
                xlabel="visit noise (SD of log UPCR)",
                ylabel="stable children counted as remitted (%)",
                ylim=(0, None),
            )
    return fig
