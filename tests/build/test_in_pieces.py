"""Driver, kernels, personalities, verification and publishing piece by piece, without a kernel or a build."""

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from helpers import ROOT, Problem
from helpers.build import account, driver, kernels, personalities, publishing, verify
from helpers.build.heads import SYNTHETIC
from helpers.build.publishing import Folder
from helpers.chapters.contents import CHAPTERS, Chapter
from helpers.study import scenario

TINY = (
    Chapter("a", "A", "A.", writes=("one.csv",)),
    Chapter("b", "B", "B.", reads=("one.csv",), writes=("two.csv",)),
    Chapter("c", "C", "C.", reads=("two.csv",)),
    Chapter("d", "D", "D."),
)

# ------------------------------------------------------------------ driver: what is asked for


def options(**given) -> argparse.Namespace:
    return argparse.Namespace(**{"all": False, "scenario": "base", "set": ""} | given)


@pytest.fixture
def changes(monkeypatch, tmp_path) -> list:
    """The changes for which a folder was derived, one a call."""
    found: list = []
    monkeypatch.setattr(scenario, "derive_folder", lambda name, told: found.append((name, told)) or "base+0")
    monkeypatch.setattr(driver, "TABLES", tmp_path)
    return found


def test_scenarios_are_asked_for_by_name_base_first(changes, tmp_path):
    names = driver.scenarios()
    assert names == ["base", *sorted(p.stem for p in (ROOT / "scenarios").glob("*.yaml") if p.stem != "base")]
    assert driver.asked(options(all=True)) == names
    assert driver.asked(options(scenario="no-effect", set="  ")) == ["no-effect"]
    (tmp_path / "base+0123").mkdir()
    with pytest.raises(Problem, match="does not exist"):
        driver.asked(options(scenario="base+0123"))
    (tmp_path / "base+0123/overrides.json").write_text("{}")
    assert driver.asked(options(scenario="base+0123")) == ["base+0123"]
    for name in ("Base", "base+", "base+xyz", "-base", "other+01"):
        with pytest.raises(Problem, match="unknown scenario"):
            driver.asked(options(scenario=name))
    assert changes == []


def test_settings_are_name_and_value(changes):
    assert driver.asked(options(set="dropout=0.2 gfr_method='U25 mean' upcr_effect=-1")) == ["base+0"]
    assert changes == [("base", {"dropout": 0.2, "gfr_method": "U25 mean", "upcr_effect": -1})]
    for text, said in {
        "dropout": "not of the form name=value",
        "=0.2": "not of the form name=value",
        "dropout=": "not of the form name=value",
        "dropout=1 dropout=2": "dropout is given twice",
        "a='b": "No closing quotation",
        "scenario=base": "chosen by SCENARIO=name",
    }.items():
        with pytest.raises(Problem, match=said):
            driver.asked(options(set=text))
    assert len(changes) == 1


def test_the_seconds_of_a_cell_are_a_whole_number():
    assert driver.seconds("60") == 60
    assert driver.seconds("9999999") == 9999999
    for text in ("0", "-1", "1.5", "", "60s", "10000000", "06"):
        with pytest.raises(argparse.ArgumentTypeError):
            driver.seconds(text)


# ------------------------------------------------------------------ driver: in which order


def test_the_longest_chain_goes_first(monkeypatch):
    monkeypatch.setattr(driver, "CHAPTERS", TINY)
    assert driver.heights() == {"a": 3, "b": 2, "c": 1, "d": 1}


class Stub:
    """An edition that runs nothing."""

    def __init__(self, name="base", ready=("a", "b", "c", "d"), stands=(), rendered=()):
        self.name, self.ready, self.stands, self.has_page = name, ready, stands, rendered
        self.chapters, self.head = TINY, SYNTHETIC
        self.done, self.running, self.cells, self.finished = set(), set(), {}, 0
        self.failed = self.ran = False
        self.put_back, self.kept = [], {}

    def readable(self, chapter):
        return chapter.stem in self.ready

    def standing(self, chapter):
        return ("base", {}) if chapter.stem in self.stands else None

    def executed(self, chapter, standing):
        return standing is not None

    def rendered(self, chapter):
        return chapter.stem in self.has_page

    def finish(self):
        self.finished += 1

    def draft(self, chapter):
        return self.place / "draft.ipynb"


class Bench:
    """A workshop that only notes its jobs."""

    def __init__(self):
        self.jobs, self.prepared, self.at_fault = [], 0, False

    def prepare(self):
        self.prepared += 1

    def do(self, edition, chapter, standing):
        self.jobs.append((edition.name, chapter.stem, standing))


