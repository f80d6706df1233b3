"""The registered text stands word for word; the visits are the registered ones."""

import re

import pytest

from helpers.study.protocol import DAYS_PER_MONTH, EXCLUSION, INCLUSION, OUTCOMES, VISITS, registered_text


def words(text: str) -> str:
    """One line, single spaces: the record breaks its lines anywhere."""
    return " ".join(text.split())


@pytest.mark.parametrize("quotation", [*INCLUSION, *EXCLUSION, *(text for _, _, text in OUTCOMES)])
def test_every_quotation_stands_in_the_record(quotation):
    assert words(quotation) in words(registered_text())


def test_criteria_stand_in_the_registered_order():
    text = words(registered_text())
    places = [text.index(words(quotation)) for quotation in (*INCLUSION, *EXCLUSION)]
    assert len(INCLUSION) == 8
    assert len(EXCLUSION) == 15
    assert places == sorted(places)


def test_nothing_between_the_first_and_last_criterion_is_left_out():
    text = words(registered_text())
    for group in (INCLUSION, EXCLUSION):
        whole = text[text.index(words(group[0])) : text.index(words(group[-1])) + len(words(group[-1]))]
        for quotation in group:
            whole = whole.replace(words(quotation), "", 1)
        assert not re.search(r"\w", whole), f"not quoted: {whole}"


def test_visits_are_the_registered_weeks_and_months():
    assert [v.name for v in VISITS] == [
        *(f"Week {n}" for n in (2, 4, 6, 8)),
        *(f"Month {n}" for n in (3, 4, 5, 6, 8, 10, 12)),
    ]
    assert [v.number for v in VISITS] == list(range(2, 13))
    for visit in VISITS:
        unit, count = visit.name.split()
        days = int(count) * (7 if unit == "Week" else DAYS_PER_MONTH)
        assert abs(visit.day - days) <= 0.5
    assert VISITS[0].month == round(14 / 30.4375, 8)
    assert [VISITS[0].short, VISITS[-1].short] == ["W2", "M12"]
