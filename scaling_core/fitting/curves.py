"""A fitted law as lines to draw: one for each size (or one in all), inside the runs and beyond them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.fitting.result import DEFAULT_LEVEL, FitResult
from scaling_core.fitting.selection import FITTED
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array

MAX_CURVES = 8
_POINTS = 80


def line(fit: FitResult, beyond: float = 30.0, level: float = DEFAULT_LEVEL) -> pd.DataFrame:
    """A law in one predictor: columns of that predictor, ``loss``, ``loss_low``, ``loss_high`` and ``inside``.

    Runs from half the smallest fitted value to ``beyond`` times the largest.
    """
    (predictor,) = fit.law.predictors
    low, high = fit.ranges[predictor]
    x = _with_ends(np.geomspace(low / 2, high * beyond, _POINTS), low, high)
    band = fit.predict({predictor: x}, level)
    return pd.DataFrame({
        predictor: x, "loss": band.value, "loss_low": band.low, "loss_high": band.high,
        "inside": (x >= low) & (x <= high),
    })  # fmt: skip


def family(fit: FitResult, x: str, beyond: float = 4.0) -> pd.DataFrame:
    """A law in N and D as curves along ``x`` (``flops``, ``tokens`` or ``params``), each at one fixed N (or D).

    Returns ``params``, ``tokens``, ``flops``, ``loss``, ``level`` (the fixed value of the curve) and ``inside``.
    Compute is counted as the runs count it: 6ND times their median C/(6ND).
    """
    fixed, moving = ("tokens", "params") if x == "params" else ("params", "tokens")
    runs = fit.points[fit.points["role"] == FITTED]
    factor = _flops_factor(runs)
    parts = []
    for level in _levels(runs[fixed].to_numpy(dtype=float)):
        low, high = fit.ranges[moving]
        along = _with_ends(np.geomspace(low / 2, high * beyond, _POINTS), low, high)
        part = pd.DataFrame({fixed: np.full(len(along), level), moving: along})
        part["flops"] = factor * FLOPS_PER_PARAM_TOKEN * part["params"] * part["tokens"]
        part["loss"] = fit.predict({c: part[c].to_numpy() for c in fit.law.predictors}).value
        part["inside"] = (along >= low) & (along <= high)
        parts.append(part.assign(level=level))
    return pd.concat(parts, ignore_index=True)


def _flops_factor(runs: pd.DataFrame) -> float:
    ratio = (runs["flops"] / (FLOPS_PER_PARAM_TOKEN * runs["params"] * runs["tokens"])).median()
    return float(ratio) if np.isfinite(ratio) else 1.0


def _levels(values: Array) -> Array:
    """The values themselves if few, else values of the runs spread evenly over their range in ln."""
    distinct = np.unique(values)
    if len(distinct) <= MAX_CURVES:
        return distinct
    wanted = np.geomspace(distinct[0], distinct[-1], MAX_CURVES)
    nearest = np.abs(np.log(distinct)[:, None] - np.log(wanted)).argmin(axis=0)
    return np.asarray(distinct[np.unique(nearest)])


def _with_ends(grid: Array, low: float, high: float) -> Array:
    """Put the ends of the data on the grid, so that a solid line stops exactly there."""
    return np.unique(np.concatenate([grid, [low, high]]))
