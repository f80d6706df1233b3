"""Time to remission: hand-made children against formulas written out, the base trial against lifelines."""

from math import exp, log, sqrt

import lifelines
import numpy as np
import pandas as pd
import pytest
from hand_made import MONTHS, adtte
from lifelines.statistics import logrank_test
from scipy import stats

from helpers.analysis import time_to_remission as ttr
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

PLACEBO = [(2, True), (2, False), (3, True), (3, True), (5, False), (8, True), (11, True), (11, False)]
MSC = [(1, True), (1, True), (4, True), (4, False), (9, True), (11, False), (11, False)]
HAND = adtte(PLACEBO, MSC)


@pytest.fixture(scope="module")
def base():
    return load("base").read("adtte")


def product_limit(children):
    """(visit, at risk just before, remitted, censored, share remitted, lower, upper) by the formulas, log-log band."""
    rows, left, spread = [], 1.0, 0.0
    for visit in sorted({v for v, _ in children}):
        n = sum(v >= visit for v, _ in children)
        d = sum(v == visit and remitted for v, remitted in children)
        left *= 1 - d / n
        spread += d / (n * (n - d)) if n > d else 0.0
        lower = upper = np.nan
        if 0 < left < 1:
            half = stats.norm.ppf(0.975) * sqrt(spread) / log(left)
            lower, upper = (1 - left ** exp(s * half) for s in (1, -1))
            lower, upper = min(lower, upper), max(lower, upper)
        censored = sum(v == visit and not remitted for v, remitted in children)
        rows.append((MONTHS[visit], n, d, censored, 1 - left, lower, upper))
    return rows


@pytest.mark.parametrize(("arm", "children"), [("Placebo", PLACEBO), ("hUC-MSC", MSC)])
def test_curve_by_hand(arm, children):
    found = ttr.curve(HAND, "UPCRC")
    columns = ["time", "n_risk", "n_event", "n_censor", "estimate", "lower", "upper"]
    part = found.loc[found["arm"] == arm, columns]
    np.testing.assert_allclose(part.to_numpy(float), product_limit(children), rtol=1e-12)
    inside = part.dropna()
    assert (inside["lower"] < inside["estimate"]).all()
    assert (inside["estimate"] < inside["upper"]).all()


def test_at_risk_is_just_before_and_counts_so_far_include_the_visit():
    found = ttr.at_risk(HAND, "UPCRC")
    placebo = found[found["arm"] == "Placebo"].set_index("time")
    assert list(placebo.index) == list(MONTHS)
    assert placebo["at_risk"].tolist() == [8, 8, 8, 6, 4, 4, 3, 3, 3, 2, 2, 2]
    assert placebo["events"].tolist() == [0, 0, 1, 3, 3, 3, 3, 3, 4, 4, 4, 5]
    assert placebo["censored"].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3]
    msc = found[found["arm"] == "hUC-MSC"].set_index("time")
    assert msc.loc[MONTHS[1]].tolist() == ["hUC-MSC", 7, 2, 0]


def test_at_risk_goes_on_to_who_was_seen_after_the_last_visit():
    late = HAND.assign(ACTMONTH=HAND["ACTMONTH"].replace(MONTHS[11], 12.4))
    found = ttr.at_risk(late, "UPCRC", "ACTMONTH")
    ends = found[found["time"] == 13].set_index("arm")
    assert ends["events"].to_dict() == {"Placebo": 5, "hUC-MSC": 4}
    assert found.groupby("arm").size().tolist() == [13, 13]


def test_cumulative_remission_by_month_12_takes_that_visit_in_and_no_later_time():
    found = ttr.estimates(HAND, ["UPCRC"]).set_index("arm")
    for arm, children in zip(ARMS, (PLACEBO, MSC), strict=True):
        expected = [100 * v for v in product_limit(children)[-1][4:]]
        row = found.loc[arm, ["month12", "month12_lower", "month12_upper"]]
        assert row.tolist() == pytest.approx(expected, rel=1e-12)
    late = HAND.assign(ACTMONTH=HAND["ACTMONTH"].replace(MONTHS[11], 12.4))
    found = ttr.estimates(late, ["UPCRC"], ["ACTMONTH"]).set_index("arm")
    assert found.loc["Placebo", "month12"] == pytest.approx(100 * product_limit(PLACEBO)[-2][4])
    assert found.loc["Placebo", "final"] == pytest.approx(100 * product_limit(PLACEBO)[-1][4])
    assert found.loc["Placebo", "last"] == 12.4


