"""Kidney arithmetic: eGFR equations, unit conversions, creatinine excretion, body surface, growth.

All functions take arrays that broadcast; male is boolean. Row ids are those of `data/reference/targets.csv`.
"""

import csv
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers import ROOT

UMOL_PER_MG_DL = 88.4
"""Serum creatinine, umol/L per mg/dL (EQ10)."""

MG_MMOL_PER_MG_MG = 113.0
"""UPCR, mg/mmol per mg/mg (EQ11)."""

BUN_MG_DL_PER_MMOL = 2.8
"""Blood urea nitrogen, mg/dL per mmol/L of urea (EQ12)."""

SCHWARTZ_K = 0.413

METHODS = ("bedside Schwartz", "U25 creatinine", "U25 cystatin C", "U25 mean")
"""Choices of the parameter `gfr_method`."""


def schwartz(height: ArrayLike, creatinine: ArrayLike) -> NDArray:
    """Bedside Schwartz eGFR, mL/min/1.73m2: 0.413 height / creatinine (EQ01, JASN 2009;20:629).

    height in cm, creatinine in umol/L.
    """
    return SCHWARTZ_K * np.asarray(height) * UMOL_PER_MG_DL / np.asarray(creatinine)


def u25_creatinine_k(age: ArrayLike, male: ArrayLike) -> NDArray:
    """k of CKiD U25 for creatinine by age in years (EQ04, EQ05; Kidney Int 2021;99:948)."""
    age = np.asarray(age, dtype=float)
    boys = np.where(age < 12, 39.0 * 1.008 ** (age - 12), 39.0 * 1.045 ** (np.minimum(age, 18) - 12))
    girls = np.where(age < 12, 36.1 * 1.008 ** (age - 12), 36.1 * 1.023 ** (np.minimum(age, 18) - 12))
    k = np.where(male, boys, girls)
    return np.where(age >= 18, np.where(male, 50.8, 41.4), k)


def u25_cystatin_k(age: ArrayLike, male: ArrayLike) -> NDArray:
    """k of CKiD U25 for cystatin C by age in years (EQ06, EQ07; Kidney Int 2021;99:948)."""
    age = np.asarray(age, dtype=float)
    boys = 87.2 * np.where(age < 15, 1.011, 0.960) ** (age - 15)
    girls = 79.9 * np.where(age < 12, 1.004, 0.974) ** (age - 12)
    k = np.where(male, boys, girls)
    return np.where(age >= 18, np.where(male, 77.1, 68.3), k)


def u25_creatinine(height: ArrayLike, creatinine: ArrayLike, age: ArrayLike, male: ArrayLike) -> NDArray:
    """CKiD U25 eGFR from creatinine, mL/min/1.73m2; height in cm, creatinine in umol/L, age in years."""
    return u25_creatinine_k(age, male) * (np.asarray(height) / 100) * UMOL_PER_MG_DL / np.asarray(creatinine)


def u25_cystatin(cystatin_c: ArrayLike, age: ArrayLike, male: ArrayLike) -> NDArray:
    """CKiD U25 eGFR from cystatin C, mL/min/1.73m2; cystatin C in mg/L (IFCC), age in years."""
    return u25_cystatin_k(age, male) / np.asarray(cystatin_c)


def egfr(
    method: str,
    *,
    height: ArrayLike,
    creatinine: ArrayLike,
    cystatin_c: ArrayLike,
    age: ArrayLike,
    male: ArrayLike,
) -> NDArray:
    """eGFR by the named method (parameter `gfr_method`), mL/min/1.73m2; NaN where an input is missing."""
    if method == "bedside Schwartz":
        return schwartz(height, creatinine)
    if method == "U25 creatinine":
        return u25_creatinine(height, creatinine, age, male)
    if method == "U25 cystatin C":
        return u25_cystatin(cystatin_c, age, male)
    if method == "U25 mean":
        both = u25_creatinine(height, creatinine, age, male) + u25_cystatin(cystatin_c, age, male)
        return both / 2
    raise ValueError(f"unknown eGFR method {method!r}")


def creatinine_excretion(age: ArrayLike) -> NDArray:
    """Urine creatinine excretion, mg/kg/day: 15.4 + 0.46 age (EQ13, Ghazali & Barratt 1974)."""
    return 15.4 + 0.46 * np.asarray(age, dtype=float)


def body_surface(height: ArrayLike, weight: ArrayLike) -> NDArray:
    """Body surface in m2: sqrt(height weight / 3600), cm and kg (Mosteller, NEJM 1987;317:1098)."""
    return np.sqrt(np.asarray(height) * np.asarray(weight) / 3600)


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

    M is continued in a straight line from the last two knots below 3 and above 13 years; L and S stay.
    """
    age, z = np.asarray(age, dtype=float), np.asarray(z, dtype=float)
    out = np.empty(np.broadcast_shapes(age.shape, z.shape))
    for sex, chosen in (("M", np.asarray(male)), ("F", ~np.asarray(male))):
        knots, shape, median, spread = _growth(measure, sex)
        a = age[chosen]
        m = np.interp(a, knots, median)
        m += np.minimum(a - knots[0], 0) * (median[1] - median[0]) / (knots[1] - knots[0])
        m += np.maximum(a - knots[-1], 0) * (median[-1] - median[-2]) / (knots[-1] - knots[-2])
        length, s = np.interp(a, knots, shape), np.interp(a, knots, spread)
        out[chosen] = m * np.maximum(1 + length * s * z[chosen], 0.05) ** (1 / length)
    return out
