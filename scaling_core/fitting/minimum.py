"""Where loss is lowest along ln N at one budget: by a parabola, or by an Akima spline through the runs.

Both work on a batch of losses at the same sizes, so that a bootstrap is one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from scaling_core.laws import Array

Method = Literal["parabola", "akima"]
METHODS: tuple[Method, ...] = ("parabola", "akima")
_STEPS = 60
#: A run whose leverage comes this near to 1 decides the parabola alone.
_DECIDES = 1e-6


@dataclass(frozen=True)
class Parabola:
    """Least-squares parabola of loss (n,) in ln N: L = c₀ + c₁·t + c₂·t², t = ln N − centre.

    Attributes
    ----------
    coefficients : array, shape (3,)
    centre : float
    residuals : array, shape (n,)
        Each divided by √(1 − leverage), so that its variance is that of the noise (MacKinnon & White 1985, HC2);
        0 where a run decides the parabola alone.
    free : array, shape (n,)
        1 − leverage of each run.
    square : float
        Sum of squares that the parabola leaves.
    spare : int
        Runs beyond the three that a parabola needs.
    curvature_error : float
        Standard error of c₂; infinite without runs to spare.
    solve : array, shape (3, n)
        Takes losses at the same sizes to their coefficients.
    """

    coefficients: Array
    centre: float
    residuals: Array
    free: Array
    square: float
    spare: int
    curvature_error: float
    solve: Array

    @property
    def curvature(self) -> float:
        """Second derivative of loss by ln N."""
        return float(2 * self.coefficients[2])

    def value(self, x: Array) -> Array:
        """Loss at ln N of shape (m,)."""
        t = x - self.centre
        return np.asarray(self.coefficients @ np.stack([np.ones_like(t), t, t * t]))

    def lowest(self, losses: Array) -> tuple[Array, Array]:
        """Vertex ln N* and loss there, each (B,), for losses (B, n) at the same sizes; NaN where it is no minimum."""
        c0, c1, c2 = self.solve @ losses.T
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.where(c2 > 0, -c1 / (2 * c2), np.nan)
        return self.centre + t, c0 + 0.5 * c1 * t

    def lowest_without(self) -> Array:
        """Vertex ln N* without each run in turn, (n,); NaN where there is none, or the run decides it alone."""
        with np.errstate(invalid="ignore", divide="ignore"):
            deleted = np.where(self.free > _DECIDES, self.residuals / np.sqrt(self.free), np.nan)  # Cook 1977
            _, c1, c2 = self.coefficients[:, None] - self.solve * deleted
            return np.where(c2 > 0, self.centre - c1 / (2 * c2), np.nan)


def parabola(x: Array, loss: Array) -> Parabola:
    """Fit a parabola to losses (n,) at ln N (n,), of which at least three differ."""
    centre = float(x.mean())
    t = x - centre
    design = np.stack([np.ones_like(t), t, t * t], axis=1)
    solve = np.asarray(np.linalg.pinv(design), dtype=float)
    coefficients = solve @ loss
    raw = loss - design @ coefficients
    free = 1 - np.einsum("nk,kn->n", design, solve)
    residuals = np.where(free > _DECIDES, raw / np.sqrt(np.maximum(free, _DECIDES)), 0.0)
    square, spare = float(raw @ raw), len(x) - 3
    error = float(np.sqrt(square / spare * (solve @ solve.T)[2, 2])) if spare > 0 else float("inf")
    return Parabola(coefficients, centre, np.asarray(residuals, dtype=float), free, square, spare, error, solve)


def akima_lowest(x: Array, losses: Array) -> tuple[Array, Array]:
    """Lowest point ln N* and loss there, each (B,), of splines through losses (B, n) at ascending ln N (n,).

    The spline is Akima's of 1970, which does not overshoot beside a kink. NaN where it is lowest at an end.
    """
    slopes = akima_slopes(x, losses)
    s = np.linspace(0, 1, _STEPS + 1)[:-1]
    values = np.concatenate([_hermite(x, losses, slopes, s), losses[:, -1:]], axis=1)
    grid = np.append((x[:-1, None] + np.diff(x)[:, None] * s).ravel(), x[-1])
    at = values.argmin(axis=1)
    inside = (at > 0) & (at < len(grid) - 1)
    left, middle = np.clip(at - 1, 0, len(grid) - 3), np.clip(at, 1, len(grid) - 2)
    return _vertex(grid, values, left, middle, inside)


def akima_curve(x: Array, loss: Array, at: Array) -> Array:
    """The spline through losses (n,) at ascending ln N (n,), evaluated at (m,) inside."""
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    slopes = akima_slopes(x, loss[None])[0]
    h = np.diff(x)[piece]
    s = (at - x[piece]) / h
    a, b, c, d = _hermite_weights(s)
    return np.asarray(a * loss[piece] + b * h * slopes[piece] + c * loss[piece + 1] + d * h * slopes[piece + 1])


def akima_slopes(x: Array, y: Array) -> Array:
    """Slopes (B, n) of Akima's spline at the points, for y (B, n) at x (n,), n ≥ 3."""
    m = np.diff(y) / np.diff(x)
    before = 2 * m[:, :1] - m[:, 1:2]
    after = 2 * m[:, -1:] - m[:, -2:-1]
    m = np.concatenate([2 * before - m[:, :1], before, m, after, 2 * after - m[:, -1:]], axis=1)
    change = np.abs(np.diff(m))
    left, right = change[:, 2:], change[:, :-2]
    total = left + right
    flat = total <= 1e-9 * np.max(total, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        weighted = (left * m[:, 1:-2] + right * m[:, 2:-1]) / total
    return np.where(flat, 0.5 * (m[:, 1:-2] + m[:, 2:-1]), weighted)


def _hermite_weights(s: Array) -> tuple[Array, Array, Array, Array]:
    """Cubic Hermite basis: value left, slope left, value right, slope right."""
    return (1 + 2 * s) * (1 - s) ** 2, s * (1 - s) ** 2, s * s * (3 - 2 * s), s * s * (s - 1)


def _hermite(x: Array, y: Array, slopes: Array, s: Array) -> Array:
    """Values (B, (n−1)·k) at shares s (k,) of each piece, in order."""
    h = np.diff(x)[:, None]
    a, b, c, d = _hermite_weights(s)
    pieces = a * y[:, :-1, None] + b * h * slopes[:, :-1, None] + c * y[:, 1:, None] + d * h * slopes[:, 1:, None]
    return np.asarray(pieces.reshape(len(y), (len(x) - 1) * len(s)))


def _vertex(grid: Array, values: Array, left: Array, middle: Array, inside: Array) -> tuple[Array, Array]:
    """Vertex of the parabola through three neighbours on the grid, (B,) each."""
    rows = np.arange(len(values))
    x0, x1, x2 = grid[left], grid[middle], grid[middle + 1]
    y0, y1, y2 = values[rows, left], values[rows, middle], values[rows, middle + 1]
    d1, d2 = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = (d2 - d1) / (x2 - x0)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(bend > 0, 0.5 * (x0 + x1) - 0.5 * d1 / bend, x1)
    x = np.clip(x, x0, x2)
    y = y0 + d1 * (x - x0) + bend * (x - x0) * (x - x1)
    return np.where(inside, x, np.nan), np.where(inside, y, np.nan)
