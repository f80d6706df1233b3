"""The one writer and the one reader of the project's own files. Only the standard library is imported here."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, content: bytes | str) -> None:
    """Write a file so that it is there whole or not at all; text as UTF-8 with "\\n" at line ends.

    The folder is made where it is absent. Raises OSError where the file can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def read_json(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty where the file is absent, spoilt or no object."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def seal(content: dict[str, Any]) -> str:
    """A record as JSON with its own digest, so that one that was cut, edited or made otherwise is none."""
    return json.dumps({"content": content, "sha256": _sum(content)})


def unseal(path: Path) -> dict[str, Any]:
    """The record that `seal` made; empty where the file is absent, or not as it was written."""
    found = read_json(path)
    content = found.get("content")
    return content if isinstance(content, dict) and found.get("sha256") == _sum(content) else {}


def _sum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
