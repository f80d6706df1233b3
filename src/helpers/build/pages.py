"""Static pages from executed notebooks: one HTML file a chapter, and indexes.

Everything here is a function from content to files, `{relative path: bytes}`; `build` decides when they
are made and where they go. Pages need no script and no network; formulas become MathML.
"""

import base64
import json
import re
from collections.abc import Sequence
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
        return latex2mathml.converter.convert(tex.strip(), display=display)
    except Exception:  # the converter raises bare IndexError, KeyError and its own on bad TeX
        return f"<code>{escape(tex)}</code>"


def _moved(address: str) -> str:
    """An address written in notebooks/ as seen from a scenario's folder of pages."""
    if re.match(r"[a-z][a-z0-9+.-]*:|#|/", address, re.I):
        return address
    if address.startswith("../"):
        return "../" + address
    return re.sub(r"\.ipynb(?=$|#)", ".html", address)


class _Renderer(IPythonRenderer):
    """Markdown to HTML: raw HTML is shown, not obeyed; headings get ids and are noted for the contents."""

    def __init__(self, headings: list[dict]):
        super().__init__(escape=True, allow_harmful_protocols=False)
        self.headings = headings

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
        return f'<div class="scroll"><table>\n{text}</table></div>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, _moved(url), title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return super().image(text, _moved(url), title)


class _Chapter:
    """One chapter on its way to a page: gathers headings, files and results while its cells are rendered."""

    def __init__(self, stem: str):
        self.stem = stem
        self.headings: list[dict] = []
        self.files: dict[str, bytes] = {}
        self.results: dict[str, dict] = {}
        self.exhibits: dict[str, dict] = {}
        self.pending: list[str] = []
        self.markdown = MarkdownWithMath(renderer=_Renderer(self.headings)).render
        self.highlight = Highlight2HTML(pygments_lexer="ipython3")

    def keep(self, results: list[dict]) -> None:
        for result in results:
            if self.results.setdefault(result["key"], result) != result:
                raise ValueError(f"{self.stem}: two results are called {result['key']!r}")

    def cell(self, cell: dict) -> str:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            return self.code() + self.markdown(source)
        if cell["cell_type"] != "code" or not source.strip():
            return ""
        self.pending.append(source)
        if not cell["outputs"]:
            return ""
        return self.code() + "\n".join(self.outputs(cell["outputs"]))

    def code(self) -> str:
        """The code since the last output, closed: cells that show nothing join the next that does."""
        source, self.pending = "\n\n".join(self.pending), []
        if not source:
            return ""
        return f'<details class="code"><summary>Show code</summary>{self.highlight(source)}</details>\n'

    def body(self, cells: list[dict]) -> str:
        return "\n".join(filter(None, [*map(self.cell, cells), self.code()]))

    def outputs(self, outputs: list[dict]) -> list[str]:
        shown = []
        for output in outputs:
            metadata = output.get("metadata", {})
            self.keep(metadata.get("results", []))
            if "exhibit_notes" in metadata:
                continue
            if "exhibit" in metadata:
                width = metadata.get("image/png", {}).get("width")
                shown.append(self.exhibit(metadata["exhibit"], output["data"], width))
            elif output["output_type"] == "stream":
                shown.append(f'<pre class="output {output["name"]}">{escape(_text(output["text"]))}</pre>')
            elif output["output_type"] == "error":
                trace = strip_ansi("\n".join(output["traceback"]))
                shown.append(f'<pre class="output error">{escape(trace)}</pre>')
            else:
                shown.append(self.other(output["data"]))
        return shown

    def exhibit(self, record: dict, data: dict, width: int | None) -> str:
        key = record["key"]
        if key in self.exhibits:
            raise ValueError(f"{self.stem}: two exhibits are called {key!r}")
        self.exhibits[key] = {name: record[name] for name in ("kind", "title", "alt")}
        self.keep(record["results"])
        place = f"exhibits/{self.stem}/{key}"
        self.files[f"{place}.csv"] = record["csv"].encode()
        files = f'<p class="files"><a href="{place}.csv">Data of this {record["kind"]} (CSV)</a></p>'
        if record["kind"] == "table":
            inner = _text(data["text/html"])
        else:
            self.files[f"{place}.png"] = base64.b64decode(_text(data["image/png"]))
            notes = "; ".join(
                [f"Population: {record['population']}", f"n = {record['n']}"]
                + [f"Method: {record['method']}"] * bool(record["method"])
                + ["Conventions: " + ", ".join(record["conventions"])] * bool(record["conventions"])
            )
            caption = f"<p>{escape(record['caption'])}</p>" if record["caption"] else ""
            inner = (
                f'<figure><img src="{place}.png" alt="{escape(record["alt"])}" width="{width}">'
                f"<figcaption><p>{escape(record['title'])}</p>"
                f'<div class="notes">{caption}<p>{escape(notes)}.</p></div></figcaption></figure>'
            )
        return f'<section class="exhibit-box" id="exhibit-{key}">{inner}{files}</section>'

    def other(self, data: dict[str, Any]) -> str:
        """Any other output: the richest form of it that a page without scripts can show."""
        if "text/html" in data:
            return f'<div class="output scroll">{_text(data["text/html"])}</div>'
        if "text/markdown" in data:
            return self.markdown(_text(data["text/markdown"]))
        if "image/png" in data:
            source = _text(data["image/png"]).replace("\n", "")
            image = f'<img src="data:image/png;base64,{source}" alt="Figure without a description">'
            return f'<div class="output">{image}</div>'
        if "text/latex" in data:
            return _formula(_text(data["text/latex"]).strip("$ \n"), "block")
        return f'<pre class="output">{escape(_text(data.get("text/plain", "")))}</pre>'


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _page(title: str, body: str, **context) -> bytes:
    style = (TEMPLATES / "style.css").read_text("utf-8") + HtmlFormatter().get_style_defs(".highlight") + "\n"
    context = {
        "scenario": "", "chapters": (), "current": "", "contents": (), "before": None, "after": None,
        "footer": "", **context,
    }  # fmt: skip
    page = _environment.get_template("page.html")
    return page.render(title=title, body=Markup(body), style=Markup(style), **context).encode()


