"""Checks between raw tables: what one says and another denies."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from helpers.study import kidney
from helpers.study.checks.findings import FATAL, Check, absent, beside, faults, together, word
from helpers.study.codebook import DIPSTICK, UNITS
from helpers.study.protocol import BASELINE, DAYS_PER_YEAR, EXCLUSION, INCLUSION, SCREENING, VISITS
from helpers.study.shown import plain, rounded

CHILD, VISIT = ["usubjid"], ["usubjid", "visit_no"]

LATEST = pd.Timedelta(183, "D")
"""Longest time from the last target day to the last contact: a wrong year stands out, a late visit does not."""

HIGHEST_GFR = 1000.0
"""mL/min/1.73m2, five times any child's: above it creatinine, cystatin C or height is in another unit or misread."""

Find = Callable[..., pd.DataFrame]


def _randomised(table: str) -> Find:
    def find(frame: pd.DataFrame, randomisation: pd.DataFrame) -> pd.DataFrame:
        strangers = frame[~frame["usubjid"].isin(randomisation["usubjid"])]
        return faults(table, strangers, "usubjid", "a child of randomisation.csv")

    return find


def _screened(randomisation: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    strangers = randomisation[~randomisation["usubjid"].isin(screening["usubjid"])]
    return faults("randomisation", strangers, "usubjid", "a child of screening.csv")


def _every(randomisation: pd.DataFrame, column: str, values: Iterable[float]) -> pd.MultiIndex:
    return pd.MultiIndex.from_product([randomisation["usubjid"], values], names=["usubjid", column])


def _both_infusions(infusions: pd.DataFrame, randomisation: pd.DataFrame) -> pd.DataFrame:
    wanted = _every(randomisation, "infusion", (1.0, 2.0))
    return absent("infusions", infusions, wanted, "a row for each randomised child and planned infusion")


def _all_visits(visits: pd.DataFrame, randomisation: pd.DataFrame) -> pd.DataFrame:
    # a separate baseline visit is planned where the table has one
    numbers = {float(SCREENING), *(float(v.number) for v in VISITS), *visits["visit_no"].dropna()}
    wanted = _every(randomisation, "visit_no", sorted(numbers))
    return absent("visits", visits, wanted, "a row for each randomised child and planned visit")


def _ends(disposition: pd.DataFrame, randomisation: pd.DataFrame) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_frame(randomisation[CHILD])
    return absent("disposition", disposition, wanted, "a row for each randomised child")


def _all_criteria(adie: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    counts = adie.groupby("USUBJID")["IETESTCD"].nunique().reindex(screening["usubjid"], fill_value=0)
    wanted = len(INCLUSION) + len(EXCLUSION)
    rows = screening[(counts != wanted).to_numpy()]
    found = [f"a child with {n} criteria in adie.csv" for n in counts[counts != wanted]]
    return faults("screening", rows, "usubjid", f"{wanted} criteria each", found)


def _not_before(table: str, columns: tuple[str, ...], other: str, column: str, what: str) -> Find:
    """A check that days of a table are not before the child's day in another one."""

    def find(frame: pd.DataFrame, there: pd.DataFrame) -> pd.DataFrame:
        both = beside(frame, there, CHILD, column)
        limit = f"{column}_there"
        parts = []
        for mine in columns:
            rows = both[both[mine] < both[limit]]
            allowed = [f"from the {what} on, {word(day)} in {other}.csv" for day in rows[limit]]
            parts.append(faults(table, rows, mine, allowed))
        return together(*parts)

    return find


def _not_after_contact(table: str, column: str) -> Find:
    def find(frame: pd.DataFrame, disposition: pd.DataFrame) -> pd.DataFrame:
        both = beside(frame, disposition.rename(columns={"date": "contact"}), CHILD, "contact")
        rows = both[both[column] > both["contact_there"]]
        allowed = [f"up to the last contact, {word(day)} in disposition.csv" for day in rows["contact_there"]]
        return faults(table, rows, column, allowed)

    return find


def _product(infusions: pd.DataFrame, randomisation: pd.DataFrame) -> pd.DataFrame:
    both = beside(infusions, randomisation, CHILD, "arm")
    known = both["product"].notna() & both["arm_there"].notna()
    rows = both[known & (both["product"] != both["arm_there"])]
    return faults("infusions", rows, "product", [f"{word(arm)}, the arm" for arm in rows["arm_there"]])


def _target(visits: pd.DataFrame, infusions: pd.DataFrame) -> pd.DataFrame:
    last = (
        infusions[infusions["infusion"] == 2].drop_duplicates("usubjid").set_index("usubjid")["planned_date"]
    )
    days = pd.to_timedelta(visits["visit_no"].map({v.number: v.day for v in VISITS}), unit="D")
    target = visits["usubjid"].map(last) + days
    rows = visits[target.notna() & (visits["planned_date"] != target)]
    allowed = [f"{word(day)}, counted from the planned last infusion" for day in target[rows.index]]
    return faults("visits", rows, "planned_date", allowed)


def _consent_visit(visits: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    both = beside(visits[visits["visit_no"] == SCREENING], screening, CHILD, "consent_date")
    parts = []
    for column in ("planned_date", "date"):
        known = both[column].notna() & both["consent_date_there"].notna()
        rows = both[known & (both[column] != both["consent_date_there"])]
        allowed = [f"the day of consent, {word(day)} in screening.csv" for day in rows["consent_date_there"]]
        parts.append(faults("visits", rows, column, allowed))
    return together(*parts)


def _baseline_visit(visits: pd.DataFrame, infusions: pd.DataFrame) -> pd.DataFrame:
    # an infusion dated before it was planned is another entry's
    first = infusions.groupby("usubjid")[["date", "planned_date"]].min().max(axis=1)
    here = visits[visits["visit_no"] == BASELINE]
    limit = here["usubjid"].map(first)
    rows = here[here["date"] > limit]
    allowed = [f"up to the first infusion, {word(day)} in infusions.csv" for day in limit[rows.index]]
    return faults("visits", rows, "date", allowed)


def _sample_day(labs: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    both = beside(labs, visits, VISIT, "date")
    rows = both[both["date_there"].notna() & (both["date"] != both["date_there"])]
    allowed = [f"the day of the visit, {word(day)} in visits.csv" for day in rows["date_there"]]
    return faults("labs", rows, "date", allowed)


def _sample_attended(labs: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    both = beside(labs, visits, VISIT, "attended")
    rows = both[(both["attended_there"] != "yes") & both["usubjid"].isin(visits["usubjid"])]
    return faults("labs", rows, "visit_no", "a visit that visits.csv has as attended")


def _sampled(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    rows = visits[(visits["attended"] == "yes") & ~_holds(visits, labs)]
    return faults("visits", rows, "attended", "some row of the visit in labs.csv")


def _measured(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    here = visits[(visits["attended"] == "yes") & _holds(visits, labs)]
    parts = []
    for test in ("height", "weight"):
        rows = here[~_holds(here, labs[labs["test"] == test])]
        parts.append(faults("visits", rows, "attended", f"the {test} of the visit in labs.csv"))
    return together(*parts)


def _holds(visits: pd.DataFrame, labs: pd.DataFrame) -> np.ndarray:
    """Whether each row of `visits` has any row in (a part of) `labs`."""
    return pd.MultiIndex.from_frame(visits[VISIT]).isin(pd.MultiIndex.from_frame(labs[VISIT]))


def _same_at_screening(screening: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    first = labs[labs["visit_no"] == SCREENING].drop_duplicates(["usubjid", "test"])
    wide = first.pivot(index="usubjid", columns="test", values="value")
    chosen = screening[screening["usubjid"].isin(wide.index)]
    wide = wide.reindex(index=chosen["usubjid"], columns=list(UNITS)).set_axis(chosen.index)
    grades = {name: float(grade) for grade, name in enumerate(DIPSTICK)}
    parts = []
    for test in UNITS:
        mine = chosen[test].map(grades).astype(float) if test == "dipstick" else chosen[test]
        differ = ~np.isclose(mine, wide[test], rtol=1e-6, atol=0, equal_nan=True)
        allowed = [f"as in labs.csv at visit {SCREENING}, {word(value)}" for value in wide[test][differ]]
        parts.append(faults("screening", chosen[differ], test, allowed, [word(v) for v in mine[differ]]))
    return together(*parts)


def _filtration(labs: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    """eGFR by each equation from the serum of a visit; an equation without all it needs says nothing."""
    serum = labs[labs["test"].isin(("creatinine", "cystatin_c"))]
    both = beside(serum, screening, CHILD, "birth_date", "sex")
    both = beside(both, labs[labs["test"] == "height"].rename(columns={"value": "height"}), VISIT, "height")
    age = ((both["date"] - both["birth_date_there"]).dt.days / DAYS_PER_YEAR).to_numpy(float)
    male, value = (both["sex_there"] == "male").to_numpy(), both["value"].to_numpy(float)
    height, creatinine = both["height_there"].to_numpy(float), (both["test"] == "creatinine").to_numpy()
    by = {
        method: kidney.egfr(method, height=height, creatinine=value, cystatin_c=value, age=age, male=male)
        for method in ("bedside Schwartz", "U25 creatinine", "U25 cystatin C")
    }
    highest = np.where(
        creatinine, np.fmax(by["bedside Schwartz"], by["U25 creatinine"]), by["U25 cystatin C"]
    )
    rows = both[highest > HIGHEST_GFR]
    allowed = [
        f"what gives an eGFR up to {plain(HIGHEST_GFR)} mL/min/1.73m2; this gives {rounded(gfr)}"
        for gfr in highest[highest > HIGHEST_GFR]
    ]
    found = [f"{word(v)} for {test}" for v, test in zip(rows["value"], rows["test"], strict=True)]
    return faults("labs", rows, "value", allowed, found)


def _near_infusion(events: pd.DataFrame, infusions: pd.DataFrame) -> pd.DataFrame:
    days = infusions.dropna(subset="date")[["usubjid", "date"]]
    infused = pd.MultiIndex.from_frame(
        pd.concat([days, days.assign(date=days["date"] + pd.Timedelta(1, "D"))])
    )
    near = pd.MultiIndex.from_frame(events[["usubjid", "start_date"]]).isin(infused)
    rows = events[(events["within_24h"] == "yes") & ~near]
    allowed = [f"no: there was no infusion on {word(day)} or the day before" for day in rows["start_date"]]
    return faults("events", rows, "within_24h", allowed)


def _fatal(events: pd.DataFrame, disposition: pd.DataFrame) -> pd.DataFrame:
    last = disposition.drop_duplicates("usubjid").set_index("usubjid")
    deaths = events[(events["severity"] == "fatal") & events["usubjid"].isin(last.index)]
    contact, status = deaths["usubjid"].map(last["date"]), deaths["usubjid"].map(last["status"])
    stayed, other_day = status != "left", deaths["end_date"] != contact
    days = [
        f"the day of death and last contact, {word(day)} in disposition.csv" for day in contact[other_day]
    ]
    return together(
        faults(
            "events",
            deaths[stayed],
            "severity",
            [f"not fatal: disposition.csv says {word(s)}" for s in status[stayed]],
        ),
        faults("events", deaths[other_day], "end_date", days),
    )


def _late_contact(disposition: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    latest = disposition["usubjid"].map(visits.groupby("usubjid")["planned_date"].max()) + LATEST
    rows = disposition[disposition["date"] > latest]
    allowed = [
        f"within half a year of the last planned visit, up to {word(day)}" for day in latest[rows.index]
    ]
    return faults("disposition", rows, "date", allowed)


def _gone(visits: pd.DataFrame, disposition: pd.DataFrame) -> pd.DataFrame:
    both = beside(visits, disposition, CHILD, "status")
    rows = both[(both["reason"] == "left the trial") & both["status_there"].isin(("completed", "ongoing"))]
    return faults(
        "visits", rows, "reason", [f"missed: disposition.csv says {word(s)}" for s in rows["status_there"]]
    )


FOLLOWED = ("infusions", "visits", "labs", "events", "treatments", "disposition")
CONTACTS = {"infusions": "date", "visits": "date", "events": "start_date", "treatments": "date"}
_EVENT_DAYS = (
    _not_before("events", ("end_date",), "screening", "consent_date", "consent"),
    _not_before("events", ("start_date",), "screening", "birth_date", "birth"),
)


def _event_days(events: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    return together(*(find(events, screening) for find in _EVENT_DAYS))


BETWEEN = (
    *(Check(f"{name}.child", (name, "randomisation"), "Every child is a randomised one", _randomised(name), FATAL) for name in FOLLOWED),
    *(Check(f"{name}.contact", (name, "disposition"), "Nothing happens after the last contact", _not_after_contact(name, column)) for name, column in CONTACTS.items()),
    Check("randomisation.child", ("randomisation", "screening"), "Every randomised child was screened", _screened, FATAL),
    Check("randomisation.consent", ("randomisation", "screening"), "Randomisation comes after consent", _not_before("randomisation", ("randomisation_date",), "screening", "consent_date", "consent")),
    Check("adie.complete", ("adie", "screening"), "Every screened child has all criteria", _all_criteria, FATAL),
    Check("infusions.complete", ("infusions", "randomisation"), "Every randomised child has both planned infusions", _both_infusions, FATAL),
    Check("infusions.randomised", ("infusions", "randomisation"), "Infusions come after randomisation", _not_before("infusions", ("planned_date", "date"), "randomisation", "randomisation_date", "randomisation")),
    Check("infusions.product", ("infusions", "randomisation"), "What was given is what the arm says", _product),
    Check("visits.complete", ("visits", "randomisation"), "Every randomised child has all planned visits", _all_visits),
    Check("visits.target", ("visits", "infusions"), "Target days count from the planned last infusion", _target),
    Check("visits.consent", ("visits", "screening"), "The screening visit is on the day of consent", _consent_visit),
    Check("visits.baseline", ("visits", "infusions"), "The baseline visit is not after the first infusion", _baseline_visit),
    Check("visits.sampled", ("visits", "labs"), "An attended visit has laboratory values", _sampled),
    Check("visits.measured", ("visits", "labs"), "A visit with laboratory values has height and weight", _measured),
    Check("visits.left", ("visits", "disposition"), "Whoever completed the trial or is followed left no visit out as one who left", _gone),
    Check("labs.attended", ("labs", "visits"), "Samples belong to attended visits", _sample_attended),
    Check("labs.day", ("labs", "visits"), "A sample is of the day of its visit", _sample_day),
    Check("labs.filtration", ("labs", "screening"), "Serum values and height give an eGFR that can be", _filtration),
    Check("screening.labs", ("screening", "labs"), "Values of screening are those of the laboratory on that day", _same_at_screening),
    Check("events.days", ("events", "screening"), "An event begins after birth and lasts into the time after consent", _event_days),
    Check("events.end", ("events", "disposition"), "No event is known to end after the last contact", _not_after_contact("events", "end_date")),
    Check("events.fatal", ("events", "disposition"), "A fatal event ends with the last contact of a child who left", _fatal),
    Check("events.infusion", ("events", "infusions"), "An event within 24 h of an infusion has one", _near_infusion),
    Check("treatments.randomised", ("treatments", "randomisation"), "Changes of treatment come after randomisation", _not_before("treatments", ("date",), "randomisation", "randomisation_date", "randomisation")),
    Check("disposition.complete", ("disposition", "randomisation"), "Every randomised child has an end of the trial", _ends, FATAL),
    Check("disposition.randomised", ("disposition", "randomisation"), "The last contact comes after randomisation", _not_before("disposition", ("date",), "randomisation", "randomisation_date", "randomisation")),
    Check("disposition.late", ("disposition", "visits"), "The last contact is at most half a year after the last planned visit", _late_contact),
)  # fmt: skip
