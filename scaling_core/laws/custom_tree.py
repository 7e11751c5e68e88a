"""A typed formula as a tree, and its value on arrays or jets. Nothing else can be said by a tree than arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from scaling_core.laws.base import Array
from scaling_core.laws.jet import Jet, exp, log


@dataclass(frozen=True)
class Number:
    """A number as it was written."""

    text: str

    @property
    def value(self) -> np.float64:
        """The number."""
        return np.float64(self.text)


@dataclass(frozen=True)
class Unknown:
    """A parameter of the law."""

    name: str


@dataclass(frozen=True)
class Quantity:
    """A positive quantity of a run: a product of powers of columns, named by its letter or its column."""

    name: str
    columns: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Sum:
    """Terms, each with its sign. A single one with a minus is a negative."""

    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Product:
    """Factors, each with +1 if it multiplies and −1 if it divides."""

    factors: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Power:
    """A base to an exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Call:
    """``exp``, ``log`` or ``sqrt`` of something."""

    function: str
    argument: Node


Node = Number | Unknown | Quantity | Sum | Product | Power | Call


def total(terms: list[tuple[int, Node]]) -> Node:
    """A sum in its simplest form: negative terms turn their sign, and one positive term is no sum."""
    plain = [(-sign, t.terms[0][1]) if _is_negative(t) else (sign, t) for sign, t in terms]
    return plain[0][1] if len(plain) == 1 and plain[0][0] > 0 else Sum(tuple(plain))


def product(factors: list[tuple[int, Node]]) -> Node:
    """A product in its simplest form: signs go before it, and one factor is no product."""
    sign = (-1) ** sum(_is_negative(f) for _, f in factors)
    plain = tuple((side, f.terms[0][1] if _is_negative(f) else f) for side, f in factors)
    node: Node = plain[0][1] if len(plain) == 1 and plain[0][0] > 0 else Product(plain)
    return total([(sign, node)])


def _is_negative(node: Node) -> TypeGuard[Sum]:
    return isinstance(node, Sum) and len(node.terms) == 1


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a node."""
    match node:
        case Sum():
            return tuple(t for _, t in node.terms)
        case Product():
            return tuple(f for _, f in node.factors)
        case Power():
            return (node.base, node.exponent)
        case Call():
            return (node.argument,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything in it, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def unknowns(node: Node) -> tuple[str, ...]:
    """Names of the parameters, by first appearance."""
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, Unknown)))


def columns(node: Node) -> tuple[str, ...]:
    """Columns that are read, by first appearance."""
    return tuple(dict.fromkeys(c for n in walk(node) if isinstance(n, Quantity) for c, _ in n.columns))


def is_constant(node: Node) -> bool:
    """Whether a node holds nothing but numbers."""
    return not any(isinstance(n, Unknown | Quantity) for n in walk(node))


def is_positive(node: Node, unknown: frozenset[str] = frozenset()) -> bool:
    """Whether a node is above 0 by its structure, or has no value; parameters in ``unknown`` are taken to be."""
    match node:
        case Number():
            return bool(node.value > 0)
        case Unknown():
            return node.name in unknown
        case Quantity():
            return True
        case Sum():
            return all(sign > 0 and is_positive(t, unknown) for sign, t in node.terms)
        case Product():
            return all(is_positive(f, unknown) for _, f in node.factors)
        case Power():
            return not is_constant(node.exponent) or is_positive(node.base, unknown)
        case Call(function="exp"):
            return True
        case Call(function="sqrt"):
            return is_positive(node.argument, unknown)
    return False


def evaluate(node: Node, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
    """Value from parameters by name (arrays or jets) and ln of the columns. NaN or infinite where there is none."""
    match node:
        case Number():
            return node.value
        case Unknown():
            return p[node.name]
        case Quantity():
            return np.exp(_log(node, p, z))
        case Sum():
            return _total([t if sign > 0 else -t for sign, t in ((s, evaluate(t, p, z)) for s, t in node.terms)])
        case Product():
            return _quotient([(side, evaluate(f, p, z)) for side, f in node.factors])
        case Power():
            return _power(node, p, z)
        case Call():
            return _call(node, p, z)


def constant(node: Node) -> float:
    """Value of a node that holds nothing but numbers."""
    with np.errstate(all="ignore"):
        return float(evaluate(node, {}, {}))


def second_derivatives(node: Node, names: tuple[str, ...]) -> set[tuple[int, int]]:
    """Pairs (i ≤ j) of parameters by which the second derivative is not zero by structure."""
    jets = {name: Jet.variable(np.ones(1), i) for i, name in enumerate(names)}
    with np.errstate(all="ignore"):
        return set(evaluate(node, jets, dict.fromkeys(columns(node), np.ones(1))).hess)


def _total(terms: list[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _quotient(factors: list[tuple[int, Any]]) -> Any:
    (side, first), *rest = factors
    value = first if side > 0 else 1.0 / first
    for side, factor in rest:
        value = value * factor if side > 0 else value / factor
    return value


def _power(node: Power, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
    exponent = evaluate(node.exponent, p, z)
    if is_constant(node.exponent) and not isinstance(node.base, Quantity):
        return evaluate(node.base, p, z) ** exponent
    return exp(exponent * _log(node.base, p, z))


def _call(node: Call, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
    if node.function == "log":
        return _log(node.argument, p, z)
    argument = evaluate(node.argument, p, z)
    return exp(argument) if node.function == "exp" else argument**0.5


def _log(node: Node, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
    """ln of a node; columns are given as logarithms, so powers of them need no detour."""
    match node:
        case Quantity():
            return _total([power * z[c] for c, power in node.columns])
        case Product() if is_positive(node):
            return _total([side * _log(f, p, z) for side, f in node.factors])
        case Power() if is_positive(node):
            return evaluate(node.exponent, p, z) * _log(node.base, p, z)
        case Call(function="exp"):
            return evaluate(node.argument, p, z)
    return log(evaluate(node, p, z))
