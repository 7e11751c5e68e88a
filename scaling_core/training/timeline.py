"""When the jobs of a queue would run on so many slots: list scheduling, told ahead.

A slot that is free takes the ready job of highest priority (Graham 1969). A job may be ready while another that it
needs still runs: a cool-down waits for its checkpoint, not for the end of the trunk.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from scaling_core.errors import UserError


@dataclass(frozen=True)
class Task:
    """A job that takes time.

    Attributes
    ----------
    name : str
    seconds : float
    priority : float
        The higher is taken first; of equals, the one that stands first.
    needs : tuple of (str, float)
        Another task, and after how many of its seconds it lets this one start.
    """

    name: str
    seconds: float
    priority: float = 0.0
    needs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Span:
    """When a task runs, and on which slot."""

    start: float
    end: float
    slot: int


def simulate(tasks: Sequence[Task], slots: int) -> dict[str, Span]:
    """When each task would run.

    Raises
    ------
    UserError
        If there is no slot, or tasks wait for each other or for one that is not there.
    """
    if slots < 1:
        raise UserError("Nothing can run without a slot.", fix="Give at least one.")
    spans: dict[str, Span] = {}
    free = [(0.0, slot) for slot in range(slots)]
    waiting = list(tasks)
    while waiting:
        since, slot = heapq.heappop(free)
        ready = [_ready_at(task, spans) for task in waiting]
        known = [at for at in ready if at is not None]
        if not known:
            names = ", ".join(task.name for task in waiting[:3])
            raise UserError(f"These wait for what never comes: {names}.")
        now = max(since, min(known))
        able = [i for i, at in enumerate(ready) if at is not None and at <= now]
        task = waiting.pop(max(able, key=lambda i: (waiting[i].priority, -i)))
        spans[task.name] = Span(now, now + task.seconds, slot)
        heapq.heappush(free, (now + task.seconds, slot))
    return spans


def _ready_at(task: Task, spans: dict[str, Span]) -> float | None:
    """When all that a task needs is there; None while one of them has not started."""
    if any(name not in spans for name, _ in task.needs):
        return None
    return max((spans[name].start + after for name, after in task.needs), default=0.0)


def makespan(spans: dict[str, Span]) -> float:
    """When the last task ends, s."""
    return max((span.end for span in spans.values()), default=0.0)


def tail(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds from the start of each task to the end of the longest chain that waits for it."""
    after: dict[str, list[tuple[str, float]]] = {task.name: [] for task in tasks}
    for task in tasks:
        for name, delay in task.needs:
            after[name].append((task.name, delay))
    seconds = {task.name: task.seconds for task in tasks}
    found: dict[str, float] = {}

    def longest(name: str) -> float:
        if name not in found:
            found[name] = max([seconds[name], *(delay + longest(later) for later, delay in after[name])])
        return found[name]

    return {name: longest(name) for name in seconds}
