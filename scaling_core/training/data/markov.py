"""A source of known entropy: a Markov chain, so that a fitted irreducible loss can be held against the truth.

The next symbol depends on the last ``order`` ones. Its logits are a sum of tables for ever longer contexts,

    log p(c | …, b, a) ∝ −s ln(c + 1) + σ g₁[a, c] + σ g₂[b, a, c] + …,   g standard normal,

so symbols and contexts are rare in the way of Zipf, and what longer contexts say is learnt late, by large networks, on
many tokens. The entropy rate is that of the chain in its stationary state (Cover and Thomas, *Elements of Information
Theory*, theorem 4.2.1), computed from the tables, not sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.training.data.base import Batch
from scaling_core.training.data.drawn import UNLIMITED, uniform
from scaling_core.training.data.windows import in_windows
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec

#: Symbols of a chain by its order: about as many contexts as small networks can, with effort, hold.
ALPHABETS = {1: 256, 2: 64, 3: 16}
#: Exponent of the symbols' own frequencies, and how far each longer context moves a logit.
ZIPF, SPREAD = 1.0, 1.0
_TRAINING, _VALIDATION = 0, 1


@dataclass(frozen=True)
class Chain:
    """A Markov chain.

    Attributes
    ----------
    transitions : ndarray, ``(symbols, ..., symbols)``
        Probability of the next symbol (last axis) after the ``order`` symbols before it (the axes before, oldest
        first); every one is above 0, so the stationary state is unique.
    """

    transitions: np.ndarray

    @classmethod
    def drawn(cls, order: int, symbols: int, seed: int) -> Chain:
        """Draw the tables of a chain."""
        random = np.random.default_rng([seed, order, symbols])
        logits = -ZIPF * np.log(np.arange(1.0, symbols + 1))
        for length in range(1, order + 1):
            logits = logits + SPREAD * random.standard_normal((symbols,) * (length + 1))
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return cls(weights / weights.sum(axis=-1, keepdims=True))

    @property
    def symbols(self) -> int:
        """Different symbols."""
        return int(self.transitions.shape[-1])

    @property
    def order(self) -> int:
        """Symbols that the next one depends on."""
        return self.transitions.ndim - 1

    @cached_property
    def stationary(self) -> np.ndarray:
        """Share of each context in the long run, ``(symbols,) * order``, by power iteration to rounding."""
        state = np.full((self.symbols,) * self.order, self.symbols**-self.order)
        for _ in range(10_000):
            following = np.einsum("a...,a...->...", state[..., None], self.transitions)
            if np.abs(following - state).sum() < 1e-14:
                break
            state = following / following.sum()
        return state

    @cached_property
    def conditionals(self) -> tuple[np.ndarray, ...]:
        """Log probability of the next symbol where only 1, 2, ... ``order`` symbols are seen, each the best there is.

        At the beginning of a window, the symbols before it are unknown and averaged over.
        """
        joint = self.stationary[..., None] * self.transitions  # (order + 1) symbols in a row
        tables = []
        for seen in range(1, self.order + 1):
            summed = joint.sum(axis=tuple(range(self.order - seen)))
            tables.append(np.log(summed / summed.sum(axis=-1, keepdims=True)))
        return tuple(tables)

    def entropy(self, seen: int | None = None) -> float:
        """Nats per symbol after ``seen`` known ones; the entropy rate where all that matter are known."""
        seen = self.order if seen is None else min(seen, self.order)
        joint = (self.stationary[..., None] * self.transitions).sum(axis=tuple(range(self.order - seen)))
        return float(-(joint * self.conditionals[seen - 1]).sum())

    def window_entropy(self, context: int) -> float:
        """Nats per symbol that the best predictor loses in the mean over windows of ``context`` symbols.

        It lies a little above the entropy rate, as a window's first symbols are predicted from less than they need.
        """
        return float(np.mean([self.entropy(seen) for seen in range(1, context + 1)]))

    def cost(self, batch: Batch) -> float:
        """Nats per symbol that the best predictor loses on these very windows."""
        rows = np.concatenate([batch.inputs, batch.targets[:, -1:]], axis=1)
        lost = [
            -self.conditionals[min(end, self.order) - 1][tuple(rows[:, max(0, end - self.order) : end + 1].T)]
            for end in range(1, rows.shape[1])
        ]
        return float(np.mean(lost))

    def windows(self, seed: int, stream: int, rows: np.ndarray, length: int) -> np.ndarray:
        """Windows of ``length`` symbols, each from the stationary state on and known by its index, ``(rows, length)``.

        Parameters
        ----------
        seed, stream : int
        rows : ndarray of int, ``(rows,)``
        length : int
            At least ``order``.
        """
        drawn = uniform(seed, stream, rows, length)
        states = np.searchsorted(self._running, drawn[:, 0], side="right")
        symbols = np.empty((rows.size, length), np.int64)
        symbols[:, : self.order] = np.stack(np.unravel_index(states, self.stationary.shape), axis=1)
        for place in range(self.order, length):
            context = tuple(symbols[:, place - self.order : place].T)
            symbols[:, place] = (drawn[:, place, None] >= self._cumulated[context]).sum(axis=1)
        return symbols

    @cached_property
    def _running(self) -> np.ndarray:
        """Stationary shares summed up, without the last, so that no number falls behind the end."""
        return np.cumsum(self.stationary.ravel())[:-1]

    @cached_property
    def _cumulated(self) -> np.ndarray:
        return np.cumsum(self.transitions, axis=-1)[..., :-1]


@dataclass(frozen=True)
class MarkovSource:
    """Windows of a chain as a source of text; it never repeats.

    Attributes
    ----------
    chain : Chain
    context : int
        Symbols of a row.
    seed : int
    validation_rows : int
    """

    chain: Chain
    context: int
    seed: int
    validation_rows: int
    bytes_per_token: float | None = None
    unique_tokens: int = UNLIMITED

    @property
    def shape(self) -> DataShape:
        """Symbols in, symbols out."""
        return DataShape("text", self.chain.symbols, self.chain.symbols, (self.context,))

    @property
    def entropy(self) -> float:
        """Nats per symbol that no network can beat on the validation windows, but by their own chance."""
        return self.entropy_of_validation

    @cached_property
    def entropy_of_validation(self) -> float:
        """What the chain's own probabilities lose on the validation windows: the exact E of runs measured on them."""
        return self.chain.cost(self.validation())

    @property
    def provenance(self) -> Mapping[str, Any]:
        """The chain, and its entropies in nats per symbol."""
        return {
            "source": "markov",
            "title": f"Markov chain of order {self.chain.order} over {self.chain.symbols} symbols",
            "seed": self.seed,
            "split": "windows drawn apart",
            "validation_tokens": self.validation_rows * self.context,
            "entropy_rate": self.chain.entropy(),
            "entropy_of_windows": self.chain.window_entropy(self.context),
            "entropy_of_validation": self.entropy_of_validation,
        }

    def batch(self, position: int, n: int) -> Batch:
        """``n`` symbols from ``position`` on, in whole windows.

        Raises
        ------
        ValueError
            If they are no whole windows.
        """
        first, rows = in_windows(position, n, self.context)
        return self._rows(_TRAINING, np.arange(first, first + rows))

    def validation(self) -> Batch:
        """The same windows for every run of the seed."""
        return self._rows(_VALIDATION, np.arange(self.validation_rows))

    def _rows(self, stream: int, rows: np.ndarray) -> Batch:
        symbols = self.chain.windows(self.seed, stream, rows, self.context + 1)
        return Batch(symbols[:, :-1], symbols[:, 1:])


def open_markov(spec: DataSpec, context: int) -> MarkovSource:
    """Open the chain of ``spec.order`` and ``spec.seed``.

    Raises
    ------
    UserError
        If there is no chain of that order, or the context is shorter than it.
    """
    if spec.order not in ALPHABETS:
        known = ", ".join(map(str, ALPHABETS))
        raise UserError(f"There is no chain of order {spec.order}.", where="order", fix=f"Choose one of {known}.")
    if context < spec.order:
        raise UserError(
            f"A context of {context} is shorter than what a symbol depends on ({spec.order}).", where="context"
        )
    chain = Chain.drawn(spec.order, ALPHABETS[spec.order], spec.seed)
    return MarkovSource(chain, context, spec.seed, max(1, spec.validation_tokens // context))
