"""A ladder planned: its runs, the jobs that make them, and what they take.

Every cool-down of a size branches off one stable trunk. A grid that doubles its tokens four times then trains
0.75 · 16 + 0.25 · 31 of its smallest budget instead of 31, 36% less, and each run is what it would have been alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from scaling_core.errors import UserError
from scaling_core.training.base_run import BaseRun, check_fits, resolved
from scaling_core.training.forecast import FORECAST, ForecastJob
from scaling_core.training.ladder_spec import LadderSpec
from scaling_core.training.rungs import Facts, Rung, facts_of, rungs_of
from scaling_core.training.spec import DataSpec
from scaling_core.training.speed import Speed
from scaling_core.training.timeline import Span, Task, makespan, simulate, tail
from scaling_core.units import format_count

#: Seconds that a forecast takes, its process included.
_FORECAST_S = 4.0
#: Seconds until the first run trains: the queue's supervisor, a worker, and loading torch.
_STARTING_S = 6.0
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
    rungs = rungs_of(spec, facts)
    if len(rungs) > _MOST_JOBS:
        raise UserError(f"{len(rungs)} jobs are too many.", where="sizes", fix=f"Plan at most {_MOST_JOBS}.")
    at_once = max(1, slots // spec.processes)  # each process takes a slot
    return Ladder(spec, rungs, facts, speed, at_once, base)


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
