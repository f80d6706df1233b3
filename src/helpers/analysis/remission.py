"""Remission endpoints by arm: the primary one, whom it leaves open, other sets, every visit, every measure.

Tables of ADaM in, tidy frames out. A rate counts every child of its analysis set; who was not seen in remission has
none. The columns of rates are those of `rates.compared`. Only the primary endpoint has a p-value here; `sequence` has
the other tests.

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
PROTEIN = ("UPCR", "P24", "DIP")
"""Measures that are asked of all randomised, as the primary is; the others of those evaluable for them."""
SETS = ("all_randomised", "evaluable")
"""The primary analysis, and the supplement in its table."""
KINDS = {"confirmed": "C", "sustained": "S", "ever": "F"}
"""How a remission counts over the year: last letter of its PARAMCD."""
AT_LAST = "month12"
"""Beside them: in remission at the last visit."""
STATES = ("complete", "partial", "none", "not attended", "after drop-out", "not yet due")
"""What a visit of an evaluable child can be."""
EVER = "ever"
"""The row of `by_visit` for any visit."""
PAIRS = (("UPCR", "P24"), ("UPCR", "DIP"), ("P24", "DIP"))
"""Protein measures whose answers are compared."""


def primary(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Confirmed remission by UPCR in all randomised, who has no answer counted as no remission; then the supplement.

    A row a set of `SETS`: set, the columns of `rates.compared`; {arm}_undetermined, the children of `undetermined`; p,
    two-sided, of Boschloo's test; decided, whether p is at or below `p.alpha`. The supplement, the children with an
    evaluable baseline, has no p (NaN), nor has a comparison of which an arm has no rate.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> primary = remission.primary(adsl, adlb, adtte, study.parameters)
    """
    opened, rows = undetermined(adsl, adlb, adtte, p), []
    for name in SETS:
        everyone = name == "all_randomised"
        control, active = rates.from_adtte(adtte, "UPCRC", everyone)
        row = {"set": name} | rates.compared((control, active))
        asked = opened.loc[opened["evaluable"] | everyone, "arm"]
        row |= {f"{key}_undetermined": int((asked == arm).sum()) for arm, key in ARM_KEY.items()}
        tested = everyone and not row["note"]
        test = proportions.boschloo(control.x, control.n, active.x, active.n) if tested else np.nan
        rows.append(row | {"p": test, "decided": bool(test <= p.alpha)})
    return pd.DataFrame(rows)


