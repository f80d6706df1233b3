"""`explore.html`: the one page with a script, over the committed study, in every report.

What it holds is the same for every scenario, and takes seconds to make: it is kept, with what it was made from.
"""

import importlib
from pathlib import Path

from helpers import ROOT
from helpers.build.publishing import STAGING
from helpers.chapters.contents import EXPLORED, EXPLORER
from helpers.study.files import seal, unseal, write
from helpers.study.freshness import Sources, digest

NAME = "explore.html"


def read_from() -> list[Path]:
    """The study's files; none where it has not been computed, and the reports then have no such page."""
    return [path for path in (ROOT / name for name in EXPLORED) if path.is_file()]


def made_from(sources: Sources) -> str:
    """What decides the page, as it is now."""
    module = EXPLORER.partition(":")[0]
    script = (ROOT / "src" / Path(*module.split("."))).with_suffix(".js")
    files = [*read_from(), *([script] if script.is_file() else []), ROOT / "requirements.lock"]
    return digest(sources.code([module]), sources.tree(files))


def body(sources: Sources) -> str:
    """The page between its head and its foot; made where the kept one was made from something else."""
    kept, key = STAGING / "explorer.json", made_from(sources)
    known = unseal(kept)
    if known.get("key") != key:
        module, _, function = EXPLORER.partition(":")
        known = {"key": key, "body": getattr(importlib.import_module(module), function)()}
        write(kept, seal(known))
    return known["body"]
