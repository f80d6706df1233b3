"""Every parameter at both ends of its range, through the tables and through all chapters, in this process.

    python tests/ends.py tables [NAME ...]             each at each end by itself: simulate, record, check, derive
    python tests/ends.py chapters PART/PARTS [SIZE]    all ends, drawn by seed into groups of SIZE, through all chapters

prints a line for each that breaks something. A refusal that names the parameters is none where tables are made: that is
what they are told for. A chapter of a study that has its tables refuses nothing.
"""

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from unittest import mock

SEED = 6731192
CHILDREN = 24
"""Enough for every table and curve, few enough for minutes."""
FEW = (2, 3, 41)
"""Children that chapters are asked for, too: the fewest, and odd numbers."""
FEW_FOR_A_TRUTH = 6_400
"""Children an arm behind a true value that chapter 08 asks here."""


def few_trials(quick: dict[str, int]) -> dict[str, int]:
    """So few trials for each part of chapter 08 where no answer is stored.

    What breaks with many trials breaks with these, or is not estimable sooner; the time goes to mixed models that
    don't converge with so few children, each of which is tried from many starts.
    """
    return {part: max(trials // 30, 4) for part, trials in quick.items()}


def ends(name: str) -> list[Any]:
    """The values at the ends of a parameter's range; of a closed list those that are not the default."""
    from helpers.study.parameters import Parameters

    field = Parameters.model_fields[name]
    if name == "block_sizes":
        return [[2], [20], [2, 20]]
    if get_origin(field.annotation) is Literal:
        return [value for value in get_args(field.annotation) if value != field.default]
    if field.annotation is bool:
        return [not field.default]
    limits = {side: getattr(m, side) for m in field.metadata for side in ("ge", "le") if hasattr(m, side)}
    found = [limits["ge"], limits["le"]]
    return [str(value) for value in found] if name == "recruitment_start" else found


def groups(size: int) -> list[dict[str, Any]]:
    """Every end of every parameter once, in groups of different parameters, drawn by seed."""
    from helpers.study.parameters import Parameters

    # the seed and the largest number of children decide how long it takes, not whether it works: `tables` has them
    left = [(name, value) for name in Parameters.model_fields for value in ends(name)]
    left = [pair for pair in left if pair[0] not in ("n_randomised", "seed")]
    left += [("n_randomised", n) for n in FEW]
    # what is refused by itself, or lets nobody in, is for `tables` to see
    left = [pair for pair in left if possible(dict([pair]))]
    random.Random(SEED).shuffle(left)
    found: list[dict[str, Any]] = []
    while left:
        group: dict[str, Any] = {}
        for name, value in list(left):
            if name not in group and len(group) < size:
                group[name] = value
        while not possible(group):
            group.popitem()
        left = [pair for pair in left if group.get(pair[0], left) != pair[1]]
        found.append(group)
    return found


def possible(changes: dict[str, Any]) -> bool:
    """Whether parameters agree with each other and let children in."""
    from helpers import Problem
    from helpers.study import scenario
    from helpers.trial import conduct

    try:
        conduct.screen(scenario.load("base", **{"n_randomised": CHILDREN, **changes}).parameters)
    except Problem as problem:
        return not refuses(problem)
    return True


def refuses(problem: Exception) -> bool:
    """Whether a Problem tells of parameters, and not of a table that they broke."""
    return re.search(r"row \d|column ", str(problem)) is None


def through_tables(changes: dict[str, Any]) -> None:
    from helpers.analysis import adam, flow
    from helpers.study import scenario
    from helpers.trial import run

    study = scenario.load("base", **changes)
    screening = run.screen(study)
    study.write("adie", flow.criteria_met(screening, study.parameters))
    run.follow_up(study)
    adam.analysis_tables(study)
    shutil.rmtree(study.folder)


def through_chapters(changes: dict[str, Any]) -> None:
    import in_process

    from helpers import DATA
    from helpers.chapters.contents import CHAPTERS
    from helpers.design import characteristics
    from helpers.study import scenario

    name = scenario.derive_folder("base", changes)
    try:
        with (
            mock.patch.object(characteristics, "QUICK", few_trials(characteristics.QUICK)),
            mock.patch.dict(characteristics.TRUTH, quick=FEW_FOR_A_TRUTH),
        ):
            for chapter in CHAPTERS:
                # validation reads no parameter
                if chapter.stem != "09-validation":
                    in_process.shown(chapter.stem, scenario=name)
    finally:
        shutil.rmtree(DATA / name)


def fault(act, changes: dict[str, Any]) -> str:
    """What breaks, in a line; empty where nothing does."""
    from helpers import Problem

    try:
        act(changes)
    except Problem as problem:
        if act is through_chapters or not refuses(problem):
            return f"{changes}: {problem}"[:500]
    except Exception as error:
        import matplotlib.pyplot as plt

        plt.close("all")
        places = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
        return f"{changes}: {type(error).__name__}: {str(error)[:200]} at {' '.join(places[-4:])}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("tables", "chapters"))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ALPORT_DATA"] = folder
        sys.path[:0] = [str(root / "src"), str(root / "tests")]
        from helpers.study.parameters import Parameters

        warnings.simplefilter("ignore")
        if options.what == "tables":
            names = options.names or list(Parameters.model_fields)
            cases = [{name: value} for name in names for value in ends(name)]
            act = through_tables
        else:
            part, parts = map(int, options.names[0].split("/"))
            size = int(options.names[1]) if len(options.names) > 1 else 4
            cases = [{"n_randomised": CHILDREN, **group} for group in groups(size)[part::parts]]
            act = through_chapters
        broken = 0
        for case in cases:
            said = fault(act, case)
            broken += bool(said)
            if said:
                print(said, flush=True)
            elif "-v" in os.environ.get("ENDS", ""):
                print("ok", case, flush=True)
        print(f"{len(cases)} tried, {broken} broken", flush=True)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
