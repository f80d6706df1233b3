"""How long the project's commands take: a fresh clone of what is committed, its environment made anew.

    python benchmarks/run_times.py [COMMAND ...]

runs them one after the other (default: all of `COMMANDS`, half an hour on two cores) and writes
`benchmarks/run_times.csv`, from which the guide for reviewers has them; rows of commands not asked for stay if they
are of this machine. Nothing else should run meanwhile. No result hangs on them, and no other command writes this
file.
"""

import csv
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "benchmarks" / "run_times.csv"
COMMANDS = {
    "make report": "the environment and the report of base, in a fresh clone",
    "make report ": "the same again: nothing has changed",
    "make report SET=remission_fall=0.3": "a changed reading, beside it",
    "make test": "format, lint, types and tests",
    "make verify": "all scenarios, against the published results",
}
"""What is measured, in this order, and what it is. A blank at the end tells two of one command apart."""


def main(wanted: list[str]) -> int:
    machine = f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python "
    machine += platform.python_version()
    seconds = {}
    if TABLE.is_file():
        with TABLE.open(encoding="utf-8", newline="") as file:
            seconds = {
                row["what"]: int(row["seconds"]) for row in csv.DictReader(file) if row["machine"] == machine
            }
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for command, what in COMMANDS.items():
            if wanted and command not in wanted:
                continue
            began = time.monotonic()
            done = subprocess.run(shlex.split(command), cwd=clone, capture_output=True, text=True)
            taken = time.monotonic() - began
            if done.returncode:
                print(f"{command} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}", file=sys.stderr)
                return 1
            seconds[what] = round(taken)
            print(f"{command:<40} {taken:>6.0f} s", flush=True)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["command", "what", "seconds", "machine"])
        for command, what in COMMANDS.items():
            if what in seconds:
                table.writerow([command.strip(), what, seconds[what], machine])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
