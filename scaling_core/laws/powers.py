"""Laws that are sums of power-law terms: L = Σ_k c_k · Π_j x_j^(−e_kj), with coefficients and exponents unknown.

For fixed exponents such a law is linear in its coefficients, so start points come from variable projection: a
grid of exponents, and for each the non-negative least-squares coefficients (Golub & Pereyra 1973).
"""

from __future__ import annotations

import copy
import functools
import itertools
import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling_core.laws.base import Array, Evaluation, Index, Law, Mask, Predictors, Working
from scaling_core.laws.projection import nonnegative_least_squares

#: An exponent of 3 means that loss falls 8 times as x doubles: steeper than anything seen.
MAX_EXPONENT = 3.0
#: No term exceeds this many times the typical loss at the centre of the data.
MAX_COEFFICIENT = 1e3
_MAX_UNCENTRED = 1e60
_STEPS_PER_EXPONENT = {1: 16, 2: 6}


@dataclass(frozen=True)
class Term:
    """One term: a coefficient times powers. ``powers`` holds (exponent parameter, predictor) pairs."""

    coefficient: str
    powers: tuple[tuple[str, str], ...] = ()


class SumOfPowers(Law):
    """A law made of terms; a subclass states its terms and parameters."""

    terms: tuple[Term, ...]

    def predict(self, theta: Any, x: Predictors) -> Array:
        """Loss, shape (..., n), for parameters of shape (..., p) and predictors of shape (n,) or (..., n)."""
        theta = np.asarray(theta, dtype=float)
        return np.asarray(sum(self._term(term, theta, x) for term in self.terms))

    def jacobian(self, theta: Any, x: Predictors) -> Array:
        """Derivatives of the loss by the parameters, shape (..., n, p)."""
        theta = np.asarray(theta, dtype=float)
        n = len(next(iter(x.values()))) if x else 1
        out = np.zeros((*theta.shape[:-1], n, len(self.parameters)))
        for term in self.terms:
            out[..., self._index(term.coefficient)] += self._shape(term, theta, x)
            for exponent, column in term.powers:
                out[..., self._index(exponent)] -= np.log(x[column]) * self._term(term, theta, x)
        return out

    def working(self, x: Predictors, loss_scale: float, *, centred: bool = True) -> Working:
        """Bind the law to runs for a solver."""
        return _WorkingPowers(self, x, loss_scale, centred)

    def exponent_names(self) -> tuple[str, ...]:
        """Names of the parameters that are exponents, in order."""
        used = {e for term in self.terms for e, _ in term.powers}
        return tuple(name for name in self.parameter_names if name in used)

    def _index(self, name: str) -> int:
        return self.parameter_names.index(name)

    def _shape(self, term: Term, theta: Array, x: Predictors) -> Array:
        log_shape = np.zeros(np.broadcast_shapes((*theta.shape[:-1], 1), *map(np.shape, x.values())))
        for exponent, column in term.powers:
            log_shape = log_shape - theta[..., self._index(exponent), None] * np.log(x[column])
        return np.exp(log_shape)

    def _term(self, term: Term, theta: Array, x: Predictors) -> Array:
        return theta[..., self._index(term.coefficient), None] * self._shape(term, theta, x)


@dataclass(frozen=True)
class _BoundTerm:
    """A term with positions in place of names: coefficient index, exponent indices, centred ln x (m, n)."""

    coefficient: int
    exponents: tuple[int, ...]
    log_x: Array


class _PowersAt(Evaluation):
    """Terms at a batch of points; the powers, which cost most, are taken once."""

    def __init__(
        self, u: Array, terms: list[_BoundTerm], shapes: list[Array], parts: list[Array], value: Array
    ) -> None:
        self._u, self._terms, self._shapes, self._parts, self.value = u, terms, shapes, parts, value

    @classmethod
    def of(cls, u: Array, terms: list[_BoundTerm], shapes: list[Array]) -> _PowersAt:
        """Evaluate from the powers."""
        parts = [u[:, t.coefficient, None] * s for t, s in zip(terms, shapes, strict=True)]
        return cls(u, terms, shapes, parts, functools.reduce(operator.add, parts))

    def rows(self, kept: Index) -> Evaluation:
        shapes, parts = ([array[kept] for array in arrays] for arrays in (self._shapes, self._parts))
        return _PowersAt(self._u[kept], self._terms, shapes, parts, self.value[kept])

    def gradient(self) -> Array:
        out = np.empty((*self._u.shape, self.value.shape[1]))
        begun: set[int] = set()
        for term, shape, part in zip(self._terms, self._shapes, self._parts, strict=True):
            _add(out, begun, term.coefficient, shape)
            for index, log_x in zip(term.exponents, term.log_x, strict=True):
                _add(out, begun, index, -log_x, part)
        return out

    def curvature(self, v: Array) -> Array:
        p = self._u.shape[1]
        out = np.zeros((len(self._u), p, p))
        for term, shape in zip(self._terms, self._shapes, strict=True):
            if not term.exponents:
                continue
            weighted = v * shape
            c = self._u[:, term.coefficient]
            cross = -weighted @ term.log_x.T
            for a, i in enumerate(term.exponents):
                out[:, term.coefficient, i] += cross[:, a]
                out[:, i, term.coefficient] += cross[:, a]
                for b, j in enumerate(term.exponents):
                    out[:, i, j] += c * (weighted @ (term.log_x[a] * term.log_x[b]))
        return out