def advanced(monkeypatch, *editions: Stub) -> Bench:
    monkeypatch.setattr(driver, "CHAPTERS", TINY)
    bench = Bench()
    for one in editions:
        driver.advance(one, list(editions), bench, driver.heights())
    return bench


def test_two_chapters_run_at_a_time_the_longest_chain_first(monkeypatch):
    one, other = Stub(), Stub("worse")
    bench = advanced(monkeypatch, one, other)
    assert [job[:2] for job in bench.jobs] == [("base", "a"), ("base", "b")]
    assert one.running == {"a", "b"}
    one.running.remove("a")
    one.done.add("a")
    driver.advance(one, [one, other], bench, driver.heights())
    assert [job[:2] for job in bench.jobs][2:] == [("base", "c")], "what is done or runs is not begun again"


def test_only_what_can_be_read_runs_and_nothing_after_a_failure(monkeypatch):
    assert [job[1] for job in advanced(monkeypatch, Stub(ready=("a", "d"))).jobs] == ["a", "d"]
    failed = Stub()
    failed.failed = True
    assert advanced(monkeypatch, failed).jobs == []


def test_what_stands_is_not_run_and_without_a_kernel_nothing_is_prepared(monkeypatch):
    one = Stub(stands="abcd", rendered="abc")
    bench = advanced(monkeypatch, one)
    assert bench.jobs == [("base", "d", ("base", {}))], "its page is missing"
    assert bench.prepared == 0
    assert (one.done, one.finished) == ({"a", "b", "c"}, 0)
    bench = advanced(monkeypatch, Stub(ready="d"))
    assert bench.prepared == 1


def test_an_edition_is_published_once_when_all_is_done(monkeypatch, capsys):
    one = Stub(stands="abcd", rendered="abcd")
    one.put_back = [ROOT / "data/synthetic/base/labs.csv"]
    one.kept = {ROOT / "reports/a.html": ROOT / "reports/a.kept.html"}
    bench = advanced(monkeypatch, one)
    driver.advance(one, [one], bench, driver.heights())
    assert one.finished == 1
    assert capsys.readouterr().out.splitlines() == [
        "data/synthetic/base/labs.csv was not what the chapters write, and was put back",
        "reports/a.html was not what the build had written; yours is kept as reports/a.kept.html",
    ]
    failed = Stub(stands="abcd", rendered="abcd")
    failed.done, failed.failed = set("abcd"), True
    advanced(monkeypatch, failed)
    assert failed.finished == 0


def test_a_build_hears_of_each_chapter_and_goes_on_without_what_failed(monkeypatch, capsys):
    import queue

    monkeypatch.setattr(driver, "CHAPTERS", TINY)
    one = Stub()
    bench = Bench()
    bench.results = queue.Queue()
    told = {
        "a": ("base", None),
        "b": ("worse", None),
        "c": ("base", OSError(28, "No space", "x")),
        "d": ("base", None),
    }

    def do(edition, chapter, standing):
        maker, error = told[chapter.stem]
        bench.results.put((edition, chapter, maker, 1.25, error))

    bench.do = do
    assert driver.build([one], bench) is False
    assert (one.failed, one.ran, bench.at_fault, one.finished) == (True, True, False, 0)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["base  a                        1.2 s", "base  b                       as in worse"]
    assert lines[2] == "base  c failed: the disk is full (No space): x"
    told["c"] = ("base", None)
    assert driver.build([fine := Stub()], bench) is True
    assert fine.finished == 1
    told["d"] = ("base", kernels.NoKernel("none came up"))
    assert driver.build([Stub()], bench) is False
    assert bench.at_fault


def test_what_the_build_waits_for_in_a_line(monkeypatch):
    monkeypatch.setattr(driver.time, "perf_counter", lambda: driver.STARTED + 61)
    one, other = Stub(), Stub("worse")
    one.running, one.cells = {"b", "a"}, {"b": 3}
    other.running = {"d"}
    assert driver.waiting([one, other]) == "still running after 61 s: base a, base b in cell [3], worse d"


# ------------------------------------------------------------------ driver: what is said


def failure(tmp_path, monkeypatch, error, name="base") -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(driver, "say", lambda text, stream=None: said.extend(text.splitlines()))
    monkeypatch.setattr(driver, "FAILED", ROOT / "reports/failed")
    saved = {}
    monkeypatch.setattr(driver, "keep_failed", saved.update)
    one = Stub(name)
    one.place = tmp_path
    cells = [{"cell_type": "markdown", "id": "w", "metadata": {}, "source": "# So far"}]
    (tmp_path / "draft.ipynb").write_text(json.dumps({"cells": cells}))
    driver.report_failure(one, TINY[0], error)
    if isinstance(error, kernels.CellFailed):
        page = saved[ROOT / f"reports/failed/{name}/a.html"].decode()
        assert "So far" in page
        assert "Failed: A" in page
        assert said.pop() == f"the notebook as far as it came: reports/failed/{name}/a.ipynb"
    else:
        assert not saved
    return said


