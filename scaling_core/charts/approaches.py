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

_ROW_HEIGHT, _AROUND = 58, 100
#: Equal shares: N and D grow alike.
_EQUAL = 0.5
#: A smaller bias is not marked.
_SMALL_BIAS = 0.002


def approaches_chart(rows: pd.DataFrame, palette: Palette, level: float | None = None) -> Figure:
    """Exponents a of N* ∝ C^a with intervals, and a rule where N and D grow alike.

    Parameters
    ----------
    rows : frame of ``fitting.approaches.approaches``
        An approach that gave no exponent keeps its row, and says so. A ring stands where its exponent would be without
        the bias that it has on these runs.
    level : float
        Of the intervals, for the axis title.
    """
    drawn = _with_texts(rows)
    frames = Frames()
    ends = drawn[["a", "low", "high", "unbiased"]].to_numpy(dtype=float).ravel()
    domain = domain_of(np.append(ends, _EQUAL), log=False, pad=0.08)
    said = f", {level:.0%} intervals" if level else ""
    title = [f"Exponent a of N ∝ C^a{said}", "ring: less the bias it has on these runs"]
    if drawn["unbiased"].isna().all():
        title = title[:1]
    a, low, unbiased, equal = (
        x_channel(name, log=False, domain=domain).title(title) for name in ("a", "low", "unbiased", "equal")
    )
    base = frames.chart("approaches", drawn)
    known = base.transform_filter("isValid(datum.a)")
    colour = alt.Color("title:N", legend=None, scale=alt.Scale(
        domain=drawn["title"].tolist(), range=[palette.categories[k % len(palette.categories)] for k in drawn.index]
    ))  # fmt: skip
    y = _row("at_dot", len(drawn))
    ring = known.transform_filter("isValid(datum.unbiased)").mark_point(size=90, strokeWidth=1.8, opacity=0.9)
    layers = [
        *_equal(frames, equal, palette),
        known.mark_rule(strokeWidth=4, opacity=0.45).encode(x=low, x2="high:Q", y=y, color=colour),
        ring.encode(x=unbiased, y=y, color=colour, tooltip=_tooltips()),
        known.mark_point(filled=True, size=130, opacity=1).encode(x=a, y=y, color=colour, tooltip=_tooltips()),
        *_names(base, len(drawn), palette),
    ]
    return Figure(alt.layer(*layers, height=_ROW_HEIGHT * max(len(drawn), 2) + _AROUND), frames)


def _equal(frames: Frames, x: alt.X, palette: Palette) -> list[alt.Chart]:
    """Where new compute is shared alike; to its right more goes to N, to its left more to D."""
    base = frames.chart("equal", pd.DataFrame({"equal": [_EQUAL], "text": ["N and D grow alike"]})).encode(x=x)
    text = base.mark_text(align="left", baseline="bottom", dx=5, dy=-3, fontSize=11, color=palette.muted)
    return [
        base.mark_rule(color=palette.muted, strokeDash=[5, 4]),
        text.encode(y=alt.YValue("height"), text="text:N"),
    ]


def _names(base: alt.Chart, count: int, palette: Palette) -> list[alt.Chart]:
    """The name of each approach at the left, and its number at the right, both above its dot."""
    y = _row("at_name", count)
    name = base.mark_text(align="left", fontSize=13, fontWeight="bold", color=palette.ink)
    number = base.mark_text(align="right", fontSize=13, color=palette.ink)
    return [
        name.encode(x=alt.XValue(0), y=y, text="title:N"),
        number.encode(x=alt.XValue("width"), y=y, text="text:N"),
    ]


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    out = rows.reset_index(drop=True)
    texts = [_text(*map(float, row)) for row in out[["a", "a_low", "a_high"]].itertuples(index=False)]
    biased = out["bias"].abs() >= _SMALL_BIAS
    return pd.DataFrame({
        "title": out["title"], "a": out["a"], "low": out["a_low"], "high": out["a_high"], "text": texts,
        "unbiased": (out["a"] - out["bias"]).where(biased), "at_name": out.index - 0.2, "at_dot": out.index + 0.2,
        "bias_text": ["not known" if math.isnan(v) else f"{v:+.3f}".replace("-", "−") for v in out["bias"]],
        "reason": out["reason"],
    })  # fmt: skip


def _text(exponent: float, low: float, high: float) -> str:
    if not math.isfinite(exponent):
        return "not found"
    number = format_number(exponent, 3)
    said = f"{format_number(low, 3)}–{format_number(high, 3)}" if math.isfinite(low) else "no interval"
    return f"{number}  ({said})"


def _row(name: str, count: int) -> alt.Y:
    scale = alt.Scale(domain=[max(count, 2) - 0.1, -0.5], nice=False, zero=False)
    return alt.Y(f"{name}:Q", scale=scale, axis=None)


def _tooltips() -> list[alt.Tooltip]:
    texts = (("title", "approach"), ("text", "a"), ("bias_text", "its bias here"))
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in texts]
