"""The loss of a plan, or another metric that the law is of: its values, its axis and its name on every chart."""

from __future__ import annotations

import pandas as pd

from scaling_core.charts.axes import column_title
from scaling_core.runs.metrics import LOSS, Metric

_LONGEST_SHORT = 14


def in_metric(rows: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Turn the costs in ``loss``, ``loss_low`` and ``loss_high`` back into the metric; the low end stays the lower."""
    if metric == LOSS:
        return rows
    out = rows.copy()
    for name in ("loss", "loss_low", "loss_high"):
        if name in rows:
            out[name] = metric.shown(rows[name].to_numpy(dtype=float))
    if metric.higher_is_better and {"loss_low", "loss_high"} <= set(out):
        out["loss_low"], out["loss_high"] = out["loss_high"].copy(), out["loss_low"].copy()
    return out


def named(rows: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """Rows for a table and a file: in the metric, and under its own column's name."""
    if metric == LOSS:
        return rows
    names = {f"loss{end}": f"{metric.column}{end}" for end in ("", "_low", "_high")}
    return in_metric(rows, metric).rename(columns=names)


def is_log(metric: Metric) -> bool:
    """Whether the metric falls towards zero, so that its axis is one of logarithms; a share of 1 has a plain axis."""
    return not metric.higher_is_better and metric.best == 0


def axis_title(metric: Metric) -> str:
    """Title of the metric's axis."""
    return column_title("loss") if metric == LOSS else metric.title


def short_title(metric: Metric) -> str:
    """Its name where there is little room."""
    title = metric.title
    return title if len(title) <= _LONGEST_SHORT else f"{title[: _LONGEST_SHORT - 1]}…"
