"""How staged files get to where people read them, so that a folder changes at once and nobody's file is lost.

A folder is made anew beside the old one, with everything in it that is not ours, and takes its place by two
renames. What the build wrote is recorded with its digests: only that is ever replaced or removed. A file of ours
that somebody changed is kept under another name; a file that we did not make, in a folder that we did not make, is
never replaced; and no link is followed.

    python -m helpers.build.publishing      what `make clean` does
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from helpers import ROOT, Problem
from helpers.build.heads import BLINDED
from helpers.study.files import read_json, seal, unseal, write

CACHE = ROOT / ".cache"
STAGING = CACHE / "build"
REPORTS = ROOT / "reports"
TABLES = ROOT / "data" / "synthetic"
OWN_TABLES = ROOT / "data" / "own"
FAILED = REPORTS / "failed"
EXPECTED = REPORTS / "expected"
VERIFY_PAGE = REPORTS / "verify.html"
IN_R = Path("r/index.html")
"""The page of the check in R, in a report's folder."""
TWICE = "programmed-twice.json"
"""The record, in a study's staging folder, of what that check put there."""
MADE_FROM = "made-from.json"
"""The report, by its content key, that the page was made for; beside the staged page."""
VERIFIED = "verified.json"
"""The record, in the staging folder, of the page of the last verification."""

OVERVIEWS = (
    "results.json",
    "results.ars.json",
    "protocol.usdm.json",
    "index.html",
    "reviewer.html",
    "references.html",
    "comparison.json",
    "provenance.json",
)
"""What stands in a report's folder beside the files of its chapters."""

Digests = dict[str, list[str]]
"""Of each file of ours, by its path in the folder: the SHA-256 of what we wrote, or are about to."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_own(name: str) -> bool:
    """Whether a report of this name is one on own data."""
    return name.startswith("own-") and (STAGING / name / "data" / name / "own.json").is_file()


def package_of(name: str) -> Path:
    """Where a scenario's package stands."""
    return REPORTS / f"{name}-package.zip"


def refuse_links(*paths: Path) -> None:
    """Raise Problem where a path, or a folder above it in the project, is a link: it may lead out."""
    for path in paths:
        place = ROOT
        for part in path.relative_to(ROOT).parts:
            place = place / part
            if place.is_symlink():
                raise Problem(
                    f"{shown(place)} is a link to {os.readlink(place)}; the project writes and removes in its own "
                    "folders only: put a folder in the place of the link"
                )


def contents(folder: Path) -> dict[str, Path]:
    """Every file and link below a folder, and every empty folder, by relative path; links are not followed."""
    found = {}
    for place, folders, files in os.walk(folder):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        empty = [here] if here != folder and not folders and not files else []
        for path in [*empty, *(here / name for name in [*links, *files])]:
            found[path.relative_to(folder).as_posix()] = path
    return found


def unused(path: Path) -> Path:
    """A name beside a file that nobody has: labs.csv gives labs.kept.csv, then labs.kept-2.csv."""
    number = 1
    while True:
        kept = path.with_name(f"{path.stem}.kept{'' if number == 1 else f'-{number}'}{path.suffix}")
        if not kept.exists() and not kept.is_symlink():
            return kept
        number += 1


def signed(folder: Path, name: str) -> bool:
    """Whether a folder says that a build of this study made it."""
    return (
        read_json(folder / "scenario.json").get("study") == name
        or read_json(folder / "provenance.json").get("scenario") == name
    )


def beside(final: Path) -> Path:
    """Where a folder is made that will take the place of `final`."""
    return final.parent / ".new" / final.name


def swap(final: Path, carried: set[str]) -> None:
    """Put the folder `beside(final)` in the place of `final` by two renames, for which a Ctrl-C waits.

    What came into the old folder meanwhile, and is not among those carried over, moves to the new one.
    """
    before = final.parent / ".old" / final.name
    shutil.rmtree(before, ignore_errors=True)
    before.parent.mkdir(parents=True, exist_ok=True)
    with uninterrupted():
        if final.exists():
            os.replace(final, before)
        os.replace(beside(final), final)
    clear_out(before, final, carried)
    for place_ in (before.parent, beside(final).parent):
        with contextlib.suppress(OSError):
            place_.rmdir()


