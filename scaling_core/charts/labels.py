"""Labels of lines and points that stand near each other, moved apart so that each can be read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.palette import Palette
from scaling_core.laws import Array


def apart_on_log(values: pd.Series | Array, domain: tuple[float, float], gap: float) -> Array:
    """Heights on a log axis for labels of ``values``, as near to them as a gap allows.

    ``gap`` is a share of the axis. Where there are too many for it they start to leave the axis at its top.
    """
    low, high = np.log(domain)
    shares = (high - np.log(np.asarray(values, dtype=float))) / (high - low)
    return np.asarray(np.exp(high - (high - low) * moved_apart(shares, gap, gap / 2, 1 - gap / 2)))


def moved_apart(wanted: Array, gap: float, start: float, end: float) -> Array:
    """Positions as near to those wanted as a gap between neighbours allows, from ``start`` to ``end``."""
    order = np.argsort(wanted, kind="stable")
    placed = np.maximum(np.asarray(wanted, dtype=float), start)
    for before, here in pairwise(order):
        placed[here] = max(placed[here], placed[before] + gap)
    for k, here in enumerate(order[::-1]):
        placed[here] = min(placed[here], end - gap * k)
    return np.asarray(placed)


def haloed(base: alt.Chart, palette: Palette, color: str | None, **style: Any) -> list[alt.Chart]:
    """Text with the colour of the ground around it, so that lines below do not cross it out."""
    ground = {"stroke": palette.background, "strokeWidth": 4, "color": palette.background, "opacity": 0.85}
    return [base.mark_text(**style, **ground), base.mark_text(**style, **({"color": color} if color else {}))]
