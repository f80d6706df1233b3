"""Checks that one table answers alone: against the codebook, and of its columns among themselves."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from helpers.study.checks.findings import FATAL, Check, faults, together, word
from helpers.study.codebook import LAB_LIMITS, TABLES, UNITS
from helpers.study.protocol import BASELINE, DAYS_PER_YEAR, SCREENING, VISITS

VISIT_NAMES = {SCREENING: "Screening", BASELINE: "Baseline", **{v.number: v.name for v in VISITS}}

ANSWERS = {
    "ras_since": "ras_inhibitor",
    "infection_date": "infection",
    "surgery_date": "surgery",
    "trauma_date": "trauma",
    "blood_loss_date": "blood_loss",
    "blood_loss_ml": "blood_loss",
    "other_study_date": "other_study",
    "cell_product_date": "cell_product",
}
"""Columns of `screening` that only a yes to the question fills."""

OLDEST = next(c.high for c in TABLES["adsl"].columns if c.name == "AGE")


def _values(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for column in TABLES[name].columns:
        values = frame[column.name]
        there = values.notna()
        # that a key is not empty is for `_key` to say
        wrong = ~there & (not column.empty and column.name not in TABLES[name].key)
        if column.values:
            wrong |= there & ~values.isin(column.values)
        if column.low is not None:
            wrong |= values < column.low
        if column.high is not None:
            wrong |= values > column.high
        if column.kind == "whole":
            wrong |= there & (values % 1 != 0)
        elif column.kind == "number":
            wrong |= np.isinf(values)
        if wrong.any():
            parts.append(faults(name, frame[wrong], column.name, column.allowed))
    return together(*parts)


def _key(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    key = list(TABLES[name].key)
    allowed = {c.name: c.allowed for c in TABLES[name].columns}
    empty = frame[key].isna()
    twice = frame[frame.duplicated(key) & ~empty.any(axis=1)]
    again = [
        "a second row of " + ", ".join(word(v) for v in row) for row in twice[key].itertuples(index=False)
    ]
    parts = [faults(name, frame[empty[column]], column, allowed[column]) for column in key]
    return together(*parts, faults(name, twice, key[0], f"one row for each {', '.join(key)}", found=again))


def _unit(labs: pd.DataFrame) -> pd.DataFrame:
    right = labs["test"].map(UNITS)
    rows = labs[(labs["unit"] != right) & right.notna()]
    found = [f"{word(unit)} for {test}" for unit, test in zip(rows["unit"], rows["test"], strict=True)]
    return faults("labs", rows, "unit", right[rows.index], found)


def _limits(labs: pd.DataFrame) -> pd.DataFrame:
    low, high = (labs["test"].map({test: pair[k] for test, pair in LAB_LIMITS.items()}) for k in (0, 1))
    rows = labs[(labs["value"] < low) | (labs["value"] > high)]
    found = [f"{v:g} {UNITS[test]} for {test}" for v, test in zip(rows["value"], rows["test"], strict=True)]
    allowed = [f"{LAB_LIMITS[test][0]:g} to {LAB_LIMITS[test][1]:g}" for test in rows["test"]]
    return faults("labs", rows, "value", allowed, found)


def _dates(screening: pd.DataFrame) -> list[str]:
    return [
        c for c in screening if pd.api.types.is_datetime64_any_dtype(screening[c]) and c != "consent_date"
    ]


def _before_consent(screening: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for column in _dates(screening):
        late = screening[screening[column] > screening["consent_date"]]
        allowed = [f"up to the consent, {word(day)}" for day in late["consent_date"]]
        parts.append(faults("screening", late, column, allowed))
    return together(*parts)


def _after_birth(screening: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for column in _dates(screening):
        early = screening[screening[column] < screening["birth_date"]]
        allowed = [f"from the birth on, {word(day)}" for day in early["birth_date"]]
        parts.append(faults("screening", early, column, allowed))
    return together(*parts)


def _age(screening: pd.DataFrame) -> pd.DataFrame:
    years = (screening["consent_date"] - screening["birth_date"]).dt.days / DAYS_PER_YEAR
    rows = screening[years > OLDEST]
    allowed = [f"up to {OLDEST:g} years before the consent, {word(day)}" for day in rows["consent_date"]]
    return faults("screening", rows, "birth_date", allowed)


def _answers(screening: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for column, question in ANSWERS.items():
        rows = screening[(screening[question] == "no") & screening[column].notna()]
        parts.append(faults("screening", rows, column, f"empty, since {question} is no"))
    return together(*parts)


def _dysmorphic_at_screening(screening: pd.DataFrame) -> pd.DataFrame:
    rows = screening[screening["rbc_dysmorphic"] > screening["rbc"]]
    allowed = [f"up to rbc, {word(cells)}" for cells in rows["rbc"]]
    return faults("screening", rows, "rbc_dysmorphic", allowed)


def _dysmorphic(labs: pd.DataFrame) -> pd.DataFrame:
    key = ["usubjid", "visit_no"]
    cells = labs[labs["test"] == "rbc"].drop_duplicates(key).set_index(key)["value"]
    part = labs[labs["test"] == "rbc_dysmorphic"]
    whole = cells.reindex(pd.MultiIndex.from_frame(part[key])).to_numpy()
    rows = part[part["value"] > whole]
    allowed = [f"up to the rbc of the visit, {word(v)}" for v in whole[(part["value"] > whole).to_numpy()]]
    return faults("labs", rows, "value", allowed)


def _sequence(randomisation: pd.DataFrame) -> pd.DataFrame:
    ordered = randomisation.drop_duplicates("usubjid").sort_values("sequence", kind="stable")
    twice = ordered[ordered.duplicated("sequence")]
    latest = ordered["randomisation_date"].cummax()
    early = ordered["randomisation_date"] < latest
    allowed = [f"from {word(day)} on, the day of an earlier number" for day in latest[early]]
    return together(
        faults("randomisation", twice, "sequence", "each number once"),
        faults("randomisation", ordered[early], "randomisation_date", allowed),
    )


def _given(infusions: pd.DataFrame) -> pd.DataFrame:
    yes = infusions["given"] == "yes"
    parts = []
    for column in ("date", "product", "cells"):
        lacking = infusions[yes & infusions[column].isna()]
        surplus = infusions[~yes & infusions[column].notna()]
        parts.append(faults("infusions", lacking, column, "no empty cell, since given is yes"))
        parts.append(faults("infusions", surplus, column, "empty, since given is not yes"))
    return together(*parts)


def _cells(infusions: pd.DataFrame) -> pd.DataFrame:
    saline = infusions[(infusions["product"] == "Placebo") & (infusions["cells"] > 0)]
    none = infusions[(infusions["product"] == "hUC-MSC") & (infusions["cells"] == 0)]
    return together(
        faults("infusions", saline, "cells", "0 in a placebo"),
        faults("infusions", none, "cells", "above 0 in hUC-MSC"),
    )


def _infusion_order(infusions: pd.DataFrame) -> pd.DataFrame:
    first = infusions[infusions["infusion"] == 1].drop_duplicates("usubjid").set_index("usubjid")
    second = infusions[infusions["infusion"] == 2]
    parts = []
    for column in ("planned_date", "date"):
        before = second["usubjid"].map(first[column])
        rows = second[second[column] <= before]
        allowed = [f"after the first infusion, {word(day)}" for day in before[rows.index]]
        parts.append(faults("infusions", rows, column, allowed))
    return together(*parts)


def _visit_name(visits: pd.DataFrame) -> pd.DataFrame:
    name = visits["visit_no"].map(VISIT_NAMES)
    rows = visits[(visits["visit"] != name) & visits["visit"].notna() & name.notna()]
    return faults("visits", rows, "visit", [word(n) for n in name[rows.index]])


def _attended(visits: pd.DataFrame) -> pd.DataFrame:
    yes = visits["attended"] == "yes"
    return together(
        faults("visits", visits[yes & visits["date"].isna()], "date", "a date, since attended is yes"),
        faults("visits", visits[~yes & visits["date"].notna()], "date", "empty, since attended is not yes"),
        faults("visits", visits[yes & visits["reason"].notna()], "reason", "empty, since attended is yes"),
    )


def _visit_order(visits: pd.DataFrame) -> pd.DataFrame:
    key = ["usubjid", "visit_no"]
    dated = visits[visits["date"].notna()].drop_duplicates(key).sort_values(key, kind="stable")
    before = dated.groupby("usubjid")["date"].shift()
    # the baseline samples may be those of the day of consent
    early = (dated["date"] < before) | ((dated["date"] == before) & (dated["visit_no"] > BASELINE))
    allowed = [f"after the visit before, {word(day)}" for day in before[early]]
    return faults("visits", dated[early], "date", allowed)


def _nearest(visits: pd.DataFrame) -> pd.DataFrame:
    followed = visits[visits["visit_no"] > BASELINE].sort_values(["usubjid", "visit_no"], kind="stable")
    target = followed.groupby("usubjid")["planned_date"]
    off = (followed["date"] - followed["planned_date"]).abs()
    nearer = pd.Series(False, index=followed.index)
    for step in (1, -1):
        nearer |= (followed["date"] - target.shift(step)).abs() < off
    rows = followed[nearer]
    allowed = [f"nearer to its own target day, {word(day)}" for day in rows["planned_date"]]
    return faults("visits", rows, "date", allowed)


def _event_order(events: pd.DataFrame) -> pd.DataFrame:
    rows = events[events["end_date"] < events["start_date"]]
    allowed = [f"from the first day on, {word(day)}" for day in rows["start_date"]]
    return faults("events", rows, "end_date", allowed)


def _grave(events: pd.DataFrame) -> pd.DataFrame:
    rows = events[events["severity"].isin(("life-threatening", "fatal")) & (events["serious"] == "no")]
    return faults("events", rows, "serious", [f"yes, since severity is {word(v)}" for v in rows["severity"]])


def _leaving(disposition: pd.DataFrame) -> pd.DataFrame:
    left, empty = disposition["status"] == "left", disposition["reason"].isna()
    return together(
        faults("disposition", disposition[left & empty], "reason", "why the child left"),
        faults("disposition", disposition[~left & ~empty], "reason", "empty, since status is not left"),
    )


def _codebook(name: str) -> tuple[Check, Check]:
    def bound(find: Callable) -> Callable[[pd.DataFrame], pd.DataFrame]:
        return partial(find, name)

    key = ", ".join(TABLES[name].key)
    return (
        Check(
            f"{name}.values", (name,), "Every value is one that the codebook allows", bound(_values), FATAL
        ),
        Check(f"{name}.key", (name,), f"One row for each {key}, none of them empty", bound(_key), FATAL),
    )


_CODEBOOK = tuple(check for name in TABLES for check in _codebook(name))

SINGLE = (
    *_CODEBOOK,
    Check("labs.unit", ("labs",), "Every test is in the one unit of the codebook", _unit, FATAL),
    Check("labs.limits", ("labs",), "Every value lies within the limits of its test", _limits, FATAL),
    Check("labs.dysmorphic", ("labs",), "Dysmorphic red cells are some of all red cells", _dysmorphic),
    Check("screening.consent", ("screening",), "What screening asks about happened up to the day of consent", _before_consent),
    Check("screening.birth", ("screening",), "What screening asks about happened after birth", _after_birth),
    Check("screening.age", ("screening",), f"A child is at most {OLDEST:g} years old on the day of consent", _age),
    Check("screening.answers", ("screening",), "A date or amount belongs to a question answered yes", _answers),
    Check("screening.dysmorphic", ("screening",), "Dysmorphic red cells are some of all red cells", _dysmorphic_at_screening),
    Check("randomisation.sequence", ("randomisation",), "Numbers of randomisation are unique and in the order of days", _sequence),
    Check("infusions.given", ("infusions",), "An infusion has its day, product and cells exactly where it was given", _given),
    Check("infusions.cells", ("infusions",), "hUC-MSC has cells and placebo has none", _cells),
    Check("infusions.order", ("infusions",), "The second infusion comes after the first", _infusion_order),
    Check("visits.name", ("visits",), "A visit's name is that of its number", _visit_name),
    Check("visits.attended", ("visits",), "A visit has its day, and no reason against it, exactly where it was attended", _attended),
    Check("visits.order", ("visits",), "Visits of a child follow each other in their order", _visit_order),
    Check("visits.nearest", ("visits",), "A visit is nearer to its own target day than to another visit's", _nearest),
    Check("events.order", ("events",), "An event ends on or after its first day", _event_order),
    Check("events.serious", ("events",), "A life-threatening or fatal event is serious", _grave),
    Check("disposition.reason", ("disposition",), "A reason for leaving stands exactly where a child left", _leaving),
)  # fmt: skip
