"""Executable analysis plan for NCT06731192, in nine rooms.

`study` what was planned, `trial` what happens to children, `estimators` statistics that know nothing of this
trial, `analysis` what it means, `intake` what a site sent, `design` what the trial can show, `figures` how it is
drawn, `chapters` how it is said, `build` how it is made. A room imports only from those before it, and neither
`analysis` nor `intake` from `trial`: `docs/architecture.md` has the picture.
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

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in the place of a traceback."""
        return [f"Problem: {self}"]
