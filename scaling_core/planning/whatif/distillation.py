"""A student that learns from a teacher's distribution (Busbridge et al. 2025, arXiv 2502.08606, Table 6)."""

from __future__ import annotations

import numpy as np

from scaling_core.laws import Mask
from scaling_core.planning.values import Number, plain, positive

_SUPERVISED = {"E": 1.220, "A": 3355.0, "B": 18_186.0, "alpha": 0.408, "beta": 0.431, "gamma": 0.452}
_STUDENT = {"A": 2243.0, "B": 24_181.0, "alpha": 0.321, "beta": 0.637, "gamma": 0.764}
_C0, _C1, _F1, _D1 = 2.549, 522.6, 0.090, 1.315


def supervised_loss(params: Number, tokens: Number) -> Number:
    """E + (A/N^α + B/D^β)^γ: the loss without a teacher (their eq. 5)."""
    return plain(_SUPERVISED["E"] + plain(_reducible(_SUPERVISED, params, tokens)))


def distilled_loss(params: Number, tokens: Number, teacher_loss: Number) -> Number:
    """Loss of a student of N parameters that sees D tokens of a teacher of some loss (their eq. 8).

    L_S = L_T + L_T^−c0 (1 + (L_T/(L̃_S d1))^(1/f1))^(−c1 f1) (A'/N^α' + B'/D^β')^γ', L̃_S the loss without a teacher.
    A teacher far better than what the student could reach alone helps less and less.
    """
    teacher = plain(positive(teacher_loss, "The teacher's loss", "Give nats per token."))
    ratio = plain(teacher) / (plain(supervised_loss(params, tokens)) * _D1)
    # 1 + ratio^(1/f1) in logarithms: the exponent is 11, its power 47.
    gap = np.exp(-_C1 * _F1 * np.logaddexp(0.0, np.log(ratio) / _F1))
    return plain(teacher + teacher**-_C0 * gap * plain(_reducible(_STUDENT, params, tokens)))


def teacher_helps(params: Number, tokens: Number, teacher_loss: Number) -> Mask:
    """Whether the student ends lower with the teacher than without, on as many tokens."""
    return np.asarray(plain(distilled_loss(params, tokens, teacher_loss)) < plain(supervised_loss(params, tokens)))


def _reducible(law: dict[str, float], params: Number, tokens: Number) -> Number:
    n = positive(params, "The number of parameters", "Give a number like 1B.")
    d = positive(tokens, "The number of tokens", "Give a number like 20B.")
    return plain((law["A"] / plain(n) ** law["alpha"] + law["B"] / plain(d) ** law["beta"]) ** law["gamma"])
