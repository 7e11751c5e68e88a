"""Batched damped Newton on the exact objective, inside bounds.

One call minimises the same law on the same runs from many start points, or with many weightings of the runs (a
bootstrap resample is a vector of counts). The Hessian is exact; negative curvature is turned around
(Dauphin et al. 2014), so saddles repel. Damping follows Levenberg and Marquardt, but measures a step by the
Gauss-Newton matrix of iteratively reweighted least squares, not by its diagonal: it holds back a step across a narrow
valley, not along it, and a damping of 1 gives about the step that reweighted least squares would take.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from scaling_core.fitting.objective import Objective
from scaling_core.laws import Array, Evaluation, Index, Mask, Working

MAX_ITERATIONS = 300
#: Scaled gradient below which the iteration stops (see ``Solution.gradient_norm``).
TARGET_GRADIENT = 1e-10
#: Relative residuals below this are rounding: a fit that leaves no more is exact. (Rounding leaves up to 2e-15 of the
#: largest loss, and a gradient must stay below ``CONVERGED_GRADIENT`` of this when that is all there is.)
EXACT = 1e-8
#: More runs than this, and starts first race on so many of them; so many distinct ends then see all runs.
_RACE_ON, _FINALISTS = 4_000, 4
#: Starts still on their way after so many steps go on only if fewer than so many of the others agree on the best.
_MANY_STEPS, _ENOUGH = 100, 3
#: Damping to begin with: near an optimum, where Newton's step is right, and far from any.
NEAR, FAR = 1e-3, 1.0
_MIN_DAMPING, _MAX_DAMPING = 1e-12, 1e12
#: Added to the diagonal of the matrix that measures steps: parameters that do the same leave it singular.
_RIDGE = 1e-3
#: Numbers (rows times runs) that are worked on together: enough to outweigh the calls, few enough for a core's cache.
_WINDOW_NUMBERS = 24_000
#: Derivatives (parameters times runs) that are summed at once. Longer sums BLAS shares out among threads, which beside
#: those of a bootstrap mostly wait for each other.
_BLOCK_NUMBERS = 8_000
#: glibc hands freed memory back to the system and fetches it again, page by page, at the next step, which takes as long
#: as the arithmetic. Once a block of up to 32 MB was freed, it keeps such blocks (mallopt(3), M_MMAP_THRESHOLD).
_KEPT_BYTES = 32 * 1024**2 - 2**16
np.empty(_KEPT_BYTES, dtype=np.uint8)


@dataclass(frozen=True)
class Problem:
    """A law on runs with an objective; ``target`` is ln L or L, over the loss scale.

    ``target`` has shape (n,), or (B, n) where each row of a batch has losses of its own.
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
        return replace(self, working=self.working.only(kept), target=self.target[..., kept])

    def rows(self, index: Index) -> Problem:
        """The same problem for some rows of a batch."""
        return self if self.target.ndim == 1 else replace(self, target=self.target[index])

    def residuals(self, u: Array) -> Array:
        """Residuals, shape (B, n), at ``u`` of shape (B, p). Not finite where the law cannot be evaluated."""
        return self.evaluate(u)[1]

    def evaluate(self, u: Array) -> tuple[Evaluation, Array]:
        """The law at ``u`` of shape (B, p), and its residuals, shape (B, n)."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            here = self.working.at(u)
            return here, (np.log(here.value) if self.objective.space == "log" else here.value) - self.target

    def total(self, residuals: Array, weights: Array) -> Array:
        """Objective, shape (B,); infinite where a residual is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            cost = self.objective.cost(residuals)
            total = np.einsum("bn,bn->b", np.broadcast_to(weights, cost.shape), cost)
        return np.where(np.isfinite(total), total, np.inf)

    def derivatives(self, here: Evaluation, r: Array, weights: Array) -> Derivatives:
        """Derivatives of the total by working coordinates, where the law was evaluated."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            jac = here.gradient()  # (B, p, n) of the value; divided by it, of the residual of ln L
            slope, bend, secant, rounding = self._by_value(here, r, weights)
            hessian = (jac * bend[:, None, :]) @ jac.transpose(0, 2, 1) + here.curvature(slope)
            metric = (jac * secant[:, None, :]) @ jac.transpose(0, 2, 1)
            gradient = _times(jac, slope)
            # A gradient is small against what it is the difference of, or against slopes of rounding size.
            scale = _times(np.abs(jac, out=jac), np.abs(slope) + rounding)
        return Derivatives(gradient, scale, hessian, metric)

    def _by_value(self, here: Evaluation, r: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
        """Derivatives of each run's cost by the law's value: first, second, what stands in for it, and rounding."""
        slope = weights * self.objective.slope(r)
        bend = weights * self.objective.bend(r)
        secant = weights * self.objective.secant(r)
        if self.objective.space != "log":
            return slope, bend, secant, weights * EXACT
        inverse = 1.0 / here.value
        square = inverse * inverse
        # ∇² ln S = ∇²S / S − (∇S/S)(∇S/S)ᵀ
        return slope * inverse, (bend - slope) * square, secant * square, weights * inverse * EXACT


class Derivatives(NamedTuple):
    """Gradient (B, p), what it is small against (B, p), Hessian (B, p, p), and the measure of steps (B, p, p)."""

    gradient: Array
    scale: Array
    hessian: Array
    metric: Array

    def rows(self, kept: Mask) -> Derivatives:
        """Those of some rows."""
        return Derivatives(*(part[kept] for part in self))


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


def minimise(
    problem: Problem,
    starts: Array,
    weights: Array,
    max_iterations: int = MAX_ITERATIONS,
    bounds: tuple[Array, Array] | None = None,
    damping: float = NEAR,
) -> Solution:
    """Minimise from every start (B, p) with run weights (B, n) or (n,).

    ``bounds`` are lower and upper ones for each row, (B, p), where they differ; else those of the law hold.
    ``damping`` is ``NEAR`` for starts that lie near their optimum, and ``FAR`` for starts that lie anywhere.
    """
    limits = bounds or (problem.working.lower, problem.working.upper)
    *approach, last = problem.objective.continuation
    for objective in approach:
        descent = _Descent(replace(problem, objective=objective), starts, weights, limits, damping)
        starts = _descend(descent, max_iterations).u
    return _descend(_Descent(replace(problem, objective=last), starts, weights, limits, damping), max_iterations)


def minimise_starts(problem: Problem, starts: Array, weights: Array) -> Solution:
    """Minimise from every start. With very many runs the starts race on a sample of them first.

    There, only the distinct ends go on to all runs; each start is reported where its own end arrived.
    """
    n = problem.target.size
    if n <= _RACE_ON:
        return _minimise_most(problem, starts, weights)
    kept = sample(n)
    ends = _minimise_most(problem.only(kept), starts, np.broadcast_to(weights, n)[kept])
    order = np.argsort(ends.total)
    same = np.zeros(len(starts), dtype=int)
    distinct: list[int] = []
    for i in order:
        near = [k for k, j in enumerate(distinct) if abs(ends.total[i] - ends.total[j]) <= 1e-6 * abs(ends.total[j])]
        if not near:
            distinct.append(int(i))
        same[i] = near[0] if near else len(distinct) - 1
    last = minimise(problem, ends.u[distinct[:_FINALISTS]], weights)
    place = np.minimum(same, len(last.u) - 1)
    lost = same >= len(last.u)
    return Solution(last.u[place], np.where(lost, np.inf, last.total[place]), last.gradient_norm[place])


def _minimise_most(problem: Problem, starts: Array, weights: Array) -> Solution:
    """Minimise from starts that lie anywhere, but for those that take very long where others agree on less."""
    ends = minimise(problem, starts, weights, _MANY_STEPS, damping=FAR)
    there = (ends.total <= ends.total.min() * (1 + 1e-6)) & (ends.gradient_norm <= 100 * TARGET_GRADIENT)
    return ends if there.sum() >= _ENOUGH else minimise(problem, ends.u, weights, damping=FAR)


def sample(n: int) -> Mask:
    """Which of ``n`` runs to look at first, drawn at random once for all: every so many would meet a rhythm in them."""
    kept = np.zeros(n, dtype=bool)
    kept[np.random.default_rng(0).choice(n, min(n, _RACE_ON), replace=False)] = True
    return kept


def _descend(descent: _Descent, max_iterations: int) -> Solution:
    """Keep a window of rows going: as some arrive, others enter, so that no step is taken for a few rows only."""
    window = descent.window
    entered, live, count = 0, np.zeros(0, dtype=int), len(descent.u)
    while True:
        if len(live) <= window // 2 and entered < count:
            new = np.arange(entered, min(count, entered + window - len(live)))
            entered += len(new)
            descent.enter(new)
            live = np.concatenate([live, new])
        live = live[descent.going(live, max_iterations)]
        if len(live):
            descent.step(live)
        elif entered == count:
            return Solution(descent.u, descent.total, descent.norm)


class _Descent:
    """Minimisations in progress, one a row: where each is, and the quadratic model of the objective there.

    The model's coordinates, the columns of ``axes``, measure steps equally and do not mix in the Hessian.
    """

    def __init__(
        self, problem: Problem, starts: Array, weights: Array, bounds: tuple[Array, Array], damping: float
    ) -> None:
        b, p = starts.shape
        self.blocks, self.weights = _blocks(problem, p), np.atleast_2d(weights)
        self.window = _WINDOW_NUMBERS // self.blocks[0].problem.target.shape[-1]
        self.lower, self.upper = (np.atleast_2d(bound) for bound in bounds)
        self.u = np.clip(starts, self.lower, self.upper)
        self.total, self.norm = np.full(b, np.inf), np.full(b, np.inf)
        self.damping, self.steps = np.full(b, damping), np.zeros(b, dtype=int)
        self.axes, self.slope, self.bend = np.zeros((b, p, p)), np.zeros((b, p)), np.zeros((b, p))

    def going(self, rows: Index, max_steps: int) -> Mask:
        """Which rows have a way to go."""
        far = (self.norm[rows] > TARGET_GRADIENT) & np.isfinite(self.total[rows])
        return np.asarray(far & (self.damping[rows] < _MAX_DAMPING) & (self.steps[rows] < max_steps))

    def enter(self, rows: Index) -> None:
        """Evaluate at the start points."""
        self._move(rows, self.u[rows])

    def step(self, rows: Index) -> None:
        """Try one step of each row, and take it where it lowers the objective."""
        before = self.total[rows]
        step, predicted = self._newton_step(rows)
        trial = np.clip(self.u[rows] + step, _rows(self.lower, rows), _rows(self.upper, rows))
        better = self._move(rows, trial)
        with np.errstate(invalid="ignore", divide="ignore"):
            agreement = (before - self.total[rows]) / predicted
        self.damping[rows] = np.clip(_next_damping(self.damping[rows], better, agreement), _MIN_DAMPING, _MAX_DAMPING)
        self.steps[rows] += 1

    def _move(self, rows: Index, trial: Array) -> Mask:
        """Go to ``trial`` where the objective is lower there, and the law has derivatives; return where."""
        total = np.zeros(len(rows))
        for block in self.blocks:
            here, r = block.problem.rows(rows).evaluate(trial)
            total += block.problem.total(r, self._weights(block, rows))
        lower = np.flatnonzero(total < self.total[rows])
        if len(self.blocks) == 1:
            found = block.problem.derivatives(here.rows(lower), r[lower], self._weights(block, rows[lower]))
        else:  # what the law is at all runs would take much memory to keep: find it again
            found = self._derivatives(rows[lower], trial[lower])
        sound = np.asarray((np.isfinite(found.hessian) & np.isfinite(found.metric)).all(axis=(1, 2)))
        gone = lower[sound]
        self.u[rows[gone]], self.total[rows[gone]] = trial[gone], total[gone]
        self._model(rows[gone], found.rows(sound))
        better = np.zeros(len(rows), dtype=bool)
        better[gone] = True
        return better

    def _derivatives(self, rows: Index, at: Array) -> Derivatives:
        parts = []
        for block in self.blocks:
            here, r = block.problem.rows(rows).evaluate(at)
            parts.append(block.problem.derivatives(here, r, self._weights(block, rows)))
        return Derivatives(*(np.sum(part, axis=0) for part in zip(*parts, strict=True)))

    def _weights(self, block: _Block, rows: Index) -> Array:
        return _rows(self.weights[:, block.runs], rows)

    def _model(self, rows: Index, found: Derivatives) -> None:
        free = ~self._held_by_bound(rows, found.gradient)
        share = np.abs(found.gradient) / np.maximum(found.scale, 1e-300)
        self.norm[rows] = np.max(np.where(free, share, 0.0), axis=1)
        both = free[:, :, None] & free[:, None, :]
        even = _even_axes(np.where(both, found.metric, 0.0))
        bend, turn = np.linalg.eigh(even.transpose(0, 2, 1) @ np.where(both, found.hessian, 0.0) @ even)
        axes = np.where(free[:, :, None], even @ turn, 0.0)
        self.axes[rows], self.bend[rows], self.slope[rows] = axes, bend, _times(axes.transpose(0, 2, 1), found.gradient)

    def _newton_step(self, rows: Index) -> tuple[Array, Array]:
        """Step (B, p) and the decrease it predicts (B,)."""
        size = np.abs(self.bend[rows])
        curvature = size + self.damping[rows][:, None]
        along = self.slope[rows] / curvature
        predicted = np.sum(along * along * (curvature - 0.5 * size), axis=1)
        return -_times(self.axes[rows], along), np.maximum(predicted, 1e-300)

    def _held_by_bound(self, rows: Index, gradient: Array) -> Mask:
        """Parameters that sit on a bound and would leave it outwards, shape (B, p)."""
        u = self.u[rows]
        low, high = u <= _rows(self.lower, rows), u >= _rows(self.upper, rows)
        return np.asarray((low & (gradient >= 0)) | (high & (gradient <= 0)))


class _Block(NamedTuple):
    """Some of the runs, and the problem on them."""

    problem: Problem
    runs: slice


def _blocks(problem: Problem, parameters: int) -> list[_Block]:
    n = problem.target.shape[-1]
    ends = np.linspace(0, n, 2 + n * parameters // _BLOCK_NUMBERS).round().astype(int).tolist()
    if len(ends) == 2:
        return [_Block(problem, slice(0, n))]
    at = np.arange(n)
    return [_Block(problem.only((at >= a) & (at < b)), slice(a, b)) for a, b in itertools.pairwise(ends)]


def _even_axes(metric: Array) -> Array:
    """Matrices T (B, p, p) with Tᵀ·metric·T = 1, but for the ridge."""
    size = np.einsum("bpp->bp", metric)
    unit = np.sqrt(np.maximum(size, 1e-14 * np.maximum(size.max(axis=1, keepdims=True), 1e-280)))
    shape = metric / (unit[:, :, None] * unit[:, None, :]) + _RIDGE * np.eye(metric.shape[1])
    return np.asarray(np.linalg.inv(np.linalg.cholesky(shape)).transpose(0, 2, 1) / unit[:, :, None])


def _times(matrices: Array, vectors: Array) -> Array:
    """Matrices (B, p, q) times vectors (B, q): shape (B, p)."""
    return np.asarray((matrices @ vectors[:, :, None])[..., 0])


def _rows(of: Array, rows: Index) -> Array:
    """Some rows of B, or the one row that all share."""
    return of if len(of) == 1 else of[rows]


def _next_damping(damping: Array, better: Mask, agreement: Array) -> Array:
    """Trust the quadratic more where it predicted well, less where a step failed."""
    factor = np.where(agreement > 0.75, 0.2, np.where(agreement > 0.25, 0.5, 2.0))
    return damping * np.where(better, factor, 5.0)
