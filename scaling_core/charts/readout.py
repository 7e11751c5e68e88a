"""Text that the browser picks from the row a slider stands on: large numbers, their names and their intervals."""

from __future__ import annotations

from typing import NamedTuple

import altair as alt
import pandas as pd

from scaling_core.charts.palette import Palette

#: A view narrower than this is written in short words and small type.
NARROW = "width < 620"
#: Height that a row of numbers takes with their names and intervals.
ROW_HEIGHT = 78


class Told(NamedTuple):
    """A number of a read-out: its column, its name for wide and for narrow views, and its share of the width."""

    name: str
    title: str
    short: str
    x: float


def write(
    base: alt.Chart, said: str, x: float, y: float, wide: int, narrow: int, color: str, weight: str = "normal"
) -> alt.Chart:
    """What the expression ``said`` gives for the rows of ``base``, at a share ``x`` of the width and ``y`` pixels down.

    ``wide`` and ``narrow`` are its size in a wide and a narrow view.
    """
    size = alt.expr(f"{NARROW} ? {narrow} : {wide}")
    mark = base.mark_text(align="left", baseline="top", fontSize=size, color=color, fontWeight=weight)
    return mark.encode(x=alt.XValue(alt.expr(f"width * {x}")), y=alt.YValue(y), text=alt.TextValue(alt.expr(said)))


def numbers(
    base: alt.Chart,
    rows: pd.DataFrame,
    columns: list[Told],
    y: float,
    palette: Palette,
    wide: int = 30,
    narrow: int = 17,
) -> list[alt.Chart]:
    """A row of numbers, each over its name and its interval.

    Reads ``<name>_text`` and, where ``rows`` has them, ``<name>_short`` (what a narrow view writes),
    ``<name>_interval``, and ``<name>_title`` with ``<name>_title_short`` in place of the titles given: names from a
    file are data and never code. ``wide`` and ``narrow`` are the sizes of the numbers.
    """
    layers = []
    for name, title, short, x in columns:
        has_short = f"{name}_short" in rows
        said = f"{NARROW} ? datum.{name}_short : datum.{name}_text" if has_short else f"datum.{name}_text"
        layers += [
            write(base, said, x, y, wide, narrow, palette.accent, "bold"),
            write(base, _named(rows, name, title, short), x, y + wide + 6, 13, 11, palette.muted),
        ]
        if f"{name}_interval" in rows:  # a second row's are too long for narrow columns
            said = f"datum.{name}_interval" if wide >= 30 else f"{NARROW} ? '' : datum.{name}_interval"
            layers.append(write(base, said, x, y + wide + 24, 13, 10, palette.ink))
    return layers


def _named(rows: pd.DataFrame, name: str, title: str, short: str) -> str:
    """Expression of the name under a number."""
    if f"{name}_title" in rows:
        return f"{NARROW} ? datum.{name}_title_short : datum.{name}_title"
    return f"{NARROW} ? '{short}' : '{title}'"
