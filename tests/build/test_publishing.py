"""Nothing of anybody else's is lost: links, own files, own tables, a build killed between its renames."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers import Problem
from helpers.build import driver, publishing, verify
from helpers.build.publishing import Folder
from helpers.study.files import seal, unseal


@pytest.fixture
def place(moved):
    """A project folder of our own, empty but for what a test puts into it."""
    return moved(publishing)


def staged(place: Path, **files: str) -> dict[str, Path]:
    """Files as the build stages them, by the path where they go."""
    found = {}
    for name, text in files.items():
        path = place / "staged" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        found[f"{name}.html"] = path
    return found


def published(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_is_not_ours_is_carried_over_and_what_is_ours_goes_when_it_is_gone(place):
    folder = Folder(place / "reports/base", "base")
    folder.publish(staged(place, one="1", two="2"))
    (folder.final / "notes.docx").write_text("mine")
    (folder.final / "deep/empty").mkdir(parents=True)
    (folder.final / "out").symlink_to("/nowhere")
    changed, kept = folder.publish(staged(place, one="1, anew"))
    assert published(folder.final) == {"one.html": "1, anew", "notes.docx": "mine"}
    assert (folder.final / "deep/empty").is_dir()
    assert os.readlink(folder.final / "out") == "/nowhere"
    assert changed == [folder.final / "one.html"]
    assert not kept
    assert sorted(p.name for p in (place / "reports").iterdir()) == ["base"]


def test_a_file_of_ours_that_somebody_changed_is_kept_each_time(place):
    folder = Folder(place / "reports/base", "base")
    folder.publish(staged(place, one="1"))
    for words in ("mine", "mine again"):
        (folder.final / "one.html").write_text(words)
        _, kept = folder.publish(staged(place, one="1"))
        assert list(kept) == [folder.final / "one.html"]
    assert published(folder.final) == {
        "one.html": "1",
        "one.kept.html": "mine",
        "one.kept-2.html": "mine again",
    }
    (folder.final / "one.html").write_text("mine, too")
    folder.publish({})
    assert published(folder.final)["one.html"] == "mine, too", "changed since, so no longer ours to remove"


def test_a_folder_that_no_build_made_is_not_touched(place):
    final = place / "data/synthetic/site2"
    final.mkdir(parents=True)
    (final / "one.html").write_text("own children")
    folder = Folder(final, "site2")
    for sign in (None, "another"):
        if sign:
            (final / "scenario.json").write_text(json.dumps({"study": sign}))
        with pytest.raises(Problem, match=r"data/synthetic/site2 holds one\.html that no build made"):
            folder.publish(staged(place, one="simulated"))
        assert published(final)["one.html"] == "own children"
    # a clone without a record knows its own folder by what stands in it; nothing is lost even so
    (final / "scenario.json").write_text(json.dumps({"study": "site2"}))
    folder.publish(staged(place, one="simulated"))
    assert (final / "one.kept.html").read_text() == "own children"


def test_without_a_record_a_blinded_reports_own_files_are_known_by_their_names(place):
    final = place / "reports/own-x-dummy-arms"
    final.mkdir(parents=True)
    (final / "provenance.json").write_text(json.dumps({"scenario": "own-x-dummy-arms"}))
    for name in ("results-dummy-arms.json", "index-dummy-arms.html", "notes.json"):
        (final / name).write_text("before")
    ours = Folder(final, "own-x-dummy-arms").ours()
    assert set(ours) == {"provenance.json", "results-dummy-arms.json", "index-dummy-arms.html"}


@pytest.mark.parametrize("link", ["reports", "reports/base", "reports/base/deep"])
def test_no_link_is_followed(place, tmp_path, link):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.html").write_text("mine")
    path = place / link
    if path.is_dir():
        path.rmdir()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path / "out")
    files = {"deep/thesis.html": staged(place, thesis="1")["thesis.html"]}
    for act in (lambda: Folder(place / "reports/base", "base").publish(files), publishing.clean):
        if act == publishing.clean and link != "reports":
            continue
        with pytest.raises(Problem, match=f"{link} is a link to"):
            act()
    assert published(tmp_path / "out") == {"thesis.html": "mine"}


def test_killed_between_the_renames_nothing_is_lost(place, monkeypatch):
    folder = Folder(place / "reports/base", "base")
    folder.publish(staged(place, one="1", two="2"))
    (folder.final / "notes").write_text("mine")
    right = os.replace

    def killed(source, target):
        if Path(source) == folder.beside:
            raise KeyboardInterrupt
        right(source, target)

    monkeypatch.setattr(publishing.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.publish(staged(place, one="1, anew"))
    assert not folder.final.exists()
    monkeypatch.setattr(publishing.os, "replace", right)
    publishing.recover()
    assert published(folder.final) == {"one.html": "1", "two.html": "2", "notes": "mine"}
    assert not folder.publish(staged(place, one="1, anew"))[1], "what stands there is known as ours"
    assert published(folder.final) == {"one.html": "1, anew", "notes": "mine"}


def test_killed_after_the_renames_what_came_meanwhile_is_carried_over(place):
    folder = Folder(place / "reports/base", "base")
    folder.publish(staged(place, one="1"))
    left = place / "reports/.old/base"
    left.mkdir(parents=True)
    (left / "one.html").write_text("1, before")
    (left / "notes").write_text("mine")
    publishing.recover()
    assert published(place / "reports") == {"base/one.html": "1", "base/notes": "mine"}


def test_a_file_system_without_hard_links(place, monkeypatch):
    def refused(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(publishing.os, "link", refused)
    test_what_is_not_ours_is_carried_over_and_what_is_ours_goes_when_it_is_gone(place)


def test_clean_removes_what_builds_made_and_tells_what_stays(place):
    for name in ("base", "other"):
        Folder(place / "reports" / name, name).publish(staged(place, one="1", two="2"))
        Folder(place / "data/synthetic" / name, name).publish(staged(place, one="1"))
    (place / "reports/other/two.html").write_text("changed")
    (place / "data/synthetic/site2").mkdir()
    (place / "data/synthetic/site2/labs.csv").write_text("own")
    stays = [publishing.shown(path) for path in publishing.clean()]
    assert stays == ["reports/other/two.html", "data/synthetic/site2/labs.csv"]
    assert published(place) == {
        "data/synthetic/base/one.html": "1",
        "data/synthetic/site2/labs.csv": "own",
        "reports/other/two.html": "changed",
        "staged/one": "1",
        "staged/two": "2",
    }


def test_a_record_is_whole_or_none(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(seal({"key": "a", "files": {"x": 1}}))
    assert unseal(path) == {"key": "a", "files": {"x": 1}}
    good = json.loads(path.read_text())
    for wrong in (
        {**good, "content": {"key": "a"}},
        {"content": good["content"]},
        {**good, "content": [1]},
        good["content"],
        [],
    ):
        path.write_text(json.dumps(wrong))
        assert unseal(path) == {}
    path.write_text(seal({"key": "a"})[:-9])
    assert unseal(path) == {}
    assert unseal(tmp_path / "absent") == {}


# ------------------------------------------------------------------ the commands


def test_own_files_and_links_in_the_report_s_folder(miniature, tmp_path):
    notes = miniature.folder / "reports/base/notes.txt"
    notes.write_text("mine")
    assert "nothing has changed" in miniature.build().stdout
    assert notes.read_text() == "mine"

    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("mine")
    (miniature.folder / "reports/base").rename(tmp_path / "before")
    (miniature.folder / "reports/base").symlink_to(tmp_path / "out")
    before = miniature.published()
    done = miniature.build()
    assert done.returncode == 2
    assert done.stderr.startswith("reports/base is a link to")
    assert len(done.stderr.splitlines()) == 1
    assert published(tmp_path / "out") == {"thesis.txt": "mine"}
    assert miniature.published() == before


def test_own_tables_stop_the_build_before_anything_runs(miniature):
    (miniature.folder / "scenarios/site2.yaml").write_text("description: our site.\n")
    own = miniature.folder / "data/synthetic/site2/clinic.csv"
    own.parent.mkdir(parents=True)
    own.write_text("child\nours\n")
    done = miniature.build("--scenario", "site2")
    assert done.returncode == 2
    assert done.stderr.startswith("data/synthetic/site2 holds clinic.csv that no build made")
    assert not done.stdout
    assert own.read_text() == "child\nours\n"


def test_a_changed_table_is_put_back_and_kept(miniature):
    table = miniature.folder / "data/synthetic/base/visits.csv"
    right = table.read_text()
    table.write_text("child\nours\n")
    done = miniature.build()
    assert (
        "data/synthetic/base/visits.csv was not what the build had written; yours is kept as "
        "data/synthetic/base/visits.kept.csv\n"
    ) in done.stdout
    assert table.read_text() == right
    assert table.with_name("visits.kept.csv").read_text() == "child\nours\n"


SLEEPS = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from helpers.build import driver
driver.SIGN_OF_LIFE = 1
sys.exit(driver.main(sys.argv[2:]))
"""


