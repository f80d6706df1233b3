"""Analysis sets, disposition, baseline and exposure, against hand-made children."""

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import baseline
from helpers.study.scenario import load

ZERO = pd.Timestamp("2025-03-15")


def day(number):
    return ZERO + pd.Timedelta(number, "D")


ADSL = pd.DataFrame(
    {
        "USUBJID": ["p1", "p2", "p3", "m1", "m2"],
        "TRT01P": ["Placebo", "Placebo", "Placebo", "hUC-MSC", "hUC-MSC"],
        "AGE": [4.0, 6.0, 11.0, 8.0, 10.0],
        "SEX": list("MFMFM"),
        "GENOTYPE": ["X-linked", "recessive", "X-linked", "digenic", "dominant"],
        "HEIGHTBL": [100.0, 110.0, 120.0, 130.0, 140.0],
        "WEIGHTBL": [20.0, 25.0, 30.0, 40.0, 50.0],
        "RASFL": list("YYNYN"),
        "RASMON": [2.9, 3.0, np.nan, 12.0, np.nan],
        "UPCRBL": [0.1, 0.5, 2.0, 3.0, 5.0],
        "RBCBL": [10.0, 20.0, np.nan, 40.0, 50.0],
        "EGFRBL": [80.0, 90.0, 100.0, 110.0, 120.0],
        "NINFUS": [2, 1, 2, 2, 0],
        "EOSSTT": ["COMPLETED", "DISCONTINUED", "COMPLETED", "COMPLETED", "DISCONTINUED"],
        "DCSREAS": [None, "moved away", None, None, "family's wish"],
        "EOSDT": [day(n) for n in (365, 30, 371, 365, -10)],
        "TZERODT": ZERO,
        "RANDDT": day(-21),
        "TRTSDT": [day(-14), day(-14), day(-14), day(-15), pd.NaT],
        "TRTEDT": [day(0), day(-14), day(2), day(0), pd.NaT],
        "RANDFL": list("YYYYY"),
        "UPCRFL": list("NYYYY"),
        "HEMFL": list("NNNYY"),
        "GFRFL": list("YNNNN"),
        "SAFFL": list("YYYYN"),
        "PPROTFL": list("YNYNN"),
    }
)


def cell(frame, item, arm, *columns):
    (row,) = frame[(frame["item"] == item) & (frame["arm"] == arm)].to_dict("records")
    return [row[column] for column in columns]


@pytest.mark.parametrize(
    ("flag", "placebo", "msc"),
    [
        ("RANDFL", 3, 2),
        ("UPCRFL", 2, 2),
        ("HEMFL", 0, 2),
        ("GFRFL", 1, 0),
        ("SAFFL", 3, 1),
        ("PPROTFL", 2, 0),
    ],
)
def test_every_set_is_counted_by_its_own_flag(flag, placebo, msc):
    found = baseline.sets(ADSL)
    assert cell(found, flag, "Placebo", "n", "N") == [placebo, 3]
    assert cell(found, flag, "hUC-MSC", "n", "N") == [msc, 2]


def test_disposition_by_hand():
    found = baseline.disposition(ADSL)
    assert list(dict.fromkeys(found["item"])) == [
        "completed",
        "left",
        "family's wish",
        "moved away",
        "months_observed",
    ]
    assert cell(found, "completed", "Placebo", "n", "N") == [2, 3]
    assert cell(found, "left", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "moved away", "Placebo", "n", "N") == [1, 3]
    assert cell(found, "moved away", "hUC-MSC", "n", "N") == [0, 2]


def test_who_is_still_followed_has_not_left():
    status = ADSL["EOSSTT"].mask(ADSL["USUBJID"] == "m1", "ONGOING")
    found = baseline.disposition(ADSL.assign(EOSSTT=status))
    assert cell(found, "ongoing", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "ongoing", "Placebo", "n", "N") == [0, 3]
    assert cell(found, "left", "hUC-MSC", "n", "N") == [1, 2]
    assert cell(found, "completed", "hUC-MSC", "n", "N") == [0, 2]


def test_months_are_counted_from_the_planned_last_infusion():
    found = baseline.disposition(ADSL)
    expected = [days / 30.4375 for days in (30, 365, 371)]
    assert cell(found, "months_observed", "Placebo", "low", "median", "high") == pytest.approx(expected)
    assert cell(found, "months_observed", "hUC-MSC", "low", "n") == [pytest.approx(-10 / 30.4375), 2]


