"""`make mutants`: do the tests notice when the code is wrong?

Two hundred small errors are drawn by a seed from all rooms of `src/helpers`, in proportion to their lines: a
comparison that lets the boundary in, swapped limits, a lost square root, "Placebo" for "hUC-MSC", a keyword
or a statement that is missing. Each is planted in a copy of the project; the tests that import the module run,
then the chapters of the base scenario are held against their published exhibits. A mutant that nothing notices
is a survivor and wants an explanation.

    python tests/mutants.py [--count 200] [--workers 2] [--seed 6731192] [--only FILE]

Answers are kept one by one in `.cache/mutants/`, so that a run can be stopped and taken up again; at the end
`tests/mutants.json` is written, with the content key of what was judged. A survivor's `why` is written there by
hand and kept from run to run.
"""

import argparse
import ast
import contextlib
import copy
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "helpers"
TABLE = ROOT / "tests" / "mutants.json"
CACHE = ROOT / ".cache" / "mutants"
LIMIT = 300
"""Seconds for one mutant: an endless loop is noticed too. Nothing is judged by it that ends by itself."""

COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = (
    "any all",
    "min max",
    "minimum maximum",
    "mean median",
    "sum mean",
    "first last",
    "lower upper",
    "ppf cdf",
)
TEXTS = (
    "Placebo hUC-MSC", "placebo msc", "TRT01A TRT01P", "Y N", "M F", "yes no", "lower upper", "AVAL BASE", "ADT ADY",
    "male female", "two-sided greater", "SAFFL RANDFL", "UPCRFL RANDFL", "LMONTH RMONTH", "start_date end_date",
)  # fmt: skip


def _pairs(words: tuple[str, ...]) -> dict[str, str]:
    both = [pair.split(" ") for pair in words]
    return {a: b for a, b in both} | {b: a for a, b in both}


PATHS = (
    "path",
    "folder",
    "report",
    "data",
    "stage",
    "ROOT",
    "CACHE",
    "REPORTS",
    "TABLES",
    "EXPECTED",
    "STAGING",
)


def _is_path(node: ast.BinOp) -> bool:
    """Whether / joins a path: a text stands on its right, or a folder's name on its left."""
    right = isinstance(node.right, ast.Constant | ast.JoinedStr) and not isinstance(
        getattr(node.right, "value", ""), int | float
    )
    return isinstance(node.op, ast.Div) and (right or ast.unparse(node.left).rpartition(".")[2] in PATHS)


NAME, TEXT = _pairs(NAMES), _pairs(TEXTS)


# ------------------------------------------------------------------ what can be wrong


def variants(node: ast.AST, layout: bool) -> Iterator[ast.AST]:
    """Wrong forms of one node. `layout`: a drawing, whose numbers are sizes and places that no test holds."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        new = copy.deepcopy(node)
        new.ops[0] = COMPARE[type(node.ops[0])]()
        yield new
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        text = isinstance(node.left, ast.JoinedStr) or isinstance(node.right, ast.JoinedStr)
        if not (layout or text or _is_path(node)):
            new = copy.deepcopy(node)
            new.op = ARITHMETIC[type(node.op)]()
            yield new
    elif isinstance(node, ast.BoolOp):
        new = copy.deepcopy(node)
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield new
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        if not layout or isinstance(node.op, ast.Not):
            yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float) and not layout:
            yield ast.Constant(node.value + 1 if isinstance(node.value, int) else node.value * 1.5 or 1.0)
        elif isinstance(node.value, str) and node.value in TEXT:
            yield ast.Constant(TEXT[node.value])
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")[2]
        if (
            called in ("sqrt", "log", "exp", "abs", "sorted", "set")
            and len(node.args) == 1
            and not node.keywords
        ):
            yield copy.deepcopy(node.args[0])
        if isinstance(node.func, ast.Attribute) and called in NAME:
            new = copy.deepcopy(node)
            new.func.attr = NAME[called]
            yield new
        # two names can stand for each other; other pairs would fail wherever they are called
        if len(node.args) > 1 and all(isinstance(a, ast.Name) for a in node.args[:2]) and not layout:
            new = copy.deepcopy(node)
            new.args[:2] = reversed(new.args[:2])
            yield new
    elif (
        isinstance(node, ast.Tuple)
        and isinstance(node.ctx, ast.Load)
        and 2 <= len(node.elts) <= 4
        and not layout
    ):
        new = copy.deepcopy(node)
        new.elts[:2] = reversed(new.elts[:2])
        if ast.unparse(new) != ast.unparse(node):
            yield new
    elif isinstance(node, ast.AugAssign | ast.Raise) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and not layout
    ):
        yield ast.Pass()


def _passed_over(tree: ast.Module) -> set[int]:
    """Nodes that decide no result: docstrings, annotations, words of messages and exhibits, __all__."""
    out = set()

    def leave(node):
        out.update(id(one) for one in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            leave(node)
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            leave(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            leave(node.returns)
        elif isinstance(node, ast.JoinedStr):
            leave(node)
        elif isinstance(node, ast.Raise) and node.exc is not None:
            leave(node.exc)
        elif (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__") or (
            isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        ):
            leave(node)
    return out


def candidates(path: Path) -> list[tuple[int, ast.AST, ast.AST]]:
    """(line, node, its wrong form) of every mutation of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    skip = _passed_over(tree)
    layout = room_of(path) == "figures"
    found = []
    for node in ast.walk(tree):
        if id(node) not in skip and hasattr(node, "lineno"):
            found += [(node.lineno, node, new) for new in variants(node, layout)]
    return found


