"""The Pythons that `make personalities` finds."""

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
