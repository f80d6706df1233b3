"""Chapter 06, last section: what each open choice of the protocol does to the primary comparison.

The same children and values throughout; one choice at a time is made otherwise, through the same derivations.
"""

import numpy as np
import pandas as pd

from helpers.analysis import adam, derive
from helpers.chapters.remission import Count, Pictured, compared, events, table_and_forest
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS

DAYS = np.array([v.day for v in VISITS])

READINGS = (
    ("remission_definition", "threshold alone", "Definition: UPCR below the threshold alone"),
    ("remission_definition", "KDIGO", "Definition: KDIGO (the fall, and at most the upper limit)"),
    ("remission_fall", 0.3, "Least fall 30 %"),
    ("remission_fall", 0.4, "Least fall 40 %"),
    ("remission_fall", 0.6, "Least fall 60 %"),
    ("remission_threshold", 0.3, "Threshold 0.3 mg/mg"),
    ("confirm_days", 0, "Confirmed at the next attended visit"),
    ("confirm_days", 56, "Confirmed after 56 days"),
)
"""Other values of parameters: (name, value, in words)."""

MOMENTS = {
    "first": "Ever in remission, unconfirmed",
    "sustained": "Sustained to the last visit attended",
}


def open_choices(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> Pictured:
    """Remission by arm under the plan and with one choice made otherwise, with the differences as a forest."""
    upcr = adam.visit_array(adlb, adsl, "PROTCRT").astype(float)
    rescue = ((adsl["RESCDT"] - adsl["TZERODT"]).dt.days).fillna(np.inf).to_numpy(float)
    arm = adsl["TRT01P"].to_numpy(object)
    rows, keys = [], []

    def add(key: str, label: str, counts: list[Count]) -> None:
        rows.append(compared(label, *counts))
        keys.append(f"remission.choice.{key}")

    plan = _endpoint(upcr, rescue, p)
    add("plan", "The plan: confirmed remission by UPCR", _counts(plan, plan.confirmed, arm))
    for name, value, label in READINGS:
        if getattr(p, name) != value:
            other = _endpoint(upcr, rescue, p.model_copy(update={name: value}))
            short = f"{name}_{value}".replace(" ", "_").replace(".", "_").lower()
            add(short, label, _counts(other, other.confirmed, arm))
    for moment, label in MOMENTS.items():
        add(moment, label, _counts(plan, getattr(plan, moment), arm))
    late = np.where(plan.state[:, -1] > 0, len(VISITS) - 1, -1)
    add("month12", f"In remission at {VISITS[-1].name.lower()}", _counts(plan, late, arm))
    for code, words in (("P24C", "24-hour protein"), ("DIPC", "dipstick")):
        add(code[:3].lower(), f"Measure: {words}, confirmed", events(adtte, code))
    return table_and_forest(
        "open-choices",
        "The primary comparison under the plan and with one choice made otherwise",
        rows,
        keys,
        population="all randomised who are evaluable under the choice named in the row",
        n=f"{len(adsl)} randomised",
        method="Wilson's 95 % interval in an arm, Miettinen-Nurminen 95 % interval for the difference, no p-values; "
        "source ADSL, ADLB (PROTCRT), ADTTE (P24C, DIPC)",
        heading="Choice",
    )


def _endpoint(upcr: np.ndarray, rescue: np.ndarray, p: Parameters) -> derive.Endpoint:
    state = derive.in_remission(derive.upcr_response(upcr[:, 1:], upcr[:, 0], p))
    state = derive.after_rescue(state, DAYS, rescue)
    return derive.endpoint(state, derive.evaluable_upcr(upcr[:, 0], p), DAYS, p)


def _counts(e: derive.Endpoint, index: np.ndarray, arm: np.ndarray) -> list[Count]:
    seen = (e.state >= 0).any(axis=1)
    chosen = [(arm == a) & e.evaluable for a in ARMS]
    return [Count(int((index[c] >= 0).sum()), int(c.sum()), int(seen[c].sum())) for c in chosen]
