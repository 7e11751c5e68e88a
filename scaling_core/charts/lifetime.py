"""What serving does to the best size: the size that is cheapest over a model's life, and what it saves."""

from __future__ import annotations

import altair as alt
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.units import format_count, format_flops, format_number

_SIZE_HEIGHT, _SAVING_HEIGHT = 240, 150
_COUNT_LABEL = "replace(format(datum.value, '~s'), 'G', 'B')"


def lifetime_chart(rows: pd.DataFrame, palette: Palette, asked: float | None = None) -> Figure:
    """The best size against tokens served, and below it the share of the lifetime compute that it saves.

    Parameters
    ----------
    rows : frame of ``planning.lifetime.crossover``
    asked : float
        The demand of the plan, drawn as a rule.
    """
    drawn = _with_texts(rows)
    frames = Frames()
    base = frames.chart("demands", drawn)
    x = x_channel("demand_tokens", log=True, domain=domain_of(drawn["demand_tokens"], log=True, pad=0.01))
    x["axis"]["labelExpr"] = _COUNT_LABEL
    marked = frames.chart("asked", _asked(asked, drawn))
    rule = marked.mark_rule(color=palette.accent, strokeWidth=1.5).encode(x=x.title("Tokens served over its life"))
    x = x.title("Tokens served over its life")
    return Figure(
        alt.vconcat(
            _size_panel(frames, base, drawn, x, rule, palette),
            _saving_panel(base, drawn, x, marked, rule, palette),
            spacing=14,
        ),
        frames,
    )


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reset_index(drop=True).assign(
        percent=100 * rows["lifetime_saving"].to_numpy(),
        demand_text=[format_count(v) for v in rows["demand_tokens"]],
        params_text=[format_count(v) for v in rows["params"]],
        tokens_text=[format_count(v) for v in rows["tokens"]],
        flops_text=[format_flops(v) for v in rows["lifetime_flops"]],
        saving_text=[f"{format_number(100 * v, 2)}%" for v in rows["lifetime_saving"]],
    )


def _asked(asked: float | None, drawn: pd.DataFrame) -> pd.DataFrame:
    """The demand of the plan, within what is drawn, and how much it is."""
    low, high = drawn["demand_tokens"].min(), drawn["demand_tokens"].max()
    known = [asked] if asked and low <= asked <= high else []
    return pd.DataFrame({"demand_tokens": known, "text": [f"asked: {format_count(a)}" for a in known]}).astype(
        {"demand_tokens": float, "text": object}
    )


def _size_panel(
    frames: Frames, base: alt.Chart, drawn: pd.DataFrame, x: alt.X, rule: alt.Chart, palette: Palette
) -> alt.LayerChart:
    domain = domain_of(drawn[["params", "cheapest_params"]].to_numpy().ravel(), log=True, pad=0.12)
    title = "Parameters N"
    y = y_channel("params", log=True, domain=domain, title=title)
    color = palette.categories[0]
    flat = base.mark_line(color=palette.muted, strokeDash=[6, 5], strokeWidth=1.8)
    line = base.mark_line(color=color, strokeWidth=2.8)
    last = frames.chart("names", drawn.head(1).assign(cheapest_name="cheapest to train", name="cheapest over its life"))
    at = last.mark_text(align="left", dy=-10, dx=4, fontSize=12, color=palette.muted)
    end = frames.chart("end", drawn.tail(1).assign(name="cheapest over its life"))
    named = end.mark_text(align="right", dy=-12, dx=-4, fontSize=12, fontWeight="bold", color=color)
    flat_y = y_channel("cheapest_params", log=True, domain=domain, title=title)
    return alt.layer(
        flat.encode(x=x, y=flat_y),
        line.encode(x=x, y=y),
        _dots(base, color, x, y),
        at.encode(x=x, y=flat_y, text="cheapest_name:N"),
        named.encode(x=x, y=y, text="name:N"),
        rule,
        height=_SIZE_HEIGHT,
    )


def _saving_panel(
    base: alt.Chart, drawn: pd.DataFrame, x: alt.X, marked: alt.Chart, rule: alt.Chart, palette: Palette
) -> alt.LayerChart:
    top = max(float(drawn["percent"].max()) * 1.15, 1.0)
    y = y_channel("percent", log=False, domain=(0.0, top), title="Saved, %")
    color = palette.categories[2]
    text = marked.mark_text(align="left", dx=5, baseline="top", fontSize=12, color=palette.accent, fontWeight="bold")
    return alt.layer(
        base.mark_area(color=color, opacity=0.15).encode(x=x, y=y),
        base.mark_line(color=color, strokeWidth=2.4).encode(x=x, y=y),
        _dots(base, color, x, y),
        rule,
        text.encode(x=x, y=alt.YValue(2), text="text:N"),
        height=_SAVING_HEIGHT,
    )


def _dots(base: alt.Chart, color: str, x: alt.X, y: alt.Y) -> alt.Chart:
    tips = (("demand_text", "served"), ("params_text", "N"), ("tokens_text", "D"), ("saving_text", "saved"),
            ("flops_text", "FLOPs over its life"))  # fmt: skip
    dot = base.mark_point(color=color, filled=True, size=34, opacity=1)
    return dot.encode(x=x, y=y, tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips])
