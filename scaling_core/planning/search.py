"""One-dimensional minimisation and root finding for whole batches: many draws of a law and many budgets at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling_core.laws import Array

#: Points of the first look, which must be dense enough to fall into the right valley.
_COARSE = 48
#: Golden sections after it: each keeps .618 of the interval.
_SECTIONS = 34
_GOLDEN = (5**0.5 - 1) / 2
_BISECTIONS = 60


def minimise_over(function: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Minimise ``function`` over an interval, elementwise.

    Parameters
    ----------
    function : callable
        Takes x of the shape of ``low`` and returns values of that shape; infinite or NaN counts as no candidate.
    low, high : array
        Ends of the interval, of one shape.

    Returns
    -------
    x, value : array
        NaN where no candidate was found. An end of the interval means that the minimum lies there or beyond.
    """
    low, high = np.broadcast_arrays(np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    best_x, best = low.copy(), _clean(function(low))
    for step in range(1, _COARSE + 1):
        x = low + (high - low) * step / _COARSE
        value = _clean(function(x))
        better = value < best
        best_x, best = np.where(better, x, best_x), np.where(better, value, best)
    width = (high - low) / _COARSE
    x, value = _golden(function, np.maximum(best_x - width, low), np.minimum(best_x + width, high))
    better = value < best
    found = np.isfinite(best) | better
    return (
        np.where(found, np.where(better, x, best_x), np.nan),
        np.where(found, np.where(better, value, best), np.nan),
    )


def _golden(function: Callable[[Array], Array], a: Array, b: Array) -> tuple[Array, Array]:
    """Golden section search (Kiefer 1953) with one new evaluation a step."""
    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    fc, fd = _clean(function(c)), _clean(function(d))
    for _ in range(_SECTIONS):
        left = fc < fd
        a, b = np.where(left, a, c), np.where(left, d, b)
        new = np.where(left, b - _GOLDEN * (b - a), a + _GOLDEN * (b - a))
        value = _clean(function(new))
        c, d = np.where(left, new, d), np.where(left, c, new)
        fc, fd = np.where(left, value, fd), np.where(left, fc, value)
    return np.where(fc < fd, c, d), np.minimum(fc, fd)


def solve_decreasing(function: Callable[[Array], Array], target: Array, low: Array, high: Array) -> Array:
    """Where a decreasing ``function`` falls to ``target``, by bisection, elementwise; infinite where it never does."""
    low, high, target = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (low, high, target)))
    a, b = low.copy(), high.copy()
    reached = _clean(function(high)) <= target
    for _ in range(_BISECTIONS):
        middle = (a + b) / 2
        above = _clean(function(middle)) > target
        a, b = np.where(above, middle, a), np.where(above, b, middle)
    return np.where(reached, (a + b) / 2, np.inf)


def _clean(values: Array) -> Array:
    return np.where(np.isnan(values), np.inf, values)
