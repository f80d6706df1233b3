"""Limits of gains and of claims, by hand and at the ends."""

import math

import numpy as np
import pandas as pd
import pytest

from helpers.design import prospects, simulation_error
from helpers.estimators import planning
from helpers.study.parameters import Parameters

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


def claims(null=True, exact=1.5):
    return pd.DataFrame({"analysis": ["confirmed", "ancova average"], "exact": [exact, np.nan], "null": null})


def test_an_exact_claim_stands_after_the_simulated_one_where_it_is_one():
    brief = pd.DataFrame({"question": ["power", "false_claim", "half_width"], "estimate": [50.0, 1.0, 30.0]})
    found = simulation_error.exact_claim(brief, claims())
    assert list(found["question"]) == ["power", "false_claim", "false_claim_exact", "half_width"]
    assert found["estimate"].iloc[2] == 1.5
    for without in (claims(null=False), claims(exact=np.nan)):
        pd.testing.assert_frame_equal(simulation_error.exact_claim(brief, without), brief)


def test_sizes_around_a_size_and_its_arms():
    plan = Parameters(allocation="2:1")
    for p, arms in (
        (Parameters(), ["19 v 19", "20 v 20", "21 v 21"]),
        (plan, ["13 v 25", "13 v 27", "14 v 28"]),
    ):
        found = simulation_error.near_sizes(p, 0.15, 0.45, (40,))
        assert found["n"].tolist() == [38, 40, 42]
        assert found["arms"].tolist() == arms
        sizes = tuple(int(m) for m in arms[1].split(" v "))
        assert found["power"].iloc[1] == 100 * planning.exact_power((0.15, 0.45), sizes, p.alpha).above
    assert simulation_error.near_sizes(Parameters(), 0.15, 0.45, (4,))["n"].tolist() == [4, 6]
    # two sizes near each other are listed once
    assert simulation_error.near_sizes(Parameters(), 0.15, 0.45, (40, 42))["n"].tolist() == [38, 40, 42, 44]


def curve():
    rows = [(e, a, w) for a, powers in (("confirmed", (1.0, 20.0, 90.0)), ("ancova average", (2.5, 60.0, 99.0)))
            for e, w in zip((1.0, 0.7, 0.3), powers, strict=True)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["effect", "analysis", "power"])
    return frame.assign(power_lower=frame["power"] - 0.5, power_upper=frame["power"] + 0.5)


def test_only_claims_without_an_effect_become_exact():
    found = simulation_error.exact_null(curve(), claims())
    assert found["power"].tolist() == [1.5, 20.0, 90.0, 2.5, 60.0, 99.0]
    assert found["power_lower"].tolist() == [1.5, 19.5, 89.5, 2.0, 59.5, 98.5]
    assert found["power_upper"].tolist() == [1.5, 20.5, 90.5, 3.0, 60.5, 99.5]
    pd.testing.assert_frame_equal(simulation_error.exact_null(curve(), claims(null=False)), curve())


def test_limits_of_assurance_hold_it_and_are_those_of_the_powers():
    found = simulation_error.assured(curve())
    plain = prospects.assured(curve())
    pd.testing.assert_frame_equal(found[plain.columns], plain)
    for name in ("success", "true"):
        assert (found[f"{name}_lower"] < found[name]).all()
        assert (found[name] < found[f"{name}_upper"]).all()
    low = prospects.assured(curve().assign(power=curve()["power_lower"]))
    assert found["success_lower"].tolist() == low["success"].tolist()
    # what is exact has no Monte Carlo error, and less of it is left where the null is known
    exact = simulation_error.assured(simulation_error.exact_null(curve(), claims()))
    mine = exact["analysis"] == "confirmed"
    assert (
        (exact["true_upper"] - exact["true_lower"])[mine] < (found["true_upper"] - found["true_lower"])[mine]
    ).all()


def test_gains_of_the_worlds():
    rows = [("as assumed", e, a, w, 100) for e, powers in ((0.8, (50.0, 70.0)), (0.5, (70.0, 50.0)))
            for a, w in zip(("confirmed", "ancova average"), powers, strict=True)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["shape", "effect", "analysis", "power", "trials"])
    found = simulation_error.worlds(frame)
    assert found["gain"].tolist() == [20.0, -20.0]
    apart = simulation_error.gains(of(50.0, 70.0), 100).iloc[1]
    assert found["gain_lower"].iloc[0] == apart["gain_lower"]
    assert found["gain_upper"].iloc[1] == pytest.approx(-apart["gain_lower"])
