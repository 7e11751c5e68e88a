"""A straight line in ln x: L(x) = a − b·ln x for x = N, D or C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.axis import LETTER, WORD
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import FormulaLaw


class Logarithmic(FormulaLaw):
    """L(x) = a − b·ln x: every tenfold of x buys the same."""

    source = "Sun et al. 2017, arXiv 1707.02968, section 5.2 (accuracy rises with the logarithm of data)"
    notes = ("A line in ln x goes on falling below zero: it describes the runs' own range, not what lies far beyond.",)
    linear = ("a",)

    def __init__(self, predictor: str) -> None:
        letter = LETTER[predictor]
        self.name = f"log-{letter.lower()}"
        self.title = f"Logarithmic L({letter})"
        self.latex = f"L({letter}) = {{a}} - {{b}} \\ln {letter}"
        self.predictors = (predictor,)
        self.parameters = (
            Parameter("a", "a", f"loss that the line has at {letter} = 1", "nats per token"),
            Parameter("b", "b", f"what e times the {WORD[predictor]} take off the loss", "nats per token"),
        )

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        return p["a"] - p["b"] * z[self.predictors[0]]

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Slopes around that from the lowest to the highest loss."""
        slope = np.ptp(loss) / np.ptp(z[self.predictors[0]]) or loss.mean()
        return {"b": slope * np.linspace(0.1, 2.0, 10)}
