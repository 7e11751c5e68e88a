"""The runs as points: filled where fitted, hollow where held out, crossed where excluded."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scaling_core.charts.axes import (
    Groups,
    View,
    column_title,
    format_value,
    group_by,
)
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.outside import OUTSIDE, SHAPES, at_the_edge, outside_title, robust_domain
from scaling_core.charts.palette import Palette

#: Name of the selection that a drag over the points makes.
BRUSH = "chosen"
_HEIGHT = 430
_ROLES = ["fitted", "held out", "excluded"]
_SHAPES = ["circle", "circle", "cross"]
#: Columns that a chart adds to those of the runs: a file may call its own “group” or “role”.
GROUP, ROLE = "__group", "__role"
_SHAPE = "__shape"
FITTED_TEST = f"datum.{ROLE} == 'fitted'"
_MAX_POINTS = 2000
#: Points of which each has words for screen readers: more would be read by nobody, and take the browser long.
_MOST_READ = 300
Places = NDArray[np.intp]


def runs_chart(
    runs: pd.DataFrame,
    view: View,
    color: str,
    palette: Palette,
    line: pd.DataFrame | None = None,
    spread: pd.DataFrame | None = None,
) -> Figure:
    """Points of ``view.y`` against ``view.x``; drag selects, the legend toggles.

    ``runs`` has canonical columns and ``role``; ``line`` (columns ``view.x``, ``view.y``) is a law drawn faintly.
    ``spread`` (``seed_summary``) has mean and spread of settings with several seeds, drawn where loss stands up.
    """
    points, groups = point_frame(runs, view, color, palette)
    x_domain = robust_domain(points[view.x], log=view.log_x)
    y_domain = robust_domain(points[view.y], log=view.log_y)
    canvas = Canvas(view, x_domain, y_domain, palette)
    layers = [_faint_line(canvas, line)] if line is not None and len(line) else []
    layers.append(point_layer(canvas, points, groups, color))
    if spread is not None and len(spread) and view.y == "loss":
        layers += _spread(canvas, spread)
    return Figure(with_outside(alt.layer(*layers, height=_HEIGHT), canvas, points), canvas.frames)


def with_outside(chart: alt.LayerChart, canvas: Canvas, points: pd.DataFrame) -> alt.LayerChart:
    """The chart, and above it which runs lie outside, if any."""
    said = outside_title(points, canvas.view, canvas.x_domain, canvas.y_domain, canvas.palette)
    return chart.properties(title=said) if said else chart


def point_frame(runs: pd.DataFrame, view: View, color: str, palette: Palette) -> tuple[pd.DataFrame, Groups]:
    """Rows that can be drawn, with texts for tooltips and a colour group; at most ``_MAX_POINTS`` rows.

    Columns besides ``run`` and those of the view begin with two underscores.
    """
    drawn = _drawable(runs, view)
    groups = group_by(drawn, color, palette)
    out = pd.DataFrame({view.x: drawn[view.x], view.y: drawn[view.y], GROUP: groups.labels})
    out["run"] = drawn["run"].astype(str)
    out[ROLE] = drawn["role"].where(drawn["role"].isin(_ROLES), "excluded") if "role" in drawn else "fitted"
    for name in ("params", "tokens", "flops", "loss"):
        out[f"__{name}"] = [format_value(name, float(v)) for v in drawn[name]]
    out["__law"], out["__residual"] = _law_texts(drawn)
    return out, groups


def _drawable(runs: pd.DataFrame, view: View) -> pd.DataFrame:
    """Rows that the axes can show; of too many the ends of runs first, then of the rest what there is room for."""
    shown = (runs[view.x] > 0 if view.log_x else runs[view.x].notna()).to_numpy(dtype=bool, na_value=False)
    shown = shown & (runs[view.y] > 0 if view.log_y else runs[view.y].notna()).to_numpy(dtype=bool, na_value=False)
    places = np.flatnonzero(shown)
    if len(places) > _MAX_POINTS:
        final = runs["is_final"].to_numpy(dtype=bool)[places]
        ends = _even_share(places[final], _MAX_POINTS)
        places = np.concatenate([ends, _even_share(places[~final], _MAX_POINTS - len(ends))])
    return runs.iloc[places]


def _even_share(places: Places, count: int) -> Places:
    """At most so many, from the first to the last at even distances."""
    return places if len(places) <= count else places[np.linspace(0, len(places) - 1, count).round().astype(int)]


def _law_texts(drawn: pd.DataFrame) -> tuple[list[str], list[str]]:
    if "predicted" not in drawn:
        return ["no law"] * len(drawn), [""] * len(drawn)
    said = [format_value("loss", float(v)) for v in drawn["predicted"]]
    off = ["" if pd.isna(v) else f"{100 * v:+.2f}%" for v in drawn["residual"]]
    return said, off


def point_layer(canvas: Canvas, points: pd.DataFrame, groups: Groups, color: str) -> alt.Chart:
    """Layer of points; dragging over it selects, its legend toggles."""
    brush = alt.selection_interval(name=BRUSH, encodings=["x", "y"])
    shown = alt.selection_point(name="shown", fields=[GROUP], bind="legend")
    size = 80 if len(points) <= 80 else 40  # a crowd of large points hides the law
    legend = {"title": column_title(color), "orient": "right"} if len(groups.order) > 1 else None
    layer = point_marks(canvas, points, groups, legend, size)
    opacity = alt.OpacityValue(0.08, condition={"param": "shown", "value": 0.95})
    return layer.encode(opacity=opacity).add_params(brush, shown)


def point_marks(
    canvas: Canvas,
    points: pd.DataFrame,
    groups: Groups,
    legend: dict[str, str] | None,
    size: int,
    y_title: str | None = None,
    filled: str = FITTED_TEST,
) -> alt.Chart:
    """Points by role: filled where the expression holds (fitted), hollow where held out, crossed where excluded.

    Those outside of the axes stand at the edge as arrows that point to where they are.
    """
    drawn = at_the_edge(points, canvas.view, canvas.x_domain, canvas.y_domain)
    drawn[_SHAPE] = drawn[OUTSIDE].where(drawn[OUTSIDE] != "", drawn[ROLE])
    beyond = [side for side in SHAPES if (drawn[OUTSIDE] == side).any()]
    shapes = alt.Scale(domain=[*_ROLES, *beyond], range=[*_SHAPES, *(SHAPES[side] for side in beyond)])
    scale = {"domain": groups.order, "range": groups.colours}
    paint = {"field": GROUP, "type": "nominal", "scale": scale, "sort": groups.order, "legend": legend}
    mark = canvas.frames.chart("points", drawn).mark_point(size=size, strokeWidth=1.8, aria=len(drawn) <= _MOST_READ)
    return mark.encode(
        x=canvas.x(),
        y=canvas.y(title=y_title),
        color=alt.Color(**paint),
        fill=alt.FillValue("transparent", condition={"test": filled, **paint}),
        shape=alt.Shape(f"{_SHAPE}:N", scale=shapes, legend=None),
        tooltip=tooltips(),
    )


def tooltips() -> list[alt.Tooltip]:
    """What a point says of itself."""
    texts = (
        ("run", "run"),
        ("__params", "N"),
        ("__tokens", "D"),
        ("__flops", "C"),
        ("__loss", "loss"),
        ("__law", "the law says"),
        ("__residual", "residual"),
        (ROLE, "role"),
    )
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in texts]


def _spread(canvas: Canvas, spread: pd.DataFrame) -> list[alt.Chart]:
    """Bars from low to high and a dash at the mean."""
    rows = spread[[canvas.view.x, "loss", "loss_low", "loss_high", "runs"]].dropna()
    rows = rows[rows["loss_low"] > 0].assign(
        __mean=[format_value("loss", float(v)) for v in rows["loss"]],
        __sd=[f"± {v:.3g}" for v in rows["loss_high"] - rows["loss"]],
    )
    told = [alt.Tooltip("runs:Q"), alt.Tooltip("__mean:N", title="mean"), alt.Tooltip("__sd:N", title="deviation")]
    bars = canvas.frames.chart("spread", rows).mark_rule(color=canvas.palette.ink, strokeWidth=2, clip=True)
    bars = bars.encode(
        x=canvas.x(),
        y=canvas.y("loss_low", title=canvas.view.y_title or column_title("loss")),
        y2="loss_high:Q",
        tooltip=told,
    )
    means = canvas.frames.chart("means", rows).mark_tick(color=canvas.palette.ink, size=14, thickness=2, clip=True)
    return [bars, means.encode(x=canvas.x(), y=canvas.y(), tooltip=told)]


def _faint_line(canvas: Canvas, line: pd.DataFrame) -> alt.Chart:
    known = line[[canvas.view.x, canvas.view.y]].dropna()
    mark = canvas.frames.chart("line", known)
    mark = mark.mark_line(color=canvas.palette.muted, opacity=0.55, strokeWidth=2, clip=True)
    return mark.encode(x=canvas.x(), y=canvas.y())
