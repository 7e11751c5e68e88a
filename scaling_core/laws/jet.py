"""Numbers that carry their first and second derivatives: forward-mode differentiation, sparse in the parameters.

A law is written once, as ordinary arithmetic on its parameters; on arrays it gives values, on jets values with exact
derivatives. A jet holds only the derivatives that are not zero by structure, so a sum of separate terms costs about
what derivatives written by hand would (Griewank & Walther 2008, chapter 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.base import Array

Pair = tuple[int, int]


class Jet:
    """A value with derivatives by some of p parameters; all arrays broadcast against each other.

    Attributes
    ----------
    value : array
    grad : dict
        First derivatives by parameter index.
    hess : dict
        Second derivatives by (i, j) with i ≤ j.
    """

    __slots__ = ("grad", "hess", "value")
    __array_ufunc__ = None  # an array on the left lets us do the arithmetic

    def __init__(self, value: Array, grad: Mapping[int, Array], hess: Mapping[Pair, Array]) -> None:
        self.value, self.grad, self.hess = value, grad, hess

    @classmethod
    def variable(cls, value: Array, index: int) -> Jet:
        """The parameter of this index itself."""
        return cls(value, {index: np.ones_like(value)}, {})

    def chain(self, value: Array, first: Array, second: Array) -> Jet:
        """A function of this jet, by its value and its first two derivatives here."""
        grad = {i: first * g for i, g in self.grad.items()}
        hess = {pair: first * h for pair, h in self.hess.items()}
        indices = sorted(self.grad)
        for at, i in enumerate(indices):
            for j in indices[at:]:
                _add(hess, (i, j), second * self.grad[i] * self.grad[j])
        return Jet(value, grad, hess)

    def __add__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.grad, self.hess)
        return Jet(self.value + other.value, _sum(self.grad, other.grad), _sum(self.hess, other.hess))

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return self * -1.0

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return (-self) + other

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(self.value * other, _times(self.grad, other), _times(self.hess, other))
        grad = _sum(_times(self.grad, other.value), _times(other.grad, self.value))
        hess = _sum(_times(self.hess, other.value), _times(other.hess, self.value))
        for i, a in self.grad.items():
            for j, b in other.grad.items():
                _add(hess, (min(i, j), max(i, j)), (2.0 if i == j else 1.0) * a * b)
        return Jet(self.value * other.value, grad, hess)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * (other.reciprocal() if isinstance(other, Jet) else 1.0 / np.asarray(other, dtype=float))

    def __rtruediv__(self, other: Any) -> Any:
        return self.reciprocal() * other

    def __pow__(self, other: Any) -> Any:
        if isinstance(other, Jet):
            return exp(other * log(self))
        k = np.asarray(other, dtype=float)
        value = self.value**k
        return self.chain(value, k * self.value ** (k - 1), k * (k - 1) * self.value ** (k - 2))

    def __rpow__(self, other: Any) -> Any:
        return exp(self * np.log(other))

    def reciprocal(self) -> Jet:
        """One over this."""
        inverse = 1.0 / self.value
        return self.chain(inverse, -(inverse**2), 2 * inverse**3)


def exp(x: Any) -> Any:
    """e to the power of an array or a jet."""
    if not isinstance(x, Jet):
        return np.exp(x)
    value = np.exp(x.value)
    return x.chain(value, value, value)


def log(x: Any) -> Any:
    """Natural logarithm of an array or a jet."""
    if not isinstance(x, Jet):
        return np.log(x)
    inverse = 1.0 / x.value
    return x.chain(np.log(x.value), inverse, -(inverse**2))


def expm1(x: Any) -> Any:
    """e^x − 1 of an array or a jet, exact for small x."""
    if not isinstance(x, Jet):
        return np.expm1(x)
    slope = np.exp(x.value)
    return x.chain(np.expm1(x.value), slope, slope)


def softplus(x: Any) -> Any:
    """ln(1 + e^x) of an array or a jet, without overflow."""
    if not isinstance(x, Jet):
        return _softplus(x)
    share = _logistic(x.value)
    return x.chain(_softplus(x.value), share, share * (1 - share))


def logistic(x: Any) -> Any:
    """1 / (1 + e^−x) of an array or a jet, without overflow."""
    if not isinstance(x, Jet):
        return _logistic(x)
    s = _logistic(x.value)
    slope = s * (1 - s)
    return x.chain(s, slope, slope * (1 - 2 * s))


def where(condition: Any, a: Any, b: Any) -> Any:
    """Elementwise choice between two arrays or jets. Derivatives follow the chosen side."""
    if not isinstance(a, Jet) and not isinstance(b, Jet):
        return np.where(condition, a, b)
    a, b = (x if isinstance(x, Jet) else Jet(np.asarray(x, dtype=float), {}, {}) for x in (a, b))
    grad = {i: np.where(condition, a.grad.get(i, 0.0), b.grad.get(i, 0.0)) for i in {*a.grad, *b.grad}}
    hess = {k: np.where(condition, a.hess.get(k, 0.0), b.hess.get(k, 0.0)) for k in {*a.hess, *b.hess}}
    return Jet(np.where(condition, a.value, b.value), grad, hess)


def value_of(x: Any) -> Array:
    """The value of an array or a jet."""
    return x.value if isinstance(x, Jet) else np.asarray(x, dtype=float)


def _softplus(x: Array) -> Array:
    """From functions that run on whole vectors: ``np.logaddexp`` takes three times as long."""
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


def _logistic(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(np.asarray(x) > 0, 1.0, small) / (1.0 + small))


def _times(parts: Mapping[Any, Array], factor: Any) -> dict[Any, Array]:
    return {k: v * factor for k, v in parts.items()}


def _sum(a: Mapping[Any, Array], b: Mapping[Any, Array]) -> dict[Any, Array]:
    out = dict(a)
    for k, v in b.items():
        _add(out, k, v)
    return out


def _add(into: dict[Any, Array], key: Any, value: Array) -> None:
    into[key] = into[key] + value if key in into else value
