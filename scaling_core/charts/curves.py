"""Training curves of many runs: a line each or a band a group, a cursor that reads them all, a drag that zooms."""

from __future__ import annotations

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, even_ticks, field_name, format_value, log_ticks, unit_title
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.curve_lines import SMOOTH, CurveLines, CurveView
from scaling_core.charts.figure import Figure
from scaling_core.charts.outside import Domain, robust_domain
from scaling_core.charts.palette import Palette
from scaling_core.planning.figures import duration

#: Name of the selection that a drag across the chart makes.
ZOOM = "zoom"
_HEIGHT = 460
#: Units of an axis of time, in seconds, the longest first; one is used where the axis reaches so many of it.
_TIMES = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))
_REACHED = 3
#: Pixels of a letter in the legend, about, and of a symbol with its margins: how many entries stand side by side.
_LETTER, _SYMBOL, _LONGEST_ENTRY = 7, 42, 180
#: Lines that the cursor names one by one; of more it names the lowest, the middle and the highest.
MOST_NAMED = 12
#: Runs that leave the chart and are named.
_NAMED_BEYOND = 2
#: From here on steps are read as whole numbers.
_MANY_STEPS = 100
#: Lines beyond which each is thin; bands beyond which each is faint.
_CROWD, _FEW_BANDS = 40, 5
#: Without what Vega would do for each point of a line: words for screen readers, and a place in the order.
_BARE = {"clip": True, "aria": False, "order": False}


def curves_chart(drawn: CurveLines, view: CurveView, palette: Palette) -> Figure:
    """Lines along ``view.x``; dragging across selects a part, the legend toggles, the cursor reads every run.

    With smoothing the smoothed lines are drawn, the points as logged faintly behind.
    """
    titles = (unit_title(view.y, view.unit), unit_title(view.x, view.unit))
    axes = View(view.x, view.y, view.log_x, view.log_y, *titles)
    across = drawn.lines["x"] if view.span is None else pd.Series(view.span)
    canvas = Canvas(axes, robust_domain(across, log=view.log_x, pad=0.01), _y_domain(drawn, view), palette)
    lines = drawn.lines.rename(columns={"x": view.x, "y": view.y})
    layers = _bands(canvas, drawn, view) if view.grouped else _lines(canvas, lines, drawn, view)
    if len(drawn.readings):
        layers.append(_cursor(canvas, drawn, view))
    # The last label of the axis stands half beyond it.
    return Figure(alt.layer(*layers, height=_HEIGHT, padding={"left": 0, "top": 5, "right": 20}), canvas.frames)


def _y_domain(drawn: CurveLines, view: CurveView) -> Domain:
    shown = drawn.means[["low", "high"]].to_numpy().ravel() if view.grouped else drawn.lines[SMOOTH]
    return robust_domain(shown, log=view.log_y)


def beyond_text(drawn: CurveLines, view: CurveView) -> str:
    """Say which runs leave the chart at its top or bottom, and how far they reach; empty where all are inside."""
    if view.grouped:
        return ""
    low, high = _y_domain(drawn, view)
    values = drawn.lines.set_index("run")[SMOOTH]
    out = values[(values < low) | (values > high)]
    farthest = out.groupby(level=0, sort=False).agg(lambda of_run: of_run.iloc[(of_run - low).abs().argmax()])
    if farthest.empty:
        return ""
    told = [f"{run} to {format_value(view.y, float(value))}" for run, value in farthest.head(_NAMED_BEYOND).items()]
    more = f" and {len(farthest) - _NAMED_BEYOND} more" if len(farthest) > _NAMED_BEYOND else ""
    return f"Beyond the chart, so that the others can be told apart: {'; '.join(told)}{more}."


def axis_title(name: str, reaches: float = 0.0, unit: str = "token") -> str:
    """Title of what curves run along or show; of time, with the unit that suits how far it reaches, in seconds."""
    if name != "seconds":
        return unit_title(name, unit)
    return f"Time ({_time_unit(reaches)[1]})" if reaches else "Time"


def _time_unit(reaches: float) -> tuple[float, str]:
    return next((unit for unit in _TIMES if reaches >= _REACHED * unit[0]), _TIMES[-1])


