"""What arrived and what was observed, as exhibits: a site's words are text, a simulated study shows none."""

import pandas as pd
import pytest

from helpers import Problem
from helpers.analysis import arrived as frames
from helpers.chapters import arrived, nature, observed
from helpers.design import scenario_trial
from helpers.intake import editions
from helpers.study import scenario


def asked() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "code": ["labs.x"], "severity": ["query"], "usubjid": ["<b>A</b>"], "visit_no": pd.array([2], "Int64"),
            "table": ["labs"], "file": ["labs.csv"], "row": pd.array([7], "Int64"), "column": ["value"],
            "found": ["=1+<script>"], "expected": ["a number"], "why": ["w"], "rule": ["r"],
        }
    )  # fmt: skip


def test_the_list_of_queries_shows_a_sites_text_as_text():
    exhibit = arrived.queries(asked())
    html = exhibit.table()
    assert "&lt;b&gt;A&lt;/b&gt;" in html
    assert "=1+&lt;script&gt;" in html
    assert "<script>" not in html
    assert "Week 2" in html
    assert exhibit.data.loc[0, "visit"] == "Week 2"
    assert arrived.by_query(frames.by_query(asked())).n == 1
    assert arrived.queries(asked().head(0)).n == 0


def test_a_simulated_study_has_nothing_that_arrived_and_nothing_observed():
    study = scenario.load("base")
    assert observed.beside(study).exhibits == ()
    with pytest.raises(Problem, match="make report DATA=folder"):
        editions.received(study)


def test_each_sentence_is_true_of_the_data_that_it_speaks_of():
    study = scenario.load("base")
    for key, (simulated, own, blinded) in nature.SENTENCES.items():
        assert nature.said(study, key) == simulated
        for text in (own, blinded):
            assert "simulat" not in text, key
            assert "synthetic" not in text, key
    assert "says nothing about the treatment" in nature.SENTENCES["primary"][2]


def test_the_scenarios_trial_in_memory_is_the_one_that_the_chapters_show():
    p = scenario.load("base").parameters
    made = scenario_trial.tables(p)
    kept = scenario.load("base").read("labs")
    assert len(made["labs"]) == len(kept)
    assert (made["labs"]["value"].to_numpy() == kept["value"].to_numpy()).all()
    p = scenario.load("base", n_randomised=8).parameters
    adsl, adlb = scenario_trial.analysed(p)
    quantities, course = scenario_trial.beside(adsl, adlb, p, pooled=True)
    assert quantities["observed"].tolist() == quantities["simulated"].tolist(), "the same trial beside itself"
    assert (course["ratio"] == course["ratio_simulated"]).all()
    values = frames.values(made["screening"], made["screening"])
    rows = frames.distributions(values)
    figure = arrived.distribution(values, "upcr", rows)
    assert "Two cumulative curves of UPCR" in figure.alt
    assert figure.png().startswith(b"\x89PNG")
