"""Pages: what they say, what they escape, and how they open in a browser without any network."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pandas as pd
import pytest
from chromium import requests, sized

from helpers.build import pages
from helpers.chapters.contents import CHAPTERS as CONTENTS
from helpers.chapters.contents import Chapter

CHAPTERS = (Chapter("00-one", "One & only", "First."), Chapter("01-two", "Two", "Second."))


def notebook(*cells) -> dict:
    """Markdown cells from text, code cells from (source, outputs)."""
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append({"cell_type": "markdown", "metadata": {}, "source": cell})
        else:
            made.append({"cell_type": "code", "metadata": {}, "source": cell[0], "outputs": cell[1]})
    return {"cells": made}


def page(*cells, chapter=CHAPTERS[0]) -> str:
    files, *_ = pages.chapter_page(notebook(*cells), chapter, CHAPTERS, "base", "0123456789abcdef0123")
    return files[f"{chapter.stem}.html"].decode()


def main(text: str) -> str:
    """What stands on a page between its heads and its foot."""
    return text.split('<main id="content">')[1]


def output(data: dict, **metadata) -> dict:
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def table(key: str, value: float = 1.0) -> dict:
    results = [{"key": "one.mean", "value": value, "unit": "", "digits": 1, "shown": f"{value:.1f}"}]
    record = {"key": key, "kind": "table", "title": key, "alt": "", "csv": "a\n1\n", "results": results}
    return output({"text/html": "<table><tr><td>1</td></tr></table>"}, exhibit=record)


@pytest.fixture(params=["miniature", pytest.param("whole", marks=pytest.mark.slow)])
def built(request):
    """A project with a built report: three tiny chapters, and the real ones."""
    return request.getfixturevalue({"miniature": "built_once", "whole": "whole_project"}[request.param])


class Addresses(HTMLParser):
    """Every href and src of a page, and every id."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)


def test_the_first_thing_said_is_that_the_data_are_synthetic():
    body = page("# Plan").split("<body>")[1]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body)).strip()
    assert words.startswith(
        "Synthetic data. Every child in this report is simulated, and the treatment effect is an"
    )
    assert "Scenario: base." in words[:300]


def test_everything_from_text_is_escaped():
    stream = {"output_type": "stream", "name": "stdout", "text": "<script>two()</script>"}
    plain = output({"text/plain": "<script>three()</script>"})
    text = page("# <script>one()</script>", ("'<script>four()</script>'", [stream, plain]))
    assert "<script" not in text
    assert "&lt;script&gt;two()" in text


def test_no_script_and_nothing_from_elsewhere():
    text = page("# Plan\n\n[a](https://example.org) [b](javascript:alert(1))")
    assert "<script" not in text
    assert 'href="javascript:' not in text
    assert not re.search(r"(src|@import|url\()\s*=?\s*[\"']?https?:", text)


def test_code_is_closed_and_stands_once_behind_its_section():
    shows = output({"text/plain": "2"})
    text = page(
        "# Plan", ("import os", []), ("1 + 1", [shows]), "words", ("", []), "## Next", ("last = 1", [])
    )
    assert text.count('<details class="code"><summary>Show code</summary>') == 2
    body = main(text)
    assert "<details open" not in body
    assert body.index("<p>words") < body.index("Show code") < body.index("<h2")


def test_formulas_become_mathml_wherever_they_stand():
    text = page(
        "# Plan\n\n## Slope $\\beta$\n\n$$\\frac{a}{b}$$\n\n\\begin{align}x&=1\\end{align}\n\nand $x^2$."
    )
    assert text.count("<math") >= 4
    assert "$" not in main(text)
    assert 'display="block"' in text


def test_contents_link_to_headings_that_have_the_same_name():
    text = page("# Plan\n\n## Result\n\n## Result\n\n### Deep")
    found = Addresses(text)
    assert {"result", "result-2", "deep"} <= set(found.ids)
    assert [link for link in found.links if link.startswith("#")] == [
        "#content",
        "#result",
        "#result-2",
        "#deep",
    ]
    assert len(found.ids) == len(set(found.ids))


def test_previous_next_and_where_we_are():
    first, last = page("# a"), page("# b", chapter=CHAPTERS[1])
    assert 'rel="next" href="01-two.html"' in first
    assert 'rel="prev"' not in first
    assert 'rel="prev" href="00-one.html">← One &amp; only' in last
    assert '<a href="01-two.html" aria-current="page">' in last


