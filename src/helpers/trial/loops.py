"""A trial child by child, visit by visit, as compiled loops; `conduct` draws, and calls them on chunks of trials.

Arrays are flat over the children of all trials, (children,) or (children, visits); visits are baseline and the eleven
of the protocol; days count from the planned last infusion. Numba compiles each loop once and keeps it in the folder
that build/environment.py names. Nothing is reordered or contracted: every processor gives the same bits. Exponentials
and logarithms stay NumPy's.
"""

import numpy as np
from numba import boolean, float64, int8, int64, njit, void
from numpy.typing import NDArray


@njit(int64[:, ::1](int64[:, ::1], int64), cache=True)
def block_of_slots(sizes: NDArray, slots: int) -> NDArray:
    """The block in which each place of a list lies, (trials, slots); sizes (trials, blocks), enough for all places."""
    out = np.empty((len(sizes), slots), np.int64)
    for trial in range(len(sizes)):
        block, end = 0, sizes[trial, 0]
        for slot in range(slots):
            if slot == end:
                block += 1
                end += sizes[trial, block]
            out[trial, slot] = block
    return out


@njit(int8[:, ::1](int64[:, ::1], int64[:, ::1], int64[:, ::1], int64, int64), cache=True)
def allocated(sizes: NDArray, block: NDArray, order: NDArray, placebo: int, active: int) -> NDArray:
    """Arms, 0 placebo and 1 active, (trials, slots): of each block the share `active` of `placebo` + `active`.

    sizes (trials, blocks); block (trials, slots) of each place; order (trials, slots): places in the order drawn.
    """
    trials, slots = block.shape
    out = np.empty((trials, slots), np.int8)
    for trial in range(trials):
        start, now = 0, 0
        for slot in range(slots):
            if block[trial, slot] != now:
                now, start = block[trial, slot], slot
            out[trial, order[trial, slot]] = (slot - start) * (placebo + active) < sizes[trial, now] * active
    return out


@njit(
    boolean[:, ::1](
        int64[::1], float64[::1], float64, float64[::1], float64[::1], boolean[:, ::1], float64[::1]
    ),
    cache=True,
)
def ill_at_visits(
    where: NDArray,
    begins: NDArray,
    lasts: float,
    days: NDArray,
    first: NDArray,
    fevers: NDArray,
    infusion_days: NDArray,
) -> NDArray:
    """Whether an infection or fever still weighs on the urine at a visit, (children, visits).

    where, begins (infections,): child and first day of each; lasts: days that it or a fever weighs on the urine; days
    (visits,), ascending; first (children,): each child's own day of the first visit, which no fever precedes; fevers
    (children, 2): after either infusion; infusion_days (2,).
    """
    out = np.zeros((len(first), len(days)), np.bool_)
    for k in range(len(where)):
        child, begun = where[k], begins[k]
        if begun > days[0]:
            # counted at the first visit that it meets
            for visit in range(1, len(days)):
                if days[visit] >= begun:
                    out[child, visit] |= days[visit] < begun + lasts
                    break
        if begun <= first[child] and first[child] < begun + lasts:
            out[child, 0] = True
    for visit in range(1, len(days)):
        for k in range(2):
            if infusion_days[k] < days[visit] and days[visit] < infusion_days[k] + lasts:
                for child in range(len(first)):
                    out[child, visit] |= fevers[child, k]
    return out


