"""The trial as it happens, for one trial or many at once: screen, select, randomise, treat, follow.

Arrays are (trials, children) or (trials, children, visits); the visits are baseline and the eleven of the
protocol, on the nominal day after the planned last infusion. Selection without ragged arrays: children are
drawn in blocks, the criteria applied, and consecutive eligible ones reshaped to (trials, children). Trials
come in chunks that share their random streams; the cohort of the chapters is the first trial of chunk 0.
"""

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import getitem
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from helpers import Problem
from helpers.study import baseline, eligibility
from helpers.study.parameters import Parameters
from helpers.study.protocol import DAYS_PER_MONTH, DAYS_PER_YEAR, VISITS
from helpers.trial import simulate
from helpers.trial.simulate import Streams

CHUNK = 512
"""Trials simulated together; their arrays stay near the processor."""

DAYS = np.array([v.day for v in VISITS])
LAST_DAY = int(DAYS[-1])
INFECTIONS_BEFORE, INFECTIONS_AFTER = 30, 60
"""Days before the planned first infusion and after the last visit for which infections are drawn: an earlier one
postpones nothing as a rule, and a postponed first infusion moves the visits by its delay."""
SAMPLES = {
    "urine": ("upcr", "rbc", "rbc_dysmorphic"),
    "blood": ("creatinine", "cystatin_c", "bun"),
    "collection": ("protein_24h",),
}
"""Measures that are missing together where a sample is lost; dipstick, height and weight are done at the visit."""


@dataclass(frozen=True)
class Enrolled:
    """Eligible children of all trials of a chunk, (trials, children), with what screening recorded of them.

    child: latent values; recorded: columns of `screening`; consent: day of consent, counted from the start of
    recruitment; number: position among the screened; screened: children screened, by trial; everyone: latent
    values of all children screened for the first trial, (screened[0],).
    """

    child: dict[str, NDArray]
    recorded: dict[str, NDArray]
    consent: NDArray
    number: NDArray
    screened: NDArray
    everyone: dict[str, NDArray]

    @property
    def shape(self) -> tuple[int, int]:
        """Trials, children."""
        return self.consent.shape[0], self.consent.shape[1]

    def first(self) -> "Enrolled":
        """The children of the first trial alone."""
        return Enrolled(
            {k: v[:1] for k, v in self.child.items()},
            {k: v[:1] for k, v in self.recorded.items()},
            self.consent[:1],
            self.number[:1],
            self.screened[:1],
            self.everyone,
        )


def columns(p: Parameters, recorded: dict[str, NDArray], consent: NDArray) -> dict[str, NDArray]:
    """Columns of `screening` with dates instead of days before consent; consent: days from the start."""
    day = np.datetime64(p.recruitment_start, "D") + consent.astype("timedelta64[D]")
    out = {"consent_date": day}
    for name, values in recorded.items():
        if not name.endswith("_ago"):
            out[name] = values
            continue
        target = f"{name[:-4]}_date" if name != "ras_since_ago" else "ras_since"
        dates = np.full(day.shape, np.datetime64("NaT"), "datetime64[D]")
        at = np.flatnonzero(~np.isnan(values))
        dates[at] = day[at] - values[at].astype("timedelta64[D]")
        out[target] = dates
    return out


