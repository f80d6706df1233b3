"""The R scripts: what they are told, how answers are read and compared; and, where there is an R, what they answer."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import adam, remission, time_to_remission
from helpers.chapters import programmed_twice as twice
from helpers.estimators import proportions
from helpers.study.parameters import Parameters
from helpers.study.scenario import load

STEMS = ("04-analysis-data", "10-safety", "05-longitudinal", "06-remission", "07-time-to-remission")
SOME = {stem: {"results": {"a.b": {"value": 1, "unit": ""}}, "stated": []} for stem in STEMS}
RSCRIPT = shutil.which("Rscript")
needs_r = pytest.mark.skipif(RSCRIPT is None, reason="there is no Rscript on this machine")


def of(stem: str, records=SOME) -> str:
    (found,) = [one for one in twice.scripts("base", "../tables", records, {}) if one.stem == stem]
    return found.text


def test_a_chapter_with_results_and_a_script_has_one_in_the_order_of_the_chapters():
    assert [one.stem for one in twice.scripts("base", "t", SOME, {})] == list(STEMS)
    assert [one.stem for one in twice.scripts("base", "t", {"06-remission": SOME["06-remission"]}, {})] == [
        "06-remission"
    ]
    assert twice.scripts("base", "t", {"06-remission": {"results": {}}}, {}) == []


@pytest.mark.parametrize("stem", STEMS)
def test_a_script_stands_alone_says_what_it_is_and_is_short(stem):
    text = of(stem)
    assert text.startswith("# ")
    assert "NCT06731192, study base" in text.splitlines()[0]
    assert 'folder <- "../tables"' in text
    assert "source(" not in text
    assert text.count("\n") < 230
    assert max(map(len, text.splitlines())) <= 125
    for pair in ("()", "{}", "[]"):
        assert text.count(pair[0]) == text.count(pair[1])


def test_what_the_study_decides_stands_in_the_script():
    p = Parameters()
    lines = "\n".join(twice.decided("05-longitudinal", p))
    assert f'paramcd = c("PROTCRT", "RBCURINE", "{adam.gfr_paramcd(p)}")' in lines
    assert f"infusion_gap <- {p.infusion_gap}" in lines
    assert "strata <- FALSE" in lines
    other = p.model_copy(update={"haematuria_cells": "dysmorphic", "strata": "RAS inhibition"})
    lines = "\n".join(twice.decided("05-longitudinal", other, unstructured=False))
    assert '"RBCDYS"' in lines
    assert "strata <- TRUE" in lines
    assert "unstructured <- FALSE" in lines
    curves = "\n".join(twice.decided("07-time-to-remission", p))
    assert '"actual_confirmed"' in curves
    assert 'clock = c("AVAL", ' in curves


def test_whether_our_model_kept_its_covariance_is_read_from_its_table():
    exhibit = {
        "key": "upcr-mmrm",
        "method": "errors of a child correlated (unstructured), of children independent",
    }
    assert twice.unstructured({"stated": [{"exhibit": None}, {"exhibit": exhibit}]})
    other = exhibit | {"method": "correlated (child effect, exponential and nugget)"}
    assert not twice.unstructured({"stated": [{"exhibit": other}]})
    assert not twice.unstructured({})


def test_a_hostile_name_or_folder_stays_text():
    records = {"04-analysis-data": SOME["04-analysis-data"]}
    (script,) = twice.scripts("base", 'a"; quit(); "\nb\\', records, {})
    assert 'folder <- "a\\"; quit(); \\"\\nb\\\\"' in script.text


def test_answers_are_read_and_a_line_that_is_none_is_refused():
    answers, words = twice.parsed("# R version 4\na.b,1.5\na.c,NA\n#said\n")
    assert answers == {"a.b": 1.5, "a.c": None}
    assert words == ["R version 4", "said"]
    for text, what in (
        ("Error in x", "is no answer"),
        ("a.b,1\na.b,1", "answered twice"),
        ("a.b,much", "much"),
    ):
        with pytest.raises(ValueError, match=what):
            twice.parsed(text)


def test_whole_numbers_are_equal_others_within_what_is_stated():
    results = {
        "c": {
            "a.n": {"value": 8, "unit": ""},
            "a.share": {"value": 40.0, "unit": "%"},
            "a.none": {"value": None, "unit": ""},
            "a.text": {"value": 0.0, "unit": ""},
        }
    }
    answers = {"c": {"a.n": 8.0, "a.share": 40.00001, "a.none": None, "a.text": 1e-10, "a.new": 1.0}}
    rows, alone = twice.agreements(answers, results)
    assert [one.agrees for one in rows] == [True, True, True, True]
    assert alone == ["a.new"]
    answers = {"c": {"a.n": 8.0 + 1e-9, "a.share": 40.0001, "a.none": 0.0, "a.text": None}}
    rows, _ = twice.agreements(answers, results)
    assert [one.agrees for one in rows] == [False, False, False, False]
    assert rows[1].cells() == ["40", "40.0001", "0.0001", "4e-05"]
    assert rows[2].cells()[:3] == ["not estimable", "0", ""]


def test_the_standard_error_is_what_the_interval_implies():
    key = "longitudinal.upcr.mmrm.month12"
    half = 2.0452296421327034 * 0.25  # t of 29 degrees of freedom
    results = {
        key: {"value": np.exp(-0.5), "unit": ""},
        f"{key}_lower": {"value": np.exp(-0.5 - half)},
        f"{key}_upper": {"value": np.exp(-0.5 + half)},
        f"{key}_df": {"value": 29.0},
    }
    assert twice.standard_error(key, results) == pytest.approx(0.25)
    rows, _ = twice.agreements({"c": {f"{key}:se": 0.24, key: np.exp(-0.5)}}, {"c": results})
    assert [one.agrees for one in rows] == [True, True]
    assert "Kenward" in rows[0].why
    assert twice.standard_error(key, results | {f"{key}_df": {"value": None}}) is None


# ------------------------------------------------------------------ with R


def run(text: str, folder, tmp_path) -> dict:
    script = tmp_path / "script.R"
    script.write_text(text)
    done = subprocess.run([RSCRIPT, "--vanilla", script, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return twice.parsed(done.stdout)[0]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """ADaM tables of the base scenario, as committed."""
    study, folder = load("base"), tmp_path_factory.mktemp("tables")
    for name in ("adsl", "adlb", "adtte", "adae"):
        shutil.copy(study.folder / f"{name}.csv", folder)
    return folder


@needs_r
def test_r_finds_the_primary_result(tables, tmp_path):
    found = run(of("06-remission"), tables, tmp_path)
    study = load("base")
    adsl, adlb, adtte = (study.read(name) for name in ("adsl", "adlb", "adtte"))
    ours = remission.primary(adsl, adlb, adtte, study.parameters).iloc[0]
    assert found["remission.primary.placebo.n"] == ours["placebo_n"]
    assert found["remission.primary.difference"] == pytest.approx(ours["difference"])
    assert found["remission.primary.p"] == pytest.approx(ours["p"], rel=1e-6)


@needs_r
def test_boschloo_by_enumeration_is_ours_at_other_sizes_too(tables, tmp_path):
    text = of("06-remission")
    function = text[text.index("boschloo <-") : text.index("# x with it")]
    asked = [(3, 20, 8, 20), (0, 18, 4, 18), (6, 20, 13, 20), (5, 12, 1, 9), (0, 7, 0, 6)]
    lines = [f'cat("t.{k},", sprintf("%.17g", boschloo({a}, {b}, {c}, {d})), "\\n", sep = "")'
             for k, (a, b, c, d) in enumerate(asked)]  # fmt: skip
    found = run("\n".join([function, *lines]), tables, tmp_path)
    ours = [float(proportions.boschloo(*one)) for one in asked]
    assert list(found.values()) == pytest.approx(ours, rel=1e-6)


@needs_r
def test_r_finds_the_curves(tables, tmp_path):
    found = run(of("07-time-to-remission"), tables, tmp_path)
    ours = time_to_remission.estimates(load("base").read("adtte"), ["UPCRC", "HEMF"])
    row = ours[(ours["paramcd"] == "UPCRC") & (ours["arm"] == "hUC-MSC")].iloc[0]
    assert found["ttr.confirmed.month12.msc"] == pytest.approx(row["month12"])
    assert found["ttr.confirmed.median.msc"] is None


@needs_r
@pytest.mark.parametrize("stem", ["04-analysis-data", "10-safety", "06-remission", "07-time-to-remission"])
def test_tables_without_a_child_are_answered_without_a_number(stem, tables, tmp_path):
    for path in tables.glob("*.csv"):
        pd.read_csv(path).head(0).to_csv(tmp_path / path.name, index=False)
    found = run(of(stem), tmp_path, tmp_path)
    assert len(found) > 5
    assert set(found.values()) <= {0.0, None}


@needs_r
def test_children_are_told_apart_by_the_text_of_their_names(tables, tmp_path):
    """001 and 1 are two children; so are names with quotes, commas and formulas."""
    names = ["001", "1", '=1+"x", y', "a'b"]
    frame = (
        pd.read_csv(tables / "adsl.csv").head(4).assign(USUBJID=names, SAFFL="Y", TRT01A="hUC-MSC", NINFUS=2)
    )
    frame.to_csv(tmp_path / "adsl.csv", index=False)
    events = pd.read_csv(tables / "adae.csv").head(4).assign(USUBJID=names, TRTEMFL="Y", AEDECOD="fever")
    events.to_csv(tmp_path / "adae.csv", index=False)
    found = run(of("10-safety"), tmp_path, tmp_path)
    assert found["safety.fever.msc"] == 4
    assert found["safety.n_treated.msc"] == 4
