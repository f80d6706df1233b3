"""The clinic: prefix stability, independence of what else is drawn, and recovery of what is declared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.study import kidney
from helpers.study.parameters import Parameters
from helpers.trial import simulate

PLAN = Parameters()


def draw(p: Parameters, n: int, *key: int, everything: bool = True):
    return simulate.clinic(p, n, simulate.Streams(p.seed, *key), everything)


@given(st.integers(1, 400), st.integers(401, 900), st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_more_children_leave_the_earlier_ones_as_they_are(few, many, seed):
    p = Parameters(seed=seed)
    for small, large in zip(draw(p, few), draw(p, many), strict=True):
        assert small.keys() == large.keys()
        for name in small:
            assert np.array_equal(small[name], large[name][:few], equal_nan=True), name


def test_leaving_measures_out_moves_no_other():
    full, _ = draw(PLAN, 500)
    less, _ = draw(PLAN, 500, everything=False)
    assert set(full) - set(less) == {"weight", "protein_24h", "cystatin_c", "bun"}
    for name in less:
        assert np.array_equal(full[name], less[name], equal_nan=True), name


def test_blocks_and_seeds_are_independent():
    one, other = draw(PLAN, 2000, 0, 0)[1], draw(PLAN, 2000, 0, 1)[1]
    another = draw(Parameters(seed=1), 2000, 0, 0)[1]
    for name in ("log_upcr_untreated", "gfr", "age", "log_rbc", "wander"):
        for second in (other[name], another[name]):
            assert not np.array_equal(one[name], second)
            assert abs(np.corrcoef(one[name], second)[0, 1]) < 0.1


def test_streams_of_different_names_are_uncorrelated_and_repeatable():
    streams = simulate.Streams(1, 0)
    a, b = streams("a").random(5000), streams("b").random(5000)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06
    assert np.array_equal(a, simulate.Streams(1, 0)("a").random(5000))


@pytest.fixture(scope="module")
def crowd():
    """60,000 children without missing values, the declared shares large enough to be seen."""
    p = Parameters(missing_answer=0.0, sample_missing=0.0, virology_missing=0.0)
    return p, *draw(p, 60000)


def near(found: float, declared: float, n: int) -> bool:
    """Within five standard errors of a share."""
    return abs(found - declared) < 5 * np.sqrt(max(declared * (1 - declared), 1e-4) / n)


def test_declared_shares_are_generated(crowd):
    p, recorded, child = crowd
    n = child["age"].size
    for code, name in enumerate(("share_x_linked", "share_recessive", "share_dominant", "share_digenic")):
        assert near((child["genotype"] == code).mean(), getattr(p, name), n), name
    assert near(child["male"].mean(), p.male_share, n)
    for name, declared in (
        ("consent", p.consent_given),
        ("autoimmune", p.autoimmune),
        ("malformation", p.malformation * (1 - p.imaging_missing)),
        ("other_study", p.other_study),
        ("infection", p.infection_recent),
        ("hbsag", p.virology_positive),
    ):
        assert near((recorded[name] > 0).mean(), declared, n), name
    assert near((recorded["malformation"] == 0).mean(), p.imaging_missing, n)
    assert near((recorded["heart"] == 0).mean(), 0.0, n)
    treated = ~np.isnan(child["ras_days"])
    proteinuric = child["log_upcr_untreated"] >= np.log(0.2)
    assert near(treated[proteinuric].mean(), p.ras_prevalence, proteinuric.sum())
    assert near(treated[~proteinuric].mean(), p.ras_prevalence_mild, (~proteinuric).sum())


def test_declared_distributions_are_generated(crowd):
    p, _, child = crowd
    assert child["age"].min() >= p.age_min - 1 / 365.25
    assert child["age"].max() <= p.age_max
    boys = child["male"] & (child["genotype"] == simulate.X_LINKED)
    ten_and_a_half = boys & (np.abs(child["age"] - 10.5) < 0.5)
    expected = np.log(p.upcr_median_9_12 * p.upcr_level)
    spread = 1.25 * p.upcr_log_sd / np.sqrt(ten_and_a_half.sum())
    assert abs(np.median(child["log_upcr_untreated"][ten_and_a_half]) - expected) < 5 * spread
    assert child["log_upcr_untreated"].max() <= np.log(p.upcr_max)
    mild = ~child["severe"] & (child["log_upcr_untreated"] < 0)
    assert abs(child["gfr"][mild].mean() - p.gfr_mean) < 5 * p.gfr_sd / np.sqrt(mild.sum())
    assert abs(child["gfr"][mild].std() - p.gfr_sd) < 0.5
    assert abs(np.std(child["wander"]) - p.upcr_wander) < 0.01
    long = child["ras_days"] > 365 * 2
    effect = (child["log_upcr"] - child["log_upcr_untreated"])[long]
    assert np.allclose(effect, child["log_ras_effect"][long], atol=1e-6)
    assert abs(effect.mean() - np.log(p.ras_effect)) < 5 * p.ras_effect_sd / np.sqrt(effect.size)
    assert abs(effect.std() - p.ras_effect_sd) < 5 * p.ras_effect_sd / np.sqrt(2 * effect.size)
    assert (child["log_upcr"] == child["log_upcr_untreated"])[np.isnan(child["ras_days"])].all()


def test_measurement_is_truth_with_the_declared_error(crowd):
    """The standard deviation of log(measured / true), true creatinine from bedside Schwartz turned round."""
    p, recorded, child = crowd
    height = recorded["height"]
    error = np.log(recorded["creatinine"] / (0.413 * height * 88.4 / child["gfr"]))
    assert abs(error.mean()) < 0.002
    assert abs(error.std() - p.creatinine_cv) < 0.002
    measured = kidney.u25_cystatin(recorded["cystatin_c"], child["age"], child["male"])
    error = np.log(measured / child["gfr"])
    assert abs(error.std() - p.cystatin_cv) < 0.002
    level = child["log_upcr"] + child["wander"]
    around = np.abs(level - np.log(0.8)) < 0.1
    error = (np.log(recorded["upcr"]) - level)[around]
    assert abs(error.std() - p.upcr_noise) < 0.02
    assert abs(error.mean()) < 0.02


def test_upcr_noise_is_larger_at_low_values_and_stays_in_its_limits():
    z = np.ones(3)
    level = np.log([0.8, 0.02, 50.0])
    low_limit = Parameters(upcr_limit=0.0)
    reported = simulate.upcr_reported(low_limit, level.copy(), z)
    factors = np.exp([low_limit.upcr_noise, low_limit.upcr_noise_max, low_limit.upcr_noise_min])
    assert reported == pytest.approx(np.round(np.exp(level) * factors, 2))


def test_reported_values_have_the_laboratorys_precision_and_limits(crowd):
    p, recorded, _ = crowd
    for name, decimals in simulate.PRECISION.items():
        values = recorded[name][~np.isnan(recorded[name])]
        assert np.array_equal(values, np.round(values, decimals)), name
    assert recorded["upcr"].min() == p.upcr_limit


@pytest.mark.parametrize(
    ("upcr", "creatinine", "grade"),
    [
        (0.1, 149.0, 0),
        (0.1, 150.0, 1),
        (0.2, 149.9, 1),
        (0.2, 150.0, 2),
        (1.0, 100.0, 3),
        (3.0, 100.0, 4),
        (10.0, 100.0, 5),
    ],
)
def test_dipstick_reads_concentration(upcr, creatinine, grade):
    """Trace from 15, 1+ from 30, 2+ from 100, 3+ from 300, 4+ from 1000 mg/dL (DF07a to DF07d)."""
    assert simulate.dipstick_reported(np.array(upcr), np.array(creatinine)) == grade


def test_ras_onset():
    p = Parameters(ras_half_life=28.0)
    days = np.array([-5.0, 0.0, 28.0, 56.0, np.nan])
    assert simulate.ras_onset(p, days).tolist() == [0.0, 0.0, 0.5, 0.75, 0.0]


def test_event_dates_go_with_their_answers(crowd):
    _, recorded, _ = crowd
    for event in ("infection", "surgery", "trauma", "blood_loss", "other_study", "cell_product"):
        dated = ~np.isnan(recorded[f"{event}_ago"])
        assert np.array_equal(dated, recorded[event] > 0), event
        assert recorded[f"{event}_ago"][dated].min() >= 0
