"""Many refits of one problem at once: each has its own weights of the runs, zero for one that is left out."""

from __future__ import annotations

import numpy as np

from scaling_core.fitting.parts import Part, minimise_parts
from scaling_core.fitting.solver import Problem, Solution
from scaling_core.laws import Array

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
        B is at least 1.

    Returns
    -------
    Solution
        B rows.
    """
    starts = np.atleast_2d(starts)
    b, s = len(weights), len(starts)

    def part(rows: slice) -> Part:
        index = np.arange(rows.start, rows.stop)
        return problem, starts[index % s], weights[index // s]

    found = minimise_parts(b * s, weights.shape[1], part, _MAX_ITERATIONS)
    best = found.total.reshape(b, s).argmin(axis=1) + s * np.arange(b)
    return Solution(found.u[best], found.total[best], found.gradient_norm[best])


def distinct_ends(solution: Solution, most: int = 3) -> Array:
    """The best few optima of a solve from many starts, best first: shape (S, p). What to start refits from."""
    order = np.argsort(solution.total)
    totals = solution.total[order]
    new = np.append(True, np.diff(totals) > _SAME * np.abs(totals[:-1]))
    return solution.u[order[new & np.isfinite(totals)][:most]]
