"""What `selection` found, as frames: falls from selection alone, remissions of children who don't change."""

import numpy as np
import pandas as pd

from helpers.design import selection
from helpers.study.parameters import Parameters


def falls(p: Parameters) -> pd.DataFrame:
    """Change of UPCR in stable children after selection on it, a row for each threshold and baseline.

    Columns: threshold (mg/mg), baseline (one of selection.BASELINES), children (selected), and for each
    time of selection.AT the geometric mean change in % with its 95 % Monte Carlo interval (<time>, <time>_low,
    <time>_high); halved: % of them at half the baseline or less at month 12. NaN: nobody is selected.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> falls = artefacts.falls(study.parameters)
    """
    found = selection.shown(p)["selection"]
    rows = []
    for threshold in selection.THRESHOLDS:
        for baseline in selection.BASELINES:
            stem = f"{threshold:g} {baseline}"
            row = {
                "threshold": threshold,
                "baseline": baseline,
                "children": int(found[f"{threshold:g} n"][0]),
            }
            for when in selection.AT:
                for name, value in zip(("", "_low", "_high"), found[f"{stem} {when}"], strict=True):
                    row[when + name] = np.nan if value is None else 100 * float(np.expm1(value))
            halved = found[f"{stem} halved"][0]
            row["halved"] = np.nan if halved is None else 100 * halved
            rows.append(row)
    return pd.DataFrame(rows)


def remissions(p: Parameters) -> pd.DataFrame:
    """% of children whose disease does not change and who are counted as remitted, a row for each noise and definition.

    Columns: noise (independent or as assumed), sd (of independent noise, log UPCR; else NaN), level (true
    UPCR, mg/mg), definition, and how it is counted: any visit, confirmed at the next visit, confirmed, month 12.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> remissions = artefacts.remissions(study.parameters)
    """
    return pd.DataFrame(selection.shown(p)["stable"])
