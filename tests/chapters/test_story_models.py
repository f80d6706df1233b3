"""Curves between visits of chapter 07: against the estimators, by hand, with arms
swapped, and on ugly data in words."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.analysis import adam
from helpers.chapters import (
    between_visits,
    time_to_remission,
)
from helpers.chapters.exhibits import Exhibit
from helpers.estimators import survival
from helpers.figures import checks, figures
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS
from helpers.study.scenario import load

P = Parameters()


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
    shown = [
        between_visits.interval_curve(adtte, "UPCRC", 1), between_visits.contrasts(adtte),
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
    for key, column in (("ttr-contrasts", "estimate"),):
        a, b = one[key].data[column].to_numpy(float), two[key].data[column].to_numpy(float)
        ratios = one[key].data.get("quantity", pd.Series(["ratio"] * len(a))).str.contains("ratio").to_numpy()
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


def test_contrasts_are_the_estimators_own(base):
    rows = adam.events(base["adtte"], "UPCRC")
    found = between_visits.contrasts(base["adtte"]).table.data.iloc[:2]
    tau = time_to_remission.GRID[-1]
    share = survival.cumulative_difference(rows["time"], rows["event"], rows["arm"], tau, method="log-log")
    mean = survival.rmst_difference(rows["time"], rows["event"], rows["arm"], tau)
    assert found["estimate"].tolist() == pytest.approx([100 * share.estimate, mean.estimate], rel=1e-5)
    assert found["upper"].tolist() == pytest.approx([100 * share.upper, mean.upper], rel=1e-5)


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
