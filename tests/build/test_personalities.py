"""The Pythons that `make personalities` finds."""

import subprocess
import sys

from helpers.build import personalities


def answering(path, version):
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {version}\n" if version else "#!/bin/sh\nexit 127\n")
    path.chmod(0o755)
    return str(path)


def test_a_python_that_pyenv_keeps_without_choosing_it_is_found(tmp_path, monkeypatch):
    stand_in = answering(tmp_path / "bin" / "python3.99", None)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert personalities.interpreter("python3.99") is None, f"{stand_in} answers nothing"
    kept = answering(tmp_path / "pyenv/versions/3.99.1/bin/python3.99", "3.99")
    assert personalities.interpreter("python3.99") == kept
    assert personalities.interpreter("python3.98") is None


def test_this_python_answers_by_its_name():
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert personalities.interpreter(name) is not None


def test_another_python_gets_a_copy_before_its_environment_is_made(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(personalities, "CACHE", tmp_path)
    monkeypatch.setattr(personalities, "interpreter", lambda name: "python")
    monkeypatch.setattr(
        personalities, "committed", lambda folder: done.append(folder) or folder.mkdir(parents=True)
    )

    def made(command, cwd):
        done.append(command[1])
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(personalities.subprocess, "run", made)
    left = tmp_path / "personalities" / "python3.99" / "left.txt"
    left.parent.mkdir(parents=True)
    left.write_text("of an earlier run")
    found = personalities.other_python("python3.99", ("test",))
    assert found == [("python3.99", "environment", 1, "no environment could be made")]
    assert done == [left.parent, "src/helpers/build/environment.py"]
    assert not left.exists()
