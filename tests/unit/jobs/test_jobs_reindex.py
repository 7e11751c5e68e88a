"""A lost index made again from the run folders, and slots of runs that take several."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scaling_core.errors import UserError
from scaling_core.jobs import JobRequest, Limits, Queue
from scaling_core.jobs.executors.local import LocalExecutor
from scaling_core.jobs.index import Index
from scaling_core.jobs.reindex import reindex
from scaling_core.jobs.supervisor import Supervisor
from scaling_core.training import RunFolder, Status, TrainSpec


def probe(name: str, *needs: tuple[str, str]) -> JobRequest:
    return JobRequest(name, "probe", '{"steps": 4}', 3, needs, 10.0)


def aged(home: Path) -> None:
    """Let the ladders have been made a while ago."""
    for path in home.glob("ladders/*/ladder.json"):
        os.utime(path, (path.stat().st_mtime - 60, path.stat().st_mtime - 60))


def test_a_lost_index_is_made_again_from_the_folders(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    jobs = [probe(name) for name in ("done", "failed", "paused", "stopped", "fresh")]
    queue.add_ladder("first", [*jobs, probe("after", ("fresh", "done"))], "ann", {"a": [1]}, executor="slurm")
    aged(tmp_path)
    before = {job.name: job for job in queue.jobs()}
    before["done"].run.finish({"run": "done", "loss": 1.5})
    before["failed"].run.report(Status("failed", message="it was out of luck"))
    before["stopped"].run.report(Status("interrupted", beat=7, tokens=2))
    queue.want([before["paused"].id], "pause")
    for path in tmp_path.glob("jobs.sqlite*"):
        path.unlink()
    taken, wrong = reindex(tmp_path)
    assert [(ladder.name, ladder.owner, ladder.meta) for ladder in taken] == [("first", "ann", {"a": [1]})]
    assert wrong == []
    after = {job.name: job for job in queue.jobs()}
    assert {name: job.state for name, job in after.items()} == {
        "done": "done", "failed": "failed", "paused": "paused", "stopped": "queued", "fresh": "queued",
        "after": "queued",
    }  # fmt: skip
    assert after["failed"].message == "it was out of luck"
    assert (after["done"].progress, after["done"].loss, after["done"].ended is not None) == (1.0, 1.5, True)
    assert {(job.executor, job.priority, job.estimate_s, job.folder) for job in after.values()} == {
        ("slurm", 3, 10.0, tmp_path / "ladders" / "first" / name) for name in after
    }  # fmt: skip
    assert queue.needs(after["after"].id) == [(after["fresh"].id, "done", False)]
    assert reindex(tmp_path) == ([], []), "what the index has stays as it is"
    index = Index(tmp_path)
    claimed = index.claim("slurm", 0)
    assert claimed is not None
    assert (claimed.name, claimed.beat) == ("stopped", 7)
    index.close()


def test_folders_that_are_no_ladder_are_named_and_left(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder("good", [probe("a")])
    queue.add_ladder("torn", [probe("a")])
    aged(tmp_path)
    (tmp_path / "ladders" / "torn" / "ladder.json").write_text('{"name": "torn"}')
    aged(tmp_path)
    for path in tmp_path.glob("jobs.sqlite*"):
        path.unlink()
    taken, wrong = reindex(tmp_path)
    assert [ladder.name for ladder in taken] == ["good"]
    assert [type(error) for error in wrong] == [UserError]
    assert "torn" in wrong[0].line()
    queue.add_ladder("new", [probe("a")])
    assert len(reindex(tmp_path)[1]) == 1, "what the index has is not looked at"
    for path in tmp_path.glob("jobs.sqlite*"):
        path.unlink()
    assert "just now" in reindex(tmp_path)[1][0].what


def test_a_run_of_several_processes_takes_as_many_slots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = JobRequest("wide", "train", TrainSpec("wide", 1024, processes=3).to_json(), 1)
    queue = Queue(tmp_path)
    queue.add_ladder("x", [probe("a"), wide, JobRequest("small", "probe")])
    executor = LocalExecutor(tmp_path, Limits(slots=4))
    folders = {job.name: job.folder for job in queue.jobs()}
    assert [executor.takes(folders[name]) for name in ("a", "wide")] == [1, 3]
    monkeypatch.setattr("scaling_core.jobs.executors.local.gpus", lambda: ("0", "1", "2"))
    assert executor._free(3) == (0, 1, 2)
    with pytest.raises(UserError, match="asks for 4 processes"):
        executor._free(4)


def test_a_wide_run_waits_for_room_and_is_not_passed_by_smaller_ones(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    wide = JobRequest("wide", "train", TrainSpec("wide", 1024, processes=2).to_json(), 5)
    queue.add_ladder("x", [probe("a"), wide, JobRequest("small", "probe")])
    queue.set_priority([1], 9)
    queue.set_limits(Limits(slots=2))
    supervisor = Supervisor(tmp_path)
    supervisor._renew_limits()
    first = supervisor._next("local")
    assert first is not None
    assert first.name == "a"
    assert supervisor._next("local") is None, "one slot is free, and the next in line takes two"
    supervisor._index.become(first, "done", "")
    second = supervisor._next("local")
    assert second is not None
    assert second.name == "wide"
    assert supervisor._next("local") is None
    supervisor.close()
    assert RunFolder(second.folder).result is None
