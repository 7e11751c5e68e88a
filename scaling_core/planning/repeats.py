"""What repeated data is worth: effective tokens and parameters (Muennighoff et al. 2023, arXiv 2305.16264).

Beyond what is unique, each further pass adds less: x = U + U·R·(1 − e^(−(x_seen/U − 1)/R)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.laws import Array
from scaling_core.planning.values import positive

Values = Array | float

#: Muennighoff et al. 2023, as in the authors' repository: how fast repeated tokens and excess parameters lose value.
REPEATED_TOKENS, EXCESS_PARAMS = 15.387756, 5.309743
#: Where one more pass adds less than this share of what a pass over new data would, repeating no longer pays.
NO_RETURN = 0.1


@dataclass(frozen=True)
class Decay:
    """How fast repeated tokens (``tokens``, R_D*) and excess parameters (``params``, R_N*) lose their value."""

    tokens: float = REPEATED_TOKENS
    params: float = EXCESS_PARAMS

    def __post_init__(self) -> None:
        for name, value, usual in (
            ("repeated tokens", self.tokens, REPEATED_TOKENS),
            ("excess parameters", self.params, EXCESS_PARAMS),
        ):
            positive(value, f"The decay of {name}", f"Muennighoff et al. 2023 found {usual:.1f}.")


def effective(seen: Values, unique: Values, decay: Values) -> Array:
    """What ``seen`` of something is worth when only ``unique`` of it differ; arrays broadcast."""
    seen, unique = np.asarray(seen, dtype=float), np.asarray(unique, dtype=float)
    with np.errstate(invalid="ignore", over="ignore"):
        beyond = unique * decay * -np.expm1(-(seen / unique - 1) / decay)
    return np.where(seen > unique, unique + beyond, seen)


def seen_for(worth: Values, unique: Values, decay: Values) -> Array:
    """How much must be seen to be worth ``worth``: ``effective`` inverted, infinite where no repeating suffices."""
    worth, unique = np.asarray(worth, dtype=float), np.asarray(unique, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (worth / unique - 1) / decay
        repeated = unique * (1 - decay * np.log1p(-share))
    return np.where(worth <= unique, worth, np.where(share < 1, repeated, np.inf))


def marginal(epochs: Values, decay: float = REPEATED_TOKENS) -> Array:
    """Value of the last token of a pass beside a new one: e^(−(epochs − 1)/R), and 1 within the first."""
    return np.asarray(np.exp(-np.maximum(np.asarray(epochs, dtype=float) - 1, 0) / decay))


def no_return(decay: float = REPEATED_TOKENS, share: float = NO_RETURN) -> float:
    """Epochs after which one more token is worth less than ``share`` of a new one."""
    return float(1 - decay * np.log(share))
