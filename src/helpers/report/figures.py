"""All figures: distributions, curves, intervals and shares are drawn here; `course_figures` draws values
over the visits, `flow_figures` who was screened, treated and seen, `flowchart` the CONSORT flow.

Each function takes plain frames and returns a `matplotlib.figure.Figure` that belongs to nobody else:
pyplot is not involved, nothing is shown, no setting outlives the call (`style` is the one exception, and
only when called). Nothing is estimated here: estimates, intervals and counts are given. Data that can't be
drawn give axes with the sentence "no data: <why>". Arms other than `ARMS` raise ValueError.
"""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import blended_transform_factory

from helpers.report.canvas import (
    ARM_STYLE,
    ARMS,
    BLUE,
    CATEGORY_STYLE,
    INK,
    LINE_STYLES,
    MUTED,
    ORANGE,
    PALE,
    RULE,
    SKY,
    SMALL,
    VERMILLION,
    WIDTH,
    YELLOW,
    Figure,
    arm_handle,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
    rows_under,
    spread,
    style,
    text_width,
    value_axis,
    with_unit,
    wrap,
)  # fmt: skip
from helpers.report.course_figures import by_arm_over_time, small_multiples
from helpers.report.flow_figures import attrition, recruitment, swimmer, tiles
from helpers.report.flowchart import consort

__all__ = [
    "ARMS", "ARM_STYLE", "attrition", "by_arm_over_time", "consort", "cumulative_remission", "distribution",
    "forest", "recruitment", "small_multiples", "stacked_shares", "style", "swimmer", "tiles",
]  # fmt: skip


