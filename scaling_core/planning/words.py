"""A plan in words, as a stakeholder reads it."""

from __future__ import annotations

import math
from collections.abc import Callable

from scaling_core.planning.budget import Terms
from scaling_core.planning.figures import duration, hours, money, passes, rate, size
from scaling_core.planning.plan import Plan
from scaling_core.planning.scenario import Scenario
from scaling_core.runs.metrics import LOSS, Metric
from scaling_core.units import format_flops, format_number, format_ratio

#: An interval of N or D this many times from end to end leaves open what to train.
_WIDE = 10.0
#: So many times wide, an interval at whose very end (this share of it, in logarithms) the answer lies does so too.
_SOME, _END = 3.0, 0.1
#: Training with more than this many times the typed budget is to be said.
_MORE = 1.001
#: A share of time that is rounding.
_NOTHING = 1e-6
#: Accelerator-hours, half a minute or so, below which a plan is said by how long one accelerator takes.
_BRIEF = 0.01

Strong = Callable[[str], str]


def between(answer: Plan, name: str, write: Callable[[float], str]) -> str:
    """The interval of a quantity in brackets, with a space before it; empty without one, or where it says nothing."""
    pair = answer.intervals.get(name)
    if not pair:
        return ""
    low, high = map(write, pair)
    return "" if low == high and low.startswith("under") else f" ({low}–{high})"


def sentence(scenario: Scenario, answer: Plan, strong: Strong = str, metric: Metric = LOSS) -> str:
    """The answer in one sentence, and what cannot be told in another; ``strong`` marks the numbers that matter.

    Where the law gives the cost of a ``metric`` other than the loss, the metric itself is shown.
    """
    if not math.isfinite(answer.params):
        return f"With {_means(scenario, answer)}: {_reached(answer, strong, metric)}."
    what = _what(answer, strong)
    if scenario.loss is not None:
        subject = "A loss of" if metric == LOSS else f"Reaching {metric.title}"
        said = f"{subject} {strong(metric.text_of(scenario.loss))} takes {_means(scenario, answer)}: {what}."
    elif math.isfinite(answer.loss):
        said = f"{_spending(scenario, answer)}: {what}, {_reached(answer, strong, metric)}."
    else:
        said = f"{_spending(scenario, answer)}: {what}."
    return " ".join([said, *_unreached(answer), *_untold(scenario, answer)])


def overspends(scenario: Scenario, answer: Plan) -> bool:
    """Whether the plan trains with more than the budget, to save over the model's life."""
    asked = scenario.flops
    return asked is not None and scenario.params is None and answer.flops > _MORE * asked


def untold(answer: Plan) -> dict[str, float]:
    """Of N and D those that the law cannot tell, and how many times their interval is from end to end.

    That is where it is wider than 10 times, or wider than 3 with the answer at one end of it.
    """
    found = {}
    for name in ("params", "tokens"):
        low, high = answer.intervals.get(name, (math.nan, math.nan))
        if not 0 < low < high < math.inf:
            continue
        place = math.log(getattr(answer, name) / low) / math.log(high / low)
        if high / low > _WIDE or (high / low > _SOME and not _END <= place <= 1 - _END):
            found[name] = high / low
    return found


def _what(answer: Plan, strong: Strong) -> str:
    """N and D with their intervals, and passes where there are more than one."""
    parts = [
        strong(f"{size(answer.params)} parameters") + between(answer, "params", size),
        strong(f"{size(answer.tokens)} tokens") + between(answer, "tokens", size),
    ]
    again = f", {passes(answer.epochs)} passes over the data" if answer.epochs and answer.epochs > 1.005 else ""
    return " on ".join(parts) + again


def _reached(answer: Plan, strong: Strong, metric: Metric) -> str:
    return f"{metric.title} {reached(answer, metric, strong)}"


