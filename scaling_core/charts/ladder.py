"""A ladder on the plane of N and D: a dot a run, hollow until it is trained, with lines of equal compute below."""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from scaling_core.charts.axes import View, domain_of, format_value, unit_title
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.palette import Palette
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN
from scaling_core.units import format_flops, format_number

#: What a run can be in the legend, in the order in which it comes to be.
STATES = ("planned", "running", "done", "failed")
_HEIGHT = 380
_MOST_LINES = 6
#: Share of the height above and below the dots: the labels of the lines stand there, clear of the dots.
_ROOM = 0.2
#: A line that crosses less of the width than this is left out: a corner has no room for its label.
_LEAST = 0.12
#: Counted FLOPs may differ so many times from 6ND: attention is a good part of them at small widths.
_NEAR = 3.0


def ladder_chart(dots: pd.DataFrame, palette: Palette, *, unit: str = "token", height: int = _HEIGHT) -> Figure:
    """Runs of a ladder.

    Parameters
    ----------
    dots : frame with ``run``, ``role`` ("run" or "test"), ``params``, ``tokens``, ``flops``
        And where known ``state`` (one of ``STATES``), ``loss`` and ``estimate_s``.
    unit : str
        What is learned from: "token" or "example".
    """
    rows = _rows(dots)
    view = View("params", "tokens", y_title=unit_title("tokens", unit))
    x, y = (domain_of(rows[name], log=True, pad=pad) for name, pad in ((view.x, 0.1), (view.y, _ROOM)))
    canvas = Canvas(view, x, y, palette)
    lines = _equal_compute(canvas) if _is_six_nd(dots) else []
    return Figure(alt.layer(*lines, *_dots(canvas, rows), height=height), canvas.frames)


def _is_six_nd(dots: pd.DataFrame) -> bool:
    """Whether compute is near 6ND: not that of images or snippets, each of which passes a weight at many places."""
    ratio = dots["flops"] / (FLOPS_PER_PARAM_TOKEN * dots["params"] * dots["tokens"])
    return bool(abs(math.log(ratio.median())) < math.log(_NEAR))


def _rows(dots: pd.DataFrame) -> pd.DataFrame:
    out = dots[["run", "role", "params", "tokens"]].copy()
    out["state"] = dots["state"].where(dots["state"].isin(STATES), "planned") if "state" in dots else "planned"
    for name in ("params", "tokens", "flops"):
        out[f"__{name}"] = [format_value(name, float(v)) for v in dots[name]]
    out["__ratio"] = [format_number(d / n, 2) for n, d in zip(dots["params"], dots["tokens"], strict=True)]
    loss = dots["loss"] if "loss" in dots else pd.Series(math.nan, index=dots.index)
    out["__loss"] = [format_number(v, 4) if math.isfinite(v) else "not yet" for v in loss.astype(float)]
    out["__kind"] = ["held back" if role == "test" else "fitted" for role in dots["role"]]
    return out


def _dots(canvas: Canvas, rows: pd.DataFrame) -> list[alt.Chart]:
    palette = canvas.palette
    colours = [palette.muted, palette.categories[4], palette.accent, palette.warning]
    scale = alt.Scale(domain=list(STATES), range=colours)
    paint = {"field": "state", "type": "nominal", "scale": scale}
    shown = [state for state in STATES if (rows["state"] == state).any()]
    legend = {"title": None, "values": shown, "orient": "top"} if len(shown) > 1 else None
    told = [("run", "run"), ("__params", "N"), ("__tokens", "D"), ("__flops", "C"), ("__ratio", "tokens per parameter"),
            ("__loss", "loss"), ("__kind", "in the law"), ("state", "state")]  # fmt: skip
    mark = canvas.frames.chart("dots", rows).mark_point(size=150, strokeWidth=2)
    return [
        mark.encode(
            x=canvas.x(),
            y=canvas.y(),
            color=alt.Color(**paint, legend=legend),
            fill=alt.FillValue("transparent", condition={"test": "datum.state == 'done'", **paint, "legend": None}),
            shape=alt.Shape(
                "role:N", scale=alt.Scale(domain=["run", "test"], range=["circle", "diamond"]), legend=None
            ),
            tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in told],
        )
    ]


def _equal_compute(canvas: Canvas) -> list[alt.Chart]:
    """Lines along which 6ND is the same, a decade apart or so, each with its FLOPs at the upper end, above the dots."""
    (low_n, high_n), (low_d, high_d) = canvas.x_domain, canvas.y_domain
    first = math.ceil(math.log10(FLOPS_PER_PARAM_TOKEN * low_n * low_d))
    last = math.floor(math.log10(FLOPS_PER_PARAM_TOKEN * high_n * high_d))
    step = max(1, math.ceil((last - first + 1) / _MOST_LINES))
    rows = []
    for power in range(first, last + 1, step):
        product = 10.0**power / FLOPS_PER_PARAM_TOKEN
        start, end = max(low_n, product / high_d), min(high_n, product / low_d)
        if math.log(end / start) > _LEAST * math.log(high_n / low_n):
            text = f"{format_flops(10.0**power, 1)} FLOPs"
            rows.append(
                {"params": start, "tokens": product / start, "end_n": end, "end_d": product / end, "text": text}
            )
    if not rows:
        return []
    base = canvas.frames.chart("compute", pd.DataFrame(rows)).encode(x=canvas.x(), y=canvas.y())
    ink = canvas.palette.muted
    lines = base.mark_rule(color=ink, strokeDash=[3, 4], opacity=0.55, clip=True).encode(x2="end_n:Q", y2="end_d:Q")
    return [lines, base.mark_text(align="left", dx=6, dy=9, fontSize=11, color=ink).encode(text="text:N")]
