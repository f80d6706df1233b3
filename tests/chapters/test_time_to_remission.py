"""Chapter 07: what it shows stands under the right arm, says what it can't show, and claims no more tests than one."""

import re

import numpy as np
import pandas as pd
import pytest
from conftest import STRICT
from hand_made import MONTHS, adtte
from matplotlib.figure import Figure

from helpers import figures
from helpers.analysis import between_visits, time_to_remission
from helpers.chapters import time_to_remission as chapter
from helpers.chapters.exhibits import Result
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, VISITS
from helpers.study.scenario import load

P = Parameters()
PLACEBO = [(2, True), (3, False), (3, True), (5, False), (8, True), (11, True), (11, False), (11, False)]
MSC = [(1, True), (1, True), (4, True), (4, False), (9, True), (11, False), (11, False)]
HAND = adtte(PLACEBO, MSC)


@pytest.fixture
def drawn(monkeypatch):
    """Figures are tested elsewhere and take most of the time: what they are given is kept here."""
    calls = []

    def draw(steps, at_risk, **options):
        calls.append({"steps": steps, "at_risk": at_risk, **options})
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(figures, "cumulative_remission", draw)
    return calls


def curve(table, paramcd="UPCRC", clock="AVAL"):
    steps = time_to_remission.curve(table, paramcd, clock)
    return chapter.curve(steps, time_to_remission.at_risk(table, paramcd, clock), paramcd, P, clock)


def intervals(table, resamples=50):
    found = between_visits.interval_curve(table, "UPCRC", 1, resamples)
    steps, at_risk = (make(table, "UPCRC") for make in (time_to_remission.curve, time_to_remission.at_risk))
    return chapter.intervals(found, steps, at_risk, "UPCRC", P)


def with_actual(table):
    """The table with its confirmed remissions also as those by actual days, if it has none."""
    rows = table[table["PARAMCD"] == "UPCRC"].assign(PARAMCD="UPCRA")
    return table if (table["PARAMCD"] == "UPCRA").any() else pd.concat([table, rows], ignore_index=True)


def findings(table, endpoints=("UPCRC",)):
    """All that the chapter shows of a table that holds these endpoints."""
    yield from (curve(table, paramcd) for paramcd in endpoints)
    for paramcd, clock in time_to_remission.OTHERWISE[1:]:
        yield curve(with_actual(table), paramcd, clock)
    yield chapter.estimates(time_to_remission.estimates(table, endpoints), table, P)
    yield chapter.estimates(time_to_remission.otherwise(with_actual(table)), table, P)
    yield chapter.logrank(time_to_remission.logrank(table), P)
    yield intervals(table)
    yield chapter.contrasts(between_visits.contrasts(table, ["UPCRC"]), table, P)


def exhibits(table, endpoints=("UPCRC",)):
    shown = [exhibit for finding in findings(table, endpoints) for exhibit in finding.exhibits]
    assert len({exhibit.key for exhibit in shown}) == len(shown)
    return {exhibit.key: exhibit for exhibit in shown}


@pytest.fixture(scope="module")
def base():
    return load("base").read("adtte")


def test_every_endpoint_and_clock_has_its_words():
    pairs = [(code, "AVAL") for code in time_to_remission.ENDPOINTS] + list(time_to_remission.OTHERWISE[1:])
    assert {code for code, _ in pairs} == set(chapter.ENDPOINTS)
    assert {clock for _, clock in pairs} == set(chapter.CLOCKS) == set(time_to_remission.CLOCKS)
    keys = [chapter.CLOCKS[clock][0] + chapter.ENDPOINTS[code][0] for code, clock in pairs]
    assert len(set(keys)) == len(keys)


def test_how_long_a_confirmed_remission_holds_stands_under_every_exhibit_of_one(base, drawn):
    for key, e in exhibits(base, ("UPCRF", "UPCRC", "UPCRS")).items():
        said = any("at least 28 days later by target day" in words for words in e.conventions)
        assert said == (not key.startswith(("ttr-first", "ttr-sustained"))), key
    other = chapter.risk_set(["HEMC"], P.model_copy(update={"confirm_days": 0}))
    assert other[0] == "confirmed: holds at every attended visit up to the next one, which must exist"


def test_a_time_goes_up_to_the_last_visit_from_which_it_can_be_confirmed(drawn):
    early = HAND.assign(HORIZON=MONTHS[10])
    data = chapter.contrasts(between_visits.contrasts(early, ["UPCRC"]), early, P).exhibits[0].data
    assert data["quantity"][0] == (
        "Difference in cumulative remission begun by month 10, confirmed by month 12"
    )
    assert data["quantity"][1] == "Difference in mean time without remission up to month 10"
    assert intervals(early).exhibits[1].data["visit"].tolist() == [v.name for v in VISITS[:-1]]


