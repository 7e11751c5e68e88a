"""Training with fewer bits as training a smaller model (Kumar et al. 2024, arXiv 2411.04330).

N_eff = N Π_x (1 − exp(−P_x/γ_x + n_x)) over weights, activations and the cache of keys and values, and
L = A/N_eff^α + B/D^β + E. The paper states its headline of 7 to 8 bits with the offsets n; its main text leaves them
out. Both forms are here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.planning.search import minimise_over
from scaling_core.planning.values import Number, plain, positive


@dataclass(frozen=True)
class _Tensor:
    """Constants of one kind of tensor: bits over which it saturates, and the offset."""

    gamma: float
    offset: float


WEIGHTS = _Tensor(2.6745, 0.3037)
ACTIVATIONS = _Tensor(2.2102, 1.4072)
KEY_VALUES = _Tensor(0.9578, 2.4185)
A, B, E, ALPHA, BETA = 4299.0, 18_060.0, 2.7648, 0.4965, 0.4965
C_T, GAMMA_D, GAMMA_N, GAMMA_POST = 0.0598, 0.5068, 0.3439, 0.5907
_FIX = "Give bits, 4 to 16 say."
_MOST_BITS = 32.0


def effective_share(
    weight_bits: Number, activation_bits: Number | None = None, kv_bits: Number | None = None, *, offsets: bool = True
) -> Number:
    """Share of the parameters that low precision leaves effective: N_eff/N.

    Activations and cache take the bits of the weights unless said. Where the law with offsets would go below zero
    (activations at 3.1 bits and fewer) it is 0: nothing of it holds there.
    """
    parts = (
        (WEIGHTS, weight_bits),
        (ACTIVATIONS, weight_bits if activation_bits is None else activation_bits),
        (KEY_VALUES, weight_bits if kv_bits is None else kv_bits),
    )
    left: Number = 1.0
    for tensor, bits in parts:
        left = plain(plain(left) * _saturation(tensor, bits, offsets))
    return left


def effective_params(
    n_params: Number,
    weight_bits: Number,
    activation_bits: Number | None = None,
    kv_bits: Number | None = None,
    *,
    offsets: bool = True,
) -> Number:
    """Parameters of the full-precision model that would reach the same loss."""
    return plain(plain(n_params) * effective_share(weight_bits, activation_bits, kv_bits, offsets=offsets))


def precision_loss(
    n_params: Number,
    tokens: Number,
    weight_bits: Number,
    activation_bits: Number | None = None,
    kv_bits: Number | None = None,
    *,
    offsets: bool = True,
) -> Number:
    """Loss of a model trained in so many bits; infinite where nothing of it is left."""
    left = np.asarray(effective_params(n_params, weight_bits, activation_bits, kv_bits, offsets=offsets))
    some = left > 0
    term = np.where(some, A * np.where(some, left, 1.0) ** -ALPHA, np.inf)
    return plain(term + B * plain(tokens) ** -BETA + E)


def quantisation_penalty(n_params: Number, tokens: Number, bits: Number) -> Number:
    """Loss added by quantising the weights after training in 16 bits: C_T (D^γ_D/N^γ_N) exp(−P/γ_post).

    It grows with tokens: a model trained longer loses more (their eq. 2). For training in fewer bits than 16 the
    paper adds factors whose constants are not restated here.
    """
    p = plain(positive(bits, "The precision", _FIX))
    return plain(C_T * plain(tokens) ** GAMMA_D / plain(n_params) ** GAMMA_N * np.exp(-plain(p) / GAMMA_POST))


def best_training_bits(*, offsets: bool = True) -> float:
    """Bits for all three tensors that a budget is best spent on if compute goes as N·D·P.

    Fewer bits buy more parameters at the same compute: N_eff/N over P is to be as high as it can. This does not depend
    on the exponents or the budget (their section 4.3.2).
    """
    lowest = 1.01 * max(t.gamma * t.offset for t in (WEIGHTS, ACTIVATIONS, KEY_VALUES)) if offsets else 0.5
    best, _ = minimise_over(
        lambda p: -plain(effective_share(p, offsets=offsets)) / p, np.array(lowest), np.array(_MOST_BITS)
    )
    return float(best)


def _saturation(tensor: _Tensor, bits: Number, offsets: bool) -> Number:
    p = plain(positive(bits, "The precision", _FIX))
    return plain(np.maximum(0.0, 1 - np.exp(-plain(p) / tensor.gamma + (tensor.offset if offsets else 0.0))))
