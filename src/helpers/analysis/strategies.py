"""The primary endpoint under the other strategy of each intercurrent event (ICH E9(R1)), and in subgroups.

Tables of ADaM in, tidy frames out; the columns of rates are those of `rates.compared`. No p-value, and no test of
interaction: a trial of this size can't tell whether an effect differs between groups.

Example:

    estimands(adsl, adlb, adae, p).set_index("strategy")["difference"]
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.analysis import adam, derive, rates, summaries
from helpers.study.codebook import TABLES, TERMINAL
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, VISITS

SUBGROUPS = ("SEX", "GENOTYPE", "RASFL")
"""Columns of ADSL, all known before randomisation."""
FEW = 5
"""Children of a subgroup, both arms together, below which no difference is given."""


def estimands(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Confirmed remission by UPCR in all randomised, derived anew under each strategy; not evaluable = no remission.

    A row a strategy: strategy, the columns of `rates.compared`. main: the plan, no remission after rescue, death,
    kidney replacement or consent withdrawn for harm; ras: none after a start or rise of RAS inhibition either; rescue:
    outcomes as observed after rescue; infection: visits of `ill_visits` left out; per_protocol: the plan, in those with
    both infusions and no rescue (PPROTFL). All but the first are supplementary estimands.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> estimands = strategies.estimands(adsl, adlb, adae, study.parameters)
    """
    upcr, base = adam.visit_array(adlb, adsl, "PROTCRT")[:, 1:].astype(float), adsl["UPCRBL"].to_numpy(float)
    well = np.where(ill_visits(adsl, adlb, adae), np.nan, upcr)
    none, rescue, ras = (adam.days_to(adsl, column) for column in ("NOREMDT", "RESCDT", "RASCHDT"))
    # of one day the event that ends everything counts
    terminal = np.where(none < rescue, none, np.inf)
    everyone, protocol = np.ones(len(adsl), bool), (adsl["PPROTFL"] == "Y").to_numpy()
    ways = {
        "main": (upcr, none, everyone),
        "ras": (upcr, np.minimum(none, ras), everyone),
        "rescue": (upcr, terminal, everyone),
        "infection": (well, none, everyone),
        "per_protocol": (upcr, none, protocol),
    }
    rows = []
    for strategy, (values, none_after, inside) in ways.items():
        e = derive.upcr_endpoint(values, base, adam.DAYS, p, none_after)
        arms = rates.among(adsl["TRT01P"], inside, e.confirmed >= 0, (e.state >= 0).any(axis=1))
        rows.append(({"strategy": strategy}, arms))
    return rates.table(rows)


def occurred(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame) -> pd.DataFrame:
    """Children to whom each intercurrent event happened, by arm: `item arm n N`.

    Items: infusion (one or both not given), ras (started or raised), ras_stop (stopped or lowered), rescue, terminal
    (death, kidney replacement, consent withdrawn for harm), infection (infection or fever at a visit with a UPCR).

    Examples
    --------
    As notebook 06-remission calls it:

    >>> events = strategies.occurred(adsl, adlb, adae)
    """
    arm = adsl.set_index("USUBJID")["TRT01P"]
    found = {
        "infusion": adsl["NINFUS"] < 2,
        "ras": adsl["RASCHDT"].notna(),
        "ras_stop": adsl["RASSTDT"].notna(),
        "rescue": adsl["RESCDT"].notna(),
        "terminal": adsl["DCSREAS"].isin(TERMINAL),
        "infection": pd.Series(ill_visits(adsl, adlb, adae).any(axis=1), adsl.index),
    }
    parts = [summaries.children(item, adsl.loc[who, "USUBJID"], arm) for item, who in found.items()]
    return pd.concat(parts, ignore_index=True)


def ill_visits(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame) -> NDArray:
    """Whether the UPCR of a visit was taken within an infection or a fever: bool (children of ADSL, 11 visits).

    First and last day of the event count; one without an end goes on.
    """
    samples = adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["ABLFL"].isna()]
    both = samples.merge(adae[adae["AEDECOD"].isin(adam.ILLNESSES)], on="USUBJID")
    ends = both["AENDT"].fillna(pd.Timestamp.max)
    both = both[(both["ADT"] >= both["ASTDT"]) & (both["ADT"] <= ends)]
    out = np.zeros((len(adsl), len(VISITS)), bool)
    out[pd.Index(adsl["USUBJID"]).get_indexer(both["USUBJID"]), both["AVISITN"].to_numpy(int) - 1] = True
    return out


def subgroups(adsl: pd.DataFrame, adtte: pd.DataFrame) -> pd.DataFrame:
    """Confirmed remission by UPCR in all randomised of each subgroup known before treatment.

    A row a value: variable (of `SUBGROUPS`), value (SEX M, F; GENOTYPE in the codebook's order, the commonest form
    first; RASFL Y, N), the columns of `rates.compared`. Of fewer than `FEW` children in both arms together only the
    counts are given: an interval from one end to the other says nothing, and looks as if it did. Who is not evaluable
    has no remission, also where a subgroup holds nobody else: no rate only where its whole arm was not assessed.

    Examples
    --------
    As notebook 06-remission calls it:

    >>> subgroups = strategies.subgroups(adsl, adtte)
    """
    (forms,) = (column.values for column in TABLES["screening"].columns if column.name == "genotype")
    known = adsl["GENOTYPE"].dropna().unique()
    # a form that the codebook does not have comes last
    ordered = sorted(known, key=lambda form: (forms.index(form) if form in forms else len(forms), form))
    values = {"SEX": ("M", "F"), "GENOTYPE": ordered, "RASFL": ("Y", "N")}
    rows, seen = [], []
    assessed = [bool(arm.seen) for arm in rates.from_adtte(adtte, "UPCRC", True)]
    for variable in SUBGROUPS:
        for value in values[variable]:
            part = adtte[adtte["USUBJID"].isin(adsl.loc[adsl[variable] == value, "USUBJID"])]
            control, active = rates.from_adtte(part, "UPCRC", True)
            seen.append([control.seen, active.seen])
            control, active = (
                replace(arm, seen=arm.n) if all_of_it else arm
                for arm, all_of_it in zip((control, active), assessed, strict=True)
            )
            rows.append(({"variable": variable, "value": value}, (control, active)))
    found = rates.table(rows)
    found[[f"{key}_seen" for key in ARM_KEY.values()]] = seen
    few = (found["placebo_N"] + found["msc_N"] < FEW) & (found["note"] == "")
    found.loc[few, ["difference", "lower", "upper", "approximate_lower", "approximate_upper"]] = np.nan
    found.loc[few, "note"] = f"fewer than {FEW} children"
    return found
