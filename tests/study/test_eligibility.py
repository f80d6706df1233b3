"""Hand-made children on each side of each boundary of each criterion, and properties of the rules.

Expected verdicts are written by hand from the sentences of the plan's readings, not from the code.
"""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.study import eligibility, tables
from helpers.study.codebook import TABLES
from helpers.study.eligibility import CRITERIA, IDS
from helpers.study.parameters import Parameters
from helpers.trial import conduct, simulate

PLAN = Parameters()

PASSES = {
    "consent_date": date(2025, 5, 31),
    "birth_date": date(2017, 6, 15),
    "sex": "male",
    "genotype": "X-linked",
    "variant": "pathogenic",
    "zygosity": "hemizygous",
    "gene": "COL4A5",
    "biopsy": "not done",
    "height": 128.0,
    "weight": 26.0,
    "creatinine": 40.0,
    "cystatin_c": 0.8,
    "bun": 4.5,
    "upcr": 1.0,
    "protein_24h": 20.0,
    "dipstick": "2+",
    "rbc": 200.0,
    "rbc_dysmorphic": 150.0,
    "ras_inhibitor": "no",
    **dict.fromkeys(("hbsag", "hcv", "hiv", "syphilis"), "negative"),
    "anti_hbs": "positive",
    "consent": "yes",
    "food_allergies": 0.0,
    "drug_allergies": 0.0,
}
"""A child who passes all: GFR 0.413 x 128 x 88.4 / 40 = 116.8; every question of the form answered no."""

RECENT = date(2025, 5, 20)
"""A day well within three months before consent."""


def verdicts(columns, p=PLAN) -> dict[str, int]:
    """Criterion: value, of those that the child does not pass."""
    values = eligibility.evaluate(columns, p)[:, 0]
    return {id: int(value) for id, value in zip(IDS, values, strict=True) if value != 1}


def serum(gfr: float) -> dict[str, float]:
    """Height and creatinine whose bedside Schwartz GFR is exactly this number, in binary too."""
    for height in range(100, 160):
        creatinine = 0.413 * height * 88.4 / gfr
        if 0.413 * height * 88.4 / creatinine == gfr:
            return {"height": float(height), "creatinine": creatinine}
    raise AssertionError(gfr)


MAY_BE_EMPTY = [c.name for c in TABLES["screening"].columns if c.empty]
NO_PROTEIN = {"upcr": 0.1, "dipstick": "negative"}


def test_the_child_without_changes_passes_all(child):
    assert verdicts(child()) == {}
    assert len(IDS) == 23


AGE = [
    ("3rd birthday today", {"birth_date": date(2022, 5, 31)}, {}),
    ("3rd birthday tomorrow", {"birth_date": date(2022, 6, 1)}, {"I1": -1, "E1": -1}),
    ("13th birthday tomorrow", {"birth_date": date(2012, 6, 1)}, {}),
    ("13th birthday today", {"birth_date": date(2012, 5, 31)}, {"I1": -1, "E1": -1}),
    (
        "born 29 February, 13 on 1 March: the day before",
        {"birth_date": date(2012, 2, 29), "consent_date": date(2025, 2, 28)},
        {},
    ),
    (
        "born 29 February, 13 on 1 March",
        {"birth_date": date(2012, 2, 29), "consent_date": date(2025, 3, 1)},
        {"I1": -1, "E1": -1},
    ),
    (
        "born 29 February, 3 on 1 March: the day before",
        {"birth_date": date(2020, 2, 29), "consent_date": date(2023, 2, 28)},
        {"I1": -1, "E1": -1},
    ),
    (
        "born 29 February, 3 on 1 March",
        {"birth_date": date(2020, 2, 29), "consent_date": date(2023, 3, 1)},
        {},
    ),
    ("date of birth missing", {"birth_date": None}, {"I1": 0, "E1": 0}),
]

