"""A law through its points: solid inside the runs, dashed and on shaded ground beyond them."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import View, column_title, domain_of, format_value, position_scale
from scaling_core.charts.band_axis import domain_with_band
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.outside import robust_domain
from scaling_core.charts.palette import Palette, spread
from scaling_core.charts.runs import point_frame, point_layer, point_marks, with_outside
from scaling_core.units import format_ratio

_HEIGHT = 460
_RESIDUAL_HEIGHT = 230
_RESIDUAL_TITLE = "Residual, % of the law"
Domain = tuple[float, float]


def law_chart(
    runs: pd.DataFrame,
    view: View,
    palette: Palette,
    *,
    curves: pd.DataFrame | None = None,
    main: pd.DataFrame | None = None,
    extent: tuple[float, float] | None = None,
) -> Figure:
    """Points and the law.

    Parameters
    ----------
    runs : frame with canonical columns, ``role``, ``predicted`` and ``residual``
    curves : frame with ``view.x``, ``loss``, ``level`` and ``inside``
        A family of curves, each at one N, D or C (coloured as the points are, by that).
    main : frame with ``view.x``, ``loss`` and optionally ``loss_low``, ``loss_high``, ``beyond`` or ``inside``
        The one line that matters most: the frontier, or the law itself. Drawn darkest, with its band.
    extent : smallest and largest fitted ``view.x``
        Beyond its end the ground is shaded.
    """
    color = "params" if curves is None else _fixed(curves)
    points, groups = point_frame(runs, view, color, palette)
    canvas = Canvas(view, *_domains(points, view, main), palette)
    layers: list[alt.Chart] = []
    if extent and canvas.x_domain[1] > extent[1] * 1.05:
        layers += _ground(canvas, extent[1])
    if main is not None and main.get("loss_low") is not None and main["loss_low"].notna().any():
        layers.append(_band(canvas, main))
    if curves is not None:
        layers += _family(canvas, curves, color)
    if main is not None:
        layers += _main_line(canvas, main, extent)
    layers.append(point_layer(canvas, points, groups, color))
    return Figure(with_outside(alt.layer(*layers, height=_HEIGHT), canvas, points), canvas.frames)


def _fixed(curves: pd.DataFrame) -> str:
    """The quantity that each curve of a family holds."""
    return next(c for c in ("params", "tokens", "flops") if np.array_equal(curves[c], curves["level"]))


def residual_chart(runs: pd.DataFrame, x: str, palette: Palette, *, log_x: bool = True) -> Figure:
    """Relative residuals in percent against ``x``; above zero the law is too optimistic."""
    known = runs[runs["residual"].notna()].assign(percent=lambda f: 100 * f["residual"])
    view = View(x, "percent", log_x=log_x, log_y=False, y_title="residual in percent")
    points, groups = point_frame(known, view, "params", palette)
    reach = max(0.5, *(1.1 * abs(end) for end in robust_domain(points["percent"], log=False))) if len(points) else 1.0
    canvas = Canvas(view, robust_domain(points[x], log=log_x), (-reach, reach), palette)
    zero = canvas.frames.chart("zero", pd.DataFrame({"percent": [0.0]}))
    zero = zero.mark_rule(color=palette.ink, strokeWidth=1.2).encode(y=canvas.y(title=_RESIDUAL_TITLE))
    marks = point_marks(canvas, points, groups, None, 60, _RESIDUAL_TITLE)
    return Figure(with_outside(alt.layer(zero, marks, height=_RESIDUAL_HEIGHT), canvas, points), canvas.frames)


def _domains(points: pd.DataFrame, view: View, main: pd.DataFrame | None) -> tuple[Domain, Domain]:
    """The points, but for a few far off, and of the main line as much as it adds beyond them."""
    x = robust_domain(points[view.x], log=view.log_x, pad=0.02)
    y = robust_domain(points[view.y], log=view.log_y, pad=0.06)
    if main is None:
        return x, y
    line = main[main[view.x] >= x[0]]
    x_line = domain_of(main[view.x], log=view.log_x, pad=0.02)
    y_line = domain_with_band(line, "loss", log=view.log_y, pad=0.06) if line["loss"].notna().any() else y
    return _both(x, x_line), _both(y, y_line)


def _both(one: Domain, other: Domain) -> Domain:
    return min(one[0], other[0]), max(one[1], other[1])


def _ground(canvas: Canvas, start: float) -> list[alt.Chart]:
    """Shade what lies beyond the largest run, and say how far it reaches."""
    end = canvas.x_domain[1]
    times = format_ratio(end / start)
    ground = {
        "start": start,
        "end": end,
        "text": f"up to {times} beyond the largest fitted run",
        "short": f"{times} beyond",
    }
    base = canvas.frames.chart("ground", pd.DataFrame([ground]))
    scale = position_scale(canvas.x_domain, log=canvas.view.log_x)
    said = "width < 560 ? datum.short : datum.text"
    rect = base.mark_rect(color=canvas.palette.ground, opacity=0.10)
    label = base.mark_text(align="right", dx=-6, baseline="top", color=canvas.palette.muted, fontSize=12)
    return [
        rect.encode(x=alt.X("start:Q", scale=scale), x2="end:Q"),
        label.encode(x=alt.X("end:Q", scale=scale), y=alt.YValue(8), text=alt.TextValue(alt.expr(said))),
    ]


def _band(canvas: Canvas, main: pd.DataFrame) -> alt.Chart:
    known = main[[canvas.view.x, "loss_low", "loss_high"]].dropna()
    area = canvas.frames.chart("band", known).mark_area(color=canvas.palette.ink, opacity=0.13, clip=True)
    return area.encode(
        x=canvas.x(), y=canvas.y("loss_low", canvas.view.y_title or column_title("loss")), y2="loss_high:Q"
    )


def _family(canvas: Canvas, curves: pd.DataFrame, color: str) -> list[alt.Chart]:
    """One curve a level, coloured on the same sequence as the points: small is light."""
    levels = sorted(curves["level"].unique())
    order = [format_value(color, v) for v in levels]
    names = dict(zip(levels, order, strict=True))
    scale = alt.Scale(domain=order, range=spread(canvas.palette.sequence, len(order)))
    rows = curves.assign(size=curves["level"].map(names))[[canvas.view.x, "loss", "size", "inside"]]
    base = canvas.frames.chart("curves", rows)
    base = base.encode(x=canvas.x(), y=canvas.y(), stroke=alt.Stroke("size:N", scale=scale, legend=None))
    dashed = base.mark_line(strokeWidth=1.3, strokeDash=[4, 4], opacity=0.6, clip=True)
    solid = base.transform_filter("datum.inside").mark_line(strokeWidth=1.5, opacity=0.85, clip=True)
    return [dashed, solid]


def _main_line(canvas: Canvas, main: pd.DataFrame, extent: Domain | None) -> list[alt.Chart]:
    low, high = extent or (-math.inf, math.inf)
    rows = main[[canvas.view.x, "loss"]].dropna().assign(inside=lambda f: f[canvas.view.x].between(low, high))
    base = canvas.frames.chart("main", rows).encode(x=canvas.x(), y=canvas.y())
    ink = canvas.palette.ink
    dashed = base.mark_line(color=ink, strokeWidth=2.2, strokeDash=[7, 5], clip=True)
    solid = base.transform_filter("datum.inside").mark_line(color=ink, strokeWidth=2.8, clip=True)
    return [dashed, solid]
