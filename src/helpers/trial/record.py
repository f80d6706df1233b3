"""What the site writes down: the arrays of one trial as the raw tables of the codebook, and the truth.

One trial at a time (the first of the chunk). Nothing is drawn here: everything comes from `conduct` and
`details`. The truth is for the plan's own checks and goes to `truth/`, which no analysis reads.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.study import tables
from helpers.study.codebook import DIPSTICK, EMPTY, LAB_LIMITS, RAS_AGENTS, RESCUE_AGENTS, STRATA, UNITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, BASELINE, SCREENING, VISITS
from helpers.trial import conduct, details, simulate
from helpers.trial.conduct import Enrolled, Followed

WITHOUT_LIMITS = ("dipstick", "height", "weight")
"""Measures whose ends of the scale are read as they are."""


def identifiers(numbers: NDArray) -> NDArray:
    """USUBJID from the position among the screened, counted from 0."""
    return np.array([f"AS-{number + 1:04d}" for number in np.asarray(numbers).ravel()], object)


def screening(columns: dict[str, NDArray]) -> pd.DataFrame:
    """Table `screening` of the children whose columns `conduct.screen` returned."""
    ids = identifiers(np.arange(columns["consent_date"].size))
    return tables.to_frame("screening", {"usubjid": ids, **columns})


def screening_truth(enrolled: Enrolled) -> pd.DataFrame:
    """Latent values of everyone screened for the first trial, a row each."""
    frame = pd.DataFrame(enrolled.everyone)
    frame.insert(0, "usubjid", identifiers(np.arange(len(frame))))
    return frame


def trial(
    p: Parameters, enrolled: Enrolled, screened: pd.DataFrame
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Raw tables of the first trial and the truth of its children.

    screened: table `screening`, whose values stand in `labs` as visit 0. Returns ({name: table}, truth).
    """
    writer = _writer(p, enrolled, screened)
    made = {
        "randomisation": writer.randomisation(),
        "infusions": writer.infusions(),
        "visits": writer.visits(),
        "labs": writer.labs(),
        "events": writer.events(),
        "treatments": writer.treatments(),
        "disposition": writer.disposition(),
    }
    return made, writer.truth()


def missing(p: Parameters, enrolled: Enrolled, screened: pd.DataFrame) -> pd.DataFrame:
    """Truth: every laboratory value that the first trial lacks, with the reason (usubjid, visit_no, test, reason)."""
    return _writer(p, enrolled, screened).missing()


def _writer(p: Parameters, enrolled: Enrolled, screened: pd.DataFrame) -> "_Writer":
    f = conduct.first_trial(p, enrolled)
    return _Writer(f, details.diary(f), screened)


