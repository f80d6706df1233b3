"""Simulated figures of chapter 08 beside closed forms and enumerations of the same question.

Agreement says that simulator, derivations and estimators do what they claim; where the two differ by more than chance
the closed form leaves something out, and the chapter says what.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from helpers.analysis import derive
from helpers.analysis.sequence import HALF_YEAR
from helpers.design import operating
from helpers.design.operating import ANALYSES, PRIMARY, WHOLE
from helpers.estimators import planning
from helpers.estimators.batches import Answers
from helpers.study.parameters import Parameters
from helpers.trial import conduct
from helpers.trial.conduct import DAYS

Row = dict[str, Any]
Asked = dict[tuple[float, int, str], Answers]
AVERAGE, LAST, TIME = "ancova average", "ancova month 12", "log-rank"
STABLE: dict[str, Any] = WHOLE | {
    "upcr_effect": 1.0, "upcr_effect_sd": 0.0, "upcr_wander": 0.0, "upcr_noise_power": 0.0, "upcr_drift": 0.0,
    "upcr_drift_sd": 0.0, "ras_change_placebo": 0.0, "ras_change_msc": 0.0, "ras_stop_rate": 0.0, "rescue_rate": 0.0,
    "ras_half_life": 1.0, "ras_recent": 0.0, "infection_rate": 0.0, "infection_recent": 0.0, "fever_msc": 0.0,
    "fever_placebo": 0.0, "upcr_level": 10.0,
}  # fmt: skip
"""Nothing moves a child's UPCR but independent noise of the samples, far above every threshold."""


def rows(p: Parameters, trials: int, children: int) -> Iterator[Row]:
    """Pairs of a simulated and an exact figure, a row a question.

    p: the scenario; trials: simulated; children: of the giant trials behind closed forms.

    Returns rows of question; effect (NaN where none is meant); simulated, se (Monte Carlo), exact; unit ("%", "log").
    ", complete": trials in which nobody misses a visit or leaves, as the closed form assumes.
    """
    effects = sorted({1.0, p.upcr_effect}, reverse=True)
    names = [PRIMARY, AVERAGE, LAST, TIME]
    found = operating.answers(p, trials, analyses=names, effects=effects)
    complete = p.model_copy(update=WHOLE)
    whole = operating.answers(complete, trials, analyses=[AVERAGE, LAST], effects=effects)
    shares, events = _counted(p, trials, effects)
    known = _closed(p, children, effects)
    n, arms = p.n_randomised, operating.arms(p, p.n_randomised)
    for effect in effects:

        def power(name: str, exact: float, seen: Asked, words: str = "", effect: float = effect) -> Row:
            hits = operating.favours(name, seen[effect, n, name], p.alpha) > 0
            se = _binomial_se(exact, len(hits))
            return _row(f"power {name}{words}", effect, 100 * hits.mean(), 100 * se, 100 * exact, "%")

        yield power(PRIMARY, planning.exact_power(shares[effect], arms, p.alpha).above, found)
        for name in (AVERAGE, LAST):
            value, sd = known[effect, name]
            # of a baseline that is estimated along with the arms (Frison and Pocock)
            se = sd * np.sqrt((1 / arms[0] + 1 / arms[1]) * (1 + 1 / (n - 4)))
            estimates = whole[effect, n, name].estimate
            spread = float(np.nanstd(estimates, ddof=1))
            count = int(np.isfinite(estimates).sum())
            yield _row(f"se {name}", effect, spread, spread / np.sqrt(2 * (count - 1)), se, "log")
            exact = planning.t_power(-value, se, n - 3, p.alpha).above
            yield power(name, exact, whole, ", complete")
            yield power(name, exact, found)
        ratio, _ = known[effect, TIME]
        if np.isfinite(ratio) and events[effect] > 0:
            yield power(
                TIME, planning.logrank_power(ratio, events[effect], arms[1] / n, p.alpha).above, found
            )
    yield from _fever(p, trials)
    yield from _false(p, trials)


def _binomial_se(share: float, count: int) -> float:
    """Standard error of a simulated share; of a share that is never seen, that of half a hit."""
    return float(np.sqrt(max(share * (1 - share), 0.5 / count) / count))


def _row(question: str, effect: float, simulated: float, se: float, exact: float, unit: str) -> Row:
    return {
        "question": question, "effect": effect, "simulated": float(simulated), "se": float(se), "exact": float(exact),
        "unit": unit,
    }  # fmt: skip


