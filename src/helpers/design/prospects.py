"""What else a sponsor and a monitoring board ask of the design: fairness, what hurts, looks, best-of-many, assurance.

Simulated parts return rows of counts, as `characteristics` stores them; `assured`, `looks` and `boundary` are
computed from those and from the register, exactly.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from helpers import Problem
from helpers.design import operating
from helpers.design.operating import ANALYSES, PRIMARY
from helpers.estimators import planning, proportions
from helpers.estimators.batches import Answers
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_MONTH, DAYS_PER_YEAR
from helpers.trial import conduct
from helpers.trial.conduct import DAYS, LAST_DAY

NUMERIC = "ancova average"
Row = dict[str, Any]

# ------------------------------------------------------------------ the same mean effect, otherwise shaped

SHAPES = ("as assumed", "two in five children respond", "it wanes, half is gone in a year", "noisier samples")
"""Worlds of the fairness check, at an equal mean log effect where there is one."""
RESPONDERS = 0.4
WANING = float(np.log(2))
NOISIER = 1.5
FAIR_EFFECTS = (0.8, 0.65, 0.5)


def shaped(p: Parameters, shape: str, effect: float) -> Parameters | None:
    """The parameters of a world of `SHAPES` at an effect (ratio of UPCR); None where no value can give it."""
    same: dict[str, Any] = {"upcr_effect": effect}
    if shape == SHAPES[1]:
        same = {"upcr_effect": effect ** (1 / RESPONDERS), "responder_share": RESPONDERS}
    elif shape == SHAPES[2]:
        # the average over the visits' course is what both have in common
        days = np.arange(1, LAST_DAY + 1, dtype=float)
        plan = p.model_copy(update={"effect_waning": WANING})
        stronger = conduct.time_course(p, days).mean() / conduct.time_course(plan, days).mean()
        same = {"upcr_effect": effect**stronger, "effect_waning": WANING}
    elif shape == SHAPES[3]:
        same |= {
            name: NOISIER * getattr(p, name) for name in ("upcr_noise", "upcr_noise_min", "upcr_noise_max")
        }
    low = next(m.ge for m in Parameters.model_fields["upcr_effect"].metadata if hasattr(m, "ge"))
    return p.model_copy(update=same) if same["upcr_effect"] >= low else None


def fairness(p: Parameters, trials: int) -> Iterator[Row]:
    """Power of the primary and of the average of log UPCR by effect, in each world of `SHAPES`."""
    for shape in SHAPES:
        for effect in sorted({*FAIR_EFFECTS, p.upcr_effect} - {1.0}, reverse=True):
            plan = shaped(p, shape, effect)
            if plan is None:
                continue
            found = _asked(plan, trials, [PRIMARY, NUMERIC])
            for name, one in found.items():
                yield {
                    "shape": shape,
                    "effect": effect,
                    "analysis": name,
                    **operating.summary(name, one, p.alpha),
                }


def _asked(p: Parameters, trials: int, names: list[str]) -> dict[str, Answers]:
    return {name: one for (_, _, name), one in operating.answers(p, trials, analyses=names).items()}


# ------------------------------------------------------------------ what hurts

HURTS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "noise of a sample (SD, against the plan's)": (
        ("upcr_noise", "upcr_noise_min", "upcr_noise_max"),
        0.5,
        1.5,
    ),
    "slow wander of a child (log SD)": (("upcr_wander",), 0.0, 0.5),
    "drift between children (log SD a year)": (("upcr_drift_sd",), 0.0, 0.5),
    "spread of the effect between children (log SD)": (("upcr_effect_sd",), 0.0, 0.6),
    "days until half of the effect": (("effect_half_life",), 7.0, 63.0),
    "share who leave": (("dropout",), 0.0, 0.3),
    "share of visits missed": (("visit_missed",), 0.0, 0.2),
    "changes of RAS inhibition a year on placebo": (("ras_change_placebo",), 0.0, 0.5),
}
"""Words -> parameters, a low and a high value; several parameters are multiplied by it."""


def changed(p: Parameters, what: str, high: bool) -> Parameters:
    """The parameters with one of `HURTS` at its low or high value."""
    names, *ends = HURTS[what]
    value = ends[high]
    return p.model_copy(
        update={name: getattr(p, name) * value if len(names) > 1 else value for name in names}
    )


def hurts(p: Parameters, trials: int) -> Iterator[Row]:
    """Power of the primary and of the average of log UPCR with each of `HURTS` low and high, on common numbers."""
    for what, (_, low, high) in HURTS.items():
        for end, value in (("low", low), ("high", high)):
            row = {"what": what, "end": end, "value": value}
            try:
                found = _asked(changed(p, what, end == "high"), trials, [PRIMARY, NUMERIC])
            except Problem as problem:
                yield row | {"why": str(problem)}
                continue
            for name, one in found.items():
                yield row | {"why": "", "analysis": name, **operating.summary(name, one, p.alpha)}


# ------------------------------------------------------------------ the best of many

BY_VISIT = "remission at any one of the visits, each tested"


def families(readings: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What a reader may pick the best of, and how it is called; readings: those of the endpoint.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> prospects.families(characteristics.READINGS)
    """
    return {
        "primary": "The primary alone",
        "endpoints": "The best endpoint of UPCR, each by Boschloo's test",
        "analyses": "The best analysis of this chapter",
        "definitions": f"The best of {len(readings)} definitions of confirmed remission",
        "visits": f"The best of {len(DAYS)} visits, remission at it by Boschloo's test",
        "all": "The best of all of these",
    }


