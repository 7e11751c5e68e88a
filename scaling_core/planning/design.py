"""Which runs say most about one number for their cost: optimal design, as arithmetic on information matrices.

A run with sensitivity j (derivatives of its residual by the parameters, over the noise) adds j jᵀ to the information
M, and a quantity with derivatives c then has variance cᵀM⁻¹c. Runs are chosen that make its logarithm, averaged over
R draws of the parameters, smallest: pseudo-Bayesian c-optimality (Chaloner & Verdinelli 1995, section 4), since the
best runs depend on parameters that the first runs hardly know. The search is greedy at several prices of cost, with
and without a dear run to begin with, then an exchange of runs within the budget (Fedorov 1972; Atkinson, Donev &
Tobias 2007, chapter 12).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from scaling_core.laws import Array, Index

#: A greedy choice takes the most gain over cost to one of these powers: from cost being no matter to gain per FLOP.
_PRICES = (0.0, 0.25, 0.5, 1.0)
#: Classes of cost, as shares of the budget, and parts of each, that a dear run to begin with is tried from. What the
#: dearest run is decides most, and exchanges of single runs seldom change it.
_DEAR_CLASSES, _DEAR_PARTS = (1.0, 0.6, 0.35, 0.2, 0.08), 4
_MAX_SWEEPS = 10
_ROUNDING = 1e-9
#: No run leaves less than this share of a variance.
_LEAST = 1e-12


@dataclass(frozen=True)
class Question:
    """What is known, what is asked, and what could be tried.

    Attributes
    ----------
    known : array, shape (R, p, p)
        Information of the runs there are; positive definite.
    wanted : array, shape (R, p)
        Derivatives of the quantity by the parameters.
    candidates : array, shape (R, p, m)
        Sensitivities of the runs that could be trained.
    cost : array, shape (m,)
        What each costs.
    """

    known: Array
    wanted: Array
    candidates: Array
    cost: Array

    def log_variance(self, chosen: Iterable[int] = ()) -> float:
        """Logarithm of the quantity's variance after the chosen candidates (indices), averaged over the draws."""
        return float(np.log(self._variance(self._covariance(chosen))).mean())

    def spread(self, chosen: Iterable[int] = ()) -> float:
        """Standard deviation of the quantity after the chosen candidates, as the geometric mean over the draws."""
        return float(np.exp(self.log_variance(chosen) / 2))

    def widening(self, chosen: list[int]) -> Array:
        """How many times wider the quantity's interval would be without each of the chosen, shape (k,)."""
        inside = self.log_variance(chosen)
        without = [self.log_variance(_left_out(chosen, i)) for i in range(len(chosen))]
        return np.asarray(np.exp((np.array(without) - inside) / 2))

    def _covariance(self, chosen: Iterable[int]) -> Array:
        added = self.candidates[:, :, list(chosen)]
        return np.asarray(np.linalg.inv(self.known + added @ added.transpose(0, 2, 1)))

    def _variance(self, covariance: Array) -> Array:
        return np.asarray(np.einsum("rp,rpq,rq->r", self.wanted, covariance, self.wanted))


class _Standing(NamedTuple):
    """What is known after some candidates: enough to tell cheaply what each further one would add.

    ``covariance`` (R, p, p); ``own`` (R, m), 1 + jᵀVj of each candidate; ``towards`` (R, m), cᵀVj; and the
    quantity's ``variance`` (R,).
    """

    covariance: Array
    own: Array
    towards: Array
    variance: Array

    @property
    def log_variance(self) -> float:
        return float(np.log(self.variance).mean())

    def gains(self, which: Index) -> Array:
        """By how much each candidate would lower the mean log variance (Sherman & Morrison 1950)."""
        left = 1.0 - self.towards[:, which] ** 2 / (self.own[:, which] * self.variance[:, None])
        # logarithms cost most of a search: of products of eight draws there are eight times fewer
        products = np.multiply.reduceat(np.maximum(left, _LEAST), range(0, len(left), 8), axis=0)
        return np.asarray(-np.log(products).sum(axis=0) / len(left))


def _standing(question: Question, chosen: list[int]) -> _Standing:
    covariance = question._covariance(chosen)
    moved = covariance @ question.candidates
    own = 1.0 + np.sum(question.candidates * moved, axis=1)
    towards = (question.wanted[:, None, :] @ moved)[:, 0]
    return _Standing(covariance, own, towards, question._variance(covariance))


