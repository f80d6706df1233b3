"""While blinded nothing that tells the arm is opened, and nothing that comes out can change with it."""

import pickle
import random
import shutil

import messy_export
import numpy as np
import openpyxl
import pandas as pd
import pytest
import small_export

from helpers import Problem
from helpers.intake import blinding, delivery, listing, propose, sources
from helpers.study.parameters import Parameters

BLINDED = "extracted: 2029-12-31\n"


def permuted(tables):
    """Arms and products among the children, and what goes with them."""
    list_ = tables["randomisation"]
    list_["arm"] = ["hUC-MSC", "hUC-MSC", "Placebo", "Placebo", "hUC-MSC"]
    given = tables["infusions"]
    arm = given["usubjid"].map(list_.set_index("usubjid")["arm"])
    given["product"] = arm.where(given["product"].notna(), None)
    given["cells"] = given["product"].map({"Placebo": 0.0, "hUC-MSC": 7e7})


def everything(made: delivery.Delivery) -> bytes:
    frames = {**made.tables, "queries": made.queries, "received": made.received, "originals": made.originals}
    texts = {name: frame.to_csv() + str(frame.dtypes.to_dict()) for name, frame in frames.items()}
    return pickle.dumps(
        [made.name, texts, made.unblinded, made.notes, listing.to_csv(made), listing.to_xlsx(made)]
    )


def test_permuting_arms_and_products_changes_no_byte(tmp_path):
    one = small_export.read(tmp_path / "one", None, mapping=BLINDED)
    two = small_export.read(tmp_path / "two", permuted, mapping=BLINDED)
    assert everything(one) == everything(two)
    assert one.unblinded is None
    # unblinded the same change is seen
    assert everything(small_export.read(tmp_path / "a")) != everything(
        small_export.read(tmp_path / "b", permuted)
    )


def spoilt(folder):
    (folder / "randomisation.csv").write_bytes(b"\xff\xfe\x00 no table, and no text")


def test_an_allocation_file_that_cannot_be_opened_or_is_absent_changes_nothing(tmp_path):
    place = small_export.write(tmp_path)
    file = tmp_path / "site.yaml"
    file.write_text(BLINDED)
    whole = everything(delivery.read(place, file))
    spoilt(place)
    assert everything(delivery.read(place, file)) == whole
    (place / "randomisation.csv").unlink()
    (place / "randomisation.csv").mkdir()
    assert everything(delivery.read(place, file)) == whole
    file.write_text(BLINDED + "unblinded: 2030-01-01\n")
    with pytest.raises(Problem, match="randomisation"):
        delivery.read(place, file)


def test_no_revealing_cell_reaches_the_reader(tmp_path, monkeypatch):
    folder, file, _ = messy_export.write(tmp_path, unblinded=False)
    opened = []
    read = sources.read

    def watched(path, closed, **more):
        found = read(path, closed, **more)
        opened.append((path.name, tuple(found.frame.columns)))
        return found

    monkeypatch.setattr(sources, "read", watched)
    made = delivery.read(folder, file)
    names = {name for name, _ in opened}
    assert "randomisation list.xlsx" not in names
    columns = {column for _, some in opened for column in some}
    assert not columns & {"PROD", "MCELLS", "LOT", "group"}
    assert {"SUBJ", "GIVEN"} <= columns
    opened.clear()
    propose.propose(folder)
    assert "randomisation list.xlsx" not in {name for name, _ in opened}
    assert not {column for _, some in opened for column in some} & {"PROD", "MCELLS", "LOT", "group", "备注"}
    listed = made.received.set_index("table").loc["randomisation"]
    assert listed["opened"].startswith("no")
    assert listed["sha256"] == ""


