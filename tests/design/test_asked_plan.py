"""Any number of children that one trial may have can be asked of many; what is asked in its place is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import Problem
from helpers.chapters import explore, operating, side_by_side
from helpers.design import asked_plan
from helpers.design import operating as many
from helpers.design import side_by_side as pairs
from helpers.design.exploring import Bench
from helpers.study.parameters import Parameters
from helpers.study.recording import plain


@given(st.integers(2, 2000))
def test_every_number_of_children_that_is_allowed_becomes_one_that_can_be_asked(n):
    p = Parameters(n_randomised=n)
    asked = asked_plan.of(p)
    many.check(["confirmed"], [asked.n_randomised], 1)
    assert 0 <= asked.n_randomised - n <= 1 or (n < 6 and asked.n_randomised == 6)
    assert plain(asked) == {**plain(p), "n_randomised": asked.n_randomised}


def test_changes_come_before_the_number_is_made_even():
    asked = asked_plan.of(Parameters(), dropout=0.3, n_randomised=7)
    assert (asked.dropout, asked.n_randomised) == (0.3, 8)
    assert asked_plan.of(Parameters(), dropout=0.3) == Parameters(dropout=0.3)
    with pytest.raises(Problem) as found:
        asked_plan.of(Parameters(), dropout=2.0, alpha=9.0)
    assert "dropout" in str(found.value)
    assert "alpha" in str(found.value)


@pytest.mark.parametrize(("n", "asked"), [(2, 6), (4, 6), (5, 6), (41, 42)])
def test_a_bench_of_any_number_of_children_moves_and_says_what_it_asked(n, asked):
    bench = Bench(Parameters(n_randomised=n, block_sizes=(2, 4)), 6)
    move = bench.move()
    assert move.trials.arm.shape == (6, asked)
    assert move.planned == n
    told = f"here {asked} in place of {n}."
    assert told in explore.at_hand(move).said["even"]
    assert told in explore.spoken(move)
    beside = side_by_side.shown(pairs.compare(move, bench.move(n_randomised=40), 6)).said["even"]
    assert beside.startswith(" A:")
    assert told in beside
    assert "B:" not in beside


def test_an_even_number_needs_no_words():
    bench = Bench(Parameters(n_randomised=20), 6)
    assert explore.at_hand(bench.move()).said["even"] == ""
    assert operating.even_text(40, Parameters()) == ""
