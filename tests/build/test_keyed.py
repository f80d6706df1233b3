"""Each number on a page carries its key: in sentences, in cells, on the overviews."""

import re

import pytest

from helpers.build import keyed, pages
from helpers.chapters.contents import Chapter

CHAPTERS = (Chapter("00-one", "One", "First."),)


def notebook(*cells) -> dict:
    """Code cells from (source, outputs)."""
    code = {"cell_type": "code", "metadata": {}}
    return {"cells": [code | {"source": source, "outputs": outputs} for source, outputs in cells]}


def page(*cells) -> str:
    files, *_ = pages.chapter_page(notebook(*cells), CHAPTERS[0], CHAPTERS, "base", "0123456789abcdef0123")
    return files["00-one.html"].decode()


def output(data: dict, **metadata) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def table(key: str) -> dict:
    """A table that states a result."""
    result = {"key": "one.mean", "value": 1.0, "unit": "", "digits": 1, "shown": "1.0"}
    record = {"key": key, "kind": "table", "title": "T", "alt": "", "csv": "a\n1\n", "results": [result]}
    return output({"text/html": "<table><tr><td>1</td></tr></table>"}, exhibit=record)


def said(text: str, *numbers: tuple[str, str]) -> dict:
    """A sentence with (number, key) at the first place where each stands."""
    filled = [[text.index(number), text.index(number) + len(number), key] for number, key in numbers]
    results = [{"key": key, "value": 1.0, "unit": "", "digits": 1, "shown": "1.0"} for _, key in numbers]
    return output({"text/markdown": text, "text/plain": text}, results=results, filled=filled)


def with_cells(key: str, *named) -> dict:
    shown = table(key)
    html = '<div class="scroll"><table class="exhibit"><caption><span>T</span></caption>\n<thead><tr><th>a</th></tr>'
    html += (
        '</thead>\n<tbody>\n<tr><th scope="row">x</th><td class="num">1.0</td></tr>\n</tbody></table></div>'
    )
    shown["data"]["text/html"] = html
    shown["metadata"]["exhibit"] |= {"cells": [list(one) for one in named]}
    return shown


def test_a_number_in_a_sentence_leads_to_its_cell_its_exhibit_or_the_results():
    text = page(
        ("a", [said("**8** of 20, <b> p 0.086; 7", ("8", "one.mean"), ("0.086", "one.p"), ("7", "t.n"))]),
        ("b", [with_cells("t", (0, 1, "one.mean"))]),
    )
    assert '<strong><a class="key" href="#result-one.mean" title="one.mean">8</a></strong> of 20' in text
    assert '<a class="key" href="results.json" title="one.p">0.086</a>' in text
    assert "&lt;b&gt;" in text
    blinded = keyed.sentence("7", [(0, 1, "t.n")], str, {}, "results-dummy-arms.json")
    assert blinded == '<a class="key" href="results-dummy-arms.json" title="t.n">7</a>'
    assert (
        '<td class="num"><a class="key" id="result-one.mean" href="#result-one.mean" title="one.mean">1.0</a>'
        in text
    )
    stated = page(("a", [said("8", ("8", "one.mean"))]), ("b", [table("t")]))
    assert 'href="#exhibit-t" title="one.mean">8</a>' in stated


def test_the_words_are_the_same_and_no_id_stands_twice():
    sentence = "**8** of 20; p 0.086"
    cells = [with_cells("t", (0, 1, "one.mean")), with_cells("u", (0, 1, "one.mean"))]
    linked = page(("a", [said(sentence, ("8", "one.mean"))]), ("b", cells))
    plain = page(("a", [output({"text/markdown": sentence})]), ("b", [table("t"), table("u")]))
    words = [
        re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", "", one, flags=re.S))
        for one in (linked, plain)
    ]
    assert "8 of 20; p 0.086" in words[0]
    assert "8 of 20; p 0.086" in words[1]
    ids = re.findall(r' id="([^"]+)"', linked)
    assert ids.count("result-one.mean") == 1
    assert linked.count('href="#result-one.mean"') == 3
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("text", ["[8](b.ipynb)", "`8` x", "$8$ y", "# 8", "    8", "**[a 8](x.ipynb)**"])
def test_where_no_link_can_stand_there_is_none(text):
    shown = page(("a", [said(text, ("8", "one.mean"))]))
    assert 'class="key"' not in shown
    assert keyed.OPEN not in shown


def test_marks_of_somebody_and_positions_that_cannot_be_change_nothing():
    plain = said("8 \ue000 8", ("8", "one.mean"))
    assert 'class="key"' not in page(("a", [plain]))
    shown = said("8", ("8", "one.mean"))
    shown["metadata"]["filled"] = [[5, 9, "one.mean"], [0, 0, "one.mean"]]
    assert 'class="key"' not in page(("a", [shown]))


def test_a_key_is_escaped_and_a_cell_without_words_or_beyond_the_table_is_left():
    assert keyed.number("1", 'a"<', 'x"y') == '<a class="key" href="x&quot;y" title="a&quot;&lt;">1</a>'
    html = "<table><tbody>\n<tr><td></td><td>2</td></tr>\n</tbody></table>"
    assert keyed.cells(html, [[0, 0, "a.b"], [7, 0, "a.c"]], set()) == html
    assert keyed.cells("<p>no table</p>", [[0, 0, "a.b"]], set()) == "<p>no table</p>"


def test_limits_are_told_in_the_cell_of_their_estimate():
    html = "<table><tbody>\n<tr><td>1 (0 to 2)</td></tr>\n</tbody></table>"
    stated = ["a.b", "a.b_lower", "a.b_upper", "a.c_lower"]
    assert 'title="a.b, a.b_lower, a.b_upper"' in keyed.cells(html, [[0, 0, "a.b"]], set(), stated)


def test_a_failed_page_leads_nowhere_that_is_not_there():
    cells = notebook(("a", [said("8", ("8", "one.mean")), with_cells("t", (0, 1, "one.mean"))]))
    assert 'class="key"' not in pages.failed_page(cells, CHAPTERS[0], "base").decode()


def test_numbers_of_the_first_page_and_the_comparison_lead_to_their_chapter():
    (key,) = [key for _, _, columns in pages.COMPARED for label, key in columns if label == "Boschloo p"]
    one = {"06-remission": {"results": {key: {"shown": "<.04"}}, "exhibits": {}}}
    told = {"about": "A.", "records": one, "parameters": {}}
    text = pages.comparison({"base": told}).decode()
    assert f'<a class="key" href="base/06-remission.html" title="{key}">&lt;.04</a>' in text
