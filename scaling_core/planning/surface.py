"""Loss over parameters and tokens for a batch of draws of a law, with repeated data counted for what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array, Law
from scaling_core.laws.data_constrained import log_enough_params
from scaling_core.planning.repeats import Decay, effective, log_term_above_end, seen_for
from scaling_core.planning.search import solve_decreasing

#: Tokens that a search for a loss looks through.
_TOKENS = (1.0, 1e30)
#: Laws whose tokens for a loss have a closed form.
TWO_POWERS = {"chinchilla", "chinchilla-tied", "data-constrained"}


@dataclass(frozen=True)
class Surface:
    """A law at R parameter vectors.

    Attributes
    ----------
    law : Law
        One that has an optimum: it reads N and D, or what follows from them, C = 6ND and the unique tokens.
    theta : array, shape (R, p)
    unique_tokens : float
        Distinct tokens there are; infinite for endless data.
    decay : Decay
        What repeated tokens are worth, for a law that does not say so itself.
    """

    law: Law
    theta: Array
    unique_tokens: float = np.inf
    decay: Decay = field(default_factory=Decay)

    @property
    def floor(self) -> Array:
        """Loss that no model comes below, shape (R, 1)."""
        with np.errstate(all="ignore"):
            end = np.full((len(self.theta), 1), 1e60)
            return self.loss(end, end) if self._is_limited else self._endless(end, end)

    def loss(self, params: Array, tokens: Array) -> Array:
        """Loss at N and D, each (R, m)."""
        if not self._is_limited or self._counts_repeats:
            return self._endless(params, tokens)
        return self._endless(self.worth_of_params(params), effective(tokens, self.unique_tokens, self._decays[0]))

    def rank(self, params: Array, tokens: Array) -> Array:
        """What is lowest where the loss is, at N and D, each (R, m): the loss, or something finer in its place."""
        if self._is_limited and self.law.name in TWO_POWERS:
            return self._log_excess(params, tokens)
        return self.loss(params, tokens)

    def tokens_for(self, params: Array, loss: Array) -> Array:
        """Tokens that reach ``loss`` with N parameters, each (R, m); infinite where none do."""
        if self.law.name not in TWO_POWERS:
            return self._searched(params, loss)
        E, A, B, alpha, beta = self._two_powers
        worth = self.worth_of_params(params) if self._is_limited else params
        with np.errstate(all="ignore"):
            left = loss - E - A * worth**-alpha
            needed = np.where(left > 0, (B / np.where(left > 0, left, 1.0)) ** (1 / beta), np.inf)
        return seen_for(needed, self.unique_tokens, self._decays[0]) if self._is_limited else needed

    @property
    def _is_limited(self) -> bool:
        return bool(np.isfinite(self.unique_tokens))

    @property
    def _counts_repeats(self) -> bool:
        """Whether a formula of one's own reads U: then it says itself what repeated tokens are worth."""
        return self.law.name not in TWO_POWERS and "unique_tokens" in self.law.predictors

    @cached_property
    def _two_powers(self) -> tuple[Array, ...]:
        """E, A, B, alpha, beta, each (R, 1)."""
        at = [self.law.parameter_names.index(n) for n in ("E", "A", "B", "alpha")]
        last = self.law.parameter_names.index("beta") if "beta" in self.law.parameter_names else at[3]
        return tuple(self.theta[:, i, None] for i in (*at, last))

    @property
    def _decays(self) -> tuple[Array | float, Array | float]:
        """R_D and R_N: the law's own, else those chosen."""
        if self.law.name != "data-constrained":
            return self.decay.tokens, self.decay.params
        names = self.law.parameter_names
        return self.theta[:, names.index("R_D"), None], self.theta[:, names.index("R_N"), None]

    def worth_of_params(self, params: Array) -> Array:
        """Parameters beyond what the unique tokens can feed are worth less (Muennighoff et al. 2023, eq. 6)."""
        if self.law.name not in TWO_POWERS:
            return params
        return effective(params, self.enough, self._decays[1])

    @cached_property
    def enough(self) -> Array:
        """U_N: the parameters that the unique tokens can feed, (R, 1)."""
        _, A, B, alpha, beta = self._two_powers
        with np.errstate(all="ignore"):
            log_enough = log_enough_params(np.log(A), np.log(B), alpha, beta, np.log(self.unique_tokens))
            return np.asarray(np.exp(log_enough))

    def _log_excess(self, params: Array, tokens: Array) -> Array:
        """ln of the loss above the floor of limited data, exact where the loss itself has run into rounding.

        Far beyond the unique tokens both terms fall towards their ends as e^(−surplus/R), soon by less than the last
        digit of the loss: a search of the loss would then choose anything.
        """
        _, A, B, alpha, beta = self._two_powers
        of_tokens, of_params = self._decays
        with np.errstate(all="ignore"):
            size = np.log(A) + log_term_above_end(params, self.enough, of_params, alpha)
            data = np.log(B) + log_term_above_end(tokens, self.unique_tokens, of_tokens, beta)
            return np.asarray(np.logaddexp(size, data))

    def _endless(self, params: Array, tokens: Array) -> Array:
        """The law's own value: every token is new, unless the law counts the unique ones itself."""
        if self.law.name in TWO_POWERS:
            E, A, B, alpha, beta = self._two_powers
            with np.errstate(all="ignore"):
                return np.asarray(E + A * params**-alpha + B * tokens**-beta)
        with np.errstate(all="ignore"):
            given = {
                "params": params, "tokens": tokens, "flops": FLOPS_PER_PARAM_TOKEN * params * tokens,
                "unique_tokens": np.minimum(tokens, self.unique_tokens),
            }  # fmt: skip
            return self.law.predict(self.theta, {name: given[name] for name in self.law.predictors})

    def _searched(self, params: Array, loss: Array) -> Array:
        low, high = np.log(_TOKENS)
        log_params = np.asarray(params, dtype=float)

        def at(log_tokens: Array) -> Array:
            return self.loss(log_params, np.exp(log_tokens))

        shape = np.broadcast_shapes(np.shape(params), np.shape(loss))
        return np.exp(solve_decreasing(at, loss, np.full(shape, low), np.full(shape, high)))
