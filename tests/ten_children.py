"""Ten children whose UPCR, remissions and events are written by hand: ADSL, ADLB, ADTTE, ADAE for tests of analysis.

A path is a letter a visit, weeks 2 4 6 8 and months 3 4 5 6 8 10 12: UPCR as a share of baseline, c 0.1 (complete where
baseline is 1), p 0.4, q 0.65, n 0.9, . not seen.
"""

import numpy as np
import pandas as pd

from helpers.study.protocol import VISITS

ZERO = pd.Timestamp("2025-03-15")
SHARE = {"c": 0.1, "p": 0.4, "q": 0.65, "n": 0.9}
CHILDREN = {
    # child: (arm, path, changes to what an ordinary child is)
    "P1": ("Placebo", "qqqq qqq qqqq", {"SEX": "F"}),
    "P2": ("Placebo", "pppp ppp pppc", {}),
    "P3": ("Placebo", ".... ... ....", {"left": 5, "SEX": "F"}),
    "P4": ("Placebo", "cccc ccc cccc", {"UPCRBL": 0.1}),  # not evaluable
    "P5": ("Placebo", "nnnn nnn nn..", {"left": 304, "GENOTYPE": "autosomal recessive"}),
    "M1": ("hUC-MSC", "pppp ppp pppp", {"UPCRBL": 8.0}),  # 3.2 mg/mg: a fall, and no remission by KDIGO
    "M2": ("hUC-MSC", "pppp ppp pppp", {"rescue": 10, "PPROTFL": "N"}),
    "M3": ("hUC-MSC", "nnnn nnn nnnp", {"SEX": "F", "RASFL": "N"}),
    "M4": ("hUC-MSC", "nnnn nnn pppp", {"ras": 20, "PPROTFL": "N"}),
    "M5": ("hUC-MSC", "ppnn pnn nnnn", {"SEX": "F"}),  # infection at weeks 6 and 8
}
EVENTS = {  # PARAMCD: (children with the event, children not evaluable)
    "UPCRF": ("P2 M1 M3 M4 M5", "P4"),
    "UPCRC": ("P2 M1 M4", "P4"),
    "UPCRS": ("P2 M1 M4", "P4"),
    "UPCRA": ("P2 M1 M4", "P4"),
    "P24F": ("P1 P2 M1", "P4"),
    "P24C": ("P1 P2 M1", "P4"),
    "P24S": ("P2 M1", "P4"),
    "DIPF": ("M1", "P4 P5"),
    "DIPC": ("M1", "P4 P5"),
    "DIPS": ("M1", "P4 P5"),
    "HEMF": ("P1", "M1 M2 M3 M4 M5"),
    "HEMC": ("P1", "M1 M2 M3 M4 M5"),
    "HEMS": ("P1", "M1 M2 M3 M4 M5"),
    "GFRF": ("", ""),
    "GFRC": ("", ""),
    "GFRS": ("", ""),
}
ILL = [
    ("M5", "infection", 40, 60),
    ("M5", "other", 0, 400),
    ("M1", "fever", 14, 14),
    ("M3", "infection", 300, None),
]


def date(day: float | None) -> pd.Timestamp:
    return pd.NaT if day is None else ZERO + pd.Timedelta(days=day)


def tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ADSL, ADLB, ADTTE and ADAE, those columns that the analysis of remission reads."""
    adsl, adlb = [], []
    for child, (arm, path, changes) in CHILDREN.items():
        base, rescue = changes.get("UPCRBL", 1.0), changes.get("rescue")
        row = {
            "USUBJID": child, "TRT01P": arm, "TRT01PN": float(arm == "hUC-MSC"), "SEX": "M", "GENOTYPE": "X-linked",
            "RASFL": "Y", "UPCRBL": base, "TZERODT": ZERO, "UPCRFL": "Y" if base >= 0.2 else "N", "PPROTFL": "Y",
            "RESCDT": date(rescue), "RASCHDT": date(changes.get("ras")), "NOREMDT": date(rescue), "RASSTDT": pd.NaT,
            "NINFUS": 2.0,
            "EOSSTT": "DISCONTINUED" if "left" in changes else "COMPLETED",
            "DCSREAS": "family moved" if "left" in changes else None, "EOSDT": date(changes.get("left", 365)),
        }  # fmt: skip
        adsl.append(row | {k: v for k, v in changes.items() if k in row})
        common = {"USUBJID": child, "TRT01P": arm, "PARAMCD": "PROTCRT", "ANL01FL": "Y", "BASE": base}
        adlb.append(
            common | {"AVISIT": "Baseline", "AVISITN": 0.0, "ADT": date(-14), "AVAL": base, "ABLFL": "Y"}
        )
        for k, (visit, letter) in enumerate(zip(VISITS, path.replace(" ", ""), strict=True), 1):
            if letter == ".":
                continue
            word = {"c": "complete", "p": "partial"}.get(letter, "none")
            word = "none" if rescue is not None and visit.day >= rescue else word
            adlb.append(
                common
                | {"AVISIT": visit.name, "AVISITN": float(k), "ADT": date(visit.day), "AVAL": SHARE[letter] * base,
                   "ABLFL": None, "AVALCAT1": word if base >= 0.2 else None}
            )  # fmt: skip
    adtte = []
    for code, (event, out) in EVENTS.items():
        for child, (arm, path, _) in CHILDREN.items():
            inside, hit = child not in out.split(), child in event.split()
            adtte.append(
                {"USUBJID": child, "TRT01P": arm, "TRT01PN": float(arm == "hUC-MSC"), "PARAMCD": code,
                 "AVAL": 12.0 if path.strip(". ") else 0.0, "CNSR": (1.0 - hit) if inside else 2.0,
                 "CNFMONTH": 12.0 if path.strip(". ") else 0.0, "HORIZON": 12.0,
                 "ANL01FL": "Y" if inside else "N", "LMONTH": 0.0, "RMONTH": np.nan}
            )  # fmt: skip
    adae = [
        {"USUBJID": child, "AEDECOD": what, "ASTDT": date(start), "AENDT": date(end)}
        for child, what, start, end in ILL
    ]
    return pd.DataFrame(adsl), pd.DataFrame(adlb), pd.DataFrame(adtte), pd.DataFrame(adae)


def counts(frame: pd.DataFrame, *keys: str) -> dict:
    """Key of each row of a table of rates: (x, N) on placebo, (x, N) on hUC-MSC."""
    return {
        tuple(row[key] for key in keys) if len(keys) > 1 else row[keys[0]]: (
            (row["placebo_n"], row["placebo_N"]),
            (row["msc_n"], row["msc_N"]),
        )
        for _, row in frame.iterrows()
    }
