"""Many trials give what the chapters give for one, and what theory says of many."""

import doctest
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers import ROOT, Problem
from helpers.analysis import adam, course, derive, remission, repeated_measures, sequence, time_to_remission
from helpers.design import operating
from helpers.design.operating import ANALYSES, PRIMARY, Trials
from helpers.estimators import mixed, planning, proportions, survival
from helpers.estimators.batches import Answers
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY
from helpers.study.scenario import load
from helpers.trial import conduct, record

P = Parameters()


def test_example():
    assert doctest.testmod(operating).failed == 0


# ------------------------------------------------------------------ the same as the chapters


def tables_of(p: Parameters) -> adam.Adam:
    """The scenario's cohort through raw tables."""
    enrolled, columns, _ = conduct.screen(p)
    screening = record.screening(columns)
    made, _ = record.trial(p, enrolled, screening)
    return adam.Adam(adam.Raw(screening=screening, **made), p)


OTHERS = {"24-hour protein": "P24", "dipstick": "DIP", "haematuria": "HEM", "eGFR improvement": "GFR"}


def by_the_chapters(p: Parameters) -> dict[str, tuple]:
    """(estimate, lower, upper, p) of each analysis by the tables and the chapters' own functions; None = not asked."""
    tables = tables_of(p)
    adsl, adlb, adtte = tables.adsl(), tables.adlb(), tables.adtte()
    first = remission.primary(adsl, adlb, adtte, p)
    row = first.iloc[0]
    out = {"confirmed": (row["difference"] / 100, row["lower"] / 100, row["upper"] / 100, row["p"])}
    every = remission.endpoints(adsl, adlb, adtte, p).set_index(["measure", "kind"])
    asked = {name: ("UPCR", kind) for name, kind in (("ever", "ever"), ("sustained", "sustained"))}
    asked |= {"month 12": ("UPCR", remission.AT_LAST)}
    asked |= {name: (measure, "confirmed") for name, measure in OTHERS.items()}
    asked |= {"confirmed, Fisher": ("UPCR", "confirmed"), "confirmed, Barnard": ("UPCR", "confirmed")}
    for name, key in asked.items():
        found = every.loc[key]
        counts = [int(found[f"{arm}_{what}"]) for arm in ARM_KEY.values() for what in ("n", "N")]
        test = getattr(proportions, ANALYSES[name].exact)
        answered = bool(counts[1] and counts[3])
        p_value = float(test(*counts)) if answered else np.nan
        limits = [found[end] / 100 if test is proportions.boschloo else None for end in ("lower", "upper")]
        out[name] = (found["difference"] / 100, *limits, p_value)
    measures = course.measures(p)
    data = {
        name: repeated_measures.arrays(course.tidy(adsl, adlb, measures[name], p), measures[name])
        for name in ("upcr", "rbc", "egfr")
    }
    weighted = sequence.weighted(adsl, adlb, p)
    arm, strata = data["upcr"].arm, data["upcr"].covariates
    cells = data["rbc"].change + data["rbc"].baseline[:, None]
    average = derive.time_weighted(cells, adam.DAYS, sequence.HALF_YEAR)
    fit = repeated_measures.mmrm(data["upcr"])
    found = {
        "ancova month 12": mixed.ancova(
            data["upcr"].change[:, -1], data["upcr"].baseline, arm, covariates=strata
        ),
        "ancova average": mixed.ancova(weighted["value"], weighted["baseline"], arm, covariates=strata),
        "red cells month 12": mixed.ancova(
            data["rbc"].change[:, -1], data["rbc"].baseline, arm, covariates=strata
        ),
        "red cells average": mixed.ancova(average, data["rbc"].baseline, arm, covariates=strata),
        "mmrm month 12": fit.arm_contrast(np.eye(len(adam.DAYS))[-1]),
        "mmrm average": fit.arm_contrast(mixed.time_weights(adam.DAYS)),
        "eGFR slope": repeated_measures.random_slope(data["egfr"], p).contrast(
            {"time x arm": 1}, se="asymptotic"
        ),
    }
    out |= {name: (one.estimate, one.lower, one.upper, one.p) for name, one in found.items()}
    out["log-rank"] = (None, None, None, time_to_remission.logrank(adtte)["p"].iloc[0])
    rows = adam.events(adtte, "UPCRC")
    tau = float(adtte.loc[adtte["PARAMCD"] == "UPCRC", "HORIZON"].iloc[0])
    columns = [rows[name].to_numpy() for name in ("time", "event", "arm")]
    for name, method in (("cumulative", survival.cumulative_difference), ("rmst", survival.rmst_difference)):
        one = method(*columns, tau)
        out[name] = (one.estimate, one.lower, one.upper, one.p)
    return out


