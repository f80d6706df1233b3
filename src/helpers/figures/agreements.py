"""Figures of checks: every assignment of the undetermined, agreement of measures.

As in `figures`: plain frames in, a `Figure` out, nothing estimated here.
"""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator

from helpers.figures.house_style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    PALE,
    RULE,
    SKY,
    SMALL,
    VERMILLION,
    WIDTH,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
    wrap,
)
from helpers.study.shown import drawn, rounded


@drawing
def tipping(difference, decided, *, arms, contains_zero=None):
    """Every assignment of the undetermined children as a grid: the difference, and the primary test's decision.

    difference, decided: arrays (undetermined of the first arm + 1, of the second + 1) of percentage points and of
    whether the primary test would decide for a difference; contains_zero: array, whether the interval contains zero,
    for a cross where test and interval disagree. A square marks that none remits, the primary analysis. arms: names.
    """
    difference = np.asarray(difference, float)
    if difference.size == 0:
        return nothing_figure("an arm without an evaluable child")
    rows, columns = difference.shape
    cell = float(np.clip(6.4 / columns, 0.12, 0.55))
    fig = Figure(figsize=(WIDTH, 1.5 + max(1.2, cell * rows)), layout="constrained")
    ax = fig.add_subplot()
    for a in range(rows):
        for b in range(columns):
            color = SKY if decided[a, b] else PALE
            ax.add_patch(Rectangle((b - 0.5, a - 0.5), 1, 1, facecolor=color, edgecolor="white"))
            if contains_zero is not None and decided[a, b] == contains_zero[a, b]:
                ax.plot(b + 0.3, a + 0.3, "x", color=INK, markersize=4)
            if max(rows, columns) <= 16:
                text = drawn(rounded(difference[a, b]))
                ax.text(b, a, text, ha="center", va="center", size=SMALL)
    ax.add_patch(Rectangle((-0.44, -0.44), 0.88, 0.88, fill=False, edgecolor=VERMILLION, linewidth=2))
    ax.set(
        xlim=(-0.6, columns - 0.4), ylim=(-0.6, rows - 0.4), aspect="equal" if rows * columns > 1 else "auto"
    )
    for axis, arm, extent in ((ax.xaxis, arms[1], columns), (ax.yaxis, arms[0], rows)):
        axis.set_major_locator(
            FixedLocator(np.unique(np.linspace(0, extent - 1, min(extent, 10)).astype(int)))
        )
        axis.set_label_text(
            wrap(f"undetermined children on {arm} who remit", 3.6 if axis is ax.xaxis else 1.8, 9.8)
        )
    square = {"linestyle": "", "marker": "s", "markersize": 9, "markerfacecolor": "none"}
    handles = [
        Patch(facecolor=SKY, edgecolor="white", label="primary test decides for a difference"),
        Patch(facecolor=PALE, edgecolor=RULE, label="it does not"),
        Line2D([], [], markeredgecolor=VERMILLION, markeredgewidth=2, label="primary: none remits", **square),
    ]
    if contains_zero is not None and (decided == contains_zero).any():
        handles.append(Line2D([], [], linestyle="", marker="x", color=INK, label="interval disagrees"))
    legend_above(fig, handles, 4)
    return fig


@drawing
def agreement(frame, *, label):
    """Pairs of yes-or-no measures: stacked bars of children on whom both agree or either one alone says yes.

    frame: pair, both, first, second, neither (children), first_name, second_name, text (at the right).
    """
    frame = frame_of(
        frame, ["pair", "both", "first", "second", "neither", "first_name", "second_name", "text"]
    )
    frame = frame.reset_index(drop=True)
    counts = frame[["both", "first", "second", "neither"]].fillna(0).to_numpy(float)
    if frame.empty or not counts.sum():
        return nothing_figure(f"no child in whom {label} can be compared")
    fig = Figure(figsize=(WIDTH, 1.3 + 0.85 * len(frame)), layout="constrained")
    ax = fig.add_subplot()
    looks = ((BLUE, ""), (ORANGE, "///"), (ORANGE, "\\\\\\"), (PALE, ""))
    for k, row in frame.iterrows():
        start = 0.0
        for n, (color, hatch) in zip(counts[k], looks, strict=True):
            ax.barh(k, n, left=start, height=0.5, color=color, hatch=hatch, edgecolor="white", linewidth=1)
            if n:
                box = {"facecolor": "white" if hatch else color, "edgecolor": "none", "pad": 1}
                dark = "white" if color == BLUE else INK
                ax.text(
                    start + n / 2, k, rounded(n), ha="center", va="center", size=SMALL, color=dark, bbox=box
                )
            start += n
        words = f"/// {row['first_name']} alone     \\\\\\ {row['second_name']} alone     {row['text']}"
        ax.text(0, k - 0.34, words, va="center", size=SMALL, color=MUTED)
    ax.set_yticks(range(len(frame)), [wrap(str(v), 1.7) for v in frame["pair"]])
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(len(frame) - 0.6, -0.7), xlabel="children")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    handles = [
        Patch(facecolor=BLUE, label="remission by both"),
        Patch(facecolor=ORANGE, hatch="xx", edgecolor="white", label="by one alone"),
        Patch(facecolor=PALE, edgecolor=RULE, label="by neither"),
    ]
    legend_above(fig, handles, 3)
    return fig
