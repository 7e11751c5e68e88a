"""Processes and locks, a worker in this process, and what is read of finished runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scaling_core.cli import main
from scaling_core.errors import UserError
from scaling_core.jobs import JobRequest, Queue
from scaling_core.jobs.control import Stop
from scaling_core.jobs.devices import _quota
from scaling_core.jobs.process import Process, held, is_held
from scaling_core.jobs.results import ladder_upload
from scaling_core.jobs.space import size_of
from scaling_core.jobs.view import glance
from scaling_core.jobs.work import run_folder
from scaling_core.runs import load
from scaling_core.runs.began import is_tuned
from scaling_core.training import RunFolder


def folder(path: Path, spec: str) -> RunFolder:
    run = RunFolder(path)
    run.create(spec)
    (path / "kind").write_text("probe")
    return run


def test_a_process_is_known_by_more_than_its_pid() -> None:
    me = Process.of_self()
    assert me.alive
    assert Process.read(str(me)) == replace(me, started=round(me.started, 2))
    assert replace(me, started=me.started - 5.0).alive is False, "another process with the same pid"
    assert replace(me, boot_id="of another start").alive is False
    assert replace(me, host="elsewhere").alive is None
    assert Process.read("") is None
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    process = Process.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process.alive is False, "what is left of a process that ended does not count"
    child.wait()


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with held(path) as first, held(path) as second:
        assert first is not None
        assert second is None
        assert is_held(path)
    assert not is_held(path)


def test_a_worker_runs_a_folder_once(tmp_path: Path) -> None:
    run = folder(tmp_path / "a", '{"steps": 3}')
    assert run_folder(run.path, Stop()).state == "done"
    assert run_folder(run.path, Stop()).message == "was done before"
    assert [row["step"] for row in run.metrics()] == [1, 2, 3]
    with held(run.path / "lock"):
        assert run_folder(run.path, Stop()).state == "busy"


def test_a_worker_goes_on_from_a_checkpoint_and_past_a_torn_line(tmp_path: Path) -> None:
    run = folder(tmp_path / "a", '{"steps": 5}')
    (run.path / "metrics.jsonl").write_bytes(b'{"step": 1}\n{"step": 2}\n{"st')
    run.last.write_text("2")
    assert run_folder(run.path, Stop()).state == "done"
    assert [row["step"] for row in run.metrics()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("wanted", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_worker_asked_to_stop_before_it_began(wanted: str, state: str, tmp_path: Path) -> None:
    run = folder(tmp_path / "a", '{"steps": 3}')
    run.want(wanted)  # type: ignore[arg-type]
    assert run_folder(run.path, Stop()).state == state
    assert list(run.metrics()) == []
    assert run.status is not None
    assert run.status.state == state


def test_a_signal_reads_as_interrupted(tmp_path: Path) -> None:
    run, stop = folder(tmp_path / "a", '{"steps": 3}'), Stop()
    stop.asked = True
    assert run_folder(run.path, stop).state == "interrupted"


@pytest.mark.parametrize(
    ("spec", "message"),
    [('{"steps": 1, "fail": "the loss is not finite"}', "the loss is not finite"),
     ('{"stones": 1}', "a: There is no field “stones”. Known: fail, megabytes, pause_s, steps.")],
)  # fmt: skip
def test_a_failure_says_why(spec: str, message: str, tmp_path: Path) -> None:
    run = folder(tmp_path / "a", spec)
    assert run_folder(run.path, Stop()).message == message
    assert run.status is not None
    assert (run.status.state, run.status.message) == ("failed", message)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert run_folder(tmp_path / "none", Stop()).state == "failed"


def finished(path: Path, name: str, n: int, tokens: int, loss: float, **fields: object) -> None:
    run = RunFolder(path / name)
    run.create("{}")
    counts = {"embedding": 4096, "position": 0, "blocks": n - 500, "head": 500, "total": n + 4096}
    run.finish({
        "run": name, "role": "run", "n_params": n, "counts": counts, "tokens": tokens, "unique_tokens": tokens,
        "flops": 6.6 * n * tokens, "flops_6nd": 6.0 * n * tokens, "loss": loss,
        "bits_per_byte": loss / 0.6931471805599453,
        "steps": tokens // 1024, "width": 16, "layers": 2, "seed": 0, "seconds": 3.5, **fields,
    })  # fmt: skip


def test_finished_runs_are_a_file_that_reads_as_runs(tmp_path: Path) -> None:
    finished(tmp_path, "a", 10_000, 262_144, 2.35)
    finished(tmp_path, "b", 33_000, 524_288, 1.83, start={"folder": "t", "tokens": 393_216, "kind": "branch"})
    finished(tmp_path, "c", 33_000, 524_288, 1.5, start={"folder": "b", "tokens": 0, "kind": "fine-tune"})
    finished(tmp_path, "t", 33_000, 524_288, 1.9, role="trunk")
    RunFolder(tmp_path / "d").create("{}")
    upload = ladder_upload(tmp_path)
    assert upload.name == f"{tmp_path.name}.csv"
    frame = load([upload]).frame
    assert frame["run"].tolist() == ["a", "b", "c"], "a trunk is no run"
    assert frame["params"].tolist() == [10_000, 33_000, 33_000]
    assert frame["tokens"].tolist() == [262_144, 524_288, 524_288]
    assert frame["loss"].tolist() == [2.35, 1.83, 1.5]
    assert frame["flops"].tolist() == pytest.approx([6.6 * 1e4 * 262_144, 6.6 * 33e3 * 524_288, 6.6 * 33e3 * 524_288])
    assert frame["start"].tolist() == ["from nothing", "branch", "fine-tune"]
    assert is_tuned(frame).tolist() == [False, False, True], "no law has it unasked"
    with pytest.raises(UserError, match="ended well"):
        ladder_upload(tmp_path / "d")


def test_a_ladder_at_a_glance(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add_ladder(
        "x", [JobRequest(n, "probe", "{}", estimate_s=s) for n, s in (("a", 10.0), ("b", 30.0), ("c", 60.0))]
    )
    a, b, c = queue.jobs()
    jobs = [replace(a, state="done", seconds_left=0.0), replace(b, state="running", progress=0.5, seconds_left=12.0), c]
    found = glance(jobs, slots=2)
    assert found.progress == pytest.approx((10 + 15) / 100)
    assert found.seconds_left == 60.0, "no less than the longest"
    assert glance(jobs, slots=1).seconds_left == 72.0
    assert dict(found.counts) == {"done": 1, "running": 1, "queued": 1}
    assert not found.over
    assert glance([replace(c, seconds_left=None)], slots=1).seconds_left is None


def test_quota_of_a_container(tmp_path: Path) -> None:
    (tmp_path / "max").write_text("250000 100000\n")
    assert _quota(tmp_path / "max") == 2
    (tmp_path / "max").write_text("max 100000\n")
    assert _quota(tmp_path / "max") is None


def test_size_of_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x").write_bytes(b"1234")
    (tmp_path / "a" / "b" / "y").write_bytes(b"123456")
    assert size_of(tmp_path) == 10
    assert size_of(tmp_path / "none") == 0


def test_jobs_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALING_HOME", str(tmp_path))
    queue = Queue(tmp_path)
    queue.add_ladder("first", [JobRequest("a", "probe"), JobRequest("b", "probe", needs=(("a", "done"),))])
    assert main(["jobs", "pause", "--ladder", "first"]) == 0
    assert main(["jobs", "priority", "7", "2"]) == 0
    assert [job.state for job in queue.jobs()] == ["paused", "paused"]
    capsys.readouterr()
    assert main(["jobs", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("0 running, 0 queued")
    assert main(["jobs", "cancel", "1"]) == 0
    assert main(["jobs", "logs", "1"]) == 0
    out = capsys.readouterr().out
    assert "person: paused → cancelled (wanted: cancel)" in out
    assert queue.job(2).priority == 7
    assert main(["jobs", "reindex"]) == 0
    assert "0 ladders taken up" in capsys.readouterr().out
    assert main(["jobs", "cancel", "12"]) == 2
    assert main(["jobs", "cancel"]) == 2
    assert main(["jobs", "list", "--ladder", "second"]) == 2
    assert "Known: first" in capsys.readouterr().err
