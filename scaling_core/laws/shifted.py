"""A power law whose predictor starts from more than zero: L(x) = a·(x + d)^(−b) + c for x = N, D or C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaling_core.laws.axis import LETTER, UNIT, WORD
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import EXPONENT_GRID, FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log, softplus
from scaling_core.laws.powers import MAX_EXPONENT


class Shifted(FormulaLaw):
    """L(x) = a·(x + d)^(−b) + c, where d is what earlier training is worth."""

    source = "Hernandez et al. 2021, arXiv 2102.01293, section 2 (pre-training adds effective data), with an offset"
    linear = ("a", "c")

    def __init__(self, predictor: str) -> None:
        letter, word = LETTER[predictor], WORD[predictor]
        self.name = f"shifted-{letter.lower()}"
        self.title = f"Shifted power law L({letter})"
        self.latex = f"L({letter}) = {{a}} \\, ({letter} + {{d}})^{{{{-{{b}}}}}} + {{c}}"
        self.predictors = (predictor,)
        self.parameters = (
            Parameter("a", "a", f"loss above the offset at {letter} + d = 1", "nats per token", log=True),
            Parameter("b", "b", f"how fast loss falls with {word}", "", upper=MAX_EXPONENT),
            Parameter("c", "c", "irreducible loss", "nats per token"),
            Parameter("d", "d", f"{word} that the runs have before they begin", UNIT[predictor], log=True),
        )
        self.centring: Mapping[str, Shifts] = {"a": (("b", predictor),), "d": ((1.0, predictor),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        x = z[self.predictors[0]]
        return p["a"] * exp(-p["b"] * (x + softplus(log(p["d"]) - x))) + p["c"]

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from; d as a share of the typical x."""
        return {"d": (0.01, 0.1, 0.5, 2.0, 10.0), "b": EXPONENT_GRID}
