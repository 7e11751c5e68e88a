"""Mixtures of experts: by granularity (Krajewski et al. 2024) and by number of experts (Clark et al. 2022)."""

from __future__ import annotations

import numpy as np

from scaling_core.planning.values import Number, at_least_one, plain, positive

#: Krajewski et al. 2024, arXiv 2402.07871, Table 1.
_FINE = {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47}
_DENSE = {"a": 16.3, "alpha": 0.126, "b": 26.7, "beta": 0.127, "c": 0.47}
#: Clark et al. 2022, arXiv 2202.01169, Table 3, S-BASE. Logarithms are to base 10: only then is d a loss.
_A, _B, _C, _D = -0.082, -0.108, 0.009, 1.104
_E_START, _E_MAX = 1.847, 314.478
_FIX_N, _FIX_D = "Give a number like 1B.", "Give a number like 20B."


def fine_grained_loss(active_params: Number, tokens: Number, granularity: Number) -> Number:
    """c + (g/G^γ + a)/N^α + b/D^β: experts G times smaller than the usual feed-forward part (their eq. 9)."""
    n = positive(active_params, "The number of active parameters", _FIX_N)
    d = positive(tokens, "The number of tokens", _FIX_D)
    g = positive(granularity, "The granularity", "Give 1 for experts of the usual size, 8 for experts 8 times smaller.")
    capacity = _FINE["g"] / plain(g) ** _FINE["gamma"] + _FINE["a"]
    return plain(_FINE["c"] + capacity / plain(n) ** _FINE["alpha"] + _FINE["b"] / plain(d) ** _FINE["beta"])


def fine_grained_dense_loss(params: Number, tokens: Number) -> Number:
    """c + a/N^α + b/D^β for the dense models of the same paper, a separate fit."""
    n = positive(params, "The number of parameters", _FIX_N)
    d = positive(tokens, "The number of tokens", _FIX_D)
    return plain(_DENSE["c"] + _DENSE["a"] / plain(n) ** _DENSE["alpha"] + _DENSE["b"] / plain(d) ** _DENSE["beta"])


def clark_loss(params: Number, experts: Number) -> Number:
    """Loss after 130B tokens: log L = a log N + b log Ê + c log N log Ê + d (their eq. 1).

    N is the dense model that the experts were put into: what one token passes through.
    """
    n = np.log10(plain(positive(params, "The number of parameters", _FIX_N)))
    e = np.log10(plain(_saturated(experts)))
    return plain(10 ** (_A * n + _B * e + _C * n * e + _D))


def clark_dense_equivalent(params: Number, experts: Number) -> Number:
    """Parameters of the dense model (E = 1) of the same loss: their effective parameter count, in closed form."""
    n = np.log10(plain(positive(params, "The number of parameters", _FIX_N)))
    e, one = np.log10(plain(_saturated(experts))), np.log10(plain(_saturated(1.0)))
    return plain(10 ** ((_A * n + _B * (e - one) + _C * n * e) / (_A + _C * one)))


def _saturated(experts: Number) -> Number:
    """Ê: 1/Ê = 1/(E − 1 + 1/(1/E_start − 1/E_max)) + 1/E_max; few experts count as E_start, many as at most E_max."""
    e = plain(at_least_one(experts, "The number of experts", "Give 1 for a dense model."))
    start = 1 / (1 / _E_START - 1 / _E_MAX)
    return plain(1 / (1 / (e - 1 + start) + 1 / _E_MAX))
