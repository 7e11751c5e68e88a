"""What a law would have foretold: the browser moves the cut by itself, and all that hangs on it follows the hand."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import Groups, View, domain_of, x_channel, y_channel
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.outside import robust_domain
from scaling_core.charts.palette import Palette
from scaling_core.charts.runs import FITTED_TEST, point_frame, point_marks, with_outside
from scaling_core.fitting import FITTED
from scaling_core.units import format_flops, format_number, format_ratio

#: Name of the Vega parameter that the slider moves: the number of a row of the chain.
CUT = "cut"
_POINTS_HEIGHT, _ERROR_HEIGHT, _SPLIT_HEIGHT = 300, 130, 130
_NARROW, _SMALL = "width < 800", "width < 480"
_AT_CUT = f"datum.step == {CUT}"
_C_LOSS = View("flops", "loss")
#: Share of the runs that the first cut shown holds out, about.
_FIRST_SHOWN = 0.4


def backtest_chart(
    chain: pd.DataFrame, points: pd.DataFrame, curves: pd.DataFrame, palette: Palette, *, y_title: str = ""
) -> Figure:
    """The runs with the law fitted below a cut, how far it was off above each cut, and how it would split a budget.

    Parameters
    ----------
    chain : frame of ``fitting.backtest.forward_chain``
        The slider counts its rows.
    points : frame with canonical columns and ``role``
        Filled below the cut, hollow from it on.
    curves : frame of ``fitting.curves.chain_curves``
        Solid below its cut, dashed from it on; may be empty.
    y_title : str
        What was fitted, where it is not the loss.
    """
    every = "runs" if (points["role"] == FITTED).all() else "chosen runs"
    rows = _with_texts(chain, every)
    last = len(rows) - 1
    slider = alt.binding_range(min=0, max=last, step=1, name="Cut")
    cut = alt.param(name=CUT, value=_first_shown(rows), bind=slider)
    panel = _Panel.of(rows, points, curves, palette)
    parts = [_readout(panel), _runs_panel(panel, points, curves, y_title), _error_panel(panel)]
    if rows["tokens_per_param"].notna().any():
        parts.append(_split_panel(panel, every))
    resolve = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return Figure(alt.vconcat(*parts, spacing=12, params=[cut.param], resolve=resolve), panel.frames)


@dataclass(frozen=True)
class _Panel:
    """What the parts of the chart share: a row a cut, the row the slider stands on, and the axis of compute."""

    rows: pd.DataFrame
    palette: Palette
    frames: Frames
    base: alt.Chart
    at_cut: alt.Chart
    x_domain: tuple[float, float]

    @classmethod
    def of(cls, rows: pd.DataFrame, points: pd.DataFrame, curves: pd.DataFrame, palette: Palette) -> _Panel:
        frames = Frames()
        base = frames.chart("chain", rows)
        reach = domain_of(pd.concat([points["flops"], curves["flops"].astype(float)]), log=True, pad=0.02)
        return cls(rows, palette, frames, base, base.transform_filter(_AT_CUT), reach)

    @property
    def x(self) -> alt.X:
        """Compute of a cut; only the panel of the runs, above, bears its title."""
        return x_channel("flops", log=True, domain=self.x_domain).title(None)


def _first_shown(rows: pd.DataFrame) -> int:
    share = rows["n_test"] / (rows["n_test"] + rows["n_train"])
    return int((share - _FIRST_SHOWN).abs().to_numpy().argmin())


def _with_texts(chain: pd.DataFrame, every: str) -> pd.DataFrame:
    """Every sentence the read-out can say, written once; errors in percent; what no run tests is left empty.

    ``every`` is what all runs that could be fitted are called.
    """
    rows = chain.reset_index(drop=True)
    rows = rows.assign(step=rows.index, flops=rows["cut"].where(np.isfinite(rows["cut"])))
    rows = rows.assign(error=100 * rows["error"], bias=100 * rows["bias"])
    final = float(rows["tokens_per_param"].iloc[-1])
    records = rows.to_dict("records")
    for name, said in (
        ("fitted", [_fitted_text(row, every) for row in records]),
        ("found", [_found_text(row) for row in records]),
        ("split", [_split_text(row, final, every) for row in records]),
    ):
        rows[name], rows[f"{name}_short"] = zip(*said, strict=True)
    kept = ["step", "flops", "error", "bias", "tokens_per_param", "grade", "n_train", "n_test"]
    texts = [f"{name}{end}" for name in ("fitted", "found", "split") for end in ("", "_short")]
    return rows[[*kept, *texts]]


def _fitted_text(row: dict[Hashable, Any], every: str) -> tuple[str, str]:
    if math.isnan(row["flops"]):
        return f"Fitted on all {row['n_train']} {every}", f"Fitted on all {row['n_train']} {every}"
    text = f"Fitted on {row['n_train']} runs below {format_flops(row['flops'], 2)} FLOPs"
    return text, text


def _found_text(row: dict[Hashable, Any]) -> tuple[str, str]:
    if math.isnan(row["error"]):
        return "None is held out, so nothing tests this fit.", "None is held out."
    within = f"within {format_number(row['error'], 2)}% on average"
    way = "worse" if row["bias"] > 0 else "better"
    one = row["n_test"] == 1
    others, are, they = ("other one", "is", "it") if one else (f"other {row['n_test']}", "are", "they")
    bias = f"{they} came out {format_number(abs(row['bias']), 2)}% {way} than foretold"
    reach = f", up to {format_ratio(row['beyond'])} beyond," if row["beyond"] > 1 else ""
    doubt = "" if row["grade"] == "good" else f" This fit is {row['grade']}."
    return f"The {others}{reach} {are} predicted {within}; {bias}.{doubt}", f"the {others}: {within}"


def _split_text(row: dict[Hashable, Any], final: float, every: str) -> tuple[str, str]:
    if math.isnan(row["tokens_per_param"]):
        return "", ""
    ratio = f"{format_number(row['tokens_per_param'], 2)} tokens per parameter"
    if math.isnan(row["flops"]):
        return f"With {format_flops(row['target_flops'])} FLOPs it chooses {ratio}.", f"it chooses {ratio}"
    all_runs = f"; all {every} say {format_number(final, 2)}" if math.isfinite(final) else ""
    return (
        f"With {format_flops(row['target_flops'])} FLOPs it would have chosen {ratio}{all_runs}.",
        f"it would choose {ratio}{f' (all: {format_number(final, 2)})' if all_runs else ''}",
    )


def _readout(panel: _Panel) -> alt.LayerChart:
    """Three sentences about the cut that the slider stands at; shorter where the screen is narrow."""
    palette = panel.palette
    layers = [
        _text(panel, "fitted", 0, 16, 13, palette.accent, "bold"),
        _text(panel, "found", 24, 14, 12, palette.ink),
        _text(panel, "split", 45, 14, 12, palette.ink),
    ]
    return alt.layer(*layers, height=62, view=alt.ViewConfig(stroke=None))


def _text(panel: _Panel, name: str, y: float, wide: int, narrow: int, color: str, weight: str = "normal") -> alt.Chart:
    size = alt.expr(f"{_SMALL} ? {narrow} : {wide}")
    mark = panel.at_cut.mark_text(align="left", baseline="top", fontSize=size, color=color, fontWeight=weight)
    said = alt.TextValue(alt.expr(f"{_NARROW} ? datum.{name}_short : datum.{name}"))
    return mark.encode(x=alt.XValue(0), y=alt.YValue(y), text=said)


def _runs_panel(panel: _Panel, points: pd.DataFrame, curves: pd.DataFrame, y_title: str) -> alt.LayerChart:
    drawn, groups = point_frame(points, _C_LOSS, "params", panel.palette)
    y_domain = robust_domain(drawn["loss"], log=True, pad=0.06)
    canvas = Canvas(replace(_C_LOSS, y_title=y_title), panel.x_domain, y_domain, panel.palette, panel.frames)
    behind = [mark.encode(x=canvas.x()) for mark in (_ground(panel), _rule(panel))]
    layers = [*behind, *_curves(canvas, panel, curves), _points(canvas, panel, drawn, groups)]
    return with_outside(alt.layer(*layers, height=_POINTS_HEIGHT), canvas, drawn)


def _points(canvas: Canvas, panel: _Panel, drawn: pd.DataFrame, groups: Groups) -> alt.Chart:
    """Points with the step from which on they are fitted; the browser compares it to the slider's."""
    cuts = panel.rows["flops"].fillna(math.inf).to_numpy()
    rows = drawn.assign(__first=np.searchsorted(cuts, drawn["flops"].to_numpy(), side="right"))
    filled = f"{FITTED_TEST} && datum.__first <= {CUT}"
    return point_marks(canvas, rows, groups, None, 60 if len(rows) <= 80 else 34, filled=filled)


