"""What the tests of the queue share: asking for probes, waiting, and killing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from scaling_core.jobs import Job, JobRequest, Queue
from scaling_core.jobs.launch import environment, supervisor_of
from scaling_core.training import RunFolder


def probe(name: str, steps: int = 1, pause_s: float = 0.0, **fields: object) -> JobRequest:
    """A job of so many steps; fields of its specification or of the request."""
    asked = {key: fields.pop(key) for key in ("needs", "priority", "estimate_s") if key in fields}
    return JobRequest(name, "probe", json.dumps({"steps": steps, "pause_s": pause_s, **fields}), **asked)  # type: ignore[arg-type]


def until(what: Callable[[], object], seconds: float = 60.0) -> object:
    """Wait for something to hold; what it was last is in the failure."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not come: {found!r}"
        time.sleep(0.03)
    return found


def states(queue: Queue) -> dict[str, str]:
    return {job.name: job.state for job in queue.jobs()}


def named(queue: Queue, name: str) -> Job:
    return next(job for job in queue.jobs() if job.name == name)


def all_in(queue: Queue, *wanted: str) -> Callable[[], bool]:
    return lambda: set(states(queue).values()) <= set(wanted)


def steps_of(job: Job) -> list[int]:
    """Every step that was ever done, in the order of the file."""
    return [row["step"] for row in job.run.metrics()]


def starts_of(job: Job) -> int:
    """How often a process took the run up."""
    return job.run.log.read_text().count("taken up by")


def worker_of(job: Job, seconds: float = 60.0) -> int:
    """The pid of the process that has the run, once it has told."""

    def pid() -> int:
        status = job.run.status
        return status.pid if status is not None and status.state == "running" else 0

    return int(until(pid, seconds))  # type: ignore[call-overload]


def start_supervisor(home: Path, idle_s: float = 20.0) -> subprocess.Popen[bytes]:
    with (home / "supervisor.log").open("ab") as log:
        command = [sys.executable, "-m", "scaling_core.jobs.supervisor", str(home), str(idle_s)]
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=environment())


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextmanager
def nothing_left(home: Path) -> Iterator[None]:
    """Afterwards end every process that works for this workspace."""
    try:
        yield
    finally:
        supervisor = supervisor_of(home)
        if supervisor is not None:
            kill(supervisor.pid)
        for path in home.glob("ladders/*/*/status.json"):
            status = RunFolder(path.parent).status
            if status and psutil.pid_exists(status.pid) and "scaling_core.worker" in _command(status.pid):
                kill(status.pid)


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""
