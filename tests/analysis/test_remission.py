"""Remission endpoints of ten children counted by hand; undetermined trajectories; the base study by plain pandas."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ten_children import ZERO, counts, tables

from helpers.analysis import remission
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return tuple(study.read(name) for name in ("adsl", "adlb", "adtte"))


def test_primary_by_hand():
    adsl, adlb, adtte, _ = tables()
    row = remission.primary(adsl, adlb, adtte, P).iloc[0]
    assert row["set"] == "all_randomised"
    assert (row["placebo_n"], row["placebo_N"], row["placebo_undetermined"]) == (1, 5, 2)
    assert (row["msc_n"], row["msc_N"], row["msc_undetermined"]) == (2, 5, 0)
    assert row["difference"] == pytest.approx(20)
    assert row["p"] == pytest.approx(stats.boschloo_exact([[2, 1], [3, 4]], n=64).pvalue, rel=1e-6)
    assert not row["decided"]


def test_the_supplement_of_the_primary_by_hand():
    """P4, whose baseline lies below the threshold, is left out; no second p-value."""
    adsl, adlb, adtte, _ = tables()
    found = remission.primary(adsl, adlb, adtte, P)
    row = found.iloc[1]
    assert list(found["set"]) == ["all_randomised", "evaluable"]
    assert (row["placebo_n"], row["placebo_N"], row["placebo_undetermined"]) == (1, 4, 2)
    assert (row["msc_n"], row["msc_N"], row["difference"]) == (2, 5, pytest.approx(15))
    assert np.isnan(row["p"])
    assert not row["decided"]


def test_the_decision_is_p_at_or_below_alpha():
    adsl, adlb, adtte, _ = tables()
    p = remission.primary(adsl, adlb, adtte, P)["p"].iloc[0]
    for alpha, decided in ((p, True), (p * 0.999, False)):
        plan = P.model_copy(update={"alpha": alpha})
        assert remission.primary(adsl, adlb, adtte, plan)["decided"].iloc[0] == decided


@pytest.mark.parametrize(
    ("kept", "note"),
    [([], "no child in Placebo"), (["P4"], "no evaluable child assessed in Placebo")],
)
def test_primary_of_an_arm_without_a_rate_has_no_p_value(kept, note):
    adsl, adlb, adtte, _ = tables()
    gone = (adtte["TRT01P"] == "Placebo") & ~adtte["USUBJID"].isin(kept)
    row = remission.primary(adsl, adlb, adtte[~gone], P).iloc[0]
    assert np.isnan(row["p"])
    assert not row["decided"]
    assert row["note"] == note


@pytest.mark.parametrize(("base", "open_"), [(np.nan, True), (0.1, False), (1.0, True)])
def test_a_missing_baseline_leaves_the_answer_open_and_a_low_one_does_not(base, open_):
    """P3, who was never seen, with an evaluable, a low, and no baseline."""
    adsl, adlb, adtte, _ = tables()
    adsl.loc[adsl["USUBJID"] == "P3", "UPCRBL"] = base
    if not base >= 0.2:
        adtte.loc[adtte["USUBJID"] == "P3", ["ANL01FL", "CNSR"]] = ["N", 2.0]
    found = remission.undetermined(adsl, adlb, adtte, P).set_index("child")
    assert ("P3" in found.index) == open_
    if open_:
        assert found.loc["P3", "evaluable"] == (base >= 0.2)
    primary = remission.primary(adsl, adlb, adtte, P)
    assert primary["placebo_N"].tolist() == [5, 4 - (not base >= 0.2)]
    assert primary["placebo_undetermined"].tolist() == [1 + open_, 1 + (base >= 0.2)]


def test_undetermined_by_hand():
    adsl, adlb, adtte, _ = tables()
    found = remission.undetermined(adsl, adlb, adtte, P)
    assert found.to_dict("list") == {
        "arm": ["Placebo", "Placebo"],
        "child": ["P3", "P5"],
        "evaluable": [True, True],
        "last": [None, "Month 8"],
        "missing": [11, 2],
        "remission": [0, 0],
        "status": ["DISCONTINUED", "DISCONTINUED"],
        "reason": ["family moved", "family moved"],
    }


def test_undetermined_stand_placebo_first():
    adsl, adlb, adtte, _ = tables()
    other = dict(zip(ARMS, ARMS[::-1], strict=True))
    swapped = adsl.assign(TRT01P=adsl["TRT01P"].map(other))
    swapped.loc[swapped["USUBJID"] == "P5", "TRT01P"] = "Placebo"
    found = remission.undetermined(swapped, adlb, adtte, P)
    assert list(zip(found["arm"], found["child"], strict=True)) == [("Placebo", "P5"), ("hUC-MSC", "P3")]


def trajectory(*words):
    """ADSL, ADLB, ADTTE of P1 with these states at the visits; None = no value."""
    adsl, adlb, adtte, _ = (frame[frame["USUBJID"] == "P1"].reset_index(drop=True) for frame in tables())
    kept = [k == 0 or words[k - 1] is not None for k in adlb["AVISITN"].astype(int)]
    return adsl, adlb.assign(AVALCAT1=[None, *words])[kept], adtte


N, R = "none", "partial"


@pytest.mark.parametrize(
    ("states", "open_"),
    [
        ([N] * 11, False),  # seen at every visit, never in remission
        ([N] * 10 + [R], False),  # first seen at month 12: can't be confirmed, whatever is missing
        ([N] * 10 + [None], False),  # only month 12 missing: nothing could follow it
        ([N] * 9 + [None, N], False),  # one visit missing between two without remission
        ([N] * 9 + [None, R], True),  # remission at month 10 would be confirmed at month 12
        ([N] * 9 + [None, None], True),  # both missing: could have been
        ([R, None, N] + [N] * 8, False),  # week 2 must still hold at week 6, 28 days later
        ([R, None, None, N] + [N] * 7, True),  # it might have held at week 6
        ([None] * 11, True),  # never seen
    ],
)
def test_undetermined_trajectories(states, open_):
    assert len(remission.undetermined(*trajectory(*states), P)) == open_


def test_nothing_is_undetermined_after_rescue():
    adsl, adlb, adtte = trajectory(*[N] * 9, None, None)
    rescued = adsl.assign(NOREMDT=ZERO + pd.Timedelta(days=250))
    assert len(remission.undetermined(rescued, adlb, adtte, P)) == 0


def test_a_remission_that_was_confirmed_is_not_undetermined():
    adsl, adlb, adtte = trajectory(*[R] * 9, None, None)
    assert len(remission.undetermined(adsl, adlb, adtte.assign(CNSR=0.0), P)) == 0


def test_sets_by_hand():
    adsl, _, adtte, _ = tables()
    found = remission.by_set(adsl, adtte)
    assert counts(found, "set") == {
        "all_randomised": ((1, 5), (2, 5)),
        "evaluable": ((1, 4), (2, 5)),
        "per_protocol": ((1, 5), (1, 3)),
    }


def test_visits_by_hand():
    adsl, adlb, adtte, _ = tables()
    found = remission.by_visit(adsl, adlb, adtte)
    by = counts(found, "visit")
    assert list(by) == [*(v.name for v in VISITS), remission.EVER]
    assert by["Week 2"] == ((1, 5), (2, 5))  # P2; M1, M5; M2 after rescue
    assert by["Week 6"] == ((1, 5), (1, 5))
    assert by["Month 12"] == ((1, 5), (3, 5))
    assert by[remission.EVER] == ((1, 5), (4, 5))
    rows = found.set_index("visit")
    assert rows["placebo_seen"].tolist() == [3] * 9 + [2, 2, 3]
    assert rows["msc_seen"].tolist() == [5] * 12
    assert rows["placebo_complete"].tolist() == [0] * 10 + [1, 1]
    assert rows["msc_complete"].sum() == 0


def test_measures_by_hand():
    adsl, adlb, adtte, _ = tables()
    by = counts(remission.endpoints(adsl, adlb, adtte, P), "measure", "kind")
    assert len(by) == 20
    assert by["UPCR", "confirmed"] == ((1, 5), (2, 5))
    assert by["UPCR", "ever"] == ((1, 5), (4, 5))
    assert by["UPCR", "sustained"] == ((1, 5), (2, 5))
    assert by["UPCR", "month12"] == ((1, 5), (3, 5))
    assert by["P24", "confirmed"] == ((2, 5), (1, 5))
    assert by["P24", "sustained"] == ((1, 5), (1, 5))
    assert by["DIP", "ever"] == ((0, 5), (1, 5))
    assert by["HEM", "confirmed"] == ((1, 5), (0, 0))
    assert by["GFR", "month12"] == ((0, 5), (0, 5))


def test_every_measure_is_judged_on_its_own_laboratory_test(base):
    """Month 12 of the base study by plain pandas: the children asked, a measure's words at the last visit."""
    adsl, adlb, adtte = base
    by = counts(remission.endpoints(adsl, adlb, adtte, P), "measure", "kind")
    codes = {"UPCR": "PROTCRT", "P24": "PROT24H", "DIP": "DIPPROT", "HEM": "RBCURINE", "GFR": "GFRBSCRT"}
    last = adlb[adlb["AVISIT"] == "Month 12"]
    for measure, code in codes.items():
        rows = adtte[(adtte["PARAMCD"] == f"{measure}C") & (adtte["CNSR"] != 2)]
        words = last[(last["PARAMCD"] == code) & last["USUBJID"].isin(rows["USUBJID"])]
        hit = words[words["AVALCAT1"].notna() & (words["AVALCAT1"] != "none")]
        for k, arm in enumerate(ARMS):
            of = adsl if measure in remission.PROTEIN else rows
            evaluable = (of["TRT01P"] == arm).sum()
            assert by[measure, "month12"][k] == ((hit["TRT01P"] == arm).sum(), evaluable)
            event = ((rows["CNSR"] == 0) & (rows["TRT01P"] == arm)).sum()
            assert by[measure, "confirmed"][k] == (event, evaluable)