class Folder:
    """A published folder `final` of a study, with the record of what the build put there."""

    def __init__(self, final: Path, name: str):
        self.final, self.name = final, name
        kind = "reports" if final.is_relative_to(REPORTS) else "tables"
        self.record = STAGING / name / f"published-{kind}.json"
        self.beside = beside(final)

    def ours(self) -> Digests:
        """What the build wrote here, from its record and from the report's own `provenance.json`."""
        found: Digests = {name: list(known) for name, known in unseal(self.record).get("files", {}).items()}
        told = read_json(REPORTS / self.name / "provenance.json")
        if told.get("scenario") == self.name:
            part = told.get("pages_sha256" if self.final.is_relative_to(REPORTS) else "tables_sha256")
            for name, value in (part if isinstance(part, dict) else {}).items():
                found.setdefault(name, []).append(value)
            if not self.record.is_file():
                # without a record (the cache was removed) the report's own files are known by standing beside it
                names = {*OVERVIEWS, *map(BLINDED.file, OVERVIEWS)}
                for path in (self.final / name for name in sorted(names)):
                    if path.is_file():
                        found.setdefault(path.name, []).append(checksum(path))
        return found

    def check(self, names: Iterable[str]) -> None:
        """Raise Problem where publishing files of these names would follow a link or replace what is not ours."""
        refuse_links(self.final, *((self.final / name).parent for name in names))
        if self.final.exists() and not self.final.is_dir():
            raise NotADirectoryError(20, "a file stands where a folder should be", str(self.final))
        if signed(self.final, self.name):
            return
        ours = self.ours()
        strange = [
            name
            for name in names
            if (path := self.final / name).is_file()
            and name not in ours
            and not same(path, STAGING / self.name / "data" / self.name / name)
        ]
        if strange:
            raise Problem(
                f"{shown(self.final)} holds {', '.join(sorted(strange)[:5])} that no build made, and a build of "
                f"{self.name} would replace; move the folder away or give the scenario another name"
            )

    def publish(self, files: dict[str, Path]) -> tuple[list[Path], dict[Path, Path]]:
        """Make the folder hold these staged files, by relative path, and what is not ours beside them.

        Returns the files that were absent or other than they are now, and where somebody's changed files went.
        Raises Problem or OSError; the folder is then as it was.
        """
        self.check(files)
        there, ours = contents(self.final), self.ours()
        new = [name for name, staged in files.items() if not same(self.final / name, staged)]
        edited = [
            name
            for name in new
            if name in there
            and not there[name].is_symlink()
            and checksum(there[name]) not in ours.get(name, [])
        ]
        stale = {
            name
            for name, path in there.items()
            if name not in files
            and path.is_file()
            and not path.is_symlink()
            and checksum(path) in ours.get(name, [])
        }
        kept = {name: unused(self.final / name) for name in edited if not committed(self.final / name)}
        digests = {name: [checksum(staged)] for name, staged in files.items()}
        if new or stale:
            # where we are killed between the renames, either is ours
            both = {name: [*ours.get(name, []), *known] for name, known in digests.items()}
            write(self.record, seal({"files": {**{name: ours[name] for name in stale}, **both}}))
            self._fill(
                files, {name: path for name, path in there.items() if name not in stale}, set(new), kept
            )
            swap(self.final, set(there))
        if unseal(self.record) != {"files": digests}:
            write(self.record, seal({"files": digests}))
        return [self.final / name for name in new], {self.final / name: path for name, path in kept.items()}

    def _fill(
        self, files: dict[str, Path], there: dict[str, Path], new: set[str], kept: dict[str, Path]
    ) -> None:
        """Make the folder that will take the place of the published one."""
        shutil.rmtree(self.beside, ignore_errors=True)
        self.beside.mkdir(parents=True)
        try:
            for name, staged in files.items():
                target = self.beside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if name in new:
                    shutil.copyfile(staged, target)
                else:
                    carry(there[name], target)
            for name, path in there.items():
                if name not in files:
                    carry(path, self.beside / name)
            for name, path in kept.items():
                carry(there[name], self.beside / path.relative_to(self.final))
        except BaseException:
            shutil.rmtree(self.beside.parent, ignore_errors=True)
            raise


def carry(path: Path, target: Path) -> None:
    """Put somebody's file, link or empty folder into another folder as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        target.mkdir(exist_ok=True)
        return
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:
        # a file system without hard links
        shutil.copy2(path, target, follow_symlinks=False)


def clear_out(old: Path, final: Path, carried: set[str]) -> None:
    """Remove a folder that was replaced; what is neither carried over nor ours moves to the new one."""
    for name, path in contents(old).items():
        target = final / name
        if name not in carried and not target.exists():
            carry(path, target)
    shutil.rmtree(old, ignore_errors=True)


INTERRUPTED = threading.Event()
"""A Ctrl-C came. Python forgets one that arrives inside a destructor or an import that catches everything."""


def interrupt(*_) -> None:
    """What a Ctrl-C does: it is remembered, then raised unless this is an `uninterrupted` part."""
    INTERRUPTED.set()
    # another thread may have been given the signal that this one holds back
    if signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        raise KeyboardInterrupt


def interruptible() -> None:
    """Let a Ctrl-C through that `environment` held back while this program was being loaded."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as for `nohup make report &`
        signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that end us wait until the end of the `with`."""
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if INTERRUPTED.is_set():
        raise KeyboardInterrupt


def committed(path: Path) -> bool:
    """Whether a file is as git has it, so that it can't be lost."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return False
    import subprocess

    place = shown(path)
    asked = [[git, "rev-parse", f"HEAD:{place}"], [git, "hash-object", place]]
    known, now = (subprocess.run(one, cwd=ROOT, capture_output=True, text=True) for one in asked)
    return not known.returncode and not now.returncode and known.stdout == now.stdout


