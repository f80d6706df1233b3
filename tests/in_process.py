"""Run a chapter's cells in this process and see what it shows: quicker than a kernel, for tests and for work.

    python tests/in_process.py [STEM ...] [--scenario NAME]

runs chapters on a copy of the scenario's tables and prints every exhibit and result that differs from the
published ones in reports/expected.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path


def shown(stem: str, **parameters) -> tuple[dict[str, str], dict[str, dict], dict]:
    """(CSV text of each exhibit, record of each named result, the names at the end) of a chapter.

    `parameters` are set below the first cell, as Papermill would.
    """
    from IPython.core.interactiveshell import InteractiveShell

    from helpers import ROOT
    from helpers.chapters import exhibits

    outputs = []
    InteractiveShell.instance()

    def display(value, metadata=None, **_):
        if metadata is not None:
            outputs.append(metadata)
        else:
            value._ipython_display_()

    before, exhibits.display = exhibits.display, display
    place = Path.cwd()
    os.chdir(ROOT / "notebooks")
    history: list[str] = [""]
    names: dict = {"__name__": "__main__", "In": history}
    quiet = contextlib.redirect_stdout(io.StringIO())
    try:
        quiet.__enter__()
        for cell in json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            history.append("".join(cell["source"]))
            body = ast.parse(history[-1]).body
            last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), stem, "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), stem, "eval"), names)
                if hasattr(value, "_ipython_display_"):
                    value._ipython_display_()
            if parameters and "parameters" in cell["metadata"].get("tags", ()):
                lines = [f"{name} = {value!r}" for name, value in parameters.items()]
                history.append("\n".join(["# Parameters", *lines]))
                names.update(parameters)
    finally:
        quiet.__exit__(None, None, None)
        exhibits.display = before
        os.chdir(place)
    tables = {record["exhibit"]["key"]: record["exhibit"]["csv"] for record in outputs if "exhibit" in record}
    results = {}
    for record in outputs:
        for result in [*record.get("results", []), *record.get("exhibit", {}).get("results", [])]:
            results[result["key"]] = result
    return tables, results, names


def differences(stem: str, scenario: str) -> list:
    """What a chapter shows against what is published."""
    from helpers import ROOT
    from helpers.build.verify import Difference, compare_results, compare_tables

    expected = ROOT / "reports" / "expected" / scenario
    tables, results, _ = shown(stem, scenario=scenario)
    known = json.loads((expected / "results.json").read_text("utf-8")).get(stem, {})
    out = compare_results(scenario, {stem: known}, {stem: results})
    old = {path.stem: path.read_text("utf-8") for path in (expected / "exhibits" / stem).glob("*.csv")}
    for key in sorted(set(old) | set(tables)):
        if key in old and key in tables:
            out += compare_tables(f"{stem} {key}", old[key], tables[key])
        else:
            pair = ("a table", "none") if key in old else ("none", "a table")
            out.append(Difference(f"{stem} {key}", *pair))
    return out


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stems", nargs="*")
    parser.add_argument("--scenario", default="base")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = root / "data" / "synthetic" / options.scenario
        if tables.is_dir():
            shutil.copytree(tables, Path(folder) / options.scenario)
        os.environ["ALPORT_DATA"] = folder
        sys.path.insert(0, str(root / "src"))
        from helpers.chapters.contents import CHAPTERS

        found = []
        for stem in options.stems or [chapter.stem for chapter in CHAPTERS]:
            here = differences(stem, options.scenario)
            print(f"{stem}: {len(here)} differences", flush=True)
            found += here
        print("\n".join(str(one) for one in found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
