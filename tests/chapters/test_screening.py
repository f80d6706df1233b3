"""Chapter 01 shows the frames that it is given: boys as boys, n of their N, in the units of the heading."""

import numpy as np
import pandas as pd
import pytest

from helpers import figures
from helpers.analysis import clinic
from helpers.chapters import screening as chapter
from helpers.design.clinic import draw
from helpers.study import scenario
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.shown import plain
from helpers.trial import conduct, record, run

PLAN = Parameters(n_randomised=8)


@pytest.fixture(scope="module")
def screened():
    return record.screening(conduct.screen(PLAN)[1])


@pytest.fixture(scope="module")
def drawn():
    return draw(PLAN, 2000)


def test_screening_writes_what_it_returns(tmp_path, monkeypatch, screened):
    monkeypatch.setattr(scenario, "DATA", tmp_path)
    study = scenario.load("base", n_randomised=8)
    frame = run.screen(study)
    pd.testing.assert_frame_equal(frame, screened)
    pd.testing.assert_frame_equal(study.read("screening"), frame, check_dtype=False)
    truth = pd.read_csv(study.folder / "truth" / "screening.csv")
    assert truth["usubjid"].tolist() == frame["usubjid"].tolist()


def test_the_cohort_is_told_with_its_denominators():
    row = {"children": 8, "boys": 5, "x_linked": 6, "upcr_median": 0.845}
    row |= {"first": pd.Timestamp("2026-01-05"), "last": pd.Timestamp("2026-03-31")}
    said = chapter.cohort(pd.DataFrame([row]))
    assert {name: str(value) for name, value in said.items()} == {
        "screened": "8",
        "boys": "5/8 (62.5 %)",
        "x_linked": "6/8 (75.0 %)",
        "upcr": "0.85 mg/mg",
        "first": "05 January 2026",
        "last": "31 March 2026",
    }
    assert (said["boys"].key, said["boys"].value) == ("screening.boys", 5)


def test_forms_stand_at_the_bar_of_their_own_sex():
    frame = pd.DataFrame(
        [
            ("boys", "X-linked", 9, 12),
            ("boys", "dominant", 3, 12),
            ("girls", "X-linked", 1, 4),
            ("girls", "dominant", 3, 4),
        ],
        columns=["group", "category", "n", "total"],
    )
    exhibit = chapter.genotype_by_sex(frame)
    assert exhibit.n == 16
    assert exhibit.alt.endswith("X-linked disease: boys 9/12 (75.0 %); girls 1/4 (25.0 %).")
    assert exhibit.data.equals(frame[["group", "category", "n"]])
    (ax,) = exhibit.figure.axes
    names = dict(zip(ax.get_yticks(), (t.get_text() for t in ax.get_yticklabels()), strict=True))
    widths = {}
    for bar in ax.patches:
        sex = names[round(bar.get_y() + bar.get_height() / 2)]
        widths.setdefault(sex, []).append(bar.get_width())
    assert widths == {"boys (n = 12)": [75, 25], "girls (n = 4)": [25, 75]}


def test_measures_word_the_columns_of_their_sex(screened):
    frame = clinic.measures(screened)
    exhibit = chapter.measures(frame)
    boys = int((screened["sex"] == "male").sum())
    assert exhibit.n == f"{boys} boys, {len(screened) - boys} girls"
    row = exhibit.data.set_index("measure").loc["Creatinine (umol/L)"]
    of_girls = screened.loc[screened["sex"] == "female", "creatinine"].dropna()
    q1, middle, q3 = of_girls.quantile([0.25, 0.5, 0.75])
    assert row["girls_shown"] == f"{plain(middle, 3)} ({plain(q1, 3)} to {plain(q3, 3)})"
    assert row["girls_n"] == len(of_girls)
    assert row["girls_shown"] != row["boys_shown"]
    assert exhibit.columns["boys_shown"] == "Boys"
    assert exhibit.columns["girls_shown"] == "Girls"
    assert not exhibit.data["measure"].isna().any()


def test_units_are_those_of_the_codebook(screened):
    """A heading names the unit that the table's column has."""
    units = {c.name: c.unit for c in TABLES["screening"].columns}
    frame = clinic.measures(screened)
    shown = dict(zip(frame["measure"], chapter.measures(frame).data["measure"], strict=True))
    for name in ("height", "weight", "creatinine", "cystatin_c", "bun", "upcr", "protein_24h", "rbc"):
        assert shown[name].endswith(f"({units[name]})"), name


def test_a_measure_without_values_says_so(screened):
    exhibit = chapter.measures(clinic.measures(screened.assign(bun=np.nan)))
    row = exhibit.data.set_index("measure").loc["Urea nitrogen (mmol/L)"]
    assert (row["boys_shown"], row["girls_shown"]) == ("none measured", "none measured")


DISTRIBUTIONS = (
    (chapter.age, "age", None, ("NH14a", "NH06")),
    (chapter.height, "height_share", None, ("growth_lms.csv", "growth_lms.csv")),
    (chapter.egfr, "egfr", "group", ("NH22", "NH23")),
    (chapter.upcr, "upcr", "group", ("NH13",)),
    (chapter.red_cells, "rbc", "group", ("DF09",)),
)