def picked(p: Parameters, trials: int, readings: dict[str, dict[str, Any]]) -> Iterator[Row]:
    """Trials without an effect that claim something for the cells, by what the reader may pick from."""
    total: dict[str, int] = dict.fromkeys(families(readings), 0)
    for enrolled, streams in operating.chunks(p, trials, p.n_randomised):
        t = operating.followed(p, enrolled, streams, **operating.of_effect(1.0))

        def claims(name: str, seen: operating.Trials) -> Any:
            return operating.favours(name, ANALYSES[name].ask(seen), p.alpha) > 0

        asked = {name: claims(name, t) for name in operating.DEFAULT}
        endpoints = [asked[name] for name in ("confirmed", "ever", "sustained", "month 12")]
        definitions = [claims(PRIMARY, t.read_as(**changes)) for changes in readings.values()]
        visits = [_claims(t, t.remission.state[..., v] > 0) for v in range(len(DAYS))]
        parts = {
            "primary": [asked[PRIMARY]], "endpoints": endpoints, "analyses": list(asked.values()),
            "definitions": definitions, "visits": visits,
        }  # fmt: skip
        parts["all"] = [one for part in parts.values() for one in part]
        for name, part in parts.items():
            total[name] += int(np.any(part, axis=0).sum())
        count = {name: len(part) for name, part in parts.items()}
    # what stands in two of the groups is one choice
    count["all"] = len({*operating.DEFAULT}) + len(readings) - 1 + len(DAYS) - 1
    for name, hits in total.items():
        yield {"family": name, "choices": count[name], "trials": trials, "favour": hits}


def _claims(t: operating.Trials, remitted: NDArray) -> NDArray:
    """Whether Boschloo's test of who is in remission, (trials, children), speaks for the cells: (trials,)."""
    tables, back = np.unique(np.stack(t.counts(remitted), axis=1), axis=0, return_inverse=True)
    x0, n0, x1, n1 = tables.T
    return np.asarray((proportions.boschloo(x0, n0, x1, n1) <= t.p.alpha) & (x1 * n0 > x0 * n1))[back.ravel()]


# ------------------------------------------------------------------ a look on the way

LEAST = 0.2
"""Conditional power below which a trial is called futile."""


def calendar(p: Parameters, trials: int) -> Iterator[Row]:
    """The day on which half of the children have month 12, and how many are randomised by then: one row of means."""
    half = p.n_randomised // 2
    months, enrolled_then, complete = [], [], []
    # the clinic goes on from trial to trial: each trial's clock starts when the one before is full
    for enrolled, streams in operating.chunks(p, trials, p.n_randomised):
        start = np.concatenate([[0.0], enrolled.consent[:-1, -1]])[:, None]
        consent = enrolled.consent - start
        delay = conduct.follow(
            p.model_copy(update={"n_randomised": enrolled.shape[1]}), enrolled, streams
        ).delay
        last = consent - conduct.consent_day(p, delay) + LAST_DAY
        look = np.partition(last, half - 1, axis=1)[:, half - 1 : half]
        randomised = (consent + p.days_to_randomisation <= look).sum(axis=1)
        months.append(look[:, 0] / DAYS_PER_MONTH)
        enrolled_then.append(randomised)
        complete.append(randomised == p.n_randomised)
    then, all_in = np.concatenate(enrolled_then), np.concatenate(complete)
    yield {
        "trials": len(then),
        "with_month_12": half,
        "months": float(np.concatenate(months).mean()),
        "randomised": float(then.mean()),
        "randomised_low": float(np.quantile(then, 0.05, method="nearest")),
        "recruited": int(all_in.sum()),
    }


