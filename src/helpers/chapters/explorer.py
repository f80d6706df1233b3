"""The explorer in the page, `explore.html`: sliders over the committed study `planning`, without server or network.

`body` is the page between its head and its foot, script and data included; the build knows it by its name in the table
of chapters (`contents.EXPLORER`) and puts it into the shell of all pages.
"""

import json
from html import escape
from pathlib import Path

import vl_convert

from helpers.chapters.words import plain
from helpers.design import planning_grid
from helpers.figures import explorer as figures

SCRIPT = Path(__file__).with_suffix(".js")
"""Our own script: widths, and a link that keeps the setting."""
WORDS = {
    "upcr_effect": "effect: UPCR on hUC-MSC / placebo",
    "upcr_noise": "noise of a urine sample (SD of log UPCR)",
    "dropout": "drop-out within 12 months (share)",
    "ras_change_placebo": "RAS inhibition started on placebo (per year)",
    "n": "children randomised",
}
STEPS = {"upcr_effect": 0.05, "upcr_noise": 0.05, "dropout": 0.05, "ras_change_placebo": 0.05, "n": 2}


FIRST = """<h1>Explore what such a trial can show</h1>
<p>The effect of the cells on every axis below is an assumption that we chose; power is what a trial would show if it
were true.</p>
"""
NOT_COMPUTED = "<p>The study <code>planning</code> has not been computed here: <code>make study</code>.</p>\n"
STALE = " It was computed by other code: <code>make renew-studies</code> renews it."
MEANT = """<p>Of each combination of the values below {trials} trials or more were simulated, two-sided level {alpha}.
The points are the values that were; between them, and only there, the page interpolates in straight lines. Bands and
bars: 95 % Monte Carlo limits (Wilson). Shares are tested by Boschloo's test unless another is named. To keep a
setting, keep the address of this page.{stale}</p>
<form id="explorer-inputs" aria-label="Assumptions"></form>
<p id="explorer-said" role="status"></p>
<div id="explorer" style="overflow-x: auto"></div>
<noscript><p>The charts need a script, which this page brings along; the same answers stand in
<a href="{answers}">What this design can show</a>.</p></noscript>
<h2 id="grid">The grid</h2>
<div class="scroll" tabindex="0"><table><caption><span>Values that were simulated</span></caption>
<thead><tr><th scope="col">Assumption</th><th scope="col">Values</th><th scope="col">Planned</th></tr></thead>
<tbody>{rows}</tbody></table></div>
<p>The study does not vary the fall, the threshold or the days of confirmation of a remission, its onset, or how much
the effect differs between children: definitions are here the analyses of one urine course (at any visit, confirmed,
sustained, at month 12). For the others see <a href="{answers}">What this design can show</a> and the bench of notebook
11.</p>
"""
ANSWERS = "08-operating.html"


def body() -> str:
    """The page's content as HTML; a sentence where the study has not been computed here. Raises Problem."""
    if not planning_grid.there():
        return FIRST + NOT_COMPUTED
    found = planning_grid.read()
    families = {
        words: [planning_grid.label(name) for name in names]
        for words, names in planning_grid.FAMILIES.items()
    }
    chart, rows = figures.explorer(
        found.frame, grid=found.grid, planned=found.planned, words=WORDS, steps=STEPS, families=families
    )
    spec = chart.to_dict()
    spec["datasets"] = {**spec.get("datasets", {}), "planning": rows.to_dict("records")}
    listed = "".join(
        f'<tr><th scope="row">{escape(WORDS[axis])} <code>{axis}</code></th>'
        f"<td>{', '.join(plain(value) for value in values)}</td><td>{plain(found.planned[axis])}</td></tr>"
        for axis, values in found.grid.items()
    )
    words = {"trials": found.trials, "alpha": plain(found.alpha), "stale": "" if found.current else STALE}
    return "".join(
        [
            FIRST,
            MEANT.format(rows=listed, answers=ANSWERS, **words),
            _data("explorer-spec", spec),
            _data("explorer-grid", {figures.SHORT[axis]: values for axis, values in found.grid.items()}),
            f"<script>{vl_convert.javascript_bundle()}</script>\n<script>\n{SCRIPT.read_text('utf-8')}</script>\n",
        ]
    )


def _data(name: str, value: object) -> str:
    """A value for the script, in a form that can't end its element."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>\n'
