"""What repeated data is worth: effective tokens and parameters (Muennighoff et al. 2023, arXiv 2305.16264).

The formula is that of ``scaling_core.laws.data_constrained``; how fast value is lost comes from the fitted law where
it says so, and else from the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.laws import Array, Law
from scaling_core.laws.data_constrained import worth_of_surplus
from scaling_core.planning.values import positive

Values = Array | float

SOURCE = "Muennighoff et al. 2023, arXiv 2305.16264"
#: Muennighoff et al. 2023, as in the authors' repository: how fast repeated tokens and excess parameters lose value.
REPEATED_TOKENS, EXCESS_PARAMS = 15.387756, 5.309743
#: Where one more pass adds less than this share of what a pass over new data would, repeating no longer pays.
NO_RETURN = 0.1
#: ln of a gap below which ln(e^(−exponent·ln(1 − gap)) − 1) is ln(exponent·gap) to the last digit.
_TINY = -37.0


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


@dataclass(frozen=True)
class Decays:
    """R_D* and R_N* of every draw that a plan uses, and where they come from.

    Attributes
    ----------
    tokens, params : float
    tokens_drawn : array, shape (R,)
        R_D* of the draws; empty where the constants came without.
    from_law : bool
        Whether the law that is planned with says them, and not a published constant.
    """

    tokens: float
    params: float
    tokens_drawn: Array
    from_law: bool

    def interval(self, level: float) -> tuple[float, float] | None:
        """Middle ``level`` of R_D* over the draws, or None without."""
        if not len(self.tokens_drawn):
            return None
        low, high = np.quantile(self.tokens_drawn, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def worth(self, seen: Values, unique: float) -> Array:
        """What ``seen`` tokens are worth."""
        return effective(seen, unique, self.tokens)

    def worth_between(self, seen: Array, unique: float, level: float) -> tuple[Array, Array] | None:
        """Ends of the middle ``level`` of what ``seen`` tokens (m,) are worth; None without draws.

        The worth rises with R_D*, so its ends are those of R_D*.
        """
        pair = self.interval(level)
        return None if pair is None else (effective(seen, unique, pair[0]), effective(seen, unique, pair[1]))

    def text(self, level: float) -> str:
        """R_D* with its interval or its source, as a sentence."""
        if not self.from_law:
            return f"R_D* = {self.tokens:.1f} is the published constant of {SOURCE}, and not fitted to these runs."
        pair = self.interval(level)
        between = f" ({pair[0]:.3g} to {pair[1]:.3g})" if pair else ""
        return f"R_D* = {self.tokens:.3g}{between} is that of the law planned with."


def decays_of(law: Law | None, theta: Array, draws: Array, otherwise: Decay) -> Decays | None:
    """How fast repeats lose their value by a law with parameters (p,) and draws (R, p), else ``otherwise``.

    None for a formula of one's own that reads the unique tokens: it says itself what repeats are worth.
    """
    names = law.parameter_names if law is not None else ()
    if law is None or law.name != "data-constrained":
        if law is not None and "unique_tokens" in law.predictors:
            return None
        return Decays(otherwise.tokens, otherwise.params, np.zeros(0), from_law=False)
    d, n = names.index("R_D"), names.index("R_N")
    return Decays(float(theta[d]), float(theta[n]), draws[:, d], from_law=True)


def effective(seen: Values, unique: Values, decay: Values) -> Array:
    """What ``seen`` of something is worth when only ``unique`` of it differ; arrays broadcast."""
    seen, unique = np.asarray(seen, dtype=float), np.asarray(unique, dtype=float)
    with np.errstate(invalid="ignore", over="ignore"):
        repeated = unique * worth_of_surplus(seen / unique - 1, decay)
    return np.where(seen > unique, repeated, seen)


def seen_for(worth: Values, unique: Values, decay: Values) -> Array:
    """How much must be seen to be worth ``worth``: ``effective`` inverted, infinite where no repeating suffices."""
    worth, unique = np.asarray(worth, dtype=float), np.asarray(unique, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (worth / unique - 1) / decay
        repeated = unique * (1 - decay * np.log1p(-share))
    return np.where(worth <= unique, worth, np.where(share < 1, repeated, np.inf))


def no_return(decay: float = REPEATED_TOKENS, share: float = NO_RETURN) -> float:
    """Epochs after which one more token is worth less than ``share`` of a new one."""
    return float(1 - decay * np.log(share))


def log_term_above_end(seen: Array, unique: Values, decay: Values, exponent: Array) -> Array:
    """ln(x^−exponent − end^−exponent) for the worth x of ``seen`` and its end U(1 + R), where no repeat adds anything.

    Beyond U the worth is end·(1 − gap) with gap = R/(1 + R)·e^(−(seen/U − 1)/R), which is kept as a logarithm: it never
    underflows.
    """
    end = unique * (1 + np.asarray(decay))
    log_gap = np.log(decay / (1 + np.asarray(decay))) - (seen / unique - 1) / decay
    with np.errstate(all="ignore"):  # each side of a choice is worked out where the other holds, too
        rise = exponent * -np.log1p(-np.exp(np.minimum(log_gap, 0.0)))
        log_rise = np.where(log_gap > _TINY, np.log(np.expm1(rise)), np.log(exponent) + log_gap)
        new = np.log(seen**-exponent - end**-exponent)
    return np.where(seen > unique, log_rise - exponent * np.log(end), new)