def test_links_written_for_notebooks_work_on_pages():
    text = page("# a\n\n[t](01-two.ipynb#deep) [d](../data/reference/targets.csv) [r](#x)")
    assert {"01-two.html#deep", "../../data/reference/targets.csv", "#x"} <= set(Addresses(text).links)


def test_exhibits_bring_files_and_results():
    files, results, exhibits = pages.chapter_page(
        notebook(("a", [table("t")])), CHAPTERS[0], CHAPTERS, "base", "k"
    )
    assert list(exhibits) == ["t"]
    assert files["exhibits/00-one/t.csv"] == b"a\n1\n"
    assert results["one.mean"]["value"] == 1.0
    assert "exhibits/00-one/t.csv" in Addresses(files["00-one.html"].decode()).links
    kept = json.loads(pages.results_file({"00-one": results}))
    stated = {"value": 1.0, "unit": "", "digits": 1, "shown": "1.0", "exhibit": "Table 0.1"}
    assert kept == {"00-one": {"one.mean": stated}}


def test_two_exhibits_or_two_results_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two exhibits are called 't'"):
        page(("a", [table("t"), table("t")]))
    with pytest.raises(ValueError, match=r"two results are called 'one\.mean'"):
        page(("a", [table("t", 1.0), table("u", 2.0)]))


# ------------------------------------------------------------------ piece by piece


def figure(**changed) -> dict:
    record = {
        "key": "f",
        "kind": "figure",
        "title": "A <b>",
        "alt": "it falls",
        "csv": "a\n1\n",
        "results": [],
    }
    record |= {"population": "all", "n": "7", "method": "", "conventions": [], "caption": ""} | changed
    return output({"image/png": "aGVsbG8="}, exhibit=record) | {
        "metadata": {"exhibit": record, "image/png": {"width": 640}}
    }


def test_a_drawing_stands_on_the_page_and_the_picture_beside_it():
    drawn = notebook(("a", [figure(svg="<svg>é</svg>")]))
    files, _, exhibits = pages.chapter_page(drawn, CHAPTERS[0], CHAPTERS, "base", "k")
    assert files["exhibits/00-one/f.png"] == b"hello"
    assert files["exhibits/00-one/f.svg"].decode() == "<svg>é</svg>"
    assert exhibits["f"]["picture"] == ".svg"
    text = files["00-one.html"].decode()
    assert '<img src="exhibits/00-one/f.svg" alt="it falls" width="640">' in text


def test_a_figure_brings_its_picture_and_says_of_whom():
    files, _, exhibits = pages.chapter_page(notebook(("a", [figure()])), CHAPTERS[0], CHAPTERS, "base", "k")
    assert files["exhibits/00-one/f.png"] == b"hello"
    assert exhibits == {
        "f": {"kind": "figure", "title": "A <b>", "alt": "it falls", "label": "Figure 0.1", "picture": ".png"}
    }
    text = files["00-one.html"].decode()
    assert '<img src="exhibits/00-one/f.png" alt="it falls" width="640">' in text
    assert '<p class="title"><b class="label">Figure 0.1</b> A &lt;b&gt; <a class="permalink"' in text
    assert "<p>Population: all; n = 7.</p>" in text
    assert 'id="exhibit-f"' in text
    assert "Data of Figure 0.1 (CSV)" in text
    told = page(("a", [figure(method="KM", conventions=["log-log", "arm order"], caption="Seen <often>.")]))
    assert "<p>Population: all; n = 7; Method: KM; Conventions: log-log, arm order.</p>" in told
    assert "<p>Seen &lt;often&gt;.</p>" in told


def test_the_richest_form_that_a_page_can_show():
    forms = {
        "text/html": ["<i>", "html</i>"], "text/markdown": "*down*", "image/png": "aGVs\nbG8=",
        "text/latex": "$x^2$", "text/plain": "<plain>",
    }  # fmt: skip
    shown = [
        '<div class="output scroll" tabindex="0"><i>html</i></div>',
        "<em>down</em>",
        'src="data:image/png;base64,aGVsbG8="',
        'display="block"',
        '<pre class="output">&lt;plain&gt;</pre>',
        '<pre class="output"></pre>',
    ]
    for wanted in shown:
        assert wanted in page(("a", [output(forms)])), wanted
        forms = dict(list(forms.items())[1:])


