"""The trial that a scenario simulates, as tables in memory: what own data are shown beside.

Nothing is written, and none of the simulation's truth is kept.
"""

import pandas as pd

from helpers.analysis import adam, observed
from helpers.study.parameters import Parameters
from helpers.trial import conduct, record


def tables(p: Parameters) -> dict[str, pd.DataFrame]:
    """Raw tables of the first simulated trial under these parameters, by their names in the codebook.

    Raises Problem where too few of the children that may be screened are eligible.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> simulated = scenario_trial.tables(study.parameters)
    """
    enrolled, columns, _ = conduct.screen(p)
    screened = record.screening(columns)
    made, _ = record.trial(p, enrolled, screened)
    return {"screening": screened, **made}


def analysed(p: Parameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ADSL and ADLB of the same trial.

    Examples
    --------
    >>> adsl, adlb = scenario_trial.analysed(study.parameters)
    """
    made = adam.Adam(adam.Raw(**tables(p)), p)
    return made.adsl(), made.adlb()


def beside(
    adsl: pd.DataFrame, adlb: pd.DataFrame, p: Parameters, pooled: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a trial's own data show of noise, drop-out and the controls, beside a simulated trial and the register.

    pooled: over all arms, for as long as they are unknown. Returns (one row a quantity, noise then drop-out:
    `quantity observed low high x n followed simulated assumed`, low and high NaN for the noise, x of n children left
    and so many still followed; one row a visit: `analysis.observed.course` of both, the simulated one's columns with
    "_simulated" after their names).
    """
    other = analysed(p)
    noise, gone = observed.noise(adlb), observed.left(adsl)
    quantities = [
        {
            "quantity": "SD of log UPCR between neighbouring visits",
            "observed": noise["sd"],
            "n": noise["pairs"],
            "simulated": observed.noise(other[1])["sd"],
            "assumed": p.upcr_noise,
        },
        {
            "quantity": "Left before month 12, proportion",
            "observed": gone["share"],
            "low": gone["low"],
            "high": gone["high"],
            "x": gone["n"],
            "n": gone["N"],
            "followed": gone["followed"],
            "simulated": observed.left(other[0])["share"],
            "assumed": p.dropout,
        },
    ]
    columns = ["quantity", "observed", "low", "high", "x", "n", "followed", "simulated", "assumed"]
    course = observed.course(adsl, adlb, pooled).merge(
        observed.course(*other, pooled), on="visit", suffixes=("", "_simulated")
    )
    return pd.DataFrame(quantities, columns=columns), course
