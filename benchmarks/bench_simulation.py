"""How fast children are screened and trials followed, on one core, beside NumPy's own draws in the same run.

Claims: 1,000,000 children against all 23 criteria in under 10 s; UPCR from randomised children to derived
endpoints at 20,000 trials a second or more, with screening at 5,000 or more; screening and follow-up each
reach at least 20 % of the rate at which NumPy draws the same random numbers; memory flat in the trials.
"""

import resource
import time

import numpy as np

from helpers.analysis import derive
from helpers.study import eligibility
from helpers.study.scenario import load
from helpers.trial import conduct, details, simulate
from helpers.trial.simulate import Streams


def best(function, repeats: int) -> float:
    """Least seconds of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def screen_block(p) -> None:
    recorded, _ = simulate.clinic(p, simulate.BLOCK, Streams(p.seed, 0, 0))
    columns = conduct.columns(p, recorded, np.arange(simulate.BLOCK, dtype=float))
    eligibility.status(eligibility.evaluate(columns, p))


def endpoints(p, f) -> derive.Endpoint:
    """From followed trials to first, confirmed and sustained remission."""
    return derive.upcr_endpoint(f.upcr[..., 1:], f.upcr[..., 0], conduct.DAYS, p, f.rescue_day)


def everything(p, enrolled) -> dict:
    """From randomised children to every measure at every visit."""
    return details.serum_and_cells(conduct.follow(p, enrolled, Streams(p.seed, 0)))


class Listed:
    """A NumPy generator that writes down what is asked of it: (method, arguments)."""

    def __init__(self, generator, log: list) -> None:
        self.generator, self.log = generator, log

    def __getattr__(self, method: str):
        def draw(*args, **kwargs):
            self.log.append((method, args, kwargs))
            return getattr(self.generator, method)(*args, **kwargs)

        return draw


def draws_of(work) -> tuple[float, int]:
    """Seconds that NumPy needs for the draws of `work` alone, from one generator, and how many they are."""
    log: list = []
    original = Streams.__call__
    Streams.__call__ = lambda self, name: Listed(original(self, name), log)
    try:
        work()
    finally:
        Streams.__call__ = original
    rng = np.random.Generator(np.random.SFC64(1))
    calls = [(getattr(rng, method), args, kwargs) for method, args, kwargs in log]
    count = sum(np.size(draw(*args, **kwargs)) for draw, args, kwargs in calls)

    def replay() -> None:
        for draw, args, kwargs in calls:
            draw(*args, **kwargs)

    return best(replay, 10), count


def main() -> None:
    p = load("base").parameters
    per_child = best(lambda: screen_block(p), 20) / simulate.BLOCK
    print(
        f"screening, all 23 criteria     {1 / per_child:12,.0f} children/s   {per_child * 1e6:6.2f} s per million"
    )

    trials = conduct.CHUNK
    enrolled, _, _ = conduct.screen(p, trials, needed=False)
    follow = best(lambda: endpoints(p, conduct.follow(p, enrolled, Streams(p.seed, 0))), 10)
    print(f"randomised to endpoints (UPCR) {trials / follow:12,.0f} trials/s")
    screened = best(lambda: conduct.screen(p, trials, needed=False), 4)
    print(f"screened to endpoints (UPCR)   {trials / (follow + screened):12,.0f} trials/s")

    print("as a share of the rate at which NumPy draws the random numbers used, in this run (claim: 20 %):")
    for what, work in (
        ("screening, all criteria", lambda: screen_block(p)),
        (
            "followed to endpoints (UPCR)",
            lambda: endpoints(p, conduct.follow(p, enrolled, Streams(p.seed, 0))),
        ),
        ("followed, all measures", lambda: everything(p, enrolled)),
    ):
        own, numpy, count = best(work, 10), *draws_of(work)
        print(f"  {what:30} {100 * numpy / own:5.0f} %   {count:12,d} numbers in {1e3 * own:7.1f} ms")
    visits = trials * p.n_randomised * len(conduct.DAYS)
    full = best(lambda: everything(p, enrolled), 5)
    print(
        f"child-visits followed: UPCR to endpoints {visits / follow:,.0f}/s, all measures {visits / full:,.0f}/s"
    )

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = peak()
    for chunk in range(8):
        enrolled, _, _ = conduct.screen(p, trials, chunk, needed=False)
        endpoints(p, conduct.follow(p, enrolled, Streams(p.seed, chunk)))
    print(f"peak memory after 1 and 9 chunks of {trials} trials: ratio {peak() / before:.2f}")


if __name__ == "__main__":
    main()
