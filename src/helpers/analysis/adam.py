"""Raw tables -> ADSL, ADLB, ADTTE, ADAE (CDISC ADaM), through the derivations on arrays.

Works on any raw tables that fit the codebook, simulated or real. Analysis time is the target time of the
visit in months from the planned last infusion (day / 30.4375); ADY counts actual days from that day, which
is day 0. CNSR is 0 for an event, as in ADaM; `events` turns it into 1 = event in one place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import derive
from helpers.study import baseline, checks, eligibility, kidney, tables
from helpers.study.codebook import EMPTY, TERMINAL
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, BASELINE, SCREENING, TRIAL, VISITS, months
from helpers.study.scenario import Study

DAYS = np.array([v.day for v in VISITS])

ByParameter = dict[str, NDArray]
"""Arrays by PARAMCD."""

PARAMS = {
    "PROTCRT": ("Urine protein/creatinine ratio (mg/mg)", "upcr"),
    "PROT24H": ("24-hour urine protein (mg/m2/h)", "protein_24h"),
    "DIPPROT": ("Dipstick protein (grade 0 to 5)", "dipstick"),
    "RBCURINE": ("Urine red cells (/uL)", "rbc"),
    "RBCDYS": ("Dysmorphic urine red cells (/uL)", "rbc_dysmorphic"),
    "GFRBSCRT": ("eGFR, bedside Schwartz, from creatinine (mL/min/1.73m2)", "bedside Schwartz"),
    "GFRU25CR": ("eGFR, CKiD U25, from creatinine (mL/min/1.73m2)", "U25 creatinine"),
    "GFRBSCYC": ("eGFR, CKiD U25, from cystatin C (mL/min/1.73m2)", "U25 cystatin C"),
    "GFRU25AV": ("eGFR, CKiD U25, mean of both (mL/min/1.73m2)", "U25 mean"),
    "CREAT": ("Serum creatinine (umol/L)", "creatinine"),
    "CYSTATC": ("Serum cystatin C (mg/L)", "cystatin_c"),
    "BUN": ("Serum urea nitrogen (mmol/L)", "bun"),
}
"""PARAMCD: (PARAM, raw test or eGFR method)."""

RATIO_SCALE = ("PROTCRT", "PROT24H", "RBCURINE", "RBCDYS")
"""Measures whose baseline of two samples is the geometric mean."""

URINE = ("PROTCRT", "PROT24H", "DIPPROT", "RBCURINE", "RBCDYS")
"""Measures that a fever or an infection moves: such a sample makes a baseline only where there is no other."""
ILLNESSES = ("infection", "fever")
"""AEDECOD of what may raise UPCR for a while."""

ENDPOINTS = {
    "UPCR": ("remission of proteinuria by UPCR", "PROTCRT"),
    "P24": ("remission of proteinuria by 24-hour protein", "PROT24H"),
    "DIP": ("remission of proteinuria by dipstick", "DIPPROT"),
    "HEM": ("remission of haematuria", "RBCURINE"),
    "GFR": ("improvement of renal function", "GFRBSCRT"),
}
"""Endpoint: (in words, PARAMCD it is judged on by default)."""

END_OF_STUDY = {"completed": "COMPLETED", "left": "DISCONTINUED", "ongoing": "ONGOING"}
"""Status of a child in `disposition`: EOSSTT."""

LIMIT_FLAG = np.array([None, "H", "Y"], object)
"""LOQFL by -1 below quantification, 0 quantified, 1 above it."""

KINDS = {"F": "first", "C": "confirmed", "S": "sustained", "A": "confirmed by actual days"}
"""Last letter of a PARAMCD: how a remission counts."""


def gfr_paramcd(p: Parameters) -> str:
    """PARAMCD of the eGFR that the plan's `gfr_method` names."""
    return next(code for code, (_, source) in PARAMS.items() if source == p.gfr_method)


