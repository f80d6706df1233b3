"""Tables of one column an arm: the right cell under the right arm, in the right words."""

import pandas as pd
import pytest

from helpers.chapters import by_arm

FRAME = pd.DataFrame(
    [
        ("old", "hUC-MSC", 1, 4, 1.0, 1.25, 1.5, 1.75, 2.0),
        ("old", "Placebo", 2, 3, None, None, None, None, None),
        ("age", "Placebo", 3, 3, 4.0, 5.05, 6.0, 8.5, 11.0),
        ("age", "hUC-MSC", 0, 4, None, None, None, None, None),
    ],
    columns=["item", "arm", "n", "N", "low", "q1", "median", "q3", "high"],
)


def test_cells_stand_under_their_arm_whatever_the_order_of_rows():
    found = by_arm.table(FRAME, {"age": ("Age", by_arm.quartiles(1)), "old": "Old"})
    assert found.to_dict("list") == {
        "item": ["Age", "Old"],
        "Placebo": ["6.0 (5.1 to 8.5); n 3", "2/3 (66.7 %)"],
        "hUC-MSC": ["none measured", "1/4 (25.0 %)"],
    }


def test_range_and_its_words_for_nobody():
    words = by_arm.spread(0, lambda arm: f"nobody on {arm}")
    found = by_arm.table(FRAME[FRAME["item"] == "age"], {"age": ("Age", words)})
    assert found.iloc[0].tolist() == ["Age", "6 (4 to 11)", "nobody on hUC-MSC"]
    assert by_arm.spread(1)({"n": 0, "arm": "Placebo"}) == "no child"


def test_several_cells_an_arm_and_their_headings():
    cells = {"children": by_arm.share, "total": lambda row: row["N"]}
    found = by_arm.table(FRAME, {"old": "Old", "age": "Age"}, cells, head="what")
    assert found.iloc[0].tolist() == ["Old", "2/3 (66.7 %)", 3, "1/4 (25.0 %)", 4]
    heads = by_arm.headings("what", "What", {"children": "{arm}: children", "total": "{arm}: all"})
    assert list(heads) == list(found.columns)
    assert list(heads.values()) == [
        "What",
        "Placebo: children",
        "Placebo: all",
        "hUC-MSC: children",
        "hUC-MSC: all",
    ]


def test_no_row_and_no_label_goes_lost():
    with pytest.raises(ValueError, match="age"):
        by_arm.table(FRAME, {"old": "Old"})
    with pytest.raises(ValueError, match="shoe size"):
        by_arm.table(FRAME, {"old": "Old", "age": "Age", "shoe size": "Shoe size"})
    empty = by_arm.table(FRAME.iloc[:0], {})
    assert list(empty.columns) == ["item", "Placebo", "hUC-MSC"]


def test_sizes_are_those_of_the_arms():
    assert by_arm.sizes(FRAME) == "3 v 4"
    assert by_arm.sizes(FRAME.iloc[:2], "n") == "2 v 1"
