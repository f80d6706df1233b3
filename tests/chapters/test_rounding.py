"""Rounded once: every shown number goes through `study.shown`, and an exact half is the same on every path."""

import ast
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import ROOT, figures
from helpers.chapters import longitudinal, model, time_to_remission, validation, words
from helpers.chapters.exhibits import Exhibit, Result, say
from helpers.figures import house_style
from helpers.study.protocol import ARMS
from helpers.study.shown import NOT_ESTIMABLE, drawn, grouped, plain, rounded

HALVES = [
    (18.75, 1, "18.8"),
    (100 * (1 - 13 / 16), 1, "18.8"),
    (18.749999999999996, 1, "18.8"),
    (18.750000000000004, 1, "18.8"),
    (100 * (1 - 15 / 16 * 14 / 15 * 13 / 14), 1, "18.8"),
    (6.25, 1, "6.3"),
    (0.125, 2, "0.13"),
    (1.005, 2, "1.01"),
    (2.5, 0, "3"),
    (12.5, 0, "13"),
    (0.5, 0, "1"),
    (-0.5, 0, "-1"),
    (-2.5, 0, "-3"),
    (-18.75, 1, "-18.8"),
    (18.7499, 1, "18.7"),
]


@pytest.mark.parametrize(("value", "digits", "text"), HALVES)
def test_a_half_is_the_same_in_a_table_a_sentence_a_result_and_an_estimate(value, digits, text):
    assert rounded(value, digits) == text
    result = Result("a.b", value, digits=digits)
    assert str(result) == text
    assert result.record()["shown"] == text
    assert result.record()["value"] == value
    assert words.estimate_text(value, value, value, "", digits) == f"{text} ({text} to {text})"
    frame = pd.DataFrame({"name": ["a"], "value": [value]})
    exhibit = Exhibit("a", "A", frame, population="p", n=1, digits={"value": digits})
    assert f">{text}</td>" in exhibit.table()
    assert exhibit.csv().splitlines()[1] == f"a,{value!r}"


def test_a_sentence_shows_a_half_as_a_table_does(monkeypatch):
    told = []
    monkeypatch.setattr(
        "helpers.chapters.exhibits.display", lambda data, **_: told.append(data["text/plain"])
    )
    say("{share} of {all}", share=Result("a.b", 18.749999999999996, "%", 1), all=words.percent(3, 16))
    assert told == ["18.8 % of 3/16 (18.8 %)"]


@given(st.integers(1, 400).flatmap(lambda N: st.tuples(st.integers(0, N), st.just(N))), st.integers(0, 2))
def test_three_routes_to_a_share_show_the_same_digits(share, digits):
    n, N = share
    shown = words.percent(n, N, digits)
    assert shown == f"{n}/{N} ({rounded(100 * n / N, digits)} %)"
    assert shown == f"{n}/{N} ({rounded(100 * (1 - (N - n) / N), digits)} %)"
    product = float(np.prod([(N - k - 1) / (N - k) for k in range(n)]))
    assert shown == f"{n}/{N} ({rounded(100 * (1 - product), digits)} %)"


@given(st.integers(-(10**7), 10**7), st.integers(0, 3), st.integers(-3, 3))
def test_last_bits_beside_a_half_move_nothing(number, digits, steps):
    half = (2 * number + 1) / (2 * 10**digits)
    beside = half
    for _ in range(abs(steps)):
        beside = float(np.nextafter(beside, np.inf if steps > 0 else -np.inf))
    assert rounded(beside, digits) == rounded(half, digits)
    away = number + 1 if number >= 0 else number
    assert float(rounded(half, digits)) == away / 10**digits


@given(st.floats(-1e12, 1e12), st.integers(0, 6))
def test_what_is_shown_lies_within_half_a_unit_of_the_last_digit(value, digits):
    assert abs(float(rounded(value, digits)) - value) <= 0.5 * 10.0**-digits + 1e-11 * abs(value)
    assert float(grouped(value, digits).replace(",", "")) == float(rounded(value, digits))


@pytest.mark.parametrize(
    ("value", "significant", "text"),
    [(18.75, 3, "18.8"), (18.749999999999996, 3, "18.8"), (0.125, 2, "0.13"), (6.25, 2, "6.3"), (0.2, 6, "0.2"),
     (12.0, 3, "12"), (1234.5, 3, "1235"), (99.95, 3, "100"), (0.00012345, 4, "0.0001235"), (0.0, 6, "0"),
     (-2.5, 1, "-3"), (np.nan, 3, NOT_ESTIMABLE), (None, 3, NOT_ESTIMABLE), (1e6, 6, "1000000"),
     (35.0, 6, "35"), (100 * 0.35, 6, "35"), (np.int64(3), 6, "3"),
     (8.125e-27, 3, "8.13e-27"), (-9.996e-6, 3, "-1e-05"), (0.0001, 3, "0.0001"), (1e-5, 6, "1e-05")],
)  # fmt: skip
def test_significant_digits_are_rounded_half_away_too(value, significant, text):
    assert plain(value, significant) == text


