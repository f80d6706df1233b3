"""One line unblinds: what a proposal says of what is closed, what it adds later, and of which folder it is."""

import pandas as pd
import pytest
import small_export

from helpers import Problem
from helpers.intake import delivery, editions, mapping, propose, stanza, studies

LIST = "ID,when,group\nA,2026-01-02,A\nB,2026-01-03,B\n"
DOSES = "SUBJ,Infusion,Planned date,Given,PROD,MCELLS\nA,1,2026-02-01,yes,A,0\nB,1,2026-02-02,yes,B,43.2\n"


@pytest.fixture
def export(tmp_path, monkeypatch):
    monkeypatch.setattr(propose, "ROOT", tmp_path)
    monkeypatch.delenv("MAPPING", raising=False)
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "randomisation list.csv").write_text(LIST)
    (folder / "infusions.csv").write_text(DOSES)
    return folder


def test_while_blinded_the_lines_are_there_asked_by_nobody_and_readable(export, tmp_path):
    assert propose.main([str(export)]) == 0
    file = tmp_path / "intakes" / "export.yaml"
    text = file.read_text("utf-8")
    assert 'file: randomisation list.csv\n    columns:\n      usubjid: "?"' in text
    assert 'cells: {source: MCELLS, unit: "?"}' in text
    assert "43.2" not in text, "the cells stayed shut"
    assert {part.table for part in mapping.read(file, export).parts} >= {"randomisation", "infusions"}
    file.write_text("unblinded: 2027-01-15\n" + text, "utf-8")
    with pytest.raises(Problem, match="the unit of cells is still to be answered"):
        mapping.read(file, export)


def test_unblinded_the_same_command_completes_a_copy_and_leaves_the_mapping(export, tmp_path, capsys):
    propose.main([str(export)])
    file = tmp_path / "intakes" / "export.yaml"
    mine = "unblinded: 2027-01-15\n" + file.read_text("utf-8").replace("Lines marked", "My lines marked")
    file.write_text(mine, "utf-8")
    capsys.readouterr()
    assert propose.main([str(export)]) == 0
    told = capsys.readouterr().out
    assert file.read_text("utf-8") == mine
    made = (file.parent / "export.unblinded.yaml").read_text("utf-8")
    for words in ('arm: {source: group, values: {A: "?", B: "?"}}', 'source: PROD, values: {A: "?", B: "?"}'):
        assert words in told
        assert words in made
    assert "in 10^6 cells the median would be 43200000 cells" in told
    assert "My lines marked" in made
    answered = made.replace('A: "?", B: "?"', "A: Placebo, B: hUC-MSC").replace('"?"', "10^6 cells")
    file.write_text(answered, "utf-8")
    parts = {part.table: part for part in mapping.read(file, export).parts}
    assert parts["randomisation"].columns["arm"].values == {"A": "Placebo", "B": "hUC-MSC"}
    assert parts["infusions"].columns["cells"].unit == "10^6 cells"
    propose.main([str(export)])
    assert "lacks nothing" in capsys.readouterr().out


def test_the_report_names_the_command_where_the_list_is_not_mapped(tmp_path):
    place = small_export.write(tmp_path)
    (place / "randomisation.csv").rename(place / "list.csv")
    columns = "{usubjid: usubjid, arm: '?'}"
    for stated in ("", f"  randomisation: {{file: list.csv, columns: {columns}}}\n"):
        file = tmp_path / "site.yaml"
        tables = "".join(
            f"  {name}:\n    file: {name}.csv\n    columns: {{usubjid: usubjid}}\n" for name in ("labs",)
        )
        file.write_text("unblinded: 2030-01-01\ntables:\n" + tables + stated)
        with pytest.raises(Problem, match="make intake DATA="):
            delivery.read(place, file)


def small(number):
    def change(tables):
        tables["infusions"]["cells"] *= number

    return change


