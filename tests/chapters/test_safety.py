"""Chapter 10: what is said of safety, against plain counts of the small trial, and on data that take something away."""

import numpy as np
import pandas as pd
import pytest
from conftest import STRICT
from scipy import stats

from helpers.analysis import laboratory_safety, safety
from helpers.chapters import safety as chapter
from helpers.chapters.exhibits import Exhibit, Finding
from helpers.chapters.words import rounded
from helpers.study.codebook import SEVERITY
from helpers.study.protocol import ARMS


def share(n, N):
    return f"{n}/{N} ({rounded(100 * n / N, 1)} %)"


@pytest.fixture(scope="module")
def swapped(small):
    """ADSL in which one child of the placebo arm got cells: it and its events stand under hUC-MSC."""
    adsl = small.adsl.copy()
    one = adsl.index[(adsl["TRT01P"] == "Placebo") & (adsl["SAFFL"] == "Y")][0]
    adsl.loc[one, "TRT01A"] = "hUC-MSC"
    return adsl


@pytest.fixture(scope="module")
def received(swapped):
    return swapped[swapped["SAFFL"] == "Y"].set_index("USUBJID")["TRT01A"]


@pytest.fixture(scope="module")
def adae(small, received):
    rows = small.adae[(small.adae["TRTEMFL"] == "Y") & small.adae["USUBJID"].isin(received.index)]
    return rows.assign(arm=rows["USUBJID"].map(received))


@pytest.fixture(scope="module")
def events(small, swapped):
    return safety.emergent(swapped, small.adae)


def test_events_are_told_by_treatment_received(swapped, received, adae, events):
    (table,) = chapter.adverse_events(safety.adverse_events(swapped, events)).exhibits
    data, sizes = table.data.set_index("event"), received.value_counts()
    assert table.n == f"{sizes['Placebo']} v {sizes['hUC-MSC']}" == "7 v 8"
    results = {result.key: result.value for result in table.results}
    for label, key, part in (
        ("Any", "any", adae),
        ("Serious", "serious", adae[adae["AESER"] != "N"]),
        ("Severe or worse", "grave", adae[adae["AESEV"].isin(SEVERITY[2:])]),
        ("Judged possibly caused by an infusion", "related", adae[adae["AEREL"] != "N"]),
        ("Within 24 h of an infusion", "within_24h", adae[adae["AE24HFL"] == "Y"]),
        ("Ongoing at the last contact", "ongoing", adae[adae["AENDT"].isna()]),
        ("Infection", "infection", adae[adae["AEDECOD"] == "infection"]),
    ):
        counts = []
        for arm, short in zip(ARMS, ("placebo", "msc"), strict=True):
            mine = part[part["arm"] == arm]
            n, N = mine["USUBJID"].nunique(), sizes[arm]
            counts.append((n, N))
            exact = stats.binomtest(n, N).proportion_ci(0.95, "exact")
            row = data.loc[label]
            assert row[f"{arm}_children"] == share(n, N)
            assert row[f"{arm}_events"] == len(mine)
            assert (row[f"{arm}_low"], row[f"{arm}_high"]) == pytest.approx(tuple(exact))
            assert (
                row[f"{arm}_interval"] == f"{rounded(100 * exact.low, 1)} to {rounded(100 * exact.high, 1)}"
            )
            assert results[f"safety.{key}.{short}"] == n
        (x0, n0), (x1, n1) = counts
        lower, upper = safety.difference_interval(x0, n0, x1, n1)
        assert row["difference"] == pytest.approx(100 * (x1 / n1 - x0 / n0))
        assert row["difference_text"].endswith(f"({rounded(100 * lower, 1)} to {rounded(100 * upper, 1)})")
        assert results[f"safety.{key}.difference"] == pytest.approx(row["difference"])
    assert safety.DIFFERENCE in table.method


