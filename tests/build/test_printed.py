"""The report as one document, and as PDF where Chromium is installed."""

import re

import pytest

from helpers.build import printed

PAGE = """<!DOCTYPE html><html><head><style>p {{ color: red }}</style></head><body>
<header class="banner"><p>Synthetic data.</p></header><nav class="chapters"><a href="a.html">A</a></nav>
<main id="content"><h1 id="top">{title}</h1><h2 id="part">Part</h2><p>See <a href="b.html#part">there</a>, <a
href="#part">here</a>, <a href="b.html">B</a>, <a href="results.json">all</a>.</p>
<details class="folded"><summary>F</summary><p>inside {title}</p></details><details class="code"><p>code</p></details>
<footer>foot</footer></main></body></html>"""
PAGES = [("a.html", PAGE.format(title="First &lt;b&gt;")), ("b.html", PAGE.format(title="Second"))]


def test_the_pages_are_one_document_whose_links_lead_inside_it():
    text = printed.whole(PAGES, "</title><script>no()</script>")
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert ids == ["a", "a-top", "a-part", "b", "b-top", "b-part"]
    inside = re.findall(r'href="#([^"]+)"', text)
    assert inside == ["b-part", "a-part", "b", "b-part", "b-part", "b"]
    assert "results.json" not in text, "a path of this machine would stand in the PDF"
    assert text.count("Synthetic data.") == 1
    assert text.count('<details class="folded" open="">') == 2
    assert "code</p>" not in text
    assert "foot" not in text
    assert "<script>" not in text
    assert "&lt;b&gt;" in text


def test_a_pdf_says_no_day_and_counts_its_elements_from_one():
    content = (
        b"<</CreationDate (D:20261128001633+02'00')\n/ModDate (D:20261128001633+02'00')>>"
        b"/ID (node00000108) /ID (node00000120) [(node00000108)] startxref\n12\n"
    )
    found = printed.undated(content)
    assert len(found) == len(content)
    assert found.count(b"D:19800101000000+00'00'") == 2
    assert found.endswith(b"/ID (node00000001) /ID (node00000002) [(node00000001)] startxref\n12\n")
    assert (
        printed.undated(content.replace(b"00000108", b"00000107").replace(b"00000120", b"00000119")) == found
    )


def test_chromium_prints_an_outline_and_numbered_pages_the_same_each_time(tmp_path, monkeypatch):
    program = printed.chromium()
    if program is None:
        pytest.skip("no Chromium is installed here: that a PDF is printed is tested where there is one")
    place = tmp_path / "a folder" / "whole.html"
    place.parent.mkdir()
    place.write_text(printed.whole(PAGES, "T"), "utf-8")
    # as in a project whose folder has a long path
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("x" * 100)))
    first = printed.pdf(place, "Trial <x>", program)
    assert first.startswith(b"%PDF")
    assert b"/Outlines" in first
    assert len(re.findall(rb"/Type /Page\b(?!s)", first)) == 2
    assert b"file:" not in first
    other = tmp_path / "elsewhere.html"
    other.write_bytes(place.read_bytes())
    assert printed.pdf(other, "Trial <x>", program) == first


def test_a_program_that_is_no_chromium_is_told(tmp_path):
    place = tmp_path / "whole.html"
    place.write_text("x")
    with pytest.raises(printed.NotPrinted, match="Chromium ended"):
        printed.pdf(place, "T", "/bin/true")
