"""What serving does to the best size: the size that is cheapest over a model's life, and what it saves."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW
from scaling_core.planning.figures import size as written
from scaling_core.units import format_flops, format_number

_SIZE_HEIGHT, _SAVING_HEIGHT = 240, 150
#: With suffixes up to T; there is none beyond that people know.
_COUNT_LABEL = (
    "datum.value >= 1e15 ? replace(format(datum.value, '~e'), '+', '') : replace(format(datum.value, '~s'), 'G', 'B')"
)
_X_TITLE = "Tokens served over its life"


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
    x_domain = domain_of(drawn["demand_tokens"], log=True, pad=0.01)
    marked = frames.chart("asked", _asked(asked, drawn, x_domain))
    rule = marked.mark_rule(color=palette.accent, strokeWidth=1.5)
    sizes = _size_panel(frames, base, drawn, _x(x_domain).title(None), rule, palette)
    return Figure(
        alt.vconcat(sizes, _saving_panel(base, drawn, _x(x_domain), marked, rule, palette), spacing=14), frames
    )


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reset_index(drop=True).assign(
        percent=100 * rows["lifetime_saving"].to_numpy(),
        demand_text=[written(v) for v in rows["demand_tokens"]],
        params_text=[written(v) for v in rows["params"]],
        tokens_text=[written(v) for v in rows["tokens"]],
        flops_text=[format_flops(v) for v in rows["lifetime_flops"]],
        saving_text=[_percent(v) for v in rows["lifetime_saving"]],
    )


def _percent(share: float) -> str:
    return f"{format_number(max(100 * share, 0.0), 2)}%" if share > 5e-5 else "nothing"


def _x(domain: tuple[float, float]) -> alt.X:
    x = x_channel("demand_tokens", log=True, domain=domain, title=_X_TITLE)
    x["axis"]["labelExpr"] = _COUNT_LABEL
    return x


def _asked(asked: float | None, drawn: pd.DataFrame, domain: tuple[float, float]) -> pd.DataFrame:
    """The demand of the plan where it lies within what is drawn, what is best for it, and the side with more room."""
    if not asked or not domain[0] <= asked <= domain[1]:
        return pd.DataFrame(columns=["demand_tokens", "text", "text_short", "side"], dtype=object)
    size = math.exp(_between(asked, drawn["demand_tokens"], np.log(drawn["params"])))
    saved = _between(asked, drawn["demand_tokens"], drawn["lifetime_saving"])
    text = f"asked: {written(asked)} tokens, best with {written(size)} parameters, saves {_percent(saved)}"
    middle = math.log(domain[0] * domain[1]) / 2
    return pd.DataFrame({
        "demand_tokens": [asked], "text": [text],
        "text_short": [f"{written(size)} saves {_percent(saved)}"],
        "side": ["right" if math.log(asked) > middle - 0.05 else "left"],
    })  # fmt: skip


def _between(demand: float, demands: pd.Series, values: pd.Series) -> float:
    """A value between the rows, by a polynomial through the four nearest in ln demand: as exact as is read out."""
    x = np.log(demands.to_numpy(dtype=float) / demand)
    near = np.argsort(np.abs(x), kind="stable")[:4]
    return float(np.polynomial.Polynomial.fit(x[near], values.to_numpy(dtype=float)[near], len(near) - 1)(0.0))


def _size_panel(
    frames: Frames, base: alt.Chart, drawn: pd.DataFrame, x: alt.X, rule: alt.Chart, palette: Palette
) -> alt.LayerChart:
    """The best size, and the size that is cheapest to train, each named where it starts."""
    domain = domain_of(drawn[["params", "cheapest_params"]].to_numpy(dtype=float).ravel(), log=True, pad=0.14)
    y = y_channel("params", log=True, domain=domain, title="Parameters N")
    color = palette.categories[0]
    trained = drawn[["demand_tokens", "cheapest_params"]].rename(columns={"cheapest_params": "params"})
    flat = frames.chart("cheapest", trained).mark_line(color=palette.muted, strokeDash=[6, 5], strokeWidth=1.8)
    layers = [flat.encode(x=x, y=y), base.mark_line(color=color, strokeWidth=2.8).encode(x=x, y=y)]
    for name, row, text, paint, shift in (
        ("trained_name", trained, "cheapest to train", palette.muted, -10),
        ("life_name", drawn, "over its life", color, 18),
    ):
        named = frames.chart(name, row.head(1)[["demand_tokens", "params"]].assign(text=text))
        mark = named.mark_text(align="left", dx=4, dy=shift, fontSize=12, fontWeight="bold", color=paint)
        layers.append(mark.encode(x=x, y=y, text="text:N"))
    return alt.layer(*layers, rule.encode(x=x), _dots(base, color, x, y), height=_SIZE_HEIGHT)


def _saving_panel(
    base: alt.Chart, drawn: pd.DataFrame, x: alt.X, marked: alt.Chart, rule: alt.Chart, palette: Palette
) -> alt.LayerChart:
    top = max(float(drawn["percent"].max()) * 1.2, 1.0)
    y = y_channel("percent", log=False, domain=(0.0, top), title="Saved, %")
    color = palette.categories[2]
    said = alt.TextValue(alt.expr(f"{NARROW} ? datum.text_short : datum.text"))
    texts = []
    for side, shift in (("left", 6), ("right", -6)):
        part = marked.transform_filter(f"datum.side == '{side}'")
        text = part.mark_text(
            align=side, dx=shift, baseline="top", fontSize=12, color=palette.accent, fontWeight="bold"
        )
        texts.append(text.encode(x=x, y=alt.YValue(2), text=said))
    return alt.layer(
        base.mark_area(color=color, opacity=0.15).encode(x=x, y=y),
        base.mark_line(color=color, strokeWidth=2.4).encode(x=x, y=y),
        rule.encode(x=x),
        _dots(base, color, x, y),
        *texts,
        height=_SAVING_HEIGHT,
    )


def _dots(base: alt.Chart, color: str, x: alt.X, y: alt.Y) -> alt.Chart:
    tips = (("demand_text", "served"), ("params_text", "N"), ("tokens_text", "D"), ("saving_text", "saved"),
            ("flops_text", "FLOPs over its life"))  # fmt: skip
    dot = base.mark_point(color=color, filled=True, size=30, opacity=1)
    return dot.encode(x=x, y=y, tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips])
