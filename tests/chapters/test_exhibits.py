"""What a number and a table look like, and what travels with them."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot as plt

from helpers.chapters import kept
from helpers.chapters.exhibits import Exhibit, Result, limit, say
from helpers.chapters.words import NOT_ESTIMABLE, joined, percent, pvalue_text, rounded


@pytest.fixture
def shown():
    """Calls a function inside an IPython shell and gives what it displays: (data, metadata) pairs."""
    InteractiveShell.instance()

    def show(function, *arguments, **values):
        with capture_output() as captured:
            function(*arguments, **values)
        return [(output.data, output.metadata) for output in captured.outputs]

    yield show
    InteractiveShell.clear_instance()


def a_table(**changes) -> Exhibit:
    frame = pd.DataFrame(
        {"visit": ["week <2>", "week 4"], "mean": [1 / 3, np.nan], "share": ["1/2 (50.0 %)", "–"]}
    )
    values = {"population": "all randomised", "n": 2, "units": {"mean": "mg/mg"}, "digits": {"mean": 3}}
    return Exhibit("means", "Means & more", frame, **(values | changes))


# Half away from zero on the decimal text: the binary values of 1.005 and 2.675 lie below the half.
@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.125, 2, "0.13"), (1.005, 2, "1.01"), (2.675, 2, "2.68"), (-2.5, 0, "-3"), (-0.04, 1, "0.0"),
     (1e-7, 2, "0.00"), (1e22, 0, "1" + "0" * 22), (np.int64(3), 1, "3.0"), (np.nan, 1, NOT_ESTIMABLE),
     (np.inf, 1, NOT_ESTIMABLE)],
)  # fmt: skip
def test_rounding(value, digits, text):
    assert rounded(value, digits) == text


@given(st.integers(-(10**9), 10**9), st.integers(0, 3))
def test_rounding_keeps_what_is_already_round(number, digits):
    assert rounded(number / 10**digits, digits) == f"{number / 10**digits:.{digits}f}"


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0005, "<0.001"), (0.001, "0.001"), (0.0125, "0.013"), (0.04949, "0.049"), (0.0495, "0.0495"),
     (0.04999, "0.04999"), (0.05, "0.050"), (0.0504, "0.0504"), (0.0500001, "0.0500001"), (0.0505, "0.051"),
     (0.9994, "0.999"), (0.9995, ">0.999"), (0.9996, ">0.999"), (1, "1.000"),
     (None, NOT_ESTIMABLE), (np.nan, NOT_ESTIMABLE)],
)  # fmt: skip
def test_p_values(p, text):
    assert pvalue_text(p) == text


@pytest.mark.parametrize(
    ("p", "level", "text"),
    [(0.0495, 0.1, "0.050"), (0.0996, 0.1, "0.0996"), (0.0246, 0.025, "0.0246"), (0.0254, 0.025, "0.0254"),
     (0.0494, 0.0493, "0.0494"), (0.0005, 0.0001, "0.001"), (0.00014, 0.0001, "0.00014"), (0.00009, 0.0001, "<0.0001")],
)  # fmt: skip
def test_a_p_value_stands_on_its_side_of_any_level(p, level, text):
    assert pvalue_text(p, level) == text


@given(st.floats(0, 1), st.sampled_from([0.01, 0.025, 0.05, 0.1]))
def test_no_p_value_reads_as_the_level_unless_it_is(p, level):
    text = pvalue_text(p, level)
    shown = float(text.lstrip("<>"))
    assert (text[0] in "<>") or ((shown > level) - (shown < level) == (p > level) - (p < level))


def test_p_values_outside_zero_to_one_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        pvalue_text(1.2)


@pytest.mark.parametrize(
    ("n", "N", "text"),
    [
        (12, 40, "12/40 (30.0 %)"),
        (0, 0, "0/0 (not estimable)"),
        (1, 16, "1/16 (6.3 %)"),
        (40, 40, "40/40 (100.0 %)"),
    ],
)
def test_percent(n, N, text):
    assert percent(n, N) == text


def test_percent_of_less_than_its_part_is_refused():
    with pytest.raises(ValueError, match="no proportion"):
        percent(3, 2)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Result("a.n", 40), "40"),
        (Result("a.n", np.int64(40)), "40"),
        (Result("a.share", 43.25, "%", 1), "43.3 %"),
        (Result("a.mean", 0.925, "mg/mg", 2), "0.93 mg/mg"),
        (Result("a.mean", float("nan"), "mg/mg", 2), NOT_ESTIMABLE),
        (Result("a.mean", None, text="no child left"), "no child left"),
        (Result("a.p", 0.0004, text="<0.001"), "<0.001"),
    ],
)
def test_results_as_text(result, text):
    assert str(result) == f"{result}" == text


def test_a_result_keeps_full_precision_and_is_json():
    assert json.loads(json.dumps(Result("a.x", np.float64(1 / 3), digits=1).record()))["value"] == 1 / 3
    assert Result("a.x", np.inf).record()["value"] is None


@pytest.mark.parametrize("key", ["n", "A.n", "a.", "a b.c", ".a"])
def test_result_keys_are_dotted_words(key):
    with pytest.raises(ValueError, match="dotted words"):
        Result(key, 1)


def test_a_table_is_rounded_escaped_and_right_aligned():
    html = a_table().table()
    assert "<caption><span>Means &amp; more</span></caption>" in html
    assert '<th scope="row" style="text-align:left">week &lt;2&gt;</th>' in html
    assert '<td class="num" style="text-align:right">0.333</td>' in html
    assert '<td class="num" style="text-align:right">1/2 (50.0 %)</td>' in html
    assert 'mean <span class="unit">(mg/mg)</span>' in html
    assert "nan" not in html.lower()


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["8 to 12 years", "3 to 7 years"], False),
        (["12/40 (30.0 %)", "0/0 (not estimable)"], True),
        (["3/20, 15.0 % (5.2 to 36.0)", "1/4"], True),
        (["25.0 (-3.5 to 54.5)", f"{NOT_ESTIMABLE} (no child left)"], True),
        (["<0.001", "≥ 3"], True),
        (["20 v 18", "0 v 0"], True),
        (["1 (primary)", "2"], False),
        (["2 of 9", "2025-01-01"], True),
        (["1e-05", "-0.5e3"], True),
        (["1 v. week 2", "3"], False),
    ],
)
def test_only_numbers_stand_right(cells, numeric):
    frame = pd.DataFrame({"first": ["a", "b"], "cell": cells})
    html = Exhibit("x", "X", frame, population="all", n=2).table()
    assert ('<td class="num"' in html) == numeric


def test_columns_select_order_and_rename():
    html = a_table(columns={"mean": "Mean UPCR", "visit": "Visit"}).table()
    assert html.index("Mean UPCR") < html.index(">Visit<")
    assert "share" not in html


@pytest.mark.parametrize("what", ["columns", "digits", "units"])
def test_names_that_the_data_lack_are_refused(what):
    with pytest.raises(ValueError, match=f"{what} names 'weight'"):
        a_table(**{what: {"weight": 1 if what == "digits" else "kg"}})


def test_the_csv_gives_back_every_float_exactly():
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(size=200) / 7, "name": ["a,b"] * 200})
    text = Exhibit("x", "X", frame, population="all", n=200).csv()
    back = pd.read_csv(io.StringIO(text), float_precision="round_trip")
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


def test_a_figure_needs_words_and_leaves_pyplot():
    figure, _ = plt.subplots()
    frame = pd.DataFrame({"x": [1.0]})
    with pytest.raises(ValueError, match="alternative text"):
        Exhibit("f", "F", frame, population="all", n=1, figure=figure)
    figure, _ = plt.subplots()
    made = Exhibit("f", "F", frame, population="all", n=1, figure=figure, alt="one point")
    assert plt.get_fignums() == []
    assert made.png() == made.png()
    assert b"Software" not in made.png()


def test_what_a_table_displays(shown):
    made = a_table(method="mean", conventions=["95 % interval", "half up"], results=[Result("a.mean", 1 / 3)])
    [(data, metadata)] = shown(made._ipython_display_)
    assert (
        "Population: all randomised; n = 2; Method: mean; Conventions: 95 % interval, half up."
        in data["text/html"]
    )
    assert "0.3333" not in data["text/html"] + data["text/plain"]
    assert metadata["exhibit"]["csv"].splitlines()[1] == f"week <2>,{1 / 3!r},1/2 (50.0 %)"
    assert metadata["exhibit"]["results"][0]["value"] == 1 / 3
    json.dumps(metadata, allow_nan=False)


def test_what_a_figure_displays(shown):
    figure, _ = plt.subplots()
    made = Exhibit(
        "f", "F", pd.DataFrame({"x": [1.0]}), population="all", n="1 v 0", figure=figure, alt="a point"
    )
    (picture, about), (notes, of) = shown(made._ipython_display_)
    assert set(picture) == {"image/png", "text/plain"}
    assert about["image/png"]["alt"] == "a point"
    assert "n = 1 v 0" in notes["text/html"]
    assert of == {"exhibit_notes": "f"}
    assert "svg" not in about["exhibit"]


def test_a_report_gets_a_drawing_where_it_is_smaller_than_the_picture(shown, monkeypatch):
    """Lines are; a cloud of points is not. A notebook that is run by hand has neither."""
    monkeypatch.setenv(kept.DRAWN, "1")
    for draw, drawn in (("plot", True), ("scatter", False)):
        figure, axes = plt.subplots()
        x = np.linspace(0, 1, 20 if drawn else 5000)
        getattr(axes, draw)(x, x**2)
        made = Exhibit("f", "F", pd.DataFrame({"x": x}), population="all", n=1, figure=figure, alt="rises")
        (_, about), _ = shown(made._ipython_display_)
        assert ("svg" in about["exhibit"]) == drawn
        if drawn:
            assert about["exhibit"]["svg"].encode() == kept.svg(figure)
    drawn = kept.svg(plt.figure())
    assert kept.drawing(plt.figure(), drawn) == "", "no fewer bytes"
    assert kept.drawing(plt.figure(), drawn + b" ").encode() == drawn


def test_say_shows_results_and_records_them(shown):
    n, mean = Result("a.n", 12), Result("a.mean", 1 / 3, "mg/mg", 2)
    [(data, metadata)] = shown(
        say, "Of **{n}** children\n    the mean was {mean} in {arm}.", n=n, mean=mean, arm="both"
    )
    assert data["text/markdown"] == "Of **12** children\nthe mean was 0.33 mg/mg in both."
    assert [one["key"] for one in metadata["results"]] == ["a.n", "a.mean"]


@pytest.mark.parametrize(
    ("n", "told"), [(1, "1 child was"), (0, "0 children were"), (12, "12 children were")]
)
def test_a_sentence_counts_one_as_one(shown, n, told):
    [(data, metadata)] = shown(say, "Here {n:child was|children were} seen.", n=Result("a.n", n))
    assert data["text/markdown"] == f"Here {told} seen."
    [[start, end, key]] = metadata["filled"]
    assert (data["text/markdown"][start:end], key) == (str(n), "a.n"), "the number alone leads to its source"
    [(data, _)] = shown(say, "{n:day|days}, {N:row|rows}", n=n, N="1/2")
    assert data["text/markdown"].startswith(f"{n} {'day' if n == 1 else 'days'}, 1/2 rows")


def test_a_limit_stays_on_its_side_of_no_effect():
    told = [
        limit("a.lower", value, "points", 1, null).record()
        for value, null in [
            (-0.015, 0),
            (0.96, 1),
            (1.0004, 1),
            (0.0, 0),
            (-3.04, 0),
            (float("nan"), 0),
            (-0.015, None),
        ]
    ]
    assert [one["shown"] for one in told] == [
        "-0.02 points",
        "0.96 points",
        "1.0004 points",
        "0.0 points",
        "-3.0 points",
        "not estimable",
        "0.0 points",
    ]
    assert [one["digits"] for one in told] == [2, 2, 4, 1, 1, 1, 1]
    assert told[0]["value"] == -0.015


def test_a_unit_of_one_has_no_plural():
    shown = [str(Result("a.n", value, "days", 1)) for value in (1, 2, 1.04, 28.0)]
    assert shown == ["1 day", "2 days", "1.0 days", "28.0 days"]


def test_say_refuses_a_bare_float():
    with pytest.raises(TypeError, match="give a Result"):
        say("{x}", x=1 / 3)


def test_a_list_in_a_sentence():
    assert [joined(list("abc")[:k]) for k in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert joined(["a", "b", "c"], "or") == "a, b or c"
