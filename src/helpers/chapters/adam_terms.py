"""The controlled terms of the analysis tables: those that CDISC has published, and nothing else.

Source: CDISC controlled terminology, package SDTM of 2025-03-28, read from what the PyPI package usdm4 0.29.0 carries
of it (usdm4/ct/cdisc/library_cache/library_cache_all.yaml). A list of the codebook that is no part of such a list is
the project's own, and is said to be non-standard.
"""

from collections.abc import Iterable
from dataclasses import dataclass

VERSION = "2025-03-28"


@dataclass(frozen=True)
class Published:
    """A published list: its code, short and full name, and of its terms those that occur here: value, code, words."""

    code: str
    short: str
    name: str
    terms: dict[str, tuple[str, str]]


SEX = Published("C66731", "SEX", "Sex", {"M": ("C20197", "Male"), "F": ("C16576", "Female")})
YES_NO = Published("C66742", "NY", "No Yes Response", {"Y": ("C49488", "Yes"), "N": ("C49487", "No")})
AGE_UNIT = Published("C66781", "AGEU", "Age Unit", {"YEARS": ("C29848", "Year")})
RACE = Published("C74457", "RACE", "Race", {"NOT REPORTED": ("C43234", "Not Reported")})
ONGOING = Published("C66728", "STENRF", "Relation to Reference Period", {"ONGOING": ("C53279", "Continue")})

BY_VARIABLE = {"SEX": SEX, "AGEU": AGE_UNIT, "RACE": RACE, "AEENRTPT": ONGOING}
SPONSOR = {
    "AESEV": "A variable of the sponsor under this name: its words are those of the raw table, of five grades up to "
    "death, and none is of the published list Severity/Intensity Scale for Adverse Events (C66769), which is not "
    "extensible and has MILD, MODERATE and SEVERE alone.",
}
"""Variables for which CDISC has a list that their values are not of: why."""
FLAGS = ("FL", "AESER", "AEREL")
"""How names of variables end whose values are yes and no."""


def names() -> list[str]:
    """The names of the published lists in use."""
    return [one.name for one in (YES_NO, *BY_VARIABLE.values())]


def published(variable: str, values: Iterable[str]) -> Published | None:
    """The published list that a variable's values are of; None where it has none, or where one value is not in it.

    >>> published("SAFFL", ["Y", "N"]).short, published("LOQFL", ["Y", "H"]), published("EOSSTT", ["ONGOING"])
    ('NY', None, None)
    """
    found = YES_NO if variable.endswith(FLAGS) else BY_VARIABLE.get(variable)
    return found if found and set(values) <= set(found.terms) else None
