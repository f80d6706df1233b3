"""The supplement of the primary comparison, from tables against the estimators on arrays made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers.analysis import remission, supplement
from helpers.estimators import adjusted
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS
from helpers.study.scenario import load

P = Parameters()


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return tuple(study.read(name) for name in ("adsl", "adlb", "adtte", "randomisation"))


def test_all_randomised_with_no_answer_as_no_remission(base):
    adsl, adlb, adtte, allocation = base
    found = supplement.supplement(adsl, adtte, allocation, P).set_index("method")
    assert found.index.tolist() == list(supplement.METHODS)
    primary = remission.primary(adsl, adlb, adtte, P).iloc[0]
    assert found.loc["randomisation", "estimate"] == pytest.approx(primary["difference"])
    assert found[["n_placebo", "n_msc"]].iloc[:2].to_numpy().tolist() == [[20, 20], [20, 20]]
    assert found["p"].notna().tolist() == [True, False, False]
    limits = found.loc[["strata", "adjusted"], ["lower", "estimate", "upper"]].to_numpy()
    assert (np.diff(limits, axis=1) > 0).all()
    # near each other, and near the primary one
    assert np.abs(limits[:, 1] - primary["difference"]).max() < 10


def test_each_row_is_its_estimator_on_the_children_in_any_order(base):
    adsl, _, adtte, allocation = base
    rows = adtte[(adtte["PARAMCD"] == "UPCRC") & (adtte["ANL01FL"] == "Y") & (adtte["CNSR"] == 0)]
    event = adsl["USUBJID"].isin(rows["USUBJID"]).to_numpy()
    arm, ras = (adsl["TRT01P"] == ARMS[1]).to_numpy(), (adsl["RASFL"] == "Y").to_numpy()
    mixed_up = allocation.sample(frac=1, random_state=1)
    found = supplement.supplement(adsl, adtte, mixed_up, P).set_index("method")
    strata = adjusted.mantel_haenszel(event, arm, ras)
    assert found.loc["strata", "lower"] == pytest.approx(100 * strata.lower)
    one = adjusted.standardised(event, arm, np.column_stack([np.log(adsl["UPCRBL"]), ras]))
    assert found.loc["adjusted", "upper"] == pytest.approx(100 * one.upper)
    # the test by hand: hypergeometric in each block, convolved
    chance, number = np.ones(1), 1.0
    block = allocation.set_index("usubjid").loc[adsl["USUBJID"], "block"].to_numpy()
    for b in np.unique(block):
        here = block == b
        n, x, k = here.sum(), event[here].sum(), arm[here].sum()
        chance = np.convolve(chance, stats.hypergeom.pmf(np.arange(x + 1), n, x, k))
        number *= round(stats.binom.pmf(k, n, 0.5) * 2.0**n)
    seen = event[arm].sum()
    p = min(1, 2 * min(chance[seen:].sum(), chance[: seen + 1].sum()))
    assert found.loc["randomisation", "p"] == pytest.approx(p)
    assert found.loc["randomisation", "allocations"] == pytest.approx(number)


def test_a_baseline_that_is_missing_is_told_and_a_stratum_is_used_where_there_is_one(base):
    adsl, _, adtte, allocation = base
    lacking = adsl.assign(UPCRBL=adsl["UPCRBL"].where(np.arange(len(adsl)) > 1))
    found = supplement.supplement(lacking, adtte, allocation, P).set_index("method")
    assert found.loc["adjusted", "note"] == "2 without covariates left out"
    assert found.loc["adjusted", ["n_placebo", "n_msc"]].sum() == 38
    ras = adsl.set_index("USUBJID").loc[allocation["usubjid"], "RASFL"].to_numpy()
    stratified = supplement.supplement(adsl, adtte, allocation.assign(stratum=ras), P).set_index("method")
    whole = supplement.supplement(adsl, adtte, allocation, P).set_index("method")
    assert stratified.loc["randomisation", "allocations"] < whole.loc["randomisation", "allocations"]


def test_without_events_or_an_arm_there_are_words():
    study = load("base")
    adsl, adtte, allocation = (study.read(name) for name in ("adsl", "adtte", "randomisation"))
    none = adtte.assign(CNSR=1)
    found = supplement.supplement(adsl, none, allocation, P).set_index("method")
    assert found.loc["randomisation", "p"] == 1
    assert "no child had the event" in found.loc["adjusted", "note"]
    one = adsl[adsl["TRT01P"] == ARMS[0]]
    found = supplement.supplement(one, adtte, allocation, P).set_index("method")
    assert found["estimate"].isna().all()
    assert (found["note"] != "").all()
    assert isinstance(found, pd.DataFrame)
