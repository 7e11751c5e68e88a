"""The index made again from the run folders, where it was lost or lacks a ladder: folders are the truth."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling_core.database import connected
from scaling_core.errors import UserError
from scaling_core.jobs.asked import check_needs
from scaling_core.jobs.follow import final_loss
from scaling_core.jobs.kinds import KINDS
from scaling_core.jobs.model import FINAL, JobRequest, JobState, Ladder
from scaling_core.jobs.rows import SCHEMA, move
from scaling_core.jobs.store import ATTEMPTS, Queue, insert_ladder
from scaling_core.training.folder import RunFolder
from scaling_core.training.spec import read

_WHO = "reindex"
_FRESH_S = 5.0
_STATES: dict[str, JobState] = {"pause": "paused", "cancel": "cancelled", "run": "queued"}


def reindex(home: Path) -> tuple[list[Ladder], list[UserError]]:
    """Take up every ladder under ``home`` that the index does not have; what it has is left as it is.

    A job is done where its folder holds a result, and failed or cancelled where its status says so; otherwise what is
    wanted of it decides, and it goes on from its checkpoint. One that still runs is found running by its lock.

    Returns
    -------
    tuple
        The ladders taken up, oldest first, and what is wrong with those that could not be.

    Raises
    ------
    UserError
        If the index cannot be read or written.
    """
    queue = Queue(home)
    with connected(queue.path, SCHEMA) as db:
        db.row_factory = sqlite3.Row
        db.execute("begin immediate")
        there = {home / row["folder"] for row in db.execute("select folder from ladder")}
        found, wrong = _found([p for p in sorted(home.glob("ladders/*/ladder.json")) if p.parent not in there])
        taken = [_take_up(db, *one) for one in found]
    return [queue.ladder(number) for number in taken], wrong


def _found(paths: Sequence[Path]) -> tuple[list[tuple[Path, dict[str, Any], list[JobRequest]]], list[UserError]]:
    """Ladders by their files, oldest first: folder, what was asked, its jobs; and what is wrong with the others."""
    found, wrong = [], []
    for path in paths:
        try:
            found.append((path.parent, *_read(path)))
        except UserError as error:
            wrong.append(error)
    return sorted(found, key=lambda one: one[1]["created"]), wrong


def _read(path: Path) -> tuple[dict[str, Any], list[JobRequest]]:
    """What was asked for, as ``asked.make_folders`` wrote it down."""
    try:
        if time.time() - path.stat().st_mtime < _FRESH_S:  # whoever made it is about to write it into the index
            raise UserError("This ladder was made just now.", where=str(path), fix=f"Try again in {_FRESH_S:.0f} s.")
        asked = json.loads(path.read_text(encoding="utf-8"))
        jobs = [_request(job) for job in asked["jobs"]]
        kept = {name: kind(asked[name]) for name, kind in _FIELDS.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"This is no ladder ({type(error).__name__}: {error}).", where=str(path)) from None
    for job in jobs:
        if job.kind not in KINDS or not (path.parent / job.name / "spec.json").is_file():
            raise UserError(f"The run folder of “{job.name}” is not there or of no kind.", where=str(path))
    check_needs(jobs, {job.name for job in jobs})
    return kept, jobs


_FIELDS: dict[str, Any] = {"name": str, "owner": str, "executor": str, "created": float, "meta": dict}


def _request(job: dict[str, Any]) -> JobRequest:
    needs = tuple((str(needed), str(what)) for needed, what in job["needs"])
    return replace(read(JobRequest, {**job, "needs": []}), needs=needs)


def _take_up(db: sqlite3.Connection, folder: Path, asked: dict[str, Any], jobs: list[JobRequest]) -> int:
    number = insert_ladder(db, asked["name"], folder, jobs, asked["owner"], asked["meta"], asked["executor"],
                           ATTEMPTS, asked["created"])  # fmt: skip
    for row in db.execute("select * from job where ladder = ?", (number,)).fetchall():
        run = RunFolder(folder / row["name"])
        state, message = _state_of(run)
        changes: dict[str, Any] = {"wanted": run.wanted, "message": message}
        if state in FINAL:
            changes |= {"ended": _ended(run), "progress": 1.0 if state == "done" else 0.0, "wanted": "run"}
        if state == "done":
            changes |= final_loss(run)
        move(db, row, state, _WHO, "found in its folder", time.time(), **changes)
    return number


def _state_of(run: RunFolder) -> tuple[JobState, str]:
    status = run.status
    if run.result is not None:
        return "done", ""
    if status is not None and status.state in ("failed", "cancelled"):
        return status.state, status.message
    return _STATES[run.wanted], ""


def _ended(run: RunFolder) -> float:
    """When the last word of it was written."""
    path = next(p for p in (run.path / "result.json", run.path / "status.json", run.path) if p.exists())
    return path.stat().st_mtime
