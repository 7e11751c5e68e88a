"""Intervals of what follows from a fit: each draw of the parameters is followed to its own answer.

``FitResult.predict`` gives the curve's; ``scaling_core.planning.frontier`` those of N*(C), D*(C) and the lowest loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from scaling_core.errors import UserError
from scaling_core.fitting.result import DEFAULT_LEVEL, Band, FitResult, quantile_interval
from scaling_core.laws import Array

#: Half the step in ln C over which the slope of ln N* is taken: wide beside the rounding of a searched optimum.
_HALF_STEP = 0.5


class Exponents(NamedTuple):
    """How the best N and D grow with compute, N* ~ C^params and D* ~ C^tokens; they add up to 1."""

    params: Band
    tokens: Band


def band_of(fit: FitResult, quantity: Callable[[Array], Array], level: float = DEFAULT_LEVEL) -> Band:
    """Value and interval of what ``quantity`` makes of parameters: (..., p) to (..., m).

    Draws of which it makes anything but finite numbers are left out; the interval is NaN where none are left.
    """
    value = quantity(fit.theta)
    drawn = quantity(fit.draws)
    drawn = drawn[np.isfinite(drawn).all(axis=tuple(range(1, drawn.ndim)))]
    if not len(drawn):
        nothing = np.full(value.shape, np.nan)
        return Band(value, nothing, nothing)
    return Band(value, *quantile_interval(drawn, level))


def allocation_exponents(fit: FitResult, flops: float | None = None, level: float = DEFAULT_LEVEL) -> Exponents:
    """Exponents of N*(C) and D*(C), arrays of shape (1,).

    For the Chinchilla law beta/(alpha + beta) and alpha/(alpha + beta) at every budget (Hoffmann et al. 2022, eq. 4).
    Where the best split is no power of C, they are the slopes at ``flops``, or at the largest fitted budget.

    Raises
    ------
    UserError
        If the law does not say how to split a budget.
    """
    at = flops if flops is not None else fit.ranges.get("flops", (1e20, 1e20))[1]
    around = at * np.exp(_HALF_STEP * np.array([-1.0, 1.0]))
    if fit.law.optimum(fit.theta, around) is None:
        raise UserError(
            f"{fit.law.title} does not say how to split a budget between N and D.",
            fix="Fit a law in both N and D, such as Chinchilla.",
        )

    def slope(theta: Array) -> Array:
        best = fit.law.optimum(theta, around)
        assert best is not None  # asked above
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.diff(np.log(best.params), axis=-1) / (2 * _HALF_STEP))

    return Exponents(band_of(fit, slope, level), band_of(fit, lambda theta: 1.0 - slope(theta), level))
