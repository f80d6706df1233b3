"""The exhibits of model, calibration and selection: right numbers, and they stand alone where nobody fits."""

import re

import numpy as np
import pandas as pd
import pytest

from helpers.chapters import model
from helpers.design import artefacts, beside_published, survivorship
from helpers.design.published import CLINIC, COURSE
from helpers.study.parameters import Parameters
from helpers.study.shown import plain
from helpers.trial import components

PLAN = Parameters()
NOBODY = Parameters(
    upcr_level=0.1,
    upcr_median_3_5=0.01,
    upcr_median_6_8=0.01,
    upcr_median_9_12=0.01,
    upcr_log_sd=0.0,
    consent_given=0.0,
)


@pytest.fixture(scope="module", params=[PLAN, NOBODY], ids=["base", "nobody fits"])
def plan(request):
    return request.param


def test_every_exhibit_can_be_shown(plan):
    falls, remissions = artefacts.falls(plan), artefacts.remissions(plan)
    exhibits = [
        model.components(components.table(plan, components.CLINIC, components.MEASUREMENT)),
        model.components(components.table(plan, components.FOLLOW_UP)),
        model.falls(falls),
        model.remissions(remissions),
        model.artefacts(falls, remissions),
    ]
    for part in (CLINIC, COURSE):
        curves = beside_published.curves(plan, part)
        exhibits += [
            model.quantities(beside_published.quantities(plan, part), part),
            model.curves(curves, beside_published.medians(curves)),
        ]
    for exhibit in exhibits:
        assert exhibit.population
        if exhibit.figure is None:
            assert not re.search(r"\b(nan|None)\b", exhibit.table())
        else:
            assert len(exhibit.png()) > 1000
            assert not re.search(r"\bnan\b", exhibit.alt)


def test_what_lies_outside_says_why(plan):
    for part in (CLINIC, COURSE):
        frame = model.quantities(beside_published.quantities(plan, part), part).data
        outside = frame[frame["verdict"] != "inside"]
        assert outside["why"].str.endswith(".").all()
        assert (frame.loc[frame["verdict"] == "inside", "why"] == "").all()


def test_a_changed_clinic_names_what_was_changed():
    frame = beside_published.quantities(Parameters(gfr_mean=80.0), CLINIC)
    row = frame[frame["quantity"].eq("eGFR, mean")].iloc[0]
    assert row["verdict"] == "outside"
    assert "gfr_mean" in row["why"]


def three_quantities() -> pd.DataFrame:
    """One inside, one outside with a reason, one that nobody fits."""
    frame = beside_published.quantities(PLAN, CLINIC).iloc[:3].copy()
    frame["verdict"] = ["inside", "outside", "not estimable"]
    frame["why"] = ["", "Because.", ""]
    frame["published"], frame["low"], frame["high"] = (
        [77.0, 0.1256, 102.4],
        [68.9, 0.1, 99.0],
        [83.5, 0.2, 105.5],
    )
    frame["range"] = "stated"
    frame["simulated"] = [76.04, 0.31, np.nan]
    frame["mc_low"], frame["mc_high"] = [75.96, 0.305, np.nan], [76.16, 0.315, np.nan]
    return frame


def test_quantities_are_worded_and_counted():
    exhibit = model.quantities(three_quantities(), CLINIC)
    assert exhibit.data["shown"].tolist() == [
        "77.0 (68.9 to 83.5; stated)", "0.13 (0.10 to 0.20; stated)", "102 (99.0 to 106; stated)",
    ]  # fmt: skip
    assert exhibit.data["ours"].tolist() == ["76.0 (76.0 to 76.2)", "0.31 (0.31 to 0.32)", "–"]
    assert exhibit.data["result"].tolist() == ["inside", "outside. Because.", "not estimable"]
    assert {r.key: r.value for r in exhibit.results} == {
        "screening.calibration_inside": 1,
        "screening.calibration_quantities": 3,
    }
    assert exhibit.caption.startswith("1 of 3 simulated values")
    assert model.quantities(three_quantities(), COURSE).results[0].key == "follow_up.calibration_inside"


def test_a_bound_is_said_where_a_value_lies_outside():
    frame = three_quantities()
    frame["verdict"], frame["why"] = ["beyond", "outside", "not estimable"], ["Because.", "Because.", ""]
    frame["bound_low"], frame["bound_high"], frame["bound"] = [60.0] * 3, [105.0] * 3, "as far as that"
    exhibit = model.quantities(frame, CLINIC)
    assert exhibit.data["result"].tolist() == [
        "beyond the limits 60.0 to 105 (as far as that). Because.",
        "outside, but stays within 60.0 to 105 (as far as that). Because.",
        "not estimable",
    ]
    assert "0 of 3 simulated values lie inside the published range, 1 beyond" in exhibit.caption


