"""Following one job: what its executor and its folder say, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scaling_core.errors import UserError
from scaling_core.jobs.executors.base import Executor, Seen
from scaling_core.jobs.index import Index
from scaling_core.jobs.kinds import KINDS
from scaling_core.jobs.model import Job, JobState
from scaling_core.jobs.process import Process, is_held
from scaling_core.training.folder import RunFolder, Status

#: Seconds without a beat after which a run counts as dead, though its process may be there.
LEASE_S = 60.0
#: Seconds that a run has to follow "cancel" by itself.
GRACE_S = 10.0
#: Seconds between two updates of how far a run is.
TELL_S = 0.5
_LONGEST_TICK_S = 1.0


@dataclass
class _Watch:
    """What is remembered of a job that runs; all of it can be lost."""

    beat: int = -1
    still_s: float = 0.0
    asked_s: float = 0.0
    at: float = 0.0
    told: float = float("-inf")
    span: tuple[int, int] = (0, 0)


class Follower:
    """Follows jobs by the index's records, their executors and their folders.

    Whether a run has stopped beating is judged by ``clock`` alone, and only by time that was spent watching: a
    supervisor that was itself stopped for an hour kills nothing when it goes on.
    """

    def __init__(self, index: Index, clock: Callable[[], float]) -> None:
        self._index = index
        self._clock = clock
        self._watches: dict[int, _Watch] = {}

    def follow(self, job: Job, executor: Executor) -> bool:
        """Look at a job once. Returns whether it has left its executor."""
        watch = self._watch(job)
        ref = job.ref or self._ref_of(job)
        seen = executor.poll(ref, job.folder)
        status = fresh_status(job)
        if seen.state == "unknown" and status is not None and status.state in _LEFT:
            seen = Seen("ended", status.state, status.message)
        if seen.state == "ended":
            return self._settle(job, seen, status)
        self._renew(job, watch, seen, status)
        if self._overdue(job, watch, seen, status):
            executor.cancel(ref, job.folder)
            if seen.state == "unknown":
                return self._settle(job, Seen("ended"), status)
        return False

    def _watch(self, job: Job) -> _Watch:
        now = self._clock()
        watch = self._watches.get(job.id)
        if watch is None:
            watch = self._watches[job.id] = _Watch(at=now, span=_span(job))
        passed, watch.at = min(now - watch.at, _LONGEST_TICK_S), now
        watch.still_s += passed
        watch.asked_s = watch.asked_s + passed if job.wanted != "run" else 0.0
        return watch

    def _ref_of(self, job: Job) -> str:
        """Of a job whose supervisor was killed before it wrote down where the job is: the process in its status."""
        status = fresh_status(job)
        return "" if status is None else str(Process.of_status(status))

    def _renew(self, job: Job, watch: _Watch, seen: Seen, status: Status | None) -> None:
        if seen.state == "waiting":
            watch.still_s = 0.0
        if job.wanted != job.run.wanted:
            job.run.want(job.wanted)
        if status is None or status.beat == watch.beat:
            return
        watch.beat, watch.still_s = status.beat, 0.0
        if status.state == "running" and job.state == "starting":
            self._index.become(job, "running", f"on {status.host}, process {status.pid}", device=status.device)
        if watch.at - watch.told >= TELL_S:
            watch.told = watch.at
            self._tell(job, watch, status)

    def _tell(self, job: Job, watch: _Watch, status: Status) -> None:
        start, end = watch.span
        done = (status.tokens - start) / (end - start) if end > start else 0.0
        left = (end - status.tokens) / status.tokens_per_second if status.tokens_per_second else None
        progress = min(1.0, max(0.0, done))
        self._index.tell(
            job, progress=progress, tokens=status.tokens, loss=status.loss, device=status.device,
            message=status.message, tokens_per_second=status.tokens_per_second, seconds_left=left,
        )  # fmt: skip

    def _overdue(self, job: Job, watch: _Watch, seen: Seen, status: Status | None) -> bool:
        """Whether it is to be ended by force: it does not beat, or does not follow."""
        if watch.still_s > LEASE_S:
            return True
        if job.wanted != "run" and seen.state == "waiting":
            return True
        return job.wanted == "cancel" and watch.asked_s > GRACE_S

    def _settle(self, job: Job, seen: Seen, status: Status | None) -> bool:
        """Write down what became of a job that no process has any more."""
        outcome, message = seen.outcome, seen.message
        if job.run.result is not None:
            outcome, message = "done", ""
        elif outcome == "busy" or (not outcome and is_held(job.folder / "lock")):
            return self._held_elsewhere(job)
        elif not outcome and status is not None and status.state in _LEFT:
            outcome, message = status.state, status.message
        watch = self._watches.pop(job.id, None)
        if status is not None and watch is not None:
            self._tell(job, watch, status)
        if outcome == "done":
            self._index.become(job, "done", "", progress=1.0, seconds_left=0.0, **final_loss(job.run))
        elif outcome == "failed":
            self._index.become(job, "failed", message, message=message)
        elif outcome in ("paused", "cancelled"):
            self._left_as_wanted(job)
        else:
            self._found_dead(job, message, watch)
        return True

    def _held_elsewhere(self, job: Job) -> bool:
        """Another process runs it: an earlier supervisor's worker, or a person's. It is followed by its process."""
        status = job.run.status
        if status is not None:
            self._index.refer(job, str(Process.of_status(status)))
        return False

    def _left_as_wanted(self, job: Job) -> None:
        """It stopped as it was asked to; what is wanted may have changed since."""
        state: JobState = {"pause": "paused", "cancel": "cancelled", "run": "queued"}[job.wanted]  # type: ignore[assignment]
        # A pause is no failed attempt.
        self._index.become(job, state, f"wanted: {job.wanted}", attempts=0)

    def _found_dead(self, job: Job, message: str, watch: _Watch | None) -> None:
        if watch is not None and watch.still_s > LEASE_S:
            message = f"it gave no sign of life for {LEASE_S:.0f} s"
        message = message or "its process is gone"
        if job.wanted != "run":
            self._left_as_wanted(job)
        elif job.attempts < job.max_attempts:
            self._index.become(job, "interrupted", message, message=message)
        else:
            message = f"{message}; attempt {job.attempts} of {job.max_attempts}"
            self._index.become(job, "failed", message, message=message)


def final_loss(run: RunFolder) -> dict[str, float]:
    """The validation loss of a run that is done, in place of the one of its last steps; nothing where it has none."""
    loss = (run.result or {}).get("loss")
    return {"loss": float(loss)} if isinstance(loss, int | float) else {}


_LEFT = ("done", "failed", "cancelled", "paused", "interrupted")


def fresh_status(job: Job) -> Status | None:
    """The status of this attempt; one left by an earlier attempt does not count."""
    status = job.run.status
    return status if status is not None and status.beat > job.beat else None


def _span(job: Job) -> tuple[int, int]:
    try:
        return KINDS[job.kind].span(job.run.spec_json)
    except (UserError, OSError, KeyError):
        return 0, 0
