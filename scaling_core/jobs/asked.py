"""Jobs as they are asked for: whether that can be, and their folders."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scaling_core.errors import UserError
from scaling_core.jobs.executors import EXECUTORS
from scaling_core.jobs.kinds import KINDS
from scaling_core.jobs.model import JobRequest
from scaling_core.training.folder import RunFolder, sync_folder, write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_WHAT = re.compile(r"done|ended|kept-\d+")


def check_requests(jobs: Sequence[JobRequest], executor: str) -> None:
    """Refuse jobs that could never be run.

    Raises
    ------
    UserError
        With the job and what is wrong with it.
    """
    if executor not in EXECUTORS:
        raise UserError(f"There is no executor “{executor}”.", fix=f"Known: {', '.join(EXECUTORS)}.")
    if not jobs:
        raise UserError("There is no job in it.")
    names: set[str] = set()
    for job in jobs:
        if not _NAME.fullmatch(job.name):
            raise UserError(f"“{job.name}” is no name for a job.", fix="Use letters, digits and . _ - only, up to 80.")
        if job.name in names:
            raise UserError(f"Two jobs are called “{job.name}”.", fix="Give each its own name.")
        names.add(job.name)
        if job.kind not in KINDS:
            raise UserError(f"There is no kind “{job.kind}”.", where=job.name, fix=f"Known: {', '.join(KINDS)}.")
        KINDS[job.kind].check(job.spec_json)
    check_needs(jobs, names)


def check_needs(jobs: Sequence[JobRequest], names: set[str]) -> None:
    """Refuse needs that name no job, cannot be waited for, or run in a circle; raises UserError."""
    for job in jobs:
        for needed, what in job.needs:
            if needed not in names:
                raise UserError(f"It needs “{needed}”, which is not there.", where=job.name)
            if not _WHAT.fullmatch(what):
                raise UserError(f"“{what}” cannot be waited for.", where=job.name,
                                fix="Use done, ended or kept-<tokens>.")  # fmt: skip
    waiting = {job.name: {needed for needed, _ in job.needs} for job in jobs}
    while free := [name for name, needed in waiting.items() if not needed & waiting.keys()]:
        for name in free:
            del waiting[name]
    if waiting:
        raise UserError(f"These jobs wait for each other: {', '.join(sorted(waiting)[:6])}.",
                        fix="Leave out one of the needs.")  # fmt: skip


def make_folders(
    root: Path, name: str, jobs: Sequence[JobRequest], owner: str, meta: Mapping[str, Any], executor: str, now: float
) -> Path:
    """Make a ladder's folder under ``root`` with a run folder for each job; returns it.

    ``ladder.json`` holds all that the index is made of, so that a lost index can be made again.

    Raises
    ------
    UserError
        If it cannot be written; nothing of it is left then.
    """
    try:
        folder = _new_folder(root, name)
    except OSError as error:
        raise _cannot(root, error) from None
    try:
        for job in jobs:
            RunFolder(folder / job.name).create(job.spec_json)
            write_whole(folder / job.name / "kind", job.kind.encode(), durable=False)
        asked = {"name": name, "owner": owner, "executor": executor, "created": now, "meta": meta}
        asked["jobs"] = [{k: v for k, v in asdict(job).items() if k != "spec_json"} for job in jobs]
        write_whole(folder / "ladder.json", json.dumps(asked, indent=1).encode())
        sync_folder(root)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _cannot(root, error) from None
    return folder


def _new_folder(root: Path, name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "ladder"
    number = 1
    while True:
        folder = root / (plain if number == 1 else f"{plain}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def _cannot(root: Path, error: OSError) -> UserError:
    return UserError(
        f"The run folders cannot be made: {error.strerror or error}.",
        where=str(root),
        fix="Free disk space, or set SCALING_HOME to a folder that can be written.",
    )
