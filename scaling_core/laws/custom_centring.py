"""How the sizes of a typed formula move when its quantities are counted from the middle of the runs.

In A/N^alpha a change of unit of N can be taken up by A: ln A(c) = ln A − alpha·c. A formula can be centred in a
quantity where everywhere it stands, a size of its own stands beside it that takes the change up. Then sizes and
exponents are nearly uncorrelated; otherwise the quantity stays as it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scaling_core.laws.custom_tree import (
    Call,
    Node,
    Power,
    Product,
    Quantity,
    Sum,
    Unknown,
    constant,
    is_constant,
    unknowns,
    walk,
)
from scaling_core.laws.formula import Shifts

#: A number and names of exponents, to be multiplied; None where a power is more than that.
Factors = tuple[float | str, ...] | None


@dataclass
class _Group:
    """Things multiplied with each other: sizes to the power of ±1, and columns with their powers."""

    sizes: list[tuple[str, float]] = field(default_factory=list)
    columns: list[tuple[Factors, str]] = field(default_factory=list)


def centring(tree: Node, sizes: set[str], exponents: set[str]) -> dict[str, Shifts]:
    """Shifts of ``FormulaLaw.centring``, given the names of positive sizes and of plain exponents."""
    once = {n for n, k in Counter(n.name for n in walk(tree) if isinstance(n, Unknown)).items() if k == 1}
    groups = _Groups(sizes & once, exponents).of(tree)
    found: dict[str, list[tuple[float | str, ...]]] = {}
    fixed: set[str] = set()
    for group in groups:
        if not group.sizes or any(factors is None for factors, _ in group.columns):
            fixed |= {column for _, column in group.columns}
            continue
        name, side = group.sizes[0]
        found[name] = [(*_times(factors, (-side,)), column) for factors, column in group.columns if factors]
    kept = {name: tuple(s for s in shifts if s[-1] not in fixed) for name, shifts in found.items()}
    return {name: shifts for name, shifts in kept.items() if shifts}


def _times(a: Factors, b: Factors) -> tuple[float | str, ...]:
    """Product of two, the number first."""
    if a is None or b is None:
        raise ValueError("a power that is more than a product has no factors")
    number = float(a[0]) * float(b[0])
    return (number, *a[1:], *b[1:])


class _Groups:
    """Collects the groups of a formula that hold columns."""

    def __init__(self, sizes: set[str], exponents: set[str]) -> None:
        self.sizes, self.exponents = sizes, exponents
        self.found: list[_Group] = []

    def of(self, tree: Node) -> list[_Group]:
        self._visit(tree)
        return [g for g in self.found if g.columns]

    def _visit(self, node: Node) -> None:
        match node:
            case Sum():
                for _, term in node.terms:
                    self._visit(term)
            case Call():
                self._visit(node.argument)
            case Product() | Power() | Quantity():
                group = _Group()
                self.found.append(group)
                self._expand(node, (1.0,), group)

    def _expand(self, node: Node, factors: Factors, group: _Group) -> None:
        match node:
            case Quantity():
                for column, power in node.columns:
                    group.columns.append((factors and _times(factors, (power,)), column))
            case Unknown() if node.name in self.sizes and factors in ((1.0,), (-1.0,)):
                group.sizes.append((node.name, float(factors[0])))
            case Product():
                for side, factor in node.factors:
                    self._expand(factor, factors and _times(factors, (float(side),)), group)
            case Power():
                self._expand_power(node, factors, group)
            case Sum() | Call():
                self._visit(node)

    def _expand_power(self, node: Power, factors: Factors, group: _Group) -> None:
        self._visit(node.exponent)
        own = isinstance(node.base, Product) and self.sizes.intersection(unknowns(node.base))
        if own or isinstance(node.base, Sum | Call):
            self._visit(node.base)
            return
        power = self._factors(node.exponent)
        self._expand(node.base, None if factors is None or power is None else _times(factors, power), group)

    def _factors(self, node: Node) -> Factors:
        """An exponent as a number times names, if it is that."""
        match node:
            case _ if is_constant(node):
                return (constant(node),)
            case Unknown() if node.name in self.exponents:
                return (1.0, node.name)
            case Sum(terms=((sign, term),)):
                inner = self._factors(term)
                return inner and _times(inner, (float(sign),))
            case Product() if all(side > 0 for side, _ in node.factors):
                return self._product([f for _, f in node.factors])
        return None

    def _product(self, nodes: list[Node]) -> Factors:
        total: Factors = (1.0,)
        for node in nodes:
            factors = self._factors(node)
            if factors is None or total is None:
                return None
            total = _times(total, factors)
        return total
