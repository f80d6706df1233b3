"""How numbers are put in words, for every chapter. The one rounding is `study.shown`."""

import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd

from helpers.study.protocol import ARMS, LAST, VISITS
from helpers.study.shown import NOT_ESTIMABLE, drawn, grouped, plain, rounded
from helpers.study.wording import counted

__all__ = [
    "NOT_ESTIMABLE",
    "VALIDATED",
    "capital",
    "children_text",
    "counted",
    "drawn",
    "estimate_text",
    "fit_text",
    "grouped",
    "joined",
    "percent",
    "plain",
    "pvalue_text",
    "rounded",
    "until",
    "visit_of",
]  # fmt: skip


VALIDATED = 'chapter Validation, "Against a truth that is known"'
"""Where what an interval is worth in small arms is told."""


def pvalue_text(p: float | None, level: float = 0.05) -> str:
    """A p-value to three decimals, never on another side of the level that it is compared with than p itself.

    0.0495 and 0.04999 keep the digits that tell them from a level of 0.05. Below 0.001 (or a level below that):
    "<0.001"; from 0.9995 to below 1: ">0.999". None or not finite: "not estimable". Raises ValueError outside
    0 to 1.
    """
    if p is None or not math.isfinite(p):
        return NOT_ESTIMABLE
    if not 0 <= p <= 1:
        raise ValueError(f"a p-value lies between 0 and 1, found {p!r}")
    least = min(Decimal(repr(float(level))), Decimal("0.001"))
    if Decimal(repr(float(p))) < least:
        return f"<{least:f}"
    text = _on_its_side(p, 3, level)
    return ">0.999" if p < 1 and Decimal(text) == 1 else text


def _on_its_side(value: float, digits: int, mark: float) -> str:
    """Rounded, with as many digits as it takes to stand on its side of the mark."""
    exact, limit = Decimal(repr(float(value))), Decimal(repr(float(mark)))
    # ends: with all its digits the text is the value
    while _side(Decimal(rounded(value, digits)), limit) != _side(exact, limit):
        digits += 1
    return rounded(value, digits)


NOISE = 1e-9
"""A limit that lies no further from no effect than this lies at it, but for rounding errors."""


def limit_text(value: float, digits: int, null: float) -> str:
    """A limit of an interval, which never prints as no effect unless it is none: -0.015 is "-0.02" at one digit.

    So a reader sees on which side of it the interval ends, as the test does.
    """
    if not math.isfinite(value) or abs(value - null) < NOISE:
        return rounded(value, digits)
    return _on_its_side(value, digits, null)


def _side(value: Decimal, level: Decimal) -> int:
    """-1 below the level, 0 at it, 1 above."""
    return (value > level) - (value < level)


def percent(n: int, N: int, digits: int = 1) -> str:
    """n of N with its percentage: "12/40 (30.0 %)"; "0/0 (not estimable)" where N is zero."""
    n, N = int(n), int(N)
    if not 0 <= n <= max(N, 0):
        raise ValueError(f"{n} of {N} is no proportion")
    if N == 0:
        return f"0/0 ({NOT_ESTIMABLE})"
    return f"{n}/{N} ({rounded(100 * n / N, digits)} %)"


def estimate_text(
    estimate: float, lower: float, upper: float, note: str, digits: int, null: float | None = None
) -> str:
    """An estimate with its interval, or the words for what is missing of it.

    null: the estimate without an effect, of one that compares the arms: see `limit_text`.
    """
    if not np.isfinite(estimate):
        return f"{NOT_ESTIMABLE} ({note})" if note else NOT_ESTIMABLE
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return f"{rounded(estimate, digits)} (no interval: {note})"
    ends = [rounded(v, digits) if null is None else limit_text(v, digits, null) for v in (lower, upper)]
    return f"{rounded(estimate, digits)} ({ends[0]} to {ends[1]})"


def children_text(adsl: pd.DataFrame, only=None) -> str:
    """How many children, placebo v hUC-MSC; of those in `only` where given."""
    chosen = adsl if only is None else adsl[adsl["USUBJID"].isin(only)]
    return counted(" v ".join(str(int((chosen["TRT01P"] == arm).sum())) for arm in ARMS), "child", "children")


def capital(text: str) -> str:
    """The text with a capital first letter; "eGFR" keeps its own."""
    return text if text[:1].isupper() or text[1:2].isupper() else text[:1].upper() + text[1:]


def fit_text(fit) -> str:
    """Covariance structure that a fitted mixed model has, and all that the fit has to say about itself."""
    used = f"Covariance: {fit.structure}." if fit.converged else "The model could not be fitted."
    return f"{used} {capital(fit.message)}." if fit.message else used


def joined(parts: Sequence[str], last: str = "and") -> str:
    """A list in a sentence: "a", "a and b", "a, b and c"; nothing for none."""
    return f" {last} ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def until(paramcd: str, month: float) -> str:
    """What a curve's end counts: remission by the last visit, begun at the latest in this month where it must hold.

    month: from `time_to_remission.horizon`. By actual days it is the earliest that the visit may take place: the visit
    is named.
    """
    last, kind = LAST.lower(), paramcd[-1]
    held = {"C": "confirmed by", "A": "confirmed by", "S": "sustained to"}.get(kind)
    at = min([v.month for v in VISITS if v.month >= month - 1e-6], default=month) if kind == "A" else month
    if held is None or month <= 0 or visit_of(at) == last:
        return f"by {last}"
    return f"begun by {visit_of(at)}, {held} {last}"


def visit_of(month: float) -> str:
    """Name of the visit at a month, in a sentence; the month itself where no visit stands there."""
    names = [v.name.lower() for v in VISITS if abs(v.month - month) < 1e-6]
    return names[0] if names else f"{rounded(month, 1)} months"
