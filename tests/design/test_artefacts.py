"""Frames of what selection and noise do: percent from logs, limits in their order, baselines by name."""

import numpy as np
import pytest

from helpers.design import artefacts, selection
from helpers.study.parameters import Parameters

PLAN = Parameters()


def found(**changes):
    """What `selection.shown` returns, every log change told apart by threshold, baseline and time."""
    out = {}
    for k, threshold in enumerate(selection.THRESHOLDS):
        out[f"{threshold:g} n"] = [1000.0 + k]
        for b, baseline in enumerate(selection.BASELINES):
            for w, when in enumerate(selection.AT):
                value = -0.01 * (1 + 100 * k + 10 * b + w)
                out[f"{threshold:g} {baseline} {when}"] = [value, value - 0.002, value + 0.003]
            out[f"{threshold:g} {baseline} halved"] = [0.001 * (1 + k + 10 * b), 0.0, 1.0]
    rows = [{"noise": "independent", "sd": 0.4, "level": 1.0, "definition": "fall", "any visit": 45.0}]
    return {"selection": out | changes, "stable": rows}


def test_falls_in_percent_with_their_intervals(monkeypatch):
    monkeypatch.setattr(selection, "shown", lambda p: found())
    frame = artefacts.falls(PLAN)
    assert len(frame) == len(selection.THRESHOLDS) * len(selection.BASELINES)
    row = frame[(frame["threshold"] == 1.0) & (frame["baseline"] == "separate")].iloc[0]
    assert row["children"] == 1002
    assert row["month 6"] == pytest.approx(100 * (np.exp(-2.12) - 1))
    assert row["month 6_low"] == pytest.approx(100 * (np.exp(-2.122) - 1))
    assert row["month 6_high"] == pytest.approx(100 * (np.exp(-2.117) - 1))
    assert row["halved"] == pytest.approx(100 * 0.013)


def test_where_nobody_is_selected_no_number_is_given(monkeypatch):
    nobody = {"2 n": [0.0], "2 separate month 12": [None] * 3, "2 separate halved": [None] * 3}
    monkeypatch.setattr(selection, "shown", lambda p: found(**nobody))
    frame = artefacts.falls(PLAN)
    row = frame[(frame["threshold"] == 2.0) & (frame["baseline"] == "separate")].iloc[0]
    assert row["children"] == 0
    assert np.isnan([row["month 12"], row["month 12_low"], row["halved"]]).all()
    assert np.isfinite(row["month 6"])


def test_remissions_are_the_rows_as_stored(monkeypatch):
    monkeypatch.setattr(selection, "shown", lambda p: found())
    assert artefacts.remissions(PLAN).to_dict("records") == found()["stable"]
