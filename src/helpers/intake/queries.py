"""Entries that intake adds to the register of checks: what real data have, asked of the site; nothing is refused.

They are of the register's own class (`study.checks.Check`); those that depend on the plan's readings, on the day of the
export or on the arm are made by `entries`. `course` has those that hold a value against the child's own course.
"""

# ruff: noqa: E501  (a register: one row a line, whatever its length)

import unicodedata
from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pandas as pd

from helpers.intake import course, units, values
from helpers.study import checks, eligibility, tables
from helpers.study.checks import Check
from helpers.study.checks.findings import FATAL, beside, faults, together, word
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, BASELINE, SCREENING, VISITS
from helpers.study.wording import counted

RAW = (
    "screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition",
)  # fmt: skip

ARM_NEEDED = ("infusions.product", "infusions.cells", "randomisation.block")
"""Entries that wait until the trial is unblinded."""

NOT_SENT = ("infusions.given",)
"""Entries that ask, among other things, for what may be closed or absent as a whole; intake's own ask for the rest."""

FAR_DOSE = 3.0
"""Times the plan's dose per kg, up or down, from which a dose is asked about: rounding and growth stay far below it."""

LATE_INFUSION = 28
"""Days from its planned one on which an infusion still needs no question."""

URINE = ("upcr", "protein_24h", "dipstick", "rbc", "rbc_dysmorphic")
"""Tests of urine: a visit with any of them has urine."""

Find = Callable[..., pd.DataFrame]


def entries(p: Parameters, export: date | None, blinded: bool) -> list[Check]:
    """All that is asked of clean raw tables: the register's entries and intake's own."""
    own = [
        *(_future(name, export) for name in RAW if export and _days(name)),
        Check("visits.early", ("visits", "screening"), "No visit comes before birth or consent", _early("visits", "date")),
        Check("labs.early", ("labs", "screening"), "No sample comes before birth or consent", _early("labs", "date")),
        Check("visits.window", ("visits",), "A visit lies within its window", _window(p)),
        Check("visits.swapped", ("visits", "labs"), "Day and month of a visit are not exchanged", _swapped_visit(p)),
        Check("visits.sampled-on", ("visits", "labs"), "A visit lies on the day of its samples", _sampled_on),
        Check("labs.swapped", ("labs", "visits"), "Day and month of a sample are not exchanged", _swapped_sample),
        Check("screening.swapped", ("screening",), "Day and month of screening's dates are not exchanged", _swapped_screening),
        Check("infusions.swapped", ("infusions",), "Day and month of an infusion are not exchanged", _swapped_infusion),
        Check("events.swapped", ("events", "screening", "disposition"), "Day and month of an event are not exchanged", _swapped_event),
        Check("randomisation.swapped", ("randomisation", "screening"), "Day and month of randomisation are not exchanged", _swapped_randomisation),
        Check("visits.urine", ("visits", "labs"), "An attended visit with laboratory values has urine", _urine),
        Check("infusions.late", ("infusions",), "An infusion is given near its planned day", _late),
        Check("screening.repeat", ("screening",), "A child is screened under one number", _repeat),
        Check("screening.formula", ("screening",), "An identifier is no formula and has no unseen signs", _formula),
        Check("screening.zygosity", ("screening",), "Only boys are hemizygous, for the gene on the X chromosome", _zygosity),
        Check("randomisation.criteria", ("randomisation", "screening"), "Who was randomised meets every criterion", _criteria(p, -1)),
        Check("randomisation.unknown", ("randomisation", "screening"), "Of who was randomised every criterion is known", _criteria(p, 0)),
        Check("disposition.completed", ("disposition", "visits"), "Who completed the trial was in contact up to its last visit", _completed(p)),
        Check("treatments.repeat", ("treatments", "screening"), "RAS inhibition is started by who had none, and changed by who had it", _ras),
        *course.ENTRIES,
    ]  # fmt: skip
    if blinded:
        own.append(
            Check("infusions.given", ("infusions",), "An infusion has its day exactly where it was given", _given_blinded)
        )  # fmt: skip
        waiting = {*ARM_NEEDED, *NOT_SENT}
    else:
        own += [
            Check("infusions.given", ("infusions",), "An infusion has its day, product and cells exactly where it was given", _given_sent),
            Check("infusions.as-treated", ("infusions",), "What a child was treated with is known", _as_treated),
            Check("infusions.size", ("infusions", "screening"), "A dose is near the plan's dose per kg", _size(p)),
        ]  # fmt: skip
        own.append(
            Check(
                "randomisation.block",
                ("randomisation",),
                "Each block holds the arms in the plan's ratio",
                _block(p),
            )
        )
        waiting = set(NOT_SENT)
    register = [c for c in checks.REGISTER if set(c.tables) <= set(RAW) and c.code not in waiting]
    return [*register, *own]


