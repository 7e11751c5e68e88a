"""The queue's index without any process: asking, wanting, claiming, and what is refused."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.jobs import JobRequest, Limits, Queue
from scaling_core.jobs.index import Index
from scaling_core.training import RunFolder, Status, TrainSpec


def probe(name: str, *needs: tuple[str, str], priority: int = 0) -> JobRequest:
    return JobRequest(name, "probe", '{"steps": 4}', priority, needs, 10.0)


def names(queue: Queue, *states: str) -> list[str]:
    return [job.name for job in queue.jobs(states=states)]  # type: ignore[arg-type]


def test_a_ladder_asked_for_is_folders_and_rows(tmp_path: Path) -> None:
    queue = Queue(tmp_path, wall=lambda: 1000.0)
    spec = TrainSpec("w16", 4096)
    ladder = queue.add_ladder("My first", [JobRequest("w16", "train", spec.to_json()), probe("b")], "ann", {"a": [1]})
    found = queue.ladder(ladder)
    assert (found.name, found.owner, found.created, found.meta) == ("My first", "ann", 1000.0, {"a": [1]})
    assert found.folder == tmp_path / "ladders" / "My-first"
    assert queue.newest() == ladder
    first, second = queue.jobs(ladder)
    assert first.folder == found.folder / "w16"
    assert TrainSpec.from_json(first.run.spec_json) == spec
    assert (first.state, first.wanted, first.attempts, first.owner) == ("queued", "run", 0, "ann")
    assert (second.seconds_left, first.seconds_left) == (10.0, None)
    kept = json.loads((found.folder / "ladder.json").read_text())
    assert [job["name"] for job in kept["jobs"]] == ["w16", "b"]
    assert queue.ladder(queue.add_ladder("My first", [probe("b")])).folder.name == "My-first-2"


@pytest.mark.parametrize(
    ("jobs", "what"),
    [
        ([], "There is no job"),
        ([probe("../up")], "no name for a job"),
        ([probe("a"), probe("a")], "Two jobs"),
        ([JobRequest("a", "dream")], "no kind “dream”"),
        ([JobRequest("a", "train", "{}")], "Fields are missing"),
        ([probe("a", ("b", "done"))], "needs “b”"),
        ([probe("a"), probe("b", ("a", "soon"))], "cannot be waited for"),
        ([probe("a", ("b", "done")), probe("b", ("c", "done")), probe("c", ("a", "ended"))], "wait for each other"),
    ],
)
def test_what_could_never_run_is_refused_and_leaves_nothing(jobs: list[JobRequest], what: str, tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    with pytest.raises(UserError, match=what):
        queue.add_ladder("x", jobs)
    assert queue.jobs() == []
    assert queue.newest() == 0
    assert not (tmp_path / "ladders").exists()


def test_what_is_queued_follows_at_once(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("x", [probe("a"), probe("b"), probe("c")])
    queue.want([1], "pause")
    queue.want([2], "cancel")
    assert [(job.state, job.wanted) for job in queue.jobs()] == [
        ("paused", "pause"), ("cancelled", "cancel"), ("queued", "run"),
    ]  # fmt: skip
    queue.want([1, 2], "run")
    assert [job.state for job in queue.jobs()] == ["queued", "cancelled", "queued"], "what has ended stays so"
    assert queue.job(1).run.wanted == "run"
    queue.retry([2, 3])
    assert [job.state for job in queue.jobs()] == ["queued"] * 3
    assert [(e.was, e.became, e.reason) for e in queue.events(2)] == [
        ("", "queued", "asked for"), ("queued", "cancelled", "wanted: cancel"), ("cancelled", "queued", "tried again"),
    ]  # fmt: skip
    with pytest.raises(UserError, match="no job 9"):
        queue.job(9)


def test_claims_go_by_priority_then_by_order_and_leave_an_owner_the_places_it_may_have(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("x", [probe("a"), probe("b", priority=2), probe("c", ("a", "done"))], "ann")
    queue.add_ladder("y", [probe("d")], "bob")
    index = Index(tmp_path)
    claimed = [index.claim("local", 1), index.claim("local", 1), index.claim("local", 1)]
    assert [job and job.name for job in claimed] == ["b", "d", None]
    assert [job.name for job in (index.claim("local", 0), index.claim("local", 0)) if job] == ["a"]
    assert index.claim("ray", 0) is None
    index.close()


def test_a_job_is_claimed_once_however_many_ask(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("x", [probe(f"p{i}") for i in range(40)])
    taken: list[str] = []

    def take() -> None:
        index = Index(tmp_path)
        while (job := index.claim("local", 0)) is not None:
            taken.append(job.name)
        index.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"p{i}" for i in range(40))


def test_a_claim_remembers_the_last_beat_of_the_attempt_before(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("x", [probe("a")])
    queue.job(1).run.report(Status("interrupted", beat=57))
    index = Index(tmp_path)
    job = index.claim("local", 0)
    index.close()
    assert job is not None
    assert (job.beat, job.attempts, job.state) == (57, 1, "starting")


def test_needs_are_ticked_off_or_fail_down_the_line(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("x", [
        probe("a"), probe("b", ("a", "done")), probe("c", ("b", "ended")), probe("d", ("b", "done")),
        probe("e", ("a", "kept-9")),
    ])  # fmt: skip
    index = Index(tmp_path)
    RunFolder(queue.job(1).folder).kept(9).write_bytes(b"")
    index.look_at_needs()
    assert queue.needs(5) == [(1, "kept-9", True)]
    assert queue.needs(2) == [(1, "done", False)]
    queue.want([1], "cancel")
    index.look_at_needs()
    index.close()
    assert {j.name: (j.state, j.message) for j in queue.jobs() if j.message} == {
        "b": ("failed", "needs “a” (done), which was cancelled"),
        "d": ("failed", "needs “b” (done), which failed"),
    }
    assert queue.needs(3) == [(2, "ended", True)]
    queue.retry([1])
    assert names(queue, "queued") == ["a", "b", "c", "d", "e"], "what failed for want of it is queued with it"


def test_limits_are_kept_and_checked(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    assert queue.limits == Limits()
    queue.set_limits(replace(Limits(), slots=3, disk_gb=2.5))
    assert Queue(tmp_path).limits == Limits(slots=3, disk_gb=2.5)
    with pytest.raises(UserError, match="slots"):
        queue.set_limits(Limits(slots=-1))
    with pytest.raises(UserError, match="per_gpu"):
        queue.set_limits(Limits(per_gpu=0))


def test_an_empty_workspace_is_looked_at_without_making_anything(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "none")
    assert (queue.ladders(), queue.jobs(), queue.limits) == ([], [], Limits())
    assert not (tmp_path / "none").exists()