def same_both_ways(p: Parameters) -> None:
    wanted = by_the_chapters(p)
    assert set(wanted) == set(ANALYSES), "no analysis is left out"
    for (_, _, name), found in operating.answers(p, 1, analyses=list(wanted), exact=True).items():
        near = {"rel": 1e-6, "abs": 1e-6} if ANALYSES[name].dear else {"rel": 1e-9, "abs": 1e-9}
        got = [getattr(found, key)[0] for key in ("estimate", "lower", "upper", "p")]
        for what, mine, theirs in zip(("estimate", "lower", "upper", "p"), got, wanted[name], strict=True):
            if theirs is not None and (what in ("estimate", "p") or np.isfinite(theirs)):
                # an estimate without a p is no answer here
                if what == "estimate" and np.isnan(wanted[name][3]):
                    continue
                assert mine == pytest.approx(theirs, **near, nan_ok=True), (name, what)


@pytest.mark.parametrize("seed", [6731192, 1, 2])
def test_a_trial_is_the_same_through_tables_and_through_arrays(seed):
    same_both_ways(P.model_copy(update={"seed": seed}))


@pytest.mark.parametrize("name", ["eligibility-baseline", "high-dropout"])
def test_so_it_is_under_other_readings_and_courses(name):
    """Seed 1 of the first has a child whose UPCR was lost at screening: no baseline, whatever the later visits say."""
    changes = {"haematuria_cells": "dysmorphic", "gfr_method": "U25 mean", "seed": 1}
    same_both_ways(load(name).parameters.model_copy(update=changes))


def test_so_it_is_with_strata():
    same_both_ways(P.model_copy(update={"strata": "RAS inhibition", "seed": 3}))


@pytest.mark.slow
def test_two_hundred_trials_are_the_same_through_tables_and_through_arrays():
    for seed in range(100, 300):
        same_both_ways(P.model_copy(update={"seed": seed}))


PUBLISHED = {
    "confirmed": "remission.primary", "ever": "remission.upcr.ever", "sustained": "remission.upcr.sustained",
    "month 12": "remission.upcr.month12", "24-hour protein": "remission.p24.confirmed",
    "dipstick": "remission.dip.confirmed", "haematuria": "remission.hem.confirmed",
    "eGFR improvement": "remission.gfr.confirmed", "ancova month 12": "longitudinal.upcr.ancova.month12",
    "mmrm month 12": "longitudinal.upcr.mmrm.month12", "mmrm average": "longitudinal.upcr.mmrm.average",
    "eGFR slope": "longitudinal.egfr.slope.difference",
}  # fmt: skip