def test_every_term_stands_in_the_table_and_in_the_picture(swapped, adae, events):
    found = chapter.by_term(safety.by_term(swapped, events))
    table, figure = found.exhibits
    terms = adae["AETERM"].str.lower()
    assert set(table.data["event"].str.lower()) == set(terms)
    for row in table.data.to_dict("records"):
        mine = adae[terms == row["event"].lower()]
        for arm in ARMS:
            assert row[f"{arm}_events"] == (mine["arm"] == arm).sum()
    assert str(found.said["terms"]) == str(terms.nunique())
    outside = (table.data["lower"] > 0) | (table.data["upper"] < 0)
    assert found.said["outside"].value == outside.sum()
    assert len(figure.data) == min(chapter.DRAWN, terms.nunique())
    one = figure.data.iloc[0]
    n = adae[terms == one["label"].lower()].groupby("arm")["USUBJID"].nunique().reindex(ARMS, fill_value=0)
    assert f"{one['label'].lower()} {n['Placebo']} v {n['hUC-MSC']}" in figure.alt
    assert one["hUC-MSC"] == pytest.approx(100 * n["hUC-MSC"] / 8)


def test_severity_adds_up(swapped, received, adae, events):
    found = chapter.by_severity(safety.by_severity(swapped, events))
    (table,) = found.exhibits
    every = table.data[table.data["group"] == "Any event"].set_index("severity")
    rank = {word: k for k, word in enumerate(SEVERITY)}
    worst = adae["AESEV"].map(rank).groupby(adae["USUBJID"]).max().map(dict(enumerate(SEVERITY)))
    for arm, N in received.value_counts().items():
        mine = worst[worst.index.map(received) == arm]
        for word in SEVERITY:
            assert every.loc[word, f"{arm}_children"] == share((mine == word).sum(), N)
            assert every.loc[word, f"{arm}_events"] == ((adae["arm"] == arm) & (adae["AESEV"] == word)).sum()
        assert every.loc["no event", f"{arm}_children"] == share(N - len(mine), N)
        key = "placebo" if arm == "Placebo" else "msc"
        assert found.said[f"{key}_grave"].value == mine.isin(SEVERITY[2:]).sum()


def test_what_no_event_excludes(swapped, events):
    counts = safety.adverse_events(swapped, events)
    found = chapter.excludes(safety.no_event_excludes(swapped), safety.least_difference(swapped), counts)
    said, (table,) = found.said, found.exhibits
    assert said["treated"].value == 8
    assert said["upper"].value == pytest.approx(100 * (1 - 0.025 ** (1 / 8)))
    assert said["upper_one_sided"].value == pytest.approx(100 * (1 - 0.05 ** (1 / 8)))
    assert str(said["upper"]) == f"{rounded(said['upper'].value, 1)} %"
    assert str(said["occasional"]) == f"{rounded(100 * 0.95**8)} %"
    row = table.data.set_index(["group", "arm"]).loc[("Any infusion", "hUC-MSC")]
    assert row["upper_one_sided_text"] == str(said["upper_one_sided"])
    assert row["unseen_0.1_text"] == f"{rounded(100 * 0.9**8, 1)} %"
    n = said["least"].value
    assert safety.difference_interval(0, 7, n, 8)[0] > 0 >= safety.difference_interval(0, 7, n - 1, 8)[0]
    assert f"**{n} of 8** treated with hUC-MSC" in said["apart"]
    nothing = safety.least_difference(swapped).iloc[:0]
    assert (
        "Even an event of every child"
        in chapter.excludes(safety.no_event_excludes(swapped), nothing, counts).said["apart"]
    )
    without = chapter.excludes(
        safety.no_event_excludes(swapped), safety.least_difference(swapped), counts, received=False
    ).said
    assert "No table of adverse events was received" in without["seen"]
    assert without["upper"].value == said["upper"].value, "what none in n would exclude needs no events"
    none = counts.assign(n=counts["n"].mask(counts["item"] == "serious_related", 0))
    seen = chapter.excludes(safety.no_event_excludes(swapped), safety.least_difference(swapped), none).said[
        "seen"
    ]
    assert seen.startswith("Of 8 children on hUC-MSC none had a serious event")
    assert f"above {said['upper_one_sided']} is excluded at one-sided 95 %" in seen
    assert f"two-sided, as in the table of adverse events, a rate above {said['upper']}." in seen
    two = safety.adverse_events(
        swapped, events.assign(serious=events["child"].isin(events["child"].unique()[:0]))
    )
    two.loc[(two["item"] == "serious_related") & (two["arm"] == "hUC-MSC"), ["n", "lower", "upper"]] = [
        2,
        0.1,
        0.4,
    ]
    seen = chapter.excludes(safety.no_event_excludes(swapped), safety.least_difference(swapped), two).said[
        "seen"
    ]
    assert seen.startswith("2 of 8 children")
    assert "between 10.0 to 40.0 %" in seen


