"""The study of own data, and the `load` that every chapter calls, whatever its data.

For a scenario `load` is `helpers.study.scenario.load` itself. A name that begins with `own-` stands for a folder of
own tables that the build has received (`editions`): its record `own.json` says which scenario's readings are in force,
whose tables they are, and whether the arms are dummies. The tables of such a study are held against the checks of a
real trial, where most findings are queries to the site; nothing of it is ever simulated.
"""

import hashlib
import html
import importlib
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from helpers import DATA, ROOT, Problem
from helpers.study import cells, files, recording, tables
from helpers.study import scenario as plans
from helpers.study.protocol import ARMS
from helpers.study.recording import plain
from helpers.study.scenario import Study
from helpers.study.wording import counted, unknown_scenario

NAME = re.compile(r"own-[a-z0-9-]+(\+[0-9a-f]{8})?")
"""Names of studies of own data; no scenario is called so where such a study is there."""
FOLDER = ROOT / "data" / "own"
"""Where tables of own data stand that a build has received; ignored by git."""
RECORD = "own.json"
BLINDED = "dummy arms"
"""What every page and file of a blinded report says of its arms."""
DERIVED = ("adie", "adsl", "adlb", "adtte", "adae")


def home(name: str) -> Path:
    """The folder of a study of own data: in the stage of a build where one runs, else where it is published."""
    return (FOLDER if DATA == ROOT / "data" / "synthetic" else DATA) / name