@pytest.mark.parametrize(("make", "measure", "by", "rows"), DISTRIBUTIONS, ids=[d[1] for d in DISTRIBUTIONS])
def test_a_distribution_shows_its_summary_and_then_what_is_published(
    drawn, make, measure, by, rows, monkeypatch
):
    draw_it, given = figures.distribution, {}

    def spy(values, **more):
        given.update(more, values=values)
        return draw_it(values, **more)

    monkeypatch.setattr(figures, "distribution", spy)
    summary = clinic.distribution(drawn, measure, by)
    exhibit = make(drawn, summary)
    assert given["values"].equals(drawn[measure])
    assert given["by"] is None if by is None else given["by"].equals(drawn[by])
    assert [mark["source_id"] for mark in given["published"]] == list(rows)
    assert f"({given['unit']})" in exhibit.alt
    ours, theirs = exhibit.data.iloc[: len(summary)], exhibit.data.iloc[len(summary) :]
    pd.testing.assert_frame_equal(ours.reset_index(drop=True), summary, check_dtype=False)
    assert [group.rpartition("(")[2].rstrip(")") for group in theirs["group"]] == list(rows)
    assert (theirs["quartile_1"] <= theirs["median"]).all()
    assert (theirs["median"] <= theirs["quartile_3"]).all()
    assert exhibit.n == f"{drawn[measure].notna().sum()} children drawn"
    for row in summary.itertuples():
        assert (
            f"{row.group}: median {plain(row.median, 3)}, quartiles {plain(row.quartile_1, 3)} and"
            in exhibit.alt
        )


def test_boys_and_girls_keep_their_own_curve(drawn):
    """Each line of the picture is the cumulative distribution of the group in its legend."""
    exhibit = chapter.upcr(drawn, clinic.distribution(drawn, "upcr", "group"))
    fig = exhibit.figure
    named = dict(
        zip((t.get_text() for t in fig.legends[0].get_texts()), fig.legends[0].legend_handles, strict=True)
    )
    for sex in ("boys", "girls"):
        values = drawn.loc[drawn["group"] == f"X-linked, {sex}", "upcr"].dropna()
        values = values[values > 0]
        handle = named[f"X-linked, {sex} (n = {len(values):,})"]
        (line,) = [
            x for x in fig.axes[0].lines if x.get_color() == handle.get_color() and len(x.get_xdata()) > 10
        ]
        x, percent = line.get_xdata(), line.get_ydata()
        at = np.searchsorted(percent, 50)
        assert x[at] == pytest.approx(values.median(), rel=0.05)


def test_published_marks_are_the_numbers_of_their_rows(drawn):
    exhibit = chapter.egfr(drawn, clinic.distribution(drawn, "egfr", "group"))
    marks = exhibit.data[exhibit.data["group"].str.startswith("published")]
    assert marks[["median", "quartile_1", "quartile_3"]].to_numpy()[0].tolist() == [102, 85.8, 118.2]
    age = chapter.age(drawn, clinic.distribution(drawn, "age"))
    zhang = age.data[age.data["group"].str.contains("Zhang")]
    assert zhang[["quartile_1", "median", "quartile_3"]].to_numpy()[0].tolist() == pytest.approx(
        [4.5, 8.6, 12.7]
    )


def test_facts_are_told_with_the_parameters_behind_them():
    frame = pd.DataFrame(
        [
            ("variant", "pathogenic", 5, 8, 0),
            ("variant", "none found", 3, 8, 0),
            ("hiv", "positive", 1, 8, 2),
            ("heart", "yes", 2, 8, 1),
            ("upcr", "measured", 7, 8, 1),
            ("birth_date", "measured", 8, 8, 0),
            ("food_allergies", "two or more", 3, 8, 1),
            ("biopsy", None, 0, 8, 8),
        ],
        columns=["question", "answer", "n", "total", "missing"],
    )
    p = Parameters(virology_positive=0.01, organ_dysfunction=0.02)
    exhibit = chapter.facts(frame, p)
    assert exhibit.n == 8
    shown = exhibit.data.set_index("question")
    assert shown["answer"].to_dict() == {
        "classification of the variant found": "pathogenic 5; none found 3",
        "hiv test": "1/8 (12.5 %)",
        "severe heart dysfunction": "2/8 (25.0 %)",
        "urine protein/creatinine ratio": "measured",
        "date of birth": "recorded",
        "allergies, number of foods": "two or more: 3",
        "kidney biopsy": "",
    }
    assert shown["missing"].tolist() == [0, 2, 1, 1, 0, 1, 8]
    assert shown.loc["hiv test", "parameters"].startswith("virology_positive 0.01; virology_missing ")
    assert shown.loc["severe heart dysfunction", "parameters"].startswith("organ_dysfunction 0.02; ")


def test_every_fact_of_the_table_is_worded(screened):
    frame = clinic.facts(screened)
    exhibit = chapter.facts(frame, PLAN)
    assert len(exhibit.data) == frame["question"].nunique()
    assert exhibit.data["question"].is_unique
    assert exhibit.data["parameters"].str.contains(r"^[a-z_0-9]+ [0-9.]+").all()


def test_protein_measures_are_shares_of_the_collected():
    frame = pd.DataFrame(
        [(True, True, 9, 8, 6), (True, False, 3, 2, 1), (False, True, 1, 0, 0), (False, False, 7, 5, 1)],
        columns=["upcr", "dipstick", "children", "collected", "day"],
    )
    exhibit = chapter.protein_agreement(frame, Parameters(protein24_limit=5.0))
    assert exhibit.n == 20
    assert exhibit.data["day"].tolist() == [
        "6/8 (75.0 %)",
        "1/2 (50.0 %)",
        "0/0 (not estimable)",
        "1/5 (20.0 %)",
    ]
    assert exhibit.data["upcr"].tolist() == ["at least 0.2 mg/mg"] * 2 + ["below 0.2 mg/mg"] * 2
    assert exhibit.data["dipstick"].tolist() == ["1+ and above", "negative or trace"] * 2
    assert exhibit.columns["day"] == "24-hour protein at least 5 mg/m2/h"
