"""Where an exhibit and a number come from: the functions that a notebook's cells lead through, and their lines.

Read from the text of the cells and of the modules, never by running them: of each statement the names that it
sets and uses; from a cell back to whatever set what it uses. Names that cells import from the project are followed
to the function's file and lines, through packages that hand it on. Only the standard library is imported.
"""

import ast
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from helpers import ROOT
from helpers.chapters.contents import ARRIVED, CHAPTERS

PLUMBING = frozenset({"helpers.chapters.exhibits.show", "helpers.chapters.exhibits.say"})
"""Functions by which every cell shows what it has; they compute nothing."""
COMPUTING = ("analysis", "design", "estimators", "trial")
"""Rooms whose functions compute what is shown; those of the others read it, draw it or word it."""
TABLES = frozenset(
    name.removesuffix(".csv")
    for chapter in (*CHAPTERS, ARRIVED)
    for name in (*chapter.reads, *chapter.writes)
    if name.endswith(".csv") and "/" not in name
)
"""Names of tables, which cells call the same."""
PACKAGE = "helpers"
PARSER = threading.RLock()
"""Held by whoever parses: Python 3.11 keeps the parser's depth for all threads together, and two at once end in a
SystemError now and then."""


def syntax(source: str) -> ast.Module:
    """The syntax of a source, one thread at a time. Raises SyntaxError and ValueError as `ast.parse`."""
    with PARSER:
        return ast.parse(source)


@dataclass(frozen=True)
class Function:
    """A function or class of the project: dotted name, file relative to the project, first and last line."""

    name: str
    file: str
    first: int
    last: int
    says: str = ""
    """What its docstring begins with, up to the first empty line."""

    def __str__(self) -> str:
        return f"{self.name}  {self.file}:{self.first}-{self.last}"

    def record(self) -> list:
        return [self.name, self.file, self.first, self.last]


@dataclass(frozen=True)
class _Statement:
    """A statement of a cell: names that it sets anew, that it changes, and that it uses; its text."""

    cell: int
    tree: ast.stmt
    text: str
    sets: frozenset[str]
    changes: frozenset[str]
    uses: frozenset[str]


def text_of(cell: dict) -> str:
    """A cell's source; notebooks hold it as text or as lines."""
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


class Modules:
    """The project's own modules, read once each."""

    def __init__(self, root: Path = ROOT):
        self.root = root
        self._trees: dict[str, tuple[str, ast.Module] | None] = {}

    def tree(self, name: str) -> tuple[str, ast.Module] | None:
        """(File relative to the project, syntax) of a dotted module; None where there is none that can be read."""
        if name not in self._trees:
            place, found = self.root.joinpath("src", *name.split(".")), None
            for path in (place.with_suffix(".py"), place / "__init__.py"):
                if path.is_file():
                    try:
                        found = path.relative_to(self.root).as_posix(), syntax(path.read_text("utf-8"))
                    except (SyntaxError, ValueError):
                        found = None
                    break
            self._trees[name] = found
        return self._trees[name]

    def function(self, dotted: str) -> Function | None:
        """The function or class that a dotted name leads to, where it is one of ours; methods lead to their class."""
        seen: set[str] = set()
        while dotted not in seen:
            seen.add(dotted)
            parts = dotted.split(".")
            for cut in range(len(parts) - 1, 0, -1):
                module = ".".join(parts[:cut])
                found = self.tree(module)
                if found is None:
                    continue
                file, tree = found
                for node in tree.body:
                    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == parts[cut]:
                        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                        last = node.end_lineno or first
                        says = (ast.get_docstring(node) or "").partition("\n\n")[0]
                        return Function(f"{module}.{node.name}", file, first, last, " ".join(says.split()))
                handed = imports(tree).get(parts[cut])
                if handed is None:
                    return None
                dotted = ".".join([handed, *parts[cut + 1 :]])
                break
            else:
                return None
        return None