DIAGNOSIS = [
    ("likely pathogenic", {"variant": "likely pathogenic"}, {}),
    ("uncertain variant alone", {"variant": "uncertain significance"}, {"I2": 0}),
    (
        "uncertain variant, biopsy not diagnostic",
        {"variant": "uncertain significance", "biopsy": "not diagnostic"},
        {"I2": 0},
    ),
    (
        "uncertain variant, diagnostic biopsy",
        {"variant": "uncertain significance", "biopsy": "diagnostic"},
        {},
    ),
    ("not tested", {"variant": "not tested", "zygosity": None, "gene": None}, {"I2": 0}),
    (
        "not tested, diagnostic biopsy",
        {"variant": "not tested", "zygosity": None, "gene": None, "biopsy": "diagnostic"},
        {},
    ),
    ("none found", {"variant": "none found", "zygosity": None, "gene": None}, {"I2": -1}),
    (
        "none found, diagnostic biopsy",
        {"variant": "none found", "zygosity": None, "gene": None, "biopsy": "diagnostic"},
        {},
    ),
    ("boy, heterozygous COL4A5: does not fit", {"zygosity": "heterozygous"}, {"I2": -1}),
    ("girl, heterozygous COL4A5", {"sex": "female", "zygosity": "heterozygous"}, {}),
    ("girl, hemizygous COL4A5: does not fit", {"sex": "female"}, {"I2": -1}),
    ("heterozygous COL4A3/4", {"gene": "COL4A3/4", "zygosity": "heterozygous"}, {}),
    ("homozygous COL4A3/4", {"gene": "COL4A3/4", "zygosity": "homozygous"}, {}),
    ("compound heterozygous COL4A3/4", {"gene": "COL4A3/4", "zygosity": "compound heterozygous"}, {}),
    ("hemizygous COL4A3/4: does not fit", {"gene": "COL4A3/4"}, {"I2": -1}),
    ("two genes", {"gene": "two genes", "zygosity": "two genes"}, {}),
    ("zygosity missing", {"zygosity": None}, {"I2": 0}),
    ("gene missing", {"gene": None}, {"I2": 0}),
    ("zygosity missing, diagnostic biopsy", {"zygosity": None, "biopsy": "diagnostic"}, {}),
]

BOTH_FAIL = {"I3": -1, "E2": -1}
URINE = [
    ("UPCR .200, dipstick negative", {"upcr": 0.200, "dipstick": "negative"}, {}),
    ("UPCR .199, dipstick negative", {"upcr": 0.199, "dipstick": "negative"}, BOTH_FAIL),
    ("UPCR .199, dipstick trace", {"upcr": 0.199, "dipstick": "trace"}, BOTH_FAIL),
    ("UPCR .199, dipstick 1+", {"upcr": 0.199, "dipstick": "1+"}, {}),
    ("UPCR missing, dipstick 1+", {"upcr": None, "dipstick": "1+"}, {}),
    ("UPCR .200, dipstick missing", {"upcr": 0.2, "dipstick": None}, {}),
    ("UPCR missing, dipstick trace", {"upcr": None, "dipstick": "trace"}, {"I3": 0, "E2": 0}),
    ("UPCR .199, dipstick missing", {"upcr": 0.199, "dipstick": None}, {"I3": 0, "E2": 0}),
    (
        "both missing, no haematuria: E2 needs haematuria",
        {"upcr": None, "dipstick": None, "rbc": 8.3, "rbc_dysmorphic": 6.0},
        {"I3": 0},
    ),
    (
        "both missing, haematuria with GFR 89.99",
        {"upcr": None, "dipstick": None, **serum(89.99)},
        {},
    ),
    ("haematuria alone, GFR 90", {**NO_PROTEIN, **serum(90.0)}, BOTH_FAIL),
    ("haematuria alone, GFR 89.99", {**NO_PROTEIN, **serum(89.99)}, {}),
    (
        "8.3 red cells, GFR 89.99",
        {**NO_PROTEIN, **serum(89.99), "rbc": 8.3, "rbc_dysmorphic": 6.0},
        {"I3": -1},
    ),
    ("8.4 red cells, GFR 89.99", {**NO_PROTEIN, **serum(89.99), "rbc": 8.4, "rbc_dysmorphic": 6.0}, {}),
    (
        "8.3 red cells, GFR 90: not haematuria only",
        {**NO_PROTEIN, **serum(90.0), "rbc": 8.3, "rbc_dysmorphic": 6.0},
        {"I3": -1},
    ),
    ("red cells missing, GFR 89.99", {**NO_PROTEIN, **serum(89.99), "rbc": None}, {"I3": 0}),
    (
        "red cells missing, GFR 90: no GFR below normal, so not I3 whatever they are",
        {**NO_PROTEIN, **serum(90.0), "rbc": None},
        {"I3": -1, "E2": 0},
    ),
    (
        "haematuria alone, creatinine missing",
        {**NO_PROTEIN, "creatinine": None},
        {"I3": 0, "E2": 0, "I4": 0, "E3": 0},
    ),
]

