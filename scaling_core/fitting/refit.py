"""Many refits of one problem at once: each has its own weights of the runs, zero for one that is left out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from scaling_core.fitting.solver import Problem, Solution, minimise
from scaling_core.laws import Array

#: Numbers solved together: small enough for the working arrays to stay in a core's cache.
_CHUNK_NUMBERS = 24_000
#: Refits start near their end: one that needs more than this is on a ridge so flat that further steps change nothing.
_MAX_ITERATIONS = 100
#: Starts whose totals are this near have come to one optimum.
_SAME = 1e-6


def refits(problem: Problem, starts: Array, weights: Array) -> Solution:
    """Minimise with each row of ``weights`` from every start, and keep the best.

    Parameters
    ----------
    starts : array, shape (S, p)
        Working coordinates, usually those of the full fit.
    weights : array, shape (B, n)

    Returns
    -------
    Solution
        B rows.
    """
    starts = np.atleast_2d(starts)
    chunk = max(8, _CHUNK_NUMBERS // problem.target.size) // len(starts) or 1
    parts = [weights[i : i + chunk] for i in range(0, len(weights), chunk)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        solved = list(pool.map(lambda part: _best_of(problem, starts, part), parts))
    return Solution(*(np.concatenate([getattr(s, name) for s in solved]) for name in ("u", "total", "gradient_norm")))


def distinct_ends(solution: Solution, most: int = 3) -> Array:
    """The best few optima of a solve from many starts, best first: shape (S, p). What to start refits from."""
    order = np.argsort(solution.total)
    totals = solution.total[order]
    new = np.append(True, np.diff(totals) > _SAME * np.abs(totals[:-1]))
    return solution.u[order[new & np.isfinite(totals)][:most]]


def _best_of(problem: Problem, starts: Array, weights: Array) -> Solution:
    b, s = len(weights), len(starts)
    found = minimise(problem, np.tile(starts, (b, 1)), np.repeat(weights, s, axis=0), _MAX_ITERATIONS)
    best = found.total.reshape(b, s).argmin(axis=1) + s * np.arange(b)
    return Solution(found.u[best], found.total[best], found.gradient_norm[best])
