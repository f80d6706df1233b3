"""Run one notebook in a kernel of its own, and make its result the same bytes each time.

Importing pandas, seaborn and lifelines takes longer than most chapters. So on Linux one *nursery* process
(this file, run as a script) imports the third-party libraries once, and each kernel is a fork of it that
has run nothing yet: kernels share no state, and none of the project's own modules. Elsewhere, or where
the nursery fails, kernels start in the ordinary way and give the same results.

Nothing outlives the build: the nursery ends when its socket closes, and its kernels end with it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

PRELOADED = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "IPython.core.interactiveshell",
    "matplotlib.pyplot",
    "matplotlib_inline.backend_inline",
    "yaml",
    "pydantic",
    "scipy.stats",
    "seaborn",
    "lifelines",
    "pandera.pandas",
)
ADDED = {"injected-parameters", "papermill-error-cell-tag"}
"""Tags of the cells that Papermill adds to a notebook."""
LAUNCH = ["--HistoryManager.enabled=False"]


# ------------------------------------------------------------------ the nursery: a process of its own


def _die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends (prctl 1 = PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _become_kernel(order: dict) -> None:
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["ipykernel_launcher", *order["argv"]]
    sys.path[:] = [place for place in sys.path if place]

    from ipykernel.kernelapp import IPKernelApp
    from matplotlib_inline.backend_inline import _enable_matplotlib_integration

    kernel = IPKernelApp.instance(parent_handle=os.getppid())
    kernel.initialize(order["argv"])
    # Loading the backend does this in an ordinary kernel; here it was loaded before there was a shell.
    _enable_matplotlib_integration()
    kernel.start()


def nurse() -> None:
    """Import the libraries, then fork one kernel for each order that comes through the socket."""
    _die_with_parent(int(sys.argv[1]))
    wire = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    for name in PRELOADED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = wire.makefile("r")
    nursery = os.getpid()
    wire.sendall(b"ready\n")
    for line in orders:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            _die_with_parent(nursery)
            orders.close()
            wire.close()
            _become_kernel(json.loads(line))
            return
        wire.sendall(f"{pid}\n".encode())


# ------------------------------------------------------------------ its other end, in the build


class Nursery:
    """The build's end of the nursery: starts at once, imports in the background."""

    def __init__(self):
        import threading

        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                # -P: the folder of this file holds modules whose names may be those of libraries
                [sys.executable, "-P", str(Path(__file__).resolve()), str(os.getpid())],
                stdin=theirs,
                start_new_session=True,
            )
        self.wire, self.answers, self.lock, self.ready = ours, ours.makefile("r"), threading.Lock(), None

    @classmethod
    def start(cls) -> "Nursery | None":
        """A nursery, or None where there can be none: not Linux, or `ALPORT_PLAIN_KERNELS` is set."""
        if not sys.platform.startswith("linux") or os.environ.get("ALPORT_PLAIN_KERNELS"):
            return None
        try:
            return cls()
        except OSError:
            return None

    def fork(self, argv: list[str], env: dict, cwd: str) -> int | None:
        """The process id of a new kernel; None where the nursery has failed. Waits until it is ready."""
        with self.lock:
            try:
                if self.ready is None:
                    self.ready = self.answers.readline() == "ready\n"
                if not self.ready:
                    return None
                self.wire.sendall((json.dumps({"argv": argv, "env": env, "cwd": cwd}) + "\n").encode())
                return int(self.answers.readline())
            except (OSError, ValueError):
                self.ready = False
                return None

    def close(self) -> None:
        """End the nursery and, with it, any kernel that is still there."""
        self.process.kill()
        self.process.wait()
        self.wire.close()