@pytest.mark.parametrize(
    ("paramcd", "month", "words"),
    [
        ("UPCRF", MONTHS[11], "by month 12"),
        ("UPCRC", MONTHS[10], "begun by month 10, confirmed by month 12"),
        ("UPCRC", MONTHS[9], "begun by month 8, confirmed by month 12"),
        ("HEMS", MONTHS[10], "begun by month 10, sustained to month 12"),
        ("UPCRA", MONTHS[10] - 0.46, "begun by month 10, confirmed by month 12"),
        ("UPCRC", MONTHS[11], "by month 12"),
        ("UPCRC", 0.0, "by month 12"),
    ],
)
def test_the_end_of_a_curve_is_named_by_what_it_counts(paramcd, month, words):
    assert chapter.until(paramcd, month) == words


def test_one_quantity_has_one_name_wherever_it_stands(base, drawn):
    """Nobody is at risk of a confirmed remission at month 12: no table may say that the curve ends there."""
    shown = exhibits(base)
    name = "begun by month 10, confirmed by month 12"
    for key in ("ttr-estimates", "ttr-sensitivity"):
        assert set(shown[key].data["until"]) == {name}
        assert shown[key].columns["until"]
        assert "month 12" not in "".join(shown[key].columns.values())
    assert shown["ttr-contrasts"].data["quantity"][0].endswith(name)
    assert f"{name}: Placebo" in shown["ttr-confirmed-intervals"].alt.replace("Begun", "begun")
    first = chapter.estimates(time_to_remission.estimates(base, ["UPCRF"]), base, P)
    assert set(first.exhibits[0].data["until"]) == {"by month 12"}


def test_a_censoring_of_its_own_is_not_contradicted_by_the_plan_s_risk_set(base, drawn):
    rule = "at a visit after which it could still be confirmed"
    for key, e in exhibits(base).items():
        if e.key.startswith(("ttr-confirming", "ttr-end")):
            assert not any(rule in words for words in e.conventions), key
        elif key == "ttr-sensitivity":
            (words,) = [words for words in e.conventions if rule in words]
            assert "where the row does not say otherwise" in words
        else:
            (words,) = [words for words in e.conventions if rule in words]
            assert "otherwise" not in words, key


def test_the_restricted_mean_says_what_its_interval_is_worth(drawn):
    found = between_visits.contrasts(HAND, ["UPCRC"])
    plain = chapter.contrasts(found, HAND, P).exhibits[0].caption
    assert "chapter Validation" in plain
    assert "alone" not in plain
    limits = {"month12_difference": (-1, 2), "rmst_difference": (-3, -1), "hazard_ratio": (0.5, 3)}
    alone = found.assign(
        **{c: [limits[q][k] for q in found["quantity"]] for k, c in enumerate(("lower", "upper"))}
    )
    assert "the restricted mean alone" in chapter.contrasts(alone, HAND, P).exhibits[0].caption
    both = alone.assign(lower=alone["lower"].mask(alone["quantity"] == "hazard_ratio", 1.2))
    assert "alone" not in chapter.contrasts(both, HAND, P).exhibits[0].caption


def test_a_note_shows_its_months_rounded(drawn):
    none = adtte([(11, False)] * 4, [(2, True), (11, False), (11, False)]).assign(HORIZON=MONTHS[10])
    data = chapter.contrasts(between_visits.contrasts(none, ["UPCRC"]), none, P).exhibits[0].data
    assert data["note"][0] == "Placebo: all or none had the event by 10.0 months: no standard error"
    assert "tau" not in data["note"][1]


def test_a_curve_s_figure_and_table_hold_the_frames(drawn):
    finding = curve(HAND)
    figure, table = finding.exhibits
    steps, at_risk = time_to_remission.curve(HAND, "UPCRC"), time_to_remission.at_risk(HAND, "UPCRC")
    assert figure.data.equals(steps.drop(columns="n_early"))
    assert drawn[0]["steps"].equals(steps)
    assert drawn[0]["at_risk"].equals(at_risk)
    assert drawn[0]["grid"] == MONTHS[1:]
    assert drawn[0]["band"]
    assert list(table.data["visit"]) == ["Time zero", *(v.name for v in VISITS)]
    for arm, name in ARM_KEY.items():
        part = at_risk[at_risk["arm"] == arm]
        for column in ("at_risk", "events", "censored"):
            assert table.data[f"{name}_{column}"].tolist() == part[column].tolist()
            assert table.columns[f"{name}_{column}"].startswith(arm)
    assert figure.n == "8 v 7 children"
    assert str(finding.said["placebo"]) == "4/8 (50.0 %)"
    assert str(finding.said["msc"]) == "4/7 (57.1 %)"
    assert "Remitted: Placebo 4/8 (50.0 %); hUC-MSC 4/7 (57.1 %)." in figure.alt