def test_a_frame_of_pandas_styles_no_other_table():
    import pandas as pd

    html = pd.DataFrame({"name": ["a"]})._repr_html_()
    assert "text-align: right" in html
    text = main(page(("frame", [output({"text/html": html})])))
    assert "text-align: right" not in text
    assert "<style" not in text
    assert "<th></th>" not in text
    assert "<th>name</th>" in text


def test_streams_and_errors_are_shown_as_such():
    stream = {"output_type": "stream", "name": "stderr", "text": ["one ", "two"]}
    error = {"output_type": "error", "traceback": ["\x1b[31mred\x1b[0m", "<last>"]}
    text = page(("a", [stream, error]))
    assert '<pre class="output stderr" tabindex="0">one two</pre>' in text
    assert '<pre class="output error">red\n&lt;last&gt;</pre>' in text


def test_notes_of_an_exhibit_are_no_output_and_results_beside_it_count():
    said = {"key": "n", "value": 1, "unit": "", "digits": 0, "shown": "1"}
    notes = output({"text/plain": "told elsewhere"}, exhibit_notes=True, results=[said])
    files, results, _ = pages.chapter_page(notebook(("a", [notes])), CHAPTERS[0], CHAPTERS, "base", "k")
    assert "told elsewhere" not in files["00-one.html"].decode()
    assert results == {"n": said}
    # the same result said twice is one
    page(("a", [notes, notes]))


def test_cells_of_other_kinds_and_without_words_show_nothing():
    cells = notebook("# One")["cells"]
    cells += [
        {"cell_type": "raw", "source": "raw words"},
        {"cell_type": "code", "source": ["  \n"], "outputs": []},
    ]
    files, *_ = pages.chapter_page({"cells": cells}, CHAPTERS[0], CHAPTERS, "base", "k")
    body = files["00-one.html"].decode()
    assert "raw words" not in body
    assert "Show code" not in body


def test_a_chapter_without_a_heading_gets_its_title_and_only_then():
    assert "<h1>One &amp; only</h1>" in page("words")
    assert "One &amp; only</h1>" not in page("# Another")
    assert "<h1>One &amp; only</h1>" in page("## Deeper")


def test_contents_hold_the_second_and_third_level():
    text = page("# One\n\n## Two\n\n### Three\n\n#### Four\n\n## !?")
    links = [link for link in Addresses(text).links if link.startswith("#")]
    assert links == ["#content", "#two", "#three", "#section"]


def test_the_footer_names_scenario_and_key():
    assert "Scenario base · content key 0123456789abcdef · trial NCT06731192" in page("# One")


def test_a_page_of_two_settings_names_them_in_place_of_a_scenario():
    files, *_ = pages.chapter_page(
        notebook("# One"), CHAPTERS[0], CHAPTERS, "compare", "k", named="A: base; B: <x>"
    )
    text = files["00-one.html"].decode()
    assert "<strong>A: base; B: &lt;x&gt;</strong>.</p>" in text
    assert "A: base; B: &lt;x&gt; · content key k" in text
    assert "Scenario" not in text


def test_formulas_that_are_none_stay_as_they_are():
    assert pages._formula("\\sqrt", "inline") == "<code>\\sqrt</code>"
    assert pages._formula("<^", "inline") == "<code>&lt;^</code>"
    assert pages._formula(" x^2 ", "inline").startswith("<math")


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("a.ipynb", "a.html"), ("a.ipynb#x", "a.html#x"), ("../README.md", "../../README.md"),
        ("#x", "#x"), ("/abs.ipynb", "/abs.ipynb"), ("HTTPS://a/b.ipynb", "HTTPS://a/b.ipynb"),
        ("mailto:a@b", "mailto:a@b"), ("a.ipynb.txt", "a.ipynb.txt"), ("pic.png", "pic.png"),
    ],
)  # fmt: skip
def test_addresses_of_notebooks_as_seen_from_pages(written, moved):
    assert pages._moved(written) == moved


def test_a_failed_chapter_shows_how_far_it_came():
    error = {"output_type": "error", "traceback": ["no luck"]}
    text = pages.failed_page(notebook("# One", ("a", [table("t"), error])), CHAPTERS[0], "base").decode()
    assert "<title>Failed: One &amp; only · base" in text
    assert "no luck" in text
    assert "<td>1</td>" in text
    assert "exhibits/" not in text, "no file of it is written"
    tagged = notebook("# One", ("a", [table("t"), error]))
    tagged["cells"][1]["metadata"]["tags"] = [pages.FINDING]
    assert pages.failed_page(tagged, CHAPTERS[0], "base").decode() == text, "a finding stands where it ran"