def test_validation_rounds_references_and_ours_alike():
    assert validation.number(18.749999999999996, 3) == validation.number(18.75, 3) == "18.8"
    assert validation.number(0.15625, 4) == "0.1563"
    assert validation.number(np.inf) == "not reached"


def texts(figure) -> list[str]:
    """All texts of a figure, as drawn."""
    figure.canvas.draw()
    found = [t.get_text() for t in figure.findobj(plt.Text)]
    return [t for t in found if t]


def test_an_interval_of_a_forest_shows_halves_as_the_table_beside_it():
    frame = pd.DataFrame(
        {"label": ["a"], "estimate": [0.125], "lower": [-0.125], "upper": [1.005], "share": [6.25]}
    )
    told = texts(figures.forest(frame, label="difference", zero=0))
    assert drawn(f"{rounded(0.125, 2)} ({rounded(-0.125, 2)} to {rounded(1.005, 2)})") in told
    assert "0.13 (\u22120.13 to 1.01)" in told
    assert "6.25" in told


def test_an_open_limit_of_a_forest_is_no_number():
    frame = pd.DataFrame({"label": ["a"], "estimate": [0.5], "lower": [-np.inf], "upper": [np.inf]})
    assert "0.50 (\u2212∞ to ∞)" in texts(figures.forest(frame, label="difference", zero=0))


def test_a_map_of_decisions_shows_a_half_of_a_percentage_point_away_from_zero():
    """One of eight more on one arm is 12.5 points: 13, not the 12 of rounding to even."""
    difference = np.array([[12.5, -12.5], [2.5, 0.5]])
    decided = np.zeros((2, 2), bool)
    told = texts(figures.tipping(difference, decided, arms=figures.ARMS))
    assert {"13", "\u221213", "3", "1"} <= set(told)


def test_a_bar_shows_its_per_cent_as_the_table_does():
    frame = pd.DataFrame({"group": ["g"] * 2, "category": ["a", "b"], "n": [1, 7]})
    told = texts(figures.stacked_shares(frame))
    assert f"1 ({rounded(12.5)} %)" in told
    assert f"7 ({rounded(87.5)} %)" in told
    assert "7 (88 %)" in told


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3, 3), (0.02, 0.09), (-1e5, 1e5), (18.7, 18.8), (-0.5, 0.5)]
)
def test_ticks_are_written_as_what_they_are(low, high):
    figure = house_style.Figure()
    axis = figure.add_subplot().xaxis
    house_style.value_axis(axis, low, high)
    for place, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True):
        assert float(label.get_text().replace("\u2212", "-").replace(",", "")) == pytest.approx(
            place, abs=1e-12
        )


def test_ticks_on_a_log_axis_keep_their_digits():
    assert [house_style.tick_text(t) for t in (0.005, 0.5, 1.5, 1000.0, 20000.0)] == [
        "0.005", "0.5", "1.5", "1,000", "20,000",
    ]  # fmt: skip
    assert house_style.whole_numbers()(12345.0) == "12,345"
    assert house_style.whole_numbers()(0.5) == "1"


NUMBERED = re.compile(r"\{[^{}:]*:[^{}%|]*[gfeEGn,%d]\}")
"""A number's form in a template; with a bar it is the word for one and for many, of `say`."""
FORMATTERS = {"StrMethodFormatter", "FormatStrFormatter", "PercentFormatter", "format_float_positional"}


def told_apart(text: str) -> list[str]:
    """Places in Python source where a number is turned into text, or rounded, other than by `study.shown`."""
    found = []
    tree = ast.parse(text)
    inside = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = ast.unparse(node.format_spec)
            if not re.search(r"%[A-Za-z]", spec):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = name == "format" and isinstance(node.func, ast.Name)
            if name in ("round", "around", "round_", *FORMATTERS) or texts:
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            if NUMBERED.search(node.value):
                found.append(f"{node.lineno}: {node.value!r}")
        elif isinstance(node, ast.keyword) and node.arg == "float_format":
            found.append(f"{node.value.lineno}: float_format")
    return found


ROOMS = [
    path
    for room in ("chapters", "figures")
    for path in sorted((ROOT / "src" / "helpers" / room).glob("*.py"))
    if path.name != "words.py"
]


