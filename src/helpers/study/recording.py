"""What a computation reads while it runs: parameters by name, and files of reference data and tables.

A `Recorded` is a `Parameters` that notes each field that is read of it; files are noted by an audit hook of
Python's own, so that no reader of files can forget to. What was not read can't decide the result, and a
change of it need not compute the result again (`freshness`). What is noted also goes to a log, line by line,
for the build to take from a kernel that it will stop without asking.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import PrivateAttr

from helpers import DATA, ROOT
from helpers.study.freshness import ALL
from helpers.study.parameters import Parameters

REFERENCE = ROOT / "data" / "reference"
FIELDS = frozenset(Parameters.model_fields)


@dataclass
class Reading:
    """What was read: names of parameters (`ALL` for all of them) and files relative to the project.

    `tables` are files of the scenarios' data, relative to `DATA`.
    """

    parameters: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)


process = Reading()
"""All that this process has read since this module was imported."""
_readings = [process]
_log: list[int] = []


def note(reading: Reading, kind: str, name: str) -> None:
    """Add a name to the `parameters`, `files` or `tables` of a reading; what is new in the process is logged."""
    names = getattr(reading, kind)
    if name not in names:
        names.add(name)
        if reading is process and _log:
            os.write(_log[0], (json.dumps([kind, name]) + "\n").encode())


def log_to(path: str) -> None:
    """Write all that this process has read, and will read, to a file: one line `["parameters", "dropout"]` each."""
    _log[:] = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)]
    lines = [[kind, name] for kind, names in vars(process).items() for name in sorted(names)]
    os.write(_log[0], "".join(json.dumps(line) + "\n" for line in lines).encode())


def read_log(path: Path) -> Reading:
    """A log as a Reading. Raises OSError where there is none: then nothing is known of what was read."""
    found = Reading()
    for line in path.read_text("utf-8").splitlines():
        kind, name = json.loads(line)
        getattr(found, kind).add(name)
    return found


def _file_opened(event: str, arguments: tuple) -> None:
    """Note a file of the reference data or of a scenario that is opened for reading, or a folder listed."""
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE == os.O_WRONLY:
        return
    if not isinstance(arguments[0], str | os.PathLike):
        return
    path = os.path.abspath(arguments[0])
    for folder, kind, root in ((REFERENCE, "files", ROOT), (DATA, "tables", DATA)):
        if path == str(folder) or path.startswith(f"{folder}{os.sep}"):
            name = os.path.relpath(path, root).replace(os.sep, "/")
            for reading in _readings:
                note(reading, kind, name)


sys.addaudithook(_file_opened)


@contextlib.contextmanager
def reading() -> Iterator[Reading]:
    """A Reading of the files that are opened inside the `with`."""
    inner = Reading()
    _readings.append(inner)
    try:
        yield inner
    finally:
        _readings.remove(inner)


class Recorded(Parameters):
    """Parameters that note in one or more readings which of them were read; else they are what they were.

    A copy with other values notes the rest: who sets a value does not read it. Whatever takes the parameters
    as a whole (`model_dump`, comparison, iteration) has read all.
    """

    _watching: tuple[tuple[Reading, frozenset[str]], ...] = PrivateAttr(())

    def __getattribute__(self, name: str) -> Any:
        if name in FIELDS:
            for reading, set_here in object.__getattribute__(self, "__pydantic_private__")["_watching"]:
                if name not in set_here:
                    note(reading, "parameters", name)
        elif name == "__dict__":
            self.note_all()
        return super().__getattribute__(name)

    def note_all(self) -> None:
        """Say that everything was read."""
        for reading, _ in self._watching:
            note(reading, "parameters", ALL)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Recorded":
        update = update or {}
        watching = tuple((reading, set_here | set(update)) for reading, set_here in self._watching)
        return _recorded({**unrecorded(self).__dict__, **update}, watching)

    def __eq__(self, other: object) -> bool:
        self.note_all()
        return unrecorded(self) == (unrecorded(other) if isinstance(other, Parameters) else other)

    __hash__ = None  # type: ignore[assignment]


def _recorded(values: dict[str, Any], watching: tuple) -> Recorded:
    made = Recorded.model_construct(**values)
    made._watching = watching
    return made


def recorded(p: Parameters, reading: Reading, set_here: frozenset[str] = frozenset()) -> Recorded:
    """The same parameters, noting in `reading` what is read but for the names `set_here`.

    Who was already watching goes on.
    """
    watching = p._watching if isinstance(p, Recorded) else ()
    return _recorded(unrecorded(p).__dict__, (*watching, (reading, set_here)))


def unrecorded(p: Parameters) -> Parameters:
    """The same parameters as a plain `Parameters`; nothing is noted."""
    if not isinstance(p, Recorded):
        return p
    return Parameters.model_construct(**object.__getattribute__(p, "__dict__"))


def plain(p: Parameters) -> dict[str, Any]:
    """Parameters as JSON holds them: dates as text, tuples as lists. Nothing is noted."""
    return unrecorded(p).model_dump(mode="json")


def note_read(p: Parameters, names: Iterable[str], files: Iterable[str]) -> None:
    """Say that parameters and files were read, by an earlier run whose answer is used again."""
    for name in names:
        getattr(p, name)
    for name in files:
        for reading in _readings:
            note(reading, "files", name)
