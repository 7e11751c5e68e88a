"""A queue of training jobs: its store, the supervisor, the workers and where they run.

    queue = Queue(home)
    ladder = queue.add_ladder("first", [JobRequest("w16-l2", "train", spec.to_json())])
    ensure_supervisor(home)
    queue.jobs(ladder)

A run folder is the truth about its run; the queue's SQLite file is an index of folders, and workers never touch it.
"""

from __future__ import annotations

from scaling_core.jobs.launch import ensure_supervisor, supervisor_of
from scaling_core.jobs.model import Event, Job, JobRequest, JobState, Ladder, Limits
from scaling_core.jobs.store import Queue

__all__ = [
    "Event",
    "Job",
    "JobRequest",
    "JobState",
    "Ladder",
    "Limits",
    "Queue",
    "ensure_supervisor",
    "supervisor_of",
]
