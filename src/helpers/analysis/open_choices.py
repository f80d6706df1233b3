"""What each open choice of the protocol does to the primary comparison: one at a time, on the same children and values.

Tables of ADaM in, a tidy frame out, through the same derivations as the plan.

Example:

    one_at_a_time(adsl, adlb, adtte, p).set_index(["choice", "value"])["difference"]
"""

from typing import Any

import numpy as np
import pandas as pd

from helpers.analysis import adam, derive, rates
from helpers.study.parameters import Parameters

PLAN, AT_LAST = "plan", "month12"
ALTERNATIVES = {
    "remission_definition": ("threshold alone", "KDIGO"),
    "remission_fall": (0.3, 0.4, 0.6),
    "remission_threshold": (0.3,),
    "confirm_days": (0, 56),
}
"""Other values of parameters; one that is the plan's own is left out."""
MOMENTS = ("first", "sustained")
"""Of the plan's endpoint, instead of the confirmed one."""
MEASURES = ("P24", "DIP")
"""Of protein, instead of UPCR."""


def one_at_a_time(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Remission by arm under the plan, then with one choice made otherwise.

    A row a choice: choice, value, the columns of `rates.compared`. choice is PLAN, a parameter of `ALTERNATIVES` (with
    the value that it takes; None elsewhere), one of `MOMENTS`, AT_LAST (in remission at the last visit), one of
    `MEASURES`. The children are those evaluable under the choice.
    """
    upcr, base = adam.visit_array(adlb, adsl, "PROTCRT")[:, 1:].astype(float), adsl["UPCRBL"].to_numpy(float)
    rescue, arm = adam.days_to(adsl, "RESCDT"), adsl["TRT01P"].to_numpy(object)

    def made(choice: Parameters) -> derive.Endpoint:
        return derive.upcr_endpoint(upcr, base, adam.DAYS, choice, rescue)

    def counted(e: derive.Endpoint, event: np.ndarray) -> rates.Arms:
        return rates.among(arm, e.evaluable, event, (e.state >= 0).any(axis=1))

    plan = made(p)
    rows: list[tuple[tuple[str, Any], rates.Arms]] = [((PLAN, None), counted(plan, plan.confirmed >= 0))]
    for name, values in ALTERNATIVES.items():
        for value in values:
            if getattr(p, name) != value:
                other = made(p.model_copy(update={name: value}))
                rows.append(((name, value), counted(other, other.confirmed >= 0)))
    rows += [((moment, None), counted(plan, getattr(plan, moment) >= 0)) for moment in MOMENTS]
    rows.append(((AT_LAST, None), counted(plan, plan.state[:, -1] > 0)))
    rows += [((measure, None), rates.from_adtte(adtte, f"{measure}C")) for measure in MEASURES]
    return rates.table(({"choice": choice, "value": value}, arms) for (choice, value), arms in rows)
