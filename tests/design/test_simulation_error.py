"""Limits of gains and of claims, by hand and at the ends."""

import math

import numpy as np
import pandas as pd
import pytest

from helpers.design import simulation_error

NAMES = ["as planned", "60 children", "nobody leaves", "none found"]


def of(*powers: float) -> pd.DataFrame:
    frame = pd.DataFrame({"alternative": NAMES[: len(powers)], "primary": powers})
    return frame.assign(gain=frame["primary"] - powers[0])


def test_by_hand():
    """Wilson's limits of 50 and 70 of 100, squared and added (Newcombe 1998, method 10)."""

    def wilson(p: float, n: int) -> tuple[float, float]:
        z = 1.959963984540054
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return tuple((p + z * z / (2 * n) + way * half) / (1 + z * z / n) for way in (-1, 1))

    (low0, high0), (low1, high1) = wilson(0.5, 100), wilson(0.7, 100)
    found = simulation_error.gains(of(50.0, 70.0), 100).iloc[1]
    assert found["gain_lower"] == pytest.approx(20 - 100 * math.hypot(0.7 - low1, high0 - 0.5))
    assert found["gain_upper"] == pytest.approx(20 + 100 * math.hypot(high1 - 0.7, 0.5 - low0))


def test_the_plan_has_no_gain_over_itself_and_what_cannot_run_none_at_all():
    found = simulation_error.gains(of(50.0, 50.0, 100.0, np.nan), 40)
    assert found[["gain_lower", "gain_upper"]].isna().all(axis=1).tolist() == [True, False, False, True]
    assert found["gain_lower"].iloc[1] == pytest.approx(-found["gain_upper"].iloc[1])
    assert found["gain_lower"].iloc[2] < 50 <= found["gain_upper"].iloc[2]
    alone = simulation_error.gains(of(np.nan), 40)
    assert alone[["gain_lower", "gain_upper"]].isna().all(axis=None)


def test_other_columns_stay():
    frame = of(10.0, 20.0).assign(why="")
    pd.testing.assert_frame_equal(simulation_error.gains(frame, 10)[frame.columns], frame)


def test_the_gain_of_the_numbers_is_a_row_after_theirs():
    brief = pd.DataFrame(
        {"question": ["power", "power_numeric", "false_claim"], "estimate": [50.0, 70.0, 1.0], "unit": "%"}
    )
    found = simulation_error.numeric_gain(brief, 100)
    assert list(found["question"]) == ["power", "power_numeric", "gain", "false_claim"]
    gain, apart = found.iloc[2], simulation_error.gains(of(50.0, 70.0), 100).iloc[1]
    assert (gain["estimate"], gain["lower"], gain["upper"]) == (20, apart["gain_lower"], apart["gain_upper"])
    assert gain["unit"] == "points"


def test_claims_against_by_hand():
    """Wilson's upper limit of none of n is z^2 / (n + z^2)."""
    frame = pd.DataFrame({"against": [0, 200], "trials": [200, 200]})
    found = simulation_error.claims_against(frame)
    z2 = 1.959963984540054**2
    assert found["against_share"].tolist() == [0, 100]
    assert found["against_upper"].iloc[0] == pytest.approx(100 * z2 / (200 + z2))
    assert found["against_lower"].iloc[1] == pytest.approx(100 - 100 * z2 / (200 + z2))
