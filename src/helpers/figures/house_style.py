"""What every figure shares: palette, settings, arms, text that fits, axes with readable numbers.

Colours: Okabe & Ito, "Color Universal Design" (2008), in an order whose neighbours differ in luminance as
well; orange and the blues darker than theirs: every line has 3:1 against white, and the arms differ in grey.
Yellow is for areas.
"""

from fractions import Fraction
from functools import cache, wraps

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from helpers.study.shown import drawn, grouped, plain, rounded

ARMS = ("Placebo", "hUC-MSC")
ARM_STYLE = {
    "Placebo": {"color": "#CC8400", "linestyle": (0, (4, 1.6)), "marker": "s"},
    "hUC-MSC": {"color": "#00629B", "linestyle": "-", "marker": "o"},
}
INK, MUTED, RULE, PALE = "#222222", "#5F5F5F", "#929292", "#EDEDED"
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    "#000000", "#CC8400", "#3D9AD1", "#009E73", "#F0E442", "#00629B", "#D55E00", "#CC79A7",
)  # fmt: skip
# Neighbours differ in luminance; hatches tell apart what is alike in grey.
CATEGORY_STYLE = (
    (BLUE, ""), (YELLOW, ""), (VERMILLION, "///"), (SKY, ""),
    (GREEN, "\\\\\\"), (PURPLE, "..."), (INK, ""), (ORANGE, "xx"),
)  # fmt: skip
LINE_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)), (0, (8, 2)), (0, (3, 1, 1, 1, 1, 1)))
WIDTH = 9.2  # inches
SMALL = 8.6  # points: the smallest text

SETTINGS = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "axes.titlesize": 10, "axes.labelsize": 9.8,
    "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9, "legend.frameon": False,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.titlelocation": "left",
    "axes.titley": 1.0,
    "text.parse_math": False, "axes.unicode_minus": True, "hatch.linewidth": 0.7, "figure.facecolor": "white",
    "savefig.facecolor": "white", "savefig.dpi": 150, "svg.hashsalt": "helpers",
}  # fmt: skip


# Whatever a reader or Jupyter has set, a figure is drawn from matplotlib's own defaults and `SETTINGS`.
OWN = {
    name: value
    for name, value in mpl.rcParamsDefault.items()
    if name not in ("backend", "backend_fallback", "interactive", "toolbar", "timezone")
} | SETTINGS


def style():
    """Make this module's look the default of the running Python session (sets `matplotlib.rcParams`).

    The functions here don't need it; it is for figures that a reader draws next to them.
    """
    mpl.rcParams.update(SETTINGS)


class Figure(figure.Figure):
    """A figure that is drawn under `OWN` settings whenever it is drawn: ticks are made only then."""

    def draw(self, renderer):
        with mpl.rc_context(OWN):
            super().draw(renderer)


def drawing(function):
    """Run a drawing function under `OWN` settings, leave the session's settings alone."""

    @wraps(function)
    def draw(*args, **kwargs):
        with mpl.rc_context(OWN):
            return function(*args, **kwargs)

    return draw


def frame_of(data, columns):
    """A copy of the frame with at least these columns, empty for None; unknown arms raise ValueError."""
    data = pd.DataFrame(data)
    data = data.reindex(columns=[*data.columns, *(c for c in columns if c not in data.columns)])
    if "arm" in data:
        other = sorted(set(data["arm"].dropna()) - set(ARMS))
        if other:
            raise ValueError(f"unknown arm {', '.join(map(str, other))}: the arms are {', '.join(ARMS)}")
    return data


def nothing(ax, why):
    """Say in empty axes why there is nothing to see."""
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    box = ax.get_window_extent()
    room = max(1.2, box.width / ax.figure.dpi - 0.3)
    ax.text(
        0.5,
        0.5,
        wrap(f"no data: {why}", room, 9.5),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=MUTED,
        style="italic",
    )


def nothing_figure(why):
    """A figure that says why there is nothing to see."""
    fig = Figure(figsize=(WIDTH, 1.6))
    nothing(fig.add_subplot(), why)
    return fig


