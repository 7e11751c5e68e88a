"""Training curves of many runs: a line each or a band a group, a cursor that reads them all, a drag that zooms."""

from __future__ import annotations

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, column_title, field_name, format_value
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.curve_lines import SMOOTH, CurveLines, CurveView
from scaling_core.charts.figure import Figure
from scaling_core.charts.outside import robust_domain
from scaling_core.charts.palette import Palette

#: Name of the selection that a drag across the chart makes.
ZOOM = "zoom"
_HEIGHT = 430
_SECONDS = "Time (seconds)"
#: Lines that the cursor names one by one; of more it names the lowest, the middle and the highest.
MOST_NAMED = 12


def curves_chart(drawn: CurveLines, view: CurveView, palette: Palette) -> Figure:
    """Lines along ``view.x``; dragging across selects a part, the legend toggles, the cursor reads every run.

    With smoothing the smoothed lines are drawn, the points as logged faintly behind.
    """
    axes = View(view.x, view.y, view.log_x, view.log_y)
    shown = drawn.means[["low", "high"]].to_numpy().ravel() if view.grouped else drawn.lines[SMOOTH]
    across = drawn.lines["x"] if view.span is None else pd.Series(view.span)
    canvas = Canvas(
        axes, robust_domain(across, log=view.log_x, pad=0.01), robust_domain(shown, log=view.log_y), palette
    )
    lines = drawn.lines.rename(columns={"x": view.x, "y": view.y})
    layers = _bands(canvas, drawn, view) if view.grouped else _lines(canvas, lines, drawn, view)
    if len(drawn.readings):
        layers.append(_cursor(canvas, drawn, view))
    return Figure(alt.layer(*layers, height=_HEIGHT), canvas.frames)


def axis_title(name: str) -> str:
    """Title of what curves run along or show."""
    return _SECONDS if name == "seconds" else column_title(name)


def _paint(drawn: CurveLines, view: CurveView) -> alt.Color:
    legend = (
        alt.Legend(title=column_title(view.color), symbolOpacity=1, symbolStrokeWidth=2)
        if len(drawn.groups.order) > 1
        else None
    )
    scale = alt.Scale(domain=drawn.groups.order, range=drawn.groups.colours)
    return alt.Color("group:N", scale=scale, sort=drawn.groups.order, legend=legend)


def _toggled(layer: alt.Chart, strong: float) -> alt.Chart:
    shown = alt.selection_point(name="shown", fields=["group"], bind="legend")
    return layer.encode(
        opacity=alt.OpacityValue(0.05, condition={"param": "shown", "value": strong})
    ).add_params(shown, alt.selection_interval(name=ZOOM, encodings=["x"]))  # fmt: skip


def _x(canvas: Canvas) -> alt.X:
    channel = canvas.x()
    channel.title = axis_title(canvas.view.x)
    return channel


def _lines(canvas: Canvas, lines: pd.DataFrame, drawn: CurveLines, view: CurveView) -> list[alt.Chart]:
    crowd = lines["run"].nunique() > 40
    base = canvas.frames.chart("lines", lines).encode(x=_x(canvas), detail="run:N", color=_paint(drawn, view))
    layers = []
    if view.smooth:
        raw = base.mark_line(strokeWidth=0.8, opacity=0.16, clip=True)
        layers.append(raw.encode(y=canvas.y()))
    line = base.mark_line(strokeWidth=0.9 if crowd else 1.5, clip=True)
    y = canvas.y(SMOOTH, column_title(view.y)) if view.smooth else canvas.y()
    layers.append(_toggled(line.encode(y=y), 0.6 if crowd else 0.9))
    return layers


def _bands(canvas: Canvas, drawn: CurveLines, view: CurveView) -> list[alt.Chart]:
    rows = drawn.means.rename(columns={"x": view.x})
    base = canvas.frames.chart("means", rows).encode(x=_x(canvas), color=_paint(drawn, view))
    band = base.mark_area(opacity=0.16, clip=True, strokeWidth=0)
    line = base.mark_line(strokeWidth=2, clip=True)
    title = column_title(view.y)
    return [band.encode(y=canvas.y("low", title), y2="high:Q"), _toggled(line.encode(y=canvas.y("mean", title)), 0.95)]


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
    told = [("at", axis_title(view.x))]
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
    return f"{value:,.0f}" if name == "step" else f"{value:,.0f} s" if name == "seconds" else format_value(name, value)


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