def test_states_of_each_child_by_hand():
    adsl, adlb, _, _ = tables()
    found = remission.each_child(adsl, adlb)
    assert len(found) == 10 * 11
    states = found.pivot(index="child", columns="visit", values="state")[[v.name for v in VISITS]]
    assert list(states.loc["P2"]) == ["partial"] * 10 + ["complete"]
    assert list(states.loc["P3"]) == ["after drop-out"] * 11  # left on day 5
    assert list(states.loc["P4"]) == ["not evaluable"] * 11
    # left on day 304, when month 10 was due
    assert list(states.loc["P5"]) == ["none"] * 9 + ["not attended", "after drop-out"]
    assert list(states.loc["M2"]) == ["none"] * 11  # rescued on day 10
    arms = adsl.set_index("USUBJID")["TRT01P"]
    assert (found["arm"] == found["child"].map(arms)).all()


def test_states_are_counted_once_each():
    adsl, adlb, _, _ = tables()
    n = remission.state_counts(remission.each_child(adsl, adlb)).set_index("state")["n"].to_dict()
    assert n == dict(
        zip((*remission.STATES[:5], "seen", "in remission"), (1, 29, 56, 1, 12, 86, 30), strict=True)
    )


def test_only_who_left_has_dropped_out():
    """A last contact before a visit was due is no drop-out of a child who completed the trial."""
    adsl, adlb, _, _ = tables()
    early = adsl["USUBJID"] == "P2"
    adsl = adsl.assign(EOSDT=adsl["EOSDT"].mask(early, ZERO + pd.Timedelta(days=360)))
    adlb = adlb[(adlb["USUBJID"] != "P2") | (adlb["AVISIT"] != "Month 12")]
    for status, state in (
        ("COMPLETED", "not attended"),
        ("DISCONTINUED", "after drop-out"),
        ("ONGOING", "not yet due"),
    ):
        found = remission.each_child(adsl.assign(EOSSTT=adsl["EOSSTT"].mask(early, status)), adlb)
        assert found.set_index(["child", "visit"]).loc[("P2", "Month 12"), "state"] == state
        counted = remission.state_counts(found).set_index("state")["n"]
        assert counted.get("not yet due", 0) == (status == "ONGOING")
        assert counted.loc[["seen", "in remission"]].tolist() == [85, 29]


def test_agreement_by_hand():
    adsl, _, adtte, _ = tables()
    found = remission.agreement(adsl, adtte).set_index(["first_measure", "second_measure"])
    one = found.loc[("UPCR", "P24")]  # by UPCR P2 M1 M4, by 24-hour protein P1 P2 M1, of nine
    assert one[["n", "both", "first", "second", "neither"]].tolist() == [9, 2, 1, 1, 5]
    assert one["agreement"] == pytest.approx(7 / 9)
    chance = (3 * 3 + 6 * 6) / 81
    assert one["kappa"] == pytest.approx((7 / 9 - chance) / (1 - chance))
    assert one["lower"] < one["kappa"] < one["upper"]
    other = found.loc[("P24", "DIP")]  # eight without P4 and P5
    assert other[["n", "both", "first", "second", "neither"]].tolist() == [8, 1, 2, 0, 5]