@cache
def text_width(text, size=9.0, bold=False):
    """Width in inches of one line of text; 4 % over the outline, because pixel fonts are set wider."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return 1.04 * text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def wrap(text, inches, size=9.0, *, bold=False, indent=""):
    """Break text at spaces into lines no wider than `inches`; a longer word is broken where it must be."""
    lines, line = [], ""
    for word in str(text).split():
        start = indent if lines else ""
        trial = f"{line} {word}" if line.strip() else start + word
        if line.strip() and text_width(trial, size, bold) > inches:
            lines.append(line)
            trial = indent + word
        while text_width(trial, size, bold) > inches and len(trial.strip()) > 4:
            cut = next(
                (k for k in range(len(trial), 4, -1) if text_width(trial[:k], size, bold) <= inches), 4
            )
            lines.append(trial[:cut])
            trial = indent + trial[cut:]
        line = trial
    return "\n".join([*lines, line] if line.strip() or not lines else lines)


def short_names(children):
    """Child -> its name without the beginning that all of them share up to a separator."""
    names = [str(child) for child in children]
    cut = 0
    if len(set(names)) > 1:
        first, last = min(names), max(names)
        same = next((k for k in range(len(first)) if first[k] != last[k : k + 1]), len(first))
        cut = max((k + 1 for k in range(same) if not first[k].isalnum()), default=0)
    return dict(zip(children, (name[cut:] for name in names), strict=True))


def spread(places, gap):
    """Move places (any order) just so far apart that neighbours are `gap` away from each other."""
    order = np.argsort(places, kind="stable")
    out = np.array(places, float)
    for _ in range(200):
        step = np.diff(out[order])
        close = np.flatnonzero(step < gap - 1e-9)
        if not close.size:
            break
        for k in close:
            push = (gap - (out[order[k + 1]] - out[order[k]])) / 2
            if push > 0:
                out[order[k]] -= push
                out[order[k + 1]] += push
    return out


def with_unit(label, unit):
    return f"{label} ({unit})" if unit else label


def legend_above(fig, handles, columns):
    fig.legend(
        handles=handles, loc="outside upper center", ncols=columns, handlelength=2.6, columnspacing=1.8
    )


def value_axis(axis, low, high, *, log=False, ratio=False, below=0.0):
    """Limits and ticks of a value axis: plain numbers, 1-2-5 on a log scale, powers of two for ratios.

    `below` is the share of the axis to keep free under the lowest value. Returns the lower limit of the
    data part.
    """
    log = log or ratio
    if log:
        low, high = np.log10(low), np.log10(high)
    if high - low < 1e-9:
        room = 0.3 if log else max(abs(high) * 0.2, 0.5)
        low, high = low - room, high + room
    pad = 0.05 * (high - low)
    low, high = low - pad, high + pad
    bottom = low - below / (1 - below) * (high - low)
    back = (lambda v: 10.0**v) if log else (lambda v: v)
    if log:
        getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    if ratio:
        step = max(1, int(np.ceil((high - low) / np.log10(2) / 8)))
        first, last = int(np.floor(low / np.log10(2))), int(np.ceil(high / np.log10(2)))
        ticks = [2.0**k for k in range(first, last + 1) if k % step == 0]
        if high - low < 1.0:
            ticks = sorted(ticks + [t * 4 / 3 if t < 0.9 else t * 1.5 for t in ticks])
        names = [plain(t) if t >= 1 else str(Fraction(t).limit_denominator(96)) for t in ticks]
    elif log:
        decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
        steps = (1, 2, 5) if high - low < 3 else (1, 3) if high - low < 4.5 else (1,)
        if high - low < 0.6:
            steps = (1, 1.5, 2, 3, 4, 5, 6, 8)
        ticks = [s * 10.0**d for d in decades for s in steps]
        names = [tick_text(t) for t in ticks]
    else:
        ticks = list(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        ticks = [float(rounded(t, 10)) for t in ticks]
        digits = max(len(plain(t, 10).partition(".")[2]) for t in ticks)
        names = [drawn(grouped(t, digits)) for t in ticks]
    kept = [(t, n) for t, n in zip(ticks, names, strict=True) if back(low) <= t <= back(high)]
    axis.set_major_locator(FixedLocator([t for t, _ in kept]))
    axis.set_minor_locator(NullLocator())
    axis.set_ticklabels([n for _, n in kept])
    getattr(axis.axes, f"set_{axis.axis_name}lim")(back(bottom), back(high))
    return back(low)


def tick_text(value: float) -> str:
    """A tick's value with all its digits, up to ten, thousands apart: 0.5, 1,000."""
    return drawn(grouped(value, len(plain(value, 10).partition(".")[2])))


def whole_numbers() -> FuncFormatter:
    """Ticks that count: no decimals, thousands apart."""
    return FuncFormatter(lambda value, _: drawn(grouped(value)))


def rows_under(ax, places, rows, *, start):
    """Rows of text under the axes, aligned with x places: (head, texts, bold). `start` is in points."""
    for k, (head, texts, bold) in enumerate(rows):
        down = -start - 13.5 * k
        weight = "bold" if bold else "normal"
        ax.annotate(
            head,
            (0, 0),
            (-17, down),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="top",
            size=SMALL,
            weight=weight,
        )
        for x, text in zip(places, texts, strict=True):
            ax.annotate(
                text,
                (x, 0),
                (0, down),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="top",
                size=SMALL,
            )


def either_end(ax, words):
    """Below the ticks, at the left and the right end of the axis, what lies there: "← favours placebo"."""
    left, right = words
    for place, side, text in ((0, "left", f"\u2190 {left}"), (1, "right", f"{right} \u2192")):
        ax.annotate(
            text,
            (place, 0),
            (0, -19),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=side,
            va="top",
            size=SMALL,
        )


def arm_handle(arm, label=None, **more):
    look = ARM_STYLE[arm] | {
        "linewidth": 2,
        "markersize": 5.5,
        "markeredgecolor": INK,
        "markeredgewidth": 0.5,
    }
    return Line2D([], [], label=label or arm, **(look | more))
