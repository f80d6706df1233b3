"""A small ADTTE whose children are written by hand, for tests."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers.study.protocol import ARMS, VISITS

MONTHS = (0.0, *(v.month for v in VISITS))
"""Time zero and the visits: MONTHS[5] is Month 3, MONTHS[11] Month 12."""
FIRST_INFUSION = -0.7


def adtte(
    placebo: Sequence[tuple[int, bool]], msc: Sequence[tuple[int, bool]], paramcd: str = "UPCRC"
) -> pd.DataFrame:
    """Children as (visit, whether remission was found there), else censored there; 0 is time zero. None missed a
    visit, all clocks agree, and an event may begin up to the last visit."""
    rows = []
    for k, (arm, children) in enumerate(zip(ARMS, (placebo, msc), strict=True)):
        for number, (visit, remitted) in enumerate(children):
            before = MONTHS[visit - 1] if visit > 1 else FIRST_INFUSION
            rows.append(
                {
                    "USUBJID": f"{arm}-{number}", "TRT01P": arm, "TRT01PN": float(k), "PARAMCD": paramcd,
                    "ANL01FL": "Y", "CNSR": 0.0 if remitted else 1.0,
                    "AVAL": MONTHS[visit], "ACTMONTH": MONTHS[visit], "EOSMONTH": MONTHS[visit],
                    "CNFMONTH": MONTHS[visit], "HORIZON": MONTHS[11],
                    "LMONTH": before if remitted or visit == 0 else MONTHS[visit],
                    "RMONTH": MONTHS[visit] if remitted else np.nan,
                }
            )  # fmt: skip
    columns = ["USUBJID", "TRT01P", "TRT01PN", "PARAMCD", "ANL01FL", "CNSR", "AVAL", "ACTMONTH", "EOSMONTH",
               "CNFMONTH", "HORIZON", "LMONTH", "RMONTH"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
