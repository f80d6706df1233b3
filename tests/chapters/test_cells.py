"""Which cell shows which result: what is certain has its key, what is in doubt none."""

import numpy as np
import pandas as pd
import pytest

from helpers.chapters import exhibits
from helpers.chapters.cells import named_cells, visible
from helpers.chapters.exhibits import Exhibit, Result


def keys(data, shown, results):
    return {(row, shown[position]): key for row, position, key in named_cells(data, shown, results)}


def test_a_value_in_a_column_of_its_name_belongs_to_the_text_that_shows_it():
    data = pd.DataFrame(
        {"label": ["all", "some"], "placebo": [15.0, 18.75], "placebo_text": ["3/20", "3/16"]}
    )
    found = keys(data, ["label", "placebo_text"], {"r.placebo.share": 15.0, "r.evaluable.placebo": 18.75})
    assert found == {(0, "placebo_text"): "r.placebo.share", (1, "placebo_text"): "r.evaluable.placebo"}


def test_equal_values_go_to_rows_in_order_only_where_there_are_as_many_of_both():
    data = pd.DataFrame({"label": ["a", "b", "c"], "msc": [40.0, 40.0, 10.0]})
    both = {"r.x.msc": 40.0, "r.y.msc": 40.0}
    assert keys(data, ["label", "msc"], both) == {(0, "msc"): "r.x.msc", (1, "msc"): "r.y.msc"}
    assert keys(data, ["label", "msc"], {"r.x.msc": 40.0}) == {}


def test_a_whole_column_is_taken_row_by_row_with_what_is_missing_in_it():
    data = pd.DataFrame({"visit": ["1", "2", "3"], "difference": [5.0, np.nan, 5.0]})
    results = {"r.v1.difference": 5.0, "r.v2.difference": None, "r.v3.difference": 5.0}
    assert list(keys(data, ["visit", "difference"], results).values()) == list(results)


def test_what_no_column_names_is_found_by_its_digits_alone():
    data = pd.DataFrame({"method": ["a", "b"], "estimate": [0.553407, 0.6155239], "text": ["0.55", "0.62"]})
    assert keys(data, ["method", "text"], {"l.ancova.month12": 0.553407}) == {(0, "text"): "l.ancova.month12"}
    # a number with few digits may be anybody's
    data["estimate"] = [0.5, 0.25]
    assert keys(data, ["method", "text"], {"l.ancova.month12": 0.5}) == {}
    twice = pd.DataFrame({"method": ["a", "b"], "estimate": [0.553407] * 2, "text": ["0.55"] * 2})
    assert keys(twice, ["method", "text"], {"l.ancova.month12": 0.553407}) == {}


def test_words_yes_and_no_and_columns_that_are_not_shown_have_no_key():
    data = pd.DataFrame({"p": ["0.1"], "n": [1], "flag": [True]})
    assert keys(data, ["p"], {"r.p": "0.1", "r.n": 1}) == {}
    assert keys(data, ["flag"], {"r.flag": 1}) == {}
    assert named_cells(data.head(0), ["p"], {"r.p": 1.0}) == []
    assert visible("estimate", ["label", "text"]) == 1
    assert visible("n", ["n_text"]) == 0
    assert visible("n", ["N"]) is None


def test_an_exhibit_records_its_cells_and_a_sentence_its_numbers(monkeypatch):
    told = []
    monkeypatch.setattr(exhibits, "display", lambda value, metadata, raw: told.append((value, metadata)))
    data = pd.DataFrame({"arm": ["a", "b"], "mean": [1 / 3, 2.5]})
    shown = Exhibit(
        "t", "T", data, population="all", n=2, results=[Result("x.a.mean", 1 / 3), Result("x.b.mean", 2.5)]
    )
    assert shown.record()["cells"] == [[0, 1, "x.a.mean"], [1, 1, "x.b.mean"]]
    exhibits.say("{{n}} is **{n}**, not {words} of {m}", n=Result("x.n", 7), m=Result("x.m", 12), words="7")
    ((value, metadata),) = told
    text = value["text/markdown"]
    assert text == "{n} is **7**, not 7 of 12"
    assert [(text[first:last], key) for first, last, key in metadata["filled"]] == [
        ("7", "x.n"),
        ("12", "x.m"),
    ]


@pytest.mark.parametrize("template", ["{n:>5}", "{n!s}", "a\n  b {n}"])
def test_a_sentence_is_what_format_makes_of_it(monkeypatch, template):
    told = []
    monkeypatch.setattr(exhibits, "display", lambda value, metadata, raw: told.append((value, metadata)))
    plain = Result("x.n", 7)
    if ":" in template:
        with pytest.raises(TypeError):
            template.format(n=plain)
        return
    exhibits.say(template, n=plain)
    value, metadata = told[0]
    ((first, last, key),) = metadata["filled"]
    assert value["text/markdown"][first:last] == "7"
    assert key == "x.n"
