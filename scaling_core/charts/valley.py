"""The valley at one budget: what other sizes lose, how much more compute makes that good, and a slider through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import View, domain_of, position_scale
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.measured import axis_title, in_metric, is_log, short_title
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW, ROW_HEIGHT, Told, numbers, write
from scaling_core.planning.figures import size as written
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_number, format_ratio

#: Name of the Vega parameter that the slider moves: steps from the best size.
SIZE = "size"
_HEIGHT = 340
_VIEW = View("params", "loss")
#: The names of the zones stand beside the widest, unless it ends past this share of the axis.
_FITS = 0.7
_COLUMNS = [
    Told("params", "parameters N", "N", 0.0),
    Told("tokens", "tokens D", "D", 0.2),
    Told("tokens_per_param", "tokens per parameter", "D/N", 0.4),
    Told("loss", "loss, nats per token", "loss", 0.62),
    Told("overhead", "compute to be as good", "more C", 0.83),
]

Zone = tuple[float, float, float]


def valley_chart(rows: pd.DataFrame, zones: Sequence[Zone], palette: Palette, metric: Metric = LOSS) -> Figure:
    """Loss against N at one budget, with the zones in which little more compute reaches the best loss.

    Parameters
    ----------
    rows : frame of ``planning.valley.valley``
        The slider counts its rows from the best size, to the smaller below zero and to the larger above.
    zones : sequence of (extra, low, high)
        Share of extra compute, and the smallest and largest N that reach the best loss with it.
    metric : Metric
        What the law gives the cost of; one where higher is better makes a hill of the valley.
    """
    drawn = _with_texts(in_metric(rows, metric))
    if metric != LOSS:
        drawn = drawn.assign(loss_title=metric.title, loss_title_short=short_title(metric))
    slider = alt.binding_range(min=int(drawn["step"].min()), max=int(drawn["step"].max()), step=1, name="Size")
    size = alt.param(name=SIZE, value=0, bind=slider)
    losses = drawn[["loss", "loss_low", "loss_high"]].to_numpy().ravel()
    log = is_log(metric)
    view = replace(_VIEW, log_y=log, y_title=axis_title(metric))
    y_domain = _with_room(losses, len(zones), log)
    canvas = Canvas(view, domain_of(drawn["params"], log=True, pad=0), y_domain, palette, Frames())
    base = canvas.frames.chart("valley", drawn)
    chosen = base.transform_filter(f"datum.step == {SIZE}")
    parts = [_readout(chosen, drawn, palette), _curve_panel(canvas, base, chosen, drawn, zones)]
    return Figure(alt.vconcat(*parts, spacing=14, params=[size.param]), canvas.frames)


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps from the best size, and every sentence of the read-out; what a size cannot reach is left empty."""
    out = rows.reset_index(drop=True).replace([np.inf, -np.inf], np.nan)
    out["step"] = out.index - int((out["factor"] - 1).abs().to_numpy().argmin())
    out["params_text"] = [written(v) for v in out["params"]]
    out["tokens_text"] = [written(v) for v in out["tokens"]]
    out["tokens_per_param_text"] = [format_number(v) for v in out["tokens_per_param"]]
    out["loss_text"] = [format_number(v, 4) for v in out["loss"]]
    pairs = zip(out["loss_low"], out["loss_high"], strict=True)
    out["loss_interval"] = [
        f"{format_number(a, 4)} – {format_number(b, 4)}" if math.isfinite(a) else "no interval" for a, b in pairs
    ]
    out["overhead_text"] = [_percent(v) for v in out["overhead"]]
    out["said"] = [_sentence(*values) for values in zip(out["factor"], out["overhead"], strict=True)]
    return out


def _percent(overhead: float) -> str:
    if math.isnan(overhead):
        return "never"
    percent = 100 * max(overhead, 0.0)
    return "+0%" if percent < 0.005 else f"+{format_number(percent, 2 if percent < 100 else 3)}%"


def _sentence(factor: float, overhead: float) -> str:
    if abs(factor - 1) < 1e-6:
        return "The best size for this budget"
    side = f"{format_ratio(factor)} the best size" if factor > 1 else f"{format_ratio(1 / factor)} below the best size"
    return side if math.isfinite(overhead) else f"{side}: no data makes it as good"