def same(one: Path, other: Path) -> bool:
    """Whether two files are there with the same content; a link is no file of ours."""
    return (
        not one.is_symlink() and one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
    )


def recover() -> None:
    """Put right what a build left that was killed between its renames. Call it holding the build's lock."""
    for root in (REPORTS, TABLES, OWN_TABLES, EXPECTED):
        refuse_links(root)
        for old in sorted(root.glob(".old/*")):
            final = root / old.name
            if not final.exists():
                os.replace(old, final)
            else:
                # what git has need not be carried over
                ours = contents(old) if root == EXPECTED else Folder(final, old.name).ours()
                clear_out(old, final, set(ours))
        for name in (".old", ".new"):
            shutil.rmtree(root / name, ignore_errors=True)


def place(files: dict[Path, Path], record: Path) -> dict[Path, Path]:
    """Copy single staged files to their places; gives where somebody's changed files went."""
    ours = unseal(record).get("files", {})
    refuse_links(*files)
    moved = {}
    for final, staged in files.items():
        if same(final, staged):
            continue
        if final.is_file() and checksum(final) not in ours.get(shown(final), []):
            moved[final] = unused(final)
            os.replace(final, moved[final])
        write(final, staged.read_bytes())
    wanted = {"files": {**ours, **{shown(final): [checksum(staged)] for final, staged in files.items()}}}
    if unseal(record) != wanted:
        write(record, seal(wanted))
    return moved


# ------------------------------------------------------------------ make clean


def tidy(folder: Path) -> None:
    """Remove a folder and those above it, inside the project's built ones, as long as they are empty."""
    while folder not in (REPORTS, TABLES, OWN_TABLES) and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def remove(folder: Path, ours: Digests) -> list[Path]:
    """Remove what is ours and unchanged below a folder; gives what stays."""
    stays = []
    for name, path in contents(folder).items():
        if path.is_file() and not path.is_symlink() and checksum(path) in ours.get(name, []):
            path.unlink()
            tidy(path.parent)
        elif not path.is_dir() or path.is_symlink():
            stays.append(path)
    for place_, _, _ in os.walk(folder, topdown=False):
        tidy(Path(place_))
    return stays


def checked_in_r(name: str, key: str) -> str:
    """The address, in a report's folder, of the check in R of the report with this content key; "" where none is."""
    made = unseal(STAGING / name / "r" / MADE_FROM).get("content_key")
    return IN_R.as_posix() if made == key and (REPORTS / name / IN_R).is_file() else ""


def beside_r(final: Path) -> Digests:
    """What the check in R put into a report's folder, from its record."""
    known = unseal(STAGING / final.name / TWICE).get("files", {})
    places = {ROOT / name: sums for name, sums in known.items() if (ROOT / name).is_file()}
    return {path.relative_to(final).as_posix(): s for path, s in places.items() if path.is_relative_to(final)}


def clean() -> list[Path]:
    """Remove what builds made: reports, tables of all scenarios but base, caches. Gives what is not theirs.

    Raises Problem where a link stands in the way or a build is running; nothing is removed then.
    """
    refuse_links(REPORTS, TABLES, OWN_TABLES, STAGING)
    stays: list[Path] = []
    with contextlib.ExitStack() as stack:
        if CACHE.is_dir():
            lock = stack.enter_context(open(CACHE / "build.lock", "w"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Problem("a build is running in this folder; nothing was removed") from None
        recover()
        for root in (REPORTS, TABLES, OWN_TABLES):
            for final in sorted(path for path in root.glob("*") if path.is_dir() and not path.is_symlink()):
                if final in (FAILED, EXPECTED, TABLES / "base"):
                    continue
                stays += remove(final, Folder(final, final.name).ours() | beside_r(final))
        single = unseal(STAGING / "index.json").get("files", {})
        single |= unseal(STAGING / "failed.json").get("files", {})
        packed = unseal(STAGING / "packages.json").get("files", {})
        single |= packed
        single |= unseal(STAGING / VERIFIED).get("files", {})
        packages = sorted(ROOT / name for name in packed)
        for path in [
            REPORTS / "index.html",
            REPORTS / "comparison.html",
            VERIFY_PAGE,
            *packages,
            *contents(FAILED).values(),
        ]:
            if path.is_file() and checksum(path) in single.get(shown(path), []):
                path.unlink()
                tidy(path.parent)
            elif path.is_file() or path.is_symlink():
                stays.append(path)
        if OWN_TABLES.is_dir() and not any(OWN_TABLES.iterdir()):
            OWN_TABLES.rmdir()
        if CACHE.is_symlink():
            CACHE.unlink()
        else:
            shutil.rmtree(CACHE, ignore_errors=True)
    return stays


def main() -> int:
    """Exit code 0; 1 where nothing could be removed."""
    interruptible()
    try:
        stays = clean()
    except (Problem, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    for path in stays[:20]:
        print(f"stays, since no build made it as it is: {shown(path)}")
    if len(stays) > 20:
        print(f"... and {len(stays) - 20} more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
