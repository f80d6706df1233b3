"""Make `.venv` from requirements.lock: `python3 src/helpers/build/environment.py`, by the Makefile's rule.

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


def settings():
    """The environment for pip and uv: their caches and temporary files inside the project."""
    values = dict(os.environ)
    # bytecode is compiled once, below; without it every import costs seconds each time
    for name in (
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "PIP_TARGET",
        "PIP_USER",
    ):
        values.pop(name, None)
    places = {
        "PIP_CACHE_DIR": "pip",
        "UV_CACHE_DIR": "uv",
        "TMPDIR": "tmp",
        "XDG_CACHE_HOME": "xdg",
        "XDG_CONFIG_HOME": "xdg-config",
        "XDG_DATA_HOME": "xdg-data",
        "MPLCONFIGDIR": "matplotlib",
    }
    for name, folder in places.items():
        values[name] = os.path.join(CACHE, folder)
        os.makedirs(values[name], exist_ok=True)
    values["UV_PYTHON_DOWNLOADS"] = "never"
    values["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return values


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
        main()
    except KeyboardInterrupt:
        fail("environment: stopped; run the same command again")
    except OSError as error:
        fail(f"environment: {error.strerror}: {error.filename}")
