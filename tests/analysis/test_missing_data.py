"""Handling of missing data: assignments and counts by hand, imputed remission by a loop, models by statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats
from ten_children import tables

from helpers.analysis import course, missing_data, remission, repeated_measures
from helpers.estimators import imputation, proportions
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.study.scenario import load

P = Parameters()
DAYS = [v.day for v in VISITS]


@pytest.fixture(scope="module")
def hand():
    adsl, adlb, adtte, _ = tables()
    return remission.primary(adsl, adlb, adtte, P)


@pytest.fixture(scope="module")
def base():
    """(primary, adsl, upcr, fit, completed data sets, handlings) of the base study."""
    study = load("base")
    adsl, adlb, adtte = (study.read(name) for name in ("adsl", "adlb", "adtte"))
    measure = course.measures(P)["upcr"]
    upcr = repeated_measures.arrays(course.tidy(adsl, adlb, measure, P), measure)
    fit = repeated_measures.mmrm(upcr)
    primary = remission.primary(adsl, adlb, adtte, P)
    found = missing_data.handlings(primary, adsl, upcr, fit, P)
    return primary, adsl, upcr, fit, missing_data.imputed(upcr, P), found


def of(found: pd.DataFrame, outcome: str) -> pd.DataFrame:
    return found[found["outcome"] == outcome].set_index(["handling", "delta"])


def test_every_assignment_by_hand(hand):
    """1 of 5 on placebo with two undetermined, 2 of 5 on hUC-MSC with none."""
    found = missing_data.tipping_point(hand, P)
    assert found["responders0"].tolist() == [0, 1, 2]
    assert found["responders1"].tolist() == [0, 0, 0]
    assert found["difference"].to_numpy() == pytest.approx([0.4 - 0.2, 0.4 - 0.4, 0.4 - 0.6])
    assert found[["n0", "n1"]].to_numpy().tolist() == [[5, 5]] * 3
    limits = proportions.boschloo_interval(3, 5, 2, 5)
    assert tuple(found.loc[2, ["lower", "upper"]]) == pytest.approx(limits)
    assert "p" not in found


def test_the_test_decides_each_assignment_at_alpha(hand):
    row = hand.assign(placebo_n=0, placebo_N=8, placebo_undetermined=1, msc_n=5, msc_N=8, msc_undetermined=1)
    found = missing_data.tipping_point(row, P)
    ps = [stats.boschloo_exact([[5 + b, a], [3 - b, 8 - a]], n=64).pvalue for a in (0, 1) for b in (0, 1)]
    assert found["decided"].tolist() == [p <= 0.05 for p in ps]
    assert set(found["decided"]) == {True, False}
    at_the_level = P.model_copy(update={"alpha": proportions.boschloo(1, 8, 5, 8)})
    assert missing_data.tipping_point(row, at_the_level)["decided"].tolist() == [True, True, True, True]


def test_an_arm_without_a_child_has_no_assignment(hand):
    row = hand.assign(placebo_n=0, placebo_N=0, placebo_undetermined=0)
    found = missing_data.tipping_point(row, P)
    assert len(found) == 0
    assert "decided" in found


def test_counted_handlings(base):
    primary, *_, found = base
    row, rows = primary.iloc[0], of(found, missing_data.REMISSION).droplevel("delta")
    x0, n0, u0, x1, n1, u1 = (
        int(row[f"{k}_{c}"]) for k in ("placebo", "msc") for c in ("n", "N", "undetermined")
    )
    assert min(u0, u1) > 0
    by_hand = {
        "main": (x0, n0, x1, n1),
        "observed": (x0, n0 - u0, x1, n1 - u1),
        "tipping_placebo": (x0 + u0, n0, x1, n1),
        "tipping_msc": (x0, n0, x1 + u1, n1),
    }
    for handling, expected in by_hand.items():
        one = rows.loc[handling]
        assert tuple(one[["placebo_n", "placebo_N", "msc_n", "msc_N"]]) == expected
        assert one["estimate"] == pytest.approx(100 * (expected[2] / expected[3] - expected[0] / expected[1]))
        limits = proportions.boschloo_interval(*expected)
        assert (one["lower"] / 100, one["upper"] / 100) == pytest.approx(limits)
        assert np.isnan(one["monte_carlo"])
    # What imputation adds can only lie between the extremes of the tipping point.
    shares = rows.loc[["mar", "jump_to_reference", "delta"], "estimate"]
    assert shares.between(rows.loc["tipping_placebo", "estimate"], rows.loc["tipping_msc", "estimate"]).all()


def confirmed(upcr, base: float, rescue: float) -> bool:
    """Confirmed remission of one child by a plain loop over its visits."""
    ok = [bool(v <= 0.5 * base * (1 + 1e-9)) and d < rescue for v, d in zip(upcr, DAYS, strict=True)]
    for k, day in enumerate(DAYS):
        later = [j for j in range(k + 1, len(DAYS)) if DAYS[j] >= day + P.confirm_days]
        if ok[k] and later and all(ok[k : later[0] + 1]):
            return True
    return False


def test_imputed_remission_by_a_plain_loop(base):
    primary, adsl, upcr, _, completed, found = base
    filled = completed["mar", 1.0].values
    evaluable = (adsl["UPCRFL"] == "Y").to_numpy()
    rescue = (adsl["RESCDT"] - adsl["TZERODT"]).dt.days.fillna(np.inf).to_numpy()
    ends = np.exp(upcr.baseline)
    differences, each = [], []
    for one in filled:
        shares = {}
        for arm in (0, 1):
            hits = [
                evaluable[i] and confirmed(np.round(np.exp(one[i]) * ends[i], 10), ends[i], rescue[i])
                for i in np.flatnonzero(upcr.arm == arm)
            ]
            shares[arm] = np.mean(hits), len(hits)
        differences.append(shares[1][0] - shares[0][0])
        each.append(shares)
    m = len(differences)
    assert m == missing_data.IMPUTATIONS
    # literally: whoever reads the frame asks for its outcomes by these names
    row = of(found, "remission").loc[("mar", 1.0)]
    assert set(found["outcome"]) == {"remission", "upcr"}
    assert row["estimate"] == pytest.approx(100 * np.mean(differences), rel=1e-9)
    assert row["monte_carlo"] == pytest.approx(100 * np.std(differences, ddof=1) / np.sqrt(m), rel=1e-9)
    limits = {}
    for arm in (0, 1):
        q, n = np.array([shares[arm][0] for shares in each]), each[0][arm][1]
        r = (1 + 1 / m) * q.var(ddof=1) / (q * (1 - q) / n).mean()
        wide = stats.t.ppf(0.975, (m - 1) * (1 + 1 / r) ** 2) * np.sqrt((1 + r) / n)
        ends = [
            optimize.brentq(lambda p, q, w: q.mean() - p - w * np.sqrt(p * (1 - p)), a, b, args=(q, s * wide))
            for s, a, b in ((1, 0, q.mean()), (-1, q.mean(), 1))
        ]
        limits[arm] = np.abs(q.mean() - ends)
    assert row["estimate"] - row["lower"] == pytest.approx(100 * np.hypot(limits[1][0], limits[0][1]))
    assert row["upper"] - row["estimate"] == pytest.approx(100 * np.hypot(limits[1][1], limits[0][0]))
    assert (row["placebo_N"], row["msc_N"]) == (primary["placebo_N"][0], primary["msc_N"][0])


def test_what_was_seen_stays_and_what_a_child_left_moves(base):
    *_, upcr, _, completed, _ = base
    seen = ~np.isnan(upcr.change)
    last = np.where(seen.any(axis=1), seen.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1), -1)
    after = (np.arange(len(DAYS)) > last[:, None]) & ~np.isnan(upcr.baseline)[:, None]
    active = after & (upcr.arm == 1)[:, None]
    assert active.any()
    assert (after & ~active).any()
    mar = completed["mar", 1.0].values
    for filled in completed.values():
        assert (filled.values[:, seen] == upcr.change[seen]).all()
        # nothing differs in the placebo arm, nor before a child left
        np.testing.assert_allclose(filled.values[:, ~active], mar[:, ~active], rtol=0, atol=1e-12)
    for delta in missing_data.DELTAS:
        moved = completed["delta", delta].values - mar
        np.testing.assert_allclose(moved[:, active], np.log(delta), rtol=0, atol=1e-12)
    assert not np.allclose(completed["jump_to_reference", 1.0].values[:, active], mar[:, active])


def test_there_are_sixty_imputations(base):
    """Literally: the Monte Carlo error published goes with 1 / sqrt(60), a tenth of them would treble it."""
    assert {handling: len(filled.values) for handling, filled in base[-2].items()} == dict.fromkeys(
        base[-2], 60
    )


def test_imputation_is_that_of_the_seed(base):
    *_, upcr, _, completed, _ = base
    again = missing_data.imputed(upcr, P)
    assert list(again) == [
        ("mar", 1.0),
        ("jump_to_reference", 1.0),
        ("delta", 1.25),
        ("delta", 1.5),
    ]
    assert (again["mar", 1.0].values == completed["mar", 1.0].values).all()
    other = missing_data.imputed(upcr, P.model_copy(update={"seed": P.seed + 1}))["mar", 1.0].values
    assert not np.array_equal(other, completed["mar", 1.0].values)


def test_course_rows_against_the_fit_and_statsmodels(base):
    _, _, upcr, fit, completed, found = base
    rows = of(found, missing_data.COURSE)
    main, observed = rows.loc[("main", 1.0)], rows.loc[("observed", 1.0)]
    c = fit.arm_contrast(np.eye(11)[10])
    assert main[["estimate", "lower", "upper"]].tolist() == pytest.approx(
        np.exp([c.estimate, c.lower, c.upper])
    )
    change, there = upcr.change[:, -1], ~np.isnan(upcr.change[:, -1])
    x = sm.add_constant(np.column_stack([upcr.baseline, upcr.arm])[there])
    ols = sm.OLS(change[there], x).fit()
    assert observed["estimate"] == pytest.approx(np.exp(ols.params[2]), rel=1e-9)
    assert observed[["lower", "upper"]].tolist() == pytest.approx(np.exp(ols.conf_int()[2]), rel=1e-6)
    assert (observed["placebo_N"], observed["msc_N"]) == tuple(
        (there & (upcr.arm == a)).sum() for a in (0, 1)
    )
    whole = ~np.isnan(upcr.change).all(axis=1)
    assert (main["placebo_N"], main["msc_N"]) == tuple((whole & (upcr.arm == a)).sum() for a in (0, 1))
    plain = [
        sm.OLS(one[:, -1], sm.add_constant(np.column_stack([upcr.baseline, upcr.arm]))).fit().params[2]
        for one in completed["jump_to_reference", 1.0].values
    ]
    jumped = rows.loc[("jump_to_reference", 1.0)]
    assert jumped["estimate"] == pytest.approx(np.exp(np.mean(plain)), rel=1e-9)
    assert jumped["monte_carlo"] == pytest.approx(np.std(plain, ddof=1) / np.sqrt(len(plain)), rel=1e-6)
    assert rows["placebo_n"].isna().all()


def test_there_is_no_imputed_remission_after_rescue(base):
    primary, adsl, upcr, fit, *_ = base
    placebo = adsl["TRT01P"] == "Placebo"
    rescued = adsl.assign(NOREMDT=adsl["NOREMDT"].mask(placebo, adsl["TZERODT"]))
    before, after = (
        of(missing_data.handlings(primary, one, upcr, fit, P), missing_data.REMISSION)["estimate"]["mar", 1.0]
        for one in (adsl, rescued)
    )
    # nobody on placebo remits any more
    assert 0 < before < after


def test_a_worse_course_after_leaving_never_helps(base):
    found = base[-1]
    for outcome, worse in ((missing_data.COURSE, 1), (missing_data.REMISSION, -1)):
        rows = of(found, outcome)["estimate"]
        path = [rows["mar", 1.0], *(rows["delta", d] for d in missing_data.DELTAS)]
        assert (worse * np.diff(path) >= 0).all()


def test_what_cannot_be_imputed_is_told(base):
    primary, adsl, upcr, fit, *_ = base
    nobody = adsl.assign(UPCRFL="N")
    rows = of(missing_data.handlings(primary, nobody, upcr, fit, P), missing_data.REMISSION)
    assert rows.loc[("mar", 1.0), "note"] == "an arm without an evaluable child"
    assert np.isnan(rows.loc[("mar", 1.0), "estimate"])
    empty = imputation.Imputation(np.empty((0, *upcr.change.shape)), "no imputation model: why")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imputation, "impute", lambda *_: empty)
        found = missing_data.handlings(primary, adsl, upcr, fit, P)
    for outcome in (missing_data.REMISSION, missing_data.COURSE):
        row = of(found, outcome).loc[("delta", 1.5)]
        assert row["note"] == row["message"] == "no imputation model: why"
        assert np.isnan(row["estimate"])
