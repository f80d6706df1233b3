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


def by_loop(path, days, least):
    """(index of the confirming visit, whether it could be confirmed) of each visit, read from the sentence."""
    answer = []
    for v, state in enumerate(path):
        later = [w for w in range(v + 1, len(path)) if path[w] >= 0]
        far = [w for w in later if days[w] - days[v] >= least]
        could = bool(far)
        holds = could and state > 0 and all(path[w] > 0 for w in later if w <= far[0])
        answer.append((far[0] if holds else -1, could))
    return answer


@pytest.mark.parametrize("least", [0, 14, 28, 29, 60, 366])
def test_what_confirms_and_who_is_at_risk_by_a_plain_loop(least):
    rng = np.random.default_rng(7)
    state = rng.choice([-1, 0, 1], (300, 11), p=[0.25, 0.3, 0.45]).astype(np.int8)
    for days in (DAYS, DAYS + rng.integers(-3, 4, state.shape)):
        by = [by_loop(s, d, least) for s, d in zip(state, np.broadcast_to(days, state.shape), strict=True)]
        found = derive.confirming(state, days, least), derive.confirmable(state, days, least)
        assert found[0].tolist() == [[w for w, _ in row] for row in by]
        assert found[1].tolist() == [[c for _, c in row] for row in by]
    # leading axes are free
    assert np.array_equal(derive.confirming(state.reshape(3, 100, 11), DAYS, least).reshape(300, 11),
                          derive.confirming(state, DAYS, least))  # fmt: skip


@pytest.mark.parametrize(("least", "at_risk"), [(1, [0, 1, 2, 3, 4]), (2, [0, 1, 2, 3]), (4, [0]), (5, [])])
def test_a_sustained_remission_needs_its_visits_ahead(least, at_risk):
    assert np.flatnonzero(derive.sustainable(states("nr.n r.. ...."), least)).tolist() == at_risk


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=11, max_size=11), st.integers(0, 100))
def test_every_confirmed_remission_begins_where_one_is_at_risk(path, least):
    state = np.array(path, np.int8)
    risk = derive.confirmable(state, DAYS, least)
    assert not (derive.confirmed(state, DAYS, least) & ~risk).any()
    # and a visit at risk is decided whatever the missing visits would have held
    better = np.where(state < 0, np.int8(1), state)
    assert not (derive.confirmed(state, DAYS, least) & ~derive.confirmed(better, DAYS, least)).any()


X = np.nan


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([2.0] * 11, 2.0),
        (
            [float(d) for d in DAYS],
            (14 + 365) / 2,
        ),  # linear in time: the middle, though most visits come early
        ([1.0, *[X] * 9, 3.0], 2.0),
        (
            [0.0, *[X] * 7, 0.0, 1.0, X],
            0.5 * 60 / 290,
        ),  # weeks 2 to month 10; a triangle between days 244 and 304
        ([X] * 8 + [7.0, X, X], 7.0),  # a single value, at month 8
        ([1.0] * 8 + [X] * 3, X),  # month 6 is not after month 6
        ([X] * 11, X),
    ],
)
def test_time_weighted_mean_by_hand(values, mean):
    assert derive.time_weighted(np.array(values), DAYS, 183) == pytest.approx(mean, nan_ok=True)
    assert derive.time_weighted(np.array([values, [0.0] * 11]), DAYS, 183).shape == (2,)


@given(st.lists(st.one_of(st.just(np.nan), st.floats(-3, 3)), min_size=11, max_size=11), st.floats(-2, 2))
def test_time_weighted_mean_is_numpys_trapezoid(values, shift):
    y, seen = np.array(values), ~np.isnan(values)
    found = derive.time_weighted(y, DAYS, 183)
    if not (seen & (DAYS > 183)).any():
        assert np.isnan(found)
        return
    days = DAYS[seen]
    expected = np.trapezoid(y[seen], days) / (days[-1] - days[0]) if len(days) > 1 else y[seen][0]
    assert found == pytest.approx(expected, abs=1e-12)
    assert derive.time_weighted(y + shift, DAYS, 183) == pytest.approx(expected + shift, abs=1e-9)


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
    # a visit missed after it has its answer
    assert (
        derive.after_rescue(states("rrrr .rr ...r"), DAYS, month5).tolist()
        == states("rrrr .rn nnnn").tolist()
    )
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
    assert e.state[:, :3].tolist() == [[1, -1, 1], [1, 0, 0], [-1, -1, -1]]
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