def _paint(drawn: CurveLines, view: CurveView) -> alt.Color:
    order = drawn.groups.order
    scale = alt.Scale(domain=order, range=drawn.groups.colours)
    legend = _legend(unit_title(view.color, view.unit), order) if len(order) > 1 else None
    return alt.Color("group:N", scale=scale, legend=legend)


def _legend(title: str, order: list[str]) -> alt.Legend:
    """A legend above the lines, which leaves them all of the width: as many entries in a row as it holds."""
    entry = min(_LONGEST_ENTRY, _SYMBOL + _LETTER * max(map(len, order)))
    return alt.Legend(
        title=title, orient="top", direction="horizontal", columns=alt.ExprRef(f"max(1, floor(width / {entry}))"),
        labelLimit=_LONGEST_ENTRY - _SYMBOL, symbolType="stroke", symbolOpacity=1, symbolStrokeWidth=3,
        symbolSize=180, rowPadding=4, columnPadding=14,
    )  # fmt: skip


def _toggled(layer: alt.Chart, strong: float) -> alt.Chart:
    shown = alt.selection_point(name="shown", fields=["group"], bind="legend")
    return layer.encode(
        opacity=alt.OpacityValue(0.05, condition={"param": "shown", "value": strong})
    ).add_params(shown, alt.selection_interval(name=ZOOM, encodings=["x"]))  # fmt: skip


def _x(canvas: Canvas) -> alt.X:
    channel = canvas.x()
    if canvas.view.x == "step":
        channel["axis"].labelExpr = "format(datum.value, '~s')"
    if canvas.view.x == "seconds":
        _in_time(channel, canvas)
    return channel


def _in_time(channel: alt.X, canvas: Canvas) -> None:
    """Write an axis of seconds in the unit that suits it."""
    low, high = canvas.x_domain
    unit, _ = _time_unit(high)
    channel.title = axis_title("seconds", high)
    channel["axis"].labelExpr = f"format(datum.value / {unit}, '~g')"
    if canvas.view.log_x:
        channel["axis"].values = [unit * tick for tick in log_ticks((low / unit, high / unit))]
    elif unit > 1:
        channel["axis"].values = [unit * tick for tick in even_ticks((low / unit, high / unit))]


def _lines(canvas: Canvas, lines: pd.DataFrame, drawn: CurveLines, view: CurveView) -> list[alt.Chart]:
    crowd = drawn.runs > _CROWD
    rows = lines if view.smooth else lines.drop(columns=SMOOTH)
    lines = rows.assign(run=pd.factorize(rows["run"])[0])  # numbers reach the browser sooner than names
    base = _in_order(canvas, "lines", lines).encode(x=_x(canvas), detail="run:N", color=_paint(drawn, view))
    layers = []
    if view.smooth:
        behind = {"param": "shown", "value": 0.12 if crowd else 0.28}
        raw = base.mark_line(strokeWidth=0.8, **_BARE).encode(y=canvas.y())
        layers.append(raw.encode(opacity=alt.OpacityValue(0.0, condition=behind)))
    line = base.mark_line(strokeWidth=1 if crowd else 1.6, **_BARE)
    y = canvas.y(SMOOTH) if view.smooth else canvas.y()
    layers.append(_toggled(line.encode(y=y), 0.75 if crowd else 0.95))
    return layers


def _bands(canvas: Canvas, drawn: CurveLines, view: CurveView) -> list[alt.Chart]:
    rows = drawn.means.rename(columns={"x": view.x})
    base = _in_order(canvas, "means", rows).encode(x=_x(canvas), color=_paint(drawn, view))
    band = base.mark_area(strokeWidth=0, **_BARE).encode(y=canvas.y("low"), y2="high:Q")
    line = base.mark_line(strokeWidth=2.2, **_BARE).encode(y=canvas.y("mean"))
    few = len(drawn.groups.order) <= _FEW_BANDS
    shown = {"param": "shown", "value": 0.2 if few else 0.12}
    return [band.encode(opacity=alt.OpacityValue(0.0, condition=shown)), _toggled(line, 1.0)]


