"""Training curves as they come: loss against tokens of every run, thin for training and dots for validation."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import Groups, View, column_title, format_value, group_by, unit_title
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.outside import robust_domain
from scaling_core.charts.palette import Palette
from scaling_core.charts.thinning import on_axis, points_kept

#: Points that all lines together may have.
MOST_POINTS = 4000
_HEIGHT = 380


def training_chart(
    lines: pd.DataFrame,
    palette: Palette,
    *,
    color: str = "params",
    y: str = "loss",
    log_x: bool = True,
    unit: str = "token",
    height: int = _HEIGHT,
) -> Figure:
    """Loss of each run against the tokens it has seen.

    Parameters
    ----------
    lines : frame with ``run``, ``tokens``, ``loss`` and ``color``
        A row a logged step; ``val_loss``, where known, is drawn as dots. Rows of one run in order.
    color : str
        Column that lines are coloured by.
    y : str
        Column of the line: "loss", or what else is logged ("tokens_per_second", "grad_norm", "lr").
    unit : str
        What is learned from: "token" or "example".
    """
    rows = lines[(lines["tokens"] > 0) & lines["run"].notna()]
    groups = group_by(rows, color, palette)
    rows = rows.assign(group=groups.labels)
    train = thinned(rows[rows[y].notna()], y, log_x=log_x)
    log_y = y != "lr"
    dots = rows[rows["val_loss"].notna()] if y == "loss" and "val_loss" in rows else rows.iloc[:0]
    values = np.concatenate([train[y], dots["val_loss"]]) if len(dots) else train[y]
    title = f"{unit_title(y, unit)}: line training, dots validation" if y == "loss" else y.replace("_", " ")
    view = View("tokens", y, log_x=log_x, log_y=log_y, y_title=title, x_title=unit_title("tokens", unit))
    canvas = Canvas(view, robust_domain(train["tokens"], log=log_x), robust_domain(values, log=log_y), palette)
    layers = [_lines(canvas, train, groups, color)]
    if len(dots):
        layers.append(_dots(canvas, dots, groups))
    return Figure(alt.layer(*layers, height=height), canvas.frames)


def thinned(rows: pd.DataFrame, y: str, *, log_x: bool = True) -> pd.DataFrame:
    """At most about ``MOST_POINTS`` rows: of each stretch of a run its lowest and highest stay, so that spikes show."""
    if len(rows) <= MOST_POINTS:
        return rows
    codes, runs = pd.factorize(rows["run"])
    order = np.argsort(codes, kind="stable")
    position = on_axis(rows["tokens"].to_numpy(dtype=float)[order], log=log_x)
    values = rows[y].to_numpy(dtype=float)[order]
    return rows.iloc[order[points_kept(codes[order], position, values, max(4, MOST_POINTS // len(runs)))]]


def _paint(groups: Groups) -> alt.Scale:
    return alt.Scale(domain=groups.order, range=groups.colours)


def _lines(canvas: Canvas, train: pd.DataFrame, groups: Groups, color: str) -> alt.Chart:
    shown = alt.selection_point(name="shown", fields=["group"], bind="legend")
    legend = alt.Legend(title=column_title(color)) if len(groups.order) > 1 else None
    rows = train[["run", "tokens", canvas.view.y, "group"]]
    rows = rows.assign(__tokens=[format_value("tokens", float(v)) for v in rows["tokens"]])
    mark = canvas.frames.chart("lines", rows).mark_line(strokeWidth=1.4, clip=True)
    return mark.encode(
        x=canvas.x(),
        y=canvas.y(),
        detail="run:N",
        color=alt.Color("group:N", scale=_paint(groups), sort=groups.order, legend=legend),
        opacity=alt.OpacityValue(0.1, condition={"param": "shown", "value": 0.85}),
        tooltip=[
            alt.Tooltip("run:N"),
            alt.Tooltip("__tokens:N", title="tokens"),
            alt.Tooltip(f"{canvas.view.y}:Q", format=".4g"),
        ],
    ).add_params(shown)


def _dots(canvas: Canvas, rows: pd.DataFrame, groups: Groups) -> alt.Chart:
    mark = canvas.frames.chart("dots", rows[["run", "tokens", "val_loss", "group"]])
    mark = mark.mark_point(size=60, filled=True, clip=True, stroke=canvas.palette.background, strokeWidth=1)
    return mark.encode(
        x=canvas.x(),
        y=canvas.y("val_loss", canvas.view.y_title),
        color=alt.Color("group:N", scale=_paint(groups), legend=None),
        tooltip=[alt.Tooltip("run:N"), alt.Tooltip("val_loss:Q", title="validation loss", format=".4g")],
    )
