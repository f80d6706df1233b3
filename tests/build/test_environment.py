"""environment.yml, pyproject.toml and requirements.lock say the same, and the lock can be trusted."""

import json
import os
import re
import subprocess
import sys
import time
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from helpers import ROOT
from helpers.build import environment, lab

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DIRECT = [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()


def blocks() -> list[tuple[Requirement, list[str]]]:
    """The lock's entries: what is required, and its hashes."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    found = []
    for entry in entries:
        text = "\n".join(line for line in entry.splitlines() if not line.lstrip().startswith("#"))
        hashes = re.findall(r"--hash=(\S+)", text)
        found.append((Requirement(re.sub(r"\s*\\?\s*--hash=\S+", "", text).strip(" \\\n")), hashes))
    return found


def test_every_entry_of_the_lock_is_pinned_and_hashed():
    assert len(blocks()) > 50
    for requirement, hashes in blocks():
        assert [one.operator for one in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


def test_every_direct_dependency_is_locked_within_its_range():
    locked: dict[str, list[Version]] = {}
    for requirement, _ in blocks():
        [pin] = requirement.specifier
        locked.setdefault(requirement.name.lower(), []).append(Version(pin.version))
    for wanted in DIRECT:
        versions = locked[re.sub(r"[-_.]+", "-", wanted.name).lower()]
        assert all(version in wanted.specifier for version in versions), wanted


def test_no_host_is_named():
    for text in (LOCK, (ROOT / "environment.yml").read_text(), (ROOT / "pyproject.toml").read_text()):
        assert "://" not in text


def test_conda_gets_the_same_python_and_the_same_lock():
    *plain, pip = CONDA["dependencies"]
    python = next(Requirement(line) for line in plain if line.startswith("python"))
    assert pip == {"pip": ["-r requirements.lock"]}
    assert "pip" in plain
    ours = SpecifierSet(PROJECT["requires-python"])
    for minor in range(8, 16):
        version = Version(f"3.{minor}")
        assert version not in python.specifier or version in ours
    assert all(version in python.specifier for version in ("3.11", "3.12", "3.13"))


def test_the_environment_script_takes_uv_with_its_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CACHE", str(tmp_path))
    with open(environment.uv_requirement()) as handle:
        lines = handle.read().splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", lines[0])
    assert len(lines) > 5
    assert all(line.strip().startswith(("--hash=sha256:", "#")) for line in lines[1:])


def test_the_environment_s_settings_stay_inside_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CACHE", str(tmp_path / "a cache"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    values = environment.settings()
    assert "PYTHONDONTWRITEBYTECODE" not in values
    for name in ("TMPDIR", "PIP_CACHE_DIR", "UV_CACHE_DIR", "XDG_CACHE_HOME"):
        assert values[name].startswith(str(tmp_path))


def test_the_makefile_has_no_table_of_its_own():
    text = (ROOT / "Makefile").read_text()
    assert re.findall(r"^(?:un)?export (\w+)", text, re.M) == [
        "SCENARIO", "SET", "SHARD", "RESULT", "DATA", "MAPPING", "SIGNED_BY", "DATE", "A", "B", "NEED_R",
        "STUDY", "WORKERS", "TRIALS", "SCHEDULER", "LIMIT",
    ]  # fmt: skip
    recipes = re.findall(r"^\t@(.*)$", text, re.M)
    # clean must work without an environment
    assert [line for line in recipes if ".venv/bin/python" in line] == [
        'python=.venv/bin/python; [ -x "$$python" ] || python=python3.11; \\'
    ]
    assert re.search(
        r"^RUN := exec \.venv/bin/python -S -E src/helpers/build/environment\.py run$", text, re.M
    )


def became(folder, *arguments: str, **given: str) -> dict[str, str]:
    """The environment of what `environment.py run` becomes, in a copy of it below a folder."""
    script = folder / "src/helpers/build/environment.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes((ROOT / "src/helpers/build/environment.py").read_bytes())
    ask = "import json, os; print(json.dumps({**os.environ, 'pid': str(os.getpid())}))"
    values = {"PATH": os.environ["PATH"], **given}
    running = subprocess.Popen(
        [sys.executable, str(script), "run", "-c", ask], env=values, stdout=subprocess.PIPE, text=True
    )
    found = json.loads(running.communicate()[0])
    assert found.pop("pid") == str(running.pid), "it became the program, and did not start another"
    return found


def test_an_environment_behind_a_link_is_not_cleared(tmp_path):
    """A clone whose .venv is a link to another's would empty that one."""
    project, other = tmp_path / "a clone", tmp_path / "another's"
    script = project / "src/helpers/build/environment.py"
    script.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "src/helpers/build/environment.py").read_bytes())
    other.mkdir()
    (other / "a package").write_text("kept")
    (project / ".venv").symlink_to(other)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode != 0
    assert ".venv is a link to" in done.stderr
    assert [path.name for path in other.iterdir()] == ["a package"]


