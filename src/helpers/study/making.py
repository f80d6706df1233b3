"""Ask for a study's tables that are not there, in a process of its own (`helpers.build.making`).

The process has its own memory and its own record of what is read: an analysis that asks for its tables neither
loads the simulator nor sees the truth.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem
from helpers.study.codebook import TABLES

_asked: set[str] = set()
"""Studies of which this process has asked before: their tables are as new as the code that it has loaded."""


def possible(table: str, folder: Path) -> bool:
    """Whether a table of a study's folder can be asked for: in its stage a build runs the chapters themselves."""
    return table in TABLES and folder.parent == ROOT / "data" / "synthetic"


def unasked(study: str) -> bool:
    return study not in _asked


def ask(table: str, study: str, scenario: str, overrides: dict[str, Any]) -> None:
    """Have a table made, and what leads to it; what stands from before is not made again. Raises Problem."""
    done = subprocess.run(
        [sys.executable, "-m", "helpers.build.making", table, scenario, json.dumps(overrides)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        # a message of ours is whole; of a fault of the program the last line says what it is
        why = "\n".join(lines) if done.returncode == 2 else lines[-1]
        raise Problem(f"the table {table} of {study} can't be made: {why}")
    _asked.add(study)
