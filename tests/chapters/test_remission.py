"""Chapter 06: what its tables, pictures and sentences say, on the base study, by hand, and on ugly data."""

import re
from dataclasses import fields
from functools import cache

import numpy as np
import pandas as pd
import pytest
from conftest import STRICT
from matplotlib.figure import Figure
from ten_children import tables

from helpers import figures
from helpers.analysis import (
    course,
    missing_data,
    open_choices,
    remission,
    repeated_measures,
    sequence,
    strategies,
)
from helpers.analysis.adam import Adam, Raw
from helpers.chapters import remission as chapter
from helpers.chapters import sensitivity
from helpers.chapters.exhibits import Result
from helpers.estimators import mixed
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARM_KEY, ARMS, VISITS
from helpers.study.scenario import load
from helpers.study.shown import rounded

P = Parameters()


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return tuple(study.read(name) for name in ("adsl", "adlb", "adtte", "adae"))


def lightened(patch):
    """Figures and the estimators' imputations are tested elsewhere and take most of the time: empty ones, and few."""
    for name in ("forest", "tiles", "tipping", "agreement"):
        patch.setattr(figures, name, lambda *_, **__: Figure(figsize=(1, 1)))
    patch.setattr(missing_data, "IMPUTATIONS", 4)


@pytest.fixture
def undrawn(monkeypatch):
    lightened(monkeypatch)


@pytest.fixture(scope="module")
def exhibits(base):
    """All exhibits of the base study by key; their figures are empty."""
    with pytest.MonkeyPatch.context() as patch:
        lightened(patch)
        return everything(*base)[0]


def everything(adsl, adlb, adtte, adae):
    """All that the chapter shows: exhibits by key, and what its sentences are filled with."""
    primary = remission.primary(adsl, adlb, adtte, P)
    measure = course.measures(P)["upcr"]
    upcr = repeated_measures.arrays(course.tidy(adsl, adlb, measure, P), measure)
    fit = repeated_measures.mmrm(upcr)
    found = [
        chapter.primary(primary, P),
        chapter.fixed_sequence(sequence.fixed_sequence(primary, adsl, adlb, P), adsl, P),
        chapter.undetermined(remission.undetermined(adsl, adlb, adtte, P), primary, P),
        sensitivity.tipping_point(missing_data.tipping_point(primary, P), primary, P),
        sensitivity.handlings(missing_data.handlings(primary, adsl, upcr, fit, P), fit, adsl, P),
        chapter.by_set(remission.by_set(adsl, adtte), adsl, P),
        sensitivity.estimands(strategies.estimands(adsl, adlb, adae, P), adsl, P),
        sensitivity.subgroups(strategies.subgroups(adsl, adtte), adsl, P),
        tiles(adsl, adlb),
        chapter.by_visit(remission.by_visit(adsl, adlb, adtte), adsl),
        chapter.endpoints(remission.endpoints(adsl, adlb, adtte, P), adsl, P),
        sensitivity.agreement(remission.agreement(adsl, adtte), P),
        sensitivity.choices(open_choices.one_at_a_time(adsl, adlb, adtte, P), adsl, P),
    ]
    exhibits = [exhibit for one in found for exhibit in one.exhibits]
    assert len({e.key for e in exhibits}) == len(exhibits) == 20
    said = [value for one in found for value in one.said.values()]
    assert all(isinstance(value, Result | str) for value in said)
    return {e.key: e for e in exhibits}, said


def tiles(adsl, adlb):
    states = remission.each_child(adsl, adlb)
    return chapter.each_child(states, remission.state_counts(states), adsl)


