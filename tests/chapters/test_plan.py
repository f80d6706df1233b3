"""Chapter 00 prints the plan as it is in force: parameters, windows, estimands and readings."""

import csv

import pandas as pd
import pytest

from helpers import ROOT
from helpers.chapters import plan
from helpers.design import assumed_effect
from helpers.study import estimands, literature
from helpers.study.literature import targets
from helpers.study.parameters import GROUPS, Parameters
from helpers.study.protocol import ARMS, OUTCOMES, VISITS, registered_text
from helpers.study.scenario import load


@pytest.fixture(scope="module")
def study():
    return load("base", n_randomised=24, upcr_effect=0.4)


@pytest.fixture(scope="module")
def register(study):
    return study.register()


def test_outcomes_are_quoted_word_for_word():
    frame = plan.outcomes().data
    assert frame["role"].tolist() == ["primary", "secondary", "secondary"]
    text = " ".join(registered_text().split())
    assert len(frame) == len(OUTCOMES)
    for row in frame.itertuples():
        assert row.outcome in text
        assert row.text.rstrip(".") in text


def test_the_registration_names_both_arms():
    frame = plan.registration().data.set_index("item")
    assert "40 children" in frame.loc["Design", "registered"]
    for word in (ARMS[1], "placebo"):
        assert word in frame.loc["Arms", "registered"]


