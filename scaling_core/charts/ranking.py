"""Laws by how well they foretold runs they were not shown, best first; beside it how well they fit those they were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.fitting.compare import Comparison
from scaling_core.units import format_flops, format_number

_ROW_HEIGHT = 42
_MOST = 12
_NARROW = "width < 560"
_TITLE = ["Error, %", "filled: on runs held out; ring: on runs fitted"]
_GRADES = ["good", "doubtful", "failed"]
_SHAPES = ["circle", "triangle-up", "cross"]
#: Pixels that the legend and the horizontal axis take.
_AROUND = 130
#: Where in its row, which reaches from -.5 to .5, a law has its line, its name and its dots.
_LINE, _NAME, _DOT = -0.5, -0.2, 0.22


def ranking_rows(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Laws that could be fitted as rows for ``ranking_chart``, in their order; errors as fractions."""
    return pd.DataFrame(
        [
            {
                "law": c.law.name,
                "title": c.law.title,
                "held_out_error": c.held_out_error,
                "held_out_error_se": c.held_out.error_se if c.held_out else math.nan,
                "in_sample_error": c.in_sample_error,
                "grade": c.certificate.grade if c.certificate else "failed",
                "tokens_per_param": c.target.tokens_per_param,
                "target_flops": c.target_flops,
                "reason": c.reason,
            }
            for c in comparisons
            if c.fitted
        ],
        columns=["law", "title", "held_out_error", "held_out_error_se", "in_sample_error", "grade",
                 "tokens_per_param", "target_flops", "reason"],
    )  # fmt: skip


def ranking_chart(rows: pd.DataFrame, palette: Palette, most: int = _MOST) -> Figure:
    """Held-out error of each law as a dot, coloured and shaped by its certificate; its in-sample error as a ring.

    Parameters
    ----------
    rows : frame of ``ranking_rows``
        Best first. The first ``most`` are drawn.
    """
    drawn = _with_texts(rows.head(most))
    frames = Frames()
    ends = drawn[["held_out_error", "in_sample_error", "low", "high"]].to_numpy(dtype=float).ravel()
    base = frames.chart("laws", drawn)
    axes = _Axes(domain_of(ends, log=True, pad=0.06), len(drawn))
    layers = [
        _separators(base, axes, palette),
        *_fitted(base, axes, palette),
        *_held_out(base, axes, drawn["grade"].nunique() > 1, palette),
        *_names(base, axes, palette),
    ]
    return Figure(alt.layer(*layers, height=_ROW_HEIGHT * max(len(drawn), 2) + _AROUND), frames)


def _with_texts(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors in percent, the spread of the held-out error, and what is written at each law."""
    out = rows.reset_index(drop=True)
    out = out.assign(name=[f"{i + 1}  {title}" for i, title in enumerate(out["title"])])
    out = out.assign(at_line=out.index + _LINE, at_name=out.index + _NAME, at_dot=out.index + _DOT)
    for column in ("held_out_error", "held_out_error_se", "in_sample_error"):
        out[column] = 100 * out[column].astype(float)
    se = out["held_out_error_se"].fillna(0.0)
    out["low"] = np.maximum(out["held_out_error"] - se, out["held_out_error"] / 3)
    out["high"] = out["held_out_error"] + se
    known = out["tokens_per_param"].notna()
    ratio = [format_number(v, 2) for v in out["tokens_per_param"]]
    out["ratio"] = [f"{r} tokens per parameter" if k else "" for r, k in zip(ratio, known, strict=True)]
    out["ratio_short"] = [f"D/N {r}" if k else "" for r, k in zip(ratio, known, strict=True)]
    for column in ("held_out_error", "in_sample_error"):
        out[f"{column}_text"] = ["not judged" if math.isnan(v) else f"{format_number(v, 3)}%" for v in out[column]]
    out["target_text"] = [format_flops(c) for c in out["target_flops"]]
    return out


@dataclass(frozen=True)
class _Axes:
    """Errors from left to right, laws from top to bottom."""

    x_domain: tuple[float, float]
    laws: int

    def x(self, name: str) -> alt.X:
        return x_channel(name, log=True, domain=self.x_domain).title(_TITLE)

    def y(self, name: str) -> alt.Y:
        scale = alt.Scale(domain=[max(self.laws, 2) - 0.5, -0.5], nice=False, zero=False)
        return alt.Y(f"{name}:Q", scale=scale, axis=None)


def _separators(base: alt.Chart, axes: _Axes, palette: Palette) -> alt.Chart:
    return base.mark_rule(color=palette.ground, opacity=0.25).encode(y=axes.y("at_line"))


def _fitted(base: alt.Chart, axes: _Axes, palette: Palette) -> list[alt.Chart]:
    """A ring, and a line from it to the dot: how much worse the law did where it had to reach."""
    link = base.mark_rule(color=palette.muted, strokeWidth=1.4, opacity=0.5)
    ring = base.mark_point(color=palette.muted, size=50, strokeWidth=1.4, opacity=0.8)
    x, y = axes.x("in_sample_error"), axes.y("at_dot")
    return [link.encode(x=x, x2="held_out_error:Q", y=y), ring.encode(x=x, y=y, tooltip=_tooltips())]


def _held_out(base: alt.Chart, axes: _Axes, several_grades: bool, palette: Palette) -> list[alt.Chart]:
    """A dot, and a bar of one standard error to either side."""
    colours = [palette.categories[2], palette.warning, palette.ground]
    legend = (
        {"title": None, "orient": "top", "labelExpr": "'fit: ' + datum.label", "symbolOpacity": 1}
        if several_grades
        else None
    )
    paint = alt.Color("grade:N", scale=alt.Scale(domain=_GRADES, range=colours), legend=legend)
    shape = alt.Shape("grade:N", scale=alt.Scale(domain=_GRADES, range=_SHAPES), legend=legend)
    spread = base.mark_rule(strokeWidth=4, opacity=0.35).encode(x=axes.x("low"), x2="high:Q")
    dot = base.mark_point(filled=True, size=120, opacity=1).encode(x=axes.x("held_out_error"), shape=shape)
    y = axes.y("at_dot")
    return [spread.encode(y=y, color=paint), dot.encode(y=y, color=paint, tooltip=_tooltips())]


def _names(base: alt.Chart, axes: _Axes, palette: Palette) -> list[alt.Chart]:
    """The name of the law at the left, and how it would split a budget at the right, both above its dots."""
    y = axes.y("at_name")
    name = base.mark_text(align="left", fontSize=13, color=palette.ink, fontWeight="bold")
    ratio = base.mark_text(align="right", fontSize=12, color=palette.muted)
    said = alt.TextValue(alt.expr(f"{_NARROW} ? datum.ratio_short : datum.ratio"))
    return [
        name.encode(x=alt.XValue(0), y=y, text="name:N"),
        ratio.encode(x=alt.XValue("width"), y=y, text=said),
    ]


def _tooltips() -> list[alt.Tooltip]:
    texts = (
        ("title", "law"),
        ("held_out_error_text", "error, held out"),
        ("in_sample_error_text", "error, fitted"),
        ("ratio", "it says"),
        ("target_text", "with FLOPs"),
        ("grade", "fit"),
        ("reason", "note"),
    )
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in texts]
