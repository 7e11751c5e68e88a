"""Which runs a plan hangs on: what it becomes as the highest losses are left out, and without each run in turn."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from scaling_core.charts.axes import domain_of, x_channel, y_channel
from scaling_core.charts.figure import Figure, Frames
from scaling_core.charts.palette import Palette
from scaling_core.units import format_count, format_flops, format_number

_PATH_HEIGHT, _ROW_HEIGHT, _AROUND = 280, 40, 80
_MOST = 10
#: What a path can follow, best first.
_FOLLOWED = ("tokens_per_param", "loss")


def drop_path_chart(
    path: pd.DataFrame,
    palette: Palette,
    *,
    now: int | None = None,
    target_flops: float | None = None,
    loss_title: str = "loss",
) -> Figure:
    """Tokens per parameter (for a law that does not split budgets, the loss) against how many losses are left out.

    Parameters
    ----------
    path : frame of ``fitting.influence.drop_path``
    now : int
        How many the fit on screen leaves out; ringed.
    target_flops : float
        The budget that the path is about, for the axis.
    loss_title : str
        What was fitted, where it is not the loss.
    """
    name = next(n for n in _FOLLOWED if path[n].notna().any() or n == "loss")
    what = "Tokens per parameter" if name == "tokens_per_param" else f"Foretold {loss_title}"
    frames = Frames()
    rows = path[["k", "n", name]].dropna().reset_index(drop=True).assign(
        text=lambda f: [format_number(v, 3) for v in f[name]], rows_text=lambda f: f["n"].astype(str)
    )  # fmt: skip
    x = x_channel("k", log=False, domain=(-0.7, float(rows["k"].max()) + 0.7), title="Highest losses left out")
    at_budget = f" at {format_flops(target_flops)} FLOPs" if target_flops else ""
    domain = domain_of(rows[name], log=True, pad=0.14)
    y = y_channel(name, log=True, domain=domain).title(_title(what, at_budget))
    base = frames.chart("path", rows).encode(x=x, y=y)
    tooltip = [alt.Tooltip("k:Q", title="left out"), alt.Tooltip("rows_text:N", title="runs fitted"),
               alt.Tooltip("text:N", title=what.lower())]  # fmt: skip
    color = palette.accent
    layers = [
        base.mark_line(color=color, strokeWidth=2),
        base.mark_point(color=color, filled=True, size=60, opacity=1).encode(tooltip=tooltip),
        *_written(frames, rows, name, x, y, palette, now),
    ]
    chosen = frames.chart("now", rows[rows["k"] == now])
    ring = chosen.mark_point(color=palette.ink, size=190, strokeWidth=2.2, filled=False)
    return Figure(alt.layer(*layers, ring.encode(x=x, y=y), height=_PATH_HEIGHT), frames)


def _title(text: str, rest: str) -> list[str]:
    """An axis title on two lines, since one line is longer than the axis."""
    return [text, rest.strip()] if rest else [text]


def _written(
    frames: Frames, rows: pd.DataFrame, name: str, x: alt.X, y: alt.Y, palette: Palette, now: int | None
) -> list[alt.Chart]:
    """Numbers at the first and the last point and at the present one, on the side that the path does not pass."""
    rises = bool(len(rows) < 2 or rows[name].iloc[1] >= rows[name].iloc[0])
    first = rows.index == rows.index[0] if len(rows) else np.zeros(0, dtype=bool)
    told = (rows.index == rows.index[-1]) | (rows["k"] == now) if len(rows) else first
    layers = []
    for part, shown, shift in (("first", first, 18 if rises else -16), ("later", told & ~first, -18)):
        base = frames.chart(f"written_{part}", rows[shown])
        text = base.mark_text(dy=shift, fontSize=13, fontWeight="bold", color=palette.ink)
        layers.append(text.encode(x=x, y=y, text="text:N"))
    return layers


def influence_chart(runs: pd.DataFrame, quantity: str, palette: Palette, most: int = _MOST) -> Figure:
    """How far ``quantity`` would move without each of the runs that move it most.

    Parameters
    ----------
    runs : frame of ``fitting.influence.influence``
        The most influential first.
    quantity : str
        What a person reads for what moves, as "Tokens per parameter".
    """
    drawn = runs.head(most).reset_index(drop=True)
    drawn = pd.DataFrame({
        "run": _told_apart(drawn), "percent": 100 * drawn["change"], "zero": 0.0,
        "at_line": drawn.index - 0.5, "at_name": drawn.index - 0.18, "at_dot": drawn.index + 0.22,
        "text": [f"{'−' if c < 0 else '+'}{format_number(abs(100 * c), 2)}%" for c in drawn["change"]],
        "loss": [format_number(v, 4) for v in drawn["loss"]],
        "after": [format_number(v, 3) for v in drawn["after"]],
    })  # fmt: skip
    domain = domain_of(np.append(drawn["percent"], 0.0), log=False, pad=0.15)
    frames = Frames()
    base = frames.chart("runs", drawn)
    x = x_channel("percent", log=False, domain=domain, title=f"{quantity} without the run, change in %")
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("loss:N"),
        alt.Tooltip("after:N", title=f"{quantity.lower()} without it"),
    ]
    layers = [
        base.mark_rule(color=palette.ground, opacity=0.25).encode(y=_row("at_line", len(drawn))),
        base.mark_rule(color=palette.accent, strokeWidth=3).encode(x=x, x2="zero:Q", y=_row("at_dot", len(drawn))),
        base.mark_point(color=palette.accent, filled=True, size=80, opacity=1).encode(
            x=x, y=_row("at_dot", len(drawn)), tooltip=tooltip
        ),
        base.mark_text(align="left", fontSize=13, color=palette.ink).encode(
            x=alt.XValue(0), y=_row("at_name", len(drawn)), text="run:N"
        ),
        base.mark_text(align="right", fontSize=12, color=palette.muted).encode(
            x=alt.XValue("width"), y=_row("at_name", len(drawn)), text="text:N"
        ),
    ]
    return Figure(alt.layer(*layers, height=_ROW_HEIGHT * max(len(drawn), 2) + _AROUND), frames)


def _told_apart(runs: pd.DataFrame) -> pd.Series:
    """Names of runs; where some are alike, each with its size and tokens, and if need be its line."""
    names = runs["run"].astype(str)
    if not names.duplicated().any():
        return names
    sizes = [
        f"{format_count(n)}, {format_count(d)} tokens" for n, d in zip(runs["params"], runs["tokens"], strict=True)
    ]
    names = names + " (" + pd.Series(sizes, index=runs.index) + ")"
    again = names.duplicated(keep=False)
    return names.where(~again, names.str.removesuffix(")") + ", line " + runs["line"].astype(str) + ")")


def _row(name: str, count: int) -> alt.Y:
    scale = alt.Scale(domain=[max(count, 2) - 0.5, -0.5], nice=False, zero=False)
    return alt.Y(f"{name}:Q", scale=scale, axis=None)
