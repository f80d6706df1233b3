"""How fast children are screened and trials followed, on one core, beside NumPy's own draws in the same run.

Claims: 1,000,000 children against all 23 criteria in under 10 s; UPCR from randomised children to derived
endpoints at 20,000 trials a second or more, with screening at 5,000 or more; memory flat in the trials.
"""

import resource
import time

import numpy as np

from helpers.analysis import derive
from helpers.study.scenario import load
from helpers.trial import conduct, eligibility, simulate
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
    base = f.upcr[..., 0]
    state = derive.in_remission(derive.upcr_response(f.upcr[..., 1:], base, p))
    state = derive.after_rescue(state, conduct.DAYS, f.rescue_day)
    return derive.endpoint(state, derive.evaluable_upcr(base, p), conduct.DAYS, p)


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

    rng = np.random.Generator(np.random.SFC64(1))
    visits = (trials, p.n_randomised, len(conduct.DAYS) + 1)
    draws = best(
        lambda: (
            [rng.standard_normal(visits) for _ in range(2)],
            [rng.random(visits, dtype=np.float32) for _ in range(2)],
        ),
        10,
    )
    print(f"share of the rate at which NumPy draws the visit noise: {100 * draws / follow:.0f} %")

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = peak()
    for chunk in range(8):
        enrolled, _, _ = conduct.screen(p, trials, chunk, needed=False)
        endpoints(p, conduct.follow(p, enrolled, Streams(p.seed, chunk)))
    print(f"peak memory after 1 and 9 chunks of {trials} trials: ratio {peak() / before:.2f}")


if __name__ == "__main__":
    main()