def test_the_interval_figure_draws_its_estimate_over_the_steps_without_their_band(drawn):
    finding = intervals(HAND)
    figure, table = finding.exhibits
    assert not drawn[0]["band"]
    assert drawn[0]["points"][list(figure.data)].equals(figure.data)
    assert drawn[0]["steps"].equals(time_to_remission.curve(HAND, "UPCRC"))
    assert "50 bootstrap resamples an arm give (Monte Carlo SE of their SD 10.1 %)" in figure.method
    last = table.data.iloc[-1]
    found = between_visits.interval_curve(HAND, "UPCRC", 1, 50)
    for arm, name in ARM_KEY.items():
        row = found[found["arm"] == arm].iloc[-1]
        shown = [100 * row[c] for c in ("estimate", "lower", "upper")]
        numbers = [float(v) for v in re.findall(r"[\d.]+", last[f"{name}_npmle"])]
        assert numbers == pytest.approx(shown, abs=0.051)
        assert float(last[f"{name}_km"]) == pytest.approx(100 * row["kaplan_meier"], abs=0.051)
        assert str(finding.said[name]) == last[f"{name}_npmle"]


def test_estimates_put_numbers_in_words(drawn):
    plateau = adtte([(6, True)] * 5 + [(11, False)] * 5, [(11, False)] * 10)
    finding = chapter.estimates(time_to_remission.estimates(plateau, ["UPCRC"]), plateau, P)
    said = finding.said
    assert said["confirmed_placebo"].text.startswith("8.0 (4.0 to ")
    assert said["confirmed_placebo"].unit == "months"
    assert said["confirmed_msc"].text == "not reached"
    assert said["confirmed_month12_placebo"].text.startswith("50.0 (")
    assert said["confirmed_month12_msc"].text == "0.0 (interval not estimable)"
    assert said["confirmed_month12_placebo"].unit == "%"
    assert finding.exhibits[0].n == "20 randomised"
    data = finding.exhibits[0].data
    assert said["confirmed_placebo"].value == data["median"][0]
    assert said["confirmed_month12_placebo"].value == data["month12"][0]
    assert list(data["count_text"]) == ["5/10 (50.0 %)", "0/10 (0.0 %)"]


def test_logrank_table_says_it_is_supportive():
    found = time_to_remission.logrank(HAND)
    finding = chapter.logrank(found, P)
    (table,) = finding.exhibits
    assert finding.said["p"].value == found["p"][0]
    assert "supportive" in table.title
    assert table.data["observed"].tolist() == [4, 4]
    assert table.n == "8 v 7 children"


def test_contrasts_keep_quantity_unit_and_digits_together(drawn):
    found = between_visits.contrasts(HAND, ["UPCRC"])
    finding = chapter.contrasts(found, HAND, P)
    data = finding.exhibits[0].data
    assert data["unit"].tolist() == ["percentage points", "months", ""]
    assert data["n"].tolist() == ["8 v 7"] * 3
    told = {key: one for key, one in finding.said.items() if isinstance(one, Result)}
    for row, (key, result) in zip(data.itertuples(), told.items(), strict=True):
        assert result.value == row.estimate
        assert result.text == row.text
        assert key == f"confirmed_{result.key.rsplit('.', 1)[1]}"
        numbers = [float(v) for v in re.findall(r"-?\d+\.\d+", row.text)]
        assert numbers == pytest.approx([row.estimate, row.lower, row.upper], abs=0.051)


def test_actual_times_before_time_zero_are_said(drawn):
    early = HAND.assign(ACTMONTH=HAND["ACTMONTH"].where(HAND["AVAL"] > MONTHS[1], -0.1))
    assert "2 times before time zero count as 0" in curve(early, clock="ACTMONTH").exhibits[0].caption
    assert "before time zero" not in curve(HAND, clock="ACTMONTH").exhibits[0].caption


def test_every_header_follows_its_arm(drawn):
    """Arms swapped in the data: what stood under one arm's header stands under the other's, everywhere."""
    one, two = exhibits(HAND), exhibits(adtte(MSC, PLACEBO))
    checked = 0
    for key, exhibit in one.items():
        for column in exhibit.data.columns:
            # a band is drawn from its arm's own stream
            if not column.startswith("placebo_") or "npmle" in column:
                continue
            partner = column.replace("placebo", "msc")
            assert list(exhibit.data[column]) == list(two[key].data[partner]), f"{key}: {column}"
            checked += 1
        for column, heading in exhibit.columns.items() if exhibit.figure is None else ():
            if re.match(r"(placebo|msc)_", column):
                assert ("Placebo" in heading) == column.startswith("placebo"), f"{key}: {heading}"
                assert ("hUC-MSC" in heading) == column.startswith("msc"), f"{key}: {heading}"
        if "arm" in exhibit.data and "interval" not in key:
            for arm, other in (ARMS, ARMS[::-1]):
                left = exhibit.data[exhibit.data["arm"] == arm].drop(columns="arm")
                right = two[key].data[two[key].data["arm"] == other].drop(columns="arm")
                same = left.select_dtypes("number").columns.drop(["statistic", "p"], errors="ignore")
                np.testing.assert_allclose(left[same], right[same], err_msg=key)
                checked += 1
    assert checked > 15