def chapter_page(notebook: dict, chapter, chapters: Sequence, scenario: str, key: str):
    """The files of one chapter, its results and its exhibits (kind, title, alt) by their keys.

    `notebook` is an executed notebook as JSON; `chapter` one of `chapters`, each with `stem`, `title` and
    `about`; `key` the content key that the footer prints. Raises ValueError where two exhibits, or two
    different results, share a key.
    """
    work = _Chapter(chapter.stem)
    body = work.body(notebook["cells"])
    if not any(heading["level"] == 1 for heading in work.headings):
        body = f"<h1>{escape(chapter.title)}</h1>\n{body}"
    stems = [one.stem for one in chapters]
    here = stems.index(chapter.stem)
    name = f"{chapter.stem}.html"
    work.files[name] = _page(
        f"{chapter.title} · {scenario}",
        body,
        scenario=scenario,
        chapters=chapters,
        current=chapter.stem,
        contents=[heading for heading in work.headings if heading["level"] in (2, 3)],
        before=chapters[here - 1] if here else None,
        after=chapters[here + 1] if here + 1 < len(chapters) else None,
        footer=f"Scenario {scenario} · content key {key[:16]} · trial NCT06731192",
    )
    return work.files, work.results, work.exhibits


def failed_page(notebook: dict, chapter, scenario: str) -> bytes:
    """The page of a chapter that failed, as far as it came; exhibits are not written out."""
    work = _Chapter(chapter.stem)
    work.exhibit = lambda record, data, width: work.other(data)
    body = work.body(notebook["cells"])
    return _page(f"Failed: {chapter.title} · {scenario}", body, scenario=scenario)


OVERVIEW = (
    ("04-analysis-data", "consort"),
    ("05-longitudinal", "upcr-change"),
    ("07-time-to-remission", "ttr-confirmed"),
)
"""The pictures of a scenario's overview: chapter and exhibit; the last one stands for it in the comparison."""

