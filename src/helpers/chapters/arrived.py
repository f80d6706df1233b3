"""What chapter 12, "What arrived", shows: the received files, their completeness, windows, queries and values."""

from collections.abc import Mapping

import pandas as pd

from helpers.analysis.arrived import NAMES
from helpers.chapters.exhibits import Exhibit, Result
from helpers.figures import distributions as figures
from helpers.intake.log import NOTE
from helpers.intake.studies import BLINDED, OwnStudy
from helpers.study.codebook import UNITS

SCREENED = "all screened children"
POOLED = "pooled over the arms"
TESTS = {
    "upcr": "UPCR", "protein_24h": "24-hour protein", "dipstick": "Dipstick", "rbc": "Red cells",
    "rbc_dysmorphic": "Dysmorphic red cells", "creatinine": "Creatinine", "cystatin_c": "Cystatin C", "bun": "BUN",
    "height": "Height", "weight": "Weight",
}  # fmt: skip


def tail(study: OwnStudy) -> str:
    """The end of files' names beside the pages."""
    return f"-{BLINDED.replace(' ', '-')}" if study.blinded else ""


def brief(counts: pd.DataFrame, asked: pd.DataFrame, study: OwnStudy) -> dict[str, Result | str]:
    """What the chapter begins with: children, queries, and the names of the lists beside the page."""
    known = dict(zip(counts["table"], counts["children"], strict=True))
    return {
        "screened": Result("arrived.n_screened", int(known.get("screening", 0))),
        "randomised": Result("arrived.n_randomised", int(known.get("randomisation", 0))),
        "queries": Result("arrived.n_queries", int(asked.loc[asked["severity"] != NOTE, "n"].sum())),
        "excel": f"queries{tail(study)}.xlsx",
        "csv": f"queries{tail(study)}.csv",
    }


def received(files: pd.DataFrame) -> Exhibit:
    """The files as received: what was opened, which table each became, what was ignored."""
    columns = {
        "file": "File", "sheet": "Sheet", "table": "Table", "rows": "Rows", "opened": "Opened", "ignored": "Ignored",
        "begins": "SHA-256 begins",
    }  # fmt: skip
    frame = files.assign(rows=pd.to_numeric(files["rows"], errors="coerce"), begins=files["sha256"].str[:12])
    return Exhibit(
        "received",
        "Files as received",
        frame,
        population="files of the folder",
        n=len(frame),
        columns={name: heading for name, heading in columns.items() if name in frame},
        conventions=(
            "the folder is only read; a file that would tell the arm is not opened while blinded",
            "SHA-256: of the file; while blinded of the cells that were read, as a file's tells of what stays shut",
        ),
    )


def counts(rows: pd.DataFrame) -> Exhibit:
    """Rows and children of each table."""
    known = dict(zip(rows["table"], rows["children"], strict=True))
    return Exhibit(
        "counts",
        "What arrived, by table",
        rows,
        population=SCREENED,
        n=int(known.get("screening", 0)),
        columns={"table": "Table", "rows": "Rows", "children": "Children"},
        results=[
            Result("arrived.n_screened", int(known.get("screening", 0))),
            Result("arrived.n_randomised", int(known.get("randomisation", 0))),
        ],
    )


def completeness(rows: pd.DataFrame) -> Exhibit:
    """Children with a value, by visit and measure."""
    shown = rows.assign(attended=[f"{a}/{n}" for a, n in zip(rows["attended"], rows["planned"], strict=True)])
    return Exhibit(
        "completeness",
        "Children with a value, by visit and measure",
        shown,
        population=SCREENED,
        n=int(rows["planned"].iloc[0]),
        columns={"visit": "Visit", "attended": "Attended, n/N"} | {test: TESTS[test] for test in UNITS},
        conventions=(
            POOLED,
            "at screening all who were screened; later those of whom the visit was due or attended",
        ),
    )


def windows(rows: pd.DataFrame) -> Exhibit:
    """Visits inside and off their windows."""
    off = int(rows["early"].sum() + rows["late"].sum())
    columns = {
        "visit": "Visit", "target": "Target day", "window": "Window", "attended": "Visits with a day",
        "inside": "Inside", "early": "Early", "late": "Late", "median": "Median", "least": "Least", "most": "Most",
    }  # fmt: skip
    return Exhibit(
        "windows",
        "Visits in and off their windows",
        rows,
        population="visits attended",
        n=int(rows["attended"].sum()),
        columns=columns,
        units={"window": "days, either side", "median": "days off", "least": "days off", "most": "days off"},
        digits={"median": 1, "least": 0, "most": 0},
        conventions=(POOLED, "days from the planned last infusion"),
        results=[Result("arrived.off_window", off)],
    )


