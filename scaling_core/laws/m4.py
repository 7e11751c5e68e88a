"""A law between two plateaus, that of guessing and that of the irreducible loss (Alabdulmohsin et al. 2022, M4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.axis import LETTER, WORD
from scaling_core.laws.base import Array, Parameter
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import Jet, log, logistic, softplus, value_of
from scaling_core.laws.powers import MAX_EXPONENT

_MAX_STEPS = 60
_ENOUGH = 1e-14


class M4(FormulaLaw):
    """(L − e)/(e0 − L)^a = b·x^c, solved for L between e and e0."""

    source = "Alabdulmohsin et al. 2022, arXiv 2209.06640, eq. 4 (M4)"
    notes = (
        "The loss of guessing, e0, is known only where some runs come near it: without such runs, fix it "
        "(ln of the vocabulary for tokens).",
    )

    def __init__(self, predictor: str) -> None:
        letter = LETTER[predictor]
        self.name = f"m4-{letter.lower()}"
        self.title = f"M4 between two plateaus L({letter})"
        self.latex = f"\\frac{{{{L - {{e}}}}}}{{{{({{e0}} - L)^{{{{{{a}}}}}}}}}} = {{b}} \\, {letter}^{{{{{{c}}}}}}"
        self.predictors = (predictor,)
        self.parameters = (
            Parameter("e", "e", "irreducible loss", "nats per token"),
            Parameter("e0", "e_0", "loss of guessing", "nats per token", upper=1e3, log=True),
            Parameter("a", "a", "how loss leaves the upper plateau; 0 is a power law", "", lower=0.01, upper=10.0),
            Parameter("b", "b", f"size of the right-hand side at {letter} = 1", "", log=True),
            Parameter("c", "c", f"exponent of {WORD[predictor]}, negative where they help", "", -MAX_EXPONENT, 0.0),
        )
        self.centring: Mapping[str, Shifts] = {"b": (("-c", predictor),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        height = p["e0"] - p["e"]
        right = log(p["b"]) + p["c"] * z[self.predictors[0]] - (1.0 - p["a"]) * log(height)
        return p["e"] + height * logistic(_log_odds(p["a"], right))

    def straighten(self, p: Mapping[str, Any]) -> dict[str, Any]:
        """Far below the upper plateau L is e + b·(e0 − e)^a·x^c: that product is what the runs tell."""
        return {"b": p["a"] * log(p["e0"] - p["e"])}

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Plateaus around the losses and exponents; b puts the typical loss at the centre of the runs."""
        low, high, middle = float(loss.min()), float(loss.max()), float(np.exp(np.log(loss).mean()))
        mesh = np.meshgrid(low * np.array([0.4, 0.9]), high * np.array([1.05, 2.0, 20.0]), [0.2, 1.0], [-0.15, -0.5])
        e, e0, a, c = (axis.ravel() for axis in mesh)
        return {"e": e, "e0": e0, "a": a, "c": c, "b": (middle - e) / (e0 - middle) ** a}


def _log_odds(a: Any, right: Any) -> Any:
    """Solve t − (1 − a)·softplus(t) = right: t is ln of (L − e)/(e0 − L).

    The left side rises with a slope between 1 and a and bends one way only, so Newton's steps from the outer side
    never overshoot. Two more steps on jets, with the slope held, carry the first and then the second derivatives.
    """
    a0, r0 = value_of(a), value_of(right)
    with np.errstate(all="ignore"):
        t: Any = np.where(a0 < 1, np.maximum(r0, r0 / a0), np.minimum(r0, r0 / a0))
        for _ in range(_MAX_STEPS):
            step = (t - (1.0 - a0) * softplus(t) - r0) / (1.0 - (1.0 - a0) * logistic(t))
            t = t - step
            if not np.any(np.abs(step) > _ENOUGH * (1.0 + np.abs(t))):
                break
        slope = 1.0 - (1.0 - a0) * logistic(t)
    if isinstance(a, Jet) or isinstance(right, Jet):
        for _ in range(2):
            t = t - (t - (1.0 - a) * softplus(t) - right) / slope
    return t
