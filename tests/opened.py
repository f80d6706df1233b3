"""What chapters open and import while they run: their cells in this process, watched by an audit hook.

    python tests/opened.py STEM_OR_MODULE ...

Modules, `helpers...`, are loaded only.

prints JSON: the paths below any folder `truth/` that were opened or listed, and the modules of `helpers` loaded.
"""

import importlib
import json
import sys
from pathlib import Path

WATCHED = ("open", "os.listdir", "os.scandir")
TRUTH: list[str] = []


def watch(event: str, arguments: tuple) -> None:
    if event in WATCHED and isinstance(arguments[0], str | bytes | Path):
        path = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
        if "truth" in Path(path).parts:
            TRUTH.append(path)


def main() -> None:
    # beside this script only: who watches must not import what is watched for
    from in_process import shown

    sys.addaudithook(watch)
    for name in sys.argv[1:]:
        if name.partition(".")[0] == "helpers":
            importlib.import_module(name)
        else:
            shown(name)
    loaded = sorted(name for name in sys.modules if name.split(".")[0] == "helpers")
    print(json.dumps({"truth": TRUTH, "modules": loaded}))


if __name__ == "__main__":
    main()
