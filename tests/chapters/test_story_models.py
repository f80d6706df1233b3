"""Mixed models, curves between visits and sensitivity analyses of chapters 05 to 07: against the estimators, by hand,
with arms swapped, and on ugly data in words."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.analysis import adam, flow
from helpers.chapters import (
    between_visits,
    longitudinal,
    mixed_models,
    remission,
    screening,
    sensitivity,
    time_to_remission,
)
from helpers.chapters.exhibits import Exhibit
from helpers.estimators import imputation, mixed, proportions, survival
from helpers.figures import checks, figures
from helpers.study import scenario
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load
from helpers.trial import run

P = Parameters()
MEASURES = longitudinal.measures(P)


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return {name: study.read(name) for name in ("adsl", "adlb", "adtte", "adae")}


@pytest.fixture
def undrawn(monkeypatch):
    for name in ("by_arm_over_time", "forest", "cumulative_remission"):
        monkeypatch.setattr(figures, name, lambda *_, **__: Figure(figsize=(1, 1)))
    for name in ("tipping", "agreement", "digits"):
        monkeypatch.setattr(checks, name, lambda *_, **__: Figure(figsize=(1, 1)))


def everything(adsl, adlb, adtte, adae, p=P):
    upcr = mixed_models.mmrm(adsl, adlb, MEASURES["upcr"], p)
    shown = [
        upcr, mixed_models.mmrm(adsl, adlb, MEASURES["egfr"], p),
        mixed_models.month12(adsl, adlb, MEASURES["upcr"], p, upcr.fit),
        mixed_models.slopes(adsl, adlb, MEASURES["egfr"], p),
        between_visits.interval_curve(adtte, "UPCRC", 1), between_visits.contrasts(adtte),
        sensitivity.tipping_point(adsl, adlb, adtte, p), sensitivity.missing_data(adsl, adlb, adtte, p),
        sensitivity.estimands(adsl, adlb, adae, p), sensitivity.measures(adsl, adtte),
        sensitivity.subgroups(adsl, adtte),
    ]  # fmt: skip
    exhibits = [part for each in shown for part in each if isinstance(part, Exhibit)]
    assert len({e.key for e in exhibits}) == len(exhibits)
    return {e.key: e for e in exhibits}, [each[-1] for each in shown]


def swapped(base):
    other = dict(zip(ARMS, ARMS[::-1], strict=True))
    out = {}
    for name, frame in base.items():
        out[name] = frame.assign(TRT01P=frame["TRT01P"].map(other), TRT01PN=1 - frame["TRT01PN"])
    return out


def test_every_header_follows_its_arm(base, undrawn, monkeypatch):
    """Arms swapped in the data: what stood under one arm's header stands under the other's, everywhere."""
    monkeypatch.setattr(between_visits, "RESAMPLES", 50)
    one, _ = everything(**base)
    two, _ = everything(**swapped(base))
    checked = 0
    for key, exhibit in one.items():
        for column in exhibit.data.columns:
            if not re.match(r"placebo(_|$)", str(column)) or "npmle" in column:
                continue
            partner = re.sub("^placebo", "msc", column)
            assert list(exhibit.data[column].fillna("-")) == list(
                two[key].data[partner].fillna("-")
            ) or np.allclose(
                exhibit.data[column].astype(float),
                two[key].data[partner].astype(float),
                equal_nan=True,
                rtol=1e-5,
            ), f"{key}: {column}"
            checked += 1
        for column, heading in exhibit.columns.items() if exhibit.figure is None else ():
            if re.match(r"(placebo|msc)", str(column)):
                assert ("Placebo" in heading) == column.startswith("placebo"), f"{key}: {heading}"
                assert ("hUC-MSC" in heading) == column.startswith("msc"), f"{key}: {heading}"
    assert checked > 30
    for key, column in (
        ("upcr-mmrm", "between"),
        ("ttr-contrasts", "estimate"),
        ("remission-estimands", "difference"),
    ):
        a, b = one[key].data[column].to_numpy(float), two[key].data[column].to_numpy(float)
        ratios = one[key].data.get("quantity", pd.Series(["ratio"] * len(a))).str.contains("ratio").to_numpy()
        ratios = np.zeros(len(a), bool) if key == "remission-estimands" else ratios
        np.testing.assert_allclose(b, np.where(ratios, 1 / a, -a), rtol=2e-3)


def test_tables_stand_alone(base, undrawn):
    exhibits, _ = everything(**base)
    for key, e in exhibits.items():
        assert e.title, key
        assert e.population, key
        assert e.n, key
        assert "source" in e.method, key
        assert e.conventions, key
        assert (
            "interval" in e.method + " ".join(map(str, e.columns.values()))
            or "band" in e.method
            or key.endswith("ing")
        )
        assert not re.search(r"\bp ?[=<]|p-value(?!s)", e.table() + e.caption), f"{key} shows a p-value"


def test_mixed_model_is_the_estimator_s_own(base, undrawn):
    adsl, adlb = base["adsl"], base["adlb"]
    found = mixed_models.mmrm(adsl, adlb, MEASURES["upcr"], P).table.data
    wide = adlb[adlb["PARAMCD"] == "PROTCRT"].pivot(index="USUBJID", columns="AVISITN", values="AVAL")
    wide = np.log(wide.reindex(adsl["USUBJID"]).to_numpy(float))
    arm = (adsl["TRT01P"] == "hUC-MSC").to_numpy(int)
    fit = mixed.mmrm(wide[:, 1:] - wide[:, :1], wide[:, 0], arm, [v.day for v in VISITS])
    for k in range(len(VISITS)):
        c = fit.arm_contrast(np.eye(11)[k])
        row = found.iloc[k]
        assert [row["between"], row["between_lower"], row["between_upper"]] == pytest.approx(
            np.exp([c.estimate, c.lower, c.upper]), rel=1e-6
        )
        assert row["df"] == pytest.approx(c.df, rel=1e-6)
        # the arms' adjusted means differ by the contrast
        assert row["msc"] / row["placebo"] == pytest.approx(row["between"], rel=1e-9)
    average = fit.arm_contrast(mixed.time_weights([v.day for v in VISITS]))
    assert found.iloc[-1]["between"] == pytest.approx(np.exp(average.estimate), rel=1e-6)


def test_fallback_structure_is_named(undrawn, tmp_path, monkeypatch):
    monkeypatch.setattr(scenario, "DATA", tmp_path)
    study = load("high-dropout")
    screening.screen(study)
    study.write("adie", flow.criteria_met(study.read("screening"), study.parameters))
    run.follow_up(study)
    adsl, adlb, _, _ = adam.analysis_tables(study)
    shown = mixed_models.mmrm(adsl, adlb, MEASURES["upcr"], P)
    assert shown.said["fallback"] == "yes"
    assert shown.said["structure"] in shown.table.method
    assert "nstructured covariance not used" in shown.table.caption


def test_contrasts_are_the_estimators_own(base):
    rows = adam.events(base["adtte"], "UPCRC")
    found = between_visits.contrasts(base["adtte"]).table.data.iloc[:2]
    tau = time_to_remission.GRID[-1]
    share = survival.cumulative_difference(rows["time"], rows["event"], rows["arm"], tau, method="log-log")
    mean = survival.rmst_difference(rows["time"], rows["event"], rows["arm"], tau)
    assert found["estimate"].tolist() == pytest.approx([100 * share.estimate, mean.estimate], rel=1e-5)
    assert found["upper"].tolist() == pytest.approx([100 * share.upper, mean.upper], rel=1e-5)


def test_primary_is_derived_again_and_delta_is_that_of_impute(base, undrawn):
    adsl, adlb, adtte, adae = (base[k] for k in ("adsl", "adlb", "adtte", "adae"))
    main = sensitivity.estimands(adsl, adlb, adae, P).table.data.iloc[0]
    primary = remission.primary(adsl, adlb, adtte, P).exhibit.data.iloc[0]
    for column in ("placebo_n", "placebo_N", "msc_n", "msc_N", "lower", "upper"):
        assert main[column] == primary[column]
    data = mixed_models.arrays(adsl, adlb, MEASURES["upcr"], P)

    def filled(delta):
        rng = np.random.default_rng(3)
        return imputation.impute(data.change, data.baseline, data.arm, adam.DAYS, 3, rng, delta=delta)

    np.testing.assert_allclose(
        sensitivity._after_leaving(filled(0.0), data, 0.3).values, filled(0.3).values, rtol=0, atol=1e-12
    )


def test_missing_data_rows_against_plain_counts(base):
    adsl, adlb, adtte, _ = (base[k] for k in ("adsl", "adlb", "adtte", "adae"))
    rows = sensitivity.missing_data(adsl, adlb, adtte, P).exhibit.data.set_index("label")
    (x0, n0, _), (x1, n1, _) = remission.events(adtte, "UPCRC")
    open_ = remission.undetermined(adsl, adlb, adtte, P).data["arm"].value_counts()
    u0, u1 = open_.get("Placebo", 0), open_.get("hUC-MSC", 0)
    observed = rows.loc["Observed cases: undetermined left out"]
    limits = proportions.miettinen_nurminen(x0, n0 - u0, x1, n1 - u1)
    assert (observed["lower"] / 100, observed["upper"] / 100) == pytest.approx(limits)
    worst = rows.loc["Tipping: undetermined remit on placebo only", "estimate"]
    assert worst == pytest.approx(100 * (x1 / n1 - (x0 + u0) / n0))
    imputed = rows[rows.index.str.startswith("Multiple")]
    assert imputed["monte_carlo"].notna().all()
    # What imputation adds can only lie between the extremes of the tipping point.
    best = rows.loc["Tipping: undetermined remit on hUC-MSC only", "estimate"]
    shares = imputed.loc[imputed["outcome"].str.startswith("Confirmed"), "estimate"]
    assert shares.between(worst, best).all()


def test_ill_visits_are_those_within_an_infection_or_fever(base):
    adsl, adlb, adae = base["adsl"], base["adlb"], base["adae"]
    found = sensitivity._ill(adsl, adlb, adae)
    rows = adlb[(adlb["PARAMCD"] == "PROTCRT") & adlb["ABLFL"].isna()]
    events = adae[adae["AEDECOD"] != "other"]
    both = rows.merge(events, on="USUBJID")
    inside = both[(both["ADT"] >= both["ASTDT"]) & ((both["ADT"] <= both["AENDT"]) | both["AENDT"].isna())]
    assert found.sum() == len(inside[["USUBJID", "AVISITN"]].drop_duplicates())


UGLY = {
    "one child an arm": lambda b: {k: f[f["USUBJID"].isin(_first(b, 1))] for k, f in b.items()},
    "one arm only": lambda b: {k: f[f["TRT01P"] == "Placebo"] for k, f in b.items()},
    "nobody evaluable": lambda b: b | {
        "adsl": b["adsl"].assign(UPCRFL="N"), "adtte": b["adtte"].assign(ANL01FL="N", CNSR=2.0)
    },
    "no value after baseline": lambda b: b | {"adlb": b["adlb"][b["adlb"]["ABLFL"] == "Y"]},
    "no remission": lambda b: b | {"adtte": b["adtte"].assign(CNSR=b["adtte"]["CNSR"].replace(0.0, 1.0))},
    "no event": lambda b: b | {"adae": b["adae"].iloc[:0]},
}  # fmt: skip


def _first(base, n):
    return base["adsl"].groupby("TRT01P")["USUBJID"].head(n)


@pytest.mark.parametrize("name", UGLY)
def test_ugly_data_in_words(base, name):
    data = {k: f.reset_index(drop=True) for k, f in UGLY[name](base).items()}
    exhibits, said = everything(**data)
    text = " ".join([e.table() + e.caption + e.alt for e in exhibits.values()])
    text = re.sub(r"<[^>]+>", " ", text) + " ".join(str(v) for each in said for v in each.values())
    assert not re.search(r"(?<![\w.])(?:nan|NaN|inf|None|NaT)(?![\w.])", text)
    if name != "no event":
        assert "not estimable" in text
