"""A ladder planned: its runs, the jobs that make them, and what they take.

Every cool-down of a size branches off one stable trunk. A grid that doubles its tokens four times then trains
0.75 · 16 + 0.25 · 31 of its smallest budget instead of 31, 36% less, and each run is what it would have been alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.training.base_run import BaseRun, check_fits, continued, read_base
from scaling_core.training.data import open_source
from scaling_core.training.forecast import FORECAST, ForecastJob
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.models import family
from scaling_core.training.models.base import DataShape
from scaling_core.training.spec import DataSpec, ModelSpec, OptimiserSpec, StartSpec, TrainSpec
from scaling_core.training.speed import Speed
from scaling_core.training.timeline import Span, Task, makespan, simulate, tail
from scaling_core.units import format_count

Role = Literal["run", "test", "trunk"]
#: Seconds that a forecast takes, its process included.
_FORECAST_S = 4.0
#: Seconds until the first run trains: the queue's supervisor, a worker, and loading torch.
_STARTING_S = 6.0
#: A trunk looks at the validation windows so many times, for the eye; runs look where they end.
_TRUNK_LOOKS = 4
#: Lines of metrics of the longest run of a size; its branches log as often, so that all curves are equally smooth.
_LINES = 200
#: An order that shows a law early is kept unless it costs more than this share over the quickest known.
_PATIENCE = 0.05
_MOST_JOBS = 400


@dataclass(frozen=True)
class PlannedJob:
    """A job as a queue is asked for it.

    Attributes
    ----------
    name : str
        Unique in the ladder, and the name of its folder.
    kind : {"train", "forecast"}
    spec_json : str
        A ``TrainSpec`` or a ``ForecastJob``.
    priority : int
        Higher goes first.
    needs : tuple of (name, what)
        What it waits for: another job "done" or "ended", or its checkpoint "kept-<tokens>".
    estimate_s : float
    """

    name: str
    kind: str
    spec_json: str
    priority: int
    needs: tuple[tuple[str, str], ...]
    estimate_s: float


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


@dataclass(frozen=True)
class Ladder:
    """A ladder planned for a machine. Everything else follows from these.

    Attributes
    ----------
    spec : LadderSpec
    rungs : tuple of Rung
        Small to large; of one size the trunk first, then by tokens.
    facts : Facts
    speed : Speed
    slots : int
        Jobs at once.
    base : BaseRun or None
        The run with whose weights all of them begin.
    """

    spec: LadderSpec
    rungs: tuple[Rung, ...]
    facts: Facts
    speed: Speed
    slots: int
    base: BaseRun | None = None

    @property
    def runs(self) -> tuple[Rung, ...]:
        """Rungs that end as a run of their own: all but the trunks."""
        return tuple(r for r in self.rungs if r.role != "trunk")

    @property
    def test(self) -> Rung | None:
        """The run that is forecast before its end is trained."""
        return next((r for r in self.rungs if r.role == "test"), None)

    @property
    def tokens(self) -> int:
        """Tokens trained on, all jobs together."""
        return sum(r.own_tokens for r in self.rungs)

    @property
    def tokens_apart(self) -> int:
        """The same if every run were trained from its own start."""
        return sum(r.spec.tokens for r in self.runs)

    @property
    def saved(self) -> float:
        """Share of tokens that shared trunks save."""
        return 1.0 - self.tokens / self.tokens_apart

    @property
    def flops(self) -> float:
        """Counted FLOPs of all jobs together."""
        return sum(r.own_tokens * r.flops_per_token for r in self.rungs)

    @property
    def busy_s(self) -> float:
        """Seconds of all jobs one after another."""
        return sum(task.seconds for task in self._tasks)

    @cached_property
    def timeline(self) -> dict[str, Span]:
        """When each job would run."""
        return simulate(self._with_priorities, self.slots)

    @property
    def seconds(self) -> float:
        """Seconds from asking for it to the end of the last job."""
        return _STARTING_S + makespan(self.timeline)

    def cost(self, usd_per_slot_hour: float) -> float:
        """What the machine costs meanwhile, all slots, $."""
        return self.seconds / 3600 * self.slots * usd_per_slot_hour

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it beforehand."""
        return tuple(_notes(self))

    def requests(self) -> tuple[PlannedJob, ...]:
        """The jobs for a queue, in the order of ``rungs``, the forecast last."""
        specs = {r.name: r.spec.to_json() for r in self.rungs}
        if job := self.forecast_job:
            specs[FORECAST] = json.dumps(asdict(job), indent=1)
        return tuple(
            PlannedJob(
                name=task.name,
                kind=FORECAST if task.name == FORECAST else "train",
                spec_json=specs[task.name],
                priority=round(task.priority),
                needs=self._needs[task.name],
                estimate_s=task.seconds,
            )
            for task in self._with_priorities
        )

    @property
    def forecast_job(self) -> ForecastJob | None:
        """What the forecast reads and is about; None where no run is held back."""
        test = self.test
        if test is None:
            return None
        seen = tuple(r.name for r in self.runs if r is not test)
        flops = test.spec.tokens * test.flops_per_token
        return ForecastJob(seen, test.name, test.params, test.spec.tokens, flops, self.spec.forecast)

    @property
    def dots(self) -> pd.DataFrame:
        """One row a run: where it stands and when it would be trained. The role "tuned" is no point of a law.

        ``run``, ``role``, ``size``, ``params``, ``tokens``, ``flops`` (counted, its trunk's part included),
        ``tokens_per_param``, ``own_tokens``, ``estimate_s``, ``start_s``, ``end_s``.
        """
        rows = [
            {
                "run": r.name,
                "role": "tuned" if self.base else r.role,
                "size": f"{r.spec.model.width}/{r.spec.model.layers}",
                "params": float(r.params),
                "tokens": float(r.spec.tokens),
                "flops": r.spec.tokens * r.flops_per_token,
                "tokens_per_param": r.spec.tokens / r.params,
                "own_tokens": float(r.own_tokens),
                "estimate_s": self._seconds_of(r),
                "start_s": self.timeline[r.name].start,
                "end_s": self.timeline[r.name].end,
            }
            for r in self.runs
        ]
        return pd.DataFrame(rows)

    # ---- how the jobs hang together

    def _seconds_of(self, rung: Rung) -> float:
        return self.speed.seconds(rung.own_tokens, rung.flops_per_token, rung.validated)

    @cached_property
    def _needs(self) -> dict[str, tuple[tuple[str, str], ...]]:
        needs: dict[str, tuple[tuple[str, str], ...]] = {}
        for rung in self.rungs:
            start = rung.spec.start
            branches = start.folder and start.kind == "branch"
            needs[rung.name] = ((start.folder, f"kept-{start.tokens}"),) if branches else ()
            if rung.role == "test":
                needs[rung.name] += ((FORECAST, "done"),)
        if job := self.forecast_job:
            needs[FORECAST] = tuple((name, "ended") for name in job.runs)
        return needs

    @cached_property
    def _tasks(self) -> tuple[Task, ...]:
        seconds = {r.name: self._seconds_of(r) for r in self.rungs}
        if self.test:
            seconds[FORECAST] = _FORECAST_S
        tokens = {r.name: r.own_tokens for r in self.rungs}

        def delay(name: str, what: str) -> float:
            share = int(what[5:]) / tokens[name] if what.startswith("kept-") else 1.0
            return seconds[name] * min(1.0, share)

        return tuple(
            Task(name, s, needs=tuple((n, delay(n, what)) for n, what in self._needs[name]))
            for name, s in seconds.items()
        )

    @cached_property
    def _with_priorities(self) -> tuple[Task, ...]:
        """The largest trunk first, as everything waits for it; the rest from small to large, so that a law shows early.

        Where that keeps the slots idle at the end, the longest chain goes first instead.
        """
        tasks = self._tasks
        chain = tail(tasks)
        head = max(tasks, key=lambda t: chain[t.name]).name
        early = _ranked(tasks, [head, *(t.name for t in tasks if t.name != head)])
        quick = _ranked(tasks, sorted(chain, key=lambda name: -chain[name]))
        times = [makespan(simulate(order, self.slots)) for order in (early, quick)]
        return early if times[0] <= (1 + _PATIENCE) * times[1] else quick


