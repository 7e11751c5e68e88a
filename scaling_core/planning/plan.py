"""From a scenario to what to train: one answer, every number with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling_core.errors import UserError
from scaling_core.planning.answers import QUANTITIES, answers, percentiles
from scaling_core.planning.basis import Basis
from scaling_core.planning.budget import amounts
from scaling_core.planning.figures import beyond_by, passes, size
from scaling_core.planning.frontier import times_beyond
from scaling_core.planning.repeats import SOURCE, no_return
from scaling_core.planning.scenario import MAX_FLOPS, Scenario
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops, format_ratio

_LETTER = {"flops": "C", "params": "N", "tokens": "D"}


@dataclass(frozen=True)
class Plan:
    """The answer to a scenario.

    Attributes
    ----------
    flops, params, tokens, tokens_per_param, loss : float
        Training compute, and what to train with it. NaN where the law cannot tell.
    epochs, effective_tokens : float or None
        Passes over the unique tokens, and what the tokens are worth; None for endless data.
    gpu_hours, days, cost_usd, energy_kwh, co2e_kg : float or None
        None without hardware.
    lifetime_flops, lifetime_saving : float or None
        6ND + 2N·D_inference, and the share of the priced lifetime cost saved beside the model that is cheapest to
        train for the same loss; None without demand. Priced means that a FLOP of inference counts what it costs beside
        one of training: where utilisations are told apart, it is not the share of ``lifetime_flops``.
    intervals : dict
        Low and high of each quantity that has an interval. Those of C, N and D are what the draws of the law would
        choose; that of the loss is what they say of this N and D: the loss that a person who trains them will see.
    extrapolation : dict
        For C, N and D how many times the answer lies beyond the runs: 1 inside them, above 1 past the largest,
        below 1 short of the smallest. A quantity whose extent is unknown is absent.
    notes : tuple of str
    unreached : float or None
        Share of the draws by which no budget reaches the loss that was asked for; None where none was, or no draws.
    """

    flops: float
    params: float
    tokens: float
    tokens_per_param: float
    loss: float
    intervals: dict[str, tuple[float, float]]
    extrapolation: dict[str, float]
    law: str
    level: float
    notes: tuple[str, ...]
    epochs: float | None = None
    effective_tokens: float | None = None
    gpu_hours: float | None = None
    days: float | None = None
    cost_usd: float | None = None
    energy_kwh: float | None = None
    co2e_kg: float | None = None
    lifetime_flops: float | None = None
    lifetime_saving: float | None = None
    unreached: float | None = None

    def to_json(self, metric: Metric = LOSS) -> dict[str, Any]:
        """Return the plan as JSON types at full precision; what cannot be told is null, what was not asked absent.

        Of another ``metric`` than the loss, ``cost`` stands in place of ``loss``, and ``metric`` says what it is.
        """
        out = self._to_json()
        return out if metric == LOSS else _of_metric(out, metric)

    def _to_json(self) -> dict[str, Any]:
        numbers = {name: _null(getattr(self, name)) for name in ("flops", *QUANTITIES)}
        asked = {name: getattr(self, name) for name in EXTRAS if getattr(self, name) is not None}
        return {
            "law": self.law,
            **numbers,
            **{name: _null(value) for name, value in asked.items()},
            "intervals": {k: list(v) for k, v in self.intervals.items()},
            "interval_level": self.level,
            "extrapolation": self.extrapolation,
            "notes": list(self.notes),
        }


#: Quantities that a plan has only where the scenario asks for them.
EXTRAS = ("epochs", "effective_tokens", "gpu_hours", "days", "cost_usd", "energy_kwh", "co2e_kg",
          "lifetime_flops", "lifetime_saving", "unreached")  # fmt: skip


def plan(basis: Basis, scenario: Scenario) -> Plan:
    """Answer one scenario.

    Raises
    ------
    UserError
        If the law cannot say what is asked, or the loss asked for lies below what it can reach.
    """
    found = answers(basis, scenario, np.array([scenario.flops or math.nan]))
    point = {name: float(value[0]) for name, (value, _, _) in found.items()}
    _refuse_what_cannot_be(basis, scenario, point)
    ends = {name: (float(low[0]), float(high[0])) for name, (_, low, high) in found.items()}
    sure = {name for name, (low, high) in ends.items() if low == high}  # the budget itself, a size that was asked for
    pairs = {name: pair for name, pair in ends.items() if math.isfinite(pair[0]) and name not in sure}
    if point.get("unreached", 0.0) and "flops" in pairs and point["flops"] > pairs["flops"][1]:
        # Draws with a low floor reach the goal for less than the law itself does: that is no interval of its answer.
        pairs = {name: pair for name, pair in pairs.items() if name == "loss"}
    beyond = {n: times_beyond(point[n], basis.ranges[n]) for n in _LETTER if _known(basis, point, n)}
    extras, spread = _extras(basis, scenario, point, pairs)
    return Plan(
        **{name: point[name] for name in ("flops", *QUANTITIES)},
        intervals={**pairs, **spread},
        extrapolation=beyond,
        law=basis.law_name,
        level=scenario.level,
        notes=(
            *_extrapolation_notes(beyond, basis), *_scenario_notes(basis, scenario, point, extras),
            *_unreached_notes(point.get("unreached", 0.0), "flops" in pairs), *_doubt_notes(basis), *basis.notes,
        ),
        **extras,
    )  # fmt: skip


Spread = dict[str, tuple[float, float]]


def _extras(
    basis: Basis, scenario: Scenario, point: dict[str, float], pairs: Spread
) -> tuple[dict[str, float], Spread]:
    """What the scenario's data, machine and demand add; an interval of C becomes one of time, cost and energy."""
    extras: dict[str, float] = {}
    spread: Spread = {}
    if math.isfinite(scenario.unique_tokens):
        extras["epochs"] = point["tokens"] / scenario.unique_tokens
        if "tokens" in pairs:
            spread["epochs"] = _scaled(pairs["tokens"], 1 / scenario.unique_tokens)
        if (decays := basis.decays(scenario)) is not None:
            tokens = np.array(point["tokens"])
            extras["effective_tokens"] = float(decays.worth(tokens, scenario.unique_tokens))
            if ends := decays.worth_between(tokens, scenario.unique_tokens, scenario.level):
                spread["effective_tokens"] = float(ends[0]), float(ends[1])
    if scenario.terms:
        spent = amounts(point["flops"], scenario.terms)
        per_flop = {"gpu_hours": spent.gpu_hours, "days": spent.days, "cost_usd": spent.usd,
                    "energy_kwh": spent.energy_kwh, "co2e_kg": spent.co2e_kg}  # fmt: skip
        extras |= {name: float(value) for name, value in per_flop.items()}
        if "flops" in pairs:
            known = {name: float(value) for name, value in per_flop.items() if math.isfinite(float(value))}
            spread |= {name: _scaled(pairs["flops"], value / point["flops"]) for name, value in known.items()}
    if scenario.demand.tokens:
        names = ("lifetime_flops", "lifetime_saving")
        extras |= {name: point[name] for name in names if math.isfinite(point[name])}
    if "unreached" in point:
        extras["unreached"] = point["unreached"]
    return extras, spread


