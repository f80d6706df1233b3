"""Who enters the trial and who is analysed: criteria met, attrition, contested readings, CONSORT counts.

Tables in (screening, ADIE, ADSL), frames of counts out. A child with a failed criterion is a screen
failure; one without, but with an unknown, is pending; the others are eligible.
"""

import numpy as np
import pandas as pd

from helpers.study import eligibility
from helpers.study.eligibility import CRITERIA, ELIGIBLE, IDS, STATUS
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS
from helpers.study.scenario import Study
from helpers.study.tables import to_arrays

SAME_FACT = {"E1": "I1", "E11": "I6"}
"""Exclusion criteria that ask for the same fact as an inclusion criterion: counted once as a reason."""


def criteria_met(screening: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """ADIE: every criterion against every screened child, MET, NOT MET or UNKNOWN in `AVALC`.

    One row a child and criterion, children in the order of `screening`, criteria as registered.

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> flow.criteria_met(screening, other)
    """
    values = eligibility.evaluate(to_arrays("screening", screening), p)
    return eligibility.adie(screening["usubjid"].to_numpy(object), values)


def screened(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The screened children of a study, and ADIE of them (`criteria_met`), which is written to its folder.

    Raises Problem where the table of screened children can't be had.

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> screening, adie = flow.screened(study)
    """
    screening = study.read("screening")
    return screening, study.write("adie", criteria_met(screening, study.parameters))


def status(adie: pd.DataFrame) -> pd.DataFrame:
    """Screening status of every child, and why.

    One row a screened child, in their order: `child`; `status` ("eligible", "pending", "screen failure");
    `failed` and `unknown`, the ids of the criteria in protocol order, joined by commas, empty if none.

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> status = flow.status(adie)
    """
    ids, values = eligibility.from_adie(adie)
    names = np.array(IDS, object)
    return pd.DataFrame(
        {
            "child": ids,
            "status": [STATUS[int(one)] for one in eligibility.status(values)],
            "failed": [", ".join(names[column < 0]) for column in values.T],
            "unknown": [", ".join(names[column == 0]) for column in values.T],
        }
    )


def attrition(adie: pd.DataFrame) -> pd.DataFrame:
    """Each criterion alone, and all of them in protocol order.

    One row a criterion: `criterion` (id), `registered` (its text), then counts of children: `screened`;
    `failed_alone` and `unknown_alone`, whatever the other criteria say; `failed_first`, who fail here and
    failed none before; `not_failed_so_far`, pending ones included; `met_so_far`, who met each one so far.

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> attrition = flow.attrition(adie)
    """
    _, values = eligibility.from_adie(adie)
    failed_before = np.cumsum(values < 0, axis=0) - (values < 0) > 0
    return pd.DataFrame(
        {
            "criterion": IDS,
            "registered": [criterion.registered for criterion in CRITERIA],
            "screened": values.shape[1],
            "failed_alone": (values < 0).sum(axis=1),
            "unknown_alone": (values == 0).sum(axis=1),
            "failed_first": ((values < 0) & ~failed_before).sum(axis=1),
            "not_failed_so_far": (np.minimum.accumulate(values) >= 0).sum(axis=1),
            "met_so_far": (np.minimum.accumulate(values) > 0).sum(axis=1),
        }
    )


def contested(screening: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """How many children each contested reading would change: all criteria again, with that one changed.

    One row a reading: `reading` (in the register's words), `parameter` and its other `value`, then counts
    of children: `screened`; `changed`, whose status is another; `newly_eligible`; `no_longer_eligible`;
    `eligible` under the other reading. A reading already in force is held against the default.

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> contested = flow.contested(screening, study.parameters)
    """
    columns = to_arrays("screening", screening)
    now = eligibility.status(eligibility.evaluate(columns, p))
    rows = []
    for name, value, words in eligibility.CONTESTED:
        if getattr(p, name) == value:
            value = type(p).model_fields[name].default
            words = f"{name} as by default: {value}"
        other = eligibility.status(eligibility.evaluate(columns, p.model_copy(update={name: value})))
        rows.append(
            {
                "reading": words,
                "parameter": name,
                "value": str(value),
                "screened": now.size,
                "changed": int((other != now).sum()),
                "newly_eligible": int(((other == ELIGIBLE) & (now != ELIGIBLE)).sum()),
                "no_longer_eligible": int(((other != ELIGIBLE) & (now == ELIGIBLE)).sum()),
                "eligible": int((other == ELIGIBLE).sum()),
            }
        )
    return pd.DataFrame(rows)


def consort(adie: pd.DataFrame, adsl: pd.DataFrame | None = None) -> pd.DataFrame:
    """The counts of a CONSORT flow chart: screening alone, or with ADSL all of it.

    One row a box, and after all boxes one row a reason within a box:

    - `box`: screened, screen_failure, pending, eligible; with ADSL not_needed (eligible, not randomised, where there
      are any), randomised, and in each arm allocated, treated (any infusion), discontinued (before month 12), ongoing
      (still followed, where there are any), analysed (for the primary endpoint: all randomised)
    - `arm`: arm of an arm's box, else None
    - `reason`: None for the box itself. In screen_failure and pending the id of a criterion, most frequent first (a
      child may have several; `SAME_FACT` is counted once); in eligible, with ADSL, "failed" and "unknown": children who
      were randomised though a criterion failed or was unknown, as happens in a real trial; in treated "both infusions"
      and "one infusion"; in discontinued the recorded reason, or "no reason"; in analysed "evaluable" (the supplement's
      children) and "not evaluable" (UPCRFL)
    - `children`: how many

    Examples
    --------
    As notebook 02-eligibility calls it:

    >>> consort = flow.consort(adie)
    """
    ids, values = eligibility.from_adie(adie)
    outcome = eligibility.status(values)
    reasons: list[tuple[str, str | None, str | None, int]] = []
    if adsl is not None:
        # whoever was randomised passed screening, whatever the criteria say of the tables now
        passed = np.isin(ids, adsl["USUBJID"].to_numpy(object))
        for why, value in (("failed", eligibility.SCREEN_FAILURE), ("unknown", eligibility.PENDING)):
            count = int((passed & (outcome == value)).sum())
            reasons += [("eligible", None, why, count)] * bool(count)
        spare = int(((outcome == ELIGIBLE) & ~passed).sum())
        outcome = np.where(passed, ELIGIBLE, outcome)
    boxes: list[tuple[str, str | None, str | None, int]] = [("screened", None, None, len(ids))]
    boxes += [
        (name, None, None, int((outcome == value).sum()))
        for name, value in (
            ("screen_failure", eligibility.SCREEN_FAILURE),
            ("pending", eligibility.PENDING),
            ("eligible", ELIGIBLE),
        )
    ]
    reasons += _criteria("screen_failure", values[:, outcome == eligibility.SCREEN_FAILURE] < 0)
    reasons += _criteria("pending", values[:, outcome == eligibility.PENDING] == 0)
    if adsl is not None:
        boxes += [("not_needed", None, None, spare)] * bool(spare)
        boxes.append(("randomised", None, None, len(adsl)))
        for arm in ARMS:
            mine = adsl[adsl["TRT01P"] == arm]
            evaluable = int((mine["UPCRFL"] == "Y").sum())
            left = mine.loc[mine["EOSSTT"] == "DISCONTINUED", "DCSREAS"].fillna("no reason")
            followed = int((mine["EOSSTT"] == "ONGOING").sum())
            boxes += [
                ("allocated", arm, None, len(mine)),
                ("treated", arm, None, int((mine["SAFFL"] == "Y").sum())),
                ("discontinued", arm, None, len(left)),
                *[("ongoing", arm, None, followed)] * bool(followed),
                ("analysed", arm, None, len(mine)),
            ]
            reasons += [
                ("treated", arm, "both infusions", int((mine["NINFUS"] == 2).sum())),
                ("treated", arm, "one infusion", int((mine["NINFUS"] == 1).sum())),
            ]
            reasons += [("discontinued", arm, why, int((left == why).sum())) for why in sorted(left.unique())]
            reasons += [
                ("analysed", arm, "evaluable", evaluable),
                ("analysed", arm, "not evaluable", len(mine) - evaluable),
            ]
    return pd.DataFrame(boxes + reasons, columns=["box", "arm", "reason", "children"])


def _criteria(box: str, of: np.ndarray) -> list[tuple]:
    """Rows of a box: children for whom each criterion is a reason; `of` is (criteria, children in the box)."""
    counted = [(box, None, name, int(row.sum())) for name, row in zip(IDS, of, strict=True)]
    return sorted(
        (row for row in counted if row[3] and row[2] not in SAME_FACT), key=lambda row: row[3], reverse=True
    )
