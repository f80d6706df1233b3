"""The truth beside the data, against children written by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.design import behind_the_data
from helpers.study.parameters import Parameters

P = Parameters(upcr_effect=0.5)
CHILDREN = pd.DataFrame(
    {
        "usubjid": ["p1", "m1", "m2", "m3"],
        "arm": ["Placebo", "hUC-MSC", "hUC-MSC", "hUC-MSC"],
        "upcr_log_effect": np.log([1.0, 0.4, 0.6, 0.9]),
        "log_upcr_day_-14": np.log([1.0, 2.0, 1.0, 4.0]),
        "log_upcr_day_183": np.log([9.0, 9.0, 9.0, 9.0]),
        "log_upcr_day_365": np.log([1.5, 1.0, 0.8, 1.0]),
    }
)


def test_declared_beside_true():
    found = behind_the_data.true_effects(CHILDREN, P).set_index("arm")
    assert found.loc["Placebo"].tolist() == pytest.approx([1, 1.0, 1.0, 1.5])
    assert found.loc["hUC-MSC"].tolist() == pytest.approx([3, 0.5, 0.6, 0.5])


def test_an_arm_without_children_has_no_median():
    found = behind_the_data.true_effects(CHILDREN.iloc[1:], P).set_index("arm")
    assert found.loc["Placebo", "children"] == 0
    assert found.loc["Placebo", ["individual", "change"]].isna().all()


def test_missing_values_of_planned_visits_by_arm():
    randomisation = pd.DataFrame({"usubjid": ["p1", "m1"], "arm": ["Placebo", "hUC-MSC"]})
    visits = pd.DataFrame({"usubjid": ["p1"] * 3 + ["m1"] * 4})
    reasons = pd.DataFrame(
        [("p1", 2, "upcr", "visit missed"), ("p1", 3, "upcr", "visit missed"), ("m1", 2, "upcr", "left the trial"),
         ("m1", 2, "rbc", "left the trial")],
        columns=["usubjid", "visit_no", "test", "reason"],
    )  # fmt: skip
    found = behind_the_data.missing_values(reasons, randomisation, visits)
    assert found.to_numpy(object).tolist() == [
        ["rbc", "left the trial", "Placebo", 0, 3],
        ["rbc", "left the trial", "hUC-MSC", 1, 4],
        ["upcr", "left the trial", "Placebo", 0, 3],
        ["upcr", "left the trial", "hUC-MSC", 1, 4],
        ["upcr", "visit missed", "Placebo", 2, 3],
        ["upcr", "visit missed", "hUC-MSC", 0, 4],
    ]
    assert behind_the_data.missing_values(reasons.iloc[:0], randomisation, visits).empty
