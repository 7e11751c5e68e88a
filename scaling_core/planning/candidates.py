"""Which runs could be trained to learn more: what a person asks, and a grid of N and D that meets it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array
from scaling_core.planning.information import fitted_rows
from scaling_core.planning.scenario import MAX_FLOPS, MIN_FLOPS
from scaling_core.units import format_count, format_flops

#: What can be made surer: the lowest loss of the target budget, or the size that reaches it.
TARGETS = ("loss", "params")
#: Sizes and lengths to a factor of ten.
_STEPS = 6
#: Tokens per parameter that are tried: so many times fewer and more than usual. Beyond, a law that is not quite true
#: misleads more than its far ends help (benchmarks/experiments.py).
_USUAL_RATIO, _AROUND = 20.0, 8.0
_MAX_RUNS = 60
#: Sizes and lengths reach at least so many times beyond the smallest: what a small budget cannot pay must have a price.
_REACH = 1e3
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Asked:
    """What a person asks, checked.

    Attributes
    ----------
    target, budget : float
        FLOPs that the question is about, and those of all experiments.
    quantity : {"loss", "params"}
    max_runs : int
    max_params, max_tokens, max_run_flops : float
        Limits of a single run; infinite for none.
    """

    target: float
    budget: float
    quantity: str
    max_runs: int
    max_params: float = math.inf
    max_tokens: float = math.inf
    max_run_flops: float = math.inf

    def __post_init__(self) -> None:
        if self.quantity not in TARGETS:
            raise UserError(f"“{self.quantity}” cannot be made surer.", fix=f"Choose one of: {', '.join(TARGETS)}.")
        if not (math.isfinite(self.target) and MIN_FLOPS <= self.target <= MAX_FLOPS):
            raise UserError(
                f"A target of {format_flops(self.target)} FLOPs cannot be.", fix="Give the large budget, 1e24 say."
            )
        if not (math.isfinite(self.budget) and self.budget > 0):
            raise UserError(
                f"{format_flops(self.budget)} FLOPs buy no experiments.",
                fix="Give what all of them together may cost, 1e20 say.",
            )
        if not 1 <= self.max_runs <= _MAX_RUNS:
            raise UserError(f"{self.max_runs} runs cannot be planned.", fix=f"Ask for 1 to {_MAX_RUNS}.")
        for limit in (self.max_params, self.max_tokens, self.max_run_flops):
            if not limit > 0:
                raise UserError(f"A limit of {limit:g} leaves no runs.", fix="Give limits above zero, or none.")


def candidates(fit: FitResult, asked: Asked) -> tuple[Array, Array]:
    """N and D that could be trained, (m,) each: a grid from the smallest size and length of the runs upwards.

    Raises
    ------
    UserError
        If the budget or the limits leave none.
    """
    product = min(asked.budget, asked.max_run_flops) / FLOPS_PER_PARAM_TOKEN
    smallest, shortest = fit.ranges["params"][0], fit.ranges["tokens"][0]
    sizes = _grid(smallest, max(product / shortest, _REACH * smallest))
    lengths = _grid(shortest, max(product / smallest, _REACH * shortest))
    params, tokens = (axis.ravel() for axis in np.meshgrid(sizes, lengths, indexing="ij"))
    low, high = _ratios(fit)
    shaped = (tokens / params >= low) & (tokens / params <= high)
    inside = shaped & (params <= asked.max_params) & (tokens <= asked.max_tokens)
    paid = inside & (params * tokens <= product)
    if paid.any():
        return params[paid], tokens[paid]
    if not inside.any():
        raise UserError(
            f"The limits leave no run: the smallest has {format_count(params[shaped].min())} parameters "
            f"and {format_count(tokens[shaped].min())} tokens.",
            fix="Raise the limits, or begin with smaller runs.",
        )
    least = float((FLOPS_PER_PARAM_TOKEN * params * tokens)[inside].min())
    raise UserError(
        f"{format_flops(FLOPS_PER_PARAM_TOKEN * product)} FLOPs do not pay for one run: the smallest like these runs "
        f"takes {format_flops(least)}.",
        fix="Give a larger budget, or begin with smaller runs.",
    )


def _grid(low: float, high: float) -> Array:
    """Round numbers in even steps of their logarithm, from the one nearest to ``low`` and at least one of them."""
    first = round(_STEPS * math.log10(low))
    last = max(math.ceil(_STEPS * math.log10(max(high, low))), first)
    exact = 10.0 ** (np.arange(first, last + 1) / _STEPS)
    unit = 10.0 ** (np.floor(np.log10(exact) + _ROUNDING) - 1)
    return np.asarray(np.round(exact / unit) * unit)


def _ratios(fit: FitResult) -> tuple[float, float]:
    """Fewest and most tokens per parameter to try: around the usual number, and around the middle of the runs."""
    rows = fitted_rows(fit)
    middles = (_USUAL_RATIO, float((rows["tokens"] / rows["params"]).median()))
    return min(middles) / _AROUND, max(middles) * _AROUND