def mutated(path: Path, number: int) -> tuple[str, dict]:
    """The module's text with its candidate `number` planted, and what it is in words."""
    tree = ast.parse(path.read_text("utf-8"))
    skip, layout, count = _passed_over(tree), room_of(path) == "figures", 0
    for parent in ast.walk(tree):
        if id(parent) in skip or not hasattr(parent, "lineno"):
            continue
        for new in variants(parent, layout):
            if count == number:
                old = ast.unparse(parent)
                told = {"line": parent.lineno, "old": old[:160], "new": ast.unparse(new)[:160]}

                class Plant(ast.NodeTransformer):
                    def visit(self, node, target=parent, planted=new):
                        return (
                            ast.copy_location(planted, node) if node is target else self.generic_visit(node)
                        )

                return ast.unparse(ast.fix_missing_locations(Plant().visit(tree))) + "\n", told
            count += 1
    raise IndexError(number)


def room_of(path: Path) -> str:
    """The room that a module stands in, also where it has a folder of its own there."""
    return path.relative_to(SOURCE).parts[0]


def drawn(count: int, seed: int, only: str = "") -> list[tuple[str, int]]:
    """(module, number of its candidate): from each room in proportion to its lines, without repetition."""
    chance = random.Random(seed)
    modules = [p for p in sorted(SOURCE.rglob("*.py")) if only in p.as_posix()]
    lines = {p: len(p.read_text("utf-8").splitlines()) for p in modules}
    rooms: dict[str, int] = {}
    for path, n in lines.items():
        rooms[room_of(path)] = rooms.get(room_of(path), 0) + n
    whole = sum(rooms.values())
    share = {room: count * n // whole for room, n in rooms.items()}
    rest = sorted(rooms, key=lambda room: (-(count * rooms[room] % whole), room))
    for room in rest[: count - sum(share.values())]:
        share[room] += 1
    out = []
    for room in sorted(rooms):
        pool = [
            (p.relative_to(ROOT).as_posix(), k)
            for p in modules
            if room_of(p) == room
            for k in range(len(candidates(p)))
        ]
        out += chance.sample(pool, min(len(pool), share[room]))
    return out


# ------------------------------------------------------------------ who must notice


def content_key() -> str:
    """Digest of what is judged: sources, tests, notebooks and the published exhibits of the base scenario."""
    whole = hashlib.sha256()
    places = [SOURCE, ROOT / "tests", ROOT / "notebooks", ROOT / "reports" / "expected" / "base"]
    for path in sorted(
        p for place in places for p in place.rglob("*") if p.suffix in (".py", ".ipynb", ".csv")
    ):
        whole.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()[:16]


def tests_of(module: str) -> list[str]:
    """Test files that import a module, the one that mirrors it first, those that run kernels last."""
    dotted = module.removeprefix("src/").removesuffix(".py").replace("/", ".")
    above, _, stem = dotted.rpartition(".")
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        names = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
            elif isinstance(node, ast.Import):
                names |= {a.name for a in node.names}
        drawing = above == "helpers.figures" and "helpers.figures" in names
        if dotted in names or drawing or (stem == "__init__" and above in names):
            found.append(path)
    found.sort(key=lambda p: ("miniature" in p.read_text("utf-8"), p.stem != f"test_{stem}", p.as_posix()))
    return [p.relative_to(ROOT).as_posix() for p in found]


def chapters_of(module: str) -> list[str]:
    """Chapters whose result hangs on a module, by the same closure that decides whether they run again."""
    from helpers.chapters.contents import CHAPTERS
    from helpers.study.freshness import Sources

    sources, out = Sources({}), []
    for chapter in CHAPTERS:
        _, imports, _ = sources.notebook(ROOT / "notebooks" / f"{chapter.stem}.ipynb")
        if module in sources.closure(imports):
            out.append(chapter.stem)
    return out


def _child(project: Path, kind: str, names: list[str]) -> int:
    """Exit code of the tests, or of the chapters, of a copy of the project; in a fork of this process."""
    log = project / f"{kind}.log"
    pid = os.fork()
    if pid == 0:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(project)
        sys.path[:0] = [str(project / "src"), str(project / "tests")]
        os.environ |= {"PYTHONPATH": str(project / "src"), "ALPORT_DATA": ""}
        code = 1
        with contextlib.suppress(BaseException):
            if kind == "tests":
                import pytest

                code = int(pytest.main(["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *names]))
                code = 0 if code == 5 else code
            else:
                tables = project / "tables"
                shutil.rmtree(tables, ignore_errors=True)
                shutil.copytree(project / "data" / "synthetic" / "base", tables / "base")
                os.environ["ALPORT_DATA"] = str(tables)
                import in_process

                code = int(any(in_process.differences(stem, "base") for stem in names))
        os._exit(code)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 124


def judge(project: Path, module: str, number: int, chapters: list[str]) -> dict:
    """Plant one mutant in a copy of the project, and say who noticed it."""
    text, told = mutated(ROOT / module, number)
    (project / module).write_text(text)
    try:
        noticed = ""
        for test in tests_of(module):
            code = _child(project, "tests", [test])
            if code:
                noticed = f"{test}{' (time limit)' if code == 124 else ''}"
                break
        if not noticed:
            for stem in chapters:
                if _child(project, "chapters", [stem]):
                    noticed = f"exhibits of {stem}"
                    break
    finally:
        shutil.copyfile(ROOT / module, project / module)
    return {"module": module, "number": number, **told, "noticed": noticed}


def copy_of_the_project(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    skip = shutil.ignore_patterns(".venv", ".cache", ".git", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=skip)
    return folder


def work(share: list[tuple[str, int]], chapters: dict[str, list[str]], folder: Path, answers: Path) -> None:
    """Judge a share of the mutants; each answer is a line of its own, written when it is known.

    This process never imports helpers: its forks must find those of the copy.
    """
    # what every test imports is loaded once; helpers themselves are not
    import lifelines  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pydantic  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import seaborn  # noqa: F401
    import statsmodels.api  # noqa: F401
    import yaml  # noqa: F401

    project = copy_of_the_project(folder)
    for module, number in share:
        assert "helpers" not in sys.modules
        found = judge(project, module, number, chapters[module])
        with answers.open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(
            f"{found['noticed'] or 'SURVIVED':<60} {module}:{found['line']}  {found['old']}  ->  {found['new']}",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=6731192)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="modules whose path holds this text")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT / "src"))
    key = content_key()
    CACHE.mkdir(parents=True, exist_ok=True)
    answers = CACHE / f"{key}-{options.seed}.jsonl"
    wanted = drawn(options.count, options.seed, options.only)

    def known() -> dict[tuple[str, int], dict]:
        lines = answers.read_text().splitlines() if answers.exists() else []
        rows = [json.loads(line) for line in lines]
        return {(row["module"], row["number"]): row for row in rows}

    left = [one for one in wanted if one not in known()]
    print(f"{len(wanted)} mutants, {len(wanted) - len(left)} of them judged before", flush=True)
    chapters = {module: chapters_of(module) for module in {module for module, _ in left}}
    began, children = time.monotonic(), []
    for k in range(options.workers):
        command = [sys.executable, __file__, "--worker"]
        share = json.dumps([left[k :: options.workers], chapters, str(CACHE / f"project-{k}"), str(answers)])
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}
        )
        child.stdin.write(share)
        child.stdin.close()
        children.append(child)
    codes = [child.wait() for child in children]
    rows = [known()[one] for one in wanted if one in known()]
    caught = sum(bool(row["noticed"]) for row in rows)
    minutes = (time.monotonic() - began) / 60
    print(f"{caught} of {len(rows)} noticed ({100 * caught / max(len(rows), 1):.0f} %), {minutes:.0f} min")
    if any(codes) or len(rows) < len(wanted) or options.only:
        return int(any(codes))
    before = json.loads(TABLE.read_text()) if TABLE.exists() else {"mutants": []}
    why = {(r["module"], r["old"], r["new"]): r.get("why", "") for r in before["mutants"]}
    for row in rows:
        del row["number"]
        if not row["noticed"]:
            row["why"] = why.get((row["module"], row["old"], row["new"]), "")
    text = ",\n".join(json.dumps(row) for row in rows)
    head = f'"key": "{key}", "seed": {options.seed}, "noticed": {caught}, "of": {len(rows)}'
    TABLE.write_text(f'{{{head}, "mutants": [\n{text}\n]}}\n')
    return int(caught < 0.9 * len(rows))


if __name__ == "__main__":
    if sys.argv[1:] == ["--worker"]:
        share, chapters, folder, answers = json.load(sys.stdin)
        work([tuple(one) for one in share], chapters, Path(folder), Path(answers))
    else:
        sys.exit(main())
