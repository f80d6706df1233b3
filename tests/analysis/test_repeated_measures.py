"""Models against statsmodels on complete data, where they are least squares; against the estimators on the trial's."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from helpers.analysis import course, repeated_measures
from helpers.estimators import mixed, reml
from helpers.estimators.mixed import Contrast
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()
MEASURES = course.measures(P)
UPCR, EGFR = MEASURES["upcr"], MEASURES["egfr"]
DAYS = [-P.infusion_gap, *(v.day for v in VISITS)]


def made(measure, children=40, seed=1) -> pd.DataFrame:
    """A frame as of `course.tidy`, complete: children of both arms in turn, a slope each, correlated errors."""
    rng = np.random.default_rng(seed)
    arm = np.arange(children) % 2
    years = np.array(DAYS) / 365.25
    level = (
        rng.normal(0, 0.5, (children, 1)) + (rng.normal(0.3, 0.3, (children, 1)) - 0.6 * arm[:, None]) * years
    )
    wide = level + rng.normal(0, 0.2, (children, len(DAYS)))
    wide = np.exp(wide) if measure.ratio else 90 + 10 * wide
    ids = [f"child {k:02d}" for k in rng.permutation(children)]
    out = pd.DataFrame(
        {
            "child": np.repeat(ids, len(DAYS)),
            "visit": list(course.VISIT_NAMES) * children,
            "arm": np.repeat(np.array(ARMS)[arm], len(DAYS)),
            "value": wide.ravel(),
        }
    )
    out["base"] = np.repeat(wide[:, 0], len(DAYS))
    out["change"] = out["value"] / out["base"] if measure.ratio else out["value"] - out["base"]
    out["month"] = np.tile(np.array(DAYS) / 30.4375, children)
    return out.assign(below=False, zero=False, base_bound=False)


def without(values, child, *visits):
    lost = (values["child"] == values["child"].unique()[child]) & values["visit"].isin(visits)
    return values.assign(value=values["value"].mask(lost), change=values["change"].mask(lost))


def least_squares(values, visit, measure):
    """(active - control, lower, upper, adjusted means of both arms) at one visit by statsmodels."""
    rows = values[values["visit"] == visit].dropna(subset=["value", "base"])
    scale = np.log if measure.ratio else np.asarray
    y, b = scale(rows["value"]) - scale(rows["base"]), scale(rows["base"])
    data = pd.DataFrame({"y": y, "b": b - b.mean(), "a": (rows["arm"] == "hUC-MSC").astype(float)})
    fit = smf.ols("y ~ b + a", data).fit()
    means = fit.get_prediction(pd.DataFrame({"b": [0, 0], "a": [0, 1]})).summary_frame()
    back = np.exp if measure.ratio else np.asarray
    return back([fit.params["a"], *fit.conf_int().loc["a"]]), back(
        means[["mean", "mean_ci_lower", "mean_ci_upper"]].to_numpy()
    )


# ------------------------------------------------------------------ arrays


def test_arrays_are_on_the_scale_of_the_model_in_the_order_of_the_frame():
    values = without(made(UPCR, 4), 1, "Month 12")
    data = repeated_measures.arrays(values, UPCR)
    assert data.arm.tolist() == [0, 1, 0, 1]
    wide = np.log(values["value"].to_numpy().reshape(4, 12))
    np.testing.assert_allclose(data.baseline, wide[:, 0])
    np.testing.assert_allclose(data.change, wide[:, 1:] - wide[:, :1])
    plain = repeated_measures.arrays(made(EGFR, 4), EGFR)
    np.testing.assert_allclose(plain.change[:, 10], made(EGFR, 4).query("visit == 'Month 12'")["change"])


def test_who_is_seen():
    values = made(UPCR, 6)
    values = without(values, 0, "Month 12")
    values = without(values, 1, *(v.name for v in VISITS))
    values = without(values, 2, "Baseline")
    data = repeated_measures.arrays(values, UPCR)
    assert data.seen().tolist() == [True, False, False, True, True, True]
    assert data.seen(10).tolist() == [False, False, False, True, True, True]
    assert data.seen(0).tolist() == data.seen().tolist()
    assert data.by_arm(data.seen()) == [2, 2]
    assert data.by_arm(data.seen(10)) == [1, 2]


# ------------------------------------------------------------------ complete data: least squares at each visit


@pytest.mark.parametrize("measure", [UPCR, EGFR], ids=["ratio", "difference"])
def test_complete_data_give_least_squares_at_each_visit(measure):
    values = made(measure)
    data = repeated_measures.arrays(values, measure)
    fit = repeated_measures.mmrm(data)
    assert fit.structure == reml.UNSTRUCTURED
    means, contrasts = repeated_measures.means(fit, data), repeated_measures.contrasts(fit, data)
    assert contrasts["visit"].tolist() == [*(v.name for v in VISITS), repeated_measures.AVERAGE]
    assert means["arm"].tolist() == list(ARMS) * 12
    assert (means["n"] == 20).all()
    for visit in ("Week 2", "Month 6", "Month 12"):
        between, arms = least_squares(values, visit, measure)
        row = contrasts.set_index("visit").loc[visit]
        assert row[["estimate", "lower", "upper"]].tolist() == pytest.approx(between, rel=1e-5)
        assert row["df"] == pytest.approx(37, rel=1e-4)
        for arm, expected in zip(ARMS, arms, strict=True):
            row = means[(means["visit"] == visit) & (means["arm"] == arm)].iloc[0]
            assert row[["estimate", "lower", "upper"]].tolist() == pytest.approx(expected, rel=1e-5)


def test_the_average_weights_visits_by_time():
    """Complete data: the area under the contrasts by the trapezoidal rule, over the time from first to last visit."""
    data = repeated_measures.arrays(made(EGFR), EGFR)
    found = repeated_measures.contrasts(repeated_measures.mmrm(data), data)
    by_visit, average = found.iloc[:-1], found.iloc[-1]
    area = np.trapezoid(by_visit["estimate"], DAYS[1:]) / (DAYS[-1] - DAYS[1])
    assert average["estimate"] == pytest.approx(area, rel=1e-6)
    assert np.isnan(average["month"])
    means = repeated_measures.means(repeated_measures.mmrm(data), data)
    low, high = (means[(means["visit"] == "average") & (means["arm"] == arm)].iloc[0] for arm in ARMS)
    assert high["estimate"] - low["estimate"] == pytest.approx(average["estimate"])


def test_n_counts_those_with_a_baseline_and_a_value_at_the_visit():
    values = without(made(UPCR), 0, "Month 12")
    values = without(values, 2, *(v.name for v in VISITS))
    data = repeated_measures.arrays(values, UPCR)
    means = repeated_measures.means(repeated_measures.mmrm(data), data).set_index(["visit", "arm"])["n"]
    assert [means["Month 12", arm] for arm in ARMS] == [18, 20]
    assert [means["Week 2", arm] for arm in ARMS] == [19, 20]
    assert [means["average", arm] for arm in ARMS] == [19, 20]


def test_month_12_by_four_methods():
    values = without(without(made(UPCR), 0, "Month 12"), 3, "Month 12")
    data = repeated_measures.arrays(values, UPCR)
    fit, welch = repeated_measures.mmrm(data), course.contrasts(values, UPCR)
    found = repeated_measures.month12(data, fit, welch).set_index("method")
    assert found.index.tolist() == ["mmrm", "ancova", "ancova_hc2", "welch"]
    assert found[["n_placebo", "n_msc"]].to_numpy().tolist() == [[20, 20], [19, 19], [19, 19], [19, 19]]
    between, _ = least_squares(values, "Month 12", UPCR)
    limits = ["estimate", "lower", "upper"]
    assert found.loc["ancova", limits].tolist() == pytest.approx(between)
    assert found.loc["ancova", "df"] == 35
    assert found.loc["ancova", "message"] == "2 children without y or baseline left out"
    last = repeated_measures.contrasts(fit, data).set_index("visit").loc["Month 12"]
    assert found.loc["mmrm", [*limits, "df"]].tolist() == last[[*limits, "df"]].tolist()
    assert found.loc["welch", limits].tolist() == welch.set_index("visit").loc["Month 12", limits].tolist()
    assert np.isnan(found.loc["welch", "df"])


# ------------------------------------------------------------------ slopes


def test_slopes_of_complete_data_are_the_means_of_the_childrens_own():
    values = made(EGFR)
    data = repeated_measures.arrays(values, EGFR)
    found = repeated_measures.slopes(repeated_measures.random_slope(data, P), data).set_index("what")
    years = np.array(DAYS) / 365.25
    own = np.polyfit(years, values["value"].to_numpy().reshape(40, 12).T, 1)[0]
    placebo, msc = own[0::2], own[1::2]
    assert found["estimate"].tolist() == pytest.approx(
        [placebo.mean(), msc.mean(), msc.mean() - placebo.mean()], rel=1e-5
    )
    # the summary-measures interval of the difference: two samples of slopes with one variance, 38 degrees of freedom
    half = 2.0243941645751367 * np.sqrt((placebo.var(ddof=1) + msc.var(ddof=1)) / 2 * (1 / 20 + 1 / 20))
    row = found.loc["difference"]
    assert row["df"] == pytest.approx(38, rel=1e-3)
    assert (row["lower"], row["upper"]) == pytest.approx(
        (row["estimate"] - half, row["estimate"] + half), rel=1e-4
    )
    assert found["n"].tolist() == [20, 20, pd.NA]


def test_slopes_count_those_with_a_baseline():
    values = without(without(made(EGFR), 0, "Baseline"), 1, *(v.name for v in VISITS))
    data = repeated_measures.arrays(values, EGFR)
    found = repeated_measures.slopes(repeated_measures.random_slope(data, P), data)
    assert found["n"].tolist()[:2] == [19, 20]


def test_slopes_on_a_ratio_scale_are_factors_a_year():
    data = repeated_measures.arrays(made(UPCR), UPCR)
    found = repeated_measures.slopes(repeated_measures.random_slope(data, P), data)["estimate"]
    assert found[2] == pytest.approx(found[1] / found[0])


# ------------------------------------------------------------------ back to the scale of the measure


@pytest.mark.parametrize(
    ("contrast", "ratio", "expected"),
    [
        (Contrast(0.0, lower=-np.log(2), upper=np.log(2)), True, (1, 0.5, 2, "")),
        (Contrast(5.0, lower=3.0, upper=7.0), False, (5, 3, 7, "")),
        (Contrast(message="nothing to fit"), True, (np.nan, np.nan, np.nan, "")),
        (Contrast(1.0, message="no standard error"), False, (1, np.nan, np.nan, "no standard error")),
        (
            Contrast(0.0, lower=-np.inf, upper=np.inf),
            True,
            (1, np.nan, np.nan, "next to no degrees of freedom"),
        ),
        (Contrast(0.0, lower=-7.0, upper=7.0), True, (1, np.nan, np.nan, "too wide to mean anything")),
        (Contrast(0.0, lower=-6.9, upper=6.9), True, (1, np.exp(-6.9), np.exp(6.9), "")),
        (Contrast(0.0, lower=-1e6, upper=1e6), False, (0, np.nan, np.nan, "too wide to mean anything")),
        (Contrast(0.0, lower=-7.0, upper=7.0), False, (0, -7, 7, "")),
    ],
)
def test_back_transformed(contrast, ratio, expected):
    *numbers, note = repeated_measures.back_transformed(contrast, ratio)
    assert numbers == pytest.approx(expected[:3], nan_ok=True)
    assert note == expected[3]


# ------------------------------------------------------------------ the base scenario


def test_the_mixed_model_is_the_estimators_own():
    study = load("base")
    adsl, adlb = study.read("adsl"), study.read("adlb")
    data = repeated_measures.arrays(course.tidy(adsl, adlb, UPCR, P), UPCR)
    found = repeated_measures.contrasts(repeated_measures.mmrm(data), data)
    wide = adlb[adlb["PARAMCD"] == "PROTCRT"].pivot(index="USUBJID", columns="AVISITN", values="AVAL")
    wide = np.log(wide.reindex(adsl["USUBJID"]).to_numpy(float))
    arm = (adsl["TRT01P"] == "hUC-MSC").to_numpy(int)
    fit = mixed.mmrm(wide[:, 1:] - wide[:, :1], wide[:, 0], arm, [v.day for v in VISITS])
    for k in range(len(VISITS)):
        own, row = fit.arm_contrast(np.eye(11)[k]), found.iloc[k]
        assert row[["estimate", "lower", "upper"]].tolist() == pytest.approx(
            np.exp([own.estimate, own.lower, own.upper]), rel=1e-6
        )
        assert row["df"] == pytest.approx(own.df, rel=1e-6)
    average = fit.arm_contrast(mixed.time_weights([v.day for v in VISITS]))
    assert found.iloc[-1]["estimate"] == pytest.approx(np.exp(average.estimate), rel=1e-6)


def test_too_few_children_give_no_number():
    values = made(UPCR, 2)
    data = repeated_measures.arrays(values, UPCR)
    fit = repeated_measures.mmrm(data)
    assert not fit.converged
    for frame in (repeated_measures.means(fit, data), repeated_measures.contrasts(fit, data)):
        assert frame[["estimate", "lower", "upper"]].isna().all(axis=None)
    three = repeated_measures.month12(data, fit, course.contrasts(values, UPCR)).set_index("method")
    assert three["estimate"].isna().tolist() == [True, True, True, False]
    assert three.loc["ancova", "message"].startswith("too few children")


def test_strata_are_a_covariate_of_the_models():
    """Complete data: at month 12 MMRM and ANCOVA are least squares with baseline, arm and RAS inhibition."""
    values = made(UPCR)
    ras = pd.Series(np.arange(40) % 3 == 0, values["child"].unique())
    values["ras"] = values["child"].map(ras)
    # children on RAS inhibition fall further, and more of them are in one arm
    values.loc[values["ras"] & (values["visit"] != "Baseline"), "value"] *= 0.6
    data = repeated_measures.arrays(values, UPCR)
    assert data.covariates.shape == (40, 1)
    fit = repeated_measures.mmrm(data)
    frame = repeated_measures.month12(data, fit, course.contrasts(values, UPCR)).set_index("method")
    last = pd.DataFrame(
        {"y": data.change[:, -1], "x": data.baseline, "arm": data.arm, "ras": data.covariates[:, 0]}
    )
    wanted = smf.ols("y ~ x + arm + ras", last).fit()
    assert frame.loc["ancova", "estimate"] == pytest.approx(np.exp(wanted.params["arm"]))
    assert [frame.loc["ancova", "lower"], frame.loc["ancova", "upper"]] == pytest.approx(
        list(np.exp(wanted.conf_int().loc["arm"]))
    )
    without_it = repeated_measures.mmrm(repeated_measures.arrays(values.drop(columns="ras"), UPCR))
    assert fit.contrast({"arm[11]": 1}).se < without_it.contrast({"arm[11]": 1}).se
    # nothing to adjust for where all are alike
    assert repeated_measures.arrays(values.assign(ras=True), UPCR).covariates is None


def test_the_frame_names_strata_only_where_the_plan_has_them():
    adsl, adlb = (load("base").read(name) for name in ("adsl", "adlb"))
    plain = course.tidy(adsl, adlb, UPCR, P)
    strata = course.tidy(adsl, adlb, UPCR, Parameters(strata="RAS inhibition"))
    assert "ras" not in plain
    by_child = strata.drop_duplicates("child").set_index("child")["ras"]
    assert by_child.equals(adsl.set_index("USUBJID")["RASFL"].eq("Y").rename_axis("child").rename("ras"))
