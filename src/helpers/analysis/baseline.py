"""The children who are analysed: analysis sets, disposition, baseline, exposure, by arm as randomised.

ADSL and its neighbours in, long frames out: `item arm n N` for children, and `low q1 median q3 high`
beside them where an item is a number. Nothing is tested: after randomisation a difference at baseline is
chance.
"""

import pandas as pd

from helpers.analysis import adam, summaries
from helpers.study.estimands import ANALYSIS_SETS
from helpers.study.protocol import months

FORMS = ("X-linked", "recessive", "dominant", "digenic")
"""Forms of Alport syndrome, as ADSL's `GENOTYPE` names them."""

RECENT_RAS = 3
"""Months: RAS inhibition begun since is still lowering UPCR."""


def allocated(adsl: pd.DataFrame) -> pd.Series:
    """Arm by child, as randomised."""
    return adsl.set_index("USUBJID")["TRT01P"]


def sets(adsl: pd.DataFrame) -> pd.DataFrame:
    """Children in each analysis set, by arm: `item arm n N`; items are the flags of ADSL, in the plan's order.

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> sets = baseline.sets(adsl)
    """
    arm = allocated(adsl)
    flags = [flag for _, flag, *_ in ANALYSIS_SETS]
    parts = [summaries.children(flag, adsl.loc[adsl[flag] == "Y", "USUBJID"], arm) for flag in flags]
    return pd.concat(parts, ignore_index=True)


def disposition(adsl: pd.DataFrame) -> pd.DataFrame:
    """How the trial ended, by arm: `item arm n N`, and quartiles of the months observed.

    Items: completed, left, ongoing (still followed) where there are any, every reason for leaving by alphabet, and
    months_observed, from the planned last infusion to last contact.

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> disposition = baseline.disposition(adsl)
    """
    arm = allocated(adsl)
    ended = {code: word for word, code in adam.END_OF_STUDY.items()}
    found = summaries.disposition(adsl["USUBJID"], adsl["EOSSTT"].map(ended), adsl["DCSREAS"], arm)
    observed = pd.Series(months((adsl["EOSDT"] - adsl["TZERODT"]).dt.days), index=adsl["USUBJID"])
    return pd.concat([found, summaries.quartiles("months_observed", observed, arm)], ignore_index=True)


def characteristics(adsl: pd.DataFrame, adlb: pd.DataFrame) -> pd.DataFrame:
    """The children at baseline, by arm.

    Items are columns of ADSL or parameters of ADLB (record flagged `ABLFL`) for numbers, with quartiles,
    and for shares of children: boys, the `FORMS`, RASFL (on RAS inhibition at consent), ras_recent (begun
    within `RECENT_RAS` months).

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> characteristics = baseline.characteristics(adsl, adlb)
    """
    arm = allocated(adsl)
    by_child = adsl.set_index("USUBJID")
    flagged = adlb[adlb["ABLFL"] == "Y"]

    def number(column: str) -> pd.DataFrame:
        return summaries.quartiles(column, by_child[column], arm)

    def measured(paramcd: str) -> pd.DataFrame:
        values = flagged[flagged["PARAMCD"] == paramcd].set_index("USUBJID")["AVAL"]
        return summaries.quartiles(paramcd, values, arm)

    def share(item: str, chosen: pd.Series) -> pd.DataFrame:
        return summaries.children(item, by_child.index[chosen], arm)

    parts = [
        number("AGE"),
        share("boys", by_child["SEX"] == "M"),
        *(share(form, by_child["GENOTYPE"] == form) for form in FORMS),
        number("HEIGHTBL"),
        number("WEIGHTBL"),
        share("RASFL", by_child["RASFL"] == "Y"),
        number("RASMON"),
        share("ras_recent", by_child["RASMON"] < RECENT_RAS),
        *(number(column) for column in ("UPCRBL", "RBCBL", "EGFRBL")),
        *(measured(paramcd) for paramcd in ("PROT24H", "CREAT", "CYSTATC", "BUN")),
    ]
    return pd.concat(parts, ignore_index=True)


def exposure(adsl: pd.DataFrame, infusions: pd.DataFrame) -> pd.DataFrame:
    """What the children received, by arm as randomised.

    infusions: the raw table, for the cells given.

    Items: infusions_2, infusions_1, infusions_0 (children with so many); cells_per_kg, one value an
    infusion that held cells, in million cells per kg of the screening weight; days_between, one value a
    child with both infusions.

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> exposure = baseline.exposure(adsl, study.read('infusions'))
    """
    arm = allocated(adsl)
    by_child = adsl.set_index("USUBJID")
    held = infusions[(infusions["given"] == "yes") & (infusions["cells"] > 0)].set_index("usubjid")
    per_kg = held["cells"] / held.index.map(by_child["WEIGHTBL"]) / 1e6
    between = (by_child["TRTEDT"] - by_child["TRTSDT"]).dt.days.where(by_child["NINFUS"] == 2)
    parts = [
        summaries.children(f"infusions_{n}", by_child.index[by_child["NINFUS"] == n], arm) for n in (2, 1, 0)
    ]
    parts += [summaries.quartiles("cells_per_kg", per_kg, arm)]
    parts += [summaries.quartiles("days_between", between, arm)]
    return pd.concat(parts, ignore_index=True)
