"""Derivations against hand-made trajectories; the answer of each is written by hand.

A trajectory is one letter a visit, weeks 2 4 6 8 and months 3 4 5 6 8 10 12: r remission, n none, . not
attended. Visits are named by their place, 0 to 10; -1 is "never".
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.analysis import derive
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS

PLAN = Parameters()
DAYS = np.array([v.day for v in VISITS])
WEEK2, WEEK4, WEEK6, WEEK8, MONTH3, MONTH4, MONTH5, MONTH6, MONTH8, MONTH10, MONTH12 = range(11)
NEVER = -1


def states(path: str) -> np.ndarray:
    path = path.replace(" ", "")
    assert len(path) == 11
    return np.array([{"r": 1, "n": 0, ".": -1}[letter] for letter in path], np.int8)


def endpoint(path: str, p: Parameters = PLAN) -> tuple[int, int, int]:
    found = derive.endpoint(states(path)[None], np.array([True]), DAYS, p)
    return int(found.first[0]), int(found.confirmed[0]), int(found.sustained[0])


TRAJECTORIES = [
    # (what happens, trajectory, first, confirmed, sustained)
    ("never", "nnnn nnn nnnn", NEVER, NEVER, NEVER),
    ("never attended", ".... ... ....", NEVER, NEVER, NEVER),
    ("always", "rrrr rrr rrrr", WEEK2, WEEK2, WEEK2),
    ("week 2, confirmed by weeks 4 and 6, then relapse", "rrrn nnn nnnn", WEEK2, WEEK2, NEVER),
    ("week 4 fails: week 2 not confirmed, week 6 is by 8 and month 3", "rnrr rnn nnnn", WEEK2, WEEK6, NEVER),
    ("week 4 missed is fine", "r.rn nnn nnnn", WEEK2, WEEK2, NEVER),
    ("week 6 missed: week 8 decides, for", "rr.r nnn nnnn", WEEK2, WEEK2, NEVER),
    ("week 6 missed: week 8 decides, against", "rr.n nnn nnnn", WEEK2, NEVER, NEVER),
    ("week 2 and 4 only: 14 days are not enough", "rrnn nnn nnnn", WEEK2, NEVER, NEVER),
    ("week 4 confirmed by week 8, 28 days later", "nrrr nnn nnnn", WEEK4, WEEK4, NEVER),
    ("week 6 needs month 3: week 8 is 14 days later", "nnrr nnn nnnn", WEEK6, NEVER, NEVER),
    ("week 8 to month 3 are 35 days", "nnnr rnn nnnn", WEEK8, WEEK8, NEVER),
    ("across a missed visit", "nnnn r.r nnnn", MONTH3, MONTH3, NEVER),
    ("across all visits missed but the last", "nnnn r.. ...r", MONTH3, MONTH3, MONTH3),
    ("all visits missed but a last one without", "nnnn r.. ...n", MONTH3, NEVER, NEVER),
    ("then no visit at all", "nnnn r.. ....", MONTH3, NEVER, NEVER),
    ("first seen at month 12 can't be confirmed", "nnnn nnn nnnr", MONTH12, NEVER, NEVER),
    ("first seen at month 10", "nnnn nnn nnrr", MONTH10, MONTH10, MONTH10),
    ("month 10, month 12 missed", "nnnn nnn nnr.", MONTH10, NEVER, NEVER),
    ("relapse after remission, then again", "nnnr rnn nnrr", WEEK8, WEEK8, MONTH10),
    ("single remissions that never hold", "rnrn rnr nrnr", WEEK2, NEVER, NEVER),
    ("a relapse in between", "nnnn nrn rrrr", MONTH4, MONTH6, MONTH6),
    ("sustained over missed visits", "nnnn nr. r..r", MONTH4, MONTH4, MONTH4),
    ("sustained needs two attended visits", "nnnn nnn n..r", MONTH12, NEVER, NEVER),
    ("left in remission", "nrrr rr. ....", WEEK4, WEEK4, WEEK4),
]


@pytest.mark.parametrize(
    ("path", "first", "confirmed", "sustained"),
    [t[1:] for t in TRAJECTORIES],
    ids=[t[0] for t in TRAJECTORIES],
)
def test_trajectories(path, first, confirmed, sustained):
    assert endpoint(path) == (first, confirmed, sustained)


@pytest.mark.parametrize(
    ("confirm_days", "path", "confirmed"),
    [
        (0, "rrnn nnn nnnn", WEEK2),
        (0, "r.rn nnn nnnn", WEEK2),
        (0, "rnnn nnn nnnn", NEVER),
        (0, "nnnn nnn nnnr", NEVER),
        (14, "rrnn nnn nnnn", WEEK2),
        (15, "rrnn nnn nnnn", NEVER),
        (15, "rrrn nnn nnnn", WEEK2),
        (90, "rrrr rnn nnnn", NEVER),
        (90, "rrrr rrn nnnn", WEEK2),
        (351, "rrrr rrr rrrr", WEEK2),
        (352, "rrrr rrr rrrr", NEVER),
        (366, "rrrr rrr rrrr", NEVER),
    ],
)
def test_confirm_days(confirm_days, path, confirmed):
    assert endpoint(path, Parameters(confirm_days=confirm_days))[1] == confirmed


@pytest.mark.parametrize(("least", "sustained"), [(1, MONTH12), (2, NEVER)])
def test_sustained_visits(least, sustained):
    assert endpoint("nnnn nnn nnnr", Parameters(sustained_visits=least))[2] == sustained


def test_a_child_who_is_not_evaluable_has_no_remission():
    found = derive.endpoint(states("rrrr rrr rrrr")[None], np.array([False]), DAYS, PLAN)
    assert [int(v[0]) for v in (found.first, found.confirmed, found.sustained)] == [NEVER] * 3
    assert (found.state == -1).all()


COMPLETE, PARTIAL, NONE, UNKNOWN = 2, 1, 0, -1


@pytest.mark.parametrize(
    ("base", "upcr", "response"),
    [
        (0.70, 0.35, PARTIAL),  # half of the baseline exactly
        (0.70, 0.36, NONE),
        (0.30, 0.15, COMPLETE),  # 0.15 / 0.30 and 0.3 - 0.15 in binary
        (0.30, 0.16, NONE),
        (0.58, 0.29, PARTIAL),
        (1.10, 0.55, PARTIAL),
        (2.30, 1.15, PARTIAL),
        (0.40, 0.20, PARTIAL),  # the threshold itself is not below it
        (0.40, 0.19, COMPLETE),
        (0.21, 0.19, NONE),  # below the threshold without the fall
        (0.21, 0.10, COMPLETE),
        (0.20, 0.10, COMPLETE),
        (4.00, 2.00, PARTIAL),
        (4.00, 2.01, NONE),
        (1.00, np.nan, UNKNOWN),
        (np.nan, 0.10, UNKNOWN),
    ],
)
def test_upcr_response(base, upcr, response):
    assert derive.upcr_response(np.array([[upcr]]), np.array([base]), PLAN).tolist() == [[response]]


@pytest.mark.parametrize("tenths", [3, 4, 5, 6, 7])
def test_the_fall_is_met_exactly_where_it_is_met_on_paper(tenths):
    """Every baseline that a laboratory reports, and the values around the fall, in whole hundredths as truth."""
    p = Parameters(remission_fall=tenths / 10)
    base = np.repeat(np.arange(20, 800), 3)
    value = (10 - tenths) * base // 10 + np.tile([-1, 0, 1], 780)
    on_paper = 10 * value <= (10 - tenths) * base
    found = derive.upcr_response((value / 100)[:, None], base / 100, p)[:, 0]
    assert np.array_equal(found > 0, on_paper)
    assert (10 * value == (10 - tenths) * base).sum() > 70


@pytest.mark.parametrize("tenths", [1, 2, 3])
def test_the_rise_is_met_exactly_where_it_is_met_on_paper(tenths):
    base = np.repeat(np.arange(600, 900), 3)
    value = -(-(10 + tenths) * base // 10) + np.tile([-1, 0, 1], 300)
    found = derive.risen((value / 10)[:, None], base / 10, tenths / 10)[:, 0]
    assert np.array_equal(found > 0, 10 * value >= (10 + tenths) * base)


@pytest.mark.parametrize(
    ("p", "base", "upcr", "response"),
    [
        (Parameters(remission_definition="threshold alone"), 0.21, 0.19, COMPLETE),
        (Parameters(remission_definition="threshold alone"), 4.0, 0.2, NONE),
        (Parameters(remission_definition="KDIGO"), 8.0, 2.0, PARTIAL),
        (Parameters(remission_definition="KDIGO"), 8.0, 2.01, NONE),
        (Parameters(remission_definition="KDIGO"), 0.21, 0.19, NONE),
        (Parameters(remission_definition="KDIGO"), 0.40, 0.19, COMPLETE),
        (Parameters(remission_fall=0.3), 1.0, 0.7, PARTIAL),
        (Parameters(remission_fall=0.3), 1.0, 0.71, NONE),
        (Parameters(remission_threshold=0.5), 1.0, 0.49, COMPLETE),
        (Parameters(remission_threshold=0.5), 1.0, 0.50, PARTIAL),
    ],
)
def test_other_definitions_of_remission(p, base, upcr, response):
    assert derive.upcr_response(np.array([upcr]), np.array(base), p).tolist() == [response]


@pytest.mark.parametrize(
    ("base", "evaluable"), [(0.20, True), (0.19, False), (0.199, False), (5.0, True), (np.nan, False)]
)
def test_a_baseline_below_the_threshold_is_not_evaluable(base, evaluable):
    assert bool(derive.evaluable_upcr(np.array(base), PLAN)) is evaluable


def test_states_of_the_other_measures():
    nan = np.nan
    assert derive.at_most(np.array([8.3, 8.4, 0.0, nan]), 8.3).tolist() == [1, 0, 1, -1]
    assert derive.at_most(np.array([0.0, 1.0, 2.0, nan]), 1).tolist() == [1, 1, 0, -1]
    protein = derive.protein_24h_state(np.array([3.9, 4.0, 10.0, 10.1, nan]), np.array(20.0), PLAN)
    assert protein.tolist() == [1, 1, 1, 0, -1]
    protein = derive.protein_24h_state(np.array([3.9, 4.0]), np.array(6.0), PLAN)
    assert protein.tolist() == [1, 0]
    # 80 + 20 % = 96; 75.5 + 20 % = 90.6
    assert derive.risen(np.array([96.0, 95.9, nan]), np.array(80.0), 0.2).tolist() == [1, 0, -1]
    assert derive.risen(np.array([90.6]), np.array(75.5), 0.2).tolist() == [1]
    assert derive.risen(np.array([90.6]), np.array(nan), 0.2).tolist() == [-1]


def test_after_rescue_there_is_no_remission():
    path = states("rrrr .rn rrrr")
    month5 = np.array(150.0)
    assert derive.after_rescue(path, DAYS, month5).tolist() == states("rrrr .rn nnnn").tolist()
    on_the_day = derive.after_rescue(path, DAYS, np.array(122.0))
    assert on_the_day.tolist() == states("rrrr .nn nnnn").tolist()
    assert derive.after_rescue(path, DAYS, np.array(np.inf)).tolist() == path.tolist()


def test_an_endpoint_knows_of_rescue():
    path = np.stack([states("rrrr rrr rrrr")] * 2)
    e = derive.endpoint(path, np.array([True, True]), DAYS, PLAN, np.array([42.0, np.inf]))
    assert e.state.tolist() == [states("rrnn nnn nnnn").tolist(), path[1].tolist()]
    assert e.first.tolist() == [WEEK2, WEEK2]
    assert e.confirmed.tolist() == [NEVER, WEEK2]  # weeks 2 and 4 are 14 days
    assert e.sustained.tolist() == [NEVER, WEEK2]


def test_the_upcr_endpoint_is_response_evaluability_rescue_and_confirmation():
    """Three children: remission, one rescued on day 15, a baseline below the threshold; NaN is not seen."""
    upcr = np.full((3, 11), 0.4)
    upcr[:, 1] = np.nan
    base = np.array([1.0, 1.0, 0.1])
    e = derive.upcr_endpoint(upcr, base, DAYS, PLAN, np.array([np.inf, 15.0, np.inf]))
    assert e.evaluable.tolist() == [True, True, False]
    assert e.state[:, :3].tolist() == [[1, -1, 1], [1, -1, 0], [-1, -1, -1]]
    assert e.first.tolist() == [WEEK2, WEEK2, NEVER]
    assert e.confirmed.tolist() == [WEEK2, NEVER, NEVER]
    # completed data sets of the same children
    many = derive.upcr_endpoint(
        np.stack([upcr, 2 * upcr]), base, DAYS, PLAN, np.array([np.inf, 15.0, np.inf])
    )
    assert many.confirmed.tolist() == [[WEEK2, NEVER, NEVER], [NEVER, NEVER, NEVER]]
    assert derive.upcr_endpoint(upcr, base, DAYS, PLAN).confirmed.tolist() == [WEEK2, WEEK2, NEVER]


@pytest.mark.parametrize(
    ("path", "index", "left", "right"),
    [
        ("nnnr rnn nnnn", WEEK8, 42, 56),
        ("nn.r rnn nnnn", WEEK8, 28, 56),
        ("rrrr nnn nnnn", WEEK2, -14, 14),
        ("...r rnn nnnn", WEEK8, -14, 56),
        ("rnnr rnn nnnn", WEEK8, 42, 56),
        ("nnnn nnn nnnn", NEVER, 365, np.inf),
        ("nnnn n.. ....", NEVER, 91, np.inf),
        (".... ... ....", NEVER, -14, np.inf),
    ],
)
def test_interval_is_open_on_the_left(path, index, left, right):
    """(L, R]: L the last visit with a known state before, or the first infusion; R the visit itself."""
    found = derive.interval(np.array([index]), states(path)[None], DAYS, -14.0)
    assert [float(found[0][0]), float(found[1][0])] == [left, right]


def test_the_start_may_differ_from_child_to_child():
    path = np.stack([states("rrrr rrr rrrr")] * 2)
    left, _ = derive.interval(np.array([0, 0]), path, DAYS, np.array([-14.0, 0.0]))
    assert left.tolist() == [-14.0, 0.0]


def test_last_seen_and_first():
    path = np.stack([states("nn.r ... ...."), states(".... ... ....")])
    assert derive.last_seen(path).tolist() == [WEEK8, NEVER]
    assert derive.first(path).tolist() == [WEEK8, NEVER]


paths = st.lists(st.lists(st.sampled_from([-1, 0, 1]), min_size=11, max_size=11), min_size=1, max_size=6)


@given(paths, st.integers(0, 366), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_properties_of_the_three_kinds(values, confirm_days, least):
    state = np.array(values, np.int8)
    p = Parameters(confirm_days=confirm_days, sustained_visits=least)
    evaluable = np.ones(len(state), bool)
    e = derive.endpoint(state, evaluable, DAYS, p)
    for child in range(len(state)):
        first, confirmed, sustained = e.first[child], e.confirmed[child], e.sustained[child]
        for index in (first, confirmed, sustained):
            assert index == NEVER or state[child, index] == 1  # an unknown is never a remission
        assert (first == NEVER) == (1 not in state[child])
        assert confirmed == NEVER or first <= confirmed
        assert sustained == NEVER or 0 not in state[child, sustained:]
        alone = derive.endpoint(state[child : child + 1], evaluable[:1], DAYS, p)
        assert (alone.first[0], alone.confirmed[0], alone.sustained[0]) == (first, confirmed, sustained)
    stricter = derive.confirmed(state, DAYS, min(confirm_days + 30, 366))
    assert (stricter <= derive.confirmed(state, DAYS, confirm_days)).all()
    many = derive.confirmed(np.stack([state, state[::-1]]), DAYS, confirm_days)
    assert np.array_equal(many[1], many[0][::-1])


@given(paths)
@settings(max_examples=100, deadline=None)
def test_an_interval_holds_nothing_between_its_ends(values):
    state = np.array(values, np.int8)
    index = derive.first(state)
    left, right = derive.interval(index, state, DAYS, -14.0)
    assert (left < right).all()
    for child in range(len(state)):
        inside = (left[child] < DAYS) & (right[child] > DAYS)
        assert (state[child, inside] < 0).all()


@given(
    st.lists(st.one_of(st.just(np.nan), st.floats(0, 20)), min_size=11, max_size=11),
    st.one_of(st.just(np.nan), st.floats(0, 20)),
)
@settings(max_examples=150, deadline=None)
def test_a_missing_value_is_never_a_remission_and_lower_is_never_worse(values, base):
    upcr = np.array(values)
    for definition in ("fall", "threshold alone", "KDIGO"):
        p = Parameters(remission_definition=definition)
        response = derive.upcr_response(upcr, np.array(base), p)
        assert ((response == UNKNOWN) == (np.isnan(upcr) | np.isnan(base))).all()
        lower = derive.upcr_response(upcr * 0.9, np.array(base), p)
        assert (lower >= response).all()
        assert np.array_equal(derive.in_remission(response) > 0, response > 0)
