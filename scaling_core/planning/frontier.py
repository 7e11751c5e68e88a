"""Best N and D, and the loss they reach, for every budget: the arithmetic that a plan and a chart share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.laws import FLOPS_PER_PARAM_TOKEN, Array
from scaling_core.planning.allocation import Allocation, best_for_compute, cheapest_for_loss, lifetime_cost
from scaling_core.planning.basis import Basis
from scaling_core.planning.budget import Terms, amounts
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import Surface

#: Quantities that every plan has; each may have an interval.
QUANTITIES = ("params", "tokens", "tokens_per_param", "loss")
#: Step between budgets of a frontier in powers of ten: about 5%.
LOG_STEP = 0.02
#: What lies beyond by no more than rounding lies inside.
_EDGE = 1 + 1e-9
#: Draws that a search goes through: enough for an interval, few enough for a slider.
_MAX_SEARCHED_DRAWS = 1000

Triple = tuple[Array, Array, Array]


def frontier(
    basis: Basis, flops: Array, level: float | None = DEFAULT_LEVEL, scenario: Scenario | None = None
) -> pd.DataFrame:
    """Answer a scenario at each budget.

    Returns a row for each of ``flops`` (shape (m,)) with ``flops``, each of ``QUANTITIES`` with ``_low`` and
    ``_high`` (NaN without draws, or with ``level`` None), and ``beyond``: how many times the budget lies beyond the
    runs.
    """
    asked = scenario or Scenario(float(flops[0]))
    asked = replace(asked, flops=float(flops[0]), loss=None)
    found = answers(basis, replace(asked, level=level or DEFAULT_LEVEL), flops, with_draws=level is not None)
    out: dict[str, Array] = {"flops": flops}
    for name in QUANTITIES:
        out[name], out[f"{name}_low"], out[f"{name}_high"] = found[name]
    extent = basis.ranges.get("flops")
    out["beyond"] = np.array([times_beyond(float(c), extent) if extent else np.nan for c in flops])
    return pd.DataFrame({**out, **_further(asked, found)})


def _further(scenario: Scenario, found: dict[str, Triple]) -> dict[str, Array]:
    """What the machine, the demand and the data of a scenario add to a frontier, with ``_low`` and ``_high``."""
    out: dict[str, Array] = {}
    if scenario.demand.tokens:
        out |= _named("training_flops", found["flops"])
    if scenario.terms is not None:
        spent, least, most = (_spent(flops, scenario.terms) for flops in found["flops"])
        for name in spent:  # without demand the budget is what it is, and so is its cost
            triple = (spent[name], least[name], most[name])
            out |= _named(name, triple) if scenario.demand.tokens else {name: spent[name]}
    if math.isfinite(scenario.unique_tokens):
        value, low, high = found["tokens"]
        unique = scenario.unique_tokens
        out |= _named("epochs", (value / unique, low / unique, high / unique))
    return out


def _spent(flops: Array, terms: Terms) -> dict[str, Array]:
    """Cost, time and hours of training computes (m,); NaN where one is unknown."""
    known = np.isfinite(flops)
    spent = amounts(np.where(known, flops, 0.0), terms)
    parts = {"cost_usd": spent.usd, "days": spent.days, "gpu_hours": spent.gpu_hours}
    return {name: np.where(known, value, np.nan) for name, value in parts.items()}


def _named(name: str, triple: Triple) -> dict[str, Array]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), triple, strict=True))


def budgets(low: float, high: float, through: float | None = None) -> Array:
    """Budgets from ``low`` to ``high`` or just beyond, in steps of ``LOG_STEP`` of log10, ``through`` one exactly."""
    anchor = through or low
    first = math.floor((math.log10(low) - math.log10(anchor)) / LOG_STEP + 1e-9)
    last = math.ceil((math.log10(high) - math.log10(anchor)) / LOG_STEP - 1e-9)
    return np.asarray(anchor * 10.0 ** (np.arange(first, last + 1) * LOG_STEP))


def times_beyond(value: float, extent: tuple[float, float]) -> float:
    """How many times a value lies beyond an extent: 1 inside, above 1 past its end, below 1 before its start."""
    low, high = extent
    if value > high * _EDGE:
        return value / high
    return value / low if value * _EDGE < low else 1.0


def answers(basis: Basis, scenario: Scenario, flops: Array, *, with_draws: bool = True) -> dict[str, Triple]:
    """Every quantity at budgets (m,): value, low and high, each (m,). ``flops`` is not read where a loss is asked for.

    Each draw of the law is optimised for itself.

    Raises
    ------
    UserError
        If the law has no best split of its own and more than one budget's continuation is asked.
    """
    if not basis.has_optimum:
        return _along_the_runs(basis, scenario, flops, with_draws=with_draws)
    point = quantities(basis.surface(scenario, basis.theta[None]), scenario, flops)
    if not with_draws or not len(basis.draws):
        return {name: _without_interval(value[0]) for name, value in point.items()}
    drawn = quantities(basis.surface(scenario, basis.draws[:_MAX_SEARCHED_DRAWS]), scenario, flops)
    return {name: (value[0], *percentiles(drawn[name], scenario.level)) for name, value in point.items()}


def quantities(surface: Surface, scenario: Scenario, flops: Array) -> dict[str, Array]:
    """Every quantity for each draw, (R, m)."""
    found, cheapest = _allocated(surface, scenario, flops)
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
    """What an inference FLOP costs in training FLOPs on the scenario's machine."""
    mfu = float(np.mean(scenario.terms.mfu)) if scenario.terms else 1.0
    return scenario.demand.relative_price(mfu)


def _allocated(surface: Surface, scenario: Scenario, flops: Array) -> tuple[Allocation, Allocation]:
    """What to train, and what would be cheapest to train for the same loss."""
    if scenario.loss is None:
        cheapest = best_for_compute(surface, flops)
        target = cheapest.loss
    else:
        target = np.full((len(surface.theta), 1), scenario.loss)
        cheapest = cheapest_for_loss(surface, target)
    if scenario.params is not None:
        return _of_size(surface, scenario, target, flops), cheapest
    if not scenario.demand.tokens:
        return cheapest, cheapest
    return cheapest_for_loss(surface, target, scenario.demand.tokens, relative_price(scenario)), cheapest


def _of_size(surface: Surface, scenario: Scenario, target: Array, flops: Array) -> Allocation:
    """A model of the wanted size: trained with the whole budget, or until it reaches the loss."""
    params = np.full(target.shape, float(scenario.params or math.nan))
    if scenario.loss is None:
        tokens = np.broadcast_to(flops, target.shape) / FLOPS_PER_PARAM_TOKEN / params
    else:
        tokens = surface.tokens_for(params, target)
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
