"""What a person asks of jobs that run: pause, resume, cancel, retry, order, limits and needs."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

from jobs_helpers import all_in, named, probe, starts_of, states, steps_of, until, worker_of

from scaling_core.jobs import Job, Limits, Queue, ensure_supervisor
from scaling_core.jobs.follow import LEASE_S
from scaling_core.jobs.supervisor import Supervisor


def test_pause_frees_the_slot_and_resume_goes_on_at_the_same_step(queue: Queue) -> None:
    queue.set_limits(Limits(slots=1))
    queue.add_ladder("some", [probe("a", steps=20, pause_s=0.05), probe("b")])
    ensure_supervisor(queue.home)
    a = named(queue, "a")
    worker_of(a)
    until(lambda: steps_of(a))
    queue.want([a.id], "pause")
    until(lambda: states(queue) == {"a": "paused", "b": "done"})
    paused_at = steps_of(a)
    queue.want([a.id], "run")
    ensure_supervisor(queue.home)
    until(all_in(queue, "done"))
    assert 0 < len(paused_at) < 20
    assert steps_of(a) == list(range(1, 21))
    assert named(queue, "a").attempts == 1, "a pause is no failed attempt"


def test_cancel_and_retry(queue: Queue) -> None:
    queue.set_limits(Limits(slots=1))
    queue.add_ladder("some", [probe("a", steps=20, pause_s=0.05), probe("b"), probe("c", needs=(("a", "done"),))])
    ensure_supervisor(queue.home)
    a, b, c = queue.jobs()
    worker_of(a)
    queue.want([a.id, b.id], "cancel")
    assert named(queue, "b").state == "cancelled", "what is only queued is cancelled at once"
    until(lambda: states(queue) == {"a": "cancelled", "b": "cancelled", "c": "failed"})
    assert named(queue, "c").message == "needs “a” (done), which was cancelled"
    queue.retry([a.id])
    ensure_supervisor(queue.home)
    until(lambda: states(queue) == {"a": "done", "b": "cancelled", "c": "done"})
    assert steps_of(a) == list(range(1, 21))
    assert starts_of(c) == 1


def test_a_run_that_does_not_follow_cancel_is_killed(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=2, pause_s=600.0)])
    job, supervisor, ticks = named(queue, "a"), _Ticking(queue.home, 1.0), 0
    supervisor.until(lambda: named(queue, "a").state == "running")
    queue.want([job.id], "cancel")
    while named(queue, "a").state != "cancelled":
        supervisor.tick()
        ticks += 1
        assert ticks < 200
    supervisor.close()
    assert ticks > 8, "it was given time to follow"
    assert steps_of(job) == [1]


def test_a_worker_that_stands_still_is_ended_and_its_run_goes_on(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=20, pause_s=0.1)])
    supervisor = _Ticking(queue.home, 1.0)
    supervisor.until(lambda: named(queue, "a").state == "running")
    worker = worker_of(named(queue, "a"))
    os.kill(worker, signal.SIGSTOP)
    supervisor.until(lambda: named(queue, "a").state == "interrupted")
    assert named(queue, "a").message == f"it gave no sign of life for {LEASE_S:.0f} s"
    supervisor.until(all_in(queue, "done"))
    supervisor.close()
    assert sorted(set(steps_of(named(queue, "a")))) == list(range(1, 21))


def test_clocks_that_jump_kill_nothing(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=15, pause_s=0.05), probe("b", steps=15, pause_s=0.05)])
    supervisor = _Ticking(queue.home, 0.01)
    jumps = iter([86_400.0, -2 * 86_400.0, 365 * 86_400.0, -900 * 86_400.0] * 2)
    while not all_in(queue, "done")():
        supervisor.wall_offset += next(jumps, 0.0)
        # As after an hour in which the supervisor itself was stopped.
        supervisor.passed += 3600.0
        supervisor.tick()
    supervisor.close()
    assert [starts_of(job) for job in queue.jobs()] == [1, 1]
    assert [steps_of(job) for job in queue.jobs()] == [list(range(1, 16))] * 2


def test_order_and_limits(queue: Queue) -> None:
    queue.set_limits(Limits(slots=2, per_owner=1))
    queue.add_ladder("hers", [probe("h1", 3, 0.05), probe("h2", 3, 0.05), probe("h3", 3, 0.05, priority=5)], owner="h")
    queue.add_ladder("his", [probe("m1", 3, 0.05), probe("m2", 3, 0.05)], owner="m")
    queue.set_priority([named(queue, "m2").id], 9)
    ensure_supervisor(queue.home)
    until(all_in(queue, "done"))
    hers, his = (sorted((j for j in queue.jobs() if j.owner == owner), key=_started) for owner in "hm")
    assert [job.name for job in hers] == ["h3", "h1", "h2"]
    assert [job.name for job in his] == ["m2", "m1"]
    for one, next_one in (*pairwise(hers), *pairwise(his)):
        assert _started(next_one) >= (one.ended or 0.0), "one of an owner at a time"


def _started(job: Job) -> float:
    assert job.started is not None
    return job.started


def test_needs_are_waited_for_and_those_that_cannot_be_met_fail_with_the_reason(queue: Queue) -> None:
    queue.add_ladder("some", [
        probe("bad", fail="the loss is not finite"),
        probe("after", needs=(("bad", "done"),)),
        probe("later", needs=(("after", "done"),)),
        probe("anyway", needs=(("bad", "ended"), ("good", "ended"))),
        probe("good"),
        probe("branch", needs=(("good", "kept-512"),)),
    ])  # fmt: skip
    ensure_supervisor(queue.home)
    until(all_in(queue, "done", "failed"))
    found = {job.name: (job.state, job.message) for job in queue.jobs()}
    assert found == {
        "bad": ("failed", "the loss is not finite"),
        "after": ("failed", "needs “bad” (done), which failed"),
        "later": ("failed", "needs “after” (done), which failed"),
        "anyway": ("done", ""),
        "good": ("done", ""),
        "branch": ("failed", "needs “good” (kept-512), which ended without it"),
    }
    assert _started(named(queue, "anyway")) >= (named(queue, "good").ended or 0.0)


def test_a_kept_checkpoint_frees_those_who_wait_while_its_run_goes_on(queue: Queue) -> None:
    queue.set_limits(Limits(slots=2))
    queue.add_ladder("some", [probe("trunk", 60, 0.05), probe("branch", needs=(("trunk", "kept-512"),))])
    ensure_supervisor(queue.home)
    trunk = named(queue, "trunk")
    worker_of(trunk)
    assert named(queue, "branch").state == "queued"
    trunk.run.kept(512).write_bytes(b"")
    until(lambda: named(queue, "branch").state == "done")
    assert named(queue, "trunk").state == "running"


class _Ticking:
    """A supervisor in this process whose clocks the test moves."""

    def __init__(self, home: Path, step_s: float) -> None:
        self.passed, self.wall_offset, self._step_s = 0.0, 0.0, step_s
        self._supervisor = Supervisor(home, clock=lambda: self.passed, wall=lambda: time.time() + self.wall_offset)

    def tick(self) -> None:
        self._supervisor.tick()
        time.sleep(0.06)
        self.passed += self._step_s

    def until(self, what: object) -> None:
        deadline = time.monotonic() + 120
        while not what():  # type: ignore[operator]
            assert time.monotonic() < deadline
            self.tick()

    def close(self) -> None:
        self._supervisor.close()
