# ruff: noqa: E501
"""Regression to the mean and chance remission, against closed forms and the values of TRAPS."""

import numpy as np
import pytest
from scipy import stats

from helpers.design import selection
from helpers.study.parameters import Parameters
from helpers.trial.simulate import Streams

PLAN = Parameters()


@pytest.fixture(scope="module")
def shown():
    return selection.shown(PLAN)


def stable(shown, **chosen):
    rows = [row for row in shown["stable"] if all(row[k] == v for k, v in chosen.items())]
    assert len(rows) == 1
    return rows[0]


def test_independent_noise_of_0_4_gives_the_known_probabilities(shown):
    """Any visit .45, confirmed at the next visit .15: from simulations that are not ours."""
    row = stable(shown, noise="independent", sd=0.4, definition="fall")
    assert row["any visit"] == pytest.approx(45, abs=1)
    assert row["confirmed at the next visit"] == pytest.approx(15, abs=1)


@pytest.mark.parametrize("sd", selection.NOISE)
def test_month_12_and_any_visit_against_the_normal_integral(shown, sd):
    """P(x - b <= ln 0.5) and 1 - E[P(x > b + ln 0.5)^11 | b], with b evaluable: b >= ln 0.2."""
    row = stable(shown, noise="independent", sd=sd, definition="fall")
    b = np.linspace(max(np.log(0.2), -8 * sd), 8 * sd, 20001)
    weight = stats.norm.pdf(b, scale=sd)
    below = stats.norm.cdf(b + np.log(0.5), scale=sd)
    month_12 = np.average(below, weights=weight)
    any_visit = np.average(1 - (1 - below) ** 11, weights=weight)
    error = 500 * np.sqrt(0.25 / selection.STABLE)
    assert row["month 12"] == pytest.approx(100 * month_12, abs=error)
    assert row["any visit"] == pytest.approx(100 * any_visit, abs=error)


def test_confirming_asks_for_more(shown):
    for row in shown["stable"]:
        assert row["confirmed"] <= row["confirmed at the next visit"] <= row["any visit"]


def test_the_fall_after_selection_against_the_truncated_bivariate_normal():
    """Log-normal children, independent noise: E[change | screened >= c] = -(1 - r) E[screened - m | it], r reliability."""
    boys = dict(
        share_x_linked=1.0, share_recessive=0.0, share_dominant=0.0, share_digenic=0.0, male_share=1.0
    )
    flat = dict(
        upcr_median_3_5=0.5,
        upcr_median_6_8=0.5,
        upcr_median_9_12=0.5,
        upcr_level=1.0,
        upcr_log_sd=0.7,
        upcr_max=50.0,
    )
    plain = dict(
        ras_prevalence=0.0,
        ras_prevalence_mild=0.0,
        upcr_wander=0.0,
        upcr_noise=0.4,
        upcr_noise_power=0.0,
        upcr_limit=0.0,
    )
    found = selection.after_selection(Parameters(**boys, **flat, **plain), Streams(3, 1))
    total = np.hypot(0.7, 0.4)
    for threshold in selection.THRESHOLDS:
        a = (np.log(threshold) - np.log(0.5)) / total
        excess = total * stats.norm.pdf(a) / stats.norm.sf(a)
        expected = -(0.4**2 / total**2) * excess
        error = 5 * 0.57 / np.sqrt(found[f"{threshold:g} n"]) + 0.01
        for when in selection.AT:
            assert found[f"{threshold:g} eligibility {when}"] == pytest.approx(expected, abs=error)
            assert found[f"{threshold:g} separate {when}"] == pytest.approx(0.0, abs=error)
            assert found[f"{threshold:g} mean of both {when}"] == pytest.approx(expected / 2, abs=error)


def test_a_separate_baseline_is_nearest_to_no_fall(shown):
    for threshold in selection.THRESHOLDS:
        falls = [
            shown["selection"][f"{threshold:g} {name} month 12"][0]
            for name in ("eligibility", "mean of both", "separate")
        ]
        assert falls[0] < falls[1] < falls[2] < 0.005


def test_without_noise_nothing_moves(monkeypatch):
    # what must not move for any child needs no many children
    monkeypatch.setattr(selection, "CLINIC", 3000)
    monkeypatch.setattr(selection, "STABLE", 2000)
    quiet = Parameters(
        upcr_noise=0.0,
        upcr_noise_min=0.0,
        upcr_wander=0.0,
        upcr_limit=0.0,
        ras_prevalence=0.0,
        ras_prevalence_mild=0.0,
    )
    found = selection.after_selection(quiet, Streams(1, 1))
    for name, value in found.items():
        if name.endswith(" n"):
            assert value > 50, name
        else:
            assert abs(value) < 1e-3, name
    rows = selection.stable_children(quiet, Streams(1, 2))
    assert all(
        row["any visit"] == 0 for row in rows if row["noise"] == "as assumed" and row["definition"] == "fall"
    )


def test_each_part_holds_its_own_answer(monkeypatch):
    for name, few in (("BATCHES", 2), ("STABLE", 2_000)):
        assert getattr(selection, name) > few
        monkeypatch.setattr(selection, name, few)
    rows = selection.part(PLAN, "stable")["stable"]
    assert {row["definition"] for row in rows} == set(selection.DEFINITIONS)
    found = selection.part(PLAN, "selection")["selection"]
    assert all(len(value) in (1, 3) for value in found.values())
    assert any("month 12" in key for key in found)