def records(shown: str) -> dict[str, dict]:
    """What two chapters have: a result and a picture that the comparison shows, and one that it doesn't."""
    (key,) = [key for _, _, columns in pages.COMPARED for label, key in columns if label == "Boschloo p"]
    stem, picture = pages.OVERVIEW[-1]
    exhibit = {"kind": "figure", "title": "Curves", "alt": "they rise"}
    return {
        "06-remission": {"results": {key: {"shown": shown}}, "exhibits": {"other": exhibit}},
        stem: {"results": {}, "exhibits": {picture: exhibit}},
    }


def test_the_overview_of_a_scenario_shows_chapters_pictures_and_what_is_known():
    stem, picture = pages.OVERVIEW[-1]
    made = pages.scenario_index("worse", "Assumed: much.", CHAPTERS, "0123456789abcdef0123", records(".04"))
    text = made.decode()
    assert "scenario worse</h1>" in text
    assert "Assumed: much." in text
    assert '<a href="00-one.html">One &amp; only</a><br>First.' in text
    assert (
        f'<a href="{stem}.html#exhibit-{picture}"><img src="exhibits/{stem}/{picture}.png" alt="they rise">'
        in text
    )
    assert text.count("<figure>") == 1
    assert re.search(r'p = <a class="key" href="06-remission.html" title="[a-z.]+">\.04</a>\.', text)
    assert "placebo not reported" in text
    assert "content key 0123456789abcdef ·" in text
    assert 'id="pictures"' not in pages.scenario_index("worse", "A.", CHAPTERS, "k", {}).decode()


def test_the_exact_chance_of_a_claim_stands_before_the_simulated_one():
    """Chapter 08 leads with the enumeration where there is one."""
    simulated = {"operating.brief.false_claim": {"shown": "1.0 % (0.6 to 1.5)"}}
    exact = {"operating.brief.false_claim_exact": {"shown": "1.5 %"}}
    for results, told in ((simulated, "1.0 % (0.6 to 1.5)"), (simulated | exact, "1.5 %")):
        known = {"08-operating": {"results": results, "exhibits": {}}}
        one = {"about": "A.", "records": known, "parameters": {}}
        text = pages.comparison({"base": one, "other": one}).decode()
        cell = next(line for line in text.splitlines() if 'data-label="Claims for cells' in line)
        assert f">{told}</a></td>" in cell
        assert "1.0 %" not in text or told.startswith("1.0")


def test_the_comparison_has_a_column_a_scenario_and_what_differs():
    parameters = {"dropout": 0.1, "alpha": 0.05, "block_sizes": [4, 6], "rules": ["a"]}
    other = parameters | {"dropout": 0.2, "block_sizes": [2]}
    scenarios = {
        "base": {"about": "As planned.", "records": records(".04"), "parameters": parameters},
        "worse": {"about": "More leave.", "records": records(".20"), "parameters": other},
    }
    linked = pages.comparison(scenarios).decode()
    text = re.sub(r'<a class="key"[^>]*>(.*?)</a>', r"\1", linked)
    assert text != linked
    for name, p in (("base", ".04"), ("worse", ".20")):
        head = f'<th scope="row"><a href="{name}/index.html">{name}</a></th>'
        row = next(line for line in text.splitlines() if head in line and "Boschloo p" in line)
        assert row.endswith(f'<td data-label="Boschloo p">{p}</td></tr>')
    assert "<code>dropout</code> 0.2 (0.1), <code>block_sizes</code> 2 (4, 6)</td></tr>" in text
    assert text.index("What differs in the assumptions") < text.index("Boschloo p")
    assert "alpha" not in text
    assert "rules" not in text
    assert '<td data-label="In words">More leave.</td>' in text
    stem, picture = pages.OVERVIEW[-1]
    assert (
        f'<a href="worse/{stem}.html"><img src="worse/exhibits/{stem}/{picture}.png" alt="they rise"></a>'
        in text
    )
    assert "worse: Curves" in text
    assert text.count("<figure>") == 2


def test_the_list_of_scenarios_links_to_the_comparison_where_there_are_two():
    one = pages.overall_index([("base", "As planned.")]).decode()
    two = pages.overall_index([("base", "As planned."), ("worse", "More.")]).decode()
    assert '<a href="base/index.html">base</a><br>As planned.' in one
    assert "comparison.html" not in one
    assert two.count('href="comparison.html"') == 1
    assert '<a href="worse/index.html">worse</a><br>More.' in two


