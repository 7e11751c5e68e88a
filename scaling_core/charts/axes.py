"""One grammar for axes and colours: log-log by default, SI sizes, loss zoomed to the data, colour by size."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.palette import Palette, spread
from scaling_core.runs.schema import COLUMNS
from scaling_core.units import format_count, format_flops, format_number

_COUNT_LABEL = "replace(replace(format(datum.value, '~s'), 'G', 'B'), 'k', 'k')"
_FLOPS_LABEL = "datum.value === 0 ? '0' : replace(format(datum.value, '~e'), '+', '')"
_PLAIN_LABEL = "format(datum.value, '~g')"
_COUNTS = {"params", "tokens", "params_non_embedding", "unique_tokens"}
_DIGITS = re.compile(r"(\d+)")
#: What Vega reads in the name of a field as a path into nested data, or Altair as a type.
_AWKWARD = re.compile(r"""[.:\[\]\\'"]""")
#: Categories that a legend can hold; the rest become one.
MAX_GROUPS = 10


@dataclass(frozen=True)
class View:
    """Which columns stand on the axes, and how; titles where a column holds something else than its name says."""

    x: str
    y: str
    log_x: bool = True
    log_y: bool = True
    y_title: str = ""
    x_title: str = ""


def unit_title(name: str, unit: str) -> str:
    """Title of a column that counts by the token, for runs that learn from something else, such as examples."""
    return column_title(name).replace("token", unit) if name in COLUMNS else name


def column_title(name: str) -> str:
    """Axis title of a column, with its symbol and unit."""
    column = COLUMNS.get(name)
    if column is None:
        return name
    symbol = f" {column.symbol}" if column.symbol else ""
    unit = "" if column.unit in ("", "parameters", "tokens", "steps") else f" ({column.unit})"
    return f"{column.title}{symbol}{unit}"


def format_value(name: str, value: float) -> str:
    """A value of a column as text for tooltips."""
    if not math.isfinite(value):
        return "unknown"
    if name == "flops":
        return format_flops(value)
    return format_count(value) if name in _COUNTS else format_number(value, 4)


def field_name(column: str) -> str:
    """What a column is called inside a chart: its own name, but for characters that Vega would read as a path."""
    return _AWKWARD.sub(lambda found: f"_{ord(found[0]):x}_", column)


def x_channel(name: str, *, log: bool, domain: tuple[float, float], title: str | None = None) -> alt.X:
    """Horizontal position over a fixed domain."""
    return alt.X(field=field_name(name), type="quantitative", **_channel(name, log, domain, title, tick_count=8))


def y_channel(name: str, *, log: bool, domain: tuple[float, float], title: str | None = None) -> alt.Y:
    """Vertical position over a fixed domain."""
    return alt.Y(field=field_name(name), type="quantitative", **_channel(name, log, domain, title, tick_count=7))


def _channel(name: str, log: bool, domain: tuple[float, float], title: str | None, tick_count: int) -> dict[str, Any]:
    label = _FLOPS_LABEL if name == "flops" else _COUNT_LABEL if name in _COUNTS else _PLAIN_LABEL
    values = log_ticks(domain) if log else None
    axis = alt.Axis(labelExpr=label, tickCount=tick_count, grid=True, gridOpacity=0.5, labelOverlap="greedy")
    if values is not None:
        axis.values = values
    return {"title": title or column_title(name), "axis": axis, "scale": position_scale(domain, log=log)}


def position_scale(domain: tuple[float, float], *, log: bool) -> alt.Scale:
    """A scale over exactly this domain."""
    if log:
        return alt.Scale(type="log", domain=list(domain), nice=False)
    return alt.Scale(type="linear", domain=list(domain), nice=False, zero=False)


def log_ticks(domain: tuple[float, float]) -> list[float]:
    """Ticks of a log axis: powers of ten over decades, 1-2-5 over a few, round steps within one."""
    low, high = domain
    decades = math.log10(high / low)
    if decades > 8:
        powers = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
        return [t for t in powers if low <= t <= high]
    if decades > 0.9:  # narrower, and 1-2-5 might give a single tick
        digits = (1,) if decades > 3 else (1, 3) if decades > 2 else (1, 2, 5)
        first = math.floor(math.log10(low))
        ticks = [d * 10.0**k for k in range(first, math.ceil(math.log10(high)) + 1) for d in digits]
        return [t for t in ticks if low <= t <= high]
    return even_ticks(domain)


def even_ticks(domain: tuple[float, float]) -> list[float]:
    """Ticks at round, equal distances, about six."""
    low, high = domain
    step = _round_step((high - low) / 6)
    ticks = [float(f"{k * step:.12g}") for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [t for t in ticks if low <= t <= high]


def _round_step(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= raw)


def domain_of(values: Any, *, log: bool, pad: float = 0.04) -> tuple[float, float]:
    """Extent of finite values with a margin, never empty, positive on a log axis."""
    numbers = np.asarray(values, dtype=float)
    numbers = numbers[np.isfinite(numbers) & ((numbers > 0) | (not log))]
    if not len(numbers):
        return (1.0, 10.0)
    low, high = float(numbers.min()), float(numbers.max())
    if log:
        margin = max((math.log(high) - math.log(low)) * pad, 0.01 if high > low else 0.5)
        return (low * math.exp(-margin), high * math.exp(margin))
    margin = max((high - low) * pad, 1e-3 * abs(high) if high > low else 0.5 * abs(high) or 1.0)
    return (low - margin, high + margin)


@dataclass(frozen=True)
class Groups:
    """Rows sorted into a few named groups for colour: a label for each row, the labels in order, and their colours."""

    labels: pd.Series
    order: list[str]
    colours: list[str]


def group_by(frame: pd.DataFrame, column: str, palette: Palette) -> Groups:
    """Sort rows into at most ``MAX_GROUPS`` groups by a column: numbers by size, light to dark; names by category."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        labels, order = _number_groups(column, values.astype(float))
        return Groups(labels, order, spread(palette.sequence, len(order)))
    labels, order = _name_groups(values, len(palette.categories))  # no colour twice; the last, a grey, is for others
    return Groups(labels, order, list(palette.categories[: len(order)]))


def _number_groups(column: str, values: pd.Series) -> tuple[pd.Series, list[str]]:
    values = values.where(np.isfinite(values))
    distinct = np.unique(values.dropna())
    if len(distinct) > MAX_GROUPS:
        distinct, values = _binned(values, distinct)
    names = {v: format_value(column, v) for v in distinct}
    if len(set(names.values())) < len(names):  # three digits do not tell them apart
        names = {v: f"{v:.6g}" for v in distinct}
    labels = values.map(names).astype(object).where(values.notna(), "unknown")
    return labels, [names[v] for v in distinct] + (["unknown"] if values.isna().any() else [])


def _binned(values: pd.Series, distinct: np.ndarray) -> tuple[np.ndarray, pd.Series]:
    """Replace each value by the geometric middle of its bin, so that few colours remain."""
    log = bool((distinct > 0).all())
    line = np.log(values) if log else values
    edges = np.linspace(line.min(), line.max(), MAX_GROUPS + 1)
    index = np.clip(np.digitize(line, edges) - 1, 0, MAX_GROUPS - 1)
    middles = (edges[:-1] + edges[1:]) / 2
    middles = np.exp(middles) if log else middles
    binned = pd.Series(np.where(values.notna(), middles[index], np.nan), index=values.index)
    return np.unique(binned.dropna()), binned


def _name_groups(values: pd.Series, most: int) -> tuple[pd.Series, list[str]]:
    text = values.astype(object).where(values.notna(), "unknown").astype(str)
    counts = text.value_counts()
    if len(counts) <= most:
        return text, sorted(counts.index, key=_as_counted)
    kept = sorted(counts.index[: most - 1], key=_as_counted)
    other = f"{len(counts) - len(kept)} others"
    return text.where(text.isin(kept), other), [*kept, other]


def _as_counted(name: str) -> list[tuple[bool, float, str]]:
    """A key that puts “run 9” before “run 10”."""
    return [(not part.isdecimal(), float(part) if part.isdecimal() else 0.0, part) for part in _DIGITS.split(name)]
