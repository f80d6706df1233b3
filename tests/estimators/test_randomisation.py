"""The randomisation test against allocations listed one by one, its level, and what it refuses."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from helpers.estimators.randomisation import randomisation_test


def listed(outcome, arm, label):
    """Two-sided p by going through every allocation with the same numbers in each block."""
    outcome, arm, label = np.asarray(outcome, float), np.asarray(arm), np.asarray(label)
    count = {b: arm[label == b].sum() for b in set(label.tolist())}
    kept = [
        a
        for a in product((0, 1), repeat=len(arm))
        if all(np.array(a)[label == b].sum() == n for b, n in count.items())
    ]
    gaps = np.array([outcome[np.array(a) == 1].mean() - outcome[np.array(a) == 0].mean() for a in kept])
    seen = outcome[arm == 1].mean() - outcome[arm == 0].mean()
    sides = (gaps >= seen - 1e-9).mean(), (gaps <= seen + 1e-9).mean()
    return min(1, 2 * min(sides)), len(kept)


BLOCKS = [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3]  # the last of them was cut
ARM = [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0]


@pytest.mark.parametrize("seed", range(4))
def test_an_event_goes_through_every_allocation(seed):
    event = np.random.default_rng(seed).random(13) < 0.4
    found = randomisation_test(event, ARM, BLOCKS)
    p, number = listed(event, ARM, BLOCKS)
    assert found.p == pytest.approx(p)
    assert (found.allocations, found.draws) == (number, 0) == (6 * 20 * 3, 0)


def test_a_measure_is_listed_where_it_can_be_and_drawn_where_not():
    value = np.random.default_rng(1).normal(size=13) + 0.8 * np.array(ARM)
    exact = randomisation_test(value, ARM, BLOCKS)
    assert exact.p == pytest.approx(listed(value, ARM, BLOCKS)[0])
    drawn = randomisation_test(value, ARM, BLOCKS, draws=359, seed=5)
    assert drawn.draws == 359
    # (1 + k) / (1 + draws) on each side
    assert (drawn.p_greater * 360) == pytest.approx(round(drawn.p_greater * 360))
    many = randomisation_test(np.tile(value, 2), ARM * 2, [*BLOCKS, *(np.array(BLOCKS) + 3)], seed=5)
    assert many.draws == 100_000
    assert many == randomisation_test(np.tile(value, 2), ARM * 2, [*BLOCKS, *(np.array(BLOCKS) + 3)], seed=5)
    never = randomisation_test(np.arange(40.0), np.repeat([0, 1], 20), draws=100)
    assert never.p == pytest.approx(2 / 101)


def test_draws_agree_with_the_exact_answer():
    event = np.random.default_rng(2).random(13) < 0.5
    exact = randomisation_test(event, ARM, BLOCKS)
    # the same order of allocations, but no longer an event
    drawn = randomisation_test(2.0 * event, ARM, BLOCKS, draws=300, seed=1)
    assert drawn.draws == 300
    error = np.sqrt(exact.p_greater * (1 - exact.p_greater) / 300)
    assert drawn.p_greater == pytest.approx(exact.p_greater, abs=4 * error + 1 / 300)


def test_one_block_of_all_is_fisher_s_one_sided_test_doubled():
    event, arm = np.repeat([1, 0, 1, 0], [6, 14, 13, 7]), np.repeat([0, 1], 20)
    found = randomisation_test(event, arm)
    assert found.p_greater == pytest.approx(stats.hypergeom.sf(12, 40, 19, 20))
    assert found.p == pytest.approx(2 * found.p_greater)
    assert found.difference == pytest.approx(0.35)


def test_a_block_is_its_label_within_its_stratum():
    event = np.random.default_rng(3).random(12) < 0.5
    arm, block, stratum = [0, 1] * 6, [1, 1, 2, 2, 2, 2] * 2, list("aaaaaa" + "bbbbbb")
    found = randomisation_test(event, arm, block, stratum)
    assert found.p == pytest.approx(listed(event, arm, np.repeat([1, 2, 3, 4], [2, 4, 2, 4]))[0])
    assert found.allocations == (2 * 6) ** 2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_order_labels_and_direction_change_nothing(seed):
    rng = np.random.default_rng(seed)
    event, order = rng.random(13) < 0.5, rng.permutation(13)
    first = randomisation_test(event, ARM, BLOCKS)
    words = np.where(np.array(ARM) == 1, "hUC-MSC", "Placebo")
    again = randomisation_test(event[order], words[order], np.array(BLOCKS)[order], active="hUC-MSC")
    assert (again.p, again.difference) == pytest.approx((first.p, first.difference))
    other = randomisation_test(event, words, BLOCKS, active="Placebo")
    assert (other.p, other.difference) == pytest.approx((first.p, -first.difference))
    without = randomisation_test(~event, ARM, BLOCKS)
    assert (without.p, without.difference) == pytest.approx((first.p, -first.difference))


def test_its_level_is_held_by_every_set_of_outcomes():
    """Over all allocations of one trial, p is at or below 5 % in at most 5 %, and at or below 20 % in at most 20 %."""
    event = np.array([1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0])
    label = np.array(BLOCKS)
    ps = []
    for a in product((0, 1), repeat=13):
        arm = np.array(a)
        if [arm[label == b].sum() for b in (1, 2, 3)] == [2, 3, 2]:
            ps.append(randomisation_test(event, arm, BLOCKS).p)
    for level in (0.05, 0.2):
        assert np.mean(np.array(ps) <= level + 1e-12) <= level


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: randomisation_test([1, np.nan], [0, 1]), "none of them missing"),
        (lambda: randomisation_test([1, 0], [0, 2]), "two labels, one of them 1; found 0, 2"),
        (lambda: randomisation_test([1, 0, 1], ["a", "b", "c"], active="a"), "found a, b, c"),
        (lambda: randomisation_test([1, 0], [0, None]), "arm is missing"),
        (lambda: randomisation_test([1, 0], [0, 1], [1]), "one length"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_an_empty_arm_is_told():
    assert "no child in one of the arms" in randomisation_test([1, 0], [1, 1]).message