def test_slopes_of_gfr_and_what_survivorship_explains_of_them():
    frame = survivorship.table(PLAN)
    found = model.age_slopes(frame)
    (table,) = found.exhibits
    assert table.data["label"].tolist() == [
        "A child's own slope", "Across children, if nobody leaves", "Across children, if they leave at a GFR of 15",
        "Across children, if they leave at a GFR of 30", "Across children, if they leave at a GFR of 60",
        "Across children, in the simulated clinic",
    ]  # fmt: skip
    assert found.said["within"].value == PLAN.gfr_slope_severe
    assert found.said["at_60"].value == frame.loc[frame["floor"] == 60, "slope"].item()
    assert found.said["published_spread"] == "16.2 (NH22) and 17.4 (NH23)"
    assert found.said["words"].startswith(
        "Kidney failure alone (GFR 15) explains a small part of the gap; leaving"
    )
    steeper = model.age_slopes(survivorship.table(Parameters(gfr_slope_severe=-0.5)))
    assert "steeper" in steeper.said["words"]
    open_ = model.age_slopes(survivorship.table(Parameters(gfr_age_from=18.0)))
    assert open_.said["words"] == "There is no gap to explain."
    assert not re.search(r"\b(nan|None)\b", open_.exhibits[0].table())


def test_boys_without_proteinuria_are_said_as_the_frame_has_them():
    frame = beside_published.quantities(PLAN, CLINIC)
    said = model.without_proteinuria(frame)
    assert str(said["published"]) == "119 mL/min/1.73m2"
    assert str(said["former"]) == "89 mL/min/1.73m2"
    assert said["ours"].value == frame.loc[frame["row"] == "N202", "simulated"].item()


def test_curves_show_the_frame_with_its_medians_in_words():
    frame = beside_published.curves(PLAN, COURSE)
    frame.loc[(frame["curve"] == "NH27") & (frame["kind"] == "simulated"), "value"] = np.nan
    exhibit = model.curves(frame, beside_published.medians(frame))
    assert list(exhibit.data.columns) == ["panel", "kind", "percentile", "value", "source"]
    assert exhibit.data["value"].equals(frame["value"])
    assert exhibit.data["panel"].iloc[0].startswith("eGFR slope, boys")
    ours = beside_published.medians(frame).set_index("curve")["simulated"]
    assert f"eGFR slope, girls: simulated median {plain(ours['NH25'], 3)}, published" in exhibit.alt
    assert "not proteinuric" not in exhibit.alt
    titles = [ax.get_title("left").replace("\n", " ") for ax in exhibit.figure.axes]
    assert titles[:3] == list(dict.fromkeys(exhibit.data["panel"]))[:3]


def test_falls_are_those_of_the_frame():
    frame = artefacts.falls(PLAN)
    exhibit = model.falls(frame)
    assert exhibit.data.drop(columns="baseline").equals(frame.drop(columns="baseline"))
    assert exhibit.data["baseline"].iloc[:3].tolist() == [
        "eligibility sample",
        "separate sample",
        "mean of both",
    ]


def test_noise_is_named_by_what_it_is():
    """Remission is read as the plan reads it, whatever a study changes: follow-up does not hang on the reading."""
    exhibit = model.remissions(artefacts.remissions(PLAN))
    children = list(dict.fromkeys(exhibit.data["child"]))
    assert children[0] == "independent, log-SD 0.1; 1 mg/mg"
    assert children[-1] == "as assumed, with slow deviation; 3 mg/mg"
    assert exhibit.columns["confirmed"] == "Confirmed after 28 days or more"
    assert "fall: 50 % below baseline" in exhibit.conventions


def test_the_picture_of_artefacts_holds_both_frames():
    falls, remissions = artefacts.falls(PLAN), artefacts.remissions(PLAN)
    falls.loc[(falls["baseline"] == "eligibility") & (falls["threshold"] == 1.0), "month 12"] = -33.0
    chosen = (
        (remissions["noise"] == "independent")
        & (remissions["sd"] == 0.4)
        & (remissions["definition"] == "fall")
    )
    remissions.loc[chosen, ["any visit", "confirmed", "month 12"]] = [45.4, 9.1, 5.2]
    exhibit = model.artefacts(falls, remissions)
    selected = exhibit.data[exhibit.data["panel"] == "selection"]
    for row in selected.itertuples():
        name = {"eligibility sample": "eligibility", "separate sample": "separate"}.get(row.line, row.line)
        (fall,) = falls.loc[(falls["baseline"] == name) & (falls["threshold"] == row.x), "month 12"]
        assert row.value == fall
    assert len(selected) == len(falls)
    noisy = exhibit.data[(exhibit.data["panel"] == "remission") & (exhibit.data["x"] == 0.4)]
    assert dict(zip(noisy["line"], noisy["value"], strict=True)) == {
        "any visit": 45.4, "confirmed": 9.1, "month 12": 5.2,
    }  # fmt: skip
    assert "largest fall from selection is 33.0 % (eligibility sample, threshold 1)" in exhibit.alt
    assert "at any visit with 45 %, confirmed with 9 %, at month 12 with 5 %" in exhibit.alt
