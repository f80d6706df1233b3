"""Calibration: populations are drawn as published, and what is simulated lies inside or says why not."""

import numpy as np
import pytest

from helpers.design import beside_published, calibration, populations, published
from helpers.study.parameters import Parameters
from helpers.trial.simulate import Streams

PLAN = Parameters()
QUANTITIES = {q.key: q for q in published.quantities()}


@pytest.fixture(scope="module")
def values():
    return calibration.calibrate(PLAN)["values"]


def test_every_quantity_is_simulated_and_ours_is_inside_or_says_why_and_keeps_to_its_bound(values):
    assert set(QUANTITIES) == set(values)
    verdicts = {q.key: beside_published.verdict(q, values[q.key][0]) for q in QUANTITIES.values()}
    inside = [key for key, said in verdicts.items() if said == "inside"]
    assert len(inside) >= 30
    assert len(inside) >= 0.8 * len(QUANTITIES)
    for key, said in verdicts.items():
        if said != "inside":
            assert said == "outside", key
            assert QUANTITIES[key].reason.why.endswith("."), key


def test_monte_carlo_intervals_are_narrow_beside_the_ranges(values):
    for key, (value, low, high) in values.items():
        assert low <= value <= high
        assert high - low < 0.4 * (QUANTITIES[key].high - QUANTITIES[key].low), key


def test_each_population_has_200000_children_or_more():
    assert calibration.BATCHES * populations.BATCH >= 200_000
    assert calibration.TRIAL_CHUNKS * 512 * PLAN.n_randomised >= 200_000


def test_populations_are_drawn_as_published():
    """Ages, sex and treatment of the populations, from the children that the functions draw."""
    streams = Streams(1, 3)
    boys = populations._with(
        PLAN, **populations.UNTREATED, **populations.ANY_AGE, **populations.BOYS, age_mean=9.2, age_sd=9.0
    )
    child, _ = populations._gather(boys, streams, populations._everyone)
    assert child["age"].size == populations.BATCH
    assert child["male"].all()
    assert (child["genotype"] == 0).all()
    assert np.isnan(child["ras_days"]).all()
    # published: median 8.9, quartiles 4.1 and 14.3
    assert np.quantile(child["age"], [0.25, 0.5, 0.75]) == pytest.approx([4.1, 8.9, 14.3], abs=1.5)
    enters = populations._gather(PLAN, streams, lambda c, r: r["upcr"] >= populations.WEBB_ENTRY)[1]
    assert enters["upcr"].size == populations.BATCH
    assert enters["upcr"].min() >= 0.3


def test_the_computation_is_the_stored_one_and_quick():
    """Two draws of the same key agree to the last digit stored; one population suffices."""
    stream = Streams(PLAN.seed, 12)
    assert populations.losartan_trial(PLAN, stream) == populations.losartan_trial(PLAN, stream)


def test_boys_without_proteinuria_are_as_old_as_the_published_ones():
    """Mean ages 6.2 (n = 29) and 6.8 (n = 43)."""
    ages = []

    def keep(child, recorded):
        ages.append(child["age"][recorded["upcr"] < PLAN.proteinuria_upcr])
        return recorded["upcr"] < PLAN.proteinuria_upcr

    original = populations._gather
    try:
        populations._gather = lambda p, streams, _: original(p, streams, keep)
        found = populations.boys_without_proteinuria(PLAN, Streams(1, 4))
    finally:
        populations._gather = original
    mean = (29 * 6.2 + 43 * 6.8) / 72
    assert np.concatenate(ages).mean() == pytest.approx(mean, abs=0.2)
    assert 100 < found["N202"] < 115


def test_an_impossible_population_gives_no_number_and_no_endless_loop():
    nobody = Parameters(
        upcr_level=0.1, upcr_median_3_5=0.01, upcr_median_6_8=0.01, upcr_median_9_12=0.01, upcr_log_sd=0.0
    )
    found = populations.losartan_trial(nobody, Streams(1, 0))
    assert np.isnan(found["NH18"])
    refused = populations.trial(Parameters(consent_given=0.0), 1, 0)
    assert all(np.isnan(value) for value in refused.values())
    assert beside_published.verdict(QUANTITIES["NH18"], None) == "not estimable"


@pytest.mark.slow
def test_the_committed_calibration_is_what_the_code_computes(values):
    again = calibration.compute(PLAN)["values"]
    for key, stored_values in values.items():
        assert again[key] == pytest.approx(stored_values, rel=1e-4), key
