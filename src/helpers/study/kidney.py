"""Kidney arithmetic: eGFR equations, unit conversions, creatinine excretion, body surface, growth.

All functions take arrays that broadcast; male is boolean and nothing else. Row ids are those of
`data/reference/targets.csv`. An equation says nothing (NaN) outside the ages of its source, and where a height, a
creatinine or a cystatin C can't be.
"""

import csv
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers import ROOT
from helpers.study.codebook import LAB_LIMITS
from helpers.study.protocol import DAYS_PER_YEAR

UMOL_PER_MG_DL = 88.4
"""Serum creatinine, umol/L per mg/dL (EQ10)."""

MG_MMOL_PER_MG_MG = 113.0
"""UPCR, mg/mmol per mg/mg (EQ11)."""

BUN_MG_DL_PER_MMOL = 2.8
"""Blood urea nitrogen, mg/dL per mmol/L of urea (EQ12)."""

SCHWARTZ_K = 0.413

POSSIBLE = {"height": (30.0, 300.0), **{test: LAB_LIMITS[test] for test in ("creatinine", "cystatin_c")}}
"""cm, umol/L, mg/L: serum values as the codebook allows them; what is no height of a human in cm is in another unit."""

_DAY = 1 / DAYS_PER_YEAR
U25_AGES = (1 - _DAY, 25.0)
"""Years of age of CKiD U25's children (EQ04 to EQ07), to the day, both ends included."""

SCHWARTZ_AGES = (1 - _DAY, 19.0)
"""Years of age for bedside Schwartz: its source measured from 1 to 16 (EQ01); it is read on to the 19th birthday, the
oldest age of the codebook, so that an adolescent does not change equation in the middle of a trial."""

GROWTH_AGES = (0.0, 25.0)
"""Years of age to which the growth references are continued."""

METHODS = ("bedside Schwartz", "U25 creatinine", "U25 cystatin C", "U25 mean")
"""Choices of the parameter `gfr_method`."""


def _measured(name: str, value: ArrayLike) -> NDArray:
    """A measured value; NaN where it can't be one."""
    value, (low, high) = np.asarray(value, dtype=float), POSSIBLE[name]
    return np.where((value >= low) & (value <= high), value, np.nan)


def _aged(age: ArrayLike, ages: tuple[float, float]) -> NDArray:
    """Ages in years; NaN outside those of a source."""
    age = np.asarray(age, dtype=float)
    return np.where((age >= ages[0]) & (age <= ages[1]), age, np.nan)


def _boys(male: ArrayLike) -> NDArray:
    """Who is a boy. Raises ValueError for anything but booleans: a text, "female" too, would count as true."""
    male = np.asarray(male)
    if male.dtype != bool:
        shown = repr(male.ravel().tolist()[0]) if male.size else "nothing"
        raise ValueError(f"male must be True or False, got {shown} ({male.dtype}); such as sex == 'male'")
    return male


def schwartz(height: ArrayLike, creatinine: ArrayLike) -> NDArray:
    """Bedside Schwartz eGFR, mL/min/1.73m2: 0.413 height / creatinine (EQ01, JASN 2009;20:629).

    height in cm from 30 to 300, creatinine in umol/L from 5 to 2000, else NaN.

    >>> round(float(schwartz(120, 0.9 * UMOL_PER_MG_DL)), 1)
    55.1
    """
    return SCHWARTZ_K * _measured("height", height) * UMOL_PER_MG_DL / _measured("creatinine", creatinine)


def u25_creatinine_k(age: ArrayLike, male: ArrayLike) -> NDArray:
    """k of CKiD U25 for creatinine by age from 1 to 25 years, else NaN (EQ04, EQ05; Kidney Int 2021;99:948).

    Raises ValueError where male is not boolean.
    """
    age, male = _aged(age, U25_AGES), _boys(male)
    boys = np.where(age < 12, 39.0 * 1.008 ** (age - 12), 39.0 * 1.045 ** (np.minimum(age, 18) - 12))
    girls = np.where(age < 12, 36.1 * 1.008 ** (age - 12), 36.1 * 1.023 ** (np.minimum(age, 18) - 12))
    k = np.where(male, boys, girls)
    return np.where(age >= 18, np.where(male, 50.8, 41.4), k)


def u25_cystatin_k(age: ArrayLike, male: ArrayLike) -> NDArray:
    """k of CKiD U25 for cystatin C by age from 1 to 25 years, else NaN (EQ06, EQ07; Kidney Int 2021;99:948).

    Raises ValueError where male is not boolean.
    """
    age, male = _aged(age, U25_AGES), _boys(male)
    boys = 87.2 * np.where(age < 15, 1.011, 0.960) ** (age - 15)
    girls = 79.9 * np.where(age < 12, 1.004, 0.974) ** (age - 12)
    k = np.where(male, boys, girls)
    return np.where(age >= 18, np.where(male, 77.1, 68.3), k)