def test_a_failure_is_told_by_its_last_lines(tmp_path, monkeypatch):
    trace = "\n".join(["", *(f"\x1b[31mline {k}\x1b[0m" for k in range(9)), "ValueError: no luck"])
    said = failure(tmp_path, monkeypatch, kernels.CellFailed(3, "ValueError", "no luck", trace))
    assert said[0] == "base  a failed in cell [3]"
    assert said[1:] == [*(f"    line {k}" for k in range(4, 9)), "    ValueError: no luck"]
    # where the trace does not end with the message, the message follows
    said = failure(tmp_path, monkeypatch, kernels.CellFailed(3, "ValueError", "no luck", "one\ntwo"))
    assert said[1:] == ["    one", "    two", "    ValueError: no luck"]


def test_a_failure_with_endless_lines_is_cut(tmp_path, monkeypatch):
    message = "\n".join(f"row {k}" for k in range(40))
    said = failure(tmp_path, monkeypatch, kernels.CellFailed(1, "ValueError", message, "one"))
    assert said[1:] == [
        *(f"    {line}" for line in ("one", "ValueError: row 0", "row 1", "row 2", "row 3", "row 4")),
        "    ... 29 lines ...",
        *(f"    row {k}" for k in range(34, 40)),
    ]
    assert driver.cut("x" * 300) == "x" * 300
    assert driver.cut("x" * 301) == "x" * 300 + "... (301 characters)"


def test_a_problem_and_a_missing_package_say_what_to_do(tmp_path, monkeypatch):
    said = failure(tmp_path, monkeypatch, kernels.CellFailed(2, "Problem", "labs.csv: row 3", "long trace"))
    assert said == ["base  a failed in cell [2]", "labs.csv: row 3"]
    absent = kernels.CellFailed(2, "ModuleNotFoundError", "No module named 'x'", "trace")
    assert failure(tmp_path, monkeypatch, absent)[-1] == driver.INCOMPLETE
    assert failure(tmp_path, monkeypatch, ImportError("no numpy")) == [
        "base  a failed: ImportError: no numpy",
        driver.INCOMPLETE,
    ]
    assert failure(tmp_path, monkeypatch, Problem("a did not write x"), "worse") == [
        "worse  a failed: a did not write x"
    ]
    assert failure(tmp_path, monkeypatch, KeyError("k")) == ["base  a failed: KeyError: 'k'"]


def test_errors_of_the_system_name_the_place():
    inside = str(ROOT / "reports" / "base")
    for number in (errno.EACCES, errno.EPERM, errno.EROFS):
        text = os.strerror(number)
        assert driver.explained(OSError(number, text, inside + "/x")) == (
            f"can't write in the folder reports/base: {text}"
        )
    assert driver.explained(OSError(errno.EACCES, "denied", "/")) == "can't write in the folder /: denied"
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert driver.explained(OSError(number, "full")) == "the disk is full (full)"
    assert driver.explained(OSError(errno.ENOSPC, "full", inside)) == "the disk is full (full): reports/base"
    assert driver.explained(OSError(errno.ENOENT, "No such", "a", None, "b")) == "No such: b"
    assert driver.explained(OSError("odd")) == "odd"


def test_executed_notebooks_take_the_place_of_those_that_differ(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(driver, "ROOT", tmp_path)
    monkeypatch.setattr(driver, "CHAPTERS", TINY[:2])
    (tmp_path / "notebooks").mkdir()

    def ran(text: str, **about) -> str:
        """An executed notebook as the build writes it."""
        output = nbformat.v4.new_output("display_data", {"text/plain": text}, metadata={"exhibit": about})
        cell = nbformat.v4.new_code_cell("show()", outputs=[output], id="one")
        return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])) + "\n"

    for stem in "ab":
        (tmp_path / f"notebooks/{stem}.ipynb").write_text(ran("old", key="f"))
        now = ran("new" if stem == "b" else "old", key="f", svg="<svg/>")
        (tmp_path / f"{stem}.ipynb").write_text(now)
    driver.put_notebooks(SimpleNamespace(notebook=lambda chapter: tmp_path / f"{chapter.stem}.ipynb"))
    # readers' programs show the picture: the drawing is for pages
    assert (tmp_path / "notebooks/b.ipynb").read_text() == ran("new", key="f")
    assert capsys.readouterr().out == "notebooks/b.ipynb renewed\n"
    monkeypatch.setattr(driver, "CHAPTERS", TINY[:3])
    with pytest.raises(Problem, match=r"notebooks/c\.ipynb is missing: the report has no chapter 'C'"):
        driver.complete_notebooks()


