"""Every number that is compared, with its verdict: reference, ours on the same data, and whether they agree.

The one gate of the validation: nothing passes that `agrees` or `rounds_to` does not let pass.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from helpers.design import against_papers, against_r
from helpers.design.references import Pair


def agrees(reference: float, ours: float, digits: int) -> bool:
    """Whether two numbers differ by at most 10^-digits of the reference (absolute where that is zero).

    Both missing (a median not reached, say) is agreement, one missing is none.

    >>> agrees(2.0, 2.00019, 4), agrees(2.0, 2.00021, 4)
    (True, False)
    """
    if np.isnan(reference) or np.isnan(ours):
        return bool(np.isnan(reference) and np.isnan(ours))
    return bool(abs(ours - reference) <= 10.0**-digits * (abs(reference) or 1.0))


def rounds_to(reference: float, ours: float, decimals: int) -> bool:
    """Whether ours rounds to a number printed with so many decimals.

    Half a unit of the last one, and what the linear algebra of two processors may differ by.

    >>> rounds_to(16.79, 16.794, 2), rounds_to(16.79, 16.796, 2)
    (True, False)
    """
    return bool(abs(ours - reference) <= 0.5 * 10.0**-decimals + 1e-9 * abs(reference))


def every() -> pd.DataFrame:
    """Every number compared, R's first.

    Returns
    -------
    A row a number: method, data (file or where the data are), quantity, key (in the reference file), source, reference,
    ours, required (significant digits that must agree), passes, reason (why fewer than of others of its kind, else
    empty), origin (the source without the key).

    Examples
    --------
    As notebook 09-validation calls it:

    >>> every = comparisons.every()
    """
    pairs = [*against_r.pairs(), *against_papers.pairs()]
    frame = pd.DataFrame([asdict(pair) for pair in pairs]).drop(columns="decimals")
    return frame.assign(
        passes=[_passes(pair) for pair in pairs],
        origin=[text.partition(":")[0] if text.startswith("R ") else text for text in frame["source"]],
    )


KINDS = (
    "R, on a made-up trial",
    "printed in the source",
    "computed, on published data or from a closed form",
)
"""What a number may be held against."""


def by_kind(compared: pd.DataFrame) -> pd.DataFrame:
    """The rows of `every` by what they are held against.

    Returns
    -------
    A row for each of `KINDS`: kind, methods and compared (how many), required (the fewest significant digits that must
    agree), failed (how many do not).

    Examples
    --------
    As notebook 09-validation calls it:

    >>> by_kind = comparisons.by_kind(every)
    """
    source = compared["source"]
    of_r, printed = source.str.startswith("R "), source.str.endswith("(printed)")
    rows = []
    for kind, mine in zip(KINDS, (of_r, printed & ~of_r, ~of_r & ~printed), strict=True):
        part = compared[mine]
        rows.append(
            {
                "kind": kind,
                "methods": part["method"].nunique(),
                "compared": len(part),
                "required": part["required"].min(),
                "failed": int((~part["passes"].astype(bool)).sum()),
            }
        )
    return pd.DataFrame(rows)


def by_method(compared: pd.DataFrame) -> pd.DataFrame:
    """The rows of `every`, one for each method, data set and origin.

    Returns
    -------
    method, data, source (origin), compared (how many numbers), quantities, passes (whether all do), reason (all
    reasons), and of an example (the first number that fails, or else of those of which least is asked) its key as
    `example`, reference, ours and required.

    Examples
    --------
    As notebook 09-validation calls it:

    >>> by_method = comparisons.by_method(every)
    """
    rows = []
    for (method, data, origin), part in compared.groupby(["method", "data", "origin"], sort=False):
        example = part.loc[part["required"].where(part["passes"], -1).idxmin()]
        rows.append(
            {
                "method": method,
                "data": data,
                "source": origin,
                "compared": len(part),
                "quantities": ", ".join(dict.fromkeys(part["quantity"])),
                "example": example["key"],
                "reference": example["reference"],
                "ours": example["ours"],
                "required": example["required"],
                "passes": bool(part["passes"].all()),
                "reason": "; ".join(dict.fromkeys(reason for reason in part["reason"] if reason)),
            }
        )
    return pd.DataFrame(rows)


def _passes(pair: Pair) -> bool:
    if pair.decimals is None:
        return agrees(pair.reference, pair.ours, pair.required)
    return rounds_to(pair.reference, pair.ours, pair.decimals)