def swapped(frames):
    other = dict(zip(ARMS, ARMS[::-1], strict=True))
    return [
        f.assign(TRT01P=f["TRT01P"].map(other), TRT01PN=1 - f["TRT01PN"]) if "TRT01P" in f else f
        for f in frames
    ]


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("control", "active", "words"),
    [
        ((3, 18), (7, 14), "Test (level 5 %) and 95 % interval agree: neither excludes zero"),
        ((1, 20), (15, 20), "Test (level 5 %) and 95 % interval agree: both exclude zero"),
        ((15, 20), (1, 20), "Test (level 5 %) and 95 % interval agree: both exclude zero"),
        ((5, 20), (6, 20), "Test (level 5 %) and 95 % interval agree: neither excludes zero"),
        ((0, 20), (0, 20), "No child of either arm had a confirmed remission"),
        ((20, 20), (20, 20), "Every child had a confirmed remission"),
        ((0, 1), (6, 20), "single child"),
        ((0, 0), (6, 20), "not estimable: no child in Placebo."),
        ((0, 0), (0, 0), "not estimable: no child in Placebo and no child in hUC-MSC."),
    ],
)
def test_test_and_interval_in_words(base, control, active, words):
    """Outcomes put into ADTTE by hand; 3/18 v 7/14 has p 0.067, and the score interval would leave out zero."""
    adsl, adlb, adtte, _ = (frame.copy() for frame in base)
    for arm, (x, n) in zip(ARMS, (control, active), strict=True):
        rows = adtte.index[(adtte["PARAMCD"] == "UPCRC") & (adtte["TRT01P"] == arm)]
        adtte.loc[rows, "CNSR"] = np.where(np.arange(len(rows)) < x, 0, 1)
        adtte.loc[rows, "ANL01FL"] = "Y"
        adtte = adtte.drop(index=rows[n:])
    found = chapter.primary(remission.primary(adsl, adlb, adtte, P), P)
    assert words in found.said["verdict"]
    assert (found.said["placebo_n"].value, found.said["msc_children"].value) == (control[0], active[1])


def test_the_primary_table_by_hand(undrawn):
    adsl, adlb, adtte, _ = tables()
    primary = remission.primary(adsl, adlb, adtte, P)
    found = chapter.primary(primary, P)
    row = found.exhibit("remission-primary").data.iloc[0]
    assert row["placebo_text"].startswith("1/5, 20.0 % (")
    assert row["msc_text"].startswith("2/5, 40.0 % (")
    assert row["difference_text"].startswith("20.0 (")
    beside = found.exhibit("remission-primary").data.iloc[1]
    assert beside["placebo_text"].startswith("1/4, 25.0 % (")
    assert beside["difference_text"].startswith("15.0 (")
    assert beside["p_text"] == ""
    assert str(found.said["msc"]) == "2/5 (40.0 %)"
    assert str(found.said["difference"]).startswith("20.0 percentage points (95 % interval ")
    assert found.exhibit("remission-primary").n == "5 v 5 children"
    opened = chapter.undetermined(remission.undetermined(adsl, adlb, adtte, P), primary, P)
    assert opened.exhibits[0].n == "2 of 5 v 0 of 5 randomised"
    assert list(opened.exhibits[0].data["last"]) == ["none after baseline", "Month 8"]
    assert list(opened.exhibits[0].data["end"]) == ["left: family moved"] * 2
    assert opened.said["placebo_undetermined"].value == 2
    assert opened.said["msc_children"].value == 5


