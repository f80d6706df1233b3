"""Executable analysis plan for NCT06731192, in five wings.

`study` what was planned, `trial` what happens to children, `analysis` what it means,
`design` what the trial can show, `report` what people see. A wing imports only from those before it,
and `analysis` never from `trial`.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder; every path is resolved from here, whatever the working directory."""

DATA = Path(os.environ.get("ALPORT_DATA") or ROOT / "data" / "synthetic")
"""Where scenarios keep their tables; the build points it at its own staging folder."""


class Problem(ValueError):
    """Something that the person at the keyboard can mend; its text is all that is shown.

    It says which file, row, column or parameter, what was found, and what is allowed or to be done.
    """
