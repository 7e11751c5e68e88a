"""Loss against what it costs: what more money buys."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, position_scale, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.measured import axis_title, in_metric, is_log
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW
from scaling_core.planning.figures import hours, money
from scaling_core.planning.figures import size as written
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops, format_number

_HEIGHT = 380
_SIZE_LABEL = "replace(format(datum.value, '~s'), 'G', 'B')"
#: Points that bear the size of their model.
_NAMED = 5
#: Powers of ten of compute: two budgets this near are one, and from here to there the plan's name takes the room.
_ROUNDING, _PLAN_NAMED = 1e-6, (-0.3, 0.7)
#: A cost so near to ten times another counts as that.
_SAME = 0.06


def pareto_chart(rows: pd.DataFrame, palette: Palette, metric: Metric = LOSS, planned: float | None = None) -> Figure:
    """The best loss, or metric, for each cost in dollars, or in accelerator-hours where no price is known.

    Parameters
    ----------
    rows : frame of ``planning.whatmatters.pareto``
    planned : float
        Budget of the plan, whose row is marked.
    """
    name = cost_column(rows)
    drawn = _with_texts(in_metric(rows[rows[name] > 0].reset_index(drop=True), metric))
    frames = Frames()
    x = cost_channel(name, domain_of(drawn[name], log=True, pad=0.02))
    losses = drawn[["loss", "loss_low", "loss_high"]].to_numpy(dtype=float).ravel()
    log = is_log(metric)
    y_domain = domain_of(losses, log=log, pad=0.08)
    y = y_channel("loss", log=log, domain=y_domain, title=axis_title(metric))
    base = frames.chart("pareto", drawn)
    tips = (("cost_text", "cost"), ("hours_text", "accelerator-hours"), ("flops_text", "C"), ("params_text", "N"),
            ("loss_text", metric.title))  # fmt: skip
    dot = base.mark_point(color=palette.ink, filled=True, size=46, opacity=1)
    layers = [
        base.mark_line(color=palette.ink, strokeWidth=2.8).encode(x=x, y=y),
        dot.encode(x=x, y=y, tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips]),
        *_planned(frames, drawn, planned, x, y, palette),
        _names(frames, drawn, planned, x, y, palette),
        _message(frames, drawn, name, palette, metric),
    ]
    if drawn["loss_low"].notna().any():
        low = alt.Y("loss_low:Q", scale=position_scale(y_domain, log=log))
        layers.insert(0, base.mark_area(color=palette.ink, opacity=0.12).encode(x=x, y=low, y2="loss_high:Q"))
    return Figure(alt.layer(*layers, height=_HEIGHT), frames)


def _planned(
    frames: Frames, drawn: pd.DataFrame, planned: float | None, x: alt.X, y: alt.Y, palette: Palette
) -> list[alt.Chart]:
    """The plan as a larger point with its name."""
    rows = drawn[(_decades_above(drawn, planned)).abs() < _ROUNDING]
    base = frames.chart("planned", rows.assign(said="this plan, N " + rows["params_text"])).encode(x=x, y=y)
    name = base.mark_text(align="left", dx=8, dy=-13, fontSize=13, fontWeight="bold", color=palette.accent)
    return [
        base.mark_point(color=palette.accent, filled=True, size=130, opacity=1, shape="diamond"),
        name.encode(text="said:N"),
    ]


def _decades_above(drawn: pd.DataFrame, planned: float | None) -> pd.Series:
    """Powers of ten of compute between the plan and each row; infinite without a plan."""
    return np.log10(drawn["flops"] / planned) if planned else pd.Series(math.inf, drawn.index)


def cost_column(rows: pd.DataFrame) -> str:
    """What cost is counted in: dollars where every row has a price above zero, else hours, else FLOPs."""
    for name in ("cost_usd", "gpu_hours"):
        if name in rows and bool((rows[name].astype(float) > 0).all()):
            return name
    return "flops"


def cost_channel(name: str, domain: tuple[float, float], column: str = "") -> alt.X:
    """Horizontal channel of a cost on a log axis, read from ``column`` where that is another."""
    titles = {"cost_usd": "Cost (US dollars)", "gpu_hours": "Accelerator-hours"}
    x = x_channel(name, log=True, domain=domain, title=titles.get(name))
    x = x.field(column or name)
    if name in titles:
        x["axis"]["labelExpr"] = f"'$' + {_SIZE_LABEL}" if name == "cost_usd" else _SIZE_LABEL
    return x


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(rows["loss"], rows["loss_low"], rows["loss_high"], strict=True)
    return rows.assign(
        cost_text=[money(v) for v in rows["cost_usd"]],
        hours_text=[hours(v) for v in rows["gpu_hours"]],
        flops_text=[format_flops(v) for v in rows["flops"]],
        params_text=[written(v) for v in rows["params"]],
        loss_text=[with_interval(*values) for values in pairs],
    )


def with_interval(loss: float, low: float, high: float) -> str:
    """A loss, with its interval in brackets where it has one."""
    text = format_number(loss, 4)
    return f"{text} ({format_number(low, 4)}–{format_number(high, 4)})" if math.isfinite(low) else text


def _message(frames: Frames, drawn: pd.DataFrame, name: str, palette: Palette, metric: Metric) -> alt.Chart:
    """What ten times as much would buy from the middle on, in words, where a falling line leaves room."""
    text = []
    if len(drawn):
        here = drawn.iloc[len(drawn) // 2]
        there = drawn.loc[(drawn[name] / (10 * here[name]) - 1).abs().idxmin()]
        if abs(there[name] / (10 * here[name]) - 1) < _SAME:
            column = {"cost_usd": "cost_text", "gpu_hours": "hours_text"}.get(name, "flops_text")
            unit = {"gpu_hours": " hours", "flops": " FLOPs"}.get(name, "")
            text = [f"From {here[column]} to {there[column]}{unit} {_moves(here['loss'], there['loss'], metric)}"]
    size = alt.expr(f"{NARROW} ? 11 : 13")
    up = metric.higher_is_better  # a rising line leaves room at the left
    mark = frames.chart("message", pd.DataFrame({"text": text}, dtype=object))
    mark = mark.mark_text(
        align="left" if up else "right", baseline="top", fontSize=size, fontWeight="bold", color=palette.ink
    )
    return mark.encode(x=alt.XValue(6 if up else "width"), y=alt.YValue(4), text="text:N")


def _moves(here: float, there: float, metric: Metric) -> str:
    if metric == LOSS:
        return f"loss falls by {format_number(100 * (1 - there / here), 2)}%"
    word = "rises" if there > here else "falls"
    return f"{metric.title} {word} from {format_number(here)} to {format_number(there)}"


def _names(
    frames: Frames, drawn: pd.DataFrame, planned: float | None, x: alt.X, y: alt.Y, palette: Palette
) -> alt.Chart:
    """Sizes of models along the line, above it on the right, where a falling line leaves room; none at the plan's."""
    inner = np.linspace(0, len(drawn) - 1, _NAMED + 2).round().astype(int)[1:-1] if len(drawn) else np.zeros(0, int)
    known = drawn.iloc[np.unique(inner)].dropna(subset=["params"])
    known = known[~_decades_above(known, planned).between(*_PLAN_NAMED)]
    rows = known.assign(text="N " + known["params_text"])
    base = frames.chart("names", rows)
    mark = base.mark_text(align="left", dx=4, dy=-11, fontSize=12, color=palette.ink)
    return mark.encode(x=x, y=y, text="text:N")
