"""The main results once more, in R: a short script a chapter, and how its answers agree with ours.

The scripts stand as they are in `r/`, for who reads R; before each goes what this study decides (measures, days,
curves), so that a script with the ADaM tables is all that is needed. They are written from the definitions of the
tables and the plan, with R's own survival, nlme and base functions, and share no code with the analysis. A script
answers by the keys of our named results; a key with `:se` behind it is the standard error that our interval implies.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from helpers.analysis import adam, course, remission, sequence, time_to_remission
from helpers.chapters.contents import CHAPTERS
from helpers.chapters.time_to_remission import CLOCKS
from helpers.chapters.time_to_remission import ENDPOINTS as CURVES
from helpers.chapters.words import NOT_ESTIMABLE, plain
from helpers.estimators import reml
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, DAYS_PER_YEAR, TRIAL, VISITS

FOLDER = Path(__file__).with_name("r")
COMPARED = ("UPCRC", "UPCRF", "UPCRS")
"""Curves of which the arms are set beside each other."""
MMRM = "upcr-mmrm"
"""The table of the mixed model that is fitted again."""
SE = ":se"
"""Behind a key: the standard error of that estimate."""

TOLERANCES = (
    ("longitudinal.upcr.mmrm.", SE, 0.1, "gls gives the model's own standard error, ours is Kenward and Roger's"),
    ("longitudinal.upcr.mmrm.", "_df", 1e-3, "two searches for one maximum"),
    ("longitudinal.upcr.mmrm.", "", 1e-4, "two searches for one maximum"),
    ("longitudinal.egfr.slope.", "", 1e-4, "two searches for one maximum, derivatives by differences"),
    ("remission.", ".p", 1e-6, "the supremum over the common probability is searched on a grid"),
    ("", "", 1e-6, "the same formula: last digits alone"),
)  # fmt: skip
"""(A key begins, ends; relative tolerance; why): the first that fits. Whole numbers must be equal."""


@dataclass(frozen=True)
class Script:
    """A chapter's script: `stem` of the chapter, its `text`."""

    stem: str
    title: str
    text: str


@dataclass(frozen=True)
class Agreement:
    """One named result beside R's answer. `tolerance` is absolute, `why` what it allows for."""

    chapter: str
    key: str
    ours: float | None
    theirs: float | None
    tolerance: float
    why: str

    @property
    def difference(self) -> float | None:
        """R's less ours; None where either has no number."""
        if self.ours is None or self.theirs is None:
            return None
        return self.theirs - self.ours

    @property
    def agrees(self) -> bool:
        """Both without an answer, or no further apart than the tolerance."""
        if self.difference is None:
            return self.ours is None and self.theirs is None
        return abs(self.difference) <= self.tolerance

    def cells(self) -> list[str]:
        """Ours, R's, difference and tolerance, as shown."""
        told = [NOT_ESTIMABLE if v is None else plain(v, 8) for v in (self.ours, self.theirs)]
        small = ["" if v is None else plain(v, 2) for v in (self.difference, self.tolerance)]
        return told + small


def scripts(
    name: str, tables: str, records: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any]
) -> list[Script]:
    """The scripts of a study, one for each chapter that has one and named results.

    name: of the study; tables: the folder of its ADaM tables as the script finds it; records: of each chapter's page,
    by stem, with its `results` and what is `stated` where; parameters: in force, as JSON knows them.
    """
    common, found = (FOLDER / "common.R").read_text("utf-8"), []
    p = Parameters.model_validate_json(json.dumps(dict(parameters)))
    for chapter in CHAPTERS:
        source = FOLDER / f"{chapter.stem}.R"
        record = records.get(chapter.stem, {})
        if not record.get("results") or not source.is_file():
            continue
        head = [
            f"# {chapter.title}: main results of trial {TRIAL}, study {_line(name)}, once more in R.",
            "# Written by `make check-in-r`; by hand: Rscript "
            + source.name
            + " [folder of the ADaM tables]",
            f"folder <- {_text(tables)}",
            *decided(chapter.stem, p, unstructured(record)),
        ]
        parts = ["\n".join(head) + "\n", common, source.read_text("utf-8")]
        found.append(Script(chapter.stem, chapter.title, "\n".join(parts)))
    return found