@pytest.mark.parametrize("name", ["base", "high-dropout"])
def test_trial_0_is_the_cohort_whose_results_are_published(name):
    every = json.loads((ROOT / "reports" / "expected" / name / "results.json").read_text(encoding="utf-8"))
    said = {key: one["value"] for chapter in every.values() for key, one in chapter.items()}
    p = load(name).parameters
    for (_, _, analysis), found in operating.answers(p, 3, analyses=list(PUBLISHED), exact=True).items():
        key = PUBLISHED[analysis]
        if ANALYSES[analysis].event:
            told = [said[f"{key}.difference{end}"] for end in ("", "_lower", "_upper")]
            back = [100 * getattr(found, what)[0] for what in ("estimate", "lower", "upper")]
        else:
            told = [said[f"{key}{end}"] for end in ("", "_lower", "_upper")]
            back = [float(getattr(found, what)[0]) for what in ("estimate", "lower", "upper")]
            back = np.exp(back).tolist() if "ratio" in ANALYSES[analysis].scale else back
        assert back == pytest.approx(told, rel=1e-6, abs=1e-9), analysis
    for analysis, key in (
        ("confirmed", "remission.primary.p"),
        ("ancova average", "remission.sequence.weighted.p"),
        ("log-rank", "ttr.confirmed.logrank.p"),
    ):
        (found,) = operating.answers(p, 1, analyses=[analysis]).values()
        assert found.p[0] == pytest.approx(said[key], rel=1e-6), analysis


def test_the_first_trials_and_the_first_children_stay_the_same():
    few, many = (
        operating.answers(P, trials, analyses=["confirmed", "ancova month 12"]) for trials in (5, 40)
    )
    for key, found in few.items():
        assert found.estimate.tolist() == many[key].estimate[:5].tolist()
    small, large = (
        next(iter(operating.chunks(P, 3, children)))[0].number[0, :40].tolist() for children in (40, 80)
    )
    assert small == large
    one = operating.answers(P, 1, analyses=["confirmed"], sizes=[40, 80])
    assert one[P.upcr_effect, 40, "confirmed"].p[0] == few[P.upcr_effect, 40, "confirmed"].p[0], "trial 0"


# ------------------------------------------------------------------ exact beside simulated


def made_of(x0, n0, x1, n1) -> Trials:
    """Trials whose confirmed remissions are these counts, by children who remit at every visit or at none."""
    trials, n = len(x0), n0 + n1
    arm = np.broadcast_to(np.arange(n) >= n0, (trials, n)).astype(int)
    within = np.where(arm == 1, np.arange(n) - n0, np.arange(n))
    hit = within < np.where(arm == 1, np.asarray(x1)[:, None], np.asarray(x0)[:, None])
    upcr = np.repeat(np.where(hit, 0.1, 1.0)[..., None], len(operating.DAYS), axis=-1)
    return Trials(P, arm, np.ones((trials, n)), upcr, np.full((trials, n), np.inf))


@pytest.mark.parametrize("test", ["boschloo", "fisher", "barnard"])
def test_enumeration_and_simulation_agree(test):
    rng = np.random.default_rng(5)
    n0, n1, p0, p1, count = 19, 21, 0.15, 0.5, 4000
    name = {"boschloo": "confirmed", "fisher": "confirmed, Fisher", "barnard": "confirmed, Barnard"}[test]
    found = ANALYSES[name].ask(made_of(rng.binomial(n0, p0, count), n0, rng.binomial(n1, p1, count), n1))
    side = operating.favours(name, found, 0.05)
    power = planning.exact_power((p0, p1), (n0, n1), 0.05, test)
    for share, exact in (((side > 0).mean(), power.above), ((side < 0).mean(), power.below)):
        assert abs(share - exact) < 4 * np.sqrt(max(exact * (1 - exact), 1e-4) / count)


def test_an_exact_interval_comes_where_it_is_asked_for():
    trials = made_of([6, 3], 18, [12, 9], 18)
    found = ANALYSES[PRIMARY].ask(
        Trials(*(getattr(trials, f) for f in ("p", "arm", "base", "upcr", "rescue_day")), exact=True)
    )
    assert [found.lower[0], found.upper[0]] == pytest.approx(proportions.boschloo_interval(6, 18, 12, 18))
    about = ANALYSES[PRIMARY].ask(trials)
    assert [about.lower[1], about.upper[1]] == pytest.approx(proportions.miettinen_nurminen(3, 18, 9, 18))


# ------------------------------------------------------------------ what must hold of many trials


