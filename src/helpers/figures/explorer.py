"""The explorer in the page: linked charts with native inputs, in Vega-Lite, made by Altair.

Plain frames in, an Altair chart out. The page interpolates along the grid and nowhere else: a row counts with the
product of its nearness on each axis, which is 1 on a grid point and falls to 0 at its neighbours.
"""

import altair as alt

from helpers.figures.house_style import BLUE, GREEN, INK, MUTED, RULE, VERMILLION
from helpers.study.shown import plain

COLOURS = (BLUE, VERMILLION, GREEN, INK)
DASHES = ([1, 0], [6, 2], [2, 2], [6, 2, 2, 2])
WANTED = 80
"""Power (%) for which children are counted."""
BEYOND = 1_000_000
"""Stands for more children than the largest size of the grid."""
LEGEND = alt.Legend(
    orient="top", columns=1, labelLimit=0, symbolType="stroke", symbolSize=400, symbolOpacity=1, symbolStrokeWidth=2,
)  # fmt: skip
SHORT = {
    "upcr_effect": "effect", "upcr_noise": "noise", "dropout": "dropout", "ras_change_placebo": "ras", "n": "children",
}  # fmt: skip
"""Axis -> its input."""


def place(values, name):
    """A Vega expression of where an input stands on a grid: 0 at the first value, 1 at the second, straight between."""
    text = f"{len(values) - 1}"
    for k in range(len(values) - 2, -1, -1):
        low, high = values[k], values[k + 1]
        text = f"{name} < {high} ? {k} + ({name} - {low}) / ({high} - {low}) : {text}"
    return text


def _inputs(grid, planned, words, steps, families):
    """Native inputs, a slider an axis, and where each stands on its grid."""
    found = []
    for axis, name in SHORT.items():
        values = grid[axis]
        bind = alt.binding_range(min=values[0], max=values[-1], step=steps[axis], name=f"{words[axis]} ")
        found.append(alt.param(name=name, value=planned[axis], bind=bind))
        found.append(alt.param(name=f"at_{name}", expr=place(values, name)))
    options = list(families)
    bind = alt.binding_select(options=options, name="endpoints ")
    return [*found, alt.param(name="family", value=options[0], bind=bind)]


def _interpolated(chart, names, by):
    """Power and its limits, interpolated over the inputs `names`, for each value of `by`."""
    near = " && ".join(f"abs(at_{name} - datum.{name}) < 1" for name in names)
    weight = " * ".join(f"(1 - abs(at_{name} - datum.{name}))" for name in names)
    chart = chart.transform_filter(near).transform_calculate(w=weight)
    for column in ("power", "lower", "upper"):
        chart = chart.transform_calculate(**{f"w_{column}": f"datum.w * datum.{column}"})
    return chart.transform_aggregate(
        power="sum(w_power)", lower="sum(w_lower)", upper="sum(w_upper)", groupby=["label", by]
    )


def _rows(frame, grid):
    """The rows that go into the page: where each stands on the grid, and its power with limits."""
    rows = frame[["label"]].copy()
    for axis, name in SHORT.items():
        rows[name] = [grid[axis].index(float(value)) for value in frame[axis]]
    rows["v_effect"], rows["v_children"] = frame["upcr_effect"], frame["n"]
    for column in ("power", "lower", "upper"):
        # more digits than anybody can see
        rows[column] = [float(plain(value, 4)) for value in frame[column]]
    return rows


def _line_at(name, scale):
    """A dotted vertical where an input stands."""
    at = alt.XDatum({"expr": name}, type="quantitative", **scale)
    return alt.Chart(alt.InlineData([{}])).mark_rule(color=MUTED, strokeDash=[2, 2], aria=False).encode(at)


def _lines(made, name, scale, colour):
    """Power against an input: band, line, and the grid's points."""
    at = alt.X(f"v_{name}:Q", **scale)
    power = alt.Y("power:Q", title="trials significant in favour (%)", scale=alt.Scale(domain=[0, 100]))
    dash = alt.StrokeDash("label:N", sort=None, title=None, legend=None, scale=alt.Scale(range=[*DASHES]))
    tooltip = [alt.Tooltip("label:N", title="analysis")] + [
        alt.Tooltip(f"{column}:Q", title=f"{column} (%)", format=".1f")
        for column in ("power", "lower", "upper")
    ]
    band = made.mark_area(opacity=0.15).encode(at, alt.Y("lower:Q"), alt.Y2("upper:Q"), colour)
    line = made.mark_line(strokeWidth=2).encode(at, power, colour, dash)
    points = made.mark_point(filled=True, size=45, opacity=1).encode(at, power, colour, tooltip=tooltip)
    wanted = alt.Chart(alt.InlineData([{}])).mark_rule(color=RULE, aria=False)
    return alt.layer(
        line, wanted.encode(alt.YDatum(WANTED, type="quantitative")), _line_at(name, scale), band, points
    )


