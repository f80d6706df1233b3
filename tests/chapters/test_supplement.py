"""The supplement of the primary comparison in words: numbers as they stand in the frame, p where there is one."""

import numpy as np
import pandas as pd

from helpers.chapters import supplement as chapter
from helpers.study.parameters import Parameters

FOUND = pd.DataFrame(
    {
        "method": ["randomisation", "strata", "adjusted"],
        "n_placebo": [20, 20, 19],
        "n_msc": [20, 20, 20],
        "estimate": [25.0, 24.26, 22.0],
        "lower": [np.nan, -3.04, -4.0],
        "upper": [np.nan, 48.0, 48.05],
        "p": [0.0496, np.nan, np.nan],
        "allocations": [6e7, np.nan, np.nan],
        "note": ["", "", "1 without covariates left out"],
    }
)


def test_numbers_and_words():
    finding = chapter.supplement(FOUND, Parameters())
    table = finding.exhibits[0]
    assert table.data["text"].tolist() == ["25.0", "24.3 (-3.0 to 48.0)", "22.0 (-4.0 to 48.1)"]
    # never printed as the level that it is compared with
    assert table.data["p_text"].tolist() == ["0.0496", "", ""]
    assert table.data["children"].tolist() == ["20 v 20", "20 v 20", "19 v 20"]
    assert table.data["interval"].tolist() == ["", "score", "t, jackknife"]
    assert table.columns["interval"] == "Interval"
    assert "1 without covariates left out" in table.caption
    assert finding.said["strata"].value == 24.26
    assert finding.said["p"].value == 0.0496
    assert table.table()


def test_what_is_not_estimable_says_why():
    empty = FOUND.assign(
        estimate=np.nan, lower=np.nan, upper=np.nan, p=np.nan, note="no child in one of the arms"
    )
    finding = chapter.supplement(empty, Parameters())
    assert finding.exhibits[0].data["text"].tolist() == ["not estimable: no child in one of the arms"] * 3
    assert finding.exhibits[0].data["interval"].tolist() == [""] * 3
    assert finding.said["p"].text == "not estimable"