def test_every_interval_says_of_which_kind_and_side_it_is(swapped, events):
    (table,) = chapter.adverse_events(safety.adverse_events(swapped, events)).exhibits
    heads = [head for head in table.columns.values() if "interval" in head]
    assert heads == [
        "Placebo: two-sided 95 % interval, Clopper-Pearson, %",
        "hUC-MSC: two-sided 95 % interval, Clopper-Pearson, %",
        "Difference (Boschloo's exact 95 % interval)",
    ]


def test_time_rates_and_exposure(swapped, received, adae, events):
    found = chapter.by_time(safety.by_time(swapped, events))
    (table,) = found.exhibits
    for arm in ARMS:
        assert table.data[f"{arm}_events"].sum() == (adae["arm"] == arm).sum()
    near = adae[adae["AE24HFL"] == "Y"].groupby("arm")["USUBJID"].nunique()
    assert found.said["msc_soon"].value >= near["hUC-MSC"]
    found = chapter.rates(safety.rates(swapped, events))
    (table,) = found.exhibits
    mine = swapped[swapped["USUBJID"].map(received) == "hUC-MSC"]
    years = ((mine["EOSDT"] - mine["TRTSDT"]).dt.days + 1).sum() / 365.25
    count = int((adae["arm"] == "hUC-MSC").sum())
    assert found.said["msc_any"].value == pytest.approx(count / years)
    assert table.data["msc_all"].iloc[0] == f"{count} ({rounded(count / years, 2)})"
    found = chapter.exposure(safety.exposure(swapped, events))
    assert found.said["msc_years"].value == pytest.approx(years)
    assert found.said["msc_infusions_2"].value == (mine["NINFUS"] == 2).sum()


def test_the_listing_tells_each_event_and_what_is_apart(small, swapped, adae, events):
    found = chapter.listing(safety.listing(events), events)
    (table,) = found.exhibits
    grave = (adae["AESER"] != "N") | (adae["AEREL"] != "N") | adae["AESEV"].isin(SEVERITY[2:])
    assert str(found.said["listed"]) == f"{grave.sum()} of {len(adae)}"
    assert found.said["serious"].value == (adae["AESER"] != "N").sum()
    assert sorted(table.data["child"]) == sorted(adae.loc[grave, "USUBJID"])
    assert (table.data["lasted"] == "ongoing").sum() == (grave & adae["AENDT"].isna()).sum()
    apart = chapter.before_treatment(safety.before_treatment(swapped, small.adae))
    assert apart.said["before"].value == len(small.adae) - len(adae)
    data = apart.exhibits[0].data
    untreated = data["child"].map(swapped.set_index("USUBJID")["SAFFL"]) == "N"
    assert (data["treated"] == "no infusion given").tolist() == untreated.tolist()


def test_the_laboratory(small, swapped):
    p = small.study.parameters
    worst = laboratory_safety.worst(swapped, small.adlb, p)
    signals = laboratory_safety.signals(swapped, small.adlb, p)
    found = chapter.laboratory(signals, laboratory_safety.worst_changes(swapped, worst), worst, p)
    table, extremes, figure = found.exhibits
    assert len(table.data) == 10
    assert table.data["event"].iloc[0] == "eGFR at least 20 % below baseline: at any visit"
    for row in signals.to_dict("records"):
        key = "placebo" if row["arm"] == "Placebo" else "msc"
        assert found.said[f"{row['item']}_{row['timing']}_{key}"].value == row["n"]
    assert extremes.data["measure"].tolist()[0] == "eGFR: lowest later value against baseline, %"
    fell = worst[(worst["measure"] == "egfr")]
    assert f"eGFR {(fell['worst'] < fell['base']).sum()} of {len(fell)}" in figure.alt


