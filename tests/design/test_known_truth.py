"""Known truth: Monte Carlo errors by hand, verdicts on each side of their limit, and the stored result."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from helpers.design import known_truth, stored
from helpers.estimators import proportions
from helpers.study.parameters import Parameters


def test_bias_has_the_standard_error_of_a_mean():
    """Four estimates 1, 2, 3, 6: mean 3, variance 14/3 over n - 1, of the mean 14/12."""
    row = known_truth.summary("method", 2.5, [1, 2, 3, 6, np.nan])
    assert row["bias"] == pytest.approx(0.5)
    assert row["bias_se"] == pytest.approx(np.sqrt(14 / 12))
    assert (row["trials"], row["failed"]) == (5, 1)
    assert row["coverage"] is None
    assert row["type1"] is None


def test_shares_have_wilson_s_limits_over_the_trials_that_answered():
    covered = [True] * 188 + [False] * 12 + [None] * 5
    rejected = [True] * 7 + [False] * 93
    row = known_truth.summary("method", 0.0, covered=covered, rejected=rejected)
    for name, hits, n in (("coverage", 188, 200), ("type1", 7, 100)):
        lower, upper = proportion_confint(hits, n, method="wilson")
        assert row[name] == pytest.approx(100 * hits / n)
        assert [row[f"{name}_lower"], row[f"{name}_upper"]] == pytest.approx([100 * lower, 100 * upper])
    assert row["trials"] == 200


def verdict(**values):
    row = {"n": 400, "method": "m", "truth": 1.0, "trials": 400, "failed": 0} | dict.fromkeys(
        known_truth.MEASURED
    )
    return bool(known_truth.judged([row | values])["outside"][0])


def test_outside_is_beyond_three_monte_carlo_standard_errors():
    assert not verdict(bias=0.29, bias_se=0.1)
    assert verdict(bias=0.31, bias_se=0.1)
    assert verdict(bias=-0.31, bias_se=0.1)
    # 400 trials: three times sqrt(0.05 * 0.95 / 400) are 3.27 points
    for name, promised in (("coverage", 95), ("type1", 5)):
        assert not verdict(**{name: promised - 3.2})
        assert not verdict(**{name: promised + 3.2})
        assert verdict(**{name: promised - 3.4})
        assert verdict(**{name: promised + 3.4})
        assert verdict(**{name: promised + 3.2, "trials": 500})
    # exact: nothing was simulated
    assert not verdict(type1=1.0, trials=None)
    assert not verdict()


def test_cautious_is_outside_on_the_safe_side_alone():
    rows = [
        {"coverage": 99.0},
        {"type1": 1.0},
        {"coverage": 99.0, "bias": 0.5, "bias_se": 0.1},
        {"coverage": 91.0},
        {"type1": 9.0, "coverage": 99.0},
        {"coverage": 95.0},
    ]
    base = {"n": 400, "method": "m", "truth": 1.0, "trials": 400, "failed": 0} | dict.fromkeys(
        known_truth.MEASURED
    )
    found = known_truth.judged([base | row for row in rows])
    assert found["cautious"].tolist() == [True, True, False, False, False, False]
    assert found["outside"].tolist() == [True] * 5 + [False]


def test_what_is_excluded_is_the_worst_of_the_limits_of_what_was_not_found_wrong():
    base = {"n": 20, "method": "m", "truth": 1.0, "trials": 1000, "failed": 0} | dict.fromkeys(
        known_truth.MEASURED
    )
    rows = [
        {"bias": 0.02, "bias_se": 0.01, "coverage": 94.5, "coverage_lower": 93.0, "coverage_upper": 95.8},
        {"coverage": 95.5, "coverage_lower": 94.0, "coverage_upper": 96.6, "type1": 5.5, "type1_upper": 7.1},
        {
            "coverage": 80.0,
            "coverage_lower": 77.0,
            "coverage_upper": 82.0,
            "type1": 20.0,
            "type1_upper": 23.0,
        },
        {"type1": 2.0, "type1_upper": 99.0, "trials": None},
        {"n": 400, "coverage": 95.0, "coverage_lower": 1.0},
    ]
    found = known_truth.excluded(known_truth.judged([base | row for row in rows]), 20)
    assert (found["coverage"], found["type1"]) == (93.0, 7.1)
    assert found["bias"] == pytest.approx((0.02 + 1.959964 * 0.01) / (0.01 * np.sqrt(1000)))


def test_the_trial_s_own_visits_and_missing_values():
    p = Parameters()
    assert known_truth.EVERY_VISIT.tolist() == [14, 28, 42, 56, 91, 122, 152, 183, 244, 304, 365]
    assert pytest.approx(1 - (1 - p.visit_missed) * (1 - p.sample_missing), abs=1e-3) == known_truth.MISSED
    assert p.dropout == known_truth.LEAVE
    y, *_ = known_truth._visits(2000, np.random.default_rng(1), 0.0, known_truth.EVERY_VISIT)
    assert np.isnan(y[:, -1]).mean() == pytest.approx(1 - 0.93 * 0.9, abs=0.03)
    arm, block = known_truth._blocks(20, np.random.default_rng(2))
    assert len(arm) == 40
    filled = [b for b in set(block) if b != block[-1]]
    assert all(arm[block == b].mean() == 0.5 for b in filled)
    assert {int((block == b).sum()) for b in filled} <= {4, 6}


def test_nothing_stored_is_an_empty_frame_with_the_same_columns(monkeypatch):
    monkeypatch.setattr(stored, "latest", lambda *_: (None, False))
    found, current = known_truth.latest()
    assert found.empty
    assert list(found) == list(known_truth.judged([]))
    assert not current


def test_stored_for_other_code_is_shown_and_not_current(monkeypatch):
    monkeypatch.setattr(stored, "code", lambda *_: "another")
    found, current = known_truth.latest()
    assert len(found)
    assert not current


def test_deterministic_and_exact_sizes_stay_within_the_level():
    few = {20: 20, 400: 20}
    assert known_truth.run(few, "proportions") == known_truth.run(few, "proportions")
    for method in proportions.METHODS:
        top, here = known_truth.exact_size(20, method)
        assert 0 < here <= top <= 0.05


@pytest.mark.parametrize(
    ("study", "trials"),
    [
        ("adjusted", 120),
        ("spreads", 60),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("survival", 60), ("mixed", 12))),
    ],
)
def test_the_truths_are_those_that_are_simulated(study, trials):
    """Few trials: their mean is within five of its Monte Carlo standard errors of the truth that is stated."""
    rows = known_truth.run({20: trials}, study, (20,))
    with_bias = [row for row in rows if row["bias_se"] is not None]
    assert with_bias
    for row in with_bias:
        assert abs(row["bias"]) < 5 * row["bias_se"], row["method"]


@pytest.mark.slow
def test_the_stored_result_is_what_the_estimators_give():
    answer, current = stored.latest(known_truth.compute, Parameters())
    assert current
    again = known_truth.run()
    assert [row["method"] for row in again] == [row["method"] for row in answer["rows"]]
    for now, then in zip(again, answer["rows"], strict=True):
        for name in known_truth.MEASURED:
            assert now[name] == (None if then[name] is None else pytest.approx(then[name], abs=1e-4))
    judged = known_truth.judged(answer["rows"])
    # what no risk set can mend, and what the plan's replaces, is there to be seen
    shown = judged["method"].str.contains("to the last assessment|leave sooner|visits missed")
    assert not (judged["outside"] & ~judged["cautious"] & ~shown)[judged["n"] == 400].any()
    # at 20 an arm every method that chapters print holds its level; those that do not say so in their name
    printed = ~judged["method"].str.contains(
        "not used|approximate|SD in the .* arm, ordinary|second derivatives"
    )
    assert not ((judged["n"] == 20) & printed & (judged["type1_lower"] > 5.5)).any()


def test_the_strata_are_as_common_as_their_truth_says(monkeypatch):
    shares, ask = [], known_truth.adjusted.mantel_haenszel

    def spy(event, arm, stratum):
        shares.append(stratum.mean())
        return ask(event, arm, stratum)

    monkeypatch.setattr(known_truth.adjusted, "mantel_haenszel", spy)
    known_truth.run({20: 40}, "adjusted", (20,))
    # 40 trials of 40 children: four standard errors of a share of 0.85
    assert abs(np.mean(shares) - 0.85) < 4 * np.sqrt(0.85 * 0.15 / 1600)
