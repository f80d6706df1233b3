"""Values as people write them, in a scenario's file and after `SET=`: one rule for both.

A number is written as YAML 1.2 and everybody else writes it. Older YAML reads `1:30` as 90, `050` as 40 and
`1_000` as 1000; here these are text, which no number takes, so that the refusal shows what was written.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from helpers import Problem

WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
ANSWERS = {"true": True, "yes": True, "false": False, "no": False}
EMPTY = ("", "~", "null")
LONGEST_NUMBER = 400
"""Characters: what is longer is no number that a parameter could take."""

LONGEST_FILE = 100_000
"""Characters of a scenario's file; the longest that could be meant has a tenth of them."""


def value(text: str) -> int | float | bool | str:
    """A value from its text: whole number, number, yes or no, or else the text itself.

    >>> [value(text) for text in ("40", "1e-7", "yes", "U25 mean", "1:30", "050", "1_000")]
    [40, 1e-07, True, 'U25 mean', '1:30', '050', '1_000']
    """
    if len(text) <= LONGEST_NUMBER:
        if WHOLE.fullmatch(text):
            return int(text)
        if NUMBER.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
            return float(text)
    return ANSWERS.get(text.lower(), text)


def given(text: str) -> int | float | bool | str | list[int | float | bool | str]:
    """A value after `SET=`: as `value`, or a list of them in brackets.

    >>> given("[4, 6]")
    [4, 6]
    """
    if text.startswith("[") and text.endswith("]"):
        return [value(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    return value(text)


def settings(text: str, where: str, deepest: int = 1) -> dict[str, Any]:
    """The `name: value` lines of a scenario's file. Raises Problem with file, line and column.

    Anchors, tags and anything nested deeper than `deepest` (1: a list) are refused: no parameter needs them, and a
    few lines of them fill any memory.
    """
    if len(text) > LONGEST_FILE:
        raise Problem(f"{where} has {len(text)} characters, allowed: up to {LONGEST_FILE}")
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        found = _document(events, deepest)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        cause = getattr(error, "problem", None) or "not readable as YAML"
        raise Problem(f"{where}{place}: {cause}; allowed: one `name: value` per line") from None
    if not isinstance(found, dict) or not isinstance(found.get("description"), str):
        raise Problem(f"{where}: allowed are `name: value` lines, one of them `description: <a sentence>`")
    return found


def _document(events: Iterator[yaml.Event], deepest: int) -> Any:
    found, documents = None, 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _refused("a second document", event)
            found = _node(next(events), events, deepest)
    return found


def _node(event: yaml.Event, events: Iterator[yaml.Event], left: int) -> Any:
    """The value that begins with an event; left: how many levels may lie below it."""
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _refused("an anchor or alias (& or *)", event)
    if getattr(event, "tag", None):
        raise _refused(f"the tag {event.tag[:40]}", event)
    if isinstance(event, yaml.ScalarEvent):
        if event.style is None and event.value in EMPTY:
            return None
        return value(event.value) if event.style is None else event.value
    if left < 0:
        raise _refused("a value nested in another", event)
    if isinstance(event, yaml.SequenceStartEvent):
        values = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(_node(event, events, left - 1))
        return values
    pairs: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent):
            raise _refused("a name that is no word", event)
        name = event.value
        if name in pairs:
            raise _refused(f"{name[:40]} is given twice", event)
        pairs[name] = _node(next(events), events, left - 1)
    return pairs


def _refused(what: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(
        problem=what if what.endswith("twice") else f"found {what}", problem_mark=event.start_mark
    )
