"""The law of a ladder while it grows: points, a curve with its band for each size, rings for what is to come."""

from __future__ import annotations

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, domain_of, format_value, unit_title
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import Palette, spread

_HEIGHT = 420
_SIZE = "Parameters N"


def growing_chart(
    done: pd.DataFrame,
    palette: Palette,
    *,
    curves: pd.DataFrame | None = None,
    coming: pd.DataFrame | None = None,
    unit: str = "token",
    height: int = _HEIGHT,
) -> Figure:
    """Loss against tokens, a colour for each size.

    Parameters
    ----------
    done : frame with ``run``, ``params``, ``tokens``, ``flops``, ``loss``
        Optionally ``test``: true for the run that was held back, drawn as a diamond.
    curves : frame with ``params``, ``tokens``, ``loss``, ``low``, ``high``
        The law at each size, with its interval.
    coming : frame with ``run``, ``params``, ``tokens``, ``flops``, ``predicted``, ``low``, ``high``
        Forecasts of runs that have not ended: rings with their interval.
    unit : str
        What is learned from: "token" or "example".
    """
    drawn = [_points(done)]
    if coming is not None and len(coming):
        drawn.append(_rings(coming))
    sizes = sorted({float(n) for frame in (done, curves, coming) if frame is not None for n in frame["params"]})
    order = [format_value("params", n) for n in sizes]
    values = pd.concat([f["loss"] for f in drawn], ignore_index=True) if len(drawn) > 1 else drawn[0]["loss"]
    tokens = pd.concat([f["tokens"] for f in (*drawn, curves) if f is not None], ignore_index=True)
    view = View("tokens", "loss", x_title=unit_title("tokens", unit), y_title=unit_title("loss", unit))
    canvas = Canvas(view, domain_of(tokens, log=True), domain_of(values, log=True, pad=0.1), palette)
    scale = alt.Scale(domain=order, range=spread(palette.sequence, len(order)))
    layers = [] if curves is None or curves.empty else _curves(canvas, curves, scale)
    layers += _ring_layers(canvas, drawn[1], scale) if len(drawn) > 1 else []
    layers.append(_point_layer(canvas, drawn[0], scale))
    return Figure(alt.layer(*layers, height=height), canvas.frames)


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame[["run", "params", "tokens"]].copy()
    out["size"] = [format_value("params", float(v)) for v in frame["params"]]
    for name in ("params", "tokens", "flops"):
        out[f"__{name}"] = [format_value(name, float(v)) for v in frame[name]]
    return out


def _points(done: pd.DataFrame) -> pd.DataFrame:
    test = done["test"].fillna(False).astype(bool) if "test" in done else pd.Series(False, index=done.index)
    return _texts(done).assign(
        loss=done["loss"], kind=test.map({True: "held back", False: "fitted"}),
        said=[format_value("loss", float(v)) for v in done["loss"]],
    )  # fmt: skip


def _rings(coming: pd.DataFrame) -> pd.DataFrame:
    ends = [
        f"{format_value('loss', a)} – {format_value('loss', b)}"
        for a, b in zip(coming["low"], coming["high"], strict=True)
    ]
    return _texts(coming).assign(
        loss=coming["predicted"], low=coming["low"], high=coming["high"], interval=ends,
        said=[format_value("loss", float(v)) for v in coming["predicted"]],
    )  # fmt: skip


def _curves(canvas: Canvas, curves: pd.DataFrame, scale: alt.Scale) -> list[alt.Chart]:
    rows = curves.assign(size=[format_value("params", float(v)) for v in curves["params"]])
    base = canvas.frames.chart("curves", rows[["tokens", "loss", "low", "high", "size"]]).encode(x=canvas.x())
    band = base.mark_area(opacity=0.14, clip=True)
    line = base.mark_line(strokeWidth=1.8, clip=True)
    return [
        band.encode(y=canvas.y("low"), y2="high:Q", color=_size_colour(scale)),
        line.encode(y=canvas.y(), color=_size_colour(scale)),
    ]


def _size_colour(scale: alt.Scale) -> alt.Color:
    """The same words in every layer: where one has no legend, Vega-Lite draws none."""
    return alt.Color(
        "size:N", scale=scale, sort=list(scale.to_dict()["domain"]), legend=alt.Legend(title=_SIZE, symbolOpacity=1)
    )


def _ring_layers(canvas: Canvas, rings: pd.DataFrame, scale: alt.Scale) -> list[alt.Chart]:
    base = canvas.frames.chart("rings", rings).encode(x=canvas.x(), color=_size_colour(scale))
    told = [("run", "run"), ("__params", "N"), ("__tokens", "D"), ("__flops", "C"), ("said", "forecast"),
            ("interval", "interval")]  # fmt: skip
    ring = base.mark_point(size=110, strokeWidth=1.8, strokeDash=[3, 2], filled=False, clip=True)
    return [
        base.mark_rule(opacity=0.6, clip=True).encode(y=canvas.y("low"), y2="high:Q"),
        ring.encode(y=canvas.y(), tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in told]),
    ]


def _point_layer(canvas: Canvas, points: pd.DataFrame, scale: alt.Scale) -> alt.Chart:
    told = [("run", "run"), ("__params", "N"), ("__tokens", "D"), ("__flops", "C"), ("said", "loss"), ("kind", "")]
    shapes = alt.Scale(domain=["fitted", "held back"], range=["circle", "diamond"])
    mark = canvas.frames.chart("points", points).mark_point(size=110, filled=True, opacity=1.0)
    return mark.encode(
        x=canvas.x(),
        y=canvas.y(),
        color=_size_colour(scale),
        shape=alt.Shape("kind:N", scale=shapes, legend=None),
        tooltip=[alt.Tooltip(f"{name}:N", title=title or "in the law") for name, title in told],
    )
