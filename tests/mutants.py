"""`make mutants`: do the tests notice when the code is wrong?

Two hundred small errors are drawn by a seed from all rooms of `src/helpers`, in proportion to their lines: a
comparison that lets the boundary in, swapped limits, a lost square root, "Placebo" for "hUC-MSC", a keyword
or a statement that is missing. Each is planted in a copy of the project; the tests that import the module run,
then the chapters of the base scenario are held against their published exhibits. A mutant that nothing notices
is a survivor and wants an explanation.

    python tests/mutants.py [--count 200] [--workers 2] [--seed 6731192] [--only FILE]

Answers are kept one by one in `.cache/mutants/`, so that a run can be stopped and taken up again. A verdict stands
as long as those who gave it (a file of tests, the exhibits of a chapter), and all that they import, are as they were:
of a mutant that was noticed the one who noticed it, of a survivor all who did not; it is shown again to those that
changed. Who noticed must be content with the code as it is. At the end `tests/mutants.json` is written, with the
content key of what was judged. A survivor's `why` is written there by hand and kept from run to run. One that begins
with "Equivalent" says why no test can tell: the mutation score (noticed of those that are not equivalent, Papadakis
et al. 2019, Advances in Computers 112:275-378) leaves it out.
"""

import argparse
import ast
import contextlib
import copy
import fcntl
import functools
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "helpers"
TABLE = ROOT / "tests" / "mutants.json"
OWN = Path(__file__).resolve()
PUBLISHED = ROOT / "reports" / "expected" / "base"
CACHE = ROOT / ".cache" / "mutants"
LIMIT = 300
"""Seconds of a processor for one run of tests: an endless loop is noticed too, however loaded the machine is."""
PATIENCE = 1800
"""Seconds of a clock, for what waits for ever without working."""

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


def named(path: Path) -> list[tuple[str, str, int]]:
    """(old, new, how many alike stood before) of every candidate of a module: a name that outlives other edits."""
    seen: dict[tuple[str, str], int] = {}
    out = []
    for _, node, new in candidates(path):
        pair = (ast.unparse(node), ast.unparse(new))
        out.append((*pair, seen.setdefault(pair, 0)))
        seen[pair] += 1
    return out