class _Writer:
    """Dates and identifiers shared by the tables of one trial."""

    def __init__(self, f: Followed, diary: details.Diary, screened: pd.DataFrame) -> None:
        p = f.p
        self.p, self.f, self.diary = p, f, diary
        self.n = p.n_randomised
        self.infusion_days = (-p.infusion_gap, 0)
        self.arm, self.left = f.arm[0], f.left[0]
        self.ids = identifiers(f.enrolled.number)
        self.screened = screened.set_index("usubjid").loc[self.ids]
        self.consent = self.screened["consent_date"].to_numpy("datetime64[D]")
        self.zero = self.consent - conduct.consent_day(p, f.delay[0]).astype("timedelta64[D]")
        """The planned day of the last infusion: time zero of every child."""
        self.randomised = self.consent + np.timedelta64(p.days_to_randomisation, "D")
        self.measures = {k: v[0] for k, v in details.serum_and_cells(f).items()}
        self.day, self.seen = diary.day[0], f.attended[0]

    def _date(self, days: NDArray, child: NDArray | None = None) -> NDArray:
        """Calendar days of days from time zero; NaN and inf give no date."""
        zero = self.zero if child is None else self.zero[child]
        finite = np.isfinite(days)
        out = zero + np.where(finite, days, 0).astype("timedelta64[D]")
        return np.where(finite, out, np.datetime64("NaT")).astype("datetime64[ns]")

    def randomisation(self) -> pd.DataFrame:
        frame = pd.DataFrame(
            {
                "usubjid": self.ids,
                "randomisation_date": self.randomised.astype("datetime64[ns]"),
                "sequence": np.arange(1.0, self.n + 1),
                "block": self.f.block[0] + 1.0,
                "stratum": self._stratum(),
                "arm": np.array(ARMS, object)[self.arm],
            }
        )
        return frame

    def _stratum(self) -> NDArray:
        """Stratum of the list by child, empty where it has none."""
        if self.p.strata == "none":
            return np.full(self.n, EMPTY)
        on = self.screened["ras_inhibitor"].to_numpy(object) == "yes"
        return np.where(on, *STRATA).astype(object)

    def infusions(self) -> pd.DataFrame:
        p, f = self.p, self.f
        weight = self.measures["weight"][:, 0]
        rows = []
        for k, day in enumerate(self.infusion_days):
            given = f.given[0, :, k] & (self.left >= day)
            postponed = (f.delay[0] > 0) & (k == 0)
            planned = day - (f.delay[0] if k == 0 else 0)
            cells = np.where(given & (self.arm == 1), np.rint(weight * p.cells_per_kg / 1e5) * 1e5, np.nan)
            cells = np.where(given & (self.arm == 0), 0.0, cells)
            late = "postponed: recent infection"
            refused = "not given: family's wish"
            reason = np.where(
                given, np.where(postponed, late, EMPTY), np.where(postponed, f"{late}; {refused}", refused)
            )
            rows.append(
                pd.DataFrame(
                    {
                        "usubjid": self.ids,
                        "infusion": k + 1.0,
                        "planned_date": self._date(planned * np.ones(self.n)),
                        "date": self._date(np.where(given, day, np.nan)),
                        "given": np.where(given, "yes", "no").astype(object),
                        "product": np.where(given, np.array(ARMS, object)[self.arm], EMPTY),
                        "cells": cells,
                        "reason": reason.astype(object),
                    }
                )
            )
        return pd.concat(rows).sort_values(["usubjid", "infusion"], kind="stable", ignore_index=True)

    def visits(self) -> pd.DataFrame:
        p = self.p
        separate, days = p.baseline_samples != "eligibility", self.f.days[0]
        rows = [
            pd.DataFrame(
                {
                    "usubjid": self.ids,
                    "visit_no": float(SCREENING),
                    "visit": "Screening",
                    "planned_date": self.consent.astype("datetime64[ns]"),
                    "date": self.consent.astype("datetime64[ns]"),
                    "attended": "yes",
                    "reason": None,
                }
            )
        ]
        names = [(BASELINE, "Baseline")] if separate else []
        names += [(v.number, v.name) for v in VISITS]
        for number, name in names:
            k = number - BASELINE
            day = days[:, k]
            seen = self.seen[:, k]
            gone = ~seen & (self.left < day)
            rows.append(
                pd.DataFrame(
                    {
                        "usubjid": self.ids,
                        "visit_no": float(number),
                        "visit": name,
                        "planned_date": self._date(day),
                        "date": self._date(np.where(seen, self.day[:, k], np.nan)),
                        "attended": np.where(seen, "yes", "no").astype(object),
                        "reason": np.where(seen, EMPTY, np.where(gone, "left the trial", "missed")),
                    }
                )
            )
        return pd.concat(rows).sort_values(["usubjid", "visit_no"], kind="stable", ignore_index=True)

    def labs(self) -> pd.DataFrame:
        p = self.p
        values = {"upcr": self._spot_upcr(), **{k: v for k, v in self.measures.items() if k in UNITS}}
        rows = []
        for test, unit in UNITS.items():
            screening = self.screened[test]
            if test == "dipstick":
                grades = {name: float(k) for k, name in enumerate(DIPSTICK)}
                screening = screening.map(grades)
            rows.append(
                (SCREENING, self.consent.astype("datetime64[ns]"), test, screening.to_numpy(float), unit)
            )
            start = 0 if p.baseline_samples != "eligibility" else 1
            for k in range(start, values[test].shape[1]):
                dates = self._date(self.day[:, k])
                rows.append((k + BASELINE, dates, test, values[test][:, k], unit))
        frame = pd.concat(
            [
                pd.DataFrame(
                    {
                        "usubjid": self.ids,
                        "visit_no": float(number),
                        "date": date,
                        "test": test,
                        "value": value,
                        "unit": unit,
                    }
                )
                for number, date, test, value, unit in rows
            ]
        ).dropna(subset="value")
        tests, value = frame["test"], frame["value"]
        limits = {test: LAB_LIMITS[test] for test in UNITS if test not in WITHOUT_LIMITS}
        limits["upcr"] = (simulate.upcr_limit(p), p.upcr_reported_max)
        limits["rbc"] = (0, p.rbc_reported_max)
        low, high = (tests.map({test: pair[k] for test, pair in limits.items()}) for k in (0, 1))
        # a count of no cell and a weighed nothing are values
        below = (value <= low) & (low > 0)
        frame["qualifier"] = np.where(below, "<", np.where(value >= high, ">", EMPTY))
        frame["order"] = frame["test"].map({name: k for k, name in enumerate(UNITS)})
        frame = frame.sort_values(["usubjid", "visit_no", "order"], kind="stable", ignore_index=True)
        return frame.drop(columns="order")

    def _spot_upcr(self) -> NDArray:
        """UPCR as measured at baseline and the visits, before `conduct` chose what counts as baseline."""
        seen = self.f.attended[0] & ~self.f.lost["urine"][0]
        return np.where(seen, self.f.spot[0], np.nan)

    def _last_day(self) -> NDArray:
        """Last contact: the day of leaving, or the last visit's day."""
        last = np.where(self.seen, self.day, -np.inf).max(axis=1)
        return np.where(np.isfinite(self.left), self.left, np.maximum(last, float(VISITS[-1].day)))

    def events(self) -> pd.DataFrame:
        """Adverse events from consent on; one that outlasts the last contact has no known end."""
        p, f, diary, notes = self.p, self.f, self.diary, self.diary.notes
        last, days = self._last_day(), np.array(self.infusion_days, float)
        # an infusion in turn, child by child, as `np.nonzero` counts them
        fevers, reactions = np.nonzero(f.fevers[0]), np.nonzero(diary.reactions[0])
        made = pd.concat(
            [
                _noted("infection", *f.infections, diary.length, notes["infection"], serious=diary.serious),
                _noted("fever", fevers[0], days[fevers[1]], p.fever_days, notes["fever"], (0, *fevers)),
                _noted("other", *diary.other, p.other_event_days, notes["other"]),
                _noted("other", reactions[0], days[reactions[1]], 1, notes["reaction"], (0, *reactions)),
            ]
        )
        begun = conduct.consent_day(p, f.delay[0])
        child, start = made["child"].to_numpy(int), made["start"].to_numpy(float)
        end = start + made["length"].to_numpy(float) - 1
        kept = (end >= begun[child]) & (start <= last[child])
        made = made.assign(end=np.where(end > last[child], np.nan, end))[kept]
        made = made.sort_values(["child", "start", "event"], kind="stable", ignore_index=True)
        child, start = made["child"].to_numpy(int), made["start"].to_numpy(float)
        infused = np.where(f.given[0] & (self.left[:, None] >= days), days, np.inf)[child]
        near = (infused == start[:, None]).any(axis=1)
        later = np.where(start < infused.min(axis=1), 0.0, p.related_later)
        related = made["blame"].to_numpy(float) < np.where(near, p.related_within_24h, later)
        out = pd.DataFrame(
            {
                "usubjid": self.ids[child],
                "event_no": made.groupby("child").cumcount().to_numpy(float) + 1,
                "event": made["event"].to_numpy(object),
                "term": made["term"].to_numpy(object),
                "start_date": self._date(start, child),
                "end_date": self._date(made["end"].to_numpy(float), child),
                "severity": made["severity"].to_numpy(object),
                "serious": np.where(made["serious"].to_numpy(bool), "yes", "no").astype(object),
                "related": np.where(related, "yes", "no").astype(object),
                "within_24h": np.where(near, "yes", "no").astype(object),
            }
        )
        return out.sort_values(["usubjid", "event_no"], kind="stable", ignore_index=True)

    def treatments(self) -> pd.DataFrame:
        f, last = self.f, self._last_day()
        on = self.screened["ras_inhibitor"].to_numpy(object) == "yes"
        rows = []
        agent = np.array(RESCUE_AGENTS, object)[self.diary.rescue_agent[0]]
        ras = np.where(on, "raised", "started").astype(object)
        for name, day, what, drug in (
            ("RAS inhibitor", f.ras_day[0], ras, np.full(self.n, RAS_AGENTS[0], object)),
            ("RAS inhibitor", f.ras_stop_day[0], np.full(self.n, "stopped", object), np.full(self.n, EMPTY)),
            ("rescue", f.rescue_day[0], np.full(self.n, "started", object), agent),
        ):
            child = np.flatnonzero(day <= last)
            rows.append(
                pd.DataFrame(
                    {
                        "usubjid": self.ids[child],
                        "date": self._date(day[child], child),
                        "treatment": name,
                        "change": what[child],
                        "agent": drug[child],
                        "dose_ratio": np.where(what[child] == "raised", self.p.ras_raise_dose, np.nan),
                    }
                )
            )
        return pd.concat(rows).sort_values(
            ["usubjid", "date", "treatment", "change"], kind="stable", ignore_index=True
        )

    def disposition(self) -> pd.DataFrame:
        left = np.isfinite(self.left)
        return pd.DataFrame(
            {
                "usubjid": self.ids,
                "status": np.where(left, "left", "completed").astype(object),
                "reason": np.where(left, np.array(details.LEAVING, object)[self.diary.leaving[0]], EMPTY),
                "date": self._date(self._last_day()),
            }
        )

    def truth(self) -> pd.DataFrame:
        """Latent values of each randomised child: individual effect, noise-free path, why values are missing."""
        f = self.f
        frame = pd.DataFrame({"usubjid": self.ids, "arm": np.array(ARMS, object)[self.arm]})
        for name, values in f.enrolled.child.items():
            frame[name] = values[0]
        frame["upcr_log_effect"] = f.effect[0]
        frame["gfr_slope"] = self.measures["gfr_slope"]
        frame["left_day"] = np.where(np.isfinite(self.left), self.left, np.nan)
        for k, day in enumerate(conduct.grid(self.p)):
            frame[f"log_upcr_day_{day:g}"] = f.level[0, :, k]
        for k, day in enumerate(conduct.grid(self.p)):
            frame[f"gfr_day_{day:g}"] = self.measures["gfr"][:, k]
        for k, day in enumerate(conduct.grid(self.p)):
            frame[f"log_rbc_day_{day:g}"] = self.measures["log_rbc"][:, k]
        return frame

    def missing(self) -> pd.DataFrame:
        """Every value that `labs` lacks: usubjid, visit_no, test, and why."""
        first = 0 if self.p.baseline_samples != "eligibility" else 1
        sample = {test: name for name, tests in conduct.SAMPLES.items() for test in tests}
        nominal = self.f.days[0]
        rows = [
            (child, SCREENING, test, "not measured at screening")
            for test in UNITS
            for child in self.ids[self.screened[test].isna().to_numpy()]
        ]
        for k in range(first, nominal.shape[1]):
            for child in np.flatnonzero(~self.seen[:, k]):
                why = "left the trial" if self.left[child] < nominal[child, k] else "visit missed"
                rows += [(self.ids[child], k + BASELINE, test, why) for test in UNITS]
            for test in UNITS:
                if test in sample:
                    hit = np.flatnonzero(self.seen[:, k] & self.f.lost[sample[test]][0][:, k])
                    why = (
                        "collection not done"
                        if sample[test] == "collection"
                        else f"{sample[test]} sample missing"
                    )
                    rows += [(child, k + BASELINE, test, why) for child in self.ids[hit]]
        frame = pd.DataFrame(rows, columns=["usubjid", "visit_no", "test", "reason"])
        frame["order"] = frame["test"].map({name: k for k, name in enumerate(UNITS)})
        frame = frame.sort_values(["usubjid", "visit_no", "order"], kind="stable", ignore_index=True)
        return frame.drop(columns="order")


def _noted(
    event: str,
    child: NDArray,
    start: NDArray,
    length: NDArray | int,
    notes: details.Notes,
    at: tuple | slice = slice(None),
    serious: NDArray | bool = False,
) -> pd.DataFrame:
    """Events of a kind, a row each: child (index), event, start (day), length (days), serious, term, severity, blame.

    at: where the notes of these events lie in those of the kind. A serious event is severe.
    """
    return pd.DataFrame(
        {
            "child": child,
            "event": event,
            "start": start,
            "length": np.broadcast_to(length, child.shape).astype(float),
            "serious": np.broadcast_to(serious, child.shape),
            "term": notes.term[at],
            "severity": np.where(serious, "severe", notes.severity[at]),
            "blame": notes.blame[at],
        }
    )
