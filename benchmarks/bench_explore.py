"""What a move of the bench costs, in seconds of one core: make bench

The claim: a move asks at least 500 trials of the plan and is answered in under half a second, drawing left out. Printed
for each setting in hand beside the time of `operating.run` alone, and with the picture.
"""

import io
import time

from bench_simulation import best

from helpers.design import exploring, operating
from helpers.design.exploring import ASKED, TRIALS, Bench
from helpers.figures import explore as figures
from helpers.study.scenario import load

MOVED = {
    "upcr_effect": (0.5, 0.55, 0.6), "effect_half_life": (30.0, 60.0, 90.0), "upcr_noise": (0.3, 0.4, 0.5),
    "dropout": (0.2, 0.25, 0.3), "n_randomised": (30, 50, 60), "remission_definition": ("KDIGO", "threshold alone"),
    "remission_fall": (0.3, 0.4, 0.6), "confirm_days": (0, 56, 84),
}  # fmt: skip


def drawn(move: exploring.Move) -> bytes:
    """The picture of a move."""
    buffer = io.BytesIO()
    figures.bench(move.children(), move.example(), move.spread, move.by_arm).savefig(buffer, dpi=90)
    return buffer.getvalue()


def main() -> None:
    bench = Bench(load("base"))
    start = time.process_time()
    bench.prepare()
    print(f"exact tests of all sizes, tabulated once {time.process_time() - start:20.1f} s")
    print(f"{TRIALS} trials a move            a move    of it operating.run    with picture    wanted")
    drawn(bench.move())
    slowest = 0.0
    for name, values in MOVED.items():
        # each value first after another one, so that nothing of the move is kept from before
        taken, asked, whole = [], [], []
        for value in values:
            bench.move()
            start = time.process_time()
            move = bench.move(**{name: value})
            taken.append(time.process_time() - start)
            drawn(move)
            whole.append(time.process_time() - start)
            asked.append(best(lambda p=move.p: operating.run(p, TRIALS, analyses=ASKED), 2))
        slowest = max(slowest, min(taken))
        print(
            f"{name:25} {min(taken):8.2f} s {min(asked):16.2f} s {min(whole):16.2f} s  of 0.5 s: {min(taken) / 0.5:.2f}"
        )
    print(f"slowest {slowest:.2f} s: {0.5 / slowest:.1f} times as fast as wanted")


if __name__ == "__main__":
    main()
