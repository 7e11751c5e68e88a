"""The Chinchilla law: loss falls separately with parameters and with tokens (Hoffmann et al. 2022, eq. 10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Parameter, allocate
from scaling_core.laws.optimum import two_power_split
from scaling_core.laws.powers import MAX_EXPONENT, SumOfPowers, Term

_E = Parameter("E", "E", "irreducible loss", "nats per token")
_A = Parameter("A", "A", "size of the parameter term at N = 1", "nats per token")
_B = Parameter("B", "B", "size of the data term at D = 1", "nats per token")


class Chinchilla(SumOfPowers):
    """L(N, D) = E + A/N^alpha + B/D^beta."""

    name = "chinchilla"
    title = "Chinchilla L(N, D)"
    latex = r"L(N,D) = {E} + \frac{{{A}}}{{N^{{{alpha}}}}} + \frac{{{B}}}{{D^{{{beta}}}}}"
    predictors = ("params", "tokens")
    parameters: tuple[Parameter, ...] = (
        _E, _A, _B,
        Parameter("alpha", r"\alpha", "how fast loss falls with parameters", "", upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "how fast loss falls with tokens", "", upper=MAX_EXPONENT),
    )  # fmt: skip
    source = "Hoffmann et al. 2022, arXiv 2203.15556, eq. 10"
    terms: tuple[Term, ...] = (Term("E"), Term("A", (("alpha", "params"),)), Term("B", (("beta", "tokens"),)))

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND, in closed form (Hoffmann et al. 2022, eq. 4).

        Where a term or exponent is 0 there is no optimum, and the result is NaN.
        """
        # the last parameter is beta, or alpha again where the exponents are tied
        _, A, B, alpha, beta = (np.asarray(theta, dtype=float)[..., i, None] for i in (0, 1, 2, 3, -1))
        with np.errstate(divide="ignore"):
            log_a, log_b = np.log(A), np.log(B)
        return allocate(self, theta, flops, lambda product: two_power_split(log_a, log_b, alpha, beta, product))


class ChinchillaTied(Chinchilla):
    """L(N, D) = E + A/N^alpha + B/D^alpha: the best D/N is the same at every budget."""

    name = "chinchilla-tied"
    title = "Chinchilla with one exponent"
    latex = r"L(N,D) = {E} + \frac{{{A}}}{{N^{{{alpha}}}}} + \frac{{{B}}}{{D^{{{alpha}}}}}"
    parameters = (
        _E, _A, _B,
        Parameter("alpha", r"\alpha", "how fast loss falls with parameters and with tokens", "", upper=MAX_EXPONENT),
    )  # fmt: skip
    source = "Muennighoff et al. 2023, arXiv 2305.16264, appendix A (Hoffmann's law with alpha = beta)"
    terms = (Term("E"), Term("A", (("alpha", "params"),)), Term("B", (("alpha", "tokens"),)))
