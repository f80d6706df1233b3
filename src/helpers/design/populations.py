"""Children drawn as published populations were defined, and the same quantities taken from them.

Each function draws one batch of children of one published population (its age, sex, genotype, selection and
treatment) and returns {quantity: value}, quantity named as in `calibration`. Many batches give the value and
its Monte Carlo error.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers import Problem
from helpers.study import kidney
from helpers.study.parameters import Parameters, about
from helpers.study.protocol import DAYS_PER_YEAR
from helpers.trial import conduct, simulate
from helpers.trial.conduct import Course
from helpers.trial.simulate import Streams

TRIAL = ("DO01", "DO02", "DO03", "DO04", "DO05", "DO07", "DO09", "MS04", "MS05a", "MS05b")
"""What `trial` answers."""

BATCH = 10_000
"""Children of a batch, at least; twenty batches make 200,000."""
WEBB_ENTRY = 34 / kidney.MG_MMOL_PER_MG_MG
"""UPCR at or above which children entered the losartan trial, mg/mg."""
PERCENTILES = tuple(range(1, 100, 2))
"""Percentiles of a curve."""

UNTREATED = {"ras_prevalence": 0.0, "ras_prevalence_mild": 0.0}
ANY_AGE = {"age_min": 1.0, "age_max": 18.0}
X_LINKED = {"share_x_linked": 1.0, "share_recessive": 0.0, "share_dominant": 0.0, "share_digenic": 0.0}
BOYS = {**X_LINKED, "male_share": 1.0}

Batch = dict[str, float]
Children = tuple[dict[str, NDArray], dict[str, NDArray]]


def _gather(
    p: Parameters, streams: Streams, keep: Callable[[dict, dict], NDArray], n: int = BATCH
) -> Children:
    """(child, recorded) of `n` children whom `keep(child, recorded)` lets in."""
    parts, found, part = [], 0, 0
    while found < n:
        inner = Streams(streams.seed, *streams.key, part)
        child = simulate.children(p, BATCH, inner)
        recorded = simulate.measured(p, BATCH, inner, child, True)
        at = np.flatnonzero(keep(child, recorded))
        parts.append([{k: v[at] for k, v in values.items()} for values in (child, recorded)])
        found, part = found + at.size, part + 1
        if part == 20 and found * 5 < n:
            # nobody fits the population under these parameters: no children, so nothing is estimable
            n = 0
            break

    def joined(side: int) -> dict[str, NDArray]:
        return {k: np.concatenate([x[side][k] for x in parts])[:n] for k in parts[0][side]}

    return joined(0), joined(1)


def _everyone(child: dict, recorded: dict) -> NDArray:
    return np.ones(child["age"].size, bool)


def planned(p: Parameters, groups: tuple[str, ...], names: tuple[str, ...] = ()) -> Parameters:
    """`p` in these groups of parameters and these single ones; all others at their default."""
    defaults = {
        name: field.default
        for name, field in Parameters.model_fields.items()
        if about(name)["group"] not in groups and name not in names
    }
    return p.model_copy(update=defaults)


def _with(p: Parameters, **changes: Any) -> Parameters:
    return p.model_copy(update=changes)


def _share(condition: NDArray, among: NDArray | bool = True) -> float:
    chosen = condition[np.broadcast_to(among, condition.shape)]
    return 100 * float(chosen.mean()) if chosen.size else np.nan


def _quantiles(values: NDArray, names: tuple[str, ...]) -> Batch:
    values = values[~np.isnan(values)]
    found = np.quantile(values, [0.5, 0.25, 0.75]) if values.size else [np.nan] * 3
    return dict(zip(names, (float(x) for x in found), strict=True))


def log_upcr(upcr: NDArray) -> NDArray:
    """Logarithm of a reported UPCR; 0.005 stands for one that was rounded to 0."""
    return np.log(np.maximum(upcr, 0.005))


def _curve(name: str, values: NDArray) -> Batch:
    """Percentiles 1, 3, ..., 99 for a picture: `curve <name> <percentile>`."""
    values = values[~np.isnan(values)]
    found = np.percentile(values, PERCENTILES) if values.size else [np.nan] * len(PERCENTILES)
    return {f"curve {name} {q}": float(x) for q, x in zip(PERCENTILES, found, strict=True)}


def clinic(p: Parameters, streams: Streams) -> Batch:
    """The clinic itself: forms, sex, age."""
    child = simulate.children(p, BATCH, streams)
    form = child["genotype"]
    shares = {f"NH0{k + 1}": _share(form == k) for k in range(4)}
    return shares | {
        "NH05": _share(child["male"]),
        "NH14a age mean": float(child["age"].mean()),
        "NH14a age SD": float(child["age"].std()),
    }


def at_diagnosis(p: Parameters, streams: Streams) -> Batch:
    """Children at diagnosis, 6.6 (SD 3.5) years, not treated yet."""
    p = _with(p, **UNTREATED, **ANY_AGE, age_mean=6.6, age_sd=3.5)
    _, recorded = _gather(p, streams, _everyone)
    seen = ~np.isnan(recorded["upcr"])
    return {
        "NH08": _share(recorded["upcr"] >= p.proteinuria_upcr, seen),
        "NH09": _share(recorded["upcr"] >= 2.0, seen),
    }


def older_series(p: Parameters, streams: Streams) -> Batch:
    """Children of an older Chinese series, before RAS inhibition was usual."""
    child, recorded = _gather(_with(p, **UNTREATED), streams, _everyone)
    out, seen = {}, ~np.isnan(recorded["upcr"])
    for sex, chosen in (("a", child["male"]), ("b", ~child["male"])):
        out[f"NH11{sex}"] = _share(recorded["upcr"] >= p.proteinuria_upcr, chosen & seen)
    for sex, chosen in (("c", child["male"]), ("d", ~child["male"])):
        out[f"NH11{sex}"] = _share(recorded["upcr"] >= 2.0, chosen & seen)
    return out


def first_visit_boys(p: Parameters, streams: Streams) -> Batch:
    """Boys with X-linked disease at their first visit, median age 8.9 (quartiles 4.1 and 14.3), not treated."""
    p = _with(p, **UNTREATED, **ANY_AGE, **BOYS, age_mean=9.2, age_sd=9.0)
    _, recorded = _gather(p, streams, _everyone)
    upcr = recorded["upcr"]
    out = _quantiles(upcr, ("NH13 median", "NH13 quartile 1", "NH13 quartile 3"))
    return {
        **out,
        "NH13 log-SD": float(np.nanstd(log_upcr(upcr))),
        "NH07": _share(recorded["rbc"] > p.haematuria_limit, ~np.isnan(recorded["rbc"])),
        **_curve("upcr", upcr),
    }


def boys_in_care(p: Parameters, streams: Streams) -> Batch:
    """Boys with X-linked disease in care, 8.7 (SD 4.3) years."""
    p = _with(p, **ANY_AGE, **BOYS, age_mean=8.7, age_sd=4.3)
    child, recorded = _gather(p, streams, _everyone)
    egfr = kidney.schwartz(recorded["height"], recorded["creatinine"])
    return {
        "NH22 mean": float(np.nanmean(egfr)),
        "NH22 SD": float(np.nanstd(egfr)),
        "NH22 RAS": _share(~np.isnan(child["ras_days"])),
        **_curve("egfr boys", egfr),
    }


def boys_without_proteinuria(p: Parameters, streams: Streams) -> Batch:
    """Boys with X-linked disease of 2 to 15 years whose UPCR is not positive, mean age 6.5 (N201, N202)."""
    p = _with(p, **BOYS, age_min=2.0, age_max=15.0, age_mean=7.7, age_sd=4.0)
    _, recorded = _gather(p, streams, lambda child, recorded: recorded["upcr"] < p.proteinuria_upcr)
    egfr = kidney.schwartz(recorded["height"], recorded["creatinine"])
    return {"N202": float(np.nanmean(egfr)) if egfr.size else np.nan}


def x_linked_over_years(p: Parameters, streams: Streams) -> Batch:
    """Children with X-linked disease (47 of 69 boys), 9.5 (SD 4.2) years, eGFR each half year for four years."""
    p = _with(p, **ANY_AGE, **X_LINKED, male_share=47 / 69, age_mean=9.5, age_sd=4.2)
    child, recorded = _gather(p, streams, _everyone)
    first = kidney.schwartz(recorded["height"], recorded["creatinine"])
    out = {"NH23 mean": float(np.nanmean(first)), "NH23 SD": float(np.nanstd(first))}
    years = np.arange(9) / 2
    shape = (first.size, years.size)
    gfr = child["gfr"][:, None] + conduct.gfr_slopes(p, child["severe"], streams)[:, None] * years
    male, z = (np.broadcast_to(child[k][:, None], shape) for k in ("male", "height_z"))
    height = simulate.report("height", kidney.growth("height", child["age"][:, None] + years, male, z))
    noise = streams("calibration creatinine").standard_normal(shape)
    creatinine = simulate.creatinine_reported(p, np.maximum(gfr, p.gfr_min), height, noise)
    slope = kidney.schwartz(height, creatinine) @ (years - 2) / ((years - 2) ** 2).sum()
    proteinuric = recorded["upcr"] >= p.proteinuria_upcr
    seen = ~np.isnan(recorded["upcr"])
    for name, chosen in (
        ("NH24", child["male"]),
        ("NH25", ~child["male"]),
        ("NH26", proteinuric & seen),
        ("NH27", ~proteinuric & seen),
    ):
        out |= _quantiles(slope[chosen], (f"{name} median", f"{name} quartile 1", f"{name} quartile 3"))
        out |= _curve(name, slope[chosen])
    return out | _curve("egfr x-linked", first)


def _later(p: Parameters, child: dict, streams: Streams, days: NDArray, starts: bool) -> NDArray:
    """True log UPCR on `days` after baseline, 28 days from screening; `starts`: on RAS inhibition from day 0."""
    course = Course.quiet(days, child["age"].size)
    if starts:
        course = replace(course, ras_day=np.zeros_like(course.ras_day))
    return conduct.level(p, {k: v[None] for k, v in child.items()}, streams, course)[0]


def losartan_trial(p: Parameters, streams: Streams) -> Batch:
    """Children off RAS inhibition, UPCR of 34 mg/mmol or more at entry: losartan or none, 12 weeks, 3 years."""
    p = _with(p, **UNTREATED, age_min=1.0, age_max=17.99)
    child, _ = _gather(p, streams, lambda child, recorded: recorded["upcr"] >= WEBB_ENTRY)
    days = np.array([0.0, 84.0, 3 * DAYS_PER_YEAR])
    out: Batch = {}
    for arm, starts in (("placebo", False), ("losartan", True)):
        inner = Streams(streams.seed, *streams.key, int(starts))
        path = _later(p, child, inner, days, starts)
        upcr = simulate.upcr_reported(p, path, inner("UPCR noise").standard_normal(path.shape))
        change = log_upcr(upcr[:, 1]) - log_upcr(upcr[:, 0])
        percent = 100 * float(np.expm1(change.mean())) if change.size else np.nan
        if starts:
            three = log_upcr(upcr[:, 2]) - log_upcr(upcr[:, 0])
            long = 100 * float(np.expm1(three.mean())) if three.size else np.nan
            out |= {"NH18": percent, "NH20a": percent, "NH21a": long, "NH21b": long}
        else:
            out |= {"NH19": percent, "NH20b": percent, "CV03": float(change.std()) if change.size else np.nan}
            out["DO08"] = _share(upcr[:, 1] <= 0.5 * upcr[:, 0])
        out |= _curve(arm, 100 * np.expm1(change))
    return out


def ras_for_a_year(p: Parameters, streams: Streams) -> Batch:
    """Children 8.6 (SD 4.1) years who start RAS inhibition, 24-hour protein before, at 6 and 12 months."""
    p = _with(p, **UNTREATED, **ANY_AGE, age_mean=8.6, age_sd=4.1)
    child, _ = _gather(p, streams, lambda child, recorded: recorded["upcr"] >= p.proteinuria_upcr)
    days = np.array([0.0, DAYS_PER_YEAR / 2, DAYS_PER_YEAR])
    level = _later(p, child, streams, days, starts=True)
    shape = level.shape
    age = child["age"][:, None] + days / DAYS_PER_YEAR
    male = np.broadcast_to(child["male"][:, None], shape)
    height, weight = (
        kidney.growth(what, age, male, np.broadcast_to(child[f"{what}_z"][:, None], shape))
        for what in ("height", "weight")
    )
    normals, u = streams("24-h protein").standard_normal((*shape, 2)), streams("collection").random(shape)
    protein = simulate.protein_reported(p, level, age, height, weight, normals, u)
    per_kg = protein * kidney.body_surface(height, weight) * 24 / weight
    before, half, year = per_kg.T
    strata = {"NH14b": (5, 25), "NH15b": (25, 50), "NH16b": (50, np.inf)}
    out = {}
    for name, (low, high) in strata.items():
        chosen = (before >= low) & (before < high)
        out[name] = _change_of_medians(before[chosen], year[chosen])
    chosen = (before >= 20) & (child["age"] >= 5) & (child["age"] < 13.8)
    out["NH17b"] = _change_of_medians(before[chosen], half[chosen])
    out["NH17c"] = _change_of_medians(before[chosen], year[chosen])
    return out


def _change_of_medians(before: NDArray, after: NDArray) -> float:
    return 100 * float(np.median(after) / np.median(before) - 1) if before.size else np.nan


def next_day(p: Parameters, streams: Streams) -> Batch:
    """The same child measured on two consecutive days: coefficients of variation within a child."""
    out = {}
    rho = np.exp2(-1 / p.upcr_wander_half_life)
    for name, true in (("CV01", 20 / kidney.MG_MMOL_PER_MG_MG), ("CV02", 200 / kidney.MG_MMOL_PER_MG_MG)):
        z = streams(name).standard_normal((BATCH, 4))
        wander = p.upcr_wander * np.stack([z[:, 0], rho * z[:, 0] + np.sqrt(1 - rho * rho) * z[:, 1]])
        both = simulate.upcr_reported(p, np.log(true) + wander, z[:, 2:].T)
        within = (log_upcr(both[1]) - log_upcr(both[0])).std() / np.sqrt(2)
        out[name] = 100 * float(np.sqrt(np.expm1(within**2)))
    p = _with(p, age_min=2.0, age_max=13.0)
    child = simulate.children(p, BATCH, streams)
    height = simulate.report(
        "height", kidney.growth("height", child["age"], child["male"], child["height_z"])
    )
    noise = streams("two samples").standard_normal((2, 2, BATCH))
    for name, both in (
        ("CV07", simulate.creatinine_reported(p, child["gfr"], height, noise[0])),
        ("CV08", simulate.cystatin_reported(p, child["gfr"], child["age"], child["male"], noise[1])),
    ):
        out[name] = 100 * float(np.log(both[1] / both[0]).std() / np.sqrt(2))
    return out


def trial(p: Parameters, seed: int, chunk: int) -> Batch:
    """Many trials of this plan without an effect on UPCR: screening, infusions, fever, visits, drop-out."""
    p = _with(p, upcr_effect=1.0, upcr_effect_sd=0.0, seed=seed)
    try:
        enrolled, _, _ = conduct.screen(p, conduct.CHUNK, chunk, needed=False)
    except Problem:
        return dict.fromkeys(TRIAL, np.nan)
    f = conduct.follow(p, enrolled, Streams(p.seed, chunk))
    fever = np.any(f.fevers, axis=-1)
    odds = [fever[f.arm == k].mean() / max(1 - fever[f.arm == k].mean(), 1e-9) for k in (0, 1)]
    placebo = f.arm == 0
    month_8 = int(np.searchsorted(conduct.grid(p), 244))
    change = (log_upcr(f.upcr[..., month_8]) - log_upcr(f.upcr[..., 0]))[placebo]
    change = change[~np.isnan(change)]
    stays = np.isinf(f.left)
    consented = p.consent_given * (1 - p.missing_answer)
    return {
        "DO01": _share(stays),
        "DO02": 100 * (1 - f.arm.size / (consented * float(enrolled.screened.sum()))),
        "DO03": _share(np.all(f.attended[..., 1:8], axis=-1)),
        "DO04": _share(~np.any(f.lost["urine"][..., 1:7], axis=-1)),
        "DO05": _share(~f.given[..., 0]),
        "DO07": 100 - _share(stays),
        "DO09": 100 * float(np.expm1(change.mean())) if change.size else np.nan,
        "MS04": float(odds[1] / odds[0]) if odds[0] else np.nan,
        "MS05a": _share(fever[f.arm == 1]),
        "MS05b": _share(fever[f.arm == 0]),
    }


DRAWS: dict[str, Callable[[Parameters, Streams], Batch]] = {
    draw.__name__: draw
    for draw in (
        clinic, at_diagnosis, older_series, first_visit_boys, boys_in_care,
        boys_without_proteinuria, x_linked_over_years,
        losartan_trial, ras_for_a_year, next_day,
    )
}  # fmt: skip
