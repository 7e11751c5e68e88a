"""The simulated queue against one that is played out second by second."""

from __future__ import annotations

import itertools
import random

import pytest

from scaling_core.errors import UserError
from scaling_core.training.timeline import Task, makespan, simulate, tail


def played_out(tasks: list[Task], slots: int) -> dict[str, tuple[int, int]]:
    """Start and end of every task, one tick after another: an independent telling of the same rule."""
    running: dict[str, tuple[int, int]] = {}
    for now in range(10_000):
        if len(running) == len(tasks):
            return running
        while sum(start <= now < end for start, end in running.values()) < slots:
            able = [
                t
                for t in tasks
                if t.name not in running and all(n in running and running[n][0] + d <= now for n, d in t.needs)
            ]
            if not able:
                break
            task = max(able, key=lambda t: t.priority)
            running[task.name] = (now, now + int(task.seconds))
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", range(40))
def test_simulation_is_what_happens_tick_by_tick(seed: int) -> None:
    rng = random.Random(seed)
    tasks: list[Task] = []
    priorities = rng.sample(range(100), 12)
    for i in range(12):
        before = rng.sample(tasks, min(len(tasks), rng.randrange(3)))
        needs = tuple((t.name, float(rng.randint(0, int(t.seconds)))) for t in before)
        tasks.append(Task(f"t{i}", float(rng.randint(1, 9)), priorities[i], needs))
    slots = rng.randint(1, 4)
    spans = simulate(tasks, slots)
    assert {name: (s.start, s.end) for name, s in spans.items()} == played_out(tasks, slots)
    for slot in range(slots):
        there = sorted((s.start, s.end) for s in spans.values() if s.slot == slot)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(there))


def test_no_order_beats_the_bounds_that_hold_for_all() -> None:
    tasks = [Task("a", 4.0), Task("b", 2.0, needs=(("a", 1.0),)), Task("c", 3.0), Task("d", 5.0)]
    times = []
    for order in itertools.permutations(range(4)):
        ranked = [Task(t.name, t.seconds, p, t.needs) for t, p in zip(tasks, order, strict=True)]
        times.append(makespan(simulate(ranked, 2)))
    assert min(times) == 7.0  # half of 14 s of work, and there is an order that reaches it
    assert max(times) > 7.0


def test_a_need_may_be_met_while_the_other_still_runs() -> None:
    spans = simulate([Task("trunk", 10.0, 1), Task("branch", 2.0, 0, (("trunk", 4.0),))], 2)
    assert (spans["branch"].start, spans["branch"].end) == (4.0, 6.0)
    assert simulate([Task("trunk", 10.0, 1), Task("branch", 2.0, 9, (("trunk", 4.0),))], 1)["branch"].start == 10.0


def test_tail_is_the_longest_chain() -> None:
    tasks = [Task("a", 10.0), Task("b", 2.0, needs=(("a", 4.0),)), Task("c", 9.0, needs=(("b", 2.0), ("a", 10.0)))]
    assert tail(tasks) == {"a": 19.0, "b": 11.0, "c": 9.0}


def test_what_can_never_start_is_said() -> None:
    with pytest.raises(UserError, match="x, y"):
        simulate([Task("x", 1.0, needs=(("y", 1.0),)), Task("y", 1.0, needs=(("x", 1.0),))], 1)
    with pytest.raises(UserError, match="slot"):
        simulate([Task("x", 1.0)], 0)
