"""Answers at many budgets in the time of a slider: where every draw takes a search, only at some, and between them.

What is interpolated is how far an interval reaches from the law's own answer, which is exact at every budget.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling_core.laws import Array
from scaling_core.planning.answers import QUANTITIES, Triple, answers, is_searched, loss_reached
from scaling_core.planning.basis import Basis
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import TWO_POWERS

#: Budgets searched, and draws at each: of a law whose tokens for a loss have a closed form, and of others.
_SOLVED, _NESTED = (18, 1000), (8, 125)


def answers_along(
    basis: Basis, scenario: Scenario, flops: Array, start: float, *, with_draws: bool = True
) -> dict[str, Triple]:
    """``answers`` at budgets of shape (m,), of which ``start`` keeps every digit of its interval.

    Raises
    ------
    UserError
        As ``answers`` does.
    """
    budgets, draws = _NESTED if scenario.demand.tokens and basis.law_name not in TWO_POWERS else _SOLVED
    known = with_draws and len(basis.draws) > 0
    if not known or len(flops) <= budgets or not is_searched(basis, scenario):
        return answers(basis, scenario, flops, with_draws=with_draws)
    here = int(np.abs(np.log(flops / start)).argmin()) if math.isfinite(start) else 0
    knots = _knots(len(flops), here, budgets)
    few = replace(basis, draws=basis.draws[:: math.ceil(len(basis.draws) / draws)])
    some = answers(few, scenario, flops[knots])
    exact = answers(basis, scenario, flops[[here]])
    point = answers(basis, scenario, flops, with_draws=False)
    out: dict[str, Triple] = {}
    for name in ("flops", *QUANTITIES):
        value, grid = point[name][0], _Grid(np.log(flops), knots, here)
        low, high = (grid.between(value, some[name][end], float(exact[name][end][0])) for end in (1, 2))
        out[name] = value, low, high
    out["loss"] = out["loss"][0], *loss_reached(basis, scenario, out["params"][0], out["tokens"][0])  # no search
    return out


def _knots(count: int, here: int, most: int) -> NDArray[np.int64]:
    """Every so many rows, ``here`` and both ends among them."""
    step = math.ceil(count / most)
    return np.union1d(np.arange(here % step, count, step), [0, count - 1])


class _Grid(NamedTuple):
    """Budgets as ln C, the rows of those that were searched, and the row that keeps every digit."""

    x: Array
    knots: NDArray[np.int64]
    here: int

    def between(self, point: Array, end: Array, exact: float) -> Array:
        """One end of an interval at every budget, from how many times the law's own answer it is at the knots.

        Fewer draws than there are reach a little less far, or farther: that is mended by what all of them say ``here``.
        """
        with np.errstate(all="ignore"):
            reach = np.log(end / point[self.knots])
            shift = np.log(exact / point[self.here]) - reach[self.knots == self.here][0]
        known = np.isfinite(reach)
        if not known.any():
            return np.full(point.shape, np.nan)
        x = self.x[self.knots[known]]
        inside = (self.x >= x[0]) & (self.x <= x[-1])
        moved = np.interp(self.x, x, reach[known]) + (shift if np.isfinite(shift) else 0.0)
        out = np.where(inside, point * np.exp(moved), np.nan)
        out[self.here] = exact
        return out
