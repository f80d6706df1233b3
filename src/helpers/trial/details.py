"""What a trial holds beside the course of UPCR: the other measures, actual days, adverse events, ways out.

Arrays are those of `conduct`: (trials, children) or (trials, children, 12) for baseline and the eleven visits. Many
trials that ask for UPCR alone do without this module. It draws from the streams of the trial, so that nothing
here moves what `conduct` drew.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from helpers.study.codebook import RESCUE_AGENTS, SEVERITY
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_YEAR, VISITS
from helpers.trial import conduct, simulate
from helpers.trial.conduct import Followed
from helpers.trial.simulate import Streams

LEAVING = ("family's wish", "moved away", "adverse event", "lost to follow-up")
"""Reasons for leaving, each as likely as the others."""

TERMS = {
    "infection": (
        "cold", "sore throat", "ear infection", "chest infection", "stomach infection", "urinary infection",
        "skin infection",
    ),
    "fever": ("fever",),
    "reaction": ("infusion reaction",),
    "other": ("headache", "stomach ache", "cough", "rash", "tiredness", "vomiting", "joint pain"),
}  # fmt: skip
"""Plain words for what happens, by kind of event, each as likely as the others of its kind."""


def serum_and_cells(f: Followed) -> dict[str, NDArray]:
    """The other measures at the twelve visits, (trials, children, 12), NaN where not taken.

    Includes 24-hour protein, dipstick grade, red cells, creatinine, cystatin C, BUN, height, weight; and the
    truth behind them: `gfr`, `gfr_slope` (trials, children), `log_rbc` without visit noise.
    """
    p, streams, child = f.p, f.streams, f.enrolled.child
    days, shape = f.days, f.level.shape
    slope = conduct.gfr_slopes(p, child["severe"], streams)
    slope = slope + np.where(f.arm == 1, p.gfr_slope_effect, 0.0) * f.given.mean(axis=-1)
    slope = slope - p.gfr_slope_per_upcr_fall * f.effect
    gfr = child["gfr"][..., None] + slope[..., None] * np.maximum(days, 0) / DAYS_PER_YEAR
    gfr += p.ras_gfr_dip * (days >= f.ras_day[..., None])
    gfr = np.clip(gfr, p.gfr_min, p.gfr_max)

    age = child["age"][..., None] + (days - conduct.consent_day(p, f.delay)[..., None]) / DAYS_PER_YEAR
    male = np.broadcast_to(child["male"][..., None], shape)
    height, weight = (
        simulate.body(measure, age, male, np.broadcast_to(child[f"{measure}_z"][..., None], shape))
        for measure in ("height", "weight")
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
class Notes:
    """What the site writes of adverse events of one kind, an array each of the kind's own shape.

    term: one of `TERMS`; severity: a word of the codebook; blame, uniform in 0 to 1: the site holds the event for
    caused by an infusion where it lies below the share that `Parameters` gives for the time of the event.
    """

    term: NDArray
    severity: NDArray
    blame: NDArray


@dataclass(frozen=True)
class Diary:
    """Days from the planned last infusion, and what else the site notes.

    day (trials, children, 12): of baseline and the eleven visits as they took place, at most the day of
    leaving; serious, length (days, the first one counted): by infection of `Followed.infections`; other: flat
    arrays (child index, first day) of adverse events that are neither infection nor fever nor a reaction;
    reactions (trials, children, 2): to an infusion, within 24 h of it; notes: by kind of `TERMS`, in the shapes of
    `Followed.infections`, `Followed.fevers`, reactions and other; leaving (trials, children): index in `LEAVING`, of
    meaning for those who leave; rescue_agent (trials, children): index in `RESCUE_AGENTS`, for those rescued.
    """

    day: NDArray
    serious: NDArray
    length: NDArray
    other: tuple[NDArray, NDArray]
    reactions: NDArray
    notes: dict[str, Notes]
    leaving: NDArray
    rescue_agent: NDArray


def visit_days(f: Followed) -> NDArray:
    """Days of baseline and the eleven visits as they took place, within their windows: (trials, children, 12)."""
    width = np.array([f.p.visit_window(visit.day) for visit in VISITS])
    place = f.streams("visit days").random((*f.arm.shape, len(VISITS)))
    jitter = np.floor(place * (2 * width + 1)) - width
    day = f.days + np.concatenate([np.zeros((*f.arm.shape, 1)), jitter], axis=-1)
    return np.minimum(day, f.left[..., None])


def diary(f: Followed) -> Diary:
    """Actual visit days within their windows, other adverse events, which infections are serious, ways out."""
    p, streams, shape = f.p, f.streams, f.arm.shape
    span = conduct.LAST_DAY + p.infusion_gap
    befallen = streams("other events").poisson(p.other_event_rate * span / DAYS_PER_YEAR, shape).ravel()
    child = np.repeat(np.arange(befallen.size), befallen)
    begins = np.floor(streams("other event days").random(child.size) * span) - p.infusion_gap
    infections = f.infections[0].shape
    shapes = {
        "infection": infections,
        "fever": f.fevers.shape,
        "reaction": f.given.shape,
        "other": child.shape,
    }
    return Diary(
        day=visit_days(f),
        serious=streams("serious infection").random(infections) < p.serious_share,
        length=conduct.infection_lengths(p, streams, f.infections[1]),
        other=(child, begins),
        reactions=(streams("infusion reaction").random(f.given.shape) < p.infusion_reaction) & f.given,
        notes={kind: _notes(p, streams, kind, shapes[kind]) for kind in TERMS},
        leaving=streams("reason for leaving").integers(len(LEAVING), size=shape),
        rescue_agent=streams("rescue agent").integers(len(RESCUE_AGENTS) - 1, size=shape),
    )


def _notes(p: Parameters, streams: Streams, kind: str, shape: tuple[int, ...]) -> Notes:
    """Term, severity and blame of the events of a kind of `TERMS`."""
    term = streams(f"{kind} term").integers(len(TERMS[kind]), size=shape)
    place = streams(f"{kind} severity").random(shape)
    moderate = p.event_severe + p.event_moderate * (1 - p.event_severe)
    steps = (place < moderate).astype(int) + (place < p.event_severe)
    return Notes(
        term=np.array(TERMS[kind], object)[term],
        severity=np.array(SEVERITY, object)[steps],
        blame=streams(f"{kind} blame").random(shape),
    )
