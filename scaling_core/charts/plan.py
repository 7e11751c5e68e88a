"""The frontier with a budget rule that the browser moves by itself: no round trip, so it follows the hand."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, position_scale, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.planning import LOG_STEP
from scaling_core.units import format_count, format_flops, format_number, format_ratio

#: Name of the Vega parameter that the slider moves.
BUDGET = "budget"
_LOSS_HEIGHT, _SIZE_HEIGHT = 300, 200
_CALM, _BEYOND = "calm", "beyond"
_NARROW = "width < 620"
_COLUMNS = (
    ("params", "parameters N", "N", 0.0),
    ("tokens", "tokens D", "D", 0.26),
    ("tokens_per_param", "tokens per parameter", "D/N", 0.52),
    ("loss", "loss, nats per token", "loss", 0.76),
)


def plan_chart(frontier: pd.DataFrame, start: float, level: float, palette: Palette) -> Figure:
    """Loss, N and D along the frontier, with a slider for the budget and a read-out of the row it stands on.

    ``frontier`` is ``planning.frontier`` on ``planning.budgets`` through ``start``, the first budget shown. The
    slider counts rows from ``start``, so that what it reads out is always a row that was computed.
    """
    rows = _with_texts(frontier, level)
    rows["step"] = np.rint(np.log10(frontier["flops"] / start) / LOG_STEP).astype(int)
    slider = alt.binding_range(min=int(rows["step"].min()), max=int(rows["step"].max()), step=1, name="Budget")
    budget = alt.param(name=BUDGET, value=0, bind=slider)
    frames = Frames()
    base = frames.chart("frontier", rows)
    at_budget = base.transform_filter(f"datum.step == {BUDGET}")
    x_domain = (float(frontier["flops"].min()), float(frontier["flops"].max()))
    ground = _beyond_ground(frames, rows, x_domain, palette)
    panels = [_readout(at_budget, palette), _loss_panel(base, at_budget, ground, rows, x_domain, palette)]
    if rows["params"].notna().any():
        panels.append(_size_panel(frames, base, at_budget, ground, rows, x_domain, palette))
    resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return Figure(alt.vconcat(*panels, spacing=14, params=[budget.param], resolve=resolve), frames)


def _with_texts(frontier: pd.DataFrame, level: float) -> pd.DataFrame:
    """Every sentence the read-out can say, written once: the browser only picks the row."""
    rows = frontier.copy()
    sure = f", {level:.0%} intervals" if rows["loss_low"].notna().any() else ""
    rows["budget_text"] = [f"With {format_flops(c)} FLOPs{sure}" for c in rows["flops"]]
    for name, write in (
        ("params", format_count),
        ("tokens", format_count),
        ("tokens_per_param", format_number),
        ("loss", lambda v: format_number(v, 4)),
    ):
        rows[f"{name}_text"] = [write(v) for v in rows[name]]
        pairs = zip(rows[f"{name}_low"], rows[f"{name}_high"], strict=True)
        rows[f"{name}_interval"] = [f"{write(a)} – {write(b)}" if math.isfinite(a) else "no interval" for a, b in pairs]
    rows["warning"], rows["warning_short"] = zip(*[_warning(b) for b in rows["beyond"]], strict=True)
    rows["state"] = np.where(rows["beyond"].fillna(1.0) == 1.0, _CALM, _BEYOND)
    return rows


def _warning(beyond: float) -> tuple[str, str]:
    """How far a budget lies from the runs, in a sentence and in a few words."""
    if math.isnan(beyond):
        return "How far this lies beyond the source's data is not known.", "Extent of the data not known"
    if beyond > 1:
        times = format_ratio(beyond)
        return (
            f"This budget lies {times} beyond the largest run: the law has not been seen to hold there.",
            f"{times} beyond the largest run",
        )
    if beyond < 1:
        times = format_ratio(1 / beyond)
        return f"This budget lies {times} below the smallest run.", f"{times} below the smallest run"
    return "Inside the range of the runs.", "Inside the range of the runs"


def _readout(at_budget: alt.Chart, palette: Palette) -> alt.LayerChart:
    """Four numbers with their intervals, large, and under them how far the budget lies from the runs."""

    def text(said: str, x: float, y: float, wide: int, narrow: int, color: str, weight: str = "normal") -> alt.Chart:
        size = alt.expr(f"{_NARROW} ? {narrow} : {wide}")
        mark = at_budget.mark_text(align="left", baseline="top", fontSize=size, color=color, fontWeight=weight)
        left = alt.XValue(alt.expr(f"width * {x}"))
        return mark.encode(x=left, y=alt.YValue(y), text=alt.TextValue(alt.expr(said)))

    layers = [text("datum.budget_text", 0, 0, 15, 13, palette.muted)]
    for name, title, short, x in _COLUMNS:
        layers += [
            text(f"datum.{name}_text", x, 22, 30, 17, palette.accent, "bold"),
            text(f"{_NARROW} ? '{short}' : '{title}'", x, 58, 13, 11, palette.muted),
            text(f"datum.{name}_interval", x, 76, 13, 9, palette.ink),
        ]
    paint = alt.expr(f"datum.state == '{_CALM}' ? '{palette.muted}' : '{palette.warning}'")
    warning = text(f"{_NARROW} ? datum.warning_short : datum.warning", 0, 102, 14, 14, palette.muted, "bold")
    warning = warning.encode(color=alt.ColorValue(paint))
    return alt.layer(*layers, warning, height=124, view=alt.ViewConfig(stroke=None))


def _loss_panel(
    base: alt.Chart,
    at_budget: alt.Chart,
    ground: alt.Chart,
    rows: pd.DataFrame,
    x_domain: tuple[float, float],
    palette: Palette,
) -> alt.LayerChart:
    y_domain = domain_of(rows["loss"], log=True, pad=0.06)
    x = x_channel("flops", log=True, domain=x_domain)
    y = y_channel("loss", log=True, domain=y_domain)
    layers = [ground, *_band_layer(base, rows, "loss", x, y_domain, palette.ink)]
    layers += [*_line_layers(base, x, y, palette.ink), *_marker(at_budget, x, y, palette.accent, palette.accent)]
    return alt.layer(*layers, height=_LOSS_HEIGHT)


def _size_panel(
    frames: Frames,
    base: alt.Chart,
    at_budget: alt.Chart,
    ground: alt.Chart,
    rows: pd.DataFrame,
    x_domain: tuple[float, float],
    palette: Palette,
) -> alt.LayerChart:
    """N and D on one axis of counts."""
    domain = domain_of(pd.concat([rows["params"], rows["tokens"]]), log=True, pad=0.07)
    x = x_channel("flops", log=True, domain=x_domain)
    layers = [ground]
    for name, color, label, above in (
        ("tokens", palette.categories[1], "tokens D", True),
        ("params", palette.categories[0], "parameters N", False),
    ):
        y = y_channel(name, log=True, domain=domain, title="N and D")
        layers += [*_band_layer(base, rows, name, x, domain, color), *_line_layers(base, x, y, color)]
        layers += _marker(at_budget, x, y, palette.accent, color)
        layers += _line_label(frames, rows, name, label, x, y, color, above)
    return alt.layer(*layers, height=_SIZE_HEIGHT)


def _line_layers(base: alt.Chart, x: alt.X, y: alt.Y, color: str) -> list[alt.Chart]:
    """Dashed throughout, solid inside the runs."""
    placed = base.encode(x=x, y=y)
    inside = placed.transform_filter(f"datum.state == '{_CALM}'")
    return [
        placed.mark_line(color=color, strokeWidth=2, strokeDash=[7, 5]),
        inside.mark_line(color=color, strokeWidth=2.8),
    ]


def _band_layer(
    base: alt.Chart, rows: pd.DataFrame, name: str, x: alt.X, domain: tuple[float, float], color: str
) -> list[alt.Chart]:
    if not rows[f"{name}_low"].notna().any():
        return []
    low = alt.Y(f"{name}_low:Q", scale=position_scale(domain, log=True))
    return [base.mark_area(color=color, opacity=0.15, clip=True).encode(x=x, y=low, y2=f"{name}_high:Q")]


def _marker(at_budget: alt.Chart, x: alt.X, y: alt.Y, rule: str, point: str) -> list[alt.Chart]:
    return [
        at_budget.mark_rule(color=rule, strokeWidth=1.5).encode(x=x),
        at_budget.mark_point(color=point, filled=True, size=110, opacity=1).encode(x=x, y=y),
    ]


def _beyond_ground(frames: Frames, rows: pd.DataFrame, x_domain: tuple[float, float], palette: Palette) -> alt.Chart:
    """Shade the budgets beyond the largest run; nothing where there are none."""
    past = rows.loc[rows["beyond"] > 1, "flops"]
    ends = [(past.min(), past.max())] if len(past) else []
    mark = frames.chart("ground", pd.DataFrame(ends, columns=["start", "end"], dtype=float))
    start = alt.X("start:Q", scale=position_scale(x_domain, log=True))
    return mark.mark_rect(color=palette.ground, opacity=0.10).encode(x=start, x2="end:Q")


def _line_label(
    frames: Frames, rows: pd.DataFrame, name: str, label: str, x: alt.X, y: alt.Y, color: str, above: bool
) -> list[alt.Chart]:
    known = rows[rows[name].notna()]
    at = known.iloc[[len(known) * 2 // 3]][["flops", name]].assign(label=label)
    mark = frames.chart(f"label_{name}", at).mark_text(
        align="right", dy=-16 if above else 18, color=color, fontWeight="bold", fontSize=12
    )
    return [mark.encode(x=x, y=y, text="label:N")]