@pytest.fixture(scope="module")
def many():
    return operating.run(P, 400, effects=[1.0, 0.65, 0.3], sizes=[40, 80]).set_index(
        ["effect", "n", "analysis"]
    )


def test_power_rises_with_effect_and_size(many):
    for name in ("confirmed", "ancova average", "log-rank", "rmst"):
        power = many["power"].xs(name, level="analysis")
        assert power[1.0, 40] < power[0.65, 40] < power[0.3, 40], name
        assert power[0.65, 40] < power[0.65, 80], name


def test_power_falls_with_noise():
    loud = P.model_copy(update={"upcr_noise": 0.6, "upcr_noise_max": 1.0})
    quiet, noisy = (operating.run(p, 400, analyses=["ancova average"])["power"][0] for p in (P, loud))
    assert noisy < quiet


def test_without_an_effect_the_arms_are_exchangeable(many):
    """Each side's share is a count of 400 trials: the two differ by chance alone."""
    for name, row in many.sort_index().loc[1.0, 40].iterrows():
        favour, against = row["favour"], row["against"]
        assert stats.binomtest(int(favour), int(max(favour + against, 1))).pvalue > 0.001, name
        assert stats.binom.sf(favour - 1, 400, 0.025 if "log" not in name else 0.035) > 0.001, name


def test_a_giant_trial_of_which_nothing_is_missing_is_asked_in_closed_form():
    """`complete` gives what the mixed models give: 300 children, whole."""
    plan = P.model_copy(update={**operating.WHOLE, "n_randomised": 100})
    enrolled, streams = next(operating.chunks(plan, 3, 100))
    one = operating.followed(plan, enrolled, streams).joined()
    for name in ("mmrm average", "mmrm month 12", "eGFR slope"):
        asked = ANALYSES[name].ask(one).estimate[0]
        assert ANALYSES[name].complete(one) == pytest.approx(asked, rel=1e-6, abs=1e-8), name


def test_smaller_trials_are_the_first_children_of_every_measure():
    (large,) = operating.answers(P, 2, analyses=["red cells average"], sizes=[60]).values()
    both = operating.answers(P, 2, analyses=["red cells average", "eGFR slope"], sizes=[60, 40])
    alone = operating.answers(P, 1, analyses=["eGFR slope"])
    assert both[P.upcr_effect, 60, "red cells average"].p.tolist() == large.p.tolist()
    slope = both[P.upcr_effect, 40, "eGFR slope"]
    assert slope.p[0] == pytest.approx(alone[P.upcr_effect, 40, "eGFR slope"].p[0])


