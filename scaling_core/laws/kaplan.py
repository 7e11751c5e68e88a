"""The laws of Kaplan et al. 2020: a power of one scale over N, D or C, and the joint law in N and D."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.axis import LETTER, UNIT, WORD
from scaling_core.laws.base import Allocation, Array, Parameter, allocate
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp, log, softplus
from scaling_core.laws.optimum import two_power_split
from scaling_core.laws.powers import MAX_EXPONENT

_ARXIV = "Kaplan et al. 2020, arXiv 2001.08361"
#: A loss of 3 with an exponent of .01 puts the scale at 1e48 times the runs.
_REACH = (1e-60, 1e60)


class Kaplan(FormulaLaw):
    """L(x) = (x_c/x)^alpha_x: a power law told by the place where the loss is 1."""

    source = f"{_ARXIV}, eq. 1.1–1.3"

    def __init__(self, predictor: str) -> None:
        letter = LETTER[predictor]
        self._scale, self._exponent = f"{letter}_c", f"alpha_{letter}"
        self.name = f"kaplan-{letter.lower()}"
        self.title = f"Kaplan L({letter})"
        self.latex = (
            f"L({letter}) = \\left(\\frac{{{{{{{self._scale}}}}}}}{{{{{letter}}}}}\\right)^{{{{{{{self._exponent}}}}}}}"
        )
        self.predictors = (predictor,)
        self.parameters = (
            Parameter(self._scale, self._scale, f"{WORD[predictor]} at which loss is 1", UNIT[predictor], log=True),
            Parameter(self._exponent, rf"\alpha_{letter}", f"how fast loss falls with {WORD[predictor]}", "",
                      upper=MAX_EXPONENT),
        )  # fmt: skip
        self.centring: Mapping[str, Shifts] = {self._scale: ((1.0, predictor),)}
        self.reach = {self._scale: _REACH}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        return exp(p[self._exponent] * (log(p[self._scale]) - z[self.predictors[0]]))

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Exponents, each with the scale that gives the typical loss at the centre of the runs."""
        exponents = np.geomspace(0.02, 1.0, 12)
        return {self._exponent: exponents, self._scale: np.exp(np.log(loss).mean() / exponents)}


class KaplanJoint(FormulaLaw):
    """L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D."""

    name = "kaplan"
    title = "Kaplan L(N, D)"
    latex = (
        r"L(N,D) = \left[\left(\frac{{{N_c}}}{{N}}\right)^{{{alpha_N}/{alpha_D}}} + \frac{{{D_c}}}{{D}}\right]"
        r"^{{{alpha_D}}}"
    )
    predictors = ("params", "tokens")
    parameters = (
        Parameter("N_c", "N_c", "parameters at which loss is 1 with endless data", "parameters", log=True),
        Parameter("D_c", "D_c", "tokens at which loss is 1 with endless parameters", "tokens", log=True),
        Parameter("alpha_N", r"\alpha_N", "how fast loss falls with parameters", "", upper=MAX_EXPONENT),
        Parameter("alpha_D", r"\alpha_D", "how fast loss falls with tokens", "", lower=1e-3, upper=MAX_EXPONENT),
    )
    source = f"{_ARXIV}, eq. 1.5"
    notes = ("This law falls to zero loss with N and D: it has no irreducible part.",)
    centring: Mapping[str, Shifts] = {"N_c": ((1.0, "params"),), "D_c": ((1.0, "tokens"),)}
    reach: Mapping[str, tuple[float, float]] = {"N_c": _REACH, "D_c": _REACH}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        by_params = p["alpha_N"] / p["alpha_D"] * (log(p["N_c"]) - z["params"])
        by_tokens = log(p["D_c"]) - z["tokens"]
        return exp(p["alpha_D"] * (by_params + softplus(by_tokens - by_params)))

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Exponents, and scales that give the typical loss at the centre with some share of it due to N."""
        exponents, shares = (0.04, 0.08, 0.16, 0.32), (0.2, 0.5, 0.8)
        alpha_n, alpha_d, share = np.array(list(itertools.product(exponents, exponents, shares))).T
        log_sum = np.log(loss).mean() / alpha_d
        log_n = (log_sum + np.log(share)) * alpha_d / alpha_n
        return {"alpha_N": alpha_n, "alpha_D": alpha_d, "N_c": np.exp(log_n), "D_c": np.exp(log_sum) * (1 - share)}

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND, in closed form: the loss is lowest where the sum in brackets is."""
        n_c, d_c, alpha_n, alpha_d = (np.asarray(theta, dtype=float)[..., i, None] for i in range(4))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = alpha_n / alpha_d
            return allocate(
                self, theta, flops,
                lambda product: two_power_split(ratio * np.log(n_c), np.log(d_c), ratio, np.ones(1), product),
            )  # fmt: skip