@drawing
def distribution(values, *, by=None, log=False, published=(), label, unit):
    """A simulated distribution above the published numbers that it should resemble, on one axis.

    values: numbers, one a child, in `unit`; by: their group (same length), or None. Without groups a
    histogram (children), with groups one cumulative curve each (% of the group). `published`: dicts {label,
    value, low, high, source_id} in `unit`; value is the mark (median, mean), low and high its range
    (quartiles, +-SD), each of the three may be missing. On a log axis numbers of zero or below are left
    out, and counted in the label.
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
        top.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        handles = [Patch(facecolor=SKY, label=f"simulated (n = {len(data):,})")]
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
            handles.append(Line2D([], [], linewidth=2, label=f"{kind} (n = {len(part):,})", **look))
        top.set(ylabel="simulated children (%)", ylim=(-2, 102))
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
    extra = f"; {left_out:,} at or below zero not drawn" if left_out else ""
    top.set_xlabel("")
    last.set_xlabel(with_unit(label, unit) + extra)
    legend_above(fig, handles, min(3, len(handles)))
    return fig


def _risk_rows(table, times):
    """Rows of the table under a curve. Counts at each time are added up; what is a sum already stays."""
    rows = []
    whole = table.sort_values("time", kind="stable")
    sums = all(
        part[["events", "censored"]].diff().fillna(0).ge(0).all(axis=None)
        and (part[["at_risk", "events", "censored"]].sum(axis=1) >= part["at_risk"].iloc[0]).all()
        for _, part in whole.groupby("arm")
    )
    if not sums:
        whole[["events", "censored"]] = whole.groupby("arm")[["events", "censored"]].cumsum()
    for column, head in (
        ("at_risk", "At risk"),
        ("events", "Remitted so far"),
        ("censored", "Censored so far"),
    ):
        rows.append((head, [""] * len(times), True))
        for arm in ARMS:
            part = whole[whole["arm"] == arm].drop_duplicates("time", keep="last").set_index("time")[column]
            rows.append(
                (arm, [f"{part[t]:.0f}" if t in part and pd.notna(part[t]) else "–" for t in times], False)
            )
    return rows


@drawing
def cumulative_remission(curves, risk_table, *, grid, band=True, label, points=None):
    """Cumulative remission by arm as steps, with the visit grid and the table at risk / remitted /
    censored.

    curves: frame arm, time (months), estimate, lower, upper (shares 0 to 1), optionally n_censor (children
    censored at that time; drawn as a tick on the curve). risk_table: frame arm, time, at_risk (just before
    the time), events, censored: counts at each time or already added up; printed as sums so far. grid:
    months of the visits. `band` draws lower to upper. points: a second, interval-censored estimate at some
    times, drawn as marks with its band (frame arm, time, estimate, lower, upper).
    """
    curves = frame_of(curves, ["arm", "time", "estimate", "lower", "upper"])
    curves = curves.dropna(subset=["arm", "time", "estimate"]).sort_values("time", kind="stable")
    if curves.empty:
        return nothing_figure(f"no child in whom {label} can be followed")
    table = frame_of(risk_table, ["arm", "time", "at_risk", "events", "censored"]).dropna(
        subset=["arm", "time"]
    )
    fig = Figure(figsize=(WIDTH, 6.2 if len(table) else 4.4), layout="constrained")
    ax = fig.add_subplot()
    visits = np.array(sorted(float(g) for g in grid))
    for month in visits:
        ax.axvline(month, color=RULE, linewidth=0.7, zorder=0.5)
    end = max([curves["time"].max(), *visits])
    for arm in ARMS:
        part = curves[curves["arm"] == arm]
        if part.empty:
            continue
        if part["time"].iloc[0] > 0:
            first = pd.DataFrame(
                {"arm": [arm], "time": [0.0], "estimate": [0.0], "lower": [0.0], "upper": [0.0]}
            )
            part = pd.concat([first, part], ignore_index=True)
        if part["time"].iloc[-1] == end:
            # A step at the last visit would be a mere vertical without a stub behind it.
            part = pd.concat([part, part.iloc[[-1]].assign(time=1.015 * end, n_censor=0)], ignore_index=True)
        look = {n: v for n, v in ARM_STYLE[arm].items() if n != "marker"}
        if band:
            ax.fill_between(
                part["time"],
                100 * part["lower"],
                100 * part["upper"],
                step="post",
                alpha=0.2,
                color=look["color"],
                linewidth=0,
                zorder=1,
            )
            for edge in ("lower", "upper"):
                ax.step(part["time"], 100 * part[edge], where="post", linewidth=0.8, alpha=0.9, **look)
        ax.step(part["time"], 100 * part["estimate"], where="post", linewidth=2.4, zorder=4, **look)
        if "n_censor" in curves:
            ticks = part[part["n_censor"].fillna(0) > 0]
            ax.plot(
                ticks["time"],
                100 * ticks["estimate"],
                "|",
                color=INK,
                markersize=9,
                markeredgewidth=1.4,
                zorder=5,
            )
    marks = frame_of(points, ["arm", "time", "estimate", "lower", "upper"]).dropna(subset=["estimate"])
    for arm, way in zip(ARMS, (-1, 1), strict=True):
        part = marks[marks["arm"] == arm]
        at, look = part["time"] + way * 0.006 * end, {"color": ARM_STYLE[arm]["color"]}
        ax.vlines(at, 100 * part["lower"], 100 * part["upper"], linewidth=1.3, zorder=3, **look)
        look |= {"marker": ARM_STYLE[arm]["marker"], "markeredgecolor": INK, "markeredgewidth": 0.6}
        ax.plot(at, 100 * part["estimate"], linestyle="", markersize=5.5, zorder=6, **look)
    ticks = (
        [t for t in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12) if t <= end + 0.05]
        if end <= 12.5
        else MaxNLocator(8).tick_values(0, end)
    )
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set(xlim=(-0.02 * end, 1.02 * end), ylim=(-2, 102), yticks=range(0, 101, 20))
    ax.set(ylabel=wrap(f"{label} (%)", 3.6, 9.8))
    ax.set_xlabel("months since the planned last infusion; verticals: visits")
    if len(table):
        times, near = (
            [],
            1.12 * text_width(f"{table['at_risk'].max():.0f}0", SMALL) * 1.04 * end / (WIDTH - 2.0),
        )
        for t in sorted(set(table["time"])):
            if not times or t - times[-1] >= near * 0.9:
                times.append(t)
        rows_under(ax, times, _risk_rows(table, times), start=40)
    handles = [arm_handle(arm, marker="", linewidth=2.4) for arm in ARMS if (curves["arm"] == arm).any()]
    handles += [
        Line2D([], [], alpha=0, label=f"{arm}: no child to follow")
        for arm in ARMS
        if not (curves["arm"] == arm).any()
    ]
    if band:
        handles.append(Patch(facecolor=PALE, edgecolor=MUTED, linewidth=0.8, label="95 % interval (log-log)"))
    if len(marks):
        handles += [
            arm_handle(arm, f"{arm}: interval-censored, 95 % band", linestyle="-", linewidth=1.3)
            for arm in ARMS
            if (marks["arm"] == arm).any()
        ]
    if "n_censor" in curves and (curves["n_censor"] > 0).any():
        handles.append(Line2D([], [], color=INK, marker="|", markersize=9, linestyle="", label="censored"))
    legend_above(fig, handles, 3 if len(marks) else 4)
    return fig


FOREST_COLUMNS = ("group", "label", "estimate", "lower", "upper", "text", "note")


@drawing
def forest(frame, *, label, zero):
    """Estimates with intervals, one a row, beside aligned columns of text.

    frame: label, estimate, lower, upper (all on the axis named `label`), optionally group (a heading over
    the rows that share it), text (printed at the right; default estimate and interval to two decimals),
    note (words for a row whose estimate is NaN; default "not estimable"). Every other column is printed as
    text between the labels and the plot, under its own name (`n`, `Placebo n/N`, ...). zero: value of no
    difference; 1 is read as a ratio and gives a log axis.
    """
    frame = frame_of(frame, ["label", "estimate", "lower", "upper"]).reset_index(drop=True)
    if frame.empty:
        return nothing_figure(f"no row of {label} to show")
    numbers = frame[["estimate", "lower", "upper"]].apply(pd.to_numeric, errors="coerce").astype(float)
    ratio = zero == 1
    numbers = numbers.where(numbers > 0) if ratio else numbers
    known = np.isfinite(numbers["estimate"])
    said = [
        f"{e:.2f} ({lo:.2f} to {up:.2f})".replace("-", "\u2212").replace("inf", "∞")
        for e, lo, up in numbers.to_numpy()
    ]
    right = [str(t) if k else "" for t, k in zip(frame.get("text", pd.Series(said)), known, strict=True)]
    extra = [c for c in frame.columns if c not in FOREST_COLUMNS]
    cells = {
        c: ["" if pd.isna(v) else f"{v:g}" if isinstance(v, float) else str(v) for v in frame[c]]
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
    foot = 0.5 + 0.17 * (name.count("\n") + 1)
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
    ax.set_xlabel(name)
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
    names = [wrap(f"{g} (n = {table.loc[g].sum():,.0f})", 1.9) for g in groups]
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
                    for t in (f"{n:,.0f} ({share:.0f} %)", f"{n:,.0f}")
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
                narrow.append((start + share / 2, f"{n:,.0f}"))
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
