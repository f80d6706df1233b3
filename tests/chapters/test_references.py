"""The page of references: every row that a page cites is there, and addresses lead to what they name."""

import re

from helpers.build import pages
from helpers.chapters import references
from helpers.study.parameters import Parameters, about


def test_every_row_that_a_parameter_cites_is_listed_once():
    rows = references.listed()
    names = [row["id"] for row in rows]
    assert len(names) == len(set(names)) > 100
    cited = {about(name)["source"] for name in Parameters.model_fields}
    assert len(cited & set(names)) > 20
    assert all(row["what"] and (row["source"] or row["how"] == "assumed") for row in rows)


def test_an_address_is_made_of_what_the_row_names_and_nothing_else():
    assert references.pieces("10.1016/j.x.2012.04.010; PMC123, Table 1") == [
        ("10.1016/j.x.2012.04.010", "https://doi.org/10.1016/j.x.2012.04.010"),
        ("; ", ""),
        ("PMC123", "https://pmc.ncbi.nlm.nih.gov/articles/PMC123"),
        (", Table 1", ""),
    ]
    assert references.pieces("a title alone") == [("a title alone", "")]
    assert references.pieces("") == []


def test_cells_that_cite_a_row_lead_to_it_and_no_other_text_is_touched():
    html = "<p>N205</p><td>N205</td><td>as N205 and XN205, N999</td><td><b>N205</b></td>"
    assert pages.cited(html, {"N205"}) == (
        '<p>N205</p><td><a href="references.html#N205">N205</a></td>'
        '<td>as <a href="references.html#N205">N205</a> and XN205, N999</td><td><b>N205</b></td>'
    )
    assert pages.cited(html, ()) == html


def test_the_page_has_an_anchor_a_row_and_escapes_what_it_is_given():
    row = {
        "id": "N1", "what": "<b>", "value": "1", "how": "assumed", "note": "", "source": "x", "parts": [("t", "")],
    }  # fmt: skip
    page = pages.references("base", [row], ()).decode()
    assert "&lt;b&gt;" in page
    assert re.findall(r'<tr id="(\w+)"', page) == ["N1"]
