"""Remission endpoints by arm: the primary one, whom it leaves open, other sets, every visit, every measure.

Tables of ADaM in, tidy frames out. A rate counts every child of its analysis set; who was not seen in remission has
none. The columns of rates are those of `rates.compared`. The primary endpoint has the only p-value.

Example:

    row = primary(adsl, adlb, adtte, p).iloc[0]
    row["difference"], row["lower"], row["upper"], row["p"]
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam, derive, rates
from helpers.estimators import proportions
from helpers.study.codebook import EMPTY
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, VISITS

MEASURES = tuple(adam.ENDPOINTS)
"""Three of protein (UPCR is primary), haematuria, renal function."""
KINDS = {"confirmed": "C", "sustained": "S", "ever": "F"}
"""How a remission counts over the year: last letter of its PARAMCD."""
AT_LAST = "month12"
"""Beside them: in remission at the last visit."""
EVER = "ever"
"""The row of `by_visit` for any visit."""
PAIRS = (("UPCR", "P24"), ("UPCR", "DIP"), ("P24", "DIP"))
"""Protein measures whose answers are compared."""


def primary(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Confirmed remission by UPCR among the evaluable children: one row.

    Columns: those of `rates.compared`; {arm}_undetermined, the children of `undetermined`; p, two-sided, of
    Boschloo's test; decided, whether p is at or below `p.alpha`. p is NaN where an arm has no rate.
    """
    control, active = rates.from_adtte(adtte, "UPCRC")
    row = rates.compared((control, active))
    opened = undetermined(adsl, adlb, adtte, p)["arm"]
    row |= {f"{key}_undetermined": int((opened == arm).sum()) for arm, key in ARM_KEY.items()}
    test = np.nan if row["note"] else proportions.boschloo(control.x, control.n, active.x, active.n)
    return pd.DataFrame([row | {"p": test, "decided": bool(test <= p.alpha)}])


