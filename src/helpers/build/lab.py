"""Open JupyterLab on the project with its start page: what `make lab` does.

    python -m helpers.build.lab [OPTION ...]        OPTION: any of JupyterLab's, such as --no-browser or --port=9999

It runs as a module of this Python and not by the script beside it, whose first line names the folder in which the
environment was made: so a moved or copied clone opens itself. Only the standard library is imported here.
"""

import os
import sys

from helpers import ROOT
from helpers.build.publishing import interruptible

START = "notebooks/README.md"
"""What is open when JupyterLab comes up, rendered: `templates/lab` says that Markdown is shown and not edited."""


def command(options: list[str], root: bool) -> list[str]:
    """The command line of JupyterLab, with the user's own options last, which win.

    root: whether the user is root, as in most containers; Jupyter then wants to be told that this is meant.
    """
    settings = ROOT / "src" / "helpers" / "build" / "templates" / "lab"
    ours = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/{START}",
        f"--LabApp.app_settings_dir={settings}",
        *(["--allow-root"] if root else []),
    ]
    return [sys.executable, "-m", "jupyterlab", *ours, *options]


def main() -> None:
    interruptible()
    os.chdir(ROOT)
    os.execv(sys.executable, command(sys.argv[1:], os.geteuid() == 0))


if __name__ == "__main__":
    main()
