"""The process that sees to a workspace's jobs: ``python -m scaling_core.jobs.supervisor HOME``.

One runs for a workspace; a second one leaves. It starts jobs, follows them, and starts again those found dead. It keeps
nothing that matters in memory: killed and started again, it finds the runs that went on without it by their processes
and folders. It leaves when there has been nothing to do for a while.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from scaling_core.errors import UserError
from scaling_core.jobs.executors import Executor, make_executor
from scaling_core.jobs.follow import Follower
from scaling_core.jobs.index import Index
from scaling_core.jobs.launch import lock_path
from scaling_core.jobs.model import ACTIVE, Job, Limits
from scaling_core.jobs.process import Process, held
from scaling_core.jobs.space import why_no_space
from scaling_core.jobs.store import Queue

#: Seconds without work after which it leaves, between two looks, and between two checks of what changes slowly.
IDLE_S = 20.0
TICK_S = 0.2
SLOW_S = 1.0
#: Seconds before a job found dead is started again: this much, then four times it, and so on.
BACKOFF_S = 0.5


class Supervisor:
    """Starts and follows the jobs of one workspace, a ``tick`` at a time.

    Parameters
    ----------
    home : Path
        The workspace.
    clock : callable
        Seconds of a clock that nobody sets; all waiting is judged by it.
    wall : callable
        The time of day in seconds since 1970; only written down.
    """

    def __init__(
        self, home: Path, *, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self.home = home
        self._queue = Queue(home, wall=wall)
        self._index = Index(home, wall)
        self._clock = clock
        self._executors: dict[str, Executor] = {}
        self._follower = Follower(self._index, clock)
        self._limits = Limits()
        self._held: str | None = ""
        self._looked = float("-inf")
        self._again: dict[int, float] = {}

    def tick(self) -> bool:
        """Look at everything once. Returns whether there is work."""
        slow = self._clock() - self._looked >= SLOW_S
        if slow:
            self._looked = self._clock()
            self._renew_limits()
        active = self._index.jobs(*ACTIVE)
        ended = [job for job in active if self._follow(job)]
        if slow or ended:
            self._index.look_at_needs()
            self._try_again()
        started = self._start()
        if ended or started:
            return True
        return self._index.has_work()

    def wait(self) -> None:
        """Rest until the next look; an executor that has news ends the rest."""
        if not self._executors:
            time.sleep(TICK_S)
        for executor in self._executors.values():
            executor.wait(TICK_S / len(self._executors))

    def close(self) -> None:
        """Let go of everything; the runs go on."""
        for executor in self._executors.values():
            executor.close()
        self._index.close()

    def recover(self) -> None:
        """Go on after an error that may pass: a full disk, a busy file."""
        self._index.rollback()

    def _follow(self, job: Job) -> bool:
        try:
            return self._follower.follow(job, self._executor(job.executor))
        except UserError as error:
            self._index.become(job, "failed", error.line(), message=error.line())
            return True
        except (sqlite3.Error, OSError):
            raise
        except Exception:  # a fault in an executor: the other jobs are not to wait for it
            traceback.print_exc()
            return False

    def _executor(self, name: str) -> Executor:
        if name not in self._executors:
            self._executors[name] = make_executor(name, self.home, self._limits, self._queue.setting(name) or {})
        return self._executors[name]

    def _renew_limits(self) -> None:
        self._limits = self._queue.limits
        for executor in self._executors.values():
            executor.limits = self._limits
        held = why_no_space(self.home, self._limits)
        if held != self._held:
            self._held = held
            self._queue.set_setting("held", held)

    def _try_again(self) -> None:
        """Queue the jobs found dead, each after a rest that grows with its attempts."""
        for job in self._index.jobs("interrupted"):
            due = self._again.setdefault(job.id, self._clock() + BACKOFF_S * 4.0 ** (job.attempts - 1))
            if self._clock() >= due:
                del self._again[job.id]
                saved = "goes on from its checkpoint" if job.run.last.exists() else "starts over, nothing was saved"
                self._index.become(job, "queued", saved)

    def _start(self) -> bool:
        started = False
        if self._held:
            return started
        for name in self._index.executors():
            while (job := self._next(name)) is not None:
                self._submit(job)
                started = True
        return started

    def _next(self, name: str) -> Job | None:
        """Claim a job for an executor that has a place; None where there is neither."""
        try:
            executor = self._executor(name)
            slots = executor.slots
        except UserError as error:
            for job in self._index.jobs("queued"):
                if job.executor == name:
                    self._index.become(job, "failed", error.line(), message=error.line())
            return None
        busy = sum(executor.takes(job.folder) for job in self._index.jobs(*ACTIVE) if job.executor == name)
        if busy >= slots:
            return None

        def fits(job: Job) -> bool:
            """One that takes more than there is goes when nothing else does."""
            return not busy or busy + executor.takes(job.folder) <= slots

        return self._index.claim(name, self._limits.per_owner, fits)

    def _submit(self, job: Job) -> None:
        try:
            if job.run.wanted != job.wanted:
                job.run.want(job.wanted)
            self._index.refer(job, self._executor(job.executor).submit(job.folder))
        except (UserError, OSError) as error:
            reason = error.line() if isinstance(error, UserError) else f"it cannot be started: {error}"
            self._index.become(job, "failed", reason, message=reason)


def run(home: Path, idle_s: float = IDLE_S) -> int:
    """See to a workspace until there has been no work for ``idle_s``, or a signal ends it. Returns the exit code.

    Where another supervisor has the workspace, it leaves after two seconds.
    """
    home.mkdir(parents=True, exist_ok=True)
    asked_to_stop = _listen()
    while True:
        with held(lock_path(home), patience_s=2.0) as lock:
            if lock is None:
                _log("another supervisor sees to this workspace")
                return 0
            lock.truncate(0)
            lock.write(str(Process.of_self()).encode())
            lock.flush()
            _log("began")
            _serve(Supervisor(home), asked_to_stop, idle_s)
        # Work that came while the lock was still held found nobody to call for.
        if asked_to_stop() or not _has_work(home):
            _log("left")
            return 0


def _serve(supervisor: Supervisor, asked_to_stop: Callable[[], bool], idle_s: float) -> None:
    busy = time.monotonic()
    try:
        while not asked_to_stop() and time.monotonic() - busy < idle_s:
            try:
                if supervisor.tick():
                    busy = time.monotonic()
                supervisor.wait()
            except Exception:  # a full disk, a busy file: it passes, and nobody else would start the jobs
                busy = time.monotonic()
                traceback.print_exc()
                supervisor.recover()
                time.sleep(SLOW_S)
    finally:
        supervisor.close()


def _has_work(home: Path) -> bool:
    index = Index(home)
    try:
        return index.has_work()
    finally:
        index.close()


def _listen() -> Callable[[], bool]:
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return lambda: bool(asked)


def _log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} supervisor {Process.of_self().pid}: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), *map(float, sys.argv[2:3])))
