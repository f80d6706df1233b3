"""Chapter 08: what is said of many trials."""

import numpy as np
import pandas as pd
import pytest

from helpers.chapters import operating as chapter
from helpers.chapters import prospects as behind
from helpers.design import characteristics, operating, prospects, simulation_error
from helpers.study.parameters import Parameters

P = Parameters()
FEW = 20


@pytest.fixture(
    scope="module", params=["base", pytest.param("hopeless", marks=pytest.mark.slow), "no effect"]
)
def made(request):
    """(parameters, answer) of few trials; of one that finds nobody; of one in which the scenario assumes nothing."""
    p = P.model_copy(
        update={"hopeless": {"upcr_noise": 0.6}, "no effect": {"upcr_effect": 1.0}}.get(request.param, {})
    )
    with pytest.MonkeyPatch.context() as here:
        here.setattr(characteristics, "SIZES", (20, 40))
        here.setattr(characteristics, "EFFECTS", (1.0, 0.3))
        here.setattr(characteristics, "CLOSED", 100)
        here.setattr(operating, "GIANT", 50)
        answer = characteristics.whole(p, dict.fromkeys(characteristics.PARTS, FEW), 1000)
    if request.param == "hopeless":
        # a scenario whose other designs can't be run, and whose trials never find anything
        hopeless = {"alternative": "none", "why": "screening is hopeless"}
        answer["alternatives"] = [*answer["alternatives"][:4], hopeless]
        for rows in (answer["effects"], answer["sizes"], answer["precision"]):
            for row in rows:
                row |= {"favour": 0, "significant": None}
        answer["needed"] = [row | {"needed": None, "lower": None, "upper": None} for row in answer["needed"]]
    return p, answer


def findings(p, answer):
    claims = simulation_error.claims_against(characteristics.false_claims(answer, p))
    brief = simulation_error.numeric_gain(characteristics.answer_in_brief(answer, p), FEW)
    brief = simulation_error.exact_claim(brief, claims)
    fairness = characteristics.fairness(answer)
    curve = simulation_error.exact_null(characteristics.by_effect(answer), claims)
    readings = characteristics.readings(answer)
    return {
        "brief": chapter.brief(brief, FEW, p),
        "effect": chapter.by_effect(characteristics.by_effect(answer), FEW, p),
        "size": chapter.by_size(
            characteristics.by_size(answer), characteristics.children_needed(answer), FEW, p
        ),
        "false": chapter.false_claims(claims, FEW, p),
        "near": chapter.near_sizes(simulation_error.near_sizes(p, 0.14, 0.41, (40,)), p),
        "precision": chapter.precision(characteristics.precision(answer), FEW, p),
        "readings": chapter.readings(readings, FEW, p),
        "alternatives": chapter.alternatives(
            simulation_error.gains(characteristics.alternatives(answer), FEW), FEW, p
        ),
        "exact": behind.exactly(characteristics.beside_exactly(answer), FEW, p),
        "others": behind.others(characteristics.others(answer, p), FEW, p),
        "hurts": behind.hurts(characteristics.hurts(answer), brief, FEW, p),
        "fairness": behind.fairness(fairness, simulation_error.worlds(fairness), FEW, p),
        "picked": behind.picked(
            characteristics.picked(answer), FEW, p, prospects.families(characteristics.READINGS)
        ),
        "look": behind.look(characteristics.looks(answer, p), answer["calendar"][0], p),
        "stopping": behind.stopping(prospects.boundary(p), prospects.stopping(p), p),
        "assured": behind.assured(simulation_error.assured(curve), FEW, p),
        "safety": chapter.safety(characteristics.safety(p), p),
        "statement": chapter.statement(brief, readings, FEW, p),
    }


def test_everything_can_be_shown_and_said(made):
    found = findings(*made)
    statement = found.pop("statement")
    for finding in found.values():
        for exhibit in finding.exhibits:
            assert exhibit.png() if exhibit.figure is not None else "nan" not in exhibit.table()
        assert "nan" not in " ".join(str(v) for v in finding.said.values())
    assert "nan" not in " ".join(str(v) for v in statement.values())
    assert chapter.card(made[1], made[0]).table().count("<tr>") == 6


def test_the_sentences_hold_the_numbers_of_their_frames(made):
    p, answer = made
    found = findings(p, answer)
    frame = characteristics.answer_in_brief(answer, p).set_index("question")
    assert found["brief"].said["power"].value == pytest.approx(frame.loc["power", "estimate"])
    plan = characteristics.readings(answer).iloc[0]
    assert found["readings"].said["placebo"].value == pytest.approx(plan["placebo"])
    best = characteristics.readings(answer).sort_values("power", ascending=False, kind="stable").iloc[0]
    assert found["readings"].said["best"] == best["reading"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((98, 90, 108), "98 (90 to 108)"),
        ((118, 106, np.nan), "118 (106 to > 120)"),
        ((np.nan, 110, np.nan), "> 120 (110 to > 120)"),
        ((np.nan, np.nan, np.nan), "> 120"),
    ],
)
def test_children_needed_in_words(values, words):
    assert chapter.children_needed_text(*values) == words


