"""Cumulative remission over time, with the table at risk under it."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from helpers.figures.house_style import (  # fmt: skip
    ARM_STYLE,
    ARMS,
    INK,
    MUTED,
    PALE,
    RULE,
    SMALL,
    WIDTH,
    Figure,
    arm_handle,
    drawing,
    frame_of,
    legend_above,
    nothing_figure,
    rows_under,
    text_width,
    wrap,
)
from helpers.study.shown import plain, rounded


def _risk_rows(table, times):
    """Rows of the table under a curve, as the frame says them."""
    rows = []
    whole = table.sort_values("time", kind="stable")
    for column, head in (
        ("at_risk", "At risk"),
        ("events", "Remitted so far"),
        ("censored", "Censored so far"),
    ):
        rows.append((head, [""] * len(times), True))
        for arm in ARMS:
            part = whole[whole["arm"] == arm].drop_duplicates("time", keep="last").set_index("time")[column]
            rows.append(
                (arm, [rounded(part[t]) if t in part and pd.notna(part[t]) else "–" for t in times], False)
            )
    return rows


@drawing
def cumulative_remission(curves, risk_table, *, grid, band=True, label, points=None):
    """Cumulative remission by arm as steps, with the visit grid and the table at risk / remitted /
    censored.

    curves: frame arm, time (months), estimate, lower, upper (shares 0 to 1), optionally n_censor (children censored at
    that time; drawn as a tick on the curve). risk_table: frame arm, time, at_risk (just before the time), events,
    censored (so far, that time included): printed as they are. grid: months of the visits. `band` draws lower to upper.
    points: a second, interval-censored estimate at some times, drawn as marks with its band (frame arm, time, estimate,
    lower, upper).
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
    ax.set_xticks(ticks, [plain(t) for t in ticks])
    ax.set(xlim=(-0.02 * end, 1.02 * end), ylim=(-2, 102), yticks=range(0, 101, 20))
    ax.set(ylabel=wrap(f"{label} (%)", 3.6, 9.8))
    ax.set_xlabel("months since the planned last infusion; verticals: visits")
    if len(table):
        times, near = (
            [],
            1.12 * text_width(f"{rounded(table['at_risk'].max())}0", SMALL) * 1.04 * end / (WIDTH - 2.0),
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