def u25_creatinine(height: ArrayLike, creatinine: ArrayLike, age: ArrayLike, male: ArrayLike) -> NDArray:
    """CKiD U25 eGFR from creatinine, mL/min/1.73m2; height in cm, creatinine in umol/L, age in years."""
    k = u25_creatinine_k(age, male)
    return k * (_measured("height", height) / 100) * UMOL_PER_MG_DL / _measured("creatinine", creatinine)


def u25_cystatin(cystatin_c: ArrayLike, age: ArrayLike, male: ArrayLike) -> NDArray:
    """CKiD U25 eGFR from cystatin C, mL/min/1.73m2; cystatin C in mg/L (IFCC), age in years."""
    return u25_cystatin_k(age, male) / _measured("cystatin_c", cystatin_c)


def egfr(
    method: str,
    *,
    height: ArrayLike,
    creatinine: ArrayLike,
    cystatin_c: ArrayLike,
    age: ArrayLike,
    male: ArrayLike,
) -> NDArray:
    """eGFR by the named method (parameter `gfr_method`), mL/min/1.73m2.

    NaN where an input is missing, and outside the source's ages: U25 from 1 to 25 years, bedside Schwartz from 1 to
    19 (where the age is known; `SCHWARTZ_AGES`). Raises ValueError for another method and where male is not boolean.
    """
    _boys(male)
    if method == "bedside Schwartz":
        age = np.asarray(age, dtype=float)
        other = (age < SCHWARTZ_AGES[0]) | (age > SCHWARTZ_AGES[1])
        return np.where(other, np.nan, schwartz(height, creatinine))
    if method == "U25 creatinine":
        return u25_creatinine(height, creatinine, age, male)
    if method == "U25 cystatin C":
        return u25_cystatin(cystatin_c, age, male)
    if method == "U25 mean":
        both = u25_creatinine(height, creatinine, age, male) + u25_cystatin(cystatin_c, age, male)
        return both / 2
    raise ValueError(f"unknown eGFR method {method!r}")


def creatinine_excretion(age: ArrayLike) -> NDArray:
    """Urine creatinine excretion, mg/kg/day: 15.4 + 0.46 age in years, an assumption with the bounds of EQ13.

    The line is read from birth to 25 years, else NaN.
    """
    return 15.4 + 0.46 * _aged(age, GROWTH_AGES)


def body_surface(height: ArrayLike, weight: ArrayLike) -> NDArray:
    """Body surface in m2: sqrt(height weight / 3600), cm and kg (Mosteller, NEJM 1987;317:1098).

    NaN where a height or weight is not above 0.
    """
    height, weight = (np.asarray(value, dtype=float) for value in (height, weight))
    return np.sqrt(np.where((height > 0) & (weight > 0), height * weight, np.nan) / 3600)


def protein_24h(upcr: ArrayLike, age: ArrayLike, height: ArrayLike, weight: ArrayLike) -> NDArray:
    """24-hour protein in mg/m2/h that goes with a UPCR (mg/mg) at usual creatinine excretion (EQ13)."""
    per_day = np.asarray(upcr) * creatinine_excretion(age) * np.asarray(weight)
    return per_day / body_surface(height, weight) / 24


@cache
def _growth(measure: str, sex: str) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Knots of age, L, M, S: WHO 2006/2007, for weight above 10 years CDC 2000 (growth_lms.csv)."""
    rows = []
    with (ROOT / "data" / "reference" / "growth_lms.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            who = row["reference"].startswith("WHO")
            cdc_older = (
                row["reference"].startswith("CDC") and measure == "weight" and int(row["age_years"]) > 10
            )
            if row["measure"] == measure and row["sex"] == sex and (who or cdc_older):
                rows.append([float(row[name]) for name in ("age_years", "L", "M", "S")])
    return tuple(np.array(sorted(rows)).T)


def growth(measure: str, age: ArrayLike, male: ArrayLike, z: ArrayLike) -> NDArray:
    """Height (cm) or weight (kg) at a z-score by the LMS method (Cole & Green 1992): M (1 + L S z)^(1/L).

    M is continued in a straight line from the last two knots below 3 and above 13 years, from birth to 25 years,
    else NaN; L and S stay. Raises ValueError where male is not boolean.

    >>> growth("height", [8.0], [False], [0.0]).round(1).tolist()
    [126.6]
    """
    age, z, male = np.broadcast_arrays(_aged(age, GROWTH_AGES), np.asarray(z, dtype=float), _boys(male))
    out = np.empty(age.shape)
    for sex, chosen in (("M", male), ("F", ~male)):
        knots, shape, median, spread = _growth(measure, sex)
        a = age[chosen]
        m = np.interp(a, knots, median)
        m += np.minimum(a - knots[0], 0) * (median[1] - median[0]) / (knots[1] - knots[0])
        m += np.maximum(a - knots[-1], 0) * (median[-1] - median[-2]) / (knots[-1] - knots[-2])
        length, s = np.interp(a, knots, shape), np.interp(a, knots, spread)
        out[chosen] = m * np.maximum(1 + length * s * z[chosen], 0.05) ** (1 / length)
    return out
