"""Analysis tables of a study, simulated or own: what chapter 04 calls.

Own tables are held against the checks of a real trial: what stops a simulation is a query there, listed in
"What arrived", and the tables are derived by the named rules.
"""

from dataclasses import fields

import pandas as pd

from helpers.analysis import adam, flow
from helpers.intake.studies import OwnStudy
from helpers.study import checks
from helpers.study.scenario import Study


def raw_of(study: Study) -> adam.Raw:
    """The raw tables of a study; raises Problem where one is absent or wrong."""
    return adam.Raw(**{one.name: study.read(one.name) for one in fields(adam.Raw)})


def every(study: OwnStudy) -> dict[str, pd.DataFrame]:
    """ADIE, ADSL, ADLB, ADTTE and ADAE of own raw tables under a study's parameters, by name; nothing is written."""
    raw = raw_of(study)
    made = adam.Adam(raw, study.parameters, own=True)
    return {
        "adie": flow.criteria_met(raw.screening, study.parameters),
        "adsl": made.adsl(),
        "adlb": made.adlb(),
        "adtte": made.adtte(),
        "adae": made.adae(),
    }


def analysis_tables(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """ADSL, ADLB, ADTTE and ADAE of a study's raw tables, written to its folder.

    Raises Problem where raw tables are absent, or where tables contradict each other: of a simulated study in
    anything, of own data in what no rule can mend.

    Examples
    --------
    As notebook 04-analysis-data calls it:

    >>> adsl, adlb, adtte, adae = derived.analysis_tables(study)
    """
    if not isinstance(study, OwnStudy):
        return adam.analysis_tables(study)
    raw = raw_of(study)
    made = adam.Adam(raw, study.parameters, own=True)
    adsl, adlb = study.write("adsl", made.adsl()), study.write("adlb", made.adlb())
    adtte, adae = study.write("adtte", made.adtte()), study.write("adae", made.adae())
    analysed = {"adie": study.read("adie"), "adsl": adsl, "adlb": adlb, "adtte": adtte, "adae": adae}
    tables = {**vars(raw), **analysed}
    checks.refuse(checks.findings(tables, checks.between(tables, done=vars(raw))), own=True)
    return study.seen(adsl), adlb, adtte, study.seen(adae)
