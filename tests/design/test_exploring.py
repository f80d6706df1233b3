"""The bench: a move is what `operating.run` says, its frames are counts of the same trials, two settings compare."""

import numpy as np
import pandas as pd
import pytest

from helpers import Problem
from helpers.design import exploring, operating, side_by_side
from helpers.design.exploring import AFTER_SCREENING, KNOBS, Bench, knobs
from helpers.study.parameters import Parameters
from helpers.trial import conduct

FEW = 24


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(Parameters(), FEW)


@pytest.fixture(scope="module")
def move(bench):
    return bench.move()


def test_a_move_is_what_operating_run_says(bench, move):
    assert exploring.TRIALS >= 500
    for settings in ({}, {"upcr_effect": 0.5}, {"dropout": 0.3, "confirm_days": 0}, {"n_randomised": 20}):
        wanted = operating.run(Parameters(**settings), FEW, analyses=exploring.ASKED)
        pd.testing.assert_frame_equal(bench.move(**settings).power, wanted)


def test_the_trials_in_hand_are_those_that_were_asked(bench):
    """The difference of shares in each trial is the estimate that the primary analysis gives of it."""
    for settings in ({}, {"upcr_noise": 0.5}, {"remission_definition": "KDIGO"}):
        wide = bench.move(**settings).counts.pivot(index="trial", columns="arm", values="share")
        asked = operating.trial_by_trial(Parameters(**settings), FEW, analyses=["confirmed"])
        difference = (wide["hUC-MSC"] - wide["Placebo"]) / 100
        assert difference.to_numpy() == pytest.approx(asked["estimate"].to_numpy(), abs=1e-12)


def test_counts_by_hand(move):
    """Children counted one by one; the example ends where its counts do."""
    t = move.trials
    for row in move.counts.sample(8, random_state=1).itertuples():
        arm = ("Placebo", "hUC-MSC").index(row.arm)
        mine = [k for k in range(t.arm.shape[1]) if t.arm[row.trial, k] == arm]
        assert row.children == len(mine)
        assert row.remitted == sum(t.remission.confirmed[row.trial, k] >= 0 for k in mine)
        assert row.share == pytest.approx(100 * row.remitted / len(mine))
        example = move.example(row.trial)
        last = example[example["arm"] == row.arm].iloc[-1]
        assert last["remitted"] == pytest.approx(row.share)
    whole = move.by_arm.set_index("arm")
    for arm, part in move.counts.groupby("arm"):
        assert whole.loc[arm, "share"] == pytest.approx(100 * part["remitted"].sum() / part["children"].sum())
        assert whole.loc[arm, "share_lower"] < whole.loc[arm, "share"] < whole.loc[arm, "share_upper"]
    assert move.spread.groupby("arm")["trials"].sum().tolist() == pytest.approx([100, 100])


def test_the_means_of_an_example_are_those_of_its_children(move):
    for trial in (0, 7):
        children, example = move.children(trial), move.example(trial)
        by_hand = np.exp(np.log(children["ratio"]).groupby([children["arm"], children["month"]]).mean())
        told = example.set_index(["arm", "month"])["ratio"]
        assert told.loc[by_hand.index].to_numpy() == pytest.approx(by_hand.to_numpy())
        seen = children.dropna().groupby(["arm", "month"]).size()
        assert example.set_index(["arm", "month"])["values"].loc[seen.index].tolist() == seen.tolist()


@pytest.mark.parametrize("name", AFTER_SCREENING)
def test_what_keeps_the_children_is_read_by_no_screening(name):
    other = {"remission_definition": "KDIGO", "confirm_days": 0, "upcr_effect": 1.0, "effect_half_life": 90.0}
    p = Parameters()
    q = Parameters(**{name: other.get(name, 0.3)})
    here, there = (conduct.screen(one, 2, needed=False)[0] for one in (p, q))
    assert getattr(q, name) != getattr(p, name)
    for part in ("child", "recorded"):
        for key, values in getattr(here, part).items():
            np.testing.assert_array_equal(values, getattr(there, part)[key], err_msg=key)


