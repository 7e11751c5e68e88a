"""The quantities that a law in one predictor may stand on, and how its name, formula and words speak of them."""

from __future__ import annotations

import numpy as np

from scaling_core.laws.base import Array

#: In the order of menus.
SINGLE = ("flops", "params", "tokens")
LETTER = {"params": "N", "tokens": "D", "flops": "C"}
WORD = {"params": "parameters", "tokens": "tokens", "flops": "compute"}
UNIT = {"params": "parameters", "tokens": "tokens", "flops": "FLOPs"}

#: The share of runs that lies on either side of a break at least.
_BESIDE = 0.05


def among(z: Array) -> tuple[float, float]:
    """Smallest and largest place of a break among runs at ln x = ``z``, as x."""
    low, high = np.exp(np.quantile(z, [_BESIDE, 1 - _BESIDE]))
    return float(low), float(high)
