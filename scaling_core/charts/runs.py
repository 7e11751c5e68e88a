"""The runs as points: filled where fitted, hollow where held out, crossed where excluded."""

from __future__ import annotations

import altair as alt
import pandas as pd

from scaling_core.charts.axes import (
    Groups,
    View,
    column_title,
    domain_of,
    format_value,
    group_by,
    x_channel,
    y_channel,
)
from scaling_core.charts.palette import Palette

#: Name of the selection that a drag over the points makes.
BRUSH = "chosen"
_HEIGHT = 430
_ROLES = ["fitted", "held out", "excluded"]
_SHAPES = ["circle", "circle", "cross"]
Domains = tuple[tuple[float, float], tuple[float, float]]
_MAX_POINTS = 2000


def runs_chart(
    runs: pd.DataFrame, view: View, color: str, palette: Palette, line: pd.DataFrame | None = None
) -> alt.LayerChart:
    """Points of ``view.y`` against ``view.x``; drag selects, the legend toggles.

    ``runs`` has canonical columns and ``role``; ``line`` (columns ``view.x``, ``view.y``) is a law drawn faintly.
    """
    points, groups = point_frame(runs, view, color, palette)
    domains = domain_of(points[view.x], log=view.log_x), domain_of(points[view.y], log=view.log_y)
    layers = [point_layer(points, groups, view, color, domains)]
    if line is not None and len(line):
        layers.insert(0, _faint_line(line, view, domains, palette))
    return alt.layer(*layers).properties(height=_HEIGHT)


def point_frame(runs: pd.DataFrame, view: View, color: str, palette: Palette) -> tuple[pd.DataFrame, Groups]:
    """Rows that can be drawn, with texts for tooltips and a colour group; at most ``_MAX_POINTS`` rows."""
    known = runs[runs[view.x].notna() & runs[view.y].notna()]
    drawn = known[(known[view.x] > 0) | (not view.log_x)]
    drawn = drawn[(drawn[view.y] > 0) | (not view.log_y)]
    if len(drawn) > _MAX_POINTS:  # ends of runs first, then an even share of the rest
        drawn = drawn.sort_values("is_final", ascending=False, kind="stable")
        ends = int(drawn["is_final"].sum())
        step = max(1, (len(drawn) - ends) // max(1, _MAX_POINTS - ends))
        drawn = pd.concat([drawn.iloc[:ends], drawn.iloc[ends::step]]).iloc[:_MAX_POINTS]
    groups = group_by(drawn, color, palette)
    out = pd.DataFrame({view.x: drawn[view.x], view.y: drawn[view.y], "group": groups.labels})
    out["run"] = drawn["run"].astype(str)
    out["role"] = drawn["role"].where(drawn["role"].isin(_ROLES), "excluded") if "role" in drawn else "fitted"
    for name in ("params", "tokens", "flops", "loss"):
        out[f"{name}_text"] = [format_value(name, float(v)) for v in drawn[name]]
    out["law_text"], out["residual_text"] = _law_texts(drawn)
    return out, groups


def _law_texts(drawn: pd.DataFrame) -> tuple[list[str], list[str]]:
    if "predicted" not in drawn:
        return ["no law"] * len(drawn), [""] * len(drawn)
    said = [format_value("loss", float(v)) for v in drawn["predicted"]]
    off = ["" if pd.isna(v) else f"{100 * v:+.2f}%" for v in drawn["residual"]]
    return said, off


def point_layer(points: pd.DataFrame, groups: Groups, view: View, color: str, domains: Domains) -> alt.Chart:
    """Layer of points; dragging over it selects, its legend toggles."""
    brush = alt.selection_interval(name=BRUSH, encodings=["x", "y"])
    shown = alt.selection_point(name="shown", fields=["group"], bind="legend")
    size = 80 if len(points) <= 80 else 40  # a crowd of large points hides the law
    legend = alt.Legend(title=column_title(color), orient="right") if len(groups.order) > 1 else None
    layer = point_marks(points, groups, view, domains, legend, size)
    return layer.encode(opacity=alt.condition(shown, alt.value(0.95), alt.value(0.08))).add_params(brush, shown)


def point_marks(
    points: pd.DataFrame,
    groups: Groups,
    view: View,
    domains: Domains,
    legend: alt.Legend | None,
    size: int,
    y_title: str | None = None,
) -> alt.Chart:
    """Points by role: filled where fitted, hollow where held out, crossed where excluded."""
    paint = {"scale": groups.scale(), "sort": groups.order, "legend": legend}
    return (
        alt.Chart(points)
        .mark_point(size=size, strokeWidth=1.8)
        .encode(
            x=x_channel(view.x, log=view.log_x, domain=domains[0]),
            y=y_channel(view.y, log=view.log_y, domain=domains[1], title=y_title),
            color=alt.Color("group:N", **paint),
            fill=alt.condition("datum.role == 'fitted'", alt.Fill("group:N", **paint), alt.value("transparent")),
            shape=alt.Shape("role:N", scale=alt.Scale(domain=_ROLES, range=_SHAPES), legend=None),
            tooltip=tooltips(),
        )
    )


def tooltips() -> list[alt.Tooltip]:
    """What a point says of itself."""
    texts = (
        ("run", "run"),
        ("params_text", "N"),
        ("tokens_text", "D"),
        ("flops_text", "C"),
        ("loss_text", "loss"),
        ("law_text", "the law says"),
        ("residual_text", "residual"),
        ("role", "role"),
    )
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in texts]


def _faint_line(line: pd.DataFrame, view: View, domains: Domains, palette: Palette) -> alt.Chart:
    return (
        alt.Chart(line[[view.x, view.y]].dropna())
        .mark_line(color=palette.muted, opacity=0.55, strokeWidth=2, clip=True)
        .encode(
            x=x_channel(view.x, log=view.log_x, domain=domains[0]),
            y=y_channel(view.y, log=view.log_y, domain=domains[1]),
        )
    )
