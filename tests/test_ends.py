"""Every parameter at both ends of its range goes through tables and chapters, or is refused by its name."""

import subprocess
import sys

import ends
import pytest

from helpers import ROOT
from helpers.study import scenario

PARTS = 8


def tried(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "tests" / "ends.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_each_parameter_at_each_end_breaks_no_table():
    done = tried("tables")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_ends_of_all_parameters_four_at_a_time_break_no_chapter(part):
    done = tried("chapters", f"{part}/{PARTS}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_those_that_once_broke_a_table_break_none(tmp_path, monkeypatch):
    monkeypatch.setattr(scenario, "DATA", tmp_path)
    names = ("gfr_age_slope", "collection_cv", "height_shift", "upcr_drift_sd")
    cases = [{name: value} for name in names for value in ends.ends(name)]
    assert len(cases) == 8
    assert [ends.fault(ends.through_tables, case) for case in cases] == [""] * 8
    assert "no range" in ends.fault(refuse, {}), "a fault is told"


def refuse(changes):
    raise ValueError("no range")
