"""A disk that is really full: runs stop whole, and go on once there is space."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from jobs_helpers import all_in, named, nothing_left, probe, starts_of, states, steps_of, until, worker_of

from scaling_core.jobs import Job, Limits, Queue, ensure_supervisor
from scaling_core.jobs.launch import environment
from scaling_core.jobs.view import why_waiting
from scaling_core.training import RunFolder


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Queue]:
    """A queue whose whole workspace is a disk of 12 MB."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(tmp_path)], check=False).returncode:
        pytest.skip("no right to mount a small disk")
    try:
        with nothing_left(tmp_path):
            yield Queue(tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(path: Path) -> None:
    """Write a file until the disk takes no more."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def test_a_full_disk_interrupts_a_run_which_goes_on_when_there_is_space(small: Queue) -> None:
    small.set_limits(Limits(free_gb=0.001))
    small.add_ladder("one", [probe("a", steps=60, pause_s=0.05)])
    ensure_supervisor(small.home)
    job = named(small, "a")
    worker_of(job)
    until(lambda: len(steps_of(job)) > 5)
    fill(small.home / "filler")
    until(lambda: _stands_still(job))
    assert job.run.result is None
    (small.home / "filler").unlink()
    until(all_in(small, "done"))
    assert sorted(set(steps_of(job))) == list(range(1, 61))
    assert starts_of(job) >= 1


def _stands_still(job: Job) -> bool:
    before = len(steps_of(job))
    time.sleep(0.5)
    return len(steps_of(job)) == before


def test_nothing_starts_on_a_disk_with_too_little_space(small: Queue) -> None:
    small.set_limits(Limits(free_gb=0.5))
    small.add_ladder("one", [probe("a")])
    ensure_supervisor(small.home)
    until(lambda: small.setting("held"))
    assert states(small) == {"a": "queued"}
    assert "new jobs wait for 0.5 GB" in why_waiting(small, named(small, "a"))
    small.set_limits(Limits(free_gb=0.0))
    until(all_in(small, "done"))


def test_run_folders_stay_within_their_share_of_the_disk(queue: Queue) -> None:
    queue.set_limits(Limits(disk_gb=1e-6))
    queue.add_ladder("one", [probe("a"), probe("b")])
    (queue.home / "ladders" / "one" / "a" / "checkpoints" / "last.pt.old").write_bytes(b"x" * 2000)
    ensure_supervisor(queue.home)
    until(lambda: queue.setting("held"))
    assert states(queue) == {"a": "queued", "b": "queued"}
    queue.set_limits(Limits())
    until(all_in(queue, "done"))


def test_a_worker_that_may_write_no_more_says_so_and_leaves_whole_files(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a")
    folder.create(probe("a", steps=3, megabytes=4).spec_json)
    (folder.path / "kind").write_text("probe")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [sys.executable, "-m", "scaling_core.worker", str(folder.path)],
        capture_output=True, text=True, check=False, env=environment(), preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == f"{folder.path}: interrupted (the disk is full (File too large))\n"
    assert folder.status is not None
    assert folder.status.state == "interrupted"
    assert folder.result is None
    assert not list(folder.path.glob("ballast*"))
