"""A line in log-log up to a break, and from there a power law with another exponent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.axis import LETTER, UNIT, WORD, among
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log, softplus
from scaling_core.laws.powers import MAX_EXPONENT

#: How far in ln x the corner is rounded. With a sharp one the best break often stands at a run, where the objective
#: has a corner itself and no derivative can tell a solver that it has arrived (Hudson 1966).
_ROUNDED = 0.05


class Piecewise(FormulaLaw):
    """L(x) = a·(x/d)^(−b0) up to the break d, a·(x/d)^(−b1) beyond."""

    source = "Hestness et al. 2017, arXiv 1712.00409, section 5 (small-data region, then a power law)"
    notes = ("The corner at the break is rounded: within about 10% of d the law lies a little beside both lines.",)
    linear = ("a",)

    def __init__(self, predictor: str) -> None:
        letter, word = LETTER[predictor], WORD[predictor]
        self.name = f"piecewise-{letter.lower()}"
        self.title = f"Piecewise power law L({letter})"
        branch = f"{{a}} \\, ({letter}/{{d}})^{{{{-{{%s}}}}}} & {letter} %s {{d}}"
        self.latex = (
            f"L({letter}) = \\begin{{{{cases}}}} {branch % ('b0', chr(92) + 'le')} "
            f"\\\\ {branch % ('b1', '>')} \\end{{{{cases}}}}"
        )
        self.predictors = (predictor,)
        self.parameters = (
            Parameter("a", "a", "loss at the break", "nats per token"),
            Parameter("d", "d", f"{word} where the exponent changes", UNIT[predictor], log=True),
            Parameter("b0", "b_0", f"how fast loss falls with {word} before the break", "", upper=MAX_EXPONENT),
            Parameter("b1", "b_1", f"how fast loss falls with {word} beyond the break", "", upper=MAX_EXPONENT),
        )
        self.centring: Mapping[str, Shifts] = {"d": ((1.0, predictor),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        beyond = z[self.predictors[0]] - log(p["d"])
        turned = _ROUNDED * softplus(beyond / _ROUNDED)
        return p["a"] * exp(-p["b0"] * beyond - (p["b1"] - p["b0"]) * turned)

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Breaks among the runs, with slopes from half to twice that of a line through all."""
        places = np.quantile(z[self.predictors[0]], np.linspace(0.1, 0.9, 9))
        slopes = (0.03, 0.2)
        return {"d": np.exp(places), "b0": slopes, "b1": slopes}

    def limits(self, z: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
        """A break with hardly a run beyond it would serve to pass through those few."""
        return {"d": among(z[self.predictors[0]])}
