"""Chapter 05: exhibits and sentences of small studies, what the figures are given, and ugly data told in words."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from conftest import STRICT
from matplotlib.figure import Figure

from helpers import ROOT
from helpers.analysis import course, repeated_measures, sequence
from helpers.chapters import longitudinal, mixed_models
from helpers.chapters.exhibits import Result
from helpers.study.parameters import Parameters
from helpers.study.protocol import ARMS, VISITS
from helpers.study.scenario import load
from helpers.study.shown import plain, rounded

P = Parameters()
MEASURES = course.measures(P)
OTHER = dict(zip(ARMS, ARMS[::-1], strict=True))


@pytest.fixture(scope="module")
def base():
    study = load("base")
    return study.read("adsl"), study.read("adlb")


@pytest.fixture
def drawn(monkeypatch):
    """What the figures were asked to draw, in their order; nothing is drawn: figures are tested elsewhere."""
    asked = []
    for name in ("by_arm_over_time", "small_multiples"):

        def draw(*frames, **options):
            asked.append((frames, options))
            return Figure(figsize=(1, 1))

        monkeypatch.setattr(longitudinal.figures, name, draw)
    return asked


def findings(adsl, adlb, measure, p=P) -> dict:
    """All that the chapter shows of one measure, as its cells do."""
    values = course.tidy(adsl, adlb, measure, p)
    welch, last = course.contrasts(values, measure), course.last_values(values, measure)
    data = repeated_measures.arrays(values, measure)
    fit = repeated_measures.mmrm(data)
    line = repeated_measures.random_slope(data, p)
    means, contrasts = repeated_measures.means(fit, data), repeated_measures.contrasts(fit, data)
    by_method, slopes = repeated_measures.month12(data, fit, welch), repeated_measures.slopes(line, data)
    return {
        "course": longitudinal.course(values, course.levels(values, measure), measure, p),
        "change": longitudinal.change(values, course.changes(values, measure), welch, measure, p),
        "children": longitudinal.children(values, last, course.improved(last, measure), measure, p),
        "mmrm": mixed_models.mmrm(values, fit, means, contrasts, measure),
        "month12": mixed_models.month12(values, fit, by_method, measure),
        "slopes": mixed_models.slopes(values, line, slopes, measure),
    }


def exhibits(adsl, adlb, *keys) -> dict:
    """Exhibits by key, of the measures named or of all."""
    found = [
        e
        for m in map(MEASURES.get, keys or MEASURES)
        for f in findings(adsl, adlb, m).values()
        for e in f.exhibits
    ]
    assert len({e.key for e in found}) == len(found)
    return {e.key: e for e in found}


def after(adlb):
    return adlb["ABLFL"].isna()


def first_on_msc(adsl):
    return adsl.loc[adsl["TRT01P"] == "hUC-MSC", "USUBJID"].iloc[0]


# ------------------------------------------------------------------ tables


def test_exhibits_stand_alone(base, drawn):
    found = exhibits(*base)
    assert len(found) == 3 * 8
    for key, e in found.items():
        assert e.title, key
        assert "all randomised" in e.population, key
        assert re.fullmatch(r"\d+ v \d+ children", e.n), key
        assert "source ADSL and ADLB (" in e.method, key
        assert e.conventions, key
        assert (e.figure is not None) == bool(e.alt), key
        shown = (e.table() if e.figure is None else "") + e.caption + e.alt
        assert not re.search(r"\bp ?[=<]|p-value(?!s)", shown), f"{key} shows a p-value"
        if not key.endswith("children"):
            assert "interval" in e.method + str(e.columns), key


def test_every_header_follows_its_arm(base, drawn):
    """Arms swapped in the data: what stood under one arm's header stands under the other's, everywhere."""
    swapped = [f.assign(TRT01P=f["TRT01P"].map(OTHER)) for f in base]
    here, there, checked = exhibits(*base), exhibits(*swapped), 0
    for key, e in here.items():
        for column in filter(lambda c: re.search("placebo", c), e.data.columns):
            mirror = there[key].data[column.replace("placebo", "msc")]
            if column.endswith("_text"):
                assert list(e.data[column]) == list(mirror), f"{key}: {column}"
            else:
                assert mirror.tolist() == pytest.approx(e.data[column].tolist(), rel=1e-4, nan_ok=True)
            checked += 1
        for column, heading in e.columns.items() if e.figure is None else ():
            if re.search(r"placebo|msc", column):
                assert ("Placebo" in heading, "hUC-MSC" in heading) == ("placebo" in column, "msc" in column)
    assert checked == 3 * 2 * 5
    ratio, difference = ("upcr-change-table", "upcr-mmrm"), ("egfr-change-table", "egfr-mmrm")
    for key in (*ratio, *difference):
        one, two = here[key].data, there[key].data
        mirrored = [1 / v for v in two["between"]] if key in ratio else [-v for v in two["between"]]
        assert one["between"].tolist() == pytest.approx(mirrored, rel=2e-3)
        lower = [1 / v for v in two["between_upper"]] if key in ratio else [-v for v in two["between_upper"]]
        assert one["between_lower"].tolist() == pytest.approx(lower, rel=2e-3, abs=2e-3)


def test_a_change_in_one_arm_stands_under_that_arm_only(base, drawn):
    adsl, adlb = base
    raised = (adlb["TRT01P"] == "hUC-MSC") & adlb["ABLFL"].isna()
    key = "upcr-change-table"
    before = exhibits(adsl, adlb, "upcr")[key]
    after = exhibits(adsl, adlb.assign(AVAL=adlb["AVAL"] * (1 + 2 * raised)), "upcr")[key]
    moved = [h for c, h in after.columns.items() if list(after.data[c]) != list(before.data[c])]
    assert moved == ["hUC-MSC (95 % interval)", "hUC-MSC / placebo (95 % interval)"]
    assert after.data["msc"].tolist() == pytest.approx((3 * before.data["msc"]).tolist())


def test_texts_are_the_numbers_beside_them(base, drawn):
    found = exhibits(*base)
    row = found["upcr-change-table"].data.iloc[-1]
    for name in ("placebo", "msc", "between"):
        numbers = [row[name], row[f"{name}_lower"], row[f"{name}_upper"]]
        assert row[f"{name}_text"] == "{} ({} to {})".format(*(rounded(v, 2) for v in numbers))
    row = found["upcr-mmrm"].data.iloc[-1]
    assert row["visit"] == "Week 2 to month 12, average weighted by time"
    percent = [round(100 * (row[c] - 1)) for c in ("between", "between_lower", "between_upper")]
    assert row["percent_text"] == "{} ({} to {})".format(*percent)
    assert row["df_text"] == rounded(row["df"], 1)
    assert found["egfr-mmrm"].units["between_text"] == "mL/min/1.73m2"
    assert "percent_text" not in found["egfr-mmrm"].data
    four = found["upcr-month12"].data
    assert four["n"].tolist() == ["20 v 20", "15 v 15", "15 v 15", "15 v 15"]
    assert four["df_text"].tolist()[3] == ""
    assert four["text"][3] == found["upcr-change-table"].data["between_text"].iloc[-1]
    slopes = found["egfr-slopes"]
    assert slopes.data["what"].tolist() == ["Placebo", "hUC-MSC", "hUC-MSC - placebo"]
    assert slopes.csv().splitlines()[1].startswith("Placebo,20,")
    assert slopes.csv().splitlines()[3].startswith("hUC-MSC - placebo,,")


def test_what_is_said_is_what_is_shown(base, drawn):
    adsl, adlb = base
    values = course.tidy(adsl, adlb, MEASURES["upcr"], P)
    found = findings(adsl, adlb, MEASURES["upcr"])
    said = found["course"].said
    after = values[values["visit"] != "Baseline"]["value"]
    assert (said["seen"].value, said["planned"].value) == (after.notna().sum(), 40 * 11)
    assert said["share"].value == pytest.approx(100 * after.notna().mean())
    for name, finding in found.items():
        stated = [r for e in finding.exhibits for r in e.results]
        assert {r.key for r in stated} <= {r.key for r in finding.said.values() if isinstance(r, Result)}, (
            name
        )
        for result in stated:
            assert result.value is None or isinstance(result.value, int | float), result
    table = found["change"].exhibit("upcr-change-table").data.iloc[-1]
    said = found["change"].said
    assert said["between"].value == table["between"]
    assert (said["msc_lower"].value, said["msc_upper"].value) == (table["msc_lower"], table["msc_upper"])
    assert (said["n_placebo"].value, said["n_msc"].value) == (table["n_placebo"], table["n_msc"])
    table, said = found["mmrm"].exhibit("upcr-mmrm").data.set_index("visit"), found["mmrm"].said
    assert said["month12"].value == table.loc["Month 12", "between"]
    assert said["average_lower"].value == table["between_lower"].iloc[-1]
    assert said["month12_percent"].value == pytest.approx(100 * table.loc["Month 12", "between"] - 100)
    assert said["fit"].startswith("Covariance: unstructured")
    assert said["fallback"] == "no"
    table, said = found["month12"].exhibit("upcr-month12").data, found["month12"].said
    assert (said["mixed"], said["ancova"].text, said["welch"]) == tuple(table["text"][[0, 1, 3]])
    assert (said["ancova"].value, said["ancova"].unit) == (table["estimate"][1], "")
    slopes = findings(adsl, adlb, MEASURES["egfr"])["slopes"]
    assert slopes.said["difference"].value == slopes.exhibits[0].data["estimate"][2]
    assert "msc_lower" not in slopes.said


def sequence_of(*succeeded, p=0.01, note=""):
    """A fixed sequence whose three steps succeeded or not."""
    found = np.isfinite(p)
    return pd.DataFrame(
        {
            "step": [1, 2, 3, 0],
            "endpoint": [*sequence.STEPS, sequence.HC2],
            "estimate": [25.0, 0.65 if found else np.nan, 15.0, 0.65],
            "lower": [1.0, 0.474, 1.0, 0.5],
            "upper": [50.0, 0.905, 30.0, 0.9],
            "may_be_tested": [True, succeeded[0], all(succeeded[:2]), False],
            "succeeded": [*succeeded, False],
            "note": ["", note, "", ""],
        }
    )


@pytest.mark.parametrize(
    ("tests", "weighted", "place"),
    [
        (
            sequence_of(False, False, False),
            "0.65 (0.47 to 0.91)",
            "step 2 of the fixed sequence of tests, not tested because step 1 did not succeed: an estimate and no "
            "finding",
        ),
        (
            sequence_of(True, True, False),
            "0.65 (0.47 to 0.91)",
            "step 2 of the fixed sequence of tests, which succeeded",
        ),
        (
            sequence_of(True, False, False),
            "0.65 (0.47 to 0.91)",
            "step 2 of the fixed sequence of tests, which did not succeed",
        ),
        (
            sequence_of(True, False, False, p=np.nan, note="an arm is empty"),
            "not estimable (an arm is empty)",
            "step 2 of the fixed sequence of tests, which did not succeed",
        ),
    ],
)
def test_the_planned_analysis_is_told_with_its_place_in_the_sequence(tests, weighted, place):
    assert mixed_models.planned(tests) == {"weighted": weighted, "place": place}


def test_the_chapter_leads_with_the_planned_analysis():
    """What is tagged as the finding stands first on the page: no unadjusted contrast alone."""
    cells = json.loads((ROOT / "notebooks" / "05-longitudinal.ipynb").read_text("utf-8"))["cells"]
    leads = ["".join(c["source"]) for c in cells if "finding" in c["metadata"].get("tags", ())]
    assert len(leads) == 2
    assert "mixed_models.mmrm(upcr" in leads[0]
    assert leads[1].index("{weighted}") < leads[1].index("{place}") < leads[1].index("{nature}")
    assert not {"{average}", "{month12}", "{between}"} & set(re.findall(r"{\w+}", leads[1])), (
        "each is said below"
    )
    (unadjusted,) = ["".join(c["source"]) for c in cells if "unadjusted, {between}" in "".join(c["source"])]
    assert "{between}: a description, which forgets who is absent" in unadjusted


def test_the_adjusted_course_of_upcr_is_open_and_the_unadjusted_one_folded(base, drawn):
    found = exhibits(*base)
    assert found["upcr-change"].folded
    assert {key for key, e in found.items() if key.endswith("mmrm-means") and not e.folded} == {
        "upcr-mmrm-means"
    }


def test_n_counts_those_analysed_of_either_arm(base, drawn):
    """Three children on placebo without a value after baseline, one on hUC-MSC without a baseline."""
    adsl, adlb = base
    gone = adsl.loc[adsl["TRT01P"] == "Placebo", "USUBJID"].iloc[:3]
    blank = adlb["USUBJID"].eq(first_on_msc(adsl)) & adlb["ABLFL"].eq("Y")
    found = findings(adsl, adlb[~(adlb["USUBJID"].isin(gone) & after(adlb)) & ~blank], MEASURES["egfr"])
    assert {name: f.exhibits[-1].n for name, f in found.items()} == {
        "course": "20 v 20 children",
        "change": "17 v 19 children",
        "children": "20 v 20 children",
        "mmrm": "17 v 19 children",
        "month12": "17 v 19 children",
        "slopes": "20 v 19 children",
    }
    assert found["children"].said["without"].value == 4
    table = found["month12"].exhibits[0].data
    at_last = found["change"].exhibit("egfr-change-table").data.iloc[-1]
    assert table["n"].tolist() == ["17 v 19", *[f"{at_last['n_placebo']} v {at_last['n_msc']}"] * 3]
    assert at_last["n_placebo"] != at_last["n_msc"]


def test_baseline_and_the_ends_of_the_course_are_told(base, drawn):
    finding = findings(*base, MEASURES["egfr"])["course"]
    rows = finding.exhibits[0].data.set_index(["arm", "visit"])
    for arm, name in zip(ARMS, ("placebo", "msc"), strict=True):
        first, last = rows.loc[(arm, "Baseline")], rows.loc[(arm, "Month 12")]
        result = finding.said[name]
        assert (result.value, result.unit, result.digits) == (first["estimate"], "mL/min/1.73m2", 1)
        assert result.text == "{} ({} to {})".format(
            *(rounded(v, 1) for v in first[["estimate", "lower", "upper"]])
        )
        ends = (
            f"{arm}: {rounded(first['estimate'], 1)} at Baseline, {rounded(last['estimate'], 1)} at Month 12"
        )
        assert ends in finding.exhibits[0].alt


def test_fallback_structure_is_named(base, drawn):
    """Month 12 and month 10 never both attended: no unstructured covariance."""
    adsl, adlb = base
    odd = adlb["USUBJID"].isin(adsl["USUBJID"].iloc[::2])
    lost = (adlb["AVISIT"] == "Month 12") & odd | (adlb["AVISIT"] == "Month 10") & ~odd
    found = findings(adsl, adlb[~lost], MEASURES["upcr"])["mmrm"]
    assert found.said["fallback"] == "yes"
    assert found.said["structure"] in found.exhibits[1].method
    assert "nstructured covariance not used" in found.exhibits[1].caption


# ------------------------------------------------------------------ figures


def test_figures_are_given_the_arms_as_they_are(base, drawn):
    adsl, adlb = base
    found = findings(adsl, adlb, MEASURES["upcr"])
    (lines, levels), options = drawn[0]
    arms = adsl.set_index("USUBJID")["TRT01P"]
    assert (lines["arm"] == lines["child"].map(arms)).all()
    rows = adlb[(adlb["PARAMCD"] == "PROTCRT") & (adlb["ANL01FL"] == "Y")].set_index(["USUBJID", "AVISIT"])
    at = lines.set_index(["child", "visit"])["value"].dropna()
    assert at.to_dict() == rows["AVAL"].reindex(at.index).to_dict()
    assert levels.equals(found["course"].exhibits[0].data)
    assert options["log"]
    assert options["unit"] == "mg/mg"
    assert [value for value, _ in options["thresholds"]] == [P.remission_threshold]
    (nothing, changes), options = drawn[1]
    assert nothing is None
    pd.testing.assert_frame_equal(changes, found["change"].exhibits[0].data)
    assert [value for value, _ in options["thresholds"]] == [1.0, 1 - P.remission_fall]
    (_, means), options = drawn[3]
    assert len(means) == 2 * len(VISITS), "without the average"
    assert options["label"] == "UPCR, adjusted ratio to baseline"


@pytest.mark.parametrize(
    ("key", "course_lines", "change_lines"),
    [("rbc", [P.haematuria_limit], [1.0]), ("egfr", [P.egfr_evaluable, 60.0], [0.0])],
)
def test_lines_of_the_other_measures(base, drawn, key, course_lines, change_lines):
    findings(*base, MEASURES[key])
    assert [value for value, _ in drawn[0][1]["thresholds"]] == course_lines
    assert [value for value, _ in drawn[1][1]["thresholds"]] == change_lines
    assert drawn[2][1]["threshold"] == course_lines[0]
    assert drawn[0][1]["log"] == drawn[1][1]["ratio"] == MEASURES[key].ratio


def test_many_children_are_drawn_from_both_ends(base, drawn, monkeypatch):
    monkeypatch.setattr(longitudinal, "PANELS", 10)
    exhibit = findings(*base, MEASURES["upcr"])["children"].exhibits[0]
    order = list(exhibit.data["child"])
    assert drawn[2][1]["order"] == order[:5] + order[-5:]
    assert "Of 40 children the 5 first and the 5 last are drawn" in exhibit.caption
    monkeypatch.setattr(longitudinal, "PANELS", 40)
    exhibit = findings(*base, MEASURES["upcr"])["children"].exhibits[0]
    assert drawn[-2][1]["order"] == order
    assert "are drawn" not in exhibit.caption


def test_better_counts_those_on_the_welcome_side(base, drawn):
    adsl, adlb = base
    for key, side in (("upcr", "below"), ("egfr", "above")):
        finding = findings(adsl, adlb, MEASURES[key])["children"]
        data = finding.exhibits[0].data
        moved = data["value"] - data["base"]
        better = (moved < 0) if side == "below" else (moved > 0)
        for arm, name in zip(ARMS, ("placebo", "msc"), strict=True):
            n, of = int((better & (data["arm"] == arm)).sum()), int((data["arm"] == arm).sum())
            assert finding.said[name].text.startswith(f"{n}/{of} (")
            assert finding.said[name].value == n
        assert f"Last value {side} baseline" in finding.exhibits[0].alt


# ------------------------------------------------------------------ zeros, quantification, ugly data


def test_zeros_and_values_below_quantification_are_counted(base, drawn):
    adsl, adlb = base
    zero = (adlb["PARAMCD"] == "RBCURINE") & (adlb["AVISIT"] == "Week 8")
    smallest = adlb.loc[(adlb["PARAMCD"] == "RBCURINE") & ~zero, "AVAL"].min()
    found = findings(adsl, adlb.assign(AVAL=adlb["AVAL"].mask(zero, 0.0)), MEASURES["rbc"])
    words = f"{zero.sum()} values of zero count as {plain(smallest / 2)}, half the smallest positive value."
    assert words in found["course"].exhibits[0].caption
    week8 = found["course"].exhibits[0].data.query("visit == 'Week 8'")
    assert week8["estimate"].tolist() == pytest.approx([smallest / 2] * 2)
    change = found["change"].exhibits[0]
    assert "2 group estimates with all values below quantification are not drawn" in change.caption
    shown = drawn[1][0][1].query("visit == 'Week 8'")
    assert shown["estimate"].isna().all()
    assert change.data.query("visit == 'Week 8'")["estimate"].notna().all()
    clean = findings(adsl, adlb, MEASURES["rbc"])["course"].exhibits[0].caption
    assert clean.startswith("No value is zero.")


def test_values_below_quantification_are_told(base, drawn):
    adsl, adlb = base
    here = adlb["PARAMCD"] == "PROTCRT"
    few = adlb.assign(LOQFL=adlb["LOQFL"].mask(here, "N"))
    few.loc[few.index[here & (few["AVISIT"] == "Month 6")][:3], "LOQFL"] = "Y"
    said = findings(adsl, few, MEASURES["upcr"])["course"].said
    assert said["quantified"].startswith(
        f"Below quantification, and counted at the limit: 3 of {(here & (adlb['ANL01FL'] == 'Y')).sum()} values."
    )
    none = findings(adsl, adlb.assign(LOQFL="N"), MEASURES["upcr"])["course"].said
    assert none["quantified"] == "No value lies below quantification."
    assert findings(adsl, adlb, MEASURES["egfr"])["course"].said["quantified"] == ""


UGLY = {
    "one child on hUC-MSC": (
        lambda s, b: (s[(s["TRT01P"] == "Placebo") | (s["USUBJID"] == first_on_msc(s))], b),
        ["one child in hUC-MSC", "no interval: one child"],
    ),
    "no child on placebo": (
        lambda s, b: (s[s["TRT01P"] == "hUC-MSC"], b),
        ["not estimable (no value in Placebo)", "Placebo: no value", "0/0 (not estimable)"],
    ),
    "one child an arm": (lambda s, b: (s.groupby("TRT01P").head(1), b), ["The model could not be fitted."]),
    "month 6 attended by no one": (
        lambda s, b: (s, b[b["AVISIT"] != "Month 6"]),
        ["No child has a value at Month 6."],
    ),
    "all below quantification": (
        lambda s, b: (s, b.assign(AVAL=b["AVAL"].mask(after(b), 0.03), LOQFL=b["LOQFL"].mask(after(b), "Y"))),
        ["no interval: all values below quantification, an upper bound", "all of Placebo below quantification"],
    ),
    "all zero": (
        lambda s, b: (s, b.assign(AVAL=0.0)),
        ["a ratio scale can't show them, nothing is estimated"],
    ),
    "no assessment after baseline": (
        lambda s, b: (s, b[~after(b)]),
        ["There is no value of UPCR after baseline.", "40 without a value after baseline"],
    ),
    "no value at all": (lambda s, b: (s, b.iloc[:0]), ["No value of UPCR at any visit."]),
    "placebo gone before the first visit": (
        lambda s, b: (s, b[~after(b) | (b["TRT01P"] != "Placebo")]),
        ["not estimable (no value in Placebo)"],
    ),
    "nobody ever changed": (
        lambda s, b: (s, b.assign(AVAL=1.0)),
        ["no interval: all values alike"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UGLY)
@STRICT
def test_ugly_data_are_told_in_words(base, drawn, name):
    change, expected = UGLY[name]
    adsl, adlb = (f.reset_index(drop=True) for f in change(*base))
    parts = []
    for measure in MEASURES.values():
        for finding in findings(adsl, adlb, measure).values():
            parts += map(str, finding.said.values())
            for e in finding.exhibits:
                parts += [e.title, e.alt, e.table() if e.figure is None else "", e.notes()]
                assert e.figure is not None or ">–<" not in e.table(), e.key
    for words in expected:
        assert any(words.replace("'", mark) in part for part in parts for mark in ("'", "&#x27;")), words
    for part in parts:
        bare = re.sub(r"<[^>]+>", " ", part)
        assert not re.search(r"(?<![\w.])(?:nan|NaN|inf|None|NaT|<NA>)(?![\w.])", bare), bare


def test_ugly_data_are_drawn(base):
    adsl, adlb = base
    for e in exhibits(adsl, adlb[~after(adlb)], "upcr").values():
        if e.figure is not None:
            assert e.png().startswith(b"\x89PNG")


# ------------------------------------------------------------------ the notebook


def test_the_notebook_defines_nothing_and_says_what_it_is():
    cells = json.loads((ROOT / "notebooks" / "05-longitudinal.ipynb").read_text("utf-8"))["cells"]
    code = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert "def " not in code
    assert "Synthetic data" in "".join(cells[0]["source"])
