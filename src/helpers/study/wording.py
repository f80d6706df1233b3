"""Words around a count, and the name that somebody may have meant: for pages and messages of every room."""

import difflib
import re
from collections.abc import Iterable, Sequence


def counted(n: object, one: str, many: str) -> str:
    """A count with its noun, and with what hangs on it.

    >>> counted(1, "child was", "children were"), counted("20 v 20", "child", "children")
    ('1 child was', '20 v 20 children')
    """
    return f"{n} {one if set(str(n).split(' v ')) == {'1'} else many}"


def meant(name: str, names: Iterable[str]) -> str:
    """Which of the names was meant, for the end of a message: nothing where none is near.

    >>> meant("modest_effect", ["base", "modest-effect"]), meant("x", ["base"])
    (' (did you mean modest-effect?)', '')
    """
    near = difflib.get_close_matches(name[:LONGEST], list(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def unknown_scenario(name: str, names: Sequence[str]) -> str:
    """What is said of a scenario that is not there: which is near, and which there are.

    >>> unknown_scenario("bas", ["base", "waning-effect"])
    "unknown scenario 'bas' (did you mean base?); there are: base, waning-effect"
    """
    told = name if len(name) <= LONGEST else f"{name[:LONGEST]}..."
    return f"unknown scenario {told!r}{meant(name, names)}; there are: {', '.join(names)}"


def spaced(text: str) -> str:
    """How changes written with spaces around their equals signs are meant, for the end of a message; else nothing.

    >>> spaced("dropout = 0.3"), spaced("dropout=0.3 confirm_days=28")
    (' (no space may stand beside the equals sign: dropout=0.3)', '')
    """
    mended = re.sub(r"\s*=\s*", "=", text.strip())
    return (
        "" if mended == text.strip() else f" (no space may stand beside the equals sign: {mended[:LONGEST]})"
    )


LONGEST = 80
"""Characters of a name that are compared."""
