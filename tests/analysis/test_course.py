"""Courses against plain pandas, SciPy and statsmodels, and by hand on children made for it."""

import doctest

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from helpers.analysis import course
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()
MEASURES = course.measures(P)
UPCR, EGFR = MEASURES["upcr"], MEASURES["egfr"]
T2 = 4.302652729911275
"""97.5 % point of Student's t on 2 degrees of freedom, from a table."""

ADSL = pd.DataFrame({"USUBJID": list("fedcba"), "TRT01P": ["Placebo", "hUC-MSC"] * 3})
"""Placebo f, d, b; hUC-MSC e, c, a: neither sorted nor arm by arm."""


def labs(measure, below=(), **visits) -> pd.DataFrame:
    """ADLB of one measure: visit (Month_12) = {child: value}; `below`: (child, visit) below quantification."""
    rows = [
        (child, visit.replace("_", " "), float(value))
        for visit, values in visits.items()
        for child, value in values.items()
    ]
    out = pd.DataFrame(rows, columns=["USUBJID", "AVISIT", "AVAL"]).assign(
        PARAMCD=measure.paramcd, ANL01FL="Y"
    )
    flags = [(c, v) in set(below) for c, v in zip(out["USUBJID"], out["AVISIT"], strict=True)]
    return out.assign(LOQFL=np.where(flags, "Y", ""))


def six(**change) -> pd.DataFrame:
    """Baseline 1 in everybody but `change`."""
    return dict.fromkeys("abcdef", 1.0) | change


def tidied(measure, below=(), **visits):
    return course.tidy(ADSL, labs(measure, below, **visits), measure, P)


def cell(frame, visit, arm=None):
    chosen = frame["visit"] == visit
    return frame[chosen if arm is None else chosen & (frame["arm"] == arm)].iloc[0]


def test_example_of_the_module():
    # those that show the call of a notebook need its names
    (example,) = (one for one in doctest.DocTestFinder().find(course) if one.name == course.__name__)
    found = doctest.DocTestRunner().run(example)
    assert found.failed == 0
    assert found.attempted > 5


def test_measures_follow_the_readings_in_force():
    assert [m.paramcd for m in MEASURES.values()] == ["PROTCRT", "RBCURINE", "GFRBSCRT"]
    other = course.measures(Parameters(haematuria_cells="dysmorphic", gfr_method="U25 mean"))
    assert (other["rbc"].paramcd, other["rbc"].label) == ("RBCDYS", "dysmorphic urine red cells")
    assert other["egfr"].paramcd == "GFRU25AV"
    assert [(m.ratio, m.better, m.unchanged) for m in MEASURES.values()] == [
        (True, -1, 1.0),
        (True, -1, 1.0),
        (False, 1, 0.0),
    ]


# ------------------------------------------------------------------ tidy


def test_every_child_has_a_row_at_every_visit_in_the_order_of_adsl():
    values = tidied(UPCR, Baseline=six(), Month_12={"a": 0.5})
    assert values["child"].drop_duplicates().tolist() == list("fedcba")
    assert values["visit"].tolist() == ["Baseline", *(v.name for v in VISITS)] * 6
    assert values["month"].tolist()[:2] == pytest.approx([-P.infusion_gap / 30.4375, 14 / 30.4375])
    assert dict(zip(values["child"], values["arm"], strict=True)) == dict(
        f="Placebo", e="hUC-MSC", d="Placebo", c="hUC-MSC", b="Placebo", a="hUC-MSC"
    )
    assert values["value"].notna().sum() == 7


def test_only_rows_for_analysis_of_the_measure_and_of_children_in_adsl_count():
    good = labs(UPCR, Baseline=six())
    strangers = good.iloc[:1].assign(USUBJID="z")
    other = good.assign(PARAMCD="RBCURINE", AVAL=77.0)
    again = good.assign(ANL01FL="N", AVAL=99.0)
    values = course.tidy(ADSL, pd.concat([again, other, good, strangers]), UPCR, P)
    assert values["value"].dropna().tolist() == [1.0] * 6
    assert "z" not in set(values["child"])


def test_two_rows_of_a_child_and_visit_are_refused():
    twice = pd.concat([labs(UPCR, Baseline=six())] * 2)
    with pytest.raises(ValueError, match="non-unique"):
        course.tidy(ADSL, twice, UPCR, P)


@pytest.mark.parametrize(("measure", "expected"), [(UPCR, 3.0), (EGFR, 60.0)])
def test_change_is_a_ratio_or_a_difference_and_none_at_baseline(measure, expected):
    values = tidied(measure, Baseline={"a": 30, "b": 30}, Month_6={"a": 90, "c": 90})
    at = values.set_index(["child", "visit"])
    assert at.loc[("a", "Month 6"), "change"] == expected
    assert at.loc[("a", "Month 6"), "base"] == 30
    assert np.isnan(at.loc[("c", "Month 6"), "change"]), "no baseline"
    assert at.xs("Baseline", level="visit")["change"].isna().all()


