"""The large draw from the clinic: the same children as are screened, each value in its column and unit."""

import numpy as np
import pandas as pd
import pytest

from helpers.design import clinic
from helpers.study import eligibility
from helpers.study.parameters import Parameters
from helpers.study.tables import to_arrays
from helpers.trial import conduct, record, simulate

PLAN = Parameters()


@pytest.fixture(scope="module")
def drawn():
    return clinic.draw(PLAN, 3000)


def test_the_screened_are_its_first_children(drawn):
    _, columns, _ = conduct.screen(PLAN)
    screened = record.screening(columns)
    first = drawn.iloc[: len(screened)]
    assert first["sex"].tolist() == screened["sex"].tolist()
    assert first["genotype"].tolist() == screened["genotype"].tolist()
    for name in ("height", "creatinine", "upcr", "rbc"):
        assert first[name].to_numpy() == pytest.approx(screened[name].to_numpy(), nan_ok=True), name
    arrays = to_arrays("screening", screened)
    age = eligibility.age_years(arrays["birth_date"], arrays["consent_date"])
    known = ~np.isnan(age)
    assert first["age"].to_numpy()[known] == pytest.approx(age[known])


def test_groups_part_boys_and_girls_where_the_form_is_x_linked(drawn):
    for (sex, form), part in drawn.groupby(["sex", "genotype"]):
        boys = "boys" if sex == "male" else "girls"
        assert set(part["group"]) == {f"X-linked, {boys}" if form == "X-linked" else form}
    assert drawn["group"].nunique() == 5


def test_derived_columns_against_their_formulas(drawn):
    schwartz = 0.413 * drawn["height"] / (drawn["creatinine"] / 88.4)
    assert drawn["egfr"].to_numpy() == pytest.approx(schwartz.to_numpy(), nan_ok=True)
    # WHO's medians at exactly 5 years are rows of growth_lms.csv: 109.9593 cm for boys
    five = drawn[(drawn["age"] - 5).abs() < 0.02]
    boys = five[five["sex"] == "male"]
    assert len(boys) > 2
    assert boys["height_share"].to_numpy() == pytest.approx(100 * boys["height"] / 109.9593, rel=0.002)


def test_a_smaller_draw_is_the_beginning_of_a_larger_one(drawn):
    pd.testing.assert_frame_equal(clinic.draw(PLAN, 700), drawn.iloc[:700])
    assert len(clinic.draw(PLAN, simulate.BLOCK + 1)) == simulate.BLOCK + 1