def explorer(frame, *, grid, planned, words, steps, families):
    """(chart, rows): power against the children and the effect, and the children needed, at the inputs' values.

    frame: the axes of `SHORT`, label, power, lower, upper (%). grid: axis -> values, ascending. planned: axis -> value
    to begin with. words, steps: axis -> words and step of its slider. families: words -> labels looked at together.
    The rows are what the chart expects as its dataset `planning`.
    """
    members = "{" + ", ".join(f"'{name}': {list(labels)!r}" for name, labels in families.items()) + "}"
    base = alt.Chart(alt.NamedData("planning")).transform_filter(
        f"indexof({members}[family], datum.label) >= 0"
    )
    colour = alt.Color("label:N", sort=None, title=None, legend=LEGEND, scale=alt.Scale(range=list(COLOURS)))
    sizes, effects = grid["n"], grid["upcr_effect"]
    by_size = _interpolated(base, ("effect", "noise", "dropout", "ras"), "v_children")
    by_effect = _interpolated(base, ("noise", "dropout", "ras", "children"), "v_effect")
    axis = {
        "title": "children randomised", "scale": alt.Scale(domain=[sizes[0], sizes[-1]], zero=False, nice=False),
    }  # fmt: skip
    first = _lines(by_size, "children", axis, colour).properties(
        title="Power against the children", name="by_size",
        description="Power against the number of children at the chosen values, with Monte Carlo bands",
    )  # fmt: skip
    axis = {
        "title": "assumed effect: UPCR on hUC-MSC / placebo",
        "scale": alt.Scale(domain=[effects[0], effects[-1]], reverse=True, zero=False, nice=False),
    }
    second = _lines(by_effect, "effect", axis, colour).properties(
        title="Power against the effect", name="by_effect",
        description="Power against the assumed effect at the chosen values, with Monte Carlo bands",
    )  # fmt: skip
    chart = (
        alt.concat(first, second, _needed(by_size, int(sizes[-1]), colour), columns=2)
        .add_params(*_inputs(grid, planned, words, steps, families))
        .resolve_scale(color="shared", strokeDash="shared")
        .configure(font="DejaVu Sans, Verdana, sans-serif", background="white")
        .configure_axis(
            labelColor=INK, titleColor=INK, gridColor="#E6E6E6", labelFontSize=12, titleFontSize=12
        )
        .configure_title(color=INK, fontSize=13, anchor="start")
        .configure_legend(labelColor=INK, labelFontSize=12)
        .configure_view(stroke=None)
    )
    return chart, _rows(frame, grid)


def _number(name, largest):
    return f"(datum.{name} == {BEYOND} ? '> {largest}' : format(datum.{name}, '.0f'))"


def _needed(by_size, largest, colour):
    """Children for the wanted power, where the line between neighbouring sizes of the grid crosses it."""
    made = by_size.transform_fold(["power", "lower", "upper"], as_=["limit", "value"])
    made = made.transform_window(
        last="lag(value)",
        last_size="lag(v_children)",
        sort=[alt.SortField("v_children")],
        groupby=["label", "limit"],
    )
    step = "(datum.v_children - datum.last_size) / (datum.value - datum.last)"
    between = f"datum.last_size + ({WANTED} - datum.last) * {step}"
    crossing = f"!isValid(datum.last) ? datum.v_children : datum.last < {WANTED} ? {between} : null"
    made = made.transform_calculate(crossing=f"datum.value < {WANTED} ? null : {crossing}")
    made = made.transform_aggregate(found="min(crossing)", groupby=["label", "limit"])
    # beyond the grid nothing is told
    made = made.transform_calculate(end=f"isValid(datum.found) ? datum.found : {BEYOND}")
    made = made.transform_pivot("limit", groupby=["label"], value="end")
    limits = f"' (' + {_number('upper', largest)} + ' to ' + {_number('lower', largest)} + ')'"
    told = f"{_number('power', largest)} + (datum.upper == {BEYOND} ? '' : {limits}) + '  ' + datum.label"
    made = made.transform_calculate(told=told)
    axis = {
        "title": f"children for {WANTED} % (bars: Monte Carlo limits)",
        "scale": alt.Scale(domain=[0, largest], clamp=True),
    }
    row = alt.Y("label:N", sort=None, axis=None)
    beyond, within = alt.value("triangle-right"), alt.value("circle")
    shape = alt.condition(f"datum.power == {BEYOND}", beyond, within)
    # the text over each bar says its limits
    bars = made.mark_rule(strokeWidth=2, aria=False).encode(
        alt.X("upper:Q", **axis), alt.X2("lower:Q"), row, colour
    )
    points = made.mark_point(filled=True, size=70, opacity=1).encode(
        alt.X("power:Q", **axis), row, colour, shape=shape
    )
    text = made.mark_text(align="left", dy=-14, fontSize=12, color=INK).encode(
        row, alt.Text("told:N"), x=alt.value(0)
    )
    return alt.layer(_line_at("children", axis), bars, points, text).properties(
        title=f"Children needed for {WANTED} %", name="needed",
        description="Children needed for the wanted power by endpoint at the chosen values, with Monte Carlo limits",
    )  # fmt: skip
