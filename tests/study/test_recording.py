"""Recording: each parameter that is read is noted, and no other; files are noted however they are opened."""

import copy
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from helpers import ROOT
from helpers.study import recording
from helpers.study.freshness import ALL
from helpers.study.parameters import Parameters
from helpers.study.recording import Reading, recorded
from helpers.study.scenario import load

TARGETS = ROOT / "data" / "reference" / "targets.csv"


def test_what_is_read_is_noted_and_what_a_property_reads_too():
    read = Reading()
    p = recorded(Parameters(), read)
    assert p.dropout == 0.1
    assert p.male_share_x_linked > 0.5
    assert read.parameters == {"dropout", "male_share", "share_x_linked"}


def test_a_copy_notes_what_it_did_not_set():
    read = Reading()
    p = recorded(Parameters(), read).model_copy(update={"dropout": 0.5})
    assert (p.dropout, p.alpha) == (0.5, 0.05)
    again = p.model_copy(update={"alpha": 0.1})
    assert (again.alpha, again.dropout, again.seed) == (0.1, 0.5, 6731192)
    assert read.parameters == {"alpha", "seed"}


@pytest.mark.parametrize(
    "whole",
    [repr, str, list, dict, vars, copy.copy, lambda p: p.model_dump(), lambda p: p.model_dump_json(),
     lambda p: p == Parameters(), lambda p: Parameters() == p, lambda p: p != 1],
)  # fmt: skip
def test_whatever_takes_the_whole_has_read_all(whole):
    read = Reading()
    whole(recorded(Parameters(), read))
    assert ALL in read.parameters or read.parameters >= set(Parameters.model_fields)


def test_who_watches_inside_does_not_hide_from_who_watches_outside():
    outer, inner = Reading(), Reading()
    p = recorded(Parameters(), outer).model_copy(update={"seed": 1})
    q = recorded(p, inner)
    assert q.seed + q.alpha > 0
    assert outer.parameters == {"alpha"}
    assert inner.parameters == {"alpha", "seed"}


def test_the_same_values_and_the_same_type():
    p = recorded(Parameters(seed=3), Reading())
    assert isinstance(p, Parameters)
    assert p == Parameters(seed=3)
    assert p != Parameters()
    assert recording.plain(p) == Parameters(seed=3).model_dump(mode="json")
    assert type(recording.unrecorded(p)) is Parameters


@pytest.mark.parametrize(
    "reader",
    [lambda: TARGETS.read_text(), lambda: pd.read_csv(TARGETS), lambda: os.close(os.open(TARGETS, os.O_RDONLY)),
     lambda: open(os.path.relpath(TARGETS)).close()],
)  # fmt: skip
def test_a_file_is_noted_however_it_is_opened(reader):
    with recording.reading() as read:
        reader()
    assert read.files == {"data/reference/targets.csv"}


def test_a_file_that_is_absent_or_a_folder_that_is_listed_is_noted():
    with recording.reading() as read:
        with pytest.raises(FileNotFoundError):
            (TARGETS.parent / "none.csv").read_text()
        list(TARGETS.parent.glob("r/*.csv"))
    assert {"data/reference/none.csv", "data/reference/r"} <= read.files


def test_what_is_written_is_not_read(tmp_path):
    with recording.reading() as read:
        (tmp_path / "x").write_text("1")
        (tmp_path / "x").read_text()
    assert read == Reading()


PROGRAM = """
import sys
from helpers.study import recording
recording.log_to(sys.argv[1])
from helpers.study.scenario import load
study = load("base", seed=5, dropout=None)
study
repr(study), study._repr_html_(), study.parameters.seed, study.parameters.dropout
open(recording.REFERENCE / "targets.csv").close()
if len(sys.argv) > 2:
    getattr(study, sys.argv[2])
import os
os._exit(9)
"""


@pytest.mark.parametrize("asked", ["", "name", "description", "overrides", "scenario"])
def test_the_log_is_whole_when_the_process_is_ended(tmp_path, asked):
    """The study's own table notes nothing; who asks for its name or description is taken to have read all."""
    log = tmp_path / "log"
    command = [sys.executable, "-c", PROGRAM, str(log), *([asked] if asked else [])]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, check=False)
    assert done.returncode == 9
    read = recording.read_log(log)
    assert read.parameters == {"dropout"} | ({ALL} if asked else set())
    assert read.files == {"data/reference/targets.csv"}


def test_the_table_of_parameters_notes_nothing():
    before = set(recording.process.parameters)
    study = load("strong-effect", dropout=0.2)
    html, told = study._repr_mimebundle_()
    assert "dropout" in html["text/html"]
    assert told == {"study": {"dropout": 0.2}}
    json.dumps(study.resolved())
    assert recording.process.parameters == before


def test_importing_the_project_opens_no_data():
    """Else what a module read at its import would be missed where it had been imported before."""
    program = (
        "import pathlib, importlib; from helpers.study import recording\n"
        "for p in sorted(pathlib.Path('src/helpers').rglob('*.py')):\n"
        "    importlib.import_module('.'.join(p.relative_to('src').with_suffix('').parts))\n"
        "print(recording.process.files | recording.process.tables)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    told = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=environment, text=True)
    assert told.strip() == "set()"
