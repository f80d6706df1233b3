"""Distributions of one measure, and shares of categories."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    BLUE,
    CATEGORY_STYLE,
    INK,
    LINE_STYLES,
    MUTED,
    ORANGE,
    SKY,
    SMALL,
    VERMILLION,
    WIDTH,
    YELLOW,
    Figure,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
    spread,
    text_width,
    value_axis,
    whole_numbers,
    with_unit,
    wrap,
)
from helpers.study.shown import grouped, rounded


@drawing
def distribution(values, *, by=None, log=False, published=(), label, unit, whose="simulated children"):
    """A simulated distribution above the published numbers that it should resemble, on one axis.

    values: numbers, one a child, in `unit`; by: their group (same length), or None. Without groups a
    histogram (children), with groups one cumulative curve each (% of the group). `published`: dicts {label,
    value, low, high, source_id} in `unit`; value is the mark (median, mean), low and high its range
    (quartiles, +-SD), each of the three may be missing. On a log axis numbers of zero or below are left
    out, and counted in the label. `whose` names the axis of shares.
    """
    groups = np.full(np.size(values), "", object) if by is None else np.asarray(by, object)
    data = pd.DataFrame(
        {"value": pd.to_numeric(pd.Series(np.asarray(values)), errors="coerce"), "by": groups}
    )
    data = data[np.isfinite(data["value"].astype(float)) & data["by"].notna()]
    left_out = int((data["value"] <= 0).sum()) if log else 0
    data = data[data["value"] > 0] if log else data
    if data.empty:
        return nothing_figure(f"no value of {label} to show")
    import seaborn as sns

    marks = pd.DataFrame(list(published), columns=["label", "value", "low", "high", "source_id"])
    numbers = marks[["value", "low", "high"]].apply(pd.to_numeric, errors="coerce").astype(float)
    numbers = numbers.where(numbers > 0) if log else numbers
    names = [
        wrap(f"{m.label} [{m.source_id}]" if pd.notna(m.source_id) else m.label, 2.3)
        for m in marks.itertuples()
    ]
    tall = [0.19 + 0.17 * (name.count("\n") + 1) for name in names]
    heights = [2.6, sum(tall)] if names else [2.6]
    fig = Figure(figsize=(WIDTH, 1.1 + sum(heights)), layout="constrained")
    axes = fig.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    top, last = axes[0], axes[-1]
    if by is None:
        sns.histplot(
            data=data,
            x="value",
            log_scale=log,
            color=SKY,
            edgecolor="white",
            linewidth=0.6,
            bins=int(np.clip(2 * np.sqrt(len(data)), 8, 40)),
            ax=top,
        )
        top.set_ylabel("simulated children")
        top.yaxis.set_major_formatter(whole_numbers())
        handles = [Patch(facecolor=SKY, label=f"simulated (n = {grouped(len(data))})")]
    else:
        handles = []
        kinds = sorted(data["by"].unique(), key=str)
        kinds = [k for k in ARMS if k in kinds] + [k for k in kinds if k not in ARMS]
        for k, kind in enumerate(kinds):
            color = CATEGORY_STYLE[k % len(CATEGORY_STYLE)][0]
            look = {
                "color": ORANGE if color == YELLOW else color,
                "linestyle": LINE_STYLES[k % len(LINE_STYLES)],
            }
            look = {n: v for n, v in ARM_STYLE[kind].items() if n != "marker"} if kind in ARM_STYLE else look
            part = data.loc[data["by"] == kind, "value"]
            sns.ecdfplot(x=part, stat="percent", log_scale=log, linewidth=2, ax=top, **look)
            handles.append(Line2D([], [], linewidth=2, label=f"{kind} (n = {grouped(len(part))})", **look))
        top.set(ylabel=f"{whose} (%)", ylim=(-2, 102))
    if names:
        y = np.cumsum(tall) - np.array(tall) / 2
        low, high = numbers["low"].fillna(numbers["value"]), numbers["high"].fillna(numbers["value"])
        last.hlines(y, low, high, color=INK, linewidth=1.8)
        for ends in (numbers["low"], numbers["high"]):
            last.plot(ends, y, "|", color=INK, markersize=9, markeredgewidth=1.8)
        last.plot(numbers["value"], y, "D", color=VERMILLION, markeredgecolor=INK, markersize=6.5)
        for value in numbers["value"].dropna():
            for ax in axes:
                ax.axvline(value, color=VERMILLION, linewidth=0.9, linestyle=(0, (2, 2)), zorder=0.5)
        last.set(ylim=(sum(tall), 0), yticks=y, ylabel="")
        last.set_yticklabels(names)
        last.tick_params(axis="y", length=0)
        handles.append(
            Line2D(
                [],
                [],
                color=INK,
                marker="D",
                markerfacecolor=VERMILLION,
                linewidth=1.8,
                label="published value and range",
            )
        )
    every = np.concatenate([data["value"], numbers.to_numpy().ravel()]).astype(float)
    every = every[np.isfinite(every)]
    value_axis(last.xaxis, every.min(), every.max(), log=log)
    extra = f"; {grouped(left_out)} at or below zero not drawn" if left_out else ""
    top.set_xlabel("")
    last.set_xlabel(with_unit(label, unit) + extra)
    legend_above(fig, handles, min(3, len(handles)))
    return fig


@drawing
def stacked_shares(frame):
    """Shares of categories within groups as stacked bars, e.g. genotype by sex.

    frame: group, category, n (children); order of both as they first come. Each part says n and its per
    cent of the group; parts too narrow for that say n above the bar.
    """
    frame = frame_of(frame, ["group", "category", "n"]).dropna(subset=["group", "category"])
    counts = frame.assign(n=pd.to_numeric(frame["n"], errors="coerce").fillna(0))
    kinds, groups = list(dict.fromkeys(counts["category"])), list(dict.fromkeys(counts["group"]))
    table = counts.pivot_table(
        index="group", columns="category", values="n", aggfunc="sum", fill_value=0, observed=True
    )
    if not counts["n"].sum():
        return nothing_figure("no child in any group")
    table = table.reindex(index=groups, columns=kinds).fillna(0)
    names = [wrap(f"{g} (n = {grouped(table.loc[g].sum())})", 1.9) for g in groups]
    room = WIDTH - 0.5 - max(text_width(line) for n in names for line in n.split("\n"))
    columns = max(1, min(4, int(WIDTH / (max(text_width(str(k)) for k in kinds) + 0.7))))
    fig = Figure(
        figsize=(WIDTH, 0.9 + 0.62 * len(groups) + 0.2 * -(-len(kinds) // columns)), layout="constrained"
    )
    ax = fig.add_subplot()
    for k, group in enumerate(groups):
        total, start, narrow = table.loc[group].sum(), 0.0, []
        if not total:
            ax.text(1, k, "no data: no child in this group", va="center", style="italic", color=MUTED)
            continue
        for j, kind in enumerate(kinds):
            n = table.loc[group, kind]
            share = 100 * n / total
            color, hatch = CATEGORY_STYLE[j % len(CATEGORY_STYLE)]
            ax.barh(
                k, share, left=start, height=0.56, color=color, hatch=hatch, edgecolor="white", linewidth=0.8
            )
            text = next(
                (
                    t
                    for t in (f"{grouped(n)} ({rounded(share)} %)", grouped(n))
                    if text_width(t, SMALL) + 0.1 < share / 100 * room
                ),
                None,
            )
            if text:
                dark = color in (BLUE, INK)
                behind = "white" if hatch else color
                ax.text(
                    start + share / 2,
                    k,
                    text,
                    ha="center",
                    va="center",
                    size=SMALL,
                    color="white" if dark else INK,
                    bbox={"facecolor": behind, "edgecolor": "none", "pad": 1.2},
                )
            elif n:
                narrow.append((start + share / 2, grouped(n)))
            start += share
        if narrow:
            gap = 100 * (max(text_width(t, SMALL) for _, t in narrow) + 0.06) / room
            for x, (middle, text) in zip(spread([m for m, _ in narrow], gap), narrow, strict=True):
                ax.annotate(
                    text, (middle, k - 0.28), (min(x, 99.5), k - 0.36), ha="center", va="bottom", size=SMALL
                )
    ax.set(xlim=(0, 100), ylim=(len(groups) - 0.6, -0.72), xlabel="children of the group (%)")
    ax.set_yticks(range(len(groups)), names)
    ax.tick_params(axis="y", length=0)
    styles = [CATEGORY_STYLE[j % len(CATEGORY_STYLE)] for j in range(len(kinds))]
    handles = [
        Patch(facecolor=c, hatch=h, edgecolor="white", label=str(kind))
        for kind, (c, h) in zip(kinds, styles, strict=True)
    ]
    legend_above(fig, handles, columns)
    return fig