def test_the_first_page_greets_a_stranger():
    key = "operating.brief.power"
    stems = [stem for _, places in pages.WAYS for stem, _ in places if stem != "09-validation"]
    found = {stem: {"results": {}, "exhibits": {}} for stem in stems}
    found["08-operating"]["results"][key] = {"shown": "50 % (47 to 52)"}
    text = pages.overall_index([("base", "As planned."), ("worse", "More.")], found).decode()
    assert "Alport syndrome is an inherited disease" in text
    words = re.sub(r"<[^>]+>", "", text)
    assert "a chance of 50 % (47 to 52) by its primary endpoint" in words
    places = Addresses(text).links
    assert len(stems) == 5
    assert {f"base/{stem}.html" for stem in ["index", *stems]} <= set(places)
    assert "base/09-validation.html" not in places, "it was not built"
    assert 'id="answer"' not in pages.overall_index([("base", "As planned.")]).decode(), (
        "nothing is known yet"
    )


def test_results_are_written_in_order_and_without_their_key_twice():
    found = pages.results_file(
        {"b": {"z": {"key": "z", "value": 1}, "a": {"key": "a", "value": "µ"}}, "a": {}}
    )
    assert (
        found.decode()
        == json.dumps({"a": {}, "b": {"a": {"value": "µ"}, "z": {"value": 1}}}, indent=1, ensure_ascii=False)
        + "\n"
    )
    with pytest.raises(ValueError, match="Out of range"):
        pages.results_file({"a": {"x": {"key": "x", "value": float("nan")}}})


# ------------------------------------------------------------------ exhibits are cited, and fold


def a_table(key: str, **changed) -> dict:
    """A table as an exhibit shows it, with its caption and its frame."""
    title = f"All about {key}"
    inner = (
        f'<div class="scroll"><table><caption><span>{title}</span></caption><tr><td>1</td></tr></table></div>'
    )
    record = {
        "key": key,
        "kind": "table",
        "title": title,
        "alt": "",
        "csv": "a\n1\n",
        "results": [],
    } | changed
    return output({"text/html": inner}, exhibit=record)


def test_exhibits_are_numbered_by_chapter_kind_and_place():
    cells = ("a", [a_table("s"), figure(key="f"), a_table("t"), figure(key="g")])
    text = page(cells, chapter=CHAPTERS[1])
    named = re.findall(r'<b class="label">([^<]+)</b>', text)
    assert named == ["Table 1.1", "Figure 1.1", "Table 1.2", "Figure 1.2"]
    found = Addresses(text)
    for key in "sftg":
        assert f"exhibit-{key}" in found.ids
        assert f"#exhibit-{key}" in found.links
    assert 'aria-label="Link to Table 1.2">#</a>' in text
    alone = pages._Chapter("index")
    assert [alone.number("table"), alone.number("figure"), alone.number("table")] == [
        "Table 1",
        "Figure 1",
        "Table 2",
    ]


def test_a_folded_exhibit_shows_its_number_and_title_alone():
    text = page(("a", [a_table("s", folded=True)]))
    closed = re.search(r"<summary>(.*?)</summary>", main(text))[1]
    assert closed == '<b class="label">Table 0.1</b> All about s'
    assert '<details class="folded"><summary>' in text
    # where a link leads is inside, so that the browser opens the fold
    assert text.index('<details class="folded">') < text.index('id="exhibit-s"') < text.index("1</td>")


def test_a_page_begins_with_its_finding_and_key_exhibit():
    said = output({"text/markdown": "It fell.", "text/plain": "It fell."}, results=[])
    cells = notebook(
        "# Title\n\nWords.", ("show(other)", [a_table("other")]),
        "## Section", ("show(found)", [a_table("key"), a_table("more", folded=True)]), ("say()", [said]),
    )  # fmt: skip
    for cell in cells["cells"][3:]:
        cell["metadata"]["tags"] = ["finding"]
    files, *_ = pages.chapter_page(cells, CHAPTERS[0], CHAPTERS, "base", "k")
    text = main(files["00-one.html"].decode())
    order = [
        "Title</h1>",
        '<div class="headline"><p>It fell.</p>',
        'id="exhibit-key"',
        "<p>Words.</p>",
        'id="exhibit-other"',
        "Section</h2>",
        'href="#exhibit-key">Table 0.1</a> stands at the top',
        'id="exhibit-more"',
        "show(found)",
    ]
    code = re.sub(r"<span[^>]*>|</span>", "", text)
    assert [code.count(one) for one in order] == [1] * len(order)
    assert sorted(order, key=code.index) == order
    assert re.findall(r'class="label">([^<]+)', text) == ["Table 0.1", "Table 0.2", "Table 0.3", "Table 0.3"]