def test_nobody_undetermined_is_said():
    adsl, adlb, adtte, _ = tables()
    known = adtte.assign(ANL01FL=adtte["ANL01FL"].mask(adtte["USUBJID"].isin(["P3", "P5"]), "N"))
    children = remission.undetermined(adsl, adlb, known, P)
    found = chapter.undetermined(children, remission.primary(adsl, adlb, known, P), P).exhibits[0]
    assert "outcome of every child is known" in found.caption
    assert found.n == "0 of 5 v 0 of 5 randomised"


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        (((1, 4, 2), (2, 5, 0)), "is the same in all 3 assignments: it can't be tipped"),
        (((0, 8, 1), (5, 8, 1)), "decides for a difference in 3 of 4 assignments: absent values can tip it"),
        (((1, 4, 0), (2, 5, 0)), "No child is undetermined: there is one assignment only"),
        (((0, 0, 0), (2, 5, 1)), "Nothing to assign: no evaluable child in Placebo."),
    ],
)
def test_tipping_in_words(monkeypatch, arms, words):
    drawn = {}
    monkeypatch.setattr(
        figures,
        "tipping",
        lambda d, decided, **k: drawn.update(d=d, decided=decided, **k) or Figure(figsize=(1, 1)),
    )
    counts = {f"{k}_{c}": v for k, arm in zip(ARM_KEY.values(), arms, strict=True)
              for c, v in zip(("n", "N", "undetermined"), arm, strict=True)}  # fmt: skip
    primary = pd.DataFrame([counts | {"note": "" if arms[0][1] else "no evaluable child in Placebo"}])
    table = missing_data.tipping_point(primary, P)
    found = sensitivity.tipping_point(table, primary, P)
    assert words in found.said["words"]
    (x0, n0, u0), (x1, n1, u1) = arms
    if n0:
        # rows of the picture are the placebo arm's undetermined, columns those of hUC-MSC
        expected = [[100 * ((x1 + b) / n1 - (x0 + a) / n0) for b in range(u1 + 1)] for a in range(u0 + 1)]
        np.testing.assert_allclose(drawn["d"], expected)
        assert drawn["decided"].shape == drawn["contains_zero"].shape == (u0 + 1, u1 + 1)
        assert drawn["decided"].ravel().tolist() == table["decided"].tolist()
        assert found.said["low"].value == pytest.approx(np.min(expected))
    else:
        assert drawn["d"].size == 0
        assert str(found.said["low"]) == "not estimable"


def test_every_row_has_its_label(exhibits):
    assert list(exhibits["remission-sets"].data["label"]) == list(chapter.SETS.values())
    assert list(exhibits["remission-estimands"].data["label"]) == list(sensitivity.STRATEGIES.values())
    assert list(exhibits["open-choices"].data["label"]) == list(sensitivity.CHOICES.values())
    visits = exhibits["remission-visits"].data
    assert list(visits["label"]) == [*(v.name for v in VISITS), "At any visit (ever)"]
    endpoints = exhibits["remission-endpoints"].data
    assert list(endpoints["label"]) == list(chapter.KINDS.values()) * 5
    assert list(endpoints["group"].unique()) == list(chapter.MEASURES.values())
    groups = exhibits["remission-subgroups"].data
    assert list(zip(groups["group"], groups["label"], strict=True))[:2] == [("Sex", "Boys"), ("Sex", "Girls")]
    handlings = exhibits["remission-missing"].data["label"]
    assert handlings.is_unique
    assert handlings[7] == "Multiple imputation, at random, UPCR x 1.5 on hUC-MSC after leaving"
    assert handlings[13] == f"{handlings[7]}, ANCOVA at month 12"


def test_agreement_in_words(undrawn):
    adsl, _, adtte, _ = tables()
    found = sensitivity.agreement(remission.agreement(adsl, adtte), P)
    row = found.exhibit("remission-agreement").data.iloc[0]
    assert (row["pair"], row["first_name"], row["second_name"]) == (
        "UPCR and 24-hour protein", "UPCR", "24-hour protein",
    )  # fmt: skip
    assert str(found.said["upcr_p24_agreement"]) == row["agreement_text"] == "7/9 (77.8 %)"
    assert str(found.said["upcr_p24_kappa"]).startswith("0.50 (")
    assert "24-hour protein and dipstick: 6/8 (75.0 %) agree" in found.exhibits[0].alt


def test_handlings_in_words(exhibits, base):
    rows = exhibits["remission-missing"].data
    primary = remission.primary(*base[:3], P).iloc[0]
    n0, n1 = primary["placebo_N"], primary["msc_N"]
    assert rows["n"][0] == f"{primary['placebo_n']}/{n0} v {primary['msc_n']}/{n1}"
    assert rows["n"][4] == f"{n0} v {n1}"
    assert rows["text"][0].startswith(f"{rounded(primary['difference'], 1)} (")
    assert [len(text.split(" (")[0].split(".")[1]) for text in rows["text"]] == [1] * 8 + [2] * 6
    keys = [result.key for result in exhibits["remission-missing"].results]
    assert keys[::13] == ["remission.missing.primary_0", "remission.missing.upcr_13"]


