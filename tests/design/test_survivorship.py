"""What is seen of children at one time: closed form against children drawn and followed one by one."""

import numpy as np
import pytest

from helpers.design import survivorship
from helpers.study.parameters import Parameters

PLAN = Parameters()


@pytest.mark.parametrize("floor", survivorship.FLOORS)
def test_closed_form_against_drawn_children(floor):
    rng = np.random.default_rng(3)
    n = 400_000
    age = rng.normal(PLAN.age_mean, PLAN.age_sd, n)
    age = age[(age >= PLAN.gfr_age_from) & (age < survivorship.OLDEST)]
    start = rng.normal(PLAN.gfr_mean, PLAN.gfr_sd, age.size)
    slope = rng.normal(PLAN.gfr_slope_severe, PLAN.gfr_slope_severe_sd, age.size)
    gfr = start + slope * (age - PLAN.gfr_age_from)
    there = gfr > floor if floor else np.ones(age.size, bool)
    found = survivorship.across(PLAN, floor)
    assert found["slope"] == pytest.approx(np.polyfit(age[there], gfr[there], 1)[0], abs=0.1)
    oldest = age > survivorship.OLDEST - 0.2
    assert found["remaining"] == pytest.approx(100 * there[oldest].mean(), abs=2)
    assert found["spread"] == pytest.approx(gfr[oldest & there].std(), rel=0.05)


def test_nobody_leaves_and_the_slope_across_is_the_slope_within():
    assert survivorship.across(PLAN, 0.0)["slope"] == pytest.approx(PLAN.gfr_slope_severe)
    alike = Parameters(gfr_sd=0.0, gfr_slope_severe_sd=0.0)
    assert survivorship.across(alike, 15.0)["slope"] == pytest.approx(PLAN.gfr_slope_severe)


def test_the_higher_the_floor_the_more_is_explained():
    found = survivorship.table(PLAN)
    across = found[found["kind"] == "across"]
    assert across["floor"].tolist() == list(survivorship.FLOORS)
    assert across["slope"].is_monotonic_increasing
    assert across["explained"].iloc[0] == 0.0
    assert found["slope"].iloc[0] == PLAN.gfr_slope_severe
    ours = found["slope"].iloc[-1]
    assert across["explained"].tolist() == pytest.approx(
        [100 * (s - PLAN.gfr_slope_severe) / (ours - PLAN.gfr_slope_severe) for s in across["slope"]],
        abs=1e-5,
    )


def test_the_clinics_slope_is_that_of_its_parameters():
    """Without the part of UPCR it is gfr_age_slope itself."""
    alone = Parameters(gfr_upcr_slope=0.0)
    assert survivorship.clinic(alone) == pytest.approx(PLAN.gfr_age_slope, abs=0.1)
    assert survivorship.clinic(PLAN) < survivorship.clinic(alone)


def test_nobody_with_severe_disease_leaves_the_slope_open():
    nobody = Parameters(
        share_x_linked=0.0, share_recessive=0.0, share_dominant=1.0, share_digenic=0.0, male_share=0.5
    )
    found = survivorship.table(nobody)
    assert np.isnan(found["slope"].iloc[-1])
    assert found["explained"].isna().all()
