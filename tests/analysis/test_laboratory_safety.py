"""Laboratory safety on hand-made children at the boundaries of each signal."""

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import laboratory_safety as lab
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS

P = Parameters()
CODES = {"egfr": "GFRBSCRT", "cystatin_c": "CYSTATC", "upcr": "PROTCRT", "bun": "BUN"}


def tables(measure: str, **children) -> tuple[pd.DataFrame, pd.DataFrame]:
    """ADSL and ADLB of children, arms in turn: baseline, then values at week 2, week 4, ...; None = not measured."""
    adsl = pd.DataFrame({"USUBJID": list(children), "SAFFL": "Y"})
    adsl["TRT01A"] = [ARMS[k % 2] for k in range(len(children))]
    rows = []
    for child, values in children.items():
        for k, value in enumerate(values):
            visit = "Baseline" if k == 0 else VISITS[k - 1].name
            if value is not None:
                rows.append((child, CODES[measure], visit, float(k), float(value), "Y"))
    columns = ["USUBJID", "PARAMCD", "AVISIT", "AVISITN", "AVAL", "ANL01FL"]
    return adsl, pd.DataFrame(rows, columns=columns)


def shown(item: str, measure: str, *values) -> tuple[bool, bool, bool]:
    """Of one child: inside the denominator, the signal at any visit, at two in a row."""
    found = lab.signals(*tables(measure, a=values), P).set_index(["item", "timing", "arm"]).loc[item]
    any_, twice = (found.loc[(timing, "Placebo")] for timing in lab.TIMINGS)
    assert any_["N"] == twice["N"]
    return bool(any_["N"]), bool(any_["n"]), bool(twice["n"])


@pytest.mark.parametrize(
    ("item", "measure", "values", "expected"),
    [
        # a fifth below 100, to the last digit
        ("egfr_fall", "egfr", (100, 80.0, 90), (True, True, False)),
        ("egfr_fall", "egfr", (100, 80.1, 80.1), (True, False, False)),
        ("egfr_fall", "egfr", (0.3 / 0.1, 0.8 * 3, 0.8 * 3), (True, True, True)),
        # a visit without a value between two does not part them, one without the signal does
        ("egfr_fall", "egfr", (100, 70, None, 70), (True, True, True)),
        ("egfr_fall", "egfr", (100, 70, 90, 70), (True, True, False)),
        ("egfr_fall", "egfr", (None, 70, 70), (False, False, False)),
        ("egfr_fall", "egfr", (100,), (False, False, False)),
        ("egfr_low", "egfr", (61, 60, 60), (True, True, True)),
        ("egfr_low", "egfr", (61, 60.5, 60.5), (True, False, False)),
        ("egfr_low", "egfr", (60, 50, 50), (False, False, False)),  # was there before
        ("cystatin_high", "cystatin_c", (1.08, 1.09, 1.0), (True, True, False)),
        ("cystatin_high", "cystatin_c", (1.08, 1.08, 1.08), (True, False, False)),
        ("cystatin_high", "cystatin_c", (1.09, 1.2, 1.2), (False, False, False)),
        ("upcr_doubled", "upcr", (0.3, 0.6, 0.5), (True, True, False)),
        ("upcr_doubled", "upcr", (0.3, 0.59, 0.59), (True, False, False)),
        ("upcr_doubled", "upcr", (0, 0.6, 0.6), (False, False, False)),
        ("upcr_nephrotic", "upcr", (1.99, 2.0, 2.0), (True, True, True)),
        ("upcr_nephrotic", "upcr", (2.0, 5, 5), (False, False, False)),
    ],
)
def test_each_signal_from_both_sides(item, measure, values, expected):
    assert shown(item, measure, *values) == expected


def test_a_reading_of_the_plan_moves_the_signal_with_it():
    frames = tables("upcr", a=(1.0, 1.5, 1.5), b=(1.0, 1.3))
    for fall, n in ((0.5, 0), (1 / 3, 1)):
        p = Parameters(remission_fall=fall)
        found = lab.signals(*frames, p).set_index(["item", "timing", "arm"])["n"]
        assert found[("upcr_doubled", "any", "Placebo")] == n
    frames = tables("egfr", a=(100, 88))
    found = lab.signals(*frames, Parameters(egfr_improvement=0.12)).set_index(["item", "timing", "arm"])["n"]
    assert found[("egfr_fall", "any", "Placebo")] == 1


def test_signals_count_by_treatment_received_in_the_safety_set():
    adsl, adlb = tables("egfr", a=(100, 70, 70), b=(100, 70, 95), c=(100, 70), d=(100, 99))
    adsl.loc[adsl["USUBJID"] == "c", "SAFFL"] = "N"
    found = lab.signals(adsl, adlb, P).query("item == 'egfr_fall'").groupby("timing")
    assert found.get_group("any")[["n", "N"]].to_numpy().tolist() == [[1, 1], [1, 2]]
    assert found.get_group("twice")["n"].tolist() == [1, 0]


def test_the_worst_value_is_the_lowest_for_egfr_and_the_highest_else():
    adsl, adlb = tables("egfr", a=(100, 90, None, 70, 70, 95), b=(None, 50), c=(80,), d=(90, 99))
    worst = lab.worst(adsl, adlb, P)
    assert worst[["child", "measure", "base", "worst", "visit"]].to_numpy().tolist() == [
        ["a", "egfr", 100, 70, "Week 6"],
        ["d", "egfr", 90, 99, "Week 2"],
    ]
    assert worst["change"].tolist() == pytest.approx([-30, 10])
    adsl, adlb = tables("upcr", a=(1.0, 0.5, 3.0), b=(0.0, 0.4))
    worst = lab.worst(adsl, adlb, P)
    assert worst["worst"].tolist() == [3.0, 0.4]
    assert worst["change"].fillna(-1).tolist() == pytest.approx([200, -1])  # from zero there is no share
    changes = lab.worst_changes(adsl, worst).set_index(["item", "arm"])
    assert changes.loc[("upcr", "Placebo"), ["n", "N", "median"]].tolist() == [1, 1, pytest.approx(200)]
    assert changes.loc[("upcr", "hUC-MSC"), ["n", "N"]].tolist() == [0, 1]


def test_nothing_measured():
    adsl, adlb = tables("bun", a=(5.0,), b=(5.0,))
    worst = lab.worst(adsl, adlb, P)
    assert worst.empty
    assert list(worst) == ["child", "arm", "measure", "base", "worst", "visit", "change"]
    assert (lab.worst_changes(adsl, worst)["n"] == 0).all()
    assert (lab.signals(adsl, adlb, P)[["n", "N"]] == 0).all(axis=None)


def test_limits_are_those_of_their_sources():
    """The reference interval and the nephrotic range as their rows give them; the registration's own limit."""
    from helpers import ROOT
    from helpers.study.protocol import INCLUSION

    rows = pd.read_csv(ROOT / "data" / "reference" / "targets.csv").set_index("id")
    assert float(rows.loc["EQ17", "high"]) == lab.CYSTATIN_LIMIT
    assert f"UPCR>={lab.NEPHROTIC:g} mg/mg" in rows.loc["DF06", "unit"]
    assert f"greater than {lab.LEAST_GFR:g}" in INCLUSION[3]
    assert np.isfinite(lab.LEAST_GFR)
