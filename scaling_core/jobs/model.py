"""What the queue speaks of: ladders, jobs, what a job waits for, and what happened to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from scaling_core.training.folder import RunFolder, Wanted

JobState = Literal["queued", "starting", "running", "paused", "done", "failed", "cancelled", "interrupted"]
#: States in which an executor has the job.
ACTIVE: tuple[JobState, ...] = ("starting", "running")
#: States that only a person's ``retry`` leads out of.
FINAL: tuple[JobState, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class JobRequest:
    """A job as it is asked for.

    Attributes
    ----------
    name : str
        Unique in its ladder, and the name of its folder: letters, digits, ``.``, ``_`` and ``-``.
    kind : str
        A name in ``scaling_core.jobs.kinds.KINDS``: "train", "forecast" or "probe".
    spec_json : str
        What its kind reads: of "train" a ``TrainSpec``.
    priority : int
        Higher goes first; among equals the one asked for first.
    needs : tuple of (name, what)
        Jobs of the same ladder that it waits for: until they are "done", have "ended" in any way, or hold the
        checkpoint "kept-<tokens>".
    estimate_s : float
        Seconds that it is thought to take; 0 where nobody knows.
    """

    name: str
    kind: str = "train"
    spec_json: str = "{}"
    priority: int = 0
    needs: tuple[tuple[str, str], ...] = ()
    estimate_s: float = 0.0


@dataclass(frozen=True)
class Ladder:
    """Jobs asked for together; their run folders lie side by side in one folder."""

    id: int
    name: str
    folder: Path
    owner: str
    created: float
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A job as the index knows it, about a second behind its folder.

    Attributes
    ----------
    id, ladder : int
    name, kind, owner, executor : str
    folder : Path
        The run folder, which is the truth.
    priority : int
    state, wanted
        Where it stands, and what a person wants of it.
    attempts, max_attempts : int
        Starts since it was asked for, resumed after a pause or retried; a job found dead starts again while fewer
        than ``max_attempts``.
    ref : str
        What its executor calls it.
    device, message : str
    progress : float
        Share of its own work that is done, 0 to 1.
    tokens : int
    loss : float or None
        Of its last steps while it trains; of validation once it is done.
    tokens_per_second : float or None
    seconds_left : float or None
        At its speed so far, else from the estimate; None where nobody knows.
    estimate_s : float
    created, started, ended : float or None
        Seconds since 1970. ``started`` is the first time that it ran.
    """

    id: int
    ladder: int
    name: str
    kind: str
    folder: Path
    priority: int
    state: JobState
    wanted: Wanted
    attempts: int
    max_attempts: int
    executor: str
    ref: str
    owner: str
    device: str
    message: str
    progress: float
    tokens: int
    loss: float | None
    tokens_per_second: float | None
    seconds_left: float | None
    estimate_s: float
    created: float
    started: float | None
    ended: float | None
    beat: int = 0

    @property
    def run(self) -> RunFolder:
        """The run folder, to read."""
        return RunFolder(self.folder)


@dataclass(frozen=True)
class Event:
    """One step of a job: when (seconds since 1970), who made it, from which state to which, and why."""

    at: float
    who: str
    was: str
    became: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """What the queue may use.

    Attributes
    ----------
    slots : int
        Jobs at once; 0 takes one a core, or ``per_gpu`` for each GPU.
    per_owner : int
        Jobs of one owner at once; 0 sets no limit.
    disk_gb : float
        Size of all run folders at which nothing new starts; 0 sets no limit.
    free_gb : float
        Free space on the disk below which nothing new starts.
    per_gpu : int
        Jobs that share a GPU.
    """

    slots: int = 0
    per_owner: int = 0
    disk_gb: float = 0.0
    free_gb: float = 0.5
    per_gpu: int = 1
