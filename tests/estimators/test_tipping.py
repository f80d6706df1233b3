"""Undetermined children of a binary endpoint: every assignment, counted by hand and by loop; imputation; properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators import proportions, tipping
from helpers.estimators.imputation import Assumption
from helpers.estimators.tipping import Arm


def arms(most=9):
    def arm(n):
        return st.integers(0, n).flatmap(
            lambda x: st.integers(0, n - x).map(lambda undetermined: Arm(x, n, undetermined))
        )

    return st.integers(1, most).flatmap(arm)


def test_arms_by_hand():
    response = [1, 0, np.nan, 1, np.nan, np.nan, 0, 1]
    control, active = tipping.arms(response, [0, 0, 0, 1, 1, 1, 1, 1])
    assert (control, active) == (Arm(x=1, n=3, undetermined=1), Arm(x=2, n=5, undetermined=2))
    assert (control.determined, active.determined) == (2, 3)


def test_every_assignment_by_a_plain_loop_over_scipy():
    found = tipping.tipping_point(Arm(2, 10, 2), Arm(5, 9, 3))
    assert found.p.shape == found.difference.shape == (3, 4)
    assert len(found.table) == 12
    row = 0
    for r0 in range(3):
        for r1 in range(4):
            x0, x1 = 2 + r0, 5 + r1
            p = stats.boschloo_exact([[x1, x0], [9 - x1, 10 - x0]], n=64).pvalue
            line = found.table.iloc[row]
            assert (line["responders0"], line["responders1"], line["x0"], line["x1"]) == (r0, r1, x0, x1)
            assert line["p"] == found.p[r0, r1] == pytest.approx(p, abs=1e-10)
            limits = proportions.boschloo_interval(x0, 10, x1, 9)
            assert (line["lower"], line["upper"]) == pytest.approx(limits, abs=1e-8)
            assert line["difference"] == pytest.approx(x1 / 9 - x0 / 10)
            row += 1
    assert found.n_significant == (found.table["p"] <= 0.05).sum()
    assert f"in {found.n_significant} of 12" in found.message


def test_the_first_row_is_non_responder_imputation_of_everybody():
    first = tipping.tipping_point(Arm(3, 20, 4), Arm(10, 20, 3)).table.iloc[0]
    assert first["p"] == proportions.boschloo(3, 20, 10, 20)
    assert first["difference"] == 0.35


def test_nothing_undetermined_is_one_assignment():
    found = tipping.tipping_point(Arm(3, 20, 0), Arm(10, 20, 0))
    assert found.p.shape == (1, 1)
    assert found.message == "no undetermined children: one assignment"


def test_words_when_nothing_tips_and_when_an_arm_is_empty():
    assert "above 0.05 in all 4" in tipping.tipping_point(Arm(3, 20, 1), Arm(4, 20, 1)).message
    assert "at or below 0.05 in all 4" in tipping.tipping_point(Arm(0, 20, 1), Arm(18, 20, 1)).message
    empty = tipping.tipping_point(Arm(0, 0, 0), Arm(4, 20, 1))
    assert len(empty.table) == 0
    assert empty.message == "no child in the control arm: nothing to compare"
    assert list(empty.table.columns) == list(tipping.tipping_point(Arm(1, 2, 0), Arm(1, 2, 0)).table.columns)


@settings(max_examples=40, deadline=None)
@given(arms(), arms(), st.sampled_from(proportions.METHODS))
def test_swapping_arms_mirrors_and_more_responders_move_the_difference(control, active, method):
    ours = tipping.tipping_point(control, active, method=method)
    other = tipping.tipping_point(active, control, method=method)
    np.testing.assert_allclose(ours.p, other.p.T, rtol=1e-9)
    np.testing.assert_allclose(ours.difference, -other.difference.T, atol=1e-15)
    np.testing.assert_allclose(ours.lower, -other.upper.T, atol=1e-12)
    assert (np.diff(ours.difference, axis=1) > 0).all()
    assert (np.diff(ours.difference, axis=0) < 0).all()
    assert (ours.lower <= ours.difference + 1e-12).all()
    assert (ours.difference <= ours.upper + 1e-12).all()


def test_imputation_under_mar_has_the_mean_and_variance_of_the_beta_binomial():
    """The mean of the completed difference is known: x + u (x + 1/2) / (n - u + 1) in each arm."""
    x0, n0, u0, x1, n1, u1 = 3, 20, 5, 9, 20, 4
    pooled = tipping.impute_binary(Arm(x0, n0, u0), Arm(x1, n1, u1), 20_000, np.random.default_rng(1))
    p0, p1 = (x0 + 0.5) / (n0 - u0 + 1), (x1 + 0.5) / (n1 - u1 + 1)
    expected = (x1 + u1 * p1) / n1 - (x0 + u0 * p0) / n0
    assert abs(pooled.estimate - expected) < 4 * pooled.monte_carlo
    spread = stats.betabinom(u0, x0 + 0.5, n0 - u0 - x0 + 0.5).var() / n0**2
    spread += stats.betabinom(u1, x1 + 0.5, n1 - u1 - x1 + 0.5).var() / n1**2
    assert pooled.between == pytest.approx(spread, rel=0.05)


def test_jump_to_reference_and_delta_move_the_effect():
    def estimate(**assumed):
        rng = np.random.default_rng(1)
        return tipping.impute_binary(
            Arm(3, 20, 5), Arm(9, 20, 4), 20_000, rng, Assumption(**assumed)
        ).estimate

    p0 = 3.5 / 16
    assert estimate(method="jump to reference") == pytest.approx(
        (9 + 4 * p0) / 20 - (3 + 5 * p0) / 20, abs=0.003
    )
    assert estimate(delta=-50) == pytest.approx(9 / 20 - (3 + 5 * p0) / 20, abs=0.003)
    assert estimate(delta=-1) < estimate() < estimate(delta=1)
    assert estimate(delta=(50, 50)) == pytest.approx(13 / 20 - 8 / 20, abs=0.003)
    assert estimate(delta=50) == pytest.approx(13 / 20 - (3 + 5 * p0) / 20, abs=0.003)


def test_imputation_answers_in_words():
    rng = np.random.default_rng(1)
    assert (
        "no determined child in the active arm"
        in tipping.impute_binary(Arm(1, 5, 0), Arm(0, 4, 4), 10, rng).message
    )
    assert (
        "no determined child in the control arm"
        in tipping.impute_binary(Arm(0, 0, 0), Arm(1, 4, 1), 10, rng).message
    )
    sure = tipping.impute_binary(Arm(0, 5, 0), Arm(5, 5, 0), 10, rng)
    assert (sure.lower, sure.upper) == pytest.approx(proportions.newcombe(0, 5, 5, 5))
    assert np.isfinite(tipping.impute_binary(Arm(1, 5, 0), Arm(3, 5, 0), 10, rng).upper)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tipping.tipping_point(Arm(3, 5, 3), Arm(1, 5, 0)), r"x \+ undetermined is 6"),
        (lambda: tipping.tipping_point(Arm(3, 5, -1), Arm(1, 5, 0)), "undetermined must be a whole number"),
        (lambda: tipping.tipping_point(Arm(3, 5, 0), Arm(1.5, 5, 0)), "x must be a whole number"),
        (lambda: tipping.tipping_point(Arm(3, 5, 0), Arm(1, 5, 0), method="chi"), "method is 'chi'"),
        (lambda: tipping.tipping_point(Arm(3, 5, 0), Arm(1, 5, 0), alpha=5), "alpha"),
        (lambda: tipping.tipping_point(Arm(3, 5, 0), Arm(1, 5, 0), level=95), "level"),
        (lambda: tipping.arms([2, 0], [0, 1]), "response must be"),
        (lambda: tipping.arms([1, 0], [0, 2]), "arm must be 0 or 1"),
        (lambda: tipping.arms([1, 0], [0]), "one length"),
        (
            lambda: tipping.impute_binary(Arm(1, 5, 0), Arm(1, 5, 0), 0, np.random.default_rng(1)),
            "n_imputations",
        ),
        (
            lambda: tipping.impute_binary(
                Arm(1, 5, 0), Arm(1, 5, 0), 5, np.random.default_rng(1), Assumption("x")
            ),
            "method",
        ),
        (
            lambda: tipping.impute_binary(
                Arm(1, 5, 0), Arm(1, 5, 0), 5, np.random.default_rng(1), Assumption(delta=np.inf)
            ),
            "delta",
        ),
    ],
)
def test_wrong_input_is_one_clear_error(call, words):
    with pytest.raises(ValueError, match=words):
        call()