def test_the_timeline_says_what_it_draws(swapped, events, monkeypatch):
    lanes = safety.lanes(swapped)
    figure = chapter.timeline(lanes, events)
    assert figure.alt.startswith(f"One lane for each of {len(lanes)} treated children")
    assert f"{events['ongoing'].sum()} ongoing at the last contact" in figure.alt
    assert figure.caption == ""
    monkeypatch.setattr(chapter, "LANES", 3)
    cut = chapter.timeline(lanes, events)
    assert "first 3 children" in cut.caption
    assert set(cut.data["child"]) <= set(lanes.groupby("arm").head(3)["child"])


# ------------------------------------------------------------------ ugly


def told(shown) -> str:
    exhibits = shown.exhibits if isinstance(shown, Finding) else (shown,)
    words = [one.table() + one.notes() + one.alt for one in exhibits]
    said = shown.said.values() if isinstance(shown, Finding) else ()
    return " ".join([*words, *map(str, said)])


def everything(adsl: pd.DataFrame, adlb: pd.DataFrame, adae: pd.DataFrame, p) -> str:
    """All that the chapter shows and says, as text."""
    events = safety.emergent(adsl, adae)
    counts = safety.adverse_events(adsl, events)
    worst = laboratory_safety.worst(adsl, adlb, p)
    shown: list[Exhibit | Finding] = [
        chapter.excludes(safety.no_event_excludes(adsl), safety.least_difference(adsl), counts),
        chapter.exposure(safety.exposure(adsl, events)),
        chapter.adverse_events(counts),
        chapter.by_term(safety.by_term(adsl, events)),
        chapter.by_severity(safety.by_severity(adsl, events)),
        chapter.timeline(safety.lanes(adsl), events),
        chapter.by_time(safety.by_time(adsl, events)),
        chapter.rates(safety.rates(adsl, events)),
        chapter.laboratory(
            laboratory_safety.signals(adsl, adlb, p), laboratory_safety.worst_changes(adsl, worst), worst, p
        ),
        chapter.listing(safety.listing(events), events),
        chapter.before_treatment(safety.before_treatment(adsl, adae)),
    ]
    return " ".join(map(told, shown))


UGLY = {
    "nobody treated": lambda adsl, adlb, adae: (
        adsl.assign(SAFFL="N", TRT01A=None, NINFUS=0.0, TRTSDT=pd.NaT, TRTEDT=pd.NaT),
        adlb,
        adae.assign(TRTEMFL="N"),
    ),
    "an arm in which nobody was treated": lambda adsl, adlb, adae: (
        adsl.assign(SAFFL=np.where(adsl["TRT01P"] == "hUC-MSC", "N", adsl["SAFFL"])),
        adlb,
        adae,
    ),
    "no event": lambda adsl, adlb, adae: (adsl, adlb, adae.iloc[:0]),
    "nothing measured after baseline": lambda adsl, adlb, adae: (adsl, adlb[adlb["AVISITN"] == 0], adae),
    "one child in each arm": lambda adsl, adlb, adae: (
        adsl[adsl["SAFFL"] == "Y"].groupby("TRT01P").head(1),
        adlb,
        adae[adae["USUBJID"].isin(adsl[adsl["SAFFL"] == "Y"].groupby("TRT01P").head(1)["USUBJID"])],
    ),
    "nobody judged anything": lambda adsl, adlb, adae: (
        adsl,
        adlb,
        adae.assign(AESEV=None, AEREL=None, AESER=None),
    ),
    "every event ongoing": lambda adsl, adlb, adae: (adsl, adlb, adae.assign(ADURN=np.nan, AENDT=pd.NaT)),
}


@STRICT
@pytest.mark.parametrize("name", UGLY)
def test_the_chapter_speaks_on_ugly_data(small, name):
    text = everything(*UGLY[name](small.adsl, small.adlb, small.adae), small.study.parameters)
    for word in ("nan", "NaN", "inf ", "None ", "NaT"):
        assert word not in text, text[max(0, text.find(word) - 200) :][:300]
    if name == "nobody treated":
        assert "No child was treated with hUC-MSC." in text
        assert "There is no difference to estimate" in text
        assert "no child treated" in text
    if name == "no event":
        assert "No child had an adverse event." in text
    if name == "nobody judged anything":
        assert "not recorded" in text