KIDNEY = [
    ("GFR 60", serum(60.0), {"I4": -1}),
    ("GFR 60.01", serum(60.01), {}),
    ("GFR 30", serum(30.0), {"I4": -1}),
    ("GFR 29.99", serum(29.99), {"I4": -1, "E3": -1}),
    ("height missing", {"height": None}, {"I4": 0, "E3": 0}),
    ("creatinine missing", {"creatinine": None}, {"I4": 0, "E3": 0}),
]

INFECTION = [
    ("infection ended on day -7", {"infection": "yes", "infection_date": date(2025, 5, 24)}, {"I5": -1}),
    ("infection ended on day -8", {"infection": "yes", "infection_date": date(2025, 5, 23)}, {}),
    ("infection today", {"infection": "yes", "infection_date": date(2025, 5, 31)}, {"I5": -1}),
    (
        "day -7 across the end of February",
        {"consent_date": date(2024, 3, 4), "infection": "yes", "infection_date": date(2024, 2, 26)},
        {"I5": -1},
    ),
    (
        "day -8 across the end of February, a leap year",
        {"consent_date": date(2024, 3, 4), "infection": "yes", "infection_date": date(2024, 2, 25)},
        {},
    ),
    ("infection without its date", {"infection": "yes"}, {"I5": 0}),
    ("question not answered", {"infection": None}, {"I5": 0}),
]

VIRUSES = ("hbsag", "hcv", "hiv", "syphilis")
VIROLOGY = [
    *((f"{test} positive", {test: "positive"}, {"I6": -1, "E11": -1}) for test in VIRUSES),
    *((f"{test} missing", {test: None}, {"I6": 0, "E11": 0}) for test in VIRUSES),
    ("one positive, the others missing", {**dict.fromkeys(VIRUSES), "hcv": "positive"}, {"I6": -1, "E11": -1}),
    ("anti-HBs alone", {"anti_hbs": "positive"}, {}),
    ("anti-HBs negative", {"anti_hbs": "negative"}, {}),
    ("anti-HBs missing", {"anti_hbs": None}, {}),
]  # fmt: skip

ALLERGY = [
    ("severe reaction", {"severe_allergy": "yes"}, {"E5": -1}),
    ("two foods", {"food_allergies": 2}, {"E5": -1}),
    ("two drugs", {"drug_allergies": 2}, {"E5": -1}),
    ("one food and one drug", {"food_allergies": 1, "drug_allergies": 1}, {"E5": -1}),
    ("one food", {"food_allergies": 1}, {}),
    ("one drug", {"drug_allergies": 1}, {}),
    ("foods missing", {"food_allergies": None}, {"E5": 0}),
    ("foods missing, one drug", {"food_allergies": None, "drug_allergies": 1}, {"E5": 0}),
    ("foods missing, two drugs", {"food_allergies": None, "drug_allergies": 2}, {"E5": -1}),
    (
        "counts missing, severe reaction",
        {"severe_allergy": "yes", "food_allergies": None, "drug_allergies": None},
        {"E5": -1},
    ),
    ("severe not answered", {"severe_allergy": None}, {"E5": 0}),
    ("severe not answered, two foods", {"severe_allergy": None, "food_allergies": 2}, {"E5": -1}),
]

ORGANS = ("heart", "liver", "lung", "other_organ", "tumour")
ORGAN = [
    *((f"{organ}", {organ: "yes"}, {"E7": -1}) for organ in ORGANS),
    *((f"{organ} not answered", {organ: None}, {"E7": 0}) for organ in ORGANS),
    *(
        (f"{organ}, all others not answered", {**dict.fromkeys(ORGANS), organ: "yes"}, {"E7": -1})
        for organ in ORGANS
    ),
]