def _counted(
    p: Parameters, trials: int, effects: list[float]
) -> tuple[dict[float, tuple[float, float]], dict[float, float]]:
    """Shares of the arms in confirmed remission, and mean number of such events a trial, by effect."""
    total = {effect: np.zeros(5) for effect in effects}
    for enrolled, streams in operating.chunks(p, trials, p.n_randomised):
        for effect in effects:
            t = operating.followed(p, enrolled, streams, **operating.of_effect(effect))
            counts = [part.sum() for part in t.counts(t.remission.confirmed >= 0)]
            total[effect] += [*counts, len(t.arm)]
    shares = {e: (float(x0 / n0), float(x1 / n1)) for e, (x0, n0, x1, n1, _) in total.items()}
    return shares, {e: float((x0 + x1) / count) for e, (x0, _, x1, _, count) in total.items()}


def _closed(
    p: Parameters, children: int, effects: list[float]
) -> dict[tuple[float, str], tuple[float, float]]:
    """(effect, analysis) -> (true value, SD of the outcome given baseline within an arm), everything known."""
    parts: dict[tuple[float, str], list[tuple[float, float]]] = {}
    weights = {AVERAGE: _trapezoid(), LAST: np.eye(len(DAYS))[-1]}
    for effect, one in operating.giants(p, children, effects):
        logs = np.concatenate([one.log_base[0][:, None], one.log_upcr[0]], axis=1)
        inside = [np.cov(logs[one.arm[0] == arm], rowvar=False) for arm in (0, 1)]
        for name in (AVERAGE, LAST):
            # both variances weigh alike in the difference of two means of equal size
            sd = planning.adjusted_sd((inside[0] + inside[1]) / 2, weights[name])
            parts.setdefault((effect, name), []).append((float(ANALYSES[name].ask(one).estimate[0]), sd))
        parts.setdefault((effect, TIME), []).append((float(ANALYSES[TIME].ask(one).estimate[0]), np.nan))
    return {
        key: (float(np.mean([v for v, _ in values])), float(np.mean([s for _, s in values])))
        for key, values in parts.items()
    }


def _trapezoid() -> NDArray:
    """Weight of each visit in the average over time, where all are attended."""
    return np.asarray(derive.time_weighted(np.eye(len(DAYS)), DAYS, HALF_YEAR))


def _fever(p: Parameters, trials: int) -> Iterator[Row]:
    """Chance that at least one child on hUC-MSC has a fever within 24 h of an infusion, halves in the arms."""
    seen, exact = [], []
    one = 1 - (1 - p.fever_msc * (1 - p.infusion_not_given)) ** 2
    for enrolled, streams in operating.chunks(p, trials, p.n_randomised):
        f = conduct.follow(p.model_copy(update={"n_randomised": enrolled.shape[1]}), enrolled, streams)
        active = f.arm == 1
        seen.append((f.fevers.any(axis=-1) & active).any(axis=1))
        exact.append(1 - (1 - one) ** active.sum(axis=1))
    hits, chance = np.concatenate(seen), float(np.concatenate(exact).mean())
    se = _binomial_se(chance, len(hits))
    yield _row("fever", np.nan, 100 * hits.mean(), 100 * se, 100 * chance, "%")


def _false(p: Parameters, trials: int) -> Iterator[Row]:
    """Share of stable children whom the noise of their samples puts into confirmed remission."""
    if p.remission_definition != "fall":
        return
    quiet = p.model_copy(update=STABLE)
    hits = count = 0
    for enrolled, streams in operating.chunks(quiet, trials, p.n_randomised):
        found = operating.followed(quiet, enrolled, streams).remission
        hits += int((found.confirmed >= 0).sum())
        count += int(found.evaluable.sum())
    exact = false_remission(quiet)
    se = _binomial_se(exact, count)
    yield _row("false remission", np.nan, 100 * hits / count, 100 * se, 100 * exact, "%")


def false_remission(p: Parameters, nodes: int = 101) -> float:
    """Chance that a stable child is in confirmed remission by independent noise of its samples alone.

    Every visit attended, remission by a fall, the SD of the noise the same at every level. The integral over the noise
    of baseline (Gauss-Hermite) of the chance of those sequences of visits, of all 2^11, that the plan calls confirmed.
    """
    sd = float(np.clip(p.upcr_noise, p.upcr_noise_min, p.upcr_noise_max))
    states = np.array(list(product((0, 1), repeat=len(DAYS))), np.int8)
    confirmed = derive.confirmed(states, DAYS, p.confirm_days).any(axis=1)
    ways = np.bincount(states.sum(axis=1)[confirmed], minlength=len(DAYS) + 1)
    at, weight = np.polynomial.hermite_e.hermegauss(nodes)
    before = at * (sd / np.sqrt(2) if p.baseline_samples == "mean of both" else sd)
    low = stats.norm.cdf((np.log(1 - p.remission_fall) + before) / sd) if sd else np.zeros(nodes)
    times = np.arange(len(DAYS) + 1)
    chance = (ways * low[:, None] ** times * (1 - low[:, None]) ** (len(DAYS) - times)).sum(axis=1)
    return float((weight * chance).sum() / weight.sum())