def test_what_is_held_of_a_trial_does_not_grow_with_the_trials():
    """Beside its answers, 32 bytes a trial and analysis, a run holds a chunk and the one before it."""
    peaks = []
    operating.run(P, 8, analyses=["ancova average"])
    for trials in (2 * conduct.CHUNK, 5 * conduct.CHUNK):
        tracemalloc.start()
        operating.run(P, trials, analyses=["ancova average"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_dear_analyses_and_other_measures_are_not_asked_unless_they_are_named():
    assert set(operating.run(P, 4)["analysis"]) == set(operating.DEFAULT)
    assert not any(ANALYSES[name].dear or ANALYSES[name].others for name in operating.DEFAULT)
    with pytest.raises(ValueError, match="UPCR alone"):
        ANALYSES["dipstick"].ask(made_of([6], 18, [12], 18))
    plain, streams = next(operating.chunks(P, 2, 20))
    with pytest.raises(ValueError, match="needed=True"):
        ANALYSES["24-hour protein"].ask(operating.followed(P, plain, streams))


def test_the_truth_is_what_very_many_children_show():
    found = operating.truth(P, 128_000, [1.0, 0.65], ["confirmed", "ancova average"]).set_index(
        ["effect", "analysis"]
    )
    assert (found["se"] > 0).all()
    for name in ("confirmed", "ancova average"):
        assert abs(found.loc[(1.0, name), "truth"]) < 5 * found.loc[(1.0, name), "se"] + 0.01
    assert found.loc[(0.65, "confirmed"), "truth"] > 0.15
    assert found.loc[(0.65, "ancova average"), "truth"] < np.log(0.8)


def test_counts_limits_and_means_by_hand():
    found = Answers(
        np.array([0.3, -0.4, 0.1, np.nan]), np.array([0.1, -0.6, -0.1, np.nan]), np.array([0.5, -0.2, 0.3, np.nan]),
        np.array([0.01, 0.02, 0.5, np.nan]),
    )  # fmt: skip
    row = operating.summary("confirmed", found, 0.05)
    assert (row["trials"], row["answered"], row["favour"], row["against"]) == (4, 3, 1, 1)
    assert (row["mean"], row["width"], row["significant"]) == pytest.approx((0.0, 0.4, 0.3))
    assert (row["sd"], row["width_sd"]) == pytest.approx((np.std([0.3, -0.4, 0.1], ddof=1), 0.0))
    assert np.isnan(row["significant_sd"]), "one trial has no spread"
    errors = operating.error(pd.DataFrame([row]), "mean")
    assert errors.tolist() == pytest.approx([np.std([0.3, -0.4, 0.1], ddof=1) / np.sqrt(3)])
    assert operating.error(pd.DataFrame([row]), "significant").isna().all()
    other = operating.summary("ancova average", found, 0.05)
    assert (other["favour"], other["significant"]) == (1, pytest.approx(-0.4)), (
        "a lower UPCR speaks for the cells"
    )
    frame = operating.measured([{"effect": 1, "n": 4, "analysis": "confirmed", **row}])
    assert frame[["power", "power_lower", "power_upper"]].iloc[0].tolist() == pytest.approx(
        [25, *(100 * v for v in proportions.wilson(1, 4))]
    )


def test_two_studies_side_by_side():
    a, b = (operating.run(P, 30, analyses=["confirmed"], effects=[effect]) for effect in (0.7, 0.5))
    both = operating.compare(a, b).iloc[0]
    assert both["difference"] == pytest.approx(b["power"][0] - a["power"][0])
    assert both["se"] > 0


def test_what_can_not_be_asked_is_told_at_once():
    with pytest.raises(Problem) as told:
        operating.run(P, 0, analyses=["confirmed", "wish"], sizes=[41, 2])
    for words in ("'wish'", "size 41", "size 2", "trials = 0", "ancova average"):
        assert words in str(told.value)


def test_a_study_is_asked_as_its_parameters_are():
    study = load("base", dropout=0.3)
    pd.testing.assert_frame_equal(operating.run(study, 20), operating.run(study.parameters, 20))
    both = operating.compare(load("base"), study, trials=20)
    by_frames = operating.compare(operating.run(P, 20), operating.run(study, 20))
    pd.testing.assert_frame_equal(both, by_frames)
    assert list(both["analysis"]) == list(operating.DEFAULT)
    # children and effects that differ are no question in common
    other = operating.compare(P, P.model_copy(update={"upcr_effect": 0.8, "n_randomised": 30}), trials=20)
    assert other.columns.tolist() == ["analysis", "power_a", "power_b", "difference", "se"]


def test_each_trial_says_what_it_would_say():
    frame = operating.trial_by_trial(P, 60)
    assert len(frame) == 60 * len(operating.DEFAULT)
    counted = operating.run(P, 60).set_index("analysis")
    by_name = frame.groupby("analysis")["direction"]
    assert by_name.agg(lambda d: (d == "for the cells").sum()).to_dict() == counted["favour"].to_dict()
    assert by_name.agg(lambda d: (d == "against them").sum()).to_dict() == counted["against"].to_dict()
    few = operating.trial_by_trial(P.model_copy(update={"n_randomised": 4}), 60)
    silent = few["p"].isna()
    assert silent.any()
    assert (few["note"].str.len() > 0).equals(silent)
    for name, part in few[silent].groupby("analysis"):
        assert set(part["note"]) == {ANALYSES[name].silent}
