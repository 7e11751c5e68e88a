"""How N grows with C by each way of finding it: exponents with their intervals, side by side."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.units import format_number

_ROW_HEIGHT, _AROUND = 58, 80
#: Equal shares: N and D grow alike.
_EQUAL = 0.5


def approaches_chart(rows: pd.DataFrame, palette: Palette, level: float | None = None) -> Figure:
    """Exponents a of N* ∝ C^a with intervals, and a rule where N and D grow alike.

    Parameters
    ----------
    rows : frame with ``approach``, ``exponent``, ``low`` and ``high``
        An interval may be NaN, and so may an exponent where an approach gave none.
    level : float
        Of the intervals, for the axis title.
    """
    drawn = _with_texts(rows)
    frames = Frames()
    ends = drawn[["exponent", "low", "high"]].to_numpy(dtype=float).ravel()
    domain = domain_of(np.append(ends, _EQUAL), log=False, pad=0.08)
    said = f", {level:.0%} intervals" if level else ""
    title = [f"Exponent a of N ∝ C^a{said}", "above .5 more of new compute goes to N than to D"]
    axes = [x_channel(name, log=False, domain=domain).title(title) for name in ("exponent", "low", "equal")]
    exponent, low, equal = axes
    base = frames.chart("approaches", drawn)
    known = base.transform_filter("isValid(datum.exponent)")
    colour = alt.Color("approach:N", legend=None, scale=alt.Scale(
        domain=drawn["approach"].tolist(), range=[palette.categories[k % len(palette.categories)] for k in drawn.index]
    ))  # fmt: skip
    same = frames.chart("equal", pd.DataFrame({"equal": [_EQUAL], "text": "N and D alike"}))
    y, name_y = _row("at_dot", len(drawn)), _row("at_name", len(drawn))
    layers = [
        same.mark_rule(color=palette.muted, strokeDash=[5, 4]).encode(x=equal),
        known.mark_rule(strokeWidth=4, opacity=0.45).encode(x=low, x2="high:Q", y=y, color=colour),
        known.mark_point(filled=True, size=130, opacity=1).encode(x=exponent, y=y, color=colour, tooltip=_tooltips()),
        base.mark_text(align="left", fontSize=13, fontWeight="bold", color=palette.ink).encode(
            x=alt.XValue(0), y=name_y, text="approach:N"
        ),
        base.mark_text(align="right", fontSize=13, color=palette.ink).encode(
            x=alt.XValue("width"), y=name_y, text="text:N"
        ),
    ]
    return Figure(alt.layer(*layers, height=_ROW_HEIGHT * max(len(drawn), 2) + _AROUND), frames)


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    out = rows.reset_index(drop=True)[["approach", "exponent", "low", "high"]]
    texts = [_text(*map(float, row)) for row in out[["exponent", "low", "high"]].itertuples(index=False)]
    return out.assign(text=texts, at_name=out.index - 0.2, at_dot=out.index + 0.2)


def _text(exponent: float, low: float, high: float) -> str:
    if not math.isfinite(exponent):
        return "not found"
    number = format_number(exponent, 3)
    return f"{number}  ({format_number(low, 3)}–{format_number(high, 3)})" if math.isfinite(low) else number


def _row(name: str, count: int) -> alt.Y:
    scale = alt.Scale(domain=[max(count, 2) - 0.5, -0.5], nice=False, zero=False)
    return alt.Y(f"{name}:Q", scale=scale, axis=None)


def _tooltips() -> list[alt.Tooltip]:
    return [alt.Tooltip("approach:N"), alt.Tooltip("text:N", title="a")]