@pytest.mark.parametrize("path", ROOMS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_no_room_that_shows_numbers_rounds_on_its_own(path: Path):
    assert told_apart(path.read_text("utf-8")) == []


def test_no_cell_of_a_notebook_rounds_on_its_own():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            # what a reader is asked to change shows frames as pandas does, and is no exhibit
            if cell["cell_type"] == "code" and "try-it" not in cell["metadata"].get("tags", ()):
                assert told_apart("".join(cell["source"])) == [], path.name


@pytest.mark.parametrize(
    "text",
    ['f"{x:.1f}"', 'f"{x:g}"', 'f"{n:,}"', 'f"{x:.{d}f}"', "round(x, 1)", "np.round(x, 2)", "frame.round(1)",
     '"%.1f" % x', '"{:.1f}".format(x)', '"{delta:g} kg"', 'format(x, ".1f")', 'StrMethodFormatter("{x:,.0f}")',
     'frame.to_string(float_format="%.3f")'],
)  # fmt: skip
def test_the_scan_sees_each_way_of_rounding(text):
    assert told_apart(text)


@pytest.mark.parametrize(
    "text",
    ['f"{day:%d %B %Y}"', 'f"{rounded(x, 1)} %"', '"{name} of {all}"', '"a: b, {c}"', "a % b", "{1: 2}"],
)
def test_the_scan_leaves_alone_what_rounds_nothing(text):
    assert told_apart(text) == []


def test_an_alternative_text_shows_a_half_as_a_table_does():
    medians = pd.DataFrame(
        {
            "curve": [next(iter(model._PANELS))],
            "simulated": [18.749999999999996],
            "published": [18.75],
            "source": "NH13",
        }
    )
    nothing = pd.DataFrame(columns=["curve", "kind", "percentile", "value", "low", "high", "source"])
    alt = model.curves(nothing, medians).alt
    assert "simulated median 18.8, published 18.8 (NH13)" in alt


@pytest.mark.parametrize(
    ("value", "digits", "null", "text"),
    [
        (-0.015, 1, 0, "-0.02"), (0.004, 1, 0, "0.004"), (0.0, 1, 0, "0.0"), (1e-17, 1, 0, "0.0"),
        (-0.25, 1, 0, "-0.3"), (1.004, 2, 1, "1.004"), (0.9996, 2, 1, "0.9996"),
        (1.0, 2, 1, "1.00"), (1.04, 2, 1, "1.04"),
    ],
)  # fmt: skip
def test_a_limit_never_prints_as_no_effect_unless_it_is_none(value, digits, null, text):
    assert words.limit_text(value, digits, null) == text


@given(st.floats(-100, 100, allow_nan=False), st.sampled_from([(1, 0), (2, 1)]))
def test_a_printed_limit_stands_on_its_side_of_no_effect(value, how):
    digits, null = how
    text = words.limit_text(value, digits, null)
    if abs(value - null) >= words.NOISE:
        assert np.sign(float(text) - null) == np.sign(value - null)
    assert abs(float(text) - value) <= 0.5 * 10**-digits + 1e-9


def test_an_estimate_tells_its_limits_beside_no_effect_where_it_compares_arms():
    assert words.estimate_text(28.46, -0.015, 53.8, "", 1, 0) == "28.5 (-0.02 to 53.8)"
    assert words.estimate_text(28.46, -0.015, 53.8, "", 1) == "28.5 (0.0 to 53.8)"
    assert words.estimate_text(0.7, 0.4, 1.003, "", 2, 1) == "0.70 (0.40 to 1.003)"


def test_comparisons_by_visit_and_in_time_end_on_their_side_too():
    by_arm = pd.DataFrame([{"arm": arm, "visit": "Month 12", "n": 20, "estimate": 0.7, "lower": 0.4, "upper": 1.004,
                            "note": ""} for arm in ARMS])  # fmt: skip
    between = by_arm.iloc[:1].assign(month=12.0)
    table = longitudinal.by_visit(by_arm, between, 2, 1)
    assert table["between_text"].tolist() == ["0.70 (0.40 to 1.004)"]
    assert table["msc_text"].tolist() == ["0.70 (0.40 to 1.00)"], "a course compares no arms"
    for quantity, limits, text in (
        ("hazard_ratio", (1.002, 3.0), "2.00 (1.002 to 3.00)"),
        ("rmst_difference", (-3.0, -0.002), "2.00 (-3.00 to -0.002)"),
    ):
        row = {"quantity": quantity, "estimate": 2.0, "lower": limits[0], "upper": limits[1], "note": ""}
        assert time_to_remission._contrast_text(row, 2) == text
