"""The near-optimal valley: how little it costs to train a model that is not quite the best size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array
from scaling_core.planning.allocation import best_for_compute
from scaling_core.planning.answers import loss_reached
from scaling_core.planning.basis import Basis
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import Surface

#: Extra compute, as a share, that the zones of a valley allow.
ZONES = (0.01, 0.05, 0.10)
_STEPS_PER_FACTOR = 24
_REACH = 12.0


def valley(basis: Basis, scenario: Scenario) -> pd.DataFrame:
    """What models of other sizes reach with the budget, and what they would take for the best model's loss.

    Returns
    -------
    pandas.DataFrame
        A row a size, the best among them: ``params``, ``factor`` (of the best size), ``tokens`` (all the budget
        buys), ``tokens_per_param``, ``loss`` with ``loss_low`` and ``loss_high``, ``extra_loss`` (above the best),
        ``overhead`` (extra compute to reach the best model's loss, as a share; infinite where it cannot) and
        ``needed_tokens`` (to reach it).

    Raises
    ------
    UserError
        If the law has no best split, or the scenario has no budget.
    """
    flops = _budget(basis, scenario)
    surface = basis.surface(scenario, basis.theta[None])
    best = best_for_compute(surface, np.array([flops]))
    n_star, l_star = float(best.params[0, 0]), float(best.loss[0, 0])
    if not np.isfinite(n_star):
        raise UserError("No split of this budget is best by this law.", fix="Choose another budget or another law.")
    steps = np.arange(-_STEPS_PER_FACTOR, _STEPS_PER_FACTOR + 1) / _STEPS_PER_FACTOR
    params = n_star * _REACH**steps
    tokens = flops / FLOPS_PER_PARAM_TOKEN / params
    loss = surface.loss(params[None], tokens[None])[0]
    low, high = _band(basis, scenario, params, tokens)
    times_data, extra = overhead(surface, flops, params / n_star)
    return pd.DataFrame({
        "params": params, "factor": params / n_star, "tokens": tokens, "tokens_per_param": tokens / params,
        "loss": loss, "loss_low": low, "loss_high": high, "extra_loss": loss - l_star,
        "overhead": extra, "needed_tokens": times_data * float(best.tokens[0, 0]),
    })  # fmt: skip


def zone(basis: Basis, scenario: Scenario, extra: float) -> tuple[float, float]:
    """Smallest and largest N that reach the best model's loss with at most ``extra`` more compute.

    Raises
    ------
    UserError
        As ``valley`` does.
    """
    flops = _budget(basis, scenario)
    surface = basis.surface(scenario, basis.theta[None])
    best = best_for_compute(surface, np.array([flops]))
    n_star = float(best.params[0, 0])
    ends = [_edge(surface, best.loss, flops, extra, n_star, reach) for reach in (1 / 1e4, 1e4)]
    return ends[0], ends[1]


def overhead(surface: Surface, flops: float, factor: Array) -> tuple[Array, Array]:
    """Times the data, and extra compute as a share, that a model ``factor`` times the best size takes for its loss.

    ``flops`` is the budget of the best model. For Chinchilla's law with endless data both are the same at every budget
    (Hoffmann et al. 2022, eq. 4 solved for D). Infinite where no data makes the size as good.
    """
    best = best_for_compute(surface, np.array([flops]))
    params = best.params * np.asarray(factor, dtype=float)
    tokens = surface.tokens_for(params, np.broadcast_to(best.loss, params.shape))
    data = tokens / best.tokens
    return data[0], (data * factor - 1)[0]


def _budget(basis: Basis, scenario: Scenario) -> float:
    if not basis.has_optimum:
        raise UserError(
            f"{basis.title} has no best split of a budget, so there is no valley around one.",
            fix="Plan with a law in both N and D.",
        )
    if scenario.flops is None:
        raise UserError("A valley is drawn for a budget.", fix="Give a budget instead of a loss.")
    return scenario.flops


def _band(basis: Basis, scenario: Scenario, params: Array, tokens: Array) -> tuple[Array, Array]:
    if not len(basis.draws):
        return np.full(params.shape, np.nan), np.full(params.shape, np.nan)
    return loss_reached(basis, scenario, params, tokens)


def _edge(surface: Surface, loss: Array, flops: float, extra: float, start: float, reach: float) -> float:
    """Where the overhead passes ``extra`` on the way from the best size to ``reach`` times it, by bisection."""
    inside, outside = np.log(start), np.log(start * reach)
    for _ in range(60):
        middle = (inside + outside) / 2
        params = np.array([[np.exp(middle)]])
        cost = FLOPS_PER_PARAM_TOKEN * params * surface.tokens_for(params, loss)
        if float(cost[0, 0]) <= flops * (1 + extra):
            inside = middle
        else:
            outside = middle
    return float(np.exp(inside))
