"""Static pages from executed notebooks: one HTML file a chapter, and indexes.

Everything here is a function from content to files, `{relative path: bytes}`; `build` decides when they
are made and where they go. Pages need no script and no network; formulas become MathML.
"""

import base64
import csv
import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import latex2mathml.converter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbconvert.filters.ansi import strip_ansi
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from helpers.build import keyed
from helpers.build.heads import SYNTHETIC, Head, css_string

NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?|-inf")
TRY = "try-it"
"""Tag of the cells at a chapter's end that a reader is to change."""
FINDING = "finding"
"""Tag of the cells whose sentences and open exhibits a chapter's page begins with."""
PARAMETERS = "parameters"
"""Tag of the cell that names what a chapter assumes."""
NOTICE = re.compile(r"^> \*\*(?:Synthetic|Own) data\.\*\*.*\n?(?:^>.*\n?)*", re.M)
"""A notebook's own notice: on a page the head says it."""
LONG = 30
"""Lines from which printed text is folded away."""
OPEN, CLOSE = "\ue003", "\ue004"
"""Marks of private use around an exhibit's key, until its number is known."""
CITED = re.compile(f"{OPEN}([a-z0-9_-]+){CLOSE}")
CELL = r"<(t[hd])\b([^>]*)>(.*?)</\1>"
PROSE = re.compile(r"^(?=.{25}).*[A-Za-z]{3}.*[A-Za-z]{3}")
"""Words in a column of numbers, such as why there is none: they wrap, and stand left."""
FEWEST_COLUMNS = 3
"""Columns from which a table's rows are cards on a narrow screen."""
LONGEST_WORD = 40
"""Characters of a word from which it may be broken anywhere: a checksum, a path."""
TABLET, PIXELS, PADDING = 700, 7.5, 13
"""The width for a table on a tablet, and what a letter and the edges of a cell take of it."""
TEMPLATES = Path(__file__).with_name("templates")
_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)


def _formula(tex: str, display: str) -> str:
    """A formula as MathML; as the TeX it is where it can't be converted."""
    try:
        made = latex2mathml.converter.convert(tex.strip(), display=display)
        # one that stands alone may scroll on a narrow screen
        return made.replace("<math ", '<math tabindex="0" ', 1) if display == "block" else made
    except Exception:  # the converter raises bare IndexError, KeyError and its own on bad TeX
        return f"<code>{escape(tex)}</code>"


def _moved(address: str, tail: str = "") -> str:
    """An address written in notebooks/ as seen from a scenario's folder of pages, whose names end with `tail`."""
    if re.match(r"[a-z][a-z0-9+.-]*:|#|/", address, re.I):
        return address
    if address.startswith("../"):
        return "../" + address
    return re.sub(r"\.(?:ipynb|html)(?=$|#)", f"{tail}.html", address)


