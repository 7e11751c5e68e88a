"""Power laws of compute, N* = k·C^a and D* = k·C^b, through optima found at several budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_core.fitting.result import DEFAULT_LEVEL, Band, quantile_interval
from scaling_core.laws import Array


@dataclass(frozen=True)
class PowerFit:
    """y = exp(intercept)·C^exponent, by least squares of ln y on ln C.

    Attributes
    ----------
    exponent, intercept : float
    draws : array, shape (R, 2)
        Bootstrap draws of (exponent, intercept); R may be 0.
    n : int
        Points that the line goes through.
    """

    exponent: float
    intercept: float
    draws: Array
    n: int

    def interval(self, level: float = DEFAULT_LEVEL) -> tuple[float, float]:
        """Percentile interval of the exponent; NaN without draws."""
        if not len(self.draws):
            return float("nan"), float("nan")
        low, high = quantile_interval(self.draws[:, 0], level)
        return float(low), float(high)

    def predict(self, flops: Any, level: float = DEFAULT_LEVEL) -> Band:
        """Value at budgets of shape (m,), with its interval."""
        x = np.log(np.asarray(flops, dtype=float))
        value = np.exp(self.intercept + self.exponent * x)
        if not len(self.draws):
            return Band(value, np.full(x.shape, np.nan), np.full(x.shape, np.nan))
        drawn = np.exp(self.draws[:, 1, None] + self.draws[:, 0, None] * x)
        return Band(value, *quantile_interval(drawn, level))

    def to_json(self, level: float = DEFAULT_LEVEL) -> dict[str, Any]:
        """Exponent with interval and coefficient, as JSON types."""
        low, high = self.interval(level)
        return {"exponent": self.exponent, "low": low, "high": high, "log_coefficient": self.intercept, "n": self.n}


def power_fit(flops: Array, y: Array, draws: Array) -> PowerFit | None:
    """Fit a power law; None where fewer than two budgets differ.

    Parameters
    ----------
    flops, y : array, shape (m,)
        Points whose ``y`` is NaN are left out.
    draws : array, shape (R, m)
        Values of ``y`` in bootstrap draws, NaN where a draw has none. A draw with fewer than two budgets is lost.
    """
    x, z = np.log(flops), np.log(y)
    (exponent, intercept), drawn = _lines(x, z[None])[0], _lines(x, np.log(draws))
    if not np.isfinite(exponent):
        return None
    return PowerFit(float(exponent), float(intercept), drawn[np.isfinite(drawn).all(axis=1)], int(np.isfinite(z).sum()))


def _lines(x: Array, z: Array) -> Array:
    """Least-squares lines (B, 2) of slope and intercept through the finite values of each row of ``z`` (B, m)."""
    known = np.isfinite(z)
    count = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, z, 0.0)
    x_mean, z_mean = (known * x).sum(axis=1) / count, filled.sum(axis=1) / count
    off = np.where(known, x - x_mean[:, None], 0.0)
    spread = np.sum(off**2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(spread > 1e-9, np.sum(off * filled, axis=1) / spread, np.nan)
    return np.stack([slope, z_mean - slope * x_mean], axis=1)
