"""One file with everything about one scenario's report: `reports/<scenario>-package.zip`.

    python -m helpers.build.package [--scenario NAME] [--set "a=1 b=2"] [--data FOLDER [--mapping FILE]]

In it the project as it stands, the scenario's pages, tables, results and executed notebooks, what made them, and
`SHA256SUMS` over all of it. Packed from the same files it is the same bytes: sorted names, dates of 1980, fixed
permissions, no clock. Only what git tracks (or, outside git, what stands in the project's own folders) and what the
build recorded as its own is packed, so that nobody's other files travel along. Unpacked, it is a project: `make
verify` runs in it.
"""

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from helpers import ROOT, Problem
from helpers.build import takeaway
from helpers.build.driver import SharedSources, asked, explained, lock, own_data, say
from helpers.build.edition import Edition, about
from helpers.build.publishing import (
    REPORTS,
    STAGING,
    TABLES,
    Folder,
    beside_r,
    checksum,
    interruptible,
    package_of,
    place,
    recover,
    refuse_links,
    shown,
)
from helpers.study.files import unseal, write
from helpers.study.freshness import below, digest

FIRST = "READ-ME-FIRST.md"
SUMS = "SHA256SUMS"
EXECUTED = "executed"
"""Folder of the notebooks as they ran for the scenario."""
TRUTH = "truth/"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date that a zip can hold."""
PROJECT = (
    ".ci", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE",
    "Makefile", "README.md", "benchmarks", "data/reference", "data/synthetic/base", "docs", "environment.yml",
    "notebooks", "pyproject.toml", "reports/expected", "requirements.lock", "scenarios", "src", "studies", "tests",
)  # fmt: skip
"""What belongs to the project where no git says so: files, and folders with all that is below them."""
MADE_BY_RUNNING = {"__pycache__", ".ipynb_checkpoints"}


def tracked() -> tuple[list[str], list[str]] | None:
    """(Files that git tracks, files that it neither tracks nor ignores), relative; None where this is no checkout."""
    git = shutil.which("git")
    # a project unpacked inside somebody's own repository is none of its files
    if git is None or not (ROOT / ".git").exists():
        return None
    found = []
    for options in (["--cached"], ["--others", "--exclude-standard"]):
        told = subprocess.run([git, "ls-files", "-z", *options], cwd=ROOT, capture_output=True, check=True)
        found.append(sorted(os.fsdecode(name) for name in told.stdout.split(b"\0") if name))
    return found[0], found[1]


def in_folders() -> list[str]:
    """The project's files where there is no git."""
    paths = []
    for name in PROJECT:
        path = ROOT / name
        paths += below(path) if path.is_dir() else [path] if path.is_file() else []
    names = [path.relative_to(ROOT) for path in paths]
    return sorted(name.as_posix() for name in names if not MADE_BY_RUNNING & set(name.parts))


def sources(made: Edition) -> tuple[dict[str, Path], list[str]]:
    """The project's files by relative path, and those that stay behind because git does not track them.

    The scenario's own file, and what else says its parameters in the project, comes along in any case.
    """
    known = tracked()
    inside, outside = (in_folders(), []) if known is None else known
    own = shown(made.settings[0])
    names = sorted({*inside, own})
    there = {part: ROOT / part for part in names if (ROOT / part).is_file() or (ROOT / part).is_symlink()}
    return there, [part for part in outside if part != own]


def published(folder: Path, name: str) -> tuple[dict[str, Path], list[str]]:
    """The files of a published folder that the build and the check in R recorded, and what is wrong with them."""
    record = unseal(Folder(folder, name).record).get("files", {})
    record = record | beside_r(folder) if record else record
    files, faults = {}, []
    for part, sums in record.items():
        path = folder / part
        if not path.is_file():
            faults.append(f"{shown(path)} is missing")
        elif checksum(path) not in sums:
            faults.append(f"{shown(path)} is not as it was built")
        files[path.relative_to(ROOT).as_posix()] = path
    return files, faults


def executed(made: Edition) -> tuple[dict[str, Path], list[str]]:
    """The notebooks as they ran for a scenario, and what is wrong with them."""
    files, faults = {}, []
    for chapter in made.chapters:
        path = made.notebook(chapter)
        record = unseal(path.with_suffix(".json"))
        if not path.is_file() or digest(path.read_bytes()) != record.get("notebook"):
            faults.append(f"chapter {chapter.stem} has not run")
        files[f"{EXECUTED}/{chapter.stem}.ipynb"] = path
    return files, faults