SWAPPED = ".swapped"
"""How the codes end of entries that see day and month exchanged."""

SAMPLES = 3
"""Samples of a visit that agree on another day from which it is the visit's day that is asked for, and not theirs."""


ONE_UNIT = "labs.one-unit"
"""The entry that sees a test of the laboratory in another unit than screening has it in."""


def likely(code: pd.Series) -> pd.Series:
    """Which codes are of entries that name a likely other day."""
    return code.str.endswith(SWAPPED) | (code == "visits.sampled-on")


def _samples_agree(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.Series:
    """By row of `visits`: the one day on which all samples of a visit were taken, at least `SAMPLES`, if another."""
    taken = labs.groupby(["usubjid", "visit_no"])["date"].agg(["min", "max", "count"])
    taken = taken[(taken["min"] == taken["max"]) & (taken["count"] >= SAMPLES)]["min"]
    day = taken.reindex(pd.MultiIndex.from_frame(visits[["usubjid", "visit_no"]])).set_axis(visits.index)
    return day.where(visits["date"].notna() & day.notna() & (day != visits["date"]))


def _sampled_on(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    """Visits on another day than all of their samples, which would lie nearer to the plan on the samples' day."""
    day, plan = _samples_agree(visits, labs), visits["planned_date"]
    rows = visits[day.notna() & ((day - plan).abs() < (visits["date"] - plan).abs())]
    told = [f"perhaps {word(d)}, the day of all its samples" for d in day[rows.index]]
    return faults("visits", rows, "date", told)


def explained(found: pd.DataFrame, tables_: dict[str, pd.DataFrame], entries_: Sequence[Check]) -> pd.Series:
    """Which findings a likely other day or unit would answer, where one is seen: they are its consequences.

    found: of `checks.findings(tables_, entries_)`. Days that look exchanged are exchanged in a copy, visits that all
    their samples contradict are moved to the samples' day, tests that the laboratory holds in another unit than
    screening are converted, and all is asked again: what is not found then is explained. A fatal finding never is. One
    day is asked for by one finding, an exchange before the samples'. A birth after the consent is asked for in
    `screening` alone.
    """
    seen = found[likely(found["code"])]
    seen = seen.assign(later=~seen["code"].str.endswith(SWAPPED)).sort_values("later", kind="stable")
    looks = found.index.isin(seen.drop_duplicates(["table", "column", "row"]).index)
    units_ = (found["code"] == ONE_UNIT).to_numpy()
    scale = course.scales(tables_["screening"], tables_["labs"]) if units_.any() else {}
    looks |= units_
    screened = tables_["screening"]
    unborn = screened["birth_date"] > screened["consent_date"]
    births = found["usubjid"].isin(screened.loc[unborn, "usubjid"]) & (found["table"] == "screening")
    if not looks.any() and not births.any():
        return pd.Series(False, index=found.index)
    mended = dict(tables_) | {"screening": screened.assign(birth_date=screened["birth_date"].mask(unborn))}
    for test, (factor, *_) in scale.items():
        labs = mended["labs"]
        mended["labs"] = labs.assign(value=labs["value"].where(labs["test"] != test, labs["value"] / factor))
    for (code, table, column), rows in found[looks & ~units_].groupby(
        ["code", "table", "column"], sort=False
    ):
        frame, at = mended[str(table)].copy().reset_index(drop=True), rows["row"].to_numpy(int) - 2
        place = frame.columns.get_loc(column)
        if code == "visits.sampled-on":
            other = _samples_agree(frame, tables_["labs"]).iloc[at]
        else:
            other = values.swapped(frame.iloc[at, place])
        frame.iloc[at, place] = other.to_numpy()
        mended[str(table)] = frame
    key = ["code", "usubjid", "table", "row", "column"]
    again = checks.findings(mended, entries_)
    left = set(map(str, again[key].itertuples(index=False, name=None)))
    gone = np.array([str(one) not in left for one in found[key].itertuples(index=False, name=None)])
    fatal = found["code"].isin([entry.code for entry in entries_ if entry.own == FATAL]).to_numpy()
    return pd.Series(gone & ~looks & ~births.to_numpy() & ~fatal, index=found.index)


def waiting() -> str:
    """Which queries wait until the trial is unblinded, in words."""
    return f"Queries that need the arm wait until the trial is unblinded: {', '.join(ARM_NEEDED)}."


def _days(name: str) -> list[str]:
    return [c.name for c in TABLES[name].columns if c.kind == "date" and c.name != "planned_date"]


def _future(name: str, export: date | None) -> Check:
    def find(frame: pd.DataFrame) -> pd.DataFrame:
        day = pd.Timestamp(export)
        parts = [
            faults(name, frame[frame[column] > day], column, f"up to the day of the export, {word(day)}")
            for column in _days(name)
        ]
        return together(*parts)

    return Check(f"{name}.future", (name,), "Nothing has happened after the day of the export", find)


def _early(name: str, column: str) -> Find:
    def find(frame: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
        both = beside(frame, screening, ["usubjid"], "consent_date", "birth_date")
        unborn = both[both[column] < both["birth_date_there"]]
        early = both[(both[column] < both["consent_date_there"]) & ~(both[column] < both["birth_date_there"])]
        return together(
            faults(
                name, unborn, column, [f"from the birth on, {word(d)}" for d in unborn["birth_date_there"]]
            ),
            faults(
                name, early, column, [f"from the consent on, {word(d)}" for d in early["consent_date_there"]]
            ),
        )

    return find


def _window(p: Parameters) -> Find:
    width = {float(v.number): p.visit_window(v.day) for v in VISITS}

    def find(visits: pd.DataFrame) -> pd.DataFrame:
        half = visits["visit_no"].map(width)
        off = (visits["date"] - visits["planned_date"]).dt.days
        rows = visits[off.abs() > half]
        allowed = [
            f"within {counted(int(w), 'day', 'days')} of the target day, {word(d)}; it is {counted(int(abs(o)), 'day', 'days')} "
            f"{'late' if o > 0 else 'early'}"
            for w, d, o in zip(half[rows.index], rows["planned_date"], off[rows.index], strict=True)
        ]
        return faults("visits", rows, "date", allowed)

    return find


def _urine(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
    """Attended visits with other values and no urine, a line each; where nobody has any urine, one line of all.

    A baseline visit needs urine where anybody has it there: it is then that of a second sample.
    """
    key = ["usubjid", "visit_no"]
    urine = labs[labs["test"].isin(URINE)]
    sampled, held = (pd.MultiIndex.from_frame(frame[key]) for frame in (labs, urine))
    at, asked = pd.MultiIndex.from_frame(visits[key]), visits["visit_no"] >= SCREENING
    if not (urine["visit_no"] == BASELINE).any():
        asked &= visits["visit_no"] != BASELINE
    rows = visits[asked & (visits["attended"] == "yes") & at.isin(sampled) & ~at.isin(held)]
    if len(rows) and urine.empty:
        what = [f"no urine of any of {counted(len(rows), 'attended visit', 'attended visits')}"]
        expected = f"the urine of each visit in labs.csv: {', '.join(URINE)}"
        return faults("visits", rows.head(1), "attended", expected, what).assign(row=None, usubjid=None)
    return faults("visits", rows, "attended", f"urine of the visit in labs.csv: any of {', '.join(URINE)}")


def _exchanged(name: str, frame: pd.DataFrame, column: str, low: pd.Series, high: pd.Series) -> pd.DataFrame:
    """Findings where a day lies outside (low, high), and lies within with day and month exchanged."""
    day = frame[column]
    other = values.swapped(day)
    out = (day < low) | (day > high)
    fits = other.notna() & ~(other < low) & ~(other > high)
    rows = frame[out & fits]
    return faults(
        name, rows, column, [f"perhaps {word(d)}, day and month exchanged" for d in other[rows.index]]
    )


def _swapped_visit(p: Parameters) -> Find:
    width = {float(v.number): p.visit_window(v.day) for v in VISITS}

    def find(visits: pd.DataFrame, labs: pd.DataFrame) -> pd.DataFrame:
        """Out of its window and within it when exchanged; well out of it, or its samples lie on the exchanged day."""
        half = pd.to_timedelta(visits["visit_no"].map(width).fillna(7), unit="D")
        plan = visits["planned_date"]
        sampled = pd.MultiIndex.from_frame(labs[["usubjid", "visit_no", "date"]])
        there = visits[["usubjid", "visit_no"]].assign(date=values.swapped(visits["date"]))
        samples_say = pd.MultiIndex.from_frame(there).isin(sampled)
        known = visits[plan.notna() & (samples_say | ((visits["date"] - plan).abs() > 2 * half))]
        return _exchanged("visits", known, "date", (plan - half)[known.index], (plan + half)[known.index])

    return find


def _swapped_sample(labs: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Samples of another day than their visit, whose exchanged day is the visit's; not where the visit's own is odd."""
    both = beside(labs, visits, ["usubjid", "visit_no"], "date", "planned_date")
    plan = both["planned_date_there"]
    nearer = (both["date"] - plan).abs() <= (both["date_there"] - plan).abs()
    known = both[both["date_there"].notna() & ~nearer]
    return _exchanged("labs", known, "date", known["date_there"], known["date_there"])


def _swapped_screening(screening: pd.DataFrame) -> pd.DataFrame:
    none = pd.Series(pd.NaT, index=screening.index)
    parts = []
    for column in _days("screening"):
        if column == "consent_date":
            continue
        low = none if column == "birth_date" else screening["birth_date"]
        parts.append(_exchanged("screening", screening, column, low, screening["consent_date"]))
    return together(*parts)


def _swapped_infusion(infusions: pd.DataFrame) -> pd.DataFrame:
    plan, near = infusions["planned_date"], pd.Timedelta(LATE_INFUSION, "D")
    return _exchanged("infusions", infusions, "date", plan - near, plan + near)


def _swapped_event(events: pd.DataFrame, screening: pd.DataFrame, disposition: pd.DataFrame) -> pd.DataFrame:
    both = beside(events, screening, ["usubjid"], "consent_date", "birth_date")
    both = beside(both, disposition.rename(columns={"date": "contact"}), ["usubjid"], "contact")
    parts = [
        _exchanged("events", both, "start_date", both["birth_date_there"], both["contact_there"]),
        _exchanged(
            "events",
            both,
            "end_date",
            both[["start_date", "consent_date_there"]].max(axis=1),
            both["contact_there"],
        ),
    ]
    return together(*parts)


def _swapped_randomisation(randomisation: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    both = beside(randomisation, screening, ["usubjid"], "consent_date")
    low = both["consent_date_there"]
    return _exchanged("randomisation", both, "randomisation_date", low, low + pd.Timedelta(120, "D"))


def _late(infusions: pd.DataFrame) -> pd.DataFrame:
    off = (infusions["date"] - infusions["planned_date"]).dt.days
    rows = infusions[off.abs() > LATE_INFUSION]
    allowed = [f"within {LATE_INFUSION} days of the planned day, {word(d)}" for d in rows["planned_date"]]
    return faults("infusions", rows, "date", allowed)


def _repeat(screening: pd.DataFrame) -> pd.DataFrame:
    same = ["birth_date", "sex", "genotype"]
    known = screening.dropna(subset=same).sort_values(["consent_date", "usubjid"], kind="stable")
    first = known.groupby(same)["usubjid"].transform("first")
    rows = known[first != known["usubjid"]]
    allowed = [
        f"one number a child; birth, sex and form of disease are those of {word(child)}"
        for child in first[rows.index]
    ]
    return faults("screening", rows, "usubjid", allowed)


def _zygosity(screening: pd.DataFrame) -> pd.DataFrame:
    hemizygous = screening["zygosity"] == "hemizygous"
    rows = screening[hemizygous & ((screening["sex"] != "male") | (screening["genotype"] != "X-linked"))]
    return faults("screening", rows, "zygosity", "hemizygous in a boy with X-linked disease only")


def _formula(screening: pd.DataFrame) -> pd.DataFrame:
    """Identifiers that a spreadsheet would calculate, or with signs that nobody sees (Unicode's classes C)."""
    odd = [
        str(text).startswith(("=", "+", "-", "@"))
        or any(unicodedata.category(c)[0] == "C" for c in str(text))
        for text in screening["usubjid"]
    ]
    allowed = "an identifier that does not begin with =, +, - or @, without control characters"
    return faults("screening", screening[np.array(odd, bool)], "usubjid", allowed)


def _criteria(p: Parameters, answer: int) -> Find:
    told = {-1: "every criterion met", 0: "every criterion known"}
    state = {-1: "fails", 0: "does not know"}

    def find(randomisation: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
        chosen = screening[screening["usubjid"].isin(randomisation["usubjid"])]
        if not len(chosen):
            return faults("screening", chosen, "usubjid", "")
        found = eligibility.evaluate(tables.to_arrays("screening", chosen), p)
        names = np.array(eligibility.IDS, object)
        hit = {
            child: ", ".join(names[column == answer])
            for child, column in zip(chosen["usubjid"], found.T, strict=True)
            if (column == answer).any()
        }
        # at its row of screening, where the facts stand: the list of arms may be closed
        rows = chosen[chosen["usubjid"].isin(list(hit))]
        what = [f"a randomised child who {state[answer]} {hit[child]}" for child in rows["usubjid"]]
        return faults("screening", rows, "usubjid", told[answer], what)

    return find


def _completed(p: Parameters) -> Find:
    end = VISITS[-1]

    def find(disposition: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
        last = (
            visits[visits["visit_no"] == end.number]
            .drop_duplicates("usubjid")
            .set_index("usubjid")["planned_date"]
        )
        from_ = disposition["usubjid"].map(last) - pd.Timedelta(p.visit_window(end.day), "D")
        rows = disposition[(disposition["status"] == "completed") & (disposition["date"] < from_)]
        allowed = [f"a contact from {word(d)} on, the window of {end.name}" for d in from_[rows.index]]
        return faults("disposition", rows, "date", allowed)

    return find


def _ras(treatments: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
    both = beside(treatments, screening, ["usubjid"], "ras_inhibitor")
    ras = both[both["treatment"] == "RAS inhibitor"].sort_values("date", kind="stable")
    begun = ras["change"].eq("started").groupby(ras["usubjid"]).cumsum() > 0
    rows = ras[
        ras["change"].isin(("raised", "lowered", "stopped")) & (ras["ras_inhibitor_there"] == "no") & ~begun
    ]
    return faults("treatments", rows, "change", "started: screening.csv says without RAS inhibition")


def unknown_product(infusions: pd.DataFrame) -> int:
    """Number of children who were treated, and of whom no product is known."""
    treated = infusions[infusions["given"] == "yes"]
    return treated["usubjid"].nunique() - treated.dropna(subset="product")["usubjid"].nunique()


def _given_sent(infusions: pd.DataFrame) -> pd.DataFrame:
    """As the codebook asks, but of a column that holds nothing at all no row is asked."""
    yes = infusions["given"] == "yes"
    parts = [_given_blinded(infusions)]
    for column in ("product", "cells"):
        some = infusions[column]
        if some.notna().any():
            parts.append(
                faults("infusions", infusions[yes & some.isna()], column, "no empty cell, since given is yes")
            )
            parts.append(
                faults("infusions", infusions[~yes & some.notna()], column, "empty, since given is not yes")
            )
    return together(*parts)


def _as_treated(infusions: pd.DataFrame) -> pd.DataFrame:
    """One finding where no product was sent of anybody."""
    given = infusions[infusions["given"] == "yes"]
    rows = given.head(0 if given["product"].notna().any() else 1)
    what = [
        f"no product of any of {counted(len(given), 'infusion', 'infusions')}: as-treated is unknown"
    ] * len(rows)
    found = faults(
        "infusions", rows, "product", "the product of each infusion: map the column `product`", what
    )
    return found.assign(row=None, usubjid=None)


def _size(p: Parameters) -> Find:
    slips = {factor: name for name, factor in units.FACTORS["cells"].items() if factor > 1}

    def find(infusions: pd.DataFrame, screening: pd.DataFrame) -> pd.DataFrame:
        both = beside(infusions, screening, ["usubjid"], "weight")
        planned = both["weight_there"] * p.cells_per_kg
        times = (both["cells"] / planned).where(both["cells"] > 0)
        far = (times > FAR_DOSE) | (times < 1 / FAR_DOSE)
        rows = both[far]
        allowed = []
        for plan, ratio in zip(planned[far], times[far], strict=True):
            unit = next((n for f, n in slips.items() if 1 / FAR_DOSE <= ratio * f <= FAR_DOSE), "")
            dose = f"near {word(float(f'{plan:.2g}'))} cells, the plan's {word(p.cells_per_kg)} per kg"
            allowed.append(dose + (f"; perhaps its unit is {unit}" if unit else ""))
        return faults("infusions", rows, "cells", allowed)

    return find


def _given_blinded(infusions: pd.DataFrame) -> pd.DataFrame:
    yes = infusions["given"] == "yes"
    return together(
        faults(
            "infusions",
            infusions[yes & infusions["date"].isna()],
            "date",
            "no empty cell, since given is yes",
        ),
        faults(
            "infusions", infusions[~yes & infusions["date"].notna()], "date", "empty, since given is not yes"
        ),
    )


def _block(p: Parameters) -> Find:
    """Whether each block can be one of the list's: its size, its balance, its place; the last one may be open."""

    def find(randomisation: pd.DataFrame) -> pd.DataFrame:
        frame = randomisation.assign(list_=randomisation["stratum"].fillna(""))
        parts = []
        for _, rows in frame.sort_values("sequence", kind="stable").groupby("list_", sort=True):
            blocks = [(number, some) for number, some in rows.groupby("block", sort=False)]
            for k, (_, some) in enumerate(blocks):
                counts = [int((some["arm"] == arm).sum()) for arm in ARMS]
                size, open_ = len(some), k == len(blocks) - 1
                share = max(p.blocks) // sum(p.ratio)
                whole = any(counts == [r * (b // sum(p.ratio)) for r in p.ratio] for b in p.blocks)
                could = size <= max(p.blocks) and all(
                    c <= r * share for c, r in zip(counts, p.ratio, strict=True)
                )
                if whole or (open_ and could):
                    continue
                sizes = " or ".join(str(b) for b in p.blocks)
                parts.append(
                    faults(
                        "randomisation", some.tail(1), "block",
                        f"a block of {sizes} at {p.ratio[0]}:{p.ratio[1]} (placebo, hUC-MSC)",
                        [f"a block of {size} with {counts[0]} on placebo and {counts[1]} on hUC-MSC"],
                    )
                )  # fmt: skip
            place = rows["block"].to_numpy(float)
            back = rows[np.concatenate([[False], np.diff(place) < 0])]
            parts.append(faults("randomisation", back, "block", "blocks in the order of randomisation"))
        return together(*parts)

    return find
