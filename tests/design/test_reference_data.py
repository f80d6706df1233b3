"""Reference data: every number says how it is known, none from memory, and every answer of R's is used."""

import csv
import re
from datetime import date

import numpy as np
import pytest

from helpers import ROOT
from helpers.design import against_papers, references
from helpers.study import kidney
from helpers.study.protocol import DAYS_PER_MONTH

DATA = ROOT / "data" / "reference"


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_nothing_is_marked_as_recalled():
    """Neither in the data nor in what a reader sees of them."""
    places = [*DATA.glob("**/*.csv"), *DATA.glob("**/*.md"), *DATA.glob("**/*.R"), ROOT / "README.md"]
    places += [*(ROOT / "docs").glob("*.md"), *(ROOT / "src").glob("**/*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:80]}"
        for path in places
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"recalled|from memory(?! of)", line, re.IGNORECASE)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("targets.csv", {"READ", "COMPUTED", "ASSUMED"}),
        ("growth_lms.csv", {"READ"}),
        ("published/examples.csv", {"READ", "COMPUTED"}),
    ],
)
def test_every_row_says_how_it_is_known(name, ways):
    assert {row["how"].upper().split()[-1] for row in rows(name)} == ways


def test_a_row_that_was_read_says_where_and_an_assumed_one_that_it_is():
    for row in rows("targets.csv"):
        if row["how"].upper().endswith("READ"):
            assert row["doi_or_title"] or row["source"], row["id"]
        if row["how"] == "ASSUMED":
            assert re.search("assum", " ".join(row.values()).replace("ASSUMED", "", 1), re.IGNORECASE), row[
                "id"
            ]


def test_every_answer_of_r_is_used_and_every_computed_row_has_one():
    examples = references.table("published", "examples", dtype=str).set_index("key")
    computed = references.table("published", "r_values").set_index("key")
    assert not computed.index.has_duplicates
    assert not examples.index.has_duplicates
    assert set(computed.index) == set(examples.index[examples["how"] == against_papers.COMPUTED])
    assert examples.loc[computed.index, "value"].isna().all()
    assert set(examples.index) == {pair.key for pair in against_papers.pairs()}
    assert np.isfinite(computed["value"]).all()


def test_factors_between_units_follow_from_molar_masses_and_the_calendar():
    """Standard atomic weights of C, H, N, O; days counted by Python's own calendar."""
    creatinine = 4 * 12.011 + 7 * 1.008 + 3 * 14.007 + 15.999
    assert pytest.approx(1e4 / creatinine, rel=1e-4) == kidney.UMOL_PER_MG_DL
    assert pytest.approx(creatinine, rel=1.1e-3) == kidney.MG_MMOL_PER_MG_MG
    assert pytest.approx(2 * 14.007 / 10, rel=1e-3) == kidney.BUN_MG_DL_PER_MMOL
    assert (date(2053, 1, 1) - date(2025, 1, 1)).days / (28 * 12) == DAYS_PER_MONTH


def test_heights_of_chinese_children_give_the_spread_that_their_row_states():
    for row in rows("growth_lms.csv"):
        assert float(row["SD_approx"]) == pytest.approx(float(row["M"]) * float(row["S"]), rel=0.1), row
        if row["reference"].startswith("China"):
            assert float(row["SD_approx"]) == pytest.approx(float(row["M"]) * float(row["S"]), abs=6e-4)
