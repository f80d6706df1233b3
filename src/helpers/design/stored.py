"""Results that cost seconds or minutes, stored with what decides them: code, parameters and files.

`recall(compute, parameters)` looks for an answer in the committed file of the module of `compute`, then in
the project's cache; only then it computes, and caches the answer. An answer stands where the code behind
`compute` (found by following imports), the values of the parameters that it read and the files that it opened
are what they were, so a stale one can't be shown. Versions of libraries are not among them, as an answer
serves every machine: `make verify` computes a part of each anew. `helpers.design.renewal` writes the
committed files.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers import ROOT
from helpers.study import recording
from helpers.study.files import read_json, write
from helpers.study.freshness import Sources, digest
from helpers.study.parameters import Parameters

COMMITTED = ROOT / "data" / "reference" / "stored"
CACHE = ROOT / ".cache" / "stored"

_parsed: dict[str, list] = {}
"""What the source files of this process hold, by their content: parsed once, however often a key is asked for."""

Compute = Callable[[Parameters], Any]
Entry = dict[str, Any]
"""`code`, a digest; `files`, path -> digest; `parameters`, name -> value; `answer`."""


def name_of(compute: Compute) -> str:
    """The name under which the answers are stored: the module's last."""
    return compute.__module__.rpartition(".")[2]


def code(compute: Compute, sources: Sources | None = None) -> str:
    """Digest of the code that decides what a function returns: its module and all that this imports."""
    sources = sources or Sources(_parsed)
    found = digest(compute.__qualname__, sources.code([compute.__module__]))[:16]
    _parsed.update(sources.used)
    return found


def entries(path: Path) -> list[Entry]:
    """The answers of a file, those alone that are whole."""
    found = read_json(path).get("entries")
    parts = {"code", "files", "parameters", "answer"}
    return (
        [one for one in found if isinstance(one, dict) and parts <= set(one)]
        if isinstance(found, list)
        else []
    )


def stands(entry: Entry, code: str, values: dict[str, Any], sources: Sources) -> bool:
    """Whether an answer is that of this code, these parameters (as JSON holds them) and the files as they are."""
    return (
        entry["code"] == code
        and all(name in values and values[name] == value for name, value in entry["parameters"].items())
        and entry["files"] == sources.files(entry["files"])
    )


def find(compute: Compute, p: Parameters) -> Entry | None:
    """The stored answer that stands for these parameters, if there is one; notes what was read for it."""
    sources, values, name = Sources(_parsed), recording.plain(p), name_of(compute)
    here = code(compute, sources)
    for path in (COMMITTED / f"{name}.json", *sorted(CACHE.glob(f"{name}-{here}-*.json"))):
        for entry in entries(path):
            if stands(entry, here, values, sources):
                recording.note_read(p, entry["parameters"], entry["files"])
                return entry
    return None


def make(compute: Compute, p: Parameters) -> Entry:
    """Compute an answer and say what it was made from."""
    sources = Sources(_parsed)
    forget(sources.closure([compute.__module__]))
    with recording.reading() as read:
        answer = json.loads(json.dumps(compute(recording.recorded(p, read))))
    values = recording.plain(p)
    # who read everything depends on every value
    names = values if recording.ALL in read.parameters else read.parameters
    return {
        "code": code(compute, sources),
        "files": sources.files(read.files),
        "parameters": {name: values[name] for name in sorted(names)},
        "answer": answer,
    }


def forget(paths: dict[str, str]) -> None:
    """Empty the function caches of modules: what they remember of a file must be read to be seen."""
    for path in paths:
        module = sys.modules.get(path.removeprefix("src/").removesuffix(".py").replace("/", "."))
        for member in list(vars(module).values()) if module else ():
            if callable(getattr(member, "cache_clear", None)):
                member.cache_clear()


def entry(compute: Compute, p: Parameters) -> Entry:
    """The entry of `recall`."""
    found = find(compute, p)
    if found is None:
        found = make(compute, p)
        made_from = digest(json.dumps(found["parameters"]), json.dumps(found["files"]))[:16]
        write(CACHE / f"{name_of(compute)}-{found['code']}-{made_from}.json", text([found]))
    return found


def recall(compute: Compute, p: Parameters) -> Any:
    """What `compute(p)` returns, as JSON holds it: from the committed file or the cache, else computed and cached."""
    return entry(compute, p)["answer"]


def latest(compute: Compute, p: Parameters) -> tuple[Any, bool]:
    """The committed answer, and whether it stands; (None, False) where none is stored. Never computes."""
    found = find(compute, p)
    if found is not None:
        return found["answer"], True
    committed = entries(COMMITTED / f"{name_of(compute)}.json")
    return (committed[0]["answer"] if committed else None), False


def text(stored: list[Entry]) -> str:
    """Answers as a file holds them, one a line, in the order of their parameters."""
    lines = sorted({json.dumps(one) for one in stored})
    return '{"entries": [\n' + ",\n".join(lines) + "\n]}\n"
