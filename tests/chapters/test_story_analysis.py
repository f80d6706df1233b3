"""Chapter 07: numbers against plain pandas, SciPy, statsmodels and lifelines; ugly data told in words."""

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

from helpers import ROOT
from helpers.analysis.adam import Adam, Raw
from helpers.chapters import time_to_remission
from helpers.chapters.exhibits import Exhibit
from helpers.figures import figures
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()


@cache
def raw_tables():
    study = load("base")
    return {field.name: study.read(field.name) for field in fields(Raw)}


def analysed(raw=None, p=P):
    """(adsl, adlb, adtte) of raw tables, by the project's own derivation."""
    made = Adam(Raw(**(raw or raw_tables())), p)
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
    """All that chapter 07 shows: exhibits by key, and what their text says."""
    shown = []
    shown += [time_to_remission.curve(adtte, code) for code in time_to_remission.ENDPOINTS]
    shown += [time_to_remission.curve(adtte, "UPCRC", clock) for clock in ("ACTMONTH", "EOSMONTH")]
    shown.append(time_to_remission.estimates(adtte))
    shown.append(time_to_remission.estimates(adtte, ("UPCRC",), tuple(time_to_remission.CLOCKS)))
    shown.append(time_to_remission.logrank(adtte))
    exhibits = [part for each in shown for part in each if isinstance(part, Exhibit)]
    said = [value for each in shown if isinstance(each[-1], dict) for value in each[-1].values()]
    assert len({e.key for e in exhibits}) == len(exhibits)
    return {e.key: e for e in exhibits}, said


def test_headers_stand_over_the_arm_they_name(base, undrawn):
    tables = [e for e in everything(*base)[0].values() if e.figure is None]
    named = [(c, h) for e in tables for c, h in e.columns.items() if c.startswith(("placebo", "msc"))]
    assert len(named) > 20
    for column, heading in named:
        assert ("Placebo" in heading) == column.startswith("placebo")
        assert ("hUC-MSC" in heading) == column.startswith("msc")


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
        "ttr.confirmed.logrank.p",
    ]
    holders = [
        k
        for k, e in shown.items()
        if "p" in e.data.columns or any(c.startswith("p (") for c in e.columns.values())
    ]
    assert holders == ["ttr-logrank"]


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
    "no remission in either arm": ["no events"],
    "no remission on placebo": ["Placebo: no confirmed remission of proteinuria (UPCR) was seen."],
    "everyone remits at the first visit": [
        "every child remitted at 0.5 months",
    ],
    "one child on hUC-MSC": [],
    "no child on placebo": [
        "no evaluable child in Placebo",
        "Placebo: no evaluable child, no curve.",
    ],
    "nobody evaluable on hUC-MSC": ["no evaluable child in hUC-MSC"],
    "nobody evaluable": [
        "no evaluable child in Placebo and no evaluable child in hUC-MSC",
        "nobody is evaluable",
    ],
    "month 6 attended by no one": [],
    "all below quantification": [],
    "all red cells zero": [
        "no evaluable child in Placebo and no evaluable child in hUC-MSC",
    ],
    "no assessment after baseline": [
        "no assessment after time zero",
    ],
    "placebo gone before the first visit": [
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


@pytest.mark.parametrize("stem", ["07-time-to-remission"])
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
    assert isinstance(results["ttr.confirmed.month12.msc"].value, float)
