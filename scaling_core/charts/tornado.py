"""What a plan hangs on: how far one of its numbers moves with each input, widest first."""

from __future__ import annotations

import math
from collections.abc import Callable

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW
from scaling_core.planning.figures import duration, money
from scaling_core.units import format_count, format_number

_ROW_HEIGHT, _AROUND = 40, 130
_MOST = 12
_LOWER, _HIGHER = "input lower", "input higher"
_COUNT_LABEL = "replace(format(datum.value, '~s'), 'G', 'B')"
#: How a number is written, by the first word of its title.
_WRITE: dict[str, Callable[[float], str]] = {"cost": money, "time": duration, "loss": lambda v: format_number(v, 4)}
#: Beyond this many times between its ends an axis of sizes is in logarithms.
_WIDE = 10.0


def tornado_chart(rows: pd.DataFrame, title: str, palette: Palette, most: int = _MOST) -> Figure:
    """Bars from what the plan says with an input lower to what it says with it higher.

    Parameters
    ----------
    rows : frame of ``planning.whatmatters.tornado``
        The first ``most`` are drawn. An end that cannot be planned for has no bar.
    title : str
        What a person reads for the number that moves: ``Loss``, ``Parameters``, ``Tokens``, ``Cost``.
    """
    drawn = _with_texts(rows.head(most), title)
    frames = Frames()
    base, bars = frames.chart("inputs", drawn), frames.chart("bars", _bars(drawn))
    numbers = drawn[["low", "high", "base"]].to_numpy(dtype=float).ravel()
    log = bool(np.nanmin(numbers) > 0 and np.nanmax(numbers) > _WIDE * np.nanmin(numbers)) if len(drawn) else False
    x = _x_axis(title, domain_of(numbers, log=log, pad=0.08), log)
    count = len(drawn)
    paint = alt.Color(
        "moved:N",
        scale=alt.Scale(domain=[_LOWER, _HIGHER], range=[palette.categories[1], palette.categories[0]]),
        legend={"title": None, "orient": "top", "symbolOpacity": 1, "symbolType": "square"},
    )
    tooltip = [
        alt.Tooltip("input:N"), alt.Tooltip("how:N", title="moved by"), alt.Tooltip("moved:N", title="moved"),
        alt.Tooltip("value_text:N", title=title.lower()),
    ]  # fmt: skip
    middle = frames.chart("base", drawn[["base"]].head(1))
    layers = [
        base.mark_rule(color=palette.ground, opacity=0.25).encode(y=_row("at_line", count)),
        bars.mark_bar(height=14).encode(
            x=x("value"), x2="base:Q", y=_row("at_bar", count), color=paint, tooltip=tooltip
        ),
        middle.mark_rule(color=palette.ink, strokeWidth=1.5).encode(x=x("base")),
        *_names(base, count, palette),
    ]
    return Figure(alt.layer(*layers, height=_ROW_HEIGHT * max(count, 2) + _AROUND), frames)


def _with_texts(rows: pd.DataFrame, title: str) -> pd.DataFrame:
    write = _writer(title)
    out = rows.reset_index(drop=True).replace([np.inf, -np.inf], np.nan)
    out = out.assign(
        at_line=out.index - 0.5, at_name=out.index - 0.2, at_bar=out.index + 0.2, name=out["input"] + ", " + out["how"]
    )
    ends = [sorted([a, b], key=lambda v: (math.isnan(v), v)) for a, b in zip(out["low"], out["high"], strict=True)]
    out["ends"] = [_range(*("cannot be" if math.isnan(v) else write(v) for v in pair)) for pair in ends]
    for name in ("low", "high"):
        out[f"{name}_text"] = [write(v) for v in out[name]]
    return out


def _range(low: str, high: str) -> str:
    return "hardly moves" if low == high else f"{low} – {high}"


def _writer(title: str) -> Callable[[float], str]:
    return _WRITE.get(title.split()[0].lower(), _size) if title else _size


def _size(value: float) -> str:
    return format_count(value) if abs(value) >= 1000 else format_number(value, 3)


def _bars(drawn: pd.DataFrame) -> pd.DataFrame:
    """A bar for each end, from the plan as it is."""
    parts = [
        drawn.assign(value=drawn[end], value_text=drawn[f"{end}_text"], moved=moved)
        for end, moved in (("low", _LOWER), ("high", _HIGHER))
    ]
    return pd.concat(parts, ignore_index=True)[
        ["input", "how", "moved", "value", "value_text", "base", "at_bar"]
    ].dropna(subset=["value"])


def _x_axis(title: str, domain: tuple[float, float], log: bool) -> Callable[[str], alt.X]:
    """Counts by suffix, money with its sign, everything else plain."""
    label = f"'$' + {_COUNT_LABEL}" if title.lower().startswith("cost") else _COUNT_LABEL

    def channel(name: str) -> alt.X:
        x = x_channel(name, log=log, domain=domain, title=title)
        if domain[1] >= 1000:
            x["axis"]["labelExpr"] = label
        return x

    return channel


def _names(base: alt.Chart, count: int, palette: Palette) -> list[alt.Chart]:
    """The input and by what it was moved at the left, what that makes of the number at the right."""
    y = _row("at_name", count)
    name = base.mark_text(align="left", fontSize=13, color=palette.ink)
    ends = base.mark_text(align="right", fontSize=12, color=palette.muted)
    said = alt.TextValue(alt.expr(f"{NARROW} ? datum.input : datum.name"))
    return [
        name.encode(x=alt.XValue(0), y=y, text=said),
        ends.encode(x=alt.XValue("width"), y=y, text="ends:N"),
    ]


def _row(name: str, count: int) -> alt.Y:
    scale = alt.Scale(domain=[max(count, 2) - 0.5, -0.5], nice=False, zero=False)
    return alt.Y(f"{name}:Q", scale=scale, axis=None)
