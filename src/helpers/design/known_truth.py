"""Estimators against a truth that is known: coverage, bias and type I error at 20 and at 400 children an arm.

Trials are drawn from models of which every true value is known, and each estimator is asked about them. The
answer takes minutes, so it is stored in `data/reference/stored/known_truth.json` with the digest of the code
behind it: `python -m helpers.design.renewal known_truth` computes and stores it again; the validation chapter
shows what is stored, and says so where it belongs to other code. Exact tests need no simulation at 20 an arm:
their size is a sum over all tables.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.design import stored
from helpers.estimators import discrete_time, imputation, interval_censored, mixed, proportions, survival
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR

SEED = 20261122
SIZES = (20, 400)
DAYS = np.array([14.0, 56, 152, 244, 365])
MONTHS = np.array([0.46, 0.92, 1.38, 1.84, 2.99, 4.01, 4.99, 6.01, 8.02, 9.99, 11.99])
TRIALS = {20: 1000, 400: 400}
"""Trials of each size: the Monte Carlo interval of a coverage of 95 % is then +-1.4 and +-2.1 points."""
P0, P1 = 0.15, 0.40
HAZARD, LOG_RATIO = 0.02, np.log(2.5)
EFFECT, SLOPE = -0.4, 1.5
MEASURED = (
    "bias",
    "bias_se",
    "coverage",
    "coverage_lower",
    "coverage_upper",
    "type1",
    "type1_lower",
    "type1_upper",
)


def compute(_: object = None) -> dict:
    """{"seed": ..., "rows": ...} of `run`, at six decimals; it takes minutes and depends on no parameter."""
    return {"seed": SEED, "rows": [row for name in PARTS for row in part(None, name)["rows"]]}


def part(_: object, name: str) -> dict:
    """The rows of one of `PARTS`, a study and a size."""
    study, n = name.split()
    rows = run(only=study, sizes=(int(n),))
    return {"rows": [{k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()} for row in rows]}


def run(trials: dict[int, int] | None = None, only: str = "", sizes: tuple[int, ...] = SIZES) -> list[dict]:
    """A row per method and size: method, n (an arm), trials, truth, bias with its Monte Carlo SE, coverage and type I
    error (%) with Wilson's limits over the trials; None where a method has no such thing.

    `trials`: number by size (default `TRIALS`); `only`: the studies whose name begins so. Deterministic.
    """
    rows = []
    for n in sizes:
        count = (trials or TRIALS)[n]
        for name, study in STUDIES.items():
            if name.startswith(only):
                rng = np.random.default_rng(
                    np.random.SeedSequence(SEED, spawn_key=(zlib.crc32(name.encode()), n))
                )
                rows += [{"n": n, **row} for row in study(n, count, rng)]
    return rows


def exact_size(n: int, method: str) -> tuple[float, float]:
    """Largest probability of p <= 0.05 without a difference over the common probability, and that at `P0`."""
    rejected = (proportions.exact_tables(n, n, method) <= 0.05).astype(float)
    return _probability(rejected, n, np.linspace(0.001, 0.999, 999)).max(), _probability(rejected, n, [P0])[0]


def _probability(cells: NDArray, n: int, common: ArrayLike) -> NDArray:
    chance = stats.binom.pmf(np.arange(n + 1)[:, None], n, common)
    return np.einsum("ap,ab,bp->p", chance, cells, chance)


def summary(
    method: str,
    truth: float | None,
    estimates: Iterable[float] | None = None,
    covered: Iterable[bool | None] | None = None,
    rejected: Iterable[bool | None] | None = None,
) -> dict[str, Any]:
    """A row of `run` without its size, from one value a trial.

    estimates: numbers, NaN where there is none; covered, rejected: booleans, None where there is none. What is missing
    is left out; estimates that are missing are counted as failed.
    """
    row = {"method": method, "truth": truth, "trials": 0, "failed": 0} | dict.fromkeys(MEASURED)
    if estimates is not None:
        found = np.array([*estimates], float)
        good = np.isfinite(found)
        row |= {
            "trials": len(good),
            "failed": int((~good).sum()),
            "bias": float(found[good].mean() - truth),
            "bias_se": float(found[good].std(ddof=1) / np.sqrt(good.sum())),
        }
    for name, hits in (("coverage", covered), ("type1", rejected)):
        if hits is not None:
            hits = np.array([h for h in hits if h is not None], float)
            row["trials"] = row["trials"] or len(hits)
            low, high = proportions.wilson(int(hits.sum()), len(hits))
            row |= {name: 100 * hits.mean(), f"{name}_lower": 100 * low, f"{name}_upper": 100 * high}
    return row


def _asked(trials: int, truth: float, ask: Callable, null: Callable | None = None) -> tuple[list, list, list]:
    """Estimates and coverage of `ask()`, rejections of `null()`; both return an estimate with interval and p."""
    estimates, covered, rejected = [], [], []
    for _ in range(trials):
        found = ask()
        estimates.append(found.estimate)
        covered.append(bool(found.lower <= truth <= found.upper) if np.isfinite(found.lower) else None)
        if null is not None:
            p = null().p
            rejected.append(bool(p <= 0.05) if np.isfinite(p) else None)
    return estimates, covered, rejected


def _proportions(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    trials *= 10
    x0, x1 = (rng.binomial(n, p, trials) for p in (P0, P1))
    for name, interval in (
        ("Difference, Miettinen-Nurminen", proportions.miettinen_nurminen),
        ("Difference, Newcombe", proportions.newcombe),
    ):
        lower, upper = interval(x0, n, x1, n)
        yield summary(name, P1 - P0, (x1 - x0) / n, (lower <= P1 - P0) & (upper >= P1 - P0))
    for name, interval in (
        ("One arm, Wilson", proportions.wilson),
        ("One arm, Clopper-Pearson", proportions.clopper_pearson),
    ):
        lower, upper = interval(x1, n)
        yield summary(name, P1, x1 / n, (lower <= P1) & (upper >= P1))
    for name in ("boschloo", "fisher", "barnard"):
        label = {"boschloo": "Boschloo's test", "fisher": "Fisher's test", "barnard": "Barnard's test"}[name]
        if n <= 100:
            top, here = exact_size(n, name)
            row = summary(f"{label}, exact, at {100 * P0:g} % in both arms", P0) | {"type1": 100 * here}
            yield row | {"trials": None}
            yield summary(f"{label}, exact, largest over all probabilities", None) | {
                "type1": 100 * top,
                "trials": None,
            }


def _times(
    n: int, rng: np.random.Generator, log_ratio: float
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Time at visits, event, arm, and interval ends: grouped proportional hazards, a quarter leave early."""
    arm = np.repeat([0, 1], n)
    scale = 1 / (HAZARD * np.exp(log_ratio * arm))
    event_at = np.searchsorted(MONTHS, rng.exponential(scale))
    last = np.where(rng.random(2 * n) < 0.25, rng.integers(0, len(MONTHS), 2 * n), len(MONTHS) - 1)
    event = (event_at <= last).astype(int)
    seen = np.minimum(event_at, last)
    edges = np.append(0.0, MONTHS)
    left = np.where(event == 1, edges[seen], MONTHS[seen])
    return MONTHS[seen], event, arm, left, np.where(event == 1, MONTHS[seen], np.inf)