def test_only_the_logrank_test_has_a_p_value(base, drawn):
    shown = exhibits(base, time_to_remission.ENDPOINTS)
    keys = [result.key for exhibit in shown.values() for result in exhibit.results]
    assert [key for key in keys if key.endswith(".p")] == ["ttr.confirmed.logrank.p"]
    holders = [
        key
        for key, e in shown.items()
        if "p" in e.data.columns or any(head.startswith("p (") for head in e.columns.values())
    ]
    assert holders == ["ttr-logrank"]
    for key, e in shown.items():
        if key != "ttr-logrank":
            assert not re.search(r"\bp ?[=<]|p-value(?!s)", e.table() + e.caption), key


def test_exhibits_stand_alone(base, drawn):
    for key, e in exhibits(base, time_to_remission.ENDPOINTS).items():
        assert e.title, key
        assert e.population.startswith("all randomised evaluable for"), key
        assert re.search(r"\d", e.n), key
        assert "source ADTTE" in e.method, key
        assert e.conventions[0] == "arm order placebo, hUC-MSC", key
    assert "haematuria (HEMFL)" in curve(base, "HEMC").exhibits[0].population
    assert "proteinuria (UPCRFL)" in curve(base, "UPCRF").exhibits[0].population


CONFIRMED = "confirmed remission of proteinuria (UPCR)"
STAY = [(11, False)] * 6
UGLY = {
    "no remission in either arm": (
        adtte(STAY, STAY), [f"Placebo: no {CONFIRMED} was seen.", "no events", "not reached"],
    ),
    "no remission on placebo": (adtte(STAY, MSC), [f"Placebo: no {CONFIRMED} was seen."]),
    "everyone remits at the first visit": (
        adtte([(1, True)] * 6, [(1, True)] * 5),
        [
            "Placebo: every child remitted at 0.5 months, no band exists.", "(interval not estimable)",
            "100.0 (61.0 to 100.0)",
        ],
    ),
    "one child on hUC-MSC": (adtte(PLACEBO, [(4, True)]), ["hUC-MSC: a single child."]),
    "no child on placebo": (adtte([], MSC), ["Placebo: no evaluable child, no curve.", "not estimable"]),
    "nobody evaluable": (
        HAND.assign(ANL01FL="N", CNSR=2.0),
        ["No child can be followed: nobody is evaluable.", "0/0 (not estimable)", "not estimable: no evaluable child"],
    ),
    "no assessment after time zero": (
        adtte([(0, False)] * 4, [(0, False)] * 3),
        ["Placebo: nobody at risk after time zero.", "not estimable: nobody at risk after time zero"],
    ),
    "all gone before month 12": (
        adtte([(3, True), (8, False)], [(2, True), (5, False)]),
        ["not estimable: last child at risk at 6.0 months"],
    ),
    "all seen after month 12": (
        HAND.assign(ACTMONTH=12.4), ["not estimable: no time up to month 12", "End"],
    ),
    "intervals that can't be": (HAND.assign(LMONTH=99.0), ["intervals can't be used"]),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
@STRICT
def test_ugly_data_are_told_in_words(drawn, name):
    table, expected = UGLY[name]
    parts = []
    for finding in findings(table):
        parts += [str(value) for value in finding.said.values()]
        for e in finding.exhibits:
            parts += [e.title, e.alt, e.notes(), *map(str, e.results)]
            if e.figure is None:
                parts.append(e.table())
                assert ">–<" not in e.table(), e.key
            for result in e.results:
                if result.value is None:
                    assert re.search("not estimable|not reached|no ", str(result)), result
    for words in expected:
        assert any(words.replace("'", mark) in part for part in parts for mark in ("'", "&#x27;")), words
    for part in parts:
        assert not re.search(r"\b(nan|None|inf|NaT|NaN)\b", part), part


@pytest.mark.parametrize("name", ["nobody evaluable", "all seen after month 12"])
@STRICT
def test_ugly_data_are_drawn(name):
    for exhibit in exhibits(UGLY[name][0]).values():
        if exhibit.figure is not None:
            assert exhibit.png().startswith(b"\x89PNG")
