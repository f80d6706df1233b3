"""How fast many trials of one plan are asked, on one core, ratios within one run: make bench

Prints: trials a second from randomised children to the verdict of the primary analysis, and with screening, as a share
of the rate at which NumPy draws the same random numbers (wanted: half); the MMRM of many trials beside the same fits
one by one (wanted: 30 times); all closed forms of UPCR beside a plain loop with pandas, lifelines and scipy (wanted:
500 times); peak memory of a run of 10^3 and of 10^5 trials (wanted: flat, under 1 GB; --million adds 10^6).
"""

import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
from bench_simulation import best, draws_of
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time
from scipy import stats

from helpers.design import operating
from helpers.design.operating import ANALYSES, DEFAULT, PRIMARY
from helpers.design.trials import DAYS, Trials
from helpers.estimators import batched_mixed, mixed
from helpers.study.scenario import load
from helpers.trial import conduct
from helpers.trial.simulate import Streams

ONE_BY_ONE = 64
"""Trials whose MMRM is fitted one by one, too."""
PLAIN = 4
"""Trials of the plain loop: it takes seconds for each."""


def verdicts(p, enrolled):
    """From randomised children to the primary analysis of each trial."""
    return ANALYSES[PRIMARY].ask(Trials.of(conduct.follow(p, enrolled, Streams(p.seed, 0))))


