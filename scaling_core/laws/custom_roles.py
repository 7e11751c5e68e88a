"""What each parameter of a typed formula is, judged by where it stands: a size, an exponent, a constant.

Nobody states bounds or units with a formula. A parameter that scales something positive is taken to be positive and is
fitted by its logarithm; an exponent under which loss falls is 0 or more; what may well be of either sign is left free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scaling_core.laws.base import Parameter
from scaling_core.laws.custom_latex import symbol
from scaling_core.laws.custom_tree import (
    Call,
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Sum,
    Unknown,
    columns,
    constant,
    is_constant,
    is_positive,
    second_derivatives,
    unknowns,
)
from scaling_core.laws.powers import MAX_EXPONENT

#: Exponents that join terms rather than fall with a quantity: published ones lie between .4 and 1.3.
LEAST_JOINT, LARGEST_JOINT = 0.01, 5.0
_LEAST_DIVISOR = 1e-3
#: Loss falls as these grow.
_RESOURCES = {"params", "params_non_embedding", "tokens", "unique_tokens", "flops", "step"}
Kind = Literal["exponent", "joint", "size", "offset", "free"]
_MEANING = {
    "exponent": "exponent of a quantity",
    "joint": "exponent that joins terms",
    "size": "size of what it multiplies or adds to",
    "offset": "constant of 0 or more",
    "free": "number of either sign",
}


@dataclass(frozen=True)
class Role:
    """A parameter with what it is."""

    kind: Kind
    parameter: Parameter


@dataclass(frozen=True)
class Use:
    """One place where a parameter stands, as what, and what that place asks of its sign."""

    name: str
    place: Literal["exponent", "joint", "factor", "term"]
    sign: Literal["falls", "positive", "either"]
    divides: bool = False


@dataclass(frozen=True)
class _Context:
    """How a node reaches the value.

    ``way`` is −1 where the value falls as the node rises. ``within`` is the nearest of what its sign depends on: "sum"
    for plain arithmetic, "exp" for an exponential or a whole power, which take either sign, "log" for a logarithm or
    a broken power, which take positive numbers only; ``written`` is the sign that it has inside of that.
    """

    way: int = 1
    within: Literal["sum", "exp", "log"] = "sum"
    written: int = 1

    def turned(self, sign: int) -> _Context:
        return replace(self, way=self.way * sign, written=self.written * sign)

    def inside(self, within: Literal["exp", "log"], sign: int = 1) -> _Context:
        return _Context(self.way * sign, within)


def roles(tree: Node) -> dict[str, Role]:
    """The role of each parameter, by first appearance."""
    uses = list(_uses(tree, _Context()))
    linear = linear_in(tree)
    return {name: _role(name, [u for u in uses if u.name == name], name in linear) for name in unknowns(tree)}


def linear_in(tree: Node) -> tuple[str, ...]:
    """Parameters that the value is linear in, all at once, given the others: second derivatives are absent."""
    names = unknowns(tree)
    bends = second_derivatives(tree, names)
    chosen: list[int] = []
    for i in range(len(names)):
        if (i, i) not in bends and not any((j, i) in bends for j in chosen):
            chosen.append(i)
    return tuple(names[i] for i in chosen)


def direction(node: Node) -> int:
    """How a node moves as there are more resources, its parameters being positive: −1, 1, or 0 where that depends."""
    match node:
        case Quantity():
            return _of_columns(node)
        case Sum():
            return _agreed([sign * direction(t) for sign, t in node.terms if columns(t)])
        case Product():
            return _agreed([side * direction(f) for side, f in node.factors if columns(f)])
        case Power():
            return direction(node.exponent) if is_constant(node.base) else direction(node.base) * sign_of(node.exponent)
        case Call():
            return direction(node.argument)
    return 0


def sign_of(node: Node) -> int:
    """The sign that a node is written with, its parameters being positive: −1, 1, or 0 where that depends."""
    match node:
        case Number():
            return int(np.sign(node.value))
        case Sum():
            return _agreed([sign * sign_of(t) for sign, t in node.terms])
        case Product():
            return _written([f for _, f in node.factors])
    return 1


def _written(factors: Sequence[Node]) -> int:
    return int(np.prod([sign_of(f) for f in factors]))


def _of_columns(node: Quantity) -> int:
    (column, power), *others = node.columns
    if others:
        return 0
    return -1 if column == "proxy_loss" else int(np.sign(power)) if column in _RESOURCES else 0


def _agreed(signs: list[int]) -> int:
    return signs[0] if signs and len(set(signs)) == 1 else 0


def _uses(node: Node, at: _Context) -> Iterator[Use]:
    match node:
        case Unknown():
            yield Use(node.name, "term", "either" if at.within == "exp" else "positive")
        case Sum():
            yield from _in_sum(node, at)
        case Product():
            yield from _in_product(node, at)
        case Power():
            yield from _in_power(node, at)
        case Call():
            yield from _uses(node.argument, at.inside("exp" if node.function == "exp" else "log"))


def _in_sum(node: Sum, at: _Context) -> Iterator[Use]:
    """A constant beside a line of either slope is itself of either sign."""
    line = any(
        isinstance(t, Product)
        and any(isinstance(f, Unknown) for _, f in t.factors)
        and _factor_sign(t, at.turned(sign)) == "either"
        for sign, t in node.terms
    )
    for sign, term in node.terms:
        if line and isinstance(term, Unknown) and at.within == "sum":
            yield Use(term.name, "term", "either")
        else:
            yield from _uses(term, at.turned(sign))


def _in_product(node: Product, at: _Context) -> Iterator[Use]:
    sign = _factor_sign(node, at)
    for side, factor in node.factors:
        if isinstance(factor, Unknown):
            yield Use(factor.name, "factor", "positive" if side < 0 else sign, divides=side < 0)
        else:
            yield from _uses(factor, at.turned(side))


def _factor_sign(node: Product, at: _Context) -> Literal["positive", "either"]:
    """Whether a factor of a product may be taken to be positive."""
    if at.within == "log":
        return "positive"
    others = [f for _, f in node.factors if not isinstance(f, Unknown)]
    if at.within == "exp":
        return "positive" if at.written * (_written(others) or 1) < 0 else "either"
    sure = all(is_positive(f, frozenset(unknowns(f))) for f in others)
    turns = any(isinstance(n, Power) and unknowns(n.exponent) for f in others for n in (f, *_parts(f)))
    falls = at.way * direction(node) < 0
    return "positive" if sure and (turns or falls or not columns(node)) else "either"


def _parts(node: Node) -> tuple[Node, ...]:
    return tuple(f for _, f in node.factors) if isinstance(node, Product) else ()


def _in_power(node: Power, at: _Context) -> Iterator[Use]:
    if is_constant(node.base):  # 2**x is an exponential
        yield from _uses(node.exponent, at.inside("exp"))
        return
    if is_constant(node.exponent):
        power = constant(node.exponent)
        yield from _uses(node.base, at.inside("exp" if power.is_integer() else "log", int(np.sign(power)) or 1))
        return
    sign = sign_of(node.exponent)
    joint = any(isinstance(n, Power) and unknowns(n.exponent) for n in _inside(node.base))
    way = direction(node.base)
    if not way and set(columns(node.base)) <= _RESOURCES:  # it depends, so it is as written
        way = 1
    falls = at.way * way * sign < 0
    yield from _in_exponent(node.exponent, "joint" if joint else "exponent", "falls" if falls else "either")
    yield from _uses(node.base, at.inside("log", sign or 1))


def _in_exponent(
    node: Node, place: Literal["exponent", "joint"], sign: Literal["falls", "either"], side: int = 1
) -> Iterator[Use]:
    """Uses in an exponent: what multiplies a quantity there is no exponent in its own right."""
    match node:
        case Unknown():
            yield Use(node.name, place, sign, divides=side < 0)
        case Sum():
            for _, term in node.terms:
                yield from _in_exponent(term, place, sign, side)
        case Product() if not columns(node):
            for own, factor in node.factors:
                yield from _in_exponent(factor, place, sign, side * own)
        case _:
            yield from _uses(node, _Context(within="exp"))


def _inside(node: Node) -> Iterator[Node]:
    match node:
        case Sum():
            for _, term in node.terms:
                yield from _inside(term)
        case Product():
            for _, factor in node.factors:
                yield from _inside(factor)
        case _:
            yield node


def _role(name: str, uses: list[Use], linear: bool) -> Role:
    places = {u.place for u in uses}
    divides = any(u.divides for u in uses)
    if "joint" in places:
        return _made(name, "joint", LEAST_JOINT, LARGEST_JOINT)
    if "exponent" in places:
        falls = any(u.sign == "falls" for u in uses)
        lower = _LEAST_DIVISOR if divides else 0.0 if falls else -MAX_EXPONENT
        return _made(name, "exponent", lower, MAX_EXPONENT)
    if not divides and any(u.sign == "either" for u in uses):
        return _made(name, "free", -np.inf, np.inf)
    if linear and places == {"term"}:
        return _made(name, "offset", 0.0, np.inf)
    return _made(name, "size", 0.0, np.inf, log=True)


def _made(name: str, kind: Kind, lower: float, upper: float, *, log: bool = False) -> Role:
    return Role(kind, Parameter(name, symbol(name), _MEANING[kind], "", lower, upper, log))
