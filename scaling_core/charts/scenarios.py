"""Named plans beside each other: what each costs and what loss it reaches."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, position_scale, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.labels import apart_on_log, haloed
from scaling_core.charts.measured import axis_title, in_metric, is_log
from scaling_core.charts.palette import Palette
from scaling_core.charts.pareto import cost_channel, with_interval
from scaling_core.laws import Array
from scaling_core.planning.figures import money
from scaling_core.planning.figures import size as written
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops

_HEIGHT = 420
#: Share of the axes that names need between them, and bars of plans that cost the same.
_APART, _ASIDE = 0.065, 0.012


def scenarios_chart(rows: pd.DataFrame, palette: Palette, metric: Metric = LOSS) -> Figure:
    """Loss, or another metric, with its interval against cost, or against FLOPs where not every plan has a cost.

    Parameters
    ----------
    rows : frame with ``name``, ``flops``, ``cost_usd``, ``params``, ``tokens``, ``loss``, ``loss_low``, ``loss_high``
    """
    known = in_metric(rows[rows["loss"].notna()].reset_index(drop=True), metric)
    log = is_log(metric)
    name = "cost_usd" if bool((known["cost_usd"].astype(float) > 0).all()) and len(known) else "flops"
    losses = known[["loss", "loss_low", "loss_high"]].to_numpy(dtype=float).ravel()
    x_domain, y_domain = domain_of(known[name], log=True, pad=0.16), domain_of(losses, log=log, pad=0.1)
    drawn = _with_texts(known, name, x_domain, y_domain, log)
    frames = Frames()
    base = frames.chart("scenarios", drawn)
    x, y = (
        cost_channel(name, x_domain, "at_cost"),
        y_channel("loss", log=log, domain=y_domain, title=axis_title(metric)),
    )
    order = drawn["name"].tolist()
    colours = [palette.categories[i % len(palette.categories)] for i in range(len(order))]
    paint = alt.Color("name:N", scale=alt.Scale(domain=order, range=colours), legend=None)
    low = alt.Y("loss_low:Q", scale=position_scale(y_domain, log=log))
    tips = (("name", "plan"), ("cost_text", "cost"), ("flops_text", "C"), ("params_text", "N"), ("tokens_text", "D"),
            ("loss_text", metric.title))  # fmt: skip
    dot = base.mark_point(filled=True, size=130, opacity=1)
    bar = base.transform_filter("isValid(datum.loss_low)").mark_rule(strokeWidth=4, opacity=0.35)
    layers = [
        bar.encode(x=x, y=low, y2="loss_high:Q", color=paint),
        dot.encode(x=x, y=y, color=paint, tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tips]),
        *_names(base, drawn, x, paint, palette, position_scale(y_domain, log=log)),
    ]
    return Figure(alt.layer(*layers, height=_HEIGHT), frames)


def _with_texts(
    known: pd.DataFrame, cost: str, x_domain: tuple[float, float], y_domain: tuple[float, float], log: bool
) -> pd.DataFrame:
    pairs = zip(known["loss"], known["loss_low"], known["loss_high"], strict=True)
    middle = np.sqrt(x_domain[0] * x_domain[1])
    return known.assign(
        at_cost=_aside(known[cost].to_numpy(dtype=float), x_domain),
        at_name=_apart(known["loss"], y_domain, log),
        side=np.where(known[cost] < middle, "left", "right"),
        cost_text=[money(v) for v in known["cost_usd"]],
        flops_text=[format_flops(v) for v in known["flops"]],
        params_text=[written(v) for v in known["params"]],
        tokens_text=[written(v) for v in known["tokens"]],
        loss_text=[with_interval(*values) for values in pairs],
    )


def _names(
    base: alt.Chart, drawn: pd.DataFrame, x: alt.X, paint: alt.Color, palette: Palette, scale: alt.Scale
) -> list[alt.Chart]:
    """Names beside their plans, towards the middle, so that none leaves the chart."""
    layers = []
    y = alt.Y("at_name:Q", scale=scale)
    for side, shift in (("left", 12), ("right", -12)):
        if (drawn["side"] == side).any():
            part = base.transform_filter(f"datum.side == '{side}'")
            style = {"align": side, "dx": shift, "baseline": "middle", "fontSize": 13, "fontWeight": "bold"}
            halo, text = haloed(part, palette, None, **style)
            layers += [halo.encode(x=x, y=y, text="name:N"), text.encode(x=x, y=y, text="name:N", color=paint)]
    return layers


def _apart(values: pd.Series, domain: tuple[float, float], log: bool) -> Array:
    """Heights of names beside their values, moved so that none meet; a plain axis is one of logarithms of e^y."""
    if log:
        return apart_on_log(values, domain, _APART)
    low, high = domain
    share = np.exp((values.to_numpy(dtype=float) - low) / (high - low))
    return np.asarray(low + (high - low) * np.log(apart_on_log(share, (1.0, math.e), _APART)))


def _aside(costs: Array, domain: tuple[float, float]) -> Array:
    """Costs to draw at: those that are the same are set a little apart, in order, so that no bar hides another."""
    step = _ASIDE * np.log(domain[1] / domain[0])
    moved = np.log(costs)
    for here in range(len(moved)):
        while np.any(np.abs(moved[:here] - moved[here]) < 0.99 * step):
            moved[here] += step
    return np.asarray(np.exp(moved))
