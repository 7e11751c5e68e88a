"""Ladders for a given time: sizes and tokens follow from how quickly this machine trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from scaling_core.errors import UserError
from scaling_core.training.base_run import resolved
from scaling_core.training.ladder import Ladder, plan_ladder
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.rungs import Facts, facts_of
from scaling_core.training.spec import DataSpec, OptimiserSpec
from scaling_core.training.speed import Speed

#: Width and layers, each two to three times the parameters of the one before.
SHAPES = (
    "16/2", "32/2", "48/3", "64/4", "96/5", "128/6", "192/8", "256/10", "384/12", "512/14", "768/16", "1024/20",
    "1536/24", "2048/28",
)  # fmt: skip
#: Tokens per parameter of the largest run: little more than a grid of small sizes needs to show both terms of a law.
_RATIO = 8.0
#: Share of the time that a plan may fill: estimates err, and a ladder should end within its time.
_FILL = 0.85
_ROUNDS = 40
#: In less time than this nothing is compiled: half a minute for each run is more than most of them take to train.
_LONG_S = 1800.0


@dataclass(frozen=True)
class Preset:
    """A ladder by the time that it takes.

    Attributes
    ----------
    name, title : str
    seconds : float
        From the press of a button to the last result.
    sizes, budgets : int
        How many; each budget doubles the one before.
    fitted : int
        Of the budgets, the largest so many are fitted.
    validation_tokens : int
    """

    name: str
    title: str
    seconds: float
    sizes: int
    budgets: int
    fitted: int
    validation_tokens: int


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("2min", "Two minutes: a first law", 150.0, 4, 3, 3, 65_536),
        Preset("10min", "Ten minutes: a law within a percent", 660.0, 5, 5, 3, 131_072),
        Preset("1h", "An hour: a law to plan with", 3600.0, 6, 6, 4, 131_072),
    )
}


def get_preset(name: str) -> Preset:
    """Return a preset by name, or raise UserError with the choices."""
    if name not in PRESETS:
        raise UserError(f"There is no preset “{name}”.", fix=f"Choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name]


def from_preset(
    name: str, speed: Speed, slots: int, data: DataSpec | None = None, facts: Facts | None = None
) -> Ladder:
    """The ladder of a preset on this machine.

    Parameters
    ----------
    data : DataSpec, optional
        What is learned from; the standard library's source unless given. The preset sets its validation size.
    facts : Facts, optional
        Of the data; read from them unless given.
    """
    preset = get_preset(name)
    data = replace(data or DataSpec(), validation_tokens=preset.validation_tokens)
    base = LadderSpec(preset.name, SHAPES[:1], (1e6,), data=data)
    return for_seconds(preset.seconds, base, speed, slots, preset.sizes, preset.budgets, preset.fitted, facts)


def for_seconds(
    seconds: float,
    base: LadderSpec,
    speed: Speed,
    slots: int,
    sizes: int = 5,
    budgets: int = 5,
    fitted: int = 3,
    facts: Facts | None = None,
) -> Ladder:
    """The ladder that fills a time.

    Parameters
    ----------
    base : LadderSpec
        Data, optimiser and the rest; its budgets are replaced, and its sizes unless it starts from a run.
    sizes, budgets, fitted : int
        As in ``Preset``.

    Raises
    ------
    UserError
        If not even the smallest ladder ends in that time.
    """
    if base.compile is None and seconds < _LONG_S:
        base = replace(base, compile=False)
    return _filled(lambda ladder: ladder.seconds / (_FILL * seconds), base, speed, slots, sizes, budgets, fitted, facts)


def for_flops(
    flops: float,
    base: LadderSpec,
    speed: Speed,
    slots: int,
    sizes: int = 5,
    budgets: int = 5,
    fitted: int = 3,
    facts: Facts | None = None,
) -> Ladder:
    """The ladder that spends so many counted FLOPs; as ``for_seconds`` otherwise."""
    return _filled(lambda ladder: ladder.flops / flops, base, speed, slots, sizes, budgets, fitted, facts)


def _filled(
    spent: Callable[[Ladder], float],
    base: LadderSpec,
    speed: Speed,
    slots: int,
    sizes: int,
    budgets: int,
    fitted: int,
    facts: Facts | None,
) -> Ladder:
    """Of the sizes that the table offers, those whose largest run comes nearest to ``_RATIO`` when all is spent.

    A ladder that starts from a run has that run's size.
    """
    base, run = resolved(base)
    facts = facts or facts_of(base)
    if run:
        only = _largest(spent, replace(base, sizes=(run.size,)), speed, slots, budgets, fitted, facts)
        if only is None:
            raise UserError(
                f"{budgets} budgets at the size of “{run.name}” cost more than that even when they are smallest.",
                fix="Allow more, or plan fewer budgets.",
            )
        return only
    best: tuple[float, Ladder] | None = None
    for top in range(sizes, len(SHAPES) + 1):
        shape = replace(base, sizes=SHAPES[top - sizes : top])
        ladder = _largest(spent, shape, speed, slots, budgets, fitted, facts)
        if ladder is None:
            break
        largest = max(ladder.runs, key=lambda r: (r.params, r.spec.tokens))
        off = abs(math.log(largest.spec.tokens / largest.params / _RATIO))
        if best and off > best[0]:
            break
        best = (off, ladder)
    if best is None:
        raise UserError(
            f"{sizes} sizes at {budgets} budgets cost more than that even when they are smallest.",
            fix="Allow more, or plan fewer sizes or budgets.",
        )
    return best[1]


def _largest(
    spent: Callable[[Ladder], float],
    shape: LadderSpec,
    speed: Speed,
    slots: int,
    budgets: int,
    fitted: int,
    facts: Facts,
) -> Ladder | None:
    """The most tokens that these sizes may have: by bisection, and never more than one pass over the data."""
    least = _unit(shape.optimiser) * 2 ** (budgets + 1)
    low, high = math.log(least), math.log(max(least, facts.unique_tokens))
    if spent(_doubling(shape, low, speed, slots, budgets, fitted, facts)) > 1:
        return None
    if spent(_doubling(shape, high, speed, slots, budgets, fitted, facts)) <= 1:
        return _doubling(shape, high, speed, slots, budgets, fitted, facts)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if spent(_doubling(shape, middle, speed, slots, budgets, fitted, facts)) > 1:
            high = middle
        else:
            low = middle
        if high - low < 0.01:
            break
    return _doubling(shape, low, speed, slots, budgets, fitted, facts)


def _unit(optimiser: OptimiserSpec) -> int:
    return optimiser.batch_tokens * 4


def _doubling(
    shape: LadderSpec, log_tokens: float, speed: Speed, slots: int, budgets: int, fitted: int, facts: Facts
) -> Ladder:
    """A grid whose budgets halve from so many tokens; whole steps all the way down."""
    unit = _unit(shape.optimiser)
    smallest = max(1, math.floor(math.exp(log_tokens) / 2 ** (budgets - 1) / unit)) * unit
    tokens = [smallest * 2**i for i in range(budgets)]
    how = replace(shape.forecast, min_tokens=tokens[max(0, budgets - fitted)])
    spec = replace(shape, design="grid", budgets=tuple(map(float, tokens)), forecast=how)
    return plan_ladder(spec, speed, slots, facts)
