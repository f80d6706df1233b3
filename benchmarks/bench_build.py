"""How long `make report` takes, beside the plain papermill and nbconvert commands, in one run.

Works on a copy of the project in a temporary folder; the environment is this project's. Limits (issue 2):
nothing changed under 0.3 s; from nothing under 20 s, of which overhead (wall time less the longest chain of
time inside cells) under 12 s, on two cores.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers import ROOT
from helpers.chapters.contents import CHAPTERS

COPIED = ("Makefile", "pyproject.toml", "requirements.lock", "notebooks", "scenarios", "src")


def copy_project(folder: Path) -> None:
    spare = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=spare)
        else:
            shutil.copy2(ROOT / name, folder / name)
    shutil.copytree(ROOT / "data/reference", folder / "data/reference")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    fonts = ROOT / ".cache/matplotlib"
    if fonts.is_dir():  # matplotlib's list of fonts comes with the environment
        shutil.copytree(fonts, folder / ".cache/matplotlib")


def timed(command: list[str], folder: Path, **environment: str) -> tuple[float, str]:
    """Seconds and output of a command in a folder; the command must succeed."""
    kept = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=kept | environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def longest_chain(cells: dict[str, float]) -> float:
    """Seconds inside cells along the slowest path through the chapter graph."""
    until: dict[str, float] = {}
    for chapter in CHAPTERS:
        makers = [one for one in CHAPTERS if set(one.writes) & set(chapter.reads)]
        until[chapter.stem] = cells[chapter.stem] + max((until[one.stem] for one in makers), default=0.0)
    return max(until.values())


def edit_last(folder: Path) -> None:
    """Change the source of the last chapter, which nobody reads."""
    path = folder / "notebooks" / f"{CHAPTERS[-1].stem}.ipynb"
    content = json.loads(path.read_text("utf-8"))
    code = next(cell for cell in reversed(content["cells"]) if cell["cell_type"] == "code")
    source = code["source"] if isinstance(code["source"], str) else "".join(code["source"])
    code["source"] = "# edited\n" + source
    path.write_text(json.dumps(content), "utf-8")


def one_by_one(folder: Path) -> float:
    """Seconds of `papermill` and `nbconvert` for each chapter in turn, in a second copy."""
    own = {
        "PYTHONPATH": str(folder / "src"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"),
        "IPYTHONDIR": str(folder / ".ipython"),
    }
    total = 0.0
    for chapter in CHAPTERS:
        source, target = f"{chapter.stem}.ipynb", str(folder / f"{chapter.stem}.ipynb")
        run = [sys.executable, "-m", "papermill", "--no-progress-bar", source, target]
        total += timed(run, folder / "notebooks", **own)[0]
        total += timed([sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", target], folder, **own)[
            0
        ]
    return total


def main() -> None:
    # -o: the environment is there; make must not judge its age by the dates of copied files
    report = ["make", "-s", "-o", ".venv/.ready", "report"]
    with tempfile.TemporaryDirectory() as place:
        folder, other = Path(place, "a"), Path(place, "b")
        for one in (folder, other):
            one.mkdir()
            copy_project(one)
        nothing_built, _ = timed(report, folder)
        cells = json.loads((folder / ".cache/build.json").read_text())["cells"]["base"]
        unchanged = statistics.median(timed(report, folder)[0] for _ in range(5))
        edit_last(folder)
        edited, told = timed(report, folder)
        ran = [chapter.stem for chapter in CHAPTERS if f"base  {chapter.stem} " in told]
        plain = one_by_one(other)
    chain = longest_chain(cells)
    print(f"nothing changed                 {unchanged:6.2f} s   limit 0.30")
    print(f"one chapter edited              {edited:6.2f} s   ran {', '.join(ran)}")
    print(f"from nothing, {len(CHAPTERS)} chapters        {nothing_built:6.2f} s   limit 20")
    print(f"  longest chain inside cells    {chain:6.2f} s")
    print(f"  overhead                      {nothing_built - chain:6.2f} s   limit 12")
    print(f"papermill, nbconvert in turn    {plain:6.2f} s   {plain / nothing_built:.1f} times as long")


if __name__ == "__main__":
    main()
