"""Chapters 05 to 07: numbers against plain pandas, SciPy, statsmodels and lifelines; ugly data told in words."""

import json
import re
from dataclasses import fields
from functools import cache

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from matplotlib.figure import Figure
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from helpers import ROOT
from helpers.analysis.adam import Adam, Raw
from helpers.chapters import longitudinal, remission, time_to_remission
from helpers.chapters.exhibits import Exhibit, Result
from helpers.figures import figures
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()
MEASURES = longitudinal.measures(P)


@cache
def raw_tables():
    study = load("base")
    return {field.name: study.read(field.name) for field in fields(Raw)}


def analysed(raw=None, p=P):
    """(adsl, adlb, adtte) of raw tables, by the project's own derivation."""
    made = Adam(Raw(**(raw or raw_tables())), p, own=raw is not None)
    return made.adsl(), made.adlb(), made.adtte()


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return tuple(study.read(name) for name in ("adsl", "adlb", "adtte"))


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are tested elsewhere and take most of the time: an empty one in their place."""
    for name in ("by_arm_over_time", "small_multiples", "forest", "tiles", "cumulative_remission"):
        monkeypatch.setattr(figures, name, lambda *_, **__: Figure(figsize=(1, 1)))


def everything(adsl, adlb, adtte, p=P):
    """All that chapters 05 to 07 show: exhibits by key, and what their text says."""
    shown = []
    for measure in MEASURES.values():
        for make in (longitudinal.course, longitudinal.change, longitudinal.children):
            shown.append(make(adsl, adlb, measure, p))
    shown.append(remission.primary(adsl, adlb, adtte, p))
    shown.append((remission.undetermined(adsl, adlb, adtte, p),))
    shown.append(remission.supplementary(adsl, adtte))
    shown.append(remission.by_visit(adsl, adlb, adtte))
    shown.append(remission.endpoints(adsl, adlb, adtte, p))
    shown.append(remission.tiles(adsl, adlb))
    shown += [time_to_remission.curve(adtte, code) for code in time_to_remission.ENDPOINTS]
    shown += [time_to_remission.curve(adtte, "UPCRC", clock) for clock in ("ACTMONTH", "EOSMONTH")]
    shown.append(time_to_remission.estimates(adtte))
    shown.append(time_to_remission.estimates(adtte, ("UPCRC",), tuple(time_to_remission.CLOCKS)))
    shown.append(time_to_remission.logrank(adtte))
    exhibits = [part for each in shown for part in each if isinstance(part, Exhibit)]
    said = [value for each in shown if isinstance(each[-1], dict) for value in each[-1].values()]
    assert len({e.key for e in exhibits}) == len(exhibits)
    return {e.key: e for e in exhibits}, said


# ------------------------------------------------------------------ chapter 05


def values_of(adlb, measure, visit, arm):
    rows = adlb[(adlb["PARAMCD"] == measure.paramcd) & (adlb["AVISIT"] == visit) & (adlb["TRT01P"] == arm)]
    return rows.set_index("USUBJID")


@pytest.mark.parametrize("key", MEASURES)
@pytest.mark.parametrize("visit", ["Baseline", "Month 6", "Month 12"])
def test_group_estimates_against_scipy(base, undrawn, key, visit):
    adsl, adlb, _ = base
    measure = MEASURES[key]
    found = longitudinal.course(adsl, adlb, measure, P).figure.data
    for arm in ARMS:
        row = found[(found["arm"] == arm) & (found["visit"] == visit)].iloc[0]
        values = values_of(adlb, measure, visit, arm)["AVAL"]
        back, logs = (np.exp, np.log(values)) if measure.ratio else (lambda v: v, values)
        half = stats.t.ppf(0.975, len(logs) - 1) * np.std(logs, ddof=1) / np.sqrt(len(logs))
        centre = stats.gmean(values) if measure.ratio else values.mean()
        assert row["n"] == len(values)
        assert row["estimate"] == pytest.approx(centre, rel=1e-9)
        expected = back(logs.mean() - half), back(logs.mean() + half)
        assert (row["lower"], row["upper"]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("key", MEASURES)
@pytest.mark.parametrize("visit", ["Week 2", "Month 12"])
def test_differences_between_arms_against_statsmodels(base, undrawn, key, visit):
    adsl, adlb, _ = base
    measure = MEASURES[key]
    table = longitudinal.change(adsl, adlb, measure, P).table.data.set_index("visit")
    changes = []
    for arm in ARMS:
        rows = values_of(adlb, measure, visit, arm)
        changes.append(np.log(rows["AVAL"] / rows["BASE"]) if measure.ratio else rows["CHG"])
    placebo, msc = changes
    back = np.exp if measure.ratio else (lambda v: v)
    welch = CompareMeans(DescrStatsW(msc), DescrStatsW(placebo)).tconfint_diff(usevar="unequal")
    row = table.loc[visit]
    assert row["between"] == pytest.approx(back(msc.mean() - placebo.mean()), rel=1e-7)
    assert (row["between_lower"], row["between_upper"]) == pytest.approx(tuple(map(back, welch)), rel=1e-7)
    assert (row["n_placebo"], row["n_msc"]) == (len(placebo), len(msc))


def test_headers_stand_over_the_arm_they_name(base, undrawn):
    """A change made in one arm's data must appear under that arm's header and under no other."""
    adsl, adlb, adtte = base
    raised = (adlb["TRT01P"] == "hUC-MSC") & adlb["ABLFL"].isna()
    before = longitudinal.change(adsl, adlb, MEASURES["upcr"], P).table
    after = longitudinal.change(
        adsl, adlb.assign(AVAL=adlb["AVAL"] * (1 + 2 * raised)), MEASURES["upcr"], P
    ).table
    moved = [h for c, h in after.columns.items() if list(after.data[c]) != list(before.data[c])]
    assert moved == ["hUC-MSC (95 % interval)", "hUC-MSC / placebo (95 % interval)"]
    assert after.data["msc"].to_numpy() == pytest.approx(3 * before.data["msc"].to_numpy())
    tables = [e for e in everything(adsl, adlb, adtte)[0].values() if e.figure is None]
    named = [(c, h) for e in tables for c, h in e.columns.items() if c.startswith(("placebo", "msc"))]
    assert len(named) > 40
    for column, heading in named:
        assert ("Placebo" in heading) == column.startswith("placebo")
        assert ("hUC-MSC" in heading) == column.startswith("msc")


def test_children_are_sorted_by_their_last_change(base, undrawn):
    adsl, adlb, _ = base
    for measure, sign in ((MEASURES["upcr"], 1), (MEASURES["egfr"], -1)):
        rows = adlb[(adlb["PARAMCD"] == measure.paramcd) & adlb["ABLFL"].isna()].sort_values("AVISITN")
        last = rows.groupby("USUBJID").last()
        change = last["AVAL"] / last["BASE"] if measure.ratio else last["CHG"]
        found = longitudinal.children(adsl, adlb, measure, P).figure.data.set_index("child")["change"]
        assert found.dropna().to_numpy() == pytest.approx(np.sort(change)[::sign], rel=1e-7, abs=1e-7)
        assert found[change.index].to_numpy() == pytest.approx(change.to_numpy(), rel=1e-7, abs=1e-7)


def test_many_children_are_drawn_from_both_ends(base, monkeypatch):
    adsl, adlb, _ = base
    drawn = {}
    monkeypatch.setattr(
        figures, "small_multiples", lambda *_, order, **__: drawn.update(order=order) or Figure()
    )
    monkeypatch.setattr(longitudinal, "PANELS", 10)
    exhibit = longitudinal.children(adsl, adlb, MEASURES["upcr"], P).figure
    order = list(exhibit.data["child"])
    assert drawn["order"] == order[:5] + order[-5:]
    assert "Of 40 children the 5 first and the 5 last are drawn" in exhibit.caption


def test_zeros_and_values_below_quantification_are_counted(undrawn):
    raw = raw_tables()
    labs = raw["labs"].copy()
    zero = (labs["test"] == "rbc") & (labs["visit_no"] == 5)
    labs.loc[zero, "value"] = 0.0
    adsl, adlb, _ = analysed(raw | {"labs": labs})
    course = longitudinal.course(adsl, adlb, MEASURES["rbc"], P)
    smallest = adlb.loc[(adlb["PARAMCD"] == "RBCURINE") & (adlb["AVAL"] > 0), "AVAL"].min()
    assert f"{zero.sum()} values of zero count as {smallest / 2:g}" in course.figure.caption
    week8 = course.figure.data.query("visit == 'Week 8'")
    assert week8["estimate"].to_numpy() == pytest.approx([smallest / 2] * 2)
    assert week8["lower"].isna().all()
    assert week8["note"].str.contains("below quantification").all()


# ------------------------------------------------------------------ chapter 06


def score_interval(x0, n0, x1, n1):
    """Miettinen-Nurminen by brute force: restricted likelihood maximised numerically, bounds by root finding."""

    def z(d):
        def loss(p0):
            p = np.clip([p0, p0 + d], 1e-14, 1 - 1e-14)
            return -(
                x0 * np.log(p[0])
                + (n0 - x0) * np.log(1 - p[0])
                + x1 * np.log(p[1])
                + (n1 - x1) * np.log(1 - p[1])
            )

        p0 = optimize.minimize_scalar(
            loss, bounds=(max(0, -d), min(1, 1 - d)), method="bounded", options={"xatol": 1e-12}
        ).x
        p1, total = p0 + d, n0 + n1
        return (x1 / n1 - x0 / n0 - d) / np.sqrt(
            (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)
        )

    seen, limit = x1 / n1 - x0 / n0, stats.norm.ppf(0.975)
    return optimize.brentq(lambda d: z(d) - limit, -0.999, seen), optimize.brentq(
        lambda d: z(d) + limit, seen, 0.999
    )


def test_primary_against_scipy_and_statsmodels(base):
    adsl, adlb, adtte = base
    row = remission.primary(adsl, adlb, adtte, P).exhibit.data.iloc[0]
    rows = adtte[(adtte["PARAMCD"] == "UPCRC") & (adtte["CNSR"] != 2)]
    table = pd.crosstab(rows["TRT01P"], rows["CNSR"]).loc[list(ARMS)]
    assert len(rows) == (adsl["UPCRFL"] == "Y").sum()
    x0, x1 = table[0.0]
    n0, n1 = table.sum(axis=1)
    assert (row["placebo_n"], row["placebo_N"], row["msc_n"], row["msc_N"]) == (x0, n0, x1, n1)
    exact = stats.boschloo_exact([[x1, x0], [n1 - x1, n0 - x0]], n=64).pvalue
    assert row["p"] == pytest.approx(exact, rel=1e-3)
    assert (row["lower"] / 100, row["upper"] / 100) == pytest.approx(score_interval(x0, n0, x1, n1), abs=1e-6)
    for name, x, n in (("placebo", x0, n0), ("msc", x1, n1)):
        wilson = proportion_confint(x, n, method="wilson")
        assert (row[f"{name}_lower"] / 100, row[f"{name}_upper"] / 100) == pytest.approx(wilson, rel=1e-9)


@pytest.mark.parametrize(
    ("control", "active", "words"),
    [
        ((3, 18), (7, 14), "Test and interval disagree about zero: the test (level 5 %) does not exclude it"),
        ((1, 20), (15, 20), "Test (level 5 %) and 95 % interval agree: both exclude zero"),
        ((5, 20), (6, 20), "Test (level 5 %) and 95 % interval agree: neither excludes zero"),
        ((0, 20), (0, 20), "No child of either arm had a confirmed remission"),
        ((20, 20), (20, 20), "Every evaluable child had a confirmed remission"),
        ((0, 1), (6, 20), "single evaluable child"),
        ((0, 0), (6, 20), "not estimable: no evaluable child in Placebo."),
        ((0, 0), (0, 0), "not estimable: no evaluable child in Placebo and no evaluable child in hUC-MSC."),
    ],
)
def test_test_and_interval_in_words(undrawn, control, active, words):
    """Outcomes put into ADTTE by hand; 3/18 v 7/14 has p 0.067 and an interval that leaves out zero."""
    adsl, adlb, adtte = analysed()
    confirmed = adtte["PARAMCD"] == "UPCRC"
    for arm, (x, n) in zip(ARMS, (control, active), strict=True):
        rows = adtte.index[confirmed & (adtte["TRT01P"] == arm)]
        outcome = np.where(np.arange(len(rows)) < x, 0, np.where(np.arange(len(rows)) < n, 1, 2))
        adtte.loc[rows, "CNSR"], adtte.loc[rows, "ANL01FL"] = outcome, np.where(outcome == 2, "N", "Y")
    shown = remission.primary(adsl, adlb, adtte, P)
    assert words in shown.said["verdict"]
    assert (shown.said["placebo_n"].value, shown.said["msc_evaluable"].value) == (control[0], active[1])


def trajectory(*words):
    """ADSL, ADLB, ADTTE of one evaluable placebo child with these states; None = no value."""
    adsl, adlb, adtte = analysed()
    child = adsl.loc[(adsl["UPCRFL"] == "Y") & adsl["RESCDT"].isna(), "USUBJID"].iloc[0]
    adsl = adsl[adsl["USUBJID"] == child].assign(TRT01P="Placebo")
    pattern = adlb[(adlb["USUBJID"] == child) & (adlb["PARAMCD"] == "PROTCRT")].iloc[:1]
    rows = [pattern.assign(AVISIT=v.name, AVISITN=float(k), ABLFL=None, AVALCAT1=word)
            for k, (v, word) in enumerate(zip(VISITS, words, strict=True), 1) if word]  # fmt: skip
    adtte = adtte[adtte["USUBJID"] == child].assign(CNSR=1.0, ANL01FL="Y", TRT01P="Placebo", TRT01PN=0.0)
    return adsl, pd.concat([pattern, *rows], ignore_index=True), adtte


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
def test_undetermined_by_hand(states, open_):
    adsl, adlb, adtte = trajectory(*states)
    found = remission.undetermined(adsl, adlb, adtte, P)
    assert len(found.data) == open_
    assert ("1 of 1" in found.n) == open_
    assert ("outcome of every evaluable child is known" in found.caption) != open_


def test_nothing_is_undetermined_after_rescue():
    adsl, adlb, adtte = trajectory(*[N] * 9, None, None)
    rescued = adsl.assign(RESCDT=adsl["TZERODT"] + pd.Timedelta(days=250))
    assert len(remission.undetermined(rescued, adlb, adtte, P).data) == 0


def test_sets_and_visits_against_plain_counts(base, undrawn):
    adsl, adlb, adtte = base
    event = set(adtte.loc[(adtte["PARAMCD"] == "UPCRC") & (adtte["CNSR"] == 0), "USUBJID"])
    sets = remission.supplementary(adsl, adtte).table.data.set_index("label")
    protocol = adsl[(adsl["UPCRFL"] == "Y") & (adsl["PPROTFL"] == "Y")]
    for label, part in (("All randomised, not evaluable = no remission", adsl),
                        ("Per protocol: evaluable, both infusions, no rescue", protocol)):  # fmt: skip
        for arm, name in zip(ARMS, ("placebo", "msc"), strict=True):
            children = set(part.loc[part["TRT01P"] == arm, "USUBJID"])
            counts = sets.loc[label, f"{name}_n"], sets.loc[label, f"{name}_N"]
            assert counts == (len(children & event), len(children))
    visits = remission.by_visit(adsl, adlb, adtte).table.data.set_index("label")
    evaluable = set(adsl.loc[adsl["UPCRFL"] == "Y", "USUBJID"])
    rows = adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["USUBJID"].isin(evaluable) & adlb["ABLFL"].isna()]
    for (visit, arm), part in rows.groupby(["AVISIT", "TRT01P"]):
        name = dict(zip(ARMS, ("placebo", "msc"), strict=True))[arm]
        states = part["AVALCAT1"].value_counts()
        assert visits.loc[visit, f"{name}_n"] == states.get("complete", 0) + states.get("partial", 0)
        assert visits.loc[visit, f"{name}_complete"] == states.get("complete", 0)
        assert visits.loc[visit, f"{name}_seen"] == len(part)
    ever = adtte[(adtte["PARAMCD"] == "UPCRF") & (adtte["CNSR"] == 0)].groupby("TRT01P").size()
    assert (visits.loc["At any visit (ever)", ["placebo_n", "msc_n"]] == ever[list(ARMS)].to_numpy()).all()


def test_every_measure_has_its_own_denominator(base, undrawn):
    adsl, adlb, adtte = base
    found = remission.endpoints(adsl, adlb, adtte, P)
    results = {r.key: r for r in found.table.results}
    for name in remission.MEASURES:
        rows = adtte[(adtte["PARAMCD"] == f"{name}C") & (adtte["CNSR"] != 2)]
        for arm, short in zip(ARMS, ("placebo", "msc"), strict=True):
            part = rows[rows["TRT01P"] == arm]
            text = results[f"remission.{name.lower()}.confirmed.{short}"].text
            assert text.startswith(f"{(part['CNSR'] == 0).sum()}/{len(part)} (")
            last = adlb[(adlb["AVISITN"] == 11) & adlb["USUBJID"].isin(part["USUBJID"])]
            code = {
                "UPCR": "PROTCRT",
                "P24": "PROT24H",
                "DIP": "DIPPROT",
                "HEM": "RBCURINE",
                "GFR": "GFRBSCRT",
            }[name]
            there = last[
                (last["PARAMCD"] == code) & ~last["AVALCAT1"].isin(["none"]) & last["AVALCAT1"].notna()
            ]
            assert results[f"remission.{name.lower()}.month12.{short}"].text.startswith(
                f"{len(there)}/{len(part)} ("
            )


def test_swapping_the_arms_mirrors_every_comparison(base, undrawn):
    other = {"Placebo": "hUC-MSC", "hUC-MSC": "Placebo"}
    swapped = [f.assign(TRT01P=f["TRT01P"].map(other), TRT01PN=1 - f["TRT01PN"]) for f in base]
    here, there = everything(*base)[0], everything(*swapped)[0]
    for key in ("remission-primary", "remission-sets", "remission-visits", "remission-endpoints"):
        a, b = here[key].data, there[key].data
        assert a["difference"].to_numpy() == pytest.approx(-b["difference"].to_numpy(), abs=1e-9)
        assert a["lower"].to_numpy() == pytest.approx(-b["upper"].to_numpy(), abs=1e-6)
        assert list(a["placebo_text"]) == list(b["msc_text"])
    assert here["remission-primary"].data["p"][0] == pytest.approx(there["remission-primary"].data["p"][0])
    a, b = here["upcr-change-table"].data, there["upcr-change-table"].data
    assert a["between"].to_numpy() == pytest.approx(1 / b["between"].to_numpy())
    assert here["ttr-logrank"].data["p"][0] == pytest.approx(there["ttr-logrank"].data["p"][0])


def test_tiles_hold_what_adlb_says(base, undrawn):
    adsl, adlb, _ = base
    shown = remission.tiles(adsl, adlb)
    table = shown.exhibit.data.set_index("child")
    names = {v.name: v.short for v in VISITS}
    for row in adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["ABLFL"].isna()].itertuples():
        evaluable = adsl.set_index("USUBJID").loc[row.USUBJID, "UPCRFL"] == "Y"
        assert table.loc[row.USUBJID, names[row.AVISIT]] == (row.AVALCAT1 if evaluable else "not evaluable")
    gone = adsl[(adsl["EOSSTT"] == "DISCONTINUED") & (adsl["UPCRFL"] == "Y")]
    for child in gone.itertuples():
        for v in VISITS:
            if child.TZERODT + pd.Timedelta(days=v.day) > child.EOSDT + pd.Timedelta(days=20):
                assert table.loc[child.USUBJID, v.short] == "after drop-out"
    assert shown.said["seen"].value == table.isin(["complete", "partial", "none"]).to_numpy()[:, 1:].sum()


# ------------------------------------------------------------------ chapter 07


@pytest.mark.parametrize("code", time_to_remission.ENDPOINTS)
@pytest.mark.parametrize("clock", time_to_remission.CLOCKS)
def test_curves_against_lifelines(base, undrawn, code, clock):
    _, _, adtte = base
    shown = time_to_remission.curve(adtte, code, clock)
    rows = adtte[(adtte["PARAMCD"] == code) & (adtte["CNSR"] != 2)]
    for arm in ARMS:
        part = rows[rows["TRT01P"] == arm]
        fit = lifelines.KaplanMeierFitter().fit(part[clock], part["CNSR"] == 0)
        found = shown.figure.data[shown.figure.data["arm"] == arm]
        # half a microsecond later, because a CSV keeps ten digits of a time
        at = found["time"].to_numpy() + 1e-6
        assert found["estimate"].to_numpy() == pytest.approx(1 - fit.predict(at).to_numpy(), abs=1e-12)
        band = fit.confidence_interval_.set_axis(["low", "high"], axis=1)
        band = band.reindex(band.index.union(at)).ffill().loc[at]
        inside = (found["estimate"] > 0) & (found["estimate"] < 1)
        inside = inside.to_numpy()
        assert found["upper"].to_numpy()[inside] == pytest.approx(
            1 - band["low"].to_numpy()[inside], abs=1e-9
        )
        assert found["lower"].to_numpy()[inside] == pytest.approx(
            1 - band["high"].to_numpy()[inside], abs=1e-9
        )
        assert found.loc[~inside, ["lower", "upper"]].isna().all(axis=None)


@pytest.mark.parametrize("code", time_to_remission.ENDPOINTS)
def test_at_risk_counts_by_visit_number(base, undrawn, code):
    """Counted by the number of the visit that a time belongs to, so that no decimal of a month decides."""
    _, _, adtte = base
    table = time_to_remission.curve(adtte, code).table.data
    assert list(table["visit"]) == ["Time zero", *(v.name for v in VISITS)]
    rows = adtte[(adtte["PARAMCD"] == code) & (adtte["CNSR"] != 2)]
    number = [int(np.argmin([abs(t - m) for m in [0, *(v.month for v in VISITS)]])) for t in rows["AVAL"]]
    rows = rows.assign(number=number)
    for arm, name in zip(ARMS, ("placebo", "msc"), strict=True):
        part = rows[rows["TRT01P"] == arm]
        for k, row in table.iterrows():
            assert row[f"{name}_at_risk"] == (part["number"] >= k).sum()
            assert row[f"{name}_events"] == ((part["number"] <= k) & (part["CNSR"] == 0)).sum()
            assert row[f"{name}_censored"] == ((part["number"] <= k) & (part["CNSR"] == 1)).sum()


def test_logrank_against_lifelines(base):
    _, _, adtte = base
    rows = adtte[(adtte["PARAMCD"] == "UPCRC") & (adtte["CNSR"] != 2)].assign(
        AVAL=lambda f: f["AVAL"].round(6)
    )
    a, b = (rows[rows["TRT01P"] == arm] for arm in ARMS)
    test = logrank_test(a["AVAL"], b["AVAL"], a["CNSR"] == 0, b["CNSR"] == 0)
    shown = time_to_remission.logrank(adtte)
    assert shown.said["p"].value == pytest.approx(test.p_value, rel=1e-9)
    assert "supportive" in shown.table.title


def test_medians_by_hand(base):
    """Ten evaluable placebo children: 5 remit at month 4, the others are censored at month 12: a plateau at 1/2."""
    _, _, adtte = base
    rows = adtte[(adtte["PARAMCD"] == "UPCRC")]
    rows = pd.concat([rows[rows["TRT01P"] == arm].head(10) for arm in ARMS])
    month4, month12 = VISITS[5].month, VISITS[-1].month
    half = np.tile(np.arange(10) < 5, 2)
    rows = rows.assign(ANL01FL="Y", CNSR=np.where(half, 0.0, 1.0), AVAL=np.where(half, month4, month12))
    late = rows["TRT01P"] == "hUC-MSC"
    rows.loc[late, "CNSR"] = 1.0
    found = time_to_remission.estimates(rows, ("UPCRC",))
    assert found.said["confirmed_placebo"].value == pytest.approx((month4 + month12) / 2)
    assert found.said["confirmed_placebo"].text.startswith("8.0 (4.0 to ")
    assert found.said["confirmed_msc"].text == "not reached"
    assert found.said["confirmed_month12_msc"].text == "0.0 (interval not estimable)"


def test_actual_times_before_time_zero_are_said(base, undrawn):
    _, _, adtte = base
    early = adtte.copy()
    where = early.index[(early["PARAMCD"] == "UPCRC") & (early["ANL01FL"] == "Y")][:2]
    early.loc[where, "ACTMONTH"] = -0.1
    assert (
        "2 times before time zero count as 0"
        in time_to_remission.curve(early, "UPCRC", "ACTMONTH").figure.caption
    )


def test_only_the_named_tests_have_a_p_value(base, undrawn):
    shown, _ = everything(*base)
    keys = [r.key for e in shown.values() for r in e.results]
    assert sorted(k for k in keys if re.search(r"\.p$|pvalue", k)) == [
        "remission.primary.p",
        "ttr.confirmed.logrank.p",
    ]
    holders = [
        k
        for k, e in shown.items()
        if "p" in e.data.columns or any(c.startswith("p (") for c in e.columns.values())
    ]
    assert holders == ["remission-primary", "ttr-logrank"]


# ------------------------------------------------------------------ ugly data


def only_arm(raw, arm, keep):
    """Raw tables in which `arm` has `keep` children."""
    list_ = raw["randomisation"]
    gone = list_.loc[list_["arm"] == arm, "usubjid"].iloc[keep:]
    return {
        n: f if n == "screening" else f[~f["usubjid"].isin(gone)].reset_index(drop=True)
        for n, f in raw.items()
    }


def with_labs(change):
    def make():
        raw = raw_tables()
        labs = raw["labs"].copy()
        arm = labs["usubjid"].map(raw["randomisation"].set_index("usubjid")["arm"])
        return raw | {"labs": change(labs, arm).reset_index(drop=True)}

    return make


def set_where(labs, where, value, qualifier=None):
    labs.loc[where, "value"] = value
    if qualifier:
        labs.loc[where, "qualifier"] = qualifier
    return labs


def upcr_after(labs):
    return upcr(labs) & (labs["visit_no"] >= 2)


def at_first_visit(labs):
    """Every UPCR after baseline low, every baseline high, and nobody misses week 2."""
    late = labs[~(upcr(labs) & (labs["visit_no"] == 2))]
    week2 = labs[upcr(labs) & (labs["visit_no"] == 0)].assign(visit_no=2)
    zero = raw_tables()["visits"].query("visit_no == 2").set_index("usubjid")["planned_date"]
    week2["date"] = week2["usubjid"].map(zero)
    labs = pd.concat([late, week2])
    labs = set_where(labs.reset_index(drop=True), upcr(labs).to_numpy(), 1.0)
    return set_where(labs, upcr_after(labs), 0.04)


def upcr(labs):
    return labs["test"] == "upcr"


def before(labs):
    return labs["test"].isin(["upcr", "rbc"]) & (labs["visit_no"] < 2)


UGLY = {
    "no remission in either arm": with_labs(lambda f, arm: set_where(f, upcr(f), 1.0)),
    "no remission on placebo": with_labs(lambda f, arm: set_where(f, upcr(f) & (arm == "Placebo"), 1.0)),
    "everyone remits at the first visit": with_labs(lambda f, arm: at_first_visit(f)),
    "one child on hUC-MSC": lambda: only_arm(raw_tables(), "hUC-MSC", 1),
    "no child on placebo": lambda: only_arm(raw_tables(), "Placebo", 0),
    "nobody evaluable on hUC-MSC": with_labs(
        lambda f, arm: set_where(f, before(f) & (arm == "hUC-MSC"), 0.1)
    ),
    "nobody evaluable": with_labs(lambda f, arm: set_where(f, before(f), 0.1)),
    "month 6 attended by no one": with_labs(lambda f, arm: f[f["visit_no"] != 9]),
    "all below quantification": with_labs(lambda f, arm: set_where(f, upcr_after(f), 0.03, "<")),
    "all red cells zero": with_labs(lambda f, arm: set_where(f, f["test"] == "rbc", 0.0)),
    "no assessment after baseline": with_labs(lambda f, arm: f[f["visit_no"] < 2]),
    "placebo gone before the first visit": with_labs(
        lambda f, arm: f[(f["visit_no"] < 2) | (arm != "Placebo")]
    ),
}
EXPECTED = {
    "no remission in either arm": ["No child of either arm had a confirmed remission", "no events"],
    "no remission on placebo": ["Placebo: no confirmed remission of proteinuria (UPCR) was seen."],
    "everyone remits at the first visit": [
        "every child remitted at 0.5 months",
        "Every evaluable child had a confirmed remission",
    ],
    "one child on hUC-MSC": ["one child in hUC-MSC", "no interval: one child"],
    "no child on placebo": [
        "no evaluable child in Placebo",
        "Placebo: no evaluable child, no curve.",
        "not estimable (no value in Placebo)",
    ],
    "nobody evaluable on hUC-MSC": ["no evaluable child in hUC-MSC"],
    "nobody evaluable": [
        "no evaluable child in Placebo and no evaluable child in hUC-MSC",
        "nobody is evaluable",
    ],
    "month 6 attended by no one": [
        "No child has a value at Month 6.",
        "No evaluable child has a UPCR at Month 6.",
    ],
    "all below quantification": [
        "no interval: all values below quantification, an upper bound",
        "all of Placebo below quantification",
    ],
    "all red cells zero": [
        "a ratio scale can't show them",
        "no evaluable child in Placebo and no evaluable child in hUC-MSC",
    ],
    "no assessment after baseline": [
        "There is no value of UPCR after baseline.",
        "no assessment after time zero",
        "not estimable: no evaluable child assessed in Placebo and no evaluable child assessed in hUC-MSC",
        "0/18 (no evaluable child assessed)",
    ],
    "placebo gone before the first visit": [
        "not estimable (no value in Placebo)",
        "Placebo: no assessment after time zero.",
    ],
}


def told(exhibits, said):
    parts = [str(value) for value in said]
    for e in exhibits.values():
        parts += [e.title, e.alt, e.table() if e.figure is None else "", e.notes(), *map(str, e.results)]
    return parts


@pytest.mark.parametrize("name", UGLY)
@pytest.mark.filterwarnings("error")
def test_ugly_data_are_told_in_words(undrawn, name):
    exhibits, said = everything(*analysed(UGLY[name]()))
    parts = told(exhibits, said)
    for words in EXPECTED[name]:
        assert any(words.replace("'", mark) in part for part in parts for mark in ("'", "&#x27;")), words
    for part in parts:
        assert not re.search(r"\b(nan|None|inf|NaT|NaN)\b", part), part
    for exhibit in exhibits.values():
        if exhibit.figure is None:
            assert ">–<" not in exhibit.table(), exhibit.key
        for result in exhibit.results:
            if result.value is None:
                assert re.search("not estimable|not reached|no ", str(result)), result


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n == "no assessment after baseline" else pytest.mark.slow) for n in UGLY],
)
@pytest.mark.filterwarnings("error")
def test_ugly_data_are_drawn(name):
    exhibits, _ = everything(*analysed(UGLY[name]()))
    for exhibit in exhibits.values():
        if exhibit.figure is not None:
            assert exhibit.png().startswith(b"\x89PNG")


# ------------------------------------------------------------------ the notebooks


@pytest.mark.parametrize("stem", ["05-longitudinal", "06-remission", "07-time-to-remission"])
def test_parameters_are_of_the_schema_and_passed_on(stem):
    notebook = json.loads((ROOT / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8"))
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    first, second = ("".join(c["source"]) for c in code[:2])
    assert code[0]["metadata"]["tags"] == ["parameters"]
    names = re.findall(r"^(\w+) = None  # \S", first, re.M)
    assert 3 <= len(names) <= 6
    assert set(names) <= set(Parameters.model_fields)
    assert all(f"{name}={name}" in second for name in names)
    assert first.startswith('scenario = "base"')
    assert "def " not in "".join("".join(c["source"]) for c in code)
    assert "Synthetic data" in "".join(notebook["cells"][0]["source"])


def test_every_result_states_its_value_at_full_precision(base, undrawn):
    shown, _ = everything(*base)
    results = {r.key: r for e in shown.values() for r in e.results}
    assert isinstance(results["remission.primary.p"], Result)
    for key in (
        "longitudinal.upcr.ratio_month12.msc",
        "remission.primary.difference",
        "ttr.confirmed.month12.msc",
    ):
        assert isinstance(results[key].value, float)
    row = shown["remission-primary"].data.iloc[0]
    assert results["remission.primary.difference"].value == row["difference"]
    assert results["remission.primary.difference"].text.startswith(row["difference_text"].split(" (")[0])