def test_times_are_kept_for_the_benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "CACHE", tmp_path)
    driver.record_times([SimpleNamespace(name="base", seconds={"a": 1.5})])
    told = json.loads((tmp_path / "build.json").read_text())
    assert told["cells"] == {"base": {"a": 1.5}}
    assert told["wall"] > 0


# ------------------------------------------------------------------ kernels


class Process:
    def __init__(self, code=None):
        self.code, self.signals = code, []

    def poll(self):
        return self.code

    def send_signal(self, number):
        self.signals.append(number)

    def kill(self):
        self.signals.append(signal.SIGKILL)


def test_a_cell_that_runs_for_too_long_is_interrupted_then_ended(monkeypatch):
    watch, waits = kernels.Watch(5), []
    monkeypatch.setattr(watch, "wait", lambda seconds, act: waits.append((seconds, act)))
    watch.processes = [Process(), Process()]
    watch.begin()
    assert waits == [(5, watch.late)]
    assert not watch.passed
    watch.late()
    assert watch.passed
    assert [one.signals for one in watch.processes] == [[signal.SIGINT]] * 2
    assert waits[1:] == [(kernels.SECONDS_TO_OBEY, watch.kill)]
    watch.kill()
    assert watch.processes[0].signals == [signal.SIGINT, signal.SIGKILL]
    assert "more than 5 seconds; LIMIT=seconds" in watch.words
    free = kernels.Watch(None)
    free.begin()
    assert free.timer is None


def test_a_timer_ends_with_its_cell():
    watch = kernels.Watch(600)
    watch.begin()
    first = watch.timer
    watch.begin()
    assert first.finished.is_set()
    assert first.daemon
    assert not watch.timer.finished.is_set()
    watch.end()
    assert watch.timer.finished.is_set()


def test_only_kernels_that_still_run_are_ended(monkeypatch):
    alive, gone = Process(), Process(0)
    monkeypatch.setattr(kernels, "running", [alive, gone])
    kernels.end_kernels()
    assert (alive.signals, gone.signals) == ([signal.SIGKILL], [])


@pytest.mark.parametrize("log", [None, "a folder/it's.reads"])
def test_a_kernel_is_started_with_our_variables_its_errors_and_its_log(tmp_path, monkeypatch, log):
    """Sockets by a relative path, no history, and its process known here."""
    import asyncio

    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    asked = []

    async def launch(self, cmd, **kwargs):
        asked.append((cmd, kwargs["env"], kwargs["stderr"].name))
        self.process = "process"
        return {"key": b""}

    async def plain(self, **kwargs):
        return [], kwargs

    monkeypatch.setattr(LocalProvisioner, "launch_kernel", launch)
    monkeypatch.setattr(kernels, "running", [])
    monkeypatch.chdir(tmp_path)
    told = tmp_path / "stderr"
    made = kernels.manager_class({"A": "ours"}, tmp_path / "s", told, log and Path(log))
    one = made()
    assert (one.transport, one.ip) == ("ipc", os.path.join("s", "k"))
    assert made.transport_encryption == "auto"
    monkeypatch.setattr("jupyter_client.AsyncKernelManager._async_pre_start_kernel", plain)
    asyncio.run(one._async_pre_start_kernel())
    asyncio.run(one.provisioner.launch_kernel(["python"], env={"A": "theirs", "B": "b"}))
    ((command, environment, errors),) = asked
    assert environment == {"A": "ours", "B": "b"}
    assert errors == str(told)
    assert command[:2] == ["python", "--HistoryManager.enabled=False"]
    assert len(command) == 2 + bool(log)
    if log:
        assert command[2].startswith("--InteractiveShellApp.exec_lines=__import__('helpers.study.recording'")
        assert repr(log) in command[2]
    assert kernels.running == made.processes == ["process"]
    ports = kernels.manager_class({}, None, told)()
    assert ports.transport == "tcp"


