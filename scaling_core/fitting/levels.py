"""Compute as it lies in runs: where it can be cut into small and large, and which runs share a budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scaling_core.laws import Array, Mask

#: Share of the runs that a default cut holds out: about a fifth, at the widest gap in compute that leaves so many.
_HELD_OUT = (0.1, 0.3)
_TARGET = 0.2
#: Sizes nearer than this, as a share, are one: figures are read off plots.
SAME_SIZE = 0.005


def gaps(flops: Array) -> tuple[Array, Array]:
    """Cuts half-way (in ln) between neighbouring budgets, and how wide the gap at each is in ln; ascending, (m,)."""
    x = np.unique(np.log(flops))
    return np.exp((x[1:] + x[:-1]) / 2), np.diff(x)


def default_cut(flops: Array) -> float | None:
    """The cut that holds out about the top fifth by compute; None where all runs have the same."""
    cuts, widths = gaps(flops)
    if not len(cuts):
        return None
    share = (flops[:, None] >= cuts).mean(axis=0)
    fair = (share >= _HELD_OUT[0]) & (share <= _HELD_OUT[1])
    if fair.any():
        return float(cuts[fair][np.argmax(widths[fair])])
    return float(cuts[np.argmin(np.abs(share - _TARGET))])


def spread_cuts(flops: Array, at_most: int, low: float, high: float) -> Array:
    """Up to ``at_most`` cuts from ``low`` to ``high``, even in ln C: the widest gap of each stretch."""
    cuts, widths = gaps(flops)
    inside = (cuts >= low) & (cuts <= high)
    cuts, widths = cuts[inside], widths[inside]
    if len(cuts) <= at_most:
        return cuts
    edges = np.linspace(np.log(cuts[0]), np.log(cuts[-1]), at_most + 1)
    stretch = np.clip(np.searchsorted(edges, np.log(cuts), side="right") - 1, 0, at_most - 1)
    chosen = [np.flatnonzero(stretch == k) for k in range(at_most)]
    return np.array([cuts[own[np.argmax(widths[own])]] for own in chosen if len(own)])


def same_level(values: Array, tolerance: float) -> NDArray[np.intp]:
    """Numbers of the levels that values stand at, (n,): values of one level differ by no more than ``tolerance``."""
    order = np.argsort(values, kind="stable")
    labels = np.empty(len(values), dtype=np.intp)
    level, lowest = -1, -np.inf
    for i in order:
        if values[i] > lowest * (1 + tolerance):
            level, lowest = level + 1, values[i]
        labels[i] = level
    return labels


def budgets(flops: Array, tolerance: float, fewest: int) -> list[Mask]:
    """Groups of at least ``fewest`` runs whose compute differs by no more than ``tolerance`` (a share), ascending.

    The densest stretch of ln C is taken first, then the densest of what is left: with clean budgets these are the
    budgets, and where stray runs lie between budgets they stay outside.
    """
    order = np.argsort(flops, kind="stable")
    x = np.log(flops[order])
    left = np.ones(len(x), dtype=bool)
    found: list[tuple[float, Mask]] = []
    while left.any():
        free = np.flatnonzero(left)
        ends = np.searchsorted(x[free], x[free] + np.log1p(tolerance) + 1e-12, side="right")
        count = ends - np.arange(len(free))
        start = int(np.argmax(count))
        if count[start] < fewest:
            break
        taken = free[start : ends[start]]
        left[taken] = False
        group = np.zeros(len(x), dtype=bool)
        group[order[taken]] = True
        found.append((float(x[taken[0]]), group))
    return [group for _, group in sorted(found, key=lambda pair: pair[0])]
