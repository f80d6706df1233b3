"""What decides whether a result must be computed again: the sources behind it, found by following imports.

Only the standard library is imported here, because asking "has anything changed?" must cost nothing.
"""

import ast
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from helpers import ROOT


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


def notebook_source(raw: bytes) -> tuple[str, str]:
    """What decides a notebook's result, as canonical text, and its code cells joined.

    Left out: outputs, execution counts, and the names of kernel and language that editors rewrite.
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


def _imported(source: str, package: str) -> list[str]:
    """Dotted names of `helpers` that a source text may import, from its syntax; sorted."""
    tree = None
    # magics are no Python, but a line of Python may begin like one
    for text in (source, re.sub(r"(?m)^(\s*)[%!?].*$", r"\1pass", source)):
        with contextlib.suppress(SyntaxError):
            tree = tree or ast.parse(text)
    if tree is None:
        return []
    names = set()
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


class Sources:
    """The project's sources as they are now: digests and imports, remembered by content in `memo`."""

    def __init__(self, memo: dict[str, list]):
        self.memo = memo
        self.used: dict[str, list] = {}
        self._digests: dict[Path, str] = {}
        self._modules: dict[str, tuple[list[Path], list[str]]] = {}

    def digest(self, path: Path) -> str:
        """Digest of a file's bytes, read once; "absent" where there is no such file."""
        if path not in self._digests:
            self._digests[path] = digest(path.read_bytes()) if path.is_file() else "absent"
        return self._digests[path]

    def _remember(self, label: str, work) -> list:
        if label not in self.used:
            self.used[label] = self.memo[label] if label in self.memo else work()
        return self.used[label]

    def notebook(self, path: Path) -> tuple[str, list[str]]:
        """Digest of a notebook's source, and the modules of `helpers` that it names."""

        def work():
            source, code = notebook_source(path.read_bytes())
            return [digest(source), _imported(code, "")]

        source, imports = self._remember(f"notebook {self.digest(path)}", work)
        return source, imports

    def closure(self, names: Iterable[str]) -> list[Path]:
        """The files of `helpers` that importing these names runs, packages included, sorted."""
        found, seen, waiting = set(), set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                paths, imports = self._module(name)
                found.update(paths)
                waiting += imports
        return sorted(found)

    def _module(self, name: str) -> tuple[list[Path], list[str]]:
        """The file of a dotted name, where it is a module or package, and the names that it leads to."""
        if name not in self._modules:
            above, _, _ = name.rpartition(".")
            place = ROOT.joinpath("src", *name.split("."))
            paths, leads = [], [above] if above else []
            for path, package in ((place.with_suffix(".py"), above), (place / "__init__.py", name)):
                if path.is_file():
                    paths.append(path)
                    leads += self._remember(
                        f"module {package} {self.digest(path)}",
                        lambda path=path, package=package: _imported(path.read_text("utf-8"), package),
                    )
            self._modules[name] = (paths, leads)
        return self._modules[name]

    def tree(self, paths: Iterable[Path]) -> str:
        """Digest of files with their names relative to the project."""
        parts = []
        for path in paths:
            parts += [path.relative_to(ROOT).as_posix(), self.digest(path)]
        return digest(*parts)

    def chapter(self, stem: str, scenario: Iterable[Path], inputs: dict[str, str]) -> str:
        """The content key of a chapter: same key, same result.

        Notebook source, scenario files, lock, Python, the helper modules that the notebook imports, those
        that run it, the reference data, and the digests of the files that it reads.
        """
        source, imports = self.notebook(ROOT / "notebooks" / f"{stem}.ipynb")
        runners = ["helpers.build.kernels", "helpers.study.scenario"]
        return digest(
            source,
            sys.version,
            self.digest(ROOT / "requirements.lock"),
            self.tree(scenario),
            self.tree(self.closure([*imports, *runners])),
            self.tree(below(ROOT / "data" / "reference")),
            json.dumps(inputs, sort_keys=True),
        )