def test_a_notebook_is_made_the_same_each_time():
    import nbformat.v4 as v4

    code = v4.new_code_cell(
        "1", metadata={"papermill": {"a": 1}, "execution": {}, "tags": []}, execution_count=1
    )
    code.outputs = [
        v4.new_output("stream", name="stdout", text="a /tmp/ipykernel_12/345.py:3 b"),
        v4.new_output("stream", name="stdout", text="c\n"),
        v4.new_output("stream", name="stderr", text="d"),
        v4.new_output("stream", name="stdout", text="e"),
    ]
    added = v4.new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]})
    words = v4.new_markdown_cell("# A", metadata={"tags": ["kept"]})
    notebook = v4.new_notebook(
        cells=[added, code, words],
        metadata={"papermill": {}, "language_info": {"name": "python", "version": "3.11"}, "other": 1},
    )
    before = v4.new_notebook(cells=[v4.new_code_cell("1", id="mine"), v4.new_markdown_cell("# A")])
    del before.cells[1]["id"]
    notebook.nbformat_minor = 4
    kernels.normalise(notebook, before)
    assert [cell["id"] for cell in notebook.cells] == ["injected-parameters-00", "mine", "cell-01"]
    assert [output.text for output in notebook.cells[1].outputs] == ["a <cell>:3 bc\n", "d", "e"]
    assert [dict(cell.metadata) for cell in notebook.cells] == [
        {"tags": ["injected-parameters"]},
        {},
        {"tags": ["kept"]},
    ]
    assert notebook.metadata.language_info == {"name": "python"}
    assert sorted(notebook.metadata) == ["kernelspec", "language_info"]
    assert notebook.nbformat_minor == 5


def test_long_texts_lose_their_middle_and_say_so(monkeypatch):
    monkeypatch.setattr(kernels, "LONGEST_TEXT", 10)
    assert kernels.shortened("x" * 10) == "x" * 10
    assert kernels.shortened("abcdef" + "x" * 7 + "uvwxyz") == ("abcde\n... 9 characters left out ...\nvwxyz")


def test_temporary_names_are_replaced_and_others_left():
    assert kernels.plain_paths("/tmp/ipykernel_1/22.py:1: x /tmp/a.py") == "<cell>:1: x /tmp/a.py"
    assert kernels.plain_paths("ipykernel_1/22.txt and/ipykernel_3/4.py!") == "ipykernel_1/22.txt <cell>!"
    assert kernels.plain_paths("plain") == "plain"


def test_the_last_words_of_a_kernel(tmp_path):
    told = tmp_path / "stderr"
    assert kernels._last_line(told) == ""
    told.write_text("")
    assert kernels._last_line(told) == ""
    told.write_text("first\n" + "x" * 300 + "\n\n")
    assert kernels._last_line(told) == "x" * 200


def test_no_socket_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert kernels.sockets_work(tmp_path)
    assert not kernels.sockets_work(tmp_path / "absent")
    place = os.path.join(os.path.relpath(tmp_path), "probe")
    monkeypatch.setattr(kernels, "LONGEST_SOCKET", len(place) + len("-shell-10"))
    (tmp_path / "probe").unlink()
    assert kernels.sockets_work(tmp_path), "just short enough"
    (tmp_path / "probe").unlink()
    monkeypatch.setattr(kernels, "LONGEST_SOCKET", len(place) + len("-shell-10") - 1)
    assert not kernels.sockets_work(tmp_path)
    monkeypatch.undo()
    monkeypatch.delattr(kernels.socket, "AF_UNIX")
    assert not kernels.sockets_work(tmp_path)


def readdressed(parameters: dict):
    import nbformat
    import nbformat.v4 as v4

    given = v4.new_code_cell(
        'scenario = "base"', id="p", metadata={"tags": ["parameters"]}, execution_count=1
    )
    injected = v4.new_code_cell(
        "scenario = 'x'", metadata={"tags": ["injected-parameters"]}, execution_count=2
    )
    empty = v4.new_code_cell("  ", id="e")
    study = v4.new_code_cell("study", id="s", execution_count=3)
    study.outputs = [
        v4.new_output(
            "execute_result", {"text/plain": "x's"}, execution_count=3, metadata={"study": {"dropout": 1}}
        ),
        v4.new_output("display_data", {"text/plain": "stays"}),
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}
    source = v4.new_notebook(cells=[given, empty, study], metadata=spec)
    ran = v4.new_notebook(cells=[given, injected, empty, study], metadata=spec)
    shown = []

    def dressed(changes):
        shown.append(changes)
        return {"text/plain": "ours"}

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.ipynb"
        nbformat.write(source, path)
        text = kernels.readdress(nbformat.writes(ran).encode(), path, parameters, dressed)
    assert text.endswith("}\n")
    assert shown == [{"dropout": 1}]
    return nbformat.reads(text, as_version=4)


