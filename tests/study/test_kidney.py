"""Kidney equations against their authors' values (rows of data/reference/targets.csv) and by hand."""

import csv

import numpy as np
import pytest

from helpers import ROOT
from helpers.study import kidney


def rows(name: str) -> list[dict]:
    with (ROOT / "data" / "reference" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


TARGETS = {row["id"]: row for row in rows("targets.csv")}
AUTHORS = dict(height=120.0, creatinine=0.9 * 88.4, cystatin_c=1.3, age=11.0)
"""The authors' example: 11 years, 1.2 m, creatinine 0.9 mg/dL, cystatin C 1.3 mg/L (EQ08)."""


@pytest.mark.parametrize(
    ("method", "row"), [("U25 creatinine", "EQ08a"), ("U25 cystatin C", "EQ08b"), ("U25 mean", "EQ08c")]
)
def test_u25_gives_the_authors_values(method, row):
    boy = kidney.egfr(method, **AUTHORS, male=True)
    girl = kidney.egfr(method, **AUTHORS, male=False)
    girls = dict(zip(("EQ08a", "EQ08b", "EQ08c"), (47.8, 61.2, 54.5), strict=True))
    assert "Female same inputs: 47.8/61.2/54.5" in TARGETS[row]["note"]
    assert round(float(boy), 1) == float(TARGETS[row]["value"])
    assert round(float(girl), 1) == girls[row]


@pytest.mark.parametrize(
    ("age", "boy", "girl"),
    [
        (2.0, 39.0 * 1.008**-10, 36.1 * 1.008**-10),
        (11.999999, 39.0, 36.1),
        (12.0, 39.0, 36.1),
        (15.0, 39.0 * 1.045**3, 36.1 * 1.023**3),
        (17.999999, 39.0 * 1.045**6, 36.1 * 1.023**6),
        (18.0, 50.8, 41.4),
        (20.0, 50.8, 41.4),
    ],
)
def test_u25_creatinine_coefficient_by_age(age, boy, girl):
    """EQ04, EQ05."""
    assert kidney.u25_creatinine_k(age, True) == pytest.approx(boy, rel=1e-6)
    assert kidney.u25_creatinine_k(age, False) == pytest.approx(girl, rel=1e-6)


@pytest.mark.parametrize(
    ("age", "boy", "girl"),
    [
        (5.0, 87.2 * 1.011**-10, 79.9 * 1.004**-7),
        (12.0, 87.2 * 1.011**-3, 79.9),
        (15.0, 87.2, 79.9 * 0.974**3),
        (17.0, 87.2 * 0.960**2, 79.9 * 0.974**5),
        (18.0, 77.1, 68.3),
        (24.0, 77.1, 68.3),
    ],
)
def test_u25_cystatin_coefficient_by_age(age, boy, girl):
    """EQ06, EQ07."""
    assert kidney.u25_cystatin_k(age, True) == pytest.approx(boy, rel=1e-6)
    assert kidney.u25_cystatin_k(age, False) == pytest.approx(girl, rel=1e-6)


def test_bedside_schwartz_in_the_authors_units():
    """EQ01: 0.413 height (cm) / creatinine (mg/dL); 120 cm and 0.9 mg/dL give 55.1."""
    k = float(TARGETS["EQ01"]["value"])
    found = kidney.egfr("bedside Schwartz", **AUTHORS, male=np.array([True, False]))
    assert found == pytest.approx(k * 120 / 0.9, rel=1e-12)
    assert found == pytest.approx(55.0667, abs=1e-4)


def test_unit_factors_are_the_published_ones():
    assert float(TARGETS["EQ10"]["value"]) == kidney.UMOL_PER_MG_DL
    assert float(TARGETS["EQ11"]["value"]) == kidney.MG_MMOL_PER_MG_MG
    assert float(TARGETS["EQ12"]["value"]) == kidney.BUN_MG_DL_PER_MMOL


@pytest.mark.parametrize("method", kidney.METHODS)
@pytest.mark.parametrize(
    ("lost", "reads"),
    [
        ("height", {"bedside Schwartz", "U25 creatinine", "U25 mean"}),
        ("creatinine", {"bedside Schwartz", "U25 creatinine", "U25 mean"}),
        ("cystatin_c", {"U25 cystatin C", "U25 mean"}),
        ("age", {"U25 creatinine", "U25 cystatin C", "U25 mean"}),
    ],
)
def test_a_missing_input_makes_a_missing_egfr_where_it_is_read(method, lost, reads):
    value = kidney.egfr(method, **{**AUTHORS, lost: np.nan}, male=True)
    assert bool(np.isnan(value)) == (method in reads)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="Cockcroft"):
        kidney.egfr("Cockcroft", **AUTHORS, male=True)


