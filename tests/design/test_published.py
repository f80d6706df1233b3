"""What is published is copied right, and ranges are right."""

import csv
import re

import numpy as np
import pytest
from scipy import stats

from helpers import ROOT
from helpers.design import published
from helpers.study.parameters import Parameters

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


def test_boys_without_proteinuria_as_the_row_pools_them():
    q, note = QUANTITIES["N202"], published.targets()["N202"]["note"]
    stated = [float(x) for x in re.findall(r"\d+\.\d", note)]
    assert (q.value, q.low, q.high) == pytest.approx(stated, abs=0.05)
    for row, n, sd in (("N201", "n=29", 15.2), ("N202", "n=43", 17.3)):
        assert n in published.targets()[row]["population"]
        assert f"SD {sd}" in published.targets()[row]["statistic"]
    # the note of N201: by the bedside equation the same creatinine gives 89
    assert q.reason.low == pytest.approx(89, abs=0.5)


def test_reasons_reach_further_than_the_range_on_one_side_and_say_how_far():
    for q in published.quantities():
        if q.reason:
            assert q.reason.low <= q.low < q.high <= q.reason.high, q.key
            assert q.reason.low == q.low or q.reason.high == q.high, q.key
            assert q.reason.why.endswith("."), q.key
            assert q.reason.how, q.key


def test_bounds_against_independent_arithmetic():
    """Nephrotic range in the mixed clinic, two noisy samples, and an adult's variation at CV06's noise."""
    rng = np.random.default_rng(2)
    share = 0.594 * rng.binomial(29, 0.38, 400_000) / 29 + 0.406 * rng.binomial(15, 0.07, 400_000) / 15
    assert QUANTITIES["NH09"].reason.high == pytest.approx(100 * (share.mean() + 1.96 * share.std()), abs=0.2)
    first, second = 0.35 * rng.standard_normal((2, 400_000))
    assert QUANTITIES["CV03"].reason.low == pytest.approx((second - first).std(), abs=0.002)
    assert QUANTITIES["DO08"].reason.low == pytest.approx(
        100 * (second - first < np.log(0.5)).mean(), abs=0.2
    )
    assert QUANTITIES["CV02"].reason.high == pytest.approx(
        100 * np.exp(first).std() / np.exp(first).mean(), abs=0.3
    )


def test_what_was_published_since_stands_beside_the_rest():
    """Ids of the two files differ, and the columns are the same."""
    files = []
    for name in ("targets.csv", "targets-2.csv"):
        with (ROOT / "data" / "reference" / name).open(encoding="utf-8") as file:
            files.append(list(csv.DictReader(file)))
    assert list(files[0][0]) == list(files[1][0])
    assert (
        len({row["id"] for rows in files for row in rows}) == sum(map(len, files)) == len(published.targets())
    )


def test_the_spread_of_the_ras_effect_is_one_that_the_published_numbers_allow():
    """Two of seven children did not respond (N214); losartan hardly widened the spread of changes (CV03, its note)."""
    p = Parameters()
    none, *others = (int(x) for x in published.targets()["N214"]["value"].split("/"))
    low, high = stats.binomtest(none, none + sum(others)).proportion_ci()
    unmoved = stats.norm.sf(np.log(0.9), np.log(p.ras_effect), p.ras_effect_sd)  # a fall of less than 10 %
    assert low < unmoved < high
    placebo, note = published.number("CV03"), published.targets()["CV03"]["note"]
    losartan = float(re.search(r"losartan arm (\d\.\d+)", note)[1])
    widest = (losartan / placebo) ** 2 * stats.f.ppf(0.975, 152, 152) - 1
    limit = placebo * np.sqrt(widest)
    assert limit == pytest.approx(0.45, abs=0.005)
    assert 0 < p.ras_effect_sd < limit


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