def test_another_study_s_notebook_is_counted_and_dressed_as_ours():
    ours = readdressed({"scenario": "worse"})
    assert [cell.execution_count for cell in ours.cells] == [1, 2, None, 3]
    assert 'scenario = "worse"' in ours.cells[1].source
    assert [o.data["text/plain"] for o in ours.cells[3].outputs] == ["ours", "stays"]
    base = readdressed({})
    assert [cell.id for cell in base.cells] == ["p", "e", "s"]
    assert [cell.execution_count for cell in base.cells] == [1, None, 2]
    assert base.cells[2].outputs[0].execution_count == 2


# ------------------------------------------------------------------ personalities


def test_this_machine_can_play_several_processors():
    found = personalities.personalities()
    assert found["plain"] == {}
    assert len({json.dumps(one, sort_keys=True) for one in found.values()}) == len(found) >= 6
    assert found["haswell"] == {"OPENBLAS_CORETYPE": "Haswell"}
    name = personalities.kernel()
    import numpy as np

    wheels = Path(np.__file__).parent.parent / "numpy.libs"
    assert name.isascii()
    assert (name != "unknown") == any("openblas" in path.name for path in wheels.glob("*"))


def test_each_command_s_end_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "Makefile").write_text(
        "test:\n\t@echo one; echo $$OPENBLAS_CORETYPE; echo; env | grep -c ^PYTHONPATH= || true\nverify:\n\t@exit 4\n"
    )
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("MAKEFLAGS", "-n")
    found = personalities.run("zen", tmp_path, {"OPENBLAS_CORETYPE": "Zen"}, ("test", "verify"))
    assert [one[:2] for one in found] == [("zen", "test"), ("zen", "verify")]
    assert found[0][2:] == (0, "0")
    assert found[1][2] != 0
    assert "Zen\n" in capsys.readouterr().out


def main_of_personalities(monkeypatch, *names, code=0):
    asked = []

    def run(name, folder, variables, commands):
        asked.append((name, folder, variables))
        return [(name, command, code, "12 passed") for command in commands]

    monkeypatch.setattr(personalities, "run", run)
    monkeypatch.setattr(personalities, "interruptible", lambda: None)
    monkeypatch.setattr(personalities, "interpreter", lambda name: None)
    monkeypatch.setattr(personalities.subprocess, "check_output", lambda *_, **__: "Haswell\n")
    return personalities.main(list(names)), asked


def test_a_personality_is_run_by_name_and_a_python_that_is_not_here_is_skipped(monkeypatch, capsys):
    other = next(name for name in personalities.PYTHONS if name != f"python3.{sys.version_info[1]}")
    code, asked = main_of_personalities(monkeypatch, "haswell", other)
    assert code == 0
    assert asked == [("haswell", ROOT, {"OPENBLAS_CORETYPE": "Haswell"})]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split() == ["haswell", "Haswell", "test", "passed:", "12", "passed"]
    assert lines[-1].split(maxsplit=1) == [other, "skipped: not on this machine"]
    code, _ = main_of_personalities(monkeypatch, "haswell", code=2)
    assert code == 1
    assert "FAILED (2): 12 passed" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main_of_personalities(monkeypatch, "haswell", "vax")
    _, asked = main_of_personalities(monkeypatch)
    assert [name for name, *_ in asked] == list(personalities.personalities())


# ------------------------------------------------------------------ verification


@pytest.fixture
def place(moved) -> Path:
    return moved(publishing, verify)


def test_results_are_compared_in_order_and_one_sided_ones_named():
    old = {"b": {"k.z": {"value": 1}, "k.a": {"value": 2, "unit": "%"}}, "a": {"x": {"value": 5}}}
    new = {"b": {"k.b": {"value": 3}, "k.a": {"value": 2, "unit": "mg"}}}
    assert [(d.where, d.expected, d.found) for d in verify.compare_results("base", old, new)] == [
        ("base a x", "5", "no such result"),
        ("base b k.a unit", "%", "mg"),
        ("base b k.b", "no such result", "3"),
        ("base b k.z", "1", "no such result"),
    ]
    assert str(verify.Difference("x", "yes", "no")) == "  x: expected yes, found no (differs)"


def test_whole_numbers_are_equal_and_small_ones_near():
    assert not verify.close(True, False)
    assert not verify.close("1", 1)
    assert verify.close(1.0, 1.0 + 1e-7), "not both are whole"
    assert not verify.close(1e7, 1e7 + 1)
    assert verify.close(2.0, 2)
    assert verify.close(1e-10, 5e-10)
    assert not verify.close(1e-10, 2e-9)
    assert not verify.close(None, 0.5)


