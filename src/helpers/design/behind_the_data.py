"""What the simulation knows of one trial and its tables don't tell, by arm: true effects, reasons for missing values.

Read by chapter 03, for the plan's own checks; no analysis sees it.
"""

import numpy as np
import pandas as pd

from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS


def true_effects(children: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """The declared effect on UPCR beside what the children truly have, free of measurement noise.

    children: the truth of each child, as `trial.record` writes it.

    One row an arm: `arm`; `children`; `declared`, the ratio of UPCR at full effect that the scenario
    assumes; medians over the children, NaN without children: `individual`, of the child's own ratio at full
    effect, and `change`, of true UPCR at month 12 over true UPCR before treatment.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> effects = behind_the_data.true_effects(latent, study.parameters)
    """
    before = next(column for column in children if column.startswith("log_upcr_day_-"))
    at_end = f"log_upcr_day_{VISITS[-1].day}"
    rows = []
    for arm in ARMS:
        mine = children[children["arm"] == arm]
        rows.append(
            {
                "arm": arm,
                "children": len(mine),
                "declared": p.upcr_effect if arm == "hUC-MSC" else 1.0,
                "individual": float(np.exp(mine["upcr_log_effect"].median())),
                "change": float(np.exp(mine[at_end] - mine[before]).median()),
            }
        )
    return pd.DataFrame(rows)


def missing_values(reasons: pd.DataFrame, randomisation: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Why laboratory values are missing, by test and arm.

    reasons: every missing value, `usubjid visit_no test reason`; randomisation, visits: raw tables.

    One row a test, reason and arm: `test`, `reason`, `arm`, `n` values missing for that reason, of `N`
    planned visits of the arm, screening included.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> missing = behind_the_data.missing_values(unmeasured, raw.randomisation, raw.visits)
    """
    arm = randomisation.set_index("usubjid")["arm"]
    planned = visits["usubjid"].map(arm)
    known = reasons.assign(arm=reasons["usubjid"].map(arm))
    rows = [
        (test, why, name, int((part["arm"] == name).sum()), int((planned == name).sum()))
        for (test, why), part in known.groupby(["test", "reason"])
        for name in ARMS
    ]
    return pd.DataFrame(rows, columns=["test", "reason", "arm", "n", "N"])
