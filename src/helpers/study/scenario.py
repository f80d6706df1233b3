"""Scenarios: which parameters a study runs with, and where its tables live.

`load("base", upcr_effect=0.8)` is the first call of every chapter. It reads `scenarios/base.yaml` (only
what differs from the defaults of `parameters.Parameters`), lays the changes over it, validates once, and
returns a `Study`. Changed parameters never touch the scenario's own folder: the study is then called
`base+<hash>`.

A study notes which of its parameters are read (`recording`), so that a chapter runs again only where one of
those has changed. Its own table of parameters, the check of a folder's origin and what it writes beside the
tables are no result of a chapter and note nothing.
"""

import contextlib
import difflib
import hashlib
import html
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pandas as pd
from pydantic import ValidationError

from helpers import DATA, ROOT, Problem
from helpers.study import cells, files, making, recording, settings, tables
from helpers.study.codebook import TABLES
from helpers.study.parameters import GROUPS, Parameters, about
from helpers.study.recording import plain

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
LONGEST_TOLD = 300
"""Characters of a value that a message tells."""

DERIVED = re.compile(r"([a-z0-9][a-z0-9-]*)\+[0-9a-f]{8}")


@dataclass(frozen=True)
class Study:
    """Parameters in force, the scenario they come from, and the folder of this study's tables.

    `changes` are those that `load` was given, None among them, as JSON holds them: the parameters that a
    chapter is about. `name`, `scenario`, `description`, `overrides` and `register` tell one study from
    another whatever its parameters: who asks for them is taken to have read all.
    """

    parameters: Parameters
    changes: dict[str, Any]
    _name: str
    _scenario: str
    _description: str
    _theirs: Parameters

    @property
    def name(self) -> str:
        return self._told(self._name)

    @property
    def scenario(self) -> str:
        return self._told(self._scenario)

    @property
    def description(self) -> str:
        return self._told(self._description)

    @property
    def overrides(self) -> dict[str, Any]:
        """Parameters that differ from the scenario's, as JSON holds them."""
        return self._told(self._overrides())

    @property
    def folder(self) -> Path:
        return DATA / self._name

    def _told(self, value: Any) -> Any:
        recording.note(recording.process, "parameters", recording.ALL)
        return value

    def _overrides(self) -> dict[str, Any]:
        return _differing(self.parameters, self._theirs)

    def read(self, table: str) -> pd.DataFrame:
        """The checked table, made first where it is absent or where code has changed since a changed study's was made.

        Raises Problem if it can't be made, is wrong, or was made with other parameters.
        """
        path = self.folder / f"{table}.csv"
        if making.possible(table, self.folder) and (
            not path.exists() or (self._overrides() and making.unasked(self._name))
        ):
            making.ask(table, self._name, self._scenario, self._overrides())
        if not path.exists():
            raise Problem(f"{self._where(path)} does not exist. {self._advice()}")
        self._check_origin()
        return tables.read(table, path)

    def write(self, table: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Check and write a table; the folder then says with which parameters it was made."""
        if table == tables.FIRST:
            tables.check(table, frame)
            self._refuse_own_tables()
            self._write_json("scenario.json", self.resolved())
            self.write_overrides()
        else:
            self._check_origin()
        return tables.write(table, frame, self.folder / f"{table}.csv")

    def write_truth(self, name: str, frame: pd.DataFrame) -> None:
        """The simulated truth, kept beside the data and read by no analysis."""
        tables.write_text(self.folder / "truth" / f"{name}.csv", tables.to_csv(frame))

    def write_overrides(self) -> None:
        """Write what `load(name)` needs, where this study differs from its scenario."""
        if self._overrides():
            self._write_json("overrides.json", {"scenario": self._scenario, "overrides": self._overrides()})

    def register(self, names: tuple[str, ...] | None = None) -> pd.DataFrame:
        """The register of parameters, one row each; those that differ from the default come first."""
        return self._told(self._register(names))

    def _register(self, names: tuple[str, ...] | None) -> pd.DataFrame:
        mine, theirs = plain(self.parameters), plain(self._theirs)
        default = plain(Parameters())
        rows = []
        for name in Parameters.model_fields:
            if names and name not in names:
                continue
            extra = about(name)
            rows.append(
                {
                    "parameter": name,
                    "value": text(mine[name]),
                    "scenario": text(theirs[name]),
                    "default": text(default[name]),
                    "unit": extra["unit"],
                    "allowed": allowed(name),
                    "group": GROUPS[extra["group"]],
                    "reason": extra["reason"],
                    "source": extra["source"],
                }
            )
        frame = pd.DataFrame(rows)
        changed = (frame["value"] != frame["default"]) | (frame["scenario"] != frame["default"])
        return pd.concat([frame[changed], frame[~changed]], ignore_index=True)

    def _repr_html_(self) -> str:
        shown = {**self._overrides(), **self.changes} if "+" in self._name else self.changes
        frame = self._register(tuple(shown) or ("seed", "n_randomised"))
        frame = frame[["parameter", "value", "scenario", "unit", "allowed", "source"]]
        frame.columns = [
            "parameter",
            "value in force",
            f"scenario {self._scenario}",
            "unit",
            "range",
            "source",
        ]
        page = frame.to_html(index=False, border=0, classes="parameters")
        same = html.escape(self._description.rstrip("."), quote=False)
        assumed = f"as scenario {self._scenario}, but as below" if self._overrides() else same
        caption = f"<caption>Study <b>{self._name}</b>. Assumed: {assumed}.</caption>"
        return page.replace("<thead>", f"{caption}<thead>", 1)

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """What a notebook shows. The build knows it by its metadata, and makes it anew for another study.

        So a chapter that stands for several studies shows each one's own parameters.
        """
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}, {"study": self.changes}

    def __repr__(self) -> str:
        changed = ", ".join(f"{name} = {text(value)}" for name, value in self._overrides().items())
        return f"<Study {self._name}{': ' + changed if changed else ''}>"

    def resolved(self) -> dict[str, Any]:
        """`scenario.json`: every parameter in force, as plain values."""
        return {
            "study": self._name,
            "scenario": self._scenario,
            "description": self._description,
            "parameters": plain(self.parameters),
        }

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        tables.write_text(self.folder / name, json.dumps(content, indent=1) + "\n")

    def _refuse_own_tables(self) -> None:
        """Raise Problem where the folder holds tables that no study of this name wrote."""
        # asked by name: a folder that is listed would count as read
        there = [f"{name}.csv" for name in TABLES if (self.folder / f"{name}.csv").exists()]
        if there and files.read_json(self.folder / "scenario.json").get("study") != self._name:
            raise Problem(
                f"{self._where(self.folder)} holds {', '.join(there[:5])} that were not simulated by "
                f"{self._name}, and would be replaced; move the folder away or give the scenario another name"
            )

    def _check_origin(self) -> None:
        path = self.folder / "scenario.json"
        if not path.exists():
            raise Problem(f"{self._where(path)} does not exist. {self._advice()}")
        found = read_json(path)["parameters"]
        wanted = plain(self.parameters)
        differ = [n for n in wanted if found.get(n) != wanted[n]] + [n for n in found if n not in wanted]
        if differ:
            which = "; ".join(
                f"{n} was {text(found.get(n))}, is now {text(wanted.get(n))}" for n in differ[:5]
            )
            raise Problem(
                f"{self._where(self.folder)} was made with other parameters ({which}). {self._advice()}"
            )

    def _where(self, path: Path) -> str:
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)

    def _advice(self) -> str:
        changed = " ".join(f"{name}={shlex.quote(text(value))}" for name, value in self._overrides().items())
        settings = f' SET="{changed}"' if changed else ""
        return (
            f"Run `make report SCENARIO={self._scenario}{settings}`, "
            "or the chapters before this one with the same parameters."
        )


def load(scenario: str = "base", **changes: Any) -> Study:
    """Read a scenario, lay `changes` over it (None = the scenario's value), validate once.

    Called in a notebook with the names of its first cell, it takes every parameter that the cell sets, and refuses
    any other name there (`cells`).

    Raises Problem for an unknown scenario, a malformed file, or an unknown, mistyped, out-of-range or
    contradictory parameter.

    Examples
    --------
    >>> load("base", upcr_effect=0.8, dropout=None)  # None: as the scenario has it
    <Study base+31f6d5e6: upcr_effect = 0.8>
    """
    space = sys._getframe(1).f_globals
    changes |= {name: space.get(name) for name in cells.passed_on(changes, space) if name not in changes}
    asked = dict(changes)
    if isinstance(scenario, str) and DERIVED.fullmatch(scenario):
        path = DATA / scenario / "overrides.json"
        if not path.exists():
            raise Problem(f"data/synthetic/{scenario}/ does not exist; scenarios: {', '.join(scenarios())}")
        found = read_json(path)
        scenario, changes = found["scenario"], {**found["overrides"], **given(changes)}
    description, values = read_scenario(scenario)
    theirs = validate(values, f"scenarios/{scenario}.yaml")
    mine = validate({**values, **given(changes)}, "parameters") if given(changes) else theirs
    name, overrides = scenario, _differing(mine, theirs)
    if overrides:
        text_ = json.dumps(overrides, sort_keys=True)
        name = f"{scenario}+{hashlib.sha256(text_.encode()).hexdigest()[:8]}"
    # what the caller sets is the caller's, whatever the scenario says
    view = recording.recorded(mine, recording.process, frozenset(given(asked)))
    asked = {name: plain(mine)[name] if value is not None else None for name, value in asked.items()}
    return Study(view, asked, name, scenario, description, theirs)


def _differing(mine: Parameters, theirs: Parameters) -> dict[str, Any]:
    values, others = plain(mine), plain(theirs)
    return {name: value for name, value in values.items() if value != others[name]}


def derive_folder(scenario: str, overrides: dict[str, Any]) -> str:
    """Name of the study `scenario` with `overrides`; its folder then holds what `load(name)` needs."""
    study = load(scenario, **overrides)
    study.write_overrides()
    return study.name


def scenarios() -> list[str]:
    """Names of the scenario files, base first."""
    names = sorted(p.stem for p in (ROOT / "scenarios").glob("*.yaml") if NAME.fullmatch(p.stem))
    return sorted(names, key=lambda name: name != "base")


def read_scenario(name: str) -> tuple[str, dict[str, Any]]:
    """Description and parameters of `scenarios/<name>.yaml`; raises Problem."""
    path = ROOT / "scenarios" / f"{name}.yaml"
    if not isinstance(name, str) or not NAME.fullmatch(name) or not path.is_file():
        raise Problem(
            f"unknown scenario {name!r}; there are: {', '.join(scenarios())} "
            "(a name has lower-case letters, digits and hyphens)"
        )
    where = f"scenarios/{name}.yaml"
    try:
        found = settings.settings(path.read_text(encoding="utf-8"), where)
    except UnicodeDecodeError:
        raise Problem(f"{where} is not a text file (UTF-8)") from None
    description = found.pop("description")
    return description, found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a study's folder; raises Problem if it is spoilt."""
    found = files.read_json(path)
    if not found:
        raise Problem(f"{path.parent.name}/{path.name} is not readable as JSON; delete it and build again")
    return found


def validate(values: dict[str, Any], where: str) -> Parameters:
    """Parameters from plain values; every fault in one Problem that names parameter, found and allowed."""
    typed: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    if isinstance(typed.get("recruitment_start"), str):
        with contextlib.suppress(ValueError):
            typed["recruitment_start"] = date.fromisoformat(typed["recruitment_start"])
    try:
        return Parameters(**{str(name): value for name, value in typed.items()})
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            name = str(fault["loc"][0]) if fault["loc"] else ""
            if fault["type"] == "extra_forbidden":
                lines.append(f"{_cut(name)} is no parameter{suggestion(name[:LONGEST_TOLD])}")
            elif name:
                lines.append(
                    f"{name}: found {text(typed[name])!r} ({kind(typed[name])}), allowed: {allowed(name)}"
                )
            else:
                lines.append(str(fault["ctx"]["error"]))
        raise Problem(f"{where}: " + "; ".join(dict.fromkeys(lines))) from None


def given(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in changes.items()
        if value is not None or name not in Parameters.model_fields
    }


def text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return _cut("[" + ", ".join(text(v) for v in value[:LONGEST_TOLD]) + "]")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) > 10**LONGEST_TOLD:
        return f"a number of more than {LONGEST_TOLD} digits"
    return _cut(f"{value:g}" if isinstance(value, float) else str(value))


def _cut(words: str) -> str:
    """Words that a message can hold: what is longer than anything allowed is cut."""
    return words if len(words) <= LONGEST_TOLD else f"{words[:60]}... ({len(words)} characters)"


def kind(value: Any) -> str:
    names = {
        bool: "yes or no",
        int: "whole number",
        float: "number",
        str: "text",
        dict: "a mapping",
        type(None): "empty",
    }
    return names.get(type(value), "a list" if isinstance(value, (list, tuple)) else type(value).__name__)


def allowed(name: str) -> str:
    """The values that a parameter may take, in words."""
    field = Parameters.model_fields[name]
    limits = {}
    for item in field.metadata:
        for side in ("ge", "le"):
            if hasattr(item, side):
                limits[side] = getattr(item, side)
    if get_origin(field.annotation) is Literal:
        return ", ".join(repr(value) for value in get_args(field.annotation))
    if field.annotation is bool:
        return "true or false"
    if limits:
        kinds: dict[Any, str] = {int: "a whole number", float: "a number", date: "a date"}
        what = kinds[field.annotation]
        return f"{what} from {text(limits['ge'])} to {text(limits['le'])}"
    return "a list of even numbers from 2 to 20"


def suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, Parameters.model_fields, n=1)
    return f" (did you mean {close[0]}?)" if close else "; the plan chapter lists all"


def refuse_unknown(space: Mapping[str, Any]) -> None:
    """Raise Problem where the first cell of the notebook whose names are `space` sets what is no parameter."""
    names = cells.assigned(text for text in space.get("In", ()) if isinstance(text, str))
    unknown = sorted(names - set(Parameters.model_fields))
    if unknown:
        told = [f"{_cut(name)} is no parameter{suggestion(name[:LONGEST_TOLD])}" for name in unknown]
        raise Problem(f"the first cell: {'; '.join(told)}")


# a name that was misspelt is missing where the chapter passes it on: say so before Python says "not defined"
refuse_unknown(vars(sys.modules["__main__"]))