class Forked:
    """As much of `subprocess.Popen` as jupyter_client asks of a kernel that is not our own child."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self.handle = os.pidfd_open(pid)
        self.returncode = None

    def poll(self):
        import select

        if self.returncode is None and select.select([self.handle], [], [], 0)[0]:
            self.returncode = 0
            os.close(self.handle)
        return self.returncode

    def wait(self, timeout=None):
        import select

        if self.returncode is None and not select.select([self.handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernel", timeout)
        return self.poll()

    def send_signal(self, number):
        if self.poll() is None:
            signal.pidfd_send_signal(self.handle, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


ordinary: list[subprocess.Popen] = []
"""Kernels that were started without the nursery."""


def end_kernels(nursery: Nursery | None) -> None:
    """End the nursery and every kernel of this build that still runs."""
    for process in ordinary:
        if process.poll() is None:
            process.kill()
    if nursery is not None:
        nursery.close()


def manager_class(nursery: Nursery | None, env: dict[str, str]):
    """A class of kernel managers whose kernels are forks of the nursery, with this environment."""
    from jupyter_client import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd, **kwargs):
            own = {**kwargs.pop("env", os.environ), **env}
            forked = None
            if nursery is not None:
                argv = cmd[cmd.index("ipykernel_launcher") + 1 :]
                forked = nursery.fork([*argv, *LAUNCH], own, os.getcwd())
            if forked is None:
                connection = await super().launch_kernel([*cmd, *LAUNCH], env=own, **kwargs)
                ordinary.append(self.process)
                return connection
            self.process = Forked(forked)
            self.pid = self.pgid = forked
            self.cwd = os.getcwd()
            return self.connection_info

    class Manager(AsyncKernelManager):
        # ipykernel warns about encryption on every start unless a choice is made
        transport_encryption = "auto"

        async def _async_pre_start_kernel(self, **kwargs):
            self.provisioner = Provisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
            return await super()._async_pre_start_kernel(**kwargs)

    return Manager


# ------------------------------------------------------------------ one notebook


class CellFailed(Exception):
    """A cell raised: `count` its execution count, `name`, `message` and `trace` the error's own."""

    def __init__(self, count: int, name: str, message: str, trace: str):
        super().__init__(message)
        self.count, self.name, self.message, self.trace = count, name, message, trace


def execute(source: Path, target: Path, parameters: dict, manager) -> float:
    """Execute a notebook through Papermill into `target`, normalised; gives the seconds inside its cells.

    Raises `CellFailed` where a cell raises; `target` then holds the notebook as far as it came. The kernel
    works in the current folder.
    """
    import nbformat
    import papermill

    before = nbformat.read(source, as_version=4)
    failure = None
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            kernel_manager_class=manager,
            kernel_info_timeout=60,
            shutdown_kernel="immediate",
        )
    except papermill.PapermillExecutionError as error:
        failure = CellFailed(error.exec_count, error.ename, error.evalue, "\n".join(error.traceback))
    notebook = nbformat.read(target, as_version=4)
    seconds = sum(cell.metadata.get("papermill", {}).get("duration") or 0.0 for cell in notebook.cells)
    normalise(notebook, before)
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    if failure is not None:
        raise failure
    return seconds


def normalise(notebook, before) -> None:
    """Take out of an executed notebook, in place, what differs between two runs of the same source.

    Times, durations, Python's version, random cell ids (a cell keeps the id it had in `before`, if any),
    the kernel's temporary file names, and how output happened to be cut into pieces.
    """
    import re

    ids = iter([cell.get("id") or f"cell-{position:02d}" for position, cell in enumerate(before.cells)])
    spec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    language = dict(notebook.metadata.get("language_info", {"name": "python"}))
    language.pop("version", None)
    notebook.metadata.clear()
    notebook.metadata.update(kernelspec=spec, language_info=language)
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    for position, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        added = ADDED.intersection(cell.metadata.get("tags", ()))
        cell["id"] = f"{min(added)}-{position:02d}" if added else next(ids)
        if cell.cell_type != "code":
            continue
        joined = []
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = re.sub(r"\S*ipykernel_\d+/\d+\.py", "<cell>", output.text)
                if joined and joined[-1].output_type == "stream" and joined[-1].name == output.name:
                    joined[-1].text += output.text
                    continue
            joined.append(output)
        cell.outputs = joined


if __name__ == "__main__":
    nurse()
