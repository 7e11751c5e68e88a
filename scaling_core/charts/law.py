"""A law through its points: solid inside the runs, dashed and on shaded ground beyond them."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, domain_of, format_value, position_scale, x_channel, y_channel
from scaling_core.charts.palette import Palette, spread
from scaling_core.charts.runs import Domains, point_frame, point_layer, point_marks
from scaling_core.units import format_ratio

_HEIGHT = 460
_RESIDUAL_HEIGHT = 230


def law_chart(
    runs: pd.DataFrame,
    view: View,
    palette: Palette,
    *,
    curves: pd.DataFrame | None = None,
    main: pd.DataFrame | None = None,
    extent: tuple[float, float] | None = None,
) -> alt.LayerChart:
    """Points and the law.

    Parameters
    ----------
    runs : frame with canonical columns, ``role``, ``predicted`` and ``residual``
    curves : frame with ``view.x``, ``loss``, ``level`` and ``inside``
        A family of curves, each at one size (coloured as the points are).
    main : frame with ``view.x``, ``loss`` and optionally ``loss_low``, ``loss_high``, ``beyond`` or ``inside``
        The one line that matters most: the frontier, or the law itself. Drawn darkest, with its band.
    extent : smallest and largest fitted ``view.x``
        Beyond its end the ground is shaded.
    """
    color = "tokens" if view.x == "params" and curves is not None else "params"
    points, groups = point_frame(runs, view, color, palette)
    domains = _domains(points, view, main)
    layers: list[alt.Chart | alt.LayerChart] = []
    if extent and domains[0][1] > extent[1] * 1.05:
        layers.append(_ground(extent[1], view, domains[0], palette))
    if main is not None and main.get("loss_low") is not None and main["loss_low"].notna().any():
        layers.append(_band(main, view, domains, palette))
    if curves is not None:
        layers += _family(curves, view, color, domains, palette)
    if main is not None:
        layers += _main_line(main, view, domains, extent, palette)
    layers.append(point_layer(points, groups, view, color, domains))
    return alt.layer(*layers).properties(height=_HEIGHT)


def residual_chart(runs: pd.DataFrame, x: str, palette: Palette, *, log_x: bool = True) -> alt.LayerChart:
    """Relative residuals in percent against ``x``; above zero the law is too optimistic."""
    known = runs[runs["residual"].notna()].assign(percent=lambda f: 100 * f["residual"])
    view = View(x, "percent", log_x=log_x, log_y=False)
    points, groups = point_frame(known, view, "params", palette)
    reach = max(0.5, float(points["percent"].abs().max()) * 1.15) if len(points) else 1.0
    domains = domain_of(points[x], log=log_x), (-reach, reach)
    zero = alt.Chart(pd.DataFrame({"percent": [0.0]})).mark_rule(color=palette.ink, strokeWidth=1.2)
    chart = point_marks(points, groups, view, domains, None, 60, "Residual, % of the law")
    return alt.layer(zero.encode(y="percent:Q"), chart).properties(height=_RESIDUAL_HEIGHT)


def _domains(points: pd.DataFrame, view: View, main: pd.DataFrame | None) -> Domains:
    """The points, and of the main line as much as it adds beyond them."""
    x = points[view.x] if main is None else pd.concat([points[view.x], main[view.x]])
    y = points[view.y]
    if main is not None:
        y = pd.concat([y, main.loc[main[view.x] >= points[view.x].min(), "loss"]])
    return domain_of(x, log=view.log_x, pad=0.02), domain_of(y, log=view.log_y, pad=0.06)


def _ground(start: float, view: View, domain: tuple[float, float], palette: Palette) -> alt.LayerChart:
    """Shade what lies beyond the largest run, and say how far it reaches."""
    end = domain[1]
    scale = position_scale(domain, log=view.log_x)
    ground = pd.DataFrame({"start": [start], "end": [end]})
    ground["text"] = f"up to {format_ratio(end / start)} beyond the largest fitted run"
    base = alt.Chart(ground)
    rect = base.mark_rect(color=palette.ground, opacity=0.10).encode(x=alt.X("start:Q", scale=scale), x2="end:Q")
    label = base.mark_text(align="right", dx=-6, baseline="top", color=palette.muted, fontSize=12).encode(
        x=alt.X("end:Q", scale=scale), y=alt.value(8), text="text:N"
    )
    return alt.layer(rect, label)


def _band(main: pd.DataFrame, view: View, domains: Domains, palette: Palette) -> alt.Chart:
    return (
        alt.Chart(main[[view.x, "loss_low", "loss_high"]].dropna())
        .mark_area(color=palette.ink, opacity=0.13, clip=True)
        .encode(
            x=x_channel(view.x, log=view.log_x, domain=domains[0]),
            y=y_channel("loss_low", log=view.log_y, domain=domains[1], title="Loss L (nats per token)"),
            y2="loss_high:Q",
        )
    )


def _family(curves: pd.DataFrame, view: View, color: str, domains: Domains, palette: Palette) -> list[alt.Chart]:
    """One curve a level, coloured on the same sequence as the points: small is light."""
    levels = sorted(curves["level"].unique())
    order = [format_value(color, v) for v in levels]
    names = dict(zip(levels, order, strict=True))
    scale = alt.Scale(domain=order, range=spread(palette.sequence, len(order)))
    rows = curves.assign(size=curves["level"].map(names))[[view.x, "loss", "size", "inside"]]
    base = alt.Chart(rows).encode(
        x=x_channel(view.x, log=view.log_x, domain=domains[0]),
        y=y_channel("loss", log=view.log_y, domain=domains[1]),
        stroke=alt.Stroke("size:N", scale=scale, legend=None),
    )
    dashed = base.mark_line(strokeWidth=1.3, strokeDash=[4, 4], opacity=0.6, clip=True)
    solid = base.transform_filter("datum.inside").mark_line(strokeWidth=1.5, opacity=0.85, clip=True)
    return [dashed, solid]


def _main_line(
    main: pd.DataFrame, view: View, domains: Domains, extent: tuple[float, float] | None, palette: Palette
) -> list[alt.Chart]:
    low, high = extent or (-math.inf, math.inf)
    rows = main[[view.x, "loss"]].dropna().assign(inside=lambda f: f[view.x].between(low, high))
    base = alt.Chart(rows).encode(
        x=x_channel(view.x, log=view.log_x, domain=domains[0]),
        y=y_channel("loss", log=view.log_y, domain=domains[1]),
    )
    dashed = base.mark_line(color=palette.ink, strokeWidth=2.2, strokeDash=[7, 5], clip=True)
    solid = base.transform_filter("datum.inside").mark_line(color=palette.ink, strokeWidth=2.8, clip=True)
    return [dashed, solid]