def undetermined(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Evaluable children without confirmed remission whom the visits not seen might have made confirmed.

    Found by filling each visit without a value with remission, and deriving again. A row a child, placebo first, each
    arm in the order of ADSL: arm, child, last (visit of the last UPCR, None = none after baseline), missing and
    remission (visits without a UPCR and in remission), status and reason (EOSSTT and DCSREAS of ADSL).
    """
    rows = adam.events(adtte, "UPCRC")
    evaluable = adsl["USUBJID"].isin(rows["USUBJID"]).to_numpy()
    without = adsl["USUBJID"].isin(rows.loc[rows["event"] == 0, "USUBJID"]).to_numpy()
    state = states(adsl, adlb, "PROTCRT")
    best = np.where(state < 0, np.int8(1), state)
    possible = derive.endpoint(best, evaluable, adam.DAYS, p, adam.days_to(adsl, "RESCDT")).confirmed >= 0
    names = np.array([*(v.name for v in VISITS), None], object)
    frame = pd.DataFrame(
        {
            "arm": adsl["TRT01P"].to_numpy(object),
            "child": adsl["USUBJID"].to_numpy(object),
            "last": names[derive.last_seen(state)],
            "missing": (state < 0).sum(axis=1),
            "remission": (state > 0).sum(axis=1),
            "status": adsl["EOSSTT"].to_numpy(object),
            "reason": adsl["DCSREAS"].to_numpy(object),
        }
    )[possible & without]
    return frame.sort_values("arm", key=lambda s: s.map(ARMS.index), kind="stable", ignore_index=True)


def by_set(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """The primary endpoint in three sets: a row each, `set` and the columns of `rates.compared`.

    evaluable, as the primary analysis; all_randomised, where not evaluable is no remission; per_protocol, the
    evaluable with both infusions and no rescue (PPROTFL).
    """
    rows = adtte[adtte["PARAMCD"] == "UPCRC"]
    protocol = rows["USUBJID"].isin(adsl.loc[adsl["PPROTFL"] == "Y", "USUBJID"])
    sets = {"evaluable": rows, "all_randomised": rows.assign(ANL01FL="Y"), "per_protocol": rows[protocol]}
    return rates.table(({"set": name}, rates.from_adtte(part, "UPCRC")) for name, part in sets.items())


def by_visit(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """In remission by UPCR at each visit, last at any (`EVER`), of the evaluable children (UPCRFL).

    A row a visit: visit, the columns of `rates.compared` ({arm}_seen: with a value there), {arm}_complete: children
    in complete remission there. A child without a value counts as not in remission.
    """
    part = adsl[adsl["UPCRFL"] == "Y"]
    state, arm = states(part, adlb, "PROTCRT"), part["TRT01P"].to_numpy(object)
    everybody = np.ones(len(part), bool)
    rows = [
        ({"visit": visit.name}, rates.among(arm, everybody, at > 0, at >= 0))
        for visit, at in zip(VISITS, state.T, strict=True)
    ]
    rows.append(({"visit": EVER}, rates.from_adtte(adtte, "UPCRF")))
    found = rates.table(rows)
    complete = categories(part, adlb, "PROTCRT") == "complete"
    complete = np.column_stack([complete, complete.any(axis=1)])
    return found.assign(
        **{f"{key}_complete": complete[arm == name].sum(axis=0) for name, key in ARM_KEY.items()}
    )


def endpoints(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Remission or improvement by five measures, each confirmed, sustained, ever and at month 12.

    A row a measure (`MEASURES`) and kind (`KINDS`, `AT_LAST`): measure, kind, the columns of `rates.compared`. Each
    measure has its own set: who is evaluable for it (ANL01FL of ADTTE).
    """
    rows = []
    for measure in MEASURES:
        for kind, letter in KINDS.items():
            rows.append(({"measure": measure, "kind": kind}, rates.from_adtte(adtte, measure + letter)))
        evaluable = adsl["USUBJID"].isin(adam.events(adtte, f"{measure}C")["USUBJID"])
        at_last = states(adsl, adlb, adam.endpoint_paramcd(measure, p))[:, -1]
        arms = rates.among(adsl["TRT01P"], evaluable, at_last > 0, at_last >= 0)
        rows.append(({"measure": measure, "kind": AT_LAST}, arms))
    return rates.table(rows)


def each_child(adsl: pd.DataFrame, adlb: pd.DataFrame) -> pd.DataFrame:
    """State of UPCR remission of every randomised child at every visit, none after rescue.

    A row a child and visit, children in the order of ADSL: child, arm, visit, state. States: complete, partial, none,
    not attended (no sample), after drop-out (the visit was due after the child left), not evaluable (UPCRFL).
    """
    words = categories(adsl, adlb, "PROTCRT")
    end = adsl["EOSDT"].to_numpy("datetime64[D]")[:, None]
    due = adsl["TZERODT"].to_numpy("datetime64[D]")[:, None] + adam.DAYS.astype("timedelta64[D]")
    left = (adsl["EOSSTT"] == "DISCONTINUED").to_numpy()[:, None] & (due > end)
    words = np.where(pd.isna(words), np.where(left, "after drop-out", "not attended"), words)
    words = np.where((adsl["UPCRFL"] != "Y").to_numpy()[:, None], "not evaluable", words)
    times = len(VISITS)
    return pd.DataFrame(
        {
            "child": np.repeat(adsl["USUBJID"].to_numpy(object), times),
            "arm": np.repeat(adsl["TRT01P"].to_numpy(object), times),
            "visit": np.tile(np.array([v.name for v in VISITS], object), len(adsl)),
            "state": words.ravel(),
        }
    )


def agreement(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """Agreement on confirmed remission of two protein measures at a time, both arms together.

    A row a pair of `PAIRS`: first_measure, second_measure; n children evaluable for both; both, first, second, neither:
    in remission by both, by one alone, by neither; agreement (share); kappa (Cohen), lower, upper (95 %, Fleiss, Cohen
    and Everitt); note on what is missing. Source: `proportions.agreement`.
    """
    answers = {}
    for measure in dict.fromkeys(name for pair in PAIRS for name in pair):
        event = adam.events(adtte, f"{measure}C").set_index("USUBJID")["event"]
        answers[measure] = event.reindex(adsl["USUBJID"]).to_numpy(float)
    rows = []
    for one, other in PAIRS:
        found = proportions.agreement(answers[one], answers[other])
        (neither, second), (first, both) = found.table.tolist()
        rows.append(
            {
                "first_measure": one, "second_measure": other, "n": found.n,
                "both": both, "first": first, "second": second, "neither": neither,
                "agreement": found.agreement,
                "kappa": found.kappa, "lower": found.kappa_lower, "upper": found.kappa_upper,
                "note": found.message,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def categories(adsl: pd.DataFrame, adlb: pd.DataFrame, paramcd: str) -> NDArray:
    """AVALCAT1 of ADLB in words (children of ADSL, 11 visits); None where there is no value or none is judged."""
    words = adam.visit_array(adlb, adsl, paramcd, "AVALCAT1")[:, 1:].astype(object)
    return np.where(pd.isna(words), EMPTY, words)


def states(adsl: pd.DataFrame, adlb: pd.DataFrame, paramcd: str) -> NDArray:
    """State of remission or improvement (children of ADSL, 11 visits): 1, 0, -1 unknown. From AVALCAT1."""
    words = categories(adsl, adlb, paramcd)
    good = np.isin(words.astype(str), ["complete", "partial", "remission", "improved"])
    return np.where(pd.isna(words), -1, good).astype(np.int8)
