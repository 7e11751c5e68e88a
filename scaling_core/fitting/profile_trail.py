"""The trail of a profile: one parameter is moved along an axis of its own, and at each point the others are fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaling_core.fitting.options import Constraint, constrain
from scaling_core.fitting.sandwich import Sandwich
from scaling_core.fitting.solver import Problem, minimise
from scaling_core.laws import Array, Index

if TYPE_CHECKING:
    from scaling_core.fitting.fit import Posed

#: How far values are looked at: so many times the best one or a part of it, or in standard errors.
FARTHEST, _FARTHEST_ERRORS = 1e3, 60.0
#: First look, in standard errors; from there on twice as far each time.
_FIRST = (0.5, 1.0, 1.5, 2.0, 3.0)
#: Points between the last value that fits well enough and the first that does not.
_BETWEEN = 6
_MAX_SWEEPS = 4
#: Points of a trail start near their ends: one that needs more is begun again from its neighbours.
_MAX_ITERATIONS = 40
#: Step for derivatives of parameters by working coordinates, which are of order one.
_STEP = 1e-6


@dataclass(frozen=True)
class Axis:
    """A parameter as a coordinate of its own: ``t`` is ln(value/best) where it is positive, else value − best.

    Attributes
    ----------
    problem : Problem
        In working coordinates of which one is this parameter.
    u : array, shape (p,)
        The optimum in them.
    index : int
    best : float
        Value of the parameter there.
    in_ratio : bool
        Whether ``t`` is a logarithm.
    slope : float
        Derivative of the value by its coordinate.
    """

    problem: Problem
    u: Array
    index: int
    best: float
    in_ratio: bool
    slope: float

    @classmethod
    def through(cls, posed: Posed, u: Array, index: int) -> Axis:
        """Axis through the optimum ``u``; where centring moves the parameter, in coordinates without."""
        axis = cls.at(posed.problem, u, index)
        stays = np.isclose(posed.problem.working.coordinate(index, axis.best), u[index], rtol=1e-6, atol=1e-9)
        if stays and not axis.is_tied:
            return axis
        x = {name: posed.rows[name].to_numpy(dtype=float) for name in posed.law.predictors}
        working = posed.law.working(x, posed.scale, centred=False)
        held = tuple(Constraint(h.name, h.value, h.value) for h in posed.held)
        fixed = constrain(working, posed.law, (*posed.constraints, *held))
        problem = Problem(working, posed.objective, posed.problem.target, fixed)
        own = working.from_natural(posed.problem.working.to_natural(u))
        return cls.at(problem, np.clip(own, working.lower, working.upper), index)

    @property
    def is_tied(self) -> bool:
        """Whether other coordinates move the parameter too: a coefficient counted from the centre of the runs."""
        steps = _STEP * np.delete(np.eye(len(self.u)), self.index, axis=0)
        above, below = (_natural(self.problem, self.u + sign * steps, self.index) for sign in (1, -1))
        return bool(np.any(above != below))

    @classmethod
    def at(cls, problem: Problem, u: Array, index: int) -> Axis:
        """Axis through ``u`` in the coordinates of a problem."""
        step = _STEP * np.eye(len(u))[index]
        best, above, below = (float(_natural(problem, v, index)) for v in (u, u + step, u - step))
        lowest = float(_natural(problem, _with(u, index, problem.working.lower[index]), index))
        in_ratio = lowest >= 0 and best > _STEP * (1 + lowest)
        return cls(problem, u, index, best, in_ratio, (above - below) / (2 * _STEP))

    def value(self, t: float) -> float:
        """Value of the parameter."""
        return self.best * float(np.exp(t)) if self.in_ratio else self.best + float(t)

    def step(self, coordinate: float) -> float:
        """How far ``t`` goes when the coordinate goes so far from the optimum."""
        return abs(self.slope * coordinate) / (self.best if self.in_ratio else 1.0)

    def coordinates(self, t: Array) -> Array:
        """Working coordinate of the parameter at each ``t``."""
        own = np.array([self.problem.working.coordinate(self.index, self.value(float(x))) for x in t])
        return np.asarray(np.clip(own, self.problem.working.lower[self.index], self.problem.working.upper[self.index]))

    def limit(self, sign: int, error: float) -> float:
        """The farthest ``t`` to look at on a side."""
        working = self.problem.working
        bound = (working.lower if sign < 0 else working.upper)[self.index]
        end = float(_natural(self.problem, _with(self.u, self.index, bound), self.index))
        far = float(np.log(FARTHEST)) if self.in_ratio else _FARTHEST_ERRORS * error
        with np.errstate(divide="ignore"):
            t = float(np.log(end / self.best)) if self.in_ratio else end - self.best
        return float(np.clip(t, -far, far))


class Trail:
    """Points of a profile in order of ``t``, with what the other parameters are there, and the objective."""

    def __init__(self, axis: Axis, weights: Array, tangent: Array) -> None:
        self.axis, self.weights, self.tangent = axis, weights, tangent
        self.t, self.u = np.zeros(1), axis.u[None].copy()
        self.total = axis.problem.total(axis.problem.residuals(self.u), weights[None])
        self._fitted = float(self.total[0])

    @classmethod
    def until(cls, axis: Axis, weights: Array, spread: Sandwich, threshold: float, *, coarse: bool = False) -> Trail:
        """Look on both sides until the objective has risen by more than ``threshold``, then closer around its ends.

        ``coarse`` leaves out the closer look.
        """
        error = axis.step(float(np.sqrt(spread.covariance[axis.index, axis.index])))
        error = float(np.clip(error, 1e-6, 1.0)) if error > 0 else 0.1
        trail = cls(axis, weights, _tangent(axis, spread))
        limits = {sign: axis.limit(sign, error) for sign in (-1, 1)}
        trail.look(np.array([_towards(limits[s], s * f * error) for s in (-1, 1) for f in _FIRST]))
        reach = dict.fromkeys(limits, _FIRST[-1] * error)
        while going := [s for s in limits if trail.end(s, threshold)[1] and abs(limits[s]) > reach[s]]:
            for s in going:
                reach[s] *= 2
            trail.look(np.array([_towards(limits[s], s * f * reach[s]) for s in going for f in (0.7, 1.0)]))
        trail.sweep()
        if coarse:
            return trail
        trail.look(np.concatenate([trail.between(s, threshold) for s in limits]))
        trail.sweep()
        return trail

    @property
    def rise(self) -> Array:
        """Objective above the fit's."""
        return self.total - self._fitted

    def look(self, t: Array) -> None:
        """Fit the others at further points, each from the line through its neighbours and from the tangent."""
        new = np.setdiff1d(t, self.t)
        if not len(new):
            return
        right = np.clip(np.searchsorted(self.t, new), 1, max(len(self.t) - 1, 1))
        lines = self._line(new, right - 1, np.minimum(right, len(self.t) - 1))
        u, total = self._solve(new, np.stack([lines, self.axis.u + new[:, None] * self.tangent]))
        order = np.argsort(np.append(self.t, new))
        self.t = np.append(self.t, new)[order]
        self.u, self.total = np.append(self.u, u, axis=0)[order], np.append(self.total, total)[order]

    def sweep(self) -> None:
        """Start each point again from where its neighbours on either side lead, until none gets better."""
        at = np.arange(len(self.t))
        last = len(at) - 1
        for _ in range(_MAX_SWEEPS):
            below = self._line(self.t, np.maximum(at - 2, 0), np.maximum(at - 1, 0))
            above = self._line(self.t, np.minimum(at + 2, last), np.minimum(at + 1, last))
            u, total = self._solve(self.t, np.stack([below, above]))
            better = (total < self.total * (1 - 1e-9)) & (self.t != 0)
            if not better.any():
                return
            self.u[better], self.total[better] = u[better], total[better]

    def end(self, sign: int, threshold: float) -> tuple[float, bool]:
        """Where the objective has risen by ``threshold`` on a side, and whether it never did."""
        t, rise = self._side(sign)
        inside = int(np.flatnonzero(rise <= threshold)[-1])
        if inside == len(t) - 1:
            return float(t[-1]), True
        below, above = np.sqrt(np.maximum(rise[inside : inside + 2], 0.0))  # a parabola's root is straight
        share = (np.sqrt(threshold) - below) / (above - below) if above > below else 0.0
        return float(t[inside] + share * (t[inside + 1] - t[inside])), False

    def between(self, sign: int, threshold: float) -> Array:
        """Points around an end of the interval; none where it is open."""
        t, rise = self._side(sign)
        inside = int(np.flatnonzero(rise <= threshold)[-1])
        if inside == len(t) - 1:
            return np.zeros(0)
        return np.linspace(t[inside], t[inside + 1], _BETWEEN + 2)[1:-1]

    def _side(self, sign: int) -> tuple[Array, Array]:
        """Points from the optimum outwards."""
        mine = self.t * sign >= 0
        return self.t[mine][::sign], self.rise[mine][::sign]

    def _line(self, t: Array, a: Index, b: Index) -> Array:
        """Coordinates at ``t`` (k,) on the lines through points ``a`` and ``b`` (k,) of the trail."""
        apart = self.t[b] - self.t[a]
        share = np.where(apart != 0, (t - self.t[a]) / np.where(apart != 0, apart, 1.0), 0.0)
        return np.asarray(self.u[a] + share[:, None] * (self.u[b] - self.u[a]))

    def _solve(self, t: Array, starts: Array) -> tuple[Array, Array]:
        """Best of several starts (c, k, p) at each of ``t`` (k,): coordinates (k, p) and objective (k,)."""
        working, own = self.axis.problem.working, self.axis.coordinates(t)
        lower, upper = (np.tile(bound, (len(t), 1)) for bound in (working.lower, working.upper))
        lower[:, self.axis.index] = upper[:, self.axis.index] = own
        rows = (np.tile(lower, (len(starts), 1)), np.tile(upper, (len(starts), 1)))
        found = minimise(self.axis.problem, starts.reshape(-1, starts.shape[-1]), self.weights, _MAX_ITERATIONS, rows)
        totals = found.total.reshape(len(starts), len(t))
        best = totals.argmin(axis=0)
        return found.u.reshape(starts.shape)[best, np.arange(len(t))], totals.min(axis=0)


def _tangent(axis: Axis, spread: Sandwich) -> Array:
    """How the other coordinates follow ``t`` at the optimum."""
    column = spread.inverse[:, axis.index]
    own = float(column[axis.index])
    per_t = (axis.best if axis.in_ratio else 1.0) / axis.slope if axis.slope else 0.0
    return np.asarray(column / own * per_t if own > 0 else np.zeros_like(column))


def _towards(limit: float, t: float) -> float:
    """No farther than the limit on that side."""
    return float(np.sign(t)) * min(abs(t), abs(limit))


def _natural(problem: Problem, u: Array, index: int) -> Array:
    """One parameter of the law, shape (...), at working coordinates (..., p); others may be impossible there."""
    with np.errstate(all="ignore"):
        return np.asarray(problem.working.to_natural(u)[..., index])


def _with(u: Array, index: int, value: float) -> Array:
    out = u.copy()
    out[index] = value
    return out
