"""One simulated trial of a study, from screening to the raw tables of its folder."""

import pandas as pd

from helpers import Problem
from helpers.study import eligibility
from helpers.study.scenario import Study
from helpers.trial import conduct, record


def screen(study: Study) -> pd.DataFrame:
    """Screen until enough children are eligible; writes `screening` and its truth, returns the table.

    Examples
    --------
    As notebook 01-screening calls it:

    >>> screening = run.screen(study)
    """
    enrolled, columns, _ = conduct.screen(study.parameters)
    frame = study.write("screening", record.screening(columns))
    study.write_truth("screening", record.screening_truth(enrolled))
    return frame


def follow_up(study: Study) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, pd.DataFrame]:
    """Randomise and follow the eligible children; writes the raw tables and the truth.

    Returns (raw tables by name, `screening` among them; the truth of each child; every missing laboratory
    value with its reason). Raises Problem if screening.csv or adie.csv are not what these parameters
    simulate: simulated follow-up needs the simulated children.

    Examples
    --------
    As notebook 03-follow-up calls it:

    >>> tables, latent, unmeasured = run.follow_up(study)
    """
    screened = study.read("screening")
    enrolled, _, values = conduct.screen(study.parameters)
    ids, found = eligibility.from_adie(study.read("adie"))
    eligible = ids[eligibility.status(found) == eligibility.ELIGIBLE]
    if len(ids) != values.shape[1] or list(eligible) != list(record.identifiers(enrolled.number)):
        raise Problem(
            f"{study.name}/adie.csv names other eligible children than these parameters simulate; "
            "follow-up can only be simulated for simulated children: run chapters 01 and 02 again"
        )
    made, truth = record.trial(study.parameters, enrolled, screened)
    for name, frame in made.items():
        study.write(name, frame)
    study.write_truth("children", truth)
    reasons = record.missing(study.parameters, enrolled, screened)
    study.write_truth("missing", reasons)
    return {"screening": screened, **made}, truth, reasons
