"""Estimates with their intervals, a row each."""

import numpy as np
import pandas as pd
from matplotlib.transforms import blended_transform_factory

from helpers.figures.house_style import (  # fmt: skip
    BLUE,
    INK,
    MUTED,
    SMALL,
    WIDTH,
    Figure,
    drawing,
    either_end,
    frame_of,
    nothing_figure,
    text_width,
    value_axis,
    wrap,
)
from helpers.study.shown import drawn, plain, rounded

FOREST_COLUMNS = ("group", "label", "estimate", "lower", "upper", "text", "note")


def _text(value: float) -> str:
    """Two decimals; a limit without end is said so."""
    return drawn(rounded(value, 2)) if np.isfinite(value) else "∞" if value > 0 else "\u2212∞"


@drawing
def forest(frame, *, label, zero, favours=None):
    """Estimates with intervals, one a row, beside aligned columns of text.

    frame: label, estimate, lower, upper (all on the axis named `label`), optionally group (a heading over
    the rows that share it), text (printed at the right; default estimate and interval to two decimals),
    note (words for a row whose estimate is NaN; default "not estimable"). Every other column is printed as
    text between the labels and the plot, under its own name (`n`, `Placebo n/N`, ...). zero: value of no
    difference; 1 is read as a ratio and gives a log axis. favours: what lies below and above `zero`, in words
    printed under the axis at either end ("favours placebo", "favours hUC-MSC"); None where neither end is better.
    """
    frame = frame_of(frame, ["label", "estimate", "lower", "upper"]).reset_index(drop=True)
    if frame.empty:
        return nothing_figure(f"no row of {label} to show")
    numbers = frame[["estimate", "lower", "upper"]].apply(pd.to_numeric, errors="coerce").astype(float)
    ratio = zero == 1
    numbers = numbers.where(numbers > 0) if ratio else numbers
    known = np.isfinite(numbers["estimate"])
    said = [f"{_text(e)} ({_text(lo)} to {_text(up)})" for e, lo, up in numbers.to_numpy()]
    right = [str(t) if k else "" for t, k in zip(frame.get("text", pd.Series(said)), known, strict=True)]
    extra = [c for c in frame.columns if c not in FOREST_COLUMNS]
    cells = {
        c: ["" if pd.isna(v) else plain(v) if isinstance(v, float) else str(v) for v in frame[c]]
        for c in extra
    }
    grouped = "group" in frame
    names = [
        wrap(("   " if grouped else "") + str(v), 2.5, indent="   " if grouped else "")
        for v in frame["label"]
    ]
    if grouped:
        names = ["   " + n if not n.startswith(" ") else n for n in names]
    y, heads, cursor, before = [], [], 0.0, None
    for k, name in enumerate(names):
        if grouped and frame["group"][k] != before:
            before = frame["group"][k]
            heads.append((cursor + 0.16, str(before)))
            cursor += 0.3
        tall = 0.13 + 0.17 * (name.count("\n") + 1)
        y.append(cursor + tall / 2)
        cursor += tall
    lines_of = [line for name in names for line in name.split("\n")]
    first = max([text_width(v) for v in lines_of] + [text_width(h, bold=True) for _, h in heads]) + 0.15
    wide = [
        max([text_width(v) for v in cells[c]] + [text_width(p, bold=True) for p in str(c).split("\n")]) + 0.22
        for c in extra
    ]
    last = max(text_width(v) for v in [*right, "0.00"]) + 0.2
    plot = max(2.4, WIDTH - 0.2 - first - sum(wide) - last - 0.3)
    width = 0.2 + first + sum(wide) + plot + last + 0.3
    headed = max([str(c).count("\n") + 1 for c in extra], default=0) * 0.17 + 0.12
    name = wrap(label, plot + 0.4, 9.8)
    foot = 0.5 + 0.17 * (name.count("\n") + 1) + (0.2 if favours else 0)
    height = headed + cursor + foot + 0.06
    fig = Figure(figsize=(width, height))
    left = 0.15 + first + sum(wide) + 0.1
    ax = fig.add_axes((left / width, foot / height, plot / width, cursor / height))
    ax.set_ylim(cursor, 0)
    inside = np.append(numbers.to_numpy().ravel(), zero)
    inside = inside[np.isfinite(inside)]
    value_axis(ax.xaxis, inside.min(), inside.max(), log=ratio)
    low, high = ax.get_xlim()
    ax.axvline(zero, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    at = blended_transform_factory(fig.dpi_scale_trans, ax.transData)
    for k, middle in enumerate(y):
        ax.text(0.15, middle, names[k], transform=at, va="center", size=9)
        for c, edge in zip(extra, 0.15 + first + np.cumsum(wide), strict=True):
            ax.text(edge - 0.1, middle, cells[c][k], transform=at, va="center", ha="right", size=9)
        if not known[k]:
            note = frame["note"][k] if "note" in frame and pd.notna(frame["note"][k]) else "not estimable"
            ax.text(
                0.5,
                middle,
                note,
                transform=ax.get_yaxis_transform(),
                ha="center",
                va="center",
                size=SMALL,
                style="italic",
                color=MUTED,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
            continue
        estimate, lower, upper = numbers.loc[k]
        lower, upper = (
            low if np.isnan(lower) or np.isneginf(lower) else lower,
            high if not np.isfinite(upper) else upper,
        )
        ax.plot([lower, upper], [middle, middle], color=INK, linewidth=1.6, solid_capstyle="butt")
        ax.plot(estimate, middle, "s", color=BLUE, markeredgecolor=INK, markeredgewidth=0.5, markersize=6.5)
        for limit, mark in ((numbers["lower"][k], "<"), (numbers["upper"][k], ">")):
            if not np.isfinite(limit):
                ax.plot(low if mark == "<" else high, middle, mark, color=INK, markersize=6, clip_on=False)
        ax.text(left + plot + 0.15, middle, right[k], transform=at, va="center", size=9)
    for place, text in heads:
        ax.text(0.15, place, text, transform=at, va="center", size=9, weight="bold")
    for c, edge in zip(extra, 0.15 + first + np.cumsum(wide), strict=True):
        ax.text(edge - 0.1, -0.06, c, transform=at, va="bottom", ha="right", size=9, weight="bold")
    ax.spines["left"].set_visible(False)
    ax.set_yticks([])
    ax.set_xlabel(name, labelpad=18 if favours else None)
    if favours:
        either_end(ax, favours)
    return fig
