"""Reads a typed formula into a tree. What is not arithmetic cannot be said in it, and nothing of it is ever run.

Grammar, with Python's precedence (``^`` is ``**``)::

    sum    := product (("+" | "-") product)*
    product := factor (("*" | "/") factor)*
    factor := ("+" | "-") factor | power
    power  := atom [("**" | "^") factor]
    atom   := NUMBER | NAME | "[" COLUMN "]" | FUNCTION "(" sum ")" | "(" sum ")"
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple, NoReturn

from scaling_core.errors import UserError
from scaling_core.laws.custom_tree import (
    Call,
    Node,
    Number,
    Power,
    Quantity,
    Unknown,
    constant,
    is_constant,
    product,
    total,
)
from scaling_core.runs.schema import COLUMNS

MAX_LENGTH = 400
MAX_DEPTH = 30
#: A constant exponent beyond this is a slip: loss that falls so many powers at once was never seen.
MAX_POWER = 20.0
MAX_NAME = 30

#: Letters that the field writes, and the columns that they stand for.
LETTERS: dict[str, tuple[tuple[str, float], ...]] = {
    "N": (("params", 1.0),),
    "D": (("tokens", 1.0),),
    "C": (("flops", 1.0),),
    "U": (("unique_tokens", 1.0),),
    "M": (("tokens", 1.0), ("params", -1.0)),
    "L": (("proxy_loss", 1.0),),
    "loss": (("proxy_loss", 1.0),),
}
FUNCTIONS = {"exp": "exp", "log": "log", "ln": "log", "sqrt": "sqrt"}
GREEK = dict(zip(
    "αβγδεζηθικλμνξπρσςτυφχψω",
    ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
     "pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    strict=True,
))  # fmt: skip
_ALLOWED = (
    "A formula may hold numbers, + - * / ** ^ ( ), exp, log, sqrt, the quantities N, D, C, U and M = D/N, columns of "
    "the runs as [column], and parameters by any other name."
)
_LEFT_SIDE = re.compile(r"^\s*(?:L|loss)\s*(?:\([\w\s,]*\)\s*)?=(?!=)")
_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-zα-ω][A-Za-z0-9_α-ω]*)"
    r"|\[(?P<column>[^\[\]]+)\]"
    r"|(?P<operator>\*\*|[-+*/^()−·×])"
)
_SAME = {"^": "**", "−": "-", "·": "*", "×": "*"}
_NUMERIC = {name for name, column in COLUMNS.items() if column.numeric} - {"loss"}


class Token(NamedTuple):
    """A piece of the text: its kind, what it says, and where it starts and ends."""

    kind: str
    says: str
    start: int
    end: int


def parse(text: str) -> Node:
    """Read a formula.

    Raises
    ------
    UserError
        With the place and the piece that is not allowed.
    """
    return _Parser(text).whole()


def with_columns(text: str, names: frozenset[str]) -> str:
    """Put the columns ``names`` of some runs in brackets wherever the formula has a parameter of that name."""
    parts, last = [], 0
    for token in tokens(text):
        if token.kind == "name" and token.says in names and not _is_known(token.says):
            parts += [text[last : token.start], f"[{token.says}]"]
            last = token.end
    return "".join(parts) + text[last:]


def tokens(text: str) -> list[Token]:
    """Cut a formula into its pieces, without a left side ``L(N, D) =`` if it has one."""
    if len(text) > MAX_LENGTH:
        raise UserError(f"The formula has {len(text)} characters, more than {MAX_LENGTH}.", fix="Write a shorter one.")
    found = []
    left = _LEFT_SIDE.match(text)
    at = left.end() if left else 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            _refuse(text, at, at + 1, "is not part of any formula")
        kind, says = match.lastgroup, match[match.lastgroup]
        found.append(Token(kind, _plain(kind, says), at, match.end()))
        at = match.end()
    return found


def _plain(kind: str, says: str) -> str:
    if kind == "name":
        return "".join(GREEK.get(letter, letter) for letter in says)
    return _SAME.get(says, says).strip()


def _is_known(name: str) -> bool:
    return name in LETTERS or name in FUNCTIONS or name in _NUMERIC


def _refuse(text: str, start: int, end: int, why: str) -> NoReturn:
    piece = text[start:end]
    around = f"{text[max(0, start - 15) : start]}▸{piece}◂{text[end : end + 15]}"
    raise UserError(f"“{piece}” {why}: {around}", where=f"formula, character {start + 1}", fix=_ALLOWED)


class _Parser:
    """Reads pieces from left to right."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, self.depth = text, tokens(text), 0, 0

    def whole(self) -> Node:
        """Everything, to the end."""
        if not self.tokens:
            raise UserError("There is no formula.", fix="Write one like E + A/N**alpha + B/D**beta.")
        node = self._sum()
        if self.at < len(self.tokens):
            here = self.tokens[self.at]
            why = "closes nothing" if here.says == ")" else "needs an operator before it"
            self._refuse(here, why)
        return node

    def _sum(self) -> Node:
        terms = [(1, self._product())]
        while token := self._take("+", "-"):
            terms.append((1 if token.says == "+" else -1, self._product()))
        return self._checked(total(terms))

    def _product(self) -> Node:
        factors = [(1, self._factor())]
        while token := self._take("*", "/"):
            factor = self._factor()
            if token.says == "/" and is_constant(factor) and constant(factor) == 0:
                self._refuse(token, "divides by 0")
            factors.append((1 if token.says == "*" else -1, factor))
        return self._checked(product(factors))

    def _factor(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(self.tokens[min(self.at, len(self.tokens) - 1)], "is nested too deeply")
        sign = self._take("+", "-")
        node = self._factor() if sign else self._power()
        self.depth -= 1
        return total([(-1, node)]) if sign and sign.says == "-" else node

    def _power(self) -> Node:
        base = self._atom()
        if not (operator := self._take("**")):
            return base
        exponent = self._factor()
        if is_constant(exponent) and not abs(constant(exponent)) <= MAX_POWER:
            self._refuse(operator, f"raises to a power of {constant(exponent):g}, beyond {MAX_POWER:g}")
        return self._checked(Power(base, exponent))

    def _atom(self) -> Node:
        token = self._next()
        match token.kind:
            case "number":
                return self._number(token)
            case "column":  # the loss itself is what the formula gives
                return Quantity(token.says, LETTERS["loss"] if token.says == "loss" else ((token.says, 1.0),))
            case "name":
                return self._name(token)
        if token.says != "(":
            self._refuse(token, "stands where a number, a name or a bracket is expected")
        return self._until_closed(token)

    def _number(self, token: Token) -> Node:
        if not math.isfinite(float(token.says)):
            self._refuse(token, "is too large a number")
        return Number(token.says)

    def _name(self, token: Token) -> Node:
        name = token.says
        if opening := self._take("("):
            if name not in FUNCTIONS:
                self._refuse(token, "is not a function that a formula may use; to multiply, write *")
            return self._checked(Call(FUNCTIONS[name], self._until_closed(opening)))
        if name in FUNCTIONS:
            self._refuse(token, f"needs brackets after it, as in {name}(N)")
        if _is_known(name):
            return Quantity(name, LETTERS.get(name, ((name, 1.0),)))
        if len(name) > MAX_NAME or "__" in name:
            self._refuse(token, f"is no name for a parameter: up to {MAX_NAME} letters, digits and single _")
        return Unknown(name)

    def _until_closed(self, opening: Token) -> Node:
        node = self._sum()
        if not self._take(")"):
            if self.at < len(self.tokens):
                self._refuse(self.tokens[self.at], "needs an operator before it")
            self._refuse(opening, "is never closed")
        return node

    def _take(self, *operators: str) -> Token | None:
        if self.at < len(self.tokens) and self.tokens[self.at].kind == "operator":
            token = self.tokens[self.at]
            if token.says in operators:
                self.at += 1
                return token
        return None

    def _next(self) -> Token:
        if self.at == len(self.tokens):
            last = self.tokens[-1]
            self._refuse(last, "has nothing behind it")
        self.at += 1
        return self.tokens[self.at - 1]

    def _checked(self, node: Node) -> Node:
        """Refuse numbers among themselves that come to no number, at the piece read last."""
        if is_constant(node) and not math.isfinite(constant(node)):
            self._refuse(self.tokens[self.at - 1], "ends something that is not a finite number")
        return node

    def _refuse(self, token: Token, why: str) -> NoReturn:
        _refuse(self.text, token.start, token.end, why)