def _add(out: Array, begun: set[int], index: int, a: Array, b: Array | float = 1.0) -> None:
    """Add a·b to a parameter's derivatives; the first time it is put there, which spares a pass over the memory."""
    if index in begun:
        out[:, index] += a * b
    else:
        np.multiply(a, b, out=out[:, index])
        begun.add(index)


class _WorkingPowers(Working):
    """Coefficients at the centre of the data over the loss scale, and exponents as they are."""

    def __init__(self, law: SumOfPowers, x: Predictors, loss_scale: float, centred: bool) -> None:
        self._law = law
        self._scale = loss_scale
        self._n = len(next(iter(x.values())))
        self.centred = centred
        self._centres = {c: float(np.log(x[c]).mean()) if centred else 0.0 for c in law.predictors}
        self._terms = [self._bind(term, x) for term in law.terms]
        exponents = set(law.exponent_names())
        self._exponent_indices = [i for i, n in enumerate(law.parameter_names) if n in exponents]
        largest = MAX_COEFFICIENT if centred else _MAX_UNCENTRED
        self.lower = np.zeros(len(law.parameters))
        self.upper = np.full(len(law.parameters), largest)
        for i in self._exponent_indices:
            self.lower[i], self.upper[i] = law.parameters[i].lower, law.parameters[i].upper

    def only(self, kept: Mask) -> Working:
        thin = copy.copy(self)
        thin._n = int(kept.sum())
        thin._terms = [replace(t, log_x=t.log_x[:, kept]) for t in self._terms]
        return thin

    def coordinate(self, index: int, value: float) -> float:
        return value if index in self._exponent_indices else value / self._scale

    def at(self, u: Array) -> Evaluation:
        return _PowersAt.of(u, self._terms, self._shapes(u))

    def to_natural(self, u: Array) -> Array:
        return self._move(u, self._scale, +1.0)

    def from_natural(self, theta: Array) -> Array:
        return self._move(theta, 1.0 / self._scale, -1.0)

    def starts(self, loss: Array) -> Array:
        k = len(self._exponent_indices)
        grid = np.geomspace(0.02, 1.6, _STEPS_PER_EXPONENT.get(k, 4))
        return self._project(np.array(list(itertools.product(grid, repeat=k))), loss)

    def _bind(self, term: Term, x: Predictors) -> _BoundTerm:
        names = self._law.parameter_names
        rows = [np.log(x[column]) - self._centres[column] for _, column in term.powers]
        return _BoundTerm(
            names.index(term.coefficient),
            tuple(names.index(e) for e, _ in term.powers),
            np.array(rows).reshape(len(rows), self._n),
        )

    def _shapes(self, u: Array) -> list[Array]:
        return [self._shape(t, u) for t in self._terms]

    def _shape(self, term: _BoundTerm, u: Array) -> Array:
        """Powers of the predictors in a term, shape (B, n), or (B, 1) where there are none."""
        if not term.exponents:
            return np.ones((len(u), 1))
        logs = (-u[:, i, None] * x for i, x in zip(term.exponents, term.log_x, strict=True))
        return np.asarray(np.exp(functools.reduce(operator.add, logs)))

    def _project(self, exponents: Array, loss: Array) -> Array:
        """Best non-negative coefficients for each row of exponents (S, k), by relative least squares."""
        u = np.zeros((len(exponents), len(self.lower)))
        u[:, self._exponent_indices] = exponents
        basis = np.stack(np.broadcast_arrays(*self._shapes(u)), axis=-1)  # (S, n, terms)
        coefficients = nonnegative_least_squares(basis / loss[:, None], np.ones(self._n))
        # An exact zero would freeze the term's exponent at its start: leave a trace to grow from.
        floor = 1e-3 * loss.mean() / basis.mean(axis=1)
        u[:, [t.coefficient for t in self._terms]] = np.maximum(coefficients, floor)
        return np.clip(u, self.lower, self.upper)

    def _move(self, point: Array, scale: float, sign: float) -> Array:
        """Shift coefficients between the centre of the data and x = 1, and between loss and scaled loss."""
        out = np.array(point, dtype=float, copy=True)
        for term, bound in zip(self._law.terms, self._terms, strict=True):
            shift = sum(
                (
                    point[..., i] * self._centres[column]
                    for i, (_, column) in zip(bound.exponents, term.powers, strict=True)
                ),
                start=np.zeros(point.shape[:-1]),
            )
            out[..., bound.coefficient] = point[..., bound.coefficient] * scale * np.exp(sign * shift)
        return out
