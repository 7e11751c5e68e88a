"""What a plan hangs on: each input moved by ten percent, or by its own interval, and what that does to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_core.errors import UserError
from scaling_core.laws import Array
from scaling_core.planning.basis import Basis
from scaling_core.planning.budget import Terms
from scaling_core.planning.frontier import frontier
from scaling_core.planning.plan import Plan, plan
from scaling_core.planning.scenario import Scenario

_STEP = 0.10


def tornado(basis: Basis, scenario: Scenario, quantity: str = "loss") -> pd.DataFrame:
    """Move each input on its own and follow one number of the plan.

    Returns
    -------
    pandas.DataFrame
        Widest first: ``input``, ``low`` and ``high`` (the quantity with the input moved down and up), ``base``, and
        ``how`` (by what it was moved).

    Raises
    ------
    UserError
        If the plan has no such quantity.
    """
    base = _read(plan(basis, scenario), quantity)
    rows = []
    for name, how, down, up in _moves(basis, scenario):
        ends = [_try(b, s, quantity) for b, s in (down, up)]
        if any(np.isfinite(end) and not np.isclose(end, base, rtol=1e-9) for end in ends):
            rows.append({"input": name, "how": how, "low": ends[0], "high": ends[1], "base": base})
    out = pd.DataFrame(rows, columns=["input", "how", "low", "high", "base"])
    width = (out["high"] - out["low"]).abs()
    return out.iloc[np.argsort(-width.to_numpy(), kind="stable")].reset_index(drop=True)


def pareto(basis: Basis, scenario: Scenario, flops: Array) -> pd.DataFrame:
    """Loss against cost along budgets of shape (m,).

    Returns ``flops``, ``loss``, ``loss_low``, ``loss_high``, ``params``, ``cost_usd`` and ``gpu_hours``; with demand
    the last two are of the training that is planned, which takes more than the budget.

    Raises
    ------
    UserError
        If the scenario has no hardware.
    """
    if scenario.terms is None:
        raise UserError("Without hardware there is no cost.", fix="Choose an accelerator.")
    rows = frontier(basis, flops, scenario.level, replace(scenario, flops=float(flops[0]), loss=None))
    return rows[["flops", "loss", "loss_low", "loss_high", "params", "cost_usd", "gpu_hours"]]


Question = tuple[Basis, Scenario]


def _moves(basis: Basis, scenario: Scenario) -> list[tuple[str, str, Question, Question]]:
    """Each input by name, with the question when it is moved down and up."""
    ten = f"±{100 * _STEP:.0f}%"
    found = []

    def add(name: str, change: Callable[[float], Scenario]) -> None:
        found.append((name, ten, (basis, change(1 - _STEP)), (basis, change(1 + _STEP))))

    if scenario.flops is not None:
        add("budget", lambda k: replace(scenario, flops=scenario.flops * k))  # type: ignore[operator]
    if scenario.loss is not None:
        add("loss to reach", lambda k: replace(scenario, loss=scenario.loss * k))  # type: ignore[operator]
    if scenario.params is not None:
        add("size", lambda k: replace(scenario, params=scenario.params * k))  # type: ignore[operator]
    if np.isfinite(scenario.unique_tokens):
        add("unique tokens", lambda k: replace(scenario, unique_tokens=scenario.unique_tokens * k))
    if scenario.demand.tokens:
        add(
            "inference demand",
            lambda k: replace(scenario, demand=replace(scenario.demand, tokens=scenario.demand.tokens * k)),
        )
    if scenario.terms is not None:
        found += _machine_moves(basis, scenario, scenario.terms, ten)
    return [*found, *_parameter_moves(basis, scenario)]


def _machine_moves(
    basis: Basis, scenario: Scenario, terms: Terms, ten: str
) -> list[tuple[str, str, Question, Question]]:
    """Utilisation and price. A budget in money is kept in FLOPs here: they move what the plan costs."""
    found = []
    moved = [replace(scenario, terms=replace(terms, mfu=min(1.0, float(np.mean(terms.mfu)) * k))) for k in (0.9, 1.1)]
    found.append(("utilisation", ten, (basis, moved[0]), (basis, moved[1])))
    if terms.usd_per_gpu_hour is not None:
        price = float(np.mean(terms.usd_per_gpu_hour))
        moved = [replace(scenario, terms=replace(terms, price_usd_per_hour=price * k)) for k in (0.9, 1.1)]
        found.append(("price of an hour", ten, (basis, moved[0]), (basis, moved[1])))
    return found


def _parameter_moves(basis: Basis, scenario: Scenario) -> list[tuple[str, str, Question, Question]]:
    """Parameters of the law: the draws in the lowest and the highest fifth of each, by their middle ones.

    Parameters move together, so one is not moved alone: the draws say what the others are when it is low or high.
    """
    if basis.law is None or len(basis.draws) < 20:
        return []
    found = []
    for i, name in enumerate(basis.law.parameter_names):
        order = np.argsort(basis.draws[:, i], kind="stable")
        fifth = max(2, len(order) // 5)
        ends = [np.median(basis.draws[part], axis=0) for part in (order[:fifth], order[-fifth:])]
        low, high = ((replace(basis, theta=end), scenario) for end in ends)
        found.append((name, "lowest and highest fifth of its draws", low, high))
    return found


def _try(basis: Basis, scenario: Scenario, quantity: str) -> float:
    try:
        return _read(plan(basis, scenario), quantity)
    except UserError:
        return float("nan")


def _read(answer: Plan, quantity: str) -> float:
    value = getattr(answer, quantity, None)
    if not isinstance(value, float):
        raise UserError(f"The plan has no “{quantity}”.", fix="Follow loss, params, tokens or cost_usd.")
    return value
