"""A typed formula in LaTeX: fractions, exponents and Greek letters, with symbols or numbers for the parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from scaling_core.laws.custom_tree import Call, Node, Number, Power, Product, Quantity, Sum, Unknown, columns, walk

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|"
    "omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_NAME = re.compile(rf"(?P<head>{_GREEK}|[A-Za-z](?=_|\d|[a-zA-Z]?$))_?(?P<index>\w*)$")
_LETTER = {"params": "N", "tokens": "D", "flops": "C", "unique_tokens": "U", "proxy_loss": "L", "loss": "L"}
_ESCAPED = {c: f"\\{c}" for c in "{}$&#_% "} | {"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim "}


class _Part(NamedTuple):
    """LaTeX with how tightly it holds together: 1 a sum, 2 a product, 3 a power, 4 a single sign."""

    text: str
    holds: int

    def at_least(self, needed: int) -> str:
        """The text, in brackets where it does not hold together enough."""
        return self.text if self.holds >= needed else rf"\left({self.text}\right)"


Writer = Callable[[str], _Part]


def symbol(name: str) -> str:
    """A parameter's name as a symbol: ``alpha`` is α, ``alpha_N`` and ``Nc`` have an index, a word stays a word."""
    match = _NAME.match(name)
    if not match:
        return rf"\mathrm{{{escaped(name)}}}"
    head = match["head"] if len(match["head"]) == 1 else f"\\{match['head']}"
    index = match["index"]
    return head if not index else f"{head}_{{{index if len(index) == 1 or index.isdigit() else word(index)}}}"


def word(name: str) -> str:
    """A word in upright letters."""
    return rf"\mathrm{{{escaped(name)}}}"


def escaped(name: str) -> str:
    """Text of any kind, made harmless."""
    return "".join(_ESCAPED.get(c, c) for c in name)


def quantity(name: str) -> str:
    """The letter of a quantity, or its column as a word."""
    return name if name in ("N", "D", "C", "U", "M", "L") else _LETTER.get(name) or word(name)


def formula(tree: Node, numbers: Mapping[str, str]) -> str:
    """The whole law, with numbers for parameters as far as given."""

    def write(name: str) -> _Part:
        return _number(numbers[name]) if name in numbers else _Part(symbol(name), 4)

    read = dict.fromkeys(quantity(n.name) for n in walk(tree) if isinstance(n, Quantity))
    left = r"\mathrm{cost}" if "proxy_loss" in columns(tree) else "L"
    meaning = r",\quad M = D/N" if "M" in read else ""
    return f"{left}({', '.join(read)}) = {_render(tree, write).text}{meaning}"


def _number(text: str) -> _Part:
    if text.startswith("-"):
        return _Part(text, 1)
    return _Part(text, 2 if "times" in text else 4)


def _written(text: str) -> str:
    """A number as typed, powers of ten as such."""
    mantissa, _, exponent = text.lower().partition("e")
    if not exponent:
        return mantissa
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa in ("1", "1.") else rf"{mantissa} \times {power}"


def _render(node: Node, write: Writer) -> _Part:
    match node:
        case Number():
            return _number(_written(node.text)) if "e" not in node.text.lower() else _Part(_written(node.text), 2)
        case Unknown():
            return write(node.name)
        case Quantity():
            return _Part(quantity(node.name), 4)
        case Sum():
            return _Part(_sum(node, write), 1)
        case Product():
            return _product(node, write)
        case Power():
            exponent = _flat(node.exponent, write)
            return _Part(f"{_render(node.base, write).at_least(4)}^{{{exponent}}}", 3)
        case Call():
            return _call(node, write)


def _sum(node: Sum, write: Writer) -> str:
    text = ""
    for sign, term in node.terms:
        part = _render(term, write)
        if part.text.startswith("-") and isinstance(term, Unknown | Number):  # a negative number turns the sign
            sign, part = -sign, _Part(part.text[1:], 2)
        joint = (" + " if sign > 0 else " - ") if text else ("" if sign > 0 else "-")
        text += joint + part.at_least(2)
    return text


def _product(node: Product, write: Writer) -> _Part:
    above = [_render(f, write) for side, f in node.factors if side > 0]
    below = [_render(f, write) for side, f in node.factors if side < 0]
    if not below:
        return _Part(_times(above), 2)
    return _Part(rf"\frac{{{_times(above) or '1'}}}{{{_times(below)}}}", 2)


def _times(parts: list[_Part]) -> str:
    if len(parts) == 1:
        return parts[0].text
    text = ""
    for part in parts:
        factor = part.at_least(2)
        text += (r" \cdot " if factor[:1].isdigit() else r" \, ") + factor if text else factor
    return text


def _flat(node: Node, write: Writer) -> str:
    """An exponent: a quotient of two signs is written with a stroke, since a fraction would be too small to read."""
    match node:
        case Product(factors=((1, Number() | Unknown() as a), (-1, Number() | Unknown() as b))):
            return f"{_render(a, write).at_least(2)}/{_render(b, write).at_least(4)}"
    return _render(node, write).text


def _call(node: Call, write: Writer) -> _Part:
    argument = _render(node.argument, write)
    if node.function == "exp":
        return _Part(f"e^{{{_flat(node.argument, write)}}}", 3)
    if node.function == "sqrt":
        return _Part(rf"\sqrt{{{argument.text}}}", 3)
    return _Part(rf"\ln {argument.at_least(4)}", 3)