IMMUNE = [
    ("autoimmune disease alone", {"autoimmune": "yes"}, {}),
    ("immunosuppressants alone", {"immunosuppressant": "yes"}, {}),
    ("both", {"autoimmune": "yes", "immunosuppressant": "yes"}, {"E9": -1}),
    ("disease, other not answered", {"autoimmune": "yes", "immunosuppressant": None}, {"E9": 0}),
    ("immunosuppressants, other not answered", {"autoimmune": None, "immunosuppressant": "yes"}, {"E9": 0}),
    ("no disease, other not answered", {"immunosuppressant": None}, {}),
    ("no immunosuppressants, other not answered", {"autoimmune": None}, {}),
]

MONTHS = [
    # (consent, first day that is within, last day that is not)
    (date(2025, 5, 15), date(2025, 2, 15), date(2025, 2, 14)),
    (date(2025, 5, 28), date(2025, 2, 28), date(2025, 2, 27)),
    (date(2025, 5, 31), date(2025, 2, 28), date(2025, 2, 27)),
    (date(2024, 5, 31), date(2024, 2, 29), date(2024, 2, 28)),
    (date(2024, 5, 29), date(2024, 2, 29), date(2024, 2, 28)),
    (date(2025, 1, 31), date(2024, 10, 31), date(2024, 10, 30)),
    (date(2025, 2, 28), date(2024, 11, 28), date(2024, 11, 27)),
    (date(2025, 7, 31), date(2025, 4, 30), date(2025, 4, 29)),
]
YEARS = [
    (date(2025, 5, 31), date(2024, 5, 31), date(2024, 5, 30)),
    (date(2025, 2, 28), date(2024, 2, 28), date(2024, 2, 27)),
    (date(2024, 2, 29), date(2023, 2, 28), date(2023, 2, 27)),
]
RECENTLY = []
for event, criterion, dates in (
    ("surgery", "E12", MONTHS),
    ("trauma", "E12", MONTHS[:3]),
    ("blood_loss", "E12", MONTHS[:3]),
    ("other_study", "E13", MONTHS),
    ("cell_product", "E14", YEARS),
):
    more = {"blood_loss_ml": 201.0} if event == "blood_loss" else {}
    for consent, within, outside in dates:
        changes = {"consent_date": consent, "birth_date": date(2018, 1, 1), event: "yes", **more}
        RECENTLY.append(
            (f"{event} on {within}, {consent}", {**changes, f"{event}_date": within}, {criterion: -1})
        )
        RECENTLY.append((f"{event} on {outside}, {consent}", {**changes, f"{event}_date": outside}, {}))
    RECENTLY.append((f"{event} without its date", {event: "yes", **more}, {criterion: 0}))
    RECENTLY.append((f"{event} not answered", {event: None}, {criterion: 0}))

BLED = {"blood_loss": "yes", "blood_loss_date": RECENT}
BLEEDING = [
    ("200 mL", {**BLED, "blood_loss_ml": 200.0}, {}),
    ("201 mL", {**BLED, "blood_loss_ml": 201.0}, {"E12": -1}),
    ("amount missing", BLED, {"E12": 0}),
    ("amount missing, long ago", {**BLED, "blood_loss_date": date(2025, 1, 2)}, {}),
    ("200 mL, date missing", {"blood_loss": "yes", "blood_loss_ml": 200.0}, {}),
    (
        "surgery without its date, recent trauma",
        {"surgery": "yes", "trauma": "yes", "trauma_date": RECENT},
        {"E12": -1},
    ),
]

RECORDED = [
    ("allergic state", {"allergic_state": "yes"}, {"I7": -1}),
    ("no consent", {"consent": "no"}, {"I8": -1}),
    ("other renal disease", {"other_renal": "yes"}, {"E4": -1}),
    ("stem cell allergy", {"stem_cell_allergy": "yes"}, {"E6": -1}),
    ("malformation", {"malformation": "yes"}, {"E8": -1}),
    ("infection not under control", {"infection_uncontrolled": "yes"}, {"E10": -1}),
    ("unsuitable", {"unsuitable": "yes"}, {"E15": -1}),
]

CASES = [
    *(*AGE, *DIAGNOSIS, *URINE, *KIDNEY, *INFECTION, *VIROLOGY),
    *(*ALLERGY, *ORGAN, *IMMUNE, *RECENTLY, *BLEEDING, *RECORDED),
]
"""(in words, changes, criteria that the child does not pass with their value)."""


