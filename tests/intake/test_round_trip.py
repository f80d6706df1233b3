"""A messy export through intake gives the analysis tables of the clean ones, but for what was planted and is asked."""

import messy_export
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from helpers.analysis import adam, remission
from helpers.intake import delivery, listing
from helpers.study.parameters import Parameters

P = Parameters()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder, file, planted = messy_export.write(tmp_path_factory.mktemp("messy"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    made = delivery.read(folder, file, P)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    clean = adam.Adam(adam.Raw(**messy_export.clean()), P)
    return clean, adam.Adam(adam.Raw(**made.tables), P, own=True), made, planted


def differing(clean: pd.DataFrame, messy: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Cells that differ: the key's columns and the column's name."""
    one, two = clean.set_index(key), messy.set_index(key)
    assert one.index.equals(two.index)
    cells = [
        one.index[~((one[c] == two[c]) | (one[c].isna() & two[c].isna()))]
        .to_frame(index=False)
        .assign(column=c)
        for c in one
    ]
    return pd.concat(cells, ignore_index=True)


def test_every_planted_difference_is_named_by_its_query(both):
    _, _, made, planted = both
    assert len(planted) >= 13
    for plant in planted:
        asked = made.queries
        hit = (
            (asked["code"] == plant.code)
            & (asked["usubjid"] == plant.usubjid)
            & (asked["table"] == plant.table)
        )
        if plant.visit_no is not None:
            hit &= asked["visit_no"] == plant.visit_no
        assert hit.any(), plant


def test_children_and_times_to_remission_are_those_of_the_clean_tables(both):
    clean, messy, _, _ = both
    assert_frame_equal(clean.adsl(), messy.adsl())
    one, two = clean.adtte(), messy.adtte()
    # by actual days, which a visit moved off its window moves
    moved = {plant.usubjid for plant in both[3] if plant.code == "visits.window"}
    assert_frame_equal(one.drop(columns=["ADT", "ACTMONTH"]), two.drop(columns=["ADT", "ACTMONTH"]))
    assert set(differing(one, two, ["USUBJID", "PARAMCD"])["USUBJID"]) <= moved


def test_laboratory_values_differ_where_planted_only(both):
    clean, messy, _, planted = both
    cells = differing(clean.adlb(), messy.adlb(), ["USUBJID", "PARAMCD", "AVISITN"])
    moved = next(p for p in planted if p.code == "visits.window")
    slip = next(p for p in planted if p.code == "labs.course")
    of_slip = (cells["USUBJID"] == slip.usubjid) & (cells["AVISITN"] == slip.visit_no - 1)
    of_slip &= cells["PARAMCD"].isin(["CYSTATC", "GFRBSCYC", "GFRU25AV"])
    of_move = (cells["USUBJID"] == moved.usubjid) & (cells["AVISITN"] == moved.visit_no - 1)
    # a blood sample's age is that of its day, to a hundredth of an eGFR
    by_age = cells["PARAMCD"].str.startswith("GFRU25") | (cells["PARAMCD"] == "GFRBSCYC")
    of_move &= cells["column"].isin(["ADT", "ADY"]) | by_age
    assert of_slip.any()
    assert of_move.any()
    assert cells[~of_slip & ~of_move].empty


def test_adverse_events_differ_by_the_one_end_that_is_not_known(both):
    clean, messy, _, planted = both
    cells = differing(clean.adae(), messy.adae(), ["USUBJID", "AESEQ"])
    assert set(cells["USUBJID"]) == {p.usubjid for p in planted if p.code == "events.partial"}
    assert set(cells["column"]) == {"AENDT", "ADURN", "AEENRTPT"}
    assert len(cells) == 3


def test_the_primary_result_is_that_of_the_clean_tables(both):
    clean, messy, _, _ = both
    one, two = (remission.primary(a.adsl(), a.adlb(), a.adtte(), P) for a in (clean, messy))
    assert_frame_equal(one, two)


def test_units_coding_and_further_columns_are_told(both):
    _, _, made, _ = both
    kept = made.originals
    one = kept[(kept["table"] == "labs") & (kept["original_unit"] == "mg/mmol")].iloc[0]
    assert float(one["original"]) / 113 == pytest.approx(one["value"], rel=1e-9)
    assert one["unit"] == "mg/mg"
    ignored = dict(made.received[["file", "ignored"]].drop_duplicates("file").to_numpy())
    assert ignored["筛选.csv"] == "备注"
    assert "LOT" in ignored["infusions.xpt"]
    assert any("ALT" in note for note in made.notes)
    assert set(made.received["opened"]) == {"yes"}


def test_the_list_of_queries_is_the_same_bytes_and_no_formula(both):
    _, _, made, _ = both
    text = listing.to_csv(made)
    assert text == listing.to_csv(made)
    assert len(text.splitlines()) == len(made.queries) + 1
    assert listing.to_xlsx(made) == listing.to_xlsx(made)