def gather(made: Edition) -> tuple[dict[str, Path], list[str]]:
    """Everything that is packed, by its path there, and the files that stay behind.

    Raises Problem, all faults at once, where the report is not there as it was built.
    """
    name = made.name
    files, behind = sources(made)
    faults = []
    for folder in (REPORTS / name, made.published):
        found, wrong = published(folder, name)
        files |= found
        faults += wrong if found else [f"{shown(folder)} is not built"]
    ran, wrong = executed(made)
    files |= ran
    faults += [*wrong, *(f"{part} is a link" for part, path in files.items() if path.is_symlink())]
    faults += [f"{part!r} can't stand in {SUMS}" for part in files if re.search(r"[\\\x00-\x1f\x7f]", part)]
    if faults:
        more = f"; and {len(faults) - 8} more" if len(faults) > 8 else ""
        scenario, plus, _ = name.partition("+")
        again = f"make report SCENARIO={scenario}" + (" with the same SET" if plus else "")
        again = "make report DATA=folder" if made.head.own else again
        raise Problem(f"there is no package: {'; '.join(faults[:8])}{more}. `{again}` builds the report")
    return files, behind


def first_words(made: Edition, files: Iterable[str], lacks: Iterable[str] = ()) -> str:
    """`READ-ME-FIRST.md`: what is in the package, how it is checked, and what is not in it, in words."""
    names, name = sorted(files), made.name
    where = shown(made.published)
    tables = [part for part in names if part.startswith(f"{where}/") and part.endswith(".csv")]
    truth = [part for part in tables if part.startswith(f"{where}/{TRUTH}")]
    exhibits = [part for part in names if part.startswith(f"reports/{name}/exhibits/")]
    data, pictures = (sum(part.endswith(end) for part in exhibits) for end in (".csv", ".png"))
    pictures -= sum(part.endswith(takeaway.PRINTED) for part in exhibits)
    drawn, printed = (sum(part.endswith(end) for part in exhibits) for end in (".svg", takeaway.PRINTED))
    known = f"{len(truth)} tables of what the simulation knows and no trial would: not for analysis"
    truths = f"| `{where}/{TRUTH}` | {known} |\n"
    guide = (
        f"| `reports/{name}/reviewer.html` | for the reviewer: tables, conventions, each number's source, programs |\n"
        if f"reports/{name}/reviewer.html" in names
        else ""
    )
    missing = "\n".join(f"- {one}" for one in lacks) or "Nothing that a package can hold is left out."
    reviewed = [part for part in names if part.startswith(f"reports/{name}/adam/")]
    pdf = (
        f"| `reports/{name}/{takeaway.PDF}` | the pages as one document, with an outline and page numbers |\n"
        if f"reports/{name}/{takeaway.PDF}" in names
        else ""
    )
    whose = "own data" if made.head.own else "scenario"
    return f"""# Trial NCT06731192, {whose} {name}: everything in one file

{" ".join(made.described().split())}

| place | what is in it |
|---|---|
| `reports/{name}/{made.index}` | the pages: open this first |
| `reports/{name}/{made.head.file("results.json")}` | every named result: value at full precision, unit, as shown |
| `reports/{name}/{made.head.file("results.ars.json")}` | the same in the CDISC Analysis Results Standard v1 |
| `reports/{name}/protocol.usdm.json` | the plan in the CDISC Unified Study Definitions Model v4 |
{guide}{pdf}| `reports/{name}/{takeaway.WORKBOOK}` | all exhibits as one Excel workbook: a list, a sheet an exhibit |
| `reports/{name}/exhibits/` | the data of {data} exhibits (CSV) and {pictures} pictures (PNG), a folder a chapter; \
{drawn} of them as drawing (SVG), {printed} for print (PNG, 300 dpi) |
| `reports/{name}/adam/` | {len(reviewed)} files: analysis tables as SAS transport 5 and Dataset-JSON, `define.xml` |
| `reports/{name}/provenance.json` | commit, Python, platform, packages, checksums of tables and pages |
| `{where}/` | {len(tables) - len(truth)} tables, raw (lower-case columns) and analysis (CDISC ADaM, `ad*.csv`) |
{truths if truth else ""}| `{EXECUTED}/` | the notebooks as they ran, with their outputs |
| `reports/expected/` | the published results of all scenarios, which `make verify` compares with |
| the rest | the project itself; begin with `README.md` |

## Check

```sh
sha256sum -c {SUMS}        # every file is as it was packed
make verify                    # everything from nothing, compared with the published results
make report && make trace RESULT=remission.primary      # a number and what led to it
```

Needs Python 3.11 or newer, make and a package index (`requirements.lock` holds every version with its hashes). Unpack
into a folder of its own, outside any git checkout. What may differ on another machine: the last bits of numbers, so
that results agree to 1e-6 relative and counts are equal; pictures by the fonts that are installed.

## Not in this package

{missing}
"""


