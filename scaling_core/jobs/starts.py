"""Finished runs that others can start from: found by what a person calls them, and told of a job that did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.jobs.model import Job
from scaling_core.jobs.store import Queue
from scaling_core.training.base_run import BaseRun, read_base
from scaling_core.training.folder import RunFolder

_LISTED = 6


def find_run(queue: Queue, text: str) -> Path:
    """The run folder that a person means: by the id of its job, its name, "ladder/name", or the folder itself.

    Raises
    ------
    UserError
        If there is none, or several are called so. Whether it can be started from is for ``read_base`` to say.
    """
    asked = text.strip()
    if asked.isdecimal():
        return queue.job(int(asked)).folder
    for path in (queue.home / "ladders" / asked, Path(asked).expanduser()):
        if asked and (path / "spec.json").exists():
            return path.absolute()
    return _named(queue, asked)


def _named(queue: Queue, name: str) -> Path:
    jobs = [job for job in queue.jobs() if job.name == name and job.kind == "train"]
    if ended := [job for job in jobs if job.state == "done"]:
        jobs = ended
    if not jobs:
        raise UserError(
            f"There is no run “{name}”.",
            where=str(queue.home),
            fix="Give the id or the name of a job, as `jobs list --all` shows them, or a run folder.",
        )
    if len(jobs) > 1:
        known = ", ".join(f"{job.id} ({called(job.folder)})" for job in jobs[:_LISTED])
        more = f" and {len(jobs) - _LISTED} more" if len(jobs) > _LISTED else ""
        raise UserError(f"{len(jobs)} runs are called “{name}”.", fix=f"Give the id of one: {known}{more}.")
    return jobs[0].folder


def called(folder: Path) -> str:
    """A run by its ladder and its own name, "first/w64-l4-1.05M": what a link calls it by."""
    return f"{folder.parent.name}/{folder.name}"


def finished_runs(queue: Queue) -> list[BaseRun]:
    """Runs that have ended well and still have their weights: of the newest ladder first, the most trained first."""
    known = [run for job in queue.jobs(states=("done",)) if job.kind == "train" and (run := _base_of(job))]
    order = {ladder.folder: i for i, ladder in enumerate(queue.ladders())}
    return sorted(known, key=lambda run: (order.get(run.folder.parent, len(order)), -run.params * run.tokens))


def _base_of(job: Job) -> BaseRun | None:
    return _read(job.folder) if job.run.last.exists() else None


@lru_cache(maxsize=4096)
def _read(folder: Path) -> BaseRun | None:
    """Read once: a run that has ended stays as it is."""
    try:
        base = read_base(folder)
    except UserError:
        return None
    return base if base.spec.role == "run" else None


def started_from(folder: Path) -> str:
    """The run that a run's weights come from, "first/w64-l4-1.05M", through its trunk; empty where it began with none.

    Read from what was asked, so that it is known before the run has begun.
    """
    start = _asked(folder).get("start")
    if not isinstance(start, dict) or not start.get("folder"):
        return ""
    other = (folder.parent / str(start["folder"])).resolve()
    return called(other) if start.get("kind") == "fine-tune" else started_from(other)


def curve_of(folder: Path) -> Iterator[dict[str, Any]]:
    """What a run has logged since its weights were taken up, in order: of a branch its trunk's lines up to there first.

    A line of validation has the training loss last logged before it as ``train_loss``.
    """
    start = _asked(folder).get("start") or {}
    own = list(RunFolder(folder).metrics())
    if start.get("folder") and start.get("kind") == "branch":
        trunk, until = (folder.parent / str(start["folder"])).resolve(), int(start.get("tokens") or 0)
        own = [line for line in curve_of(trunk) if line.get("tokens", 0) <= until] + own
    loss = None
    for line in sorted(own, key=lambda line: line.get("step", 0)):  # of one step the training loss stands first
        loss = line.get("loss", loss)
        yield {**line, "train_loss": loss} if "val_loss" in line else line


@lru_cache(maxsize=4096)
def _asked(folder: Path) -> dict[str, Any]:
    try:
        spec = json.loads(RunFolder(folder).spec_json)
    except (OSError, ValueError):
        return {}
    return spec if isinstance(spec, dict) else {}