def built(miniature, code: str, *arguments: str) -> subprocess.CompletedProcess:
    notebook = miniature.folder / "notebooks/c-words.ipynb"
    notebook.write_text(notebook.read_text().replace("import random; 1 + 1", code))
    _, values = miniature.command()
    command = [sys.executable, "-c", SLEEPS, str(miniature.folder / "src"), *arguments]
    return subprocess.run(
        command, env=values, cwd=miniature.folder, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_a_cell_that_never_ends_gives_signs_of_life_and_is_ended(miniature):
    done = built(miniature, "import time; time.sleep(600)", "--limit", "4")
    assert done.returncode == 1
    assert "base c-words in cell [2]" in done.stdout
    assert "base  c-words failed in cell [2]" in done.stdout
    assert (
        "TimeoutError: the cell ran for more than 4 seconds; LIMIT=seconds allows another time" in done.stdout
    )
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_endless_message_and_an_endless_line_are_cut(miniature):
    done = built(miniature, "print('x' * 3_000_000, 'ipykernel_1/2.py'); raise ValueError('y' * 5_000_000)")
    assert done.returncode == 1
    assert len(done.stdout) < 10_000
    assert "ValueError: yyy" in done.stdout
    failed = miniature.folder / "reports/failed/base/c-words.html"
    assert failed.stat().st_size < 3_000_000
    assert "characters left out" in failed.read_text()


@pytest.mark.parametrize("spoilt", ["not json", "[]", '{"cells": 3}', '{"cells": [{}]}', "[" * 100_000])
def test_a_notebook_that_is_none_is_named(miniature, spoilt):
    (miniature.folder / "notebooks/c-words.ipynb").write_text(spoilt)
    done = miniature.build()
    assert done.returncode == 1
    assert done.stderr.startswith("notebooks/c-words.ipynb is no notebook that can be read (")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_record_without_a_field_is_no_record(miniature):
    wanted = miniature.published()
    for path in sorted((miniature.folder / ".cache/build").rglob("*.json")):
        if "data" not in path.parts and json.loads(path.read_text()).get("content"):
            content = json.loads(path.read_text())
            content["content"].pop(sorted(content["content"])[0])
            path.write_text(json.dumps(content))
    done = miniature.build()
    assert done.returncode == 0, done.stdout + done.stderr
    assert miniature.published() == wanted


def test_a_missing_package_is_named_with_what_to_do(miniature):
    code = (
        "import sys; sys.modules['papermill'] = None; "
        "from helpers.build.driver import main; sys.exit(main([]))"
    )
    notebook = miniature.folder / "notebooks/c-words.ipynb"
    notebook.write_text(notebook.read_text().replace("1 + 1", "1 + 2"))
    _, values = miniature.command()
    done = subprocess.run([sys.executable, "-c", code], env=values, capture_output=True, text=True)
    assert done.returncode == 1
    assert "papermill" in done.stderr
    assert "rm .venv/.ready" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_closed_output_and_strict_warnings_stop_no_build(miniature):
    notebook = miniature.folder / "notebooks/c-words.ipynb"
    notebook.write_text(notebook.read_text().replace("1 + 1", "1 + 2"))
    _, values = miniature.command(PYTHONWARNINGS="error")
    script = miniature.folder / "src/helpers/build/environment.py"
    run = f"'{sys.executable}' '{script}' run -m helpers.build.driver"
    for command in (f"{run} >&-", f"{run} >&- 2>&- <&-", f"{run} | true", f"{run} > /dev/full"):
        notebook.write_text(notebook.read_text() + "\n")
        done = subprocess.run(
            ["sh", "-c", command], env=values, cwd=miniature.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stderr == "", command
    assert "nothing has changed" in miniature.build().stdout


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux which signals are blocked")
@pytest.mark.parametrize("after", [0, 0.05, 0.3])
def test_a_ctrl_c_while_the_program_is_loaded_is_one_line(miniature, after):
    script = miniature.folder / "src/helpers/build/environment.py"
    _, values = miniature.command()
    running = subprocess.Popen(
        [sys.executable, "-S", "-E", str(script), "run", "-m", "helpers.build.driver", "--set", "alpha=0.06"],
        env=values,
        cwd=miniature.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    status = Path(f"/proc/{running.pid}/status")
    while int(re.search(r"SigBlk:\s*(\w+)", status.read_text())[1], 16) >> (signal.SIGINT - 1) & 1 == 0:
        time.sleep(0.001)
    time.sleep(after)
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=600)
    assert running.returncode == 130
    assert errors.startswith("stopped; ")
    assert len(errors.splitlines()) == 1
    assert "Traceback" not in out


def test_the_build_of_a_killed_verification_ends_too(miniature):
    mark = miniature.folder / "mark"
    notebook = miniature.folder / "notebooks/c-words.ipynb"
    waits = f"import os, time\\nopen('{mark}', 'w').write(str(os.getppid()) + '.')\\ntime.sleep(600)\\n"
    notebook.write_text(notebook.read_text().replace("import random; 1 + 1", waits))
    command, values = miniature.command("--with-parent")
    parent = f"import subprocess, sys; subprocess.run({command!r}); print('left')"
    running = subprocess.Popen([sys.executable, "-c", parent], env=values, cwd=miniature.folder)
    end = time.monotonic() + 600
    while not (mark.exists() and mark.read_text().endswith(".")):
        assert time.monotonic() < end
        time.sleep(0.1)
    driver = int(mark.read_text()[:-1])
    running.kill()
    running.wait()
    while Path(f"/proc/{driver}").exists() and "Z" not in Path(f"/proc/{driver}/stat").read_text().split()[2]:
        assert time.monotonic() < end, "the build goes on without the one who asked for it"
        time.sleep(0.1)


def test_renewing_killed_in_the_middle_loses_no_published_result(place, monkeypatch):
    for module in (verify, publishing):
        monkeypatch.setattr(module, "ROOT", place)
    monkeypatch.setattr(verify, "EXPECTED", place / "reports/expected")
    monkeypatch.setattr(verify, "build", lambda root: None)
    monkeypatch.setattr(verify, "compare", lambda root: [])
    (place / "scenarios").mkdir()
    chapter, key = verify.PICTURE
    for name in ("base", "other"):
        (place / f"scenarios/{name}.yaml").write_text("description: x\n")
        source = place / "reports" / name
        (source / "exhibits" / chapter).mkdir(parents=True)
        (source / "results.json").write_text('{"a": {}}')
        (source / f"exhibits/{chapter}/{key}.png").write_text("png")
        (source / f"exhibits/{chapter}/{key}.csv").write_text("csv")
        (place / "reports/expected" / name).mkdir(parents=True)
        (place / "reports/expected" / name / "results.json").write_text("{}")
        (place / "reports/expected" / name / "notes").write_text("mine")
    (place / "reports/expected/mine").mkdir()
    (place / "reports/expected/mine/notes").write_text("mine")
    right = os.replace

    def killed(source, target):
        if ".new" in str(source) and "expected" in str(source) and Path(source).name == "other":
            raise KeyboardInterrupt
        right(source, target)

    monkeypatch.setattr(publishing.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        verify.renew()
    monkeypatch.setattr(publishing.os, "replace", right)
    publishing.recover()
    assert (place / "reports/expected/other/results.json").read_text() == "{}"
    assert verify.renew() == 0
    assert published(place / "reports/expected") == {
        f"{name}/{part}": text
        for name in ("base", "other")
        for part, text in (
            ("results.json", '{\n "a": {}\n}\n'),
            (f"exhibits/{chapter}/{key}.csv", "csv"),
            ("notes", "mine"),
        )
    } | {"mine/notes": "mine", "remission.png": "png"}


def test_a_ctrl_c_is_never_forgotten_and_waits_for_what_must_be_whole(monkeypatch):
    """Python drops what a destructor raises, and hands a signal that another thread took to this one."""
    monkeypatch.setattr(publishing, "INTERRUPTED", threading.Event())

    with pytest.raises(KeyboardInterrupt):
        publishing.interrupt()
    assert publishing.INTERRUPTED.is_set()
    publishing.INTERRUPTED.clear()
    whole = []

    def interrupted():
        with publishing.uninterrupted():
            publishing.interrupt()
            whole.append("done")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert whole == ["done"]
    monkeypatch.setattr(driver, "INTERRUPTED", publishing.INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        driver.build([], driver.Workshop())


@pytest.mark.parametrize("name", ["REPORTS", "TABLES", "OWN_TABLES", "EXPECTED"])
def test_what_a_killed_build_left_is_not_put_right_behind_a_link(name, moved, tmp_path):
    moved(publishing)
    root = getattr(publishing, name)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".old" / "base").mkdir(parents=True)
    if root.is_dir():
        root.rmdir()
    root.parent.mkdir(parents=True, exist_ok=True)
    root.symlink_to(elsewhere)
    with pytest.raises(Problem, match="is a link"):
        publishing.recover()
    assert (elsewhere / ".old" / "base").is_dir()
