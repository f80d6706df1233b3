"""Texts of cells to values: numbers with their signs of quantification, days that may be partial, coded words.

Each text is read once, however many rows hold it.
"""

import calendar
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
SIGNS = {"<": "<", "<=": "<", "≤": "<", ">": ">", ">=": ">", "≥": ">"}
NO_DAY = r"UNK?|N[DK]|X{1,2}|-{1,2}|\?{1,2}|_{1,2}|0{2}"
"""How forms write a day or month that is not known."""

MONTHS = {name.lower(): k for k, name in enumerate(calendar.month_abbr) if name}
FORMATS = ("yyyy-mm-dd", "yyyy/mm/dd", "dd/mm/yyyy", "mm/dd/yyyy", "dd-mm-yyyy", "dd.mm.yyyy", "dd-mon-yyyy",
           "ddmonyyyy", "yyyymmdd", "yyyy年mm月dd日")  # fmt: skip
"""Some of the formats that may be stated: yyyy, mm or mon, dd, once each, in any order, and what stands between."""

CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
EARLIEST, LATEST = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-12-31")


@dataclass(frozen=True)
class Numbers:
    """Values (NaN = none), sign of quantification ("<", ">" or None), and whether the text could not be read."""

    value: NDArray
    sign: NDArray
    bad: NDArray


@dataclass(frozen=True)
class Days:
    """First and last possible day (equal where the day is known), and whether the text could not be read."""

    first: pd.Series
    last: pd.Series
    bad: NDArray


def plain(text: str) -> str:
    """A text with full-width signs and digits as usual ones, without spaces at its ends."""
    return unicodedata.normalize("NFKC", text).strip()


def without_missing(texts: pd.Series, missing: Sequence[str]) -> pd.Series:
    """Texts, with those that mean missing as None."""
    gone = {plain(word).lower() for word in missing}
    return _each(texts, lambda text: None if plain(text).lower() in gone else text)


def _each(texts: pd.Series, read: Callable[[str], str | None]) -> pd.Series:
    """What each text is read as, None where there is none; each different text is read once."""
    codes, uniques = pd.factorize(texts.to_numpy(object))
    found = np.array([*(read(str(text)) for text in uniques), None], object)
    return pd.Series(found[codes], index=texts.index, dtype=object)


def numbers(
    texts: pd.Series,
    decimal: str = ".",
    below: Mapping[str, float | None] | None = None,
    above: Mapping[str, float | None] | None = None,
) -> Numbers:
    """Numbers of texts; "<0.03" is 0.03 with its sign.

    below, above: further texts: {"BLQ": 0.03} stands for a value, {"under": None} stands before one.

    >>> found = numbers(pd.Series(["1.5", "<0.03", "＞ 3000", "BLQ", "abc", None]), below={"BLQ": 0.02})
    >>> found.value.tolist(), found.sign.tolist(), found.bad.tolist()
    ([1.5, 0.03, 3000.0, 0.02, nan, nan], [None, '<', '>', '<', None, None], [False, False, False, False, True, False])
    """
    codes, uniques = pd.factorize(texts)
    read = [_number(str(text), decimal, below or {}, above or {}) for text in uniques]
    value = np.array([v for v, _ in read] + [np.nan], float)
    sign = np.array([*(s for _, s in read), None], object)
    out = value[codes]
    return Numbers(out, sign[codes], np.isnan(out) & (codes >= 0))


def _number(
    text: str, decimal: str, below: Mapping[str, float | None], above: Mapping[str, float | None]
) -> tuple[float, str | None]:
    text, sign = plain(text), None
    for words, mark in ((below, "<"), (above, ">")):
        for word, stands in words.items():
            if stands is not None and text.lower() == plain(word).lower():
                return float(stands), mark
            if stands is None and text.startswith(plain(word)):
                text, sign = text[len(plain(word)) :].strip(), mark
    found = re.match(r"<=|>=|≤|≥|<|>", text)
    if found:
        text, sign = text[found.end() :].strip(), SIGNS[found[0]]
    if decimal == ",":
        if "." in text:
            return np.nan, None
        text = text.replace(",", ".")
    return (float(text), sign) if text.isascii() and NUMBER.fullmatch(text) else (np.nan, None)


def pattern(form: str) -> tuple[re.Pattern[str], re.Pattern[str] | None] | None:
    """What a stated format of days matches: (whole or with unknown parts, shortened); None where it is no format."""
    tokens = re.findall(r"yyyy|mon|mm|dd", form)
    if sorted("mm" if t == "mon" else t for t in tokens) != ["dd", "mm", "yyyy"]:
        return None
    parts = {
        "yyyy": r"(?P<y>\d{4})",
        "mm": rf"(?P<m>\d{{1,2}}|{NO_DAY})",
        "mon": rf"(?P<m>[A-Za-z]{{3}}|{NO_DAY})",
        "dd": rf"(?P<d>\d{{1,2}}|{NO_DAY})",
    }
    pieces = re.split(r"(yyyy|mon|mm|dd)", form)
    whole = "".join(parts.get(piece, re.escape(piece)) for piece in pieces)
    if not any(re.search(r"\D", piece) for piece in pieces if piece not in parts) and "mon" not in tokens:
        whole = whole.replace(r"\d{1,2}", r"\d{2}")
    if tokens == ["yyyy", "mm", "dd"]:
        between = [re.escape(piece) for piece in pieces if piece not in parts]
        short = (
            rf"{parts['yyyy']}(?:{between[1] or '-'}{parts['mm']})?{between[2] if between[2] == '月' else ''}"
        )
        return re.compile(whole + CLOCK, re.I), re.compile(short + "(?:年)?", re.I)
    sign = re.escape(re.sub(r"[a-z]", "", form)[:1] or "/")
    month = parts["mon" if "mon" in tokens else "mm"]
    return re.compile(whole + CLOCK, re.I), re.compile(rf"(?:{month}{sign})?{parts['yyyy']}", re.I)