def _ranked(tasks: tuple[Task, ...], order: list[str]) -> tuple[Task, ...]:
    rank = {name: len(order) - i for i, name in enumerate(order)}
    return tuple(replace(task, priority=rank[task.name]) for task in tasks)


def facts_of(spec: LadderSpec) -> Facts:
    """Open the data of a ladder and look at them.

    Raises
    ------
    UserError
        If there are none.
    """
    source = open_source(spec.data, spec.context)
    return Facts(source.shape, source.unique_tokens, min(spec.data.validation_tokens, source.validation().targets.size))


def plan_ladder(spec: LadderSpec, speed: Speed, slots: int, facts: Facts | None = None) -> Ladder:
    """Plan a ladder.

    Parameters
    ----------
    facts : Facts, optional
        Of the data; read from them unless given.

    Raises
    ------
    UserError
        If a size or budget is not possible, two runs would be the same, or ``spec.start`` is the folder of no run that
        can be started from with these data.
    """
    spec, base = resolved(spec)
    facts = facts or facts_of(spec)
    if base:
        check_fits(base, spec.data, facts.shape)
    rungs = tuple(rung for cell in _by_size(spec, facts.shape) for rung in _rungs_of(spec, *cell, facts))
    if len(rungs) > _MOST_JOBS:
        raise UserError(f"{len(rungs)} jobs are too many.", where="sizes", fix=f"Plan at most {_MOST_JOBS}.")
    at_once = max(1, slots // spec.processes)  # each process takes a slot
    return Ladder(spec, _held_back(spec, rungs), facts, speed, at_once, base)


def resolved(spec: LadderSpec) -> tuple[LadderSpec, BaseRun | None]:
    """The ladder at the size of the run that it starts from, and that run; as it is where it starts from none.

    Raises
    ------
    UserError
        If that run cannot be started from, or the ladder names another size than its.
    """
    if not spec.start:
        return spec, None
    base = read_base(Path(spec.start))
    return continued(spec, base), base


def _by_size(spec: LadderSpec, shape: DataShape) -> list[tuple[ModelSpec, tuple[float, ...]]]:
    return sorted(spec.cells.items(), key=lambda cell: family(cell[0].family).count(cell[0], shape).fitted)


def _rungs_of(spec: LadderSpec, model: ModelSpec, budgets: tuple[float, ...], facts: Facts) -> Iterator[Rung]:
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


def _notes(ladder: Ladder) -> Iterator[str]:
    if not ladder.speed.measured or ladder.speed.was_disturbed:
        yield ladder.speed.note
    longest = max(r.spec.tokens for r in ladder.runs)
    if longest > ladder.facts.unique_tokens:
        yield (
            f"The longest runs see {format_count(longest)} tokens, but one pass over the data has "
            f"{format_count(ladder.facts.unique_tokens)}: they repeat them, which a law in D does not know."
        )
    if base := ladder.base:
        yield (
            f"Every run begins with the weights of “{base.name}”, which have seen {format_count(base.tokens)} "
            f"{'tokens' if ladder.facts.shape.kind == 'text' else 'examples'} of “{base.spec.data.source}” data. "
            "No law in N and D knows what a run owes to those, so these runs are no points of one."
        )
        if _is_same(base.spec.data, ladder.spec.data):
            yield f"These are the data that “{base.name}” learned: what it has seen of them is seen again."
    elif ladder.spec.hold_back and ladder.test is None and len(ladder.runs) > 1:
        yield "No run is held back: without a shared trunk no end can wait for a forecast."


def _is_same(one: DataSpec, other: DataSpec) -> bool:
    """Whether training data are the same, however much of them is held out."""
    return replace(one, validation_tokens=0) == replace(other, validation_tokens=0)


def to_meta(ladder: Ladder) -> dict[str, Any]:
    """What a queue keeps with the ladder: its specification, what was promised, and where each run stands."""
    return {
        "dots": ladder.dots.to_dict("records"),
        "ladder": asdict(ladder.spec),
        "slots": ladder.slots,
        "estimate_s": ladder.seconds,
        "tokens": ladder.tokens,
        "flops": ladder.flops,
        "saved": ladder.saved,
        "measured": ladder.speed.measured,
    }
