"""One-dimensional minimisation and root finding for whole batches: many draws of a law and many budgets at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling_core.laws import Array
from scaling_core.laws.optimum import golden_section

#: Points of the first look, which must be dense enough to fall into the right valley.
LOOKS = 48
#: Golden sections after it: each keeps .618 of the interval.
SECTIONS = 34
#: A root is known when its bracket is this wide, and is found in a dozen steps; a bisection would take twice as many.
_ROOT_WIDTH, _MOST_STEPS = 1e-12, 90


def minimise_over(
    function: Callable[[Array], Array], low: Array, high: Array, looks: int = LOOKS, sections: int = SECTIONS
) -> tuple[Array, Array]:
    """Minimise ``function`` over an interval, elementwise.

    Parameters
    ----------
    function : callable
        Takes x of the shape of ``low`` and returns values of that shape; infinite or NaN counts as no candidate.
    low, high : array
        Ends of the interval, of one shape.
    looks, sections : int
        Evaluations of the first look over the interval and of the search around its best.

    Returns
    -------
    x, value : array
        NaN where no candidate was found. An end of the interval means that the minimum lies there or beyond.
    """
    low, high = np.broadcast_arrays(np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    best_x, best = low.copy(), _clean(function(low))
    for step in range(1, looks + 1):
        x = low + (high - low) * step / looks
        value = _clean(function(x))
        better = value < best
        best_x, best = np.where(better, x, best_x), np.where(better, value, best)
    width = (high - low) / looks
    near = np.maximum(best_x - width, low), np.minimum(best_x + width, high)
    x = golden_section(lambda place: _clean(function(place)), *near, sections)
    value = _clean(function(x))
    better = value < best
    found = np.isfinite(best) | better
    return (
        np.where(found, np.where(better, x, best_x), np.nan),
        np.where(found, np.where(better, value, best), np.nan),
    )


def solve_decreasing(function: Callable[[Array], Array], target: Array, low: Array, high: Array) -> Array:
    """Where a decreasing ``function`` falls to ``target``, elementwise; infinite where it never does.

    Inverse quadratic interpolation where three points allow it and bisection elsewhere (Chandrupatla 1997).
    """
    low, high, target = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (low, high, target)))
    a, b = low.copy(), high.copy()
    fa, fb = _clean(function(a)) - target, _clean(function(b)) - target
    reached, above = fb <= 0, fa > 0
    c, fc, share = b, fb, np.full(a.shape, 0.5)
    for _ in range(_MOST_STEPS):
        x = a + share * (b - a)
        fx = _clean(function(x)) - target
        same = (fx > 0) == (fa > 0)  # then the root lies between x and b, else between x and a
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        share = _chandrupatla((a, fa), (b, fb), (c, fc))
        if not np.any(reached & above & (np.abs(b - a) > _ROOT_WIDTH) & (fa != 0)):
            break
    best = np.where(np.abs(fa) < np.abs(fb), a, b)
    return np.where(reached, np.where(above, best, low), np.inf)


Point = tuple[Array, Array]


def _chandrupatla(at: Point, other: Point, before: Point) -> Array:
    """Share of the way from ``at`` to ``other`` to look next: by interpolation where that is safe, else the middle."""
    (a, fa), (b, fb), (c, fc) = at, other, before
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
        step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        edge = 0.25 * _ROOT_WIDTH / np.abs(b - a)
    safe &= np.isfinite(step)
    return np.clip(np.where(safe, step, 0.5), np.minimum(edge, 0.5), np.maximum(1 - edge, 0.5))


def _clean(values: Array) -> Array:
    return np.where(np.isnan(values), np.inf, values)
