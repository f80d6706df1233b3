"""What a trial holds beside the course of UPCR: the other measures, actual days, adverse events, ways out.

Arrays are those of `conduct`: (trials, children) or (trials, children, 12) for baseline and the eleven visits. Many
trials that ask for UPCR alone do without this module. It draws from the streams of the trial, so that nothing
here moves what `conduct` drew.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.study import kidney
from helpers.study.protocol import DAYS_PER_YEAR, VISITS
from helpers.trial import conduct, simulate
from helpers.trial.conduct import Followed

LEAVING = ("family's wish", "moved away", "adverse event", "lost to follow-up")
"""Reasons for leaving, each as likely as the others."""


def serum_and_cells(f: Followed) -> dict[str, NDArray]:
    """The other measures at the twelve visits, (trials, children, 12), NaN where not taken.

    Includes 24-hour protein, dipstick grade, red cells, creatinine, cystatin C, BUN, height, weight; and the
    truth behind them: `gfr`, `gfr_slope` (trials, children), `log_rbc` without visit noise.
    """
    p, streams, child = f.p, f.streams, f.enrolled.child
    days, shape = conduct.grid(p), f.level.shape
    slope = conduct.gfr_slopes(p, child["severe"], streams)
    slope = slope + np.where(f.arm == 1, p.gfr_slope_effect, 0.0) * f.given.mean(axis=-1)
    gfr = child["gfr"][..., None] + slope[..., None] * np.maximum(days, 0) / DAYS_PER_YEAR
    gfr += p.ras_gfr_dip * (days >= f.ras_day[..., None])
    gfr = np.maximum(gfr, p.gfr_min)

    age = child["age"][..., None] + (days - conduct.consent_day(p, f.delay)[..., None]) / DAYS_PER_YEAR
    male = np.broadcast_to(child["male"][..., None], shape)
    height = simulate.report(
        "height", kidney.growth("height", age, male, np.broadcast_to(child["height_z"][..., None], shape))
    )
    weight = simulate.report(
        "weight", kidney.growth("weight", age, male, np.broadcast_to(child["weight_z"][..., None], shape))
    )

    log_rbc = child["log_rbc"][..., None] + np.where(f.arm == 1, np.log(p.rbc_effect), 0.0)[..., None] * (
        f.given.mean(axis=-1)[..., None] * conduct.time_course(p, days)
    )
    log_rbc = log_rbc + f.ill * np.log(p.illness_rbc)
    without = np.broadcast_to(child["without_haematuria"][..., None], shape)
    rbc = simulate.rbc_reported(
        p,
        log_rbc,
        streams("red cell noise").standard_normal(shape),
        streams("gross haematuria").random(shape),
        without,
    )
    serum = streams("serum").standard_normal((*shape, 3))
    concentration = p.urine_creatinine_median * np.exp(
        p.urine_creatinine_log_sd * streams("urine creatinine").standard_normal(shape)
    )
    values = {
        "protein_24h": simulate.protein_reported(
            p, f.level, age, height, weight,
            streams("24-h protein").standard_normal((*shape, 2)), streams("collection").random(shape),
        ),
        "dipstick": simulate.dipstick_reported(f.spot, concentration).astype(float),
        "rbc": rbc,
        "rbc_dysmorphic": simulate.report("rbc_dysmorphic", rbc * p.dysmorphic_share),
        "creatinine": simulate.creatinine_reported(p, gfr, height, serum[..., 0]),
        "cystatin_c": simulate.cystatin_reported(p, gfr, age, male, serum[..., 1]),
        "bun": simulate.bun_reported(p, gfr, serum[..., 2]),
        "height": height,
        "weight": weight,
    }  # fmt: skip
    for sample, names in conduct.SAMPLES.items():
        for name in set(names) & set(values):
            values[name] = np.where(f.lost[sample], np.nan, values[name])
    for name in values:
        values[name] = np.where(f.attended, values[name], np.nan)
    return {**values, "gfr": gfr, "gfr_slope": slope, "log_rbc": log_rbc}


@dataclass(frozen=True)
class Diary:
    """Days from the planned last infusion, and what else the site notes.

    day (trials, children, 12): of baseline and the eleven visits as they took place, at most the day of
    leaving; serious: by infection of `Followed.infections`; other: flat arrays (child index, first day) of
    adverse events that are neither infection nor fever; leaving (trials, children): index in `LEAVING`, of
    meaning for those who leave.
    """

    day: NDArray
    serious: NDArray
    other: tuple[NDArray, NDArray]
    leaving: NDArray


def diary(f: Followed) -> Diary:
    """Actual visit days within their windows, other adverse events, which infections are serious, ways out."""
    p, streams, shape = f.p, f.streams, f.arm.shape
    nominal = conduct.grid(p)
    width = np.array([p.visit_window(visit.day) for visit in VISITS])
    jitter = np.floor(streams("visit days").random((*shape, len(VISITS))) * (2 * width + 1)) - width
    day = np.concatenate([np.full((*shape, 1), nominal[0]), nominal[1:] + jitter], axis=-1)
    span = conduct.LAST_DAY + p.infusion_gap
    befallen = streams("other events").poisson(p.other_event_rate * span / DAYS_PER_YEAR, shape).ravel()
    child = np.repeat(np.arange(befallen.size), befallen)
    begins = np.floor(streams("other event days").random(child.size) * span) - p.infusion_gap
    return Diary(
        day=np.minimum(day, f.left[..., None]),
        serious=streams("serious infection").random(f.infections[0].size) < p.serious_share,
        other=(child, begins),
        leaving=streams("reason for leaving").integers(len(LEAVING), size=shape),
    )
