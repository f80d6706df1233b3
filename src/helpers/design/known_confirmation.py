"""Time to confirmed remission against a known truth: who may count as at risk when children leave.

A remission that counts only if a later visit confirms it can't be seen at the last visits of a child. Children are
drawn over the trial's own visits, with the trial's own derivation of what is confirmed; the truth is what such
children would have shown had nobody left. (Where visits are missed they are missed in the truth too: a remission whose
confirming visit was missed is none there, which a curve can't know.)

Three ways to count are asked: dated at the first visit with everybody at risk to the last assessment (the naive one),
dated there with the risk set of the plan, and dated at the confirming visit. Once children leave whatever their course,
and once those whose UPCR does not fall leave sooner, which no risk set can mend.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from helpers.analysis import derive
from helpers.design.monte_carlo import summary
from helpers.estimators import discrete_time, survival
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS, months

DAYS = np.array([v.day for v in VISITS])
MONTHS = months(DAYS)
WITHIN, WANDER, NOISE = 0.6, 0.25, 0.35
"""SD of log UPCR between children, of its slow deviation and of a visit; the latter two near the plan's."""
HALF_LIFE = 42.0
"""Days, of the slow deviation."""
MEAN = -0.35
"""Mean log change of UPCR: about two children of five then remit in truth."""
MISSED = 0.05
"""Visits missed beside, where they are."""
LEAVE = (0.1, 0.4)
"""Children who leave within the year, by arm, where that depends on nothing."""
SOONER = 2.0
"""Hazard of leaving per standard deviation by which a child's own mean lies higher, where it depends on the outcome."""
HALF = np.log(0.5)
WAYS = {
    "naive": "everybody at risk to the last assessment",
    "risk set": "at risk where it could be confirmed",
    "confirming": "dated at the confirming visit",
}
TRUTH_CHILDREN = 2_000_000
"""Monte Carlo SE of the truth: 0.0004."""


@dataclass(frozen=True)
class Drawn:
    """Children by trial: index of the visit of the event or of censoring (-1: none), and whether it is one."""

    at: NDArray
    event: NDArray

    def counts(self) -> tuple[NDArray, NDArray]:
        """At risk and with an event at each visit: (trials, visits)."""
        visit = np.arange(len(DAYS))
        n_risk = (self.at[..., None] >= visit).sum(axis=-2)
        n_event = ((self.at[..., None] == visit) & self.event[..., None]).sum(axis=-2)
        return n_risk, n_event


