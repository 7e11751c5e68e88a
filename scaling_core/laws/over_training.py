"""Loss in compute and tokens per parameter, for models trained far beyond the cheapest split (Gadre et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Array, Parameter, allocate
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp
from scaling_core.laws.optimum import FLOPS_PER_PARAM_TOKEN
from scaling_core.laws.powers import MAX_EXPONENT


class OverTraining(FormulaLaw):
    """L(C, M) = E + (a·M^eta + b·M^(−eta))·C^(−eta) with M = D/N and C = 6ND.

    C is 6ND by the law's definition, so it reads N and D. It is the Chinchilla law with alpha = beta = 2·eta, told in
    what over-training changes (M) and what it keeps (C).
    """

    name = "over-training"
    title = "Over-training L(C, D/N)"
    latex = (
        r"L(C,M) = {E} + \left({a} \, M^{{{eta}}} + {b} \, M^{{-{eta}}}\right) C^{{-{eta}}}"
        r",\quad M = D/N,\ C = 6ND"
    )
    predictors = ("params", "tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("a", "a", "size of the term that grows with tokens per parameter", "nats per token", log=True),
        Parameter("b", "b", "size of the term that shrinks with tokens per parameter", "nats per token", log=True),
        Parameter("eta", r"\eta", "how fast loss falls with compute at one D/N", "", upper=MAX_EXPONENT / 2),
    )
    source = "Gadre et al. 2024, arXiv 2403.08540, eq. 4"
    linear = ("E", "a", "b")
    centring: Mapping[str, Shifts] = {"a": ((2.0, "eta", "params"),), "b": ((2.0, "eta", "tokens"),)}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors: M/C = 1/(6N²) and 1/(MC) = 1/(6D²)."""
        log6 = float(np.log(FLOPS_PER_PARAM_TOKEN))
        by_params = p["a"] * exp(-p["eta"] * (log6 + 2 * z["params"]))
        return p["E"] + by_params + p["b"] * exp(-p["eta"] * (log6 + 2 * z["tokens"]))

    def grid(self, z: Mapping[str, Array], loss: Array) -> dict[str, Any]:
        """Values to start from."""
        return {"eta": np.geomspace(0.01, 0.8, 16)}

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND: M* = (b/a)^(1/(2·eta)) at every budget."""
        _, a, b, eta = (np.asarray(theta, dtype=float)[..., i, None] for i in range(4))

        def split(product: Array) -> Array:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                params = np.sqrt(product) * np.exp((np.log(a) - np.log(b)) / (4 * eta))
            return np.where((params > 0) & np.isfinite(params), params, np.nan)

        return allocate(self, theta, flops, split)