def _in_order(canvas: Canvas, name: str, rows: pd.DataFrame) -> alt.Chart:
    """Begin a layer of rows that are numbers and in order, so that the browser need not see to it."""
    chart = canvas.frames.chart(name, rows)
    chart.data = alt.NamedData(name=name, format=alt.DataFormat(parse=None))
    return chart


def _cursor(canvas: Canvas, drawn: CurveLines, view: CurveView) -> alt.Chart:
    """Rules, seen only under the pointer, that say what every line reads there."""
    rows, told = readout(drawn, view)
    here = alt.selection_point(name="here", on="pointerover", clear="pointerout", nearest=True, encodings=["x"])
    mark = canvas.frames.chart("readings", rows.rename(columns={"x": view.x})).mark_rule(
        color=canvas.palette.muted, strokeWidth=1
    )
    return mark.encode(
        x=_x(canvas),
        opacity=alt.OpacityValue(0, condition={"param": "here", "value": 0.7, "empty": False}),
        tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in told],
    ).add_params(here)


def readout(drawn: CurveLines, view: CurveView) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """Return what the cursor says at each place, and the columns and titles in which it says so.

    Few lines are named one by one; of many the lowest, the middle and the highest, and how many there are. Where
    groups are drawn, each group's mean and range.
    """
    at = drawn.readings.groupby("x", sort=True)["y"]
    places = at.size().rename("runs").reset_index()
    places["at"] = [_said(view.x, v) for v in places["x"]]
    told = [("at", axis_title(view.x, unit=view.unit))]
    if view.grouped:
        said = drawn.means.assign(text=[_band_text(view.y, *row) for row in _band_rows(drawn.means)])
        return _wide(places, said, "group", drawn.groups.order, told)
    names = list(pd.unique(drawn.readings["run"]))
    if len(names) <= MOST_NAMED:
        said = drawn.readings.assign(text=[format_value(view.y, v) for v in drawn.readings["y"]])
        return _wide(places, said.drop_duplicates(["x", "run"], keep="last"), "run", names, told)
    low, high = drawn.readings.loc[at.idxmin()], drawn.readings.loc[at.idxmax()]
    middle = at.median().to_numpy()
    places["low"] = [f"{format_value(view.y, y)} ({run})" for y, run in zip(low["y"], low["run"], strict=True)]
    places["middle"] = [format_value(view.y, y) for y in middle]
    places["high"] = [f"{format_value(view.y, y)} ({run})" for y, run in zip(high["y"], high["run"], strict=True)]
    return places, [*told, ("runs", "runs"), ("low", "lowest"), ("middle", "median"), ("high", "highest")]


def _said(name: str, value: float) -> str:
    return (
        f"{value:,.0f}"
        if name == "step"
        else duration(value / 86_400)
        if name == "seconds"
        else format_value(name, value)
    )


def _band_rows(means: pd.DataFrame) -> list[tuple[float, float, float, int]]:
    return list(means[["mean", "low", "high", "runs"]].itertuples(index=False, name=None))


def _band_text(y: str, mean: float, low: float, high: float, runs: int) -> str:
    many = f", {format_value(y, low)}–{format_value(y, high)}, {runs} runs" if runs > 1 else ""
    return f"{format_value(y, mean)}{many}"


def _wide(
    places: pd.DataFrame, said: pd.DataFrame, by: str, names: list[str], told: list[tuple[str, str]]
) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """One column of text a name, called by number: names from a file are titles, never fields."""
    fields = {name: f"said{i}" for i, name in enumerate(names)}
    wide = said.pivot(index="x", columns=by, values="text").rename(columns=fields).reindex(columns=[*fields.values()])
    joined = places.join(wide.fillna("–"), on="x")
    return joined, [*told, *((field, str(name)) for name, field in fields.items())]


def zoomed(selection: dict[str, list[float]], view: CurveView) -> tuple[float, float] | None:
    """Return the part of the axis that was dragged over, or None."""
    ends = selection.get(field_name(view.x), [])
    return (min(ends), max(ends)) if len(ends) == 2 and min(ends) < max(ends) else None
