"""Draws of what runs leave possible, where a normal distribution around the fit would not do.

Runs all at one number of tokens per parameter, say, leave a long curved ridge of laws that suit them alike, and the
fit is anywhere along it. An ensemble of walkers finds the ridge whatever its shape: each moves along the line to
another one, so that stretched directions cost nothing (Goodman & Weare 2010).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling_core.laws import Array, Index

#: How far a walker may go towards another one and beyond it (Goodman & Weare's a).
_STRETCH = 2.0


def walked(log_density: Callable[[Array], Array], start: Array, steps: int, seed: int) -> Array:
    """Where walkers (K, q) that set out from ``start`` are after so many steps; K is even, and above q.

    ``log_density`` of points (m, q) gives (m,), minus infinity where none may go.
    """
    rng = np.random.default_rng(seed)
    place = start.copy()
    density = log_density(place)
    halves = np.array_split(np.arange(len(place)), 2)
    for _ in range(steps):
        for mine, others in (halves, halves[::-1]):
            _step(log_density, place, density, mine, place[rng.choice(others, len(mine))], rng)
    return place


def _step(
    log_density: Callable[[Array], Array],
    place: Array,
    density: Array,
    mine: Index,
    towards: Array,
    rng: np.random.Generator,
) -> None:
    """Move some walkers, in place: to a random point on the line through another, if that is likely enough."""
    stretch = ((_STRETCH - 1) * rng.random(len(mine)) + 1) ** 2 / _STRETCH
    trial = towards + stretch[:, None] * (place[mine] - towards)
    there = log_density(trial)
    with np.errstate(invalid="ignore"):
        odds = (place.shape[1] - 1) * np.log(stretch) + there - density[mine]
    taken = np.log(rng.random(len(mine))) < odds
    place[mine[taken]], density[mine[taken]] = trial[taken], there[taken]