@njit(
    float64[:, ::1](
        float64[::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1], float64, float64[::1],
        float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64, boolean[:, ::1],
    ),
    cache=True,
)  # fmt: skip
def level(
    start: NDArray,
    wander: NDArray,
    noise: NDArray,
    early_rho: NDArray,
    rho: NDArray,
    wander_sd: float,
    effect: NDArray,
    early_share: NDArray,
    share: NDArray,
    drift: NDArray,
    early_years: NDArray,
    years: NDArray,
    illness: float,
    ill: NDArray,
) -> NDArray:
    """Log UPCR with its slow wander, treatment's effect, drift and illness, (children, visits), in place of `noise`.

    start, effect, drift (children,): log mg/mg, log ratio at the full effect, log units a year; wander (children,): at
    consent, of the SD `wander_sd`; noise (children, visits): standard normal. From visit to visit: rho, the correlation
    of the wander with that of the visit before; share of the full effect; years from the last infusion, 0 before it.
    These three (visits,), but for the first visit, which each child has on its own day: early_rho (2, children), of
    the first and the second visit, early_share and early_years (children,). illness: log ratio where `ill` (children,
    visits).
    """
    children, visits = noise.shape
    fresh = wander_sd * np.sqrt(1 - rho * rho)
    for child in range(children):
        now = wander[child]
        for visit in range(visits):
            r, new = rho[visit], fresh[visit]
            if visit < 2:
                r = early_rho[visit, child]
                new = wander_sd * np.sqrt(1 - r * r)
            now = r * now + new * noise[child, visit]
            treated = effect[child] * (early_share[child] if visit == 0 else share[visit])
            drifted = drift[child] * (early_years[child] if visit == 0 else years[visit])
            noise[child, visit] = (
                start[child] + now + treated + drifted + (illness if ill[child, visit] else 0.0)
            )
    return noise


@njit(float64[:, ::1](int64[::1], float64[::1], float64[::1], float64[::1], float64), cache=True)
def half_lives(of: NDArray, since: NDArray, first: NDArray, days: NDArray, half_life: float) -> NDArray:
    """Half-lives, as a power of two that falls, from a start to each visit of some children, (len(of), visits).

    of: these children; since (len(of),): day of the start; first (children,): each child's own day of the first of
    `days` (visits,). 0 before the start.
    """
    out = np.empty((len(of), len(days)))
    for k in range(len(of)):
        for visit in range(len(days)):
            past = (first[of[k]] if visit == 0 else days[visit]) - since[k]
            out[k, visit] = -(past if past > 0 else 0.0) / half_life
    return out


@njit(void(float64[:, ::1], int64[::1], float64[::1], float64[:, ::1], boolean), cache=True)
def move(level: NDArray, of: NDArray, ratio: NDArray, left: NDArray, already: bool) -> None:
    """Add to the level, (children, visits), of some children what a treatment moves it.

    of: these children; ratio (len(of),): log ratio of the full effect; left (len(of), visits): share of it still to
    come. already: whether the level holds the full effect, of which what is still to come is taken off.
    """
    for k in range(len(of)):
        for visit in range(level.shape[1]):
            onset = 1 - left[k, visit]
            if already:
                level[of[k], visit] -= ratio[k] * (1 - onset)
            else:
                level[of[k], visit] += ratio[k] * onset


@njit(void(boolean[:, ::1], float64[:, ::1], float64[::1], float64[::1]), cache=True)
def leave(attended: NDArray, upcr: NDArray, days: NDArray, left: NDArray) -> None:
    """End visits and values, (children, visits) both and overwritten, with the day of leaving, (children,).

    days (visits,): nominal ones; a visit that was not attended has no UPCR.
    """
    for child in range(len(left)):
        for visit in range(len(days)):
            if not (attended[child, visit] and days[visit] <= left[child]):
                attended[child, visit] = False
                upcr[child, visit] = np.nan


@njit(void(float64[::1], float64[::1], float64[::1], float64, float64, float64), cache=True)
def noisy(value: NDArray, level: NDArray, noise: NDArray, sd: float, least: float, most: float) -> None:
    """Put the level with its visit noise in place of the noise's SD as a multiple of `sd`: (children,), log mg/mg.

    level: log mg/mg; noise: standard normal; least, most: between which the SD lies.
    """
    for k in range(len(value)):
        spread = value[k] * sd
        spread = least if spread < least else spread
        spread = most if spread > most else spread
        value[k] = spread * noise[k] + level[k]


@njit(void(float64[::1], float64, float64, float64), cache=True)
def rounded(value: NDArray, scale: float, least: float, most: float) -> None:
    """Round values to 1 / `scale`, half to even, and hold them between `least` and `most`."""
    for k in range(len(value)):
        told = np.rint(value[k] * scale) / scale
        told = least if told < least else told
        value[k] = most if told > most else told
