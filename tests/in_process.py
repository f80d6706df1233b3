"""Run a chapter's cells in this process and see what it shows: quicker than a kernel, for tests and for work.

    python tests/in_process.py [STEM ...] [--scenario NAME]

runs chapters on a copy of the scenario's tables and prints every exhibit and result that differs from the
published ones in reports/expected, and every table and sentence that differs from the committed notebook's.
"""

import argparse
import ast
import contextlib
import io
import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path


def outputs(stem: str, **parameters) -> tuple[list[tuple[dict, dict]], dict]:
    """(Data and metadata of each exhibit and sentence, the names at the end) of a chapter.

    `parameters` are set below the first cell, as Papermill would.
    """
    from IPython.core.interactiveshell import InteractiveShell

    from helpers import ROOT
    from helpers.chapters import exhibits

    made = []
    InteractiveShell.instance()

    def display(value, metadata=None, **_):
        if metadata is not None:
            made.append((value, metadata))
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
    return made, names


def recorded(made: list[tuple[dict, dict]]) -> tuple[dict[str, str], dict[str, dict]]:
    """CSV text of each exhibit and record of each named result among outputs."""
    tables, results = {}, {}
    for _, record in made:
        if "exhibit" in record:
            tables[record["exhibit"]["key"]] = record["exhibit"]["csv"]
        for result in [*record.get("results", []), *record.get("exhibit", {}).get("results", [])]:
            results[result["key"]] = result
    return tables, results


def shown(stem: str, **parameters) -> tuple[dict[str, str], dict[str, dict], dict]:
    """(CSV text of each exhibit, record of each named result, the names at the end) of a chapter."""
    made, names = outputs(stem, **parameters)
    return *recorded(made), names


def words(made: list[tuple[dict, dict]]) -> list[str]:
    """The tables and sentences among outputs, as a reader sees them."""
    return [data.get("text/markdown") or data["text/html"] for data, _ in made if "image/png" not in data]


def committed(stem: str) -> list[tuple[dict, dict]]:
    """The outputs that the committed notebook holds, but for those of cells of plain pandas."""
    from helpers import ROOT

    found = []
    for cell in json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "display_data" and set(output["metadata"]) - {"image/png"}:
                data = {kind: "".join(text) for kind, text in output["data"].items()}
                found.append((data, output["metadata"]))
    return found


def parted(one: str, other: str) -> tuple[str, str]:
    """Two texts from a little before the place where they part."""
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    at = max(sum(1 for _ in same) - 40, 0)
    return one[at : at + 160], other[at : at + 160]


def differences(stem: str, scenario: str) -> list:
    """What a chapter shows against what is published."""
    from helpers import ROOT
    from helpers.build.verify import Difference, compare_results, compare_tables

    expected = ROOT / "reports" / "expected" / scenario
    made, _ = outputs(stem, scenario=scenario)
    tables, results = recorded(made)
    known = json.loads((expected / "results.json").read_text("utf-8")).get(stem, {})
    out = compare_results(scenario, {stem: known}, {stem: results})
    old = {path.stem: path.read_text("utf-8") for path in (expected / "exhibits" / stem).glob("*.csv")}
    for key in sorted(set(old) | set(tables)):
        if key in old and key in tables:
            out += compare_tables(f"{stem} {key}", old[key], tables[key])
        else:
            pair = ("a table", "none") if key in old else ("none", "a table")
            out.append(Difference(f"{stem} {key}", *pair))
    if scenario == "base":
        pairs = itertools.zip_longest(words(committed(stem)), words(made), fillvalue="nothing")
        out += [Difference(f"notebooks/{stem}.ipynb", *parted(*pair)) for pair in pairs if pair[0] != pair[1]]
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
