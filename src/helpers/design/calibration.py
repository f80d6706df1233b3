"""The simulated values of the published quantities, from `populations`, with their Monte Carlo error.

What is published stands in `published`; the two stand side by side in `beside_published`.
"""

import hashlib
from typing import Any

import numpy as np
from scipy import stats

from helpers import ROOT
from helpers.design import kept, populations
from helpers.study import eligibility, kidney
from helpers.study.parameters import Parameters
from helpers.study.scenario import plain
from helpers.trial import conduct, simulate
from helpers.trial.simulate import Streams

NAME = "calibration"
BATCHES = 20
TRIAL_CHUNKS = 10
GROUPS = ("clinic", "facts", "measurement", "course", "conduct")
"""Groups of parameters that the calibration depends on, beside the rates of fever."""


def content_key(p: Parameters) -> str:
    """Key of the calibration under these parameters: code and growth tables behind it, parameters it reads."""
    modules = (populations, simulate, conduct, eligibility, kidney)
    return kept.key(modules, relevant(p), [ROOT / "data" / "reference" / "growth_lms.csv"])


def relevant(p: Parameters) -> dict[str, Any]:
    """The parameters that the calibration depends on, plain; all others are at their default."""
    fields = Parameters.model_fields
    values = plain(p)
    return {
        name: values[name]
        for name, field in fields.items()
        if field.json_schema_extra["group"] in GROUPS or name.startswith("fever_")
    }


def compute(p: Parameters) -> dict[str, Any]:
    """Simulate every population: {"values": {key: [value, low, high]}, "curves": {name: [percentiles]}}.

    At least 200,000 children a population, in batches; low and high are the 95 % Monte Carlo interval from
    Student's t over the batches. A value that the parameters leave without children is None.
    """
    p = Parameters(**{n: v for n, v in p.model_dump().items() if n in relevant(p)})
    batches: list[list[dict[str, float]]] = []
    for name, draw in populations.DRAWS.items():
        stream = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
        batches.append([draw(p, Streams(p.seed, stream, k)) for k in range(BATCHES)])
    batches.append([populations.trial(p, p.seed + 1, chunk) for chunk in range(TRIAL_CHUNKS)])
    values, curves = {}, {}
    for found in batches:
        for key in found[0]:
            x = np.array([batch[key] for batch in found])
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
    """`compute` as kept for these parameters."""
    return kept.recall(NAME, content_key(p), lambda: compute(p))