def test_everything_runs_with_the_table_and_what_was_given(tmp_path):
    found = became(tmp_path / "a b", PYTHONDONTWRITEBYTECODE="1", PIP_PREFIX="/x", HOME="/home/x")
    assert not {"PYTHONDONTWRITEBYTECODE", "PIP_PREFIX"} & set(found)
    assert found["HOME"] == "/home/x"
    assert (found["OMP_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("1", "1")
    assert found["PYTHONPATH"] == str(tmp_path / "a b" / "src")
    for name, folder in environment.FOLDERS.items():
        assert found[name] == str(tmp_path / "a b" / ".cache" / folder)
        assert os.path.isdir(found[name])


def test_threads_that_are_asked_for_outside_are_given(tmp_path):
    found = became(tmp_path, OPENBLAS_NUM_THREADS="2", OMP_NUM_THREADS="3")
    assert (found["OPENBLAS_NUM_THREADS"], found["OMP_NUM_THREADS"]) == ("2", "3")


def test_a_failing_step_is_its_last_lines_and_one_message(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(environment, "CACHE", str(tmp_path))
    code = "print('long story'); import sys; sys.exit('no route to host')"
    with pytest.raises(SystemExit) as stopped:
        environment.step("packages", [sys.executable, "-c", code], environment.settings())
    assert stopped.value.code == 1
    said = capfd.readouterr().err
    assert "no route to host" in said
    assert "environment: packages failed" in said


def test_the_package_is_found_by_a_relative_path():
    """A moved folder still finds its own source."""
    places = subprocess.check_output(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    with open(f"{places}/helpers.pth") as handle:
        assert handle.read().strip() == "../../../../src"


def test_make_help_lists_every_word_with_a_sentence():
    text = (ROOT / "Makefile").read_text()
    listed = subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True)
    phony = re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split()
    for word in phony:
        assert re.search(rf"^  {word} +\S+", listed, re.M), word


def test_only_what_says_how_packages_are_reached_is_taken_from_pip_s_and_uv_s_settings(tmp_path):
    elsewhere = (
        "PIP_PREFIX",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_DRY_RUN",
        "PIP_NO_DEPS",
        "PIP_CONSTRAINT",
        "UV_PREFIX",
        "UV_TARGET",
    )
    reaching = (
        "PIP_INDEX_URL",
        "PIP_CERT",
        "PIP_TRUSTED_HOST",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_MIRROR_PASSWORD",
    )
    found = became(tmp_path, **dict.fromkeys((*elsewhere, *reaching), "x"))
    assert not set(elsewhere) & set(found)
    assert {found[name] for name in reaching} == {"x"}


def test_of_pip_s_files_only_how_packages_are_reached_is_taken(tmp_path):
    said = "global.index-url='there'\nglobal.trusted-host='a\\nb'\ninstall.prefix='/x'\nfreeze.timeout='10'\n"
    pip = tmp_path / "python"
    pip.write_text(f"#!/bin/sh\nprintf '%s' \"{said}\"\n")
    pip.chmod(0o755)
    assert environment.reached(str(pip), dict(os.environ)) == {
        "PIP_INDEX_URL": "there",
        "PIP_TRUSTED_HOST": "a b",
    }


def test_a_file_dated_in_the_future_is_dated_today(tmp_path):
    for days in (-1, 4000):
        path = tmp_path / "lock"
        path.write_text("")
        moment = time.time() + days * 86400
        os.utime(path, (moment, moment))
        environment.date_today([str(path)])
        assert path.stat().st_mtime <= time.time()
        assert (path.stat().st_mtime == pytest.approx(moment)) == (days < 0)


def test_jupyterlab_starts_as_a_module_wherever_the_clone_was_moved_and_takes_options():
    text = (ROOT / "Makefile").read_text()
    assert re.search(r"^\t@\$\(RUN\) -m helpers.build.lab \$\(LAB\)$", text, re.M)
    plain = lab.command(["--port=9"], root=False)
    assert plain[:3] == [sys.executable, "-m", "jupyterlab"]
    assert plain[-1] == "--port=9"
    assert "--allow-root" not in plain
    assert "--allow-root" in lab.command([], root=True)
    assert (ROOT / lab.START).is_file()
    assert "jupyter lab" not in text
    assert "LAB=" in subprocess.check_output(["make", "-s", "help"], cwd=ROOT, text=True)
