"""Counts and distributions of the screened, against children made by hand and plain pandas."""

import doctest

import numpy as np
import pandas as pd
import pytest

from helpers.analysis import clinic
from helpers.study.codebook import TABLES
from helpers.study.parameters import Parameters
from helpers.study.tables import check, typed

PLAN = Parameters()
FIRST = {
    "consent_date": "2026-03-01",
    "birth_date": "2020-03-01",
    "sex": "male",
    "genotype": "X-linked",
    "variant": "pathogenic",
    "biopsy": "not done",
    "height": "100",
    "weight": "20",
    "creatinine": "41.3",
    "cystatin_c": "0.8",
    "bun": "4",
    "upcr": "1",
    "protein_24h": "50",
    "dipstick": "2+",
    "rbc": "100",
    "ras_inhibitor": "yes",
    "ras_since": "2025-09-01",
    "food_allergies": "0",
    "drug_allergies": "0",
}


def screening(*children: dict) -> pd.DataFrame:
    """Table `screening` of children who differ from FIRST as said; every other answer is no or negative."""
    rows = []
    for number, changes in enumerate(children):
        row = {"usubjid": f"AS-{number + 1:04d}"}
        for column in TABLES["screening"].columns:
            if column.name not in row:
                no = next((value for value in column.values if value in ("no", "negative")), "")
                row[column.name] = {**FIRST, **changes}.get(column.name, no)
        rows.append(row)
    frame = typed("screening", pd.DataFrame(rows, dtype=object), "screening.csv")
    return check("screening", frame)


@pytest.fixture(scope="module")
def five():
    """Three boys and two girls, of whom no two share a value of UPCR."""
    return screening(
        {},
        {"upcr": "3", "genotype": "recessive", "consent_date": "2026-03-09", "ras_since": "2026-03-09"},
        {"upcr": "", "protein_24h": "", "birth_date": "", "creatinine": "82.6", "rbc": "30"},
        {"sex": "female", "upcr": "0.1", "dipstick": "trace", "birth_date": "2016-03-01", "height": "150"},
        {
            "sex": "female",
            "upcr": "0.2",
            "dipstick": "negative",
            "genotype": "dominant",
            "consent_date": "2026-02-20",
            "height": "140",
            "ras_inhibitor": "no",
            "ras_since": "",
        },
    )


def test_the_examples_of_the_docstrings():
    # those under "Examples" show the call of a notebook and need its names
    for one in (clinic.cohort, clinic.distribution):
        text = one.__doc__.partition("Examples\n")[0]
        example = doctest.DocTestParser().get_doctest(text, dict(vars(clinic)), one.__name__, None, 0)
        assert doctest.DocTestRunner().run(example) == (0, 1)


def test_the_cohort_in_one_row(five):
    (row,) = clinic.cohort(five).itertuples()
    assert (row.children, row.boys, row.x_linked) == (5, 3, 3)
    assert row.upcr_median == pytest.approx((0.2 + 1) / 2)
    assert (row.first, row.last) == (pd.Timestamp("2026-02-20"), pd.Timestamp("2026-03-09"))


def test_forms_are_counted_within_each_sex(five):
    frame = clinic.genotype_by_sex(five)
    assert list(frame.columns) == ["group", "category", "n", "total"]
    found = {(r.group, r.category): (r.n, r.total) for r in frame.itertuples()}
    assert len(frame) == len(found) == 8
    assert {pair: it for pair, it in found.items() if it[0]} == {
        ("boys", "X-linked"): (2, 3),
        ("boys", "recessive"): (1, 3),
        ("girls", "X-linked"): (1, 2),
        ("girls", "dominant"): (1, 2),
    }
    assert {it[1] for pair, it in found.items() if pair[0] == "girls"} == {2}


def test_measures_of_boys_and_girls_in_their_units(five):
    frame = clinic.measures(five).set_index("measure")
    assert list(frame.index) == [
        "age", "height", "weight", "creatinine", "cystatin_c", "bun", "egfr", "upcr", "protein_24h", "rbc",
        "ras_months",
    ]  # fmt: skip
    assert set(frame["boys_total"]) == {3}
    assert set(frame["girls_total"]) == {2}
    assert tuple(frame.loc["upcr", ["boys_n", "girls_n"]]) == (2, 2)
    assert tuple(frame.loc["upcr", ["boys_q1", "boys_median", "boys_q3"]]) == pytest.approx((1.5, 2, 2.5))
    assert tuple(frame.loc["upcr", ["girls_q1", "girls_median", "girls_q3"]]) == pytest.approx(
        (0.125, 0.15, 0.175)
    )
    # six years are 2191 days in these calendar years, and so on: exact days over 365.25
    assert frame.loc["age", "boys_n"] == 2
    assert frame.loc["age", "boys_median"] == pytest.approx((2191 + 2199) / 2 / 365.25)
    # 0.413 x 100 cm x 88.4 / 41.3 umol/L = 88.4, half of it at twice the creatinine; girls of 150 and 140 cm
    assert tuple(frame.loc["egfr", ["boys_q1", "boys_median", "boys_q3"]]) == pytest.approx(
        (66.3, 88.4, 88.4)
    )
    assert frame.loc["egfr", "girls_median"] == pytest.approx(88.4 * 1.45)
    # on RAS inhibition: 181 days, none, 181 days among boys; 181 days and not at all among girls
    assert tuple(frame.loc["ras_months", ["boys_n", "girls_n"]]) == (3, 1)
    assert frame.loc["ras_months", "boys_median"] == pytest.approx(181 / 30.4375)
    assert frame.loc["ras_months", "boys_q1"] == pytest.approx(181 / 30.4375 / 2)


