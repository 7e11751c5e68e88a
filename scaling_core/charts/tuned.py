"""Loss against fine-tuning tokens of runs that began with the weights of another, beside what these were worth."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, domain_of, format_value, unit_title
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.labels import haloed
from scaling_core.charts.palette import Palette, spread

_HEIGHT = 420


def tuned_chart(rows: pd.DataFrame, palette: Palette, *, unit: str = "token", height: int = _HEIGHT) -> Figure:
    """Loss against the tokens that each run saw itself: crosses, since no law is fitted to them.

    Parameters
    ----------
    rows : frame with ``run``, ``params``, ``tokens``, ``flops``, ``loss``, ``tuned_from``, ``before``
        As ``outcomes.tuned``. ``before`` is the loss on these data beforehand, a dashed rule.
    unit : str
        What is learned from: "token" or "example".
    """
    points = _points(rows)
    starts = _starts(rows)
    losses = pd.concat([points["loss"], starts["before"]], ignore_index=True)
    view = View("tokens", "loss", x_title=f"Fine-tuning {unit}s", y_title=unit_title("loss", unit))
    canvas = Canvas(view, domain_of(points["tokens"], log=True), domain_of(losses, log=True, pad=0.1), palette)
    order = [format_value("params", n) for n in sorted({float(n) for n in rows["params"]})]
    scale = alt.Scale(domain=order, range=spread(palette.sequence, len(order)))
    layers = _rules(canvas, starts) if len(starts) else []
    return Figure(alt.layer(*layers, *_marks(canvas, points, scale), height=height), canvas.frames)


def _points(rows: pd.DataFrame) -> pd.DataFrame:
    out = rows[["run", "params", "tokens", "loss", "tuned_from"]].copy()
    out["size"] = [format_value("params", float(v)) for v in rows["params"]]
    for name in ("params", "tokens", "flops", "loss", "before"):
        out[f"__{name}"] = [format_value(name, float(v)) if math.isfinite(v) else "not known" for v in rows[name]]
    return out.sort_values("tokens")


def _starts(rows: pd.DataFrame) -> pd.DataFrame:
    """The loss before any training, once for each run that was begun with."""
    known = rows[["tuned_from", "before"]].dropna().drop_duplicates("tuned_from")
    said = [f"{run} before: {format_value('loss', float(b))}" for run, b in known.itertuples(index=False)]
    return known.assign(said=said)


def _rules(canvas: Canvas, starts: pd.DataFrame) -> list[alt.Chart]:
    base = canvas.frames.chart("starts", starts).encode(y=canvas.y("before"))
    rule = base.mark_rule(color=canvas.palette.ink, strokeDash=[6, 4], strokeWidth=1.4, clip=True)
    label = base.encode(x=alt.value(8), text="said:N")
    return [rule, *haloed(label, canvas.palette, canvas.palette.ink, align="left", dy=-9, fontSize=12)]


def _marks(canvas: Canvas, points: pd.DataFrame, scale: alt.Scale) -> list[alt.Chart]:
    base = canvas.frames.chart("points", points).encode(x=canvas.x(), y=canvas.y())
    legend = alt.Legend(title="Parameters N") if len(scale.to_dict()["domain"]) > 1 else None
    colour = alt.Color("size:N", scale=scale, sort=list(scale.to_dict()["domain"]), legend=legend)
    told = [("run", "run"), ("tuned_from", "from"), ("__params", "N"), ("__tokens", "D of its own"), ("__flops", "C"),
            ("__before", "loss before"), ("__loss", "loss")]  # fmt: skip
    return [
        base.mark_line(strokeWidth=1.4, opacity=0.6, clip=True).encode(color=colour),
        base.mark_point(shape="cross", size=130, filled=True, opacity=1.0, angle=45).encode(
            color=colour, tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in told]
        ),
    ]
