"""Closed forms and enumerations of what a two-arm trial may show: power, looks, boundaries, assurance.

They know nothing of this trial; `design` sets them beside what it simulates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.estimators import proportions


@dataclass(frozen=True)
class Sides:
    """Chances that a two-sided test is significant.

    Attributes
    ----------
    above, below : float
        With an estimate above the null value, and below it.

    Examples
    --------
    >>> Sides(0.8, 0.0).above
    0.8
    """

    above: float
    below: float


def t_power(effect: float, se: float, df: float, alpha: float = 0.05) -> Sides:
    """Power of a two-sided t-test by the noncentral t distribution.

    Parameters
    ----------
    effect, se : float
        True value and standard error of the estimate, one unit.
    df : float
        Degrees of freedom of the standard error.
    alpha : float
        Two-sided level.

    Returns
    -------
    Sides

    Raises
    ------
    ValueError
        A standard error or degrees of freedom that are not above 0.

    References
    ----------
    Johnson, Kotz & Balakrishnan (1995), Continuous Univariate Distributions 2, chapter 31.

    Examples
    --------
    Half a standard deviation with 64 a group:

    >>> round(t_power(0.5, (2 / 64) ** 0.5, 126).above, 2)
    0.8
    """
    if not (se > 0 and df > 0):
        raise ValueError(f"se = {se}, df = {df}: expected numbers above 0")
    at = stats.t.isf(alpha / 2, df)
    return Sides(float(stats.nct.sf(at, df, effect / se)), float(stats.nct.cdf(-at, df, effect / se)))


def logrank_power(log_hazard_ratio: float, events: float, share: float = 0.5, alpha: float = 0.05) -> Sides:
    """Power of the two-sided log-rank test from the number of events.

    Parameters
    ----------
    log_hazard_ratio : float
        Of the active arm, under proportional hazards.
    events : float
        Expected in both arms together.
    share : float
        Of the children in the active arm.
    alpha : float
        Two-sided level.

    Returns
    -------
    Sides
        above: significant with the events earlier in the active arm.

    Raises
    ------
    ValueError
        No events, or a share that is not between 0 and 1.

    References
    ----------
    Schoenfeld (1981), Biometrika 68:316-319.

    Examples
    --------
    Of a hazard ratio of 2 it finds 80 % with 65.3 events: (1.96 + 0.8416)^2 / (0.25 log(2)^2).

    >>> round(logrank_power(np.log(2), 65.35).above, 3)
    0.8
    """
    if not (events > 0 and 0 < share < 1):
        raise ValueError(
            f"events = {events}, share = {share}: expected events above 0, a share between 0 and 1"
        )
    drift = log_hazard_ratio * np.sqrt(events * share * (1 - share))
    at = stats.norm.isf(alpha / 2)
    return Sides(float(stats.norm.sf(at - drift)), float(stats.norm.cdf(-at - drift)))


def adjusted_sd(covariance: ArrayLike, weights: ArrayLike) -> float:
    """Standard deviation of a weighted mean of visits given baseline: what an analysis of covariance leaves.

    Parameters
    ----------
    covariance : array_like, shape (1 + visits, 1 + visits)
        Of baseline and the visits within an arm.
    weights : array_like, shape (visits,)
        Sum 1.

    Returns
    -------
    float
        In the unit of the outcome.

    Raises
    ------
    ValueError
        Shapes that do not fit.

    References
    ----------
    Frison & Pocock (1992), Stat Med 11:1685-1704.

    Examples
    --------
    Compound symmetry with correlation 0.7, three visits after one baseline: (1 + 2 rho) / 3 - rho^2.

    >>> same = np.full((4, 4), 0.7) + 0.3 * np.eye(4)
    >>> round(adjusted_sd(same, [1 / 3] * 3) ** 2, 4), round((1 + 2 * 0.7) / 3 - 0.7**2, 4)
    (0.31, 0.31)
    """
    whole, share = np.asarray(covariance, float), np.asarray(weights, float)
    if whole.shape != (len(share) + 1,) * 2:
        raise ValueError(
            f"covariance {whole.shape}: expected {(len(share) + 1,) * 2} for {len(share)} weights"
        )
    with_base = float(share @ whole[1:, 0])
    return float(np.sqrt(share @ whole[1:, 1:] @ share - with_base**2 / whole[0, 0]))


def exact_power(x: ArrayLike, n: tuple[int, int], alpha: float = 0.05, test: str = "boschloo") -> Sides:
    """Power of an exact test of two shares, by enumeration of all tables.

    Parameters
    ----------
    x : array_like, shape (2,)
        True shares with the event, control and active.
    n : tuple of int
        Children in each.
    alpha : float
        Two-sided level.
    test : str
        "boschloo", "fisher" or "barnard".

    Returns
    -------
    Sides
        above: significant with more events in the active arm.

    Raises
    ------
    ValueError
        An unknown test.

    References
    ----------
    Mehrotra, Chan & Berger (2003), Biometrics 59:441-450, enumerate in the same way.

    Examples
    --------
    >>> found = exact_power((0.15, 0.15), (20, 20))
    >>> round(found.above, 4) == round(found.below, 4) < 0.025
    True
    """
    chance = np.outer(*(_binomial(m, share) for m, share in zip(n, np.asarray(x, float), strict=True)))
    side = _verdicts(n, alpha, test)
    return Sides(float(chance[side > 0].sum()), float(chance[side < 0].sum()))


def _binomial(n: int, share: float) -> NDArray:
    return np.asarray(stats.binom.pmf(np.arange(n + 1), n, share))


def _verdicts(n: tuple[int, int], alpha: float, test: str) -> NDArray:
    """+1 where a table is significant with more events in the active arm, -1 with fewer, else 0: (n0 + 1, n1 + 1)."""
    shares = [np.arange(m + 1) / m for m in n]
    side = np.sign(shares[1][None, :] - shares[0][:, None])
    return np.where(proportions.exact_tables(*n, test) <= alpha, side, 0).astype(int)


@dataclass(frozen=True)
class Look:
    """What a look at part of the children may lead to, by enumeration.

    Attributes
    ----------
    early, late, either : float
        Significant in favour of the active arm at the look, at the end, and at one of them.
    futile : float
        Conditional power at the look below what was asked.
    lost : float
        Significant at the end although futile at the look.

    Examples
    --------
    >>> Look(0.1, 0.5, 0.52, 0.2, 0.01).either
    0.52
    """

    early: float
    late: float
    either: float
    futile: float
    lost: float


def look(
    x: tuple[float, float],
    first: tuple[int, int],
    n: tuple[int, int],
    alpha: float = 0.05,
    assumed: tuple[float, float] | None = None,
    least: float = 0.2,
    test: str = "boschloo",
) -> Look:
    """One unadjusted look at the first children of a trial with an exact test, all paths enumerated.

    Parameters
    ----------
    x : tuple of float
        True shares, control and active.
    first, n : tuple of int
        Children at the look and at the end, control and active.
    alpha : float
        Two-sided level of both tests.
    assumed : tuple of float, optional
        Shares under which the look asks for conditional power; `x` where not given.
    least : float
        A trial with less conditional power is called futile.
    test : str
        As in `exact_power`.

    Returns
    -------
    Look

    Raises
    ------
    ValueError
        A look at no child, or at as many as the whole trial has.

    References
    ----------
    Jennison & Turnbull (2000), Group Sequential Methods, chapters 2 and 10.

    Examples
    --------
    Looking twice at 5 % without adjustment costs level:

    >>> found = look((0.3, 0.3), (20, 20), (40, 40))
    >>> found.either > found.late
    True
    """
    if not all(0 < few < whole for few, whole in zip(first, n, strict=True)):
        raise ValueError(
            f"first = {first} of n = {n}: expected at least one child, and fewer than all, in each arm"
        )
    rest = (n[0] - first[0], n[1] - first[1])
    at_look, at_end = _verdicts(first, alpha, test), _verdicts(n, alpha, test)
    won = at_end > 0
    ahead = conditional_power(assumed or x, first, n, alpha, test)
    begin = np.outer(_binomial(first[0], x[0]), _binomial(first[1], x[1]))
    later = np.outer(_binomial(rest[0], x[0]), _binomial(rest[1], x[1]))
    after = _shifted(won, later, first)
    early, futile = at_look > 0, ahead < least
    return Look(
        early=float(begin[early].sum()),
        late=float((begin * after).sum()),
        either=float(begin[early].sum() + (begin * after)[~early].sum()),
        futile=float(begin[futile].sum()),
        lost=float((begin * after)[futile].sum()),
    )


def conditional_power(
    x: tuple[float, float],
    first: tuple[int, int],
    n: tuple[int, int],
    alpha: float = 0.05,
    test: str = "boschloo",
) -> NDArray:
    """Chance that an exact test is significant for the active arm at the end, given the table at a look.

    Parameters
    ----------
    x : tuple of float
        Shares of the children still to come, control and active.
    first, n : tuple of int
        Children at the look and at the end.
    alpha, test
        As in `exact_power`.

    Returns
    -------
    numpy.ndarray, shape (first[0] + 1, first[1] + 1)
        By events in the control and in the active arm at the look.

    Raises
    ------
    ValueError
        An unknown test.

    References
    ----------
    Lan, Simon & Halperin (1982), Commun Stat C 1:207-219.

    Examples
    --------
    >>> ahead = conditional_power((0.2, 0.5), (10, 10), (20, 20))
    >>> bool(ahead[0, 10] > ahead[0, 5] > ahead[5, 5])
    True
    """
    rest = (n[0] - first[0], n[1] - first[1])
    later = np.outer(_binomial(rest[0], x[0]), _binomial(rest[1], x[1]))
    return _shifted(_verdicts(n, alpha, test) > 0, later, first)


def _shifted(won: NDArray, later: NDArray, first: tuple[int, int]) -> NDArray:
    """Chance of a winning table at the end, by the table at the look: (first[0] + 1, first[1] + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(won, later.shape)
    found = np.einsum("ijkl,kl->ij", windows.astype(float), later)
    return np.asarray(found[: first[0] + 1, : first[1] + 1])


@dataclass(frozen=True)
class Boundary:
    """Events at which to stop, after each child.

    Attributes
    ----------
    events : numpy.ndarray of int, shape (children,)
        Least number that stops after the m-th child; more than m where nothing does.

    Examples
    --------
    >>> stopping_boundary(0.05, 20).events[:6].tolist()
    [1, 2, 2, 2, 2, 2]
    """

    events: NDArray

    def chance(self, rate: float) -> float:
        """Chance that the boundary is reached by the last child, where each has the event with this chance."""
        still = np.zeros(len(self.events) + 2)
        still[0] = 1.0
        stopped = 0.0
        for limit in self.events:
            still = still * (1 - rate) + np.concatenate([[0.0], still[:-1]]) * rate
            stopped += float(still[limit:].sum())
            still[limit:] = 0.0
        return stopped


def stopping_boundary(rate: float, n: int, level: float = 0.05) -> Boundary:
    """Events among the first m children that a tolerated rate makes unlikely, m = 1 to n.

    Parameters
    ----------
    rate : float
        Tolerated share of children with the event.
    n : int
        Children followed one after the other.
    level : float
        Stops where so many events or more have at most this chance under `rate`, one-sided at each child: the chance
        over all children, `Boundary.chance(rate)`, is larger.

    Returns
    -------
    Boundary

    Raises
    ------
    ValueError
        A rate or level outside 0 to 1, or no child.

    References
    ----------
    Goldman & Hannan (2001), Stat Med 20:1575-1589, on repeated exact boundaries for toxicity.

    Examples
    --------
    >>> found = stopping_boundary(0.1, 20)
    >>> bool(0.05 < found.chance(0.1) < found.chance(0.3))
    True
    """
    if not (0 < rate < 1 and 0 < level < 1 and n >= 1):
        raise ValueError(
            f"rate = {rate}, level = {level}, n = {n}: expected shares between 0 and 1 and a child"
        )
    children = np.arange(1, n + 1)
    events = np.arange(n + 2)
    tail = stats.binom.sf(events[None, :] - 1, children[:, None], rate)
    return Boundary(np.argmax(tail <= level * (1 + 1e-9), axis=1))


@dataclass(frozen=True)
class Assurance:
    """Chance of success over a prior for the effect.

    Attributes
    ----------
    success : float
        Significant in favour.
    largest : float
        The prior chance that there is an effect in favour, which no power can exceed.
    true : float
        Chance that a significant result in favour is of a true effect.

    Examples
    --------
    >>> Assurance(0.3, 0.5, 0.95).largest
    0.5
    """

    success: float
    largest: float
    true: float


def assurance(
    power: Callable[[NDArray], NDArray], none: float, mean: float, sd: float, nodes: int = 81
) -> Assurance:
    """Power averaged over a prior: a share without an effect, the rest normal on the log ratio.

    Parameters
    ----------
    power : callable
        Log ratios, (nodes,), 0 = no effect and below it in favour -> chance of significance in favour.
    none : float
        Prior share of no effect at all.
    mean, sd : float
        Of the log ratio otherwise.
    nodes : int
        Of the Gauss-Hermite rule.

    Returns
    -------
    Assurance

    Raises
    ------
    ValueError
        A share outside 0 to 1, or an SD that is not above 0.

    References
    ----------
    O'Hagan, Stevens & Campbell (2005), Pharm Stat 4:187-201.

    Examples
    --------
    A test that always finds an effect in favour, and never anything else:

    >>> found = assurance(lambda log_ratio: (log_ratio < 0).astype(float), 0.5, np.log(0.75), 0.25)
    >>> round(found.largest, 3), round(found.true, 9)
    (0.438, 1.0)
    """
    if not (0 <= none <= 1 and sd > 0):
        raise ValueError(f"none = {none}, sd = {sd}: expected a share from 0 to 1 and an SD above 0")
    at, weight = np.polynomial.hermite_e.hermegauss(nodes)
    log_ratio, weight = mean + sd * at, (1 - none) * weight / weight.sum()
    found = power(log_ratio)
    real = float((weight * found)[log_ratio < 0].sum())
    success = float((weight * found).sum()) + none * float(power(np.zeros(1))[0])
    largest = (1 - none) * float(stats.norm.cdf(-mean / sd))
    return Assurance(success, largest, real / success if success > 0 else float("nan"))
