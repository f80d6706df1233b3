"""A small section of chapter 08 on own data: observed noise, drop-out and course of the controls beside the assumed.

For a simulated study there is nothing to set beside its assumptions, and nothing is shown.
"""

import numpy as np

from helpers.chapters.exhibits import Exhibit, Finding, Result
from helpers.chapters.words import counted, grouped, percent, plain, rounded
from helpers.design import scenario_trial
from helpers.intake.studies import OwnStudy
from helpers.study.scenario import Study


def beside(study: Study) -> Finding:
    """Of own data what was observed beside what the scenario assumes; of a simulated study nothing.

    Examples
    --------
    As notebook 08-operating calls it:

    >>> observed.beside(study)
    """
    if not isinstance(study, OwnStudy):
        return Finding((), {})
    adsl, adlb = study.read("adsl"), study.read("adlb")
    quantities, course = scenario_trial.beside(adsl, adlb, study.parameters, study.blinded)
    whom = "all arms pooled: the trial is blinded" if study.blinded else "children on placebo"
    left = quantities.iloc[1]
    followed = int(left["followed"])
    gone = percent(int(left["x"]), int(left["n"]))
    told = (
        counted(plain(quantities["n"].iloc[0]), "pair of visits", "pairs of visits"),
        f"{gone} so far" if followed else gone,
    )
    limits = f"{rounded(left['low'], 2)} to {rounded(left['high'], 2)}"
    how = "Exact 95 % interval of the observed drop-out"
    if followed:
        how = (
            f"{counted(grouped(followed), 'child is', 'children are')} still followed: the observed drop-out "
            "is the Kaplan-Meier estimate up "
            "to the last contact; its 95 % interval (log-log)"
        )
        limits = limits if np.isfinite(left["low"]) else "can't be told while nobody has left"
    first = Exhibit(
        "observed-quantities",
        "Observed beside assumed: noise and drop-out",
        quantities.drop(columns="followed").assign(of=told),
        population="all randomised",
        n=len(adsl),
        method="the same functions on the received tables and on the trial that the scenario simulates",
        columns={"quantity": "Quantity", "observed": "Observed", "simulated": "Simulated trial",
                 "assumed": "Assumed in the register", "of": "Observed in"},
        digits={"observed": 3, "simulated": 3, "assumed": 3},
        caption=f"{how}: {limits}. The assumed noise is that of one visit at a "
        f"UPCR of {plain(study.parameters.upcr_noise_at)} mg/mg; wander from visit to visit adds to the "
        "observed and simulated ones alike.",
        results=[
            Result("operating.observed.noise", float(quantities["observed"].iloc[0]), "log units", 3),
            Result("operating.observed.dropout", float(quantities["observed"].iloc[1]), "", 3),
        ],
    )  # fmt: skip
    second = Exhibit(
        "observed-course",
        "UPCR over baseline, observed beside simulated",
        course,
        population=whom,
        n=int(course["n"].max()),
        method="geometric mean; limits one SD of the logarithm either side",
        columns={"visit": "Visit", "n": "n", "ratio": "Observed", "low": "from", "high": "to",
                 "n_simulated": "n simulated", "ratio_simulated": "Simulated", "low_simulated": "from ",
                 "high_simulated": "to "},
    )  # fmt: skip
    return Finding((first, second), {})
