"""The frontier with a budget rule that the browser moves by itself: no round trip, so it follows the hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, position_scale, x_channel, y_channel
from scaling_core.charts.band_axis import domain_with_band
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.measured import axis_title, in_metric, is_log, short_title
from scaling_core.charts.palette import Palette
from scaling_core.charts.readout import NARROW, ROW_HEIGHT, Told, numbers, write
from scaling_core.planning import LOG_STEP
from scaling_core.planning.figures import beyond_by, duration, hours, money, passes, size
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops, format_number

#: Name of the Vega parameter that the slider moves.
BUDGET = "budget"
#: Names of the selections that say: plan for this budget. A click on the words of the read-out, and one on the curve.
CHOSEN, CLICKED = "chosen_budget", "clicked_budget"
_CHOOSE = "datum.step == 0 ? '' : 'Plan for this budget ▸'"
_LOSS_HEIGHT, _SIZE_HEIGHT = 270, 200
_CALM, _BEYOND = "calm", "beyond"
_COLUMNS = [
    Told("params", "parameters N", "N", 0.0),
    Told("tokens", "tokens D", "D", 0.26),
    Told("tokens_per_param", "tokens per parameter", "D/N", 0.52),
    Told("loss", "loss, nats per token", "loss", 0.76),
]
#: Said below, where the frontier has them.
_FURTHER = [
    Told("cost_usd", "cost", "cost", 0.0),
    Told("days", "time", "time", 0.26),
    Told("gpu_hours", "accelerator-hours", "hours", 0.52),
    Told("epochs", "passes over the data", "passes", 0.76),
]
_WRITE: dict[str, Callable[[float], str]] = {
    "params": size,
    "tokens": size,
    "tokens_per_param": format_number,
    "loss": lambda v: format_number(v, 4),
    "cost_usd": money,
    "days": duration,
    "gpu_hours": hours,
    "epochs": passes,
}
#: Training with more than this many times the budget is said.
_MORE = 1.001
#: What stands in place of an interval that there is none of, and of one of N and D that go on as the runs did.
NO_INTERVAL, CONTINUED = "no interval", "as the runs went on"
_UNITS = {" second": " s", " minute": " min", " hour": " h", " day": " d", " year": " y"}


def plan_chart(
    frontier: pd.DataFrame,
    start: float,
    level: float,
    palette: Palette,
    without_interval: str = NO_INTERVAL,
    metric: Metric = LOSS,
) -> Figure:
    """Loss, N and D along the frontier, with a slider for the budget and a read-out of the row it stands on.

    ``frontier`` is ``planning.frontier`` on ``planning.budgets`` through ``start``, the first budget shown. The
    slider counts rows from ``start``, so that what it reads out is always a row that was computed.
    ``without_interval`` stands where N and D have none. ``metric`` is what the law gives the cost of. A click on the
    curve, or on the words beside the read-out once the slider has moved, selects the budget (``CLICKED``, ``CHOSEN``).
    What no row has a value of has no panel.
    """
    rows = _with_texts(in_metric(frontier, metric), level, without_interval, metric)
    rows["step"] = np.rint(np.log10(frontier["flops"] / start) / LOG_STEP).astype(int)
    slider = alt.binding_range(min=int(rows["step"].min()), max=int(rows["step"].max()), step=1, name="Budget")
    budget = alt.param(name=BUDGET, value=0, bind=slider)
    panel = _Panel.of(rows, palette, metric)
    parts: list[alt.Chart | alt.LayerChart] = [_readout(panel)]
    if rows["loss"].notna().any():
        parts.append(_loss_panel(panel))
    if _further(rows):
        parts.append(_further_readout(panel))
    if rows["params"].notna().any():
        parts.append(_size_panel(panel))
    resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return Figure(alt.vconcat(*parts, spacing=14, params=[budget.param], resolve=resolve), panel.frames)


@dataclass(frozen=True)
class _Panel:
    """What the parts of the chart share: the rows, the row the slider stands on, the axis of budgets."""

    rows: pd.DataFrame
    palette: Palette
    metric: Metric
    frames: Frames
    base: alt.Chart
    at_budget: alt.Chart
    x_domain: tuple[float, float]

    @classmethod
    def of(cls, rows: pd.DataFrame, palette: Palette, metric: Metric) -> _Panel:
        frames = Frames()
        base = frames.chart("frontier", rows)
        at_budget = base.transform_filter(f"datum.step == {BUDGET}")
        return cls(rows, palette, metric, frames, base, at_budget, domain_of(rows["flops"], log=True, pad=0.0))

    @property
    def x(self) -> alt.X:
        return x_channel("flops", log=True, domain=self.x_domain)


def _with_texts(frontier: pd.DataFrame, level: float, without_interval: str, metric: Metric) -> pd.DataFrame:
    """Every sentence the read-out can say, written once: the browser only picks the row."""
    rows = frontier.copy()
    rows["budget_text"], rows["budget_short"] = zip(*_budget_texts(rows, level), strict=True)
    for told in _COLUMNS:
        _write_number(rows, told.name, NO_INTERVAL if told.name == "loss" else without_interval)
    for told in _further(rows):
        _write_number(rows, told.name, "")
    if metric != LOSS:
        rows["loss_title"], rows["loss_title_short"] = metric.title, short_title(metric)
    far = _farthest(rows)
    rows["farthest"] = far["times"]
    rows["warning"], rows["warning_short"] = zip(
        *[_warning(t, what) for t, what in zip(far["times"], far["what"], strict=True)], strict=True
    )
    rows["state"] = np.where(rows["farthest"].fillna(1.0) == 1.0, _CALM, _BEYOND)
    return rows


def _farthest(rows: pd.DataFrame) -> pd.DataFrame:
    """Which of C, N and D lies farthest beyond the runs on each row, and by how many times; NaN where none is known."""
    known = {"beyond": "This budget", "beyond_params": "The best size", "beyond_tokens": "The amount of data"}
    names = [name for name in known if name in rows]
    times = rows[names].to_numpy(dtype=float)
    size = np.nan_to_num(np.abs(np.log(times)), nan=-1.0)
    at = size.argmax(axis=1)  # the budget where all are alike
    return pd.DataFrame({
        "times": times[np.arange(len(rows)), at], "what": [known[names[i]] for i in at],
    })  # fmt: skip


def _write_number(rows: pd.DataFrame, name: str, without_interval: str) -> None:
    """A quantity as text, short for narrow views, and its interval where it has one."""
    say = _WRITE[name]
    rows[f"{name}_text"] = [say(v) for v in rows[name]]
    if name == "days":
        rows["days_short"] = [_short_units(text) for text in rows["days_text"]]
        say = lambda v: _short_units(duration(v))  # noqa: E731
    if f"{name}_low" in rows and (without_interval or rows[f"{name}_low"].notna().any()):
        rows[f"{name}_interval"] = [
            ("" if a == b else _between(say(a), say(b))) if math.isfinite(a) else without_interval if known else ""
            for a, b, known in zip(rows[f"{name}_low"], rows[f"{name}_high"], rows[name].notna(), strict=True)
        ]


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} – {high}"


def _short_units(text: str) -> str:
    for unit, short in _UNITS.items():
        text = text.replace(f"{unit}s", short).replace(unit, short)
    return text


def _further(rows: pd.DataFrame) -> list[Told]:
    """What else the frontier knows, side by side from the left."""
    known = [told for told in _FURTHER if told.name in rows and rows[told.name].notna().any()]
    return [told._replace(x=place.x) for told, place in zip(known, _FURTHER, strict=False)]


def _budget_texts(rows: pd.DataFrame, level: float) -> list[tuple[str, str]]:
    """What the budget is; where serving counts, that the model is trained with another amount for the same loss."""
    sure = f", {level:.0%} intervals" if rows["loss_low"].notna().any() else ""
    texts = [f"With {format_flops(c)} FLOPs{sure}" for c in rows["flops"]]
    if "training_flops" not in rows:
        return [(text, text) for text in texts]
    pairs = zip(texts, rows["flops"], rows["training_flops"], strict=True)
    return [
        (f"As good as {format_flops(c)} FLOPs can be, for less over its life: trained with {format_flops(t)}{sure}",
         f"As good as {format_flops(c)}, trained with {format_flops(t)}")
        if t > _MORE * c else (text, text)
        for text, c, t in pairs
    ]  # fmt: skip


def _warning(beyond: float, what: str) -> tuple[str, str]:
    """How far a budget, or the size or data it buys, lies from the runs, in a sentence and in a few words."""
    if math.isnan(beyond):
        return "How far this lies beyond the source's data is not known.", "Extent of the data not known"
    if beyond > 1:
        times = beyond_by(beyond)
        return (
            f"{what} lies {times} beyond the largest run: the law has not been seen to hold there.",
            f"{times} beyond the largest run",
        )
    if beyond < 1:
        times = beyond_by(beyond)
        return f"{what} lies {times} below the smallest run.", f"{times} below the smallest run"
    return "Inside the range of the runs.", "Inside the range of the runs"


def _readout(panel: _Panel) -> alt.LayerChart:
    """Numbers with their intervals, large, and under them how far the budget lies from the runs."""
    palette, rows, base = panel.palette, panel.rows, panel.at_budget
    budget = f"{NARROW} ? datum.budget_short : datum.budget_text" if "training_flops" in rows else "datum.budget_text"
    layers = [write(base, budget, 0, 0, 15, 13, palette.muted), *numbers(base, rows, _COLUMNS, 22, palette)]
    bottom = 22 + ROW_HEIGHT + 2
    paint = alt.expr(f"datum.state == '{_CALM}' ? '{palette.muted}' : '{palette.warning}'")
    said = f"{NARROW} ? datum.warning_short : datum.warning"
    warning = write(base, said, 0, bottom, 14, 14, palette.muted, "bold").encode(color=alt.ColorValue(paint))
    return alt.layer(*layers, warning, _choose(panel), height=bottom + 22, view=alt.ViewConfig(stroke=None))


def _further_readout(panel: _Panel) -> alt.LayerChart:
    """Cost, time and passes below the curve, so that it stands on the first screen."""
    further = _further(panel.rows)
    layers = numbers(panel.at_budget, panel.rows, further, 0, panel.palette, wide=22, narrow=14)
    height = 72 if any(f"{told.name}_interval" in panel.rows for told in further) else 52
    return alt.layer(*layers, height=height, view=alt.ViewConfig(stroke=None))


def _choose(panel: _Panel) -> alt.Chart:
    """Words to click once the slider stands elsewhere than the plan does."""
    mark = panel.at_budget.mark_text(
        align="right", baseline="top", color=panel.palette.accent, fontWeight="bold", cursor="pointer",
        fontSize=alt.expr(f"{NARROW} ? 11 : 15"),
    )  # fmt: skip
    placed = mark.encode(x=alt.XValue("width"), y=alt.YValue(0), text=alt.TextValue(alt.expr(_CHOOSE)))
    return placed.add_params(alt.selection_point(name=CHOSEN, fields=["flops"], on="click", clear=False))


def _loss_panel(panel: _Panel) -> alt.LayerChart:
    log = is_log(panel.metric)
    domain = domain_with_band(panel.rows, "loss", log=log, pad=0.06)
    ink, accent = panel.palette.ink, panel.palette.accent
    curve = _curve(panel, "loss", domain, axis_title(panel.metric), ink, accent, log=log)
    y = y_channel("loss", log=log, domain=domain, title=axis_title(panel.metric))
    clicked = alt.selection_point(name=CLICKED, fields=["flops"], on="click", clear=False)
    spots = panel.base.mark_point(size=500, opacity=0, filled=True, cursor="pointer").encode(x=panel.x, y=y)
    return alt.layer(_beyond_ground(panel), *curve, spots.add_params(clicked), height=_LOSS_HEIGHT)


def _size_panel(panel: _Panel) -> alt.LayerChart:
    """N and D on one axis of counts."""
    ends = [domain_with_band(panel.rows, name, log=True, pad=0.0) for name in ("params", "tokens")]
    domain = domain_of(np.array(ends).ravel(), log=True, pad=0.07)
    layers = [_beyond_ground(panel)]
    for name, color, label, side in (
        ("tokens", panel.palette.categories[1], "tokens D", "above"),
        ("params", panel.palette.categories[0], "parameters N", "below"),
    ):
        layers += _curve(panel, name, domain, "N and D", color, color)
        layers.append(
            _line_label(panel, name, label, y_channel(name, log=True, domain=domain, title="N and D"), color, side)
        )
    return alt.layer(*layers, height=_SIZE_HEIGHT)


def _curve(
    panel: _Panel, name: str, domain: tuple[float, float], title: str | None, color: str, point: str, log: bool = True
) -> list[alt.Chart]:
    """A quantity along the frontier: band, dashed line, solid inside the runs, and the marker at the budget."""
    x, y = panel.x, y_channel(name, log=log, domain=domain, title=title)
    placed = panel.base.encode(x=x, y=y)
    layers = [
        placed.mark_line(color=color, strokeWidth=2, strokeDash=[7, 5]),
        placed.transform_filter(f"datum.state == '{_CALM}'").mark_line(color=color, strokeWidth=2.8),
        panel.at_budget.mark_rule(color=panel.palette.accent, strokeWidth=1.5).encode(x=x),
        panel.at_budget.mark_point(color=point, filled=True, size=110, opacity=1).encode(x=x, y=y),
    ]
    if panel.rows[f"{name}_low"].notna().any():
        low = alt.Y(f"{name}_low:Q", scale=position_scale(domain, log=log))
        band = panel.base.mark_area(color=color, opacity=0.15, clip=True)
        layers.insert(0, band.encode(x=x, y=low, y2=f"{name}_high:Q"))
    return layers


def _beyond_ground(panel: _Panel) -> alt.Chart:
    """Shade the budgets beyond the largest run; nothing where there are none."""
    past = panel.rows.loc[panel.rows["farthest"] > 1, "flops"]
    ends = [(past.min(), past.max())] if len(past) else []
    mark = panel.frames.chart("ground", pd.DataFrame(ends, columns=["start", "end"], dtype=float))
    start = alt.X("start:Q", scale=position_scale(panel.x_domain, log=True))
    return mark.mark_rect(color=panel.palette.ground, opacity=0.10).encode(x=start, x2="end:Q")


def _line_label(panel: _Panel, name: str, label: str, y: alt.Y, color: str, side: str) -> alt.Chart:
    """The name of a rising line half way along: above it to the left, or below it to the right."""
    known = panel.rows[panel.rows[name].notna()]
    at = known.iloc[[len(known) // 2]][["flops", name]].assign(label=label)
    above = side == "above"
    mark = panel.frames.chart(f"label_{name}", at).mark_text(
        align="right" if above else "left", dx=-2 if above else 6, dy=-12 if above else 14, color=color,
        fontWeight="bold", fontSize=12,
    )  # fmt: skip
    return mark.encode(x=panel.x, y=y, text="label:N")
