"""The primary endpoint under the other strategy of each intercurrent event (ICH E9(R1)), and in subgroups.

Tables of ADaM in, tidy frames out; the columns of rates are those of `rates.compared`. No p-value, and no test of
interaction: a trial of this size can't tell whether an effect differs between groups.

Example:

    estimands(adsl, adlb, adae, p).set_index("strategy")["difference"]
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam, derive, rates
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS

ILLNESSES = ("infection", "fever")
"""AEDECOD of what may raise UPCR for a while."""
SUBGROUPS = ("SEX", "GENOTYPE", "RASFL")
"""Columns of ADSL, all known before randomisation."""


def estimands(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Confirmed remission by UPCR among the evaluable children (UPCRFL), derived anew under each strategy.

    A row a strategy: strategy, the columns of `rates.compared`. main: the plan, no remission after rescue; ras: none
    after a change of RAS inhibition either; rescue: outcomes as observed; infection: visits of `ill_visits` left out;
    per_protocol: the plan, in those with both infusions and no rescue (PPROTFL).
    """
    upcr, base = adam.visit_array(adlb, adsl, "PROTCRT")[:, 1:].astype(float), adsl["UPCRBL"].to_numpy(float)
    well = np.where(ill_visits(adsl, adlb, adae), np.nan, upcr)
    rescue, ras = adam.days_to(adsl, "RESCDT"), adam.days_to(adsl, "RASCHDT")
    evaluable, protocol = ((adsl[flag] == "Y").to_numpy() for flag in ("UPCRFL", "PPROTFL"))
    ways = {
        "main": (upcr, rescue, evaluable),
        "ras": (upcr, np.minimum(rescue, ras), evaluable),
        "rescue": (upcr, np.inf, evaluable),
        "infection": (well, rescue, evaluable),
        "per_protocol": (upcr, rescue, evaluable & protocol),
    }
    rows = []
    for strategy, (values, none_after, inside) in ways.items():
        e = derive.upcr_endpoint(values, base, adam.DAYS, p, none_after)
        arms = rates.among(adsl["TRT01P"], inside, e.confirmed >= 0, (e.state >= 0).any(axis=1))
        rows.append(({"strategy": strategy}, arms))
    return rates.table(rows)


def ill_visits(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame) -> NDArray:
    """Whether the UPCR of a visit was taken within an infection or a fever: bool (children of ADSL, 11 visits).

    First and last day of the event count; one without an end goes on.
    """
    samples = adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["ABLFL"].isna()]
    both = samples.merge(adae[adae["AEDECOD"].isin(ILLNESSES)], on="USUBJID")
    ends = both["AENDT"].fillna(pd.Timestamp.max)
    both = both[(both["ADT"] >= both["ASTDT"]) & (both["ADT"] <= ends)]
    out = np.zeros((len(adsl), len(VISITS)), bool)
    out[pd.Index(adsl["USUBJID"]).get_indexer(both["USUBJID"]), both["AVISITN"].to_numpy(int) - 1] = True
    return out


def subgroups(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """Confirmed remission by UPCR among the evaluable children of each subgroup known before treatment.

    A row a value: variable (of `SUBGROUPS`), value (SEX M, F; GENOTYPE in alphabetical order; RASFL Y, N), the columns
    of `rates.compared`.
    """
    values = {"SEX": ("M", "F"), "GENOTYPE": sorted(adsl["GENOTYPE"].dropna().unique()), "RASFL": ("Y", "N")}
    rows = []
    for variable in SUBGROUPS:
        for value in values[variable]:
            part = adtte[adtte["USUBJID"].isin(adsl.loc[adsl[variable] == value, "USUBJID"])]
            rows.append(({"variable": variable, "value": value}, rates.from_adtte(part, "UPCRC")))
    return rates.table(rows)
