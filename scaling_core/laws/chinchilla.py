"""The Chinchilla law: loss falls separately with parameters and with tokens (Hoffmann et al. 2022, eq. 10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Parameter
from scaling_core.laws.powers import MAX_EXPONENT, SumOfPowers, Term

FLOPS_PER_PARAM_TOKEN = 6.0


class Chinchilla(SumOfPowers):
    """L(N, D) = E + A/N^alpha + B/D^beta."""

    name = "chinchilla"
    title = "Chinchilla L(N, D)"
    latex = r"L(N,D) = {E} + \frac{{{A}}}{{N^{{{alpha}}}}} + \frac{{{B}}}{{D^{{{beta}}}}}"
    predictors = ("params", "tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("A", "A", "size of the parameter term at N = 1", "nats per token"),
        Parameter("B", "B", "size of the data term at D = 1", "nats per token"),
        Parameter("alpha", r"\alpha", "how fast loss falls with parameters", "", upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "how fast loss falls with tokens", "", upper=MAX_EXPONENT),
    )
    source = "Hoffmann et al. 2022, arXiv 2203.15556, eq. 10"
    terms = (Term("E"), Term("A", (("alpha", "params"),)), Term("B", (("beta", "tokens"),)))

    def optimum(self, theta: Any, flops: Any) -> Allocation:
        """Best N and D under C = 6ND, in closed form (Hoffmann et al. 2022, eq. 4).

        N* = G (C/6)^(beta/(alpha+beta)), D* = (C/6)/N*, G = (alpha A / (beta B))^(1/(alpha+beta)).
        Where a term or exponent is 0 there is no optimum, and the result is NaN.
        """
        E, A, B, alpha, beta = (np.asarray(theta, dtype=float)[..., i, None] for i in range(5))
        product = np.asarray(flops, dtype=float) / FLOPS_PER_PARAM_TOKEN
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            log_g = (np.log(alpha * A) - np.log(beta * B)) / (alpha + beta)
            params = np.exp(log_g + beta / (alpha + beta) * np.log(product))
            params = np.where((params > 0) & np.isfinite(params), params, np.nan)
            tokens = product / params
            loss = E + A * params**-alpha + B * tokens**-beta
        return Allocation(params, tokens, loss)
