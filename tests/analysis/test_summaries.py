"""Summaries by arm, against values written by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import summaries

ARM = pd.Series({"p1": "Placebo", "p2": "Placebo", "p3": "Placebo", "m1": "hUC-MSC", "m2": "hUC-MSC"})


def rows(frame, *columns):
    return frame[["item", "arm", *columns]].to_numpy(object).tolist()


def test_a_child_counts_once_and_a_stranger_not_at_all():
    found = summaries.children("left", ["m1", "m1", "p3", "somebody else"], ARM)
    assert rows(found, "n", "N") == [["left", "Placebo", 1, 3], ["left", "hUC-MSC", 1, 2]]


def test_both_arms_stand_there_in_the_protocols_order_even_without_children():
    only = ARM[ARM == "hUC-MSC"]
    assert rows(summaries.children("any", only.index, only), "n", "N") == [
        ["any", "Placebo", 0, 0],
        ["any", "hUC-MSC", 2, 2],
    ]
    assert rows(summaries.children("any", [], ARM), "n", "N") == [
        ["any", "Placebo", 0, 3],
        ["any", "hUC-MSC", 0, 2],
    ]
    assert summaries.quartiles("x", pd.Series({"m1": 1.0}), only)["arm"].tolist() == ["Placebo", "hUC-MSC"]


def test_quartiles_are_those_of_r():
    """R 4.2: quantile(c(1, 2, 4, 8), c(0, .25, .5, .75, 1)) gives 1 1.75 3 5 8."""
    arm = pd.Series("Placebo", index=list("abcde"))
    found = summaries.quartiles("x", pd.Series([8.0, np.nan, 1.0, 4.0, 2.0], index=list("abcde")), arm)
    assert found.iloc[0, 2:].tolist() == [4, 5, 1.0, 1.75, 3.0, 5.0, 8.0]
    assert found.iloc[1, 2:4].tolist() == [0, 0]
    assert found.iloc[1, 4:].isna().all()


def test_several_values_of_a_child_all_count():
    cells = pd.Series([2.0, 4.0, 9.0], index=["m1", "m1", "stranger"])
    found = summaries.quartiles("cells", cells, ARM).set_index("arm").loc["hUC-MSC"]
    assert (found["n"], found["N"], found["median"]) == (2, 2, 3.0)


def test_events_and_children_with_events_are_two_things():
    child = pd.Series(["m1", "m1", "p1", "m2", "stranger"])
    kinds = {"any": [True] * 5, "serious": [True, True, False, False, True], "none": [False] * 5}
    assert rows(summaries.events(child, kinds, ARM), "n", "N", "events") == [
        ["any", "Placebo", 1, 3, 1],
        ["any", "hUC-MSC", 2, 2, 3],
        ["serious", "Placebo", 0, 3, 0],
        ["serious", "hUC-MSC", 1, 2, 2],
        ["none", "Placebo", 0, 3, 0],
        ["none", "hUC-MSC", 0, 2, 0],
    ]


def test_disposition_names_every_reason_once():
    end = pd.DataFrame(
        {
            "child": ["p1", "p2", "p3", "m1", "m2"],
            "status": ["completed", "left", "left", "left", "ongoing"],
            "reason": [None, "moved away", "adverse event", "moved away", None],
        }
    )
    found = summaries.disposition(end["child"], end["status"], end["reason"], ARM)
    assert rows(found, "n", "N") == [
        ["completed", "Placebo", 1, 3],
        ["completed", "hUC-MSC", 0, 2],
        ["left", "Placebo", 2, 3],
        ["left", "hUC-MSC", 1, 2],
        ["ongoing", "Placebo", 0, 3],
        ["ongoing", "hUC-MSC", 1, 2],
        ["adverse event", "Placebo", 1, 3],
        ["adverse event", "hUC-MSC", 0, 2],
        ["moved away", "Placebo", 1, 3],
        ["moved away", "hUC-MSC", 1, 2],
    ]
    ended = end[end["status"] != "ongoing"]
    found = summaries.disposition(ended["child"], ended["status"], ended["reason"], ARM)
    assert "ongoing" not in set(found["item"]), "no row for what no child is"


@pytest.mark.parametrize("function", [summaries.children, summaries.quartiles])
def test_the_item_names_the_row(function):
    values = ARM.index if function is summaries.children else pd.Series(1.0, index=ARM.index)
    assert set(function("one", values, ARM)["item"]) == {"one"}