def test_a_zero_counts_as_half_the_smallest_positive_value_on_a_ratio_scale_only():
    given = {"Baseline": six(a=0), "Month_6": {"b": 0.4, "c": 0, "d": 5}}
    values = tidied(UPCR, **given)
    zero = values[values["zero"]]
    assert list(zip(zero["child"], zero["visit"], strict=True)) == [("c", "Month 6"), ("a", "Baseline")]
    assert zero["value"].tolist() == [0.2, 0.2]
    plain = tidied(EGFR, **given)
    assert not plain["zero"].any()
    assert (plain["value"] == 0).sum() == 2


def test_zeros_alone_are_no_values():
    values = tidied(UPCR, Baseline=six(**dict.fromkeys("abcdef", 0)))
    assert values["zero"].sum() == 6
    assert values["value"].isna().all()


def test_below_quantification_is_marked_where_there_is_a_value():
    flags = [("a", "Month 6"), ("c", "Month 6")]
    values = tidied(UPCR, below=flags, Baseline=six(), Month_6={"a": 0.05, "b": 0.05, "c": np.nan})
    below = values[values["below"]]
    assert list(zip(below["child"], below["visit"], strict=True)) == [("a", "Month 6")]
    assert below["value"].tolist() == [0.05]


# ------------------------------------------------------------------ by arm and visit


def test_levels_by_hand():
    values = tidied(UPCR, Baseline={"f": 1, "d": 2, "b": 4, "e": 8}, Month_12={"f": 1, "d": 2, "b": 4})
    found = course.levels(values, UPCR)
    assert found["arm"].tolist() == ["Placebo"] * 12 + ["hUC-MSC"] * 12
    assert found["visit"].tolist() == ["Baseline", *(v.name for v in VISITS)] * 2
    half = np.exp(T2 * np.log(2) / np.sqrt(3))
    for visit in ("Baseline", "Month 12"):
        row = cell(found, visit, "Placebo")
        assert (row["n"], row["below_quantification"], row["note"]) == (3, 0, "")
        assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((2, 2 / half, 2 * half))
    one = cell(found, "Baseline", "hUC-MSC")
    assert (one["n"], one["estimate"], one["note"]) == (1, pytest.approx(8), "one child")
    none = cell(found, "Month 6", "hUC-MSC")
    assert (none["n"], none["note"]) == (0, "no value")
    assert np.isnan([none["estimate"], none["lower"], one["lower"], one["upper"]]).all()


def test_means_of_egfr_are_arithmetic():
    values = tidied(EGFR, Baseline={"f": 80, "d": 90, "b": 100})
    row = cell(course.levels(values, EGFR), "Baseline", "Placebo")
    half = T2 * 10 / np.sqrt(3)
    assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((90, 90 - half, 90 + half))


def test_changes_need_a_baseline_and_a_value():
    values = tidied(
        UPCR,
        Baseline={"f": 1, "d": 1, "e": 2, "c": 2, "a": 2},
        Week_2={"f": 3, "b": 3, "e": 2, "c": 4, "a": 8},
    )
    found = course.changes(values, UPCR)
    assert found["visit"].tolist() == [v.name for v in VISITS for _ in ARMS]
    assert found["arm"].tolist() == list(ARMS) * len(VISITS)
    placebo, msc = cell(found, "Week 2", "Placebo"), cell(found, "Week 2", "hUC-MSC")
    assert (placebo["n"], placebo["estimate"]) == (1, pytest.approx(3)), "b has no baseline, d no value"
    half = np.exp(T2 * np.log(2) / np.sqrt(3))
    assert (msc["n"], msc["estimate"], msc["lower"], msc["upper"]) == pytest.approx(
        (3, 2, 2 / half, 2 * half)
    )


def test_what_can_not_be_told_of_a_mean_is_said():
    given = {"Baseline": six(), "Month_6": six(), "Month_8": dict.fromkeys("abcdef", 0.05)}
    found = course.levels(tidied(UPCR, below=[(c, "Month 8") for c in "fdb"], **given), UPCR)
    assert cell(found, "Month 6", "Placebo")["note"] == "all values alike"
    row = cell(found, "Month 8", "Placebo")
    assert row["note"] == "all values below quantification, an upper bound"
    assert (row["estimate"], row["below_quantification"]) == (pytest.approx(0.05), 3)
    assert np.isnan(row["lower"])
    zeros = course.levels(tidied(UPCR, Baseline=six(), Month_8=dict.fromkeys("fdb", 0)), UPCR)
    assert cell(zeros, "Month 8", "Placebo")["below_quantification"] == 3
    assert cell(zeros, "Month 8", "Placebo")["note"].startswith("all values zero"), "half a value is no bound"