def endpoint_paramcd(name: str, p: Parameters) -> str:
    """PARAMCD that an endpoint is judged on under the plan's readings."""
    if name == "GFR":
        return gfr_paramcd(p)
    if name == "HEM" and p.haematuria_cells == "dysmorphic":
        return "RBCDYS"
    return ENDPOINTS[name][1]


_LATE = "censored at the last visit at which it could still be {}"
_NEVER = "censored at time zero: no visit at which it could be {}"
CENSORED = {
    "F": ("censored at the last assessment", "censored at time zero: no assessment"),
    "C": (_LATE.format("confirmed"), _NEVER.format("confirmed")),
    "S": (_LATE.format("sustained"), _NEVER.format("sustained")),
    "A": (_LATE.format("confirmed"), _NEVER.format("confirmed")),
}
"""EVNTDESC of who is censored after time zero, and at it, by kind."""


@dataclass(frozen=True)
class Raw:
    """The raw tables of one trial, as the codebook describes them.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> raw = adam.Raw(**tables)
    """

    screening: pd.DataFrame
    randomisation: pd.DataFrame
    infusions: pd.DataFrame
    visits: pd.DataFrame
    labs: pd.DataFrame
    events: pd.DataFrame
    treatments: pd.DataFrame
    disposition: pd.DataFrame


def read(folder: Path, own: bool = False) -> Raw:
    """The raw tables of any folder. own: of a real trial, of which the checks refuse less.

    Raises one Problem that tells, a line each, every fault of every table, alone and against the others.
    """
    return Raw(**tables.read_all(folder, [field.name for field in fields(Raw)], own))


def raw_tables(study: Study) -> Raw:
    """The raw tables of a study's folder; raises Problem where one is absent, wrong, or made otherwise."""
    return Raw(**{field.name: study.read(field.name) for field in fields(Raw)})


