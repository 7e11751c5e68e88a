"""A smoothly broken power law with one break (Caballero et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.axis import LETTER, UNIT, WORD, among
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log, softplus
from scaling_core.laws.powers import MAX_EXPONENT


class Broken(FormulaLaw):
    """L(x) = a + b·x^(−c0)·(1 + (x/d1)^(1/f1))^(−c1·f1)."""

    source = "Caballero et al. 2022, arXiv 2210.14891, eq. 1 with one break"
    linear = ("a", "b")

    def __init__(self, predictor: str) -> None:
        letter, word = LETTER[predictor], WORD[predictor]
        self.name = f"broken-{letter.lower()}"
        self.title = f"Broken power law L({letter})"
        self.latex = (
            f"L({letter}) = {{a}} + {{b}} \\, {letter}^{{{{-{{c0}}}}}} "
            f"\\left(1 + ({letter}/{{d1}})^{{{{1/{{f1}}}}}}\\right)^{{{{-{{f1}} \\cdot {{c1}}}}}}"
        )
        self.predictors = (predictor,)
        self.parameters = (
            Parameter("a", "a", "irreducible loss", "nats per token"),
            Parameter("b", "b", f"loss above the limit at {letter} = 1", "nats per token", log=True),
            Parameter("c0", "c_0", f"how fast loss falls with {word} before the break", "", upper=MAX_EXPONENT),
            Parameter("c1", "c_1", "how much faster it falls beyond the break", "", lower=-MAX_EXPONENT, upper=10.0),
            Parameter("d1", "d_1", f"{word} where the break lies", UNIT[predictor], log=True),
            Parameter("f1", "f_1", f"how wide the break is in ln {letter}", "", lower=0.05, upper=10.0, log=True),
        )
        self.centring: Mapping[str, Shifts] = {"b": (("c0", predictor),), "d1": ((1.0, predictor),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        x = z[self.predictors[0]]
        turned = p["f1"] * softplus((x - log(p["d1"])) / p["f1"])
        return p["a"] + p["b"] * exp(-p["c0"] * x - p["c1"] * turned)

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Breaks among the runs, narrow and wide, up and down."""
        places = np.quantile(z[self.predictors[0]], (0.15, 0.4, 0.65, 0.85))
        return {"c0": (0.03, 0.2), "c1": (-0.1, 0.1, 0.8), "d1": np.exp(places), "f1": (0.15, 0.8)}

    def limits(self, z: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
        """A break with hardly a run beyond it would serve to pass through those few."""
        return {"d1": among(z[self.predictors[0]])}
