"""The compiled loops of a trial beside their rules as a reader would write them, child by child, at the boundaries."""

import numpy as np
import pytest

from helpers.trial import loops

DAYS = np.array([-14.0, 14.0, 28.0, 42.0])


def ill(
    child: int, visit: int, infections: list[tuple[int, float]], first: np.ndarray, fevers: np.ndarray
) -> bool:
    """An infection weighs on the first visit that it meets, and on the child's own first day; a fever on any later."""
    lasts, out = 14.0, False
    for whose, begun in infections:
        if whose == child and visit == 0:
            out |= begun <= first[child] < begun + lasts
        elif whose == child and begun > DAYS[0]:
            met = [v for v in range(len(DAYS)) if DAYS[v] >= begun]
            out |= bool(met) and met[0] == visit and DAYS[visit] < begun + lasts
    for k, day in enumerate((-14.0, 0.0)):
        out |= visit > 0 and bool(fevers[child, k]) and day < DAYS[visit] < day + lasts
    return out


@pytest.mark.parametrize(
    "begun", [-29.0, -28.0, -27.0, -14.0, -13.0, 0.0, 0.5, 1.0, 14.0, 14.5, 28.0, 28.5, 42.0, 43.0]
)
def test_an_infection_weighs_on_the_visit_that_it_meets(begun):
    first, fevers = np.array([-14.0, -28.0]), np.array([[False, False], [True, True]])
    infections = [(0, begun), (1, begun)]
    where, begins = np.array([0, 1]), np.array([begun, begun])
    found = loops.ill_at_visits(where, begins, 14.0, DAYS, first, fevers, np.array([-14.0, 0.0]))
    assert found.tolist() == [[ill(c, v, infections, first, fevers) for v in range(4)] for c in (0, 1)]


def test_blocks_are_filled_in_the_order_drawn():
    sizes = np.array([[2, 4, 2, 4]])
    block = loops.block_of_slots(sizes, 7)
    assert block.tolist() == [[0, 0, 1, 1, 1, 1, 2]]
    order = np.array([[1, 0, 5, 3, 2, 4, 6]])
    # of a block the first half drawn gets the active drug
    assert loops.allocated(sizes, block, order, 1, 1).tolist() == [[0, 1, 0, 1, 0, 1, 1]]


def test_the_level_is_the_sum_of_what_moves_it():
    rng = np.random.default_rng(1)
    n, visits = 3, 4
    start, wander, effect, drift = rng.normal(size=(4, n))
    noise, sick = rng.normal(size=(n, visits)), rng.random((n, visits)) < 0.5
    early_rho, rho = rng.random((2, n)), rng.random(visits)
    early_share, share, early_years, years = (
        rng.random(n),
        rng.random(visits),
        rng.random(n),
        rng.random(visits),
    )
    found = loops.level(
        start, wander, noise.copy(), early_rho, rho, 0.3, effect, early_share, share, drift, early_years, years,
        0.7, sick,
    )  # fmt: skip
    for child in range(n):
        now = wander[child]
        for visit in range(visits):
            r = early_rho[visit, child] if visit < 2 else rho[visit]
            now = r * now + 0.3 * (1 - r**2) ** 0.5 * noise[child, visit]
            treated = effect[child] * (share[visit] if visit else early_share[child])
            drifted = drift[child] * (years[visit] if visit else early_years[child])
            wanted = start[child] + now + treated + drifted + 0.7 * sick[child, visit]
            assert found[child, visit] == pytest.approx(wanted, rel=1e-14)


def test_a_start_moves_the_level_from_its_day_on_and_no_other_child():
    level, of, first = np.zeros((3, 4)), np.array([1]), np.array([0.0, -20.0, 0.0])
    left = np.exp2(loops.half_lives(of, np.array([14.0]), first, DAYS, 14.0))
    assert left.tolist() == [[1.0, 1.0, 0.5, 0.25]]
    loops.move(level, of, np.array([2.0]), left, False)
    assert level.tolist() == [[0.0] * 4, [0.0, 0.0, 1.0, 1.5], [0.0] * 4]
    loops.move(level, of, np.array([2.0]), left, True)
    assert level[1].tolist() == [-2.0, -2.0, 0.0, 1.0]


def test_who_leaves_is_seen_on_that_day_and_not_later():
    attended, upcr = np.array([[True, True, True, False]] * 3), np.ones((3, 4))
    loops.leave(attended, upcr, DAYS, np.array([13.0, 14.0, np.inf]))
    assert attended.sum(axis=1).tolist() == [1, 2, 3]
    assert (np.isnan(upcr) == ~attended).all()


def test_noise_and_rounding_keep_to_their_limits():
    value = np.array([0.1, 1.0, 10.0])
    loops.noisy(value, np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, -1.0]), 0.2, 0.1, 0.5)
    assert value.tolist() == [1.1, 1.2, 0.5]
    value = np.array([0.001, 0.125, 0.115, 1.005, 99.0, np.nan])
    loops.rounded(value, 100.0, 0.01, 50.0)
    assert value[:-1].tolist() == [0.01, 0.12, np.rint(11.5) / 100, np.rint(100.49999999999999) / 100, 50.0]
    assert np.isnan(value[-1])


def test_a_list_of_two_to_one_is_kept_block_by_block():
    sizes = np.full((1, 4), 6)
    block = loops.block_of_slots(sizes, 18)
    order = np.arange(18)[None]
    assert loops.allocated(sizes, block, order, 1, 2)[0].reshape(3, 6).sum(axis=1).tolist() == [4, 4, 4]