def test_tables_are_compared_cell_by_cell_ten_at_most():
    old = "a,b\n" + "".join(f"{k},x\n" for k in range(20))
    new = "a,b\n" + "".join(f"{k + 1},x\n" for k in range(20))
    found = verify.compare_tables("t", old, new)
    assert len(found) == 10
    assert str(found[0]) == "  t row 2, column a: expected 0, found 1 (+1)"
    (empty,) = verify.compare_tables("t", "a,b\n1,\n", "a,b\n1,2\n")
    assert (empty.where, empty.expected, empty.found) == ("t row 2, column b", "empty", "2")


def test_folders_are_compared_by_path_tables_only(tmp_path):
    for name, text in {
        "old/a/x.csv": "v\n1\n",
        "new/a/x.csv": "v\n2\n",
        "old/y.csv": "v\n",
        "new/z.csv": "v\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "new/p.png").write_text("no table")
    found = verify.compare_folders("exhibits", tmp_path / "old", tmp_path / "new")
    assert [(d.expected, d.found) for d in found] == [
        ("1", "2"),
        ("a table", "no such table"),
        ("no such table", "a table"),
    ]
    assert "a/x.csv" in found[0].where


def test_the_copy_that_is_verified_has_no_reports_but_the_published(place, monkeypatch, tmp_path):
    monkeypatch.setattr(verify.shutil, "which", lambda name: None)
    for name in (
        "reports/base/index.html",
        "reports/index.html",
        "reports/expected/a.csv",
        ".cache/x",
        "src/a.py",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("x")
    words = verify.committed(tmp_path / "copy")
    assert words == "the files of this folder (it is no git checkout)"
    files = {
        p.relative_to(tmp_path / "copy").as_posix() for p in (tmp_path / "copy").rglob("*") if p.is_file()
    }
    assert files == {"reports/expected/a.csv", "src/a.py"}


def test_a_scenario_without_published_results_and_the_reverse_are_told(place):
    monkey = {name: {"value": 1} for name in ("x",)}
    (place / "scenarios").mkdir()
    (place / "notebooks").mkdir()
    for name in ("base", "new"):
        (place / f"scenarios/{name}.yaml").write_text("")
        (place / "reports" / name).mkdir()
        (place / "reports" / name / "results.json").write_text(json.dumps({"00-plan": monkey}))
    for name in ("base", "gone"):
        (place / "reports/expected" / name).mkdir(parents=True)
        (place / "reports/expected" / name / "results.json").write_text(json.dumps({"00-plan": monkey}))
    for chapter in CHAPTERS:
        (place / f"notebooks/{chapter.stem}.ipynb").write_text('{"cells": []}')
    assert [str(d) for d in verify.compare(place)] == [
        "  new: expected published results, found none in reports/expected (differs)",
        "  gone: expected a scenario, found no such file in scenarios/ (differs)",
        "  notebooks 00-plan x: expected no such result, found 1 (differs)",
    ]


def test_renewing_publishes_each_scenario_and_takes_away_what_is_ours_of_one_that_is_gone(
    place, monkeypatch, capsys
):
    monkeypatch.setattr(verify, "build", lambda root: None)
    odd = [verify.Difference("notebooks a", "1", "2"), verify.Difference("base a", "1", "2")]
    monkeypatch.setattr(verify, "compare", lambda root: odd)
    (place / "scenarios").mkdir()
    (place / "scenarios/base.yaml").write_text("")
    chapter, key = verify.PICTURE
    (place / "reports/base/exhibits" / chapter).mkdir(parents=True)
    (place / "reports/base/results.json").write_text("{}")
    (place / f"reports/base/exhibits/{chapter}/{key}.png").write_text("png")
    (place / f"reports/base/exhibits/{chapter}/{key}.csv").write_text("csv")
    gone = place / "reports/expected/gone"
    (gone / "exhibits").mkdir(parents=True)
    for name in ("results.json", "exhibits/a.csv", "exhibits/own.txt", "own.csv"):
        (gone / name).write_text("x")
    (gone / "exhibits/link.csv").symlink_to(gone / "own.csv")
    assert verify.renew() == 0
    left = {p.relative_to(gone).as_posix() for p in gone.rglob("*") if not p.is_dir()}
    assert left == {"exhibits/own.txt", "exhibits/link.csv", "own.csv"}
    assert (place / "reports/expected/base/results.json").read_text() == "{}"
    assert (place / "reports/expected/remission.png").read_text() == "png"
    assert not (place / f"reports/expected/base/exhibits/{chapter}/{key}.png").exists()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 differences; published results renewed for base"
    assert "  base a: expected 1, found 2 (+1)" in lines
    assert not any("notebooks a" in line for line in lines)


def test_another_machines_last_bits_are_no_renewal(place):
    """What agrees stays as it was published; each named result for itself, each table as a whole."""

    def told(**values):
        return {key: {"digits": 1, "shown": "s", "unit": "%", "value": v} for key, v in values.items()}

    before, now = place / "before.json", place / "now.json"
    stood = {"a": told(x=0.1, y=2.0, gone=1.0), "b": told(z=None)}
    found = {"a": told(new=1.0, x=0.1 + 1e-15, y=2.1), "b": told(z=None)}
    found["b"]["z"]["shown"] = "otherwise"
    before.write_text(json.dumps(stood))
    now.write_text(json.dumps(found))
    anew = json.loads(verify._published_anew(before, now))
    assert anew == {"a": told(new=1.0, x=0.1, y=2.1), "b": found["b"]}
    now.write_text(json.dumps(stood | {"a": told(x=0.1 + 1e-15, y=2.0, gone=1.0)}))
    assert verify._published_anew(before, now) == before.read_text()
    old, new = place / "old.csv", place / "new.csv"
    new.write_text("x,y\n0.1000000000000001,a\n")
    assert verify._published_anew(old, new) == new.read_text(), "there was none"
    old.write_text("x,y\n0.1,a\n")
    assert verify._published_anew(old, new) == old.read_text()
    for other in ("x,y\n0.2,a\n", "x,y\n0.1,b\n", "x,z\n0.1,a\n", "x,y\n"):
        new.write_text(other)
        assert verify._published_anew(old, new) == other


def test_fifty_differences_are_told_and_the_rest_counted():
    found = [verify.Difference(f"d{k}", "1", "2") for k in range(51)]
    lines = account.told(found)
    assert len(lines) == 51
    assert lines[50] == "  ... and 1 more"
    assert len(account.told(found[:50])) == 50
    assert account.Account((), elsewhere=tuple(found)).verdict == "no"


# ------------------------------------------------------------------ publishing


def staged(place: Path, name: str, text: str) -> dict[str, Path]:
    path = place / "staged" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return {name: path}


def test_what_a_killed_build_left_beside_is_not_published(place):
    folder = Folder(place / "reports/base", "base")
    (folder.beside / "deep").mkdir(parents=True)
    (folder.beside / "deep/left.html").write_text("half")
    folder.publish(staged(place, "one.html", "1"))
    assert [p.name for p in folder.final.rglob("*")] == ["one.html"]
    assert not folder.beside.parent.exists()


def test_a_full_disk_leaves_the_folder_as_it_was_and_nothing_beside(place, monkeypatch):
    folder = Folder(place / "reports/base", "base")
    folder.publish(staged(place, "one.html", "1"))
    monkeypatch.setattr(publishing.shutil, "copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        folder.publish(staged(place, "one.html", "2"))
    assert (folder.final / "one.html").read_text() == "1"
    assert not folder.beside.parent.exists()


def test_only_new_files_are_copied_and_the_others_stay_the_same(place):
    folder = Folder(place / "reports/base", "base")
    files = staged(place, "one.html", "1") | staged(place, "two.html", "2")
    folder.publish(files)
    before = {name: (folder.final / name).stat().st_ino for name in files}
    staged(place, "one.html", "1 anew")
    folder.publish(files)
    assert (folder.final / "one.html").read_text() == "1 anew"
    assert (folder.final / "two.html").stat().st_ino == before["two.html"]
    stamp = folder.record.stat().st_mtime_ns
    assert folder.publish(files) == ([], {})
    assert folder.record.stat().st_mtime_ns == stamp


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_what_git_has_need_not_be_kept(place):
    path = place / "data/synthetic/base/labs.csv"
    path.parent.mkdir(parents=True)
    path.write_text("committed\n")
    assert not publishing.committed(path)
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=place, check=True)
    assert publishing.committed(path)
    path.write_text("mine\n")
    assert not publishing.committed(path)
    other = path.with_name("other.csv")
    other.write_text("new\n")
    assert not publishing.committed(other)


def test_names_that_nobody_has(tmp_path):
    path = tmp_path / "labs.csv"
    assert publishing.unused(path).name == "labs.kept.csv"
    (tmp_path / "labs.kept.csv").symlink_to("nowhere")
    assert publishing.unused(path).name == "labs.kept-2.csv"
    (tmp_path / "labs.kept-2.csv").write_text("")
    assert publishing.unused(path).name == "labs.kept-3.csv"
