"""How good a model shall be, as people say it: a loss, or “as good as 70B on 1.4T”."""

from __future__ import annotations

import re

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.basis import Basis
from scaling_core.planning.surface import Surface
from scaling_core.units import parse_quantity

_MODEL = re.compile(
    r"^\s*(?:as good as\s+)?(?P<params>[^\s/]+(?:\s*params?)?)\s*(?:on|/)\s*(?P<tokens>\S+(?:\s*tokens?)?)\s*$", re.I
)
_FIX = "Write a loss, 2.1 say, or a model: 70B on 1.4T."


def read_goal(text: str, basis: Basis) -> float:
    """Return the loss that is meant; a model's is what the law says of it with endless data.

    Raises
    ------
    UserError
        If the text is neither a loss nor a model, or the law does not read N and D.
    """
    if match := _MODEL.match(text):
        return loss_of(basis, _number(match["params"], text), _number(match["tokens"], text))
    return _number(text, text)


def loss_of(basis: Basis, params: float, tokens: float) -> float:
    """Loss that a law gives a model of N parameters on D tokens.

    Raises
    ------
    UserError
        If the law does not read N and D.
    """
    if basis.law is None or not basis.has_optimum:
        raise UserError(f"{basis.title} does not say the loss of a model by its N and D.", fix="Choose a law in both.")
    surface = Surface(basis.law, basis.theta[None])
    return float(surface.loss(np.array([[params]]), np.array([[tokens]]))[0, 0])


def _number(text: str, typed: str) -> float:
    try:
        value = parse_quantity(text)
    except UserError:
        raise UserError(f"“{typed.strip()}” does not say how good.", fix=_FIX) from None
    if not value > 0:
        raise UserError(f"“{typed.strip()}” is not above zero.", fix=_FIX)
    return value
