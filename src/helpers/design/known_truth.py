"""Estimators against a truth that is known: coverage, bias and type I error at 20 and at 400 children an arm.

Trials are drawn from models of which every true value is known, and each estimator is asked about them: at 20 an arm
with the trial's own eleven visits and its missing values, at 400 with five visits, to see whether what is off at 20 is
the size or the method. The answer takes minutes, so it is stored in `data/reference/stored/known_truth.json` with the
digest of the code behind it: `python -m helpers.design.renewal known_truth` computes and stores it again; the
validation chapter shows what is stored, and says so where it belongs to other code. Exact tests need no simulation at
20 an arm: their size is a sum over all tables.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from helpers.design import known_confirmation, stored
from helpers.design.monte_carlo import MEASURED, summary
from helpers.estimators import (
    adjusted,
    discrete_time,
    imputation,
    interval_censored,
    mixed,
    proportions,
    survival,
    tipping,
)
from helpers.estimators.randomisation import randomisation_test
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR, VISITS

SEED = 20261122
SIZES = (20, 400)
EVERY_VISIT = np.array([float(visit.day) for visit in VISITS])
FEW_VISITS = np.array([14.0, 56, 152, 244, 365])
"""At 400 an arm: what depends on size alone shows with these too, in a fraction of the time."""
MISSED, LEAVE = 0.07, 0.10
"""Values missing at an attended visit or with it, and children who leave: as the trial's own parameters."""
MONTHS = np.array([0.46, 0.92, 1.38, 1.84, 2.99, 4.01, 4.99, 6.01, 8.02, 9.99, 11.99])
TRIALS = {20: 1000, 400: 400}
"""Trials of each size: the Monte Carlo interval of a coverage of 95 % is then +-1.4 and +-2.1 points."""
P0, P1 = 0.15, 0.40
HAZARD, LOG_RATIO = 0.02, np.log(2.5)
EFFECT, SLOPE = -0.4, 1.5
UNDETERMINED = 0.25
"""Children whose answer has to be imputed."""


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
    many = 10 * trials
    x0, x1 = (rng.binomial(n, p, many) for p in (P0, P1))
    differences = {
        "Difference, Miettinen-Nurminen (approximate)": proportions.miettinen_nurminen,
        "Difference, Newcombe": proportions.newcombe,
    }
    if n <= 100:
        differences = {
            "Difference, exact, inverting Boschloo's test": proportions.boschloo_interval
        } | differences
    for name, interval in differences.items():
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
    found = [_imputed(n, rng) for _ in range(trials)]
    yield summary(
        f"Difference, {100 * UNDETERMINED:g} % imputed, Lott-Reiter limits by square-and-add", P1 - P0,
        [one.estimate for one in found], [one.lower <= P1 - P0 <= one.upper for one in found],
    )  # fmt: skip
    half = [1.96 * np.sqrt(one.within + one.between * (1 + 1 / one.n_imputations)) for one in found]
    inside = [abs(one.estimate - (P1 - P0)) <= h for one, h in zip(found, half, strict=True)]
    yield summary("The same with Wald's variance (not used: it covers less)", P1 - P0, covered=inside)


def _imputed(n: int, rng: np.random.Generator) -> imputation.Pooled:
    arms = []
    for p in (P0, P1):
        undetermined = min(int(rng.binomial(n, UNDETERMINED)), n - 1)
        arms.append(tipping.Arm(int(rng.binomial(n - undetermined, p)), n, undetermined))
    return tipping.impute_binary(arms[0], arms[1], 30, rng)


