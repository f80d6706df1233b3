"""Chapter 04: who is analysed and the baseline, against plain counts of the small trial."""

import pytest

from helpers.analysis import baseline, flow
from helpers.chapters import analysis_data as chapter
from helpers.chapters.words import rounded
from helpers.study.codebook import TABLES
from helpers.study.estimands import ANALYSIS_SETS
from helpers.study.protocol import ARM_KEY, ARMS


def share(n, N):
    return f"{n}/{N} ({rounded(100 * n / N, 1)} %)"


def by_arm(adsl, chosen):
    return [
        share(int((chosen & (adsl["TRT01P"] == arm)).sum()), int((adsl["TRT01P"] == arm).sum()))
        for arm in ARMS
    ]


def test_the_list_of_tables(small):
    frames = {"adsl": small.adsl, "adie": small.adie}
    data = chapter.tables(frames, baseline.sets(small.adsl)).data.set_index("table")
    assert data.loc["ADIE", ["rows", "children"]].tolist() == [len(small.adie), len(small.screening)]
    assert data.loc["ADSL", ["rows", "children"]].tolist() == [16, 16]
    assert data.loc["ADSL", "title"] == TABLES["adsl"].title


# ------------------------------------------------------------------ flow and sets


def test_every_box_of_the_flow(small):
    exhibit = chapter.flow(flow.consort(small.adie, small.adsl))
    boxes = exhibit.data.set_index("box")["children"]
    assert boxes["screened"] == exhibit.n == len(small.screening)
    for arm in ARMS:
        mine = small.adsl[small.adsl["TRT01P"] == arm]
        assert boxes[f"allocated_{arm}"] == len(mine)
        assert boxes[f"treated_{arm}"] == (mine["NINFUS"] > 0).sum()
        assert boxes[f"discontinued_{arm}"] == (mine["EOSSTT"] == "DISCONTINUED").sum()
        assert boxes[f"analysed_{arm}"] == len(mine)
        assert f"{arm}: allocated 8, analysed 8, evaluable {(mine['UPCRFL'] == 'Y').sum()}" in exhibit.alt
    assert not exhibit.data["box"].str.contains("reason").any()
    results = {result.key: result.value for result in exhibit.results}
    assert results == {
        f"analysis.n_evaluable_{short}": ((small.adsl["TRT01P"] == arm) & (small.adsl["UPCRFL"] == "Y")).sum()
        for arm, short in ARM_KEY.items()
    }


def test_reasons_of_the_arms_are_drawn_and_those_of_screening_are_not(small, monkeypatch):
    drawn = {}
    real = chapter.figures.consort
    monkeypatch.setattr(chapter.figures, "consort", lambda boxes: drawn.update(boxes) or real(boxes))
    chapter.flow(flow.consort(small.adie, small.adsl))
    assert drawn["screen_failure"][2] == drawn["pending"][2] == []
    mine = small.adsl[small.adsl["TRT01P"] == "hUC-MSC"]
    assert drawn["analysed_hUC-MSC"][2] == [
        ("with an evaluable baseline UPCR", (mine["UPCRFL"] == "Y").sum()),
        ("below the threshold or missing: no remission", (mine["UPCRFL"] == "N").sum()),
    ]
    assert drawn["treated_hUC-MSC"][2] == [
        ("both infusions", (mine["NINFUS"] == 2).sum()),
        ("one infusion", (mine["NINFUS"] == 1).sum()),
    ]
    assert dict(drawn["discontinued_hUC-MSC"][2]) == mine["DCSREAS"].value_counts().to_dict()


@pytest.mark.parametrize("row", range(6))
def test_boxes_that_do_not_add_up_are_refused(small, row):
    """Screened, failures, pending, eligible, randomised, allocated: one child more in any of them."""
    counts = flow.consort(small.adie, small.adsl)
    counts.loc[row, "children"] += 1
    with pytest.raises(ValueError, match="don't add up"):
        chapter.flow(counts)


@pytest.mark.parametrize("box", ["treated", "discontinued", "analysed"])
def test_no_box_of_an_arm_is_larger_than_the_arm(small, box):
    counts = flow.consort(small.adie, small.adsl)
    counts.loc[counts["box"].eq(box) & counts["arm"].eq("hUC-MSC"), "children"] = 9
    with pytest.raises(ValueError, match="don't add up"):
        chapter.flow(counts)


