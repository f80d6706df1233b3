"""The simulated values of the published quantities, from `populations`, with their Monte Carlo error.

What is published stands in `published`; the two stand side by side in `beside_published`.
"""

import hashlib
from typing import Any

import numpy as np
from scipy import stats

from helpers.design import populations, stored
from helpers.study.parameters import Parameters
from helpers.study.recording import plain
from helpers.trial.simulate import Streams

BATCHES = 20
TRIAL_CHUNKS = 10
GROUPS = ("clinic", "facts", "measurement", "course", "conduct")
"""Groups of parameters that the calibration may depend on, beside the rates of fever."""


PARTS = (*populations.DRAWS, "trial")
"""What `part` computes one by one."""


def compute(p: Parameters) -> dict[str, Any]:
    """Simulate every population: {"values": {key: [value, low, high]}, "curves": {name: [percentiles]}}.

    At least 200,000 children a population, in batches; low and high are the 95 % Monte Carlo interval from
    Student's t over the batches. A value that the parameters leave without children is None. Parameters of
    groups other than `GROUPS` are at their default, but for the rates of fever.
    """
    parts = [part(p, name) for name in PARTS]
    return {kind: {k: v for one in parts for k, v in one[kind].items()} for kind in ("values", "curves")}


def part(p: Parameters, name: str) -> dict[str, Any]:
    """What one of `PARTS` adds to `compute`."""
    p = populations.planned(p, GROUPS, ("fever_msc", "fever_placebo"))
    if name == "trial":
        batches = [populations.trial(p, p.seed + 1, chunk) for chunk in range(TRIAL_CHUNKS)]
    else:
        stream = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        batches = [populations.DRAWS[name](p, Streams(p.seed, stream, k)) for k in range(BATCHES)]
    values: dict[str, list[float | None]] = {}
    curves: dict[str, list[float | None]] = {}
    for key in batches[0]:
        x = np.array([batch[key] for batch in batches])
        if key.startswith("curve "):
            curves.setdefault(key.split(" ", 1)[1].rsplit(" ", 1)[0], []).append(_digits(x.mean()))
            continue
        half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
        values[key] = [_digits(v) for v in (x.mean(), x.mean() - half, x.mean() + half)]
    return {"values": values, "curves": curves}


def _digits(value: float) -> float | None:
    """Six digits, as more would be Monte Carlo error and differ in last bits between machines."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def calibrate(p: Parameters) -> dict[str, Any]:
    """`compute` as stored for these parameters."""
    return stored.recall(compute, p)


def changed(p: Parameters) -> list[str]:
    """The parameters that the calibration reads and that are not at their default, in the register's order."""
    read = stored.entry(compute, p)["parameters"]
    defaults = plain(Parameters())
    return [name for name in defaults if name in read and read[name] != defaults[name]]