class _Renderer(IPythonRenderer):
    """Markdown to HTML: raw HTML is shown, not obeyed; headings get ids and are noted for the contents."""

    def __init__(self, headings: list[dict], tail: str = ""):
        super().__init__(escape=True, allow_harmful_protocols=False)
        self.headings, self.tail = headings, tail

    def heading(self, text: str, level: int, **attrs) -> str:
        plain = re.sub(r"<[^>]+>", "", text)
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "section"
        taken = {heading["id"] for heading in self.headings}
        name, number = slug, 2
        while name in taken:
            name, number = f"{slug}-{number}", number + 1
        self.headings.append({"id": name, "level": level, "text": Markup(plain)})
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def block_math(self, body: str) -> str:
        return _formula(body, "block")

    def inline_math(self, body: str) -> str:
        return _formula(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")

    def table(self, text: str) -> str:
        return f'<div class="scroll" tabindex="0"><table>\n{text}</table></div>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, _moved(url, self.tail), title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return super().image(text, _moved(url, self.tail), title)


class _Chapter:
    """One chapter on its way to a page: gathers headings, files and results while its cells are rendered."""

    def __init__(self, stem: str, origins: Mapping[str, str] | None = None, tail: str = ""):
        self.stem, self.tail = stem, tail
        self.keyed = True
        """Whether the page has the places to which numbers lead."""
        self.origins = origins or {}
        self.headings: list[dict] = []
        self.files: dict[str, bytes] = {}
        self.results: dict[str, dict] = {}
        self.exhibits: dict[str, dict] = {}
        self.pending: list[str] = []
        self.words: dict[str, str] = {}
        self.counted = {"table": 0, "figure": 0}
        self.moved: list[int] = []
        self.given: set[str] = set()
        self.stating: dict[str, str] = {}
        """Result key -> where on this page it is stated: the cell, or the exhibit."""
        self.sources: dict[str, str] = {}
        """Result key -> the exhibit that states it."""
        self.markdown = MarkdownWithMath(renderer=_Renderer(self.headings, tail)).render
        self.highlighted = Highlight2HTML(pygments_lexer="ipython3")

    def highlight(self, source: str) -> str:
        """Code in colours, in a frame that takes the focus."""
        return self.highlighted(source).replace("<pre>", '<pre tabindex="0">', 1)

    def keep(self, results: list[dict]) -> None:
        for result in results:
            if self.results.setdefault(result["key"], result) != result:
                raise ValueError(f"{self.stem}: two results are called {result['key']!r}")

    def cell(self, cell: dict) -> str:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            # the code of a section stands at its end, so that nothing comes between finding and exhibit
            code = self.code() if re.match(r"\s*#{1,6} ", source) else ""
            return code + self.markdown(NOTICE.sub("", source))
        if cell["cell_type"] != "code" or not source.strip():
            return ""
        if TRY in cell["metadata"].get("tags", ()):
            return self.code() + self.trial(source, cell["outputs"])
        if PARAMETERS in cell["metadata"].get("tags", ()):
            self.words = said_of(source)
        self.pending.append(source)
        if not cell["outputs"]:
            return ""
        return "\n".join(self.outputs(cell["outputs"]))

    def lead(self, cells: list[dict]) -> str:
        """What the page begins with: sentences, then exhibits, of the cells that are tagged so."""
        said, shown = [], []
        for cell in cells:
            if FINDING in cell.get("metadata", {}).get("tags", ()):
                for output in cell["outputs"]:
                    record = output.get("metadata", {}).get("exhibit")
                    sentence = "text/markdown" in output.get("data", {})
                    if sentence or (record and not record.get("folded")):
                        (said if sentence else shown).extend(self.outputs([output]))
                        self.moved.append(id(output))
        words = f'<div class="headline">{"".join(said)}</div>' if said else ""
        return "\n".join(filter(None, [words, *shown]))

    def trial(self, source: str, outputs: list[dict]) -> str:
        """A cell for the reader to change, closed: its first line, a comment, says what to change."""
        words = escape(source.partition("\n")[0].lstrip("# "))
        inner = self.highlight(source) + "\n".join(self.outputs(outputs))
        inner = inner.replace(
            'alt="Figure without a description"', f'alt="Figure of the code above. {words}"'
        )
        # a frame of pandas has no caption of its own
        inner = re.sub(
            r'(<table[^>]*class="dataframe"[^>]*>)', lambda m: f"{m[1]}<caption>{words}</caption>", inner
        )
        return f'<details class="code try"><summary>{words}</summary>{inner}</details>\n'

    def code(self) -> str:
        """The code of the section that ends here, closed."""
        source, self.pending = "\n\n".join(self.pending), []
        if not source:
            return ""
        return f'<details class="code"><summary>Show code</summary>{self.highlight(source)}</details>\n'

    def body(self, cells: list[dict]) -> str:
        shown = [output.get("metadata", {}) for cell in cells for output in cell.get("outputs", ())]
        exhibits = [one["exhibit"] for one in shown if "exhibit" in one]
        self.stating, self.sources = keyed.stated_at(exhibits), keyed.stating(exhibits)
        lead = self.lead(cells)
        body = "\n".join(filter(None, [*map(self.cell, cells), self.code()]))
        # a sentence may stand before the exhibit that it cites
        lead, body = (
            CITED.sub(lambda found: self.exhibits[found[1]]["label"], part) for part in (lead, body)
        )
        head, end, rest = body.partition("</h1>\n")
        return f"{head}{end}{lead}\n{rest}" if end else f"{lead}\n{body}" if lead else body

    def outputs(self, outputs: list[dict]) -> list[str]:
        shown = []
        for output in outputs:
            metadata = output.get("metadata", {})
            if id(output) in self.moved:
                shown.append(self.above(metadata))
                continue
            self.keep(metadata.get("results", []))
            if "exhibit_notes" in metadata:
                continue
            if "exhibit" in metadata:
                width = metadata.get("image/png", {}).get("width")
                shown.append(self.exhibit(metadata["exhibit"], output["data"], width))
            elif "study" in metadata and "text/html" in output["data"]:
                shown.append(self.assumed(_text(output["data"]["text/html"])))
            elif output["output_type"] == "stream":
                shown.append(printed(_text(output["text"]), output["name"]))
            elif self.keyed and metadata.get("filled") and "text/markdown" in output["data"]:
                text = _text(output["data"]["text/markdown"])
                said = keyed.sentence(
                    text, metadata["filled"], self.markdown, self.stating, f"results{self.tail}.json"
                )
                shown.append(self.citing(said, [key for _, _, key in metadata["filled"]]))
            elif output["output_type"] == "error":
                trace = strip_ansi("\n".join(output["traceback"]))
                shown.append(f'<pre class="output error">{escape(trace)}</pre>')
            else:
                shown.append(self.other(output["data"]))
        return shown

    def citing(self, said: str, keys: Sequence[str]) -> str:
        """A paragraph that ends with where its numbers stand: the exhibits by their number."""
        places = dict.fromkeys(self.sources[key] for key in keys if key in self.sources)
        links = [f'<a href="#exhibit-{key}">{OPEN}{key}{CLOSE}</a>' for key in places]
        before, end, after = said.rpartition("</p>")
        if not links or after.strip():
            return said
        return f'{before} <span class="cited">({", ".join(links)})</span>{end}{after}'

    def above(self, metadata: dict) -> str:
        """Where an exhibit stands that the page began with."""
        if "exhibit" not in metadata:
            return ""
        key = metadata["exhibit"]["key"]
        return f'<p class="here"><a href="#exhibit-{key}">{self.exhibits[key]["label"]}</a> stands at the top.</p>'

    def number(self, kind: str) -> str:
        """The name by which the next exhibit is cited: "Table 6.1" in chapter 06, "Table 1" outside chapters."""
        self.counted[kind] += 1
        chapter = re.match(r"\d+", self.stem)
        place = f"{int(chapter[0])}." if chapter else ""
        return f"{kind.capitalize()} {place}{self.counted[kind]}"

    def exhibit(self, record: dict, data: dict, width: int | None) -> str:
        key = record["key"]
        if key in self.exhibits:
            raise ValueError(f"{self.stem}: two exhibits are called {key!r}")
        label = self.number(record["kind"])
        self.exhibits[key] = {name: record[name] for name in ("kind", "title", "alt")} | {"label": label}
        self.keep(record["results"])
        place = f"exhibits/{self.stem}/{key}{self.tail}"
        self.files[f"{place}.csv"] = record["csv"].encode()
        note = formula_note(record["csv"])
        link = f'<a class="permalink" href="#exhibit-{key}" aria-label="Link to {label}">#</a>'
        files = f'<p class="files"><a href="{place}.csv">Data of {label} (CSV)</a>{note}</p>'
        said = f'<b class="label">{label}</b> {escape(record["title"])}'
        folded = record.get("folded")
        if record["kind"] == "table":
            # in its caption a table has its title alone; the number is the page's
            plain = f"<caption><span>{escape(record['title'])}</span></caption>"
            named = f"<caption><span>{said}{'' if folded else f' {link}'}</span></caption>"
            stated = [one["key"] for one in record["results"]]
            html = keyed.cells(_text(data["text/html"]), record.get("cells", ()), self.given, stated)
            inner = reachable(html.replace(plain, named, 1), f"{label}, {record['title']}")
        else:
            self.files[f"{place}.png"] = base64.b64decode(_text(data["image/png"]))
            picture = ".svg" if record.get("svg") else ".png"
            self.exhibits[key]["picture"] = picture
            if record.get("svg"):
                self.files[f"{place}.svg"] = record["svg"].encode()
            notes = "; ".join(
                [f"Population: {record['population']}", f"n = {record['n']}"]
                + [f"Method: {record['method']}"] * bool(record["method"])
                + ["Conventions: " + ", ".join(record["conventions"])] * bool(record["conventions"])
            )
            caption = f"<p>{escape(record['caption'])}</p>" if record["caption"] else ""
            inner = (
                f'<figure><img src="{place}{picture}" alt="{escape(record["alt"])}" width="{width}">'
                f'<figcaption><p class="title">{said}{"" if folded else f" {link}"}</p>'
                f'<div class="notes">{caption}<p>{escape(notes)}.</p></div></figcaption></figure>'
            )
        files += self.origins.get(key, "")
        if not folded:
            return f'<section class="exhibit-box" id="exhibit-{key}">{inner}{files}</section>'
        # the id is inside, so that a browser opens what a link to it asks for
        return (
            f'<section class="exhibit-box"><details class="folded"><summary>{said}</summary>'
            f'<div id="exhibit-{key}">{inner}<p class="here">{link} {label}</p>{files}</div></details></section>'
        )

    def assumed(self, table: str) -> str:
        """What a chapter assumes, closed: a parameter in the words of its cell, its name in small."""
        for name, words in self.words.items():
            named = f'<th scope="row">{escape(words)} <code>{name}</code></th>'
            table = table.replace(f"<td>{name}</td>", named, 1)
        table = headed(table).replace("<th>", '<th scope="col">')
        return (
            '<details class="folded assumed"><summary>What this chapter assumes</summary>'
            f'<div class="output scroll" tabindex="0">{table}</div></details>\n'
        )

    def other(self, data: dict[str, Any]) -> str:
        """Any other output: the richest form of it that a page without scripts can show."""
        if "text/html" in data:
            return f'<div class="output scroll" tabindex="0">{headed(_text(data["text/html"]))}</div>'
        if "text/markdown" in data:
            return self.markdown(_text(data["text/markdown"]))
        if "image/png" in data:
            source = _text(data["image/png"]).replace("\n", "")
            image = f'<img src="data:image/png;base64,{source}" alt="Figure without a description">'
            return f'<div class="output">{image}</div>'
        if "text/latex" in data:
            return _formula(_text(data["text/latex"]).strip("$ \n"), "block")
        return f'<pre class="output">{escape(_text(data.get("text/plain", "")))}</pre>'


def said_of(source: str) -> dict[str, str]:
    """Parameter -> what it is in words: the comment behind `name = None`, without its unit or choices."""
    said = {}
    for name, comment in re.findall(r"^(\w+) = [^#\n]*# *(.+)$", source, re.M):
        words = comment.partition(", ")[2] or comment
        said[name] = name.replace("_", " ") if comment[0] in "'\"" else words
    return said


def printed(text: str, name: str) -> str:
    """What a cell printed; more than `LONG` lines of it are closed."""
    shown = f'<pre class="output {name}" tabindex="0">{escape(text)}</pre>'
    lines = text.count("\n")
    if lines <= LONG:
        return shown
    return f'<details class="folded"><summary>Text of {lines} lines</summary>{shown}</details>'


def reachable(html: str, name: str) -> str:
    """A scrolling frame that takes the focus, so that a keyboard scrolls it too."""
    frame = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
    return headed(html).replace('<div class="scroll">', frame, 1)


def headed(html: str) -> str:
    """A table whose corner without words is no heading, without the style that pandas gives to all tables of a page."""
    html = re.sub(r"<style scoped>.*?</style>\s*", "", html, flags=re.S)
    html = html.replace('<tr style="text-align: right;">', "<tr>")
    return re.sub(r"<th\b[^>]*></th>", "<td></td>", html)


def carded(html: str) -> str:
    """The tables of a page, whose cells say their column's heading: on a narrow screen each row becomes a card."""
    return re.sub(r"<table\b.*?</table>", lambda found: _carded(found[0]), html, flags=re.S)


def _carded(table: str) -> str:
    head, between, body = table.partition("<tbody>")
    heads = _headings(head)
    if not between:
        return table
    cells, many = iter(_places(body)), len(heads) >= FEWEST_COLUMNS

    def named(cell: re.Match) -> str:
        place = next(cells)
        text = re.sub(r"<[^>]+>", "", cell[3])
        tag = cell[0]
        if any(len(word) > LONGEST_WORD for word in text.split()):
            tag = _classed(tag, "breaks")
        if 'class="num"' in cell[2] and PROSE.search(text):
            tag = _classed(tag, "prose")
        if not many or cell[1] == "th" or place >= len(heads) or not heads[place]:
            return tag
        return tag.replace("<td", f'<td data-label="{heads[place]}"', 1)

    kind = "cards wide" if _least_width(table, heads) > TABLET else "cards"
    first = _classed(head, kind) if many else head
    return first + between + re.sub(CELL, named, body, flags=re.S)


def _least_width(table: str, heads: Sequence[str]) -> float:
    """About how many pixels a table takes where every space and hyphen may break its line."""
    longest = [max(map(len, re.split(r"[\s-]+", words)), default=0) for words in heads]
    body = table.partition("<tbody>")[2]
    for place, (_, _, inner) in zip(_places(body), re.findall(CELL, body, re.S), strict=True):
        for word in re.split(r"[\s-]+", re.sub(r"<[^>]+>", " ", inner)):
            if place < len(longest) and longest[place] < len(word) <= LONGEST_WORD:
                longest[place] = len(word)
    return sum(PIXELS * letters + PADDING for letters in longest)


def _classed(tag: str, name: str) -> str:
    """An element, or HTML that begins with one, with one class more."""
    first, end, rest = tag.partition(">")
    if 'class="' in first:
        return first.replace('class="', f'class="{name} ', 1) + end + rest
    return f'{first} class="{name}"{end}{rest}'


def _headings(head: str) -> list[str]:
    """What stands over each column of a table, as text for an attribute; several lines of headings are joined."""
    said: list[list[str]] = []
    for row in re.findall(r"<tr\b.*?</tr>", head, re.S):
        place = 0
        for _, attributes, inner in re.findall(CELL, row, re.S):
            words = " ".join(re.sub(r"<[^>]+>", "", inner).split()).replace('"', "&quot;")
            for _ in range(_span(attributes, "col")):
                said.extend([] for _ in range(place + 1 - len(said)))
                said[place] += [words] * bool(words)
                place += 1
    return [", ".join(words) for words in said]


def _places(body: str) -> list[int]:
    """The column of each cell of a table's body, in their order."""
    found: list[int] = []
    below: dict[int, int] = {}
    for row in re.findall(r"<tr\b.*?</tr>", body, re.S):
        place, held, below = 0, below, {k: rows - 1 for k, rows in below.items() if rows > 1}
        for _, attributes, _ in re.findall(CELL, row, re.S):
            while place in held:
                place += 1
            found.append(place)
            for _ in range(_span(attributes, "col")):
                if _span(attributes, "row") > 1:
                    below[place] = _span(attributes, "row") - 1
                place += 1
    return found


def _span(attributes: str, kind: str) -> int:
    told = re.search(rf'\b{kind}span="?(\d+)', attributes)
    return int(told[1]) if told else 1


def formula_note(table: str) -> str:
    """A sentence for beside a link to a CSV text of which a spreadsheet would take cells for formulas."""
    cells = (cell for row in csv.reader(io.StringIO(table)) for cell in row)
    live = sum(cell.startswith(("=", "+", "-", "@")) and not NUMBER.fullmatch(cell) for cell in cells)
    if not live:
        return ""
    count = "one cell that begins" if live == 1 else f"{live} cells that begin"
    return (
        f" · a spreadsheet would take {count} with =, +, - or @ for a formula: "
        "import the columns as text, or don't let it calculate"
    )


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _page(title: str, body: str, head: Head = SYNTHETIC, **context) -> bytes:
    style = (TEMPLATES / "style.css").read_text("utf-8") + HtmlFormatter().get_style_defs(".highlight") + "\n"
    if head.own:
        style = style.replace(SYNTHETIC.printed, css_string(head.printed))
    context = {
        "scenario": "", "named": "", "chapters": (), "current": "", "contents": (), "before": None, "after": None,
        "footer": "", **context,
    }  # fmt: skip
    page = _environment.get_template("page.html")
    told = {"title": head.title(title), "head": head, "body": Markup(carded(body)), "style": Markup(style)}
    return page.render(**told, **context).encode()


def single(
    heading: str,
    template: str,
    footer: str = "Trial NCT06731192",
    title: str = "",
    head: Head = SYNTHETIC,
    **fields,
) -> bytes:
    """A page that stands alone, of one of the templates; its fields are escaped there. title: where not the heading."""
    body = _environment.get_template(template).render(heading=heading, **fields)
    return _page(title or heading, body, head, footer=footer)


def chapter_page(
    notebook: dict,
    chapter,
    chapters: Sequence,
    scenario: str,
    key: str,
    origins: Mapping[str, str] | None = None,
    rows: Collection[str] = (),
    head: Head = SYNTHETIC,
    named: str = "",
):
    """The files of one chapter, its results and its exhibits (kind, title, alt) by their keys.

    `notebook` is an executed notebook as JSON; `chapter` one of `chapters`, each with `stem`, `title` and
    `about`; `key` the content key that the footer prints; `origins` HTML below each exhibit, by its key; `rows` the
    names of the references, which become links; `named` what banner and foot say in place of the scenario.
    Raises ValueError where two exhibits, or two different results,
    share a key.
    """
    work = _Chapter(chapter.stem, origins, head.tail)
    body = cited(work.body(notebook["cells"]), rows, head.tail)
    if not any(heading["level"] == 1 for heading in work.headings):
        body = f"<h1>{escape(chapter.title)}</h1>\n{body}"
    stems = [one.stem for one in chapters]
    here = stems.index(chapter.stem)
    name = f"{chapter.stem}{head.tail}.html"
    work.files[name] = _page(
        f"{chapter.title} · {scenario}",
        body,
        head,
        scenario=scenario,
        named=named,
        chapters=chapters,
        current=chapter.stem,
        contents=[heading for heading in work.headings if heading["level"] in (2, 3)],
        before=chapters[here - 1] if here else None,
        after=chapters[here + 1] if here + 1 < len(chapters) else None,
        footer=_footer(scenario, key, head, named),
    )
    # by its number, as the text cites it
    results = {
        key: one | ({"exhibit": work.exhibits[work.sources[key]]["label"]} if key in work.sources else {})
        for key, one in work.results.items()
    }
    return work.files, results, work.exhibits


def _footer(scenario: str, key: str, head: Head, named: str = "") -> str:
    told = named or f"{'Own data' if head.own else 'Scenario'} {scenario}"
    words = f" · {head.words}" if head.words else ""
    return f"{told}{words} · content key {key[:16]} · trial NCT06731192"


def cited(html: str, rows: Collection[str], tail: str = "") -> str:
    """Tables whose cells cite references by their rows: each becomes a link to the page of references.

    >>> cited("<td>N205 and N206</td>", {"N205"})
    '<td><a href="references.html#N205">N205</a> and N206</td>'
    """

    def linked(cell: re.Match) -> str:
        words = re.sub(
            r"\b[A-Z]+[0-9]+[a-z]?\b",
            lambda word: (
                f'<a href="references{tail}.html#{word[0]}">{word[0]}</a>' if word[0] in rows else word[0]
            ),
            cell[2],
        )
        return cell[1] + words + cell[3]

    return re.sub(r"(<td\b[^>]*>)([^<]*)(</td>)", linked, html) if rows else html


def references(scenario: str, rows: Sequence[Mapping], chapters: Sequence, head: Head = SYNTHETIC) -> bytes:
    """`reports/<scenario>/references.html`: what the rows that chapters cite are, and where they come from."""
    body = _environment.get_template("references.html").render(rows=rows)
    footer = f"Scenario {scenario} · trial NCT06731192"
    return _page(
        f"References · {scenario}",
        body,
        head,
        scenario=scenario,
        chapters=chapters,
        current="references",
        footer=footer,
    )


def failed_page(notebook: dict, chapter, scenario: str, head: Head = SYNTHETIC) -> bytes:
    """The page of a chapter that failed, as far as it came; exhibits are not written out."""
    work = _Chapter(chapter.stem, tail=head.tail)
    work.keyed = False
    work.exhibit = lambda record, data, width: work.other(data)
    # in the order in which it ran, up to the error
    work.lead = lambda cells: ""
    body = work.body(notebook["cells"])
    return _page(f"Failed: {chapter.title} · {scenario}", body, head, scenario=scenario)


OVERVIEW = (
    ("08-operating", "power-by-effect"),
    ("04-analysis-data", "consort"),
    ("10-safety", "terms-figure"),
    ("05-longitudinal", "upcr-mmrm-means"),
    ("07-time-to-remission", "ttr-confirmed"),
)
"""The pictures of a scenario's overview: chapter and exhibit; the last one stands for it in the comparison."""

FALSE_CLAIM = ("operating.brief.false_claim_exact", "operating.brief.false_claim")
"""The chance of a claim for cells that do nothing: by enumeration where there is one, as chapter 08 leads with it."""
COMPARED = (
    (
        "What the design can show, over many trials",
        "simulated trials of all randomised children; in brackets the 95 % Monte Carlo interval; claims without "
        "brackets are exact, by enumeration; assumed effect and level as each scenario has them",
        (
            ("Speaks for the cells, primary", "operating.brief.power"),
            ("The same by log UPCR averaged", "operating.brief.power_numeric"),
            ("Claims for cells that do nothing", FALSE_CLAIM),
            ("Children for 80 %, primary", "operating.brief.needed_80"),
        ),
    ),
    (
        "One trial: confirmed remission, the primary endpoint",
        "all randomised children; undetermined = no remission; two-sided Boschloo test with the exact interval that "
        "inverts it",
        (
            ("Placebo", "remission.primary.placebo.share"),
            ("hUC-MSC", "remission.primary.msc.share"),
            ("Difference", "remission.primary.difference"),
            ("Boschloo p", "remission.primary.p"),
        ),
    ),
    (
        "The same trial: other outcomes",
        "all randomised children, n in each cell; methods as in the chapters",
        (
            ("Ever in remission, placebo", "remission.ever.placebo"),
            ("Ever in remission, hUC-MSC", "remission.ever.msc"),
            ("UPCR over the year, ratio between arms (planned)", "remission.sequence.weighted.estimate"),
            ("eGFR change at month 12, hUC-MSC less placebo", "longitudinal.egfr.change_month12.between"),
        ),
    ),
    (
        "The same trial: who was there, and fever",
        "screened children, then all randomised; fever: safety set",
        (
            ("Screened", "eligibility.n_screened"),
            ("Baseline UPCR evaluable", "analysis.n_evaluable"),
            ("Left before month 12", "follow_up.n_left"),
            ("Fever, placebo", "safety.fever.placebo"),
            ("Fever, hUC-MSC", "safety.fever.msc"),
        ),
    ),
)
"""The tables of the comparison: title, whom and how, and columns: heading and key of a result. A row a scenario."""


def _shown(records: dict[str, dict], folder: str = "", tail: str = ""):
    """A function from a result's key to its shown text, which leads to its chapter's page below `folder`.

    Of several keys the first that is reported.
    """
    known = {key: (stem, one) for stem, record in records.items() for key, one in record["results"].items()}

    def shown(*keys: str) -> str:
        key = next((one for one in keys if one in known), "")
        if not key:
            return "not reported"
        stem, one = known[key]
        return Markup(keyed.number(escape(one["shown"]), key, f"{folder}{stem}{tail}.html"))

    return shown


def _figures(records: dict[str, dict], wanted: Sequence, folder: str = "", tail: str = "") -> list[dict]:
    """What an index shows of figures; a report that an earlier version built knows no drawings."""
    found = {
        (stem, key): {"label": "", "picture": ".png", **records[stem]["exhibits"][key]}
        for stem, key in wanted
        if key in records.get(stem, {}).get("exhibits", {})
    }
    return [
        {
            "key": key,
            "page": f"{folder}{stem}{tail}.html",
            "source": f"{folder}exhibits/{stem}/{key}{tail}{told['picture']}",
            **told,
        }
        for (stem, key), told in found.items()
    ]


def scenario_index(
    scenario: str,
    about: str,
    chapters: Sequence,
    key: str,
    records: dict[str, dict],
    adam: Sequence[str] = (),
    twice: str = "",
    explorer: str = "",
    head: Head = SYNTHETIC,
    beside: str = "",
) -> bytes:
    """`reports/<scenario>/index.html`: the trial in a paragraph, the primary result, pictures, the chapters.

    `records` holds for each chapter its `results` and `exhibits`, as `chapter_page` returns them; `adam` are the
    analysis tables for reviewers; `twice` is the address of the check in R, where it was made, `explorer`
    that of the page with sliders; `beside` is HTML that stands with the primary result.
    """
    entries = [
        {"stem": one.stem, "href": f"{one.stem}{head.tail}.html", "title": one.title, "about": one.about}
        for one in chapters
    ]
    whose = "own data" if head.own else "scenario"
    body = _environment.get_template("overview.html").render(
        heading=f"Stem cells for children with Alport syndrome: {whose} {scenario}", head=head, about=about,
        entries=entries, r=_shown(records, tail=head.tail), figures=_figures(records, OVERVIEW, tail=head.tail),
        adam=adam, twice=twice, explorer=explorer, beside=Markup(beside),
    )  # fmt: skip
    footer = _footer(scenario, key, head)
    return _page(f"Overview · {scenario}", body, head, scenario=scenario, chapters=chapters, footer=footer)


def reviewer_page(
    scenario: str, sections: Sequence[dict], chapters: Sequence, key: str, head: Head = SYNTHETIC
) -> bytes:
    """`reports/<scenario>/reviewer.html`: the guide, of sections as `build.reviewer` makes them."""
    body = _environment.get_template("reviewer.html").render(sections=sections)
    contents = [
        {"id": one["id"], "level": 2, "text": f"{k} {one['heading']}"} for k, one in enumerate(sections, 1)
    ]
    return _page(
        f"For the reviewer · {scenario}", body, head,
        scenario=scenario, chapters=chapters, current="reviewer", contents=contents,
        footer=_footer(scenario, key, head),
    )  # fmt: skip


def explorer_page(scenario: str, body: str, chapters: Sequence, key: str, head: Head = SYNTHETIC) -> bytes:
    """`explore.html`: the one page that brings a script along. `body` is its content as HTML.

    It is kept for all reports, and leads to their chapters by the names that those of a scenario have.
    """
    for chapter in chapters:
        body = body.replace(f'href="{chapter.stem}.html"', f'href="{chapter.stem}{head.tail}.html"')
    return _page(
        f"Explore · {scenario}", body, head,
        scenario=scenario, chapters=chapters, current="explorer", footer=_footer(scenario, key, head),
    )  # fmt: skip


def comparison(scenarios: dict[str, dict]) -> bytes:
    """`reports/comparison.html`: main results, assumptions and remission curves of several scenarios.

    `scenarios` maps a name to {about, records, parameters}.
    """
    shown = {name: _shown(one["records"], f"{name}/") for name, one in scenarios.items()}
    tables = [
        (
            title,
            notes,
            [label for label, _ in columns],
            [
                (name, [(label, get(*((key,) if isinstance(key, str) else key))) for label, key in columns])
                for name, get in shown.items()
            ],
        )
        for title, notes, columns in COMPARED
    ]
    first = next(iter(scenarios))
    theirs = scenarios[first]["parameters"]
    figures = []
    for name, one in scenarios.items():
        for figure in _figures(one["records"], OVERVIEW[-1:], f"{name}/"):
            figures.append(figure | {"title": f"{name}: {figure['title']}"})
    differing = [
        (name, one["about"], _differing(one["parameters"], theirs)) for name, one in scenarios.items()
    ]
    body = _environment.get_template("comparison.html").render(
        first=first, differing=differing, tables=tables, figures=figures
    )
    return _page("Comparison of scenarios", body, footer="Trial NCT06731192")


def comparisons_index(listed: Sequence[tuple[str, str, str]]) -> bytes:
    """`reports/compare/index.html`: the comparisons made so far, each (name of its page, A, B)."""
    items = "\n".join(
        f'<li><a href="{name}.html">{escape(a)} v {escape(b)}</a></li>' for name, a, b in listed
    )
    body = (
        '<h1>Two settings side by side</h1>\n<p><a href="../index.html">All scenarios</a></p>\n'
        f'<ul class="list">\n{items}\n</ul>'
    )
    return _page("Comparisons", body, footer="Trial NCT06731192")


def _differing(parameters: dict, theirs: dict) -> list[tuple[str, str, str]]:
    """Parameters that are other than those of another scenario: name, value, the other's value."""
    return [
        (name, _plain(value), _plain(theirs.get(name)))
        for name, value in parameters.items()
        if value != theirs.get(name)
    ]


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


WAYS = (
    (
        "For those who treat such children",
        (
            ("06-remission", "does protein in the urine remit"),
            ("10-safety", "what so few children can tell of safety"),
            ("02-eligibility", "who may enter"),
        ),
    ),
    (
        "For those who plan or review",
        (
            ("00-plan", "the plan and every assumption"),
            ("08-operating", "what the design can show"),
            ("09-validation", "how we know the numbers are right"),
        ),
    ),
)
"""Where the first page sends whom: chapters and what they answer."""


def overall_index(
    scenarios: Sequence[tuple[str, str]], records: dict[str, dict] | None = None, explorer: str = ""
) -> bytes:
    """`reports/index.html`: what this is, the answer, where to go, and the scenarios built so far.

    `scenarios` are pairs of a name and a sentence; `records` what the chapters of the first of them found, as for
    `scenario_index`; `explorer` the name of the page with sliders in the first one's folder, if it is there.
    """
    entries = [{"href": f"{name}/index.html", "title": name, "about": about} for name, about in scenarios]
    body = _environment.get_template("start.html").render(
        heading="Stem cells for children with Alport syndrome",
        first=scenarios[0][0],
        ways=[(whom, [one for one in places if one[0] in (records or {})]) for whom, places in WAYS],
        r=_shown(records, f"{scenarios[0][0]}/") if records and "08-operating" in records else None,
        entries=entries,
        explorer=explorer,
        links=[{"href": "comparison.html", "title": "The scenarios side by side"}] * (len(scenarios) > 1),
    )  # fmt: skip
    return _page("Stem cells for children with Alport syndrome: reports", body, footer="Trial NCT06731192")


def results_file(chapters: dict[str, dict[str, dict]], head: Head = SYNTHETIC) -> bytes:
    """`results.json`: for each chapter its named results; of own data first what they are."""
    told = {"data": {"notice": head.lead, "arms": head.words or "as allocated"}} if head.own else {}
    content: dict[str, dict] = told | {
        stem: {key: {k: v for k, v in one.items() if k != "key"} for key, one in sorted(results.items())}
        for stem, results in sorted(chapters.items())
    }
    return results_text(content).encode()


def results_text(content: dict) -> str:
    """How `results.json` is written."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
