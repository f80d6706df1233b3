"""Simulated beside published: the right numbers in the right columns, and reasons where they part."""

import numpy as np
import pytest

from helpers.design import beside_published, calibration, published
from helpers.design.published import CLINIC, COURSE
from helpers.study.parameters import Parameters

PLAN = Parameters()
COLUMNS = [
    "quantity", "unit", "among", "published", "low", "high", "range", "simulated", "mc_low", "mc_high",
    "verdict", "why", "bound_low", "bound_high", "bound", "row", "source",
]  # fmt: skip


@pytest.fixture
def answered(monkeypatch):
    """Let the simulation give chosen numbers: {key: value} or {curve: percentiles}, else the published value."""

    def answer(values=(), curves=()):
        known = {q.key: [q.value, q.value - 1, q.value + 2] for q in published.quantities()}
        lines = {name: list(range(50)) for part in beside_published.CURVES.values() for name in part}
        found = {"values": known | dict(values), "curves": lines | dict(curves)}
        monkeypatch.setattr(calibration, "calibrate", lambda p: found)

    return answer


@pytest.mark.parametrize("part", [CLINIC, COURSE])
def test_every_quantity_of_a_part_with_its_numbers(answered, part):
    answered()
    frame = beside_published.quantities(PLAN, part)
    assert list(frame.columns) == COLUMNS
    wanted = [q for q in published.quantities() if q.part == part]
    assert len(frame) == len(wanted) > 10
    for row, q in zip(frame.itertuples(), wanted, strict=True):
        assert (row.quantity, row.unit, row.row, row.range) == (q.what, q.unit, q.key.split()[0], q.how)
        assert (row.published, row.low, row.high) == (q.value, q.low, q.high)
        assert (row.simulated, row.mc_low, row.mc_high) == (q.value, q.value - 1, q.value + 2)
        assert (row.verdict, row.why) == ("inside", "")


def test_the_limits_themselves_are_inside_and_beyond_them_the_reason_is_given(answered):
    q = next(q for q in published.quantities() if q.key == "NH09")
    assert q.reason.low == q.low  # the reason makes it larger, never smaller
    for value, said in (
        (q.low, "inside"),
        (q.high, "inside"),
        (q.high + 1e-9, "outside"),
        (q.reason.high, "outside"),
        (q.reason.high + 1e-9, "beyond"),
        (q.low - 1e-9, "beyond"),
    ):
        answered({"NH09": [value, value, value]})
        frame = beside_published.quantities(PLAN, CLINIC).set_index("row")
        assert frame.loc["NH09", "verdict"] == said
        assert frame.loc["NH09", "why"] == ("" if said == "inside" else q.reason.why)
        bound = frame.loc["NH09", ["bound_low", "bound_high", "bound"]].tolist()
        assert bound == [q.reason.low, q.reason.high, q.reason.how]


def test_what_nobody_fits_is_not_estimable(answered):
    answered({"NH05": [None, None, None]})
    row = beside_published.quantities(PLAN, CLINIC).set_index("row").loc["NH05"]
    assert row["verdict"] == "not estimable"
    assert np.isnan(row["simulated"])
    assert row["why"] == ""


def test_a_study_that_changes_the_clinic_is_told_so(answered):
    answered({"NH05": [None, None, None], "NH01": [0.0, 0.0, 0.0]})
    other = Parameters(gfr_mean=80.0, upcr_effect=0.7)
    frame = beside_published.quantities(other, CLINIC).set_index("row")
    assert frame.loc["NH01", "why"] == frame.loc["NH05", "why"] == "This study changes gfr_mean."
    assert frame.loc["NH02", "why"] == ""
    answered({"NH09": [90.0, 90.0, 90.0], "NH01": [0.0, 0.0, 0.0]})
    assert beside_published.quantities(other, CLINIC).set_index("row").loc["NH09", "why"] == (
        "This study changes gfr_mean."
    )
    many = Parameters(
        gfr_mean=80.0, gfr_sd=10.0, age_sd=3.0, rbc_median=90.0, dropout=0.2, visit_missed=0.1, bun_cv=0.2
    )
    assert (
        beside_published.quantities(many, CLINIC).set_index("row").loc["NH01", "why"].endswith(" and others.")
    )


def test_curves_carry_percentiles_and_published_points(answered):
    answered(curves={"NH25": [None] * 50})
    frame = beside_published.curves(PLAN, COURSE)
    assert list(dict.fromkeys(frame["curve"])) == ["NH24", "NH25", "NH26", "NH27"]
    ours = frame[(frame["curve"] == "NH24") & (frame["kind"] == "simulated")]
    assert ours["percentile"].tolist() == list(range(1, 100, 2))
    assert ours["value"].tolist() == list(range(50))
    assert set(ours["source"]) == {""}
    theirs = frame[(frame["curve"] == "NH26") & (frame["kind"] == "published")]
    assert theirs["percentile"].tolist() == [25, 50, 75]
    assert theirs["value"].tolist() == [-7.0, -2.5, 0.5]
    assert set(theirs["source"]) == {"NH26"}
    q = {q.key: q for q in published.quantities()}
    assert theirs["low"].tolist() == [q[f"NH26 {at}"].low for at in ("quartile 1", "median", "quartile 3")]
    assert theirs["high"].tolist() == [q[f"NH26 {at}"].high for at in ("quartile 1", "median", "quartile 3")]
    assert frame.loc[(frame["curve"] == "NH25") & (frame["kind"] == "simulated"), "value"].isna().all()


def test_mean_and_sd_stand_at_the_percentiles_of_a_normal(answered):
    answered()
    frame = beside_published.curves(PLAN, CLINIC)
    boys = frame[(frame["curve"] == "egfr boys") & (frame["kind"] == "published")]
    assert boys["percentile"].tolist() == [15.87, 50, 84.13]
    assert boys["value"].tolist() == [85.8, 102, 118.2]
    assert boys["low"].isna().all()
    upcr = frame[(frame["curve"] == "upcr") & (frame["kind"] == "published")]
    assert upcr["percentile"].tolist() == [25, 50, 75]
    assert upcr["value"].tolist() == [0.5, 1.6, 4.0]


def test_medians_lie_between_the_middle_percentiles(answered):
    answered(curves={"NH24": [float(k) for k in range(50)], "NH25": [None] * 50})
    frame = beside_published.medians(beside_published.curves(PLAN, COURSE)).set_index("curve")
    # percentiles 49 and 51 are the 25th and 26th of the fifty: values 24 and 25
    assert frame.loc["NH24", "simulated"] == pytest.approx(24.5)
    assert np.isnan(frame.loc["NH25", "simulated"])
    assert frame.loc["NH26", "published"] == -2.5
    assert frame.loc["NH26", "source"] == "NH26"