@dataclass(frozen=True, repr=False)
class OwnStudy(Study):
    """A study whose tables were received and not simulated.

    `record` is what `own.json` says. Where parameters were changed in a notebook's first cell, tables that hang on
    them are derived in memory and written nowhere.
    """

    record: dict[str, Any] = field(default_factory=dict, repr=False)
    home: Path = ROOT
    changed: bool = False
    made: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        return self.home

    @property
    def blinded(self) -> bool:
        """Whether the arms are dummies, since nobody may see the true ones yet."""
        return bool(self._told(self.record)["blinded"])

    def read(self, table: str) -> pd.DataFrame:
        """A table as received, or derived from those; raises Problem where it is absent or can't be analysed."""
        if self.changed and table in DERIVED:
            return self.seen(self._derived()[table])
        path = self.folder / f"{table}.csv"
        if not path.exists():
            raise Problem(f"{self._where(path)} does not exist. {self._advice()}")
        return self.seen(tables.read(table, path, own=True))

    def seen(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A table as the analysis sees it: while blinded a treated child counts under its dummy arm.

        What it was treated with is unknown then, and the files leave it empty; so it is of a treated child, unblinded,
        of whom no product was sent, and it counts under its allocated arm.
        """
        if "TRT01A" not in frame or "TRT01P" not in frame:
            return frame
        if not self.record["blinded"]:
            # unblinded this stands for whom no product was sent of (rule "as allocated"), and for nobody else
            lacking = frame["TRT01A"].isna() & (frame["SAFFL"] == "Y") if "SAFFL" in frame else None
            if lacking is None or not lacking.any():
                return frame
            actual = frame["TRT01A"].where(~lacking, frame["TRT01P"])
        else:
            treated = frame["SAFFL"] == "Y" if "SAFFL" in frame else frame["TRT01P"].notna()
            actual = frame["TRT01P"].where(treated, None)
        found = frame.assign(TRT01A=actual)
        if "TRT01AN" in frame:
            found["TRT01AN"] = actual.map({arm: float(k) for k, arm in enumerate(ARMS)})
        return found

    def write(self, table: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Check a table as one of a real trial and write it; a study changed in a notebook writes nothing."""
        frame = frame[[c.name for c in tables.TABLES[table].columns if c.name in frame]].reset_index(
            drop=True
        )
        tables.check(table, frame, own=True)
        if not self.changed:
            tables.write_text(self.folder / f"{table}.csv", tables.to_csv(frame))
        return frame

    def write_truth(self, name: str, frame: pd.DataFrame) -> None:
        raise Problem("own data have no simulated truth beside them")

    def write_overrides(self) -> None:
        """Nothing: the record says what differs."""

    def resolved(self) -> dict[str, Any]:
        return {**super().resolved(), "data": self.record["folder"]}

    def _derived(self) -> dict[str, pd.DataFrame]:
        if not self.made:
            # by name: a chapter that reads finished tables hangs on no code that makes them
            self.made.update(importlib.import_module("helpers.intake.derived").every(self))
        return self.made

    def _repr_html_(self) -> str:
        page = super()._repr_html_()
        told = html.escape(notice(self.record), quote=False)
        same = html.escape(self._scenario, quote=False)
        caption = f"<caption>Study <b>{self._name}</b>. {told} Readings and assumptions: scenario {same}"
        return re.sub(
            r"<caption>.*?</caption>",
            lambda _: f"{caption}{', but as below' * bool(self._overrides())}.</caption>",
            page, count=1, flags=re.S,
        )  # fmt: skip

    def _check_origin(self) -> None:
        """Nothing: these tables were made with no parameters."""

    def _advice(self) -> str:
        return "Run `make report DATA=folder` with the folder that the tables came from."


def notice(record: dict[str, Any]) -> str:
    """What each page says of its data, in the place of "Synthetic data"; plain text, to be escaped."""
    children = counted(record["children"], "child", "children")
    return f"Data of {record['folder']}, {children}, received as listed in provenance."


def is_own(study: Study) -> bool:
    """Whether a study's tables were received and not simulated."""
    return isinstance(study, OwnStudy)


def is_blinded(study: Study) -> bool:
    """Whether a study's arms are dummies."""
    return isinstance(study, OwnStudy) and study.blinded


def was_received(study: Study, table: str) -> bool:
    """Whether a raw table came, as in simulated data always; the empty one that stands for it says nothing.

    Examples
    --------
    As notebook 10-safety calls it:

    >>> was_received(study, "events")
    """
    return not (isinstance(study, OwnStudy) and table in study.record.get("absent", {}))


def from_folder(folder: Path, **changes: Any) -> OwnStudy:
    """The study of received tables in a folder with a record; `changes` as `load` takes them.

    Raises Problem for a spoilt record, and for a parameter that can't be.

    Examples
    --------
    >>> from_folder(Path("data/own/own-site2"), remission_fall=0.3)  # doctest: +SKIP
    """
    record = files.read_json(folder / RECORD)
    if not record:
        raise Problem(f"{folder.name}/{RECORD} is not readable as JSON; run `make report DATA=folder` again")
    _, values = plans.read_scenario(record["scenario"])
    theirs = plans.validate(values, f"scenarios/{record['scenario']}.yaml")
    values = {**values, **record["overrides"]}
    built = plans.validate(values, "parameters")
    asked = plans.given(changes)
    mine = plans.validate({**values, **asked}, "parameters") if asked else built
    name = str(record["edition"])
    changed = plain(mine) != plain(built)
    if changed:
        differing = {k: v for k, v in plain(mine).items() if v != plain(theirs)[k]}
        text = json.dumps(differing, sort_keys=True)
        name = f"{name.partition('+')[0]}+{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    view = recording.recorded(mine, recording.process, frozenset(asked))
    shown = {key: plain(mine)[key] if value is not None else None for key, value in changes.items()}
    told = notice(record)
    return OwnStudy(view, shown, name, record["scenario"], told, theirs, record, folder, changed)


def load(scenario: str = "base", **changes: Any) -> Study:
    """The study of a scenario, or of own data by the name of its report; `changes` lie over its parameters.

    In a notebook it takes every parameter that the first cell sets, and refuses any other name there, as
    `helpers.study.scenario.load` does. Raises Problem for an unknown name and for a parameter that can't be.

    Examples
    --------
    >>> load("base", upcr_effect=0.8, dropout=None)  # None: as the scenario has it
    <Study base+31f6d5e6: upcr_effect = 0.8>
    """
    space = sys._getframe(1).f_globals
    changes |= {name: space.get(name) for name in cells.passed_on(changes, space) if name not in changes}
    if isinstance(scenario, str) and NAME.fullmatch(scenario):
        folder = home(scenario)
        if (folder / RECORD).is_file():
            return from_folder(folder, **changes)
    if isinstance(scenario, str) and scenario.partition("+")[0] not in plans.scenarios():
        raise Problem(unknown_scenario(scenario, plans.scenarios()))
    return plans.load(scenario, **changes)