COMPARED = (
    ("Screened to enrol the trial", "eligibility.n_screened"),
    ("Evaluable for the primary endpoint", "analysis.n_evaluable"),
    ("Left before month 12", "follow_up.n_left"),
    ("Confirmed remission, placebo", "remission.primary.placebo.share"),
    ("Confirmed remission, hUC-MSC", "remission.primary.msc.share"),
    ("Difference", "remission.primary.difference"),
    ("Boschloo p", "remission.primary.p"),
    ("Ever in remission, placebo", "remission.ever.placebo"),
    ("Ever in remission, hUC-MSC", "remission.ever.msc"),
    ("UPCR ratio to baseline at month 12, between arms (all randomised)", "longitudinal.upcr.ratio_month12.between"),
    ("eGFR change at month 12, hUC-MSC less placebo (all randomised)", "longitudinal.egfr.change_month12.between"),
    ("Fever, children, placebo (safety set)", "safety.fever.placebo"),
    ("Fever, children, hUC-MSC (safety set)", "safety.fever.msc"),
)  # fmt: skip


def _shown(records: dict[str, dict]):
    """A function from a result's key to its shown text, over the records of all chapters."""
    known = {key: one["shown"] for record in records.values() for key, one in record["results"].items()}
    return lambda key: known.get(key, "not reported")


def _figures(records: dict[str, dict], wanted: Sequence, folder: str = "") -> list[dict]:
    return [
        {
            "key": key,
            "page": f"{folder}{stem}.html",
            "source": f"{folder}exhibits/{stem}/{key}.png",
            **records[stem]["exhibits"][key],
        }
        for stem, key in wanted
        if key in records.get(stem, {}).get("exhibits", {})
    ]


def scenario_index(
    scenario: str, about: str, chapters: Sequence, key: str, records: dict[str, dict]
) -> bytes:
    """`reports/<scenario>/index.html`: the trial in a paragraph, the primary result, pictures, the chapters.

    `records` holds for each chapter its `results` and `exhibits`, as `chapter_page` returns them.
    """
    entries = [{"href": f"{one.stem}.html", "title": one.title, "about": one.about} for one in chapters]
    body = _environment.get_template("overview.html").render(
        heading=f"Stem cells for children with Alport syndrome: scenario {scenario}",
        about=about, entries=entries, r=_shown(records), figures=_figures(records, OVERVIEW),
    )  # fmt: skip
    footer = f"Scenario {scenario} · content key {key[:16]} · trial NCT06731192"
    return _page(f"Overview · {scenario}", body, scenario=scenario, chapters=chapters, footer=footer)


def comparison(scenarios: dict[str, dict]) -> bytes:
    """`reports/comparison.html`: main results, assumptions and remission curves of several scenarios.

    `scenarios` maps a name to {about, records, parameters}.
    """
    names = list(scenarios)
    shown = [_shown(one["records"]) for one in scenarios.values()]
    results = [(label, [get(key) for get in shown]) for label, key in COMPARED]
    sets = [one["parameters"] for one in scenarios.values()]
    differing = [key for key in sets[0] if len({json.dumps(one.get(key)) for one in sets}) > 1]
    parameters = [(key, [_plain(one.get(key)) for one in sets]) for key in differing]
    figures = []
    for name, one in scenarios.items():
        for figure in _figures(one["records"], OVERVIEW[-1:], f"{name}/"):
            figures.append(figure | {"title": f"{name}: {figure['title']}"})
    body = _environment.get_template("comparison.html").render(
        names=names, results=results, parameters=parameters, figures=figures,
        abouts=[(name, one["about"]) for name, one in scenarios.items()],
    )  # fmt: skip
    return _page("Comparison of scenarios", body, footer="Trial NCT06731192")


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def overall_index(scenarios: Sequence[tuple[str, str]]) -> bytes:
    """`reports/index.html`: the scenarios built so far, each a name and a sentence; links to the comparison."""
    entries = [{"href": f"{name}/index.html", "title": name, "about": about} for name, about in scenarios]
    body = _environment.get_template("list.html").render(
        heading="Stem cells for children with Alport syndrome",
        about="An executable analysis plan for the trial NCT06731192, run on simulated children. "
        "One report for each scenario, that is, for each set of assumptions; `make reports` builds them all.",
        entries=entries,
        links=[{"href": "comparison.html", "title": "The scenarios side by side"}] * (len(scenarios) > 1),
    )  # fmt: skip
    return _page("Reports", body, footer="Trial NCT06731192")


def results_file(chapters: dict[str, dict[str, dict]]) -> bytes:
    """`results.json`: for each chapter its named results."""
    content = {
        stem: {key: {k: v for k, v in one.items() if k != "key"} for key, one in sorted(results.items())}
        for stem, results in sorted(chapters.items())
    }
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
