"""Derivations on arrays: response, confirmation, sustained remission, intervals.

Arrays are (..., visits); leading axes (trials, children) are free; NaN is "not attended" or "no sample".
States are int8: +1 in remission, 0 not, -1 unknown. One implementation serves the tables of one trial
(`adam`) and many trials at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.study.parameters import Parameters

NONE, PARTIAL, COMPLETE, UNKNOWN = 0, 1, 2, -1
_SAME = 1e-9
"""Relative slack of thresholds, so that a value that meets one on paper meets it in binary too."""


def upcr_response(upcr: NDArray, base: NDArray, p: Parameters) -> NDArray:
    """Response of UPCR at each visit: complete 2, partial 1, none 0, unknown -1.

    upcr (..., visits) and base (...) in mg/mg. By `remission_definition`: "fall" = at least remission_fall
    below baseline, complete where also below remission_threshold; "threshold alone" = complete below the
    threshold, no partial; "KDIGO" = complete as with "fall", partial where the fall is reached and UPCR is
    from the threshold to kdigo_upper.
    """
    base = np.asarray(base)[..., None]
    fell = upcr <= (1 - p.remission_fall) * base * (1 + _SAME)
    below = upcr < p.remission_threshold * (1 - _SAME)
    if p.remission_definition == "threshold alone":
        out = np.where(below, COMPLETE, NONE)
    else:
        partial = fell if p.remission_definition == "fall" else fell & (upcr <= p.kdigo_upper * (1 + _SAME))
        out = np.where(fell & below, COMPLETE, np.where(partial, PARTIAL, NONE))
    return np.where(np.isnan(upcr) | np.isnan(base), UNKNOWN, out).astype(np.int8)


def evaluable_upcr(base: NDArray, p: Parameters) -> NDArray:
    """Whether remission can be judged: baseline UPCR at or above the threshold. Missing = not evaluable."""
    return np.asarray(base) >= p.remission_threshold * (1 - _SAME)


def in_remission(response: NDArray) -> NDArray:
    """State of remission from a response: +1 partial or complete, 0 none, -1 unknown."""
    return np.minimum(response, 1).astype(np.int8)


def at_most(value: NDArray, limit: float) -> NDArray:
    """State: +1 at or below the limit, 0 above, -1 unknown."""
    return np.where(np.isnan(value), -1, value <= limit * (1 + _SAME)).astype(np.int8)


def protein_24h_state(value: NDArray, base: NDArray, p: Parameters) -> NDArray:
    """State of 24-hour protein (mg/m2/h): below protein24_limit, or at least remission_fall below baseline."""
    base = np.asarray(base)[..., None]
    state = (value < p.protein24_limit * (1 - _SAME)) | (value <= (1 - p.remission_fall) * base * (1 + _SAME))
    return np.where(np.isnan(value) | np.isnan(base), -1, state).astype(np.int8)


def risen(value: NDArray, base: NDArray, by: float) -> NDArray:
    """State: +1 where the value is at least the share `by` above baseline, 0 not, -1 unknown."""
    base = np.asarray(base)[..., None]
    state = value >= (1 + by) * base * (1 - _SAME)
    return np.where(np.isnan(value) | np.isnan(base), -1, state).astype(np.int8)


def confirmed(state: NDArray, days: NDArray, min_days: int) -> NDArray:
    """Whether a remission first seen at each visit is confirmed: bool (..., visits).

    days (visits,): target days, ascending. Confirmed at v: remission at v, at every attended visit from there
    up to and including the first attended one at least `min_days` later (0 = the next attended visit), which
    must exist.
    """
    days = np.asarray(days)
    count = state.shape[-1]
    out = np.zeros(state.shape, bool)
    # holds[k]: the first attended visit at or after k is in remission
    holds = np.zeros((*state.shape[:-1], count + 1), bool)
    for k in range(count - 1, -1, -1):
        holds[..., k] = np.where(state[..., k] < 0, holds[..., k + 1], state[..., k] > 0)
    for v in range(count):
        target = max(int(np.searchsorted(days, days[v] + min_days)), v + 1)
        good = (state[..., v] > 0) & holds[..., target]
        for between in range(v + 1, target):
            good &= state[..., between] != 0
        out[..., v] = good
    return out


def sustained(state: NDArray, least: int) -> NDArray:
    """First visit from which every attended visit to the last one is in remission, at least `least` of them.

    Returns its index (...), -1 where there is none.
    """
    count = state.shape[-1]
    first = np.full(state.shape[:-1], -1)
    run = np.zeros(state.shape[:-1], int)
    going = np.ones(state.shape[:-1], bool)
    for k in range(count - 1, -1, -1):
        going &= state[..., k] != 0
        hit = going & (state[..., k] > 0)
        run += hit
        first = np.where(hit, k, first)
    return np.where(run >= least, first, -1)


def first(state: NDArray) -> NDArray:
    """Index (...) of the first visit where `state` is positive (or true), -1 where there is none."""
    positive = np.asarray(state) > 0
    index = positive.argmax(axis=-1)
    return np.where(np.take_along_axis(positive, index[..., None], axis=-1)[..., 0], index, -1)


def last_seen(state: NDArray) -> NDArray:
    """Index (...) of the last visit with a known state, -1 where there is none."""
    known = state >= 0
    return np.where(known.any(axis=-1), state.shape[-1] - 1 - known[..., ::-1].argmax(axis=-1), -1)


def interval(
    index: NDArray, state: NDArray, days: NDArray, start: float | NDArray
) -> tuple[NDArray, NDArray]:
    """Interval (L, R] in which an event first seen at visit `index` (-1 = not seen) happened, in days.

    L is the day of the last visit with a known state before it, or `start` (the first infusion) where there
    is none; not seen: (last known day, inf).
    """
    days = np.asarray(days, float)
    count = state.shape[-1]
    before = np.where(np.arange(count) < np.where(index < 0, count, index)[..., None], state, -1)
    at = last_seen(before.astype(np.int8))
    left = np.where(at >= 0, days[at], start)
    return left, np.where(index >= 0, days[index], np.inf)


@dataclass(frozen=True)
class Endpoint:
    """A remission endpoint by child: evaluable, index of the first, confirmed, sustained visit (-1 = none)."""

    state: NDArray
    evaluable: NDArray
    first: NDArray
    confirmed: NDArray
    sustained: NDArray


def endpoint(
    state: NDArray, evaluable: NDArray, days: NDArray, p: Parameters, rescue_day: NDArray | float = np.inf
) -> Endpoint:
    """First, confirmed and sustained remission of any measure: the one composition of an endpoint.

    state (..., visits) as observed; evaluable (...); days (visits,); rescue_day (...) or one number, inf =
    never. There is no remission from the day of rescue treatment on, and never one in a child not evaluable,
    whose states are all unknown.
    """
    state = after_rescue(state, days, rescue_day)
    state = np.where(np.asarray(evaluable)[..., None], state, np.int8(-1))
    return Endpoint(
        state,
        evaluable,
        first(state),
        first(confirmed(state, days, p.confirm_days)),
        sustained(state, p.sustained_visits),
    )


def upcr_endpoint(
    upcr: NDArray, base: NDArray, days: NDArray, p: Parameters, rescue_day: NDArray | float = np.inf
) -> Endpoint:
    """The UPCR endpoint of the plan: response, remission, rescue, confirmation.

    upcr (..., visits) and base (...) in mg/mg; days and rescue_day as in `endpoint`. Leading axes of `upcr`
    may go beyond those of `base`: completed data sets of the same children.
    """
    state = in_remission(upcr_response(upcr, base, p))
    return endpoint(state, evaluable_upcr(base, p), days, p, rescue_day)


def after_rescue(state: NDArray, days: NDArray, rescue_day: NDArray | float) -> NDArray:
    """States with none in remission from the day of rescue treatment on (composite strategy).

    state (..., visits); days (visits,); rescue_day (...), inf = never. Unknown stays unknown.
    """
    late = np.asarray(days) >= np.asarray(rescue_day)[..., None]
    return np.where(late & (state > 0), np.int8(0), state)
