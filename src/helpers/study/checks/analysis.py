"""Checks of the ADaM tables: whether what was derived agrees with itself. A finding is a fault of the derivation."""

import numpy as np
import pandas as pd

from helpers.study.checks.findings import FATAL, Check, absent, faults, together, word

RECORD = ["USUBJID", "PARAMCD"]


def _base(adlb: pd.DataFrame) -> pd.DataFrame:
    flagged = adlb[adlb["ABLFL"] == "Y"]
    twice = flagged[flagged.duplicated(RECORD)]
    once = flagged.drop_duplicates(RECORD).set_index(RECORD)["AVAL"]
    base = once.reindex(pd.MultiIndex.from_frame(adlb[RECORD])).set_axis(adlb.index)
    rows = adlb[~np.isclose(adlb["BASE"], base, rtol=1e-8, atol=0, equal_nan=True)]
    return together(
        faults("adlb", twice, "ABLFL", "Y once for each child and parameter"),
        faults("adlb", rows, "BASE", [f"the baseline record's, {word(v)}" for v in base[rows.index]]),
    )


def _change(adlb: pd.DataFrame) -> pd.DataFrame:
    after = adlb[adlb["ABLFL"].isna()]
    change = after["AVAL"] - after["BASE"]
    # the ten digits of a file leave a difference of large values fewer of its own
    slack = 1e-9 * (after["AVAL"].abs() + after["BASE"].abs()).fillna(0)
    rows = after[~np.isclose(after["CHG"], change, rtol=0, atol=slack, equal_nan=True)]
    return faults("adlb", rows, "CHG", [f"AVAL less BASE, {word(v)}" for v in change[rows.index]])


def _endpoints(adtte: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    wanted = pd.MultiIndex.from_product([adsl["USUBJID"], adtte["PARAMCD"].unique()], names=RECORD)
    strangers = adtte[~adtte["USUBJID"].isin(adsl["USUBJID"])]
    return together(
        absent("adtte", adtte, wanted, "one row a child and endpoint"),
        faults("adtte", strangers, "USUBJID", "a child of adsl.csv"),
    )


def _not_evaluable(adtte: pd.DataFrame) -> pd.DataFrame:
    rows = adtte[(adtte["CNSR"] == 2) != (adtte["ANL01FL"] == "N")]
    return faults(
        "adtte", rows, "CNSR", [f"2 exactly where ANL01FL is N; it is {flag}" for flag in rows["ANL01FL"]]
    )


def _right_end(adtte: pd.DataFrame) -> pd.DataFrame:
    rows = adtte[adtte["RMONTH"].notna() != (adtte["CNSR"] == 0)]
    return faults(
        "adtte", rows, "RMONTH", [f"a month exactly where CNSR is 0; it is {c:g}" for c in rows["CNSR"]]
    )


def _eligible(adsl: pd.DataFrame, adie: pd.DataFrame) -> pd.DataFrame:
    met = (adie["AVALC"] == "MET").groupby(adie["USUBJID"], sort=False).all()
    eligible = met.index[met]
    return together(
        faults("adsl", adsl[~adsl["USUBJID"].isin(eligible)], "USUBJID", "a child who meets all criteria in adie.csv"),
        absent("adsl", adsl, pd.MultiIndex.from_arrays([eligible], names=["USUBJID"]), "a row for each eligible child"),
    )  # fmt: skip


def _safety(adsl: pd.DataFrame) -> pd.DataFrame:
    rows = adsl[(adsl["SAFFL"] == "Y") != (adsl["NINFUS"] > 0)]
    return faults(
        "adsl", rows, "SAFFL", [f"Y exactly where NINFUS is above 0; it is {n:g}" for n in rows["NINFUS"]]
    )


def _protocol(adsl: pd.DataFrame) -> pd.DataFrame:
    rows = adsl[(adsl["PPROTFL"] == "Y") & (adsl["SAFFL"] == "N")]
    return faults("adsl", rows, "PPROTFL", "N, since SAFFL is N")


def _emergent(adae: pd.DataFrame, adsl: pd.DataFrame) -> pd.DataFrame:
    first = adae["USUBJID"].map(adsl.drop_duplicates("USUBJID").set_index("USUBJID")["TRTSDT"])
    rows = adae[(adae["TRTEMFL"] == "Y") != (adae["ASTDT"] >= first)]
    allowed = [f"Y exactly from the first infusion on, {word(day)}" for day in first[rows.index]]
    return faults("adae", rows, "TRTEMFL", allowed)


def _ongoing(adae: pd.DataFrame) -> pd.DataFrame:
    rows = adae[(adae["AEENRTPT"] == "ONGOING") != adae["AENDT"].isna()]
    return faults(
        "adae",
        rows,
        "AEENRTPT",
        [f"ONGOING exactly without a last day; it is {word(d)}" for d in rows["AENDT"]],
    )


ANALYSIS = (
    Check("adlb.base", ("adlb",), "BASE is the record flagged ABLFL", _base, FATAL),
    Check("adlb.change", ("adlb",), "CHG is AVAL less BASE", _change, FATAL),
    Check("adtte.complete", ("adtte", "adsl"), "One row a child and endpoint", _endpoints, FATAL),
    Check("adtte.evaluable", ("adtte",), "CNSR 2 exactly where not evaluable", _not_evaluable, FATAL),
    Check("adtte.interval", ("adtte",), "Right end of the interval exactly for events", _right_end, FATAL),
    Check("adsl.eligible", ("adsl", "adie"), "Randomised children are the eligible ones", _eligible),
    Check("adsl.safety", ("adsl",), "Safety set holds whoever had an infusion", _safety, FATAL),
    Check("adsl.protocol", ("adsl",), "Per protocol lies within safety", _protocol, FATAL),
    Check("adae.emergent", ("adae", "adsl"), "Treatment-emergent exactly from the first infusion on", _emergent, FATAL),
    Check("adae.ongoing", ("adae",), "An event is ongoing exactly where it has no last day", _ongoing, FATAL),
)  # fmt: skip