def rows_of_targets():
    with (ROOT / "data" / "reference" / "targets-2.csv").open(encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_base_is_called_optimistic_and_beside_what():
    """About ALIGN's -36 %, more than sparsentan in children (-19 %) or SGLT2 inhibitors (-23 to -27 %)."""
    found = plan.effect(assumed_effect.table(load("base").parameters))
    words, rows = found.said["words"], rows_of_targets()
    assert words.startswith("A fall of 35 % is optimistic: about that of atrasentan")
    assert f"({rows['N208']['value']} %" in words
    assert "more than sparsentan against irbesartan in children (-19.0 %, N209)" in words
    assert rows["N209"]["value"] == "0.81"
    assert (
        f"more than SGLT2 inhibitors (-25.0 % ({rows['N211']['low']} to {rows['N211']['high']}), N211)"
        in words
    )
    (table,) = found.exhibits
    assert table.data["row"].tolist() == ["assumed", "N208", "N209", "N211", "N212", "N213"]
    assert table.data["text"].iloc[0] == "-35.0 %"
    for row in table.data.iloc[1:].itertuples():
        assert rows[row.row]["quantity"] in row.label
        assert rows[row.row]["population"] in row.label
    assert found.said["cells"] == (
        "Of mesenchymal cells in human chronic kidney disease, three randomised trials saw no change of creatinine and "
        "GFR (N212)"
    )
    assert table.data["text"].iloc[-1] == rows["N213"]["note"]


@pytest.mark.parametrize(
    ("effect", "than", "said"),
    [
        (0.8, ["less", "about", "less"], "is no more than other treatments have reached"),
        (0.4, ["more", "more", "more"], "is optimistic"),
        (1.0, ["less", "less", "less"], "No fall is assumed"),
        (0.781, ["less", "about", "less"], "is no more than"),  # -21.9 beside -19 and -25
        (0.779, ["less", "more", "about"], "is no more than"),
    ],
)
def test_how_bold_an_effect_is(effect, than, said):
    frame = assumed_effect.table(Parameters(upcr_effect=effect))
    assert frame["than"].tolist() == ["", *than, "", ""]
    assert said in plan.effect(frame).said["words"]


def test_modest_effect_is_a_smaller_one_and_nothing_else():
    changed = load("modest-effect").register().query("value != default")
    assert changed[["parameter", "value"]].to_numpy().tolist() == [["upcr_effect", "0.8"]]


def test_each_visit_with_the_window_of_its_time():
    exhibit = plan.visits(Parameters(window_to_week_8=1, window_to_month_6=5, window_after_month_6=9))
    frame = exhibit.data.set_index("visit")
    assert list(frame.index) == [visit.name for visit in VISITS]
    assert frame.loc["Week 2", ["day", "window"]].tolist() == [14, "±1"]
    assert frame.loc["Week 8", ["day", "window"]].tolist() == [56, "±1"]
    assert frame.loc["Month 3", ["day", "window"]].tolist() == [91, "±5"]
    assert frame.loc["Month 6", ["day", "window"]].tolist() == [183, "±5"]
    assert frame.loc["Month 8", ["day", "window"]].tolist() == [244, "±9"]
    assert frame.loc["Month 12", ["day", "window"]].tolist() == [365, "±9"]
    assert frame.loc["Month 12", "month"] == pytest.approx(365 / 30.4375)
    assert exhibit.units == {"day": "days", "window": "days", "month": "months"}
    assert "a month is 30.4375 days" in exhibit.conventions


def test_groups_of_the_register_part_it_without_rest(register):
    shown = pd.concat([plan.register(register, group).data for group in GROUPS])
    assert sorted(shown["parameter"]) == sorted(Parameters.model_fields)
    for group, title in GROUPS.items():
        exhibit = plan.register(register, group)
        assert set(exhibit.data["group"]) == {title}
        assert exhibit.key == f"register-{group}"
        assert exhibit.title == f"{title}: {len(exhibit.data)} parameters"
        assert exhibit.results == ()


def test_what_differs_from_the_default_is_shown_first_and_counted(register):
    exhibit = plan.register(register)
    frame = exhibit.data.set_index("parameter")
    assert {"n_randomised", "upcr_effect"} <= set(frame.index)
    assert frame.loc["n_randomised", ["value", "default"]].tolist() == ["24", "40"]
    assert (frame["value"] != frame["default"]).all()
    (result,) = exhibit.results
    assert (result.key, result.value) == ("plan.parameters_changed", len(frame))
    scenario = plan.register(load("no-effect").register()).data.set_index("parameter")
    assert float(scenario.loc["upcr_effect", "value"]) == 1
    unchanged = plan.register(load("base").register(), "trial").data.set_index("parameter")
    assert unchanged.loc["n_randomised", "value"] == "40"


def test_the_extent_of_the_plan_against_the_schema(study, register):
    said = plan.extent(register, study.parameters)
    fields = [field.json_schema_extra for field in Parameters.model_fields.values()]
    assert said["parameters"].value == len(fields)
    alone = sum(extra["source"] == "assumption" for extra in fields)
    cited = [extra["source"] for extra in fields if extra["source"] in targets()]
    assumed = sum(
        targets()[row]["how"] == "ASSUMED" or "NOT FOUND" in targets()[row]["note"] for row in cited
    )
    assert literature.assumed(Parameters.model_fields["upcr_effect"].json_schema_extra["source"])
    assert said["assumptions"].value == alone + assumed > alone
    assert said["readings"].value == sum(extra["group"] == "reading" for extra in fields)
    assert (said["children"].key, said["children"].value) == ("plan.n_randomised", 24)


def test_the_remission_rule_is_told_in_its_units():
    said = plan.remission_rule(
        Parameters(remission_threshold=0.25, remission_fall=0.3, confirm_days=60, alpha=0.1)
    )
    assert {name: str(value) for name, value in said.items()} == {
        "threshold": "0.25 mg/mg",
        "fall": "30 %",
        "days": "60 days",
        "alpha": "10 %",
        "definition": Parameters().remission_definition,
    }


def test_analysis_sets_are_flags_of_adsl():
    frame = plan.analysis_sets().data.set_index("flag")
    assert list(frame.index) == ["RANDFL", "UPCRFL", "HEMFL", "GFRFL", "SAFFL", "PPROTFL"]
    assert frame.loc["UPCRFL", "use"] == "primary endpoint (supplementary), time to remission"
    assert "as treated" in frame.loc["SAFFL", "definition"]


def test_estimands_state_every_attribute_and_their_own_strategy_for_rescue():
    roles = []
    for number, estimand in enumerate(estimands.ESTIMANDS):
        exhibit = plan.estimand(number)
        assert exhibit.key == f"estimand-{number + 1}"
        assert exhibit.population == estimand.population
        choices = exhibit.data.set_index("attribute")["choice"]
        assert list(choices.index[:5]) == [
            "Population", "Treatment", "Variable", "Intercurrent events", "Summary",
        ]  # fmt: skip
        assert choices.str.len().gt(5).all()
        events = dict(part.split(": ", 1) for part in choices["Intercurrent events"].split("; "))
        assert len(events) == len(estimands.INTERCURRENT_EVENTS)
        (rescue,) = (what for event, what in events.items() if event.startswith("Rescue"))
        assert rescue == estimand.rescue
        (terminal,) = (what for event, what in events.items() if event.startswith("Death"))
        assert terminal == estimand.terminal
        assert events["One or both infusions not given"] == "treatment policy"
        roles.append(estimand.role)
    assert roles.count("primary") == 1


def test_a_number_is_never_called_composite_where_no_value_is_given():
    """Composite gives whoever dies an outcome: no remission. A mean of UPCR gives none, and stops at what was seen."""
    for estimand in estimands.ESTIMANDS:
        yes_or_no = "yes or no" in estimand.variable or "remission" in estimand.variable
        assert estimand.terminal.startswith("composite: no" if yes_or_no else "while on treatment: ")
    frame = plan.intercurrent_events().data.set_index("event")["strategy"]
    for start in (estimands.RESCUE, estimands.TERMINAL):
        (words,) = (strategy for event, strategy in frame.items() if event.startswith(start))
        strategies = {one.strategy(start, "").partition(":")[0] for one in estimands.ESTIMANDS}
        assert all(one in words for one in strategies), words


def test_intercurrent_events_say_what_is_done_and_what_instead():
    exhibit = plan.intercurrent_events()
    frame = exhibit.data.set_index("event")
    assert frame.loc["RAS inhibition started or raised", ["strategy", "other"]].tolist() == [
        "treatment policy", "composite: no remission after",
    ]  # fmt: skip
    assert exhibit.caption == estimands.MISSING_DATA
