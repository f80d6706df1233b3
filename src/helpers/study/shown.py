"""How a number becomes text, for every room that shows one: here alone a float is rounded.

Half away from zero, on the decimal text of the number. What was computed may lie a few last bits beside the half that
it is on paper (100 times a product of risks gives 18.749999999999996 for 18.75): the text is cut to `PRECISION`
significant digits first, so that every route to a number shows the same digits.
"""

import math
from decimal import ROUND_HALF_UP, Decimal
from numbers import Integral

NOT_ESTIMABLE = "not estimable"

PRECISION = 12
"""Significant digits that count; computed ones agree between routes and processors to more."""


def _exact(value: float, digits: int) -> Decimal:
    """A finite number in decimal, to `PRECISION` significant digits or more where `digits` decimals need them."""
    if isinstance(value, Integral):
        return Decimal(int(value))
    number = float(value)
    whole = max(math.floor(math.log10(abs(number))) + 1, 0) if number else 0
    return Decimal(f"{number:.{max(PRECISION, min(whole + digits + 1, 17))}g}")


def rounded(value: float | None, digits: int = 0) -> str:
    """The value with `digits` decimals, half away from zero.

    0.125 gives 0.13 and -2.5 gives -3; 1.005 gives 1.01 although its binary value lies below. A zero
    carries no sign. Not finite or None: "not estimable".

    >>> rounded(18.75, 1), rounded(18.749999999999996, 1), rounded(18.7499, 1), rounded(-0.04, 1)
    ('18.8', '18.8', '18.7', '0.0')
    """
    if value is None or not math.isfinite(value):
        return NOT_ESTIMABLE
    shown = _exact(value, digits).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return format(shown if shown else abs(shown), "f")


def plain(value: float | None, significant: int = 6) -> str:
    """Up to so many significant digits, half away from zero, without zeros at the end; whole parts are kept whole.

    Below 0.0001 with a power of ten.

    >>> plain(0.25), plain(12.0), plain(18.75, 3), plain(1234567.0, 3), plain(0.000123456789, 3), plain(8.125e-27, 3)
    ('0.25', '12', '18.8', '1234567', '0.000123', '8.13e-27')
    """
    if value is None or not math.isfinite(value):
        return NOT_ESTIMABLE
    if not value:
        return "0"
    exact = _exact(value, 0)
    places = significant - 1 - exact.adjusted()
    if exact.adjusted() < -4:
        shown = exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP).normalize()
        return f"{shown.scaleb(-shown.adjusted()).normalize():f}e{shown.adjusted():03d}"
    text = rounded(value, max(places, 0))
    return text.rstrip("0").rstrip(".") if "." in text else text


def grouped(value: float | None, digits: int = 0) -> str:
    """As `rounded`, with a comma between thousands.

    >>> grouped(12345.5), grouped(-1234.25, 1)
    ('12,346', '-1,234.3')
    """
    text = rounded(value, digits)
    return text if text == NOT_ESTIMABLE else format(Decimal(text), ",f")


def drawn(text: str) -> str:
    """The text with the minus sign of a figure, which is as wide as a plus."""
    return text.replace("-", "\u2212")
