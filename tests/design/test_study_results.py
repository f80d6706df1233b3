"""What the page of a study is filled with, from a table made by hand; and that the page can be printed of any grid."""

import ast
import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers import ROOT, Problem
from helpers.chapters import exhibits
from helpers.chapters import studies as chapter
from helpers.design import studies, study_files, study_results

NOTEBOOK = ROOT / "studies" / "page.ipynb"


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(study_files, "FOLDER", tmp_path / "studies")
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "studies" / "results")
    monkeypatch.setattr(studies, "PIECES", tmp_path / "pieces")
    (tmp_path / "studies").mkdir()
    return tmp_path


def by_formula(
    places: Path, parameters: str = "{upcr_effect: [1, 0.65, 0.4], dropout: [0.2, 0.3]}", sizes="[20, 40, 80]"
):
    """Results whose power is Phi(root of n times the log effect less drop-out - 1.96), in place of simulated trials."""
    (places / "studies" / "made.yaml").write_text(
        "description: by a formula.\nscenario: base\n"
        f"parameters: {parameters}\nquestions: {{all: {{analyses: [ever, confirmed, ancova average], "
        f"sizes: {sizes}, trials: 1000}}}}\n"
    )
    study = study_files.read("made")
    rows = []
    for world in study.worlds:
        p = world.p
        for n in study.questions[0].sizes:
            for k, analysis in enumerate(study.questions[0].analyses):
                shift = np.sqrt(n) * -np.log(p.upcr_effect) * (1 - p.dropout) * (0.7 + 0.1 * k)
                power = 100 * stats.norm.cdf(shift - 1.96)
                rows.append({
                    **world.values, "question": "all", "n": n, "analysis": analysis, "trials": 1024, "answered": 1024,
                    "favour": round(10.24 * power), "against": 3, "power": power, "mcse": 1.2,
                    "power_lower": power - 2.4, "power_upper": power + 2.4, "mean": 0.1, "mean_se": 0.01, "sd": 0.3,
                    "width": 1.0, "width_se": 0.01, "significant": 0.4, "significant_se": 0.02,
                })  # fmt: skip
    frame = pd.DataFrame(rows)[[*study.parameters, *studies.COLUMNS]]
    studies.publish(study, frame)
    return study_results.read("made")


def test_the_plan_is_that_of_the_scenario_or_the_nearest_asked(places):
    found = by_formula(places)
    assert found.axes == ("upcr_effect", "dropout")
    # base: 0.65, 0.1 and 40 children
    assert found.planned == {"upcr_effect": 0.65, "dropout": 0.2, "n": 40}
    assert found.analyses == ["confirmed", "ancova average", "ever"]
    assert found.trials == "1,024"
    assert found.current


def test_trade_offs_leave_the_rest_as_planned(places):
    found = by_formula(places)
    frame = study_results.trade_offs(found)
    assert frame.groupby("factor")["value"].nunique().to_dict() == {"n": 3, "upcr_effect": 3, "dropout": 2}
    whole = found.frame.set_index(["upcr_effect", "dropout", "n", "analysis"])["power"]
    row = frame[
        (frame["factor"] == "dropout") & (frame["value"] == 0.3) & (frame["analysis"] == "ever")
    ].iloc[0]
    assert row["power"] == whole[0.65, 0.3, 40, "ever"]
    assert not row["planned"]
    spans = study_results.spans(found)
    top = spans[spans["analysis"] == "confirmed"].iloc[0]
    assert (top["factor"], top["worst"], top["best"]) == ("upcr_effect", 1, 0.4)
    assert top["gain"] == pytest.approx(whole[0.4, 0.2, 40, "confirmed"] - whole[1, 0.2, 40, "confirmed"])
    assert top["gain_mcse"] == pytest.approx(1.2 * np.sqrt(2))


def test_the_surface_has_every_cell_once(places):
    frame = study_results.surface(by_formula(places))
    assert len(frame) == 3 * 3 * 2 * 3
    assert not frame.duplicated(["analysis", "panel", "row", "column"]).any()


