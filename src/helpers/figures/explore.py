"""Figures of the researcher's bench: one example trial, what many trials show, and two settings side by side.

Same manners as in `figures`: plain frames in, a matplotlib Figure out, no global state, nothing estimated.
"""

import numpy as np
from matplotlib.collections import LineCollection

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    INK,
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
    value_axis,
    wrap,
)
from helpers.study.shown import plain

MONTHS = (0, 3, 6, 9, 12)
TIME = "months since the planned last infusion"
RATIO, REMITTED = "UPCR / baseline", "in confirmed remission so far (%)"


def _time_axis(ax):
    ax.set(xlim=(-0.8, 12.5), xlabel=TIME)
    ax.set_xticks(MONTHS)


def _line(ax, part, column, arm, *, step=False):
    look = {name: value for name, value in ARM_STYLE[arm].items() if name != "marker" or not step}
    ax.plot(
        part["month"], part[column], linewidth=2.2, markersize=4.5, zorder=5,
        drawstyle="steps-post" if step else "default", **look,
    )  # fmt: skip


def _course(ax, children, example):
    """One trial's UPCR over baseline: each child thin, geometric means bold."""
    shown = children["ratio"].dropna()
    shown = shown[shown > 0]
    if shown.empty:
        nothing(ax, "no child with a baseline and a value")
        return
    for arm in ARMS:
        part = children[children["arm"] == arm]
        paths = [one.to_numpy() for _, one in part.groupby("child")[["month", "ratio"]]]
        ax.add_collection(LineCollection(paths, color=ARM_STYLE[arm]["color"], alpha=0.35, linewidth=0.8))
        _line(ax, example[example["arm"] == arm], "ratio", arm)
    ax.axhline(1, color=RULE, linewidth=0.8, zorder=0)
    value_axis(ax.yaxis, shown.min(), shown.max(), ratio=True)
    _time_axis(ax)
    ax.set_ylabel(RATIO)


def _remitted(ax, example):
    for arm in ARMS:
        _line(ax, example[example["arm"] == arm], "remitted", arm, step=True)
    ax.set(ylim=(-2, 102), ylabel=REMITTED)
    _time_axis(ax)


def _spread(ax, spread, by_arm):
    """How the trials spread: the share in confirmed remission by arm, and its mean over all trials."""
    for arm in ARMS:
        part = spread[spread["arm"] == arm]
        look = {name: value for name, value in ARM_STYLE[arm].items() if name != "marker"}
        ax.step(part["share"], part["trials"], where="post", linewidth=1.9, **look)
        ax.fill_between(
            part["share"], part["trials"], step="post", alpha=0.18, color=look["color"], linewidth=0
        )
        mean = by_arm.loc[by_arm["arm"] == arm, "share"].iloc[0]
        ax.plot([mean], [0], marker=ARM_STYLE[arm]["marker"], color=look["color"], markeredgecolor=INK, clip_on=False,
                markersize=7, zorder=6)  # fmt: skip
    top = max(spread["trials"].max(), 1)
    ax.set(xlim=(0, 102), ylim=(0, 1.08 * top), xlabel="in confirmed remission, of all randomised (%)")
    ax.set_ylabel("trials (%)")


def _legend(fig):
    legend_above(fig, [arm_handle(arm) for arm in ARMS], 2)


@drawing
def example_trial(children, example):
    """One trial: UPCR over baseline of each child with geometric means, and confirmed remission so far.

    children: frame child, arm, month, ratio (NaN = no value). example: frame arm, month, ratio, remitted (%).
    """
    children = frame_of(children, ["child", "arm", "month", "ratio"])
    example = frame_of(example, ["arm", "month", "ratio", "remitted"])
    if example.empty:
        return nothing_figure("no trial was simulated")
    fig = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    left, right = fig.subplots(1, 2)
    _course(left, children, example)
    _remitted(right, example)
    _legend(fig)
    return fig


@drawing
def remission_of_trials(spread, by_arm):
    """How confirmed remission by arm spreads over many trials; a mark on the axis is the mean.

    spread: frame arm, share (%, lower end of a class), trials (%). by_arm: frame arm, share (%).
    """
    spread, by_arm = frame_of(spread, ["arm", "share", "trials"]), frame_of(by_arm, ["arm", "share"])
    if spread.empty:
        return nothing_figure("no trial was simulated")
    fig = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    _spread(fig.add_subplot(), spread, by_arm)
    _legend(fig)
    return fig


@drawing
def bench(children, example, spread, by_arm):
    """All of a move at once: an example trial and the many, as `example_trial` and `remission_of_trials` draw them."""
    fig = Figure(figsize=(11.5, 3.5))
    left, middle, right = fig.subplots(1, 3)
    # a layout engine takes as long as the trials
    fig.subplots_adjust(left=0.055, right=0.985, bottom=0.15, top=0.91, wspace=0.24)
    _course(left, children, example)
    _remitted(middle, example)
    _spread(right, spread, by_arm)
    left.set_title("an example trial: children and means")
    middle.set_title("the same trial")
    right.set_title("all trials")
    middle.legend(handles=[arm_handle(arm) for arm in ARMS], loc="upper left", handlelength=2.6)
    return fig


@drawing
def side_by_side(curves):
    """Courses under two settings as small multiples on common axes: UPCR over baseline above, remission below.

    curves: frame setting (its words, in the order of the columns), arm, month, ratio, ratio_low, ratio_high, remitted
    (%), remitted_low, remitted_high; bands hold the middle 95 % of trials.
    """
    names = [f"{name}{end}" for name in ("ratio", "remitted") for end in ("", "_low", "_high")]
    curves = frame_of(curves, ["setting", "arm", "month", *names])
    if curves.empty:
        return nothing_figure("no trial was simulated")
    settings = list(dict.fromkeys(curves["setting"]))
    fig = Figure(figsize=(WIDTH, 6.2), layout="constrained")
    axes = fig.subplots(2, len(settings), sharex=True, sharey="row", squeeze=False)
    for column, setting in enumerate(settings):
        part = curves[curves["setting"] == setting]
        for row, name in enumerate(("ratio", "remitted")):
            ax = axes[row, column]
            for arm in ARMS:
                mine = part[part["arm"] == arm]
                step = "post" if name == "remitted" else None
                ax.fill_between(
                    mine["month"], mine[f"{name}_low"], mine[f"{name}_high"], alpha=0.16, linewidth=0, step=step,
                    color=ARM_STYLE[arm]["color"],
                )  # fmt: skip
                _line(ax, mine, name, arm, step=name == "remitted")
        axes[0, column].set_title(
            wrap(setting, 0.9 * WIDTH / len(settings) - 0.6, SMALL), weight="bold", size=SMALL
        )
        axes[1, column].set_xlabel(TIME)
    drawn = curves[["ratio", "ratio_low", "ratio_high"]].to_numpy()
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    axes[0, 0].axhline(1, color=RULE, linewidth=0.8, zorder=0)
    if drawn.size:
        value_axis(axes[0, 0].yaxis, drawn.min(), drawn.max(), ratio=True)
    axes[0, 0].set_xlim(-0.8, 12.5)
    axes[0, 0].set_xticks(MONTHS, [plain(month) for month in MONTHS])
    axes[1, 0].set(ylim=(-2, 102), ylabel=REMITTED)
    axes[0, 0].set_ylabel(RATIO)
    _legend(fig)
    return fig
