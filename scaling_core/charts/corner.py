"""How parameters vary together over the draws of a fit: each alone on the diagonal, pairs below, correlations above.

One view holds all cells, each with scales of its own over its share of the width and height: so the chart fits any
screen, which charts put side by side do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, log_ticks, position_scale
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette

_CELL_HEIGHT, _AROUND = 118, 60
_GAP = 5
_NARROW_CELL = 80
_BINS = 22
#: Dots that all pairs share, and the fewest that still show a shape.
_ALL_DOTS, _FEWEST = 4500, 200
#: Draws that span more than this many times their smallest are shown on a log axis.
_WIDE = 2.5
_LABEL = (
    "datum.value != 0 && (abs(datum.value) >= 1e4 || abs(datum.value) < 1e-3)"
    " ? replace(format(datum.value, '.2~e'), '+', '') : format(datum.value, '.3~r')"
)


def corner_chart(
    draws: pd.DataFrame,
    pairs: pd.DataFrame,
    names: Sequence[str],
    palette: Palette,
    *,
    titles: Mapping[str, str] | None = None,
    estimate: Mapping[str, float] | None = None,
    column: str = "value",
) -> Figure:
    """Histograms, scatters and correlations of parameters.

    Parameters
    ----------
    draws, pairs : frames of ``fitting.corner.corner``
    names : sequence of str
        The parameters to show, in order; from two to seven can be read.
    titles : mapping
        What a person reads for a name.
    estimate : mapping
        The fitted values, marked in every cell.
    column : str
        ``value`` for parameters as in the law, ``centred`` for them as the solver works on them (with ``r_centred``).
    """
    shown = [n for n in names if n in set(draws["parameter"])]
    wide = draws.pivot_table(index="draw", columns="parameter", values=column)[shown]
    grid = _Grid.of(wide, dict(estimate or {}), palette)
    layers = [_frames_of_cells(grid)]
    for i, name in enumerate(shown):
        layers += _alone(grid, i, name, wide[name])
    dots = _dots(grid, wide)
    for i in range(len(shown)):
        layers += [layer for j in range(i) for layer in _pair(grid, dots, i, j)]
    layers += [_correlations(grid, pairs, "r_centred" if column == "centred" else "r"), _titles(grid, titles or {})]
    resolve = alt.Resolve(
        scale=alt.ScaleResolveMap(x="independent", y="independent"),
        axis=alt.AxisResolveMap(x="independent", y="independent"),
    )
    height = _CELL_HEIGHT * max(len(shown), 2) + _AROUND
    return Figure(alt.layer(*layers, height=height).properties(resolve=resolve), grid.frames)


@dataclass(frozen=True)
class _Grid:
    """Square cells: column j and row i hold parameters j and i."""

    names: tuple[str, ...]
    domains: tuple[tuple[float, float], ...]
    log: frozenset[str]
    estimate: dict[str, float]
    palette: Palette
    frames: Frames = field(default_factory=Frames)

    @classmethod
    def of(cls, wide: pd.DataFrame, estimate: dict[str, float], palette: Palette) -> _Grid:
        log = frozenset(
            str(n) for n in wide if 0 < _WIDE * wide[n].quantile(0.01) < wide[n].quantile(0.99) and wide[n].min() > 0
        )
        names = tuple(wide.columns)
        values = {n: np.append(wide[n].to_numpy(dtype=float), estimate.get(n, np.nan)) for n in names}
        domains = tuple(domain_of(values[n], log=n in log, pad=0.04) for n in names)
        return cls(names, domains, log, estimate, palette)

    @property
    def count(self) -> int:
        return len(self.names)

    def x(self, j: int, name: str, *, axis: bool) -> alt.X:
        """Position of parameter j inside of its column; its axis stands below the last row."""
        return alt.X(f"{name}:Q", title=None, scale=self._scale(j, self._span("width", j)),
                     axis=self._axis("bottom", j) if axis else None)  # fmt: skip

    def y(self, i: int, name: str, *, axis: bool) -> alt.Y:
        """Position of parameter i inside of its row, upwards."""
        scale = self._scale(i, self._span("height", i)[::-1])
        return alt.Y(f"{name}:Q", title=None, scale=scale, axis=self._axis("left", i) if axis else None)

    def count_y(self, i: int, name: str, most: float) -> alt.Y:
        """Height of a bar inside of row i; the name of the parameter stands above the tallest."""
        scale = alt.Scale(domain=[0, most * 1.25], range=self._span("height", i)[::-1], nice=False)
        return alt.Y(f"{name}:Q", scale=scale, axis=None)

    def across(self, name: str) -> alt.X:
        """Position in columns from the left edge."""
        return alt.X(f"{name}:Q", scale=alt.Scale(domain=[0, self.count], nice=False), axis=None)

    def down(self, name: str) -> alt.Y:
        """Position in rows from the top edge."""
        return alt.Y(f"{name}:Q", scale=alt.Scale(domain=[self.count, 0], nice=False), axis=None)

    @property
    def narrow(self) -> str:
        """Whether a cell is too narrow for labels beside each other."""
        return f"width < {self.count} * {_NARROW_CELL}"

    def _axis(self, side: Any, k: int) -> alt.Axis:
        axis = {"orient": side, "labelExpr": _LABEL, "tickCount": 3, "grid": False, "labelOverlap": "greedy",
                "labelFontSize": alt.expr(f"{self.narrow} ? 10 : 11"), "labelPadding": 4}  # fmt: skip
        if self.names[k] in self.log:
            axis["values"] = log_ticks(self.domains[k])
        if side == "bottom":  # upright where cells are narrow, so that labels of neighbours do not meet
            axis["labelAngle"] = alt.expr(f"{self.narrow} ? -90 : 0")
            axis["labelAlign"] = alt.expr(f"{self.narrow} ? 'right' : 'center'")
            axis["labelBaseline"] = alt.expr(f"{self.narrow} ? 'middle' : 'top'")
        return alt.Axis(**axis)

    def _span(self, side: str, k: int) -> list[alt.ExprRef]:
        first, last = f"{side} * {k} / {self.count} + {_GAP}", f"{side} * {k + 1} / {self.count} - {_GAP}"
        return [alt.ExprRef(first), alt.ExprRef(last)]

    def _scale(self, k: int, span: list[alt.ExprRef]) -> alt.Scale:
        scale = position_scale(self.domains[k], log=self.names[k] in self.log)
        scale.range = span
        return scale


def _frames_of_cells(grid: _Grid) -> alt.Chart:
    n = grid.count
    cells = [{"left": j, "right": j + 1, "top": i, "bottom": i + 1} for i in range(n) for j in range(i + 1)]
    base = grid.frames.chart("cells", pd.DataFrame(cells))
    mark = base.mark_rect(filled=False, stroke=grid.palette.ground, strokeWidth=0.8, opacity=0.45)
    return mark.encode(x=grid.across("left"), x2="right:Q", y=grid.down("top"), y2="bottom:Q")


def _alone(grid: _Grid, i: int, name: str, values: pd.Series) -> list[alt.Chart]:
    """Histogram of one parameter, and its fitted value."""
    low, high = grid.domains[i]
    edges = np.geomspace(low, high, _BINS + 1) if name in grid.log else np.linspace(low, high, _BINS + 1)
    counts, _ = np.histogram(values, edges)
    bars = grid.frames.chart(f"bars_{i}", pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts}))
    bars = bars.mark_rect(color=grid.palette.accent, opacity=0.65)
    last = i == grid.count - 1
    x, y = grid.x(i, "left", axis=last), grid.count_y(i, "count", float(counts.max()))
    layers = [bars.encode(x=x, x2="right:Q", y=y, y2=alt.Y2Datum(0))]
    if name in grid.estimate:
        here = grid.frames.chart(f"at_{i}", pd.DataFrame({"value": [grid.estimate[name]], "top": counts.max()}))
        rule = here.mark_rule(color=grid.palette.ink, strokeWidth=1.6)
        top = grid.count_y(i, "top", float(counts.max()))
        layers.append(rule.encode(x=grid.x(i, "value", axis=False), y=top, y2=alt.Y2Datum(0)))
    return layers


def _dots(grid: _Grid, wide: pd.DataFrame) -> alt.Chart:
    """The draws by number of parameter; fewer where there are many pairs."""
    pairs = max(grid.count * (grid.count - 1) // 2, 1)
    most = max(_ALL_DOTS // pairs, _FEWEST)
    kept = wide if len(wide) <= most else wide.iloc[np.linspace(0, len(wide) - 1, most).round().astype(int)]
    rows = kept.set_axis([f"p{k}" for k in range(grid.count)], axis=1).reset_index(drop=True)
    return grid.frames.chart("draws", rows)


def _pair(grid: _Grid, dots: alt.Chart, i: int, j: int) -> list[alt.Chart]:
    cloud = dots.mark_circle(size=9, opacity=0.4, color=grid.palette.accent)
    x, y = grid.x(j, f"p{j}", axis=i == grid.count - 1), grid.y(i, f"p{i}", axis=j == 0)
    layers = [cloud.encode(x=x, y=y)]
    here = (grid.estimate.get(grid.names[j]), grid.estimate.get(grid.names[i]))
    if None not in here:
        frame = pd.DataFrame([here], columns=["x", "y"])
        cross = grid.frames.chart(f"at_{i}_{j}", frame).mark_point(
            shape="cross", size=60, color=grid.palette.ink, filled=True, opacity=1
        )
        layers.append(cross.encode(x=grid.x(j, "x", axis=False), y=grid.y(i, "y", axis=False)))
    return layers


def _correlations(grid: _Grid, pairs: pd.DataFrame, column: str) -> alt.Chart:
    """Numbers above the diagonal, stronger the farther from zero."""
    place = {n: k for k, n in enumerate(grid.names)}
    rows = pairs[pairs["first"].isin(place) & pairs["second"].isin(place)]
    frame = pd.DataFrame({
        "across": rows["second"].map(place) + 0.5,
        "down": rows["first"].map(place) + 0.5,
        "text": [f"{r:+.2f}".replace("-", "−") if np.isfinite(r) else "none" for r in rows[column]],
        "strength": 0.35 + 0.65 * rows[column].abs().fillna(0.0),
    })  # fmt: skip
    text = grid.frames.chart("correlations", frame).mark_text(
        color=grid.palette.ink, fontSize=alt.expr(f"{grid.narrow} ? 11 : 15")
    )
    opacity = alt.Opacity("strength:Q", scale=None, legend=None)
    return text.encode(x=grid.across("across"), y=grid.down("down"), text="text:N", opacity=opacity)


def _titles(grid: _Grid, titles: Mapping[str, str]) -> alt.Chart:
    rows = [{"across": k + 0.5, "down": k, "text": titles.get(n, n)} for k, n in enumerate(grid.names)]
    text = grid.frames.chart("titles", pd.DataFrame(rows))
    mark = text.mark_text(color=grid.palette.ink, fontSize=alt.expr(f"{grid.narrow} ? 11 : 13"), fontWeight="bold",
                          baseline="top", dy=8)  # fmt: skip
    return mark.encode(x=grid.across("across"), y=grid.down("down"), text="text:N")
