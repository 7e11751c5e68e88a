"""What passing over the same data again is worth, and where it no longer pays (Muennighoff et al. 2023)."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import View
from scaling_core.charts.canvas import Canvas
from scaling_core.charts.figure import Figure
from scaling_core.charts.labels import haloed
from scaling_core.charts.palette import Palette
from scaling_core.planning.figures import passes as written
from scaling_core.planning.figures import size
from scaling_core.planning.repeats import NO_RETURN, REPEATED_TOKENS, effective, no_return
from scaling_core.units import format_number

_HEIGHT = 400
_Y_TITLE = "Worth in new tokens / unique tokens"
_STEPS = 160
#: Passes that are always shown.
_SHOWN = (0.5, 100.0)
#: A plan that takes less of the data than this is named at the edge.
_LEAST = 0.05
#: From so many times R_D* on the curve is nearly flat.
_FLAT = 0.8


def epochs_chart(
    unique: float,
    seen: float,
    palette: Palette,
    decay: float = REPEATED_TOKENS,
    between: tuple[float, float] | None = None,
) -> Figure:
    """Effective tokens against tokens seen, both in passes over the unique ones.

    Parameters
    ----------
    unique, seen : float
        Distinct tokens, and those that the plan trains on.
    decay : float
        How fast repeated tokens lose their value, R_D*.
    between : pair of float, optional
        Interval of R_D*, drawn as a band around the curve.
    """
    plan = seen / unique
    limit = no_return(decay)
    low, high = max(min(_SHOWN[0], plan / 2), _LEAST / 2), max(_SHOWN[1], 2 * plan, 2 * limit)
    passes = np.geomspace(low, high, _STEPS)
    curve = pd.DataFrame({"passes": passes, "worth": effective(passes, 1.0, decay)})
    low_decay, high_decay = between or (decay, decay)
    curve["worth_low"], curve["worth_high"] = effective(passes, 1.0, low_decay), effective(passes, 1.0, high_decay)
    top = float(curve["worth_high"].max())
    canvas = Canvas(View("passes", "worth"), (low, high), (low, top * (top / low) ** 0.14), palette)
    layers = [
        *_ground(canvas, limit, plan),
        _if_new(canvas),
        *([_band(canvas, curve)] if between else []),
        *_curve(canvas, curve),
        *_plan(canvas, plan, unique, decay),
    ]
    return Figure(alt.layer(*layers, height=_HEIGHT), canvas.frames)


def _x(canvas: Canvas) -> alt.X:
    return canvas.x("passes").title("Tokens seen / unique tokens (passes)")


def _y(canvas: Canvas) -> alt.Y:
    return canvas.y("worth", _Y_TITLE)


def _ground(canvas: Canvas, limit: float, plan: float) -> list[alt.Chart]:
    """Shade what lies past the point of no return, and name its edge."""
    rows = pd.DataFrame({
        "passes": [limit], "end": [canvas.x_domain[1]],
        "text": [f"beyond {limit:.0f} passes"], "second": [f"a token is worth under {NO_RETURN:.0%}"],
    })  # fmt: skip
    base = canvas.frames.chart("no_return", rows)
    color, warning = canvas.palette.ground, canvas.palette.warning
    style = {"align": "right", "dx": -6, "baseline": "bottom", "fontSize": 12}
    from_top = 1.0 if plan > 1 else 0.6  # a plan of less is named at the bottom
    up = [alt.YValue(alt.expr(f"height * {from_top} - {pixels}")) for pixels in (22, 6)]
    return [
        base.mark_rect(color=color, opacity=0.10).encode(x=_x(canvas), x2="end:Q"),
        base.mark_rule(color=warning, strokeDash=[5, 4], strokeWidth=1.5).encode(x=_x(canvas)),
        *(
            mark.encode(x=_x(canvas), y=y, text=f"{name}:N")
            for name, y in zip(("text", "second"), up, strict=True)
            for mark in haloed(base, canvas.palette, warning, **style)
        ),
    ]


def _if_new(canvas: Canvas) -> alt.Chart:
    low, high = canvas.y_domain
    ends = pd.DataFrame({"passes": [low, high], "worth": [low, high]})
    mark = canvas.frames.chart("new", ends).mark_line(color=canvas.palette.muted, strokeDash=[4, 4], clip=True)
    return mark.encode(x=_x(canvas), y=_y(canvas))


def _band(canvas: Canvas, curve: pd.DataFrame) -> alt.Chart:
    """What the draws of R_D* make of the curve."""
    mark = canvas.frames.chart("band", curve).mark_area(color=canvas.palette.categories[0], opacity=0.18)
    return mark.encode(x=_x(canvas), y=canvas.y("worth_low", _Y_TITLE), y2="worth_high:Q")


def _curve(canvas: Canvas, curve: pd.DataFrame) -> list[alt.Chart]:
    """The curve, and the name of the line that it leaves."""
    drawn = curve.assign(
        passes_text=[format_number(v, 3) for v in curve["passes"]],
        worth_text=[format_number(v, 3) for v in curve["worth"]],
    )
    base = canvas.frames.chart("curve", drawn)
    tooltip = [alt.Tooltip("passes_text:N", title="passes"), alt.Tooltip("worth_text:N", title="worth")]
    top = canvas.y_domain[1]
    name = canvas.frames.chart(
        "new_name", pd.DataFrame({"passes": [0.8 * top], "worth": [0.8 * top], "text": ["if all were new"]})
    )
    name = name.mark_text(align="right", dx=-16, fontSize=12, color=canvas.palette.muted)
    return [
        base.mark_line(color=canvas.palette.categories[0], strokeWidth=2.8).encode(
            x=_x(canvas), y=_y(canvas), tooltip=tooltip
        ),
        name.encode(x=_x(canvas), y=_y(canvas), text="text:N"),
    ]


def _plan(canvas: Canvas, plan: float, unique: float, decay: float) -> list[alt.Chart]:
    """The plan as a point with its words; one that lies off the left edge has its words there, and no point."""
    worth = float(effective(plan, 1.0, decay))
    passes = f"{written(plan).removesuffix('.0')} pass{'' if plan == 1 else 'es'}"
    low = canvas.x_domain[0]
    shown = plan >= _LEAST
    rows = pd.DataFrame({
        "passes": [max(plan, low)], "worth": [max(worth, low)], "shown": [shown],
        "text": [f"the plan: {passes}"], "second": [f"worth {size(worth * unique)} new tokens"],
    })  # fmt: skip
    base = canvas.frames.chart("plan", rows)
    side, across, down = ("left", 12, 6) if shown else ("left", 110, -22)  # below the line, which rises there
    if plan > _FLAT * decay:
        side, across, down = "right", -12, 26  # below the curve, which is nearly flat there
    accent, style = canvas.palette.accent, {"align": side, "dx": across, "fontSize": 13}
    first = haloed(base, canvas.palette, accent, **style, dy=down, fontWeight="bold")
    second = haloed(base, canvas.palette, accent, **style, dy=down + 17)
    point = base.transform_filter("datum.shown").mark_point(color=accent, filled=True, size=130, opacity=1)
    return [
        point.encode(x=_x(canvas), y=_y(canvas)),
        *(mark.encode(x=_x(canvas), y=_y(canvas), text="text:N") for mark in first),
        *(mark.encode(x=_x(canvas), y=_y(canvas), text="second:N") for mark in second),
    ]
