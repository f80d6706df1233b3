"""Units that a laboratory may send, and the one factor from each to the codebook's unit: the only place of both.

The constants are those of `study.kidney`, with their rows of `data/reference/targets.csv`: creatinine 88.4 umol/L per
mg/dL (EQ10), UPCR 113 mg/mmol per mg/mg (EQ11), urea nitrogen 2.8 mg/dL per mmol/L of urea (EQ12). The others are
powers of ten, hours of a day, and the definitions of inch (2.54 cm) and pound (0.45359237 kg).
"""

import unicodedata

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers.study.codebook import TABLES, UNITS
from helpers.study.kidney import BUN_MG_DL_PER_MMOL, MG_MMOL_PER_MG_MG, UMOL_PER_MG_DL

FACTORS: dict[str, dict[str, float]] = {
    "upcr": {
        "mg/mg": 1.0, "g/g": 1.0, "mg/g": 1e-3, "mg/mmol": 1 / MG_MMOL_PER_MG_MG, "g/mol": 1 / MG_MMOL_PER_MG_MG,
        "g/mmol": 1e3 / MG_MMOL_PER_MG_MG,
    },
    "protein_24h": {
        "mg/m2/h": 1.0, "mg/m2/24h": 1 / 24, "mg/m2/d": 1 / 24, "g/m2/24h": 1e3 / 24, "g/m2/d": 1e3 / 24,
    },
    "dipstick": {"grade": 1.0},
    "rbc": {"/ul": 1.0, "/mm3": 1.0, "10^6/l": 1.0, "/ml": 1e-3, "/l": 1e-6},
    "rbc_dysmorphic": {"/ul": 1.0, "/mm3": 1.0, "10^6/l": 1.0, "/ml": 1e-3, "/l": 1e-6},
    "creatinine": {"umol/l": 1.0, "mmol/l": 1e3, "mg/dl": UMOL_PER_MG_DL, "mg/l": UMOL_PER_MG_DL / 10},
    "cystatin_c": {"mg/l": 1.0, "ug/ml": 1.0, "mg/dl": 10.0, "g/l": 1e3},
    "bun": {"mmol/l": 1.0, "umol/l": 1e-3, "mg/dl": 1 / BUN_MG_DL_PER_MMOL},
    "height": {"cm": 1.0, "m": 100.0, "mm": 0.1, "in": 2.54},
    "weight": {"kg": 1.0, "g": 1e-3, "lb": 0.45359237},
    "blood_loss_ml": {"ml": 1.0, "l": 1e3},
    "cells": {"cells": 1.0, "10^6 cells": 1e6, "10^7 cells": 1e7, "10^8 cells": 1e8},
    "dose_ratio": {"ratio": 1.0, "%": 0.01},
}  # fmt: skip
"""Measure: unit as `spelled` writes it: factor to the codebook's."""

UNCONVERTED = {
    "protein_24h": "an amount a day without m2 needs the child's body surface: let the laboratory divide by it",
    "rbc": "cells a field depend on the microscope: the count per uL is needed",
    "rbc_dysmorphic": "a share or cells a field can't be converted: the count per uL is needed",
}
"""Why a measure's other units are refused."""

FURTHER = (10.0, 100.0, 1000.0)
"""Slips of the decimal point, beside the factors between units."""


def spelled(unit: str) -> str:
    """A unit in one spelling: "μmol/L", "umol/l" and "µmol / L" are one.

    >>> spelled("μmol / L"), spelled("mg/m²/h"), spelled("×10⁶/L")
    ('umol/l', 'mg/m2/h', '10^6/l')
    """
    text = unit.replace("²", "2").replace("⁶", "^6").replace("⁷", "^7").replace("⁸", "^8").replace("³", "3")
    text = unicodedata.normalize("NFKC", text).strip().lower().replace("μ", "u").replace("mcg", "ug")
    text = text.lstrip("x×*").replace(" per ", "/").replace("·", "/").replace("24 h", "24h")
    for long, short in (("/hour", "/h"), ("/hr", "/h"), ("/day", "/d"), ("creatinine", ""), ("inch", "in")):
        text = text.replace(long, short)
    parts = text.split()
    return " ".join(parts) if parts[-1:] == ["cells"] else "".join(parts)


def canonical(column: str) -> str:
    """The codebook's unit of a measure."""
    if column in UNITS:
        return UNITS[column]
    return next(c.unit for table in TABLES.values() for c in table.columns if c.name == column and c.unit)


def known(column: str) -> tuple[str, ...]:
    """Units that a measure may come in."""
    return tuple(FACTORS.get(column, ()))


def factor(column: str, unit: str) -> float | None:
    """What a value in this unit is multiplied by; None where the unit is not known for the measure."""
    return FACTORS.get(column, {}).get(spelled(unit))


def convert(value: ArrayLike, factors: ArrayLike) -> NDArray:
    """Values times factors, to ten significant digits, as files hold them; a factor of 1 changes nothing.

    >>> convert([40.68, 2.0], [1 / 113, 1.0]).tolist()
    [0.36, 2.0]
    """
    value, factors = np.broadcast_arrays(np.asarray(value, float), np.asarray(factors, float))
    product = value * factors
    with np.errstate(divide="ignore", invalid="ignore"):
        places = 9 - np.floor(np.log10(np.abs(product)))
    usable = np.isfinite(places) & (factors != 1)
    places = np.where(usable, np.clip(places, -15, 22), 0)
    scale = 10.0 ** np.abs(places)
    rounded = np.where(places >= 0, np.round(product * scale) / scale, np.round(product / scale) * scale)
    return np.where(usable, rounded, product)


def slips(column: str) -> tuple[tuple[float, str], ...]:
    """Ratios by which a value is off: it stands in another unit, its point has moved, or it was taken for another unit
    than it is in and converted: (ratio, in words).

    >>> [words for ratio, words in slips("bun") if round(ratio, 2) in (0.36, 2.8)]
    ['as if it were in mmol/l and had been taken for mg/dl', 'as if in mg/dl']
    """
    found: dict[float, str] = {}
    here = spelled(canonical(column)) if column in FACTORS else ""
    for name, value in FACTORS.get(column, {}).items():
        if name != here and value != 1:
            # of units with one factor the first names the slip
            found.setdefault(1 / value, f"as if in {name}")
    for ratio in FURTHER:
        found.setdefault(ratio, f"{ratio:g} times too large")
        found.setdefault(1 / ratio, f"{ratio:g} times too small")
    for name, value in FACTORS.get(column, {}).items():
        if name != here and value != 1:
            found.setdefault(value, f"as if it were in {here} and had been taken for {name}")
    return tuple(sorted(found.items()))
