"""The build's promises, each provoked on a copy of the project with three tiny chapters."""

import copy
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from helpers.chapters.contents import CHAPTERS
from helpers.study import settings
from helpers.study.freshness import Sources, digest, notebook_source


def ran(done) -> set[str]:
    """The chapters that a build says it ran."""
    return set(re.findall(r"^\S+  ([abc]-\w+) +\d", done.stdout, re.M))


def stamps(project) -> dict[str, int]:
    folder = project.folder / ".cache/build/base/chapters"
    return {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.ipynb") if "draft" not in path.name}


def edit(project, path: str, old: str, new: str) -> None:
    text = (project.folder / path).read_text()
    assert old in text
    (project.folder / path).write_text(text.replace(old, new))


NEVER = 600
"""Seconds after which something is taken never to happen: a loaded machine may be slow, and no test times it."""


def until(happened) -> None:
    """Wait for what must happen sooner or later."""
    end = time.monotonic() + NEVER
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether a process still runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat") as handle:
            return handle.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ------------------------------------------------------------------ what must run


def test_doing_nothing_runs_no_kernel_and_imports_only_the_standard_library(miniature):
    before, code = (
        stamps(miniature),
        (
            "import sys; from helpers.build.driver import main; main([]); "
            "print(sorted({name.partition('.')[0] for name in sys.modules}))"
        ),
    )
    _, values = miniature.command()
    done = subprocess.run(
        [sys.executable, "-c", code], env=values, capture_output=True, text=True, check=True
    )
    line, modules = done.stdout.splitlines()
    assert line == f"nothing has changed; report: {miniature.folder}/reports/index.html"
    heavy = {"papermill", "nbformat", "jupyter_client", "numpy", "pandas", "yaml", "pydantic", "jinja2"}
    assert not heavy & set(json.loads(modules.replace("'", '"')))
    assert stamps(miniature) == before


def test_an_edited_chapter_runs_with_its_readers_and_nothing_else(miniature):
    edit(miniature, "src/helpers/study/names.py", '"ben"', '"ben", "cat"')
    done = miniature.build()
    assert done.returncode == 0, done.stderr
    assert ran(done) == {"a-clinic", "b-visits"}
    assert (miniature.folder / "data/synthetic/base/visits.csv").read_text() == "CHILD\nANN\nBEN\nCAT\n"

    # other code changes the key of its reader, but not what the next chapter reads; comments are no code
    edit(miniature, "src/helpers/study/names.py", "CHILDREN", "NEVER_USED = 1\nCHILDREN")
    assert ran(miniature.build()) == {"a-clinic"}
    edit(miniature, "src/helpers/study/names.py", "CHILDREN", '"""Names."""\n# who comes\nCHILDREN')
    assert "nothing has changed" in miniature.build().stdout


@pytest.mark.slow
def test_only_pages_are_made_again_where_only_their_look_changed(miniature):
    before = stamps(miniature)
    edit(miniature, "src/helpers/build/templates/style.css", "--ink: #1b1f24", "--ink: #000001")
    assert miniature.build().returncode == 0
    assert stamps(miniature) == before
    assert "--ink: #000001" in (miniature.folder / "reports/base/a-clinic.html").read_text()


def test_a_published_file_that_was_spoilt_or_lost_is_put_right_without_a_kernel(miniature):
    wanted, before = miniature.published(), stamps(miniature)
    (miniature.folder / "reports/base/a-clinic.html").write_text("spoilt")
    (miniature.folder / "data/synthetic/base/visits.csv").unlink()
    (miniature.folder / "reports/index.html").unlink()
    (miniature.folder / "reports/base/old.html").write_text("a page of somebody's")
    assert miniature.build().returncode == 0
    # what was not ours is still there
    wanted["reports/base/a-clinic.kept.html"] = b"spoilt"
    wanted["reports/base/old.html"] = b"a page of somebody's"
    assert miniature.published() == wanted
    assert stamps(miniature) == before


def test_a_staged_table_that_was_edited_is_made_again(miniature):
    wanted = miniature.published()
    (miniature.folder / ".cache/build/base/data/base/clinic.csv").write_text("child\nzoe\n")
    assert ran(miniature.build()) == {"a-clinic"}
    assert miniature.published() == wanted


@pytest.mark.slow
def test_same_bytes_in_another_folder_time_zone_hash_seed_and_with_plain_kernels(built_once, tmp_path):
    other = copy.copy(built_once)
    other.folder = tmp_path / "else where"
    built = shutil.ignore_patterns(".cache", "reports", "synthetic", "__pycache__")
    shutil.copytree(
        built_once.folder,
        other.folder,
        ignore=lambda folder, names: (
            set() if folder.startswith(str(built_once.folder / "src")) else built(folder, names)
        ),
    )
    done = other.build(TZ="Asia/Tokyo", PYTHONHASHSEED="7")
    assert done.returncode == 0, done.stdout + done.stderr
    assert other.published() == built_once.published()
    for stem in stamps(built_once):
        place = f".cache/build/base/chapters/{stem}.ipynb"
        assert (other.folder / place).read_bytes() == (built_once.folder / place).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_changes_no_byte(built_once, tmp_path, workers):
    other = copy.copy(built_once)
    other.folder = tmp_path / "p"
    shutil.copytree(built_once.folder, other.folder, ignore=shutil.ignore_patterns(".cache", "reports"))
    shutil.rmtree(other.folder / "data" / "synthetic")
    command, environment = other.command()
    code = f"from helpers.build import driver; driver.WORKERS = {workers}; raise SystemExit(driver.main([]))"
    done = subprocess.run(
        [command[0], "-c", code],
        env=environment,
        cwd=other.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert other.published() == built_once.published()


# ------------------------------------------------------------------ what goes wrong


def test_a_failing_chapter_leaves_report_and_tables_as_they_were(miniature):
    before = miniature.published()
    edit(miniature, "src/helpers/study/names.py", '"ben"', '"ben", "cat"')
    good = (miniature.folder / "notebooks/b-visits.ipynb").read_text()
    edit(miniature, "notebooks/b-visits.ipynb", "import pandas as pd", "raise ValueError('no such luck')")
    done = miniature.build()
    assert done.returncode == 1
    assert "base  b-visits failed in cell [3]" in done.stdout
    assert "ValueError: no such luck" in done.stdout
    assert "Traceback" not in done.stderr
    failed = {name: text for name, text in miniature.published().items() if "/failed/" in name}
    assert set(failed) == {"reports/failed/base/b-visits.ipynb", "reports/failed/base/b-visits.html"}
    assert {name: text for name, text in miniature.published().items() if name not in failed} == before

    (miniature.folder / "notebooks/b-visits.ipynb").write_text(good)
    again = miniature.build()
    assert again.returncode == 0
    assert ran(again) == {"b-visits"}, "a-clinic had succeeded and need not run again"
    assert set(miniature.published()) == set(before), "the failed notebook is gone"
    assert b"CAT" in miniature.published()["data/synthetic/base/visits.csv"]


def test_messages_of_a_problem_and_of_a_table_that_is_not_written(miniature):
    raised = "from helpers import Problem\\nraise Problem('labs.csv, row 3: unit mg, allowed mg/mg')"
    edit(miniature, "notebooks/c-words.ipynb", "import random; 1 + 1", raised)
    edit(miniature, "notebooks/b-visits.ipynb", "visits.csv", "elsewhere.csv")
    done = miniature.build()
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert (
        told[told.index("base  c-words failed in cell [2]") + 1] == "labs.csv, row 3: unit mg, allowed mg/mg"
    )
    assert "base  b-visits failed: b-visits did not write visits.csv" in told
    assert "Problem" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_stopped_in_the_middle(miniature, number):
    before, mark = miniature.published(), miniature.folder / "mark"
    good = (miniature.folder / "notebooks/b-visits.ipynb").read_text()
    waits = f"import os, time\\nopen('{mark}', 'w').write(str(os.getpid()) + '.')\\ntime.sleep({NEVER})\\n"
    edit(miniature, "notebooks/b-visits.ipynb", "import pandas as pd", waits)
    running = miniature.start()
    until(lambda: mark.exists() and mark.read_text().endswith("."))
    kernel = int(mark.read_text()[:-1])
    running.send_signal(number)
    _, errors = running.communicate(timeout=NEVER)
    if number == signal.SIGINT:
        assert running.returncode == 130
        assert errors.splitlines()[-1].startswith("stopped;")
        assert "Traceback" not in errors
    until(lambda: not alive(kernel))
    assert miniature.published() == before

    (miniature.folder / "notebooks/b-visits.ipynb").write_text(good)
    assert miniature.build().returncode == 0
    assert miniature.published() == before


def limited(project, size: int):
    """A build that can write no file larger than `size` bytes, as on a disk that is full."""
    command, values = project.command()
    return subprocess.run(
        command,
        env=values,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def test_a_disk_that_is_full_while_publishing(miniature):
    wanted = miniature.published()
    for name in ("reports/base/exhibits/b-visits/course.png", "reports/base/a-clinic.html"):
        (miniature.folder / name).unlink()
    left = miniature.published()
    picture = len(wanted["reports/base/exhibits/b-visits/course.png"])
    page = len(wanted["reports/base/a-clinic.html"])
    done = limited(miniature, (picture + page) // 2)
    assert done.returncode == 1
    assert done.stderr.startswith("build stopped: the disk is full")
    assert len(done.stderr.splitlines()) == 1
    assert miniature.published() == left, "the smaller file alone would be half a report"
    assert miniature.build().returncode == 0
    assert miniature.published() == wanted


@pytest.mark.slow
def test_a_disk_that_is_full_while_a_chapter_runs(miniature):
    before = miniature.published()
    edit(miniature, "notebooks/b-visits.ipynb", "week 4", "week 6")
    done = limited(miniature, 5000)
    assert done.returncode == 1
    assert "b-visits failed: the disk is full" in done.stdout
    assert miniature.published() == before
    assert miniature.build().returncode == 0
    assert b"week 6" in miniature.published()["reports/base/exhibits/b-visits/means.csv"]


def test_a_read_only_folder_is_named(miniature):
    reports = miniature.folder / "reports"
    (reports / "index.html").unlink()
    code = "import sys; from helpers.build.driver import main; sys.exit(main([]))"
    if os.geteuid() == 0:
        # permissions don't bind root: the operating system's answer is put in its mouth
        code = "import os; os.access = lambda path, *_: not str(path).endswith('reports'); " + code
    else:
        reports.chmod(0o555)
    _, values = miniature.command()
    done = subprocess.run(
        [sys.executable, "-c", code], env=values, capture_output=True, text=True, check=False
    )
    reports.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr == "build stopped: can't write in the folder reports: permission denied\n"


def test_a_file_where_a_folder_should_be_is_named(miniature):
    for path in sorted((miniature.folder / "reports/base").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (miniature.folder / "reports/base").rmdir()
    (miniature.folder / "reports/base").write_text("in the way")
    done = miniature.build()
    assert done.returncode == 1
    assert done.stderr.startswith("build stopped: ")
    assert "reports/base" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_two_builds_at_once(miniature):
    edit(miniature, "src/helpers/study/names.py", '"ben"', '"ben", "cat"')
    both = [miniature.start(), miniature.start()]
    told = [one.communicate(timeout=NEVER)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("another build is running" in text for text in told) == 1
    assert sum("nothing has changed" in text for text in told) == 1
    assert b"CAT" in miniature.published()["data/synthetic/base/visits.csv"]


# ------------------------------------------------------------------ what is asked for


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "../x"], "unknown scenario '../x'; there are: base,"),
        (["--scenario", "bas"], "unknown scenario 'bas' (did you mean base?); there are: base,"),
        (["--scenario", "base+0123abcd"], "data/synthetic/base+0123abcd/ does not exist"),
        (["--set", "upcr_effect"], "SET='upcr_effect': 'upcr_effect' is not of the form name=value"),
        (["--set", "alpha = 0.05"], "(no space may stand beside the equals sign: alpha=0.05)"),
        (["--set", "no_such_thing=1"], "no_such_thing"),
        (["--set", "alpha=0.05 alpha=0.06"], "alpha is given twice"),
        (["--set", "scenario=high-noise"], "the scenario is chosen by SCENARIO=name"),
    ],
)
def test_what_cannot_be_asked_for(miniature, arguments, said):
    before = miniature.published()
    done = miniature.build(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert miniature.published() == before


def test_a_malformed_scenario_stops_the_build_before_any_kernel(miniature):
    before = miniature.published()
    (miniature.folder / "scenarios/base.yaml").write_text("seed: [1\n")
    done = miniature.build()
    assert done.returncode == 2
    assert "scenarios/base.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    assert not ran(done)
    assert miniature.published() == before


def test_a_missing_notebook_is_one_message(miniature):
    (miniature.folder / "notebooks/c-words.ipynb").unlink()
    done = miniature.build()
    assert done.returncode == 1
    assert done.stderr == "notebooks/c-words.ipynb is missing: the report has no chapter 'Words'\n"


@pytest.mark.slow
def test_changed_parameters_build_beside_the_scenario(miniature):
    before = miniature.published()
    done = miniature.build("--set", "n_randomised=60")
    assert done.returncode == 0, done.stdout + done.stderr
    name = re.search(r"^(base\+[0-9a-f]+)  a-clinic", done.stdout, re.M)[1]
    after = miniature.published()
    told = json.loads(after[f"data/synthetic/{name}/clinic.json"])
    assert told == {"scenario": name}, "Papermill gave the notebook the scenario's name"
    shared = ("reports/index.html", "reports/comparison.html")
    kept = {n: text for n, text in after.items() if name not in n and n not in shared}
    assert kept == {n: text for n, text in before.items() if n not in shared}
    assert f'href="{name}/index.html"' in after["reports/index.html"].decode()
    assert "n_randomised = 60" in after["reports/index.html"].decode()
    assert "nothing has changed" in miniature.build("--scenario", name).stdout


def taken(done) -> dict[str, str]:
    """The chapters that a build took over, and whose they are."""
    return dict(re.findall(r"^\S+  ([abc]-\w+) +as in (\S+)", done.stdout, re.M))


READING = """
from helpers.study.scenario import load
study = load(scenario, upcr_effect=None)
study
"""


@pytest.mark.slow
def test_a_study_takes_over_what_reads_nothing_that_it_changes(miniature, tmp_path):
    """From nothing it gives the same bytes: pages, tables, and the notebooks behind them."""
    miniature.notebook("c-words", "# Words", READING, "study.parameters.dropout")
    assert ran(miniature.build()) == {"c-words"}
    done = miniature.build("--set", "alpha=0.01 upcr_effect=0.8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert taken(done) == {"c-words": "base"}
    name = re.search(r"^(base\+[0-9a-f]+) ", done.stdout, re.M)[1]
    other = copy.copy(miniature)
    other.folder = tmp_path / "from nothing"
    shutil.copytree(
        miniature.folder, other.folder, ignore=shutil.ignore_patterns(".cache", "reports", "synthetic")
    )
    fresh = other.build("--set", "alpha=0.01 upcr_effect=0.8")
    assert not taken(fresh)
    ours = {path: content for path, content in miniature.published().items() if name in path}
    theirs = {path: content for path, content in other.published().items() if name in path}
    assert theirs == ours
    page = ours[f"reports/{name}/c-words.html"].decode()
    assert f"Study <b>{name}</b>" in page
    assert "0.01" in page
    place = f".cache/build/{name}/chapters/c-words.ipynb"
    assert (other.folder / place).read_bytes() == (miniature.folder / place).read_bytes()
    assert "nothing has changed" in miniature.build("--scenario", name).stdout
    # what it has read is its own: test_edition
    record = json.loads((miniature.folder / ".cache/build/base/chapters/c-words.json").read_text())
    assert record["content"]["made_from"]["parameters"] == {"dropout": 0.1}


@pytest.mark.slow
def test_a_scenario_described_otherwise_shows_it_without_running_what_did_not_read_it(miniature):
    miniature.notebook("c-words", "# Words", READING, "study.parameters.dropout")
    miniature.build()
    before = stamps(miniature)
    file = miniature.folder / "scenarios/base.yaml"
    file.write_text("description: Nobody knows <b>why</b>.\n")
    done = miniature.build()
    assert "Nobody knows &lt;b&gt;why" in (miniature.folder / "reports/base/c-words.html").read_text()
    assert "No sound" not in done.stdout
    after = stamps(miniature)
    assert {stem for stem in after if after[stem] != before[stem]} == {"a-clinic", "b-visits", "c-words"}
    file.write_text("description: Nobody knows <b>why</b>.\ndropout: 0.3\n")
    miniature.build()
    told = json.loads((miniature.folder / ".cache/build/base/chapters/c-words.json").read_text())
    assert told["content"]["made_from"]["parameters"] == {"dropout": 0.3}


def test_a_table_that_no_chapter_should_read_is_told(miniature):
    opens = "from helpers import DATA\n(DATA / scenario / 'truth' / 'known.csv').read_text()"
    miniature.notebook("c-words", "# Words", opens)
    done = miniature.build()
    assert done.returncode == 1
    assert "c-words read base/truth/known.csv, which is not among what it reads" in done.stdout


@pytest.mark.slow
def test_reference_data_that_a_chapter_opened_run_it_again(miniature):
    folder = miniature.folder / "data/reference"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.csv").write_text("1")
    opens = "from helpers import ROOT\n(ROOT / 'data' / 'reference' / 'a.csv').read_text()"
    miniature.notebook("c-words", "# Words", opens)
    assert ran(miniature.build()) == {"c-words"}
    (folder / "b.csv").write_text("nobody reads it")
    assert "nothing has changed" in miniature.build().stdout
    (folder / "a.csv").write_text("2")
    assert ran(miniature.build()) == {"c-words"}


@pytest.mark.slow
def test_notebooks_keep_their_outputs_and_their_keys(miniature):
    done = miniature.build("--notebooks")
    assert done.returncode == 0, done.stderr
    renewed = json.loads((miniature.folder / "notebooks/b-visits.ipynb").read_text())
    assert [cell["execution_count"] for cell in renewed["cells"] if cell["cell_type"] == "code"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert "nothing has changed" in miniature.build("--notebooks").stdout


def test_values_on_the_command_line_have_types():
    values = {"7": 7, "-0.5": -0.5, "1e-7": 1e-7, "true": True, "No": False, "schwartz": "schwartz"}
    values |= {"[4, 6]": [4, 6], "[]": [], "007": "007", "1:30": "1:30", "1_000": "1_000", "inf": "inf"}
    values |= {"9" * 5000: "9" * 5000, "[[4]]": ["[4]"]}
    assert {text: settings.given(text) for text in values} == values


# ------------------------------------------------------------------ keys


def test_every_chapter_reads_what_an_earlier_one_writes_and_no_two_write_the_same():
    written: list[str] = []
    for chapter in CHAPTERS:
        assert set(chapter.reads) <= set(written)
        written += chapter.writes
    assert len(written) == len(set(written))


def test_a_key_follows_imports_through_packages_and_from_imports(miniature):
    sources = Sources({})
    found = set(sources.closure(["helpers.build.pages", "helpers.study.scenario"]))
    wanted = {f"study/{name}" for name in ("scenario", "tables", "parameters", "__init__")} | {"build/pages"}
    assert {f"src/helpers/{name}.py" for name in wanted} <= found
    assert "src/helpers/build/driver.py" not in found


def test_outputs_do_not_enter_a_notebook_s_key(built_once):
    fresh = (built_once.folder / "notebooks/b-visits.ipynb").read_bytes()
    executed = (built_once.folder / ".cache/build/base/chapters/b-visits.ipynb").read_bytes()
    assert fresh != executed
    assert notebook_source(fresh) == notebook_source(executed)
    assert digest("a", "bc") != digest("ab", "c")


def test_the_threads_of_a_build_parse_one_at_a_time():
    """Two parsers at once end in a SystemError under Python 3.11."""
    from helpers.build.driver import SharedSources

    inside, most, sources = [], [], SharedSources({})

    def work():
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return []

    threads = [threading.Thread(target=sources._remember, args=(str(k), work)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6
