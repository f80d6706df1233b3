"""What decides whether a result must be computed again, in one place for chapters and stored results.

A result stands as long as three things are as they were when it was made: the code behind it, found by
following imports; the files that it opened; and the parameters that it read. What was opened and read is
recorded while it runs (`recording`). Only the standard library is imported here, because asking "has anything
changed?" must cost nothing.
"""

import ast
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from helpers import ROOT, Problem

ALL = "*"
"""Stands among the parameters that were read for all of them and for the scenario's name and description."""


def digest(*parts: bytes | str) -> str:
    """SHA-256 of the parts, each with its length, so that no two lists of parts meet."""
    whole = hashlib.sha256()
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by its path; none where there is no such folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


# ------------------------------------------------------------------ code


def meaning(source: str) -> str:
    """A Python text without comments, docstrings and layout, the same under every version of Python.

    Raises SyntaxError.
    """
    return json.dumps(_plain(ast.parse(source)), separators=(",", ":"))


def _plain(node: Any) -> Any:
    """A syntax tree as lists; statements that are a constant alone (docstrings, mostly) decide nothing."""
    if isinstance(node, ast.Constant):
        return [type(node.value).__name__, repr(node.value)]
    if isinstance(node, ast.AST):
        fields = {
            name: plain
            for name, value in ast.iter_fields(node)
            if name not in ("ctx", "kind", "type_comment", "type_ignores")
            and (plain := _plain(value)) not in (None, [])
        }
        return [type(node).__name__, fields]
    if isinstance(node, list):
        return [_plain(one) for one in node if not _is_text(one)]
    return node


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def notebook_source(raw: bytes) -> tuple[str, str]:
    """What decides a notebook's result, as canonical text, and its code cells joined.

    Left out: outputs, execution counts, and the names of kernel and language that editors rewrite. Comments
    and words stay in: the page shows them.
    """
    notebook = json.loads(raw)
    cells = []
    for cell in notebook["cells"]:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        metadata = cell.get("metadata", {}).items()
        metadata = {k: v for k, v in metadata if k not in ("papermill", "execution") and v != []}
        cells.append([cell["cell_type"], cell.get("id", ""), metadata, source])
    code = "\n".join(source for kind, _, _, source in cells if kind == "code")
    return json.dumps(cells, ensure_ascii=False, sort_keys=True), code


def _parsed(code: str) -> ast.Module | None:
    """The syntax of a notebook's code; None where it is no Python."""
    # magics are no Python, but a line of Python may begin like one
    for text in (code, re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", code)):
        with contextlib.suppress(SyntaxError):
            return ast.parse(text)
    return None


def _imported(tree: ast.AST, package: str) -> list[str]:
    """Dotted names of `helpers` that a syntax tree may import; sorted."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return sorted(name for name in names if name == "helpers" or name.startswith("helpers."))


def _names_scenario(tree: ast.AST) -> bool:
    """Whether a notebook uses its variable `scenario` for more than `load(scenario, ...)`."""
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "scenario"]
    loading = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "load" and node.args
    ]
    return any(isinstance(node.ctx, ast.Load) and node not in loading for node in used)


class Sources:
    """A project's sources as they are now: digests and imports, remembered by content in `memo`."""

    def __init__(self, memo: dict[str, list] | None = None, root: Path = ROOT):
        self.memo, self.root = {} if memo is None else memo, root
        self.used: dict[str, list] = {}
        self._digests: dict[Path, str] = {}
        self._modules: dict[str, tuple[dict[str, str], list[str]]] = {}

    def digest(self, path: Path) -> str:
        """Digest of a file's bytes, or of all files below a folder, read once; "absent" where there is neither."""
        if path not in self._digests:
            if path.is_dir():
                self._digests[path] = self.tree(below(path))
            else:
                self._digests[path] = digest(path.read_bytes()) if path.is_file() else "absent"
        return self._digests[path]

    def _remember(self, label: str, work: Callable[[], list]) -> list:
        if label not in self.used:
            self.used[label] = self.memo[label] if label in self.memo else work()
        return self.used[label]

    def notebook(self, path: Path) -> tuple[str, list[str], bool]:
        """Digest of a notebook's source, the modules of `helpers` that it names, whether it tells its scenario."""

        def work() -> list:
            try:
                source, code = notebook_source(path.read_bytes())
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                place = path.relative_to(self.root) if path.is_relative_to(self.root) else path
                why = f"{type(error).__name__}: {error}"[:200]
                raise Problem(f"{place} is no notebook that can be read ({why})") from None
            tree = _parsed(code)
            return [
                digest(source),
                *(([], True) if tree is None else (_imported(tree, ""), _names_scenario(tree))),
            ]

        source, imports, tells = self._remember(f"notebook {self.digest(path)}", work)
        return source, imports, tells

    def closure(self, names: Iterable[str]) -> dict[str, str]:
        """The files of `helpers` that importing these names runs, packages included: path -> digest of its code."""
        found: dict[str, str] = {}
        seen, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                files, imports = self._module(name)
                found |= files
                waiting += imports
        return dict(sorted(found.items()))

    def _module(self, name: str) -> tuple[dict[str, str], list[str]]:
        """The files of a dotted name, where it is a module or package, and the names that it leads to."""
        if name not in self._modules:
            above, _, _ = name.rpartition(".")
            place = self.root.joinpath("src", *name.split("."))
            files, leads = {}, [above] if above else []
            for path, package in ((place.with_suffix(".py"), above), (place / "__init__.py", name)):
                if path.is_file():
                    code, *imports = self._remember(
                        f"module {package} {self.digest(path)}",
                        partial(self._read, path, package),
                    )
                    files[path.relative_to(self.root).as_posix()] = code
                    leads += imports
            self._modules[name] = (files, leads)
        return self._modules[name]

    def _read(self, path: Path, package: str) -> list[str]:
        text = path.read_text("utf-8")
        try:
            return [digest(meaning(text)), *_imported(ast.parse(text), package)]
        except SyntaxError:
            # whoever imports it will hear of it
            return [digest(text)]

    def code(self, names: Iterable[str]) -> str:
        """Digest of all code that importing these names runs."""
        return digest(*(part for item in self.closure(names).items() for part in item))

    def tree(self, paths: Iterable[Path]) -> str:
        """Digest of files with their names relative to the project."""
        parts = []
        for path in paths:
            parts += [path.relative_to(self.root).as_posix(), self.digest(path)]
        return digest(*parts)

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """Digest of each file, by its path relative to the project."""
        return {name: self.digest(self.root / name) for name in sorted(names)}

    def chapter(self, stem: str) -> str:
        """Digest of what runs in a chapter: notebook, lock, Python, the modules that it imports and that run it."""
        source, imports, _ = self.notebook(self.root / "notebooks" / f"{stem}.ipynb")
        runners = ["helpers.build.kernels", "helpers.study.scenario"]
        lock = self.digest(self.root / "requirements.lock")
        return digest(source, sys.version, lock, self.code([*imports, *runners]))

    def tells_scenario(self, stem: str) -> bool:
        """Whether a chapter uses its scenario's name for more than loading it."""
        return self.notebook(self.root / "notebooks" / f"{stem}.ipynb")[2]