def _with_room(losses: np.ndarray, zones: int, log: bool) -> tuple[float, float]:
    """Losses with room above for the names of the zones and below for the name of the best size."""
    low, high = domain_of(losses, log=log, pad=0.0)
    if not log:
        return low - 0.14 * (high - low), high + (0.02 + 0.05 * zones) * (high - low)
    span = math.log(high / low)
    return low * math.exp(-0.14 * span), high * math.exp((0.02 + 0.05 * zones) * span)


def _readout(chosen: alt.Chart, drawn: pd.DataFrame, palette: Palette) -> alt.LayerChart:
    layers = [
        write(chosen, "datum.said", 0, 0, 15, 13, palette.muted),
        *numbers(chosen, drawn, _COLUMNS, 22, palette, narrow=15),
    ]
    return alt.layer(*layers, height=22 + ROW_HEIGHT, view=alt.ViewConfig(stroke=None))


def _curve_panel(
    canvas: Canvas, base: alt.Chart, chosen: alt.Chart, drawn: pd.DataFrame, zones: Sequence[Zone]
) -> alt.LayerChart:
    palette, x, y = canvas.palette, canvas.x(), canvas.y()
    bands, names = _zones(canvas, zones)
    layers = [bands, base.mark_line(color=palette.ink, strokeWidth=2.8).encode(x=x, y=y)]
    if drawn["loss_low"].notna().any():
        low = alt.Y("loss_low:Q", scale=position_scale(canvas.y_domain, log=canvas.view.log_y))
        band = base.mark_area(color=palette.ink, opacity=0.12, clip=True)
        layers.insert(1, band.encode(x=x, y=low, y2="loss_high:Q"))
    rule = chosen.mark_rule(color=palette.accent, strokeWidth=1.5).encode(x=x)
    dot = chosen.mark_point(color=palette.accent, filled=True, size=110, opacity=1).encode(x=x, y=y)
    return alt.layer(*layers, rule, *_best(canvas, drawn), dot, *names, height=_HEIGHT)


def _zones(canvas: Canvas, zones: Sequence[Zone]) -> tuple[alt.Chart, list[alt.Chart]]:
    """Bands, the widest behind, and over each its length and name, on lines of their own so that none meet."""
    low, high = canvas.x_domain
    wide_first = sorted(zones, key=lambda zone: -zone[0])
    rows = pd.DataFrame(
        [
            {"params": max(a, low), "end": min(b, high), "row": 14.0 + 18 * k, "text": f"{100 * extra:g}% more compute"}
            for k, (extra, a, b) in enumerate(wide_first)
        ],
        columns=["params", "end", "row", "text"],
    ).assign(edge=lambda f: f["end"].max())
    base, color, x = canvas.frames.chart("zones", rows), canvas.palette.categories[2], canvas.x()
    y = alt.Y("row:Q", scale=None, axis=None)
    edge = alt.X("edge:Q", scale=position_scale(canvas.x_domain, log=True))
    fits = bool(np.log(rows["edge"] / low).max() < _FITS * math.log(high / low)) if len(rows) else True
    size = alt.expr(f"{NARROW} ? 11 : 12")
    style = {"align": "left" if fits else "right", "dx": 8 if fits else -8, "fontSize": size, "baseline": "middle"}
    return base.mark_rect(color=color, opacity=0.14).encode(x=x, x2="end:Q"), [
        base.mark_rule(color=color, strokeWidth=2).encode(x=x, x2="end:Q", y=y),
        base.mark_text(**style, color=canvas.palette.ink).encode(x=edge, y=y, text="text:N"),
    ]


def _best(canvas: Canvas, drawn: pd.DataFrame) -> list[alt.Chart]:
    best = drawn.loc[drawn["step"] == 0, ["params", "loss", "params_text"]]
    base = canvas.frames.chart("best", best.assign(text="best: " + best["params_text"]))
    x, y, ink = canvas.x(), canvas.y(), canvas.palette.ink
    diamond = base.mark_point(shape="diamond", size=240, color=ink, filled=True, opacity=1)
    text = base.mark_text(align="left", dx=10, dy=18, fontSize=13, fontWeight="bold", color=ink)
    return [diamond.encode(x=x, y=y), text.encode(x=x, y=y, text="text:N")]
