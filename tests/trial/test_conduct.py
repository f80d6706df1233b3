"""Screening until enough are eligible, randomisation, and many trials as one."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import Problem
from helpers.study import eligibility
from helpers.study.parameters import Parameters
from helpers.trial import conduct, details, simulate
from helpers.trial.simulate import Streams

PLAN = Parameters()
UPCR_ONLY = dict(trials=64, needed=False)


def follow(p: Parameters, trials: int = 1, chunk: int = 0) -> conduct.Followed:
    enrolled, _, _ = conduct.screen(p, trials, chunk)
    return conduct.follow(p, enrolled, Streams(p.seed, chunk))


def same(a, b) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


@pytest.mark.parametrize(
    "p",
    [
        PLAN,
        Parameters(seed=3, dropout=0.4, dropout_observed=2.0, dropout_unobserved=1.5, rescue_rate=0.5),
        Parameters(seed=4, baseline_samples="separate", n_randomised=31, ras_recent=0.6),
        Parameters(seed=5, baseline_samples="mean of both", ras_change_msc=1.0, sample_missing=0.2),
    ],
    ids=["plan", "informative drop-out", "separate baseline", "mean baseline"],
)
def test_the_first_of_64_trials_is_the_single_trial(p):
    """The cohort of the chapters is the first trial of the design chapter."""
    one, many = follow(p), follow(p, 64)
    for field in ("arm", "block", "delay", "given", "fevers", "ras_day", "rescue_day", "effect", "ill",
                  "level", "upcr", "attended", "left"):  # fmt: skip
        assert same(getattr(one, field)[0], getattr(many, field)[0]), field
    for name, values in one.enrolled.recorded.items():
        assert same(values[0], many.enrolled.recorded[name][0]), name
    assert one.enrolled.screened[0] == many.enrolled.screened[0]
    more, fewer = details.serum_and_cells(many), details.serum_and_cells(one)
    for name in more:
        assert same(more[name][0], fewer[name][0]), name


def test_leaving_out_what_no_criterion_reads_changes_no_selection():
    full, _, _ = conduct.screen(PLAN, 64)
    less, _, _ = conduct.screen(PLAN, **UPCR_ONLY)
    assert same(full.number, less.number)
    assert same(full.recorded["upcr"], less.recorded["upcr"])


def test_more_children_per_trial_leave_the_earlier_ones_as_they_are():
    small, large = follow(PLAN), follow(Parameters(n_randomised=90))
    for field in ("arm", "block", "delay", "given", "fevers", "ras_day", "rescue_day", "effect", "ill",
                  "level", "upcr", "attended", "left"):  # fmt: skip
        assert same(getattr(small, field)[0], getattr(large, field)[0, :40]), field
    for name, values in small.enrolled.recorded.items():
        assert same(values[0], large.enrolled.recorded[name][0, :40]), name


def test_screening_takes_exactly_the_first_eligible_children():
    enrolled, columns, values = conduct.screen(PLAN)
    eligible = np.flatnonzero(eligibility.status(values) == eligibility.ELIGIBLE)
    assert same(enrolled.number[0], eligible)
    assert len(eligible) == PLAN.n_randomised
    assert columns["consent_date"].size == enrolled.screened[0] == eligible[-1] + 1
    assert same(values, eligibility.evaluate(columns, PLAN))
    assert (np.diff(columns["consent_date"].astype(int)) >= 0).all()
    assert columns["consent_date"][0] >= np.datetime64(PLAN.recruitment_start)


def test_trials_of_a_chunk_share_no_child():
    enrolled, _, _ = conduct.screen(PLAN, **UPCR_ONLY)
    numbers = enrolled.number.ravel()
    assert (np.diff(numbers) > 0).all()
    assert enrolled.screened.sum() == numbers[-1] + 1


def test_chunks_differ():
    a, b = follow(PLAN, 2, chunk=0), follow(PLAN, 2, chunk=1)
    assert not same(a.upcr, b.upcr)
    assert not same(a.arm, b.arm)


@given(
    st.integers(2, 90),
    st.lists(st.sampled_from([2, 4, 6, 8, 20]), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_randomisation_is_balanced_within_each_complete_block(n, sizes, seed):
    p = Parameters(n_randomised=n, block_sizes=tuple(sizes), seed=seed)
    arm, block = conduct.randomise(p, 5, Streams(seed, 0))
    assert arm.shape == block.shape == (5, n)
    for arms, blocks in zip(arm, block, strict=True):
        assert (np.diff(blocks) >= 0).all()
        assert np.array_equal(np.unique(blocks), np.arange(blocks[-1] + 1))
        for number in range(blocks[-1] + 1):
            inside = arms[blocks == number]
            if number < blocks[-1]:
                assert len(inside) in sizes
            if number < blocks[-1] or (len(set(sizes)) == 1 and len(inside) == sizes[0]):
                assert inside.sum() * 2 == len(inside)
            assert inside.sum() <= max(sizes) / 2
            assert (1 - inside).sum() <= max(sizes) / 2


def test_each_place_is_as_likely_to_get_either_arm():
    arm, _ = conduct.randomise(PLAN, 4000, Streams(1, 0))
    share = arm.mean(axis=0)
    assert (np.abs(share - 0.5) < 5 * 0.5 / np.sqrt(4000)).all()


def test_two_to_one_in_every_whole_block():
    p = Parameters(allocation="2:1", n_randomised=60)
    assert p.blocks == (6, 9)
    arm, block = conduct.randomise(p, 50, Streams(5, 0))
    for arms, blocks in zip(arm, block, strict=True):
        for number in range(blocks[-1]):
            mine = arms[blocks == number]
            assert len(mine) in (6, 9)
            assert 3 * mine.sum() == 2 * len(mine)
    assert arm.mean() == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("allocation", ["1:1", "2:1"])
def test_strata_are_balanced_each_by_itself(allocation):
    p = Parameters(strata="RAS inhibition", allocation=allocation)
    on_ras = np.random.default_rng(1).random((200, 40)) < 0.75
    arm, block = conduct.randomise(p, 200, Streams(6, 0), on_ras)
    share, most = p.ratio[1] / sum(p.ratio), max(p.blocks)
    for stratum in (False, True):
        for arms, blocks, mine in zip(arm, block, on_ras == stratum, strict=True):
            assert set(blocks[mine] % 2) <= {int(stratum)}
            inside, order = arms[mine], blocks[mine]
            assert (np.diff(order) >= 0).all()
            for number in np.unique(order)[:-1]:
                whole = inside[order == number]
                assert whole.sum() == share * len(whole)
            assert abs(inside.sum() - share * len(inside)) <= most / 2
    # without the plan's strata the same children are allocated as if nothing were known of them
    plain = conduct.randomise(Parameters(allocation=allocation), 200, Streams(6, 0), on_ras)
    assert same(plain[0], conduct.randomise(Parameters(allocation=allocation), 200, Streams(6, 0))[0])


def test_a_stratified_trial_keeps_its_children_and_their_course():
    plain, strata = follow(PLAN), follow(Parameters(strata="RAS inhibition"))
    assert same(plain.enrolled.number, strata.enrolled.number)
    assert same(plain.delay, strata.delay)
    assert not same(plain.arm, strata.arm)
    on = ~np.isnan(strata.enrolled.child["ras_days"])
    for chosen in (on, ~on):
        assert abs(strata.arm[chosen].sum() - chosen.sum() / 2) <= 3


def test_declared_block_sizes_are_equally_frequent():
    _, block = conduct.randomise(PLAN, 2000, Streams(2, 0))
    first = (block == 0).sum(axis=1)
    assert set(first.tolist()) == {4, 6}
    assert abs((first == 4).mean() - 0.5) < 0.06


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"consent_given": 0.0}, "I8 failed by 100 %"),
        ({"autoimmune": 1.0, "immunosuppressant": 1.0}, "E9 failed by"),
        ({"age_min": 13.5}, "I1 failed by"),
        ({"max_screened": 45, "n_randomised": 40}, "max_screened"),
    ],
)
def test_hopeless_screening_ends_with_one_explanation(changes, named):
    for trials in (1, 64):
        with pytest.raises(Problem) as caught:
            conduct.screen(Parameters(**changes), trials)
        message = str(caught.value)
        assert named in message
        assert "n_randomised" in message
        assert "max_screened" in message
        assert "\n" not in message
        drawn = int(re.search(r"of (\d+) children screened", message)[1])
        assert drawn <= max(changes.get("max_screened", 0), Parameters().max_screened) + simulate.BLOCK


def test_a_null_effect_gives_the_arms_the_same_children():
    """With no effect and equal side effects the arm is a label: mean paths agree at every visit."""
    null = Parameters(
        upcr_effect=1.0, upcr_effect_sd=0.0, fever_msc=0.025, rbc_effect=1.0, gfr_slope_effect=0.0
    )
    f = follow(null, 64)
    assert (f.effect == 0).all()
    treated, control = f.level[f.arm == 1].mean(axis=0), f.level[f.arm == 0].mean(axis=0)
    spread = f.level.std(axis=(0, 1)) * np.sqrt(4 / f.arm.size)
    assert (np.abs(treated - control) < 5 * spread).all()


def test_the_declared_effect_is_generated():
    """Mean log ratio of treated to control change at month 12 against log(0.4) x the share of infusions given."""
    p = Parameters(upcr_effect=0.4, upcr_effect_sd=0.0, effect_half_life=10.0, infusion_not_given=0.1)
    f = follow(p, 256)
    change = f.level[..., -1] - f.level[..., 0]
    expected = np.log(0.4) * f.given.mean(axis=-1)[f.arm == 1].mean()
    found = change[f.arm == 1].mean() - change[f.arm == 0].mean()
    assert abs(found - expected) < 5 * change.std() * np.sqrt(4 / change.size)
    assert abs(f.given.mean() - 0.9) < 0.02


def test_attendance_and_leaving():
    p = Parameters(dropout=0.33, dropout_early=0.05, visit_missed=0.1)
    f = follow(p, 128)
    days = conduct.grid(p)
    gone = days > f.left[..., None]
    assert not f.attended[gone].any()
    assert np.isnan(f.upcr[~f.attended]).all()
    n = f.left.size
    stays = 0.67 * 0.95
    assert abs(np.isinf(f.left).mean() - stays) < 5 * np.sqrt(stays * (1 - stays) / n)
    here = ~gone[..., 1:]
    assert abs(1 - f.attended[..., 1:][here].mean() - 0.1) < 0.01
    assert abs((f.left == 1).mean() - 0.05) < 0.01


def test_drop_out_that_depends_on_upcr_takes_children_with_rising_upcr():
    base = dict(dropout=0.4, dropout_early=0.0)
    for name in ("dropout_observed", "dropout_unobserved"):
        f = follow(Parameters(**base, **{name: 3.0}), 128)
        rise = f.level[..., 8] - f.level[..., 0]
        late = np.isfinite(f.left) & (f.left > conduct.grid(f.p)[8])
        stayed = np.isinf(f.left)
        assert rise[late].mean() > rise[stayed].mean() + 0.05, name


def test_infections_postpone_the_first_infusion():
    """Whoever is infused is free of infections that ended within `infection_days` before."""
    p = Parameters(infection_rate=15.0)
    f = follow(p, 16)
    where, begins = f.infections
    ends = begins + p.infection_days_ill - 1
    first_infusion = -p.infusion_gap
    near = (begins <= first_infusion) & (ends >= first_infusion - p.infection_days)
    assert not near.any()
    assert (f.delay > 0).mean() > 0.2
    assert where.max() < f.arm.size


def test_baseline_samples():
    """Screening alone, first infusion, or geometric mean of screening and randomisation; one where one is lost."""
    settings = dict(seed=9, sample_missing=0.3, infection_rate=0.0)
    alone, separate, both = (
        follow(Parameters(**settings, baseline_samples=way))
        for way in ("eligibility", "separate", "mean of both")
    )
    screening = alone.enrolled.recorded["upcr"][0]
    own = {way: np.where(f.lost["urine"][0, :, 0], np.nan, f.spot[0, :, 0]) for way, f in
           (("separate", separate), ("both", both))}  # fmt: skip
    # where screening's sample is the baseline the site takes no other, and `record` writes none down
    assert np.isnan(screening).any()
    assert same(alone.upcr[0, :, 0], screening)
    assert same(separate.upcr[0, :, 0], np.where(np.isnan(own["separate"]), screening, own["separate"]))
    mean, two = both.upcr[0, :, 0], ~np.isnan(own["both"]) & ~np.isnan(screening)
    assert 10 < two.sum() < 40
    assert mean[two] == pytest.approx(np.sqrt(own["both"] * screening)[two])
    assert same(mean[~two], np.where(np.isnan(own["both"]), screening, own["both"])[~two])


def test_the_second_baseline_sample_is_taken_on_the_day_of_randomisation():
    p = Parameters(seed=3, infection_rate=8.0)
    f, separate = follow(p), follow(p.model_copy(update={"baseline_samples": "separate"}))
    randomisation = conduct.consent_day(p, f.delay) + p.days_to_randomisation
    assert same(f.days[..., 0], randomisation)
    assert (separate.days[..., 0] == -p.infusion_gap).all()
    assert same(f.days[..., 1:], separate.days[..., 1:])
    assert f.delay.max() > 0
    # the sample's day moves that sample alone: noise of the visits is the same
    assert f.level[..., 1:] == pytest.approx(separate.level[..., 1:], abs=1.5)
    lengths = conduct.infection_lengths(p, f.streams, f.infections[1])
    ill = conduct._noted_ill(p, f.arm.shape, (*f.infections, lengths), f.delay, f.days[..., 0])
    begins, where = f.infections[1], f.infections[0]
    for child in range(p.n_randomised):
        mine, ends = begins[where == child], (begins + lengths - 1)[where == child]
        for k, day in enumerate((conduct.consent_day(p, f.delay)[0, child], f.days[0, child, 0])):
            assert ill[0, child, k] == ((mine <= day) & (day <= ends)).any()
    assert ill.any()
    used = np.where(ill[0, :, 1] & ~ill[0, :, 0], f.enrolled.recorded["upcr"][0], f.upcr[0, :, 0])
    assert same(f.upcr[0, :, 0], used)


def test_enrolled_children_are_frozen_rows():
    enrolled, _, _ = conduct.screen(PLAN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        enrolled.number = None
    assert enrolled.shape == (1, 40)
    assert {v.shape for v in enrolled.child.values()} == {(1, 40)}
    assert simulate.BLOCK > 0


def test_a_quiet_course_is_one_trial_of_so_many_children():
    days = np.array([28.0, 91.0])
    course = conduct.Course.quiet(days, 3)
    for name in ("delay", "effect", "ras_day", "rescue_day"):
        assert getattr(course, name).shape == (1, 3), name
    assert course.ill.shape == (1, 3, 2)
    assert not course.ill.any()
    assert np.isinf(course.ras_day).all()
    assert np.isinf(course.rescue_day).all()
    assert not course.delay.any()
    assert not course.effect.any()
