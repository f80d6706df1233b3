"""What a proposed mapping says of the list, products and doses before they may be opened; and which folder it is of."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers import Problem
from helpers.study import settings

UNKNOWN = '"?"'
LIST = ("random", "alloc", "随机", "分组", "揭盲")
"""Words in the name of a file or sheet that is more likely the list of randomisation than a list of lots or kits."""
NOT_YET = "not opened while blinded"
"""In the comment of a proposed line whose cells nobody has looked at."""
CLOSED = ("product", "cells")
"""Columns of infusions that stay closed while blinded."""
FIRST = ("screening.csv", "infusions.csv", "labs.csv")
"""A folder with these stands as in the codebook."""
DEEPEST = 7


def quoted(text: str) -> str:
    """A text as YAML holds it safely.

    >>> quoted("blood.csv"), quoted("yes"), quoted("24h: x")
    ('blood.csv', '"yes"', '"24h: x"')
    """
    simple = re.fullmatch(r"[A-Za-z_\u4e00-\u9fff][\w \u4e00-\u9fff/.^-]*", text)
    if simple and text == text.strip() and text.lower() not in ("yes", "no", "true", "false", "null"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command(folder: Path) -> str:
    """The command that proposes a mapping of a folder, as the user named it."""
    return f"make intake DATA={shlex.quote(str(folder))}"


def of_list(shut: Sequence[tuple[str, str | None]]) -> list[str]:
    """Lines for the list of randomisation while its file stays shut; shut: (file, sheet) that may tell the arm."""
    likely = [one for one in shut if any(word in f"{one[0]} {one[1] or ''}".lower() for word in LIST)]
    if ("randomisation.csv", None) in shut:
        return ["  # randomisation: read from randomisation.csv, as in the codebook, once unblinded"]
    if not likely:
        return [
            "  # randomisation: found nothing like it; needed once unblinded, and make intake then looks again"
        ]
    file, sheet = likely[0]
    lines = [
        "  randomisation:  # its file stays shut and these lines are ignored while blinded; make intake, run again",
        "    # once `unblinded:` has its day, completes them",
        f"    file: {quoted(file)}",
    ]
    if sheet is not None:
        lines.append(f"    sheet: {quoted(sheet)}")
    lines += [
        "    columns:",
        f"      usubjid: {UNKNOWN}",
        f"      # randomisation_date: {UNKNOWN}    this, sequence and block may be absent",
        f"      arm: {UNKNOWN}  # as {{source: the column, values: {{its word: Placebo, its other word: hUC-MSC}}}}",
    ]
    return lines


def of_dose(column: str, names: Sequence[str]) -> str:
    """A line for a column of infusions that was not found and may not be looked for in the cells."""
    return (
        f"  {column}: {UNKNOWN}  # ignored while blinded; once unblinded name its column, or remove the line: "
        f"{', '.join(names)[:300]}"
    )


def origin(folder: Path, files: Sequence[str]) -> list[str]:
    """Lines that say of which folder a mapping was proposed: its name and its files, and no place."""
    name = folder.resolve().name
    return [f"made_from: {{folder: {quoted(name)}, files: [{', '.join(map(quoted, files))}]}}"]


def as_in_codebook(folder: Path) -> bool:
    return all((folder / name).is_file() for name in FIRST)


def of_another(path: Path, folder: Path) -> str:
    """Why a mapping is of another folder of the same name, in words; nothing where it is of this one or says not."""
    try:
        made = _settings(path.read_text("utf-8-sig"), path.name).get("made_from")
    except (OSError, UnicodeDecodeError, Problem):
        return ""
    files = made.get("files") if isinstance(made, dict) else None
    lacking = [str(name) for name in files or () if not os.path.lexists(folder / str(name))]
    if not lacking:
        return ""
    few = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")
    return (
        f"intakes/{path.name}: this mapping was proposed for another folder: {few} "
        f"{'is' if len(lacking) == 1 else 'are'} not in {folder.resolve().name}"
    )


def is_unblinded(text: str) -> bool:
    """Whether a mapping states the day of unblinding.

    >>> is_unblinded("unblinded: 2027-01-15"), is_unblinded("# unblinded: 2027-01-15")
    (True, False)
    """
    return bool(re.search(r"^unblinded\s*:\s*['\"]?\d", text, re.M))


def completed(old: str, new: str) -> tuple[str, list[str]]:
    """A mapping with what was closed filled in from a proposal of the unblinded folder, and the lines filled in.

    What the mapping answers already stays. An empty text where the mapping can't be completed so (it is laid out in
    another way, or names no tables): the lines are then to be pasted.
    """
    was, found = old.splitlines(), new.splitlines()
    lines: list[str] = []
    start, end = _block(was, "randomisation")
    if start == end or any(UNKNOWN in line for line in was[start:end]):
        a, b = _block(found, "randomisation")
        lines += found[a:b]
        at = start if start < end else next((k + 1 for k, line in enumerate(was) if line == "tables:"), -1)
        if at >= 0:
            was[start if start < end else at : end if start < end else at] = found[a:b]
    a, b = _block(found, "infusions")
    for column in CLOSED:
        mine = next((line for line in found[a:b] if re.match(rf"\s+(# )?{column}:", line)), None)
        start, end = _block(was, "infusions")
        here = [k for k in range(start, end) if re.match(rf"\s+(# )?{column}:", was[k])]
        if mine is None or (here and not any(mark in was[here[0]] for mark in (UNKNOWN, NOT_YET))):
            continue
        lines.append(mine)
        if here:
            was[here[0]] = mine
        else:
            for k in range(start, end):
                if was[k] == "    columns:":
                    was.insert(k + 1, mine)
                    break
    text = "\n".join(was) + "\n"
    try:
        _settings(text, "mapping")
    except Problem:
        return "", lines
    return (text if lines and all(line in was for line in lines) else ""), lines


def _block(lines: Sequence[str], table: str) -> tuple[int, int]:
    """First line of a table's part of a mapping, and the first after it; twice the same where it has none."""
    start = next((k for k, line in enumerate(lines) if re.match(rf"  {table}:", line)), len(lines))
    end = next((k for k in range(start + 1, len(lines)) if re.match(r"(\S|  \S)", lines[k])), len(lines))
    return start, max(start, end)


def _settings(text: str, name: str) -> dict[str, Any]:
    if not re.search(r"^description\s*:", text, re.M):
        text += "\ndescription: a mapping\n"
    return settings.settings(text, name, DEEPEST)