def packed(files: Mapping[str, bytes], top: str) -> bytes:
    """A zip of files in a folder `top`, with their checksums: the same bytes for the same files."""
    sums = "".join(f"{hashlib.sha256(files[part]).hexdigest()}  {part}\n" for part in sorted(files))
    whole = {**files, SUMS: sums.encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for part in sorted(whole):
            entry = zipfile.ZipInfo(f"{top}/{part}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # made on Unix, whatever this is; a script may be run
            entry.create_system = 3
            entry.external_attr = (0o100755 if whole[part].startswith(b"#!") else 0o100644) << 16
            archive.writestr(entry, whole[part])
    return buffer.getvalue()


def edition(name: str, own: bool = False) -> Edition:
    """The staged report that is packed. Raises Problem."""
    from helpers.build.own_edition import OwnEdition

    found = (OwnEdition if own else Edition)(name, SharedSources(unseal(STAGING / "sources.json")))
    if own:
        found.resolve()
    return found


def build(made: Edition) -> tuple[Path, list[str]]:
    """Make a report's package; gives its path, and the files that stay behind. Raises Problem or OSError."""
    from helpers.build import pages

    refuse_links(REPORTS, TABLES, STAGING)
    recover()
    name = made.name
    files, behind = gather(made)
    say(
        f"packing the report of {name} and {len(files)} files; first its workbook, figures and print, for a minute"
    )
    added, lacks = takeaway.made(made)
    content = {part: path.read_bytes() for part, path in files.items()}
    content |= {f"reports/{name}/{part}": body for part, body in added.items()}
    if not made.head.own:
        # the list of scenarios, to which each page links, with the one that is here
        content["reports/index.html"] = pages.overall_index([(name, about(name))])
    content[FIRST] = first_words(made, content, lacks).encode("utf-8", "replace")
    final = package_of(name)
    staged = STAGING / name / final.name
    write(staged, packed(content, final.stem))
    for path, now in place({final: staged}, STAGING / "packages.json").items():
        say(f"{shown(path)} was not what the build had written; yours is kept as {shown(now)}")
    staged.unlink()
    for words in lacks:
        say(words)
    return final, behind


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 1 where a file could not be written; 2 where there is nothing to pack; 130 stopped."""
    interruptible()
    parser = argparse.ArgumentParser(prog="python -m helpers.build.package", description="Pack a report.")
    parser.add_argument("--scenario", default="base", help="a file in scenarios/, without .yaml")
    parser.add_argument("--set", default="", help='parameters that were changed: "upcr_effect=0.8"')
    parser.add_argument("--data", default="", help="a folder of own data, whose report is packed")
    parser.add_argument("--mapping", default="", help="how its tables are named")
    options = parser.parse_args(arguments)
    options.all = False
    try:
        held = lock()
        (name,) = own_data(options) if options.data else asked(options)
        final, behind = build(edition(name, bool(options.data)))
        held.close()
    except Problem as problem:
        say(str(problem), sys.stderr)
        return 2
    except OSError as error:
        say(f"packing stopped: {explained(error)}", sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("stopped; nothing was packed", sys.stderr)
        return 130
    if behind:
        some = ", ".join(behind[:5]) + (", ..." if len(behind) > 5 else "")
        say(f"not in the package, because git does not track them: {len(behind)} files ({some})")
    say(f"package: {final}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