def test_24_hour_protein_by_hand():
    """A UPCR of 1 mg/mg, 10 years, 25 kg, 144 cm: 1 x 20 mg/kg/day x 25 kg = 500 mg/day over 1 m2 (EQ13)."""
    assert kidney.creatinine_excretion(10.0) == pytest.approx(20.0)
    assert kidney.body_surface(144.0, 25.0) == pytest.approx(1.0)
    assert kidney.protein_24h(1.0, 10.0, 144.0, 25.0) == pytest.approx(500 / 24)


@pytest.mark.parametrize("measure", ["height", "weight"])
@pytest.mark.parametrize("z", [-2.0, 0.0, 1.5])
def test_growth_reproduces_the_reference_at_its_knots(measure, z):
    """M (1 + L S z)^(1/L) computed here from each row of growth_lms.csv, WHO to 10 years and CDC weight above."""
    checked = 0
    for row in rows("growth_lms.csv"):
        age = float(row["age_years"])
        used = row["reference"].startswith("WHO") or (measure == "weight" and age > 10)
        if row["measure"] != measure or not used:
            continue
        power, median, spread = (float(row[k]) for k in "LMS")
        expected = median * (1 + power * spread * z) ** (1 / power)
        found = kidney.growth(measure, np.array([age]), np.array([row["sex"] == "M"]), np.array([z]))
        assert found[0] == pytest.approx(expected, rel=1e-12), row
        checked += 1
    assert checked >= 18


def test_growth_rises_with_age_and_with_z():
    age = np.linspace(2, 16, 200)
    for measure in ("height", "weight"):
        for male in (True, False):
            path = kidney.growth(measure, age, np.full(200, male), np.zeros(200))
            assert (np.diff(path) > 0).all()
            low, high = (
                kidney.growth(measure, age, np.full(200, male), np.full(200, z)) for z in (-2.0, 2.0)
            )
            assert (low < path).all()
            assert (path < high).all()


OUTSIDE = [
    ("age", 0.5, kidney.METHODS),
    ("age", -3.0, kidney.METHODS),
    ("age", 19.5, ("bedside Schwartz",)),
    ("age", 25.1, kidney.METHODS),
    ("height", 0.0, ("bedside Schwartz", "U25 creatinine", "U25 mean")),
    ("height", 1.2, ("bedside Schwartz", "U25 creatinine", "U25 mean")),  # metres
    ("height", np.inf, ("bedside Schwartz", "U25 creatinine", "U25 mean")),
    ("creatinine", 0.9, ("bedside Schwartz", "U25 creatinine", "U25 mean")),  # mg/dL
    ("creatinine", -80.0, ("bedside Schwartz", "U25 creatinine", "U25 mean")),
    ("cystatin_c", 0.0, ("U25 cystatin C", "U25 mean")),
]


@pytest.mark.parametrize("method", kidney.METHODS)
@pytest.mark.parametrize(("name", "value", "silent"), OUTSIDE)
def test_an_equation_says_nothing_outside_its_range(method, name, value, silent):
    found = kidney.egfr(method, **{**AUTHORS, name: value}, male=True)
    assert bool(np.isnan(found)) == (method in silent)


@pytest.mark.parametrize("method", kidney.METHODS)
def test_an_equation_holds_to_the_ends_of_its_range(method):
    oldest = 19.0 if method == "bedside Schwartz" else 25.0
    for age in (1.0, 365 / 365.25, oldest):
        assert np.isfinite(kidney.egfr(method, **{**AUTHORS, "age": age}, male=True))


@pytest.mark.parametrize("male", ["female", "male", ["male", "female"], 1, 0.0, np.array([1, 0]), None])
def test_who_is_a_boy_is_said_by_a_boolean_alone(male):
    for act in (
        lambda: kidney.egfr("bedside Schwartz", **AUTHORS, male=male),
        lambda: kidney.egfr("U25 mean", **AUTHORS, male=male),
        lambda: kidney.u25_creatinine_k(5.0, male),
        lambda: kidney.u25_cystatin_k(5.0, male),
        lambda: kidney.growth("height", 5.0, male, 0.0),
    ):
        with pytest.raises(ValueError, match="male must be True or False, got"):
            act()


def test_what_goes_with_age_height_and_weight_is_nan_where_they_cannot_be():
    assert np.isnan(kidney.growth("height", [-1.0, 26.0], [True, False], [0.0, 0.0])).all()
    assert np.isnan(kidney.creatinine_excretion([-1.0, 26.0])).all()
    assert np.isnan(kidney.body_surface([0.0, 120.0], [20.0, -1.0])).all()