def by_query(rows: pd.DataFrame) -> Exhibit:
    """What is asked of the site, most frequent first, and what the analysis does meanwhile."""
    return Exhibit(
        "queries-by-kind",
        "What to ask the site, by kind",
        rows,
        population="received rows",
        n=int(rows["n"].sum()),
        columns={"code": "Query", "severity": "Severity", "table": "Table", "n": "Times", "children": "Children",
                 "why": "Why", "rule": "What the analysis does"},
        conventions=("a note tells what a rule did; nothing is asked of the site",),
    )  # fmt: skip


def queries(rows: pd.DataFrame) -> Exhibit:
    """The list, one row a query: child, visit, item."""
    # of a table that was not received no child, column or file can be named
    known = {name: rows[name].fillna("") for name in ("usubjid", "column", "file")}
    named = rows.assign(
        **known, visit=[NAMES.get(number, "") if pd.notna(number) else "" for number in rows["visit_no"]]
    )
    columns = {
        "usubjid": "Child", "visit": "Visit", "table": "Table", "file": "File", "row": "Row", "column": "Column",
        "found": "Found", "expected": "Expected", "severity": "Severity", "code": "Query", "why": "Why",
        "rule": "What the analysis does",
    }  # fmt: skip
    return Exhibit(
        "queries",
        "Queries, one by one",
        named[list(columns)],
        population="received rows",
        n=len(rows),
        columns=columns,
        conventions=("row as in the file, whose header is row 1",),
        folded=True,
    )


def distributions(rows: pd.DataFrame) -> Exhibit:
    """Quartiles of values at screening, received beside simulated."""
    shown = rows.assign(test=rows["test"].map(TESTS))
    heads = {
        "q1": "Lower quartile",
        "median": "Median",
        "q3": "Upper quartile",
        "least": "Least",
        "most": "Most",
    }
    return Exhibit(
        "distributions",
        "Values at screening, received beside those that the scenario simulates",
        shown,
        population=SCREENED,
        n=int(rows.loc[(rows["test"] == "upcr") & (rows["source"] == "received"), "n"].sum()),
        columns={"test": "Measure", "unit": "Unit", "source": "Children", "n": "n", **heads},
        digits=dict.fromkeys(heads, 2),
        conventions=(POOLED, "before treatment"),
    )


def distribution(values: pd.DataFrame, test: str, rows: pd.DataFrame) -> Exhibit:
    """One measure at screening: cumulative curves, received and simulated."""
    part = values[values["test"] == test]
    told = rows[rows["test"] == test].set_index("source")
    medians: Mapping[str, Result] = {
        source: Result(f"arrived.{test}.median_{source}", told.at[source, "median"], UNITS[test], 2)
        for source in ("received", "simulated")
    }
    return Exhibit(
        f"{test.replace('_', '-')}-values",
        f"{TESTS[test]} at screening, received and simulated",
        part.drop(columns="test"),
        population=SCREENED,
        n=f"{told.at['received', 'n']} received, {told.at['simulated', 'n']} simulated",
        conventions=(POOLED, "logarithmic axis"),
        alt=f"Two cumulative curves of {TESTS[test]}: median {medians['received']} received, "
        f"{medians['simulated']} simulated.",
        figure=figures.distribution(
            part["value"], by=part["source"], log=True, label=TESTS[test], unit=UNITS[test], whose="children"
        ),
        results=list(medians.values()),
    )


def rules(record: Mapping[str, list]) -> Exhibit:
    """The rules that touched something, and which tables."""
    rows = [{"rule": one["rule"], "tables": ", ".join(one["tables"])} for one in record["rules"]]
    return Exhibit(
        "rules",
        "Rules by which these data were handled",
        pd.DataFrame(rows, columns=["rule", "tables"]),
        population="received rows",
        n=len(rows),
        columns={"rule": "Rule", "tables": "Tables that it touched"},
    )
