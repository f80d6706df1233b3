"""What arrived: how complete received tables are, how visits lie in their windows, what their values look like.

Everything is pooled over the arms: nothing here needs the allocation, so that it may be looked at while the trial is
blinded. Tables as in the codebook in, frames out.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.study.codebook import UNITS
from helpers.study.parameters import Parameters
from helpers.study.protocol import BASELINE, SCREENING, VISITS

BEFORE = {SCREENING: "Screening", BASELINE: "Baseline"}
NAMES = BEFORE | {visit.number: visit.name for visit in VISITS}
"""Number of a visit in the tables: its name."""
INTO = ("upcr", "creatinine", "cystatin_c", "rbc", "protein_24h", "height")
"""Measures whose distribution is shown beside the synthetic one."""


def counts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Rows and children of each table: `table rows children`.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> counts = arrived.counts(tables)
    """
    return pd.DataFrame(
        [
            {"table": name, "rows": len(frame), "children": int(frame["usubjid"].nunique())}
            for name, frame in tables.items()
        ]
    )


def completeness(
    screening: pd.DataFrame, visits: pd.DataFrame, labs: pd.DataFrame, disposition: pd.DataFrame
) -> pd.DataFrame:
    """Children with a value, by visit and measure.

    One row a visit: `visit_no visit planned attended`, then a column a test with the number of children that have a
    value of it. At screening all who were screened, as in their own table; later the rows of `visits` and `labs`, of
    children still followed those planned up to their last contact, and what was attended.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> completeness = arrived.completeness(
    ...     tables["screening"], tables["visits"], tables["labs"], tables["disposition"]
    ... )
    """
    known = labs.dropna(subset=["value"]).drop_duplicates(["usubjid", "visit_no", "test"])
    known = known[known["visit_no"] != SCREENING]
    wide = pd.crosstab(known["visit_no"], known["test"]).reindex(index=list(NAMES), columns=list(UNITS))
    wide = wide.fillna(0).astype(int)
    wide.loc[SCREENING] = [int(screening[test].notna().sum()) for test in UNITS]
    screened = int(screening["usubjid"].nunique())
    followed = disposition[disposition["status"] == "ongoing"].drop_duplicates("usubjid")
    contact = visits["usubjid"].map(followed.set_index("usubjid")["date"])
    visits = visits[(visits["attended"] == "yes") | ~(visits["planned_date"] > contact)]
    rows = []
    for number, name in NAMES.items():
        here = visits[visits["visit_no"] == number]
        came = here.loc[here["attended"] == "yes", "usubjid"]
        whose = (screened, screened) if number == SCREENING else (here["usubjid"].nunique(), came.nunique())
        counted = dict(zip(("planned", "attended"), map(int, whose), strict=True))
        rows.append({"visit_no": number, "visit": name, **counted, **wide.loc[number].to_dict()})
    return pd.DataFrame(rows)


def windows(visits: pd.DataFrame, infusions: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """How far attended visits lie from their target day.

    One row a follow-up visit: `visit`, `target` (day after the planned last infusion), `window` (half-width, days),
    `attended` (visits with a day), `inside`, `early`, `late`, and `median`, `least`, `most` of actual less target days
    (NaN where nobody came).

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> windows = arrived.windows(tables["visits"], tables["infusions"], study.parameters)
    """
    zero = (
        infusions[infusions["infusion"] == 2].drop_duplicates("usubjid").set_index("usubjid")["planned_date"]
    )
    came = visits[visits["attended"] == "yes"].dropna(subset=["date"])
    days = (came["date"] - came["usubjid"].map(zero)) / pd.Timedelta(1, "D")
    rows = []
    for visit in VISITS:
        off = (days[came["visit_no"] == visit.number] - visit.day).dropna()
        width = p.visit_window(visit.day)
        places = (off.median(), off.min(), off.max()) if len(off) else (np.nan, np.nan, np.nan)
        rows.append(
            {
                "visit": visit.name,
                "target": visit.day,
                "window": width,
                "attended": len(off),
                "inside": int((off.abs() <= width).sum()),
                "early": int((off < -width).sum()),
                "late": int((off > width).sum()),
                **dict(zip(("median", "least", "most"), map(float, places), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def values(screening: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """Values at screening, of tables `screening` received and simulated, one row a value: `test unit source value`.

    `source` is "received" or "simulated".

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> values = arrived.values(tables["screening"], simulated["screening"])
    """
    parts = [
        pd.DataFrame({"test": test, "unit": UNITS[test], "value": frame[test].dropna(), "source": source})
        for source, frame in (("received", screening), ("simulated", simulated))
        for test in INTO
    ]
    return pd.concat(parts, ignore_index=True)


def distributions(values: pd.DataFrame) -> pd.DataFrame:
    """Quartiles and range of each measure, received beside simulated: `test unit source n least q1 median q3 most`.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> distributions = arrived.distributions(values)
    """
    rows = []
    for test in INTO:
        for source in ("received", "simulated"):
            part = values.loc[(values["test"] == test) & (values["source"] == source), "value"]
            points = np.quantile(part, [0, 0.25, 0.5, 0.75, 1]) if len(part) else np.full(5, np.nan)
            named = dict(zip(("least", "q1", "median", "q3", "most"), map(float, points), strict=True))
            rows.append({"test": test, "unit": UNITS[test], "source": source, "n": len(part), **named})
    return pd.DataFrame(rows)


def by_query(queries: pd.DataFrame) -> pd.DataFrame:
    """How often each query is asked: `code severity table n children why rule`; most frequent first.

    Examples
    --------
    As notebook 12-arrived calls it:

    >>> asked = arrived.by_query(queries)
    """
    columns = ["code", "severity", "table", "n", "children", "why", "rule"]
    if queries.empty:
        return pd.DataFrame(columns=columns)
    grouped = queries.groupby(["code", "severity", "table"], sort=False, dropna=False)
    frame = grouped.agg(
        n=("code", "size"), children=("usubjid", "nunique"), why=("why", "first"), rule=("rule", "first")
    ).reset_index()
    return frame.sort_values(["n", "code"], ascending=[False, True], kind="stable").reset_index(drop=True)[
        columns
    ]
