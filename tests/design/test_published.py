"""What is published is copied right, and ranges are right."""

import csv

import numpy as np
import pytest
from scipy import stats

from helpers import ROOT
from helpers.design import published

QUANTITIES = {q.key: q for q in published.quantities()}


def test_there_are_many_quantities_each_from_a_row_of_targets():
    assert len(QUANTITIES) == len(published.quantities()) >= 30
    assert {q.row for q in QUANTITIES.values()} <= set(published.targets())
    assert {q.part for q in QUANTITIES.values()} == {published.CLINIC, published.COURSE}
    for q in QUANTITIES.values():
        assert q.low <= q.value <= q.high, q.key
        assert q.low < q.high, q.key


@pytest.mark.parametrize(
    "key", ["NH01", "NH08", "NH11c", "NH18", "NH20a", "CV01", "CV03", "DO02", "DO07", "MS04", "MS05a"]
)
def test_the_published_value_is_the_rows_own(key):
    assert QUANTITIES[key].value == pytest.approx(float(published.targets()[key]["value"]))


def test_quartiles_and_spreads_are_those_of_the_row():
    assert [QUANTITIES[f"NH13 {k}"].value for k in ("quartile 1", "median", "quartile 3")] == pytest.approx(
        [0.5, 1.6, 4.0]
    )
    assert [QUANTITIES[f"NH26 {k}"].value for k in ("quartile 1", "median", "quartile 3")] == pytest.approx(
        [-7.0, -2.5, 0.5]
    )
    # facts: derived log-SD ln(8)/1.349 = 1.54; SD 16.2 and 17.4 around means 102 and 109
    assert QUANTITIES["NH13 log-SD"].value == pytest.approx(1.54, abs=0.005)
    assert QUANTITIES["NH22 SD"].value == pytest.approx(16.2)
    assert QUANTITIES["NH23 SD"].value == pytest.approx(17.4)


def test_ranges_against_independent_arithmetic():
    low, high = stats.binomtest(97, 126).proportion_ci(method="wilson")
    assert (QUANTITIES["NH01"].low, QUANTITIES["NH01"].high) == pytest.approx((100 * low, 100 * high))
    rng = np.random.default_rng(1)
    medians = np.median(rng.normal(np.log(1.6), np.log(8) / 1.349, (20000, 130)), axis=1)
    low, high = np.exp(np.quantile(medians, [0.025, 0.975]))
    assert QUANTITIES["NH13 median"].low == pytest.approx(low, rel=0.02)
    assert QUANTITIES["NH13 median"].high == pytest.approx(high, rel=0.02)
    lower = np.quantile(rng.normal(-3.0, 3.9 / 1.349, (20000, 47)), 0.25, axis=1)
    width = np.quantile(lower, 0.975) - np.quantile(lower, 0.025)
    assert QUANTITIES["NH24 quartile 1"].high - QUANTITIES["NH24 quartile 1"].low == pytest.approx(
        width, rel=0.04
    )
    # NH20a states its interval: -35.8 (-43.1 to -27.6) from about 153 children, as CV03's SD gives it
    assert published._change("NH20a", 153)[1:3] == pytest.approx((-43.1, -27.6), abs=0.5)


def test_age_at_the_start_of_ras_inhibition_stands_in_the_rows_text():
    mean, sd = published.AGE_AT_RAS_START
    assert published.targets()["NH14a"]["population"].endswith(f"age {mean}+-{sd}")
    assert published.targets()["NH14a"]["population"].startswith("79 ")
    assert QUANTITIES["NH14a age mean"].value == mean
    assert QUANTITIES["NH14a age SD"].value == sd
    mean_age = QUANTITIES["NH14a age mean"]
    assert (mean_age.low, mean_age.high) == pytest.approx((8.6 - 0.904, 8.6 + 0.904), abs=0.001)


def test_parts_of_quantities_follow_what_they_are_about():
    """Rows of the natural course, of conduct and of safety are no facts of the clinic."""
    part = {q.row: q.part for q in QUANTITIES.values()}
    assert {part[row] for row in ("NH01", "NH05", "NH13", "NH22", "CV01", "CV07")} == {published.CLINIC}
    assert {part[row] for row in ("NH18", "NH24", "CV03", "DO07", "MS04")} == {published.COURSE}


def test_changes_are_read_from_before_and_after():
    assert QUANTITIES["NH15b"].value == pytest.approx(100 * (15.2 / 34.6 - 1))
    assert QUANTITIES["NH17c"].value == pytest.approx(100 * (21 / 52 - 1))


@pytest.mark.parametrize("sex", ["M", "F"])
def test_heights_of_chinese_children_over_whos_medians(sex):
    """Against a plain reading of growth_lms.csv, ages 3 to 12."""
    with (ROOT / "data" / "reference" / "growth_lms.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["measure"] == "height" and r["sex"] == sex]
    who = {r["age_years"]: float(r["M"]) for r in rows if r["reference"].startswith("WHO 2006")}
    china = {r["age_years"]: float(r["M"]) for r in rows if r["reference"].startswith("China Li")}
    shares = [100 * china[str(age)] / who[str(age)] for age in range(3, 13)]
    mean, low, high = published.chinese_heights(sex)
    assert (mean, low, high) == pytest.approx((sum(shares) / 10, min(shares), max(shares)))
    assert 99 < low < mean < high < 104
