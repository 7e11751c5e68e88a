"""The Chinchilla terms added before a common power is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Array, Parameter, allocate
from scaling_core.laws.formula import EXPONENT_GRID, FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log, softplus
from scaling_core.laws.optimum import two_power_split
from scaling_core.laws.powers import MAX_EXPONENT


class AdditivePower(FormulaLaw):
    """L(N, D) = E + A·(N^(−alpha) + R·D^(−beta))^k."""

    name = "additive-power"
    title = "Additive power L(N, D)"
    latex = r"L(N,D) = {E} + {A} \left(N^{{-{alpha}}} + {R} \, D^{{-{beta}}}\right)^{{{k}}}"
    predictors = ("params", "tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("A", "A", "size of the reducible loss where the sum is 1", "nats per token", log=True),
        Parameter("R", "R", "size of the data term beside the parameter term", "", log=True),
        Parameter("alpha", r"\alpha", "how fast the parameter term falls", "", upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "how fast the data term falls", "", upper=MAX_EXPONENT),
        Parameter("k", "k", "power of the sum; 1 is Chinchilla", "", lower=0.05, upper=5.0),
    )
    source = "Skaling; the same curves as Busbridge et al. 2025, arXiv 2502.08606, eq. 1, with R for B/A"
    linear = ("E", "A")
    centring: Mapping[str, Shifts] = {
        "A": (("k", "alpha", "params"),),
        "R": (("-alpha", "params"), ("beta", "tokens")),
    }

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        by_params = -p["alpha"] * z["params"]
        by_tokens = log(p["R"]) - p["beta"] * z["tokens"]
        return p["E"] + p["A"] * exp(p["k"] * (by_params + softplus(by_tokens - by_params)))

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from."""
        return {"R": (0.4, 2.5), "k": (0.5, 1.0), "alpha": EXPONENT_GRID[2:5], "beta": EXPONENT_GRID[2:5]}

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND, in closed form: the loss is lowest where the sum in brackets is."""
        theta = np.asarray(theta, dtype=float)
        ratio, alpha, beta = (theta[..., i, None] for i in (2, 3, 4))
        with np.errstate(divide="ignore"):
            log_ratio = np.log(ratio)
        return allocate(
            self, theta, flops, lambda product: two_power_split(np.zeros(1), log_ratio, alpha, beta, product)
        )
