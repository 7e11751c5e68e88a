"""One law on many subsets of its runs, as one batched solve: a subset is a row of weights that are 0 or 1.

Backtests ask for dozens of such fits. Start points are costed on every subset at once, and only the most promising of
each subset are followed; then each subset tries where the others ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaling_core.fitting.certificate import CONVERGED_GRADIENT, Certificate, certify
from scaling_core.fitting.fit import Posed
from scaling_core.fitting.parts import join, minimise_parts
from scaling_core.fitting.solver import Problem, Solution
from scaling_core.laws import Array, Mask

Indices = NDArray[np.intp]

#: A third of the starts, and at least so many, are followed for each of several subsets; of laws with few starts, all.
#: On three public ladders these find what all starts find, but for laws with many optima (broken, M4).
_FOLLOWED, _FEW = 8, 16
#: Iterations that all starts get; what has not arrived by then goes on only if it is among the best few.
_FIRST_ITERATIONS, _FINALISTS, _MOST_ITERATIONS = 40, 3, 200
#: Ends of other subsets that each subset tries.
_BORROWED = 2
#: From so many rows on, this many at most: each start costs more than it is worth.
_LARGE, _FOLLOWED_IN_LARGE = 4_000, 3


@dataclass(frozen=True)
class SubsetFit:
    """A law on one subset: its parameters, the objective there, and how far to trust the arithmetic."""

    theta: Array
    total: float
    certificate: Certificate


def fit_subsets(posed: Posed, kept: Mask, followed: int | None = None) -> list[SubsetFit]:
    """Fit a posed law on each subset of its rows.

    Parameters
    ----------
    kept : array of bool, shape (K, n)
        The rows of each subset.
    followed : int, optional
        Starts followed for each; by default all for a single subset, and the most promising third for several.
    """
    weights = np.where(kept, posed.weights, 0.0)
    count = len(posed.starts)
    followed = followed or max(_FOLLOWED, count // 3)
    if len(kept) == 1 or count <= _FEW:
        followed = count
    if kept.shape[1] > _LARGE:
        followed = min(followed, _FOLLOWED_IN_LARGE)
    starts, owner = _cheapest(posed.problem, posed.starts, weights, followed)
    solution = _first(posed.problem, starts, weights[owner])
    if len(kept) > 1:
        solution, owner = _borrow(posed.problem, solution, owner, weights)
    solution = _finish(posed.problem, solution, owner, weights)
    return [_best(posed, solution, owner == k, row) for k, row in enumerate(kept)]


def _cheapest(problem: Problem, starts: Array, weights: Array, followed: int) -> tuple[Array, Indices]:
    """The cheapest starts for each row of weights, (B, p), and which row each is for, (B,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        cost = np.nan_to_num(problem.objective.cost(problem.residuals(starts)), nan=1e300, posinf=1e300)
        order = np.argsort(cost @ weights.T, axis=0, kind="stable")[:followed]  # (followed, K)
    owner = np.repeat(np.arange(len(weights)), len(order))
    return starts[order.T.ravel()], owner


def _first(problem: Problem, starts: Array, weights: Array) -> Solution:
    """Where starts are after some iterations; of an objective with a kink, on its smoothest stand-in."""
    smooth = replace(problem, objective=problem.objective.continuation[0])
    found = _minimise_each(smooth, starts, weights, _FIRST_ITERATIONS)
    if smooth.objective == problem.objective:
        return found
    total = problem.total(problem.residuals(found.u), weights)
    return Solution(found.u, total, np.full(len(total), np.inf))


def _finish(problem: Problem, solution: Solution, owner: Indices, weights: Array) -> Solution:
    """Let the best few of each subset go on until they arrive: on a long ridge the others cost most of the time."""
    best = [own[np.argsort(solution.total[own])[:_FINALISTS]] for own in _owned(owner, len(weights))]
    on = np.concatenate(best)
    on = on[~(solution.gradient_norm[on] <= CONVERGED_GRADIENT)]
    if not len(on):
        return solution
    more = _minimise_each(problem, solution.u[on], weights[owner[on]], _MOST_ITERATIONS)
    u, total, norm = solution.u.copy(), solution.total.copy(), solution.gradient_norm.copy()
    u[on], total[on], norm[on] = more.u, more.total, more.gradient_norm
    return Solution(u, total, norm)


def _borrow(problem: Problem, solution: Solution, owner: Indices, weights: Array) -> tuple[Solution, Indices]:
    """Add what each subset finds from the best ends of the others."""
    best = [own[np.argmin(solution.total[own])] for own in _owned(owner, len(weights))]
    starts, lender = _cheapest(problem, solution.u[best], weights, _BORROWED + 1)
    more = _first(problem, starts, weights[lender])
    return join([solution, more]), np.concatenate([owner, lender])


def _owned(owner: Indices, count: int) -> list[Indices]:
    """Which rows of a batch are each subset's."""
    return [np.flatnonzero(owner == k) for k in range(count)]


def _minimise_each(problem: Problem, starts: Array, weights: Array, iterations: int) -> Solution:
    count, runs = weights.shape
    return minimise_parts(count, runs, lambda rows: (problem, starts[rows], weights[rows]), iterations)


def _best(posed: Posed, solution: Solution, mine: Mask, kept: Mask) -> SubsetFit:
    own = Solution(solution.u[mine], solution.total[mine], solution.gradient_norm[mine])
    best, certificate = certify(posed.problem.only(kept), own, posed.law.parameter_names)
    theta = posed.problem.working.to_natural(own.u[best])
    return SubsetFit(theta, float(own.total[best]), certificate)
