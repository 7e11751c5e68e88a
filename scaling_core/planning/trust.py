"""How far a plan can be trusted: how far it lies beyond the runs, what other laws say, what the draws would choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scaling_core.errors import UserError
from scaling_core.laws import Array
from scaling_core.planning.allocation import best_for_compute, cheapest_for_loss, lifetime_cost
from scaling_core.planning.answers import MAX_SEARCHED_DRAWS, relative_price
from scaling_core.planning.basis import Basis
from scaling_core.planning.figures import beyond_by
from scaling_core.planning.frontier import times_beyond
from scaling_core.planning.plan import Plan, plan
from scaling_core.planning.scenario import Scenario
from scaling_core.planning.surface import Surface
from scaling_core.units import format_count, format_number, format_ratio

Severity = Literal["good", "doubt", "problem"]
#: A plan more than 3 times beyond the runs in C, N or D is to be doubted, one more than 30 times beyond is a guess. A
#: judgement, not a measurement: half a decade is what holding out the largest runs usually tests, 30 three times that.
_FAR, _VERY_FAR = 3.0, 30.0
#: Another size, for the draws: one that would take this much more compute for the same loss.
_COSTLY = 0.05
#: Laws that differ by more than this factor in N disagree.
_DISAGREE = 1.5


@dataclass(frozen=True)
class Check:
    """One reason to trust a plan or to doubt it: a sentence, the number behind it, and how grave it is."""

    name: str
    severity: Severity
    text: str
    number: float


def trust(basis: Basis, scenario: Scenario, answer: Plan, others: Sequence[Basis] = ()) -> tuple[Check, ...]:
    """Everything that speaks for or against a plan, gravest first.

    ``others`` are laws to compare with: fits of other forms on the same runs, or published ones.
    """
    checks = [
        *_reach(answer),
        *_ratio(basis, answer),
        *_draws(basis, scenario, answer),
        *_others(basis, scenario, answer, others),
    ]
    order = {"problem": 0, "doubt": 1, "good": 2}
    return tuple(sorted(checks, key=lambda c: order[c.severity]))


def _reach(answer: Plan) -> list[Check]:
    """Extrapolation in C, N and D together: what matters is the farthest."""
    words = {"flops": "compute", "params": "parameters", "tokens": "tokens"}
    if not answer.extrapolation:
        return [Check("extrapolation", "doubt", "The extent of the runs behind this law is not known.", float("nan"))]
    far = {name: max(times, 1 / times) for name, times in answer.extrapolation.items()}
    name = max(far, key=far.__getitem__)
    times = far[name]
    if times == 1:
        return [Check("extrapolation", "good", "Compute, parameters and tokens all lie inside the runs.", 1.0)]
    side = "beyond the largest" if answer.extrapolation[name] > 1 else "below the smallest"
    severity: Severity = "problem" if times > _VERY_FAR else "doubt" if times > _FAR else "good"
    text = f"In {words[name]} the plan lies {beyond_by(times)} {side} run."
    return [Check("extrapolation", severity, text, times)]


def _ratio(basis: Basis, answer: Plan) -> list[Check]:
    """Tokens per parameter against those of the runs, as far as their extent says."""
    extent = basis.ranges.get("tokens_per_param")
    if extent is None or not np.isfinite(answer.tokens_per_param):
        return []
    low, high = extent
    ratio = answer.tokens_per_param
    if low <= ratio <= high:
        text = f"{format_number(ratio)} tokens per parameter lie inside what the runs tried."
        return [Check("tokens per parameter", "good", text, ratio)]
    text = (
        f"{format_number(ratio)} tokens per parameter were not tried: the runs have "
        f"{format_number(low)} to {format_number(high)}."
    )
    return [Check("tokens per parameter", "doubt", text, ratio)]


def _draws(basis: Basis, scenario: Scenario, answer: Plan) -> list[Check]:
    """Share of draws for which the size that is planned would be a costly choice.

    Each draw says what loss the budget reaches at its own best size, and what that loss costs with the planned size
    instead, over the model's life where it is to serve. A size that the scenario asks for is judged like any other.
    """
    if not len(basis.draws) or not basis.has_optimum or scenario.flops is None or not np.isfinite(answer.params):
        return []
    cost = _waste(basis.surface(scenario, basis.draws[:MAX_SEARCHED_DRAWS]), scenario, answer.params)
    share = float(np.mean(~(cost <= _COSTLY)))
    text = (
        f"{100 * share:.0f}% of the bootstrap draws would choose another size: for them this one wastes more than "
        f"{100 * _COSTLY:.0f}% of the {'cost of its life' if scenario.demand.tokens else 'compute'}."
    )
    return [Check("draws", "problem" if share > 0.5 else "doubt" if share > 0.1 else "good", text, share)]


def _waste(drawn: Surface, scenario: Scenario, size: float) -> Array:
    """Cost of a size beyond that of each draw's best for the same loss, relatively, shape (R, 1)."""
    served, price = scenario.demand.tokens, relative_price(scenario)
    loss = best_for_compute(drawn, np.array([scenario.flops], dtype=float)).loss
    least = cheapest_for_loss(drawn, loss, served, price).cost if served else np.full(loss.shape, scenario.flops)
    params = np.full(loss.shape, size)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(lifetime_cost(params, drawn.tokens_for(params, loss), served, price) / least - 1)


def _far_off(basis: Basis, flops: float) -> float:
    """How many times a budget lies beyond the runs of a law, either way; 1 inside them or where they are not known."""
    extent = basis.ranges.get("flops")
    if extent is None or not np.isfinite(flops):
        return 1.0
    times = times_beyond(flops, extent)
    return max(times, 1 / times)


def _others(basis: Basis, scenario: Scenario, answer: Plan, others: Sequence[Basis]) -> list[Check]:
    """The widest disagreement in N among laws: each asked for its own best size, whatever size was typed.

    A goal is put only to laws of the same metric: a loss means nothing to a law of accuracy. A law whose own runs lie
    far farther from this budget than those behind the plan has nothing to say against it.
    """
    sizes = {}
    for other in others:
        if scenario.loss is not None and other.metric != basis.metric:
            continue
        if _far_off(other, answer.flops) > _VERY_FAR * _far_off(basis, answer.flops):
            continue
        try:
            said = plan(replace(other, draws=other.draws[:0]), replace(scenario, params=None)).params
        except UserError:
            continue
        if np.isfinite(said):
            sizes[other.title] = said
    if not sizes or not np.isfinite(answer.params):
        return []
    title, size = max(sizes.items(), key=lambda item: abs(np.log(item[1] / answer.params)))
    factor = float(np.exp(abs(np.log(size / answer.params))))
    if factor < _DISAGREE:
        text = f"{len(sizes)} other law{'s' * (len(sizes) > 1)} would choose a size within {format_ratio(factor)}."
        return [Check("other laws", "good", text, factor)]
    text = f"Laws disagree: {title} would choose {format_count(size)} parameters, {format_ratio(factor)} apart."
    if scenario.params is not None:
        text = f"Other laws would choose another size: {title} {format_count(size)}, {format_ratio(factor)} apart."
    return [Check("other laws", "doubt", text, factor)]
