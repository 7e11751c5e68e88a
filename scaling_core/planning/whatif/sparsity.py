"""Weights of which many are zero (Frantar et al. 2023, arXiv 2309.08520, eq. 1, constants of T5 on C4).

L = (a_S (1−S)^b_S + c_S) N^−b_N + (a_D/D)^b_D + c, N counting the non-zero weights.
"""

from __future__ import annotations

from scaling_core.planning.values import Number, plain, positive, share

A_S, B_S, C_S = 16.8, 0.722, 45.0
B_N = 0.245
A_D, B_D = 6.90e8, 0.203
FLOOR = 0.651


def sparse_loss(nonzero_params: Number, tokens: Number, sparsity: Number) -> Number:
    """Loss of a model of which a share ``sparsity`` of the weights is zero."""
    n = positive(nonzero_params, "The number of non-zero parameters", "Give a number like 100M.")
    d = positive(tokens, "The number of tokens", "Give a number like 20B.")
    return plain(plain(_capacity(sparsity)) * plain(n) ** -B_N + (A_D / plain(d)) ** B_D + FLOOR)


def dense_equivalent(nonzero_params: Number, sparsity: Number) -> Number:
    """Parameters of the dense model of the same loss on the same tokens: 2.16 times the non-zero ones at 75%."""
    gain = plain(_capacity(sparsity)) / (A_S + C_S)
    return plain(plain(nonzero_params) * gain ** (-1 / B_N))


def _capacity(sparsity: Number) -> Number:
    zero = share(sparsity, "The share of zero weights", "Give 0.5 or 0.75 say.")
    return plain(A_S * (1 - plain(zero)) ** B_S + C_S)
