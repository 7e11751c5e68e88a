"""Where the search for a typed formula's parameters starts: exponents over a range, sizes by what they stand beside.

Terms of a sum are taken to be alike in the middle of the runs, and a product to have the size that is asked of it. That
gives every size that is not solved for a value of the right order, around which a log grid is laid.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from scaling_core.laws.base import Array
from scaling_core.laws.custom_roles import Kind, Role
from scaling_core.laws.custom_tree import (
    Call,
    Node,
    Power,
    Product,
    Sum,
    Unknown,
    constant,
    evaluate,
    is_constant,
    unknowns,
)

#: Values a parameter of a full grid; with more parameters than these, points are spread at random instead.
_STEPS = {1: 16, 2: 6, 3: 4, 4: 3}
_SPREAD = 128
_RANGE: dict[Kind, tuple[float, float]] = {
    "exponent": (0.02, 1.6),
    "joint": (0.1, 2.0),
    "size": (0.05, 20.0),
    "offset": (0.05, 2.0),
    "free": (0.05, 20.0),
}
_SMALLEST, _LARGEST = 1e-120, 1e120


def starts(
    tree: Node, roles: Mapping[str, Role], linear: tuple[str, ...], z: Mapping[str, Array], loss: Array
) -> dict[str, Array]:
    """Start points, (S,) of each parameter that is not linear; ``z`` is ln of the columns, ``loss`` (n,)."""
    open_ = [name for name in roles if name not in linear]
    if not open_:
        return {}
    shares = dict(zip(open_, _cube(len(open_)).T, strict=True))
    known = {n: _of_range(roles[n], s) for n, s in shares.items() if roles[n].kind in ("exponent", "joint")}
    middle = {column: np.asarray(values, dtype=float).mean() for column, values in z.items()}
    balance = _Balance(dict(known), set(linear), middle, len(next(iter(shares.values()))))
    with np.errstate(all="ignore"):
        balance.settle(tree, balance.full(loss.mean()))
    return {n: known[n] if n in known else _around(balance.p[n], roles[n], shares[n]) for n in open_}


def _cube(k: int) -> Array:
    """Points of the unit cube, (S, k): a full grid, or for many parameters each axis evenly and in its own order."""
    if k in _STEPS:
        return np.array(list(itertools.product(np.linspace(0, 1, _STEPS[k]), repeat=k)))
    rng = np.random.default_rng(0)
    return np.stack([(rng.permutation(_SPREAD) + 0.5) / _SPREAD for _ in range(k)], axis=1)


def _of_range(role: Role, share: Array) -> Array:
    """Values from the kind's range, on a log scale; of both signs where the parameter may have both."""
    low, high = np.log(_RANGE[role.kind])
    if role.parameter.lower >= 0:
        return np.asarray(np.exp(low + share * (high - low)))
    turned = 2 * share - 1
    return np.asarray(np.sign(turned + 1e-9) * np.exp(low + np.abs(turned) * (high - low)))


def _around(value: Array, role: Role, share: Array) -> Array:
    return np.clip(np.abs(value), _SMALLEST, _LARGEST) * _of_range(role, share)


class _Balance:
    """Gives each open parameter the value that makes its part of the formula as large as is asked."""

    def __init__(self, p: dict[str, Array], linear: set[str], middle: Mapping[str, Array], count: int) -> None:
        self.p, self.linear, self.middle, self.count = p, linear, middle, count

    def full(self, value: float | Array) -> Array:
        """A number for every start."""
        return np.broadcast_to(np.clip(np.abs(value), _SMALLEST, _LARGEST), (self.count,))

    def settle(self, node: Node, target: Array) -> None:
        """Choose the open parameters of a node so that its size is ``target``, (S,)."""
        if not self._is_open(node):
            return
        match node:
            case Unknown():
                self.p[node.name] = target
            case Sum():
                self._settle_sum([t for _, t in node.terms], target)
            case Product():
                self._settle_product(node, target)
            case Power():
                self._settle_power(node, target)
            case Call():
                self.settle(node.argument, self._argument(node, target))

    def _settle_sum(self, terms: list[Node], target: Array) -> None:
        known = [t for t in terms if self._is_known(t)]
        sizes = self.full(sum(self._size(t) for t in known)) if known else target
        for term in terms:
            self.settle(term, sizes)

    def _settle_product(self, node: Product, target: Array) -> None:
        open_ = [(side, f) for side, f in node.factors if self._is_open(f)]
        if self.linear.intersection(unknowns(node)):
            left = self.full(1.0)  # the coefficient is solved for: the rest need only be of order one
        else:
            known = [self._size(f) ** side for side, f in node.factors if self._is_known(f)]
            left = self.full((target / np.prod([*known, self.full(1.0)], axis=0)) ** (1 / len(open_)))
        for side, factor in open_:
            self.settle(factor, left if side > 0 else self.full(1 / left))

    def _settle_power(self, node: Power, target: Array) -> None:
        if is_constant(node.base):
            self.settle(node.exponent, self.full(np.maximum(np.abs(np.log(target)), 1.0) / np.log(constant(node.base))))
            return
        self.settle(node.exponent, self.full(0.3))
        if self._is_open(node.base):
            exponent = evaluate(node.exponent, self.p, self.middle) if self._is_known(node.exponent) else 1.0
            self.settle(node.base, self.full(np.exp(np.clip(np.log(target) / exponent, -200, 200))))

    def _argument(self, node: Call, target: Array) -> Array:
        if node.function == "exp":
            return self.full(np.maximum(np.abs(np.log(target)), 1.0))
        return self.full(np.exp(np.minimum(target, 30.0)) if node.function == "log" else target**2)

    def _is_open(self, node: Node) -> bool:
        return any(name not in self.p and name not in self.linear for name in unknowns(node))

    def _is_known(self, node: Node) -> bool:
        return all(name in self.p for name in unknowns(node))

    def _size(self, node: Node) -> Array:
        return self.full(evaluate(node, self.p, self.middle))
