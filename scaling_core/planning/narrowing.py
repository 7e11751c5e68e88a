"""How sure a fit is of a number at a large budget, and how sure it should be after more runs. All in logarithms."""

from __future__ import annotations

import math

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting import FitResult, quantile_interval
from scaling_core.fitting.sandwich import normal_quantile
from scaling_core.laws import Array
from scaling_core.planning.candidates import Asked
from scaling_core.planning.design import Question
from scaling_core.planning.information import Evidence, target_of

#: Draws of a fit that are enough for an interval.
_ENOUGH_DRAWS = 100

Interval = tuple[float, float]


def expected(fit: FitResult, asked: Asked, drawn: Array) -> float:
    """ln of the quantity by the fit, or in the middle of the draws (R,) where the fit has no best split and they have.

    Raises
    ------
    UserError
        If most draws have none either.
    """
    value = float(target_of(fit.law, fit.theta[None], asked.target, asked.quantity)[0])
    if math.isfinite(value):
        return value
    known = drawn[np.isfinite(drawn)]
    if len(known) < len(drawn) / 2:
        raise UserError(
            "By this fit no split of the target budget is best, so there is nothing to be surer of.",
            fix="Train several sizes at each of two or three budgets first, or fit another law.",
        )
    return float(np.median(known))


def before_runs(
    fit: FitResult, asked: Asked, evidence: Evidence, question: Question, drawn: Array, level: float
) -> Interval:
    """The interval now: of the fit's own draws; where they are too few, of the information of its runs.

    Where these leave a direction open, that of the laws ``drawn`` as possible. It holds what is expected.
    """
    point = expected(fit, asked, drawn)
    if len(fit.draws) >= _ENOUGH_DRAWS:
        own = target_of(fit.law, fit.draws, asked.target, asked.quantity)
        if np.isfinite(own).sum() >= _ENOUGH_DRAWS:
            return _percentiles(own, level)
    if evidence.is_open:
        low, high = _percentiles(drawn, level)
        return min(low, point), max(high, point)
    half = _half_width(evidence, question.spread(), level)
    return point - half, point + half


def after_runs(
    before: Interval, point: float, evidence: Evidence, question: Question, chosen: list[int], level: float
) -> Interval:
    """The interval to expect once the chosen candidates have been measured, around what is expected now.

    As much narrower as the information says; where the runs leave a direction open, nothing before can be scaled, and
    the information after is taken by itself.
    """
    if not evidence.is_open:
        share = question.spread(chosen) / question.spread()
        return point + (before[0] - point) * share, point + (before[1] - point) * share
    half = _half_width(evidence, question.spread(chosen), level)
    return max(before[0], point - half), min(before[1], point + half)


def _percentiles(drawn: Array, level: float) -> Interval:
    low, high = quantile_interval(np.exp(drawn[np.isfinite(drawn)]), level)
    return float(np.log(low)), float(np.log(high))


def _half_width(evidence: Evidence, spread: float, level: float) -> float:
    """Half of an interval of that spread, with the noise as little known as so few runs leave it."""
    return _student((1 + level) / 2, evidence.runs - int(evidence.free.sum())) * spread


def _student(p: float, freedom: int) -> float:
    """Quantile of Student's t, by its expansion for many degrees of freedom (Abramowitz & Stegun, 26.7.5)."""
    z, v = normal_quantile(p), max(freedom, 1)
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
