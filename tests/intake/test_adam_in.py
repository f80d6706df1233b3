"""Analysis tables of others come in by three kinds of files, checked by the codebook; a start at chapter 05."""

import json

import pandas as pd
import pyreadstat
import pytest
from pandas.testing import assert_frame_equal

from helpers import DATA, Problem
from helpers.analysis import course
from helpers.intake import adam_in
from helpers.study import tables
from helpers.study.parameters import Parameters


@pytest.fixture(scope="module")
def base():
    return {name: tables.read(name, DATA / "base" / f"{name}.csv") for name in adam_in.NAMES}


def as_csv(frame, path):
    path.with_suffix(".csv").write_text(tables.to_csv(frame), "utf-8")


def as_transport(frame, path):
    out = frame.copy()
    for column in out:
        if pd.api.types.is_datetime64_any_dtype(out[column]):
            out[column] = (out[column] - adam_in.SAS_EPOCH).dt.days.astype(float)
    # names of the transport format have eight characters
    pyreadstat.write_xport(out, str(path.with_suffix(".xpt")), file_format_version=8)


def as_json(frame, path):
    columns = [{"itemOID": c, "name": c, "label": c, "dataType": "string"} for c in frame]
    out = frame.copy()
    for column in out:
        if pd.api.types.is_datetime64_any_dtype(out[column]):
            out[column] = out[column].dt.strftime("%Y-%m-%d")
    rows = out.astype(object).where(out.notna(), None).to_numpy().tolist()
    path.with_suffix(".json").write_text(json.dumps({"columns": columns, "rows": rows}), "utf-8")


@pytest.mark.parametrize("write", [as_csv, as_transport, as_json])
def test_three_kinds_of_files_give_the_same_tables(write, base, tmp_path):
    for name, frame in base.items():
        write(frame, tmp_path / name.upper())
    found = adam_in.read(tmp_path)
    for name, frame in base.items():
        assert_frame_equal(found.tables[name], frame, rtol=1e-12)
    assert found.notes == ()
    assert found.queries.empty


def test_what_can_be_computed_is_and_says_so_and_chapter_05_begins(base, tmp_path):
    for name, frame in base.items():
        drop = {
            "adsl": ["SITEID", "RACE", "SUBJID", "ARM", "TRT01PN"],
            "adlb": ["CHG", "PCHG", "TRT01PN", "PARAM"],
            "adtte": ["LMONTH", "RMONTH", "EVNTDESC"],
        }[name]
        out = frame.drop(columns=drop)
        if name == "adsl":
            out["COUNTRY"] = "=1+1"
        out["TRT01P"] = out["TRT01P"].map({"Placebo": "Control", "hUC-MSC": "Cells"})
        for more in ("ARM", "TRT01A"):
            if more in out:
                out[more] = out[more].map({"Placebo": "Control", "hUC-MSC": "Cells"})
        as_csv(out, tmp_path / name)
    with pytest.raises(Problem, match="TRT01P: found 'Control'"):
        adam_in.read(tmp_path)
    found = adam_in.read(tmp_path, arms={"Control": "Placebo", "Cells": "hUC-MSC"})
    assert [note.split(":")[0] for note in found.notes] == ["ADSL", "ADLB", "ADTTE"]
    assert found.received.set_index("table").loc["adsl", "ignored"] == "COUNTRY"
    # a file holds ten digits, and a change is a difference of two
    for name in ("adsl", "adlb"):
        assert_frame_equal(found.tables[name], base[name], rtol=1e-6, atol=1e-6)
    p = Parameters()
    measure = course.measures(p)["upcr"]
    mine, theirs = (course.tidy(t["adsl"], t["adlb"], measure, p) for t in (found.tables, base))
    assert_frame_equal(mine, theirs, rtol=1e-6, atol=1e-6)


def test_every_fault_of_every_table_is_in_one_message(base, tmp_path):
    as_csv(base["adsl"].drop(columns="TZERODT").assign(AGE="seven"), tmp_path / "adsl")
    as_csv(base["adlb"].assign(ADT="yesterday"), tmp_path / "adlb")
    with pytest.raises(Problem) as caught:
        adam_in.read(tmp_path, arms={"x": "y"})
    told = str(caught.value)
    for words in ("TZERODT", "'seven'", "'yesterday'", "adtte: found none", "'y' is no arm", "and 37 more"):
        assert words in told


def test_tables_that_contradict_themselves_are_refused(base, tmp_path):
    for name, frame in base.items():
        out = frame.copy()
        if name == "adlb":
            out.loc[5, "CHG"] += 1
        as_csv(out, tmp_path / name)
    with pytest.raises(Problem, match="AVAL less BASE"):
        adam_in.read(tmp_path)
