"""A power law in the ratio of two columns, with an offset: ``ratio:accuracy_data/devices``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.custom_latex import quantity
from scaling_core.laws.formula import FormulaLaw
from scaling_core.laws.jet import exp
from scaling_core.laws.powers import MAX_EXPONENT

FAMILY = "ratio"
_COLUMN = {"N": "params", "D": "tokens", "C": "flops", "U": "unique_tokens", "L": "proxy_loss", "loss": "proxy_loss"}
#: A name with a stroke in it stands in square brackets.
_TEXT = re.compile(r"^\s*(?:\[([^\[\]]+)\]|([^\[\]/]+?))\s*/\s*(?:\[([^\[\]]+)\]|([^\[\]/]+?))\s*$")
_EXPONENTS = np.geomspace(0.03, 1.6, 10)


class RatioLaw(FormulaLaw):
    """L(x, y) = a·(x/y)^b + c: what counts is the one quantity for each unit of the other."""

    source = "power law with offset (Henighan et al. 2020, arXiv 2010.14701, eq. 1.1) in a ratio"
    linear = ("a", "c")

    def __init__(self, above: str, below: str) -> None:
        names = (_COLUMN.get(above, above), _COLUMN.get(below, below))
        x, y = (quantity(name) for name in names)
        self.name = f"{FAMILY}:{_bracketed(names[0])}/{_bracketed(names[1])}"
        self.title = f"Power law in {above}/{below}"
        ratio = rf"\frac{{{x}}}{{{y}}}".replace("{", "{{").replace("}", "}}")
        self.latex = rf"L = {{a}} \, \left({ratio}\right)^{{{{{{b}}}}}} + {{c}}"
        self.predictors = names
        self.parameters = (
            Parameter("a", "a", "size above the constant where both are equal", "", log=True),
            Parameter("b", "b", "exponent of the ratio", "", lower=-MAX_EXPONENT, upper=MAX_EXPONENT),
            Parameter("c", "c", "constant that the law tends to", ""),
        )
        self.centring = {"a": (("-b", names[0]), ("b", names[1]))}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the two columns."""
        above, below = self.predictors
        return p["a"] * exp(p["b"] * (z[above] - z[below])) + p["c"]

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Exponents of both signs: whether loss falls with the ratio is for the runs to say."""
        return {"b": np.concatenate([-_EXPONENTS[::-1], _EXPONENTS])}


def _bracketed(name: str) -> str:
    return f"[{name}]" if "/" in name else name


@lru_cache(maxsize=128)
def ratio_law(text: str) -> RatioLaw:
    """Make the law of ``COLUMN/COLUMN``; N, D, C, U and L stand for their columns.

    Raises
    ------
    UserError
        If the text is not of that form, or names one column twice.
    """
    match = _TEXT.match(text)
    if not match:
        raise UserError(
            f"“{text}” does not name two columns.",
            fix="Write ratio:accuracy_data/devices, say; a name with / in it in square brackets.",
        )
    above, below = (match[1] or match[2], match[3] or match[4])
    if _COLUMN.get(above, above) == _COLUMN.get(below, below):
        raise UserError(f"The ratio of “{above}” to itself is always 1.", fix="Name two different columns.")
    return RatioLaw(above, below)