def undetermined(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Children without confirmed remission whom values that nobody has might have given one.

    Found by filling each visit without a state with remission, and deriving again. A baseline below the threshold
    answers the question; one that is missing does not.

    A row a child, placebo first, each arm in the order of ADSL: arm, child, evaluable (has a baseline UPCR at the
    threshold or above), last (visit of the last UPCR, None = none after baseline), missing and remission (visits
    without a UPCR and in remission), status and reason (EOSSTT and DCSREAS of ADSL).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> undetermined = remission.undetermined(adsl, adlb, adtte, study.parameters)
    """
    rows = adam.events(adtte, "UPCRC")
    evaluable = adsl["USUBJID"].isin(rows["USUBJID"]).to_numpy()
    with_event = adsl["USUBJID"].isin(rows.loc[rows["event"] == 1, "USUBJID"]).to_numpy()
    open_ = evaluable | adsl["UPCRBL"].isna().to_numpy()
    state = states(adsl, adlb, "PROTCRT")
    seen = ~np.isnan(adam.visit_array(adlb, adsl, "PROTCRT")[:, 1:].astype(float))
    best = np.where(state < 0, np.int8(1), state)
    possible = derive.endpoint(best, open_, adam.DAYS, p, adam.days_to(adsl, "NOREMDT")).confirmed >= 0
    names = np.array([*(v.name for v in VISITS), None], object)
    frame = pd.DataFrame(
        {
            "arm": adsl["TRT01P"].to_numpy(object),
            "child": adsl["USUBJID"].to_numpy(object),
            "evaluable": evaluable,
            "last": names[derive.last_seen(np.where(seen, 0, -1))],
            "missing": (~seen).sum(axis=1),
            "remission": (state > 0).sum(axis=1),
            "status": adsl["EOSSTT"].to_numpy(object),
            "reason": adsl["DCSREAS"].to_numpy(object),
        }
    )[possible & ~with_event]
    return frame.sort_values("arm", key=lambda s: s.map(ARMS.index), kind="stable", ignore_index=True)


def by_set(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """The primary endpoint in three sets: a row each, `set` and the columns of `rates.compared`.

    all_randomised, as the primary analysis, where not evaluable is no remission; evaluable, of these the children with
    an evaluable baseline; per_protocol, of all randomised those with both infusions and no rescue (PPROTFL).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> sets = remission.by_set(adsl, adtte)
    """
    protocol = adtte["USUBJID"].isin(adsl.loc[adsl["PPROTFL"] == "Y", "USUBJID"])
    sets = {
        "all_randomised": rates.from_adtte(adtte, "UPCRC", everyone=True),
        "evaluable": rates.from_adtte(adtte, "UPCRC"),
        "per_protocol": rates.from_adtte(adtte[protocol], "UPCRC", everyone=True),
    }
    return rates.table(({"set": name}, arms) for name, arms in sets.items())


def by_visit(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """In remission by UPCR at each visit, last at any (`EVER`), of all randomised.

    A row a visit: visit, the columns of `rates.compared` ({arm}_seen: of the evaluable with a value there),
    {arm}_complete: children in complete remission there. A child without a value, or not evaluable, counts as not in
    remission.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> visits = remission.by_visit(adsl, adlb, adtte)
    """
    state, arm = states(adsl, adlb, "PROTCRT"), adsl["TRT01P"].to_numpy(object)
    everybody = np.ones(len(adsl), bool)
    rows = [
        ({"visit": visit.name}, rates.among(arm, everybody, at > 0, at >= 0))
        for visit, at in zip(VISITS, state.T, strict=True)
    ]
    rows.append(({"visit": EVER}, rates.from_adtte(adtte, "UPCRF", everyone=True)))
    found = rates.table(rows)
    complete = categories(adsl, adlb, "PROTCRT") == "complete"
    complete = np.column_stack([complete, complete.any(axis=1)])
    return found.assign(
        **{f"{key}_complete": complete[arm == name].sum(axis=0) for name, key in ARM_KEY.items()}
    )


def endpoints(adsl: pd.DataFrame, adlb: pd.DataFrame, adtte: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Remission or improvement by five measures, each confirmed, sustained, ever and at month 12.

    A row a measure (`MEASURES`) and kind (`KINDS`, `AT_LAST`): measure, kind, the columns of `rates.compared`. Those of
    `PROTEIN` are asked of all randomised, the others of who is evaluable for them (ANL01FL of ADTTE).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> endpoints = remission.endpoints(adsl, adlb, adtte, study.parameters)
    """
    rows = []
    for measure in MEASURES:
        everyone = measure in PROTEIN
        for kind, letter in KINDS.items():
            arms = rates.from_adtte(adtte, measure + letter, everyone)
            rows.append(({"measure": measure, "kind": kind}, arms))
        evaluable = adsl["USUBJID"].isin(adam.events(adtte, f"{measure}C")["USUBJID"])
        at_last = states(adsl, adlb, adam.endpoint_paramcd(measure, p))[:, -1]
        arms = rates.among(adsl["TRT01P"], evaluable | everyone, at_last > 0, at_last >= 0)
        rows.append(({"measure": measure, "kind": AT_LAST}, arms))
    return rates.table(rows)


def each_child(adsl: pd.DataFrame, adlb: pd.DataFrame) -> pd.DataFrame:
    """State of UPCR remission of every randomised child at every visit, none after rescue.

    A row a child and visit, children in the order of ADSL: child, arm, visit, state. States: complete, partial, none,
    not attended (no sample), after drop-out (the visit was due after the child left), not yet due (after the last
    contact of a child who is still followed), not evaluable (UPCRFL).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> states = remission.each_child(adsl, adlb)
    """
    words = categories(adsl, adlb, "PROTCRT")
    end = adsl["EOSDT"].to_numpy("datetime64[D]")[:, None]
    due = adsl["TZERODT"].to_numpy("datetime64[D]")[:, None] + adam.DAYS.astype("timedelta64[D]")
    status, later = adsl["EOSSTT"].to_numpy(object)[:, None], due > end
    why = np.where(later & (status == "DISCONTINUED"), "after drop-out", "not attended").astype(object)
    why = np.where(later & (status == "ONGOING"), "not yet due", why)
    words = np.where(pd.isna(words), why, words)
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


def state_counts(states: pd.DataFrame) -> pd.DataFrame:
    """How many of the children's visits were in each state, those of children not evaluable left out.

    states: from `each_child`. A row a state: state, n. The states are `STATES`, then seen (with an answer) and in
    remission (of these). "not yet due" stands only where there is one.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> counts = remission.state_counts(states)
    """
    found = states["state"].value_counts()
    n = found.reindex([one for one in STATES if one in found or one != "not yet due"], fill_value=0)
    good = int(n[["complete", "partial"]].sum())
    rows = [*n.items(), ("seen", good + int(n["none"])), ("in remission", good)]
    return pd.DataFrame(rows, columns=["state", "n"])


def agreement(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """Agreement on confirmed remission of two protein measures at a time, both arms together.

    A row a pair of `PAIRS`: first_measure, second_measure; n children evaluable for both; both, first, second, neither:
    in remission by both, by one alone, by neither; agreement (share); kappa (Cohen), lower, upper (95 %, Fleiss, Cohen
    and Everitt); note on what is missing. Source: `proportions.agreement`.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> agreement = remission.agreement(adsl, adtte)
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