def test_a_column_of_intervals_of_several_kinds_names_each(exhibits):
    exact = "exact, Boschloo"
    rows = exhibits["remission-missing"].data["interval"].tolist()
    assert (
        rows
        == [exact] * 4
        + ["Lott-Reiter, square-and-add"] * 4
        + ["t, Kenward-Roger linear", "t"]
        + ["t, Rubin's rules"] * 4
    )
    rows = exhibits["remission-sequence"].data["interval"].tolist()
    assert rows == [exact, "t", exact, "t, HC2", "t, Kenward-Roger linear"]
    for key in ("remission-missing", "remission-sequence"):
        assert exhibits[key].columns["interval"] == "Interval"
    assert "exact" in exhibits["remission-primary"].columns["difference_text"]
    assert exhibits["remission-sequence"].n.endswith("randomised, analysed as each row says")


def test_the_exact_interval_says_what_it_costs(base):
    told = chapter.primary(remission.primary(*base[:3], P), P).exhibits[0].caption
    assert "pays with width" in told
    assert 'chapter Validation, "Against a truth that is known"' in told


def test_tiles_hold_what_the_states_say(undrawn):
    adsl, adlb, _, _ = tables()
    found = tiles(adsl, adlb)
    data = found.exhibits[0].data.set_index("child")
    assert list(data.index) == list(adsl["USUBJID"])
    assert list(data.columns) == ["arm", *(v.short for v in VISITS)]
    assert data.loc["P2", "M12"] == "complete"
    assert data.loc["P5", "M10"] == "not attended"
    # P2 and M1 at eleven visits, M3 at one, M4 at four, M5 at three: one of them complete
    assert found.said["complete"].value == 1
    assert found.said["partial"].value == 10 + 11 + 1 + 4 + 3
    assert found.said["after_drop_out"].value == 11 + 1
    assert found.said["not_attended"].value == 1
    assert found.said["seen"].value == 11 * 7 + 9
    assert str(found.said["in_remission"]) == "30/86 (34.9 %)"
    assert "1 complete, 29 partial, 56 none, 1 not attended, 12 after drop-out" in found.exhibits[0].alt


def test_children_are_drawn_earliest_remission_first(monkeypatch):
    drawn = {}
    monkeypatch.setattr(figures, "tiles", lambda _, **k: drawn.update(k) or Figure(figsize=(1, 1)))
    adsl, adlb, _, _ = tables()
    tiles(adsl, adlb)
    for arm, order in (
        ("Placebo", ["P2", "P1", "P3", "P5", "P4"]),
        ("hUC-MSC", ["M1", "M5", "M4", "M3", "M2"]),
    ):
        assert [c for c in drawn["order"] if drawn["arm_of"][c] == arm] == order
    monkeypatch.setattr(chapter, "ROWS", 2)
    found = tiles(adsl, adlb)
    assert sorted(drawn["order"]) == ["M1", "M5", "P1", "P2"]
    assert "The first 2 children of an arm are drawn" in found.exhibits[0].caption


# ------------------------------------------------------------------ arms, headings, p-values


def test_headers_stand_over_the_arm_they_name(exhibits):
    named = 0
    for key, exhibit in exhibits.items():
        for column, heading in exhibit.columns.items() if exhibit.figure is None else ():
            if re.match(r"(placebo|msc)", column):
                assert ("Placebo" in heading) == column.startswith("placebo"), f"{key}: {heading}"
                assert ("hUC-MSC" in heading) == column.startswith("msc"), f"{key}: {heading}"
                named += 1
    assert named >= 14


def test_swapping_the_arms_mirrors_every_comparison(base, exhibits, undrawn):
    there = everything(*swapped(base))[0]
    checked = 0
    for key, exhibit in exhibits.items():
        data, other = exhibit.data, there[key].data
        if "placebo_text" in data:
            checked += 1
            for column in (c for c in data if c.startswith("placebo")):
                assert list(data[column].fillna("-")) == list(other[f"msc{column[7:]}"].fillna("-")), column
            np.testing.assert_allclose(data["difference"], -other["difference"], atol=1e-9)
            np.testing.assert_allclose(data["lower"], -other["upper"], atol=1e-6)
    assert checked == 13
    assert exhibits["remission-primary"].data["p"][0] == pytest.approx(
        there["remission-primary"].data["p"][0]
    )


