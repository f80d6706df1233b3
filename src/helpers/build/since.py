"""What changed in a chapter's sources since its results were published, as far as git can tell.

Published results are those of the last commit that touched `reports/expected`. A chapter runs from its notebook, the
modules that its imports lead to, the lock, the scenarios and the files that it opened; and so do the chapters that make
its tables. Comments, docstrings and a notebook's outputs decide nothing and are no change here. Only the standard
library is imported.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from helpers import Problem
from helpers.build.account import Account, opened
from helpers.chapters.contents import Chapter
from helpers.study.freshness import Sources, meaning, notebook_source

PUBLISHED = "reports/expected"
RUNNERS = ("helpers.build.kernels", "helpers.study.scenario")
"""Modules that run every chapter."""
MOST = 12
"""Files of a chapter, and commits of a file, that are named; the rest is counted."""


@dataclass(frozen=True)
class History:
    """A checkout and the commit of its published results. Raises Problem, by `of`, where git can't tell."""

    root: Path
    git: str
    commit: str
    about: str

    @classmethod
    def of(cls, root: Path) -> "History":
        """The history of a project folder. Raises Problem with the reason where there is none to ask."""
        git = shutil.which("git")
        # a copy that stands in somebody else's repository has no history here
        if git is None or not (root / ".git").exists():
            raise Problem("this is no git checkout" if git else "there is no git on this machine")
        asked = ["log", "-1", "--format=%H%x09%h of %cs, %s", "HEAD", "--", PUBLISHED]
        told = _ask(root, git, *asked)
        if not told:
            raise Problem(f"git has no commit with {PUBLISHED}")
        commit, _, about = told.decode("utf-8", "replace").strip().partition("\t")
        boundary = root / _ask(root, git, "rev-parse", "--git-path", "shallow").decode().strip()
        if boundary.is_file() and commit in boundary.read_text().split():
            raise Problem("this is a shallow clone, whose history begins after the results were published")
        return cls(root, git, commit, about)

    @cached_property
    def changed(self) -> dict[str, list[str]]:
        """File -> commits (short name and subject, newest first) that changed it since publication."""
        told = _ask(self.root, self.git, "diff", "--name-only", "-z", "--no-renames", self.commit, "HEAD")
        return {name: [] for name in told.decode("utf-8", "replace").split("\0") if name}

    def commits(self, file: str) -> list[str]:
        """The commits since publication that touched a file, newest first."""
        span = f"{self.commit}..HEAD"
        told = _ask(self.root, self.git, "log", "--format=%h %s", span, "--", file)
        return told.decode("utf-8", "replace").splitlines()

    def means_other(self, file: str) -> bool:
        """Whether a changed file decides something else than it did, comments and outputs left out."""
        texts = [_ask(self.root, self.git, "show", f"{at}:{file}") for at in (self.commit, "HEAD")]
        if not all(texts):
            return True
        try:
            if file.endswith(".py"):
                before, after = (meaning(text.decode()) for text in texts)
                return before != after
            if file.endswith(".ipynb"):
                return notebook_source(texts[0])[0] != notebook_source(texts[1])[0]
        except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return texts[0] != texts[1]


def _ask(root: Path, git: str, *words: str) -> bytes:
    """What git answers; nothing where it can't."""
    done = subprocess.run([git, *words], cwd=root, capture_output=True)
    return b"" if done.returncode else done.stdout


def upstream(chapter: Chapter, chapters: Sequence[Chapter]) -> list[Chapter]:
    """A chapter and, before it, those whose tables it reads, and so on back; in the order of the table."""
    wanted, waiting = {chapter.stem}, [chapter]
    while waiting:
        reads = set(waiting.pop().reads)
        for one in chapters:
            if one.stem not in wanted and reads & set(one.writes):
                wanted.add(one.stem)
                waiting.append(one)
    return [one for one in chapters if one.stem in wanted]


def runs_from(project: Path, chapter: Chapter, opened: Iterable[str]) -> set[str]:
    """The files, relative to the project, that decide a chapter's results, its inputs left out."""
    sources = Sources(root=project)
    notebook = project / "notebooks" / f"{chapter.stem}.ipynb"
    files = {f"notebooks/{chapter.stem}.ipynb", "requirements.lock", *opened}
    try:
        imports = sources.notebook(notebook)[1]
    except (Problem, OSError, json.JSONDecodeError):
        return files
    return files | set(sources.closure([*imports, *RUNNERS]))


def lines(history: History, files: Iterable[str]) -> list[str]:
    """A line for each of these files that changed since publication, with its commits.

    A name that is a folder stands for what is below it.
    """
    names = set(files)
    folders = tuple(f"{name}/" for name in names)
    touched = [name for name in history.changed if name in names or name.startswith(folders)]
    found = []
    for name in sorted(name for name in touched if history.means_other(name)):
        commits = history.commits(name)
        some = "; ".join(commits[:3]) + (f"; and {len(commits) - 3} more" if len(commits) > 3 else "")
        found.append(f"{name}  ({some})" if some else name)
    rest = len(found) - MOST
    return found[:MOST] + [f"and {rest} more files"] * (rest > 0)


def explain(root: Path, project: Path, whole: Account, chapters: Sequence[Chapter]) -> Account:
    """The account with what changed since publication in the sources of the chapters that differ.

    root: the checkout whose history is asked; project: the folder that was built. What a chapter runs from itself comes
    first, then what makes its tables, unless that chapter differs too and is told by itself.
    """
    differing = {row.chapter.stem: row for row in whole.rows if row.differences}
    try:
        history = History.of(root)
    except Problem as reason:
        words = f"what changed in the sources since publication can't be told: {reason}"
        return replace(whole, publication=words if differing else "")
    published = f"published results: commit {history.about}"
    if not differing:
        return replace(whole, publication=published)
    found: dict[str, list[str]] = {}
    for stem, row in differing.items():
        own = [row.chapter]
        makers = [one for one in upstream(row.chapter, chapters) if one.stem not in differing]
        seen: set[str] = set()
        found[stem] = []
        for one in own + makers:
            files = opened(project, whole.scenarios, one) | {
                f"scenarios/{name}.yaml" for name in row.scenarios
            }
            new = [line for line in lines(history, runs_from(project, one, files)) if line not in seen]
            seen.update(new)
            found[stem] += new if one is row.chapter else [f"by way of {one.stem}: {line}" for line in new]
    words = "; what changed since then in the sources of chapters that differ, comments and outputs left out:"
    return replace(whole, publication=published + words, since=found)
