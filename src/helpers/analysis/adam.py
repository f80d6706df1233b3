"""Raw tables -> ADSL, ADLB, ADTTE, ADAE (CDISC ADaM), through the derivations on arrays.

Works on any raw tables that fit the codebook, simulated or real. Analysis time is the target time of the
visit in months from the planned last infusion (day / 30.4375); ADY counts actual days from that day, which
is day 0. CNSR is 0 for an event, as in ADaM; `events` turns it into 1 = event in one place.
"""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import derive
from helpers.study import checks, eligibility, kidney
from helpers.study.codebook import EMPTY
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

ENDPOINTS = {
    "UPCR": ("remission of proteinuria by UPCR", "PROTCRT"),
    "P24": ("remission of proteinuria by 24-hour protein", "PROT24H"),
    "DIP": ("remission of proteinuria by dipstick", "DIPPROT"),
    "HEM": ("remission of haematuria", "RBCURINE"),
    "GFR": ("improvement of renal function", "GFRBSCRT"),
}
"""Endpoint: (in words, PARAMCD it is judged on by default)."""

LIMIT_FLAG = np.array([None, "H", "Y"], object)
"""LOQFL by -1 below quantification, 0 quantified, 1 above it."""

KINDS = {"F": "first", "C": "confirmed", "S": "sustained"}


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


@dataclass(frozen=True)
class Raw:
    """The raw tables of one trial, as the codebook describes them."""

    screening: pd.DataFrame
    randomisation: pd.DataFrame
    infusions: pd.DataFrame
    visits: pd.DataFrame
    labs: pd.DataFrame
    events: pd.DataFrame
    treatments: pd.DataFrame
    disposition: pd.DataFrame


def raw_tables(study: Study) -> Raw:
    """The raw tables of a study's folder; raises Problem where one is absent, wrong, or made otherwise."""
    return Raw(**{field.name: study.read(field.name) for field in fields(Raw)})


