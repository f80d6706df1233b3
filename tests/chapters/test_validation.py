"""Chapter 09: rows that fail are red, no printed number hangs on last bits, and what is stored says for which code."""

import numpy as np
import pandas as pd
import pytest

from helpers.chapters import validation as chapter
from helpers.design import comparisons, known_truth, programs
from helpers.study.shown import plain


@pytest.fixture(scope="module")
def every():
    return comparisons.every()


def agreement(every):
    return chapter.agreement(every, comparisons.by_kind(every), comparisons.by_method(every))


def test_a_number_that_fails_is_red_and_named(every):
    finding = agreement(every)
    kinds, table = finding.exhibits
    assert "fails" not in table.table()
    assert kinds.data["failed"].tolist() == [0, 0, 0]
    assert finding.said["verdict"] == "every one agrees as far as it must."
    assert finding.said["failed"].value == 0
    broken = every.copy()
    broken.loc[broken["method"].str.startswith("Log-rank"), "passes"] = False
    finding = agreement(broken)
    assert finding.exhibits[0].data["failed"].sum() == (~broken["passes"]).sum()
    for table in (finding.exhibits[1], chapter.complete(broken)):
        failed = table.data["verdict"] == chapter.FAILS
        assert table.table().count('class="fails"') == failed.sum() > 0
        assert set(table.data.loc[failed, "method"]) == {"Log-rank test"}
    failed = finding.said["failed"].value
    assert finding.said["verdict"] == f"{failed} fail: Log-rank test."
    assert failed == (~broken["passes"]).sum()
    broken["passes"] = [False, *[True] * (len(broken) - 1)]
    assert agreement(broken).said["verdict"] == f"1 fails: {broken['method'].iloc[0]}."


def test_counts_said_are_those_of_the_frame(every):
    said = agreement(every).said
    assert said["compared"].value == len(every)
    assert said["methods"].value == every["method"].nunique()
    kinds = comparisons.by_kind(every).set_index("kind")
    assert kinds["compared"].sum() == len(every)
    assert kinds.loc["printed in the source", "compared"] == said["printed"].value
    published = every[~every["source"].str.startswith("R ")]
    assert said["printed"].value == published["source"].str.contains("(printed)", regex=False).sum()
    assert published["source"].str.contains(r" \((?:printed|computed: .+)\)$").all()


def test_ours_is_printed_to_the_digits_that_must_agree_and_the_reference_as_it_is(every):
    shown = chapter.complete(every).data
    for row, text in zip(every.itertuples(), shown["ours"], strict=True):
        if np.isfinite(row.ours):
            assert text == plain(row.ours, min(max(row.required, 2), 6))
    assert list(shown["reference"]) == [chapter.number(value) for value in every["reference"]]
    assert chapter.number(np.nan) == "not reached"


def test_no_verdict_and_no_printed_number_hangs_on_last_bits(every, monkeypatch):
    """Ours moved by 1e-10 relative, ten times what processors were seen to differ by: the tables stay.

    A closed form moves by 1e-14, an iterative fit by up to 2e-10 between the kernels of OpenBLAS. One number in
    some thousands may stand so near to a rounding boundary that its last shown digit moves; none does here.
    """
    here = agreement(every).exhibits[1].table(), chapter.complete(every).table()
    right = comparisons.agrees
    for sign in (-1, 1):
        monkeypatch.setattr(
            comparisons, "agrees", lambda a, b, digits, s=sign: right(a, b * (1 + s * 1e-10), digits)
        )
        moved = comparisons.every()
        moved["ours"] *= 1 + sign * 1e-10
        assert (agreement(moved).exhibits[1].table(), chapter.complete(moved).table()) == here


def test_conventions_quote_the_numbers_of_their_own_row():
    shown = chapter.conventions(programs.differences()).data.set_index("topic")
    assert not shown.isna().any(axis=None)
    assert shown.loc["Miettinen-Nurminen interval", "python"] == "statsmodels: 0.0526 to 0.3440"
    assert shown.loc["Miettinen-Nurminen interval", "shown"] == "0.0528 to 0.3382 for 56/70 v 48/80"
    exact = shown.loc["Exact interval of a difference", "shown"]
    assert (
        exact
        == "p of 0/18 v 4/18: 0.0478 by mid-p, 0.0653 here; 6/18 v 12/18: -0.019 to 0.600, by the score 0.002 to 0.599"
    )
    assert "lifelines: 2 for" in shown.loc["Median of a curve that lies on one half", "python"]
    assert shown.loc["Median of a curve that lies on one half", "shown"].startswith("2.5 for")
    assert "before 1100: not estimable" in shown.loc["Restricted mean beyond follow-up", "shown"]


