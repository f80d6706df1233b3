"""What can go wrong in a picture: boxes that don't add up, texts that collide or are cut, arms that look
alike in grey, data too poor to draw, numbers drawn in the wrong place, pictures that differ between runs."""

import io
import itertools
import subprocess
import sys
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from conftest import STRICT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from helpers import figures
from helpers.figures import house_style
from helpers.figures.house_style import CATEGORY_STYLE, short_names, spread, text_width, wrap

MONTHS = [0, 0.46, 0.92, 1.38, 1.84, 3, 4, 5, 6, 8, 10, 12]
VISITS = ["Baseline", *(f"Week {w}" for w in (2, 4, 6, 8)), *(f"Month {m}" for m in (3, 4, 5, 6, 8, 10, 12))]
CHILDREN = [f"NCT06731192-{k:04d}" for k in range(1, 41)]
ARM_OF = {child: figures.ARMS[k % 2] for k, child in enumerate(CHILDREN)}
NONE = pd.DataFrame()
UPCR = {"label": "Urine protein / creatinine", "unit": "mg/mg"}


def rng():
    return np.random.default_rng(20241211)


def course():
    """40 children x 12 visits of UPCR, some missed, some gone early."""
    draw = rng()
    values = np.exp(draw.normal(0, 0.9, (40, 1)) + draw.normal(0, 0.4, (40, 12)))
    values[draw.random((40, 12)) < 0.08] = np.nan
    for child in (3, 8, 21, 30):
        values[child, 4 + child // 5 :] = np.nan
    rows = [
        (c, ARM_OF[c], m, v)
        for c, row in zip(CHILDREN, values, strict=True)
        for m, v in zip(MONTHS, row, strict=True)
    ]
    return pd.DataFrame(rows, columns=["child", "arm", "month", "value"])


def group(lines):
    logs = (
        lines.assign(value=np.log(lines["value"]))
        .groupby(["arm", "month"])["value"]
        .agg(["mean", "sem", "count"])
    )
    logs = logs.reset_index()
    edges = {
        c: np.exp(logs["mean"] + z * logs["sem"]) for c, z in (("estimate", 0), ("lower", -2), ("upper", 2))
    }
    names = logs["month"].map(dict(zip(MONTHS, VISITS, strict=True)))
    return pd.DataFrame(
        {"arm": logs["arm"], "month": logs["month"], "visit": names, **edges, "n": logs["count"]}
    )


LINES = course()
SUMMARY = group(LINES)


def risk_table():
    """Counts so far by hand: one remission at week 4 and month 3, one censored at month 5, in each arm."""
    rows = []
    for arm in figures.ARMS:
        left = 20
        for month in MONTHS:
            event, censored = int(month in (0.92, 3)), int(month == 5)
            rows.append((arm, month, left, int(month >= 0.92) + int(month >= 3), int(month >= 5)))
            left -= event + censored
    return pd.DataFrame(rows, columns=["arm", "time", "at_risk", "events", "censored"])


def curves():
    parts = []
    for arm, top in zip(figures.ARMS, (0.3, 0.5), strict=True):
        share = np.linspace(0, top, 12)
        parts.append(
            pd.DataFrame(
                {"arm": arm, "time": MONTHS, "estimate": share, "lower": share * 0.6, "upper": share * 1.4}
            )
        )
    return pd.concat(parts, ignore_index=True).assign(n_censor=[0, 1] * 12)


def boxes():
    long = (
        "a reason that is told in so many words that it can't stand on one line of its box whatever is done"
    )
    reasons = [(f"E{k} {long[: 20 + 6 * k]}", 15 - k) for k in range(1, 14)]
    out = {
        "screened": ("Screened", 118, []),
        "screen_failure": ("Screen failure", 62, reasons),
        "pending": (
            "Pending: a criterion is unknown",
            11,
            ["I6 test missing: 6", ("I2 unclear variant", 5)],
        ),
        "eligible": ("Eligible", 45, []),
        "not_needed": ("Eligible, not needed", 5, []),
        "randomised": ("Randomised", 40, []),
    }
    for arm in figures.ARMS:
        out[f"allocated_{arm}"] = (f"Allocated to {arm}", 20, [])
        out[f"treated_{arm}"] = ("Received an infusion", 19, [("both", 18), ("one", 1)])
        out[f"discontinued_{arm}"] = (
            "Left before month 12",
            3,
            [("lost to follow-up", 2), ("consent withdrawn", 1)],
        )
        out[f"analysed_{arm}"] = ("Analysed for the primary endpoint", 20, [])
    return out


def states():
    kinds = ["complete", "partial", "none", "not attended", "after drop-out", "not evaluable"]
    rows = [(c, v, kinds[(k + j) % 6]) for k, c in enumerate(CHILDREN) for j, v in enumerate(VISITS[1:])]
    return pd.DataFrame(rows, columns=["child", "visit", "state"])


def lanes():
    reason = [("moved away, no further contact" if k % 9 == 0 else None) for k in range(40)]
    end = [6.0 if r else 12.1 for r in reason]
    return pd.DataFrame(
        {"child": CHILDREN, "arm": [ARM_OF[c] for c in CHILDREN], "start": -0.9, "end": end, "reason": reason}
    )


def happenings():
    kinds = ["infusion", "fever", "adverse event", "serious adverse event", "RAS change", "rescue", "biopsy"]
    rows = [
        (c, m, "missed" if (k + int(m)) % 9 == 0 else "visit")
        for k, c in enumerate(CHILDREN)
        for m in MONTHS[1:8]
    ]
    rows += [(c, 0.7 * (k % 7), kinds[k % 7]) for k, c in enumerate(CHILDREN)]
    return pd.DataFrame(rows, columns=["child", "month", "kind"])


def criteria():
    names = [f"I{k}" for k in range(1, 9)] + [f"E{k}" for k in range(1, 16)]
    text = ["age 3 to 12 years", "surgery, acute trauma or blood loss over 200 mL within 3 months"] * 12
    return pd.DataFrame({
        "id": names, "text": text[:23], "failed": [(7 * k) % 31 for k in range(23)],
        "unknown": [k % 4 for k in range(23)], "remaining": [118 - 3 * k for k in range(23)],
    })  # fmt: skip


def subgroups():
    rows = [
        ("Sex", "boys", "4/12", "6/13", 0.13, -0.22, 0.46), ("Sex", "girls", "2/8", "4/7", 0.32, -0.17, 0.68),
        ("Genotype", "X-linked, hemizygous, a name too long for one line", "2/9", "3/10", 0.08, -0.31, 0.45),
        ("Genotype", "autosomal recessive", "1/3", "0/0", np.nan, np.nan, np.nan),
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["group", "label", "Placebo\nn/N", "hUC-MSC\nn/N", "estimate", "lower", "upper"]
    ).assign(note=[None, None, None, "not estimable: no child in one arm"])


def shares():
    counts = {"boys": (48, 1, 9, 6, 2, 1), "girls": (3, 38, 8, 5, 1, 0)}
    kinds = [
        "X-linked, hemizygous",
        "X-linked, heterozygous",
        "recessive",
        "dominant",
        "digenic",
        "uncertain variant",
    ]
    rows = [(g, k, n) for g, ns in counts.items() for k, n in zip(kinds, ns, strict=True)]
    return pd.DataFrame(rows, columns=["group", "category", "n"])


def recruited():
    months = pd.date_range("2025-01-01", periods=20, freq="MS")
    screened = 6 * np.arange(1, 21)
    return pd.DataFrame({
        "month": months, "screened": screened, "eligible": screened * 2 // 5,
        "randomised": np.minimum(screened * 2 // 5, 40),
    })  # fmt: skip


def compared_terms():
    """Eight terms of two kinds with shares, differences and intervals; the last one is not estimable."""
    rows = [
        ("Infection" if k < 5 else "Other", f"some term {k}", 5.0 * k, 40.0 - 4 * k, d, d - 25, d + 25)
        for k, d in enumerate([5.0, -10.0, 20.0, 0.0, -30.0, 12.5, 8.0, np.nan])
    ]
    columns = ["group", "label", *figures.ARMS, "difference", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def treated():
    second = [np.nan if k % 11 == 0 else 14.0 for k in range(40)]
    end = [379.0 - 7 * (k % 9) for k in range(40)]
    return pd.DataFrame(
        {"child": CHILDREN, "arm": [ARM_OF[c] for c in CHILDREN], "second": second, "end": end}
    )


def diary():
    """Two events a child: a short one at an infusion, and one of each severity in turn, some serious or ongoing."""
    words = ["mild", "moderate", "severe", "life-threatening", "fatal", "not recorded"]
    rows = []
    for k, child in enumerate(CHILDREN):
        rows.append((child, 0, 1.0, "mild", False, True))
        length = np.nan if k % 13 == 0 else 3.0 + k % 20
        rows.append((child, 30 + 7 * k, length, words[k % 6], k % 5 == 0, False))
    return pd.DataFrame(rows, columns=["child", "day", "length", "severity", "serious", "near"])


def worst_of():
    """Baseline and worst later value of eGFR and UPCR of each child."""
    draw, rows = rng(), []
    for child in CHILDREN:
        gfr, upcr = draw.normal(105, 15), np.exp(draw.normal(0, 1))
        rows.append((child, ARM_OF[child], "egfr", gfr, 0.9 * gfr))
        rows.append((child, ARM_OF[child], "upcr", upcr, 1.6 * upcr))
    return pd.DataFrame(rows, columns=["child", "arm", "measure", "base", "worst"])


PANELS = [
    {"measure": "egfr", "label": "eGFR", "unit": "mL/min/1.73m2", "worse": -1, "log": False, "limit": 90.0,
     "name": "90, made up"},
    {"measure": "upcr", "label": "UPCR", "unit": "mg/mg", "worse": 1, "log": True, "limit": 2.0,
     "name": "2, nephrotic range"},
]  # fmt: skip
PUBLISHED = [
    {
        "label": "Enrolled children, median (quartiles)",
        "value": 0.9,
        "low": 0.3,
        "high": 2.1,
        "source_id": "NH05",
    },
    {"label": "Registry, mean ± SD", "value": 1.4, "low": 0.1, "high": 2.7, "source_id": "NH11"},
    {"label": "Boys, median", "value": 0.6, "low": None, "high": None, "source_id": "NH22"},
]
SAMPLE = np.exp(rng().normal(-0.5, 1.2, 300))
THRESHOLDS = [(0.2, "0.2: complete remission"), (0.22, "0.22: so near that labels would collide")]
POWER = pd.DataFrame(
    [
        (name, x, y, y - 4, y + 4)
        for name, lift in (
            ("confirmed remission, Boschloo's test", 0),
            ("log UPCR, ANCOVA", 20),
            ("log-rank", 10),
        )
        for x, y in ((1.0, 5 + lift), (0.65, 40 + lift), (0.3, 75 + lift))
    ],
    columns=["series", "x", "power", "power_lower", "power_upper"],
)
READINGS = pd.DataFrame(
    {
        "name": [f"a definition of remission with a long name {k}" for k in range(10)],
        "number": range(1, 11),
        "false": np.linspace(2, 45, 10),
        "power": [10, 20, 30, 40, 42, 41, 38, 33, 30, 28],
    }
).assign(power_lower=lambda f: f["power"] - 3, power_upper=lambda f: f["power"] + 3)
GOOD = {
    "power by effect": lambda: figures.power(POWER, label="UPCR on hUC-MSC / placebo", here=0.65, ratio=True),
    "power by size": lambda: figures.power(POWER.assign(x=POWER["x"] * 100), label="children", here=40),
    "trade-off": lambda: figures.trade_off(READINGS),
    "histogram": lambda: figures.distribution(SAMPLE, log=True, published=PUBLISHED, **UPCR),
    "groups": lambda: figures.distribution(SAMPLE, by=["boys", "girls"] * 150, published=PUBLISHED, **UPCR),
    "consort": lambda: figures.consort(boxes()),
    "screening": lambda: figures.consort(dict(list(boxes().items())[:4]), arms=()),
    "course": lambda: figures.by_arm_over_time(LINES, SUMMARY, log=True, thresholds=THRESHOLDS, **UPCR),
    "ratio": lambda: figures.by_arm_over_time(
        LINES,
        SUMMARY,
        label="Urine protein / creatinine, ratio to baseline",
        unit="",
        ratio=True,
        thresholds=[(1, "no change")],
    ),
    "estimates": lambda: figures.by_arm_over_time(None, SUMMARY, label="eGFR", unit="mL/min/1.73 m²"),
    "multiples": lambda: figures.small_multiples(LINES, order=CHILDREN, log=True, threshold=0.2, **UPCR),
    "curve": lambda: figures.cumulative_remission(
        curves(), risk_table(), grid=MONTHS, label="Confirmed remission"
    ),
    "tiles": lambda: figures.tiles(states(), visits=VISITS[1:], order=CHILDREN, arm_of=ARM_OF),
    "swimmer": lambda: figures.swimmer(lanes(), happenings()),
    "recruitment": lambda: figures.recruitment(recruited()),
    "forest": lambda: figures.forest(
        subgroups(), label="Difference in remission, hUC-MSC minus Placebo", zero=0
    ),
    "attrition": lambda: figures.attrition(criteria()),
    "shares": lambda: figures.stacked_shares(shares()),
    "terms": lambda: figures.events_by_arm(compared_terms(), label="difference hUC-MSC − placebo"),
    "event lanes": lambda: figures.event_lanes(treated(), diary()),
    "worst values": lambda: figures.worst_values(worst_of(), PANELS),
}


@cache
def drawn(name):
    """One good figure, drawn once for all tests that only look at it."""
    return GOOD[name]()


def texts(fig):
    """Texts that are really drawn: not the empty, the hidden, nor labels of ticks out of view."""
    hidden = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            room = 1e-9 * (high - low)
            for tick in [*axis.majorTicks, *axis.minorTicks]:
                if not (ax.axison and low - room <= tick.get_loc() <= high + room):
                    hidden |= {tick.label1, tick.label2}
            if not ax.axison:
                hidden.add(axis.label)
        if not ax.get_visible():
            hidden |= set(ax.findobj(Text))
    found = dict.fromkeys(fig.findobj(Text))
    return [t for t in found if t.get_visible() and t.get_text().strip() and t not in hidden]


def words(fig):
    return [t.get_text() for t in texts(fig)]


def saying(fig, start):
    return [w for w in words(fig) if w.replace("\n", " ").startswith(start)]


def picture(fig, dpi=60):
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def layout_faults(fig):
    """Texts that are small, cut by the canvas or over one another, and legends over axes, in words."""
    fig.set_dpi(150)
    canvas = FigureCanvasAgg(fig)
    fig.draw_without_rendering()
    width, height = canvas.get_width_height()
    found = [(t, t.get_window_extent(canvas.get_renderer()).extents) for t in texts(fig)]
    faults = [f"{t.get_text()} is small" for t, _ in found if t.get_fontsize() < 8.5]
    for text, (left, bottom, right, top) in found:
        if min(left, bottom) < -1 or right > width + 1 or top > height + 1:
            faults.append(f"{text.get_text()} is cut")
    for (one, a), (two, b) in itertools.combinations(found, 2):
        across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        if across > 1.5 and up > 1.5:
            faults.append(f"{one.get_text()} and {two.get_text()} collide")
    panels = [ax.get_window_extent() for ax in fig.axes]
    legends = [legend.get_window_extent() for legend in fig.legends]
    return faults + ["legend over data" for a in legends for b in panels if a.overlaps(b)]


@pytest.mark.parametrize("name", GOOD)
def test_no_text_is_cut_small_or_over_another(name):
    fig = drawn(name)
    assert len(texts(fig)) > 5
    assert layout_faults(fig) == []


def test_the_check_of_layout_sees_a_collision_a_cut_and_small_print():
    fig = GOOD["shares"]()
    fig.axes[0].text(30, 0, "over the bar's number", ha="center", va="center")
    fig.text(0.99, 0.5, "out of the canvas", size=8)
    faults = " ".join(layout_faults(fig))
    assert "48 (72 %) and over the bar's number collide" in faults
    assert "out of the canvas is cut" in faults
    assert "out of the canvas is small" in faults


@pytest.mark.parametrize("name", [n for n in GOOD if n not in ("groups", "screening", "ratio", "estimates")])
def test_same_bytes_twice_and_nothing_left_behind(name):
    before = dict(mpl.rcParams)
    assert picture(GOOD[name]()) == picture(drawn(name))
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_a_session_with_other_settings_draws_the_same():
    plain = picture(GOOD["curve"]())
    with mpl.rc_context(
        {"font.size": 20, "axes.grid": True, "axes.facecolor": "black", "xtick.labelsize": 30}
    ):
        assert picture(GOOD["curve"]()) == plain


def test_import_is_light():
    heavy = "[m for m in ('seaborn', 'matplotlib.pyplot') if m in sys.modules]"
    code = f"import sys, helpers.figures; print({heavy})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def luminance(color):
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_lines_are_seen_on_white():
    lines = [*(style["color"] for style in figures.ARM_STYLE.values()), house_style.RULE, house_style.SKY,
             house_style.ORANGE, house_style.GREEN, house_style.VERMILLION, house_style.PURPLE]  # fmt: skip
    assert [color for color in lines if 1.05 / (luminance(color) + 0.05) < 3] == []


def test_arms_differ_in_grey_and_in_form():
    placebo, cells = (figures.ARM_STYLE[arm] for arm in figures.ARMS)
    assert figures.ARMS == ("Placebo", "hUC-MSC")
    light, dark = sorted((luminance(placebo["color"]), luminance(cells["color"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 2
    assert placebo["linestyle"] != cells["linestyle"]
    assert placebo["marker"] != cells["marker"]
    for (one, hatch), (two, other) in itertools.pairwise(CATEGORY_STYLE):
        assert abs(luminance(one) - luminance(two)) > 0.1 or hatch != other


# --- CONSORT


@pytest.mark.parametrize(
    ("name", "n", "named"),
    [
        ("screened", 117, ["screened (117)", "screen_failure (62)", "pending (11)", "eligible (45)", "118"]),
        ("pending", 12, ["screened (118)", "pending (12)", "119"]),
        ("randomised", 39, ["eligible (45)", "not_needed (5)", "randomised (39)", "allocated_Placebo (20)"]),
        ("allocated_hUC-MSC", 21, ["randomised (40)", "allocated_hUC-MSC (21)"]),
        ("treated_Placebo", 21, ["treated_Placebo (21)", "allocated_Placebo (20)"]),
        ("analysed_hUC-MSC", 22, ["analysed_hUC-MSC (22)"]),
        ("discontinued_Placebo", -1, ["discontinued_Placebo", "-1"]),
        ("eligible", 45.0, ["eligible", "45.0"]),
        ("pending", 4, ["pending (4)", "I2 unclear variant (5)"]),
    ],
)
def test_boxes_that_do_not_add_up_are_named(name, n, named):
    wrong = boxes()
    wrong[name] = (wrong[name][0], n, wrong[name][2])
    with pytest.raises(ValueError, match="don't add up") as told:
        figures.consort(wrong)
    for part in named:
        assert part in str(told.value)


@pytest.mark.parametrize("boxes_shown", [1, 2, 4, 6])
def test_a_chart_that_stops_early_is_no_fault(boxes_shown):
    figures.consort(dict(list(boxes().items())[:boxes_shown]), arms=figures.ARMS if boxes_shown > 4 else ())


def test_a_box_that_nobody_knows_is_named():
    with pytest.raises(ValueError, match="withdrawn is not a box"):
        figures.consort({**boxes(), "withdrawn": ("Withdrawn", 1, [])})
    with pytest.raises(ValueError, match="allocated_Placebo is not a box"):
        figures.consort(boxes(), arms=())


def test_boxes_go_by_name_not_by_place():
    given = boxes()
    turned = dict(reversed(list(given.items())))
    assert picture(figures.consort(given)) == picture(figures.consort(turned))


def test_every_box_and_reason_is_written():
    said = " ".join(" ".join(words(figures.consort(boxes()))).split())
    for label, n, reasons in boxes().values():
        assert f"{label} (n = {n})" in said
        for reason in reasons:
            assert (reason if isinstance(reason, str) else f"{reason[0]}: {reason[1]}") in said


# --- what is drawn is what was given


def test_counts_under_the_visits_are_the_given_ones():
    fig = GOOD["estimates"]()
    ax = fig.axes[0]
    places = np.sqrt(MONTHS)
    for arm, row in SUMMARY.groupby("arm"):
        head = next(t for t in texts(fig) if t.get_text() == f"n {arm}")
        level = [t for t in ax.texts if t is not head and t.xyann[1] == head.xyann[1]]
        assert [t.get_text() for t in sorted(level, key=lambda t: t.xy[0])] == [str(n) for n in row["n"]]
        assert np.allclose(sorted(t.xy[0] for t in level), places)


def test_missed_visits_and_last_values_are_marked():
    gone, missing = "NCT06731192-0001", "NCT06731192-0003"
    lines = LINES.assign(value=LINES["value"].fillna(1.0))
    lines.loc[(lines["child"] == gone) & (lines["month"] > 5), "value"] = np.nan
    lines.loc[(lines["child"] == missing) & (lines["month"] == 3), "value"] = np.nan
    # No row at all is the same as a row without a value.
    for given in (lines, lines.dropna(subset=["value"])):
        ax = figures.by_arm_over_time(given, SUMMARY, log=True, **UPCR).axes
        left = next(a for a in ax if a.get_title(loc="left").startswith("Placebo"))
        cross = [line for line in left.lines if line.get_marker() == "x"]
        value = lines.loc[(lines["child"] == gone) & (lines["month"] == 5), "value"].item()
        assert np.allclose(cross[0].get_xydata(), [[np.sqrt(5), value]])
        hollow = np.concatenate(
            [line.get_xdata() for line in left.lines if line.get_markerfacecolor() == "none"]
        )
        assert np.allclose(hollow, np.sqrt(3))


def test_axes_of_both_arms_are_the_same_and_ticks_are_ratios():
    fig = drawn("ratio")
    left, right = (a for a in fig.axes if "children)" in a.get_title(loc="left"))
    assert left.get_ylim() == right.get_ylim()
    labels = [t.get_text() for t in left.get_yticklabels()]
    assert {"1/4", "1/2", "1", "2", "4"} <= set(labels)
    assert "0.1" in [t.get_text() for t in drawn("course").axes[1].get_yticklabels()]


def test_risk_table_shows_what_it_is_given():
    fig = drawn("curve")
    rows = {}
    for t in fig.axes[0].texts:
        rows.setdefault(t.xyann[1], []).append(t.get_text())
    rows = [rows[level][1:] for level in sorted(rows, reverse=True)]
    at_risk, remitted, censored = (rows[k] for k in (1, 4, 7))
    assert at_risk == ["20", "20", "20", "19", "19", "19", "18", "18", "17", "17", "17", "17"]
    assert remitted == ["0", "0", "1", "1", "1", "2", "2", "2", "2", "2", "2", "2"]
    assert censored == ["0"] * 7 + ["1"] * 5


def test_curve_is_the_given_one_in_per_cent():
    ax = drawn("curve").axes[0]
    given = curves().query("arm == 'hUC-MSC'")
    thick = [
        x
        for x in ax.lines
        if x.get_linewidth() == 2.4 and x.get_color() == figures.ARM_STYLE["hUC-MSC"]["color"]
    ]
    assert np.allclose(thick[0].get_ydata()[:12], 100 * given["estimate"])
    assert np.allclose(thick[0].get_xdata()[:12], given["time"])


def test_the_band_lies_between_the_given_limits_and_both_have_their_edge():
    ax = drawn("curve").axes[0]
    given = curves().query("arm == 'hUC-MSC'")
    color = figures.ARM_STYLE["hUC-MSC"]["color"]
    edges = [x.get_ydata()[:12] for x in ax.lines if x.get_linewidth() == 0.8 and x.get_color() == color]
    assert np.allclose(sorted(edges, key=max), [100 * given["lower"], 100 * given["upper"]])
    filled = [one for one in ax.collections if len(one.get_facecolor())]
    (band,) = [one for one in filled if np.allclose(one.get_facecolor()[0][:3], to_rgb(color))]
    corners = band.get_paths()[0].vertices
    for time, lower, upper in given[["time", "lower", "upper"]].itertuples(index=False):
        here = corners[np.isclose(corners[:, 0], time), 1]
        assert np.isclose(here, 100 * lower).any()
        assert np.isclose(here, 100 * upper).any()


def test_each_child_has_a_panel_from_the_first_month_to_the_last():
    fig = figures.small_multiples(LINES, order=CHILDREN, log=True, **UPCR)
    shown = [ax for ax in fig.axes if ax.get_visible()]
    assert len(shown) == len(CHILDREN)
    for ax, child in zip(shown, CHILDREN, strict=True):
        assert ax.get_title(loc="left") == short_names(CHILDREN)[child]
        low, high = ax.get_xlim()
        first, last = min(MONTHS), max(MONTHS)
        assert np.allclose((low, high), (first - 0.06 * (last - first), last + 0.06 * (last - first)))
    one = LINES[LINES["month"] == MONTHS[2]]
    low, high = figures.small_multiples(one, order=CHILDREN, log=True, **UPCR).axes[0].get_xlim()
    assert low < MONTHS[2] < high


def test_not_estimable_is_said_in_words():
    assert saying(drawn("forest"), "not estimable: no child in one arm")
    assert saying(figures.forest(subgroups().drop(columns="note"), label="x", zero=0), "not estimable")


def test_shares_name_every_child():
    said = words(drawn("shares"))
    assert {"48 (72 %)", "38 (69 %)", "boys (n = 67)", "girls (n = 55)"} <= set(said)


def test_zeros_on_a_log_axis_are_counted():
    lines = LINES.copy()
    lines.loc[[0, 1, 2], "value"] = 0.0
    fig = figures.by_arm_over_time(lines, SUMMARY, log=True, **UPCR)
    assert any("3 values at or below zero" in w for w in words(fig))
    fig = figures.distribution([0, 0, 1, 2, 3], log=True, **UPCR)
    assert any("2 at or below zero" in w for w in words(fig))


def test_wrong_words_are_refused():
    with pytest.raises(ValueError, match="unknown arm Control"):
        figures.small_multiples(LINES.assign(arm="Control"), order=CHILDREN, **UPCR)
    with pytest.raises(ValueError, match="unknown state relapse"):
        figures.tiles(states().assign(state="relapse"), visits=VISITS[1:], order=CHILDREN, arm_of=ARM_OF)


def test_events_lie_where_they_happened_and_last_as_long():
    ax = drawn("event lanes").axes[0]
    bars = {
        (round(p.get_x(), 6), round(p.get_width(), 6))
        for p in ax.patches
        if abs(p.get_height() - 0.56) < 1e-9
    }
    ends = treated().set_index("child")["end"]
    for row in diary().itertuples():
        until = ends[row.child] + 1 if np.isnan(row.length) else row.day + row.length
        width = max(until - row.day, ends.max() / 160)
        assert (row.day, round(width, 6)) in bars, row
    ongoing = next(line for line in ax.lines if line.get_marker() == ">")
    assert len(ongoing.get_xdata()) == diary()["length"].isna().sum()
    serious = next(line for line in ax.lines if line.get_marker() == "*")
    assert len(serious.get_xdata()) == diary()["serious"].sum()
    infusions = [len(line.get_xdata()) for line in ax.lines if line.get_marker() == "^"]
    assert sorted(infusions) == sorted(2 - treated()["second"].isna())


def test_shares_and_differences_stand_on_the_row_of_their_term():
    left, right = drawn("terms").axes
    placebo, cells = left.lines[:2]
    assert np.allclose(placebo.get_xdata(), compared_terms()["Placebo"])
    assert np.allclose(cells.get_xdata(), compared_terms()["hUC-MSC"])
    (points,) = [line for line in right.lines if line.get_marker() == "D"]
    known = compared_terms()["difference"].notna()
    assert np.allclose(points.get_xdata(), compared_terms()["difference"][known])
    assert (placebo.get_ydata()[known] < points.get_ydata()).all()  # placebo above, as in the legend
    intervals = [line.get_xdata() for line in right.lines if line.get_linewidth() == 1.6]
    assert np.allclose(intervals, compared_terms().loc[known, ["lower", "upper"]])


def test_the_worst_value_stands_over_its_baseline_with_the_limit_it_is_held_against():
    egfr, upcr = drawn("worst values").axes
    for ax, measure in ((egfr, "egfr"), (upcr, "upcr")):
        given = worst_of()[worst_of()["measure"] == measure]
        points = np.concatenate([x.get_xydata() for x in ax.lines if x.get_linestyle() == "None"])
        assert np.allclose(np.sort(points, axis=0), np.sort(given[["base", "worst"]], axis=0))
    assert any(np.allclose(line.get_ydata(), 90) for line in egfr.lines)
    assert "90, made up" in egfr.get_xlabel()
    assert (egfr.get_ylabel(), upcr.get_ylabel()) == ("lowest later", "highest later")


# --- poor data


POOR = {
    "no value": lambda: figures.distribution([np.nan], **UPCR),
    "all zero, log": lambda: figures.distribution([0, 0], log=True, **UPCR),
    "no box": lambda: figures.consort({}),
    "no course": lambda: figures.by_arm_over_time(NONE, NONE, **UPCR),
    "all below quantification": lambda: figures.by_arm_over_time(
        LINES.assign(value=0.0), SUMMARY.assign(estimate=0.0), log=True, **UPCR
    ),
    "one arm": lambda: figures.by_arm_over_time(LINES[LINES["arm"] == "hUC-MSC"], SUMMARY, log=True, **UPCR),
    "no estimate": lambda: figures.by_arm_over_time(LINES[:12], NONE, **UPCR),
    "no panel": lambda: figures.small_multiples(LINES.assign(value=np.nan), order=CHILDREN, **UPCR),
    "no curve": lambda: figures.cumulative_remission(NONE, NONE, grid=MONTHS, label="remission"),
    "no tile": lambda: figures.tiles(NONE, visits=[], order=[], arm_of={}),
    "one tile": lambda: figures.tiles(states(), visits=VISITS[1:], order=CHILDREN[:1], arm_of=ARM_OF),
    "no lane": lambda: figures.swimmer(NONE, NONE),
    "no month": lambda: figures.recruitment(NONE),
    "no row": lambda: figures.forest(NONE, label="difference", zero=0),
    "no trial": lambda: figures.power(NONE, label="children", here=40),
    "no definition": lambda: figures.trade_off(READINGS.assign(power=np.nan)),
    "no criterion": lambda: figures.attrition(NONE),
    "no share": lambda: figures.stacked_shares(shares().assign(n=0)),
    "no term": lambda: figures.events_by_arm(NONE, label="difference"),
    "nobody treated": lambda: figures.event_lanes(NONE, diary()),
    "no measure": lambda: figures.worst_values(worst_of(), []),
    "a measure of nobody": lambda: figures.worst_values(worst_of().query("measure == 'upcr'"), PANELS),
    "no girl": lambda: figures.stacked_shares(shares().assign(n=[*range(6), *[0] * 6])),
}


@pytest.mark.parametrize("name", POOR)
def test_no_data_is_said_in_the_axes(name):
    fig = POOR[name]()
    assert saying(fig, "no data: ")


THIN = {
    "one number": lambda: figures.distribution([1.0], log=True, published=PUBLISHED, **UPCR),
    "a visit attended by no one": lambda: figures.by_arm_over_time(
        LINES.assign(value=LINES["value"].where(LINES["month"] != 3)),
        SUMMARY[SUMMARY["month"] != 3],
        log=True,
        **UPCR,
    ),
    "one visit": lambda: figures.by_arm_over_time(
        LINES[LINES["month"] == 0], SUMMARY[SUMMARY["month"] == 0], ratio=True, **UPCR
    ),
    "no interval": lambda: figures.by_arm_over_time(
        LINES, SUMMARY.assign(lower=-np.inf, upper=np.inf), **UPCR
    ),
    "one child": lambda: figures.small_multiples(
        LINES[:12], order=CHILDREN[:3], log=True, threshold=0.2, **UPCR
    ),
    "curve without band": lambda: figures.cumulative_remission(
        curves().assign(lower=np.nan, upper=np.nan), None, grid=[], label="x"
    ),
    "curve of one arm": lambda: figures.cumulative_remission(
        curves().query("arm == 'Placebo'"), risk_table().query("arm == 'Placebo'"), grid=MONTHS, label="x"
    ),
    "lanes without times": lambda: figures.swimmer(lanes().assign(start=np.nan, end=np.nan), NONE),
    "one month": lambda: figures.recruitment(recruited()[:1]),
    "months as numbers": lambda: figures.recruitment(recruited().assign(month=range(20))),
    "open interval": lambda: figures.forest(
        pd.DataFrame({"label": ["HR"], "estimate": [2.0], "lower": [0.5], "upper": [np.inf]}),
        label="hazard ratio",
        zero=1,
    ),
    "one term": lambda: figures.events_by_arm(compared_terms()[:1].drop(columns="group"), label="difference"),
    "a term without difference": lambda: figures.events_by_arm(compared_terms()[-1:], label="difference"),
    "lanes without events": lambda: figures.event_lanes(treated()[:2], diary()[:0]),
    "one worst value": lambda: figures.worst_values(worst_of()[:1], PANELS[:1]),
    "pending alone": lambda: figures.consort({"pending": ("Pending", 3, [])}),
}


@pytest.mark.parametrize("name", THIN)
@STRICT
def test_thin_data_are_drawn(name):
    fig = THIN[name]()
    assert texts(fig)
    assert not saying(fig, "no data: ")


# --- texts


def test_wrapped_lines_keep_to_the_width_and_lose_no_word():
    text = "surgery, acute trauma or blood loss over 200 mL within 3 months " * 3
    lines = wrap(text, 1.5).split("\n")
    assert " ".join(lines).split() == text.split()
    assert max(text_width(line) for line in lines) <= 1.5
    assert "".join(wrap("x" * 90, 1.0).split()) == "x" * 90


def test_short_names_and_spread():
    assert short_names(["NCT-01", "NCT-12"]) == {"NCT-01": "01", "NCT-12": "12"}
    assert short_names(["a1", "a2"]) == {"a1": "a1", "a2": "a2"}
    out = spread([5.0, 1.0, 5.1], 1.0)
    assert out[1] == 1.0
    assert out[2] - out[0] >= 1.0 - 1e-6


def test_a_ratio_lies_on_a_log_axis_with_no_effect_on_the_left():
    fig = figures.power(POWER, label="UPCR on hUC-MSC / placebo", here=0.65, ratio=True)
    ax = fig.axes[0]
    assert ax.get_xscale() == "log"
    left, right = ax.get_xlim()
    assert left > right
    assert (
        figures.power(POWER.assign(x=POWER["x"] * 100), label="children", here=40).axes[0].get_xscale()
        == "linear"
    )
