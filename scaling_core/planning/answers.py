"""What a plan says at each budget: every quantity, for the law itself and for every draw of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, LAWS, Array
from scaling_core.planning.allocation import Allocation, best_for_compute, cheapest_for_loss, lifetime_cost
from scaling_core.planning.basis import Basis
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import Surface

#: Quantities that every plan has; each may have an interval.
QUANTITIES = ("params", "tokens", "tokens_per_param", "loss")
#: Draws that a search goes through: enough for an interval, few enough for a slider.
MAX_SEARCHED_DRAWS = 1000

Triple = tuple[Array, Array, Array]
#: What to train, and what would be cheapest to train for the same loss.
Pair = tuple[Allocation, Allocation]


def is_searched(basis: Basis, scenario: Scenario) -> bool:
    """Whether the answer has no closed form, so that every draw of the law takes a search."""
    if not basis.has_optimum or scenario.params is not None:
        return False
    limited = math.isfinite(scenario.unique_tokens) or bool(scenario.demand.tokens) or scenario.loss is not None
    return limited or basis.law_name not in LAWS


def answers(basis: Basis, scenario: Scenario, flops: Array, *, with_draws: bool = True) -> dict[str, Triple]:
    """Every quantity at budgets (m,): value, low and high, each (m,). ``flops`` is not read where a loss is asked for.

    N, D and C: each draw of the law is optimised for itself. The loss: what each draw says of the law's own N and D,
    which is what a person who trains the plan will see. Where a loss is asked for, ``unreached`` is the share of the
    draws by which nothing reaches it.

    Raises
    ------
    UserError
        If the law has no best split of its own and more than one budget's continuation is asked.
    """
    if not basis.has_optimum:
        return _along_the_runs(basis, scenario, flops, with_draws=with_draws)
    best = _allocated(basis.surface(scenario, basis.theta[None]), scenario, flops)
    point = _quantities(best, scenario, flops)
    if not with_draws or not len(basis.draws):
        return {name: _without_interval(value[0]) for name, value in point.items()}
    drawn_best = _allocated(basis.surface(scenario, basis.draws[:MAX_SEARCHED_DRAWS]), scenario, flops, best)
    drawn = _quantities(drawn_best, scenario, flops)
    found = {name: (value[0], *percentiles(drawn[name], scenario.level)) for name, value in point.items()}
    found["loss"] = point["loss"][0], *loss_reached(basis, scenario, best[0].params[0], best[0].tokens[0])
    if scenario.loss is not None:
        found["unreached"] = _without_interval(np.mean(~np.isfinite(drawn["tokens"]), axis=0))
    return found


def loss_reached(basis: Basis, scenario: Scenario, params: Array, tokens: Array) -> tuple[Array, Array]:
    """Interval of the loss that models of N and D, each (m,), will reach: what the draws of the law say of them."""
    drawn = basis.surface(scenario, basis.draws[:MAX_SEARCHED_DRAWS])
    return percentiles(drawn.loss(params[None], tokens[None]), scenario.level)


def _quantities(best: Pair, scenario: Scenario, flops: Array) -> dict[str, Array]:
    """Every quantity for each draw, (R, m)."""
    found, cheapest = best
    demand = scenario.demand.tokens
    training = FLOPS_PER_PARAM_TOKEN * found.params * found.tokens
    out = {
        "flops": np.broadcast_to(flops, training.shape) if _spends_all(scenario) else training,
        "params": found.params,
        "tokens": found.tokens,
        "tokens_per_param": found.tokens / found.params,
        "loss": found.loss,
    }
    if demand:
        price = relative_price(scenario)
        here, there = (lifetime_cost(a.params, a.tokens, demand, price) for a in (found, cheapest))
        out["lifetime_flops"] = lifetime_cost(found.params, found.tokens, demand)
        out["lifetime_saving"] = 1 - here / there
    return out


def _spends_all(scenario: Scenario) -> bool:
    return scenario.loss is None and not scenario.demand.tokens


def relative_price(scenario: Scenario) -> float:
    """What an inference FLOP costs in training FLOPs on the scenario's machine.

    Time that training loses to restarts and waiting is paid for too: it makes training dearer, and inference no dearer.
    """
    reached = float(np.mean(scenario.terms.all_in_utilisation)) if scenario.terms else 1.0
    return scenario.demand.relative_price(reached)


def without_machine(scenario: Scenario) -> Scenario:
    """The same question to the law, where the machine changes only what the answer costs.

    It changes the answer itself where reading or writing reaches another utilisation than training.
    """
    if scenario.demand.tokens and (scenario.demand.prefill_mfu or scenario.demand.decode_mfu):
        return scenario
    return replace(scenario, terms=None)


def _allocated(surface: Surface, scenario: Scenario, flops: Array, near: Pair | None = None) -> Pair:
    """What to train, and what is cheapest to train; a search for draws looks near the answer of the law itself."""
    if scenario.params is not None and not scenario.demand.tokens:
        found = _of_size(surface, scenario, flops)
        return found, found
    around = (None, None) if near is None else (near[0].params, near[1].params)
    if scenario.params is not None:  # it has a loss of its own, and is compared with what reaches the same
        found = _of_size(surface, scenario, flops)
        return found, cheapest_for_loss(surface, found.loss, around=around[1])
    if scenario.loss is None:
        cheapest = best_for_compute(surface, flops, around[1])
        target = cheapest.loss
    else:
        target = np.full((len(surface.theta), 1), scenario.loss)
        cheapest = cheapest_for_loss(surface, target, around=around[1])
    if not scenario.demand.tokens:
        return cheapest, cheapest
    price = relative_price(scenario)
    found = cheapest_for_loss(surface, target, scenario.demand.tokens, price, around[0])
    if scenario.loss is not None:
        return found, cheapest
    # The loss of a budget that exhausts its data is the floor to the last digit: nothing else is seen to reach it.
    known = np.isfinite(found.params)
    return Allocation(*(np.where(known, a, b) for a, b in zip(found, cheapest, strict=True))), cheapest


def _of_size(surface: Surface, scenario: Scenario, flops: Array) -> Allocation:
    """A model of the wanted size: trained with the whole budget, or until it reaches the loss."""
    shape = (len(surface.theta), 1 if scenario.loss is not None else flops.size)
    params = np.full(shape, float(scenario.params or math.nan))
    if scenario.loss is None:
        tokens = np.broadcast_to(flops, shape) / FLOPS_PER_PARAM_TOKEN / params
    else:
        tokens = surface.tokens_for(params, np.full(shape, scenario.loss))
        tokens = np.where(np.isfinite(tokens), tokens, np.nan)
    return Allocation(params, tokens, surface.loss(params, tokens), FLOPS_PER_PARAM_TOKEN * params * tokens)


def _along_the_runs(basis: Basis, scenario: Scenario, flops: Array, *, with_draws: bool) -> dict[str, Triple]:
    """Values and intervals where N and D continue the runs' own line and the law says the loss there."""
    if scenario.loss is not None or scenario.demand.tokens or scenario.params or math.isfinite(scenario.unique_tokens):
        raise UserError(
            f"{basis.title} does not say how loss depends on both N and D, so only a budget can be planned with it.",
            fix="Choose a law in N and D: Chinchilla's, fitted or published.",
        )
    columns = {name: _on_line(basis, name, flops) for name in ("params", "tokens", "tokens_per_param")}
    columns["flops"] = _without_interval(flops)
    if basis.law is None:
        return {**columns, "loss": _without_interval(np.full(flops.shape, np.nan))}
    x = {name: flops if name == "flops" else columns[name][0] for name in basis.law.predictors}
    loss = basis.law.predict(basis.theta, x)
    if not with_draws or not len(basis.draws):
        return {**columns, "loss": _without_interval(loss)}
    return {**columns, "loss": (loss, *percentiles(basis.law.predict(basis.draws, x), scenario.level))}


def _on_line(basis: Basis, name: str, flops: Array) -> Triple:
    line = basis.lines.get(name)
    return _without_interval(line.value(flops) if line else np.full(flops.shape, np.nan))


def _without_interval(value: Array) -> Triple:
    nothing = np.full(value.shape, np.nan)
    return value, nothing, nothing


def percentiles(draws: Array, level: float) -> tuple[Array, Array]:
    """Percentiles over draws; NaN where more than half of them have no answer."""
    tail = (1 - level) / 2
    known = np.isfinite(draws).mean(axis=0) > 0.5
    if np.isfinite(draws).all():
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
        return low, high
    safe = np.where(known, draws, 0.0)
    low, high = np.nanquantile(safe, [tail, 1 - tail], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