def _survival(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    tau, ratio = MONTHS[-1], np.exp(LOG_RATIO)
    gone = [1 - np.exp(-HAZARD * r * tau) for r in (1, ratio)]
    # Seen at visits only: survival is a step function between them.
    steps = [np.exp(-HAZARD * r * np.append(0.0, MONTHS[:-1])) for r in (1, ratio)]
    means = [float((s * np.diff(np.append(0.0, MONTHS))).sum()) for s in steps]
    data = [_times(n, rng, LOG_RATIO) for _ in range(trials)]
    nulls = [_times(n, rng, 0.0) for _ in range(trials)]
    share, mean = gone[1] - gone[0], means[1] - means[0]

    def cumulative(method: str) -> Callable[[tuple[NDArray, ...]], survival.Estimate]:
        return lambda d: survival.cumulative_difference(d[0], d[1], d[2], tau, method=method)

    for name, truth, ask in (
        ("Cumulative difference at month 12, Greenwood", share, cumulative("greenwood")),
        ("Cumulative difference at month 12, log-log", share, cumulative("log-log")),
        ("Restricted mean time, difference", mean, lambda d: survival.rmst_difference(d[0], d[1], d[2], tau)),
    ):
        found = iter([ask(d) for d in data])
        test = None if "log-log" in name else iter([ask(d) for d in nulls]).__next__
        yield summary(name, truth, *(part or None for part in _asked(trials, truth, found.__next__, test)))
    p = np.array([survival.logrank(*d[:3]).p for d in nulls])
    yield summary("Log-rank test", 0.0, rejected=p[np.isfinite(p)] <= 0.05)
    some = max(50, trials // 2)
    estimates, covered = [], []
    for time, event, arm, *_ in data[:some]:
        rows = discrete_time.person_period(time, event, arm, MONTHS)
        gaps = np.log(np.diff(np.append(0.0, MONTHS)))[rows["period"]]
        fit = discrete_time.discrete_hazard_ratio(
            rows["y"], rows["arm"], np.column_stack([gaps, np.log(rows["time"])])
        )
        estimates.append(fit.log_ratio)
        covered.append(bool(fit.lower <= ratio <= fit.upper))
    yield summary("Discrete-time log hazard ratio, Firth, profile interval", LOG_RATIO, estimates, covered)
    estimates, covered = [], []
    for _, _, arm, left, right in data[:some]:
        here = interval_censored.npmle_bootstrap(left[arm == 1], right[arm == 1], [6.01], 200, rng).iloc[0]
        truth = float(np.exp(-HAZARD * ratio * 6.01))
        estimates.append(here["estimate"])
        covered.append(bool(here["lower"] <= truth <= here["upper"]))
    yield summary("Interval-censored NPMLE at month 6, one arm, bootstrap of 200", truth, estimates, covered)


def _visits(
    n: int, rng: np.random.Generator, effect: float, missing: float = 0.0
) -> tuple[NDArray, NDArray, NDArray]:
    """Child effect, exponential correlation and noise at five visits; effect in the active arm grows linearly; drop-out
    depends on the last value seen."""
    arm, baseline = np.repeat([0, 1], n), rng.normal(size=2 * n)
    gap = np.abs(DAYS[:, None] - DAYS)
    s = 0.3 + 0.3 * np.exp(-gap / 120) + 0.15 * np.eye(len(DAYS))
    y = 0.5 * baseline[:, None] + rng.normal(size=(2 * n, len(DAYS))) @ np.linalg.cholesky(s).T
    y += effect * DAYS / DAYS[-1] * arm[:, None]
    gone = np.zeros(2 * n, bool)
    for v in range(1, len(DAYS)):
        gone |= rng.random(2 * n) < 2 * missing / (1 + np.exp(-y[:, v - 1]))
        y[gone, v] = np.nan
    return y, baseline, arm


def _mixed(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    last = np.eye(len(DAYS))[-1]
    weights = mixed.time_weights(DAYS)
    mean = float(weights @ (EFFECT * DAYS / DAYS[-1]))

    def fitted(effect: float) -> mixed.MixedFit:
        y, baseline, arm = _visits(n, rng, effect, 0.04)
        return mixed.mmrm(y, baseline, arm, DAYS)

    fits = [fitted(EFFECT) for _ in range(trials)]
    nulls = [fitted(0.0) for _ in range(trials)]
    for name, w, truth, option in (
        ("MMRM at the last visit, Satterthwaite", last, EFFECT, "asymptotic"),
        ("MMRM at the last visit, Kenward-Roger", last, EFFECT, "kenward-roger"),
        ("MMRM, time-weighted average, Satterthwaite", weights, mean, "asymptotic"),
    ):
        ask = iter([fit.arm_contrast(w, se=option) for fit in fits]).__next__
        test = iter([fit.arm_contrast(w, se=option) for fit in nulls]).__next__
        yield summary(name, truth, *_asked(trials, truth, ask, test))

    def slopes(effect: float) -> mixed.Contrast:
        arm, years = np.repeat([0, 1], n), DAYS / DAYS_PER_YEAR
        own = rng.normal(0, 3, 2 * n) - 2 + effect * arm
        y = rng.normal(95, 15, 2 * n)[:, None] + own[:, None] * years + rng.normal(0, 5, (2 * n, len(years)))
        return mixed.random_slope(y, years, arm).contrast({"time x arm": 1})

    yield summary(
        "Random slopes, difference, Satterthwaite", SLOPE,
        *_asked(3 * trials, SLOPE, lambda: slopes(SLOPE), lambda: slopes(0.0)),
    )  # fmt: skip

    def adjusted(effect: float) -> mixed.Contrast:
        y, baseline, arm = _visits(n, rng, effect)
        return mixed.ancova(y[:, -1], baseline, arm)

    yield summary(
        "ANCOVA at the last visit",
        EFFECT,
        *_asked(trials, EFFECT, lambda: adjusted(EFFECT), lambda: adjusted(0.0)),
    )
    few = max(20, trials // 2)

    def imputed(effect: float) -> imputation.Pooled:
        y, baseline, arm = _visits(n, rng, effect, 0.04)
        completed = imputation.impute(y, baseline, arm, DAYS, 20, rng)
        return imputation.pool(completed, lambda values: mixed.ancova(values[:, -1], baseline, arm))

    yield summary(
        "Multiple imputation under MAR, 20 imputations, ANCOVA", EFFECT,
        *_asked(few, EFFECT, lambda: imputed(EFFECT), lambda: imputed(0.0)),
    )  # fmt: skip


STUDIES = {"proportions": _proportions, "survival": _survival, "mixed": _mixed}
PARTS = tuple(f"{study} {n}" for n in SIZES for study in STUDIES)
"""What `part` computes one by one."""


def judged(rows: list[dict]) -> pd.DataFrame:
    """Rows of `run` as a frame, with the verdict `outside`.

    Returns
    -------
    A row a size and method: n (children an arm), method, truth, trials (NaN: exact, no simulation), failed, bias,
    bias_se, coverage, type1 (%) with their limits `_lower` and `_upper`, and outside: whether bias, coverage of 95 % or
    type I error of 5 % lies further than three Monte Carlo standard errors from what theory promises of a large trial.
    """
    frame = pd.DataFrame(rows, columns=["n", "method", "truth", "trials", "failed", *MEASURED])
    frame = frame.astype({name: float for name in ("truth", "trials", *MEASURED)})
    se = 100 * np.sqrt(0.05 * 0.95 / frame["trials"])
    outside = frame["bias"].abs() > 3 * frame["bias_se"]
    for name, promised in (("coverage", 95), ("type1", 5)):
        outside |= (frame[name] - promised).abs() > 3 * se
    return frame.assign(outside=outside)


def latest() -> tuple[pd.DataFrame, bool]:
    """What is stored, judged, no row where nothing is; and whether it was computed by the code as it is."""
    answer, here = stored.latest(compute, Parameters())
    return judged(answer["rows"] if answer else []), here
