"""Chapter 02: what is said of who enters, against plain counts of the small trial."""

import re

import pandas as pd
import pytest

from helpers.analysis import flow
from helpers.chapters import criteria as chapter
from helpers.study.eligibility import CRITERIA, IDS
from helpers.study.shown import rounded


@pytest.fixture(scope="module")
def verdicts(small):
    """AVALC by criterion and child."""
    return small.adie.pivot(index="IETESTCD", columns="USUBJID", values="AVALC").loc[list(IDS)]


def statuses(verdicts):
    failed = (verdicts == "NOT MET").any()
    pending = ~failed & (verdicts == "UNKNOWN").any()
    return failed, pending, ~failed & ~pending


def test_the_sentence_and_the_boxes(small, verdicts):
    failed, pending, eligible = statuses(verdicts)
    found = chapter.flow(flow.consort(small.adie))
    said = {name: result.value for name, result in found.said.items()}
    assert said == {
        "screened": verdicts.shape[1],
        "eligible": eligible.sum(),
        "failures": failed.sum(),
        "pending": pending.sum(),
        "share": pytest.approx(100 * eligible.mean()),
    }
    (exhibit,) = found.exhibits
    assert exhibit.n == verdicts.shape[1]
    assert exhibit.figure is not None
    boxes = exhibit.data.set_index("label")["children"]
    assert boxes["Screen failures"] == failed.sum()
    assert f"Screened {len(failed)}; Screen failures {failed.sum()}" in exhibit.alt


def test_reasons_are_named_once_and_most_frequent_first(small, verdicts):
    failed, pending, _ = statuses(verdicts)
    data = chapter.flow(flow.consort(small.adie)).exhibit("consort-screening").data
    for box, among, word in (("screen_failure", failed, "NOT MET"), ("pending", pending, "UNKNOWN")):
        rows = data[data["box"] == f"{box}: reason"]
        assert rows["children"].is_monotonic_decreasing
        counts = (verdicts.loc[:, among] == word).sum(axis=1)
        counts = counts[(counts > 0) & ~counts.index.isin(["E1", "E11"])]
        found = {
            re.split("[/ ]", label)[0]: n for label, n in zip(rows["label"], rows["children"], strict=True)
        }
        assert found == counts.to_dict()
    labels = set(data["label"])
    assert "I1/E1 Age 3 to 12 years" in labels
    assert "I8 Consent" in labels


@pytest.mark.parametrize("box", ["screened", "screen_failure", "pending", "eligible"])
def test_boxes_that_do_not_add_up_are_refused(small, box):
    counts = flow.consort(small.adie)
    wrong = counts["box"].eq(box) & counts["reason"].isna()
    counts.loc[wrong, "children"] += 1
    with pytest.raises(ValueError, match=r"don't add up: .*screened"):
        chapter.flow(counts)


def test_nobody_failed_and_nobody_screened(small):
    everyone = small.adie.assign(AVALC="MET")
    assert "reason for failure: none." in chapter.flow(flow.consort(everyone)).exhibits[0].alt
    nobody = flow.consort(small.adie).query("reason.isna()").assign(children=0)
    assert str(chapter.flow(nobody).said["share"]) == "not estimable"


def test_attrition_shows_the_counts_of_its_criterion(small, verdicts):
    attrition = flow.attrition(small.adie)
    figure, table = chapter.attrition_figure(attrition), chapter.attrition_table(attrition)
    assert figure.n == table.n == verdicts.shape[1]
    assert figure.data["failed"].tolist() == (verdicts == "NOT MET").sum(axis=1).tolist()
    assert figure.data["unknown"].tolist() == (verdicts == "UNKNOWN").sum(axis=1).tolist()
    assert figure.data["remaining"].iloc[-1] == (verdicts == "MET").all().sum()
    worst = (verdicts == "NOT MET").sum(axis=1).sort_values(ascending=False, kind="stable").index[0]
    assert f"most by {worst} ({chapter.SHORT[worst]})" in figure.alt
    heads = dict(zip(table.columns.values(), table.columns, strict=True))
    assert (heads["Fail it"], heads["Unknown"]) == ("failed_alone", "unknown_alone")
    assert table.data["short"].tolist() == [chapter.SHORT[i] for i in IDS]


def test_the_most_contested_readings_tie_and_are_all_named(small):
    readings = flow.contested(small.screening, small.study.parameters).assign(changed=0)
    readings.loc[[2, 5], "changed"] = 7
    found = chapter.contested(readings)
    assert str(found.said["reading"]) == "; ".join(readings["reading"][[2, 5]])
    assert (found.said["changed"].value, found.said["screened"].value) == (7, len(small.screening))
    shares = found.exhibit("contested").data["share"]
    assert shares[2] == f"7/{len(small.screening)} ({rounded(100 * 7 / len(small.screening), 1)} %)"


def test_every_child_that_is_not_eligible_stands_there_with_its_reasons(small, verdicts):
    _, _, eligible = statuses(verdicts)
    exhibit = chapter.not_eligible(flow.status(small.adie))
    data = exhibit.data.set_index("child")
    assert set(data.index) == set(verdicts.columns[~eligible])
    assert exhibit.n == (~eligible).sum()
    for child, row in data.iterrows():
        for column, word in (("failed", "NOT MET"), ("unknown", "UNKNOWN")):
            expected = ", ".join(verdicts.index[verdicts[child] == word]) or "none"
            assert row[column] == expected


def test_the_criteria_are_shown_with_their_registered_words():
    data = chapter.criteria().data
    assert isinstance(data, pd.DataFrame)
    assert data["registered"].tolist() == [c.registered for c in CRITERIA]
    assert set(chapter.SHORT) == set(IDS)
