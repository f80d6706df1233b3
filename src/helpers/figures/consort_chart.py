"""The CONSORT flow chart, drawn from named boxes that must add up.

Same manners as in `figures`: plain values in, a matplotlib Figure out, no global state.
"""

import numpy as np
from matplotlib.patches import FancyBboxPatch

from helpers.figures.house_style import (
    ARMS,
    INK,
    PALE,
    SKY,
    WIDTH,
    Figure,
    drawing,
    nothing_figure,
    text_width,
    wrap,
)
from helpers.study.shown import grouped

STAGES = (("screened", ("screen_failure", "pending")), ("eligible", ("not_needed",)), ("randomised", ()))
ARM_ROWS = ("allocated", "treated", "discontinued", "ongoing", "analysed")
# the four stages of the CONSORT 2010 flow diagram, each with its rows of boxes
ENROLMENT = "Enrolment"
STAGE_OF = {
    "allocated": "Allocation",
    "treated": "Allocation",
    "discontinued": "Follow-up",
    "ongoing": "Follow-up",
    "analysed": "Analysis",
}
STRIPE = 0.3


def _check(boxes, arms):
    """Raise ValueError naming every box that is unknown, isn't a count, or doesn't add up with its
    neighbours.
    """
    known = [n for main, sides in STAGES for n in (main, *sides)] + [
        f"{r}_{a}" for r in ARM_ROWS for a in arms
    ]
    faults = [f"{name} is not a box (boxes: {', '.join(known)})" for name in boxes if name not in known]
    count = {}
    for name, (_, n, reasons) in boxes.items():
        if isinstance(n, (bool, np.bool_)) or not isinstance(n, (int, np.integer)) or n < 0:
            faults.append(f"{name} holds {n!r}, which is not a count")
            continue
        count[name] = int(n)
        faults += [
            f"{name} ({n}) has a reason with more children: {line[0]} ({line[1]})"
            for line in reasons
            if not isinstance(line, str) and line[1] > n
        ]
    for whole, parts, needed in (
        ("screened", ["screen_failure", "pending", "eligible"], ["eligible"]),
        ("eligible", ["not_needed", "randomised"], ["randomised"]),
        ("randomised", [f"allocated_{a}" for a in arms], [f"allocated_{a}" for a in arms]),
    ):
        given = [p for p in parts if p in count]
        total = sum(count[p] for p in given)
        complete = given and all(p in count for p in needed)
        if whole in count and (total != count[whole] if complete else total > count[whole]):
            summed = " + ".join(f"{p} ({count[p]})" for p in given)
            faults.append(f"{whole} ({count[whole]}) is not {summed} = {total}")
    for arm in arms:
        whole = f"allocated_{arm}"
        faults += [
            f"{row}_{arm} ({count[f'{row}_{arm}']}) is more than {whole} ({count[whole]})"
            for row in ARM_ROWS[1:]
            if count.get(f"{row}_{arm}", 0) > count.get(whole, np.inf)
        ]
    if faults:
        raise ValueError("CONSORT boxes don't add up: " + "; ".join(faults))


class _Box:
    """One box: its wrapped text and size in inches."""

    def __init__(self, box, width):
        label, n, reasons = box
        self.width = width
        self.head = wrap(f"{label} (n = {grouped(n)})", width - 0.25, 9.5, bold=True)
        lines = [line if isinstance(line, str) else f"{line[0]}: {grouped(line[1])}" for line in reasons]
        self.body = "\n".join(wrap(f"• {line}", width - 0.25, 9, indent="   ") for line in lines)
        self.lines = [(t, True) for t in self.head.split("\n")] + [
            (t, False) for t in self.body.split("\n") if t
        ]
        self.height = 0.17 + 0.17 * len(self.lines) + (0.05 if self.body else 0)

    def draw(self, ax, x, top, color="white"):
        """Draw with its left edge at x and its top at `top`; y counts downwards."""
        self.left, self.right, self.top, self.bottom = x, x + self.width, top, top + self.height
        self.middle, self.centre = top + self.height / 2, x + self.width / 2
        ax.add_patch(
            FancyBboxPatch(
                (x, top),
                self.width,
                self.height,
                boxstyle="round,pad=0,rounding_size=0.04",
                facecolor=color,
                edgecolor=INK,
                linewidth=0.9,
            )
        )
        # Line by line: in one text a raised 2 would push its line away from the next.
        for k, (text, head) in enumerate(self.lines):
            down = top + 0.21 + 0.17 * k + (0 if head else 0.05)
            ax.text(
                x + 0.12,
                down,
                text,
                size=9.5 if head else 9,
                weight="bold" if head else "normal",
                va="baseline",
            )