def long_tables(t: Trials, k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Children and visits of trial k as a researcher's tables."""
    n = t.arm.shape[1]
    children = pd.DataFrame(
        {"child": range(n), "arm": t.arm[k], "base": t.base[k], "rescue": t.rescue_day[k]}
    )
    visits = pd.DataFrame(
        {"child": np.repeat(range(n), len(DAYS)), "day": np.tile(DAYS, n), "upcr": t.upcr[k].ravel()}
    )
    return children, visits.dropna()


def plain(p, children: pd.DataFrame, visits: pd.DataFrame) -> dict:
    """The closed forms of one trial as they are written with pandas, lifelines and scipy."""
    rows = visits.merge(children, on="child")
    rows["remission"] = (
        (rows["upcr"] <= (1 - p.remission_fall) * rows["base"]) & (rows["base"] >= p.remission_threshold)
        & (rows["day"] < rows["rescue"])
    )  # fmt: skip
    answers = {}
    for child, mine in rows.groupby("child"):
        seen = list(zip(mine["day"], mine["remission"], strict=True))
        confirmed = None
        for i, (day, good) in enumerate(seen):
            if good and confirmed is None:
                for later, still in seen[i + 1 :]:
                    if not still:
                        break
                    if later - day >= p.confirm_days:
                        confirmed = day
                        break
        end = max((d for d, _ in seen if seen[-1][0] - d >= p.confirm_days), default=0)
        answers[child] = {
            "confirmed": confirmed is not None,
            "ever": mine["remission"].any(),
            "sustained": len(seen) > 1 and seen[-1][1] and seen[-2][1],
            "last": seen[-1][1] if seen[-1][0] == DAYS[-1] else False,
            "time": confirmed if confirmed is not None else end,
            "average": np.trapezoid(np.log(mine["upcr"]), mine["day"]) / np.ptp(mine["day"])
            if len(mine) > 1
            else np.nan,
            "month12": np.log(mine["upcr"].iloc[-1]) if seen[-1][0] == DAYS[-1] else np.nan,
        }
    found = children.join(pd.DataFrame(answers).T, on="child")
    out = {}
    for name in ("confirmed", "ever", "sustained", "last"):
        table = pd.crosstab(found["arm"], found[name].fillna(False).astype(bool)).reindex(
            index=[0, 1], columns=[True, False], fill_value=0
        )
        out[name] = stats.boschloo_exact(table).pvalue
        if name == "confirmed":
            out["fisher"] = stats.fisher_exact(table)[1]
            out["barnard"] = stats.barnard_exact(table).pvalue
    for name in ("average", "month12"):
        there = found.dropna(subset=[name, "base"])
        x = np.column_stack([np.ones(len(there)), there["arm"], np.log(there["base"])]).astype(float)
        y = there[name].to_numpy(float)
        beta, rest, *_ = np.linalg.lstsq(x, y)
        se = np.sqrt(rest[0] / (len(y) - 3) * np.linalg.inv(x.T @ x)[1, 1])
        out[name] = 2 * stats.t.sf(abs(beta[1] / se), len(y) - 3)
    timed = found.dropna(subset=["time"]).astype({"time": float, "confirmed": bool})
    arms = [timed[timed["arm"] == k] for k in (0, 1)]
    out["logrank"] = logrank_test(
        arms[0]["time"], arms[1]["time"], arms[0]["confirmed"], arms[1]["confirmed"]
    ).p_value
    for k, arm in enumerate(arms):
        fit = KaplanMeierFitter().fit(arm["time"], arm["confirmed"])
        out[f"cumulative {k}"] = 1 - fit.predict(304.0)
        out[f"rmst {k}"] = restricted_mean_survival_time(fit, 304.0, return_variance=True)
    return out


PEAK = """
import resource, sys
from helpers.design import operating
from helpers.study.scenario import load
operating.run(load("base").parameters, int(sys.argv[1]), analyses=["confirmed", "ancova average"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak(trials: int) -> float:
    """Peak memory (MB) of a process that runs so many trials."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(trials)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def main(million: bool = False) -> None:
    p = load("base").parameters
    trials = conduct.CHUNK
    enrolled, _, _ = conduct.screen(p, trials, needed=False)

    def whole():
        return verdicts(p, conduct.screen(p, trials, needed=False)[0])

    print("claim                                                measured      wanted")
    verdicts(p, enrolled)
    for what, work in (
        ("randomised to verdict", lambda: verdicts(p, enrolled)),
        ("screened to verdict", whole),
    ):
        own = best(work, 8)
        numpy, count = draws_of(work)
        print(f"{what:30} {trials / own:12,.0f} trials/s")
        print(f"  as a share of NumPy's draws ({count:11,d} numbers)  {100 * numpy / own:9.0f} %       50 %")

    t = Trials.of(conduct.follow(p, enrolled, Streams(p.seed, 0)))
    change = t.log_upcr - t.log_base[..., None]
    weights = np.stack([np.eye(len(DAYS))[-1], mixed.time_weights(DAYS)])

    def together(count):
        return batched_mixed.mmrm(change[:count], t.log_base[:count], t.arm[:count], DAYS, weights)

    def alone():
        for k in range(ONE_BY_ONE):
            fit = mixed.mmrm(change[k], t.log_base[k], t.arm[k], DAYS)
            for each in weights:
                fit.arm_contrast(each)

    ours, theirs = best(lambda: together(ONE_BY_ONE), 3), best(alone, 2)
    print(f"MMRM, {ONE_BY_ONE} trials: {1e3 * ours / ONE_BY_ONE:.1f} ms each, one by one", end=" ")
    print(f"{1e3 * theirs / ONE_BY_ONE:.1f} ms: {theirs / ours:.1f} times       30 times")

    def closed():
        here = Trials.of(conduct.follow(p, enrolled, Streams(p.seed, 0)))
        return [ANALYSES[name].ask(here) for name in DEFAULT]

    tables = [long_tables(t, k) for k in range(PLAIN)]
    mine = best(closed, 4) / trials
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        for children, visits in tables:
            plain(p, children, visits)
        loop = (time.perf_counter() - start) / PLAIN
    print(f"{len(DEFAULT)} closed forms with follow-up {1e3 * mine:.3f} ms a trial, a plain loop", end=" ")
    print(f"without it {1e3 * loop:.0f} ms: {loop / mine:,.0f} times      500 times")

    start = time.perf_counter()
    operating.run(p, 2000)
    print(
        f"operating.run(trials=2000), screening included: {time.perf_counter() - start:.1f} s       about 1 s"
    )

    counts = (10**3, 10**5, *((10**6,) if million else ()))
    peaks = [peak(count) for count in counts]
    for count, mb in zip(counts, peaks, strict=True):
        print(
            f"peak memory of a run of {count:9,d} trials {mb:8.0f} MB, {mb / peaks[0]:.2f} of the first     < 1000 MB"
        )


if __name__ == "__main__":
    main("--million" in sys.argv)