def looks(p: Parameters, shares: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """One unadjusted look at half of the children, by enumeration, with and without the assumed effect.

    shares: "assumed" and "none" -> true shares in confirmed remission, placebo and hUC-MSC. A row each: world, placebo,
    msc (%), early, late, either, futile, lost (%): see `planning.Look`; children: of the arms at the look and the end.
    """
    first, whole = (operating.arms(p, n) for n in (p.n_randomised // 2, p.n_randomised))
    rows = []
    for world, x in shares.items():
        row: Row = {
            "world": world,
            "placebo": 100 * x[0],
            "msc": 100 * x[1],
            "at_look": f"{first[0]} v {first[1]}",
        }
        if all(0 < few < all_ for few, all_ in zip(first, whole, strict=True)):
            found = planning.look(x, first, whole, p.alpha, shares["assumed"], LEAST)
            row |= {
                name: 100 * getattr(found, name) for name in ("early", "late", "either", "futile", "lost")
            }
        rows.append(row)
    names = ["world", "placebo", "msc", "at_look", "early", "late", "either", "futile", "lost"]
    return pd.DataFrame(rows).reindex(columns=names)


# ------------------------------------------------------------------ a boundary for serious events

TRUE_RATES = (1.0, 2.0, 3.0, 5.0)
"""Multiples of the tolerated share for which the chance of stopping is told."""


def tolerated(p: Parameters) -> float:
    """Share of children with a serious infection within the follow-up as the register has it without the cells."""
    years = (LAST_DAY + p.infusion_gap) / DAYS_PER_YEAR
    return float(-np.expm1(-p.infection_rate * p.serious_share * years))


def boundary(p: Parameters) -> pd.DataFrame:
    """Serious events in children on hUC-MSC at which to stop: a row a number of events.

    events; up_to (children within whom so many stop), of (children on hUC-MSC); empty where nothing is tolerated.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> prospects.boundary(p)
    """
    rate, n = tolerated(p), max(operating.arms(p, p.n_randomised)[1], 1)
    if not 0 < rate < 1:
        return pd.DataFrame(columns=["events", "up_to", "of"])
    limits = planning.stopping_boundary(rate, n).events
    rows = [
        {"events": int(k), "up_to": int(np.flatnonzero(limits <= k)[-1]) + 1, "of": n}
        for k in range(1, int(limits.max()) + 1)
        if (limits <= k).any()
    ]
    return pd.DataFrame(rows, columns=["events", "up_to", "of"]).drop_duplicates("up_to")


def stopping(p: Parameters) -> pd.DataFrame:
    """Chance that the boundary stops the trial by true rate: rate (%), times (the tolerated one), stops (%).

    Examples
    --------
    As notebook 08-operating calls it:

    >>> prospects.stopping(p)
    """
    rate, n = tolerated(p), max(operating.arms(p, p.n_randomised)[1], 1)
    if not 0 < rate < 1:
        return pd.DataFrame(columns=["rate", "times", "stops"])
    found = planning.stopping_boundary(rate, n)
    rows = [(100 * k * rate, k, 100 * found.chance(k * rate)) for k in TRUE_RATES if k * rate < 1]
    return pd.DataFrame(rows, columns=["rate", "times", "stops"])


# ------------------------------------------------------------------ assurance

PRIORS: dict[str, tuple[float, float, float]] = {
    "sceptical": (0.75, 0.85, 0.15),
    "even": (0.5, 0.75, 0.25),
    "optimistic": (0.2, 0.65, 0.25),
}
"""Share of no effect at all, else the median ratio of UPCR and its log SD: what someone may believe beforehand."""


def assured(frame: pd.DataFrame) -> pd.DataFrame:
    """Chance of success over each prior, by analysis: prior, none, median, sd, analysis, success, largest, true (%).

    frame: `characteristics.by_effect`: power by effect. Between the effects asked for, the probit of power is
    straight in the log ratio. Beyond the largest it stays as there, too little; against the cells, where claims for
    them are rarer still, as without an effect, too much.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> prospects.assured(by_effect)
    """
    rows = []
    for name in (PRIMARY, NUMERIC):
        part = frame[frame["analysis"] == name].sort_values("effect")
        at = np.log(part["effect"].to_numpy(float))
        probit = stats.norm.ppf(np.clip(part["power"].to_numpy(float) / 100, 5e-4, 1 - 5e-4))

        def power(log_ratio: NDArray, at: NDArray = at, probit: NDArray = probit) -> NDArray:
            return np.asarray(stats.norm.cdf(np.interp(log_ratio, at, probit)))

        for prior, (none, median, sd) in PRIORS.items():
            found = planning.assurance(power, none, float(np.log(median)), sd)
            rows.append(
                {
                    "prior": prior, "none": 100 * none, "median": median, "sd": sd, "analysis": name,
                    "success": 100 * found.success, "largest": 100 * found.largest, "true": 100 * found.true,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)