def test_a_cell_says_its_heading_for_a_narrow_screen():
    rows = '<tr><th scope="row">ALT</th><td class="num">1</td><td></td></tr>'
    head = '<tr><th>Test</th><th>Value <span class="unit">(U/L)</span></th><th></th></tr>'
    made = pages.carded(f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>")
    assert '<table class="cards">' in made
    assert '<th scope="row">ALT</th><td data-label="Value (U/L)" class="num">1</td><td></td>' in made
    two = "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><th>c</th><td>d</td></tr></tbody></table>"
    assert pages.carded(two) == two, "two columns fit any screen"


def test_a_cell_says_the_headings_of_a_frame_with_several_lines_of_them():
    columns = pd.MultiIndex.from_product([["median", "count"], ["Placebo", "hUC-MSC"]], names=[None, "arm"])
    index = pd.MultiIndex.from_tuples([("X-linked", "F"), ("X-linked", "M")], names=["form", "sex"])
    frame = pd.DataFrame([[1, 2, 3, 4], [5, 6, 7, 8]], index=index, columns=columns)
    made = pages.carded(frame.to_html())
    assert re.findall(r'data-label="([^"]+)">(\d)<', made) == [
        (f"{what}, {arm}", str(n))
        for row in (0, 4)
        for n, (what, arm) in enumerate(
            [("median", "Placebo"), ("median", "hUC-MSC"), ("count", "Placebo"), ("count", "hUC-MSC")],
            row + 1,
        )
    ]


def test_a_table_of_long_words_is_wide_and_a_checksum_breaks():
    head = "<tr>" + "<th>heading</th>" * 6 + "</tr>"
    row = "<tr>" + f"<td>{'long' * 5}</td>" * 6 + "</tr>"
    table = f"<table><thead>{head}</thead><tbody>{row}</tbody></table>"
    assert 'class="cards wide"' in pages.carded(table)
    assert 'class="cards"' in pages.carded(table.replace("long", "l"))
    why = "not estimable: no child in one of the arms"
    mixed = table.replace("<td>longlong", f'<td class="num">{why} ', 1).replace("<td>l", '<td class="num">l')
    assert pages.carded(mixed).count('class="prose num"') == 1, "words wrap in a column of numbers"
    numbers = table.replace(f"<td>{'long' * 5}", '<td class="num">8/20, 40.0 % (21.9 to 61.3)')
    assert "prose" not in pages.carded(numbers)
    digest = table.replace("long" * 5, "0" * 64, 1)
    assert '<td data-label="heading" class="breaks">000' in pages.carded(digest)


def test_a_sentence_cites_by_number_the_exhibit_that_states_its_numbers():
    said = output(
        {"text/markdown": "The mean is 1.0.", "text/plain": ""},
        results=table("s")["metadata"]["exhibit"]["results"],
        filled=[[12, 15, "one.mean"]],
    )
    cells = notebook("# Title", ("say()", [said]), ("show(s)", [a_table("other"), table("s")]))
    files, results, _ = pages.chapter_page(cells, CHAPTERS[1], CHAPTERS, "base", "k")
    text = files["01-two.html"].decode()
    assert '</a>. <span class="cited">(<a href="#exhibit-s">Table 1.2</a>)</span></p>' in text, (
        "before it is shown"
    )
    assert results["one.mean"]["exhibit"] == "Table 1.2"
    quoted = [
        output(
            {"text/markdown": "> The mean is 1.0.", "text/plain": ""},
            results=[],
            filled=[[14, 17, "one.mean"]],
        )
    ]
    text = page("# Title", ("show(s)", [table("s")]), ("say()", quoted))
    assert 'class="cited"' not in text, "what is to be copied stays as it is"


def test_what_a_chapter_assumes_is_closed_and_in_words():
    cells = notebook(
        ("scenario = 'base'  # a file\nfall = None  # proportion, least fall\nrule = None  # 'a' or 'b'", [])
    )
    cells["cells"][0]["metadata"]["tags"] = ["parameters"]
    table = (
        "<table><tr><th>parameter</th></tr><tr><td>fall</td><td>0.5</td></tr><tr><td>rule</td></tr></table>"
    )
    shown = notebook(("study", [output({"text/html": table}, study={"fall": None})]))
    cells["cells"] += shown["cells"]
    files, *_ = pages.chapter_page(cells, CHAPTERS[0], CHAPTERS, "base", "k")
    text = files["00-one.html"].decode()
    assert "<summary>What this chapter assumes</summary>" in text
    assert '<th scope="row">least fall <code>fall</code></th><td>0.5</td>' in text
    assert '<th scope="row">rule <code>rule</code></th>' in text


def test_the_page_says_once_that_data_are_synthetic():
    notice = "# Plan\n\n> **Synthetic data.** Every child\n> is simulated.\n\nWords.\n\n> Another quotation."
    text = page(notice)
    assert text.count("Synthetic data.") == 1
    assert "<p>Words.</p>" in text
    assert "Another quotation." in text


def test_long_printed_text_is_closed():
    said = {"output_type": "stream", "name": "stdout", "text": "line\n" * pages.LONG}
    assert "<details" not in main(page(("", []), ("", [said])))
    text = page(("a", [said | {"text": "line\n" * (pages.LONG + 1)}]))
    assert f'<summary>Text of {pages.LONG + 1} lines</summary><pre class="output stdout"' in text


def test_a_keyboard_reaches_what_scrolls_and_skips_what_comes_first():
    text = page("# One", ("a", [a_table("s")]))
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Table 0.1, All about s">' in text
    head = text[: text.index('<nav class="chapters"')]
    assert '<a class="skip" href="#content">' in head


# ------------------------------------------------------------------ built


def test_every_address_of_the_built_pages_resolves(built):
    reports = built.folder / "reports"
    pages = {path: Addresses(path.read_text()) for path in reports.rglob("*.html")}
    checked = 0
    for path, page_itself in pages.items():
        for link in page_itself.links:
            place, fragment = urldefrag(unquote(link))
            if re.match(r"(https?|data):", place):
                continue
            target = (path.parent / place).resolve() if place else path
            assert target.is_file(), f"{path.name} -> {link}"
            if fragment and target.suffix == ".html":
                assert fragment in pages[target].ids, f"{path.name} -> {link}"
            checked += 1
    assert checked > 20


# ------------------------------------------------------------------ in a browser


def test_pages_open_from_disk_in_a_browser(built, browser):
    for path in sorted((built.folder / "reports").rglob("*.html")):
        for width in (360, 1280):
            metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            browser.get(path.as_uri())
            assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
            assert [url for url in requests(browser) if url.startswith(("http", "ws", "//"))] == []
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{path.name} scrolls sideways at {width} px"
            broken = (
                "return [...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
            )
            assert browser.execute_script(broken) == []
            banner = browser.execute_script(
                "return document.querySelector('.banner').getBoundingClientRect().bottom"
            )
            assert banner < 400, "the warning is on the first screen"


@pytest.mark.slow
def test_real_pages_are_short_and_fit(whole_project, browser):
    wide = """return [...document.querySelectorAll("main .scroll, main .output")]
        .filter(frame => frame.scrollWidth > frame.clientWidth + 1)
        .map(frame => frame.getAttribute("aria-label") || frame.textContent.slice(0, 60))"""
    folds = "document.querySelectorAll('details').forEach(one => one.open = true)"
    for path in sorted((whole_project.folder / "reports" / "base").glob("*.html")):
        for width in (390, 768, 1280):
            sized(browser, path, width)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path.name
            height = browser.execute_script("return document.documentElement.scrollHeight")
            assert width < 1280 or height <= 9000, f"{path.name} is {height} px high with its folds closed"
            browser.execute_script(folds)
            assert browser.execute_script(wide) == [], f"{path.name}: wider than the column at {width} px"


@pytest.mark.slow
def test_each_real_chapter_opens_with_its_finding_and_key_exhibit_on_the_first_screen(whole_project, browser):
    shown = """const [heading, said, exhibit] = document.querySelectorAll("main > *");
        const table = exhibit.querySelector("table, img");
        return [heading.tagName, said.className, exhibit.className, said.textContent.trim(),
                table && table.getBoundingClientRect().bottom]"""
    for chapter in CONTENTS:
        sized(browser, whole_project.folder / "reports/base" / f"{chapter.stem}.html", 1280)
        heading, said, exhibit, words, bottom = browser.execute_script(shown)
        assert (heading, said, exhibit) == ("H1", "headline", "exhibit-box"), chapter.stem
        assert bottom <= 900, f"{chapter.stem}: the key exhibit ends at {bottom} px"
        assert len(re.findall(r"[.?!](?: |$)", words)) <= 3, f"{chapter.stem} opens with a paragraph: {words}"


def test_a_link_opens_the_fold_that_it_points_into(browser, tmp_path):
    place = tmp_path / "folded.html"
    place.write_text(page("# One\n\n" + "words\n\n" * 90, ("a", [a_table("s", folded=True)])))
    is_open = "return document.querySelector('details.folded').open"
    sized(browser, place, 1280)
    assert not browser.execute_script(is_open)
    sized(browser, place, 1280, "#exhibit-s")
    assert browser.execute_script(is_open)
    top = browser.execute_script("return document.getElementById('exhibit-s').getBoundingClientRect().top")
    assert 0 <= top <= 900


def test_a_wide_table_scrolls_in_its_own_frame(built_once, browser, tmp_path):
    cells = "".join(f"<td>column{k}</td>" for k in range(60))
    wide = output({"text/html": f"<table><tr>{cells}</tr></table>"})
    long = {"output_type": "stream", "name": "stdout", "text": "x" * 500}
    words = "# Plan\n\n" + "a" * 300 + "\n\n| " + " | ".join("abcdefgh" * 9) + " |\n|" + "--|" * 72 + "\n"
    place = tmp_path / "wide.html"
    place.write_text(page(words, ("x = '" + "y" * 400 + "'", [wide, long])))
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(place.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360


@pytest.mark.slow
def test_the_real_pages_are_small_and_their_figures_speak(whole_project):
    for path in sorted((whole_project.folder / "reports").rglob("*.html")):
        text = re.sub(r"<script.*?</script>", "", path.read_text(), flags=re.S)
        # what a browser loads with the page; a list of files only names theirs
        loaded = [path.parent / a for a in re.findall(r'<img\b[^>]*\bsrc="([^"]+\.(?:png|svg))"', text)]
        assert path.stat().st_size + sum(p.stat().st_size for p in loaded) < 3e6, path.name
        for image in re.findall(r"<img [^>]+>", text):
            assert len(re.search(r'alt="([^"]*)"', image)[1]) > 20, f"{path.name}: {image[:80]}"
        for table in re.findall(r"<table.*?</table>", text, flags=re.S):
            assert "<caption" in table, path.name
        assert not re.search(r"\$\$|<code>\\", text), f"{path.name}: a formula was not converted"


@pytest.mark.slow
def test_every_exhibit_of_the_real_report_states_population_and_n(whole_project):
    seen = 0
    for path in sorted((whole_project.folder / "reports" / "base").glob("0*.html")):
        boxes = re.findall(r'<section class="exhibit-box".*?</section>', path.read_text(), flags=re.S)
        for box in boxes:
            assert "Population: " in box, path.name
            assert re.search(r"n = \S", box), path.name
            assert ".csv" in box
        seen += len(boxes)
    assert seen > 60


@pytest.mark.slow
def test_overview_and_comparison_say_the_primary_result(whole_project):
    reports = whole_project.folder / "reports"
    results = json.loads((reports / "base" / "results.json").read_text())["06-remission"]
    for path in (reports / "base" / "index.html", reports / "comparison.html"):
        text = path.read_text()
        for key in ("remission.primary.placebo.share", "remission.primary.msc.share", "remission.primary.p"):
            assert results[key]["shown"] in text, f"{path.name}: {key}"
        assert "not reported" not in text


@pytest.mark.parametrize(
    ("cells", "live"),
    [
        ("AS-01,-0.35,+1,1e-5,-inf,", 0),
        ("=1+1,0", 1),
        ('"+A-1","-B-2","@C"', 3),
        ("- none,(-1),a=b", 1),
    ],
)
def test_a_csv_that_a_spreadsheet_would_calculate_says_so_beside_its_link(cells, live):
    note = pages.formula_note(f"a,b,c\n{cells}\n")
    assert bool(note) == bool(live)
    if live > 1:
        assert f"{live} cells that begin with =, +, - or @" in note
