"""Derivations on arrays: response, confirmation, sustained remission, intervals.

Arrays are (..., visits); leading axes (trials, children) are free; NaN is "not attended" or "no sample".
States are int8: +1 in remission, 0 not, -1 unknown. One implementation serves the tables of one trial
(`adam`) and many trials at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers.study.parameters import Parameters

NONE, PARTIAL, COMPLETE, UNKNOWN = 0, 1, 2, -1
SAME = 1e-6
"""Relative slack of every threshold, so that a value that meets one on paper meets it in binary too.

Far above the rounding of single precision (6e-8), in which a file or a package may hold one of two values that are
compared, and far below what any laboratory reports. All comparisons are made in double precision.
"""


def _double(*values: ArrayLike) -> tuple[NDArray, ...]:
    """Values as float64 arrays, which they are already where they come from our tables."""
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def _rows(values: NDArray, dtype: type) -> NDArray:
    """Leading axes as one, (..., visits) -> (children, visits), for a compiled loop; a view where that is one."""
    rows = values.reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
    return np.require(rows, dtype, ["C", "W"])


def _flat(values: NDArray, dtype: type) -> NDArray:
    """All axes as one, for a compiled loop."""
    return np.require(values.ravel(), dtype, ["C", "W"])


def at_least(value: ArrayLike, limit: float) -> NDArray:
    """Whether values are at or above a limit; a missing one is not."""
    (value,) = _double(value)
    return value >= limit * (1 - SAME)


def above(value: ArrayLike, limit: float) -> NDArray:
    """Whether values are above a limit and not at it; a missing one is not."""
    (value,) = _double(value)
    return value > limit * (1 + SAME)


def below(value: ArrayLike, limit: float) -> NDArray:
    """Whether values are below a limit and not at it; a missing one is not."""
    (value,) = _double(value)
    return value < limit * (1 - SAME)


def upcr_response(upcr: NDArray, base: NDArray, p: Parameters) -> NDArray:
    """Response of UPCR at each visit: complete 2, partial 1, none 0, unknown -1.

    upcr (..., visits) and base (...) in mg/mg. By `remission_definition`: "fall" = at least remission_fall
    below baseline, complete where also below remission_threshold; "threshold alone" = complete below the
    threshold, no partial; "KDIGO" = complete as with "fall", partial where the fall is reached and UPCR is
    from the threshold to kdigo_upper.
    """
    from helpers.analysis import loops  # compiled code is loaded by whoever derives something

    upcr, base = _double(upcr, base)
    fallen = np.broadcast_to((1 - p.remission_fall) * base * (1 + SAME), upcr.shape[:-1])
    low = p.remission_threshold * (1 - SAME)
    upper = p.kdigo_upper * (1 + SAME) if p.remission_definition == "KDIGO" else np.inf
    alone = p.remission_definition == "threshold alone"
    found = loops.upcr_responses(_rows(upcr, float), _flat(fallen, float), low, upper, alone)
    return np.asarray(found.reshape(upcr.shape))


def evaluable_upcr(base: NDArray, p: Parameters) -> NDArray:
    """Whether remission can be judged: baseline UPCR at or above the threshold. Missing = not evaluable."""
    return at_least(base, p.remission_threshold)


@dataclass(frozen=True)
class Rule:
    """A definition of response by a limit of UPCR, by a fall from baseline, or by both together.

    limit: mg/mg, None = there is none; strict: whether UPCR must lie below the limit, or may be at it; fall: least fall
    as a share of baseline, 0 = none is asked for; beyond: whether the fall must be more than that, or may be just that.
    """

    limit: float | None = None
    strict: bool = False
    fall: float = 0.0
    beyond: bool = False


def rule_state(upcr: NDArray, base: NDArray, rule: Rule) -> NDArray:
    """State: +1 where the rule is met, 0 not, -1 unknown. upcr (..., visits) and base (...) in mg/mg."""
    base = np.asarray(base)[..., None]
    met = np.ones(np.broadcast_shapes(upcr.shape, base.shape), bool)
    if rule.limit is not None:
        met &= _up_to(upcr, rule.limit, rule.strict)
    if rule.fall:
        met &= _up_to(upcr, (1 - rule.fall) * base, rule.beyond)
    return np.where(np.isnan(upcr) | np.isnan(base), UNKNOWN, met).astype(np.int8)


def rule_evaluable(base: NDArray, rule: Rule, p: Parameters) -> NDArray:
    """Whether a rule can be judged: the baseline UPCR does not keep to its limit already.

    A rule without a limit is judged where the plan's own is (`evaluable_upcr`). Missing = not evaluable.
    """
    base = np.asarray(base, float)
    if rule.limit is None:
        return evaluable_upcr(base, p)
    return ~np.isnan(base) & ~_up_to(base, rule.limit, rule.strict)


def _up_to(value: NDArray, limit: NDArray | float, strict: bool) -> NDArray:
    """Whether a value lies below a limit (strict) or at most at it."""
    value, limit = _double(value, limit)
    return value < limit * (1 - SAME) if strict else value <= limit * (1 + SAME)


def in_remission(response: NDArray) -> NDArray:
    """State of remission from a response: +1 partial or complete, 0 none, -1 unknown."""
    return np.minimum(response, 1).astype(np.int8, copy=False)


def at_most(value: NDArray, limit: float) -> NDArray:
    """State: +1 at or below the limit, 0 above, -1 unknown."""
    (value,) = _double(value)
    return np.where(np.isnan(value), -1, ~above(value, limit)).astype(np.int8)


def reached(value: NDArray, limit: float) -> NDArray:
    """State: +1 at or above the limit, 0 below, -1 unknown."""
    (value,) = _double(value)
    return np.where(np.isnan(value), -1, at_least(value, limit)).astype(np.int8)


def fallen(value: NDArray, base: NDArray, by: float) -> NDArray:
    """State: +1 where the value is at least the share `by` below baseline, 0 not, -1 unknown."""
    value, base = _double(value, base)
    base = base[..., None]
    state = _up_to(value, (1 - by) * base, strict=False)
    return np.where(np.isnan(value) | np.isnan(base), -1, state).astype(np.int8)


def protein_24h_state(value: NDArray, base: NDArray, p: Parameters) -> NDArray:
    """State of 24-hour protein (mg/m2/h): below protein24_limit, or at least remission_fall below baseline."""
    value, base = _double(value, base)
    base = base[..., None]
    state = below(value, p.protein24_limit) | (value <= (1 - p.remission_fall) * base * (1 + SAME))
    return np.where(np.isnan(value) | np.isnan(base), -1, state).astype(np.int8)


def risen(value: NDArray, base: NDArray, by: float) -> NDArray:
    """State: +1 where the value is at least the share `by` above baseline, 0 not, -1 unknown."""
    value, base = _double(value, base)
    base = base[..., None]
    state = value >= (1 + by) * base * (1 - SAME)
    return np.where(np.isnan(value) | np.isnan(base), -1, state).astype(np.int8)


def confirming(state: NDArray, days: NDArray, min_days: int) -> NDArray:
    """Index of the visit that confirms a remission first seen at each visit, -1 where none does: int (..., visits).

    days (visits,): target days, ascending; or (..., visits): each child's own days, NaN where not attended. A remission
    at v is confirmed by the first attended visit at least `min_days` later (0 = the next attended visit), which must
    exist, if it holds there and at every attended visit between. Raises ValueError for target days in another order.
    """
    state, days = np.asarray(state), np.asarray(days)
    if days.ndim == 1 and (days.shape != state.shape[-1:] or not (np.diff(days) > 0).all()):
        raise ValueError(f"days must ascend, one a visit, got {days.tolist()}")
    from helpers.analysis import loops

    own = _rows(np.broadcast_to(days, state.shape) if days.ndim > 1 else days[None], float)
    return np.asarray(loops.confirming(_rows(state, np.int8), own, min_days).reshape(state.shape))


def confirmed(state: NDArray, days: NDArray, min_days: int) -> NDArray:
    """Whether a remission first seen at each visit is confirmed, as of `confirming`: bool (..., visits)."""
    return confirming(state, days, min_days) >= 0


def confirmable(state: NDArray, days: NDArray, min_days: int) -> NDArray:
    """Whether a remission beginning at each visit could be confirmed: bool (..., visits).

    So it is where an attended visit at least `min_days` later exists: there a child is at risk of a confirmed
    remission. Whether the visit itself was attended does not matter, as it does not for a child who stays. days as in
    `confirming`, but known for each visit.
    """
    days = np.asarray(days)
    latest = np.where(state >= 0, days, -np.inf).max(axis=-1, keepdims=True)
    return (latest - days >= min_days) & (np.arange(state.shape[-1]) < last_seen(state)[..., None])


def sustainable(state: NDArray, least: int) -> NDArray:
    """Whether enough attended visits follow for a sustained remission to begin at each: bool (..., visits)."""
    seen = state >= 0
    later = seen[..., ::-1].cumsum(axis=-1)[..., ::-1] - seen
    return (later >= least - 1) & (np.arange(state.shape[-1]) <= last_seen(state)[..., None])


def sustained(state: NDArray, least: int) -> NDArray:
    """First visit from which every attended visit to the last one is in remission, at least `least` of them.

    Returns its index (...), -1 where there is none.
    """
    from helpers.analysis import loops

    state = np.asarray(state)
    found = loops.sustained(_rows(state, np.int8), least)
    return np.asarray(found.reshape(state.shape[:-1]))


def first(state: NDArray) -> NDArray:
    """Index (...) of the first visit where `state` is positive (or true), -1 where there is none."""
    positive = np.asarray(state) > 0
    if positive.shape[-1] == 0:
        return np.full(positive.shape[:-1], -1)
    index = positive.argmax(axis=-1)
    return np.where(np.take_along_axis(positive, index[..., None], axis=-1)[..., 0], index, -1)


def last_seen(state: NDArray) -> NDArray:
    """Index (...) of the last visit with a known state, -1 where there is none."""
    known = np.asarray(state) >= 0
    if known.shape[-1] == 0:
        return np.full(known.shape[:-1], -1)
    return np.where(known.any(axis=-1), known.shape[-1] - 1 - known[..., ::-1].argmax(axis=-1), -1)


def interval(
    index: NDArray, state: NDArray, days: NDArray, start: float | NDArray
) -> tuple[NDArray, NDArray]:
    """Interval (L, R] in which an event first seen at visit `index` (-1 = not seen) happened, in days.

    L is the day of the last visit with a known state before it, or `start` (the first infusion) where there
    is none; not seen: (last known day, inf).
    """
    index, state, days = np.asarray(index), np.asarray(state), np.asarray(days, float)
    if days.size == 0:
        return np.broadcast_to(np.asarray(start, float), index.shape).copy(), np.full(index.shape, np.inf)
    count = state.shape[-1]
    before = np.where(np.arange(count) < np.where(index < 0, count, index)[..., None], state, -1)
    at = last_seen(before.astype(np.int8))
    left = np.where(at >= 0, days[at], start)
    return left, np.where(index >= 0, days[index], np.inf)


def time_weighted(values: NDArray, days: NDArray, behind: float) -> NDArray:
    """Mean of the values over time, by the trapezoid rule over the attended visits: (...).

    values (..., visits), NaN = not attended; days (visits,), ascending. From the first attended visit to the last;
    NaN where none lies behind the day `behind`, for then what follows is not known. A single value is itself.
    """
    seen, days = ~np.isnan(values), np.asarray(days, float)
    area = np.zeros(values.shape[:-1])
    last_value, last_day = np.full_like(area, np.nan), np.full_like(area, np.nan)
    start = np.full_like(area, np.nan)
    for k, day in enumerate(days):
        here, value = seen[..., k], values[..., k]
        follows = here & ~np.isnan(last_value)
        area = np.where(follows, area + (day - last_day) * (value + last_value) / 2, area)
        start = np.where(here & np.isnan(start), day, start)
        last_value, last_day = np.where(here, value, last_value), np.where(here, day, last_day)
    span = last_day - start
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(span > 0, area / span, last_value)
    return np.where(last_day > behind, mean, np.nan)


@dataclass(frozen=True)
class Endpoint:
    """A remission endpoint by child: evaluable, and indices of visits, -1 = none.

    first, confirmed, sustained: the first visit of each kind of remission; confirming: the visit that confirms the
    confirmed one.
    """

    state: NDArray
    evaluable: NDArray
    first: NDArray
    confirmed: NDArray
    sustained: NDArray
    confirming: NDArray


def endpoint(
    state: NDArray, evaluable: NDArray, days: NDArray, p: Parameters, rescue_day: NDArray | float = np.inf
) -> Endpoint:
    """First, confirmed and sustained remission of any measure: the one composition of an endpoint.

    state (..., visits) as observed; evaluable (...); days (visits,); rescue_day (...) or one number, inf =
    never. There is no remission from the day of rescue treatment on (or of death and its like, which come in the
    same way), and never one in a child not evaluable, whose states are all unknown.
    """
    from helpers.analysis import loops

    state, judged = after_rescue(state, days, rescue_day), np.asarray(evaluable)
    if judged.shape != state.shape[:-1]:
        shape = np.broadcast_shapes(state.shape[:-1], judged.shape)
        state = np.broadcast_to(state, (*shape, state.shape[-1])).copy()
        judged = np.broadcast_to(judged, shape)
    own = _rows(np.asarray(days), float)
    found = loops.remissions(
        _rows(state, np.int8), _flat(judged, bool), own, p.confirm_days, p.sustained_visits
    )
    return Endpoint(state, evaluable, *(each.reshape(judged.shape) for each in found))


def upcr_endpoint(
    upcr: NDArray, base: NDArray, days: NDArray, p: Parameters, rescue_day: NDArray | float = np.inf
) -> Endpoint:
    """The UPCR endpoint of the plan: response, remission, rescue, confirmation.

    upcr (..., visits) and base (...) in mg/mg; days and rescue_day as in `endpoint`. Leading axes of `upcr`
    may go beyond those of `base`: completed data sets of the same children.
    """
    state = in_remission(upcr_response(upcr, base, p))
    return endpoint(state, evaluable_upcr(base, p), days, p, rescue_day)


def rule_endpoint(
    upcr: NDArray,
    base: NDArray,
    rule: Rule,
    days: NDArray,
    p: Parameters,
    rescue_day: NDArray | float = np.inf,
) -> Endpoint:
    """The endpoint of UPCR by another trial's definition, confirmed as the plan has it.

    upcr (..., visits) and base (...) in mg/mg; days and rescue_day as in `endpoint`.
    """
    return endpoint(rule_state(upcr, base, rule), rule_evaluable(base, rule, p), days, p, rescue_day)


def measure_endpoint(
    name: str,
    value: NDArray,
    base: NDArray,
    days: NDArray,
    p: Parameters,
    rescue_day: NDArray | float = np.inf,
) -> Endpoint:
    """The endpoint of one of the five measures: UPCR, P24 (24-hour protein), DIP (dipstick), HEM, GFR.

    value (..., visits) and base (...) in the measure's own unit, of the cells and by the method that the plan names;
    days and rescue_day as in `endpoint`. Raises ValueError for another name.
    """
    if name == "UPCR":
        return upcr_endpoint(value, base, days, p, rescue_day)
    if name == "P24":
        state = protein_24h_state(value, base, p)
        evaluable = at_least(base, p.protein24_limit)
    elif name == "DIP":
        state, evaluable = at_most(value, 1), base >= 2
    elif name == "HEM":
        state, evaluable = at_most(value, p.haematuria_limit), above(base, p.haematuria_limit)
    elif name == "GFR":
        state, evaluable = risen(value, base, p.egfr_improvement), below(base, p.egfr_evaluable)
    else:
        raise ValueError(f"no endpoint {name!r}; there are UPCR, P24, DIP, HEM, GFR")
    return endpoint(state, evaluable, days, p, rescue_day)


def after_rescue(state: NDArray, days: NDArray, rescue_day: NDArray | float) -> NDArray:
    """States with none in remission from the day of rescue treatment on (composite strategy).

    state (..., visits); days (visits,); rescue_day (...), inf = never. A visit that was not attended has that answer
    too: nothing seen there could change it.
    """
    from helpers.analysis import loops

    state, rescued = np.asarray(state), np.asarray(rescue_day)
    shape = np.broadcast_shapes(state.shape[:-1], rescued.shape)
    out = np.array(np.broadcast_to(state, (*shape, state.shape[-1])), np.int8, order="C")
    loops.after_rescue(
        _rows(out, np.int8), _rows(np.asarray(days), float), _flat(np.broadcast_to(rescued, shape), float)
    )
    return out
