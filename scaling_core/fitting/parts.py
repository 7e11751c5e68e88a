"""Many solves of one kind as a few batches over threads: resamples, subsets of runs, refits without some of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from scaling_core.fitting.solver import MAX_ITERATIONS, Problem, Solution, minimise
from scaling_core.laws import Array

#: Numbers (rows times runs) that go to one thread together: the same whatever the cores, so that digits are.
_PART_NUMBERS, _LEAST_ROWS = 60_000, 8

#: What to solve in some of the rows: the problem, starts (rows, p), and weights of shape (n,) or (rows, n).
Part = tuple[Problem, Array, Array]


def minimise_parts(
    count: int, runs: int, part: Callable[[slice], Part], max_iterations: int = MAX_ITERATIONS
) -> Solution:
    """Minimise ``count`` rows over ``runs`` runs each, part by part.

    Parameters
    ----------
    part : callable
        Says what to solve in a slice of the rows; weights of all of them at once might not fit into memory.

    Returns
    -------
    Solution
        ``count`` rows, in order. ``count`` is at least 1.
    """
    step = max(_LEAST_ROWS, _PART_NUMBERS // runs)

    def solve(start: int) -> Solution:
        problem, starts, weights = part(slice(start, min(start + step, count)))
        return minimise(problem, starts, weights, max_iterations)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return join(pool.map(solve, range(0, count, step)))


def join(solutions: Iterable[Solution]) -> Solution:
    """Several solutions as one, row after row."""
    every = list(solutions)
    return Solution(*(np.concatenate([getattr(s, name) for s in every]) for name in ("u", "total", "gradient_norm")))
