"""Runs that lie so far off that an axis long enough for them would flatten all others: shown at the edge, and said."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import View, column_title, domain_of, format_value
from scaling_core.charts.palette import Palette
from scaling_core.laws import Array, Mask

Domain = tuple[float, float]
#: A value this many interquartile ranges beyond the quartiles may be left outside, if few are and it is worth it.
_FAR = 4.0
_FEW = 0.05
#: Worth it: with them, the others would have less than this share of the axis.
_FLATTENED = 0.3
#: Where on the axis a run stands that lies outside: this share inside the edge, so that its mark is whole.
_INSET = 0.012
#: Runs outside that are named one by one.
_NAMED = 2
#: Column of the points that says on which side of the chart a run lies, empty inside; and its marks.
OUTSIDE = "__outside"
SHAPES = {"above": "triangle-up", "below": "triangle-down", "right": "triangle-right", "left": "triangle-left"}


def robust_domain(values: Any, *, log: bool, pad: float = 0.04) -> Domain:
    """As ``domain_of``, but a few values that would flatten all others do not count."""
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers) & ((numbers > 0) | (not log))]
    z = np.log(numbers) if log else numbers
    return domain_of(numbers[_counted(z)], log=log, pad=pad)


def _counted(z: Array) -> Mask:
    """Which values an axis must hold."""
    every = np.ones(len(z), dtype=bool)
    if len(z) < 4:
        return every
    low, high = np.quantile(z, [0.25, 0.75])
    reach = _FAR * (high - low)
    inside = (z >= low - reach) & (z <= high + reach)
    out = int((~inside).sum())
    if not reach or not 0 < out <= max(1, _FEW * len(z)):
        return every
    return inside if np.ptp(z[inside]) < _FLATTENED * np.ptp(z) else every


def at_the_edge(points: pd.DataFrame, view: View, x_domain: Domain, y_domain: Domain) -> pd.DataFrame:
    """Points with those outside moved to the edge, and ``OUTSIDE`` for which edge."""
    out = points.copy()
    side = np.full(len(points), "", dtype=object)
    for name, log, domain, (before, after) in (
        (view.x, view.log_x, x_domain, ("left", "right")),
        (view.y, view.log_y, y_domain, ("below", "above")),
    ):
        values = points[name].to_numpy(dtype=float)
        small, large = values < domain[0], values > domain[1]
        if small.any() or large.any():
            low, high = _ends(domain, log)
            out[name] = np.where(small, low, np.where(large, high, values))
            side[small], side[large] = before, after
    return out.assign(**{OUTSIDE: side})


def _ends(domain: Domain, log: bool) -> Domain:
    low, high = np.log(domain) if log else domain
    inset = _INSET * (high - low)
    ends = (low + inset, high - inset)
    return (float(np.exp(ends[0])), float(np.exp(ends[1]))) if log else (float(ends[0]), float(ends[1]))


def outside_title(
    points: pd.DataFrame, view: View, x_domain: Domain, y_domain: Domain, palette: Palette
) -> alt.TitleParams | None:
    """What the chart says of runs at its edge; None where all are inside."""
    said = outside_text(points, view, x_domain, y_domain)
    if not said:
        return None
    return alt.TitleParams(said, anchor="start", fontSize=12, fontWeight="normal", color=palette.warning, offset=8)


def outside_text(points: pd.DataFrame, view: View, x_domain: Domain, y_domain: Domain) -> str:
    """How many runs lie outside, and which; empty where all are inside."""
    edge = at_the_edge(points, view, x_domain, y_domain)[OUTSIDE]
    out = points.assign(**{OUTSIDE: edge})[(edge != "").to_numpy()]
    if out.empty:
        return ""
    one = len(out) == 1
    named = [_named(row, view) for row in out.head(_NAMED).to_dict("records")]
    more = f" and {len(out) - _NAMED} more" if len(out) > _NAMED else ""
    verb = "run lies outside the chart and stands at its edge" if one else "runs lie outside the chart, at its edge"
    return f"{len(out)} {verb} ({'; '.join(named)}{more})."


def _named(row: dict[Hashable, Any], view: View) -> str:
    name = view.x if row[OUTSIDE] in ("left", "right") else view.y
    title = (view.y_title if name == view.y and view.y_title else column_title(name)).split(" (")[0]
    return f"{row['run']}: {title[:1].lower()}{title[1:]} {format_value(name, float(row[name]))}"
