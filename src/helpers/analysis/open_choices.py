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
from helpers.study.protocol import ARM_KEY

PLAN, ACTUAL, AT_LAST, OTHERS = "plan", "actual_days", "month12", "others"
ALTERNATIVES = {
    "remission_definition": ("threshold alone", "KDIGO"),
    "remission_fall": (0.4, 0.6),
    "remission_threshold": (0.3,),
    "confirm_days": (0, 56),
}
"""Other values of parameters; one that is the plan's own is left out."""
DEFINITIONS = {
    "FIONA": derive.Rule(fall=0.3),
    "DUPLEX": derive.Rule(limit=0.3, strict=True),
    "PARASOL": derive.Rule(limit=0.7),
    "FPRE": derive.Rule(limit=1.5, fall=0.4, beyond=True),
}
"""Definitions of response in other trials (N216; RG07, DF04a, DF04b), confirmed here as the plan has it."""
MOMENTS = ("first", "sustained")
"""Of the plan's endpoint, instead of the confirmed one."""
MEASURES = ("P24", "DIP")
"""Of protein, instead of UPCR."""


def one_at_a_time(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Remission by arm under the plan, then with one choice made otherwise.

    A row a choice: choice, value, the columns of `rates.compared`, {arm}_evaluable. choice is PLAN, a parameter of
    `ALTERNATIVES` (with the value that it takes), OTHERS (with one of `DEFINITIONS`; None elsewhere), ACTUAL (confirmed
    by actual days), one of `MOMENTS`, AT_LAST (in remission at the last visit), one of `MEASURES`. The children are all
    randomised; who is not evaluable under the choice has no remission, and {arm}_evaluable counts who is: whose
    baseline does not keep to the row's threshold already.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> choices = open_choices.one_at_a_time(adsl, adlb, adtte, study.parameters)
    """
    upcr, base = adam.visit_array(adlb, adsl, "PROTCRT")[:, 1:].astype(float), adsl["UPCRBL"].to_numpy(float)
    rescue, arm = adam.days_to(adsl, "NOREMDT"), adsl["TRT01P"].to_numpy(object)

    def made(choice: Parameters) -> derive.Endpoint:
        return derive.upcr_endpoint(upcr, base, adam.DAYS, choice, rescue)

    everyone = np.ones(len(adsl), bool)

    def evaluable(inside: np.ndarray) -> dict[str, int]:
        return {f"{key}_evaluable": int((inside & (arm == name)).sum()) for name, key in ARM_KEY.items()}

    def counted(e: derive.Endpoint, event: np.ndarray) -> tuple[rates.Arms, dict[str, int]]:
        return rates.among(arm, everyone, event, (e.state >= 0).any(axis=1)), evaluable(e.evaluable)

    plan = made(p)
    rows: list[tuple[tuple[str, Any], tuple[rates.Arms, dict[str, int]]]] = [
        ((PLAN, None), counted(plan, plan.confirmed >= 0))
    ]
    for name, values in ALTERNATIVES.items():
        for value in values:
            if getattr(p, name) != value:
                other = made(p.model_copy(update={name: value}))
                rows.append(((name, value), counted(other, other.confirmed >= 0)))
    for name, rule in DEFINITIONS.items():
        other = derive.rule_endpoint(upcr, base, rule, adam.DAYS, p, rescue)
        rows.append(((OTHERS, name), counted(other, other.confirmed >= 0)))
    rows.append(((ACTUAL, None), (rates.from_adtte(adtte, "UPCRA", True), evaluable(plan.evaluable))))
    rows += [((moment, None), counted(plan, getattr(plan, moment) >= 0)) for moment in MOMENTS]
    rows.append(((AT_LAST, None), counted(plan, plan.state[:, -1] > 0)))
    for measure in MEASURES:
        inside = adsl["USUBJID"].isin(adam.events(adtte, f"{measure}C")["USUBJID"]).to_numpy()
        rows.append(((measure, None), (rates.from_adtte(adtte, f"{measure}C", True), evaluable(inside))))
    return rates.table(
        ({"choice": choice, "value": value, **who}, arms) for (choice, value), (arms, who) in rows
    )
