"""Two proportions: exact tests, intervals for one arm and for the difference; agreement of two answers.

`boschloo` and `boschloo_interval` are one procedure: the interval holds 0 exactly where the test does not reject.

Everywhere `x` counts the children with the event, `n` the children in the arm, 0 is the control arm and
1 the active one, and a difference is `p1 - p0`. Counts may be scalars or arrays that broadcast against each
other: many trials are one call. An arm without children (`n = 0`) has no proportion: its intervals and
p-values are NaN. Counts that cannot be counts (negative, not whole, `x > n`) raise one ValueError.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from scipy.optimize import elementwise

from helpers.estimators.arguments import Shaped, check_level

METHODS = ("boschloo", "fisher", "barnard")

# Up to here a table of all outcomes is worth keeping (100 v 100 children); above it, only what was asked for.
_KEPT_CELLS = 10_201
# Nuisance grid: with 7-point interpolation around each peak the supremum is exact to about 1e-13 for 40
# children.
_GRID = np.linspace(0.0, 1.0, 1001)
_WINDOW = 7
_TO_POLYNOMIAL = np.linalg.inv(np.vander(np.arange(_WINDOW) - _WINDOW // 2, increasing=True).astype(float))


def boschloo(x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike) -> Shaped:
    """Two-sided p-value of Boschloo's unconditional exact test.

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.

    Returns
    -------
    float or numpy.ndarray
        Two-sided p of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be: negative, not whole, more events than children.

    Notes
    -----
    The statistic is Fisher's one-sided p-value, maximised over the common probability. Two-sided is **twice the
    smaller one-sided p-value**, at most 1: the convention of `scipy.stats.boschloo_exact`. R's
    `Exact::exact.test(method = "boschloo")` orders by Fisher's two-sided p-value instead; for arms of equal size
    the two are the same, for unequal arms they can differ. Exact at any size: 1,000 v 1,000 children take a few
    seconds.

    References
    ----------
    Boschloo (1970), Statistica Neerlandica 24:1-9.

    Examples
    --------
    >>> round(boschloo(6, 20, 13, 20), 3)
    0.038
    """
    return _look_up(x0, n0, x1, n1, "boschloo")


def boschloo_interval(
    x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike, level: float = 0.95
) -> tuple[Shaped, Shaped]:
    """Exact interval for p1 - p0 that inverts `boschloo`: it holds 0 exactly where that p is above 1 - level.

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Proportions of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be, or a level outside 0 to 1.

    Notes
    -----
    The lower limit is the smallest difference that the one-sided test for more events in the active arm leaves
    standing at (1 - level) / 2, the upper limit the largest for the other side. The tables are ordered as in
    `boschloo`, and **the same at every difference**: by Fisher's one-sided p at equality, ties at p = 1 broken by
    mid-p. At each difference the probability of the tables at least as extreme is maximised over the control arm's
    probability, on the grid of `boschloo` with the same refinement. As every such region grows with more events in
    the active arm and with fewer in the control arm, that maximum never falls with the difference: there is one
    crossing, and the coverage is at least `level` whatever the two probabilities are.

    R's `exact2x2::uncondExact2x2(method = "FisherAdj")` orders by Fisher's mid-p throughout and is another test.
    `miettinen_nurminen` is the approximate interval beside this one.

    References
    ----------
    Boschloo (1970), Statistica Neerlandica 24:1-9 (the order); Chan & Zhang (1999), Biometrics 55:1202-1209
    (inverting two one-sided exact tests of a difference).

    Examples
    --------
    >>> [round(bound, 3) for bound in boschloo_interval(6, 18, 12, 18)], round(boschloo(6, 18, 12, 18), 3)
    ([-0.019, 0.6], 0.065)
    """
    x0, n0, x1, n1 = _two_arms(x0, n0, x1, n1, level)
    lower, upper = np.full(x0.shape, np.nan), np.full(x0.shape, np.nan)
    for size0, size1 in np.unique(np.stack([n0.ravel(), n1.ravel()]), axis=1).T:
        if min(size0, size1) == 0:
            continue
        here = (n0 == size0) & (n1 == size1)
        cells, back = np.unique(x0[here] * (size1 + 1) + x1[here], return_inverse=True)
        low, high = _inverted(int(size0), int(size1), tuple(cells.tolist()), (1 - level) / 2)
        lower[here], upper[here] = low[back], high[back]
    return _shaped((n0 == 0) | (n1 == 0), lower, upper)


def fisher(x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike) -> Shaped:
    """Two-sided p-value of Fisher's exact test: all tables no more likely than the one seen, as in R and scipy.

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.

    Returns
    -------
    float or numpy.ndarray
        Two-sided p of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be: negative, not whole, more events than children.

    Notes
    -----
    Probabilities within 1e-7 of each other count as equal (R's rule).

    References
    ----------
    Fisher (1935), JRSS 98:39-82.

    Examples
    --------
    >>> round(fisher(6, 20, 13, 20), 3)
    0.056
    """
    return _look_up(x0, n0, x1, n1, "fisher")


def barnard(x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike) -> Shaped:
    """Two-sided p-value of Barnard's test with the pooled score statistic |z|.

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.

    Returns
    -------
    float or numpy.ndarray
        Two-sided p of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be: negative, not whole, more events than children.

    Notes
    -----
    Maximised over the common probability. The supremum is found on a dense grid and refined at each peak,
    because `scipy.stats.barnard_exact` can miss it (13/20 v 6/20 is 0.03848, not 0.0339). Equal to R's
    `Exact::exact.test(method = "z-pooled")`.

    References
    ----------
    Suissa & Shuster (1985), JRSS A 148:317-327.

    Examples
    --------
    >>> round(barnard(6, 20, 13, 20), 3)
    0.038
    """
    return _look_up(x0, n0, x1, n1, "barnard")


def exact_tables(n0: int, n1: int, method: str = "boschloo") -> NDArray:
    """All two-sided p-values for arms of `n0` and `n1` children.

    Parameters
    ----------
    n0, n1 : int
        Children of the control and the active arm.
    method : {"boschloo", "fisher", "barnard"}
        The test.

    Returns
    -------
    numpy.ndarray, shape (n0 + 1, n1 + 1)
        Indexed [x0, x1], read-only.

    Raises
    ------
    ValueError
        An unknown method, negative sizes, or above 10,201 tables (100 v 100).

    Notes
    -----
    Kept in memory per (n0, n1, method), so that any number of simulated trials is a look-up. The exact size of a
    test at a true probability is a sum over this table.

    Examples
    --------
    >>> table = exact_tables(20, 20)
    >>> table.shape, round(float(table[6, 13]), 3)
    ((21, 21), 0.038)
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    n0, n1 = (int(n) for n in _counts(n0=n0, n1=n1))
    if (n0 + 1) * (n1 + 1) > _KEPT_CELLS:
        raise ValueError(f"{n0} v {n1} children have {(n0 + 1) * (n1 + 1)} tables, more than {_KEPT_CELLS}")
    return _all_tables(n0, n1, method)


@lru_cache(maxsize=256)
def _all_tables(n0: int, n1: int, method: str) -> NDArray:
    values = _p_values(n0, n1, method, np.arange((n0 + 1) * (n1 + 1))).reshape(n0 + 1, n1 + 1)
    values.flags.writeable = False
    return values


def _look_up(x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike, method: str) -> Shaped:
    x0, n0, x1, n1 = _counts(x0=x0, n0=n0, x1=x1, n1=n1)
    _within(x0, n0, "x0", "n0")
    _within(x1, n1, "x1", "n1")
    out = np.full(x0.shape, np.nan)
    for size0, size1 in np.unique(np.stack([n0.ravel(), n1.ravel()]), axis=1).T:
        here = (n0 == size0) & (n1 == size1)
        cells = x0[here] * (size1 + 1) + x1[here]
        if (size0 + 1) * (size1 + 1) <= _KEPT_CELLS:
            out[here] = _all_tables(int(size0), int(size1), method).ravel()[cells]
        else:
            wanted, back = np.unique(cells, return_inverse=True)
            out[here] = _p_values(int(size0), int(size1), method, wanted)[back]
    return float(out) if out.ndim == 0 else out


def _p_values(n0: int, n1: int, method: str, cells: NDArray) -> NDArray:
    """p-values of the tables numbered `cells` (row-major in [x0, x1])."""
    if n0 == 0 or n1 == 0:
        return np.full(len(cells), np.nan)
    x0, x1 = np.arange(n0 + 1)[:, None], np.arange(n1 + 1)[None, :]
    if method == "fisher":
        return _fisher_table(n0, n1).ravel()[cells]
    if method == "boschloo":
        return np.minimum(1.0, 2 * np.minimum(*_boschloo_one_sided(n0, n1, cells)))
    pooled = (x0 + x1) / (n0 + n1)
    variance = pooled * (1 - pooled) * (1 / n0 + 1 / n1)
    z = np.divide(x1 / n1 - x0 / n0, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0)
    return _supremum(-np.abs(z), 1e-10, n0, n1, cells)


def _fisher_table(n0: int, n1: int) -> NDArray:
    values = np.ones((n0 + 1, n1 + 1))
    for events in range(n0 + n1 + 1):
        x1 = np.arange(max(0, events - n0), min(n1, events) + 1)
        chance = stats.hypergeom.pmf(x1, n0 + n1, events, n1)
        as_extreme = chance[None, :] <= chance[:, None] * (1 + 1e-7)
        values[events - x1, x1] = np.minimum(1.0, as_extreme @ chance)
    return values


def _boschloo_one_sided(n0: int, n1: int, cells: NDArray) -> tuple[NDArray, NDArray]:
    """One-sided p at equality of the tables numbered `cells`: for more events in the active arm, and for fewer."""
    greater, less = (
        _supremum(statistic, 1e-11, n0, n1, cells) for statistic in _fisher_one_sided(n0, n1)[:2]
    )
    return greater, less


def _fisher_one_sided(n0: int, n1: int) -> tuple[NDArray, NDArray, NDArray]:
    """Fisher's one-sided p of every table [x0, x1], for more events in the active arm and for fewer, and its chance.

    Each p is a sum along tables of the same number of events, from the most extreme one on. Every term of a table
    and of its mirror image (events for no events, one arm for the other) is the same to the last bit.
    """
    factorial = special.gammaln(np.arange(n0 + n1 + 1) + 1.0)

    def ways(n: int, x: NDArray) -> NDArray:
        return factorial[n] - (factorial[x] + factorial[n - x])

    x0, x1 = np.arange(n0 + 1)[:, None], np.arange(n1 + 1)[None, :]
    chance = np.exp((ways(n0, x0) + ways(n1, x1)) - ways(n0 + n1, x0 + x1))
    greater, less = chance.copy(), chance.copy()
    for k in range(n1):
        greater[1:, n1 - 1 - k] += greater[:-1, n1 - k]
        less[:-1, k + 1] += less[1:, k]
    return greater, less, chance


@lru_cache(maxsize=64)
def _orders(n0: int, n1: int) -> tuple[NDArray, NDArray]:
    """Ranks of every table [x0, x1] in the two orders of `boschloo_interval`, 0 the most extreme."""
    greater, less, chance = _fisher_one_sided(n0, n1)
    return _ranks(greater, less, chance), _ranks(less.T, greater.T, chance.T).T


def _ranks(towards: NDArray, away: NDArray, chance: NDArray) -> NDArray:
    """Ranks by Fisher's p `towards`, P(as many events in the second arm, or more); `away` is P(as many, or fewer).

    Equal p share a rank, to 1e-11 of p or of 1 - p, whichever is smaller: 1 - p is the other tail without the table.
    The tables with p = 1, all those with no event in the second arm or only events in the first, are a tie that says
    nothing. Each stands by its mid-p instead, 1 - chance / 2, but never before a table that is more extreme in both
    arms: with fewer events in the first or more in the second. Without that the region of a table would not grow
    with the difference; behind all others, 0/18 v 0/18 would leave every difference from -0.98 to 0.98.
    """
    rest = np.zeros_like(towards)
    rest[:-1, 1:] = away[1:, :-1]
    tie = np.zeros(towards.shape, bool)
    tie[-1, :] = tie[:, 0] = True
    with np.errstate(divide="ignore", invalid="ignore"):
        odds, middle = np.log(towards) - np.log(rest), np.log1p(-chance / 2) - np.log(chance / 2)
        known = np.sort(odds[~tie])
        steps = np.append(known[:1], known[1:][np.diff(known) > 1e-11])

    def place(of: NDArray) -> NDArray:
        return 2 * np.searchsorted(steps, of + 1e-11, side="right") - 2

    # Even places are those of p, a tie stands at the odd one behind.
    places = place(odds)
    places[tie] = place(middle[tie]) + 1
    for row in range(len(places)):
        if row + 1 < len(places):
            places[row, 0] = max(
                places[row, 0], places[row, 1:2].max(initial=-1) | 1, places[max(row - 1, 0), 0]
            )
    for column in range(places.shape[1] - 1, -1, -1):
        behind = places[-2:-1, column].max(initial=-1) | 1
        places[-1, column] = max(places[-1, column], behind, places[-1, min(column + 1, places.shape[1] - 1)])
    order = np.lexsort((np.where(tie, middle, 0.0).ravel(), places.ravel()))
    at, within = places.ravel()[order], np.where(tie, middle, 0.0).ravel()[order]
    out = np.empty(len(order), np.int64)
    out[order] = np.append(0, np.cumsum((np.diff(at) > 0) | (np.diff(within) > 1e-11)))
    return out.reshape(places.shape)


def _supremum(statistic: NDArray, tolerance: float, n0: int, n1: int, cells: NDArray) -> NDArray:
    """sup over the nuisance probability of P(statistic <= the cell's statistic); smaller is more extreme."""
    if statistic.size > _KEPT_CELLS:
        return _supremum_of_few(statistic, tolerance, n0, n1, cells)
    flat = statistic.ravel()
    order = np.argsort(flat, kind="stable")
    limit = flat[cells] + tolerance * np.abs(flat[cells])
    last = np.searchsorted(flat[order], limit, side="right") - 1

    curve = np.empty((len(cells), len(_GRID)))
    step = max(1, 4_000_000 // len(flat))
    for start in range(0, len(_GRID), step):
        p = _GRID[start : start + step]
        control = stats.binom.pmf(np.arange(n0 + 1)[:, None], n0, p)
        active = stats.binom.pmf(np.arange(n1 + 1)[:, None], n1, p)
        chance = (control[:, None, :] * active[None, :, :]).reshape(len(flat), -1)[order]
        curve[:, start : start + step] = np.cumsum(chance, axis=0)[last]
    return np.minimum(1.0, _refined_maximum(curve))


def _supremum_of_few(statistic: NDArray, tolerance: float, n0: int, n1: int, cells: NDArray) -> NDArray:
    """`_supremum` for large arms and few cells: one region of tables at a time, on all grid points together."""
    p = _nuisance_grid(n0, n1)
    control, active = (stats.binom.pmf(np.arange(n + 1)[:, None], n, p) for n in (n0, n1))
    curve = np.empty((len(cells), len(p)))
    for k, value in enumerate(statistic.ravel()[cells]):
        region = statistic <= value + tolerance * abs(value)
        curve[k] = (control * (region.astype(float) @ active)).sum(axis=0)
    return np.minimum(1.0, _refined_maximum(curve))


@lru_cache(maxsize=256)
def _inverted(n0: int, n1: int, cells: tuple[int, ...], tail: float) -> tuple[NDArray, NDArray]:
    """Lower and upper limits of p1 - p0 of the tables numbered `cells`, each side at `tail`."""
    x0, x1 = np.divmod(np.array(cells), n1 + 1)
    (more, fewer), (greater, less) = _orders(n0, n1), _boschloo_one_sided(n0, n1, np.array(cells))
    # What speaks for fewer events in the active arm speaks for more in the control arm.
    return _limits(more, x0, x1, greater <= tail, tail), -_limits(fewer.T, x1, x0, less <= tail, tail)


def _limits(order: NDArray, x0: NDArray, x1: NDArray, above: NDArray, tail: float) -> NDArray:
    """Smallest difference that the test with these ranks leaves standing at `tail`; -1 where it leaves all.

    `above`: whether the test itself, at equality, says that it lies above 0.
    """
    n0, n1 = order.shape[0] - 1, order.shape[1] - 1
    # In each row of tables the region begins at one x1 and holds all above it.
    begins = (order > order[x0, x1][:, None, None]).sum(axis=2)
    found = np.full(len(x0), -1.0)
    grid = _nuisance_grid(n0, n1)
    coarse = grid[:: 8 if grid is _GRID else 2]

    def solved(rows: NDArray, low: NDArray, high: NDArray, grid: NDArray, rounds: int = 40) -> NDArray:
        def excess(difference: NDArray, row: NDArray) -> NDArray:
            return _most_probable(begins[row], n1, difference, grid, rounds) - tail

        tolerances = {"xatol": 1e-9, "xrtol": 0, "fatol": 0, "frtol": 0}
        return elementwise.find_root(excess, (low, high), args=(rows,), tolerances=tolerances).x

    step = max(1, 2_000_000 // ((n1 + 2) * len(grid)))
    wanted = np.flatnonzero((begins > 0).any(axis=1))
    for rows in np.split(wanted, np.arange(step, len(wanted), step)):
        low, high = np.where(above[rows], 0.0, -1.0), np.where(above[rows], 1.0, 0.0)
        near = solved(rows, low, high, coarse, 14)
        # The coarse grid nearly always gives it to 1e-8: one step with its slope on the whole grid does the rest.
        beside = np.where(near < (low + high) / 2, near + 1e-5, near - 1e-5)
        excess, *pair = (
            _most_probable(begins[rows], n1, difference, used) - tail
            for difference, used in ((near, grid), (near, coarse), (beside, coarse))
        )
        slope = (pair[1] - pair[0]) / (beside - near)
        step_to = np.divide(excess, slope, out=np.full_like(near, np.inf), where=slope > 0)
        root = near - step_to
        far = ~(np.abs(step_to) < 1e-6)
        if far.any():
            root[far] = solved(rows[far], low[far], high[far], grid)
        found[rows] = root
    # The last bit of a limit may not say of 0 what the test does not.
    found = np.where(np.isnan(found), 0.0, found)
    return np.where(above, np.maximum(found, np.finfo(float).tiny), np.minimum(found, 0.0))


def _most_probable(begins: NDArray, n1: int, difference: NDArray, grid: NDArray, rounds: int = 40) -> NDArray:
    """sup over the control arm's probability of P(x1 >= begins[x0]) at p1 = p0 + difference, of a batch.

    begins (batch, n0 + 1), difference (batch,).
    """
    n0 = begins.shape[1] - 1
    low, high = np.maximum(0.0, -difference), np.minimum(1.0, 1.0 - difference)
    p0 = np.clip(low[:, None] + grid * (high - low)[:, None], 0.0, 1.0)
    p1 = np.clip(p0 + difference[:, None], 0.0, 1.0)
    tails = np.zeros((len(begins), n1 + 2, len(grid)))
    tails[:, :-1] = np.cumsum(_binomial(n1, p1)[:, ::-1], axis=1)[:, ::-1]
    chosen = np.take_along_axis(tails, begins[:, :, None], axis=1)
    return _refined_maximum((_binomial(n0, p0) * chosen).sum(axis=1), rounds)


def _binomial(n: int, p: NDArray) -> NDArray:
    """Binomial probabilities of 0 to n events: p (batch, grid) -> (batch, n + 1, grid)."""
    x = np.arange(n + 1.0)
    ways = special.gammaln(n + 1.0) - (special.gammaln(x + 1) + special.gammaln(n - x + 1))
    tiny = np.finfo(float).tiny
    yes, no = np.log(np.maximum(p, tiny))[:, None, :], np.log(np.maximum(1 - p, tiny))[:, None, :]
    x = x[:, None]
    return np.exp(ways[:, None] + x * yes + (n - x) * no)


def _nuisance_grid(n0: int, n1: int) -> NDArray:
    """Grid over the nuisance probability: `_GRID`, for large arms even in arcsin(sqrt(p)), where a binomial share has
    one spread at every p: ten points to it."""
    if (n0 + 1) * (n1 + 1) <= _KEPT_CELLS:
        return _GRID
    return np.sin(np.linspace(0.0, np.pi / 2, int(32 * np.sqrt(n0 + n1)) + 1)) ** 2


def _refined_maximum(curve: NDArray, rounds: int = 40) -> NDArray:
    """Maximum over a smooth curve known on the grid: the four highest grid peaks, each interpolated.

    A round takes four tenths off the stretch in which a peak lies.
    """
    padded = np.pad(curve, ((0, 0), (1, 1)), constant_values=-np.inf)
    is_peak = (curve >= padded[:, :-2]) & (curve >= padded[:, 2:])
    peaks = np.argpartition(np.where(is_peak, curve, -np.inf), -4, axis=1)[:, -4:]
    half = _WINDOW // 2
    centre = np.clip(peaks, half, curve.shape[1] - 1 - half)
    values = np.take_along_axis(curve[:, None, :], centre[..., None] + np.arange(-half, half + 1), axis=2)
    coefficients = np.moveaxis(values @ _TO_POLYNOMIAL.T, -1, 0)

    def height(u: NDArray) -> NDArray:
        total = coefficients[-1]
        for c in coefficients[-2::-1]:
            total = total * u + c
        return total

    low = np.clip(peaks - centre - 1.0, -half, half)
    high = np.clip(peaks - centre + 1.0, -half, half)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(rounds):
        left, right = high - golden * (high - low), low + golden * (high - low)
        rising = height(left) < height(right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    return np.maximum(curve.max(axis=1), height((low + high) / 2).max(axis=1))


def clopper_pearson(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Shaped, Shaped]:
    """Exact interval for one proportion.

    Parameters
    ----------
    x, n : int or array_like of int
        Events and children; any shapes that broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Proportions of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be, or a level outside 0 to 1.

    Notes
    -----
    With no events the upper bound is `1 - ((1 - level) / 2) ** (1 / n)`, the exact "rule of three" (two-sided).

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26:404-413.

    Examples
    --------
    >>> lower, upper = clopper_pearson([0, 6], 20)
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.0, 0.119], [0.168, 0.543])
    """
    x, n = _one_arm(x, n, level)
    tail = (1 - level) / 2
    lower = np.where(x == 0, 0.0, stats.beta.ppf(tail, np.maximum(x, 1), n - x + 1))
    upper = np.where(x == n, 1.0, stats.beta.ppf(1 - tail, x + 1, np.maximum(n - x, 1)))
    return _shaped(n == 0, lower, upper)


def wilson(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Shaped, Shaped]:
    """Wilson's score interval for one proportion, without continuity correction.

    Parameters
    ----------
    x, n : int or array_like of int
        Events and children; any shapes that broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Proportions of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be, or a level outside 0 to 1.

    References
    ----------
    Wilson (1927), JASA 22:209-212; Newcombe (1998), Stat Med 17:857-872, method 3.

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(6, 20)]
    [0.145, 0.519]
    """
    x, n = _one_arm(x, n, level)
    z2 = stats.norm.isf((1 - level) / 2) ** 2
    size = np.maximum(n, 1)
    centre = x + z2 / 2
    half = np.sqrt(z2 * (x * (size - x) / size + z2 / 4))
    lower = np.where(x == 0, 0.0, (centre - half) / (size + z2))
    upper = np.where(x == n, 1.0, (centre + half) / (size + z2))
    return _shaped(n == 0, lower, upper)


def newcombe(
    x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike, level: float = 0.95
) -> tuple[Shaped, Shaped]:
    """Newcombe's hybrid score interval for p1 - p0 from two Wilson intervals, no continuity correction.

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Proportions of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be, or a level outside 0 to 1.

    References
    ----------
    Newcombe (1998), Stat Med 17:873-890, method 10.

    Examples
    --------
    >>> [round(bound, 4) for bound in newcombe(48, 80, 56, 70)]
    [0.0524, 0.3339]
    """
    x0, n0, x1, n1 = _two_arms(x0, n0, x1, n1, level)
    (low0, high0), (low1, high1) = wilson(x0, n0, level), wilson(x1, n1, level)
    p0, p1 = x0 / np.maximum(n0, 1), x1 / np.maximum(n1, 1)
    lower = p1 - p0 - np.hypot(p1 - low1, high0 - p0)
    upper = p1 - p0 + np.hypot(high1 - p1, p0 - low0)
    return _shaped((n0 == 0) | (n1 == 0), lower, upper)


def miettinen_nurminen(
    x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike, level: float = 0.95
) -> tuple[Shaped, Shaped]:
    """Miettinen-Nurminen score interval for p1 - p0, with the variance factor N / (N - 1).

    Parameters
    ----------
    x0, n0, x1, n1 : int or array_like of int
        Events and children of the control and the active arm; any shapes that broadcast.
    level : float
        Confidence level.

    Returns
    -------
    lower, upper : float or numpy.ndarray
        Proportions of the broadcast shape; NaN where an arm is empty.

    Raises
    ------
    ValueError
        Counts that can't be, or a level outside 0 to 1.

    Notes
    -----
    Each bound is the difference at which the score statistic, with both probabilities at their maximum
    likelihood under that difference (closed form of the cubic), equals the normal quantile; found by bisection
    in [-1, 1].

    References
    ----------
    Miettinen & Nurminen (1985), Stat Med 4:213-226, equations 8 to 10; cubic as in Farrington & Manning (1990),
    Stat Med 9:1447-1454.

    Examples
    --------
    >>> [round(bound, 4) for bound in miettinen_nurminen(48, 80, 56, 70)]
    [0.0528, 0.3382]
    """
    x0, n0, x1, n1 = _two_arms(x0, n0, x1, n1, level)
    size0, size1 = np.maximum(n0, 1), np.maximum(n1, 1)
    z = stats.norm.isf((1 - level) / 2)
    difference = x1 / size1 - x0 / size0
    bounds = []
    for sign in (1.0, -1.0):
        inside, outside = difference.copy(), np.full_like(difference, -sign)
        for _ in range(60):
            middle = (inside + outside) / 2
            accepted = sign * _score(x0, size0, x1, size1, middle) <= z
            inside, outside = np.where(accepted, middle, inside), np.where(accepted, outside, middle)
        bounds.append((inside + outside) / 2)
    return _shaped((n0 == 0) | (n1 == 0), *bounds)


@dataclass(frozen=True)
class Agreement:
    """Agreement of two answers about the same children.

    Attributes
    ----------
    table : numpy.ndarray, shape (2, 2)
        Children, rows a = 0, 1 and columns b = 0, 1.
    n : int
        Children with both answers.
    agreement, agreement_lower, agreement_upper : float
        Share with the same answer, Wilson interval.
    kappa, kappa_lower, kappa_upper, se : float
        Cohen's kappa with its SE and interval; NaN with words in `message`.
    message : str
        What was left out or does not exist.

    Examples
    --------
    >>> agreement([1, 1, 0, 0], [1, 0, 0, 0]).table.tolist()
    [[2, 0], [1, 1]]
    """

    table: NDArray
    n: int
    agreement: float = np.nan
    agreement_lower: float = np.nan
    agreement_upper: float = np.nan
    kappa: float = np.nan
    kappa_lower: float = np.nan
    kappa_upper: float = np.nan
    se: float = np.nan
    message: str = ""


def agreement(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Agreement:
    """How far two yes-or-no answers about the same children agree: 2 x 2 table, agreement, Cohen's kappa.

    Parameters
    ----------
    a, b : array_like, shape (children,)
        0, 1 or NaN; children without both are left out and counted in the message.
    level : float
        Confidence level.

    Returns
    -------
    Agreement
        NaN with words where kappa or its interval is not defined.

    Raises
    ------
    ValueError
        Lengths that differ, other values, or a level outside 0 to 1.

    Notes
    -----
    The SE of kappa is the large-sample one, as in SAS PROC FREQ; the interval is normal, cut at -1 and 1.

    References
    ----------
    Cohen (1960), Educ Psychol Meas 20:37-46; Fleiss, Cohen & Everitt (1969), Psychol Bull 72:323-327.

    Examples
    --------
    >>> found = agreement([1, 1, 1, 0, 0, 0, 0, 1], [1, 1, 0, 0, 0, 0, 1, 1])
    >>> found.agreement, found.kappa
    (0.75, 0.5)
    """
    check_level(level)
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a and b must be of one length, got {a.shape} and {b.shape}")
    known = ~(np.isnan(a) | np.isnan(b))
    message = "" if known.all() else f"{int((~known).sum())} without both answers left out"
    a, b = a[known], b[known]
    if not (np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all()):
        raise ValueError("a and b must be 0, 1 or NaN")
    table = np.bincount((2 * a + b).astype(int), minlength=4).reshape(2, 2)
    n = int(table.sum())

    def worded(why: str) -> str:
        return "; ".join(part for part in (message, why) if part)

    if n == 0:
        return Agreement(table, n, message=worded("no child with both answers"))
    same = int(np.trace(table))
    found = Agreement(table, n, same / n, *wilson(same, n, level))
    share = table / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    chance = float(rows @ columns)
    if chance == 1:
        return replace(found, message=worded("one answer only: kappa is not defined"))
    observed = same / n
    kappa = (observed - chance) / (1 - chance)
    weight = (columns[:, None] + rows[None, :]) * (1 - kappa)
    on = (np.diag(share) * (1 - np.diag(weight)) ** 2).sum()
    off = (share * weight**2).sum() - (np.diag(share) * np.diag(weight) ** 2).sum()
    variance = (on + off - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    se = float(np.sqrt(max(variance, 0.0)))
    if se < 1e-9:
        return replace(found, kappa=kappa, message=worded("no variation: no interval for kappa"))
    half = stats.norm.isf((1 - level) / 2) * se
    lower, upper = float(max(-1.0, kappa - half)), float(min(1.0, kappa + half))
    return replace(found, kappa=kappa, kappa_lower=lower, kappa_upper=upper, se=se, message=message)


def score_variance(x0: NDArray, n0: NDArray, x1: NDArray, n1: NDArray, difference: NDArray) -> NDArray:
    """Variance of the observed difference where p1 - p0 is `difference`, as Miettinen and Nurminen take it.

    Parameters
    ----------
    x0, n0, x1, n1 : numpy.ndarray of int
        Events and children, no arm empty; one shape.
    difference : numpy.ndarray of float
        p1 - p0 that is asked about, the same shape.

    Returns
    -------
    numpy.ndarray of float
        The same shape.

    Raises
    ------
    ValueError
        Shapes that do not broadcast.

    Notes
    -----
    Both probabilities at their maximum likelihood under that difference, with the factor N / (N - 1).

    References
    ----------
    Miettinen & Nurminen (1985), Stat Med 4:213-226; cubic as in Farrington & Manning (1990), Stat Med 9:1447-1454.

    Examples
    --------
    >>> score_variance(*(np.array([v]) for v in (6, 20, 6, 20, 0.0))).round(4).tolist()
    [0.0215]
    """
    total, events = n0 + n1, x0 + x1
    # L3 p0^3 + L2 p0^2 + L1 p0 + L0 = 0 in the control arm's probability.
    l2 = (n1 + 2 * n0) * difference - total - events
    l1 = (n0 * difference - total - 2 * x0) * difference + events
    l0 = x0 * difference * (1 - difference)
    q = (l2 / (3 * total)) ** 3 - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    root = np.sqrt(np.maximum((l2 / (3 * total)) ** 2 - l1 / (3 * total), 0.0))
    p = np.where(q < 0, -root, root)
    cosine = np.divide(q, p**3, out=np.zeros_like(p), where=p != 0)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    p0 = np.clip(
        2 * p * np.cos(angle) - l2 / (3 * total), np.maximum(0, -difference), np.minimum(1, 1 - difference)
    )
    p1 = np.clip(p0 + difference, 0, 1)
    return (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)


def _score(x0: NDArray, n0: NDArray, x1: NDArray, n1: NDArray, difference: NDArray) -> NDArray:
    """Score statistic of H: p1 - p0 = difference, with Miettinen and Nurminen's N / (N - 1)."""
    variance = score_variance(x0, n0, x1, n1, difference)
    distance = x1 / n1 - x0 / n0 - difference
    # Without variance the difference is either exactly what was seen, or impossible.
    certain = np.where(np.abs(distance) < 1e-14, 0.0, np.copysign(np.inf, distance))
    return np.where(variance > 0, distance / np.sqrt(np.where(variance > 0, variance, 1.0)), certain)


def _counts(**values: ArrayLike) -> list[NDArray]:
    """Broadcast named counts to integer arrays; one message for anything that is not a count."""
    for name, value in values.items():
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" or np.any(~np.isfinite(array)) or np.any(array != np.floor(array)):
            raise ValueError(f"{name} must be whole numbers, got {value!r}")
        if np.any(array < 0):
            raise ValueError(f"{name} must not be negative, got {value!r}")
    try:
        arrays = np.broadcast_arrays(*values.values())
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in values.items())
        raise ValueError(f"counts of different shapes: {shapes}") from None
    return [array.astype(np.int64) for array in arrays]


def _within(x: NDArray, n: NDArray, x_name: str, n_name: str) -> None:
    if np.any(x > n):
        raise ValueError(f"{x_name} is larger than {n_name}: more events than children")


def _one_arm(x: ArrayLike, n: ArrayLike, level: float) -> tuple[NDArray, NDArray]:
    check_level(level)
    x, n = _counts(x=x, n=n)
    _within(x, n, "x", "n")
    return x, n


def _two_arms(
    x0: ArrayLike, n0: ArrayLike, x1: ArrayLike, n1: ArrayLike, level: float
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    check_level(level)
    x0, n0, x1, n1 = _counts(x0=x0, n0=n0, x1=x1, n1=n1)
    _within(x0, n0, "x0", "n0")
    _within(x1, n1, "x1", "n1")
    return x0, n0, x1, n1


def _shaped(empty: NDArray, lower: NDArray, upper: NDArray) -> tuple[Shaped, Shaped]:
    """Bounds, NaN for an empty arm, floats where all counts were scalars."""
    lower, upper = np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)
    return (float(lower), float(upper)) if lower.ndim == 0 else (lower, upper)
