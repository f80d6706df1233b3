"""Pictures of the model's checks: what is drawn is what is given, panel by panel, and gaps are said."""

import numpy as np
import pandas as pd
import pytest

from helpers import figures

COLUMNS = ["panel", "kind", "percentile", "value", "low", "high"]
NAN = float("nan")


def two_panels() -> pd.DataFrame:
    rows = [("UPCR (mg/mg)", "simulated", q, 0.1 * q, NAN, NAN) for q in (1, 50, 99)]
    rows += [("eGFR", "simulated", q, 60 + q, NAN, NAN) for q in (1, 50, 99)]
    rows += [
        ("UPCR (mg/mg)", "published", 25, 1.5, 1.0, 2.5),
        ("UPCR (mg/mg)", "published", 50, 4.0, NAN, NAN),
    ]
    rows += [("eGFR", "published", 50, 102.0, NAN, NAN)]
    return pd.DataFrame(rows, columns=COLUMNS)


def points(line) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def test_curves_and_published_points_stand_in_their_own_panels():
    fig = figures.beside_published(two_panels(), log=("UPCR (mg/mg)",))
    upcr, egfr = fig.axes
    assert (upcr.get_title("left"), egfr.get_title("left")) == ("UPCR (mg/mg)", "eGFR")
    curve, marks = upcr.lines
    assert points(curve) == [(0.1, 1), (5.0, 50), (pytest.approx(9.9), 99)]
    assert points(marks) == [(1.5, 25), (4.0, 50)]
    (ranges,) = upcr.collections
    assert [segment.tolist() for segment in ranges.get_segments()] == [[[1.0, 25.0], [2.5, 25.0]]]
    assert points(egfr.lines[0]) == [(61, 1), (110, 50), (159, 99)]
    assert points(egfr.lines[1]) == [(102, 50)]
    assert (upcr.get_xscale(), egfr.get_xscale()) == ("log", "linear")


def test_a_panel_that_nobody_fits_says_so():
    frame = two_panels()
    frame.loc[(frame["panel"] == "eGFR") & (frame["kind"] == "simulated"), "value"] = NAN
    fig = figures.beside_published(frame)
    assert not fig.axes[1].lines
    assert "no simulated child" in fig.axes[1].texts[0].get_text().replace("\n", " ")
    assert len(fig.axes[0].lines) == 2


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (5, (2, 3))])
def test_any_number_of_panels(count, shape):
    one = two_panels()[lambda f: f["panel"] == "eGFR"]
    frame = pd.concat([one.assign(panel=f"panel {k}") for k in range(count)])
    fig = figures.beside_published(frame)
    assert fig.axes[0].get_gridspec().get_geometry() == shape
    assert sum(ax.get_visible() for ax in fig.axes) == count


def test_nothing_at_all_is_said():
    assert "no data" in figures.beside_published(pd.DataFrame(columns=COLUMNS)).axes[0].texts[0].get_text()


def artefacts() -> pd.DataFrame:
    rows = [("selection", "eligibility", x, y) for x, y in ((0.2, -8.0), (2.0, -10.0))]
    rows += [("selection", "separate", x, y) for x, y in ((0.2, -1.0), (2.0, NAN))]
    rows += [("remission", "any visit", x, y) for x, y in ((0.1, 0.0), (0.4, 45.0))]
    return pd.DataFrame(rows, columns=["panel", "line", "x", "value"])


def test_selection_is_left_and_noise_is_right():
    left, right = figures.selection_and_noise(artefacts()).axes
    by_name = {line.get_label(): points(line) for ax in (left, right) for line in ax.lines}
    assert by_name["eligibility"] == [(0.2, -8), (2, -10)]
    assert by_name["separate"] == [(0.2, -1)]
    assert by_name["any visit"] == [(0.1, 0), (0.4, 45)]
    assert [line.get_label() for line in right.lines] == ["any visit"]
    assert "entry UPCR" in left.get_xlabel()
    assert "noise" in right.get_xlabel()
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["0.2", "2"]


def test_without_anyone_selected_the_noise_is_still_drawn():
    frame = artefacts()
    frame.loc[frame["panel"] == "selection", "value"] = np.nan
    left, right = figures.selection_and_noise(frame).axes
    assert "no child is selected" in left.texts[0].get_text()
    assert len(right.lines) == 1