def test_variants_are_shown_as_they_are():
    variants = programs.kenward_roger()
    assert chapter.kenward_roger(variants).data.equals(variants)


ROW = {"n": 400, "method": "m", "truth": 0.25, "trials": 400, "failed": 2} | dict.fromkeys(
    known_truth.MEASURED
)


def known(*rows, current=True):
    return chapter.known_truth(known_truth.judged([ROW | row for row in rows]), current)


def test_known_truth_says_whether_it_belongs_to_this_code_and_what_is_outside():
    good = {"bias": 0.1, "bias_se": 0.05, "coverage": 94.25, "coverage_lower": 91.5, "coverage_upper": 96.1}
    said = known(good).said
    assert said["kept"] == "It was computed with the estimators as they are now."
    # bias 0.1 + 1.96 * 0.05 in standard deviations of 0.05 * sqrt(398)
    assert said["verdict"] == (
        "Rows of 400 children an arm: 1; off, beyond three Monte Carlo standard errors from what they promise: 0; "
        "doubtful by their own 95 % Monte Carlo interval: 0; cautious: 0. "
        "For all others the Monte Carlo intervals (95 %) exclude a bias above 0.20 standard deviations of the estimate "
        "and a coverage below 91.5 %, and nothing smaller."
    )
    assert said["off"].value == 0
    assert "another version" in known(good, current=False).said["kept"]
    said = known(
        good, good | {"method": "wrong", "bias": 0.2}, good | {"n": 20, "method": "small", "bias": 9}
    ).said
    told = (
        "{0} children an arm: {1}; off, beyond three Monte Carlo standard errors from what they promise: 1;"
    )
    assert told.format(20, 1) in said["verdict"]
    assert told.format(400, 2) in said["verdict"]
    assert said["off"].value == 1
    careful = good | {"coverage": 99.0, "method": "careful"}
    assert "cautious: 1." in known(good, careful).said["verdict"]
    assert known(good, careful).exhibits[0].data["verdict"].tolist() == ["nothing shown", "cautious"]
    assert known().said["verdict"] == "Nothing is stored."
    assert chapter.small_trials(pd.DataFrame({"n": []})) == ""
    rows = pd.DataFrame({"n": [20, 20, 20, 400], "outside": [1, 1, 0, 1], "cautious": [1, 0, 0, 0]}).astype(
        {"outside": bool, "cautious": bool}
    )
    assert "20 children an arm, whose truth is known, 1 of 3 estimates" in chapter.small_trials(rows)
    assert known().exhibits[0].table()


def test_known_truth_in_words():
    shown = (
        known(
            {
                "bias": 0.12345,
                "bias_se": 0.05,
                "coverage": 94.25,
                "coverage_lower": 91.5,
                "coverage_upper": 96.12,
            },
            {"n": 20, "type1": 3.4982, "trials": None, "failed": 0, "truth": None},
        )
        .exhibits[0]
        .data
    )
    large, small = shown.to_dict("records")
    assert large["truth_text"] == "0.250"
    assert large["bias_text"] == "0.1235 (0.0500)"
    assert large["coverage_text"] == "94.3 (91.5 to 96.1)"
    assert large["type1_text"] == ""
    assert large["trials_text"] == "400, 2 without estimate"
    assert large["verdict"] == "nothing shown"
    assert small["type1_text"] == "3.50 (exact)"
    assert small["trials_text"] == "all tables"
    assert (small["truth_text"], small["bias_text"], small["verdict"]) == ("", "", "")


def test_a_printed_interval_that_leaves_out_what_is_promised_is_doubted():
    good = {"coverage": 94.0, "coverage_lower": 92.0, "coverage_upper": 95.5}
    low = {"coverage": 93.4, "coverage_lower": 91.7, "coverage_upper": 94.8, "method": "low"}
    high = {"type1": 6.8, "type1_lower": 5.4, "type1_upper": 8.5, "method": "high"}
    # a test that claims too little, or an interval that covers too much, deceives nobody
    careful = {"type1": 3.4, "type1_lower": 2.2, "type1_upper": 4.8, "method": "careful"}
    found = known(good, *(good | more for more in (low, high, careful)))
    assert found.exhibits[0].data["verdict"].tolist() == [
        "nothing shown",
        "doubtful",
        "doubtful",
        "nothing shown",
    ]
    assert "; doubtful by their own 95 % Monte Carlo interval: 2; cautious: 0." in found.said["verdict"]