def test_children_needed_solve_the_formula(places):
    found = study_results.children_needed(by_formula(places))
    row = found[
        (found["upcr_effect"] == 0.65) & (found["dropout"] == 0.2) & (found["analysis"] == "ancova average")
    ].iloc[0]
    exact = ((1.96 + stats.norm.ppf(0.8)) / (-np.log(0.65) * 0.8 * 0.9)) ** 2
    assert row["needed"] == 2 * np.ceil(exact / 2)
    assert row["lower"] < row["needed"] < row["upper"]
    none = found[found["upcr_effect"] == 1]
    assert len(none) == 6
    assert none["needed"].isna().all()


def test_false_claims_are_those_of_worlds_without_effect(places):
    found = by_formula(places)
    frame = study_results.false_claims(found)
    assert frame["analysis"].tolist() == found.analyses
    assert frame["planned"].to_numpy() == pytest.approx(100 * stats.norm.cdf(-1.96), rel=1e-5)
    assert (frame["upcr_effect"] == 1).all()


def test_a_study_in_which_there_always_is_an_effect_says_so(places):
    found = by_formula(places, "{upcr_effect: [0.65, 0.4]}")
    frame = study_results.false_claims(found)
    assert frame.empty
    assert chapter.false_claims(found, frame).said["sentence"] == "No world of this study is without effect."


def test_results_that_were_changed_or_are_not_there_are_no_results(places):
    by_formula(places)
    final, _ = studies.places("made")
    final.write_text(final.read_text().replace("1024", "1025", 1))
    with pytest.raises(Problem, match="was changed since it was written"):
        study_results.read("made")
    with pytest.raises(Problem, match="run `make study STUDY=other`"):
        study_results.read("other")


def printed(study: str) -> tuple[list[dict], str]:
    """Records of the exhibits that the page's notebook shows of a study, and all its sentences."""
    records, sentences = [], []

    def display(value, metadata=None, **_):
        if metadata is None:
            value._ipython_display_()
        elif "exhibit" in metadata:
            records.append(metadata["exhibit"])
        elif "results" in metadata:
            sentences.append(value["text/markdown"])

    names: dict = {}
    with pytest.MonkeyPatch.context() as here, contextlib.redirect_stdout(io.StringIO()):
        here.setattr(exhibits, "display", display)
        for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec(compile(ast.parse("".join(cell["source"])), "page", "exec"), names)
            if "parameters" in cell["metadata"].get("tags", ()):
                names["study"] = study
    return records, "\n".join(sentences)


@pytest.mark.parametrize(
    ("parameters", "sizes"),
    [
        ("{upcr_effect: [1, 0.65, 0.4], dropout: [0.2, 0.3]}", "[20, 40, 80]"),
        ("{upcr_effect: [0.65]}", "[40]"),
        ("{gfr_method: [bedside Schwartz, U25 mean]}", "[20, 40]"),
        ("{dropout: [0.1, 0.2], heterozygous_counts: [yes, no], seed: [1, 2, 3]}", "[30, 60, 90]"),
        ("{upcr_effect: [1], dropout: [0.1, 0.3]}", "[40, 60, 80]"),
    ],
    ids=["usual", "one world", "words", "no effect varied", "no effect"],
)
def test_the_page_of_any_grid_can_be_printed(places, parameters, sizes):
    by_formula(places, parameters, sizes)
    records, sentences = printed("made")
    keys = [record["key"] for record in records]
    assert keys == [
        "trade-offs", "spans", "surface-confirmed", "surface-ancova-average", "children-needed", "false-claims",
    ]  # fmt: skip
    assert all(record["title"] and record["population"] and record["n"] for record in records)
    assert "nan" not in sentences
    assert "not estimable" not in sentences


def test_results_of_other_code_are_said_to_be_so(places, monkeypatch):
    by_formula(places)
    monkeypatch.setattr(study_results.pieces, "_code", ["0123456789abcdef"])
    assert "results of other code" in chapter.intro(study_results.read("made"))["state"]


def test_a_page_of_no_results_is_refused_in_a_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "helpers.build.study_page", "no-such-study"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "run `make study STUDY=no-such-study`" in done.stderr
    assert "Traceback" not in done.stderr
