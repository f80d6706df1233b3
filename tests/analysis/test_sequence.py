"""The fixed sequence: its gate on each side of the level, its numbers against plain pandas and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from ten_children import tables

from helpers.analysis import remission, sequence
from helpers.study.parameters import Parameters
from helpers.study.protocol import VISITS
from helpers.study.scenario import load

P = Parameters()


@pytest.fixture(scope="module")
def base():
    study = load("base")
    adsl, adlb, adtte = (study.read(name) for name in ("adsl", "adlb", "adtte"))
    primary = remission.primary(adsl, adlb, adtte, P)
    return adsl, adlb, primary, sequence.fixed_sequence(primary, adsl, adlb, P)


def steps(found: pd.DataFrame) -> pd.DataFrame:
    return found.set_index("endpoint")


def test_the_time_weighted_mean_of_each_child_by_numpy(base):
    adsl, adlb, *_ = base
    found = sequence.weighted(adsl, adlb, P).set_index("child")
    assert list(found.index) == list(adsl["USUBJID"])
    day = {v.name: v.day for v in VISITS}
    rows = adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["ABLFL"].isna()]
    for child, part in rows.groupby("USUBJID"):
        days = part["AVISIT"].map(day).to_numpy(float)
        logs = np.log(part["AVAL"].to_numpy(float))
        if days.max() > 183 and len(days) > 1:
            assert found.loc[child, "value"] == pytest.approx(np.trapezoid(logs, days) / (days[-1] - days[0]))
        elif days.max() <= 183:
            assert np.isnan(found.loc[child, "value"])
        assert found.loc[child, "visits"] == len(days)
        assert found.loc[child, "late"] == (days.max() > 183)
    assert found["value"].isna().sum() == (~found["late"]).sum() > 0


def test_the_second_step_is_ancova_by_statsmodels(base):
    adsl, adlb, _, found = base
    frame = sequence.weighted(adsl, adlb, P).assign(active=lambda f: (f["arm"] == "hUC-MSC").astype(int))
    fit = smf.ols("value ~ active + baseline", frame.dropna(subset=["value", "baseline"])).fit()
    row = steps(found).loc["weighted"]
    assert row["p"] == pytest.approx(fit.pvalues["active"])
    limits = [np.exp(fit.params["active"]), *np.exp(fit.conf_int().loc["active"])]
    assert row[["estimate", "lower", "upper"]].tolist() == pytest.approx(limits)
    assert row["placebo_N"] + row["msc_N"] == int(fit.nobs)
    # beside it HC2: the same estimate, no p-value
    beside = found[found["endpoint"] == sequence.HC2].iloc[0]
    assert beside["estimate"] == pytest.approx(row["estimate"])
    assert np.isnan(beside["p"])
    wide = (np.log(beside["upper"]) - np.log(beside["lower"])) / 2
    assert wide > 1.96 * fit.HC2_se["active"]
    assert wide == pytest.approx(2.03 * fit.HC2_se["active"], rel=0.02)


def test_the_third_step_is_boschloo_in_all_randomised():
    adsl, adlb, adtte, _ = tables()
    adlb["LOQFL"] = None
    primary = remission.primary(adsl, adlb, adtte, P)
    row = steps(sequence.fixed_sequence(primary, adsl, adlb, P)).loc["month12"]
    assert (row["placebo_N"], row["msc_N"]) == (5, 5)  # P2; M1, M3, M4
    assert row["estimate"] == pytest.approx(40)
    assert row["p"] == pytest.approx(stats.boschloo_exact([[3, 1], [2, 4]], n=64).pvalue, rel=1e-6)


def test_the_first_step_is_the_primary_result(base):
    _, _, primary, found = base
    row, first = steps(found).loc["confirmed"], primary.iloc[0]
    for mine, theirs in (("estimate", "difference"), ("lower", "lower"), ("upper", "upper"), ("p", "p")):
        assert row[mine] == first[theirs]
    assert found["step"].tolist() == [1, 2, 3, 0, 0]
    assert np.isnan(steps(found).loc["weighted_after_rescue", "p"])


@pytest.mark.parametrize(
    ("p", "may", "succeeded"),
    [
        ((0.05, 0.05, 0.05), [True, True, True], [True, True, True]),
        ((0.0501, 0.001, 0.001), [True, False, False], [False, False, False]),
        ((0.01, 0.0501, 0.001), [True, True, False], [True, False, False]),
        ((0.01, 0.01, 0.2), [True, True, True], [True, True, False]),
        ((np.nan, 0.01, 0.01), [True, False, False], [False, False, False]),
    ],
)
def test_a_step_is_tested_only_after_success(base, monkeypatch, p, may, succeeded):
    adsl, adlb, primary, _ = base
    monkeypatch.setattr(sequence.mixed, "ancova", lambda *_, **__: sequence.mixed.Contrast(0.1, p=p[1]))
    monkeypatch.setattr(sequence.proportions, "boschloo", lambda *_: p[2])
    found = sequence.fixed_sequence(primary.assign(p=p[0]), adsl, adlb, P).iloc[:3]
    assert found["may_be_tested"].tolist() == may
    assert found["succeeded"].tolist() == succeeded


def test_the_supplement_leaves_out_what_came_after_rescue(base):
    adsl, adlb, primary, found = base
    nobody = sequence.fixed_sequence(primary, adsl.assign(RESCDT=pd.NaT), adlb, P)
    everybody = sequence.fixed_sequence(primary, adsl.assign(RESCDT=adsl["TZERODT"]), adlb, P)
    before, after = (steps(f).loc["weighted_after_rescue"] for f in (nobody, everybody))
    assert np.isfinite(before["estimate"])
    assert (after["placebo_N"], after["msc_N"]) == (0, 0)
    assert np.isnan(after["estimate"])
    assert after["note"]
    # the tests count what was observed
    assert steps(everybody).loc["weighted", "p"] == steps(found).loc["weighted", "p"]


def test_a_value_of_the_day_of_rescue_comes_after_it(base):
    """Of a child whose rescue is on a visit's own day: as if the rescue had been the day before, not the day after."""
    adsl, adlb, primary, _ = base
    upcr = adlb[(adlb["PARAMCD"] == "PROTCRT") & (adlb["AVISITN"] == VISITS[4].number) & adlb["AVAL"].notna()]
    child = adsl["USUBJID"].isin(upcr["USUBJID"]).idxmax()
    visit = adsl.loc[child, "TZERODT"] + pd.Timedelta(VISITS[4].day, "D")
    none = adsl.assign(RESCDT=pd.NaT)
    found = []
    for days in (-1, 0, 1):
        one = none.copy()
        one.loc[child, "RESCDT"] = visit + pd.Timedelta(days, "D")
        row = steps(sequence.fixed_sequence(primary, one, adlb, P)).loc["weighted_after_rescue"]
        found.append(row["estimate"])
    assert found[1] == found[0]
    assert found[1] != found[2]
