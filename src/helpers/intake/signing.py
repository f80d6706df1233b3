"""The signed plan: what the analysis was before anyone knew the arms, and what has changed since.

`plan.lock.json` in the project's folder holds every parameter of the readings, the estimands, the key of each module
and notebook of the analysis (`study.freshness`: comments and layout decide nothing) and the digest of
`requirements.lock`. It is sealed with a digest of its own, so that an edited one is none. `make sign` writes it
(`build.sign`), and whoever signs commits it; each report on own data is held against it.
"""

import hashlib
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from helpers import Problem
from helpers.study import estimands, files, scenario
from helpers.study.freshness import Sources
from helpers.study.recording import plain

PLAN = "plan.lock.json"
ROOMS = ("study", "estimators", "analysis", "intake")
"""Rooms whose code decides what a result is; the others draw, word and build."""
HANDLING = ("helpers.intake.editions", "helpers.intake.derived")
"""What turns a folder of own data into analysis tables, whichever chapter reads them."""
LOCK = "requirements.lock"
LONGEST = 200
"""Characters of a signer's name."""


def modules(sources: Sources, stems: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Each module and notebook of the analysis that these chapters run: path -> (key, chapters that run it)."""
    found: dict[str, tuple[str, list[str]]] = {}
    for stem in stems:
        source, imports, _ = sources.notebook(sources.root / "notebooks" / f"{stem}.ipynb")
        found[f"notebooks/{stem}.ipynb"] = (source, [stem])
        for path, key in sources.closure([*imports, *HANDLING]).items():
            if Path(path).parts[2] in ROOMS:
                found.setdefault(path, (key, []))[1].append(stem)
    return dict(sorted(found.items()))


def plan(sources: Sources, parameters: dict[str, Any], stems: list[str]) -> dict[str, Any]:
    """The plan in force: parameters, estimands, keys of the analysis, digest of the lock; as JSON holds them."""
    return {
        "parameters": parameters,
        "estimands": json.loads(json.dumps([asdict(one) for one in estimands.ESTIMANDS])),
        "modules": {path: key for path, (key, _) in modules(sources, stems).items()},
        "lock_sha256": _sha256(sources.root / LOCK),
    }


def sign(
    sources: Sources, readings: str, changes: dict[str, Any], stems: list[str], by: str, on: str
) -> tuple[Path, bool]:
    """Write `plan.lock.json`; gives its place, and whether it was written (False: it says the same already).

    readings: a scenario; changes: parameters that differ from it; stems: the chapters; by, on: who signs, and the
    day that the signer gives. Raises Problem for a name or day that is none, a parameter that can't be, and where
    another plan is signed: that one is never replaced.
    """
    name = " ".join(by.split())
    faults = []
    if not name or len(name) > LONGEST or not name.isprintable():
        faults.append(f"SIGNED_BY={by[:LONGEST]!r}: allowed is a name of 1 to {LONGEST} characters")
    try:
        day = date.fromisoformat(on).isoformat()
    except ValueError:
        day = ""
        faults.append(f"DATE={on[:LONGEST]!r}: allowed is the day of signing, such as 2026-11-28")
    if faults:
        raise Problem("; ".join(faults))
    _, values = scenario.read_scenario(readings)
    mine = scenario.validate({**values, **scenario.given(changes)}, "parameters")
    content = {"trial": "NCT06731192", "signed_by": name, "date": day, "scenario": readings}
    content |= plan(sources, plain(mine), stems)
    path = sources.root / PLAN
    if path.is_symlink():
        raise Problem(f"{PLAN} is a link; put a file in its place")
    if path.exists():
        if files.unseal(path) == content:
            return path, False
        raise Problem(
            f"{PLAN} is there and holds another plan or signature; a signed plan is never replaced. To sign an amended "
            "plan, keep the old file under another name (and in git) first"
        )
    sealed = json.loads(files.seal(content))
    files.write(path, json.dumps(sealed, indent=1, ensure_ascii=False) + "\n")
    return path, True


def compared(
    sources: Sources, parameters: dict[str, Any], stems: list[str], unblinded: str | None = None
) -> dict[str, Any]:
    """The plan in force beside the signed one.

    sources: the project as it is; parameters: in force, by name; stems: the chapters of the report; unblinded: the day
    on which the arms became known, ISO, or None. Returns `signed` (whether there is one that can be believed), `words`
    (one line for each first screen), `changes` (a line each), `touching` ((line, parameter or path, chapters that it
    touches; None for a parameter, whose readers the build knows) each), `provenance`.
    """
    path = sources.root / PLAN
    if not path.is_file():
        words = "No plan was signed before these data; make sign signs the plan in force."
        return _told(False, words, [], {"signed": False})
    old = files.unseal(path)
    if not old:
        words = (
            f"{PLAN} is not as it was signed (its own digest does not fit it): no signed plan can be told."
        )
        return _told(False, words, [], {"signed": False, "spoilt": True})
    new, run_by = plan(sources, parameters, stems), modules(sources, stems)
    touching = [
        (f"{name}: signed {_text(old['parameters'], name)}, in force {_text(parameters, name)}", name, None)
        for name in sorted({*old["parameters"], *parameters})
        if old["parameters"].get(name) != parameters.get(name)
    ]
    of_parameters = len(touching)
    touching += [
        (f"estimand {_title(before, after)!r} changed", "estimands", stems)
        for before, after in _paired(old["estimands"], new["estimands"])
        if before != after
    ]
    for name in sorted({*old["modules"], *new["modules"]}):
        before, after = old["modules"].get(name), new["modules"].get(name)
        if before != after:
            kind = "new since" if before is None else "gone since" if after is None else "changed"
            touching.append((f"{name} {kind}", name, run_by[name][1] if name in run_by else stems))
    if old["lock_sha256"] != new["lock_sha256"]:
        touching.append((f"{LOCK} changed", LOCK, stems))
    signature = f"signed by {old['signed_by']} on {old['date']}"
    if touching:
        rest = len(touching) - of_parameters
        words = (
            f"The plan in force is not the plan {signature}: {of_parameters} {_many(of_parameters, 'parameter')} and "
            f"{rest} {_many(rest, 'module')} of the analysis differ."
        )
    else:
        words = f"The plan in force is the plan {signature}."
    if unblinded is not None and old["date"] > unblinded:
        words += f" It was signed after the arms were known ({unblinded})."
    provenance = {
        "signed": True,
        "signed_by": old["signed_by"],
        "date": old["date"],
        "sha256": _sha256(path),
        "differs": [line for line, _, _ in touching],
    }
    return _told(True, words, touching, provenance)


def _told(signed: bool, words: str, touching: list, provenance: dict[str, Any]) -> dict[str, Any]:
    lines = [line for line, _, _ in touching]
    return {
        "signed": signed,
        "words": words,
        "changes": lines,
        "touching": touching,
        "provenance": {"words": words, **provenance},
    }


def _paired(old: list[dict], new: list[dict]) -> list[tuple[dict | None, dict | None]]:
    return [
        (old[k] if k < len(old) else None, new[k] if k < len(new) else None)
        for k in range(max(len(old), len(new)))
    ]


def _title(before: dict | None, after: dict | None) -> str:
    return str(next(iter((before or after or {"": ""}).values())))


def _text(values: dict[str, Any], name: str) -> str:
    return scenario.text(values[name]) if name in values else "absent"


def _many(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