@pytest.mark.slow
def test_a_blinded_workbook_of_all_tables_may_hold_the_list(tmp_path):
    """Other arms in a sheet of the same workbook change nothing either."""
    deliveries = []
    for k, change in enumerate((None, permuted)):
        place = small_export.write(tmp_path / str(k), change)
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name in ("randomisation", "infusions"):
            sheet = book.create_sheet(name)
            for row in pd.read_csv(place / f"{name}.csv", dtype=str, keep_default_na=False).pipe(
                lambda f: [list(f), *f.values.tolist()]
            ):
                sheet.append(row)
            (place / f"{name}.csv").unlink()
        book.save(place / "all.xlsx")
        file = tmp_path / f"{k}.yaml"
        file.write_text(
            "tables:\n  randomisation: {file: all.xlsx, sheet: randomisation, columns: {usubjid: usubjid, arm: arm}}\n"
            "  infusions:\n    file: all.xlsx\n    sheet: infusions\n    columns:\n      usubjid: usubjid\n"
            "      infusion: infusion\n      planned_date: planned_date\n      date: date\n      given: given\n"
            "      product: product\n      cells: {source: cells, unit: cells}\n      reason: reason\n"
        )
        deliveries.append(everything(delivery.read(place, file)))
    assert deliveries[0] == deliveries[1]


def test_who_was_randomised_and_when_is_known_without_the_list(tmp_path):
    made = small_export.read(tmp_path, mapping=BLINDED)
    list_ = small_export.tables_of()["randomisation"]
    drawn = made.tables["randomisation"]
    assert drawn["usubjid"].tolist() == list_["usubjid"].tolist()
    assert drawn["randomisation_date"].tolist() == list_["randomisation_date"].tolist()
    assert made.tables["infusions"]["product"].isna().all()
    assert made.tables["infusions"]["cells"].isna().all()
    assert set(made.tables["events"]["term"]) == {blinding.HIDDEN}
    assert "dummy" in made.notes[0]


@pytest.mark.slow
def test_part_of_the_list_may_be_read_if_the_mapping_says_so(tmp_path):
    def later(tables):
        tables["randomisation"]["randomisation_date"] += pd.Timedelta(2, "D")

    place = small_export.write(tmp_path, later)
    file = tmp_path / "site.yaml"
    file.write_text("revealing: [randomisation.arm]\n")
    made = delivery.read(place, file)
    expected = small_export.tables_of()["randomisation"]["randomisation_date"] + pd.Timedelta(2, "D")
    assert made.tables["randomisation"]["randomisation_date"].tolist() == expected.tolist()
    permuted_place = small_export.write(tmp_path / "other", lambda t: (later(t), permuted(t)))
    shutil.copy(file, tmp_path / "again.yaml")
    assert everything(delivery.read(permuted_place, tmp_path / "again.yaml")) == everything(made)


def test_dummy_arms_come_in_blocks_of_the_plan_from_the_seed_alone():
    stratum = np.full(40, None, object)
    p = Parameters()
    block, arm = blinding.dummy(stratum, p)
    again = blinding.dummy(stratum, p)
    assert arm.tolist() == again[1].tolist()
    assert arm.tolist() != blinding.dummy(stratum, p.model_copy(update={"seed": 1}))[1].tolist()
    for number in np.unique(block)[:-1]:
        mine = arm[block == number]
        assert len(mine) in p.blocks
        assert (mine == "Placebo").sum() == len(mine) / 2
    strata = np.array(["RAS inhibition", "no RAS inhibition"] * 20, object)
    block, _ = blinding.dummy(strata, p)
    assert all(len(set(strata[block == number])) == 1 for number in np.unique(block))


def test_free_text_of_children_stands_in_no_query_and_no_table_while_blinded(tmp_path):
    words = "felt cells tingle"

    def change(tables):
        tables["events"]["term"] = words
        tables["infusions"].loc[0, "reason"] = words
        tables["disposition"].loc[0, ["status"]] = ["left"]

    made = small_export.read(
        tmp_path, change, {"disposition": lambda text: text.replace("left,", f"left,{words}", 1)}, BLINDED
    )
    everywhere = " ".join(
        frame.to_csv() for frame in [*made.tables.values(), made.queries, made.originals, made.received]
    )
    assert words not in everywhere
    assert (made.queries["code"] == "disposition.term").any()


@pytest.mark.slow
def test_the_order_of_rows_in_the_files_moves_nothing_that_is_analysed(tmp_path):
    def shuffled(tables):
        for name, frame in tables.items():
            rows = list(range(len(frame)))
            random.Random(1).shuffle(rows)
            tables[name] = frame.iloc[rows].reset_index(drop=True)

    one = small_export.read(tmp_path / "one", mapping=BLINDED)
    two = small_export.read(tmp_path / "two", shuffled, mapping=BLINDED)
    for name in ("randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition"):
        pd.testing.assert_frame_equal(one.tables[name], two.tables[name])