def test_p_values_stand_in_the_primary_and_the_fixed_sequence_alone(exhibits):
    results = [result.key for exhibit in exhibits.values() for result in exhibit.results]
    assert [key for key in dict.fromkeys(results) if re.search(r"\.p$|pvalue", key)] == [
        "remission.primary.p", *(f"remission.sequence.{step}.p" for step in sequence.STEPS),
    ]  # fmt: skip
    tested = ("remission-primary", "remission-sequence")
    for key, exhibit in exhibits.items():
        shown = exhibit.table() + exhibit.caption if exhibit.figure is None else exhibit.caption
        has = "p" in exhibit.data or any(re.match(r"p\b", head) for head in exhibit.columns.values())
        assert has == (key in tested), key
        assert key in tested or not re.search(r"\bp ?[=<]|p-value(?!s)", shown), key


def test_exhibits_stand_alone(exhibits):
    for key, exhibit in exhibits.items():
        assert exhibit.title, key
        assert exhibit.population, key
        assert exhibit.n, key
        assert "source" in exhibit.method or key == "remission-undetermined", key
        assert exhibit.conventions, key
        assert exhibit.figure is None or exhibit.alt, key


@pytest.mark.parametrize(
    ("p", "words", "may"),
    [
        (
            (0.03, 0.2, 0.01),
            "ends at step 2, which did not succeed: the steps after it may not",
            ["yes", "yes", "no", ""],
        ),
        (
            (0.06, 0.01, 0.01),
            "ends at step 1, which did not succeed: the steps after it may not",
            ["yes", "no", "no", ""],
        ),
        ((0.03, 0.05, 0.2), "ends at step 3, which did not succeed.", ["yes", "yes", "yes", ""]),
        (
            (0.03, 0.05, 0.05),
            "Each of the three tests succeeded at the level of 5 %.",
            ["yes", "yes", "yes", ""],
        ),
    ],
)
def test_the_sequence_in_words(base, monkeypatch, p, words, may):
    adsl, adlb, adtte, _ = base
    primary = remission.primary(adsl, adlb, adtte, P).assign(p=p[0])
    model = mixed.Contrast(estimate=np.log(0.5), lower=np.log(0.25), upper=0.0, p=p[1])
    monkeypatch.setattr(sequence.mixed, "ancova", lambda *_, **__: model)
    monkeypatch.setattr(sequence.proportions, "boschloo", lambda *_: p[2])
    found = chapter.fixed_sequence(sequence.fixed_sequence(primary, adsl, adlb, P), adsl, P)
    data = found.exhibits[0].data
    assert words in found.said["words"]
    assert data["may_text"].tolist() == [*may, ""]
    assert data["step_text"].tolist() == ["1", "2", "3", "supplement", "supplement"]
    assert data["text"][1] == "0.50 (0.25 to 1.00)"
    assert str(found.said["weighted_p"]) == data["p_text"][1]


def test_how_long_a_remission_holds_stands_under_every_exhibit_of_a_confirmed_one(exhibits):
    for key, exhibit in exhibits.items():
        said = any("at least 28 days later by target day" in words for words in exhibit.conventions)
        assert said == (not key.startswith(("remission-visits", "remission-tiles"))), key


def test_every_result_states_its_value_at_full_precision(exhibits):
    row = exhibits["remission-primary"].data.iloc[0]
    results = {r.key: r for r in exhibits["remission-primary"].results}
    assert results["remission.primary.difference"].value == row["difference"]
    assert results["remission.primary.difference_lower"].value == row["lower"]
    assert results["remission.primary.difference_upper"].value == row["upper"]
    assert results["remission.primary.msc.share"].value == row["msc"]
    assert results["remission.primary.p"].value == row["p"]
    visits = exhibits["remission-visits"]
    results = {r.key: r for r in visits.results}
    row = visits.data.set_index("label").loc["Month 12"]
    assert results["remission.visit.month12.msc"].value == row["msc"]
    assert (
        results["remission.visit.month12.msc"].text
        == f"{row['msc_n']}/{row['msc_N']} ({rounded(row['msc'], 1)} %)"
    )
    assert results["remission.visit.month12.difference_upper"].value == row["upper"]


