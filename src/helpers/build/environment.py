"""The project's environment: its variables, in the one table, and `.venv` made from requirements.lock.

    python3 src/helpers/build/environment.py            make .venv, by the Makefile's rule
    .venv/bin/python src/helpers/build/environment.py run ARGUMENT ...
                                                        become this Python with these arguments and the variables

Only the standard library, any Python 3.6 or newer to start with: a Python that is too old looks for a newer
one and hands over. Every download is checked against the hashes of the lock. Nothing is written outside
the project's folder. The stamp `.venv/.ready` comes last, so that a half-made environment is made again.
"""

import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
VENV = os.path.join(ROOT, ".venv")
CACHE = os.path.join(ROOT, ".cache")
LOCK = os.path.join(ROOT, "requirements.lock")
OLDEST = (3, 11)
FOLDERS = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter/config",
    "JUPYTER_DATA_DIR": "jupyter/data",
    "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    "MPLCONFIGDIR": "matplotlib",
    "PIP_CACHE_DIR": "pip",
    "RUFF_CACHE_DIR": "ruff",
    "TMPDIR": "tmp",
    "UV_CACHE_DIR": "uv",
    "XDG_CACHE_HOME": "xdg",
    "XDG_CONFIG_HOME": "xdg-config",
    "XDG_DATA_HOME": "xdg-data",
}
"""Variable: folder below .cache. Nothing outside the project is read or written."""
FIXED = {
    "JUPYTER_PREFER_ENV_PATH": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": os.path.join(ROOT, "src"),
    "UV_PYTHON_DOWNLOADS": "never",
}
UNLESS_GIVEN = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Whoever sets these outside is followed: two chapters run at once, so that one thread each is enough."""
REMOVED = (
    # bytecode is compiled once, when the environment is made; without it every import costs seconds each time
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONWARNINGS",
    "VIRTUAL_ENV",
    # these make pip and uv install elsewhere
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "UV_PROJECT_ENVIRONMENT",
    "UV_SYSTEM_PYTHON",
    "UV_TARGET",
)
NEWER = ("python3.13", "python3.12", "python3.11", "python3.14", "python3", "python")


def fail(text):
    sys.stderr.write(text.rstrip() + "\n")
    sys.exit(1)


def find_python():
    """Path of a Python that is new enough and can make environments; this one first."""
    ask = f"import sys, venv, ensurepip; print(sys.version_info >= {OLDEST!r})"
    for candidate in (sys.executable, *NEWER):
        path = shutil.which(candidate) if candidate else None
        if path:
            answer = subprocess.run(
                [path, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
            )
            if answer.stdout.strip() == b"True":
                return path
    return None


def variables():
    """The variables that everything of this project runs with, and makes their folders."""
    values = {name: os.path.join(CACHE, folder) for name, folder in FOLDERS.items()}
    for folder in values.values():
        os.makedirs(folder, exist_ok=True)
    values.update(FIXED)
    values.update({name: os.environ.get(name, value) for name, value in UNLESS_GIVEN.items()})
    return values


def settings():
    """The whole environment of a process: what was there, without `REMOVED`, and our variables."""
    values = {name: value for name, value in os.environ.items() if name not in REMOVED}
    values.update(variables())
    return values


def run(arguments):
    """Become this Python with these arguments, in the project's environment; does not return."""
    os.execve(sys.executable, [sys.executable, *arguments], settings())


def step(name, command, values, required=True):
    """Run one step in silence; say its name and seconds, or its last lines where it fails."""
    began = time.time()
    done = subprocess.run(
        command, env=values, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode and required:
        last = done.stdout.decode("utf-8", "replace").strip().splitlines()[-8:]
        sys.stderr.write("".join(f"    {line}\n" for line in last))
        fail(
            f"environment: {name} failed. If the lines above speak of a connection, check the network and "
            "run the same command again; nothing half-made will be used."
        )
    print(f"environment  {name:<22}{time.time() - began:6.1f} s")
    sys.stdout.flush()


def uv_requirement():
    """uv's own block of the lock, hashes included."""
    with open(LOCK, encoding="utf-8") as handle:
        block = re.search(r"^uv==.*(?:\n[ \t]+.*)*", handle.read(), re.M)
    if block is None:
        fail("environment: requirements.lock has no line for uv")
    path = os.path.join(CACHE, "uv.txt")
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(block.group(0) + "\n")
    return path


def install_package(python):
    """Put the project's own `src` on the path by its place relative to the environment."""
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([python, "-c", where]).decode().strip()
    relative = os.path.relpath(os.path.join(ROOT, "src"), os.path.realpath(packages))
    with open(os.path.join(packages, "helpers.pth"), "w", encoding="utf-8") as handle:
        handle.write(relative + "\n")
    return packages


def main():
    import fcntl

    base = find_python()
    if base is None:
        fail(
            "environment: Python 3.11 or newer with its venv and ensurepip modules is needed; found "
            f"{sys.version.split()[0]} at {sys.executable}. On Debian: apt install python3-venv"
        )
    os.makedirs(CACHE, exist_ok=True)
    stamp = os.path.join(VENV, ".ready")
    called = time.time()
    with open(os.path.join(CACHE, "environment.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(stamp) and os.path.getmtime(stamp) > called:
            return  # another make has just done it, while this one waited
        values = settings()
        del values["PYTHONPATH"]  # nothing of ours, while the environment is made
        step("python", [base, "-m", "venv", "--clear", VENV], values)
        python = os.path.join(VENV, "bin", "python")
        pip = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        step("uv", [*pip, "-r", uv_requirement()], values)
        uv = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python]
        step("packages", [*uv, "--require-hashes", "-r", LOCK], values)
        packages = install_package(python)
        places = [packages, os.path.join(ROOT, "src")]
        compiled = [python, "-m", "compileall", "-q", "-j2", "-x", r"[\\/]tests?[\\/]", *places]
        # some packages carry templates that are no valid Python: they are simply not compiled
        step("bytecode", compiled, values, required=False)
        step("fonts", [python, "-c", "import matplotlib.font_manager"], values)
        with open(stamp, "w") as handle:
            handle.write("made from requirements.lock\n")


if __name__ == "__main__":
    try:
        if sys.argv[1:2] == ["run"]:
            run(sys.argv[2:])
        main()
    except KeyboardInterrupt:
        fail("environment: stopped; run the same command again")
    except OSError as error:
        fail(f"environment: {error.strerror}: {error.filename}")
