"""The Chinchilla law with the two terms joined by one more exponent (Busbridge et al. 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Array, Parameter, allocate
from scaling_core.laws.formula import EXPONENT_GRID, FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log
from scaling_core.laws.optimum import two_power_split
from scaling_core.laws.powers import MAX_EXPONENT


class GammaForm(FormulaLaw):
    """L(N, D) = E + (A/N^alpha + B/D^beta)^gamma."""

    name = "gamma"
    title = "Chinchilla with joint exponent"
    latex = r"L(N,D) = {E} + \left(\frac{{{A}}}{{N^{{{alpha}}}}} + \frac{{{B}}}{{D^{{{beta}}}}}\right)^{{{gamma}}}"
    predictors = ("params", "tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("A", "A", "size of the parameter term at N = 1", "", log=True),
        Parameter("B", "B", "size of the data term at D = 1", "", log=True),
        Parameter("alpha", r"\alpha", "how fast the parameter term falls", "", upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "how fast the data term falls", "", upper=MAX_EXPONENT),
        Parameter("gamma", r"\gamma", "how the two terms join; 1 is Chinchilla", "", lower=0.05, upper=5.0),
    )
    source = "Busbridge et al. 2025, arXiv 2502.08606, eq. 1"
    linear = ("E",)
    centring: Mapping[str, Shifts] = {"A": (("alpha", "params"),), "B": (("beta", "tokens"),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        terms = p["A"] * exp(-p["alpha"] * z["params"]) + p["B"] * exp(-p["beta"] * z["tokens"])
        return p["E"] + exp(p["gamma"] * log(terms))

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from."""
        sizes, slopes = loss.mean() * 0.3, EXPONENT_GRID[2:5:2]
        return {"A": (sizes, sizes / 4), "B": (sizes, sizes / 4), "gamma": (0.5, 1.0), "alpha": slopes, "beta": slopes}

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND, in closed form: the loss is lowest where the sum in brackets is."""
        _, a, b, alpha, beta, _ = (np.asarray(theta, dtype=float)[..., i, None] for i in range(6))
        with np.errstate(divide="ignore"):
            log_a, log_b = np.log(a), np.log(b)
        return allocate(self, theta, flops, lambda product: two_power_split(log_a, log_b, alpha, beta, product))