def drawn(count: int, seed: int, only: str = "") -> list[tuple[str, int]]:
    """(module, number of its candidate): from each room in proportion to its lines, without repetition.

    Drawn by the digest of seed and name, so that an edit elsewhere changes few of them.
    """
    modules = [p for p in sorted(SOURCE.rglob("*.py")) if only in p.as_posix()]
    rooms: dict[str, int] = {}
    pools: dict[str, list] = {}
    for path in modules:
        room, place = room_of(path), path.relative_to(ROOT).as_posix()
        rooms[room] = rooms.get(room, 0) + len(path.read_text("utf-8").splitlines())
        for number, name in enumerate(named(path)):
            rank = hashlib.sha256(f"{seed} {place} {name}".encode()).hexdigest()
            pools.setdefault(room, []).append((rank, place, number))
    whole = sum(rooms.values())
    share = {room: count * n // whole for room, n in rooms.items()}
    rest = sorted(rooms, key=lambda room: (-(count * rooms[room] % whole), room))
    for room in rest[: count - sum(share.values())]:
        share[room] += 1
    return [
        (place, number)
        for room in sorted(rooms)
        for _, place, number in sorted(pools.get(room, []))[: share[room]]
    ]


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


def imported(path: Path) -> set[str]:
    """The modules of helpers, and names in them, that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
    return {name for name in names if name.startswith("helpers")}


def dotted(module: str) -> str:
    return module.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def tests_of(module: str) -> list[str]:
    """Test files that import a module, the one that mirrors it first.

    A package's test imports its modules through it. Where no test imports a module, those that import its users; of
    the intake always those, too.
    """
    name = dotted(module)
    above, _, stem = name.rpartition(".")
    package = above if above.count(".") > 1 else ""
    imports = {path: imported(path) for path in sorted((ROOT / "tests").rglob("test_*.py"))}

    def found(names: set[str]) -> list[Path]:
        drawing = {"helpers.figures"} if above == "helpers.figures" else set()
        return [path for path, known in imports.items() if known & (names | drawing)]

    paths = found({name, package} - {""})
    # no exhibit of the base hangs on how own tables come in: what uses a part of it asks after it
    if not paths or name.startswith("helpers.intake."):
        users = [p for p in SOURCE.rglob("*.py") if name in imported(p)]
        paths = [*paths, *found({dotted(p.relative_to(ROOT).as_posix()) for p in users} - {name, package})]
    room = name.split(".")[1]
    mirror = {f"test_{stem}", "test_in_pieces" if room == "build" else ""}
    paths.sort(key=lambda p: (p.stem not in mirror, p.parent.name != room, len(imports[p]), p.as_posix()))
    return list(dict.fromkeys(p.relative_to(ROOT).as_posix() for p in paths))


def chapters_of(modules: set[str]) -> dict[str, list[str]]:
    """Chapters whose result hangs on each module, by the same closure that decides whether they run again."""
    from helpers.chapters.contents import CHAPTERS
    from helpers.study.freshness import Sources

    sources, out = Sources({}), {module: [] for module in sorted(modules)}
    for chapter in CHAPTERS:
        _, imports, _ = sources.notebook(ROOT / "notebooks" / f"{chapter.stem}.ipynb")
        closure = sources.closure(imports)
        for module in out:
            if module in closure:
                out[module].append(chapter.stem)
    return out


@functools.cache
def reader():
    """One reader of sources, which parses each file once."""
    from helpers.study.freshness import Sources

    return Sources({})


def digest(parts: list[str | bytes]) -> str:
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    return hashlib.sha256(b"\0".join(raw)).hexdigest()[:16]


@functools.cache
def own_content(asked: str) -> str:
    """Digest of a file of tests or a chapter's exhibits, with all that it imports; empty if it is there no more."""
    sources, parts = reader(), []
    if asked.startswith("exhibits of "):
        stem = asked.removeprefix("exhibits of ")
        source, names, _ = sources.notebook(ROOT / "notebooks" / f"{stem}.ipynb")
        parts += [source, *(p.read_bytes() for p in sorted(PUBLISHED.rglob("*.csv")))]
    else:
        test = ROOT / asked
        if not test.is_file():
            return ""
        names = imported(test)
        beside = [p for p in (ROOT / "tests").rglob("*.py") if not p.name.startswith("test_") and p != OWN]
        parts += [test.read_bytes(), *(p.read_bytes() for p in sorted(beside))]
    for file, code in sorted(sources.closure(names).items()):
        parts += [file, code]
    return digest(parts)


def stands_on(asked: str, module: str) -> str:
    """Digest of what a verdict about a module hangs on where it was given by `asked`."""
    asked = asked.split("::")[0].removesuffix(" (time limit)")
    return digest([module, (ROOT / module).read_bytes(), own_content(asked)])


def askable(module: str, chapters: list[str]) -> list[str]:
    """All who are asked about a module's mutants, in order."""
    tests = tests_of(module)
    builds = list(BUILDERS) if room_of(ROOT / module) == "build" else []
    if builds or not tests:
        # the build calls some chapters by name: their tests stand with its own
        mirror = f"tests/build/test_{Path(module).stem}.py"
        builds += [one for one in dict.fromkeys([*tests, mirror]) if one.startswith("tests/build/")]
    there = [one for one in dict.fromkeys(builds) if (ROOT / one).is_file()]
    return [*tests, *(f"exhibits of {stem}" for stem in chapters), *(f"builds of {one}" for one in there)]


ASKED: dict[str, list[str]] = {}
"""All who are asked about the mutants of each module."""
BUILDS = {"built_once", "miniature", "whole_project"}
"""Fixtures that build a report: their tests are asked about the room `build` alone, last."""
BUILDERS = ("tests/build/test_driver.py", "tests/build/test_publishing.py")
TELLTALES = ("test_the_committed_answers_stand_for_the_code_and_scenarios_as_they_are",)
"""Tests that any edit of the code fails, whether it is wrong or right: they notice nothing."""


class Asked:
    """A plugin for pytest: which tests run, and the first that fails."""

    def __init__(self, builds: bool, told: Path):
        self.builds, self.told = builds, told

    def pytest_collection_modifyitems(self, config, items):
        kept = []
        for item in items:
            wanted = set(getattr(item, "fixturenames", ()))
            dear = wanted & BUILDS
            right = bool(dear) if self.builds else not dear
            if right and item.name.split("[")[0] not in TELLTALES:
                kept.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept

    def tell(self, report):
        if report.failed and not self.told.exists():
            self.told.write_text(report.nodeid)

    pytest_runtest_logreport = pytest_collectreport = tell


def stored_answers_stand() -> None:
    """Let committed answers stand for mutated code: that they are of other code would tell of every mutant."""
    from helpers.design import stored

    right, committed = stored.code, stored.COMMITTED

    def code(compute, sources=None):
        known = stored.entries(committed / f"{stored.name_of(compute)}.json")
        return known[0]["code"] if known else right(compute, sources)

    stored.code = code


def _child(project: Path, kind: str, names: list[str]) -> str:
    """What notices in a copy of the project, empty if nothing does: `tests` or `builds` of files, or `chapters`.

    In a fork of this process.
    """
    log, told = project / f"{kind}.log", project / "noticed"
    told.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 10))
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(project)
        sys.path[:0] = [str(project / "src"), str(project / "tests")]
        os.environ |= {"PYTHONPATH": str(project / "src"), "ALPORT_DATA": ""}
        code = 1
        with contextlib.suppress(BaseException):
            if kind == "chapters":
                tables = project / "tables"
                shutil.rmtree(tables, ignore_errors=True)
                shutil.copytree(project / "data" / "synthetic" / "base", tables / "base")
                os.environ["ALPORT_DATA"] = str(tables)
            stored_answers_stand()
            if kind == "chapters":
                import in_process

                for stem in names:
                    told.write_text(f"exhibits of {stem}")
                    if in_process.differences(stem, "base"):
                        os._exit(1)
                told.unlink()
                code = 0
            else:
                import pytest

                plain = [
                    "-x",
                    "-q",
                    "-m",
                    "not slow",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:nbval",
                    "-p",
                    "no:xdist",
                ]
                code = int(pytest.main([*plain, *names], plugins=[Asked(kind == "builds", told)]))
                code = 0 if code == 5 else code
        os._exit(code)
    end = time.monotonic() + PATIENCE
    code = 124
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.02)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if not code:
        return ""
    late = code in (124, -signal.SIGXCPU, -signal.SIGKILL)
    who = told.read_text() if told.exists() else names[0] if kind != "chapters" else f"exhibits of {names[0]}"
    return f"{who} (time limit)" if late else who