def test_nobody_measured_gives_no_number():
    frame = clinic.measures(screening({"bun": ""}, {"sex": "female", "bun": ""})).set_index("measure")
    assert tuple(frame.loc["bun", ["boys_n", "girls_n"]]) == (0, 0)
    assert frame.loc["bun", ["boys_q1", "boys_median", "girls_q3"]].isna().all()
    only_boys = clinic.measures(screening({})).set_index("measure")
    assert set(only_boys["girls_total"]) == {0}
    assert only_boys["girls_median"].isna().all()


def test_facts_count_yes_missing_and_every_answer_where_there_are_several():
    frame = screening(
        {"heart": "yes", "hiv": "positive", "food_allergies": "2", "biopsy": "diagnostic"},
        {"heart": "", "hiv": "negative", "food_allergies": "", "drug_allergies": "1"},
        {"heart": "no", "hiv": "", "consent": "yes", "upcr": "", "birth_date": "", "food_allergies": "3"},
    )
    found = clinic.facts(frame)
    assert set(found["total"]) == {3}
    rows = {(r.question, r.answer): (r.n, r.missing) for r in found.itertuples()}
    assert len(rows) == len(found)
    assert rows["heart", "yes"] == (1, 1)
    assert rows["hiv", "positive"] == (1, 1)
    assert rows["hbsag", "positive"] == (0, 0)
    assert rows["consent", "yes"] == (1, 0)
    assert rows["biopsy", "not done"] == (2, 0)
    assert rows["biopsy", "diagnostic"] == (1, 0)
    assert rows["food_allergies", "two or more"] == (2, 1)
    assert rows["drug_allergies", "two or more"] == (0, 0)
    assert rows["upcr", "measured"] == (2, 1)
    assert rows["birth_date", "measured"] == (2, 1)


def test_facts_know_every_answer_of_the_codebook():
    """Each counted answer is one that the codebook allows, and no question of the criteria is left out."""
    values = {c.name: c.values for c in TABLES["screening"].columns}
    for question, answer in clinic.ANSWERS.items():
        assert answer is None or answer in values[question], question
    asked = {name for name, allowed in values.items() if "yes" in allowed or "positive" in allowed}
    assert asked <= set(clinic.ANSWERS)


def test_a_question_without_any_answer_is_still_asked():
    frame = screening({}, {})
    frame["variant"] = None
    rows = clinic.facts(frame)
    (row,) = rows[rows["question"] == "variant"].itertuples()
    assert (row.answer, row.n, row.missing) == (None, 0, 2)


def test_three_measures_of_protein_at_their_limits():
    p = PLAN
    upcr, day = f"{p.proteinuria_upcr}", f"{p.protein24_limit}"
    frame = clinic.protein_agreement(
        screening(
            {"upcr": upcr, "dipstick": "1+", "protein_24h": day},
            {"upcr": upcr, "dipstick": "4+", "protein_24h": ""},
            {"upcr": upcr, "dipstick": "1+", "protein_24h": f"{p.protein24_limit - 0.1}"},
            {"upcr": upcr, "dipstick": "trace"},
            {"upcr": f"{p.proteinuria_upcr - 0.01}", "dipstick": "negative", "protein_24h": day},
            {"upcr": "", "dipstick": "1+"},
            {"upcr": "5", "dipstick": ""},
        ),
        p,
    )
    assert frame[["upcr", "dipstick"]].to_numpy().tolist() == [
        [True, True], [True, False], [False, True], [False, False],
    ]  # fmt: skip
    assert frame["children"].tolist() == [3, 1, 0, 1]
    assert frame["collected"].tolist() == [2, 1, 0, 1]
    assert frame["day"].tolist() == [1, 1, 0, 1]


def test_distribution_against_plain_numpy():
    rng = np.random.default_rng(5)
    group = rng.choice(["recessive", "X-linked, girls", "another", "X-linked, boys"], 400)
    values = np.where(rng.random(400) < 0.1, np.nan, rng.gamma(2.0, 3.0, 400))
    table = pd.DataFrame({"group": group, "rbc": values})
    frame = clinic.distribution(table, "rbc", by="group")
    assert frame["group"].tolist() == ["X-linked, boys", "X-linked, girls", "recessive", "another"]
    for row in frame.itertuples():
        x = values[(group == row.group) & ~np.isnan(values)]
        assert row.children == x.size
        assert (row.quartile_1, row.median, row.quartile_3) == pytest.approx(
            tuple(np.percentile(x, (25, 50, 75)))
        )
        assert (row.mean, row.sd) == pytest.approx((x.mean(), x.std(ddof=1)))
    (everyone,) = clinic.distribution(table, "rbc").itertuples()
    assert (everyone.group, everyone.children) == ("all", frame["children"].sum())


def test_nobody_measured_gives_no_group():
    assert clinic.distribution(pd.DataFrame({"upcr": [np.nan], "group": ["dominant"]}), "upcr", "group").empty