def reached(answer: Plan, metric: Metric = LOSS, strong: Strong = str) -> str:
    """The metric that is reached with its interval, low end first: where higher is better, that is the costlier."""
    text = strong(metric.text_of(answer.loss))
    pair = answer.intervals.get("loss")
    if not pair:
        return text
    low, high = sorted(pair, reverse=metric.higher_is_better)
    return f"{text} ({metric.text_of(low)}–{metric.text_of(high)})"


def _spending(scenario: Scenario, answer: Plan) -> str:
    """With what; and why it is more than the budget, where it is."""
    if not overspends(scenario, answer):
        return f"With {_means(scenario, answer)}"
    assert scenario.flops is not None  # a plan that spends more than a budget has one
    times = answer.flops / scenario.flops
    more = format_ratio(times) if times >= 2 else f"{format_number(100 * (times - 1), 2)}% more than"
    share = 100 * (answer.lifetime_saving or 0.0)
    saved = f"{format_number(share, 2)}%" if share >= 0.1 else "little"
    served = size(scenario.demand.tokens)
    return (
        f"Trained with {_means(scenario, answer)}, {more} your budget of {format_flops(scenario.flops)} FLOPs"
        f"{_price_of(scenario, answer)}, because a smaller model that serves {served} tokens pays it back "
        f"({saved} saved over its life)"
    )


def _price_of(scenario: Scenario, answer: Plan) -> str:
    """What the budget itself would cost, in brackets."""
    if answer.cost_usd is None or not math.isfinite(answer.cost_usd) or not scenario.flops:
        return ""
    return f" ({money(answer.cost_usd * scenario.flops / answer.flops)})"


def _means(scenario: Scenario, answer: Plan) -> str:
    """Compute, and what it costs on the machine; with intervals where they depend on what the law says."""
    compute = f"{format_flops(answer.flops)} FLOPs{between(answer, 'flops', format_flops)}"
    terms = scenario.terms
    if terms is None or answer.gpu_hours is None:
        return compute
    price = terms.usd_per_gpu_hour
    cost = (
        f"{money(answer.cost_usd)}{between(answer, 'cost_usd', money)} at {rate(float(price))}/h, "
        if price is not None and answer.cost_usd is not None
        else ""
    )
    mfu = f"{100 * float(terms.mfu):.0f}% MFU{_lost(terms)}"
    return f"{compute} ({_machine_time(answer, terms.hardware.name)}, {cost}{mfu})".replace(") (", "; ", 1)


def _lost(terms: Terms) -> str:
    """Paid time in which nothing is trained, which the cost and the hours hold."""
    lost = 1 - float(terms.all_in_utilisation) / float(terms.mfu)
    return f", {format_number(100 * lost, 2)}% of the time lost" if lost > _NOTHING else ""


def is_brief(answer: Plan) -> bool:
    """Whether one accelerator does it in less than half a minute or so: how many there are is then no question."""
    return answer.gpu_hours is not None and answer.gpu_hours < _BRIEF


def _machine_time(answer: Plan, name: str) -> str:
    """Accelerator-hours; of what one accelerator does in no time, how long one takes: that can be pictured."""
    taken = answer.gpu_hours or 0.0
    return f"{duration(taken / 24)} of one {name}" if is_brief(answer) else f"{hours(taken)} hours of {name}"


def _unreached(answer: Plan) -> list[str]:
    """Draws by which nothing reaches the goal."""
    share = answer.unreached or 0.0
    if not share:
        return []
    percent = f"{100 * share:.0f}%" if share >= 0.01 else f"{100 * share:.1g}%"
    rest = "; the intervals are of the others" if answer.intervals.get("flops") else ""
    return [f"In {percent} of the draws of the law no budget reaches it{rest}."]


def _untold(scenario: Scenario, answer: Plan) -> list[str]:
    """What the law leaves open, so that a single number is not believed."""
    wide = untold(answer)
    if not wide:
        return []
    words = {"params": "parameters", "tokens": "tokens"}
    names = " and ".join(words[name] for name in wide)
    spans = " and ".join(format_ratio(times) for times in wide.values())
    return [f"We can't tell well how many {names}: the intervals are {spans} from end to end."]