OTHERWISE = [
    ("age_reading", "to the 12th birthday", {"birth_date": date(2013, 5, 31)}, {}),
    ("age_reading", "to the 12th birthday", {"birth_date": date(2013, 5, 30)}, {"I1": -1, "E1": -1}),
    ("heterozygous_counts", False, {"gene": "COL4A3/4", "zygosity": "heterozygous"}, {"I2": -1}),
    ("heterozygous_counts", False, {"gene": "COL4A3/4", "zygosity": "homozygous"}, {}),
    ("heterozygous_counts", False, {"gene": "COL4A3/4", "zygosity": "heterozygous", "biopsy": "diagnostic"}, {}),
    ("proteinuria_by", "UPCR", {"upcr": 0.199, "dipstick": "4+"}, BOTH_FAIL),
    ("proteinuria_by", "UPCR", {"upcr": 0.2, "dipstick": None}, {}),
    ("proteinuria_by", "UPCR", {"upcr": None, "dipstick": "4+"}, {"I3": 0, "E2": 0}),
    ("proteinuria_by", "dipstick", {"upcr": 5.0, "dipstick": "trace"}, BOTH_FAIL),
    ("proteinuria_by", "dipstick", {"upcr": None, "dipstick": "1+"}, {}),
    ("proteinuria_upcr", 0.5, {"upcr": 0.49, "dipstick": "negative"}, BOTH_FAIL),
    ("proteinuria_upcr", 0.5, {"upcr": 0.5, "dipstick": "negative"}, {}),
    ("combined_haematuria", "never enough", {**NO_PROTEIN, **serum(80.0)}, {"I3": -1}),
    ("haematuria_cells", "dysmorphic", {**NO_PROTEIN, **serum(80.0), "rbc_dysmorphic": 8.3}, {"I3": -1}),
    ("haematuria_cells", "dysmorphic", {**NO_PROTEIN, **serum(90.0), "rbc_dysmorphic": 8.3}, {"I3": -1}),
    ("haematuria_cells", "dysmorphic", {**NO_PROTEIN, **serum(90.0), "rbc_dysmorphic": 8.4}, BOTH_FAIL),
    ("ckd_rule", "stage I to III", serum(30.0), {}),
    ("ckd_rule", "stage I to III", serum(29.99), {"I4": -1, "E3": -1}),
    ("gfr_normal", 75.0, {**NO_PROTEIN, **serum(75.0)}, BOTH_FAIL),
    ("gfr_normal", 75.0, {**NO_PROTEIN, **serum(74.99)}, {}),
    ("autoimmune_rule", "or", {"autoimmune": "yes"}, {"E9": -1}),
    ("autoimmune_rule", "or", {"immunosuppressant": "yes", "autoimmune": None}, {"E9": -1}),
    ("autoimmune_rule", "or", {"autoimmune": None}, {"E9": 0}),
    ("infection_days", 14, {"infection": "yes", "infection_date": date(2025, 5, 17)}, {"I5": -1}),
    ("infection_days", 14, {"infection": "yes", "infection_date": date(2025, 5, 16)}, {}),
    ("exactly_counts_as_within", False, {"infection": "yes", "infection_date": date(2025, 5, 24)}, {}),
    ("exactly_counts_as_within", False, {"infection": "yes", "infection_date": date(2025, 5, 25)}, {"I5": -1}),
    ("exactly_counts_as_within", False, {"surgery": "yes", "surgery_date": date(2025, 2, 28)}, {}),
    ("exactly_counts_as_within", False, {"surgery": "yes", "surgery_date": date(2025, 3, 1)}, {"E12": -1}),
    ("recent_months", 6, {"other_study": "yes", "other_study_date": date(2024, 11, 30)}, {"E13": -1}),
    ("recent_months", 6, {"other_study": "yes", "other_study_date": date(2024, 11, 29)}, {}),
    ("cell_product_months", 24, {"cell_product": "yes", "cell_product_date": date(2023, 5, 31)}, {"E14": -1}),
    ("blood_loss_limit", 100.0, {**BLED, "blood_loss_ml": 101.0}, {"E12": -1}),
    ("gfr_method", "U25 creatinine", {"birth_date": None}, {"I1": 0, "E1": 0, "I4": 0, "E3": 0}),
    ("gfr_method", "U25 cystatin C", {"cystatin_c": None}, {"I4": 0, "E3": 0}),
    ("gfr_method", "U25 cystatin C", {"creatinine": None, "height": None}, {}),
    ("gfr_method", "U25 mean", {"cystatin_c": None}, {"I4": 0, "E3": 0}),
]  # fmt: skip
"""(parameter, its other value, changes, expected)."""

