"""Results that cost seconds, kept by what they are made from: code, parameters, reference data.

`recall` looks the key up in the committed file, then in the project's cache; only then it computes, and
keeps the answer in the cache. A changed line of the simulator or a changed parameter is another key, so a
stale answer can't be shown. `python -m helpers.design.kept` computes the committed files anew.
"""

import ast
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers import ROOT, Problem
from helpers.study.files import read_json
from helpers.study.tables import write_text

COMMITTED = ROOT / "data" / "reference" / "kept"
CACHE = ROOT / ".cache" / "kept"


def source(module: ModuleType) -> str:
    """A module's code without comments, docstrings and layout: what decides its results."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            told = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            node.body = told or [ast.Pass()]
    return ast.unparse(tree)


def key(modules: Iterable[ModuleType], values: dict[str, Any], files: Iterable[Path] = ()) -> str:
    """Content key of a result: code of `modules`, plain `values`, bytes of `files`. 16 hexadecimal digits."""
    whole = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for module in modules:
        whole.update(hashlib.sha256(source(module).encode()).digest())
    for path in files:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def recall(name: str, wanted: str, compute: Callable[[], Any]) -> Any:
    """What `compute` returned for this key, from the committed file or the cache, or computed and cached."""
    committed = read_json(COMMITTED / f"{name}.json")
    if wanted in committed:
        return committed[wanted]
    path = CACHE / f"{name}-{wanted}.json"
    cached = read_json(path)
    if wanted in cached:
        return cached[wanted]
    found = json.loads(json.dumps(compute()))
    write_text(path, json.dumps({wanted: found}) + "\n")
    return found


def commit(name: str, answers: dict[str, Callable[[], Any]]) -> None:
    """Write the committed file of these keys, computing what neither it nor the cache holds."""
    found = {wanted: recall(name, wanted, compute) for wanted, compute in answers.items()}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(found[k])}" for k in sorted(found))
    write_text(COMMITTED / f"{name}.json", "{\n" + lines + "\n}\n")


def main() -> None:
    """Compute the committed files for every scenario of the project."""
    from helpers.design import calibration, selection
    from helpers.study.scenario import load, scenarios

    for room in (calibration, selection):
        studies = [load(name).parameters for name in scenarios()]
        commit(room.NAME, {room.content_key(p): lambda p=p, room=room: room.compute(p) for p in studies})


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        raise SystemExit(str(problem)) from None
