"""Loss against size at each of several budgets: the valleys, and where each is lowest."""

from __future__ import annotations

import math
from dataclasses import replace

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import View, domain_of, format_value, position_scale
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import Palette, spread
from scaling_core.units import format_count, format_flops, format_number

_HEIGHT = 460
_VIEW = View("params", "loss")
#: Budgets that are named; of more, so many from the first to the last.
_MOST_NAMED = 10


def isoflop_chart(
    points: pd.DataFrame,
    curves: pd.DataFrame,
    minima: pd.DataFrame,
    palette: Palette,
    law: pd.DataFrame | None = None,
    *,
    y_title: str = "",
) -> Figure:
    """Loss against N, one colour a budget.

    Parameters
    ----------
    points, curves, minima : frames ``points``, ``curves`` and ``profiles`` of ``fitting.isoflop.IsoflopProfiles``
        A minimum is a filled diamond with its interval, hollow where something speaks against it (the reason is its
        tooltip). Those that the power laws go through are joined, from the smallest budget to the largest.
    law : frame of ``fitting.curves.family`` at fixed compute
        What a law in N and D says at the same budgets, dashed.
    y_title : str
        What was measured, where it is not the loss.
    """
    budgets = sorted(minima["flops"])
    names = {c: str(k) for k, c in enumerate(budgets)}  # two budgets may read alike
    scale = alt.Scale(domain=list(names.values()), range=spread(palette.sequence, len(budgets)))
    drawn = _point_rows(points, names)
    # Room at the right for the names of the budgets.
    x_low, x_high = domain_of(pd.concat([drawn["params"], curves["params"]]), log=True, pad=0.03)
    x_domain = (x_low, x_high * (x_high / x_low) ** 0.12)
    y_domain = domain_of(pd.concat([drawn["loss"], curves["loss"]]), log=True, pad=0.05)
    canvas = Canvas(replace(_VIEW, y_title=y_title), x_domain, y_domain, palette)
    color = alt.Color("budget:N", scale=scale, sort=list(names.values()), legend=None)
    layers = [] if law is None else [_law(canvas, law, budgets, names, color)]
    layers += [_curves(canvas, curves, names, color), _points(canvas, drawn, color)]
    layers += [*_names(canvas, curves, names), *_minima(canvas, minima)]
    return Figure(alt.layer(*layers, height=_HEIGHT), canvas.frames)


def _point_rows(points: pd.DataFrame, names: dict[float, str]) -> pd.DataFrame:
    """At the loss that the run would have at exactly its budget."""
    out = pd.DataFrame({"params": points["params"], "loss": points["loss_at_budget"]})
    texts = {
        name: [format_value(name, float(v)) for v in points[name]] for name in ("params", "tokens", "flops", "loss")
    }
    out = out.assign(budget=points["budget"].map(names), run=points["run"].astype(str))
    return out.assign(**{f"{name}_text": text for name, text in texts.items()})


def _points(canvas: Canvas, drawn: pd.DataFrame, color: alt.Color) -> alt.Chart:
    tips = [("run", "run"), ("params_text", "N"), ("tokens_text", "D"), ("flops_text", "C"), ("loss_text", "loss")]
    mark = canvas.frames.chart("points", drawn).mark_point(
        filled=True, size=50 if len(drawn) <= 120 else 34, opacity=0.9
    )
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in tips]
    return mark.encode(x=canvas.x(), y=canvas.y(), color=color, tooltip=tooltip)


def _curves(canvas: Canvas, curves: pd.DataFrame, names: dict[float, str], color: alt.Color) -> alt.Chart:
    rows = curves[["params", "loss"]].assign(budget=curves["flops"].map(names))
    mark = canvas.frames.chart("curves", rows).mark_line(strokeWidth=1.8, opacity=0.9, clip=True)
    return mark.encode(x=canvas.x(), y=canvas.y(), color=color)


