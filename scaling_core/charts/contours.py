"""Parameters against tokens as a map: lines of equal loss, lines of equal compute, the runs, and the best way up."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from scaling_core.charts.axes import Groups, View, domain_of
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import Palette
from scaling_core.charts.runs import BRUSH, point_frame, point_layer, point_marks
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN
from scaling_core.units import format_flops

_HEIGHT = 520
_VIEW = View("params", "tokens")
#: Where along the drawn part of a line its loss is written: past the runs, at few tokens per parameter.
_LABEL_AT = 0.9


def contour_chart(
    points: pd.DataFrame,
    contours: pd.DataFrame,
    frontier: pd.DataFrame | None,
    palette: Palette,
    color: str = "params",
) -> Figure:
    """N against D on log axes.

    Parameters
    ----------
    points : frame with canonical columns, ``role``, ``predicted`` and ``residual``
    contours : frame of ``fitting.curves.contours``
        Solid inside the runs, dashed beyond them, each labelled with its loss.
    frontier : frame with ``params``, ``tokens``, ``flops`` and ``beyond``, or None
        The best N and D for each budget; darkest, dashed beyond the runs.
    color : str
        What the colour of a point says. ``params`` and ``loss`` need no legend: an axis and the lines say them.
    """
    drawn, groups = point_frame(points, _VIEW, color, palette)
    extent = pd.concat([contours[["params", "tokens"]], drawn[["params", "tokens"]]])
    x_domain, y_domain = (domain_of(extent[name], log=True, pad=0.01) for name in ("params", "tokens"))
    canvas = Canvas(_VIEW, x_domain, y_domain, palette)
    layers = _equal_compute(canvas)
    layers += _equal_loss(canvas, contours)
    if frontier is not None:
        layers += _frontier(canvas, frontier)
    layers.append(_points(canvas, drawn, groups, color))
    layers += _loss_labels(canvas, contours)
    return Figure(alt.layer(*layers, height=_HEIGHT), canvas.frames)


def _points(canvas: Canvas, points: pd.DataFrame, groups: Groups, color: str) -> alt.Chart:
    if color not in ("params", "loss"):
        return point_layer(canvas, points, groups, color)
    marks = point_marks(canvas, points, groups, None, 60 if len(points) <= 80 else 30)
    return marks.add_params(alt.selection_interval(name=BRUSH, encodings=["x", "y"]))


def _equal_compute(canvas: Canvas) -> list[alt.Chart]:
    """Faint lines on which C = 6ND is a power of ten, labelled where they leave the map on top or at its left."""
    (low_n, high_n), (low_d, high_d) = canvas.x_domain, canvas.y_domain
    first = math.ceil(math.log10(FLOPS_PER_PARAM_TOKEN * low_n * low_d) + 0.3)
    last = math.floor(math.log10(FLOPS_PER_PARAM_TOKEN * high_n * high_d) - 0.3)
    rows = []
    for power in range(first, last + 1):
        product = 10.0**power / FLOPS_PER_PARAM_TOKEN
        for end, params in enumerate((max(low_n, product / high_d), min(high_n, product / low_d))):
            rows.append({"params": params, "tokens": product / params, "power": power, "end": end})
    frame = pd.DataFrame(rows, columns=["params", "tokens", "power", "end"])
    frame["text"] = [format_flops(10.0**p) for p in frame["power"]]
    base = canvas.frames.chart("compute", frame).encode(x=canvas.x(), y=canvas.y())
    line = base.mark_line(color=canvas.palette.muted, strokeWidth=1, opacity=0.35, clip=True).encode(detail="power:N")
    label = base.transform_filter("datum.end == 0").mark_text(
        align="left", baseline="top", dx=4, dy=4, fontSize=11, color=canvas.palette.muted
    )
    return [line, label.encode(text="text:N")]


def _equal_loss(canvas: Canvas, contours: pd.DataFrame) -> list[alt.Chart]:
    rows = contours.assign(piece=_pieces(contours))
    base = canvas.frames.chart("contours", rows).encode(x=canvas.x(), y=canvas.y())
    color = canvas.palette.accent
    dashed = base.mark_line(color=color, strokeWidth=1.2, strokeDash=[4, 4], opacity=0.6, clip=True)
    solid = base.transform_filter("datum.inside").mark_line(color=color, strokeWidth=1.8, opacity=0.9, clip=True)
    return [dashed.encode(detail="loss_level:N"), solid.encode(detail="piece:N")]


def _pieces(contours: pd.DataFrame) -> pd.Series:
    """A number for each unbroken stretch of one level that lies inside, or outside, of the runs."""
    changes = (contours["inside"] != contours["inside"].shift()) | (
        contours["loss_level"] != contours["loss_level"].shift()
    )
    return changes.cumsum()


def _loss_labels(canvas: Canvas, contours: pd.DataFrame) -> list[alt.Chart]:
    """The loss of each line on it, on a halo of the background so that lines do not strike it through."""
    parts = [part.iloc[[int(_LABEL_AT * (len(part) - 1))]] for _, part in contours.groupby("loss_level")]
    rows = pd.concat(parts) if parts else contours
    decimals = max((len(f"{v:.6g}".partition(".")[2]) for v in rows["loss_level"]), default=0)
    rows = rows.assign(text=[f"{v:.{decimals}f}" for v in rows["loss_level"]])
    base = canvas.frames.chart("labels", rows[["params", "tokens", "text"]])
    base = base.encode(x=canvas.x(), y=canvas.y(), text="text:N")
    ground, ink = canvas.palette.background, canvas.palette.accent
    return [
        base.mark_text(fontSize=12, fontWeight="bold", stroke=ground, strokeWidth=5, color=ground),
        base.mark_text(fontSize=12, fontWeight="bold", color=ink),
    ]


def _frontier(canvas: Canvas, frontier: pd.DataFrame) -> list[alt.Chart]:
    rows = frontier[["params", "tokens"]].assign(inside=frontier["beyond"].fillna(1.0) == 1.0).dropna()
    shown = rows["params"].between(*canvas.x_domain) & rows["tokens"].between(*canvas.y_domain)
    rows = rows[shown]
    base = canvas.frames.chart("frontier", rows).encode(x=canvas.x(), y=canvas.y())
    ink = canvas.palette.ink
    dashed = base.mark_line(color=ink, strokeWidth=2.4, strokeDash=[7, 5], clip=True)
    solid = base.transform_filter("datum.inside").mark_line(color=ink, strokeWidth=3, clip=True)
    return [dashed, solid]