def test_the_forest_draws_what_the_table_says(base, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        figures, "forest", lambda frame, **_: drawn.update(frame=frame) or Figure(figsize=(1, 1))
    )
    adsl, _, adtte, _ = base
    table = chapter.by_set(remission.by_set(adsl, adtte), adsl, P).exhibit("remission-sets").data
    frame = drawn["frame"]
    for column, shown in (
        ("estimate", "difference"),
        ("lower", "lower"),
        ("upper", "upper"),
        ("label", "label"),
    ):
        assert list(frame[column]) == list(table[shown])
    assert list(frame["Placebo\nn/N"]) == [
        f"{x}/{n}" for x, n in zip(table["placebo_n"], table["placebo_N"], strict=True)
    ]
    assert list(frame["hUC-MSC\nn/N"]) == [
        f"{x}/{n}" for x, n in zip(table["msc_n"], table["msc_N"], strict=True)
    ]


# ------------------------------------------------------------------ ugly data


@cache
def raw_tables():
    study = load("base")
    return {field.name: study.read(field.name) for field in fields(Raw)}


def analysed(raw):
    """ADSL, ADLB, ADTTE and ADAE of raw tables, spoilt as real ones may be, by the project's own derivation."""
    made = Adam(Raw(**raw), P, own=True)
    return made.adsl(), made.adlb(), made.adtte(), made.adae()


def only_arm(raw, arm, keep):
    """Raw tables in which `arm` has `keep` children."""
    list_ = raw["randomisation"]
    gone = list_.loc[list_["arm"] == arm, "usubjid"].iloc[keep:]
    return {
        name: frame if name == "screening" else frame[~frame["usubjid"].isin(gone)].reset_index(drop=True)
        for name, frame in raw.items()
    }


def with_labs(change):
    """Raw tables whose laboratory values `change(labs, arm of each row)` has changed."""

    def make():
        raw = raw_tables()
        labs = raw["labs"].copy()
        arm = labs["usubjid"].map(raw["randomisation"].set_index("usubjid")["arm"])
        return raw | {"labs": change(labs, arm).reset_index(drop=True)}

    return make


def put(labs, where, value):
    return labs.assign(value=labs["value"].mask(where, value))


def upcr(labs):
    return labs["test"] == "upcr"


def at_first_visit(labs):
    """Every baseline UPCR high, every one after it low, and nobody misses week 2."""
    late = labs[~(upcr(labs) & (labs["visit_no"] == 2))]
    week2 = labs[upcr(labs) & (labs["visit_no"] == 0)].assign(visit_no=2)
    zero = raw_tables()["visits"].query("visit_no == 2").set_index("usubjid")["planned_date"]
    week2["date"] = week2["usubjid"].map(zero)
    labs = pd.concat([late, week2], ignore_index=True)
    labs = put(labs, upcr(labs), 1.0)
    return put(labs, upcr(labs) & (labs["visit_no"] >= 2), 0.04)


def proteinuria_before(labs):
    return labs["test"].isin(["upcr", "rbc"]) & (labs["visit_no"] < 2)


