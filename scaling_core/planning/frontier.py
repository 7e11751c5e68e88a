"""Best N and D, and the loss they reach, for every budget: the arithmetic that a plan and a chart share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.fitting import DEFAULT_LEVEL
from scaling_core.laws import Array
from scaling_core.planning.answers import QUANTITIES, Triple, answers
from scaling_core.planning.band import answers_along
from scaling_core.planning.basis import Basis
from scaling_core.planning.budget import Terms, amounts
from scaling_core.planning.demand import Demand
from scaling_core.planning.scenario import Scenario

#: Step between budgets of a frontier in powers of ten: about 5%.
LOG_STEP = 0.02
#: What lies beyond by no more than rounding lies inside.
_EDGE = 1 + 1e-9


def frontier(
    basis: Basis, flops: Array, level: float | None = DEFAULT_LEVEL, scenario: Scenario | None = None
) -> pd.DataFrame:
    """Answer a scenario at each budget; a loss that it asks for gives way to the budgets.

    Returns a row for each of ``flops`` (shape (m,)) with ``flops``, each of ``QUANTITIES`` with ``_low`` and
    ``_high`` (NaN without draws, or with ``level`` None), and ``beyond``, ``beyond_params`` and ``beyond_tokens``:
    how many times C, N and D lie beyond the runs, NaN where that is not known. A scenario with hardware adds
    ``cost_usd``, ``days`` and ``gpu_hours`` of the training, one with limited data ``epochs``, and one with demand
    ``training_flops``: more than the budget whose loss is reached, to save over the model's life. Those that vary
    with the law have ``_low`` and ``_high``.
    """
    asked = scenario or Scenario(float(flops[0]))
    start = budget_of(basis, asked)
    asked = replace(asked, flops=float(flops[0]), loss=None, level=level or DEFAULT_LEVEL)
    found = answers_along(basis, asked, flops, start, with_draws=level is not None)
    out: dict[str, Array] = {"flops": flops}
    for name in QUANTITIES:
        out |= _named(name, found[name])
    out["beyond"] = _beyond(flops, basis.ranges.get("flops"))
    for name in ("params", "tokens"):
        out[f"beyond_{name}"] = _beyond(found[name][0], basis.ranges.get(name))
    return priced(pd.DataFrame({**out, **_further(asked, found)}), asked)


def priced(rows: pd.DataFrame, scenario: Scenario) -> pd.DataFrame:
    """A frontier with ``cost_usd``, ``days`` and ``gpu_hours`` on the scenario's machine; as it is without one."""
    if scenario.terms is None:
        return rows
    name = "training_flops" if "training_flops" in rows else "flops"
    out: dict[str, Array] = {}
    for end in ("", "_low", "_high") if name == "training_flops" else ("",):  # without demand the budget is what it is
        spent = _spent(rows[f"{name}{end}"].to_numpy(dtype=float), scenario.terms)
        out |= {f"{what}{end}": values for what, values in spent.items()}
    return rows.assign(**out)


def _beyond(values: Array, extent: tuple[float, float] | None) -> Array:
    return np.array([times_beyond(float(v), extent) if extent and np.isfinite(v) else np.nan for v in values])


def budget_of(basis: Basis, scenario: Scenario) -> float:
    """The budget at which a frontier of the scenario gives its plan; NaN where the loss asked for is out of reach.

    For a loss it is the least compute that reaches it: with demand, the plan itself trains with more.
    """
    if scenario.flops is not None:
        return scenario.flops
    trained = scenario if scenario.params is not None else replace(scenario, demand=Demand())
    return float(answers(basis, trained, np.array([math.nan]), with_draws=False)["flops"][0][0])


def _further(scenario: Scenario, found: dict[str, Triple]) -> dict[str, Array]:
    """What the demand and the data of a scenario add to a frontier, with ``_low`` and ``_high``."""
    out: dict[str, Array] = {}
    if scenario.demand.tokens:
        out |= _named("training_flops", found["flops"])
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