def _law(
    canvas: Canvas, law: pd.DataFrame, budgets: list[float], names: dict[float, str], color: alt.Color
) -> alt.Chart:
    """Curves of the law, each in the colour of the nearest budget."""
    nearest = {level: min(budgets, key=lambda c: abs(math.log(c / level))) for level in law["level"].unique()}
    rows = law[["params", "loss"]].assign(budget=law["level"].map(nearest).map(names))
    rows = rows[rows["params"].between(*canvas.x_domain)]
    mark = canvas.frames.chart("law", rows).mark_line(strokeWidth=1.4, strokeDash=[4, 4], opacity=0.8, clip=True)
    return mark.encode(x=canvas.x(), y=canvas.y(), color=color)


def _names(canvas: Canvas, curves: pd.DataFrame, names: dict[float, str]) -> list[alt.Chart]:
    """The budget of each curve at its right end."""
    kept = np.unique(np.linspace(0, len(names) - 1, _MOST_NAMED).round().astype(int))
    named = {c for k, c in enumerate(sorted(names)) if k in kept}
    ends = curves.loc[curves.groupby("flops")["params"].idxmax()] if len(curves) else curves
    ends = ends[ends["flops"].isin(named)]
    rows = ends[["params", "loss"]].assign(
        budget=ends["flops"].map(names), text=[format_flops(c, 2) for c in ends["flops"]]
    )
    base = canvas.frames.chart("names", rows).encode(x=canvas.x(), y=canvas.y(), text="text:N")
    style = {"align": "left", "dx": 8, "fontSize": 11}
    ground = canvas.palette.background
    halo = base.mark_text(**style, stroke=ground, strokeWidth=4, color=ground, opacity=0.8)
    return [halo, base.mark_text(**style, color=canvas.palette.ink)]


def _minima(canvas: Canvas, minima: pd.DataFrame) -> list[alt.Chart]:
    """Lowest points with their intervals, joined where the power laws go through them."""
    known = minima[minima["params"].between(*canvas.x_domain) & minima["loss"].between(*canvas.y_domain)]
    intervals = known[["params", "params_low", "params_high"]].itertuples(index=False)
    rows = known[["flops", "params", "loss", "used"]].assign(
        calm=[not flags for flags in known["flags"]],
        low=known["params_low"].clip(*canvas.x_domain),
        high=known["params_high"].clip(*canvas.x_domain),
        text=[format_flops(c) for c in known["flops"]],
        params_text=[_with_interval(*row) for row in intervals],
        ratio=[format_number(v, 3) for v in known["tokens_per_param"]],
        flags=[", ".join(flags) or "nothing" for flags in known["flags"]],
    )  # fmt: skip
    base = canvas.frames.chart("minima", rows)
    ink, ground = canvas.palette.ink, canvas.palette.background
    tips = [("text", "C"), ("params_text", "best N"), ("ratio", "tokens per parameter"), ("flags", "against it")]
    fill = alt.FillValue(ground, condition={"test": "datum.calm", "value": ink})
    spread_mark = base.transform_filter("isValid(datum.low)").mark_rule(color=ink, strokeWidth=3, opacity=0.3)
    joined = base.transform_filter("datum.used").mark_line(color=ink, strokeWidth=2.4)
    low = alt.X("low:Q", scale=position_scale(canvas.x_domain, log=True))
    diamond = base.mark_point(shape="diamond", size=130, stroke=ink, strokeWidth=1.8, opacity=1)
    return [
        joined.encode(x=canvas.x(), y=canvas.y(), order=alt.Order("flops:Q")),  # by C: N* need not grow with it
        spread_mark.encode(x=low, x2="high:Q", y=canvas.y()),
        diamond.encode(x=canvas.x(), y=canvas.y(), fill=fill,
                       tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips]),
    ]  # fmt: skip


def _with_interval(params: float, low: float, high: float) -> str:
    number = format_count(params)
    return f"{number} ({format_count(low)}–{format_count(high)})" if math.isfinite(low) else number
