"""The training jobs of a ladder, rung by rung: of each size a trunk, and off it a run for each budget."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from scaling_core.errors import UserError
from scaling_core.training.data import open_source
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import family
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import ModelSpec, OptimiserSpec, StartSpec, TrainSpec
from scaling_core.units import format_count

Role = Literal["run", "test", "trunk"]
#: A trunk looks at the validation windows so many times, for the eye; runs look where they end.
_TRUNK_LOOKS = 4
#: Lines of metrics of the longest run of a size; its branches log as often, so that all curves are equally smooth.
_LINES = 200


@dataclass(frozen=True)
class Facts:
    """What planning must know of the data: their shape, tokens of one pass, and size of the validation windows."""

    shape: DataShape
    unique_tokens: int
    validation_tokens: int


@dataclass(frozen=True)
class Rung:
    """One training job of a ladder.

    Attributes
    ----------
    spec : TrainSpec
    role : {"run", "test", "trunk"}
    params : int
        N of the fits: blocks and head.
    flops_per_token : float
    own_tokens : int
        Tokens that this job trains itself: those of its trunk are not in it.
    validated : int
        Validation tokens that it looks at.
    """

    spec: TrainSpec
    role: Role
    params: int
    flops_per_token: float
    own_tokens: int
    validated: int

    @property
    def name(self) -> str:
        """Name of the run and its folder."""
        return self.spec.name


def facts_of(spec: LadderSpec) -> Facts:
    """Open the data of a ladder and look at them.

    Raises
    ------
    UserError
        If there are none.
    """
    source = open_source(spec.data, spec.context)
    return Facts(source.shape, source.unique_tokens, min(spec.data.validation_tokens, source.validation().targets.size))


def rungs_of(spec: LadderSpec, facts: Facts) -> tuple[Rung, ...]:
    """Every training job of a ladder, small to large; of one size the trunk first, then by tokens.

    Raises
    ------
    UserError
        If a size or budget is not possible, or two runs would be the same.
    """
    return _held_back(
        spec, tuple(rung for cell in _by_size(spec, facts.shape) for rung in _of_size(spec, *cell, facts))
    )


def _by_size(spec: LadderSpec, shape: DataShape) -> list[tuple[ModelSpec, tuple[float, ...]]]:
    return sorted(spec.cells.items(), key=lambda cell: family(cell[0].family).count(cell[0], shape).fitted)


def _of_size(spec: LadderSpec, model: ModelSpec, budgets: tuple[float, ...], facts: Facts) -> Iterator[Rung]:
    """The jobs of one size: its trunk where there is one, then a run for each budget."""
    kind = family(model.family)
    params, flops = kind.count(model, facts.shape).fitted, kind.flops_per_token(model, facts.shape)
    ends = _ends(spec, budgets, params, flops)
    size = f"w{model.width}-l{model.layers}" + (f"-h{model.heads}" if model.heads else "")
    size += "-tuned" if spec.start else ""
    names = _names(size, ends)
    whole = replace(_whole(spec, model), log_every=max(1, _steps(max(ends), spec.optimiser) // _LINES))
    before = facts.validation_tokens if spec.start else 0  # what the weights are worth before they are trained on
    if not _branches(spec) or (spec.start and len(ends) == 1):
        for tokens in ends:
            run = replace(whole, name=names[tokens], tokens=tokens, validate_every=_steps(tokens, spec.optimiser))
            yield Rung(run, "run", params, flops, tokens, before + facts.validation_tokens)
        return
    keep = {tokens: _branching_point(tokens, spec.optimiser) for tokens in ends}
    length = keep[max(ends)]
    looks = max(1, _steps(length, spec.optimiser) // _TRUNK_LOOKS)
    trunk = replace(whole, name=f"{size}-trunk", tokens=length, role="trunk", keep_at=tuple(sorted(keep.values())),
                    validate_every=looks)  # fmt: skip
    yield Rung(trunk, "trunk", params, flops, length, before + _TRUNK_LOOKS * facts.validation_tokens)
    for tokens in ends:
        start = StartSpec(trunk.name, keep[tokens], "branch")
        run = replace(whole, name=names[tokens], tokens=tokens, start=start,
                      validate_every=_steps(tokens, spec.optimiser))  # fmt: skip
        yield Rung(run, "run", params, flops, tokens - keep[tokens], facts.validation_tokens)


def _whole(spec: LadderSpec, model: ModelSpec) -> TrainSpec:
    """What all runs of a size share."""
    return TrainSpec(
        name="run", tokens=1, model=model, data=spec.data, optimiser=spec.optimiser, seed=spec.seed,
        device=spec.device, precision=spec.precision, compile=spec.compile, processes=spec.processes,
        start=StartSpec(spec.start, 0, "fine-tune") if spec.start else StartSpec(),
    )  # fmt: skip


def _branches(spec: LadderSpec) -> bool:
    """Whether cool-downs branch off a trunk; only a schedule that is stable before its cool-down can."""
    optimiser = spec.optimiser
    return spec.share_trunk and optimiser.schedule == "wsd" and 0 < optimiser.cooldown < 1


def _ends(spec: LadderSpec, budgets: tuple[float, ...], params: int, flops_per_token: float) -> list[int]:
    """Tokens of each run of one size: whole steps of which the cool-down is a whole number too.

    Raises
    ------
    UserError
        If two budgets come to the same.
    """
    per = {"isoflop": 1.0 / flops_per_token, "fixed-ratio": float(params)}.get(spec.design, 1.0)
    unit = spec.optimiser.batch_tokens * Fraction(spec.optimiser.cooldown).limit_denominator(20).denominator
    ends = sorted(max(1, round(budget * per / unit)) * unit for budget in budgets)
    if len(set(ends)) < len(ends):
        raise UserError(
            f"Two budgets come to the same {format_count(ends[0])} tokens at the smallest step of {unit:,}.",
            where="budgets",
            fix="Give larger budgets, or fewer of them.",
        )
    return ends


def _steps(tokens: int, optimiser: OptimiserSpec) -> int:
    return math.ceil(tokens / optimiser.batch_tokens)


def _branching_point(tokens: int, optimiser: OptimiserSpec) -> int:
    """Tokens at which the cool-down of a run begins, whole steps."""
    steps = _steps(tokens, optimiser)
    return max(1, round(steps * (1 - optimiser.cooldown))) * optimiser.batch_tokens


def _names(size: str, ends: list[int]) -> dict[int, str]:
    """A short name for each run of a size, or one with every digit where short ones are the same."""
    short = {tokens: f"{size}-{format_count(tokens)}" for tokens in ends}
    return short if len(set(short.values())) == len(ends) else {tokens: f"{size}-{tokens}" for tokens in ends}


def _held_back(spec: LadderSpec, rungs: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """Mark the largest run at its largest budget as the test, where one is to be held back."""
    if not spec.hold_back or spec.start or not _branches(spec) or len([r for r in rungs if r.role == "run"]) < 2:
        return rungs
    test = max((r for r in rungs if r.role == "run"), key=lambda r: (r.spec.tokens * r.flops_per_token, r.params))
    return tuple(replace(r, role="test") if r is test else r for r in rungs)