def states(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    leave: float,
    informative: bool = False,
    missed: float = 0.0,
) -> tuple[NDArray, NDArray]:
    """State of remission at the visits, (*shape, visits): with those who left as unknown, and had nobody left."""
    own = WITHIN * rng.standard_normal(shape)
    wander = np.empty((*shape, len(DAYS)))
    wander[..., 0] = rng.standard_normal(shape)
    for k in range(1, len(DAYS)):
        rho = np.exp2((DAYS[k - 1] - DAYS[k]) / HALF_LIFE)
        wander[..., k] = rho * wander[..., k - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(shape)
    change = MEAN + own[..., None] + WANDER * wander + NOISE * rng.standard_normal(wander.shape)
    state = (change <= HALF).astype(np.int8)
    state[rng.random(state.shape) < missed] = -1
    hazard = -np.log1p(-leave) / DAYS[-1] * np.where(informative, SOONER ** (own / WITHIN), 1.0)
    gone = DAYS * hazard[..., None] > rng.standard_exponential(shape)[..., None]
    return np.where(gone, np.int8(-1), state), state


def counted(state: NDArray, way: str, p: Parameters) -> Drawn:
    """Event or censoring of children under one of `WAYS`, by the trial's own derivation."""
    by = derive.confirming(state, DAYS, p.confirm_days)
    index = derive.first(by >= 0)
    if way == "confirming":
        index = np.where(
            index >= 0, np.take_along_axis(by, np.maximum(index, 0)[..., None], axis=-1)[..., 0], -1
        )
    seen = derive.confirmable(state, DAYS, p.confirm_days) if way == "risk set" else state >= 0
    return Drawn(np.where(index >= 0, index, derive.last_seen(np.where(seen, 0, -1))), index >= 0)


def cumulative(found: Drawn) -> tuple[NDArray, NDArray, NDArray]:
    """1 - Kaplan-Meier at the end with its log-log limits, by trial; NaN limits where it is 0 or 1."""
    survivors, variance = discrete_time.kaplan_meier_counts(*found.counts())
    left, se = survivors[..., -1], np.sqrt(variance[..., -1])
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = stats.norm.ppf(0.975) * se / (left * np.abs(np.log(left)))
        low, high = 1 - left ** np.exp(-spread), 1 - left ** np.exp(spread)
    inside = (left > 0) & (left < 1)
    return 1 - left, np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def truth(p: Parameters, rng: np.random.Generator, missed: float) -> tuple[float, float]:
    """Share with a confirmed remission, and mean months without one up to the last visit that can begin one."""
    _, state = states((TRUTH_CHILDREN,), rng, 0.0, missed=missed)
    found = counted(state, "risk set", p)
    month = np.where(found.event, MONTHS[np.maximum(found.at, 0)], np.inf)
    return float(found.event.mean()), float(np.minimum(month, MONTHS[-2]).mean())


def study(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict]:
    """Rows of `known_truth.run`: bias and coverage of the curve's end, of RMST, and the log-rank test's size."""
    p = Parameters()
    mean = truth(p, rng, 0.0)[1]
    for informative, missed, words in (
        (False, 0.0, f"{100 * LEAVE[1]:g} % leave whatever the course"),
        (False, MISSED, f"the same, and {100 * MISSED:g} % of visits missed"),
        (True, 0.0, "those without a fall leave sooner"),
    ):
        seen, _ = states((10 * trials, n), rng, LEAVE[1], informative, missed)
        share = truth(p, rng, missed)[0]
        for way, how in WAYS.items():
            estimate, low, high = cumulative(counted(seen, way, p))
            hits = [bool(a <= share <= b) if np.isfinite(a) else None for a, b in zip(low, high, strict=True)]
            yield summary(f"Confirmed remission by month 12, {how}; {words}", share, estimate, hits)
    seen = np.stack([states((trials, n), rng, leave)[0] for leave in LEAVE], axis=1)
    arm = np.repeat([0, 1], n)
    for way in ("naive", "risk set"):
        found = counted(seen, way, p)
        time = np.where(found.at >= 0, MONTHS[np.maximum(found.at, 0)], 0.0).reshape(trials, 2 * n)
        event = found.event.reshape(trials, 2 * n).astype(int)
        tests = [survival.logrank(t, e, arm).p for t, e in zip(time, event, strict=True)]
        unequal = f"{100 * LEAVE[0]:g} and {100 * LEAVE[1]:g} % leave"
        yield summary(
            f"Log-rank test of confirmed remission, {WAYS[way]}; {unequal}",
            0.0,
            rejected=[bool(one <= 0.05) for one in tests if np.isfinite(one)],
        )
        if way == "naive":
            continue
        # equal arms: the difference is 0, and each arm's mean is the truth
        means = [
            survival.rmst(t[arm == 1], e[arm == 1], MONTHS[-2]) for t, e in zip(time, event, strict=True)
        ]
        hits = [bool(m.lower <= mean <= m.upper) if np.isfinite(m.lower) else None for m in means]
        yield summary(f"Mean time without confirmed remission, {WAYS[way]}; {100 * LEAVE[1]:g} % leave", mean,
                      [m.estimate for m in means], hits)  # fmt: skip
        ratios = []
        for t, e in list(zip(time, event, strict=True))[: max(50, trials // 4)]:
            table = discrete_time.person_period(t, e, arm, MONTHS)
            ratios.append(
                discrete_time.discrete_hazard_ratio(table["y"], table["arm"], np.log(table["time"]))
            )
        yield summary(f"Log hazard ratio of confirmed remission, {WAYS[way]}; {unequal}", 0.0,
                      [r.log_ratio for r in ratios], [bool(r.lower <= 1 <= r.upper) for r in ratios])  # fmt: skip
