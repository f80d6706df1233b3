"""Criteria met, attrition, contested readings and CONSORT counts, against children judged by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import flow
from helpers.chapters import analysis_data, consort
from helpers.figures import consort_chart
from helpers.study import eligibility
from helpers.study.eligibility import IDS
from helpers.study.parameters import Parameters
from helpers.study.scenario import load
from helpers.study.tables import to_arrays
from helpers.trial import conduct, record, simulate

PLAN = Parameters()

CHILDREN = {
    "well": {},
    "too old": {"I1": -1, "E1": -1},
    "only blood": {"I3": -1, "E2": -1, "E5": 0},
    "no gene test": {"I2": 0},
    "no consent": {"I8": -1, "I2": 0},
    "no virology": {"I6": 0, "E11": 0},
    "no consent either": {"I8": -1},
}
"""Child: criteria that it fails (-1) or that are unknown (0); all others are met."""


def adie_of(children):
    values = np.array([[story.get(i, 1) for story in children.values()] for i in IDS], np.int8)
    return eligibility.adie(np.array(list(children), object), values)


@pytest.fixture(scope="module")
def adie():
    return adie_of(CHILDREN)


def test_status_by_hand(adie):
    found = flow.status(adie).set_index("child")
    assert list(found.index) == list(CHILDREN)
    assert found["status"].to_dict() == {
        "well": "eligible",
        "too old": "screen failure",
        "only blood": "screen failure",
        "no gene test": "pending",
        "no consent": "screen failure",
        "no virology": "pending",
        "no consent either": "screen failure",
    }
    assert found.loc["only blood", ["failed", "unknown"]].tolist() == ["I3, E2", "E5"]
    assert found.loc["well", ["failed", "unknown"]].tolist() == ["", ""]


def test_attrition_by_hand(adie):
    found = flow.attrition(adie).set_index("criterion")
    assert list(found.index) == list(IDS)
    columns = ["failed_alone", "unknown_alone", "failed_first", "not_failed_so_far", "met_so_far"]
    assert (found["screened"] == 7).all()
    assert found.loc["I1", columns].tolist() == [1, 0, 1, 6, 6]
    assert found.loc["I2", columns].tolist() == [0, 2, 0, 6, 4]
    assert found.loc["I3", columns].tolist() == [1, 0, 1, 5, 3]
    assert found.loc["I6", columns].tolist() == [0, 1, 0, 5, 2]
    assert found.loc["I8", columns].tolist() == [2, 0, 2, 3, 1]
    assert found.loc["E1", columns].tolist() == [1, 0, 0, 3, 1]
    assert found.loc["E15", columns].tolist() == [0, 0, 0, 3, 1]
    assert found.loc["I8", "registered"] == "Signed informed consent (children or their families)."


@pytest.fixture(scope="module")
def crowd():
    """Screening table of 3000 simulated children in whom everything is common, missing answers too."""
    p = Parameters(
        missing_answer=0.1, sample_missing=0.15, infection_recent=0.5, virology_positive=0.05,
        virology_missing=0.1, severe_allergy=0.1, allergies_mean=0.7, autoimmune=0.3, immunosuppressant=0.3,
        surgery_recent=0.3, trauma_recent=0.3, blood_loss_recent=0.5, other_study=0.4, cell_product=0.4,
        organ_dysfunction=0.1, gfr_mean=80.0, age_max=18.0, imaging_missing=0.2, upcr_level=0.2,
    )  # fmt: skip
    recorded, _ = simulate.clinic(p, 3000, simulate.Streams(11))
    return record.screening(conduct.columns(p, recorded, np.floor(np.arange(3000) / 4)))


def test_attrition_reconciles_child_by_child(crowd):
    found = flow.attrition(flow.criteria_met(crowd, PLAN))
    values = eligibility.evaluate(to_arrays("screening", crowd), PLAN)
    left, sure = set(range(3000)), set(range(3000))
    for row, verdict in zip(found.itertuples(), values, strict=True):
        failing = set(np.flatnonzero(verdict < 0))
        assert row.failed_alone == len(failing)
        assert row.unknown_alone == (verdict == 0).sum()
        assert row.failed_first == len(failing & left)
        left -= failing
        sure &= set(np.flatnonzero(verdict > 0))
        assert (row.not_failed_so_far, row.met_so_far) == (len(left), len(sure))


def test_contested_readings_are_counted_child_by_child(crowd):
    found = flow.contested(crowd, PLAN)
    columns = to_arrays("screening", crowd)
    now = eligibility.status(eligibility.evaluate(columns, PLAN))
    assert (found["screened"] == 3000).all()
    for (name, value, words), row in zip(eligibility.CONTESTED, found.to_dict("records"), strict=True):
        other = eligibility.status(eligibility.evaluate(columns, Parameters(**{name: value})))
        pairs = list(zip(now, other, strict=True))
        assert (row["reading"], row["parameter"], row["value"]) == (words, name, str(value))
        assert row["changed"] == sum(a != b for a, b in pairs)
        assert row["newly_eligible"] == sum(a != 1 and b == 1 for a, b in pairs)
        assert row["no_longer_eligible"] == sum(a == 1 and b != 1 for a, b in pairs)
        assert row["eligible"] == sum(b == 1 for _, b in pairs)
    assert (found["changed"] > 0).sum() >= 10


def test_a_reading_in_force_is_held_against_the_default(crowd):
    p = Parameters(proteinuria_by="UPCR")
    found = flow.contested(crowd, p).query("parameter == 'proteinuria_by'").set_index("value")
    assert "proteinuria_by as by default: either" in found.loc["either", "reading"]
    back = flow.contested(crowd, PLAN).query("value == 'UPCR'").iloc[0]
    assert found.loc["either", "changed"] == back["changed"] > 0
    assert found.loc["either", "newly_eligible"] == back["no_longer_eligible"]


def test_criteria_met_is_the_published_table():
    study = load("base")
    pd.testing.assert_frame_equal(
        flow.criteria_met(study.read("screening"), study.parameters), study.read("adie")
    )


# ------------------------------------------------------------------ CONSORT


ADSL = pd.DataFrame(
    [
        ("a", "Placebo", "Y", "Y", 2.0, "COMPLETED", None),
        ("b", "Placebo", "N", "Y", 1.0, "DISCONTINUED", "moved away"),
        ("c", "Placebo", "Y", "N", 0.0, "DISCONTINUED", None),
        ("d", "hUC-MSC", "Y", "Y", 2.0, "DISCONTINUED", "moved away"),
        ("e", "hUC-MSC", "N", "Y", 2.0, "DISCONTINUED", "adverse event"),
    ],
    columns=["USUBJID", "TRT01P", "UPCRFL", "SAFFL", "NINFUS", "EOSSTT", "DCSREAS"],
)


def told(frame):
    return [tuple(row) for row in frame.to_numpy(object).tolist()]


def test_screening_boxes_by_hand(adie):
    assert told(flow.consort(adie)) == [
        ("screened", None, None, 7),
        ("screen_failure", None, None, 4),
        ("pending", None, None, 2),
        ("eligible", None, None, 1),
        ("screen_failure", None, "I8", 2),
        ("screen_failure", None, "I1", 1),
        ("screen_failure", None, "I3", 1),
        ("screen_failure", None, "E2", 1),
        ("pending", None, "I2", 1),
        ("pending", None, "I6", 1),
    ]


def test_the_arms_boxes_by_hand():
    five = adie_of({name: {} for name in ADSL["USUBJID"]})
    found = flow.consort(five, ADSL)
    assert told(found[found["reason"].isna()])[3:] == [
        ("eligible", None, None, 5),
        ("randomised", None, None, 5),
        ("allocated", "Placebo", None, 3),
        ("treated", "Placebo", None, 2),
        ("discontinued", "Placebo", None, 2),
        ("analysed", "Placebo", None, 3),
        ("allocated", "hUC-MSC", None, 2),
        ("treated", "hUC-MSC", None, 2),
        ("discontinued", "hUC-MSC", None, 2),
        ("analysed", "hUC-MSC", None, 2),
    ]
    assert told(found[found["reason"].notna()]) == [
        ("treated", "Placebo", "both infusions", 1),
        ("treated", "Placebo", "one infusion", 1),
        ("discontinued", "Placebo", "moved away", 1),
        ("discontinued", "Placebo", "no reason", 1),
        ("analysed", "Placebo", "evaluable", 2),
        ("analysed", "Placebo", "not evaluable", 1),
        ("treated", "hUC-MSC", "both infusions", 2),
        ("treated", "hUC-MSC", "one infusion", 0),
        ("discontinued", "hUC-MSC", "adverse event", 1),
        ("discontinued", "hUC-MSC", "moved away", 1),
        ("analysed", "hUC-MSC", "evaluable", 1),
        ("analysed", "hUC-MSC", "not evaluable", 1),
    ]


def test_who_is_still_followed_has_a_box_of_their_own():
    five = adie_of({name: {} for name in ADSL["USUBJID"]})
    followed = (ADSL["TRT01P"] == "Placebo") & (ADSL["EOSSTT"] == "DISCONTINUED")
    status = ADSL["EOSSTT"].mask(followed, "ONGOING")
    found = flow.consort(five, ADSL.assign(EOSSTT=status, DCSREAS=ADSL["DCSREAS"].mask(followed)))
    box = found[found["reason"].isna()].set_index(["box", "arm"])["children"]
    assert (box["ongoing", "Placebo"], box["discontinued", "Placebo"], box["analysed", "Placebo"]) == (
        2,
        0,
        3,
    )
    assert box["discontinued", "hUC-MSC"] == 2
    assert ("ongoing", "hUC-MSC") not in box.index
    made = consort.boxes(found, {})
    assert made["ongoing_Placebo"] == ("Still followed", 2, [])
    assert consort_chart.consort(made).axes


@pytest.mark.parametrize("with_adsl", [False, True])
def test_the_boxes_of_the_published_trial_add_up(with_adsl):
    study = load("base")
    found = flow.consort(study.read("adie"), study.read("adsl") if with_adsl else None)
    box = found[found["reason"].isna()].groupby("box")["children"].sum()
    assert box["screened"] == box["screen_failure"] + box["pending"] + box["eligible"]
    if with_adsl:
        assert box["eligible"] == box["randomised"] == box["allocated"]


def test_whoever_was_randomised_passed_screening_whatever_the_criteria_say():
    """Of a real trial: one eligible child was not randomised, two were who are not eligible now."""
    adsl = pd.DataFrame(
        {
            "USUBJID": ["only blood", "no gene test"], "TRT01P": ["Placebo", "hUC-MSC"], "UPCRFL": ["Y", "N"],
            "SAFFL": ["Y", "Y"], "NINFUS": [2, 1], "EOSSTT": ["COMPLETED", "COMPLETED"], "DCSREAS": [None, None],
        }
    )  # fmt: skip
    counts = flow.consort(adie_of(CHILDREN), adsl)
    box = counts[counts["reason"].isna() & counts["arm"].isna()].set_index("box")["children"]
    assert box.to_dict() == {
        "screened": 7, "screen_failure": 3, "pending": 1, "eligible": 3, "not_needed": 1, "randomised": 2,
    }  # fmt: skip
    why = counts[(counts["box"] == "eligible") & counts["reason"].notna()].set_index("reason")["children"]
    assert why.to_dict() == {"failed": 1, "unknown": 1}
    shown = analysis_data.flow(counts)
    text = " ".join(str(label) for label in shown.data["label"])
    assert "Eligible, not randomised" in text
    assert (
        "Screen failures 3; Pending: a fact is missing 1; Eligible 3; Eligible, not randomised 1" in shown.alt
    )
    # nothing new where all who are eligible, and nobody else, were randomised
    adsl = adsl.assign(USUBJID=["well", "nobody"]).iloc[:1]
    plain = flow.consort(adie_of(CHILDREN), adsl)
    assert "not_needed" not in set(plain["box"])
    assert plain.loc[plain["box"] == "eligible", "children"].tolist() == [1]