def test_counts_and_medians_by_hand():
    """Half of ten remit at month 4 and nobody later: a plateau at one half to month 12, whose middle is the median."""
    found = ttr.estimates(adtte([(6, True)] * 5 + [(11, False)] * 5, [(11, False)] * 10), ["UPCRC"])
    placebo, msc = found.to_dict("records")
    assert (placebo["n"], placebo["N"]) == (5, 10)
    assert placebo["median"] == pytest.approx((MONTHS[6] + MONTHS[11]) / 2)
    assert placebo["median_lower"] == MONTHS[6]
    assert np.isnan(placebo["median_upper"])
    assert np.isnan(msc["median"])
    assert (msc["n"], msc["month12"]) == (0, 0.0)
    assert np.isnan([msc["month12_lower"], msc["month12_upper"]]).all()
    # everyone remits: the band crosses one half below and above
    everyone = [(v, True) for v in range(1, 12)]
    row = ttr.estimates(adtte(everyone, everyone), ["UPCRC"]).iloc[0]
    assert row["median_lower"] < row["median"] < row["median_upper"]
    assert row["median"] == MONTHS[6]


def test_median_and_count_go_by_the_clock_asked_for():
    """One child remits at each of the eleven visits, on the actual clock half a month behind its target time."""
    children = [(v, True) for v in range(1, 12)]
    late = adtte(children, children).assign(ACTMONTH=lambda rows: rows["AVAL"] + 0.5)
    found = ttr.estimates(late, ["UPCRC"], ["AVAL", "ACTMONTH"]).set_index(["clock", "arm"])
    for arm in ARMS:
        target, actual = found.loc[("AVAL", arm)], found.loc[("ACTMONTH", arm)]
        for column in ("median", "median_lower", "median_upper", "last"):
            assert actual[column] == pytest.approx(target[column] + 0.5)
        assert target["median"] == MONTHS[6]
        assert (target["n"], target["N"]) == (actual["n"], actual["N"]) == (11, 11)


def test_what_cannot_be_estimated_says_why():
    gone = [(0, False)] * 3
    found = ttr.estimates(adtte(gone, []), ["UPCRC"])
    assert found["note"].tolist() == ["nobody at risk after time zero", "no evaluable child"]
    assert found[["median", "month12"]].isna().all(axis=None)
    followed = ttr.estimates(adtte([(0, False), (11, False)], [(11, False)]), ["UPCRC"])
    assert followed["note"].tolist() == ["", ""], "no event is an answer where somebody was followed"
    left_early = ttr.estimates(adtte([(3, True), (8, False)], [(3, True), (8, True)]), ["UPCRC"])
    assert left_early["note"].tolist() == ["", ""]
    assert np.isnan(left_early["month12"][0])
    assert left_early["last"].tolist() == [MONTHS[8], MONTHS[8]]
    # nobody is left: all remitted, whatever comes later
    assert left_early["month12"][1] == 100
    late = adtte([(11, True)], [(11, True)]).assign(ACTMONTH=12.3)
    assert ttr.estimates(late, ["UPCRC"], ["ACTMONTH"])["month12"].isna().all()
    test = ttr.logrank(adtte(gone, []))
    assert np.isnan(test["p"][0])
    assert "no child" in test["note"][0]
    nobody = adtte([], [])
    assert ttr.curve(nobody, "UPCRC").empty
    assert list(ttr.curve(nobody, "UPCRC")) == list(ttr.curve(HAND, "UPCRC"))
    assert list(ttr.at_risk(nobody, "UPCRC")) == list(ttr.at_risk(HAND, "UPCRC"))


def test_children_who_are_not_evaluable_are_not_followed():
    apart = HAND.assign(ANL01FL=np.where(HAND["USUBJID"] == "Placebo-0", "N", "Y"))
    assert len(ttr.followed(apart, "UPCRC")) == len(HAND) - 1
    assert ttr.at_risk(apart, "UPCRC")["at_risk"].iloc[0] == 7


def test_times_before_time_zero_count_as_zero_and_are_counted():
    early = HAND.assign(ACTMONTH=HAND["ACTMONTH"].where(HAND["AVAL"] > MONTHS[2], -0.1))
    rows = ttr.followed(early, "UPCRC", "ACTMONTH")
    assert rows["early"].sum() == 4
    assert (rows.loc[rows["early"], "time"] == 0).all()
    found = ttr.curve(early, "UPCRC", "ACTMONTH")
    assert found.groupby("arm")["n_early"].sum().to_dict() == {"Placebo": 2, "hUC-MSC": 2}
    assert found.loc[found["n_early"] > 0, "time"].tolist() == [0, 0]
    assert ttr.curve(HAND, "UPCRC")["n_early"].sum() == 0


def test_a_time_of_ten_digits_is_its_visit_s():
    read = HAND.assign(AVAL=HAND["AVAL"].round(6))
    assert set(ttr.followed(read, "UPCRC")["time"]) <= set(MONTHS)
    other = HAND.assign(AVAL=HAND["AVAL"] + 0.01)
    assert not set(ttr.followed(other, "UPCRC")["time"]) & set(MONTHS)


