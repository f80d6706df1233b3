"""Run chapters as a reader in JupyterLab does who changed parameters in the first cell: no build, no other notebook.

    python tests/explored.py STEM NAMES ...     NAMES: parameters to change at once, joined by +, or name=value

prints, a line each, JSON: what was changed, what went wrong (null: nothing), seconds, the named results.
"""

import json
import sys
import time

from changes import changed
from in_process import shown

from helpers.study import settings


def main() -> None:
    stem, *asked = sys.argv[1:]
    for names in asked:
        parameters: dict = {}
        for name in names.split("+"):
            key, equals, value = name.partition("=")
            parameters |= {key: settings.given(value)} if equals else changed(name)
        began, why, results = time.perf_counter(), None, {}
        try:
            _, results, _ = shown(stem, **parameters)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        told = {key: one["value"] for key, one in results.items()}
        seconds = time.perf_counter() - began
        print(
            json.dumps({"changed": names, "wrong": why, "seconds": seconds, "results": told}, default=str),
            flush=True,
        )


if __name__ == "__main__":
    main()
