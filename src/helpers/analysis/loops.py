"""The rules of an endpoint child by child, visit by visit, as compiled loops; `derive` calls them on any leading axes.

Arrays are (children, visits) or (children,). States are int8: +1 in remission, 0 not, -1 unknown. Numba compiles each
loop once and keeps it in the folder that build/environment.py names. Nothing is reordered or contracted: every
processor gives the same bits.
"""

import numpy as np
from numba import boolean, float64, int8, int64, njit, types
from numpy.typing import NDArray


@njit(int8[:, ::1](float64[:, ::1], float64[::1], float64, float64, boolean), cache=True)
def upcr_responses(upcr: NDArray, fallen: NDArray, low: float, upper: float, alone: bool) -> NDArray:
    """Complete 2, partial 1, none 0, unknown -1 of UPCR (children, visits) in mg/mg.

    fallen (children,): the highest UPCR that counts as fallen from baseline, NaN = no baseline; low: below it a
    response is complete, where UPCR has fallen or `alone`; upper: the highest UPCR of a partial one.
    """
    children, visits = upcr.shape
    out = np.empty((children, visits), np.int8)
    for child in range(children):
        limit = fallen[child]
        for visit in range(visits):
            # without branches: values are as good as random
            value = upcr[child, visit]
            fell = value <= limit
            complete = (value < low) & (fell | alone)
            partial = fell & (value <= upper) & (not alone)
            response = 2 if complete else int(partial)
            out[child, visit] = response if (value == value) & (limit == limit) else -1
    return out


@njit(int64(int8[::1], float64[::1], int64, float64), cache=True)
def confirming_visit(state: NDArray, days: NDArray, visit: int, min_days: float) -> int:
    """The visit that confirms a remission seen at `visit` of one child, -1 where none does.

    state, days (visits,); NaN = a day not attended. The first attended visit at least `min_days` later, if remission
    holds there and at every attended one between.
    """
    if state[visit] <= 0:
        return -1
    for later in range(visit + 1, len(state)):
        if state[later] == 0:
            return -1
        if state[later] > 0 and days[later] - days[visit] >= min_days:
            return later
    return -1


@njit(int64(int8[::1], int64), cache=True)
def sustained_from(state: NDArray, least: int) -> int:
    """First visit of one child from which every attended one is in remission, at least `least` of them; or -1."""
    begins, run = -1, 0
    for visit in range(len(state) - 1, -1, -1):
        if state[visit] == 0:
            break
        if state[visit] > 0:
            begins, run = visit, run + 1
    return begins if run >= least else -1


@njit(int8[:, ::1](int8[:, ::1], float64[:, ::1], float64), cache=True)
def confirming(state: NDArray, days: NDArray, min_days: float) -> NDArray:
    """`confirming_visit` of each visit, (children, visits); days (children, visits), or (1, visits) of all children."""
    children, visits = state.shape
    out = np.empty((children, visits), np.int8)
    for child in range(children):
        own = days[child if len(days) > 1 else 0]
        for visit in range(visits):
            out[child, visit] = confirming_visit(state[child], own, visit, min_days)
    return out


@njit(int64[::1](int8[:, ::1], int64), cache=True)
def sustained(state: NDArray, least: int) -> NDArray:
    """`sustained_from` of each child, (children,)."""
    out = np.empty(len(state), np.int64)
    for child in range(len(state)):
        out[child] = sustained_from(state[child], least)
    return out


@njit(int8[:, ::1](int8[:, ::1], float64[:, ::1], float64[::1]), cache=True)
def after_rescue(state: NDArray, days: NDArray, rescue_day: NDArray) -> NDArray:
    """States (children, visits), overwritten: 0 from the day of rescue treatment on; rescue_day (children,)."""
    children, visits = state.shape
    for child in range(children):
        own = days[child if len(days) > 1 else 0]
        if rescue_day[child] < np.inf:
            for visit in range(visits):
                if own[visit] >= rescue_day[child]:
                    state[child, visit] = 0
    return state


@njit(
    types.Tuple((int64[::1], int64[::1], int64[::1], int8[::1]))(
        int8[:, ::1], boolean[::1], float64[:, ::1], float64, int64
    ),
    cache=True,
)
def remissions(
    state: NDArray, evaluable: NDArray, days: NDArray, min_days: float, least: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """First, confirmed and sustained remission and the visit that confirms: (children,) each, -1 = none.

    state (children, visits), which is made -1 throughout in a child not evaluable; days as in `confirming`; least:
    attended visits of a sustained remission.
    """
    children, visits = state.shape
    first, confirmed = np.full(children, -1, np.int64), np.full(children, -1, np.int64)
    kept, by = np.full(children, -1, np.int64), np.full(children, -1, np.int8)
    for child in range(children):
        if not evaluable[child]:
            state[child] = -1
            continue
        own = days[child if len(days) > 1 else 0]
        for visit in range(visits):
            if state[child, visit] > 0:
                if first[child] < 0:
                    first[child] = visit
                by[child] = confirming_visit(state[child], own, visit, min_days)
                if by[child] >= 0:
                    confirmed[child] = visit
                    break
        kept[child] = sustained_from(state[child], least)
    return first, confirmed, kept, by