def _curves(canvas: Canvas, panel: _Panel, curves: pd.DataFrame) -> list[alt.Chart]:
    steps = {cut: step for step, cut in enumerate(panel.rows["flops"].fillna(math.inf))}
    rows = curves.assign(step=curves["cut"].map(steps))[["step", "flops", "loss", "inside"]].dropna()
    base = canvas.frames.chart("curves", rows).transform_filter(_AT_CUT).encode(x=canvas.x(), y=canvas.y())
    ink = canvas.palette.ink
    dashed = base.mark_line(color=ink, strokeWidth=2.2, strokeDash=[7, 5], clip=True)
    solid = base.transform_filter("datum.inside").mark_line(color=ink, strokeWidth=2.8, clip=True)
    return [dashed, solid]


def _rule(panel: _Panel) -> alt.Chart:
    """The cut; none where all runs are fitted."""
    at = panel.at_cut.transform_filter("isValid(datum.flops)")
    return at.mark_rule(color=panel.palette.accent, strokeWidth=1.5).encode(x=panel.x)


def _ground(panel: _Panel) -> alt.Chart:
    """Shade what the law had not been shown."""
    at = panel.at_cut.transform_filter("isValid(datum.flops)")
    ground = at.mark_rect(color=panel.palette.ground, opacity=0.10)
    return ground.encode(x=panel.x, x2=alt.X2Value("width"))