ISO = pattern("yyyy-mm-dd")


def days(texts: pd.Series, form: str = "yyyy-mm-dd") -> Days:
    """Days of texts in a stated format; ISO days are read in any format, since they can't be mistaken.

    >>> found = days(pd.Series(["05/03/2025", "2025-03-05", "UN/03/2025", "2025", "31/02/2025"]), "dd/mm/yyyy")
    >>> found.first.dt.strftime("%Y-%m-%d").tolist()[:4], found.last.dt.strftime("%m-%d").tolist()[:4]
    (['2025-03-05', '2025-03-05', '2025-03-01', '2025-01-01'], ['03-05', '03-05', '03-31', '12-31'])
    >>> found.bad.tolist()
    [False, False, False, False, True]
    """
    codes, uniques = pd.factorize(texts)
    forms = [f for f in dict.fromkeys([pattern(form), ISO]) if f]
    read = [_day(plain(str(text)), forms) for text in uniques]
    none = np.datetime64("NaT", "ns")
    first = np.array([f for f, _ in read] + [none], "datetime64[ns]")
    last = np.array([t for _, t in read] + [none], "datetime64[ns]")
    out = pd.Series(first[codes], index=texts.index)
    return Days(out, pd.Series(last[codes], index=texts.index), out.isna().to_numpy() & (codes >= 0))


def _day(text: str, forms: Sequence[tuple[re.Pattern[str], re.Pattern[str] | None]]) -> tuple:
    for expressions in forms:
        for expression in expressions:
            found = expression.fullmatch(text) if expression else None
            if found:
                return _possible(found.groupdict())
    return (np.datetime64("NaT"), np.datetime64("NaT"))


def _possible(parts: Mapping[str, str | None]) -> tuple:
    year, month, day = int(parts["y"] or 0), parts.get("m"), parts.get("d")
    number = MONTHS.get((month or "").lower()) or (int(month) if month and month.isdigit() else 0)
    known = bool(number)
    if month and month.isdigit() and month != "00" and not 1 <= number <= 12:
        return (np.datetime64("NaT"), np.datetime64("NaT"))
    if month and month.isalpha() and not known and not re.fullmatch(NO_DAY, month, re.I):
        return (np.datetime64("NaT"), np.datetime64("NaT"))
    try:
        if known and day and day.isdigit() and day != "00":
            low = high = pd.Timestamp(year, number, int(day))
        elif known:
            low = pd.Timestamp(year, number, 1)
            high = low + pd.offsets.MonthEnd(0)
        elif day and day.isdigit() and day != "00":
            return (np.datetime64("NaT"), np.datetime64("NaT"))
        else:
            low, high = pd.Timestamp(year, 1, 1), pd.Timestamp(year, 12, 31)
    except ValueError:
        return (np.datetime64("NaT"), np.datetime64("NaT"))
    if low < EARLIEST or high > LATEST:
        return (np.datetime64("NaT"), np.datetime64("NaT"))
    return (low.to_datetime64(), high.to_datetime64())


def swapped(date: pd.Series) -> pd.Series:
    """Days with day and month exchanged; NaT where that is no day, or the same one.

    >>> swapped(pd.Series(pd.to_datetime(["2025-03-12", "2025-03-13", "2025-04-04"]))).astype(str).tolist()
    ['2025-12-03', 'NaT', 'NaT']
    """
    fits = date.notna() & (date.dt.day <= 12) & (date.dt.day != date.dt.month)
    parts = pd.DataFrame({"year": date.dt.year, "month": date.dt.day, "day": date.dt.month})[fits]
    return pd.to_datetime(parts).reindex(date.index)


def words(texts: pd.Series, allowed: Sequence[str], coding: Mapping[str, str]) -> tuple[pd.Series, NDArray]:
    """Texts as the codebook's words, by a coding or where they differ by capitals alone; and which are neither.

    >>> found, bad = words(pd.Series(["男", "Female", "x"]), ("male", "female"), {"男": "male"})
    >>> found.tolist(), bad.tolist()
    (['male', 'female', None], [False, False, True])
    """
    known = {word.lower(): word for word in allowed}
    known |= {plain(text).lower(): word for text, word in coding.items()}
    out = _each(texts, lambda text: known.get(plain(text).lower()))
    return out, (out.isna() & texts.notna()).to_numpy()
