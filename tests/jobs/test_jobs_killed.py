"""Processes that are really killed: nothing is lost, and nothing is run twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter

from jobs_helpers import all_in, kill, named, probe, start_supervisor, starts_of, states, steps_of, until, worker_of

from scaling_core.jobs import Limits, Queue, ensure_supervisor, supervisor_of
from scaling_core.jobs.launch import environment


def test_a_thousand_jobs_drain_with_none_lost_and_none_run_twice(queue: Queue) -> None:
    queue.add_ladder("many", [probe(f"p{i}") for i in range(1000)])
    assert ensure_supervisor(queue.home)
    until(all_in(queue, "done"), 240)
    jobs = queue.jobs()
    assert len(jobs) == 1000
    assert [starts_of(job) for job in jobs] == [1] * 1000
    assert [steps_of(job) for job in jobs] == [[1]] * 1000
    assert {job.attempts for job in jobs} == {1}


def test_a_killed_worker_goes_on_from_its_checkpoint(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=40, pause_s=0.05)])
    ensure_supervisor(queue.home)
    job = named(queue, "a")
    worker = worker_of(job)
    until(lambda: len(steps_of(job)) >= 5)
    kill(worker)
    until(all_in(queue, "done"))
    job = named(queue, "a")
    seen = Counter(steps_of(job))
    assert sorted(seen) == list(range(1, 41))
    assert sum(seen.values()) <= 41, "at most the step that was under way is done again"
    assert (starts_of(job), job.attempts) == (2, 2)
    said = [(e.became, e.reason) for e in queue.events(job.id)]
    assert ("interrupted", "its process was killed by SIGKILL") in said
    assert ("queued", "goes on from its checkpoint") in said


def test_a_job_whose_worker_keeps_dying_fails_after_its_attempts(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=1000, pause_s=0.05)], max_attempts=2)
    ensure_supervisor(queue.home)
    for attempt in (1, 2):
        until(lambda n=attempt: (job := named(queue, "a")).state == "running" and job.attempts == n)
        kill(worker_of(named(queue, "a")))
        until(lambda: named(queue, "a").state != "running")
    until(all_in(queue, "failed"))
    job = named(queue, "a")
    assert job.attempts == 2
    assert "SIGKILL" in job.message
    assert "attempt 2 of 2" in job.message


def test_a_killed_supervisor_leaves_runs_going_and_the_next_one_takes_them_over(queue: Queue) -> None:
    queue.set_limits(Limits(slots=2))
    queue.add_ladder("some", [probe(f"p{i}", steps=30, pause_s=0.05) for i in range(4)])
    ensure_supervisor(queue.home)
    first = named(queue, "p0")
    worker = worker_of(first)
    supervisor = supervisor_of(queue.home)
    assert supervisor is not None
    kill(supervisor.pid)
    until(lambda: supervisor_of(queue.home) is None)
    before = len(steps_of(first))
    until(lambda: len(steps_of(first)) > before + 3)
    assert ensure_supervisor(queue.home)
    until(all_in(queue, "done"))
    assert [starts_of(job) for job in queue.jobs()] == [1] * 4, "nothing was started again"
    assert [steps_of(job) for job in queue.jobs()] == [list(range(1, 31))] * 4
    assert first.run.status.pid == worker  # type: ignore[union-attr]


def test_runs_that_end_while_no_supervisor_looks_are_found_done(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=10, pause_s=0.05)])
    ensure_supervisor(queue.home)
    worker_of(named(queue, "a"))
    supervisor = supervisor_of(queue.home)
    assert supervisor is not None
    kill(supervisor.pid)
    until(lambda: named(queue, "a").run.result)
    assert states(queue)["a"] in ("starting", "running"), "the index is as it was left"
    ensure_supervisor(queue.home)
    until(all_in(queue, "done"))
    assert starts_of(named(queue, "a")) == 1


def test_the_app_may_be_killed_with_all_its_group(queue: Queue) -> None:
    app = f"""
import time
from pathlib import Path
from scaling_core.jobs import JobRequest, Queue, ensure_supervisor
queue = Queue(Path({str(queue.home)!r}))
queue.add_ladder("one", [JobRequest(n, "probe", '{{"steps": 30, "pause_s": 0.05}}') for n in "abc"])
ensure_supervisor(queue.home)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", app], start_new_session=True, env=environment())
    until(lambda: states(queue))
    worker_of(named(queue, "a"))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(all_in(queue, "done"))
    assert [starts_of(job) for job in queue.jobs()] == [1, 1, 1]


def test_of_two_supervisors_one_leaves(queue: Queue) -> None:
    queue.add_ladder("some", [probe(f"p{i}", steps=2, pause_s=0.05) for i in range(40)])
    both = [start_supervisor(queue.home, idle_s=1.0) for _ in range(2)]
    until(all_in(queue, "done"))
    assert [starts_of(job) for job in queue.jobs()] == [1] * 40
    until(lambda: any(p.poll() == 0 for p in both))
    assert "another supervisor sees to this workspace" in (queue.home / "supervisor.log").read_text()
    until(lambda: all(p.poll() == 0 for p in both))
    assert (queue.home / "supervisor.log").read_text().count("began") == 1


def test_a_signal_to_a_worker_saves_the_run_and_another_goes_on(queue: Queue) -> None:
    queue.add_ladder("one", [probe("a", steps=40, pause_s=0.05)])
    ensure_supervisor(queue.home)
    os.kill(worker_of(named(queue, "a")), signal.SIGTERM)
    until(all_in(queue, "done"))
    job = named(queue, "a")
    assert steps_of(job) == list(range(1, 41)), "not a step is lost or done again"
    assert ("interrupted", "was asked to stop by a signal") in [(e.became, e.reason) for e in queue.events(job.id)]
