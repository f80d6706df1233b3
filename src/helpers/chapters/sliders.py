"""The bench under the hand: sliders in JupyterLab over `design.exploring`, with pins A and B.

A slider moved, a button pressed: `Sliders` asks the bench for a move and shows it, words first, then one picture, then
the numbers. Where there is no live front end (the static page, nbval, a build) the same object is two plain sentences:
only the front end is given the widgets, whose random names the build takes out again (`build.kernels.normalise`).
"""

import base64
import io
import os
import threading
from html import escape
from typing import Any

import ipywidgets as widgets

from helpers import Problem
from helpers.chapters import explore, side_by_side
from helpers.chapters.exhibits import Exhibit
from helpers.design import side_by_side as pairs
from helpers.design.exploring import Bench, Knob, Move, knobs
from helpers.figures import explore as figures

LIVE_DPI = 90
VIEW = "application/vnd.jupyter.widget-view+json"
ELSEWHERE = (
    "Here stand sliders, in JupyterLab: `make lab`, open 11-explore.ipynb, Run All Cells. Effect, onset, noise, "
    "drop-out, children, definition and confirmation move; trials are simulated anew at each move."
)
WIDE = {"description_width": "19rem"}


def _control(knob: Knob, value: Any) -> widgets.Widget:
    """A native input for a setting, with its words beside it."""
    common = {"description": knob.words, "style": WIDE, "layout": {"width": "36rem", "max_width": "100%"}}
    if knob.choices:
        return widgets.Dropdown(options=knob.choices, value=value, **common)
    kind = widgets.IntSlider if isinstance(value, int) else widgets.FloatSlider
    made = {"min": type(value)(knob.low), "max": type(value)(knob.high), "step": type(value)(knob.step)}
    return kind(value=value, continuous_update=True, **made, **common)


def picture(figure: Any, alt: str) -> str:
    """A figure as an HTML image that holds its own bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=LIVE_DPI, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="max-width:100%" alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def _html(exhibit: Exhibit) -> str:
    inner = exhibit.table() if exhibit.figure is None else picture(exhibit.figure, exhibit.alt)
    return f"{inner}{exhibit.notes()}"


class Sliders:
    """Sliders over a bench, buttons for a new example and for pins, and what the settings show.

    controls: setting -> its input; `move` is the last one that worked, `example` the trial that is drawn, `pins` what
    is pinned under "A" and "B".

    Examples
    --------
    As notebook 11-explore calls it:

    >>> sliders.Sliders(bench)
    """

    def __init__(self, bench: Bench):
        self.bench, self.example, self.pins = bench, 0, {}
        self._ours = False
        self.controls = {knob.name: _control(knob, getattr(bench.p, knob.name)) for knob in knobs(bench.p)}
        self.draw = widgets.Button(description="Another example")
        # wider than a button is of itself, so that its words are not cut
        self.back = widgets.Button(description="Back to the scenario", layout={"width": "12em"})
        self.pinning = {letter: widgets.Button(description=f"Pin {letter}") for letter in pairs.LETTERS}
        self.words, self.shown, self.numbers, self.pair = (widgets.HTML() for _ in range(4))
        for control in self.controls.values():
            control.observe(self._moved, names="value")
        self.draw.on_click(lambda _: self.another())
        self.back.on_click(lambda _: self.reset())
        for letter, button in self.pinning.items():
            button.on_click(lambda _, letter=letter: self.pin(letter))
        self.move: Move = bench.move()
        self.update()
        buttons = widgets.HBox([self.draw, *self.pinning.values(), self.back])
        inputs = widgets.Box(list(self.controls.values()), layout={"flex_flow": "row wrap"})
        self.box = widgets.VBox([inputs, buttons, self.words, self.shown, self.numbers, self.pair])
        if "JPY_SESSION_NAME" in os.environ:
            # a server runs this kernel, so that a hand may come: by then the exact test of every size is tabulated
            threading.Thread(target=bench.prepare, daemon=True).start()

    @property
    def values(self) -> dict[str, Any]:
        """Settings that stand elsewhere than the study's own."""
        found = {name: control.value for name, control in self.controls.items()}
        return {name: value for name, value in found.items() if value != getattr(self.bench.p, name)}

    def _moved(self, _: Any) -> None:
        if self._ours:
            return
        try:
            self.move = self.bench.move(**self.values)
        except Problem as problem:
            self.words.value = (
                f"<p role='alert'>{escape(str(problem))}. The picture is that of the last settings.</p>"
            )
            return
        self.update()

    def update(self) -> None:
        """Show the move in hand."""
        move = self.move
        self.controls["remission_fall"].disabled = move.p.remission_definition == "threshold alone"
        said = explore.spoken(move)
        self.words.value = f"<p aria-live='polite'>{escape(said)}</p>"
        figure = figures.bench(
            move.children(self.example), move.example(self.example), move.spread, move.by_arm
        )
        self.shown.value = picture(figure, f"Example trial {self.example}, and all trials. {said}")
        self.numbers.value = explore.at_hand(move).exhibits[0].table()

    def another(self) -> None:
        """Draw the next trial of those in hand as the example."""
        self.example = (self.example + 1) % len(self.move.trials.arm)
        self.update()

    def reset(self) -> None:
        """Put every setting back to the study's own."""
        self._ours = True
        try:
            for name, control in self.controls.items():
                control.value = getattr(self.bench.p, name)
        finally:
            self._ours = False
        self._moved(None)

    def pin(self, letter: str) -> None:
        """Pin the settings in hand; with both pinned, they are compared."""
        self.pins[letter] = self.move
        if len(self.pins) < len(pairs.LETTERS):
            self.pair.value = f"<p>Pinned {letter}. Move on, then pin the other.</p>"
            return
        found = side_by_side.shown(pairs.compare(self.pins["A"], self.pins["B"]))
        heads = "<h4>A and B side by side</h4>"
        self.pair.value = heads + "".join(
            (f"<p><b>{escape(one.title)}</b></p>" if one.figure is not None else "") + _html(one)
            for one in found.exhibits
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        plain = ELSEWHERE.replace("`", "")
        view = self.box._repr_mimebundle_()
        return {VIEW: view[VIEW], "text/html": f"<p>{escape(plain)}</p>", "text/plain": plain}