def _scaled(pair: tuple[float, float], factor: float) -> tuple[float, float]:
    return pair[0] * factor, pair[1] * factor


def _refuse_what_cannot_be(basis: Basis, scenario: Scenario, point: dict[str, float]) -> None:
    if scenario.loss is None:
        return
    _refuse_what_takes_forever(basis, scenario, point["flops"])
    if math.isfinite(point["tokens"]):
        return
    floor = basis.floor(scenario)
    of_size = f" with {size(scenario.params)} parameters" if scenario.params else ""
    metric = basis.metric
    what = "A loss" if metric == LOSS else metric.title
    raise UserError(
        f"{what} of {metric.text_of(scenario.loss)} cannot be reached{of_size}: by this law no model comes "
        + f"{'above' if metric.higher_is_better else 'below'} {metric.text_of(floor)}{_floor_between(basis, scenario)}"
        + (" with the data there is." if math.isfinite(scenario.unique_tokens) else "."),
        fix=f"Ask for a {'lower' if metric.higher_is_better else 'higher'} {metric.title}"
        + (", a larger model" if of_size else "")
        + ", or plan with another law.",
    )


def _floor_between(basis: Basis, scenario: Scenario) -> str:
    """What the draws of the law make of its floor, in brackets, the lower number first; empty without draws."""
    if not len(basis.draws):
        return ""
    floors = basis.surface(scenario, basis.draws).floor[:, :1]
    ends = [float(end[0]) for end in percentiles(floors, scenario.level)]
    low, high = sorted(ends, reverse=basis.metric.higher_is_better)
    return f" ({basis.metric.text_of(low)}–{basis.metric.text_of(high)})"


