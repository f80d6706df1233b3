"""Kernels: sockets in the file system, other ports where there are none, a second try, and whose fault it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.build import kernels, verify
from helpers.build.driver import MACHINE


def small(folder: Path, code: str = "1 + 1") -> Path:
    import nbformat

    path = folder / "one.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kernels, "running", [])
    return tmp_path


def run(place: Path, code: str = "1 + 1") -> str:
    kernels.execute(small(place, code), place / "out.ipynb", {}, {"TMPDIR": str(place)})
    return (place / "out.ipynb").read_text()


def transports(monkeypatch) -> list:
    seen, right = [], kernels.manager_class

    def watched(*arguments):
        made = right(*arguments)

        class Watched(made):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                seen.append((self.transport, self.ip))

        return Watched

    monkeypatch.setattr(kernels, "manager_class", watched)
    return seen


def test_kernels_talk_through_files_by_a_short_path_wherever_the_project_stands(place, monkeypatch):
    deep = place / ("a long folder name " * 6).strip() / ("and another one " * 6).strip()
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    seen = transports(monkeypatch)
    assert '"2"' in run(deep)
    ((transport, ip),) = seen
    assert transport == "ipc"
    assert not os.path.isabs(ip)
    assert len(ip) < 60
    assert [p.name for p in deep.iterdir() if p.name.startswith("k")] == [], "the sockets stay behind"


def test_ports_serve_where_there_are_no_sockets(place, monkeypatch):
    seen = transports(monkeypatch)
    monkeypatch.setattr(kernels, "sockets_work", lambda folder: False)
    assert '"2"' in run(place)
    assert [transport for transport, _ in seen] == ["tcp"]


def test_a_path_that_is_too_long_gives_no_socket(place):
    deep = place / ("x" * 100)
    deep.mkdir()
    assert kernels.sockets_work(place)
    assert not kernels.sockets_work(deep)


def failing_starts(monkeypatch, times: int) -> list[int]:
    """Papermill that cannot start a kernel so many times, as where another program takes the port."""
    import papermill
    import zmq

    right, tries = papermill.execute_notebook, []

    def execute(*arguments, **options):
        tries.append(1)
        if len(tries) <= times:
            raise (
                RuntimeError("Kernel died before replying to kernel_info")
                if len(tries) % 2
                else zmq.ZMQError(98, "Address already in use")
            )
        return right(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    return tries


def test_a_kernel_that_does_not_come_up_is_started_again(place, monkeypatch):
    tries = failing_starts(monkeypatch, 2)
    assert '"2"' in run(place)
    assert len(tries) == 3


def test_a_kernel_that_never_comes_up_is_the_fault_of_the_machine(place, monkeypatch):
    failing_starts(monkeypatch, 99)
    with pytest.raises(kernels.NoKernel, match=r"in 3 tries \(Kernel died before replying"):
        run(place)


@pytest.mark.slow
def test_a_kernel_that_dies_in_its_chapter_is_told_by_its_last_words(place):
    code = "import os, sys; print('no memory left', file=sys.__stderr__, flush=True); os._exit(1)"
    with pytest.raises(kernels.NoKernel, match="no memory left"):
        run(place, code)
    assert len(kernels.running) == kernels.STARTS


def test_a_disk_that_is_full_is_not_tried_again(place, monkeypatch):
    import papermill

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(papermill, "execute_notebook", full)
    with pytest.raises(OSError, match="No space left"):
        run(place)


# ------------------------------------------------------------------ what the two commands then say

NO_KERNEL = """
import sys
import papermill
def never(*_, **__):
    raise RuntimeError("Kernel didn't respond in 120 seconds")
papermill.execute_notebook = never
from helpers.build.driver import main
sys.exit(main([]))
"""


@pytest.mark.slow
def test_the_build_says_that_the_machine_is_at_fault(miniature):
    notebook = miniature.folder / "notebooks/c-words.ipynb"
    notebook.write_text(notebook.read_text().replace("1 + 1", "1 + 2"))
    _, values = miniature.command()
    done = subprocess.run(
        [sys.executable, "-c", NO_KERNEL], env=values, cwd=miniature.folder, capture_output=True, text=True
    )
    assert done.returncode == MACHINE
    assert "base  c-words failed: no kernel lived to the end of the chapter in 3 tries" in done.stdout
    assert done.stderr == (
        "the report was not changed; free this machine of other work and run the same command again\n"
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (MACHINE, "no kernel came up on this machine, see above; free it of other work and try again"),
        (1, "the build ended with exit code 1, see above"),
    ],
)
def test_what_is_not_the_results_fault_is_never_a_difference(monkeypatch, capsys, code, why):
    monkeypatch.setattr(verify, "committed", lambda target: target.mkdir(parents=True) or "nothing")
    ended = subprocess.CompletedProcess([], code)
    monkeypatch.setattr(verify.subprocess, "run", lambda *_, **__: ended)
    assert verify.main([]) == 3
    assert capsys.readouterr().out.splitlines()[-1] == f"could not be checked: {why}"


def test_a_full_disk_is_no_difference_either(monkeypatch, capsys):
    def full(target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(verify, "committed", full)
    assert verify.main([]) == 3
    assert capsys.readouterr().out.splitlines()[-1].startswith("could not be checked: the disk is full")
