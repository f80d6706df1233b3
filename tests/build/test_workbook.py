"""The workbook: what a spreadsheet reads in it, whatever the exhibits say."""

import doctest
import io
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers.build import kernels, takeaway, workbook
from helpers.chapters import kept
from helpers.chapters.exhibits import Exhibit, Result

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "</script><b>",
    "😀 \u202e",
    "two\nlines",
    "x" * 300,
    "\x01",
)


def made(frame: pd.DataFrame, **more) -> dict:
    """An exhibit as a package takes it."""
    exhibit = Exhibit("t", more.pop("title", "T"), frame, population="all", n=3, **more)
    told = json.loads(json.dumps(kept.sheet(exhibit), allow_nan=False))
    return {**told, "label": "Table 6.1", "chapter": "Remission", "page": "06-remission.html#exhibit-t"}


def opened(*sheets: dict, title: str = "Exhibits"):
    return openpyxl.load_workbook(io.BytesIO(workbook.workbook(title, sheets)))


def column(book, letter: str = "A") -> list:
    return [cell.value for cell in book["Table 6.1"][letter]][workbook.HEAD_ROW + 1 :]


def test_no_text_becomes_a_formula_and_every_text_comes_back():
    book = opened(made(pd.DataFrame({HOSTILE[0]: HOSTILE}), title=HOSTILE[0]), title=HOSTILE[0])
    assert column(book) == [*HOSTILE[:-1], "_x0001_"] or column(book) == list(HOSTILE)
    for sheet in book:
        for row in sheet.iter_rows():
            assert all(cell.data_type != "f" for cell in row)
    cells = book["Table 6.1"]["A"][workbook.HEAD_ROW + 1 :]
    assert [bool(cell.quotePrefix) for cell in cells[:5]] == [True, True, True, True, False]
    assert book["Contents"]["A1"].value == HOSTILE[0]


def test_numbers_stay_numbers_under_what_the_page_shows():
    frame = pd.DataFrame(
        {
            "one": [1.25, float("nan"), -2.0],
            "whole": [1.0, 2.0, 30.0],
            "count": [1, 2, 3],
            "stated": [
                Result("a.b", 0.125, "mg/mg", 2),
                Result("a.c", 0.0004, text="<0.001"),
                Result("a.d", None),
            ],
            "fact": [True, False, True],
        }
    )
    book = opened(made(frame, digits={"one": 1}, columns={"one": "One", "stated": "Stated"}))
    sheet = book["Table 6.1"]
    assert [cell.value for cell in sheet[5]] == ["One", "Stated", "whole", "count", "fact"]
    assert [cell.font.italic for cell in sheet[5]] == [False, False, True, True, True]
    assert column(book) == [1.25, "–", -2.0]
    assert column(book, "B") == [0.125, 0.0004, "not estimable"]
    formats = [cell.number_format for cell in sheet["B"]][workbook.HEAD_ROW + 1 :]
    assert formats[:2] == ['0.00" mg/mg"', '"<0.001";"<0.001";"<0.001"']
    assert [cell.number_format for cell in sheet[6]] == ["0.0", '0.00" mg/mg"', "0", "0", "General"]
    assert column(book, "E") == ["yes", "no", "yes"]


def test_an_exhibit_without_rows_has_a_sheet():
    book = opened(made(pd.DataFrame({"a": pd.Series([], dtype=float)})))
    assert column(book) == []
    assert book["Table 6.1"]["A5"].value == "a"
    assert opened().sheetnames == ["Contents"]


def test_a_text_longer_than_a_cell_says_where_it_goes_on():
    (text,) = column(opened(made(pd.DataFrame({"a": ["x" * 40000]}))))
    assert len(text) == workbook.LONGEST
    assert text.endswith(workbook.CUT)


def test_the_same_exhibits_give_the_same_bytes_that_say_no_day():
    sheets = [made(pd.DataFrame({"a": [1.5]}))]
    first = workbook.workbook("E", sheets)
    assert workbook.workbook("E", sheets) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT", core)) == {"1980-01-01T"}


@pytest.mark.parametrize("text", ["12/40 (30.0 %)", "1,234", 'say "no"', "not a number", "x" * 300])
def test_a_format_shows_a_text_that_is_no_plain_number_as_it_is(text):
    shown = kept.shown_as(12.0, text)
    assert len(shown) <= kept.LONGEST_FORMAT
    assert shown.startswith('"') or shown == "General"
    assert openpyxl.styles.numbers.is_builtin(shown) is False or shown == "General"


def test_pictures_are_the_same_bytes_each_time_and_say_no_day(monkeypatch, tmp_path):
    def drawn(dpi: float) -> Figure:
        figure = Figure(figsize=(2, 1), dpi=dpi)
        figure.subplots().plot([1, 2], label="a")
        return figure

    pictures = [(kept.svg(drawn(100)), kept.png(drawn(100))) for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert b"<dc:date>" not in pictures[0][0]
    assert int.from_bytes(pictures[0][1][16:20], "big") == 2 * kept.PRINT_DPI
    exhibit = Exhibit(
        "f", "F", pd.DataFrame({"a": [1]}), population="all", n=1, figure=drawn(100), alt="rises"
    )
    kept.keep(exhibit)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv(kept.FOLDER, str(tmp_path / "here"))
    kept.keep(exhibit)
    assert {path.name for path in (tmp_path / "here").iterdir()} == {"f.json", "f.svg", f"f{kept.PRINTED}"}


def test_the_build_and_the_chapters_mean_the_same_folder_and_pictures():
    assert (takeaway.VARIABLE, takeaway.PRINTED) == (kept.FOLDER, kept.PRINTED)
    assert kernels.DRAWN == kept.DRAWN


def test_the_examples_of_the_docstrings_run():
    assert doctest.testmod(workbook).failed == 0
    assert doctest.testmod(kept).failed == 0


@pytest.mark.parametrize(("name", "told"), [("base", {}), ("no-effect", {"scenario": "no-effect"})])
def test_a_chapter_is_drawn_again_for_its_own_scenario(name, told, tmp_path, monkeypatch):
    """As the build runs it: the first cell of a notebook says base, any other scenario is told."""
    asked = []
    monkeypatch.setattr(
        takeaway, "execute", lambda source, out, parameters, env: asked.append((source, parameters, env))
    )
    data = tmp_path / name
    data.mkdir()
    (data / "adsl.csv").write_text("USUBJID\n")
    edition = SimpleNamespace(name=name, data=data)
    takeaway.again(
        edition, SimpleNamespace(stem="06-remission"), tmp_path / "kept" / "06-remission", {"A": "b"}
    )
    [(source, parameters, env)] = asked
    assert source.name == "06-remission.ipynb"
    assert parameters == told
    assert env["A"] == "b"
    assert env[takeaway.VARIABLE] == str(tmp_path / "kept" / "06-remission")
    assert not Path(env["ALPORT_DATA"]).exists(), "the copy of the tables is gone"


def test_what_no_page_shows_is_shown_as_it_is_and_texts_that_are_numbers_are_numbers():
    data = pd.DataFrame({"child": ["7", "08"], "a": ["0.05", "none"], "p": [0.08557, 1e-5]})
    book = opened(made(data, columns={"child": "Child", "a": "As shown"}))
    assert [column(book, letter) for letter in "ABC"] == [["7", "08"], [0.05, "none"], [0.08557, 1e-5]]
    assert [book["Table 6.1"][f"{letter}6"].number_format for letter in "BC"] == ["0.00", "General"]
