"""The Chinchilla law for repeated data: tokens seen again are worth less each time (Muennighoff et al. 2023)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_core.laws.base import Allocation, Array, Parameter, allocate
from scaling_core.laws.formula import FormulaLaw, Shifts
from scaling_core.laws.jet import exp, expm1, log, value_of, where
from scaling_core.laws.optimum import searched_split, two_power_split
from scaling_core.laws.powers import MAX_EXPONENT
from scaling_core.laws.projection import nonnegative_least_squares


class DataConstrained(FormulaLaw):
    """L(N, D, U) = E + A/N'^alpha + B/D'^beta in effective parameters N' and effective tokens D'.

    D' = U_D·(1 + R_D·(1 − e^(−(D/U_D − 1)/R_D))) with U_D = min(U, D) unique tokens, and N' likewise from U_N, the
    parameters that U_D tokens are best spent on by the Chinchilla law of the same constants, or N where that is fewer.
    Without ``unique_tokens`` every token is new, and this is the Chinchilla law.
    """

    name = "data-constrained"
    title = "Data-constrained L(N, D, U)"
    latex = (
        r"\begin{{aligned}} L &= {E} + \frac{{{A}}}{{N'^{{{alpha}}}}} + \frac{{{B}}}{{D'^{{{beta}}}}}, \quad "
        r"D' = U_D + U_D \, {R_D} \left(1 - e^{{-(D/U_D - 1)/{R_D}}}\right) \\ "
        r"N' &= U_N + U_N \, {R_N} \left(1 - e^{{-(N/U_N - 1)/{R_N}}}\right) \end{{aligned}}"
    )
    where = (
        "$U_D$: unique tokens, at most $D$. $U_N$: the parameters that so many tokens are best spent on by the same "
        "law without repeats, at most $N$. $D'$ and $N'$: what tokens seen again and parameters in excess are worth "
        "beside those."
    )
    predictors = ("params", "tokens", "unique_tokens")
    parameters = (
        Parameter("E", "E", "irreducible loss", "nats per token"),
        Parameter("A", "A", "size of the parameter term at N = 1", "nats per token", log=True),
        Parameter("B", "B", "size of the data term at D = 1", "nats per token", log=True),
        Parameter("alpha", r"\alpha", "how fast loss falls with parameters", "", lower=0.01, upper=MAX_EXPONENT),
        Parameter("beta", r"\beta", "how fast loss falls with tokens", "", lower=0.01, upper=MAX_EXPONENT),
        Parameter("R_D", "R_D^*", "epochs after which repeated data is worth little", "",
                  lower=0.01, upper=1e4, log=True),
        Parameter("R_N", "R_N^*", "how many times too many parameters are worth little", "",
                  lower=0.01, upper=1e4, log=True),
    )  # fmt: skip
    source = "Muennighoff et al. 2023, arXiv 2305.16264, eq. 5–6 and appendix A"
    linear = ("E",)
    centring: Mapping[str, Shifts] = {"A": (("alpha", "params"),), "B": (("beta", "tokens"),)}
    together: Mapping[str, str] = {"unique_tokens": "tokens"}

    def value(self, p: Mapping[str, Any], z: Mapping[str, Array]) -> Any:
        """Loss from parameters by name and ln of the predictors."""
        unique = np.minimum(z.get("unique_tokens", z["tokens"]), z["tokens"])
        log_tokens = _effective(z["tokens"], unique, p["R_D"])
        log_a, log_b = log(p["A"]), log(p["B"])
        enough = log_enough_params(log_a, log_b, p["alpha"], p["beta"], unique)
        wanted = value_of(enough) < z["params"]
        log_params = _effective(z["params"], where(wanted, enough, z["params"]), p["R_N"])
        return p["E"] + exp(log_a - p["alpha"] * log_params) + exp(log_b - p["beta"] * log_tokens)

    def points(self, z: Mapping[str, Array], loss: Array) -> dict[str, Array]:
        """Exponents and R; A and B as if there were no surplus parameters, where the law is linear in them.

        Each pair of exponents has R of its own, half a step from the next pair's: with exponents that a person fixed
        these are 36 places, where the objective has several optima in R alone.
        """
        choices = itertools.product((0.25, 0.5), (0.25, 0.5), (4.0, 20.0, 100.0), (1.5, 6.0, 25.0))
        alpha, beta, r_d, r_n = (np.array(v)[:, None] for v in zip(*choices, strict=True))
        r_d, r_n = np.where(alpha > 0.3, r_d / math.sqrt(5.0), r_d), np.where(beta > 0.3, r_n / 2.0, r_n)
        tokens = _effective(z["tokens"], np.minimum(z["unique_tokens"], z["tokens"]), r_d)
        shapes = [np.ones((len(alpha), loss.size)), np.exp(-alpha * z["params"]), np.exp(-beta * tokens)]
        found = nonnegative_least_squares(np.stack(shapes, axis=-1) / loss[:, None], np.ones(loss.size))
        a, b = np.maximum(found[:, 1:], 0.02 * loss.mean()).T
        return {"A": a, "B": b, "alpha": alpha[:, 0], "beta": beta[:, 0], "R_D": r_d[:, 0], "R_N": r_n[:, 0]}

    def optimum(self, theta: Any, flops: Any, *, unique_tokens: float | None = None) -> Allocation:
        """Best N and D under C = 6ND for so many unique tokens; without, for endless new data, in closed form."""
        theta = np.asarray(theta, dtype=float)
        _, a, b, alpha, beta, *_ = (theta[..., i, None] for i in range(7))
        if unique_tokens is None:
            with np.errstate(divide="ignore"):
                log_a, log_b = np.log(a), np.log(b)
            return allocate(self, theta, flops, lambda product: two_power_split(log_a, log_b, alpha, beta, product))
        shape = (*theta.shape[:-1], np.size(flops))
        unique = {"unique_tokens": np.asarray(unique_tokens, dtype=float)}

        def loss(params: Array, tokens: Array) -> Array:
            return self.predict(theta, {"params": params, "tokens": tokens, **unique})

        return allocate(self, theta, flops, lambda product: searched_split(loss, shape, product), **unique)


def worth_of_surplus(surplus: Any, decay: Any) -> Any:
    """1 + R·(1 − e^(−surplus/R)): what x of something is worth of the U that differ, surplus = x/U − 1, over U.

    Muennighoff et al. 2023, arXiv 2305.16264, eq. 5. Arrays or jets, surplus 0 or more.
    """
    return 1.0 - decay * expm1(-surplus / decay)


def log_enough_params(log_a: Any, log_b: Any, alpha: Any, beta: Any, log_unique: Any) -> Any:
    """ln U_N: the parameters that U_D tokens are best spent on by the Chinchilla law of the same constants.

    U_N = G·(G·U_D)^(beta/alpha), G = (alpha A / (beta B))^(1/(alpha+beta)) (Muennighoff et al. 2023, eq. 6).
    """
    log_g = (log(alpha) + log_a - log(beta) - log_b) / (alpha + beta)
    return log_g + beta / alpha * (log_unique + log_g)


def _effective(x: Any, unique: Any, decay: Any) -> Any:
    """ln of U + U·R·(1 − e^(−(x/U − 1)/R)), where x and U are given by their logarithms."""
    return unique + log(worth_of_surplus(expm1(x - unique), decay))
