"""Pair bootstrap (Efron 1979): refit on runs drawn with replacement, as one batched solve on count weights."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from scaling_core.fitting.certificate import CONVERGED_GRADIENT
from scaling_core.fitting.solver import Problem, minimise
from scaling_core.laws import Array

#: Numbers (resamples times runs) that go to one thread together: the same whatever the cores, so that digits are.
_PART_NUMBERS, _LEAST_ROWS = 60_000, 32
_MAX_REDRAWS = 200
#: Refits start at the full fit: one that needs more than this has wandered off, and is counted as lost.
_MAX_ITERATIONS = 150


def resample_counts(groups: Array, resamples: int, at_least: int, seed: int) -> Array:
    """How often each run is drawn, shape (resamples, n).

    ``groups`` (n,) holds an integer for each row; rows of one group are drawn together (checkpoints of a run are
    not independent). A resample with fewer than ``at_least`` distinct groups cannot be fitted and is drawn again.
    """
    rng = np.random.default_rng(seed)
    _, index = np.unique(groups, return_inverse=True)
    size = int(index.max()) + 1
    counts = rng.multinomial(size, np.full(size, 1 / size), size=resamples)
    for _ in range(_MAX_REDRAWS):
        thin = np.flatnonzero((counts > 0).sum(axis=1) < min(at_least, size))
        if not len(thin):
            break
        counts[thin] = rng.multinomial(size, np.full(size, 1 / size), size=len(thin))
    return counts[:, index].astype(float)


def bootstrap(problem: Problem, u: Array, counts: Array) -> tuple[Array, int]:
    """Refit for each row of ``counts`` from the full fit ``u`` (p,). Returns draws (R, p) and how many failed."""
    chunk = max(_LEAST_ROWS, _PART_NUMBERS // problem.target.shape[-1])
    parts = [counts[i : i + chunk] for i in range(0, len(counts), chunk)]

    def solve(part: Array) -> tuple[Array, Array]:
        solution = minimise(problem, np.repeat(u[None], len(part), axis=0), part, _MAX_ITERATIONS)
        return solution.u, solution.gradient_norm

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        solved = list(pool.map(solve, parts))
    draws = np.concatenate([s[0] for s in solved])
    converged = np.concatenate([s[1] for s in solved]) <= CONVERGED_GRADIENT
    return draws[converged], int((~converged).sum())
