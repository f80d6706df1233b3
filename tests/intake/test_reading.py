"""Mappings, readers, units, the proposal of a mapping, the template and the list of queries."""

import io
import json
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
import small_export
from pandas.testing import assert_frame_equal

from helpers import DATA, ROOT, Problem
from helpers.intake import (
    convert,
    delivery,
    headers,
    listing,
    mapping,
    propose,
    sources,
    template,
    units,
    values,
)
from helpers.study import kidney


def never(_):
    return False


# --- mapping ---------------------------------------------------------------------------------------


def test_every_fault_of_a_mapping_is_told_with_the_nearest_name(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(
        "extracted: yesterday\nunblinde: 2027-01-01\ntables:\n"
        "  screning: {file: a.csv}\n"
        "  screening:\n    file: a.csv\n    encoding: latin1\n    date: dd/mm\n    columns:\n"
        "      usubjd: ID\n      sex: {source: s, values: {M: mail}}\n      upcr: {source: u}\n"
        "      creatinine: {source: c, unit: furlong}\n      height: {source: h, constant: 1}\n"
        "  labs:\n    file: b.csv\n    columns: {value: Result, test: T}\n",
        "utf-8",
    )
    with pytest.raises(Problem) as caught:
        mapping.read(file, tmp_path)
    told = str(caught.value)
    for words in (
        "extracted: found 'yesterday'", "did you mean unblinded?", "did you mean screening?", "encoding 'latin1'",
        "date 'dd/mm'", "did you mean usubjid?", "did you mean male?", "upcr: states no unit", "mg/mmol",
        "unit 'furlong' is not known for creatinine", "either source", "labs, value: states no units",
    ):  # fmt: skip
        assert words in told, words


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x\n", "tables: {labs: {file: a, file: b}}\n", "a: !!python/object:os.system 1\n"]
)
def test_a_mapping_with_more_than_plain_settings_is_refused(text, tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(Problem, match=r"m.yaml"):
        mapping.read(file, tmp_path)


def test_whatever_is_listed_as_revealing_arms_and_products_are(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text("revealing: [pharmacy.xlsx]\n")
    found = mapping.read(file, tmp_path)
    assert set(found.revealing) == {
        "pharmacy.xlsx",
        "randomisation.arm",
        "infusions.product",
        "infusions.cells",
    }


# --- readers ---------------------------------------------------------------------------------------


def test_files_that_lead_out_or_are_missing_or_of_another_kind(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("a,b\n1,2\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "macro.xls").write_text("x")
    for name, words in (
        ("link.csv", "leads out"), ("../secret.csv", "leads out"), ("none.csv", "does not exist"),
        ("macro.xls", "no kind"),
    ):  # fmt: skip
        with pytest.raises(sources.Unreadable, match=words):
            sources.place(folder, name)


def bomb(path: Path, part: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(part, content)


def test_bombs_and_entities_in_workbooks_are_refused_before_they_are_opened(tmp_path, monkeypatch):
    path = tmp_path / "b.xlsx"
    bomb(path, "xl/worksheets/sheet1.xml", b"\0" * 20_000_000)
    with pytest.raises(sources.Unreadable, match="as a bomb does"):
        sources.read(path, never)
    bomb(path, "xl/sharedStrings.xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aa">]><x/>')
    with pytest.raises(sources.Unreadable, match="entities"):
        sources.read(path, never)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(sources.Unreadable, match="no readable workbook"):
        sources.read(path, never)
    monkeypatch.setattr(sources, "LARGEST_WORKBOOK", 5)
    with pytest.raises(sources.Unreadable, match="allowed: up to 5"):
        sources.place(tmp_path, "b.xlsx")


def test_cells_of_workbooks_are_texts_and_formulas_are_not_run(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["id", "day", "n", "said", "formula"])
    book.active.append(["A", datetime(2025, 3, 5), 4.0, True, "=HYPERLINK(1)"])
    book.active.append(["B", datetime(2025, 3, 5, 8, 30), 0.1, None, None])
    book.create_sheet("two")
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(sources.Unreadable, match="several sheets; state one: Sheet, two"):
        sources.read(tmp_path / "x.xlsx", never)
    found = sources.read(tmp_path / "x.xlsx", lambda name: name == "n", sheet="Sheet")
    assert found.closed == ("n",)
    assert found.frame.iloc[0].tolist() == ["A", "2025-03-05", "yes", None]
    assert found.frame["day"].iloc[1] == "2025-03-05 08:30:00"


def test_dataset_json_of_both_versions(tmp_path):
    items = [{"name": "ID"}, {"name": "V"}]
    (tmp_path / "a.json").write_text(json.dumps({"columns": items, "rows": [["A", 1.5]]}))
    old = {"clinicalData": {"itemGroupData": {"IG.X": {"items": items, "itemData": [["A", 1.5]]}}}}
    (tmp_path / "b.json").write_text(json.dumps(old))
    one, two = (sources.read(tmp_path / name, never).frame for name in ("a.json", "b.json"))
    assert_frame_equal(one, two)
    assert one.iloc[0].tolist() == ["A", "1.5"]


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b""), ("utf-8-sig", b"\xef\xbb\xbf"), ("gb18030", b"")]
)
def test_three_encodings(encoding, mark, tmp_path):
    content = "编号,性别\nA,男\n".encode("gb18030" if encoding == "gb18030" else "utf-8")
    (tmp_path / "x.csv").write_bytes(mark + content)
    found = sources.read(tmp_path / "x.csv", never, encoding=encoding)
    assert found.frame.columns.tolist() == ["编号", "性别"]
    assert found.frame["性别"].tolist() == ["男"]


# --- units and values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "unit", "value", "expected"),
    [
        ("upcr", "mg/mmol", 113.0, 1.0), ("upcr", "mg/g", 200.0, 0.2), ("upcr", "g/g", 0.2, 0.2),
        ("creatinine", "mg/dL", 1.0, 88.4), ("creatinine", "μmol/L", 88.4, 88.4),
        ("creatinine", "mmol/L", 0.0884, 88.4),
        ("bun", "mg/dL", 28.0, 10.0), ("cystatin_c", "mg/dL", 0.08, 0.8), ("height", "m", 1.2, 120.0),
        ("protein_24h", "mg/m²/24h", 240.0, 10.0), ("rbc", "×10⁶/L", 12.0, 12.0), ("weight", "g", 25000.0, 25.0),
    ],
)  # fmt: skip
def test_a_unit_is_converted_by_the_constants_of_the_plan(measure, unit, value, expected):
    assert units.convert(value, units.factor(measure, unit)) == expected


def test_constants_are_the_cited_ones_and_ten_digits_survive():
    assert units.FACTORS["creatinine"]["mg/dl"] == kidney.UMOL_PER_MG_DL
    assert units.FACTORS["upcr"]["mg/mmol"] * kidney.MG_MMOL_PER_MG_MG == 1
    exact = np.array([0.36, 1e-3, 12345.678, 0.0, np.nan])
    there = exact * kidney.MG_MMOL_PER_MG_MG
    np.testing.assert_array_equal(units.convert(there, 1 / kidney.MG_MMOL_PER_MG_MG), exact)
    assert units.factor("rbc", "/HPF") is None
    assert units.factor("creatinine", "mg/mmol") is None


@pytest.mark.parametrize(
    ("text", "form", "first", "last"),
    [
        ("05/03/2025", "dd/mm/yyyy", "2025-03-05", "2025-03-05"),
        ("05/03/2025", "mm/dd/yyyy", "2025-05-03", "2025-05-03"),
        ("2025-03-05", "mm/dd/yyyy", "2025-03-05", "2025-03-05"),
        ("05-MAR-2025", "dd-mon-yyyy", "2025-03-05", "2025-03-05"),
        ("20250305", "yyyymmdd", "2025-03-05", "2025-03-05"),
        ("2025年3月5日", "yyyy年mm月dd日", "2025-03-05", "2025-03-05"),
        ("2025-03", "yyyy-mm-dd", "2025-03-01", "2025-03-31"),
        ("2025", "yyyy-mm-dd", "2025-01-01", "2025-12-31"),
        ("UN/02/2024", "dd/mm/yyyy", "2024-02-01", "2024-02-29"),
        ("UN-UNK-2024", "dd-mon-yyyy", "2024-01-01", "2024-12-31"),
        ("2025-03-05T08:30", "yyyy-mm-dd", "2025-03-05", "2025-03-05"),
        ("30/02/2025", "dd/mm/yyyy", None, None),
        ("13/13/2025", "dd/mm/yyyy", None, None),
        ("5.3.25", "dd.mm.yyyy", None, None),
    ],
)
def test_days_are_read_by_the_stated_format_alone(text, form, first, last):
    found = values.days(pd.Series([text]), form)
    assert bool(found.bad[0]) == (first is None)
    if first:
        assert (str(found.first[0].date()), str(found.last[0].date())) == (first, last)


@pytest.mark.parametrize(
    ("text", "decimal", "value", "sign"),
    [
        ("<0.03", ".", 0.03, "<"), ("≤ 0.03", ".", 0.03, "<"), ("＞3000", ".", 3000.0, ">"), ("1,5", ",", 1.5, None),
        ("1,5", ".", None, None), ("1.234,5", ",", None, None), ("1_0", ".", None, None), ("٣", ".", None, None),
        ("1e3", ".", 1000.0, None), ("BLQ", ".", 0.02, "<"), ("", ".", None, None), ("nan", ".", None, None),
    ],
)  # fmt: skip
def test_numbers_and_their_signs(text, decimal, value, sign):
    found = values.numbers(pd.Series([text]), decimal, below={"BLQ": 0.02})
    assert (None if np.isnan(found.value[0]) else found.value[0]) == value
    assert found.sign[0] == sign


@pytest.mark.parametrize(
    ("text", "value", "sign"),
    [("under 0.03", 0.03, "<"), ("under", None, None), ("BLQ", 0.02, "<"), ("BLQ 0.05", None, None),
     ("over 30", 30.0, ">")],
)  # fmt: skip
def test_a_word_stands_for_a_value_or_for_the_sign_before_one(text, value, sign):
    found = values.numbers(pd.Series([text]), ".", below={"BLQ": 0.02, "under": None}, above={"over": None})
    assert (None if np.isnan(found.value[0]) else found.value[0]) == value
    assert found.bad[0] == (value is None)
    if value is not None:
        assert found.sign[0] == sign


# --- proposal ---------------------------------------------------------------------------------------


def test_a_folder_as_in_the_codebook_is_proposed_without_a_question_and_reads_back(tmp_path):
    place = small_export.write(tmp_path)
    before = {path: path.read_bytes() for path in place.iterdir()}
    text, asks = propose.propose(place)
    assert asks == []
    assert {path: path.read_bytes() for path in place.iterdir()} == before
    file = tmp_path / "site.yaml"
    file.write_text(text, "utf-8")
    found = mapping.read(file, place)
    assert {part.table for part in found.parts} == set(mapping.RAW) | set()
    assert next(p for p in found.parts if p.table == "screening").columns["upcr"].unit == "mg/mg"


def test_units_and_the_order_of_day_and_month_are_asked_for_with_the_evidence(tmp_path):
    (tmp_path / "lab.csv").write_text(
        "Subject,Visit,Collected,Creatinine,UPCR (mg/mmol),Lot\nA,V2,03/04/2025,0.5,40,x\nB,V2,05/06/2025,0.6,50,x\n"
    )
    text, asks = propose.propose(tmp_path)
    told = "\n".join(asks)
    assert "day first or month first? All 2 days can be read both ways, such as '03/04/2025'" in told
    assert "in which unit is creatinine? 2 values from 0.5 to 0.6" in told
    assert "in mg/dl the median would be 48.6 umol/L" in told
    assert "upcr" not in told
    assert 'date: "?"' in text
    assert 'unit: "?"' in text
    assert "not opened" in text
    assert "Lot" in text
    file = tmp_path / "m.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(Problem, match=r"the unit of \w+ is still to be answered"):
        mapping.read(file, tmp_path)


def test_one_row_asks_in_the_singular(tmp_path):
    (tmp_path / "lab.csv").write_text("Subject,Visit,Collected,Creatinine\nA,V2,03/04/2025,0.5\n")
    told = "\n".join(propose.propose(tmp_path)[1])
    assert "day first or month first? The one day can be read both ways, such as '03/04/2025'" in told
    assert "in which unit is creatinine? 1 value from 0.5 to 0.5" in told


def test_a_day_beyond_twelve_settles_the_order(tmp_path):
    (tmp_path / "lab.csv").write_text("Subject,Visit,Collected,RBC\nA,V2,03/04/2025,1\nB,V2,25/06/2025,2\n")
    text, asks = propose.propose(tmp_path)
    assert 'date: "dd/mm/yyyy"' in text
    assert not any("day first" in ask for ask in asks)


def test_a_proposal_never_replaces_a_mapping(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(propose, "ROOT", tmp_path)
    place = tmp_path / "My Export"
    place.mkdir()
    (place / "visits.csv").write_text("usubjid,visit_no,attended\nA,2,yes\n")
    assert propose.main([str(place)]) == 0
    file = tmp_path / "intakes" / "my-export.yaml"
    file.write_text("mine\n")
    assert propose.main([str(place)]) == 0
    assert file.read_text() == "mine\n"
    assert "stays as it is" in capsys.readouterr().out
    assert propose.main([str(place / "none")]) == 2


@pytest.mark.parametrize(
    ("header", "test"),
    [("肌酐", "creatinine"), ("Serum creatinine (umol/L)", "creatinine"), ("RBC", "rbc"), ("ALT", None)],
)  # fmt: skip
def test_names_of_tests(header, test):
    assert headers.test_of(header) == test


# --- template ---------------------------------------------------------------------------------------


def test_a_filled_template_gives_the_same_tables_units_and_days(tmp_path):
    tables = small_export.tables_of()
    content = template.filled(tables)
    assert content == template.filled(tables)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / template.FILE).write_bytes(content)
    file = tmp_path / "t.yaml"
    file.write_text(template.template_mapping() + "unblinded: 2030-01-01\n", "utf-8")
    found = delivery.read(tmp_path / "in", file)
    for name, frame in tables.items():
        assert_frame_equal(found.tables[name], frame.astype(found.tables[name].dtypes.to_dict()))


def test_the_template_has_drop_downs_units_examples_and_the_codebook():
    book = openpyxl.load_workbook(io.BytesIO(template.empty()))
    assert [*mapping.RAW, "codebook"] == [name for name in book.sheetnames if name != "lists"]
    page = book["screening"]
    names = [cell.value for cell in page[1]]
    assert names[:3] == ["usubjid", "consent_date", "birth_date"]
    assert "mg/mg" in page.cell(2, names.index("upcr") + 1).value
    assert page.cell(3, 1).value == "AS-0001"
    rules = {
        str(rule.sqref): rule.formula1 for rule in page.data_validations.dataValidation if rule.type == "list"
    }
    assert '"male,female"' in rules.values()
    assert book["lists"].sheet_state == "hidden"
    assert template.redcap().count("\n") > 90


# --- list of queries --------------------------------------------------------------------------------


def test_texts_that_begin_as_a_formula_are_texts_in_both_lists():
    base = {column: ["x"] for column in delivery.QUERIES}
    asked = pd.DataFrame(
        {**base, "usubjid": ["=1+1"], "found": ["@cmd"], "row": [5], "visit_no": [pd.NA], "file": [None]}
    )
    received = pd.DataFrame([["+f.csv", "", "x", 1, "", "", "-a", "yes"]], columns=list(delivery.RECEIVED))
    made = delivery.Delivery(
        "n", {}, asked, received, pd.DataFrame(columns=list(delivery.ORIGINALS)), None, ()
    )
    text = listing.to_csv(made)
    assert "'=1+1" in text
    assert "'@cmd" in text
    assert "'+f.csv" in text
    with zipfile.ZipFile(io.BytesIO(listing.to_xlsx(made))) as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist())


def test_the_project_keeps_mappings_of_sites_out_of_git():
    assert "/intakes/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert (DATA / "base").is_dir()


def test_a_unit_left_open_is_still_to_be_answered(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(
        "tables:\n  labs:\n    file: a.csv\n    columns:\n      usubjid: id\n      value: {source: v}\n"
        '      test: {source: t}\n      unit: {source: u, units: {upcr: "?"}}\n'
        '  screening:\n    file: b.csv\n    columns:\n      usubjid: id\n      height: {source: h, unit: "?"}\n'
    )
    with pytest.raises(Problem) as caught:
        mapping.read(file, tmp_path)
    assert "the unit of height is still to be answered; allowed: cm" in str(caught.value)


def test_each_way_to_write_a_dipstick_is_one_of_its_grades():
    assert {convert.GRADES[text] for text in ("±", "+-", "微量", "trace", "1")} == {1.0}
    assert {convert.GRADES[text] for text in ("neg", "-", "阴性", "negative", "0")} == {0.0}
    assert [convert.GRADES["+" * k] for k in (1, 2, 3, 4)] == [2.0, 3.0, 4.0, 5.0]
    assert set(convert.GRADES.values()) == set(map(float, range(6)))
