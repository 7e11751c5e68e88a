"""The best split of a compute budget between parameters and tokens, under C = 6ND.

Where a law falls with a sum of two powers, in closed form; else a search along ln N that needs nothing but the law's
values. Both work on a batch of laws and a row of budgets at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Loss of the batch at N and D, all of one shape (..., m).
Loss = Callable[[Array, Array], Array]

FLOPS_PER_PARAM_TOKEN = 6.0
#: First look: so many sizes from N = 1 to D = 1, under a nat apart for any budget below 1e21 of 6ND.
_LOOKS = 48
#: The search ends when ln N is known to this: rounding of the loss hides the minimum at a few times 1e-8.
_TOLERANCE = 1e-7
#: A lowest loss that is less than this below the loss at the ends, relatively, is rounding and no optimum.
_ROUNDING = 1e-12
_GOLDEN = (np.sqrt(5.0) - 1) / 2


def two_power_split(log_a: Array, log_b: Array, alpha: Array, beta: Array, product: Array) -> Array:
    """N that minimises A·N^(−alpha) + B·D^(−beta) where N·D is given (Hoffmann et al. 2022, eq. 4).

    N* = G (C/6)^(beta/(alpha+beta)), G = (alpha A / (beta B))^(1/(alpha+beta)). NaN where a term or an exponent is 0.
    All arguments broadcast against each other; A and B are given by their logarithms.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_g = (np.log(alpha) + log_a - np.log(beta) - log_b) / (alpha + beta)
        params = np.exp(log_g + beta / (alpha + beta) * np.log(product))
    return np.where((params > 0) & np.isfinite(params), params, np.nan)


def searched_split(loss: Loss, shape: tuple[int, ...], product: Array) -> Array:
    """N that minimises ``loss`` where N·D is given, by looking along ln N and then golden sections (Kiefer 1953).

    Parameters
    ----------
    loss : callable
        Loss at N and D of the shape given.
    shape : tuple of int
        (..., m): a batch of laws by m budgets.
    product : array, shape (m,)
        N·D of each budget.

    Returns
    -------
    array
        N, of the shape given; NaN where loss is lowest at the end, or hardly changes: no split is best there.
    """
    span = np.log(product)

    def at(log_n: Array) -> Array:
        with np.errstate(all="ignore"):
            value = loss(np.exp(log_n), np.exp(span - log_n))
        return np.where(np.isfinite(value), value, np.inf)

    place, inside = _look(lambda share: at(np.broadcast_to(share * span, shape)), shape)
    step = span / (_LOOKS - 1)
    widest = max(2 * float(np.max(step, initial=0.0)), _TOLERANCE)
    steps = int(np.ceil(np.log(_TOLERANCE / widest) / np.log(_GOLDEN)))
    log_n = golden_section(at, (place - 1) * step, (place + 1) * step, steps)
    return np.where(inside, np.exp(log_n), np.nan)


def _look(at_share: Callable[[float], Array], shape: tuple[int, ...]) -> tuple[Array, NDArray[np.bool_]]:
    """Where on an even grid of ln N loss is lowest, and whether that is inside and lower than at the ends."""
    lowest, place = np.full(shape, np.inf), np.zeros(shape)
    ends = np.full(shape, np.inf)
    for k in range(_LOOKS):
        value = at_share(k / (_LOOKS - 1))
        if k in (0, _LOOKS - 1):
            ends = np.minimum(ends, value)
        place = np.where(value < lowest, k, place)
        lowest = np.minimum(lowest, value)
    inside = (place > 0) & (place < _LOOKS - 1) & np.isfinite(lowest)
    with np.errstate(invalid="ignore"):
        return place, inside & (lowest < ends - _ROUNDING * np.abs(lowest))


def golden_section(at: Callable[[Array], Array], low: Array, high: Array, steps: int) -> Array:
    """Minimum of ``at`` between ``low`` and ``high`` for each element, one evaluation a step (Kiefer 1953).

    Each step keeps .618 of the interval. ``at`` gives infinity where there is no candidate, never NaN.
    """
    low, high = np.broadcast_arrays(low, high)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    f_left, f_right = at(left), at(right)
    for _ in range(steps):
        falls = f_left > f_right  # the minimum lies right of ``left``
        low, high = np.where(falls, left, low), np.where(falls, high, right)
        fresh = np.where(falls, low + _GOLDEN * (high - low), high - _GOLDEN * (high - low))
        f_fresh = at(fresh)
        left, right = np.where(falls, right, fresh), np.where(falls, fresh, left)
        f_left, f_right = np.where(falls, f_right, f_fresh), np.where(falls, f_fresh, f_left)
    return np.asarray((low + high) / 2)
