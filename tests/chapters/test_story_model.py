"""The exhibits of model, calibration and selection: they stand alone, also where no child fits a population."""

import re

import pytest

from helpers.chapters import model
from helpers.study.scenario import load
from helpers.trial.components import CLINIC, FOLLOW_UP, MEASUREMENT

NOBODY = dict(
    upcr_level=0.1, upcr_median_3_5=0.01, upcr_median_6_8=0.01, upcr_median_9_12=0.01, upcr_log_sd=0.0,
    consent_given=0.0,
)  # fmt: skip


@pytest.fixture(scope="module", params=[{}, NOBODY], ids=["base", "nobody fits"])
def study(request):
    return load("base", **request.param)


def test_every_exhibit_can_be_shown(study):
    exhibits = [
        model.model(study.parameters, CLINIC, MEASUREMENT),
        model.model(study.parameters, FOLLOW_UP),
        *(make(study, chapter) for make in (model.against_published, model.pictures) for chapter in (1, 3)),
        model.selected_baseline(study),
        model.stable_remission(study),
        model.artefacts(study),
    ]
    for exhibit in exhibits:
        assert exhibit.population
        if exhibit.figure is None:
            assert not re.search(r"\b(nan|None)\b", exhibit.table())
        else:
            assert len(exhibit.png()) > 1000
            assert not re.search(r"\bnan\b", exhibit.alt)


def test_what_lies_outside_says_why(study):
    for chapter in (1, 3):
        frame = model.against_published(study, chapter).data
        outside = frame[frame["verdict"] != "inside"]
        assert outside["why"].str.endswith(".").all()
        assert (frame.loc[frame["verdict"] == "inside", "why"] == "").all()


def test_a_changed_clinic_names_what_was_changed():
    frame = model.against_published(load("base", gfr_mean=80.0), 1).data
    row = frame[frame["quantity"].eq("eGFR, mean")].iloc[0]
    assert row["verdict"] == "outside"
    assert "gfr_mean" in row["why"]
