"""A plan in words, as a stakeholder reads it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from scaling_core.planning.plan import Plan
from scaling_core.planning.scenario import Scenario
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_count, format_flops, format_number


def money(usd: float) -> str:
    """Write dollars with a suffix: ``$60k``, ``$1.2M``."""
    if not math.isfinite(usd):
        return "unknown cost"
    return f"${format_count(usd)}" if usd >= 1000 else f"${usd:.2f}" if usd < 10 else f"${usd:.0f}"


def duration(days: float) -> str:
    """Write a time in the unit that reads best: ``40 minutes``, ``13 hours``, ``12 days``, ``2.1 years``."""
    if not math.isfinite(days):
        return "unknown time"
    for size, word in ((365.25, "year"), (1.0, "day"), (1 / 24, "hour"), (1 / 1440, "minute"), (1 / 86400, "second")):
        count = days / size
        if count >= (2.0 if word == "year" else 1.0) or word == "second":
            text = format_number(count, 2 if count < 100 else 3)
            return f"{text} {word}{'' if text == '1' else 's'}"
    raise AssertionError  # the last unit takes everything


def energy(kwh: float) -> str:
    """Write energy: ``820 kWh``, ``3.2 MWh``, ``1.1 GWh``."""
    if not math.isfinite(kwh):
        return "unknown energy"
    for size, unit in ((1e6, "GWh"), (1e3, "MWh")):
        if kwh >= size:
            return f"{format_number(kwh / size)} {unit}"
    return f"{format_number(kwh)} kWh"


def between(answer: Plan, name: str, write: Callable[[float], str]) -> str:
    """The interval of a quantity in brackets, with a space before it; empty without one."""
    pair = answer.intervals.get(name)
    return f" ({write(pair[0])}–{write(pair[1])})" if pair else ""


def sentence(scenario: Scenario, answer: Plan, strong: Callable[[str], str] = str, metric: Metric = LOSS) -> str:
    """The answer in one sentence; ``strong`` marks the three numbers that matter.

    Where the law gives the cost of a ``metric`` other than the loss, the metric itself is shown.
    """
    reached = f"{metric.title} {strong(_shown(answer.loss, metric))}{_interval(answer, metric)}"
    if not math.isfinite(answer.params):
        return f"With {_means(scenario, answer)}: {reached}."
    what = (
        f"{strong(format_count(answer.params) + ' parameters')} on {strong(format_count(answer.tokens) + ' tokens')}"
        + (
            f", {format_number(answer.epochs, 2)} passes over the data"
            if answer.epochs and answer.epochs > 1.005
            else ""
        )
    )
    if not math.isfinite(answer.loss):
        return f"With {_means(scenario, answer)}: {what}."
    if scenario.loss is not None:
        subject = "A loss of" if metric == LOSS else f"Reaching {metric.title}"
        return f"{subject} {strong(_shown(scenario.loss, metric))} takes {_means(scenario, answer)}: {what}."
    return f"With {_means(scenario, answer)}: {what}, {reached}."


def _shown(cost: float, metric: Metric) -> str:
    return format_number(float(metric.shown(np.array(cost))), 4)


def _interval(answer: Plan, metric: Metric) -> str:
    """The interval of the metric, low end first: the end that costs more is the lower where higher is better."""
    pair = answer.intervals.get("loss")
    if not pair:
        return ""
    low, high = sorted(metric.shown(np.array(pair)))
    return f" ({format_number(float(low), 4)}–{format_number(float(high), 4)})"


def _means(scenario: Scenario, answer: Plan) -> str:
    """Compute, and what it costs on the machine."""
    compute = f"{format_flops(answer.flops)} FLOPs"
    terms = scenario.terms
    if terms is None or answer.gpu_hours is None:
        return compute
    price = terms.usd_per_gpu_hour
    cost = (
        f"{money(answer.cost_usd)} at ${float(price):g}/h, "
        if price is not None and answer.cost_usd is not None
        else ""
    )
    mfu = f"{100 * float(terms.mfu):.0f}% MFU"
    hours = f"{format_count(answer.gpu_hours)} hours of {terms.hardware.name}"
    return f"{compute} ({hours}, {cost}{mfu})"
