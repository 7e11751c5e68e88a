"""Batched damped Newton on the exact objective, inside bounds.

One call minimises the same law on the same runs from many start points, or with many weightings of the runs (a
bootstrap resample is a vector of counts). The Hessian is exact; negative curvature is turned around
(Dauphin et al. 2014), so saddles repel; damping follows Levenberg and Marquardt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaling_core.fitting.objective import Objective
from scaling_core.laws import Array, Mask, Working

MAX_ITERATIONS = 300
#: Scaled gradient below which the iteration stops (see ``Solution.gradient_norm``).
TARGET_GRADIENT = 1e-10
#: Relative residuals below this are rounding: a fit that leaves no more is exact. (Rounding leaves up to 2e-15 of the
#: largest loss, and a gradient must stay below ``CONVERGED_GRADIENT`` of this when that is all there is.)
EXACT = 1e-8
#: More runs than this, and starts first race on so many of them; so many distinct ends then see all runs.
_RACE_ON, _FINALISTS = 4_000, 4
_MIN_DAMPING, _MAX_DAMPING = 1e-12, 1e12


@dataclass(frozen=True)
class Problem:
    """A law on runs with an objective; ``target`` is ln L or L, over the loss scale, shape (n,).

    ``fixed`` holds the indices of parameters that a person set; their bounds coincide.
    """

    working: Working
    objective: Objective
    target: Array
    fixed: tuple[int, ...] = ()

    @property
    def free(self) -> int:
        """How many parameters are not fixed."""
        return len(self.working.lower) - len(self.fixed)

    def only(self, kept: Mask) -> Problem:
        """The same problem on some of the runs."""
        return replace(self, working=self.working.only(kept), target=self.target[kept])

    def residuals(self, u: Array) -> Array:
        """Residuals, shape (B, n), at ``u`` of shape (B, p). Not finite where the law cannot be evaluated."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value = self.working.at(u).value
            return (np.log(value) if self.objective.space == "log" else value) - self.target

    def total(self, residuals: Array, weights: Array) -> Array:
        """Objective, shape (B,); infinite where a residual is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            cost = self.objective.cost(residuals)
            total = np.einsum("bn,bn->b", np.broadcast_to(weights, cost.shape), cost)
        return np.where(np.isfinite(total), total, np.inf)

    def derivatives(self, u: Array, r: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
        """Gradient (B, p), its scale (B, p), Hessian (B, p, p) and a positive diagonal (B, p) for damping."""
        here = self.working.at(u)
        jac = here.gradient()  # (B, p, n) of the value, then of the residual
        slope = weights * self.objective.slope(r)
        bend = weights * self.objective.bend(r)
        if self.objective.space == "log":
            jac /= here.value[:, None, :]
            second = here.curvature(slope / here.value)
            bend_gg = bend - slope  # ∇² ln S = ∇²S / S − (∇S/S)(∇S/S)ᵀ
        else:
            second = here.curvature(slope)
            bend_gg = bend
        gradient = np.einsum("bpn,bn->bp", jac, slope)
        hessian = (jac * bend_gg[:, None, :]) @ jac.transpose(0, 2, 1) + second
        size = np.abs(jac)
        # A gradient is small against what it is the difference of, or against slopes of rounding size.
        scale = np.einsum("bpn,bn->bp", size, np.abs(slope) + weights * EXACT)
        damping = np.einsum("bpn,bn->bp", size * size, weights * self.objective.secant(r))
        return gradient, scale, hessian, damping


@dataclass(frozen=True)
class Solution:
    """Where the iterations ended.

    Attributes
    ----------
    u : array, shape (B, p)
        Working coordinates.
    total : array, shape (B,)
        Objective.
    gradient_norm : array, shape (B,)
        Largest over free parameters of |Σ gᵢ| / Σ |gᵢ|, gᵢ being each run's part of the gradient: 0 at an optimum,
        about 1 far from one, whatever the units.
    """

    u: Array
    total: Array
    gradient_norm: Array


def minimise(problem: Problem, starts: Array, weights: Array, max_iterations: int = MAX_ITERATIONS) -> Solution:
    """Minimise from every start (B, p) with run weights (B, n) or (n,)."""
    *approach, last = problem.objective.continuation
    for objective in approach:
        starts = _descend(replace(problem, objective=objective), starts, weights, max_iterations).u
    return _descend(replace(problem, objective=last), starts, weights, max_iterations)


def minimise_starts(problem: Problem, starts: Array, weights: Array) -> Solution:
    """Minimise from every start. With very many runs the starts race on a thin, even sample of them first.

    There, only the distinct ends go on to all runs; each start is reported where its own end arrived.
    """
    n = problem.target.size
    if n <= _RACE_ON:
        return minimise(problem, starts, weights)
    sample = np.zeros(n)
    sample[np.linspace(0, n - 1, _RACE_ON).round().astype(int)] = 1.0
    thin = problem.only(sample > 0)
    ends = minimise(thin, starts, np.broadcast_to(weights, n)[sample > 0])
    order = np.argsort(ends.total)
    same = np.zeros(len(starts), dtype=int)
    distinct: list[int] = []
    for i in order:
        near = [k for k, j in enumerate(distinct) if abs(ends.total[i] - ends.total[j]) <= 1e-6 * abs(ends.total[j])]
        if not near:
            distinct.append(int(i))
        same[i] = near[0] if near else len(distinct) - 1
    kept = min(len(distinct), _FINALISTS)
    last = minimise(problem, ends.u[distinct[:kept]], weights)
    place = np.minimum(same, kept - 1)
    lost = same >= kept
    return Solution(last.u[place], np.where(lost, np.inf, last.total[place]), last.gradient_norm[place])


def _descend(problem: Problem, starts: Array, weights: Array, max_iterations: int) -> Solution:
    u = np.clip(starts, problem.working.lower, problem.working.upper)
    weights = np.broadcast_to(np.atleast_2d(weights), (len(u), problem.target.size))
    residuals = problem.residuals(u)
    total = problem.total(residuals, weights)
    damping = np.full(len(u), 1e-3)
    norm = np.full(len(u), np.inf)
    live = np.flatnonzero(np.isfinite(total))
    for _ in range(max_iterations):
        step, predicted, norm[live] = _newton_step(problem, u[live], residuals[live], weights[live], damping[live])
        trial = np.clip(u[live] + step, problem.working.lower, problem.working.upper)
        r = problem.residuals(trial)
        t = problem.total(r, weights[live])
        better = t < total[live]
        with np.errstate(invalid="ignore", divide="ignore"):
            agreement = (total[live] - t) / predicted
        won = live[better]
        u[won], residuals[won], total[won] = trial[better], r[better], t[better]
        damping[live] = np.clip(_next_damping(damping[live], better, agreement), _MIN_DAMPING, _MAX_DAMPING)
        going = (norm[live] > TARGET_GRADIENT) & (damping[live] < _MAX_DAMPING)
        live = live[going]
        if not len(live):
            break
    if len(live):  # the last accepted step moved the point: say what holds there
        *_, norm[live] = _newton_step(problem, u[live], residuals[live], weights[live], damping[live])
    return Solution(u, total, norm)


def _newton_step(problem: Problem, u: Array, r: Array, weights: Array, damping: Array) -> tuple[Array, Array, Array]:
    """Step (B, p), the decrease it predicts (B,), and the scaled gradient norm (B,)."""
    gradient, scale, hessian, diagonal = problem.derivatives(u, r, weights)
    free = ~_held_by_bound(problem.working, u, gradient)
    norm = np.max(np.where(free, np.abs(gradient) / np.maximum(scale, 1e-300), 0.0), axis=1)
    largest = np.maximum(diagonal.max(axis=1, keepdims=True), 1e-300)
    unit = np.sqrt(np.maximum(diagonal, 1e-14 * largest))
    g = np.where(free, gradient / unit, 0.0)
    h = hessian / (unit[:, :, None] * unit[:, None, :])
    h = np.where(free[:, :, None] & free[:, None, :], h, 0.0)
    values, vectors = np.linalg.eigh(h)
    curvature = np.abs(values) + damping[:, None]
    along = np.einsum("bpk,bp->bk", vectors, g) / curvature
    step = -np.einsum("bpk,bk->bp", vectors, along)
    predicted = np.einsum("bk,bk->b", along * along, curvature - 0.5 * np.abs(values))
    return np.where(free, step / unit, 0.0), np.maximum(predicted, 1e-300), norm


def _held_by_bound(working: Working, u: Array, gradient: Array) -> Mask:
    """Parameters that sit on a bound and would leave it outwards, shape (B, p)."""
    return ((u <= working.lower) & (gradient >= 0)) | ((u >= working.upper) & (gradient <= 0))


def _next_damping(damping: Array, better: Mask, agreement: Array) -> Array:
    """Trust the quadratic more where it predicted well, less where a step failed."""
    factor = np.where(agreement > 0.75, 0.1, np.where(agreement > 0.25, 0.5, 2.0))
    return damping * np.where(better, factor, 5.0)
