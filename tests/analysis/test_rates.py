"""Rates by arm: counted by hand, intervals against statsmodels and a score interval by brute force."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint
from ten_children import tables

from helpers.analysis import rates
from helpers.analysis.rates import Responders
from helpers.study.protocol import ARMS


def score_interval(x0, n0, x1, n1):
    """Miettinen-Nurminen by brute force: restricted likelihood maximised numerically, bounds by root finding."""

    def z(d):
        def loss(p0):
            p = np.clip([p0, p0 + d], 1e-14, 1 - 1e-14)
            logs = x0 * np.log(p[0]) + (n0 - x0) * np.log(1 - p[0])
            return -(logs + x1 * np.log(p[1]) + (n1 - x1) * np.log(1 - p[1]))

        limits = (max(0, -d), min(1, 1 - d))
        p0 = optimize.minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-12}).x
        p1, total = p0 + d, n0 + n1
        variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)
        return (x1 / n1 - x0 / n0 - d) / np.sqrt(variance)

    seen, limit = x1 / n1 - x0 / n0, stats.norm.ppf(0.975)
    low = optimize.brentq(lambda d: z(d) - limit, -0.999, seen)
    return low, optimize.brentq(lambda d: z(d) + limit, seen, 0.999)


@pytest.mark.parametrize(("x0", "n0", "x1", "n1"), [(3, 18, 7, 14), (9, 20, 2, 17)])
def test_shares_difference_and_their_intervals(x0, n0, x1, n1):
    row = rates.compared((Responders(x0, n0, n0), Responders(x1, n1, n1)))
    assert (row["placebo_n"], row["placebo_N"], row["msc_n"], row["msc_N"]) == (x0, n0, x1, n1)
    assert row["difference"] == pytest.approx(100 * (x1 / n1 - x0 / n0))
    limits = (row["approximate_lower"] / 100, row["approximate_upper"] / 100)
    assert limits == pytest.approx(score_interval(x0, n0, x1, n1), abs=1e-6)
    # exact: zero difference inside or outside as Boschloo's test says
    p = stats.boschloo_exact([[x1, x0], [n1 - x1, n0 - x0]], n=64).pvalue
    assert (row["lower"] <= 0 <= row["upper"]) == (p > 0.05)
    for key, x, n in (("placebo", x0, n0), ("msc", x1, n1)):
        assert row[key] == pytest.approx(100 * x / n)
        wilson = proportion_confint(x, n, method="wilson")
        assert (row[f"{key}_lower"] / 100, row[f"{key}_upper"] / 100) == pytest.approx(wilson, rel=1e-9)
    assert row["note"] == row["placebo_note"] == row["msc_note"] == ""


@pytest.mark.parametrize(
    ("control", "active", "note"),
    [
        ((0, 0, 0), (2, 5, 5), "no child in Placebo"),
        ((1, 4, 4), (0, 3, 0), "no evaluable child assessed in hUC-MSC"),
        ((0, 2, 0), (0, 0, 0), "no evaluable child assessed in Placebo and no child in hUC-MSC"),
    ],
)
def test_an_arm_without_a_rate_leaves_the_difference_open(control, active, note):
    row = rates.compared((Responders(*control), Responders(*active)))
    assert row["note"] == note
    names = ("difference", "lower", "upper", "approximate_lower", "approximate_upper")
    assert np.isnan([row[name] for name in names]).all()
    for key, one in (("placebo", control), ("msc", active)):
        assert np.isnan(row[key]) == bool(row[f"{key}_note"]) == (one[2] == 0)
        assert np.isnan(row[f"{key}_lower"]) == np.isnan(row[f"{key}_upper"]) == (one[2] == 0)


def test_children_are_counted_in_their_own_arm_and_inside_the_set():
    arm = np.array([ARMS[1], ARMS[0], ARMS[1], ARMS[0], ARMS[1]], object)
    inside = np.array([True, True, True, False, True])
    event = np.array([True, False, False, True, True])
    seen = np.array([True, False, True, True, True])
    assert rates.among(arm, inside, event, seen) == (Responders(0, 1, 0), Responders(2, 3, 3))


def test_adtte_counts_by_hand():
    adtte = tables()[2]
    # P3 was never seen, P4 is not evaluable
    assert rates.from_adtte(adtte, "UPCRC") == (Responders(1, 4, 3), Responders(2, 5, 5))
    assert rates.from_adtte(adtte, "DIPC") == (Responders(0, 3, 2), Responders(1, 5, 5))
    assert rates.from_adtte(adtte, "HEMC")[1] == Responders(0, 0, 0)
    assert rates.from_adtte(adtte, "UPCRC", everyone=True)[0] == Responders(1, 5, 3)


def test_an_event_at_time_zero_was_seen():
    adtte = tables()[2]
    adtte.loc[(adtte["PARAMCD"] == "UPCRC") & (adtte["USUBJID"] == "P2"), "AVAL"] = 0.0
    assert rates.from_adtte(adtte, "UPCRC")[0] == Responders(1, 4, 3)


def test_a_table_is_led_by_what_its_rows_are_about():
    arms = (Responders(1, 4, 4), Responders(2, 5, 5))
    frame = rates.table([({"set": "a"}, arms), ({"set": "b"}, arms[::-1])])
    assert list(frame["set"]) == ["a", "b"]
    assert list(frame.columns)[1:] == list(rates.compared(arms))
    assert frame["difference"].to_numpy() == pytest.approx([15, -15])
    assert isinstance(frame, pd.DataFrame)