STATUSES = [
    ("all met", {}, eligibility.ELIGIBLE),
    ("one unknown", {"unsuitable": None}, eligibility.PENDING),
    ("one failed", {"unsuitable": "yes"}, eligibility.SCREEN_FAILURE),
    ("one failed, one unknown", {"unsuitable": "yes", "malformation": None}, eligibility.SCREEN_FAILURE),
]


@pytest.fixture(scope="module")
def child():
    """A function: an all-passing child with changes, as arrays of one row, through the checks of a site's table.

    All children of this file stand in one table, checked once, because a check costs 50 ms whatever its size.
    """
    everyone = [c[1] for c in (*CASES, *STATUSES)] + [c[2] for c in OTHERWISE]
    everyone += [{}, *({column: None} for column in MAY_BE_EMPTY)]
    frame = {}
    for column in TABLES["screening"].columns:
        default = "no" if column.values == ("yes", "no") else None
        values = [{**PASSES, **changes}.get(column.name, default) for changes in everyone]
        if column.name == "usubjid":
            values = [f"AS-{k + 1:04d}" for k in range(len(everyone))]
        kind = {"date": "datetime64[ns]", "text": object}.get(column.kind, float)
        frame[column.name] = pd.Series(values, dtype=kind)
    arrays = tables.to_arrays("screening", tables.check("screening", pd.DataFrame(frame)))

    def make(**changes):
        at = everyone.index(changes)
        return {name: values[at : at + 1] for name, values in arrays.items()}

    return make


