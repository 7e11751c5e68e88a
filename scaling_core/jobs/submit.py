"""A planned ladder handed to the queue, and a person's own text put where the workers find it."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

from scaling_core.errors import UserError
from scaling_core.jobs.launch import ensure_supervisor
from scaling_core.jobs.model import JobRequest
from scaling_core.jobs.store import Queue
from scaling_core.training.folder import write_whole
from scaling_core.training.ladder import Ladder, to_meta
from scaling_core.training.ladder_file import FILE_NAME, ladder_toml


def submit_ladder(queue: Queue, ladder: Ladder, executor: str = "local", owner: str = "") -> int:
    """Queue a ladder with its file beside the runs, and see that somebody works on it.

    Returns
    -------
    int
        The ladder's id.

    Raises
    ------
    UserError
        As ``Queue.add_ladder``, or if the workspace cannot be written.
    """
    requests = [JobRequest(**vars(job)) for job in ladder.requests()]
    number = queue.add_ladder(ladder.spec.name, requests, owner, to_meta(ladder), executor=executor)
    with suppress(OSError):  # ``ladder.json`` holds the same; the jobs are queued and are not to wait for this
        write_whole(queue.ladder(number).folder / FILE_NAME, ladder_toml(ladder.spec).encode())
    ensure_supervisor(queue.home)
    return number


def keep_text(home: Path, name: str, content: bytes) -> Path:
    """Keep a text to train on under the workspace, called by its content; returns its path.

    Raises
    ------
    UserError
        If it is empty, is no text, or cannot be written.
    """
    if not content:
        raise UserError("The file is empty.", where=name)
    if b"\0" in content[: 1 << 16]:
        raise UserError("The file is not text: it holds zero bytes.", where=name, fix="Give a plain text file.")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).name).strip("-.")[:60] or "text"
    path = home / "texts" / f"{hashlib.sha256(content).hexdigest()[:12]}-{plain}"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
    except OSError as error:
        raise UserError(f"The text cannot be kept: {error.strerror or error}.", where=str(home)) from None
    return path
