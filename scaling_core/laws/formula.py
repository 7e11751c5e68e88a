"""Laws written as one formula: derivatives, working coordinates and start points follow from it.

A subclass states its parameters and ``value``, in terms of the natural logarithms of its predictors. Derivatives are
exact (``scaling_core.laws.jet``). Positive scale parameters are worked on in ln, and where the law says how a change
of units of a predictor moves its parameters (``centring``), the predictors are centred for the solver.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws.base import Array, Evaluation, Index, Law, Mask, Predictors, Working
from scaling_core.laws.jet import Jet, exp, value_of
from scaling_core.laws.projection import mixed_least_squares

#: Exponents that start points try: from flat to steeper than anything published.
EXPONENT_GRID = (0.03, 0.08, 0.16, 0.3, 0.55, 1.0)
#: A term this much smaller or larger than the typical loss at the centre of the runs is not pinned down by them.
_FAINTEST, _LARGEST = 1e-9, 1e9
_MAX_STARTS = 400
#: Larger numbers have no square.
_OVERFLOW = 1e100

#: Factors and predictor, as in ``FormulaLaw.centring``.
Shifts = tuple[tuple[float | str, ...], ...]


class FormulaLaw(Law):
    """A law that states its value as arithmetic on its parameters.

    Attributes
    ----------
    linear : tuple of str
        Parameters that the value is linear in, given the others: start points solve for them.
    centring : mapping
        For a parameter with ``log=True``: how ln of it moves when the logarithm of a predictor is counted from a
        centre c, as tuples of factors and the predictor: ln θ(c) = ln θ − Σ Π factors·c. A factor is a number or the
        name of another parameter, with a minus before it if need be. Only predictors that appear here are centred.
    together : mapping
        Predictors that are counted from the centre of another one.
    reach : mapping
        How many times smaller and larger than 1 a centred parameter may be, where the default would not do.
    """

    linear: tuple[str, ...] = ()
    centring: Mapping[str, Shifts] = {}
    together: Mapping[str, str] = {}
    reach: Mapping[str, tuple[float, float]] = {}

    @abstractmethod
    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name (arrays or jets, (..., 1)) and ln of the predictors, (n,)."""

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from for each parameter that is not linear; ``z`` is centred, ``loss`` (n,) as measured."""
        return {p.name: EXPONENT_GRID for p in self.parameters if p.name not in self.linear}

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Start points, (S,) of each parameter that is not linear: all combinations of ``grid``.

        A law whose good starts go together states them here instead.
        """
        grid = self.grid(z, loss)
        mesh = np.meshgrid(*grid.values(), indexing="ij")
        return {name: axis.ravel() for name, axis in zip(grid, mesh, strict=True)}

    def limits(self, z: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
        """Bounds that the runs set: a break must have some on both sides. ``z`` and values as in ``grid``."""
        return {}

    def straighten(self, p: Mapping[str, Any]) -> dict[str, Any]:
        """What the solver adds to ln of a parameter with ``log=True``, from parameters that nothing else moves.

        It turns a curved valley, along which some parameters change together at no cost, into a straight one.
        """
        return {}

    def predict(self, theta: Any, x: Predictors) -> Array:
        """Loss, shape (..., n), for parameters of shape (..., p) and predictors of shape (n,) or (..., n)."""
        theta = np.asarray(theta, dtype=float)
        z = _logs(x)
        value = value_of(self.value({n: theta[..., i, None] for i, n in enumerate(self.parameter_names)}, z))
        return np.broadcast_to(value, np.broadcast_shapes((*theta.shape[:-1], 1), *map(np.shape, z.values()))).copy()

    def jacobian(self, theta: Any, x: Predictors) -> Array:
        """Derivatives of the loss by the parameters, shape (..., n, p)."""
        theta = np.asarray(theta, dtype=float)
        z = _logs(x)
        jets = {n: Jet.variable(theta[..., i, None], i) for i, n in enumerate(self.parameter_names)}
        out = np.zeros((*theta.shape[:-1], _count(z), len(self.parameters)))
        for i, slope in self.value(jets, z).grad.items():
            out[..., i] = slope
        return out

    def working(self, x: Predictors, loss_scale: float, *, centred: bool = True) -> Working:
        """Bind the law to runs for a solver."""
        return _WorkingFormula(self, x, loss_scale, centred)


def _logs(x: Predictors) -> dict[str, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: np.log(np.asarray(v, dtype=float)) for name, v in x.items()}


def _count(z: Mapping[str, Array]) -> int:
    return max((np.size(v) for v in z.values()), default=1)


class _FormulaAt(Evaluation):
    """A formula at a batch of points; derivatives are taken when asked for."""

    def __init__(self, bound: _WorkingFormula, u: Array) -> None:
        self._bound, self._u = bound, u
        self._jet: Jet | None = None
        value = value_of(bound.law.value(bound.named([column[:, None] for column in u.T]), bound.z))
        self.value = np.broadcast_to(value, (len(u), bound.count)) / bound.scale

    def rows(self, kept: Index) -> Evaluation:
        part = copy.copy(self)
        part._u, part.value, part._jet = self._u[kept], self.value[kept], None
        return part

    def gradient(self) -> Array:
        out = np.zeros((*self._u.shape, self._bound.count))
        for i, slope in self._derivatives().grad.items():
            out[:, i] = slope / self._bound.scale
        return out

    def curvature(self, v: Array) -> Array:
        p = self._u.shape[1]
        out = np.zeros((len(self._u), p, p))
        for (i, j), bend in self._derivatives().hess.items():
            out[:, i, j] = out[:, j, i] = np.sum(v * bend, axis=1) / self._bound.scale
        return out

    def _derivatives(self) -> Jet:
        if self._jet is None:
            own = [Jet.variable(column[:, None], i) for i, column in enumerate(self._u.T)]
            self._jet = self._bound.law.value(self._bound.named(own), self._bound.z)
        return self._jet


class _WorkingFormula(Working):
    """Positive scale parameters in ln and counted from the centre of the runs; the others as they are."""

    def __init__(self, law: FormulaLaw, x: Predictors, loss_scale: float, centred: bool) -> None:
        self.law, self.scale = law, loss_scale
        self.names = law.parameter_names
        self.in_log = np.array([p.log for p in law.parameters])
        moved = {shift[-1] for shifts in law.centring.values() for shift in shifts} if centred else set()
        logs = _logs(x)
        self.count = _count(logs)
        middles = {c: float(z.mean()) if c in moved else 0.0 for c, z in logs.items()}
        self._centre = {c: middles[law.together.get(c, c)] for c in logs}
        self.z = {c: z - self._centre[c] for c, z in logs.items()}
        self._straight = centred
        self.centred = bool(moved) or not law.centring
        self.lower, self.upper = (np.array(b) for b in zip(*map(self._bounds, law.parameters), strict=True))
        for name, (low, high) in law.limits(self.z).items():
            i = self.names.index(name)
            self.lower[i] = max(self.lower[i], self.coordinate(i, low))
            self.upper[i] = min(self.upper[i], self.coordinate(i, high))

    def _bounds(self, parameter: Any) -> tuple[float, float]:
        if not parameter.log:
            return parameter.lower, parameter.upper
        if any(self._centre[str(column)] for *_, column in self.law.centring.get(parameter.name, ())):
            low, high = np.log(self.law.reach.get(parameter.name, (_FAINTEST, _LARGEST)))
            return float(low), float(high)
        return float(np.log(max(parameter.lower, 1e-150))), float(np.log(min(parameter.upper, 1e150)))

    def only(self, kept: Mask) -> Working:
        thin = copy.copy(self)
        thin.z, thin.count = {c: z[kept] for c, z in self.z.items()}, int(kept.sum())
        return thin

    def coordinate(self, index: int, value: float) -> float:
        return float(np.log(max(value, 1e-150))) if self.in_log[index] else value

    def at(self, u: Array) -> Evaluation:
        return _FormulaAt(self, u)

    def named(self, own: Sequence[Any]) -> dict[str, Any]:
        """Parameters of the law, with predictors counted from the centre, from coordinates as arrays or jets."""
        p = {n: exp(x) if log else x for n, x, log in zip(self.names, own, self.in_log, strict=True)}
        added = self.law.straighten(p) if self._straight else {}
        return {n: x * exp(-added[n]) if n in added else x for n, x in p.items()}

    def to_natural(self, u: Array) -> Array:
        columns = self.named(list(np.moveaxis(np.asarray(u, dtype=float), -1, 0))).values()
        theta = np.stack(np.broadcast_arrays(*columns), axis=-1)
        for i in np.flatnonzero(self.in_log):
            theta[..., i] *= np.exp(self._shift(u, self.names[i]))
        low, high = np.array([(p.lower, p.upper) for p in self.law.parameters]).T
        return np.asarray(np.clip(theta, low, high))  # e to the ln of a bound may lie a rounding beyond it

    def from_natural(self, theta: Array) -> Array:
        theta = np.asarray(theta, dtype=float)
        u = np.array(theta, dtype=float, copy=True)
        for i in np.flatnonzero(self.in_log):
            u[..., i] = np.log(np.maximum(theta[..., i], 1e-300)) - self._shift(theta, self.names[i])
        for name, added in self._added(theta).items():
            u[..., self.names.index(name)] += added
        return u

    def _added(self, theta: Array) -> dict[str, Array]:
        p = dict(zip(self.names, np.moveaxis(theta, -1, 0), strict=True))
        return self.law.straighten(p) if self._straight else {}

    def _shift(self, point: Array, name: str) -> Array:
        """Σ factor·c of a parameter; factors are plain coordinates, so ``point`` may be of either kind."""
        total = np.zeros(point.shape[:-1])
        for *factors, column in self.law.centring.get(name, ()):
            size = np.prod([self._factor(point, f) for f in factors], axis=0)
            total = total + size * self._centre[str(column)]
        return total

    def _factor(self, point: Array, factor: float | str) -> Any:
        if not isinstance(factor, str):
            return np.full(point.shape[:-1], factor)
        value = point[..., self.names.index(factor.removeprefix("-"))]
        return -value if factor.startswith("-") else value

    def starts(self, loss: Array) -> Array:
        points = self.law.points(self.z, loss * self.scale)
        count = len(next(iter(points.values()))) if points else 1
        theta = np.zeros((count, len(self.names)))
        for name, values in points.items():
            theta[:, self.names.index(name)] = values
        if count > _MAX_STARTS:
            theta = theta[np.linspace(0, count - 1, _MAX_STARTS).round().astype(int)]
        if self.law.linear:
            theta = self._project(theta, loss * self.scale)
        u = np.where(self.in_log, np.log(np.maximum(np.where(self.in_log, theta, 1.0), 1e-300)), theta)
        for name, added in self._added(theta).items():
            u[:, self.names.index(name)] += added
        return self._with_value(np.unique(np.clip(u, self.lower, self.upper), axis=0))

    def _with_value(self, u: Array) -> Array:
        """The start points at which the law can be evaluated on all runs."""
        with np.errstate(all="ignore"):
            sound = (np.abs(self.at(u).value) < _OVERFLOW).all(axis=1) if len(u) else np.zeros(0, dtype=bool)
        if not sound.any():
            raise UserError(
                f"{self.law.title} has no value at these runs.",
                fix="A root or logarithm of a negative number, a division by 0 or an overflow leaves none: change it.",
            )
        return u[sound]

    def _project(self, theta: Array, loss: Array) -> Array:
        """Solve for the linear parameters at each row, by relative least squares."""
        at = [self.names.index(n) for n in self.law.linear]
        jets = {n: Jet.variable(theta[:, i, None], i) for i, n in enumerate(self.names)}
        with np.errstate(all="ignore"):
            here = self.law.value(jets, self.z)
        shape = (len(theta), self.count)
        basis = np.stack([np.broadcast_to(here.grad[i], shape) for i in at], axis=-1)
        rest = np.broadcast_to(here.value, shape)
        sound = (np.abs(basis) < _OVERFLOW).all(axis=(1, 2)) & (np.abs(rest) < _OVERFLOW).all(axis=1)
        theta, basis, rest = theta[sound], basis[sound], rest[sound]
        signed = np.array([self.law.parameters[i].lower < 0 for i in at])
        coefficients = mixed_least_squares(basis / loss[:, None], 1.0 - rest / loss, signed)
        # an exact zero would freeze what the term's exponent does: leave a trace to grow from
        trace = 1e-3 * loss.mean() / np.maximum(np.abs(basis).mean(axis=1), 1e-300)
        theta[:, at] = np.where(signed, coefficients, np.maximum(coefficients, trace))
        return theta