def judge(project: Path, module: str, number: int, asked: list[str], without: list[str]) -> dict:
    """Plant one mutant in a copy of the project, show it to those asked, and say who noticed it.

    Those in `without` fail without a mutant and are left out.
    """
    text, told = mutated(ROOT / module, number)
    skipped = [f"--deselect={test}" for test in without if "::" in test]

    def of(kind: str) -> list[str]:
        mine = [one.removeprefix(f"{kind} of ") for one in asked if one.startswith(f"{kind} of ")]
        return [one for one in mine if f"{kind} of {one}" not in without]

    tests = [one for one in asked if " of " not in one]
    began = time.monotonic()
    (project / module).write_text(text)
    try:
        noticed = ""
        for files in (tests[:1], tests[1:]):
            if files and not noticed:
                noticed = _child(project, "tests", [*files, *skipped])
        if of("exhibits") and not noticed:
            noticed = _child(project, "chapters", of("exhibits"))
        if of("builds") and not noticed:
            noticed = _child(project, "builds", of("builds"))
    finally:
        shutil.copyfile(ROOT / module, project / module)
    old, new, occurrence = named(ROOT / module)[number]
    name = hashlib.sha256(f"{old} {new}".encode()).hexdigest()[:12]
    seconds = round(time.monotonic() - began)
    return {
        "module": module, "number": number, "name": f"{name} {occurrence}", **told,
        "noticed": noticed, "seconds": seconds,
    }  # fmt: skip


def innocent(project: Path, noticed: str) -> bool:
    """Whether what noticed a mutant is content with the code as it is."""
    if noticed.startswith("exhibits of "):
        return not _child(project, "chapters", [noticed.removeprefix("exhibits of ").partition(" ")[0]])
    test = noticed.removesuffix(" (time limit)")
    return not (_child(project, "tests", [test]) or _child(project, "builds", [test]))