def screen(
    p: Parameters, trials: int = 1, chunk: int = 0, needed: bool = True
) -> tuple[Enrolled, dict[str, NDArray], NDArray]:
    """Screen until `n_randomised` children are eligible in each trial of the chunk.

    Returns (enrolled, columns, values): the last two hold every screened child of the first trial, in the
    coding of `tables.to_arrays("screening", ...)` and as (23, children). needed=False leaves out what the
    criteria don't read (weight, 24-hour protein, ...) where many trials ask for UPCR only. Raises Problem
    when `max_screened` children did not yield enough eligible ones for a trial.
    """
    wanted = trials * p.n_randomised
    kept: list[dict[str, Any]] = []
    first: list[tuple[dict[str, NDArray], NDArray, dict[str, NDArray]]] = []
    found, drawn, clock = 0, 0, 0.0
    last_complete = 0
    failed = np.zeros(len(eligibility.IDS), int)
    while found < wanted:
        size = min(simulate.BLOCK, p.max_screened) if trials == 1 else simulate.BLOCK
        streams = Streams(p.seed, chunk, drawn // simulate.BLOCK)
        recorded, child = simulate.clinic(p, size, streams, everything=needed)
        gaps = streams("days between children").standard_exponential(size) * (
            DAYS_PER_MONTH / p.screened_per_month
        )
        times = clock + np.cumsum(gaps)
        clock = times[-1]
        consent = np.floor(times)
        cols = columns(p, recorded, consent)
        values = eligibility.evaluate(cols, p)
        failed += (values < 0).sum(axis=1)
        at = np.flatnonzero(eligibility.status(values) == eligibility.ELIGIBLE)
        if found < p.n_randomised:
            first.append((cols, values, child))
        kept.append(
            {
                "child": {k: v[at] for k, v in child.items()},
                "recorded": {k: recorded[k][at] for k in recorded},
                "consent": consent[at],
                "number": drawn + at,
            }
        )
        complete = (found + at.size) // p.n_randomised
        if complete > found // p.n_randomised:
            last_complete = drawn + int(at[complete * p.n_randomised - found - 1])
        found += at.size
        drawn += size
        if found < wanted and drawn - last_complete >= p.max_screened:
            raise _hopeless(p, found, drawn, failed)

    def gather(*names: str) -> NDArray:
        found: list[Any] = [reduce(getitem, names, part) for part in kept]
        return np.concatenate(found)[:wanted].reshape(trials, p.n_randomised)

    number = gather("number")
    last = int(number[0, -1]) + 1
    if last > p.max_screened:
        raise _hopeless(p, int((number[0] < p.max_screened).sum()), drawn, failed)
    starts = np.concatenate([[-1], number[:-1, -1]])

    def of_first(parts: list[NDArray]) -> NDArray:
        """What is known of every child screened for the first trial, from blocks of all."""
        return np.concatenate([part[: last - k * size] for k, part in enumerate(parts)])

    enrolled = Enrolled(
        {name: gather("child", name) for name in kept[0]["child"]},
        {name: gather("recorded", name) for name in kept[0]["recorded"]},
        gather("consent"),
        number,
        number[:, -1] - starts,
        {k: of_first([child[k] for _, _, child in first]) for k in first[0][2]},
    )
    cols = {k: of_first([c[k] for c, _, _ in first]) for k in first[0][0]}
    return enrolled, cols, np.concatenate([v for _, v, _ in first], axis=1)[:, :last]


def _hopeless(p: Parameters, found: int, drawn: int, failed: NDArray) -> Problem:
    worst = np.argsort(-failed, kind="stable")[:3]
    why = ", ".join(f"{eligibility.IDS[k]} failed by {100 * failed[k] / drawn:.0f} %" for k in worst)
    return Problem(
        f"screening is hopeless: of {drawn} children screened {found} were eligible and n_randomised is "
        f"{p.n_randomised} ({why}); change the parameters behind these criteria, or raise max_screened "
        f"(now {p.max_screened})"
    )


def randomise(
    p: Parameters, trials: int, streams: Streams, on_ras: NDArray | None = None
) -> tuple[NDArray, NDArray]:
    """Permuted blocks of random size: (arm, block), each (trials, children); arm 0 placebo, 1 hUC-MSC.

    on_ras (trials, children): whether a child is on RAS inhibition at baseline. Where the plan has strata each of the
    two has a list of its own, whose places its children take in the order in which they come; the blocks of the one
    have even numbers, of the other odd ones.
    """
    if p.strata == "none" or on_ras is None:
        arm, block = _allocation(p, trials, streams, "")
        return arm[:, : p.n_randomised], block[:, : p.n_randomised]
    arm, block = np.empty(on_ras.shape, np.int8), np.empty(on_ras.shape, int)
    for stratum, name in enumerate((" without RAS inhibition", " with RAS inhibition")):
        mine = on_ras == bool(stratum)
        place = np.cumsum(mine, axis=1) - 1
        arms, blocks = _allocation(p, trials, streams, name)
        arm = np.where(mine, np.take_along_axis(arms, place, axis=1), arm)
        block = np.where(mine, 2 * np.take_along_axis(blocks, place, axis=1) + stratum, block)
    return arm, block


def _allocation(p: Parameters, trials: int, streams: Streams, name: str) -> tuple[NDArray, NDArray]:
    """A list long enough for all children: (arm, block), each (trials, places)."""
    from helpers.trial import loops  # compiled code is loaded by whoever follows a trial

    n, sizes = p.n_randomised, np.array(p.blocks)
    # one largest block beyond n, so that the block of the n-th child is whole and no slot is without a block
    slots = n + int(sizes.max())
    blocks = -(-slots // int(sizes.min()))
    drawn = sizes[streams(f"block sizes{name}").integers(len(sizes), size=(trials, blocks))]
    block = loops.block_of_slots(drawn, slots)
    order = np.argsort(block + streams(f"allocation{name}").random((trials, slots)), axis=1)
    return loops.allocated(drawn, block, order, *p.ratio), block


@dataclass(frozen=True)
class Course:
    """What moves the UPCR of children, (trials, children), on some days beside their own slow wander and drift.

    days (days,), ascending, and all other days counted from the planned last infusion; delay: days by which
    the first infusion was postponed; effect: log ratio of UPCR at the full effect of treatment; ras_day,
    rescue_day, ras_stop_day: day on which RAS inhibition is started or raised, rescue treatment begins, and RAS
    inhibition ends in a child who has it at consent, inf = never (None = in nobody); ill (trials, children, days):
    whether infection or fever weighs on the urine; first (trials, children): each child's own day in place of the first
    of `days`, None = that one.
    """

    days: NDArray
    delay: NDArray
    effect: NDArray
    ras_day: NDArray
    rescue_day: NDArray
    ill: NDArray
    first: NDArray | None = None
    ras_stop_day: NDArray | None = None

    @classmethod
    def quiet(cls, days: NDArray, children: int) -> "Course":
        """One trial of children to whom nothing happens: no effect, no change of treatment, no illness."""
        none, never = np.zeros((1, children)), np.full((1, children), np.inf)
        return cls(days, none, none, never, never, np.zeros((1, children, days.size), bool))


@dataclass(frozen=True)
class Followed:
    """What happens after randomisation; days count from the planned last infusion unless named otherwise.

    arm (trials, children); delay: days by which the first infusion was postponed; given (trials, children, 2);
    infections: flat arrays (child index, first day); fevers (trials, children, 2): within 24 h of an infusion;
    ras_day, rescue_day, ras_stop_day: day of the change or inf (rescue: while in the trial); effect: individual log
    ratio of UPCR at full effect; first: day of the baseline visit. At baseline and the eleven visits, (trials,
    children, 12): ill; level, the true current log UPCR; spot, the
    UPCR (mg/mg) that a sample gives or would have given; lost, by name of `SAMPLES`, whether the sample is
    missing; attended; upcr, what is known of it for analysis (NaN = missing, first place = the baseline that
    `baseline_samples` names). left (trials, children): day of leaving (inf = stays).
    """

    p: Parameters
    enrolled: Enrolled
    streams: Streams
    arm: NDArray
    block: NDArray
    delay: NDArray
    given: NDArray
    infections: tuple[NDArray, NDArray]
    fevers: NDArray
    ras_day: NDArray
    rescue_day: NDArray
    ras_stop_day: NDArray
    effect: NDArray
    first: NDArray
    ill: NDArray
    level: NDArray
    spot: NDArray
    lost: dict[str, NDArray]
    upcr: NDArray
    attended: NDArray
    left: NDArray

    @cached_property
    def days(self) -> NDArray:
        """Days of baseline and the eleven visits, the nominal ones, (trials, children, 12)."""
        out = np.empty(self.level.shape)
        out[...], out[..., 0] = grid(self.p), self.first
        return out


def grid(p: Parameters) -> NDArray:
    """Nominal days of baseline (of a child not postponed) and the eleven visits, from the planned last infusion."""
    return np.concatenate([baseline_day(p, np.zeros(1)), DAYS])


def baseline_day(p: Parameters, delay: NDArray) -> NDArray:
    """Day of the baseline visit, counted from the planned last infusion (negative), shape of `delay`.

    That of randomisation, before the arm is known, where its sample is one of two; else that of the first infusion.
    """
    if p.baseline_samples == "mean of both":
        return -(p.infusion_gap + p.days_to_infusion + delay)
    return np.full(np.shape(delay), -float(p.infusion_gap))


def consent_day(p: Parameters, delay: NDArray) -> NDArray:
    """Day of consent counted from the planned last infusion (negative)."""
    return -(p.infusion_gap + p.days_to_infusion + p.days_to_randomisation + delay)


def follow(p: Parameters, enrolled: Enrolled, streams: Streams) -> Followed:
    """Randomise, treat and follow every child of every trial: the path of UPCR and who is seen when."""
    from helpers.trial import loops

    shape = enrolled.shape
    days = grid(p)
    arm, block = randomise(p, shape[0], streams, ~np.isnan(enrolled.child["ras_days"]))
    where, begins = _infections(p, shape, streams)
    delay = _postponed(p, shape, where, begins)
    begins = begins - delay.ravel()[where] - p.infusion_gap
    given = streams("infusion given").random((*shape, 2)) >= p.infusion_not_given
    effect = _individual_effect(p, arm, given, streams)
    ras_day, rescue_day, ras_stop_day = _changes(p, arm, streams)
    fevers = _fevers(p, arm, given, streams)
    first = baseline_day(p, delay)
    ill = loops.ill_at_visits(
        where, begins, p.infection_days_ill, days, first.ravel(), fevers.reshape(-1, 2),
        np.array([-p.infusion_gap, 0.0]),
    ).reshape(*shape, days.size)  # fmt: skip

    path = level(
        p, enrolled.child, streams, Course(days, delay, effect, ras_day, rescue_day, ill, first, ras_stop_day)
    )
    spot = simulate.upcr_reported(p, path, streams("UPCR noise").standard_normal(path.shape))
    lost = {sample: _lost(p, path.shape, streams, sample) for sample in SAMPLES}
    upcr = np.where(lost["urine"], np.nan, spot)
    early = begins <= first.ravel()[where]
    noted = (where[early], begins[early], infection_lengths(p, streams, begins, early))
    _baseline(p, upcr, enrolled.recorded["upcr"], _noted_ill(p, shape, noted, delay, first))
    attended = streams("visit missed").random(path.shape, dtype=np.float32) >= p.visit_missed
    attended[..., 0] = True
    left = _drop_out(p, streams, days, path, upcr, attended)
    loops.leave(attended.reshape(-1, days.size), upcr.reshape(-1, days.size), days, left.ravel())
    rescue_day = np.where(rescue_day <= left, rescue_day, np.inf)
    return Followed(
        p=p, enrolled=enrolled, streams=streams, arm=arm, block=block, delay=delay, given=given,
        infections=(where, begins), fevers=fevers, ras_day=ras_day, rescue_day=rescue_day,
        ras_stop_day=np.where(np.isnan(enrolled.child["ras_days"]), np.inf, ras_stop_day), effect=effect,
        first=first, ill=ill, level=path, spot=spot,
        lost=lost, upcr=upcr, attended=attended, left=left,
    )  # fmt: skip


def first_trial(p: Parameters, enrolled: Enrolled) -> Followed:
    """The first trial of chunk 0: the one that the chapters show."""
    return follow(p, enrolled.first(), Streams(p.seed, 0))


def _lost(p: Parameters, shape: tuple[int, ...], streams: Streams, sample: str) -> NDArray:
    """Where a sample of `SAMPLES` (urine, blood, collection) is missing though the visit is attended: bool."""
    chance = p.collection_missing if sample == "collection" else p.sample_missing
    name = "collection missing" if sample == "collection" else f"{sample} sample missing"
    return streams(name).random(shape, dtype=np.float32) < chance


def _baseline(p: Parameters, upcr: NDArray, screened: NDArray, ill: NDArray) -> None:
    """Put the baseline that `baseline_samples` names in the first place of `upcr`; screened: of screening."""
    # where screening's sample is the baseline no other is taken, even if that one is lost
    later = np.full_like(screened, np.nan) if p.baseline_samples == "eligibility" else upcr[..., 0]
    pair = np.stack([screened, later], axis=-1)
    upcr[..., 0] = baseline.mean(pair, baseline.used(p, ~np.isnan(pair), ill), ratio=True)


def _taken_ill(
    shape: tuple[int, int], where: NDArray, begins: NDArray, ends: NDArray, day: NDArray
) -> NDArray:
    """Whether an infection lies over each child's own day, (trials, children): from its first day to before `ends`."""
    out, days = np.zeros(shape[0] * shape[1], bool), day.ravel()[where]
    out[where[(begins <= days) & (days < ends)]] = True
    return out.reshape(shape)


def infection_lengths(
    p: Parameters, streams: Streams, begins: NDArray, asked: NDArray | None = None
) -> NDArray:
    """Whole days that each infection is recorded for, log-normal around `infection_days_ill`.

    begins: first day of each, counted from the planned last infusion; asked: which of them are wanted, bool, all where
    not given. One that began by the day of the first infusion
    is drawn among those lengths under which it had ended early enough: longer ones would have postponed the infusion.
    """
    mean, sd = p.infection_days_ill, p.infection_days_sd
    place = streams("infection length").random(begins.shape)
    if asked is not None:
        place, begins = place[asked], begins[asked]
    free = -p.infusion_gap - begins - p.infection_days + (not p.exactly_counts_as_within)
    longest = np.where(begins <= -p.infusion_gap, free, np.inf)
    if not sd:
        return np.minimum(np.full(begins.shape, max(1.0, np.rint(mean))), np.floor(longest))
    spread = np.sqrt(np.log1p((sd / mean) ** 2))
    middle = np.log(mean) - spread**2 / 2
    place = place * special.ndtr((np.log(longest) - middle) / spread)
    days = np.rint(np.exp(middle + spread * special.ndtri(place)))
    return np.clip(days, 1.0, np.floor(longest))


def _noted_ill(
    p: Parameters,
    shape: tuple[int, int],
    infections: tuple[NDArray, NDArray, NDArray],
    delay: NDArray,
    first: NDArray,
) -> NDArray:
    """Whether the samples of screening and of the baseline visit lie within an infection as the site notes it.

    infections: flat arrays (child index, first day, days that it is recorded for).
    """
    where, begins, lengths = infections
    last = begins + lengths - 1
    consent = consent_day(p, delay)
    # the site notes whole days, and no infection that was over at consent
    ends = np.where(last >= consent.ravel()[where], np.trunc(last) + 1, -np.inf)
    return np.stack([_taken_ill(shape, where, begins, ends, day) for day in (consent, first)], axis=-1)


def noted_ill(f: Followed) -> NDArray:
    """Whether screening's and the baseline visit's sample lie within a noted infection: (trials, children, 2)."""
    where, begins = f.infections
    noted = (where, begins, infection_lengths(f.p, f.streams, begins))
    return _noted_ill(f.p, f.arm.shape, noted, f.delay, f.days[..., 0])


def _infections(p: Parameters, shape: tuple[int, int], streams: Streams) -> tuple[NDArray, NDArray]:
    """Flat (child index, first day after the planned first infusion) of all infections."""
    span = INFECTIONS_BEFORE + INFECTIONS_AFTER + p.infusion_gap + LAST_DAY
    caught = streams("infections").poisson(p.infection_rate * span / DAYS_PER_YEAR, shape).ravel()
    where = np.repeat(np.arange(caught.size), caught)
    return where, np.floor(streams("infection days").random(where.size) * span) - INFECTIONS_BEFORE


def _postponed(p: Parameters, shape: tuple[int, int], where: NDArray, begins: NDArray) -> NDArray:
    """Days by which the first infusion waits until no infection ended within `infection_days` before it."""
    delay = np.zeros(shape[0] * shape[1])
    # nearly no one waits for longer: the later infections are looked at only where someone does
    for reach in (INFECTIONS_AFTER, np.inf):
        near = np.flatnonzero(begins <= reach)
        child, start = where[near], begins[near]
        clear = start + p.infection_days_ill + p.infection_days - (not p.exactly_counts_as_within)
        while (hit := np.flatnonzero((start <= delay[child]) & (delay[child] < clear))).size:
            np.maximum.at(delay, child[hit], clear[hit])
        if delay.max() <= reach:
            break
    return delay.reshape(shape)


def _individual_effect(p: Parameters, arm: NDArray, given: NDArray, streams: Streams) -> NDArray:
    """Log ratio of UPCR at full effect: responders only, in proportion to the infusions given."""
    responds = streams("responder").random(arm.shape) < p.responder_share
    own = np.log(p.upcr_effect) + p.upcr_effect_sd * streams("individual effect").standard_normal(arm.shape)
    return np.where((arm == 1) & responds, own, 0.0) * ((0.0 + given[..., 0] + given[..., 1]) / 2)


def time_course(p: Parameters, days: NDArray) -> NDArray:
    """Share of the full effect on a day: onset from the first infusion, fading after the last."""
    onset = 1 - np.exp2(-np.maximum(days + p.infusion_gap, 0) / p.effect_half_life)
    return onset * np.exp(-p.effect_waning * np.maximum(days, 0) / DAYS_PER_YEAR)


def _changes(p: Parameters, arm: NDArray, streams: Streams) -> tuple[NDArray, ...]:
    """Days on which RAS inhibition is started or raised, rescue begins, RAS inhibition is stopped; inf = never."""
    rate = np.where(arm == 1, p.ras_change_msc, p.ras_change_placebo)
    out = []
    for name, yearly in (("RAS change", rate), ("rescue", p.rescue_rate), ("RAS stop", p.ras_stop_rate)):
        with np.errstate(divide="ignore"):
            day = streams(name).standard_exponential(arm.shape) / np.asarray(yearly, float) * DAYS_PER_YEAR
        day = np.floor(day) + 1
        out.append(np.where(day <= LAST_DAY, day, np.inf))
    return tuple(out)


def _fevers(p: Parameters, arm: NDArray, given: NDArray, streams: Streams) -> NDArray:
    chance = np.where(arm == 1, p.fever_msc, p.fever_placebo)[..., None]
    return (streams("fever").random(given.shape) < chance) & given


def level(p: Parameters, child: dict[str, NDArray], streams: Streams, course: Course) -> NDArray:
    """True current log UPCR with its slow wander: (trials, children, days).

    child: latent values of `simulate.children`, (trials, children).
    """
    from helpers.trial import loops

    shape, days = course.delay.shape, course.days.astype(float)
    child = {name: values.ravel() for name, values in child.items()}
    delay, effect = course.delay.ravel(), course.effect.ravel()
    ras_day, rescue_day = course.ras_day.ravel(), course.rescue_day.ravel()
    size = delay.size
    drift = p.upcr_drift + p.upcr_drift_sd * streams("UPCR drift").standard_normal(size)
    # on RAS inhibition for long: the whole effect; only recent starters are still moving
    start = child["log_upcr_untreated"] + np.where(np.isnan(child["ras_days"]), 0.0, child["log_ras_effect"])
    noise = streams("UPCR wander").standard_normal((size, days.size))
    first = np.full(size, days[0]) if course.first is None else course.first.ravel()
    apart = np.stack([consent_day(p, delay) - first, first - days[min(1, days.size - 1)]])
    level = loops.level(
        start, _own(child["wander"]), noise,
        np.exp2(apart / p.upcr_wander_half_life),
        np.exp2(-np.diff(days, prepend=days[0]) / p.upcr_wander_half_life),
        p.upcr_wander, _own(effect),
        time_course(p, first), time_course(p, days), drift,
        np.maximum(first, 0) / DAYS_PER_YEAR, np.maximum(days, 0) / DAYS_PER_YEAR,
        np.log(p.illness_upcr), _own(course.ill.reshape(size, days.size), bool),
    )  # fmt: skip

    def still_to_come(of: NDArray, since: NDArray) -> NDArray:
        return np.exp2(loops.half_lives(of, since, first, days, p.ras_half_life))

    recent = np.flatnonzero(child["ras_days"] < 12 * p.ras_half_life)
    since = consent_day(p, delay[recent]) - child["ras_days"][recent]
    loops.move(level, recent, child["log_ras_effect"][recent], still_to_come(recent, since), True)
    changed = np.flatnonzero(np.isfinite(ras_day))
    effect_of_ras = child["log_ras_effect"][changed]
    ratio = np.where(np.isnan(child["ras_days"][changed]), effect_of_ras, np.log(p.ras_raise_effect))
    loops.move(level, changed, ratio, still_to_come(changed, ras_day[changed]), False)
    if course.ras_stop_day is not None:
        stop = course.ras_stop_day.ravel()
        stopped = np.flatnonzero(np.isfinite(stop) & ~np.isnan(child["ras_days"]))
        back = -child["log_ras_effect"][stopped]
        loops.move(level, stopped, back, still_to_come(stopped, stop[stopped]), False)
    rescued = np.flatnonzero(np.isfinite(rescue_day))
    ratio = np.full(rescued.size, np.log(p.rescue_effect))
    loops.move(level, rescued, ratio, still_to_come(rescued, rescue_day[rescued]), False)
    return level.reshape(*shape, days.size)


def _own(values: NDArray, dtype: type = float) -> NDArray:
    """The same values as compiled loops take them: in a row, and such that they may be written to."""
    return np.require(values, dtype, ["C", "W"])


def _drop_out(
    p: Parameters, streams: Streams, days: NDArray, level: NDArray, upcr: NDArray, attended: NDArray
) -> NDArray:
    """Day of leaving the trial; inf = stays to month 12.

    A constant hazard that gives `dropout` within 12 months, times dropout_observed per doubling of the last
    observed UPCR and dropout_unobserved per doubling of the true current one, both against baseline.
    """
    shape = level.shape[:2]
    patience = streams("drop-out").standard_exponential(shape)
    early = streams("early drop-out").random(shape) < p.dropout_early
    rate = -np.log1p(-min(p.dropout, 0.9999)) / LAST_DAY
    if p.dropout_observed == 1 and p.dropout_unobserved == 1:
        with np.errstate(divide="ignore"):
            left = np.floor(patience / np.float64(rate)) + 1
    else:
        left = np.full(shape, np.inf)
        used, seen = np.zeros(shape), np.zeros(shape)
        starts = np.concatenate([[0.0], days[1:-1]])
        for k, start in enumerate(starts):
            length = days[k + 1] - start
            true = (level[..., k] - level[..., 0]) / np.log(2)
            hazard = rate * p.dropout_observed**seen * p.dropout_unobserved**true
            used_next = used + hazard * length
            now = np.isinf(left) & (used_next > patience)
            left[now] = np.floor(start + (patience - used)[now] / hazard[now]) + 1
            used = used_next
            # a sample that nobody has changes nobody's mind; 0.005 stands for a value rounded to 0
            ratio = np.maximum(upcr[..., k + 1], 0.005) / np.maximum(upcr[..., 0], 0.005)
            seen = np.where(attended[..., k + 1] & ~np.isnan(ratio), np.log2(ratio), seen)
    left = np.where(left <= LAST_DAY, left, np.inf)
    return np.where(early, 1.0, left)


def gfr_slopes(p: Parameters, severe: NDArray, streams: Streams) -> NDArray:
    """Each child's own yearly change of true GFR without the trial's treatment, shape of `severe`."""
    mean = np.where(severe, p.gfr_slope_severe, p.gfr_slope_mild)
    spread = np.where(severe, p.gfr_slope_severe_sd, p.gfr_slope_mild_sd)
    return mean + spread * streams("GFR slope").standard_normal(severe.shape)
