"""What selection does to the baseline, and how often a stable child "remits" by noise alone.

Children whose disease does not change at all: no drift, no effect, no change of treatment, no illness. What
moves is measurement and the slow deviation of UPCR, so every fall and every remission here is an artefact.
Remission is read as the plan reads it by default: what other readings do to a trial's result is told where
they are compared ("what our open choices decide").
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.analysis import derive
from helpers.design import populations, stored
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.trial import conduct, simulate
from helpers.trial.conduct import Course
from helpers.trial.simulate import Streams

GROUPS = ("clinic", "facts", "measurement", "course", "conduct")
"""Groups of parameters that the answer may depend on."""
THRESHOLDS = (0.2, 0.5, 1.0, 2.0)
"""UPCR at or above which a child enters, mg/mg."""
BASELINES = ("eligibility", "separate", "mean of both")
AT = {"week 2": 14, "month 6": 183, "month 12": 365}
NOISE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""SD of independent visit noise of log UPCR."""
LEVELS = (0.3, 1.0, 3.0)
"""True UPCR (mg/mg) of the stable children who carry the assumed noise."""
TWO = "confirmed, two samples"
"""Way of counting with the plan's baseline."""
DEFINITIONS = ("fall", "KDIGO", "threshold alone")
BATCHES, CLINIC, STABLE = 10, 30_000, 100_000


def _stable(p: Parameters, **changes: Any) -> Parameters:
    still = {"upcr_drift": 0.0, "upcr_drift_sd": 0.0, "ras_recent": 0.0}
    return p.model_copy(update={**still, **changes})


def after_selection(p: Parameters, streams: Streams) -> dict[str, float]:
    """One batch of children of 3 to 12 years: {"<threshold> <baseline> <when>": mean change of log UPCR}.

    With "halved" for the share at month 12 at half the baseline or less, and "n" for the children selected.
    """
    p = _stable(p, age_min=3.0, age_max=13.0)
    child = simulate.children(p, CLINIC, streams)
    first = simulate.upcr_reported(
        p, child["log_upcr"] + child["wander"], streams("screening UPCR noise").standard_normal(CLINIC)
    )
    days = np.array([-p.infusion_gap - p.days_to_infusion, -p.infusion_gap, *AT.values()], float)
    course = Course.quiet(days, CLINIC)
    path = conduct.level(p, {k: v[None] for k, v in child.items()}, streams, course)[0]
    later = populations.log_upcr(
        simulate.upcr_reported(p, path, streams("UPCR noise").standard_normal(path.shape))
    )
    screened, second, separate, visits = populations.log_upcr(first), later[:, 0], later[:, 1], later[:, 2:]
    out = {}
    for threshold in THRESHOLDS:
        enters = first >= threshold
        for name, base in zip(BASELINES, (screened, separate, (screened + second) / 2), strict=True):
            change = (visits - base[:, None])[enters]
            for when, values in zip(AT, change.T, strict=True):
                out[f"{threshold:g} {name} {when}"] = float(values.mean()) if values.size else np.nan
            halved = change[:, -1] <= np.log(0.5) + 1e-9
            out[f"{threshold:g} {name} halved"] = float(halved.mean()) if halved.size else np.nan
        out[f"{threshold:g} n"] = float(enters.sum())
    return out


def _remits(p: Parameters, upcr: NDArray) -> dict[str, float]:
    """Shares of children with a remission, in percent, by how it is counted.

    upcr (children, 13): two samples before treatment and the visits. Baseline is the first sample; in `TWO` the
    geometric mean of both.
    """
    visits = upcr[:, 2:]
    e = derive.upcr_endpoint(visits, upcr[:, 0], conduct.DAYS, p)
    two = derive.upcr_endpoint(visits, np.sqrt(upcr[:, 0] * upcr[:, 1]), conduct.DAYS, p)
    found = {
        "any visit": e.first >= 0,
        "confirmed at the next visit": np.any(derive.confirmed(e.state, conduct.DAYS, 0), axis=1),
        "confirmed": e.confirmed >= 0,
        "month 12": e.state[:, -1] > 0,
    }
    shares = {name: _percent(who, e.evaluable) for name, who in found.items()}
    return shares | {TWO: _percent(two.confirmed >= 0, two.evaluable)}


def _percent(who: NDArray, among: NDArray) -> float:
    return 100 * float(who[among].mean()) if among.any() else np.nan


def stable_children(p: Parameters, streams: Streams) -> list[dict[str, Any]]:
    """Rows noise, sd, level, definition and the four shares, for independent and for the assumed noise."""
    p = _stable(p)
    visits = 2 + len(VISITS)
    rows = []
    z = streams("independent").standard_normal((STABLE, visits))
    for sd in NOISE:
        upcr = np.exp(sd * z)
        for definition in DEFINITIONS:
            plan = p.model_copy(update={"remission_definition": definition})
            rows.append(
                {
                    "noise": "independent",
                    "sd": sd,
                    "level": 1.0,
                    "definition": definition,
                    **_remits(plan, upcr),
                }
            )
    days = np.concatenate([conduct.consent_day(p, np.zeros(1)), conduct.grid(p)])
    z, wander = (
        streams("visits").standard_normal((STABLE, visits)),
        streams("wander").standard_normal((visits, STABLE)),
    )
    path = np.empty((STABLE, visits))
    path[:, 0] = wander[0]
    for k in range(1, visits):
        rho = np.exp2((days[k - 1] - days[k]) / p.upcr_wander_half_life)
        path[:, k] = rho * path[:, k - 1] + np.sqrt(1 - rho * rho) * wander[k]
    for level in LEVELS:
        upcr = simulate.upcr_reported(p, np.log(level) + p.upcr_wander * path, z)
        for definition in DEFINITIONS:
            plan = p.model_copy(update={"remission_definition": definition})
            rows.append(
                {
                    "noise": "as assumed",
                    "sd": None,
                    "level": level,
                    "definition": definition,
                    **_remits(plan, upcr),
                }
            )
    return rows


PARTS = ("selection", "stable")
"""What `part` computes one by one."""


def compute(p: Parameters) -> dict[str, Any]:
    """{"selection": {name: [value, low, high]}, "stable": rows}: mean log changes with Monte Carlo intervals."""
    return {name: part(p, name)[name] for name in PARTS}


def part(p: Parameters, name: str) -> dict[str, Any]:
    """One of `PARTS`: {name: its answer}."""
    p = populations.planned(p, GROUPS, ("infusion_gap", "days_to_randomisation", "days_to_infusion"))
    if name == "stable":
        rows = stable_children(p, Streams(p.seed, 72))
        return {
            name: [{k: _digits(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
        }
    batches = [after_selection(p, Streams(p.seed, 71, k)) for k in range(BATCHES)]
    found = {}
    for key in batches[0]:
        x = np.array([batch[key] for batch in batches])
        half = 2.262 * x.std(ddof=1) / np.sqrt(len(x))
        values = (x.sum(),) if key.endswith(" n") else (x.mean(), x.mean() - half, x.mean() + half)
        found[key] = [_digits(v) for v in values]
    return {name: found}


def _digits(value: float) -> float | None:
    """Six digits, as more would be Monte Carlo error and differ in last bits between machines."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def shown(p: Parameters) -> dict[str, Any]:
    """`compute` as stored for these parameters."""
    return stored.recall(compute, p)
