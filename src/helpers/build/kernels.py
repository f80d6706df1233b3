"""Run one notebook in a kernel of its own, and make its result the same bytes each time.

Kernels talk through sockets in the file system, which no other program can take away, as it can a port. Where
the file system has no sockets they talk over ports. A kernel that does not come up is started again with new
ones; if that fails too, it is the machine that is at fault, and neither the chapter nor its results.

Nothing outlives the build: every kernel is known here, and a kernel ends by itself when its parent is gone.
"""

import errno
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ADDED = {"injected-parameters", "papermill-error-cell-tag"}
"""Tags of the cells that Papermill adds to a notebook."""
STARTS = 3
"""How often a kernel is started before the machine is said to be at fault."""
SECONDS_TO_START = 120
"""A loaded machine takes long to import; only a kernel that never comes up pays this."""
SECONDS_TO_OBEY = 20
"""Between the interruption of a cell that runs for too long and the end of its kernel."""
LONGEST_SOCKET = 100
"""Characters that every system allows in the path of a socket (Linux 107, macOS 103)."""

LONGEST_TEXT = 200_000
"""Characters of one output, or of an error's message, that are kept."""

DRAWN = "ALPORT_DRAWN"
"""The variable that asks figures for drawings beside their pictures: `chapters.kept` says the same."""
WIDGET = "application/vnd.jupyter.widget-view+json"
TEMPORARY = re.compile(r"ipykernel_[0-9]+/[0-9]+\.py")
PASSING = (errno.EADDRINUSE, errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""The operating system's answers that a second try may change."""

running: list[subprocess.Popen] = []
"""The kernels of this process."""


class CellFailed(Exception):
    """A cell raised: `count` its execution count, `name`, `message` and `trace` the error's own."""

    def __init__(self, count: int, name: str, message: str, trace: str):
        super().__init__(message)
        self.count, self.name, self.message, self.trace = count, name, message, trace


class NoKernel(Exception):
    """No kernel came up, however often it was tried: the machine is at fault, not the chapter."""


class Watch:
    """Interrupts a kernel whose cell runs for too long, and ends it where that does not help."""

    def __init__(self, limit: int | None):
        self.limit, self.passed = limit, False
        self.processes: list[subprocess.Popen] = []
        self.timer: threading.Timer | None = None
        self.words = f"the cell ran for more than {limit} seconds; LIMIT=seconds allows another time"

    def begin(self) -> None:
        """A cell begins, and the one before has ended."""
        self.end()
        if self.limit is not None:
            self.wait(self.limit, self.late)

    def wait(self, seconds: int, act: Callable[[], None]) -> None:
        self.timer = threading.Timer(seconds, act)
        self.timer.daemon = True
        self.timer.start()

    def late(self) -> None:
        self.passed = True
        self.wait(SECONDS_TO_OBEY, self.kill)
        for process in self.processes:
            process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        for process in self.processes:
            process.kill()

    def end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()


def end_kernels() -> None:
    """End every kernel of this process that still runs."""
    for process in running:
        if process.poll() is None:
            process.kill()


def sockets_work(folder: Path) -> bool:
    """Whether a socket can be made in a folder, by a path short enough for every system."""
    place = os.path.join(os.path.relpath(folder), "probe")
    if not hasattr(socket, "AF_UNIX") or len(place) + len("-shell-10") > LONGEST_SOCKET:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True


def manager_class(env: dict[str, str], sockets: Path | None, told: Path, log: Path | None = None):
    """A class of kernel managers: kernels with these variables, sockets in a folder, stderr in a file.

    Before its first cell a kernel begins to write into `log`, if any, what it reads (`helpers.study.recording`).

    The sockets' path is relative, so that it is short wherever the project stands: the kernel starts in the
    current folder of this process. Without a folder of sockets kernels talk over ports.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    # by this form no name of ours stands in the notebook's own space
    begin = f"__import__('helpers.study.recording', fromlist=['*']).log_to({str(log)!r})"

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd, **kwargs):
            own = {**kwargs.pop("env", os.environ), **env}
            with open(told, "ab") as errors:
                kwargs |= {"stderr": errors}
                options = ["--HistoryManager.enabled=False"]
                options += [f"--InteractiveShellApp.exec_lines={begin}"] if log else []
                connection = await super().launch_kernel([*cmd, *options], env=own, **kwargs)
            running.append(self.process)
            started.append(self.process)
            return connection

    started: list[subprocess.Popen] = []

    class Manager(AsyncKernelManager):
        # ipykernel warns about encryption on every start unless a choice is made
        transport_encryption = "auto"
        processes = started

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            if sockets is not None:
                self.transport = "ipc"
                self.ip = os.path.join(os.path.relpath(sockets), "k")

        async def _async_pre_start_kernel(self, **kwargs):
            self.provisioner = Provisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
            return await super()._async_pre_start_kernel(**kwargs)

    return Manager


def execute(
    source: Path,
    target: Path,
    parameters: dict,
    env: dict[str, str],
    log: Path | None = None,
    limit: int | None = None,
    at: Callable[[int], None] = lambda count: None,
) -> float:
    """Execute a notebook through Papermill into `target`, normalised; gives the seconds inside its cells.

    `log`, where given, then says what was read (`helpers.study.recording.read_log`). `at` is told the number of
    each code cell when it begins.

    Raises `CellFailed` where a cell raises or runs for more than `limit` seconds; `target` then holds the notebook
    as far as it came. Raises `NoKernel` where no kernel answered. The kernel works in the current folder, with the
    variables `env`.
    """
    import nbformat

    before = nbformat.read(source, as_version=4)
    target.unlink(missing_ok=True)
    failure = _run(source, target, parameters, env, log, limit, at)
    # a kernel that had to be killed leaves no notebook
    notebook = nbformat.read(target if target.is_file() else source, as_version=4)
    seconds = sum(cell.metadata.get("papermill", {}).get("duration") or 0.0 for cell in notebook.cells)
    normalise(notebook, before)
    target.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    if failure is not None:
        raise failure
    return seconds


def _run(
    source: Path,
    target: Path,
    parameters: dict,
    env: dict[str, str],
    log: Path | None,
    limit: int | None,
    at: Callable[[int], None],
) -> CellFailed | None:
    """Run the notebook in the first of `STARTS` kernels that lives; what a cell raised, if one did."""
    import papermill
    import zmq

    count, watch = 0, Watch(limit)

    def begun(cell: Any, cell_index: int) -> None:
        nonlocal count
        if cell.cell_type == "code" and cell.source.strip():
            count += 1
            at(count)
            watch.begin()

    # what goes wrong is said by our own messages
    logging.getLogger("papermill").addHandler(logging.NullHandler())
    why = ""
    for _ in range(STARTS):
        folder = Path(tempfile.mkdtemp(prefix="k", dir=env.get("TMPDIR")))
        told = folder / "stderr"
        sockets = folder if sockets_work(folder) else None
        count = 0
        manager = manager_class(env, sockets, told, log)
        watch.processes = manager.processes
        try:
            papermill.execute_notebook(
                str(source),
                str(target),
                parameters,
                kernel_name="python3",
                progress_bar=False,
                request_save_on_cell_execute=False,
                kernel_manager_class=manager,
                start_timeout=SECONDS_TO_START,
                shutdown_kernel="immediate",
                on_cell_start=begun,
            )
            return None
        except papermill.PapermillExecutionError as error:
            trace = shortened("\n".join(error.traceback))
            if watch.passed:
                return CellFailed(error.exec_count, "TimeoutError", watch.words, trace)
            return CellFailed(error.exec_count, error.ename, shortened(error.evalue), trace)
        except (RuntimeError, zmq.ZMQError, OSError) as error:
            # jupyter_client and nbclient say by a RuntimeError that a kernel died or never answered
            if watch.passed:
                return CellFailed(count, "TimeoutError", watch.words, watch.words)
            if isinstance(error, OSError) and error.errno not in PASSING:
                raise
            why = f"{str(error).rstrip('.')}; {_last_line(told)}".rstrip("; ")
        finally:
            watch.end()
            shutil.rmtree(folder, ignore_errors=True)
    raise NoKernel(f"no kernel lived to the end of the chapter in {STARTS} tries ({why})")


def _last_line(told: Path) -> str:
    lines = told.read_text("utf-8", "replace").strip().splitlines() if told.is_file() else []
    return lines[-1][:200] if lines else ""


def readdress(content: bytes, source: Path, parameters: dict, shown: Callable[[dict], dict]) -> str:
    """An executed notebook as a run of `source` with other `parameters` that change no result would make it.

    Papermill's cell says the parameters, cells are counted with it, and an output that shows the study
    (metadata `study`, the changes it was loaded with) shows `shown(changes)`, its data by type.
    """
    import nbformat
    from papermill.parameterize import parameterize_notebook

    notebook = nbformat.reads(content.decode(), as_version=4)
    notebook.cells = [c for c in notebook.cells if not ADDED.intersection(c.metadata.get("tags", ()))]
    notebook.metadata["papermill"] = {}
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])  # Papermill asks each cell
    if parameters:
        notebook = parameterize_notebook(notebook, parameters)
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
            if "study" in output.get("metadata", {}):
                output.data.update(shown(output.metadata["study"]))
    normalise(notebook, nbformat.read(source, as_version=4))
    return nbformat.writes(notebook) + "\n"


def without_drawings(content: bytes) -> bytes:
    """An executed notebook without the drawings that its pages want: readers' programs show the pictures."""
    import nbformat

    notebook = nbformat.reads(content.decode(), as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).get("exhibit", {}).pop("svg", None)
    return (nbformat.writes(notebook) + "\n").encode()


def normalise(notebook, before) -> None:
    """Take out of an executed notebook, in place, what differs between two runs of the same source.

    Times, durations, Python's version, widgets, random cell ids (a cell keeps the id it had in `before`, if any),
    the kernel's temporary file names, and how output happened to be cut into pieces.
    """
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
        joined, pieces = [], []
        for output in cell.outputs:
            # a widget lives as long as its kernel, under a random name; what stands beside it is for pages
            output.get("data", {}).pop(WIDGET, None)
            if output.output_type == "stream":
                if joined and joined[-1].output_type == "stream" and joined[-1].name == output.name:
                    pieces[-1].append(output.text)
                    continue
            elif output.output_type == "error":
                output.evalue = shortened(output.evalue)
                output.traceback = [shortened(line) for line in output.traceback]
            joined.append(output)
            pieces.append([output.get("text", "")])
        for output, texts in zip(joined, pieces, strict=True):
            if output.output_type == "stream":
                output.text = plain_paths(shortened("".join(texts)))
        cell.outputs = joined


def shortened(text: str) -> str:
    """A text that a page can hold: the middle of a longer one than `LONGEST_TEXT` is left out, and said so."""
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def plain_paths(text: str) -> str:
    """A text with the kernel's temporary file names as `<cell>`, word by word: a long line must cost no more."""
    if "ipykernel_" not in text:
        return text

    def word(match: re.Match) -> str:
        ends = [found.end() for found in TEMPORARY.finditer(match[0])]
        return "<cell>" + match[0][ends[-1] :] if ends else match[0]

    return re.sub(r"\S+", word, text)
