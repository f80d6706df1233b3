"""What intake asks, converts and decides, gathered while it works: queries, originals, rules that touched something."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers.study.checks.findings import QUERY, word

NOTE = "note"
"""Severity of what is told and not asked: a rule was applied, nothing is wanted of the site."""

QUERIES = (
    "code", "severity", "usubjid", "visit_no", "table", "row", "column", "found", "expected", "why", "rule",
    "file",
)  # fmt: skip
ORIGINALS = ("table", "row", "column", "original", "original_unit", "value", "unit")

RULES = {
    "kept as sent": "What is asked of the site stays as it was sent until the site answers.",
    "likely day once": "A day for which another is likely, its day and month exchanged or the day of all the visit's "
    "samples, is asked for once and kept as sent: further questions that the likely day would answer are not asked.",
    "likely unit once": "A test that screening and the laboratory hold in two units is asked for once and kept as "
    "sent: questions about single values that the unit would answer are not asked.",
    "unreadable is missing": "A cell that can't be read as its column's kind is missing.",
    "unknown word is missing": "A word that neither codebook nor mapping knows is missing.",
    "outside limits is missing": "A value that its measure can't take is missing.",
    "limit stands": "A value below or above quantification stands at the limit, with its sign.",
    "not analysed without": "A row without a value that its table can't do without is not analysed.",
    "same row once": "A row that was sent twice word for word counts once.",
    "nearest sample": "Of several samples of a test at one visit the one nearest to the visit's target day is used; of "
    "equally near ones the earlier, then the first in the file.",
    "last row": "Of several rows with one key the one with the latest day is used, then the last in the file.",
    "first row": "Of several rows with one key the first in the file is used.",
    "window": "A sample or visit without a planned visit's number belongs to the planned visit whose window holds its "
    "day, for what that visit lacks; the day of consent is screening, and the time from then to the first infusion "
    "baseline.",
    "unscheduled is kept aside": "An unscheduled sample that no planned visit needs is kept in this list, and not "
    "analysed.",
    "day of the visit": "A sample without a readable day has the day of its visit.",
    "sample makes the visit": "A visit that is not in the table of visits, and has samples, was attended on their day.",
    "planned days": "A planned day that was not sent counts from the planned last infusion, as the protocol has it.",
    "planned row": "A planned visit or infusion without a row counts as not attended or not given.",
    "screening is visit 0": "What was measured at screening stands as visit 0 of the laboratory where it has none.",
    "left by its visits": "A child without an end of the trial of whom a visit says that it left, and who attended "
    "none after it, has left: where no last contact was sent it is the last day on which anything is known of the "
    "child, and why it left is unknown where no reason was sent.",
    "still followed": "A child without an end of the trial, of whom no visit says that it left either, is still "
    "followed: its last contact is the last day on which anything is known of it. Its visits to come are not known "
    "yet, and count nowhere as missed or as drop-out; where a definite answer needs them, as in the primary endpoint, "
    "it counts as one without remission so far.",
    "partial day, same criteria": "A partial day of screening is taken as the first possible one where every possible "
    "day gives the same answer to all criteria and nothing else is computed from it; else it is unknown.",
    "partial consent": "A partial day of consent is that of the screening visit; where no visit tells it, the first "
    "possible one: ages are then at most as much too low as the day is open.",
    "partial birth": "A birth known to the month counts as its 15th where every day of the month gives the same answer "
    "to all criteria: age is then right to half a month, and decides nothing. Else it is unknown.",
    "partial event": "A partial first day of an event is taken as the first possible one where all possible days lie "
    "on the same side of consent, of each infusion and of each baseline sample; else the event is not analysed. It "
    "counts its longest possible length.",
    "partial day is unknown": "A partial day on which something depends is unknown.",
    "partial change": "A partial day of a change of treatment is taken as the first possible one after randomisation, "
    "so that no rescue is overlooked; the query says where a visit lies among the possible days.",
    "partial contact": "A partial last contact is the last day known of the child among the possible ones, else the "
    "first possible one.",
    "day of an infusion": "An infusion that was given on a day that is not known counts on its planned day.",
    "last day unknown": "An event whose last day lies before its first has no known last day, and stands as not ended.",
    "numbered by day": "Events without a number, or with one twice, are numbered anew in the order of their days.",
    "first number stands": "A child screened again under a new number keeps the first number and the last screening.",
    "both numbers stand": "Two numbers that look like one child stay two children until the mapping says same_child.",
    "unknown reason": "A reason for leaving that the codebook does not know is unknown; what was sent stands beside.",
    "not randomised": "What was sent of children who were screened and not randomised is not analysed.",
    "no visits": "The table of visits was not received: a visit is known by its samples alone, and one without samples "
    "counts as not attended.",
    "no events": "The table of adverse events was not received: nothing is known of adverse events, and a count of "
    "none does not say that none happened.",
    "no treatments": "The table of changes of treatment was not received: nothing is known of rescue or of other "
    "changes, and a count of none does not say that there was none.",
    "no disposition": "The table of ends of the trial was not received: who left is known by the visits alone, why is "
    "not known, and every other child counts as still followed.",
    "as allocated": "Where nothing was sent of which product a treated child got, what it was treated with is unknown, "
    "and it counts under its allocated arm.",
    "dummy arms": "Arms are dummy arms, drawn from the seed, and what was given is unknown, while the trial is "
    "blinded.",
}  # fmt: skip
"""Named rules, in words."""

NOT_RECEIVED = {
    "visits": "Nothing is known of visits but by their samples",
    "events": "Nothing is known of adverse events",
    "treatments": "Nothing is known of rescue and other changes of treatment",
    "disposition": "Nothing is known of who left the trial but by the visits, and nothing of why",
}
"""What is unknown where a table was not received that a delivery can do without; its rule is "no" and its name."""


class Log:
    """Gathers queries, originals and fatal faults."""

    def __init__(self) -> None:
        self.queries: list[pd.DataFrame] = []
        self.originals: list[pd.DataFrame] = []
        self.fatal: list[str] = []
        self.touched: dict[str, int] = {}

    def touch(self, rule: str, count: int) -> None:
        """Note that a named rule decided something so many times."""
        if count:
            assert rule in RULES, rule
            self.touched[rule] = self.touched.get(rule, 0) + int(count)

    def ask(
        self,
        code: str,
        table: str,
        rows: pd.DataFrame,
        column: str,
        expected: str | Iterable[str],
        why: str,
        rule: str,
        found: str | Iterable[str] | None = None,
        severity: str = QUERY,
    ) -> None:
        """A query for each of these rows; they have columns `_row`, `usubjid`, and `visit_no` where there is one.

        found: the cells of the column where not said otherwise.
        """
        if not len(rows):
            return
        cells = [word(value) for value in rows[column]] if found is None else found
        self.queries.append(
            pd.DataFrame(
                {
                    "code": code,
                    "severity": severity,
                    "usubjid": rows["usubjid"].to_numpy(object),
                    "visit_no": rows["visit_no"].to_numpy(float) if "visit_no" in rows else np.nan,
                    "table": table,
                    "row": rows["_row"].to_numpy(float),
                    "column": column,
                    "found": cells if isinstance(cells, str) else list(cells),
                    "expected": expected if isinstance(expected, str) else list(expected),
                    "why": why,
                    "rule": rule,
                    "file": rows["_file"].to_numpy(object) if "_file" in rows else None,
                },
                index=range(len(rows)),
            )
        )
        self.touch(rule, len(rows))

    def asked(self, table: str, column: str) -> set[tuple[Any, float]]:
        """File and row of each cell in a column of a table that was asked for; a table may come in several files."""
        mine = [one[(one["table"] == table) & (one["column"] == column)] for one in self.queries]
        cells = [some.loc[some["row"].notna(), ["file", "row"]] for some in mine]
        return {cell for some in cells for cell in some.itertuples(index=False, name=None)}

    def absent(self, table: str) -> None:
        """The one query of a table that was not received; no child or row is named."""
        nowhere = pd.DataFrame({"_row": [np.nan], "usubjid": [None]})
        self.ask("delivery.absent", table, nowhere, "", "the table, if only its row of names where nothing happened",
                 NOT_RECEIVED[table], f"no {table}", "no table")  # fmt: skip

    def keep(
        self,
        table: str,
        rows: Sequence[Any],
        column: str,
        original: Sequence[Any],
        unit: str | Sequence[str],
        value: Sequence[Any],
        new_unit: str | Sequence[str],
    ) -> None:
        """Converted values beside what was sent."""
        if len(rows):
            self.originals.append(
                pd.DataFrame(
                    {
                        "table": table,
                        "row": np.asarray(rows, float),
                        "column": column,
                        "original": np.asarray(original, object),
                        "original_unit": unit,
                        "value": np.asarray(value, object),
                        "unit": new_unit,
                    },
                    index=range(len(rows)),
                )
            )

    def all_queries(self) -> pd.DataFrame:
        """Queries by child, visit, table and row."""
        if not self.queries:
            return pd.DataFrame(columns=list(QUERIES)).astype({"row": "Int64", "visit_no": "Int64"})
        found = pd.concat(self.queries, ignore_index=True)[list(QUERIES)]
        found = found.drop_duplicates(
            ["code", "table", "row", "column", "usubjid", "found", "expected", "file"]
        )
        found = found.sort_values(
            ["usubjid", "visit_no", "table", "row", "code", "column", "found"], kind="stable"
        )
        return found.astype({"row": "Int64", "visit_no": "Int64"}).reset_index(drop=True)

    def all_originals(self) -> pd.DataFrame:
        if not self.originals:
            return pd.DataFrame(columns=list(ORIGINALS)).astype({"row": "Int64"})
        found = pd.concat(self.originals, ignore_index=True)[list(ORIGINALS)].astype({"row": "Int64"})
        return found.sort_values(["table", "row", "column"], kind="stable", ignore_index=True)

    def notes(self) -> tuple[str, ...]:
        """The rules that touched something, in words, with how often; in the order of `RULES`."""
        once = {f"no {table}" for table in NOT_RECEIVED}
        return tuple(
            RULES[rule]
            if rule in once
            else f"{RULES[rule]} ({self.touched[rule]} {'time' if self.touched[rule] == 1 else 'times'})"
            for rule in RULES
            if rule in self.touched and rule != "kept as sent"
        )
