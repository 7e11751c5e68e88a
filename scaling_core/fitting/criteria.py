"""Information criteria: how well a law describes the runs it was fitted to, less a charge for its parameters.

An objective says how errors are weighed, not how likely they are. The likelihood behind a cost ρ is taken as
p(r) = exp(−ρ(r)/τ)/Z(τ) with the scale τ estimated from the same runs: its maximum lies where the objective's minimum
lies, whatever τ is. For squared error this is the normal distribution with variance τ, for absolute error Laplace's,
and for Huber's cost the one between them that Huber 1964 calls least informative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.fitting.objective import Objective
from scaling_core.fitting.solver import EXACT
from scaling_core.laws.optimum import golden_section

#: Golden sections that find the scale to 1e-8: near its peak the score then is right to rounding.
_SECTIONS = 42


@dataclass(frozen=True)
class Criteria:
    """What a fit scores.

    Attributes
    ----------
    aic, aicc, bic : float
        Akaike 1974; with the correction for few runs of Hurvich & Tsai 1989, infinite where runs do not exceed
        parameters by two; Schwarz 1978. Lower is better. They compare laws on the same runs and objective only.
    log_likelihood : float
        Of the residuals, at the estimated scale.
    free : int
        Parameters counted: those of the law that are not fixed, and the scale.
    """

    aic: float
    aicc: float
    bic: float
    log_likelihood: float
    free: int


def information_criteria(objective: Objective, total: float, n: int, free: int) -> Criteria:
    """Score a fit with ``free`` parameters whose costs over ``n`` runs sum to ``total``.

    Runs count as independent: checkpoints of one run are not, and make every criterion favour richer laws.
    """
    likelihood = log_likelihood(objective, total, n)
    k = free + 1  # the scale is estimated too
    aic = 2 * k - 2 * likelihood
    correction = 2 * k * (k + 1) / (n - k - 1) if n > k + 1 else math.inf
    return Criteria(aic, aic + correction, k * math.log(n) - 2 * likelihood, likelihood, k)


def log_likelihood(objective: Objective, total: float, n: int) -> float:
    """Highest log-likelihood over the scale τ of ``n`` residuals whose costs sum to ``total``.

    A law that passes through all runs would score infinity: costs below those of rounding errors count as those.
    """
    mean = max(total / n, float(objective.cost(np.array(EXACT))))

    def score(log_tau: float) -> float:
        return -_log_normaliser(objective.delta, math.exp(log_tau)) - mean * math.exp(-log_tau)

    # The score is concave in 1/τ, so it has one peak: at τ = 2·mean for squared error, at the mean for absolute error,
    # in between for Huber's.
    low, high = np.array(math.log(mean) - 1), np.array(math.log(2 * mean) + 1)
    return n * score(float(golden_section(lambda log_tau: np.array(-score(float(log_tau))), low, high, _SECTIONS)))


def _log_normaliser(delta: float, tau: float) -> float:
    """ln ∫ exp(−ρ(r)/τ) dr for Huber's cost with threshold ``delta``; infinite ``delta`` is squared error."""
    if math.isinf(delta):
        return 0.5 * math.log(2 * math.pi * tau)
    inside = math.sqrt(2 * math.pi * tau) * math.erf(delta / math.sqrt(2 * tau))
    outside = 2 * tau / delta * math.exp(-0.5 * delta * delta / tau)
    return math.log(inside + outside)
