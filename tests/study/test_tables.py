"""Tables: each fault gets one message with file, row, column, found and allowed; nothing half-written stays."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import Problem
from helpers.analysis import adam
from helpers.study import tables
from helpers.study.codebook import TABLES, UNITS
from helpers.study.parameters import Parameters
from helpers.trial import conduct, record


@pytest.fixture(scope="module")
def made():
    """Screening and labs of a small simulated trial."""
    p = Parameters(n_randomised=4)
    enrolled, columns, _ = conduct.screen(p)
    screening = record.screening(columns)
    raw, _ = record.trial(p, enrolled, screening)
    return {"screening": screening, **raw}


@pytest.fixture
def spoil(made, tmp_path):
    """A function: write a table as text after a change of its cells, read it, and return the refusal."""

    def act(name: str, change) -> str:
        path = tmp_path / f"{name}.csv"
        tables.write(name, made[name], path)
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        raw = change(raw)
        raw.to_csv(path, index=False)
        before = path.read_bytes()
        with pytest.raises(Problem) as caught:
            tables.read(name, path)
        message = str(caught.value)
        assert message.startswith(f"{name}.csv")
        assert "\n" not in message
        assert "np.float" not in message
        assert path.read_bytes() == before
        assert not [p for p in tmp_path.iterdir() if p.suffix != ".csv"]
        return message

    return act


def cell(column: str, value: str, row: int = 5):
    """Line `row` of the file: the header is line 1."""

    def change(raw):
        raw.loc[row - 2, column] = value
        return raw

    return change


RAW = ("screening", "randomisation", "infusions", "visits", "labs", "events", "treatments", "disposition")


@pytest.mark.parametrize("name", RAW)
def test_what_is_written_reads_back(made, tmp_path, name):
    written = tables.write(name, made[name], tmp_path / "t.csv")
    back = tables.read(name, tmp_path / "t.csv")
    pd.testing.assert_frame_equal(back, written, check_dtype=False, rtol=1e-9)
    assert (tmp_path / "t.csv").read_bytes().count(b"\r") == 0


@pytest.mark.parametrize(
    ("column", "value", "parts"),
    [
        ("height", "900", ["found 900,", "50 to 220 cm"]),
        ("height", "-5", ["found -5,", "50 to 220 cm"]),
        ("height", "inf", ["found inf", "50 to 220 cm"]),
        ("height", "12O", ["'12O'", "a number"]),
        ("height", "1,28", ["'1,28'", "a number"]),
        ("height", "nan", ["'nan'", "a number"]),
        ("height", "1_28", ["'1_28'", "a number"]),
        ("height", "١٢٨", ["'١٢٨'", "a number"]),
        ("creatinine", "0.5", ["found 0.5,", "5 to 2000 umol/L"]),  # mg/dL where umol/L is asked for
        ("food_allergies", "1.5", ["found 1.5,", "a whole number from 0 to 50"]),
        ("sex", "boy", ["'boy'", "male or female"]),
        ("sex", "", ["found nothing", "male or female"]),
        ("consent", "maybe", ["'maybe'", "yes or no, or empty"]),
        ("dipstick", "+", ["'+'", "negative or trace or 1+"]),
        ("birth_date", "2015-02-30", ["'2015-02-30'", "a date such as 2025-01-31"]),
        ("birth_date", "15.06.2017", ["'15.06.2017'", "a date"]),
        ("consent_date", "", ["found nothing", "a date"]),
        ("birth_date", "2031-02-01", ["found 2031-02-01", "up to the consent, 2025-"]),
        ("surgery_date", "2031-02-01", ["found 2031-02-01", "up to the consent, 2025-"]),
        ("ras_since", "2031-02-01", ["found 2031-02-01", "up to the consent, 2025-"]),
        ("usubjid", "", ["found nothing", "text"]),
    ],
)
def test_an_impossible_value_in_screening(spoil, column, value, parts):
    message = spoil("screening", cell(column, value))
    for part in ("row 5,", f"column {column}:", "allowed:", *parts):
        assert part in message


@pytest.mark.parametrize("column", ["upcr", "usubjid", "consent_date", "cell_product_date"])
def test_a_missing_column(spoil, column):
    assert f"lacks the column {column};" in spoil("screening", lambda raw: raw.drop(columns=column))


def test_an_unknown_column(spoil, made):
    assert "has an unknown column hieght" in spoil("screening", lambda raw: raw.assign(hieght="1"))
    with pytest.raises(Problem, match="has an unknown column hieght"):
        tables.check("screening", made["screening"].assign(hieght=1.0))


def test_a_misspelt_column_names_both(spoil):
    message = spoil("screening", lambda raw: raw.rename(columns={"upcr": "UPCR"}))
    assert "lacks the column upcr" in message
    assert "has an unknown column UPCR" in message


def test_a_duplicate_key(spoil, made):
    message = spoil("screening", lambda raw: pd.concat([raw, raw.iloc[[2]]]))
    assert f"row {len(made['screening']) + 2}, column usubjid: found a second row of 'AS-0003'" in message
    message = spoil("labs", lambda raw: pd.concat([raw.iloc[:3], raw.iloc[[1]]]))
    for part in (
        "row 5, ",
        "a second row of 'AS-",
        ", 0, 'protein_24h'",
        "one row for each usubjid, visit_no, test",
    ):
        assert part in message


@pytest.mark.parametrize("test", ["creatinine", "bun", "upcr", "cystatin_c", "height"])
def test_a_wrong_unit_names_the_row_and_the_right_one(spoil, made, test):
    row = int((made["labs"]["test"] == test).idxmax()) + 2
    wrong = "mg/L" if test != "cystatin_c" else "mmol/L"
    message = spoil("labs", cell("unit", wrong, row))
    assert f"row {row}, column unit: found '{wrong}' for {test}, allowed: {UNITS[test]}" in message


def test_a_unit_that_no_table_knows(spoil, made):
    row = int((made["labs"]["test"] == "creatinine").idxmax()) + 2
    message = spoil("labs", cell("unit", "mg/dL", row))
    assert f"row {row}, column unit: found 'mg/dL'" in message
    assert "umol/L" in message


@pytest.mark.parametrize(("value", "found"), [("0.9", "0.9 umol/L"), ("90000", "90000 umol/L")])
def test_a_laboratory_value_out_of_range(spoil, made, value, found):
    row = int((made["labs"]["test"] == "creatinine").idxmax()) + 2
    message = spoil("labs", cell("value", value, row))
    assert f"row {row}, column value: found {found} for creatinine, allowed: 5 to 2000" in message


def test_every_fault_is_told_at_once(spoil):
    def change(raw):
        return cell("sex", "boy", 3)(cell("height", "900", 4)(raw))

    message = spoil("screening", change)
    assert "row 3, column sex" in message
    assert "row 4, column height" in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "not a text file"),
        (b"", "lacks the column usubjid"),
        (b"a,b\n1,2,3\n4,5,6,7\n", "row 2: found 3 values, allowed: 2"),
        (b'a,b\n1,"2\n', "not a readable CSV"),
        (b"hello\n", "lacks the column usubjid"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, content, part):
    path = tmp_path / "randomisation.csv"
    path.write_bytes(content)
    with pytest.raises(Problem, match=part) as caught:
        tables.read("randomisation", path)
    assert "randomisation.csv" in str(caught.value)


def test_a_file_cut_off_in_the_middle_of_a_row(made, tmp_path):
    path = tmp_path / "screening.csv"
    tables.write("screening", made["screening"].iloc[:6], path)
    path.write_text(path.read_text()[:-25])
    with pytest.raises(Problem, match=r"screening\.csv row 7: found \d+ values, allowed: 56,"):
        tables.read("screening", path)


def test_a_comma_too_many_in_each_row(made, tmp_path):
    path = tmp_path / "screening.csv"
    tables.write("screening", made["screening"], path)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{row}," for row in rows)]))
    with pytest.raises(Problem, match=r"row 2: found 57 values, allowed: 56"):
        tables.read("screening", path)


def test_a_column_that_stands_there_twice(made, tmp_path):
    path = tmp_path / "screening.csv"
    tables.write("screening", made["screening"], path)
    path.write_text("\n".join(f"{line},{line.split(',')[3]}" for line in path.read_text().splitlines()))
    with pytest.raises(Problem, match="has the column sex twice"):
        tables.read("screening", path)


def test_a_file_as_a_spreadsheet_saves_it(made, tmp_path):
    """A byte order mark, carriage returns and a blank last line change nothing."""
    path = tmp_path / "screening.csv"
    written = tables.write("screening", made["screening"], path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    pd.testing.assert_frame_equal(tables.read("screening", path), written, check_dtype=False, rtol=1e-9)


def test_no_file_and_a_folder_in_its_place(tmp_path):
    for path in (tmp_path / "labs.csv", tmp_path):
        with pytest.raises(Problem, match="does not exist"):
            tables.read("labs", path)


def test_a_wrong_table_is_not_written(made, tmp_path):
    path = tmp_path / "labs.csv"
    tables.write("labs", made["labs"], path)
    before = path.read_bytes()
    for wrong in (made["labs"].assign(unit="mg/dL"), made["labs"].drop(columns="unit")):
        with pytest.raises(Problem, match=r"labs\.csv"):
            tables.write("labs", wrong, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["labs.csv"]


def test_a_folder_that_cannot_be_made_is_one_message(made, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(Problem, match="can't be written"):
        tables.write("labs", made["labs"], tmp_path / "taken" / "labs.csv")
    assert (tmp_path / "taken").read_text() == ""


def test_arrays_and_frame_are_inverse(made):
    frame = made["screening"]
    back = tables.to_frame("screening", tables.to_arrays("screening", frame))
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)


def test_coding_of_columns():
    assert [tables.code("screening", "dipstick", grade) for grade in ("negative", "1+", "4+")] == [0, 2, 5]
    assert tables.code("screening", "variant", "none found") == 3


def test_coding_of_a_row(made):
    frame = made["screening"].iloc[:3].reset_index(drop=True)
    frame["consent"] = ["yes", "no", None]
    frame["dipstick"] = ["trace", None, "4+"]
    frame["hbsag"] = ["positive", "negative", None]
    frame["birth_date"] = pd.to_datetime(["2017-06-15", None, "2012-02-29"])
    arrays = tables.to_arrays("screening", tables.check("screening", frame))
    assert arrays["consent"].tolist() == [1, -1, 0]
    assert arrays["dipstick"].tolist() == [1, -1, 5]
    assert arrays["hbsag"].tolist() == [1, -1, 0]
    assert str(arrays["birth_date"][0]) == "2017-06-15"
    assert np.isnat(arrays["birth_date"][1])


@pytest.mark.parametrize("name", list(TABLES))
def test_the_codebook_is_whole(name):
    table = TABLES[name]
    names = [c.name for c in table.columns]
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert not any(c.empty for c in table.columns if c.name in table.key)
    assert all(c.meaning for c in table.columns)
    assert {c.kind for c in table.columns} <= {"text", "date", "number", "whole"}
    frame = tables.codebook(name)
    assert frame["column"].tolist() == names
    assert (frame["allowed"] != "").all()


@given(st.floats(5, 2000), st.floats(0, 100))
@settings(max_examples=100, deadline=None)
def test_numbers_survive_the_file_to_ten_digits(first, second):
    frame = pd.DataFrame({"a": [first, second], "b": [1.0, 2.0]})
    header, *rows = tables.to_csv(frame).splitlines()
    assert header == "a,b"
    for row, value in zip(rows, (first, second), strict=True):
        number, whole = row.split(",")
        assert float(number) == pytest.approx(value, rel=1e-9)
        assert whole in ("1", "2")


# ------------------------------------------------------------------ all faults of all tables at once


@pytest.fixture
def folder(made, tmp_path):
    """All raw tables of a small trial as a site would send them."""
    for name in RAW:
        tables.write(name, made[name], tmp_path / f"{name}.csv")
    return tmp_path


def rewrite(path, change) -> None:
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(raw).to_csv(path, index=False)


def all_faults(folder, own: bool = True) -> list[str]:
    with pytest.raises(Problem) as caught:
        adam.read(folder, own=own)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("own", [False, True])
def test_a_whole_folder_reads_as_its_tables(folder, made, own):
    raw = adam.read(folder, own=own)
    for name in RAW:
        pd.testing.assert_frame_equal(getattr(raw, name), made[name], check_dtype=False, rtol=1e-9)


def test_every_fault_of_every_table_is_told_at_once(folder):
    rewrite(folder / "screening.csv", lambda raw: cell("height", "tall", 2)(cell("sex", "boy", 3)(raw)))
    rewrite(folder / "visits.csv", lambda raw: cell("date", "2025-13-01", 4)(raw))
    rewrite(folder / "labs.csv", lambda raw: cell("value", "-1", 5)(cell("value", "1,5", 6)(raw)))
    rewrite(folder / "events.csv", lambda raw: raw.drop(columns="serious"))
    rewrite(folder / "infusions.csv", lambda raw: cell("usubjid", "stranger", 3)(raw))
    (folder / "treatments.csv").unlink()
    (folder / "disposition.csv").write_bytes(b"\xff\xfe\x00")
    text = (folder / "randomisation.csv").read_text().splitlines()
    wide = len(text[0].split(","))
    (folder / "randomisation.csv").write_text("\n".join([*text[:-1], text[-1].rpartition(",")[0], ""]))
    told = all_faults(folder)
    for part in (
        "screening.csv row 2, column height: found 'tall', allowed: a number",
        "screening.csv row 3, column sex: found 'boy', allowed: male or female",
        "visits.csv row 4, column date: found '2025-13-01', allowed: a date such as 2025-01-31",
        "labs.csv row 5, column value: found -1",
        "labs.csv row 6, column value: found '1,5', allowed: a number",
        "events.csv lacks the column serious",
        "infusions.csv row 3, column usubjid: found 'stranger', allowed: a child of randomisation.csv",
        "treatments.csv does not exist",
        "disposition.csv is not a text file (UTF-8)",
        f"randomisation.csv row 5: found {wide - 1} values, allowed: {wide}, one a column",
    ):
        assert [line for line in told if part in line], part
    # a cell that can't be read is told of once
    for place in ("screening.csv row 2, column height", "visits.csv row 4, column date", "labs.csv row 6"):
        assert sum(line.startswith(place) for line in told) == 1


def test_many_faults_of_a_kind_are_counted_and_all_columns_are_looked_at(folder):
    def change(raw):
        raw.loc[:, "height"] = "x"
        raw.loc[1, "weight"] = "y"
        return raw

    rewrite(folder / "screening.csv", change)
    told = [line for line in all_faults(folder) if line.startswith("screening.csv row")]
    assert len([line for line in told if "column height: found 'x'" in line]) == 3
    assert sum("more of this kind)" in line for line in told) == 1
    assert [line for line in told if "row 3, column weight: found 'y'" in line]
    with pytest.raises(Problem, match="column weight"):
        tables.read("screening", folder / "screening.csv")


def test_what_is_a_query_in_own_tables_stops_only_simulated_ones(folder):
    rewrite(folder / "disposition.csv", lambda raw: raw.assign(reason=["moved away", *raw["reason"][1:]]))
    rewrite(folder / "disposition.csv", lambda raw: raw.assign(status=["completed", *raw["status"][1:]]))
    assert len(adam.read(folder, own=True).disposition) == 4
    assert tables.read("disposition", folder / "disposition.csv", own=True)["reason"].iloc[0] == "moved away"
    assert any("disposition.csv row 2, column reason" in line for line in all_faults(folder, own=False))
    with pytest.raises(Problem, match="column reason"):
        tables.read("disposition", folder / "disposition.csv")


def test_tables_are_simulated_ones_where_nothing_else_is_said(folder):
    """What is a question in tables of a real trial is a fault of simulated ones."""
    rewrite(
        folder / "disposition.csv",
        lambda raw: cell("reason", "adverse event", 2)(cell("status", "completed", 2)(raw)),
    )
    with pytest.raises(Problem, match=r"why the child left|empty"):
        tables.read_all(folder, ["disposition"])
    assert len(tables.read_all(folder, ["disposition"], own=True)["disposition"])