def _error_panel(panel: _Panel) -> alt.LayerChart:
    """Mean error and signed bias of the runs held out, against the cut."""
    values = panel.rows[["error", "bias"]].to_numpy(dtype=float).ravel()
    domain = domain_of(np.append(values, 0.0), log=False, pad=0.12)
    title = "Error, %"
    zero = panel.frames.chart("zero", pd.DataFrame({"error": [0.0]}))
    zero = zero.mark_rule(color=panel.palette.ground, strokeWidth=1)
    layers: list[alt.Chart] = [zero.encode(y=y_channel("error", log=False, domain=domain, title=title)), _rule(panel)]
    apart = (panel.rows["error"] - panel.rows["bias"]).dropna()
    at = panel.rows.loc[[apart.idxmax()]]  # where the two lines lie farthest apart their names do not meet
    for name, color, shift in (("bias", panel.palette.categories[1], 14), ("error", panel.palette.ink, -14)):
        y = y_channel(name, log=False, domain=domain, title=title)
        layers += _against_cut(panel, name, color, y)
        label = panel.frames.chart(f"label_{name}", at[["flops", name]].assign(label=name))
        label = label.mark_text(align="left", dx=6, dy=shift, color=color, fontWeight="bold", fontSize=12)
        layers.append(label.encode(x=panel.x, y=y, text="label:N"))
    return alt.layer(*layers, height=_ERROR_HEIGHT)


def _split_panel(panel: _Panel, every: str) -> alt.LayerChart:
    """Tokens per parameter that each fit would have chosen; those of all of them as a line to compare with."""
    name = "tokens_per_param"
    domain = domain_of(panel.rows[name], log=True, pad=0.15)
    y = y_channel(name, log=True, domain=domain, title="Tokens / parameter")
    final = panel.rows.loc[panel.rows["flops"].isna(), [name]].dropna()
    level = panel.frames.chart("final", final.assign(text=f"fitted on all {every}"))
    rule = level.mark_rule(color=panel.palette.muted, strokeDash=[4, 4]).encode(y=y)
    text = level.mark_text(align="right", dx=-4, dy=-8, fontSize=11, color=panel.palette.muted)
    text = text.encode(x=alt.XValue("width"), y=y, text="text:N")
    lines = _against_cut(panel, name, panel.palette.categories[0], y)
    return alt.layer(rule, text, _rule(panel), *lines, height=_SPLIT_HEIGHT)


def _against_cut(panel: _Panel, name: str, color: str, y: alt.Y) -> list[alt.Chart]:
    """A quantity against the cut: a line through its points, and a ring where the slider stands."""
    valid = f"isValid(datum.flops) && isValid(datum.{name})"
    line = panel.base.transform_filter(valid).encode(x=panel.x, y=y)
    ring = panel.at_cut.transform_filter(valid).mark_point(color=panel.palette.accent, size=130, strokeWidth=2.4)
    return [
        line.mark_line(color=color, strokeWidth=2),
        line.mark_point(color=color, filled=True, size=34, opacity=1),
        ring.encode(x=panel.x, y=y),
    ]
