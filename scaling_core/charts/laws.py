"""Several laws on the same budgets, so that their disagreement is seen: the best size, and the loss it reaches."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, position_scale, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.labels import apart_on_log
from scaling_core.charts.measured import axis_title, in_metric, is_log
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW
from scaling_core.planning.figures import size as written
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops, format_number

_HEIGHT, _LINE_HEIGHT = 250, 22
#: Share of a panel that two labels of lines need between them.
_APART = 0.06


def laws_chart(rows: pd.DataFrame, flops: float, palette: Palette, metric: Metric = LOSS) -> Figure:
    """N* and loss against compute, a colour and a number a law; above, what each says at ``flops``.

    Parameters
    ----------
    rows : frame with ``law``, ``flops``, ``params``, ``tokens`` and ``loss``
        A law that says no loss has NaN there, and no line in the lower panel.
    flops : float
        The budget asked for, drawn as a rule.
    metric : Metric
        What ``loss`` is the cost of; laws of another have NaN there.
    """
    rows = in_metric(rows, metric)
    names = list(dict.fromkeys(rows["law"]))
    colours = [palette.categories[i % len(palette.categories)] for i in range(len(names))]
    number = {name: str(i + 1) for i, name in enumerate(names)}
    drawn = rows.assign(number=rows["law"].map(number), **_texts(rows))
    frames = Frames()
    paint = alt.Color("number:N", scale=alt.Scale(domain=list(number.values()), range=colours), legend=None)
    x_low, x_high = domain_of(drawn["flops"], log=True, pad=0.0)
    x = x_channel("flops", log=True, domain=(x_low, x_high * (x_high / x_low) ** 0.03))
    untitled = x_channel("flops", log=True, domain=(x_low, x_high * (x_high / x_low) ** 0.03)).title(None)
    asked = frames.chart("asked", pd.DataFrame({"flops": [flops]}))
    rule = asked.mark_rule(color=palette.accent, strokeWidth=1.5)
    parts = [_key(frames, drawn, number, flops, paint, palette.muted, metric)]
    shown = [name for name in ("params", "loss") if drawn[name].notna().any()]
    for name in shown:
        parts.append(_panel(frames, drawn, name, x if name == shown[-1] else untitled, rule, paint, metric))
    return Figure(alt.vconcat(*parts, spacing=12), frames)


def _texts(rows: pd.DataFrame) -> dict[str, list[str]]:
    return {
        "flops_text": [format_flops(v) for v in rows["flops"]],
        "params_text": [written(v) for v in rows["params"]],
        "tokens_text": [written(v) for v in rows["tokens"]],
        "loss_text": [format_number(v, 4) for v in rows["loss"]],
    }


def _key(
    frames: Frames,
    drawn: pd.DataFrame,
    number: dict[str, str],
    flops: float,
    paint: alt.Color,
    muted: str,
    metric: Metric,
) -> alt.LayerChart:
    """A line for each law: its number, its name and what it says at the budget, which the first line names."""
    said = [_at(drawn[drawn["law"] == name], flops) for name in number]
    key = pd.DataFrame({
        "number": list(number.values()), "row": [10.0 + _LINE_HEIGHT * (i + 1) for i in range(len(number))],
        "name": [f"{k}  {name}" for name, k in number.items()],
        "name_short": [f"{k}  {_cut(name)}" for name, k in number.items()],
        "said": [f"N {n}, {metric.title} {loss}" if loss else f"N {n}" for n, loss in said],
        "said_short": [f"N {n}" for n, _ in said],
    })  # fmt: skip
    base = frames.chart("key", key)
    head = frames.chart("key_head", pd.DataFrame({"text": [f"at {format_flops(flops)} FLOPs"]}))
    head = head.mark_text(align="right", baseline="middle", fontSize=12, color=muted)
    y = alt.Y("row:Q", scale=None)
    name = base.mark_text(align="left", baseline="middle", fontSize=alt.expr(f"{NARROW} ? 11 : 13"), fontWeight="bold")
    text = base.mark_text(align="right", baseline="middle", fontSize=alt.expr(f"{NARROW} ? 11 : 13"))
    return alt.layer(
        head.encode(x=alt.XValue("width"), y=alt.YValue(10), text="text:N"),
        name.encode(x=alt.XValue(0), y=y, color=paint,
                    text=alt.TextValue(alt.expr(f"{NARROW} ? datum.name_short : datum.name"))),
        text.encode(x=alt.XValue("width"), y=y, color=paint,
                    text=alt.TextValue(alt.expr(f"{NARROW} ? datum.said_short : datum.said"))),
        height=_LINE_HEIGHT * (len(number) + 1),
        view=alt.ViewConfig(stroke=None),
    )  # fmt: skip


def _cut(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _at(law: pd.DataFrame, flops: float) -> tuple[str, str]:
    """N and the loss at a budget between the rows, by a line in logarithms; an unknown loss is empty."""
    x = np.log(law["flops"].to_numpy(dtype=float))
    n = float(np.exp(np.interp(math.log(flops), x, np.log(law["params"].to_numpy(dtype=float)))))
    loss = float(np.interp(math.log(flops), x, law["loss"].to_numpy(dtype=float)))
    return written(n), format_number(loss, 4) if math.isfinite(loss) else ""


def _panel(
    frames: Frames, drawn: pd.DataFrame, name: str, x: alt.X, rule: alt.Chart, paint: alt.Color, metric: Metric
) -> alt.LayerChart:
    known = drawn[drawn[name].notna()]
    log = name == "params" or is_log(metric)
    domain = domain_of(known[name], log=log, pad=0.05)
    title = "Best size N" if name == "params" else "Loss reached" if metric == LOSS else axis_title(metric)
    y = y_channel(name, log=log, domain=domain, title=title)
    base = frames.chart(name, known).encode(x=x, y=y, color=paint)
    ends = frames.chart(f"{name}_ends", _ends(known, name, domain, log))
    tips = (
        ("law", "law"),
        ("flops_text", "C"),
        ("params_text", "N"),
        ("tokens_text", "D"),
        ("loss_text", metric.title),
    )
    tooltip = [alt.Tooltip(f"{field}:N", title=title) for field, title in tips]
    at = alt.Y("at:Q", scale=position_scale(domain, log=log))
    tag = ends.mark_text(align="left", dx=6, baseline="middle", fontSize=13, fontWeight="bold")
    return alt.layer(
        rule.encode(x=x),
        base.mark_line(strokeWidth=2.2),
        base.mark_point(filled=True, size=60, opacity=0).encode(tooltip=tooltip),
        tag.encode(x=x, y=at, text="number:N", color=paint),
        height=_HEIGHT,
    )


def _ends(known: pd.DataFrame, name: str, domain: tuple[float, float], log: bool) -> pd.DataFrame:
    """Where each line ends, moved apart so that the numbers do not meet."""
    ends = known.loc[known.groupby("law", sort=False)["flops"].idxmax()]
    at = apart_on_log(ends[name], domain, _APART) if log else ends[name]  # of a metric there is one line
    return ends[["flops", "number"]].assign(at=at)
