"""What serving does to the best size: the plan that is cheapest over a model's life, for each demand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws import Array
from scaling_core.planning.allocation import cheapest_for_loss, lifetime_cost
from scaling_core.planning.answers import relative_price
from scaling_core.planning.basis import Basis
from scaling_core.planning.demand import Demand
from scaling_core.planning.plan import plan
from scaling_core.planning.scenario import Scenario


def crossover(basis: Basis, scenario: Scenario, demands: Array) -> pd.DataFrame:
    """Answer a scenario for each of several demands in tokens, shape (m,), all for the same loss.

    The loss is the one asked for, or the lowest that the budget reaches. A size that the scenario wants is not kept:
    the question is which size is best.

    Returns
    -------
    pandas.DataFrame
        A row a demand: ``demand_tokens``, ``params``, ``tokens``, ``lifetime_flops`` (6ND + 2N·D_inference),
        ``lifetime_saving`` (the share of the lifetime cost saved beside the model that is cheapest to train for the
        same loss) and ``cheapest_params`` (the size of that model).

    Raises
    ------
    UserError
        If the law has no best split, or the loss asked for cannot be reached.
    """
    if not basis.has_optimum:
        raise UserError(
            f"{basis.title} does not say how loss depends on both N and D, so no size is best for serving.",
            fix="Choose a law in N and D: Chinchilla's, fitted or published.",
        )
    demands = np.asarray(demands, dtype=float)
    certain = replace(basis, draws=basis.draws[:0])  # the curve is the law's own: draws would be searched for nothing
    cheapest = plan(certain, replace(scenario, params=None, demand=Demand()))
    price = relative_price(scenario)
    surface = basis.surface(scenario, basis.theta[None])
    target = np.full((1, demands.size), cheapest.loss)
    best = cheapest_for_loss(surface, target, demands, price)
    there = lifetime_cost(np.array(cheapest.params), np.array(cheapest.tokens), demands, price)
    return pd.DataFrame({
        "demand_tokens": demands, "params": best.params[0], "tokens": best.tokens[0],
        "lifetime_flops": lifetime_cost(best.params[0], best.tokens[0], demands),
        "lifetime_saving": 1 - best.cost[0] / there, "cheapest_params": cheapest.params,
    })  # fmt: skip