def test_a_change_from_a_baseline_below_quantification_is_no_measured_one():
    given = {"Baseline": six(f=0.05, d=0.05, b=0.05), "Month_8": six(), "Month_12": six()}
    values = tidied(UPCR, below=[(c, "Baseline") for c in "fd"] + [("b", "Month 12")], **given)
    found = course.changes(values, UPCR)
    assert cell(found, "Month 8", "Placebo")["below_quantification"] == 2
    row = cell(found, "Month 12", "Placebo")
    assert row["below_quantification"] == 3
    assert row["note"] == "every change has a value or a baseline below quantification"
    assert np.isnan(row["lower"])
    assert cell(course.contrasts(values, UPCR), "Month 12")["note"] == "all of Placebo below quantification"


def test_what_there_is_is_counted():
    given = {"Baseline": six(f=0.0), "Month_6": {"a": 0.05, "b": 2}, "Month_12": {"a": 0}}
    values = tidied(UPCR, below=[("a", "Month 6")], **given)
    count = course.completeness(values)
    assert count.to_dict() == dict(planned=66, seen=3, known=9, recorded=9, below=1, zero=2, zero_as=0.025)
    empty = course.visits_without_a_value(course.levels(values, UPCR))
    assert empty == [v.name for v in VISITS if v.name not in ("Month 6", "Month 12")]
    none = course.completeness(tidied(UPCR, Baseline=six(**dict.fromkeys("abcdef", 0))))
    assert (none["known"], none["recorded"]) == (0, 6)
    assert np.isnan(none["zero_as"])


def test_welch_by_hand():
    """Changes 1, 2, 3 and 2, 6, 10: difference 4, standard error sqrt(1/3 + 16/3), df by Welch and Satterthwaite."""
    values = tidied(EGFR, Baseline=six(), Month_12={"f": 2, "d": 3, "b": 4, "e": 3, "c": 7, "a": 11})
    row = cell(course.contrasts(values, EGFR), "Month 12")
    a, b = 1 / 3, 16 / 3
    half = stats.t.ppf(0.975, (a + b) ** 2 / (a**2 / 2 + b**2 / 2)) * np.sqrt(a + b)
    assert (row["estimate"], row["lower"], row["upper"]) == pytest.approx((4, 4 - half, 4 + half))
    assert row["note"] == ""


@pytest.mark.parametrize(
    ("month12", "below", "estimate", "note"),
    [
        ({"f": 2, "d": 3}, (), np.nan, "no value in hUC-MSC"),
        ({"e": 2, "c": 3}, (), np.nan, "no value in Placebo"),
        ({"f": 2, "d": 3, "e": 1, "c": 1}, "ec", np.nan, "all of hUC-MSC below quantification"),
        ({"f": 1, "d": 1, "e": 2, "c": 3}, "fd", np.nan, "all of Placebo below quantification"),
        ({"f": 2, "d": 8, "e": 1}, (), 0.25, "one child in hUC-MSC"),
        ({"f": 2, "e": 1, "c": 4}, (), 1.0, "one child in Placebo"),
        ({"f": 2, "d": 2, "e": 1, "c": 1}, (), 0.5, "all values alike"),
    ],
)
def test_what_can_not_be_told_of_a_contrast_is_said(month12, below, estimate, note):
    values = tidied(UPCR, below=[(c, "Month 12") for c in below], Baseline=six(), Month_12=month12)
    row = cell(course.contrasts(values, UPCR), "Month 12")
    assert row["estimate"] == pytest.approx(estimate, nan_ok=True)
    assert row["note"] == note
    assert np.isnan([row["lower"], row["upper"]]).all()


@pytest.mark.parametrize(("zeros", "arm"), [("ec", "hUC-MSC"), ("fd", "Placebo")])
def test_an_arm_of_zeros_alone_has_no_contrast(zeros, arm):
    """Half the smallest positive value stands in for each: a ratio of them would be one of our own making."""
    month12 = {"f": 2, "d": 8, "e": 1, "c": 4} | dict.fromkeys(zeros, 0)
    row = cell(course.contrasts(tidied(UPCR, Baseline=six(), Month_12=month12), UPCR), "Month 12")
    assert row["note"] == f"all of {arm} below quantification"
    assert np.isnan([row["estimate"], row["lower"], row["upper"]]).all()


def test_a_reader_may_choose_children():
    values = tidied(UPCR, Baseline=six(), Month_12={"f": 2, "d": 8, "e": 1, "c": 4, "a": 9})
    some = values[values["child"].isin(list("fec"))]
    assert course.changes(some, UPCR)["n"].max() == 2
    assert cell(course.contrasts(some, UPCR), "Month 12")["estimate"] == pytest.approx(1.0)
    assert course.last_values(some, UPCR)["child"].tolist() == list("efc")


