"""Which N and D: the lowest loss for a compute budget, or the lowest cost over a model's life for a loss.

Both are searches along ln N, for every draw of the law at once. The first is Hoffmann et al. 2022, eq. 4, where data
is endless; the second Sardana et al. 2023, arXiv 2401.00448, eq. 3: the compute of training and of all inference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array
from scaling_core.planning.search import minimise_over
from scaling_core.planning.surface import Surface

#: FLOPs of inference for a parameter and a token: a forward pass.
INFERENCE_FLOPS = 2.0
_EDGE = 1e-6
#: Draws of a law are looked for within this many times the law's own answer, and everywhere where they lie beyond.
_NEAR = 30.0
#: The look near it is as fine as one everywhere; the search after it ends when ln N is known to about 2e-5.
_LOOKS_NEAR, _SECTIONS_NEAR = 14, 22


class Allocation(NamedTuple):
    """N, D, the loss they reach and their cost over the model's life in training FLOPs, each (R, m)."""

    params: Array
    tokens: Array
    loss: Array
    cost: Array


def lifetime_cost(params: Array, tokens: Array, inference_tokens: Array | float, relative_price: float = 1.0) -> Array:
    """6ND + 2N·D_inference, an inference FLOP counting ``relative_price`` times a training one."""
    training = FLOPS_PER_PARAM_TOKEN * params * tokens
    if not np.any(inference_tokens):
        return np.asarray(training)
    return np.asarray(training + relative_price * INFERENCE_FLOPS * params * inference_tokens)


def best_for_compute(surface: Surface, flops: Array, around: Array | None = None) -> Allocation:
    """Lowest loss under 6ND = C for budgets of shape (m,). NaN where no split is best.

    ``around`` (1, m) are sizes near which to look first: those of the law itself, for its draws.
    """
    flops = np.asarray(flops, dtype=float)
    if not np.isfinite(surface.unique_tokens) and (best := surface.law.optimum(surface.theta, flops)) is not None:
        return Allocation(best.params, best.tokens, best.loss, FLOPS_PER_PARAM_TOKEN * best.params * best.tokens)
    product = np.broadcast_to(flops / FLOPS_PER_PARAM_TOKEN, (len(surface.theta), flops.size))
    span = np.log(product)

    def at(log_n: Array) -> Array:
        return surface.rank(np.exp(log_n), np.exp(span - log_n))

    log_n, _ = _minimise(at, np.zeros_like(span), span, around)
    log_n = np.where((log_n > _EDGE) & (log_n < span - _EDGE), log_n, np.nan)  # at an end, no split is best
    params = np.exp(log_n)
    tokens = product / params
    return Allocation(params, tokens, surface.loss(params, tokens), FLOPS_PER_PARAM_TOKEN * product)


def cheapest_for_loss(
    surface: Surface,
    loss: Array,
    inference_tokens: Array | float = 0.0,
    relative_price: float = 1.0,
    around: Array | None = None,
) -> Allocation:
    """Lowest cost over the model's life that reaches ``loss``, (R, m). NaN where nothing does.

    ``around`` (1, m) are sizes near which to look first.
    """
    loss = np.asarray(loss, dtype=float)
    low, high = np.zeros(loss.shape), np.full(loss.shape, np.log(1e20))

    def at(log_n: Array) -> Array:
        params = np.exp(log_n)
        with np.errstate(all="ignore"):
            return np.log(lifetime_cost(params, surface.tokens_for(params, loss), inference_tokens, relative_price))

    log_n, log_cost = _minimise(at, low, high, around)
    sound = np.isfinite(log_cost) & (log_n > _EDGE)
    params = np.where(sound, np.exp(log_n), np.nan)
    tokens = np.where(sound, surface.tokens_for(params, loss), np.nan)
    return Allocation(params, tokens, np.where(sound, loss, np.nan), np.where(sound, np.exp(log_cost), np.nan))


def _minimise(at: Callable[[Array], Array], low: Array, high: Array, around: Array | None) -> tuple[Array, Array]:
    """Minimise over ln N: near ``around``, and over all of it where that is not given or the minimum lies beyond."""
    if around is None or not np.isfinite(around).all():
        return minimise_over(at, low, high)
    first = np.maximum(low, np.log(around / _NEAR))
    last = np.minimum(high, np.log(around * _NEAR))
    log_n, value = minimise_over(at, first, last, _LOOKS_NEAR, _SECTIONS_NEAR)
    inside = (log_n > first + _EDGE) & (log_n < last - _EDGE)
    if inside.all():
        return log_n, value
    anywhere, lowest = minimise_over(at, low, high)
    return np.where(inside, log_n, anywhere), np.where(inside, value, lowest)
