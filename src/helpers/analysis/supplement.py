"""Beside the primary comparison: by the allocation itself, over strata, and adjusted for what was known before.

Tables in, a tidy frame out. Confirmed remission by UPCR in all randomised, no answer = no remission, as in
`remission.primary`, asked in three other ways. None of them decides anything.

Example:

    supplement(adsl, adtte, study.read("randomisation")).set_index("method")["estimate"]
"""

import zlib
from typing import Any

import numpy as np
import pandas as pd

from helpers.analysis import adam
from helpers.estimators import adjusted
from helpers.estimators.randomisation import randomisation_test
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS

METHODS = ("randomisation", "strata", "adjusted")
"""Randomisation test; Mantel-Haenszel over RAS inhibition; adjusted for baseline log UPCR and RAS inhibition."""


def supplement(
    adsl: pd.DataFrame, adtte: pd.DataFrame, allocation: pd.DataFrame, p: Parameters
) -> pd.DataFrame:
    """Confirmed remission by UPCR in all randomised by each of `METHODS`: a row each.

    allocation: the raw table `randomisation`, whose `block` (and `stratum`, where there is one) says among whom each
    child was allocated. Columns: method; n_placebo, n_msc (children analysed); estimate, lower, upper (hUC-MSC -
    placebo, percentage points; no limits for the randomisation test); p (two-sided, of that test alone); allocations
    (that the blocks allow); note (what was left out, or why something is missing). Sources: `randomisation_test`,
    `adjusted.mantel_haenszel`, `adjusted.standardised`.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> beside = supplement.supplement(adsl, adtte, study.read('randomisation'), study.parameters)
    """
    events = adam.events(adtte, "UPCRC")
    event = adsl["USUBJID"].isin(events.loc[events["event"] == 1, "USUBJID"]).to_numpy()
    arm, ras = adsl["TRT01P"].to_numpy(object), (adsl["RASFL"] == "Y").to_numpy()
    where = allocation.set_index("usubjid").reindex(adsl["USUBJID"])
    # a list without strata has empty ones: one label for all
    blocks = {
        name: where[name].astype(str).to_numpy() for name in ("block", "stratum") if name in where.columns
    }
    # the stream's name is part of the published answer, should there ever be draws
    seed = np.random.SeedSequence(p.seed, spawn_key=(zlib.crc32(b"randomisation test"),))
    test = randomisation_test(event, arm, **blocks, seed=seed, active=ARMS[1])
    base = adsl["UPCRBL"].to_numpy(float)
    with np.errstate(divide="ignore"):
        log_base = np.where(base > 0, np.log(base), np.nan)
    rows: list[dict[str, Any]] = [
        {
            "method": "randomisation", "n_placebo": int((arm == ARMS[0]).sum()), "n_msc": int((arm == ARMS[1]).sum()),
            "estimate": 100 * test.difference, "lower": np.nan, "upper": np.nan, "p": test.p,
            "allocations": test.allocations, "note": test.message,
        }
    ]  # fmt: skip
    for method, found in (
        ("strata", adjusted.mantel_haenszel(event, arm, ras, ARMS[1])),
        ("adjusted", adjusted.standardised(event, arm, np.column_stack([log_base, ras]), ARMS[1])),
    ):
        rows.append(
            {
                "method": method, "n_placebo": found.n_control, "n_msc": found.n_active,
                "estimate": 100 * found.estimate, "lower": 100 * found.lower, "upper": 100 * found.upper,
                "p": np.nan, "allocations": np.nan, "note": found.message,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