def imports(tree: ast.AST) -> dict[str, str]:
    """Names that a text imports from the project, each with the dotted name that it stands for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or name] = name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return {name: dotted for name, dotted in found.items() if dotted.partition(".")[0] == PACKAGE}


def _statements(number: int, source: str) -> list[_Statement]:
    """The statements of a cell; none where it is no Python."""
    try:
        tree = syntax(source)
    except (SyntaxError, ValueError):
        return []
    found = []
    for node in tree.body:
        sets, changes, uses = set(), set(), set()
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                (uses if isinstance(one.ctx, ast.Load) else sets).add(one.id)
            elif isinstance(one, ast.FunctionDef | ast.ClassDef):
                sets.add(one.name)
            elif isinstance(one, ast.Import | ast.ImportFrom):
                sets |= {alias.asname or alias.name.partition(".")[0] for alias in one.names}
            elif isinstance(one, ast.Subscript | ast.Attribute) and not isinstance(one.ctx, ast.Load):
                inner: ast.expr = one
                while isinstance(inner, ast.Subscript | ast.Attribute):
                    inner = inner.value
                if isinstance(inner, ast.Name):
                    changes.add(inner.id)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            changes.add(node.target.id)
        text = ast.get_source_segment(source, node) or ""
        found.append(_Statement(number, node, text, frozenset(sets), frozenset(changes), frozenset(uses)))
    return found


def _leading_to(statements: Sequence[_Statement], cell: int) -> list[_Statement]:
    """The statements of a cell, and those before it that set or changed what they use, in their order."""
    chosen, needed = [], set()
    for one in reversed([one for one in statements if one.cell <= cell]):
        touched = (one.sets | one.changes) & needed
        if one.cell == cell or touched:
            chosen.append(one)
            # what a statement only changes was set before it
            needed = (needed - (one.sets - one.changes)) | one.uses | one.changes
    return chosen[::-1]


def _dotted(node: ast.expr) -> str | None:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


def _named(statement: _Statement, known: dict[str, str]) -> list[str]:
    """Dotted names of the project that a statement uses, in the order of its text; an import uses none."""
    if isinstance(statement.tree, ast.Import | ast.ImportFrom):
        return []
    found = []
    for node in ast.walk(statement.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            dotted = _dotted(node)
            head, dot, rest = (dotted or "").partition(".")
            if head in known:
                found.append((node.lineno, node.col_offset, known[head] + dot + rest))
    return [name for _, _, name in sorted(found)]


def tables(leading: Sequence[_Statement]) -> list[str]:
    """The tables that some statements use, by their names: `adsl` as a frame, "adsl" as what is read, `raw.adsl`.

    A statement that makes several frames at once uses none of them yet.
    """
    found: set[str] = set()
    for one in leading:
        found |= one.uses & TABLES
        for node in ast.walk(one.tree):
            if isinstance(node, ast.Attribute) and node.attr in TABLES:
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and node.value in TABLES and not one.sets & TABLES:
                found.add(node.value)
    return sorted(found)


def stated(notebook: dict, modules: Modules | None = None) -> list[dict[str, Any]]:
    """What each cell of an executed notebook shows, and what led to it, as plain data for a record.

    Of each exhibit, and of each sentence with results: `cell` (its number as the notebook shows it), `exhibit` (None
    for a sentence), `results` (keys), `functions` (name, file, first and last line; from what computes to what
    shows), `does` (what the function that computes says of itself), `tables` (those that led there; none where the
    cells do not tell), `code` (the statements that led there, without imports and parameters). The notes by which an
    exhibit stands alone (population, n, method, conventions, caption) come along. Cells that hold no Python lead to no
    function.
    """
    modules = modules or Modules()
    statements: list[_Statement] = []
    known: dict[str, str] = {}
    given: set[int] = set()
    found = []
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        here = _statements(number, text_of(cell))
        given |= {number} if "parameters" in cell.get("metadata", {}).get("tags", ()) else set()
        statements += here
        for one in here:
            known |= imports(one.tree)
        shows = [output.get("metadata", {}) for output in cell.get("outputs", [])]
        shows = [one for one in shows if "exhibit" in one or one.get("results")]
        if not shows:
            continue
        leading = _leading_to(statements, number)
        names = dict.fromkeys(name for one in leading for name in _named(one, known))
        functions = dict.fromkeys(filter(None, map(modules.function, names)))
        working = [one for one in leading if not isinstance(one.tree, ast.Import | ast.ImportFrom)]
        working = [one for one in working if one.cell not in given]
        computing = [one for one in functions if one.name.split(".")[1] in COMPUTING] or list(functions)
        for one in shows:
            exhibit = one.get("exhibit")
            results = exhibit["results"] if exhibit else one["results"]
            notes = ("key", "kind", "title", "population", "n", "method", "conventions", "caption")
            found.append(
                {
                    "cell": cell.get("execution_count") or number,
                    "exhibit": exhibit and {name: exhibit[name] for name in notes if name in exhibit},
                    "results": [result["key"] for result in results],
                    "functions": [one.record() for one in functions if one.name not in PLUMBING],
                    "does": computing[-1].says if computing else "",
                    "tables": tables(working),
                    "code": "\n".join(one.text for one in working),
                }
            )
    return found


def led_here(one: Mapping[str, Any], tables: Mapping[str, str]) -> dict[str, str]:
    """Of what a chapter read (file -> digest) what led to an entry of `stated`; all where its cells do not tell."""
    mine = {
        name: value for name, value in tables.items() if name.removesuffix(".csv") in one.get("tables", ())
    }
    return mine or dict(tables)


def folded(one: Mapping[str, Any], tables: Mapping[str, str]) -> str:
    """A closed line for below an exhibit: functions with file and lines, input tables with their SHA-256.

    one: an entry of `stated`; tables: what its chapter read, name -> SHA-256.
    """
    steps = [
        f"<li><code>{escape(name)}</code> ({escape(file)}, lines {first} to {last})</li>"
        for name, file, first, last in one["functions"]
    ]
    parts = [f"<ol>{''.join(steps)}</ol>"] if steps else []
    mine = led_here(one, tables)
    if mine:
        read = ", ".join(f"{escape(name)} (<code>{value[:12]}</code>)" for name, value in mine.items())
        who = "led here" if len(mine) < len(tables) else "the chapter read"
        parts.append(f"<p>Tables that {who}, with their SHA-256: {read}.</p>")
    if one["results"]:
        first, more = one["results"][0], len(one["results"]) - 1
        rest = f" and {more} more" if more else ""
        command = f"<code>make trace RESULT={escape(first)}</code>"
        parts.append(f"<p>Named results: {escape(first)}{rest}; {command} follows one back.</p>")
    if not parts:
        return ""
    inner = "".join(parts)
    return f'<details class="origin"><summary>Where this comes from</summary>{inner}</details>'