def _blocks(n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Arm and block of 2 n children in permuted blocks of 4 and 6, the last one cut."""
    arm: list[int] = []
    block: list[int] = []
    while len(arm) < 2 * n:
        size = int(rng.choice((4, 6)))
        arm += rng.permutation(np.repeat([0, 1], size // 2)).tolist()
        block += [block[-1] + 1 if block else 0] * size
    return np.array(arm[: 2 * n]), np.array(block[: 2 * n])


def _chances(z: NDArray, ras: NDArray, arm: NDArray | int, effect: float) -> NDArray:
    """Probability of an event by baseline log UPCR (standardised) and RAS inhibition."""
    return 1 / (1 + np.exp(0.9 + 0.8 * z + 0.9 * ras - effect * np.asarray(arm)))


def _adjusted(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Events that depend on baseline and RAS inhibition, which is the stratum too."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()

    def share(arm: int, effect: float) -> float:
        return sum(
            chance * float(weights @ _chances(points, np.array(float(ras)), arm, effect))
            for ras, chance in ((1, 0.85), (0, 0.15))
        )

    truth = share(1, 1.3) - share(0, 1.3)
    few = trials if n <= 100 else max(20, trials // 8)

    def drawn(effect: float) -> tuple[NDArray, ...]:
        arm, block = _blocks(n, rng)
        z, ras = rng.normal(size=2 * n), rng.random(2 * n) < 0.85
        return rng.random(2 * n) < _chances(z, ras, arm, effect), arm, block, z, ras

    strata: list[adjusted.Difference] = []
    flic: list[adjusted.Difference] = []
    for k in range(trials):
        event, arm, _, z, ras = drawn(1.3)
        strata.append(adjusted.mantel_haenszel(event, arm, ras))
        if k < few:
            flic.append(adjusted.standardised(event, arm, np.column_stack([z, ras])))
    for name, ones in (
        ("Mantel-Haenszel difference, two strata, score interval", strata),
        ("Adjusted difference, FLIC, standardised", flic),
    ):
        yield summary(
            name, truth, [one.estimate for one in ones],
            [bool(one.lower <= truth <= one.upper) if np.isfinite(one.lower) else None for one in ones],
        )  # fmt: skip
    rejected = []
    for _ in range(trials):
        event, arm, block, *_ = drawn(0.0)
        rejected.append(randomisation_test(event, arm, block).p <= 0.05)
    yield summary("Randomisation test, permuted blocks of 4 and 6", 0.0, rejected=rejected)


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
        left, right = _missed(left[arm == 1], right[arm == 1], rng)
        here = interval_censored.npmle_bootstrap(left, right, [6.01], 200, rng).iloc[0]
        truth = float(np.exp(-HAZARD * ratio * 6.01))
        estimates.append(here["estimate"])
        covered.append(bool(here["lower"] <= truth <= here["upper"]))
    yield summary(
        "Interval-censored NPMLE at month 6, one arm, Wilson's limits of the effective number",
        truth,
        estimates,
        covered,
    )
    truth = float(np.exp(-HAZARD * ratio * 6.01))
    estimates, covered = [], []
    for time, event, arm, *_ in data:
        curve = survival.kaplan_meier(time[arm == 1], event[arm == 1])
        here = curve[curve["time"] <= 6.02].iloc[-1]
        estimates.append(here["survival"])
        covered.append(bool(here["lower"] <= truth <= here["upper"]) if np.isfinite(here["lower"]) else None)
    yield summary("Kaplan-Meier at month 6, one arm, log-log interval", truth, estimates, covered)


def _missed(left: NDArray, right: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Intervals when `MISSED` of the visits were not attended: each end moves to the next visit that was."""
    seen = rng.random((len(left), len(MONTHS))) >= MISSED
    before = np.where(seen & (left[:, None] >= MONTHS), MONTHS, 0.0).max(axis=1)
    after = np.where(seen & (right[:, None] <= MONTHS), MONTHS, np.inf).min(axis=1)
    return before, after


def _visits(
    n: int, rng: np.random.Generator, effect: float, days: NDArray, missing: bool = True
) -> tuple[NDArray, NDArray, NDArray]:
    """Child effect, exponential correlation and noise; effect in the active arm grows linearly.

    Single values are missing at random, and who leaves depends on the last value seen.
    """
    arm, baseline = np.repeat([0, 1], n), rng.normal(size=2 * n)
    gap = np.abs(days[:, None] - days)
    s = 0.3 + 0.06 * np.exp(-gap * np.log(2) / 42) + 0.12 * np.eye(len(days))
    y = 0.5 * baseline[:, None] + rng.normal(size=(2 * n, len(days))) @ np.linalg.cholesky(s).T
    y += effect * days / days[-1] * arm[:, None]
    if missing:
        last = y[:, 0].copy()
        gaps, gone = rng.random(y.shape) < MISSED, np.zeros(2 * n, bool)
        for v in range(1, len(days)):
            gone |= rng.random(2 * n) < 2 * LEAVE / (len(days) - 1) / (1 + np.exp(-last))
            last = np.where(gaps[:, v] | gone, last, y[:, v])
            y[gone, v] = np.nan
        y[gaps] = np.nan
    return y, baseline, arm


def _mixed(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    days = EVERY_VISIT if n <= 100 else FEW_VISITS
    last, weights = np.eye(len(days))[-1], mixed.time_weights(days)
    mean = float(weights @ (EFFECT * days / days[-1]))
    of, kinds = (
        f"{len(days)} visits",
        {
            "Kenward-Roger linear": "kenward-roger-linear",
            "Satterthwaite": "asymptotic",
            "Kenward-Roger with second derivatives (not used)": "kenward-roger",
        },
    )
    found: dict[str, list] = {}
    rejected: dict[str, list] = {}
    for k in range(2 * trials):
        y, baseline, arm = _visits(n, rng, EFFECT if k < trials else 0.0, days)
        fit = mixed.mmrm(y, baseline, arm, days)
        for kind, option in kinds.items():
            for name, w, truth in (("last visit", last, EFFECT), ("time-weighted average", weights, mean)):
                if option == "kenward-roger" and name != "last visit":
                    continue
                about, one = f"MMRM of {of}, {name}, {kind}", fit.arm_contrast(w, se=option)
                if k < trials:
                    found.setdefault(about, [truth]).append(one)
                elif np.isfinite(one.p):
                    rejected.setdefault(about, []).append(bool(one.p <= 0.05))
        if k < trials:
            # the baseline is centred among those analysed, whose mean is not that of the population
            centre = float(baseline[~np.isnan(y).all(axis=1)].mean())
            one = fit.contrast({f"intercept[{len(days)}]": 1, f"arm[{len(days)}]": 1})
            away = 0.5 * centre
            found.setdefault(f"MMRM of {of}, adjusted mean of an arm at the last visit", [EFFECT]).append(
                mixed.Contrast(one.estimate - away, lower=one.lower - away, upper=one.upper - away)
            )
    for about, (truth, *ones) in found.items():
        covered = [bool(one.lower <= truth <= one.upper) if np.isfinite(one.lower) else None for one in ones]
        yield summary(about, truth, [one.estimate for one in ones], covered, rejected.get(about))

    def slopes(effect: float) -> mixed.Contrast:
        arm, years = np.repeat([0, 1], n), np.append(-14.0, days) / DAYS_PER_YEAR
        own = rng.normal(0, 3, 2 * n) - 2 + effect * arm
        y = rng.normal(95, 15, 2 * n)[:, None] + own[:, None] * years + rng.normal(0, 5, (2 * n, len(years)))
        y[rng.random(y.shape) < MISSED] = np.nan
        return mixed.random_slope(y, years, arm).contrast({"time x arm": 1}, se="asymptotic")

    yield summary(
        f"Random slopes over {of} and baseline, difference, Satterthwaite", SLOPE,
        *_asked(trials, SLOPE, lambda: slopes(SLOPE), lambda: slopes(0.0)),
    )  # fmt: skip

    def averaged(effect: float) -> mixed.Contrast:
        y, baseline, arm = _visits(n, rng, effect, days, missing=False)
        return mixed.ancova(y @ weights, baseline, arm)

    yield summary(
        "ANCOVA of the time-weighted mean", mean,
        *_asked(2 * trials, mean, lambda: averaged(EFFECT), lambda: averaged(0.0)),
    )  # fmt: skip
    few = max(20, trials // (3 if n <= 100 else 4))

    def imputed(effect: float) -> imputation.Pooled:
        y, baseline, arm = _visits(n, rng, effect, days)
        completed = imputation.impute(y, baseline, arm, days, 20, rng)
        return imputation.pool(completed, lambda values: mixed.ancova(values[:, -1], baseline, arm))

    null = (lambda: imputed(0.0)) if n <= 100 else None
    yield summary(
        f"Multiple imputation of {of} under MAR, 20 imputations, ANCOVA", EFFECT,
        *(part or None for part in _asked(few, EFFECT, lambda: imputed(EFFECT), null)),
    )  # fmt: skip


def _spreads(n: int, trials: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """ANCOVA where the arms differ in size and in spread: a question of small arms."""
    if n > 100:
        return
    trials *= 4
    for n1, sds, words in (
        (n, (1.0, 1.0), "equal SD"),
        (n, (1.0, 2.0), "twofold SD in one arm"),
        (3 * n // 5, (1.0, 2.0), "twofold SD in the smaller arm"),
        (3 * n // 5, (2.0, 1.0), "twofold SD in the larger arm"),
    ):
        arm = np.repeat([0, 1], [n, n1])
        found: dict[str, list[mixed.Contrast]] = {variance: [] for variance in mixed.VARIANCES}
        for _ in range(trials):
            baseline = rng.normal(size=n + n1)
            y = 0.5 * baseline + np.array(sds)[arm] * rng.normal(size=n + n1)
            for variance, ones in found.items():
                ones.append(mixed.ancova(y, baseline, arm, variance=variance))
        for variance, ones in found.items():
            rejected = [bool(one.p <= 0.05) for one in ones]
            how = {"ordinary": "ordinary", "hc2": "HC2, Bell-McCaffrey df"}[variance]
            yield summary(
                f"ANCOVA, {n} v {n1}, {words}, {how}", 0.0, [one.estimate for one in ones],
                [not hit for hit in rejected], rejected,
            )  # fmt: skip


STUDIES = {
    "proportions": _proportions,
    "adjusted": _adjusted,
    "survival": _survival,
    "confirmation": known_confirmation.study,
    "mixed": _mixed,
    "spreads": _spreads,
}
PARTS = tuple(f"{study} {n}" for n in SIZES for study in STUDIES if (study, n) != ("spreads", 400))
"""What `part` computes one by one."""


def judged(rows: list[dict]) -> pd.DataFrame:
    """Rows of `run` as a frame, with the verdict `outside`.

    Returns
    -------
    A row a size and method: n (children an arm), method, truth, trials (NaN: exact, no simulation), failed, bias,
    bias_se, coverage, type1 (%) with their limits `_lower` and `_upper`, and outside: whether bias, coverage of 95 % or
    type I error of 5 % lies further than three Monte Carlo standard errors from what theory promises of a large trial;
    cautious: outside because it covers more, or rejects less, and for nothing else.
    """
    frame = pd.DataFrame(rows, columns=["n", "method", "truth", "trials", "failed", *MEASURED])
    frame = frame.astype({name: float for name in ("truth", "trials", *MEASURED)})
    se = 100 * np.sqrt(0.05 * 0.95 / frame["trials"])
    wrong = frame["bias"].abs() > 3 * frame["bias_se"]
    cautious = pd.Series(False, index=frame.index)
    for name, sign in (("coverage", 1), ("type1", -1)):
        above = sign * (frame[name] - {"coverage": 95, "type1": 5}[name])
        wrong |= above < -3 * se
        cautious |= above > 3 * se
    return frame.assign(outside=wrong | cautious, cautious=cautious & ~wrong)


def excluded(results: pd.DataFrame, n: int) -> dict[str, float]:
    """What the Monte Carlo intervals of one size leave out, for all simulated rows that were not found wrong.

    results: of `judged`.

    Returns
    -------
    bias: no estimate's bias can be larger, in standard deviations of the estimate itself; coverage: no interval's
    coverage can be lower (%); type1: no test's error of the first kind can be larger (%). NaN without such a row.
    """
    rows = results[
        (results["n"] == n) & results["trials"].notna() & (results["cautious"] | ~results["outside"])
    ]
    spread = rows["bias_se"] * np.sqrt(rows["trials"] - rows["failed"])
    bias = (rows["bias"].abs() + stats.norm.isf(0.025) * rows["bias_se"]) / spread
    return {"bias": bias.max(), "coverage": rows["coverage_lower"].min(), "type1": rows["type1_upper"].max()}


def latest() -> tuple[pd.DataFrame, bool]:
    """What is stored, judged, no row where nothing is; and whether it was computed by the code as it is.

    Examples
    --------
    As notebook 09-validation calls it:

    >>> stored, current = known_truth.latest()
    """
    answer, here = stored.latest(compute, Parameters())
    return judged(answer["rows"] if answer else []), here
