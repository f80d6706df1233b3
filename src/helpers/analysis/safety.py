"""Adverse events from the first infusion on, by treatment received, in the safety set.

The safety set holds whoever had any infusion. A child who got another product than allocated counts under
what it got (`TRT01A`).
"""

import pandas as pd

from helpers.analysis import summaries
from helpers.estimators.proportions import clopper_pearson


def received(adsl: pd.DataFrame) -> pd.Series:
    """Treatment received, by child of the safety set."""
    return adsl[adsl["SAFFL"] == "Y"].set_index("USUBJID")["TRT01A"]


def adverse_events(adsl: pd.DataFrame, adae: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Children with treatment-emergent adverse events, by treatment received.

    One row a kind of event and treatment: `item` (any, serious, within_24h of an infusion, fever,
    infection, other), `arm` (received), `n` children with at least one event of `N` treated, `events`, and
    `lower upper`, the exact interval of Clopper and Pearson for the share, NaN where nobody was treated.
    Raises ValueError for a level outside (0, 1).
    """
    emergent = adae[adae["TRTEMFL"] == "Y"]
    kinds = {
        "any": emergent["AEDECOD"].notna(),
        "serious": emergent["AESER"] == "Y",
        "within_24h": emergent["AE24HFL"] == "Y",
        "fever": emergent["AEDECOD"] == "fever",
        "infection": emergent["AEDECOD"] == "infection",
        "other": emergent["AEDECOD"] == "other",
    }
    out = summaries.events(emergent["USUBJID"], kinds, received(adsl))
    out["lower"], out["upper"] = clopper_pearson(out["n"], out["N"], level)
    return out


def no_event_excludes(adsl: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """What it would mean that no child of an arm had a given event: the largest rate it leaves possible.

    One row a treatment received: `arm`, `N` treated, `upper` (of the two-sided exact interval at `level`)
    and `upper_one_sided` (the one-sided bound at `level`), proportions; NaN where nobody was treated.
    Raises ValueError for a level outside (0.5, 1).

    Examples
    --------
    >>> adsl = pd.DataFrame({"USUBJID": ["a", "b"], "SAFFL": "Y", "TRT01A": ["Placebo", "hUC-MSC"]})
    >>> no_event_excludes(adsl)[["N", "upper_one_sided"]].round(2).values.tolist()
    [[1.0, 0.95], [1.0, 0.95]]
    """
    treated = summaries.children("treated", received(adsl).index, received(adsl))
    return pd.DataFrame(
        {
            "arm": treated["arm"],
            "N": treated["N"],
            "upper": clopper_pearson(0, treated["N"], level)[1],
            "upper_one_sided": clopper_pearson(0, treated["N"], 2 * level - 1)[1],
        }
    )
