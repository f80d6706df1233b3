"""`make personalities`: the tests and `make verify` as other processors and Pythons would run them.

One machine can play several: OpenBLAS takes the kernels of an older processor when told to, NumPy leaves its
fast paths out, and linear algebra may use one thread or two. Each gives other last bits. Other Pythons get a
copy of the committed project with an environment of its own; one that is not installed is named as skipped.

    python -m helpers.build.personalities [NAME ...]      all, or the named ones
"""

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

from helpers import ROOT
from helpers.build.publishing import CACHE, interruptible
from helpers.build.verify import committed

COMMANDS = ("test", "verify")
PYTHONS = ("python3.11", "python3.12", "python3.13")


def personalities() -> dict[str, dict[str, str]]:
    """Name and environment variables of each numerical personality of this machine."""
    import numpy as np

    # the features that NumPy was built to use where they are there: on x86 first AVX2 with FMA3, then AVX-512
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    return {
        "plain": {},
        "prescott": {"OPENBLAS_CORETYPE": "Prescott"},
        "haswell": {"OPENBLAS_CORETYPE": "Haswell"},
        "zen": {"OPENBLAS_CORETYPE": "Zen"},
        "no-simd": {"NPY_DISABLE_CPU_FEATURES": " ".join(found), "OPENBLAS_CORETYPE": "Prescott"},
        "two-threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
    }


def kernel() -> str:
    """The processor whose kernels OpenBLAS uses in this process, as it calls it."""
    import numpy as np

    for path in sorted((Path(np.__file__).parent.parent / "numpy.libs").glob("*openblas*")):
        library = ctypes.CDLL(str(path))
        for name in ("scipy_openblas_get_corename64_", "openblas_get_corename"):
            if hasattr(library, name):
                ask = getattr(library, name)
                ask.restype = ctypes.c_char_p
                return ask().decode()
    return "unknown"


def run(name: str, folder: Path, variables: dict[str, str], commands: tuple[str, ...]) -> list[tuple]:
    """Each command's result in a folder: (personality, command, exit code, its last line)."""
    values = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")}
    out = []
    for command in commands:
        print(f"== {name}: make {command}", flush=True)
        done = subprocess.run(
            ["make", command], cwd=folder, env=values | variables, stdout=subprocess.PIPE, text=True
        )
        print(done.stdout, end="", flush=True)
        last = [line for line in done.stdout.splitlines() if line.strip()][-1:] or [""]
        out.append((name, command, done.returncode, last[0]))
    return out


def interpreter(name: str) -> str | None:
    """Path of a Python that answers by that name: on the search path, or kept by pyenv without being chosen.

    pyenv puts a stand-in on the search path for every version that it has; it answers only for the chosen one.
    """
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    version = name.removeprefix("python")
    for path in (shutil.which(name), *sorted(kept.glob(f"{version}*/bin/{name}"))):
        if path is None:
            continue
        ask = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
        answer = subprocess.run([path, "-c", ask], capture_output=True, text=True)
        if answer.stdout.strip() == version:
            return str(path)
    return None


def other_python(name: str, commands: tuple[str, ...]) -> list[tuple]:
    """The same in a copy of the committed project, with an environment made by another Python."""
    path = interpreter(name)
    if path is None:
        return [(name, "", None, "skipped: not on this machine")]
    folder = CACHE / "personalities" / name
    shutil.rmtree(folder, ignore_errors=True)
    committed(folder)
    made = subprocess.run([path, "src/helpers/build/environment.py"], cwd=folder)
    if made.returncode:
        return [(name, "environment", made.returncode, "no environment could be made")]
    return run(name, folder, {}, commands)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 where every command of every personality that is here succeeded, else 1."""
    interruptible()
    ours, here = personalities(), f"python{sys.version_info[0]}.{sys.version_info[1]}"
    others = [name for name in PYTHONS if name != here]
    parser = argparse.ArgumentParser(prog="python -m helpers.build.personalities")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*ours, *others]))
    names = parser.parse_args(arguments).names or [*ours, *others]
    unknown = [name for name in names if name not in ours and name not in others]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join([*ours, *others])}")
    found = []
    for name in names:
        found += run(name, ROOT, ours[name], COMMANDS) if name in ours else other_python(name, COMMANDS)
    print(f"\n{'personality':<14}{'BLAS kernel':<14}{'command':<10}result")
    ask = "from helpers.build.personalities import kernel; print(kernel())"
    for name, command, code, last in found:
        values = os.environ | ours.get(name, {})
        blas = (
            ""
            if name in others
            else subprocess.check_output([sys.executable, "-c", ask], env=values, text=True)
        )
        verdict = "skipped" if code is None else "passed" if code == 0 else f"FAILED ({code})"
        print(f"{name:<14}{blas.strip():<14}{command:<10}{verdict}: {last.removeprefix('skipped: ')}")
    return int(any(code for _, _, code, _ in found))


if __name__ == "__main__":
    sys.exit(main())