@pytest.mark.parametrize(("changes", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_each_side_of_each_boundary(child, changes, expected):
    """Exactly the criteria named differ from passing; all others of the 23 are met."""
    assert verdicts(child(**changes)) == expected


def test_every_criterion_is_failed_and_unknown_in_some_case():
    seen = {(id, value) for _, _, expected in CASES for id, value in expected.items()}
    recorded = {id for _, _, expected in RECORDED for id in expected}
    assert {id for id, value in seen if value < 0} == set(IDS)
    assert {id for id, value in seen if value == 0} == set(IDS) - recorded


@pytest.mark.parametrize(("parameter", "value", "changes", "expected"), OTHERWISE)
def test_contested_readings(child, parameter, value, changes, expected):
    assert verdicts(child(**changes), Parameters(**{parameter: value})) == expected


MISSING = {
    "birth_date": {"I1", "E1"},
    "zygosity": {"I2"},
    "gene": {"I2"},
    "height": {"I4", "E3"},
    "creatinine": {"I4", "E3"},
    "infection": {"I5"},
    **{test: {"I6", "E11"} for test in VIRUSES},
    "allergic_state": {"I7"},
    "consent": {"I8"},
    "other_renal": {"E4"},
    **{name: {"E5"} for name in ("severe_allergy", "food_allergies", "drug_allergies")},
    "stem_cell_allergy": {"E6"},
    **{organ: {"E7"} for organ in ORGANS},
    "malformation": {"E8"},
    "infection_uncontrolled": {"E10"},
    **{event: {"E12"} for event in ("surgery", "trauma", "blood_loss")},
    "other_study": {"E13"},
    "cell_product": {"E14"},
    "unsuitable": {"E15"},
}
"""Column: criteria that become unknown when this child's answer is missing; the others cannot decide here."""


@pytest.mark.parametrize("column", MAY_BE_EMPTY)
def test_each_missing_answer_makes_unknown_exactly_what_needs_it(child, column):
    assert verdicts(child(**{column: None})) == dict.fromkeys(MISSING.get(column, ()), 0)


@pytest.mark.parametrize(("changes", "status"), [s[1:] for s in STATUSES], ids=[s[0] for s in STATUSES])
def test_status(child, changes, status):
    assert eligibility.status(eligibility.evaluate(child(**changes), PLAN)).tolist() == [status]
    assert eligibility.STATUS[status] in ("eligible", "pending", "screen failure")


@pytest.fixture(scope="module")
def clinic():
    """3000 simulated children in whom everything is common, missing answers too."""
    p = Parameters(
        missing_answer=0.1, sample_missing=0.15, infection_recent=0.5, virology_positive=0.05,
        virology_missing=0.1, severe_allergy=0.1, allergies_mean=0.7, autoimmune=0.3, immunosuppressant=0.3,
        surgery_recent=0.3, trauma_recent=0.3, blood_loss_recent=0.5, other_study=0.4, cell_product=0.4,
        organ_dysfunction=0.1, gfr_mean=80.0, age_max=18.0, imaging_missing=0.2, upcr_level=0.2,
    )  # fmt: skip
    recorded, _ = simulate.clinic(p, 3000, simulate.Streams(11))
    return conduct.columns(p, recorded, np.floor(np.arange(3000) / 4))


def blank(values: np.ndarray, column) -> np.ndarray:
    if len(column.values) == 2:
        return np.zeros_like(values)
    if column.values:
        return np.full_like(values, -1)
    return np.full(values.shape, np.datetime64("NaT") if column.kind == "date" else np.nan, values.dtype)


READINGS = [
    PLAN,
    Parameters(gfr_method="U25 mean", haematuria_cells="dysmorphic", autoimmune_rule="or", proteinuria_by="UPCR"),
]  # fmt: skip


@pytest.mark.parametrize("p", READINGS, ids=["plan", "other readings"])
def test_a_missing_answer_only_ever_makes_unknown_and_only_where_it_is_read(clinic, p):
    """Less information never turns met into failed, failed into met, or unknown into either."""
    before = eligibility.evaluate(clinic, p)
    assert all((before == value).any(axis=1).all() for value in (-1, 0, 1))
    changed = set()
    for column in TABLES["screening"].columns:
        if column.name == "usubjid" or not column.empty:
            continue
        after = eligibility.evaluate({**clinic, column.name: blank(clinic[column.name], column)}, p)
        assert ((after == before) | (after == 0)).all(), column.name
        moved = {id for id, row in zip(IDS, (after != before).any(axis=1), strict=True) if row}
        declared = {c.id for c in CRITERIA if column.name in c.reads}
        assert moved <= declared, column.name
        changed |= {(id, column.name) for id in moved}
    assert len({id for id, _ in changed}) == 23


@given(st.lists(st.integers(0, 2999), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_a_childs_verdict_depends_on_no_other_child(clinic, chosen):
    whole = eligibility.evaluate(clinic, PLAN)
    part = eligibility.evaluate({name: values[chosen] for name, values in clinic.items()}, PLAN)
    assert np.array_equal(part, whole[:, chosen])


def test_complements_agree(clinic):
    """E1 is the complement of I1 and E11 of I6: one sentence of the record read twice."""
    values = dict(zip(IDS, eligibility.evaluate(clinic, PLAN), strict=True))
    assert np.array_equal(values["I1"], values["E1"])
    assert np.array_equal(values["I6"], values["E11"])
    assert (values["E3"][values["I4"] == 1] == 1).all()


def test_adie_holds_every_child_and_criterion_and_reads_back(clinic):
    values = eligibility.evaluate(clinic, PLAN)[:, :50]
    ids = np.array([f"AS-{k:04d}" for k in range(50)], object)
    frame = tables.check("adie", eligibility.adie(ids, values))
    assert len(frame) == 50 * 23
    assert (frame["IETEST"] == frame["IETESTCD"].map({c.id: c.registered for c in CRITERIA})).all()
    row = frame[(frame["USUBJID"] == "AS-0007") & (frame["IETESTCD"] == "E5")].iloc[0]
    assert row["AVALC"] == {1: "MET", 0: "UNKNOWN", -1: "NOT MET"}[int(values[IDS.index("E5"), 7])]
    back_ids, back = eligibility.from_adie(frame)
    assert back_ids.tolist() == ids.tolist()
    assert np.array_equal(back, values)