UGLY = {
    "no remission in either arm": with_labs(lambda f, arm: put(f, upcr(f), 1.0)),
    "no remission on placebo": with_labs(lambda f, arm: put(f, upcr(f) & (arm == "Placebo"), 1.0)),
    "everyone remits at the first visit": with_labs(lambda f, arm: at_first_visit(f)),
    "one child on hUC-MSC": lambda: only_arm(raw_tables(), "hUC-MSC", 1),
    "one child an arm": lambda: only_arm(only_arm(raw_tables(), "hUC-MSC", 1), "Placebo", 1),
    "no child on placebo": lambda: only_arm(raw_tables(), "Placebo", 0),
    "nobody evaluable on hUC-MSC": with_labs(
        lambda f, arm: put(f, proteinuria_before(f) & (arm == "hUC-MSC"), 0.1)
    ),
    "nobody evaluable": with_labs(lambda f, arm: put(f, proteinuria_before(f), 0.1)),
    "month 6 attended by no one": with_labs(lambda f, arm: f[f["visit_no"] != 9]),
    "all red cells zero": with_labs(lambda f, arm: put(f, f["test"] == "rbc", 0.0)),
    "no assessment after baseline": with_labs(lambda f, arm: f[f["visit_no"] < 2]),
    "placebo gone before the first visit": with_labs(
        lambda f, arm: f[(f["visit_no"] < 2) | (arm != "Placebo")]
    ),
    "no event": lambda: raw_tables() | {"events": raw_tables()["events"].iloc[:0]},
}
EXPECTED = {
    "no remission in either arm": ["No child of either arm had a confirmed remission"],
    "everyone remits at the first visit": ["Every child had a confirmed remission"],
    "one child an arm": ["not estimable"],
    "no child on placebo": [
        "no child in Placebo",
        "Nothing to assign: no child in Placebo.",
    ],
    "nobody evaluable on hUC-MSC": ["no evaluable child assessed in hUC-MSC"],
    "nobody evaluable": ["no evaluable child assessed in Placebo and no evaluable child assessed in hUC-MSC"],
    "month 6 attended by no one": ["No child evaluable for remission has a UPCR at Month 6."],
    "all red cells zero": ["no child in Placebo and no child in hUC-MSC"],
    "no assessment after baseline": [
        "not estimable: no evaluable child assessed in Placebo and no evaluable child assessed in hUC-MSC",
        "0/20 (no evaluable child assessed)",
    ],
    "placebo gone before the first visit": ["no evaluable child assessed in Placebo"],
}


LONG = ("one child on hUC-MSC", "no remission on placebo")
"""Each takes a few seconds, as drawing any of them does: the slow tests."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in UGLY])
@STRICT
def test_ugly_data_are_told_in_words(undrawn, name):
    exhibits, said = everything(*analysed(UGLY[name]()))
    parts = [str(value) for value in said]
    for e in exhibits.values():
        parts += [e.title, e.alt, e.table() if e.figure is None else "", e.notes(), *map(str, e.results)]
        for result in e.results:
            assert result.value is not None or re.search("not estimable|no ", str(result)), result
    for words in EXPECTED.get(name, ()):
        assert any(words.replace("'", mark) in part for part in parts for mark in ("'", "&#x27;")), words
    for part in parts:
        assert not re.search(r"\b(nan|None|inf|NaT|NaN|<NA>)\b", part), part


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n == "no assessment after baseline" else pytest.mark.slow) for n in UGLY],
)
@STRICT
def test_ugly_data_are_drawn(monkeypatch, name):
    monkeypatch.setattr(missing_data, "IMPUTATIONS", 4)
    for exhibit in everything(*analysed(UGLY[name]()))[0].values():
        if exhibit.figure is not None:
            assert exhibit.png().startswith(b"\x89PNG")


def test_the_words_of_a_forest_count_the_intervals_with_no_difference_in_them():
    """Limits beside zero and at it."""
    limits = [(0.5, 30.0), (0.0, 30.0), (-30.0, -0.5), (-30.0, 0.0), (-30.0, 0.5), (-0.5, 30.0)]
    rows = [
        {
            "label": f"row {k}", "difference": (lower + upper) / 2, "lower": lower, "upper": upper, "note": "",
            **{f"{arm}{end}": value for arm in ARM_KEY.values() for end, value in
               (("_n", 5), ("_N", 20), ("", 25.0), ("_lower", 11.2), ("_upper", 46.9), ("_note", ""))},
        }
        for k, (lower, upper) in enumerate(limits)
    ]  # fmt: skip
    names = [f"remission.r{k}" for k in range(len(rows))]
    notes = {"population": "all", "n": "40", "method": "counted"}
    found = chapter.table_and_forest("t", "T", (), pd.DataFrame(rows), names, "Row", **notes)
    (forest,) = [one for one in found.exhibits if one.figure is not None]
    assert "4 of 6 intervals contain zero" in forest.alt
