"""The published numbers that parameters and checks cite by their rows, as a page lists them."""

import re

from helpers.study.literature import targets

LINK = re.compile(r"(?P<doi>10\.\d{4,9}/[^\s;,()]+)|(?P<pmc>PMC\d+)|(?P<url>https?://[^\s;,()]+)")
AT = {"doi": "https://doi.org/", "pmc": "https://pmc.ncbi.nlm.nih.gov/articles/", "url": ""}
"""What makes an address of a reference of each form."""
HOW = {
    "READ": "read in the source",
    "excerpt read": "read in an excerpt",
    "abstract read": "read in the abstract",
    "COMPUTED": "computed from what the source prints",
    "ASSUMED": "assumed",
}


def listed() -> list[dict[str, object]]:
    """Rows of targets.csv and targets-2.csv in their order.

    Each has id, what (quantity and population), value (with limits and unit), how it was found, note, source (name
    and year), and parts: the reference in pieces (text, address or "").

    Examples
    --------
    >>> listed()[3]["id"], listed()[3]["value"]
    ('TR04', '60 mL/min/1.73m2')
    """
    return [
        {
            "id": name,
            "what": ", ".join(dict.fromkeys(part for part in (row["quantity"], row["population"]) if part)),
            "value": value_of(row),
            "how": HOW.get(row["how"], row["how"]),
            "note": row["note"],
            "source": " ".join(part for part in (row["source"], row["year"]) if part),
            "parts": pieces(row["doi_or_title"]),
        }
        for name, row in targets().items()
    ]


def value_of(row: dict[str, str]) -> str:
    """A row's value as it stands in the file, with its limits and unit.

    >>> value_of({"value": "0.91", "low": "0.78", "high": "0.96", "unit": "proportion"})
    '0.91 (0.78 to 0.96) proportion'
    """
    value = row["value"].removesuffix(".0")
    limits = f" ({row['low']} to {row['high']})" if row["low"] and row["high"] else ""
    return f"{value}{limits} {row['unit']}".strip()


def pieces(text: str) -> list[tuple[str, str]]:
    """A reference as (text, address): DOIs, PMC numbers and addresses lead somewhere, the rest to "".

    >>> pieces("PMC5460717 Table 1")
    [('PMC5460717', 'https://pmc.ncbi.nlm.nih.gov/articles/PMC5460717'), (' Table 1', '')]
    """
    found, at = [], 0
    for match in LINK.finditer(text):
        if match.start() > at:
            found.append((text[at : match.start()], ""))
        found.append((match[0], AT[str(match.lastgroup)] + match[0]))
        at = match.end()
    return [*found, (text[at:], "")] if text[at:] else found
