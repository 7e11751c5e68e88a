"""What a page or a table shows of the queue: a ladder at a glance, what the machine does, a run's curve and its log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scaling_core.jobs.devices import cores, gpus, local_slots
from scaling_core.jobs.launch import supervisor_of
from scaling_core.jobs.model import ACTIVE, FINAL, Job, JobState
from scaling_core.jobs.process import Process
from scaling_core.jobs.store import Queue
from scaling_core.training.folder import RunFolder

#: No more of a log is read than a person can look through.
_LOG_BYTES = 64 * 2**10


@dataclass(frozen=True)
class Glance:
    """A ladder in one line.

    Attributes
    ----------
    counts : mapping of state to number of jobs
    progress : float
        Share of the work that is done, by the jobs' estimates; each counts alike where there are none. Jobs that
        failed or were cancelled count as done: nothing more comes of them.
    seconds_left : float or None
        Of the jobs that are left, shared out over ``slots`` and no less than the longest of them; None where any has
        neither a speed nor an estimate.
    over : bool
        Whether every job has ended.
    """

    counts: Mapping[JobState, int]
    progress: float
    seconds_left: float | None
    over: bool


def glance(jobs: Sequence[Job], slots: int) -> Glance:
    """A ladder's jobs in one line."""
    weights = [job.estimate_s for job in jobs] if any(job.estimate_s for job in jobs) else [1.0] * len(jobs)
    done = sum(w * (1.0 if job.state in FINAL else job.progress) for w, job in zip(weights, jobs, strict=True))
    left = [job.seconds_left for job in jobs if job.state not in (*FINAL, "paused")]
    known = [seconds for seconds in left if seconds is not None]
    seconds = max(sum(known) / max(1, slots), max(known, default=0.0)) if len(known) == len(left) else None
    progress = done / sum(weights) if sum(weights) else 0.0
    return Glance(Counter(job.state for job in jobs), progress, seconds, all(job.state in FINAL for job in jobs))


@dataclass(frozen=True)
class Machine:
    """What the queue runs on.

    Attributes
    ----------
    supervisor : Process or None
        The process that sees to the jobs, while there is one.
    held : str
        Why nothing new starts; empty where it may.
    slots : int
        Jobs at once on this machine, as limited.
    cores : int
    gpus : tuple of str
    running, waiting : int
        Jobs with an executor, and jobs queued.
    """

    supervisor: Process | None
    held: str
    slots: int
    cores: int
    gpus: tuple[str, ...]
    running: int
    waiting: int


def machine(queue: Queue) -> Machine:
    """What the queue runs on now."""
    limits, jobs = queue.limits, queue.jobs(states=("queued", "interrupted", *ACTIVE))
    running = sum(job.state in ACTIVE for job in jobs)
    slots = local_slots(limits)
    supervisor = supervisor_of(queue.home)
    held = (queue.setting("held") or "") if supervisor else ""
    return Machine(supervisor, held, slots, cores(), gpus(), running, len(jobs) - running)


def why_waiting(queue: Queue, job: Job) -> str:
    """What a job waits for, for a person; empty where it does not wait."""
    if job.state == "paused":
        return "paused"
    if job.state not in ("queued", "interrupted"):
        return ""
    open_needs = [(needed, what) for needed, what, met in queue.needs(job.id) if not met]
    if open_needs:
        names = [f"“{queue.job(needed).name}” ({what})" for needed, what in open_needs[:3]]
        more = f" and {len(open_needs) - 3} more" if len(open_needs) > 3 else ""
        return f"waits for {', '.join(names)}{more}"
    return queue.setting("held") or "waits for a free slot"


def curve(folder: Path) -> pd.DataFrame:
    """A run's metrics as a frame, one row a logged step; empty before the first."""
    return pd.DataFrame(list(RunFolder(folder).metrics()))


def curves(jobs: Sequence[Job]) -> pd.DataFrame:
    """The metrics of several runs, with their names in the column ``run``."""
    frames = [curve(job.folder).assign(run=job.name) for job in jobs]
    return pd.concat([f for f in frames if len(f)], ignore_index=True) if any(map(len, frames)) else pd.DataFrame()


def log_text(job: Job) -> str:
    """The end of what a run printed."""
    try:
        with job.run.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