def copy_of_the_project(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    skip = shutil.ignore_patterns(".venv", ".cache", ".git", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=skip)
    return folder


def work(folder: Path) -> None:
    """Judge mutants: (module, number, whom to ask) a line of the input, the verdict a line of the output.

    This process never imports helpers: its forks must find those of the copy.
    """
    # jsonschema would build a grammar of web addresses that no test needs
    sys.modules["rfc3987_syntax"] = None
    # what every test imports is loaded once; helpers themselves are not
    import hypothesis  # noqa: F401
    import IPython  # noqa: F401
    import lifelines  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pydantic  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import seaborn  # noqa: F401
    import statsmodels.api
    import statsmodels.formula.api  # noqa: F401
    import yaml  # noqa: F401

    # a run that was stopped may be at its last mutant yet
    held = open(f"{folder}.lock", "w")  # noqa: SIM115 until this process ends
    fcntl.flock(held, fcntl.LOCK_EX)
    project, known = copy_of_the_project(folder), {}
    spoilt: list[str] = []
    for line in sys.stdin:
        module, number, asked = json.loads(line)
        assert "helpers" not in sys.modules
        while True:
            found = judge(project, module, number, asked, spoilt)
            who = found["noticed"]
            if who and who not in known:
                known[who] = innocent(project, who)
            if not who or known[who]:
                break
            if who in spoilt:
                # a file that can't be loaded, or what needs too long by itself
                found["noticed"] = ""
                break
            spoilt.append(who)
            print(f"{who} fails without a mutant, and is not asked", file=sys.stderr, flush=True)
        found["without"] = spoilt
        print(json.dumps(found), flush=True)


def hand_out(left: list[tuple[str, int, dict]], worker: int, answers: Path, faults: list[str]) -> None:
    """Give one worker a mutant after the other until none is left; each verdict is kept when it is known."""
    command = [sys.executable, __file__, "--worker", str(CACHE / f"project-{worker}")]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=os.environ | {"PYTHONPATH": ""}
    ) as child:
        while left and not faults:
            module, number, stood = left.pop(0)
            askers = {one: stands_on(one.removeprefix("builds of "), module) for one in ASKED[module]}
            changed = [one for one in askers if stood.get(one) != askers[one]]
            child.stdin.write(json.dumps([module, number, changed]) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
            if not line:
                faults.append(f"worker {worker} ended")
                break
            found = json.loads(line)
            who = found["noticed"]
            found["stands"] = {who: stands_on(who, module)} if who else askers
            with answers.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(
                f"{found['noticed'] or 'SURVIVED':<60} {found['seconds']:>4} s  {found['module']}:{found['line']}  "
                f"{found['old']}  ->  {found['new']}",
                flush=True,
            )
        child.stdin.close()


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
    answers = CACHE / f"{options.seed}.jsonl"
    wanted = drawn(options.count, options.seed, options.only)
    names = {}
    for module, number in wanted:
        old, new, occurrence = named(ROOT / module)[number]
        digest = hashlib.sha256(f"{old} {new}".encode()).hexdigest()[:12]
        names[module, number] = f"{digest} {occurrence}"

    chapters = chapters_of({module for module, _ in wanted})
    ASKED.update((module, askable(module, chapters[module])) for module in chapters)

    def said() -> dict[tuple[str, str], dict]:
        lines = answers.read_text().splitlines() if answers.exists() else []
        return {(row["module"], row["name"]): row for row in map(json.loads, lines)}

    def known() -> dict[tuple[str, str], dict]:
        rows, out = said(), {}
        for place, name in names.items():
            row = rows.get((place[0], name))
            who = [row["noticed"]] if row and row["noticed"] else ASKED[place[0]]
            if row and all(
                row["stands"].get(one) == stands_on(one.removeprefix("builds of "), place[0]) for one in who
            ):
                out[place[0], name] = row
        return out

    before, rows = known(), said()
    left = [
        (module, number, {} if row is None or row["noticed"] else row["stands"])
        for module, number in wanted
        if (module, names[module, number]) not in before
        for row in [rows.get((module, names[module, number]))]
    ]
    print(f"{len(wanted)} mutants, {len(wanted) - len(left)} of them judged before", flush=True)
    # those of long modules are dear: the workers end together
    random.Random(options.seed).shuffle(left)
    began, faults = time.monotonic(), []
    threads = [
        threading.Thread(target=hand_out, args=(left, k, answers, faults), daemon=True)
        for k in range(options.workers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fault in faults:
        print(fault)
    found = known()
    rows = [found[one[0], names[one]] for one in wanted if (one[0], names[one]) in found]
    old = json.loads(TABLE.read_text()) if TABLE.exists() else {"mutants": []}
    why = {(r["module"], r["old"], r["new"]): r.get("why", "") for r in old["mutants"]}

    def reason(row: dict) -> str:
        return "" if row["noticed"] else why.get((row["module"], row["old"], row["new"]), "")

    caught = sum(bool(row["noticed"]) for row in rows)
    alike = sum(reason(row).startswith("Equivalent") for row in rows)
    score = caught / max(len(rows) - alike, 1)
    minutes = (time.monotonic() - began) / 60
    print(
        f"{caught} of {len(rows)} noticed, {alike} equivalent, score {100 * score:.0f} %, {minutes:.0f} min"
    )
    without = sorted({who for row in rows if not row["noticed"] for who in row["without"]})
    if without:
        print(f"no table: survivors were not shown to {', '.join(without)}, which fail without a mutant")
        faults += without
    if faults or len(rows) < len(wanted) or options.only or content_key() != key:
        return int(bool(faults))
    lines = []
    for row in rows:
        one = {name: row[name] for name in ("module", "line", "old", "new", "noticed")}
        if not one["noticed"]:
            one["why"] = reason(row)
        lines.append(json.dumps(one, ensure_ascii=False))
    head = f'"key": "{key}", "seed": {options.seed}, "noticed": {caught}, "equivalent": {alike}, "of": {len(rows)}'
    TABLE.write_text(f'{{{head}, "mutants": [\n' + ",\n".join(lines) + "\n]}\n")
    return int(score < 0.9)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(Path(sys.argv[2]))
    else:
        sys.exit(main())
