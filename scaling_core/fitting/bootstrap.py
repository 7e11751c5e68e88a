"""Pair bootstrap (Efron 1979): refit on runs drawn with replacement, as batched solves on count weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scaling_core.fitting.certificate import CONVERGED_GRADIENT
from scaling_core.fitting.parts import Part, minimise_parts
from scaling_core.fitting.solver import Problem
from scaling_core.laws import Array, Index

_MAX_REDRAWS = 200
#: Refits start at the full fit: one that needs more than this has wandered off, and is counted as lost.
_MAX_ITERATIONS = 150

#: What to refit in some of the resamples: the problem, and weights of shape (n,) or (rows, n).
Resampled = tuple[Problem, Array]


def pairs(problem: Problem, u: Array, weights: Array, groups: Array, resamples: int, seed: int) -> tuple[Array, int]:
    """Refit from the full fit ``u`` (p,) on drawn groups. Returns draws (R, p) and how many failed."""
    counts, index = _draw(groups, resamples, problem.free, seed)
    return refit(problem, u, resamples, lambda rows: (problem, counts[rows][:, index] * weights))


def resample_counts(groups: Array, resamples: int, at_least: int, seed: int) -> Array:
    """How often each run is drawn, shape (resamples, n).

    ``groups`` (n,) holds an integer for each row; rows of one group are drawn together (checkpoints of a run are
    not independent). A resample with fewer than ``at_least`` distinct groups cannot be fitted and is drawn again.
    """
    counts, index = _draw(groups, resamples, at_least, seed)
    return counts[:, index].astype(float)


def refit(problem: Problem, u: Array, resamples: int, resampled: Callable[[slice], Resampled]) -> tuple[Array, int]:
    """Refit each resample from the full fit ``u`` (p,). Returns draws (R, p) and how many failed.

    ``resampled`` says what to refit in a slice of the resamples; all of them at once might not fit into memory.
    """

    def part(rows: slice) -> Part:
        posed, weights = resampled(rows)
        return posed, np.repeat(u[None], rows.stop - rows.start, axis=0), weights

    found = minimise_parts(resamples, problem.target.size, part, _MAX_ITERATIONS)
    converged = found.gradient_norm <= CONVERGED_GRADIENT
    return found.u[converged], int((~converged).sum())


def _draw(groups: Array, resamples: int, at_least: int, seed: int) -> tuple[Index, Index]:
    """How often each group is drawn, shape (resamples, groups), and the group of each row, shape (n,)."""
    rng = np.random.default_rng(seed)
    _, index = np.unique(groups, return_inverse=True)
    size = int(index.max()) + 1
    counts = rng.multinomial(size, np.full(size, 1 / size), size=resamples)
    for _ in range(_MAX_REDRAWS):
        thin = np.flatnonzero((counts > 0).sum(axis=1) < min(at_least, size))
        if not len(thin):
            break
        counts[thin] = rng.multinomial(size, np.full(size, 1 / size), size=len(thin))
    return counts, index