def _stage(ax, name, top, bottom):
    """The name of a stage, upright beside its boxes."""
    ax.add_patch(
        FancyBboxPatch(
            (0.05, top),
            STRIPE - 0.05,
            bottom - top,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=SKY,
            edgecolor="none",
            alpha=0.45,
        )
    )
    ax.text(
        0.05 + (STRIPE - 0.05) / 2,
        (top + bottom) / 2,
        name,
        size=9,
        weight="bold",
        rotation=90,
        ha="center",
        va="center",
    )


def _arrow(ax, start, end):
    ax.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
    )


@drawing
def consort(boxes, *, arms=ARMS):
    """CONSORT flow from named boxes that must add up.

    boxes: name -> (label, n, reasons); reasons are lines of text or (text, n). Names: screened,
    screen_failure, pending, not_needed (eligible, but not needed), eligible, randomised, and for each arm
    allocated_<arm>, treated_<arm>, discontinued_<arm>, ongoing_<arm>, analysed_<arm>; those given are drawn. Raises
    ValueError that names the boxes where the counts don't add up (screened = screen_failure + pending +
    eligible, eligible = not_needed + randomised, randomised = the allocated; no box or reason above the one
    it comes from).
    """
    _check(boxes, arms)
    if not boxes:
        return nothing_figure("no box of the flow was given")
    fig = Figure()
    ax = fig.add_axes((0, 0, 1, 1))
    ax.axis("off")
    split = any(f"{row}_{arm}" in boxes for row in ARM_ROWS for arm in arms)
    # the chart of screening alone is one stage and needs no name for it
    inset = STRIPE + 0.05 if split else 0.0
    stages: dict[str, list[float]] = {}
    x, wide, aside = 0.1 + inset, 3.1, 3.85 + inset
    y, above = 0.1, None
    for main, sides in STAGES:
        if main in boxes:
            box = _Box(boxes[main], wide)
            box.draw(ax, x, y, PALE)
            if above is not None:
                _arrow(ax, (box.centre, above.bottom), (box.centre, box.top))
            above, y = box, box.bottom + 0.4
        place = None
        for side in sides:
            if side not in boxes:
                continue
            box = _Box(boxes[side], WIDTH - 0.1 - aside)
            start = above.bottom + 0.18 - box.height / 2 if above else y
            if place is None:
                place = max(start, above.top if above else y)
            place = max(place, start)
            box.draw(ax, aside, place)
            if above is not None:
                _arrow(ax, (above.centre, box.middle), (box.left, box.middle))
            place = box.bottom + 0.15
            y = max(y, box.bottom + 0.2)
        if place is not None and above is None:
            y = place + 0.1
    if split:
        if above is not None:
            stages[ENROLMENT] = [0.1, above.bottom]
        room = WIDTH - inset
        middles = [inset + room * (2 * k + 1) / (2 * len(arms)) for k in range(len(arms))]
        column = room / len(arms) - 0.25
        last = dict.fromkeys(arms)
        if above is not None:
            branch = y - 0.15
            y += 0.12
            ax.plot([above.centre, above.centre], [above.bottom, branch], color=INK, linewidth=1)
            ends = [above.centre, *middles]
            ax.plot([min(ends), max(ends)], [branch, branch], color=INK, linewidth=1)
        rows = [row for row in ARM_ROWS if any(f"{row}_{arm}" in boxes for arm in arms)]
        for row in rows:
            here = {arm: _Box(boxes[f"{row}_{arm}"], column) for arm in arms if f"{row}_{arm}" in boxes}
            for arm, middle in zip(arms, middles, strict=True):
                if arm not in here:
                    continue
                here[arm].draw(
                    ax, middle - column / 2, y, PALE if row in ("allocated", "analysed") else "white"
                )
                if last[arm] is not None or above is not None:
                    _arrow(ax, (middle, last[arm].bottom if last[arm] else branch), (middle, y))
                last[arm] = here[arm]
            tall = max(box.height for box in here.values())
            if [STAGE_OF[other] for other in rows].count(STAGE_OF[row]) == 1:
                tall = max(tall, text_width(STAGE_OF[row], 9, bold=True) + 0.14)
            stages.setdefault(STAGE_OF[row], [y, y])[1] = y + tall
            y += tall + 0.3
        y -= 0.3
    else:
        y -= 0.4 if above is not None and above.bottom + 0.4 >= y else 0.2
    for name, (top, bottom) in stages.items():
        _stage(ax, name, top, bottom)
    height = y + 0.1
    fig.set_size_inches(WIDTH, height)
    ax.set(xlim=(0, WIDTH), ylim=(height, 0))
    return fig