def test_a_curve_read_at_a_time():
    steps = ttr.curve(adtte([(2, True), (5, True), (11, False)], []), "UPCRC")
    before = MONTHS[5] - 0.01
    found = ttr.at_times(steps, [0.1, MONTHS[2], before, MONTHS[5], 99])["estimate"]
    assert found.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert ttr.at_times(steps, [0.1])[["lower", "upper"]].isna().all(axis=None)


def test_logrank_by_hand():
    """Observed less expected over the hypergeometric variance, summed over times."""
    found = ttr.logrank(HAND)
    expected, variance = 0.0, 0.0
    for visit in range(1, 12):
        n0, n1 = (sum(v >= visit for v, _ in arm) for arm in (PLACEBO, MSC))
        d = sum(v == visit and remitted for v, remitted in PLACEBO + MSC)
        n = n0 + n1
        expected += d * n1 / n
        variance += d * n0 * n1 * (n - d) / (n**2 * (n - 1))
    assert found["children"].tolist() == [8, 7]
    assert found["observed"].tolist() == [5, 4]
    assert found["expected"].tolist() == pytest.approx([9 - expected, expected])
    statistic = (4 - expected) ** 2 / variance
    assert found["statistic"][0] == pytest.approx(statistic)
    assert found["p"][0] == pytest.approx(stats.chi2.sf(statistic, 1))


def test_arms_swapped_are_the_other_arm_s_numbers():
    there = adtte(MSC, PLACEBO)
    for make in (lambda f: ttr.curve(f, "UPCRC"), lambda f: ttr.estimates(f, ["UPCRC"])):
        one, two = make(HAND), make(there)
        for a, b in (ARMS, ARMS[::-1]):
            left = one[one["arm"] == a].drop(columns="arm").reset_index(drop=True)
            right = two[two["arm"] == b].drop(columns="arm").reset_index(drop=True)
            pd.testing.assert_frame_equal(left, right)
    assert ttr.logrank(HAND)["p"][0] == pytest.approx(ttr.logrank(there)["p"][0])


@pytest.mark.parametrize("paramcd", ttr.ENDPOINTS)
@pytest.mark.parametrize("clock", ttr.CLOCKS)
def test_curves_against_lifelines(base, paramcd, clock):
    curves = ttr.curve(base, paramcd, clock)
    rows = base[(base["PARAMCD"] == paramcd) & (base["CNSR"] != 2)]
    for arm in ARMS:
        part = rows[rows["TRT01P"] == arm]
        fit = lifelines.KaplanMeierFitter().fit(part[clock], part["CNSR"] == 0)
        found = curves[curves["arm"] == arm]
        # half a microsecond later, because a CSV keeps ten digits of a time
        at = found["time"].to_numpy() + 1e-6
        assert found["estimate"].to_numpy() == pytest.approx(1 - fit.predict(at).to_numpy(), abs=1e-12)
        band = fit.confidence_interval_.set_axis(["low", "high"], axis=1)
        band = band.reindex(band.index.union(at)).ffill().loc[at]
        inside = ((found["estimate"] > 0) & (found["estimate"] < 1)).to_numpy()
        shown, known = found[inside], 1 - band[inside]
        assert shown["upper"].to_numpy() == pytest.approx(known["low"].to_numpy(), abs=1e-9)
        assert shown["lower"].to_numpy() == pytest.approx(known["high"].to_numpy(), abs=1e-9)
        assert found.loc[~inside, ["lower", "upper"]].isna().all(axis=None)


@pytest.mark.parametrize("paramcd", ttr.ENDPOINTS)
def test_at_risk_counts_by_visit_number(base, paramcd):
    """Counted by the number of the visit that a time belongs to, so that no decimal of a month decides."""
    found = ttr.at_risk(base, paramcd)
    rows = base[(base["PARAMCD"] == paramcd) & (base["CNSR"] != 2)]
    rows = rows.assign(number=[int(np.argmin([abs(t - m) for m in MONTHS])) for t in rows["AVAL"]])
    for arm in ARMS:
        part, table = rows[rows["TRT01P"] == arm], found[found["arm"] == arm]
        assert len(table) == len(VISITS) + 1
        for k, row in enumerate(table.itertuples()):
            assert row.at_risk == (part["number"] >= k).sum()
            assert row.events == ((part["number"] <= k) & (part["CNSR"] == 0)).sum()
            assert row.censored == ((part["number"] <= k) & (part["CNSR"] == 1)).sum()


def test_logrank_against_lifelines(base):
    rows = base[(base["PARAMCD"] == "UPCRC") & (base["CNSR"] != 2)]
    a, b = (rows[rows["TRT01P"] == arm] for arm in ARMS)
    test = logrank_test(a["AVAL"].round(6), b["AVAL"].round(6), a["CNSR"] == 0, b["CNSR"] == 0)
    assert ttr.logrank(base)["p"][0] == pytest.approx(test.p_value, rel=1e-9)