# ------------------------------------------------------------------ child by child


def test_last_values_by_hand():
    values = tidied(
        UPCR,
        Baseline={"f": 1, "e": 1, "d": 1, "c": 1, "a": 2},
        Month_6={"f": 0.1, "e": 0.5, "b": 3},
        Month_12={"f": 2, "d": 1, "a": 1},
    )
    found = course.last_values(values, UPCR)
    # a and e halved, in the order of ADSL; d stayed; f rose in the end; c was never seen, b has no baseline
    assert found["child"].tolist() == ["e", "a", "d", "f", "c", "b"]
    assert found["visit"].tolist()[:4] == ["Month 6", "Month 12", "Month 12", "Month 12"]
    assert found["change"].tolist()[:4] == [0.5, 0.5, 1, 2]
    assert found["change"].isna().tolist() == [False] * 4 + [True] * 2
    assert found["value"].tolist()[5] == 3
    assert list(found) == ["child", "arm", "visit", "month", "value", "base", "change"]
    counts = course.improved(found, UPCR).set_index("arm")
    assert counts.loc["Placebo"].tolist() == [3, 2, 0]
    assert counts.loc["hUC-MSC"].tolist() == [3, 2, 2]


def test_a_rise_of_egfr_is_welcome():
    values = tidied(EGFR, Baseline=six(), Month_12={"f": 5, "e": 0.5, "d": 1, "c": 2})
    found = course.last_values(values, EGFR)
    assert found["child"].tolist() == ["f", "c", "d", "e", "b", "a"]
    assert course.improved(found, EGFR)["improved"].tolist() == [1, 1], "d stayed where it was"


# ------------------------------------------------------------------ the base scenario, by other libraries


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return study.read("adsl"), study.read("adlb")


def rows_of(adlb, measure, visit, arm):
    here = (adlb["PARAMCD"] == measure.paramcd) & (adlb["AVISIT"] == visit) & (adlb["TRT01P"] == arm)
    return adlb[here & (adlb["ANL01FL"] == "Y")].set_index("USUBJID")


@pytest.mark.parametrize("key", MEASURES)
@pytest.mark.parametrize("visit", ["Baseline", "Month 6", "Month 12"])
def test_levels_against_scipy(base, key, visit):
    measure = MEASURES[key]
    found = course.levels(course.tidy(*base, measure, P), measure)
    for arm in ARMS:
        row, values = cell(found, visit, arm), rows_of(base[1], measure, visit, arm)["AVAL"]
        back, scaled = (np.exp, np.log(values)) if measure.ratio else (float, values)
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(scaled, ddof=1) / np.sqrt(len(values))
        assert row["n"] == len(values)
        assert row["estimate"] == pytest.approx(stats.gmean(values) if measure.ratio else values.mean())
        expected = back(scaled.mean() - half), back(scaled.mean() + half)
        assert (row["lower"], row["upper"]) == pytest.approx(expected)


@pytest.mark.parametrize("key", MEASURES)
@pytest.mark.parametrize("visit", ["Week 2", "Month 12"])
def test_contrasts_against_statsmodels(base, key, visit):
    measure = MEASURES[key]
    row = cell(course.contrasts(course.tidy(*base, measure, P), measure), visit)
    changes = []
    for arm in ARMS:
        rows = rows_of(base[1], measure, visit, arm)
        changes.append(np.log(rows["AVAL"] / rows["BASE"]) if measure.ratio else rows["CHG"])
    placebo, msc = changes
    back = np.exp if measure.ratio else float
    welch = CompareMeans(DescrStatsW(msc), DescrStatsW(placebo)).tconfint_diff(usevar="unequal")
    assert row["estimate"] == pytest.approx(back(msc.mean() - placebo.mean()))
    assert (row["lower"], row["upper"]) == pytest.approx(tuple(map(back, welch)))


@pytest.mark.parametrize("key", ["upcr", "egfr"])
def test_last_values_against_pandas(base, key):
    measure = MEASURES[key]
    rows = base[1][(base[1]["PARAMCD"] == measure.paramcd) & base[1]["ABLFL"].isna()].sort_values("AVISITN")
    last = rows.groupby("USUBJID").last()
    change = last["AVAL"] / last["BASE"] if measure.ratio else last["CHG"]
    found = course.last_values(course.tidy(*base, measure, P), measure).set_index("child")["change"]
    assert found[change.index].to_numpy() == pytest.approx(change.to_numpy(), rel=1e-7, abs=1e-7)
    assert found.dropna().is_monotonic_increasing if measure.ratio else found.dropna().is_monotonic_decreasing