def analysis_tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ADSL, ADLB, ADTTE and ADAE of a study's raw tables, written to its folder.

    Raises Problem where raw tables are absent, or where any tables contradict each other.
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
        self.rescue = self._first_change("rescue")
        self.ras_change = self._first_change("RAS inhibitor")
        self.endpoints = {name: self._endpoint(name) for name in ENDPOINTS}

    def _first_change(self, treatment: str) -> NDArray:
        """Days from time zero to the first change of a treatment; inf = none."""
        rows = self.raw.treatments[self.raw.treatments["treatment"] == treatment]
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
        first_infusion = self._first_infusion()
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
            before = np.where(when[:, :2] <= first_infusion[:, None], full[:, :2], np.nan)
            base[code], base_date[code], base_type[code] = self._baseline(code, before, when[:, :2])
            side = np.where(np.isnan(before), 0, sign(source)[:, :2])
            of_base = np.where(
                base_type[code] == "AVERAGE",
                np.sign(side.sum(axis=1)),
                np.where(np.isnan(before[:, 1]), side[:, 0], side[:, 1]),
            )
            beyond[code] = np.column_stack([of_base, sign(source)[:, 2:]])
        return values, dates, base, base_date, base_type, beyond

    def _first_infusion(self) -> NDArray:
        """Day before whose end a value is a baseline: the first infusion given, else the day it was due.

        Due is `infusion_gap` days before the planned last infusion, which a postponement has moved.
        """
        due = self.zero - np.timedelta64(self.p.infusion_gap, "D")
        given = np.where(np.isnat(self.given[:, 0]), self.given[:, 1], self.given[:, 0])
        return np.where(np.isnat(given), due, given)

    def _baseline(self, code: str, before: NDArray, when: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Baseline of (children, [screening, baseline]) by `baseline_samples`: value, date, SINGLE or AVERAGE."""
        screening, later = before[:, 0], before[:, 1]
        has = ~np.isnan(later)
        if self.p.baseline_samples == "mean of both":
            both = has & ~np.isnan(screening)
            with np.errstate(divide="ignore"):
                mean = (
                    np.exp((np.log(screening) + np.log(later)) / 2)
                    if code in RATIO_SCALE
                    else (screening + later) / 2
                )
            value = np.where(both, mean, np.where(has, later, screening))
            kind = np.where(both, "AVERAGE", "SINGLE").astype(object)
        else:
            value = np.where(has, later, screening)
            kind = np.full(value.shape, "SINGLE", object)
        return value, np.where(has, when[:, 1], when[:, 0]), kind

    def _endpoint(self, name: str) -> derive.Endpoint:
        p = self.p
        code = endpoint_paramcd(name, p)
        value, base = self.values[code], self.base[code]
        if name == "UPCR":
            return derive.upcr_endpoint(value, base, DAYS, p, self.rescue)
        if name == "P24":
            state = derive.protein_24h_state(value, base, p)
            evaluable = base >= p.protein24_limit
        elif name == "DIP":
            state, evaluable = derive.at_most(value, 1), base >= 2
        elif name == "HEM":
            state, evaluable = derive.at_most(value, p.haematuria_limit), base > p.haematuria_limit
        else:
            state, evaluable = derive.risen(value, base, p.egfr_improvement), base < p.egfr_evaluable
        return derive.endpoint(state, evaluable, DAYS, p, self.rescue)

    def adsl(self) -> pd.DataFrame:
        """ADSL: one row a randomised child, in the order of randomisation."""
        raw, s = self.raw, self.screened
        given = ~np.isnat(self.given)
        treated = given.any(axis=1)
        product = raw.infusions.dropna(subset="product").groupby("usubjid")["product"]
        actual = product.agg(lambda got: "hUC-MSC" if "hUC-MSC" in set(got) else "Placebo").reindex(self.ids)
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
                "EOSSTT": np.where(end["status"] == "completed", "COMPLETED", "DISCONTINUED").astype(object),
                "DCSREAS": end["reason"].to_numpy(object),
                "EOSDT": end["date"].to_numpy(),
            }
        )

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
        """ADTTE: one row a child, endpoint (UPCR, P24, DIP, HEM, GFR) and kind (first, confirmed, sustained)."""
        rows = []
        for name, (words, _) in ENDPOINTS.items():
            e = self.endpoints[name]
            dates = self.dates[endpoint_paramcd(name, self.p)]
            for kind, adverb in KINDS.items():
                index = getattr(e, adverb)
                rows.append(self._time_to(f"{name}{kind}", f"Time to {adverb} {words}", e, index, dates))
        return pd.concat(rows, ignore_index=True)

    def _time_to(
        self, code: str, words: str, e: derive.Endpoint, index: NDArray, dates: NDArray
    ) -> pd.DataFrame:
        start = (self._first_infusion() - self.zero) / np.timedelta64(1, "D")
        left, right = derive.interval(index, e.state, DAYS, start)
        last = derive.last_seen(e.state)
        at = np.where(index >= 0, index, last)
        when = np.take_along_axis(dates, np.maximum(at, 0)[:, None], axis=1)[:, 0]
        when = np.where(at >= 0, when, self.zero)
        month = months(np.where(at >= 0, DAYS[np.maximum(at, 0)], 0))
        event = index >= 0
        words_of = np.where(
            event,
            "event: first visit of it",
            np.where(
                ~e.evaluable,
                "not evaluable at baseline",
                np.where(
                    last >= 0, "censored at the last assessment", "censored at time zero: no assessment"
                ),
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
            }
        )

    def adae(self) -> pd.DataFrame:
        """ADAE: one row an adverse event; TRTEMFL for those that began on or after the first infusion."""
        events = self.raw.events
        where = pd.Series(np.arange(len(self.ids)), index=self.ids)
        child = where.loc[events["usubjid"]].to_numpy(int)
        start = events["start_date"].to_numpy("datetime64[D]")
        first = np.where(np.isnat(self.given[:, 0]), self.given[:, 1], self.given[:, 0])[child]
        return pd.DataFrame(
            {
                "STUDYID": TRIAL,
                "USUBJID": events["usubjid"].to_numpy(object),
                "TRT01P": self.arm[child],
                "TRT01PN": [float(ARMS.index(a)) for a in self.arm[child]],
                "AESEQ": events["event_no"].to_numpy(float),
                "AETERM": events["event"].to_numpy(object),
                "AEDECOD": events["event"].to_numpy(object),
                "ASTDT": events["start_date"].to_numpy(),
                "AENDT": events["end_date"].to_numpy(),
                "ASTDY": (start - self.zero[child]) / np.timedelta64(1, "D"),
                "AESER": np.where(events["serious"] == "yes", "Y", "N").astype(object),
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