def test_an_impossible_setting_is_refused_by_name(bench):
    with pytest.raises(Problem, match=r"dropout: found '3'.*allowed"):
        bench.move(dropout=3)
    with pytest.raises(Problem, match=r"did you mean dropout\?"):
        bench.move(droput=0.3)


def test_every_knob_holds_the_studys_own_value():
    for p in (Parameters(), Parameters(n_randomised=200, upcr_effect=1.5, dropout=0.8, upcr_noise_max=0.4)):
        for knob in knobs(p):
            value = getattr(p, knob.name)
            assert value in knob.choices if knob.choices else knob.low <= value <= knob.high
    assert [knob.name for knob in knobs(Parameters())] == [knob.name for knob in KNOBS]
    noise = next(knob for knob in knobs(Parameters(upcr_noise_max=0.4)) if knob.name == "upcr_noise")
    assert noise.high == 0.4


# ------------------------------------------------------------------ side by side


def test_two_settings_side_by_side(bench):
    pair = side_by_side.compare(bench.move(), bench.move(upcr_effect=0.5, n_randomised=60))
    assert pair.assumptions[["parameter", "a", "b"]].values.tolist() == [
        ["n_randomised", 40, 60],
        ["upcr_effect", 0.65, 0.5],
    ]
    for name, settings in (("a", {}), ("b", {"upcr_effect": 0.5, "n_randomised": 60})):
        wanted = operating.run(Parameters(**settings), FEW, analyses=["confirmed"])["power"].iloc[0]
        rows = pair.results.set_index(["question", "analysis"])
        assert rows.loc[("power", "confirmed"), f"power_{name}"] == wanted
    sizes = (pair.results["difference"].abs() / pair.results["se"]).fillna(0).to_numpy()
    assert (np.diff(sizes) <= 0).all(), "the clearest differences stand first"
    assert pair.results["difference"].to_numpy() == pytest.approx(
        (pair.results["power_b"] - pair.results["power_a"]).to_numpy()
    )
    assert list(dict.fromkeys(pair.curves["setting"])) == ["A", "B"]
    for frame, value in ((pair.results, "power"), (pair.remission, "share")):
        for letter in "ab":
            middle = frame[f"{value}_{letter}"]
            assert ((frame[f"lower_{letter}"] <= middle) & (middle <= frame[f"upper_{letter}"])).all()
    at = pair.a.power.set_index("analysis").loc["confirmed"]
    here = pair.results.set_index(["question", "analysis"]).loc[("power", "confirmed")]
    assert (here["lower_a"], here["upper_a"]) == (at["power_lower"], at["power_upper"])


def test_a_setting_beside_itself_differs_in_nothing(move):
    pair = side_by_side.compare(move, move)
    assert pair.assumptions.empty
    assert pair.results["difference"].abs().max() == 0
    assert not pair.results["sure"].any()


def test_what_a_person_writes_becomes_a_study():
    assert side_by_side.read("base upcr_effect=0.8 gfr_method='U25 mean'").overrides["upcr_effect"] == 0.8
    assert side_by_side.read("modest-effect").scenario == "modest-effect"
    for text, told in (
        ("", "found nothing"),
        ("base dropout = 0.3", r"no space may stand beside the equals sign: base dropout=0\.3\)$"),
        (
            "bass upcr_effect",
            r"unknown scenario 'bass' \(did you mean base\?\).*'upcr_effect' is not of the form name=value",
        ),
        ("base upcr_efect=0.8", r"did you mean upcr_effect\?"),
        ("base dropout=2", "dropout: found '2'"),
        ("base dropout=0.1 dropout=0.2", "dropout is given twice"),
        ("base 'x", "No closing quotation"),
    ):
        with pytest.raises(Problem, match=told):
            side_by_side.read(text)


def test_a_bench_names_its_study_and_not_all_its_children():
    bench = Bench(Parameters())
    bench._screened["x"] = ("many", "children")
    assert "children')" not in repr(bench)
