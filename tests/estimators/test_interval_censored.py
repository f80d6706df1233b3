"""Interval-censored NPMLE against R (data/reference/r), published data, a general optimiser and properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from statsmodels.stats.proportion import proportion_confint

from helpers.estimators import discrete_time, interval_censored, survival

R = Path(__file__).parents[2] / "data" / "reference" / "r"


def read(name):
    return pd.read_csv(R / name, float_precision="round_trip")


@pytest.fixture(scope="module")
def r_values():
    return read("r_values.csv").set_index("key")["value"]


@pytest.fixture(scope="module")
def tte():
    return read("tte.csv")


@pytest.mark.parametrize("arm", [0, 1])
def test_npmle_equals_npsurv(tte, r_values, arm):
    child = tte[tte["arm"] == arm]
    ours = interval_censored.npmle(child["left"], child["right"])
    theirs = read("r_npmle.csv").query("arm == @arm")
    assert ours.table["left"].tolist() == theirs["left"].tolist()
    assert ours.table["right"].tolist() == theirs["right"].tolist()
    np.testing.assert_allclose(ours.table["probability"], theirs["p"], atol=2e-9)
    assert ours.log_likelihood == pytest.approx(r_values[f"npmle.ll.arm{arm}"], rel=1e-12)
    assert ours.message == ""


def test_npmle_intervals_are_half_open():
    # (0, 2] and (2, 4] share only their end: closed intervals would collapse to a point mass at 2.
    fit = interval_censored.npmle([0, 2], [2, 4])
    assert fit.table["probability"].tolist() == [0.5, 0.5]
    assert fit.survival([0, 1.9, 2, 4]).tolist() == [1, 1, 0.5, 0]


def test_npmle_recovers_visit_truth_where_lifelines_default_does_not():
    # TRAPS.md: visits 0, 4, 12, 24, 36, 48, exponential truth, S(24) = .449, S(48) = .202.
    rng = np.random.default_rng(7)
    visits = np.array([0, 4, 12, 24, 36, 48, np.inf])
    k = np.searchsorted(visits, rng.exponential(30, 20_000), side="left")
    fit = interval_censored.npmle(visits[k - 1], visits[k])
    np.testing.assert_allclose(fit.survival([24, 48]), np.exp(-np.array([24, 48]) / 30), atol=0.012)


def test_npmle_maximises_the_likelihood_against_a_general_optimiser():
    rng = np.random.default_rng(3)
    grid = np.array([0, 1, 2, 3, 5, 8, np.inf])
    a, b = np.sort(np.array([rng.choice(7, 2, replace=False) for _ in range(25)]), axis=1).T
    left, right = grid[a], grid[b]
    members = ((left[:, None] <= grid[:-1]) & (grid[1:] <= right[:, None])).astype(float)

    def negative(z):
        p = np.exp(z - z.max())
        return -np.log(members @ (p / p.sum())).sum()

    best = min(
        optimize.minimize(negative, rng.normal(size=6), method="Nelder-Mead", options={"maxiter": 20000}).fun
        for _ in range(3)
    )
    ours = interval_censored.npmle(left, right).log_likelihood
    assert ours >= -best - 1e-9
    assert ours == pytest.approx(-best, abs=1e-3)


def test_npmle_published_breast_cosmesis():
    # Finkelstein & Wolfe (1985), Biometrics 41:933-945, radiotherapy alone; NPMLE as in R's interval package vignette
    # (Fay & Shaw 2010, J Stat Softw 36(2)): mass on (4,5], (6,7], (7,8], (11,12], (24,25], (33,34], (38,40], (46,48].
    women = pd.read_csv(R.parent / "published" / "cosmesis.csv")
    left, right = women["left"], women["right"].fillna(np.inf)
    fit = interval_censored.npmle(left, right)
    likely = fit.table[fit.table["probability"] > 1e-4]
    expected = {(4, 5): 0.0463, (6, 7): 0.0334, (7, 8): 0.0887, (11, 12): 0.0708, (24, 25): 0.0926}
    expected |= {(33, 34): 0.0818, (38, 40): 0.1209, (46, 48): 0.4656}
    assert list(zip(likely["left"], likely["right"], strict=True)) == list(expected)
    np.testing.assert_allclose(likely["probability"], list(expected.values()), atol=6e-5)


def test_bootstrap_resamples_children_as_a_plain_loop_does(tte):
    child = tte[tte["arm"] == 1]
    grid = np.unique(tte["time"])
    band = interval_censored.npmle_bootstrap(
        child["left"], child["right"], grid, 500, np.random.default_rng(1)
    )
    rng = np.random.default_rng(2)
    curves = []
    for _ in range(500):
        again = child.sample(len(child), replace=True, random_state=rng)
        curves.append(interval_censored.npmle(again["left"], again["right"], 1e-6).survival(grid))
    share, variance = band["estimate"].to_numpy(), np.var(curves, axis=0, ddof=1)
    inner = (share > 0) & (share < 1) & (variance > 1e-6)
    n = np.minimum(share[inner] * (1 - share[inner]) / variance[inner], len(child))
    low, high = proportion_confint(share[inner] * n, n, method="wilson")
    np.testing.assert_allclose(band["lower"][inner], low, atol=0.03)
    np.testing.assert_allclose(band["upper"][inner], high, atol=0.03)
    assert (band["lower"] <= band["estimate"]).all()
    assert (band["estimate"] <= band["upper"]).all()
    again = interval_censored.npmle_bootstrap(
        child["left"], child["right"], grid, 500, np.random.default_rng(1)
    )
    pd.testing.assert_frame_equal(band, again)


def test_ugly_intervals_answer_in_words():
    nobody = interval_censored.npmle([], [])
    assert nobody.message == "no child with an interval"
    assert np.isnan(nobody.survival([1.0])).all()
    none = interval_censored.npmle([5, 8], [np.inf, np.inf])
    assert "no events" in none.message
    assert none.survival([3, 100]).tolist() == [1, 1]
    missing = interval_censored.npmle([0, np.nan, 2], [1, 3, np.inf])
    assert "1 without an interval" in missing.message
    band = interval_censored.npmle_bootstrap([np.nan], [np.nan], [1, 2], 10, np.random.default_rng(0))
    assert band["lower"].isna().all()
    assert band.attrs["message"]
    first = interval_censored.npmle([0, 0, 0], [1, 1, 1])
    assert first.survival([1]).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: interval_censored.npmle([2], [2]), "left < right"),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def children(least=4):
    child = st.tuples(st.integers(1, 9), st.integers(0, 1), st.integers(0, 1))
    return st.lists(child, min_size=least, max_size=20).map(lambda rows: np.array(rows).T)


@settings(deadline=None)
@given(children(), st.randoms(use_true_random=False), st.floats(0.1, 50))
def test_npmle_order_scale_and_children_without_information(rows, shuffler, scale):
    left = rows[0] - 1.0
    right = np.where(rows[1] == 1, left + 1 + rows[2], np.inf)
    fit = interval_censored.npmle(left, right)
    assert fit.table["probability"].sum() == pytest.approx(1)
    order = list(range(len(left)))
    shuffler.shuffle(order)
    same = interval_censored.npmle(left[order], right[order])
    pd.testing.assert_frame_equal(fit.table, same.table)
    scaled = interval_censored.npmle(left * scale, right * scale)
    np.testing.assert_allclose(scaled.table["probability"], fit.table["probability"], atol=1e-6)
    more = interval_censored.npmle(np.append(left, 0), np.append(right, np.inf))
    assert more.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)


def test_ends_that_differ_by_rounding_are_one():
    left, right = np.array([0, 0, 0.3, 0.7]), np.array([0.3, 0.7, 0.7, np.inf])
    off = np.array([0, 0, 0.1 + 0.2, 0.1 * 7]), np.array([0.3, 0.1 * 7, 0.7, np.inf])
    exact, rounded = interval_censored.npmle(left, right), interval_censored.npmle(*off)
    pd.testing.assert_frame_equal(exact.table, rounded.table)
    assert rounded.survival(0.1 + 0.2) == exact.survival(0.3)
    assert exact.survival(np.nextafter(0.7, 0)) == exact.survival(0.7)
    bands = [
        interval_censored.npmle_bootstrap(*ends, [0.3, 0.7], 50, np.random.default_rng(1)).drop(
            columns="time"
        )
        for ends in ((left, right), off)
    ]
    pd.testing.assert_frame_equal(*bands)
    with pytest.raises(ValueError, match="left < right"):
        interval_censored.npmle([0.3], [0.1 + 0.2])


ADTTE = Path(__file__).parents[2] / "data" / "synthetic" / "base" / "adtte.csv"


@pytest.fixture(scope="module")
def adtte():
    rows = pd.read_csv(ADTTE)
    return rows[rows["ANL01FL"] == "Y"]


def test_adtte_as_it_stands_in_the_file(adtte):
    """One event before all but one were lost, two of the 13 who were still followed at theirs, by hand.

    13 of 16 have no RMONTH: not seen, not left out. Who was lost at week 2 says nothing, who was lost at month 6
    nothing of what came after.
    """
    rows = adtte[(adtte["PARAMCD"] == "UPCRC") & (adtte["TRT01PN"] == 0)]
    assert (len(rows), rows["RMONTH"].isna().sum()) == (16, 13)
    fit = interval_censored.npmle(rows["LMONTH"], rows["RMONTH"])
    assert fit.survival(12) == pytest.approx(14 / 15 * 11 / 13, abs=1e-9)
    assert fit.message == ""
    same = interval_censored.npmle(rows["LMONTH"], rows["RMONTH"].fillna(np.inf))
    pd.testing.assert_frame_equal(fit.table, same.table)
    clipped = interval_censored.npmle(rows["LMONTH"].clip(lower=0), rows["RMONTH"])
    assert clipped.survival(12) == pytest.approx(14 / 15 * 11 / 13, abs=1e-9)


def test_every_estimator_of_time_takes_adtte_as_it_stands(adtte):
    assert adtte["LMONTH"].min() < 0
    visits = np.array([14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365]) / 30.4375
    for paramcd, rows in adtte.groupby("PARAMCD"):
        # an event may begin no later and still be seen
        end = rows["HORIZON"].iloc[0]
        time, event, arm = rows["AVAL"], rows["CNSR"] == 0, rows["TRT01PN"]
        assert survival.kaplan_meier(time, event)["n_event"].sum() == event.sum(), paramcd
        assert survival.at_risk_table(time, event, visits)["n_event"].iloc[-1] == event.sum()
        for found in (
            survival.logrank(time, event, arm),
            survival.rmst_difference(time, event, arm, end),
            survival.cumulative_difference(time, event, arm, end),
        ):
            assert np.isfinite(found.p) or (event.groupby(arm).sum() == 0).any(), (paramcd, found)
        # eight decimals in the file against the visits' own: the same times
        table = discrete_time.person_period(time, event, arm, visits)
        assert table["y"].sum() == event.sum()
        ratio = discrete_time.discrete_hazard_ratio(table["y"], table["arm"], np.log(table["time"]))
        assert np.isfinite(ratio.p) or not event.any(), (paramcd, ratio)
        for a in (0, 1):
            mine = rows[arm == a]
            band = interval_censored.npmle_bootstrap(
                mine["LMONTH"], mine["RMONTH"], visits, 20, np.random.default_rng(1)
            )
            assert band["estimate"].notna().all()
            # 1 - S on the visits can't be below the share seen, nor reach all while some are not seen
            assert 1 - band["estimate"].iloc[-1] >= event[arm == a].mean() - 1e-9
            assert band["estimate"].iloc[-1] > 0


@settings(deadline=None)
@given(st.floats(-50, 50))
def test_npmle_does_not_know_where_time_zero_is(shift):
    left, right = np.array([0.0, 0, 4, 12, 4]), np.array([4, 12, 12, np.nan, np.nan])
    fit = interval_censored.npmle(left, right)
    moved = interval_censored.npmle(left + shift, right + shift)
    np.testing.assert_allclose(moved.table["probability"], fit.table["probability"], atol=1e-9)
    np.testing.assert_allclose(moved.table["left"], fit.table["left"] + shift, atol=1e-9)


@pytest.mark.parametrize("width", [0.05, 0.3, 1.0])
def test_npmle_with_hundreds_of_distinct_times_is_the_maximum(width):
    rng = np.random.default_rng(11)
    time = rng.exponential(1, 500)
    left = np.maximum(0, time - rng.exponential(width, 500))
    right = time + rng.exponential(width, 500)
    right[rng.random(500) < 0.2] = np.inf
    fit = interval_censored.npmle(left, right)
    assert fit.message == ""
    # Gentleman & Geyer: the derivative towards any cell is at most the number of children, equal where mass lies
    ends = np.unique(np.concatenate([left, right]))
    inside = (left[:, None] <= ends[:-1]) & (ends[1:] <= right[:, None])
    held = inside[:, np.isin(ends[:-1], fit.table["left"])].astype(float)
    covered = held @ fit.table["probability"].to_numpy()
    towards = (inside / covered[:, None]).sum(axis=0) / 500
    assert towards.max() <= 1 + 1e-6
    np.testing.assert_allclose((held / covered[:, None]).sum(axis=0) / 500, 1, atol=1e-6)
    # what is left to gain is at most the derivative times the children (concavity)
    assert np.log(covered).sum() == pytest.approx(fit.log_likelihood, abs=1e-9)
    edges, patterns, children = interval_censored._patterns(left, right)
    start = np.ones((1, len(children)))
    by_em, _ = interval_censored._self_consistent(edges, patterns, start, 1e-10, 5_000)
    em = children @ np.log(interval_censored._members(edges, patterns) @ by_em[0])
    assert em - 1e-9 <= fit.log_likelihood
    polished, left_over = interval_censored._newton(
        interval_censored._members(edges, patterns), children, by_em[0], 1e-12
    )
    best = children @ np.log(interval_censored._members(edges, patterns) @ polished)
    assert fit.log_likelihood == pytest.approx(best, abs=1e-9)
    assert left_over < 1e-9


def test_newton_from_anywhere_ends_where_em_ends(tte):
    child = tte[tte["arm"] == 1]
    edges, patterns, children = interval_censored._patterns(
        child["left"].to_numpy(), child["right"].to_numpy()
    )
    members = interval_censored._members(edges, patterns)
    by_em, _ = interval_censored._self_consistent(
        edges, patterns, children[None, :].astype(float), 1e-10, 20_000
    )
    rng = np.random.default_rng(2)
    for _ in range(5):
        start = np.where(by_em[0] > 0, rng.exponential(1, by_em.shape[1]), 0.0)
        found, left_over = interval_censored._newton(members, children, start / start.sum(), 1e-10)
        assert left_over <= 1e-10
        np.testing.assert_allclose(found, by_em[0], atol=1e-7)


def test_the_band_covers_where_the_percentiles_of_the_resamples_do_not():
    """Twenty children at the trial's 11 visits, a tenth of the visits missed: S(month 2) = .95."""
    rng = np.random.default_rng(8)
    visits = np.array([0.46, 0.92, 1.38, 1.84, 2.99, 4.01, 4.99, 6.01, 8.02, 9.99, 11.99])
    inside, trials = 0, 120
    for _ in range(trials):
        after = np.where(rng.random((20, 11)) < 0.9, visits - rng.exponential(1 / 0.03, 20)[:, None], np.nan)
        left = np.nanmax(np.where(after < 0, visits, 0.0), axis=1)
        right = np.nanmin(np.where(after >= 0, visits, np.inf), axis=1)
        row = interval_censored.npmle_bootstrap(left, right, [1.84], 100, rng).iloc[0]
        inside += row["lower"] <= np.exp(-0.03 * 1.84) <= row["upper"]
    # the percentiles of the resamples cover .66 here
    assert inside / trials > 0.9
