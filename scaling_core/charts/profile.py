"""How much worse the fit gets as one parameter is held elsewhere: a narrow valley is known, a flat one is not."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.units import format_number

_HEIGHT = 300
#: The vertical axis ends at so many times the threshold: what lies far above it says nothing more.
_TOP = 4.0
#: A parameter that spans more than this many times its smallest value stands on a log axis.
_WIDE = 20.0


def profile_chart(
    profile: pd.DataFrame,
    name: str,
    threshold: float,
    interval: tuple[float, float],
    palette: Palette,
    *,
    level: float | None = None,
    estimate: float | None = None,
) -> Figure:
    """Rise of the objective against the value at which a parameter is held.

    Parameters
    ----------
    profile : frame with ``value`` and ``rise``
        The rise over the best fit, all other parameters fitted anew.
    name : str
        What a person reads for the parameter.
    threshold : float
        Rise up to which a value is in the interval.
    interval : (low, high)
        NaN or infinite at an end that the profile does not reach: the ground runs to the edge there.
    level : float
        Of the interval, for its label.
    estimate : float
        The fitted value; by default where the rise is lowest.
    """
    rows = profile[["value", "rise"]].dropna().sort_values("value")
    frames = Frames()
    low, high = float(rows["value"].min()), float(rows["value"].max())
    log = low > 0 and high > _WIDE * low
    x_domain = domain_of(rows["value"], log=log, pad=0.0)
    top = threshold * _TOP
    y = y_channel("rise", log=False, domain=(0.0, top), title="Rise of the objective")
    title = [name, interval_text(interval, level)]
    x = x_channel("value", log=log, domain=x_domain).title(title)
    base = frames.chart("profile", rows).encode(x=x, y=y)
    layers = [
        _interval(frames, interval, x_domain, x_channel("low", log=log, domain=x_domain).title(title), palette),
        *_threshold(frames, threshold, y, palette),
        base.mark_line(color=palette.accent, strokeWidth=2.4, clip=True),
        base.mark_point(color=palette.accent, filled=True, size=30, opacity=1, clip=True).encode(
            tooltip=_tooltips(name)
        ),
        _best(frames, rows, estimate, x, palette),
    ]
    return Figure(alt.layer(*layers, height=_HEIGHT), frames)


def _interval(
    frames: Frames, interval: tuple[float, float], domain: tuple[float, float], x: alt.X, palette: Palette
) -> alt.Chart:
    """The values that the runs allow, on coloured ground; to the edge where they allow all."""
    ends = [v if math.isfinite(v) else edge for v, edge in zip(interval, domain, strict=True)]
    low, high = (min(max(v, domain[0]), domain[1]) for v in ends)
    ground = frames.chart("interval", pd.DataFrame([{"low": low, "high": high}]))
    return ground.mark_rect(color=palette.accent, opacity=0.12).encode(x=x, x2="high:Q")


def interval_text(interval: tuple[float, float], level: float | None) -> str:
    """An interval in words; an open end says so."""
    share = f"{level:.0%} interval: " if level else "interval: "
    low, high = interval
    if math.isfinite(low) and math.isfinite(high):
        return f"{share}{format_number(low, 3)} to {format_number(high, 3)}"
    if math.isfinite(low):
        return f"{share}above {format_number(low, 3)}, no upper end"
    if math.isfinite(high):
        return f"{share}below {format_number(high, 3)}, no lower end"
    return "The runs do not limit it"


def _threshold(frames: Frames, threshold: float, y: alt.Y, palette: Palette) -> list[alt.Chart]:
    base = frames.chart("threshold", pd.DataFrame({"rise": [threshold], "text": "up to here the runs allow it"}))
    rule = base.mark_rule(color=palette.muted, strokeDash=[5, 4]).encode(y=y)
    text = base.mark_text(align="right", dx=-6, dy=-8, fontSize=11, color=palette.muted)
    said = alt.TextValue(alt.expr("width < 480 ? '' : datum.text"))
    return [rule, text.encode(x=alt.XValue("width"), y=y, text=said)]


def _best(frames: Frames, rows: pd.DataFrame, estimate: float | None, x: alt.X, palette: Palette) -> alt.Chart:
    at = float(rows["value"].iloc[int(np.argmin(rows["rise"]))]) if estimate is None else estimate
    mark = frames.chart("best", pd.DataFrame({"value": [at]}))
    return mark.mark_rule(color=palette.ink, strokeWidth=1.8).encode(x=x)


def _tooltips(name: str) -> list[alt.Tooltip]:
    return [alt.Tooltip("value:Q", title=name, format=".4~g"), alt.Tooltip("rise:Q", title="rise", format=".3~g")]