def test_sets_in_words_and_in_the_table(small):
    sets = baseline.sets(small.adsl)
    said = chapter.set_sizes(sets)
    assert str(said["randomised"]) == "16"
    for name, flag in (("safety", "SAFFL"), ("protocol", "PPROTFL"), ("evaluable", "UPCRFL")):
        assert str(said[name]) == share((small.adsl[flag] == "Y").sum(), 16)
        assert said[name].value == (small.adsl[flag] == "Y").sum()
    exhibit = chapter.sets(sets)
    for row, (name, flag, *_) in zip(exhibit.data.to_dict("records"), ANALYSIS_SETS, strict=True):
        assert (row["set"], row["flag"]) == (name, flag)
        assert [row[arm] for arm in ARMS] == by_arm(small.adsl, small.adsl[flag] == "Y")
    assert list(exhibit.columns) == ["set", "flag", *ARMS]


# ------------------------------------------------------------------ by arm


def test_disposition(small):
    data = chapter.disposition(baseline.disposition(small.adsl)).data.set_index("item")
    assert data.loc["Followed to month 12"].tolist() == by_arm(
        small.adsl, small.adsl["EOSSTT"] == "COMPLETED"
    )
    for reason in small.adsl["DCSREAS"].dropna().unique():
        assert data.loc[f"{reason} (reason for leaving)"].tolist() == by_arm(
            small.adsl, small.adsl["DCSREAS"] == reason
        )
    observed = (small.adsl["EOSDT"] - small.adsl["TZERODT"]).dt.days / 30.4375
    for arm in ARMS:
        mine = observed[small.adsl["TRT01P"] == arm]
        middle, low, high = (rounded(x, 1) for x in (mine.median(), mine.min(), mine.max()))
        assert data.loc["Months observed, median (range)", arm] == f"{middle} ({low} to {high})"


@pytest.mark.parametrize(
    ("label", "column", "digits"),
    [("Age, years", "AGE", 1), ("Height, cm", "HEIGHTBL", 1), ("Months on RAS inhibition", "RASMON", 0),
     ("UPCR, mg/mg", "UPCRBL", 2), ("Urine red cells, /uL", "RBCBL", 0), ("eGFR, mL/min/1.73m2", "EGFRBL", 0)],
)  # fmt: skip
def test_quartiles_at_baseline(small, label, column, digits):
    exhibit = chapter.baseline(baseline.characteristics(small.adsl, small.adlb))
    assert exhibit.columns["Placebo"] == "Placebo (N = 8)"
    for arm, part in small.adsl.groupby("TRT01P"):
        low, middle, high = (rounded(x, digits) for x in part[column].quantile([0.25, 0.5, 0.75]))
        cell = exhibit.data.set_index("item").loc[label, arm]
        assert cell == f"{middle} ({low} to {high}); n {part[column].notna().sum()}"


def test_shares_at_baseline(small):
    data = chapter.baseline(baseline.characteristics(small.adsl, small.adlb)).data.set_index("item")
    assert data.loc["Boys"].tolist() == by_arm(small.adsl, small.adsl["SEX"] == "M")
    assert data.loc["X-linked form"].tolist() == by_arm(small.adsl, small.adsl["GENOTYPE"] == "X-linked")
    assert data.loc["On RAS inhibition"].tolist() == by_arm(small.adsl, small.adsl["RASFL"] == "Y")


def test_exposure(small):
    summary = baseline.exposure(small.adsl, small.raw.infusions)
    exhibit = chapter.exposure(summary, small.study.parameters)
    data = exhibit.data.set_index("item")
    for n, label in enumerate(("No infusion", "One infusion", "Two infusions")):
        assert data.loc[label].tolist() == by_arm(small.adsl, small.adsl["NINFUS"] == n)
    placebo, msc = data.loc["Million cells per kg and infusion, median (range)"]
    assert placebo == "none: saline"
    assert msc.startswith("2.01 (2.00 to 2.01")
    nobody = summary.assign(n=0)
    words = chapter.exposure(nobody, small.study.parameters).data.set_index("item")
    assert words.loc["Million cells per kg and infusion, median (range)", "hUC-MSC"] == "no infusion"
    assert words.loc["Days between the infusions, median (range)", "Placebo"] == "no child"


def test_children_who_are_still_followed_have_a_row_and_a_box(small):
    status = small.adsl["EOSSTT"].mask(small.adsl["TRT01P"] == "Placebo", "ONGOING")
    adsl = small.adsl.assign(EOSSTT=status, DCSREAS=small.adsl["DCSREAS"].mask(status == "ONGOING"))
    data = chapter.disposition(baseline.disposition(adsl)).data.set_index("item")
    n = int((status == "ONGOING").sum())
    assert data.loc["Still followed", "Placebo"] == f"{n}/{n} (100.0 %)"
    assert data.loc["Still followed", "hUC-MSC"].startswith("0/")
    assert data.loc["Left before", "Placebo"].startswith("0/")