def analysis_tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ADSL, ADLB, ADTTE and ADAE of a study's raw tables, written to its folder.

    Raises Problem where raw tables are absent, or where any tables contradict each other.

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> adsl, adlb, adtte, adae = adam.analysis_tables(study)
    """
    raw = raw_tables(study)
    made = Adam(raw, study.parameters)
    adsl, adlb = study.write("adsl", made.adsl()), study.write("adlb", made.adlb())
    adtte, adae = study.write("adtte", made.adtte()), study.write("adae", made.adae())
    adie = study.read("adie")
    every = {**vars(raw), "adie": adie, "adsl": adsl, "adlb": adlb, "adtte": adtte, "adae": adae}
    checks.refuse(checks.findings(every, checks.between(every, done=vars(raw))))
    return adsl, adlb, adtte, adae


class Adam:
    """The four analysis tables of one trial. Raises Problem where the raw tables contradict each other.

    own: tables of a real trial, of which `checks` refuses less; findings: all that it found.
    """

    def __init__(self, raw: Raw, p: Parameters, own: bool = False) -> None:
        self.raw, self.p = raw, p
        self.findings = checks.findings(vars(raw), checks.between(vars(raw)))
        checks.refuse(self.findings, own)
        self.ids = raw.randomisation.sort_values("sequence")["usubjid"].to_numpy(object)
        self.screened = raw.screening.set_index("usubjid").loc[self.ids]
        self.arm = raw.randomisation.set_index("usubjid").loc[self.ids, "arm"].to_numpy(object)
        planned = raw.infusions.set_index(["infusion", "usubjid"])["planned_date"]
        given = raw.infusions.set_index(["infusion", "usubjid"])["date"]
        self.given = np.stack(
            [given.loc[k].reindex(self.ids).to_numpy("datetime64[D]") for k in (1, 2)], axis=1
        )
        self.zero = planned.loc[2].reindex(self.ids).to_numpy("datetime64[D]")
        self.values, self.dates, self.base, self.base_date, self.base_type, self.beyond = self._pivot()
        self._changes()
        self.endpoints = {name: self._endpoint(name) for name in ENDPOINTS}

    def _changes(self) -> None:
        """Days from time zero to the first rescue, start or rise, stop or reduction of RAS inhibition, end of hope.

        A rise counts where the dose per kg grew by more than the plan's ratio, or is not recorded: one that follows
        growth does not. inf = none.
        """
        rows = self.raw.treatments
        ras, change = rows["treatment"] == "RAS inhibitor", rows["change"]
        too_little = (change == "raised") & (rows["dose_ratio"] <= self.p.ras_raise_from * (1 + 1e-9))
        self.rescue = self._first(rows[rows["treatment"] == "rescue"])
        self.ras_change = self._first(rows[ras & change.isin(("started", "raised")) & ~too_little])
        self.ras_stop = self._first(rows[ras & change.isin(("stopped", "lowered"))])
        end = self.raw.disposition
        self.none_after = np.fmin(self.rescue, self._first(end[end["reason"].isin(TERMINAL)]))

    def _first(self, rows: pd.DataFrame) -> NDArray:
        """Days from time zero to each child's first date in these rows; inf = none."""
        date = rows.groupby("usubjid")["date"].min().reindex(self.ids).to_numpy("datetime64[D]")
        days = (date - self.zero) / np.timedelta64(1, "D")
        return np.where(np.isnan(days), np.inf, days)

    def _pivot(self) -> tuple[ByParameter, ...]:
        """Values, dates (children, 11), baselines, their dates and how each came about, by PARAMCD.

        Last, (children, baseline and 11 visits): -1 where a value stands for one below quantification, 1 above.
        """
        labs = self.raw.labs.assign(
            date=self.raw.labs["date"].astype("datetime64[ns]"),
            beyond=self.raw.labs["qualifier"].map({"<": -1.0, ">": 1.0}),
        )
        numbers = [SCREENING, BASELINE, *(v.number for v in VISITS)]
        wide: dict[str, pd.DataFrame] = {}
        days: dict[str, pd.DataFrame] = {}
        signs: dict[str, pd.DataFrame] = {}
        for test, rows in labs.groupby("test"):
            for store, column in ((wide, "value"), (days, "date"), (signs, "beyond")):
                store[test] = rows.pivot(index="usubjid", columns="visit_no", values=column).reindex(
                    index=self.ids, columns=numbers
                )
        empty = np.full((len(self.ids), len(numbers)), np.nan)
        no_date = np.full(empty.shape, np.datetime64("NaT"), "datetime64[D]")

        def value(test: str) -> NDArray:
            return wide[test].to_numpy(float) if test in wide else empty

        def day(test: str) -> NDArray:
            return days[test].to_numpy("datetime64[D]") if test in days else no_date

        def sign(source: str) -> NDArray:
            """-1, 0, 1 of a test or eGFR method; eGFR falls as creatinine and cystatin C rise."""
            if source == "U25 mean":
                # one mean of a value below and one above its limit is marked as neither
                return np.sign(sign("U25 creatinine") + sign("U25 cystatin C"))
            if source == "U25 cystatin C":
                return -sign("cystatin_c")
            if source in kidney.METHODS:
                return np.sign(sign("height") - sign("creatinine"))
            return np.nan_to_num(signs[source].to_numpy(float)) if source in signs else np.zeros(empty.shape)

        birth = self.screened["birth_date"].to_numpy("datetime64[D]")[:, None]
        blood = day("creatinine")
        blood = np.where(np.isnat(blood), day("cystatin_c"), blood)
        age = eligibility.age_years(birth, blood)
        male = (self.screened["sex"] == "male").to_numpy()[:, None]
        latest = self._latest_baseline()
        values: ByParameter = {}
        dates: ByParameter = {}
        base: ByParameter = {}
        base_date: ByParameter = {}
        base_type: ByParameter = {}
        beyond: ByParameter = {}
        for code, (_, source) in PARAMS.items():
            if source in kidney.METHODS:
                full = kidney.egfr(
                    source, height=value("height"), creatinine=value("creatinine"), cystatin_c=value("cystatin_c"),
                    age=age, male=male,
                )  # fmt: skip
                when = np.where(np.isnan(full), np.datetime64("NaT"), blood)
            else:
                full, when = value(source), day(source)
            values[code], dates[code] = full[:, 2:], when[:, 2:]
            before = np.where(when[:, :2] <= latest[:, None], full[:, :2], np.nan)
            base[code], base_date[code], base_type[code], chosen = self._baseline(code, before, when[:, :2])
            # below or above quantification if one of the samples in it is
            of_base = np.sign(np.where(chosen, sign(source)[:, :2], 0).sum(axis=1))
            beyond[code] = np.column_stack([of_base, sign(source)[:, 2:]])
        return values, dates, base, base_date, base_type, beyond

    def _latest_baseline(self) -> NDArray:
        """Last day of a baseline sample: of randomisation where two are taken before the arm is known."""
        first = self._first_infusion()
        if self.p.baseline_samples != "mean of both":
            return first
        list_ = self.raw.randomisation.set_index("usubjid")["randomisation_date"]
        return np.fmin(first, list_.loc[self.ids].to_numpy("datetime64[D]"))

    def _first_infusion(self) -> NDArray:
        """Day before whose end a value is a baseline: the first infusion given, else the day it was due.

        Due is `infusion_gap` days before the planned last infusion, which a postponement has moved.
        """
        due = self.zero - np.timedelta64(self.p.infusion_gap, "D")
        given = np.where(np.isnat(self.given[:, 0]), self.given[:, 1], self.given[:, 0])
        return np.where(np.isnat(given), due, given)

    def _baseline(
        self, code: str, before: NDArray, when: NDArray
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Baseline of (children, [screening, baseline]) by `baseline.used`.

        Value, date of the last sample in it, SINGLE or AVERAGE, and which of the two samples made it.
        """
        ill = self._taken_ill(when) if code in URINE else np.zeros(before.shape, bool)
        chosen = baseline.used(self.p, ~np.isnan(before), ill)
        kind = np.where(chosen.all(axis=1), "AVERAGE", "SINGLE").astype(object)
        value = baseline.mean(before, chosen, code in RATIO_SCALE)
        return value, np.where(chosen[:, 1], when[:, 1], when[:, 0]), kind, chosen

    def _taken_ill(self, when: NDArray) -> NDArray:
        """Whether days (children, k) lie within a fever or infection, first and last day counted; open ends go on."""
        events = self.raw.events[self.raw.events["event"].isin(ILLNESSES)]
        child = pd.Index(self.ids).get_indexer(events["usubjid"])
        begins, ends = (events[c].to_numpy("datetime64[D]") for c in ("start_date", "end_date"))
        out = np.zeros(when.shape, bool)
        days = when[child]
        over = (days >= begins[:, None]) & (np.isnat(ends)[:, None] | (days <= ends[:, None]))
        np.logical_or.at(out, child, over)
        return out

    def _endpoint(self, name: str) -> derive.Endpoint:
        p = self.p
        code = endpoint_paramcd(name, p)
        value, base = self.values[code], self.base[code]
        return derive.measure_endpoint(name, value, base, DAYS, p, self.none_after)

    def adsl(self) -> pd.DataFrame:
        """ADSL: one row a randomised child, in the order of randomisation."""
        raw, s = self.raw, self.screened
        given = ~np.isnat(self.given)
        treated = given.any(axis=1)
        actual = self._received()
        rescued = np.isfinite(self.rescue)
        end = raw.disposition.set_index("usubjid").loc[self.ids]
        consent = s["consent_date"].to_numpy("datetime64[D]")
        age = eligibility.age_years(s["birth_date"].to_numpy("datetime64[D]"), consent)
        ras = months((consent - s["ras_since"].to_numpy("datetime64[D]")) / np.timedelta64(1, "D"))
        gfr = gfr_paramcd(self.p)
        randomised = raw.randomisation.set_index("usubjid").loc[self.ids]
        dates = np.sort(self.given, axis=1)
        return pd.DataFrame(
            {
                "STUDYID": TRIAL,
                "USUBJID": self.ids,
                "TRT01P": self.arm,
                "TRT01PN": [float(ARMS.index(a)) for a in self.arm],
                "SUBJID": self.ids,
                "SITEID": "NOT REPORTED",
                "ARM": self.arm,
                "TRT01A": actual.to_numpy(object),
                "TRT01AN": actual.map({a: float(k) for k, a in enumerate(ARMS)}).to_numpy(float),
                "AGE": age,
                "AGEU": "YEARS",
                "SEX": np.where(s["sex"] == "male", "M", "F").astype(object),
                "RACE": "NOT REPORTED",
                "GENOTYPE": s["genotype"].to_numpy(object),
                "HEIGHTBL": s["height"].to_numpy(float),
                "WEIGHTBL": s["weight"].to_numpy(float),
                "RASFL": np.where(s["ras_inhibitor"] == "yes", "Y", "N").astype(object),
                "RASMON": ras,
                "UPCRBL": self.base["PROTCRT"],
                "RBCBL": self.base["RBCURINE"],
                "EGFRBL": self.base[gfr],
                "RANDDT": randomised["randomisation_date"].to_numpy(),
                "TRTSDT": dates[:, 0].astype("datetime64[ns]"),
                "TRTEDT": np.where(given.all(axis=1), dates[:, 1], dates[:, 0]).astype("datetime64[ns]"),
                "TZERODT": self.zero.astype("datetime64[ns]"),
                "NINFUS": given.sum(axis=1).astype(float),
                "RANDFL": "Y",
                "SAFFL": _flag(treated),
                "PPROTFL": _flag(given.all(axis=1) & ~rescued),
                "UPCRFL": _flag(self.endpoints["UPCR"].evaluable),
                "HEMFL": _flag(self.endpoints["HEM"].evaluable),
                "GFRFL": _flag(self.endpoints["GFR"].evaluable),
                "RESCDT": self._dates(self.rescue),
                "RASCHDT": self._dates(self.ras_change),
                "RASSTDT": self._dates(self.ras_stop),
                "NOREMDT": self._dates(self.none_after),
                "EOSSTT": end["status"].map(END_OF_STUDY).to_numpy(object),
                "DCSREAS": end["reason"].to_numpy(object),
                "EOSDT": end["date"].to_numpy(),
            }
        )

    def _received(self) -> pd.Series:
        """Treatment received, by child in the order of randomisation: hUC-MSC once any infusion held it."""
        product = self.raw.infusions.dropna(subset="product").groupby("usubjid")["product"]
        return product.agg(lambda got: "hUC-MSC" if "hUC-MSC" in set(got) else "Placebo").reindex(self.ids)

    def _dates(self, days: NDArray) -> NDArray:
        finite = np.isfinite(days)
        out = self.zero + np.where(finite, days, 0).astype("timedelta64[D]")
        return np.where(finite, out, np.datetime64("NaT")).astype("datetime64[ns]")

    def adlb(self) -> pd.DataFrame:
        """ADLB: one row a child, parameter and analysis visit with a value; the baseline row carries ABLFL."""
        categories = self._categories()
        n = len(self.ids)
        rows = []
        for code, (label, _) in PARAMS.items():
            base = self.base[code]
            for k in range(-1, len(VISITS)):
                value = base if k < 0 else self.values[code][:, k]
                date = self.base_date[code] if k < 0 else self.dates[code][:, k]
                category = categories.get(code)
                rows.append(
                    pd.DataFrame(
                        {
                            "USUBJID": self.ids,
                            "child": np.arange(n),
                            "TRT01P": self.arm,
                            "PARAMCD": code,
                            "PARAM": label,
                            "AVISIT": "Baseline" if k < 0 else VISITS[k].name,
                            "AVISITN": float(k + 1),
                            "ADT": date.astype("datetime64[ns]"),
                            "ADY": (date - self.zero) / np.timedelta64(1, "D"),
                            "MONTH": months(-self.p.infusion_gap) if k < 0 else VISITS[k].month,
                            "AVAL": value,
                            "BASE": base,
                            "ABLFL": "Y" if k < 0 else None,
                            "ANL01FL": "Y",
                            "DTYPE": np.where(self.base_type[code] == "AVERAGE", "AVERAGE", EMPTY)
                            if k < 0
                            else None,
                            "AVALCAT1": None if k < 0 or category is None else category[:, k],
                            "LOQFL": LIMIT_FLAG[self.beyond[code][:, k + 1].astype(int)],
                        }
                    )
                )
        frame = pd.concat(rows, ignore_index=True).dropna(subset="AVAL")
        frame.insert(0, "STUDYID", TRIAL)
        order = {code: k for k, code in enumerate(PARAMS)}
        frame = frame.assign(order=frame["PARAMCD"].map(order)).sort_values(
            ["child", "order", "AVISITN"], kind="stable", ignore_index=True
        )
        frame["TRT01PN"] = frame["TRT01P"].map({a: float(k) for k, a in enumerate(ARMS)})
        after = frame["ABLFL"].isna()
        frame["CHG"] = (frame["AVAL"] - frame["BASE"]).where(after)
        with np.errstate(divide="ignore", invalid="ignore"):
            percent = np.where(
                frame["BASE"] > 0, 100 * (frame["AVAL"] - frame["BASE"]) / frame["BASE"], np.nan
            )
        frame["PCHG"] = pd.Series(percent, index=frame.index).where(after)
        return frame.drop(columns=["child", "order"])

    def _categories(self) -> dict[str, NDArray]:
        state = self.endpoints["UPCR"].state
        response = derive.upcr_response(self.values["PROTCRT"], self.base["PROTCRT"], self.p)
        # The endpoint says whether, after rescue and evaluability; the response says how far.
        response = np.where(state > 0, response, state)
        out = {"PROTCRT": np.array(["none", "partial", "complete", None], object)[response]}
        for name in ENDPOINTS:
            code = endpoint_paramcd(name, self.p)
            if name != "UPCR":
                word = "improved" if name == "GFR" else "remission"
                out[code] = np.array(["none", word, None], object)[self.endpoints[name].state]
        return out

    def adtte(self) -> pd.DataFrame:
        """ADTTE: one row a child, endpoint (UPCR, P24, DIP, HEM, GFR) and kind (`KINDS`).

        A child is at risk of a confirmed remission at the visits of `derive.confirmable` alone, of a sustained one at
        those of `derive.sustainable`, of a first one wherever it was seen; it is censored at the last of them.
        """
        rows = []
        for name, (words, _) in ENDPOINTS.items():
            e = self.endpoints[name]
            dates = self.dates[endpoint_paramcd(name, self.p)]
            for kind, index, confirming, risk, horizon in self._kinds(e, dates):
                told = (
                    f"Time to {KINDS[kind]} {words}"
                    if kind != "A"
                    else f"Time to confirmed {words}, by actual days"
                )
                rows.append(self._time_to(f"{name}{kind}", told, e, index, confirming, risk, horizon, dates))
        return pd.concat(rows, ignore_index=True)

    def _kinds(
        self, e: derive.Endpoint, dates: NDArray
    ) -> Iterator[tuple[str, NDArray, NDArray, NDArray, float]]:
        """(kind, first visit of it, visit that shows it, visits at risk, last month at which it may begin)."""
        p, everybody = self.p, np.zeros((1, len(DAYS)), np.int8)
        yield "F", e.first, e.first, e.state >= 0, VISITS[-1].month
        late = derive.last_seen(np.where(derive.confirmable(everybody, DAYS, p.confirm_days), 0, -1))[0]
        risk = derive.confirmable(e.state, DAYS, p.confirm_days)
        yield "C", e.confirmed, e.confirming, risk, months(DAYS[late]) if late >= 0 else 0.0
        enough = max(len(VISITS) - p.sustained_visits, 0)
        risk = derive.sustainable(e.state, p.sustained_visits)
        yield "S", e.sustained, e.sustained, risk, VISITS[enough].month
        days = (dates - self.zero[:, None]) / np.timedelta64(1, "D")
        by = derive.confirming(e.state, days, p.confirm_days)
        index = derive.first(by >= 0)
        confirming = np.where(
            index >= 0, np.take_along_axis(by, np.maximum(index, 0)[:, None], axis=1)[:, 0], -1
        )
        risk = derive.confirmable(e.state, np.where(np.isnan(days), DAYS, days), p.confirm_days)
        early = DAYS[late] - p.visit_window(int(DAYS[late])) if late >= 0 else 0
        yield "A", index, confirming, risk, months(early)

    def _time_to(
        self,
        code: str,
        words: str,
        e: derive.Endpoint,
        index: NDArray,
        confirming: NDArray,
        risk: NDArray,
        horizon: float,
        dates: NDArray,
    ) -> pd.DataFrame:
        """Rows of a PARAMCD; index, confirming (children,) and risk (children, visits) as of `_kinds`."""
        start = (self._first_infusion() - self.zero) / np.timedelta64(1, "D")
        last = derive.last_seen(np.where(risk, 0, -1))
        left, right = derive.interval(index, np.where(risk | (index[:, None] >= 0), e.state, -1), DAYS, start)
        at = np.where(index >= 0, index, last)
        seen = derive.last_seen(e.state)
        shown = np.where(index >= 0, confirming, seen)
        when = np.take_along_axis(dates, np.maximum(at, 0)[:, None], axis=1)[:, 0]
        # a child may be censored at a visit that it missed
        when = np.where(np.isnat(when), self.zero + DAYS[np.maximum(at, 0)].astype("timedelta64[D]"), when)
        when = np.where(at >= 0, when, self.zero)
        month = months(np.where(at >= 0, DAYS[np.maximum(at, 0)], 0))
        event = index >= 0
        words_of = np.where(
            event,
            "event: first visit of it",
            np.where(
                ~e.evaluable,
                "not evaluable at baseline",
                np.where(last >= 0, *CENSORED[code[-1]]),
            ),
        )
        end = self.raw.disposition.set_index("usubjid").loc[self.ids, "date"].to_numpy("datetime64[D]")
        observed = months(np.clip((end - self.zero) / np.timedelta64(1, "D"), 0, DAYS[-1]))
        return pd.DataFrame(
            {
                "STUDYID": TRIAL,
                "USUBJID": self.ids,
                "TRT01P": self.arm,
                "TRT01PN": [float(ARMS.index(a)) for a in self.arm],
                "PARAMCD": code,
                "PARAM": words,
                "STARTDT": self.zero.astype("datetime64[ns]"),
                "ADT": when.astype("datetime64[ns]"),
                "AVAL": month,
                "AVALU": "MONTHS",
                "CNSR": np.where(event, 0.0, np.where(e.evaluable, 1.0, 2.0)),
                "EVNTDESC": words_of.astype(object),
                "ANL01FL": _flag(e.evaluable),
                "LMONTH": months(left),
                "RMONTH": months(np.where(np.isinf(right), np.nan, right)),
                "ACTMONTH": months((when - self.zero) / np.timedelta64(1, "D")),
                "EOSMONTH": np.where(event, month, np.maximum(observed, month)),
                "CNFMONTH": months(np.where(shown >= 0, DAYS[np.maximum(shown, 0)], 0)),
                "HORIZON": horizon,
            }
        )

    def adae(self) -> pd.DataFrame:
        """ADAE: one row an adverse event; TRTEMFL for those that began on or after the first infusion.

        An event without a last day is ongoing (AEENRTPT), and has no length (ADURN).
        """
        events = self.raw.events
        where = pd.Series(np.arange(len(self.ids)), index=self.ids)
        child = where.loc[events["usubjid"]].to_numpy(int)
        start = events["start_date"].to_numpy("datetime64[D]")
        first = np.where(np.isnat(self.given[:, 0]), self.given[:, 1], self.given[:, 0])[child]

        def answered(facts: pd.Series) -> NDArray:
            return np.select([facts == "yes", facts == "no"], ["Y", "N"], EMPTY)

        lasted = (events["end_date"].to_numpy("datetime64[D]") - start) / np.timedelta64(1, "D") + 1
        return pd.DataFrame(
            {
                "STUDYID": TRIAL,
                "USUBJID": events["usubjid"].to_numpy(object),
                "TRT01P": self.arm[child],
                "TRT01PN": [float(ARMS.index(a)) for a in self.arm[child]],
                "TRT01A": self._received().to_numpy(object)[child],
                "AESEQ": events["event_no"].to_numpy(float),
                "AETERM": events["term"].to_numpy(object),
                "AEDECOD": events["event"].to_numpy(object),
                "ASTDT": events["start_date"].to_numpy(),
                "AENDT": events["end_date"].to_numpy(),
                "ASTDY": (start - self.zero[child]) / np.timedelta64(1, "D"),
                "ADURN": lasted,
                "AEENRTPT": np.where(np.isnan(lasted), "ONGOING", EMPTY),
                "AESEV": events["severity"].to_numpy(object),
                "AESER": answered(events["serious"]),
                "AEREL": answered(events["related"]),
                "AE24HFL": np.where(events["within_24h"] == "yes", "Y", "N").astype(object),
                "TRTEMFL": _flag(~np.isnat(first) & (start >= first)),
            }
        )


def _flag(condition: NDArray) -> NDArray:
    return np.where(condition, "Y", "N").astype(object)


def events(adtte: pd.DataFrame, paramcd: str, time: str = "AVAL") -> pd.DataFrame:
    """Rows of one time-to-event parameter to be analysed: USUBJID, arm (0, 1), time (months), event (1 = yes).

    The one place where ADaM's CNSR (0 = event) becomes the event indicator of the estimators.
    """
    rows = adtte[(adtte["PARAMCD"] == paramcd) & (adtte["ANL01FL"] == "Y")]
    return pd.DataFrame(
        {
            "USUBJID": rows["USUBJID"].to_numpy(object),
            "arm": rows["TRT01PN"].to_numpy(int),
            "time": rows[time].to_numpy(float),
            "event": (rows["CNSR"] == 0).to_numpy(int),
            "left": rows["LMONTH"].to_numpy(float),
            "right": rows["RMONTH"].fillna(np.inf).to_numpy(float),
        }
    )


def days_to(adsl: pd.DataFrame, column: str) -> NDArray:
    """Days from time zero to a date of ADSL (children,), its rows' order; inf where there is no date."""
    days = (adsl[column] - adsl["TZERODT"]) / pd.Timedelta(days=1)
    return days.fillna(np.inf).to_numpy(float)


def visit_array(adlb: pd.DataFrame, adsl: pd.DataFrame, paramcd: str, column: str = "AVAL") -> NDArray:
    """(children, baseline and eleven visits) of one parameter, children in the order of ADSL; NaN or None = none."""
    rows = adlb[(adlb["PARAMCD"] == paramcd) & (adlb["ANL01FL"] == "Y")]
    wide = rows.pivot(index="USUBJID", columns="AVISITN", values=column)
    return wide.reindex(index=adsl["USUBJID"], columns=np.arange(len(VISITS) + 1.0)).to_numpy()