@pytest.mark.parametrize(
    ("rule", "base", "upcr", "met"),
    [
        (derive.Rule(fall=0.3), 1.0, [0.7, 0.71], [1, 0]),
        (derive.Rule(fall=0.3), 3.0, [3 * 0.7, 2.11], [1, 0]),  # 2.0999999999999996 is 70 % on paper
        (derive.Rule(limit=0.3, strict=True), 1.0, [0.29, 0.3, 0.1 + 0.2], [1, 0, 0]),
        (derive.Rule(limit=0.7), 1.0, [0.7, 0.71], [1, 0]),
        (derive.Rule(limit=1.5, fall=0.4, beyond=True), 2.5, [1.5, 1.49, 0.5], [0, 1, 1]),
        (derive.Rule(limit=1.5, fall=0.4, beyond=True), 5.0, [1.5, 1.51, 2.9], [1, 0, 0]),
        (derive.Rule(limit=0.7), 1.0, [np.nan, 0.5], [-1, 1]),
        (derive.Rule(fall=0.3), np.nan, [0.1, np.nan], [-1, -1]),
    ],
)
def test_rules_of_others_at_their_limits(rule, base, upcr, met):
    assert derive.rule_state(np.array(upcr), np.array(base), rule).tolist() == met


def test_who_can_be_judged_by_a_rule():
    base = np.array([0.1, 0.2, 0.3, 0.7, 0.71, 1.5, np.nan])
    judged = {
        derive.Rule(fall=0.3): [0, 1, 1, 1, 1, 1, 0],
        derive.Rule(limit=0.3, strict=True): [0, 0, 1, 1, 1, 1, 0],
        derive.Rule(limit=0.7): [0, 0, 0, 0, 1, 1, 0],
        derive.Rule(limit=1.5, fall=0.4, beyond=True): [0, 0, 0, 0, 0, 0, 0],
    }
    for rule, found in judged.items():
        assert derive.rule_evaluable(base, rule, Parameters()).tolist() == [bool(x) for x in found]


TYPES = (np.float32, np.float64, "longdouble")


@pytest.mark.parametrize("mine", TYPES)
@pytest.mark.parametrize("theirs", TYPES)
def test_an_exact_fall_is_one_whatever_the_precision_of_the_two_values(mine, theirs):
    """Every pair of reported values whose fall is exactly 50 %, and those one hundredth above and below."""
    p = Parameters()
    hundredths = np.arange(20, 2000)
    base = (2 * hundredths / 100).astype(theirs)
    for step, response in ((0, True), (-1, True), (1, False)):
        upcr = ((hundredths + step) / 100).astype(mine)
        found = derive.in_remission(derive.upcr_response(upcr[:, None], base, p))[:, 0]
        assert (found == response).all()
        rise = derive.risen(base[:, None], upcr, 1.0)[:, 0]
        assert (rise == (step <= 0)).all()


@pytest.mark.parametrize("kind", TYPES)
def test_a_value_at_a_limit_is_at_it_whatever_its_precision(kind):
    p = Parameters()
    limit = np.array([p.haematuria_limit], dtype=kind)
    assert derive.at_most(limit, p.haematuria_limit) == 1
    assert not derive.above(limit, p.haematuria_limit)
    assert not derive.below(limit, p.haematuria_limit)
    assert derive.at_least(limit, p.haematuria_limit)
    assert derive.evaluable_upcr(np.array([0.2], dtype=kind), p)
    assert derive.protein_24h_state(np.array([[4.0]], kind), np.array([5.0], kind), p) == 0


def test_what_is_no_number_is_refused():
    for values in (np.array([["a"]]), [["1,5"]]):
        with pytest.raises(ValueError, match="could not convert"):
            derive.upcr_response(values, [1.0], Parameters())


def test_days_that_do_not_ascend_are_refused():
    state = np.ones((1, 3), np.int8)
    with pytest.raises(ValueError, match="days must ascend"):
        derive.confirmed(state, np.array([0, 56, 28]), 28)


def test_no_visit_and_plain_lists_are_answered_too():
    none = np.empty((3, 0), np.int8)
    for act in (derive.first, derive.last_seen, lambda state: derive.sustained(state, 2)):
        assert act(none).tolist() == [-1, -1, -1]
    assert derive.confirmed(none, [], 28).shape == (3, 0)
    left, right = derive.interval(derive.first(none), none, [], -14.0)
    assert left.tolist() == [-14.0] * 3
    assert np.isinf(right).all()
    assert derive.first([[0, 1, -1]]).tolist() == [1]
    assert derive.last_seen([[0, 1, -1]]).tolist() == [1]
    assert derive.sustained([[0, 1, 1]], 2).tolist() == [1]
    assert derive.confirmed([[0, 1, 1]], [0, 28, 56], 28).tolist() == [[False, True, False]]


def test_time_weighted_mean_of_two_days_that_follow_each_other():
    days = np.array([1.0, 2.0])
    assert derive.time_weighted(np.array([2.0, 4.0]), days, 0.0) == 3.0
    assert derive.time_weighted(np.array([2.0, 4.0]), days / 4, 0.0) == 3.0