def decided(stem: str, p: Parameters, unstructured: bool = True) -> list[str]:
    """What a study decides of a chapter's script, as lines of R; whether our mixed model kept its covariance."""
    lines = [
        f"arms <- c({', '.join(f'{key} = {_text(arm)}' for arm, key in ARM_KEY.items())})",
        f"days <- c({', '.join(str(v.day) for v in VISITS)})  # of the visits, from the planned last infusion",
        f"days_per_year <- {DAYS_PER_YEAR}",
    ]
    strata = f"strata <- {_logical(p.strata != 'none')}  # RAS inhibition at baseline as covariate"
    if stem.startswith("05"):
        found = course.measures(p).values()
        lines += [
            strata,
            f"infusion_gap <- {p.infusion_gap}  # days between the infusions",
            _frame("measures", key=[m.key for m in found], paramcd=[m.paramcd for m in found],
                   ratio=[m.ratio for m in found], better=[m.better for m in found]),
            f"unstructured <- {_logical(unstructured)}",
        ]  # fmt: skip
    if stem.startswith("06"):
        names = remission.MEASURES
        kinds = ", ".join(f"{kind} = {_text(letter)}" for kind, letter in remission.KINDS.items())
        slugs = ", ".join(_text(v.name.lower().replace(" ", "")) for v in VISITS)
        lines += [
            strata,
            f"half_year <- {sequence.HALF_YEAR}",
            f"visits <- c({slugs})",
            f"kinds <- c({kinds})  # last letter of a PARAMCD of ADTTE",
            _frame("measures", endpoint=names, paramcd=[adam.endpoint_paramcd(one, p) for one in names],
                   everyone=[one in remission.PROTEIN for one in names]),
        ]  # fmt: skip
    if stem.startswith("07"):
        pairs = dict.fromkeys(
            [*((code, "AVAL") for code in time_to_remission.ENDPOINTS), *time_to_remission.OTHERWISE]
        )
        lines.append(
            _frame("curves", key=[CLOCKS[clock][0] + CURVES[code][0] for code, clock in pairs],
                   code=[code for code, _ in pairs], clock=[clock for _, clock in pairs],
                   compared=[code in COMPARED and clock == "AVAL" for code, clock in pairs])
        )  # fmt: skip
    return lines


def unstructured(record: Mapping[str, Any]) -> bool:
    """Whether the mixed model of UPCR has its unstructured covariance, by the method of its table."""
    shown = [one["exhibit"] for one in record.get("stated", ()) if one["exhibit"]]
    return any(one["key"] == MMRM and f"({reml.UNSTRUCTURED})" in one["method"] for one in shown)


def agreements(
    answers: Mapping[str, Mapping[str, float | None]], results: Mapping[str, Mapping[str, Mapping]]
) -> tuple[list[Agreement], list[str]]:
    """Each answer beside the named result of its key, in their order; and the keys that are no named result here."""
    found, alone = [], []
    for stem, told in answers.items():
        known = results.get(stem, {})
        for key, theirs in told.items():
            if key.removesuffix(SE) not in known:
                alone.append(key)
                continue
            ours = standard_error(key.removesuffix(SE), known) if key.endswith(SE) else known[key]["value"]
            relative, why = tolerance(key)
            whole = isinstance(ours, int) and not isinstance(ours, bool)
            allowed = 0.0 if whole else max(relative * abs(ours or 0.0), 1e-9)
            found.append(
                Agreement(stem, key, ours, theirs, allowed, "whole numbers are equal" if whole else why)
            )
    return found, alone


def tolerance(key: str) -> tuple[float, str]:
    """Relative tolerance of a key, and what it allows for."""
    return next(
        (relative, why)
        for begins, ends, relative, why in TOLERANCES
        if key.startswith(begins) and key.endswith(ends)
    )


def standard_error(key: str, results: Mapping[str, Mapping]) -> float | None:
    """The standard error, on the scale of the model (log for a ratio), that our 95 % interval and its df imply."""
    lower, upper, df = (results.get(f"{key}_{end}", {}).get("value") for end in ("lower", "upper", "df"))
    if lower is None or upper is None or df is None:
        return None
    ends = np.log([lower, upper]) if not results[key].get("unit") else np.array([lower, upper])
    return float((ends[1] - ends[0]) / 2 / stats.t.isf(0.025, df))


def parsed(text: str) -> tuple[dict[str, float | None], list[str]]:
    """A script's output: answers by key, and what it tells in words. Raises ValueError for a line that is neither."""
    answers: dict[str, float | None] = {}
    words = []
    for line in text.splitlines():
        if line.startswith("#"):
            words.append(line.lstrip("# ").strip())
            continue
        key, comma, value = line.rpartition(",")
        if not comma or not key:
            raise ValueError(f"{line[:80]!r} is no answer: expected key,value")
        if key in answers:
            raise ValueError(f"{key} is answered twice")
        answers[key] = None if value == "NA" else float(value)
    return answers, words


def _line(text: str) -> str:
    """A text that stays on its line of comment."""
    return " ".join(text.split())


def _text(text: str) -> str:
    """A string of R."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{inner}"'


def _logical(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _frame(name: str, **columns: Sequence[Any]) -> str:
    """A data frame of R, a column a line."""
    lines = []
    for column, values in columns.items():
        told = [
            _logical(v) if isinstance(v, bool) else _text(v) if isinstance(v, str) else str(v) for v in values
        ]
        line = f"  {column} = c({', '.join(told)})"
        # a value of ours holds no space at which a line may break
        lines.append(textwrap.fill(line, 110, subsequent_indent=" " * 8, break_long_words=False))
    return f"{name} <- data.frame(\n" + ",\n".join(lines) + ")"
