"""Each number on a page carries the key of its result: seen by hover and focus, and a link to where it is stated.

Where a number stands in a sentence, and in which cell of a table, the outputs tell by position; nothing is searched for
in text. The first cell that shows a result is its place on the page, with an id of its own; a result without a cell
leads to the exhibit that states it, one without an exhibit to `results.json`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape

OPEN, MIDDLE, CLOSE = "\ue000", "\ue001", "\ue002"
"""Marks of private use that Markdown leaves alone: around a number, with its place in the list of numbers."""
LIMITS = ("_lower", "_upper")
_MARKED = re.compile(f"{OPEN}(\\d+){MIDDLE}(.*?){CLOSE}", re.S)
_CLOSED = re.compile(r"\[[^\]\n]*\]\([^)\n]*\)|`[^`]*`|\$[^$]*\$|^ {0,3}#.*$|^ {4}.*$", re.M)
"""Parts of Markdown in which a link can't stand: links, code, formulas, headings."""
_ROW = re.compile(r"<tr>(.*?)</tr>", re.S)
_CELL = re.compile(r"(<t[dh]\b[^>]*>)(.*?)(</t[dh]>)", re.S)


def anchor(key: str) -> str:
    """The id of the cell that shows a result."""
    return f"result-{key}"


def number(html: str, key: str, address: str, own: bool = False, others: Sequence[str] = ()) -> str:
    """A number, as HTML, with its key; own: this is its place, and gets the id; others: keys told in the same cell."""
    name = escape(", ".join([key, *others]))
    place = f' id="{escape(anchor(key))}"' if own else ""
    return f'<a class="key"{place} href="{escape(address)}" title="{name}">{html}</a>'


def stated_at(exhibits: Iterable[Mapping]) -> dict[str, str]:
    """Result key -> address on the page: of the first cell that shows it, else of the first exhibit that states it."""
    found: dict[str, str] = {}
    seen: dict[str, str] = {}
    for record in exhibits:
        for result in record.get("results", ()):
            seen.setdefault(result["key"], f"#exhibit-{record['key']}")
        for _, _, key in record.get("cells", ()):
            found.setdefault(key, f"#{anchor(key)}")
    return seen | found


def stating(exhibits: Iterable[Mapping]) -> dict[str, str]:
    """Result key -> key of the first exhibit that states it."""
    found: dict[str, str] = {}
    for record in exhibits:
        for result in record.get("results", ()):
            found.setdefault(result["key"], record["key"])
    return found


def sentence(
    text: str,
    filled: Sequence[Sequence],
    markdown: Callable[[str], str],
    stated: Mapping[str, str],
    whole: str = "results.json",
) -> str:
    """A text in Markdown as HTML, in which each filled-in number carries its key.

    filled: (first character, first behind it, key) of each; `stated` from `stated_at`; whole: where
    all results are told.
    """
    if set(text) & {OPEN, MIDDLE, CLOSE}:
        return markdown(text)
    closed = [match.span() for match in _CLOSED.finditer(text)]
    marked, keys = text, []
    for start, end, key in sorted(filled, reverse=True):
        inside = any(start < last and first < end for first, last in closed)
        if not start < end <= len(text) or inside or "\n" in text[start:end]:
            continue
        marked = f"{marked[:start]}{OPEN}{len(keys)}{MIDDLE}{marked[start:end]}{CLOSE}{marked[end:]}"
        keys.append(key)

    def linked(match: re.Match) -> str:
        key = keys[int(match[1])]
        return number(match[2], key, stated.get(key, whole))

    return _MARKED.sub(linked, markdown(marked))


def cells(html: str, named: Iterable[Sequence], given: set[str], keys: Sequence[str] = ()) -> str:
    """An exhibit's table in which the cells that show a named result carry its key.

    named: (row, column, key) of each; given: the keys whose place the page has already, to which others lead; keys: all
    that the exhibit states, of which limits (`..._lower`, `..._upper`) stand in the cell of their estimate.
    """
    wanted = {(row, column): key for row, column, key in named}
    head, body, rest = html.partition("<tbody>")
    if not wanted or not body:
        return html
    rows = -1

    def row_of(match: re.Match) -> str:
        nonlocal rows
        rows += 1
        columns = -1

        def cell(part: re.Match) -> str:
            nonlocal columns
            columns += 1
            key = wanted.get((rows, columns))
            if key is None or not part[2]:
                return part[0]
            own = key not in given
            given.add(key)
            limits = [key + end for end in LIMITS if key + end in keys]
            return f"{part[1]}{number(part[2], key, f'#{anchor(key)}', own, limits)}{part[3]}"

        return f"<tr>{_CELL.sub(cell, match[1])}</tr>"

    return head + body + _ROW.sub(row_of, rest)
