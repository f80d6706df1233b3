"""Who is at risk of a confirmed remission: a trial counted by hand, and the bias of the naive curve found and gone."""

import numpy as np
import pytest
from conftest import STRICT

from helpers.design import known_confirmation as study
from helpers.estimators import survival
from helpers.study.parameters import Parameters

P = Parameters()
R, N, X = 1, 0, -1
BY_HAND = np.array(
    [
        [N, R, R, R, N, N, N, N, N, N, N],  # begins at week 4, confirmed at week 8
        [N, N, N, N, N, N, N, N, N, N, R],  # month 12 confirms nothing
        [N, N, N, N, R, X, X, X, X, X, X],  # left in remission
        [X] * 11,
    ],
    np.int8,
)


@pytest.mark.parametrize(
    ("way", "at", "event"),
    [
        ("naive", [1, 10, 4, -1], [True, False, False, False]),
        ("risk set", [1, 9, 3, -1], [True, False, False, False]),  # week 8 is 35 days before month 3
        ("confirming", [3, 10, 4, -1], [True, False, False, False]),
    ],
)
def test_event_and_censoring_by_hand(way, at, event):
    found = study.counted(BY_HAND, way, P)
    assert (found.at.tolist(), found.event.tolist()) == (at, event)


def test_the_curve_is_lifelines():
    seen, _ = study.states((3, 30), np.random.default_rng(1), 0.4)
    found = study.counted(seen, "risk set", P)
    estimate, low, high = study.cumulative(found)
    for k in range(3):
        inside = found.at[k] >= 0
        table = survival.kaplan_meier(found.at[k][inside] + 1, found.event[k][inside].astype(int)).iloc[-1]
        assert [estimate[k], low[k], high[k]] == pytest.approx(
            [1 - table["survival"], 1 - table["upper"], 1 - table["lower"]], rel=1e-9
        )


@pytest.mark.parametrize("informative", [False, True])
def test_the_risk_set_removes_the_bias_that_drop_out_alone_makes(informative):
    """100,000 children of whom 40 % leave: the naive curve lies 1.7 points too low, the others within 0.6 of truth.

    Where those without a fall leave sooner no risk set helps: the curve then lies too high.
    """
    seen, full = study.states((1, 100_000), np.random.default_rng(2), 0.4, informative)
    truth = study.counted(full, "risk set", P).event.mean()
    bias = {way: float(study.cumulative(study.counted(seen, way, P))[0][0]) - truth for way in study.WAYS}
    if informative:
        assert min(bias["risk set"], bias["confirming"]) > 0.03
    else:
        assert bias["naive"] < -0.011
        assert abs(bias["risk set"]) < 0.006
        assert abs(bias["confirming"]) < 0.006


@STRICT
def test_the_study_has_its_rows(monkeypatch):
    # the truth of fewer children does for counting rows
    monkeypatch.setattr(study, "TRUTH_CHILDREN", 5000)
    rows = list(study.study(20, 12, np.random.default_rng(3)))
    assert len(rows) == 13
    assert len({row["method"] for row in rows}) == 13


@pytest.mark.slow
def test_what_is_asked_of_each_way_of_counting():
    names = [row["method"] for row in study.study(20, 8, np.random.default_rng(4))]
    assert len(names) == len(set(names))
    for question, ways in (
        ("Log-rank test", ("naive", "risk set")),
        ("Mean time without confirmed remission", ("risk set",)),
        ("Log hazard ratio of confirmed remission", ("risk set",)),
    ):
        mine = [name for name in names if name.startswith(question)]
        assert len(mine) == len(ways), question
        assert all(study.WAYS[way] in name for way, name in zip(ways, mine, strict=True)), question