def test_without_products_one_query_is_asked_and_arms_are_those_allocated(tmp_path):
    def change(tables):
        tables["infusions"]["product"] = None
        tables["infusions"]["cells"] = float("nan")

    made = small_export.read(tmp_path, change)
    asked = made.queries[made.queries["column"].isin(["product", "cells"])]
    assert asked["code"].tolist() == ["infusions.as-treated"]
    assert "as-treated is unknown" in asked["found"].iloc[0]
    assert asked["rule"].tolist() == ["as allocated"]
    assert any("counts under its allocated arm" in note for note in made.notes)
    _, files = editions.files_of(made, "export", "base", {})
    (tmp_path / "own").mkdir()
    for key, content in files.items():
        (tmp_path / "own" / key).write_bytes(content)
    study = studies.from_folder(tmp_path / "own")
    frame = pd.DataFrame(
        {
            "TRT01P": ["Placebo", "hUC-MSC", "Placebo"],
            "TRT01A": [None, "Placebo", None],
            "SAFFL": ["Y", "Y", "N"],
        }
    )
    assert study.seen(frame)["TRT01A"].fillna("").tolist() == ["Placebo", "Placebo", ""]


def test_a_dose_in_another_unit_is_asked_about_with_the_unit(tmp_path):
    made = small_export.read(tmp_path, small(1e-6))
    asked = made.queries[made.queries["code"] == "infusions.size"]
    given = (made.tables["infusions"]["cells"] > 0).sum()
    assert len(asked) == given > 0
    assert asked["expected"].str.contains("perhaps its unit is 10^6 cells", regex=False).all()


def test_a_mapping_of_another_folder_of_that_name_is_refused(export, tmp_path, monkeypatch, capsys):
    propose.main([str(export)])
    monkeypatch.setattr(editions, "ROOT", tmp_path)
    other = tmp_path / "elsewhere" / "export"
    other.mkdir(parents=True)
    (other / "infusions.csv").write_text(DOSES)
    with pytest.raises(
        Problem, match=r"proposed for another folder: randomisation list\.csv is not in export"
    ):
        editions.receive(other, None, "base", {})
    capsys.readouterr()
    assert propose.main([str(other)]) == 2
    assert "proposed for another folder" in capsys.readouterr().err
    assert str(tmp_path) not in (tmp_path / "intakes" / "export.yaml").read_text("utf-8")
    plain = small_export.write(tmp_path / "third")
    name, files = editions.receive(plain, None, "base", {})
    assert name == "own-export-dummy-arms"
    assert b"read without one" in files["own.json"]


def test_an_empty_folder_is_an_error_and_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(propose, "ROOT", tmp_path)
    (tmp_path / "none").mkdir()
    assert propose.main([str(tmp_path / "none")]) == 2
    assert "holds no table" in capsys.readouterr().err
    assert not (tmp_path / "intakes").exists()


def test_a_workbook_that_is_shut_is_named_with_its_sheet():
    lines = stanza.of_list([("doses.xlsx", None), ("all.xlsx", "随机")])
    assert "    file: all.xlsx" in lines
    assert "    sheet: 随机" in lines


@pytest.mark.parametrize("arguments", [[], [""], ["a", "b"]])
def test_intake_without_one_folder_says_how_it_is_called(arguments, capsys):
    assert propose.main(arguments) == 2
    assert capsys.readouterr().err == "usage: make intake DATA=folder\n"


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".txt"])
def test_the_columns_of_a_text_file_are_found_in_its_own_encoding_and_with_its_own_delimiter(
    suffix, tmp_path
):
    path = tmp_path / f"labs{suffix}"
    path.write_bytes("受试者编号;检查日期;肌酐\nA;2025-01-01;40,5\n".encode("gb18030"))
    found = propose._sheet(path, None)
    assert (found.encoding, found.delimiter) == ("gb18030", ";")
    assert list(found.names) == ["受试者编号", "检查日期", "肌酐"]


def test_a_column_like_none_of_ours_and_those_that_nothing_is_like_are_asked_for(tmp_path, monkeypatch):
    """Criteria that need a column without a line are unknown: who maps a file is told so before."""
    monkeypatch.setattr(propose, "ROOT", tmp_path)

    def change(tables):
        tables["screening"] = tables["screening"].rename(columns={"heart": "家族心史", "tumour": "肿瘤"})

    place = small_export.write(tmp_path, change)
    text, asks = propose.propose(place)
    assert "tumour: 肿瘤" in text
    (asked,) = [one for one in asks if "one of these columns" in one]
    assert "not opened: 家族心史" in asked
    assert "without a line is heart: unknown for every child; a criterion that needs one" in asked
    assert '  # heart: "?"  # ' in text
    assert not [
        one for one in propose.propose(small_export.write(tmp_path / "clean"))[1] if "one of these" in one
    ]