def _with(question: Question, now: _Standing, one: int) -> _Standing:
    """The same after one more candidate, by rank-one updates."""
    moved = (now.covariance @ question.candidates[:, :, one, None])[..., 0]
    own, towards = now.own[:, one, None], now.towards[:, one, None]
    shared = (moved[:, None, :] @ question.candidates)[:, 0]  # jᵀVx of each candidate j with the new x
    part = shared / own
    return _Standing(
        now.covariance - moved[:, :, None] * moved[:, None, :] / own[:, :, None],
        now.own - shared * part,
        now.towards - towards * part,
        np.maximum(now.variance - (towards**2 / own)[:, 0], _LEAST * now.variance),
    )


@dataclass(frozen=True)
class _Limits:
    """What a choice may cost, how many runs it may have, and how many of one kind."""

    budget: float
    most: int
    repeats: int


class _Choice(NamedTuple):
    """Candidates by index, and the mean log variance after them."""

    chosen: list[int]
    log_variance: float


def choose(question: Question, budget: float, most: int, repeats: int = 1) -> list[int]:
    """Choose at most ``most`` candidates whose cost together is within ``budget``, none more often than ``repeats``.

    Returns their indices, cheapest first; empty where not even the cheapest can be paid.
    """
    limits = _Limits(budget, most, repeats)
    first = _standing(question, [])
    options = [_fill(question, limits, [], first, price) for price in _PRICES]
    for dear in _dear_runs(question, first, budget):
        options.append(_fill(question, limits, [dear], _with(question, first, dear)))
    best = min(options, key=lambda option: option.log_variance)
    for _ in range(_MAX_SWEEPS):
        better = _exchange(question, limits, best)
        if better is best:
            break
        best = better
    return sorted(best.chosen, key=lambda i: (question.cost[i], i))


def worth_keeping(question: Question, chosen: list[int], least: float) -> list[int]:
    """Drop one by one those that bring less than ``least`` (a share) of what all bring to the log variance."""
    kept = list(chosen)
    enough = least * (question.log_variance() - question.log_variance(kept))
    while len(kept) > 1:
        brings = 2 * np.log(question.widening(kept))
        worst = int(np.argmin(brings))
        if brings[worst] >= enough:
            break
        kept = _left_out(kept, worst)
    return kept


def _dear_runs(question: Question, first: _Standing, budget: float) -> list[int]:
    """Of each class of cost, and each part of it in the order of the candidates, the one of most gain."""
    share = question.cost / budget
    found = []
    for high, low in pairwise(_DEAR_CLASSES):
        inside = np.flatnonzero((share <= high + _ROUNDING) & (share > low))
        parts = [part for part in np.array_split(inside, _DEAR_PARTS) if len(part)]
        found += [int(part[np.argmax(first.gains(part))]) for part in parts]
    return found


def _exchange(question: Question, limits: _Limits, best: _Choice) -> _Choice:
    """Take each run out in turn, dearest first, and fill its room with what is best there; keep what helps.

    Returns ``best`` itself where nothing does.
    """
    for one in sorted(set(best.chosen), key=lambda i: -question.cost[i]):
        if one not in best.chosen:
            continue
        rest = _left_out(best.chosen, best.chosen.index(one))
        trial = _fill(question, limits, rest, _standing(question, rest))
        if trial.log_variance < best.log_variance - _ROUNDING:
            best = trial
    return best


def _fill(question: Question, limits: _Limits, chosen: list[int], now: _Standing, price: float = 0.0) -> _Choice:
    """Add the candidate of most gain over cost^price while there is room for one."""
    chosen = list(chosen)
    left = limits.budget - float(question.cost[chosen].sum())
    count = np.bincount(np.array(chosen, dtype=int), minlength=len(question.cost))
    while len(chosen) < limits.most:
        room = (question.cost <= left + _ROUNDING * limits.budget) & (count < limits.repeats)
        which = np.flatnonzero(room)
        if not len(which):
            break
        one = int(which[np.argmax(now.gains(which) * question.cost[which] ** -price)])
        now = _with(question, now, one)
        chosen.append(one)
        count[one] += 1
        left -= float(question.cost[one])
    return _Choice(chosen, now.log_variance)


def _left_out(chosen: list[int], place: int) -> list[int]:
    return [*chosen[:place], *chosen[place + 1 :]]