ADLB = pd.DataFrame(
    [
        ("p1", "CREAT", 40.0, "Y"), ("p1", "CREAT", 400.0, None), ("p2", "CREAT", 50.0, "Y"),
        ("p3", "CREAT", 70.0, "Y"), ("m1", "CREAT", 60.0, "Y"), ("m2", "BUN", 4.0, "Y"), ("m2", "BUN", 9.0, None),
    ],
    columns=["USUBJID", "PARAMCD", "AVAL", "ABLFL"],
)  # fmt: skip


def test_numbers_at_baseline_by_hand():
    found = baseline.characteristics(ADSL, ADLB)
    assert cell(found, "AGE", "Placebo", "n", "q1", "median", "q3") == [3, 5.0, 6.0, 8.5]
    assert cell(found, "AGE", "hUC-MSC", "n", "q1", "median", "q3") == [2, 8.5, 9.0, 9.5]
    assert cell(found, "HEIGHTBL", "Placebo", "median") == [110.0]
    assert cell(found, "WEIGHTBL", "hUC-MSC", "median") == [45.0]
    assert cell(found, "RBCBL", "Placebo", "n", "N", "median") == [2, 3, 15.0]
    assert cell(found, "UPCRBL", "hUC-MSC", "median") == [4.0]
    assert cell(found, "EGFRBL", "Placebo", "median") == [90.0]
    assert cell(found, "RASMON", "Placebo", "n", "median") == [2, pytest.approx(2.95)]


def test_a_laboratory_baseline_is_the_flagged_record():
    found = baseline.characteristics(ADSL, ADLB)
    assert cell(found, "CREAT", "Placebo", "n", "median", "high") == [3, 50.0, 70.0]
    assert cell(found, "CREAT", "hUC-MSC", "n", "median") == [1, 60.0]
    assert cell(found, "BUN", "hUC-MSC", "n", "high") == [1, 4.0]
    assert cell(found, "BUN", "Placebo", "n") == [0]


@pytest.mark.parametrize(
    ("item", "placebo", "msc"),
    [
        ("boys", 2, 1), ("X-linked", 2, 0), ("recessive", 1, 0), ("dominant", 0, 1), ("digenic", 0, 1),
        ("RASFL", 2, 1), ("ras_recent", 1, 0),
    ],
)  # fmt: skip
def test_shares_at_baseline_by_hand(item, placebo, msc):
    """RAS inhibition begun exactly three months before consent is not recent any more."""
    found = baseline.characteristics(ADSL, ADLB)
    assert cell(found, item, "Placebo", "n", "N") == [placebo, 3]
    assert cell(found, item, "hUC-MSC", "n", "N") == [msc, 2]


INFUSIONS = pd.DataFrame(
    [
        ("p1", "yes", 0.0), ("p1", "yes", 0.0), ("p2", "yes", 0.0), ("p2", "no", np.nan), ("p3", "yes", 0.0),
        ("p3", "yes", 0.0), ("m1", "yes", 80e6), ("m1", "yes", 88e6), ("m2", "no", np.nan), ("m2", "no", 500e6),
    ],
    columns=["usubjid", "given", "cells"],
)  # fmt: skip


def test_exposure_by_hand():
    found = baseline.exposure(ADSL, INFUSIONS)
    assert [cell(found, f"infusions_{n}", "Placebo", "n")[0] for n in (2, 1, 0)] == [2, 1, 0]
    assert [cell(found, f"infusions_{n}", "hUC-MSC", "n")[0] for n in (2, 1, 0)] == [1, 0, 1]
    assert cell(found, "cells_per_kg", "hUC-MSC", "n", "low", "median", "high") == pytest.approx(
        [2, 2.0, 2.1, 2.2]
    )
    assert cell(found, "cells_per_kg", "Placebo", "n") == [0]
    assert cell(found, "days_between", "Placebo", "n", "low", "high") == [2, 14.0, 16.0]
    assert cell(found, "days_between", "hUC-MSC", "n", "median") == [1, 15.0]


def test_the_published_trial_against_plain_pandas():
    study = load("base")
    adsl, adlb = study.read("adsl"), study.read("adlb")
    found = baseline.characteristics(adsl, adlb)
    for arm, part in adsl.groupby("TRT01P"):
        for column in ("AGE", "HEIGHTBL", "WEIGHTBL", "RASMON", "UPCRBL", "RBCBL", "EGFRBL"):
            expected = part[column].quantile([0.25, 0.5, 0.75]).tolist()
            assert cell(found, column, arm, "q1", "median", "q3") == pytest.approx(expected)
            assert cell(found, column, arm, "n", "N") == [part[column].notna().sum(), len(part)]