def _refuse_what_takes_forever(basis: Basis, scenario: Scenario, flops: float) -> None:
    """Just above its floor a law asks for any amount of compute, and the search for a size ends somewhere."""
    if not flops > MAX_FLOPS:
        return
    metric = basis.metric
    wanted, floor = (metric.text_of(v, 6) for v in (scenario.loss or math.nan, basis.floor(scenario)))
    raise UserError(
        f"{'A loss of' if metric == LOSS else metric.title} {wanted} takes more than {format_flops(MAX_FLOPS)} FLOPs: "
        f"by this law it lies next to {floor}, which no model quite reaches.",
        fix=f"Ask for a {'lower' if metric.higher_is_better else 'higher'} {metric.title}, or plan with another law.",
    )


def _known(basis: Basis, point: dict[str, float], name: str) -> bool:
    return name in basis.ranges and math.isfinite(point[name])


def _extrapolation_notes(beyond: dict[str, float], basis: Basis) -> list[str]:
    notes = []
    for name, times in beyond.items():
        low, high = basis.ranges[name]
        write = format_flops if name == "flops" else size
        if times > 1:
            notes.append(f"{_LETTER[name]} lies {beyond_by(times)} beyond the largest of the runs ({write(high)}).")
        elif times < 1:
            notes.append(f"{_LETTER[name]} lies {beyond_by(times)} below the smallest of the runs ({write(low)}).")
    return notes


def _scenario_notes(basis: Basis, scenario: Scenario, point: dict[str, float], extras: dict[str, float]) -> list[str]:
    notes = []
    epochs = extras.get("epochs", 1.0)
    decays = basis.decays(scenario) if epochs > 1 else None
    if decays is not None and not decays.from_law:
        notes.append(
            f"What repeated data is worth is taken from {SOURCE} (C4, English: R_D* = {decays.tokens:.1f}), not from "
            "these runs."
        )
    if decays is not None and epochs > (limit := no_return(decays.tokens)):
        notes.append(
            f"{passes(epochs)} passes are beyond the point of no return ({limit:.0f}): more of them add next to "
            "nothing."
        )
    if (
        scenario.params is None
        and scenario.demand.tokens
        and scenario.flops
        and point["flops"] > scenario.flops * 1.001
    ):
        notes.append(
            f"To save over its life, this model is trained with {format_flops(point['flops'])} FLOPs, "
            f"{format_ratio(point['flops'] / scenario.flops)} the budget; it is as good as the budget can be."
        )
    return notes


def _unreached_notes(share: float, has_interval: bool) -> list[str]:
    """Draws without an answer are not in the intervals, which is to be said."""
    if not share:
        return []
    percent = f"{100 * share:.0f}%" if share >= 0.01 else f"{100 * share:.1g}%"
    rest = "the intervals are of the others." if has_interval else "so no interval is given."
    return [f"{percent} of the draws of the law say that this cannot be reached; {rest}"]


def with_doubts(answer: Plan, basis: Basis) -> Plan:
    """A plan that was made before the doubts about its fit were known, with a note of each."""
    return replace(answer, notes=(*answer.notes, *_doubt_notes(basis)))


def _doubt_notes(basis: Basis) -> list[str]:
    return [f"The fit behind this plan is doubtful: {reason}" for reason in basis.doubts]


def _of_metric(plan: dict[str, Any], metric: Metric) -> dict[str, Any]:
    """The same with the cost under its own name, and the metric itself with its ends in rising order."""
    cost, ends = plan["loss"], plan["intervals"].get("loss", [])
    shown = {
        "text": metric.text,
        "fitted": metric.cost_title,
        "value": None if cost is None else float(metric.shown(np.array(cost))),
        "interval": sorted(map(float, metric.shown(np.array(ends, dtype=float)))),
    }
    renamed = {"cost" if name == "loss" else name: value for name, value in plan.items()}
    intervals = {"cost" if name == "loss" else name: pair for name, pair in plan["intervals"].items()}
    return {**renamed, "intervals": intervals, "metric": shown}


def _null(value: float) -> float | None:
    return value if math.isfinite(value) else None