@pytest.mark.parametrize(
    ("values", "words"), [((41.95, 39.8, 44.1), "42 % (40 to 44)"), ((2.05, 1.5, 2.8), "2.1 % (1.5 to 2.8)")]
)
def test_simulated_shares_in_words(values, words):
    assert chapter.percent_text(*values) == words


@pytest.mark.parametrize(
    ("power", "words"),
    [(42, "about 4 of 10 such trials"), (6, "about one such trial in 17"), (0, "hardly any such trial"),
     (1, "about one such trial in 100"), (0.99, "hardly any such trial"), (15, "about 2 of 10 such trials"),
     (88, "about three such trials in four, or more")],
)  # fmt: skip
def test_power_in_words(power, words):
    assert chapter._odds(power) == words


def test_one_point_is_one_point():
    assert chapter.gain_text(1.2, -4, 6) == "1 point (-4 to 6)"
    assert chapter.gain_text(-0.9, -4, 6) == "-1 point (-4 to 6)"
    assert chapter.gain_text(21.6, 18.5, 24.7) == "22 points (19 to 25)"
    assert chapter.gain_text(1.2, -4, 6, unit="") == "1 (-4 to 6)"


def test_numbers_against_categories_in_words():
    told = []
    for power in (60.0, 30.0, 41.0):
        rows = pd.DataFrame({"question": ["power", "power_numeric"], "estimate": [40.0, power]})
        gain = list(simulation_error.numeric_gain(rows, 2000).assign(unit="points").itertuples())[-1]
        told.append(chapter._better(gain).format(gain=chapter._told(gain)))
    assert "20 points (17 to 23) more often" in told[0]
    assert "10 points (7 to 13) less often" in told[1]
    assert "about as often" in told[2]


def test_a_design_that_is_the_plan_is_said_to_be(made):
    p, answer = made
    frame = simulation_error.gains(characteristics.alternatives(answer), FEW)
    (exhibit,) = chapter.alternatives(frame, FEW, p).exhibits
    told = exhibit.data.set_index("alternative")["gain_text"]
    assert p.baseline_samples == "mean of both"
    itself = told[told == "the plan itself"].index.tolist()
    assert itself == ["baseline: mean of two samples"][: int("baseline: mean of two samples" in told.index)]


def test_steps_of_an_exact_power_in_words():
    rises = "By enumeration the primary's power rises with every two children around these sizes."

    def said(*powers, sizes=(58, 60, 62)):
        frame = pd.DataFrame({"n": sizes, "arms": "", "power": powers})
        return chapter.near_sizes(frame, P).exhibits[0].caption

    assert said(66.2, 62.4, 67.2) == "An exact test's power goes in steps: 60 children find less than 58."
    assert (
        said(66.2, 62.4, 61.2)
        == "An exact test's power goes in steps: 60 children find less than 58 and 62 children find less than 60."
    )
    assert said(60.0, 62.4, 67.2) == rises
    # a size further away is another matter
    assert said(66.2, 62.4, sizes=(42, 58)) == rises


def test_a_gap_that_the_closed_form_explains_is_explained_from_two_errors_on():
    rows = [("power ancova average", 0.65, 71.8, 1.0, 74.5, "%"), ("fever", np.nan, 71.8, 1.0, 74.5, "%"),
            ("power ancova average, complete", 0.65, 74.6, 1.0, 74.5, "%")]  # fmt: skip
    frame = characteristics.beside_exactly(
        {
            "exact": [
                dict(zip(("question", "effect", "simulated", "se", "exact", "unit"), row, strict=True))
                for row in rows
            ]
        }
    )
    found = behind.exactly(frame, FEW, P)
    assert found.exhibits[0].data["reason"].tolist() == [
        "missed visits and drop-out, which it leaves out", "within chance", "within chance",
    ]  # fmt: skip
    assert found.said["near"].value == 2


def test_each_interval_has_its_name(made):
    p, answer = made
    (exhibit,) = chapter.precision(characteristics.precision(answer), FEW, p).exhibits
    told = exhibit.data.set_index("analysis")["interval"]
    assert told["confirmed"] == "exact, inverts Boschloo's test"
    assert told["confirmed, Fisher"] == told["confirmed, Barnard"] == "Miettinen-Nurminen"
    assert told["ancova average"] == "t"
    assert told["cumulative"] == "Greenwood, normal"
    assert set(told.index) == set(operating.DEFAULT)


def test_settings_that_are_not_stored_say_how_many_trials_they_were_asked():
    assert chapter.fewer_text(characteristics.FULL) == ""
    told = chapter.fewer_text(characteristics.QUICK)
    assert "1,000 trials were asked where stored ones have 2,000" in told
    assert told.startswith(" ")


@pytest.mark.parametrize(
    ("lower", "words"), [(29.31, "± 29.5 points (29.3 to 29.6)"), (np.nan, "± 29.5 points")]
)
def test_half_a_width_is_told_with_its_error(lower, words):
    row = pd.Series(
        {"question": "half_width", "estimate": 29.46, "lower": lower, "upper": 29.61, "unit": "points"}
    )
    assert chapter._told(row) == words
