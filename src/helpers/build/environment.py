"""The project's environment: its variables, in the one table, and `.venv` made from requirements.lock.

    python3 src/helpers/build/environment.py            make .venv, by the Makefile's rule
    .venv/bin/python src/helpers/build/environment.py run ARGUMENT ...
                                                        become this Python with these arguments and the variables

Only the standard library, any Python 3.6 or newer to start with: a Python that is too old looks for a newer
one and hands over. Every download is checked against the hashes of the lock. Nothing is written outside
the project's folder. The stamp `.venv/.ready` comes last, so that a half-made environment is made again.
"""

import _signal  # `signal` itself takes its time
import os
import sys

if __name__ == "__main__":
    # a Ctrl-C from here on ends without a traceback, and what is closed can't be taken by the next file opened
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 until the end of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115

import re
import shutil
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
VENV = os.path.join(ROOT, ".venv")
CACHE = os.path.join(ROOT, ".cache")
LOCK = os.path.join(ROOT, "requirements.lock")
MADE_FROM = (LOCK, os.path.join(ROOT, "pyproject.toml"), os.path.abspath(__file__))
OLDEST = (3, 11)
FOLDERS = {
    "DASK_CONFIG": "dask",
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter/config",
    "JUPYTER_DATA_DIR": "jupyter/data",
    "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    "JOBLIB_TEMP_FOLDER": "joblib",
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
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
    # pandas (2.3) rounds memory that nobody wrote where a number of days is missing, and warns or not by what lay
    # there: that may not come into a notebook's output
    "PYTHONWARNINGS": "ignore:overflow encountered in multiply:RuntimeWarning:numpy._core.fromnumeric",
    "UV_PYTHON_DOWNLOADS": "never",
}
UNLESS_GIVEN = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Whoever sets these outside is followed: two chapters run at once, so that one thread each is enough."""
REMOVED = (
    # bytecode is compiled once, when the environment is made; without it every import costs seconds each time
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "VIRTUAL_ENV",
)
REACHING = re.compile(
    r"PIP_(CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|NO_INDEX|PROXY|RETRIES|"
    r"TIMEOUT|TRUSTED_HOST)|"
    r"UV_(CONCURRENT_\w+|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_TIMEOUT|INDEX|INDEX_\w+|INSECURE_HOST|"
    r"NATIVE_TLS|NO_INDEX|OFFLINE|SYSTEM_CERTS)"
)
"""The settings of pip and uv that say how packages are reached; all others could install elsewhere or otherwise."""
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
    for name in [name for name in values if name.startswith(("PIP_", "UV_"))]:
        if not REACHING.fullmatch(name):
            del values[name]
    values.update(variables())
    return values


def run(arguments):
    """Become this Python with these arguments, in the project's environment; does not return."""
    if arguments[:1] == ["-m"] and arguments[1].startswith("helpers.build."):
        # these let a Ctrl-C through when they are loaded (driver.interruptible)
        _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})
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


def reached(python, values):
    """The variables of pip's own configuration files that say how packages are reached."""
    asked = subprocess.run(
        [python, "-m", "pip", "config", "list"], env=values, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    found = {}
    for line in asked.stdout.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        variable = "PIP_" + name.upper().replace("-", "_")
        if section in ("global", "install") and REACHING.fullmatch(variable):
            found[variable] = value.strip().strip("'").replace("\\n", " ").strip()
    return found


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


def date_today(files):
    """Give files that are dated in the future today's date: they would be newer than the environment for ever."""
    for name in files:
        if os.path.getmtime(name) > time.time():
            os.utime(name, None)


def main():
    import fcntl

    base = find_python()
    if base is None:
        fail(
            "environment: Python 3.11 or newer with its venv and ensurepip modules is needed; found "
            f"{sys.version.split()[0]} at {sys.executable}. On Debian: apt install python3-venv"
        )
    if os.path.islink(VENV):
        # making it anew would clear the folder behind the link, another project's perhaps
        fail(
            f"environment: .venv is a link to {os.readlink(VENV)}, which is not cleared. Remove the link (rm .venv), "
            "then the same command makes an environment here"
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
        # a file of pip's could name another place to install into
        values = dict(reached(python, values), **values)
        values["PIP_CONFIG_FILE"] = os.devnull
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
        # kept in NUMBA_CACHE_DIR; whoever finds them gone compiles them again
        loops = "import helpers.analysis.loops, helpers.estimators.loops, helpers.trial.loops"
        step("compiled loops", [python, "-c", loops], values)
        date_today(MADE_FROM)
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
